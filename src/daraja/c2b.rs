//! Validations and confirmations of customers' payments, as JSON (spec/daraja.md §2.2). Which of
//! the two a message is, only its address says.

use super::json::{Json, Unreadable};
use crate::domain::payment::{C2bNotice, Lacks, NoticeWords};

/// Reads a notice: everything but receipt, amount and short code may be missing or empty.
///
/// # Errors
/// It is no notice, or says two things where it may say one.
pub fn parse(bytes: &[u8]) -> Result<C2bNotice, Unreadable> {
    let json = Json::read(bytes)?;
    let either = |one: &'static str, other: &'static str| match json.one(one) {
        Ok(None) => json.one(other),
        told => told,
    };
    let words = NoticeWords {
        kind: either("TransactionType", "TransType")?,
        receipt: json.one("TransID")?,
        time: json.one("TransTime")?,
        amount: json.one("TransAmount")?,
        shortcode: json.one("BusinessShortCode")?,
        account: json.one("BillRefNumber")?,
        invoice: json.one("InvoiceNumber")?,
        balance: json.one("OrgAccountBalance")?,
        third_party_id: json.one("ThirdPartyTransID")?,
        phone: json.one("MSISDN")?,
        names: [json.one("FirstName")?, json.one("MiddleName")?, json.one("LastName")?],
    };
    words.read().map_err(|Lacks(what)| Unreadable::Missing(what))
}
