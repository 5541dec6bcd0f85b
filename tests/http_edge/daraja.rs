//! Daraja's results and queue timeouts: found by the end of their address, or by the ids in them
//! (spec/daraja.md §2.3, §2.4).

use std::time::Duration;

use mlango::daraja::ack;
use mlango::domain::inquiry::{Names, State, Tries};
use mlango::domain::payout::{CaseKind, Status};
use mlango::soap::result::Report;
use mlango::store::{Channel, Scope, Store};
use serde_json::{Value, json};

use crate::notices::{call, cases, tag};
use crate::support::{Call, GOOD, Gateway, NOW};

/// A payout whose request M-Pesa took.
async fn payout(gateway: &Gateway, app: &str) -> Value {
    let key = gateway.key(app, &[Scope::PayoutsWrite]).await;
    let call = Call::post("/v1/payouts").key(&key).once("k").json(GOOD);
    let payout = gateway.ask(call).await.json();
    gateway.accepted(&payout).await;
    payout
}

async fn status(gateway: &Gateway, payout: &Value) -> Status {
    let id = payout["id"].as_str().expect("an id").parse().expect("an id");
    gateway.store.payout(id).await.expect("a read").expect("a payout").payout.status()
}

fn name(payout: &Value) -> &str {
    payout["originator_conversation_id"].as_str().expect("a name")
}

/// A result that says paid.
fn paid(originator: &str) -> String {
    json!({"Result": {
        "ResultType": 0, "ResultCode": 0, "ResultDesc": "done",
        "OriginatorConversationID": originator, "ConversationID": "AG_20240102_0001",
        "TransactionID": "UA24AA00ZZ",
        "ResultParameters": {"ResultParameter": [
            {"Key": "TransactionAmount", "Value": 1500}, {"Key": "TransactionReceipt", "Value": "UA24AA00ZZ"},
        ]},
    }})
    .to_string()
}

#[tokio::test]
async fn a_result_finds_its_payout_by_its_address_or_by_our_name() {
    let gateway = Gateway::with_daraja();
    let table = [
        ("our name, no tag", "result".to_owned(), true),
        ("our name, at the broker's address", "b2c/result".to_owned(), true),
        ("our name and a tag", "result/{tag}".to_owned(), true),
        ("Daraja's own name and a tag", "result/{tag}".to_owned(), false),
    ];
    for (number, (what, path, ours)) in table.into_iter().enumerate() {
        let gateway = if number == 0 { &gateway } else { &Gateway::with_daraja() };
        let payout = payout(gateway, "finance").await;
        let path = path.replace("{tag}", &tag('0', &payout["id"]));
        let body = paid(if ours { name(&payout) } else { "29115-34620561-1" });
        let told = call(gateway, &path, body).await;
        assert_eq!((told.status.as_u16(), told.text()), (200, ack::RESULT_KEPT), "{what}");
        assert_eq!(told.header("content-type"), "application/json");
        assert_eq!(status(gateway, &payout).await, Status::Succeeded, "{what}");
        assert!(cases(gateway).await.is_empty(), "{what}");
    }
}

#[tokio::test]
async fn an_address_and_a_name_that_disagree_move_nothing() {
    let gateway = Gateway::with_daraja();
    let one = payout(&gateway, "one").await;
    let other = payout(&gateway, "other").await;
    let question = format!("{}0000000c", tag('1', &one["id"]));
    let table = [
        (tag('0', &one["id"]), CaseKind::Mismatch),
        (question, CaseKind::Mismatch),
        (tag('2', &other["id"]), CaseKind::Malformed),
        ("0".to_owned(), CaseKind::Malformed),
    ];
    for (number, (tag, kind)) in table.into_iter().enumerate() {
        let told = call(&gateway, &format!("result/{tag}"), paid(name(&other))).await;
        assert_eq!((told.status.as_u16(), told.text()), (200, ack::RESULT_KEPT), "{tag}");
        assert_eq!(cases(&gateway).await[number], kind, "{tag}");
    }
    for payout in [&one, &other] {
        assert_eq!(status(&gateway, payout).await, Status::Accepted);
    }
}

#[tokio::test]
async fn a_status_result_is_of_the_question_that_its_address_names() {
    let gateway = Gateway::with_daraja();
    let payout = payout(&gateway, "finance").await;
    // It has the name of the transaction that was asked about (spec/daraja.md §2.3).
    let body = json!({"Result": {
        "ResultType": 0, "ResultCode": 0, "ResultDesc": "done",
        "OriginatorConversationID": name(&payout), "ConversationID": "AG_20240102_0009",
        "TransactionID": "UA20000000",
        "ResultParameters": {"ResultParameter": [
            {"Key": "TransactionStatus", "Value": "Completed"}, {"Key": "Amount", "Value": 1500},
            {"Key": "ReceiptNo", "Value": "UA24AA00ZZ"},
        ]},
    }});
    let path = format!("result/{}00000001", tag('1', &payout["id"]));
    assert_eq!(call(&gateway, &path, body.to_string()).await.status, 200);
    assert!(!cases(&gateway).await.contains(&CaseKind::Mismatch));
    let events = gateway.store.events(0, 10).await.expect("events");
    let message = events.last().expect("an event").event.messages[0];
    let message = gateway.store.message(message).await.expect("a read").expect("a message");
    assert_eq!(message.channel, Channel::StatusResult);
    assert_eq!(message.about.map(|about| about.to_string()).as_deref(), payout["id"].as_str());
}

#[tokio::test]
async fn a_timeout_at_an_address_needs_no_name_and_keeps_no_credential() {
    for body in [
        r#"{"InitiatorName":"apiop","SecurityCredential":"TOPSECRET","Amount":"1500"}"#,
        r#"{"Result":{"ResultType":1,"ResultCode":1}}"#,
    ] {
        let gateway = Gateway::with_daraja();
        let payout = payout(&gateway, "finance").await;
        let path = format!("timeout/{}", tag('0', &payout["id"]));
        let told = call(&gateway, &path, body).await;
        assert_eq!((told.status.as_u16(), told.text()), (200, ack::RESULT_KEPT), "{body}");
        assert_eq!(status(&gateway, &payout).await, Status::Unknown, "{body}");
        let events = gateway.store.events(0, 10).await.expect("events");
        let message = events.last().expect("an event").event.messages[0];
        let message = gateway.store.message(message).await.expect("a read").expect("a message");
        assert!(!String::from_utf8_lossy(&message.body).contains("TOPSECRET"));
    }
}

/// An inquiry after balances whose request M-Pesa took.
async fn inquiry(gateway: &Gateway) -> Value {
    let key = gateway.key("desk", &[Scope::PaymentsWrite]).await;
    let inquiry = gateway.ask(Call::post("/v1/balance-inquiries").key(&key)).await.json();
    let state = State::Accepted {
        tries: Tries { attempts: 1, ..Tries::NONE },
        names: Names::default(),
        overdue_at: NOW.after(Duration::from_secs(120)),
    };
    gateway.inquiry_stands(&inquiry, state).await;
    inquiry
}

const BALANCES: &str = "Working Account|KES|1025.50|1025.50|0.00|0.00&Utility Account|KES|-7|0|0|0";

async fn answer(gateway: &Gateway, inquiry: &Value) -> Value {
    let auditor = gateway.key("auditor", &[Scope::ReadAll]).await;
    let path = format!("/v1/inquiries/{}", inquiry["id"].as_str().expect("an id"));
    gateway.ask(Call::get(path).key(&auditor)).await.json()
}

#[tokio::test]
async fn a_balance_comes_to_its_inquiry_in_either_language() {
    let in_json = json!({"Result": {
        "ResultType": "0", "ResultCode": "0", "ResultDesc": "done",
        "OriginatorConversationID": "16917-22577599-3", "ConversationID": "AG_20240102_0002",
        "TransactionID": "UA20000000",
        "ResultParameters": {"ResultParameter": {"Key": "AccountBalance", "Value": BALANCES}},
    }});
    let report = Report {
        code: "0",
        description: "done",
        originator_conversation_id: "16917-22577599-3",
        conversation_id: "AG_20240102_0002",
        receipt: None,
        parameters: vec![("AccountBalance", BALANCES)],
        references: vec![],
    };
    for body in [in_json.to_string().into_bytes(), report.render()] {
        let gateway = Gateway::with_daraja();
        let inquiry = inquiry(&gateway).await;
        let path = format!("result/{}", tag('3', &inquiry["id"]));
        assert_eq!(call(&gateway, &path, body).await.status, 200);
        let told = answer(&gateway, &inquiry).await;
        assert_eq!(told["status"], "succeeded", "{told}");
        let accounts = &told["answer"]["accounts"];
        assert_eq!(accounts[0]["name"], "Working Account");
        assert_eq!(accounts[0]["current"], "1025.50");
        assert_eq!(accounts[1]["current"], "-7.00");
        assert!(cases(&gateway).await.is_empty());
    }
}

#[tokio::test]
async fn a_payouts_name_at_an_inquirys_address_moves_neither() {
    let gateway = Gateway::with_daraja();
    let inquiry = inquiry(&gateway).await;
    let payout = payout(&gateway, "finance").await;
    let path = format!("result/{}", tag('3', &inquiry["id"]));
    assert_eq!(call(&gateway, &path, paid(name(&payout))).await.status, 200);
    assert_eq!(cases(&gateway).await, [CaseKind::Mismatch]);
    assert_eq!(status(&gateway, &payout).await, Status::Accepted);
    assert_eq!(answer(&gateway, &inquiry).await["status"], "accepted");
}

#[tokio::test]
async fn a_timeout_of_an_inquiry_is_kept_as_one() {
    let gateway = Gateway::with_daraja();
    let inquiry = inquiry(&gateway).await;
    let path = format!("timeout/{}", tag('3', &inquiry["id"]));
    assert_eq!(call(&gateway, &path, "{}".to_owned()).await.status, 200);
    let events = gateway.store.events(0, 10).await.expect("events");
    let message = events.last().expect("an event").event.messages[0];
    let message = gateway.store.message(message).await.expect("a read").expect("a message");
    assert_eq!(message.channel.as_str(), "inquiry.timeout");
}

#[tokio::test]
async fn what_belongs_to_nothing_is_kept_for_a_person() {
    let gateway = Gateway::with_daraja();
    let nobody = json!("po_00000000000000000000000000");
    for (path, body) in [
        ("result".to_owned(), paid("29115-34620561-1")),
        (format!("result/{}", tag('0', &nobody)), paid("29115-34620561-1")),
        (format!("result/{}", tag('3', &nobody)), paid("29115-34620561-1")),
        (format!("timeout/{}", tag('3', &nobody)), "{}".to_owned()),
        ("timeout".to_owned(), "{}".to_owned()),
    ] {
        let before = cases(&gateway).await.len();
        let told = call(&gateway, &path, body).await;
        assert_eq!((told.status.as_u16(), told.text()), (200, ack::RESULT_KEPT), "{path}");
        assert_eq!(cases(&gateway).await[before..], [CaseKind::Unmatched], "{path}");
    }
}
