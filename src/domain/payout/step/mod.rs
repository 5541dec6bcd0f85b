//! How a payout moves: a pure function of where it stands, what happened, and when.
//!
//! One function per event; each names every state. What does not fit is never ignored: it is
//! noted, it contradicts, or the caller is told that it may not be done. `sending` holds the
//! events of a send, `result` those of M-Pesa's word about a payment, `inquiry` those that empty
//! `unknown`.

mod inquiry;
mod result;
mod sending;

use std::time::Duration;

pub use self::inquiry::NOT_FOUND_ROUNDS_MAX;
use self::result::Evidence;
use super::effect::{CaseKind, Effect, Notice};
use super::event::{AnswerFacts, Event, NotFoundRule};
use super::inquiry::Inquiry;
use super::state::{Doubt, Failure, Payout, Rail, Settled, State, Tries};
use crate::domain::id::{ConversationId, Receipt};
use crate::domain::outcome;
use crate::domain::time::Timestamp;

/// What the configuration says about a payout's pace, and about its doubts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long an accepted payout waits for its result.
    pub result_overdue: Duration,
    /// How long after it became doubtful M-Pesa is asked first, then how long after each question
    /// the next.
    pub inquiry_intervals: Vec<Duration>,
    /// How long a request that was sent may still arrive at M-Pesa.
    pub arrival_window: Duration,
    /// How long the broker may hold a request that it has said it would pass on.
    pub cached_window: Duration,
    /// What is done when M-Pesa knows no such transaction.
    pub on_not_found: NotFoundRule,
    /// Rails whose requests do not carry our name, as Daraja's B2C v1 (spec/daraja.md §1.6): of
    /// what went there, M-Pesa's word that it knows no such name proves nothing, so it is not
    /// asked for it by name.
    pub unnamed: Vec<Rail>,
}

impl Default for Policy {
    /// As the configuration is when it says nothing else.
    fn default() -> Self {
        Self {
            result_overdue: Duration::from_secs(120),
            inquiry_intervals: [5, 30, 120, 600, 3_600].map(Duration::from_secs).to_vec(),
            arrival_window: Duration::from_secs(15 * 60),
            cached_window: Duration::from_secs(24 * 60 * 60),
            on_not_found: NotFoundRule::Resend,
            unnamed: Vec::new(),
        }
    }
}

/// What an event does to a payout.
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
    /// It stays: what came agrees with what is known, or says nothing new. It is recorded.
    Noted(&'static str),
    /// It stays: what came contradicts what is known. It is recorded and a person must look.
    Contradicted(Contradiction),
    /// It stays: a timer that something else has overtaken. Nothing to record.
    Stale,
    /// It stays: what was asked for may not be done. The asker is told; nothing to record.
    Forbidden(Forbidden),
}

/// What contradicts what, in words without personal data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contradiction {
    /// Which kind of case it opens.
    pub kind: CaseKind,
    /// What was known and what came.
    pub says: String,
}

/// Why something may not be done to a payout now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// It is not held for approval.
    #[error("the payout is not awaiting approval")]
    NotAwaitingApproval,
    /// It can be cancelled only before sending has begun.
    #[error("sending has begun, so the payout can no longer be cancelled")]
    SendingHasBegun,
    /// It is final already.
    #[error("the payout is final")]
    AlreadyFinal,
    /// A send begins only from `queued` (law 2).
    #[error("the payout is not queued")]
    NotQueued,
    /// It may not be sent yet.
    #[error("the payout may not be sent yet")]
    NotDue,
    /// Only a doubtful payout can be asked about or ruled on.
    #[error("the payout is not in doubt")]
    NotInDoubt,
    /// It was asked about a moment ago.
    #[error("M-Pesa was asked about the payout a moment ago, and its answer is awaited")]
    AskedJustNow,
    /// M-Pesa would not find it any more (spec/soap.md §3.3).
    #[error("M-Pesa finds a payment this old by its receipt only, and none is known")]
    TooOldToAsk,
}

/// What `event` does to `payout` at `now`. Laws: `super::law`.
pub fn step(payout: &Payout, event: &Event, policy: &Policy, now: Timestamp) -> Verdict {
    let at = Moment { payout, policy, now };
    let verdict = match event {
        Event::Approved => at.approved(),
        Event::Rejected { reason } => at.not_approved(reason.clone()),
        Event::ApprovalExpired => match at.not_approved("nobody approved it in time".to_owned()) {
            Verdict::Forbidden(_) => Verdict::Stale,
            verdict @ (Verdict::Moved { .. }
            | Verdict::Noted(_)
            | Verdict::Contradicted(_)
            | Verdict::Stale) => verdict,
        },
        Event::CancelAsked => at.cancel_asked(),
        Event::SendStarted { lease } => at.send_started(*lease),
        Event::Answered { attempt, answer } => at.answered(*attempt, answer),
        Event::NothingSent { attempt, .. } => at.nothing_sent(*attempt),
        Event::NoAnswer { attempt, .. } => at.no_answer(*attempt),
        Event::LeaseLapsed { lease } => at.lease_lapsed(*lease),
        Event::ResultArrived(facts) => at.result_arrived(facts),
        Event::ResultOverdue => at.result_overdue(),
        Event::QueueTimedOut => at.queue_timed_out(),
        Event::AskWanted => at.ask_wanted(),
        Event::InquirySent => at.inquiry_sent(),
        Event::InquiryReplied { nth, answer } => at.inquiry_replied(*nth, answer),
        Event::InquiryNotSent { nth, .. } => at.inquiry_not_sent(*nth),
        Event::InquiryAnswered(answer) => at.inquiry_answered(answer),
        Event::StatementShows(facts) => at.paid(Evidence::from_statement(facts)),
        Event::Ruled(ruling) => at.ruled(ruling),
        Event::Unfit { why } => at.unfit(why),
    };
    stopping(verdict, event)
}

/// Law 7: whatever a wrong credential makes of the payout, `failed` or `unknown`, the rail stops.
fn stopping(mut verdict: Verdict, event: &Event) -> Verdict {
    let told = match event {
        Event::Answered { answer, .. } => Some((outcome::answer(&answer.code).blame, &answer.code)),
        Event::ResultArrived(facts) => Some((outcome::result(&facts.code).blame, &facts.code)),
        Event::InquiryReplied { answer, .. } => {
            Some((outcome::answer(&answer.code).blame, &answer.code))
        }
        Event::InquiryAnswered(answer) => Some((outcome::query(&answer.code).blame, &answer.code)),
        Event::Approved
        | Event::Rejected { .. }
        | Event::ApprovalExpired
        | Event::CancelAsked
        | Event::SendStarted { .. }
        | Event::NothingSent { .. }
        | Event::NoAnswer { .. }
        | Event::LeaseLapsed { .. }
        | Event::ResultOverdue
        | Event::QueueTimedOut
        | Event::AskWanted
        | Event::InquirySent
        | Event::InquiryNotSent { .. }
        | Event::StatementShows(_)
        | Event::Ruled(_)
        | Event::Unfit { .. } => None,
    };
    if let (Verdict::Moved { effects, .. }, Some((blame, code))) = (&mut verdict, told)
        && blame.stops_the_rail()
    {
        effects.push(Effect::StopRail { code: code.clone() });
    }
    verdict
}

/// A payout at the moment when something happens to it.
struct Moment<'a> {
    payout: &'a Payout,
    policy: &'a Policy,
    now: Timestamp,
}

impl Moment<'_> {
    // ------------------------------------------------------------------ approval and cancelling

    fn approved(&self) -> Verdict {
        match &self.payout.state {
            State::AwaitingApproval { .. } => {
                self.queue(Tries::NONE, self.now, Notice::Approved, vec![])
            }
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => Verdict::Forbidden(Forbidden::NotAwaitingApproval),
        }
    }

    fn not_approved(&self, reason: String) -> Verdict {
        match &self.payout.state {
            State::AwaitingApproval { .. } => self.cancel(reason),
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => Verdict::Forbidden(Forbidden::NotAwaitingApproval),
        }
    }

    fn cancel_asked(&self) -> Verdict {
        match &self.payout.state {
            State::AwaitingApproval { .. } => self.cancel("cancelled by its submitter".to_owned()),
            // A payout that was once in doubt is queued only to be sent again under its own id,
            // so that M-Pesa itself rules out a second debit. Cancelling would lose that.
            State::Queued { tries, .. } if tries.not_found == 0 => {
                self.cancel("cancelled by its submitter".to_owned())
            }
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. } => Verdict::Forbidden(Forbidden::SendingHasBegun),
            State::Succeeded { .. } | State::Failed { .. } | State::Cancelled { .. } => {
                Verdict::Forbidden(Forbidden::AlreadyFinal)
            }
        }
    }

    // ------------------------------------------------------------------------------ new states

    fn queue(
        &self,
        tries: Tries,
        not_before: Timestamp,
        notice: Notice,
        mut effects: Vec<Effect>,
    ) -> Verdict {
        effects.push(Effect::WakeAt(not_before));
        Verdict::Moved { state: State::Queued { not_before, tries }, notice, effects }
    }

    fn cancel(&self, reason: String) -> Verdict {
        Verdict::Moved {
            state: State::Cancelled { reason, completed_at: self.now },
            notice: Notice::Cancelled,
            effects: vec![],
        }
    }

    fn doubt(
        &self,
        tries: Tries,
        why: Doubt,
        conversation: Option<ConversationId>,
        mut effects: Vec<Effect>,
    ) -> Verdict {
        let first = self.policy.inquiry_intervals.first().copied().unwrap_or_default();
        let ask_at = self.now.after(first);
        // The broker's word that it gave up says that nothing is held any more; but only where
        // there was one send, for it does not say which one it gave up on.
        let gave_up = matches!(why, Doubt::QueueTimeout);
        let is_held = matches!(why, Doubt::Cached) || (gave_up && tries.not_found > 0);
        let window = if is_held { self.policy.cached_window } else { self.policy.arrival_window };
        let arrives_until = self.now.after(window);
        let (since, arrives_until, inquiry) = match &self.payout.state {
            State::Unknown { since, inquiry, arrives_until: before, .. } => {
                let arrives_until = if gave_up && !is_held { arrives_until } else { *before };
                let ask_at = inquiry.ask_at.min(ask_at);
                (*since, arrives_until, Inquiry { ask_at, ..inquiry.clone() })
            }
            State::AwaitingApproval { .. }
            | State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => (self.now, arrives_until, Inquiry::first_at(ask_at)),
        };
        effects.push(Effect::Inquire { at: inquiry.ask_at });
        let conversation = conversation.or_else(|| self.payout.state.conversation().cloned());
        Verdict::Moved {
            state: State::Unknown { tries, why, conversation, since, arrives_until, inquiry },
            notice: Notice::Unknown,
            effects,
        }
    }

    fn fail(
        &self,
        failure: Failure,
        conversation: Option<ConversationId>,
        mpesa_completed_at: Option<Timestamp>,
        effects: Vec<Effect>,
    ) -> Verdict {
        let settled = Settled {
            conversation: conversation.or_else(|| self.payout.state.conversation().cloned()),
            completed_at: self.now,
            mpesa_completed_at,
            attempts: self.payout.state.attempts(),
        };
        Verdict::Moved {
            state: State::Failed { failure, settled },
            notice: Notice::Failed,
            effects,
        }
    }

    // --------------------------------------------------------------------------- contradictions

    fn contradicts(&self, known: &str, answer: &AnswerFacts) -> Verdict {
        Verdict::Contradicted(Contradiction {
            kind: CaseKind::Contradiction,
            says: format!("{known}, and an answer with code {:?} came", answer.code),
        })
    }

    fn contradicts_unsent(&self) -> Verdict {
        Verdict::Contradicted(Contradiction {
            kind: CaseKind::Contradiction,
            says: "it was stopped before anything was sent, and M-Pesa speaks of it".to_owned(),
        })
    }
}

impl Verdict {
    /// The same, with M-Pesa asked at `ask_at` first where it puts the payout in doubt.
    fn asking(mut self, ask_at: Timestamp) -> Self {
        if let Self::Moved { state: State::Unknown { inquiry, .. }, effects, .. } = &mut self {
            inquiry.ask_at = ask_at;
            effects.push(Effect::Inquire { at: ask_at });
        }
        self
    }

    /// The same, with a receipt that M-Pesa named remembered where it puts the payout in doubt.
    fn telling(mut self, receipt: Option<&Receipt>) -> Self {
        if let (Self::Moved { state: State::Unknown { inquiry, .. }, .. }, Some(receipt)) =
            (&mut self, receipt)
        {
            inquiry.told = Some(receipt.clone());
        }
        self
    }
}

/// M-Pesa's own words, or the table's where it said nothing.
fn described(told: &str, known: &str) -> String {
    if told.trim().is_empty() { known.to_owned() } else { told.trim().to_owned() }
}
