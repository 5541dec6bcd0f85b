//! `mlango stk`, `payments`, `inquiries`, `c2b`: money in from the shell.

use serde_json::{Value, json};

use crate::api::{Api, id_of, name_of, payout};
use crate::house::{Done, House};
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
    let key = format!("{path}{body}").replace(' ', "");
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

/// A customer pays by himself; answers the receipt, unless the payment was turned down.
fn paid(house: &House, account: &str) -> Option<String> {
    let body = json!({"shortcode": "174379", "phone": "254733123458", "amount": "2500",
                      "account": account, "kind": "paybill"});
    let headers = [("Content-Type", "application/json")];
    let paid = ask(house.broker, "POST", "/sim/c2b", &headers, &body.to_string());
    let paid = paid.expect("an answer");
    let paid = paid.json();
    (paid["outcome"] == "completed")
        .then(|| paid["receipt"].as_str().expect("a receipt").to_owned())
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
fn a_short_code_is_registered_for_pulling_and_a_missed_payment_is_pulled() {
    let house = house().with("C2B__PULL_EVERY", "1s");
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let api = client(&house);
    // Nobody registered where confirmations go: M-Pesa tells of this payment to nobody.
    let receipt = paid(&house, "INV-77").expect("a receipt");
    let ours = json!({"nominated_number": "0722 000 111"});
    let registered = inquired(&api, "/v1/c2b/register-pull", &ours, "succeeded");
    assert_eq!(registered["answer"], json!({"registered": true}));
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

/// Runs a command with a key.
fn run(house: &House, api: &Api, args: &[&str]) -> Done {
    house.run_with(args, &[("MLANGO_API_KEY", &api.key)], "")
}

/// The id that a command began its line with.
fn first_word(done: &Done) -> String {
    assert_eq!(done.code, 0, "{}", done.err);
    done.out.split_whitespace().next().expect("an id").to_owned()
}

#[test]
fn a_prompt_from_the_shell_is_shown_asked_about_and_delivered_for_once() {
    let house = house();
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let api = client(&house);
    let push = |words: &[&str]| {
        let args = ["stk", "push", "--amount", "10", "--phone", "0722 000 222"];
        run(&house, &api, &[&args, words].concat())
    };
    let pushed = push(&["--reference", "ORDER001", "--key", "once"]);
    let id = first_word(&pushed);
    assert!(id.starts_with("pay_") && pushed.err.contains("on the disk"), "{pushed:?}");
    assert_eq!(first_word(&push(&["--reference", "ORDER001", "--key", "once"])), id, "one key");
    // Another prompt to that phone, and nonsense, are refused in words, with exit code 1.
    push(&["--reference", "ORDER002"]).failed(1, &["phone"]);
    push(&["--reference", "far too long a reference"]).failed(1, &["reference"]);
    run(&house, &api, &["stk", "push", "--amount", "10"]).failed(2, &["--phone"]);
    until_payment(&api, &id, "succeeded");
    // It is not in doubt any more.
    run(&house, &api, &["stk", "query", &id]).failed(1, &["nothing to ask"]);
    run(&house, &api, &["stk", "query", "pay_nobody"]).failed(1, &["payment"]);

    let listed = run(&house, &api, &["payments", "list", "--type", "stk", "--claimed", "false"]);
    assert_eq!(listed.code, 0, "{}", listed.err);
    assert!(listed.out.contains(&id) && listed.out.contains("succeeded"), "{}", listed.out);
    let none = run(&house, &api, &["--json", "payments", "list", "--status", "failed"]).json();
    assert_eq!(none["data"], json!([]));
    run(&house, &api, &["payments", "list", "--status", "lost"]).failed(1, &["status"]);
    let shown = run(&house, &api, &["payments", "show", &id]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    for word in [&id, "payment.pending", "payment.received", "msg_"] {
        assert!(shown.out.contains(word), "{word}: {shown:?}");
    }
    run(&house, &api, &["payments", "show", "pay_nobody"]).failed(1, &["payment"]);

    let paid = run(&house, &api, &["payments", "verify", "--reference", "ORDER001"]);
    assert_eq!(paid.code, 0, "{}", paid.err);
    assert!(paid.err.contains("it is paid"), "{}", paid.err);
    let unpaid = run(&house, &api, &["payments", "verify", "--reference", "ORDER009"]);
    unpaid.failed(1, &["no such payment is paid"]);
    run(&house, &api, &["payments", "verify"]).failed(2, &["--receipt"]);

    let claim = |key: &Api| run(&house, key, &["payments", "claim", &id, "--purpose", "order 1"]);
    let claimed = claim(&api);
    assert_eq!(claimed.code, 0, "{}", claimed.err);
    assert!(claimed.err.contains("yours to deliver for"), "{}", claimed.err);
    assert_eq!(claim(&api).code, 0, "the same claim again");
    let other = ["payments", "claim", &id, "--purpose", "order 2"];
    run(&house, &api, &other).failed(1, &["claimed"]);
    gateway.stop();
}

#[test]
fn a_prompt_in_doubt_can_be_asked_about_from_the_shell() {
    let house = house().with("DARAJA__TIMEOUT", "1s").with("STK__ASK_INTERVALS", "[\"1h\"]");
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let api = client(&house);
    // Paid, and its callback never comes.
    let id = prompt(&api, "first", "254722000005");
    let mut asked = 0;
    eventually("M-Pesa, asked about it, says that it is paid", || {
        let done = run(&house, &api, &["stk", "query", &id]);
        if done.code == 0 {
            asked += 1;
            assert!(done.err.contains("M-Pesa is asked now"), "{}", done.err);
        }
        (payment(&api, &id)["status"] == "succeeded").then_some(())
    });
    assert!(asked > 0, "by itself it asks in an hour only");
    gateway.stop();
}

#[test]
fn inquiries_are_listed_and_shown() {
    let house = house();
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let api = client(&house);
    let balance = inquired(&api, "/v1/balance-inquiries", &json!({}), "succeeded");
    let id = id_of(&balance);
    let listed = run(&house, &api, &["inquiries", "list", "--status", "succeeded"]);
    assert_eq!(listed.code, 0, "{}", listed.err);
    assert!(listed.out.contains(id) && listed.out.contains("balance"), "{}", listed.out);
    let none = run(&house, &api, &["--json", "inquiries", "list", "--status", "unknown"]).json();
    assert_eq!(none["data"], json!([]));
    run(&house, &api, &["inquiries", "list", "--status", "lost"]).failed(1, &["status"]);
    let shown = run(&house, &api, &["inquiries", "show", id]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    for word in [id, "inquiry.accepted", "inquiry.succeeded", "Utility Account"] {
        assert!(shown.out.contains(word), "{word}: {shown:?}");
    }
    run(&house, &api, &["inquiries", "show", "inq_nobody"]).failed(1, &["inquiry"]);
    gateway.stop();
}

#[test]
fn expected_references_are_taken_all_or_none_and_every_bad_row_is_named() {
    let house = house().with("C2B__UNLISTED", "refuse");
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let api = client(&house);
    inquired(&api, "/v1/c2b/register-urls", &json!({}), "succeeded");
    let head = "reference,amount,phone,expires_at,times\n";
    let bad = format!("{head}INV-1,2500,,,once\nINV-2,ten,0722,,never\n,10,,soon,\n");
    house.write("bad.csv", &bad);
    let refused = run(&house, &api, &["c2b", "expect", "bad.csv"]);
    let faults = ["[1].amount", "[1].phone", "[1].times", "[2].reference", "[2].expires_at"];
    refused.failed(1, &faults);
    assert!(!refused.err.contains("[0]"), "the first row is good: {}", refused.err);
    house.write("columns.csv", "reference,sum\nINV-1,10\n");
    run(&house, &api, &["c2b", "expect", "columns.csv"]).failed(1, &["sum"]);
    run(&house, &api, &["c2b", "expect", "nowhere.csv"]).failed(1, &["nowhere.csv"]);
    assert_eq!(paid(&house, "INV-1"), None, "nothing was taken of the bad file");

    house.write(
        "good.csv",
        &format!("{head}INV-1,2500,,,once\nINV-2,10,,2036-01-02T03:04:05Z,many\n"),
    );
    let taken = run(&house, &api, &["--json", "c2b", "expect", "good.csv"]).json();
    assert_eq!(taken, json!({"taken": 2}));
    let again = run(&house, &api, &["c2b", "expect", "good.csv"]);
    assert_eq!(again.code, 0, "{}", again.err);
    assert!(again.err.contains("2 references are expected"), "{}", again.err);
    let receipt = paid(&house, "INV-1").expect("it is expected");
    let verify = ["payments", "verify", "--receipt", &receipt];
    let found = eventually("its confirmation comes", || {
        let done = run(&house, &api, &verify);
        (done.code == 0).then_some(done)
    });
    assert!(found.err.contains("it is paid"), "{}", found.err);
    gateway.stop();
}

/// Without `[daraja]`, the broker is asked what it can be asked, and nothing else is taken.
#[test]
fn a_gateway_with_the_broker_alone_asks_the_broker() {
    let house = House::new();
    let text = std::fs::read_to_string(house.path("mlango.toml")).expect("a configuration");
    let (before, daraja) = text.split_once("\n[daraja]").expect("a section");
    let (_daraja, after) = daraja.split_once("\n[stk]").expect("the section after it");
    house.write("mlango.toml", &format!("{before}\n[stk]{after}"));
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let scopes = ["payouts:write", "payouts:read", "payments:write", "payments:read", "admin"];
    let api = house.client("desk", &scopes);
    let payout = api.submit("once", &payout("254722123456", "100"));
    let payout = api.until(id_of(&payout), "succeeded");
    let by_name = json!({"originator_conversation_id": name_of(&payout)});
    let path = "/v1/transaction-status-inquiries";
    let found = inquired(&api, path, &by_name, "succeeded");
    assert_eq!((&found["rail"], &found["answer"]["receipt"]), (&json!("soap"), &payout["receipt"]));
    let urls = inquired(&api, "/v1/c2b/register-urls", &json!({}), "succeeded");
    assert_eq!(urls["rail"], "soap");

    let balance = inquired(&api, "/v1/balance-inquiries", &json!({}), "succeeded");
    let accounts = &balance["answer"]["accounts"];
    assert_eq!(accounts[2]["name"], "Utility Account", "{balance}");
    assert_eq!(accounts[2]["available"], "9999900.00", "100 were paid: {balance}");
    assert!(balance["answer"]["at"].is_string(), "{balance}");

    // A customer pays, and gets it back, once.
    inquired(&api, "/v1/c2b/register-urls", &json!({"shortcode": "600999"}), "succeeded");
    let bill = json!({"shortcode": "600999", "phone": "254733123458", "amount": "2500",
                      "account": "INV-9", "kind": "paybill"});
    let headers = [("Content-Type", "application/json")];
    let paid = ask(house.broker, "POST", "/sim/c2b", &headers, &bill.to_string());
    let paid = paid.expect("an answer").json();
    assert_eq!(paid["outcome"], "completed", "{paid}");
    let body = json!({"receipt": paid["receipt"], "amount": "2500", "remarks": "Paid twice"});
    let back = inquired(&api, "/v1/reversals", &body, "succeeded");
    assert_eq!(back["rail"], "soap");
    assert!(back["answer"]["receipt"].is_string() && back["answer"]["receipt"] != paid["receipt"]);
    let again = api.post("/v1/reversals", "again", &body).expect("an answer");
    assert_eq!(again.status, 409, "{}", again.body);
    for (path, body) in [
        ("/v1/stk-pushes", json!({"amount": "10", "phone": "0722000222", "reference": "ORDER001"})),
        ("/v1/qr-codes", json!({"amount": "10", "reference": "INV-77"})),
        ("/v1/c2b/register-pull", json!({"nominated_number": "0722000111"})),
    ] {
        let refused = api.post(path, path, &body).expect("an answer");
        assert_eq!(
            (refused.status, &refused.json()["code"]),
            (409, &json!("not_set_up")),
            "{path}"
        );
    }
    gateway.stop();
}
