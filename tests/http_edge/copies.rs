//! The socket file: back-ups and exports, as the operator's shell asks for them.

use std::sync::Arc;

use mlango::clock::ManualClock;
use mlango::http::admin::{self, Admin, Alone, AskedExport, ExportPage};
use serde_json::{Value, json};

use crate::help::{gateway, taken};
use crate::notices::{call, confirmation, paid, prompted};
use crate::support::{Call, Gateway, NOW, Told, counted};

async fn ask(gateway: &Gateway, call: Call) -> Told {
    let admin = Admin::new(Arc::clone(&gateway.engine), Arc::clone(&gateway.apps), counted);
    call.put(&admin::router(admin)).await
}

/// Every page, through the socket; and that the store itself gives the same.
async fn export(gateway: &Gateway, what: &str, filters: &[(&str, &str)]) -> (String, usize) {
    let clock = ManualClock::new(NOW);
    let ids = gateway.engine.ids().as_ref();
    let alone =
        Alone { store: gateway.store.as_ref(), clock: &clock, ids, from: "the shell, uid 7" };
    let (mut texts, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut query: Vec<(&str, &str)> = filters.to_vec();
        query.extend(after.as_deref().map(|after| ("after", after)));
        let written: Vec<String> = query.iter().map(|(name, it)| format!("{name}={it}")).collect();
        let told = ask(gateway, Call::get(format!("/export/{what}?{}", written.join("&")))).await;
        assert_eq!(told.status, 200, "{}", told.text());
        let page: ExportPage = serde_json::from_value(told.json()).expect("a page");
        let value = |name: &str| query.iter().find(|it| it.0 == name).map(|it| it.1.to_owned());
        let asked = AskedExport {
            format: value("format").expect("a format"),
            from: value("from"),
            to: value("to"),
            after: value("after"),
        };
        assert_eq!(alone.export(what, &asked).await, Ok(page.clone()));
        assert!(page.text.len() < 1024 * 1024, "a page is bounded");
        texts.push(page.text);
        match page.next {
            Some(next) => after = Some(next),
            None => return (texts.concat(), texts.len()),
        }
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[tokio::test]
async fn payments_are_exported_as_the_api_shows_them() {
    let gateway = Gateway::with_daraja();
    prompted(&gateway).await;
    call(&gateway, "stk", paid()).await;
    for (receipt, account) in [("UA24AA00YY", "@INV-77"), ("UA24AA00XX", "INV-78")] {
        call(&gateway, "c2b/confirmation", confirmation(receipt, account)).await;
    }
    let (text, _pages) = export(&gateway, "payments", &[("format", "jsonl")]).await;
    let all = lines(&text);
    assert_eq!(all.len(), 3);
    assert_eq!(all[2]["payer_phone_shown"], "2547*****001", "as M-Pesa shows it, and no more");
    let (csv, _pages) = export(&gateway, "payments", &[("format", "csv")]).await;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let head = reader.headers().expect("a head").clone();
    for line in &all {
        let row = reader.records().next().expect("a row").expect("RFC 4180");
        for (name, cell) in head.iter().zip(&row) {
            let shown = match &line[name] {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other
                @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                    other.to_string()
                }
            };
            assert_eq!(cell.trim_start_matches('\''), shown, "{name}");
        }
        for name in line.as_object().expect("an object").keys() {
            assert!(head.iter().any(|column| column == name), "{name} is in no column");
        }
    }
    assert!(csv.contains(",'@INV-77,"), "no formula for a spreadsheet: {csv}");
    // All were made at one moment.
    let made = all[0]["created_at"].as_str().expect("a time").to_owned();
    for (filter, count) in [("from", 3), ("to", 0)] {
        let (text, _pages) =
            export(&gateway, "payments", &[("format", "jsonl"), (filter, &made)]).await;
        assert_eq!(lines(&text).len(), count, "{filter}");
    }
}

#[tokio::test]
async fn a_long_export_comes_in_bounded_pages_with_nothing_twice_or_missing() {
    let (gateway, key) = gateway().await;
    let metadata: serde_json::Map<String, Value> =
        (0..6).map(|nth| (format!("note-{nth}"), json!("x".repeat(500)))).collect();
    let mut ids = Vec::new();
    for nth in 0..400 {
        let body = json!({"amount": "100", "phone": "0722000111", "metadata": metadata});
        let made = taken(&gateway, &key, &format!("once-{nth}"), &body.to_string()).await;
        ids.push(made["id"].as_str().expect("an id").to_owned());
    }
    let (text, pages) = export(&gateway, "payouts", &[("format", "jsonl")]).await;
    assert!(pages > 2, "{pages} pages");
    let all = lines(&text);
    let listed: Vec<&str> = all.iter().filter_map(|line| line["id"].as_str()).collect();
    assert_eq!(listed, ids);
    let (csv, _pages) = export(&gateway, "payouts", &[("format", "csv")]).await;
    assert_eq!(csv.matches("originator_conversation_id").count(), 1, "one head line");
    assert_eq!(csv::Reader::from_reader(csv.as_bytes()).records().count(), ids.len());
    let (feed, _pages) = export(&gateway, "events", &[("format", "jsonl")]).await;
    let feed: Vec<u64> = lines(&feed).iter().filter_map(|line| line["seq"].as_u64()).collect();
    assert!(feed.len() >= ids.len() && feed.is_sorted(), "{feed:?}");
}

#[tokio::test]
async fn what_will_not_do_is_said() {
    let (gateway, _key) = gateway().await;
    for (path, says) in [
        ("/export/cases?format=csv", "payouts, payments and events"),
        ("/export/payouts?format=xml", "csv or jsonl"),
        ("/export/payouts", "format"),
        ("/export/payouts?format=csv&from=yesterday", "RFC 3339"),
        ("/export/payouts?format=csv&after=pay_1", "where the last page ended"),
        ("/export/payments?format=csv&after=x", "where the last page ended"),
        ("/export/events?format=csv&after=-1", "the seq of an event"),
        ("/export/events?format=csv&limit=1", "limit"),
    ] {
        let told = ask(&gateway, Call::get(path)).await;
        assert_eq!(told.status, 400, "{path}: {}", told.text());
        assert!(told.text().contains(says), "{path}: {}", told.text());
    }
    for (body, says) in [
        (json!({"dir": "b", "is_kept": true}), "begin at the root"),
        (json!({"dir": "/nowhere/b"}), "is_kept"),
        (json!({"dir": "/nowhere/b", "is_kept": true}), "in memory"),
    ] {
        let told = ask(&gateway, Call::post("/backup").json(body.to_string())).await;
        assert_eq!(told.status, 422, "{body}: {}", told.text());
        assert!(told.text().contains(says), "{body}: {}", told.text());
    }
    assert_eq!(ask(&gateway, Call::get("/backup")).await.json(), json!({"bytes": 0}));
}
