//! How an inquiry moves: a pure function of where it stands, what happened, and when.
//!
//! One function per event; each names every state. What moves money is never sent again on a
//! guess; what moves none is asked anew a few times when an answer is lost. `sending` holds the
//! events of a send, `result` M-Pesa's word, `asking` what empties `unknown`.

mod asking;
mod result;
mod sending;

use std::time::Duration;

pub use self::asking::ask_by;
pub(super) use self::asking::is_of;
pub use self::sending::LOST_MAX;
use super::effect::{Effect, Notice};
use super::event::Event;
use super::state::{Asking, Doubt, Failure, Inquiry, Names, Settled, State, Tries};
use crate::domain::outcome;
use crate::domain::payout::{CaseKind, Contradiction};
use crate::domain::time::Timestamp;

/// What the configuration says about an inquiry's pace, and about its doubts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long an accepted request waits for its result.
    pub result_overdue: Duration,
    /// How long after it was taken a request that M-Pesa cannot be reached for is given up.
    pub give_up_after: Duration,
    /// How long after it became doubtful M-Pesa is asked first, then how long after each question
    /// the next.
    pub ask_intervals: Vec<Duration>,
    /// How often M-Pesa is asked after the last of them, once a day: it finds a transaction by its
    /// conversation id for 15 days (spec/soap.md §3.3).
    pub daily_questions: u32,
    /// How long an inquiry that M-Pesa cannot be asked about waits for its result before a person
    /// is called.
    pub call_after: Duration,
}

impl Default for Policy {
    /// As the configuration is when it says nothing else.
    fn default() -> Self {
        Self {
            result_overdue: Duration::from_secs(120),
            give_up_after: Duration::from_secs(60 * 60),
            ask_intervals: [5, 30, 120, 600, 3_600].map(Duration::from_secs).to_vec(),
            daily_questions: 12,
            call_after: Duration::from_secs(15 * 60),
        }
    }
}

/// What an event does to an inquiry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "made once for an event, taken apart, never kept")]
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
    /// It stays: what came agrees with what is known, or says nothing new. It is recorded.
    Noted(&'static str),
    /// It stays: what came contradicts what is known. It is recorded and a person must look.
    Contradicted(Contradiction),
    /// It stays: a timer that something else has overtaken. Nothing to record.
    Stale,
    /// It stays: what was asked for may not be done. The asker is told; nothing to record.
    Forbidden(Forbidden),
}

/// Why something may not be done to an inquiry now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// A send begins only from `queued` (law 2).
    #[error("the inquiry is not queued")]
    NotQueued,
    /// It may not be sent, or asked about, yet.
    #[error("it is not time for it yet")]
    NotDue,
    /// Only a doubtful inquiry can be asked about or ruled on.
    #[error("the inquiry is not in doubt")]
    NotInDoubt,
    /// M-Pesa gave no id for the request.
    #[error("M-Pesa cannot be asked about it: it gave no id for the request")]
    NoNameToAskBy,
    /// It was asked about a moment ago.
    #[error("M-Pesa was asked about it a moment ago, and its answer is awaited")]
    AskedJustNow,
}

/// What `event` does to `inquiry` at `now`. Laws: `super::law`.
pub fn step(inquiry: &Inquiry, event: &Event, policy: &Policy, now: Timestamp) -> Verdict {
    let at = Moment { inquiry, policy, now };
    let verdict = match event {
        Event::SendStarted { lease } => at.send_started(*lease),
        Event::Answered { attempt, answer } => at.answered(*attempt, answer),
        Event::NothingSent { attempt, why } => at.nothing_sent(*attempt, *why),
        Event::NoAnswer { attempt, .. } => at.no_answer(*attempt),
        Event::LeaseLapsed { lease } => at.lease_lapsed(*lease),
        Event::ResultArrived(facts) => at.result_arrived(facts),
        Event::ResultOverdue => at.result_overdue(),
        Event::QueueTimedOut => at.queue_timed_out(),
        Event::AskWanted => at.ask_wanted(),
        Event::QuestionSent => at.question_sent(),
        Event::QuestionNotSent { nth } => at.question_not_sent(*nth),
        Event::QuestionReplied { nth, answer } => at.question_replied(*nth, answer),
        Event::QuestionAnswered(answer) => at.question_answered(answer),
        Event::Ruled(ruling) => at.ruled(ruling),
    };
    minding_the_rail(verdict, event)
}

/// Law 7: a wrong credential stops the rail, whatever becomes of the inquiry. An answer that says
/// that we are too fast slows it down.
fn minding_the_rail(mut verdict: Verdict, event: &Event) -> Verdict {
    let (blame, code) = match event {
        Event::Answered { answer, .. } | Event::QuestionReplied { answer, .. } => {
            (outcome::answer(&answer.code).blame, &answer.code)
        }
        Event::ResultArrived(facts) => (outcome::result(&facts.code).blame, &facts.code),
        Event::QuestionAnswered(answer) => (outcome::query(&answer.code).blame, &answer.code),
        Event::SendStarted { .. }
        | Event::NothingSent { .. }
        | Event::NoAnswer { .. }
        | Event::LeaseLapsed { .. }
        | Event::ResultOverdue
        | Event::QueueTimedOut
        | Event::AskWanted
        | Event::QuestionSent
        | Event::QuestionNotSent { .. }
        | Event::Ruled(_) => return verdict,
    };
    if let Verdict::Moved { effects, .. } = &mut verdict {
        if blame.stops_the_rail() {
            effects.push(Effect::StopRail { code: code.clone() });
        } else if blame == outcome::Blame::Capacity {
            effects.push(Effect::SlowRail { code: code.clone() });
        }
    }
    verdict
}

/// An inquiry at the moment when something happens to it.
struct Moment<'a> {
    inquiry: &'a Inquiry,
    policy: &'a Policy,
    now: Timestamp,
}

impl Moment<'_> {
    const fn moves_money(&self) -> bool {
        self.inquiry.details.kind.moves_money()
    }

    fn queue(&self, tries: Tries, not_before: Timestamp, mut effects: Vec<Effect>) -> Verdict {
        effects.push(Effect::WakeAt(not_before));
        Verdict::Moved {
            state: State::Queued { not_before, tries },
            notice: Notice::Requeued,
            effects,
        }
    }

    /// Money may have moved: only M-Pesa's word, or a person's, settles it.
    fn doubt(&self, why: Doubt, told: &Names, mut effects: Vec<Effect>) -> Verdict {
        let names = self.names_with(told);
        let (since, asking) = match &self.inquiry.state {
            State::Unknown { since, asking, names: known, .. } if *known == names => {
                (*since, *asking)
            }
            State::Unknown { since, asking, .. } => {
                (*since, Asking { called: asking.called, ..self.first_question(&names) })
            }
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Succeeded { .. }
            | State::Failed { .. } => (self.now, self.first_question(&names)),
        };
        effects.extend(asking.ask_at.map(Effect::WakeAt));
        let tries = self.inquiry.state.tries();
        Verdict::Moved {
            state: State::Unknown { tries, why, names, since, asking },
            notice: Notice::Unknown,
            effects,
        }
    }

    /// When M-Pesa is asked first; or, where it cannot be asked, when a person is called.
    fn first_question(&self, names: &Names) -> Asking {
        let first = self.policy.ask_intervals.first().copied().unwrap_or_default();
        let pause = if names.any().is_some() { first } else { self.policy.call_after };
        Asking::first_at(self.now.after(pause))
    }

    fn fail(&self, failure: Failure, told: &Names, effects: Vec<Effect>) -> Verdict {
        Verdict::Moved {
            state: State::Failed { failure, settled: self.settled(told) },
            notice: Notice::Failed,
            effects,
        }
    }

    fn settled(&self, told: &Names) -> Settled {
        Settled { at: self.now, names: self.names_with(told), tries: self.inquiry.state.tries() }
    }

    /// What is known of M-Pesa's names, and what is told now where nothing is known.
    fn names_with(&self, told: &Names) -> Names {
        let known = self.inquiry.state.names().cloned().unwrap_or_default();
        Names {
            conversation: known.conversation.or_else(|| told.conversation.clone()),
            originator: known.originator.or_else(|| told.originator.clone()),
        }
    }
}

fn contradiction(kind: CaseKind, says: impl Into<String>) -> Verdict {
    Verdict::Contradicted(Contradiction { kind, says: says.into() })
}

/// M-Pesa's own words, or the table's where it said nothing.
fn described(told: &str, known: &str) -> String {
    if told.trim().is_empty() { known.to_owned() } else { told.trim().to_owned() }
}
