//! What came in place of an answer, in one short code that `domain::outcome` judges.
//!
//! One `errorCode` carries several meanings, so that the text decides, too; and a proxy or a
//! firewall in front of M-Pesa has shapes of its own (spec/daraja.md §1 "Common error body", §3.2).
//! The codes are stable: they are kept, shown and judged by the table `outcome::ANSWERS`.

use super::api::Api;
use super::json::{Json, Unreadable};
use super::redact;
use crate::domain::told;

/// How much of a page that is no JSON is looked through, in bytes.
const PAGE_MAX: usize = 16 * 1024;

/// What came in place of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The code, as it stands in `outcome::ANSWERS` or in no table.
    pub code: String,
    /// M-Pesa's words for it, or ours; cut, and without secrets.
    pub description: String,
}

impl Problem {
    fn new(code: &str, description: &str) -> Self {
        Self { code: code.to_owned(), description: redact::description(description) }
    }
}

/// Reads what came in place of an answer of `api`.
pub fn read(api: Api, status: u16, body: &[u8]) -> Problem {
    of(api, status, body, Json::read(body).as_ref())
}

/// Whether the token was refused, and the request with it.
///
/// It never reached M-Pesa, and may be sent once more with a new token (spec/daraja.md §4). An app
/// that lacks a product looks the same as a
/// token from before the app had it.
pub fn is_token_refusal(api: Api, status: u16, body: &[u8]) -> bool {
    is_token_code(&read(api, status, body).code)
}

/// Whether a code of [`read`] says that the token was refused.
pub fn is_token_code(code: &str) -> bool {
    matches!(
        code,
        "400.003.01"
            | "401.001"
            | "401.002.01"
            | "401.003.01"
            | "404.001.03"
            | "http.401.token"
            | "http.401.no_product"
    )
}

pub(super) fn of(api: Api, status: u16, body: &[u8], json: Result<&Json, &Unreadable>) -> Problem {
    let json = match json {
        Ok(json) => json,
        Err(unreadable) => return page(status, body, unreadable),
    };
    let words = || json.word_of(&["errorMessage", "message"]).unwrap_or_default();
    match json.one("errorCode") {
        Ok(Some(code)) => return Problem::new(&envelope(api, code, words()), words()),
        Ok(None) => {}
        Err(twice) => return Problem::new("unreadable", &twice.to_string()),
    }
    if let Some(fault) = json.member("fault") {
        return apigee(status, fault);
    }
    if let Some(fault) = json.descend(&["Envelope", "Body", "Fault"]) {
        let says = fault.word_of(&["faultstring", "faultcode"]).unwrap_or_default();
        let code = if says.contains("409") { "soap_fault:409" } else { "soap_fault" };
        return Problem::new(code, says);
    }
    let code = if is_good(status) { "unreadable".to_owned() } else { format!("http.{status}") };
    Problem::new(&code, "an answer of a shape that is not known")
}

/// Whether an HTTP status says that all is well.
pub(super) const fn is_good(status: u16) -> bool {
    matches!(status, 200..=299)
}

/// The code of the common error body, with the word that its text adds (spec/daraja.md §3.2).
fn envelope(api: Api, code: &str, words: &str) -> String {
    let words = words.to_ascii_lowercase();
    let says = |part: &str| words.contains(part);
    let is_query = matches!(api, Api::StkQuery);
    let word = match code {
        "400.002.02" if says("threat") => "threat",
        "400.002.02" if is_query && says("checkoutrequestid") => "checkout",
        "500.001.1001" if says("wrong credentials") => "credentials",
        "500.001.1001" if says("merchant does not exist") => "merchant",
        // To a query these words would speak of another prompt.
        "500.001.1001" if !is_query && says("lock subscriber") => "locked",
        "500.001.1001" if is_query && says("being processed") => "processing",
        "500.001.1001" if is_query && says("does not exist") => "no_transaction",
        "500.002.1001" if says("duplicate") => "duplicate",
        "500.002.1001" if says("internal error") => "internal",
        "500.003.02" if says("spike arrest") => "spike_arrest",
        // That "busy" comes before a request is taken is only read out of its words: where the
        // same request would not be known a second time, it is not believed.
        "500.003.02" if says("busy") && !api.moves_money_unnamed() => "busy",
        "500.003.1001" if says("already registered") => "registered",
        "500.003.1001" if says("duplicate notification") => "elsewhere",
        _ => return told::code(code),
    };
    format!("{code}:{word}")
}

/// A fault of the proxy in front of Daraja: what it turns away never reached M-Pesa, and what it
/// says of the far side leaves everything open.
fn apigee(status: u16, fault: &Json) -> Problem {
    let says = fault.word_of(&["faultstring"]).unwrap_or_default();
    let detail = fault.descend(&["detail", "errorcode"]).and_then(Json::word).unwrap_or_default();
    let both = format!("{says} {detail}").to_ascii_lowercase();
    let both = both.as_str();
    let code = proxy_word(status, both).map_or_else(
        || if is_good(status) { "unreadable".to_owned() } else { format!("http.{status}") },
        ToOwned::to_owned,
    );
    Problem::new(&code, says)
}

/// What the proxy's words mean, in lower case.
fn proxy_word(status: u16, says: &str) -> Option<&'static str> {
    match status {
        429 if says.contains("spike") => Some("http.429.spike_arrest"),
        429 if says.contains("quota") => Some("http.429.quota"),
        401 if says.contains("apiproduct") || says.contains("api product") => {
            Some("http.401.no_product")
        }
        401 if says.contains("access token")
            || says.contains("access_token")
            || says.contains("accesstoken") =>
        {
            Some("http.401.token")
        }
        404 if says.contains("unable to identify proxy")
            || says.contains("applicationnotfound") =>
        {
            Some("http.404.no_proxy")
        }
        _ => None,
    }
}

/// What is no JSON: a page of the firewall, a plain text, nothing.
fn page(status: u16, body: &[u8], unreadable: &Unreadable) -> Problem {
    let head = body.get(..body.len().min(PAGE_MAX)).unwrap_or_default();
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    if text.contains("incapsula") || text.contains("incident id") {
        return Problem::new(&format!("http.{status}.firewall"), "a page of M-Pesa's firewall");
    }
    if let Some(code) = proxy_word(status, &text) {
        return Problem::new(code, "the proxy's words, not as JSON");
    }
    let code = match (is_good(status), unreadable) {
        (true, Unreadable::Empty) => "empty".to_owned(),
        (true, _) => "unreadable".to_owned(),
        (false, _) => format!("http.{status}"),
    };
    Problem::new(&code, &format!("HTTP status {status}, and the body cannot be read: {unreadable}"))
}
