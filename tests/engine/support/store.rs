//! A store in memory that can be troubled at chosen moments.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mlango::domain::id::{AppId, CaseId, ConversationId, MessageId, PayoutId, Receipt};
use mlango::domain::id::{CheckoutRequestId, InquiryId, PaymentId, TextId};
use mlango::domain::inquiry::Inquiry;
use mlango::domain::payment::Payment;
use mlango::domain::payment::validation::Expected;
use mlango::domain::payout::{Payout, Status};
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

/// What happens to a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Too many are waiting: nothing is written.
    Full,
    /// The payout is said to have moved: nothing is written.
    Conflict,
    /// The store says that it failed: nothing is written.
    Broken,
    /// The store says that it failed, though all of it was written.
    WrittenYetBroken,
    /// It takes so long.
    Slow(Duration),
}

/// Where a trouble strikes, and how often.
#[derive(Clone, Debug)]
struct Planned {
    on: &'static str,
    times: u32,
    trouble: Trouble,
}

/// A [`MemoryStore`] that does what is planned.
pub struct TroubledStore {
    inner: MemoryStore,
    plan: Mutex<Vec<Planned>>,
    reads: Mutex<u32>,
    pages: Mutex<u32>,
    struck: Mutex<u32>,
    panics: AtomicBool,
    pages_read: AtomicUsize,
}

impl fmt::Debug for TroubledStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TroubledStore")
    }
}

impl TroubledStore {
    /// An empty one without trouble.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: MemoryStore::new(),
            plan: Mutex::default(),
            reads: Mutex::default(),
            pages: Mutex::default(),
            struck: Mutex::default(),
            panics: AtomicBool::new(false),
            pages_read: AtomicUsize::new(0),
        })
    }

    /// The next `times` commits with an event of this type meet `trouble`; `""` stands for
    /// commits without an event, `"*"` for every commit.
    pub fn plan(&self, on: &'static str, times: u32, trouble: Trouble) {
        let mut plan = self.plan.lock().expect("plan");
        plan.push(Planned { on, times, trouble });
    }

    /// The next `times` times that a payout is read, it cannot be.
    pub fn fail_reads(&self, times: u32) {
        *self.reads.lock().expect("reads") = times;
    }

    /// The next `times` times that a page of payouts is read, it cannot be.
    pub fn fail_pages(&self, times: u32) {
        *self.pages.lock().expect("pages") = times;
    }

    /// The next look for payouts that are queued or in doubt panics.
    pub fn panic_on_page(&self) {
        self.panics.store(true, Ordering::SeqCst);
    }

    /// A payout as it truly stands, whatever trouble there is.
    pub async fn truly(&self, id: PayoutId) -> Option<Payout> {
        let stored = self.inner.payout(id).await.expect("memory is readable");
        stored.map(|stored| stored.payout)
    }

    /// No more trouble.
    pub fn calm(&self) {
        self.plan.lock().expect("plan").clear();
        self.fail_reads(0);
        self.fail_pages(0);
    }

    /// From now on nothing is taken any more.
    pub fn fail(&self, why: &str) {
        self.inner.fail(why);
    }

    /// How many commits met trouble.
    pub fn struck(&self) -> u32 {
        *self.struck.lock().expect("struck")
    }

    /// How many pages of payouts were read.
    pub fn pages_read(&self) -> usize {
        self.pages_read.load(Ordering::SeqCst)
    }

    fn trouble(&self, commit: &Commit) -> Option<Trouble> {
        let mut plan = self.plan.lock().expect("plan");
        let planned = plan.iter_mut().find(|planned| {
            planned.times > 0
                && match planned.on {
                    "*" => true,
                    "" => commit.events.is_empty(),
                    on => commit.events.iter().any(|event| event.kind == on),
                }
        })?;
        planned.times -= 1;
        *self.struck.lock().expect("struck") += 1;
        Some(planned.trouble)
    }
}

fn fails(left: &Mutex<u32>) -> Result<(), StoreError> {
    let mut left = left.lock().expect("reads");
    if *left > 0 {
        *left -= 1;
        return Err(StoreError::Failed("a planned failure to read".to_owned()));
    }
    Ok(())
}

impl Store for TroubledStore {
    fn commit(&self, commit: Commit) -> Pending<'_, Result<Durable, CommitError>> {
        Box::pin(async move {
            // As a real one, it takes its time, so that others run meanwhile.
            tokio::task::yield_now().await;
            let why = || "a planned failure".to_owned();
            match self.trouble(&commit) {
                None => {}
                Some(Trouble::Slow(pause)) => tokio::time::sleep(pause).await,
                Some(Trouble::Full) => return Err(CommitError::Full),
                Some(Trouble::Broken) => return Err(CommitError::Broken(why())),
                Some(Trouble::WrittenYetBroken) => {
                    let _written = self.inner.commit(commit).await;
                    return Err(CommitError::Broken(why()));
                }
                Some(Trouble::Conflict) => {
                    let write = commit.payouts.first().expect("a payout to conflict on");
                    return Err(CommitError::Conflict(write.payout.details.id.into()));
                }
            }
            let done = self.inner.commit(commit).await;
            tokio::task::yield_now().await;
            done
        })
    }

    fn payout(&self, id: PayoutId) -> Pending<'_, Result<Option<Stored>, StoreError>> {
        Box::pin(async move {
            fails(&self.reads)?;
            tokio::task::yield_now().await;
            self.inner.payout(id).await
        })
    }

    fn payout_by_receipt<'a>(
        &'a self,
        receipt: &'a Receipt,
    ) -> Pending<'a, Result<Option<PayoutId>, StoreError>> {
        self.inner.payout_by_receipt(receipt)
    }

    fn claim<'a>(
        &'a self,
        app: AppId,
        key: &'a str,
    ) -> Pending<'a, Result<Option<Remembered>, StoreError>> {
        self.inner.claim(app, key)
    }

    fn payout_by_conversation<'a>(
        &'a self,
        conversation: &'a ConversationId,
    ) -> Pending<'a, Result<Option<PayoutId>, StoreError>> {
        self.inner.payout_by_conversation(conversation)
    }

    fn payouts<'a>(
        &'a self,
        query: &'a PayoutQuery,
    ) -> Pending<'a, Result<PayoutPage, StoreError>> {
        Box::pin(async move {
            self.pages_read.fetch_add(1, Ordering::SeqCst);
            fails(&self.pages)?;
            let looks = matches!(query.status, Some(Status::Queued | Status::Unknown));
            assert!(!(looks && self.panics.swap(false, Ordering::SeqCst)), "on purpose");
            tokio::task::yield_now().await;
            let page = self.inner.payouts(query).await;
            tokio::task::yield_now().await;
            page
        })
    }

    fn payment(&self, id: PaymentId) -> Pending<'_, Result<Option<Kept<Payment>>, StoreError>> {
        self.inner.payment(id)
    }

    fn payment_by_receipt<'a>(
        &'a self,
        receipt: &'a Receipt,
    ) -> Pending<'a, Result<Option<PaymentId>, StoreError>> {
        self.inner.payment_by_receipt(receipt)
    }

    fn payment_by_checkout<'a>(
        &'a self,
        checkout: &'a CheckoutRequestId,
    ) -> Pending<'a, Result<Option<PaymentId>, StoreError>> {
        self.inner.payment_by_checkout(checkout)
    }

    fn payments<'a>(
        &'a self,
        query: &'a PaymentQuery,
    ) -> Pending<'a, Result<PaymentPage, StoreError>> {
        self.inner.payments(query)
    }

    fn inquiry(&self, id: InquiryId) -> Pending<'_, Result<Option<Kept<Inquiry>>, StoreError>> {
        self.inner.inquiry(id)
    }

    fn inquiries<'a>(
        &'a self,
        query: &'a InquiryQuery,
    ) -> Pending<'a, Result<InquiryPage, StoreError>> {
        self.inner.inquiries(query)
    }

    fn text(&self, id: TextId) -> Pending<'_, Result<Option<Kept<Text>>, StoreError>> {
        self.inner.text(id)
    }

    fn texts<'a>(&'a self, query: &'a TextQuery) -> Pending<'a, Result<TextPage, StoreError>> {
        self.inner.texts(query)
    }

    fn expected<'a>(
        &'a self,
        account: &'a str,
    ) -> Pending<'a, Result<Option<Expected>, StoreError>> {
        self.inner.expected(account)
    }

    fn events_of(&self, about: Subject) -> Pending<'_, Result<Vec<FeedEvent>, StoreError>> {
        self.inner.events_of(about)
    }

    fn events(&self, after: u64, limit: usize) -> Pending<'_, Result<Vec<FeedEvent>, StoreError>> {
        self.inner.events(after, limit)
    }

    fn message(&self, id: MessageId) -> Pending<'_, Result<Option<Message>, StoreError>> {
        self.inner.message(id)
    }

    fn case(&self, id: CaseId) -> Pending<'_, Result<Option<Case>, StoreError>> {
        self.inner.case(id)
    }

    fn cases<'a>(&'a self, query: &'a CaseQuery) -> Pending<'a, Result<CasePage, StoreError>> {
        self.inner.cases(query)
    }

    fn rails(&self) -> Pending<'_, Result<Vec<RailRecord>, StoreError>> {
        self.inner.rails()
    }

    fn apps(&self) -> Pending<'_, Result<Vec<App>, StoreError>> {
        self.inner.apps()
    }

    fn counts(&self) -> Counts {
        self.inner.counts()
    }

    fn health(&self) -> Health {
        self.inner.health()
    }

    fn verify(&self) -> Pending<'_, Result<Verified, StoreError>> {
        self.inner.verify()
    }

    fn close(&self) -> Pending<'_, ()> {
        self.inner.close()
    }
}
