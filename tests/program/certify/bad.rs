//! What may go wrong with a run: the target, the books, the command line.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use super::{Done, Run};
use crate::house::BINARY;
use crate::process::eventually;

/// One payment, quickly; the references of seed 7.
const QUICK: [&str; 8] =
    ["--listen", "127.0.0.1:0", "--seed", "7", "--quiet", "100ms", "--wait", "200ms"];

fn certify(run: &Run, target: &str, books: &str, more: &[&str]) -> Done {
    let mut command = Command::new(BINARY);
    command.current_dir(run.dir.path()).args(["--json", "certify"]).args(QUICK);
    command.args(["--target", target, "--books", books]).args(more);
    run.finish(command, "")
}

#[track_caller]
fn says(done: &Done, code: i32, words: &[&str]) {
    assert_eq!(done.code, code, "{}", done.err);
    for word in words {
        assert!(done.err.contains(word), "no \"{word}\" in: {}", done.err);
    }
}

#[test]
fn a_target_that_is_not_there_is_said_before_anything_is_asked_for() {
    let run = Run::new();
    let target = format!("http://127.0.0.1:{}/pay", run.port);
    let done = certify(&run, &target, "books.csv", &[]);
    says(&done, 1, &["nobody is there at 127.0.0.1:", "no payment was asked for", "--wait"]);
}

#[test]
fn a_target_that_takes_nothing_fails_each_case_and_says_why() {
    let run = Run::new();
    fs::write(run.path("books.csv"), "reference,status\n").expect("a file");
    let done = certify(&run, "exec:exit 3", "books.csv", &["--case", "paid"]);
    assert_eq!(done.flaws("paid"), ["not_taken", "missing"], "{}", done.err);
    let says = &done.report["cases"][0]["findings"][0]["says"];
    assert_eq!(says, "the system did not take it: ended with exit status: 3");
    assert_eq!(done.code, 1);
}

#[test]
fn a_target_that_takes_and_sends_nothing_is_found_out() {
    let run = Run::new();
    let books = "reference,status\nCERT-000007-01,paid\nCERT-000007-01,pending\nOTHER-1,paid\n";
    fs::write(run.path("books.csv"), books).expect("a file");
    let done = certify(&run, "exec:cat > asked.json", "books.csv", &["--case", "paid"]);
    let flaws = ["not_paid_called_paid", "never_sent", "booked_twice"];
    assert_eq!(done.flaws("paid"), flaws, "{}", done.err);
    says(&done, 1, &["rows of the books about none of these payments: 1"]);
    let asked = fs::read_to_string(run.path("asked.json")).expect("what it was asked");
    let asked: serde_json::Value = serde_json::from_str(&asked).expect("JSON");
    let expected = serde_json::json!({
        "case": "paid", "reference": "CERT-000007-01", "phone": "254709001001",
        "amount": "101.00", "command": "BusinessPayment",
    });
    assert_eq!(asked, expected);
}

#[test]
fn books_that_cannot_be_read_are_no_verdict() {
    let run = Run::new();
    let table = [
        ("reference,state\n", "the books:1: there is no column \"status\""),
        ("reference,status\nX,maybe\n", "the books:2: status: found was \"maybe\""),
        ("[{\"reference\":", "the books:1: is no JSON"),
    ];
    for (text, what) in table {
        fs::write(run.path("books.csv"), text).expect("a file");
        let done = certify(&run, "exec:cat > /dev/null", "books.csv", &["--case", "paid"]);
        says(&done, 1, &["there is no verdict: the books cannot be read", what]);
        assert!(done.report.is_null());
    }
    let done = certify(&run, "exec:true", "none.csv", &["--case", "paid"]);
    says(&done, 1, &["there is no verdict", "none.csv: No such file"]);
    let nowhere = format!("http://127.0.0.1:{}/books", run.port);
    let done = certify(&run, "exec:true", &nowhere, &["--case", "paid"]);
    says(&done, 1, &["there is no verdict", "127.0.0.1/books: "]);
}

#[test]
fn a_person_is_handed_the_payments_and_asked_for_the_books() {
    let run = Run::new();
    fs::write(run.path("books.csv"), "reference,status\n").expect("a file");
    let mut command = Command::new(BINARY);
    command.current_dir(run.dir.path()).args(["--json", "certify"]).args(QUICK);
    command.args(["--target", "manual:list.csv", "--books", "books.csv", "--case", "paid"]);
    let done = run.finish(command, "\n\n");
    assert_eq!(done.flaws("paid"), ["never_sent", "missing"]);
    let list = fs::read_to_string(run.path("list.csv")).expect("the list");
    let expected = "reference,phone,amount,command,case\n\
                    CERT-000007-01,254709001001,101.00,BusinessPayment,paid\n";
    assert_eq!(list, expected);
    says(&done, 1, &["1 payment in list.csv", "press Enter when your books are written"]);
}

#[test]
fn whoever_stops_it_gets_no_verdict_and_no_credentials_are_left() {
    let run = Run::new();
    let mut command = Command::new(BINARY);
    command.current_dir(run.dir.path()).args(["certify", "--listen", "127.0.0.1:0"]);
    command.args(["--target", "exec:true", "--books", "books.csv", "--connection", "known.json"]);
    let child = run.begin(command, "");
    let known = run.path("known.json");
    eventually("it says what must be known", || known.exists().then_some(()));
    let secret = fs::metadata(&known).expect("the file").permissions().mode();
    assert_eq!(secret & 0o777, 0o600);
    let pid = child.0.id().to_string();
    assert!(Command::new("kill").args(["-s", "INT", &pid]).status().expect("kill").success());
    says(&run.end(child), 1, &["stopped before the end: there is no verdict"]);
    assert!(!known.exists());
}

#[test]
fn what_is_wrong_on_the_command_line_is_said() {
    let run = Run::new();
    let both = ["--target", "exec:true", "--books", "b.csv"];
    let table: [(&[&str], &str); 8] = [
        (&["--case", "no-such"], "there is no case \"no-such\" over soap"),
        (&["--interface", "rest"], "must be soap, daraja or gateway"),
        (&["--target", "pay.py"], "must be http://HOST:PORT/PATH"),
        (&["--quiet", "soon"], "must be a length of time up to a day"),
        (&["--patience", "2d"], "must be a length of time up to a day"),
        (&["--parallel", "0"], "--parallel must be from 1 to 64"),
        (&["--interface", "gateway", "--listen", "127.0.0.1:0"], "--front ADDR"),
        (&["--interface", "gateway", "--gateway", "http://127.0.0.1:1"], "--config"),
    ];
    for (args, what) in table {
        let mut command = Command::new(BINARY);
        command.current_dir(run.dir.path()).arg("certify").args(both);
        // The last of two wins nowhere: what is given twice is left out here.
        if args[0] == "--target" {
            command = Command::new(BINARY);
            command.args(["certify", "--books", "b.csv"]);
        }
        command.args(args);
        says(&run.finish(command, ""), 2, &[what]);
    }
    let mut command = Command::new(BINARY);
    command.arg("certify");
    says(&run.finish(command, ""), 2, &["--target", "--books"]);
}

#[test]
fn the_list_names_every_case_with_what_mpesa_does() {
    let run = Run::new();
    for interface in ["soap", "daraja", "gateway"] {
        let mut command = Command::new(BINARY);
        command.args(["--json", "certify", "--list", "--interface", interface]);
        let done = run.finish(command, "");
        assert_eq!(done.code, 0, "{}", done.err);
        let all = done.report["data"].as_array().expect("a list");
        assert!(all.len() >= 40, "{interface}: {}", all.len());
    }
}
