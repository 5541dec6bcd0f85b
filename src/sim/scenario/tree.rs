//! A scenario as it was written: TOML with its lines, or JSON. Pure.

use serde_json::{Map, Number};
use toml_edit::{Document, Item, TableLike, Value};

use super::fault::{Fault, Faults};

/// How deep tables and lists may stand in each other: a scenario needs five.
const DEPTH_MAX: usize = 16;

/// A value and the line that it stands on, from 1; JSON has no lines.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub(super) line: Option<usize>,
    pub(super) what: What,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    Text(String),
    Whole(i64),
    Truth(bool),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
    /// Something that no key takes, such as "a date".
    Other(&'static str),
}

impl Node {
    /// What was found, in words.
    pub(super) fn found(&self) -> String {
        match &self.what {
            What::Text(text) => {
                let short: String = text.chars().take(60).collect();
                format!("{short:?}")
            }
            What::Whole(number) => number.to_string(),
            What::Truth(truth) => truth.to_string(),
            What::List(_) => "a list".to_owned(),
            What::Table(_) => "a table".to_owned(),
            What::Other(what) => (*what).to_owned(),
        }
    }

    /// The same as JSON, for whoever asks what is active.
    pub(super) fn json(&self) -> serde_json::Value {
        match &self.what {
            What::Text(text) => text.as_str().into(),
            What::Whole(number) => (*number).into(),
            What::Truth(truth) => (*truth).into(),
            What::List(list) => list.iter().map(Self::json).collect(),
            What::Table(table) => {
                let pairs = table.iter().map(|(name, node)| (name.clone(), node.json()));
                serde_json::Value::Object(pairs.collect::<Map<_, _>>())
            }
            What::Other(_) => serde_json::Value::Null,
        }
    }
}

/// Reads TOML.
pub(super) fn toml(text: &str) -> Result<Node, Faults> {
    let lines = Lines(text);
    let document = Document::parse(text).map_err(|error| {
        let line = error.span().map(|span| lines.at(span.start));
        let what = format!("this is not TOML: {}", error.message().trim().replace('\n', "; "));
        Faults::one(Fault { line, key: String::new(), what })
    })?;
    Ok(Node { line: Some(1), what: lines.table(document.as_table(), 0) })
}

/// Reads JSON.
pub(super) fn json(text: &str) -> Result<Node, Faults> {
    serde_json::from_str(text).map(|value| of_json(&value, 0)).map_err(|error| {
        let what = format!("this is not JSON: {error}");
        Faults::one(Fault { line: Some(error.line()), key: String::new(), what })
    })
}

fn of_json(value: &serde_json::Value, depth: usize) -> Node {
    use serde_json::Value as Json;
    let deeper = depth.saturating_add(1);
    let what = match value {
        _ if depth > DEPTH_MAX => What::Other("something nested too deep"),
        Json::Null => What::Other("null"),
        Json::Bool(truth) => What::Truth(*truth),
        Json::Number(number) => whole(number),
        Json::String(text) => What::Text(text.clone()),
        Json::Array(list) => What::List(list.iter().map(|one| of_json(one, deeper)).collect()),
        Json::Object(table) => {
            let pair = |(name, one): (&String, &Json)| (name.clone(), of_json(one, deeper));
            What::Table(table.iter().map(pair).collect())
        }
    };
    Node { line: None, what }
}

fn whole(number: &Number) -> What {
    number.as_i64().map_or(What::Other("a number that is not whole"), What::Whole)
}

/// A text, for the lines of what stands in it.
struct Lines<'a>(&'a str);

impl Lines<'_> {
    fn at(&self, offset: usize) -> usize {
        let before = self.0.as_bytes().get(..offset).unwrap_or_default();
        before.iter().filter(|byte| **byte == b'\n').count().saturating_add(1)
    }

    fn table(&self, table: &dyn TableLike, depth: usize) -> What {
        if depth > DEPTH_MAX {
            return What::Other("something nested too deep");
        }
        let pair = |(name, item): (&str, &Item)| {
            let key = table.key(name).and_then(toml_edit::Key::span);
            let span = key.or_else(|| item.span());
            let line = span.map(|span| self.at(span.start));
            let what = self.item(item, depth.saturating_add(1));
            (name.to_owned(), Node { line, what })
        };
        What::Table(table.iter().map(pair).collect())
    }

    fn item(&self, item: &Item, depth: usize) -> What {
        match item {
            Item::None => What::Other("nothing"),
            Item::Value(value) => self.value(value, depth),
            Item::Table(table) => self.table(table, depth),
            Item::ArrayOfTables(tables) => {
                let one = |table: &toml_edit::Table| Node {
                    line: table.span().map(|span| self.at(span.start)),
                    what: self.table(table, depth.saturating_add(1)),
                };
                What::List(tables.iter().map(one).collect())
            }
        }
    }

    fn value(&self, value: &Value, depth: usize) -> What {
        match value {
            _ if depth > DEPTH_MAX => What::Other("something nested too deep"),
            Value::String(text) => What::Text(text.value().clone()),
            Value::Integer(number) => What::Whole(*number.value()),
            Value::Boolean(truth) => What::Truth(*truth.value()),
            Value::Float(_) => What::Other("a number that is not whole"),
            Value::Datetime(_) => What::Other("a date"),
            Value::Array(list) => {
                let one = |value: &Value| Node {
                    line: value.span().map(|span| self.at(span.start)),
                    what: self.value(value, depth.saturating_add(1)),
                };
                What::List(list.iter().map(one).collect())
            }
            Value::InlineTable(table) => self.table(table, depth),
        }
    }
}
