//! Faults by a seed on Daraja's side: they are many, they follow from the seed, and they tell no
//! lie about money.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mlango::sim::Settings;
use mlango::sim::chaos::Chaos;
use serde_json::{Value, json};

use crate::support::{
    B2C, Heard, REGISTER, STK, STK_QUERY, Stage, b2c, c2b, item, register, settings, stk,
    stk_query, with,
};

fn chaotic(seed: u64) -> Settings {
    Settings {
        chaos: Some(Chaos { result_late: Duration::from_secs(60), ..Chaos::wild(seed) }),
        ..settings()
    }
}

/// The tail of a phone that selects nothing.
fn ending(number: usize) -> String {
    format!("{:04}", 1_000 + number)
}

/// What was answered, and what was told, of many payouts and prompts.
async fn run(seed: u64) -> (Vec<String>, Vec<Heard>, Stage) {
    let stage = Stage::with(chaotic(seed)).await;
    let mut answers = Vec::new();
    for number in 0..150 {
        stage.renew().await;
        let paid = b2c(&format!("pay-{number}"), &ending(number));
        answers.push(stage.word(B2C, &paid).await);
        stage.renew().await;
        answers.push(stage.word(STK, &stk(&ending(number))).await);
    }
    let heard = stage.heard().await;
    (answers, heard, stage)
}

#[tokio::test(start_paused = true)]
async fn one_seed_behaves_alike_twice_and_another_does_not() {
    let told = |heard: &[Heard]| -> BTreeSet<String> {
        heard.iter().map(|heard| format!("{} {}", heard.path, heard.code())).collect()
    };
    let (first, first_heard, _) = run(3).await;
    let (again, again_heard, _) = run(3).await;
    assert_eq!(first, again);
    assert_eq!(told(&first_heard), told(&again_heard));
    let (other, _, _) = run(4).await;
    assert_ne!(first, other);
    let kinds: BTreeSet<&String> = first.iter().collect();
    assert!(kinds.len() >= 10, "{kinds:#?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_that_is_said_of_money_is_untrue() {
    let (answers, heard, stage) = run(5).await;
    let ledger = stage.sim.ledger();
    assert!(ledger.movements.len() > 100);
    // The first readable word of each is the truth; only after it was acknowledged may another
    // contradict it.
    let mut first: BTreeMap<String, Value> = BTreeMap::new();
    for heard in &heard {
        let is_waiting = heard.json()["Result"]["ResultType"].to_string().contains('1');
        if heard.code() != "?" && !is_waiting && !heard.path.contains("timeout") {
            first.entry(heard.path.clone()).or_insert_with(|| heard.json());
        }
    }
    let mut prompts = 0;
    for (path, read) in &first {
        let (result, receipt) = if read["Body"].is_object() {
            prompts += 1;
            let callback = &read["Body"]["stkCallback"];
            (callback["ResultCode"].clone(), item(read, "MpesaReceiptNumber"))
        } else {
            (read["Result"]["ResultCode"].clone(), read["Result"]["TransactionID"].clone())
        };
        let says_paid = result == json!(0) || result == json!("0");
        let receipt = receipt.as_str().unwrap_or_default();
        let moved = stage.sim.by_receipt(receipt);
        assert_eq!(moved.is_some(), says_paid, "{path}: {read}");
    }
    assert!(prompts > 50);
    for number in 0..150 {
        let id = format!("pay-{number}");
        let answer = &answers[2 * number];
        if answer.starts_with("400") || answer.starts_with("401") || answer.starts_with("429") {
            assert_eq!(stage.sim.paid(&id), None, "{id}: {answer}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn queries_never_say_what_is_not_and_confirmations_get_lost() {
    let stage = Stage::with(chaotic(11)).await;
    let mut checkouts = Vec::new();
    for number in 0..60 {
        stage.renew().await;
        let Some(came) = stage.post(STK, &stk(&ending(number))).await else { continue };
        if let Some(id) = came.json()["CheckoutRequestID"].as_str() {
            checkouts.push((number, id.to_owned()));
        }
    }
    stage.heard().await;
    let paid: BTreeSet<u64> =
        stage.sim.ledger().movements.iter().filter_map(|m| m.phone).map(|p| p.number()).collect();
    let mut said = BTreeSet::new();
    for (number, checkout) in &checkouts {
        for _ in 0..6 {
            stage.renew().await;
            let came = stage.post(STK_QUERY, &stk_query(checkout)).await;
            let read = came.as_ref().map_or(Value::Null, crate::support::Came::json);
            let code = read["ResultCode"].as_str().unwrap_or_default().to_owned();
            let phone: u64 = format!("25472200{}", ending(*number)).parse().expect("digits");
            if code == "0" {
                assert!(paid.contains(&phone), "{checkout}");
            }
            if !matches!(code.as_str(), "" | "0" | "4999") {
                assert!(!paid.contains(&phone), "{checkout}: {code}");
            }
            said.insert(came.map_or_else(|| "nothing".to_owned(), |came| came.word() + &code));
        }
    }
    assert!(said.len() >= 7, "{said:#?}");

    let stage = Stage::with(chaotic(12)).await;
    while stage.word(REGISTER, &register()).await != "200 0" {
        stage.renew().await;
    }
    for number in 0..60 {
        let bill = with(&c2b(&ending(number)), &json!({"amount": 25 + number}));
        let (status, came) = stage.control("/sim/c2b", &bill).await;
        assert_eq!((status, &came["outcome"]), (200, &json!("completed")));
    }
    let heard = stage.heard().await;
    let receipts: BTreeSet<String> = heard
        .iter()
        .filter(|heard| heard.path.ends_with("confirmation"))
        .filter_map(|heard| heard.json()["TransID"].as_str().map(str::to_owned))
        .collect();
    let all = stage.sim.ledger().movements.len();
    assert_eq!(all, 60);
    assert!(receipts.len() < 60 && receipts.len() > 30, "{}", receipts.len());
    stage.sim.calm();
    stage.control("/sim/c2b", &c2b("0126")).await;
    assert_eq!(stage.heard().await.len(), 2);
}
