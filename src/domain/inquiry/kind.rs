//! What may be asked of M-Pesa, and what it can answer.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::account::AccountBalance;
use crate::domain::id::{ConversationId, PaymentId, PayoutId, Receipt};
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, ShortCode};
use crate::domain::payout::InquiryFacts;
use crate::domain::time::Timestamp;

/// What is asked, with its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// What the organisation's accounts hold (spec/daraja.md §1.10).
    Balance,
    /// How a transaction stands (spec/daraja.md §1.9).
    TransactionStatus(TransactionStatus),
    /// Give a payer his money back (spec/daraja.md §1.11).
    Reversal(Reversal),
    /// Where C2B notices are to go (spec/daraja.md §1.4; spec/soap.md §3.4).
    RegisterUrls(RegisterUrls),
    /// Act as a payer, in the sandbox only (spec/daraja.md §1.5).
    SimulateC2b(SimulateC2b),
    /// Pay another organisation, or move money between our own accounts (spec/daraja.md §1.7).
    BusinessPayment(BusinessPayment),
    /// Pay tax (spec/daraja.md §1.8).
    Tax(Tax),
    /// A code that customers scan to pay (spec/daraja.md §1.12).
    QrCode(QrCode),
    /// Leave to pull what customers paid (spec/daraja.md §1.13).
    RegisterPull(RegisterPull),
}

/// By what a transaction is looked up (spec/daraja.md §1.9; spec/soap.md §3.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransactionStatus {
    /// By its receipt.
    Receipt(Receipt),
    /// By the OriginatorConversationID or ConversationID of the request that made it.
    Conversation(ConversationId),
}

/// Give a payer his money back. Only payments that came in can be reversed (spec/daraja.md §1.11).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reversal {
    /// The receipt of what is reversed.
    pub receipt: Receipt,
    /// How much.
    pub amount: Amount,
    /// Our payment of that receipt, if there is one.
    pub payment: Option<PaymentId>,
    /// Our payout of that receipt, if there is one.
    pub payout: Option<PayoutId>,
    /// M-Pesa's `Remarks`.
    pub remarks: String,
    /// M-Pesa's `Occasion`; may be empty.
    pub occasion: String,
}

/// Where C2B notices are to go. The addresses are the gateway's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterUrls {
    /// What M-Pesa does when nobody answers its question whether to take a payment.
    pub response_type: ResponseType,
    /// Which form of the API, and so of the notices.
    pub version: C2bVersion,
}

/// What M-Pesa does when nobody answers its question whether to take a payment
/// (spec/daraja.md §1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ResponseType {
    /// It takes the payment.
    Completed,
    /// It turns it down.
    Cancelled,
}

impl ResponseType {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Completed, Self::Cancelled];

    /// The word on the wire, which is also its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// Which form of the C2B API: they differ in how notices show the payer's phone
/// (spec/daraja.md §1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum C2bVersion {
    /// The phone comes hashed.
    V1,
    /// The phone comes partly masked.
    V2,
}

impl C2bVersion {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V1, Self::V2];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        }
    }
}

/// Act as a payer, in the sandbox only (spec/daraja.md §1.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimulateC2b {
    /// To what kind of number it is paid.
    pub to: PaidTo,
    /// How much.
    pub amount: Amount,
    /// Whose money.
    pub phone: Msisdn,
    /// What the payer types; `None` for a till.
    pub account: Option<String>,
    /// Which form of the API.
    pub version: C2bVersion,
}

/// To what kind of number a payer pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum PaidTo {
    /// A pay bill number.
    PayBill,
    /// A till.
    Till,
}

impl PaidTo {
    /// The `CommandID` on the wire (spec/daraja.md §1.2, §1.5).
    pub const fn command(self) -> &'static str {
        match self {
            Self::PayBill => "CustomerPayBillOnline",
            Self::Till => "CustomerBuyGoodsOnline",
        }
    }
}

/// Pay another organisation, or move money between our own accounts (spec/daraja.md §1.7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusinessPayment {
    /// Which kind of payment.
    pub command: BusinessCommand,
    /// Who is paid.
    pub to: ShortCode,
    /// How much.
    pub amount: Amount,
    /// `AccountReference`; may be empty.
    pub account: String,
    /// On whose behalf it is paid.
    pub requester: Option<Msisdn>,
    /// M-Pesa's `Remarks`.
    pub remarks: String,
    /// M-Pesa's `Occassion`; may be empty.
    pub occasion: String,
}

/// A B2B command (spec/daraja.md §1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum BusinessCommand {
    /// To another pay bill number.
    PayBill,
    /// To a till or merchant.
    BuyGoods,
    /// To the account that our B2C short code pays from.
    PayToBulk,
    /// From our working account to our utility account.
    WorkingToUtility,
}

impl BusinessCommand {
    /// Every command, in the order of spec/daraja.md §1.7.
    pub const ALL: [Self; 4] =
        [Self::PayBill, Self::BuyGoods, Self::PayToBulk, Self::WorkingToUtility];

    /// The `CommandID` on the wire, which is also its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PayBill => "BusinessPayBill",
            Self::BuyGoods => "BusinessBuyGoods",
            Self::PayToBulk => "BusinessPayToBulk",
            Self::WorkingToUtility => "BusinessTransferFromMMFToUtility",
        }
    }
}

/// Pay tax to the Kenya Revenue Authority (spec/daraja.md §1.8).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tax {
    /// The authority's payment registration number.
    pub prn: String,
    /// How much.
    pub amount: Amount,
    /// M-Pesa's `Remarks`.
    pub remarks: String,
}

/// A code that a customer's phone scans to pay (spec/daraja.md §1.12). It moves no money: whoever
/// scans it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QrCode {
    /// What the customer is shown: whom he pays.
    pub merchant: String,
    /// What it is for.
    pub reference: String,
    /// How much.
    pub amount: Amount,
    /// What it pays to.
    pub kind: QrKind,
    /// Who is paid.
    pub receiver: QrReceiver,
    /// How many pixels wide and high.
    pub size: u16,
}

/// What a QR code pays to (spec/daraja.md §1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum QrKind {
    /// A pay bill number.
    PayBill,
    /// A till.
    Till,
    /// An agent, to withdraw cash.
    Agent,
    /// A phone.
    Phone,
    /// A business, by its phone.
    Business,
}

impl QrKind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::PayBill, Self::Till, Self::Agent, Self::Phone, Self::Business];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PayBill => "paybill",
            Self::Till => "till",
            Self::Agent => "agent",
            Self::Phone => "phone",
            Self::Business => "business",
        }
    }

    /// `TrxCode` on the wire.
    pub const fn code(self) -> &'static str {
        match self {
            Self::PayBill => "PB",
            Self::Till => "BG",
            Self::Agent => "WA",
            Self::Phone => "SM",
            Self::Business => "SB",
        }
    }

    /// Whether a phone is paid, and not a short code.
    pub const fn is_phone(self) -> bool {
        matches!(self, Self::Phone | Self::Business)
    }
}

impl From<PaidTo> for QrKind {
    fn from(paid: PaidTo) -> Self {
        match paid {
            PaidTo::PayBill => Self::PayBill,
            PaidTo::Till => Self::Till,
        }
    }
}

/// Who is paid by whoever scans a QR code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QrReceiver {
    /// The owner of a pay bill number or a till, or an agent.
    Number(ShortCode),
    /// The owner of a phone.
    Phone(Msisdn),
}

impl QrReceiver {
    /// `CPI` on the wire: the digits. They may be those of a person's phone.
    pub fn reveal(&self) -> String {
        match self {
            Self::Number(number) => number.as_str().to_owned(),
            Self::Phone(phone) => phone.reveal(),
        }
    }
}

/// Leave to pull what customers paid (spec/daraja.md §1.13). The callback's address is the
/// gateway's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterPull {
    /// `NominatedNumber`: the organisation's own phone, as M-Pesa has it.
    pub phone: Msisdn,
}

/// A picture as M-Pesa made it: a PNG in base64, and not a large one.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Picture(String);

impl Picture {
    /// The longest that is taken, in letters of base64: many times what a code of a thousand
    /// pixels takes.
    pub const LEN_MAX: usize = 128 * 1024;

    /// A picture, if it is in base64 and not too large.
    pub fn new(base64: &str) -> Option<Self> {
        let is_letter =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        let is_picture =
            !base64.is_empty() && base64.len() <= Self::LEN_MAX && base64.bytes().all(is_letter);
        is_picture.then(|| Self(base64.to_owned()))
    }

    /// In base64.
    pub fn as_base64(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({} letters)", self.0.len())
    }
}

impl Kind {
    /// Its name in the API: also the path segment under which its events are announced.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Balance => "balance",
            Self::TransactionStatus(_) => "transaction_status",
            Self::Reversal(_) => "reversal",
            Self::RegisterUrls(_) => "register_urls",
            Self::SimulateC2b(_) => "simulate_c2b",
            Self::BusinessPayment(_) => "business_payment",
            Self::Tax(_) => "tax",
            Self::QrCode(_) => "qr_code",
            Self::RegisterPull(_) => "register_pull",
        }
    }

    /// Whether a second one could move money a second time: such a one is never sent again unless
    /// nothing was taken for certain.
    pub const fn moves_money(&self) -> bool {
        match self {
            Self::Reversal(_) | Self::SimulateC2b(_) | Self::BusinessPayment(_) | Self::Tax(_) => {
                true
            }
            Self::Balance
            | Self::TransactionStatus(_)
            | Self::RegisterUrls(_)
            | Self::QrCode(_)
            | Self::RegisterPull(_) => false,
        }
    }

    /// Whether the answer to the request is all that ever comes: no result follows it.
    pub const fn is_synchronous(&self) -> bool {
        match self {
            Self::RegisterUrls(_)
            | Self::SimulateC2b(_)
            | Self::QrCode(_)
            | Self::RegisterPull(_) => true,
            Self::Balance
            | Self::TransactionStatus(_)
            | Self::Reversal(_)
            | Self::BusinessPayment(_)
            | Self::Tax(_) => false,
        }
    }

    /// How much it moves.
    pub const fn amount(&self) -> Option<Amount> {
        match self {
            Self::Reversal(Reversal { amount, .. })
            | Self::SimulateC2b(SimulateC2b { amount, .. })
            | Self::BusinessPayment(BusinessPayment { amount, .. })
            | Self::Tax(Tax { amount, .. }) => Some(*amount),
            Self::Balance
            | Self::TransactionStatus(_)
            | Self::RegisterUrls(_)
            | Self::QrCode(_)
            | Self::RegisterPull(_) => None,
        }
    }
}

/// What M-Pesa answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// What each account holds.
    Balances(Balances),
    /// How the transaction stands: about the payment, not about the query (law 6).
    Status(InquiryFacts),
    /// It was reversed.
    Reversed(Moved),
    /// The addresses are registered.
    Registered,
    /// The sandbox took the payment; its confirmation follows like any other.
    Simulated,
    /// It was paid.
    Paid(Moved),
    /// The QR code.
    Pictured(Picture),
}

impl Answer {
    /// The money that it says moved.
    pub const fn moved(&self) -> Option<&Moved> {
        match self {
            Self::Reversed(moved) | Self::Paid(moved) => Some(moved),
            Self::Balances(_)
            | Self::Status(_)
            | Self::Registered
            | Self::Simulated
            | Self::Pictured(_) => None,
        }
    }
}

/// What each account of the organisation holds (spec/daraja.md §2.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balances {
    /// The accounts, in M-Pesa's order.
    pub accounts: Vec<AccountBalance>,
    /// When they held that, as M-Pesa says.
    pub at: Option<Timestamp>,
}

/// Money that a reversal, a business payment or a tax payment moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// Its own receipt.
    pub receipt: Receipt,
    /// How much, where M-Pesa says so.
    pub amount: Option<Amount>,
    /// What M-Pesa charged, where it says so.
    pub charge: Option<Amount>,
    /// When it was done, as M-Pesa says.
    pub completed_at: Option<Timestamp>,
}
