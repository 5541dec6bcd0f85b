//! C2B over SOAP: M-Pesa asks whether a payment is wanted, and says that one was made
//! (spec/soap.md §7). No header, no credential, no document inside: the message is the body.

use super::envelope::{Envelope, SOAP, Unreadable, known_name, unambiguous};
use super::schema::C2B;
use super::xml::{self, Element};
use crate::domain::payment::validation::Refusal;
use crate::domain::payment::{C2bNotice, Lacks, NoticeWords};

const VALIDATION: &str = "C2BPaymentValidationRequest";
const CONFIRMATION: &str = "C2BPaymentConfirmationRequest";
/// The most details of a payer that are looked at; three are known.
const KYC_MAX: usize = 50;

/// Which of the two a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Whether the payment is wanted.
    Validation,
    /// The payment was made.
    Confirmation,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct C2bMessage {
    /// Which of the two.
    pub step: Step,
    /// What it says.
    pub notice: C2bNotice,
}

/// Reads a validation or confirmation, with whatever prefixes and in whatever order.
///
/// # Errors
/// It is neither, or has no receipt, amount or short code, or says two things where it may say one.
pub fn parse(bytes: &[u8]) -> Result<C2bMessage, Unreadable> {
    let text = xml::decode(bytes)?;
    let envelope = Envelope::open(&text)?;
    let (step, message) = match envelope.body.child(VALIDATION) {
        Some(message) => (Step::Validation, message),
        None => (Step::Confirmation, envelope.message(CONFIRMATION)?),
    };
    Ok(C2bMessage { step, notice: read(message)? })
}

fn read(message: &Element<'_>) -> Result<C2bNotice, Unreadable> {
    let one = |name: &'static str| unambiguous(message, name);
    // The wire says TransType, the documents' samples TransactionType.
    let kind = match one("TransType")? {
        Some(kind) => Some(kind),
        None => one("TransactionType")?,
    };
    let words = NoticeWords {
        kind,
        receipt: one("TransID")?,
        time: one("TransTime")?,
        amount: one("TransAmount")?,
        shortcode: one("BusinessShortCode")?,
        account: one("BillRefNumber")?,
        invoice: one("InvoiceNumber")?,
        balance: one("OrgAccountBalance")?,
        third_party_id: one("ThirdPartyTransID")?,
        phone: one("MSISDN")?,
        names: ["First Name", "Middle Name", "Last Name"].map(|name| detail(message, name)),
    };
    words.read().map_err(|Lacks(what)| Unreadable::Missing(what))
}

/// The payer's detail of that name: `[Personal Details][First Name]`, or `[Personal Detail]…`.
fn detail<'m>(message: &'m Element<'_>, name: &str) -> Option<&'m str> {
    let details = message.children.iter().filter(|child| child.is("KYCInfo")).take(KYC_MAX);
    details
        .filter(|detail| {
            let full = detail.value_of("KYCName").unwrap_or_default();
            full.trim_end_matches(']')
                .rsplit('[')
                .next()
                .is_some_and(|last| last.trim().eq_ignore_ascii_case(name))
        })
        .find_map(|detail| detail.value_of("KYCValue"))
}

/// Whether a body is one of these messages, for an address that takes others, too.
pub fn is_c2b(name: &str) -> bool {
    let known = known_name(name);
    known.contains(VALIDATION) || known.contains(CONFIRMATION)
}

/// The payment is wanted (spec/soap.md §7.2). `third_party_id` comes back in the confirmation; `0`
/// stands for none, as in the documents.
pub fn accepted(third_party_id: Option<&str>) -> Vec<u8> {
    validated("0", "Service processing successful", third_party_id.unwrap_or("0"))
}

/// The payment is not wanted: M-Pesa cancels it.
pub fn rejected(why: Refusal) -> Vec<u8> {
    validated(why.code(), "Rejected", "0")
}

fn validated(code: &str, description: &str, third_party_id: &str) -> Vec<u8> {
    let mut inside = String::with_capacity(256);
    for (before, value) in [
        ("<c2b:C2BPaymentValidationResult>\n         <ResultCode>", code),
        ("</ResultCode>\n         <ResultDesc>", description),
        ("</ResultDesc>\n         <ThirdPartyTransID>", third_party_id),
    ] {
        inside.push_str(before);
        xml::push_text(&mut inside, value);
    }
    inside.push_str("</ThirdPartyTransID>\n      </c2b:C2BPaymentValidationResult>");
    reply(&inside)
}

/// The confirmation of this receipt was kept; M-Pesa only logs the reply.
pub fn confirmed(receipt: &str) -> Vec<u8> {
    let mut inside = String::from("<c2b:C2BPaymentConfirmationResult>C2B Payment Transaction ");
    xml::push_text(&mut inside, receipt);
    inside.push_str(" result received.</c2b:C2BPaymentConfirmationResult>");
    reply(&inside)
}

fn reply(inside: &str) -> Vec<u8> {
    format!(
        "<soapenv:Envelope xmlns:soapenv=\"{SOAP}\" xmlns:c2b=\"{C2B}\">\n   <soapenv:Header/>\n   \
         <soapenv:Body>\n      {inside}\n   </soapenv:Body>\n</soapenv:Envelope>"
    )
    .into_bytes()
}
