//! `mlango backup`, `restore`, `export` and `verify` beside a gateway that works, and without one.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::api::{Api, get, id_of, name_of, payout};
use crate::house::House;
use crate::process::eventually;

/// Payouts that wait when the back-up is taken.
const WAITING: usize = 12;
/// How many programs submit meanwhile.
const CLIENTS: usize = 3;

fn quick() -> House {
    House::new()
        .with("PAYOUTS__ARRIVAL_WINDOW", "3s")
        // What the back-up holds as accepted gets no result any more: the original had it.
        .with("PAYOUTS__RESULT_OVERDUE", "5s")
        .with("PAYOUTS__INQUIRY_INTERVALS", "1s,1s,1s,1s,2s,2s,5s,5s,10s,10s")
        .with("PAYOUTS__FIRST_RESULT_WAIT", "1s")
}

/// Submits until told to end.
fn load(api: &Api, client: usize, end: &AtomicBool, taken: &AtomicUsize) {
    let mut nth = 0;
    while !end.load(Ordering::SeqCst) {
        let phone = format!("2547333{client}{:04}", 20 + nth % 9_000);
        api.submit(&format!("load-{client}-{nth}"), &payout(&phone, "11"));
        taken.fetch_add(1, Ordering::SeqCst);
        nth += 1;
        // A pace that M-Pesa follows.
        thread::sleep(Duration::from_millis(30));
    }
}

/// How often a request for money went over the wire, by its name.
fn requests(house: &House) -> HashMap<String, usize> {
    let mut requests = HashMap::new();
    for exchange in house.exchanges() {
        let body = exchange["request"].as_str().unwrap_or_default();
        if exchange["direction"] == "in" && !body.contains("TransactionStatusQuery") {
            let name = exchange["originator_conversation_id"].as_str().unwrap_or_default();
            *requests.entry(name.to_owned()).or_default() += 1;
        }
    }
    requests
}

/// A back-up taken under load, while some payouts wait; gives those, and how many others were
/// taken.
fn back_up_under_load(house: &House, api: &Api) -> (Vec<Value>, usize) {
    let (end, taken) = (AtomicBool::new(false), AtomicUsize::new(0));
    let until = |goal: usize| {
        eventually("payouts are taken", || (taken.load(Ordering::SeqCst) >= goal).then_some(()));
    };
    let waiting = thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (end, taken) = (&end, &taken);
            scope.spawn(move || load(api, client, end, taken));
        }
        until(20);
        house.run(&["rails", "pause", "soap", "--reason", "so that some wait"]).done();
        let waiting: Vec<Value> = (0..WAITING)
            .map(|nth| {
                api.submit(&format!("w{nth}"), &payout(&format!("2547221201{nth:02}"), "25"))
            })
            .collect();
        let told = house.run(&["--json", "backup", "b"]);
        let manifest = told.json();
        assert!(told.err.contains("keep it as you keep the store"), "{}", told.err);
        assert!(manifest["payouts"].as_u64() >= Some(32), "{manifest}");
        until(taken.load(Ordering::SeqCst) + 20);
        end.store(true, Ordering::SeqCst);
        waiting
    });
    house.run(&["backup", "b"]).failed(1, &["is not empty"]);
    house.run(&["restore", "b"]).failed(1, &["a gateway runs", "nothing was restored"]);
    let metrics = get(house.api, "/metrics", &[]).expect("metrics").body;
    assert!(metrics.contains("mlango_backup_age_seconds "), "{metrics}");
    (waiting, taken.load(Ordering::SeqCst))
}

fn all_end(api: &Api) -> Vec<Value> {
    eventually("all that was submitted ends", || {
        let all = api.payouts();
        all.iter().all(|payout| payout["completed_at"].is_string()).then_some(all)
    })
}

/// After the back-up the original pays what waits, but for the last, which is cancelled.
fn go_on(house: &House, api: &Api, waiting: &[Value]) -> Vec<Value> {
    let (cancelled, paid) = waiting.split_last().expect("several");
    let path = format!("/v1/payouts/{}/cancel", id_of(cancelled));
    assert_eq!(api.post(&path, "c", &json!({})).expect("an answer").status, 200);
    house.run(&["rails", "resume", "soap"]).done();
    for payout in paid {
        api.until(id_of(payout), "succeeded");
    }
    all_end(api)
}

/// Before anybody resumes it, nothing goes out, and M-Pesa is asked what became of what was queued.
fn ask_before_anything(house: &House, api: &Api, waiting: &[Value], first: &[Value]) {
    let wire = requests(house);
    let rails = house.run(&["--json", "rails"]).json();
    let reason = rails["data"][0]["paused"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("restored from a back-up of 20"), "{rails}");
    let (cancelled, paid) = waiting.split_last().expect("several");
    for payout in paid {
        let found = api.until(id_of(payout), "succeeded");
        let known = first.iter().find(|known| known["id"] == payout["id"]).expect("the same");
        assert_eq!(found["receipt"], known["receipt"], "M-Pesa's own word for it");
    }
    // Of the one that was cancelled M-Pesa has none: it waits for the rail.
    api.until(id_of(cancelled), "queued");
    for kind in ["payout.unknown", "payout.inquired"] {
        assert!(api.events(id_of(cancelled)).iter().any(|event| event["type"] == kind), "{kind}");
    }
    assert_eq!(requests(house), wire, "while it is paused no payout is sent");
}

#[test]
fn what_a_restored_back_up_holds_as_queued_and_was_paid_since_is_paid_once() {
    let mut house = quick();
    let _simulator = house.simulate();
    let mut gateway = house.serve();
    let api = house.client("erp", &[]);
    let (waiting, load_taken) = back_up_under_load(&house, &api);
    let first = go_on(&house, &api, &waiting);
    let events = house.run(&["export", "events", "--format", "jsonl"]).done();
    let records: Vec<&str> = events.lines().filter(|it| it.contains("admin.backed_up")).collect();
    assert_eq!(records.len(), 1, "who took a copy of the book is on record");
    assert!(records[0].contains("the shell, uid "), "{}", records[0]);
    gateway.stop();
    house.run(&["restore", "b"]).failed(1, &["there is a store in", "already", "move it away"]);

    house.set("STORE__URL", "sled:./restored");
    let told = house.run(&["--json", "restore", "b"]);
    let restored = told.json();
    assert!(restored["queued"].as_u64() >= Some(12), "{restored}");
    assert!(told.err.contains("Every rail is paused"), "{}", told.err);
    let mut gateway = house.serve();
    ask_before_anything(&house, &api, &waiting, &first);
    house.run(&["rails", "resume", "soap"]).done();
    assert!(all_end(&api).iter().all(|payout| payout["status"] == "succeeded"));

    let wire = requests(&house);
    let twice: Vec<_> = wire.iter().filter(|(_name, times)| **times > 1).collect();
    assert!(twice.is_empty(), "sent twice: {twice:?}");
    let ledger = house.ledger();
    let names: HashSet<&str> = ledger.iter().map(name_of).collect();
    assert_eq!(names.len(), ledger.len(), "M-Pesa paid one payout twice");
    assert_eq!(ledger.len(), load_taken + WAITING, "all were paid, each once");
    gateway.stop();
    assert_eq!(house.run(&["verify"]).code, 0);
}

/// An export without the record of the gateway's end, which comes after it.
fn without_end(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.contains("admin.gateway_stopped"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_exported_beside_a_gateway_is_what_is_exported_without() {
    let house = House::new();
    let _simulator = house.simulate();
    let mut gateway = house.serve();
    let api = house.client("erp", &[]);
    for nth in 0..8 {
        let reference =
            if nth == 3 { "=SUM(A1:A9)".to_owned() } else { format!("INV-{nth}, \"x\"") };
        let body = json!({"phone": format!("25472212340{nth}"), "amount": "100",
            "reference": reference, "metadata": {"branch": "Nakuru"}});
        api.submit(&format!("k{nth}"), &body);
    }
    eventually("all are paid", || {
        api.payouts().iter().all(|payout| payout["status"] == "succeeded").then_some(())
    });
    let asked: [&[&str]; 7] = [
        &["export", "payouts"],
        &["export", "payouts", "--format", "jsonl"],
        &["export", "payments"],
        &["export", "events"],
        &["export", "events", "--format", "jsonl"],
        &["export", "payouts", "--to", "2020-01-31"],
        &["export", "payouts", "--from", "2020-01-31T06:00:00+03:00", "--format", "jsonl"],
    ];
    let beside: Vec<String> = asked.iter().map(|args| house.run(args).done()).collect();
    gateway.stop();
    for (args, beside) in asked.iter().zip(&beside) {
        assert_eq!(without_end(&house.run(args).done()), without_end(beside), "{args:?}");
    }
    let [csv, jsonl, payments, events, event_lines, none, since] = &beside[..] else {
        panic!("seven")
    };
    let lines: Vec<Value> =
        jsonl.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 8);
    assert_eq!(since, jsonl);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let head = reader.headers().expect("a head line").clone();
    let rows: Vec<csv::StringRecord> =
        reader.records().collect::<Result<_, _>>().expect("RFC 4180");
    assert_eq!(rows.len(), 8);
    assert!(csv.lines().count() == 9 && csv.contains("\r\n"));
    let at = |row: &csv::StringRecord, name: &str| {
        let place = head.iter().position(|column| column == name).expect(name);
        row.get(place).expect("a cell").to_owned()
    };
    for (row, line) in rows.iter().zip(&lines) {
        for name in ["id", "status", "amount", "phone", "receipt", "created_at"] {
            assert_eq!(at(row, name), line[name].as_str().expect(name));
        }
        assert_eq!(at(row, "metadata"), "{\"branch\":\"Nakuru\"}");
        // Whatever the API shows has its column.
        for name in line.as_object().expect("an object").keys() {
            let has = |column: &str| column == name || column.starts_with(&format!("{name}_"));
            assert!(head.iter().any(has), "{name} is in no column");
        }
    }
    assert_eq!(at(&rows[3], "reference"), "'=SUM(A1:A9)", "no formula for a spreadsheet");
    assert_eq!(at(&rows[4], "reference"), "INV-4, \"x\"");
    assert_eq!(lines[3]["reference"], "=SUM(A1:A9)", "JSON is as it is");
    assert_eq!((none.lines().count(), payments.lines().count()), (1, 1), "only the head");
    let feed: Vec<u64> = event_lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON")["seq"].as_u64().unwrap())
        .collect();
    assert!(feed.iter().copied().eq((1..).take(feed.len())), "in the order of the feed: {feed:?}");
    assert_eq!(events.lines().count(), feed.len() + 1);
    for secret in ["initiator_password", "sp_password", "token"] {
        assert!(!beside.iter().any(|text| text.contains(&house.written(secret))));
    }
    house.run(&["export", "payouts", "--from", "yesterday"]).failed(2, &["2026-01-31T06:00:00Z"]);
    house.run(&["export", "everything"]).failed(2, &["payouts", "payments", "events"]);
}

#[test]
fn without_a_gateway_the_store_itself_is_backed_up_and_verified() {
    let mut house = House::new();
    for args in [&["backup", "b"][..], &["verify"], &["export", "payouts"]] {
        house.run(args).failed(1, &["there is no store in", "nothing was done"]);
    }
    assert!(!house.path("data").exists(), "none was made");
    let _simulator = house.simulate();
    let mut gateway = house.serve();
    let api = house.client("erp", &[]);
    let taken = api.submit("k", &payout("254722123456", "100"));
    api.until(id_of(&taken), "succeeded");
    let beside = house.run(&["--json", "verify"]);
    assert!(beside.err.contains("a copy of it, which is removed again"), "{}", beside.err);
    let beside = beside.json();
    assert_eq!((&beside["faults"], &beside["of_a_copy"]), (&json!([]), &json!(true)));
    assert!(!house.path("data.checking").exists());
    assert!(!house.path("data/last-backup").exists(), "such a copy is no back-up");
    gateway.stop();
    let alone = house.run(&["--json", "verify"]).json();
    for name in ["payouts", "messages", "indexes"] {
        assert_eq!(alone[name], beside[name], "{name}");
    }
    let events = |told: &Value| told["events"].as_u64().expect("a number");
    assert_eq!(events(&alone), events(&beside) + 1, "its end is on record, too");
    let told = house.run(&["backup", "b"]);
    assert!(told.code == 0 && told.out.contains(": 1 payouts, "), "{told:?}");
    assert!(house.path("data/last-backup").exists());

    fs::write(house.path("b/base"), "nonsense").expect("a file");
    house.set("STORE__URL", "sled:./restored");
    house.run(&["restore", "b"]).failed(1, &["base", "is damaged", "Nothing was restored"]);
    house.run(&["restore", "nowhere"]).failed(1, &["holds no back-up"]);
    assert!(!house.path("restored").exists());
    house.set("STORE__URL", "memory:");
    house.run(&["backup", "c"]).failed(1, &["memory:"]);
    house.run(&["restore", "b"]).failed(1, &["memory:"]);
}
