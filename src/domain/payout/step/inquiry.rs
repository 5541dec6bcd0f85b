//! What empties `unknown`: M-Pesa's answer when it is asked, or a named person's ruling.

use super::result::Evidence;
use super::sending::refused_with;
use super::{Contradiction, Forbidden, Moment, Verdict, described};
use crate::domain::outcome::{self, AnswerClass, QueryClass};
use crate::domain::payout::effect::{CaseKind, Effect, Notice};
use crate::domain::payout::event::{
    AnswerFacts, InquiryAnswer, InquiryFacts, NotFoundRule, Ruling, TransactionStatus,
};
use crate::domain::payout::inquiry::{self, AskBy, Inquiry, Question};
use crate::domain::payout::state::{Doubt, Failure, Settled, Stage, State, Tries};
use crate::domain::retry;
use crate::domain::time::Timestamp;

/// How often "no such transaction" may lead to another send before a person decides.
pub const NOT_FOUND_ROUNDS_MAX: u32 = 3;

impl Moment<'_> {
    // ---------------------------------------------------------------------------------- asking

    pub(super) fn ask_wanted(&self) -> Verdict {
        match &self.payout.state {
            State::Accepted { tries, conversation, .. } => {
                self.doubt(*tries, Doubt::AskedEarly, conversation.clone(), vec![]).asking(self.now)
            }
            State::Unknown { inquiry, .. } => {
                let lately =
                    inquiry.last.is_some_and(|last| !retry::may_ask_by_hand(last.at, self.now));
                if lately {
                    return Verdict::Forbidden(Forbidden::AskedJustNow);
                }
                if inquiry::ask_by(self.payout, self.policy, self.now).is_none() {
                    return Verdict::Forbidden(Forbidden::TooOldToAsk);
                }
                let ask_at = inquiry.ask_at.min(self.now);
                self.inquire(Inquiry { ask_at, ..inquiry.clone() }, Notice::Noted, vec![])
            }
            State::AwaitingApproval { .. }
            | State::Queued { .. }
            | State::Sending { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => Verdict::Forbidden(Forbidden::NotInDoubt),
        }
    }

    pub(super) fn inquiry_sent(&self) -> Verdict {
        let State::Unknown { tries, inquiry, .. } = &self.payout.state else {
            return Verdict::Forbidden(Forbidden::NotInDoubt);
        };
        if !retry::is_ask_due(inquiry.ask_at, self.now) {
            return Verdict::Forbidden(Forbidden::NotDue);
        }
        let Some(by) = inquiry::ask_by(self.payout, self.policy, self.now) else {
            return self.too_old_to_ask(inquiry);
        };
        let nth = tries.questions.saturating_add(1);
        let asked = inquiry.asked.saturating_add(1);
        let intervals = &self.policy.inquiry_intervals;
        let mut effects = vec![Effect::Ask { nth }];
        let mut called = inquiry.called;
        if retry::is_past_the_last(intervals, asked) && called.is_none() {
            effects.push(Effect::OpenCase(CaseKind::StillUnknown));
            called = Some(CaseKind::StillUnknown);
        }
        let inquiry = Inquiry {
            ask_at: retry::ask_again_at(self.now, intervals, asked),
            asked,
            last: Some(Question { nth, at: self.now, by }),
            told: inquiry.told.clone(),
            called,
        };
        let mut verdict = self.inquire(inquiry, Notice::Inquired, effects);
        if let Verdict::Moved { state: State::Unknown { tries, .. }, .. } = &mut verdict {
            tries.questions = nth;
        }
        verdict
    }

    /// M-Pesa would not find it any more: only a person can, and is called once.
    fn too_old_to_ask(&self, inquiry: &Inquiry) -> Verdict {
        if inquiry.called.is_some() {
            return Verdict::Forbidden(Forbidden::TooOldToAsk);
        }
        let called = Some(CaseKind::StillUnknown);
        let ask_at = self.now.after(retry::DAILY);
        let case = Effect::OpenCase(CaseKind::StillUnknown);
        self.inquire(Inquiry { ask_at, called, ..inquiry.clone() }, Notice::Noted, vec![case])
    }

    /// A question's own answer: whether M-Pesa took the question. It says nothing of the payment.
    pub(super) fn inquiry_replied(&self, nth: u32, answer: &AnswerFacts) -> Verdict {
        let Some(inquiry) = self.last_question(Some(nth)) else {
            return Verdict::Noted("a question that was overtaken was answered");
        };
        match answer.class() {
            AnswerClass::TryLater => {
                let slow = Effect::SlowRail { code: answer.code.clone() };
                self.ask_anew(inquiry, vec![slow])
            }
            // The rail stops (law 7), so the question must be put again afterwards.
            _ if outcome::answer(&answer.code).blame.stops_the_rail() => {
                self.ask_anew(inquiry, vec![])
            }
            AnswerClass::Taken | AnswerClass::Cached => Verdict::Noted("M-Pesa took the question"),
            AnswerClass::Refused => Verdict::Noted("M-Pesa refused the question"),
            AnswerClass::Doubt => Verdict::Noted("M-Pesa may or may not have taken the question"),
        }
    }

    pub(super) fn inquiry_not_sent(&self, nth: u32) -> Verdict {
        match self.last_question(Some(nth)) {
            Some(inquiry) => self.ask_anew(inquiry, vec![]),
            None => Verdict::Noted("a question that was overtaken had not been sent"),
        }
    }

    /// A question that M-Pesa has not got does not count: it is put again a little later.
    fn ask_anew(&self, inquiry: &Inquiry, effects: Vec<Effect>) -> Verdict {
        let anew = Inquiry {
            ask_at: inquiry.ask_at.min(retry::ask_anew_at(self.now)),
            asked: inquiry.asked.saturating_sub(1),
            // Said once: a copy of that word must not take another question off the count.
            last: None,
            ..inquiry.clone()
        };
        self.inquire(anew, Notice::Noted, effects)
    }

    /// The inquiry of a payout in doubt, if `nth` is the last question about it.
    fn last_question(&self, nth: Option<u32>) -> Option<&Inquiry> {
        match &self.payout.state {
            State::Unknown { inquiry, .. } => {
                inquiry.last.is_some_and(|last| Some(last.nth) == nth).then_some(inquiry)
            }
            State::AwaitingApproval { .. }
            | State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => None,
        }
    }

    /// It stays in doubt, with another inquiry.
    fn inquire(&self, inquiry: Inquiry, notice: Notice, mut effects: Vec<Effect>) -> Verdict {
        effects.push(Effect::Inquire { at: inquiry.ask_at });
        let mut state = self.payout.state.clone();
        if let State::Unknown { inquiry: kept, .. } = &mut state {
            *kept = inquiry;
        }
        Verdict::Moved { state, notice, effects }
    }

    // --------------------------------------------------------------------------------- answers

    pub(super) fn inquiry_answered(&self, answer: &InquiryAnswer) -> Verdict {
        match (answer.class(), &answer.payment) {
            (QueryClass::Answered, Some(facts)) => self.status_told(answer.nth, facts),
            (QueryClass::Answered, None) => {
                Verdict::Noted("M-Pesa looked it up and does not say where it stands")
            }
            (QueryClass::NotFound, _) => self.not_found(answer.nth),
            (QueryClass::Unanswered, _) => match self.last_question(answer.nth) {
                // The rail stops (law 7), so the question must be put again afterwards.
                Some(inquiry) if outcome::query(&answer.code).blame.stops_the_rail() => {
                    self.ask_anew(inquiry, vec![])
                }
                Some(_) | None => Verdict::Noted("M-Pesa could not answer the question"),
            },
        }
    }

    /// The payment's own level of an answer.
    fn status_told(&self, nth: Option<u32>, facts: &InquiryFacts) -> Verdict {
        let ours = self.payout.details.originator_conversation_id.as_str();
        let is_named = facts.originator.as_deref() == Some(ours);
        let asked_by_name = self
            .last_question(nth)
            .is_some_and(|it| it.last.is_some_and(|last| last.by == AskBy::Name));
        let is_ours = is_named || (asked_by_name && facts.originator.is_none());
        if !is_ours {
            return match (&facts.status, asked_by_name) {
                (TransactionStatus::Completed, true) => {
                    self.paid(Evidence::from_inquiry(facts).but("another payment's status came"))
                }
                _ => Verdict::Noted("the status is not said to be this payment's"),
            };
        }
        let word = match &facts.status {
            TransactionStatus::Completed if facts.amount.is_none() => {
                let without = "it is said to be paid, and not how much";
                return self.paid(Evidence::from_inquiry(facts).but(without));
            }
            TransactionStatus::Completed => return self.paid(Evidence::from_inquiry(facts)),
            TransactionStatus::InProgress | TransactionStatus::Other(_) => {
                return Verdict::Noted("the status settles nothing yet");
            }
            TransactionStatus::Cancelled => "Cancelled",
            TransactionStatus::Declined => "Declined",
            TransactionStatus::Expired => "Expired",
        };
        match &self.payout.state {
            State::Accepted { .. } | State::Unknown { .. } => {
                let failure = Failure {
                    stage: Stage::Inquiry,
                    code: word.to_owned(),
                    description: format!("M-Pesa, asked about it, says {word}"),
                    retryable: true,
                };
                let conversation = facts.conversation.clone();
                self.fail(failure, conversation, facts.completed_at, vec![])
            }
            // Another send is on its way or about to be: its own result will say.
            State::Queued { .. } | State::Sending { .. } => {
                Verdict::Noted("the status is about an earlier send")
            }
            State::Succeeded { .. } => Verdict::Contradicted(Contradiction {
                kind: CaseKind::Contradiction,
                says: format!("it is paid, and M-Pesa, asked about it, says {word}"),
            }),
            State::AwaitingApproval { .. } | State::Failed { .. } | State::Cancelled { .. } => {
                Verdict::Noted("the status agrees that it is not paid")
            }
        }
    }

    fn not_found(&self, nth: Option<u32>) -> Verdict {
        let State::Unknown { tries, why, since, arrives_until, inquiry, .. } = &self.payout.state
        else {
            return Verdict::Noted("M-Pesa knows no such transaction; nothing follows from it now");
        };
        let mut arrives_until = *arrives_until;
        // What was not heard may have been that the broker holds the request, and what was taken
        // may wait. A re-send under the same name would then be refused as a duplicate; `failed`
        // would be wrong.
        let fails = self.policy.on_not_found == NotFoundRule::Fail && may_be_held(why);
        let held_since = if let Doubt::RefusedLater { .. } = why {
            tries.sent_at
        } else {
            fails.then_some(*since)
        };
        if let Some(since) = held_since {
            arrives_until = arrives_until.max(since.after(self.policy.cached_window));
        }
        if !inquiry::proves_absence(self.payout, nth, arrives_until) {
            return self.not_found_yet(nth, arrives_until);
        }
        if let Doubt::RefusedLater { code, description } = why {
            return self.fail(refused_with(code, description), None, None, vec![]);
        }
        let resend = self.policy.on_not_found == NotFoundRule::Resend
            && tries.not_found < NOT_FOUND_ROUNDS_MAX;
        let fail = self.policy.on_not_found == NotFoundRule::Fail;
        if is_spoken_of(tries, why) || !(resend || fail) {
            if inquiry.called == Some(CaseKind::NotFound) {
                return Verdict::Noted("M-Pesa still knows no such transaction");
            }
            let called = Inquiry { called: Some(CaseKind::NotFound), ..inquiry.clone() };
            let case = Effect::OpenCase(CaseKind::NotFound);
            return self.inquire(called, Notice::Noted, vec![case]);
        }
        if resend {
            let not_found = tries.not_found.saturating_add(1);
            let tries = Tries { not_found, busy: 0, unreachable: 0, ..*tries };
            return self.queue(tries, self.now, Notice::Requeued, vec![]);
        }
        let failure = Failure {
            stage: Stage::Inquiry,
            code: "not_found".to_owned(),
            description: "M-Pesa, asked about it, knows no such transaction".to_owned(),
            retryable: true,
        };
        self.fail(failure, None, None, vec![])
    }

    /// It may still arrive, so this proves nothing; once it cannot, the question is put again.
    fn not_found_yet(&self, nth: Option<u32>, arrives_until: Timestamp) -> Verdict {
        match self.last_question(nth) {
            Some(inquiry) if inquiry.ask_at > arrives_until.max(self.now) => {
                let ask_at = arrives_until.max(self.now);
                let is_early = inquiry.last.is_some_and(|last| last.at < arrives_until);
                if !is_early {
                    return Verdict::Noted("M-Pesa may have forgotten it: this proves nothing");
                }
                self.inquire(Inquiry { ask_at, ..inquiry.clone() }, Notice::Noted, vec![])
            }
            Some(_) | None => {
                Verdict::Noted("M-Pesa knows no such transaction; it may still arrive")
            }
        }
    }

    // --------------------------------------------------------------------------------- a person

    pub(super) fn ruled(&self, ruling: &Ruling) -> Verdict {
        let State::Unknown { tries, conversation, .. } = &self.payout.state else {
            return Verdict::Forbidden(Forbidden::NotInDoubt);
        };
        match &ruling.receipt {
            Some(receipt) => Verdict::Moved {
                state: State::Succeeded {
                    receipt: receipt.clone(),
                    settled: Settled {
                        conversation: conversation.clone(),
                        completed_at: self.now,
                        mpesa_completed_at: None,
                        attempts: tries.attempts,
                    },
                    recipient_name: None,
                    charge: None,
                },
                notice: Notice::Succeeded,
                effects: vec![],
            },
            None => {
                let failure = Failure {
                    stage: Stage::Inquiry,
                    code: "ruled".to_owned(),
                    description: described(&ruling.reason, "ruled not to be paid"),
                    retryable: true,
                };
                self.fail(failure, None, None, vec![])
            }
        }
    }
}

/// Whether M-Pesa may have the request without knowing of a payment yet: it is not known what it
/// answered, or it took the request and has not said what became of it. What it took over Daraja
/// waits in a queue before the core that looks payments up has heard of it.
const fn may_be_held(why: &Doubt) -> bool {
    matches!(
        why,
        Doubt::NoAnswer
            | Doubt::Answer { .. }
            | Doubt::LeaseLapsed
            | Doubt::ResultOverdue
            | Doubt::AskedEarly
    )
}

/// Whether M-Pesa has spoken of the payment before, or we never sent it: then its word that it
/// knows none is a riddle, and no rule solves it.
pub(super) const fn is_spoken_of(tries: &Tries, why: &Doubt) -> bool {
    tries.attempts == 0
        || matches!(why, Doubt::Mismatch { .. } | Doubt::Duplicate | Doubt::Result { .. })
}
