//! The M-Pesa simulator: the SOAP broker and Daraja on one port, with one ledger that knows what
//! was really paid, and the provider of text messages.
//!
//! It speaks the interfaces of the gateway from the other side and shares with it nothing but the
//! messages themselves, so that each can be wrong on its own. It has no randomness: receipts,
//! conversation ids and delays follow from the seed and the order of requests.
//!
//! - [`script`] says what a phone selects, [`scenario`] what a file does, [`chaos`] what a seed
//!   does, [`check`] what a request must hold, [`book`] what was paid: all of them pure, or nearly.
//! - [`report`] says what a result says, [`query`] what became of a payment.
//! - [`daraja`] is the REST side, with its faults and its prompts; [`customer`] pays the
//!   organisation, which drives validation and confirmation; [`sms`] is Africa's Talking.
//! - [`broker`] puts them together for SOAP; [`deliver`] sees to it that results are told, over TCP
//!   ([`wire`]) or by whatever carries them where there are no sockets ([`Simulator::offline`]).
//! - [`exchange`] and the control interface show testers what happened.
//! - [`load`] is the load generator of the benches.

pub mod book;
pub mod broker;
pub mod chaos;
pub mod check;
mod control;
pub mod customer;
pub mod daraja;
pub mod deliver;
mod encryption;
pub mod exchange;
mod histogram;
pub mod load;
mod mask;
mod notice;
pub mod plan;
pub mod query;
mod register;
mod reply;
pub mod report;
pub mod scenario;
pub mod script;
mod server;
mod settings;
pub mod sms;
pub mod wire;

pub use encryption::{Door, Encryption};
pub use server::is_hang_up;
pub use settings::{DarajaSettings, Delivery, Settings, SmsSettings};

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::routing::{delete, get, post};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use self::book::{Book, Entry, Moved};
use self::chaos::Chooser;
use self::check::Operator;
use self::customer::Registry;
use self::deliver::{Carrier, OnAttempt, Outbox, Tasks};
use self::exchange::{Direction, Exchange, Exchanges};
use self::plan::Plan;
use self::script::Behaviour;
use self::sms::Texts;
use self::wire::TcpCarrier;
use crate::clock::Clock;
use crate::domain::mask::without_tokens;
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, ShortCode};
use crate::domain::time::Timestamp;

/// How long a connection whose answer never comes is held open: longer than the gateway waits by
/// default (contract, part 5).
pub const HOLD: Duration = Duration::from_secs(60);
/// The longest that a connection is held, so that held ones cannot pile up.
pub const HOLD_MAX: Duration = Duration::from_secs(600);
/// How long [`Running::shutdown`] waits for what is under way.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

/// What the handlers share.
pub(crate) struct Sim {
    settings: Settings,
    clock: Arc<dyn Clock>,
    book: Mutex<Book>,
    operator: Mutex<Operator>,
    exchanges: Arc<Mutex<Exchanges>>,
    outbox: Arc<Outbox>,
    chooser: Chooser,
    stage: scenario::Stage,
    daraja: daraja::Desk,
    urls: Mutex<Registry>,
    texts: Mutex<Texts>,
}

impl Sim {
    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    fn operator(&self) -> MutexGuard<'_, Operator> {
        lock(&self.operator)
    }

    fn exchanges(&self) -> MutexGuard<'_, Exchanges> {
        lock(&self.exchanges)
    }

    /// The addresses that are registered for notices about customers' payments.
    fn urls(&self) -> MutexGuard<'_, Registry> {
        lock(&self.urls)
    }

    fn texts(&self) -> MutexGuard<'_, Texts> {
        lock(&self.texts)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
        Self::start_encrypted(settings, clock, Encryption::default()).await
    }

    /// The same, which also speaks TLS where `encryption` says so.
    ///
    /// # Errors
    /// An address cannot be listened on, or a file of certificates will not do; the error names it.
    pub async fn start_encrypted(
        settings: Settings,
        clock: Arc<dyn Clock>,
        encryption: Encryption,
    ) -> io::Result<Running> {
        let doors = encryption.doors().await?;
        let listener = server::bind(settings.listen).await?;
        let addr = listener.local_addr()?;
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let tasks = Tasks::new(tracker.clone(), stop.clone());
        let keep_alive = settings.delivery.keep_alive;
        let carrier = TcpCarrier::new(keep_alive, tasks.clone(), encryption.calls());
        let sim = build(settings, clock, Arc::new(carrier), tasks);
        let router = router(Arc::clone(&sim));
        for (listener, acceptor) in std::iter::once((listener, None)).chain(doors) {
            let door = server::Door { listener, acceptor };
            tracker.spawn(server::accept(door, router.clone(), tracker.clone(), stop.clone()));
        }
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
    let working = settings.daraja.working;
    let book = settings
        .shortcodes()
        .fold(Book::new(settings.seed, settings.balance), |book, shortcode| {
            book.with_working(shortcode.clone(), working)
        });
    Arc::new(Sim {
        book: Mutex::new(book),
        operator: Mutex::new(Operator::default()),
        exchanges,
        outbox: Arc::new(Outbox::new(settings.delivery.clone(), carrier, tasks, record)),
        chooser: Chooser::new(settings.chaos.clone()),
        stage: scenario::Stage::new(settings.seed),
        daraja: daraja::Desk::new(&settings),
        urls: Mutex::default(),
        texts: Mutex::default(),
        settings,
        clock,
    })
}

/// Every route of the simulator.
fn router(sim: Arc<Sim>) -> Router {
    daraja::routes(Router::new())
        .route(broker::PATH, post(broker::request))
        .route(register::PATH, post(register::request))
        .route(sms::PATH, post(sms::send))
        .route("/sim/c2b", post(customer::control))
        .route("/sim/prompts", get(daraja::control::prompts))
        .route("/sim/prompts/mode", post(daraja::control::mode))
        .route("/sim/prompts/{checkout}", post(daraja::control::answer))
        .route("/sim/faults", get(daraja::control::faults))
        .route("/sim/faults", post(daraja::control::add_fault))
        .route("/sim/faults", delete(daraja::control::clear_faults))
        .route("/sim/scenarios", get(scenario::current))
        .route("/sim/scenarios", post(scenario::play))
        .route("/sim/scenarios", delete(scenario::stop))
        .route("/sim/urls", get(control::urls))
        .route("/sim/sms", get(sms::list))
        .route("/sim/ledger", get(control::ledger))
        .route("/sim/accounts", get(control::accounts))
        .route("/sim/exchanges", get(control::exchanges))
        .route("/healthz", get(control::healthz))
        .with_state(sim)
}

/// A name fit for the log: what has no other goes by its callback's path, and the path holds what
/// the gateway knows M-Pesa by.
fn without_token(name: &str) -> String {
    String::from_utf8_lossy(&without_tokens(name.as_bytes())).into_owned()
}

/// Keeps each delivery among the exchanges.
fn record_results(exchanges: Arc<Mutex<Exchanges>>, clock: Arc<dyn Clock>) -> Box<OnAttempt> {
    Box::new(move |told| {
        tracing::info!(
            originator_conversation_id = without_token(told.about),
            status = told.attempt.status,
            taken = told.attempt.is_taken(),
            "message sent"
        );
        let exchange = Exchange {
            seq: 0,
            at: clock.now(),
            direction: Direction::Out,
            path: told.to.to_string(),
            status: told.attempt.status,
            request: told.body.to_vec(),
            response: told.attempt.answer.clone(),
            originator_conversation_id: Some(told.about.to_owned()),
        };
        lock(&exchanges).push(exchange);
    })
}

/// What was paid, in all and one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// Each payout, in order.
    pub entries: Vec<Entry>,
    /// Their sum.
    pub total_paid: Amount,
    /// What the utility account has left.
    pub balance: Amount,
    /// Each movement of whatever kind, payouts among them, in order.
    pub movements: Vec<Moved>,
    /// What customers paid in all.
    pub total_received: Amount,
    /// How much of that was given back.
    pub total_reversed: Amount,
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
            movements: book.movements(0, usize::MAX),
            total_received: book.total_received(),
            total_reversed: book.total_reversed(),
        }
    }

    /// The movement of whatever kind with this receipt, if there is one.
    pub fn by_receipt(&self, receipt: &str) -> Option<Moved> {
        self.sim.book().by_receipt(receipt)
    }

    /// Lays down a fault for requests to come; see [`daraja::faults`].
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn script_fault(&self, rule: daraja::faults::Rule) -> Result<(), String> {
        self.sim.daraja.faults().add(rule)
    }

    /// Has STK prompts answered by hand from now on, or by themselves.
    pub fn answer_prompts_by_hand(&self, by_hand: bool) {
        self.sim.daraja.prompts().by_hand = by_hand;
    }

    /// Answers an STK prompt that is open; whether it was.
    pub fn answer_prompt(&self, checkout_request_id: &str, answer: daraja::prompts::Said) -> bool {
        daraja::stk::answer(&self.sim, checkout_request_id, answer.code())
    }

    /// The STK prompts that are open: `CheckoutRequestID` and phone.
    pub fn open_prompts(&self) -> Vec<(String, Msisdn)> {
        let prompts = self.sim.daraja.prompts();
        prompts.open().map(|prompt| (prompt.checkout.clone(), prompt.phone)).collect()
    }

    /// Where the end of each prompt that was sent to a phone is told: as often as there were
    /// prompts.
    pub fn prompt_callbacks(&self) -> Vec<String> {
        self.sim.daraja.prompts().callbacks().map(str::to_owned).collect()
    }

    /// Registers addresses for one of the organisation's short codes, as an operator of M-Pesa's
    /// does by hand.
    pub fn register(&self, shortcode: ShortCode, urls: customer::Urls) {
        self.sim.urls().insert(shortcode, urls);
    }

    /// A customer pays; what came of it. It takes as long as validation and confirmation do.
    pub async fn customer_pays(&self, bill: customer::Bill) -> customer::Outcome {
        customer::pays(&self.sim, bill).await
    }

    /// The texts that were sent, in order.
    pub fn texts(&self) -> Vec<sms::Text> {
        self.sim.texts().all()
    }

    /// The movement of money of this OriginatorConversationID, if there was one.
    pub fn paid(&self, originator_conversation_id: &str) -> Option<Entry> {
        self.sim.book().find(originator_conversation_id)
    }

    /// How many payments there were.
    pub fn payments(&self) -> u64 {
        self.sim.book().payments()
    }

    /// Ends the faults that a seed chooses, and the scenario; what was chosen before goes its way.
    pub fn calm(&self) {
        self.sim.chooser.calm();
        self.sim.play(None);
    }

    /// Plays this scenario from now on, from its beginning; `None`: none.
    pub fn play(&self, scenario: Option<scenario::Scenario>) {
        self.sim.play(scenario);
    }

    /// The rules of the scenario that is played, with what each met.
    pub fn scenario_lines(&self) -> Vec<scenario::Line> {
        self.sim.stage.lines()
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

    /// Lays down what becomes of everything about a phone: for callers whose ids nobody knows
    /// beforehand.
    pub fn plan(&self, phone: Msisdn, plan: Plan) {
        self.sim.chooser.plan(phone, plan);
    }

    /// Up to `limit` messages whose `seq` is greater than `after`, as they were on the wire.
    pub fn exchanges(&self, after: u64, limit: usize) -> Vec<Arc<Exchange>> {
        self.sim.exchanges().list(after, limit, None)
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
