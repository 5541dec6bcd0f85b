//! The store on sled: one process, one directory, no server.
//!
//! Writes go through one thread that shares each sync among all who wait (`writer`). Records stand
//! together in blocks (`block`, `pages`), because sled's cost is by the number of its entries.
//! Single records are read where they are asked for; lists are read on the runtime's blocking
//! threads. What is read of a payout is on the disk: one that was written a moment ago is shown
//! once its sync is over.

mod backup;
mod block;
mod cases;
mod codec;
mod disk;
mod keys;
mod lives;
mod mark;
mod others;
mod pages;
mod read;
mod restore;
mod verify;
mod writer;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::thread::JoinHandle;

use tokio::sync::{Notify, Semaphore, oneshot};

use self::backup::Slot;
use self::codec::Meta;
use self::disk::Disk;
pub use self::disk::SyncData;
use self::keys::Kind;
use self::mark::Mark;
use self::pages::damaged;
pub use self::restore::Restoring;
use self::writer::{Job, Order, Work};
use super::backup::{BackupError, LastBackup, Manifest, Order as Wanted, Progress};
use super::{
    App, Case, CasePage, CaseQuery, Commit, CommitError, Counts, Durable, FeedEvent, Health,
    InquiryPage, InquiryQuery, Kept, Message, PaymentPage, PaymentQuery, PayoutPage, PayoutQuery,
    Pending, QUEUE_LEN_MAX, RailRecord, Remembered, Store, StoreError, Stored, TextPage, TextQuery,
    Unique, Verified,
};
use crate::domain::id::{
    AppId, CaseId, CheckoutRequestId, ConversationId, InquiryId, MessageId, PaymentId, PayoutId,
    Receipt, TextId,
};
use crate::domain::inquiry::Inquiry;
use crate::domain::payment::Payment;
use crate::domain::payment::validation::Expected;
use crate::domain::subject::Subject;
use crate::domain::text::Text;

/// How many lists are read at once; more wait. Each has a thread, and each thread holds memory of
/// its own; a few keep the disk and the processors busy.
const READERS_MAX: usize = 4;
/// What a closed store says.
const CLOSED: &str = "it is closed";

/// How to open a store.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How much of the file sled may hold in memory, in bytes.
    pub cache_bytes: u64,
}

impl Default for Options {
    /// 128 MiB: with a million payouts, the payouts under way and most index entries.
    fn default() -> Self {
        Self { cache_bytes: 128 << 20 }
    }
}

/// A book on the disk.
pub struct SledStore {
    shared: Arc<Shared>,
    orders: SyncSender<Order>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Places for reading lists.
    readers: Arc<Semaphore>,
}

/// What the writer and the readers share.
struct Shared {
    /// `None` once it is closed.
    disk: RwLock<Option<Arc<Disk>>>,
    view: Mutex<View>,
    /// Who owns payouts or payments.
    apps: RwLock<BTreeSet<AppId>>,
    /// Told whenever more is on the disk, or the store has failed.
    changed: Notify,
    /// What a back-up under way is told of each group.
    tee: Mutex<Slot>,
}

/// What is on the disk, in numbers.
struct View {
    meta: Meta,
    health: Health,
}

impl fmt::Debug for SledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SledStore")
    }
}

impl SledStore {
    /// Opens the store in `dir`, or makes one there.
    ///
    /// # Errors
    /// `InUse` when another process has it; `OtherVersion` when this program does not read it;
    /// `Damaged` or `Failed` when it cannot be opened.
    pub fn open(dir: &Path, options: Options) -> Result<Self, StoreError> {
        Self::open_syncing_by(dir, options, Box::new(File::sync_data))
    }

    /// As [`Self::open`], with another way to make the data file durable: for tests of what happens
    /// before, while and when that fails.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_syncing_by(
        dir: &Path,
        options: Options,
        sync: SyncData,
    ) -> Result<Self, StoreError> {
        let disk = Arc::new(Disk::open(dir, options.cache_bytes, sync)?);
        let numbers = disk.get(keys::META)?;
        let numbers = numbers.map(|bytes| codec::read_meta(&bytes));
        let numbers = numbers.transpose().map_err(|error| within(dir, error))?;
        let mark = Mark::open(dir, numbers.map(|meta| meta.groups))?;
        let meta = numbers.unwrap_or_default();
        let apps = read::owners(&disk)?;
        let shared = Arc::new(Shared {
            disk: RwLock::new(Some(Arc::clone(&disk))),
            view: Mutex::new(View { meta, health: Health::Ready }),
            apps: RwLock::new(apps),
            changed: Notify::new(),
            tee: Mutex::new(Slot::Idle),
        });
        let (orders, inbox) = sync_channel(QUEUE_LEN_MAX);
        let known = Arc::clone(&shared);
        let writer = std::thread::Builder::new()
            .name("mlango-store".to_owned())
            .spawn(move || writer::run(&inbox, &known, disk, meta, &mark))
            .map_err(|error| StoreError::Failed(format!("cannot start the writer: {error}")))?;
        let readers = Arc::new(Semaphore::new(READERS_MAX));
        Ok(Self { shared, orders, writer: Mutex::new(Some(writer)), readers })
    }

    async fn take(&self, commit: Commit) -> Result<Durable, CommitError> {
        match self.shared.health() {
            Health::Ready => {}
            Health::Failed(why) => return Err(CommitError::Broken(why)),
            Health::Closed => return Err(CommitError::Broken(CLOSED.to_owned())),
        }
        let work = Work::of(commit).map_err(CommitError::Unfit)?;
        let (answer, verdict) = oneshot::channel();
        let order = Order::Commit(Box::new(Job { work, answer }));
        self.orders.try_send(order).map_err(|error| match error {
            TrySendError::Full(_) => CommitError::Full,
            TrySendError::Disconnected(_) => CommitError::Broken(self.shared.why_broken()),
        })?;
        match verdict.await {
            Ok(verdict) => verdict,
            // The writer ended with the commit in its hands.
            Err(_gone) => Err(CommitError::Broken(self.shared.why_broken())),
        }
    }

    /// Something as it stands, once that is on the disk.
    fn kept<'a, T: serde::de::DeserializeOwned + Send + 'a>(
        &'a self,
        kind: Kind,
        id: [u8; keys::ID_LEN],
    ) -> Pending<'a, Result<Option<Kept<T>>, StoreError>> {
        let read = |disk: &Disk| read::record_of(disk, kind, id, codec::read_kept);
        let found: Result<Option<Kept<T>>, StoreError> = self.shared.with_disk(read);
        Box::pin(async move {
            let found = found?;
            self.shared.on_disk(found.as_ref().and_then(|kept| kept.last_event)).await?;
            Ok(found)
        })
    }

    /// The payment that has what only one may have.
    fn owner(&self, unique: &Unique) -> Pending<'_, Result<Option<PaymentId>, StoreError>> {
        let owner = self.shared.with_disk(|disk| others::owner(disk, unique));
        now(owner.map(|owner| owner.map(PaymentId::from_bytes)))
    }

    /// Reads on one of the runtime's blocking threads.
    fn read<'a, T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shared, &Disk) -> Result<T, StoreError> + Send + 'static,
    ) -> Pending<'a, Result<T, StoreError>> {
        let shared = Arc::clone(&self.shared);
        let places = Arc::clone(&self.readers);
        Box::pin(async move {
            // Never closed, so there is always a place in the end.
            let place = places.acquire_owned().await;
            let read = move || {
                // Given back when the thread is free, also when nobody waits for it any more.
                let _place = place;
                shared.with_disk(|disk| read(&shared, disk))
            };
            tokio::task::spawn_blocking(read)
                .await
                .map_err(|error| StoreError::Failed(format!("a read ended early: {error}")))?
        })
    }
}

impl Shared {
    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn health(&self) -> Health {
        self.view().health.clone()
    }

    fn tee(&self) -> MutexGuard<'_, Slot> {
        self.tee.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn why_broken(&self) -> String {
        match self.health() {
            Health::Failed(why) => why,
            Health::Ready | Health::Closed => CLOSED.to_owned(),
        }
    }

    /// Nothing is taken any more. The first reason stands.
    fn fail(&self, why: &str) {
        let mut view = self.view();
        if view.health == Health::Ready {
            view.health = Health::Failed(why.to_owned());
        }
        drop(view);
        self.changed.notify_waiters();
    }

    /// Shows what is on the disk now.
    fn publish(&self, meta: Meta) {
        let mut view = self.view();
        view.meta = meta;
        drop(view);
        self.changed.notify_waiters();
    }

    /// Waits until everything up to this event is on the disk: what is shown to anybody must not
    /// be forgotten after a crash.
    async fn on_disk(&self, event: Option<u64>) -> Result<(), StoreError> {
        loop {
            // Listened for before it is looked, so that no change is missed.
            let changed = self.changed.notified();
            {
                let view = self.view();
                if event <= Some(view.meta.head.seq) {
                    return Ok(());
                }
                if let Health::Failed(why) = &view.health {
                    return Err(StoreError::Failed(why.clone()));
                }
            }
            changed.await;
        }
    }

    /// Knows the applications of new payouts before anyone can ask for these.
    fn know_apps(&self, new: Vec<AppId>) {
        let known = self.apps.read().unwrap_or_else(PoisonError::into_inner);
        if new.iter().all(|app| known.contains(app)) {
            return;
        }
        drop(known);
        let mut known = self.apps.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(new);
    }

    fn known_apps(&self) -> Vec<AppId> {
        let known = self.apps.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().copied().collect()
    }

    /// Reads from the disk while it is open; closing waits.
    fn with_disk<T>(
        &self,
        read: impl FnOnce(&Disk) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let disk = self.disk.read().unwrap_or_else(PoisonError::into_inner);
        let disk = disk.as_deref().ok_or_else(|| StoreError::Failed(CLOSED.to_owned()))?;
        read(disk)
    }
}

/// Says which directory is of another version: that is the one to keep.
fn within(dir: &Path, error: StoreError) -> StoreError {
    match error {
        StoreError::OtherVersion(says) => {
            StoreError::OtherVersion(format!("the store in {}: {says}", dir.display()))
        }
        StoreError::InUse(_) | StoreError::Damaged(_) | StoreError::Failed(_) => error,
    }
}

/// One record, read here and now: a lookup of a few microseconds, or one read of the disk.
fn now<'a, T: Send + 'a>(read: Result<T, StoreError>) -> Pending<'a, Result<T, StoreError>> {
    Box::pin(std::future::ready(read))
}

impl Store for SledStore {
    fn commit(&self, commit: Commit) -> Pending<'_, Result<Durable, CommitError>> {
        Box::pin(self.take(commit))
    }

    fn payout(&self, id: PayoutId) -> Pending<'_, Result<Option<Stored>, StoreError>> {
        let found = self.shared.with_disk(|disk| read::payout(disk, id));
        Box::pin(async move {
            let found = found?;
            let last = found.as_ref().and_then(|stored| stored.last_event);
            self.shared.on_disk(last).await?;
            Ok(found)
        })
    }

    fn payout_by_conversation<'a>(
        &'a self,
        conversation: &'a ConversationId,
    ) -> Pending<'a, Result<Option<PayoutId>, StoreError>> {
        let key = keys::conversation(conversation);
        now(self.shared.with_disk(|disk| {
            pages::find(disk, Kind::Conversation, &key)?
                .map(|id| codec::read_id(&id))
                .transpose()
                .map_err(|flaw| damaged(Kind::Conversation, &key, flaw))
        }))
    }

    fn payout_by_receipt<'a>(
        &'a self,
        receipt: &'a Receipt,
    ) -> Pending<'a, Result<Option<PayoutId>, StoreError>> {
        // One entry of one index: not worth another thread.
        now(self.shared.with_disk(|disk| read::payout_by_receipt(disk, receipt)))
    }

    fn claim<'a>(
        &'a self,
        app: AppId,
        key: &'a str,
    ) -> Pending<'a, Result<Option<Remembered>, StoreError>> {
        let key = keys::claim(app, key);
        now(self.shared.with_disk(|disk| {
            pages::find(disk, Kind::Claim, &key)?
                .map(|bytes| codec::read_claim(&bytes))
                .transpose()
                .map_err(|flaw| damaged(Kind::Claim, &key, flaw))
        }))
    }

    fn payouts<'a>(
        &'a self,
        query: &'a PayoutQuery,
    ) -> Pending<'a, Result<PayoutPage, StoreError>> {
        let query = query.clone();
        let reading =
            self.read(move |shared, disk| read::payouts(disk, &query, &shared.known_apps()));
        Box::pin(async move {
            let page = reading.await?;
            let last = page.rows.iter().filter_map(|it| it.last_event).max();
            self.shared.on_disk(last).await?;
            Ok(page)
        })
    }

    fn payment(&self, id: PaymentId) -> Pending<'_, Result<Option<Kept<Payment>>, StoreError>> {
        self.kept(Kind::Payment, id.bytes())
    }

    fn payment_by_receipt<'a>(
        &'a self,
        receipt: &'a Receipt,
    ) -> Pending<'a, Result<Option<PaymentId>, StoreError>> {
        self.owner(&Unique::Receipt(receipt.clone()))
    }

    fn payment_by_checkout<'a>(
        &'a self,
        checkout: &'a CheckoutRequestId,
    ) -> Pending<'a, Result<Option<PaymentId>, StoreError>> {
        self.owner(&Unique::Checkout(checkout.clone()))
    }

    fn payments<'a>(
        &'a self,
        query: &'a PaymentQuery,
    ) -> Pending<'a, Result<PaymentPage, StoreError>> {
        let query = query.clone();
        let reading =
            self.read(move |shared, disk| others::payments(disk, &query, &shared.known_apps()));
        Box::pin(async move {
            let page = reading.await?;
            self.shared.on_disk(page.rows.iter().filter_map(|it| it.last_event).max()).await?;
            Ok(page)
        })
    }

    fn inquiry(&self, id: InquiryId) -> Pending<'_, Result<Option<Kept<Inquiry>>, StoreError>> {
        self.kept(Kind::Inquiry, id.bytes())
    }

    fn inquiries<'a>(
        &'a self,
        query: &'a InquiryQuery,
    ) -> Pending<'a, Result<InquiryPage, StoreError>> {
        let query = query.clone();
        let reading = self.read(move |_shared, disk| others::inquiries(disk, &query));
        Box::pin(async move {
            let page = reading.await?;
            self.shared.on_disk(page.rows.iter().filter_map(|it| it.last_event).max()).await?;
            Ok(page)
        })
    }

    fn text(&self, id: TextId) -> Pending<'_, Result<Option<Kept<Text>>, StoreError>> {
        self.kept(Kind::Text, id.bytes())
    }

    fn texts<'a>(&'a self, query: &'a TextQuery) -> Pending<'a, Result<TextPage, StoreError>> {
        let query = query.clone();
        let reading = self.read(move |_shared, disk| others::texts(disk, &query));
        Box::pin(async move {
            let page = reading.await?;
            self.shared.on_disk(page.rows.iter().filter_map(|it| it.last_event).max()).await?;
            Ok(page)
        })
    }

    fn expected<'a>(
        &'a self,
        account: &'a str,
    ) -> Pending<'a, Result<Option<Expected>, StoreError>> {
        let key = keys::expected(account);
        now(self.shared.with_disk(|disk| {
            pages::find(disk, Kind::Expected, &key)?
                .map(|bytes| codec::read(&bytes))
                .transpose()
                .map_err(|flaw| damaged(Kind::Expected, &key, flaw))
        }))
    }

    fn events_of(&self, about: Subject) -> Pending<'_, Result<Vec<FeedEvent>, StoreError>> {
        let reading = self.read(move |shared, disk| {
            let durable = shared.view().meta.head.seq;
            read::events_of(disk, about, durable)
        });
        Box::pin(async move {
            // Whoever saw it stand somewhere sees the event that brought it there.
            let last = |bytes: &[u8]| codec::split_life(bytes).map(|(_version, last, _)| last);
            let kind = lives::kind_of(about);
            let found =
                self.shared.with_disk(|disk| read::record_of(disk, kind, about.bytes(), last))?;
            self.shared.on_disk(found.flatten()).await?;
            reading.await
        })
    }

    fn events(&self, after: u64, limit: usize) -> Pending<'_, Result<Vec<FeedEvent>, StoreError>> {
        self.read(move |shared, disk| {
            let durable = shared.view().meta.head.seq;
            read::events(disk, after, durable, limit)
        })
    }

    fn message(&self, id: MessageId) -> Pending<'_, Result<Option<Message>, StoreError>> {
        let key = id.bytes();
        now(self.shared.with_disk(|disk| {
            pages::find(disk, Kind::Message, &key)?
                .map(|bytes| codec::read_message(id, &bytes))
                .transpose()
                .map_err(|flaw| damaged(Kind::Message, &key, flaw))
        }))
    }

    fn case(&self, id: CaseId) -> Pending<'_, Result<Option<Case>, StoreError>> {
        now(self.shared.with_disk(|disk| cases::case(disk, id)))
    }

    fn cases<'a>(&'a self, query: &'a CaseQuery) -> Pending<'a, Result<CasePage, StoreError>> {
        let query = query.clone();
        self.read(move |_shared, disk| cases::page(disk, &query))
    }

    fn rails(&self) -> Pending<'_, Result<Vec<RailRecord>, StoreError>> {
        self.read(|_shared, disk| read::records(disk, Kind::Rail))
    }

    fn apps(&self) -> Pending<'_, Result<Vec<App>, StoreError>> {
        self.read(|_shared, disk| read::records(disk, Kind::App))
    }

    fn counts(&self) -> Counts {
        self.shared.view().meta.counts
    }

    fn health(&self) -> Health {
        self.shared.health()
    }

    fn verify(&self) -> Pending<'_, Result<Verified, StoreError>> {
        self.read(verify::everything)
    }

    fn backup(
        &self,
        order: Wanted,
        progress: Arc<Progress>,
    ) -> Pending<'_, Result<Manifest, BackupError>> {
        backup::make(Arc::clone(&self.shared), order, progress)
    }

    fn last_backup(&self) -> Option<LastBackup> {
        self.shared.with_disk(|disk| Ok(LastBackup::of(disk.dir()))).ok().flatten()
    }

    fn close(&self) -> Pending<'_, ()> {
        let end = self.ending();
        Box::pin(async move {
            drop(tokio::task::spawn_blocking(end).await);
        })
    }
}

impl SledStore {
    /// Takes no more commits, and gives what ends it: that blocks until it has ended.
    fn ending(&self) -> impl FnOnce() + Send + 'static {
        let mut view = self.shared.view();
        if view.health == Health::Ready {
            view.health = Health::Closed;
        }
        drop(view);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = writer.take();
        let orders = self.orders.clone();
        let shared = Arc::clone(&self.shared);
        move || {
            if let Some(writer) = writer {
                // The writer may have ended already; both ends are the same to us.
                drop(orders.send(Order::Close));
                drop(writer.join());
            }
            let mut disk = shared.disk.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(disk) = disk.take().and_then(Arc::into_inner) {
                disk.close();
            }
        }
    }
}

impl Drop for SledStore {
    /// As [`Store::close`], if nobody closed it: the directory is free when this returns.
    fn drop(&mut self) {
        self.ending()();
    }
}
