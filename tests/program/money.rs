//! `mlango stk`, `payments`, `inquiries`, `c2b`: money in from the shell.

use serde_json::{Value, json};

use crate::api::{Api, id_of};
use crate::house::House;
use crate::process::eventually;
use crate::wire::ask;

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

/// Asks something of M-Pesa; answers the inquiry once it stands at `status`.
fn inquired(api: &Api, path: &str, body: &Value, status: &str) -> Value {
    let key = format!("{path} {body}");
    let taken = api.post(path, &key, body).expect("an answer");
    assert_eq!(taken.status, 202, "{}", taken.body);
    let place = format!("/v1/inquiries/{}", id_of(&taken.json()));
    eventually(&format!("{path} is {status}"), || {
        let inquiry = api.get(&place).expect("an answer").json();
        (inquiry["status"] == status).then_some(inquiry)
    })
}

fn house() -> House {
    let house = House::new();
    let daraja = format!("http://127.0.0.1:{}", house.broker);
    house.with("DARAJA__URL", &daraja)
}

fn client(house: &House) -> Api {
    house.client("shop", &["payments:write", "payments:read"])
}

/// A customer pays by himself; answers the receipt.
fn pays(house: &House, account: &str) -> String {
    let body = json!({"shortcode": "174379", "phone": "254733123458", "amount": "2500",
                      "account": account, "kind": "paybill"});
    let headers = [("Content-Type", "application/json")];
    let paid = ask(house.broker, "POST", "/sim/c2b", &headers, &body.to_string());
    let paid = paid.expect("an answer");
    paid.json()["receipt"].as_str().expect(&paid.body).to_owned()
}

#[test]
fn a_qr_code_comes_as_a_picture_and_is_refused_in_words() {
    let house = house();
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let api = client(&house);
    let code = json!({"amount": "10", "reference": "INV-77"});
    let made = inquired(&api, "/v1/qr-codes", &code, "succeeded");
    let picture = made["answer"]["png_base64"].as_str().expect("a picture");
    assert!(picture.starts_with("iVBORw0KGgo"), "the beginning of a PNG: {picture}");
    // M-Pesa refuses the next, whatever it is.
    let rule = json!({"api": "qr", "fault": "forbidden", "times": 1});
    let headers = [("Content-Type", "application/json")];
    let laid = ask(house.broker, "POST", "/sim/faults", &headers, &rule.to_string());
    assert!(laid.expect("an answer").status < 300);
    let other = json!({"amount": "11", "reference": "INV-78"});
    let refused = inquired(&api, "/v1/qr-codes", &other, "failed");
    assert!(refused["failure"]["description"].as_str().is_some_and(|says| !says.is_empty()));
    gateway.stop();
}

#[test]
fn a_missed_payment_is_pulled_once_the_short_code_is_registered_for_it() {
    let house = house().with("C2B__PULL_EVERY", "1s");
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let api = client(&house);
    // Nobody registered where confirmations go: M-Pesa tells of this payment to nobody.
    let receipt = pays(&house, "INV-77");
    let ours = json!({"nominated_number": "0722 000 111"});
    for _ in 0..2 {
        let inquiry = inquired(&api, "/v1/c2b/register-pull", &ours, "succeeded");
        assert_eq!(inquiry["answer"], json!({"registered": true}));
    }
    let again = json!({"nominated_number": "0722 000 111", "shortcode": "174379"});
    let again = inquired(&api, "/v1/c2b/register-pull", &again, "succeeded");
    assert_eq!(again["answer"], json!({"registered": true}), "before counts as done");
    let path = format!("/v1/payments?receipt={receipt}");
    let found = eventually("the payment is pulled", || {
        let page = api.get(&path).expect("an answer").json();
        page["data"].as_array().and_then(|found| found.first().cloned())
    });
    assert_eq!((&found["status"], &found["amount"]), (&json!("succeeded"), &json!("2500.00")));
    gateway.stop();
}
