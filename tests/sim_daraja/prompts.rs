//! STK prompts: how they are asked, told, queried, answered by hand, and what is refused.

use std::time::Duration;

use mlango::domain::money::Amount;
use mlango::sim::daraja::prompts::Said;
use mlango::sim::{DarajaSettings, Settings};
use serde_json::json;
use tokio::time::sleep;

use crate::support::{STK, STK_QUERY, Stage, c2b, item, register, settings, stk, stk_query, with};

const LOCKED: &str = "500 500.001.1001 Unable to lock subscriber, a transaction is already in \
                      process for the current subscriber";

async fn push(stage: &Stage, ending: &str) -> String {
    let came = stage.post(STK, &stk(ending)).await.expect("an answer").json();
    came["CheckoutRequestID"].as_str().expect("an id").to_owned()
}

/// What a query says: `ResultCode`, or the error.
async fn query(stage: &Stage, checkout: &str) -> String {
    let came = stage.post(STK_QUERY, &stk_query(checkout)).await.expect("an answer");
    match came.json()["ResultCode"].as_str() {
        Some(code) => code.to_owned(),
        None => came.word(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_is_paid_is_told_and_found_and_in_the_ledger() {
    let stage = Stage::new().await;
    let answer = stage.post(STK, &stk("0126")).await.expect("an answer").json();
    assert_eq!(answer["CustomerMessage"], "Success. Request accepted for processing");
    let checkout = answer["CheckoutRequestID"].as_str().expect("an id").to_owned();
    assert!(checkout.starts_with("ws_CO_020120240604050"), "{checkout}");
    assert!(checkout.ends_with("722000126"), "{checkout}");
    assert_eq!(query(&stage, &checkout).await, "4999", "the customer has not answered yet");
    let heard = stage.heard().await;
    let [callback] = heard.as_slice() else { panic!("one callback") };
    assert!(callback.at >= 1_000, "a customer takes a second");
    assert_eq!(callback.content_type, "application/json;charset=UTF-8");
    let read = callback.json();
    let told = &read["Body"]["stkCallback"];
    assert_eq!(told["MerchantRequestID"], answer["MerchantRequestID"]);
    assert_eq!(told["CheckoutRequestID"], checkout.as_str());
    assert_eq!(told["ResultCode"], 0, "a number in the callback");
    let moved = &stage.sim.ledger().movements[0];
    assert_eq!(item(&read, "MpesaReceiptNumber"), moved.receipt.as_str());
    assert_eq!(item(&read, "PhoneNumber"), 254_722_000_126_u64);
    assert_eq!(item(&read, "TransactionDate"), 20_240_102_060_406_u64);
    assert!(callback.text().contains(r#""Name":"Amount","Value":25.00"#), "a number with places");
    assert_eq!(query(&stage, &checkout).await, "0");
    let ledger = stage.get("/sim/ledger").await;
    let line = &ledger["data"][0];
    assert_eq!((&line["kind"], &line["direction"]), (&json!("stk"), &json!("in")));
    assert_eq!(line["account"], "INV-77");
    assert_eq!(line["phone"], "254722000126");
    assert_eq!(ledger["total_received"], "25.00");
    assert_eq!(ledger["total_paid"], "0.00");
}

#[tokio::test(start_paused = true)]
async fn a_second_prompt_to_one_phone_is_locked_out_and_the_same_again_is_rule_limited() {
    let stage = Stage::new().await;
    push(&stage, "0111").await;
    assert_eq!(stage.word(STK, &stk("0111")).await, LOCKED);
    push(&stage, "0222").await;
    let codes: Vec<_> = stage.heard().await.iter().map(crate::support::Heard::code).collect();
    assert_eq!(codes, ["0", "0"]);
    // Within two minutes: the same amount is refused with 17, another is not.
    let more = with(&stk("0111"), &json!({"Amount": 26}));
    for (body, expected) in [(stk("0111"), "17"), (more.clone(), "0"), (more, "17")] {
        assert_eq!(stage.word(STK, &body).await, "200 0");
        assert_eq!(stage.heard().await[0].code(), expected);
    }
    sleep(Duration::from_secs(120)).await;
    assert_eq!(stage.word(STK, &stk("0111")).await, "200 0");
    assert_eq!(stage.heard().await[0].code(), "0");
    assert_eq!(stage.sim.ledger().total_received, Amount::from_shillings(25 + 25 + 26 + 25));
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_a_prompt_is_found_when_it_is_sent() {
    let table = [
        (json!({"PartyB": "600999"}), "2028"),
        (json!({"TransactionType": "CustomerBuyGoodsOnline", "PartyB": "999999"}), "SFC_IC0003"),
        (json!({"AccountReference": "INVOICE-00077"}), "1025"),
        (json!({"Amount": 250_001}), "3"),
        (json!({"TransactionType": "CustomerBuyGoodsOnline", "PartyB": "600000"}), "0"),
        (json!({"Amount": "1"}), "0"),
    ];
    for (change, expected) in table {
        let stage = Stage::new().await;
        assert_eq!(stage.word(STK, &with(&stk("0111"), &change)).await, "200 0", "{change}");
        assert_eq!(stage.heard().await[0].code(), expected, "{change}");
        let moved = stage.sim.ledger().movements.len();
        assert_eq!(moved, usize::from(expected == "0"), "{change}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_may_answer() {
    let stage = Stage::new().await;
    let (status, answer) = stage.control("/sim/prompts/mode", &json!({"mode": "manual"})).await;
    assert_eq!((status, &answer["mode"]), (200, &json!("manual")));
    // What he does; what is told.
    let table = [
        ("pin", "0"),
        ("wrong_pin", "2001"),
        ("cancel", "1032"),
        ("timeout", "1037"),
        ("insufficient", "1"),
    ];
    for (number, (does, expected)) in table.into_iter().enumerate() {
        let checkout = push(&stage, &format!("01{number}0")).await;
        sleep(Duration::from_secs(30)).await;
        assert_eq!(query(&stage, &checkout).await, "4999");
        let open = stage.get("/sim/prompts").await;
        assert_eq!(open["mode"], "manual");
        assert_eq!(open["data"][0]["checkout_request_id"], checkout.as_str());
        assert_eq!(open["data"][0]["amount"], "25.00");
        let path = format!("/sim/prompts/{checkout}");
        let (status, _) = stage.control(&path, &json!({"answer": does})).await;
        assert_eq!(status, 200, "{does}");
        assert_eq!(stage.heard().await[0].code(), expected, "{does}");
        assert_eq!(query(&stage, &checkout).await, expected);
        let (status, _) = stage.control(&path, &json!({"answer": does})).await;
        assert_eq!(status, 404, "it is answered once");
        assert_eq!(stage.get("/sim/prompts").await["data"], json!([]));
    }
    // Nobody answers: after a minute it is over.
    let checkout = push(&stage, "0111").await;
    sleep(Duration::from_secs(59)).await;
    assert_eq!(query(&stage, &checkout).await, "4999");
    sleep(Duration::from_secs(2)).await;
    assert_eq!(query(&stage, &checkout).await, "1037");
    stage.heard().await;
    // The contract's own phones answer themselves, and a program may answer as a person does.
    push(&stage, "0010").await;
    assert_eq!(stage.heard().await[0].code(), "1032");
    let checkout = push(&stage, "0333").await;
    assert_eq!(stage.sim.open_prompts().len(), 1);
    assert!(stage.sim.answer_prompt(&checkout, Said::Pin));
    assert!(!stage.sim.answer_prompt(&checkout, Said::Pin));
    for wrong in [json!({"mode": "x"}), json!({}), json!({"mode": "auto", "x": 1})] {
        assert_eq!(stage.control("/sim/prompts/mode", &wrong).await.0, 400, "{wrong}");
    }
    let (status, answer) = stage.control("/sim/prompts/x", &json!({"answer": "maybe"})).await;
    assert_eq!(status, 400, "{answer}");
    let fast = json!({"mode": "auto", "delay_ms": 5000});
    assert_eq!(stage.control("/sim/prompts/mode", &fast).await.0, 200);
    stage.heard().await;
    let checkout = push(&stage, "0444").await;
    sleep(Duration::from_millis(4_900)).await;
    assert_eq!(query(&stage, &checkout).await, "4999");
    assert_eq!(stage.heard().await[0].code(), "0");
}

#[tokio::test(start_paused = true)]
async fn a_payment_by_prompt_is_also_confirmed_with_the_same_receipt() {
    let stage = Stage::new().await;
    let path = crate::support::REGISTER;
    assert_eq!(stage.word(path, &register()).await, "200 0");
    push(&stage, "0126").await;
    let heard = stage.heard().await;
    assert_eq!(heard.len(), 2, "no validation");
    let receipt = stage.sim.ledger().movements[0].receipt.clone();
    let notice = heard.iter().find(|heard| heard.path.ends_with("/c2b/confirmation"));
    let notice = notice.expect("a confirmation").json();
    assert_eq!(notice["TransID"], receipt.as_str());
    assert_eq!(notice["BillRefNumber"], "INV-77");
    assert_eq!(notice["TransactionType"], "Pay Bill");
    let callback = heard.iter().find(|heard| heard.path.ends_with("/stk/0126"));
    assert_eq!(item(&callback.expect("a callback").json(), "MpesaReceiptNumber"), receipt.as_str());
    assert_eq!(stage.sim.ledger().movements.len(), 1, "and it is one payment");
    // A prompt that is not paid is not confirmed.
    push(&stage, "0010").await;
    assert_eq!(stage.heard().await.len(), 1);
    // What is paid by hand is neither.
    let (status, _) = stage.control("/sim/c2b", &c2b("0126")).await;
    assert_eq!(status, 200);
    assert!(stage.heard().await.iter().all(|heard| heard.path.contains("/c2b/")));
}

#[tokio::test(start_paused = true)]
async fn queries_are_limited_to_five_a_minute_where_that_is_wanted() {
    let daraja = DarajaSettings { limit_stk_queries: true, ..DarajaSettings::default() };
    let stage = Stage::with(Settings { daraja, ..settings() }).await;
    let checkout = push(&stage, "0111").await;
    for number in 0..7 {
        let came = stage.post(STK_QUERY, &stk_query(&checkout)).await.expect("an answer");
        let expected = if number < 5 { 200 } else { 429 };
        assert_eq!(came.status, expected, "{number}");
        if expected == 429 {
            let code = &came.json()["fault"]["detail"]["errorcode"];
            assert_eq!(code, "policies.ratelimit.SpikeArrestViolation");
        }
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!(query(&stage, &checkout).await, "0");
}
