//! A payment as the API shows it (contract, part 2).

use serde::Serialize;
use utoipa::ToSchema;

use super::view::{shown, shown_or_null};
use crate::domain::id::{AppId, PaymentId};
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::domain::payment::{self, Origin, PayerPhone, State};
use crate::domain::time::Timestamp;

/// Money in, as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Payment<'a> {
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, example = "pay_01hn4y7z2c8e0vq3m5x7r9t1wb")]
    id: PaymentId,
    /// `stk`: the payer was prompted; `c2b`: he paid without.
    #[serde(rename = "type")]
    #[schema(example = "stk")]
    kind: &'static str,
    /// `pending`, `unknown`, `succeeded` or `failed`.
    #[schema(example = "succeeded")]
    status: &'static str,
    /// Kenyan shillings with two places.
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, example = "10.00")]
    amount: Amount,
    #[schema(example = "KES")]
    currency: &'static str,
    /// The payer's; null where M-Pesa does not show all of it.
    #[schema(required, example = "254722000111")]
    phone: Option<String>,
    /// What it is for: the prompt's reference, or the expected reference that it fits, or else the
    /// account.
    reference: &'a str,
    /// The account: what the payer typed, or the prompt's reference.
    account: &'a str,
    /// Our number that it is paid to.
    #[schema(example = "174379")]
    shortcode: &'a str,
    /// M-Pesa's receipt. A payment of which M-Pesa, asked, said only that it is paid has none until
    /// its confirmation comes.
    #[schema(required, example = "QK12ABCD34")]
    receipt: Option<&'a str>,
    /// Who paid, as far as M-Pesa says.
    #[schema(required)]
    payer_name: Option<&'a str>,
    #[schema(required)]
    merchant_request_id: Option<&'a str>,
    #[schema(required)]
    checkout_request_id: Option<&'a str>,
    /// Whether an application claimed it: whoever did delivers for it.
    claimed: bool,
    /// Which application.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, required)]
    claimed_by: Option<AppId>,
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    claimed_at: Option<Timestamp>,
    /// Why it failed; set when `failed`.
    #[schema(required)]
    failure: Option<PaymentFailure<'a>>,
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    paid_at: Option<Timestamp>,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// The payer's phone as M-Pesa shows it in a C2B notice: whole, masked or hashed.
    #[schema(required, example = "2547*****111")]
    payer_phone_shown: Option<String>,
    /// What is in doubt; set when `unknown`.
    #[schema(required)]
    doubt: Option<PaymentDoubt>,
}

/// Why a payment failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentFailure<'a> {
    /// Which message said so: `request`, `result` or `inquiry`.
    #[schema(example = "result")]
    stage: &'static str,
    /// M-Pesa's code, verbatim, or `not_sent`, or `ruled`.
    #[schema(example = "1032")]
    code: &'a str,
    description: &'a str,
    /// Whether a new prompt with the same details makes sense.
    retryable: bool,
    /// Before when it makes none.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    retry_at: Option<Timestamp>,
}

/// Why it is not known whether a payment was made, and what is done about it.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentDoubt {
    /// In words.
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, example = "bytes left and no answer came")]
    why: payment::Doubt,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// When M-Pesa is asked next, or a person called; null when neither is to come.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    next_query_at: Option<Timestamp>,
    /// How often M-Pesa was asked.
    queries: u32,
}

impl<'a> From<&'a payment::Payment> for Payment<'a> {
    fn from(payment: &'a payment::Payment) -> Self {
        let details = &payment.details;
        let state = &payment.state;
        let prompt = state.prompt();
        let claim = state.claim();
        let name = state.paid().and_then(|paid| paid.payer_name.as_ref());
        Self {
            id: details.id,
            kind: payment.kind().as_str(),
            status: payment.status().as_str(),
            amount: details.amount,
            currency: "KES",
            phone: payment.phone().map(Msisdn::reveal),
            reference: &details.reference,
            account: &details.account,
            shortcode: &details.shortcode,
            receipt: payment.receipt().map(|receipt| receipt.as_str()),
            payer_name: name.map(|name| name.reveal()),
            merchant_request_id: prompt
                .and_then(|prompt| prompt.merchant.as_ref())
                .map(|id| id.as_str()),
            checkout_request_id: payment.checkout().map(|id| id.as_str()),
            claimed: claim.is_some(),
            claimed_by: claim.map(|claim| claim.app),
            claimed_at: claim.map(|claim| claim.at),
            failure: state.failure().map(PaymentFailure::from),
            paid_at: payment.paid_at(),
            created_at: details.created_at,
            updated_at: payment.updated_at,
            payer_phone_shown: phone_shown(&details.origin),
            doubt: doubt_of(state),
        }
    }
}

impl<'a> From<&'a payment::Failure> for PaymentFailure<'a> {
    fn from(failure: &'a payment::Failure) -> Self {
        Self {
            stage: failure.stage.as_str(),
            code: &failure.code,
            description: &failure.description,
            retryable: failure.retryable,
            retry_at: failure.retry_at,
        }
    }
}

fn phone_shown(origin: &Origin) -> Option<String> {
    let Origin::C2b { phone, .. } = origin else {
        return None;
    };
    match phone {
        PayerPhone::Whole(phone) => Some(phone.reveal()),
        PayerPhone::Masked(masked) => Some(masked.clone()),
        PayerPhone::Hashed(hash) => Some(hash.iter().map(|byte| format!("{byte:02x}")).collect()),
        PayerPhone::None => None,
    }
}

fn doubt_of(state: &State) -> Option<PaymentDoubt> {
    let State::Unknown { why, since, asking, .. } = state else {
        return None;
    };
    Some(PaymentDoubt {
        why: why.clone(),
        since: *since,
        next_query_at: asking.ask_at,
        queries: asking.asked,
    })
}

/// A page of payments.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentPage<'a> {
    /// May hold fewer than asked for, and still have a next page.
    pub(super) data: Vec<Payment<'a>>,
    /// Where the next page begins: give it back as `cursor`. Null on the last page.
    #[schema(required)]
    pub(super) next_cursor: Option<String>,
}

/// Whether something was paid.
#[derive(Debug, Serialize, ToSchema)]
pub struct Verification<'a> {
    /// Whether the payment is `succeeded`.
    pub(super) paid: bool,
    /// The payment; of several with one reference the newest that is paid, else the newest.
    #[schema(required)]
    pub(super) payment: Option<Payment<'a>>,
}
