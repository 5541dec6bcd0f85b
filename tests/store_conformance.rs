//! What every store does alike: the meaning of the `Store` trait.
//!
//! Each law is a function of a [`Bench`], and runs on every store. What only a store on a disk can
//! do (closing and opening again) is done where the bench can.

#![expect(
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test"
)]

#[path = "store/make.rs"]
mod make;

use std::sync::Arc;

use make::{
    app, app_id, at, batch_id, case, claim, conversation, event, message, message_id, moved,
    payout, payout_id, receipt, reference, taken, time, write,
};
use mlango::domain::money::Amount;
use mlango::domain::payout::Status;
use mlango::store::memory::MemoryStore;
use mlango::store::sled::{Options, SledStore};
use mlango::store::{
    Commit, CommitError, Health, PAGE_LEN_MAX, PayoutPage, PayoutQuery, Remembered, Store,
};

/// A store and, if it has one, its place on the disk.
struct Bench {
    store: Arc<dyn Store>,
    dir: Option<tempfile::TempDir>,
}

impl Bench {
    fn memory() -> Self {
        Self {
            store: Arc::new(MemoryStore::new()),
            dir: None,
        }
    }

    fn sled() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = SledStore::open(dir.path(), Options::default()).expect("a store");
        Self {
            store: Arc::new(store),
            dir: Some(dir),
        }
    }

    /// Closes the store and opens it again, where there is something to open.
    async fn reopen(&mut self) {
        if let Some(dir) = &self.dir {
            self.store.close().await;
            let store = SledStore::open(dir.path(), Options::default()).expect("the store again");
            self.store = Arc::new(store);
        }
    }

    async fn commit(&self, commit: Commit) {
        let _durable = self.store.commit(commit).await.expect("a commit");
    }

    async fn page(&self, query: &PayoutQuery) -> PayoutPage {
        self.store.payouts(query).await.expect("a page")
    }

    async fn is_sound(&self) {
        let verified = self.store.verify().await.expect("a verification");
        assert_eq!(verified.faults, Vec::<String>::new());
    }
}

macro_rules! laws {
    ($($law:ident),* $(,)?) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $law() {
                    super::$law(super::Bench::memory()).await;
                }
            )*
        }
        mod sled {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $law() {
                    super::$law(super::Bench::sled()).await;
                }
            )*
        }
    };
}

laws!(what_is_committed_is_read_back);

async fn what_is_committed_is_read_back(mut bench: Bench) {
    let mut first = taken(1, 0);
    first.messages = vec![message(7, b"<a/>".to_vec()), message(8, Vec::new())];
    first.cases = vec![case(1), case(2)];
    first.apps = vec![app(0), app(5)];
    bench.commit(first).await;
    for _round in 0..2 {
        let stored = bench.store.payout(payout_id(1)).await.expect("a read");
        let stored = stored.expect("the payout");
        assert_eq!(stored.payout, payout(1, 0));
        assert_eq!((stored.version, stored.last_event), (1, Some(1)));
        assert_eq!(
            bench.store.payout(payout_id(2)).await.expect("a read"),
            None
        );
        let read = |n| bench.store.message(message_id(n));
        assert_eq!(
            read(7).await.expect("a read"),
            Some(message(7, b"<a/>".to_vec()))
        );
        assert_eq!(read(8).await.expect("a read"), Some(message(8, Vec::new())));
        assert_eq!(read(9).await.expect("a read"), None);
        assert_eq!(bench.store.apps().await.expect("apps"), [app(0), app(5)]);
        assert_eq!(
            bench.store.cases(None, 10).await.expect("cases"),
            [case(1), case(2)]
        );
        bench.is_sound().await;
        bench.reopen().await;
    }
}
