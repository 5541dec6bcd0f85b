//! The events of a send: it starts, it is answered, it fails, it lapses (law 2).

use super::inquiry::is_spoken_of;
use super::{Contradiction, Forbidden, Moment, Verdict, described};
use crate::domain::outcome::{self, AnswerClass};
use crate::domain::payout::effect::{CaseKind, Effect, Notice};
use crate::domain::payout::event::AnswerFacts;
use crate::domain::payout::state::{Doubt, Failure, Lease, Stage, State, Tries};
use crate::domain::retry;

/// The code of a payout whose request was not sent because it is not to the schema. M-Pesa's own
/// are numbers.
const UNFIT: &str = "not_to_schema";

impl Moment<'_> {
    pub(super) fn send_started(&self, lease: Lease) -> Verdict {
        match &self.payout.state {
            State::Queued { not_before, .. } if !retry::is_due(*not_before, self.now) => {
                Verdict::Forbidden(Forbidden::NotDue)
            }
            State::Queued { tries, .. } => {
                let attempts = tries.attempts.saturating_add(1);
                let sent_at = tries.sent_at.or(Some(self.now));
                Verdict::Moved {
                    state: State::Sending { tries: Tries { attempts, sent_at, ..*tries }, lease },
                    notice: Notice::Sending,
                    effects: vec![
                        Effect::Transmit { attempt: attempts },
                        Effect::WakeAt(lease.until),
                    ],
                }
            }
            State::AwaitingApproval { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => Verdict::Forbidden(Forbidden::NotQueued),
        }
    }

    pub(super) fn answered(&self, attempt: u32, answer: &AnswerFacts) -> Verdict {
        let class = answer.class();
        // Whether the answer rules out that M-Pesa has the request.
        let refuses = matches!(class, AnswerClass::Refused | AnswerClass::TryLater);
        match &self.payout.state {
            State::Sending { tries, .. } if tries.attempts == attempt => {
                self.answered_in_time(*tries, answer, class)
            }
            State::Sending { .. } | State::Queued { .. } if refuses => {
                Verdict::Noted("an earlier send was refused, as was known")
            }
            State::Sending { .. } | State::Queued { .. } => {
                self.contradicts("an earlier send was known to have taken nothing", answer)
            }
            State::Accepted { .. } if refuses => {
                self.contradicts("M-Pesa took the request before", answer)
            }
            State::Accepted { .. } => Verdict::Noted("M-Pesa took the request before"),
            State::Unknown { tries, .. } if tries.attempts == attempt && !refuses => {
                self.learn(answer)
            }
            State::Unknown { .. } => Verdict::Noted("an answer after the doubt settles nothing"),
            State::Succeeded { .. } if refuses => self.contradicts("it is paid", answer),
            State::Succeeded { .. } => Verdict::Noted("the answer came after the result"),
            State::Failed { failure, .. }
                if failure.stage == Stage::Request && class == AnswerClass::Taken =>
            {
                self.contradicts("M-Pesa refused the request before", answer)
            }
            State::Failed { .. } => Verdict::Noted("the answer came after the end"),
            State::AwaitingApproval { .. } | State::Cancelled { .. } => {
                self.contradicts("nothing was sent", answer)
            }
        }
    }

    fn answered_in_time(&self, tries: Tries, answer: &AnswerFacts, class: AnswerClass) -> Verdict {
        let conversation = answer.conversation.clone();
        match class {
            AnswerClass::Taken => {
                let overdue_at = self.now.after(self.policy.result_overdue);
                Verdict::Moved {
                    state: State::Accepted { tries, conversation, overdue_at },
                    notice: Notice::Accepted,
                    effects: vec![Effect::WakeAt(overdue_at)],
                }
            }
            AnswerClass::Cached => self.doubt(tries, Doubt::Cached, conversation, vec![]),
            AnswerClass::Doubt if outcome::is_duplicate(&answer.code) => {
                self.doubt(tries, Doubt::Duplicate, conversation, vec![])
            }
            AnswerClass::Doubt => {
                let why = Doubt::Answer { code: answer.code.clone() };
                self.doubt(tries, why, conversation, vec![])
            }
            AnswerClass::TryLater => {
                let busy = tries.busy.saturating_add(1);
                let slow = Effect::SlowRail { code: answer.code.clone() };
                if busy >= retry::BUSY_ANSWERS_MAX && !self.may_an_earlier_one_arrive(tries) {
                    return self.fail(request_failure(answer), conversation, None, vec![slow]);
                }
                let not_before = retry::resend_at(self.now, busy);
                let tries = Tries { busy, unreachable: 0, ..tries }.none_taken();
                self.queue(tries, not_before, Notice::Requeued, vec![slow])
            }
            // An earlier send of which M-Pesa knew nothing may be held by the broker all the same,
            // if the answer that said so was lost: then this is not the end.
            AnswerClass::Refused if self.may_an_earlier_one_arrive(tries) => {
                let Failure { code, description, .. } = request_failure(answer);
                self.doubt(tries, Doubt::RefusedLater { code, description }, conversation, vec![])
            }
            AnswerClass::Refused => self.fail(request_failure(answer), conversation, None, vec![]),
        }
    }

    fn may_an_earlier_one_arrive(&self, tries: Tries) -> bool {
        tries.not_found > 0
            && tries.sent_at.is_some_and(|at| self.now < at.after(self.policy.cached_window))
    }

    pub(super) fn nothing_sent(&self, attempt: u32) -> Verdict {
        match &self.payout.state {
            State::Sending { tries, .. } if tries.attempts == attempt => {
                let unreachable = tries.unreachable.saturating_add(1);
                let not_before = retry::resend_at(self.now, unreachable);
                let tries = Tries { unreachable, busy: 0, ..*tries }.none_taken();
                self.queue(tries, not_before, Notice::Requeued, vec![])
            }
            State::Accepted { .. } | State::Succeeded { .. } => {
                Verdict::Contradicted(Contradiction {
                    kind: CaseKind::Contradiction,
                    says: "M-Pesa has the request, yet not one byte of it is known to have left"
                        .to_owned(),
                })
            }
            State::AwaitingApproval { .. }
            | State::Queued { .. }
            | State::Sending { .. }
            | State::Unknown { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => Verdict::Noted("a send of which nothing left had ended"),
        }
    }

    /// Only what is queued is looked at before it is sent; what has moved on since was overtaken.
    pub(super) fn unfit(&self, why: &str) -> Verdict {
        match &self.payout.state {
            // As after a refusal: what was sent before may be held by the broker all the same.
            State::Queued { tries, .. } if self.may_an_earlier_one_arrive(*tries) => {
                let Failure { code, description, .. } = not_fit(why);
                self.doubt(*tries, Doubt::RefusedLater { code, description }, None, vec![])
            }
            State::Queued { .. } => self.fail(not_fit(why), None, None, vec![]),
            State::AwaitingApproval { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => Verdict::Stale,
        }
    }

    pub(super) fn no_answer(&self, attempt: u32) -> Verdict {
        match &self.payout.state {
            State::Sending { tries, .. } if tries.attempts == attempt => {
                self.doubt(*tries, Doubt::NoAnswer, None, vec![])
            }
            State::AwaitingApproval { .. }
            | State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => Verdict::Noted("a send without an answer had ended"),
        }
    }

    pub(super) fn lease_lapsed(&self, lapsed: Lease) -> Verdict {
        match &self.payout.state {
            State::Sending { tries, lease } if *lease == lapsed => {
                self.doubt(*tries, Doubt::LeaseLapsed, None, vec![])
            }
            State::AwaitingApproval { .. }
            | State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => Verdict::Stale,
        }
    }

    /// An answer that came when its payout was in doubt already.
    fn learn(&self, answer: &AnswerFacts) -> Verdict {
        let mut state = self.payout.state.clone();
        if let State::Unknown { tries, why, conversation, arrives_until, .. } = &mut state {
            if conversation.is_none() {
                conversation.clone_from(&answer.conversation);
            }
            let is_cached = answer.class() == AnswerClass::Cached;
            if is_cached {
                *arrives_until = (*arrives_until).max(self.now.after(self.policy.cached_window));
            }
            // That M-Pesa spoke of it weighs more than where the request is now.
            if !is_spoken_of(tries, why) {
                if is_cached {
                    *why = Doubt::Cached;
                } else if outcome::is_duplicate(&answer.code) {
                    *why = Doubt::Duplicate;
                }
            }
        }
        if state == self.payout.state {
            return Verdict::Noted("an answer after the doubt settles nothing");
        }
        Verdict::Moved { state, notice: Notice::Noted, effects: vec![] }
    }
}

/// What is wrong with a request that is not sent. The same details would make the same request.
fn not_fit(why: &str) -> Failure {
    Failure {
        stage: Stage::Request,
        code: UNFIT.to_owned(),
        description: described(why, "the request is not to the schema, and was not sent"),
        retryable: false,
    }
}

fn request_failure(answer: &AnswerFacts) -> Failure {
    refused_with(&answer.code, &answer.description)
}

/// What M-Pesa's refusal of a request makes of its payout.
pub(super) fn refused_with(code: &str, description: &str) -> Failure {
    let meaning = outcome::answer(code);
    Failure {
        stage: Stage::Request,
        code: code.to_owned(),
        description: described(description, meaning.says),
        retryable: meaning.blame.is_retryable(),
    }
}
