//! `mlango payouts`: files of payouts, lists, and one payout's history.

use std::collections::HashSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::api::{Api, id_of, name_of, payout};
use crate::broker::element;
use crate::house::{Done, House};
use crate::process::eventually;

const HEAD: &str = "phone,amount,reference,remarks\n";

/// Runs `mlango payouts …` with a key.
fn payouts(house: &House, api: &Api, args: &[&str]) -> Done {
    house.run_with(&[&["payouts"], args].concat(), &[("MLANGO_API_KEY", &api.key)], "")
}

fn many(rows: u32) -> String {
    (0..rows).fold(HEAD.to_owned(), |mut text, nth| {
        writeln!(text, "0722 1{nth:05},{}.00,INV-{nth},commission", nth + 10).unwrap();
        text
    })
}

#[test]
fn a_file_is_paid_once_however_often_it_is_submitted() {
    let house = House::new();
    let (_simulator, _gateway) = (house.simulate(), house.serve());
    let api = house.client("erp", &[]);
    let file = "phone, amount, reference, remarks, occasion, command\n\
                0722 123 456, 1500.00, INV-1,\"March, first half\", , SalaryPayment\n\
                +254 110-123-457, 25, , , ,\n\
                254722000002, 200, INV-3, , , \n\
                0722 123 456, 10, TWICE, , ,\n\
                0722 123 456, 10, TWICE, , ,\n";
    house.write("march.csv", file);
    let dry = payouts(&house, &api, &["submit", "march.csv", "--dry-run"]);
    assert_eq!(dry.code, 0);
    assert!(dry.err.contains("5 rows are good: 1745.00 in all. Nothing was sent"), "{}", dry.err);
    assert!(api.payouts().is_empty());

    let first = payouts(&house, &api, &["submit", "march.csv"]);
    assert_eq!(first.code, 0, "{}", first.err);
    assert!(first.err.contains("5 taken, 0 taken before, 0 not taken"), "{}", first.err);
    // Again, in another order, written otherwise and under another name: it is the same run.
    let rows: Vec<&str> = file.lines().collect();
    let otherwise = format!(
        "{}\n0722-123-456,1500,INV-1,\"March, first half\",,SalaryPayment\n{}\n",
        rows[0],
        [rows[5], rows[4], rows[3], rows[2]].join("\n")
    );
    house.write("copy.csv", &otherwise);
    for name in ["march.csv", "copy.csv"] {
        let again = payouts(&house, &api, &["submit", name]);
        let words = [
            "0 taken, 5 taken before, 0 not taken",
            "nothing was paid: all 5 rows were taken before, the first at 20",
            "submit it with --run NAME",
        ];
        again.failed(1, &words);
        assert_eq!(again.out.lines().filter(|line| line.contains("taken before, at")).count(), 5);
    }

    // A row more, elsewhere in the file, is one payout more.
    let row = "0722 123 456, 10, TWICE, , ,\n";
    house.write("march.csv", &file.replacen(row, &format!("0722 123 457, 12, , , ,\n{row}"), 1));
    let more = payouts(&house, &api, &["--json", "submit", "march.csv"]);
    assert_eq!(more.code, 0, "{}", more.err);
    assert!(more.err.contains("1 taken, 5 taken before"), "{}", more.err);
    let taken: Vec<Value> =
        more.out.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ids: HashSet<&str> = taken.iter().filter_map(|payout| payout["id"].as_str()).collect();
    assert_eq!(ids.len(), api.payouts().len());

    // Another run is another payment, under whatever name the file has.
    house.write("april.csv", "phone,amount,reference\n0722 123 456,10,TWICE\n");
    let april = payouts(&house, &api, &["submit", "april.csv", "--run", "2026-04"]);
    assert!(april.err.contains("1 taken, 0 taken before"), "{}", april.err);

    let (ended, paid) = eventually("every payout ends", || {
        let all = api.payouts();
        let ended = all.iter().all(|payout| payout["completed_at"].is_string());
        let paid = all.iter().filter(|payout| payout["status"] == "succeeded").count();
        ended.then_some((all.len(), paid))
    });
    assert_eq!(paid, ended - 1, "all but the one that M-Pesa can't pay");
    assert_eq!(house.ledger().len(), paid);
    let salary = payouts(&house, &api, &["--json", "list", "--reference", "INV-1"]).json();
    assert_eq!(salary["data"][0]["command"], "SalaryPayment");
    assert_eq!(salary["data"][0]["remarks"], "March, first half");
}

#[test]
fn every_bad_row_is_said_at_once_and_nothing_is_sent() {
    let house = House::new();
    let _gateway = house.serve();
    let api = house.client("erp", &[]);
    let long = "x".repeat(256);
    house.write(
        "bad.csv",
        &format!(
            "phone,amount,reference,remarks,command\n\
             0722,10,,,\n\
             0722000111,10,good,,\n\
             0722000111,ten,,,\n\
             0822000111,1.005,{long},,\n\
             0722000111,10,,{long},\n\
             0722000111,10,,,BusinessPaymnt\n\
             ,,,,\n"
        ),
    );
    let done = payouts(&house, &api, &["submit", "bad.csv"]);
    let faults = [
        "bad.csv: nothing was sent",
        "line 2: phone ",
        "line 4: amount ",
        "line 5: amount ",
        "line 5: phone ",
        "line 5: reference must have at most 64",
        "line 6: remarks must have at most 255",
        "line 7: command ",
        "line 8: amount ",
        "line 8: phone ",
    ];
    done.failed(1, &faults);
    assert!(!done.err.contains("line 3"), "{}", done.err);

    house.write("columns.csv", "phone,amuont,note\n0722000111,10,\n");
    let words = ["\"amuont\" is not known", "\"note\" is not known", "\"amount\" is missing"];
    payouts(&house, &api, &["submit", "columns.csv"]).failed(1, &words);
    std::fs::write(house.path("cells.csv"), b"phone,amount\nx\n,1,2\n0722000111,\xff\n").unwrap();
    let words = [
        "line 2: has 1 cells, and the head has 2 columns",
        "line 3: has 3 cells",
        "line 4: is no UTF-8 text",
    ];
    payouts(&house, &api, &["submit", "cells.csv"]).failed(1, &words);
    house.write("twice.csv", "phone,amount,amount\n0722000111,10,1000\n");
    payouts(&house, &api, &["submit", "twice.csv"]).failed(1, &["\"amount\" is there twice"]);
    house.write("empty.csv", "");
    payouts(&house, &api, &["submit", "empty.csv"]).failed(1, &["\"phone\" is missing"]);
    payouts(&house, &api, &["submit", "none.csv"]).failed(1, &["none.csv cannot be read"]);
    assert!(api.payouts().is_empty(), "nothing was sent");

    // What the gateway will refuse is said before anything is sent, with or without --dry-run.
    let odd = "phone,amount,remarks\n0722000111,9,\n0722000112,10,\n0722000113,250001,\n\
               0722000114,10.50,\n0722000115,10,\"two\nlines\"\n";
    house.write("odd.csv", odd);
    let words = [
        "line 2: amount must be at least 10.00",
        "line 4: amount must be at most 250000.00",
        "line 5: amount must be whole shillings",
        "line 6: remarks must not hold control characters",
    ];
    payouts(&house, &api, &["submit", "odd.csv", "--dry-run"]).failed(1, &words);
    payouts(&house, &api, &["submit", "odd.csv"]).failed(1, &words);
    assert!(api.payouts().is_empty(), "nothing was sent");
}

/// The gateway may have other limits than the shell's own configuration says: what it refuses is
/// said row by row, and the good rows are taken.
#[test]
fn what_only_the_gateway_refuses_is_said_row_by_row() {
    let mut house = House::new().with("PAYOUTS__AMOUNT_MIN", "20");
    let _gateway = house.serve();
    let api = house.client("erp", &[]);
    house.set("PAYOUTS__AMOUNT_MIN", "10");
    house.write("limits.csv", "phone,amount\n0722000111,19\n0722000112,20\n");
    let done = payouts(&house, &api, &["submit", "limits.csv"]);
    done.failed(1, &["line 2: not taken", "1 taken, 0 taken before, 1 not taken"]);
    assert_eq!(api.payouts().len(), 1);
}

#[test]
fn without_a_good_key_or_a_gateway_it_says_so() {
    let house = House::new();
    let mut gateway = house.serve();
    house.write("file.csv", &many(3));
    let list = |key: &str| house.run_with(&["payouts", "list"], &[("MLANGO_API_KEY", key)], "");
    list("mk_wrong").failed(1, &["key_invalid"]);
    let reader = house.client("reader", &["payouts:read"]);
    payouts(&house, &reader, &["submit", "file.csv"]).failed(1, &["scope_missing"]);
    house.write("key", &format!("{}\nanything\n", reader.key));
    assert_eq!(house.run(&["payouts", "list", "--key-file", "key"]).code, 0);
    house.run(&["payouts", "list", "--key-file", "none"]).failed(1, &["none cannot be read"]);
    payouts(&house, &reader, &["list", "--status", "paid"]).failed(1, &["status"]);
    payouts(&house, &reader, &["show", "po_42"]).failed(1, &["no_such_payout"]);
    payouts(&house, &reader, &["list", "--url", "ftp://x"]).failed(1, &["ftp://x"]);
    gateway.stop();
    let address = format!("the gateway at http://127.0.0.1:{}: nobody answers there", house.api);
    payouts(&house, &reader, &["list"]).failed(1, &[&address]);
}

#[test]
fn a_gateway_that_dies_in_the_middle_costs_nothing_but_a_second_run() {
    const ROWS: usize = 400;
    let house = House::new();
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let api = house.client("erp", &[]);
    house.write("salaries.csv", &many(ROWS.try_into().unwrap()));
    house.write("key", &api.key);
    let mut submit = house.start(&["payouts", "submit", "salaries.csv", "--key-file", "key"]);
    let some = |submit: &crate::process::Process| (submit.out().lines().count() > 20).then_some(());
    submit.until("some rows are taken", some);
    gateway.kill();
    let status = submit.end();
    assert_eq!(status.code(), Some(1));
    let said = submit.err();
    assert!(said.contains("stopped at line") && said.contains("Run the same file again"), "{said}");

    let _gateway = house.serve();
    let again = payouts(&house, &api, &["submit", "salaries.csv"]);
    assert_eq!(again.code, 0, "{}", again.err);
    let taken_before = submit.out().lines().count();
    let replayed = again.out.lines().filter(|line| line.contains("taken before, at")).count();
    // One more than was printed may have been taken: its answer was lost.
    assert!(replayed == taken_before || replayed == taken_before + 1, "{}", again.err);
    let all = api.payouts();
    let references: HashSet<&str> = all.iter().filter_map(|p| p["reference"].as_str()).collect();
    assert_eq!((all.len(), references.len()), (ROWS, ROWS), "each row once");
}

#[test]
fn a_payouts_history_shows_each_step_and_its_messages() {
    let house = House::new();
    let (_simulator, _gateway) = (house.simulate(), house.serve());
    let api = house.client("erp", &[]);
    let taken = api.submit("k", &payout("0722 123 456", "1500.00"));
    let id = id_of(&taken);
    let paid = api.until(id, "succeeded");

    let shown = payouts(&house, &api, &["--json", "show", id]).json();
    assert_eq!(shown["payout"], paid);
    let events = shown["events"].as_array().expect("events");
    let kinds: Vec<&str> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(
        kinds,
        ["payout.queued", "payout.sending", "payout.accepted", "payout.succeeded"],
        "{events:?}"
    );
    let table = payouts(&house, &api, &["show", id]);
    assert_eq!(table.code, 0);
    let messages = messages_of(&api, events, &table.out);
    check_messages(&house, &messages, &paid);
    assert_eq!(house.exchanges().len(), 2, "one request, one result");

    let receipt = paid["receipt"].as_str().expect("a receipt");
    let listed = payouts(&house, &api, &["list", "--receipt", receipt]);
    assert!(listed.out.contains(id) && listed.out.lines().count() == 3, "{}", listed.out);
    let none = payouts(&house, &api, &["--json", "list", "--status", "failed"]).json();
    assert_eq!(none["data"].as_array().map(Vec::len), Some(0));
}

/// The wire messages that the events point to; each event and message stands in the table, too.
fn messages_of(api: &Api, events: &[Value], table: &str) -> Vec<Value> {
    let mut messages = Vec::new();
    for event in events {
        assert!(table.contains(event["type"].as_str().unwrap()), "{table}");
        for link in event["data"]["messages"].as_array().expect("messages") {
            let name = link["id"].as_str().unwrap();
            assert!(table.contains(name), "no {name} in {table}");
            let message = api.get(link["href"].as_str().unwrap());
            messages.push(message.expect("an answer").json());
        }
    }
    messages
}

/// Request, answer and result as they were on the wire, about this payout, without our secrets.
fn check_messages(house: &House, messages: &[Value], paid: &Value) {
    let said: Vec<(&str, &str)> = messages
        .iter()
        .map(|message| {
            (message["direction"].as_str().unwrap(), message["channel"].as_str().unwrap())
        })
        .collect();
    let expected = [("out", "payout.request"), ("in", "payout.answer"), ("in", "payout.result")];
    assert_eq!(said, expected);
    let bodies: Vec<&str> =
        messages.iter().map(|message| message["body"].as_str().expect("a body")).collect();
    for body in &bodies {
        assert_eq!(element(body, "OriginatorConversationID"), name_of(paid), "{body}");
    }
    for secret in ["sp_password", "initiator_password"] {
        assert!(!bodies[0].contains(&house.written(secret)));
    }
    for masked in ["SecurityCredential", "tns:spPassword"] {
        assert_eq!(element(bodies[0], masked), "***", "{}", bodies[0]);
    }
    let receipt = element(bodies[2], "TransactionID");
    assert_eq!(Some(receipt.as_str()), paid["receipt"].as_str());
}
