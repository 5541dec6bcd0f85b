//! A C2B notice: what M-Pesa says of a payment to a short code, before it is made (validation) and
//! after (confirmation), in JSON or SOAP (spec/daraja.md §2.2; spec/soap.md §7.1).

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::domain::account::Balance;
use crate::domain::id::Receipt;
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, PersonName};
use crate::domain::time::Timestamp;
use crate::domain::told;

/// The longest masked phone that is kept, in characters.
const MASKED_LEN_MAX: usize = 32;

/// A notice of a payment. What M-Pesa may leave out or mask is optional.
///
/// `Debug` hides what the payer typed: people type their phones and names.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct C2bNotice {
    /// To a pay bill number or to a till.
    pub kind: NoticeKind,
    /// `TransID`: the natural key of the payment, on every channel (spec/daraja.md §9).
    pub receipt: Receipt,
    /// `TransTime`.
    pub time: Option<Timestamp>,
    /// `TransAmount`.
    pub amount: Amount,
    /// `BusinessShortCode`: whom was paid, as it stands on the wire.
    pub shortcode: String,
    /// `BillRefNumber`: the account that the payer typed, trimmed and cut; empty for a till.
    pub account: String,
    /// `InvoiceNumber`: reserved by M-Pesa.
    pub invoice: Option<String>,
    /// `OrgAccountBalance`: what stands in our account since; a validation has none.
    pub balance: Option<Balance>,
    /// `ThirdPartyTransID`: what we answered to the validation, if we did.
    pub third_party_id: Option<String>,
    /// Who paid.
    pub payer: Payer,
    /// What in it does not fit together, in words without personal data: a person must look.
    pub odd: Option<String>,
}

/// The longest text of a payer's that is kept, in characters: `BillRefNumber` has at most 20
/// (spec/daraja.md §1.5), and what is longer is kept in the message itself.
const TEXT_LEN_MAX: usize = 100;

/// What a notice lacks without which it is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is missing, or cannot be read")]
pub struct Lacks(pub &'static str);

/// The words of a notice, as either wire writes them; what is missing is `None` or empty.
#[derive(Clone, Copy, Default)]
pub struct NoticeWords<'a> {
    /// `TransactionType` or `TransType`.
    pub kind: Option<&'a str>,
    /// `TransID`.
    pub receipt: Option<&'a str>,
    /// `TransTime`.
    pub time: Option<&'a str>,
    /// `TransAmount`.
    pub amount: Option<&'a str>,
    /// `BusinessShortCode`.
    pub shortcode: Option<&'a str>,
    /// `BillRefNumber`.
    pub account: Option<&'a str>,
    /// `InvoiceNumber`.
    pub invoice: Option<&'a str>,
    /// `OrgAccountBalance`.
    pub balance: Option<&'a str>,
    /// `ThirdPartyTransID`.
    pub third_party_id: Option<&'a str>,
    /// `MSISDN`.
    pub phone: Option<&'a str>,
    /// First, middle and last name.
    pub names: [Option<&'a str>; 3],
}

impl fmt::Debug for NoticeWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoticeWords(***)")
    }
}

impl NoticeWords<'_> {
    /// The notice that they make.
    ///
    /// # Errors
    /// It lacks a receipt, an amount or a short code: it cannot be a payment.
    pub fn read(&self) -> Result<C2bNotice, Lacks> {
        let receipt = self.receipt.and_then(Receipt::new).ok_or(Lacks("TransID"))?;
        let amount = self.amount.and_then(told::amount).ok_or(Lacks("TransAmount"))?;
        let shortcode = kept(self.shortcode).ok_or(Lacks("BusinessShortCode"))?;
        let odd = (amount == Amount::ZERO).then(|| "nothing is said to be paid".to_owned());
        let [first_name, middle_name, last_name] =
            self.names.map(|name| name.and_then(PersonName::new));
        let phone = PayerPhone::read(self.phone.unwrap_or_default());
        Ok(C2bNotice {
            kind: NoticeKind::read(self.kind.unwrap_or_default()),
            receipt,
            time: self.time.and_then(|text| Timestamp::parse_east_africa(text).ok()),
            amount,
            shortcode,
            account: kept(self.account).unwrap_or_default(),
            invoice: kept(self.invoice),
            balance: self.balance.and_then(Balance::read),
            third_party_id: kept(self.third_party_id),
            payer: Payer { phone, first_name, middle_name, last_name },
            odd,
        })
    }
}

/// A text of somebody's, trimmed, cut and without control characters; `None` when nothing is left.
fn kept(text: Option<&str>) -> Option<String> {
    let text = text?.trim().chars().filter(|c| !c.is_control()).take(TEXT_LEN_MAX);
    let text: String = text.collect();
    (!text.is_empty()).then_some(text)
}

impl fmt::Debug for C2bNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("C2bNotice")
            .field("kind", &self.kind)
            .field("receipt", &self.receipt)
            .field("time", &self.time)
            .field("amount", &self.amount)
            .field("shortcode", &self.shortcode)
            .field("odd", &self.odd)
            .finish_non_exhaustive()
    }
}

/// `TransactionType` of a notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticeKind {
    /// To a pay bill number, for an account.
    PayBill,
    /// To a till.
    BuyGoods,
    /// Another word, or none: it says nothing.
    Other(String),
}

impl NoticeKind {
    /// Reads M-Pesa's word: `Pay Bill`, `Paybill`, `Buy Goods`, and what pulled payments and
    /// commands call them.
    pub fn read(text: &str) -> Self {
        let letters: String = text.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        match letters.to_ascii_lowercase().as_str() {
            "paybill" | "customerpaybillonline" | "c2bpaybilldebit" => Self::PayBill,
            "buygoods" | "customerbuygoodsonline" | "c2bbuygoodsdebit" => Self::BuyGoods,
            _ => Self::Other(text.trim().chars().take(64).collect()),
        }
    }
}

/// Who paid, as far as M-Pesa says. `Debug` hides names and phone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    /// The phone that paid.
    pub phone: PayerPhone,
    /// Whose it is: since March 2026 often all there is (spec/daraja.md §2.2).
    pub first_name: Option<PersonName>,
    /// Further names.
    pub middle_name: Option<PersonName>,
    /// The family's name.
    pub last_name: Option<PersonName>,
}

impl Payer {
    /// All the names that are known, in order.
    pub fn full_name(&self) -> Option<PersonName> {
        let names: Vec<&str> = [&self.first_name, &self.middle_name, &self.last_name]
            .into_iter()
            .flatten()
            .map(PersonName::reveal)
            .collect();
        PersonName::new(&names.join(" "))
    }
}

/// The phone that paid, as far as it is shown: whole, masked, hashed or not at all
/// (spec/daraja.md §2.2, §8).
#[derive(Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PayerPhone {
    /// All of it.
    Whole(Msisdn),
    /// With digits hidden, as it came, its blanks taken out: `2547*****001`.
    Masked(String),
    /// The SHA-256 of its twelve digits.
    Hashed([u8; 32]),
    /// Nothing that can be a phone.
    #[default]
    None,
}

impl PayerPhone {
    /// Reads `MSISDN` of a notice or `PhoneNumber` of a callback.
    pub fn read(text: &str) -> Self {
        let text = text.trim();
        // A number that went through a spreadsheet or a float.
        let text = text.strip_suffix(".0").unwrap_or(text);
        if let Ok(phone) = text.parse() {
            return Self::Whole(phone);
        }
        if let Some(hash) = hash_in(text) {
            return Self::Hashed(hash);
        }
        let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '+')).collect();
        let is_masked = bare.chars().any(|c| c.is_ascii_digit())
            && bare.chars().all(|c| c.is_ascii_digit() || is_hidden(c))
            && bare.chars().count() <= MASKED_LEN_MAX;
        if is_masked { Self::Masked(bare) } else { Self::None }
    }

    /// The phone, where all of it is shown.
    pub const fn whole(&self) -> Option<Msisdn> {
        match self {
            Self::Whole(phone) => Some(*phone),
            Self::Masked(_) | Self::Hashed(_) | Self::None => None,
        }
    }

    /// Whether the phone that paid can have been `phone`. One that is not shown can.
    pub fn fits(&self, phone: Msisdn) -> bool {
        match self {
            Self::Whole(whole) => *whole == phone,
            Self::Hashed(hash) => digest(phone) == *hash,
            Self::Masked(masked) => fits_mask(masked, &phone.reveal()),
            Self::None => true,
        }
    }
}

/// SHA-256 of `2547…`, as the first version of C2B sends it (spec/daraja.md §1.4).
fn digest(phone: Msisdn) -> [u8; 32] {
    Sha256::digest(phone.reveal().as_bytes()).into()
}

fn hash_in(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let mut hash = [0; 32];
    let (pairs, _odd) = text.as_bytes().as_chunks::<2>();
    for (byte, pair) in hash.iter_mut().zip(pairs) {
        if !pair.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

const fn is_hidden(c: char) -> bool {
    matches!(c, '*' | 'x' | 'X' | '#' | '•')
}

/// Whether the digits that are shown at the ends are those of the phone. How many are hidden in
/// between is not believed: writers of masks count differently.
fn fits_mask(masked: &str, phone: &str) -> bool {
    let shown = |c: char| !is_hidden(c);
    let head: String = masked.chars().take_while(|c| shown(*c)).collect();
    if head.len() == masked.len() {
        // Nothing is hidden: it is a number, and no Kenyan mobile's.
        return false;
    }
    let tail_len = masked.chars().rev().take_while(|c| shown(*c)).count();
    let tail: String =
        masked.chars().skip(masked.chars().count().saturating_sub(tail_len)).collect();
    let head = match head.strip_prefix('0') {
        Some(rest) => format!("254{rest}"),
        None => head,
    };
    let shown = head.len().saturating_add(tail.len());
    phone.starts_with(&head) && phone.ends_with(&tail) && shown <= phone.len()
}

impl fmt::Debug for PayerPhone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(phone) => write!(f, "Whole({phone})"),
            Self::Masked(_) => f.write_str("Masked(***)"),
            Self::Hashed(_) => f.write_str("Hashed(***)"),
            Self::None => f.write_str("None"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phone(text: &str) -> Msisdn {
        text.parse().expect(text)
    }

    #[test]
    fn a_phone_is_read_however_much_of_it_is_shown() {
        let amina = phone("0700000001");
        let hash: String = digest(amina).iter().map(|byte| format!("{byte:02x}")).collect();
        let table = [
            ("254700000001", PayerPhone::Whole(amina)),
            ("254700000001.0", PayerPhone::Whole(amina)),
            ("2547 ***** 001", PayerPhone::Masked("2547*****001".to_owned())),
            ("25470****001", PayerPhone::Masked("25470****001".to_owned())),
            (hash.as_str(), PayerPhone::Hashed(digest(amina))),
            ("255712345678", PayerPhone::Masked("255712345678".to_owned())),
            ("", PayerPhone::None),
            ("MPESA", PayerPhone::None),
            ("*****", PayerPhone::None),
        ];
        for (text, expected) in table {
            let read = PayerPhone::read(text);
            assert_eq!(read, expected, "{text}");
            let shown = format!("{read:?}");
            assert!(!shown.contains("700000001") && !shown.contains("712345678"), "{shown}");
        }
    }

    #[test]
    fn a_phone_fits_what_is_shown_of_it() {
        let amina = phone("0700000001");
        let upper: String = digest(amina).iter().map(|byte| format!("{byte:02X}")).collect();
        let other: String =
            digest(phone("0700000002")).iter().map(|b| format!("{b:02x}")).collect();
        let table = [
            ("254700000001", true),
            ("254700000002", false),
            ("2547 ***** 001", true),
            ("2547*****001", true),
            ("25470****001", true),
            ("2547***001", true),
            ("0700***001", true),
            ("07** *** *01", true),
            ("*********001", true),
            ("2541*****001", false),
            ("2547*****002", false),
            ("2547xxxxx001", true),
            (upper.as_str(), true),
            (other.as_str(), false),
            ("255712345678", false),
            ("2547000000*000001", false),
            ("", true),
        ];
        for (text, fits) in table {
            assert_eq!(PayerPhone::read(text).fits(amina), fits, "{text}");
        }
    }

    #[test]
    fn kinds_and_names_are_what_was_said() {
        for text in ["Pay Bill", "Paybill", "PAYBILL", "CustomerPayBillOnline"] {
            assert_eq!(NoticeKind::read(text), NoticeKind::PayBill, "{text}");
        }
        assert_eq!(NoticeKind::read("Buy Goods"), NoticeKind::BuyGoods);
        assert_eq!(NoticeKind::read(""), NoticeKind::Other(String::new()));
        let payer = Payer {
            first_name: PersonName::new("AMINA"),
            last_name: PersonName::new("Otieno"),
            ..Payer::default()
        };
        assert_eq!(payer.full_name().as_ref().map(PersonName::reveal), Some("AMINA Otieno"));
        assert_eq!(Payer::default().full_name(), None);
        assert!(!format!("{payer:?}").contains("AMINA"));
    }
}
