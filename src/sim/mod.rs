//! The M-Pesa simulator: the SOAP broker, with a ledger that knows what was really paid.
//!
//! It speaks the interfaces of the gateway from the other side and shares with it nothing but the
//! messages themselves, so that each can be wrong on its own. It has no randomness: receipts,
//! conversation ids and delays follow from the seed and the order of requests.
//!
//! - [`script`] says what a phone selects, [`chaos`] what a seed does, [`check`] what a request
//!   must hold, [`book`] what was paid: all of them pure, or nearly.
//! - [`report`] says what a result says, [`query`] what became of a payment.
//! - [`broker`] puts them together; [`deliver`] sees to it that results are told, over TCP
//!   ([`wire`]) or by whatever carries them where there are no sockets ([`Simulator::offline`]).
//! - [`exchange`] and the control interface show testers what happened.
//! - [`load`] is the load generator of the benches.

pub mod book;
pub mod broker;
pub mod chaos;
pub mod check;
mod control;
pub mod deliver;
pub mod exchange;
mod histogram;
pub mod load;
pub mod query;
pub mod report;
pub mod script;
mod server;
pub mod wire;

pub use server::is_hang_up;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::{Deref, RangeInclusive};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::book::{Book, Entry};
use self::chaos::{Chaos, Chooser};
use self::check::Operator;
use self::deliver::{Carrier, OnAttempt, Outbox, Tasks};
use self::exchange::{Direction, Exchange, Exchanges};
use self::script::Behaviour;
use self::wire::TcpCarrier;
use crate::clock::Clock;
use crate::credential::PrivateKey;
use crate::domain::money::Amount;
use crate::domain::party::ShortCode;
use crate::domain::time::Timestamp;

/// How long a connection whose answer never comes is held open: longer than the gateway waits by
/// default (contract, part 5).
pub const HOLD: Duration = Duration::from_secs(60);
/// The longest that a connection is held, so that held ones cannot pile up.
pub const HOLD_MAX: Duration = Duration::from_secs(600);
/// How long [`Running::shutdown`] waits for what is under way.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// What the simulator is told at the start. `Debug` shows no secret.
#[derive(Clone)]
pub struct Settings {
    /// Where it listens; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// The one partner's `spId` (spec/soap.md §2).
    pub sp_id: String,
    /// His password, from which spPassword is made.
    pub sp_password: String,
    /// His `serviceId`.
    pub service_id: String,
    /// The organisation's API operator.
    pub initiator: String,
    /// The operator's password: what a SecurityCredential must decrypt to.
    pub initiator_password: String,
    /// The organisation that pays.
    pub shortcode: ShortCode,
    /// The key that the credential certificate belongs to (spec/soap.md §6).
    pub credential_key: PrivateKey,
    /// What the organisation's utility account holds at the start.
    pub balance: Amount,
    /// What receipts, conversation ids and delays follow from.
    pub seed: u64,
    /// How results are delivered.
    pub delivery: Delivery,
    /// How long a connection is held whose answer never comes; at most [`HOLD_MAX`].
    pub hold: Duration,
    /// Faults by a seed, if there are to be any.
    pub chaos: Option<Chaos>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("listen", &self.listen)
            .field("sp_id", &self.sp_id)
            .field("service_id", &self.service_id)
            .field("initiator", &self.initiator)
            .field("shortcode", &self.shortcode)
            .field("balance", &self.balance)
            .field("seed", &self.seed)
            .field("delivery", &self.delivery)
            .field("hold", &self.hold)
            .field("chaos", &self.chaos)
            .finish_non_exhaustive()
    }
}

/// How results are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How long a result waits after its request was taken.
    pub delay: RangeInclusive<Duration>,
    /// Keep connections to a receiver open, as a bench needs; the real broker does not
    /// (spec/soap.md §1.3).
    pub keep_alive: bool,
    /// How often a result is tried that is not acknowledged with 2xx. Whether the real broker
    /// ever tries again is not established (spec/soap.md §5.8).
    pub tries: u32,
    /// The pause before each further try.
    pub retry_pause: Duration,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(20)..=Duration::from_millis(50),
            keep_alive: false,
            tries: 3,
            retry_pause: Duration::from_secs(1),
        }
    }
}

impl Delivery {
    /// A delay from the range, by a number that is spread already.
    fn delay_of(&self, number: u64) -> Duration {
        let (least, most) = (self.delay.start(), self.delay.end());
        let micros = |length: &Duration| u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        let span = micros(most).saturating_sub(micros(least)).saturating_add(1);
        let extra = number.checked_rem(span).unwrap_or_default();
        least.saturating_add(Duration::from_micros(extra))
    }
}

/// What the handlers share.
pub(crate) struct Sim {
    settings: Settings,
    clock: Arc<dyn Clock>,
    book: Mutex<Book>,
    operator: Mutex<Operator>,
    exchanges: Arc<Mutex<Exchanges>>,
    outbox: Arc<Outbox>,
    chooser: Chooser,
}

impl Sim {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn operator(&self) -> MutexGuard<'_, Operator> {
        self.operator.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn exchanges(&self) -> MutexGuard<'_, Exchanges> {
        self.exchanges.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The simulator.
#[derive(Debug)]
pub struct Simulator;

impl Simulator {
    /// Starts it on the current tokio runtime. It runs until it is shut down or what is returned
    /// is dropped.
    ///
    /// # Errors
    /// The address cannot be listened on; the error names it.
    pub async fn start(settings: Settings, clock: Arc<dyn Clock>) -> io::Result<Running> {
        let listener = server::bind(settings.listen).await?;
        let addr = listener.local_addr()?;
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let tasks = Tasks::new(tracker.clone(), stop.clone());
        let carrier = TcpCarrier::new(settings.delivery.keep_alive, tasks.clone());
        let sim = build(settings, clock, Arc::new(carrier), tasks);
        let router = router(Arc::clone(&sim));
        tracker.spawn(server::accept(listener, router, tracker.clone(), stop.clone()));
        tracing::info!(%addr, "simulator listening");
        Ok(Running { addr, console: Console { sim }, tasks: tracker, stop: stop.drop_guard() })
    }

    /// Starts it without a socket: requests go into its router, results and timeouts come by
    /// `carrier`. What it does in the background runs on the current tokio runtime, whose clock
    /// may be paused, until what is returned is dropped; `settings.listen` says nothing.
    pub fn offline(
        settings: Settings,
        clock: Arc<dyn Clock>,
        carrier: Arc<dyn Carrier>,
    ) -> Offline {
        let stop = CancellationToken::new();
        let tasks = Tasks::new(TaskTracker::new(), stop.clone());
        let sim = build(settings, clock, carrier, tasks);
        let router = router(Arc::clone(&sim));
        Offline { router, console: Console { sim }, _stop: stop.drop_guard() }
    }
}

fn build(
    mut settings: Settings,
    clock: Arc<dyn Clock>,
    carrier: Arc<dyn Carrier>,
    tasks: Tasks,
) -> Arc<Sim> {
    settings.hold = settings.hold.min(HOLD_MAX);
    let exchanges = Arc::new(Mutex::new(Exchanges::new()));
    let record = record_results(Arc::clone(&exchanges), Arc::clone(&clock));
    Arc::new(Sim {
        book: Mutex::new(Book::new(settings.seed, settings.balance)),
        operator: Mutex::new(Operator::default()),
        exchanges,
        outbox: Arc::new(Outbox::new(settings.delivery.clone(), carrier, tasks, record)),
        chooser: Chooser::new(settings.chaos.clone()),
        settings,
        clock,
    })
}

/// Every route of the simulator.
fn router(sim: Arc<Sim>) -> Router {
    Router::new()
        .route(broker::PATH, post(broker::request))
        .route("/sim/ledger", get(control::ledger))
        .route("/sim/accounts", get(control::accounts))
        .route("/sim/exchanges", get(control::exchanges))
        .route("/healthz", get(control::healthz))
        .with_state(sim)
}

/// Keeps each delivery among the exchanges.
fn record_results(exchanges: Arc<Mutex<Exchanges>>, clock: Arc<dyn Clock>) -> Box<OnAttempt> {
    Box::new(move |parcel, letter, attempt| {
        tracing::info!(
            originator_conversation_id = parcel.originator_conversation_id,
            status = attempt.status,
            taken = attempt.is_taken(),
            "result sent"
        );
        let exchange = Exchange {
            seq: 0,
            at: clock.now(),
            direction: Direction::Out,
            path: parcel.to.to_string(),
            status: attempt.status,
            request: letter.body.to_vec(),
            response: attempt.answer.clone(),
            originator_conversation_id: Some(parcel.originator_conversation_id.clone()),
        };
        exchanges.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
    })
}

/// What was paid, in all and one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Each movement of money, in order.
    pub entries: Vec<Entry>,
    /// Their sum.
    pub total_paid: Amount,
    /// What the payer has left.
    pub balance: Amount,
}

/// What testers see of a simulator and do with it, whether it listens or not.
pub struct Console {
    sim: Arc<Sim>,
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("outbox", &self.sim.outbox).finish_non_exhaustive()
    }
}

impl Console {
    /// The whole ledger as it stands. It grows with what was paid: for a long run, ask for
    /// [`Self::paid`] or page through `GET /sim/ledger`.
    pub fn ledger(&self) -> Ledger {
        let book = self.sim.book();
        Ledger {
            entries: book.entries(0, usize::MAX),
            total_paid: book.total_paid(),
            balance: book.balance(),
        }
    }

    /// The movement of money of this OriginatorConversationID, if there was one.
    pub fn paid(&self, originator_conversation_id: &str) -> Option<Entry> {
        self.sim.book().find(originator_conversation_id)
    }

    /// How many payments there were.
    pub fn payments(&self) -> u64 {
        self.sim.book().payments()
    }

    /// Ends the faults that a seed chooses; what was chosen before goes its way.
    pub fn calm(&self) {
        self.sim.chooser.calm();
    }

    /// How many results wait or are under way.
    pub fn results_waiting(&self) -> usize {
        self.sim.outbox.waiting()
    }

    /// Lays down what becomes of the next payment with this OriginatorConversationID. Called more
    /// than once, it lays down the one after that.
    pub fn script_payment(&self, originator_conversation_id: &str, behaviour: Behaviour) {
        self.sim.chooser.script_payment(originator_conversation_id, behaviour);
    }

    /// Lays down what becomes of the next question about this id or receipt.
    pub fn script_question(&self, about: &str, behaviour: Behaviour) {
        self.sim.chooser.script_question(about, behaviour);
    }
}

/// A simulator that listens. Dropping it stops it.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    console: Console,
    tasks: TaskTracker,
    stop: DropGuard,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("addr", &self.addr).finish_non_exhaustive()
    }
}

impl Deref for Running {
    type Target = Console;

    fn deref(&self) -> &Console {
        &self.console
    }
}

/// A simulator without a socket. Dropping it stops it; the gateway that calls it may come and go.
///
/// One call of the router is one request. [`is_hang_up`] says of a response that it is none: the
/// connection ends. A call that is given up before it is answered has been acted on all the same,
/// unless it was never polled.
pub struct Offline {
    /// Every route of the simulator.
    pub router: Router,
    console: Console,
    _stop: DropGuard,
}

impl fmt::Debug for Offline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Offline").field("console", &self.console).finish_non_exhaustive()
    }
}

impl Deref for Offline {
    type Target = Console;

    fn deref(&self) -> &Console {
        &self.console
    }
}

impl Running {
    /// Stops listening, ends what is under way, and gives up results not delivered yet; the
    /// ledger goes with it.
    pub async fn shutdown(self) {
        let Self { tasks, stop, .. } = self;
        tasks.close();
        drop(stop);
        if timeout(SHUTDOWN_TIMEOUT, tasks.wait()).await.is_err() {
            tracing::warn!("simulator stopped with connections still open");
        }
    }
}
