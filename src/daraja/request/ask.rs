//! Questions with an asynchronous answer, and money back (spec/daraja.md §1.9–§1.11).

use super::{Addresses, Caller, Digits, Rendered, Secret, Text, Word, render, shillings};
use crate::daraja::api::Api;
use crate::daraja::rules::{self, Fault, Place};
use crate::domain::money::Amount;

/// How the name of the first request is called on the wire: the portal and the clients that work
/// disagree (spec/daraja.md §1.9, §13, 7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NameKey {
    /// `OriginalConversationID`, as the portal has it.
    #[default]
    Original,
    /// `OriginatorConversationID`, as others send it.
    Originator,
}

/// What a transaction is asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatusOf<'a> {
    /// By its receipt.
    Receipt(&'a str),
    /// By the name under which it was asked for.
    Name(&'a str, NameKey),
}

/// A question about a transaction.
#[derive(Clone, Copy, Debug)]
pub struct TransactionStatus<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// Where M-Pesa calls.
    pub addresses: Addresses<'a>,
    /// Which transaction.
    pub of: StatusOf<'a>,
    /// `Remarks`.
    pub remarks: &'a str,
    /// `Occasion`; left out when empty.
    pub occasion: &'a str,
}

impl TransactionStatus<'_> {
    /// The interface.
    pub const API: Api = Api::TransactionStatus;
    /// The `CommandID`.
    pub const COMMAND: &'static str = "TransactionStatusQuery";

    /// What in it M-Pesa would refuse.
    pub fn check(&self, place: Place) -> Vec<Fault> {
        let of = match self.of {
            StatusOf::Receipt(receipt) => rules::receipt("receipt", receipt),
            StatusOf::Name(name, _) => rules::name("originator_conversation_id", name),
        };
        rules::gather([
            of,
            rules::shortcode("shortcode", &self.caller.shortcode),
            rules::remarks("remarks", self.remarks),
            rules::occasion("occasion", self.occasion),
            rules::callback_url("public_url", self.addresses.result, place),
            rules::callback_url("public_url", self.addresses.queue_timeout, place),
        ])
    }

    /// The one form: `Initiator` and `Occasion`.
    pub fn render(&self) -> Rendered {
        let of = match self.of {
            StatusOf::Receipt(receipt) => ("TransactionID", Text(receipt)),
            StatusOf::Name(name, NameKey::Original) => ("OriginalConversationID", Text(name)),
            StatusOf::Name(name, NameKey::Originator) => ("OriginatorConversationID", Text(name)),
        };
        let mut members: Vec<(&str, Word<'_>)> = vec![
            ("Initiator", Text(&self.caller.initiator)),
            ("SecurityCredential", Secret(&self.caller.security_credential)),
            ("CommandID", Text(Self::COMMAND)),
            of,
            ("PartyA", Text(&self.caller.shortcode)),
            ("IdentifierType", Text("4")),
            ("ResultURL", Text(self.addresses.result)),
            ("QueueTimeOutURL", Text(self.addresses.queue_timeout)),
            ("Remarks", Text(self.remarks)),
        ];
        if !self.occasion.is_empty() {
            members.push(("Occasion", Text(self.occasion)));
        }
        render(&members)
    }
}

/// A question about our own accounts.
#[derive(Clone, Copy, Debug)]
pub struct AccountBalance<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// Where M-Pesa calls.
    pub addresses: Addresses<'a>,
    /// `Remarks`.
    pub remarks: &'a str,
}

impl AccountBalance<'_> {
    /// The interface.
    pub const API: Api = Api::AccountBalance;
    /// The `CommandID`.
    pub const COMMAND: &'static str = "AccountBalance";

    /// What in it M-Pesa would refuse.
    pub fn check(&self, place: Place) -> Vec<Fault> {
        rules::gather([
            rules::shortcode("shortcode", &self.caller.shortcode),
            rules::remarks("remarks", self.remarks),
            rules::callback_url("public_url", self.addresses.result, place),
            rules::callback_url("public_url", self.addresses.queue_timeout, place),
        ])
    }

    /// The one form.
    pub fn render(&self) -> Rendered {
        render(&[
            ("Initiator", Text(&self.caller.initiator)),
            ("SecurityCredential", Secret(&self.caller.security_credential)),
            ("CommandID", Text(Self::COMMAND)),
            ("PartyA", Text(&self.caller.shortcode)),
            ("IdentifierType", Text("4")),
            ("Remarks", Text(self.remarks)),
            ("QueueTimeOutURL", Text(self.addresses.queue_timeout)),
            ("ResultURL", Text(self.addresses.result)),
        ])
    }
}

/// Money back to a customer who paid; only of payments in (spec/daraja.md §1.11).
#[derive(Clone, Copy, Debug)]
pub struct Reversal<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// Where M-Pesa calls.
    pub addresses: Addresses<'a>,
    /// Which payment.
    pub receipt: &'a str,
    /// Whole shillings.
    pub amount: Amount,
    /// `Remarks`.
    pub remarks: &'a str,
    /// `Occasion`; left out when empty.
    pub occasion: &'a str,
}

impl Reversal<'_> {
    /// The interface.
    pub const API: Api = Api::Reversal;
    /// The `CommandID`.
    pub const COMMAND: &'static str = "TransactionReversal";

    /// What in it M-Pesa would refuse. Its amount is the payment's, so no limit is set to it.
    pub fn check(&self, place: Place) -> Vec<Fault> {
        rules::gather([
            rules::receipt("receipt", self.receipt),
            rules::whole("amount", self.amount),
            rules::shortcode("shortcode", &self.caller.shortcode),
            rules::remarks("remarks", self.remarks),
            rules::occasion("occasion", self.occasion),
            rules::callback_url("public_url", self.addresses.result, place),
            rules::callback_url("public_url", self.addresses.queue_timeout, place),
        ])
    }

    /// The one form: `RecieverIdentifierType` (spelled rightly, it is refused) and `Occasion`.
    pub fn render(&self) -> Rendered {
        let amount = shillings(self.amount);
        let mut members: Vec<(&str, Word<'_>)> = vec![
            ("Initiator", Text(&self.caller.initiator)),
            ("SecurityCredential", Secret(&self.caller.security_credential)),
            ("CommandID", Text(Self::COMMAND)),
            ("TransactionID", Text(self.receipt)),
            ("Amount", Digits(&amount)),
            ("ReceiverParty", Text(&self.caller.shortcode)),
            ("RecieverIdentifierType", Text("11")),
            ("ResultURL", Text(self.addresses.result)),
            ("QueueTimeOutURL", Text(self.addresses.queue_timeout)),
            ("Remarks", Text(self.remarks)),
        ];
        if !self.occasion.is_empty() {
            members.push(("Occasion", Text(self.occasion)));
        }
        render(&members)
    }
}
