//! M-Pesa's word about a payment: results, their absence, and evidence that money moved.

use super::inquiry::is_spoken_of;
use super::{Contradiction, Moment, Verdict, described};
use crate::domain::id::{ConversationId, Receipt};
use crate::domain::money::Amount;
use crate::domain::outcome::{self, ResultClass};
use crate::domain::party::{Msisdn, PersonName};
use crate::domain::payout::effect::{CaseKind, Effect, Notice};
use crate::domain::payout::event::{InquiryFacts, ResultFacts, StatementFacts};
use crate::domain::payout::state::{Doubt, Failure, Payout, Settled, Stage, State, Tries};
use crate::domain::time::Timestamp;

/// M-Pesa's word that money moved, wherever it came from.
pub(super) struct Evidence<'a> {
    receipt: Option<&'a Receipt>,
    amount: Option<Amount>,
    payee: Option<Msisdn>,
    recipient_name: Option<&'a PersonName>,
    charge: Option<Amount>,
    conversation: Option<&'a ConversationId>,
    completed_at: Option<Timestamp>,
    odd: Option<&'a str>,
}

impl<'a> Evidence<'a> {
    fn from_result(facts: &'a ResultFacts) -> Self {
        Self {
            receipt: facts.receipt.as_ref(),
            amount: facts.amount,
            payee: facts.payee,
            recipient_name: facts.recipient_name.as_ref(),
            charge: facts.charge,
            conversation: facts.conversation.as_ref(),
            completed_at: facts.completed_at,
            odd: facts.odd.as_deref(),
        }
    }

    pub(super) fn from_inquiry(facts: &'a InquiryFacts) -> Self {
        Self {
            receipt: facts.receipt.as_ref(),
            amount: facts.amount,
            payee: facts.payee,
            recipient_name: facts.recipient_name.as_ref(),
            charge: None,
            conversation: facts.conversation.as_ref(),
            completed_at: facts.completed_at,
            odd: facts.odd.as_deref(),
        }
    }

    /// The same, but not to be believed.
    pub(super) const fn but(self, odd: &'a str) -> Self {
        Self { odd: Some(odd), ..self }
    }

    pub(super) const fn from_statement(facts: &'a StatementFacts) -> Self {
        Self {
            receipt: Some(&facts.receipt),
            amount: Some(facts.amount),
            payee: None,
            recipient_name: None,
            charge: None,
            conversation: None,
            completed_at: facts.completed_at,
            odd: None,
        }
    }

    /// What of it contradicts itself or speaks of another payment than `payout`; no personal data
    /// in the words.
    fn mismatch(&self, payout: &Payout) -> Option<String> {
        if let Some(odd) = self.odd {
            return Some(odd.to_owned());
        }
        let asked = payout.details.amount;
        if let Some(amount) = self.amount
            && amount != asked
        {
            return Some(format!("{amount} was paid where {asked} was asked for"));
        }
        if self.payee.is_some_and(|payee| payee != payout.details.phone) {
            return Some("another phone was paid".to_owned());
        }
        None
    }
}

impl Moment<'_> {
    pub(super) fn result_arrived(&self, facts: &ResultFacts) -> Verdict {
        if matches!(&self.payout.state, State::Unknown { tries, .. } if tries.attempts == 0) {
            // The first result for it opened the case; a copy of it proves no more.
            return Verdict::Noted("it was never sent: an inquiry or a person must find out");
        }
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
                self.fail(failure, facts.conversation.clone(), facts.completed_at, vec![])
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
            State::Unknown { tries, why, .. } if is_spoken_of(tries, why) => {
                Verdict::Noted("another result that settles nothing")
            }
            // In doubt already, too: that M-Pesa spoke of it must not be forgotten.
            State::Sending { tries, .. }
            | State::Accepted { tries, .. }
            | State::Unknown { tries, .. } => {
                let why = match facts.code.as_str() {
                    "15" => Doubt::Duplicate,
                    code => Doubt::Result { code: code.to_owned() },
                };
                self.doubt(*tries, why, facts.conversation.clone(), vec![])
            }
            State::AwaitingApproval { .. } | State::Queued { .. } => {
                self.heard_of_what_was_not_sent(facts.conversation.clone())
            }
            State::Succeeded { .. } | State::Failed { .. } => {
                Verdict::Noted("a result that settles nothing came after the end")
            }
            State::Cancelled { .. } => self.contradicts_unsent(),
        }
    }

    /// M-Pesa says that money moved.
    pub(super) fn paid(&self, evidence: Evidence<'_>) -> Verdict {
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
        let conversation =
            evidence.conversation.or_else(|| self.payout.state.conversation()).cloned();
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
        if matches!(&self.payout.state, State::Unknown { why: Doubt::Mismatch { what: known }, .. }
            if *known == what)
        {
            return Verdict::Noted("M-Pesa says again what does not fit; a person was called");
        }
        effects.push(Effect::OpenCase(CaseKind::Mismatch));
        self.doubt(tries, Doubt::Mismatch { what }, conversation, effects).telling(evidence.receipt)
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

    pub(super) fn result_overdue(&self) -> Verdict {
        match &self.payout.state {
            State::Accepted { tries, conversation, overdue_at } if *overdue_at <= self.now => {
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

    pub(super) fn queue_timed_out(&self) -> Verdict {
        match &self.payout.state {
            State::Sending { tries, .. }
            | State::Accepted { tries, .. }
            | State::Unknown { tries, why: Doubt::Cached, .. } => {
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
}
