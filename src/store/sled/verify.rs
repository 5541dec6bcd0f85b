//! Reading everything: every checksum, every index both ways, the chain.

use std::collections::BTreeMap;

use super::Shared;
use super::cases;
use super::codec;
use super::disk::Disk;
use super::keys::{self, Kind, PIECE};
use super::lives;
use super::others;
use super::pages::{self, damaged};
use super::read::{self, Cursor};
use crate::domain::id::{InquiryId, MessageId, PaymentId, PayoutId, TextId};
use crate::domain::payment::validation::Expected;
use crate::domain::subject::Subject;
use crate::store::chain::{self, Head};
use crate::store::{App, Case, Counts, Kept, Life, RailRecord, StoreError, Verified};

/// The most faults that are listed; reading goes on beyond them only to count.
const FAULTS_MAX: usize = 100;

/// Reads it all, in bounded memory.
///
/// It may run while commits are taken: what looks wrong is then looked at again, and what can only
/// be judged at rest (sums and counts) is left out if anything was written meanwhile.
///
/// # Errors
/// `Failed` when the disk cannot be read at all; what is wrong with records is in the answer.
pub(super) fn everything(shared: &Shared, disk: &Disk) -> Result<Verified, StoreError> {
    let at_first = shared.view().meta;
    let mut check = Check {
        disk,
        found: Verified::default(),
        counts: Counts::default(),
        entries_due: 0,
        linked_due: 0,
        pieces_due: 0,
        kept: BTreeMap::new(),
    };
    let linked = check.events(at_first.head)?;
    check.found.payouts = check.lives(|id| Subject::Payout(PayoutId::from_bytes(id)))?;
    let others: [fn([u8; keys::ID_LEN]) -> Subject; 3] = [
        |id| Subject::Payment(PaymentId::from_bytes(id)),
        |id| Subject::Inquiry(InquiryId::from_bytes(id)),
        |id| Subject::Text(TextId::from_bytes(id)),
    ];
    for of in others {
        let read = check.lives(of)?;
        check.found.others = check.found.others.saturating_add(read);
    }
    check.messages()?;
    check.cases()?;
    check.others()?;
    let entries = check.indexes()?;
    let pieces = disk.count(PIECE)?;
    // They hold the number of the last group of writes: alike, nothing was written meanwhile.
    if shared.view().meta == at_first {
        let sums = [
            (check.counts == at_first.counts, "the counts do not agree with the records"),
            (check.entries_due == entries, "an index has entries that no record has"),
            (check.linked_due == linked, "the histories do not lead to every event"),
            (check.pieces_due == pieces, "there are pieces of no record"),
        ];
        for (_agrees, says) in sums.into_iter().filter(|(agrees, _says)| !agrees) {
            check.fault(says.to_owned());
        }
        for (kind, due) in Kind::COUNTED.into_iter().zip(at_first.kept) {
            let kept = check.kept.get(&kind).copied().unwrap_or_default();
            if kept != due {
                check.fault(format!(
                    "of {due} records of the kind \"{}\" {kept} can be read",
                    kind.name()
                ));
            }
        }
    }
    Ok(check.found)
}

struct Check<'a> {
    disk: &'a Disk,
    found: Verified,
    counts: Counts,
    /// How many index entries the records should have.
    entries_due: u64,
    /// How many events the histories lead to.
    linked_due: u64,
    /// How many pieces the records should have.
    pieces_due: u64,
    /// How many records of each kind were read.
    kept: BTreeMap<Kind, u64>,
}

impl Check<'_> {
    fn fault(&mut self, says: String) {
        if self.found.faults.len() < FAULTS_MAX {
            self.found.faults.push(says);
        }
    }

    /// Reads every record of a kind; a fault in one does not hide the rest.
    fn each(
        &mut self,
        kind: Kind,
        mut look: impl FnMut(&mut Self, &[u8], Vec<u8>) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let disk = self.disk;
        let mut cursor = Cursor::new(disk, kind, (&[], None), false);
        let mut count = 0_u64;
        loop {
            let (key, stored) = match cursor.next() {
                Ok(Some(entry)) => entry,
                Ok(None) => {
                    self.kept.insert(kind, count);
                    return Ok(count);
                }
                Err(StoreError::Damaged(says)) => {
                    self.fault(says);
                    continue;
                }
                Err(error) => return Err(error),
            };
            count = count.saturating_add(1);
            if let Ok(pieces) = pages::pieces_of(&stored) {
                self.pieces_due = self.pieces_due.saturating_add(u64::from(pieces));
            }
            let looked = pages::unfold(kind, &key, &stored, |piece| disk.get(piece))
                .and_then(|value| look(self, &key, value));
            match looked {
                Ok(()) => {}
                Err(StoreError::Damaged(says)) => self.fault(says),
                Err(error) => return Err(error),
            }
        }
    }

    /// The chain up to `end`; gives how many events belong to a history.
    fn events(&mut self, end: Head) -> Result<u64, StoreError> {
        let mut head = Head::default();
        let mut linked = 0_u64;
        let count = self.each(Kind::Event, |check, key, value| {
            let flawed = |flaw| damaged(Kind::Event, key, flaw);
            let seq = key
                .try_into()
                .map(u64::from_be_bytes)
                .map_err(|_error| flawed("it has no number"))?;
            if seq > end.seq {
                // It was written since we began.
                return Ok(());
            }
            let read = codec::read_event(seq, &value).map_err(flawed)?;
            if seq != head.seq.saturating_add(1) {
                check.fault(format!("events are missing before number {seq}"));
            }
            let bytes = chain::event_bytes(&read.event.event).map_err(StoreError::Failed)?;
            let due = head.take(read.event.previous, &bytes);
            if due != (seq, read.event.hash) {
                check.fault(format!("the event chain is broken at number {seq}"));
            }
            // Go on from what is there, so that one break is one fault.
            head = Head { seq, hash: read.event.hash };
            linked = linked.saturating_add(u64::from(read.is_linked));
            Ok(())
        })?;
        if head != end {
            self.fault(format!("the feed ends at number {} and not at {}", head.seq, end.seq));
        }
        self.found.events = count;
        Ok(linked)
    }

    /// Everything of a kind with a life, its index entries and its history.
    fn lives(&mut self, of: fn([u8; keys::ID_LEN]) -> Subject) -> Result<u64, StoreError> {
        let kind = lives::kind_of(of([0; keys::ID_LEN]));
        self.each(kind, |check, key, value| {
            let flawed = |flaw| damaged(kind, key, flaw);
            let subject = of(codec::read_bytes(key).map_err(flawed)?);
            let kept = codec::read_life(subject, &value).map_err(flawed)?;
            if kept.value.subject() != subject {
                return Err(flawed("it stands under another id"));
            }
            check.counts.moved(None, &kept.value);
            check.entries(&kept)?;
            check.history(&kept)
        })
    }

    fn entries(&mut self, kept: &Kept<Life>) -> Result<(), StoreError> {
        let life = &kept.value;
        let subject = life.subject();
        let fixed = lives::fixed_entries(life);
        let due = fixed.into_iter().chain(lives::moving_entries(life));
        for (kind, key) in due {
            self.entries_due = self.entries_due.saturating_add(1);
            if !pages::exists(self.disk, kind, &key)? && self.still_stands(kept)? {
                self.fault(format!("{subject} is missing in the {}", kind.name()));
            }
        }
        for unique in life.uniques() {
            self.entries_due = self.entries_due.saturating_add(1);
            let owner = others::owner(self.disk, &unique)?;
            if owner != Some(subject.bytes()) && self.still_stands(kept)? {
                self.fault(format!("{subject} cannot be found by its {}", unique.name()));
            }
        }
        if let Life::Payout(payout) = life
            && let Some(conversation) = payout.state.conversation()
        {
            let key = keys::conversation(conversation);
            if !pages::exists(self.disk, Kind::Conversation, &key)? {
                self.fault(format!("{subject} cannot be found by its conversation"));
            }
        }
        Ok(())
    }

    /// Whether it has not moved since it was read.
    fn still_stands(&self, kept: &Kept<Life>) -> Result<bool, StoreError> {
        let subject = kept.value.subject();
        let version = |bytes: &[u8]| codec::split_life(bytes).map(|(version, _, _)| version);
        let kind = lives::kind_of(subject);
        let now = read::record_of(self.disk, kind, subject.bytes(), version)?;
        Ok(now == Some(kept.version))
    }

    fn history(&mut self, kept: &Kept<Life>) -> Result<(), StoreError> {
        let subject = kept.value.subject();
        let mut next = kept.last_event;
        while let Some(seq) = next {
            let Some(read) = read::event(self.disk, seq)? else {
                self.fault(format!("event {seq} of {subject} is missing"));
                return Ok(());
            };
            next = read.event.previous;
            let goes_back = next.is_none_or(|next| next < seq);
            if read.event.event.about != Some(subject) || !read.is_linked || !goes_back {
                self.fault(format!("the history of {subject} leads to event {seq}, not its own"));
                return Ok(());
            }
            self.linked_due = self.linked_due.saturating_add(1);
        }
        Ok(())
    }

    fn messages(&mut self) -> Result<(), StoreError> {
        self.found.messages = self.each(Kind::Message, |_check, key, value| {
            let flawed = |flaw| damaged(Kind::Message, key, flaw);
            let id = key.try_into().map_err(|_error| flawed("it has no id"))?;
            codec::read_message(MessageId::from_bytes(id), &value).map_err(flawed)?;
            Ok(())
        })?;
        Ok(())
    }

    /// Every case and its index entries.
    fn cases(&mut self) -> Result<(), StoreError> {
        self.each(Kind::Case, |check, key, value| {
            let read = codec::read::<Case>(&value);
            let case = read.map_err(|flaw| damaged(Kind::Case, key, flaw))?;
            if case.id.bytes() != key {
                return Err(damaged(Kind::Case, key, "it stands under another id"));
            }
            let mut due = keys::fixed_case_entries(&case);
            if case.closed.is_none() {
                check.counts.case_opened();
                due.extend(keys::open_case_entries(&case));
            }
            for (kind, key) in due {
                check.entries_due = check.entries_due.saturating_add(1);
                if !pages::exists(check.disk, kind, &key)? && check.is_as_read(&case)? {
                    check.fault(format!("{} is missing in the {}", case.id, kind.name()));
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    /// Whether it has not been closed since it was read.
    fn is_as_read(&self, case: &Case) -> Result<bool, StoreError> {
        Ok(cases::case(self.disk, case.id)?.is_some_and(|now| now == *case))
    }

    /// Used keys, rails, applications.
    fn others(&mut self) -> Result<(), StoreError> {
        self.each(Kind::Claim, |_check, key, value| {
            let read = codec::read_claim(&value).map(|_claim| ());
            read.map_err(|flaw| damaged(Kind::Claim, key, flaw))
        })?;
        self.each(Kind::Rail, |_check, key, value| {
            let read = codec::read::<RailRecord>(&value);
            let record = read.map_err(|flaw| damaged(Kind::Rail, key, flaw))?;
            if keys::rail(record.rail) == key {
                Ok(())
            } else {
                Err(damaged(Kind::Rail, key, "it stands under another name"))
            }
        })?;
        self.each(Kind::Expected, |_check, key, value| {
            let read = codec::read::<Expected>(&value).map(|_expected| ());
            read.map_err(|flaw| damaged(Kind::Expected, key, flaw))
        })?;
        self.each(Kind::App, |_check, key, value| {
            let read = codec::read::<App>(&value).map(|_app| ());
            read.map_err(|flaw| damaged(Kind::App, key, flaw))
        })?;
        Ok(())
    }

    /// Every index from its own side. Gives how many entries there are that lead to a record of
    /// their own; since every record was seen to have all of its own, more would be orphans.
    fn indexes(&mut self) -> Result<u64, StoreError> {
        let mut entries = 0_u64;
        for kind in Kind::INDEXES {
            let count = self.each(kind, |_check, key, _value| {
                // Of a payout or of a case: both have ids of the same length.
                let id = keys::payout_in(key);
                id.map(|_id| ()).ok_or_else(|| damaged(kind, key, "it has no id"))
            })?;
            entries = entries.saturating_add(count);
        }
        for kind in Kind::UNIQUES {
            let count = self.each(kind, |_check, key, value| {
                codec::read_bytes(&value).map(|_id| ()).map_err(|flaw| damaged(kind, key, flaw))
            })?;
            entries = entries.saturating_add(count);
        }
        let conversations = self.each(Kind::Conversation, |check, key, value| {
            let id =
                codec::read_id(&value).map_err(|flaw| damaged(Kind::Conversation, key, flaw))?;
            check.leads_somewhere(id, key)
        })?;
        self.found.indexes = entries.saturating_add(conversations);
        Ok(entries)
    }

    fn leads_somewhere(&self, id: PayoutId, key: &[u8]) -> Result<(), StoreError> {
        if pages::exists(self.disk, Kind::Payout, &id.bytes())? {
            Ok(())
        } else {
            Err(damaged(Kind::Conversation, key, "its payout is missing"))
        }
    }
}
