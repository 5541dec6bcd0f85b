//! `mlango scenarios`: what a scenario file may say, and those that ship.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Context, Failure, out};
use crate::sim::scenario::{BYTES_MAX, Scenario, ready};

#[derive(Debug, Subcommand)]
pub(super) enum Scenarios {
    /// Name those that ship, with one line each.
    List,
    /// Print one that ships as it is written, to begin a file of your own with.
    Show {
        /// Its name.
        name: String,
    },
    /// Say all that is wrong with a file, each with its line and key.
    Check {
        /// The file; `-` for standard input.
        file: PathBuf,
    },
    /// Print the JSON schema of a scenario.
    Schema,
}

impl Scenarios {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::List => list(context.json),
            Self::Show { name } => {
                let text = ready::text(&name);
                out::data(text.ok_or_else(|| Failure::Usage(ready::unknown(&name)))?.trim_end());
            }
            Self::Check { file } => check(&file, context.json)?,
            Self::Schema => out::data(ready::SCHEMA.trim_end()),
        }
        Ok(())
    }
}

/// Names those that ship.
pub(super) fn list(as_json: bool) {
    if as_json {
        let data: Vec<Value> =
            ready::all().map(|(name, says)| json!({"name": name, "says": says})).collect();
        out::data(&json!({ "data": data }).to_string());
        return;
    }
    let rows: Vec<Vec<String>> =
        ready::all().map(|(name, says)| vec![name.to_owned(), says]).collect();
    out::data(&out::table(&["scenario", "what happens"], &rows));
}

fn check(file: &Path, as_json: bool) -> Result<(), Failure> {
    let scenario = read(file)?;
    let (name, says) = (&scenario.name, &scenario.says);
    if as_json {
        out::data(&json!({"name": name, "says": says, "rules": scenario.rules.len()}).to_string());
    } else {
        let rules = out::count(scenario.rules.len(), "rule");
        out::data(&format!("{name}, {rules}: {says}"));
    }
    Ok(())
}

/// The scenario of this name, or in this file.
///
/// # Errors
/// There is neither, or what is wrong with the file.
pub(super) fn find(wanted: &str) -> Result<Scenario, Failure> {
    let file = Path::new(wanted);
    let looks_like_a_file = wanted.contains(['/', '.']) || file.exists();
    match ready::scenario(wanted) {
        Some(shipped) => shipped.map_err(|faults| Failure::Usage(faults.to_string())),
        None if looks_like_a_file => read(file),
        None => Err(Failure::Usage(format!("{}, or a file", ready::unknown(wanted)))),
    }
}

/// Reads a scenario from a file; JSON where it begins with a brace.
fn read(file: &Path) -> Result<Scenario, Failure> {
    let name = file.display();
    let limit = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::Usage(format!("{name} cannot be read: {error}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|_not_utf8| Failure::Usage(format!("{name} is not UTF-8")))?;
    let is_json = text.trim_start().starts_with('{');
    let parsed = if is_json { Scenario::parse_json(&text) } else { Scenario::parse(&text) };
    parsed.map_err(|faults| {
        let lines: Vec<String> = faults.0.iter().map(|fault| format!("{name}, {fault}")).collect();
        Failure::Usage(format!("the scenario is not usable:\n{}", lines.join("\n")))
    })
}
