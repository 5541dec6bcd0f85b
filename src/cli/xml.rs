//! `mlango xml`: recorded messages.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{Context, Failure, out};
use crate::daraja;
use crate::schema::{Checked, Finding, Schemas, Verdict};
use crate::soap::show::show;

/// The largest message that is read.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Xml {
    /// Hold messages against the schema: file, line, element, what was found, what was expected.
    ///
    /// Each may be an envelope, what stands in a body, a header, or an inner document. Exit code 0:
    /// each is to the schema, or deviates from it in a way that is known and accepted; 1: one is
    /// not, or would not be understood.
    Validate(Validate),
    /// Say what a message says, SOAP or JSON: the inner document and what is in base64 unwrapped,
    /// codes explained, secrets and people masked.
    Show {
        /// The message, as it was on the wire; `-` for standard input.
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// The messages, as they were on the wire; `-` for standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The partner's own WSDL and XSD files, in place of those that are built in.
    #[arg(long, value_name = "DIR")]
    wsdl: Option<PathBuf>,
    /// Take no deviation, known or not.
    #[arg(long)]
    strict: bool,
}

impl Xml {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Validate(validate) => validate.run(context),
            Self::Show { file } => {
                let bytes = read(&file).map_err(Failure::Failed)?;
                let shown = shown(&bytes)
                    .map_err(|error| Failure::Failed(format!("{}: {error}", file.display())))?;
                out::data(shown.trim_end());
                Ok(())
            }
        }
    }
}

/// What a message says: SOAP, or JSON.
fn shown(bytes: &[u8]) -> Result<String, String> {
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    if text.starts_with(b"{") || text.starts_with(b"[") {
        return daraja::show::show(bytes).map_err(|error| error.to_string());
    }
    show(bytes).map_err(|error| error.to_string())
}

/// A file's bytes, or why there are none.
fn read(file: &Path) -> Result<Vec<u8>, String> {
    let name = file.display();
    let mut bytes = Vec::new();
    let limit = FILE_BYTES_MAX.saturating_add(1);
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| format!("{name} cannot be read: {error}"))?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        return Err(format!("{name} is larger than any message"));
    }
    Ok(bytes)
}

/// What is said of one file.
#[derive(Debug, Serialize)]
struct Row {
    file: String,
    /// Whether the exit code lets it pass.
    ok: bool,
    /// Why it could not be read at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(flatten)]
    checked: Option<Checked>,
}

impl Validate {
    fn run(&self, context: &Context) -> Result<(), Failure> {
        let schemas = match &self.wsdl {
            Some(dir) => Schemas::from_dir(dir)
                .map_err(|error| Failure::Usage(format!("--wsdl {}: {error}", dir.display())))?,
            None => Schemas::bundled().map_err(Failure::failed)?,
        };
        let rows: Vec<Row> = self.files.iter().map(|file| self.row(&schemas, file)).collect();
        if context.json {
            out::data(&serde_json::to_string(&rows).map_err(Failure::failed)?);
        } else {
            rows.iter().flat_map(lines).for_each(|line| out::data(&line));
        }
        let wrong = rows.iter().filter(|row| !row.ok).count();
        if wrong == 0 {
            return Ok(());
        }
        let of = rows.len();
        Err(Failure::Failed(format!(
            "{wrong} of {of} messages would not do; no money is concerned"
        )))
    }

    fn row(&self, schemas: &Schemas, file: &Path) -> Row {
        let name = file.display().to_string();
        match read(file) {
            Ok(bytes) => {
                let checked = schemas.check(&bytes);
                let ok = match checked.verdict {
                    Verdict::ToSchema => true,
                    Verdict::Deviates => !self.strict,
                    Verdict::NotToSchema | Verdict::NotUnderstood => false,
                };
                Row { file: name, ok, error: None, checked: Some(checked) }
            }
            Err(why) => Row { file: name, ok: false, error: Some(why), checked: None },
        }
    }
}

/// What a person reads of one file.
fn lines(row: &Row) -> Vec<String> {
    let file = &row.file;
    let Some(checked) = &row.checked else {
        return row.error.iter().map(|why| one_line(&format!("{file}: {why}"))).collect();
    };
    let Checked { message, verdict, findings, not_understood } = checked;
    let why = not_understood.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let head = format!("{file}: {message}: {}{why}", verdict.says());
    let below = findings.iter().map(|finding| line(file, finding));
    std::iter::once(head).chain(below).map(|line| one_line(&line)).collect()
}

fn line(file: &str, finding: &Finding) -> String {
    let Finding { line, element, found, expected, deviation } = finding;
    let known = deviation.map_or_else(String::new, |known| {
        format!(" [{}, spec/soap.md {}]", known.name, known.section)
    });
    format!("{file}:{line}: {element}: found {found}; expected {expected}{known}")
}

/// Names may have line ends and other signs in them.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
