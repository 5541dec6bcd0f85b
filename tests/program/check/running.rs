//! Beside a running gateway; what M-Pesa says to our credentials; what this machine allows.

use std::fs;
use std::process::Command;

use serde_json::Value;

use super::{assert_said, lines, peer, read, report};
use crate::broker::paid;
use crate::house::{House, free_port};
use crate::process::eventually;
use crate::wire;

/// Beside a running gateway: what it says of itself, and whether the address leads to it.
#[test]
fn a_running_gateway_is_asked_how_it_is_and_whether_its_address_leads_to_it() {
    let mut house = House::new();
    house.set("DARAJA__URL", &format!("http://127.0.0.1:{}", house.broker));
    let _simulator = house.simulate();
    let mut gateway = house.serve();
    let good = report(&house, &[]);
    let fails: Vec<&Value> = lines(&good).iter().filter(|it| it["status"] == "fails").collect();
    assert!(fails.is_empty(), "{fails:#?}");
    assert_said("it runs", &good, ("store", "ok", "a gateway has it open"));
    assert_said("its address", &good, ("callbacks.reach", "ok", "leads to this gateway"));
    assert_said("no addresses", &good, ("c2b.registered", "warning", "register-urls"));
    assert_said("the clock", &good, ("broker.clock", "ok", "0 s"));

    let paused = house.run(&["rails", "pause", "soap", "--reason", "a test"]);
    assert_eq!(paused.code, 0, "{paused:?}");
    assert_said("paused", &report(&house, &[]), ("store", "warning", "paused by hand"));

    let table = [
        (free_port(), "cannot be connected to from here"),
        (house.broker, "answers 404"),
        (peer::page(), "answers 200 where this gateway would answer with its interface"),
        (peer::mute(), "does not answer"),
    ];
    for (port, words) in table {
        house.set("CALLBACKS__PUBLIC_URL", &format!("http://127.0.0.1:{port}"));
        let report = report(&house, &[]);
        assert_said(words, &report, ("callbacks.reach", "fails", words));
    }
    house.set("CALLBACKS__PUBLIC_URL", &format!("https://127.0.0.1:{}", house.callbacks));
    let said = ("callbacks.reach", "fails", "no TLS");
    assert_said("https to a plain listener", &report(&house, &[]), said);

    let api = house.client("till", &["payments:write", "payments:read"]);
    let body = serde_json::json!({"response_type": "Completed"});
    let taken = api.post("/v1/c2b/register-urls", "register-1", &body).expect("an answer");
    assert_eq!(taken.status, 202, "{taken:?}");
    eventually("the registration is known of", || {
        let report = report(&house, &[]);
        let known = lines(&report)
            .iter()
            .any(|line| line["check"] == "c2b.registered" && line["status"] == "ok");
        known.then_some(())
    });

    // Where the result of --live's question would come: it is not taken, and nobody is called.
    let result = paid("600999_ExampleOrg_check_1", "ABC1234567", "0.00");
    let path = format!("/cb/{}/check", house.written("token"));
    let answer = wire::ask(house.callbacks, "POST", &path, &[], &result).expect("an answer");
    assert_eq!(answer.status, 404, "{answer:?}");
    let cases = house.run(&["--json", "cases"]).json();
    assert_eq!(cases["data"].as_array().map(Vec::len), Some(0), "{cases}");

    gateway.stop();
    assert_said("it is gone", &report(&house, &[]), ("store", "ok", "no gateway runs"));
    fs::remove_file(house.path("data/mark")).expect("gone");
    let said = ("store", "fails", "cannot be opened");
    assert_said("a damaged store", &report(&house, &[]), said);
}

/// With `--live` credentials are shown, once each, and only then; no money moves.
#[test]
fn wrong_credentials_are_found_when_somebody_asks_for_it() {
    let mut house = House::new();
    house.set("DARAJA__URL", &format!("http://127.0.0.1:{}", house.broker));
    let _simulator = house.simulate();
    let before = report(&house, &[]);
    assert_said("not asked", &before, ("broker.credentials", "skipped", "--live"));
    assert_said("not asked", &before, ("daraja.token", "skipped", "--live"));
    let shown = |house: &House| house.exchanges().iter().map(Value::to_string).collect::<Vec<_>>();
    let asked = |house: &House| {
        let all = shown(house);
        all.iter().filter(|it| it.contains("AccountBalance") || it.contains("oauth")).count()
    };
    assert_eq!(asked(&house), 0, "nothing is shown without --live");

    let good = report(&house, &["--live"]);
    assert_said(
        "good",
        &good,
        ("broker.credentials", "ok", "spId, spPassword and serviceId are right"),
    );
    assert_said("good", &good, ("daraja.token", "ok", "gave a token"));
    house.set("BROKER__SP_PASSWORD", "Example-Wrong-1");
    house.set("DARAJA__CONSUMER_SECRET", "Example-Wrong-2");
    let wrong = report(&house, &["--live"]);
    assert_said("wrong", &wrong, ("broker.credentials", "fails", "It was tried once"));
    assert_said("wrong", &wrong, ("daraja.token", "fails", "consumer_secret"));
    assert_eq!(house.ledger(), Vec::<Value>::new(), "no money moves");
}

#[test]
fn the_broker_is_asked_for_the_balance_once_whatever_it_answers() {
    let table = [
        ("0", "ok", "are right"),
        ("100000007", "fails", "It was tried once"),
        ("2001", "fails", "It was tried once"),
        ("100000001", "warning", "again later"),
    ];
    for (code, status, words) in table {
        let (port, questions) = peer::broker(code);
        let mut house = House::new();
        house.set("BROKER__URL", &format!("http://127.0.0.1:{port}"));
        let report = report(&house, &["--live"]);
        assert_said(code, &report, ("broker.credentials", status, words));
        let asked: Vec<String> = questions.try_iter().collect();
        assert_eq!(asked.len(), 1, "{code}: {asked:?}");
        assert!(asked[0].contains("<CommandID>AccountBalance</CommandID>"), "{asked:?}");
    }
}

#[test]
fn a_low_limit_of_open_files_is_found() {
    let house = House::new();
    let table = [("100", "fails"), ("1000", "warning")];
    for (limit, status) in table {
        let binary = house.command(&[]).get_program().to_owned();
        let mut command = house.command(&[]);
        let variables: Vec<_> = command
            .get_envs()
            .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
            .collect();
        command = Command::new("sh");
        let script = format!("ulimit -n {limit}; exec \"$0\" --json check");
        command.arg("-c").arg(script).arg(binary).env_clear().envs(variables);
        command.current_dir(house.path("."));
        let report = read(&house.finish(command, ""));
        assert_said(limit, &report, ("limits.files", status, &format!("may open {limit} files")));
    }
}
