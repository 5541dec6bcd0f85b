//! Prompts: STK push, and what became of one (spec/daraja.md §1.2, §1.3).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Digits, Rendered, Secret, Text, render, shillings};
use crate::daraja::api::Api;
use crate::daraja::rules::{self, Fault, Limits, Place};
use crate::domain::id::CheckoutRequestId;
use crate::domain::inquiry::PaidTo;
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::domain::time::Timestamp;

/// `Password`: base64 of short code, passkey and `Timestamp` (spec/daraja.md §6).
pub fn password(shortcode: &str, passkey: &str, timestamp: &str) -> String {
    STANDARD.encode(format!("{shortcode}{passkey}{timestamp}"))
}

/// A prompt on a customer's phone. `Debug` hides passkey and phone.
#[derive(Clone, Copy)]
pub struct StkPush<'a> {
    /// `BusinessShortCode`: whose passkey it is.
    pub shortcode: &'a str,
    /// The passkey.
    pub passkey: &'a str,
    /// To what kind of number: a till's short code is the head office's, and `PartyB` the till.
    pub to: PaidTo,
    /// Whole shillings.
    pub amount: Amount,
    /// Who pays, and on whose phone the prompt appears.
    pub phone: Msisdn,
    /// `PartyB`: the pay bill number, or the till.
    pub receiver: &'a str,
    /// Where the callback goes.
    pub callback_url: &'a str,
    /// `AccountReference`.
    pub reference: &'a str,
    /// `TransactionDesc`; the reference stands there when it is empty.
    pub description: &'a str,
    /// When the request is made.
    pub at: Timestamp,
}

impl fmt::Debug for StkPush<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StkPush")
            .field("shortcode", &self.shortcode)
            .field("to", &self.to)
            .field("amount", &self.amount)
            .finish_non_exhaustive()
    }
}

impl StkPush<'_> {
    /// The interface.
    pub const API: Api = Api::StkPush;

    /// What in it M-Pesa would refuse, or fail at in silence.
    pub fn check(&self, limits: &Limits, place: Place) -> Vec<Fault> {
        rules::gather([
            rules::amount("amount", self.amount, &limits.payments),
            rules::shortcode("shortcode", self.shortcode),
            rules::shortcode("shortcode", self.receiver),
            rules::account_reference("reference", self.reference),
            rules::transaction_desc("description", self.description),
            rules::callback_url("public_url", self.callback_url, place),
        ])
    }

    /// The one form.
    pub fn render(&self) -> Rendered {
        let timestamp = self.at.east_africa_digits();
        let password = password(self.shortcode, self.passkey, &timestamp);
        let amount = shillings(self.amount);
        let phone = self.phone.reveal();
        let description =
            if self.description.is_empty() { self.reference } else { self.description };
        // The one optional member (spec/daraja.md §1.2), and some deployments want it all the same.
        let description: String = description.chars().take(rules::DESC_LEN_MAX).collect();
        render(&[
            ("BusinessShortCode", Digits(self.shortcode)),
            ("Password", Secret(&password)),
            ("Timestamp", Text(&timestamp)),
            ("TransactionType", Text(self.to.command())),
            ("Amount", Digits(&amount)),
            ("PartyA", Digits(&phone)),
            ("PartyB", Digits(self.receiver)),
            ("PhoneNumber", Digits(&phone)),
            ("CallBackURL", Text(self.callback_url)),
            ("AccountReference", Text(self.reference)),
            ("TransactionDesc", Text(&description)),
        ])
    }
}

/// A question about a prompt. `Debug` hides the passkey.
#[derive(Clone, Copy)]
pub struct StkQuery<'a> {
    /// `BusinessShortCode`, as in the prompt.
    pub shortcode: &'a str,
    /// The passkey.
    pub passkey: &'a str,
    /// Which prompt.
    pub checkout: &'a CheckoutRequestId,
    /// When the question is made.
    pub at: Timestamp,
}

impl fmt::Debug for StkQuery<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StkQuery").field("shortcode", &self.shortcode).finish_non_exhaustive()
    }
}

impl StkQuery<'_> {
    /// The interface.
    pub const API: Api = Api::StkQuery;

    /// The one form.
    pub fn render(&self) -> Rendered {
        let timestamp = self.at.east_africa_digits();
        let password = password(self.shortcode, self.passkey, &timestamp);
        render(&[
            ("BusinessShortCode", Digits(self.shortcode)),
            ("Password", Secret(&password)),
            ("Timestamp", Text(&timestamp)),
            ("CheckoutRequestID", Text(self.checkout.as_str())),
        ])
    }
}
