//! What is remembered, and what "remembered" means.
//!
//! **Durable** means: written, flushed, and synced to the disk, so that it survives the loss of
//! the process and of power. [`Store::commit`] returns a [`Durable`] only then, and only a store
//! can make one; whoever needs that certainty (a send, an acknowledgement) asks for the value.
//!
//! The meaning of the trait is defined by one suite, `tests/store/`: every store passes it,
//! and the one in memory is the measure of the others.

mod chain;
pub mod memory;
mod record;
pub mod sled;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

pub use record::{
    App, AppKey, Case, Channel, Closing, CredentialStop, Direction, FeedEvent, Message, NewEvent,
    Pause, RailRecord, Remembered, Scope,
};

use crate::domain::id::{AppId, BatchId, CaseId, ConversationId, MessageId, PayoutId, Receipt};
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::domain::payout::{CaseKind, Payout, Rail, Status};
use crate::domain::time::Timestamp;

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

    /// A payout's events, oldest first; at most [`PAYOUT_EVENTS_MAX`], the latest ones.
    fn events_of(&self, id: PayoutId) -> Pending<'_, Result<Vec<FeedEvent>, StoreError>>;

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

    /// Takes no more commits, waits for those that are taken, and lets go of the disk.
    fn close(&self) -> Pending<'_, ()>;
}

/// What is written together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Commit {
    /// Payouts, new or moved.
    pub payouts: Vec<PayoutWrite>,
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
    /// The payout that it made.
    pub payout: PayoutId,
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

/// Which payouts to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutQuery {
    /// Whose; `None` for everybody's.
    pub app: Option<AppId>,
    /// Only those that stand here.
    pub status: Option<Status>,
    /// Only those with exactly this reference.
    pub reference: Option<String>,
    /// Only those to this phone.
    pub phone: Option<Msisdn>,
    /// Only the one with this receipt.
    pub receipt: Option<Receipt>,
    /// Only those that go this way.
    pub rail: Option<Rail>,
    /// Only those of this batch.
    pub batch: Option<BatchId>,
    /// Only those taken at or after this moment.
    pub created_from: Option<Timestamp>,
    /// Only those taken before this moment.
    pub created_to: Option<Timestamp>,
    /// Where the last page ended: rows beyond it, in the order asked for.
    pub after: Option<PayoutId>,
    /// Newest first.
    pub descending: bool,
    /// At most so many, and never more than [`PAGE_LEN_MAX`].
    pub limit: usize,
}

impl PayoutQuery {
    /// Everybody's payouts, oldest first, without a filter.
    pub const fn all(limit: usize) -> Self {
        Self {
            app: None,
            status: None,
            reference: None,
            phone: None,
            receipt: None,
            rail: None,
            batch: None,
            created_from: None,
            created_to: None,
            after: None,
            descending: false,
            limit,
        }
    }

    /// Whether `payout` passes every filter (not the cursor, not the limit).
    pub fn admits(&self, payout: &Payout) -> bool {
        let details = &payout.details;
        self.app.is_none_or(|app| app == details.app)
            && self.status.is_none_or(|status| status == payout.status())
            && self.reference.as_ref().is_none_or(|reference| *reference == details.reference)
            && self.phone.is_none_or(|phone| phone == details.phone)
            && self.receipt.as_ref().is_none_or(|told| payout.state.receipt() == Some(told))
            && self.rail.is_none_or(|rail| rail == details.rail)
            && self.batch.is_none_or(|batch| details.batch == Some(batch))
            && self.created_from.is_none_or(|from| from <= details.created_at)
            && self.created_to.is_none_or(|to| details.created_at < to)
    }
}

/// A page of payouts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayoutPage {
    /// The rows.
    pub rows: Vec<Stored>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<PayoutId>,
}

/// Which cases to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseQuery {
    /// Only those that are open, or only those that are closed.
    pub open: Option<bool>,
    /// Only those of this kind.
    pub kind: Option<CaseKind>,
    /// Only those about this payout.
    pub payout: Option<PayoutId>,
    /// Only those about payouts of this application.
    pub app: Option<AppId>,
    /// Where the last page ended: rows beyond it, in the order asked for.
    pub after: Option<CaseId>,
    /// Newest first.
    pub descending: bool,
    /// At most so many, and never more than [`PAGE_LEN_MAX`].
    pub limit: usize,
}

impl CaseQuery {
    /// Every case, oldest first, without a filter.
    pub const fn all(limit: usize) -> Self {
        Self {
            open: None,
            kind: None,
            payout: None,
            app: None,
            after: None,
            descending: false,
            limit,
        }
    }

    /// Whether `case` passes every filter (not the cursor, not the limit).
    pub fn admits(&self, case: &Case) -> bool {
        self.open.is_none_or(|open| open == case.closed.is_none())
            && self.kind.is_none_or(|kind| kind == case.kind)
            && self.payout.is_none_or(|payout| case.payout == Some(payout))
            && self.app.is_none_or(|app| case.app == Some(app))
    }
}

/// A page of cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CasePage {
    /// The rows.
    pub rows: Vec<Case>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<CaseId>,
}

/// How many payouts stand where, and how many cases are open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    by_rail: [RailCounts; Rail::ALL.len()],
    open_cases: u64,
}

/// How many payouts of one rail stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct RailCounts {
    by_status: [u64; Status::ALL.len()],
    in_doubt: Amount,
}

impl RailCounts {
    fn of(&self, status: Status) -> u64 {
        let place = Status::ALL.iter().position(|known| *known == status).unwrap_or_default();
        self.by_status.get(place).copied().unwrap_or_default()
    }

    fn moved(&mut self, before: Option<Status>, after: Status, amount: Amount) {
        for (status, count) in Status::ALL.iter().zip(&mut self.by_status) {
            if before == Some(*status) {
                *count = count.saturating_sub(1);
            }
            if after == *status {
                *count = count.saturating_add(1);
            }
        }
        let doubt = self.in_doubt;
        let without = if before == Some(Status::Unknown) {
            doubt.checked_sub(amount).unwrap_or_default()
        } else {
            doubt
        };
        self.in_doubt = if after == Status::Unknown {
            without.checked_add(amount).unwrap_or(without)
        } else {
            without
        };
    }
}

impl Counts {
    /// How many stand at `status`.
    pub fn of(&self, status: Status) -> u64 {
        self.by_rail.iter().fold(0, |sum, rail| sum.saturating_add(rail.of(status)))
    }

    /// How many of those that go by `rail` stand at `status`.
    pub fn on(&self, rail: Rail, status: Status) -> u64 {
        self.rail(rail).of(status)
    }

    /// How much money is in `unknown` payouts.
    pub fn in_doubt(&self) -> Amount {
        let add = |sum: Amount, rail: &RailCounts| sum.checked_add(rail.in_doubt).unwrap_or(sum);
        self.by_rail.iter().fold(Amount::default(), add)
    }

    /// How much of it went by `rail`.
    pub fn in_doubt_on(&self, rail: Rail) -> Amount {
        self.rail(rail).in_doubt
    }

    /// How many cases wait for a person.
    pub const fn open_cases(&self) -> u64 {
        self.open_cases
    }

    /// Takes account of a new open case.
    pub const fn case_opened(&mut self) {
        self.open_cases = self.open_cases.saturating_add(1);
    }

    /// Takes account of an open case that was closed.
    pub const fn case_closed(&mut self) {
        self.open_cases = self.open_cases.saturating_sub(1);
    }

    /// Takes account of a payout that stood at `before` (`None` when it is new) and stands now as
    /// it is.
    pub fn moved(&mut self, before: Option<Status>, payout: &Payout) {
        let (rail, amount) = (payout.details.rail, payout.details.amount);
        for (known, counts) in Rail::ALL.iter().zip(&mut self.by_rail) {
            if *known == rail {
                counts.moved(before, payout.status(), amount);
            }
        }
    }

    fn rail(&self, rail: Rail) -> RailCounts {
        let mut both = Rail::ALL.iter().zip(&self.by_rail);
        both.find(|(known, _counts)| **known == rail)
            .map(|(_known, counts)| *counts)
            .unwrap_or_default()
    }
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
    /// A payout stands at another version than the commit was decided on. Nothing was written;
    /// read it again and decide anew.
    #[error("payout {0} has moved meanwhile")]
    Conflict(PayoutId),
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
