//! How often M-Pesa is asked is counted by the steered clock, as M-Pesa counts by it, too.

use serde_json::{Value, json};

use crate::bench::{Bench, NOON, text};

#[tokio::test]
async fn payouts_go_at_their_pace_by_the_clock() {
    let slow = [("BROKER__MAX_PER_SECOND", "5"), ("PAYOUTS__FIRST_RESULT_WAIT", "1s")];
    let bench = Bench::open(NOON, &slow).await;
    // The first goes alone, until its result shows that M-Pesa takes our credentials.
    bench.pay("254722123456", "INV-first", "soap").await;
    bench.steer(json!({"advance": "10s"})).await;
    for nth in 0..20 {
        bench.pay("254722123456", &format!("INV-{nth}"), "soap").await;
    }
    let paid = async |after: &str| {
        bench.steer(json!({"advance": after})).await;
        bench.sim.payments() - 1
    };
    assert_eq!(paid("900ms").await, 5);
    assert_eq!(paid("1s").await, 10);
    assert_eq!(paid("10s").await, 20);
    bench.close().await;
}

#[tokio::test]
async fn a_prompt_that_nobody_answers_is_asked_about_at_its_times() {
    let bench = Bench::open(NOON, &[]).await;
    let push = json!({
        "amount": "10", "phone": "254722123456", "reference": "ORDER1", "description": "Tea",
    });
    let silent = json!({"api": "stk", "fault": "no_callback", "times": 1});
    let (status, said) = bench.tell("/sim/faults", &silent).await;
    assert!(status.is_success(), "{said}");
    let id = text(&bench.post("/v1/stk-pushes", &push).await, "id").to_owned();
    bench.steer(json!({"advance": "3d"})).await;
    let payment = bench.get(&format!("/v1/payments/{id}")).await;
    assert_ne!(payment["status"], "pending", "{payment}");
    let exchanges = bench.look("/sim/exchanges?limit=1000").await;
    let all: Vec<Value> = exchanges["data"].as_array().expect("a list").clone();
    let queries = all.iter().filter(|line| text(line, "path").contains("stkpushquery"));
    assert!(queries.count() >= 1);
    bench.close().await;
}
