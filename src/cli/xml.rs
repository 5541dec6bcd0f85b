//! `mlango xml`: recorded messages.

use std::io::Read as _;
use std::path::PathBuf;

use clap::Subcommand;

use super::{Failure, out};
use crate::soap::show::show;

/// The largest message that is read.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Xml {
    /// Say what a message says: the inner document unwrapped, codes explained, secrets masked.
    Show {
        /// The message, as it was on the wire; `-` for standard input.
        file: PathBuf,
    },
}

impl Xml {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self::Show { file } = self;
        let name = file.display();
        let mut bytes = Vec::new();
        let limit = FILE_BYTES_MAX.saturating_add(1);
        let read = if file.as_os_str() == "-" {
            std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
        } else {
            std::fs::File::open(&file).and_then(|file| file.take(limit).read_to_end(&mut bytes))
        };
        read.map_err(|error| Failure::Failed(format!("{name} cannot be read: {error}")))?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
            return Err(Failure::Failed(format!("{name} is larger than any message")));
        }
        let shown = show(&bytes).map_err(|error| Failure::Failed(format!("{name}: {error}")))?;
        out::data(shown.trim_end());
        Ok(())
    }
}
