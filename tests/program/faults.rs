//! A broker that is down, slow, closes early, or says what nobody understands.

use std::time::Duration;

use crate::api::{get, id_of, name_of, payout};
use crate::broker::{Broker, Reply, element, paid};
use crate::house::House;
use crate::process::eventually;
use crate::wire::ask;

/// What the broker does with the payout to a phone, and where that payout then stands.
type Row = (&'static str, fn() -> Reply, &'static str, Option<&'static str>);

const HTML: &str = "<html><body><h1>502 Bad Gateway</h1></body></html>";
const FAULT: &str = "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\">\
    <soapenv:Body><soapenv:Fault><faultcode>soapenv:Server</faultcode>\
    <faultstring>busy</faultstring></soapenv:Fault></soapenv:Body></soapenv:Envelope>";

/// Doubt is `unknown`; only what spec/soap.md §4.2 lists as certain is `failed`.
const TABLE: [Row; 14] = [
    ("254722100001", || Reply::Taken, "accepted", None),
    ("254722100002", || Reply::Close, "unknown", None),
    ("254722100003", || Reply::Half, "unknown", None),
    ("254722100004", || Reply::Silence, "unknown", None),
    ("254722100005", || Reply::TakenAfter(Duration::from_secs(3)), "unknown", None),
    ("254722100006", || Reply::Answer(200, HTML.to_owned()), "unknown", None),
    ("254722100007", || Reply::Answer(502, HTML.to_owned()), "unknown", None),
    ("254722100008", || Reply::Answer(500, String::new()), "unknown", None),
    ("254722100009", || Reply::Answer(500, FAULT.to_owned()), "unknown", None),
    ("254722100010", || Reply::Answer(200, FAULT.to_owned()), "unknown", None),
    ("254722100011", || Reply::Code("77777"), "unknown", None),
    ("254722100012", || Reply::Code("15"), "unknown", None),
    ("254722100013", || Reply::Code(""), "unknown", None),
    ("254722100014", || Reply::Code("1005"), "failed", Some("1005")),
];

#[test]
fn doubt_is_unknown_and_is_never_sent_again_on_a_guess() {
    let house = House::new().with("BROKER__TIMEOUT", "1s");
    let broker = Broker::start(
        house.broker,
        Box::new(|request, _| {
            let row = TABLE.iter().find(|row| request.contains(&format!("<Identifier>{}<", row.0)));
            row.map_or(Reply::Close, |row| (row.1)())
        }),
    );
    let mut gateway = house.serve();
    let api = house.client("erp", &[]);
    let submitted: Vec<_> =
        TABLE.iter().map(|row| (row, api.submit(row.0, &payout(row.0, "100")))).collect();
    for ((_, _, status, code), taken) in &submitted {
        let payout = api.until(id_of(taken), status);
        assert_eq!(payout["failure"]["code"].as_str(), *code, "{payout}");
        let events = api.events(id_of(taken));
        let last = events.last().expect("an event");
        assert_eq!(last["type"], format!("payout.{status}"), "{last}");
        assert!(last["data"]["says"].as_str().is_some_and(|says| !says.is_empty()), "{last}");
    }

    // Neither a restart nor time moves them: only their result does.
    gateway.stop();
    let _gateway = house.serve();
    let xml = [("Content-Type", "text/xml")];
    let path = format!("/cb/{}/b2c/result", house.written("token"));
    for (nth, ((_, _, status, _), taken)) in submitted.iter().enumerate() {
        let id = id_of(taken);
        assert_eq!(api.payout(id)["status"], *status);
        let name = name_of(taken);
        assert_eq!(broker.seen(name), 1, "{taken}");
        if *status == "unknown" {
            let receipt = format!("QK12ABCD{nth:02}");
            let result = paid(name, &receipt, "100.00");
            let answer = ask(house.callbacks, "POST", &path, &xml, &result).expect("an answer");
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert_eq!(api.until(id, "succeeded")["receipt"], receipt);
        }
    }
}

#[test]
fn while_the_broker_is_down_payouts_wait_and_then_go() {
    let house = House::new();
    let mut gateway = house.serve();
    let api = house.client("erp", &[]);
    let ids: Vec<String> = (0..3)
        .map(|nth| {
            let body = payout(&format!("25472212345{nth}"), "100");
            api.submit(&format!("k{nth}"), &body)["id"].as_str().expect("an id").to_owned()
        })
        .collect();
    // A dead link is tried now and then, by one of them at a time.
    let events = eventually("a send is tried", || {
        ids.iter().map(|id| api.events(id)).find(|events| events.len() > 2)
    });
    let kinds: Vec<_> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    let tried = ["payout.queued", "payout.sending", "payout.requeued"];
    assert_eq!(&kinds[..3], tried, "{events:?}");
    // One is called off meanwhile, and one start is missed.
    eventually("it can be cancelled between two tries", || {
        let answer =
            api.post(&format!("/v1/payouts/{}/cancel", ids[2]), "c", &serde_json::json!({}));
        (answer.expect("an answer").status == 200).then_some(())
    });
    gateway.stop();
    let _gateway = house.serve();
    let _simulator = house.simulate();
    for id in &ids[..2] {
        api.until(id, "succeeded");
    }
    assert_eq!(api.payout(&ids[2])["status"], "cancelled");
    let ledger = house.ledger();
    assert_eq!(ledger.len(), 2, "{ledger:?}");
}

#[test]
fn what_nobody_sent_for_is_kept_and_what_is_no_message_too() {
    let house = House::new();
    let mut gateway = house.serve();
    let api = house.client("auditor", &["read:all", "payouts:read"]);
    let token = house.written("token");
    let post = |path: &str, body: &str| {
        let xml = [("Content-Type", "text/xml")];
        ask(house.callbacks, "POST", path, &xml, body).expect("an answer")
    };
    let result = format!("/cb/{token}/b2c/result");
    for body in [&*paid("600999_ExampleOrg_nobody", "QK1", "100.00"), HTML, "", "\u{0}"] {
        let answer = post(&result, body);
        assert_eq!(answer.status, 200, "kept, so acknowledged: {}", answer.body);
        assert_eq!(element(&answer.body, "ResponseCode"), "00000000", "{}", answer.body);
    }
    let wrong = format!("/cb/{}/b2c/result", "0".repeat(token.len()));
    assert_eq!(post(&wrong, HTML).status, 404);
    assert!(api.payouts().is_empty());
    gateway.stop();

    let house = house.with("CALLBACKS__ALLOW", "192.0.2.0/24");
    let _gateway = house.serve();
    let xml = [("Content-Type", "text/xml")];
    let told = ask(house.callbacks, "POST", &result, &xml, HTML).map(|answer| answer.status);
    assert!(told.is_err(), "dropped before it has said anything: {told:?}");
    eventually("it is counted", || {
        let metrics = get(house.api, "/metrics", &[]).expect("metrics").body;
        metrics.contains("mlango_callback_refused_total{why=\"network\"} 1").then_some(())
    });
}
