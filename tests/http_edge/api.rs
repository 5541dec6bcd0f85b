//! The REST API as finance systems meet it: what it takes, what it refuses and in which words, and
//! who may see what (contract, part 2).

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::{BODY_BYTES_MAX, Call, GOOD, Gateway, NOW, TOKEN, Told};
use mlango::http::openapi;
use mlango::http::problem::Code;
use mlango::http::router::ROUTES;
use mlango::soap::result::Report;
use mlango::store::Scope;
use serde_json::{Value, json};

async fn submit(gateway: &Gateway, key: &str, once: &str, body: &str) -> Told {
    let call = Call::post("/v1/payouts").key(key).once(once).json(body);
    gateway.ask(call).await
}

/// A gateway and a key that may submit and look.
async fn gateway() -> (Gateway, String) {
    let gateway = Gateway::new();
    let scopes = [Scope::PayoutsWrite, Scope::PayoutsRead];
    let key = gateway.key("finance", &scopes).await;
    (gateway, key)
}

/// A payout that was taken.
async fn taken(gateway: &Gateway, key: &str, once: &str, body: &str) -> Value {
    let told = submit(gateway, key, once, body).await;
    assert_eq!(told.status, 202, "{}", told.text());
    told.json()
}

/// What M-Pesa says of a payout whose request it took.
async fn settled(gateway: &Gateway, payout: &Value, code: &str, receipt: Option<&str>) {
    gateway.accepted(payout).await;
    result(gateway, payout, code, receipt).await;
}

/// What M-Pesa says of a payout.
async fn result(gateway: &Gateway, payout: &Value, code: &str, receipt: Option<&str>) {
    let name = payout["originator_conversation_id"]
        .as_str()
        .expect("a name");
    let mut parameters = vec![];
    if receipt.is_some() {
        parameters.push((
            "TransactionAmount",
            payout["amount"].as_str().expect("an amount"),
        ));
    }
    let report = Report {
        code,
        description: "what M-Pesa says of it",
        originator_conversation_id: name,
        conversation_id: "AG_20240102_0001",
        receipt,
        parameters,
        references: vec![],
    };
    let call = Call::post(format!("/cb/{TOKEN}/b2c/result")).body(report.render());
    let told = call.put(&gateway.callbacks(&[])).await;
    assert_eq!(told.status, 200, "{}", told.text());
}

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
    let name = payout["originator_conversation_id"]
        .as_str()
        .expect("a name");
    let letters = id.strip_prefix("po_").expect("a prefix");
    assert_eq!(name, format!("600999_ExampleOrg_{letters}"));
    // Byte for byte: fields in the contract's order.
    let expected =
        format!(r#"{{"id":"{id}","status":"queued","amount":"1500.00","currency":"KES","#,)
            + r#""phone":"254722000111","command":"BusinessPayment","reference":"INV-2041","#
            + r#""remarks":"March commission","occasion":"","metadata":{"branch":"Nakuru"},"#
            + &format!(r#""rail":"soap","batch_id":null,"originator_conversation_id":"{name}","#)
            + r#""conversation_id":null,"receipt":null,"recipient_name":null,"charge":null,"#
            + r#""failure":null,"created_at":"2024-01-02T03:04:05.000Z","#
            + r#""updated_at":"2024-01-02T03:04:05.000Z","completed_at":null}"#;
    assert_eq!(told.text(), expected);
    let again = gateway
        .ask(Call::get(format!("/v1/payouts/{id}")).key(&key))
        .await;
    assert_eq!(
        (again.status.as_u16(), again.text()),
        (200, expected.as_str())
    );
}

#[tokio::test]
async fn what_a_payout_may_leave_out_and_how_it_may_be_written() {
    let (gateway, key) = gateway().await;
    let table = [
        (
            r#"{"amount":10,"phone":"722000111"}"#,
            "10.00",
            "254722000111",
        ),
        (
            r#"{"amount":"250000","phone":"+254 110-000-111"}"#,
            "250000.00",
            "254110000111",
        ),
        (
            r#"{"amount":"10.0","phone":"0722000111","command":null,"metadata":null,"rail":"soap"}"#,
            "10.00",
            "254722000111",
        ),
    ];
    for (number, (body, amount, phone)) in table.into_iter().enumerate() {
        let payout = taken(&gateway, &key, &format!("k{number}"), body).await;
        assert_eq!(
            (&payout["amount"], &payout["phone"]),
            (&json!(amount), &json!(phone))
        );
        assert_eq!(payout["command"], "BusinessPayment");
        assert_eq!(
            (&payout["remarks"], &payout["metadata"]),
            (&json!(""), &json!({}))
        );
    }
}

#[tokio::test]
async fn each_faulty_field_is_named() {
    let (gateway, key) = gateway().await;
    let long = |length: usize| "x".repeat(length);
    let with = |field: &str, value: Value| {
        let mut body = json!({"amount": "1500", "phone": "0722000111"});
        body[field] = value;
        body.to_string()
    };
    let many: serde_json::Map<String, Value> =
        (0..21).map(|n| (format!("k{n}"), json!(""))).collect();
    let table = [
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
        (
            "amount",
            r#"{"amount":1500.00,"phone":"0722000111"}"#.to_owned(),
        ),
        (
            "amount",
            r#"{"amount":1.5e3,"phone":"0722000111"}"#.to_owned(),
        ),
        (
            "amount",
            r#"{"amount":99999999999999999999,"phone":"0722000111"}"#.to_owned(),
        ),
        ("amount", r#"{"phone":"0722000111"}"#.to_owned()),
        (
            "amount",
            r#"{"amount":"10","amount":"20","phone":"0722000111"}"#.to_owned(),
        ),
        ("phone", with("phone", json!("0722"))),
        ("phone", with("phone", json!("0822000111"))),
        ("phone", with("phone", json!("+255722000111"))),
        ("phone", with("phone", json!(722000111))),
        ("phone", with("phone", json!("٠٧٢٢٠٠٠١١١"))),
        ("phone", r#"{"amount":"10"}"#.to_owned()),
        ("command", with("command", json!("PayBill"))),
        ("command", with("command", json!("businesspayment"))),
        ("command", with("command", json!(1))),
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
    ];
    for (field, body) in table {
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
    let bytes = Call::post("/v1/payouts")
        .key(&key)
        .once("k")
        .body(b"{\"a\":\"\xff\"}".to_vec());
    assert_eq!(
        gateway.ask(bytes).await.problem(),
        (400, "invalid_json".to_owned())
    );
    let large = format!("{{\"amount\":\"{}\"}}", "1".repeat(BODY_BYTES_MAX));
    let told = submit(&gateway, &key, "k", &large).await;
    assert_eq!(told.problem(), (413, "body_too_large".to_owned()));
    for media_type in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "x",
    ] {
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

    let other = submit(
        &gateway,
        &key,
        "march-1",
        &GOOD.replace("1500.00", "1501.00"),
    )
    .await;
    assert_eq!(other.problem(), (422, "idempotency_key_reused".to_owned()));
    let blank = submit(&gateway, &key, "march-1", &format!("{GOOD} ")).await;
    assert_eq!(
        blank.problem(),
        (422, "idempotency_key_reused".to_owned()),
        "byte for byte"
    );

    let listed = gateway.ask(Call::get("/v1/payouts").key(&key)).await.json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));

    // Another application's key of the same name is another key.
    let theirs = gateway.key("other", &[Scope::PayoutsWrite]).await;
    let told = submit(&gateway, &theirs, "march-1", GOOD).await;
    assert_eq!(
        (told.status.as_u16(), told.header("idempotency-replayed")),
        (202, "")
    );
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
        if all {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    running.into_iter().filter_map(|(_, done)| done).collect()
}

#[tokio::test]
async fn a_payout_needs_an_idempotency_key() {
    let (gateway, key) = gateway().await;
    let told = gateway
        .ask(Call::post("/v1/payouts").key(&key).json(GOOD))
        .await;
    assert_eq!(told.problem(), (400, "idempotency_key_missing".to_owned()));
    for bad in ["", "a b", "ä", &"k".repeat(256)] {
        let told = submit(&gateway, &key, bad, GOOD).await;
        assert_eq!(
            told.problem(),
            (400, "idempotency_key_invalid".to_owned()),
            "{bad}"
        );
    }
}

#[tokio::test]
async fn keys_open_what_their_scopes_say_and_nothing_else() {
    let gateway = Gateway::new();
    let mut keys = vec![];
    for scope in Scope::ALL {
        keys.push((scope, gateway.key(scope.as_str(), &[scope]).await));
    }
    for route in &ROUTES {
        let path = route.path.replace("{id}", "po_00000000000000000000000000");
        let call = || {
            Call::new(route.method.as_str(), path.clone())
                .once("k")
                .json(GOOD)
        };
        let Some(needed) = route.scope() else {
            let open = gateway.ask(call()).await;
            assert!(open.status.is_success(), "{route:?} needs no key");
            continue;
        };
        let bare = gateway.ask(call()).await;
        assert_eq!(bare.problem(), (401, "key_missing".to_owned()), "{route:?}");
        assert!(bare.header("www-authenticate").starts_with("Bearer "));
        for (scope, key) in &keys {
            let told = gateway.ask(call().key(key)).await;
            let reads = needed == Scope::PayoutsRead && *scope == Scope::ReadAll;
            if *scope == needed || reads {
                assert!(
                    ![401, 403].contains(&told.status.as_u16()),
                    "{route:?} {scope:?}"
                );
            } else {
                assert_eq!(
                    told.problem(),
                    (403, "scope_missing".to_owned()),
                    "{route:?}"
                );
                let detail = told.json()["detail"].to_string();
                assert!(detail.contains(needed.as_str()), "{detail}");
            }
        }
    }
}

#[tokio::test]
async fn a_key_is_good_until_it_is_rotated_out_or_revoked() {
    let (gateway, key) = gateway().await;
    let status = async |key: &str| {
        let call = Call::get("/v1/payouts").header("Authorization", &format!("Bearer {key}"));
        gateway.ask(call).await.status.as_u16()
    };
    assert_eq!(status(&key).await, 200);
    for wrong in [
        "",
        "mk_",
        &key[1..],
        &key.to_uppercase(),
        &format!("{key}0"),
        &"k".repeat(9_999),
    ] {
        assert_eq!(status(wrong).await, 401, "{wrong}");
    }
    let basic = Call::get("/v1/payouts").header("Authorization", "Basic bWs6");
    assert_eq!(
        gateway.ask(basic).await.problem(),
        (401, "key_missing".to_owned())
    );

    let id = gateway.desk().list().await.expect("apps")[0].id;
    let grace = Duration::from_secs(60);
    let (app, second) = gateway.desk().rotate(id, grace).await.expect("a new key");
    gateway.apps.put(&app);
    assert_eq!(
        (status(&key).await, status(second.reveal()).await),
        (200, 200)
    );
    gateway.clock.advance(grace);
    assert_eq!(
        (status(&key).await, status(second.reveal()).await),
        (401, 200)
    );

    let (app, third) = gateway
        .desk()
        .rotate(id, Duration::ZERO)
        .await
        .expect("a new key");
    gateway.apps.put(&app);
    assert_eq!(
        (status(second.reveal()).await, status(third.reveal()).await),
        (401, 200)
    );
    let reread = mlango::http::auth::Apps::load(gateway.store.as_ref())
        .await
        .expect("apps");
    assert!(
        reread.caller(third.reveal(), NOW).is_some(),
        "as after a restart"
    );
    assert!(reread.caller(key.as_str(), NOW).is_none());

    let app = gateway.desk().revoke(id).await.expect("revoked");
    gateway.apps.put(&app);
    assert_eq!(status(third.reveal()).await, 401);
    assert!(gateway.desk().revoke(id).await.is_err(), "for ever");
    let kept = format!("{:?}", gateway.desk().list().await.expect("apps"));
    assert!(!kept.contains(&key), "only hashes are kept");
}

#[tokio::test]
async fn an_application_sees_its_own_payouts_only() {
    let (gateway, key) = gateway().await;
    let payout = taken(&gateway, &key, "k", GOOD).await;
    settled(&gateway, &payout, "0", Some("QK12ABCD34")).await;
    let id = payout["id"].as_str().expect("an id");
    let scopes = [Scope::PayoutsRead, Scope::PayoutsWrite];
    let theirs = gateway.key("other", &scopes).await;
    let auditor = gateway.key("auditor", &[Scope::ReadAll]).await;
    let path = format!("/v1/payouts/{id}/events");
    let events = gateway.ask(Call::get(path).key(&key)).await.json();
    let message = events["data"][1]["data"]["messages"][0]["href"].as_str();
    let message = message.expect("a message").to_owned();

    let places = [
        (Call::get(format!("/v1/payouts/{id}")), "no_such_payout"),
        (
            Call::get(format!("/v1/payouts/{id}/events")),
            "no_such_payout",
        ),
        (
            Call::post(format!("/v1/payouts/{id}/cancel")),
            "no_such_payout",
        ),
        (Call::get(message.clone()), "no_such_message"),
    ];
    for (call, code) in places {
        let told = gateway.ask(call.key(&theirs)).await;
        assert_eq!(told.problem(), (404, code.to_owned()));
    }
    let listed = gateway
        .ask(Call::get("/v1/payouts").key(&theirs))
        .await
        .json();
    assert_eq!(listed["data"], json!([]));
    for path in [
        format!("/v1/payouts/{id}"),
        format!("/v1/payouts/{id}/events"),
        message,
    ] {
        assert_eq!(gateway.ask(Call::get(path).key(&auditor)).await.status, 200);
    }
    let listed = gateway
        .ask(Call::get("/v1/payouts").key(&auditor))
        .await
        .json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_cannot_be_done_so_is_405() {
    let (gateway, key) = gateway().await;
    let table = [
        (
            "/v1/payouts/po_00000000000000000000000000",
            "no_such_payout",
        ),
        ("/v1/payouts/po_1", "no_such_payout"),
        ("/v1/payouts/%ff", "no_such_payout"),
        (
            "/v1/payouts/po_00000000000000000000000000/events",
            "no_such_payout",
        ),
        (
            "/v1/messages/msg_00000000000000000000000000",
            "no_such_message",
        ),
        ("/v1/messages/x", "no_such_message"),
        ("/v1/payout", "no_such_path"),
        ("/v1/payouts/", "no_such_path"),
        ("/", "no_such_path"),
    ];
    for (path, code) in table {
        let told = gateway.ask(Call::get(path).key(&key)).await;
        assert_eq!(told.problem(), (404, code.to_owned()), "{path}");
    }
    let told = gateway
        .ask(Call::new("DELETE", "/v1/payouts").key(&key))
        .await;
    assert_eq!(told.problem(), (405, "method_not_allowed".to_owned()));
    let allowed = told.header("allow");
    assert!(
        allowed.contains("GET") && allowed.contains("POST"),
        "{allowed}"
    );
    let told = gateway
        .ask(Call::get("/v1/payouts/po_1/cancel").key(&key))
        .await;
    assert_eq!((told.status.as_u16(), told.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn lists_are_filtered_and_read_a_page_at_a_time() {
    let (gateway, key) = gateway().await;
    let mut ids = vec![];
    for number in 0..5 {
        let body = json!({
            "amount": "10", "phone": format!("072200000{number}"),
            "reference": if number < 2 { "A" } else { "B" },
        });
        let payout = taken(&gateway, &key, &format!("k{number}"), &body.to_string()).await;
        ids.push(payout["id"].as_str().expect("an id").to_owned());
        if number == 3 {
            settled(&gateway, &payout, "0", Some("QK12ABCD34")).await;
        }
        gateway.clock.advance(Duration::from_secs(1));
    }
    let list = async |query: &str| -> (Vec<usize>, Option<String>) {
        let told = gateway
            .ask(Call::get(format!("/v1/payouts?{query}")).key(&key))
            .await;
        assert_eq!(told.status, 200, "{query} {}", told.text());
        let page = told.json();
        let place = |row: &Value| ids.iter().position(|id| row["id"] == *id).expect("ours");
        let rows = page["data"]
            .as_array()
            .expect("rows")
            .iter()
            .map(place)
            .collect();
        (rows, page["next_cursor"].as_str().map(str::to_owned))
    };
    let table = [
        ("", vec![4, 3, 2, 1, 0]),
        ("order=asc", vec![0, 1, 2, 3, 4]),
        ("status=queued", vec![4, 2, 1, 0]),
        ("status=succeeded", vec![3]),
        ("status=failed", vec![]),
        ("reference=A", vec![1, 0]),
        ("phone=0722000002", vec![2]),
        ("phone=%2B254%20722%20000%20002", vec![2]),
        ("receipt=QK12ABCD34", vec![3]),
        ("receipt=NONE", vec![]),
        ("created_from=2024-01-02T03:04:07Z", vec![4, 3, 2]),
        ("created_to=2024-01-02T03:04:07Z", vec![1, 0]),
        (
            "created_from=2024-01-02T06:04:06%2B03:00&created_to=2024-01-02T03:04:08Z",
            vec![2, 1],
        ),
        ("reference=B&status=queued&order=asc", vec![2, 4]),
        ("batch_id=bat_00000000000000000000000000", vec![]),
    ];
    for (query, rows) in table {
        assert_eq!(list(query).await, (rows, None), "{query}");
    }
    let (rows, next) = list("limit=2&order=asc").await;
    assert_eq!(rows, [0, 1]);
    let next = next.expect("a next page");
    let (rows, next) = list(&format!("limit=2&order=asc&cursor={next}")).await;
    assert_eq!(rows, [2, 3]);
    let (rows, next) = list(&format!("limit=2&cursor={}", next.expect("a next page"))).await;
    assert_eq!((rows, next), (vec![4], None));
}

#[tokio::test]
async fn every_bad_query_parameter_is_named() {
    let (gateway, key) = gateway().await;
    let id = taken(&gateway, &key, "k", GOOD).await["id"].clone();
    let id = id.as_str().expect("an id");
    let table = [
        (
            "/v1/payouts?limit=0&cursor=x&order=up&colour=1",
            vec!["colour", "cursor", "limit", "order"],
        ),
        (
            "/v1/payouts?status=paid&status=queued&phone=1",
            vec!["phone", "status", "status"],
        ),
        ("/v1/payouts?limit=501", vec!["limit"]),
        ("/v1/payouts?limit=-1", vec!["limit"]),
        ("/v1/payouts?status=", vec!["status"]),
        (&format!("/v1/payouts/{id}?x=1"), vec!["x"]),
        (
            &format!("/v1/payouts/{id}/events?limit=0&after=1"),
            vec!["after", "limit"],
        ),
        ("/v1/payouts?created_from=2024-01-02", vec!["created_from"]),
    ];
    for (path, fields) in table {
        let told = gateway.ask(Call::get(path).key(&key)).await;
        assert_eq!(told.problem(), (400, "invalid_query".to_owned()), "{path}");
        let fields: BTreeSet<&str> = fields.into_iter().collect();
        let faulty = told.faulty();
        assert_eq!(
            faulty.iter().map(String::as_str).collect::<BTreeSet<_>>(),
            fields,
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_payouts_events_show_each_step_with_its_wire_messages() {
    let (gateway, key) = gateway().await;
    let payout = taken(&gateway, &key, "k", GOOD).await;
    settled(&gateway, &payout, "0", Some("QK12ABCD34")).await;
    result(&gateway, &payout, "0", Some("QK12ABCD34")).await;
    let id = payout["id"].as_str().expect("an id");
    let events = async |query: &str| {
        let call = Call::get(format!("/v1/payouts/{id}/events?{query}")).key(&key);
        gateway.ask(call).await.json()
    };
    let all = events("").await;
    let kinds: Vec<&str> = all["data"]
        .as_array()
        .expect("events")
        .iter()
        .filter_map(|e| e["type"].as_str())
        .collect();
    assert_eq!(kinds, ["payout.queued", "payout.succeeded", "payout.noted"]);
    let paid = &all["data"][1];
    assert!(paid["id"].as_str().is_some_and(|id| id.starts_with("evt_")));
    assert_eq!(
        (&paid["seq"], &paid["data"]["status"]),
        (&json!(2), &json!("succeeded"))
    );
    assert_eq!(paid["data"]["payout_id"], id);
    let message = &paid["data"]["messages"][0];
    let read = gateway
        .ask(Call::get(message["href"].as_str().expect("a link")).key(&key))
        .await;
    let read = read.json();
    assert_eq!(read["id"], message["id"]);
    assert_eq!(
        (&read["payout_id"], &read["direction"]),
        (&json!(id), &json!("in"))
    );
    assert_eq!(
        (&read["channel"], &read["encoding"]),
        (&json!("soap.result"), &json!("utf-8"))
    );
    assert!(
        read["body"]
            .as_str()
            .is_some_and(|body| body.contains("QK12ABCD34"))
    );

    let first = events("limit=2").await;
    let next = first["next_cursor"]
        .as_str()
        .expect("a next page")
        .to_owned();
    let second = events(&format!("limit=2&cursor={next}")).await;
    assert_eq!(second["data"][0]["seq"], 3);
    assert_eq!(second["next_cursor"], Value::Null);
    assert_eq!(events("order=desc&limit=1").await["data"][0]["seq"], 3);

    let now = gateway
        .ask(Call::get(format!("/v1/payouts/{id}")).key(&key))
        .await
        .json();
    assert_eq!(
        (&now["status"], &now["receipt"]),
        (&json!("succeeded"), &json!("QK12ABCD34"))
    );
    assert_eq!(now["conversation_id"], "AG_20240102_0001");
    assert_eq!(now["completed_at"], "2024-01-02T03:04:05.000Z");
}

#[tokio::test]
async fn a_payout_can_be_cancelled_until_its_sending_begins() {
    let (gateway, key) = gateway().await;
    let payout = taken(&gateway, &key, "k1", GOOD).await;
    let cancel = |payout: &Value| {
        let path = format!(
            "/v1/payouts/{}/cancel",
            payout["id"].as_str().expect("an id")
        );
        gateway.ask(Call::post(path).key(&key))
    };
    let told = cancel(&payout).await;
    assert_eq!(
        (told.status.as_u16(), &told.json()["status"]),
        (200, &json!("cancelled"))
    );
    let paid = taken(&gateway, &key, "k2", GOOD).await;
    settled(&gateway, &paid, "0", Some("QK12ABCD34")).await;
    let told = cancel(&paid).await;
    assert_eq!(told.problem(), (409, "not_cancellable".to_owned()));
    let detail = told.json()["detail"].to_string();
    assert!(detail.contains("The money has been paid"), "{detail}");
}

#[tokio::test]
async fn a_failed_payout_says_why_and_whether_to_try_again() {
    let (gateway, key) = gateway().await;
    let payout = taken(&gateway, &key, "k", GOOD).await;
    settled(&gateway, &payout, "1", None).await;
    let path = format!("/v1/payouts/{}", payout["id"].as_str().expect("an id"));
    let now = gateway.ask(Call::get(path).key(&key)).await.json();
    assert_eq!(now["status"], "failed");
    let failure = &now["failure"];
    assert_eq!(
        (&failure["stage"], &failure["code"]),
        (&json!("result"), &json!("1"))
    );
    assert!(failure["retryable"].is_boolean() && failure["description"].is_string());
}

#[tokio::test]
async fn a_store_that_failed_says_so_and_promises_nothing() {
    let (gateway, key) = gateway().await;
    let payout = taken(&gateway, &key, "k", GOOD).await;
    gateway.store.fail("the disk is full");
    let told = submit(&gateway, &key, "k2", GOOD).await;
    assert_eq!(told.problem(), (503, "store_unavailable".to_owned()));
    assert_eq!(told.header("retry-after"), "30");
    assert!(
        !told.text().contains("disk is full"),
        "inner words stay in the log"
    );
    assert!(told.text().contains("same Idempotency-Key"));
    let path = format!(
        "/v1/payouts/{}/cancel",
        payout["id"].as_str().expect("an id")
    );
    let told = gateway.ask(Call::post(path).key(&key)).await;
    assert_eq!(told.problem(), (503, "store_unavailable".to_owned()));
    let ready = gateway.ask(Call::get("/readyz")).await;
    assert_eq!(ready.status, 503);
    assert!(
        ready.text().contains("the disk is full"),
        "{}",
        ready.text()
    );
    assert_eq!(
        gateway.ask(Call::get("/healthz")).await.status,
        200,
        "alive all the same"
    );
}

#[tokio::test]
async fn readiness_says_why_not() {
    let (gateway, key) = gateway().await;
    let ready = gateway.ask(Call::get("/readyz")).await;
    assert_eq!(
        (ready.status.as_u16(), ready.json()),
        (200, json!({"ready": true, "reasons": []}))
    );
    let payout = taken(&gateway, &key, "k", GOOD).await;
    settled(&gateway, &payout, "2001", None).await;
    gateway.shutdown.cancel();
    let ready = gateway.ask(Call::get("/readyz")).await;
    assert_eq!(ready.status, 503);
    let reasons = ready.json()["reasons"].clone();
    assert!(
        reasons[0].as_str().is_some_and(|why| why.contains("2001")),
        "{reasons}"
    );
    assert!(
        reasons[1]
            .as_str()
            .is_some_and(|why| why.contains("shutting down")),
        "{reasons}"
    );
}

#[tokio::test]
async fn metrics_count_requests_by_route_and_status() {
    let (gateway, key) = gateway().await;
    taken(&gateway, &key, "k", GOOD).await;
    let told = gateway.ask(Call::get("/metrics")).await;
    assert!(told.header("content-type").starts_with("text/plain"));
    for line in [
        "mlango_http_requests_total{listener=\"api\",route=\"/v1/payouts\",status=\"202\"}",
        "mlango_http_request_seconds_count{listener=\"api\",route=\"/v1/payouts\"}",
        "mlango_payouts{status=\"queued\"}",
        "mlango_shillings_in_doubt 0",
        "mlango_rail_stopped{rail=\"soap\"}",
    ] {
        assert!(told.text().contains(line), "{line} in {}", told.text());
    }
}

#[tokio::test]
async fn a_request_keeps_the_name_that_its_caller_gave_it() {
    let (gateway, _key) = gateway().await;
    let call = Call::get("/healthz").header("X-Request-Id", "trace-7.a_b");
    assert_eq!(
        gateway.ask(call).await.header("x-request-id"),
        "trace-7.a_b"
    );
    for odd in ["", "a b", "<x>", &"x".repeat(65)] {
        let told = gateway
            .ask(Call::get("/healthz").header("X-Request-Id", odd))
            .await;
        assert!(told.header("x-request-id").starts_with("req_"), "{odd}");
    }
}

#[test]
fn the_description_and_the_routes_agree() {
    let served: BTreeSet<(String, String)> = ROUTES
        .iter()
        .map(|route| (route.path.to_owned(), route.method.as_str().to_lowercase()))
        .collect();
    assert_eq!(served.len(), ROUTES.len(), "no route stands twice");
    let document = serde_json::to_value(openapi::document()).expect("a description");
    let mut described = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for (method, operation) in methods.as_object().expect("methods") {
            described.insert((path.clone(), method.clone()));
            let route = ROUTES.iter().find(|route| {
                route.path == path && route.method.as_str().eq_ignore_ascii_case(method)
            });
            let route = route.expect("a route");
            assert_eq!(operation["operationId"], route.name);
            assert_eq!(
                operation["security"].is_array(),
                route.scope().is_some(),
                "{path}"
            );
            for (status, codes) in openapi::problems(route) {
                let says = operation["responses"][status.to_string()]["description"].as_str();
                for code in codes {
                    assert!(
                        says.is_some_and(|says| says.contains(code.as_str())),
                        "{path}"
                    );
                }
            }
        }
    }
    assert_eq!(served, described);
    // What is named in it is in it.
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().expect("a pointer");
        assert!(document.pointer(pointer).is_some(), "{pointer} is missing");
    }
    assert_eq!(
        document["components"]["schemas"]["Code"]["enum"]
            .as_array()
            .map(Vec::len),
        Some(Code::ALL.len())
    );
}

#[tokio::test]
async fn answers_hold_what_the_description_says() {
    let (gateway, key) = gateway().await;
    let document = gateway.ask(Call::get("/openapi.json")).await.json();
    let schemas = &document["components"]["schemas"];
    let fields = |schema: &Value| -> BTreeSet<String> {
        schema["properties"]
            .as_object()
            .expect("properties")
            .keys()
            .cloned()
            .collect()
    };
    let held = |value: &Value| -> BTreeSet<String> {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    let payout = taken(&gateway, &key, "k", GOOD).await;
    assert_eq!(held(&payout), fields(&schemas["Payout"]));
    assert_eq!(
        schemas["Payout"]["required"].as_array().map(Vec::len),
        Some(21)
    );
    settled(&gateway, &payout, "1", None).await;
    let id = payout["id"].as_str().expect("an id");
    let page = gateway.ask(Call::get("/v1/payouts").key(&key)).await.json();
    assert_eq!(held(&page), fields(&schemas["PayoutPage"]));
    assert_eq!(
        held(&page["data"][0]["failure"]),
        fields(&schemas["Failure"])
    );
    let path = format!("/v1/payouts/{id}/events");
    let events = gateway.ask(Call::get(path).key(&key)).await.json();
    assert_eq!(held(&events["data"][1]), fields(&schemas["PayoutEvent"]));
    assert_eq!(
        held(&events["data"][1]["data"]),
        fields(&schemas["EventData"])
    );
    let link = &events["data"][1]["data"]["messages"][0];
    assert_eq!(held(link), fields(&schemas["MessageLink"]));
    let href = link["href"].as_str().expect("a link");
    let message = gateway.ask(Call::get(href).key(&key)).await.json();
    assert_eq!(held(&message), fields(&schemas["Message"]));
    let problem = submit(&gateway, &key, "k3", "{}").await.json();
    assert_eq!(held(&problem), fields(&schemas["Problem"]));
    assert_eq!(held(&problem["errors"][0]), fields(&schemas["FieldFault"]));
    let new: BTreeSet<String> = fields(&schemas["NewPayout"]);
    let told = submit(&gateway, &key, "k4", r#"{"x":1}"#)
        .await
        .text()
        .to_owned();
    assert!(new.iter().all(|field| told.contains(field)), "{told}");
}
