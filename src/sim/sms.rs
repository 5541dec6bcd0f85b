//! Africa's Talking: texts are taken and kept, or refused one by one (spec/daraja.md §11).
//!
//! A phone that ends in 0406 has stopped such texts, one that ends in 0405 meets an empty account,
//! one that ends in 0407 can't be reached, at one that ends in 0500 something breaks; a number
//! that is none is refused as that. All of it comes with status 201, as from the real one. Faults
//! are laid down as for Daraja, with the api `sms` ([`super::daraja::faults`]).

use std::collections::VecDeque;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::book::mix;
use super::daraja::{Api, faults};
use super::reply::{self, Reply};
use super::scenario::{self, Traffic};
use super::script::Answer;
use super::{Sim, SmsSettings};
use crate::domain::party::Msisdn;
use crate::domain::time::Timestamp;

/// Where it listens.
pub(super) const PATH: &str = "/version1/messaging";
/// The longest request: room for the longest text and all its recipients.
const BODY_MAX: usize = 256 * 1024;
/// How many texts are kept; older ones make room.
pub const TEXTS_MAX: usize = 10_000;
/// How many recipients one request may have.
const RECIPIENTS_MAX: usize = 1_000;
/// The longest text, in characters.
const TEXT_MAX: usize = 1_600;
/// How many texts are shown when nobody says.
const LIMIT: usize = 1_000;

/// A text, and what became of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    /// Its place in the order of texts, from 1.
    pub seq: u64,
    /// When it came.
    pub at: Timestamp,
    /// To whom, as it was asked for.
    pub to: String,
    /// What it says.
    pub message: String,
    /// From whom, where that was said.
    pub from: Option<String>,
    /// What was said of it: 101 is sent.
    pub code: u16,
    /// Its id, where it was sent.
    pub id: Option<String>,
}

impl std::fmt::Debug for Text {
    /// Without what it says and to whom.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Text")
            .field("seq", &self.seq)
            .field("code", &self.code)
            .finish_non_exhaustive()
    }
}

/// The texts that came, in order.
#[derive(Debug, Default)]
pub struct Texts {
    kept: VecDeque<Text>,
    last: u64,
}

impl Texts {
    fn push(&mut self, text: Text) -> u64 {
        self.last = self.last.saturating_add(1);
        self.kept.push_back(Text { seq: self.last, ..text });
        if self.kept.len() > TEXTS_MAX {
            self.kept.pop_front();
        }
        self.last
    }

    /// All that are kept.
    pub fn all(&self) -> Vec<Text> {
        self.kept.iter().cloned().collect()
    }

    const fn next(&self) -> u64 {
        self.last.saturating_add(1)
    }
}

/// What is said of one recipient.
const fn says(code: u16) -> &'static str {
    match code {
        101 => "Success",
        403 => "InvalidPhoneNumber",
        405 => "InsufficientBalance",
        406 => "UserInBlacklist",
        407 => "CouldNotRoute",
        _other => "InternalServerError",
    }
}

/// What becomes of a text to this number.
fn code(number: &str) -> u16 {
    let phone: Option<Msisdn> = number.parse().ok().filter(|_| number.starts_with('+'));
    match phone.map(|phone| phone.number().checked_rem(10_000).unwrap_or_default()) {
        None => 403,
        Some(405) => 405,
        Some(406) => 406,
        Some(407) => 407,
        Some(500) => 500,
        Some(_) => 101,
    }
}

/// `POST /version1/messaging`.
pub(super) async fn send(State(sim): State<Arc<Sim>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = match reply::read(body, BODY_MAX).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let at = sim.now();
    let text = decoded(&body);
    let mut faults = sim.daraja.faults().draw(Api::Sms, text.as_bytes());
    let verdict = sim.verdict(|| traffic(&body));
    faults.extend(verdict.into_iter().flat_map(|verdict| verdict.faults));
    let reply = match faults::before(&faults) {
        Some(fault) => faults::word(&sim, fault),
        None => faults::after(&sim, &faults, answer(&sim, &head.headers, &body)),
    };
    reply.keep(&sim, reply::Request { at, path: PATH, body: &body, about: None });
    reply.send(&sim).await
}

/// A text as the rules of a scenario see it: the first of those that it is for stands for all.
fn traffic(body: &[u8]) -> Traffic {
    let fields = form(body);
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let first = field("to").and_then(|to| to.split(',').next()).and_then(|to| to.parse().ok());
    scenario::of_text(first, field("username").map_or("", String::as_str))
}

/// The body with its escapes undone, for rules that look for a text in it.
fn decoded(body: &[u8]) -> String {
    form(body).into_iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

fn plain(status: StatusCode, text: &str) -> Reply {
    Reply {
        answer: Answer::Now,
        status,
        content_type: "text/plain; charset=utf-8",
        message: text.as_bytes().to_vec(),
        after_result: None,
    }
}

fn answer(sim: &Sim, headers: &HeaderMap, body: &[u8]) -> Reply {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let settings = &sim.settings().sms;
    let is_form = header(header::CONTENT_TYPE.as_str())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let fields = if is_form { form(body) } else { Vec::new() };
    let field = |name: &str| {
        let found = fields.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    };
    if header("apiKey") != Some(settings.api_key.as_str())
        || field("username") != Some(settings.username.as_str())
    {
        return plain(StatusCode::UNAUTHORIZED, "The supplied authentication is invalid");
    }
    let Some(to) = field("to") else {
        return plain(StatusCode::BAD_REQUEST, "Must have to");
    };
    let Some(message) = field("message") else {
        return plain(StatusCode::BAD_REQUEST, "Must have message");
    };
    if message.chars().count() > TEXT_MAX || to.split(',').count() > RECIPIENTS_MAX {
        return plain(StatusCode::BAD_REQUEST, "Too long");
    }
    if let Some(from) = field("from").filter(|from| !is_sender(settings, from)) {
        tracing::info!(from, "text refused: the sender is not registered");
        return created(&json!({"Message": "InvalidSenderId", "Recipients": []}));
    }
    let recipients: Vec<Value> =
        to.split(',').map(|number| keep(sim, number.trim(), message, field("from"))).collect();
    let sent = recipients.iter().filter(|one| one["statusCode"] == 101).count();
    let cents = u64::try_from(sent).unwrap_or(u64::MAX).saturating_mul(80);
    let (whole, part) = (cents.checked_div(100), cents.checked_rem(100));
    let cost = match sent {
        0 => "0".to_owned(),
        _some => format!("KES {}.{:02}00", whole.unwrap_or_default(), part.unwrap_or_default()),
    };
    let says = format!("Sent to {sent}/{} Total Cost: {cost}", recipients.len());
    created(&json!({"Message": says, "Recipients": recipients}))
}

fn is_sender(settings: &SmsSettings, from: &str) -> bool {
    settings.senders.iter().any(|sender| sender == from)
}

fn created(data: &Value) -> Reply {
    Reply {
        answer: Answer::Now,
        status: StatusCode::CREATED,
        content_type: "application/json; charset=utf-8",
        message: json!({ "SMSMessageData": data }).to_string().into_bytes(),
        after_result: None,
    }
}

/// Keeps a text for one recipient, and what is said of it.
fn keep(sim: &Sim, number: &str, message: &str, from: Option<&str>) -> Value {
    let code = code(number);
    let is_sent = code == 101;
    let mut texts = sim.texts();
    let spread = mix(mix(sim.settings().seed ^ 0x5a5).wrapping_add(texts.next()));
    let id = is_sent.then(|| format!("ATXid_{spread:016x}{:016x}", mix(spread)));
    texts.push(Text {
        seq: 0,
        at: sim.now(),
        to: number.to_owned(),
        message: message.to_owned(),
        from: from.map(str::to_owned),
        code,
        id: id.clone(),
    });
    json!({
        "statusCode": code,
        "number": number,
        "status": says(code),
        "cost": if is_sent { "KES 0.8000" } else { "0" },
        "messageId": id.as_deref().unwrap_or("None"),
    })
}

/// What is wanted of the list.
#[derive(Debug, Deserialize)]
pub(super) struct ListQuery {
    after: Option<u64>,
    limit: Option<usize>,
    to: Option<String>,
}

/// `GET /sim/sms?after=&limit=&to=`: what was sent to whom.
pub(super) async fn list(
    State(sim): State<Arc<Sim>>,
    Query(query): Query<ListQuery>,
) -> Json<Value> {
    let texts = sim.texts();
    let limit = query.limit.unwrap_or(LIMIT).min(TEXTS_MAX);
    let after = query.after.unwrap_or(0);
    let to: Option<Msisdn> = query.to.as_deref().and_then(|to| to.parse().ok());
    let wanted = |text: &&Text| text.seq > after && to.is_none_or(|to| text.to.parse() == Ok(to));
    let line = |text: &Text| {
        json!({
            "seq": text.seq,
            "at": text.at.rfc3339(),
            "to": text.to,
            "message": text.message,
            "from": text.from,
            "status": says(text.code),
            "status_code": text.code,
            "message_id": text.id,
        })
    };
    let data: Vec<Value> = texts.kept.iter().filter(wanted).take(limit).map(line).collect();
    Json(json!({ "data": data }))
}

/// The fields of a form, in order.
fn form(body: &[u8]) -> Vec<(String, String)> {
    let pairs = body.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let mut parts = pair.splitn(2, |byte| *byte == b'=');
            let name = unescape(parts.next().unwrap_or_default());
            (name, unescape(parts.next().unwrap_or_default()))
        })
        .collect()
}

/// `+` is a blank, `%` begins two hexadecimal digits; what is neither stays as it is.
fn unescape(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let escaped = behind.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        match (first, escaped.and_then(|two| u8::from_str_radix(two, 16).ok())) {
            (b'+', _) => out.push(b' '),
            (b'%', Some(byte)) => {
                out.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            (other, _) => out.push(*other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read() {
        let fields = form(b"username=sandbox&to=%2B254722000001,%2b254&message=A+b%20c%3D1&x&=&%4");
        let pairs: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(
            pairs,
            [
                ("username", "sandbox"),
                ("to", "+254722000001,+254"),
                ("message", "A b c=1"),
                ("x", ""),
                ("", ""),
                ("%4", ""),
            ]
        );
    }

    #[test]
    fn each_number_gets_its_own_code() {
        let table = [
            ("+254722000111", 101),
            ("+254722000406", 406),
            ("+254722000405", 405),
            ("+254722000407", 407),
            ("+254722000500", 500),
            ("254722000111", 403),
            ("+1202", 403),
            ("", 403),
        ];
        for (number, expected) in table {
            assert_eq!(code(number), expected, "{number}");
        }
    }
}
