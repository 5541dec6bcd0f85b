//! A simulator, a caller and a receiver of results, over real sockets.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use mlango::clock::ManualClock;
use mlango::credential::{Certificate, Pair, PrivateKey, generate_pair};
use mlango::domain::money::Amount;
use mlango::domain::payout::Command;
use mlango::domain::time::Timestamp;
use mlango::sim::{DarajaSettings, Delivery, HOLD, Running, Settings, Simulator, SmsSettings};
use mlango::soap::header::{HexCase, Namespace};
use mlango::soap::request::{Caller, PayoutRequest};
use mlango::soap::status_query::{AskFor, StatusQuery};
use mlango::soap::{ack, response, result};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

/// How long anything may take that is bound to happen.
pub const PATIENCE: Duration = Duration::from_secs(20);
pub const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);
pub const PASSWORD: &str = "Example-Initiator-1";

pub static PAIR: LazyLock<Pair> =
    LazyLock::new(|| generate_pair("sim.example.test", 30).expect("a key pair"));

pub fn credential(password: &str) -> String {
    let certificate = Certificate::from_bytes(PAIR.certificate_pem.as_bytes()).unwrap();
    certificate.encrypt(password).unwrap()
}

pub fn settings() -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        sp_id: "100001".to_owned(),
        sp_password: "Example-Secret-1".to_owned(),
        service_id: "100001000".to_owned(),
        initiator: "apiop".to_owned(),
        initiator_password: PASSWORD.to_owned(),
        shortcode: "600999".parse().unwrap(),
        credential_key: PrivateKey::from_pem(PAIR.key_pem.as_bytes()).unwrap(),
        balance: Amount::from_shillings(100_000),
        seed: 7,
        delivery: Delivery {
            delay: Duration::from_millis(1)..=Duration::from_millis(5),
            retry_pause: Duration::from_millis(5),
            ..Delivery::default()
        },
        hold: HOLD,
        chaos: None,
        daraja: DarajaSettings::default(),
        sms: SmsSettings::default(),
    }
}

pub async fn start(settings: Settings) -> Running {
    Simulator::start(settings, Arc::new(ManualClock::new(NOW))).await.unwrap()
}

pub fn caller(result_url: &str) -> Caller {
    Caller {
        namespace: Namespace::A,
        hex_case: HexCase::Upper,
        sp_id: "100001".to_owned(),
        sp_password: "Example-Secret-1".to_owned(),
        service_id: "100001000".to_owned(),
        shortcode: "600999".to_owned(),
        initiator: "apiop".to_owned(),
        security_credential: credential(PASSWORD),
        result_url: result_url.to_owned(),
        queue_timeout_url: "http://127.0.0.1:9/timeout".to_owned(),
    }
}

/// A payment of `shillings` to the phone that ends in `ending`.
pub fn message(caller: &Caller, id: &str, ending: &str, shillings: u64) -> String {
    let request = PayoutRequest {
        caller,
        command: Command::BusinessPayment,
        originator_conversation_id: id,
        amount: Amount::from_shillings(shillings),
        phone: format!("25472200{ending}").parse().unwrap(),
        remarks: "March commission",
        occasion: "Test",
        at: NOW,
    };
    String::from_utf8(request.render().wire).unwrap()
}

/// A question about a payment.
pub fn query(caller: &Caller, id: &str, by: AskFor<'_>) -> String {
    let query = StatusQuery { caller, originator_conversation_id: id, ask_for: by, at: NOW };
    String::from_utf8(query.render().wire).unwrap()
}

/// What stands in a result under `key`, also where that is nothing.
pub fn parameter(result: &result::ResultMessage, key: &str) -> Option<String> {
    result.parameters.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
}

pub fn http_post(path: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nHost: sim\r\nContent-Type: text/xml\r\nSOAPAction: \"\"\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sends bytes and returns all that comes back until the other side ends the connection or an
/// answer is whole.
pub async fn exchange(addr: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    let reading = async {
        let mut buffer = [0; 4 * 1024];
        loop {
            match stream.read(&mut buffer).await {
                // A connection that is cut is as good as one that is closed.
                Ok(0) | Err(_) => return,
                Ok(read) => answer.extend_from_slice(&buffer[..read]),
            }
            if split(&answer).is_some() {
                return;
            }
        }
    };
    timeout(PATIENCE, reading).await.expect("an end");
    answer
}

/// Head and body of a message that is whole.
pub fn split(bytes: &[u8]) -> Option<(String, Vec<u8>)> {
    let head_len = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(bytes[..head_len].to_vec()).ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    })?;
    let body = &bytes[head_len + 4..];
    (body.len() >= length).then(|| (head, body[..length].to_vec()))
}

pub async fn submit(sim: &Running, message: &str) -> Option<response::Response> {
    let bytes = exchange(sim.addr, &http_post("/mminterface/request", message)).await;
    if bytes.is_empty() {
        return None;
    }
    let (head, body) = split(&bytes).expect("a whole answer");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("text/xml; charset=utf-8"), "{head}");
    Some(response::parse(&body).expect("an answer"))
}

pub async fn code(sim: &Running, message: &str) -> String {
    submit(sim, message).await.expect("an answer").facts.code
}

pub async fn get_json(sim: &Running, path: &str) -> (u16, Value) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: sim\r\n\r\n");
    let bytes = exchange(sim.addr, request.as_bytes()).await;
    let (head, body) = split(&bytes).expect("a whole answer");
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
}

pub async fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        sleep(Duration::from_millis(2)).await;
    }
}

/// Heads and bodies, in the order in which they came.
pub type Received = Arc<Mutex<Vec<(String, Vec<u8>)>>>;

/// A stand-in for the gateway's callback listener.
pub struct Receiver {
    pub url: String,
    pub got: Received,
    pub connections: Arc<AtomicUsize>,
}

impl Receiver {
    /// Answers the first messages with `statuses`, every further one with 200.
    pub async fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/cb/result", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(AtomicUsize::new(0));
        let (kept, counted) = (Arc::clone(&got), Arc::clone(&connections));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(receive(stream, statuses, Arc::clone(&kept)));
            }
        });
        Self { url, got, connections }
    }

    pub fn count(&self) -> usize {
        self.got.lock().unwrap().len()
    }

    pub fn results(&self) -> Vec<result::ResultMessage> {
        let got = self.got.lock().unwrap();
        got.iter().map(|(_, body)| result::parse(body).expect("a result")).collect()
    }

    /// What came, once nothing more is to come.
    pub async fn settled(&self, sim: &Running) -> Vec<result::ResultMessage> {
        wait_until("results go out", || sim.results_waiting() == 0).await;
        self.results()
    }
}

pub async fn receive(mut stream: TcpStream, statuses: &'static [u16], got: Received) {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4 * 1024];
    while let Ok(read) = stream.read(&mut buffer).await {
        if read == 0 {
            return;
        }
        bytes.extend_from_slice(&buffer[..read]);
        let Some(message) = split(&bytes) else {
            continue;
        };
        bytes.clear();
        let number = {
            let mut got = got.lock().unwrap();
            got.push(message);
            got.len() - 1
        };
        let status = statuses.get(number).copied().unwrap_or(200);
        let body = ack::RESULT_KEPT;
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
