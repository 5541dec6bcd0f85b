//! An engine with everything it needs, and the questions that tests ask.

use std::sync::Arc;
use std::time::Duration;

use mlango::clock::Clock;
use mlango::domain::id::{AppId, OriginatorConversationId, PayoutId, Receipt};
use mlango::domain::limit::AmountLimits;
use mlango::domain::money::Amount;
use mlango::domain::party::ShortCode;
use mlango::domain::payout::{
    CaseKind, Command, Details, Event, InquiryFacts, Metadata, Payout, Policy, Rail as Way,
    ResultFacts, Status, TransactionStatus,
};
use mlango::domain::time::Timestamp;
use mlango::engine::port::Rails;
use mlango::engine::{
    Draft, Engine, Heard, Hearing, Incoming, NotKept, Parts, RailState, RailView, Settings,
    SubmitError, Submitted,
};
use mlango::store::{Case, CaseQuery, Channel, FeedEvent, Store, StoreError};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::rail::{ScriptedRail, conversation};
use super::store::TroubledStore;
use super::{BEGIN, CountedIds, TokioClock, millis};

/// Who submits.
pub const APP: AppId = AppId::from_bytes([7; 16]);
/// The most sends at once in most tests.
pub const PLACES: usize = 8;
/// How long a test waits, in tokio's time, for something that is to happen.
const PATIENCE_S: u64 = 3_600;

/// An engine with everything it needs.
pub struct House {
    pub engine: Arc<Engine>,
    pub store: Arc<TroubledStore>,
    pub rail: Arc<ScriptedRail>,
    pub clock: Arc<TokioClock>,
    pub ids: Arc<CountedIds>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

impl House {
    /// A new house, at rest.
    pub fn new() -> Self {
        Self::over(TroubledStore::new(), Arc::default(), BEGIN)
    }

    /// A house over a store that may hold something, at `now`, at rest.
    pub fn over(store: Arc<TroubledStore>, ids: Arc<CountedIds>, now: Timestamp) -> Self {
        let rail = ScriptedRail::new(Arc::clone(&store), PLACES);
        Self::with_rail(store, ids, now, Arc::new(rail))
    }

    /// The same, with a rail that may have sent something before.
    pub fn with_rail(
        store: Arc<TroubledStore>,
        ids: Arc<CountedIds>,
        now: Timestamp,
        rail: Arc<ScriptedRail>,
    ) -> Self {
        Self::with_settings(store, ids, now, rail, Self::settings())
    }

    /// What the engine is told in most tests.
    pub fn settings() -> Settings {
        Settings {
            organisation: "ExampleOrg".to_owned(),
            shortcode: "600999".parse::<ShortCode>().expect("a short code"),
            rail: Way::Soap,
            policy: Policy::default(),
            till: Default::default(),
            first_result_wait: Duration::ZERO,
            limits: AmountLimits::default(),
        }
    }

    /// The same, with an engine that is told something else.
    pub fn with_settings(
        store: Arc<TroubledStore>,
        ids: Arc<CountedIds>,
        now: Timestamp,
        rail: Arc<ScriptedRail>,
        settings: Settings,
    ) -> Self {
        let clock = Arc::new(TokioClock::at(now));
        let parts = Parts {
            counter: None,
            notifier: None,
            validators: None,
            store: Arc::<TroubledStore>::clone(&store),
            rails: Rails::only(Way::Soap, Arc::<ScriptedRail>::clone(&rail))
                .with(Way::Daraja, Arc::<ScriptedRail>::clone(&rail)),
            clock: Arc::<TokioClock>::clone(&clock),
            ids: Arc::<CountedIds>::clone(&ids),
        };
        Self {
            engine: Engine::new(parts, settings),
            store,
            rail,
            clock,
            ids,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// A new house whose engine sends.
    pub async fn open() -> Self {
        let house = Self::new();
        house.start().await;
        house
    }

    /// Whether its rail sends.
    pub fn rail_state(&self) -> RailState {
        let states = self.engine.rail_states();
        states.into_iter().next().expect("a rail").1
    }

    /// Its rail, as people see it.
    pub async fn rail_view(&self) -> Result<RailView, StoreError> {
        self.engine.rail_view(Way::Soap).await.map(|view| view.expect("a rail"))
    }

    /// The engine begins to send.
    pub async fn start(&self) {
        let started = self.engine.start(&self.tasks, &self.stop).await;
        started.expect("the store can be read");
    }

    /// Stops sending, and waits until what is under way is written down.
    pub async fn drain(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// Takes a payout to `phone`, with a key of its own.
    pub async fn submit(&self, phone: &str) -> PayoutId {
        let key = format!("key-{}", self.store.counts_all());
        let submitted = self.submit_as(&key, [1; 32], phone).await;
        submitted.expect("it is taken").payout.details.id
    }

    /// Takes a payout under a given key.
    pub async fn submit_as(
        &self,
        key: &str,
        fingerprint: [u8; 32],
        phone: &str,
    ) -> Result<Submitted, SubmitError> {
        self.engine.submit(APP, key, fingerprint, draft(phone)).await
    }

    /// The payout as it stands.
    pub async fn payout(&self, id: PayoutId) -> Payout {
        self.store.truly(id).await.expect("it is there")
    }

    /// Where it stands.
    pub async fn status(&self, id: PayoutId) -> Status {
        self.payout(id).await.status()
    }

    /// Waits until it stands there.
    pub async fn until(&self, id: PayoutId, status: Status) {
        for _ in 0..PATIENCE_S * 10 {
            if self.status(id).await == status {
                return;
            }
            tokio::time::sleep(millis(100)).await;
        }
        let stands = self.status(id).await;
        panic!("{id} was to be {status}, and is {stands}");
    }

    /// Waits until so many sends are under way.
    pub async fn until_at_once(&self, sends: usize) {
        while self.rail.at_once() < sends {
            tokio::time::sleep(millis(1)).await;
        }
    }

    /// Waits until M-Pesa was asked so many questions, about whatever payouts.
    pub async fn until_asked(&self, questions: usize) {
        for _ in 0..PATIENCE_S * 10 {
            if self.rail.questions().len() >= questions {
                // Its answer is written down, too.
                return tokio::time::sleep(millis(10)).await;
            }
            tokio::time::sleep(millis(100)).await;
        }
        panic!("{questions} questions were to be put: {:?}", self.rail.questions());
    }

    /// The next life of the program, over the same store.
    pub async fn restarted(self) -> Self {
        self.drain().await;
        let now = self.now();
        let again = Self::over(self.store, self.ids, now);
        again.start().await;
        again
    }

    /// M-Pesa's result of a question about a payout.
    pub async fn told(
        &self,
        id: PayoutId,
        nth: u32,
        code: &str,
        status: Option<InquiryFacts>,
    ) -> Hearing {
        let name = self.payout(id).await.details.originator_conversation_id;
        self.told_under(name.of_question(nth).as_str(), result(code), status).await
    }

    /// M-Pesa's result under some name.
    pub async fn told_under(
        &self,
        name: &str,
        facts: ResultFacts,
        status: Option<InquiryFacts>,
    ) -> Hearing {
        let heard =
            Heard::Result { originator: Some(name.to_owned()), conversation: None, facts, status };
        self.engine.hear(incoming(), heard).await.expect("it is kept")
    }

    /// What M-Pesa calls the payout's request.
    pub async fn name(&self, id: PayoutId) -> String {
        let name = self.payout(id).await.details.originator_conversation_id;
        name.as_str().to_owned()
    }

    /// Its events, oldest first.
    pub async fn events(&self, id: PayoutId) -> Vec<FeedEvent> {
        self.store.events_of(id.into()).await.expect("events")
    }

    /// The types of its events, without their common beginning.
    pub async fn history(&self, id: PayoutId) -> Vec<String> {
        let events = self.events(id).await;
        let kinds = events.iter().map(|it| {
            let kind = it.event.kind.strip_prefix("payout.");
            kind.unwrap_or(&it.event.kind).to_owned()
        });
        kinds.collect()
    }

    /// Every case.
    pub async fn cases(&self) -> Vec<Case> {
        self.store.cases(&CaseQuery::all(500)).await.expect("cases").rows
    }

    /// M-Pesa says something about a payout.
    pub async fn hear(&self, id: PayoutId, event: Event) -> Result<Hearing, NotKept> {
        let name = self.name(id).await;
        let heard = Heard::Event {
            originator: Some(name.clone()),
            conversation: Some(conversation(&name).as_str().to_owned()),
            event,
        };
        self.engine.hear(incoming(), heard).await
    }

    /// M-Pesa's result about a payout.
    pub async fn result(&self, id: PayoutId, facts: ResultFacts) -> Hearing {
        let heard = self.hear(id, Event::ResultArrived(facts)).await;
        heard.expect("it is kept")
    }

    /// Nothing that must never happen has happened.
    pub async fn is_in_order(&self) {
        assert_eq!(self.rail.wrongs(), Vec::<String>::new());
        let verified = self.store.verify().await.expect("it can be read");
        assert_eq!(verified.faults, Vec::<String>::new());
        let cases = self.cases().await;
        let broken = cases.iter().find(|it| it.kind == CaseKind::LawBroken);
        assert_eq!(broken, None, "no step may even try to break a law");
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl TroubledStore {
    /// How many payouts there are.
    pub fn counts_all(&self) -> u64 {
        let counts = self.counts();
        Status::ALL.iter().map(|status| counts.of(*status)).sum()
    }
}

/// A payout of 1,500 shillings to `phone`.
pub fn draft(phone: &str) -> Draft {
    Draft {
        amount: Amount::from_shillings(1_500),
        phone: phone.parse().expect("a phone"),
        command: Command::BusinessPayment,
        reference: "INV-1".to_owned(),
        remarks: "test".to_owned(),
        occasion: String::new(),
        metadata: Metadata::new(),
        rail: Way::Soap,
    }
}

/// A result's bytes.
pub fn incoming() -> Incoming {
    Incoming {
        channel: Channel::Result,
        peer: Some("192.0.2.1".to_owned()),
        certificate: None,
        body: b"as it came".to_vec(),
    }
}

/// A result with a code and nothing else.
pub fn result(code: &str) -> ResultFacts {
    ResultFacts {
        code: code.to_owned(),
        description: format!("result {code}"),
        waiting: false,
        conversation: None,
        receipt: None,
        amount: None,
        payee: None,
        recipient_name: None,
        charge: None,
        completed_at: None,
        odd: None,
    }
}

/// M-Pesa says paid.
pub fn paid(receipt: &str) -> ResultFacts {
    ResultFacts {
        receipt: Receipt::new(receipt),
        amount: Some(Amount::from_shillings(1_500)),
        ..result("0")
    }
}

/// Where a payment stands, as M-Pesa says when it is asked, with its receipt.
pub fn stands(status: TransactionStatus, receipt: &str) -> InquiryFacts {
    InquiryFacts {
        status,
        receipt: Receipt::new(receipt),
        amount: Some(Amount::from_shillings(1_500)),
        payee: None,
        recipient_name: None,
        originator: None,
        conversation: None,
        completed_at: None,
        odd: None,
    }
}

/// A phone that ends in `number`.
pub fn phone(number: usize) -> String {
    format!("2547{number:08}")
}

/// A payout that waits, made without an engine.
pub fn payout(number: u8) -> Payout {
    let id = PayoutId::from_bytes([number; 16]);
    let draft = draft(&phone(number.into()));
    Payout::queued(Details {
        id,
        app: APP,
        amount: draft.amount,
        phone: draft.phone,
        command: draft.command,
        reference: draft.reference,
        remarks: draft.remarks,
        occasion: draft.occasion,
        metadata: draft.metadata,
        rail: draft.rail,
        batch: None,
        originator_conversation_id: OriginatorConversationId::of(id, "600999", "ExampleOrg"),
        created_at: BEGIN,
    })
}
