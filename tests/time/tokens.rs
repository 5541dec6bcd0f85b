//! An access token lives an hour of the steered clock.

use serde_json::{Value, json};

use crate::bench::{Bench, NOON, text};

async fn tokens(bench: &Bench) -> usize {
    let exchanges = bench.look("/sim/exchanges?limit=1000").await;
    let all: Vec<Value> = exchanges["data"].as_array().expect("a list").clone();
    all.iter().filter(|line| text(line, "path").starts_with("/oauth")).count()
}

#[tokio::test]
async fn a_token_that_got_old_is_fetched_anew() {
    let bench = Bench::open(NOON, &[]).await;
    // Pauses before a payout; tokens fetched by then: one lives 3,599 s, and is given up a minute
    // before.
    let table = [("0s", 1), ("58m", 1), ("58s", 2), ("30d", 3)];
    for (nth, (pause, fetched)) in table.into_iter().enumerate() {
        bench.steer(json!({"advance": pause})).await;
        let id = bench.pay("254722123456", &format!("INV-{nth}"), "daraja").await;
        bench.steer(json!({"advance": "1s"})).await;
        assert_eq!(bench.get(&format!("/v1/payouts/{id}")).await["status"], "succeeded", "{nth}");
        assert_eq!(tokens(&bench).await, fetched, "{pause}");
    }
    bench.close().await;
}
