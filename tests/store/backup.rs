//! A back-up of a store that is written meanwhile is the book as it stood at one moment, and the
//! store made of it stands where the store in memory stands after the same commits.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use mlango::domain::payout::Status;
use mlango::store::backup::{Backup, BackupError, LastBackup, Manifest, Order, Progress};
use mlango::store::memory::MemoryStore;
use mlango::store::sled::{Options, Restoring, SledStore};
use mlango::store::{Commit, Health, Store};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use crate::bench::Bench;
use crate::disk::{commit, faults, open};
use crate::make::{message, moved, payout_id, taken, time};
use crate::oracle;
use crate::seed::Chance;

crate::on_every_store!(a_back_up_is_whole_or_refused_with_a_sentence);

pub fn order(dir: &Path) -> Order {
    Order { dir: dir.to_owned(), at: time(7), is_kept: true }
}

pub async fn back_up(store: &dyn Store, dir: &Path) -> Result<Manifest, BackupError> {
    store.backup(order(dir), Arc::default()).await
}

pub async fn restore(from: &Path, dir: &Path) -> Result<Restoring, BackupError> {
    let (from, dir) = (from.to_owned(), dir.to_owned());
    Restoring::begin(from, dir, Options::default(), Arc::default()).await
}

/// Several megabytes that cannot be packed, so that reading takes many steps.
pub async fn fill(store: &dyn Store, messages: u64) {
    let mut chance = Chance::of(9);
    for first in (0..messages).step_by(50) {
        let body = |_: u64| (0..4_000).map(|_| chance.next() as u8).collect::<Vec<u8>>();
        let bodies: Vec<_> = (0..50).map(body).collect();
        let messages = bodies.into_iter().zip(first..).map(|(body, n)| message(5_000 + n, body));
        commit(store, Commit { messages: messages.collect(), ..Commit::default() }).await;
    }
}

async fn a_back_up_is_whole_or_refused_with_a_sentence(bench: Bench) {
    let place = tempfile::tempdir().expect("a directory");
    let dir = place.path().join("deep/er/b");
    bench.commit(taken(1, 0)).await;
    assert_eq!(bench.store.last_backup(), None);
    match back_up(&*bench.store, &dir).await {
        Ok(manifest) => {
            assert_eq!((manifest.payouts, manifest.last_event), (1, 1));
            assert_eq!(Backup::open(&dir).expect("a back-up").manifest(), &manifest);
            let last = LastBackup { at: time(7).rfc3339(), dir: dir.clone() };
            assert_eq!(bench.store.last_backup(), Some(last));
        }
        Err(error) => {
            assert!(matches!(error, BackupError::Refused(_)), "{error:?}");
            assert!(error.to_string().contains("in memory"), "{error}");
            assert!(!dir.exists());
        }
    }
    bench.commit(taken(2, 0)).await;
    bench.is_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_its_owner_reads_it_and_nothing_is_written_over() {
    let place = tempfile::tempdir().expect("a directory");
    let store = open(&place.path().join("store"));
    commit(&store, taken(1, 0)).await;
    let dir = place.path().join("b");
    fs::create_dir(&dir).expect("an empty directory will do");
    back_up(&store, &dir).await.expect("a back-up");
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(&dir).expect("a directory") {
        let entry = entry.expect("an entry");
        assert_eq!(mode(&entry.path()), 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().expect("a name"));
    }
    names.sort();
    assert_eq!(names, ["SHA256SUMS", "base", "changes", "manifest.json"]);

    let again = back_up(&store, &dir).await.expect_err("it is not empty");
    assert!(again.to_string().contains("is not empty"), "{again}");
    // What stands in the way and is not of our making stays.
    let other = place.path().join("c");
    fs::create_dir(place.path().join("c.part")).expect("a directory");
    fs::write(place.path().join("c.part/letter"), "mine").expect("a file");
    let refused = back_up(&store, &other).await.expect_err("it is in the way");
    assert!(refused.to_string().contains("\"letter\""), "{refused}");
    assert!(place.path().join("c.part/letter").exists());
    // One that is only looked at is not the last.
    let passing = Order { is_kept: false, at: time(8), ..order(&place.path().join("d")) };
    store.backup(passing, Arc::default()).await.expect("a back-up");
    assert_eq!(store.last_backup().map(|last| last.dir), Some(dir.clone()));

    // A restored store takes no place that is taken.
    let taken_place = place.path().join("store");
    let refused = restore(&dir, &taken_place).await.expect_err("there is a store");
    assert!(refused.to_string().contains("already"), "{refused}");
    let fresh = place.path().join("fresh");
    // What a restore left behind that was killed is in nobody's way; one that is at work is.
    fs::create_dir(place.path().join("fresh.restoring")).expect("a directory");
    fs::write(place.path().join("fresh.restoring/db"), "half").expect("a file");
    let restoring = restore(&dir, &fresh).await.expect("a store");
    assert!(!fresh.exists(), "it has no name before it is whole");
    let second = restore(&dir, &fresh).await.expect_err("one is at work");
    assert!(second.to_string().contains("another process is at work"), "{second}");
    restoring.finish().await.expect("its name");
    let restored = open(&fresh);
    assert!(restored.payout(payout_id(1)).await.expect("a read").is_some());
    assert_eq!(restored.last_backup(), None);
    assert!(fs::read_dir(place.path()).expect("a directory").all(|entry| {
        !entry.expect("an entry").file_name().to_string_lossy().ends_with(".restoring")
    }));
}

/// Sequences of things to write, the same every time.
fn sequences(many: usize) -> Vec<Vec<oracle::Op>> {
    let mut runner = TestRunner::deterministic();
    let one = proptest::collection::vec(oracle::op(), 1..5);
    (0..many).map(|_| one.new_tree(&mut runner).expect("a value").current()).collect()
}

/// Commits, one after the other, until told to end; gives those that were taken.
async fn write_until(
    store: Arc<SledStore>,
    end: Arc<AtomicBool>,
    all: Vec<Vec<oracle::Op>>,
) -> Vec<Vec<oracle::Op>> {
    let mut written = Vec::new();
    for ops in all.iter().cycle() {
        if end.load(Ordering::SeqCst) {
            break;
        }
        if store.commit(oracle::commit(ops)).await.is_ok() {
            written.push(ops.clone());
        }
    }
    written
}

/// The property: after any number of commits, one of which each group of writes held, the store
/// that is made of the back-up stands exactly where the store in memory stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_back_up_is_the_book_as_it_stood_at_one_moment() {
    let place = tempfile::tempdir().expect("a directory");
    let mut while_it_was_made = 0;
    let all = sequences(2_000);
    for round in 0..3 {
        let store = Arc::new(open(&place.path().join(format!("store-{round}"))));
        fill(&*store, 2_000).await;
        let filled = 2_000 / 50;
        let end = Arc::new(AtomicBool::new(false));
        let mut all = all.clone();
        all.rotate_left(round * 50);
        let writing = tokio::spawn(write_until(Arc::clone(&store), Arc::clone(&end), all));
        let dir = place.path().join(format!("b-{round}"));
        let manifest = back_up(&*store, &dir).await.expect("a back-up");
        end.store(true, Ordering::SeqCst);
        let written = writing.await.expect("the writer");

        // The store goes on, and lost nothing by it.
        assert_eq!(faults_of(&*store).await, Vec::<String>::new());
        let within = manifest.group - filled;
        println!("{within} of {} commits are in it; {manifest:?}", written.len());
        while_it_was_made += manifest.files[1].entries;
        let memory = MemoryStore::new();
        for ops in written.iter().take(within as usize) {
            commit(&memory, oracle::commit(ops)).await;
        }
        let fresh = place.path().join(format!("fresh-{round}"));
        let restoring = restore(&dir, &fresh).await.expect("a store");
        assert_eq!(without_ids(restoring.found().faults.clone()), Vec::<String>::new());
        oracle::compare(&memory, restoring.store()).await.expect("the same book");
    }
    assert!(while_it_was_made > 50, "hardly anything was written meanwhile: {while_it_was_made}");
}

/// The events made by `oracle` have few ids.
fn without_ids(faults: Vec<String>) -> Vec<String> {
    faults.into_iter().filter(|fault| !fault.contains("stands twice")).collect()
}

async fn faults_of(store: &dyn Store) -> Vec<String> {
    without_ids(faults(store).await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn with_many_writers_what_was_acknowledged_before_is_in_it_and_all_is_sound() {
    let place = tempfile::tempdir().expect("a directory");
    let store = Arc::new(open(&place.path().join("store")));
    fill(&*store, 1_000).await;
    let (next, end) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut writers = Vec::new();
    for _ in 0..16 {
        let (store, next, end) = (Arc::clone(&store), Arc::clone(&next), Arc::clone(&end));
        writers.push(tokio::spawn(async move {
            let mut done = Vec::new();
            while !end.load(Ordering::SeqCst) {
                let n = next.fetch_add(1, Ordering::SeqCst);
                commit(&*store, taken(n, n % 3)).await;
                commit(&*store, moved(n, n % 3, 1, Status::Accepted)).await;
                done.push(n);
            }
            done
        }));
    }
    let mut last: Option<(PathBuf, u64)> = None;
    for round in 0..3 {
        let before = store.counts();
        let due: u64 = Status::ALL.iter().map(|status| before.of(*status)).sum();
        let dir = place.path().join(format!("b-{round}"));
        let manifest = back_up(&*store, &dir).await.expect("a back-up");
        assert!(manifest.payouts >= due, "{} of {due} are in it", manifest.payouts);
        last = Some((dir, due));
    }
    end.store(true, Ordering::SeqCst);
    for writer in writers {
        assert!(!writer.await.expect("a writer").is_empty());
    }
    let (dir, due) = last.expect("a back-up");
    let restoring = restore(&dir, &place.path().join("fresh")).await.expect("a store");
    assert_eq!(restoring.found().faults, Vec::<String>::new());
    assert!(restoring.found().payouts >= due);
    assert_eq!(faults(&*store).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn there_is_one_at_a_time_and_it_can_be_stopped() {
    let place = tempfile::tempdir().expect("a directory");
    let store = Arc::new(open(&place.path().join("store")));
    fill(&*store, 2_000).await;
    let (one, two) = (place.path().join("one"), place.path().join("two"));
    let progress = Arc::<Progress>::default();
    let (known, copied) = (Arc::clone(&progress), Arc::clone(&store));
    let asked = order(&one);
    let first = tokio::spawn(async move { copied.backup(asked, known).await });
    while progress.bytes() == 0 {
        tokio::task::yield_now().await;
    }
    let second = back_up(&*store, &two).await;
    progress.stop();
    match first.await.expect("an end") {
        // It was under way for as long as the second was asked for.
        Err(stopped) => {
            assert!(stopped.to_string().contains("stopped"), "{stopped}");
            assert!(!one.exists() && !place.path().join("one.part").exists());
            assert_eq!(second, Err(BackupError::Running));
        }
        // It was faster than we could ask: then the second was made, too, or came too early.
        Ok(_manifest) => assert!(matches!(second, Ok(_) | Err(BackupError::Running))),
    }
    // Whoever no longer waits stops it, too.
    let dropped = place.path().join("dropped");
    let waiting = store.backup(order(&dropped), Arc::default());
    drop(waiting);
    let third = place.path().join("three");
    back_up(&*store, &third).await.expect("its place is free again");
    assert!(!dropped.exists());
    commit(&*store, taken(1, 0)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_or_closes_meanwhile_leaves_no_back_up() {
    for is_failing in [true, false] {
        let place = tempfile::tempdir().expect("a directory");
        let fails = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&fails);
        let sync = Box::new(move |file: &fs::File| {
            if told.load(Ordering::SeqCst) {
                return Err(io::Error::other("the disk is gone"));
            }
            file.sync_data()
        });
        let dir = place.path().join("store");
        let store = SledStore::open_syncing_by(&dir, Options::default(), sync).expect("a store");
        let store = Arc::new(store);
        fill(&*store, 2_000).await;
        let progress = Arc::<Progress>::default();
        let (known, copied) = (Arc::clone(&progress), Arc::clone(&store));
        let asked = order(&place.path().join("b"));
        let making = tokio::spawn(async move { copied.backup(asked, known).await });
        while progress.bytes() == 0 {
            tokio::task::yield_now().await;
        }
        if is_failing {
            fails.store(true, Ordering::SeqCst);
            assert!(store.commit(taken(1, 0)).await.is_err());
            assert!(matches!(store.health(), Health::Failed(_)));
        } else {
            store.close().await;
        }
        let made = making.await.expect("an end");
        // If it was faster than the failure, it is whole.
        if let Err(error) = &made {
            let says = if is_failing { "the store failed" } else { "closed" };
            assert!(error.to_string().contains(says), "{error}");
        }
        assert_eq!(place.path().join("b").exists(), made.is_ok());
        assert!(!place.path().join("b.part").exists());
    }
}

/// Not a test: prints how long commits take while back-ups are made, and while none is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it measures, and proves nothing"]
async fn how_long_commits_take_meanwhile() {
    let place = tempfile::tempdir().expect("a directory");
    let store = Arc::new(open(&place.path().join("store")));
    fill(&*store, 10_000).await;
    let mut first = 0;
    for is_backed_up in [false, true, false, true] {
        let end = Arc::new(AtomicBool::new(false));
        let (copied, ended, dir) = (Arc::clone(&store), Arc::clone(&end), place.path().join("b"));
        let copying = tokio::spawn(async move {
            let mut made = 0;
            while is_backed_up && !ended.load(Ordering::SeqCst) {
                back_up(&*copied, &dir).await.expect("a back-up");
                fs::remove_dir_all(&dir).expect("removed");
                made += 1;
            }
            made
        });
        let writers: Vec<_> = (0..16)
            .map(|writer| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    let mut took = Vec::new();
                    for n in 0..100 {
                        let begun = std::time::Instant::now();
                        commit(&*store, taken(first + writer * 1_000 + n, 0)).await;
                        took.push(begun.elapsed().as_micros());
                    }
                    took
                })
            })
            .collect();
        let begun = std::time::Instant::now();
        let mut took = Vec::new();
        for writer in writers {
            took.extend(writer.await.expect("a writer"));
        }
        let rate = took.len() as u128 * 1_000 / begun.elapsed().as_millis();
        end.store(true, Ordering::SeqCst);
        let made = copying.await.expect("an end");
        took.sort_unstable();
        let (p50, p99) = (took[took.len() / 2], took[took.len() * 99 / 100]);
        println!("{made} back-ups: {rate} commits a second, p50 {p50} us, p99 {p99} us");
        first += 1_000_000;
    }
}
