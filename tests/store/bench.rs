//! What the laws are tried on.

use std::sync::Arc;

use mlango::store::memory::MemoryStore;
use mlango::store::sled::{Options, SledStore};
use mlango::store::{Commit, PayoutPage, PayoutQuery, Store};

/// A store and, if it has one, its place on the disk.
pub struct Bench {
    pub store: Arc<dyn Store>,
    dir: Option<tempfile::TempDir>,
}

impl Bench {
    pub fn memory() -> Self {
        Self { store: Arc::new(MemoryStore::new()), dir: None }
    }

    pub fn sled() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let store = SledStore::open(dir.path(), Options::default()).expect("a store");
        Self { store: Arc::new(store), dir: Some(dir) }
    }

    /// Closes the store and opens it again, where there is something to open.
    pub async fn reopen(&mut self) {
        if let Some(dir) = &self.dir {
            self.store.close().await;
            let store = SledStore::open(dir.path(), Options::default()).expect("the store again");
            self.store = Arc::new(store);
        }
    }

    pub async fn commit(&self, commit: Commit) {
        let _durable = self.store.commit(commit).await.expect("a commit");
    }

    pub async fn page(&self, query: &PayoutQuery) -> PayoutPage {
        self.store.payouts(query).await.expect("a page")
    }

    pub async fn is_sound(&self) {
        let verified = self.store.verify().await.expect("a verification");
        assert_eq!(verified.faults, Vec::<String>::new());
    }
}

/// Runs each of these functions, as a test of its own, on every store.
#[macro_export]
macro_rules! on_every_store {
    ($($law:ident),* $(,)?) => {
        mod memory {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $law() {
                    super::$law($crate::bench::Bench::memory()).await;
                }
            )*
        }
        mod sled {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $law() {
                    super::$law($crate::bench::Bench::sled()).await;
                }
            )*
        }
    };
}
