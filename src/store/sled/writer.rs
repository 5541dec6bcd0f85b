//! The one writer: it takes what is waiting, writes it together, syncs once, and answers all.
//!
//! While it syncs, the next group gathers; there is no timer. A commit that is refused leaves
//! nothing behind, because all its checks come before its first write. When anything fails that is
//! not a refusal, it cannot be said what is on the disk: every commit of the group and every later
//! one is answered `Broken`, and nothing is tried again on this handle.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use tokio::sync::oneshot;

use super::Shared;
use super::cases::{self, Bar};
use super::codec::{self, Meta};
use super::disk::Disk;
use super::keys::{self, Kind};
use super::mark::Mark;
use super::pages::{Pages, damaged};
use crate::domain::id::{AppId, PayoutId};
use crate::domain::payout::Payout;
use crate::store::{
    Case, CaseClosing, Claim, Commit, CommitError, Durable, GROUP_LEN_MAX, Health, Remembered,
    StoreError, Stored, chain,
};

/// What is asked of the writer.
pub(super) enum Order {
    /// To write this.
    Commit(Box<Job>),
    /// To end, once all before it is done.
    Close,
}

/// A commit and who waits for it.
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) answer: oneshot::Sender<Result<Durable, CommitError>>,
}

/// A commit made ready by its maker, so that the writer has only to put it in its place.
pub(super) struct Work {
    payouts: Vec<PayoutWork>,
    claims: Vec<Claim>,
    events: Vec<(Option<PayoutId>, Vec<u8>)>,
    /// New cases, and their records.
    cases: Vec<(Case, Vec<u8>)>,
    closings: Vec<CaseClosing>,
    /// What has no checks: messages, rails, applications.
    records: Vec<(Kind, Vec<u8>, Vec<u8>)>,
}

struct PayoutWork {
    payout: Payout,
    expected_version: u64,
    body: Vec<u8>,
}

impl Work {
    /// Encodes a commit.
    ///
    /// # Errors
    /// In words, when it cannot be.
    pub(super) fn of(commit: Commit) -> Result<Self, String> {
        let mut records = Vec::new();
        for message in &commit.messages {
            let value = codec::write_message(message)?;
            records.push((Kind::Message, message.id.bytes().to_vec(), value));
        }
        for rail in &commit.rails {
            records.push((Kind::Rail, keys::rail(rail.rail), codec::write(rail)?));
        }
        for app in &commit.apps {
            records.push((Kind::App, app.id.bytes().to_vec(), codec::write(app)?));
        }
        let events = commit
            .events
            .iter()
            .map(|event| Ok((event.payout, chain::event_bytes(event)?)))
            .collect::<Result<_, String>>()?;
        let cases = commit
            .cases
            .into_iter()
            .map(|case| {
                let record = codec::write(&case)?;
                Ok((case, record))
            })
            .collect::<Result<_, String>>()?;
        let payouts = commit
            .payouts
            .into_iter()
            .map(|write| {
                Ok(PayoutWork {
                    body: codec::payout_body(&write.payout)?,
                    payout: write.payout,
                    expected_version: write.expected_version,
                })
            })
            .collect::<Result<_, String>>()?;
        let Commit { claims, closings, .. } = commit;
        Ok(Self { payouts, claims, events, cases, closings, records })
    }
}

/// Why a commit of a group was not put in its place.
enum Stop {
    /// It alone is refused.
    Refused(CommitError),
    /// The store is done with.
    Failed(StoreError),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<Bar> for Stop {
    fn from(bar: Bar) -> Self {
        match bar {
            Bar::Refused(refusal) => Self::Refused(refusal),
            Bar::Failed(error) => Self::Failed(error),
        }
    }
}

/// Runs until it is told to close or nobody can give orders any more.
pub(super) fn run(
    orders: &Receiver<Order>,
    shared: &Shared,
    disk: Arc<Disk>,
    meta: Meta,
    mark: &Mark,
) {
    let mut guard = EndGuard { shared, is_closing: false };
    let mut meta = meta;
    while let Some((group, is_last)) = gather(orders) {
        if !group.is_empty() {
            take(group, shared, &disk, (&mut meta, mark));
        }
        if is_last {
            guard.is_closing = true;
            break;
        }
    }
    // Nobody can ask any more, or we were told to end: both are an orderly end.
    guard.is_closing = true;
    drop(disk);
}

/// Says that the store has failed if the writer ends in disorder: sled may panic.
struct EndGuard<'a> {
    shared: &'a Shared,
    is_closing: bool,
}

impl Drop for EndGuard<'_> {
    fn drop(&mut self) {
        if !self.is_closing {
            self.shared.fail("its writer stopped");
        }
    }
}

/// What is waiting now; `None` when nothing can come any more. The flag says that nothing is to
/// be taken after it.
fn gather(orders: &Receiver<Order>) -> Option<(Vec<Job>, bool)> {
    let mut group = Vec::new();
    let mut next = orders.recv().ok();
    next.as_ref()?;
    loop {
        match next {
            Some(Order::Commit(job)) => group.push(*job),
            Some(Order::Close) => return Some((group, true)),
            None => return Some((group, false)),
        }
        if group.len() >= GROUP_LEN_MAX {
            return Some((group, false));
        }
        next = orders.try_recv().ok();
    }
}

/// Writes a group and answers everyone in it.
fn take(group: Vec<Job>, shared: &Shared, disk: &Disk, (meta, mark): (&mut Meta, &Mark)) {
    if let Health::Failed(why) = shared.health() {
        for job in group {
            answer(job.answer, Err(CommitError::Broken(why.clone())));
        }
        return;
    }
    let mut place = Placing { pages: Pages::new(disk), meta: *meta, apps: Vec::new() };
    let mut verdicts = Vec::with_capacity(group.len());
    let mut failure = None;
    for job in group {
        let verdict = match failure {
            None => place.put(job.work),
            Some(_) => Ok(()),
        };
        match verdict {
            Ok(()) => verdicts.push((job.answer, None)),
            Err(Stop::Refused(refusal)) => verdicts.push((job.answer, Some(refusal))),
            Err(Stop::Failed(error)) => {
                failure = Some(error);
                verdicts.push((job.answer, None));
            }
        }
    }
    let is_work = verdicts.iter().any(|(_answer, refusal)| refusal.is_none());
    let outcome = match failure {
        None if is_work => place.write(disk, shared, (meta, mark)),
        None => Ok(()),
        Some(error) => Err(error),
    };
    let why = outcome.err().map(|error| error.to_string());
    if let Some(why) = &why {
        shared.fail(why);
    }
    for (sender, refusal) in verdicts {
        // A refusal, too, rests on what this group wrote: it is as unsure as the group is.
        let verdict = match (&why, refusal) {
            (Some(why), _) => Err(CommitError::Broken(why.clone())),
            (None, Some(refusal)) => Err(refusal),
            (None, None) => Ok(Durable(())),
        };
        answer(sender, verdict);
    }
}

/// Who no longer waits has gone; what was written stays.
fn answer(
    sender: oneshot::Sender<Result<Durable, CommitError>>,
    verdict: Result<Durable, CommitError>,
) {
    drop(sender.send(verdict));
}

/// A group on its way to the disk.
struct Placing<'a> {
    pages: Pages<'a>,
    meta: Meta,
    /// Whose payouts are new.
    apps: Vec<AppId>,
}

impl Placing<'_> {
    /// Puts one commit in its place, or refuses it untouched.
    fn put(&mut self, work: Work) -> Result<(), Stop> {
        let claims = self.check_claims(&work.claims)?;
        let mut stored = self.check_payouts(&work.payouts)?;
        let cases: Vec<&Case> = work.cases.iter().map(|(case, _record)| case).collect();
        let closed = cases::check(&mut self.pages, &cases, work.closings)?;
        for (key, claim) in claims {
            self.pages.put(Kind::Claim, key, &codec::write_claim(claim))?;
        }
        let mut bodies = BTreeMap::new();
        for write in work.payouts {
            self.move_indexes(stored.get(&write.payout.details.id), &write.payout)?;
            let id = write.payout.details.id;
            let before = stored.remove(&id);
            let after = Stored {
                version: write.expected_version.saturating_add(1),
                last_event: before.and_then(|it| it.last_event),
                payout: write.payout,
            };
            stored.insert(id, after);
            bodies.insert(id, write.body);
        }
        let mut last_events: BTreeMap<PayoutId, (u64, Option<u64>)> =
            stored.iter().map(|(id, it)| (*id, (it.version, it.last_event))).collect();
        for (payout, event) in work.events {
            self.put_event(payout, &event, &mut last_events, &mut bodies)?;
        }
        for (id, body) in bodies {
            let (version, last_event) = last_events.get(&id).copied().unwrap_or_default();
            let record = codec::write_payout(version, last_event, &body);
            self.pages.put(Kind::Payout, id.bytes().to_vec(), &record)?;
        }
        for (case, record) in work.cases {
            self.open_case(&case, &record)?;
        }
        for case in closed {
            self.close_case(&case)?;
        }
        for (kind, key, value) in work.records {
            self.pages.put(kind, key, &value)?;
        }
        Ok(())
    }

    fn open_case(&mut self, case: &Case, record: &[u8]) -> Result<(), StoreError> {
        self.pages.put(Kind::Case, case.id.bytes().to_vec(), record)?;
        for (kind, key) in keys::fixed_case_entries(case) {
            self.pages.put(kind, key, &[])?;
        }
        if case.closed.is_none() {
            for (kind, key) in keys::open_case_entries(case) {
                self.pages.put(kind, key, &[])?;
            }
            self.meta.counts.case_opened();
        }
        Ok(())
    }

    /// Writes a case as it stands once it is closed.
    fn close_case(&mut self, case: &Case) -> Result<(), StoreError> {
        let record = codec::write(case).map_err(StoreError::Failed)?;
        self.pages.put(Kind::Case, case.id.bytes().to_vec(), &record)?;
        for (kind, key) in keys::open_case_entries(case) {
            self.pages.remove(kind, &key)?;
        }
        self.meta.counts.case_closed();
        Ok(())
    }

    /// That no key was used before, by another commit or by this one.
    fn check_claims<'c>(
        &mut self,
        claims: &'c [Claim],
    ) -> Result<BTreeMap<Vec<u8>, &'c Claim>, Stop> {
        let mut own: BTreeMap<Vec<u8>, &Claim> = BTreeMap::new();
        for claim in claims {
            let key = keys::claim(claim.app, &claim.key);
            let used = match own.get(&key) {
                Some(claim) => {
                    Some(Remembered { fingerprint: claim.fingerprint, payout: claim.payout })
                }
                None => self
                    .pages
                    .find(Kind::Claim, &key)?
                    .map(|bytes| codec::read_claim(&bytes))
                    .transpose()
                    .map_err(|flaw| damaged(Kind::Claim, &key, flaw))?,
            };
            if let Some(used) = used {
                return Err(Stop::Refused(CommitError::Claimed(used)));
            }
            own.insert(key, claim);
        }
        Ok(own)
    }

    /// That every payout stands where the commit was decided on; gives those that stand already.
    fn check_payouts(&mut self, writes: &[PayoutWork]) -> Result<BTreeMap<PayoutId, Stored>, Stop> {
        let mut stored = BTreeMap::new();
        let mut own = BTreeMap::new();
        for write in writes {
            let details = &write.payout.details;
            let id = details.id;
            if let std::collections::btree_map::Entry::Vacant(place) = stored.entry(id) {
                place.insert(self.payout(id)?);
            }
            let before = stored.get(&id).and_then(Option::as_ref);
            let (version, taken) = own
                .get(&id)
                .copied()
                .or_else(|| before.map(|it| (it.version, &it.payout.details)))
                .unwrap_or((0, details));
            if version != write.expected_version || taken != details {
                return Err(Stop::Refused(CommitError::Conflict(id)));
            }
            own.insert(id, (version.saturating_add(1), details));
        }
        Ok(stored.into_iter().filter_map(|(id, it)| Some((id, it?))).collect())
    }

    fn payout(&mut self, id: PayoutId) -> Result<Option<Stored>, StoreError> {
        let key = id.bytes();
        let record = self.pages.find(Kind::Payout, &key)?;
        record
            .map(|bytes| codec::read_payout(&bytes))
            .transpose()
            .map_err(|flaw| damaged(Kind::Payout, &key, flaw))
    }

    /// Takes the payout from where it stood in the indexes and the counts to where it stands.
    fn move_indexes(&mut self, before: Option<&Stored>, after: &Payout) -> Result<(), StoreError> {
        let id = after.details.id;
        let new = keys::moving_entries(after);
        let old = before.map_or_else(Vec::new, |it| keys::moving_entries(&it.payout));
        for (kind, key) in old.iter().filter(|entry| !new.contains(entry)) {
            self.pages.remove(*kind, key)?;
        }
        for (kind, key) in new.into_iter().filter(|entry| !old.contains(entry)) {
            self.pages.put(kind, key, &[])?;
        }
        if before.is_none() {
            for (kind, key) in keys::fixed_entries(after) {
                self.pages.put(kind, key, &[])?;
            }
            self.apps.push(after.details.app);
        }
        let conversation = after.state.conversation();
        if before.and_then(|it| it.payout.state.conversation()) != conversation
            && let Some(conversation) = conversation
        {
            let key = keys::conversation(conversation);
            self.pages.put(Kind::Conversation, key, &id.bytes())?;
        }
        self.meta.counts.moved(before.map(|it| it.payout.status()), after);
        Ok(())
    }

    /// Numbers an event and ties it to its payout's last one.
    fn put_event(
        &mut self,
        payout: Option<PayoutId>,
        event: &[u8],
        last_events: &mut BTreeMap<PayoutId, (u64, Option<u64>)>,
        bodies: &mut BTreeMap<PayoutId, Vec<u8>>,
    ) -> Result<(), StoreError> {
        if let Some(id) = payout
            && !bodies.contains_key(&id)
            && let Some(record) = self.pages.find(Kind::Payout, &id.bytes())?
        {
            // An event about a payout that this commit does not move.
            let (version, last_event, body) = codec::split_payout(&record)
                .map_err(|flaw| damaged(Kind::Payout, &id.bytes(), flaw))?;
            last_events.insert(id, (version, last_event));
            bodies.insert(id, body.to_vec());
        }
        let about = payout.and_then(|id| last_events.get_mut(&id));
        let previous = about.as_ref().and_then(|(_version, last)| *last);
        let (seq, hash) = self.meta.head.take(previous, event);
        let record = codec::write_event(about.is_some(), previous, &hash, event);
        if let Some((_version, last)) = about {
            *last = Some(seq);
        }
        self.pages.put(Kind::Event, seq.to_be_bytes().to_vec(), &record)
    }

    /// Puts the group on the disk, and then shows that it is there.
    fn write(
        mut self,
        disk: &Disk,
        shared: &Shared,
        (meta, mark): (&mut Meta, &Mark),
    ) -> Result<(), StoreError> {
        self.meta.groups = self.meta.groups.saturating_add(1);
        for (count, kind) in self.meta.kept.iter_mut().zip(Kind::COUNTED) {
            *count = count.saturating_add(self.pages.added(kind));
        }
        let mut writes = self.pages.into_writes();
        let numbers = codec::write_meta(&self.meta).map_err(StoreError::Failed)?;
        writes.push((keys::META.to_vec(), Some(numbers)));
        shared.know_apps(self.apps);
        disk.write(writes)?;
        mark.put(self.meta.groups)
            .map_err(|error| StoreError::Failed(format!("cannot write the mark: {error}")))?;
        *meta = self.meta;
        shared.publish(self.meta);
        Ok(())
    }
}
