//! Payouts as finance systems submit them: what is taken, what is refused and in which words
//! (contract, part 2).

use std::collections::BTreeSet;

use mlango::domain::limit::AmountLimits;
use mlango::http::problem::Code;
use mlango::store::Scope;
use serde_json::{Value, json};

use crate::help::{gateway, settled, submit, taken};
use crate::support::{BODY_BYTES_MAX, Call, GOOD};

#[tokio::test]
async fn a_payout_is_taken_and_answered_in_the_shape_of_the_contract() {
    let (gateway, key) = gateway().await;
    let told = submit(&gateway, &key, "k1", GOOD).await;
    assert_eq!(told.status, 202);
    assert_eq!(told.header("content-type"), "application/json");
    assert_eq!(told.header("idempotency-replayed"), "");
    let payout = told.json();
    let id = payout["id"].as_str().expect("an id");
    assert_eq!(told.header("location"), format!("/v1/payouts/{id}"));
    let name = payout["originator_conversation_id"].as_str().expect("a name");
    let letters = id.strip_prefix("po_").expect("a prefix");
    assert_eq!(name, format!("600999_ExampleOrg_{letters}"));
    // Byte for byte: fields in the contract's order, then one more.
    let expected =
        format!(r#"{{"id":"{id}","status":"queued","amount":"1500.00","currency":"KES","#,)
            + r#""phone":"254722000111","command":"BusinessPayment","reference":"INV-2041","#
            + r#""remarks":"March commission","occasion":"","metadata":{"branch":"Nakuru"},"#
            + &format!(r#""rail":"soap","batch_id":null,"originator_conversation_id":"{name}","#)
            + r#""conversation_id":null,"receipt":null,"recipient_name":null,"charge":null,"#
            + r#""failure":null,"created_at":"2024-01-02T03:04:05.000Z","#
            + r#""updated_at":"2024-01-02T03:04:05.000Z","completed_at":null,"doubt":null}"#;
    assert_eq!(told.text(), expected);
    let again = gateway.ask(Call::get(format!("/v1/payouts/{id}")).key(&key)).await;
    assert_eq!((again.status.as_u16(), again.text()), (200, expected.as_str()));
}

#[tokio::test]
async fn what_a_payout_may_leave_out_and_how_it_may_be_written() {
    let (gateway, key) = gateway().await;
    let table = [
        (r#"{"amount":10,"phone":"722000111"}"#, "10.00", "254722000111"),
        (r#"{"amount":"250000","phone":"+254 110-000-111"}"#, "250000.00", "254110000111"),
        (
            r#"{"amount":"10.0","phone":"0722000111","command":null,"metadata":null,"rail":"soap"}"#,
            "10.00",
            "254722000111",
        ),
    ];
    for (number, (body, amount, phone)) in table.into_iter().enumerate() {
        let payout = taken(&gateway, &key, &format!("k{number}"), body).await;
        assert_eq!((&payout["amount"], &payout["phone"]), (&json!(amount), &json!(phone)));
        assert_eq!(payout["command"], "BusinessPayment");
        assert_eq!((&payout["remarks"], &payout["metadata"]), (&json!(""), &json!({})));
    }
}

/// Bodies with one fault each, and the field that has it.
fn faults() -> Vec<(&'static str, String)> {
    let long = |length: usize| "x".repeat(length);
    let with = |field: &str, value: Value| {
        let mut body = json!({"amount": "1500", "phone": "0722000111"});
        body[field] = value;
        body.to_string()
    };
    let many: serde_json::Map<String, Value> =
        (0..21).map(|n| (format!("k{n}"), json!(""))).collect();
    vec![
        ("amount", with("amount", json!("9"))),
        ("amount", with("amount", json!("0"))),
        ("amount", with("amount", json!("250000.01"))),
        ("amount", with("amount", json!("250001"))),
        ("amount", with("amount", json!("10.50"))),
        ("amount", with("amount", json!("10.001"))),
        ("amount", with("amount", json!("-10"))),
        ("amount", with("amount", json!("1,500"))),
        ("amount", with("amount", json!("1e3"))),
        ("amount", with("amount", json!(" 1500"))),
        ("amount", with("amount", json!("KES 1500"))),
        ("amount", with("amount", json!("99999999999999999999999"))),
        ("amount", with("amount", json!(""))),
        ("amount", with("amount", json!(-1500))),
        ("amount", with("amount", json!(true))),
        ("amount", with("amount", json!(["1500"]))),
        ("amount", with("amount", Value::Null)),
        ("amount", r#"{"amount":1500.00,"phone":"0722000111"}"#.to_owned()),
        ("amount", r#"{"amount":1.5e3,"phone":"0722000111"}"#.to_owned()),
        ("amount", r#"{"amount":99999999999999999999,"phone":"0722000111"}"#.to_owned()),
        ("amount", r#"{"phone":"0722000111"}"#.to_owned()),
        ("amount", r#"{"amount":"10","amount":"20","phone":"0722000111"}"#.to_owned()),
        ("phone", with("phone", json!("0722"))),
        ("phone", with("phone", json!("0822000111"))),
        ("phone", with("phone", json!("+255722000111"))),
        ("phone", with("phone", json!(722000111))),
        ("phone", with("phone", json!("٠٧٢٢٠٠٠١١١"))),
        ("phone", r#"{"amount":"10"}"#.to_owned()),
        ("command", with("command", json!("PayBill"))),
        ("command", with("command", json!("businesspayment"))),
        ("command", with("command", json!(1))),
        ("rail", with("rail", json!("pigeon"))),
        // Not set up on this gateway.
        ("rail", with("rail", json!("daraja"))),
        ("reference", with("reference", json!(long(65)))),
        ("reference", with("reference", json!("a\nb"))),
        ("reference", with("reference", json!(7))),
        ("remarks", with("remarks", json!(long(256)))),
        ("remarks", with("remarks", json!("\u{0}"))),
        ("occasion", with("occasion", json!(long(256)))),
        ("metadata", with("metadata", json!("x"))),
        ("metadata", with("metadata", json!(many))),
        ("metadata", with("metadata", json!({"": "x"}))),
        ("metadata.a", with("metadata", json!({"a": 1}))),
        ("metadata.a", with("metadata", json!({"a": long(501)}))),
        ("metadata.a", with("metadata", json!({"a": "\u{0}"}))),
        ("ammount", with("ammount", json!("10"))),
        ("id", with("id", json!("po_1"))),
    ]
}

#[tokio::test]
async fn each_faulty_field_is_named() {
    let (gateway, key) = gateway().await;
    for (field, body) in faults() {
        let told = submit(&gateway, &key, "k", &body).await;
        assert_eq!(told.problem(), (422, "invalid_fields".to_owned()), "{body}");
        assert_eq!(told.faulty(), [field], "{body}");
    }
    let nothing = gateway.ask(Call::get("/v1/payouts").key(&key)).await;
    assert_eq!(nothing.json()["data"], json!([]), "nothing was taken");
}

#[tokio::test]
async fn the_longest_texts_fit_and_all_faults_come_at_once() {
    let (gateway, key) = gateway().await;
    let body = json!({
        "amount": "10", "phone": "0722000111", "reference": "é".repeat(64),
        "remarks": "é".repeat(255), "occasion": "é".repeat(255),
        "metadata": {"k".repeat(40): "v".repeat(500), "note": "two\nlines"},
    });
    taken(&gateway, &key, "k", &body.to_string()).await;
    let body = json!({
        "amount": 1.5, "phone": "12", "command": "?", "reference": "x".repeat(65), "rail": "x",
        "remarks": 1, "occasion": [], "metadata": {"a": {}}, "colour": "red",
    });
    let told = submit(&gateway, &key, "k2", &body.to_string()).await;
    assert_eq!(
        told.faulty(),
        [
            "amount",
            "colour",
            "command",
            "metadata.a",
            "occasion",
            "phone",
            "rail",
            "reference",
            "remarks"
        ]
    );
    let detail = told.json()["detail"].as_str().map(str::to_owned);
    assert!(detail.is_some_and(|detail| detail.contains("Nothing was done")));
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused() {
    let (gateway, key) = gateway().await;
    let deep = "[".repeat(1_000);
    let table = [
        ("", 400, Code::InvalidJson),
        ("{", 400, Code::InvalidJson),
        ("amount=10&phone=0722000111", 400, Code::InvalidJson),
        ("[]", 400, Code::InvalidJson),
        ("\"1500\"", 400, Code::InvalidJson),
        ("{\"amount\":\"10\"} x", 400, Code::InvalidJson),
        (deep.as_str(), 400, Code::InvalidJson),
    ];
    for (body, status, code) in table {
        let told = submit(&gateway, &key, "k", body).await;
        assert_eq!(told.problem(), (status, code.as_str().to_owned()), "{body}");
    }
    let bytes = Call::post("/v1/payouts").key(&key).once("k").body(b"{\"a\":\"\xff\"}".to_vec());
    assert_eq!(gateway.ask(bytes).await.problem(), (400, "invalid_json".to_owned()));
    let large = format!("{{\"amount\":\"{}\"}}", "1".repeat(BODY_BYTES_MAX));
    let told = submit(&gateway, &key, "k", &large).await;
    assert_eq!(told.problem(), (413, "body_too_large".to_owned()));
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "x"] {
        let call = Call::post("/v1/payouts").key(&key).once("k").body(GOOD);
        let told = gateway.ask(call.header("Content-Type", media_type)).await;
        assert_eq!(told.problem(), (415, "unsupported_media_type".to_owned()));
    }
    for media_type in ["application/json; charset=utf-8", "APPLICATION/JSON"] {
        let call = Call::post("/v1/payouts").key(&key).once("k").body(GOOD);
        let told = gateway.ask(call.header("Content-Type", media_type)).await;
        assert_eq!(told.status, 202);
    }
}

#[tokio::test]
async fn one_key_makes_one_payout() {
    let (gateway, key) = gateway().await;
    let first = submit(&gateway, &key, "march-1", GOOD).await;
    let again = submit(&gateway, &key, "march-1", GOOD).await;
    assert_eq!(again.status, 202);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.text(), first.text());
    let quoted = submit(&gateway, &key, "\"march-1\"", GOOD).await;
    assert_eq!(quoted.header("idempotency-replayed"), "true");

    // Also once it stands elsewhere: the first answer comes again.
    settled(&gateway, &first.json(), "0", Some("QK12ABCD34")).await;
    let late = submit(&gateway, &key, "march-1", GOOD).await;
    assert_eq!(late.text(), first.text());

    let other = submit(&gateway, &key, "march-1", &GOOD.replace("1500.00", "1501.00")).await;
    assert_eq!(other.problem(), (422, "idempotency_key_reused".to_owned()));
    let blank = submit(&gateway, &key, "march-1", &format!("{GOOD} ")).await;
    assert_eq!(blank.problem(), (422, "idempotency_key_reused".to_owned()), "byte for byte");

    let listed = gateway.ask(Call::get("/v1/payouts").key(&key)).await.json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));

    // Another application's key of the same name is another key.
    let theirs = gateway.key("other", &[Scope::PayoutsWrite]).await;
    let told = submit(&gateway, &theirs, "march-1", GOOD).await;
    assert_eq!((told.status.as_u16(), told.header("idempotency-replayed")), (202, ""));
}

#[tokio::test]
async fn a_key_that_made_a_payout_is_never_told_that_nothing_was_done() {
    let (gateway, key) = gateway().await;
    let first = submit(&gateway, &key, "march-1", GOOD).await;
    // The least amount is raised, and the program starts again.
    let least = "2000".parse().expect("an amount");
    let gateway = gateway.again(AmountLimits { least, ..AmountLimits::default() }).await;
    let again = submit(&gateway, &key, "march-1", GOOD).await;
    assert_eq!((again.status.as_u16(), again.text()), (202, first.text()));
    assert_eq!(again.header("idempotency-replayed"), "true");
    for other in [GOOD.replace("1500.00", "1600.00"), "{}".to_owned(), "not JSON".to_owned()] {
        let told = submit(&gateway, &key, "march-1", &other).await;
        assert_eq!(told.problem(), (422, "idempotency_key_reused".to_owned()), "{other}");
    }
    let fresh = submit(&gateway, &key, "march-2", GOOD).await;
    assert_eq!(fresh.problem(), (422, "invalid_fields".to_owned()));
    assert_eq!(fresh.faulty(), ["amount"]);
    let theirs = gateway.key("other", &[Scope::PayoutsWrite]).await;
    let told = submit(&gateway, &theirs, "march-1", GOOD).await;
    assert_eq!(told.problem(), (422, "invalid_fields".to_owned()), "not their key");
    let listed = gateway.ask(Call::get("/v1/payouts").key(&key)).await.json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
    // What cannot be looked up is not said to be nothing.
    gateway.store.fail("the disk is full");
    let told = submit(&gateway, &key, "march-1", GOOD).await;
    assert!(!told.text().contains("Nothing was done"), "{}", told.text());
}

#[tokio::test]
async fn twenty_requests_at_once_with_one_key_make_one_payout() {
    let (gateway, key) = gateway().await;
    let asks = (0..20).map(|_| submit(&gateway, &key, "once", GOOD));
    let mut ids = BTreeSet::new();
    for told in futures_all(asks).await {
        assert_eq!(told.status, 202);
        ids.insert(told.json()["id"].to_string());
    }
    assert_eq!(ids.len(), 1);
}

/// All of them, at once, on this thread.
async fn futures_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut running: Vec<_> = futures.map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|cx| {
        let mut all = true;
        for (future, done) in &mut running {
            if done.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(value) => *done = Some(value),
                    std::task::Poll::Pending => all = false,
                }
            }
        }
        if all { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test]
async fn a_payout_needs_an_idempotency_key() {
    let (gateway, key) = gateway().await;
    let told = gateway.ask(Call::post("/v1/payouts").key(&key).json(GOOD)).await;
    assert_eq!(told.problem(), (400, "idempotency_key_missing".to_owned()));
    for bad in ["", "a b", "ä", &"k".repeat(256)] {
        let told = submit(&gateway, &key, bad, GOOD).await;
        assert_eq!(told.problem(), (400, "idempotency_key_invalid".to_owned()), "{bad}");
    }
}

#[tokio::test]
async fn a_store_that_failed_says_so_and_promises_nothing() {
    let (gateway, key) = gateway().await;
    let payout = taken(&gateway, &key, "k", GOOD).await;
    gateway.store.fail("the disk is full");
    let told = submit(&gateway, &key, "k2", GOOD).await;
    assert_eq!(told.problem(), (503, "store_unavailable".to_owned()));
    assert_eq!(told.header("retry-after"), "30");
    assert!(!told.text().contains("disk is full"), "inner words stay in the log");
    assert!(told.text().contains("same Idempotency-Key"));
    let path = format!("/v1/payouts/{}/cancel", payout["id"].as_str().expect("an id"));
    let told = gateway.ask(Call::post(path).key(&key)).await;
    assert_eq!(told.problem(), (503, "store_unavailable".to_owned()));
    let ready = gateway.ask(Call::get("/readyz")).await;
    assert_eq!(ready.status, 503);
    assert!(ready.text().contains("the store failed"), "{}", ready.text());
    assert!(!ready.text().contains("disk is full"), "anybody may ask here");
    assert_eq!(gateway.ask(Call::get("/healthz")).await.status, 200, "alive all the same");
}
