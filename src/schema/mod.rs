//! Recorded and outgoing messages held against XML Schema: the one that is built in, or the
//! partner's own.
//!
//! A message is read twice: strictly, as any partner's reader may, and by the gateway's own reader,
//! which takes what spec/soap.md §9 has seen. So that what is said of a message tells apart what is
//! to the schema, what deviates from it in a way that is known and taken, and what is wrong.

pub mod deviation;
mod mend;
mod message;
mod node;
mod source;
mod text;
mod validator;
mod words;

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

pub use deviation::Deviation;
use node::Node;
pub use validator::BrokenSchema;
use validator::{Set, Wrong};

/// Schemas, ready to hold messages against.
#[derive(Debug)]
pub struct Schemas {
    /// The envelope alone.
    frame: Set,
    sets: Vec<Set>,
    is_bundled: bool,
}

impl Schemas {
    /// Those in `wsdl/`, which are built in.
    ///
    /// # Errors
    /// They are broken, which a test rules out.
    pub fn bundled() -> Result<Self, BrokenSchema> {
        Ok(Self { frame: source::frame()?, sets: source::bundled()?, is_bundled: true })
    }

    /// Those of a directory: every `.wsdl` and `.xsd` in it, with what they import from within it.
    /// Nothing is ever fetched from a network.
    ///
    /// # Errors
    /// The first that cannot be read, is broken, or imports what is not there.
    pub fn from_dir(dir: &Path) -> Result<Self, BrokenSchema> {
        Ok(Self { frame: source::frame()?, sets: source::directory(dir)?, is_bundled: false })
    }

    /// Looks at a message: an envelope, what stands in a body, a header, or an inner document.
    pub fn check(&self, message: &[u8]) -> Checked {
        message::check(self, message)
    }

    /// What is wrong with an element, by the schema that says the least against it.
    fn faults(&self, node: &Node) -> Vec<Wrong> {
        let declaring = self.sets.iter().filter(|set| set.declares(node));
        let mut least: Option<Vec<Wrong>> = None;
        for set in declaring {
            let faults = set.faults(node);
            if least.as_ref().is_none_or(|least| faults.len() < least.len()) {
                least = Some(faults);
            }
        }
        least.or_else(|| self.sets.first().map(|set| set.faults(node))).unwrap_or_default()
    }
}

/// Who lets only what is to the schema pass. The validator serves one thread at a time.
#[derive(Debug)]
pub struct Gatekeeper(Mutex<Schemas>);

impl Gatekeeper {
    /// By these schemas.
    pub const fn new(schemas: Schemas) -> Self {
        Self(Mutex::new(schemas))
    }

    /// What speaks against a message, in words without values; `None`: nothing. A known deviation
    /// counts: what we write is written as the schema wants it.
    pub fn objection(&self, message: &[u8]) -> Option<String> {
        let schemas = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let checked = schemas.check(message);
        drop(schemas);
        if checked.verdict == Verdict::ToSchema {
            return None;
        }
        let more = match checked.findings.len().saturating_sub(1) {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let first = checked.findings.first().map(Finding::says);
        let first = first.or(checked.not_understood).unwrap_or_default();
        Some(format!("{first}{more}"))
    }
}

/// What is to be said of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Which message it is: the element in the body, or the root where it stands alone.
    pub message: String,
    /// In a word.
    pub verdict: Verdict,
    /// Everything that is not to the schema, in the order in which it was found.
    pub findings: Vec<Finding>,
    /// Why the gateway's own reader does not understand it, where it does not.
    pub not_understood: Option<String>,
}

/// What a message is to the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As the schema wants it.
    ToSchema,
    /// Accepted, but not to the schema: all that is wrong is known from the wire.
    Deviates,
    /// Something is wrong that is no known deviation.
    NotToSchema,
    /// The gateway would not understand it, whatever the schema says.
    NotUnderstood,
}

impl Verdict {
    /// In words.
    pub const fn says(self) -> &'static str {
        match self {
            Self::ToSchema => "to the schema",
            Self::Deviates => "accepted, but not to the schema",
            Self::NotToSchema => "not to the schema",
            Self::NotUnderstood => "not understood",
        }
    }
}

/// One thing that is not to the schema. It quotes names, never values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The line of the file as it lies on the disk.
    pub line: usize,
    /// The element, as a path of names.
    pub element: String,
    /// What was found.
    pub found: String,
    /// What the schema expects.
    pub expected: String,
    /// Which known deviation it is, if it is one.
    pub deviation: Option<Deviation>,
}

impl Finding {
    /// In words, without its line.
    pub fn says(&self) -> String {
        let Self { element, found, expected, .. } = self;
        format!("{element}: found {found}; expected {expected}")
    }
}

impl From<Wrong> for Finding {
    fn from(wrong: Wrong) -> Self {
        let Wrong { line, element, found, expected } = wrong;
        Self { line, element, found, expected, deviation: None }
    }
}
