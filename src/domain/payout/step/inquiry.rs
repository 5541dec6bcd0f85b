//! What empties `unknown`: M-Pesa's answer when it is asked, or a named person's ruling.

use super::result::Evidence;
use super::{Contradiction, Forbidden, Moment, Verdict};
use crate::domain::payout::effect::{CaseKind, Effect, Notice};
use crate::domain::payout::event::{InquiryFacts, NotFoundRule, Ruling, TransactionStatus};
use crate::domain::payout::state::{Failure, Settled, Stage, State, Tries};
use crate::domain::time::Timestamp;

/// How often "no such transaction" may lead to another send before a person decides.
pub const NOT_FOUND_ROUNDS_MAX: u32 = 3;

impl Moment<'_> {
    pub(super) fn inquiry_sent(&self, ask_again_at: Timestamp) -> Verdict {
        match &self.payout.state {
            State::Unknown { tries, why, conversation, since, asked, .. } => Verdict::Moved {
                state: State::Unknown {
                    tries: *tries,
                    why: why.clone(),
                    conversation: conversation.clone(),
                    since: *since,
                    ask_at: ask_again_at,
                    asked: asked.saturating_add(1),
                },
                notice: Notice::Inquired,
                effects: vec![Effect::Inquire { at: ask_again_at }],
            },
            State::AwaitingApproval { .. }
            | State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => Verdict::Forbidden(Forbidden::NotInDoubt),
        }
    }

    pub(super) fn inquiry_answered(&self, facts: &InquiryFacts) -> Verdict {
        let word = match &facts.status {
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
                self.fail(failure, None, facts.completed_at, vec![])
            }
            // Another send is on its way or about to be: the status speaks of an earlier one.
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

    pub(super) fn not_found(&self, window_over: bool, rule: NotFoundRule) -> Verdict {
        let State::Unknown { tries, .. } = &self.payout.state else {
            return Verdict::Noted("M-Pesa knows no such transaction; nothing follows from it now");
        };
        if !window_over {
            return Verdict::Noted("M-Pesa knows no such transaction yet; it may still arrive");
        }
        match rule {
            NotFoundRule::Resend if tries.not_found < NOT_FOUND_ROUNDS_MAX => {
                let not_found = tries.not_found.saturating_add(1);
                let tries = Tries { not_found, busy: 0, unreachable: 0, ..*tries };
                self.queue(tries, self.now, Notice::Requeued, vec![])
            }
            NotFoundRule::Fail => {
                let failure = Failure {
                    stage: Stage::Inquiry,
                    code: "not_found".to_owned(),
                    description: "M-Pesa, asked about it, knows no such transaction".to_owned(),
                    retryable: true,
                };
                self.fail(failure, None, None, vec![])
            }
            NotFoundRule::Resend | NotFoundRule::Person => Verdict::Moved {
                state: self.payout.state.clone(),
                notice: Notice::Noted,
                effects: vec![Effect::OpenCase(CaseKind::NotFound)],
            },
        }
    }

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
                    description: format!("ruled by {}: {}", ruling.by, ruling.reason),
                    retryable: true,
                };
                self.fail(failure, None, None, vec![])
            }
        }
    }
}
