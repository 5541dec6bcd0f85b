//! Text messages.

use std::sync::Arc;
use std::time::Duration;

use mlango::clock::ManualClock;
use mlango::credential::{PrivateKey, generate_pair};
use mlango::domain::id::{PaymentId, TextId};
use mlango::domain::money::Amount;
use mlango::domain::payout::{WhyNoAnswer, WhyNothingSent};
use mlango::domain::text::{Details, Occasion, Text};
use mlango::domain::time::Timestamp;
use mlango::engine::port::{Durable, Notifier, TextOutcome};
use mlango::notify::sms::{Sms, SmsSettings};
use mlango::sim::{DarajaSettings, Delivery, HOLD, Running, Settings, Simulator};
use mlango::store::memory::MemoryStore;
use mlango::store::{Commit, Store};

use super::peer::{Does, Peer, nobody};

const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);

fn text(phone: &str, body: &str) -> Text {
    Text::queued(Details {
        id: TextId::from_bytes([1; 16]),
        subject: PaymentId::from_bytes([2; 16]).into(),
        occasion: Occasion::PaymentReceived,
        app: None,
        phone: phone.parse().expect("a phone"),
        body: body.to_owned(),
        created_at: NOW,
    })
}

/// The proof that something is on the disk, which only a store can give.
async fn proof() -> Durable {
    MemoryStore::new().commit(Commit::default()).await.expect("memory")
}

fn settings(url: &str) -> SmsSettings {
    SmsSettings {
        url: url.to_owned(),
        username: "sandbox".to_owned(),
        api_key: "simulated-sms-key".to_owned(),
        from: Some("MLANGO".to_owned()),
        timeout: Duration::from_secs(20),
        ca: None,
    }
}

async fn send(settings: SmsSettings, text: &Text) -> TextOutcome {
    let sms = Sms::new(settings).expect("it is set up");
    assert!(!format!("{sms:?}").contains("simulated-sms-key"), "{sms:?}");
    sms.send(text, proof().await).await
}

async fn simulator() -> Running {
    let pair = generate_pair("sim.example.test", 30).expect("a key pair");
    let settings = Settings {
        listen: "127.0.0.1:0".parse().expect("an address"),
        sp_id: "100001".to_owned(),
        sp_password: "Example-Secret-1".to_owned(),
        service_id: "100001000".to_owned(),
        initiator: "apiop".to_owned(),
        initiator_password: "Example-Initiator-1".to_owned(),
        shortcode: "600999".parse().expect("a short code"),
        credential_key: PrivateKey::from_pem(pair.key_pem.as_bytes()).expect("a key"),
        balance: Amount::from_shillings(1_000),
        seed: 7,
        delivery: Delivery::default(),
        hold: HOLD,
        chaos: None,
        daraja: DarajaSettings::default(),
        sms: mlango::sim::SmsSettings::default(),
    };
    let clock = Arc::new(ManualClock::new(NOW));
    Simulator::start(settings, clock).await.expect("it starts")
}

fn code(outcome: &TextOutcome) -> &str {
    match outcome {
        TextOutcome::Answered(facts) => &facts.code,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_simulator_takes_a_message_as_it_was_written() {
    let sim = simulator().await;
    let url = format!("http://{}", sim.addr);
    let body = "Hello \u{c9}lise & co: 100% of KES 1,500.00 = paid?\nAsante + karibu";
    let outcome = send(settings(&url), &text("254722000111", body)).await;
    let TextOutcome::Answered(facts) = outcome else { panic!("{outcome:?}") };
    assert_eq!((facts.code.as_str(), facts.description.as_str()), ("101", "Success"));
    assert!(facts.message_id.is_some_and(|id| id.starts_with("ATXid_")));
    assert_eq!(facts.cost.as_deref(), Some("KES 0.8000"));
    let listed = reqwest::get(format!("{url}/sim/sms")).await.expect("it answers");
    let listed: serde_json::Value = listed.json().await.expect("JSON");
    assert_eq!(listed["data"][0]["message"], body);
    assert_eq!(listed["data"][0]["to"], "+254722000111");
    assert_eq!(listed["data"][0]["from"], "MLANGO");
}

#[tokio::test]
async fn each_refusal_of_the_simulator_has_its_code() {
    let sim = simulator().await;
    let url = format!("http://{}/version1/messaging", sim.addr);
    for (phone, expected) in
        [("254722000406", "406"), ("254722000405", "405"), ("254722000500", "500")]
    {
        let outcome = send(settings(&url), &text(phone, "Hello")).await;
        assert_eq!(code(&outcome), expected, "{phone}");
    }
    let hello = text("254722000111", "Hello");
    let wrong = SmsSettings { api_key: "simulated-sms-key-2".to_owned(), ..settings(&url) };
    let outcome = send(wrong, &hello).await;
    let TextOutcome::Answered(facts) = outcome else { panic!("{outcome:?}") };
    assert_eq!(facts.code, "http.401");
    assert_eq!(facts.description, "The supplied authentication is invalid");
    let unregistered = SmsSettings { from: Some("OTHER".to_owned()), ..settings(&url) };
    assert_eq!(code(&send(unregistered, &hello).await), "InvalidSenderId");
    let nameless = SmsSettings { from: None, ..settings(&url) };
    assert_eq!(code(&send(nameless, &hello).await), "101");
}

#[tokio::test]
async fn the_request_is_the_provider_s() {
    let peer = Peer::that(Does::Answers(503, vec![])).await;
    let url = format!("http://{}/version1/messaging", peer.addr);
    assert_eq!(code(&send(settings(&url), &text("254722000111", "Hello you")).await), "http.503");
    let requests = peer.requests();
    let (head, body) = requests[0].split_once("\r\n\r\n").expect("a request");
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post /version1/messaging http/1.1\r\n"), "{head}");
    for line in [
        "apikey: simulated-sms-key",
        "accept: application/json",
        "content-type: application/x-www-form-urlencoded",
    ] {
        assert!(head.lines().any(|it| it == line), "{line}: {head}");
    }
    let expected =
        "username=sandbox&to=%2B254722000111&message=Hello+you&bulkSMSMode=1&from=MLANGO";
    assert_eq!(body, expected);
}

#[tokio::test]
async fn only_what_surely_did_not_leave_is_said_not_to_have_been_sent() {
    let hello = text("254722000111", "Hello");
    let url = format!("http://{}/", nobody().await);
    let outcome = send(settings(&url), &hello).await;
    assert_eq!(outcome, TextOutcome::NothingSent(WhyNothingSent::Connect));

    let peer = Peer::that(Does::HangsUp).await;
    let outcome = send(settings(&format!("http://{}/", peer.addr)), &hello).await;
    assert_eq!(outcome, TextOutcome::NoAnswer(WhyNoAnswer::Closed));
    assert_eq!(peer.requests().len(), 1, "once, whatever became of it");

    let peer = Peer::that(Does::KeepsSilent).await;
    let patient = settings(&format!("http://{}/", peer.addr));
    let short = SmsSettings { timeout: Duration::from_millis(300), ..patient };
    let outcome = send(short, &hello).await;
    assert_eq!(outcome, TextOutcome::NoAnswer(WhyNoAnswer::Timeout));

    let peer = Peer::that(Does::Answers(201, vec![b' '; 1024 * 1024])).await;
    let outcome = send(settings(&format!("http://{}/", peer.addr)), &hello).await;
    assert_eq!(outcome, TextOutcome::NoAnswer(WhyNoAnswer::TooLong));
}

#[test]
fn an_address_that_is_none_is_said_before_anything_is_sent() {
    for url in ["", "api.africastalking.com", "ftp://x/"] {
        let error = Sms::new(settings(url)).expect_err("no address");
        assert!(error.to_string().contains("must be like https://"), "{error}");
    }
    let shown = format!("{:?}", settings("http://sms.example"));
    assert!(!shown.contains("simulated-sms-key"), "{shown}");
}
