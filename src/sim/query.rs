//! `TransactionStatusQuery`: what the core answers to the question what became of a payment
//! (spec/soap.md §3.3, §5.4). Pure.
//!
//! Two levels, which the gateway must keep apart: the `ResultCode` is about the question, and only
//! `TransactionStatus` is about the payment.

use std::time::Duration;

use super::book::{Book, By, Fate, Movement, Record};
use super::report::{Subject, public_name};
use super::script::Code;
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, ShortCode};
use crate::domain::time::Timestamp;

/// How long a payment is found by a conversation id; its receipt is found for ever
/// (spec/soap.md §3.3).
pub const BY_CONVERSATION_MAX: Duration = Duration::from_secs(15 * 24 * 60 * 60);
/// What a question about no known conversation ends in (spec/soap.md §5.3).
pub const NO_TRANSACTION: &str = "49";
/// What a question about no known receipt ends in (spec/soap.md §5.2).
pub const NO_RECEIPT: &str = "2033";
/// The organisation, in words.
const PAYER: &str = "Example Organisation";
/// Any other organisation.
const OTHER: &str = "Demo Business";

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

/// What is said of a payment, in whatever form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The receipt; empty where nothing moved.
    pub receipt: String,
    /// `TransactionStatus`.
    pub status: &'static str,
    /// How much; empty where that could not be read.
    pub amount: String,
    /// Whose money it was.
    pub debit_party: String,
    /// Whose it became.
    pub credit_party: String,
    /// By which command.
    pub command: &'static str,
    /// From which of his accounts.
    pub debit_account: &'static str,
}

impl Facts {
    /// What there is to say of a record; `payer` is the organisation whose payouts they are.
    pub fn of(record: &Record, payer: &ShortCode) -> Self {
        let (receipt, status, phone) = match &record.fate {
            Fate::Paid(entry) => (entry.receipt.clone(), "Completed", Some(entry.phone)),
            Fate::Moved(moved) => (moved.receipt.clone(), "Completed", moved.phone),
            Fate::NotPaid(_) | Fate::Asked => (String::new(), "Declined", None),
        };
        let phone_name = |phone: Option<Msisdn>| phone.map(public_name).unwrap_or_default();
        let (debit_party, credit_party) = match &record.movement {
            None => (organisation(payer), String::new()),
            Some(Movement::Payout(payment)) => (organisation(payer), public_name(payment.phone)),
            Some(Movement::Deposit(deposit)) => {
                (public_name(deposit.phone), organisation(&deposit.shortcode))
            }
            Some(Movement::Business(business)) => {
                (organisation(&business.from), format!("{} - {OTHER}", business.to))
            }
            Some(Movement::Reversal(reversal)) => {
                (organisation(&reversal.shortcode), phone_name(phone))
            }
        };
        let movement = record.movement.as_ref();
        Self {
            receipt,
            status,
            amount: movement.map_or_else(String::new, |what| what.amount().to_string()),
            debit_party,
            credit_party,
            command: movement.map_or("", Movement::command),
            debit_account: match movement {
                None | Some(Movement::Payout(_)) => "Utility Account",
                Some(Movement::Deposit(_)) => "MMF Account For Customer",
                Some(Movement::Business(_) | Movement::Reversal(_)) => "Working Account",
            },
        }
    }

    /// `ReasonType`.
    pub fn reason(&self) -> String {
        if self.command.is_empty() { String::new() } else { format!("{} via API", self.command) }
    }
}

/// `<short code> - <name>`: all of ours have one name.
pub fn organisation(shortcode: &ShortCode) -> String {
    format!("{shortcode} - {PAYER}")
}

/// The accounts, as a balance result has them:
/// `<alias>|<currency>|<current>|<available>|<reserved>|<uncleared>`, joined by `&`
/// (spec/soap.md §5.4; spec/daraja.md §2.3).
pub fn accounts(working: Amount, utility: Amount) -> String {
    [
        account("Working Account", working),
        account("Float Account", Amount::ZERO),
        account("Utility Account", utility),
        account("Charges Paid Account", Amount::ZERO),
        account("Organization Settlement Account", Amount::ZERO),
    ]
    .join("&")
}

/// What a working account holds, in the same form.
pub fn working_account(held: Amount) -> String {
    account("Working Account", held)
}

fn account(name: &str, held: Amount) -> String {
    format!("{name}|KES|{held}|{held}|0.00|0.00")
}

/// The result of a question. It carries no `TransactionID`: nothing was paid by asking.
pub fn render(subject: &Subject<'_>, payer: &ShortCode, found: &Found) -> Vec<u8> {
    let record = match found {
        Found::Code(code) => return subject.report(code, None, Vec::new()).render(),
        Found::Record(record) => record,
    };
    let facts = Facts::of(record, payer);
    let reason = facts.reason();
    let at = record.at.east_africa_stamp();
    let parameters = vec![
        ("ReceiptNo", facts.receipt.as_str()),
        ("TransactionStatus", facts.status),
        ("Amount", &facts.amount),
        ("DebitPartyName", &facts.debit_party),
        ("CreditPartyName", &facts.credit_party),
        ("OriginatorConversationID", &record.originator_conversation_id),
        ("ConversationID", &record.conversation_id),
        ("InitiatedTime", &at),
        ("FinalisedTime", &at),
        ("TransactionType", facts.command),
        ("ReasonType", &reason),
        ("TransactionReason", ""),
        ("DebitAccountType", facts.debit_account),
        ("DebitPartyCharges", ""),
        ("CreditPartyCharges", ""),
    ];
    subject.report("0", None, parameters).render()
}
