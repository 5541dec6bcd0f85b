//! Months end at midnight in Nairobi, and what was expected is expected no more.

use serde_json::{Value, json};

use crate::bench::{Bench, text};

/// Ten seconds before the year ends in Nairobi.
const LAST_EVENING: &str = "2026-12-31T20:59:50Z";

/// A customer pays; what came of it, as far as it went while the clock stands.
async fn customer_pays(bench: &Bench, account: &str) -> Value {
    let bill = json!({
        "shortcode": "174379", "phone": "254722000111", "amount": "100", "account": account,
    });
    bench.tell("/sim/c2b", &bill).await.1
}

#[tokio::test]
async fn receipts_begin_with_their_day_in_nairobi() {
    let bench = Bench::open(LAST_EVENING, &[]).await;
    // What is paid before midnight, and after it.
    let table = [("0s", "ULV"), ("9s", "ULV"), ("1s", "VA1"), ("31d", "VB1")];
    for (nth, (pause, day)) in table.into_iter().enumerate() {
        bench.steer(json!({"advance": pause})).await;
        let id = bench.pay("254722123456", &format!("INV-{nth}"), "soap").await;
        bench.steer(json!({"advance": "500ms"})).await;
        let payout = bench.get(&format!("/v1/payouts/{id}")).await;
        assert!(text(&payout, "receipt").starts_with(day), "{nth}: {payout}");
    }
    bench.close().await;
}

#[tokio::test]
async fn a_reference_is_expected_until_it_expires() {
    let strict = [("C2B__UNLISTED", "refuse")];
    let bench = Bench::open(LAST_EVENING, &strict).await;
    register(&bench).await;
    let row =
        json!([{"reference": "INV-77", "expires_at": "2026-12-31T21:00:00Z", "times": "many"}]);
    bench.post("/v1/c2b/expected-references", &row).await;
    let paid = customer_pays(&bench, "INV-77").await;
    assert_eq!(paid["outcome"], "waits", "its confirmation goes by the clock: {paid}");
    bench.steer(json!({"advance": "1s"})).await;
    let payments = bench.get("/v1/payments?type=c2b").await;
    assert_eq!(payments["data"].as_array().map(Vec::len), Some(1), "{payments}");
    bench.steer(json!({"set": "2026-12-31T21:00:00Z"})).await;
    let late = customer_pays(&bench, "INV-77").await;
    assert_eq!(late["outcome"], "cancelled", "{late}");
    assert_eq!(bench.sim.ledger().movements.len(), 1, "only the first has moved");
    bench.close().await;
}

/// Has M-Pesa tell this gateway of customers' payments, and ask it before.
async fn register(bench: &Bench) {
    bench.post("/v1/c2b/register-urls", &json!({"rail": "daraja"})).await;
    bench.steer(json!({"advance": "1s"})).await;
    let urls = bench.look("/sim/urls").await;
    assert_eq!(urls["data"].as_array().map(Vec::len), Some(1), "{urls}");
}
