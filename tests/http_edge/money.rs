//! Money in as applications meet it: prompts, lists, verification, claims, rulings
//! (contract, part 2).

use std::time::Duration;

use mlango::domain::payment::{Asking, Doubt, State, Tries};
use mlango::store::Scope;
use serde_json::{Value, json};

use crate::notices::{CHECKOUT, PROMPT, call, confirmation, paid, prompted};
use crate::support::{Call, Gateway, NOW, Told};

const BOTH: [Scope; 2] = [Scope::PaymentsWrite, Scope::PaymentsRead];

async fn push(gateway: &Gateway, key: &str, once: &str, body: &str) -> Told {
    gateway.ask(Call::post("/v1/stk-pushes").key(key).once(once).json(body)).await
}

async fn get(gateway: &Gateway, key: &str, path: &str) -> Value {
    let told = gateway.ask(Call::get(path).key(key)).await;
    assert_eq!(told.status, 200, "{path}: {}", told.text());
    told.json()
}

#[tokio::test]
async fn a_prompt_is_taken_and_answered_in_the_shape_of_the_contract() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("shop", &BOTH).await;
    let body = r#"{"amount":"10","phone":"0700 000 001","reference":"ORDER001","description":"Subscription"}"#;
    let told = push(&gateway, &key, "k1", body).await;
    assert_eq!(told.status, 202, "{}", told.text());
    let id = told.json()["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("pay_"));
    assert_eq!(told.header("location"), format!("/v1/payments/{id}"));
    let expected = format!(
        r#"{{"id":"{id}","type":"stk","status":"pending","amount":"10.00","currency":"KES","#
    ) + r#""phone":"254700000001","reference":"ORDER001","account":"ORDER001","#
        + r#""shortcode":"174379","receipt":null,"payer_name":null,"merchant_request_id":null,"#
        + r#""checkout_request_id":null,"claimed":false,"claimed_by":null,"claimed_at":null,"#
        + r#""failure":null,"paid_at":null,"created_at":"2024-01-02T03:04:05.000Z","#
        + r#""updated_at":"2024-01-02T03:04:05.000Z","payer_phone_shown":null,"doubt":null}"#;
    assert_eq!(told.text(), expected);
    let again = gateway.ask(Call::get(format!("/v1/payments/{id}")).key(&key)).await;
    assert_eq!((again.status.as_u16(), again.text()), (200, expected.as_str()));
    // The same again is the same, although the phone is busy with it.
    let replayed = push(&gateway, &key, "k1", body).await;
    assert_eq!(
        (replayed.text(), replayed.header("idempotency-replayed")),
        (expected.as_str(), "true")
    );
    let reused = push(&gateway, &key, "k1", PROMPT).await;
    assert_eq!(reused.problem(), (422, "idempotency_key_reused".to_owned()));
    let keyless = gateway.ask(Call::post("/v1/stk-pushes").key(&key).json(body)).await;
    assert_eq!(keyless.problem(), (400, "idempotency_key_missing".to_owned()));
}

#[tokio::test]
async fn every_fault_of_a_prompt_is_named_at_once() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("shop", &BOTH).await;
    let table = [
        ("{}", vec!["amount", "phone", "reference"]),
        (
            r#"{"amount":0,"phone":"12","reference":"ORDER00100012","description":"a long description","colour":"red"}"#,
            vec!["amount", "colour", "description", "phone", "reference"],
        ),
        (
            r#"{"amount":10.5,"phone":7,"reference":"A&B","description":"x#y"}"#,
            vec!["amount", "description", "phone", "reference"],
        ),
        (r#"{"amount":"10.50","phone":"0700000001","reference":" "}"#, vec!["amount", "reference"]),
        (r#"{"amount":"250001","phone":"0700000001","reference":7}"#, vec!["amount", "reference"]),
    ];
    for (body, faulty) in table {
        let told = push(&gateway, &key, "k", body).await;
        assert_eq!(told.problem(), (422, "invalid_fields".to_owned()), "{body}");
        assert_eq!(told.faulty(), faulty, "{body}");
    }
    assert_eq!(push(&gateway, &key, "k", "[]").await.problem(), (400, "invalid_json".to_owned()));
}

#[tokio::test]
async fn a_phone_that_cannot_be_prompted_yet_is_said_so_with_when() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("shop", &BOTH).await;
    assert_eq!(push(&gateway, &key, "k1", PROMPT).await.status, 202);
    let told = push(&gateway, &key, "k2", PROMPT).await;
    assert_eq!(told.problem(), (409, "too_soon".to_owned()));
    let retry_at = told.json()["retry_at"].as_str().expect("a time").to_owned();
    assert!(retry_at > NOW.rfc3339(), "{retry_at}");
    let wait: u64 = told.header("retry-after").parse().expect("seconds");
    assert!((1..=121).contains(&wait), "{wait}");
    let listed = get(&gateway, &key, "/v1/payments").await;
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1), "nothing was written");
    gateway.clock.advance(Duration::from_secs(wait));
    assert_eq!(push(&gateway, &key, "k2", PROMPT).await.status, 202, "the key is not used up");
}

#[tokio::test]
async fn without_daraja_it_says_that_it_is_not_set_up() {
    let gateway = Gateway::new();
    let key = gateway.key("shop", &[Scope::PaymentsWrite, Scope::Admin]).await;
    let told = push(&gateway, &key, "k", PROMPT).await;
    assert_eq!(told.problem(), (409, "not_set_up".to_owned()));
    let told = gateway.ask(Call::post("/v1/balance-inquiries").key(&key)).await;
    assert_eq!(told.problem(), (409, "not_set_up".to_owned()));
}

#[tokio::test]
async fn others_payments_are_not_there_and_nobodys_are_everybodys() {
    let gateway = Gateway::with_daraja();
    let shop = prompted(&gateway).await;
    call(&gateway, "c2b/confirmation", confirmation("UA24AA00YY", "INV-77")).await;
    let other = gateway.key("other", &BOTH).await;
    let auditor = gateway.key("auditor", &[Scope::ReadAll]).await;
    let id = shop["id"].as_str().expect("an id");
    let places = [
        Call::get(format!("/v1/payments/{id}")),
        Call::get(format!("/v1/payments/{id}/events")),
        Call::post(format!("/v1/payments/{id}/claim")).json(r#"{"purpose":"x"}"#),
        Call::post(format!("/v1/stk-pushes/{id}/query")),
        Call::get("/v1/payments/pay_1"),
    ];
    for place in places {
        let what = format!("{place:?}");
        let told = gateway.ask(place.key(&other)).await;
        assert_eq!(told.problem(), (404, "no_such_payment".to_owned()), "{what}");
    }
    let count = async |key: &str, path: &str| {
        get(&gateway, key, path).await["data"].as_array().map(Vec::len)
    };
    assert_eq!(count(&other, "/v1/payments").await, Some(1));
    assert_eq!(count(&auditor, "/v1/payments").await, Some(2));
    let verified = get(&gateway, &other, "/v1/payments/verify?reference=ORDER001").await;
    assert_eq!(verified, json!({"paid": false, "payment": null}));
    let verified = get(&gateway, &other, "/v1/payments/verify?receipt=UA24AA00YY").await;
    assert_eq!(verified["paid"], true);
    let payment = &verified["payment"];
    assert_eq!(
        (&payment["phone"], &payment["payer_phone_shown"]),
        (&Value::Null, &json!("2547*****001"))
    );
    assert_eq!((&payment["type"], &payment["payer_name"]), (&json!("c2b"), &json!("AMINA")));
    assert_eq!(payment["paid_at"], "2024-01-02T03:04:20.000Z");
    // The feed shows each the same.
    let feed = get(&gateway, &other, "/v1/events").await;
    assert_eq!(feed["data"].as_array().map(Vec::len), Some(1));
    assert_eq!(feed["data"][0]["data"]["about"], payment["id"]);
    // The raw callback stands beside the payment.
    let path = format!("/v1/payments/{}/events", payment["id"].as_str().expect("an id"));
    let events = get(&gateway, &other, &path).await;
    let href = events["data"][0]["data"]["messages"][0]["href"].as_str().expect("a message");
    let message = get(&gateway, &other, href).await;
    assert_eq!(message["body"], confirmation("UA24AA00YY", "INV-77"));
    let reader = gateway.key("payouts only", &[Scope::PayoutsRead]).await;
    let told = gateway.ask(Call::get(href).key(&reader)).await;
    assert_eq!(told.problem(), (404, "no_such_message".to_owned()));
    let feed = get(&gateway, &reader, "/v1/events").await;
    assert_eq!(feed["data"], json!([]), "its key does not read payments");
}

#[tokio::test]
async fn payments_are_filtered_and_verified() {
    let gateway = Gateway::with_daraja();
    prompted(&gateway).await;
    call(&gateway, "stk", paid()).await;
    for (receipt, account) in [("UA24AA00YY", "INV-77"), ("UA24AA00XX", "INV-78")] {
        call(&gateway, "c2b/confirmation", confirmation(receipt, account)).await;
    }
    let auditor = gateway.key("auditor", &[Scope::ReadAll]).await;
    let table = [
        ("", 3),
        ("type=stk", 1),
        ("type=c2b", 2),
        ("status=succeeded", 3),
        ("status=failed", 0),
        ("reference=ORDER001", 1),
        ("account=INV-77", 1),
        ("phone=0700000001", 1),
        ("receipt=UA24AA00XX", 1),
        ("claimed=true", 0),
        ("claimed=false", 3),
        ("paid_from=2024-01-02T03:04:20Z", 3),
        ("paid_to=2024-01-02T03:04:20Z", 0),
        ("type=c2b&limit=1", 1),
    ];
    for (query, rows) in table {
        let page = get(&gateway, &auditor, &format!("/v1/payments?{query}")).await;
        assert_eq!(page["data"].as_array().map(Vec::len), Some(rows), "{query}");
    }
    let page = get(&gateway, &auditor, "/v1/payments?limit=2&order=asc").await;
    let next = page["next_cursor"].as_str().expect("a next page");
    let page = get(&gateway, &auditor, &format!("/v1/payments?limit=2&cursor={next}")).await;
    assert_eq!(page["data"].as_array().map(Vec::len), Some(1));
    for (query, expected) in [
        (format!("checkout_request_id={CHECKOUT}"), true),
        ("receipt=UA24AA00ZZ".to_owned(), true),
        ("reference=ORDER001".to_owned(), true),
        ("reference=ORDER002".to_owned(), false),
    ] {
        let told = get(&gateway, &auditor, &format!("/v1/payments/verify?{query}")).await;
        assert_eq!(told["paid"], expected, "{query}");
    }
    for query in ["", "receipt=A&reference=B", "phone=0700000001", "receipt=UA24AA00ZZ&receipt=X"] {
        let told =
            gateway.ask(Call::get(format!("/v1/payments/verify?{query}")).key(&auditor)).await;
        assert_eq!(told.problem(), (400, "invalid_query".to_owned()), "{query}");
    }
    let bad = "/v1/payments?type=x&status=joined&phone=1&claimed=yes&paid_from=now&colour=1";
    let told = gateway.ask(Call::get(bad).key(&auditor)).await;
    assert_eq!(told.faulty(), ["claimed", "colour", "paid_from", "phone", "status", "type"]);
}

#[tokio::test]
async fn of_several_payments_with_one_reference_the_newest_paid_one_is_verified() {
    let gateway = Gateway::with_daraja();
    prompted(&gateway).await;
    call(&gateway, "stk", paid()).await;
    gateway.clock.advance(Duration::from_secs(300));
    let key = gateway.key("second", &BOTH).await;
    assert_eq!(push(&gateway, &key, "k", PROMPT).await.status, 202);
    let auditor = gateway.key("auditor", &[Scope::ReadAll]).await;
    let told = get(&gateway, &auditor, "/v1/payments/verify?reference=ORDER001").await;
    assert_eq!(told["payment"]["receipt"], "UA24AA00ZZ");
    let told = get(&gateway, &key, "/v1/payments/verify?reference=ORDER001").await;
    assert_eq!((&told["paid"], &told["payment"]["status"]), (&json!(false), &json!("pending")));
}

#[tokio::test]
async fn a_payment_is_claimed_once_and_the_same_claim_again_is_good() {
    let gateway = Gateway::with_daraja();
    call(&gateway, "c2b/confirmation", confirmation("UA24AA00YY", "INV-77")).await;
    let shop = gateway.key("shop", &BOTH).await;
    let other = gateway.key("other", &BOTH).await;
    let auditor = gateway.key("auditor", &[Scope::ReadAll, Scope::PaymentsWrite]).await;
    let payment = get(&gateway, &shop, "/v1/payments").await["data"][0].clone();
    let path = format!("/v1/payments/{}/claim", payment["id"].as_str().expect("an id"));
    let claim = async |key: &str, body: &str| {
        gateway.ask(Call::post(path.clone()).key(key).json(body)).await
    };
    let faulty = claim(&shop, r#"{"reason":"x"}"#).await;
    assert_eq!(faulty.faulty(), ["purpose", "reason"]);
    for _ in 0..2 {
        let told = claim(&shop, r#"{"purpose":"order 4711"}"#).await;
        assert_eq!(told.status, 200, "{}", told.text());
        let payment = told.json();
        assert_eq!(
            (&payment["claimed"], &payment["claimed_at"]),
            (&json!(true), &json!(NOW.rfc3339()))
        );
    }
    let told = claim(&shop, r#"{"purpose":"order 4712"}"#).await;
    assert_eq!(told.problem(), (409, "payment_claimed".to_owned()));
    assert_eq!(told.json()["purpose"], "order 4711");
    let told = claim(&other, r#"{"purpose":"order 4711"}"#).await;
    assert_eq!(told.problem(), (409, "payment_claimed".to_owned()));
    let problem = told.json();
    assert!(problem["claimed_by"].as_str().is_some_and(|app| app.starts_with("app_")));
    assert_eq!(
        (&problem["claimed_at"], &problem["purpose"]),
        (&json!(NOW.rfc3339()), &Value::Null)
    );
    assert_eq!(claim(&auditor, r#"{"purpose":"x"}"#).await.json()["purpose"], "order 4711");
    assert_eq!(
        get(&gateway, &other, "/v1/payments?claimed=true").await["data"][0]["claimed"],
        true
    );
}

#[tokio::test]
async fn what_is_not_paid_is_not_claimed_and_what_is_in_doubt_is_ruled_on() {
    let gateway = Gateway::with_daraja();
    let prompt = prompted(&gateway).await;
    let admin = gateway.key("admin", &[Scope::Admin, Scope::ReadAll, Scope::PaymentsWrite]).await;
    let id = prompt["id"].as_str().expect("an id");
    let claim = Call::post(format!("/v1/payments/{id}/claim")).key(&admin);
    let told = gateway.ask(claim.json(r#"{"purpose":"x"}"#)).await;
    assert_eq!(told.problem(), (409, "payment_not_paid".to_owned()));
    let ruling = r#"{"outcome":"paid","receipt":"UA24AA00ZZ","reason":"seen","evidence":"portal"}"#;
    let resolve = async || {
        let call = Call::post(format!("/v1/payments/{id}/resolve")).key(&admin);
        gateway.ask(call.json(ruling)).await
    };
    assert_eq!(resolve().await.problem(), (409, "not_in_doubt".to_owned()));
    let unknown = State::Unknown {
        tries: Tries { attempts: 1, sent_at: Some(NOW), ..Tries::NONE },
        why: Doubt::NoAnswer,
        since: NOW,
        prompt: None,
        asking: Asking::first_at(NOW),
    };
    gateway.stands(&prompt, unknown).await;
    let shown = get(&gateway, &admin, &format!("/v1/payments/{id}")).await;
    assert_eq!(shown["doubt"]["why"], "bytes left and no answer came");
    let told = resolve().await;
    assert_eq!((told.status.as_u16(), &told.json()["receipt"]), (200, &json!("UA24AA00ZZ")));
    let store_fails = async |call: Call| {
        gateway.store.fail("the disk is full");
        gateway.ask(call).await.problem()
    };
    let claim = Call::post(format!("/v1/payments/{id}/claim")).key(&admin);
    let told = store_fails(claim.json(r#"{"purpose":"x"}"#)).await;
    assert_eq!(told, (503, "store_unavailable".to_owned()));
}

#[tokio::test]
async fn a_case_is_shown_to_whoever_may_read_what_it_is_about() {
    let gateway = Gateway::with_daraja();
    let scopes = [Scope::PaymentsWrite, Scope::PayoutsRead];
    let blind = gateway.key("shop", &scopes).await;
    let prompt = push(&gateway, &blind, "k", PROMPT).await.json();
    let path = format!("stk/{}", crate::notices::tag('2', &prompt["id"]));
    call(&gateway, &path, paid().replace("10.0", "11.0")).await;
    let auditor = gateway.key("auditor", &[Scope::ReadAll]).await;
    let cases = get(&gateway, &auditor, "/v1/cases").await;
    assert_eq!(cases["data"][0]["about"], prompt["id"]);
    let case = format!("/v1/cases/{}", cases["data"][0]["id"].as_str().expect("an id"));
    assert_eq!(get(&gateway, &blind, "/v1/cases").await["data"], json!([]));
    let told = gateway.ask(Call::get(case).key(&blind)).await;
    assert_eq!(told.problem(), (404, "no_such_case".to_owned()));
}

#[tokio::test]
async fn expected_references_are_taken_whole_or_not_at_all() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("billing", &BOTH).await;
    let path = "/v1/c2b/expected-references";
    let csv = "reference,amount,phone,expires_at,times\nINV-1,10,0700000001,2026-12-31T21:00:00Z,once\n\
               ACC-1,,,,many\n";
    let told =
        gateway.ask(Call::post(path).key(&key).header("Content-Type", "text/csv").body(csv)).await;
    assert_eq!((told.status.as_u16(), told.text()), (200, r#"{"taken":2}"#));
    let bad = r#"[{"reference":"INV-2","amount":"1.5"},{"amount":10},7,
                  {"reference":"inv-2"},{"reference":"INV-3","phone":"1","expires_at":"x","times":3}]"#;
    let told = gateway.ask(Call::post(path).key(&key).json(bad)).await;
    assert_eq!(told.faulty(), ["[2]"]);
    let told = gateway.ask(Call::post(path).key(&key).json(bad.replace("7,", ""))).await;
    let faulty = ["[0].amount", "[1].reference", "[3].expires_at", "[3].phone", "[3].times"];
    assert_eq!(told.faulty(), faulty);
    let twice = r#"[{"reference":"INV-4"},{"reference":" inv-4 "}]"#;
    let told = gateway.ask(Call::post(path).key(&key).json(twice)).await;
    assert_eq!(told.faulty(), ["[1].reference"]);
    let other = gateway.key("other", &BOTH).await;
    let told = gateway.ask(Call::post(path).key(&other).json(r#"[{"reference":"inv-1"}]"#)).await;
    assert_eq!(told.faulty(), ["[0].reference"], "it is another application's");
    for body in ["{}", "[", "reference"] {
        let told = gateway.ask(Call::post(path).key(&key).json(body)).await;
        assert_eq!(told.problem(), (400, "invalid_json".to_owned()), "{body}");
    }
    for (head, answer) in [("reference,amount\n", 200), ("refrence,amount\n", 422), ("{}", 422)] {
        let call = Call::post(path).key(&key).header("Content-Type", "text/csv").body(head);
        assert_eq!(gateway.ask(call).await.status, answer, "a file without rows: {head}");
    }
    let many = |rows: usize| {
        let rows: Vec<Value> = (0..rows).map(|n| json!({"reference": format!("R-{n}")})).collect();
        Value::from(rows).to_string()
    };
    let told = gateway.ask(Call::post(path).key(&key).json(many(10_001))).await;
    assert_eq!(told.problem(), (413, "body_too_large".to_owned()));
    let told = gateway.ask(Call::post(path).key(&key).json(many(10_000))).await;
    assert_eq!((told.status.as_u16(), told.text()), (200, r#"{"taken":10000}"#));
}
