//! Reading a back-up: it is checked whole before anything is made of it.

use std::fs::{self, File};
use std::io::{self, BufReader, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::{
    BASE, BackupError, CHANGES, FORMAT, FRAME_HEAD_LEN, MANIFEST, Manifest, SUMS, Writes, sum_line,
};

/// The longest manifest or list of checksums that is read.
const SMALL_FILE_LEN_MAX: u64 = 64 * 1024;
/// The longest frame that is read: far above any that is written.
const FRAME_LEN_MAX: usize = 64 << 20;
/// How much is read at once.
const READ_LEN: usize = 256 * 1024;

/// A back-up of which every byte was found to be as it was written.
#[derive(Debug)]
pub struct Backup {
    dir: PathBuf,
    manifest: Manifest,
}

impl Backup {
    /// Opens the back-up in `dir` and reads all of it.
    ///
    /// # Errors
    /// `Refused` when there is none, or one that this program does not read; `Damaged` when a byte
    /// is not as it was written; `Failed` when the disk fails.
    pub fn open(dir: &Path) -> Result<Self, BackupError> {
        let told = small_file(dir, MANIFEST)?;
        let sums = small_file(dir, SUMS)?;
        let mut due = String::new();
        for name in [BASE, CHANGES] {
            due.push_str(&sum_line(name, &digest_of(&dir.join(name))?));
        }
        due.push_str(&sum_line(MANIFEST, &Sha256::digest(&told)));
        if due.as_bytes() != sums {
            let wrong = |line: &&str| !due.lines().any(|due| due == *line);
            let sums = String::from_utf8_lossy(&sums).into_owned();
            let named = sums.lines().find(wrong).and_then(|line| line.split("  ").nth(1));
            let named = named.filter(|name| [BASE, CHANGES, MANIFEST].contains(name));
            let says = format!("its checksum is not the one in {SUMS}");
            return Err(damaged(dir, named.unwrap_or(SUMS), &says));
        }
        let manifest: Manifest = serde_json::from_slice(&told)
            .map_err(|error| damaged(dir, MANIFEST, &error.to_string()))?;
        if manifest.format != FORMAT {
            return Err(BackupError::Refused(format!(
                "the back-up in {} has the format {}, and this version of mlango reads {FORMAT}; \
                 use the version that made it, {}",
                dir.display(),
                manifest.format,
                manifest.program
            )));
        }
        Ok(Self { dir: dir.to_owned(), manifest })
    }

    /// What it says of itself.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Where it stands.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What is in it, in the order in which it is to be written.
    pub(in crate::store) fn entries(&self) -> Result<Entries, BackupError> {
        let mut entries = Entries { dir: self.dir.clone(), left: vec![CHANGES, BASE], now: None };
        entries.next_file()?;
        Ok(entries)
    }
}

/// A back-up's writes, a frame at a time.
#[derive(Debug)]
pub(in crate::store) struct Entries {
    dir: PathBuf,
    left: Vec<&'static str>,
    now: Option<(&'static str, BufReader<File>)>,
}

impl Entries {
    fn next_file(&mut self) -> Result<(), BackupError> {
        self.now = match self.left.pop() {
            None => None,
            Some(name) => {
                let path = self.dir.join(name);
                let file = File::open(&path);
                let file =
                    file.map_err(|error| BackupError::of_disk("cannot read", &path, &error))?;
                Some((name, BufReader::with_capacity(READ_LEN, file)))
            }
        };
        Ok(())
    }

    /// What is to be written next; `None` at the end.
    ///
    /// # Errors
    /// `Damaged` when a frame is not as it was written; `Failed` when the disk fails.
    pub(in crate::store) fn next(&mut self) -> Result<Option<Writes>, BackupError> {
        while let Some((name, file)) = &mut self.now {
            let path = self.dir.join(*name);
            match frame(file).map_err(|error| BackupError::of_disk("cannot read", &path, &error))? {
                Some(Ok(body)) => {
                    let writes = writes(&body).ok_or_else(|| {
                        damaged(&self.dir, name, "a frame ends in the middle of a key")
                    })?;
                    return Ok(Some(writes));
                }
                Some(Err(flaw)) => return Err(damaged(&self.dir, name, flaw)),
                None => self.next_file()?,
            }
        }
        Ok(None)
    }
}

/// The next frame's body, or what is wrong with it; `None` at the end of the file.
fn frame(file: &mut impl io::Read) -> io::Result<Option<Result<Vec<u8>, &'static str>>> {
    let mut head = [0; FRAME_HEAD_LEN];
    match read_up_to(file, &mut head)? {
        0 => return Ok(None),
        FRAME_HEAD_LEN => {}
        _ => return Ok(Some(Err("a frame's head is cut short"))),
    }
    let [a, b, c, d, sum @ ..] = head;
    let len = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if len > FRAME_LEN_MAX {
        return Ok(Some(Err("a frame says that it is longer than any")));
    }
    let mut body = vec![0; len];
    if read_up_to(file, &mut body)? != len {
        return Ok(Some(Err("a frame is cut short")));
    }
    let is_right = crc32fast::hash(&body) == u32::from_be_bytes(sum);
    Ok(Some(if is_right { Ok(body) } else { Err("a frame's checksum is wrong") }))
}

fn read_up_to(file: &mut impl io::Read, into: &mut [u8]) -> io::Result<usize> {
    let mut read = 0_usize;
    while let Some(rest) = into.get_mut(read..).filter(|rest| !rest.is_empty()) {
        match file.read(rest) {
            Ok(0) => break,
            Ok(more) => read = read.saturating_add(more),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(read)
}

/// The entries of a frame; `None` when they do not end where it ends.
fn writes(body: &[u8]) -> Option<Writes> {
    let mut rest = body;
    let mut writes = Writes::new();
    while !rest.is_empty() {
        let key = part(&mut rest)?;
        let (mark, after) = rest.split_first()?;
        rest = after;
        let value = match mark {
            0 => None,
            1 => Some(part(&mut rest)?),
            _ => return None,
        };
        writes.push((key, value));
    }
    Some(writes)
}

fn part(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let (len, after) = rest.split_first_chunk::<4>()?;
    let len = usize::try_from(u32::from_be_bytes(*len)).ok()?;
    let (part, after) = after.split_at_checked(len)?;
    *rest = after;
    Some(part.to_vec())
}

fn small_file(dir: &Path, name: &str) -> Result<Vec<u8>, BackupError> {
    let path = dir.join(name);
    let mut bytes = Vec::new();
    let read = File::open(&path)
        .and_then(|file| file.take(SMALL_FILE_LEN_MAX).read_to_end(&mut bytes).map(|_len| ()));
    match read {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let is_half = fs::exists(dir.join(BASE)).unwrap_or(false);
            let why = if is_half {
                "is only half of one: it was cut off while it was made"
            } else {
                "holds no back-up"
            };
            Err(BackupError::Refused(format!(
                "{} {why} (there is no {name}); name the directory that `mlango backup` made",
                dir.display()
            )))
        }
        Err(error) => Err(BackupError::of_disk("cannot read", &path, &error)),
    }
}

fn digest_of(path: &Path) -> Result<[u8; 32], BackupError> {
    let failed = |error: io::Error| {
        if error.kind() == io::ErrorKind::NotFound {
            let says = format!("{} is missing: the back-up is damaged", path.display());
            return BackupError::Damaged(says);
        }
        BackupError::of_disk("cannot read", path, &error)
    };
    let mut file = File::open(path).map_err(failed)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; READ_LEN];
    loop {
        let len = read_up_to(&mut file, &mut buffer).map_err(failed)?;
        digest.update(buffer.get(..len).unwrap_or_default());
        if len < buffer.len() {
            return Ok(digest.finalize().into());
        }
    }
}

fn damaged(dir: &Path, name: &str, says: &str) -> BackupError {
    BackupError::Damaged(format!(
        "the file {name} of the back-up in {} is damaged: {says}. Nothing was restored; take \
         another copy of this back-up, or the one before it",
        dir.display()
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::store::backup::Stream;

    fn entry() -> impl Strategy<Value = (Vec<u8>, Option<Vec<u8>>)> {
        let bytes = |most| proptest::collection::vec(any::<u8>(), 0..most);
        (bytes(40), proptest::option::of(bytes(90_000)))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        /// Frames of any length, in order, with nothing added or lost.
        #[test]
        fn what_is_written_is_read(written in proptest::collection::vec(entry(), 0..30)) {
            let dir = tempfile::tempdir().expect("a directory");
            let mut base = Stream::create(dir.path(), BASE).expect("a file");
            Stream::create(dir.path(), CHANGES).and_then(Stream::finish).expect("an empty file");
            for (key, value) in &written {
                base.put(key, value.as_deref()).expect("written");
            }
            base.finish().expect("synced");
            let dir = dir.path().to_owned();
            let mut entries = Entries { dir, left: vec![CHANGES, BASE], now: None };
            entries.next_file().expect("a file");
            let mut read = Writes::new();
            while let Some(writes) = entries.next().expect("sound") {
                read.extend(writes);
            }
            prop_assert_eq!(read, written);
        }

        /// Whatever stands in a file, it is read to an end, or a flaw is named.
        #[test]
        fn nonsense_is_but_a_flaw(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut file = bytes.as_slice();
            while let Ok(Some(Ok(body))) = frame(&mut file) {
                let _writes = writes(&body);
            }
            let _writes = writes(&bytes);
        }
    }
}
