//! `TransactionStatusQuery`: the message that asks what became of a payment (spec/soap.md §3.3).
//! What its result says of that payment, `domain::told` reads.

use super::request::{Caller, Parts, Rendered, key_value, organisation};
use crate::domain::time::Timestamp;
pub use crate::domain::told::payment_in;

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
