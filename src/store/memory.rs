//! A store in memory, for tests and demonstrations.
//!
//! It is written to be plainly right rather than fast: the suite takes its word against every other
//! store's. Nothing in it outlives the process, so its [`Durable`] means only "remembered".

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::chain::Head;
use super::{
    App, Case, CaseClosing, CasePage, CaseQuery, Claim, Commit, CommitError, Counts, Durable,
    FeedEvent, Health, Message, NewEvent, PAGE_LEN_MAX, PAYOUT_EVENTS_MAX, PayoutPage, PayoutQuery,
    PayoutWrite, Pending, RailRecord, Remembered, Store, StoreError, Stored, Verified,
};
use crate::domain::id::{AppId, CaseId, ConversationId, MessageId, PayoutId, Receipt};

/// The most faults that [`Store::verify`] lists.
const FAULTS_MAX: usize = 100;

/// Everything in memory, behind one lock that is never held across an await.
#[derive(Default)]
pub struct MemoryStore {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    payouts: BTreeMap<PayoutId, Stored>,
    conversations: BTreeMap<ConversationId, PayoutId>,
    claims: BTreeMap<(AppId, String), Remembered>,
    events: Vec<FeedEvent>,
    head: Head,
    messages: BTreeMap<MessageId, Message>,
    cases: BTreeMap<CaseId, Case>,
    /// By name, as they are listed.
    rails: BTreeMap<&'static str, RailRecord>,
    apps: BTreeMap<AppId, App>,
    counts: Counts,
    /// Why nothing is taken any more.
    stopped: Option<Health>,
}

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on every commit is refused as `Broken`, as after a failed write: for tests of what
    /// depends on a store.
    pub fn fail(&self, why: &str) {
        self.book().stopped = Some(Health::Failed(why.to_owned()));
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // A panic elsewhere cannot leave the book half-written: a commit is checked whole before
        // its first write.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}

impl Book {
    fn commit(&mut self, commit: Commit) -> Result<Durable, CommitError> {
        match &self.stopped {
            Some(Health::Failed(why)) => return Err(CommitError::Broken(why.clone())),
            Some(Health::Closed | Health::Ready) => {
                return Err(CommitError::Broken("it is closed".to_owned()));
            }
            None => {}
        }
        self.check_claims(&commit.claims)?;
        self.check_versions(&commit.payouts)?;
        self.check_cases(&commit.cases, &commit.closings)?;
        for claim in commit.claims {
            let remembered = Remembered { fingerprint: claim.fingerprint, payout: claim.payout };
            self.claims.insert((claim.app, claim.key), remembered);
        }
        for write in commit.payouts {
            self.write_payout(write);
        }
        for event in commit.events {
            self.write_event(event).map_err(CommitError::Broken)?;
        }
        self.messages.extend(commit.messages.into_iter().map(|it| (it.id, it)));
        for case in commit.cases {
            if case.closed.is_none() {
                self.counts.case_opened();
            }
            self.cases.insert(case.id, case);
        }
        for CaseClosing { case, closing } in commit.closings {
            if let Some(case) = self.cases.get_mut(&case) {
                case.closed = Some(closing);
                self.counts.case_closed();
            }
        }
        self.rails.extend(commit.rails.into_iter().map(|it| (it.rail.as_str(), it)));
        self.apps.extend(commit.apps.into_iter().map(|it| (it.id, it)));
        Ok(Durable(()))
    }

    fn check_claims(&self, claims: &[Claim]) -> Result<(), CommitError> {
        let mut own = BTreeMap::new();
        for claim in claims {
            let key = (claim.app, claim.key.clone());
            if let Some(used) = self.claims.get(&key).or_else(|| own.get(&key)) {
                return Err(CommitError::Claimed(used.clone()));
            }
            let remembered = Remembered { fingerprint: claim.fingerprint, payout: claim.payout };
            own.insert(key, remembered);
        }
        Ok(())
    }

    fn check_versions(&self, writes: &[PayoutWrite]) -> Result<(), CommitError> {
        let mut own = BTreeMap::new();
        for write in writes {
            let details = &write.payout.details;
            let stored = self.payouts.get(&details.id);
            let (version, taken) = own
                .get(&details.id)
                .copied()
                .or_else(|| stored.map(|it| (it.version, &it.payout.details)))
                .unwrap_or((0, details));
            if version != write.expected_version || taken != details {
                return Err(CommitError::Conflict(details.id));
            }
            own.insert(details.id, (version.saturating_add(1), details));
        }
        Ok(())
    }

    fn check_cases(&self, cases: &[Case], closings: &[CaseClosing]) -> Result<(), CommitError> {
        let mut own = BTreeMap::new();
        for case in cases {
            let before = own.insert(case.id, case.closed.is_some());
            if before.is_some() || self.cases.contains_key(&case.id) {
                return Err(CommitError::case_exists(case.id));
            }
        }
        for CaseClosing { case: id, .. } in closings {
            let stored = self.cases.get(id).map(|it| it.closed.is_some());
            match own.insert(*id, true).or(stored) {
                None => return Err(CommitError::NoSuchCase(*id)),
                Some(true) => return Err(CommitError::CaseClosed(*id)),
                Some(false) => {}
            }
        }
        Ok(())
    }

    fn write_payout(&mut self, write: PayoutWrite) {
        let payout = write.payout;
        let id = payout.details.id;
        let old = self.payouts.get(&id);
        let before = old.map(|it| it.payout.status());
        self.counts.moved(before, &payout);
        let conversation = payout.state.conversation();
        if old.and_then(|it| it.payout.state.conversation()) != conversation
            && let Some(conversation) = conversation
        {
            self.conversations.insert(conversation.clone(), id);
        }
        let stored = Stored {
            payout,
            version: old.map_or(1, |it| it.version.saturating_add(1)),
            last_event: old.and_then(|it| it.last_event),
        };
        self.payouts.insert(id, stored);
    }

    fn write_event(&mut self, event: NewEvent) -> Result<(), String> {
        let payout = event.payout.and_then(|id| self.payouts.get_mut(&id));
        let previous = payout.as_ref().and_then(|it| it.last_event);
        let event = self.head.link(previous, event)?;
        if let Some(payout) = payout {
            payout.last_event = Some(event.seq);
        }
        self.events.push(event);
        Ok(())
    }

    fn page(&self, query: &PayoutQuery) -> PayoutPage {
        let beyond = |id: PayoutId| {
            query.after.is_none_or(|after| if query.descending { id < after } else { id > after })
        };
        let mut admitted: Vec<&Stored> = self
            .payouts
            .values()
            .filter(|it| beyond(it.payout.details.id) && query.admits(&it.payout))
            .collect();
        if query.descending {
            admitted.reverse();
        }
        let limit = query.limit.min(PAGE_LEN_MAX);
        let rows: Vec<Stored> = admitted.iter().take(limit).copied().cloned().collect();
        let next =
            rows.last().filter(|_row| admitted.len() > rows.len()).map(|row| row.payout.details.id);
        PayoutPage { rows, next }
    }

    fn case_page(&self, query: &CaseQuery) -> CasePage {
        let beyond = |id: CaseId| {
            query.after.is_none_or(|after| if query.descending { id < after } else { id > after })
        };
        let mut admitted: Vec<&Case> =
            self.cases.values().filter(|it| beyond(it.id) && query.admits(it)).collect();
        if query.descending {
            admitted.reverse();
        }
        let limit = query.limit.min(PAGE_LEN_MAX);
        let rows: Vec<Case> = admitted.iter().take(limit).copied().cloned().collect();
        let next = rows.last().filter(|_row| admitted.len() > rows.len()).map(|row| row.id);
        CasePage { rows, next }
    }

    fn event(&self, seq: u64) -> Option<&FeedEvent> {
        let place = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.events.get(place)
    }

    fn events_of(&self, id: PayoutId) -> Vec<FeedEvent> {
        let last = self.payouts.get(&id).and_then(|it| it.last_event);
        let mut events: Vec<FeedEvent> =
            std::iter::successors(last.and_then(|seq| self.event(seq)), |event| {
                event.previous.and_then(|seq| self.event(seq))
            })
            .take(PAYOUT_EVENTS_MAX)
            .cloned()
            .collect();
        events.reverse();
        events
    }

    fn verify(&self) -> Verified {
        let mut faults = Vec::new();
        let mut counts = Counts::default();
        for stored in self.payouts.values() {
            let payout = &stored.payout;
            counts.moved(None, payout);
        }
        for _open in self.cases.values().filter(|case| case.closed.is_none()) {
            counts.case_opened();
        }
        if counts != self.counts {
            faults.push("the counts do not agree with the payouts and cases".to_owned());
        }
        let mut head = Head::default();
        let mut last = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for event in &self.events {
            if head.link(event.previous, event.event.clone()).as_ref() != Ok(event) {
                faults.push(format!("the chain is broken at event {}", event.seq));
            }
            if let Some(id) = event.event.payout {
                if event.previous.is_some() && last.get(&id).copied() != event.previous {
                    faults.push(format!("event {} skips one of {id}", event.seq));
                }
                last.insert(id, event.seq);
            }
            if !seen.insert(event.event.id) {
                faults.push(format!("the id {} stands twice", event.event.id));
            }
        }
        faults.truncate(FAULTS_MAX);
        Verified {
            payouts: length(self.payouts.len()),
            events: length(self.events.len()),
            messages: length(self.messages.len()),
            indexes: length(self.conversations.len()),
            faults,
        }
    }
}

fn length(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn ready<'a, T: Send + 'a>(value: T) -> Pending<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Store for MemoryStore {
    fn commit(&self, commit: Commit) -> Pending<'_, Result<Durable, CommitError>> {
        ready(self.book().commit(commit))
    }

    fn payout(&self, id: PayoutId) -> Pending<'_, Result<Option<Stored>, StoreError>> {
        ready(Ok(self.book().payouts.get(&id).cloned()))
    }

    fn payout_by_conversation<'a>(
        &'a self,
        conversation: &'a ConversationId,
    ) -> Pending<'a, Result<Option<PayoutId>, StoreError>> {
        ready(Ok(self.book().conversations.get(conversation).copied()))
    }

    fn payout_by_receipt<'a>(
        &'a self,
        receipt: &'a Receipt,
    ) -> Pending<'a, Result<Option<PayoutId>, StoreError>> {
        let query = PayoutQuery { receipt: Some(receipt.clone()), ..PayoutQuery::all(1) };
        let page = self.book().page(&query);
        ready(Ok(page.rows.first().map(|stored| stored.payout.details.id)))
    }

    fn claim<'a>(
        &'a self,
        app: AppId,
        key: &'a str,
    ) -> Pending<'a, Result<Option<Remembered>, StoreError>> {
        ready(Ok(self.book().claims.get(&(app, key.to_owned())).cloned()))
    }

    fn payouts<'a>(
        &'a self,
        query: &'a PayoutQuery,
    ) -> Pending<'a, Result<PayoutPage, StoreError>> {
        ready(Ok(self.book().page(query)))
    }

    fn events_of(&self, id: PayoutId) -> Pending<'_, Result<Vec<FeedEvent>, StoreError>> {
        ready(Ok(self.book().events_of(id)))
    }

    fn events(&self, after: u64, limit: usize) -> Pending<'_, Result<Vec<FeedEvent>, StoreError>> {
        let skip = usize::try_from(after).unwrap_or(usize::MAX);
        let limit = limit.min(PAGE_LEN_MAX);
        let events = self.book().events.iter().skip(skip).take(limit).cloned().collect();
        ready(Ok(events))
    }

    fn message(&self, id: MessageId) -> Pending<'_, Result<Option<Message>, StoreError>> {
        ready(Ok(self.book().messages.get(&id).cloned()))
    }

    fn case(&self, id: CaseId) -> Pending<'_, Result<Option<Case>, StoreError>> {
        ready(Ok(self.book().cases.get(&id).cloned()))
    }

    fn cases<'a>(&'a self, query: &'a CaseQuery) -> Pending<'a, Result<CasePage, StoreError>> {
        ready(Ok(self.book().case_page(query)))
    }

    fn rails(&self) -> Pending<'_, Result<Vec<RailRecord>, StoreError>> {
        ready(Ok(self.book().rails.values().cloned().collect()))
    }

    fn apps(&self) -> Pending<'_, Result<Vec<App>, StoreError>> {
        ready(Ok(self.book().apps.values().cloned().collect()))
    }

    fn counts(&self) -> Counts {
        self.book().counts
    }

    fn health(&self) -> Health {
        self.book().stopped.clone().unwrap_or(Health::Ready)
    }

    fn verify(&self) -> Pending<'_, Result<Verified, StoreError>> {
        ready(Ok(self.book().verify()))
    }

    fn close(&self) -> Pending<'_, ()> {
        let mut book = self.book();
        if book.stopped.is_none() {
            book.stopped = Some(Health::Closed);
        }
        drop(book);
        ready(())
    }
}
