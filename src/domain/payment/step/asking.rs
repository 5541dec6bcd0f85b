//! Asking M-Pesa about a prompt, and what its answer is worth (spec/daraja.md §1.3).

use std::time::Duration;

use super::{Evidence, Moment, Verdict, contradiction};
use crate::domain::outcome::{self, Blame, StkClass};
use crate::domain::payment::effect::{Effect, Notice};
use crate::domain::payment::event::{Holder, QueryFacts};
use crate::domain::payment::join;
use crate::domain::payment::state::{Asking, Doubt, State};
use crate::domain::payment::step::Forbidden;
use crate::domain::payout::{CaseKind, Stage};
use crate::domain::retry;

/// How long after a question somebody may have it put again: M-Pesa takes few (spec/daraja.md
/// §1.3).
const BY_HAND_PAUSE: Duration = Duration::from_secs(15);

impl Moment<'_> {
    pub(super) fn ask_wanted(&self) -> Verdict {
        let (State::Prompted { asking, .. } | State::Unknown { asking, .. }) = &self.payment.state
        else {
            return Verdict::Forbidden(Forbidden::NothingToAsk);
        };
        if self.payment.state.prompt().is_none() {
            return Verdict::Forbidden(Forbidden::NoNameToAskBy);
        }
        let lately = asking
            .last_at
            .is_some_and(|last| last <= self.now && self.now.since(last) < BY_HAND_PAUSE);
        if lately {
            return Verdict::Forbidden(Forbidden::AskedJustNow);
        }
        let ask_at = asking.ask_at.map_or(self.now, |at| at.min(self.now));
        self.with(Asking { ask_at: Some(ask_at), ..*asking }, Notice::Noted, vec![])
    }

    pub(super) fn query_sent(&self) -> Verdict {
        let (State::Prompted { asking, .. } | State::Unknown { asking, .. }) = &self.payment.state
        else {
            return Verdict::Forbidden(Forbidden::NothingToAsk);
        };
        if !asking.ask_at.is_some_and(|at| retry::is_ask_due(at, self.now)) {
            return Verdict::Forbidden(Forbidden::NotDue);
        }
        if self.payment.state.prompt().is_none() {
            return self.call_a_person(asking);
        }
        let intervals = &self.policy.ask_intervals;
        let nth = asking.nth.saturating_add(1);
        let asked = asking.asked.saturating_add(1);
        let is_last = days_asked(intervals, asked) >= self.policy.daily_questions;
        let mut effects = vec![Effect::Ask { nth }];
        let past = retry::is_past_the_last(intervals, asked);
        if past && !asking.called {
            effects.push(Effect::OpenCase(CaseKind::StillUnknown));
        }
        let next = Asking {
            ask_at: (!is_last).then(|| retry::ask_again_at(self.now, intervals, asked)),
            asked,
            nth,
            last_at: Some(self.now),
            called: asking.called || past,
        };
        let verdict = self.with(next, Notice::Asked, effects);
        if past { self.silent(verdict) } else { verdict }
    }

    /// Without M-Pesa's id for the prompt only the callback can settle it, or a person, who is
    /// called once.
    fn call_a_person(&self, asking: &Asking) -> Verdict {
        let case = (!asking.called).then_some(Effect::OpenCase(CaseKind::StillUnknown));
        let next = Asking { ask_at: None, called: true, ..*asking };
        self.with(next, Notice::Noted, case.into_iter().collect())
    }

    /// M-Pesa was asked often enough: it is not pending any more, it is unknown.
    fn silent(&self, verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Moved {
                state: State::Prompted { tries, prompt, asking }, effects, ..
            } => Verdict::Moved {
                state: State::Unknown {
                    tries,
                    why: Doubt::Silence,
                    since: self.now,
                    prompt: Some(prompt),
                    asking,
                },
                notice: Notice::Unknown,
                effects,
            },
            verdict @ (Verdict::Moved { .. }
            | Verdict::Noted(_)
            | Verdict::Contradicted(_)
            | Verdict::Stale
            | Verdict::Forbidden(_)) => verdict,
        }
    }

    /// A question that M-Pesa has not got does not count: it is put again a little later.
    pub(super) fn query_not_sent(&self, nth: u32) -> Verdict {
        let (State::Prompted { asking, .. } | State::Unknown { asking, .. }) = &self.payment.state
        else {
            return Verdict::Noted("a question that was overtaken had not been sent");
        };
        // Said once: a copy of that word must not take another question off the count.
        if asking.nth != nth || asking.last_at.is_none() {
            return Verdict::Noted("a question that was overtaken had not been sent");
        }
        let anew = retry::ask_anew_at(self.now);
        let next = Asking {
            ask_at: Some(asking.ask_at.map_or(anew, |at| at.min(anew))),
            asked: asking.asked.saturating_sub(1),
            last_at: None,
            ..*asking
        };
        self.with(next, Notice::Noted, vec![])
    }

    /// It stays where it is, with another plan of questions.
    fn with(&self, next: Asking, notice: Notice, mut effects: Vec<Effect>) -> Verdict {
        effects.extend(next.ask_at.map(Effect::WakeAt));
        let mut state = self.payment.state.clone();
        if let State::Prompted { asking, .. } | State::Unknown { asking, .. } = &mut state {
            *asking = next;
        }
        Verdict::Moved { state, notice, effects }
    }

    fn would_adopt(&self, holder: &Holder) -> bool {
        let settled_at = match &self.payment.state {
            State::Succeeded { settled, .. } => settled.at,
            State::Waiting { .. }
            | State::Sending { .. }
            | State::Prompted { .. }
            | State::Unknown { .. }
            | State::Failed { .. }
            | State::Joined { .. } => self.now,
        };
        match holder {
            Holder::C2b(joining) => join::would_adopt(self.payment, &joining.told, settled_at),
            Holder::Nobody | Holder::Another => false,
        }
    }

    pub(super) fn query_answered(&self, facts: &QueryFacts, holder: &Holder) -> Verdict {
        let asked_by = self.payment.state.prompt().map(|prompt| &prompt.checkout);
        if asked_by.is_none() {
            return Verdict::Noted("M-Pesa was not asked about it");
        }
        if facts.checkout.as_ref().is_some_and(|told| Some(told) != asked_by) {
            return contradiction(CaseKind::Mismatch, "M-Pesa, asked, spoke of another prompt");
        }
        let code = facts.result.as_deref().unwrap_or_default();
        match facts.class() {
            // No receipt says that it is the same money, so that all else must fit.
            StkClass::Paid if self.would_adopt(holder) => self.paid(&Evidence::from_query(holder)),
            StkClass::Paid => self.paid(&Evidence::from_query(&Holder::Nobody)),
            StkClass::Failed => {
                self.not_paid(self.turned_down(Stage::Inquiry, code, &facts.description), None)
            }
            StkClass::StillOpen => Verdict::Noted("M-Pesa says that the prompt is still open"),
            StkClass::Unknown if is_too_fast(facts) => {
                // Moved only so that the rail hears of it.
                match self.payment.state.asking() {
                    Some(asking) => self.with(*asking, Notice::Noted, vec![]),
                    None => Verdict::Noted("M-Pesa says that we ask too fast"),
                }
            }
            StkClass::Unknown => Verdict::Noted("M-Pesa, asked, says nothing that settles it"),
        }
    }
}

/// Whether M-Pesa says that we ask too fast.
fn is_too_fast(facts: &QueryFacts) -> bool {
    outcome::answer(&facts.code).blame == Blame::Capacity
}

/// How many questions were put after the last interval.
fn days_asked(intervals: &[Duration], asked: u32) -> u32 {
    let scheduled = u32::try_from(intervals.len()).unwrap_or(u32::MAX).saturating_add(1);
    asked.saturating_sub(scheduled)
}
