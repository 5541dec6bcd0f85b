//! Where a payout stands. One variant per state, with only what is true there.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::inquiry::Inquiry;
use crate::domain::id::{
    AppId, BatchId, ConversationId, OriginatorConversationId, PayoutId, Receipt, RunId,
};
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, PersonName};
use crate::domain::time::Timestamp;

/// What the submitter wants kept beside a payout: names and values of his own.
pub type Metadata = BTreeMap<String, String>;

/// What was asked for. It never changes once the payout is taken.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Details {
    /// Ours, `po_…`.
    pub id: PayoutId,
    /// Who submitted it.
    pub app: AppId,
    /// What is to be paid, in Kenyan shillings.
    pub amount: Amount,
    /// Who is to be paid.
    pub phone: Msisdn,
    /// Which of M-Pesa's kinds of payment it is.
    pub command: Command,
    /// The submitter's own reference; may be empty.
    pub reference: String,
    /// What M-Pesa's `Remark` says; may be empty.
    pub remarks: String,
    /// What M-Pesa's `Occasion` says; may be empty.
    pub occasion: String,
    /// The submitter's own notes.
    pub metadata: Metadata,
    /// Which way it goes.
    pub rail: Rail,
    /// The batch that it came in.
    pub batch: Option<BatchId>,
    /// Its one name towards M-Pesa, for ever (law 1).
    pub originator_conversation_id: OriginatorConversationId,
    /// When it was taken.
    pub created_at: Timestamp,
}

/// A payout as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Payout {
    /// What was asked for.
    pub details: Details,
    /// Where it stands.
    pub state: State,
    /// When it last moved.
    pub updated_at: Timestamp,
}

/// A B2C command of M-Pesa's (spec/soap.md §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Command {
    /// Registered recipients only.
    BusinessPayment,
    /// Registered and unregistered recipients.
    SalaryPayment,
    /// Registered and unregistered recipients, with another text message.
    PromotionPayment,
    /// As `SalaryPayment`, and the payer covers the withdrawal fee.
    SalaryPaymentWithWithdrawalChargePaid,
    /// As `BusinessPayment`, and the payer covers the withdrawal fee.
    BusinessPaymentWithWithdrawalChargePaid,
    /// For banks.
    TransferFromBankToCustomer,
}

impl Command {
    /// Every command, in the order of spec/soap.md §3.3.
    pub const ALL: [Self; 6] = [
        Self::SalaryPayment,
        Self::BusinessPayment,
        Self::PromotionPayment,
        Self::SalaryPaymentWithWithdrawalChargePaid,
        Self::BusinessPaymentWithWithdrawalChargePaid,
        Self::TransferFromBankToCustomer,
    ];

    /// The `CommandID` on the wire, which is also its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BusinessPayment => "BusinessPayment",
            Self::SalaryPayment => "SalaryPayment",
            Self::PromotionPayment => "PromotionPayment",
            Self::SalaryPaymentWithWithdrawalChargePaid => "SalaryPaymentWithWithdrawalChargePaid",
            Self::BusinessPaymentWithWithdrawalChargePaid => {
                "BusinessPaymentWithWithdrawalChargePaid"
            }
            Self::TransferFromBankToCustomer => "TransferFromBankToCustomer",
        }
    }
}

/// A word that names no member of a closed list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be one of {0}")]
pub struct NotOneOf(pub String);

impl FromStr for Command {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<Self, NotOneOf> {
        Self::ALL
            .into_iter()
            .find(|command| command.as_str() == text)
            .ok_or_else(|| NotOneOf(Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// A way to M-Pesa.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Rail {
    /// The broker's SOAP interface.
    Soap,
    /// The Daraja REST API.
    Daraja,
}

impl Rail {
    /// Every rail.
    pub const ALL: [Self; 2] = [Self::Soap, Self::Daraja];

    /// Its name in the API and the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Soap => "soap",
            Self::Daraja => "daraja",
        }
    }
}

impl fmt::Display for Rail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Rail {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<Self, NotOneOf> {
        Self::ALL
            .into_iter()
            .find(|rail| rail.as_str() == text)
            .ok_or_else(|| NotOneOf(Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// Where a payout stands (contract, part 2; architecture, "A payout's life").
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// Held for a checker. Left by approval, rejection or expiry.
    AwaitingApproval {
        /// Which rule holds it.
        rule: String,
    },
    /// On disk, nothing sent. Left when a send starts, or by cancelling.
    Queued {
        /// When it may go.
        not_before: Timestamp,
        /// The sends so far; each is known to have taken nothing.
        tries: Tries,
    },
    /// A send has begun: on disk before the first byte leaves. Left by its answer, its failure
    /// or its lapse.
    Sending {
        /// The sends so far, this one included.
        tries: Tries,
        /// Who owns this one and how long.
        lease: Lease,
    },
    /// M-Pesa took the request. Left by its result, or when that is overdue.
    Accepted {
        /// The sends so far; the last was taken.
        tries: Tries,
        /// M-Pesa's name for it.
        conversation: Option<ConversationId>,
        /// When its result is overdue.
        overdue_at: Timestamp,
    },
    /// Money may or may not have moved. Left by evidence only: a result, a status answer, a
    /// statement line, or a named person's ruling.
    Unknown {
        /// The sends so far; the last may have been taken.
        tries: Tries,
        /// What made it doubtful: the latest word about it that says more than silence.
        why: Doubt,
        /// M-Pesa's name for it, if it gave one.
        conversation: Option<ConversationId>,
        /// Since when.
        since: Timestamp,
        /// Until when the request may still arrive at M-Pesa: that M-Pesa knows of none before
        /// then proves nothing.
        arrives_until: Timestamp,
        /// What M-Pesa was asked, and when it is to be asked next.
        inquiry: Inquiry,
    },
    /// M-Pesa says paid. Final.
    Succeeded {
        /// The receipt.
        receipt: Receipt,
        /// What is known of how it ended.
        settled: Settled,
        /// Who got it, as M-Pesa names him.
        recipient_name: Option<PersonName>,
        /// What M-Pesa says the charge was.
        charge: Option<Amount>,
    },
    /// Not paid and never will be. Final.
    Failed {
        /// Why.
        failure: Failure,
        /// What is known of how it ended.
        settled: Settled,
    },
    /// Stopped before anything was sent. Final.
    Cancelled {
        /// Why, in words.
        reason: String,
        /// When.
        completed_at: Timestamp,
    },
}

/// What became of the sends so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tries {
    /// How many sends have begun. The last one's number, too: 1 is the first.
    pub attempts: u32,
    /// How often in a row M-Pesa said that it is too busy.
    pub busy: u32,
    /// How often in a row not one byte could leave.
    pub unreachable: u32,
    /// How often M-Pesa, asked about it, knew no such transaction, so that it was sent again.
    pub not_found: u32,
    /// How many questions were asked about it. The last one's number, too: 1 is the first.
    pub questions: u32,
    /// Since when M-Pesa may know it: when the first send began that is not proven to have taken
    /// nothing.
    pub sent_at: Option<Timestamp>,
}

impl Tries {
    /// Before the first send.
    pub const NONE: Self =
        Self { attempts: 0, busy: 0, unreachable: 0, not_found: 0, questions: 0, sent_at: None };

    /// After proof that the last send took nothing.
    pub(super) const fn none_taken(self) -> Self {
        // An earlier send was once in doubt: M-Pesa may know the payout from then on.
        let sent_at = if self.not_found == 0 { None } else { self.sent_at };
        Self { sent_at, ..self }
    }
}

/// Who owns a send, and until when (law 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lease {
    /// The run of the program that sends.
    pub owner: RunId,
    /// When nobody owns it any more.
    pub until: Timestamp,
}

/// How a payout ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settled {
    /// M-Pesa's name for it, if it gave one.
    pub conversation: Option<ConversationId>,
    /// When it became final here.
    pub completed_at: Timestamp,
    /// When M-Pesa says that it was done.
    pub mpesa_completed_at: Option<Timestamp>,
    /// How many sends had begun.
    pub attempts: u32,
}

/// Why a payout failed (contract, part 2).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// Who said so.
    pub stage: Stage,
    /// M-Pesa's code, verbatim.
    pub code: String,
    /// In words: M-Pesa's own, or the table's.
    pub description: String,
    /// Whether a new payout with the same details makes sense.
    pub retryable: bool,
}

/// Which message settled a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// The answer to the request.
    Request,
    /// The result.
    Result,
    /// An inquiry, a statement or a person.
    Inquiry,
}

impl Stage {
    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Result => "result",
            Self::Inquiry => "inquiry",
        }
    }
}

/// What made a payout doubtful.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Doubt {
    /// Bytes left and no answer came.
    NoAnswer,
    /// The answer does not say whether the request was taken: an unknown code, a Fault, a page.
    Answer {
        /// The code, if there was one.
        code: String,
    },
    /// The broker holds the request and will pass it on.
    Cached,
    /// The broker gave up on a request that it held.
    QueueTimeout,
    /// M-Pesa says that it knew this id before.
    Duplicate,
    /// The result did not come in time.
    ResultOverdue,
    /// Somebody wanted M-Pesa asked before the result was overdue.
    AskedEarly,
    /// The result does not say whether money moved.
    Result {
        /// Its code.
        code: String,
    },
    /// The program stopped while it was sending.
    LeaseLapsed,
    /// M-Pesa refused a further send for certain, while an earlier one may still arrive.
    RefusedLater {
        /// The refusal's code.
        code: String,
        /// Its words.
        description: String,
    },
    /// M-Pesa speaks of a payment, but not of this one: another amount, another payee, no receipt.
    Mismatch {
        /// What differs, in words without personal data.
        what: String,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("bytes left and no answer came"),
            Self::Answer { code } if code.is_empty() => {
                f.write_str("the answer does not say whether M-Pesa took the request")
            }
            Self::Answer { code } => {
                write!(f, "the answer's code {code} does not say whether M-Pesa took the request")
            }
            Self::Cached => f.write_str("the broker holds the request and will pass it on"),
            Self::QueueTimeout => f.write_str("the broker gave up on the request that it held"),
            Self::Duplicate => f.write_str("M-Pesa says that it was sent this id before"),
            Self::ResultOverdue => f.write_str("the result did not come in time"),
            Self::AskedEarly => f.write_str("somebody wanted to know before the result was due"),
            Self::Result { code } => {
                write!(f, "the result's code {code} does not say whether money moved")
            }
            Self::LeaseLapsed => f.write_str("the program stopped while it was sending"),
            Self::RefusedLater { code, .. } => {
                write!(f, "a further send was refused with {code}; an earlier one may still arrive")
            }
            Self::Mismatch { what } => write!(f, "M-Pesa speaks of another payment: {what}"),
        }
    }
}

/// The contract's word for a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Held for a checker.
    AwaitingApproval,
    /// On disk, nothing sent.
    Queued,
    /// A send has begun.
    Sending,
    /// M-Pesa took the request.
    Accepted,
    /// Money may or may not have moved.
    Unknown,
    /// Paid.
    Succeeded,
    /// Not paid, for ever.
    Failed,
    /// Stopped before anything was sent.
    Cancelled,
}

impl Status {
    /// Every status, in the order of a payout's life.
    pub const ALL: [Self; 8] = [
        Self::AwaitingApproval,
        Self::Queued,
        Self::Sending,
        Self::Accepted,
        Self::Unknown,
        Self::Succeeded,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingApproval => "awaiting_approval",
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Unknown => "unknown",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// One letter that stands for it in the store's keys. Never changed once shipped.
    pub const fn letter(self) -> u8 {
        match self {
            Self::AwaitingApproval => b'a',
            Self::Queued => b'q',
            Self::Sending => b's',
            Self::Accepted => b't',
            Self::Unknown => b'u',
            Self::Succeeded => b'p',
            Self::Failed => b'f',
            Self::Cancelled => b'c',
        }
    }

    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

impl FromStr for Status {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<Self, NotOneOf> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| NotOneOf(Self::ALL.map(Self::as_str).join(", ")))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl State {
    /// The contract's word for it.
    pub const fn status(&self) -> Status {
        match self {
            Self::AwaitingApproval { .. } => Status::AwaitingApproval,
            Self::Queued { .. } => Status::Queued,
            Self::Sending { .. } => Status::Sending,
            Self::Accepted { .. } => Status::Accepted,
            Self::Unknown { .. } => Status::Unknown,
            Self::Succeeded { .. } => Status::Succeeded,
            Self::Failed { .. } => Status::Failed,
            Self::Cancelled { .. } => Status::Cancelled,
        }
    }

    /// M-Pesa's name for the payment, once it is known.
    pub const fn conversation(&self) -> Option<&ConversationId> {
        match self {
            Self::Accepted { conversation, .. } | Self::Unknown { conversation, .. } => {
                conversation.as_ref()
            }
            Self::Succeeded { settled, .. } | Self::Failed { settled, .. } => {
                settled.conversation.as_ref()
            }
            Self::AwaitingApproval { .. }
            | Self::Queued { .. }
            | Self::Sending { .. }
            | Self::Cancelled { .. } => None,
        }
    }

    /// How many sends have begun.
    pub const fn attempts(&self) -> u32 {
        match self {
            Self::AwaitingApproval { .. } | Self::Cancelled { .. } => 0,
            Self::Queued { tries, .. }
            | Self::Sending { tries, .. }
            | Self::Accepted { tries, .. }
            | Self::Unknown { tries, .. } => tries.attempts,
            Self::Succeeded { settled, .. } | Self::Failed { settled, .. } => settled.attempts,
        }
    }

    /// The receipt, once it is paid.
    pub const fn receipt(&self) -> Option<&Receipt> {
        match self {
            Self::Succeeded { receipt, .. } => Some(receipt),
            Self::AwaitingApproval { .. }
            | Self::Queued { .. }
            | Self::Sending { .. }
            | Self::Accepted { .. }
            | Self::Unknown { .. }
            | Self::Failed { .. }
            | Self::Cancelled { .. } => None,
        }
    }

    /// When it became final.
    pub const fn completed_at(&self) -> Option<Timestamp> {
        match self {
            Self::Succeeded { settled, .. } | Self::Failed { settled, .. } => {
                Some(settled.completed_at)
            }
            Self::Cancelled { completed_at, .. } => Some(*completed_at),
            Self::AwaitingApproval { .. }
            | Self::Queued { .. }
            | Self::Sending { .. }
            | Self::Accepted { .. }
            | Self::Unknown { .. } => None,
        }
    }

    /// When the clock, and nothing else, moves it next.
    pub const fn wakes_at(&self) -> Option<Timestamp> {
        match self {
            Self::Queued { not_before, .. } => Some(*not_before),
            Self::Sending { lease, .. } => Some(lease.until),
            Self::Accepted { overdue_at, .. } => Some(*overdue_at),
            Self::Unknown { inquiry, .. } => Some(inquiry.ask_at),
            Self::AwaitingApproval { .. }
            | Self::Succeeded { .. }
            | Self::Failed { .. }
            | Self::Cancelled { .. } => None,
        }
    }
}

impl Payout {
    /// A payout as it is taken: queued, nothing sent.
    pub const fn queued(details: Details) -> Self {
        let created_at = details.created_at;
        // At once, and not "from then on": a clock that is set back must not hold it up.
        let state = State::Queued { not_before: Timestamp::EPOCH, tries: Tries::NONE };
        Self { details, state, updated_at: created_at }
    }

    /// The contract's word for where it stands.
    pub const fn status(&self) -> Status {
        self.state.status()
    }
}
