//! The store of one life: the one in memory, which outlives it; too busy at times, and failing at
//! times, as a disk does.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mlango::domain::id::{AppId, CaseId, ConversationId, MessageId, PayoutId, Receipt};
use mlango::domain::id::{CheckoutRequestId, InquiryId, PaymentId, TextId};
use mlango::domain::inquiry::Inquiry;
use mlango::domain::payment::Payment;
use mlango::domain::payment::validation::Expected;
use mlango::domain::subject::Subject;
use mlango::domain::text::Text;
use mlango::store::memory::MemoryStore;
use mlango::store::{
    App, Case, CasePage, CaseQuery, Commit, CommitError, Counts, Durable, FeedEvent, Health,
    Message, PayoutPage, PayoutQuery, Pending, RailRecord, Remembered, Store, StoreError, Stored,
    Verified,
};
use mlango::store::{
    InquiryPage, InquiryQuery, Kept, PaymentPage, PaymentQuery, TextPage, TextQuery,
};

use crate::dice::Dice;
use crate::fate::Fate;

/// How often what goes wrong with a commit, out of a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Troubles {
    pub slow: u64,
    pub full: u64,
    /// It fails for good, and nothing was written.
    pub broken: u64,
    /// It fails for good, and it was written all the same.
    pub written_yet_broken: u64,
}

/// The store as one life of the program has it open.
pub struct Disk {
    inner: Arc<MemoryStore>,
    fate: Fate,
    dice: Mutex<Dice>,
    troubles: Troubles,
    failed: Mutex<Option<String>>,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    pub fn open(inner: Arc<MemoryStore>, fate: Fate, dice: Dice, troubles: Troubles) -> Self {
        Self { inner, fate, dice: Mutex::new(dice), troubles, failed: Mutex::default() }
    }

    /// Whether it has failed for good: an operator starts the program again.
    pub fn has_failed(&self) -> bool {
        self.failed.lock().expect("failed").is_some()
    }

    fn fail(&self) -> CommitError {
        let why = "a disk that fails".to_owned();
        *self.failed.lock().expect("failed") = Some(why.clone());
        CommitError::Broken(why)
    }

    async fn write(&self, commit: Commit) -> Result<Durable, CommitError> {
        let what = name_of(&commit);
        self.fate.point(&format!("before writing {what}")).await;
        // As a real one, it takes its time, so that others run meanwhile.
        tokio::task::yield_now().await;
        self.fate.live().await;
        if let Some(why) = self.failed.lock().expect("failed").clone() {
            return Err(CommitError::Broken(why));
        }
        let (draw, pause) = {
            let mut dice = self.dice.lock().expect("dice");
            (dice.below(1_000), dice.millis(3_000))
        };
        let Troubles { slow, full, broken, written_yet_broken } = self.troubles;
        if draw < full {
            return Err(CommitError::Full);
        }
        if draw < full + broken {
            return Err(self.fail());
        }
        if draw < full + broken + written_yet_broken {
            drop(self.inner.commit(commit).await);
            return Err(self.fail());
        }
        if draw < full + broken + written_yet_broken + slow {
            tokio::time::sleep(pause).await;
        } else {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.fate.live().await;
        let done = self.inner.commit(commit).await;
        if done.is_ok() {
            self.fate.point(&format!("after writing {what}")).await;
        }
        tokio::task::yield_now().await;
        self.fate.live().await;
        done
    }
}

fn name_of(commit: &Commit) -> String {
    let events: Vec<&str> = commit.events.iter().map(|event| event.kind.as_str()).collect();
    if events.is_empty() { format!("{} messages", commit.messages.len()) } else { events.join(" ") }
}

/// Reads as the store in memory does, unless the program is dead.
macro_rules! read {
    ($self:ident, $call:expr) => {
        Box::pin(async move {
            $self.fate.live().await;
            let found = $call.await;
            tokio::task::yield_now().await;
            $self.fate.live().await;
            found
        })
    };
}

impl Store for Disk {
    fn commit(&self, commit: Commit) -> Pending<'_, Result<Durable, CommitError>> {
        Box::pin(self.write(commit))
    }

    fn payout(&self, id: PayoutId) -> Pending<'_, Result<Option<Stored>, StoreError>> {
        read!(self, self.inner.payout(id))
    }

    fn payout_by_conversation<'a>(
        &'a self,
        conversation: &'a ConversationId,
    ) -> Pending<'a, Result<Option<PayoutId>, StoreError>> {
        read!(self, self.inner.payout_by_conversation(conversation))
    }

    fn payout_by_receipt<'a>(
        &'a self,
        receipt: &'a Receipt,
    ) -> Pending<'a, Result<Option<PayoutId>, StoreError>> {
        read!(self, self.inner.payout_by_receipt(receipt))
    }

    fn claim<'a>(
        &'a self,
        app: AppId,
        key: &'a str,
    ) -> Pending<'a, Result<Option<Remembered>, StoreError>> {
        read!(self, self.inner.claim(app, key))
    }

    fn payouts<'a>(
        &'a self,
        query: &'a PayoutQuery,
    ) -> Pending<'a, Result<PayoutPage, StoreError>> {
        read!(self, self.inner.payouts(query))
    }

    fn payment(&self, id: PaymentId) -> Pending<'_, Result<Option<Kept<Payment>>, StoreError>> {
        read!(self, self.inner.payment(id))
    }

    fn payment_by_receipt<'a>(
        &'a self,
        receipt: &'a Receipt,
    ) -> Pending<'a, Result<Option<PaymentId>, StoreError>> {
        read!(self, self.inner.payment_by_receipt(receipt))
    }

    fn payment_by_checkout<'a>(
        &'a self,
        checkout: &'a CheckoutRequestId,
    ) -> Pending<'a, Result<Option<PaymentId>, StoreError>> {
        read!(self, self.inner.payment_by_checkout(checkout))
    }

    fn payments<'a>(
        &'a self,
        query: &'a PaymentQuery,
    ) -> Pending<'a, Result<PaymentPage, StoreError>> {
        read!(self, self.inner.payments(query))
    }

    fn inquiry(&self, id: InquiryId) -> Pending<'_, Result<Option<Kept<Inquiry>>, StoreError>> {
        read!(self, self.inner.inquiry(id))
    }

    fn inquiries<'a>(
        &'a self,
        query: &'a InquiryQuery,
    ) -> Pending<'a, Result<InquiryPage, StoreError>> {
        read!(self, self.inner.inquiries(query))
    }

    fn text(&self, id: TextId) -> Pending<'_, Result<Option<Kept<Text>>, StoreError>> {
        read!(self, self.inner.text(id))
    }

    fn texts<'a>(&'a self, query: &'a TextQuery) -> Pending<'a, Result<TextPage, StoreError>> {
        read!(self, self.inner.texts(query))
    }

    fn expected<'a>(
        &'a self,
        account: &'a str,
    ) -> Pending<'a, Result<Option<Expected>, StoreError>> {
        read!(self, self.inner.expected(account))
    }

    fn events_of(&self, about: Subject) -> Pending<'_, Result<Vec<FeedEvent>, StoreError>> {
        read!(self, self.inner.events_of(about))
    }

    fn events(&self, after: u64, limit: usize) -> Pending<'_, Result<Vec<FeedEvent>, StoreError>> {
        read!(self, self.inner.events(after, limit))
    }

    fn message(&self, id: MessageId) -> Pending<'_, Result<Option<Message>, StoreError>> {
        read!(self, self.inner.message(id))
    }

    fn case(&self, id: CaseId) -> Pending<'_, Result<Option<Case>, StoreError>> {
        read!(self, self.inner.case(id))
    }

    fn cases<'a>(&'a self, query: &'a CaseQuery) -> Pending<'a, Result<CasePage, StoreError>> {
        read!(self, self.inner.cases(query))
    }

    fn rails(&self) -> Pending<'_, Result<Vec<RailRecord>, StoreError>> {
        read!(self, self.inner.rails())
    }

    fn apps(&self) -> Pending<'_, Result<Vec<App>, StoreError>> {
        read!(self, self.inner.apps())
    }

    fn counts(&self) -> Counts {
        self.inner.counts()
    }

    fn health(&self) -> Health {
        let failed = self.failed.lock().expect("failed").clone();
        failed.map_or(Health::Ready, Health::Failed)
    }

    fn verify(&self) -> Pending<'_, Result<Verified, StoreError>> {
        self.inner.verify()
    }

    fn close(&self) -> Pending<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}
