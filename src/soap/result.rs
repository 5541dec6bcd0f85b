//! M-Pesa's result: the only message that says whether money moved (spec/soap.md §5).

use std::fmt;

use super::envelope::{self, Envelope, RESULT, RESULT_MSG, Unreadable, value_at};
use super::schema::{self, Value};
use super::xml::{self, Element};
use crate::domain::id::{ConversationId, Receipt};
use crate::domain::payout::{InquiryFacts, ResultFacts};
use crate::domain::time::Timestamp;
pub use crate::domain::told::{amount, split_party};
use crate::domain::told::{is_waiting, payment_in};

/// A result. `Debug` shows keys, not values: they name people.
#[derive(Clone, PartialEq, Eq)]
pub struct ResultMessage {
    /// Which payout it is about, in our own words; trimmed. `None` also when it is longer than
    /// any.
    pub originator_conversation_id: Option<String>,
    /// Which one in M-Pesa's words.
    pub conversation_id: Option<String>,
    /// What it says.
    pub facts: ResultFacts,
    /// What it says of the payment that a status query was about; only such a query's result does.
    pub status: Option<InquiryFacts>,
    /// `ResultParameters` as they stand.
    pub parameters: Vec<(String, String)>,
    /// `ReferenceData` as it stands: the request's own items come back.
    pub references: Vec<(String, String)>,
}

impl fmt::Debug for ResultMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.parameters.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("ResultMessage")
            .field("originator_conversation_id", &self.originator_conversation_id)
            .field("conversation_id", &self.conversation_id)
            .field("code", &self.facts.code)
            .field("waiting", &self.facts.waiting)
            .field("parameters", &keys)
            .finish_non_exhaustive()
    }
}

/// Reads a result of either generation, taking all that spec/soap.md §9 lists.
///
/// # Errors
/// It is no envelope with a `ResultMsg` that says a `ResultCode`, or it says two.
pub fn parse(bytes: &[u8]) -> Result<ResultMessage, Unreadable> {
    let text = xml::decode(bytes)?;
    let envelope = Envelope::open(&text)?;
    let message = envelope.message("ResultMsg")?;
    let document = envelope::document(message, "result")?;
    read(&document)
}

fn read(document: &Element<'_>) -> Result<ResultMessage, Unreadable> {
    let code = envelope::required(document, "ResultCode")?;
    let waiting = is_waiting(envelope::unambiguous(document, "ResultType")?);
    let own_id = envelope::unambiguous(document, "OriginatorConversationID")?;
    let conversation = envelope::unambiguous(document, "ConversationID")?;
    let group = |name: &str| document.child(name).map(envelope::pairs).unwrap_or_default();
    let parameters = group("ResultParameters");
    let at = |keys: &[&str]| value_at(&parameters, keys);
    let receipt = document.value_of("TransactionID").or_else(|| at(&["TransactionReceipt"]));
    let odd = odd(document, &parameters, own_id).map(ToOwned::to_owned);
    let as_id = |text: Option<&str>| text.filter(|id| envelope::is_id(id)).map(ToOwned::to_owned);
    let (payee, recipient_name) =
        at(&["ReceiverPartyPublicName"]).map(split_party).unwrap_or_default();
    let facts = ResultFacts {
        code: envelope::code(code),
        description: envelope::description(document.value_of("ResultDesc").unwrap_or_default()),
        waiting,
        conversation: conversation.and_then(ConversationId::new),
        receipt: receipt.and_then(Receipt::new),
        amount: at(&["TransactionAmount", "Amount"]).and_then(amount),
        payee,
        recipient_name,
        charge: at(&["B2CWithdrawalChargeAmount"]).and_then(amount),
        completed_at: at(&[
            "TransactionCompletedDateTime",
            "TransCompletedTime",
            "TransactionDateTime",
            // Of a question about accounts: when they held that.
            "BOCompletedTime",
        ])
        .and_then(|text| Timestamp::parse_east_africa(text).ok()),
        odd,
    };
    Ok(ResultMessage {
        originator_conversation_id: as_id(own_id),
        conversation_id: as_id(conversation),
        facts,
        status: payment_in(&parameters),
        references: group("ReferenceData"),
        parameters,
    })
}

/// What in a result does not fit together: which of two receipts is right, or how much was paid,
/// is not guessed at.
fn odd(
    document: &Element<'_>,
    parameters: &[(String, String)],
    own_id: Option<&str>,
) -> Option<&'static str> {
    let mut receipts = document
        .children_named("TransactionID")
        .map(Element::value)
        .chain(envelope::values_at(parameters, "TransactionReceipt"))
        .filter(|receipt| !receipt.is_empty());
    if let Some(first) = receipts.next()
        && receipts.any(|other| !other.eq_ignore_ascii_case(first))
    {
        return Some("TransactionID and TransactionReceipt name two receipts");
    }
    let mut amounts = ["TransactionAmount", "Amount"]
        .iter()
        .flat_map(|key| envelope::values_at(parameters, key))
        .map(amount);
    if let Some(first) = amounts.next() {
        if first.is_none() {
            return Some("the amount that was paid cannot be read");
        }
        if amounts.any(|other| other != first) {
            return Some("two amounts are said to be paid");
        }
    }
    own_id
        .is_some_and(|id| !envelope::is_id(id))
        .then_some("its OriginatorConversationID is none that M-Pesa could have")
}

/// What the simulator reports, in the G2 form.
#[derive(Clone, Debug)]
pub struct Report<'a> {
    /// `ResultCode`.
    pub code: &'a str,
    /// `ResultDesc`.
    pub description: &'a str,
    /// Whose request it was.
    pub originator_conversation_id: &'a str,
    /// M-Pesa's id of it.
    pub conversation_id: &'a str,
    /// The receipt; financial commands have one, failures may.
    pub receipt: Option<&'a str>,
    /// `ResultParameters`, in this order; failed results have none (spec/soap.md §5.4).
    pub parameters: Vec<(&'a str, &'a str)>,
    /// The request's reference items, echoed.
    pub references: Vec<(&'a str, &'a str)>,
}

impl Report<'_> {
    /// The whole message, in schema order (spec/soap.md §5.1).
    pub fn render(&self) -> Vec<u8> {
        self.render_as("0")
    }

    /// The same with `ResultType` 1: not the last word, another follows (spec/soap.md §5.1).
    pub fn render_waiting(&self) -> Vec<u8> {
        self.render_as("1")
    }

    fn render_as(&self, result_type: &str) -> Vec<u8> {
        let mut values = vec![
            ("ResultType", Value::Text(result_type)),
            ("ResultCode", Value::Text(self.code)),
            ("ResultDesc", Value::Text(self.description)),
            ("OriginatorConversationID", Value::Text(self.originator_conversation_id)),
            ("ConversationID", Value::Text(self.conversation_id)),
        ];
        if let Some(receipt) = self.receipt {
            values.push(("TransactionID", Value::Text(receipt)));
        }
        if !self.parameters.is_empty() {
            let items = group("ResultParameter", &self.parameters);
            values.push(("ResultParameters", items));
        }
        if !self.references.is_empty() {
            values.push(("ReferenceData", group("ReferenceItem", &self.references)));
        }
        let mut document = String::with_capacity(2048);
        let shape = &schema::RESULT_DOCUMENT;
        schema::write_root(&mut document, (None, RESULT), shape, &Value::Group(values));
        envelope::render(RESULT_MSG, "", &document).into_bytes()
    }
}

fn group<'a>(item: &'static str, pairs: &[(&'a str, &'a str)]) -> Value<'a> {
    let items =
        pairs.iter().map(|(key, value)| super::request::key_value(item, key, value)).collect();
    Value::Group(items)
}
