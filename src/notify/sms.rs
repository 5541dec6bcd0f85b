//! Text messages by way of Africa's Talking (spec/daraja.md §11).
//!
//! The provider knows no name of ours for a message and cannot be asked about one. So each is sent
//! to one recipient by itself, over a connection of its own, and what may have left is never sent
//! again: only proof that not one byte left, or the provider's own word, says that it was not sent.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, Method, header};
use serde::Deserialize;
use serde_json::Value;

use super::address::{self, NotSetUp};
use crate::domain::party::Msisdn;
use crate::domain::text::{AnswerFacts, Text};
use crate::engine::port::{Durable, Notifier, Pending, TextOutcome};
use crate::rail::pace::Pace;
use crate::rail::transport::{Deadlines, Request, Unanswered, Web};

/// The path of the interface, where the configured address has none.
pub const PATH: &str = "/version1/messaging";
/// How many messages may begin in a second: the provider publishes no limit, and a burst of
/// payments must not look like an attack.
const PER_SECOND: u32 = 20;
/// The longest that a connection, or the writing of a request, may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// The longest code that is kept, in characters: the longest known has 21.
const CODE_LEN_MAX: usize = 64;
/// The longest description that is kept, in characters.
const DESCRIPTION_LEN_MAX: usize = 120;
/// So many digits in a row may be a phone.
const DIGITS_MAX: usize = 6;

/// What the configuration says of text messages.
#[derive(Clone)]
pub struct SmsSettings {
    /// The interface: `https://api.africastalking.com/version1/messaging`, or the simulator's.
    pub url: String,
    /// Our name there; `sandbox` in the sandbox.
    pub username: String,
    /// The key. `Debug` masks it.
    pub api_key: String,
    /// The registered sender's name or number; without it the provider's own.
    pub from: Option<String>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// A PEM file of authorities that are trusted besides the machine's own.
    pub ca: Option<PathBuf>,
}

impl fmt::Debug for SmsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmsSettings")
            .field("url", &self.url)
            .field("username", &self.username)
            .field("from", &self.from)
            .field("timeout", &self.timeout)
            .field("ca", &self.ca)
            .finish_non_exhaustive()
    }
}

/// The way to phones.
pub struct Sms {
    web: Box<dyn Web>,
    path: String,
    username: String,
    api_key: String,
    from: Option<String>,
    pace: Pace,
}

impl fmt::Debug for Sms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sms").field("web", &self.web).finish_non_exhaustive()
    }
}

impl Sms {
    /// The way that `settings` describe. It reads the file of authorities, and sends nothing.
    ///
    /// # Errors
    /// The address is none, or cannot be encrypted.
    pub fn new(settings: SmsSettings) -> Result<Self, NotSetUp> {
        let short = settings.timeout.min(CONNECT_MAX);
        let deadlines = Deadlines { connect: short, send: short, answer: settings.timeout };
        let (site, path) = address::site(&settings.url, settings.ca.as_deref(), deadlines)?;
        let path = if path == "/" { PATH.to_owned() } else { path };
        Ok(Self::over(Box::new(site), path, settings))
    }

    /// The same over a web of another kind, for simulations without sockets.
    pub fn over(web: Box<dyn Web>, path: String, settings: SmsSettings) -> Self {
        let SmsSettings { username, api_key, from, .. } = settings;
        Self { web, path, username, api_key, from, pace: Pace::new(PER_SECOND) }
    }

    fn request(&self, text: &Text) -> Request {
        let to = format!("+{}", text.details.phone.reveal());
        let mut fields = vec![
            ("username", self.username.as_str()),
            ("to", to.as_str()),
            ("message", text.details.body.as_str()),
            ("bulkSMSMode", "1"),
        ];
        fields.extend(self.from.as_deref().map(|from| ("from", from)));
        let headers = vec![
            (HeaderName::from_static("apikey"), self.api_key.clone()),
            (header::ACCEPT, "application/json".to_owned()),
            (header::CONTENT_TYPE, "application/x-www-form-urlencoded".to_owned()),
        ];
        let body = form(&fields).into_bytes();
        Request { method: Method::POST, path: self.path.clone(), headers, body }
    }
}

impl Notifier for Sms {
    fn send<'a>(&'a self, text: &'a Text, _proof: Durable) -> Pending<'a, TextOutcome> {
        Box::pin(async move {
            match self.web.send(self.request(text), &self.pace).await {
                Ok(answer) => {
                    TextOutcome::Answered(read(answer.status, &answer.body, text.details.phone))
                }
                Err(Unanswered::NothingSent(why)) => TextOutcome::NothingSent(why),
                Err(Unanswered::MayHaveBeenSent(why)) => TextOutcome::NoAnswer(why),
            }
        })
    }

    fn longest_send(&self) -> Duration {
        self.web.longest()
    }
}

/// The body of a success; everything in it is optional.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "SMSMessageData")]
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    #[serde(rename = "Message", default)]
    message: Value,
    #[serde(rename = "Recipients", default)]
    recipients: Vec<Recipient>,
}

#[derive(Deserialize)]
struct Recipient {
    #[serde(rename = "statusCode", default)]
    code: Value,
    #[serde(default)]
    number: Value,
    #[serde(default)]
    status: Value,
    #[serde(default)]
    cost: Value,
    #[serde(rename = "messageId", default)]
    message_id: Value,
}

/// What an answer says of the message to `phone`. What names no code of that recipient gets one
/// that stands for the whole answer: its `Message`, `unreadable`, or `http.` and its status.
pub fn read(status: u16, body: &[u8], phone: Msisdn) -> AnswerFacts {
    if !(200..300).contains(&status) {
        // Plain text, mostly.
        return facts(format!("http.{status}"), &String::from_utf8_lossy(body));
    }
    let Ok(Told { data }) = serde_json::from_slice(body) else {
        return facts("unreadable".to_owned(), "an answer that cannot be read");
    };
    if data.recipients.is_empty() {
        let message = word(&data.message).unwrap_or_default();
        return facts(shown(&message, CODE_LEN_MAX), &message);
    }
    let ours = data.recipients.iter().find(|recipient| {
        let number = word(&recipient.number);
        number.is_some_and(|number| number.parse() == Ok(phone))
    });
    let Some(ours) = ours else {
        return facts("unreadable".to_owned(), "an answer about other recipients");
    };
    let code = word(&ours.code).unwrap_or_default();
    AnswerFacts {
        message_id: word(&ours.message_id),
        cost: word(&ours.cost),
        ..facts(shown(&code, CODE_LEN_MAX), &word(&ours.status).unwrap_or_default())
    }
}

fn facts(code: String, description: &str) -> AnswerFacts {
    let description = shown(description, DESCRIPTION_LEN_MAX);
    AnswerFacts { code, description, message_id: None, cost: None }
}

/// A text, or a number as a text; it comes either way.
fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Words of the provider's, cut, in one line, and with what may be a phone hidden.
fn shown(text: &str, length: usize) -> String {
    let words: Vec<String> = text.split_whitespace().take(length).map(without_a_phone).collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(length).collect()
}

fn without_a_phone(word: &str) -> String {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    if digits <= DIGITS_MAX {
        return word.to_owned();
    }
    word.chars().map(|c| if c.is_ascii_digit() { '*' } else { c }).collect()
}

/// Fields as a form writes them (`application/x-www-form-urlencoded`).
fn form(fields: &[(&str, &str)]) -> String {
    let pairs = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
    pairs.collect::<Vec<_>>().join("&")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::text::{Class, outcome};

    fn phone() -> Msisdn {
        "254700000001".parse().expect("a phone")
    }

    /// The body of a 201 with these recipients: number, code, words.
    fn body(message: &str, recipients: &[(&str, &str, &str)]) -> Vec<u8> {
        let one = |(number, code, status): &(&str, &str, &str)| {
            format!(
                r#"{{"statusCode":{code},"number":"{number}","status":"{status}",
                "cost":"KES 0.8000","messageId":"ATXid_1"}}"#
            )
        };
        let all: Vec<String> = recipients.iter().map(one).collect();
        let all = all.join(",");
        format!(r#"{{"SMSMessageData":{{"Message":"{message}","Recipients":[{all}]}}}}"#)
            .into_bytes()
    }

    #[test]
    fn the_code_is_this_recipient_s() {
        let ours = "+254700000001";
        let other = "+254700000002";
        let table: &[(&[(&str, &str, &str)], &str, Class)] = &[
            (&[(ours, "101", "Success")], "101", Class::Sent),
            (&[(ours, "\"102\"", "Queued")], "102", Class::Sent),
            (&[(ours, "406", "UserInBlacklist")], "406", Class::Refused),
            (&[(ours, "500", "InternalServerError")], "500", Class::TryLater),
            (&[(ours, "405", "InsufficientBalance")], "405", Class::Alarm),
            // Of two, each has its own.
            (&[(other, "406", "UserInBlacklist"), (ours, "101", "Success")], "101", Class::Sent),
            (&[(other, "101", "Success"), (ours, "403", "Invalid")], "403", Class::Refused),
            (&[(other, "101", "Success")], "unreadable", Class::Doubt),
            (&[(ours, "null", "?")], "", Class::Doubt),
            (&[(ours, "777", "?")], "777", Class::Doubt),
        ];
        for (recipients, code, class) in table {
            let facts = read(201, &body("Sent", recipients), phone());
            assert_eq!((facts.code.as_str(), outcome(&facts.code).class), (*code, *class));
        }
        let facts = read(201, &body("Sent to 1/1", &[(ours, "101", "Success")]), phone());
        assert_eq!(facts.message_id.as_deref(), Some("ATXid_1"));
        assert_eq!(facts.cost.as_deref(), Some("KES 0.8000"));
        assert_eq!(facts.description, "Success");
    }

    #[test]
    fn an_answer_without_recipients_speaks_for_itself() {
        let table: &[(u16, &[u8], &str, Class)] = &[
            (201, &body("InvalidSenderId", &[]), "InvalidSenderId", Class::Alarm),
            (
                201,
                &body("Sent to 0/1 Total Cost: 0", &[]),
                "Sent to 0/1 Total Cost: 0",
                Class::Doubt,
            ),
            (401, b"The supplied authentication is invalid", "http.401", Class::Alarm),
            (400, b"Must have to", "http.400", Class::Refused),
            (429, b"", "http.429", Class::TryLater),
            (500, b"<html>", "http.500", Class::Doubt),
            (502, b"", "http.502", Class::Doubt),
            (301, b"", "http.301", Class::Doubt),
            (201, b"not JSON", "unreadable", Class::Doubt),
            (201, b"{}", "unreadable", Class::Doubt),
            (201, b"", "unreadable", Class::Doubt),
            (201, b"{\"SMSMessageData\":{\"Recipients\":7}}", "unreadable", Class::Doubt),
        ];
        for (status, body, code, class) in table {
            let facts = read(*status, body, phone());
            assert_eq!((facts.code.as_str(), outcome(&facts.code).class), (*code, *class));
        }
    }

    #[test]
    fn what_is_kept_of_an_answer_is_short_and_holds_no_phone() {
        let text = format!("Bad\nnumber +254700000001\u{7} {}", "x ".repeat(9_000));
        let facts = read(400, text.as_bytes(), phone());
        assert!(facts.description.starts_with("Bad number +************ x"), "{facts:?}");
        assert!(facts.description.chars().count() <= DESCRIPTION_LEN_MAX);
    }

    #[test]
    fn a_form_escapes_what_it_must() {
        let fields = [("to", "+254700000001"), ("message", "A & B = 50% \u{e9}\n")];
        assert_eq!(form(&fields), "to=%2B254700000001&message=A+%26+B+%3D+50%25+%C3%A9%0A");
    }
}
