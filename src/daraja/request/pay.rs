//! Money out: to customers, to businesses, to the revenue authority (spec/daraja.md §1.6–§1.8).

use super::{Addresses, Caller, Digits, Rendered, Secret, Text, Word, render, shillings};
use crate::daraja::api::{Api, B2cVersion};
use crate::daraja::rules::{self, Fault, Limits, Place};
use crate::domain::inquiry::BusinessCommand;
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::domain::payout::Command;

/// The revenue authority's pay bill number (spec/daraja.md §1.8).
pub const TAX_RECEIVER: &str = "572572";

/// A payout.
#[derive(Clone, Copy, Debug)]
pub struct B2c<'a> {
    /// Which version.
    pub version: B2cVersion,
    /// Who pays.
    pub caller: &'a Caller,
    /// Where M-Pesa calls.
    pub addresses: Addresses<'a>,
    /// The payout's one id towards M-Pesa; the first version does not carry it.
    pub originator_conversation_id: &'a str,
    /// Which of the three commands.
    pub command: Command,
    /// Whole shillings.
    pub amount: Amount,
    /// To whom.
    pub phone: Msisdn,
    /// `Remarks`.
    pub remarks: &'a str,
    /// `Occassion`; left out when empty.
    pub occasion: &'a str,
}

impl B2c<'_> {
    /// The interface.
    pub const fn api(&self) -> Api {
        Api::B2c(self.version)
    }

    /// What in it M-Pesa would refuse.
    pub fn check(&self, limits: &Limits, place: Place) -> Vec<Fault> {
        rules::gather([
            rules::b2c_command("command", self.command),
            rules::amount("amount", self.amount, &limits.payouts),
            rules::shortcode("shortcode", &self.caller.shortcode),
            rules::remarks("remarks", self.remarks),
            rules::occasion("occasion", self.occasion),
            rules::callback_url("public_url", self.addresses.result, place),
            rules::callback_url("public_url", self.addresses.queue_timeout, place),
        ])
    }

    /// The one form: `InitiatorName`, not `Initiator`, and `Occassion`.
    pub fn render(&self) -> Rendered {
        let amount = shillings(self.amount);
        let phone = self.phone.reveal();
        let mut members: Vec<(&str, Word<'_>)> = Vec::with_capacity(12);
        if self.version == B2cVersion::V3 {
            members.push(("OriginatorConversationID", Text(self.originator_conversation_id)));
        }
        members.extend([
            ("InitiatorName", Text(&self.caller.initiator)),
            ("SecurityCredential", Secret(&self.caller.security_credential)),
            ("CommandID", Text(self.command.as_str())),
            ("Amount", Digits(&amount)),
            ("PartyA", Text(&self.caller.shortcode)),
            ("PartyB", Text(&phone)),
            ("Remarks", Text(self.remarks)),
            ("QueueTimeOutURL", Text(self.addresses.queue_timeout)),
            ("ResultURL", Text(self.addresses.result)),
        ]);
        if !self.occasion.is_empty() {
            members.push(("Occassion", Text(self.occasion)));
        }
        render(&members)
    }
}

/// A payment to a business.
#[derive(Clone, Copy, Debug)]
pub struct B2b<'a> {
    /// Who pays.
    pub caller: &'a Caller,
    /// Where M-Pesa calls.
    pub addresses: Addresses<'a>,
    /// How.
    pub command: BusinessCommand,
    /// Whole shillings.
    pub amount: Amount,
    /// The pay bill number, till or B2C short code.
    pub receiver: &'a str,
    /// `AccountReference`.
    pub account: &'a str,
    /// `Requester`: the customer on whose behalf it is paid.
    pub requester: Option<Msisdn>,
    /// `Remarks`.
    pub remarks: &'a str,
    /// `Occassion`; left out when empty.
    pub occasion: &'a str,
}

impl B2b<'_> {
    /// The interface.
    pub const API: Api = Api::B2b;

    /// What in it M-Pesa would refuse.
    pub fn check(&self, limits: &Limits, place: Place) -> Vec<Fault> {
        // Only who is paid by an account needs to be told which.
        let needs_account = self.command == BusinessCommand::PayBill;
        let account = if needs_account || !self.account.is_empty() {
            rules::b2b_account("account", self.account)
        } else {
            Ok(())
        };
        rules::gather([
            rules::amount("amount", self.amount, &limits.business),
            rules::shortcode("shortcode", &self.caller.shortcode),
            rules::shortcode("to", self.receiver),
            account,
            rules::remarks("remarks", self.remarks),
            rules::occasion("occasion", self.occasion),
            rules::callback_url("public_url", self.addresses.result, place),
            rules::callback_url("public_url", self.addresses.queue_timeout, place),
        ])
    }

    /// The one form: `RecieverIdentifierType` and `Occassion`.
    pub fn render(&self) -> Rendered {
        let amount = shillings(self.amount);
        let requester = self.requester.map(Msisdn::reveal);
        let mut members = business(
            self.caller,
            self.addresses,
            (self.command.as_str(), self.receiver, self.account),
            &amount,
            self.remarks,
        );
        if let Some(requester) = &requester {
            members.push(("Requester", Text(requester)));
        }
        if !self.occasion.is_empty() {
            members.push(("Occassion", Text(self.occasion)));
        }
        render(&members)
    }
}

/// What every payment to a business has: command, receiver and account in `how`.
fn business<'a>(
    caller: &'a Caller,
    addresses: Addresses<'a>,
    how: (&'a str, &'a str, &'a str),
    amount: &'a str,
    remarks: &'a str,
) -> Vec<(&'a str, Word<'a>)> {
    let (command, receiver, account) = how;
    vec![
        ("Initiator", Text(&caller.initiator)),
        ("SecurityCredential", Secret(&caller.security_credential)),
        ("CommandID", Text(command)),
        ("SenderIdentifierType", Text("4")),
        ("RecieverIdentifierType", Text("4")),
        ("Amount", Digits(amount)),
        ("PartyA", Text(&caller.shortcode)),
        ("PartyB", Text(receiver)),
        ("AccountReference", Text(account)),
        ("Remarks", Text(remarks)),
        ("QueueTimeOutURL", Text(addresses.queue_timeout)),
        ("ResultURL", Text(addresses.result)),
    ]
}

/// A payment of taxes.
#[derive(Clone, Copy, Debug)]
pub struct Tax<'a> {
    /// Who pays.
    pub caller: &'a Caller,
    /// Where M-Pesa calls.
    pub addresses: Addresses<'a>,
    /// Whole shillings.
    pub amount: Amount,
    /// The revenue authority's payment registration number.
    pub prn: &'a str,
    /// `Remarks`.
    pub remarks: &'a str,
}

impl Tax<'_> {
    /// The interface.
    pub const API: Api = Api::Tax;
    /// The `CommandID`.
    pub const COMMAND: &'static str = "PayTaxToKRA";

    /// What in it M-Pesa would refuse.
    pub fn check(&self, limits: &Limits, place: Place) -> Vec<Fault> {
        rules::gather([
            rules::amount("amount", self.amount, &limits.business),
            rules::shortcode("shortcode", &self.caller.shortcode),
            rules::prn("prn", self.prn),
            rules::remarks("remarks", self.remarks),
            rules::callback_url("public_url", self.addresses.result, place),
            rules::callback_url("public_url", self.addresses.queue_timeout, place),
        ])
    }

    /// The one form.
    pub fn render(&self) -> Rendered {
        let amount = shillings(self.amount);
        let how = (Self::COMMAND, TAX_RECEIVER, self.prn);
        render(&business(self.caller, self.addresses, how, &amount, self.remarks))
    }
}
