//! What finance systems ask for (contract, part 2).

mod asks;
pub mod bodies;
mod cases;
mod cursor;
mod expected;
mod feed;
mod fields;
mod filters;
mod inquiries;
mod inquiry_view;
mod json;
mod keyed;
mod list;
mod messages;
mod ops;
mod payment_view;
mod payments;
mod payouts;
mod rails;
mod ruling;
mod submit;
pub mod view;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::auth::{Apps, Caller};
pub use super::body::BodyLimits;
use super::notes::Notes;
use super::problem::{Code, FieldFault, Problem};
use super::server::place_of;
use crate::engine::Engine;
use crate::engine::audit::Actor;

#[cfg(test)]
pub(super) use asks::{
    BALANCE_FIELDS, BUSINESS_FIELDS, PULL_FIELDS, QR_FIELDS, REGISTER_FIELDS, REVERSAL_FIELDS,
    SIMULATE_FIELDS, STATUS_FIELDS, TAX_FIELDS,
};
pub(super) use cases::{
    Case, CasePage, Closing, Page as PageOfCases, case_id, close as close_case, get as get_case,
    list as list_cases, read as read_case,
};
#[cfg(test)]
pub(super) use expected::EXPECTED_FIELDS;
pub(super) use expected::{
    BODY_BYTES_MAX as EXPECTED_BYTES_MAX, Taken as ExpectedTaken, expect, says_csv,
};
pub(super) use feed::feed;
pub(super) use fields::check_lines;
pub(super) use filters::{INQUIRY_PARAMETERS, PAYMENT_PARAMETERS, VERIFY_PARAMETERS};
pub(super) use inquiries::{
    balance as ask_balance, business as pay_business, events as inquiry_events, get as get_inquiry,
    inquire as ask_of_inquiry, list as list_inquiries, qr_code as create_qr_code,
    register as register_urls, register_pull, resolve as resolve_inquiry,
    reverse as reverse_payment, simulate as simulate_c2b, status as ask_status, tax as pay_tax,
};
pub(super) use inquiry_view::{Inquiry, InquiryDoubt, InquiryPage};
pub(super) use list::{
    CASE_PARAMETERS, EVENT_PARAMETERS, FEED_PARAMETERS, Kind, LIST_PARAMETERS, Parameter,
};
pub(super) use messages::get as get_message;
pub(super) use ops::{Readiness, health, link_notes, metrics, openapi, ready, reasons};
pub(super) use payment_view::{Payment, PaymentDoubt, PaymentFailure, PaymentPage, Verification};
#[cfg(test)]
pub(super) use payments::{CLAIM_FIELDS, PUSH_FIELDS};
pub(super) use payments::{
    claim as claim_payment, events as payment_events, get as get_payment, list as list_payments,
    push, query as query_payment, resolve as resolve_payment, verify,
};
pub(super) use payouts::{
    cancel, create, events, get, inquire, list as list_payouts, resolve, reverse as reverse_payout,
};
pub(super) use rails::{
    Link, LinkFailure, OldestUnknown, Pause, Rail, Rails, Refusal, all_recorded as recorded_rails,
    all_whole as all_rails, list as list_rails, not_paused, not_resumed, pause as pause_rail,
    rail_of, recorded as recorded_rail, resume as resume_rail, whole as whole_rail,
};
#[cfg(test)]
pub(super) use ruling::{CLOSING_FIELDS, PAUSE_FIELDS, RESOLUTION_FIELDS};
pub(super) use ruling::{REASON_LEN_MAX, RULING_LEN_MAX};
#[cfg(test)]
pub(super) use submit::FIELDS;
pub(crate) use submit::read as read_payout;

/// What the API works with.
#[derive(Clone)]
pub struct Api {
    /// Does what is asked for.
    pub engine: Arc<Engine>,
    /// Knows the keys.
    pub apps: Arc<Apps>,
    /// What a body may take.
    pub limits: BodyLimits,
    /// What else is worth knowing.
    pub notes: Arc<Notes>,
    /// The program is to stop: it is no longer ready.
    pub shutdown: CancellationToken,
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("apps", &self.apps)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// One request, once its caller is known and its body read.
pub(super) struct Ask {
    pub(super) api: Arc<Api>,
    pub(super) parts: Parts,
    /// What stands for `{id}` or `{rail}` in the path.
    pub(super) id: String,
    pub(super) body: Bytes,
    /// Whether whoever has no key is told how the gateway is doing.
    pub(super) open_metrics: bool,
}

/// An answer, or why there is none.
pub(super) type Answer = Result<Response, Problem>;
/// An answer to come.
pub(super) type Answering = Pin<Box<dyn Future<Output = Answer> + Send>>;
/// What anybody may ask.
pub(super) type OpenHandler = fn(Ask) -> Answering;
/// What a known caller may ask.
pub(super) type KeyedHandler = fn(Caller, Ask) -> Answering;

/// What the caller's application is called, for the record of what it did.
///
/// # Errors
/// The store could not be read.
async fn who(caller: Caller, ask: &Ask) -> Result<String, Problem> {
    let apps = ask.api.engine.store().apps().await?;
    let app = apps.into_iter().find(|app| app.id == caller.app);
    Ok(app.map_or_else(|| caller.app.to_string(), |app| app.name))
}

/// Who acts, and from where, for the record of administrative acts.
///
/// # Errors
/// The store could not be read.
async fn actor(caller: Caller, ask: &Ask) -> Result<Actor, Problem> {
    Ok(Actor::new(who(caller, ask).await?, place(caller, ask)))
}

/// From where a caller acts: its address, and by which application's key.
fn place(caller: Caller, ask: &Ask) -> String {
    format!("{} with a key of {}", place_of(&ask.parts.extensions), caller.app)
}

/// `value` as a JSON answer.
fn json<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    /// Most answers fit.
    const USUAL_BYTES: usize = 1_024;
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    serde_json::to_writer(&mut bytes, value).map_err(|error| {
        tracing::error!(%error, "an answer could not be written as JSON");
        Problem::new(
            Code::Internal,
            "The answer could not be written. What was asked for may have been done: look it up.",
        )
    })?;
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    Ok(response)
}
