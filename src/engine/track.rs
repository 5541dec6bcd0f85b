//! One rail at work: what waits for it, and the gate before it. Rails do not hold each other up.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::gate::{Gate, Line};
use super::outbox::Outbox;
use super::port::{self, Rails};
use crate::domain::id::PayoutId;
use crate::domain::payout::Rail;
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

    pub(super) fn look_through_store(&self) {
        self.each().for_each(|track| track.look_through_store());
    }
}
