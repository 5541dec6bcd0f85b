//! `mlango demo`: what a newcomer sees first.

use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::api::{Api, id_of, payout};
use crate::house::House;
use crate::process::Process;
use crate::wire;

/// One demo at a time: each takes the ports that the README speaks of, if it finds them free.
pub fn stage() -> MutexGuard<'static, ()> {
    static STAGE: Mutex<()> = Mutex::new(());
    STAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What becomes of each phone: what the gateway says, and what M-Pesa's ledger says.
const PHONES: [(&str, &str, &str); 9] = [
    ("254722000001", "failed", "not paid"),
    ("254722000002", "failed", "not paid"),
    ("254722000003", "failed", "not paid"),
    ("254722000004", "succeeded", "paid"),
    ("254722000005", "succeeded", "paid"),
    ("254722000006", "succeeded", "paid"),
    ("254722000007", "succeeded", "paid"),
    ("254722000008", "succeeded", "paid"),
    ("254722000009", "failed", "not paid"),
];

#[test]
fn once_shows_what_became_of_each_phone_and_ends_well() {
    let _stage = stage();
    let house = House::new();
    let done = house.run(&["demo", "--once"]);
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
    for (phone, says, ledger) in PHONES {
        let row = done.out.lines().find(|line| line.starts_with(phone)).expect(phone);
        let cells: Vec<&str> =
            row.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
        assert!(cells.contains(&says), "{row}");
        let last = cells.last().copied().unwrap_or_default();
        assert!(last.starts_with(ledger), "{row}");
    }
    let ordinary = done.out.lines().filter(|line| line.contains("an ordinary payout")).count();
    assert!(ordinary >= 2, "{}", done.out);
    let book = "9 succeeded (30710.00), 4 failed (1500.00), 0 unknown (0.00)";
    assert!(done.out.contains(book), "{}", done.out);
    assert!(done.out.contains("9 paid (30710.00)"), "{}", done.out);
    for (story, says, detail) in [
        ("a prompt, answered with the PIN", "succeeded", ""),
        ("a prompt that is cancelled", "failed", "code 1032"),
        ("a prompt that nobody answers", "failed", "code 1037"),
        ("a customer pays by himself", "succeeded", ""),
    ] {
        let row = done.out.lines().find(|line| line.contains(story)).expect(story);
        assert!(row.contains(says) && row.contains(detail), "{row}");
    }
}

#[test]
fn kept_in_a_directory_it_can_be_played_again() {
    let _stage = stage();
    let house = House::new();
    for _ in 0..2 {
        let done = house.run(&["--json", "demo", "--once", "--dir", "kept"]);
        let shown: Value = done.json();
        let rows = shown["data"].as_array().expect("rows");
        assert_eq!(rows.len(), 13);
        assert_eq!(shown["payments"].as_array().map(Vec::len), Some(4), "{shown}");
        for row in rows {
            assert_eq!(row["payout"]["status"], row["expected"], "{row}");
        }
        let lost = rows.iter().find(|row| row["payout"]["phone"] == "254722000009");
        let failure = &lost.expect("the lost one")["payout"]["failure"];
        assert_eq!((&failure["stage"], &failure["code"]), (&"inquiry".into(), &"not_found".into()));
    }
    assert!(house.path("kept/data").is_dir());
}

/// A demo that stays, and a client with its key.
pub fn staying(house: &House, args: &[&str]) -> (Process, Api, u16) {
    let mut demo = house.start(&[&["demo"], args].concat());
    let key = demo.until("it says its key", |demo| {
        let out = demo.out();
        let line = out.lines().find_map(|line| line.strip_prefix("export MLANGO_API_KEY="));
        line.filter(|_| demo.err().contains("M-Pesa's ledger: ")).map(str::to_owned)
    });
    let said = demo.err();
    let port = |word: &str| -> u16 {
        let (_, rest) = said.split_once(word).expect(word);
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().expect("a port")
    };
    let api = Api { port: port("gateway on http://127.0.0.1:"), key };
    (demo, api, port("simulated M-Pesa on http://127.0.0.1:"))
}

#[test]
fn it_stays_up_until_it_is_asked_to_stop() {
    let _stage = stage();
    let house = House::new();
    for (signal, args) in [("INT", ["--dir", "kept"].as_slice()), ("TERM", &[])] {
        let (mut demo, api, _) = staying(&house, args);
        // The line that it prints to be tried is tried.
        let out = demo.out();
        let curl = out.lines().find(|line| line.starts_with("curl ")).expect("a curl line");
        let output = Command::new("bash")
            .args(["-c", curl])
            .env("MLANGO_API_KEY", &api.key)
            .output()
            .expect("bash and curl");
        let taken: Value = serde_json::from_slice(&output.stdout).expect("an answer");
        api.until(id_of(&taken), "succeeded");
        if signal == "INT" {
            let list = out.lines().find(|line| line.contains("payouts list")).expect("a line");
            let args: Vec<&str> = list.split(' ').skip(1).collect();
            let mut command = house.command(&args);
            command.env_clear().env("MLANGO_API_KEY", &api.key);
            let done = house.finish(command, "");
            assert_eq!(done.code, 0, "{}", done.err);
            assert!(done.out.contains("INV-2041"), "{}", done.out);
        }
        // An idle connection, one that was never used, and a payout whose answer never comes.
        let idle = wire::connect(api.port).expect("a connection");
        api.submit("held", &payout("254722000004", "10"));
        demo.signal(signal);
        assert_eq!(demo.end().code(), Some(0), "{}", demo.err());
        drop(idle);
    }
}
