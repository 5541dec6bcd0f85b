//! A store in memory, for tests and demonstrations.
//!
//! It is written to be plainly right rather than fast: the suite takes its word against every other
//! store's. Nothing in it outlives the process, so its [`Durable`] means only "remembered".

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::chain::Head;
use super::expected;
use super::{
    App, Case, CaseClosing, CasePage, CaseQuery, Claim, Commit, CommitError, Counts, Durable,
    FeedEvent, Health, InquiryPage, InquiryQuery, Kept, Life, LifeWrite, Message, NewEvent,
    PAGE_LEN_MAX, PAYOUT_EVENTS_MAX, PaymentPage, PaymentQuery, PayoutPage, PayoutQuery,
    PayoutWrite, Pending, RailRecord, Remembered, Store, StoreError, Stored, TextPage, TextQuery,
    Unique, Verified,
};
use crate::domain::id::{
    AppId, CaseId, CheckoutRequestId, ConversationId, InquiryId, MessageId, PaymentId, PayoutId,
    Receipt, TextId,
};
use crate::domain::inquiry::Inquiry;
use crate::domain::payment::Payment;
use crate::domain::payment::validation::{Expected, account_key};
use crate::domain::subject::Subject;
use crate::domain::text::Text;

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
    /// Payments, inquiries and text messages.
    lives: BTreeMap<Subject, Kept<Life>>,
    /// Who has what only one may have.
    uniques: BTreeMap<Unique, Subject>,
    conversations: BTreeMap<ConversationId, PayoutId>,
    claims: BTreeMap<(AppId, String), Remembered>,
    events: Vec<FeedEvent>,
    head: Head,
    messages: BTreeMap<MessageId, Message>,
    cases: BTreeMap<CaseId, Case>,
    /// By name, as they are listed.
    rails: BTreeMap<&'static str, RailRecord>,
    apps: BTreeMap<AppId, App>,
    expected: BTreeMap<String, Expected>,
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
        self.check_lives(&commit.lives)?;
        self.check_uniques(&commit.lives)?;
        self.check_cases(&commit.cases, &commit.closings)?;
        for claim in commit.claims {
            let remembered = Remembered { fingerprint: claim.fingerprint, made: claim.made };
            self.claims.insert((claim.app, claim.key), remembered);
        }
        for write in commit.payouts {
            self.write_payout(write);
        }
        for write in commit.lives {
            self.write_life(write);
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
        expected::write(&mut self.expected, commit.expected, &commit.paid_accounts);
        Ok(Durable(()))
    }

    fn check_claims(&self, claims: &[Claim]) -> Result<(), CommitError> {
        let mut own = BTreeMap::new();
        for claim in claims {
            let key = (claim.app, claim.key.clone());
            if let Some(used) = self.claims.get(&key).or_else(|| own.get(&key)) {
                return Err(CommitError::Claimed(used.clone()));
            }
            let remembered = Remembered { fingerprint: claim.fingerprint, made: claim.made };
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
                return Err(CommitError::Conflict(details.id.into()));
            }
            own.insert(details.id, (version.saturating_add(1), details));
        }
        Ok(())
    }

    fn check_lives(&self, writes: &[LifeWrite]) -> Result<(), CommitError> {
        let mut own: BTreeMap<Subject, (u64, &Life)> = BTreeMap::new();
        for write in writes {
            let (subject, life) = (write.life.subject(), &write.life);
            if let Subject::Payout(_) = subject {
                return Err(CommitError::Unfit("a payout stands among other lives".to_owned()));
            }
            let stored = self.lives.get(&subject);
            let (version, made) = own
                .get(&subject)
                .copied()
                .or_else(|| stored.map(|it| (it.version, &it.value)))
                .unwrap_or((0, life));
            if version != write.expected_version || !made.is_made_as(life) {
                return Err(CommitError::Conflict(subject));
            }
            own.insert(subject, (version.saturating_add(1), life));
        }
        Ok(())
    }

    /// That each has alone what only one may have, also after those before it in the commit.
    fn check_uniques(&self, writes: &[LifeWrite]) -> Result<(), CommitError> {
        let mut owners = BTreeMap::new();
        let mut own: BTreeMap<Subject, &Life> = BTreeMap::new();
        for LifeWrite { life, .. } in writes {
            let subject = life.subject();
            let stored = self.lives.get(&subject).map(|it| &it.value);
            let before = own.insert(subject, life).or(stored);
            for unique in before.map(Life::uniques).unwrap_or_default() {
                owners.insert(unique, None);
            }
            for unique in life.uniques() {
                let name = unique.name();
                let stored = self.uniques.get(&unique).copied();
                let owner = owners.insert(unique, Some(subject)).unwrap_or(stored);
                if let Some(other) = owner.filter(|owner| *owner != subject) {
                    return Err(CommitError::Taken(name, other));
                }
            }
        }
        Ok(())
    }

    fn write_life(&mut self, write: LifeWrite) {
        let subject = write.life.subject();
        let old = self.lives.get(&subject);
        self.counts.moved(old.map(|it| it.value.standing()), &write.life);
        for unique in old.map(|it| it.value.uniques()).unwrap_or_default() {
            self.uniques.remove(&unique);
        }
        self.uniques.extend(write.life.uniques().into_iter().map(|unique| (unique, subject)));
        let kept = Kept {
            version: old.map_or(1, |it| it.version.saturating_add(1)),
            last_event: old.and_then(|it| it.last_event),
            value: write.life,
        };
        self.lives.insert(subject, kept);
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
        let before = old.map(|it| Life::Payout(it.payout.clone()).standing());
        self.counts.moved(before, &Life::Payout(payout.clone()));
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
        let last = match event.about {
            Some(Subject::Payout(id)) => self.payouts.get_mut(&id).map(|it| &mut it.last_event),
            Some(subject) => self.lives.get_mut(&subject).map(|it| &mut it.last_event),
            None => None,
        };
        let previous = last.as_ref().and_then(|last| **last);
        let event = self.head.link(previous, event)?;
        if let Some(last) = last {
            *last = Some(event.seq);
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

    /// A page of some kind of life: those that `pick` picks, in order.
    fn lives<T>(
        &self,
        (after, descending, limit): (Option<Subject>, bool, usize),
        pick: impl Fn(&Life) -> Option<T>,
    ) -> (Vec<Kept<T>>, Option<Subject>) {
        let beyond = |id: Subject| {
            after.is_none_or(|after| if descending { id < after } else { id > after })
        };
        let mut admitted: Vec<(Subject, Kept<T>)> = self
            .lives
            .iter()
            .filter(|(subject, _kept)| beyond(**subject))
            .filter_map(|(subject, kept)| {
                let value = pick(&kept.value)?;
                Some((*subject, kept.clone().map(|_life| value)))
            })
            .collect();
        if descending {
            admitted.reverse();
        }
        let all = admitted.len();
        admitted.truncate(limit.min(PAGE_LEN_MAX));
        let last = admitted.last().map(|(subject, _kept)| *subject);
        let next = last.filter(|_last| all > admitted.len());
        (admitted.into_iter().map(|(_subject, kept)| kept).collect(), next)
    }

    fn events_of(&self, about: Subject) -> Vec<FeedEvent> {
        let last = match about {
            Subject::Payout(id) => self.payouts.get(&id).and_then(|it| it.last_event),
            Subject::Payment(_) | Subject::Inquiry(_) | Subject::Text(_) => {
                self.lives.get(&about).and_then(|it| it.last_event)
            }
        };
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
            counts.moved(None, &Life::Payout(stored.payout.clone()));
        }
        let mut uniques = BTreeMap::new();
        for (subject, kept) in &self.lives {
            counts.moved(None, &kept.value);
            uniques.extend(kept.value.uniques().into_iter().map(|unique| (unique, *subject)));
        }
        if uniques != self.uniques {
            faults.push("what only one may have is not where it should be".to_owned());
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
            if let Some(id) = event.event.about {
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
            others: length(self.lives.len()),
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

fn as_kept<T: Clone>(kept: &Kept<Life>, of: fn(&Life) -> Option<&T>) -> Option<Kept<T>> {
    let value = of(&kept.value)?.clone();
    Some(kept.clone().map(|_life| value))
}

const fn payment_of(life: &Life) -> Option<&Payment> {
    match life {
        Life::Payment(payment) => Some(payment),
        Life::Payout(_) | Life::Inquiry(_) | Life::Text(_) => None,
    }
}

const fn inquiry_of(life: &Life) -> Option<&Inquiry> {
    match life {
        Life::Inquiry(inquiry) => Some(inquiry),
        Life::Payout(_) | Life::Payment(_) | Life::Text(_) => None,
    }
}

const fn text_of(life: &Life) -> Option<&Text> {
    match life {
        Life::Text(text) => Some(text),
        Life::Payout(_) | Life::Payment(_) | Life::Inquiry(_) => None,
    }
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

    fn payment(&self, id: PaymentId) -> Pending<'_, Result<Option<Kept<Payment>>, StoreError>> {
        let kept = self.book().lives.get(&Subject::Payment(id)).cloned();
        ready(Ok(kept.and_then(|kept| as_kept(&kept, payment_of))))
    }

    fn payment_by_receipt<'a>(
        &'a self,
        receipt: &'a Receipt,
    ) -> Pending<'a, Result<Option<PaymentId>, StoreError>> {
        let owner = self.book().uniques.get(&Unique::Receipt(receipt.clone())).copied();
        ready(Ok(owner.and_then(Subject::payment)))
    }

    fn payment_by_checkout<'a>(
        &'a self,
        checkout: &'a CheckoutRequestId,
    ) -> Pending<'a, Result<Option<PaymentId>, StoreError>> {
        let owner = self.book().uniques.get(&Unique::Checkout(checkout.clone())).copied();
        ready(Ok(owner.and_then(Subject::payment)))
    }

    fn payments<'a>(
        &'a self,
        query: &'a PaymentQuery,
    ) -> Pending<'a, Result<PaymentPage, StoreError>> {
        let window = (query.after.map(Subject::Payment), query.descending, query.limit);
        let pick = |life: &Life| payment_of(life).filter(|payment| query.admits(payment)).cloned();
        let (rows, next) = self.book().lives(window, pick);
        ready(Ok(PaymentPage { rows, next: next.and_then(Subject::payment) }))
    }

    fn inquiry(&self, id: InquiryId) -> Pending<'_, Result<Option<Kept<Inquiry>>, StoreError>> {
        let kept = self.book().lives.get(&Subject::Inquiry(id)).cloned();
        ready(Ok(kept.and_then(|kept| as_kept(&kept, inquiry_of))))
    }

    fn inquiries<'a>(
        &'a self,
        query: &'a InquiryQuery,
    ) -> Pending<'a, Result<InquiryPage, StoreError>> {
        let window = (query.after.map(Subject::Inquiry), query.descending, query.limit);
        let pick = |life: &Life| inquiry_of(life).filter(|inquiry| query.admits(inquiry)).cloned();
        let (rows, next) = self.book().lives(window, pick);
        ready(Ok(InquiryPage { rows, next: next.and_then(Subject::inquiry) }))
    }

    fn text(&self, id: TextId) -> Pending<'_, Result<Option<Kept<Text>>, StoreError>> {
        let kept = self.book().lives.get(&Subject::Text(id)).cloned();
        ready(Ok(kept.and_then(|kept| as_kept(&kept, text_of))))
    }

    fn texts<'a>(&'a self, query: &'a TextQuery) -> Pending<'a, Result<TextPage, StoreError>> {
        let window = (query.after.map(Subject::Text), query.descending, query.limit);
        let pick = |life: &Life| text_of(life).filter(|text| query.admits(text)).cloned();
        let (rows, next) = self.book().lives(window, pick);
        ready(Ok(TextPage { rows, next: next.and_then(Subject::text) }))
    }

    fn expected<'a>(
        &'a self,
        account: &'a str,
    ) -> Pending<'a, Result<Option<Expected>, StoreError>> {
        ready(Ok(self.book().expected.get(&account_key(account)).cloned()))
    }

    fn events_of(&self, about: Subject) -> Pending<'_, Result<Vec<FeedEvent>, StoreError>> {
        ready(Ok(self.book().events_of(about)))
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
