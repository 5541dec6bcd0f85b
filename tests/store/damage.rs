//! What is damaged on the disk is named, and never read in silence.

use std::path::Path;

use mlango::domain::payout::Status;
use mlango::store::sled::{Options, SledStore};
use mlango::store::{CaseQuery, Commit, CommitError, PayoutQuery, Store, StoreError};

use crate::disk::{commit, faults, open};
use crate::make::{
    self, app, app_id, case, case_id, claim, message, message_id, moved, payout, payout_id, rail,
    taken,
};

/// A store with something of every kind in it, closed.
async fn filled(dir: &Path) {
    let store = open(dir);
    for n in 0..60 {
        let mut commit_one = taken(n, n % 2);
        commit_one.cases = vec![case(n)];
        commit_one.rails = vec![rail(n)];
        commit_one.apps = vec![app(n)];
        commit(&store, commit_one).await;
        commit(&store, moved(n, n % 2, 1, Status::Accepted)).await;
        commit(&store, moved(n, n % 2, 2, Status::Succeeded)).await;
    }
    let long = Commit {
        messages: vec![message(500, (0..30_000_u32).map(|n| ((n * n) >> 5) as u8).collect())],
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

/// Reads what the damaged kind of record is needed for, and gives what is said of it.
async fn what_is_said(letter: u8, store: &SledStore) -> String {
    let (all, all_cases) = (PayoutQuery::all(10), CaseQuery::all(5));
    match letter {
        b'p' => {
            is_damaged(store.payouts(&all).await);
            is_damaged(store.payout(payout_id(7)).await)
        }
        b'e' => {
            is_damaged(store.events_of(payout_id(7).into()).await);
            is_damaged(store.events(0, 10).await)
        }
        b'm' => is_damaged(store.message(message_id(1_000_007)).await),
        b'z' => is_damaged(store.message(message_id(500)).await),
        b'a' => is_damaged(store.apps().await),
        b'c' => {
            is_damaged(store.case(case_id(7)).await);
            is_damaged(store.cases(&all_cases).await)
        }
        b'r' => is_damaged(store.rails().await),
        b'O' => is_damaged(store.cases(&CaseQuery { open: Some(true), ..all_cases }).await),
        b'C' => is_damaged(store.cases(&CaseQuery { app: Some(app_id(0)), ..all_cases }).await),
        b'P' => {
            let about = Some(payout_id(1).into());
            is_damaged(store.cases(&CaseQuery { about, ..all_cases }).await)
        }
        b'W' => {
            let (app, open) = (Some(app_id(0)), Some(true));
            is_damaged(store.cases(&CaseQuery { app, open, ..all_cases }).await)
        }
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
            let asks = Commit { claims: vec![claim(0, "key 7", 7)], ..Commit::default() };
            match store.commit(asks).await {
                Err(CommitError::Broken(why)) => why,
                other => panic!("a payout might be made twice: {other:?}"),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_byte_is_named_and_never_read() {
    // Every kind of record, by the letter of its key.
    for letter in *b"acekmprvz!ABCFNOPRSW" {
        let dir = tempfile::tempdir().expect("a directory");
        filled(dir.path()).await;
        tamper(dir.path(), |db| {
            let entries: Vec<_> =
                db.scan_prefix([letter]).map(|it| it.expect("an entry")).collect();
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
        let says = what_is_said(letter, &store).await;
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
        (b'p', "an index has entries that no record has"),
        (b'C', "is missing in the index of cases by application"),
        (b'P', "is missing in the index of cases by subject"),
        (b'O', "is missing in the index of open cases"),
        (b'W', "is missing in the index of open cases by application"),
        (b'p', "the counts do not agree"),
        (b'z', "a piece is missing"),
        (b'm', "there are pieces of no record"),
        (b'm', "records of the kind \"message\""),
        (b'k', "records of the kind \"idempotency key\""),
        (b'c', "records of the kind \"case\""),
        (b'c', "the counts do not agree"),
        (b'c', "an index has entries that no record has"),
        (b'r', "records of the kind \"rail\""),
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_of_another_version_is_refused_with_what_to_do() {
    for (version, due) in [
        (1, "keep the directory and start with an empty one"),
        (2, "keep the directory and start with an empty one"),
        (3, "keep the directory and start with an empty one"),
        (5, "it was written by a later version of mlango"),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        filled(dir.path()).await;
        tamper(dir.path(), |db| {
            let numbers = db.get(b"!meta").expect("a read").expect("the numbers");
            let (body, _sum) = numbers.split_at(numbers.len() - 4);
            let mut other = body.to_vec();
            other[0] = version;
            let sum = crc32fast::hash(&other).to_be_bytes();
            other.extend(sum);
            db.insert(b"!meta", other).expect("an insert");
        });
        match SledStore::open(dir.path(), Options::default()) {
            Err(error @ StoreError::OtherVersion(_)) => {
                let says = error.to_string();
                assert!(says.contains(due), "{says}");
                assert!(says.contains(&dir.path().display().to_string()), "{says}");
                assert!(!says.contains("damaged"), "{says}");
            }
            other => panic!("version {version} was opened, or refused in other words: {other:?}"),
        }
    }
}
