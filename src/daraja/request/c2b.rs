//! Payments of customers: where notices of them go, a simulated one, a code to pay by
//! (spec/daraja.md §1.4, §1.5, §1.12).

use std::fmt;

use super::{Digits, Rendered, Text, Word, render, shillings};
use crate::daraja::api::Api;
use crate::daraja::rules::{self, Fault, Limits, Place};
use crate::domain::inquiry::{C2bVersion, PaidTo, QrKind, ResponseType};
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;

/// Where notices of a short code's payments go. `Debug` hides the token in the addresses.
#[derive(Clone, Copy)]
pub struct C2bRegister<'a> {
    /// Which version: what notices show of a phone.
    pub version: C2bVersion,
    /// The short code.
    pub shortcode: &'a str,
    /// What M-Pesa does without our answer.
    pub response_type: ResponseType,
    /// Where confirmations go.
    pub confirmation_url: &'a str,
    /// Where validations go.
    pub validation_url: &'a str,
}

impl fmt::Debug for C2bRegister<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("C2bRegister")
            .field("version", &self.version)
            .field("shortcode", &self.shortcode)
            .field("response_type", &self.response_type)
            .finish_non_exhaustive()
    }
}

impl C2bRegister<'_> {
    /// The interface.
    pub const fn api(&self) -> Api {
        Api::C2bRegister(self.version)
    }

    /// What in it M-Pesa would refuse.
    pub fn check(&self, place: Place) -> Vec<Fault> {
        rules::gather([
            rules::shortcode("shortcode", self.shortcode),
            rules::callback_url("public_url", self.confirmation_url, place),
            rules::callback_url("public_url", self.validation_url, place),
        ])
    }

    /// The one form.
    pub fn render(&self) -> Rendered {
        render(&[
            ("ShortCode", Digits(self.shortcode)),
            ("ResponseType", Text(self.response_type.as_str())),
            ("ConfirmationURL", Text(self.confirmation_url)),
            ("ValidationURL", Text(self.validation_url)),
        ])
    }
}

/// A payment that nobody makes; sandbox only.
#[derive(Clone, Copy, Debug)]
pub struct C2bSimulate<'a> {
    /// Which version.
    pub version: C2bVersion,
    /// To which short code.
    pub shortcode: &'a str,
    /// To what kind of number.
    pub to: PaidTo,
    /// Whole shillings.
    pub amount: Amount,
    /// Who seems to pay.
    pub phone: Msisdn,
    /// `BillRefNumber`: left out for a till.
    pub account: &'a str,
}

impl C2bSimulate<'_> {
    /// The interface.
    pub const fn api(&self) -> Api {
        Api::C2bSimulate(self.version)
    }

    /// What in it M-Pesa would refuse.
    pub fn check(&self, limits: &Limits) -> Vec<Fault> {
        let account = match self.to {
            PaidTo::PayBill => rules::bill_ref("account", self.account),
            PaidTo::Till => Ok(()),
        };
        rules::gather([
            rules::shortcode("shortcode", self.shortcode),
            rules::amount("amount", self.amount, &limits.payments),
            account,
        ])
    }

    /// The one form.
    pub fn render(&self) -> Rendered {
        let amount = shillings(self.amount);
        let phone = self.phone.reveal();
        let mut members: Vec<(&str, Word<'_>)> = vec![
            ("ShortCode", Digits(self.shortcode)),
            ("CommandID", Text(self.to.command())),
            ("Amount", Digits(&amount)),
            ("Msisdn", Digits(&phone)),
        ];
        if self.to == PaidTo::PayBill {
            members.push(("BillRefNumber", Text(self.account)));
        }
        render(&members)
    }
}

/// A code that a customer's phone reads to pay.
#[derive(Clone, Copy, Debug)]
pub struct Qr<'a> {
    /// What the customer sees.
    pub merchant: &'a str,
    /// `RefNo`.
    pub reference: &'a str,
    /// Whole shillings.
    pub amount: Amount,
    /// What it pays to.
    pub kind: QrKind,
    /// `CPI`: the till, pay bill number, agent, phone or business.
    pub receiver: &'a str,
    /// How many pixels wide and high.
    pub size: u16,
}

impl Qr<'_> {
    /// The interface.
    pub const API: Api = Api::Qr;

    /// What in it M-Pesa would refuse.
    pub fn check(&self, limits: &Limits) -> Vec<Fault> {
        rules::gather([
            rules::merchant("merchant_name", self.merchant),
            rules::account_reference("reference", self.reference),
            rules::amount("amount", self.amount, &limits.payments),
            rules::qr_receiver("receiver", self.receiver),
            rules::qr_size("size", self.size),
        ])
    }

    /// The one form.
    pub fn render(&self) -> Rendered {
        let amount = shillings(self.amount);
        let size = self.size.to_string();
        render(&[
            ("MerchantName", Text(self.merchant)),
            ("RefNo", Text(self.reference)),
            ("Amount", Digits(&amount)),
            ("TrxCode", Text(self.kind.code())),
            ("CPI", Text(self.receiver)),
            ("Size", Text(&size)),
        ])
    }
}
