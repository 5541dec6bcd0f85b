//! What can happen to a payment, as facts: what the wire said is already read here.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::notice::{C2bNotice, PayerPhone};
use super::state::{Claim, Origin, Payment, Prompt, Source};
use crate::domain::account::Balance;
use crate::domain::id::{CheckoutRequestId, MerchantRequestId, PaymentId, Receipt};
use crate::domain::money::Amount;
use crate::domain::outcome::{self, AnswerClass, StkClass};
use crate::domain::party::PersonName;
use crate::domain::payout::{Lease, Ruling, WhyNoAnswer, WhyNothingSent};
use crate::domain::time::Timestamp;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A prompt is about to be sent: committed before the first byte leaves. It may come too late:
    /// then the payment fails instead, and there is no `Transmit` among the effects.
    SendStarted {
        /// Who sends, and how long he owns it.
        lease: Lease,
    },
    /// M-Pesa answered the request of this attempt.
    Answered {
        /// Which send.
        attempt: u32,
        /// What the answer says.
        answer: AnswerFacts,
    },
    /// Proof that not one byte of this attempt left.
    NothingSent {
        /// Which send.
        attempt: u32,
        /// What stood in the way.
        why: WhyNothingSent,
    },
    /// Bytes of this attempt may have left, and nothing readable came back.
    NoAnswer {
        /// Which send.
        attempt: u32,
        /// What happened.
        why: WhyNoAnswer,
    },
    /// The time of a send is over and its owner is gone.
    LeaseLapsed {
        /// Whose lease: a lease that was taken since is another.
        lease: Lease,
    },
    /// The callback of the prompt (spec/daraja.md §2.1).
    CallbackArrived {
        /// What it says.
        facts: StkFacts,
        /// Whose its receipt is in the book.
        holder: Holder,
    },
    /// Somebody wants M-Pesa asked now.
    AskWanted,
    /// M-Pesa is about to be asked: committed before the question leaves, so that each question
    /// has a number of its own. Also what the clock brings where M-Pesa cannot be asked.
    QuerySent,
    /// Proof that a question did not reach M-Pesa.
    QueryNotSent {
        /// Which question.
        nth: u32,
    },
    /// M-Pesa answered a question (spec/daraja.md §1.3).
    QueryAnswered {
        /// Which question.
        nth: u32,
        /// What the answer says.
        facts: QueryFacts,
        /// A C2B payment in the book that is this money, where the answer says that it is paid and
        /// one fits (`would_adopt`).
        holder: Holder,
    },
    /// M-Pesa's confirmation of a C2B payment with this payment's receipt, or of one that it
    /// adopts.
    Confirmed {
        /// What it says.
        told: Confirmation,
        /// Whose its receipt is in the book.
        holder: Holder,
    },
    /// A C2B payment turned out to be the money of an STK payment, which takes it over in the same
    /// commit.
    Joined {
        /// That payment.
        to: PaymentId,
    },
    /// A named person ruled, with evidence.
    Ruled {
        /// What was ruled.
        ruling: Ruling,
        /// Whose the receipt of the ruling is in the book.
        holder: Holder,
    },
}

impl Event {
    /// A word for tables, metrics and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::SendStarted { .. } => "send_started",
            Self::Answered { .. } => "answered",
            Self::NothingSent { .. } => "nothing_sent",
            Self::NoAnswer { .. } => "no_answer",
            Self::LeaseLapsed { .. } => "lease_lapsed",
            Self::CallbackArrived { .. } => "callback_arrived",
            Self::AskWanted => "ask_wanted",
            Self::QuerySent => "query_sent",
            Self::QueryNotSent { .. } => "query_not_sent",
            Self::QueryAnswered { .. } => "query_answered",
            Self::Confirmed { .. } => "confirmed",
            Self::Joined { .. } => "joined",
            Self::Ruled { .. } => "ruled",
        }
    }
}

/// What the answer to a push says (spec/daraja.md §1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerFacts {
    /// `ResponseCode`, or the error's stable code.
    pub code: String,
    /// In words, cut to a length that can be shown.
    pub description: String,
    /// `MerchantRequestID`.
    pub merchant: Option<MerchantRequestId>,
    /// `CheckoutRequestID`.
    pub checkout: Option<CheckoutRequestId>,
}

impl AnswerFacts {
    /// What follows from it: `domain::outcome`'s word for the code.
    pub fn class(&self) -> AnswerClass {
        outcome::answer(&self.code).class
    }

    /// M-Pesa's names for the prompt, if the answer holds the one that matters.
    pub fn prompt(&self) -> Option<Prompt> {
        let merchant = self.merchant.clone();
        self.checkout.clone().map(|checkout| Prompt { merchant, checkout })
    }
}

/// What the callback of a prompt says (spec/daraja.md §2.1).
///
/// The payer's phone is not in it: whatever M-Pesa shows there is for people, and never a key
/// (spec/daraja.md §0.7).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StkFacts {
    /// `ResultCode`, verbatim.
    pub code: String,
    /// `ResultDesc`, cut to a length that can be shown.
    pub description: String,
    /// `MerchantRequestID`.
    pub merchant: Option<MerchantRequestId>,
    /// `CheckoutRequestID`.
    pub checkout: Option<CheckoutRequestId>,
    /// `MpesaReceiptNumber`.
    pub receipt: Option<Receipt>,
    /// `Amount`.
    pub amount: Option<Amount>,
    /// `TransactionDate`.
    pub paid_at: Option<Timestamp>,
    /// `Balance`, where it has a value.
    pub balance: Option<Balance>,
    /// What in it does not fit together, in words without personal data; what is paid with it is
    /// not believed.
    pub odd: Option<String>,
}

impl StkFacts {
    /// What follows from it.
    pub fn class(&self) -> StkClass {
        outcome::stk(&self.code).class
    }
}

/// What the answer to a query says (spec/daraja.md §1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueryFacts {
    /// `ResponseCode`, or the error's stable code: about the question.
    pub code: String,
    /// `ResultCode`, verbatim: about the payment. `None` in an error.
    pub result: Option<String>,
    /// In words, cut to a length that can be shown.
    pub description: String,
    /// `CheckoutRequestID`, where the answer names it.
    pub checkout: Option<CheckoutRequestId>,
}

impl QueryFacts {
    /// What it says of the payment: nothing, unless the question was answered and the word is one
    /// of those that are known to be final.
    pub fn class(&self) -> StkClass {
        match &self.result {
            Some(code) if outcome::is_success(&self.code) => outcome::stk(code).class,
            Some(_) | None => StkClass::Unknown,
        }
    }
}

/// What M-Pesa says of a payment that it has confirmed.
///
/// `Debug` hides what the payer typed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// The receipt.
    pub receipt: Receipt,
    /// When it was paid, as M-Pesa says.
    pub paid_at: Option<Timestamp>,
    /// How much.
    pub amount: Amount,
    /// Our number that it was paid to.
    pub shortcode: String,
    /// What the payer typed, or the reference of the prompt; blank for a till.
    pub account: String,
    /// The payer's phone, as far as it is shown.
    pub phone: PayerPhone,
    /// The payer's name, as far as it is shown.
    pub payer_name: Option<PersonName>,
    /// What the organisation's account held afterwards.
    pub balance: Option<Balance>,
    /// Who says so: a confirmation, or the list of payments that M-Pesa was asked for.
    pub by: Source,
}

impl fmt::Debug for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Confirmation")
            .field("receipt", &self.receipt)
            .field("paid_at", &self.paid_at)
            .field("amount", &self.amount)
            .field("shortcode", &self.shortcode)
            .field("by", &self.by)
            .finish_non_exhaustive()
    }
}

impl Confirmation {
    /// What `notice` says; `by` says how it came.
    pub fn of(notice: &C2bNotice, by: Source) -> Self {
        Self {
            receipt: notice.receipt.clone(),
            paid_at: notice.time,
            amount: notice.amount,
            shortcode: notice.shortcode.clone(),
            account: notice.account.trim().to_owned(),
            phone: notice.payer.phone.clone(),
            payer_name: notice.payer.full_name(),
            balance: notice.balance,
            by,
        }
    }

    /// What is known of a C2B payment that is in the book; `None` of any other.
    pub fn of_payment(payment: &Payment) -> Option<Self> {
        let Origin::C2b { phone, .. } = &payment.details.origin else {
            return None;
        };
        let paid = payment.state.paid()?;
        Some(Self {
            receipt: paid.receipt.clone()?,
            paid_at: Some(paid.paid_at),
            amount: payment.details.amount,
            shortcode: payment.details.shortcode.clone(),
            account: payment.details.account.clone(),
            phone: phone.clone(),
            payer_name: paid.payer_name.clone(),
            balance: paid.balance,
            by: paid.by,
        })
    }
}

/// Whose a receipt is in the book, besides the payment that something happens to. One receipt is
/// one payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holder {
    /// Nobody's, or this payment's own.
    #[default]
    Nobody,
    /// A C2B payment's, which is the same money and can be joined to this one.
    C2b(Box<Joining>),
    /// Another payment's, and it cannot be joined.
    Another,
}

/// A C2B payment that is to be joined to an STK payment, because it is the same money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joining {
    /// The C2B payment.
    pub from: PaymentId,
    /// What is known of it.
    pub told: Confirmation,
    /// Who delivered for it.
    pub claim: Option<Claim>,
}
