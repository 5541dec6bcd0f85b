//! A simulator, a caller, and whoever is called back.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use mlango::clock::Clock;
use mlango::credential::{Certificate, Pair, PrivateKey, generate_pair};
use mlango::domain::money::Amount;
use mlango::domain::payout::Command;
use mlango::domain::time::Timestamp;
use mlango::sim::daraja::Api;
use mlango::sim::daraja::faults::Rule;
use mlango::sim::deliver::{Carrier, Pending, Target};
use mlango::sim::{
    DarajaSettings, Delivery, Offline, Settings, Simulator, SmsSettings, is_hang_up,
};
use mlango::soap::header::{HexCase, Namespace};
use mlango::soap::request::{Caller, PayoutRequest};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

pub const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);
/// [`NOW`] in East Africa Time.
pub const STAMP: &str = "20240102060405";
pub const PASSWORD: &str = "Example-Initiator-1";
/// How often it is looked whether something has come.
const STEP: Duration = Duration::from_millis(50);

static PAIR: LazyLock<Pair> =
    LazyLock::new(|| generate_pair("sim.example.test", 30).expect("a key pair"));
static CREDENTIAL: LazyLock<String> = LazyLock::new(|| credential(PASSWORD));

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
            ..Delivery::default()
        },
        hold: Duration::from_secs(60),
        chaos: None,
        daraja: DarajaSettings::default(),
        sms: SmsSettings::default(),
    }
}

/// Tells the time that tokio's paused clock shows.
struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        NOW.after(self.0.elapsed())
    }
}

/// What came to the caller.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Milliseconds after the start.
    pub at: u128,
    pub path: String,
    pub content_type: &'static str,
    pub body: Bytes,
}

impl Heard {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("text")
    }

    /// The code of an STK callback, of a result, or nothing.
    pub fn code(&self) -> String {
        let read = self.json();
        let code = if read["Body"].is_object() {
            read["Body"]["stkCallback"]["ResultCode"].clone()
        } else {
            read["Result"]["ResultCode"].clone()
        };
        match code.as_str() {
            Some(code) => code.to_owned(),
            None if code.is_null() => "?".to_owned(),
            None => code.to_string(),
        }
    }
}

/// What the caller's side answers to one path: a status, a body; 0 is never.
pub type Said = (u16, String);

/// Whoever is called back.
pub struct Callbacks {
    begun: Instant,
    got: Mutex<Vec<Heard>>,
    says: Mutex<BTreeMap<String, Vec<Said>>>,
}

impl Carrier for Callbacks {
    fn post(&self, to: &Target, body: Bytes) -> Pending<Result<(u16, Bytes), String>> {
        let at = self.begun.elapsed().as_millis();
        let (path, content_type) = (to.path().to_owned(), to.content_type());
        let mut says = self.says.lock().unwrap();
        let queue = says.get_mut(&path).filter(|queue| !queue.is_empty());
        let accepted = || (200, r#"{"ResultCode":0,"ResultDesc":"Accepted"}"#.to_owned());
        let (status, answer) = queue.map_or_else(accepted, |queue| queue.remove(0));
        drop(says);
        self.got.lock().unwrap().push(Heard { at, path, content_type, body });
        Box::pin(async move {
            if status == 0 {
                std::future::pending::<()>().await;
            }
            Ok((status, Bytes::from(answer)))
        })
    }
}

/// What came back from the router.
#[derive(Clone, Debug)]
pub struct Came {
    pub status: u16,
    pub content_type: String,
    pub body: Bytes,
}

impl Came {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.body.to_vec()).expect("text")
    }

    /// `status errorCode errorMessage`, or `status ResponseCode`.
    pub fn word(&self) -> String {
        let read = self.json();
        let field = |name: &str| read[name].as_str().unwrap_or_default().to_owned();
        if read["errorCode"].is_string() {
            return format!("{} {} {}", self.status, field("errorCode"), field("errorMessage"));
        }
        format!("{} {}", self.status, field("ResponseCode")).trim().to_owned()
    }
}

/// A simulator, and whoever hears from it.
pub struct Stage {
    pub sim: Offline,
    callbacks: Arc<Callbacks>,
    token: Mutex<String>,
}

impl Stage {
    pub async fn new() -> Self {
        Self::with(settings()).await
    }

    pub async fn with(settings: Settings) -> Self {
        let begun = Instant::now();
        let (got, says) = (Mutex::default(), Mutex::default());
        let callbacks = Arc::new(Callbacks { begun, got, says });
        let carrier = Arc::<Callbacks>::clone(&callbacks);
        let sim = Simulator::offline(settings, Arc::new(VirtualClock(begun)), carrier);
        let stage = Self { sim, callbacks, token: Mutex::default() };
        stage.renew().await;
        stage
    }

    /// Gets a new token.
    pub async fn renew(&self) {
        let came = self.oauth().await.expect("an answer");
        if let Some(token) = came.json()["access_token"].as_str() {
            token.clone_into(&mut self.token.lock().unwrap());
        }
    }

    pub fn token(&self) -> String {
        self.token.lock().unwrap().clone()
    }

    pub async fn oauth(&self) -> Option<Came> {
        let settings = DarajaSettings::default();
        let keys = format!("{}:{}", settings.consumer_key, settings.consumer_secret);
        let basic = format!("Basic {}", STANDARD.encode(keys));
        let path = "/oauth/v1/generate?grant_type=client_credentials";
        self.send(Method::GET, path, &[("authorization", &basic)], "").await
    }

    /// `None`: the simulator hung up.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Came> {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let answer = self.sim.router.clone().oneshot(request).await.unwrap();
        if is_hang_up(&answer) {
            return None;
        }
        let kind = answer.headers().get(header::CONTENT_TYPE);
        let content_type = kind.map_or("", |kind| kind.to_str().unwrap()).to_owned();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        Some(Came { status, content_type, body })
    }

    /// As a client of Daraja's does.
    pub async fn post(&self, path: &str, body: &Value) -> Option<Came> {
        let bearer = format!("Bearer {}", self.token());
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.send(Method::POST, path, &headers, &body.to_string()).await
    }

    pub async fn word(&self, path: &str, body: &Value) -> String {
        self.post(path, body).await.map_or_else(|| "nothing".to_owned(), |came| came.word())
    }

    /// As a tester does.
    pub async fn control(&self, path: &str, body: &Value) -> (u16, Value) {
        let headers = [("content-type", "application/json")];
        let came = self.send(Method::POST, path, &headers, &body.to_string()).await;
        let came = came.expect("an answer");
        (came.status, came.json())
    }

    pub async fn get(&self, path: &str) -> Value {
        let came = self.send(Method::GET, path, &[], "").await.expect("an answer");
        assert_eq!(came.status, 200, "{path}: {}", came.text());
        came.json()
    }

    pub fn fault(&self, api: Api, name: &str) {
        self.sim.script_fault(Rule::next(api, name)).expect("a fault");
    }

    /// What the next messages to a path are answered.
    pub fn say(&self, path: &str, said: &[(u16, &str)]) {
        let said = said.iter().map(|(status, body)| (*status, (*body).to_owned())).collect();
        self.callbacks.says.lock().unwrap().insert(path.to_owned(), said);
    }

    /// Lets time pass until nothing waits, and tells what has come since the last time.
    pub async fn heard(&self) -> Vec<Heard> {
        while self.sim.results_waiting() > 0 {
            sleep(STEP).await;
        }
        std::mem::take(&mut *self.callbacks.got.lock().unwrap())
    }

    /// A SOAP message to the broker; the answer's `ResponseCode`.
    pub async fn soap(&self, path: &str, message: &str) -> String {
        let headers = [("content-type", "text/xml")];
        let came = self.send(Method::POST, path, &headers, message).await.expect("an answer");
        mlango::soap::response::parse(&came.body).expect("an answer").facts.code
    }
}

pub const B2C: &str = "/mpesa/b2c/v3/paymentrequest";
pub const STK: &str = "/mpesa/stkpush/v1/processrequest";
pub const STK_QUERY: &str = "/mpesa/stkpushquery/v1/query";
pub const STATUS: &str = "/mpesa/transactionstatus/v1/query";
pub const BALANCE: &str = "/mpesa/accountbalance/v1/query";
pub const REVERSAL: &str = "/mpesa/reversal/v1/request";
pub const B2B: &str = "/mpesa/b2b/v1/paymentrequest";
pub const TAX: &str = "/mpesa/b2b/v1/remittax";
pub const REGISTER: &str = "/mpesa/c2b/v2/registerurl";
pub const SIMULATE: &str = "/mpesa/c2b/v2/simulate";
pub const PULL: &str = "/pulltransactions/v1/query";

/// `base` with the fields of `changes` in place of its own; `null` takes one away.
pub fn with(base: &Value, changes: &Value) -> Value {
    let mut changed = base.clone();
    let fields = changed.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.clone(), value.clone());
        }
    }
    changed
}

/// A payout to the phone that ends in `ending`.
pub fn b2c(id: &str, ending: &str) -> Value {
    json!({
        "OriginatorConversationID": id, "InitiatorName": "apiop",
        "SecurityCredential": *CREDENTIAL, "CommandID": "BusinessPayment", "Amount": "150",
        "PartyA": "174379", "PartyB": format!("25472200{ending}"), "Remarks": "March commission",
        "QueueTimeOutURL": format!("http://gw/cb/timeout/{id}"),
        "ResultURL": format!("http://gw/cb/result/{id}"), "Occassion": "Test",
    })
}

pub fn passkey(shortcode: &str) -> String {
    STANDARD.encode(format!("{shortcode}{}{STAMP}", DarajaSettings::default().passkey))
}

/// A prompt to the phone that ends in `ending`.
pub fn stk(ending: &str) -> Value {
    let phone: u64 = format!("25472200{ending}").parse().expect("digits");
    json!({
        "BusinessShortCode": 174379, "Password": passkey("174379"), "Timestamp": STAMP,
        "TransactionType": "CustomerPayBillOnline", "Amount": "25", "PartyA": phone,
        "PartyB": "174379", "PhoneNumber": phone,
        "CallBackURL": format!("http://gw/cb/5f0c/stk/{ending}"), "AccountReference": "INV-77",
        "TransactionDesc": "Subscription",
    })
}

pub fn stk_query(checkout: &str) -> Value {
    json!({
        "BusinessShortCode": "174379", "Password": passkey("174379"), "Timestamp": STAMP,
        "CheckoutRequestID": checkout,
    })
}

pub fn status(by: &Value) -> Value {
    let base = json!({
        "Initiator": "apiop", "SecurityCredential": *CREDENTIAL,
        "CommandID": "TransactionStatusQuery", "PartyA": "174379", "IdentifierType": "4",
        "ResultURL": "http://gw/cb/result/q", "QueueTimeOutURL": "http://gw/cb/timeout/q",
        "Remarks": "ok", "Occasion": "",
    });
    with(&base, by)
}

pub fn balance() -> Value {
    json!({
        "Initiator": "apiop", "SecurityCredential": *CREDENTIAL, "CommandID": "AccountBalance",
        "PartyA": 174379, "IdentifierType": 4, "Remarks": "ok",
        "QueueTimeOutURL": "http://gw/cb/timeout/bal", "ResultURL": "http://gw/cb/result/bal",
    })
}

pub fn reversal(receipt: &str, amount: &str) -> Value {
    json!({
        "Initiator": "apiop", "SecurityCredential": *CREDENTIAL,
        "CommandID": "TransactionReversal", "TransactionID": receipt, "Amount": amount,
        "ReceiverParty": "174379", "RecieverIdentifierType": "11",
        "ResultURL": "http://gw/cb/result/rev", "QueueTimeOutURL": "http://gw/cb/timeout/rev",
        "Remarks": "wrong customer", "Occasion": "",
    })
}

pub fn b2b() -> Value {
    json!({
        "Initiator": "apiop", "SecurityCredential": *CREDENTIAL, "CommandID": "BusinessPayBill",
        "SenderIdentifierType": "4", "RecieverIdentifierType": "4", "Amount": 190,
        "PartyA": "174379", "PartyB": "888880", "AccountReference": "ACC-1",
        "Requester": "254722000111", "Remarks": "rent",
        "QueueTimeOutURL": "http://gw/cb/timeout/b2b", "ResultURL": "http://gw/cb/result/b2b",
        "Occassion": "",
    })
}

pub fn tax() -> Value {
    with(
        &b2b(),
        &json!({"CommandID": "PayTaxToKRA", "PartyB": "572572", "AccountReference": "PRN1"}),
    )
}

pub fn register() -> Value {
    json!({
        "ShortCode": "174379", "ResponseType": "Completed",
        "ConfirmationURL": "http://gw/cb/5f0c/c2b/confirmation",
        "ValidationURL": "http://gw/cb/5f0c/c2b/validation",
    })
}

pub fn simulate(ending: &str) -> Value {
    json!({
        "ShortCode": "174379", "CommandID": "CustomerPayBillOnline", "Amount": "25",
        "Msisdn": format!("25472200{ending}"), "BillRefNumber": "INV-77",
    })
}

pub fn pull(offset: &str) -> Value {
    json!({
        "ShortCode": "174379", "StartDate": "2024-01-01 00:00:00",
        "EndDate": "2024-01-09 00:00:00", "OffSetValue": offset,
    })
}

pub fn c2b(ending: &str) -> Value {
    json!({
        "shortcode": "174379", "phone": format!("25472200{ending}"), "amount": "25",
        "account": "INV-77",
    })
}

/// A payment over SOAP.
pub fn soap_payment(id: &str, ending: &str) -> String {
    let caller = soap_caller();
    let request = PayoutRequest {
        caller: &caller,
        command: Command::BusinessPayment,
        originator_conversation_id: id,
        amount: Amount::from_shillings(150),
        phone: format!("25472200{ending}").parse().unwrap(),
        remarks: "March commission",
        occasion: "Test",
        at: NOW,
    };
    String::from_utf8(request.render().wire).unwrap()
}

pub fn soap_caller() -> Caller {
    Caller {
        namespace: Namespace::A,
        hex_case: HexCase::Upper,
        sp_id: "100001".to_owned(),
        sp_password: "Example-Secret-1".to_owned(),
        service_id: "100001000".to_owned(),
        shortcode: "600999".to_owned(),
        initiator: "apiop".to_owned(),
        security_credential: CREDENTIAL.clone(),
        result_url: "http://gw/cb/b2c/result".to_owned(),
        queue_timeout_url: "http://gw/cb/b2c/timeout".to_owned(),
    }
}

/// What stands in a result under `key`.
pub fn parameter(result: &Value, key: &str) -> Value {
    let list = result["Result"]["ResultParameters"]["ResultParameter"].as_array().cloned();
    let found = list.unwrap_or_default().into_iter().find(|item| item["Key"] == key);
    found.map_or(Value::Null, |item| item["Value"].clone())
}

/// What stands in an STK callback under `name`.
pub fn item(callback: &Value, name: &str) -> Value {
    let metadata = &callback["Body"]["stkCallback"]["CallbackMetadata"]["Item"];
    let list = metadata.as_array().cloned().unwrap_or_default();
    let found = list.into_iter().find(|item| item["Name"] == name);
    found.map_or(Value::Null, |item| item["Value"].clone())
}
