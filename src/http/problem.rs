//! What a caller is told when something cannot be done: RFC 9457 problem details.
//!
//! `type` is `urn:mlango:problem:<code>`: a name, not an address. `detail` says what happened,
//! whether money can have moved, and what to do now. `errors` names every faulty field.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::id::AppId;
use crate::domain::payment::{Claim, RetryAt, TooSoon};
use crate::domain::payout::{Forbidden, Status};
use crate::domain::time::Timestamp;
use crate::engine::{CancelError, NotDone, SubmitError};
use crate::store::{Scope, StoreError};

/// What a problem's `type` begins with.
pub const TYPE_PREFIX: &str = "urn:mlango:problem:";
/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// Seconds after which a caller that was told "busy" may come again.
const RETRY_BUSY_S: u64 = 1;
/// Seconds after which a caller may ask again whether a failed store is back.
const RETRY_STORE_S: u64 = 30;

macro_rules! codes {
    ($(
        $(#[doc = $doc:literal])+ $name:ident = $text:literal, $status:ident, $title:literal;
    )*) => {
        /// Every kind of problem. The list is closed: a program may branch on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum Code {
            $( $(#[doc = $doc])+ $name, )*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$( Self::$name, )*];

            /// Its name in the answer.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$name => $text, )* }
            }

            /// The HTTP status that it comes with.
            pub const fn status(self) -> StatusCode {
                match self { $( Self::$name => StatusCode::$status, )* }
            }

            /// The same few words each time.
            pub const fn title(self) -> &'static str {
                match self { $( Self::$name => $title, )* }
            }

            /// What it means and what to do, for the API's own description.
            pub const fn meaning(self) -> &'static str {
                match self { $( Self::$name => concat!($( $doc ),+), )* }
            }
        }
    };
}

codes! {
    /// The body is not JSON. Nothing was done.
    InvalidJson = "invalid_json", BAD_REQUEST, "The body is not readable";
    /// Fields of the body are faulty; `errors` names each. Nothing was done.
    InvalidFields = "invalid_fields", UNPROCESSABLE_ENTITY, "Some fields are faulty";
    /// Query parameters are faulty or unknown; `errors` names each.
    InvalidQuery = "invalid_query", BAD_REQUEST, "Some query parameters are faulty";
    /// The header Idempotency-Key is missing. Nothing was done.
    IdempotencyKeyMissing = "idempotency_key_missing", BAD_REQUEST, "An Idempotency-Key is needed";
    /// The Idempotency-Key is empty, too long, given twice or not visible ASCII. Nothing was done.
    IdempotencyKeyInvalid = "idempotency_key_invalid", BAD_REQUEST, "The Idempotency-Key is not usable";
    /// The Idempotency-Key was used before, with another body. Nothing was done.
    IdempotencyKeyReused = "idempotency_key_reused", UNPROCESSABLE_ENTITY, "The Idempotency-Key was used before";
    /// No API key came with the request.
    KeyMissing = "key_missing", UNAUTHORIZED, "An API key is needed";
    /// The API key is unknown, revoked, or past its end.
    KeyInvalid = "key_invalid", UNAUTHORIZED, "The API key is not good";
    /// The API key lacks the scope that this needs.
    ScopeMissing = "scope_missing", FORBIDDEN, "The API key may not do this";
    /// Nothing is at this path.
    NoSuchPath = "no_such_path", NOT_FOUND, "Nothing is here";
    /// No such payout, or it is another application's.
    NoSuchPayout = "no_such_payout", NOT_FOUND, "No such payout";
    /// No such payment, or it is another application's.
    NoSuchPayment = "no_such_payment", NOT_FOUND, "No such payment";
    /// No such inquiry, or it is another application's.
    NoSuchInquiry = "no_such_inquiry", NOT_FOUND, "No such inquiry";
    /// No such wire message, or it belongs to another application's payout.
    NoSuchMessage = "no_such_message", NOT_FOUND, "No such message";
    /// No such case, or it is about another application's payout.
    NoSuchCase = "no_such_case", NOT_FOUND, "No such case";
    /// No such rail.
    NoSuchRail = "no_such_rail", NOT_FOUND, "No such rail";
    /// No such application.
    NoSuchApp = "no_such_app", NOT_FOUND, "No such application";
    /// The path is there, but not for this method; `Allow` lists those it has.
    MethodNotAllowed = "method_not_allowed", METHOD_NOT_ALLOWED, "Another method is needed";
    /// The body did not arrive in time. Nothing was done.
    BodyTimeout = "body_timeout", REQUEST_TIMEOUT, "The body did not arrive in time";
    /// The payout can no longer be cancelled.
    NotCancellable = "not_cancellable", CONFLICT, "The payout cannot be cancelled";
    /// The payout, payment or inquiry is not in doubt, so that there is nothing to ask M-Pesa or to
    /// rule on; `detail` says where it stands.
    NotInDoubt = "not_in_doubt", CONFLICT, "It is not in doubt";
    /// M-Pesa was asked about it a moment ago: look at it again in a few seconds.
    AskedJustNow = "asked_just_now", CONFLICT, "M-Pesa was asked a moment ago";
    /// The payout is too old for M-Pesa to find it by its id: a person has to look it up.
    TooOldToAsk = "too_old_to_ask", CONFLICT, "M-Pesa cannot be asked any more";
    /// The receipt that was given is that of another payout or payment. Nothing was changed.
    ReceiptTaken = "receipt_taken", CONFLICT, "The receipt is another's";
    /// What is asked for needs Daraja, or the rail that it names, which is not set up on this
    /// gateway. Nothing was done.
    NotSetUp = "not_set_up", CONFLICT, "The gateway is not set up for this";
    /// The phone cannot be prompted yet; `retry_at` says when. Nothing was done.
    TooSoon = "too_soon", CONFLICT, "The phone cannot be prompted yet";
    /// Somebody has claimed the payment: `claimed_by`, `claimed_at`, and `purpose` for who may see
    /// it.
    PaymentClaimed = "payment_claimed", CONFLICT, "The payment is claimed already";
    /// The payment is not paid, so that there is nothing to claim.
    PaymentNotPaid = "payment_not_paid", CONFLICT, "The payment is not paid";
    /// The money was given back before, or may be by a reversal that is under way. Nothing was
    /// done.
    AlreadyReversed = "already_reversed", CONFLICT, "The payment is reversed already";
    /// M-Pesa reverses no payout by its API: `detail` says what to do. Nothing was done.
    NotReversible = "not_reversible", CONFLICT, "It cannot be reversed here";
    /// The case was closed before; the first ruling stands.
    CaseClosed = "case_closed", CONFLICT, "The case is closed already";
    /// The application cannot be changed like this; `detail` says why.
    AppConflict = "app_conflict", CONFLICT, "The application cannot be changed like this";
    /// The body is longer than is taken. Nothing was done.
    BodyTooLarge = "body_too_large", PAYLOAD_TOO_LARGE, "The body is too large";
    /// The body is said to be something other than JSON. Nothing was done.
    UnsupportedMediaType = "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE, "The body must be JSON";
    /// Too many requests wait for the disk. Nothing was done; try again shortly.
    Busy = "busy", TOO_MANY_REQUESTS, "Too busy just now";
    /// Requests come too often, from this address or with this key, or too many keys were wrong.
    /// Nothing was done; `Retry-After` says when to try again.
    TooManyRequests = "too_many_requests", TOO_MANY_REQUESTS, "Requests come too often";
    /// A fault of the gateway's own.
    Internal = "internal", INTERNAL_SERVER_ERROR, "The gateway failed";
    /// The store takes nothing more until the gateway is restarted.
    StoreUnavailable = "store_unavailable", SERVICE_UNAVAILABLE, "The store has failed";
}

/// One faulty field or query parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldFault {
    /// Which: `amount`, or `metadata.branch`.
    pub field: String,
    /// What is wrong with it, to be read after its name.
    pub message: String,
}

impl FieldFault {
    /// A fault.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which kind.
    pub code: Code,
    /// What happened, whether money can have moved, what to do now.
    pub detail: String,
    /// Every faulty field.
    pub errors: Vec<FieldFault>,
    /// The scheme's words for `WWW-Authenticate`, on a 401.
    challenge: Option<&'static str>,
    /// What only some kinds have.
    more: Option<Box<More>>,
}

/// What only some kinds of problems have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct More {
    retry_at: Option<Timestamp>,
    /// The same as seconds from now.
    retry_after_s: Option<u64>,
    claimed_by: Option<AppId>,
    claimed_at: Option<Timestamp>,
    purpose: Option<String>,
}

/// A problem as it is answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub(super) struct ProblemBody<'a> {
    /// `urn:mlango:problem:<code>`.
    #[serde(rename = "type")]
    kind: String,
    /// The same few words for each code.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// What happened, whether money can have moved, and what to do now.
    detail: &'a str,
    /// Which kind of problem it is.
    code: Code,
    /// Every faulty field or query parameter.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    errors: &'a [FieldFault],
    /// When the same may be tried again; also as `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    retry_at: Option<String>,
    /// Which application has claimed the payment.
    #[serde(skip_serializing_if = "Option::is_none")]
    claimed_by: Option<String>,
    /// When it did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    claimed_at: Option<String>,
    /// What for; for who may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    purpose: Option<&'a str>,
}

impl Problem {
    /// A problem in words.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), errors: Vec::new(), challenge: None, more: None }
    }

    /// Faulty fields of a body.
    pub fn fields(errors: Vec<FieldFault>) -> Self {
        let detail = match errors.len() {
            1 => "One field is faulty. Nothing was done: correct it and send it again.".to_owned(),
            many => format!(
                "{many} fields are faulty. Nothing was done: correct them and send it again."
            ),
        };
        Self { errors, ..Self::new(Code::InvalidFields, detail) }
    }

    /// Faulty query parameters.
    pub fn query(errors: Vec<FieldFault>) -> Self {
        let detail = match errors.len() {
            1 => "One query parameter is faulty.".to_owned(),
            many => format!("{many} query parameters are faulty."),
        };
        Self { errors, ..Self::new(Code::InvalidQuery, detail) }
    }

    /// No key came.
    pub fn key_missing() -> Self {
        Self {
            challenge: Some("Bearer realm=\"mlango\""),
            ..Self::new(
                Code::KeyMissing,
                "Send an API key as \"X-API-Key: KEY\" or \"Authorization: Bearer KEY\". \
                 Nothing was done.",
            )
        }
    }

    /// The key that came opens nothing.
    pub fn key_invalid() -> Self {
        Self {
            challenge: Some("Bearer realm=\"mlango\", error=\"invalid_token\""),
            ..Self::new(
                Code::KeyInvalid,
                "The API key is unknown, revoked, or past its end. Nothing was done. The \
                 gateway's operator can make a new one with \"mlango apps\".",
            )
        }
    }

    /// The key opens other doors.
    pub fn scope_missing(scopes: &[Scope]) -> Self {
        let scopes: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
        Self::new(
            Code::ScopeMissing,
            format!(
                "This needs a key with the scope {}. Nothing was done. The gateway's operator \
                 decides which scopes an application has.",
                scopes.join(" or ")
            ),
        )
    }

    /// Nothing is there, for this caller.
    pub fn no_such_payout() -> Self {
        Self::new(
            Code::NoSuchPayout,
            "No payout of yours has this id. Look for it with GET /v1/payouts.",
        )
    }

    /// Nothing is there, for this caller.
    pub fn no_such_payment() -> Self {
        Self::new(
            Code::NoSuchPayment,
            "No payment that you may see has this id. Look for it with GET /v1/payments.",
        )
    }

    /// Nothing is there, for this caller.
    pub fn no_such_inquiry() -> Self {
        Self::new(
            Code::NoSuchInquiry,
            "No inquiry of yours has this id. Look for it with GET /v1/inquiries.",
        )
    }

    /// Nothing is there, for this caller.
    pub fn no_such_message() -> Self {
        Self::new(
            Code::NoSuchMessage,
            "No message that you may see has this id. The events of a payout, payment or inquiry \
             name its messages.",
        )
    }

    /// All that it says, for a person at a shell.
    pub fn says(&self) -> String {
        let faults = self.errors.iter();
        faults.fold(self.detail.clone(), |says, fault| {
            format!("{says}\n  {}: {}", fault.field, fault.message)
        })
    }

    /// It may be tried again after this long.
    pub(super) fn after(mut self, wait: Duration) -> Self {
        let more = self.more.take().map(|more| *more).unwrap_or_default();
        self.more = Some(Box::new(More { retry_after_s: Some(wait.as_secs()), ..more }));
        self
    }

    /// Too many writes wait.
    pub(super) fn busy() -> Self {
        Self::new(
            Code::Busy,
            "Too many requests wait for the disk. Nothing was done. Send the same request, with \
             the same Idempotency-Key if it has one, in a second.",
        )
    }

    /// The phone cannot be prompted yet.
    pub(super) fn too_soon(retry: RetryAt, now: Timestamp) -> Self {
        let why = match retry.why {
            TooSoon::Locked => "Another prompt to this phone is not answered yet",
            TooSoon::SamePayment => "This phone paid the same amount less than two minutes ago",
        };
        let detail = format!(
            "{why}: M-Pesa would refuse the prompt. Nothing was done; send it again at {} or later.",
            retry.at.rfc3339()
        );
        // A second more: the clock may stand within one.
        let wait = retry.at.since(now).as_secs().saturating_add(1);
        let more = More { retry_at: Some(retry.at), retry_after_s: Some(wait), ..More::default() };
        Self { more: Some(more.into()), ..Self::new(Code::TooSoon, detail) }
    }

    /// Somebody has the payment; what for, only for who may see that.
    pub(super) fn claimed(claim: &Claim, sees_purpose: bool) -> Self {
        let more = More {
            claimed_by: Some(claim.app),
            claimed_at: Some(claim.at),
            purpose: sees_purpose.then(|| claim.purpose.clone()),
            ..More::default()
        };
        let detail = format!(
            "{} claimed it at {}, and only one claim counts: do not deliver for it again.",
            claim.app,
            claim.at.rfc3339()
        );
        Self { more: Some(more.into()), ..Self::new(Code::PaymentClaimed, detail) }
    }

    /// Daraja is not there.
    pub(super) fn not_set_up() -> Self {
        Self::new(
            Code::NotSetUp,
            "This gateway has no way to ask M-Pesa for this, so nothing was done. Its operator sets \
             it up in the section [daraja] of the configuration; balances, statuses, reversals and \
             the registration of addresses go over [broker], too.",
        )
    }

    pub(super) fn store_failed() -> Self {
        Self::new(
            Code::StoreUnavailable,
            "The store failed, and nothing more is taken or sent until the gateway is restarted. \
             It cannot be said whether this request was kept. Send the same request with the same \
             Idempotency-Key later: it is done once at most, however often it is sent.",
        )
    }

    /// The store failed while it was to keep what a person did.
    pub(super) fn store_failed_on_an_act() -> Self {
        Self::new(
            Code::StoreUnavailable,
            "The store failed, and nothing more is taken or sent until the gateway is restarted. \
             It cannot be said whether this was kept: look again after that.",
        )
    }

    /// Its body as it is answered.
    pub(super) fn body(&self) -> ProblemBody<'_> {
        let more = self.more.as_deref();
        ProblemBody {
            kind: format!("{TYPE_PREFIX}{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: &self.detail,
            code: self.code,
            errors: &self.errors,
            retry_at: more.and_then(|more| more.retry_at).map(Timestamp::rfc3339),
            claimed_by: more.and_then(|more| more.claimed_by).map(|app| app.to_string()),
            claimed_at: more.and_then(|more| more.claimed_at).map(Timestamp::rfc3339),
            purpose: more.and_then(|more| more.purpose.as_deref()),
        }
    }

    /// The answer.
    pub fn into_response(self) -> Response {
        let bytes = serde_json::to_vec(&self.body()).unwrap_or_default();
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        let again = match self.code.status() {
            StatusCode::TOO_MANY_REQUESTS => {
                let said = self.more.as_ref().and_then(|more| more.retry_after_s);
                said.or(Some(RETRY_BUSY_S))
            }
            StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_STORE_S),
            _ => self.more.as_ref().and_then(|more| more.retry_after_s),
        };
        if let Some(seconds) = again {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        match error {
            SubmitError::KeyReused => Self::new(
                Code::IdempotencyKeyReused,
                "This Idempotency-Key was used before with another body, so no payout was made. \
                 Send the first body byte for byte to see its payout again, or use a new key for \
                 a new payout.",
            ),
            SubmitError::NoSuchRail(rail) => {
                let says = format!("{rail} is not set up on this gateway");
                Self::fields(vec![FieldFault::new("rail", says)])
            }
            SubmitError::Busy => Self::busy(),
            SubmitError::Unavailable(reason) => {
                tracing::error!(%reason, "a payout could not be kept");
                Self::store_failed()
            }
        }
    }
}

impl From<CancelError> for Problem {
    fn from(error: CancelError) -> Self {
        match error {
            CancelError::NotFound => Self::no_such_payout(),
            CancelError::Refused(why, status) => Self::new(
                Code::NotCancellable,
                format!("It stands at {status}: {why}. {}", what_now(status)),
            ),
            CancelError::Busy => Self::busy(),
            CancelError::Unavailable(reason) => {
                tracing::error!(%reason, "a payout could not be cancelled");
                Self::store_failed()
            }
        }
    }
}

impl From<NotDone> for Problem {
    fn from(error: NotDone) -> Self {
        match error {
            NotDone::NoSuchPayout => Self::no_such_payout(),
            NotDone::NoSuchRail(rail) => Self::new(
                Code::NoSuchRail,
                format!("The rail {rail} is not set up. GET /v1/rails lists those that are."),
            ),
            NotDone::Refused(why, status) => {
                let (code, now) = match why {
                    Forbidden::AskedJustNow => (
                        Code::AskedJustNow,
                        "Look at the payout in a few seconds; ask again if it is still unknown.",
                    ),
                    Forbidden::TooOldToAsk => (
                        Code::TooOldToAsk,
                        "Look it up in M-Pesa's statement, then rule on it with POST \
                         /v1/payouts/{id}/resolve.",
                    ),
                    Forbidden::NotInDoubt
                    | Forbidden::NotAwaitingApproval
                    | Forbidden::SendingHasBegun
                    | Forbidden::AlreadyFinal
                    | Forbidden::NotQueued
                    | Forbidden::NotDue => (Code::NotInDoubt, what_now(status)),
                };
                Self::new(code, format!("It stands at {status}: {why}. {now} Nothing was changed."))
            }
            NotDone::ReceiptTaken(other) => Self::new(
                Code::ReceiptTaken,
                format!(
                    "M-Pesa gives each receipt once, and this one paid {other}. Nothing was \
                     changed: look again which payment the receipt is of."
                ),
            ),
            NotDone::Busy => Self::busy(),
            NotDone::Unavailable(reason) => {
                tracing::error!(%reason, "what a person did could not be kept");
                Self::store_failed_on_an_act()
            }
        }
    }
}

/// What somebody can do who wanted to cancel, to ask or to rule.
const fn what_now(status: Status) -> &'static str {
    match status {
        Status::Sending | Status::Accepted | Status::Unknown => {
            "Money may have moved or may still move: wait for its outcome before paying again."
        }
        Status::Succeeded => "The money has been paid.",
        Status::Failed => "No money has moved, and none will.",
        Status::Cancelled => "It is cancelled already, and no money has moved.",
        Status::AwaitingApproval | Status::Queued => "Nothing has been sent.",
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "something could not be read");
        match error {
            StoreError::Damaged(_) => Self::new(
                Code::Internal,
                "What was asked for is stored, but its record is damaged and is not shown. \
                 The gateway's operator should run \"mlango verify\".",
            ),
            StoreError::InUse(_) | StoreError::OtherVersion(_) | StoreError::Failed(_) => {
                Self::new(
                    Code::StoreUnavailable,
                    "The store could not be read. Nothing was changed; try again shortly.",
                )
            }
        }
    }
}
