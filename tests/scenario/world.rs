//! A simulator under a scenario, asked over either interface.

use axum::http::Method;
use mlango::sim::Settings;
use mlango::sim::scenario::Scenario;
use serde_json::json;

use crate::support::{B2C, Stage, b2c, settings, soap_caller, soap_payment, with};

/// Which interface a payout goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    Soap,
    Daraja,
}

pub const BOTH: [Over; 2] = [Over::Soap, Over::Daraja];

pub async fn stage(rules: &str) -> Stage {
    let stage =
        Stage::with(Settings { hold: std::time::Duration::from_secs(3), ..settings() }).await;
    play(&stage, rules);
    stage
}

pub fn play(stage: &Stage, rules: &str) {
    let text = format!("name = \"a-test\"\nsays = \"A test.\"\n{rules}");
    stage.sim.play(Some(Scenario::parse(&text).unwrap_or_else(|faults| panic!("{faults}"))));
}

/// Sends a payout of 150.00 to the phone that ends in `ending`; what is answered in one word: a
/// code of SOAP's, a status of Daraja's, or that nothing is.
pub async fn pay(stage: &Stage, over: Over, id: &str, ending: &str) -> String {
    match over {
        Over::Soap => soap(stage, &soap_payment(id, ending)).await,
        Over::Daraja => stage.word(B2C, &b2c(id, ending)).await,
    }
}

pub async fn soap(stage: &Stage, message: &str) -> String {
    let headers = [("content-type", "text/xml")];
    let path = "/mminterface/request";
    let Some(came) = stage.send(Method::POST, path, &headers, message).await else {
        return "nothing".to_owned();
    };
    match mlango::soap::response::parse(&came.body) {
        Ok(answer) => answer.facts.code,
        Err(_no_answer) => format!("http {}", came.status),
    }
}

/// A payout of so many shillings, and by this command.
pub async fn pay_as(stage: &Stage, over: Over, id: &str, shillings: u64, command: &str) -> String {
    match over {
        Over::Soap => {
            let message = soap_payment(id, "0111");
            let message = message.replace("150.00", &format!("{shillings}.00"));
            soap(stage, &message.replacen("BusinessPayment", command, 1)).await
        }
        Over::Daraja => {
            let changes = json!({"Amount": shillings, "CommandID": command});
            stage.word(B2C, &with(&b2c(id, "0111"), &changes)).await
        }
    }
}

/// A question over SOAP about a payout.
pub fn question(id: &str, about: &str) -> String {
    use mlango::soap::status_query::{AskFor, StatusQuery};
    let query = StatusQuery {
        caller: &soap_caller(),
        originator_conversation_id: id,
        ask_for: AskFor::OriginatorConversationId(about),
        at: crate::support::NOW,
    };
    String::from_utf8(query.render().wire).unwrap()
}

/// The codes of the results that came since the last time, over either interface; `?`: unreadable.
pub async fn told(stage: &Stage) -> Vec<String> {
    let heard = stage.heard().await;
    heard
        .iter()
        .map(|heard| match mlango::soap::result::parse(&heard.body) {
            Ok(result) if result.facts.waiting => format!("{}+", result.facts.code),
            Ok(result) => result.facts.code,
            Err(_not_soap) if heard.text().contains("notifyQueueTimeout") => "timeout".to_owned(),
            Err(_not_soap) if heard.path.contains("timeout") => "timeout".to_owned(),
            Err(_not_soap) => heard.code(),
        })
        .collect()
}
