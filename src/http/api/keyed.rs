//! Requests that count once: the Idempotency-Key, and what makes two requests the same
//! (contract, part 2).

use axum::http::header::{HeaderMap, HeaderName, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Answer, Ask, Caller, Problem, json};
use crate::domain::subject::Subject;
use crate::engine::SubmitError;
use crate::http::problem::Code;
use crate::telemetry::trace::Link;

/// The longest Idempotency-Key, in characters.
const KEY_LEN_MAX: usize = 255;
/// The header that holds it.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that names a caller's span (W3C Trace Context).
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
/// The header that says that an answer is not the first one.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A request that counts once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Once {
    pub(super) key: String,
    pub(super) fingerprint: [u8; 32],
}

impl Once {
    /// The key of a request that must have one.
    ///
    /// # Errors
    /// It has none, or none that can be used.
    pub(super) fn of(ask: &Ask) -> Result<Self, Problem> {
        let key = idempotency_key(&ask.parts.headers)?.to_owned();
        Ok(Self { key, fingerprint: fingerprint(ask.parts.uri.path(), &ask.body) })
    }

    /// The key of a request that may have one.
    ///
    /// # Errors
    /// It has one that cannot be used.
    pub(super) fn maybe(ask: &Ask) -> Result<Option<Self>, Problem> {
        if ask.parts.headers.contains_key(IDEMPOTENCY_KEY) {
            Self::of(ask).map(Some)
        } else {
            Ok(None)
        }
    }

    /// What an earlier request with this key made, if there was one.
    ///
    /// It is asked where a body is faulty: the body may have been good when the limits were others,
    /// and to say "nothing was done" of it would have it done again, under a new key.
    ///
    /// # Errors
    /// The key came with another request.
    pub(super) async fn made(&self, ask: &Ask, caller: Caller) -> Result<Option<Subject>, Problem> {
        let Some(remembered) = ask.api.engine.store().claim(caller.app, &self.key).await? else {
            return Ok(None);
        };
        if remembered.fingerprint == self.fingerprint {
            Ok(Some(remembered.made))
        } else {
            Err(SubmitError::KeyReused.into())
        }
    }
}

/// 202, with where it is and whether an earlier request made it.
pub(super) fn taken<T: Serialize>(value: &T, place: &str, replayed: bool) -> Answer {
    let mut answer: Response = json(StatusCode::ACCEPTED, value)?;
    let headers = answer.headers_mut();
    if let Ok(place) = HeaderValue::try_from(place) {
        headers.insert(LOCATION, place);
    }
    if replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(answer)
}

/// The span of the caller's that asks, if it says so: of several, none is it.
pub(super) fn link(headers: &HeaderMap) -> Option<Link> {
    let mut given = headers.get_all(TRACEPARENT).iter();
    let link = Link::of(given.next()?.to_str().ok()?);
    link.filter(|_link| given.next().is_none())
}

/// SHA-256 of what makes two requests the same: method, path and the body, byte for byte. The same
/// body elsewhere is another request.
fn fingerprint(path: &str, body: &[u8]) -> [u8; 32] {
    let hash = Sha256::new_with_prefix(b"POST\n").chain_update(path.as_bytes());
    hash.chain_update(b"\n").chain_update(body).finalize().into()
}

/// The Idempotency-Key, without the quotation marks that the IETF draft has around it: written
/// with and without them it is one key.
fn idempotency_key(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let value = given.next().ok_or_else(|| {
        Problem::new(
            Code::IdempotencyKeyMissing,
            "Nothing was done. Send a header \"Idempotency-Key\" with 1 to 255 visible ASCII \
             characters, another one for each payout or payment, such as your own id of it. Sent \
             again with the same key and body, a request is not done a second time.",
        )
    })?;
    let invalid = || {
        Problem::new(
            Code::IdempotencyKeyInvalid,
            format!(
                "Nothing was done. An Idempotency-Key is one header of 1 to {KEY_LEN_MAX} visible \
                 ASCII characters without blanks."
            ),
        )
    };
    let text = value.to_str().map_err(|_error| invalid())?.trim();
    let quoted = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let key = quoted.unwrap_or(text);
    let fits = (1..=KEY_LEN_MAX).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic());
    if fits && given.next().is_none() { Ok(key) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(IDEMPOTENCY_KEY, value.parse().expect("a header"));
        }
        headers
    }

    fn key(values: &[&str]) -> Result<String, Code> {
        idempotency_key(&headers(values)).map(str::to_owned).map_err(|problem| problem.code)
    }

    #[test]
    fn idempotency_keys_are_read_with_and_without_quotation_marks() {
        let long = "k".repeat(255);
        let too_long = "k".repeat(256);
        let invalid = Err(Code::IdempotencyKeyInvalid);
        let table: [(&[&str], Result<String, Code>); 9] = [
            (&[], Err(Code::IdempotencyKeyMissing)),
            (&["INV-2041"], Ok("INV-2041".to_owned())),
            (&["\"INV-2041\""], Ok("INV-2041".to_owned())),
            (&[&long], Ok(long.clone())),
            (&[&too_long], invalid.clone()),
            (&[""], invalid.clone()),
            (&["\"\""], invalid.clone()),
            (&["a b"], invalid.clone()),
            (&["a", "a"], invalid),
        ];
        for (values, expected) in table {
            assert_eq!(key(values), expected, "{values:?}");
        }
    }
}
