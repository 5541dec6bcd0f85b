//! Two runs with the same seeds and the same steering are the same run.

use serde_json::{Value, json};

use crate::bench::{Bench, NOON};

/// A day of payouts of every kind; the ledger and the feed of events.
async fn run() -> (Value, Value, Value) {
    let bench = Bench::open(NOON, &[]).await;
    for nth in 0..10 {
        let phone = format!("25472200000{nth}");
        let rail = if nth % 2 == 0 { "soap" } else { "daraja" };
        bench.pay(&phone, &format!("INV-{nth}"), rail).await;
        bench.steer(json!({"advance": "7s"})).await;
    }
    let mut came = bench.steer(json!({"advance": "1d"})).await;
    // The gateway is named by its port, which is whatever was free.
    for begun in came["begun"].as_array_mut().expect("a list") {
        if begun["whose"] != "simulator" {
            begun["whose"] = json!("gateway");
        }
    }
    let ledger = bench.look("/sim/ledger").await;
    let mut events = bench.get("/v1/events?limit=500").await;
    let all = events["data"].as_array_mut().expect("a list");
    assert_eq!(all[0]["type"], "admin.tests_begun");
    // That it started names its ports, too.
    assert_eq!(all.remove(1)["type"], "admin.gateway_started");
    bench.close().await;
    (came, ledger, events)
}

#[tokio::test]
async fn two_runs_with_one_seed_are_alike() {
    let (one, other) = (run().await, run().await);
    let count = |(_, ledger, events): &(Value, Value, Value)| {
        [ledger, events].map(|list| list["data"].as_array().map_or(0, Vec::len))
    };
    assert!(count(&one)[0] >= 5 && count(&one)[1] >= 30, "{:?}", count(&one));
    assert_eq!(one.0, other.0, "what was due, and when");
    assert_eq!(one.1, other.1, "the ledger");
    assert_eq!(one.2, other.2, "the events");
}
