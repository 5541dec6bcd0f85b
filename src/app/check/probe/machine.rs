//! Files, disks, limits and the store.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::process::{Resource, geteuid, getrlimit};

use crate::app::Book;
use crate::app::check::Gateway;
use crate::app::check::judge::files::Found;
use crate::app::check::judge::machine::{Backup, Needs, Running, Space, StoreState};
use crate::config::section::Store;
use crate::config::{Parts, StoreUrl};
use crate::http::admin::GatewayHealth;
use crate::store::backup::LastBackup;

/// Who runs this.
pub(in crate::app::check) fn me() -> u32 {
    geteuid().as_raw()
}

/// What the file system says of a file that can be read.
pub(in crate::app::check) fn file(path: &Path) -> Result<Found, String> {
    let found = File::open(path).and_then(|file| file.metadata());
    let found = found.map_err(|error| error.to_string())?;
    if found.is_dir() {
        return Err("it is a directory".to_owned());
    }
    Ok(Found { mode: found.mode(), owner: found.uid() })
}

/// What it says of a directory, if it is there.
pub(in crate::app::check) fn directory(path: &Path) -> Option<Found> {
    let found = fs::metadata(path).ok()?;
    Some(Found { mode: found.mode(), owner: found.uid() })
}

/// How the store is, and what the book says, if it can be read.
pub(in crate::app::check) async fn store(
    config: &Store,
    gateway: &Gateway,
) -> (StoreState, Result<GatewayHealth, String>) {
    let StoreUrl::Sled(dir) = &config.url else {
        return (StoreState::Memory, Err("it is in memory".to_owned()));
    };
    match gateway {
        Gateway::Says(health) => {
            let (reasons, notes) = (health.reasons.clone(), health.notes.clone());
            (StoreState::Running(Running { reasons, notes }), Ok(health.clone()))
        }
        Gateway::Mute(why) => (StoreState::Mute(why.clone()), Err(why.clone())),
        // Opening would make one.
        Gateway::None if is_empty(dir) => (StoreState::New, Ok(GatewayHealth::default())),
        Gateway::None => open(config).await,
    }
}

fn is_empty(dir: &Path) -> bool {
    match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(_unread) => !dir.exists(),
    }
}

async fn open(config: &Store) -> (StoreState, Result<GatewayHealth, String>) {
    let book = match Book::open(config).await {
        Ok(book) => book,
        Err(error) => return (StoreState::Unopened(error.to_string()), Err(error.to_string())),
    };
    let health = book.health().await;
    book.close().await;
    match health {
        Ok(health) => (StoreState::Opened, Ok(health)),
        Err(error) => (StoreState::Unopened(error.to_string()), Err(error.to_string())),
    }
}

/// The nearest directory that is there: `dir` itself, or where it is to be made.
pub(in crate::app::check) fn nearest(dir: &Path) -> PathBuf {
    let mut here = dir;
    while !here.exists() {
        match here.parent() {
            Some(parent) if parent != Path::new("") => here = parent,
            Some(_) | None => return PathBuf::from("."),
        }
    }
    here.to_owned()
}

/// Makes a file in a directory and takes it away again.
pub(in crate::app::check) fn write(dir: &Path) -> Result<(), String> {
    let path = dir.join(format!(".mlango-check-{}", std::process::id()));
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
    let made = made.and_then(|mut file| std::io::Write::write_all(&mut file, b"check"));
    let gone = fs::remove_file(&path);
    made.and(gone).map_err(|error| error.to_string())
}

/// Free space where a directory is.
pub(in crate::app::check) fn space(dir: &Path) -> Result<Space, String> {
    let found = rustix::fs::statvfs(dir).map_err(|error| error.to_string())?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Ok(Space { free: bytes(found.f_bavail), total: bytes(found.f_blocks) })
}

/// How many files this process may open.
pub(in crate::app::check) fn file_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// How many the gateway may need.
pub(in crate::app::check) fn needs(parts: &Parts) -> Needs {
    let many = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let api = parts.api.as_ref().map_or(0, |api| many(api.max_connections));
    let callbacks = parts.callbacks.as_ref().map_or(0, |it| many(it.max_connections));
    let broker = parts.broker.as_ref().map_or(0, |it| many(it.link.max_in_flight));
    // Payouts and other calls have places of their own.
    let daraja = parts.daraja.as_ref().map_or(0, |it| u64::from(it.link.max_in_flight));
    Needs {
        connections: api.saturating_add(callbacks),
        in_flight: broker.saturating_add(daraja.saturating_mul(2)),
    }
}

/// What is known of the last back-up of the store in `dir`.
pub(in crate::app::check) fn backup(dir: &Path) -> Backup {
    if dir.exists() {
        Backup::At(LastBackup::of(dir).and_then(|last| last.at()))
    } else {
        Backup::NoStore
    }
}
