//! The engine: it remembers what the domain decides, and performs what follows.
//!
//! It sees the outside only through [`port`]. `intake` takes payouts, `hearing` takes what M-Pesa
//! sends, `apply` turns an event into one commit, `worker` sends, `inquirer` asks, `desk` serves
//! the people who run it, `timer` wakes, and `rescue` puts what a crash left in its right state.

mod apply;
mod desk;
mod gate;
mod hearing;
mod inquirer;
mod intake;
mod outbox;
pub mod port;
mod rescue;
mod tally;
mod timer;
mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use apply::{Applied, NotApplied};
pub use desk::{NotClosed, NotDone, RailView};
pub use gate::RailState;
pub use hearing::{Heard, Hearing, Incoming, NotKept};
pub use intake::{CancelError, Draft, SubmitError, Submitted};

use crate::clock::Clock;
use crate::domain::id::RunId;
use crate::domain::limit::AmountLimits;
use crate::domain::party::ShortCode;
use crate::domain::payout::Policy;
use crate::store::{Store, StoreError};
use gate::Line;
use port::{Ids, Rail};

/// What the engine is told once, at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The organisation's name, as part of each OriginatorConversationID.
    pub organisation: String,
    /// The organisation's short code.
    pub shortcode: ShortCode,
    /// The pace of a payout's life.
    pub policy: Policy,
    /// What one payout may carry.
    pub limits: AmountLimits,
    /// How long the first message after a start is waited for alone: until a result shows that
    /// M-Pesa takes our credentials.
    pub first_result_wait: Duration,
}

/// What the engine works with.
#[derive(Clone)]
pub struct Parts {
    /// Where everything is remembered.
    pub store: Arc<dyn Store>,
    /// The way to M-Pesa.
    pub rail: Arc<dyn Rail>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Where identifiers come from.
    pub ids: Arc<dyn Ids>,
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("store", &self.store).field("rail", &self.rail).finish()
    }
}

/// Takes payouts, moves them, and never forgets one.
#[derive(Debug)]
pub struct Engine {
    parts: Parts,
    settings: Settings,
    /// This run of the program: the owner of the leases that it takes.
    run: RunId,
    /// Payouts that may be sent.
    outbox: outbox::Outbox,
    /// Payouts that M-Pesa may be asked about.
    questions: outbox::Outbox,
    timers: timer::Timers,
    gate: gate::Gate,
    tally: tally::Tally,
}

impl Engine {
    /// An engine at rest: it takes and hears, but sends nothing until [`Engine::start`].
    pub fn new(parts: Parts, settings: Settings) -> Arc<Self> {
        let run = RunId::from_bytes(parts.ids.fresh(parts.clock.now()));
        Arc::new(Self {
            parts,
            settings,
            run,
            outbox: outbox::Outbox::default(),
            questions: outbox::Outbox::default(),
            timers: timer::Timers::default(),
            gate: gate::Gate::default(),
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
        let (timer, worker, inquirer) =
            (watch("the timer"), watch("the worker"), watch("the inquirer"));
        let times = timer::run(Arc::clone(self), stop.clone());
        let work = |line| worker::run(Arc::clone(self), line, tasks.clone(), stop.clone());
        let (sends, asks) = (work(Line::Payouts), work(Line::Questions));
        tasks.spawn(async move {
            let _watch = timer;
            times.await;
        });
        tasks.spawn(async move {
            let _watch = worker;
            sends.await;
        });
        tasks.spawn(async move {
            let _watch = inquirer;
            asks.await;
        });
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

    /// What one payout may carry.
    pub const fn limits(&self) -> AmountLimits {
        self.settings.limits
    }

    /// Whether the rail sends, and if not, why.
    pub fn rail_state(&self) -> RailState {
        self.gate.state()
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
            self.engine.gate.end(self.part);
        }
    }
}
