//! The socket file: rails and cases, as the operator's shell sees and changes them.

use std::sync::Arc;

use mlango::clock::ManualClock;
use mlango::http::admin::{self, Admin, Alone, NewClosing, NewPause, Resume};
use mlango::store::{RailRecord, Store};
use serde_json::{Value, json};

use crate::help::{gateway, settled, taken};
use crate::support::{Call, GOOD, Gateway, NOW, TOKEN, Told, counted};

async fn ask(gateway: &Gateway, call: Call) -> Told {
    let admin = Admin::new(Arc::clone(&gateway.engine), Arc::clone(&gateway.apps), counted);
    call.put(&admin::router(admin)).await
}

/// A gateway with one case, whose evidence belongs to no payout.
async fn with_case() -> (Gateway, String) {
    let (gateway, _key) = gateway().await;
    let body = format!("no message, but https://gw.example.org/cb/{TOKEN}/b2c/result");
    let call = Call::post(format!("/cb/{TOKEN}/b2c/result")).body(body);
    assert_eq!(call.put(&gateway.callbacks(&[])).await.status, 200);
    let page = ask(&gateway, Call::get("/cases?status=open")).await.json();
    let id = page["data"][0]["id"].as_str().expect("a case").to_owned();
    (gateway, id)
}

fn alone<'a>(gateway: &'a Gateway, clock: &'a ManualClock) -> Alone<'a> {
    Alone {
        store: gateway.store.as_ref(),
        clock,
        ids: gateway.engine.ids().as_ref(),
        from: "the shell, uid 7",
    }
}

#[tokio::test]
async fn a_rail_is_paused_and_resumed_through_the_socket() {
    let (gateway, _key) = gateway().await;
    let body = json!({"by": "wanjiru", "reason": "audit"}).to_string();
    let paused = ask(&gateway, Call::post("/rails/soap/pause").json(body)).await;
    assert_eq!(paused.status, 200, "{}", paused.text());
    assert_eq!(paused.json()["paused"]["by"], "wanjiru");
    let listed = ask(&gateway, Call::get("/rails")).await.json();
    assert_eq!(listed["data"][0], paused.json());
    let by = json!({"by": "wanjiru"}).to_string();
    let resumed = ask(&gateway, Call::post("/rails/soap/resume").json(by.clone())).await.json();
    assert_eq!((&resumed["sends"], &resumed["paused"]), (&json!(true), &Value::Null));
    let long = "x".repeat(501);
    for (path, body, status, code) in [
        ("/rails/daraja/pause", json!({"by": "w", "reason": "r"}), 404, "no_such_rail"),
        ("/rails/daraja/resume", json!({"by": "w"}), 404, "no_such_rail"),
        ("/rails/soap/pause", json!({"by": "", "reason": "r"}), 422, "invalid_fields"),
        ("/rails/soap/pause", json!({"by": "w", "reason": long}), 422, "invalid_fields"),
        ("/rails/soap/pause", json!({"reason": "r"}), 422, "invalid_fields"),
        ("/rails/soap/resume", json!({"by": "a\nb"}), 422, "invalid_fields"),
    ] {
        let told = ask(&gateway, Call::post(path).json(body.to_string())).await;
        assert_eq!(told.problem(), (status, code.to_owned()), "{path} {body}");
    }
}

#[tokio::test]
async fn a_case_is_shown_with_its_messages_and_closed_through_the_socket() {
    let (gateway, id) = with_case().await;
    let file = ask(&gateway, Call::get(format!("/cases/{id}"))).await.json();
    assert_eq!((&file["case"]["id"], &file["case"]["kind"]), (&json!(id), &json!("malformed")));
    assert_eq!(file["evidence"][0]["id"], file["case"]["messages"][0]["id"]);
    let body = file["evidence"][0]["body"].as_str().expect("a body");
    assert!(body.starts_with("no message") && !body.contains(TOKEN), "{body}");

    let close = || {
        let body = json!({"by": "wanjiru", "ruling": "a scan", "reason": "not from M-Pesa"});
        ask(&gateway, Call::post(format!("/cases/{id}/close")).json(body.to_string()))
    };
    let closed = close().await.json();
    assert_eq!((&closed["status"], &closed["closed"]["by"]), (&json!("closed"), &json!("wanjiru")));
    assert_eq!(close().await.problem(), (409, "case_closed".to_owned()));
    let none = ask(&gateway, Call::get("/cases?status=open")).await.json();
    assert_eq!(none["data"], json!([]));
    for path in ["/cases/x", "/cases/case_00000000000000000000000000"] {
        assert_eq!(ask(&gateway, Call::get(path)).await.problem().1, "no_such_case");
    }
    let told = ask(&gateway, Call::get("/cases?status=shut")).await;
    assert_eq!(told.problem(), (400, "invalid_query".to_owned()));
}

#[tokio::test]
async fn without_a_gateway_the_record_says_the_same() {
    let (gateway, id) = with_case().await;
    let clock = ManualClock::new(NOW);
    let alone = alone(&gateway, &clock);
    let said = |error: Result<Value, String>, words: &str| {
        let error = error.expect_err(words);
        assert!(error.contains(words), "{error}");
    };
    let listed = ask(&gateway, Call::get("/cases?status=open")).await.json();
    assert_eq!(alone.cases("status=open").await, Ok(listed));
    let shown = ask(&gateway, Call::get(format!("/cases/{id}"))).await.json();
    assert_eq!(alone.case(&id).await, Ok(shown));
    said(alone.cases("status=shut").await, "must be open or closed");
    said(alone.cases("a b").await, "cannot be read");
    said(alone.case("x").await, "No case");
    let [by, ruling, reason] = ["wanjiru", "a scan", "not from M-Pesa"].map(str::to_owned);
    let new = NewClosing { by, ruling, reason };
    let closed = alone.close(&id, &new).await.expect("closed");
    let read = ask(&gateway, Call::get(format!("/cases/{id}"))).await.json();
    assert_eq!(closed, read["case"]);
    said(alone.close(&id, &new).await, "closed before");
    let bad = NewClosing { ruling: String::new(), ..new };
    said(alone.close(&id, &bad).await, "ruling: is missing");
    let last = gateway.store.events(0, 10).await.expect("events").pop().expect("an event").event;
    assert_eq!(
        (last.kind.as_str(), last.says),
        ("case.closed", format!("{id} closed by wanjiru: a scan"))
    );
}

#[tokio::test]
async fn without_a_gateway_a_pause_leaves_a_refusal_and_resuming_lifts_both() {
    let (gateway, key) = gateway().await;
    let payout = taken(&gateway, &key, "k", GOOD).await;
    settled(&gateway, &payout, "2001", None).await;
    taken(&gateway, &key, "waits", GOOD).await;
    let clock = ManualClock::new(NOW);
    let alone = alone(&gateway, &clock);
    let records = async || -> Vec<RailRecord> { gateway.store.rails().await.expect("rails") };

    let rails = alone.rails().await.expect("rails");
    let rail = &rails["data"][0];
    assert_eq!((&rail["sends"], &rail["refused"]["code"]), (&json!(false), &json!("2001")));
    assert_eq!((&rail["queued"], &rail["in_flight"]), (&json!(1), &json!(0)));
    let why = rail["why"].as_str().expect("why");
    assert!(why.contains("No gateway runs") && why.contains("2001"), "{why}");

    let new = NewPause { by: "wanjiru".to_owned(), reason: "audit".to_owned() };
    let paused = alone.pause("soap", &new).await.expect("paused");
    assert_eq!(
        (&paused["paused"]["reason"], &paused["refused"]["code"]),
        (&json!("audit"), &json!("2001"))
    );
    let kept = records().await;
    assert!(kept[0].paused.is_some() && kept[0].credential.is_some(), "{kept:?}");

    let by = Resume { by: "wanjiru".to_owned() };
    let resumed = alone.resume("soap", &by).await.expect("resumed");
    assert_eq!(resumed["why"], "No gateway runs on this store, so nothing is sent.");
    let kept = records().await;
    assert!(kept[0].paused.is_none() && kept[0].credential.is_none(), "{kept:?}");
    let events = gateway.feed().await;
    let kinds: Vec<&str> = events.iter().map(|event| event.event.kind.as_str()).collect();
    assert!(kinds.ends_with(&["rail.paused", "rail.resumed"]), "{kinds:?}");
    assert!(alone.resume("pigeon", &by).await.is_err());
    let bad = NewPause { reason: " ".to_owned(), ..new };
    assert!(alone.pause("soap", &bad).await.is_err_and(|why| why.contains("reason: is missing")));
}
