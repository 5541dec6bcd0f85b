//! The log: structured lines on standard error.
//!
//! Levels: `error` needs a person now; `warn` may need one; `info` is what happened to money and to
//! the process; `debug` is for whoever looks for a fault. What must never be logged: secrets,
//! credentials, message bodies, whole phone numbers, people's names. The domain's types mask
//! themselves; a raw text from outside is not logged at all.

use std::io::{self, IsTerminal as _};
use std::panic;

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{ParseError, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::section::{Log, LogFormat};

/// The level has no meaning. The configuration's own check lets none of these through.
#[derive(Debug, thiserror::Error)]
#[error("log.level \"{level}\" is not understood: {source}")]
pub struct NoSuchLevel {
    level: String,
    source: ParseError,
}

/// Starts the log, to standard error. Panics are logged from then on, too.
///
/// Once started it stays as it is: a second call changes nothing.
///
/// # Errors
/// The level is not understood.
pub fn init(log: &Log) -> Result<(), NoSuchLevel> {
    let filter: Targets =
        log.level.parse().map_err(|source| NoSuchLevel { level: log.level.clone(), source })?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(log.format == LogFormat::Text && io::stderr().is_terminal());
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let started = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
    // An error means that a log is running already, which is what was asked for.
    if started.is_ok() {
        panic::set_hook(Box::new(log_panic));
    }
    Ok(())
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

    fn log(level: &str) -> Log {
        Log { level: level.to_owned(), format: LogFormat::Json }
    }

    #[test]
    fn starting_twice_is_starting_once() {
        init(&log("off")).expect("a log");
        init(&log("info,mlango::rail=debug")).expect("the same log");
    }

    #[test]
    fn a_level_without_meaning_is_named() {
        let error = init(&log("mlango=loud")).expect_err("no level");
        assert!(error.to_string().contains("mlango=loud"), "{error}");
    }
}
