//! sled itself, and the sync that it leaves out. The only file that names `sled`'s types.

use std::fmt;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;

use super::keys::Kind;
use crate::store::StoreError;

/// sled's own file of records, inside the store's directory.
const DATA_FILE: &str = "db";
/// Ours: who holds a lock on it owns the directory.
const LOCK_FILE: &str = "lock";
/// What a snapshot is called while sled writes it.
const HALF_WRITTEN: &str = "generating";
/// How often sled's own lock is tried: for two seconds.
const LOCK_TRIES_MAX: u32 = 200;
/// How much sled may hold in memory when it is opened only to write a snapshot, in bytes.
const CACHE_AT_CLOSE: u64 = 16 << 20;
/// The pause between two tries.
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// How the data file is made durable: `File::sync_data`, but for tests.
pub type SyncData = Box<dyn FnMut(&File) -> io::Result<()> + Send>;

pub(super) use crate::store::backup::Writes;

/// An open sled, and its data file opened beside it.
pub(super) struct Disk {
    // Dropped in this order: sled lets go of its files before the lock is free.
    db: sled::Db,
    data: File,
    sync: Mutex<SyncData>,
    dir: PathBuf,
    /// Whether anything was written since it was opened.
    written: AtomicBool,
    _lock: File,
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Disk")
    }
}

impl Disk {
    /// Opens or makes the store in `dir`.
    pub(super) fn open(dir: &Path, cache_bytes: u64, sync: SyncData) -> Result<Self, StoreError> {
        let failed = |what: &str, error: io::Error| {
            StoreError::Failed(format!("{what} {}: {error}", dir.display()))
        };
        // Only its owner may look inside: it holds names and phones.
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(|error| failed("cannot make the directory", error))?;
        let lock = lock(dir)?;
        remove_half_written(dir)
            .map_err(|error| failed("cannot clear a half-written snapshot in", error))?;
        let db = open_sled(dir, cache_bytes)?;
        let data = File::open(dir.join(DATA_FILE))
            .map_err(|error| failed("cannot find sled's data file in", error))?;
        // The names of new files, too, must survive a power cut.
        File::open(dir)
            .and_then(|dir| dir.sync_all())
            .map_err(|error| failed("cannot sync", error))?;
        Ok(Self {
            db,
            data,
            sync: Mutex::new(sync),
            dir: dir.to_owned(),
            written: AtomicBool::new(false),
            _lock: lock,
        })
    }

    /// Lets go of everything, and waits until sled's own threads have let go of its file.
    pub(super) fn close(self) {
        let Self { db, data, dir, written, _lock: lock, .. } = self;
        drop(db);
        await_sled(&data);
        if written.into_inner() {
            // sled writes a snapshot only when it opens. Without one, the next start would read
            // again all that was written since the last; and where sled reads again, it takes what
            // it cannot read for something that was never written, while beyond a snapshot it
            // says that it is damaged. All is on the disk; should this fail, the next start is
            // slower, and says so.
            drop(open_sled(&dir, CACHE_AT_CLOSE));
            await_sled(&data);
        }
        drop(lock);
    }

    /// Writes all of `writes` or nothing, and returns when it is on the disk.
    pub(super) fn write(&self, writes: Writes) -> Result<(), StoreError> {
        self.apply(writes)?;
        self.make_durable()
    }

    /// Writes all of `writes` or nothing. It is on the disk after [`Self::make_durable`].
    pub(super) fn apply(&self, writes: Writes) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        self.written.store(true, Ordering::Relaxed);
        for (key, value) in writes {
            match value {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.db.apply_batch(batch).map_err(|error| wrong(&error))
    }

    /// The line that the whole promise hangs on.
    ///
    /// sled's `flush` hands its bytes to the operating system and asks for them to be written, but
    /// on Linux it neither empties the drive's cache nor commits the file's length. Without the
    /// sync of the data file after it, a power cut takes records that were acknowledged, and now
    /// and then all of them.
    pub(super) fn make_durable(&self) -> Result<(), StoreError> {
        self.db.flush().map_err(|error| wrong(&error))?;
        let mut sync = self.sync.lock().unwrap_or_else(PoisonError::into_inner);
        sync(&self.data).map_err(|error| StoreError::Failed(format!("cannot sync: {error}")))
    }

    /// The value of exactly this key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        let value = self.db.get(key).map_err(|error| wrong(&error))?;
        Ok(value.map(|value| Bytes::copy_from_slice(&value)))
    }

    /// The block of `kind` in which `key` (its letter included) stands, if it stands anywhere: the
    /// last whose own key is not above it.
    pub(super) fn block_of(&self, kind: Kind, key: &[u8]) -> Result<Option<Raw>, StoreError> {
        let first = [kind.letter()];
        raw(self.db.range(&first[..]..=key).next_back())
    }

    /// The last block of `kind` whose own key is below `key`.
    pub(super) fn block_before(&self, kind: Kind, key: &[u8]) -> Result<Option<Raw>, StoreError> {
        let first = [kind.letter()];
        raw(self.db.range(&first[..]..key).next_back())
    }

    /// The first block of `kind` whose own key is above `key`.
    pub(super) fn block_after(&self, kind: Kind, key: &[u8]) -> Result<Option<Raw>, StoreError> {
        let end = [kind.letter().saturating_add(1)];
        let above = (std::ops::Bound::Excluded(key), std::ops::Bound::Excluded(&end[..]));
        raw(self.db.range::<&[u8], _>(above).next())
    }

    /// The key of the first block of `kind` above `key`, or what every key of it is below.
    pub(super) fn end_of_block(&self, kind: Kind, key: &[u8]) -> Result<Vec<u8>, StoreError> {
        let end = [kind.letter().saturating_add(1)];
        let above = (std::ops::Bound::Excluded(key), std::ops::Bound::Excluded(&end[..]));
        let next = self.db.range::<&[u8], _>(above).keys().next();
        let next = next.transpose().map_err(|error| wrong(&error))?;
        Ok(next.map_or_else(|| end.to_vec(), |key| key.to_vec()))
    }

    /// The directory that it is in.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Keys above `key` and their values, until they are about `bytes_max` together; none at the
    /// end.
    pub(super) fn above(&self, key: &[u8], bytes_max: usize) -> Result<Vec<Raw>, StoreError> {
        let above = (std::ops::Bound::Excluded(key), std::ops::Bound::Unbounded);
        let (mut found, mut bytes) = (Vec::new(), 0_usize);
        for entry in self.db.range::<&[u8], _>(above) {
            let entry = raw(Some(entry))?;
            bytes = entry.iter().fold(bytes, |sum, (key, value)| {
                sum.saturating_add(key.len()).saturating_add(value.len())
            });
            found.extend(entry);
            if bytes >= bytes_max {
                break;
            }
        }
        Ok(found)
    }

    /// How many values there are whose keys begin with `letter`.
    pub(super) fn count(&self, letter: u8) -> Result<u64, StoreError> {
        let mut count = 0_u64;
        for entry in self.db.scan_prefix([letter]) {
            entry.map_err(|error| wrong(&error))?;
            count = count.saturating_add(1);
        }
        Ok(count)
    }
}

/// A block's key, its letter included, and its bytes.
pub(super) type Raw = (Bytes, Bytes);

fn raw(entry: Option<sled::Result<(sled::IVec, sled::IVec)>>) -> Result<Option<Raw>, StoreError> {
    let entry = entry.transpose().map_err(|error| wrong(&error))?;
    Ok(entry.map(|(key, value)| (Bytes::copy_from_slice(&key), Bytes::copy_from_slice(&value))))
}

/// Waits until sled's threads have ended: it locks the file itself, and who gets the lock knows.
fn await_sled(data: &File) {
    for _try in 0..LOCK_TRIES_MAX {
        if data.try_lock().is_ok() {
            // Its lock is for sled to take, not for us to keep; unlocking does not fail.
            drop(data.unlock());
            return;
        }
        std::thread::park_timeout(LOCK_PAUSE);
    }
}

fn open_sled(dir: &Path, cache_bytes: u64) -> Result<sled::Db, StoreError> {
    let config = sled::Config::new()
        .path(dir)
        .cache_capacity(cache_bytes)
        // The writer alone flushes; a second flusher would only be in its way.
        .flush_every_ms(None);
    let mut tries = 0_u32;
    loop {
        match open_once(&config, dir) {
            // The directory is ours, so this is sled's own lock in a store that this process has
            // just let go of: its threads follow a moment later.
            Err(StoreError::InUse(_)) if tries < LOCK_TRIES_MAX => {
                tries = tries.saturating_add(1);
                std::thread::park_timeout(LOCK_PAUSE);
            }
            opened => return opened,
        }
    }
}

/// sled panics over some damage to its files. No lock of ours is held meanwhile, and nothing of it
/// is used afterwards.
fn open_once(config: &sled::Config, dir: &Path) -> Result<sled::Db, StoreError> {
    match catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(opened) => opened.map_err(|error| unreadable(dir, &error)),
        Err(panic) => {
            let says = panic.downcast_ref::<String>().map(String::as_str);
            let says = says.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(damaged_files(dir, says.unwrap_or("sled stopped")))
        }
    }
}

/// sled finds a damaged file of its own unreadable, of another version or impossible: to whoever
/// opens the store it is one thing, and the files are what to name.
fn unreadable(dir: &Path, error: &sled::Error) -> StoreError {
    match error {
        sled::Error::Corruption { .. }
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_)
        | sled::Error::CollectionNotFound(_) => damaged_files(dir, &error.to_string()),
        // A file ends where sled knows that there is more.
        sled::Error::Io(io) if io.kind() == io::ErrorKind::UnexpectedEof => {
            damaged_files(dir, &error.to_string())
        }
        sled::Error::Io(_) => wrong(error),
    }
}

fn damaged_files(dir: &Path, says: &str) -> StoreError {
    StoreError::Damaged(format!(
        "one of the files \"conf\", \"db\" and \"snap.*\" in {} is damaged or was cut short; keep \
         the directory as it is, and restore a back-up elsewhere ({says})",
        dir.display()
    ))
}

fn wrong(error: &sled::Error) -> StoreError {
    match error {
        sled::Error::Corruption { .. } => {
            StoreError::Damaged(format!("sled cannot read its own file: {error}"))
        }
        // A record lies beyond the file's end: it was cut short.
        sled::Error::Io(io) if io.kind() == io::ErrorKind::UnexpectedEof => {
            StoreError::Damaged(format!("sled's own file was cut short: {error}"))
        }
        sled::Error::Io(error) if error.to_string().contains("could not acquire lock") => {
            StoreError::InUse(error.to_string())
        }
        sled::Error::CollectionNotFound(_)
        | sled::Error::Unsupported(_)
        | sled::Error::ReportableBug(_)
        | sled::Error::Io(_) => StoreError::Failed(error.to_string()),
    }
}

/// Owns the directory, or says who does.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let failed = |error: io::Error| {
        StoreError::Failed(format!("cannot open the lock in {}: {error}", dir.display()))
    };
    let lock = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(dir.join(LOCK_FILE))
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse(format!(
            "the store in {} is in use by another process; stop that one first, or give this one \
             another directory",
            dir.display()
        ))),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// A crash while sled opens can leave a half-written snapshot, on which the next open would fail.
/// It holds nothing that the data file does not.
fn remove_half_written(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == HALF_WRITTEN) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
