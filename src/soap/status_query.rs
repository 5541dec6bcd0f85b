//! `TransactionStatusQuery`: the message that asks what became of a payment, and what its result
//! says of that payment (spec/soap.md §3.3, §5.4).

use super::envelope::{value_at, values_at};
use super::request::{Caller, Parts, Rendered, key_value, organisation};
use super::result::{amount, split_party};
use crate::domain::id::{ConversationId, Receipt};
use crate::domain::payout::{InquiryFacts, TransactionStatus};
use crate::domain::time::Timestamp;

/// The longest `TransactionStatus` that is kept in words; the longest known has 18 letters.
const STATUS_LEN_MAX: usize = 64;

/// What a payment is asked for by: exactly one of three (spec/soap.md §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskFor<'a> {
    /// By receipt: the only one that works after 15 days.
    Receipt(&'a str),
    /// By our own id.
    OriginatorConversationId(&'a str),
    /// By M-Pesa's id.
    ConversationId(&'a str),
}

impl AskFor<'_> {
    const fn pair(&self) -> (&'static str, &str) {
        match self {
            Self::Receipt(value) => ("ReceiptNumber", value),
            Self::OriginatorConversationId(value) => ("OriginatorConversationID", value),
            Self::ConversationId(value) => ("ConversationID", value),
        }
    }
}

/// A question about one payment.
#[derive(Clone, Copy, Debug)]
pub struct StatusQuery<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// The question's own id: ids are shared across commands (spec/soap.md §3.2).
    pub originator_conversation_id: &'a str,
    /// Which payment.
    pub ask_for: AskFor<'a>,
    /// When the question is made.
    pub at: Timestamp,
}

impl StatusQuery<'_> {
    /// The `CommandID`.
    pub const COMMAND: &'static str = "TransactionStatusQuery";

    /// The one canonical form; the organisation is both parties, as in the samples.
    pub fn render(&self) -> Rendered {
        let (key, value) = self.ask_for.pair();
        let queue_timeout_url = &self.caller.queue_timeout_url;
        let parts = Parts {
            command: Self::COMMAND,
            originator_conversation_id: self.originator_conversation_id,
            remarks: "",
            parameters: vec![key_value("Parameter", key, value)],
            references: vec![key_value("ReferenceItem", "QueueTimeoutURL", queue_timeout_url)],
            receiver: organisation(&self.caller.shortcode),
        };
        parts.render(self.caller, self.at)
    }
}
/// What a status query's result says of the payment: the second of its two levels. `None` where it
/// has no `TransactionStatus`, as the results of payments have none (spec/soap.md §5.4).
pub fn payment_in(parameters: &[(String, String)]) -> Option<InquiryFacts> {
    let at = |keys: &[&str]| value_at(parameters, keys);
    let status = at(&["TransactionStatus"])?;
    let (payee, recipient_name) = at(&["CreditPartyName"]).map(split_party).unwrap_or_default();
    Some(InquiryFacts {
        status: status_of(status),
        receipt: at(&["ReceiptNo"]).and_then(Receipt::new),
        amount: at(&["Amount"]).and_then(amount),
        payee,
        recipient_name,
        originator: at(&["OriginatorConversationID"]).map(ToOwned::to_owned),
        conversation: at(&["ConversationID"]).and_then(ConversationId::new),
        completed_at: at(&["FinalisedTime"])
            .and_then(|text| Timestamp::parse_east_africa(text).ok()),
        odd: odd(parameters).map(ToOwned::to_owned),
    })
}

/// A word that the spec does not list says nothing: it is kept, cut to what can be shown.
fn status_of(word: &str) -> TransactionStatus {
    let letters: String = word.chars().filter(|c| !c.is_whitespace()).collect();
    match letters.to_ascii_lowercase().as_str() {
        "completed" => TransactionStatus::Completed,
        "cancelled" => TransactionStatus::Cancelled,
        "declined" => TransactionStatus::Declined,
        "expired" => TransactionStatus::Expired,
        "authorized" | "pendingauthorized" | "initiated" => TransactionStatus::InProgress,
        _ => TransactionStatus::Other(word.chars().take(STATUS_LEN_MAX).collect()),
    }
}

/// What in it does not fit together: of two values that should be one, neither is believed.
fn odd(parameters: &[(String, String)]) -> Option<&'static str> {
    let differ = |key: &'static str| {
        let mut values = values_at(parameters, key);
        let first = values.next();
        values.any(|other| Some(other) != first)
    };
    let amounts = || values_at(parameters, "Amount").map(amount);
    if differ("TransactionStatus") {
        return Some("two statuses are told");
    }
    if differ("ReceiptNo") {
        return Some("two receipts are told");
    }
    if differ("OriginatorConversationID") {
        return Some("two names are told");
    }
    if amounts().any(|told| told.is_none()) {
        return Some("the amount cannot be read");
    }
    let first = amounts().next();
    amounts().any(|told| Some(told) != first).then_some("two amounts are told")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&str, &str)]) -> Option<InquiryFacts> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        payment_in(&pairs.iter().map(owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_result_without_a_transaction_status_says_nothing_of_another_payment() {
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[("TransactionReceipt", "QK1"), ("TransactionAmount", "10")]), None);
        assert_eq!(told(&[("TransactionStatus", " ")]), None);
    }

    #[test]
    fn each_status_is_what_the_spec_says() {
        use TransactionStatus::{Cancelled, Completed, Declined, Expired, InProgress, Other};
        let table = [
            ("Completed", Completed),
            ("completed", Completed),
            ("Cancelled", Cancelled),
            ("Declined", Declined),
            ("Expired", Expired),
            ("Authorized", InProgress),
            ("Pending Authorized", InProgress),
            ("Initiated", InProgress),
            ("Reversed", Other("Reversed".to_owned())),
        ];
        for (word, expected) in table {
            let facts = told(&[("TransactionStatus", word)]).expect("a status");
            assert_eq!(facts.status, expected, "{word}");
        }
    }

    #[test]
    fn keys_are_found_however_they_are_written_and_values_that_differ_are_odd() {
        let whole = [
            ("DebitPartyName", "600999 - ExampleOrg"),
            ("DebitPartyName", "again"),
            ("TransactionStatus", "Completed"),
            ("ReceiptNo", "QK12ABCD34"),
            ("Amount", "Ksh1,500.00"),
            ("CreditPartyName", "254722000111 - Amina Otieno"),
            ("Originator Conversation ID", "600999_ExampleOrg_1\n"),
            ("Conversation ID", "AG_20240102_1"),
            ("TransactionReason", ""),
        ];
        let facts = told(&whole).expect("a status");
        assert_eq!(facts.receipt, Receipt::new("QK12ABCD34"));
        assert_eq!(facts.amount, "1500".parse().ok());
        assert_eq!(facts.payee, "254722000111".parse().ok());
        assert_eq!(facts.originator.as_deref(), Some("600999_ExampleOrg_1"));
        assert_eq!(facts.odd, None);
        for second in [
            ("TransactionStatus", "Declined"),
            ("ReceiptNo", "QK99"),
            ("Amount", "1"),
            ("Amount", "much"),
            ("OriginatorConversationID", "another"),
        ] {
            let pairs: Vec<_> = whole.into_iter().chain([second]).collect();
            let odd = told(&pairs).expect("a status").odd;
            assert!(odd.is_some(), "{second:?}");
        }
    }
}
