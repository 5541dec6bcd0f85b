//! What can happen to an inquiry, as facts: what the wire said is already read here.

use serde::{Deserialize, Serialize};

use super::kind::{Balances, Kind, Picture};
use super::state::Names;
use crate::domain::id::Receipt;
use crate::domain::money::Amount;
use crate::domain::outcome::{self, AnswerClass, QueryClass, ResultClass};
use crate::domain::payout::{
    InquiryAnswer, InquiryFacts, Lease, Ruling, WhyNoAnswer, WhyNothingSent,
};
use crate::domain::time::Timestamp;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
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
    /// M-Pesa's result (spec/daraja.md §2.3; spec/soap.md §5).
    ResultArrived(ResultFacts),
    /// The result of an accepted request is overdue.
    ResultOverdue,
    /// M-Pesa gave up on a request that it held (spec/daraja.md §2.4).
    QueueTimedOut,
    /// Somebody wants M-Pesa asked now what became of it.
    AskWanted,
    /// M-Pesa is about to be asked what became of it: committed before the question leaves, so
    /// that each question has a number of its own. Also what the clock brings where M-Pesa cannot
    /// be asked.
    QuestionSent,
    /// Proof that a question did not reach M-Pesa.
    QuestionNotSent {
        /// Which question.
        nth: u32,
    },
    /// M-Pesa took or refused a question. It says nothing about the money.
    QuestionReplied {
        /// Which question.
        nth: u32,
        /// What the answer says.
        answer: AnswerFacts,
    },
    /// M-Pesa says what it knows of the transaction.
    QuestionAnswered(InquiryAnswer),
    /// A named person ruled, with evidence.
    Ruled(Ruling),
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
            Self::ResultArrived(_) => "result_arrived",
            Self::ResultOverdue => "result_overdue",
            Self::QueueTimedOut => "queue_timed_out",
            Self::AskWanted => "ask_wanted",
            Self::QuestionSent => "question_sent",
            Self::QuestionNotSent { .. } => "question_not_sent",
            Self::QuestionReplied { .. } => "question_replied",
            Self::QuestionAnswered(_) => "question_answered",
            Self::Ruled(_) => "ruled",
        }
    }
}

/// What a synchronous answer says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerFacts {
    /// `ResponseCode`, or the error's stable code.
    pub code: String,
    /// In words, cut to a length that can be shown.
    pub description: String,
    /// M-Pesa's names for the request.
    pub names: Names,
    /// The picture that it brought, where one was asked for.
    pub picture: Option<Picture>,
}

impl AnswerFacts {
    /// What follows from it: `domain::outcome`'s word for the code.
    pub fn class(&self) -> AnswerClass {
        outcome::answer(&self.code).class
    }
}

/// What a result says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultFacts {
    /// `ResultCode`, verbatim.
    pub code: String,
    /// `ResultDesc`, cut to a length that can be shown.
    pub description: String,
    /// `ResultType` 1: more messages follow.
    pub waiting: bool,
    /// M-Pesa's names for the request.
    pub names: Names,
    /// The receipt of the money that moved; never M-Pesa's generic one (spec/daraja.md §2.3).
    pub receipt: Option<Receipt>,
    /// How much moved.
    pub amount: Option<Amount>,
    /// What M-Pesa charged.
    pub charge: Option<Amount>,
    /// When it was done.
    pub completed_at: Option<Timestamp>,
    /// Of a transaction that was looked up: what M-Pesa says of it (law 6).
    pub status: Option<InquiryFacts>,
    /// Of a balance.
    pub balances: Option<Balances>,
    /// What in it does not fit together, in words without personal data; money that moved with it
    /// is not believed.
    pub odd: Option<String>,
}

impl ResultFacts {
    /// What it says of an inquiry of this kind: done, not done, not yet, or nothing.
    pub fn class(&self, kind: &Kind) -> ResultClass {
        if self.waiting {
            return ResultClass::Pending;
        }
        match (kind, self.code.as_str()) {
            // The result is about the query (law 6): that nothing was found is its answer.
            (Kind::TransactionStatus(_), code)
                if outcome::query(code).class == QueryClass::NotFound =>
            {
                ResultClass::NotPaid
            }
            // A reversal's own words: this one moved nothing (spec/daraja.md §3.3).
            (Kind::Reversal(_), "R000001" | "R000002") => ResultClass::NotPaid,
            (_, code) => outcome::result(code).class,
        }
    }
}
