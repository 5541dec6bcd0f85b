//! Tables and values of a scenario, one by one, with all that is wrong with them. Pure.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use super::fault::{Fault, meant};
use super::tree::{Node, What};
use super::{LIST_MAX, OUT_OF, TIME_MAX};
use crate::domain::money::Amount;
use crate::sim::script::Code;

/// The longest text.
const TEXT_MAX: usize = 200;
/// The longest code: M-Pesa's have ten characters.
const CODE_MAX: usize = 20;

/// Gathers what is wrong.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) faults: Vec<Fault>,
}

/// A table, and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    at: String,
    pub(super) line: Option<usize>,
    table: &'a [(String, Node)],
}

impl<'a> Fields<'a> {
    pub(super) fn get(&self, name: &str) -> Option<&'a Node> {
        self.table.iter().find(|(known, _)| known == name).map(|(_, node)| node)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    pub(super) fn key(&self, name: &str) -> String {
        if self.at.is_empty() { name.to_owned() } else { format!("{}.{name}", self.at) }
    }
}

/// What was expected, where it is not what was found.
pub(super) type Read<T> = Result<T, String>;

impl Reader {
    pub(super) fn fault(&mut self, line: Option<usize>, key: String, what: impl Into<String>) {
        self.faults.push(Fault { line, key, what: what.into() });
    }

    /// Says of a key that it is wrong.
    pub(super) fn says(&mut self, fields: &Fields<'_>, name: &str, what: impl Into<String>) {
        let line = fields.get(name).and_then(|node| node.line).or(fields.line);
        self.fault(line, fields.key(name), what);
    }

    /// A table that has no other keys than these.
    pub(super) fn table<'a>(
        &mut self,
        at: String,
        node: &'a Node,
        known: &[&str],
    ) -> Option<Fields<'a>> {
        let What::Table(table) = &node.what else {
            let what = format!("found {}; expected a table of {}", node.found(), known.join(", "));
            self.fault(node.line, at, what);
            return None;
        };
        let fields = Fields { at, line: node.line, table };
        for (name, value) in table {
            if !known.contains(&name.as_str()) {
                let near = meant(name, known.iter().copied());
                let what = if near.is_empty() {
                    format!("is unknown; there are {}", known.join(", "))
                } else {
                    format!("is unknown{near}")
                };
                self.fault(value.line, fields.key(name), what);
            }
        }
        Some(fields)
    }

    /// One value, if it is there and right.
    pub(super) fn one<T>(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        read: impl Fn(&Node) -> Read<T>,
    ) -> Option<T> {
        let node = fields.get(name)?;
        match read(node) {
            Ok(value) => Some(value),
            Err(expected) => {
                let what = format!("found {}; expected {expected}", node.found());
                self.fault(node.line, fields.key(name), what);
                None
            }
        }
    }

    /// One value or a list of them.
    pub(super) fn many<T>(
        &mut self,
        fields: &Fields<'_>,
        name: &str,
        read: impl Fn(&Node) -> Read<T>,
    ) -> Vec<T> {
        let Some(node) = fields.get(name) else {
            return Vec::new();
        };
        let What::List(list) = &node.what else {
            return self.one(fields, name, read).into_iter().collect();
        };
        if list.is_empty() || list.len() > LIST_MAX {
            let what = format!("lists {} values; 1 to {LIST_MAX} are expected", list.len());
            self.says(fields, name, what);
            return Vec::new();
        }
        let mut values = Vec::new();
        for one in list {
            match read(one) {
                Ok(value) => values.push(value),
                Err(expected) => {
                    let what = format!("found {}; expected {expected}", one.found());
                    self.fault(one.line.or(node.line), fields.key(name), what);
                }
            }
        }
        values
    }

    /// Says that only one of these may be given, if more are.
    pub(super) fn only_one(&mut self, fields: &Fields<'_>, names: &[&str]) {
        let given: Vec<&str> = names.iter().copied().filter(|name| fields.has(name)).collect();
        if let [first, second, ..] = given.as_slice() {
            self.says(fields, second, format!("stands beside {first}; only one of them may"));
        }
    }
}

/// Text.
pub(super) fn text(node: &Node) -> Read<String> {
    let What::Text(text) = &node.what else {
        return Err("text, in quotes".to_owned());
    };
    let fits = !text.trim().is_empty()
        && text.trim() == text
        && text.chars().count() <= TEXT_MAX
        && !text.chars().any(char::is_control);
    if fits { Ok(text.clone()) } else { Err(format!("text of 1 to {TEXT_MAX} characters")) }
}

/// A name: small letters, digits and dashes.
pub(super) fn name(node: &Node) -> Read<String> {
    let fits = |text: &String| {
        text.len() <= 60
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text(node)
        .ok()
        .filter(fits)
        .ok_or_else(|| "a name of 1 to 60 small letters, digits and dashes".to_owned())
}

/// A text of the domain's, whose error says what is expected ("must be …").
pub(super) fn parsed<T>(node: &Node) -> Read<T>
where
    T: FromStr,
    T::Err: Display,
{
    text(node)?.parse().map_err(|error: T::Err| {
        let error = error.to_string();
        error.strip_prefix("must be ").unwrap_or(&error).to_owned()
    })
}

/// Shillings: `"1500.00"`, or a whole number.
pub(super) fn amount(node: &Node) -> Read<Amount> {
    let whole = |number: &i64| u64::try_from(*number).ok().map(Amount::from_shillings);
    match &node.what {
        What::Whole(number) => {
            whole(number).ok_or_else(|| "an amount that is not below zero".to_owned())
        }
        What::Text(_) => parsed(node),
        What::Truth(_) | What::List(_) | What::Table(_) | What::Other(_) => {
            Err("an amount of money, such as \"1500.00\"".to_owned())
        }
    }
}

/// A code as M-Pesa writes them; a whole number is taken as its digits.
pub(super) fn code(node: &Node) -> Read<Code> {
    let text = match &node.what {
        What::Text(text) => text.clone(),
        What::Whole(number) => number.to_string(),
        What::Truth(_) | What::List(_) | What::Table(_) | What::Other(_) => String::new(),
    };
    let is_of_code = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if (1..=CODE_MAX).contains(&text.len()) && text.chars().all(is_of_code) {
        return Ok(Code::Owned(text));
    }
    Err("a code, such as \"2040\" or \"SFC_IC0003\"".to_owned())
}

/// How the number of a phone ends.
pub(super) fn ending(node: &Node) -> Read<String> {
    let fits = |text: &String| text.len() <= 9 && text.bytes().all(|byte| byte.is_ascii_digit());
    text(node)
        .ok()
        .filter(fits)
        .ok_or_else(|| "1 to 9 digits in quotes, such as \"0004\"".to_owned())
}

/// A whole number from 1.
pub(super) fn count(node: &Node) -> Read<u32> {
    let number = match node.what {
        What::Whole(number) => u32::try_from(number).ok(),
        What::Text(_) | What::Truth(_) | What::List(_) | What::Table(_) | What::Other(_) => None,
    };
    let within = number.filter(|number| (1..=1_000_000).contains(number));
    within.ok_or_else(|| "a whole number from 1 to 1000000".to_owned())
}

/// A share: `"25%"`, `"0.5%"`. Out of [`OUT_OF`].
pub(super) fn share(node: &Node) -> Read<u16> {
    let text = match &node.what {
        What::Text(text) => text.as_str(),
        What::Whole(_) | What::Truth(_) | What::List(_) | What::Table(_) | What::Other(_) => "",
    };
    let hundredths = || {
        let (whole, part) = text
            .strip_suffix('%')?
            .split_once('.')
            .unwrap_or_else(|| (text.strip_suffix('%').unwrap_or_default(), "0"));
        let is_short = |text: &str, most| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_short(whole, 3) || !is_short(part, 2) {
            return None;
        }
        let part: u16 = format!("{part:0<2}").parse().ok()?;
        whole.parse::<u16>().ok()?.checked_mul(100)?.checked_add(part)
    };
    hundredths()
        .filter(|share| (1..=OUT_OF).contains(share))
        .ok_or_else(|| "a share such as \"25%\" or \"0.5%\", to \"100%\"".to_owned())
}

/// In milliseconds, longest first.
const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A length of time: `250ms`, `5s`, `2m`, `1h` or `1d`.
pub(super) fn time(node: &Node) -> Read<Duration> {
    let read = |text: &str| {
        let split = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at_checked(split)?;
        let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit)?;
        number.parse::<u64>().ok()?.checked_mul(*millis).map(Duration::from_millis)
    };
    let found = match &node.what {
        What::Text(text) => read(text),
        What::Whole(_) | What::Truth(_) | What::List(_) | What::Table(_) | What::Other(_) => None,
    };
    found.filter(|time| *time <= TIME_MAX).ok_or_else(|| {
        "a length of time such as \"250ms\", \"5s\", \"2m\", \"1h\" or \"1d\", to \"31d\""
            .to_owned()
    })
}

/// One of these names.
pub(super) fn named<T: Copy>(node: &Node, table: &[(&str, T)]) -> Read<T> {
    let text = match &node.what {
        What::Text(text) => text.as_str(),
        What::Whole(_) | What::Truth(_) | What::List(_) | What::Table(_) | What::Other(_) => "",
    };
    if let Some((_, value)) = table.iter().find(|(name, _)| *name == text) {
        return Ok(*value);
    }
    let names: Vec<&str> = table.iter().map(|(name, _)| *name).collect();
    let near = meant(text, names.iter().copied());
    Err(format!("one of {}{near}", names.join(", ")))
}
