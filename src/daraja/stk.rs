//! The callback of a prompt (spec/daraja.md §2.1).

use super::json::{Json, Unreadable};
use super::redact;
use crate::domain::account::{self, Balance};
use crate::domain::id::{CheckoutRequestId, MerchantRequestId, Receipt};
use crate::domain::outcome::{self, StkClass};
use crate::domain::payment::{PayerPhone, StkFacts};
use crate::domain::time::Timestamp;
use crate::domain::told::{self, value_at, values_at};

/// A callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StkCallback {
    /// What it says.
    pub facts: StkFacts,
    /// Who paid: display only (spec/daraja.md §8).
    pub phone: PayerPhone,
}

/// Reads a callback: items in any order, with or without values, numbers or texts.
///
/// # Errors
/// It is no callback, has no `ResultCode`, or says two things where it may say one.
pub fn parse(bytes: &[u8]) -> Result<StkCallback, Unreadable> {
    let json = Json::read(bytes)?;
    let callback = json
        .descend(&["Body", "stkCallback"])
        .or_else(|| json.descend(&["stkCallback"]))
        .ok_or(Unreadable::Missing("stkCallback"))?;
    let code = callback.one("ResultCode")?.ok_or(Unreadable::Missing("ResultCode"))?;
    let code = told::code(code);
    let items = callback
        .member("CallbackMetadata")
        .map(|metadata| metadata.member("Item").unwrap_or(metadata).pairs())
        .unwrap_or_default();
    let at = |name: &str| value_at(&items, &[name]);
    let receipt = at("MpesaReceiptNumber").and_then(Receipt::new);
    let facts = StkFacts {
        merchant: callback.one("MerchantRequestID")?.and_then(MerchantRequestId::new),
        checkout: callback.one("CheckoutRequestID")?.and_then(CheckoutRequestId::new),
        description: redact::description(callback.word_of(&["ResultDesc"]).unwrap_or_default()),
        amount: at("Amount").and_then(told::amount),
        paid_at: at("TransactionDate").and_then(|text| Timestamp::parse_east_africa(text).ok()),
        balance: at("Balance")
            .and_then(|text| Balance::read(text).or_else(|| account::braced(text))),
        odd: odd(&code, &items).map(ToOwned::to_owned),
        receipt,
        code,
    };
    Ok(StkCallback { facts, phone: PayerPhone::read(at("PhoneNumber").unwrap_or_default()) })
}

/// What in it does not fit together: which of two values is right is not guessed at.
fn odd(code: &str, items: &[(String, String)]) -> Option<&'static str> {
    let mut receipts = values_at(items, "MpesaReceiptNumber");
    if let Some(first) = receipts.next() {
        if Receipt::new(first).is_none() {
            return Some("its receipt can be none");
        }
        if receipts.any(|other| !other.eq_ignore_ascii_case(first)) {
            return Some("two receipts are told");
        }
        if outcome::stk(code).class == StkClass::Failed {
            return Some("it says that nothing was paid, and names a receipt");
        }
    }
    let mut amounts = values_at(items, "Amount").map(told::amount);
    if let Some(first) = amounts.next() {
        if first.is_none() {
            return Some("the amount that was paid cannot be read");
        }
        if amounts.any(|other| other != first) {
            return Some("two amounts are said to be paid");
        }
    }
    None
}
