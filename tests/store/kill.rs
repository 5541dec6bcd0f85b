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

/// Where a child of the test below finds the store that it is to write.
const CHILD_DIR: &str = "MLANGO_TEST_STORE_DIR";
/// The number of the first payout that it is to write.
const CHILD_FIRST: &str = "MLANGO_TEST_STORE_FIRST";

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
        let Some(words) = line.strip_prefix("acknowledged ") else {
            continue;
        };
        // The last line may have been cut: a number without its version is none.
        if let Some((n, version)) = words.split_once(' ')
            && let (Ok(n), Ok(version)) = (n.parse(), version.parse())
        {
            acknowledged.insert((n, version));
        }
        if seen == after {
            child.kill().expect("a kill");
        }
        seen += 1;
    }
    child.wait().expect("its end");
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_nine_loses_nothing_that_was_acknowledged() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut all = BTreeSet::new();
    for (round, after) in [0, 61, 700, 1_900, 333, 3_000].into_iter().enumerate() {
        let first = round as u64 * 1_000_000;
        let acknowledged = write_and_kill(dir.path(), first, after);
        assert!(acknowledged.len() > after, "the child ended early");
        all.extend(acknowledged);
        let store = open(dir.path());
        for (n, version) in &all {
            let stored = store.payout(payout_id(*n)).await.expect("a read");
            let stored = stored.unwrap_or_else(|| panic!("payout {n} is lost"));
            assert!(stored.version >= *version, "a move of payout {n} is lost");
            let events = store.events_of(payout_id(*n)).await.expect("its events");
            assert_eq!(events.len() as u64, stored.version);
        }
        assert_eq!(faults(&store).await, Vec::<String>::new(), "round {round}");
        store.close().await;
    }
}
