//! What is to be done about a step, as data. The engine commits it with the new state and then
//! performs it; each may be performed twice without harm, or is owned by a lease.

use serde::{Deserialize, Serialize};

use crate::domain::time::Timestamp;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Send the request of this attempt. Only the owner of the lease does, once.
    Transmit {
        /// Which send.
        attempt: u32,
    },
    /// Look at the payout again then.
    WakeAt(Timestamp),
    /// Ask M-Pesa what became of it, from then on.
    Inquire {
        /// Not before.
        at: Timestamp,
    },
    /// Put the question of this number to M-Pesa.
    Ask {
        /// Which question.
        nth: u32,
    },
    /// Tell whoever listens.
    Announce(Notice),
    /// Something that no rule may decide: a person must look.
    OpenCase(CaseKind),
    /// Stop all sending on the rail (law 7).
    StopRail {
        /// M-Pesa's code.
        code: String,
    },
    /// Send more slowly on the rail.
    SlowRail {
        /// M-Pesa's code.
        code: String,
    },
}

/// What listeners are told of: the types of the durable feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Notice {
    /// It was taken.
    Queued,
    /// It is held for a checker.
    AwaitingApproval,
    /// A checker approved it.
    Approved,
    /// A send began.
    Sending,
    /// A send took nothing, and it waits for the next.
    Requeued,
    /// M-Pesa took the request.
    Accepted,
    /// It became doubtful.
    Unknown,
    /// M-Pesa was asked about it.
    Inquired,
    /// Paid.
    Succeeded,
    /// Not paid, for ever.
    Failed,
    /// Stopped.
    Cancelled,
    /// Something came that agrees with what is known, or says nothing new.
    Noted,
    /// Something came that contradicts what is known, and changed nothing.
    Contradicted,
}

impl Notice {
    /// The type of the event in the feed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "payout.queued",
            Self::AwaitingApproval => "payout.awaiting_approval",
            Self::Approved => "payout.approved",
            Self::Sending => "payout.sending",
            Self::Requeued => "payout.requeued",
            Self::Accepted => "payout.accepted",
            Self::Unknown => "payout.unknown",
            Self::Inquired => "payout.inquired",
            Self::Succeeded => "payout.succeeded",
            Self::Failed => "payout.failed",
            Self::Cancelled => "payout.cancelled",
            Self::Noted => "payout.noted",
            Self::Contradicted => "payout.contradicted",
        }
    }
}

/// Why a person must look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum CaseKind {
    /// A message contradicts what was settled before.
    Contradiction,
    /// A message speaks of another amount, another payee or no receipt.
    Mismatch,
    /// A message belongs to no payout.
    Unmatched,
    /// A message cannot be read.
    Malformed,
    /// M-Pesa knows no such transaction, and a person is to decide what follows.
    NotFound,
    /// A payout is in doubt beyond its last inquiry.
    StillUnknown,
    /// A step would have broken a law; it was not taken.
    LawBroken,
}

impl CaseKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Contradiction,
        Self::Mismatch,
        Self::Unmatched,
        Self::Malformed,
        Self::NotFound,
        Self::StillUnknown,
        Self::LawBroken,
    ];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contradiction => "contradiction",
            Self::Mismatch => "mismatch",
            Self::Unmatched => "unmatched",
            Self::Malformed => "malformed",
            Self::NotFound => "not_found",
            Self::StillUnknown => "still_unknown",
            Self::LawBroken => "law_broken",
        }
    }
}
