//! An engine with everything that money in needs, and the questions that these tests ask.

use std::sync::Arc;
use std::time::Duration;

use mlango::clock::Clock;
use mlango::domain::account::Balance;
use mlango::domain::id::{InquiryId, PaymentId, Receipt};
use mlango::domain::inquiry::{self, Inquiry};
use mlango::domain::money::Amount;
use mlango::domain::party::PersonName;
use mlango::domain::payment::{
    C2bNotice, NoticeKind, Payer, PayerPhone, Payment, Source, Status, StkFacts,
};
use mlango::domain::payout::{CaseKind, Rail as Way};
use mlango::domain::subject::Subject;
use mlango::domain::text::{Occasion, Text};
use mlango::domain::time::Timestamp;
use mlango::engine::port::Rails;
use mlango::engine::{
    Engine, Hearing, Incoming, InquiryDraft, NotKept, Parts, PushDraft, PushError, Settings,
    StkHeard, TillSettings,
};
use mlango::store::{Case, CaseQuery, Channel, PaymentQuery, Store, TextQuery};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::support::counter::{ScriptedCounter, ScriptedNotifier, ScriptedValidator, checkout};
use crate::support::house::{APP, House, PLACES};
use crate::support::rail::ScriptedRail;
use crate::support::store::TroubledStore;
use crate::support::{BEGIN, CountedIds, TokioClock, millis};

/// The payer of prompts.
pub const PHONE: &str = "254700000001";
/// The receipt of most payments.
pub const RECEIPT: &str = "UJ34AA00ZZ";
/// What most payments are for.
pub const ACCOUNT: &str = "ORDER001";
/// How long a test waits, in tokio's time, for something that is to happen.
const PATIENCE_S: u64 = 7_200;

/// An engine with everything it needs.
pub struct Till {
    pub engine: Arc<Engine>,
    pub store: Arc<TroubledStore>,
    pub counter: Arc<ScriptedCounter>,
    pub notifier: Arc<ScriptedNotifier>,
    pub validator: Arc<ScriptedValidator>,
    pub clock: Arc<TokioClock>,
    pub tasks: TaskTracker,
    pub stop: CancellationToken,
}

impl Till {
    /// A new one, at rest.
    pub fn new() -> Self {
        Self::with(TillSettings { templates: templates(), ..TillSettings::default() })
    }

    /// A new one, at rest, that is told something else.
    pub fn with(till: TillSettings) -> Self {
        let store = TroubledStore::new();
        let counter = Arc::new(ScriptedCounter::new(Arc::clone(&store)));
        Self::over((store, Arc::default(), BEGIN), counter, till)
    }

    /// One over a store that may hold something, at rest.
    pub fn over(
        (store, ids, now): (Arc<TroubledStore>, Arc<CountedIds>, Timestamp),
        counter: Arc<ScriptedCounter>,
        till: TillSettings,
    ) -> Self {
        let clock = Arc::new(TokioClock::at(now));
        let notifier = Arc::new(ScriptedNotifier::new(Arc::clone(&store)));
        let validator = Arc::<ScriptedValidator>::default();
        let rail = Arc::new(ScriptedRail::new(Arc::clone(&store), PLACES));
        let parts = Parts {
            store: Arc::<TroubledStore>::clone(&store),
            rails: Rails::only(Way::Daraja, rail),
            counter: Some(Arc::<ScriptedCounter>::clone(&counter)),
            notifier: Some(Arc::<ScriptedNotifier>::clone(&notifier)),
            validators: Some(Arc::<ScriptedValidator>::clone(&validator)),
            clock: Arc::<TokioClock>::clone(&clock),
            ids: Arc::<CountedIds>::clone(&ids),
        };
        let settings = Settings { rail: Way::Daraja, till, ..House::settings() };
        Self {
            engine: Engine::new(parts, settings),
            store,
            counter,
            notifier,
            validator,
            clock,
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    /// A new one whose engine sends.
    pub async fn open() -> Self {
        let till = Self::new();
        till.start().await;
        till
    }

    /// The engine begins to send.
    pub async fn start(&self) {
        let started = self.engine.start(&self.tasks, &self.stop).await;
        started.expect("the store can be read");
    }

    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    // ------------------------------------------------------------------------------- of prompts

    /// Takes a prompt for 1,500 shillings.
    pub async fn push(&self) -> PaymentId {
        let pushed = self.push_to(PHONE, ACCOUNT).await;
        pushed.expect("it is taken")
    }

    /// Takes a prompt to some phone, for some account, under a key of its own.
    pub async fn push_to(&self, phone: &str, account: &str) -> Result<PaymentId, PushError> {
        let key = format!("push-{}", self.payments().await.len());
        let draft = push_draft(phone, account);
        let pushed = self.engine.push(APP, &key, [1; 32], draft).await?;
        Ok(pushed.payment.details.id)
    }

    /// The payment as it stands.
    pub async fn payment(&self, id: PaymentId) -> Payment {
        let kept = self.store.payment(id).await.expect("memory is readable");
        kept.expect("it is there").value
    }

    /// Where it stands.
    pub async fn status(&self, id: PaymentId) -> Status {
        self.payment(id).await.status()
    }

    /// Every payment that counts or may come to count, oldest first.
    pub async fn payments(&self) -> Vec<Payment> {
        let page = self.store.payments(&PaymentQuery::all(500)).await;
        let rows = page.expect("memory is readable").rows;
        rows.into_iter().map(|kept| kept.value).collect()
    }

    /// Every payment that is paid.
    pub async fn paid(&self) -> Vec<Payment> {
        let mut payments = self.payments().await;
        payments.retain(|payment| payment.status() == Status::Succeeded);
        payments
    }

    /// Waits until a payment stands as it is looked for.
    pub async fn until(&self, id: PaymentId, is_so: impl Fn(&Payment) -> bool) -> Payment {
        for _ in 0..PATIENCE_S * 10 {
            let payment = self.payment(id).await;
            if is_so(&payment) {
                return payment;
            }
            tokio::time::sleep(millis(100)).await;
        }
        panic!("{id} stands otherwise: {:?}", self.payment(id).await);
    }

    /// Waits until its prompt is on the phone.
    pub async fn until_prompted(&self, id: PaymentId) {
        self.until(id, |payment| payment.state.prompt().is_some()).await;
    }

    /// Waits until it stands there.
    pub async fn until_status(&self, id: PaymentId, status: Status) -> Payment {
        self.until(id, |payment| payment.status() == status).await
    }

    /// M-Pesa's callback about a prompt: found by the end of its path and by its id.
    pub async fn calls_back(&self, id: PaymentId, facts: StkFacts) -> Hearing {
        self.try_callback(id, facts).await.expect("it is kept")
    }

    /// The same, when the store may be in trouble.
    pub async fn try_callback(&self, id: PaymentId, facts: StkFacts) -> Result<Hearing, NotKept> {
        let heard = StkHeard::Facts { payment: Some(id), facts };
        self.engine.hear_stk(incoming(Channel::StkCallback), heard).await
    }

    // ----------------------------------------------------------------------------------- of C2B

    /// M-Pesa's confirmation of a C2B payment.
    pub async fn confirms(&self, notice: C2bNotice) -> Hearing {
        self.try_confirmation(notice).await.expect("it is kept")
    }

    /// The same, when the store may be in trouble.
    pub async fn try_confirmation(&self, notice: C2bNotice) -> Result<Hearing, NotKept> {
        let incoming = incoming(Channel::C2bConfirmation);
        self.engine.hear_c2b(incoming, Ok(notice), Source::Confirmation).await
    }

    // ----------------------------------------------------------------------------- of inquiries

    /// Takes an inquiry.
    pub async fn inquire(&self, kind: inquiry::Kind) -> InquiryId {
        let shortcode = "600999".parse().expect("a short code");
        let draft = InquiryDraft { kind, rail: Way::Daraja, shortcode };
        let taken = self.engine.take_inquiry(Some(APP), None, draft).await;
        taken.expect("it is taken").inquiry.details.id
    }

    /// The inquiry as it stands.
    pub async fn inquiry(&self, id: InquiryId) -> Inquiry {
        let kept = self.store.inquiry(id).await.expect("memory is readable");
        kept.expect("it is there").value
    }

    /// Waits until an inquiry stands there.
    pub async fn until_inquiry(&self, id: InquiryId, status: inquiry::Status) -> Inquiry {
        for _ in 0..PATIENCE_S * 10 {
            let inquiry = self.inquiry(id).await;
            if inquiry.status() == status {
                return inquiry;
            }
            tokio::time::sleep(millis(100)).await;
        }
        panic!("{id} was to be {status}: {:?}", self.inquiry(id).await);
    }

    /// M-Pesa's result of an inquiry, found by the end of its path.
    pub async fn told(&self, id: InquiryId, facts: inquiry::ResultFacts) -> Hearing {
        let heard = self.engine.hear_inquiry(incoming(Channel::InquiryResult), id, None, facts);
        heard.await.expect("it is kept")
    }

    // --------------------------------------------------------------------------------- of texts

    /// Every text message, oldest first.
    pub async fn texts(&self) -> Vec<Text> {
        let page = self.store.texts(&TextQuery::all(500)).await.expect("memory is readable");
        page.rows.into_iter().map(|kept| kept.value).collect()
    }

    /// Lets what was begun come to its end, and this much time pass.
    pub async fn waits(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    // --------------------------------------------------------------------------------- looking

    /// Every case, by its kind.
    pub async fn cases(&self) -> Vec<CaseKind> {
        self.all_cases().await.iter().map(|case| case.kind).collect()
    }

    pub async fn all_cases(&self) -> Vec<Case> {
        self.store.cases(&CaseQuery::all(500)).await.expect("memory is readable").rows
    }

    /// The types of the events about something, without their common beginning.
    pub async fn history(&self, about: impl Into<Subject>) -> Vec<String> {
        let events = self.store.events_of(about.into()).await.expect("memory is readable");
        let kinds = events.iter().map(|it| {
            let (_kind, word) = it.event.kind.split_once('.').expect("two words");
            word.to_owned()
        });
        kinds.collect()
    }

    /// Nothing that must never happen has happened.
    pub async fn is_in_order(&self) {
        assert_eq!(self.counter.wrongs(), Vec::<String>::new());
        assert_eq!(self.notifier.wrongs(), Vec::<String>::new());
        let verified = self.store.verify().await.expect("it can be read");
        assert_eq!(verified.faults, Vec::<String>::new());
        let cases = self.all_cases().await;
        let broken = cases.iter().find(|it| it.kind == CaseKind::LawBroken);
        assert_eq!(broken, None, "no step may even try to break a law");
    }
}

/// What payers are told in these tests.
pub fn templates() -> std::collections::BTreeMap<Occasion, mlango::domain::text::Template> {
    let template = |text: &str| text.parse().expect("a template");
    std::collections::BTreeMap::from([
        (Occasion::PaymentReceived, template("Hello {first_name}, {amount} for {account}.")),
        (Occasion::PaymentFailed, template("Not paid: {account}.")),
    ])
}

/// A prompt for 1,500 shillings.
pub fn push_draft(phone: &str, account: &str) -> PushDraft {
    PushDraft {
        amount: Amount::from_shillings(1_500),
        phone: phone.parse().expect("a phone"),
        reference: account.to_owned(),
        description: String::new(),
    }
}

/// A message's bytes.
pub fn incoming(channel: Channel) -> Incoming {
    Incoming {
        channel,
        peer: Some("192.0.2.1".to_owned()),
        certificate: None,
        body: b"as it came".to_vec(),
    }
}

/// The callback that says that the payment is paid.
pub fn paid(id: PaymentId, receipt: &str) -> StkFacts {
    StkFacts {
        receipt: Receipt::new(receipt),
        amount: Some(Amount::from_shillings(1_500)),
        ..called_back(id, "0")
    }
}

/// The callback with this code, and nothing else.
pub fn called_back(id: PaymentId, code: &str) -> StkFacts {
    StkFacts {
        code: code.to_owned(),
        description: format!("says {code}"),
        merchant: None,
        checkout: Some(checkout(id)),
        receipt: None,
        amount: None,
        paid_at: None,
        balance: None,
        odd: None,
    }
}

/// The confirmation of 1,500 shillings, at this time, from a payer whose phone is masked.
pub fn notice(receipt: &str, at: Timestamp) -> C2bNotice {
    C2bNotice {
        kind: NoticeKind::PayBill,
        receipt: Receipt::new(receipt).expect("a receipt"),
        time: Some(at),
        amount: Amount::from_shillings(1_500),
        shortcode: "174379".to_owned(),
        account: ACCOUNT.to_owned(),
        invoice: None,
        balance: Some(Balance::from_cents(500_000)),
        third_party_id: None,
        payer: Payer {
            phone: PayerPhone::read("2547*****001"),
            first_name: PersonName::new("AMINA"),
            ..Payer::default()
        },
        odd: None,
    }
}

/// The same, from a payer whose whole phone is shown.
pub fn notice_from(phone: &str, receipt: &str, at: Timestamp) -> C2bNotice {
    let mut notice = notice(receipt, at);
    notice.payer.phone = PayerPhone::read(phone);
    notice
}
