//! Back-ups: a directory that holds a whole book as it stood at one moment.
//!
//! ```text
//! DIR/manifest.json   what it is: format, version of the records, when, how far, how much
//! DIR/base            every key and value, read one after the other while writes went on
//! DIR/changes         every group of writes that reached the disk meanwhile, in order
//! DIR/SHA256SUMS      of the three others; `sha256sum -c SHA256SUMS` checks them
//! ```
//!
//! The book is `base` with `changes` laid over it: whatever was written while `base` was read
//! stands in `changes` again, so that in the end each key has the value that it had at the end.
//!
//! `base` and `changes` are frames, `len:u32 crc32:u32 body`, and a body is `(key_len:u32 key 0 |
//! key_len:u32 key 1 value_len:u32 value)*`: 0 removes the key, 1 gives it its value. Numbers are
//! big-endian.
//!
//! A back-up is written beside its place, as `DIR.part`, and gets its name when all of it is on
//! the disk: whatever has the name is whole. Only its owner can read it, for it holds all that the
//! store holds: names, phones and messages, and the hashes of API keys.

mod read;
mod write;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

pub use read::Backup;

pub(super) use write::{Stream, Writing, Written};

use crate::domain::time::Timestamp;

/// The version of this format.
const FORMAT: u32 = 1;
/// What a back-up says of itself.
const MANIFEST: &str = "manifest.json";
/// Every key, as it stood when it was read.
const BASE: &str = "base";
/// What was written meanwhile.
const CHANGES: &str = "changes";
/// Checksums of the others, as `sha256sum` writes them.
const SUMS: &str = "SHA256SUMS";
/// What is in front of a frame's body.
const FRAME_HEAD_LEN: usize = 8;
/// Where it is kept when the last back-up was made, inside the store's directory.
const LAST_FILE: &str = "last-backup";

/// What may stand in a directory that was left half-made: a back-up, a store, or both.
const OURS: [&str; 14] = [
    BASE,
    CHANGES,
    MANIFEST,
    SUMS,
    LAST_FILE,
    "backup",
    "backup.part",
    "blobs",
    "conf",
    "db",
    "lock",
    "mark",
    "store",
    "store.restoring",
];

/// What is written together: a value, or `None` to remove one.
pub(super) type Writes = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Why there is no back-up, or why one cannot be restored. Nothing has its name then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// One is being made already.
    #[error("a back-up is being made already; wait until it is done, and ask again")]
    Running,
    /// What was asked for cannot be done as it was asked for.
    #[error("{0}")]
    Refused(String),
    /// A back-up is not what was once written.
    #[error("{0}")]
    Damaged(String),
    /// A disk, or the store, failed.
    #[error("{0}")]
    Failed(String),
}

impl BackupError {
    /// What a disk said, in words that say what to do.
    fn of_disk(what: &str, path: &Path, error: &io::Error) -> Self {
        if error.kind() == io::ErrorKind::StorageFull {
            return Self::Failed(format!(
                "there is no room left on the disk of {}; make room, or choose a directory on \
                 another disk",
                path.display()
            ));
        }
        Self::Failed(format!("{what} {}: {error}", path.display()))
    }
}

/// What a back-up says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The version of the back-up's own format.
    pub format: u32,
    /// The version of the records in it.
    pub records: u32,
    /// The version of the program that made it.
    pub program: String,
    /// When it was begun: all that was on the disk then is in it.
    pub created_at: String,
    /// The number of the last group of writes that is in it.
    pub group: u64,
    /// Payouts, events and open cases in it, to be compared by people.
    pub payouts: u64,
    /// The number of the last event in it.
    pub last_event: u64,
    /// Its data files.
    pub files: Vec<DataFile>,
}

/// One data file of a back-up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Its name.
    pub name: String,
    /// How many keys stand in it.
    pub entries: u64,
    /// How long it is.
    pub bytes: u64,
}

impl Manifest {
    /// The version of the format that is written.
    pub(super) const FORMAT: u32 = FORMAT;

    /// When it was begun.
    ///
    /// # Errors
    /// It is no time.
    pub fn taken_at(&self) -> Result<Timestamp, BackupError> {
        let read = Timestamp::parse_rfc3339(&self.created_at);
        read.map_err(|_error| BackupError::Damaged("its created_at is not a time".to_owned()))
    }

    /// How long its data files are together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }
}

/// A back-up to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Where it is to stand: a directory that does not exist, or is empty.
    pub dir: PathBuf,
    /// What time it is.
    pub at: Timestamp,
    /// Whether it will be kept. One that is made only to be looked at is not remembered as the
    /// last.
    pub is_kept: bool,
}

/// How far a back-up has come; and the way to stop it.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
    is_stopped: AtomicBool,
}

impl Progress {
    /// How many bytes were read of the store so far.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Nobody wants it any more.
    pub fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn add(&self, bytes: usize) {
        self.bytes.fetch_add(u64::try_from(bytes).unwrap_or(0), Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }
}

/// The last complete back-up of a store: kept beside its data, so that `check` and the metrics can
/// say how old it is without opening the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastBackup {
    /// When it was begun.
    pub at: String,
    /// Where it was written.
    pub dir: PathBuf,
}

impl LastBackup {
    /// What is known of the last back-up of the store in `store`; `None` when there was none, or
    /// when what was kept cannot be read.
    pub fn of(store: &Path) -> Option<Self> {
        let bytes = fs::read(store.join(LAST_FILE)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// When it was begun; `None` if what was kept is no time.
    pub fn at(&self) -> Option<Timestamp> {
        Timestamp::parse_rfc3339(&self.at).ok()
    }

    /// How old it is, in seconds.
    pub fn age_seconds(&self, now: Timestamp) -> Option<u64> {
        Some(now.since(self.at()?).as_secs())
    }

    /// Keeps it, in place of the one before.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn keep(&self, store: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec(self).map_err(io::Error::other)?;
        let (path, new) = (store.join(LAST_FILE), store.join(format!("{LAST_FILE}.new")));
        let mut file = owners_file().truncate(true).open(&new)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        File::open(store)?.sync_all()
    }
}

/// How a file is made that only its owner can read.
fn owners_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.create(true).write(true).mode(0o600);
    options
}

/// A directory that is written beside its place and renamed when it is whole. Dropped before, it is
/// removed.
#[derive(Debug)]
pub struct Part {
    place: PathBuf,
    part: PathBuf,
    /// The directory itself, locked: none but this writes there.
    lock: File,
    is_done: bool,
}

impl Part {
    /// Makes the directory `PLACE` + `suffix` anew; one that an earlier try left behind is removed.
    ///
    /// # Errors
    /// Another is at work there, something else is in the way, or the disk failed.
    pub fn make(place: &Path, suffix: &str) -> Result<Self, BackupError> {
        let failed =
            |error: io::Error| BackupError::of_disk("cannot make the directory", place, &error);
        let place = std::path::absolute(place).map_err(failed)?;
        let mut part = place.as_os_str().to_owned();
        part.push(suffix);
        let part = PathBuf::from(part);
        remove_left_over(&part)?;
        if let Some(parent) = part.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
        }
        DirBuilder::new().mode(0o700).create(&part).map_err(failed)?;
        let lock = File::open(&part).map_err(failed)?;
        lock.try_lock().map_err(|_held| is_busy(&part))?;
        Ok(Self { place, part, lock, is_done: false })
    }

    /// Where it stands until it is whole.
    pub fn path(&self) -> &Path {
        &self.part
    }

    /// Gives it its name, and returns when that is on the disk.
    ///
    /// # Errors
    /// The disk failed, or something stands in its place now.
    pub fn finish(mut self) -> Result<(), BackupError> {
        let named = self.is_ours().and_then(|is_ours| {
            if !is_ours {
                return Err(io::Error::other("another process has put its own in place of it"));
            }
            self.lock.sync_all()?;
            // An empty directory in its place is replaced; any other is not.
            fs::rename(&self.part, &self.place)
        });
        let failed =
            |error: io::Error| BackupError::of_disk("cannot give its name to", &self.place, &error);
        named.map_err(failed)?;
        let synced = sync_above(&self.place).map_err(failed);
        self.is_done = true;
        synced
    }

    /// Whether the directory of this name is still the one that was made.
    fn is_ours(&self) -> io::Result<bool> {
        let (made, named) = (self.lock.metadata()?, fs::metadata(&self.part)?);
        Ok((made.dev(), made.ino()) == (named.dev(), named.ino()))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_done && self.is_ours().unwrap_or(false) {
            // What cannot be removed now is removed by the next try.
            drop(fs::remove_dir_all(&self.part));
        }
    }
}

/// Removes what an earlier try left behind, but nothing that none of ours would be called.
fn remove_left_over(part: &Path) -> Result<(), BackupError> {
    let failed = |error: io::Error| BackupError::of_disk("cannot remove", part, &error);
    let entries = match fs::read_dir(part) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    // Held until it is removed.
    let lock = File::open(part).map_err(failed)?;
    lock.try_lock().map_err(|_held| is_busy(part))?;
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        if !(OURS.contains(&name.as_ref()) || name.starts_with("snap.")) {
            return Err(BackupError::Refused(format!(
                "{} is in the way, and \"{name}\" in it is not of mlango's making; move it away",
                part.display()
            )));
        }
    }
    fs::remove_dir_all(part).map_err(failed)
}

fn is_busy(part: &Path) -> BackupError {
    BackupError::Refused(format!("another process is at work in {}; wait for it", part.display()))
}

/// Sees to it that a name is on the disk, and those of directories that were made for it.
fn sync_above(place: &Path) -> io::Result<()> {
    let mut above = place.ancestors().skip(1);
    if let Some(parent) = above.next() {
        File::open(parent)?.sync_all()?;
    }
    for dir in above {
        // Those that are not ours to open were there before.
        if let Ok(dir) = File::open(dir) {
            drop(dir.sync_all());
        }
    }
    Ok(())
}

/// Whether nothing is there: no such directory, or an empty one.
///
/// # Errors
/// It is something else than a directory, or cannot be looked into.
pub fn is_free(dir: &Path) -> io::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// The line of `SHA256SUMS` of one file.
fn sum_line(name: &str, digest: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut line = String::with_capacity(80);
    for byte in digest {
        // Writing to a string does not fail.
        if write!(line, "{byte:02x}").is_err() {
            break;
        }
    }
    line.push_str("  ");
    line.push_str(name);
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_back_up_is_kept_and_its_age_told() {
        let dir = tempfile::tempdir().expect("a directory");
        assert_eq!(LastBackup::of(dir.path()), None);
        for at in ["2026-01-02T03:04:05.000Z", "2026-01-03T03:04:05.000Z"] {
            let last = LastBackup { at: at.to_owned(), dir: PathBuf::from("/b/1") };
            last.keep(dir.path()).expect("kept");
            assert_eq!(LastBackup::of(dir.path()), Some(last));
        }
        let now = Timestamp::parse_rfc3339("2026-01-03T04:04:05Z").expect("a time");
        let last = LastBackup::of(dir.path()).expect("the last");
        assert_eq!(last.age_seconds(now), Some(3_600));
        fs::write(dir.path().join(LAST_FILE), "{").expect("a file");
        assert_eq!(LastBackup::of(dir.path()), None);
    }
}
