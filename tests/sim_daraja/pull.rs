//! What customers paid, pulled: what a lost confirmation is recovered by (spec/daraja.md §1.13).

use std::time::Duration;

use mlango::sim::daraja::Api;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{PULL, REGISTER, STK, Stage, c2b, pull, register, stk, with};

async fn rows(stage: &Stage, body: &Value) -> (Value, Vec<Value>) {
    let came = stage.post(PULL, body).await.expect("an answer").json();
    let outer = came["Response"].as_array().expect("a list").clone();
    assert_eq!(outer.len(), 1, "doubly nested");
    (came["ResponseCode"].clone(), outer[0].as_array().expect("a list of rows").clone())
}

#[tokio::test(start_paused = true)]
async fn a_payment_whose_confirmation_never_came_is_found() {
    let stage = Stage::new().await;
    assert_eq!(rows(&stage, &pull("0")).await, (json!("1001"), Vec::new()));
    stage.word(REGISTER, &register()).await;
    stage.fault(Api::C2b, "no_confirmation");
    let (_, paid) = stage.control("/sim/c2b", &c2b("0126")).await;
    assert_eq!(paid["confirmation"], Value::Null);
    stage.control("/sim/c2b", &with(&c2b("0126"), &json!({"kind": "till"}))).await;
    stage.word(STK, &stk("0111")).await;
    stage.heard().await;
    let (code, found) = rows(&stage, &pull("0")).await;
    assert_eq!((code, found.len()), (json!("1000"), 3));
    assert_eq!(
        found[0],
        json!({
            "transactionId": paid["receipt"], "trxDate": "2024-01-02T03:04:05.000Z",
            "msisdn": 254_722_000_126_u64, "sender": "MPESA",
            "transactiontype": "c2b-pay-bill-debit", "billreference": "INV-77",
            "amount": "25.00", "organizationname": "Example Organisation",
        })
    );
    assert_eq!(found[1]["transactiontype"], "c2b-buy-goods-debit");
    let nothing = json!({"ShortCode": "600000"});
    assert_eq!(rows(&stage, &with(&pull("0"), &nothing)).await.1.len(), 0);
    // In East Africa Time, the end included.
    let before = json!({"EndDate": "2024-01-02 06:04:04"});
    assert_eq!(rows(&stage, &with(&pull("0"), &before)).await.1.len(), 0);
    let from = json!({"StartDate": "2024-01-02 06:04:05"});
    assert_eq!(rows(&stage, &with(&pull("0"), &from)).await.1.len(), 3);
    sleep(Duration::from_secs(48 * 60 * 60 - 3_000)).await;
    stage.renew().await;
    assert_eq!(rows(&stage, &pull("0")).await.1.len(), 3);
    sleep(Duration::from_secs(3_500)).await;
    assert_eq!(rows(&stage, &pull("0")).await.1.len(), 0, "no further back than 48 hours");
}

#[tokio::test(start_paused = true)]
async fn a_page_has_a_hundred_rows() {
    let stage = Stage::new().await;
    for _ in 0..203 {
        stage.control("/sim/c2b", &c2b("0126")).await;
    }
    let mut receipts = Vec::new();
    for (offset, expected) in [("0", 100), ("100", 100), ("200", 3), ("203", 0)] {
        let (_, found) = rows(&stage, &pull(offset)).await;
        assert_eq!(found.len(), expected, "{offset}");
        receipts.extend(found.iter().map(|row| row["transactionId"].to_string()));
    }
    receipts.sort();
    receipts.dedup();
    assert_eq!(receipts.len(), 203);
}
