//! What M-Pesa's broker meets when it calls: who is let in, what is kept, and what it is answered,
//! byte for byte (contract, part 3; spec/soap.md §5.5, §5.6).

use crate::support::{Call, GOOD, Gateway, TOKEN, Told};
use mlango::domain::payout::{CaseKind, Status};
use mlango::soap::{ack, result::Report, timeout};
use mlango::store::{Case, CaseQuery, Channel, Message, Scope, Store};
use serde_json::Value;

/// What a queue timeout in JSON is answered.
const JSON_KEPT: &str = r#"{"ResultCode":0,"ResultDesc":"success"}"#;

fn result_path() -> String {
    format!("/cb/{TOKEN}/b2c/result")
}

fn timeout_path() -> String {
    format!("/cb/{TOKEN}/b2c/timeout")
}

fn report(name: &str, code: &str) -> Vec<u8> {
    let receipt = (code == "0").then_some("QK12ABCD34");
    let report = Report {
        code,
        description: "what M-Pesa says of it",
        originator_conversation_id: name,
        conversation_id: "AG_20240102_0001",
        receipt,
        parameters: vec![("TransactionAmount", "1500.00")],
        references: vec![],
    };
    report.render()
}

/// The broker's notice, with our own request inside, as it went over the wire.
fn notice(name: &str) -> Vec<u8> {
    let request = b"<request><SecurityCredential>TOPSECRET</SecurityCredential></request>";
    timeout::render(name, request)
}

/// A payout whose request M-Pesa took.
async fn payout(gateway: &Gateway) -> (Value, String) {
    let key = gateway.key("finance", &[Scope::PayoutsWrite]).await;
    let call = Call::post("/v1/payouts").key(&key).once("k").json(GOOD);
    let payout = gateway.ask(call).await.json();
    gateway.accepted(&payout).await;
    let name = payout["originator_conversation_id"].as_str().expect("a name").to_owned();
    (payout, name)
}

async fn post(gateway: &Gateway, path: &str, body: impl Into<Vec<u8>>) -> Told {
    Call::post(path).body(body).put(&gateway.callbacks(&[])).await
}

async fn status(gateway: &Gateway, payout: &Value) -> Status {
    let id = payout["id"].as_str().expect("an id").parse().expect("an id");
    let stored = gateway.store.payout(id).await.expect("a read");
    stored.expect("a payout").payout.status()
}

async fn cases(gateway: &Gateway) -> Vec<Case> {
    gateway.store.cases(&CaseQuery::all(100)).await.expect("cases").rows
}

/// The message that a case shows.
async fn evidence(gateway: &Gateway, case: &Case) -> Message {
    let message = gateway.store.message(case.messages[0]).await.expect("a read");
    message.expect("a message")
}

fn acknowledged(told: &Told, with: &str) {
    assert_eq!(told.status, 200, "{}", told.text());
    assert_eq!(told.header("content-type"), "text/xml; charset=utf-8");
    assert_eq!(told.text(), with);
}

#[tokio::test]
async fn a_result_is_kept_applied_and_acknowledged() {
    let gateway = Gateway::new();
    let (payout, name) = payout(&gateway).await;
    let body = report(&name, "0");
    let told = post(&gateway, &result_path(), body.clone()).await;
    acknowledged(&told, ack::RESULT_KEPT);
    assert_eq!(status(&gateway, &payout).await, Status::Succeeded);
    let events = gateway.feed().await;
    let message = events[1].event.messages[0];
    let message = gateway.store.message(message).await.expect("a read").expect("a message");
    assert_eq!((message.channel, message.body), (Channel::Result, body), "raw, as it came");
    assert_eq!(message.peer.as_deref(), Some("196.201.212.9"));
}

#[tokio::test]
async fn whatever_its_headers_say_a_result_is_read() {
    for header in [
        ("Content-Type", "text/xml"),
        ("Content-Type", "application/soap+xml; charset=utf-8"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("SOAPAction", "\"urn:anything\""),
    ] {
        let gateway = Gateway::new();
        let (payout, name) = payout(&gateway).await;
        let call = Call::post(result_path()).header(header.0, header.1).body(report(&name, "0"));
        acknowledged(&call.put(&gateway.callbacks(&[])).await, ack::RESULT_KEPT);
        assert_eq!(status(&gateway, &payout).await, Status::Succeeded, "{header:?}");
    }
}

#[tokio::test]
async fn a_result_twice_is_acknowledged_twice_and_applied_once() {
    let gateway = Gateway::new();
    let (payout, name) = payout(&gateway).await;
    for _ in 0..2 {
        let told = post(&gateway, &result_path(), report(&name, "0")).await;
        acknowledged(&told, ack::RESULT_KEPT);
    }
    assert_eq!(status(&gateway, &payout).await, Status::Succeeded);
    assert!(cases(&gateway).await.is_empty());
}

#[tokio::test]
async fn what_contradicts_is_kept_for_a_person_and_acknowledged() {
    let gateway = Gateway::new();
    let (payout, name) = payout(&gateway).await;
    acknowledged(&post(&gateway, &result_path(), report(&name, "0")).await, ack::RESULT_KEPT);
    acknowledged(&post(&gateway, &result_path(), report(&name, "1")).await, ack::RESULT_KEPT);
    assert_eq!(status(&gateway, &payout).await, Status::Succeeded, "paid stays paid");
    let cases = cases(&gateway).await;
    assert_eq!(cases.len(), 1);
    assert_eq!(cases[0].kind, CaseKind::Contradiction);
}

#[tokio::test]
async fn what_belongs_to_nothing_or_cannot_be_read_is_kept_and_acknowledged() {
    let deep = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
    let table: [(&str, Vec<u8>, CaseKind); 8] = [
        ("another's", report("999001_Elsewhere_0001", "0"), CaseKind::Unmatched),
        (
            "like ours, and never made",
            report("600999_ExampleOrg_01hn4y7z2c8e0vq3m5x7r9t1wb", "0"),
            CaseKind::Unmatched,
        ),
        ("nothing", vec![], CaseKind::Malformed),
        ("a page", b"<html><body>504</body></html>".to_vec(), CaseKind::Malformed),
        ("JSON", b"{\"Result\":{}}".to_vec(), CaseKind::Malformed),
        ("half", report("600999_X_1", "0")[..300].to_vec(), CaseKind::Malformed),
        ("bytes", vec![0xff, 0x00, 0x3c], CaseKind::Malformed),
        ("deep", deep.into_bytes(), CaseKind::Malformed),
    ];
    for (what, body, kind) in table {
        let gateway = Gateway::new();
        let told = post(&gateway, &result_path(), body.clone()).await;
        if what == "JSON" {
            assert_eq!((told.status.as_u16(), told.text()), (200, JSON_KEPT));
        } else {
            acknowledged(&told, ack::RESULT_KEPT);
        }
        let cases = cases(&gateway).await;
        assert_eq!(cases.iter().map(|case| case.kind).collect::<Vec<_>>(), [kind], "{what}");
        assert_eq!(evidence(&gateway, &cases[0]).await.body, body, "{what}: as it came");
        let told = post(&gateway, &timeout_path(), body).await;
        if what == "JSON" {
            assert_eq!((told.status.as_u16(), told.text()), (200, JSON_KEPT));
            continue;
        }
        let ours = if kind == CaseKind::Malformed { ack::TIMEOUT_KEPT } else { ack::RESULT_KEPT };
        acknowledged(&told, ours);
    }
}

#[tokio::test]
async fn a_queue_timeout_puts_its_payout_in_doubt_and_our_credential_is_not_kept() {
    let gateway = Gateway::new();
    let (payout, name) = payout(&gateway).await;
    let told = post(&gateway, &timeout_path(), notice(&name)).await;
    acknowledged(&told, ack::TIMEOUT_KEPT);
    assert_eq!(status(&gateway, &payout).await, Status::Unknown);
    let events = gateway.feed().await;
    let message = events[1].event.messages[0];
    let message = gateway.store.message(message).await.expect("a read").expect("a message");
    let text = String::from_utf8(message.body).expect("text");
    assert_eq!(message.channel, Channel::QueueTimeout);
    assert!(text.contains(&name) && text.contains("originRequest>***<"), "{text}");
}

#[tokio::test]
async fn a_queue_timeout_may_be_json_in_any_of_its_forms() {
    let thin = |name: &str| {
        format!(r#"{{"Result":{{"ResultType":1,"OriginatorConversationID":"{name}"}}}}"#)
    };
    let echo = |name: &str| {
        format!(r#"{{"OriginatorConversationID":"{name}","SecurityCredential":"TOPSECRET"}}"#)
    };
    let forms: [&dyn Fn(&str) -> String; 2] = [&thin, &echo];
    for form in forms {
        let gateway = Gateway::new();
        let (payout, name) = payout(&gateway).await;
        let told = post(&gateway, &timeout_path(), form(&name)).await;
        assert_eq!((told.status.as_u16(), told.text()), (200, JSON_KEPT));
        assert_eq!(told.header("content-type"), "application/json");
        assert_eq!(status(&gateway, &payout).await, Status::Unknown);
        let events = gateway.feed().await;
        let message = events[1].event.messages[0];
        let message = gateway.store.message(message).await.expect("a read").expect("a message");
        let kept = String::from_utf8(message.body).expect("text");
        assert_eq!(message.channel, Channel::QueueTimeout);
        assert!(kept.contains(&name) && !kept.contains("TOPSECRET"), "{kept}");
    }
    let gateway = Gateway::new();
    let told = post(&gateway, &timeout_path(), thin("999001_Elsewhere_0001")).await;
    assert_eq!(told.text(), JSON_KEPT);
    assert_eq!(cases(&gateway).await[0].kind, CaseKind::Unmatched);
    gateway.store.fail("the disk is full");
    let told = post(&gateway, &timeout_path(), thin("999001_Elsewhere_0001")).await;
    assert_eq!(told.status, 500, "never acknowledged");
}

#[tokio::test]
async fn a_message_on_the_other_path_is_taken_for_what_it_is() {
    let gateway = Gateway::new();
    let (paid, name) = payout(&gateway).await;
    let told = post(&gateway, &timeout_path(), report(&name, "0")).await;
    acknowledged(&told, ack::RESULT_KEPT);
    assert_eq!(status(&gateway, &paid).await, Status::Succeeded);
    let gateway = Gateway::new();
    let (doubtful, name) = payout(&gateway).await;
    let told = post(&gateway, &result_path(), notice(&name)).await;
    acknowledged(&told, ack::TIMEOUT_KEPT);
    assert_eq!(status(&gateway, &doubtful).await, Status::Unknown);
}

#[tokio::test]
async fn a_broken_message_keeps_no_credential_of_ours() {
    let gateway = Gateway::new();
    let body = b"<x><SecurityCredential>TOPSECRET</SecurityCredential><y>".to_vec();
    acknowledged(&post(&gateway, &result_path(), body).await, ack::RESULT_KEPT);
    let case = cases(&gateway).await.remove(0);
    let kept = String::from_utf8(evidence(&gateway, &case).await.body).expect("text");
    assert!(kept.contains("***") && !kept.contains("TOPSECRET"), "{kept}");
}

#[tokio::test]
async fn what_cannot_be_kept_is_never_acknowledged() {
    let gateway = Gateway::new();
    let (_payout, name) = payout(&gateway).await;
    gateway.store.fail("the disk is full");
    for (path, body) in [
        (result_path(), report(&name, "0")),
        (result_path(), b"<html/>".to_vec()),
        (result_path(), report("999001_Elsewhere_0001", "0")),
        (timeout_path(), notice(&name)),
    ] {
        let told = post(&gateway, &path, body).await;
        assert_eq!(told.status, 500);
        assert!(told.text().contains("soapenv:Fault"), "{}", told.text());
        assert!(!told.text().contains("success") && !told.text().contains("disk"));
    }
}

#[tokio::test]
async fn a_wrong_token_is_told_nothing_and_nothing_is_kept() {
    let gateway = Gateway::new();
    let (payout, name) = payout(&gateway).await;
    let near =
        TOKEN.replace("5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c", "5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0d");
    let paths = [
        format!("/cb/{near}/b2c/result"),
        format!("/cb/{}/b2c/result", &TOKEN[1..]),
        format!("/cb/{}/b2c/result", TOKEN.to_uppercase()),
        "/cb/%ff/b2c/result".to_owned(),
        "/cb//b2c/result".to_owned(),
        format!("/cb/{near}/b2c/result?wsdl"),
        format!("/cb/{TOKEN}/b2c/results"),
        format!("/cb/{TOKEN}"),
        "/".to_owned(),
        "/v1/payouts".to_owned(),
    ];
    for path in paths {
        for method in ["POST", "GET"] {
            let call = Call::new(method, &path).body(report(&name, "0"));
            let told = call.put(&gateway.callbacks(&[])).await;
            assert_eq!((told.status.as_u16(), told.text()), (404, ""), "{method} {path}");
        }
    }
    assert_eq!(status(&gateway, &payout).await, Status::Accepted);
    assert!(cases(&gateway).await.is_empty());
}

#[tokio::test]
async fn only_the_networks_of_the_allow_list_are_let_in() {
    let gateway = Gateway::new();
    let (_payout, name) = payout(&gateway).await;
    let router = gateway.callbacks(&["196.201.212.0/22", "2001:db8::/32"]);
    let table = [
        ("196.201.212.9:1", 200),
        ("196.201.215.255:1", 200),
        ("196.201.216.0:1", 403),
        ("127.0.0.1:1", 403),
        ("[2001:db8::1]:1", 200),
        ("[2001:db9::1]:1", 403),
        ("[::ffff:196.201.212.9]:1", 200),
        ("[::ffff:10.0.0.1]:1", 403),
    ];
    for (peer, expected) in table {
        let call = Call::post(result_path()).body(report(&name, "0"));
        let call = call.header("X-Forwarded-For", "196.201.212.9");
        let told = call.put_from(&router, peer).await;
        assert_eq!(told.status, expected, "{peer}");
        if expected == 403 {
            assert_eq!(told.text(), "");
        }
    }
    let wrong = Call::post("/cb/x/b2c/result").put_from(&router, "127.0.0.1:1").await;
    assert_eq!(wrong.status, 403, "the network is looked at first");
}

#[tokio::test]
async fn a_message_beyond_the_limit_is_a_fault() {
    let gateway = Gateway::new();
    let told = post(&gateway, &result_path(), "x".repeat(64 * 1024 + 1)).await;
    assert_eq!(told.status, 413);
    assert!(told.text().contains("soapenv:Fault"), "{}", told.text());
    let told = post(&gateway, &result_path(), " ".repeat(64 * 1024)).await;
    assert_eq!(told.status, 200, "the longest is kept");
}

#[tokio::test]
async fn the_wsdl_names_our_own_address() {
    let gateway = Gateway::new();
    for (place, operation) in [
        ("b2c/result", "GenericAPIResult"),
        ("c2b/validation", "ValidateC2BPayment"),
        ("c2b/confirmation", "ConfirmC2BPayment"),
    ] {
        let path = format!("/cb/{TOKEN}/{place}");
        let location = format!("location=\"https://gw.example.org{path}\"");
        for query in ["wsdl", "WSDL"] {
            let call = Call::get(format!("{path}?{query}"));
            let told = call.put(&gateway.callbacks(&[])).await;
            assert_eq!(told.status, 200);
            assert!(told.header("content-type").starts_with("text/xml"));
            assert!(told.text().contains(&location), "{}", told.text());
            assert!(told.text().contains(operation), "{}", told.text());
        }
    }
    for (method, path) in [
        ("GET", result_path()),
        ("GET", format!("{}?wsdl", timeout_path())),
        ("PUT", result_path()),
    ] {
        let told = Call::new(method, path).put(&gateway.callbacks(&[])).await;
        assert_eq!((told.status.as_u16(), told.header("allow")), (405, "POST"));
    }
}

#[tokio::test]
async fn refusals_are_counted_by_reason() {
    let gateway = Gateway::new();
    post(&gateway, "/cb/x/b2c/result", "").await;
    post(&gateway, "/nowhere", "").await;
    let text = gateway.ask(Call::get("/metrics")).await.text().to_owned();
    for why in ["token", "path"] {
        let line = format!("mlango_callback_refused_total{{why=\"{why}\"}}");
        assert!(text.contains(&line), "{line} in {text}");
    }
    assert!(!text.contains(TOKEN), "routes are patterns, never paths");
}
