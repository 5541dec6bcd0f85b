//! A simulator whose clock stands, and a gateway that goes by it, over real sockets.

use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use mlango::app::Gateway;
use mlango::clock::SteeredClock;
use mlango::clock::steered::Pace;
use mlango::config::{Environment, Source};
use mlango::credential::PrivateKey;
use mlango::domain::time::Timestamp;
use mlango::sim::{self, Delivery, Running, Simulator};
use mlango::store::Scope;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A Wednesday, at noon in Nairobi.
pub const NOON: &str = "2026-12-02T09:00:00Z";
/// How long anything here may take, really: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(120);

/// Both, and whoever tests them.
pub struct Bench {
    pub sim: Running,
    pub gateway: Gateway,
    client: Client,
    key: String,
    _dir: TempDir,
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// When that is.
pub fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).expect(text)
}

/// What people call a text in an answer.
pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

impl Bench {
    /// Both, at `start`, with what else is to be set in the gateway.
    pub async fn open(start: &str, more: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let made = Command::new(env!("CARGO_BIN_EXE_mlango"))
            .args(["init", "--dir"])
            .arg(dir.path())
            .output()
            .expect("mlango init runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let file = dir.path().join("mlango.toml");
        let sim = simulator(&file, start).await;
        let (near, callbacks) = (format!("http://{}", sim.addr), free_port());
        let mut set: Vec<(String, String)> = [
            ("API__LISTEN", "127.0.0.1:0".to_owned()),
            ("API__REQUESTS_PER_SECOND_PER_PEER", "0".to_owned()),
            ("API__REQUESTS_PER_SECOND_PER_KEY", "0".to_owned()),
            ("CALLBACKS__LISTEN", format!("127.0.0.1:{callbacks}")),
            ("CALLBACKS__PUBLIC_URL", format!("http://127.0.0.1:{callbacks}")),
            ("BROKER__URL", near.clone()),
            ("BROKER__PROBE_EVERY", "0s".to_owned()),
            ("BROKER__MAX_PER_SECOND", "1000".to_owned()),
            ("DARAJA__URL", near.clone()),
            ("SMS__URL", format!("{near}/version1/messaging")),
            ("DARAJA__CONSUMER_KEY", "simulated-consumer-key".to_owned()),
            ("DARAJA__CONSUMER_SECRET", "simulated-consumer-secret".to_owned()),
            (
                "DARAJA__PASSKEY",
                "5ec0de0f7415514a0d0e5507be10ab1e5ec0de0f7415514a0d0e5507be10ab1e".to_owned(),
            ),
            ("DARAJA__SHORTCODE", "174379".to_owned()),
            ("STORE__URL", "memory:".to_owned()),
            ("TEST__CLOCK", format!("{near}/sim/clock")),
            ("TEST__SEED", "7".to_owned()),
        ]
        .map(|(name, value)| (format!("MLANGO__{name}"), value))
        .to_vec();
        set.extend(more.iter().map(|(name, value)| (format!("MLANGO__{name}"), (*value).into())));
        let source = Source::open(Some(&file), Environment::of(set)).expect("a configuration");
        let config = source.serve().expect("a good configuration").config;
        let gateway = Gateway::start(&config).await.expect("a gateway");
        let scopes = [
            Scope::PayoutsWrite,
            Scope::PayoutsRead,
            Scope::PaymentsWrite,
            Scope::PaymentsRead,
            Scope::ReadAll,
            Scope::Admin,
        ];
        let key = gateway.create_app("finance", &scopes).await.expect("an application");
        let client = Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        Self { sim, gateway, client, key, _dir: dir }
    }

    /// Ends both.
    pub async fn close(self) {
        self.gateway.drain().await;
        self.sim.shutdown().await;
    }

    async fn ask(&self, request: reqwest::RequestBuilder) -> (StatusCode, Value) {
        let answer = request.send().await.expect("an answer");
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    /// What the gateway answers to a question.
    pub async fn get(&self, path: &str) -> Value {
        let url = format!("http://{}{path}", self.gateway.api);
        let (status, body) = self.ask(self.client.get(url).header("X-API-Key", &self.key)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// What the gateway answers to what it is told.
    pub async fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("http://{}{path}", self.gateway.api);
        let request = self.client.post(url).header("X-API-Key", &self.key);
        let key: String = format!("{path}{body}").split_whitespace().collect();
        let request = request.header("Idempotency-Key", key).json(body);
        let (status, body) = self.ask(request).await;
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    /// What the simulator answers to a question.
    pub async fn look(&self, path: &str) -> Value {
        let (status, body) = self.ask(self.client.get(self.sim_url(path))).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// What the simulator answers to what it is told, and the status.
    pub async fn tell(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.ask(self.client.post(self.sim_url(path)).json(body)).await
    }

    fn sim_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.sim.addr)
    }

    /// Moves the clock on; it must come there.
    pub async fn steer(&self, how: Value) -> Value {
        let (status, came) = self.tell("/sim/clock", &how).await;
        assert_eq!(status, StatusCode::OK, "{how}: {came}");
        let begun =
            came["begun"].as_array().map(|all| all.iter().rev().take(5).collect::<Vec<_>>());
        assert_eq!(came["arrived"], json!(true), "{how}: {} {begun:?}", came["why"]);
        came
    }

    /// Takes a payout; its id.
    pub async fn pay(&self, phone: &str, reference: &str, rail: &str) -> String {
        let body = json!({"amount": "100", "phone": phone, "reference": reference, "rail": rail});
        text(&self.post("/v1/payouts", &body).await, "id").to_owned()
    }
}

async fn simulator(file: &std::path::Path, start: &str) -> Running {
    let source = Source::open(Some(file), Environment::default()).expect("a configuration");
    let config = source.simulate().expect("a good configuration").config;
    let pem = std::fs::read(&config.credential_key).expect("a key");
    let settings = sim::Settings {
        listen: "127.0.0.1:0".parse().expect("an address"),
        sp_id: config.provider.sp_id.clone(),
        sp_password: config.provider.sp_password.reveal().to_owned(),
        service_id: config.provider.service_id.clone(),
        initiator: config.operator.initiator.clone(),
        initiator_password: config.operator.initiator_password.reveal().to_owned(),
        shortcode: config.operator.shortcode.clone(),
        credential_key: PrivateKey::from_pem(&pem).expect("a key"),
        balance: config.simulator.balance,
        seed: 7,
        delivery: Delivery::default(),
        hold: sim::HOLD,
        chaos: None,
        daraja: sim::DarajaSettings::default(),
        sms: sim::SmsSettings::default(),
    };
    let clock = SteeredClock::new(at(start));
    clock.set_pace(Pace::Stands);
    Simulator::start(settings, Arc::new(clock)).await.expect("a simulator")
}
