//! The simulator's lines on standard output: one for each thing that happens.
//!
//! They are written by a thread of their own, which may wait for a slow reader as long as it likes:
//! the simulator never waits for it.

use std::io::IsTerminal as _;

use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{LET_GO, out};
use crate::config::Environment;
use crate::sim::story::{self, Ink};
use crate::sim::watch::{Seen, Watch};

/// What prints.
#[derive(Debug)]
pub(super) struct Lines(JoinHandle<()>);

/// Prints what is seen until the simulator is gone or nobody reads any more.
pub(super) fn print(mut watch: Watch, as_json: bool) -> Lines {
    let ink = ink();
    Lines(tokio::task::spawn_blocking(move || {
        while let Some(seen) = watch.next_blocking() {
            if !write(&seen, ink, as_json) {
                return;
            }
        }
    }))
}

/// Colour is for terminals, and for those who did not ask for none.
fn ink() -> Ink {
    let coloured = std::io::stdout().is_terminal() && !Environment::is_colourless();
    if coloured { Ink::Coloured } else { Ink::Plain }
}

/// Whether to go on.
fn write(seen: &Seen, ink: Ink, as_json: bool) -> bool {
    let mut line = if as_json { story::json(seen).to_string() } else { story::line(seen, ink) };
    line.push('\n');
    out::raw(&line).unwrap_or_else(|error| {
        out::say(&format!("no more lines are printed: {error}"));
        false
    })
}

impl Lines {
    /// Lets what has happened be printed, unless that takes too long.
    pub(super) async fn end(self) {
        // Whatever was not read by then is not printed.
        drop(timeout(LET_GO, self.0).await);
    }
}
