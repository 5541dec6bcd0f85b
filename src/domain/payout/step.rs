//! How a payout moves: a pure function of where it stands, what happened, and when.
//!
//! One function per event; each names every state. What does not fit is never ignored: it is
//! noted, it contradicts, or the caller is told that it may not be done.

use std::time::Duration;

use super::effect::{CaseKind, Effect, Notice};
use super::event::{
    AnswerFacts, Event, InquiryFacts, NotFoundRule, ResultFacts, Ruling, StatementFacts,
    TransactionStatus,
};
use super::state::{Doubt, Failure, Lease, Payout, Settled, Stage, State, Tries};
use crate::domain::id::{ConversationId, Receipt};
use crate::domain::money::Amount;
use crate::domain::outcome::{self, AnswerClass, ResultClass};
use crate::domain::party::{Msisdn, PersonName};
use crate::domain::retry;
use crate::domain::time::Timestamp;

/// How often "no such transaction" may lead to another send before a person decides.
pub const NOT_FOUND_ROUNDS_MAX: u32 = 3;

/// What the configuration says about a payout's pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long an accepted payout waits for its result.
    pub result_overdue: Duration,
    /// How long after it became doubtful M-Pesa is asked first.
    pub first_inquiry: Duration,
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
}

/// What `event` does to `payout` at `now`. Laws: `super::law`.
pub fn step(payout: &Payout, event: &Event, policy: &Policy, now: Timestamp) -> Verdict {
    let at = Moment {
        payout,
        policy,
        now,
    };
    match event {
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
        Event::InquirySent { ask_again_at } => at.inquiry_sent(*ask_again_at),
        Event::InquiryAnswered(facts) => at.inquiry_answered(facts),
        Event::NotFound { window_over, rule } => at.not_found(*window_over, *rule),
        Event::StatementShows(facts) => at.paid(Evidence::from_statement(facts)),
        Event::Ruled(ruling) => at.ruled(ruling),
    }
}

/// A payout at the moment when something happens to it.
struct Moment<'a> {
    payout: &'a Payout,
    policy: &'a Policy,
    now: Timestamp,
}

/// M-Pesa's word that money moved, wherever it came from.
struct Evidence<'a> {
    receipt: Option<&'a Receipt>,
    amount: Option<Amount>,
    payee: Option<Msisdn>,
    recipient_name: Option<&'a PersonName>,
    charge: Option<Amount>,
    conversation: Option<&'a ConversationId>,
    completed_at: Option<Timestamp>,
}

impl<'a> Evidence<'a> {
    const fn from_result(facts: &'a ResultFacts) -> Self {
        Self {
            receipt: facts.receipt.as_ref(),
            amount: facts.amount,
            payee: facts.payee,
            recipient_name: facts.recipient_name.as_ref(),
            charge: facts.charge,
            conversation: facts.conversation.as_ref(),
            completed_at: facts.completed_at,
        }
    }

    const fn from_inquiry(facts: &'a InquiryFacts) -> Self {
        Self {
            receipt: facts.receipt.as_ref(),
            amount: facts.amount,
            payee: facts.payee,
            recipient_name: None,
            charge: None,
            conversation: None,
            completed_at: facts.completed_at,
        }
    }

    const fn from_statement(facts: &'a StatementFacts) -> Self {
        Self {
            receipt: Some(&facts.receipt),
            amount: Some(facts.amount),
            payee: None,
            recipient_name: None,
            charge: None,
            conversation: None,
            completed_at: facts.completed_at,
        }
    }

    /// What of it speaks of another payment than `payout`; no personal data in the words.
    fn mismatch(&self, payout: &Payout) -> Option<String> {
        let asked = payout.details.amount;
        if let Some(amount) = self.amount
            && amount != asked
        {
            return Some(format!("{amount} was paid where {asked} was asked for"));
        }
        if self
            .payee
            .is_some_and(|payee| payee != payout.details.phone)
        {
            return Some("another phone was paid".to_owned());
        }
        None
    }
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

    // ------------------------------------------------------------------------------- sending

    fn send_started(&self, lease: Lease) -> Verdict {
        match &self.payout.state {
            State::Queued { not_before, .. } if *not_before > self.now => {
                Verdict::Forbidden(Forbidden::NotDue)
            }
            State::Queued { tries, .. } => {
                let attempts = tries.attempts.saturating_add(1);
                Verdict::Moved {
                    state: State::Sending {
                        tries: Tries { attempts, ..*tries },
                        lease,
                    },
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

    fn answered(&self, attempt: u32, answer: &AnswerFacts) -> Verdict {
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
                self.learn_conversation(answer.conversation.as_ref())
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
                    state: State::Accepted {
                        tries,
                        conversation,
                        overdue_at,
                    },
                    notice: Notice::Accepted,
                    effects: vec![Effect::WakeAt(overdue_at)],
                }
            }
            AnswerClass::Cached => self.doubt(tries, Doubt::Cached, conversation, vec![]),
            AnswerClass::Doubt if answer.code == "15" => {
                self.doubt(tries, Doubt::Duplicate, conversation, vec![])
            }
            AnswerClass::Doubt => {
                let why = Doubt::Answer {
                    code: answer.code.clone(),
                };
                self.doubt(tries, why, conversation, vec![])
            }
            AnswerClass::TryLater => {
                let busy = tries.busy.saturating_add(1);
                let slow = Effect::SlowRail {
                    code: answer.code.clone(),
                };
                if busy >= retry::BUSY_ANSWERS_MAX {
                    return self.fail(request_failure(answer), conversation, None, vec![slow]);
                }
                let not_before = retry::resend_at(self.now, busy);
                let tries = Tries {
                    busy,
                    unreachable: 0,
                    ..tries
                };
                self.queue(tries, not_before, Notice::Requeued, vec![slow])
            }
            AnswerClass::Refused => {
                let stop = stop_for(outcome::answer(&answer.code).blame, &answer.code);
                self.fail(request_failure(answer), conversation, None, stop)
            }
        }
    }

    fn nothing_sent(&self, attempt: u32) -> Verdict {
        match &self.payout.state {
            State::Sending { tries, .. } if tries.attempts == attempt => {
                let unreachable = tries.unreachable.saturating_add(1);
                let not_before = retry::resend_at(self.now, unreachable);
                let tries = Tries {
                    unreachable,
                    ..*tries
                };
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

    fn no_answer(&self, attempt: u32) -> Verdict {
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

    fn lease_lapsed(&self, lapsed: Lease) -> Verdict {
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

    // -------------------------------------------------------------------------------- results

    fn result_arrived(&self, facts: &ResultFacts) -> Verdict {
        match facts.class() {
            ResultClass::Paid => self.paid(Evidence::from_result(facts)),
            ResultClass::NotPaid => self.result_not_paid(facts),
            ResultClass::Doubt => self.result_doubtful(facts),
            ResultClass::Pending => match &self.payout.state {
                State::AwaitingApproval { .. } | State::Queued { .. } => {
                    self.heard_of_what_was_not_sent(facts.conversation.clone())
                }
                State::Sending { .. }
                | State::Accepted { .. }
                | State::Unknown { .. }
                | State::Succeeded { .. }
                | State::Failed { .. } => Verdict::Noted("M-Pesa says that more will follow"),
                State::Cancelled { .. } => self.contradicts_unsent(),
            },
        }
    }

    fn result_not_paid(&self, facts: &ResultFacts) -> Verdict {
        let meaning = outcome::result(&facts.code);
        match &self.payout.state {
            State::Sending { .. } | State::Accepted { .. } | State::Unknown { .. } => {
                let failure = Failure {
                    stage: Stage::Result,
                    code: facts.code.clone(),
                    description: described(&facts.description, meaning.says),
                    retryable: meaning.blame.is_retryable(),
                };
                let stop = stop_for(meaning.blame, &facts.code);
                self.fail(
                    failure,
                    facts.conversation.clone(),
                    facts.completed_at,
                    stop,
                )
            }
            State::AwaitingApproval { .. } | State::Queued { .. } => {
                self.heard_of_what_was_not_sent(facts.conversation.clone())
            }
            State::Succeeded { .. } => Verdict::Contradicted(Contradiction {
                kind: CaseKind::Contradiction,
                says: format!(
                    "it is paid, and a result with code {} says that it is not",
                    facts.code
                ),
            }),
            State::Failed { .. } => Verdict::Noted("M-Pesa says again that it is not paid"),
            State::Cancelled { .. } => Verdict::Noted("it was cancelled, and it is not paid"),
        }
    }

    fn result_doubtful(&self, facts: &ResultFacts) -> Verdict {
        match &self.payout.state {
            State::Sending { tries, .. } | State::Accepted { tries, .. } => {
                let why = match facts.code.as_str() {
                    "15" => Doubt::Duplicate,
                    code => Doubt::Result {
                        code: code.to_owned(),
                    },
                };
                self.doubt(*tries, why, facts.conversation.clone(), vec![])
            }
            State::AwaitingApproval { .. } | State::Queued { .. } => {
                self.heard_of_what_was_not_sent(facts.conversation.clone())
            }
            State::Unknown { .. } => Verdict::Noted("another result that settles nothing"),
            State::Succeeded { .. } | State::Failed { .. } => {
                Verdict::Noted("a result that settles nothing came after the end")
            }
            State::Cancelled { .. } => self.contradicts_unsent(),
        }
    }

    /// M-Pesa says that money moved.
    fn paid(&self, evidence: Evidence<'_>) -> Verdict {
        match &self.payout.state {
            State::Sending { tries, .. }
            | State::Accepted { tries, .. }
            | State::Unknown { tries, .. } => self.succeed(*tries, &evidence, vec![]),
            // Sent before, thought to have taken nothing: M-Pesa knows better. It must not be
            // sent again, and a person should know how that could be.
            State::Queued { tries, .. } if tries.attempts > 0 => {
                let case = Effect::OpenCase(CaseKind::Contradiction);
                self.succeed(*tries, &evidence, vec![case])
            }
            State::AwaitingApproval { .. } | State::Queued { .. } => {
                self.heard_of_what_was_not_sent(evidence.conversation.cloned())
            }
            State::Succeeded { receipt, .. } => {
                let same = evidence.receipt.is_none_or(|told| told == receipt);
                match evidence.mismatch(self.payout) {
                    None if same => Verdict::Noted("M-Pesa says again that it is paid"),
                    None => Verdict::Contradicted(Contradiction {
                        kind: CaseKind::Contradiction,
                        says: "it is paid, and M-Pesa names another receipt for it".to_owned(),
                    }),
                    Some(what) => Verdict::Contradicted(Contradiction {
                        kind: CaseKind::Mismatch,
                        says: what,
                    }),
                }
            }
            State::Failed { .. } => Verdict::Contradicted(Contradiction {
                kind: CaseKind::Contradiction,
                says: "it had failed, and M-Pesa says that it is paid".to_owned(),
            }),
            State::Cancelled { .. } => self.contradicts_unsent(),
        }
    }

    fn succeed(&self, tries: Tries, evidence: &Evidence<'_>, mut effects: Vec<Effect>) -> Verdict {
        let conversation = evidence
            .conversation
            .or_else(|| self.payout.state.conversation())
            .cloned();
        let what = match (evidence.mismatch(self.payout), evidence.receipt) {
            (Some(what), _) => what,
            (None, None) => "it is said to be paid, without a receipt".to_owned(),
            (None, Some(receipt)) => {
                return Verdict::Moved {
                    state: State::Succeeded {
                        receipt: receipt.clone(),
                        settled: Settled {
                            conversation,
                            completed_at: self.now,
                            mpesa_completed_at: evidence.completed_at,
                            attempts: tries.attempts,
                        },
                        recipient_name: evidence.recipient_name.cloned(),
                        charge: evidence.charge,
                    },
                    notice: Notice::Succeeded,
                    effects,
                };
            }
        };
        effects.push(Effect::OpenCase(CaseKind::Mismatch));
        self.doubt(tries, Doubt::Mismatch { what }, conversation, effects)
    }

    /// M-Pesa speaks of a payout that was never sent, as after a restored back-up. Whatever the
    /// truth is, it must not be sent now: a person, or an inquiry, finds out.
    fn heard_of_what_was_not_sent(&self, conversation: Option<ConversationId>) -> Verdict {
        let tries = match &self.payout.state {
            State::Queued { tries, .. } => *tries,
            State::AwaitingApproval { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => Tries::NONE,
        };
        let what = "M-Pesa speaks of it, though no send of it was taken".to_owned();
        let case = Effect::OpenCase(CaseKind::Contradiction);
        self.doubt(tries, Doubt::Mismatch { what }, conversation, vec![case])
    }

    fn result_overdue(&self) -> Verdict {
        match &self.payout.state {
            State::Accepted {
                tries,
                conversation,
                overdue_at,
            } if *overdue_at <= self.now => {
                self.doubt(*tries, Doubt::ResultOverdue, conversation.clone(), vec![])
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

    fn queue_timed_out(&self) -> Verdict {
        match &self.payout.state {
            State::Sending { tries, .. }
            | State::Accepted { tries, .. }
            | State::Unknown {
                tries,
                why: Doubt::Cached,
                ..
            } => {
                let conversation = self.payout.state.conversation().cloned();
                self.doubt(*tries, Doubt::QueueTimeout, conversation, vec![])
            }
            State::Unknown { .. } => Verdict::Noted("the broker gave up on the request"),
            State::AwaitingApproval { .. } | State::Queued { .. } => {
                self.heard_of_what_was_not_sent(None)
            }
            State::Succeeded { .. } => Verdict::Contradicted(Contradiction {
                kind: CaseKind::Contradiction,
                says: "it is paid, and the broker says that it never passed it on".to_owned(),
            }),
            State::Failed { .. } => Verdict::Noted("the broker gave up on it after it had failed"),
            State::Cancelled { .. } => self.contradicts_unsent(),
        }
    }

    // -------------------------------------------------------------------------------- inquiry

    fn inquiry_sent(&self, ask_again_at: Timestamp) -> Verdict {
        match &self.payout.state {
            State::Unknown {
                tries,
                why,
                conversation,
                since,
                asked,
                ..
            } => Verdict::Moved {
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

    fn inquiry_answered(&self, facts: &InquiryFacts) -> Verdict {
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

    fn not_found(&self, window_over: bool, rule: NotFoundRule) -> Verdict {
        let State::Unknown { tries, .. } = &self.payout.state else {
            return Verdict::Noted("M-Pesa knows no such transaction; nothing follows from it now");
        };
        if !window_over {
            return Verdict::Noted("M-Pesa knows no such transaction yet; it may still arrive");
        }
        match rule {
            NotFoundRule::Resend if tries.not_found < NOT_FOUND_ROUNDS_MAX => {
                let not_found = tries.not_found.saturating_add(1);
                let tries = Tries {
                    not_found,
                    busy: 0,
                    unreachable: 0,
                    ..*tries
                };
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

    fn ruled(&self, ruling: &Ruling) -> Verdict {
        let State::Unknown {
            tries,
            conversation,
            ..
        } = &self.payout.state
        else {
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

    // ------------------------------------------------------------------------------ new states

    fn queue(
        &self,
        tries: Tries,
        not_before: Timestamp,
        notice: Notice,
        mut effects: Vec<Effect>,
    ) -> Verdict {
        effects.push(Effect::WakeAt(not_before));
        Verdict::Moved {
            state: State::Queued { not_before, tries },
            notice,
            effects,
        }
    }

    fn cancel(&self, reason: String) -> Verdict {
        Verdict::Moved {
            state: State::Cancelled {
                reason,
                completed_at: self.now,
            },
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
        let ask_at = self.now.after(self.policy.first_inquiry);
        effects.push(Effect::Inquire { at: ask_at });
        let (since, asked) = match &self.payout.state {
            State::Unknown { since, asked, .. } => (*since, *asked),
            State::AwaitingApproval { .. }
            | State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => (self.now, 0),
        };
        let conversation = conversation.or_else(|| self.payout.state.conversation().cloned());
        Verdict::Moved {
            state: State::Unknown {
                tries,
                why,
                conversation,
                since,
                ask_at,
                asked,
            },
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

    fn learn_conversation(&self, told: Option<&ConversationId>) -> Verdict {
        match (&self.payout.state, told) {
            (
                State::Unknown {
                    tries,
                    why,
                    conversation: None,
                    since,
                    ask_at,
                    asked,
                },
                Some(told),
            ) => Verdict::Moved {
                state: State::Unknown {
                    tries: *tries,
                    why: why.clone(),
                    conversation: Some(told.clone()),
                    since: *since,
                    ask_at: *ask_at,
                    asked: *asked,
                },
                notice: Notice::Noted,
                effects: vec![],
            },
            _ => Verdict::Noted("an answer after the doubt settles nothing"),
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

fn request_failure(answer: &AnswerFacts) -> Failure {
    let meaning = outcome::answer(&answer.code);
    Failure {
        stage: Stage::Request,
        code: answer.code.clone(),
        description: described(&answer.description, meaning.says),
        retryable: meaning.blame.is_retryable(),
    }
}

/// M-Pesa's own words, or the table's where it said nothing.
fn described(told: &str, known: &str) -> String {
    if told.trim().is_empty() {
        known.to_owned()
    } else {
        told.trim().to_owned()
    }
}

fn stop_for(blame: outcome::Blame, code: &str) -> Vec<Effect> {
    if blame.stops_the_rail() {
        vec![Effect::StopRail {
            code: code.to_owned(),
        }]
    } else {
        vec![]
    }
}
