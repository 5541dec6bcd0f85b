//! `POST /sim/clock` and what it refuses.

use serde_json::json;

use crate::bench::{Bench, NOON, text};

#[tokio::test]
async fn the_clock_stands_until_it_is_moved_and_says_what_waits() {
    let bench = Bench::open(NOON, &[]).await;
    let id = bench.pay("254722123456", "INV-1", "soap").await;
    let clock = bench.look("/sim/clock").await;
    assert_eq!(clock["now"], "2026-12-02T09:00:00.000Z");
    assert_eq!(clock["east_africa"], "2026-12-02 12:00:00");
    assert_eq!((&clock["mode"], &clock["speed"]), (&json!("stands"), &json!(0)));
    assert_eq!(clock["followers"].as_array().map(Vec::len), Some(1), "{clock}");
    // Nothing is asked for but what is due now: the payout goes, and its result waits.
    bench.steer(json!({"advance": "0s"})).await;
    assert_eq!(bench.get(&format!("/v1/payouts/{id}")).await["status"], "accepted");
    let clock = bench.look("/sim/clock").await;
    assert_eq!(clock["waits"][0]["what"], "a message on its way", "{clock}");
    let came = bench.steer(json!({"next": true})).await;
    assert_eq!(came["begun"][0]["whose"], "simulator", "{came}");
    assert_eq!(came["begun"][0]["at"], clock["waits"][0]["until"]);
    assert_eq!(bench.get(&format!("/v1/payouts/{id}")).await["status"], "succeeded");
    bench.close().await;
}

#[tokio::test]
async fn the_clock_goes_faster_and_stands_again() {
    let bench = Bench::open(NOON, &[]).await;
    let (status, clock) = bench.tell("/sim/clock", &json!({"speed": 3_600})).await;
    assert!(status.is_success(), "{clock}");
    assert_eq!((&clock["mode"], &clock["speed"]), (&json!("runs"), &json!(3_600)));
    let id = bench.pay("254722000008", "INV-1", "soap").await;
    // Half a minute of it is enough, which is some moments of ours.
    loop {
        let payout = bench.get(&format!("/v1/payouts/{id}")).await;
        if payout["status"] == "succeeded" {
            break;
        }
        tokio::task::yield_now().await;
    }
    let (_status, clock) = bench.tell("/sim/clock", &json!({"stand": true})).await;
    let stood = text(&clock, "now").to_owned();
    assert!(stood.as_str() > NOON, "{clock}");
    assert_eq!(bench.look("/sim/clock").await["now"], stood.as_str());
    bench.close().await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_moves_nothing() {
    let bench = Bench::open(NOON, &[]).await;
    let table = [
        (json!({}), "expected one of advance, set, next, stand, run and speed"),
        (json!({"advance": "soon"}), "advance: found \"soon\"; expected a length of time"),
        (json!({"advance": 3}), "expected a string"),
        (json!({"advance": "500d"}), "400d is the most"),
        (json!({"set": "2026-12-02T08:59:59Z"}), "it never goes back"),
        (json!({"set": "noon"}), "expected a time such as"),
        (json!({"back": "1d"}), "unknown field `back`"),
        (json!({"speed": 1_000_000}), "from 1 to 86400"),
    ];
    for (wanted, says) in table {
        let (status, refused) = bench.tell("/sim/clock", &wanted).await;
        assert!(status.is_client_error(), "{wanted}: {refused}");
        assert!(text(&refused, "error").contains(says), "{wanted}: {refused}");
    }
    assert_eq!(bench.look("/sim/clock").await["now"], "2026-12-02T09:00:00.000Z");
    bench.close().await;
}

#[tokio::test]
async fn a_gateway_in_test_mode_says_so_wherever_it_is_asked() {
    let bench = Bench::open(NOON, &[]).await;
    let notes = bench.get("/readyz").await["notes"].to_string();
    assert!(notes.contains("TEST CLOCK"), "{notes}");
    assert_eq!(bench.get("/v1/rails").await["test_clock"], "2026-12-02T09:00:00.000Z");
    bench.steer(json!({"set": "2027-01-01T00:00:00Z"})).await;
    assert_eq!(bench.get("/v1/rails").await["test_clock"], "2027-01-01T00:00:00.000Z");
    bench.close().await;
}
