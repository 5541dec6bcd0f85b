//! The messages of a payout's life, as `GET /v1/messages/{id}` tells them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::cli::show::text;
use crate::domain::outcome;
use crate::domain::time::Timestamp;
use crate::soap::{response, result};

/// What happened, and when, in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) at: i64,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Sent,
    Answered(Answer),
    /// No answer came in time.
    TimedOut,
    Told(Told),
    /// M-Pesa gave it up in its queue.
    GivenUp,
    Asked,
    AskedAnswered(Answer),
    AskedTold(Told),
}

/// What was answered at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// A `ResponseCode`, in SOAP's words.
    Code(String),
    /// Something that is none.
    Unreadable,
}

/// What was told later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) code: String,
    /// More is to follow.
    pub(super) waiting: bool,
    /// Whether, asked about a payment, M-Pesa knew it.
    pub(super) knows_it: bool,
}

impl Heard {
    /// A message, if it is one of a payout's.
    pub(super) fn read(message: &Value) -> Option<Self> {
        let at = Timestamp::parse_rfc3339(&text(message, "at")).ok()?.millis();
        let body = body(message);
        let kind = match text(message, "channel").as_str() {
            "payout.request" => Kind::Sent,
            "payout.answer" => Kind::Answered(answer(&body)),
            "payout.result" => Kind::Told(told(&body)?),
            "payout.timeout" => Kind::GivenUp,
            "payout.status_request" => Kind::Asked,
            "payout.status_answer" => Kind::AskedAnswered(answer(&body)),
            "payout.status_result" => Kind::AskedTold(told(&body)?),
            _other => return None,
        };
        Some(Self { at, kind })
    }

    /// What an event says that no message does.
    pub(super) fn of_event(event: &Value) -> Option<Self> {
        let at = Timestamp::parse_rfc3339(&text(event, "created_at")).ok()?.millis();
        let data = event.get("data")?;
        let is_late = text(event, "type") == "payout.unknown"
            && text(data, "says").contains("no answer came in time");
        is_late.then_some(Self { at, kind: Kind::TimedOut })
    }
}

fn body(message: &Value) -> Vec<u8> {
    let body = text(message, "body");
    match text(message, "encoding").as_str() {
        "base64" => STANDARD.decode(body).unwrap_or_default(),
        _text => body.into_bytes(),
    }
}

/// The code of an answer; Daraja's errors in the words of SOAP that mean the same.
fn answer(body: &[u8]) -> Answer {
    if let Ok(answer) = response::parse(body) {
        return Answer::Code(answer.facts.code);
    }
    let Ok(json) = serde_json::from_slice::<Value>(body) else {
        return Answer::Unreadable;
    };
    let says = text(&json, "errorMessage");
    let code = match text(&json, "errorCode").as_str() {
        "" if json.get("fault").is_some() => "100000002",
        "" => return of_json(&json),
        "500.003.02" | "500.003.03" => "100000002",
        "500.002.1001" if says.starts_with("Duplicate") => "15",
        "400.002.02" | "400.002.05" => "1005",
        _other => return Answer::Unreadable,
    };
    Answer::Code(code.to_owned())
}

fn of_json(json: &Value) -> Answer {
    match text(json, "ResponseCode") {
        code if code.is_empty() => Answer::Unreadable,
        code => Answer::Code(code),
    }
}

fn told(body: &[u8]) -> Option<Told> {
    if let Ok(told) = result::parse(body) {
        let knows_it = told.parameters.iter().any(|(key, _)| key == "TransactionStatus");
        let waiting = told.facts.waiting;
        return Some(Told { code: told.facts.code, waiting, knows_it });
    }
    let json: Value = serde_json::from_slice(body).ok()?;
    let result = json.get("Result")?;
    let parameters = result.pointer("/ResultParameters/ResultParameter");
    let knows_it = parameters.is_some_and(|list| list.to_string().contains("TransactionStatus"));
    let code = text(result, "ResultCode");
    let waiting = text(result, "ResultType") == "1" && outcome::is_success(&code);
    Some(Told { code, waiting, knows_it })
}
