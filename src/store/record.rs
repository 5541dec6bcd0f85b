//! What is kept besides payouts: events, wire messages, cases, rails, applications, used keys.

use serde::{Deserialize, Serialize};

use super::life::Standing;
use crate::domain::id::{AppId, CaseId, EventId, MessageId};
use crate::domain::payout::{CaseKind, Rail};
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;

/// An event as the engine makes it. The store numbers it and links it into the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewEvent {
    /// Ours, `evt_…`.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// Its type in the feed, such as `payout.succeeded`.
    pub kind: String,
    /// Whose it is.
    pub app: Option<AppId>,
    /// What it is about.
    pub about: Option<Subject>,
    /// Where that stands after it.
    pub status: Option<Standing>,
    /// What happened, in words without personal data or secrets.
    pub says: String,
    /// M-Pesa's code, if one was the cause.
    pub code: Option<String>,
    /// The wire messages that belong to it.
    pub messages: Vec<MessageId>,
}

/// An event as it stands in the feed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedEvent {
    /// Its place in the feed; 1 is the first.
    pub seq: u64,
    /// What happened.
    pub event: NewEvent,
    /// The event about the same thing before it.
    pub previous: Option<u64>,
    /// SHA-256 over the hash of the event before it in the feed and this one's bytes.
    pub hash: [u8; 32],
}

/// A message as it was on the wire; secrets of ours in it are masked before it comes here.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Ours, `msg_…`.
    pub id: MessageId,
    /// When it came or went.
    pub at: Timestamp,
    /// Whether it came or went.
    pub direction: Direction,
    /// What kind of message it is.
    pub channel: Channel,
    /// The other side's address, for what came in.
    pub peer: Option<String>,
    /// Whose certificate the other side showed, for what came in encrypted.
    pub certificate: Option<String>,
    /// The HTTP status of an answer.
    pub http_status: Option<u16>,
    /// What it belongs to, if that is known.
    pub about: Option<Subject>,
    /// Its bytes.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Message {
    /// Without the body: it holds phones and names.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("at", &self.at)
            .field("direction", &self.direction)
            .field("channel", &self.channel)
            .field("about", &self.about)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// From us to M-Pesa.
    Out,
    /// From M-Pesa to us.
    In,
}

impl Direction {
    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
        }
    }
}

/// What kind of message it is: what it is about, whichever way it went. On the disk stands its
/// place in this list, and not its name: a new kind goes to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channel {
    /// Our request for a payout, over either rail.
    Request,
    /// The answer to it.
    Answer,
    /// M-Pesa's result; also what came to its address and is nobody's, or cannot be read.
    Result,
    /// M-Pesa's word that it gave up on a request; also what came to its address and is nobody's,
    /// or cannot be read.
    QueueTimeout,
    /// Our question what became of a payout.
    StatusRequest,
    /// The answer to it.
    StatusAnswer,
    /// M-Pesa's result of it.
    StatusResult,
    /// Our request for a prompt.
    StkRequest,
    /// The answer to it.
    StkAnswer,
    /// Our question how a prompt ended.
    StkQuery,
    /// The answer to it.
    StkQueryAnswer,
    /// M-Pesa's callback of a prompt.
    StkCallback,
    /// M-Pesa's question whether a payment is to be taken.
    C2bValidation,
    /// M-Pesa's word that a payment was made.
    C2bConfirmation,
    /// A payment that M-Pesa listed when it was asked.
    C2bPulled,
    /// Our request of an inquiry, or a question about one.
    InquiryRequest,
    /// The answer to it.
    InquiryAnswer,
    /// M-Pesa's result of it.
    InquiryResult,
    /// M-Pesa's word that it gave up on it.
    InquiryTimeout,
}

impl Channel {
    /// Every kind, in the order of their places on the disk.
    pub const ALL: [Self; 19] = [
        Self::Request,
        Self::Answer,
        Self::Result,
        Self::QueueTimeout,
        Self::StatusRequest,
        Self::StatusAnswer,
        Self::StatusResult,
        Self::StkRequest,
        Self::StkAnswer,
        Self::StkQuery,
        Self::StkQueryAnswer,
        Self::StkCallback,
        Self::C2bValidation,
        Self::C2bConfirmation,
        Self::C2bPulled,
        Self::InquiryRequest,
        Self::InquiryAnswer,
        Self::InquiryResult,
        Self::InquiryTimeout,
    ];

    /// Its name in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "payout.request",
            Self::Answer => "payout.answer",
            Self::Result => "payout.result",
            Self::QueueTimeout => "payout.timeout",
            Self::StatusRequest => "payout.status_request",
            Self::StatusAnswer => "payout.status_answer",
            Self::StatusResult => "payout.status_result",
            Self::StkRequest => "stk.request",
            Self::StkAnswer => "stk.answer",
            Self::StkQuery => "stk.query",
            Self::StkQueryAnswer => "stk.query_answer",
            Self::StkCallback => "stk.callback",
            Self::C2bValidation => "c2b.validation",
            Self::C2bConfirmation => "c2b.confirmation",
            Self::C2bPulled => "c2b.pulled",
            Self::InquiryRequest => "inquiry.request",
            Self::InquiryAnswer => "inquiry.answer",
            Self::InquiryResult => "inquiry.result",
            Self::InquiryTimeout => "inquiry.timeout",
        }
    }
}

/// Something that no rule may decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Case {
    /// Ours, `case_…`.
    pub id: CaseId,
    /// When it was opened.
    pub at: Timestamp,
    /// Why a person must look.
    pub kind: CaseKind,
    /// What it is about, if that is known.
    pub about: Option<Subject>,
    /// Whose that is.
    pub app: Option<AppId>,
    /// What is known and what came, in words without personal data.
    pub says: String,
    /// The evidence.
    pub messages: Vec<MessageId>,
    /// How it ended; `None` while it is open.
    pub closed: Option<Closing>,
}

/// How a person closed a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closing {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub by: String,
    /// What was ruled.
    pub ruling: String,
    /// Why, in that person's words.
    pub reason: String,
}

/// What keeps a rail from sending. The two have nothing to do with each other: both may hold at
/// once, and lifting one leaves the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RailRecord {
    /// Which rail.
    pub rail: Rail,
    /// M-Pesa refused our credential: to go on would lock the operator.
    pub credential: Option<CredentialStop>,
    /// A person paused it.
    pub paused: Option<Pause>,
}

/// A rail stopped because M-Pesa refused our credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialStop {
    /// Since when.
    pub at: Timestamp,
    /// M-Pesa's code.
    pub code: String,
}

/// A rail paused by a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// Since when.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Why, in that person's words.
    pub reason: String,
}

/// An application: who may use the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// Ours, `app_…`.
    pub id: AppId,
    /// What people call it.
    pub name: String,
    /// What its keys may do.
    pub scopes: Vec<Scope>,
    /// Its keys, newest last.
    pub keys: Vec<AppKey>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A key of an application. The key itself is nowhere: only its hash is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppKey {
    /// SHA-256 of the key.
    pub hash: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is no longer good; `None` while it is the current one.
    pub ends_at: Option<Timestamp>,
}

impl std::fmt::Debug for AppKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppKey").field("created_at", &self.created_at).finish_non_exhaustive()
    }
}

/// What a key may do (contract, part 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// Submit and cancel payouts.
    PayoutsWrite,
    /// See its own payouts.
    PayoutsRead,
    /// Ask for and claim payments.
    PaymentsWrite,
    /// See its own payments.
    PaymentsRead,
    /// See everybody's.
    ReadAll,
    /// Rule on what is in doubt, and run the gateway.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 6] = [
        Self::PayoutsWrite,
        Self::PayoutsRead,
        Self::PaymentsWrite,
        Self::PaymentsRead,
        Self::ReadAll,
        Self::Admin,
    ];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PayoutsWrite => "payouts:write",
            Self::PayoutsRead => "payouts:read",
            Self::PaymentsWrite => "payments:write",
            Self::PaymentsRead => "payments:read",
            Self::ReadAll => "read:all",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = String;

    /// The contract's word for it; the error lists them all.
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            format!("\"{text}\" is no scope; they are {}", Self::ALL.map(Self::as_str).join(", "))
        })
    }
}

/// A used idempotency key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// SHA-256 of the request that it came with.
    pub fingerprint: [u8; 32],
    /// What it made.
    pub made: Subject,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record says the place of its kind in the list: one that moves would be read as another.
    #[test]
    fn the_kinds_of_messages_keep_their_places_on_the_disk() {
        let places: [(u8, &str); Channel::ALL.len()] = [
            (0, "payout.request"),
            (1, "payout.answer"),
            (2, "payout.result"),
            (3, "payout.timeout"),
            (4, "payout.status_request"),
            (5, "payout.status_answer"),
            (6, "payout.status_result"),
            (7, "stk.request"),
            (8, "stk.answer"),
            (9, "stk.query"),
            (10, "stk.query_answer"),
            (11, "stk.callback"),
            (12, "c2b.validation"),
            (13, "c2b.confirmation"),
            (14, "c2b.pulled"),
            (15, "inquiry.request"),
            (16, "inquiry.answer"),
            (17, "inquiry.result"),
            (18, "inquiry.timeout"),
        ];
        for (channel, (place, name)) in Channel::ALL.into_iter().zip(places) {
            assert_eq!(postcard::to_allocvec(&channel).expect("bytes"), [place], "{name}");
            assert_eq!(channel.as_str(), name);
        }
    }
}
