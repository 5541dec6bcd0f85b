//! Balances, reversals and payments to businesses over SOAP (spec/soap.md §3.3).

use super::request::{Caller, Parts, Rendered, key_value, organisation};
use crate::domain::inquiry::BusinessCommand;
use crate::domain::money::Amount;
use crate::domain::time::Timestamp;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind<'a> {
    /// What stands in our own accounts.
    Balance,
    /// Money back to a customer. That the amount may be given is only known from Daraja.
    Reversal {
        /// Which payment.
        receipt: &'a str,
        /// How much of it.
        amount: Amount,
    },
    /// A payment to a business, or between our own accounts.
    BusinessPayment {
        /// How.
        command: BusinessCommand,
        /// Whom: a short code, our own where money moves between accounts of ours.
        receiver: &'a str,
        /// How much.
        amount: Amount,
        /// `AccountReference`; left out when empty.
        account: &'a str,
    },
}

/// A request whose result says what became of it.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// The request's own id, for ever: M-Pesa knows a duplicate by it.
    pub originator_conversation_id: &'a str,
    /// What is asked for.
    pub kind: Kind<'a>,
    /// `Remark`; may be empty.
    pub remarks: &'a str,
    /// When the request is made.
    pub at: Timestamp,
}

impl Operation<'_> {
    /// The `CommandID`.
    pub const fn command(&self) -> &'static str {
        match self.kind {
            Kind::Balance => "AccountBalance",
            Kind::Reversal { .. } => "TransactionReversal",
            Kind::BusinessPayment { command, .. } => command.as_str(),
        }
    }

    /// The one canonical form. The organisation is both parties, unless another is paid.
    pub fn render(&self) -> Rendered {
        let Caller { shortcode, queue_timeout_url, .. } = self.caller;
        let money = match self.kind {
            Kind::Balance => String::new(),
            Kind::Reversal { amount, .. } | Kind::BusinessPayment { amount, .. } => {
                amount.to_string()
            }
        };
        let parameter = |key, value| key_value("Parameter", key, value);
        let (parameters, receiver) = match self.kind {
            Kind::Balance => (vec![parameter("ShortCode", shortcode)], shortcode.as_str()),
            Kind::Reversal { receipt, .. } => {
                let original = parameter("OriginalTransactionID", receipt);
                (vec![original, parameter("Amount", &money)], shortcode.as_str())
            }
            Kind::BusinessPayment { receiver, account, .. } => {
                let mut parameters = vec![parameter("Amount", &money)];
                if !account.is_empty() {
                    parameters.push(parameter("AccountReference", account));
                }
                (parameters, receiver)
            }
        };
        let parts = Parts {
            command: self.command(),
            originator_conversation_id: self.originator_conversation_id,
            remarks: self.remarks,
            parameters,
            references: vec![key_value("ReferenceItem", "QueueTimeoutURL", queue_timeout_url)],
            receiver: organisation(receiver),
        };
        parts.render(self.caller, self.at)
    }
}
