//! Notices about a customer's payment: validation and confirmation, as JSON (spec/daraja.md §2.2)
//! and as SOAP (spec/soap.md §7.1). Pure.

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::book::Till;
use super::daraja::digits;
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, ShortCode};
use crate::domain::time::Timestamp;
use crate::soap::xml::push_text;

/// The namespace of the SOAP form (spec/soap.md §1.1).
const NAMESPACE: &str = "http://cps.huawei.com/cpsinterface/c2bpayment";

/// How the payer's phone is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PhoneForm {
    /// SHA-256 of it, in small hexadecimal digits: v1.
    Hashed,
    /// `2547 ***** 126`: v2.
    Masked,
    /// `25470****149`: v2, as the register page shows it.
    MaskedShort,
    /// As it is: SOAP.
    Whole,
}

/// Which of the two it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Validation,
    Confirmation,
}

/// What there is to say.
#[derive(Debug)]
pub(super) struct Notice<'a> {
    pub(super) till: Till,
    pub(super) receipt: &'a str,
    pub(super) at: Timestamp,
    pub(super) amount: Amount,
    pub(super) shortcode: &'a ShortCode,
    pub(super) account: &'a str,
    /// What the account then holds; only a confirmation says it.
    pub(super) balance: Option<Amount>,
    /// What whoever validated it called it.
    pub(super) third_party: &'a str,
    pub(super) phone: Msisdn,
    pub(super) phone_form: PhoneForm,
    /// First, middle and last name, as far as there are any.
    pub(super) names: &'a [String],
}

impl Notice<'_> {
    const fn kind(&self) -> &'static str {
        match self.till {
            Till::PayBill => "Pay Bill",
            Till::BuyGoods => "Buy Goods",
        }
    }

    fn name(&self, place: usize) -> &str {
        self.names.get(place).map(String::as_str).unwrap_or_default()
    }

    fn phone(&self) -> String {
        match self.phone_form {
            PhoneForm::Hashed => hashed(self.phone),
            PhoneForm::Masked => masked(self.phone),
            PhoneForm::MaskedShort => masked_short(self.phone),
            PhoneForm::Whole => self.phone.reveal(),
        }
    }

    fn time(&self) -> String {
        digits(&self.at.east_africa_screen())
    }

    /// As Daraja sends it: every value is a text.
    pub(super) fn json(&self) -> Vec<u8> {
        let balance = self.balance.map_or_else(String::new, |held| held.to_string());
        json!({
            "TransactionType": self.kind(),
            "TransID": self.receipt,
            "TransTime": self.time(),
            "TransAmount": self.amount.to_string(),
            "BusinessShortCode": self.shortcode.as_str(),
            "BillRefNumber": self.account,
            "InvoiceNumber": "",
            "OrgAccountBalance": balance,
            "ThirdPartyTransID": self.third_party,
            "MSISDN": self.phone(),
            "FirstName": self.name(0),
            "MiddleName": self.name(1),
            "LastName": self.name(2),
        })
        .to_string()
        .into_bytes()
    }

    /// As the broker sends it: the root is qualified, its children are not.
    pub(super) fn soap(&self, kind: Kind) -> Vec<u8> {
        let root = match kind {
            Kind::Validation => "C2BPaymentValidationRequest",
            Kind::Confirmation => "C2BPaymentConfirmationRequest",
        };
        let mut out = format!(
            "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\">\
             <soapenv:Body><ns1:{root} xmlns:ns1=\"{NAMESPACE}\">"
        );
        element(&mut out, "TransType", self.kind());
        element(&mut out, "TransID", self.receipt);
        element(&mut out, "TransTime", &self.time());
        element(&mut out, "TransAmount", &self.amount.to_string());
        element(&mut out, "BusinessShortCode", self.shortcode.as_str());
        element(&mut out, "BillRefNumber", self.account);
        element(&mut out, "InvoiceNumber", "");
        if let (Kind::Confirmation, Some(balance)) = (kind, self.balance) {
            element(&mut out, "OrgAccountBalance", &balance.to_string());
            if !self.third_party.is_empty() {
                element(&mut out, "ThirdPartyTransID", self.third_party);
            }
        }
        element(&mut out, "MSISDN", &self.phone());
        for (place, name) in ["First Name", "Middle Name", "Last Name"].into_iter().enumerate() {
            out.push_str("<KYCInfo>");
            element(&mut out, "KYCName", &format!("[Personal Details][{name}]"));
            element(&mut out, "KYCValue", self.name(place));
            out.push_str("</KYCInfo>");
        }
        out.push_str(&format!("</ns1:{root}></soapenv:Body></soapenv:Envelope>"));
        out.into_bytes()
    }
}

fn element(out: &mut String, name: &str, value: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    push_text(out, value);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

fn hashed(phone: Msisdn) -> String {
    let hash = Sha256::digest(phone.reveal().as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `2547 ***** 126`.
pub(super) fn masked(phone: Msisdn) -> String {
    let (head, tail) = ends(phone, 4);
    format!("{head} ***** {tail}")
}

/// `25470****149`.
pub(super) fn masked_short(phone: Msisdn) -> String {
    let (head, tail) = ends(phone, 5);
    format!("{head}****{tail}")
}

fn ends(phone: Msisdn, head: usize) -> (String, String) {
    let digits = phone.reveal();
    (digits.chars().take(head).collect(), digits.chars().skip(9).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::envelope::Envelope;

    fn notice<'a>(shortcode: &'a ShortCode, names: &'a [String]) -> Notice<'a> {
        Notice {
            till: Till::PayBill,
            receipt: "UJ34AA00ZZ",
            at: Timestamp::from_millis(1_704_164_645_000),
            amount: Amount::from_shillings(25),
            shortcode,
            account: "INV<77>",
            balance: Some(Amount::from_shillings(1_025)),
            third_party: "",
            phone: "254722000126".parse().expect("a phone"),
            phone_form: PhoneForm::Masked,
            names,
        }
    }

    #[test]
    fn the_phone_is_written_in_four_ways() {
        let phone = "254722000126".parse().expect("a phone");
        assert_eq!(masked(phone), "2547 ***** 126");
        assert_eq!(masked_short(phone), "25472****126");
        // Computed with another program.
        let known = "a8a41eaa30f06809ec0d409311fda5750ecb45a96f54ebd74c46c2fbd00e17d0";
        assert_eq!(hashed(phone), known);
    }

    #[test]
    fn both_forms_say_the_same() {
        let shortcode = "600111".parse().expect("a short code");
        let names = ["AMINA".to_owned()];
        let notice = notice(&shortcode, &names);
        let read: serde_json::Value = serde_json::from_slice(&notice.json()).expect("JSON");
        assert_eq!(read["TransTime"], "20240102060405");
        assert_eq!(read["TransAmount"], "25.00");
        assert_eq!(read["OrgAccountBalance"], "1025.00");
        assert_eq!(read["BillRefNumber"], "INV<77>");
        assert!(read.as_object().expect("an object").values().all(serde_json::Value::is_string));
        let soap = String::from_utf8(notice.soap(Kind::Confirmation)).expect("text");
        let envelope = Envelope::open(&soap).expect("an envelope");
        let message = envelope.message("C2BPaymentConfirmationRequest").expect("a confirmation");
        assert_eq!(message.value_of("BillRefNumber"), Some("INV<77>"));
        assert_eq!(message.value_of("OrgAccountBalance"), Some("1025.00"));
        let first = message.child("KYCInfo").expect("a name");
        assert_eq!(first.value_of("KYCValue"), Some("AMINA"));
        let soap = String::from_utf8(notice.soap(Kind::Validation)).expect("text");
        assert!(!soap.contains("OrgAccountBalance"));
    }
}
