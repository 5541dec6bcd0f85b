//! The REST API, as a finance system uses it.

use std::io;

use serde_json::{Value, json};

use crate::process::eventually;
use crate::wire::{Answer, ask};

/// A client with a key.
#[derive(Clone, Debug)]
pub struct Api {
    pub port: u16,
    pub key: String,
}

/// The body of a payout.
pub fn payout(phone: &str, amount: &str) -> Value {
    json!({"phone": phone, "amount": amount, "reference": "INV-1", "remarks": "test"})
}

/// A payout's id.
pub fn id_of(payout: &Value) -> &str {
    payout["id"].as_str().expect("an id")
}

/// A payout's name towards M-Pesa.
pub fn name_of(payout: &Value) -> &str {
    let name = payout["originator_conversation_id"].as_str();
    name.expect("a name")
}

/// A GET without a key.
pub fn get(port: u16, path: &str, headers: &[(&str, &str)]) -> io::Result<Answer> {
    ask(port, "GET", path, headers, "")
}

impl Api {
    pub fn get(&self, path: &str) -> io::Result<Answer> {
        get(self.port, path, &[("X-API-Key", &self.key)])
    }

    pub fn post(&self, path: &str, idempotency_key: &str, body: &Value) -> io::Result<Answer> {
        let headers = [
            ("X-API-Key", self.key.as_str()),
            ("Idempotency-Key", idempotency_key),
            ("Content-Type", "application/json"),
        ];
        ask(self.port, "POST", path, &headers, &body.to_string())
    }

    /// Submits a payout that is taken; answers it.
    pub fn submit(&self, idempotency_key: &str, body: &Value) -> Value {
        let answer = self.post("/v1/payouts", idempotency_key, body).expect("an answer");
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.json()
    }

    /// The payout of this id.
    pub fn payout(&self, id: &str) -> Value {
        let answer = self.get(&format!("/v1/payouts/{id}")).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    /// The history of the payout of this id.
    pub fn events(&self, id: &str) -> Vec<Value> {
        let answer = self.get(&format!("/v1/payouts/{id}/events")).expect("an answer");
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()["data"].as_array().expect("a list").clone()
    }

    /// Waits until the payout stands at `status`; answers it.
    pub fn until(&self, id: &str, status: &str) -> Value {
        eventually(&format!("{id} is {status}"), || {
            let payout = self.payout(id);
            (payout["status"] == status).then_some(payout)
        })
    }

    /// Every payout that the key sees.
    pub fn payouts(&self) -> Vec<Value> {
        let (mut all, mut query) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/payouts?limit=500&order=asc{query}");
            let page = self.get(&path).expect("an answer").json();
            all.extend(page["data"].as_array().expect("a list").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => query = format!("&cursor={next}"),
                None => return all,
            }
        }
    }
}
