//! Where a text message stands. One variant per state, with only what is true there.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::id::{AppId, TextId};
use crate::domain::party::Msisdn;
use crate::domain::payout::{Lease, NotOneOf};
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;

/// What is to be sent. It never changes.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Details {
    /// Ours, `sms_…`.
    pub id: TextId,
    /// What it is about.
    pub subject: Subject,
    /// What happened to it. There is one message per subject, occasion and recipient.
    pub occasion: Occasion,
    /// Whose subject that is.
    pub app: Option<AppId>,
    /// Who gets it.
    pub phone: Msisdn,
    /// What it says.
    pub body: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl fmt::Debug for Details {
    /// Without the body: it holds a name and what was paid.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Details")
            .field("id", &self.id)
            .field("subject", &self.subject)
            .field("occasion", &self.occasion)
            .field("phone", &self.phone)
            .field("characters", &self.body.chars().count())
            .finish_non_exhaustive()
    }
}

/// What a text message can be about: each has a template in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Occasion {
    /// Money came in.
    PaymentReceived,
    /// A prompt did not lead to a payment.
    PaymentFailed,
    /// A payout arrived.
    PayoutSucceeded,
}

impl Occasion {
    /// Every occasion.
    pub const ALL: [Self; 3] = [Self::PaymentReceived, Self::PaymentFailed, Self::PayoutSucceeded];

    /// Its name in the configuration and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PaymentReceived => "payment_received",
            Self::PaymentFailed => "payment_failed",
            Self::PayoutSucceeded => "payout_succeeded",
        }
    }

    /// One letter that stands for it in the store's keys. Never changed once shipped.
    pub const fn letter(self) -> u8 {
        match self {
            Self::PaymentReceived => b'r',
            Self::PaymentFailed => b'f',
            Self::PayoutSucceeded => b'o',
        }
    }
}

impl FromStr for Occasion {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<Self, NotOneOf> {
        Self::ALL
            .into_iter()
            .find(|occasion| occasion.as_str() == text)
            .ok_or_else(|| NotOneOf(Self::ALL.map(Self::as_str).join(", ")))
    }
}

impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text message as it stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Text {
    /// What is to be sent.
    pub details: Details,
    /// Where it stands.
    pub state: State,
    /// When it last moved.
    pub updated_at: Timestamp,
}

/// Where a text message stands.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// On disk, not sent. Left when a send starts.
    Queued {
        /// When it may go.
        not_before: Timestamp,
        /// The sends so far; each is known to have sent nothing.
        tries: Tries,
    },
    /// A send has begun: on disk before the first byte leaves.
    Sending {
        /// The sends so far, this one included.
        tries: Tries,
        /// Who owns this one and how long.
        lease: Lease,
    },
    /// The provider took it. Final.
    Sent {
        /// The provider's id of it.
        message_id: Option<String>,
        /// What it cost, in the provider's words.
        cost: Option<String>,
        /// When.
        at: Timestamp,
        /// The sends that had begun.
        tries: Tries,
    },
    /// The provider did not send it, and it is not tried again. Final.
    Failed {
        /// The provider's code, or a word of ours.
        code: String,
        /// In words.
        description: String,
        /// When.
        at: Timestamp,
        /// The sends that had begun.
        tries: Tries,
    },
    /// It may or may not have been sent. Final: the provider has no way to ask, and a second
    /// message is worse than none (spec/daraja.md §11).
    Unknown {
        /// In words.
        why: String,
        /// When.
        at: Timestamp,
        /// The sends that had begun.
        tries: Tries,
    },
}

/// What became of the sends so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tries {
    /// How many sends have begun. The last one's number, too: 1 is the first.
    pub attempts: u32,
    /// How often in a row the provider could not send it just then.
    pub refused: u32,
    /// How often in a row not one byte could leave.
    pub unreachable: u32,
}

impl Tries {
    /// Before the first send.
    pub const NONE: Self = Self { attempts: 0, refused: 0, unreachable: 0 };
}

/// The word for a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// On disk, not sent.
    Queued,
    /// A send has begun.
    Sending,
    /// The provider took it.
    Sent,
    /// Not sent, for ever.
    Failed,
    /// It may or may not have been sent.
    Unknown,
}

impl Status {
    /// Every status, in the order of a message's life.
    pub const ALL: [Self; 5] =
        [Self::Queued, Self::Sending, Self::Sent, Self::Failed, Self::Unknown];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// One letter that stands for it in the store's keys. Never changed once shipped.
    pub const fn letter(self) -> u8 {
        match self {
            Self::Queued => b'q',
            Self::Sending => b's',
            Self::Sent => b'd',
            Self::Failed => b'f',
            Self::Unknown => b'u',
        }
    }

    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Sent | Self::Failed | Self::Unknown)
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
            Self::Sent { .. } => Status::Sent,
            Self::Failed { .. } => Status::Failed,
            Self::Unknown { .. } => Status::Unknown,
        }
    }

    /// The sends so far.
    pub const fn tries(&self) -> Tries {
        match self {
            Self::Queued { tries, .. }
            | Self::Sending { tries, .. }
            | Self::Sent { tries, .. }
            | Self::Failed { tries, .. }
            | Self::Unknown { tries, .. } => *tries,
        }
    }

    /// When the clock, and nothing else, moves it next.
    pub const fn wakes_at(&self) -> Option<Timestamp> {
        match self {
            Self::Queued { not_before, .. } => Some(*not_before),
            Self::Sending { lease, .. } => Some(lease.until),
            Self::Sent { .. } | Self::Failed { .. } | Self::Unknown { .. } => None,
        }
    }
}

impl Text {
    /// A message as it is made: queued, not sent.
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
