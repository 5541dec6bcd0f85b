//! A disk that is full in the middle of a write: nothing more is acknowledged, the store says so,
//! and with room again every acknowledged record is there.
//!
//! The limit on a file's size (`ulimit -f`) stands for the full disk: where a file would grow
//! beyond it, a write ends in the middle, and the next one fails.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mlango::domain::payout::Status;
use mlango::store::{CommitError, Health, Store};

use crate::disk::{commit, faults, open};
use crate::make::{moved, payout_id, taken};
use crate::seed::{Chance, rounds, seed};

const CHILD_DIR: &str = "MLANGO_TEST_FULL_DIR";
const CHILD_FIRST: &str = "MLANGO_TEST_FULL_FIRST";
/// How often the disk is full, unless `MLANGO_ROUNDS` says so.
const ROUNDS: u64 = 5;
/// How many kilobytes there is room for beyond what the file has: sled grows it by 512 at a time.
const ROOM_MAX: u64 = 900;
/// How long the child may take to find the disk full.
const PATIENCE: Duration = Duration::from_secs(120);

/// Not a test of its own: writes until the store takes nothing more, and says what it says then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the full disk test"]
async fn writes_until_there_is_no_room() {
    let Ok(dir) = std::env::var(CHILD_DIR) else {
        return;
    };
    let first: u64 = std::env::var(CHILD_FIRST).expect("a number").parse().expect("a number");
    let store = open(Path::new(&dir));
    assert_eq!(store.health(), Health::Ready);
    let mut n = first;
    let why = 'full: loop {
        for (version, one) in (1..).zip([taken(n, n % 3), moved(n, n % 3, 1, Status::Accepted)]) {
            match store.commit(one).await {
                Ok(_durable) => println!("\nacknowledged {n} {version}"),
                Err(CommitError::Broken(why)) => break 'full why,
                Err(other) => panic!("not what a full disk is: {other}"),
            }
        }
        n += 1;
    };
    // It takes nothing more, not even what would find room, and says why.
    let again = store.commit(taken(n + 1, 0)).await;
    assert!(matches!(&again, Err(CommitError::Broken(same)) if *same == why), "{again:?}");
    assert!(matches!(store.health(), Health::Failed(same) if same == why));
    // What was acknowledged can still be read.
    assert!(n == first || store.payout(payout_id(first)).await.expect("a read").is_some());
    println!("\nfull {why}");
    // An orderly end, as the program's: it must come to an end.
    store.close().await;
    println!("\nclosed");
}

/// Runs the child with so much room, in kilobytes a file, and gives what it said.
fn write_until_full(dir: &Path, first: u64, room: u64) -> Vec<String> {
    // The shell counts in 512 bytes. The signal is ignored, so that the write fails as on a full
    // disk instead.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", room * 2);
    let mut child = Command::new("sh")
        .args(["-c", &script])
        .arg(std::env::current_exe().expect("this test"))
        .args(["--exact", "full::writes_until_there_is_no_room", "--ignored", "--nocapture"])
        .env(CHILD_DIR, dir)
        .env(CHILD_FIRST, first.to_string())
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let output = child.stdout.take().expect("its output");
    let reading = std::thread::spawn(move || std::io::read_to_string(output).expect("text"));
    let until = Instant::now() + PATIENCE;
    while child.try_wait().expect("a status").is_none() {
        if Instant::now() > until {
            child.kill().expect("a kill");
            panic!("on a full disk it neither goes on nor ends");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let said = reading.join().expect("what it said");
    said.lines().map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_stops_the_store_and_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut chance = Chance::of(seed());
    let mut all = BTreeSet::new();
    for round in 0..rounds(ROUNDS) {
        let taken_up = std::fs::metadata(dir.path().join("db")).map_or(0, |file| file.len());
        let room = taken_up / 1_024 + 32 + chance.below(ROOM_MAX);
        let said = write_until_full(dir.path(), round * 10_000, room);
        let words = |line: &str| {
            let (n, version) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
            Some((n.parse::<u64>().ok()?, version.parse::<u64>().ok()?))
        };
        all.extend(said.iter().filter_map(|line| words(line)));
        let is_opened = said.iter().any(|line| line.starts_with("acknowledged"));
        let full = said.iter().find_map(|line| line.strip_prefix("full "));
        // With hardly any room it does not even open, which is an end, too.
        assert!(full.is_some() || !is_opened, "round {round}: {said:#?}");
        println!("seed {}, {room} KiB: {} acknowledged, {full:?}", seed(), all.len());
        let store = open(dir.path());
        for (n, version) in &all {
            let stored = store.payout(payout_id(*n)).await.expect("a read");
            let stored = stored.unwrap_or_else(|| panic!("payout {n} is lost"));
            assert!(stored.version >= *version, "a move of payout {n} is lost");
        }
        assert_eq!(faults(&store).await, Vec::<String>::new(), "round {round}");
        commit(&store, taken(9_000_000 + round, 0)).await;
        store.close().await;
    }
    assert!(all.len() > 10, "hardly anything was acknowledged: {}", all.len());
}
