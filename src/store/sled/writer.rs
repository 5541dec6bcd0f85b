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
use super::lives;
use super::mark::Mark;
use super::pages::{Pages, damaged};
use crate::domain::id::{AppId, ConversationId};
use crate::domain::payment::validation::Expected;
use crate::domain::subject::Subject;
use crate::store::{
    Case, CaseClosing, Claim, Commit, CommitError, Durable, GROUP_LEN_MAX, Health, Kept, Life,
    Remembered, StoreError, Unique, chain,
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
    lives: Vec<LifeWork>,
    claims: Vec<Claim>,
    events: Vec<(Option<Subject>, Vec<u8>)>,
    /// New cases, and their records.
    cases: Vec<(Case, Vec<u8>)>,
    closings: Vec<CaseClosing>,
    /// What has no checks: messages, rails, applications.
    records: Vec<(Kind, Vec<u8>, Vec<u8>)>,
    expected: Vec<Expected>,
    paid_accounts: Vec<String>,
}

struct LifeWork {
    life: Life,
    expected_version: u64,
    body: Vec<u8>,
}

impl LifeWork {
    fn of(life: Life, expected_version: u64) -> Result<Self, String> {
        Ok(Self { body: codec::body_of(&life)?, life, expected_version })
    }
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
            .map(|event| Ok((event.about, chain::event_bytes(event)?)))
            .collect::<Result<_, String>>()?;
        let cases = commit
            .cases
            .into_iter()
            .map(|case| {
                let record = codec::write(&case)?;
                Ok((case, record))
            })
            .collect::<Result<_, String>>()?;
        if commit.lives.iter().any(|write| matches!(write.life, Life::Payout(_))) {
            return Err("a payout stands among other lives".to_owned());
        }
        let payouts = commit.payouts.into_iter();
        let payouts = payouts.map(|it| LifeWork::of(Life::Payout(it.payout), it.expected_version));
        let others = commit.lives.into_iter();
        let others = others.map(|it| LifeWork::of(it.life, it.expected_version));
        let lives = payouts.chain(others).collect::<Result<_, String>>()?;
        let Commit { claims, closings, expected, paid_accounts, .. } = commit;
        Ok(Self { lives, claims, events, cases, closings, records, expected, paid_accounts })
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

/// M-Pesa's name for a payout, by which it can be found.
const fn conversation_of(life: &Life) -> Option<&ConversationId> {
    match life {
        Life::Payout(payout) => payout.state.conversation(),
        Life::Payment(_) | Life::Inquiry(_) | Life::Text(_) => None,
    }
}

/// What a record begins with, and its body.
struct Lead {
    version: u64,
    last: Option<u64>,
    body: Vec<u8>,
}

/// The leads of what a commit touches.
type Heads = BTreeMap<Subject, Lead>;

/// A group on its way to the disk.
struct Placing<'a> {
    pages: Pages<'a>,
    meta: Meta,
    /// Who owns what is new.
    apps: Vec<AppId>,
}

impl Placing<'_> {
    /// Puts one commit in its place, or refuses it untouched.
    fn put(&mut self, work: Work) -> Result<(), Stop> {
        let claims = self.check_claims(&work.claims)?;
        let mut stored = self.check_lives(&work.lives)?;
        self.check_uniques(&stored, &work.lives)?;
        let cases: Vec<&Case> = work.cases.iter().map(|(case, _record)| case).collect();
        let closed = cases::check(&mut self.pages, &cases, work.closings)?;
        for (key, claim) in claims {
            self.pages.put(Kind::Claim, key, &codec::write_claim(claim))?;
        }
        let mut heads: Heads = BTreeMap::new();
        for LifeWork { life, expected_version, body } in work.lives {
            let subject = life.subject();
            let before = stored.remove(&subject);
            self.move_indexes(before.as_ref().map(|it| &it.value), &life)?;
            let last_event = before.and_then(|it| it.last_event);
            let version = expected_version.saturating_add(1);
            heads.insert(subject, Lead { version, last: last_event, body });
            stored.insert(subject, Kept { value: life, version, last_event });
        }
        for (about, event) in work.events {
            self.put_event(about, &event, &mut heads)?;
        }
        for (subject, Lead { version, last, body }) in heads {
            let record = codec::write_life(version, last, &body);
            self.pages.put(lives::kind_of(subject), subject.bytes().to_vec(), &record)?;
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
        for it in work.expected {
            self.expect(&it.reference.clone(), |before| Some(it.over(before.as_ref())))?;
        }
        for account in work.paid_accounts {
            self.expect(&account, |before| before.map(Expected::paid_again))?;
        }
        Ok(())
    }

    /// Writes a reference that is expected to be paid, by how it stands.
    fn expect(
        &mut self,
        account: &str,
        change: impl FnOnce(Option<Expected>) -> Option<Expected>,
    ) -> Result<(), StoreError> {
        let key = keys::expected(account);
        let before = self.pages.find(Kind::Expected, &key)?;
        let before = before.map(|bytes| codec::read(&bytes)).transpose();
        let before = before.map_err(|flaw| damaged(Kind::Expected, &key, flaw))?;
        if let Some(after) = change(before) {
            let record = codec::write(&after).map_err(StoreError::Failed)?;
            self.pages.put(Kind::Expected, key, &record)?;
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
                    Some(Remembered { fingerprint: claim.fingerprint, made: claim.made })
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

    /// That everything stands where the commit was decided on; gives what stands already.
    fn check_lives(&mut self, writes: &[LifeWork]) -> Result<BTreeMap<Subject, Kept<Life>>, Stop> {
        let mut stored = BTreeMap::new();
        let mut own = BTreeMap::new();
        for write in writes {
            let subject = write.life.subject();
            if let std::collections::btree_map::Entry::Vacant(place) = stored.entry(subject) {
                place.insert(self.life(subject)?);
            }
            let before = stored.get(&subject).and_then(Option::as_ref);
            let (version, made) = own
                .get(&subject)
                .copied()
                .or_else(|| before.map(|it| (it.version, &it.value)))
                .unwrap_or((0, &write.life));
            if version != write.expected_version || !made.is_made_as(&write.life) {
                return Err(Stop::Refused(CommitError::Conflict(subject)));
            }
            own.insert(subject, (version.saturating_add(1), &write.life));
        }
        Ok(stored.into_iter().filter_map(|(subject, it)| Some((subject, it?))).collect())
    }

    /// That each has alone what only one may have, also after those before it in the commit.
    fn check_uniques(
        &mut self,
        stored: &BTreeMap<Subject, Kept<Life>>,
        writes: &[LifeWork],
    ) -> Result<(), Stop> {
        let mut owners: BTreeMap<Unique, Option<[u8; keys::ID_LEN]>> = BTreeMap::new();
        let mut own: BTreeMap<Subject, &Life> = BTreeMap::new();
        for LifeWork { life, .. } in writes {
            let subject = life.subject();
            let stored = stored.get(&subject).map(|it| &it.value);
            let before = own.insert(subject, life).or(stored);
            for unique in before.map(Life::uniques).unwrap_or_default() {
                owners.insert(unique, None);
            }
            for unique in life.uniques() {
                let name = unique.name();
                let owner = match owners.get(&unique) {
                    Some(owner) => *owner,
                    // It is its own already, or nobody's.
                    None => self.owner(&unique)?,
                };
                if let Some(other) = owner.filter(|owner| *owner != subject.bytes()) {
                    let other = Subject::from_key(subject.letter(), other).unwrap_or(subject);
                    return Err(Stop::Refused(CommitError::Taken(name, other)));
                }
                owners.insert(unique, Some(subject.bytes()));
            }
        }
        Ok(())
    }

    fn owner(&mut self, unique: &Unique) -> Result<Option<[u8; keys::ID_LEN]>, StoreError> {
        let (kind, key) = lives::unique(unique);
        let owner = self.pages.find(kind, &key)?.map(|id| codec::read_bytes(&id));
        owner.transpose().map_err(|flaw| damaged(kind, &key, flaw))
    }

    fn life(&mut self, subject: Subject) -> Result<Option<Kept<Life>>, StoreError> {
        let (kind, key) = (lives::kind_of(subject), subject.bytes());
        let record = self.pages.find(kind, &key)?;
        record
            .map(|bytes| codec::read_life(subject, &bytes))
            .transpose()
            .map_err(|flaw| damaged(kind, &key, flaw))
    }

    /// Takes it from where it stood in the indexes and the counts to where it stands.
    fn move_indexes(&mut self, before: Option<&Life>, after: &Life) -> Result<(), StoreError> {
        let id = after.subject().bytes();
        let new = lives::moving_entries(after);
        let old = before.map_or_else(Vec::new, lives::moving_entries);
        for (kind, key) in old.iter().filter(|entry| !new.contains(entry)) {
            self.pages.remove(*kind, key)?;
        }
        for (kind, key) in new.into_iter().filter(|entry| !old.contains(entry)) {
            self.pages.put(kind, key, &[])?;
        }
        if before.is_none() {
            for (kind, key) in lives::fixed_entries(after) {
                self.pages.put(kind, key, &[])?;
            }
            self.apps.extend(after.app());
        }
        let new = after.uniques();
        let old = before.map(Life::uniques).unwrap_or_default();
        for unique in old.iter().filter(|unique| !new.contains(unique)) {
            let (kind, key) = lives::unique(unique);
            self.pages.remove(kind, &key)?;
        }
        for unique in new.iter().filter(|unique| !old.contains(unique)) {
            let (kind, key) = lives::unique(unique);
            self.pages.put(kind, key, &id)?;
        }
        let known = before.and_then(conversation_of);
        if let Some(conversation) = conversation_of(after).filter(|new| known != Some(new)) {
            let key = keys::conversation(conversation);
            self.pages.put(Kind::Conversation, key, &id)?;
        }
        self.meta.counts.moved(before.map(Life::standing), after);
        Ok(())
    }

    /// Numbers an event and ties it to the last one about the same thing.
    fn put_event(
        &mut self,
        about: Option<Subject>,
        event: &[u8],
        heads: &mut Heads,
    ) -> Result<(), StoreError> {
        if let Some(subject) = about
            && !heads.contains_key(&subject)
            && let Some(record) = self.pages.find(lives::kind_of(subject), &subject.bytes())?
        {
            // An event about something that this commit does not move.
            let flawed = |flaw| damaged(lives::kind_of(subject), &subject.bytes(), flaw);
            let (version, last, body) = codec::split_life(&record).map_err(flawed)?;
            heads.insert(subject, Lead { version, last, body: body.to_vec() });
        }
        let about = about.and_then(|subject| heads.get_mut(&subject));
        let previous = about.as_ref().and_then(|lead| lead.last);
        let (seq, hash) = self.meta.head.take(previous, event);
        let record = codec::write_event(about.is_some(), previous, &hash, event);
        if let Some(lead) = about {
            lead.last = Some(seq);
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
        // Held until the group is on the disk: back-ups begin and end between two groups.
        let mut tee = shared.tee();
        let copy = tee.copy_of(&writes);
        let written = disk.write(writes).and_then(|()| {
            mark.put(self.meta.groups)
                .map_err(|error| StoreError::Failed(format!("cannot write the mark: {error}")))
        });
        tee.follow(copy, written.is_ok());
        written?;
        *meta = self.meta;
        shared.publish(self.meta);
        Ok(())
    }
}
