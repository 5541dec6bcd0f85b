//! What people say when they pause a rail, close a case or rule on a payout, as it comes in a body.

use std::str::FromStr;

use super::fields::Fields;
use super::{Problem, json::Json};
use crate::domain::id::Receipt;

/// The longest ruling on a case: a few words, such as "paid twice, refunded by hand".
pub(in crate::http) const RULING_LEN_MAX: usize = 200;
/// The longest reason: a few sentences. Events and failures quote it.
pub(in crate::http) const REASON_LEN_MAX: usize = 500;
/// The longest evidence: what was looked at, and where it can be found again.
const EVIDENCE_LEN_MAX: usize = 500;

/// The fields of [`pause`].
pub(in crate::http) const PAUSE_FIELDS: [&str; 1] = ["reason"];
/// The fields of [`closing`].
pub(in crate::http) const CLOSING_FIELDS: [&str; 2] = ["ruling", "reason"];
/// The fields of [`resolution`].
pub(in crate::http) const RESOLUTION_FIELDS: [&str; 4] =
    ["outcome", "receipt", "reason", "evidence"];

/// Reads why a rail is paused.
///
/// # Errors
/// It is not JSON, or fields are faulty: all of them are named.
pub(super) fn pause(body: &[u8]) -> Result<String, Problem> {
    let mut fields = Fields::read(body, &PAUSE_FIELDS)?;
    let reason = fields.needed("reason", REASON_LEN_MAX);
    fields.done(Some(reason))
}

/// How a case is closed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Closing {
    pub(super) ruling: String,
    pub(super) reason: String,
}

/// Reads how a case is closed.
///
/// # Errors
/// As [`pause`].
pub(super) fn closing(body: &[u8]) -> Result<Closing, Problem> {
    let mut fields = Fields::read(body, &CLOSING_FIELDS)?;
    let ruling = fields.needed("ruling", RULING_LEN_MAX);
    let reason = fields.needed("reason", REASON_LEN_MAX);
    fields.done(Some(Closing { ruling, reason }))
}

/// What a person says became of a payout in doubt.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Resolution {
    /// Paid, with its receipt; or not paid.
    pub(super) receipt: Option<Receipt>,
    /// Why, and on what evidence.
    pub(super) reason: String,
}

/// Paid or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Paid,
    NotPaid,
}

impl FromStr for Outcome {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "paid" => Ok(Self::Paid),
            "not_paid" => Ok(Self::NotPaid),
            _ => Err("must be paid or not_paid"),
        }
    }
}

/// Reads a ruling on a payout in doubt.
///
/// # Errors
/// As [`pause`].
pub(super) fn resolution(body: &[u8]) -> Result<Resolution, Problem> {
    let mut fields = Fields::read(body, &RESOLUTION_FIELDS)?;
    let outcome = fields.outcome();
    let given = fields.take("receipt");
    let is_given = given.is_some();
    let receipt = given.and_then(|given| fields.receipt(given));
    match outcome {
        Some(Outcome::Paid) if !is_given => {
            fields.fault("receipt", "is missing: paid needs M-Pesa's receipt of the payment");
        }
        Some(Outcome::NotPaid) if is_given => {
            fields.fault("receipt", "must be left out: what is not paid has no receipt");
        }
        Some(Outcome::Paid | Outcome::NotPaid) | None => {}
    }
    let reason = fields.needed("reason", REASON_LEN_MAX);
    let evidence = fields.needed("evidence", EVIDENCE_LEN_MAX);
    let reason = format!("{reason} (evidence: {evidence})");
    fields.done(Some(Resolution { receipt, reason }))
}

impl Fields<'_> {
    fn outcome(&mut self) -> Option<Outcome> {
        let message = match self.take("outcome").map(Json::text) {
            None => "is missing; it must be paid or not_paid".to_owned(),
            Some(Err(kind)) => format!("must be a string, not {kind}"),
            Some(Ok(text)) => match text.parse() {
                Ok(outcome) => return Some(outcome),
                Err(message) => String::from(message),
            },
        };
        self.fault("outcome", message);
        None
    }

    /// A receipt that a person typed. Only its own letters are taken, so that the same payment
    /// cannot stand here under two spellings.
    fn receipt(&mut self, given: Json<'_>) -> Option<Receipt> {
        let is_receipt = |text: &str| {
            text.trim().bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
        };
        let read = match given.text() {
            Ok(text) if is_receipt(&text) => Receipt::new(&text),
            Ok(_) | Err(_) => None,
        };
        if read.is_none() {
            let message = "must be as M-Pesa writes it: capital letters and digits, such as \
                           QK12ABCD34";
            self.fault("receipt", message);
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faulty(body: &serde_json::Value) -> Vec<String> {
        match resolution(body.to_string().as_bytes()) {
            Ok(_) => vec![],
            Err(problem) => problem.errors.into_iter().map(|fault| fault.field).collect(),
        }
    }

    #[test]
    fn a_ruling_names_its_outcome_a_receipt_if_paid_and_why() {
        let paid = json!({"outcome": "paid", "receipt": " QK12ABCD34 ", "reason": "on the portal",
                          "evidence": "statement of 2 January"});
        let read = resolution(paid.to_string().as_bytes()).expect("a good ruling");
        assert_eq!(read.receipt, Receipt::new("QK12ABCD34"));
        assert_eq!(read.reason, "on the portal (evidence: statement of 2 January)");
        let table = [
            (json!({}), vec!["outcome", "reason", "evidence"]),
            (json!({"outcome": "paid", "reason": "r", "evidence": "e"}), vec!["receipt"]),
            (
                json!({"outcome": "not_paid", "receipt": "QK1", "reason": "r", "evidence": "e"}),
                vec!["receipt"],
            ),
            (json!({"outcome": "not_paid", "reason": "r", "evidence": "e"}), vec![]),
            (
                json!({"outcome": "failed", "receipt": "qk1", "reason": " ", "evidence": 1}),
                vec!["outcome", "receipt", "evidence", "reason"],
            ),
            (
                json!({"outcome": "not_paid", "reason": "x".repeat(501), "evidence": "a\nb",
                       "by": "me"}),
                vec!["by", "reason", "evidence"],
            ),
        ];
        for (body, fields) in table {
            let mut faulty = faulty(&body);
            let mut fields = fields;
            faulty.sort_unstable();
            fields.sort_unstable();
            assert_eq!(faulty, fields, "{body}");
        }
    }
}
