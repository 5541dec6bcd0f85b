//! One book of money for both interfaces: ids, receipts, questions, reversals, business payments.

use mlango::domain::money::Amount;
use serde_json::{Value, json};

use crate::support::{
    B2B, B2C, BALANCE, NOW, REVERSAL, STATUS, STK, Stage, TAX, b2b, b2c, balance, c2b, item,
    parameter, reversal, soap_caller, soap_payment, status, stk, tax, with,
};

const BROKER: &str = "/mminterface/request";
const DUPLICATE: &str = "500 500.002.1001 Duplicate OriginatorConversationID.";

#[tokio::test(start_paused = true)]
async fn an_id_is_spent_on_both_sides_whichever_side_spent_it() {
    let stage = Stage::new().await;
    assert_eq!(stage.soap(BROKER, &soap_payment("600999_Org_1", "0111")).await, "0");
    assert_eq!(stage.word(B2C, &b2c("600999_Org_1", "0111")).await, DUPLICATE);
    assert_eq!(stage.word(B2C, &b2c("600999_Org_2", "0111")).await, "200 0");
    assert_eq!(stage.word(B2C, &b2c("600999_Org_2", "0222")).await, DUPLICATE);
    assert_eq!(stage.soap(BROKER, &soap_payment("600999_Org_2", "0111")).await, "15");
    assert_eq!(stage.sim.payments(), 2);
    assert_eq!(stage.sim.ledger().total_paid, Amount::from_shillings(300));
    let balances: Vec<Amount> =
        stage.sim.ledger().entries.iter().map(|entry| entry.balance).collect();
    assert_eq!(balances, [Amount::from_shillings(99_850), Amount::from_shillings(99_700)]);
}

/// What a Daraja question ends in: its code, and the payment's status and receipt.
async fn ask(stage: &Stage, by: Value) -> (String, Value, Value) {
    stage.heard().await;
    assert_eq!(stage.word(STATUS, &status(&by)).await, "200 0");
    let heard = stage.heard().await;
    let read = heard[0].json();
    assert!(read["Result"]["TransactionID"].as_str().expect("an id").ends_with("0000000"));
    (heard[0].code(), parameter(&read, "TransactionStatus"), parameter(&read, "ReceiptNo"))
}

#[tokio::test(start_paused = true)]
async fn a_question_on_either_side_finds_what_was_paid_on_either() {
    let stage = Stage::new().await;
    assert_eq!(stage.soap(BROKER, &soap_payment("600999_Org_1", "0111")).await, "0");
    assert_eq!(stage.word(B2C, &b2c("600999_Org_2", "0005")).await, "200 0");
    assert_eq!(stage.word(B2C, &b2c("600999_Org_3", "0003")).await, "200 0");
    assert_eq!(stage.word(STK, &stk("0111")).await, "200 0");
    stage.control("/sim/c2b", &c2b("0222")).await;
    assert_eq!(stage.word(B2B, &b2b()).await, "200 0");
    stage.heard().await;
    let by_kind = |kind: &str| {
        let all = stage.sim.ledger().movements;
        let found = all.into_iter().find(|moved| moved.movement.kind() == kind).expect(kind);
        found.receipt
    };
    let completed = |receipt: &str| ("0".to_owned(), json!("Completed"), json!(receipt));
    let receipt = |id: &str| stage.sim.paid(id).expect("paid").receipt;
    let nothing = |code: &str| (code.to_owned(), Value::Null, Value::Null);
    let table = [
        (json!({"OriginalConversationID": "600999_Org_1"}), completed(&receipt("600999_Org_1"))),
        (json!({"OriginatorConversationID": "600999_Org_2"}), completed(&receipt("600999_Org_2"))),
        (json!({"TransactionID": receipt("600999_Org_1")}), completed(&receipt("600999_Org_1"))),
        (json!({"TransactionID": by_kind("stk")}), completed(&by_kind("stk"))),
        (json!({"TransactionID": by_kind("c2b")}), completed(&by_kind("c2b"))),
        (json!({"TransactionID": by_kind("business")}), completed(&by_kind("business"))),
        (
            json!({"OriginalConversationID": "600999_Org_3"}),
            ("0".to_owned(), json!("Declined"), json!("")),
        ),
        (json!({"OriginalConversationID": "nobody"}), nothing("49")),
        (json!({"TransactionID": "UJ34AA00ZZ"}), nothing("2033")),
        (json!({"TransactionID": "not a receipt"}), nothing("25")),
        (json!({"TransactionID": "UJ34AA00ZZ", "PartyA": "999999"}), nothing("21")),
    ];
    for (by, expected) in table {
        assert_eq!(ask(&stage, by.clone()).await, expected, "{by}");
    }
    // What was paid over Daraja, asked over SOAP.
    let caller = soap_caller();
    let query = mlango::soap::status_query::StatusQuery {
        caller: &caller,
        originator_conversation_id: "600999_Org_q",
        ask_for: mlango::soap::status_query::AskFor::OriginatorConversationId("600999_Org_2"),
        at: NOW,
    };
    let message = String::from_utf8(query.render().wire).expect("text");
    assert_eq!(stage.soap(BROKER, &message).await, "0");
    let told = mlango::soap::result::parse(&stage.heard().await[0].body).expect("a result");
    let found = told.parameters.iter().find(|(key, _)| key == "ReceiptNo").expect("a receipt");
    assert_eq!(found.1, receipt("600999_Org_2"));
}

#[tokio::test(start_paused = true)]
async fn a_status_result_has_the_keys_and_types_of_the_wire() {
    let stage = Stage::new().await;
    stage.word(B2C, &b2c("a", "0111")).await;
    let paid = stage.heard().await[0].json();
    assert_eq!(paid["Result"]["ResultType"], 0);
    assert_eq!(parameter(&paid, "TransactionAmount"), 150);
    assert_eq!(parameter(&paid, "TransactionCompletedDateTime"), "02.01.2024 06:04:05");
    let name = parameter(&paid, "ReceiverPartyPublicName");
    assert!(name.as_str().expect("a name").starts_with("254722000111 - "), "{name}");
    assert_eq!(parameter(&paid, "B2CRecipientIsRegisteredCustomer"), "Y");
    assert!(paid.to_string().contains("99850.0"), "{paid}");
    assert_eq!(paid["Result"]["ReferenceData"]["ReferenceItem"]["Key"], "QueueTimeoutURL");

    stage.word(STATUS, &status(&json!({"OriginalConversationID": "a"}))).await;
    let told = stage.heard().await[0].json();
    assert_eq!(parameter(&told, "DebitPartyName"), "600999 - Example Organisation");
    assert_eq!(parameter(&told, "InitiatedTime"), 20_240_102_060_405_u64);
    assert_eq!(parameter(&told, "Amount"), "150.00");
    let list = told["Result"]["ResultParameters"]["ResultParameter"].as_array().expect("a list");
    let reason = list.iter().find(|item| item["Key"] == "TransactionReason").expect("a reason");
    assert_eq!(reason.get("Value"), None, "a key without a value");
    assert_ne!(told["Result"]["OriginatorConversationID"], "a", "the question has its own id");
}

#[tokio::test(start_paused = true)]
async fn a_balance_says_what_the_accounts_hold() {
    let stage = Stage::new().await;
    stage.word(B2C, &b2c("a", "0111")).await;
    stage.control("/sim/c2b", &c2b("0222")).await;
    stage.heard().await;
    assert_eq!(stage.word(BALANCE, &balance()).await, "200 0");
    let read = stage.heard().await[0].json();
    assert_eq!(read["Result"]["ResultCode"], "0", "a text here");
    let accounts = parameter(&read, "AccountBalance");
    let accounts = accounts.as_str().expect("a text");
    assert_eq!(accounts.split('&').count(), 5);
    assert!(accounts.contains("Working Account|KES|1000025.00|"), "{accounts}");
    assert!(accounts.contains("Utility Account|KES|99850.00|"), "{accounts}");
    let held = stage.get("/sim/accounts").await;
    assert_eq!(held["utility"]["balance"], "99850.00");
    let of_ours = held["working"].as_array().expect("a list");
    assert!(of_ours.contains(&json!({"shortcode": "174379", "balance": "1000025.00"})), "{held}");
}

#[tokio::test(start_paused = true)]
async fn a_customer_gets_his_money_back_once() {
    let stage = Stage::new().await;
    stage.word(STK, &stk("0111")).await;
    let receipt = item(&stage.heard().await[0].json(), "MpesaReceiptNumber");
    let receipt = receipt.as_str().expect("a receipt").to_owned();
    stage.word(B2C, &b2c("a", "0111")).await;
    let payout = stage.sim.paid("a").expect("paid").receipt;
    stage.heard().await;
    // Receipt, amount; what it ends in.
    let table = [
        (receipt.as_str(), "24", "25"),
        (receipt.as_str(), "25", "0"),
        (receipt.as_str(), "25", "R000001"),
        (payout.as_str(), "150", "R000002"),
        ("UJ34AA00ZZ", "25", "R000002"),
    ];
    for (number, (receipt, amount, expected)) in table.into_iter().enumerate() {
        assert_eq!(stage.word(REVERSAL, &reversal(receipt, amount)).await, "200 0", "{number}");
        let heard = stage.heard().await;
        assert_eq!(heard[0].code(), expected, "{number}");
        assert_eq!(heard[0].path, "/cb/result/rev");
        if expected == "0" {
            let read = heard[0].json();
            assert_eq!(parameter(&read, "OriginalTransactionID"), receipt);
            assert_ne!(read["Result"]["TransactionID"], receipt, "it has a receipt of its own");
        }
    }
    let ledger = stage.get("/sim/ledger").await;
    assert_eq!(ledger["total_reversed"], "25.00");
    let line = stage.get(&format!("/sim/ledger?receipt={receipt}")).await["data"][0].clone();
    let back = &ledger["data"][2];
    assert_eq!((&back["kind"], &back["reverses"]), (&json!("reversal"), &json!(receipt)));
    assert_eq!(line["reversed_by"], back["receipt"]);
    assert_eq!(back["phone"], "254722000111");
}

#[tokio::test(start_paused = true)]
async fn organisations_are_paid_and_so_is_the_tax_office() {
    let stage = Stage::new().await;
    let top_up = json!({
        "CommandID": "BusinessPayToBulk", "PartyB": "600999", "AccountReference": null,
    });
    // Path, request; what it ends in.
    let table = [
        (B2B, b2b(), "0"),
        (B2B, with(&b2b(), &json!({"Amount": 1_000_000})), "1"),
        (B2B, with(&b2b(), &top_up), "0"),
        (TAX, with(&tax(), &json!({"AccountReference": "2020000000012345"})), "0"),
        (B2B, with(&b2b(), &json!({"PartyA": "999999"})), "21"),
    ];
    for (number, (path, body, expected)) in table.into_iter().enumerate() {
        assert_eq!(stage.word(path, &body).await, "200 0", "{number}");
        let heard = stage.heard().await;
        assert_eq!(heard[0].code(), expected, "{number}");
        let read = heard[0].json();
        assert!(read["Result"]["ResultCode"].is_string(), "{number}: a text here");
        if expected == "0" {
            assert_eq!(parameter(&read, "Amount"), "190.00", "{number}");
            let held = parameter(&read, "DebitAccountBalance");
            let braced =
                held.as_str().is_some_and(|text| text.starts_with("{Amount={CurrencyCode"));
            assert!(braced, "{number}: {held}");
        }
    }
    let ledger = stage.get("/sim/ledger").await;
    assert_eq!(ledger["balance"], "100190.00", "the top-up filled the utility account");
    assert_eq!(ledger["total_paid"], "0.00");
    let kinds: Vec<_> =
        ledger["data"].as_array().expect("a list").iter().map(|line| &line["command"]).collect();
    assert_eq!(kinds, ["BusinessPayBill", "BusinessPayToBulk", "PayTaxToKRA"]);
}
