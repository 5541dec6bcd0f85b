//! M-Pesa's notice of a C2B payment, REST or SOAP (spec/daraja.md §2.2; spec/soap.md §7.1).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::id::Receipt;
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, PersonName, ShortCode};
use crate::domain::time::Timestamp;

/// What a validation or a confirmation says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct C2bNotice {
    /// `TransactionType`, `TransType`.
    pub kind: NoticeKind,
    /// `TransID`.
    pub receipt: Receipt,
    /// `TransTime`.
    pub time: Option<Timestamp>,
    /// `TransAmount`.
    pub amount: Amount,
    /// `BusinessShortCode`.
    pub shortcode: ShortCode,
    /// `BillRefNumber`: what the payer typed; may be empty.
    pub account: String,
    /// `InvoiceNumber`; may be empty.
    pub invoice: String,
    /// `OrgAccountBalance`.
    pub balance: Option<Amount>,
    /// `ThirdPartyTransID`, where one was given at the validation.
    pub third_party_id: Option<String>,
    /// Who paid, as far as it is shown.
    pub payer: Payer,
    /// What in it does not fit together, in words without personal data.
    pub odd: Option<String>,
}

/// Which kind of C2B payment it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NoticeKind {
    /// To a pay bill number.
    PayBill,
    /// To a till.
    BuyGoods,
    /// Something else, or nothing.
    Other(String),
}

/// Who paid, as far as M-Pesa shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payer {
    /// The phone.
    pub phone: PayerPhone,
    /// First, middle and last name, as far as they are there.
    pub names: Vec<PersonName>,
}

/// A payer's phone as M-Pesa shows it: never a key (spec/daraja.md §0.7, §2.2).
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PayerPhone {
    /// All of it.
    Whole(Msisdn),
    /// Some digits hidden.
    Masked(String),
    /// Its SHA-256.
    Hashed([u8; 32]),
    /// Nothing.
    None,
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

impl PayerPhone {
    /// Whether it may be `phone`.
    pub fn fits(&self, phone: Msisdn) -> bool {
        match self {
            Self::Whole(shown) => *shown == phone,
            Self::Masked(_) | Self::Hashed(_) | Self::None => true,
        }
    }
}
