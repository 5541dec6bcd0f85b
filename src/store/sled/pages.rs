//! Records in blocks: found one by one, and changed many at a time.

use std::collections::BTreeMap;
use std::ops::Bound;

use bytes::Bytes;

use super::block::{self, Entry};
use super::disk::{Disk, Writes};
use super::keys::{Kind, PIECE};
use crate::store::StoreError;

/// Values up to this length stand in their block, longer ones in pieces beside it.
///
/// sled keeps sixteen entries to a page, and puts a page above 128 KiB into a file of its own,
/// which it never syncs. With blocks and pieces of about 4 KiB no page comes near that.
const INLINE_LEN_MAX: usize = 2_048;
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
    stored
        .map(|stored| unfold(kind, key, stored, |piece| disk.get(piece)))
        .transpose()
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
}

#[derive(Debug)]
struct Page {
    entries: Vec<Entry>,
    len: usize,
    is_changed: bool,
}

impl<'a> Pages<'a> {
    /// As they stand on the disk.
    pub(super) const fn new(disk: &'a Disk) -> Self {
        Self {
            disk,
            touched: BTreeMap::new(),
            pieces: BTreeMap::new(),
        }
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
        let before = match self.stored(kind, &key)? {
            Some(stored) => pieces_of(&stored).map_err(|flaw| damaged(kind, &key, flaw))?,
            None => 0,
        };
        let (stored, count) = self.fold(kind, &key, value)?;
        for number in count..before {
            self.pieces.insert(piece_key(kind, &key, number), None);
        }
        self.put_stored(kind, (Bytes::from(key), stored));
        Ok(())
    }

    /// Removes a record that has no pieces.
    pub(super) fn remove(&mut self, kind: Kind, key: &[u8]) -> Result<(), StoreError> {
        if let Some(name) = self.locate(kind, key)?
            && let Some(page) = self.touched.get_mut(&name)
            && let Ok(place) = page
                .entries
                .binary_search_by(|(known, _)| known.as_ref().cmp(key))
        {
            let entry = page.entries.remove(place);
            page.len = page.len.saturating_sub(block::entry_len(&entry));
            page.is_changed = true;
        }
        Ok(())
    }

    /// What is to be written.
    pub(super) fn into_writes(self) -> Writes {
        self.touched
            .into_iter()
            .filter(|(_key, page)| page.is_changed)
            .map(|(key, page)| {
                let block = (!page.entries.is_empty()).then(|| block::write(&page.entries));
                (key, block)
            })
            .chain(self.pieces)
            .collect()
    }

    fn stored(&mut self, kind: Kind, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let Some(page) = self
            .locate(kind, key)?
            .and_then(|name| self.touched.get(&name))
        else {
            return Ok(None);
        };
        let place = page
            .entries
            .binary_search_by(|(known, _)| known.as_ref().cmp(key));
        Ok(place
            .ok()
            .and_then(|place| page.entries.get(place))
            .map(|(_key, value)| value.clone()))
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

    fn put_stored(&mut self, kind: Kind, entry: Entry) {
        let name = self.name_of(kind, &entry.0);
        let page = self
            .touched
            .entry(name)
            .or_insert_with(|| Page::of(Vec::new()));
        page.is_changed = true;
        let place = page
            .entries
            .binary_search_by(|(known, _)| known.cmp(&entry.0));
        let added = block::entry_len(&entry);
        let is_last = match place {
            Ok(place) => {
                if let Some(known) = page.entries.get_mut(place) {
                    page.len = page.len.saturating_sub(block::entry_len(known));
                    *known = entry;
                }
                false
            }
            Err(place) => {
                page.entries.insert(place, entry);
                place.saturating_add(1) == page.entries.len()
            }
        };
        page.len = page.len.saturating_add(added);
        if page.len > kind.block_len_max() && page.entries.len() > 1 {
            // What comes in order fills its blocks; what comes in between halves them.
            let len = page.entries.len();
            let at = if is_last {
                len.saturating_sub(1)
            } else {
                len / 2
            };
            let mut right = Page::of(page.entries.split_off(at));
            right.is_changed = true;
            page.len = block::written_len(&page.entries);
            if let Some((first, _value)) = right.entries.first() {
                self.touched.insert(full(kind, first), right);
            }
        }
    }

    /// The page that a key belongs to among those that were touched, [`Self::locate`]d before;
    /// a new one of its own name when there is none.
    fn name_of(&self, kind: Kind, key: &[u8]) -> Vec<u8> {
        let key = full(kind, key);
        match self.up_to(&key) {
            Some(name) if name.first() == Some(&kind.letter()) => name.clone(),
            Some(_) | None => key,
        }
    }

    fn up_to(&self, key: &[u8]) -> Option<&Vec<u8>> {
        let range = (Bound::Unbounded, Bound::Included(key));
        let below = self.touched.range::<[u8], _>(range).next_back();
        below.map(|(name, _page)| name)
    }

    /// Touches the page that a key belongs to, and names it.
    fn locate(&mut self, kind: Kind, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let target = full(kind, key);
        let touched = self
            .up_to(&target)
            .filter(|name| name.first() == Some(&kind.letter()));
        let on_disk = self.disk.block_of(kind, &target)?;
        match (touched, on_disk) {
            (Some(name), Some((found, _bytes))) if name.as_slice() >= found.as_ref() => {
                Ok(Some(name.clone()))
            }
            (_, Some((found, bytes))) => {
                let entries = block::read(&bytes).map_err(|flaw| damaged(kind, key, flaw))?;
                let name = found.to_vec();
                self.touched.insert(name.clone(), Page::of(entries));
                Ok(Some(name))
            }
            (name, None) => Ok(name.cloned()),
        }
    }
}

impl Page {
    fn of(entries: Vec<Entry>) -> Self {
        Self {
            len: block::written_len(&entries),
            entries,
            is_changed: false,
        }
    }
}
