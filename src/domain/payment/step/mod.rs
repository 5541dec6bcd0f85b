//! How a payment moves: a pure function of where it stands, what happened, and when.
//!
//! One function per event; each names every state. What does not fit is never ignored: it is
//! noted, it contradicts, or the caller is told that it may not be done. `sending` holds the
//! events of a send, `asking` those of a question, `word` what M-Pesa or a person says of the
//! money.

mod asking;
mod sending;
mod word;

use std::time::Duration;

pub use self::sending::PUT_BACK_MAX;
use self::word::Evidence;
use super::effect::{Effect, Notice};
use super::event::Event;
use super::state::{Asking, Doubt, Failure, Payment, Prompt, Settled, State};
use crate::domain::outcome;
use crate::domain::payout::{CaseKind, Contradiction};
use crate::domain::time::Timestamp;

/// What the configuration says about a payment's pace, and about its doubts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long after it was taken a payment may still be prompted for. The payer stands at the
    /// counter: a prompt that comes late is worse than an error.
    pub prompt_window: Duration,
    /// How long after the prompt M-Pesa is asked first, then how long after each question the
    /// next.
    pub ask_intervals: Vec<Duration>,
    /// How often M-Pesa is asked after the last of them, once a day.
    pub daily_questions: u32,
    /// How long a payment that M-Pesa cannot be asked about waits for its callback before a person
    /// is called.
    pub call_after: Duration,
}

impl Default for Policy {
    /// As the configuration is when it says nothing else. Callbacks come 17 to 26 seconds after the
    /// prompt (spec/daraja.md §2.1), and M-Pesa takes few questions (§1.3).
    fn default() -> Self {
        Self {
            prompt_window: Duration::from_secs(60),
            ask_intervals: [20, 15, 30, 60, 120, 300, 900, 3_600].map(Duration::from_secs).to_vec(),
            daily_questions: 3,
            call_after: Duration::from_secs(15 * 60),
        }
    }
}

/// What an event does to a payment.
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

/// Why something may not be done to a payment now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// A send begins only from `Waiting`.
    #[error("the payment does not wait for its prompt")]
    NotWaiting,
    /// It may not be sent, or asked about, yet.
    #[error("it is not time for it yet")]
    NotDue,
    /// It is settled, or not sent yet: M-Pesa has nothing to say of it.
    #[error("there is nothing to ask M-Pesa about the payment now")]
    NothingToAsk,
    /// M-Pesa gave no id for the prompt.
    #[error("M-Pesa cannot be asked about the payment: it gave no id for the prompt")]
    NoNameToAskBy,
    /// It was asked about a moment ago.
    #[error("M-Pesa was asked about the payment a moment ago")]
    AskedJustNow,
    /// Only a doubtful payment can be ruled on.
    #[error("the payment is not in doubt")]
    NotInDoubt,
    /// The receipt of a ruling is another payment's.
    #[error("the receipt belongs to another payment")]
    ReceiptOfAnother,
    /// A confirmation that is not this payment's.
    #[error("the confirmation is not of this payment")]
    NotItsConfirmation,
    /// Only a C2B payment that is paid can be joined to another.
    #[error("the payment cannot be joined to another")]
    NotToBeJoined,
}

/// What `event` does to `payment` at `now`. Laws: `super::law`.
pub fn step(payment: &Payment, event: &Event, policy: &Policy, now: Timestamp) -> Verdict {
    let at = Moment { payment, policy, now };
    let verdict = match event {
        Event::SendStarted { lease } => at.send_started(*lease),
        Event::Answered { attempt, answer } => at.answered(*attempt, answer),
        Event::NothingSent { attempt, why } => at.nothing_sent(*attempt, *why),
        Event::NoAnswer { attempt, .. } => at.no_answer(*attempt),
        Event::LeaseLapsed { lease } => at.lease_lapsed(*lease),
        Event::CallbackArrived { facts, holder } => at.callback_arrived(facts, holder),
        Event::AskWanted => at.ask_wanted(),
        Event::QuerySent => at.query_sent(),
        Event::QueryNotSent { nth } => at.query_not_sent(*nth),
        Event::QueryAnswered { facts, holder, .. } => at.query_answered(facts, holder),
        Event::Confirmed { told, holder } => at.confirmed(told, holder),
        Event::Joined { to } => at.joined(*to),
        Event::Ruled { ruling, holder } => at.ruled(ruling, holder),
    };
    minding_the_rail(verdict, event)
}

/// Law 7: a wrong credential stops the rail, whatever becomes of the payment. An answer that says
/// that we are too fast slows it down.
fn minding_the_rail(mut verdict: Verdict, event: &Event) -> Verdict {
    let code = match event {
        Event::Answered { answer, .. } => &answer.code,
        Event::QueryAnswered { facts, .. } => &facts.code,
        Event::SendStarted { .. }
        | Event::NothingSent { .. }
        | Event::NoAnswer { .. }
        | Event::LeaseLapsed { .. }
        | Event::CallbackArrived { .. }
        | Event::AskWanted
        | Event::QuerySent
        | Event::QueryNotSent { .. }
        | Event::Confirmed { .. }
        | Event::Joined { .. }
        | Event::Ruled { .. } => return verdict,
    };
    let blame = outcome::answer(code).blame;
    if let Verdict::Moved { effects, .. } = &mut verdict {
        if blame.stops_the_rail() {
            effects.push(Effect::StopRail { code: code.clone() });
        } else if blame == outcome::Blame::Capacity {
            effects.push(Effect::SlowRail { code: code.clone() });
        }
    }
    verdict
}

/// A payment at the moment when something happens to it.
struct Moment<'a> {
    payment: &'a Payment,
    policy: &'a Policy,
    now: Timestamp,
}

impl Moment<'_> {
    /// It is not known whether the payer was prompted, or whether he paid.
    fn doubt(&self, why: Doubt, prompt: Option<Prompt>, mut effects: Vec<Effect>) -> Verdict {
        let prompt = prompt.or_else(|| self.payment.state.prompt().cloned());
        let known = self.payment.state.asking();
        let asking = known.copied().unwrap_or_else(|| self.first_question(prompt.as_ref()));
        let since = match &self.payment.state {
            State::Unknown { since, .. } => *since,
            State::Waiting { .. }
            | State::Sending { .. }
            | State::Prompted { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Joined { .. } => self.now,
        };
        effects.extend(asking.ask_at.map(Effect::WakeAt));
        let tries = self.payment.state.tries();
        Verdict::Moved {
            state: State::Unknown { tries, why, since, prompt, asking },
            notice: Notice::Unknown,
            effects,
        }
    }

    /// When M-Pesa is asked first; or, where it cannot be asked, when a person is called.
    fn first_question(&self, prompt: Option<&Prompt>) -> Asking {
        let first = self.policy.ask_intervals.first().copied().unwrap_or_default();
        let pause = if prompt.is_some() { first } else { self.policy.call_after };
        Asking::first_at(self.now.after(pause))
    }

    fn fail(&self, failure: Failure, prompt: Option<Prompt>, effects: Vec<Effect>) -> Verdict {
        Verdict::Moved {
            state: State::Failed { failure, settled: self.settled(prompt) },
            notice: Notice::Failed,
            effects,
        }
    }

    fn settled(&self, prompt: Option<Prompt>) -> Settled {
        Settled {
            at: self.now,
            prompt: self.payment.state.prompt().cloned().or(prompt),
            tries: self.payment.state.tries(),
        }
    }

    /// M-Pesa's names for the prompt, where this is the first that is heard of them.
    fn learn(&self, told: Option<Prompt>) -> Option<Verdict> {
        let told = told?;
        let mut state = self.payment.state.clone();
        if let State::Unknown { prompt: prompt @ None, asking, .. } = &mut state {
            *asking = Asking { called: asking.called, ..self.first_question(Some(&told)) };
            *prompt = Some(told);
        } else {
            return None;
        }
        let effects = state.wakes_at().map(Effect::WakeAt).into_iter().collect();
        Some(Verdict::Moved { state, notice: Notice::Noted, effects })
    }
}

fn contradiction(kind: CaseKind, says: impl Into<String>) -> Verdict {
    Verdict::Contradicted(Contradiction { kind, says: says.into() })
}

/// M-Pesa's own words, or the table's where it said nothing.
fn described(told: &str, known: &str) -> String {
    if told.trim().is_empty() { known.to_owned() } else { told.trim().to_owned() }
}
