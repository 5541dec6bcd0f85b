//! The engine: it remembers what the domain decides, and performs what follows.
//!
//! It sees the outside only through [`port`]. `intake` takes payouts, `hearing` takes what M-Pesa
//! sends, `apply` turns an event into one commit, `worker` sends, `inquirer` asks, `desk` serves
//! the people who run it and [`audit`] records what they did, `timer` wakes, `rescue` puts what a
//! crash left in its right state, and `trace` says what became of each step.

mod apply;
pub mod audit;
mod desk;
mod errand;
mod gate;
mod hearing;
mod inquirer;
mod inquiries;
mod intake;
mod lives;
mod outbox;
pub mod port;
mod rescue;
mod rest;
mod restored;
mod reversals;
mod tally;
mod till;
mod timer;
mod trace;
mod track;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use apply::{Applied, NotApplied};
pub use desk::{NotClosed, NotDone, RailView, closing_of, stands};
pub use gate::RailState;
pub use hearing::{Heard, Hearing, Incoming, NotKept};
pub use inquiries::{InquiryDraft, InquiryError, InquiryTaken, NotTaken as InquiryNotTaken};
pub use intake::{CancelError, Draft, SubmitError, Submitted};
pub use rest::Rest;
pub use restored::{Unsettled, settle_restored};
pub use reversals::{NotReversed, ReversalDraft};
pub use till::{
    ClaimError, PushDraft, PushError, Pushed, QueryError, Recovered, Route,
    Settings as TillSettings, StkHeard, Validated,
};

use crate::clock::Clock;
use crate::domain::id::RunId;
use crate::domain::limit::AmountLimits;
use crate::domain::party::ShortCode;
use crate::domain::payout::{self, Policy};
use crate::store::{Store, StoreError};
use gate::Line;
use port::{Counter, Ids, LinkState, Notifier, Rails, Validator};

/// What the engine is told once, at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The organisation's name, as part of each OriginatorConversationID.
    pub organisation: String,
    /// The organisation's short code.
    pub shortcode: ShortCode,
    /// Which way payouts go that do not name one.
    pub rail: payout::Rail,
    /// The pace of a payout's life.
    pub policy: Policy,
    /// What one payout may carry.
    pub limits: AmountLimits,
    /// Money in, inquiries and text messages.
    pub till: till::Settings,
    /// How long the first message after a start is waited for alone: until a result shows that
    /// M-Pesa takes our credentials.
    pub first_result_wait: Duration,
}

/// What the engine works with.
#[derive(Clone)]
pub struct Parts {
    /// Where everything is remembered.
    pub store: Arc<dyn Store>,
    /// The ways to M-Pesa.
    pub rails: Rails,
    /// Where M-Pesa is asked for everything but payouts; `None` where that is not set up.
    pub counter: Option<Arc<dyn Counter>>,
    /// The way to phones; `None` where no text messages are sent.
    pub notifier: Option<Arc<dyn Notifier>>,
    /// The applications that are asked whether a payment is to be taken.
    pub validators: Option<Arc<dyn Validator>>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where identifiers come from.
    pub ids: Arc<dyn Ids>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("store", &self.store).field("rails", &self.rails).finish()
    }
}

/// Takes payouts, moves them, and never forgets one.
#[derive(Debug)]
pub struct Engine {
    parts: Parts,
    settings: Settings,
    /// This run of the program: the owner of the leases that it takes.
    run: RunId,
    tracks: track::Tracks,
    errands: errand::Errands,
    timers: timer::Timers,
    /// Phones for which a prompt is being taken in.
    phones: till::Phones,
    /// Reversals are taken one at a time, so that no two of one payment are.
    reversals: tokio::sync::Mutex<()>,
    /// Rulings on payouts are taken one at a time, so that no two name one receipt.
    rulings: tokio::sync::Mutex<()>,
    /// Shared by C2B payments that come into the book, held alone where a prompt turns out to be
    /// paid and no receipt says by which of them: neither is decided on while the other is on its
    /// way to the disk, so that the same money is never two payments.
    crossing: tokio::sync::RwLock<()>,
    tally: tally::Tally,
}

impl Engine {
    /// An engine at rest: it takes and hears, but sends nothing until [`Engine::start`].
    pub fn new(parts: Parts, settings: Settings) -> Arc<Self> {
        let run = RunId::from_bytes(parts.ids.fresh(parts.clock.now()));
        Arc::new(Self {
            tracks: track::Tracks::of(&parts.rails),
            parts,
            settings,
            run,
            errands: errand::Errands::default(),
            timers: timer::Timers::default(),
            phones: till::Phones::default(),
            reversals: tokio::sync::Mutex::default(),
            rulings: tokio::sync::Mutex::default(),
            crossing: tokio::sync::RwLock::default(),
            tally: tally::Tally::new(),
        })
    }

    /// Puts everything that was in flight in its right state, then begins to send and to watch the
    /// time. `stop` ends that; what is being sent then is finished first, on `tasks`.
    ///
    /// # Errors
    /// The store could not be read or written; nothing was sent.
    pub async fn start(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> Result<rescue::Rescued, StoreError> {
        self.restore_rails().await?;
        let rescued = self.rescue().await?;
        let watch = |part| Watch { engine: Arc::clone(self), part, stop: stop.clone() };
        let timer = watch("the timer");
        let times = timer::run(Arc::clone(self), stop.clone());
        tasks.spawn(async move {
            let _watch = timer;
            times.await;
        });
        for (part, work) in self.errand_workers(tasks, stop) {
            let watch = watch(part);
            tasks.spawn(async move {
                let _watch = watch;
                work.await;
            });
        }
        for track in self.tracks.each() {
            for (line, part) in [(Line::Payouts, "the worker"), (Line::Questions, "the inquirer")] {
                let (engine, track) = (Arc::clone(self), Arc::clone(track));
                let work = worker::run(engine, track, line, tasks.clone(), stop.clone());
                let watch = watch(part);
                tasks.spawn(async move {
                    let _watch = watch;
                    work.await;
                });
            }
        }
        Ok(rescued)
    }

    /// Where everything is remembered.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.parts.store
    }

    /// What time it is.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.clock
    }

    /// Where identifiers come from.
    pub fn ids(&self) -> &Arc<dyn Ids> {
        &self.parts.ids
    }

    /// Which way payouts go that do not name one.
    pub const fn default_rail(&self) -> payout::Rail {
        self.settings.rail
    }

    /// The organisation's name.
    pub fn organisation(&self) -> &str {
        &self.settings.organisation
    }

    /// The organisation's short code.
    pub const fn shortcode(&self) -> &ShortCode {
        &self.settings.shortcode
    }

    /// What is set for money in, inquiries and text messages.
    pub const fn till(&self) -> &till::Settings {
        &self.settings.till
    }

    /// Whether a short code is among those that this gateway was told of: that payouts are paid
    /// from, that customers pay to, and that notices may name.
    pub fn is_ours(&self, shortcode: &ShortCode) -> bool {
        let Settings { shortcode: payer, till, .. } = &self.settings;
        let paid = [&till.shortcode, &till.pulls].into_iter().chain(&till.rules.shortcodes);
        shortcode == payer || paid.into_iter().any(|ours| ours == shortcode.as_str())
    }

    /// What one payout may carry.
    pub const fn limits(&self) -> AmountLimits {
        self.settings.limits
    }

    /// How far the way to M-Pesa goes, for each rail that measures it.
    pub fn links(&self) -> Vec<(payout::Rail, LinkState)> {
        let rails = self.parts.rails.each();
        rails.filter_map(|(name, rail)| Some((name, rail.link()?))).collect()
    }

    /// Tries the way of a rail whenever nothing was sent over it for so long, until it is told to
    /// stop. One that stands still is tried, too: it is wanted again. When a way that was closed is
    /// found open, what waits goes at once, and not when its pause is over.
    pub async fn probe(&self, name: payout::Rail, every: Duration, stop: CancellationToken) {
        let Some(track) = self.tracks.get(name) else {
            return;
        };
        let rail = &track.rail;
        let trying = async {
            loop {
                let tried = rail.link().and_then(|link| link.tried_at());
                let rested = tried.map_or(every, |at| self.parts.clock.now().since(at));
                if rested >= every {
                    let is_up = || rail.link().and_then(|link| link.up);
                    let was_up = is_up();
                    rail.probe().await;
                    if (was_up, is_up()) == (Some(false), Some(true)) {
                        track.gate.reached();
                    }
                }
                tokio::time::sleep(every).await;
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = trying => {}
        }
    }

    /// Passwords or keys were exchanged: one message goes first again, and the others wait for what
    /// becomes of it, as after a start. What M-Pesa has refused stays refused until a person
    /// resumes the rail.
    pub fn credentials_changed(&self) {
        let now = self.parts.clock.now();
        self.tracks.each().for_each(|track| track.gate.prove_again(now));
    }

    /// Whether each rail sends, and if not, why.
    pub fn rail_states(&self) -> Vec<(payout::Rail, RailState)> {
        self.tracks.each().map(|track| (track.name, track.gate.state())).collect()
    }
}

/// Says so when a part of the engine ends that was not told to.
struct Watch {
    engine: Arc<Engine>,
    part: &'static str,
    stop: CancellationToken,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.stop.is_cancelled() {
            tracing::error!(
                part = self.part,
                "a part of the engine has ended; nothing is lost, \
                and nothing is sent until the program is started again"
            );
            for track in self.engine.tracks.each() {
                track.gate.end(self.part);
            }
        }
    }
}
