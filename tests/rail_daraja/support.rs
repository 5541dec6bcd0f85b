//! A simulator that listens, a rail to it, and things to ask for.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use mlango::clock::SystemClock;
use mlango::credential::{Certificate, Pair, PrivateKey, generate_pair};
use mlango::daraja::request::{Caller, NameKey};
use mlango::daraja::rules::{Limits, Place};
use mlango::daraja::{Api, B2cVersion, oauth};
use mlango::domain::id::{InquiryId, OriginatorConversationId, PaymentId, PayoutId};
use mlango::domain::inquiry::{self, Inquiry, Kind, PaidTo};
use mlango::domain::money::Amount;
use mlango::domain::payment::{self, Origin, Payment};
use mlango::domain::payout::{AskBy, Command, Details, Metadata, Payout, Question, Rail as Way};
use mlango::domain::time::Timestamp;
use mlango::engine::port::{Admission, Call, Counter, Durable, Pending, Rail, Replied, Sent};
use mlango::rail::daraja::{DarajaRail, Prompts, Settings};
use mlango::rail::pace::Pace;
use mlango::rail::transport::{Answer, Deadlines, Origin as Host, Request, Site, Unanswered, Web};
use mlango::sim::daraja::faults::Rule;
use mlango::sim::{self, DarajaSettings, Delivery, Running, Simulator, SmsSettings};
use mlango::store::memory::MemoryStore;
use mlango::store::{Commit, Store};

pub const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);
const INITIATOR_PASSWORD: &str = "Example-Initiator-1";
/// Where M-Pesa would call; nobody is there.
pub const CALLBACKS: &str = "http://127.0.0.1:9/cb/00ff00ff00ff00ff00ff00ff00ff00ff";

static PAIR: LazyLock<Pair> =
    LazyLock::new(|| generate_pair("sim.example.test", 30).expect("a key pair"));
pub static CREDENTIAL: LazyLock<String> = LazyLock::new(|| {
    let certificate =
        Certificate::from_bytes(PAIR.certificate_pem.as_bytes()).expect("a certificate");
    certificate.encrypt(INITIATOR_PASSWORD).expect("a credential")
});

pub fn sim_settings() -> sim::Settings {
    sim::Settings {
        listen: "127.0.0.1:0".parse().expect("an address"),
        sp_id: "100001".to_owned(),
        sp_password: "Example-Secret-1".to_owned(),
        service_id: "100001000".to_owned(),
        initiator: "apiop".to_owned(),
        initiator_password: INITIATOR_PASSWORD.to_owned(),
        shortcode: "600999".parse().expect("a short code"),
        credential_key: PrivateKey::from_pem(PAIR.key_pem.as_bytes()).expect("a key"),
        balance: Amount::from_shillings(100_000),
        seed: 7,
        delivery: Delivery::default(),
        hold: Duration::from_secs(60),
        chaos: None,
        daraja: DarajaSettings::default(),
        sms: SmsSettings::default(),
    }
}

pub fn settings() -> Settings {
    let simulated = DarajaSettings::default();
    Settings {
        consumer_key: simulated.consumer_key,
        consumer_secret: simulated.consumer_secret.into(),
        payer: Caller {
            shortcode: "600999".to_owned(),
            initiator: "apiop".to_owned(),
            security_credential: CREDENTIAL.clone(),
        },
        prompts: Prompts {
            shortcode: "174379".to_owned(),
            passkey: simulated.passkey.into(),
            to: PaidTo::PayBill,
            receiver: "174379".to_owned(),
        },
        callbacks: CALLBACKS.to_owned(),
        b2c: B2cVersion::V3,
        name_key: NameKey::default(),
        amounts: Limits::default(),
        place: Place::Sandbox,
        max_in_flight: 64,
        max_per_second: 1_000,
        stk_query_every: Duration::from_millis(1),
    }
}

/// A connection to a place, and what went over it.
#[derive(Debug)]
pub struct Watched<W> {
    web: W,
    paths: Mutex<Vec<String>>,
}

impl<W: Web> Watched<W> {
    pub fn new(web: W) -> Arc<Self> {
        Arc::new(Self { web, paths: Mutex::default() })
    }

    /// How often something went there.
    pub fn times(&self, path: &str) -> usize {
        self.paths.lock().expect("a lock").iter().filter(|it| *it == path).count()
    }
}

impl<W: Web> Web for Watched<W> {
    fn send<'a>(
        &'a self,
        request: Request,
        pace: &'a Pace,
    ) -> Pending<'a, Result<Answer, Unanswered>> {
        self.paths.lock().expect("a lock").push(request.path.clone());
        self.web.send(request, pace)
    }

    fn longest(&self) -> Duration {
        self.web.longest()
    }
}

pub fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Long enough for any machine.
pub fn patient() -> Deadlines {
    Deadlines { connect: secs(20), send: secs(20), answer: secs(20) }
}

/// A simulator, and a rail to it.
pub struct House {
    pub sim: Running,
    pub web: Arc<Watched<Site>>,
    pub rail: DarajaRail,
}

impl House {
    pub async fn new() -> Self {
        Self::with(sim_settings(), settings(), patient()).await
    }

    pub async fn with(sim: sim::Settings, settings: Settings, deadlines: Deadlines) -> Self {
        let sim = Simulator::start(sim, Arc::new(SystemClock)).await.expect("a simulator");
        let host = sim.addr.ip().to_string();
        let origin = Host::plain(host, sim.addr.port());
        let web = Watched::new(Site { origin, deadlines });
        let rail = DarajaRail::new(Arc::<Watched<Site>>::clone(&web), settings);
        Self { sim, web, rail }
    }

    /// This happens to requests of `api` from now on, so often.
    pub fn fault(&self, api: &str, fault: &str, times: u32) {
        let rule = serde_json::json!({"api": api, "fault": fault, "times": times});
        let rule: Rule = serde_json::from_value(rule).expect("a rule");
        self.sim.script_fault(rule).expect("it is taken");
    }

    pub async fn pay(&self, payout: &Payout) -> Sent {
        pay(&self.rail, payout).await
    }

    pub async fn ask(&self, payout: &Payout, nth: u32) -> Sent {
        let question = Question { nth, at: NOW, by: AskBy::Name };
        let request = self.rail.prepare_question(payout, question, NOW).expect("it is built");
        self.rail.send(request, Admission::free(), proof().await).await
    }

    pub async fn call(&self, call: Call<'_>) -> Replied {
        call_over(&self.rail, call).await
    }

    /// How often a token was fetched.
    pub fn tokens(&self) -> usize {
        self.web.times(oauth::PATH)
    }

    /// How often something was asked of an interface.
    pub fn asked(&self, api: Api) -> usize {
        self.web.times(api.path())
    }
}

pub async fn pay(rail: &DarajaRail, payout: &Payout) -> Sent {
    let request = Rail::prepare(rail, payout, NOW).expect("it is built");
    rail.send(request, Admission::free(), proof().await).await
}

pub async fn call_over(rail: &DarajaRail, call: Call<'_>) -> Replied {
    let call = Counter::prepare(rail, call, Timestamp::from_millis(1_704_164_645_000));
    let call = call.expect("it is built");
    let place = Counter::admit(rail, call.api).await;
    rail.call(call, place, Some(proof().await)).await
}

pub async fn proof() -> Durable {
    MemoryStore::new().commit(Commit::default()).await.expect("durable")
}

pub fn payout(number: u8) -> Payout {
    let id = PayoutId::from_bytes([number; 16]);
    Payout::queued(Details {
        id,
        app: mlango::domain::id::AppId::from_bytes([7; 16]),
        amount: Amount::from_shillings(1_500),
        phone: format!("2547220001{number:02}").parse().expect("a phone"),
        command: Command::BusinessPayment,
        reference: "INV-2041".to_owned(),
        remarks: "March commission".to_owned(),
        occasion: String::new(),
        metadata: Metadata::default(),
        rail: Way::Daraja,
        batch: None,
        originator_conversation_id: OriginatorConversationId::of(id, "600999", "ExampleOrg"),
        created_at: NOW,
    })
}

pub fn payment(number: u8) -> Payment {
    Payment::waiting(payment::Details {
        id: PaymentId::from_bytes([number; 16]),
        app: None,
        origin: Origin::Stk {
            phone: format!("2547220001{number:02}").parse().expect("a phone"),
            description: "Subscription".to_owned(),
        },
        amount: Amount::from_shillings(10),
        shortcode: "174379".to_owned(),
        reference: "ORDER001".to_owned(),
        account: "ORDER001".to_owned(),
        created_at: NOW,
    })
}

pub fn inquiry(kind: Kind, shortcode: &str) -> Inquiry {
    Inquiry::queued(inquiry::Details {
        id: InquiryId::from_bytes([3; 16]),
        app: None,
        kind,
        rail: Way::Daraja,
        shortcode: shortcode.parse().expect("a short code"),
        created_at: NOW,
    })
}
