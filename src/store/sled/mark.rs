//! How far the store has come, written down beside it.
//!
//! sled takes a file that was cut short, or whose last part cannot be read, for one that was not
//! written further: it opens as it once stood, without a word. A payout that was paid would be
//! queued again. So every group of writes has a number, which stands among the store's own
//! numbers and, once the group is on the disk, in a small file of its own. A store that has come
//! less far than its mark says is refused.
//!
//! The mark costs no sync: it is written after the group's, so that whatever of it survives a
//! power cut is true. It has two places by turns, far enough apart that no torn write hits both.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::store::StoreError;

/// The file, inside the store's directory.
const MARK_FILE: &str = "mark";
/// How far its places are apart: a page of the operating system, many sectors of a disk.
const PLACE_LEN: usize = 4_096;
/// How many there are.
const PLACES: u64 = 2;
/// `groups:u64 crc32:u32`.
const SLOT_LEN: usize = 12;

/// The open mark.
#[derive(Debug)]
pub(super) struct Mark {
    file: File,
}

impl Mark {
    /// Opens the mark of a store that has come to `groups` (`None`: it is empty), or makes it.
    ///
    /// # Errors
    /// `Damaged` when the store has come less far than the mark says, and when the mark is gone or
    /// cannot be read; `Failed` when the disk fails.
    pub(super) fn open(dir: &Path, groups: Option<u64>) -> Result<Self, StoreError> {
        let failed = |error: io::Error| {
            StoreError::Failed(format!("cannot open the mark in {}: {error}", dir.display()))
        };
        let opened = File::options().read(true).write(true).open(dir.join(MARK_FILE));
        let file = match (opened, groups) {
            (Ok(file), _) => file,
            (Err(error), None) if error.kind() == io::ErrorKind::NotFound => {
                return Self::make(dir).map_err(failed);
            }
            (Err(error), Some(_)) if error.kind() == io::ErrorKind::NotFound => {
                return Err(lost(
                    dir,
                    "the file \"mark\" is gone, so that nobody can say whether \
                                      the others are whole",
                ));
            }
            (Err(error), _) => return Err(failed(error)),
        };
        let mark = Self { file };
        let places = (0..PLACES).map(|place| mark.read(place));
        let known = places.collect::<io::Result<Vec<_>>>().map_err(failed)?;
        let Some(marked) = known.into_iter().flatten().max() else {
            // As it is for a moment when it is made; nothing was acknowledged before it was whole.
            return match groups {
                None => Self::make(dir).map_err(failed),
                Some(_) => Err(lost(dir, "the file \"mark\" cannot be read")),
            };
        };
        let has = groups.unwrap_or(0);
        if has < marked {
            let says = format!(
                "{marked} groups of writes were acknowledged, and only {has} can be read: the \
                 file \"db\" was cut short, damaged or put back"
            );
            return Err(lost(dir, &says));
        }
        Ok(mark)
    }

    /// Makes the mark of a store that was just written whole, as it stands in a back-up.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn restore(dir: &Path, groups: u64) -> io::Result<()> {
        let mark = Self::make(dir)?;
        mark.put(groups)?;
        mark.file.sync_all()
    }

    /// Makes a mark that says 0, and returns when it and its name are on the disk.
    fn make(dir: &Path) -> io::Result<Self> {
        let path = dir.join(MARK_FILE);
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true);
        let mark = Self { file: options.open(path)? };
        for groups in 0..PLACES {
            // Whole pages, so that no later write needs room: a full disk has none.
            let mut page = slot(0).to_vec();
            page.resize(PLACE_LEN, 0);
            mark.file.write_all_at(&page, place_of(groups))?;
        }
        mark.put(0)?;
        mark.file.sync_all()?;
        File::open(dir)?.sync_all()?;
        Ok(mark)
    }

    /// Says that the store has come to `groups`. To be called when it has: after the sync.
    ///
    /// # Errors
    /// Those of the disk.
    pub(super) fn put(&self, groups: u64) -> io::Result<()> {
        self.file.write_all_at(&slot(groups), place_of(groups))
    }

    /// What stands in a place, if it can be read.
    fn read(&self, place: u64) -> io::Result<Option<u64>> {
        let mut slot = [0; SLOT_LEN];
        match self.file.read_exact_at(&mut slot, place_of(place)) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let Some((groups, sum)) = slot.split_first_chunk::<8>() else {
            return Ok(None);
        };
        let is_right = crc32fast::hash(groups).to_be_bytes() == *sum;
        Ok(is_right.then(|| u64::from_be_bytes(*groups)))
    }
}

/// Where a number stands: each in the place that the one before it does not have.
fn place_of(groups: u64) -> u64 {
    let page = u64::try_from(PLACE_LEN).unwrap_or(0);
    (groups % PLACES).saturating_mul(page)
}

fn slot(groups: u64) -> [u8; SLOT_LEN] {
    let groups = groups.to_be_bytes();
    let sum = crc32fast::hash(&groups).to_be_bytes();
    let mut slot = [0; SLOT_LEN];
    for (byte, value) in slot.iter_mut().zip(groups.into_iter().chain(sum)) {
        *byte = value;
    }
    slot
}

fn lost(dir: &Path, says: &str) -> StoreError {
    StoreError::Damaged(format!(
        "the store in {}: {says}. What is left must not go on by itself, for a payout might be \
         made twice: keep the directory as it is, and restore a back-up elsewhere",
        dir.display()
    ))
}
