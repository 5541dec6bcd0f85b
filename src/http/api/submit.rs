//! A payout as it is asked for: every field checked, every fault named, before anything is done.

use std::borrow::Cow;
use std::str::FromStr;

use super::json::Json;
use super::{FieldFault, Problem};
use crate::domain::limit::{
    AmountLimits, METADATA_ENTRIES_MAX, METADATA_KEY_LEN_MAX, METADATA_VALUE_LEN_MAX,
    OCCASION_LEN_MAX, REFERENCE_LEN_MAX, REMARKS_LEN_MAX,
};
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::domain::payout::{Command, Metadata, Rail};
use crate::engine::Draft;
use crate::http::problem::Code;

/// The fields of a payout that a caller may give.
pub(in crate::http) const FIELDS: [&str; 8] =
    ["amount", "phone", "command", "reference", "remarks", "occasion", "metadata", "rail"];
/// The most faults that are listed: a body of nothing but unknown fields is told enough by then.
const FAULTS_MAX: usize = 50;

/// Reads the body of `POST /v1/payouts`. The shell checks the rows of a file with it, too.
///
/// # Errors
/// It is not JSON, or fields are faulty: all of them are named.
pub(crate) fn read(body: &[u8], limits: AmountLimits, rail: Rail) -> Result<Draft, Problem> {
    let object = match serde_json::from_slice(body) {
        Ok(Json::Object(object)) => object,
        Ok(other) => {
            let detail = format!(
                "The body is {}; it must be one JSON object. Nothing was done.",
                other.kind()
            );
            return Err(Problem::new(Code::InvalidJson, detail));
        }
        Err(error) => {
            // serde_json says where, and quotes nothing of what stands there.
            let detail = format!("The body is not JSON: {error}. Nothing was done.");
            return Err(Problem::new(Code::InvalidJson, detail));
        }
    };
    let mut fields = Fields { object, faults: Vec::new() };
    fields.refuse_unknown();
    let amount = fields.amount(limits);
    let phone = fields.phone();
    let command = fields.word("command");
    let reference = fields.text("reference", REFERENCE_LEN_MAX);
    let remarks = fields.text("remarks", REMARKS_LEN_MAX);
    let occasion = fields.text("occasion", OCCASION_LEN_MAX);
    let metadata = fields.metadata();
    let asked_rail = fields.word("rail");
    match (amount, phone) {
        (Some(amount), Some(phone)) if fields.faults.is_empty() => Ok(Draft {
            amount,
            phone,
            command: command.unwrap_or(Command::BusinessPayment),
            reference,
            remarks,
            occasion,
            metadata,
            rail: asked_rail.unwrap_or(rail),
        }),
        _ => {
            fields.faults.truncate(FAULTS_MAX);
            Err(Problem::fields(fields.faults))
        }
    }
}

struct Fields<'a> {
    object: Vec<(Cow<'a, str>, Json<'a>)>,
    faults: Vec<FieldFault>,
}

impl<'a> Fields<'a> {
    fn fault(&mut self, field: &str, message: impl Into<String>) {
        self.faults.push(FieldFault::new(field, message));
    }

    fn refuse_unknown(&mut self) {
        let mut seen: Vec<&str> = Vec::with_capacity(FIELDS.len());
        for (name, _) in &self.object {
            if let Some(known) = FIELDS.iter().find(|known| *known == name) {
                if seen.contains(known) {
                    self.faults.push(FieldFault::new(*known, "is given more than once"));
                }
                seen.push(known);
            } else {
                let message = format!("is unknown here; the fields are {}", FIELDS.join(", "));
                self.faults.push(FieldFault::new(shown(name), message));
            }
        }
    }

    /// The value of a field; `None` when it is missing or null.
    fn take(&mut self, field: &str) -> Option<Json<'a>> {
        let place = self.object.iter().position(|(name, _)| name == field)?;
        let value = self.object.swap_remove(place).1;
        (value != Json::Null).then_some(value)
    }

    fn amount(&mut self, limits: AmountLimits) -> Option<Amount> {
        const FORM: &str = "must be a decimal string such as \"1500.00\", or a whole number of \
                            shillings";
        let read = match self.take("amount") {
            None => Err("is missing".to_owned()),
            Some(Json::Text(text)) => text.parse().map_err(|error| format!("{error}")),
            // As text, so that a number too large is refused and not cut.
            Some(Json::Whole(number)) => {
                let text = number.to_string();
                text.parse().map_err(|error| format!("{error}"))
            }
            Some(Json::OtherNumber) => Err(format!("{FORM}; a float is not exact")),
            Some(other) => Err(format!("{FORM}, not {}", other.kind())),
        };
        let checked = read.and_then(|amount: Amount| match limits.check(amount) {
            Ok(()) => Ok(amount),
            Err(error) => Err(error.to_string()),
        });
        checked.map_err(|message| self.fault("amount", message)).ok()
    }

    fn phone(&mut self) -> Option<Msisdn> {
        let read = match self.take("phone") {
            None => Err("is missing".to_owned()),
            Some(Json::Text(text)) => text.parse::<Msisdn>().map_err(|error| error.to_string()),
            Some(other) => Err(format!("must be a string, not {}", other.kind())),
        };
        read.map_err(|message| self.fault("phone", message)).ok()
    }

    /// One word of a closed list.
    fn word<T>(&mut self, field: &str) -> Option<T>
    where
        T: FromStr,
        T::Err: std::fmt::Display,
    {
        let message = match self.take(field)?.text() {
            Ok(text) => match text.parse() {
                Ok(word) => return Some(word),
                Err(error) => format!("{error}"),
            },
            Err(kind) => format!("must be a string, not {kind}"),
        };
        self.fault(field, message);
        None
    }

    fn text(&mut self, field: &str, longest: usize) -> String {
        match self.take(field) {
            None => String::new(),
            Some(Json::Text(text)) => {
                if let Some(message) = bad_line(&text, longest) {
                    self.fault(field, message);
                }
                text.into_owned()
            }
            Some(other) => {
                self.fault(field, format!("must be a string, not {}", other.kind()));
                String::new()
            }
        }
    }

    fn metadata(&mut self) -> Metadata {
        let entries = match self.take("metadata") {
            None => return Metadata::new(),
            Some(Json::Object(entries)) => entries,
            Some(other) => {
                let message = format!("must be an object of strings, not {}", other.kind());
                self.fault("metadata", message);
                return Metadata::new();
            }
        };
        if entries.len() > METADATA_ENTRIES_MAX {
            let message = format!("may have at most {METADATA_ENTRIES_MAX} entries");
            self.fault("metadata", message);
            return Metadata::new();
        }
        let mut metadata = Metadata::new();
        for (key, value) in entries {
            let field = format!("metadata.{}", shown(&key));
            if key.is_empty() {
                self.fault("metadata", "has an entry without a name");
            } else if let Some(message) = bad_line(&key, METADATA_KEY_LEN_MAX) {
                self.fault(&field, format!("as a name, {message}"));
            }
            match value.text() {
                Ok(text) => {
                    if let Some(message) = bad_note(&text) {
                        self.fault(&field, message);
                    }
                    if metadata.insert(key.into_owned(), text.into_owned()).is_some() {
                        self.fault(&field, "is given more than once");
                    }
                }
                Err(kind) => self.fault(&field, format!("must be a string, not {kind}")),
            }
        }
        metadata
    }
}

/// What is wrong with one line of text, if anything is.
fn bad_line(text: &str, longest: usize) -> Option<String> {
    if text.chars().count() > longest {
        return Some(format!("must have at most {longest} characters"));
    }
    let bad = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.contains(bad).then(|| "must not hold control characters or line breaks".to_owned())
}

/// What is wrong with a note, which may have several lines.
fn bad_note(text: &str) -> Option<String> {
    if text.chars().count() > METADATA_VALUE_LEN_MAX {
        let message = format!("must have at most {METADATA_VALUE_LEN_MAX} characters");
        return Some(message);
    }
    let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    text.contains(bad).then(|| "must not hold control characters".to_owned())
}

/// A name that a caller made up, fit to be shown in an answer.
fn shown(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(METADATA_KEY_LEN_MAX)
        .collect()
}
