//! What outlives the program: M-Pesa, the network, the disk, the caller, and time.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt;
use mlango::clock::Clock;
use mlango::credential::{Certificate, Pair, PrivateKey, generate_pair};
use mlango::daraja::B2cVersion;
use mlango::domain::id::{AppId, PayoutId};
use mlango::domain::money::Amount;
use mlango::domain::payout::Policy;
use mlango::domain::time::Timestamp;
use mlango::engine::audit::PROGRAM;
use mlango::engine::port::Ids;
use mlango::http::apps::Desk;
use mlango::http::server::Peer;
use mlango::sim::chaos::Chaos;
use mlango::sim::{self, Delivery, Offline, Simulator};
use mlango::store::Scope;
use mlango::store::memory::MemoryStore;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use crate::dice::Dice;
use crate::life::Life;
use crate::net::{Net, SimCarrier, Weather};
use crate::till::{Income, Till};

pub const ORGANISATION: &str = "ExampleOrg";
pub const SHORTCODE: &str = "600999";
pub const PROVIDER: &str = "100001";
pub const INITIATOR: &str = "apiop";
pub const TOKEN: &str = "00ff00ff00ff00ff00ff00ff00ff00ff";
const PASSWORD: &str = "Example-Password-1";
const BEGIN: Timestamp = Timestamp::from_millis(1_704_164_645_000);

static PAIR: LazyLock<Pair> =
    LazyLock::new(|| generate_pair("example.test", 30).expect("a pair of keys"));
static CREDENTIAL: LazyLock<String> = LazyLock::new(|| {
    let certificate = Certificate::from_bytes(PAIR.certificate_pem.as_bytes());
    certificate.expect("a certificate").encrypt(PASSWORD).expect("a credential")
});

/// A payout as its submitter knows it.
#[derive(Clone, Debug)]
pub struct Order {
    pub phone: String,
    pub shillings: u64,
    pub id: PayoutId,
    /// The submitter had it stopped, and was told that it is.
    pub cancelled: bool,
}

/// Everything but the program.
pub struct World {
    pub seed: u64,
    pub net: Arc<Net>,
    pub store: Arc<MemoryStore>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub mpesa: Offline,
    pub policy: Policy,
    /// Which way payouts go.
    by: By,
    /// Which of Daraja's B2C interfaces they go by.
    pub b2c: B2cVersion,
    /// The applications, and their keys.
    pub apps: Vec<AppId>,
    keys: Vec<String>,
    dice: Mutex<Dice>,
    /// Money in.
    pub till: Till,
    /// By idempotency key.
    pub orders: Mutex<BTreeMap<String, Order>>,
}

/// What a world is made with.
#[derive(Clone, Debug)]
pub struct Make {
    pub seed: u64,
    pub weather: Weather,
    pub chaos: Option<Chaos>,
    pub policy: Policy,
    pub by: By,
    pub b2c: B2cVersion,
    pub income: Income,
}

/// Which way payouts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Soap,
    Daraja,
    /// Some this way, some the other.
    Both,
}

/// Waits short enough for many lives, and long enough for what arrives late: a request may be held
/// for two minutes, and travel for forty seconds before that.
pub fn policy() -> Policy {
    Policy {
        result_overdue: Duration::from_secs(30),
        inquiry_intervals: [5, 20, 60, 120, 240].map(Duration::from_secs).to_vec(),
        arrival_window: Duration::from_secs(200),
        cached_window: Duration::from_secs(200),
        ..Policy::default()
    }
}

/// Every fault of the simulator's own, often, within the times of [`policy`].
pub const fn chaos(seed: u64) -> Chaos {
    Chaos {
        cached: Duration::from_secs(120),
        answer_late: Duration::from_secs(15),
        result_spread: Duration::from_secs(20),
        result_late: Duration::from_secs(600),
        ..Chaos::wild(seed)
    }
}

impl World {
    pub async fn make(make: Make) -> Self {
        let Make { seed, weather, chaos, policy, by, b2c, income } = make;
        let clock: Arc<dyn Clock> = Arc::new(TokioClock(Instant::now()));
        let net = Arc::new(Net::new(Dice::new(seed, "the network"), weather));
        let settings = sim::Settings {
            listen: "127.0.0.1:0".parse().expect("an address"),
            sp_id: PROVIDER.to_owned(),
            sp_password: "Example-Secret-1".to_owned(),
            service_id: "100001000".to_owned(),
            initiator: INITIATOR.to_owned(),
            initiator_password: PASSWORD.to_owned(),
            shortcode: SHORTCODE.parse().expect("a short code"),
            credential_key: PrivateKey::from_pem(PAIR.key_pem.as_bytes()).expect("a key"),
            balance: Amount::from_shillings(1_000_000_000),
            seed,
            delivery: Delivery { retry_pause: Duration::from_secs(7), ..Delivery::default() },
            hold: Duration::from_secs(60),
            chaos,
            daraja: sim::DarajaSettings::default(),
            sms: sim::SmsSettings::default(),
        };
        let carrier = Arc::new(SimCarrier(Arc::clone(&net)));
        let mpesa = Simulator::offline(settings, Arc::clone(&clock), carrier);
        net.reach_broker_at(mpesa.router.clone());
        let store = Arc::new(MemoryStore::new());
        let ids: Arc<dyn Ids> = Arc::new(CountedIds::default());
        let mut desk = Desk {
            store: store.as_ref(),
            clock: &*clock,
            ids: ids.as_ref(),
            random: sevens,
            actor: &PROGRAM,
        };
        let scopes = [Scope::PayoutsWrite, Scope::PaymentsWrite, Scope::ReadAll, Scope::Admin];
        let finance = desk.create("finance", &scopes).await.expect("an application");
        desk.random = eights;
        let shop = desk.create("shop", &scopes).await.expect("an application");
        let (apps, keys) =
            [finance, shop].into_iter().map(|(app, key)| (app.id, key.reveal().to_owned())).unzip();
        let till = Till::open(income, seed, &mpesa);
        let dice = Mutex::new(Dice::new(seed, "the lives"));
        let orders = Mutex::default();
        Self {
            seed,
            net,
            store,
            clock,
            ids,
            mpesa,
            policy,
            by,
            b2c,
            apps,
            keys,
            dice,
            till,
            orders,
        }
    }

    /// The initiator's password as it is sent, made once.
    pub fn credential() -> &'static str {
        &CREDENTIAL
    }

    /// Numbers for one life.
    pub fn dice(&self) -> Dice {
        let seed = self.dice.lock().expect("dice").next();
        Dice::new(seed, "one life")
    }

    /// Submits a payout as a careful finance system does: the same key until it is answered.
    /// Answers whether it was.
    pub async fn submit(&self, life: &Life, key: &str, phone: &str, shillings: u64) -> bool {
        let rail = match self.by {
            By::Soap => "soap",
            By::Daraja => "daraja",
            By::Both => ["soap", "daraja"][usize::from(shillings.is_multiple_of(2))],
        };
        let body = format!(
            "{{\"amount\":\"{shillings}.00\",\"phone\":\"{phone}\",\"reference\":\"{key}\",\
             \"rail\":\"{rail}\"}}"
        );
        let path = "/v1/payouts";
        let Some((status, answer)) = self.ask(life, 0, (path, Some(key)), body).await else {
            return false;
        };
        if status != StatusCode::ACCEPTED {
            assert!(
                status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS,
                "{answer}"
            );
            return false;
        }
        let id = answer["id"].as_str().expect("an id").parse().expect("an id");
        let order = Order { phone: phone.to_owned(), shillings, id, cancelled: false };
        let mut orders = self.orders.lock().expect("orders");
        let first = orders.entry(key.to_owned()).or_insert(order);
        assert_eq!(first.id, id, "one key makes one payout");
        drop(orders);
        self.net.note(|| format!("{key} is taken: {id}"));
        true
    }

    /// Has a payout stopped, if it may be.
    pub async fn cancel(&self, life: &Life, key: &str) {
        let known = self.orders.lock().expect("orders").get(key).cloned();
        let Some(order) = known else {
            return;
        };
        let path = format!("/v1/payouts/{}/cancel", order.id);
        if let Some((StatusCode::OK, _answer)) =
            self.ask(life, 0, (&path, None), String::new()).await
        {
            self.net.note(|| format!("{key} is cancelled"));
            let mut orders = self.orders.lock().expect("orders");
            orders.get_mut(key).expect("it is there").cancelled = true;
        }
    }

    /// One request of the API's, by one of the applications; `None` when the program dies before
    /// it answers.
    pub async fn ask(
        &self,
        life: &Life,
        app: usize,
        (path, key): (&str, Option<&str>),
        body: String,
    ) -> Option<(StatusCode, Value)> {
        let peer = Peer::Net("127.0.0.1:4000".parse().expect("an address"));
        let mut request = Request::post(path)
            .header("X-API-Key", &self.keys[app])
            .header("Content-Type", "application/json")
            .extension(peer);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        let request = request.body(Body::from(body)).expect("a request");
        let call = async {
            let response = life.api.clone().oneshot(request).await.expect("a response");
            let status = response.status();
            let body = response.into_body().collect().await.expect("a body").to_bytes();
            (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
        };
        tokio::select! {
            biased;
            () = life.fate.ended() => None,
            answered = call => Some(answered),
            () = sleep(Duration::from_secs(30)) => None,
        }
    }
}

fn sevens(bytes: &mut [u8]) -> Result<(), String> {
    bytes.fill(7);
    Ok(())
}

fn eights(bytes: &mut [u8]) -> Result<(), String> {
    bytes.fill(8);
    Ok(())
}

/// A clock that goes as tokio's does, so that paused time moves both.
#[derive(Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        BEGIN.after(self.0.elapsed())
    }
}

/// Identifiers in the order of their making, the same in every run.
#[derive(Debug, Default)]
struct CountedIds(Mutex<u128>);

impl Ids for CountedIds {
    fn fresh(&self, now: Timestamp) -> [u8; 16] {
        let millis = u128::try_from(now.millis()).expect("after 1970");
        let mut last = self.0.lock().expect("ids");
        *last = (millis << 80).max(*last + 1);
        last.to_be_bytes()
    }
}
