//! Nothing is answered before it is synced, and a failed disk is never trusted again.

use std::fs::File;
use std::future::Future;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mlango::domain::payout::Status;
use mlango::store::sled::{Options, SledStore, SyncData};
use mlango::store::{
    Commit, CommitError, Durable, Health, PAGE_SCAN_MAX, PayoutQuery, QUEUE_LEN_MAX, Store,
    StoreError,
};

use crate::make::{self, at, payout, payout_id, taken, write};

pub fn open(dir: &Path) -> SledStore {
    SledStore::open(dir, Options::default()).expect("a store")
}

fn open_by(dir: &Path, sync: SyncData) -> SledStore {
    SledStore::open_syncing_by(dir, Options::default(), sync).expect("a store")
}

pub async fn commit(store: &dyn Store, commit: Commit) {
    let _durable = store.commit(commit).await.expect("a commit");
}

pub async fn faults(store: &dyn Store) -> Vec<String> {
    store.verify().await.expect("a verification").faults
}

/// How long a test waits for what must come, before it fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(20);

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
        may_go.lock().expect("a lock").recv().expect("the test lives")?;
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
    gate.came.recv_timeout(PATIENCE).expect("the writer came to its sync");
    // It is written and flushed now, and the sync has not returned.
    assert!(peek(&mut waiting).is_pending(), "answered before it was synced");
    assert_eq!(store.events(0, 10).await.expect("the feed"), []);
    assert_eq!(store.counts().of(Status::Queued), 0);
    gate.let_through.send(Ok(())).expect("the writer waits");
    let _durable = waiting.await.expect("a commit");
    assert_eq!(store.events(0, 10).await.expect("the feed").len(), 1);
    assert_eq!(store.counts().of(Status::Queued), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_payout_is_shown_before_it_is_synced() {
    let dir = tempfile::tempdir().expect("a directory");
    let (gate, sync) = gated();
    let store = open_by(dir.path(), sync);
    let mut waiting = store.commit(taken(1, 0));
    assert!(peek(&mut waiting).is_pending());
    gate.came.recv_timeout(PATIENCE).expect("the writer came to its sync");
    let mut reading = store.payout(payout_id(1));
    assert!(peek(&mut reading).is_pending(), "shown before it was synced");
    let mut history = store.events_of(payout_id(1).into());
    assert!(peek(&mut history).is_pending());
    gate.let_through.send(Ok(())).expect("the writer waits");
    let found = reading.await.expect("a read").expect("the payout");
    let history = history.await.expect("a read");
    let seqs: Vec<_> = history.iter().map(|event| Some(event.seq)).collect();
    assert_eq!(seqs, [found.last_event], "what is shown has its event");
    let _durable = waiting.await.expect("a commit");

    // Whether this one is on the disk, nobody can say: so it is not shown as if it were.
    let mut waiting = store.commit(taken(2, 0));
    assert!(peek(&mut waiting).is_pending());
    gate.came.recv_timeout(PATIENCE).expect("the writer came to its sync");
    let mut reading = store.payout(payout_id(2));
    assert!(peek(&mut reading).is_pending());
    gate.let_through.send(Err(io::Error::other("gone"))).expect("the writer waits");
    let broken = reading.await;
    assert!(matches!(broken, Err(StoreError::Failed(_))), "{broken:?}");
    assert!(matches!(waiting.await, Err(CommitError::Broken(_))));
    assert!(store.payout(payout_id(1)).await.expect("a read").is_some(), "the first is as it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_pushes_back_and_loses_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let (gate, sync) = gated();
    let store = open_by(dir.path(), sync);
    let mut first = store.commit(taken(0, 0));
    assert!(peek(&mut first).is_pending());
    gate.came.recv_timeout(PATIENCE).expect("the writer came to its sync");
    // The writer is busy; so many more may wait.
    let mut waiting: Vec<_> =
        (1..=QUEUE_LEN_MAX as u64).map(|n| store.commit(taken(n, 0))).collect();
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
    gate.came.recv_timeout(PATIENCE).expect("the writer came to its sync");
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
    gate.came.recv_timeout(PATIENCE).expect("the first sync");
    let mut first = store.commit(taken(1, 0));
    assert!(peek(&mut first).is_pending());
    gate.came.recv_timeout(PATIENCE).expect("the writer came to its sync");
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
    assert!(gate.came.try_recv().is_err(), "it synced again after a failure");
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
        assert!(syncs.load(Ordering::SeqCst) > before, "commit {n} was answered unsynced");
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
    let mode = std::fs::metadata(&inside).expect("it is there").permissions().mode();
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
    commit(&store, Commit { payouts, ..Commit::default() }).await;
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
        assert!(query.after.is_some(), "the page ended as if there were no more");
        let second = store.payouts(&query).await.expect("a page");
        assert_eq!((second.rows.len(), second.next), (3, None));
    }
    assert_eq!(faults(&store).await, Vec::<String>::new());
}
