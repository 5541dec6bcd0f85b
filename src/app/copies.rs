//! Back-ups and what is made of them, for the shell.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::Book;
use crate::clock::{Clock as _, SystemClock};
use crate::config::StoreUrl;
use crate::config::section;
use crate::engine::{Unsettled, settle_restored};
use crate::fixture::stand_in::StandIns;
use crate::http::admin::{AskedExport, ExportPage, RecordedPage};
pub use crate::store::backup::{Manifest, Progress};
use crate::store::backup::{Order, Part};
use crate::store::sled::{Options, Restoring};
use crate::store::{Store as _, Verified};
use crate::{domain::time::Timestamp, ids::RandomIds};

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// What the back-up says of itself.
    pub manifest: Manifest,
    /// What reading all of it found: nothing wrong.
    pub found: Verified,
    /// What may have gone on since it was taken.
    pub unsettled: Unsettled,
    /// Where the store is.
    pub dir: PathBuf,
}

impl Book {
    /// Makes a back-up in `dir`.
    ///
    /// # Errors
    /// In words; there is none then.
    pub async fn back_up(&self, dir: PathBuf, progress: Arc<Progress>) -> Result<Manifest, String> {
        let order = Order { dir, at: SystemClock.now(), is_kept: true };
        self.store.backup(order, progress).await.map_err(|error| error.to_string())
    }

    /// The next page of an export.
    ///
    /// # Errors
    /// In words.
    pub async fn export(&self, what: &str, asked: &AskedExport) -> Result<ExportPage, String> {
        self.alone().export(what, asked).await
    }

    /// The ids of whatever came or went since a moment.
    ///
    /// # Errors
    /// In words.
    pub async fn recordable(&self, since: &str) -> Result<Vec<String>, String> {
        self.alone().recordable(since).await
    }

    /// The exchanges of one of them, with stand-ins.
    ///
    /// # Errors
    /// In words.
    pub async fn recorded(
        &self,
        about: &str,
        stand_ins: &mut StandIns,
    ) -> Result<RecordedPage, String> {
        self.alone().recorded(about, stand_ins).await
    }
}

/// Makes the configured store of the back-up in `from`; `by` is who does it. No gateway may run on
/// it, or on the original.
///
/// # Errors
/// In words; nothing was restored then.
pub async fn restore(
    from: &Path,
    config: &section::Store,
    arrival_window: Duration,
    by: &str,
    progress: Arc<Progress>,
) -> Result<Restored, String> {
    let dir = directory(config)?;
    let options = Options { cache_bytes: config.cache_bytes };
    let restoring = Restoring::begin(from.to_owned(), dir.clone(), options, progress)
        .await
        .map_err(|error| error.to_string())?;
    let (manifest, found) = (restoring.manifest().clone(), restoring.found().clone());
    if let Some(fault) = found.faults.first() {
        let more = found.faults.len();
        return Err(format!(
            "the back-up is as it was written, but the store in it is not sound ({more} faults, \
             the first: {fault}). Nothing was restored; take an earlier back-up"
        ));
    }
    let taken_at = manifest.taken_at().map_err(|error| error.to_string())?;
    let times: (Timestamp, Timestamp) = (taken_at, SystemClock.now());
    let ids = RandomIds::default();
    let unsettled = settle_restored(restoring.store(), &ids, times, arrival_window, by).await?;
    restoring.finish().await.map_err(|error| error.to_string())?;
    Ok(Restored { manifest, found, unsettled, dir })
}

/// A place beside the store for a back-up that is only looked at. It is removed when it is dropped.
#[derive(Debug)]
pub struct Scratch(Part);

impl Scratch {
    /// Makes it.
    ///
    /// # Errors
    /// In words.
    pub fn beside(config: &section::Store) -> Result<Self, String> {
        let made = Part::make(&directory(config)?, ".checking");
        made.map(Self).map_err(|error| error.to_string())
    }

    /// Where the back-up is to be made.
    pub fn backup(&self) -> PathBuf {
        self.0.path().join("backup")
    }

    /// Makes a store of the back-up, reads all of it, and removes it.
    ///
    /// # Errors
    /// In words.
    pub async fn verify(
        &self,
        config: &section::Store,
        progress: Arc<Progress>,
    ) -> Result<Verified, String> {
        let options = Options { cache_bytes: config.cache_bytes };
        let dir = self.0.path().join("store");
        let restoring = Restoring::begin(self.backup(), dir, options, progress).await;
        let restoring = restoring.map_err(|error| error.to_string())?;
        let found = restoring.found().clone();
        restoring.store().close().await;
        Ok(found)
    }
}

fn directory(config: &section::Store) -> Result<PathBuf, String> {
    match &config.url {
        StoreUrl::Sled(dir) => Ok(dir.clone()),
        StoreUrl::Memory => Err("store.url is memory:, which has no back-up".to_owned()),
    }
}
