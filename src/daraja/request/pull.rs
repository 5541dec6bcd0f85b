//! Pulling payments whose confirmations may be missing (spec/daraja.md §1.13).

use super::{Rendered, Text, render};
use crate::daraja::api::Api;
use crate::daraja::rules::{self, Fault, Place};
use crate::domain::party::Msisdn;
use crate::domain::time::Timestamp;

/// How many payments a page has, about: the next page's offset is that much further.
pub const ROWS_PER_PAGE: u32 = 100;

/// Leave to pull a short code's payments.
#[derive(Clone, Copy, Debug)]
pub struct PullRegister<'a> {
    /// The short code.
    pub shortcode: &'a str,
    /// `NominatedNumber`: the organisation's own phone.
    pub phone: Msisdn,
    /// Where M-Pesa calls.
    pub callback_url: &'a str,
}

impl PullRegister<'_> {
    /// The interface.
    pub const API: Api = Api::PullRegister;

    /// What in it M-Pesa would refuse.
    pub fn check(&self, place: Place) -> Vec<Fault> {
        rules::gather([
            rules::shortcode("shortcode", self.shortcode),
            rules::callback_url("public_url", self.callback_url, place),
        ])
    }

    /// The one form.
    pub fn render(&self) -> Rendered {
        let phone = self.phone.reveal();
        render(&[
            ("ShortCode", Text(self.shortcode)),
            ("RequestType", Text("Pull")),
            ("NominatedNumber", Text(&phone)),
            ("CallBackURL", Text(self.callback_url)),
        ])
    }
}

/// A question for a page of payments.
#[derive(Clone, Copy, Debug)]
pub struct PullQuery<'a> {
    /// The short code.
    pub shortcode: &'a str,
    /// From when on: at most 48 hours back.
    pub from: Timestamp,
    /// Until when.
    pub to: Timestamp,
    /// `OffSetValue`: how many to pass over.
    pub offset: u32,
}

impl PullQuery<'_> {
    /// The interface.
    pub const API: Api = Api::PullQuery;

    /// The one form. Its times are East Africa Time.
    pub fn render(&self) -> Rendered {
        let (from, to) = (self.from.east_africa_screen(), self.to.east_africa_screen());
        let offset = self.offset.to_string();
        render(&[
            ("ShortCode", Text(self.shortcode)),
            ("StartDate", Text(&from)),
            ("EndDate", Text(&to)),
            ("OffSetValue", Text(&offset)),
        ])
    }
}
