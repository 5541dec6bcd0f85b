//! How a text message moves: a pure function of where it stands, what happened, and when.
//!
//! The provider knows no name of ours for a message, and cannot be asked about one: what may have
//! been sent is never sent again (spec/daraja.md §11).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::outcome::{self, Class};
use super::state::{State, Text, Tries};
use crate::domain::payout::{Lease, WhyNoAnswer, WhyNothingSent};
use crate::domain::retry;
use crate::domain::time::Timestamp;

/// How long after a send that the provider could not make the next one comes. After the last it is
/// given up.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(30),
    Duration::from_secs(2 * 60),
    Duration::from_secs(10 * 60),
    Duration::from_secs(60 * 60),
];
/// How old a message may be when it is sent: thanks that come a day late only puzzle.
pub const LATE_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest id or cost of the provider's that is kept, in characters.
const WORD_LEN_MAX: usize = 128;

/// Something that happened to a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A send is about to begin: committed before the first byte leaves. It may come too late: then
    /// the message fails instead, and there is no `Transmit` among the effects.
    SendStarted {
        /// Who sends, and how long he owns it.
        lease: Lease,
    },
    /// The provider answered the request of this attempt.
    Answered {
        /// Which send.
        attempt: u32,
        /// What the answer says of this recipient.
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
        }
    }
}

/// What the provider says of one recipient (spec/daraja.md §11): also an answer of 201 can refuse
/// some of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnswerFacts {
    /// The recipient's `statusCode`; where the answer names none, its `Message`, or `http.` and
    /// its status.
    pub code: String,
    /// `status`, or what came instead, cut to a length that can be shown.
    pub description: String,
    /// `messageId`.
    pub message_id: Option<String>,
    /// `cost`.
    pub cost: Option<String>,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Send it, as this attempt. Only the owner of the lease does, once.
    Transmit {
        /// Which send.
        attempt: u32,
    },
    /// Look at it again then.
    WakeAt(Timestamp),
    /// No message gets through until a person mends it.
    Alarm {
        /// The provider's code.
        code: String,
    },
}

/// What listeners are told of: the types of the durable feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Notice {
    /// It was made.
    Queued,
    /// A send began.
    Sending,
    /// It waits for another send.
    Requeued,
    /// The provider took it.
    Sent,
    /// Not sent, for ever.
    Failed,
    /// It may or may not have been sent.
    Unknown,
}

impl Notice {
    /// The type of the event in the feed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "text.queued",
            Self::Sending => "text.sending",
            Self::Requeued => "text.requeued",
            Self::Sent => "text.sent",
            Self::Failed => "text.failed",
            Self::Unknown => "text.unknown",
        }
    }
}

/// What an event does to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It moves: the new state, what the feed says, and what is to be done.
    Moved {
        /// Where it stands now.
        state: State,
        /// What the feed says.
        notice: Notice,
        /// What is to be done.
        effects: Vec<Effect>,
    },
    /// It stays: what came says nothing new. It is recorded.
    Noted(&'static str),
    /// It stays: a timer that something else has overtaken. Nothing to record.
    Stale,
    /// It stays: it may not be sent now. Nothing to record.
    Forbidden(Forbidden),
}

/// Why a message may not be sent now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// A send begins only from `queued`.
    #[error("the message is not queued")]
    NotQueued,
    /// It may not be sent yet.
    #[error("the message may not be sent yet")]
    NotDue,
}

/// What `event` does to `text` at `now`. Laws: `super::law`.
pub fn step(text: &Text, event: &Event, now: Timestamp) -> Verdict {
    let at = Moment { text, now };
    match event {
        Event::SendStarted { lease } => at.send_started(*lease),
        Event::Answered { attempt, answer } => at.answered(*attempt, answer),
        Event::NothingSent { attempt, .. } => at.nothing_sent(*attempt),
        Event::NoAnswer { attempt, why } => match at.sending(*attempt) {
            Some(tries) => at.doubt(tries, why.says()),
            None => Verdict::Noted("a send without an answer had ended"),
        },
        Event::LeaseLapsed { lease } => at.lease_lapsed(*lease),
    }
}

/// A message at the moment when something happens to it.
struct Moment<'a> {
    text: &'a Text,
    now: Timestamp,
}

impl Moment<'_> {
    fn send_started(&self, lease: Lease) -> Verdict {
        match &self.text.state {
            State::Queued { tries, .. } if self.is_late() => {
                self.fail(*tries, "too_late", "it was too late for the message", vec![])
            }
            State::Queued { not_before, .. } if !retry::is_ask_due(*not_before, self.now) => {
                Verdict::Forbidden(Forbidden::NotDue)
            }
            State::Queued { tries, .. } => {
                let attempt = tries.attempts.saturating_add(1);
                Verdict::Moved {
                    state: State::Sending { tries: Tries { attempts: attempt, ..*tries }, lease },
                    notice: Notice::Sending,
                    effects: vec![Effect::Transmit { attempt }, Effect::WakeAt(lease.until)],
                }
            }
            State::Sending { .. }
            | State::Sent { .. }
            | State::Failed { .. }
            | State::Unknown { .. } => Verdict::Forbidden(Forbidden::NotQueued),
        }
    }

    fn is_late(&self) -> bool {
        self.now.since(self.text.details.created_at) >= LATE_AFTER
    }

    fn answered(&self, attempt: u32, answer: &AnswerFacts) -> Verdict {
        let Some(tries) = self.sending(attempt) else {
            return Verdict::Noted("the answer to a send that had ended");
        };
        let meaning = outcome::outcome(&answer.code);
        let told = answer.description.trim();
        let says = if told.is_empty() { meaning.says } else { told };
        match meaning.class {
            Class::Sent => Verdict::Moved {
                state: State::Sent {
                    message_id: kept(answer.message_id.as_deref()),
                    cost: kept(answer.cost.as_deref()),
                    at: self.now,
                    tries,
                },
                notice: Notice::Sent,
                effects: vec![],
            },
            Class::TryLater => {
                let place = usize::try_from(tries.refused).unwrap_or(usize::MAX);
                let Some(pause) = PAUSES.get(place) else {
                    return self.fail(tries, &answer.code, says, vec![]);
                };
                let refused = tries.refused.saturating_add(1);
                self.queue(Tries { refused, unreachable: 0, ..tries }, self.now.after(*pause))
            }
            Class::Refused => self.fail(tries, &answer.code, says, vec![]),
            Class::Alarm => {
                let alarm = Effect::Alarm { code: answer.code.clone() };
                self.fail(tries, &answer.code, says, vec![alarm])
            }
            Class::Doubt => self.doubt(tries, meaning.says),
        }
    }

    fn nothing_sent(&self, attempt: u32) -> Verdict {
        let Some(tries) = self.sending(attempt) else {
            return Verdict::Noted("a send of which nothing left had ended");
        };
        if self.is_late() {
            return self.fail(tries, "not_sent", "the provider could not be reached", vec![]);
        }
        let unreachable = tries.unreachable.saturating_add(1);
        let not_before = retry::resend_at(self.now, unreachable);
        self.queue(Tries { unreachable, ..tries }, not_before)
    }

    fn lease_lapsed(&self, lapsed: Lease) -> Verdict {
        match &self.text.state {
            State::Sending { tries, lease } if *lease == lapsed => {
                self.doubt(*tries, "the program stopped while it was sending")
            }
            State::Queued { .. }
            | State::Sending { .. }
            | State::Sent { .. }
            | State::Failed { .. }
            | State::Unknown { .. } => Verdict::Stale,
        }
    }

    /// The sends so far, if this one is under way.
    fn sending(&self, attempt: u32) -> Option<Tries> {
        match &self.text.state {
            State::Sending { tries, .. } => (tries.attempts == attempt).then_some(*tries),
            State::Queued { .. }
            | State::Sent { .. }
            | State::Failed { .. }
            | State::Unknown { .. } => None,
        }
    }

    fn queue(&self, tries: Tries, not_before: Timestamp) -> Verdict {
        Verdict::Moved {
            state: State::Queued { not_before, tries },
            notice: Notice::Requeued,
            effects: vec![Effect::WakeAt(not_before)],
        }
    }

    fn fail(&self, tries: Tries, code: &str, says: &str, effects: Vec<Effect>) -> Verdict {
        let (code, description) = (code.to_owned(), says.to_owned());
        Verdict::Moved {
            state: State::Failed { code, description, at: self.now, tries },
            notice: Notice::Failed,
            effects,
        }
    }

    fn doubt(&self, tries: Tries, why: &str) -> Verdict {
        Verdict::Moved {
            state: State::Unknown { why: why.to_owned(), at: self.now, tries },
            notice: Notice::Unknown,
            effects: vec![],
        }
    }
}

/// A word of the provider's, bounded.
fn kept(word: Option<&str>) -> Option<String> {
    let word = word.map(str::trim).filter(|word| !word.is_empty() && *word != "None")?;
    Some(word.chars().take(WORD_LEN_MAX).collect())
}
