//! Records in blocks: found one by one, and changed many at a time.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use super::block::{self, Entry};
use super::disk::{Disk, Writes};
use super::keys::{Kind, PIECE};
use crate::store::StoreError;

/// Values up to this length stand in their block, longer ones in pieces beside it.
const INLINE_LEN_MAX: usize = 4_096;
/// The longest that a block of several entries is on the disk.
///
/// sled keeps up to seventeen entries in a page, and puts a page above 128 KiB into a file of its
/// own, which it never syncs. With blocks and pieces of this length no page comes near that.
const BLOCK_LEN_MAX: usize = 6_144;
/// How long a piece is.
const PIECE_LEN: usize = 4_096;
/// Marks a value that stands here.
const INLINE: u8 = 0;
/// Marks a value that stands in pieces: `pieces:u16 crc32:u32` follow.
const IN_PIECES: u8 = 1;

/// A key with its kind's letter before it.
fn full(kind: Kind, key: &[u8]) -> Vec<u8> {
    [&[kind.letter()], key].concat()
}

/// A record that cannot be read; `key` is shown in hexadecimal.
pub(super) fn damaged(kind: Kind, key: &[u8], flaw: &str) -> StoreError {
    use std::fmt::Write as _;
    let mut name = String::new();
    for byte in key.iter().take(64) {
        // Writing to a string does not fail.
        if write!(name, "{byte:02x}").is_err() {
            break;
        }
    }
    StoreError::Damaged(format!("{} {name}: {flaw}", kind.name()))
}

/// Reads one record.
///
/// # Errors
/// `Damaged` when its block, or it, cannot be read.
pub(super) fn find(disk: &Disk, kind: Kind, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    let Some((_block_key, bytes)) = disk.block_of(kind, &full(kind, key))? else {
        return Ok(None);
    };
    let stored = block::find(&bytes, key).map_err(|flaw| damaged(kind, key, flaw))?;
    stored.map(|stored| unfold(kind, key, &stored, |piece| disk.get(piece))).transpose()
}

/// Reads records of one kind, one after the other. Those of a list mostly stand close together, so
/// the block of the last one is kept, unpacked.
#[derive(Debug)]
pub(super) struct Near<'a> {
    disk: &'a Disk,
    kind: Kind,
    /// The last block's key and body.
    last: Option<(Bytes, Bytes)>,
}

impl<'a> Near<'a> {
    pub(super) const fn new(disk: &'a Disk, kind: Kind) -> Self {
        Self { disk, kind, last: None }
    }

    /// Reads one record, as it stood a moment ago.
    ///
    /// # Errors
    /// `Damaged` when its block, or it, cannot be read.
    pub(super) fn find(&mut self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Self { disk, kind, last } = self;
        let flawed = |flaw| damaged(*kind, key, flaw);
        let unfolded = |stored: &[u8]| unfold(*kind, key, stored, |piece| disk.get(piece));
        let target = full(*kind, key);
        if let Some((name, body)) = last
            && name.as_ref() <= target.as_slice()
            && let Some(stored) = block::find_in(body, key).map_err(flawed)?
        {
            return unfolded(stored).map(Some);
        }
        let Some((name, bytes)) = disk.block_of(*kind, &target)? else {
            return Ok(None);
        };
        let (_name, body) = last.insert((name, block::unpack(&bytes).map_err(flawed)?));
        block::find_in(body, key).map_err(flawed)?.map(unfolded).transpose()
    }
}

/// Whether there is such a record.
///
/// # Errors
/// `Damaged` when its block cannot be read.
pub(super) fn exists(disk: &Disk, kind: Kind, key: &[u8]) -> Result<bool, StoreError> {
    let Some((_block_key, bytes)) = disk.block_of(kind, &full(kind, key))? else {
        return Ok(false);
    };
    let stored = block::find(&bytes, key).map_err(|flaw| damaged(kind, key, flaw))?;
    Ok(stored.is_some())
}

fn piece_key(kind: Kind, key: &[u8], number: u16) -> Vec<u8> {
    [&[PIECE, kind.letter()], key, &number.to_be_bytes()].concat()
}

/// How many pieces a stored value has.
///
/// # Errors
/// What is wrong with it.
pub(super) fn pieces_of(stored: &[u8]) -> Result<u16, block::Flaw> {
    match stored {
        [] | [INLINE, ..] => Ok(0),
        [IN_PIECES, high, low, _sum @ ..] => Ok(u16::from_be_bytes([*high, *low])),
        _ => Err("its value has an unknown form"),
    }
}

/// A value as it was given, from what stands in the block.
///
/// # Errors
/// `Damaged` when it cannot be read.
pub(super) fn unfold(
    kind: Kind,
    key: &[u8],
    stored: &[u8],
    piece: impl Fn(&[u8]) -> Result<Option<Bytes>, StoreError>,
) -> Result<Vec<u8>, StoreError> {
    let flawed = |flaw| damaged(kind, key, flaw);
    let count = pieces_of(stored).map_err(flawed)?;
    if count == 0 {
        return Ok(stored.get(1..).unwrap_or_default().to_vec());
    }
    let sum = stored
        .get(3..)
        .and_then(|sum| sum.try_into().ok())
        .map(u32::from_be_bytes)
        .ok_or_else(|| flawed("its value has an unknown form"))?;
    let mut value = Vec::with_capacity(usize::from(count).saturating_mul(PIECE_LEN));
    for number in 0..count {
        let piece = piece(&piece_key(kind, key, number))?;
        value.extend_from_slice(&piece.ok_or_else(|| flawed("a piece is missing"))?);
    }
    if crc32fast::hash(&value) != sum {
        return Err(flawed("its checksum is wrong"));
    }
    Ok(value)
}

/// Blocks as they will be once a group of commits is written. Reads see the group's own writes.
#[derive(Debug)]
pub(super) struct Pages<'a> {
    disk: &'a Disk,
    touched: BTreeMap<Vec<u8>, Page>,
    pieces: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// How many records are new, by kind.
    added: BTreeMap<Kind, u64>,
}

#[derive(Debug)]
struct Page {
    kind: Kind,
    entries: Vec<Entry>,
    len: usize,
    is_changed: bool,
    /// On the disk no other block begins between this one's key and this.
    end: Vec<u8>,
}

impl<'a> Pages<'a> {
    /// As they stand on the disk.
    pub(super) const fn new(disk: &'a Disk) -> Self {
        Self { disk, touched: BTreeMap::new(), pieces: BTreeMap::new(), added: BTreeMap::new() }
    }

    /// The record's value.
    pub(super) fn find(&mut self, kind: Kind, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(stored) = self.stored(kind, key)? else {
            return Ok(None);
        };
        let value = unfold(kind, key, &stored, |piece| match self.pieces.get(piece) {
            Some(value) => Ok(value.clone().map(Bytes::from)),
            None => self.disk.get(piece),
        })?;
        Ok(Some(value))
    }

    /// Writes a record, new or changed.
    pub(super) fn put(&mut self, kind: Kind, key: Vec<u8>, value: &[u8]) -> Result<(), StoreError> {
        let (stored, count) = self.fold(kind, &key, value)?;
        let key = Bytes::from(key);
        let (name, page) = self.page(kind, &key)?;
        let name = name.clone();
        let before = page.put((key.clone(), stored));
        if page.len > kind.block_len_max() && page.entries.len() > 1 {
            let is_last = page.entries.last().is_some_and(|(last, _)| *last == key);
            self.split(kind, &name, is_last);
        }
        if let Some(before) = before {
            let before = pieces_of(&before).map_err(|flaw| damaged(kind, &key, flaw))?;
            for number in count..before {
                self.pieces.insert(piece_key(kind, &key, number), None);
            }
        } else {
            let added = self.added.entry(kind).or_default();
            *added = added.saturating_add(1);
        }
        Ok(())
    }

    /// Removes a record that has no pieces.
    pub(super) fn remove(&mut self, kind: Kind, key: &[u8]) -> Result<(), StoreError> {
        let (_name, page) = self.page(kind, key)?;
        if let Ok(place) = page.place_of(key) {
            let entry = page.entries.remove(place);
            page.len = page.len.saturating_sub(block::entry_len(&entry));
            page.is_changed = true;
        }
        Ok(())
    }

    /// How many records of `kind` are new.
    pub(super) fn added(&self, kind: Kind) -> u64 {
        self.added.get(&kind).copied().unwrap_or_default()
    }

    /// What is to be written.
    pub(super) fn into_writes(self) -> Writes {
        let mut writes: Writes = self.pieces.into_iter().collect();
        for (name, page) in self.touched {
            if page.is_changed {
                write_block(page.kind, name, &page.entries, &mut writes);
            }
        }
        writes
    }

    fn stored(&mut self, kind: Kind, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let (_name, page) = self.page(kind, key)?;
        let place = page.place_of(key).ok();
        Ok(place.and_then(|place| page.entries.get(place)).map(|(_key, value)| value.clone()))
    }

    /// Turns a value into what stands in the block, its pieces put aside.
    fn fold(&mut self, kind: Kind, key: &[u8], value: &[u8]) -> Result<(Bytes, u16), StoreError> {
        if value.is_empty() {
            return Ok((Bytes::new(), 0));
        }
        if value.len() <= INLINE_LEN_MAX {
            return Ok((Bytes::from([&[INLINE], value].concat()), 0));
        }
        let mut count = 0_u16;
        for piece in value.chunks(PIECE_LEN) {
            let place = piece_key(kind, key, count);
            self.pieces.insert(place, Some(piece.to_vec()));
            count = count.checked_add(1).ok_or_else(|| {
                StoreError::Failed(format!("a {} is too long to be kept", kind.name()))
            })?;
        }
        let sum = crc32fast::hash(value).to_be_bytes();
        let stored = [&[IN_PIECES], count.to_be_bytes().as_slice(), &sum].concat();
        Ok((Bytes::from(stored), count))
    }

    /// What comes in order fills its blocks; what comes in between halves them.
    fn split(&mut self, kind: Kind, name: &[u8], is_last: bool) {
        let Some(page) = self.touched.get_mut(name) else {
            return;
        };
        let len = page.entries.len();
        let at = if is_last { len.saturating_sub(1) } else { len / 2 };
        let entries = page.entries.split_off(at);
        page.len = block::written_len(&page.entries);
        let Some(first) = entries.first().map(|(first, _value)| full(kind, first)) else {
            return;
        };
        let end = std::mem::replace(&mut page.end, first.clone());
        let mut right = Page::of(kind, entries, end);
        right.is_changed = true;
        self.touched.insert(first, right);
    }

    /// The page that a key belongs to, and its name: one that was touched, or a block from the
    /// disk, or a new one of the key's own name.
    fn page(&mut self, kind: Kind, key: &[u8]) -> Result<(&Vec<u8>, &mut Page), StoreError> {
        let target = full(kind, key);
        let known = self.up_to(kind, &target);
        if known.is_none_or(|(_name, page)| page.end <= target) {
            self.touch(kind, &target)?;
        }
        let range = (Bound::Unbounded, Bound::Included(target.as_slice()));
        let page = self.touched.range_mut::<[u8], _>(range).next_back();
        page.ok_or_else(|| damaged(kind, key, "its block was mislaid"))
    }

    /// The touched page of this kind whose name is the last one not above `target`.
    fn up_to(&self, kind: Kind, target: &[u8]) -> Option<(&Vec<u8>, &Page)> {
        let range = (Bound::Unbounded, Bound::Included(target));
        let below = self.touched.range::<[u8], _>(range).next_back();
        below.filter(|(name, _page)| name.first() == Some(&kind.letter()))
    }

    /// Sees to it that the page of `target` is among the touched ones.
    fn touch(&mut self, kind: Kind, target: &[u8]) -> Result<(), StoreError> {
        let on_disk = self.disk.block_of(kind, target)?;
        let known = self.up_to(kind, target).map(|(name, _page)| name.clone());
        // The nearer one has it. All that is known after this look is that no block on the disk
        // begins before `target`; where writes cluster it pays to look further.
        let name = match (known, &on_disk) {
            (Some(known), Some((found, _block))) if known.as_slice() >= found.as_ref() => known,
            (_, Some((found, _block))) => found.to_vec(),
            (Some(known), None) => known,
            (None, None) => target.to_vec(),
        };
        let end = if kind.is_in_order() {
            self.disk.end_of_block(kind, target)?
        } else {
            [target, &[0]].concat()
        };
        if let Some(page) = self.touched.get_mut(&name) {
            page.end = end;
            return Ok(());
        }
        let entries = match on_disk {
            Some((_found, bytes)) => {
                let (_letter, key) = target.split_at_checked(1).unwrap_or_default();
                block::read(&bytes).map_err(|flaw| damaged(kind, key, flaw))?
            }
            None => Vec::new(),
        };
        self.touched.insert(name, Page::of(kind, entries, end));
        Ok(())
    }
}

/// Writes a block, or several if it would be too long on the disk, or takes it away when nothing is
/// left in it.
fn write_block(kind: Kind, name: Vec<u8>, entries: &[Entry], writes: &mut Writes) {
    if entries.is_empty() {
        writes.push((name, None));
        return;
    }
    let block = block::write(entries, kind.is_packed());
    if block.len() > BLOCK_LEN_MAX && entries.len() > 1 {
        let (left, right) = entries.split_at(entries.len() / 2);
        write_block(kind, name, left, writes);
        if let Some((first, _value)) = right.first() {
            write_block(kind, full(kind, first), right, writes);
        }
    } else {
        writes.push((name, Some(block)));
    }
}

impl Page {
    fn of(kind: Kind, entries: Vec<Entry>, end: Vec<u8>) -> Self {
        Self { kind, len: block::written_len(&entries), entries, is_changed: false, end }
    }

    fn place_of(&self, key: &[u8]) -> Result<usize, usize> {
        self.entries.binary_search_by(|(known, _value)| known.as_ref().cmp(key))
    }

    /// Puts an entry in its place, and gives the value that it replaces.
    fn put(&mut self, entry: Entry) -> Option<Bytes> {
        self.is_changed = true;
        self.len = self.len.saturating_add(block::entry_len(&entry));
        match self.place_of(&entry.0) {
            Ok(place) => {
                let known = self.entries.get_mut(place)?;
                self.len = self.len.saturating_sub(block::entry_len(known));
                Some(std::mem::replace(known, entry).1)
            }
            Err(place) => {
                self.entries.insert(place, entry);
                None
            }
        }
    }
}
