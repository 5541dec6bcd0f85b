//! A payout as it is asked for: every field checked, every fault named, before anything is done.

use super::Problem;
use super::fields::{Fields, bad_line, shown};
use super::json::Json;
use crate::daraja::rules;
use crate::domain::limit::{
    AmountLimits, METADATA_ENTRIES_MAX, METADATA_KEY_LEN_MAX, METADATA_VALUE_LEN_MAX,
    OCCASION_LEN_MAX, REFERENCE_LEN_MAX, REMARKS_LEN_MAX,
};
use crate::domain::payout::{Command, Metadata, Rail};
use crate::engine::Draft;

/// The fields of a payout that a caller may give.
pub(in crate::http) const FIELDS: [&str; 8] =
    ["amount", "phone", "command", "reference", "remarks", "occasion", "metadata", "rail"];

/// Reads the body of `POST /v1/payouts`. The shell checks the rows of a file with it, too.
///
/// # Errors
/// It is not JSON, or fields are faulty: all of them are named.
pub(crate) fn read(body: &[u8], limits: AmountLimits, rail: Rail) -> Result<Draft, Problem> {
    let mut fields = Fields::read(body, &FIELDS)?;
    let amount = fields.money("amount", limits);
    let phone = fields.phone("phone");
    let command = fields.word("command");
    let reference = fields.text("reference", REFERENCE_LEN_MAX);
    let remarks = fields.text("remarks", REMARKS_LEN_MAX);
    let occasion = fields.text("occasion", OCCASION_LEN_MAX);
    let metadata = fields.metadata();
    let rail = fields.word("rail").unwrap_or(rail);
    if let (Rail::Daraja, Some(command)) = (rail, command)
        && let Err(fault) = rules::b2c_command("command", command)
    {
        fields.fault("command", fault.broken.to_string());
    }
    let draft = amount.zip(phone).map(|(amount, phone)| Draft {
        amount,
        phone,
        command: command.unwrap_or(Command::BusinessPayment),
        reference,
        remarks,
        occasion,
        metadata,
        rail,
    });
    fields.done(draft)
}

impl Fields<'_> {
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

/// What is wrong with a note, which may have several lines.
fn bad_note(text: &str) -> Option<String> {
    if text.chars().count() > METADATA_VALUE_LEN_MAX {
        let message = format!("must have at most {METADATA_VALUE_LEN_MAX} characters");
        return Some(message);
    }
    let bad = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
    text.contains(bad).then(|| "must not hold control characters".to_owned())
}
