//! Query parameters of the lists of payments and inquiries.

use axum::http::Uri;

use super::cursor::{InquiryCursor, NOT_A_CURSOR, PaymentCursor};
use super::list::{CURSOR, Given, Kind, LIMIT, Parameter, parameter};
use super::{FieldFault, Problem};
use crate::domain::id::{CheckoutRequestId, InquiryId, PaymentId, Receipt};
use crate::domain::limit::REFERENCE_LEN_MAX;
use crate::store::{InquiryQuery, PaymentQuery};

/// The parameters of `GET /v1/payments`.
pub(in crate::http) const PAYMENT_PARAMETERS: &[Parameter] = &[
    parameter("type", Kind::PaymentType, "Only those that came about like this."),
    parameter("status", Kind::PaymentStatus, "Only those that stand there."),
    parameter(
        "reference",
        Kind::Text(REFERENCE_LEN_MAX),
        "Only those with exactly this reference.",
    ),
    parameter("account", Kind::Text(REFERENCE_LEN_MAX), "Only those to exactly this account."),
    parameter("phone", Kind::Phone, "Only those from this phone, where M-Pesa shows it whole."),
    parameter("receipt", Kind::Text(64), "Only the one with this M-Pesa receipt."),
    parameter("claimed", Kind::YesOrNo, "Only those that are claimed, or only those that are not."),
    parameter("paid_from", Kind::Time, "Only those paid at or after this time (RFC 3339)."),
    parameter("paid_to", Kind::Time, "Only those paid before this time (RFC 3339)."),
    LIMIT,
    CURSOR,
    parameter("order", Kind::Order, "asc: oldest first; desc, the default: newest first."),
];

/// The parameters of `GET /v1/payments/verify`.
pub(in crate::http) const VERIFY_PARAMETERS: &[Parameter] = &[
    parameter(
        "receipt",
        Kind::Text(64),
        "M-Pesa's receipt. Exactly one of the three must be given.",
    ),
    parameter("reference", Kind::Text(REFERENCE_LEN_MAX), "The payment's reference."),
    parameter("checkout_request_id", Kind::Text(64), "M-Pesa's id of the prompt."),
];

/// The parameters of `GET /v1/inquiries`.
pub(in crate::http) const INQUIRY_PARAMETERS: &[Parameter] = &[
    parameter("status", Kind::InquiryStatus, "Only those that stand there."),
    LIMIT,
    CURSOR,
    parameter("order", Kind::Order, "asc: oldest first; desc, the default: newest first."),
];

/// A text that may be a reference or an account.
fn line(text: &str) -> Result<String, &'static str> {
    let fits = text.chars().count() <= REFERENCE_LEN_MAX;
    fits.then(|| text.to_owned()).ok_or("is longer than any")
}

fn receipt(text: &str) -> Result<Receipt, &'static str> {
    Receipt::new(text).ok_or("is not an M-Pesa receipt")
}

/// Reads the query of `GET /v1/payments`. Whose payments it lists is for the caller to set.
///
/// # Errors
/// Parameters are unknown, given twice or faulty: all of them are named.
pub(super) fn payments(uri: &Uri) -> Result<PaymentQuery, Problem> {
    let mut given = Given::read(uri, PAYMENT_PARAMETERS)?;
    let cursor = given.read_as("cursor", |text| PaymentCursor::read(text).ok_or(NOT_A_CURSOR));
    let query = PaymentQuery {
        kind: given.parse("type"),
        status: given.parse("status"),
        reference: given.read_as("reference", line),
        account: given.read_as("account", line),
        phone: given.parse("phone"),
        receipt: given.read_as("receipt", receipt),
        claimed: given.read_as("claimed", |text| match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err("must be true or false"),
        }),
        paid_from: given.time("paid_from"),
        paid_to: given.time("paid_to"),
        after: cursor.map(|cursor| cursor.after),
        descending: given.descending(true, cursor.map(|cursor| cursor.descending)),
        limit: given.limit(),
        ..PaymentQuery::default()
    };
    given.done(query)
}

/// The next page's cursor for payments.
pub(super) fn next_payment(query: &PaymentQuery, after: Option<PaymentId>) -> Option<String> {
    let descending = query.descending;
    after.map(|after| PaymentCursor { descending, after }.write())
}

/// Which payment is to be verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Receipt(Receipt),
    Reference(String),
    Checkout(CheckoutRequestId),
}

/// Reads the query of `GET /v1/payments/verify`.
///
/// # Errors
/// As [`payments`]; also when it names none, or several.
pub(super) fn wanted(uri: &Uri) -> Result<Wanted, Problem> {
    let mut given = Given::read(uri, VERIFY_PARAMETERS)?;
    let named = [
        given.read_as("receipt", receipt).map(Wanted::Receipt),
        given.read_as("reference", line).map(Wanted::Reference),
        given
            .read_as("checkout_request_id", |text| {
                CheckoutRequestId::new(text).ok_or("is not a CheckoutRequestID")
            })
            .map(Wanted::Checkout),
    ];
    let mut named = named.into_iter().flatten();
    let first = named.next();
    if (first.is_none() && given.faults.is_empty()) || named.next().is_some() {
        let message = "exactly one of receipt, reference and checkout_request_id must be given";
        given.faults.push(FieldFault::new("query", message));
    }
    let wanted = first.unwrap_or_else(|| Wanted::Reference(String::new()));
    given.done(wanted)
}

/// Reads the query of `GET /v1/inquiries`. Whose inquiries it lists is for the caller to set.
///
/// # Errors
/// As [`payments`].
pub(super) fn inquiries(uri: &Uri) -> Result<InquiryQuery, Problem> {
    let mut given = Given::read(uri, INQUIRY_PARAMETERS)?;
    let cursor = given.read_as("cursor", |text| InquiryCursor::read(text).ok_or(NOT_A_CURSOR));
    let query = InquiryQuery {
        app: None,
        status: given.parse("status"),
        after: cursor.map(|cursor| cursor.after),
        descending: given.descending(true, cursor.map(|cursor| cursor.descending)),
        limit: given.limit(),
    };
    given.done(query)
}

/// The next page's cursor for inquiries.
pub(super) fn next_inquiry(query: &InquiryQuery, after: Option<InquiryId>) -> Option<String> {
    let descending = query.descending;
    after.map(|after| InquiryCursor { descending, after }.write())
}
