//! Payouts as finance systems look at them: pages, filters, histories, and who sees what
//! (contract, part 2).

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mlango::soap::result::Report;
use mlango::store::{CaseQuery, Scope, Store};
use serde_json::{Value, json};

use crate::help::{gateway, result, settled, taken};
use crate::support::{Call, GOOD, TOKEN};

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
        (Call::get(format!("/v1/payouts/{id}/events")), "no_such_payout"),
        (Call::post(format!("/v1/payouts/{id}/cancel")), "no_such_payout"),
        (Call::get(message.clone()), "no_such_message"),
    ];
    for (call, code) in places {
        let told = gateway.ask(call.key(&theirs)).await;
        assert_eq!(told.problem(), (404, code.to_owned()));
    }
    let listed = gateway.ask(Call::get("/v1/payouts").key(&theirs)).await.json();
    assert_eq!(listed["data"], json!([]));
    for path in [format!("/v1/payouts/{id}"), format!("/v1/payouts/{id}/events"), message] {
        assert_eq!(gateway.ask(Call::get(path).key(&auditor)).await.status, 200);
    }
    let listed = gateway.ask(Call::get("/v1/payouts").key(&auditor)).await.json();
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_cannot_be_done_so_is_405() {
    let (gateway, key) = gateway().await;
    let table = [
        ("/v1/payouts/po_00000000000000000000000000", "no_such_payout"),
        ("/v1/payouts/po_1", "no_such_payout"),
        ("/v1/payouts/%ff", "no_such_payout"),
        ("/v1/payouts/po_00000000000000000000000000/events", "no_such_payout"),
        ("/v1/messages/msg_00000000000000000000000000", "no_such_message"),
        ("/v1/messages/x", "no_such_message"),
        ("/v1/payout", "no_such_path"),
        ("/v1/payouts/", "no_such_path"),
        ("/", "no_such_path"),
    ];
    for (path, code) in table {
        let told = gateway.ask(Call::get(path).key(&key)).await;
        assert_eq!(told.problem(), (404, code.to_owned()), "{path}");
    }
    let told = gateway.ask(Call::new("DELETE", "/v1/payouts").key(&key)).await;
    assert_eq!(told.problem(), (405, "method_not_allowed".to_owned()));
    let allowed = told.header("allow");
    assert!(allowed.contains("GET") && allowed.contains("POST"), "{allowed}");
    let told = gateway.ask(Call::get("/v1/payouts/po_1/cancel").key(&key)).await;
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
        let told = gateway.ask(Call::get(format!("/v1/payouts?{query}")).key(&key)).await;
        assert_eq!(told.status, 200, "{query} {}", told.text());
        let page = told.json();
        let place = |row: &Value| ids.iter().position(|id| row["id"] == *id).expect("ours");
        let rows = page["data"].as_array().expect("rows").iter().map(place).collect();
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
        ("created_from=2024-01-02T06:04:06%2B03:00&created_to=2024-01-02T03:04:08Z", vec![2, 1]),
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
        ("/v1/payouts?status=paid&status=queued&phone=1", vec!["phone", "status", "status"]),
        ("/v1/payouts?limit=501", vec!["limit"]),
        ("/v1/payouts?limit=-1", vec!["limit"]),
        ("/v1/payouts?status=", vec!["status"]),
        (&format!("/v1/payouts/{id}?x=1"), vec!["x"]),
        (&format!("/v1/payouts/{id}/events?limit=0&after=1"), vec!["after", "limit"]),
        ("/v1/payouts?created_from=2024-01-02", vec!["created_from"]),
    ];
    for (path, fields) in table {
        let told = gateway.ask(Call::get(path).key(&key)).await;
        assert_eq!(told.problem(), (400, "invalid_query".to_owned()), "{path}");
        let fields: BTreeSet<&str> = fields.into_iter().collect();
        let faulty = told.faulty();
        assert_eq!(faulty.iter().map(String::as_str).collect::<BTreeSet<_>>(), fields, "{path}");
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
    let kinds: Vec<&str> =
        all["data"].as_array().expect("events").iter().filter_map(|e| e["type"].as_str()).collect();
    assert_eq!(kinds, ["payout.queued", "payout.succeeded", "payout.noted"]);
    let paid = &all["data"][1];
    assert!(paid["id"].as_str().is_some_and(|id| id.starts_with("evt_")));
    assert_eq!((&paid["seq"], &paid["data"]["status"]), (&json!(3), &json!("succeeded")));
    assert_eq!(paid["data"]["payout_id"], id);
    let message = &paid["data"]["messages"][0];
    let read = gateway.ask(Call::get(message["href"].as_str().expect("a link")).key(&key)).await;
    let read = read.json();
    assert_eq!(read["id"], message["id"]);
    assert_eq!((&read["payout_id"], &read["direction"]), (&json!(id), &json!("in")));
    assert_eq!((&read["channel"], &read["encoding"]), (&json!("payout.result"), &json!("utf-8")));
    assert!(read["body"].as_str().is_some_and(|body| body.contains("QK12ABCD34")));

    let first = events("limit=2").await;
    let next = first["next_cursor"].as_str().expect("a next page").to_owned();
    let second = events(&format!("limit=2&cursor={next}")).await;
    assert_eq!(second["data"][0]["seq"], 4);
    assert_eq!(second["next_cursor"], Value::Null);
    assert_eq!(events("order=desc&limit=1").await["data"][0]["seq"], 4);

    let now = gateway.ask(Call::get(format!("/v1/payouts/{id}")).key(&key)).await.json();
    assert_eq!((&now["status"], &now["receipt"]), (&json!("succeeded"), &json!("QK12ABCD34")));
    assert_eq!(now["conversation_id"], "AG_20240102_0001");
    assert_eq!(now["completed_at"], "2024-01-02T03:04:05.000Z");
}

#[tokio::test]
async fn a_payout_can_be_cancelled_until_its_sending_begins() {
    let (gateway, key) = gateway().await;
    let payout = taken(&gateway, &key, "k1", GOOD).await;
    let cancel = |payout: &Value| {
        let path = format!("/v1/payouts/{}/cancel", payout["id"].as_str().expect("an id"));
        gateway.ask(Call::post(path).key(&key))
    };
    let told = cancel(&payout).await;
    assert_eq!((told.status.as_u16(), &told.json()["status"]), (200, &json!("cancelled")));
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
    assert_eq!((&failure["stage"], &failure["code"]), (&json!("result"), &json!("1")));
    assert!(failure["retryable"].is_boolean() && failure["description"].is_string());
}

#[tokio::test]
async fn the_callback_token_is_shown_to_nobody() {
    let (gateway, key) = gateway().await;
    let payout = taken(&gateway, &key, "k", GOOD).await;
    gateway.accepted(&payout).await;
    let address = format!("https://gw.example.org/cb/{TOKEN}/b2c/timeout");
    let report = Report {
        code: "0",
        description: "what M-Pesa says of it",
        originator_conversation_id: payout["originator_conversation_id"].as_str().expect("a name"),
        conversation_id: "AG_20240102_0001",
        receipt: Some("QK12ABCD34"),
        parameters: vec![("TransactionAmount", "1500.00")],
        references: vec![("QueueTimeoutURL", &address)],
    };
    let odd = [b"\xff ".as_slice(), address.as_bytes()].concat();
    for body in [report.render(), address.clone().into_bytes(), odd] {
        let call = Call::post(format!("/cb/{TOKEN}/b2c/result")).body(body);
        assert_eq!(call.put(&gateway.callbacks(&[])).await.status, 200);
    }
    let auditor = gateway.key("auditor", &[Scope::ReadAll]).await;
    let events = gateway.store.events(0, 10).await.expect("events");
    let cases = gateway.store.cases(&CaseQuery::all(10)).await.expect("cases").rows;
    let of_events = events.iter().flat_map(|event| &event.event.messages);
    let messages: Vec<_> = of_events.chain(cases.iter().flat_map(|case| &case.messages)).collect();
    assert_eq!(messages.len(), 3);
    for id in messages {
        let told = gateway.ask(Call::get(format!("/v1/messages/{id}")).key(&auditor)).await.json();
        let body = told["body"].as_str().expect("a body");
        let body = match told["encoding"].as_str() {
            Some("base64") => STANDARD.decode(body).expect("base64"),
            _ => body.as_bytes().to_vec(),
        };
        let body = String::from_utf8_lossy(&body);
        assert!(body.contains("/cb/***/b2c/timeout") && !body.contains(TOKEN), "{body}");
    }
}
