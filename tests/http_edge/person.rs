//! What needs a person: rails, cases, inquiries and rulings (contract, part 2).

use std::collections::BTreeSet;
use std::time::Duration;

use mlango::domain::id::CaseId;
use mlango::domain::payout::{
    AskBy, CaseKind, Doubt, Inquiry, Payout, Question, State, Status, Tries,
};
use mlango::store::{Case, Commit, PayoutWrite, Scope, Store};
use serde_json::{Value, json};

use crate::help::{gateway, result, settled, taken};
use crate::support::{Call, GOOD, Gateway, NOW, TOKEN, Told};

/// Lets a payout stand in doubt, M-Pesa having been asked at `asked_at` seconds after `NOW`.
pub async fn unknown(gateway: &Gateway, payout: &Value, asked: Option<u64>) {
    let id = payout["id"].as_str().expect("an id").parse().expect("an id");
    let stored = gateway.store.payout(id).await.expect("a read").expect("a payout");
    let last =
        asked.map(|s| Question { nth: 1, at: NOW.after(Duration::from_secs(s)), by: AskBy::Name });
    let inquiry = Inquiry {
        last,
        asked: u32::from(asked.is_some()),
        ..Inquiry::first_at(NOW.after(Duration::from_secs(30)))
    };
    let state = State::Unknown {
        tries: Tries { attempts: 1, sent_at: Some(NOW), ..Tries::NONE },
        why: Doubt::NoAnswer,
        conversation: None,
        since: NOW,
        arrives_until: NOW.after(Duration::from_secs(900)),
        inquiry,
    };
    let payout = Payout { state, ..stored.payout };
    let write = PayoutWrite { payout, expected_version: stored.version };
    let commit = Commit { payouts: vec![write], ..Commit::default() };
    gateway.store.commit(commit).await.map(drop).expect("a commit");
}

fn path(payout: &Value, act: &str) -> String {
    format!("/v1/payouts/{}/{act}", payout["id"].as_str().expect("an id"))
}

fn detail(told: &Told) -> String {
    told.json()["detail"].as_str().expect("a detail").to_owned()
}

async fn rail(gateway: &Gateway, key: &str) -> Value {
    let told = gateway.ask(Call::get("/v1/rails").key(key)).await;
    assert_eq!(told.status, 200, "{}", told.text());
    let rails = told.json();
    assert_eq!(rails["next_cursor"], Value::Null);
    assert_eq!(rails["data"].as_array().map(Vec::len), Some(1));
    rails["data"][0].clone()
}

#[tokio::test]
async fn a_rail_says_whether_it_sends_and_what_is_in_doubt() {
    let (gateway, key) = gateway().await;
    let well = rail(&gateway, &key).await;
    assert_eq!((&well["rail"], &well["sends"]), (&json!("soap"), &json!(true)));
    for none in ["why", "refused", "paused", "slowed_until", "oldest_unknown"] {
        assert_eq!(well[none], Value::Null, "{none}");
    }
    assert_eq!((&well["in_doubt"], &well["open_cases"]), (&json!("0.00"), &json!(0)));

    taken(&gateway, &key, "queued", GOOD).await;
    let doubtful = taken(&gateway, &key, "unknown", GOOD).await;
    unknown(&gateway, &doubtful, None).await;
    let now = rail(&gateway, &key).await;
    assert_eq!((&now["queued"], &now["unknown"]), (&json!(1), &json!(1)));
    assert_eq!(now["in_doubt"], "1500.00");
    let oldest = json!({"id": doubtful["id"], "since": "2024-01-02T03:04:05.000Z"});
    assert_eq!(now["oldest_unknown"], oldest);
    // Another application is told that there is one, and not which.
    let other = gateway.key("other", &[Scope::PayoutsRead]).await;
    let theirs = rail(&gateway, &other).await;
    let hidden = json!({"id": null, "since": "2024-01-02T03:04:05.000Z"});
    assert_eq!(theirs["oldest_unknown"], hidden);
    let auditor = gateway.key("auditor", &[Scope::ReadAll]).await;
    assert_eq!(rail(&gateway, &auditor).await["oldest_unknown"], oldest);

    gateway.clock.advance(Duration::from_secs(61));
    let metrics = gateway.ask(Call::get("/metrics")).await;
    for line in ["mlango_oldest_unknown_seconds ", "mlango_open_cases "] {
        assert!(metrics.text().contains(line), "{line}");
    }
}

#[tokio::test]
async fn a_rail_is_paused_and_resumed_by_an_admin_and_it_is_known_who_did_it() {
    let (gateway, key) = gateway().await;
    let admin = gateway.key("night desk", &[Scope::Admin]).await;
    let pause = Call::post("/v1/rails/soap/pause").key(&admin);
    let told = gateway.ask(pause.json(r#"{"reason":"maintenance"}"#)).await;
    assert_eq!(told.status, 200, "{}", told.text());
    let paused = told.json();
    assert_eq!(paused["sends"], false);
    let who =
        json!({"at": "2024-01-02T03:04:05.000Z", "by": "night desk", "reason": "maintenance"});
    assert_eq!(paused["paused"], who);
    let why = paused["why"].as_str().expect("why");
    assert!(why.contains("night desk") && why.contains("maintenance"), "{why}");
    assert_eq!(rail(&gateway, &key).await, paused);
    let kept = gateway.store.rails().await.expect("rails");
    assert!(kept[0].paused.is_some(), "it outlives a restart");

    // Ready all the same: payouts are taken, and wait.
    let ready = gateway.ask(Call::get("/readyz")).await;
    assert_eq!((ready.status.as_u16(), &ready.json()["reasons"]), (200, &json!([])));
    assert!(ready.json()["notes"][0].as_str().is_some_and(|note| note.contains("paused by hand")));
    assert!(!ready.text().contains("night desk"), "{}", ready.text());
    let metrics = gateway.ask(Call::get("/metrics")).await;
    assert!(metrics.text().contains("mlango_rail_stopped{rail=\"soap\"} "));

    let told = gateway.ask(Call::post("/v1/rails/soap/resume").key(&admin)).await;
    assert_eq!(told.status, 200, "{}", told.text());
    assert_eq!((&told.json()["sends"], &told.json()["why"]), (&json!(true), &Value::Null));
    let events = gateway.feed().await;
    let says: Vec<(&str, &str)> =
        events.iter().map(|event| (event.event.kind.as_str(), event.event.says.as_str())).collect();
    let expected = [
        ("rail.paused", "paused by night desk: maintenance"),
        ("rail.resumed", "resumed by night desk"),
    ];
    assert_eq!(says, expected);
}

#[tokio::test]
async fn resuming_lifts_a_refusal_of_our_credentials_too() {
    let (gateway, key) = gateway().await;
    let payout = taken(&gateway, &key, "k", GOOD).await;
    settled(&gateway, &payout, "2001", None).await;
    let stopped = rail(&gateway, &key).await;
    assert_eq!((&stopped["sends"], &stopped["refused"]["code"]), (&json!(false), &json!("2001")));
    assert_eq!(gateway.ask(Call::get("/readyz")).await.status, 503);
    let admin = gateway.key("admin", &[Scope::Admin]).await;
    let told = gateway.ask(Call::post("/v1/rails/soap/resume").key(&admin)).await.json();
    assert_eq!((&told["sends"], &told["refused"]), (&json!(true), &Value::Null));
    assert_eq!(gateway.ask(Call::get("/readyz")).await.status, 200);
}

/// Bodies that will not do, and the fields that are named.
#[tokio::test]
async fn whatever_a_person_says_wrongly_is_named_all_at_once() {
    let (gateway, key) = gateway().await;
    let payout = taken(&gateway, &key, "k", GOOD).await;
    unknown(&gateway, &payout, None).await;
    let case = case(&gateway, CaseKind::StillUnknown, Some(&payout), 1).await;
    let admin = gateway.key("admin", &[Scope::Admin]).await;
    let resolve = path(&payout, "resolve");
    let close = format!("/v1/cases/{case}/close");
    let pause = "/v1/rails/soap/pause".to_owned();
    let long = "x".repeat(501);
    let table = [
        (&pause, json!({}), vec!["reason"]),
        (&pause, json!({"reason": " "}), vec!["reason"]),
        (&pause, json!({"reason": long}), vec!["reason"]),
        (&pause, json!({"reason": "a\nb", "by": "me"}), vec!["by", "reason"]),
        (&pause, json!({"reason": 1}), vec!["reason"]),
        (&close, json!({}), vec!["reason", "ruling"]),
        (&close, json!({"ruling": "x".repeat(201), "reason": "r"}), vec!["ruling"]),
        (&resolve, json!({}), vec!["evidence", "outcome", "reason"]),
        (&resolve, json!({"outcome": "paid", "reason": "r", "evidence": "e"}), vec!["receipt"]),
        (
            &resolve,
            json!({"outcome": "not_paid", "receipt": "QK1", "reason": "r", "evidence": "e"}),
            vec!["receipt"],
        ),
        (
            &resolve,
            json!({"outcome": "perhaps", "receipt": "qk 1", "reason": "", "evidence": long}),
            vec!["evidence", "outcome", "reason", "receipt"],
        ),
    ];
    for (path, body, fields) in table {
        let told = gateway.ask(Call::post(path).key(&admin).json(body.to_string())).await;
        assert_eq!(told.problem(), (422, "invalid_fields".to_owned()), "{path} {body}");
        assert_eq!(told.faulty(), fields, "{path} {body}");
    }
    for path in [&pause, &close, &resolve] {
        let told = gateway.ask(Call::post(path).key(&admin).json("{")).await;
        assert_eq!(told.problem(), (400, "invalid_json".to_owned()), "{path}");
        let told = gateway.ask(Call::post(path).key(&admin).json("")).await;
        assert_eq!(told.problem(), (400, "invalid_json".to_owned()), "{path}");
        let text = Call::post(path).key(&admin).header("Content-Type", "text/plain");
        let told = gateway.ask(text.body("{}")).await;
        assert_eq!(told.problem(), (415, "unsupported_media_type".to_owned()), "{path}");
        let told = gateway.ask(Call::post(format!("{path}?x=1")).key(&admin).json("{}")).await;
        assert_eq!(told.problem(), (400, "invalid_query".to_owned()), "{path}");
    }
    assert!(gateway.store.rails().await.expect("rails").is_empty(), "nothing was done");
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let (gateway, key) = gateway().await;
    let admin = gateway.key("admin", &[Scope::Admin]).await;
    let nobody = "case_00000000000000000000000000";
    let reason = r#"{"reason":"r"}"#;
    let closing = r#"{"ruling":"r","reason":"r"}"#;
    let ruling = r#"{"outcome":"not_paid","reason":"r","evidence":"e"}"#;
    let none = "po_00000000000000000000000000";
    let table = [
        (Call::post("/v1/rails/daraja/pause").key(&admin).json(reason), "no_such_rail"),
        (Call::post("/v1/rails/daraja/resume").key(&admin), "no_such_rail"),
        (Call::get(format!("/v1/cases/{nobody}")).key(&key), "no_such_case"),
        (Call::get("/v1/cases/x").key(&key), "no_such_case"),
        (Call::post(format!("/v1/cases/{nobody}/close")).key(&admin).json(closing), "no_such_case"),
        (Call::post("/v1/cases/%ff/close").key(&admin).json(closing), "no_such_case"),
        (Call::post(format!("/v1/payouts/{none}/inquire")).key(&key), "no_such_payout"),
        (Call::post("/v1/payouts/x/inquire").key(&key), "no_such_payout"),
        (
            Call::post(format!("/v1/payouts/{none}/resolve")).key(&admin).json(ruling),
            "no_such_payout",
        ),
    ];
    for (call, code) in table {
        let shown = format!("{call:?}");
        assert_eq!(gateway.ask(call).await.problem(), (404, code.to_owned()), "{shown}");
    }
}

#[tokio::test]
async fn mpesa_is_asked_now_where_there_is_something_to_ask() {
    let (gateway, key) = gateway().await;
    let inquire =
        async |payout: &Value| gateway.ask(Call::post(path(payout, "inquire")).key(&key)).await;
    let fresh = taken(&gateway, &key, "1", GOOD).await;
    let told = inquire(&fresh).await;
    assert_eq!(told.problem(), (409, "not_in_doubt".to_owned()));
    assert!(detail(&told).contains("It stands at queued"), "{}", detail(&told));

    gateway.accepted(&fresh).await;
    let told = inquire(&fresh).await;
    assert_eq!(told.status, 202, "{}", told.text());
    let doubt = &told.json()["doubt"];
    assert_eq!(told.json()["status"], "unknown", "asked before its result was overdue");
    assert_eq!(doubt["next_inquiry_at"], "2024-01-02T03:04:05.000Z");
    assert!(doubt["why"].as_str().is_some_and(|why| why.contains("before the result was due")));
    assert_eq!((&doubt["inquiries"], &doubt["since"]), (&json!(0), &doubt["next_inquiry_at"]));

    let asked = taken(&gateway, &key, "2", GOOD).await;
    unknown(&gateway, &asked, Some(0)).await;
    let told = inquire(&asked).await;
    assert_eq!(told.problem(), (409, "asked_just_now".to_owned()));
    assert!(detail(&told).contains("in a few seconds"), "{}", detail(&told));
    gateway.clock.advance(Duration::from_secs(5));
    assert_eq!(inquire(&asked).await.status, 202);

    gateway.clock.advance(Duration::from_secs(16 * 24 * 60 * 60));
    let told = inquire(&asked).await;
    assert_eq!(told.problem(), (409, "too_old_to_ask".to_owned()));
    assert!(detail(&told).contains("resolve"), "{}", detail(&told));
    let paid = taken(&gateway, &key, "3", GOOD).await;
    settled(&gateway, &paid, "0", Some("QK12ABCD34")).await;
    let told = inquire(&paid).await;
    assert_eq!(told.problem(), (409, "not_in_doubt".to_owned()));
    assert!(detail(&told).contains("The money has been paid"), "{}", detail(&told));

    let theirs = gateway.key("other", &[Scope::PayoutsWrite, Scope::ReadAll]).await;
    let told = gateway.ask(Call::post(path(&asked, "inquire")).key(&theirs)).await;
    assert_eq!(told.problem(), (404, "no_such_payout".to_owned()), "its own only");
}

#[tokio::test]
async fn an_admin_rules_on_any_payout_in_doubt_and_it_is_final() {
    let (gateway, key) = gateway().await;
    let admin = gateway.key("treasury", &[Scope::Admin]).await;
    let resolve = async |payout: &Value, body: Value| {
        let call = Call::post(path(payout, "resolve")).key(&admin).json(body.to_string());
        gateway.ask(call).await
    };
    let paid = |receipt: &str| {
        json!({"outcome": "paid", "receipt": receipt, "reason": "on the statement",
               "evidence": "row 17"})
    };
    let not_paid = json!({"outcome": "not_paid", "reason": "not on the statement",
                          "evidence": "2 January, all rows"});
    let [first, second, third] = ["1", "2", "3"].map(|once| taken(&gateway, &key, once, GOOD));
    let (first, second, third) = (first.await, second.await, third.await);
    let told = resolve(&first, paid("QK12ABCD34")).await;
    assert_eq!(told.problem(), (409, "not_in_doubt".to_owned()));
    assert!(detail(&told).contains("It stands at queued"), "{}", detail(&told));

    unknown(&gateway, &first, None).await;
    let told = resolve(&first, paid("QK12ABCD34")).await;
    assert_eq!(told.status, 200, "{}", told.text());
    let now = told.json();
    assert_eq!((&now["status"], &now["receipt"]), (&json!("succeeded"), &json!("QK12ABCD34")));
    assert_eq!(now["doubt"], Value::Null);
    let events = gateway.ask(Call::get(path(&first, "events")).key(&key)).await.text().to_owned();
    for words in ["treasury", "on the statement (evidence: row 17)"] {
        assert!(events.contains(words), "{words} in {events}");
    }
    let told = resolve(&first, not_paid.clone()).await;
    assert_eq!(told.problem(), (409, "not_in_doubt".to_owned()), "a ruling is final");

    unknown(&gateway, &second, None).await;
    let told = resolve(&second, paid("QK12ABCD34")).await;
    assert_eq!(told.problem(), (409, "receipt_taken".to_owned()));
    let other = first["id"].as_str().expect("an id");
    assert!(detail(&told).contains(other), "{}", detail(&told));
    let told = resolve(&second, not_paid).await.json();
    assert_eq!(told["status"], "failed");
    assert_eq!(told["failure"]["stage"], "inquiry");
    let said = told["failure"]["description"].as_str().expect("a description");
    assert_eq!(said, "not on the statement (evidence: 2 January, all rows)");

    // Whoever may submit, and even see everything, may not rule.
    unknown(&gateway, &third, None).await;
    let reader = gateway.key("reader", &[Scope::ReadAll, Scope::PayoutsWrite]).await;
    for key in [&key, &reader] {
        let call = Call::post(path(&third, "resolve")).key(key);
        let told = gateway.ask(call.json(paid("QK1").to_string())).await;
        assert_eq!(told.problem(), (403, "scope_missing".to_owned()));
    }
}

/// Opens a case, `at` seconds after `NOW`.
async fn case(gateway: &Gateway, kind: CaseKind, payout: Option<&Value>, at: u64) -> String {
    let at = NOW.after(Duration::from_secs(at));
    let id = CaseId::from_bytes(gateway.engine.ids().fresh(at));
    let mut case = Case {
        id,
        at,
        kind,
        about: None,
        app: None,
        says: format!("a case of the kind {}", kind.as_str()),
        messages: vec![],
        closed: None,
    };
    if let Some(payout) = payout {
        let id = payout["id"].as_str().expect("an id").parse().expect("an id");
        let stored = gateway.store.payout(id).await.expect("a read").expect("a payout");
        (case.about, case.app) = (Some(id.into()), Some(stored.payout.details.app));
    }
    let commit = Commit { cases: vec![case], ..Commit::default() };
    gateway.store.commit(commit).await.map(drop).expect("a commit");
    id.to_string()
}

#[tokio::test]
async fn cases_are_listed_filtered_and_seen_by_those_they_concern() {
    let (gateway, key) = gateway().await;
    let theirs = gateway.key("other", &[Scope::PayoutsRead, Scope::PayoutsWrite]).await;
    let auditor = gateway.key("auditor", &[Scope::ReadAll]).await;
    let admin = gateway.key("admin", &[Scope::Admin, Scope::PayoutsRead]).await;
    let mine = taken(&gateway, &key, "1", GOOD).await;
    let other = taken(&gateway, &theirs, "1", GOOD).await;
    let ids = [
        case(&gateway, CaseKind::StillUnknown, Some(&mine), 1).await,
        case(&gateway, CaseKind::Contradiction, Some(&other), 2).await,
        case(&gateway, CaseKind::Unmatched, None, 3).await,
        case(&gateway, CaseKind::Contradiction, Some(&mine), 4).await,
    ];
    let body = r#"{"ruling":"seen","reason":"r"}"#;
    let close = Call::post(format!("/v1/cases/{}/close", ids[3])).key(&admin);
    assert_eq!(gateway.ask(close.json(body)).await.status, 200);
    let list = async |key: &str, query: &str| {
        let told = gateway.ask(Call::get(format!("/v1/cases?{query}")).key(key)).await;
        assert_eq!(told.status, 200, "{query} {}", told.text());
        let page = told.json();
        let rows = page["data"].as_array().expect("rows").clone();
        let place = |row: &Value| ids.iter().position(|id| row["id"] == **id).expect("ours");
        let places: Vec<usize> = rows.iter().map(place).collect();
        (places, page["next_cursor"].as_str().map(str::to_owned))
    };
    let about = |payout: &Value| format!("payout={}", payout["id"].as_str().expect("an id"));
    let table: [(&str, String, Vec<usize>); 12] = [
        (&key, String::new(), vec![3, 0]),
        (&key, "order=asc".to_owned(), vec![0, 3]),
        (&key, "status=open".to_owned(), vec![0]),
        (&key, "status=closed".to_owned(), vec![3]),
        (&key, about(&other), vec![]),
        (&theirs, String::new(), vec![1]),
        (&auditor, String::new(), vec![3, 2, 1, 0]),
        (&admin, String::new(), vec![3, 2, 1, 0]),
        (&admin, "kind=contradiction".to_owned(), vec![3, 1]),
        (&admin, "kind=contradiction&status=open".to_owned(), vec![1]),
        (&admin, about(&mine), vec![3, 0]),
        (&admin, "kind=law_broken".to_owned(), vec![]),
    ];
    for (key, query, places) in table {
        assert_eq!(list(key, &query).await, (places, None), "{query}");
    }
    let (places, next) = list(&admin, "limit=3").await;
    assert_eq!(places, [3, 2, 1]);
    let next = next.expect("a next page");
    assert_eq!(list(&admin, &format!("limit=3&cursor={next}")).await, (vec![0], None));

    let seen = async |key: &str, nth: usize| {
        gateway.ask(Call::get(format!("/v1/cases/{}", ids[nth])).key(key)).await.status.as_u16()
    };
    for (key, statuses) in [
        (&key, [200, 404, 404, 200]),
        (&theirs, [404, 200, 404, 404]),
        (&auditor, [200; 4]),
        (&admin, [200; 4]),
    ] {
        for (nth, status) in statuses.into_iter().enumerate() {
            assert_eq!(seen(key, nth).await, status, "{nth}");
        }
    }
    let bad = "/v1/cases?status=shut&kind=odd&payout=po_1&cursor=x&colour=1&limit=0&order=up";
    let told = gateway.ask(Call::get(bad).key(&admin)).await;
    assert_eq!(told.problem(), (400, "invalid_query".to_owned()));
    let all = ["colour", "cursor", "kind", "limit", "order", "payout", "status"];
    assert_eq!(told.faulty(), all);
}

#[tokio::test]
async fn a_case_holds_its_evidence_and_is_closed_once() {
    let (gateway, key) = gateway().await;
    let payout = taken(&gateway, &key, "k", GOOD).await;
    settled(&gateway, &payout, "0", Some("QK12ABCD34")).await;
    result(&gateway, &payout, "1", None).await;
    let call = Call::post(format!("/cb/{TOKEN}/b2c/result")).body("no message at all");
    assert_eq!(call.put(&gateway.callbacks(&[])).await.status, 200);
    let admin = gateway.key("treasury", &[Scope::Admin, Scope::PayoutsRead]).await;
    let auditor = gateway.key("auditor", &[Scope::ReadAll]).await;

    let cases = gateway.ask(Call::get("/v1/cases?order=asc").key(&admin)).await.json();
    let (contradiction, malformed) = (&cases["data"][0], &cases["data"][1]);
    assert_eq!(contradiction["kind"], "contradiction");
    assert_eq!(contradiction["payout_id"], payout["id"]);
    assert_eq!((&malformed["kind"], &malformed["payout_id"]), (&json!("malformed"), &Value::Null));
    // The evidence can be read by those who see the case, also where it belongs to no payout.
    for (case, key, status) in [
        (contradiction, &key, 200),
        (malformed, &key, 404),
        (malformed, &auditor, 200),
        (malformed, &admin, 200),
    ] {
        let link = case["messages"][0]["href"].as_str().expect("a link");
        assert_eq!(gateway.ask(Call::get(link).key(key)).await.status, status, "{link}");
    }

    let id = contradiction["id"].as_str().expect("an id");
    let close = || {
        let body = r#"{"ruling":"paid once","reason":"the statement shows one debit"}"#;
        gateway.ask(Call::post(format!("/v1/cases/{id}/close")).key(&admin).json(body))
    };
    let told = close().await;
    assert_eq!(told.status, 200, "{}", told.text());
    let closed = json!({"at": "2024-01-02T03:04:05.000Z", "by": "treasury", "ruling": "paid once",
                        "reason": "the statement shows one debit"});
    assert_eq!((&told.json()["status"], &told.json()["closed"]), (&json!("closed"), &closed));
    let read = gateway.ask(Call::get(format!("/v1/cases/{id}")).key(&key)).await.json();
    assert_eq!(read, told.json());
    let again = close().await;
    assert_eq!(again.problem(), (409, "case_closed".to_owned()));
    assert_eq!(gateway.store.counts().open_cases(), 1);
    assert_eq!(gateway.store.counts().of(Status::Succeeded), 1, "no payout was changed");
}

#[tokio::test]
async fn a_store_that_failed_is_said_without_a_promise() {
    let (gateway, key) = gateway().await;
    let payout = taken(&gateway, &key, "k", GOOD).await;
    unknown(&gateway, &payout, None).await;
    let case = case(&gateway, CaseKind::StillUnknown, Some(&payout), 1).await;
    let admin = gateway.key("admin", &[Scope::Admin, Scope::PayoutsRead]).await;
    gateway.store.fail("the disk is full");
    let ruling = r#"{"outcome":"not_paid","reason":"r","evidence":"e"}"#;
    let table = [
        (Call::post(path(&payout, "inquire")).key(&key), "cannot be said"),
        (Call::post(path(&payout, "resolve")).key(&admin).json(ruling), "cannot be said"),
        (
            Call::post(format!("/v1/cases/{case}/close"))
                .key(&admin)
                .json(r#"{"ruling":"r","reason":"r"}"#),
            "cannot be said",
        ),
        (Call::post("/v1/rails/soap/resume").key(&admin), "stays stopped"),
        (
            Call::post("/v1/rails/soap/pause").key(&admin).json(r#"{"reason":"r"}"#),
            "a restart may lift it",
        ),
    ];
    for (call, words) in table {
        let shown = format!("{call:?}");
        let told = gateway.ask(call).await;
        assert_eq!(told.problem(), (503, "store_unavailable".to_owned()), "{shown}");
        assert!(detail(&told).contains(words), "{shown} {}", detail(&told));
    }
}

#[tokio::test]
async fn these_answers_hold_what_the_description_says() {
    let (gateway, key) = gateway().await;
    let document = gateway.ask(Call::get("/openapi.json")).await.json();
    let schemas = &document["components"]["schemas"];
    let names = |value: &Value| -> BTreeSet<String> {
        value.as_object().expect("an object").keys().cloned().collect()
    };
    let agree = |value: &Value, schema: &str| {
        let described = names(&schemas[schema]["properties"]);
        assert_eq!(names(value), described, "{schema}");
        let required = schemas[schema]["required"].as_array().map(Vec::len);
        assert_eq!(required, Some(described.len()), "{schema}: every field is always there");
    };
    let payout = taken(&gateway, &key, "k", GOOD).await;
    unknown(&gateway, &payout, None).await;
    let read = Call::get(format!("/v1/payouts/{}", payout["id"].as_str().expect("an id")));
    let read = gateway.ask(read.key(&key)).await.json();
    agree(&read, "Payout");
    agree(&read["doubt"], "Doubt");
    let admin = gateway.key("admin", &[Scope::Admin, Scope::PayoutsRead]).await;
    let pause = Call::post("/v1/rails/soap/pause").key(&admin).json(r#"{"reason":"r"}"#);
    let paused = gateway.ask(pause).await.json();
    agree(&paused, "Rail");
    agree(&paused["paused"], "Pause");
    agree(&paused["oldest_unknown"], "OldestUnknown");
    agree(&gateway.ask(Call::get("/v1/rails").key(&key)).await.json(), "Rails");
    let case = case(&gateway, CaseKind::StillUnknown, Some(&payout), 1).await;
    let close = Call::post(format!("/v1/cases/{case}/close")).key(&admin);
    let closed = gateway.ask(close.json(r#"{"ruling":"r","reason":"r"}"#)).await.json();
    agree(&closed, "Case");
    agree(&closed["closed"], "Closing");
    agree(&gateway.ask(Call::get("/v1/cases").key(&key)).await.json(), "CasePage");
    let another = taken(&gateway, &key, "k2", GOOD).await;
    settled(&gateway, &another, "2001", None).await;
    let refused = gateway.ask(Call::get("/v1/rails").key(&key)).await.json();
    agree(&refused["data"][0]["refused"], "Refusal");
}
