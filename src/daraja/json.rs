//! JSON as M-Pesa writes it: numbers or texts, objects or lists, twice or not at all.
//!
//! The tree keeps what a map would lose: members that stand twice, whose disagreement must be
//! seen. Numbers are kept as texts; money is never a float. The only file that names `serde::de`.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use crate::domain::told::{self, is_key};

/// The longest message, in bytes: a page of a hundred pulled payments and a QR code stay far below.
pub const BYTES_MAX: usize = 1024 * 1024;
/// The deepest message: a result's parameters stand at 5.
const DEPTH_MAX: usize = 16;
/// The most values in a message: a page of a hundred pulled payments has about a thousand.
const VALUES_MAX: usize = 50_000;
const TOO_DEEP: &str = "it is nested too deeply";
const TOO_MANY: &str = "it has too many values";

/// Why a message of M-Pesa's could not be understood. It quotes nothing of the message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No bytes, or only blanks.
    #[error("it is empty")]
    Empty,
    /// More bytes than any message has.
    #[error("it is {0} bytes long")]
    TooLong(usize),
    /// No JSON.
    #[error("it is {0}, not JSON")]
    NotJson(&'static str),
    /// JSON that breaks off or is malformed.
    #[error("it is no proper JSON at line {line}, column {column}")]
    Malformed {
        /// Where.
        line: usize,
        /// Where.
        column: usize,
    },
    /// Nested more deeply than any message.
    #[error("it is nested too deeply")]
    TooDeep,
    /// More values than any message has.
    #[error("it has too many values")]
    TooMany,
    /// A member without which it says nothing.
    #[error("{0} is missing, empty or no such value")]
    Missing(&'static str),
    /// A member that stands twice and says two things.
    #[error("{0} stands twice and disagrees with itself")]
    Contradiction(&'static str),
}

/// A value.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    /// As digits; a whole number has no places.
    Number(String),
    Text(String),
    List(Vec<Self>),
    /// In the order of the message, with members that stand twice.
    Map(Vec<(String, Self)>),
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "an object",
        };
        f.write_str(kind)
    }
}

impl Json {
    /// Reads a message. A byte that is no UTF-8 becomes U+FFFD: one bad letter in a name must not
    /// hide a result.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        if bytes.len() > BYTES_MAX {
            return Err(Unreadable::TooLong(bytes.len()));
        }
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_start_matches('\u{FEFF}').trim();
        match text.chars().next() {
            None => return Err(Unreadable::Empty),
            Some('{' | '[') => {}
            Some('<') => return Err(Unreadable::NotJson("a page or XML")),
            Some(_) => return Err(Unreadable::NotJson("text")),
        }
        let values = Cell::new(0);
        let seed = Seed { depth: DEPTH_MAX, values: &values };
        let mut reader = serde_json::Deserializer::from_str(text);
        seed.deserialize(&mut reader).and_then(|tree| reader.end().map(|()| tree)).map_err(
            |error| {
                let says = error.to_string();
                if says.starts_with(TOO_DEEP) {
                    Unreadable::TooDeep
                } else if says.starts_with(TOO_MANY) {
                    Unreadable::TooMany
                } else {
                    Unreadable::Malformed { line: error.line(), column: error.column() }
                }
            },
        )
    }

    /// The members of an object; of anything else, none.
    pub(super) fn members(&self) -> &[(String, Self)] {
        match self {
            Self::Map(members) => members,
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => &[],
        }
    }

    /// Every member of the name that says something, whatever its case and blanks.
    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        let named = self.members().iter().filter(move |(key, _)| is_key(key, name));
        named.map(|(_, value)| value).filter(|value| **value != Self::Null)
    }

    /// The first member of the name that says something.
    pub(super) fn member<'a>(&'a self, name: &'a str) -> Option<&'a Self> {
        self.all(name).next()
    }

    /// What stands at the end of a path of members.
    pub(super) fn descend(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |value, name| {
            value.members().iter().find(|(key, _)| is_key(key, name)).map(|(_, inner)| inner)
        })
    }

    /// A text, number or boolean in words, trimmed; `None` when there are none.
    pub(super) fn word(&self) -> Option<&str> {
        let word = match self {
            Self::Number(text) | Self::Text(text) => text.trim(),
            Self::Bool(true) => "true",
            Self::Bool(false) => "false",
            Self::Null | Self::List(_) | Self::Map(_) => "",
        };
        (!word.is_empty()).then_some(word)
    }

    /// The one word of a member; `None` when it has none.
    pub(super) fn one(&self, name: &'static str) -> Result<Option<&str>, Unreadable> {
        let mut words = self.all(name).filter_map(Self::word);
        let first = words.next();
        if words.any(|other| Some(other) != first) {
            return Err(Unreadable::Contradiction(name));
        }
        Ok(first)
    }

    /// Every word of members of the name.
    pub(super) fn words<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.all(name).filter_map(Self::word)
    }

    /// The first word of a member of one of the names.
    pub(super) fn word_of(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| {
            let mut named = self.members().iter().filter(|(key, _)| is_key(key, name));
            named.find_map(|(_, value)| value.word())
        })
    }

    /// The word of a member that is to be a name of a request; `None` when it can be none.
    pub(super) fn id_of(&self, names: &[&str]) -> Option<String> {
        self.word_of(names).filter(|id| told::is_id(id)).map(ToOwned::to_owned)
    }

    /// The items of a list; anything else is a list of itself.
    pub(super) fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            Self::Null => &[],
            Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Map(_) => {
                std::slice::from_ref(self)
            }
        }
    }

    /// `Key` (or `Name`) and `Value` of each item, in order; a value that is missing is empty, one
    /// that is no word is left out (spec/daraja.md §2.1, §2.3).
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let pair = |item: &Self| {
            let key = item.word_of(&["Key", "Name"])?.to_owned();
            let value = item.word_of(&["Value"]).unwrap_or_default().to_owned();
            Some((key, value))
        };
        self.items().iter().filter_map(pair).collect()
    }
}

/// What reads one value, and counts how deep and how many.
#[derive(Clone, Copy)]
struct Seed<'c> {
    depth: usize,
    values: &'c Cell<usize>,
}

impl Seed<'_> {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom(TOO_DEEP))?;
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Json, D::Error> {
        let count = self.values.get().saturating_add(1);
        if count > VALUES_MAX {
            return Err(D::Error::custom(TOO_MANY));
        }
        self.values.set(count);
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.to_string()))
    }

    #[expect(clippy::disallowed_types, reason = "serde_json hands decimals over so; only to write")]
    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        // The shortest decimal that reads the same: with at most fifteen digits it is the one of
        // the message, zeros at its end apart. More digits than that no amount has.
        Ok(Json::Number(value.to_string()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut map = Vec::new();
        while let Some(key) = members.next_key::<String>()? {
            map.push((key, members.next_value_seed(inner)?));
        }
        Ok(Json::Map(map))
    }
}

/// Writes a text as a JSON string, its quotation marks included.
pub(super) fn push_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Json {
        Json::read(text.as_bytes()).expect(text)
    }

    #[test]
    fn numbers_are_kept_as_their_digits() {
        let table = [
            ("25.00", "25"),
            ("25.5", "25.5"),
            ("6186.83", "6186.83"),
            ("249999.99", "249999.99"),
            ("999999999999.99", "999999999999.99"),
            ("20261003141555", "20261003141555"),
            ("254700000001.0", "254700000001"),
            ("-1540.00", "-1540"),
            ("-7", "-7"),
            ("0", "0"),
        ];
        for (text, digits) in table {
            let list = read(&format!("[{text}]"));
            assert_eq!(list.items()[0].word(), Some(digits), "{text}");
        }
    }

    #[test]
    fn members_are_found_however_they_are_written_and_must_agree() {
        let json = read(r#"{"response code":"", "ResponseCode":0,"RESPONSECODE":"0","a":null}"#);
        assert_eq!(json.one("ResponseCode"), Ok(Some("0")));
        assert_eq!(json.one("a"), Ok(None));
        assert_eq!(json.one("b"), Ok(None));
        let json = read(r#"{"ResponseCode":"0","ResponseCode":"1"}"#);
        assert_eq!(json.one("ResponseCode"), Err(Unreadable::Contradiction("ResponseCode")));
        assert_eq!(read("[1,2]").one("a"), Ok(None));
        assert_eq!(
            read(r#"{"a":{"B":{"c":5}}}"#).descend(&["A", "b", "C"]),
            Some(&read("[5]").items()[0].clone())
        );
    }

    #[test]
    fn pairs_are_read_from_lists_and_single_items() {
        let list =
            read(r#"[{"Key":"a","Value":1},{"Name":"b"},{"Value":2},{"Key":"c","Value":{}}]"#);
        let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(list.pairs(), own(&[("a", "1"), ("b", ""), ("c", "")]));
        assert_eq!(read(r#"{"Key":"a","Value":"x"}"#).pairs(), own(&[("a", "x")]));
    }

    #[test]
    fn what_is_no_message_is_refused_in_words() {
        let deep = format!("{}{}", "[".repeat(17), "]".repeat(17));
        let deeper = "[".repeat(100_000);
        let many = format!("[{}0]", "0,".repeat(VALUES_MAX));
        let long = " ".repeat(BYTES_MAX + 1);
        let table: [(&str, Unreadable); 9] = [
            ("", Unreadable::Empty),
            ("\u{FEFF} \n", Unreadable::Empty),
            ("<html>", Unreadable::NotJson("a page or XML")),
            ("The supplied", Unreadable::NotJson("text")),
            ("{\"a\":", Unreadable::Malformed { line: 1, column: 5 }),
            ("{} {}", Unreadable::Malformed { line: 1, column: 4 }),
            (&deep, Unreadable::TooDeep),
            (&many, Unreadable::TooMany),
            (&long, Unreadable::TooLong(BYTES_MAX + 1)),
        ];
        for (text, error) in table {
            assert_eq!(Json::read(text.as_bytes()).expect_err("refused"), error);
        }
        assert_eq!(Json::read(deeper.as_bytes()).expect_err("refused"), Unreadable::TooDeep);
        let bad_letter = Json::read(b"{\"a\":\"Zo\xeb\",\"b\":0}").expect("read");
        assert_eq!(bad_letter.one("b"), Ok(Some("0")));
    }

    #[test]
    fn texts_are_written_so_that_they_are_read_back() {
        let text = "a \"b\" \\ /\n\t\u{1}\u{7f} é 🙂";
        let mut out = String::new();
        push_text(&mut out, text);
        assert_eq!(serde_json::from_str::<String>(&out).ok().as_deref(), Some(text));
    }
}
