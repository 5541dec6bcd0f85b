//! `mlango backup` and `mlango restore`: a whole copy of the book, taken while it is written, and a
//! store made of one.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};

use super::reach::{Reach, myself};
use super::socket::Socket;
use super::{Context, Failure, out};
use crate::app::{self, Manifest, Progress};
use crate::http::admin::NewBackup;

/// How often progress is shown.
const SHOW_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// A directory that does not exist yet, or is empty.
    dir: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The directory that `mlango backup` made.
    dir: PathBuf,
}

impl Backup {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let dir = std::path::absolute(&self.dir).map_err(Failure::failed)?;
        let reach = Reach::open_known(context).await?;
        let made = match &reach {
            Reach::Gateway(socket) => through(socket, &dir, true).await,
            Reach::Store(book) => {
                let progress = Arc::<Progress>::default();
                let making = book.back_up(dir.clone(), Arc::clone(&progress));
                shown("copied", making, || progress.bytes()).await.map_err(Failure::Failed)
            }
        };
        reach.close().await;
        let manifest = made?;
        if context.json {
            out::data(&serde_json::to_string(&manifest).map_err(Failure::failed)?);
        } else {
            out::data(&format!("{}: {}", dir.display(), described(&manifest)));
        }
        out::say(
            "the back-up is whole. It holds names, phones and messages: keep it as you keep the store",
        );
        Ok(())
    }
}

/// What is in a back-up, in a line.
fn described(manifest: &Manifest) -> String {
    format!(
        "the book of {}: {} payouts, {} events, {}",
        manifest.created_at,
        manifest.payouts,
        manifest.last_event,
        size(manifest.bytes())
    )
}

/// Has the running gateway make one.
pub(super) async fn through(
    socket: &Socket,
    dir: &Path,
    is_kept: bool,
) -> Result<Manifest, Failure> {
    let new = NewBackup { dir: dir.to_owned(), is_kept };
    let making = socket.post_and_wait("/backup", &new);
    tokio::pin!(making);
    loop {
        tokio::select! {
            made = &mut making => {
                out::progress("");
                return made;
            }
            () = tokio::time::sleep(SHOW_EVERY) => {
                let told: Value = socket.get("/backup").await.unwrap_or_default();
                let bytes = told.get("bytes").and_then(Value::as_u64).unwrap_or_default();
                out::progress(&format!("copied {}", size(bytes)));
            }
        }
    }
}

/// Does something, showing how far it has come.
pub(super) async fn shown<T>(
    what: &str,
    work: impl Future<Output = T>,
    bytes: impl Fn() -> u64,
) -> T {
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => {
                out::progress("");
                return done;
            }
            () = tokio::time::sleep(SHOW_EVERY) => {
                out::progress(&format!("{what} {}", size(bytes())));
            }
        }
    }
}

/// So many bytes, for people.
fn size(bytes: u64) -> String {
    match bytes {
        0..=1_048_575 => format!("{} KiB", bytes.div_ceil(1_024)),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}

impl Restore {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let config = context.source()?.config()?.config;
        if let Some(socket) = app::socket(&config.store.url).map(Socket::at)
            && socket.answers().await
        {
            let why = "a gateway runs on the configured store; nothing was restored. Stop it, and \
                       move its store away, if this back-up is to take its place";
            return Err(Failure::Failed(why.to_owned()));
        }
        let progress = Arc::<Progress>::default();
        let (window, by) = (config.payouts.policy.arrival_window, myself());
        let restoring = app::restore(&self.dir, &config.store, window, &by, Arc::clone(&progress));
        let restored = shown("written", restoring, || progress.bytes()).await;
        let restored = restored.map_err(Failure::Failed)?;
        let unsettled = restored.unsettled;
        if context.json {
            let shown = json!({
                "store": restored.dir, "backup": restored.manifest,
                "payouts": restored.found.payouts, "events": restored.found.events,
                "queued": unsettled.queued, "open": unsettled.payouts, "others": unsettled.others,
            });
            out::data(&shown.to_string());
        } else {
            out::data(&format!(
                "{}: {}; every record of it was read and is sound",
                restored.dir.display(),
                described(&restored.manifest)
            ));
        }
        out::say(&format!(
            "This store does not know what happened after {}. Every rail is paused; {} payouts that \
             were queued may have been sent since and count as begun, {} others are open, and {} \
             prompts, inquiries and texts. Never start the original again beside it. Start the \
             gateway: it asks M-Pesa about them and sends nothing. Then read docs/operations.md, \
             \"After a restore\", before `mlango rails resume`.",
            restored.manifest.created_at, unsettled.queued, unsettled.payouts, unsettled.others
        ));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_for_people() {
        let shown = [0, 1, 1_048_575, 1_048_576, 5 << 30].map(size);
        assert_eq!(shown, ["0 KiB", "1 KiB", "1024 KiB", "1 MiB", "5120 MiB"]);
    }
}
