//! What can happen to a payout, as facts: what the wire said is already classified here.

use serde::{Deserialize, Serialize};

use super::state::Lease;
use crate::domain::id::{ConversationId, Receipt};
use crate::domain::money::Amount;
use crate::domain::outcome::{self, AnswerClass, QueryClass, ResultClass};
use crate::domain::party::{Msisdn, PersonName};
use crate::domain::time::Timestamp;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A checker approved it.
    Approved,
    /// A checker rejected it.
    Rejected {
        /// Why, in the checker's words.
        reason: String,
    },
    /// Nobody approved it in time.
    ApprovalExpired,
    /// Its submitter wants it stopped.
    CancelAsked,
    /// A send is about to begin: committed before the first byte leaves (law 2).
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
    /// M-Pesa's result.
    ResultArrived(ResultFacts),
    /// The result of an accepted payout is overdue.
    ResultOverdue,
    /// The broker gave up on a request that it held (spec/soap.md §5.6).
    QueueTimedOut,
    /// Somebody wants M-Pesa asked now.
    AskWanted,
    /// M-Pesa is about to be asked what became of it: committed before the question leaves, so
    /// that each question has a number of its own.
    InquirySent,
    /// M-Pesa took or refused a question. It says nothing about the payment.
    InquiryReplied {
        /// Which question.
        nth: u32,
        /// What the answer says.
        answer: AnswerFacts,
    },
    /// Proof that a question did not reach M-Pesa.
    InquiryNotSent {
        /// Which question.
        nth: u32,
        /// What stood in the way; `None` when the broker gave up on it.
        why: Option<WhyNothingSent>,
    },
    /// M-Pesa says what it knows of the payment.
    InquiryAnswered(InquiryAnswer),
    /// A line of M-Pesa's own statement shows it.
    StatementShows(StatementFacts),
    /// A named person ruled, with evidence.
    Ruled(Ruling),
    /// The request of a queued payout is not as our own rules for requests want it, so that it is
    /// not sent: no send began, and none will.
    Unfit {
        /// What is wrong with it, in words without values.
        why: String,
    },
}

impl Event {
    /// A word for tables, metrics and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected { .. } => "rejected",
            Self::ApprovalExpired => "approval_expired",
            Self::CancelAsked => "cancel_asked",
            Self::SendStarted { .. } => "send_started",
            Self::Answered { .. } => "answered",
            Self::NothingSent { .. } => "nothing_sent",
            Self::NoAnswer { .. } => "no_answer",
            Self::LeaseLapsed { .. } => "lease_lapsed",
            Self::ResultArrived(_) => "result_arrived",
            Self::ResultOverdue => "result_overdue",
            Self::QueueTimedOut => "queue_timed_out",
            Self::AskWanted => "ask_wanted",
            Self::InquirySent => "inquiry_sent",
            Self::InquiryReplied { .. } => "inquiry_replied",
            Self::InquiryNotSent { .. } => "inquiry_not_sent",
            Self::InquiryAnswered(_) => "inquiry_answered",
            Self::StatementShows(_) => "statement_shows",
            Self::Ruled(_) => "ruled",
            Self::Unfit { .. } => "unfit",
        }
    }
}

/// What a synchronous answer says (spec/soap.md §4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerFacts {
    /// `ResponseCode`, verbatim, cut where it is longer than any code; empty when the answer had
    /// none that could be read.
    pub code: String,
    /// `ResponseDesc`, or what came instead, cut to a length that can be shown.
    pub description: String,
    /// M-Pesa's name for the request.
    pub conversation: Option<ConversationId>,
}

impl AnswerFacts {
    /// What follows from it: `domain::outcome`'s word for the code.
    pub fn class(&self) -> AnswerClass {
        outcome::answer(&self.code).class
    }
}

/// What a result says (spec/soap.md §5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultFacts {
    /// `ResultCode`, verbatim; cut, where it is longer than any code.
    pub code: String,
    /// `ResultDesc`, cut to a length that can be shown.
    pub description: String,
    /// `ResultType` 1: more messages follow.
    pub waiting: bool,
    /// M-Pesa's name for the payment.
    pub conversation: Option<ConversationId>,
    /// `TransactionID`, or the parameter `TransactionReceipt`.
    pub receipt: Option<Receipt>,
    /// The amount that M-Pesa says it moved.
    pub amount: Option<Amount>,
    /// The phone that M-Pesa says it paid, where it shows all of it.
    pub payee: Option<Msisdn>,
    /// Who that is.
    pub recipient_name: Option<PersonName>,
    /// What the withdrawal charge was.
    pub charge: Option<Amount>,
    /// When M-Pesa says that it was done.
    pub completed_at: Option<Timestamp>,
    /// What in it does not fit together, in words without personal data; a paid result with it is
    /// not believed.
    pub odd: Option<String>,
}

impl ResultFacts {
    /// What follows from it.
    pub fn class(&self) -> ResultClass {
        if self.waiting { ResultClass::Pending } else { outcome::result(&self.code).class }
    }
}

/// What stood in the way before the first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WhyNothingSent {
    /// The request could not be built or the rail is not ready.
    NotReady,
    /// The broker's name did not resolve.
    Resolve,
    /// No connection.
    Connect,
    /// No connection in time.
    ConnectTimeout,
    /// The connection ended, or time ran out, before the first byte was handed to it.
    ClosedBeforeFirstByte,
    /// M-Pesa gave us no access token, without which it takes nothing.
    NoToken,
}

impl WhyNothingSent {
    /// In words.
    pub const fn says(self) -> &'static str {
        match self {
            Self::NotReady => "the request could not be made ready",
            Self::Resolve => "the broker's name did not resolve",
            Self::Connect => "the broker could not be connected to",
            Self::ConnectTimeout => "the broker could not be connected to in time",
            Self::ClosedBeforeFirstByte => "the connection ended before the first byte",
            Self::NoToken => "M-Pesa gave no access token",
        }
    }

    /// In words for whoever asked for what was given up at last because of it.
    pub const fn kept_from_sending(self) -> &'static str {
        match self {
            Self::NotReady => "the request could not be made ready",
            Self::NoToken => {
                "M-Pesa gave the gateway no access token; its log says whether the consumer key \
                 was refused"
            }
            Self::Resolve | Self::Connect | Self::ConnectTimeout | Self::ClosedBeforeFirstByte => {
                "M-Pesa could not be reached"
            }
        }
    }
}

/// What happened after the first byte may have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum WhyNoAnswer {
    /// Time ran out.
    Timeout,
    /// The connection ended.
    Closed,
    /// The answer is longer than any answer.
    TooLong,
}

impl WhyNoAnswer {
    /// In words.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Timeout => "no answer came in time",
            Self::Closed => "the connection ended before an answer",
            Self::TooLong => "the answer was longer than any answer may be",
        }
    }
}

/// The result of a status query. Its two levels are kept apart (law 6; spec/soap.md §5.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryAnswer {
    /// Which question it answers; `None` when it came under the payment's own name.
    pub nth: Option<u32>,
    /// The query's `ResultCode`, verbatim: whether the question could be answered.
    pub code: String,
    /// The query's `ResultDesc`.
    pub description: String,
    /// `ResultType` 1: more messages follow.
    pub waiting: bool,
    /// What it says of the payment, if it says anything.
    pub payment: Option<InquiryFacts>,
}

impl InquiryAnswer {
    /// What the query's own level says.
    pub fn class(&self) -> QueryClass {
        if self.waiting { QueryClass::Unanswered } else { outcome::query(&self.code).class }
    }
}

/// What M-Pesa says of a payment that it was asked about: the payment's level of an answer (law 6;
/// spec/soap.md §5.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InquiryFacts {
    /// `TransactionStatus`.
    pub status: TransactionStatus,
    /// `ReceiptNo`.
    pub receipt: Option<Receipt>,
    /// `Amount`.
    pub amount: Option<Amount>,
    /// Who was paid, where it is shown whole.
    pub payee: Option<Msisdn>,
    /// Who that is.
    pub recipient_name: Option<PersonName>,
    /// The OriginatorConversationID of the payment, where the answer names it.
    pub originator: Option<String>,
    /// M-Pesa's name for the payment, where the answer names it.
    pub conversation: Option<ConversationId>,
    /// When it was done.
    pub completed_at: Option<Timestamp>,
    /// What in it does not fit together, in words without personal data; a completed payment with
    /// it is not believed.
    pub odd: Option<String>,
}

/// `TransactionStatus` of a status query (spec/soap.md §5.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransactionStatus {
    /// Money moved.
    Completed,
    /// It will not move.
    Cancelled,
    /// It will not move.
    Declined,
    /// It will not move.
    Expired,
    /// `Authorized`, `Pending Authorized`, `Initiated`: it may still move.
    InProgress,
    /// A word that the spec does not list: it says nothing.
    Other(String),
}

impl TransactionStatus {
    /// M-Pesa's word for it.
    pub fn word(&self) -> &str {
        match self {
            Self::Completed => "Completed",
            Self::Cancelled => "Cancelled",
            Self::Declined => "Declined",
            Self::Expired => "Expired",
            Self::InProgress => "in progress",
            Self::Other(word) => word,
        }
    }
}

/// What is done when M-Pesa knows no such transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NotFoundRule {
    /// Send again, under the same OriginatorConversationID.
    Resend,
    /// Call it failed.
    Fail,
    /// Ask a person.
    Person,
}

/// What a statement line shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementFacts {
    /// The receipt.
    pub receipt: Receipt,
    /// The amount.
    pub amount: Amount,
    /// When it was done.
    pub completed_at: Option<Timestamp>,
}

/// A named person's ruling on a doubtful payout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ruling {
    /// Who.
    pub by: String,
    /// Paid, with its receipt; or not paid.
    pub receipt: Option<Receipt>,
    /// Why, and on what evidence.
    pub reason: String,
}
