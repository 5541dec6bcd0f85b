//! What is remembered, and what "remembered" means.
//!
//! **Durable** means: written, flushed, and synced to the disk, so that it survives the loss of
//! the process and of power. [`Store::commit`] returns a [`Durable`] only then, and only a store
//! can make one; whoever needs that certainty (a send, an acknowledgement) asks for the value.
//!
//! The meaning of the trait is defined by one suite, `tests/store/`: every store passes it,
//! and the one in memory is the measure of the others.

pub mod backup;
mod chain;
mod counts;
mod expected;
mod life;
pub mod memory;
mod query;
mod record;
pub mod sled;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

pub use counts::Counts;
pub use life::{Kept, Life, LifeWrite, Standing, Unique};
pub use query::{
    CasePage, CaseQuery, InquiryPage, InquiryQuery, PaymentPage, PaymentQuery, PayoutPage,
    PayoutQuery, TextPage, TextQuery,
};
pub use record::{
    App, AppKey, Case, Channel, Closing, CredentialStop, Direction, FeedEvent, Message, NewEvent,
    Pause, RailRecord, Remembered, Scope,
};

use crate::domain::id::{
    AppId, CaseId, CheckoutRequestId, ConversationId, InquiryId, MessageId, PaymentId, PayoutId,
    Receipt, TextId,
};
use crate::domain::inquiry::Inquiry;
use crate::domain::payment::Payment;
use crate::domain::payment::validation::Expected;
use crate::domain::payout::Payout;
use crate::domain::subject::Subject;
use crate::domain::text::Text;
use backup::{BackupError, LastBackup, Manifest, Order, Progress};

/// What a store's methods return: a boxed future, so that one engine serves every store.
pub type Pending<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The most commits that may wait for the writer; more are pushed back with
/// [`CommitError::Full`].
pub const QUEUE_LEN_MAX: usize = 4_096;
/// The most commits that share one flush (design/storage.md: past 128 waiting, sled's p99 grows
/// faster than its rate).
pub const GROUP_LEN_MAX: usize = 256;
/// The most rows that one page holds.
pub const PAGE_LEN_MAX: usize = 500;
/// The most index entries that one page looks at when filters are combined. A page may therefore
/// hold fewer rows than asked for, and still have a next one.
pub const PAGE_SCAN_MAX: usize = 20_000;
/// The most events of one payout that are read at once.
pub const PAYOUT_EVENTS_MAX: usize = 5_000;
/// The most applications.
pub const APPS_MAX: usize = 1_000;

/// Proof that a commit is on the disk. Only a store can make one.
#[derive(Debug)]
#[must_use = "what waits for the disk should ask for this proof"]
pub struct Durable(());

/// A place where everything is remembered.
pub trait Store: Send + Sync + fmt::Debug {
    /// Writes all of `commit`, or nothing of it, and answers when it is durable.
    ///
    /// Within one commit, and among commits that share a flush, writes take effect in order. Events
    /// are numbered and chained in that order.
    ///
    /// # Errors
    /// [`CommitError`]; after `Broken`, nothing more is taken until the store is opened anew.
    fn commit(&self, commit: Commit) -> Pending<'_, Result<Durable, CommitError>>;

    /// A payout as it stands.
    fn payout(&self, id: PayoutId) -> Pending<'_, Result<Option<Stored>, StoreError>>;

    /// The payout to which M-Pesa gave this name. Found once a commit wrote a state that holds it.
    fn payout_by_conversation<'a>(
        &'a self,
        conversation: &'a ConversationId,
    ) -> Pending<'a, Result<Option<PayoutId>, StoreError>>;

    /// The payout that was paid with this receipt. M-Pesa gives each receipt once.
    fn payout_by_receipt<'a>(
        &'a self,
        receipt: &'a Receipt,
    ) -> Pending<'a, Result<Option<PayoutId>, StoreError>>;

    /// What an idempotency key of an application stands for, if it was used.
    fn claim<'a>(
        &'a self,
        app: AppId,
        key: &'a str,
    ) -> Pending<'a, Result<Option<Remembered>, StoreError>>;

    /// Payouts by age, filtered. Its cost does not grow with the number stored.
    fn payouts<'a>(&'a self, query: &'a PayoutQuery)
    -> Pending<'a, Result<PayoutPage, StoreError>>;

    /// A payment as it stands.
    fn payment(&self, id: PaymentId) -> Pending<'_, Result<Option<Kept<Payment>>, StoreError>>;

    /// The payment that has this receipt. A receipt is one payment's.
    fn payment_by_receipt<'a>(
        &'a self,
        receipt: &'a Receipt,
    ) -> Pending<'a, Result<Option<PaymentId>, StoreError>>;

    /// The payment to whose prompt M-Pesa gave this id.
    fn payment_by_checkout<'a>(
        &'a self,
        checkout: &'a CheckoutRequestId,
    ) -> Pending<'a, Result<Option<PaymentId>, StoreError>>;

    /// Payments by age, filtered. Its cost does not grow with the number stored.
    fn payments<'a>(
        &'a self,
        query: &'a PaymentQuery,
    ) -> Pending<'a, Result<PaymentPage, StoreError>>;

    /// An inquiry as it stands.
    fn inquiry(&self, id: InquiryId) -> Pending<'_, Result<Option<Kept<Inquiry>>, StoreError>>;

    /// Inquiries by age, filtered.
    fn inquiries<'a>(
        &'a self,
        query: &'a InquiryQuery,
    ) -> Pending<'a, Result<InquiryPage, StoreError>>;

    /// A text message as it stands.
    fn text(&self, id: TextId) -> Pending<'_, Result<Option<Kept<Text>>, StoreError>>;

    /// Text messages by age, filtered.
    fn texts<'a>(&'a self, query: &'a TextQuery) -> Pending<'a, Result<TextPage, StoreError>>;

    /// The reference that somebody is expected to pay, by what he types.
    fn expected<'a>(
        &'a self,
        account: &'a str,
    ) -> Pending<'a, Result<Option<Expected>, StoreError>>;

    /// The events of something, oldest first; at most [`PAYOUT_EVENTS_MAX`], the latest ones.
    fn events_of(&self, about: Subject) -> Pending<'_, Result<Vec<FeedEvent>, StoreError>>;

    /// The feed after a sequence number (0: from its beginning), oldest first.
    fn events(&self, after: u64, limit: usize) -> Pending<'_, Result<Vec<FeedEvent>, StoreError>>;

    /// A wire message, as it was.
    fn message(&self, id: MessageId) -> Pending<'_, Result<Option<Message>, StoreError>>;

    /// A case as it stands.
    fn case(&self, id: CaseId) -> Pending<'_, Result<Option<Case>, StoreError>>;

    /// Cases by age, filtered. The cost of open ones does not grow with the number of closed ones,
    /// nor an application's with the number of others'.
    fn cases<'a>(&'a self, query: &'a CaseQuery) -> Pending<'a, Result<CasePage, StoreError>>;

    /// What was last written of each rail.
    fn rails(&self) -> Pending<'_, Result<Vec<RailRecord>, StoreError>>;

    /// Every application.
    fn apps(&self) -> Pending<'_, Result<Vec<App>, StoreError>>;

    /// How many payouts stand where, and how many cases are open. Cheap: it is kept, not counted.
    fn counts(&self) -> Counts;

    /// Whether commits are being taken.
    fn health(&self) -> Health;

    /// Reads everything: every record's checksum, every index both ways, the event chain.
    fn verify(&self) -> Pending<'_, Result<Verified, StoreError>>;

    /// Writes a back-up into a directory, while commits go on. What is in it is the book as it
    /// stood at one moment between the call and its end. Dropping the answer, or
    /// [`Progress::stop`], gives it up. A failure leaves nothing behind, and the store as it was.
    ///
    /// # Errors
    /// [`BackupError`]: one is being made already; the directory holds something; a disk failed. A
    /// store that keeps nothing has none.
    fn backup(
        &self,
        _order: Order,
        _progress: Arc<Progress>,
    ) -> Pending<'_, Result<Manifest, BackupError>> {
        let says = "this store is in memory and forgotten at its end: it has no back-up";
        Box::pin(std::future::ready(Err(BackupError::Refused(says.to_owned()))))
    }

    /// The last back-up that was made of it and kept, if any.
    fn last_backup(&self) -> Option<LastBackup> {
        None
    }

    /// Takes no more commits, waits for those that are taken, and lets go of the disk.
    fn close(&self) -> Pending<'_, ()>;
}

/// What is written together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// Payouts, new or moved.
    pub payouts: Vec<PayoutWrite>,
    /// Payments, inquiries and text messages, new or moved. They take effect after `payouts`, in
    /// order.
    pub lives: Vec<LifeWrite>,
    /// Idempotency keys that this commit uses up.
    pub claims: Vec<Claim>,
    /// What the feed says.
    pub events: Vec<NewEvent>,
    /// Wire messages.
    pub messages: Vec<Message>,
    /// What needs a person: new cases only. One that is there already refuses the whole commit as
    /// unfit, so that no ruling is ever written over.
    pub cases: Vec<Case>,
    /// Cases that a person has ruled on; they take effect after `cases`.
    pub closings: Vec<CaseClosing>,
    /// What keeps rails from sending. The last word stands.
    pub rails: Vec<RailRecord>,
    /// Applications, new or changed.
    pub apps: Vec<App>,
    /// References that somebody is expected to pay. The last word stands, but how often each was
    /// paid stays as it is here ([`Expected::over`]): an import may cross a payment.
    pub expected: Vec<Expected>,
    /// Accounts that were paid, after `expected`: where one is expected, it is paid once more.
    pub paid_accounts: Vec<String>,
}

/// One open case to close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseClosing {
    /// Which.
    pub case: CaseId,
    /// How.
    pub closing: Closing,
}

/// One payout to write.
#[derive(Clone, Debug)]
pub struct PayoutWrite {
    /// As it shall stand. Its details are those that it was taken with (law 1): a commit that
    /// would change them is refused as a conflict.
    pub payout: Payout,
    /// The version that it was decided on: 0 for a new payout. Another version in the store
    /// refuses the whole commit.
    pub expected_version: u64,
}

/// An idempotency key and what it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Whose key it is: keys of two applications never meet.
    pub app: AppId,
    /// The key, 1 to 255 bytes.
    pub key: String,
    /// SHA-256 of the request that it came with.
    pub fingerprint: [u8; 32],
    /// What it made.
    pub made: Subject,
}

/// A payout as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where it stands.
    pub payout: Payout,
    /// 1 when it is new, one more with each write.
    pub version: u64,
    /// The sequence number of its last event.
    pub last_event: Option<u64>,
}

/// Whether a store takes commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Ready,
    /// A write or flush failed: nothing is taken or acknowledged any more. The words say what.
    Failed(String),
    /// It has been closed.
    Closed,
}

/// What reading everything found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Payouts read.
    pub payouts: u64,
    /// Payments, inquiries and text messages read.
    pub others: u64,
    /// Events read.
    pub events: u64,
    /// Wire messages read.
    pub messages: u64,
    /// Index entries read.
    pub indexes: u64,
    /// What is wrong, at most a hundred of it.
    pub faults: Vec<String>,
}

/// Why a commit was not taken.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// It stands at another version than the commit was decided on. Nothing was written; read it
    /// again and decide anew.
    #[error("{0} has moved meanwhile")]
    Conflict(Subject),
    /// Another has what only one may have, such as a receipt. Nothing was written.
    #[error("another has this {0} already: {1}")]
    Taken(&'static str, Subject),
    /// The idempotency key was used before. Nothing was written.
    #[error("the idempotency key was used before")]
    Claimed(Remembered),
    /// The case was closed before. Nothing was written; the first ruling stands.
    #[error("case {0} is closed already")]
    CaseClosed(CaseId),
    /// There is no such case to close. Nothing was written.
    #[error("there is no case {0}")]
    NoSuchCase(CaseId),
    /// Too many commits wait. Nothing was written; try again shortly.
    #[error("too many writes are waiting")]
    Full,
    /// It cannot be kept as it is. Nothing was written; the same would be refused again.
    #[error("it cannot be kept: {0}")]
    Unfit(String),
    /// It cannot be said whether the commit is on the disk, and nothing more is taken.
    #[error("the store failed: {0}")]
    Broken(String),
}

impl CommitError {
    /// A new case has the id of one that is there.
    fn case_exists(id: CaseId) -> Self {
        Self::Unfit(format!("case {id} is there already"))
    }
}

/// Why something could not be read, or a store not opened.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("{0}")]
    InUse(String),
    /// A record's checksum, version or form is wrong. It is never read silently.
    #[error("a stored record is damaged: {0}")]
    Damaged(String),
    /// All of it is in order, but this program does not read it: another version wrote it.
    #[error("{0}")]
    OtherVersion(String),
    /// The disk, or the store's own machinery, failed.
    #[error("the store failed: {0}")]
    Failed(String),
}
