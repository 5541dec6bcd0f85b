//! Three days of pulling payments whose confirmations may be missing: as often as in three days.

use serde_json::{Value, json};

use crate::bench::{Bench, NOON, at, text};

#[tokio::test]
async fn three_days_of_pulls_are_as_many_as_in_three_days() {
    let every = [("C2B__PULL_EVERY", "1h"), ("C2B__PULL_WINDOW", "6h")];
    let bench = Bench::open(NOON, &every).await;
    bench.post("/v1/c2b/register-pull", &json!({"nominated_number": "254722000000"})).await;
    bench.steer(json!({"advance": "3d"})).await;
    let exchanges = bench.look("/sim/exchanges?limit=1000").await;
    let all: Vec<Value> = exchanges["data"].as_array().expect("a list").clone();
    let pulls = all.iter().filter(|line| text(line, "path").contains("pulltransactions/v1/query"));
    let pulls: Vec<i64> = pulls.map(|line| at(text(line, "at")).millis()).collect();
    let hour = 3_600_000;
    let expected: Vec<i64> = (0..=72).map(|nth| at(NOON).millis() + nth * hour).collect();
    assert_eq!(pulls, expected);
    bench.close().await;
}
