//! Asking M-Pesa what became of money that may have moved (spec/daraja.md §1.9).
//!
//! The answer is on two levels: the query's own result, and `TransactionStatus`, which alone is
//! about the money (law 6). That M-Pesa finds nothing settles nothing here: the request may still
//! arrive, and nobody may send another.

use std::time::Duration;

use super::{Forbidden, Moment, Verdict, contradiction};
use crate::domain::id::ConversationId;
use crate::domain::inquiry::effect::{Effect, Notice};
use crate::domain::inquiry::event::AnswerFacts;
use crate::domain::inquiry::kind::Moved;
use crate::domain::inquiry::state::{Asking, Failure, Inquiry, Names, State};
use crate::domain::outcome::{self, AnswerClass, QueryClass};
use crate::domain::payout::{CaseKind, InquiryAnswer, InquiryFacts, Stage, TransactionStatus};
use crate::domain::retry;

/// By what M-Pesa can be asked about `inquiry` now; `None` when it is not in doubt, or M-Pesa gave
/// it no name.
pub fn ask_by(inquiry: &Inquiry) -> Option<&ConversationId> {
    match &inquiry.state {
        State::Unknown { names, .. } if !inquiry.details.kind.is_synchronous() => names.any(),
        State::Queued { .. }
        | State::Sending { .. }
        | State::Accepted { .. }
        | State::Unknown { .. }
        | State::Succeeded { .. }
        | State::Failed { .. } => None,
    }
}

impl Moment<'_> {
    pub(super) fn ask_wanted(&self) -> Verdict {
        let State::Unknown { asking, .. } = &self.inquiry.state else {
            return Verdict::Forbidden(Forbidden::NotInDoubt);
        };
        if ask_by(self.inquiry).is_none() {
            return Verdict::Forbidden(Forbidden::NoNameToAskBy);
        }
        if asking.last_at.is_some_and(|last| !retry::may_ask_by_hand(last, self.now)) {
            return Verdict::Forbidden(Forbidden::AskedJustNow);
        }
        let ask_at = asking.ask_at.map_or(self.now, |at| at.min(self.now));
        self.with(Asking { ask_at: Some(ask_at), ..*asking }, Notice::Noted, vec![])
    }

    pub(super) fn question_sent(&self) -> Verdict {
        let State::Unknown { tries, asking, .. } = &self.inquiry.state else {
            return Verdict::Forbidden(Forbidden::NotInDoubt);
        };
        if !asking.ask_at.is_some_and(|at| retry::is_ask_due(at, self.now)) {
            return Verdict::Forbidden(Forbidden::NotDue);
        }
        if ask_by(self.inquiry).is_none() {
            return self.call_a_person(asking);
        }
        let intervals = &self.policy.ask_intervals;
        let nth = tries.questions.saturating_add(1);
        let asked = asking.asked.saturating_add(1);
        let is_last = days_asked(intervals, asked) >= self.policy.daily_questions;
        let mut effects = vec![Effect::Ask { nth }];
        let mut called = asking.called;
        if retry::is_past_the_last(intervals, asked) && called.is_none() {
            effects.push(Effect::OpenCase(CaseKind::StillUnknown));
            called = Some(CaseKind::StillUnknown);
        }
        let next = Asking {
            ask_at: (!is_last).then(|| retry::ask_again_at(self.now, intervals, asked)),
            asked,
            last: Some(nth),
            last_at: Some(self.now),
            called,
        };
        let mut verdict = self.with(next, Notice::Asked, effects);
        if let Verdict::Moved { state: State::Unknown { tries, .. }, .. } = &mut verdict {
            tries.questions = nth;
        }
        verdict
    }

    /// Without a name of M-Pesa's only the result can settle it, or a person, who is called once.
    fn call_a_person(&self, asking: &Asking) -> Verdict {
        let kind = CaseKind::StillUnknown;
        let case = asking.called.is_none().then_some(Effect::OpenCase(kind));
        let called = asking.called.or(Some(kind));
        let next = Asking { ask_at: None, called, ..*asking };
        self.with(next, Notice::Noted, case.into_iter().collect())
    }

    pub(super) fn question_not_sent(&self, nth: u32) -> Verdict {
        match self.last_question(Some(nth)) {
            Some(asking) => self.ask_anew(asking),
            None => Verdict::Noted("a question that was overtaken had not been sent"),
        }
    }

    /// A question's own answer: whether M-Pesa took the question. It says nothing of the money.
    pub(super) fn question_replied(&self, nth: u32, answer: &AnswerFacts) -> Verdict {
        let Some(asking) = self.last_question(Some(nth)) else {
            return Verdict::Noted("a question that was overtaken was answered");
        };
        match answer.class() {
            AnswerClass::TryLater => self.ask_anew(asking),
            // The rail stops (law 7), so the question must be put again afterwards.
            _ if outcome::answer(&answer.code).blame.stops_the_rail() => self.ask_anew(asking),
            AnswerClass::Taken | AnswerClass::Cached => Verdict::Noted("M-Pesa took the question"),
            AnswerClass::Refused => Verdict::Noted("M-Pesa refused the question"),
            AnswerClass::Doubt => Verdict::Noted("M-Pesa may or may not have taken the question"),
        }
    }

    /// A question that M-Pesa has not got does not count: it is put again a little later.
    fn ask_anew(&self, asking: &Asking) -> Verdict {
        let anew = retry::ask_anew_at(self.now);
        let next = Asking {
            ask_at: Some(asking.ask_at.map_or(anew, |at| at.min(anew))),
            asked: asking.asked.saturating_sub(1),
            // Said once: a copy of that word must not take another question off the count.
            last: None,
            ..*asking
        };
        self.with(next, Notice::Noted, vec![])
    }

    /// What was asked about an inquiry in doubt, if `nth` is the last question about it.
    fn last_question(&self, nth: Option<u32>) -> Option<&Asking> {
        match &self.inquiry.state {
            State::Unknown { asking, .. } => {
                (asking.last.is_some() && asking.last == nth).then_some(asking)
            }
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Succeeded { .. }
            | State::Failed { .. } => None,
        }
    }

    /// It stays in doubt, with another plan of questions.
    fn with(&self, next: Asking, notice: Notice, mut effects: Vec<Effect>) -> Verdict {
        effects.extend(next.ask_at.map(Effect::WakeAt));
        let mut state = self.inquiry.state.clone();
        if let State::Unknown { asking, .. } = &mut state {
            *asking = next;
        }
        Verdict::Moved { state, notice, effects }
    }

    pub(super) fn question_answered(&self, answer: &InquiryAnswer) -> Verdict {
        match (answer.class(), &answer.payment) {
            (QueryClass::Answered, Some(facts)) => self.status_told(answer.nth, facts),
            (QueryClass::Answered, None) => {
                Verdict::Noted("M-Pesa looked it up and does not say where it stands")
            }
            (QueryClass::NotFound, _) => {
                Verdict::Noted("M-Pesa knows no such transaction; it may still arrive")
            }
            (QueryClass::Unanswered, _) => match self.last_question(answer.nth) {
                // The rail stops (law 7), so the question must be put again afterwards.
                Some(asking) if outcome::query(&answer.code).blame.stops_the_rail() => {
                    self.ask_anew(asking)
                }
                Some(_) | None => Verdict::Noted("M-Pesa could not answer the question"),
            },
        }
    }

    /// What M-Pesa says of the money itself.
    fn status_told(&self, nth: Option<u32>, facts: &InquiryFacts) -> Verdict {
        if !is_of(self.inquiry, nth, facts) {
            return Verdict::Noted("the status is not said to be this transaction's");
        }
        let word = match &facts.status {
            TransactionStatus::Completed => return self.completed(facts),
            TransactionStatus::InProgress | TransactionStatus::Other(_) => {
                return Verdict::Noted("the status settles nothing yet");
            }
            TransactionStatus::Cancelled => "Cancelled",
            TransactionStatus::Declined => "Declined",
            TransactionStatus::Expired => "Expired",
        };
        match &self.inquiry.state {
            State::Unknown { .. } => {
                let failure = Failure {
                    stage: Stage::Inquiry,
                    code: word.to_owned(),
                    description: format!("M-Pesa, asked about it, says {word}"),
                    retryable: true,
                };
                self.fail(failure, &Names::default(), vec![])
            }
            State::Succeeded { .. } => contradiction(
                CaseKind::Contradiction,
                format!("it is done, and M-Pesa, asked about it, says {word}"),
            ),
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Failed { .. } => Verdict::Noted("the status agrees that it is not done"),
        }
    }

    fn completed(&self, facts: &InquiryFacts) -> Verdict {
        let amount = self.inquiry.details.kind.amount();
        let what = match (&facts.odd, &facts.receipt) {
            (Some(odd), _) => odd.clone(),
            (None, _) if facts.amount.is_none() => {
                "it is said to be done, and not how much".to_owned()
            }
            (None, _) if facts.amount != amount => "another amount was moved".to_owned(),
            (None, None) => "it is said to be done, without a receipt".to_owned(),
            (None, Some(receipt)) => return self.completed_with(facts, receipt.clone()),
        };
        match &self.inquiry.state {
            State::Unknown { .. } => self.mismatch(what, &Names::default()),
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Succeeded { .. }
            | State::Failed { .. } => contradiction(CaseKind::Mismatch, what),
        }
    }

    fn completed_with(&self, facts: &InquiryFacts, receipt: crate::domain::id::Receipt) -> Verdict {
        let InquiryFacts { amount, completed_at, .. } = facts;
        match &self.inquiry.state {
            State::Unknown { .. } => {
                let (amount, completed_at) = (*amount, *completed_at);
                let moved = Moved { receipt, amount, charge: None, completed_at };
                self.succeed(self.answer_of(moved), &Names::default(), vec![])
            }
            State::Succeeded { answer, .. } => {
                if answer.moved().is_none_or(|known| known.receipt == receipt) {
                    return Verdict::Noted("M-Pesa says again that it is done");
                }
                let says = "it is done, and M-Pesa names another receipt for it";
                contradiction(CaseKind::Contradiction, says)
            }
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Failed { .. } => contradiction(
                CaseKind::Contradiction,
                "it is not in doubt, and M-Pesa, asked about it, says that it is done",
            ),
        }
    }
}

/// Whether what M-Pesa says is about the transaction of `inquiry`: it names it, or it names none
/// and answers the last question.
pub(in crate::domain::inquiry) fn is_of(
    inquiry: &Inquiry,
    nth: Option<u32>,
    facts: &InquiryFacts,
) -> bool {
    let Some(names) = inquiry.state.names() else {
        return false;
    };
    match (&facts.conversation, &names.conversation) {
        (Some(told), Some(known)) => told == known,
        (None, _) | (_, None) => match &inquiry.state {
            State::Unknown { asking, .. } => asking.last.is_some() && asking.last == nth,
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Succeeded { .. }
            | State::Failed { .. } => false,
        },
    }
}

/// How many questions were put after the last interval.
fn days_asked(intervals: &[Duration], asked: u32) -> u32 {
    let scheduled = u32::try_from(intervals.len()).unwrap_or(u32::MAX).saturating_add(1);
    asked.saturating_sub(scheduled)
}
