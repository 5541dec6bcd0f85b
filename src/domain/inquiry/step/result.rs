//! M-Pesa's word about an inquiry: results and their absence.

use super::{Forbidden, Moment, Verdict, contradiction, described};
use crate::domain::inquiry::effect::{Effect, Notice};
use crate::domain::inquiry::event::ResultFacts;
use crate::domain::inquiry::kind::{Answer, Kind, Moved};
use crate::domain::inquiry::state::{Doubt, Failure, Names, State};
use crate::domain::money::Amount;
use crate::domain::outcome::{self, ResultClass};
use crate::domain::payout::{CaseKind, Ruling, Stage};

impl Moment<'_> {
    pub(super) fn result_arrived(&self, facts: &ResultFacts) -> Verdict {
        if self.inquiry.details.kind.is_synchronous() {
            return Verdict::Noted("a result for what has none");
        }
        match facts.class(&self.inquiry.details.kind) {
            ResultClass::Paid => self.done(facts),
            ResultClass::NotPaid => self.not_done(facts),
            ResultClass::Doubt => self.result_doubtful(facts),
            ResultClass::Pending => Verdict::Noted("M-Pesa says that more will follow"),
        }
    }

    /// M-Pesa says that it is done.
    fn done(&self, facts: &ResultFacts) -> Verdict {
        let answer = self.answer_in(facts);
        match &self.inquiry.state {
            // A copy of the result of an earlier send, or of one of which nothing was known.
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. } => match answer {
                Ok(answer) => {
                    let told = &facts.names;
                    self.succeed(answer, told, self.case_if_unsent())
                }
                Err(what) if self.moves_money() => self.mismatch(what, &facts.names),
                Err(what) => {
                    let failure = Failure { description: what, ..self.failure_in(facts) };
                    self.fail(failure, &facts.names, vec![])
                }
            },
            State::Succeeded { answer: known, .. } => match answer {
                Ok(answer) if self.moves_money() && !is_same(known, &answer) => contradiction(
                    CaseKind::Contradiction,
                    "it is done, and M-Pesa names another receipt for it",
                ),
                Err(what) if self.moves_money() => contradiction(CaseKind::Mismatch, what),
                Ok(_) | Err(_) => Verdict::Noted("M-Pesa says again that it is done"),
            },
            State::Failed { .. } if self.moves_money() => contradiction(
                CaseKind::Contradiction,
                "it had failed, and M-Pesa says that it is done",
            ),
            State::Failed { .. } => Verdict::Noted("the answer came after it was given up"),
        }
    }

    /// What the result answers; or what is missing or does not fit, in words.
    fn answer_in(&self, facts: &ResultFacts) -> Result<Answer, String> {
        let missing = |what: &str| format!("M-Pesa answered without {what}");
        match &self.inquiry.details.kind {
            Kind::Balance => match &facts.balances {
                Some(balances) if !balances.accounts.is_empty() => {
                    Ok(Answer::Balances(balances.clone()))
                }
                Some(_) | None => Err(missing("a balance that can be read")),
            },
            Kind::TransactionStatus(_) => match &facts.status {
                Some(status) => Ok(Answer::Status(status.clone())),
                None => Err(missing("the transaction's status")),
            },
            Kind::Reversal(reversal) => moved(facts, reversal.amount).map(Answer::Reversed),
            Kind::BusinessPayment(payment) => moved(facts, payment.amount).map(Answer::Paid),
            Kind::Tax(tax) => moved(facts, tax.amount).map(Answer::Paid),
            // `result_arrived` notes what comes for these.
            Kind::RegisterUrls(_) | Kind::RegisterPull(_) => Ok(Answer::Registered),
            Kind::SimulateC2b(_) => Ok(Answer::Simulated),
            Kind::QrCode(_) => Err(missing("a picture")),
        }
    }

    pub(super) fn succeed(&self, answer: Answer, told: &Names, effects: Vec<Effect>) -> Verdict {
        Verdict::Moved {
            state: State::Succeeded { answer, settled: self.settled(told) },
            notice: Notice::Succeeded,
            effects,
        }
    }

    /// M-Pesa speaks of money that moved, but not of this: a person must look, once for each word.
    pub(super) fn mismatch(&self, what: String, told: &Names) -> Verdict {
        if matches!(&self.inquiry.state, State::Unknown { why: Doubt::Mismatch { what: known }, .. }
            if *known == what)
        {
            return Verdict::Noted("M-Pesa says again what does not fit; a person was called");
        }
        let case = Effect::OpenCase(CaseKind::Mismatch);
        self.doubt(Doubt::Mismatch { what }, told, vec![case])
    }

    /// Money that moved where none is known to have been sent: a person should know how that could
    /// be. It is not sent, or not again.
    fn case_if_unsent(&self) -> Vec<Effect> {
        let unsent = self.moves_money() && matches!(self.inquiry.state, State::Queued { .. });
        if unsent { vec![Effect::OpenCase(CaseKind::Contradiction)] } else { vec![] }
    }

    fn not_done(&self, facts: &ResultFacts) -> Verdict {
        match &self.inquiry.state {
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. } => {
                self.fail(self.failure_in(facts), &facts.names, self.case_if_unsent())
            }
            State::Succeeded { .. } if self.moves_money() => {
                let says = format!(
                    "it is done, and a result with code {} says that it is not",
                    facts.code
                );
                contradiction(CaseKind::Contradiction, says)
            }
            State::Succeeded { .. } => Verdict::Noted("another result came after the end"),
            State::Failed { .. } => Verdict::Noted("M-Pesa says again that it is not done"),
        }
    }

    fn failure_in(&self, facts: &ResultFacts) -> Failure {
        let meaning = outcome::result(&facts.code);
        Failure {
            stage: Stage::Result,
            code: facts.code.clone(),
            description: described(&facts.description, meaning.says),
            retryable: meaning.blame.is_retryable(),
        }
    }

    fn result_doubtful(&self, facts: &ResultFacts) -> Verdict {
        let why = Doubt::Result { code: facts.code.clone() };
        match &self.inquiry.state {
            State::Unknown { why: known, .. } if *known == why => {
                Verdict::Noted("another result that settles nothing")
            }
            State::Queued { .. } if self.moves_money() => {
                self.doubt(why, &facts.names, self.case_if_unsent())
            }
            State::Queued { .. } => Verdict::Noted("a result that settles nothing"),
            State::Sending { .. } | State::Accepted { .. } | State::Unknown { .. } => {
                self.lose(why, &facts.names)
            }
            State::Succeeded { .. } | State::Failed { .. } => {
                Verdict::Noted("a result that settles nothing came after the end")
            }
        }
    }

    pub(super) fn result_overdue(&self) -> Verdict {
        match &self.inquiry.state {
            State::Accepted { overdue_at, .. } if *overdue_at <= self.now => {
                self.lose(Doubt::ResultOverdue, &Names::default())
            }
            State::Queued { .. }
            | State::Sending { .. }
            | State::Accepted { .. }
            | State::Unknown { .. }
            | State::Succeeded { .. }
            | State::Failed { .. } => Verdict::Stale,
        }
    }

    pub(super) fn queue_timed_out(&self) -> Verdict {
        match &self.inquiry.state {
            State::Sending { .. } | State::Accepted { .. } => {
                self.lose(Doubt::QueueTimeout, &Names::default())
            }
            State::Queued { .. } if self.moves_money() => {
                self.doubt(Doubt::QueueTimeout, &Names::default(), self.case_if_unsent())
            }
            State::Queued { .. } | State::Unknown { .. } => {
                Verdict::Noted("M-Pesa gave up on the request")
            }
            State::Succeeded { .. } if self.moves_money() => contradiction(
                CaseKind::Contradiction,
                "it is done, and M-Pesa says that it never got to it",
            ),
            State::Succeeded { .. } | State::Failed { .. } => {
                Verdict::Noted("M-Pesa gave up on the request after the end")
            }
        }
    }

    /// A named person ruled on what no rule could settle.
    pub(super) fn ruled(&self, ruling: &Ruling) -> Verdict {
        let State::Unknown { .. } = &self.inquiry.state else {
            return Verdict::Forbidden(Forbidden::NotInDoubt);
        };
        match &ruling.receipt {
            Some(receipt) => {
                let moved = Moved {
                    receipt: receipt.clone(),
                    amount: None,
                    charge: None,
                    completed_at: None,
                };
                self.succeed(self.answer_of(moved), &Names::default(), vec![])
            }
            None => {
                let failure = Failure {
                    stage: Stage::Inquiry,
                    code: "ruled".to_owned(),
                    description: described(&ruling.reason, "ruled not to be done"),
                    retryable: true,
                };
                self.fail(failure, &Names::default(), vec![])
            }
        }
    }

    /// What money that moved answers to an inquiry that moves money.
    pub(super) fn answer_of(&self, moved: Moved) -> Answer {
        match &self.inquiry.details.kind {
            Kind::Reversal(_) => Answer::Reversed(moved),
            Kind::Balance
            | Kind::TransactionStatus(_)
            | Kind::RegisterUrls(_)
            | Kind::SimulateC2b(_)
            | Kind::BusinessPayment(_)
            | Kind::Tax(_)
            | Kind::QrCode(_)
            | Kind::RegisterPull(_) => Answer::Paid(moved),
        }
    }
}

/// The money that a result says moved; or what of it is missing or does not fit. No personal data
/// in the words.
fn moved(facts: &ResultFacts, asked: Amount) -> Result<Moved, String> {
    if let Some(odd) = &facts.odd {
        return Err(odd.clone());
    }
    if let Some(amount) = facts.amount.filter(|amount| *amount != asked) {
        return Err(format!("{amount} was moved where {asked} was asked for"));
    }
    let receipt = facts.receipt.clone();
    let receipt = receipt.ok_or("it is said to be done, without a receipt")?;
    let ResultFacts { amount, charge, completed_at, .. } = facts;
    Ok(Moved { receipt, amount: *amount, charge: *charge, completed_at: *completed_at })
}

/// Whether two answers are about the same money.
fn is_same(known: &Answer, told: &Answer) -> bool {
    match (known.moved(), told.moved()) {
        (Some(known), Some(told)) => known.receipt == told.receipt,
        (None, _) | (_, None) => true,
    }
}
