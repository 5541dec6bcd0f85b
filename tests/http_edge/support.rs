//! A gateway without sockets for the tests of the HTTP edge: a real engine on a store in memory,
//! a rail that is never asked, and a clock that stands still.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use mlango::clock::ManualClock;
use mlango::domain::inquiry;
use mlango::domain::limit::AmountLimits;
use mlango::domain::payment::{self, Payment};
use mlango::domain::payout::{Payout, Policy, Question, Rail as Way, State, Tries};
use mlango::domain::time::Timestamp;
use mlango::engine::audit::PROGRAM;
use mlango::engine::port::{
    Admission, Api as Interface, Call as Request_, Counter, Prepared, PreparedCall, Rail, Rails,
    Replied, Sent, Validator,
};
use mlango::engine::{Engine, Parts, Settings, TillSettings};
use mlango::http::api::{Api, BodyLimits};
use mlango::http::apps::Desk;
use mlango::http::auth::Apps;
use mlango::http::callback::{self, Callbacks, Tokens};
use mlango::http::router;
use mlango::http::server::Peer;
use mlango::ids::RandomIds;
use mlango::store::memory::MemoryStore;
use mlango::store::{
    Commit, Durable, FeedEvent, Life, LifeWrite, PayoutWrite, Pending, Scope, Store,
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// When the tests take place.
pub const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);
/// The secret part of the callback paths.
pub const TOKEN: &str = "5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c";
/// The largest body that the test API takes.
pub const BODY_BYTES_MAX: usize = 4_096;

/// A rail that nobody may use: nothing here sends.
#[derive(Debug)]
struct NoRail;

impl Rail for NoRail {
    fn prepare(&self, _payout: &Payout, _now: Timestamp) -> Result<Prepared, String> {
        Err("nothing is sent in these tests".to_owned())
    }

    fn prepare_question(
        &self,
        _payout: &Payout,
        _question: Question,
        _now: Timestamp,
    ) -> Result<Prepared, String> {
        Err("nothing is sent in these tests".to_owned())
    }

    fn admit(&self) -> Pending<'_, Admission> {
        Box::pin(std::future::pending())
    }

    fn send(&self, _request: Prepared, _place: Admission, _proof: Durable) -> Pending<'_, Sent> {
        Box::pin(std::future::pending())
    }

    fn longest_send(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// A counter at which nobody is served: nothing here is asked of M-Pesa.
#[derive(Debug)]
struct ShutCounter;

impl Counter for ShutCounter {
    fn has(&self, _rail: mlango::domain::payout::Rail) -> bool {
        true
    }

    fn prepare(&self, _call: Request_<'_>, _now: Timestamp) -> Result<PreparedCall, String> {
        Err("nothing is asked in these tests".to_owned())
    }

    fn admit(&self, _api: Interface) -> Pending<'_, Admission> {
        Box::pin(std::future::pending())
    }

    fn call(
        &self,
        _call: PreparedCall,
        _place: Admission,
        _proof: Option<Durable>,
    ) -> Pending<'_, Replied> {
        Box::pin(std::future::pending())
    }

    fn longest_call(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// What a gateway is set up for, besides payouts.
#[derive(Default)]
pub struct Money {
    pub counter: Option<Arc<dyn Counter>>,
    pub validators: Option<Arc<dyn Validator>>,
    pub till: TillSettings,
}

/// Everything that a test may look at.
pub struct Gateway {
    pub store: Arc<MemoryStore>,
    pub clock: Arc<ManualClock>,
    pub engine: Arc<Engine>,
    pub apps: Arc<Apps>,
    pub shutdown: CancellationToken,
    pub api: Router,
}

/// Keys that differ, without randomness.
pub fn counted(bytes: &mut [u8]) -> Result<(), String> {
    static LAST: AtomicU64 = AtomicU64::new(1);
    let number = LAST.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    bytes.fill(7);
    bytes[..8].copy_from_slice(&number);
    Ok(())
}

/// An engine at rest.
pub fn engine(
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    limits: AmountLimits,
    money: Money,
) -> Arc<Engine> {
    let mut rails = Rails::only(Way::Soap, Arc::new(NoRail));
    if money.counter.is_some() {
        rails = rails.with(Way::Daraja, Arc::new(NoRail));
    }
    let parts = Parts {
        counter: money.counter,
        notifier: None,
        validators: money.validators,
        store,
        rails,
        clock,
        ids: Arc::new(RandomIds::default()),
    };
    let settings = Settings {
        organisation: "ExampleOrg".to_owned(),
        shortcode: "600999".parse().expect("a short code"),
        rail: Way::Soap,
        policy: Policy::default(),
        till: money.till,
        first_result_wait: Duration::ZERO,
        limits,
    };
    Engine::new(parts, settings)
}

/// The API of an engine.
pub fn api(engine: &Arc<Engine>, apps: &Arc<Apps>, shutdown: &CancellationToken) -> Router {
    router::router(Api {
        engine: Arc::clone(engine),
        apps: Arc::clone(apps),
        limits: BodyLimits { bytes: BODY_BYTES_MAX, timeout: Duration::from_millis(300) },
        shutdown: shutdown.clone(),
        notes: Arc::default(),
    })
}

impl Gateway {
    pub fn new() -> Self {
        Self::on(Arc::new(MemoryStore::new()), AmountLimits::default(), Money::default())
    }

    /// One that takes prompts and inquiries, too.
    pub fn with_daraja() -> Self {
        Self::with(TillSettings::default(), None)
    }

    /// One that takes prompts and inquiries, with these rules and these who are asked.
    pub fn with(till: TillSettings, validators: Option<Arc<dyn Validator>>) -> Self {
        let money = Money { counter: Some(Arc::new(ShutCounter)), validators, till };
        Self::on(Arc::new(MemoryStore::new()), AmountLimits::default(), money)
    }

    /// Another run of the program: the same store and applications, other limits.
    pub async fn again(&self, limits: AmountLimits) -> Self {
        let next = Self::on(Arc::clone(&self.store), limits, Money::default());
        for app in self.desk().list().await.expect("apps") {
            next.apps.put(&app);
        }
        next
    }

    fn on(store: Arc<MemoryStore>, limits: AmountLimits, money: Money) -> Self {
        let clock = Arc::new(ManualClock::new(NOW));
        let engine = engine(Arc::<MemoryStore>::clone(&store), Arc::clone(&clock), limits, money);
        let apps = Arc::new(Apps::default());
        let shutdown = CancellationToken::new();
        let api = api(&engine, &apps, &shutdown);
        Self { store, clock, engine, apps, shutdown, api }
    }

    /// Lets a payment stand somewhere.
    pub async fn stands(&self, payment: &Value, state: payment::State) -> Payment {
        let id = payment["id"].as_str().expect("an id").parse();
        let kept = self.store.payment(id.expect("an id")).await.expect("a read");
        let kept = kept.expect("a payment");
        let payment = Payment { state, ..kept.value };
        let life = Life::Payment(payment.clone());
        let write = LifeWrite { life, expected_version: kept.version };
        let commit = Commit { lives: vec![write], ..Commit::default() };
        self.store.commit(commit).await.map(drop).expect("a commit");
        payment
    }

    /// Lets an inquiry stand somewhere.
    pub async fn inquiry_stands(&self, inquiry: &Value, state: inquiry::State) {
        let id = inquiry["id"].as_str().expect("an id").parse();
        let kept = self.store.inquiry(id.expect("an id")).await.expect("a read");
        let kept = kept.expect("an inquiry");
        let life = Life::Inquiry(inquiry::Inquiry { state, ..kept.value });
        let write = LifeWrite { life, expected_version: kept.version };
        let commit = Commit { lives: vec![write], ..Commit::default() };
        self.store.commit(commit).await.map(drop).expect("a commit");
    }

    pub fn desk(&self) -> Desk<'_> {
        Desk {
            store: self.store.as_ref(),
            clock: self.clock.as_ref(),
            ids: self.engine.ids().as_ref(),
            random: counted,
            actor: &PROGRAM,
        }
    }

    /// A key of a new application.
    pub async fn key(&self, name: &str, scopes: &[Scope]) -> String {
        let (app, key) = self.desk().create(name, scopes).await.expect("an app");
        self.apps.put(&app);
        key.reveal().to_owned()
    }

    /// The callback listener, open to `allow` (empty: to anybody).
    pub fn callbacks(&self, allow: &[&str]) -> Router {
        callback::router(Callbacks {
            engine: Arc::clone(&self.engine),
            tokens: Arc::new(Tokens::new(TOKEN, None)),
            client_names: Vec::new(),
            allow: allow.iter().map(|net| net.parse().expect("a network")).collect(),
            public_url: "https://gw.example.org".to_owned(),
            limits: BodyLimits { bytes: 64 * 1024, timeout: Duration::from_millis(300) },
        })
    }

    /// Lets a payout stand as if M-Pesa had taken its request.
    pub async fn accepted(&self, payout: &Value) {
        let id = payout["id"].as_str().expect("an id").parse();
        let stored = self.store.payout(id.expect("an id")).await.expect("a read");
        let stored = stored.expect("a payout");
        let state = State::Accepted {
            tries: Tries { attempts: 1, ..Tries::NONE },
            conversation: None,
            overdue_at: NOW.after(Duration::from_secs(120)),
        };
        let payout = Payout { state, ..stored.payout };
        let write = PayoutWrite { payout, expected_version: stored.version };
        let commit = Commit { payouts: vec![write], ..Commit::default() };
        self.store.commit(commit).await.map(drop).expect("a commit");
    }

    /// What happened, without what was done to the gateway itself.
    pub async fn feed(&self) -> Vec<FeedEvent> {
        let all = self.store.events(0, 500).await.expect("events");
        all.into_iter().filter(|event| !event.event.kind.starts_with("admin.")).collect()
    }

    /// Asks the API.
    pub async fn ask(&self, call: Call) -> Told {
        call.put(&self.api).await
    }
}

/// A request to be made.
#[derive(Clone, Debug)]
pub struct Call {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Call {
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    pub fn post(path: impl Into<String>) -> Self {
        Self::new("POST", path)
    }

    pub fn new(method: &str, path: impl Into<String>) -> Self {
        Self { method: method.to_owned(), path: path.into(), headers: vec![], body: vec![] }
    }

    pub fn key(self, key: &str) -> Self {
        self.header("X-API-Key", key)
    }

    pub fn once(self, key: &str) -> Self {
        self.header("Idempotency-Key", key)
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn json(self, body: impl Into<String>) -> Self {
        self.header("Content-Type", "application/json").body(body.into())
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Makes the request of a router, as somebody at 196.201.212.9.
    pub async fn put(self, router: &Router) -> Told {
        self.put_from(router, "196.201.212.9:4000").await
    }

    pub async fn put_from(self, router: &Router, peer: &str) -> Told {
        let peer: SocketAddr = peer.parse().expect("an address");
        self.put_as(router, Peer::Net(peer)).await
    }

    pub async fn put_as(self, router: &Router, peer: Peer) -> Told {
        let mut request = Request::builder().method(self.method.as_str()).uri(self.path);
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.extension(peer).body(Body::from(self.body)).expect("a request");
        let answer = router.clone().oneshot(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        let body = body.collect().await.expect("a body").to_bytes().to_vec();
        Told { status: parts.status, headers: parts.headers, body }
    }
}

/// What was answered.
#[derive(Debug)]
pub struct Told {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Told {
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(|value| value.to_str());
        value.unwrap_or(Ok("")).expect("a header of text")
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!("{error}: {} {}", self.status, String::from_utf8_lossy(&self.body))
        })
    }

    /// Status and code of a problem, having checked that it is a whole one.
    pub fn problem(&self) -> (u16, String) {
        let problem = self.json();
        assert_eq!(self.header("content-type"), "application/problem+json", "{problem}");
        let code = problem["code"].as_str().expect("a code").to_owned();
        assert_eq!(problem["type"], format!("urn:mlango:problem:{code}"));
        assert_eq!(problem["status"], self.status.as_u16());
        for words in ["title", "detail"] {
            assert!(problem[words].as_str().is_some_and(|text| text.len() > 5), "{problem}");
        }
        (self.status.as_u16(), code)
    }

    /// The names of the faulty fields.
    pub fn faulty(&self) -> Vec<String> {
        let problem = self.json();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let mut fields: Vec<String> = errors
            .iter()
            .map(|error| {
                assert!(error["message"].as_str().is_some_and(|text| text.len() > 3));
                error["field"].as_str().expect("a field").to_owned()
            })
            .collect();
        fields.sort();
        fields
    }
}

/// A good payout's body.
pub const GOOD: &str = r#"{"amount":"1500.00","phone":"0722 000 111","command":"BusinessPayment",
 "reference":"INV-2041","remarks":"March commission","occasion":"","metadata":{"branch":"Nakuru"}}"#;
