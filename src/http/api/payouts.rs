//! Payouts: submit, look, cancel; have M-Pesa asked about one, and rule on one in doubt.

use axum::http::header::{HeaderMap, HeaderName, LOCATION};
use axum::http::{HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

use super::cursor::EventCursor;
use super::view;
use super::{Answer, Ask, Caller, Problem, json, list, ruling, submit, who};
use crate::domain::id::PayoutId;
use crate::domain::payout::{Payout, Ruling};
use crate::domain::subject::Subject;
use crate::engine::{SubmitError, Submitted};
use crate::http::problem::Code;
use crate::store::{FeedEvent, Stored};

/// The longest Idempotency-Key, in characters.
const KEY_LEN_MAX: usize = 255;
/// The header that holds it.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The header that says that an answer is not the first one.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// What a payout's fingerprint begins with: the same body elsewhere is another request.
const SUBMIT: &[u8] = b"POST\n/v1/payouts\n";

/// `POST /v1/payouts`.
pub(in crate::http) async fn create(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let key = idempotency_key(&ask.parts.headers)?;
    let engine = &ask.api.engine;
    let fingerprint = fingerprint(&ask.body);
    let submitted = match submit::read(&ask.body, engine.limits(), engine.default_rail()) {
        Ok(draft) => engine.submit(caller.app, key, fingerprint, draft).await?,
        // It may be a payout that was taken when the limits were others: to say "nothing was
        // done" of that would have it paid again, under a new key.
        Err(faulty) => before(&ask, caller, key, fingerprint).await?.ok_or(faulty)?,
    };
    let mut answer = json(StatusCode::ACCEPTED, &view::Payout::from(&submitted.payout))?;
    let headers = answer.headers_mut();
    let place = format!("/v1/payouts/{}", submitted.payout.details.id);
    if let Ok(place) = HeaderValue::try_from(place) {
        headers.insert(LOCATION, place);
    }
    if submitted.replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(answer)
}

/// The first answer to this key, if it was given; the key with another request is a problem.
async fn before(
    ask: &Ask,
    caller: Caller,
    key: &str,
    fingerprint: [u8; 32],
) -> Result<Option<Submitted>, Problem> {
    let store = ask.api.engine.store();
    let Some(remembered) = store.claim(caller.app, key).await? else {
        return Ok(None);
    };
    if remembered.fingerprint != fingerprint {
        return Err(SubmitError::KeyReused.into());
    }
    let Subject::Payout(id) = remembered.made else {
        return Err(SubmitError::KeyReused.into());
    };
    let stored = store.payout(id).await?;
    let missing = || SubmitError::Unavailable(format!("payout {id} is missing"));
    let details = stored.ok_or_else(missing)?.payout.details;
    // What was asked for never changes, so the first answer can be made anew.
    Ok(Some(Submitted { payout: Payout::queued(details), replayed: true }))
}

/// `GET /v1/payouts/{id}`.
pub(in crate::http) async fn get(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let stored = seen(caller, &ask).await?;
    json(StatusCode::OK, &view::Payout::from(&stored.payout))
}

/// `GET /v1/payouts`.
pub(in crate::http) async fn list(caller: Caller, ask: Ask) -> Answer {
    let mut query = list::payouts(&ask.parts.uri)?;
    query.app = caller.sight();
    let page = ask.api.engine.store().payouts(&query).await?;
    let rows = page.rows.iter().map(|stored| (&stored.payout).into());
    let view =
        view::PayoutPage { data: rows.collect(), next_cursor: list::next(&query, page.next) };
    json(StatusCode::OK, &view)
}

/// `GET /v1/payouts/{id}/events`.
pub(in crate::http) async fn events(caller: Caller, ask: Ask) -> Answer {
    let query = list::events(&ask.parts.uri)?;
    let stored = seen(caller, &ask).await?;
    let id = stored.payout.details.id;
    let mut events = ask.api.engine.store().events_of(id.into()).await?;
    if query.descending {
        events.reverse();
    }
    let beyond = |event: &&FeedEvent| match (query.after, query.descending) {
        (None, _) => true,
        (Some(after), false) => event.seq > after,
        (Some(after), true) => event.seq < after,
    };
    let mut rest = events.iter().filter(beyond).peekable();
    let page: Vec<&FeedEvent> = rest.by_ref().take(query.limit).collect();
    let more = rest.peek().is_some();
    let last = page.last().filter(|_last| more);
    let view = view::EventPage {
        next_cursor: last.map(|last| {
            let cursor = EventCursor { descending: query.descending, after: last.seq };
            cursor.write()
        }),
        data: page.into_iter().map(Into::into).collect(),
    };
    json(StatusCode::OK, &view)
}

/// `POST /v1/payouts/{id}/cancel`. It moves no money, so it needs no Idempotency-Key.
pub(in crate::http) async fn cancel(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let id = payout_id(&ask.id)?;
    let payout = ask.api.engine.cancel(Some(caller.app), id).await?;
    json(StatusCode::OK, &view::Payout::from(&payout))
}

/// `POST /v1/payouts/{id}/inquire`. It moves no money, so it needs no Idempotency-Key.
pub(in crate::http) async fn inquire(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let id = payout_id(&ask.id)?;
    let payout = ask.api.engine.inquire(Some(caller.app), id).await?;
    json(StatusCode::ACCEPTED, &view::Payout::from(&payout))
}

/// `POST /v1/payouts/{id}/resolve`: any application's payout.
pub(in crate::http) async fn resolve(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let id = payout_id(&ask.id)?;
    let ruling::Resolution { receipt, reason } = ruling::resolution(&ask.body)?;
    let by = who(caller, &ask).await?;
    let ruling = Ruling { by, receipt, reason };
    let payout = ask.api.engine.resolve(None, id, ruling).await?;
    json(StatusCode::OK, &view::Payout::from(&payout))
}

fn payout_id(text: &str) -> Result<PayoutId, Problem> {
    text.parse().map_err(|_error| Problem::no_such_payout())
}

/// The payout that the path names, if the caller may see it.
async fn seen(caller: Caller, ask: &Ask) -> Result<Stored, Problem> {
    let id = payout_id(&ask.id)?;
    let stored = ask.api.engine.store().payout(id).await?;
    stored
        .filter(|stored| caller.sees(stored.payout.details.app))
        .ok_or_else(Problem::no_such_payout)
}

/// SHA-256 of what makes two requests the same: method, path and the body, byte for byte.
fn fingerprint(body: &[u8]) -> [u8; 32] {
    Sha256::new_with_prefix(SUBMIT).chain_update(body).finalize().into()
}

/// The Idempotency-Key, without the quotation marks that the IETF draft has around it: written
/// with and without them it is one key.
fn idempotency_key(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut given = headers.get_all(IDEMPOTENCY_KEY).iter();
    let value = given.next().ok_or_else(|| {
        Problem::new(
            Code::IdempotencyKeyMissing,
            "Nothing was done. Send a header \"Idempotency-Key\" with 1 to 255 visible ASCII \
             characters, another one for each payout, such as your own payment id. Sent again \
             with the same key and body, a request makes no second payout.",
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
