//! What is to be done about a step, as data. The engine commits it with the new state and then
//! performs it; each may be performed twice without harm, or is owned by a lease.

use serde::{Deserialize, Serialize};

use crate::domain::payout::CaseKind;
use crate::domain::time::Timestamp;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Send the request of this attempt. Only the owner of the lease does, once.
    Transmit {
        /// Which send.
        attempt: u32,
    },
    /// Look at the inquiry again then.
    WakeAt(Timestamp),
    /// Put the question of this number to M-Pesa.
    Ask {
        /// Which question.
        nth: u32,
    },
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
    /// A send began.
    Sending,
    /// It waits for another send.
    Requeued,
    /// M-Pesa took the request.
    Accepted,
    /// It became doubtful.
    Unknown,
    /// M-Pesa was asked about it.
    Asked,
    /// Answered.
    Succeeded,
    /// Not done, for ever.
    Failed,
    /// Something came that agrees with what is known, or says nothing new.
    Noted,
    /// Something came that contradicts what is known, and changed nothing.
    Contradicted,
}

impl Notice {
    /// The type of the event in the feed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "inquiry.queued",
            Self::Sending => "inquiry.sending",
            Self::Requeued => "inquiry.requeued",
            Self::Accepted => "inquiry.accepted",
            Self::Unknown => "inquiry.unknown",
            Self::Asked => "inquiry.asked",
            Self::Succeeded => "inquiry.succeeded",
            Self::Failed => "inquiry.failed",
            Self::Noted => "inquiry.noted",
            Self::Contradicted => "inquiry.contradicted",
        }
    }
}
