//! A store made of a back-up.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::codec::{self, VERSION};
use super::disk::Disk;
use super::keys;
use super::mark::Mark;
use super::{Options, SledStore, verify};
use crate::store::backup::{Backup, BackupError, Manifest, Part, Progress, is_free};
use crate::store::{Store as _, StoreError, Verified};

/// A store that was made of a back-up and does not have its name yet. Dropped before it is
/// finished, it is gone.
#[derive(Debug)]
pub struct Restoring {
    // Dropped in this order: the store lets go of its files before they are removed.
    store: SledStore,
    part: Part,
    manifest: Manifest,
    found: Verified,
}

impl Restoring {
    /// Reads the back-up in `from` twice, to check it and to make the store of it that will stand
    /// in `dir`; then reads all of that.
    ///
    /// # Errors
    /// `Refused` when there is something in `dir`, or this program does not read what is in the
    /// back-up; `Damaged` when the back-up is; `Failed` when the disk fails.
    pub async fn begin(
        from: PathBuf,
        dir: PathBuf,
        options: Options,
        progress: Arc<Progress>,
    ) -> Result<Self, BackupError> {
        let work = move || Self::make(&from, &dir, options, &progress);
        let made = tokio::task::spawn_blocking(work).await;
        made.map_err(|error| BackupError::Failed(format!("it ended early: {error}")))?
    }

    fn make(
        from: &Path,
        dir: &Path,
        options: Options,
        progress: &Progress,
    ) -> Result<Self, BackupError> {
        let free = is_free(dir);
        let free = free.map_err(|error| {
            BackupError::Failed(format!("cannot look into {}: {error}", dir.display()))
        })?;
        if !free {
            return Err(BackupError::Refused(format!(
                "there is a store in {} already, and nothing is restored over it; move it away, \
                 or let store.url name another directory",
                dir.display()
            )));
        }
        let from = Backup::open(from)?;
        let manifest = from.manifest().clone();
        if manifest.records != u32::from(VERSION) {
            return Err(BackupError::Refused(format!(
                "the back-up in {} holds records of version {}, and this version of mlango reads \
                 {VERSION}; restore it with the version that made it, {}",
                from.dir().display(),
                manifest.records,
                manifest.program
            )));
        }
        let part = Part::make(dir, ".restoring")?;
        fill(&from, part.path(), options, progress)?;
        let store = SledStore::open(part.path(), options).map_err(failed)?;
        let shared = &store.shared;
        let found = shared.with_disk(|disk| verify::everything(shared, disk)).map_err(failed)?;
        Ok(Self { store, part, manifest, found })
    }

    /// The store, to be written to before it has its name.
    pub const fn store(&self) -> &SledStore {
        &self.store
    }

    /// What the back-up says of itself.
    pub const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What reading all of the store found.
    pub const fn found(&self) -> &Verified {
        &self.found
    }

    /// Lets go of it and gives it its name.
    ///
    /// # Errors
    /// The disk failed: there is no store then.
    pub async fn finish(self) -> Result<(), BackupError> {
        let Self { store, part, .. } = self;
        store.close().await;
        drop(store);
        part.finish()
    }
}

/// Writes everything that is in the back-up, and the mark that belongs to it.
fn fill(
    from: &Backup,
    dir: &Path,
    options: Options,
    progress: &Progress,
) -> Result<(), BackupError> {
    let disk = Disk::open(dir, options.cache_bytes, Box::new(File::sync_data)).map_err(failed)?;
    let mut entries = from.entries()?;
    while let Some(writes) = entries.next()? {
        let len = |(key, value): &(Vec<u8>, Option<Vec<u8>>)| {
            key.len().saturating_add(value.as_ref().map_or(0, Vec::len))
        };
        progress.add(writes.iter().map(len).fold(0, usize::saturating_add));
        disk.apply(writes).map_err(failed)?;
    }
    disk.make_durable().map_err(failed)?;
    let numbers = disk.get(keys::META).map_err(failed)?;
    let numbers = numbers.map(|bytes| codec::read_meta(&bytes)).transpose().map_err(failed)?;
    let groups = numbers.map_or(0, |meta| meta.groups);
    disk.close();
    if groups != from.manifest().group {
        return Err(BackupError::Damaged(format!(
            "the back-up in {} says that it goes to group {} of writes, and it goes to {groups}; \
             nothing was restored",
            from.dir().display(),
            from.manifest().group
        )));
    }
    Mark::restore(dir, groups).map_err(|error| BackupError::Failed(error.to_string()))
}

fn failed(error: StoreError) -> BackupError {
    match error {
        StoreError::Damaged(says) => BackupError::Damaged(says),
        StoreError::InUse(says) | StoreError::OtherVersion(says) => BackupError::Refused(says),
        StoreError::Failed(says) => BackupError::Failed(says),
    }
}
