//! Payouts: submit, look, cancel; have M-Pesa asked about one, and rule on one in doubt.

use axum::http::StatusCode;

use super::keyed::{self, Once};
use super::{Answer, Ask, Caller, Problem, feed, json, list, place, ruling, submit, view, who};
use crate::domain::id::PayoutId;
use crate::domain::payout::{Payout, Ruling};
use crate::domain::subject::Subject;
use crate::engine::audit::Signed;
use crate::engine::{SubmitError, Submitted};
use crate::http::problem::Code;
use crate::store::Stored;

/// `POST /v1/payouts`.
pub(in crate::http) async fn create(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let once = Once::of(&ask)?;
    let engine = &ask.api.engine;
    let submitted = match submit::read(&ask.body, engine.limits(), engine.default_rail()) {
        Ok(draft) => {
            let link = keyed::link(&ask.parts.headers);
            engine.submit_traced(caller.app, (&once.key, once.fingerprint), draft, link).await?
        }
        Err(faulty) => before(&ask, caller, &once).await?.ok_or(faulty)?,
    };
    let at = format!("/v1/payouts/{}", submitted.payout.details.id);
    keyed::taken(&view::Payout::from(&submitted.payout), &at, submitted.replayed)
}

/// The first answer to this key, if it was given; the key with another request is a problem.
async fn before(ask: &Ask, caller: Caller, once: &Once) -> Result<Option<Submitted>, Problem> {
    let id = match once.made(ask, caller).await? {
        None => return Ok(None),
        Some(Subject::Payout(id)) => id,
        Some(_) => return Err(SubmitError::KeyReused.into()),
    };
    let stored = ask.api.engine.store().payout(id).await?;
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
    feed::history(&ask, stored.payout.details.id.into(), query).await
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
    let signed = Signed { ruling, from: Some(place(caller, &ask)) };
    let payout = ask.api.engine.resolve(None, id, signed).await?;
    json(StatusCode::OK, &view::Payout::from(&payout))
}

/// `POST /v1/payouts/{id}/reverse`: M-Pesa reverses only what customers paid
/// (spec/daraja.md §1.11), so that it is never done, and always said what to do.
pub(in crate::http) async fn reverse(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let stored = seen(caller, &ask).await?;
    let detail = match stored.payout.state.receipt() {
        Some(receipt) => format!(
            "M-Pesa reverses no payment to a customer by its API. Nothing was done. Reverse {receipt} \
             by hand in M-Pesa's organisation portal, or ask M-Pesa's support to."
        ),
        None => format!(
            "It stands at {}: nothing is known to have been paid, and M-Pesa reverses no payment \
             to a customer by its API. Nothing was done.",
            stored.payout.status()
        ),
    };
    Err(Problem::new(Code::NotReversible, detail))
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
