//! The events of a send: it starts, it is answered, it fails, it lapses.
//!
//! Reversals, business payments and taxes have no name of ours towards Daraja: the same request
//! twice can be two debits (spec/daraja.md §0.3).

use super::{Moment, Verdict, contradiction, described};
use crate::domain::inquiry::effect::{Effect, Notice};
use crate::domain::inquiry::event::AnswerFacts;
use crate::domain::inquiry::kind::{Answer, Kind};
use crate::domain::inquiry::state::{Doubt, Failure, Names, State, Tries};
use crate::domain::inquiry::step::Forbidden;
use crate::domain::outcome::{self, AnswerClass};
use crate::domain::payout::{CaseKind, Lease, Stage, WhyNothingSent};
use crate::domain::retry;

/// How often what moves no money is asked anew when an answer or a result is lost.
pub const LOST_MAX: u32 = 3;

impl Moment<'_> {
    pub(super) fn send_started(&self, lease: Lease) -> Verdict {
        match &self.inquiry.state {
            State::Queued { not_before, .. } if !retry::is_due(*not_before, self.now) => {
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
            | State::Accepted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. } => Verdict::Forbidden(Forbidden::NotQueued),
        }
    }

    pub(super) fn answered(&self, attempt: u32, answer: &AnswerFacts) -> Verdict {
        let class = answer.class();
        // Whether the answer rules out that M-Pesa has the request.
        let refuses = matches!(class, AnswerClass::Refused | AnswerClass::TryLater);
        match &self.inquiry.state {
            State::Sending { tries, .. } if tries.attempts == attempt => {
                self.answered_in_time(*tries, answer)
            }
            State::Queued { .. } | State::Sending { .. } if refuses || !self.moves_money() => {
                Verdict::Noted("an earlier send was answered, which changes nothing")
            }
            // Whatever was thought of that send: M-Pesa may have it, and must not get another.
            State::Queued { .. } => {
                let case = Effect::OpenCase(CaseKind::Contradiction);
                let why = Doubt::Answer { code: answer.code.clone() };
                self.doubt(why, &answer.names, vec![case])
            }
            State::Sending { .. } => {
                self.contradicts("an earlier send was known to have taken nothing", answer)
            }
            State::Accepted { .. } if refuses => {
                self.contradicts("M-Pesa took the request before", answer)
            }
            State::Unknown { tries, why: Doubt::NoAnswer | Doubt::LeaseLapsed, names, .. }
                if tries.attempts == attempt && refuses && *names == Names::default() =>
            {
                self.fail(refused_with(answer), &answer.names, vec![])
            }
            State::Unknown { tries, why, names, .. }
                if tries.attempts == attempt
                    && !refuses
                    && self.names_with(&answer.names) != *names =>
            {
                self.doubt(why.clone(), &answer.names, vec![])
            }
            State::Accepted { .. } | State::Unknown { .. } => {
                Verdict::Noted("an answer after the doubt settles nothing")
            }
            State::Succeeded { .. } if refuses && self.moves_money() => {
                self.contradicts("it is done", answer)
            }
            State::Failed { failure, .. }
                if self.moves_money()
                    && failure.stage == Stage::Request
                    && class == AnswerClass::Taken =>
            {
                self.contradicts("M-Pesa had not taken the request", answer)
            }
            State::Succeeded { .. } | State::Failed { .. } => {
                Verdict::Noted("the answer came after the end")
            }
        }
    }

    fn answered_in_time(&self, tries: Tries, answer: &AnswerFacts) -> Verdict {
        match answer.class() {
            AnswerClass::Taken => self.taken(tries, answer),
            AnswerClass::Cached if !self.moves_money() => self.accept(tries, answer),
            AnswerClass::Cached | AnswerClass::Doubt => {
                self.lose(Doubt::Answer { code: answer.code.clone() }, &answer.names)
            }
            AnswerClass::TryLater => {
                let busy = tries.busy.saturating_add(1);
                if busy >= retry::BUSY_ANSWERS_MAX {
                    return self.fail(refused_with(answer), &answer.names, vec![]);
                }
                let not_before = retry::resend_at(self.now, busy);
                self.queue(Tries { busy, unreachable: 0, ..tries }, not_before, vec![])
            }
            AnswerClass::Refused => self.fail(refused_with(answer), &answer.names, vec![]),
        }
    }

    fn taken(&self, tries: Tries, answer: &AnswerFacts) -> Verdict {
        let done = match &self.inquiry.details.kind {
            Kind::RegisterUrls(_) | Kind::RegisterPull(_) => Answer::Registered,
            Kind::SimulateC2b(_) => Answer::Simulated,
            Kind::QrCode(_) => match &answer.picture {
                Some(picture) => Answer::Pictured(picture.clone()),
                None => {
                    let why = Doubt::Answer { code: answer.code.clone() };
                    return self.lose(why, &answer.names);
                }
            },
            Kind::Balance
            | Kind::TransactionStatus(_)
            | Kind::Reversal(_)
            | Kind::BusinessPayment(_)
            | Kind::Tax(_) => return self.accept(tries, answer),
        };
        self.succeed(done, &answer.names, vec![])
    }

    fn accept(&self, tries: Tries, answer: &AnswerFacts) -> Verdict {
        let overdue_at = self.now.after(self.policy.result_overdue);
        Verdict::Moved {
            state: State::Accepted { tries, names: answer.names.clone(), overdue_at },
            notice: Notice::Accepted,
            effects: vec![Effect::WakeAt(overdue_at)],
        }
    }

    pub(super) fn nothing_sent(&self, attempt: u32, why: WhyNothingSent) -> Verdict {
        match &self.inquiry.state {
            State::Sending { tries, .. } if tries.attempts == attempt => {
                let unreachable = tries.unreachable.saturating_add(1);
                let not_before = retry::resend_at(self.now, unreachable);
                let waited = not_before.since(self.inquiry.details.created_at);
                if waited >= self.policy.give_up_after {
                    return self.fail(
                        gave_up("not_sent", why.kept_from_sending()),
                        &Names::default(),
                        vec![],
                    );
                }
                self.queue(Tries { unreachable, busy: 0, ..*tries }, not_before, vec![])
            }
            State::Accepted { tries, .. } if tries.attempts == attempt => contradiction(
                CaseKind::Contradiction,
                "M-Pesa has the request, yet not one byte of it is known to have left",
            ),
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. } => Verdict::Noted("a send of which nothing left had ended"),
        }
    }

    pub(super) fn no_answer(&self, attempt: u32) -> Verdict {
        match &self.inquiry.state {
            State::Sending { tries, .. } if tries.attempts == attempt => {
                self.lose(Doubt::NoAnswer, &Names::default())
            }
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. } => Verdict::Noted("a send without an answer had ended"),
        }
    }

    pub(super) fn lease_lapsed(&self, lapsed: Lease) -> Verdict {
        match &self.inquiry.state {
            State::Sending { lease, .. } if *lease == lapsed => {
                self.lose(Doubt::LeaseLapsed, &Names::default())
            }
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. } => Verdict::Stale,
        }
    }

    /// An answer or a result is lost, or says nothing. What moves money is in doubt; what moves
    /// none is asked anew, a few times.
    pub(super) fn lose(&self, why: Doubt, told: &Names) -> Verdict {
        if self.moves_money() {
            return self.doubt(why, told, vec![]);
        }
        let tries = self.inquiry.state.tries();
        let lost = tries.lost.saturating_add(1);
        if lost > LOST_MAX {
            return self.fail(gave_up("no_answer", &why.to_string()), told, vec![]);
        }
        let not_before = retry::resend_at(self.now, lost.saturating_add(1));
        self.queue(Tries { lost, busy: 0, unreachable: 0, ..tries }, not_before, vec![])
    }

    fn contradicts(&self, known: &str, answer: &AnswerFacts) -> Verdict {
        let says = format!("{known}, and an answer with code {:?} came", answer.code);
        contradiction(CaseKind::Contradiction, says)
    }
}

/// What M-Pesa's refusal of a request makes of its inquiry.
fn refused_with(answer: &AnswerFacts) -> Failure {
    let meaning = outcome::answer(&answer.code);
    Failure {
        stage: Stage::Request,
        code: answer.code.clone(),
        description: described(&answer.description, meaning.says),
        retryable: meaning.blame.is_retryable(),
    }
}

fn gave_up(code: &str, why: &str) -> Failure {
    Failure {
        stage: Stage::Request,
        code: code.to_owned(),
        description: format!("given up: {why}"),
        retryable: true,
    }
}
