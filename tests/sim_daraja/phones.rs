//! What each phone selects, for payouts and for prompts (contract, part 4).

use std::time::Duration;

use mlango::sim::Settings;
use serde_json::{Value, json};

use crate::support::{B2C, STK, STK_QUERY, Stage, b2c, item, settings, stk, stk_query};

async fn stage() -> Stage {
    Stage::with(Settings { hold: Duration::from_secs(3), ..settings() }).await
}

#[tokio::test(start_paused = true)]
async fn each_phone_of_a_payout_ends_as_the_contract_says() {
    let refused = "400 400.002.02 Bad Request - Invalid PartyB";
    // Ending; what is answered; the codes of the results; whether it was paid.
    let table: &[(&str, &str, &[&str], bool)] = &[
        ("0111", "200 0", &["0"], true),
        ("0001", refused, &[], false),
        ("0002", "200 0", &["2040"], false),
        ("0003", "200 0", &["1"], false),
        ("0004", "nothing", &["0"], true),
        ("0005", "200 0", &[], true),
        ("0006", "200 0", &["0"], true),
        ("0007", "200 0", &["0", "0"], true),
        ("0008", "nothing", &[], true),
        ("0009", "nothing", &[], false),
    ];
    let stage = stage().await;
    for (ending, answer, codes, is_paid) in table {
        let id = format!("pay-{ending}");
        assert_eq!(stage.word(B2C, &b2c(&id, ending)).await, *answer, "{ending}");
        let heard = stage.heard().await;
        let came: Vec<String> = heard.iter().map(crate::support::Heard::code).collect();
        assert_eq!(came, *codes, "{ending}");
        let entry = stage.sim.paid(&id);
        assert_eq!(entry.is_some(), *is_paid, "{ending}");
        for heard in &heard {
            assert_eq!(heard.path, format!("/cb/result/{id}"));
            assert_eq!(heard.content_type, "application/json;charset=UTF-8");
            let result = &heard.json()["Result"];
            assert_eq!(result["OriginatorConversationID"], id.as_str());
            if let Some(entry) = &entry {
                assert_eq!(result["TransactionID"], entry.receipt.as_str());
                assert_eq!(result["ConversationID"], entry.conversation_id.as_str());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_phone_of_a_prompt_ends_as_the_contract_says() {
    let refused = "400 400.002.02 Bad Request - Invalid PhoneNumber";
    // Ending; what is answered; the codes of the callbacks; what a query says; whether it paid.
    let table: &[(&str, &str, &[&str], &str, bool)] = &[
        ("0111", "200 0", &["0"], "0", true),
        ("0001", refused, &[], "", false),
        ("0002", "200 0", &["8"], "8", false),
        ("0003", "200 0", &["1"], "1", false),
        ("0004", "nothing", &["0"], "", true),
        ("0005", "200 0", &[], "0", true),
        ("0006", "200 0", &["0"], "0", true),
        ("0007", "200 0", &["0", "0"], "0", true),
        ("0008", "nothing", &[], "", true),
        ("0009", "nothing", &[], "", false),
        ("0010", "200 0", &["1032"], "1032", false),
        ("0011", "200 0", &["1037"], "1037", false),
    ];
    for (ending, answer, codes, asked, is_paid) in table {
        let stage = stage().await;
        let came = stage.post(STK, &stk(ending)).await;
        let word = came.as_ref().map_or_else(|| "nothing".to_owned(), crate::support::Came::word);
        assert_eq!(word, *answer, "{ending}");
        let heard = stage.heard().await;
        let came_codes: Vec<String> = heard.iter().map(crate::support::Heard::code).collect();
        assert_eq!(came_codes, *codes, "{ending}");
        let movements = stage.sim.ledger().movements;
        assert_eq!(movements.len(), usize::from(*is_paid), "{ending}");
        for heard in &heard {
            assert_eq!(heard.path, format!("/cb/5f0c/stk/{ending}"), "the path, whole");
            let read = heard.json();
            let receipt = item(&read, "MpesaReceiptNumber");
            let expected = movements.first().map_or(Value::Null, |moved| json!(moved.receipt));
            assert_eq!(receipt, expected, "{ending}");
        }
        if !asked.is_empty() {
            let checkout = came.expect("an answer").json()["CheckoutRequestID"].clone();
            let checkout = checkout.as_str().expect("an id").to_owned();
            let found = stage.post(STK_QUERY, &stk_query(&checkout)).await.expect("an answer");
            assert_eq!(found.json()["ResultCode"], *asked, "{ending}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_that_comes_first_is_there_before_the_answer() {
    let stage = stage().await;
    for (path, body) in [(B2C, b2c("a", "0006")), (STK, stk("0006"))] {
        let answered = stage.post(path, &body).await;
        // No time passes: what came, came before the answer.
        let got = stage.heard().await;
        assert_eq!(got.len(), 1, "{path}");
        assert_eq!(got[0].code(), "0");
        assert_eq!(answered.expect("an answer").word(), "200 0");
    }
}
