//! An inquiry as the API shows it: what was asked of M-Pesa, and what it answered.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::view::{Failure, shown, shown_or_null};
use crate::domain::account::{AccountBalance, Balance};
use crate::domain::id::InquiryId;
use crate::domain::inquiry::{
    self, Answer, Balances, BusinessPayment, Kind, Moved, QrCode, RegisterPull, RegisterUrls,
    Reversal, SimulateC2b, State, Tax, TransactionStatus,
};
use crate::domain::party::Msisdn;
use crate::domain::payout::InquiryFacts;
use crate::domain::time::Timestamp;

/// Where a QR code's picture stands in the answer.
const PICTURE: &str = "png_base64";

/// Something asked of M-Pesa, as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct Inquiry<'a> {
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, example = "inq_01hn4y7z2c8e0vq3m5x7r9t1wb")]
    id: InquiryId,
    /// `balance`, `transaction_status`, `reversal`, `register_urls`, `simulate_c2b`,
    /// `business_payment`, `tax`, `qr_code` or `register_pull`.
    #[serde(rename = "type")]
    #[schema(example = "balance")]
    kind: &'static str,
    /// `queued`, `sending`, `accepted`, `unknown`, `succeeded` or `failed`.
    #[schema(example = "succeeded")]
    status: &'static str,
    #[schema(example = "daraja")]
    rail: &'static str,
    /// Our number that it is about.
    #[schema(example = "600999")]
    shortcode: &'a str,
    /// What was asked for.
    #[schema(value_type = Object)]
    request: Value,
    /// What M-Pesa answered; set when `succeeded`. Of a QR code `png_base64`, which lists leave
    /// out.
    #[schema(value_type = Option<Object>, required)]
    answer: Option<Value>,
    /// M-Pesa's name for it.
    #[schema(required)]
    conversation_id: Option<&'a str>,
    #[schema(required)]
    originator_conversation_id: Option<&'a str>,
    /// Why it failed; set when `failed`.
    #[schema(required)]
    failure: Option<Failure<'a>>,
    /// What is in doubt; set when `unknown`.
    #[schema(required)]
    doubt: Option<InquiryDoubt>,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// When it became final.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    completed_at: Option<Timestamp>,
}

/// Why it is not known whether an inquiry moved money.
#[derive(Debug, Serialize, ToSchema)]
pub struct InquiryDoubt {
    /// In words.
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, example = "the result did not come in time")]
    why: inquiry::Doubt,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// When M-Pesa is asked next, or a person called; null when neither is to come.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    next_question_at: Option<Timestamp>,
    /// How often M-Pesa was asked.
    questions: u32,
}

/// A page of inquiries.
#[derive(Debug, Serialize, ToSchema)]
pub struct InquiryPage<'a> {
    /// May hold fewer than asked for, and still have a next page.
    pub(super) data: Vec<Inquiry<'a>>,
    /// Where the next page begins: give it back as `cursor`. Null on the last page.
    #[schema(required)]
    pub(super) next_cursor: Option<String>,
}

impl<'a> From<&'a inquiry::Inquiry> for Inquiry<'a> {
    fn from(inquiry: &'a inquiry::Inquiry) -> Self {
        let details = &inquiry.details;
        let state = &inquiry.state;
        let names = state.names();
        Self {
            id: details.id,
            kind: details.kind.as_str(),
            status: inquiry.status().as_str(),
            rail: details.rail.as_str(),
            shortcode: details.shortcode.as_str(),
            request: request(&details.kind),
            answer: answer_of(state),
            conversation_id: names
                .and_then(|names| names.conversation.as_ref())
                .map(|name| name.as_str()),
            originator_conversation_id: names
                .and_then(|names| names.originator.as_ref())
                .map(|name| name.as_str()),
            failure: failure_of(state),
            doubt: doubt_of(state),
            created_at: details.created_at,
            updated_at: inquiry.updated_at,
            completed_at: state.completed_at(),
        }
    }
}

impl<'a> Inquiry<'a> {
    /// As it stands in a list: without the picture, of which a page could hold hundreds.
    pub(super) fn listed(inquiry: &'a inquiry::Inquiry) -> Self {
        let mut shown = Self::from(inquiry);
        if let Some(Value::Object(answer)) = &mut shown.answer {
            answer.remove(PICTURE);
        }
        shown
    }
}

fn answer_of(state: &State) -> Option<Value> {
    let State::Succeeded { answer, .. } = state else {
        return None;
    };
    Some(answer_in(answer))
}

fn failure_of(state: &State) -> Option<Failure<'_>> {
    let State::Failed { failure, .. } = state else {
        return None;
    };
    let inquiry::Failure { stage, code, description, retryable } = failure;
    Some(Failure::new(stage.as_str(), code, description, *retryable))
}

fn doubt_of(state: &State) -> Option<InquiryDoubt> {
    let State::Unknown { why, since, asking, .. } = state else {
        return None;
    };
    Some(InquiryDoubt {
        why: why.clone(),
        since: *since,
        next_question_at: asking.ask_at,
        questions: asking.asked,
    })
}

/// What was asked for, in the words of its request.
fn request(kind: &Kind) -> Value {
    match kind {
        Kind::Balance => json!({}),
        Kind::TransactionStatus(TransactionStatus::Receipt(receipt)) => {
            json!({"receipt": receipt.as_str()})
        }
        Kind::TransactionStatus(TransactionStatus::Conversation(name)) => {
            json!({"originator_conversation_id": name.as_str()})
        }
        Kind::Reversal(Reversal { receipt, amount, payment, payout, remarks, occasion }) => json!({
            "receipt": receipt.as_str(),
            "amount": amount.to_string(),
            "payment_id": payment.map(|id| id.to_string()),
            "payout_id": payout.map(|id| id.to_string()),
            "remarks": remarks,
            "occasion": occasion,
        }),
        Kind::RegisterUrls(RegisterUrls { response_type, version }) => json!({
            "response_type": response_type.as_str(),
            "version": version.as_str(),
        }),
        Kind::SimulateC2b(SimulateC2b { to, amount, phone, account, version }) => json!({
            "command": to.command(),
            "amount": amount.to_string(),
            "phone": phone.reveal(),
            "account": account,
            "version": version.as_str(),
        }),
        Kind::BusinessPayment(payment) => business(payment),
        Kind::Tax(Tax { prn, amount, remarks }) => {
            json!({"prn": prn, "amount": amount.to_string(), "remarks": remarks})
        }
        Kind::QrCode(QrCode { merchant, reference, amount, kind, receiver, size }) => json!({
            "merchant_name": merchant,
            "reference": reference,
            "amount": amount.to_string(),
            "kind": kind.as_str(),
            "receiver": receiver.reveal(),
            "size": size,
        }),
        Kind::RegisterPull(RegisterPull { phone }) => json!({"nominated_number": phone.reveal()}),
    }
}

fn business(payment: &BusinessPayment) -> Value {
    let BusinessPayment { command, to, amount, account, requester, remarks, occasion } = payment;
    json!({
        "command": command.as_str(),
        "to": to.as_str(),
        "amount": amount.to_string(),
        "account": account,
        "requester": requester.map(Msisdn::reveal),
        "remarks": remarks,
        "occasion": occasion,
    })
}

fn answer_in(answer: &Answer) -> Value {
    match answer {
        Answer::Balances(Balances { accounts, at }) => {
            let accounts: Vec<Value> = accounts.iter().map(account).collect();
            json!({"accounts": accounts, "at": at.map(Timestamp::rfc3339)})
        }
        Answer::Status(facts) => status(facts),
        Answer::Reversed(moved) | Answer::Paid(moved) => {
            let Moved { receipt, amount, charge, completed_at } = moved;
            json!({
                "receipt": receipt.as_str(),
                "amount": amount.map(|amount| amount.to_string()),
                "charge": charge.map(|charge| charge.to_string()),
                "completed_at": completed_at.map(Timestamp::rfc3339),
            })
        }
        Answer::Registered => json!({"registered": true}),
        Answer::Simulated => json!({"taken": true}),
        Answer::Pictured(picture) => json!({PICTURE: picture.as_base64()}),
    }
}

fn account(account: &AccountBalance) -> Value {
    let AccountBalance { name, currency, current, available, reserved, uncleared } = account;
    let shown = |balance: &Option<Balance>| balance.map(|balance| balance.to_string());
    json!({
        "name": name,
        "currency": currency,
        "current": shown(current),
        "available": shown(available),
        "reserved": shown(reserved),
        "uncleared": shown(uncleared),
    })
}

/// How the transaction stands. It is about the transaction and not about the query (law 6).
fn status(facts: &InquiryFacts) -> Value {
    json!({
        "transaction_status": facts.status.word(),
        "receipt": facts.receipt.as_ref().map(|receipt| receipt.as_str()),
        "amount": facts.amount.map(|amount| amount.to_string()),
        "phone": facts.payee.map(Msisdn::reveal),
        "name": facts.recipient_name.as_ref().map(|name| name.reveal()),
        "originator_conversation_id": facts.originator,
        "conversation_id": facts.conversation.as_ref().map(|name| name.as_str()),
        "completed_at": facts.completed_at.map(Timestamp::rfc3339),
    })
}
