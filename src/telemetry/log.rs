//! The log: structured lines on standard error, or in a file of ours.
//!
//! A file is written by a thread of its own, behind a queue of so many lines: who logs never waits
//! for a disk. What the queue or the disk does not take is counted.
//!
//! Levels: `error` needs a person now; `warn` may need one; `info` is what happened to money and to
//! the process; `debug` is for whoever looks for a fault. What must never be logged: secrets,
//! credentials, message bodies, whole phone numbers, people's names. The domain's types mask
//! themselves; a raw text from outside is not logged at all.

mod file;

use std::io::{self, IsTerminal as _, Write};
use std::panic;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use self::file::Rotating;
use super::metric::{self, Counter};
use crate::config::section::{Log, LogFile, LogFormat};

/// How many lines may wait for the disk.
const WAITING_MAX: usize = 8_192;

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum NoLog {
    /// The level has no meaning. The configuration's own check lets none of these through.
    #[error("log.level \"{level}\" is not understood: {source}")]
    Level {
        /// As it is written.
        level: String,
        /// Why.
        source: ParseError,
    },
    /// The file cannot be written.
    #[error(
        "log.file, {path}, cannot be written: {source}; its directory must exist and belong to \
         the user that mlango runs as"
    )]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A log that runs. When this is dropped, what waits to be written to a file is written, in a
/// second or not at all.
#[derive(Debug)]
#[must_use = "when it is dropped, no more is written to the file"]
pub struct Running {
    /// What writes the rest when it is dropped.
    _file: Option<WorkerGuard>,
}

/// Starts the log. Panics are logged from then on, too.
///
/// Once started it stays as it is: a second call changes nothing.
///
/// # Errors
/// [`NoLog`].
pub fn init(log: &Log) -> Result<Running, NoLog> {
    let filter: Targets =
        log.level.parse().map_err(|source| NoLog::Level { level: log.level.clone(), source })?;
    let (writer, guard) = match &log.file {
        Some(file) => to_file(file)?,
        None => (BoxMakeWriter::new(io::stderr), None),
    };
    let is_terminal = log.file.is_none() && io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .with_ansi(log.format == LogFormat::Text && is_terminal);
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let started = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
    // An error means that a log is running already, which is what was asked for.
    if started.is_ok() {
        panic::set_hook(Box::new(log_panic));
    }
    Ok(Running { _file: guard })
}

fn to_file(file: &LogFile) -> Result<(BoxMakeWriter, Option<WorkerGuard>), NoLog> {
    let rotating =
        Rotating::open(file).map_err(|source| NoLog::File { path: file.path.clone(), source })?;
    let (queue, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING_MAX)
        .lossy(true)
        .thread_name("log")
        .finish(rotating);
    Ok((BoxMakeWriter::new(Counted::of(queue)), Some(guard)))
}

/// The queue before a file, with what it does not take counted.
#[derive(Clone, Debug)]
struct Counted {
    queue: NonBlocking,
    refused: ErrorCounter,
    /// How many of those are in the metric.
    counted: Arc<AtomicUsize>,
    dropped: Counter,
}

impl Counted {
    fn of(queue: NonBlocking) -> Self {
        let refused = queue.error_counter();
        let dropped = metric::LOG_LINES_DROPPED.with([]);
        Self { queue, refused, counted: Arc::default(), dropped }
    }
}

impl Write for Counted {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let taken = self.queue.write(line);
        let refused = self.refused.dropped_lines();
        let before = self.counted.fetch_max(refused, Ordering::Relaxed);
        let more = u64::try_from(refused.saturating_sub(before)).unwrap_or(u64::MAX);
        self.dropped.add(more);
        taken
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Counted {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A panic is a bug; its text is ours, so that it may be logged.
fn log_panic(panic: &panic::PanicHookInfo<'_>) {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let what = text.unwrap_or("no message");
    let place = panic.location().map(ToString::to_string);
    tracing::error!(place = place.as_deref(), "a bug: {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::mpsc;

    fn log(level: &str) -> Log {
        Log { level: level.to_owned(), format: LogFormat::Json, file: None }
    }

    #[test]
    fn starting_twice_is_starting_once() {
        let _log = init(&log("off")).expect("a log");
        let _same = init(&log("info,mlango::rail=debug")).expect("the same log");
    }

    #[test]
    fn a_level_without_meaning_is_named() {
        let error = init(&log("mlango=loud")).expect_err("no level");
        assert!(error.to_string().contains("mlango=loud"), "{error}");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_named() {
        let path = PathBuf::from("/nowhere/mlango.log");
        let file = Some(LogFile { path, rotate_bytes: 65_536, keep: 1 });
        let error = init(&Log { file, ..log("off") }).expect_err("no file");
        assert!(error.to_string().starts_with("log.file, /nowhere/mlango.log, cannot"), "{error}");
    }

    /// A disk that takes nothing until it is told to.
    struct Stuck(mpsc::Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            // An error means that it need not be stuck any more.
            self.0.recv().ok();
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_disk_that_hangs_holds_nobody_up_and_what_it_misses_is_counted() {
        let (free, stuck) = mpsc::channel();
        let builder = NonBlockingBuilder::default().buffered_lines_limit(2).lossy(true);
        let (queue, guard) = builder.finish(Stuck(stuck));
        let mut log = Counted { dropped: Counter::default(), ..Counted::of(queue) };
        for _ in 0..10 {
            log.write_all(b"a line\n").expect("never");
        }
        let refused = log.refused.dropped_lines();
        assert!(refused == 7 || refused == 8, "two wait, one may be in the writer's hand");
        assert_eq!(log.dropped.value(), u64::try_from(refused).expect("few"));
        drop(free);
        drop(guard);
    }
}
