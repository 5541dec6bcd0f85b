//! The ways to others, and the address that M-Pesa calls.

use std::process::Command;

use super::{NOBODY, assert_said, ca, find_all, peer, report, row, shows, tls, tls_on};
use crate::house::House;

/// A broker whose clock says what the `date` program makes of these words.
fn dated(when: &str) -> String {
    let made = Command::new("date").args(["-u", "-R", "-d", when]).output().expect("date");
    let date = String::from_utf8(made.stdout).expect("a date");
    format!("http://127.0.0.1:{}", peer::plain(date.trim()))
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn faults_on_the_way_are_found() {
    let fails = |check, words| (check, "fails", words);
    let table = [
        row(
            "a host that there is not",
            |house| house.set("BROKER__URL", "http://broker.invalid:8310"),
            fails("broker.dns", "leads nowhere"),
        ),
        row(
            "an address that is not this machine's",
            |house| house.set("BROKER__LOCAL_ADDRESS", "192.0.2.77"),
            fails("broker.route", "192.0.2.77"),
        ),
        row("a closed port", |_house| {}, fails("broker.tcp", "refused")),
        row(
            "an authority that nobody named",
            |house| tls(house, "stranger"),
            fails("broker.tls", "an authority that is not trusted"),
        ),
        row(
            "another authority",
            |house| {
                tls(house, "broker");
                ca(house, "other-ca.pem");
            },
            fails("broker.tls", "an authority that is not trusted"),
        ),
        row("another name", |house| tls(house, "named"), fails("broker.tls", "set server_name")),
        row(
            "a certificate of 2016",
            |house| tls(house, "expired"),
            fails("broker.tls", "certificate has expired"),
        ),
        row(
            "another certificate than the pinned one",
            |house| {
                tls(house, "broker");
                house.set("BROKER__PINS", &"00".repeat(32));
            },
            fails("broker.tls", "pinned"),
        ),
        row(
            "no certificate of ours",
            |house| {
                let port = peer::encrypted("broker", true);
                house.set("BROKER__URL", &format!("https://127.0.0.1:{port}"));
                ca(house, "ca.pem");
            },
            fails("broker.tls", "it wants a certificate of ours"),
        ),
        row(
            "a certificate of ours that nobody trusts",
            |house| {
                tls(house, "broker");
                shows(house, "stranger");
            },
            fails("broker.tls", "it wants a certificate of ours that it trusts"),
        ),
        row(
            "TLS to a plain port",
            |house| tls_on(house, peer::plain("")),
            fails("broker.tls", "does not speak TLS"),
        ),
        row(
            "plain HTTP to a TLS port",
            |house| {
                let port = peer::encrypted("broker", false);
                house.set("BROKER__URL", &format!("http://127.0.0.1:{port}"));
            },
            fails("broker.http", "speaks TLS, and was spoken to in plain HTTP"),
        ),
        row(
            "TLS to what says nothing",
            |house| {
                tls_on(house, peer::mute());
                house.set("BROKER__CONNECT_TIMEOUT", "300ms");
            },
            fails("broker.tls", "took too long"),
        ),
        row(
            "a clock that is years off",
            |house| {
                let port = peer::plain("Tue, 02 Jan 2024 03:04:05 GMT");
                house.set("BROKER__URL", &format!("http://127.0.0.1:{port}"));
            },
            fails("broker.clock", "s ahead of"),
        ),
        row(
            "a clock that is a minute ahead",
            |house| house.set("BROKER__URL", &dated("now - 60 seconds")),
            ("broker.clock", "warning", "s ahead of"),
        ),
        row(
            "a clock that is ten minutes behind",
            |house| house.set("BROKER__URL", &dated("now + 600 seconds")),
            fails("broker.clock", "s behind the one of"),
        ),
        row(
            "a broker that answers no GET",
            |house| {
                let port = peer::silent();
                house.set("BROKER__URL", &format!("http://127.0.0.1:{port}"));
            },
            ("broker.http", "warning", "does not answer GET"),
        ),
    ];
    find_all(&table, NOBODY);
}

#[test]
fn an_interface_that_is_not_there_is_found() {
    let mut house = House::new();
    house.set("BROKER__INTERFACE", "mlango-none0");
    let report = report(&house, &[]);
    let said = ("broker.interface", "fails", "no network interface mlango-none0");
    assert_said("no such interface", &report, said);
    assert_said("and so", &report, ("broker.route", "fails", "by mlango-none0"));
    assert_said("and so", &report, ("broker.tcp", "skipped", "see broker.route"));
}

#[test]
fn faults_of_the_callback_address_are_found() {
    let table = [
        row(
            "a word that M-Pesa filters out",
            |house| house.set("CALLBACKS__PUBLIC_URL", "http://mpesa.localhost:1"),
            ("callbacks.words", "fails", "\\\"mpesa\\\""),
        ),
        row(
            "a short token",
            |house| house.set("CALLBACKS__TOKEN", "0123456789abcdef"),
            ("callbacks.token", "warning", "16 hexadecimal digits"),
        ),
        row(
            "this machine alone, and M-Pesa elsewhere",
            |house| {
                house.set("BROKER__URL", "http://broker.invalid:8310");
                house.set("DARAJA__URL", "https://daraja.invalid:8310");
            },
            ("callbacks.public_url", "fails", "this machine alone"),
        ),
        row(
            "a host that there is not",
            |house| house.set("CALLBACKS__PUBLIC_URL", "http://gw.invalid"),
            ("callbacks.dns", "fails", "leads nowhere"),
        ),
    ];
    let nobody: Vec<&str> =
        NOBODY.iter().copied().chain(["broker.dns", "daraja.dns", "callbacks.dns"]).collect();
    find_all(&table, &nobody);
}
