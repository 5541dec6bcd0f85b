//! `mlango check`: each planted fault is found by the real command, on the line that names it.

mod certificates;
mod peer;
mod running;
mod settings;
mod ways;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::certificates::file;
use crate::house::{Done, House};

/// Something that is wrong, and what the command says of it.
struct Planted {
    what: &'static str,
    plant: fn(&mut House),
    check: &'static str,
    status: &'static str,
    words: &'static str,
}

/// One row.
const fn row(
    what: &'static str,
    plant: fn(&mut House),
    (check, status, words): (&'static str, &'static str, &'static str),
) -> Planted {
    Planted { what, plant, check, status, words }
}

/// The command's report, whatever it came to; its exit code must agree with it.
#[track_caller]
fn report(house: &House, args: &[&str]) -> Value {
    let all: Vec<&str> = ["--json", "check"].iter().chain(args).copied().collect();
    let done = house.run(&all);
    for secret in ["token", "initiator_password", "sp_password", "consumer_secret"] {
        let secret = house.written(secret);
        assert!(!done.out.contains(&secret) && !done.err.contains(&secret), "a secret: {done:?}");
    }
    read(&done)
}

#[track_caller]
fn read(done: &Done) -> Value {
    let report: Value = serde_json::from_str(&done.out).expect(&done.err);
    let fails = lines(&report).iter().any(|line| line["status"] == "fails");
    assert_eq!(report["ok"], Value::Bool(!fails), "{report}");
    assert_eq!(done.code, i32::from(fails), "{done:?}");
    assert!(!done.err.contains("panicked"), "{done:?}");
    for line in lines(&report) {
        let is_mended = line["status"] == "ok" || line["status"] == "skipped";
        assert_eq!(line["do"].is_null(), is_mended, "what is wrong says what to do: {line}");
    }
    report
}

fn lines(report: &Value) -> &Vec<Value> {
    report["lines"].as_array().expect("lines")
}

/// One line of this name and status says these words.
#[track_caller]
fn assert_said(what: &str, report: &Value, (check, status, words): (&str, &str, &str)) {
    let of_it: Vec<&Value> = lines(report).iter().filter(|line| line["check"] == check).collect();
    let said = |line: &&&Value| {
        let text = format!("{} {}", line["seen"], line["do"]);
        line["status"] == status && text.contains(words)
    };
    assert!(of_it.iter().find(said).is_some(), "{what}: {check} {status} \"{words}\": {of_it:#?}");
}

/// Each fault in a house of its own; nothing else fails there than what is named, and what
/// `excused` names for the whole table.
#[track_caller]
fn find_all(table: &[Planted], excused: &[&str]) {
    for Planted { what, plant, check, status, words } in table {
        let mut house = House::new();
        plant(&mut house);
        let report = report(&house, &[]);
        assert_said(what, &report, (check, status, words));
        let others: Vec<&Value> = lines(&report)
            .iter()
            .filter(|line| line["status"] == "fails" && line["check"] != *check)
            .filter(|line| !excused.contains(&line["check"].as_str().unwrap()))
            .collect();
        assert!(others.is_empty(), "{what}: only {check} is wrong, and also: {others:#?}");
    }
}

fn edit(house: &House, from: &str, to: &str) {
    let path = house.path("mlango.toml");
    let text = fs::read_to_string(&path).expect("a configuration");
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replacen(from, to, 1)).expect("written");
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
}

/// A copy of a certificate's file in the house, for its owner only.
fn copied(house: &House, name: &str) -> String {
    let path = house.path(name);
    fs::copy(file(name), &path).expect("copied");
    mode(&path, 0o600);
    path.display().to_string()
}

/// A broker that speaks TLS, shows `name` and wants to know who we are.
fn tls(house: &mut House, name: &str) {
    tls_on(house, peer::encrypted(name, true));
}

/// The same on a port.
fn tls_on(house: &mut House, port: u16) {
    house.set("BROKER__URL", &format!("https://127.0.0.1:{port}"));
    house.set("BROKER__CA", &file("ca.pem").display().to_string());
    shows(house, "client");
}

/// The certificate that we show.
fn shows(house: &mut House, name: &str) {
    house.set("BROKER__CLIENT_CERTIFICATE", &file(&format!("{name}.pem")).display().to_string());
    house.set("BROKER__CLIENT_KEY", &file(&format!("{name}-key.pem")).display().to_string());
}

fn ca(house: &mut House, name: &str) {
    house.set("BROKER__CA", &file(name).display().to_string());
}

/// A port that answers, in the broker's place and Daraja's: everything else is as it should be.
fn answered(house: &mut House) {
    let url = format!("http://127.0.0.1:{}", peer::plain(""));
    house.set("BROKER__URL", &url);
    house.set("DARAJA__URL", &url);
}

/// Where nothing answers in these tests, as nobody plays M-Pesa.
const NOBODY: &[&str] = &["broker.tcp", "daraja.tcp"];

#[test]
fn what_is_as_it_should_be_is_said_to_be() {
    let mut house = House::new();
    answered(&mut house);
    let report = report(&house, &[]);
    assert_eq!(report["ok"], true, "{report:#}");
    for check in ["config", "files.config", "credential.encrypts", "broker.tcp", "store"] {
        assert_said(check, &report, (check, "ok", ""));
    }
    assert_said("live", &report, ("broker.credentials", "skipped", "--live"));
    assert_said("live", &report, ("daraja.token", "skipped", "--live"));
    let told = house.run(&["check"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(told.out.lines().count(), lines(&report).len(), "one line each: {}", told.out);
    assert!(!house.path("data").exists(), "a check makes no store");
    house.run(&["check", "--lively"]).failed(2, &["--lively"]);
}
