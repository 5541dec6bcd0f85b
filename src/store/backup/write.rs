//! Writing a back-up: two streams of entries, then what it says of itself, then its name.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{
    BASE, BackupError, CHANGES, DataFile, FRAME_HEAD_LEN, MANIFEST, Manifest, Part, SUMS, is_free,
    owners_file, sum_line,
};

/// How long a frame's body grows before it is written.
const FRAME_LEN: usize = 256 * 1024;
/// After so many bytes a file is synced: what gathers in memory must not be written all at once by
/// the sync of somebody who waits for a payout.
const SYNC_EVERY: u64 = 8 << 20;

/// A back-up that is being written beside its place. Dropped before it is finished, it is gone.
#[derive(Debug)]
pub(in crate::store) struct Writing {
    part: Part,
}

impl Writing {
    /// Begins one that will stand in `dir`.
    ///
    /// # Errors
    /// There is something in `dir` already, or the disk fails.
    pub(in crate::store) fn begin(dir: &Path) -> Result<Self, BackupError> {
        let free = is_free(dir);
        if !free.map_err(|error| BackupError::of_disk("cannot look into", dir, &error))? {
            return Err(BackupError::Refused(format!(
                "{} is not empty, and a back-up never writes over anything; name a directory that \
                 does not exist",
                dir.display()
            )));
        }
        Ok(Self { part: Part::make(dir, ".part")? })
    }

    /// The file of every key.
    pub(in crate::store) fn base(&self) -> Result<Stream, BackupError> {
        Stream::create(self.part.path(), BASE)
    }

    /// The file of what is written meanwhile.
    pub(in crate::store) fn changes(&self) -> Result<Stream, BackupError> {
        Stream::create(self.part.path(), CHANGES)
    }

    /// Writes what it says of itself, and gives it its name.
    ///
    /// # Errors
    /// The disk failed; nothing has the name then.
    pub(in crate::store) fn finish(
        self,
        mut manifest: Manifest,
        streams: [Written; 2],
    ) -> Result<Manifest, BackupError> {
        let dir = self.part.path().to_owned();
        let failed = |error: io::Error| BackupError::of_disk("cannot write in", &dir, &error);
        let mut sums = String::new();
        for Written { file, digest } in streams {
            sums.push_str(&sum_line(&file.name, &digest));
            manifest.files.push(file);
        }
        let mut told = serde_json::to_vec_pretty(&manifest)
            .map_err(|error| BackupError::Failed(error.to_string()))?;
        told.push(b'\n');
        sums.push_str(&sum_line(MANIFEST, &Sha256::digest(&told)));
        for (name, bytes) in [(MANIFEST, told.as_slice()), (SUMS, sums.as_bytes())] {
            write_whole(&dir.join(name), bytes).map_err(failed)?;
        }
        self.part.finish()?;
        Ok(manifest)
    }
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = owners_file().create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// One file of entries.
#[derive(Debug)]
pub(in crate::store) struct Stream {
    path: PathBuf,
    file: File,
    name: &'static str,
    digest: Sha256,
    /// The frame that is being filled, its head included.
    frame: Vec<u8>,
    entries: u64,
    bytes: u64,
    /// How many of the bytes are on the disk.
    synced: u64,
}

/// A file of entries that is on the disk.
#[derive(Debug)]
pub(in crate::store) struct Written {
    file: DataFile,
    digest: [u8; 32],
}

impl Stream {
    pub(super) fn create(dir: &Path, name: &'static str) -> Result<Self, BackupError> {
        let path = dir.join(name);
        let file = owners_file().create_new(true).open(&path);
        let file = file.map_err(|error| BackupError::of_disk("cannot make", &path, &error))?;
        let frame = vec![0; FRAME_HEAD_LEN];
        let digest = Sha256::new();
        Ok(Self { path, file, name, digest, frame, entries: 0, bytes: 0, synced: 0 })
    }

    /// Adds one key: its value, or that it is gone.
    ///
    /// # Errors
    /// The disk failed.
    pub(in crate::store) fn put(
        &mut self,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), BackupError> {
        self.put_part(key)?;
        match value {
            None => self.frame.push(0),
            Some(value) => {
                self.frame.push(1);
                self.put_part(value)?;
            }
        }
        self.entries = self.entries.saturating_add(1);
        if self.frame.len() >= FRAME_LEN { self.write_frame() } else { Ok(()) }
    }

    fn put_part(&mut self, part: &[u8]) -> Result<(), BackupError> {
        let len = u32::try_from(part.len())
            .map_err(|_error| BackupError::Failed("a record is too long".to_owned()))?;
        self.frame.extend_from_slice(&len.to_be_bytes());
        self.frame.extend_from_slice(part);
        Ok(())
    }

    fn write_frame(&mut self) -> Result<(), BackupError> {
        let body = self.frame.get(FRAME_HEAD_LEN..).unwrap_or_default();
        let len = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
        let head = [len, crc32fast::hash(body).to_be_bytes()].concat();
        if let Some(place) = self.frame.get_mut(..FRAME_HEAD_LEN) {
            place.copy_from_slice(&head);
        }
        let written = self.file.write_all(&self.frame);
        written.map_err(|error| BackupError::of_disk("cannot write", &self.path, &error))?;
        self.digest.update(&self.frame);
        let len = u64::try_from(self.frame.len()).unwrap_or(0);
        self.bytes = self.bytes.saturating_add(len);
        self.frame.truncate(FRAME_HEAD_LEN);
        if self.bytes.saturating_sub(self.synced) >= SYNC_EVERY { self.sync() } else { Ok(()) }
    }

    fn sync(&mut self) -> Result<(), BackupError> {
        let synced = self.file.sync_all();
        synced.map_err(|error| BackupError::of_disk("cannot sync", &self.path, &error))?;
        self.synced = self.bytes;
        Ok(())
    }

    /// Writes the rest, and returns when all of it is on the disk.
    ///
    /// # Errors
    /// The disk failed.
    pub(in crate::store) fn finish(mut self) -> Result<Written, BackupError> {
        if self.frame.len() > FRAME_HEAD_LEN {
            self.write_frame()?;
        }
        self.sync()?;
        // What was read back once must be what was written: a disk that is full late says so now.
        let kept = fs::metadata(&self.path).map(|file| file.len());
        if kept.ok() != Some(self.bytes) {
            let says = format!("{} is not as long as it was written", self.path.display());
            return Err(BackupError::Failed(says));
        }
        let (name, entries, bytes) = (self.name.to_owned(), self.entries, self.bytes);
        let digest = self.digest.finalize().into();
        Ok(Written { file: DataFile { name, entries, bytes }, digest })
    }
}
