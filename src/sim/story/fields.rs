//! A message as a flat list of names and values, whatever it is written in.

use serde_json::Value;

use crate::sim::sms::form;
use crate::soap::envelope::{self, Envelope};
use crate::soap::xml::{Element, decode};

/// How many fields of a message are looked at.
const FIELDS_MAX: usize = 500;
/// Elements whose text is a document, and that document's root (spec/soap.md §1.1).
const WRAPPERS: [(&str, &str); 3] =
    [("RequestMsg", "request"), ("ResponseMsg", "response"), ("ResultMsg", "result")];

/// The names and values of a message, in order. What holds others has no value.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads XML, JSON or a form; what is none of them has no fields.
    pub(super) fn of(body: &[u8]) -> Self {
        let mut fields = Self::default();
        let begins = body.iter().copied().find(|byte| !byte.is_ascii_whitespace());
        match begins {
            Some(b'{' | b'[') => {
                if let Ok(value) = serde_json::from_slice::<Value>(body) {
                    fields.json("", &value);
                }
            }
            Some(byte) if byte.is_ascii_alphabetic() => {
                fields.0 = form(body);
                fields.0.truncate(FIELDS_MAX);
            }
            Some(_) => fields.xml(body),
            None => {}
        }
        fields
    }

    /// Whether there is a field of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// The first value that stands under one of these names; the first name is the best.
    pub(super) fn get(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| {
            let mut all = self.0.iter().filter(|(key, value)| key == name && !value.is_empty());
            all.next().map(|(_, value)| value.as_str())
        })
    }

    /// The value that stands under this name before one of the name `before`; of `Identifier`, the
    /// one that belongs to a party.
    pub(super) fn under(&self, parent: &str, name: &str) -> Option<&str> {
        let mut behind = self.0.iter().skip_while(|(key, _)| key != parent);
        behind.find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn push(&mut self, name: &str, value: &str) {
        if self.0.len() < FIELDS_MAX {
            self.0.push((name.to_owned(), value.trim().to_owned()));
        }
    }

    fn json(&mut self, name: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                self.push(name, "");
                if let Some((key, value)) = pair(fields) {
                    return self.json(key, value);
                }
                for (name, value) in fields {
                    self.json(name, value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.json(name, item)),
            Value::String(text) => self.push(name, text),
            Value::Null => self.push(name, ""),
            Value::Bool(_) | Value::Number(_) => self.push(name, &value.to_string()),
        }
    }

    fn xml(&mut self, body: &[u8]) {
        let Ok(text) = decode(body) else {
            return;
        };
        if let Ok(envelope) = Envelope::open(&text) {
            envelope.body.children.iter().for_each(|message| self.element(message));
        }
    }

    fn element(&mut self, element: &Element<'_>) {
        let wrapped = WRAPPERS.iter().find(|(message, _)| element.is(message));
        if let Some((message, root)) = wrapped {
            self.push(message, "");
            if let Ok(document) = envelope::document(element, root) {
                self.element(&document);
            }
            return;
        }
        if let (Some(key), Some(value)) = (element.value_of("Key"), element.child("Value")) {
            return self.push(key, value.value());
        }
        self.push(&element.name, element.value());
        element.children.iter().for_each(|child| self.element(child));
    }
}

/// `{"Key":…,"Value":…}` and `{"Name":…,"Value":…}` (spec/daraja.md §2).
fn pair(fields: &serde_json::Map<String, Value>) -> Option<(&str, &Value)> {
    let key = fields.get("Key").or_else(|| fields.get("Name"))?.as_str()?;
    Some((key, fields.get("Value").unwrap_or(&Value::Null)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::result::Report;

    #[test]
    fn a_result_is_unwrapped_and_its_parameters_stand_under_their_keys() {
        let report = Report {
            code: "0",
            description: "fine",
            originator_conversation_id: "600999_A_1",
            conversation_id: "AG_1",
            receipt: Some("RKL0000001"),
            parameters: vec![("TransactionAmount", "10.00")],
            references: Vec::new(),
        };
        let fields = Fields::of(&report.render());
        assert!(fields.has("ResultMsg"));
        assert_eq!(fields.get(&["ResultCode"]), Some("0"));
        assert_eq!(fields.get(&["nothing", "TransactionAmount"]), Some("10.00"));
    }

    #[test]
    fn json_in_every_form_is_read() {
        let body = br#"{"Body":{"stkCallback":{"ResultCode":0,"CallbackMetadata":{"Item":[
            {"Name":"Amount","Value":10.00},{"Name":"Balance"}]}}}}"#;
        let fields = Fields::of(body);
        assert!(fields.has("stkCallback"));
        assert_eq!(fields.get(&["ResultCode"]), Some("0"));
        assert_eq!(fields.get(&["Amount"]), Some("10.0"));
        assert_eq!(fields.get(&["Balance"]), None);
    }

    #[test]
    fn what_is_nothing_that_is_known_has_no_fields() {
        for body in [&b""[..], b"{\"cut\":", b"<html>", b"\xff\xfe", b"\0\0", b"<<<"] {
            assert!(Fields::of(body).0.is_empty(), "{body:?}");
        }
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert!(Fields::of(&deep).0.is_empty());
        let wide = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(5_000));
        assert!(Fields::of(wide.as_bytes()).0.len() <= FIELDS_MAX);
    }
}
