//! `kill -9` while it writes hard loses nothing that was acknowledged.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mlango::domain::payout::Status;
use mlango::store::Store;

use crate::disk::{commit, faults, open};
use crate::make::{moved, payout_id, taken};
use crate::seed::{Chance, rounds, seed};

/// Where a child of the test below finds the store that it is to write.
const CHILD_DIR: &str = "MLANGO_TEST_STORE_DIR";
/// The number of the first payout that it is to write.
const CHILD_FIRST: &str = "MLANGO_TEST_STORE_FIRST";
/// Where the other child finds what was acknowledged: the lines of the first.
const ACKNOWLEDGED: &str = "MLANGO_TEST_STORE_ACKNOWLEDGED";

/// Not a test of its own: the process that is killed. It writes until then.
#[test]
#[ignore = "the child of the kill test"]
fn writes_until_it_is_killed() {
    let Ok(dir) = std::env::var(CHILD_DIR) else {
        return;
    };
    let first: u64 = std::env::var(CHILD_FIRST).expect("a number").parse().expect("a number");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    let store = Arc::new(open(Path::new(&dir)));
    let next = Arc::new(AtomicU64::new(first));
    for _writer in 0..48 {
        let (store, next) = (Arc::clone(&store), Arc::clone(&next));
        runtime.spawn(async move {
            loop {
                let n = next.fetch_add(1, Ordering::SeqCst);
                commit(store.as_ref(), taken(n, n % 3)).await;
                println!("\nacknowledged {n} 1");
                commit(store.as_ref(), moved(n, n % 3, 1, Status::Accepted)).await;
                commit(store.as_ref(), moved(n, n % 3, 2, Status::Succeeded)).await;
                println!("\nacknowledged {n} 3");
            }
        });
    }
    runtime.block_on(std::future::pending::<()>());
}

/// The number of a payout and the version that it had reached, in a line of the child. The last
/// line may have been cut: a number without its version is none.
fn acknowledgement(line: &str) -> Option<(u64, u64)> {
    let (n, version) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
    Some((n.parse().ok()?, version.parse().ok()?))
}

/// Not a test of its own: what `scripts/power-loss.sh` looks with after a power cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of the script"]
async fn everything_acknowledged_is_there() {
    let (Ok(dir), Ok(list)) = (std::env::var(CHILD_DIR), std::env::var(ACKNOWLEDGED)) else {
        return;
    };
    let list = std::fs::read_to_string(list).expect("the list");
    let store = open(Path::new(&dir));
    check(&store, &list.lines().filter_map(acknowledgement).collect()).await;
    store.close().await;
}

/// Everything that was acknowledged is there, and all is sound.
async fn check(store: &dyn Store, acknowledged: &BTreeSet<(u64, u64)>) {
    for (n, version) in acknowledged {
        let stored = store.payout(payout_id(*n)).await.expect("a read");
        let stored = stored.unwrap_or_else(|| panic!("payout {n} is lost"));
        assert!(stored.version >= *version, "a move of payout {n} is lost");
        let events = store.events_of(payout_id(*n).into()).await.expect("its events");
        assert_eq!(events.len() as u64, stored.version);
    }
    assert_eq!(faults(store).await, Vec::<String>::new());
}

/// Starts a child, kills it after so many acknowledgements, and gives all that it gave: each the
/// number of a payout and the version that it had reached.
fn write_and_kill(dir: &Path, first: u64, after: usize) -> BTreeSet<(u64, u64)> {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "kill::writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env(CHILD_DIR, dir)
        .env(CHILD_FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut seen = 0;
    let mut acknowledged = BTreeSet::new();
    for line in lines.map_while(Result::ok) {
        if !line.starts_with("acknowledged ") {
            continue;
        }
        acknowledged.extend(acknowledgement(&line));
        if seen == after {
            child.kill().expect("a kill");
        }
        seen += 1;
    }
    child.wait().expect("its end");
    acknowledged
}

/// After how many acknowledgements each child is killed: six times, or `MLANGO_ROUNDS` times.
fn rounds_of_kills() -> Vec<usize> {
    let mut chance = Chance::of(seed());
    let known = [0, 61, 700, 1_900, 333, 3_000].into_iter();
    let further = std::iter::repeat_with(|| chance.below(3_000) as usize);
    known.chain(further).take(rounds(6) as usize).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut all = BTreeSet::new();
    for (round, after) in rounds_of_kills().into_iter().enumerate() {
        let first = round as u64 * 1_000_000;
        let acknowledged = write_and_kill(dir.path(), first, after);
        assert!(acknowledged.len() > after, "the child ended early");
        all.extend(acknowledged);
        let store = open(dir.path());
        check(&store, &all).await;
        store.close().await;
    }
}
