//! What most tests of the REST API begin with.

use mlango::soap::result::Report;
use mlango::store::Scope;
use serde_json::Value;

use crate::support::{Call, Gateway, TOKEN, Told};

/// Submits a payout.
pub async fn submit(gateway: &Gateway, key: &str, once: &str, body: &str) -> Told {
    let call = Call::post("/v1/payouts").key(key).once(once).json(body);
    gateway.ask(call).await
}

/// A gateway and a key that may submit and look.
pub async fn gateway() -> (Gateway, String) {
    let gateway = Gateway::new();
    let scopes = [Scope::PayoutsWrite, Scope::PayoutsRead];
    let key = gateway.key("finance", &scopes).await;
    (gateway, key)
}

/// A payout that was taken.
pub async fn taken(gateway: &Gateway, key: &str, once: &str, body: &str) -> Value {
    let told = submit(gateway, key, once, body).await;
    assert_eq!(told.status, 202, "{}", told.text());
    told.json()
}

/// What M-Pesa says of a payout whose request it took.
pub async fn settled(gateway: &Gateway, payout: &Value, code: &str, receipt: Option<&str>) {
    gateway.accepted(payout).await;
    result(gateway, payout, code, receipt).await;
}

/// What M-Pesa says of a payout.
pub async fn result(gateway: &Gateway, payout: &Value, code: &str, receipt: Option<&str>) {
    let name = payout["originator_conversation_id"].as_str().expect("a name");
    let mut parameters = vec![];
    if receipt.is_some() {
        parameters.push(("TransactionAmount", payout["amount"].as_str().expect("an amount")));
    }
    let report = Report {
        code,
        description: "what M-Pesa says of it",
        originator_conversation_id: name,
        conversation_id: "AG_20240102_0001",
        receipt,
        parameters,
        references: vec![],
    };
    let call = Call::post(format!("/cb/{TOKEN}/b2c/result")).body(report.render());
    let told = call.put(&gateway.callbacks(&[])).await;
    assert_eq!(told.status, 200, "{}", told.text());
}
