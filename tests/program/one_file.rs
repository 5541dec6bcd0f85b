//! One configuration file for the gateway and the simulator: whoever the gateway is to M-Pesa, the
//! simulated M-Pesa knows it, and nobody else.

use std::fs;

use serde_json::{Value, json};

use crate::api::{Api, get};
use crate::house::House;
use crate::money::{prompt, until_payment};
use crate::process::eventually;
use crate::wire::{Answer, ask};

/// What stands in the file in place of what `mlango init` wrote.
const DARAJA: [(&str, &str); 4] = [
    ("consumer_key", "another-key"),
    ("consumer_secret", "another-secret"),
    ("passkey", "another-passkey"),
    ("shortcode", "600111"),
];

/// A house whose file holds an app, a till and an account of its own.
fn house() -> House {
    let house = House::new();
    let mut text = fs::read_to_string(house.path("mlango.toml")).expect("a configuration");
    let (before, daraja) = text.split_once("\n[daraja]").expect("a section");
    let mut daraja = daraja.to_owned();
    for (key, value) in DARAJA {
        let head = format!("\n{key} = \"");
        let (left, rest) = daraja.split_once(&head).expect(key);
        let (_old, right) = rest.split_once('"').expect("its end");
        daraja = format!("{left}{head}{value}\"{right}");
    }
    daraja = daraja.replacen("#till = \"5123456\"", "till = \"5000222\"", 1);
    text = format!("{before}\n[daraja]{daraja}");
    let sms = format!(
        "[sms]\nurl = \"http://127.0.0.1:{}/version1/messaging\"\nusername = \"another-account\"\n\
         api_key = \"another-sms-key\"\nfrom = \"ANOTHER\"\n\
         templates.payment_received = \"We have {{amount}} for {{account}}.\"\n",
        house.broker
    );
    let (left, rest) = text.split_once("[sms]").expect("a section");
    let rest = rest.split_once("\n[simulator]").expect("the section after it").1;
    house.write("mlango.toml", &format!("{left}{sms}\n[simulator]{rest}"));
    let daraja = format!("http://127.0.0.1:{}", house.broker);
    house.with("DARAJA__URL", &daraja)
}

/// What M-Pesa's token costs: a key and a secret, as `base64(key:secret)`.
fn token(house: &House, basic: &str) -> Answer {
    let path = "/oauth/v1/generate?grant_type=client_credentials";
    let answer = get(house.broker, path, &[("Authorization", &format!("Basic {basic}"))]);
    answer.expect("an answer")
}

/// The texts that were sent.
fn texts(house: &House) -> Vec<Value> {
    let page = get(house.broker, "/sim/sms", &[]).expect("an answer").json();
    page["data"].as_array().expect("a list").clone()
}

#[test]
fn a_gateway_of_its_own_name_works_with_the_simulator_from_one_file() {
    let house = house();
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let api = house.client("shop", &["payments:write", "payments:read"]);
    let paid = until_payment(&api, &prompt(&api, "first", "254722000222"), "succeeded");
    assert_eq!(paid["shortcode"], "5000222", "it was paid to the till: {paid}");
    let sent = eventually("the payer is thanked", || texts(&house).into_iter().next());
    assert!(sent.to_string().contains("We have KES 10.00 for"), "{sent}");
    assert!(sent.to_string().contains("ANOTHER"), "{sent}");
    gateway.stop();
}

#[test]
fn whoever_the_file_does_not_name_is_refused() {
    let mut house = house();
    let _simulator = house.simulate();
    // base64 of "another-key:another-secret", and of what `mlango init` writes.
    assert_eq!(token(&house, "YW5vdGhlci1rZXk6YW5vdGhlci1zZWNyZXQ=").status, 200);
    let unknown = token(&house, "c2ltdWxhdGVkLWNvbnN1bWVyLWtleTpzaW11bGF0ZWQtY29uc3VtZXItc2VjcmV0");
    assert_eq!(unknown.status, 400, "{}", unknown.body);
    let account = "username=sandbox&to=%2B254722000111&message=Hello";
    let headers =
        [("apiKey", "simulated-sms-key"), ("Content-Type", "application/x-www-form-urlencoded")];
    let text = ask(house.broker, "POST", "/version1/messaging", &headers, account);
    assert_eq!(text.expect("an answer").status, 401);
    let pays = json!({"shortcode": "174379", "phone": "254733123458", "amount": "10",
                      "account": "INV-77", "kind": "paybill"});
    let json = [("Content-Type", "application/json")];
    let elsewhere = ask(house.broker, "POST", "/sim/c2b", &json, &pays.to_string());
    let elsewhere = elsewhere.expect("an answer");
    assert!(elsewhere.status >= 400, "174379 is nobody's here: {}", elsewhere.body);

    // A gateway with another passkey than the file's.
    house.set("DARAJA__PASSKEY", "not-this-passkey");
    let mut gateway = house.serve();
    let api: Api = house.client("shop", &["payments:write", "payments:read"]);
    let failed = until_payment(&api, &prompt(&api, "first", "254722000222"), "failed");
    assert!(failed["failure"].to_string().contains("Wrong credentials"), "{failed}");
    gateway.stop();
}
