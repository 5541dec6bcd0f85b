//! What is asked of M-Pesa besides payouts and prompts, as applications meet it.

use mlango::domain::id::Receipt;
use mlango::domain::inquiry::{Answer, Failure, Names, Picture, Settled, State, Tries};
use mlango::domain::payout::Stage;
use mlango::store::Scope;
use serde_json::{Value, json};

use crate::notices::{call, confirmation};
use crate::support::{Call, GOOD, Gateway, NOW, Told};

const ALL: [Scope; 4] =
    [Scope::PaymentsWrite, Scope::PaymentsRead, Scope::PayoutsWrite, Scope::Admin];

async fn post(gateway: &Gateway, key: &str, path: &str, once: &str, body: &str) -> Told {
    gateway.ask(Call::post(path).key(key).once(once).json(body)).await
}

/// What is asked for, where, and how it is shown.
#[expect(clippy::too_many_lines, reason = "a table")]
fn asks() -> [(&'static str, &'static str, &'static str, Value); 12] {
    [
        ("/v1/balance-inquiries", "", "balance", json!({})),
        (
            "/v1/balance-inquiries",
            r#"{"shortcode":"600111","rail":"daraja"}"#,
            "balance",
            json!({}),
        ),
        (
            "/v1/transaction-status-inquiries",
            r#"{"receipt":"UA24AA00ZZ"}"#,
            "transaction_status",
            json!({"receipt": "UA24AA00ZZ"}),
        ),
        (
            "/v1/transaction-status-inquiries",
            r#"{"originator_conversation_id":"600999_ExampleOrg_1"}"#,
            "transaction_status",
            json!({"originator_conversation_id": "600999_ExampleOrg_1"}),
        ),
        (
            "/v1/c2b/register-urls",
            "{}",
            "register_urls",
            json!({"response_type": "Completed", "version": "v2"}),
        ),
        (
            "/v1/c2b/simulate",
            r#"{"amount":10,"phone":"0700000001","account":"INV-77"}"#,
            "simulate_c2b",
            json!({"command": "CustomerPayBillOnline", "amount": "10.00",
                   "phone": "254700000001", "account": "INV-77", "version": "v2"}),
        ),
        (
            "/v1/business-payments",
            r#"{"to":"888880","amount":"1000000","account":"A-1","remarks":"Rent"}"#,
            "business_payment",
            json!({"command": "BusinessPayBill", "to": "888880", "amount": "1000000.00",
                   "account": "A-1", "requester": null, "remarks": "Rent", "occasion": ""}),
        ),
        (
            "/v1/tax-payments",
            r#"{"prn":"2020000000012345","amount":"5000","remarks":"VAT"}"#,
            "tax",
            json!({"prn": "2020000000012345", "amount": "5000.00", "remarks": "VAT"}),
        ),
        (
            "/v1/c2b/register-pull",
            r#"{"nominated_number":"0722 000 111"}"#,
            "register_pull",
            json!({"nominated_number": "254722000111"}),
        ),
        (
            "/v1/qr-codes",
            r#"{"amount":"10","reference":"INV-77"}"#,
            "qr_code",
            json!({"merchant_name": "ExampleOrg", "reference": "INV-77", "amount": "10.00",
                   "kind": "paybill", "receiver": "174379", "size": 300}),
        ),
        (
            "/v1/qr-codes",
            r#"{"amount":10,"reference":"INV-77","kind":"till","receiver":"5123456","size":1000,
                "merchant_name":"Duka & Sons"}"#,
            "qr_code",
            json!({"merchant_name": "Duka & Sons", "reference": "INV-77", "amount": "10.00",
                   "kind": "till", "receiver": "5123456", "size": 1000}),
        ),
        (
            "/v1/qr-codes",
            r#"{"amount":10,"reference":"INV-77","kind":"business","receiver":"+254 722 000111"}"#,
            "qr_code",
            json!({"merchant_name": "ExampleOrg", "reference": "INV-77", "amount": "10.00",
                   "kind": "business", "receiver": "254722000111", "size": 300}),
        ),
    ]
}

#[tokio::test]
async fn an_inquiry_is_taken_and_polled() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("desk", &ALL).await;
    for (number, (path, body, kind, request)) in asks().into_iter().enumerate() {
        let once = format!("k{number}");
        let told = post(&gateway, &key, path, &once, body).await;
        assert_eq!(told.status, 202, "{path}: {}", told.text());
        let inquiry = told.json();
        let id = inquiry["id"].as_str().expect("an id");
        assert!(id.starts_with("inq_"));
        assert_eq!(told.header("location"), format!("/v1/inquiries/{id}"));
        assert_eq!((&inquiry["type"], &inquiry["request"]), (&json!(kind), &request), "{path}");
        assert_eq!((&inquiry["status"], &inquiry["rail"]), (&json!("queued"), &json!("daraja")));
        let polled = gateway.ask(Call::get(format!("/v1/inquiries/{id}")).key(&key)).await;
        assert_eq!(polled.json(), inquiry);
        let replayed = post(&gateway, &key, path, &once, body).await;
        assert_eq!((replayed.json(), replayed.header("idempotency-replayed")), (inquiry, "true"));
    }
    let listed = gateway.ask(Call::get("/v1/inquiries?status=queued").key(&key)).await.json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(12));
    let other = gateway.key("other", &ALL).await;
    let id = listed["data"][0]["id"].as_str().expect("an id");
    for call in [
        Call::get(format!("/v1/inquiries/{id}")),
        Call::get(format!("/v1/inquiries/{id}/events")),
        Call::post(format!("/v1/inquiries/{id}/inquire")),
        Call::get("/v1/inquiries/x"),
    ] {
        let told = gateway.ask(call.key(&other)).await;
        assert_eq!(told.problem(), (404, "no_such_inquiry".to_owned()));
    }
    let own = Call::post(format!("/v1/inquiries/{id}/inquire")).key(&key);
    assert_eq!(gateway.ask(own).await.problem(), (409, "not_in_doubt".to_owned()));
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table")]
async fn every_fault_of_an_inquiry_is_named_at_once() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("desk", &ALL).await;
    let table = [
        ("/v1/balance-inquiries", r#"{"shortcode":"1","x":1}"#, vec!["shortcode", "x"]),
        ("/v1/balance-inquiries", r#"{"shortcode":"600111","rail":"soap"}"#, vec!["shortcode"]),
        ("/v1/transaction-status-inquiries", "{}", vec!["receipt"]),
        (
            "/v1/transaction-status-inquiries",
            r#"{"receipt":"UA20000000","shortcode":"600111","rail":"soap"}"#,
            vec!["receipt", "shortcode"],
        ),
        ("/v1/c2b/register-urls", r#"{"shortcode":"600111","rail":"soap"}"#, vec!["shortcode"]),
        (
            "/v1/transaction-status-inquiries",
            r#"{"receipt":"UA20000000","originator_conversation_id":"x"}"#,
            vec!["receipt", "receipt"],
        ),
        ("/v1/reversals", "{}", vec!["amount", "receipt", "remarks"]),
        (
            "/v1/c2b/register-urls",
            r#"{"response_type":"completed","version":"v3","rail":"x"}"#,
            vec!["rail", "response_type", "version"],
        ),
        ("/v1/c2b/simulate", "{}", vec!["account", "amount", "phone"]),
        (
            "/v1/c2b/simulate",
            r#"{"command":"CustomerBuyGoodsOnline","amount":1,"phone":"0700000001","account":"A"}"#,
            vec!["account"],
        ),
        ("/v1/business-payments", "{}", vec!["account", "amount", "remarks", "to"]),
        (
            "/v1/business-payments",
            r#"{"command":"Pay","to":"x","amount":"0","remarks":"x","account":"A&B"}"#,
            vec!["account", "amount", "command", "remarks", "to"],
        ),
        ("/v1/tax-payments", r#"{"prn":"1-2","remarks":"VAT"}"#, vec!["amount", "prn"]),
        ("/v1/c2b/register-pull", "{}", vec!["nominated_number"]),
        (
            "/v1/c2b/register-pull",
            r#"{"nominated_number":722000111,"shortcode":"x","url":"https://x"}"#,
            vec!["nominated_number", "shortcode", "url"],
        ),
        ("/v1/qr-codes", "{}", vec!["amount", "reference"]),
        (
            "/v1/qr-codes",
            r#"{"amount":"10.50","reference":"INV/77","kind":"shop","size":99,"merchant_name":7}"#,
            vec!["amount", "kind", "merchant_name", "reference", "size"],
        ),
        (
            "/v1/qr-codes",
            r#"{"amount":"250001","reference":"INVOICE-00077","kind":"till","size":"300"}"#,
            vec!["amount", "receiver", "reference", "size"],
        ),
        (
            "/v1/qr-codes",
            r#"{"amount":10,"reference":"INV-77","kind":"phone","size":70000}"#,
            vec!["receiver", "size"],
        ),
        (
            "/v1/qr-codes",
            r#"{"amount":10,"reference":"INV-77","kind":"phone","receiver":"174379"}"#,
            vec!["receiver"],
        ),
        (
            "/v1/qr-codes",
            r#"{"amount":10,"reference":"INV-77","kind":"paybill","receiver":"0722000111"}"#,
            vec!["receiver"],
        ),
    ];
    for (path, body, faulty) in table {
        let told = post(&gateway, &key, path, "k", body).await;
        assert_eq!(told.problem(), (422, "invalid_fields".to_owned()), "{path} {body}");
        assert_eq!(told.faulty(), faulty, "{path} {body}");
    }
    for path in ["/v1/reversals", "/v1/business-payments", "/v1/tax-payments"] {
        let told = gateway.ask(Call::post(path).key(&key).json("{}")).await;
        assert_eq!(told.problem(), (400, "idempotency_key_missing".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_qr_code_is_polled_and_lists_leave_its_picture_out() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("desk", &ALL).await;
    let body = r#"{"amount":"10","reference":"INV-77"}"#;
    let told = post(&gateway, &key, "/v1/qr-codes", "k", body).await;
    let picture = Picture::new("iVBORw0KGgo=").map(Answer::Pictured).expect("a picture");
    let settled = Settled { at: NOW, names: Names::default(), tries: Tries::NONE };
    gateway.inquiry_stands(&told.json(), State::Succeeded { answer: picture, settled }).await;
    let shown = gateway.ask(Call::get(told.header("location")).key(&key)).await.json();
    assert_eq!(shown["answer"], json!({"png_base64": "iVBORw0KGgo="}));
    let listed = gateway.ask(Call::get("/v1/inquiries").key(&key)).await.json();
    assert_eq!(
        (&listed["data"][0]["status"], &listed["data"][0]["answer"]),
        (&json!("succeeded"), &json!({}))
    );
    let reader = gateway.key("reader", &[Scope::PaymentsRead]).await;
    let told = post(&gateway, &reader, "/v1/qr-codes", "k", body).await;
    assert_eq!(told.problem(), (403, "scope_missing".to_owned()));
    let without = Gateway::new();
    let key = without.key("desk", &ALL).await;
    for (path, body) in
        [("/v1/qr-codes", body), ("/v1/c2b/register-pull", r#"{"nominated_number":"0722000111"}"#)]
    {
        let told = post(&without, &key, path, "k", body).await;
        assert_eq!(told.problem().1, "not_set_up", "{path}");
    }
}

fn reversal(receipt: &str, amount: &str) -> String {
    json!({"receipt": receipt, "amount": amount, "remarks": "sold out"}).to_string()
}

#[tokio::test]
async fn a_payment_is_reversed_once() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("desk", &ALL).await;
    call(&gateway, "c2b/confirmation", confirmation("UA24AA00ZZ", "INV-77")).await;
    let path = "/v1/reversals";
    let unknown = post(&gateway, &key, path, "k1", &reversal("UA24AA00YY", "10")).await;
    assert_eq!(unknown.problem(), (404, "no_such_payment".to_owned()));
    let more = post(&gateway, &key, path, "k1", &reversal("UA24AA00ZZ", "11")).await;
    assert_eq!(more.faulty(), ["amount"]);
    let told = post(&gateway, &key, path, "k1", &reversal("UA24AA00ZZ", "10")).await;
    assert_eq!(told.status, 202, "{}", told.text());
    let inquiry = told.json();
    assert!(inquiry["request"]["payment_id"].as_str().is_some_and(|id| id.starts_with("pay_")));
    assert_eq!(inquiry["shortcode"], "174379", "the number that was paid");
    let again = post(&gateway, &key, path, "k1", &reversal("UA24AA00ZZ", "10")).await;
    assert_eq!((again.json(), again.header("idempotency-replayed")), (inquiry.clone(), "true"));
    let second = post(&gateway, &key, path, "k2", &reversal("UA24AA00ZZ", "10")).await;
    assert_eq!(second.problem(), (409, "already_reversed".to_owned()));
    // One that failed gave nothing back.
    let failed = State::Failed {
        failure: Failure {
            stage: Stage::Result,
            code: "1".to_owned(),
            description: "no funds".to_owned(),
            retryable: true,
        },
        settled: Settled { at: NOW, names: Names::default(), tries: Tries::NONE },
    };
    gateway.inquiry_stands(&inquiry, failed).await;
    let shown = gateway.ask(Call::get(told.header("location")).key(&key)).await;
    assert_eq!(shown.status, 200, "payments:read shows it");
    assert_eq!(shown.json()["failure"]["code"], "1");
    let third = post(&gateway, &key, path, "k3", &reversal("UA24AA00ZZ", "10")).await;
    assert_eq!(third.status, 202, "{}", third.text());
    assert!(Receipt::new("UA24AA00ZZ").is_some());
}

#[tokio::test]
async fn an_inquiry_goes_the_way_that_it_names() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("desk", &ALL).await;
    for (path, body) in [
        ("/v1/balance-inquiries", json!({"rail": "soap"})),
        ("/v1/transaction-status-inquiries", json!({"receipt": "UA24AA00ZZ", "rail": "soap"})),
        ("/v1/c2b/register-urls", json!({"rail": "soap"})),
        (
            "/v1/business-payments",
            json!({"to": "888880", "amount": "10", "account": "A", "remarks": "Rent",
                   "rail": "soap"}),
        ),
    ] {
        let told = post(&gateway, &key, path, path, &body.to_string()).await;
        assert_eq!((told.status.as_u16(), &told.json()["rail"]), (202, &json!("soap")), "{path}");
    }
}

#[tokio::test]
async fn two_reversals_of_one_receipt_at_once_are_one() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("desk", &ALL).await;
    call(&gateway, "c2b/confirmation", confirmation("UA24AA00ZZ", "INV-77")).await;
    let body = reversal("UA24AA00ZZ", "10");
    let (one, other) = tokio::join!(
        post(&gateway, &key, "/v1/reversals", "k1", &body),
        post(&gateway, &key, "/v1/reversals", "k2", &body),
    );
    let mut told = [one.status.as_u16(), other.status.as_u16()];
    told.sort_unstable();
    assert_eq!(told, [202, 409]);
}

#[tokio::test]
async fn a_payout_is_not_reversed_and_it_is_said_what_to_do() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("desk", &ALL).await;
    let payout = post(&gateway, &key, "/v1/payouts", "k", GOOD).await.json();
    let id = payout["id"].as_str().expect("an id");
    let told = gateway.ask(Call::post(format!("/v1/payouts/{id}/reverse")).key(&key)).await;
    assert_eq!(told.problem(), (409, "not_reversible".to_owned()));
    let other = gateway.key("other", &ALL).await;
    let told = gateway.ask(Call::post(format!("/v1/payouts/{id}/reverse")).key(&other)).await;
    assert_eq!(told.problem(), (404, "no_such_payout".to_owned()));
}

#[tokio::test]
async fn a_payout_names_its_rail_and_only_commands_that_it_has() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("desk", &ALL).await;
    let body = |command: &str| {
        json!({"amount": "10", "phone": "0722000111", "rail": "daraja", "command": command})
            .to_string()
    };
    let told = post(&gateway, &key, "/v1/payouts", "k1", &body("SalaryPayment")).await;
    assert_eq!((told.status.as_u16(), &told.json()["rail"]), (202, &json!("daraja")));
    let told = post(&gateway, &key, "/v1/payouts", "k2", &body("TransferFromBankToCustomer")).await;
    assert_eq!(told.faulty(), ["command"]);
}

#[tokio::test]
async fn the_feed_goes_on_where_it_was_left() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("desk", &ALL).await;
    for number in 0..5 {
        let once = format!("k{number}");
        assert_eq!(post(&gateway, &key, "/v1/balance-inquiries", &once, "").await.status, 202);
    }
    let mut seen: Vec<Value> = vec![];
    let mut after = "0".to_owned();
    loop {
        let path = format!("/v1/events?limit=2&after={after}");
        let page = gateway.ask(Call::get(path).key(&key)).await.json();
        seen.extend(page["data"].as_array().expect("events").clone());
        match page["next_cursor"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    // Who reads everything sees that the application was made, too.
    assert_eq!(seen.remove(0)["type"], "admin.app_created");
    let seqs: Vec<Option<u64>> = seen.iter().map(|event| event["seq"].as_u64()).collect();
    assert_eq!(seqs, [Some(2), Some(3), Some(4), Some(5), Some(6)]);
    assert!(seen.iter().all(|event| event["type"] == "inquiry.queued"), "{seen:?}");
    let bad = gateway.ask(Call::get("/v1/events?after=x&cursor=1").key(&key)).await;
    assert_eq!(bad.faulty(), ["after", "cursor"]);
}
