//! What the book is asked, what it answers, and what stands in it. Values only.

use std::sync::Arc;

use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, ShortCode};
use crate::domain::payout::Command;
use crate::domain::time::Timestamp;
use crate::sim::script::Code;

/// What a payout that is in order asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Who is paid.
    pub phone: Msisdn,
    /// How much.
    pub amount: Amount,
    /// By which command.
    pub command: Command,
}

/// How a customer came to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// By himself, from the menu of his phone.
    C2b,
    /// By an STK prompt (spec/daraja.md §1.2).
    Stk,
}

/// What kind of account a customer pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Till {
    /// A pay bill number, with an account that the payer types.
    PayBill,
    /// A till, without one.
    BuyGoods,
}

/// A customer's payment to one of the organisation's short codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// Who pays.
    pub phone: Msisdn,
    /// How much.
    pub amount: Amount,
    /// Who is paid.
    pub shortcode: ShortCode,
    /// What the payer typed; empty at a till.
    pub account: String,
    /// Pay bill or till.
    pub till: Till,
    /// How.
    pub channel: Channel,
}

/// A payment from one organisation to another, or between its own accounts
/// (spec/daraja.md §1.7, §1.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Business {
    /// Who pays, from its working account.
    pub from: ShortCode,
    /// Who is paid.
    pub to: ShortCode,
    /// How much.
    pub amount: Amount,
    /// By which command.
    pub command: &'static str,
    /// The account there.
    pub account: String,
}

impl Business {
    /// Whether it fills the organisation's own utility account (spec/daraja.md §1.7).
    pub fn is_to_utility(&self) -> bool {
        matches!(self.command, "BusinessPayToBulk" | "BusinessTransferFromMMFToUtility")
    }
}

/// A customer's payment, given back (spec/daraja.md §1.11).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reversal {
    /// The receipt of the payment.
    pub receipt: String,
    /// How much of it.
    pub amount: Amount,
    /// Who gives it back.
    pub shortcode: ShortCode,
}

/// What a request that is in order asks to be moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Movement {
    /// Out of the utility account to a phone.
    Payout(Payment),
    /// From a phone into a working account.
    Deposit(Deposit),
    /// Out of a working account to an organisation.
    Business(Business),
    /// Out of a working account back to a phone.
    Reversal(Reversal),
}

impl Movement {
    /// How much.
    pub const fn amount(&self) -> Amount {
        match self {
            Self::Payout(payment) => payment.amount,
            Self::Deposit(deposit) => deposit.amount,
            Self::Business(business) => business.amount,
            Self::Reversal(reversal) => reversal.amount,
        }
    }

    /// In one word.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Payout(_) => "payout",
            Self::Deposit(Deposit { channel: Channel::C2b, .. }) => "c2b",
            Self::Deposit(Deposit { channel: Channel::Stk, .. }) => "stk",
            Self::Business(_) => "business",
            Self::Reversal(_) => "reversal",
        }
    }

    /// The command by which M-Pesa knows it.
    pub const fn command(&self) -> &'static str {
        match self {
            Self::Payout(payment) => payment.command.as_str(),
            Self::Deposit(Deposit { till: Till::PayBill, .. }) => "CustomerPayBillOnline",
            Self::Deposit(Deposit { till: Till::BuyGoods, .. }) => "CustomerBuyGoodsOnline",
            Self::Business(business) => business.command,
            Self::Reversal(_) => "TransactionReversal",
        }
    }
}

/// What the book is asked to do with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Pay out, if limits and balance allow it.
    Pay(Payment),
    /// Move money in another way, if that is possible.
    Move(Movement),
    /// Take the request and let it fail with this `ResultCode`; what it asked for, as far as that
    /// could be read, is remembered for whoever asks about it.
    Fail(Code, Option<Movement>),
    /// Take a question: it spends its id and moves nothing.
    Ask,
}

/// By what a payment is asked for: exactly one of three (spec/soap.md §3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// By receipt: the only one that works after 15 days.
    Receipt(String),
    /// By the caller's name for the request.
    OriginatorConversationId(String),
    /// By M-Pesa's name for the request.
    ConversationId(String),
}

impl By {
    /// The receipt or id itself.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Receipt(text)
            | Self::OriginatorConversationId(text)
            | Self::ConversationId(text) => text,
        }
    }
}

/// What the book knows of a payment that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// When the request was taken.
    pub at: Timestamp,
    /// The caller's name for the request.
    pub originator_conversation_id: Arc<str>,
    /// M-Pesa's name for the request.
    pub conversation_id: String,
    /// What was to be moved, as far as that could be read.
    pub movement: Option<Movement>,
    /// What became of it.
    pub fate: Fate,
}

/// A request that was taken: its OriginatorConversationID is spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The how-many-th request this is, from 0.
    pub number: u64,
    /// M-Pesa's name for it (spec/soap.md §4.1).
    pub conversation_id: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a request that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// A phone was paid, as this entry says.
    Paid(Entry),
    /// Money moved in another way.
    Moved(Box<Moved>),
    /// No money moved, for the reason that this `ResultCode` gives.
    NotPaid(Code),
    /// It was a question. No money was to move.
    Asked,
}

/// Why a request was not taken. Nothing was spent and nothing moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The OriginatorConversationID was taken before.
    #[error("duplicate OriginatorConversationID")]
    Duplicate,
    /// The book is full.
    #[error("the simulator's book is full; restart it")]
    Full,
}

/// A payout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the ledger, from 1.
    pub seq: u64,
    /// When it moved.
    pub at: Timestamp,
    /// The caller's name for the request.
    pub originator_conversation_id: Arc<str>,
    /// M-Pesa's name for the request.
    pub conversation_id: String,
    /// The receipt.
    pub receipt: String,
    /// Who was paid.
    pub phone: Msisdn,
    /// How much.
    pub amount: Amount,
    /// By which command.
    pub command: Command,
    /// What the payer has left.
    pub balance: Amount,
}

/// A movement of money, of whatever kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Its place in the ledger, from 1.
    pub seq: u64,
    /// When it moved.
    pub at: Timestamp,
    /// The name of the request.
    pub originator_conversation_id: Arc<str>,
    /// M-Pesa's name for the request.
    pub conversation_id: String,
    /// The receipt.
    pub receipt: String,
    /// What moved.
    pub movement: Movement,
    /// Whose money it was, or became: the phone at the other end, where there is one.
    pub phone: Option<Msisdn>,
    /// What the organisation's account then held.
    pub balance: Amount,
    /// The receipt of the reversal that gave it back.
    pub reversed_by: Option<String>,
}

/// What one phone has received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// In all.
    pub total: Amount,
    /// In so many payments.
    pub payments: u64,
}

/// A receipt that is set aside for a payment that has not moved yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    pub(super) number: u64,
    /// The receipt.
    pub receipt: String,
}
