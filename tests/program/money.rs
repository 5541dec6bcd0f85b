//! `mlango stk`, `payments`, `inquiries`, `c2b`: money in from the shell.

use serde_json::{Value, json};

use crate::api::{Api, id_of};
use crate::process::eventually;

/// Has a payer prompted; answers the payment's id.
pub fn prompt(api: &Api, key: &str, phone: &str) -> String {
    let body = json!({"amount": "10", "phone": phone, "reference": "ORDER001"});
    let answer = api.post("/v1/stk-pushes", key, &body).expect("an answer");
    assert_eq!(answer.status, 202, "{}", answer.body);
    id_of(&answer.json()).to_owned()
}

/// The payment of this id.
pub fn payment(api: &Api, id: &str) -> Value {
    let answer = api.get(&format!("/v1/payments/{id}")).expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Waits until the payment stands at `status`; answers it.
pub fn until_payment(api: &Api, id: &str, status: &str) -> Value {
    eventually(&format!("{id} is {status}"), || {
        let payment = payment(api, id);
        (payment["status"] == status).then_some(payment)
    })
}
