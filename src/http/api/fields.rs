//! The fields of a JSON body: each known by name, each fault named, before anything is done.

use std::borrow::Cow;
use std::str::FromStr;

use super::json::Json;
use super::{FieldFault, Problem};
use crate::daraja::rules::Verdict;
use crate::domain::limit::{AmountLimits, METADATA_KEY_LEN_MAX};
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::http::problem::Code;

/// The most faults that are listed: a body of nothing but unknown fields is told enough by then.
const FAULTS_MAX: usize = 50;

/// Whether a field must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    Must,
    May,
}

/// The fields of one body, and what is wrong with them so far.
pub(super) struct Fields<'a> {
    object: Vec<(Cow<'a, str>, Json<'a>)>,
    faults: Vec<FieldFault>,
}

impl<'a> Fields<'a> {
    /// Takes a body apart; fields that are not among `known` are faults.
    ///
    /// # Errors
    /// It is not one JSON object.
    pub(super) fn read(body: &'a [u8], known: &'static [&'static str]) -> Result<Self, Problem> {
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
        Ok(Self::of(object, known))
    }

    /// The fields of an object that was read.
    pub(super) fn of(
        object: Vec<(Cow<'a, str>, Json<'a>)>,
        known: &'static [&'static str],
    ) -> Self {
        let mut fields = Self { object, faults: Vec::new() };
        fields.refuse_unknown(known);
        fields
    }

    /// As [`Self::done`], for one of many: its faults, each named within `row`.
    pub(super) fn done_in<T>(self, row: &str, value: Option<T>) -> Result<T, Vec<FieldFault>> {
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            Some(_) | None => {
                let within = |fault: FieldFault| FieldFault {
                    field: format!("{row}.{}", fault.field),
                    message: fault.message,
                };
                Err(self.faults.into_iter().map(within).collect())
            }
        }
    }

    pub(super) fn fault(&mut self, field: &str, message: impl Into<String>) {
        self.faults.push(FieldFault::new(field, message));
    }

    /// A fault where there is none yet.
    pub(super) fn fault_unless_any(&mut self, field: &str, message: &str) {
        if self.faults.is_empty() {
            self.fault(field, message);
        }
    }

    fn refuse_unknown(&mut self, all: &[&'static str]) {
        let mut seen: Vec<&str> = Vec::with_capacity(all.len());
        for (name, _) in &self.object {
            if let Some(known) = all.iter().find(|known| *known == name) {
                if seen.contains(known) {
                    self.faults.push(FieldFault::new(*known, "is given more than once"));
                }
                seen.push(known);
            } else {
                let message = format!("is unknown here; the fields are {}", all.join(", "));
                self.faults.push(FieldFault::new(shown(name), message));
            }
        }
    }

    /// The value of a field; `None` when it is missing or null.
    pub(super) fn take(&mut self, field: &str) -> Option<Json<'a>> {
        let place = self.object.iter().position(|(name, _)| name == field)?;
        let value = self.object.swap_remove(place).1;
        (value != Json::Null).then_some(value)
    }

    /// One word of a closed list.
    pub(super) fn word<T>(&mut self, field: &str) -> Option<T>
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

    /// One line of text; empty when it is missing.
    pub(super) fn text(&mut self, field: &str, longest: usize) -> String {
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

    /// One line of text that must be there.
    pub(super) fn needed(&mut self, field: &'static str, longest: usize) -> String {
        let text = self.text(field, longest);
        let is_faulty = self.faults.iter().any(|fault| fault.field == field);
        if text.trim().is_empty() && !is_faulty {
            self.fault(field, "is missing");
        }
        text.trim().to_owned()
    }

    /// Money, within limits; `None` also where it is missing, which is no fault.
    pub(super) fn money_if_given(&mut self, field: &str, limits: AmountLimits) -> Option<Amount> {
        const FORM: &str = "must be a decimal string such as \"1500.00\", or a whole number of \
                            shillings";
        let read = match self.take(field) {
            None => return None,
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
        checked.map_err(|message| self.fault(field, message)).ok()
    }

    /// Money, within limits.
    pub(super) fn money(&mut self, field: &str, limits: AmountLimits) -> Option<Amount> {
        if self.has(field) {
            return self.money_if_given(field, limits);
        }
        self.fault(field, "is missing");
        None
    }

    /// A phone; `None` also where it is missing, which is no fault.
    pub(super) fn phone_if_given(&mut self, field: &str) -> Option<Msisdn> {
        let read = match self.take(field) {
            None => return None,
            Some(Json::Text(text)) => text.parse::<Msisdn>().map_err(|error| error.to_string()),
            Some(other) => Err(format!("must be a string, not {}", other.kind())),
        };
        read.map_err(|message| self.fault(field, message)).ok()
    }

    /// A phone.
    pub(super) fn phone(&mut self, field: &str) -> Option<Msisdn> {
        if self.has(field) {
            return self.phone_if_given(field);
        }
        self.fault(field, "is missing");
        None
    }

    /// A whole number; `None` also where it is missing, which is no fault. One that is too large is
    /// taken for the largest, so that its rule refuses it.
    pub(super) fn whole(&mut self, field: &str) -> Option<u16> {
        match self.take(field) {
            None => None,
            Some(Json::Whole(number)) => Some(u16::try_from(number).unwrap_or(u16::MAX)),
            Some(other) => {
                self.fault(field, format!("must be a whole number, not {}", other.kind()));
                None
            }
        }
    }

    /// Whether a field is given, and not null.
    pub(super) fn has(&self, field: &str) -> bool {
        self.object.iter().any(|(name, value)| name == field && *value != Json::Null)
    }

    /// One of a few values, by its name.
    pub(super) fn one_of<T: Copy>(
        &mut self,
        field: &str,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Option<T> {
        let told = self.take(field)?.text();
        let message = match told {
            Ok(text) => match all.iter().find(|value| name(**value) == text) {
                Some(value) => return Some(*value),
                None => {
                    let names: Vec<&str> = all.iter().map(|value| name(*value)).collect();
                    format!("must be one of {}", names.join(", "))
                }
            },
            Err(kind) => format!("must be a string, not {kind}"),
        };
        self.fault(field, message);
        None
    }

    /// A text, trimmed, for which a rule of M-Pesa's holds. Empty where it is missing or faulty.
    pub(super) fn ruled(
        &mut self,
        field: &'static str,
        need: Need,
        rule: fn(&'static str, &str) -> Verdict,
    ) -> String {
        let text = match self.take(field) {
            None if need == Need::Must => {
                self.fault(field, "is missing");
                return String::new();
            }
            None => return String::new(),
            Some(Json::Text(text)) => text.trim().to_owned(),
            Some(other) => {
                self.fault(field, format!("must be a string, not {}", other.kind()));
                return String::new();
            }
        };
        if text.is_empty() && need == Need::May {
            return text;
        }
        match rule(field, &text) {
            Ok(()) => text,
            Err(fault) => {
                self.fault(field, fault.broken.to_string());
                String::new()
            }
        }
    }

    /// What was read, if nothing was wrong.
    ///
    /// # Errors
    /// Everything that was wrong.
    pub(super) fn done<T>(mut self, value: Option<T>) -> Result<T, Problem> {
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            Some(_) | None => {
                self.faults.truncate(FAULTS_MAX);
                Err(Problem::fields(self.faults))
            }
        }
    }
}

/// Checks lines of text that must be there: each with its name and how long it may be.
///
/// # Errors
/// Some are missing, too long, or no lines: all of them are named.
pub(in crate::http) fn check_lines(lines: &[(&'static str, &str, usize)]) -> Result<(), Problem> {
    let faults: Vec<FieldFault> = lines
        .iter()
        .filter_map(|(field, text, longest)| {
            let missing = || text.trim().is_empty().then(|| "is missing".to_owned());
            Some(FieldFault::new(*field, bad_line(text, *longest).or_else(missing)?))
        })
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(Problem::fields(faults)) }
}

/// What is wrong with one line of text, if anything is.
pub(super) fn bad_line(text: &str, longest: usize) -> Option<String> {
    if text.chars().count() > longest {
        return Some(format!("must have at most {longest} characters"));
    }
    let bad = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.contains(bad).then(|| "must not hold control characters or line breaks".to_owned())
}

/// A name that a caller made up, fit to be shown in an answer.
pub(super) fn shown(name: &str) -> String {
    name.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .take(METADATA_KEY_LEN_MAX)
        .collect()
}
