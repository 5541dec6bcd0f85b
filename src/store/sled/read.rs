//! Lists: from the most telling index, filtered, page by page.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use super::block::{self, Entry};
use super::codec;
use super::disk::{Disk, Raw};
use super::keys::{self, Kind};
use super::lives;
use super::pages::{self, Near, damaged};
use crate::domain::id::{AppId, PayoutId, Receipt};
use crate::domain::subject::Subject;
use crate::store::{
    FeedEvent, PAGE_LEN_MAX, PAGE_SCAN_MAX, PAYOUT_EVENTS_MAX, PayoutPage, PayoutQuery, StoreError,
    Stored,
};

/// Walks over the records of one kind within bounds, in either direction, while others write.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    disk: &'a Disk,
    kind: Kind,
    descending: bool,
    /// The first key that is still wanted, its kind's letter included.
    low: Vec<u8>,
    /// The first key that no longer is.
    high: Vec<u8>,
    /// Up to where blocks have been read: the key of the last one.
    reached: Option<Bytes>,
    /// Whether the way on cannot be read.
    is_cut_off: bool,
    buffer: VecDeque<Entry>,
}

impl<'a> Cursor<'a> {
    /// Over the keys of `kind` from `low` up to, but without, `high` (`None`: to the end).
    pub(super) fn new(
        disk: &'a Disk,
        kind: Kind,
        (low, high): (&[u8], Option<&[u8]>),
        descending: bool,
    ) -> Self {
        let letter = kind.letter();
        Self {
            disk,
            kind,
            descending,
            low: [&[letter], low].concat(),
            high: high
                .map_or_else(|| vec![letter.saturating_add(1)], |high| [&[letter], high].concat()),
            reached: None,
            is_cut_off: false,
            buffer: VecDeque::new(),
        }
    }

    /// The next record: its key, and what stands in the block for its value.
    ///
    /// # Errors
    /// `Damaged` when a block cannot be read; asked again, it goes on with the next one. Where sled
    /// itself cannot read its file, nobody can say where the next one is: that is the end.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, StoreError> {
        loop {
            if let Some(entry) = self.buffer.pop_front() {
                self.pass(&entry.0);
                return Ok(Some(entry));
            }
            if self.is_cut_off {
                return Ok(None);
            }
            let block = self.next_block();
            self.is_cut_off = block.is_err();
            let Some((name, bytes)) = block? else {
                return Ok(None);
            };
            // First, so that whoever goes on after a damaged block goes on behind it.
            self.reached = Some(name.clone());
            let (_letter, within) = name.split_at_checked(1).unwrap_or_default();
            let mut entries =
                block::read(&bytes).map_err(|flaw| damaged(self.kind, within, flaw))?;
            if entries.first().is_some_and(|(key, _)| key.as_ref() < within) {
                return Err(damaged(self.kind, within, "a key stands in the wrong block"));
            }
            if self.descending {
                entries.reverse();
            }
            let wanted = entries.into_iter().filter(|(key, _)| self.is_wanted(key));
            self.buffer = wanted.collect();
        }
    }

    fn next_block(&self) -> Result<Option<Raw>, StoreError> {
        let block = match (&self.reached, self.descending) {
            (None, false) => match self.disk.block_of(self.kind, &self.low)? {
                Some(block) => Some(block),
                None => self.disk.block_after(self.kind, &self.low)?,
            },
            (Some(name), false) => self.disk.block_after(self.kind, name)?,
            (None, true) => self.disk.block_before(self.kind, &self.high)?,
            // The block that held the low end has been read: nothing wanted lies before it.
            (Some(name), true) if name.as_ref() <= self.low.as_slice() => None,
            (Some(name), true) => self.disk.block_before(self.kind, name)?,
        };
        Ok(block.filter(|(name, _bytes)| name.as_ref() < self.high.as_slice()))
    }

    /// Never goes back: a block may be split or emptied behind us.
    fn pass(&mut self, key: &[u8]) {
        let full = [&[self.kind.letter()], key].concat();
        if self.descending {
            self.high = full;
        } else {
            self.low = full;
            // The next key that is possible.
            self.low.push(0);
        }
    }

    fn is_wanted(&self, key: &[u8]) -> bool {
        let (low, high) = (self.low.get(1..), self.high.get(1..));
        let is_last = self.high.first() != Some(&self.kind.letter());
        low.is_some_and(|low| key >= low) && (is_last || high.is_some_and(|high| key < high))
    }
}

/// Ids that are wanted: from the first, and before the second (`None`: to the end).
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    low: [u8; keys::ID_LEN],
    high: Option<[u8; keys::ID_LEN]>,
}

impl Bounds {
    const NONE: Self = Self { low: [0; keys::ID_LEN], high: None };

    /// Those beyond the end of the last page.
    pub(super) fn beyond(after: Option<[u8; keys::ID_LEN]>, descending: bool) -> Self {
        Self::NONE.narrowed(after, descending)
    }

    /// A payout is taken at the time that its id holds, so that a time is a place among the ids.
    fn of(query: &PayoutQuery) -> Self {
        let mut low = [0; keys::ID_LEN];
        let mut high = None;
        if let Some(from) = query.created_from {
            low = PayoutId::first_at(from).bytes();
        }
        if let Some(to) = query.created_to {
            high = Some(PayoutId::first_at(to).bytes());
        }
        Self { low, high }.narrowed(query.after.map(PayoutId::bytes), query.descending)
    }

    fn narrowed(self, after: Option<[u8; keys::ID_LEN]>, descending: bool) -> Self {
        let Self { mut low, mut high } = self;
        match after {
            Some(after) if descending => {
                high = Some(high.map_or(after, |high| high.min(after)));
            }
            Some(after) => {
                let next = u128::from_be_bytes(after).checked_add(1);
                match next {
                    Some(next) => low = low.max(next.to_be_bytes()),
                    None => high = Some(low),
                }
            }
            None => {}
        }
        Self { low, high }
    }

    /// The part of an index under `prefix` that lies within.
    pub(super) fn under<'a>(
        self,
        disk: &'a Disk,
        kind: Kind,
        prefix: &[u8],
        descending: bool,
    ) -> Cursor<'a> {
        let low = [prefix, self.low.as_slice()].concat();
        let high = match self.high {
            Some(high) => Some([prefix, high.as_slice()].concat()),
            // Longer than any id under this prefix, and below every other prefix.
            None if prefix.is_empty() => None,
            None => Some([prefix, &[0xFF; keys::ID_LEN], &[0xFF]].concat()),
        };
        Cursor::new(disk, kind, (&low, high.as_deref()), descending)
    }
}

/// Chooses the index that says most: its kind, and the prefixes under which to look.
fn plan(query: &PayoutQuery, apps: &[AppId]) -> (Kind, Vec<Vec<u8>>) {
    if let Some(receipt) = &query.receipt {
        return (Kind::ByReceipt, vec![keys::of_receipt(receipt)]);
    }
    let own = query.app.map(|app| [app]);
    let apps = own.as_ref().map_or(apps, |own| own.as_slice());
    let each = |prefix: &dyn Fn(AppId) -> Vec<u8>| apps.iter().map(|app| prefix(*app)).collect();
    let reference = query.reference.as_ref().filter(|it| !it.is_empty());
    if let Some(reference) = reference {
        (Kind::ByReference, each(&|app| keys::of_reference(app, reference)))
    } else if let Some(phone) = query.phone {
        (Kind::ByPhone, each(&|app| keys::of_phone(app, phone)))
    } else if let Some(batch) = query.batch {
        (Kind::ByBatch, each(&|app| keys::of_batch(app, batch)))
    } else if let Some(status) = query.status {
        (Kind::ByStatus, each(&|app| keys::of_status(app, status)))
    } else if query.app.is_some() {
        (Kind::ByApp, each(&keys::of_app))
    } else {
        (Kind::Payout, vec![Vec::new()])
    }
}

/// What a list is made from.
pub(super) struct List<'a, T> {
    /// Where its records stand.
    pub(super) record: Kind,
    /// The index that says most, or `record` itself.
    pub(super) index: Kind,
    /// Where in the index to look; what lies there is merged by id.
    pub(super) prefixes: Vec<Vec<u8>>,
    pub(super) bounds: Bounds,
    pub(super) descending: bool,
    pub(super) limit: usize,
    /// How a record is read.
    pub(super) read: fn(&[u8]) -> Result<T, codec::Flaw>,
    /// What passes every filter.
    pub(super) admits: &'a dyn Fn(&T) -> bool,
}

/// Rows, and the id that the next page begins after.
pub(super) type Rows<T> = (Vec<T>, Option<[u8; keys::ID_LEN]>);

impl<T> List<'_, T> {
    /// One page of it.
    ///
    /// # Errors
    /// `Damaged` when a record that it meets cannot be read.
    pub(super) fn page(&self, disk: &Disk) -> Result<Rows<T>, StoreError> {
        let limit = self.limit.min(PAGE_LEN_MAX);
        let mut rows = Vec::new();
        if limit == 0 {
            return Ok((rows, None));
        }
        let under = |prefix: &Vec<u8>| self.bounds.under(disk, self.index, prefix, self.descending);
        let mut cursors: Vec<Cursor<'_>> = self.prefixes.iter().map(under).collect();
        let mut heads = BTreeMap::new();
        for (place, cursor) in cursors.iter_mut().enumerate() {
            if let Some((id, value)) = id_of(self.index, cursor.next()?)? {
                heads.insert(id, (place, value));
            }
        }
        let mut near = Near::new(disk, self.record);
        let mut last = None;
        for scanned in 1..=PAGE_SCAN_MAX {
            let head = if self.descending { heads.pop_last() } else { heads.pop_first() };
            let Some((id, (place, value))) = head else {
                return Ok((rows, None));
            };
            if let Some(row) = self.row(&mut near, disk, (id, &value))?
                && (self.admits)(&row)
            {
                if rows.len() == limit {
                    return Ok((rows, last));
                }
                rows.push(row);
                last = Some(id);
            }
            if scanned == PAGE_SCAN_MAX {
                return Ok((rows, Some(id)));
            }
            let cursor = cursors.get_mut(place);
            let next = cursor.map_or(Ok(None), |cursor| id_of(self.index, cursor.next()?))?;
            if let Some((id, value)) = next {
                heads.insert(id, (place, value));
            }
        }
        Ok((rows, None))
    }

    /// The record of an entry: itself, or what the index entry leads to.
    fn row(
        &self,
        near: &mut Near<'_>,
        disk: &Disk,
        (id, value): ([u8; keys::ID_LEN], &[u8]),
    ) -> Result<Option<T>, StoreError> {
        let record = if self.index == self.record {
            pages::unfold(self.record, &id, value, |piece| disk.get(piece)).map(Some)
        } else {
            near.find(&id)
        };
        match record {
            Ok(record) => record
                .map(|record| (self.read)(&record))
                .transpose()
                .map_err(|flaw| damaged(self.record, &id, flaw)),
            // Its pieces may have been replaced since its block was read: look again.
            Err(_) => record_of(disk, self.record, id, self.read),
        }
    }
}

/// One page of payouts.
///
/// # Errors
/// `Damaged` when a record that it meets cannot be read.
pub(super) fn payouts(
    disk: &Disk,
    query: &PayoutQuery,
    apps: &[AppId],
) -> Result<PayoutPage, StoreError> {
    let (index, prefixes) = plan(query, apps);
    let list = List {
        record: Kind::Payout,
        index,
        prefixes,
        bounds: Bounds::of(query),
        descending: query.descending,
        limit: query.limit,
        read: codec::read_payout,
        admits: &|stored: &Stored| query.admits(&stored.payout),
    };
    let (rows, next) = list.page(disk)?;
    Ok(PayoutPage { rows, next: next.map(PayoutId::from_bytes) })
}

fn id_of(
    kind: Kind,
    entry: Option<Entry>,
) -> Result<Option<([u8; keys::ID_LEN], Bytes)>, StoreError> {
    entry
        .map(|(key, value)| {
            let id = key.last_chunk().copied();
            Ok((id.ok_or_else(|| damaged(kind, &key, "it has no id"))?, value))
        })
        .transpose()
}

/// The record of something with a life.
///
/// # Errors
/// `Damaged` when it cannot be read.
pub(super) fn record_of<T>(
    disk: &Disk,
    kind: Kind,
    id: [u8; keys::ID_LEN],
    read: fn(&[u8]) -> Result<T, codec::Flaw>,
) -> Result<Option<T>, StoreError> {
    let decode = |bytes: Vec<u8>| read(&bytes).map_err(|flaw| damaged(kind, &id, flaw));
    match pages::find(disk, kind, &id) {
        Ok(record) => record.map(decode).transpose(),
        // A long record's pieces may have been replaced while they were read: look again, once.
        Err(StoreError::Damaged(_)) => pages::find(disk, kind, &id)?.map(decode).transpose(),
        Err(error) => Err(error),
    }
}

/// One payout.
///
/// # Errors
/// `Damaged` when its record cannot be read.
pub(super) fn payout(disk: &Disk, id: PayoutId) -> Result<Option<Stored>, StoreError> {
    record_of(disk, Kind::Payout, id.bytes(), codec::read_payout)
}

/// The first payout that was paid with a receipt.
///
/// # Errors
/// `Damaged` when a block of the index cannot be read.
pub(super) fn payout_by_receipt(
    disk: &Disk,
    receipt: &Receipt,
) -> Result<Option<PayoutId>, StoreError> {
    let kind = Kind::ByReceipt;
    let prefix = keys::of_receipt(receipt);
    // Backwards first: that there is none, which is what nearly every result finds, takes one look.
    if Bounds::NONE.under(disk, kind, &prefix, true).next()?.is_none() {
        return Ok(None);
    }
    let first = Bounds::NONE.under(disk, kind, &prefix, false).next()?;
    Ok(id_of(kind, first)?.map(|(id, _value)| PayoutId::from_bytes(id)))
}

/// One event, and whether its payout's history leads to it.
///
/// # Errors
/// `Damaged` when it cannot be read.
pub(super) fn event(disk: &Disk, seq: u64) -> Result<Option<codec::ReadEvent>, StoreError> {
    let key = seq.to_be_bytes();
    pages::find(disk, Kind::Event, &key)?
        .map(|bytes| codec::read_event(seq, &bytes))
        .transpose()
        .map_err(|flaw| damaged(Kind::Event, &key, flaw))
}

/// The latest events about something, oldest first.
///
/// # Errors
/// `Damaged` when one cannot be read.
pub(super) fn events_of(
    disk: &Disk,
    about: Subject,
    durable: u64,
) -> Result<Vec<FeedEvent>, StoreError> {
    let last = |bytes: &[u8]| codec::split_life(bytes).map(|(_version, last, _body)| last);
    let mut next = record_of(disk, lives::kind_of(about), about.bytes(), last)?.flatten();
    let mut events = Vec::new();
    while let Some(seq) = next {
        if events.len() >= PAYOUT_EVENTS_MAX {
            break;
        }
        let read = event(disk, seq)?
            .ok_or_else(|| damaged(Kind::Event, &seq.to_be_bytes(), "it is missing"))?;
        next = read.event.previous;
        if seq <= durable {
            events.push(read.event);
        }
    }
    events.reverse();
    Ok(events)
}

/// The feed after a number, as far as it is on the disk.
///
/// # Errors
/// `Damaged` when an event cannot be read.
pub(super) fn events(
    disk: &Disk,
    after: u64,
    durable: u64,
    limit: usize,
) -> Result<Vec<FeedEvent>, StoreError> {
    let (Some(low), Some(high)) = (after.checked_add(1), durable.checked_add(1)) else {
        return Ok(Vec::new());
    };
    let (low, high) = (low.to_be_bytes(), high.to_be_bytes());
    let mut cursor = Cursor::new(disk, Kind::Event, (&low, Some(&high)), false);
    let mut events = Vec::new();
    while events.len() < limit.min(PAGE_LEN_MAX) {
        let Some((key, value)) = cursor.next()? else {
            break;
        };
        let flawed = |flaw| damaged(Kind::Event, &key, flaw);
        let seq = key.as_ref().try_into().map_err(|_error| flawed("it has no number"))?;
        let record = pages::unfold(Kind::Event, &key, &value, |piece| disk.get(piece))?;
        let read = codec::read_event(u64::from_be_bytes(seq), &record).map_err(flawed)?;
        events.push(read.event);
    }
    Ok(events)
}

/// Every record of a kind that serde can read and of which there are few.
///
/// # Errors
/// `Damaged` when one cannot be read.
pub(super) fn records<T: serde::de::DeserializeOwned>(
    disk: &Disk,
    kind: Kind,
) -> Result<Vec<T>, StoreError> {
    let mut cursor = Cursor::new(disk, kind, (&[], None), false);
    let mut records = Vec::new();
    while let Some((key, value)) = cursor.next()? {
        let bytes = pages::unfold(kind, &key, &value, |piece| disk.get(piece))?;
        records.push(codec::read(&bytes).map_err(|flaw| damaged(kind, &key, flaw))?);
    }
    Ok(records)
}

/// Every application that has payouts or payments: from one to the next, skipping what lies
/// between.
///
/// # Errors
/// `Damaged` when a block cannot be read.
pub(super) fn owners(disk: &Disk) -> Result<BTreeSet<AppId>, StoreError> {
    let mut owners = BTreeSet::new();
    for kind in [Kind::ByApp, Kind::PaymentByOwner] {
        let mut low = Vec::new();
        while let Some((key, _value)) = Cursor::new(disk, kind, (&low, None), false).next()? {
            let owner = key
                .first_chunk::<{ keys::ID_LEN }>()
                .ok_or_else(|| damaged(kind, &key, "it has no application"))?;
            if *owner != lives::NOBODY {
                owners.insert(AppId::from_bytes(*owner));
            }
            low = [owner.as_slice(), &[0xFF; keys::ID_LEN], &[0xFF]].concat();
        }
    }
    Ok(owners)
}
