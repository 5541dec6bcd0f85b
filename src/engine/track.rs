//! One rail at work: what waits for it, and the gate before it. Rails do not hold each other up.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gate::{Gate, Line};
use super::outbox::Outbox;
use super::port::{self, Rails};
use crate::domain::id::PayoutId;
use crate::domain::outcome;
use crate::domain::payout::Rail;
use crate::domain::time::Timestamp;
use crate::store::RailRecord;
use crate::telemetry::metric::{self, Gauge};

/// One rail at work.
#[derive(Debug)]
pub(super) struct Track {
    /// Its name.
    pub(super) name: Rail,
    /// The way itself.
    pub(super) rail: Arc<dyn port::Rail>,
    /// Payouts that may be sent.
    pub(super) outbox: Outbox<PayoutId>,
    /// Payouts that M-Pesa may be asked about.
    pub(super) questions: Outbox<PayoutId>,
    pub(super) gate: Gate,
    /// Messages that await their answer.
    pub(super) in_flight: Gauge,
}

impl Track {
    fn new(name: Rail, rail: &Arc<dyn port::Rail>) -> Self {
        Self {
            name,
            rail: Arc::clone(rail),
            outbox: Outbox::default(),
            questions: Outbox::default(),
            gate: Gate::default(),
            in_flight: metric::RAIL_IN_FLIGHT.with([name.as_str()]),
        }
    }

    pub(super) const fn line(&self, line: Line) -> &Outbox<PayoutId> {
        match line {
            Line::Payouts => &self.outbox,
            Line::Questions => &self.questions,
        }
    }

    /// What waits in the store is looked at anew.
    pub(super) fn look_through_store(&self) {
        self.outbox.look_through_store();
        self.questions.look_through_store();
    }
}

/// The rails that are set up.
#[derive(Debug)]
pub(super) struct Tracks(BTreeMap<Rail, Arc<Track>>);

impl Tracks {
    pub(super) fn of(rails: &Rails) -> Self {
        let track = |(name, rail)| (name, Arc::new(Track::new(name, rail)));
        Self(rails.each().map(track).collect())
    }

    /// The one with this name, if it is set up.
    pub(super) fn get(&self, name: Rail) -> Option<&Arc<Track>> {
        self.0.get(&name)
    }

    pub(super) fn each(&self) -> impl Iterator<Item = &Arc<Track>> {
        self.0.values()
    }

    /// Those that a refusal with this code stops, which came over `rail`: all, if it is the
    /// operator who was refused, as he is the same on every way to M-Pesa (law 7).
    pub(super) fn stopped_by(&self, rail: Rail, code: &str) -> impl Iterator<Item = &Arc<Track>> {
        let is_operator = outcome::is_about_the_operator(code);
        self.each().filter(move |track| is_operator || track.name == rail)
    }

    /// Stops what a refusal stops, at once: a stop that is not on the disk yet is a stop all the
    /// same. What is returned is to be written down.
    pub(super) fn stop(&self, rail: Rail, code: &str, now: Timestamp) -> Vec<RailRecord> {
        let stopped = self.stopped_by(rail, code).inspect(|track| track.gate.refuse(code, now));
        stopped.map(|track| track.gate.record(track.name)).collect()
    }

    pub(super) fn look_through_store(&self) {
        self.each().for_each(|track| track.look_through_store());
    }
}
