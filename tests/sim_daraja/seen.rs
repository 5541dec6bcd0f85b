//! What a watcher sees of money: each movement of the ledger, once, with the exchange that moved it
//! or alone.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::Method;
use mlango::sim::Settings;
use mlango::sim::chaos::Chaos;
use mlango::sim::daraja::Api;
use mlango::sim::watch::{Happening, Seen, Watch};
use serde_json::json;

use crate::support::{
    B2B, B2C, REGISTER, REVERSAL, STK, Stage, b2b, b2c, c2b, register, reversal, settings,
    soap_payment, stk, with,
};

const BROKER: &str = "/mminterface/request";
const B2C_V1: &str = "/mpesa/b2c/v1/paymentrequest";

/// What was told of money: the movement's place in the ledger, and the path that moved it.
async fn told(mut watch: Watch) -> Vec<(u64, Option<String>)> {
    let mut all = Vec::new();
    while let Some(seen) = watch.next().await {
        match seen {
            Seen::Happening(Happening::Exchange(exchange)) => {
                let moved = exchange.moved.as_ref();
                all.extend(moved.map(|moved| (moved.seq, Some(exchange.path.clone()))));
            }
            Seen::Happening(Happening::Moved(moved)) => all.push((moved.seq, None)),
            Seen::Missed(missed) => assert_eq!(missed, 0, "none may be missed"),
        }
    }
    all
}

#[tokio::test(start_paused = true)]
async fn money_is_told_with_the_exchange_that_moved_it_or_alone() {
    let stage = Stage::new().await;
    let watch = stage.sim.watch();
    let alone = None;
    let with_it = |path: &str| Some(path.to_owned());
    assert_eq!(stage.word(REGISTER, &register()).await, "200 0");
    assert_eq!(stage.soap(BROKER, &soap_payment("600999_Org_1", "0111")).await, "0");
    assert_eq!(stage.soap(BROKER, &soap_payment("600999_Org_1", "0111")).await, "15");
    assert_eq!(stage.soap(BROKER, &soap_payment("600999_Org_2", "0003")).await, "0");
    assert_eq!(stage.word(B2C, &b2c("600999_Org_3", "0111")).await, "200 0");
    assert_eq!(stage.word(B2C, &b2c("600999_Org_3", "0111")).await.get(..3), Some("500"));
    let unnamed = with(&b2c("x", "0111"), &json!({"OriginatorConversationID": null}));
    assert_eq!(stage.word(B2C_V1, &unnamed).await, "200 0");
    // It is done, and something else is answered.
    stage.fault(Api::B2c, "http_500_after");
    assert_eq!(stage.word(B2C, &b2c("600999_Org_4", "0111")).await.get(..3), Some("500"));
    assert_eq!(stage.word(STK, &stk("0111")).await, "200 0");
    stage.heard().await;
    stage.control("/sim/c2b", &c2b("0222")).await;
    let receipt = stage.sim.ledger().movements.last().expect("a payment").receipt.clone();
    assert_eq!(stage.word(REVERSAL, &reversal(&receipt, "25")).await, "200 0");
    assert_eq!(stage.word(B2B, &b2b()).await, "200 0");
    stage.heard().await;
    let kinds: Vec<&str> =
        stage.sim.ledger().movements.iter().map(|moved| moved.movement.kind()).collect();
    assert_eq!(
        kinds,
        ["payout", "payout", "payout", "payout", "stk", "c2b", "reversal", "business"]
    );
    drop(stage);
    let expected = [
        (1, with_it(BROKER)),
        (2, with_it(B2C)),
        // Its caller gave it no name, so that the exchange goes by another than the ledger.
        (3, alone.clone()),
        (4, with_it(B2C)),
        (5, alone.clone()),
        (6, alone.clone()),
        (7, alone.clone()),
        (8, alone),
    ];
    assert_eq!(told(watch).await, expected);
}

#[tokio::test(start_paused = true)]
async fn whatever_a_seed_does_each_movement_is_told_once() {
    for seed in 5..10 {
        let chaos = Chaos { result_late: Duration::from_secs(60), ..Chaos::wild(seed) };
        let stage = Stage::with(Settings { chaos: Some(chaos), ..settings() }).await;
        let watch = stage.sim.watch();
        for number in 0..50 {
            let ending = format!("{:04}", 1_000 + number);
            stage.renew().await;
            stage.word(B2C, &b2c(&format!("pay-{number}"), &ending)).await;
            stage.renew().await;
            stage.word(STK, &stk(&ending)).await;
            let paid = soap_payment(&format!("600999_Org_{number}"), &ending);
            let headers = [("content-type", "text/xml")];
            drop(stage.send(Method::POST, BROKER, &headers, &paid).await);
            let bill = with(&c2b(&ending), &json!({"amount": 25 + number}));
            stage.control("/sim/c2b", &bill).await;
        }
        stage.heard().await;
        let moved = stage.sim.ledger().movements.len();
        assert!(moved > 70, "{moved}");
        drop(stage);
        let mut times: BTreeMap<u64, usize> = BTreeMap::new();
        for (seq, _) in told(watch).await {
            *times.entry(seq).or_default() += 1;
        }
        let each_once: BTreeMap<u64, usize> = (1..).zip(vec![1; moved]).collect();
        assert_eq!(times, each_once, "seed {seed}");
    }
}
