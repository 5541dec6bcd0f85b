//! What the store on a disk owes beyond the suite: nothing is answered before it is synced, a failed
//! disk is never trusted again, damage is named, and `kill -9` loses nothing.

#![expect(
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "a test"
)]

#[path = "store/make.rs"]
mod make;

use std::collections::BTreeSet;
use std::fs::File;
use std::future::Future;
use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use make::{app, at, case, claim, message, message_id, moved, payout, payout_id, taken, write};
use mlango::domain::payout::Status;
use mlango::store::sled::{Options, SledStore, SyncData};
use mlango::store::{
    Commit, CommitError, Durable, Health, PAGE_SCAN_MAX, PayoutQuery, QUEUE_LEN_MAX, Store,
    StoreError,
};

fn open(dir: &Path) -> SledStore {
    SledStore::open(dir, Options::default()).expect("a store")
}

fn open_by(dir: &Path, sync: SyncData) -> SledStore {
    SledStore::open_syncing_by(dir, Options::default(), sync).expect("a store")
}

async fn commit(store: &dyn Store, commit: Commit) {
    let _durable = store.commit(commit).await.expect("a commit");
}

async fn faults(store: &dyn Store) -> Vec<String> {
    store.verify().await.expect("a verification").faults
}

/// A disk whose syncs wait at a gate: each says that it has come, and waits to be let through.
struct Gate {
    came: Receiver<()>,
    let_through: Sender<io::Result<()>>,
}

fn gated() -> (Gate, SyncData) {
    let (come, came) = channel();
    let (let_through, may_go) = channel::<io::Result<()>>();
    let may_go = Mutex::new(may_go);
    let sync = move |file: &File| {
        come.send(()).expect("the test waits");
        may_go
            .lock()
            .expect("a lock")
            .recv()
            .expect("the test lives")?;
        file.sync_data()
    };
    (Gate { came, let_through }, Box::new(sync))
}

/// Polls once: where the answer is there already, it is seen.
fn peek<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    std::pin::Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_answered_or_announced_before_it_is_synced() {
    let dir = tempfile::tempdir().expect("a directory");
    let (gate, sync) = gated();
    let store = open_by(dir.path(), sync);
    let mut waiting = store.commit(taken(1, 0));
    assert!(peek(&mut waiting).is_pending());
    gate.came.recv().expect("the writer came to its sync");
    // It is written and flushed now, and the sync has not returned.
    assert!(
        peek(&mut waiting).is_pending(),
        "answered before it was synced"
    );
    assert_eq!(store.events(0, 10).await.expect("the feed"), []);
    assert_eq!(store.counts().of(Status::Queued), 0);
    gate.let_through.send(Ok(())).expect("the writer waits");
    let _durable = waiting.await.expect("a commit");
    assert_eq!(store.events(0, 10).await.expect("the feed").len(), 1);
    assert_eq!(store.counts().of(Status::Queued), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_pushes_back_and_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let (gate, sync) = gated();
    let store = open_by(dir.path(), sync);
    let mut first = store.commit(taken(0, 0));
    assert!(peek(&mut first).is_pending());
    gate.came.recv().expect("the writer came to its sync");
    // The writer is busy; so many more may wait.
    let mut waiting: Vec<_> = (1..=QUEUE_LEN_MAX as u64)
        .map(|n| store.commit(taken(n, 0)))
        .collect();
    for one in &mut waiting {
        assert!(peek(one).is_pending());
    }
    let refused = store.commit(taken(9_999, 0)).await;
    assert!(matches!(refused, Err(CommitError::Full)), "{refused:?}");
    for _group in 0..=QUEUE_LEN_MAX {
        // More than there can be groups; what is left over lies unread.
        gate.let_through.send(Ok(())).expect("the writer lives");
    }
    let _durable = first.await.expect("a commit");
    for one in waiting {
        let _durable = one.await.expect("a commit");
    }
    assert_eq!(store.counts().of(Status::Queued), QUEUE_LEN_MAX as u64 + 1);
    assert_eq!(store.payout(payout_id(9_999)).await.expect("a read"), None);
    commit(&store, taken(9_999, 0)).await;
    assert_eq!(faults(&store).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_wait_share_one_sync() {
    let dir = tempfile::tempdir().expect("a directory");
    let (gate, sync) = gated();
    let store = open_by(dir.path(), sync);
    let mut first = store.commit(taken(0, 0));
    assert!(peek(&mut first).is_pending());
    gate.came.recv().expect("the writer came to its sync");
    let mut waiting: Vec<_> = (1..=100).map(|n| store.commit(taken(n, 0))).collect();
    for one in &mut waiting {
        assert!(peek(one).is_pending());
    }
    for _sync in 0..2 {
        gate.let_through.send(Ok(())).expect("the writer waits");
    }
    for one in waiting {
        // Two syncs were let through: had they not shared one, some would wait for ever.
        let _durable = one.await.expect("a commit");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_sync_nothing_is_taken_until_it_is_opened_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let (gate, sync) = gated();
    let store = open_by(dir.path(), sync);
    gate.let_through.send(Ok(())).expect("the writer waits");
    commit(&store, taken(0, 0)).await;
    gate.came.recv().expect("the first sync");
    let mut first = store.commit(taken(1, 0));
    assert!(peek(&mut first).is_pending());
    gate.came.recv().expect("the writer came to its sync");
    let mut second = store.commit(taken(2, 0));
    assert!(peek(&mut second).is_pending());
    let error = io::Error::other("the disk is gone");
    gate.let_through.send(Err(error)).expect("the writer waits");
    let broken = |verdict: Result<Durable, CommitError>| match verdict {
        Err(CommitError::Broken(why)) => assert!(why.contains("the disk is gone"), "{why}"),
        other => panic!("it must be broken: {other:?}"),
    };
    broken(first.await);
    broken(second.await);
    broken(store.commit(taken(3, 0)).await);
    assert!(matches!(store.health(), Health::Failed(why) if why.contains("the disk is gone")));
    // What was acknowledged can still be read, and nobody tried to sync again.
    assert!(store.payout(payout_id(0)).await.expect("a read").is_some());
    assert_eq!(store.counts().of(Status::Queued), 1);
    assert!(
        gate.came.try_recv().is_err(),
        "it synced again after a failure"
    );
    store.close().await;
    assert!(matches!(store.health(), Health::Failed(_)));

    let store = open(dir.path());
    assert_eq!(store.health(), Health::Ready);
    assert!(store.payout(payout_id(0)).await.expect("a read").is_some());
    assert_eq!(faults(&store).await, Vec::<String>::new());
    // The one in doubt may be there or not; it is not there in part.
    let first = store.payout(payout_id(1)).await.expect("a read");
    let again = store.commit(taken(1, 0)).await;
    match first {
        Some(_) => assert!(matches!(again, Err(CommitError::Claimed(_))), "{again:?}"),
        None => assert!(again.is_ok(), "{again:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_follows_a_sync_of_its_own_or_a_shared_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let syncs = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&syncs);
    let sync = move |file: &File| {
        file.sync_data()?;
        counted.fetch_add(1, Ordering::SeqCst);
        Ok(())
    };
    let store = open_by(dir.path(), Box::new(sync));
    for n in 0..50 {
        let before = syncs.load(Ordering::SeqCst);
        commit(&store, taken(n, 0)).await;
        assert!(
            syncs.load(Ordering::SeqCst) > before,
            "commit {n} was answered unsynced"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_use_says_so_and_is_free_once_closed() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    commit(&store, taken(1, 0)).await;
    match SledStore::open(dir.path(), Options::default()) {
        Err(StoreError::InUse(says)) => {
            assert!(says.contains("in use by another process"), "{says}");
            assert!(says.contains(&dir.path().display().to_string()), "{says}");
        }
        other => panic!("it must be in use: {other:?}"),
    }
    for _round in 0..5 {
        let store = {
            store.close().await;
            open(dir.path())
        };
        assert!(store.payout(payout_id(1)).await.expect("a read").is_some());
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_written_snapshot_does_not_stand_in_the_way() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    commit(&store, taken(1, 0)).await;
    store.close().await;
    let half = dir.path().join("snap.0000000000001234.generating");
    std::fs::write(&half, b"half a snap").expect("a file");
    let store = open(dir.path());
    assert!(!half.exists());
    assert!(store.payout(payout_id(1)).await.expect("a read").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_its_owner_can_look_into_the_directory() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().expect("a directory");
    let inside = dir.path().join("deep").join("data");
    let store = open(&inside);
    let mode = std::fs::metadata(&inside)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(format!("{store:?}"), "SledStore");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_looks_at_so_many_entries_and_no_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path());
    let total = PAGE_SCAN_MAX as u64 + 50;
    let batch = make::batch_id(1);
    let of_batch = |n| {
        let mut payout = payout(n, 0);
        payout.details.batch = Some(batch);
        payout
    };
    // One commit of this length is one group: it is written whole or not at all.
    let payouts = (0..total)
        .map(|n| {
            let payout = of_batch(n);
            if n < 3 || n >= total - 3 {
                write(at(payout, n, Status::Cancelled), 0)
            } else {
                write(payout, 0)
            }
        })
        .collect();
    commit(
        &store,
        Commit {
            payouts,
            ..Commit::default()
        },
    )
    .await;
    for descending in [false, true] {
        let mut query = PayoutQuery {
            batch: Some(batch),
            status: Some(Status::Cancelled),
            descending,
            ..PayoutQuery::all(10)
        };
        let first = store.payouts(&query).await.expect("a page");
        assert_eq!(first.rows.len(), 3);
        query.after = first.next;
        assert!(
            query.after.is_some(),
            "the page ended as if there were no more"
        );
        let second = store.payouts(&query).await.expect("a page");
        assert_eq!((second.rows.len(), second.next), (3, None));
    }
    assert_eq!(faults(&store).await, Vec::<String>::new());
}

/// A store with something of every kind in it, closed.
async fn filled(dir: &Path) {
    let store = open(dir);
    for n in 0..60 {
        let mut commit_one = taken(n, n % 2);
        commit_one.cases = vec![case(n)];
        commit_one.apps = vec![app(n)];
        commit(&store, commit_one).await;
        commit(&store, moved(n, n % 2, 1, Status::Accepted)).await;
        commit(&store, moved(n, n % 2, 2, Status::Succeeded)).await;
    }
    let long = Commit {
        messages: vec![message(
            500,
            (0..30_000_u32).map(|n| (n * n >> 5) as u8).collect(),
        )],
        ..Commit::default()
    };
    commit(&store, long).await;
    assert_eq!(faults(&store).await, Vec::<String>::new());
    store.close().await;
}

/// Changes what stands on the disk, past the store.
fn tamper(dir: &Path, change: impl FnOnce(&sled::Db)) {
    let db = sled::Config::new().path(dir).open().expect("sled");
    change(&db);
    db.flush().expect("a flush");
}

fn is_damaged<T: std::fmt::Debug>(read: Result<T, StoreError>) -> String {
    match read {
        Err(StoreError::Damaged(says)) => says,
        other => panic!("it was read in silence: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_byte_is_named_and_never_read() {
    // Every kind of record, by the letter of its key.
    for letter in *b"acekmpvz!ABFNRS" {
        let dir = tempfile::tempdir().expect("a directory");
        filled(dir.path()).await;
        tamper(dir.path(), |db| {
            let entries: Vec<_> = db
                .scan_prefix([letter])
                .map(|it| it.expect("an entry"))
                .collect();
            assert!(!entries.is_empty(), "{}", char::from(letter));
            for (key, value) in entries {
                let mut value = value.to_vec();
                let middle = value.len() / 2;
                value[middle] ^= 1;
                db.insert(key, value).expect("an insert");
            }
        });
        let opened = SledStore::open(dir.path(), Options::default());
        if letter == b'!' || letter == b'A' {
            // What is read at the start is missed at the start.
            is_damaged(opened);
            continue;
        }
        let store = opened.expect("a store");
        let all = PayoutQuery::all(10);
        let says = match letter {
            b'p' => {
                is_damaged(store.payouts(&all).await);
                is_damaged(store.payout(payout_id(7)).await)
            }
            b'e' => {
                is_damaged(store.events_of(payout_id(7)).await);
                is_damaged(store.events(0, 10).await)
            }
            b'm' => is_damaged(store.message(message_id(1_000_007)).await),
            b'z' => is_damaged(store.message(message_id(500)).await),
            b'a' => is_damaged(store.apps().await),
            b'c' => is_damaged(store.cases(None, 5).await),
            b'v' => is_damaged(store.payout_by_conversation(&make::conversation(7)).await),
            b'S' => {
                let status = Some(Status::Succeeded);
                is_damaged(store.payouts(&PayoutQuery { status, ..all }).await)
            }
            b'B' => {
                let batch = Some(make::batch_id(1));
                is_damaged(store.payouts(&PayoutQuery { batch, ..all }).await)
            }
            b'F' => {
                let phone = Some(payout(3, 0).details.phone);
                is_damaged(store.payouts(&PayoutQuery { phone, ..all }).await)
            }
            b'N' => {
                let reference = Some(make::reference(1));
                is_damaged(store.payouts(&PayoutQuery { reference, ..all }).await)
            }
            b'R' => {
                let receipt = Some(make::receipt(7));
                is_damaged(store.payouts(&PayoutQuery { receipt, ..all }).await)
            }
            _ => {
                // A key that cannot be read may have been used: no commit that asks is taken.
                let asks = Commit {
                    claims: vec![claim(0, "key 7", 7)],
                    ..Commit::default()
                };
                match store.commit(asks).await {
                    Err(CommitError::Broken(why)) => why,
                    other => panic!("a payout might be made twice: {other:?}"),
                }
            }
        };
        assert!(says.contains("checksum"), "{}: {says}", char::from(letter));
        let found = faults(&store).await;
        assert!(!found.is_empty(), "{}: nothing found", char::from(letter));
        assert!(found.len() <= 100);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_missing_or_left_over_is_found() {
    let table = [
        // What is taken away, and what is said of it.
        (b'S', "is missing in the index by status"),
        (b'A', "is missing in the index by application"),
        (b'F', "is missing in the index by phone"),
        (b'N', "is missing in the index by reference"),
        (b'B', "is missing in the index by batch"),
        (b'R', "is missing in the index by receipt"),
        (b'v', "cannot be found by its conversation"),
        (b'e', "events are missing before"),
        (b'p', "an index has entries that no payout has"),
        (b'p', "the counts do not agree"),
        (b'z', "a piece is missing"),
        (b'm', "there are pieces of no record"),
        (b'm', "records of the kind \"message\""),
        (b'k', "records of the kind \"idempotency key\""),
        (b'c', "records of the kind \"case\""),
        (b'a', "records of the kind \"application\""),
        (b'v', "records of the kind \"conversation\""),
    ];
    for (letter, due) in table {
        let dir = tempfile::tempdir().expect("a directory");
        filled(dir.path()).await;
        tamper(dir.path(), |db| {
            let entries = db.scan_prefix([letter]).keys();
            let keys: Vec<_> = entries.map(|it| it.expect("a key")).collect();
            let gone = usize::from(letter == b'e');
            db.remove(&keys[gone]).expect("a removal");
        });
        let store = open(dir.path());
        let found = faults(&store).await;
        let is_found = found.iter().any(|fault| fault.contains(due));
        assert!(is_found, "{}: {found:#?}", char::from(letter));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_in_anothers_place_is_found() {
    for letter in *b"empkS" {
        let dir = tempfile::tempdir().expect("a directory");
        filled(dir.path()).await;
        tamper(dir.path(), |db| {
            let mut entries = db.scan_prefix([letter]).map(|it| it.expect("an entry"));
            let (_first, right) = entries.next().expect("a block");
            let (second, _wrong) = entries.next().expect("a second block");
            db.insert(second, right).expect("an insert");
        });
        let store = open(dir.path());
        let found = faults(&store).await;
        let is_found = found.iter().any(|fault| fault.contains("wrong block"));
        assert!(is_found, "{}: {found:#?}", char::from(letter));
    }
}

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
    let first: u64 = std::env::var(CHILD_FIRST)
        .expect("a number")
        .parse()
        .expect("a number");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    let store = Arc::new(open(Path::new(&dir)));
    let next = Arc::new(AtomicU64::new(first));
    let writers: Vec<_> = (0..48)
        .map(|_writer| {
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
            })
        })
        .collect();
    runtime.block_on(async {
        for writer in writers {
            writer.await.expect("it never ends");
        }
    });
}

/// Starts a child, kills it after so many acknowledgements, and gives all that it gave: each the
/// number of a payout and the version that it had reached.
fn write_and_kill(dir: &Path, first: u64, after: usize) -> BTreeSet<(u64, u64)> {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "writes_until_it_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(CHILD_DIR, dir)
        .env(CHILD_FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let seen = AtomicUsize::new(0);
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
        if seen.fetch_add(1, Ordering::SeqCst) == after {
            child.kill().expect("a kill");
        }
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
