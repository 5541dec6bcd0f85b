//! `TransactionStatusQuery`: what the core answers to the question what became of a payment
//! (spec/soap.md §3.3, §5.4). Pure.
//!
//! Two levels, which the gateway must keep apart: the `ResultCode` is about the question, and only
//! `TransactionStatus` is about the payment.

use std::time::Duration;

use super::book::{Book, By, Fate, Record};
use super::report::{Subject, public_name};
use super::script::Code;
use crate::domain::party::ShortCode;
use crate::domain::time::Timestamp;

/// How long a payment is found by a conversation id; its receipt is found for ever
/// (spec/soap.md §3.3).
pub const BY_CONVERSATION_MAX: Duration = Duration::from_secs(15 * 24 * 60 * 60);
/// What a question about no known conversation ends in (spec/soap.md §5.3).
pub const NO_TRANSACTION: &str = "49";
/// What a question about no known receipt ends in (spec/soap.md §5.2).
pub const NO_RECEIPT: &str = "2033";
/// Whose account is debited, in words.
const PAYER: &str = "Example Organisation";

/// What the core found. It stands as it was when the core looked, however late it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The payment.
    Record(Box<Record>),
    /// The question fails with this `ResultCode`.
    Code(Code),
}

/// Looks a payment up, as the core does at `now`.
pub fn look_up(book: &Book, by: &By, now: Timestamp) -> Found {
    let missing = match by {
        By::Receipt(_) => NO_RECEIPT,
        By::OriginatorConversationId(_) | By::ConversationId(_) => NO_TRANSACTION,
    };
    let is_kept = |record: &Record| {
        matches!(by, By::Receipt(_)) || now.since(record.at) <= BY_CONVERSATION_MAX
    };
    book.look_up(by)
        .filter(is_kept)
        .map_or(Found::Code(Code::Borrowed(missing)), |record| Found::Record(Box::new(record)))
}

/// The result of a question. It carries no `TransactionID`: nothing was paid by asking.
pub fn render(subject: &Subject<'_>, payer: &ShortCode, found: &Found) -> Vec<u8> {
    let record = match found {
        Found::Code(code) => return subject.report(code, None, Vec::new()).render(),
        Found::Record(record) => record,
    };
    let (receipt, status) = match &record.fate {
        Fate::Paid(entry) => (entry.receipt.as_str(), "Completed"),
        Fate::NotPaid(_) | Fate::Asked => ("", "Declined"),
    };
    let amount = record.payment.map_or_else(String::new, |payment| payment.amount.to_string());
    let debit_party = format!("{payer} - {PAYER}");
    let credit_party =
        record.payment.map_or_else(String::new, |payment| public_name(payment.phone));
    let kind = record.payment.map_or("", |payment| payment.command.as_str());
    let reason = if kind.is_empty() { String::new() } else { format!("{kind} via API") };
    let at = record.at.east_africa_stamp();
    let parameters = vec![
        ("ReceiptNo", receipt),
        ("TransactionStatus", status),
        ("Amount", &amount),
        ("DebitPartyName", &debit_party),
        ("CreditPartyName", &credit_party),
        ("OriginatorConversationID", &record.originator_conversation_id),
        ("ConversationID", &record.conversation_id),
        ("InitiatedTime", &at),
        ("FinalisedTime", &at),
        ("TransactionType", kind),
        ("ReasonType", &reason),
        ("TransactionReason", ""),
        ("DebitAccountType", "Utility Account"),
        ("DebitPartyCharges", ""),
        ("CreditPartyCharges", ""),
    ];
    subject.report("0", None, parameters).render()
}
