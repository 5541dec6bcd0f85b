//! Where an inquiry stands. One variant per state, with only what is true there.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::kind::{Answer, Kind};
use crate::domain::id::{AppId, ConversationId, InquiryId};
use crate::domain::party::ShortCode;
use crate::domain::payout::{CaseKind, Lease, NotOneOf, Rail, Stage};
use crate::domain::time::Timestamp;

/// What was asked for. It never changes once the inquiry is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// Ours, `inq_…`.
    pub id: InquiryId,
    /// Who asked; `None` for what the gateway asks of itself.
    pub app: Option<AppId>,
    /// What is asked, with its parameters.
    pub kind: Kind,
    /// Which way it goes.
    pub rail: Rail,
    /// Our number that it is about.
    pub shortcode: ShortCode,
    /// When it was taken.
    pub created_at: Timestamp,
}

/// Something asked of M-Pesa, as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inquiry {
    /// What was asked for.
    pub details: Details,
    /// Where it stands.
    pub state: State,
    /// When it last moved.
    pub updated_at: Timestamp,
}

/// Where an inquiry stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// On disk, nothing sent, or nothing taken. Left when a send starts.
    Queued {
        /// When it may go.
        not_before: Timestamp,
        /// The sends so far.
        tries: Tries,
    },
    /// A send has begun: on disk before the first byte leaves. Left by its answer, its failure or
    /// its lapse.
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
        /// M-Pesa's names for it.
        names: Names,
        /// When its result is overdue.
        overdue_at: Timestamp,
    },
    /// Money may or may not have moved. Left by a result, by what M-Pesa says of the transaction,
    /// or by a named person's ruling; never by another send.
    Unknown {
        /// The sends so far; the last may have been taken.
        tries: Tries,
        /// What made it doubtful.
        why: Doubt,
        /// M-Pesa's names for it, as far as they are known.
        names: Names,
        /// Since when.
        since: Timestamp,
        /// What M-Pesa was asked about it, and when it is to be asked next.
        asking: Asking,
    },
    /// Answered. Final.
    Succeeded {
        /// What M-Pesa says.
        answer: Answer,
        /// How it ended.
        settled: Settled,
    },
    /// Not done and never will be. Final.
    Failed {
        /// Why.
        failure: Failure,
        /// How it ended.
        settled: Settled,
    },
}

/// M-Pesa's names for a request (spec/daraja.md §9).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Names {
    /// `ConversationID`.
    pub conversation: Option<ConversationId>,
    /// `OriginatorConversationID`: Daraja's own making, except where the request carried ours.
    pub originator: Option<ConversationId>,
}

impl Names {
    /// A name by which M-Pesa can be asked about it (spec/daraja.md §1.9).
    pub fn any(&self) -> Option<&ConversationId> {
        self.conversation.as_ref().or(self.originator.as_ref())
    }
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
    /// How often it was asked anew because an answer or a result was lost; only of kinds that
    /// move no money.
    pub lost: u32,
    /// How many questions were asked about it. The last one's number, too: 1 is the first.
    pub questions: u32,
}

impl Tries {
    /// Before the first send.
    pub const NONE: Self = Self { attempts: 0, busy: 0, unreachable: 0, lost: 0, questions: 0 };
}

/// What M-Pesa was asked about an inquiry that moves money, and when it is to be asked next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Asking {
    /// When to ask next, or to call a person where it cannot be asked; `None` once that is over.
    pub ask_at: Option<Timestamp>,
    /// How many questions reached M-Pesa, or may have.
    pub asked: u32,
    /// The number of the last question, unless M-Pesa has not got it.
    pub last: Option<u32>,
    /// When it was put.
    pub last_at: Option<Timestamp>,
    /// Why a person was called last.
    pub called: Option<CaseKind>,
}

impl Asking {
    /// Nothing asked yet.
    pub const fn first_at(ask_at: Timestamp) -> Self {
        Self { ask_at: Some(ask_at), asked: 0, last: None, last_at: None, called: None }
    }
}

/// How an inquiry ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settled {
    /// When it became final here.
    pub at: Timestamp,
    /// M-Pesa's names for it, as far as they are known.
    pub names: Names,
    /// The sends that had begun.
    pub tries: Tries,
}

/// Why an inquiry failed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Failure {
    /// Which message settled it.
    pub stage: Stage,
    /// M-Pesa's code, verbatim, or a word of ours.
    pub code: String,
    /// In words: M-Pesa's own, or the table's.
    pub description: String,
    /// Whether the same asked again makes sense.
    pub retryable: bool,
}

/// What made an inquiry doubtful.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Doubt {
    /// Bytes left and no answer came.
    NoAnswer,
    /// The answer does not say whether the request was taken.
    Answer {
        /// Its code, if there was one.
        code: String,
    },
    /// The program stopped while it was sending.
    LeaseLapsed,
    /// M-Pesa gave up on a request that it held.
    QueueTimeout,
    /// The result did not come in time.
    ResultOverdue,
    /// The result does not say whether money moved.
    Result {
        /// Its code.
        code: String,
    },
    /// M-Pesa speaks of money that moved, but not of this: another amount, no receipt.
    Mismatch {
        /// What differs, in words without personal data.
        what: String,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer => f.write_str("bytes left and no answer came"),
            Self::Answer { code } => {
                write!(f, "the answer ({code}) does not say whether M-Pesa took the request")
            }
            Self::LeaseLapsed => f.write_str("the program stopped while it was sending"),
            Self::QueueTimeout => f.write_str("M-Pesa gave up on the request that it held"),
            Self::ResultOverdue => f.write_str("the result did not come in time"),
            Self::Result { code } => {
                write!(f, "the result's code {code} does not say whether money moved")
            }
            Self::Mismatch { what } => write!(f, "M-Pesa speaks of another transaction: {what}"),
        }
    }
}

/// The word for a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// On disk, nothing sent.
    Queued,
    /// A send has begun.
    Sending,
    /// M-Pesa took the request.
    Accepted,
    /// Money may or may not have moved.
    Unknown,
    /// Answered.
    Succeeded,
    /// Not done, for ever.
    Failed,
}

impl Status {
    /// Every status, in the order of an inquiry's life.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Sending, Self::Accepted, Self::Unknown, Self::Succeeded, Self::Failed];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Accepted => "accepted",
            Self::Unknown => "unknown",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    /// One letter that stands for it in the store's keys. Never changed once shipped.
    pub const fn letter(self) -> u8 {
        match self {
            Self::Queued => b'q',
            Self::Sending => b's',
            Self::Accepted => b't',
            Self::Unknown => b'u',
            Self::Succeeded => b'p',
            Self::Failed => b'f',
        }
    }

    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
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
    /// The word for it.
    pub const fn status(&self) -> Status {
        match self {
            Self::Queued { .. } => Status::Queued,
            Self::Sending { .. } => Status::Sending,
            Self::Accepted { .. } => Status::Accepted,
            Self::Unknown { .. } => Status::Unknown,
            Self::Succeeded { .. } => Status::Succeeded,
            Self::Failed { .. } => Status::Failed,
        }
    }

    /// The sends so far.
    pub const fn tries(&self) -> Tries {
        match self {
            Self::Queued { tries, .. }
            | Self::Sending { tries, .. }
            | Self::Accepted { tries, .. }
            | Self::Unknown { tries, .. } => *tries,
            Self::Succeeded { settled, .. } | Self::Failed { settled, .. } => settled.tries,
        }
    }

    /// M-Pesa's names for it, once any is known.
    pub const fn names(&self) -> Option<&Names> {
        match self {
            Self::Accepted { names, .. } | Self::Unknown { names, .. } => Some(names),
            Self::Succeeded { settled, .. } | Self::Failed { settled, .. } => Some(&settled.names),
            Self::Queued { .. } | Self::Sending { .. } => None,
        }
    }

    /// When it became final.
    pub const fn completed_at(&self) -> Option<Timestamp> {
        match self {
            Self::Succeeded { settled, .. } | Self::Failed { settled, .. } => Some(settled.at),
            Self::Queued { .. }
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
            Self::Unknown { asking, .. } => asking.ask_at,
            Self::Succeeded { .. } | Self::Failed { .. } => None,
        }
    }
}

impl Inquiry {
    /// An inquiry as it is taken: queued, nothing sent.
    pub const fn queued(details: Details) -> Self {
        let created_at = details.created_at;
        // At once, and not "from then on": a clock that is set back must not hold it up.
        let state = State::Queued { not_before: Timestamp::EPOCH, tries: Tries::NONE };
        Self { details, state, updated_at: created_at }
    }

    /// The word for where it stands.
    pub const fn status(&self) -> Status {
        self.state.status()
    }
}
