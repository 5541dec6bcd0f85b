//! The fields of a request. Numbers and texts are taken alike (spec/daraja.md §1).

use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, ShortCode};
use crate::domain::time::Timestamp;
use crate::sim::deliver::{self, Target};

/// Words that no address may contain (spec/daraja.md §7).
const FORBIDDEN: [&str; 8] = ["m-pesa", "mpesa", "safaricom", "exe", "cmd", "sql", "query", "exec"];

/// The fields of a request, by name. Without a content type none are seen.
#[derive(Debug, Default)]
pub(super) struct Form(Map<String, Value>);

impl Form {
    pub(super) fn read(body: &[u8]) -> Result<Self, Refusal> {
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            _other => Err(Refusal::new(400, "400.002.05", "Invalid Request Payload")),
        }
    }

    /// A field's text, if there is any.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let text = match self.0.get(name)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
        };
        Some(text).filter(|text| !text.is_empty())
    }

    pub(super) fn text(&self, name: &str) -> Result<String, Refusal> {
        self.get(name).ok_or_else(|| Refusal::field(name))
    }

    /// A text of so many characters.
    pub(super) fn text_of(&self, name: &str, least: usize, most: usize) -> Result<String, Refusal> {
        self.text(name).and_then(|text| {
            let length = text.chars().count();
            if length < least || length > most { Err(Refusal::field(name)) } else { Ok(text) }
        })
    }

    /// A text of so many characters, or none.
    pub(super) fn optional(&self, name: &str, most: usize) -> Result<Option<String>, Refusal> {
        match self.get(name) {
            Some(text) if text.chars().count() > most => Err(Refusal::field(name)),
            other => Ok(other),
        }
    }

    pub(super) fn one_of(
        &self,
        name: &str,
        known: &[&'static str],
    ) -> Result<&'static str, Refusal> {
        let text = self.text(name)?;
        known.iter().find(|one| **one == text).copied().ok_or_else(|| Refusal::field(name))
    }

    pub(super) fn shortcode(&self, name: &str) -> Result<ShortCode, Refusal> {
        self.text(name)?.parse().map_err(|_error| Refusal::field(name))
    }

    /// `2547…` or `2541…`, twelve digits and nothing else.
    pub(super) fn phone(&self, name: &str) -> Result<Msisdn, Refusal> {
        let text = self.text(name)?;
        let number = Some(text.as_str())
            .filter(|digits| digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok());
        number.and_then(Msisdn::from_number).ok_or_else(|| Refusal::field(name))
    }

    /// Whole shillings, and more than none.
    pub(super) fn amount(&self) -> Result<Amount, Refusal> {
        let amount: Option<Amount> = self.text("Amount")?.parse().ok();
        amount
            .filter(|amount| amount.is_whole_shillings() && *amount > Amount::ZERO)
            .ok_or_else(|| Refusal::field("Amount"))
    }

    /// `YYYYMMDDHHmmss`.
    pub(super) fn timestamp(&self) -> Result<String, Refusal> {
        let text = self.text("Timestamp")?;
        let is_digits = text.len() == 14 && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_digits && Timestamp::parse_east_africa(&text).is_ok() {
            Ok(text)
        } else {
            Err(Refusal::field("Timestamp"))
        }
    }

    /// Where to call back: any path, extra segments too, but none of the words that the firewall
    /// looks for.
    pub(super) fn url(&self, name: &str) -> Result<Target, Refusal> {
        let text = self.text(name)?;
        let low = text.to_ascii_lowercase();
        let why = match FORBIDDEN.iter().find(|word| low.contains(**word)) {
            Some(word) => Err(format!("contains \"{word}\"")),
            None => Target::parse(&text).map_err(str::to_owned),
        };
        why.map(|target| target.in_form(deliver::Form::Json)).map_err(|why| {
            tracing::warn!(field = name, why, "address refused");
            Refusal::field(name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Form {
        Form::read(text.as_bytes()).expect("an object")
    }

    #[test]
    fn numbers_and_texts_are_taken_alike() {
        for text in ["10", "\"10\"", "10.0", "\"10.00\"", "\" 10 \""] {
            let amount = form(&format!("{{\"Amount\":{text}}}")).amount();
            assert_eq!(amount, Ok(Amount::from_shillings(10)), "{text}");
        }
        for text in ["0", "10.5", "-10", "null", "true", "\"\"", "\"ten\"", "[10]", "1e30"] {
            let amount = form(&format!("{{\"Amount\":{text}}}")).amount();
            assert_eq!(amount, Err(Refusal::field("Amount")), "{text}");
        }
    }

    #[test]
    fn an_address_has_none_of_the_forbidden_words() {
        let url = |text: &str| form(&format!("{{\"U\":\"{text}\"}}")).url("U");
        for good in ["http://127.0.0.1:8081/cb/5f0c/stk/2ab9", "http://gw.example.org/a?b=c"] {
            let target = url(good).expect(good);
            assert_eq!(target.to_string(), good);
            assert_eq!(target.content_type(), "application/json;charset=UTF-8");
        }
        let bad = [
            "http://gw.example.org/mpesa",
            "http://gw.example.org/M-Pesa/x",
            "http://SAFARICOM.example.org/",
            "http://gw.example.org/execute",
            "http://gw.example.org/?sql=1",
            "http://gw.example.org/Query",
            "http://cmd.example.org/",
            "ftp://gw.example.org/",
            "gw",
        ];
        for text in bad {
            assert_eq!(url(text), Err(Refusal::field("U")), "{text}");
        }
    }
}
