//! What is to be done about a step, as data. The engine commits it with the new state and then
//! performs it; each may be performed twice without harm, or is owned by a lease.

use serde::{Deserialize, Serialize};

use crate::domain::id::PaymentId;
use crate::domain::payout::CaseKind;
use crate::domain::text::Occasion;
use crate::domain::time::Timestamp;

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Send the prompt of this attempt. Only the owner of the lease does, once.
    Transmit {
        /// Which send.
        attempt: u32,
    },
    /// Look at the payment again then.
    WakeAt(Timestamp),
    /// Put the question of this number to M-Pesa.
    Ask {
        /// Which question.
        nth: u32,
    },
    /// Join this C2B payment to it, in the same commit.
    Join {
        /// The C2B payment, which is to meet `Event::Joined`.
        from: PaymentId,
    },
    /// Something that no rule may decide: a person must look.
    OpenCase(CaseKind),
    /// Send the payer a text message, where there is a template for it and his phone is known.
    Text(Occasion),
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
    /// It was taken; its prompt waits to be sent.
    Taken,
    /// A send began.
    Sending,
    /// A send took nothing, and it waits for the next.
    PutBack,
    /// M-Pesa took the request: the payer's phone shows the prompt.
    Prompted,
    /// It became doubtful.
    Unknown,
    /// M-Pesa was asked about it.
    Asked,
    /// Money came in.
    Received,
    /// Not paid.
    Failed,
    /// What was missing is known now, such as the receipt.
    Completed,
    /// It is the same money as another payment, which counts in its place.
    Joined,
    /// An application claimed it.
    Claimed,
    /// Something came that agrees with what is known, or says nothing new.
    Noted,
    /// Something came that contradicts what is known, and changed nothing.
    Contradicted,
}

impl Notice {
    /// The type of the event in the feed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "payment.pending",
            Self::Sending => "payment.sending",
            Self::PutBack => "payment.put_back",
            Self::Prompted => "payment.prompted",
            Self::Unknown => "payment.unknown",
            Self::Asked => "payment.asked",
            Self::Received => "payment.received",
            Self::Failed => "payment.failed",
            Self::Completed => "payment.completed",
            Self::Joined => "payment.joined",
            Self::Claimed => "payment.claimed",
            Self::Noted => "payment.noted",
            Self::Contradicted => "payment.contradicted",
        }
    }
}
