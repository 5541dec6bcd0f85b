//! What must hold whatever happens to an inquiry, as predicates: the laws of payouts, for what
//! moves money, and what is final for all.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the laws are lists of what is allowed: a new event or state is not, until listed"
)]

use super::effect::Effect;
use super::event::Event;
use super::kind::{Answer, Kind, Picture};
use super::state::{Inquiry, State};
use super::step::{LOST_MAX, is_of};
use crate::domain::outcome::{self, AnswerClass, QueryClass, ResultClass};
use crate::domain::payout::TransactionStatus;

/// A law that a step would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// What was asked for stays what was asked for.
    #[error("what was asked for never changes")]
    DetailsStay,
    /// Law 3.
    #[error("law 3: what is final stays as it is")]
    FinalIsFinal,
    /// Law 2, first half.
    #[error("law 2: a send begins only from queued, as the next attempt")]
    SendFromQueuedOnly,
    /// Law 2, second half.
    #[error("law 2: what moves money is sent again only on proof that nothing was taken")]
    RequeueOnProofOnly,
    /// Law 2, its count.
    #[error("law 2: attempts are never forgotten")]
    AttemptsNeverShrink,
    /// Only money can be in doubt.
    #[error("what moves no money is asked anew, and never in doubt")]
    DoubtIsAboutMoney,
    /// Laws 3 and 6.
    #[error("laws 3 and 6: succeeded needs M-Pesa's word, or a person's, that it was done")]
    SucceededOnEvidenceOnly,
    /// Laws 3 and 6.
    #[error("laws 3 and 6: failed needs M-Pesa's word, or a person's, that it was not done")]
    FailedOnEvidenceOnly,
    /// Law 7.
    #[error("law 7: a wrong credential stops the rail")]
    CredentialStopsTheRail,
}

/// Whether moving from `before` to `after` because of `event`, with `effects`, keeps every law.
///
/// # Errors
/// The first law that it would break.
pub fn check(
    before: &Inquiry,
    event: &Event,
    after: &Inquiry,
    effects: &[Effect],
) -> Result<(), Broken> {
    let money = before.details.kind.moves_money();
    let held = [
        (before.details == after.details, Broken::DetailsStay),
        (!before.status().is_final() || before.state == after.state, Broken::FinalIsFinal),
        (sends_from_queued_only(before, after), Broken::SendFromQueuedOnly),
        (requeues_on_proof_only(before, event, after), Broken::RequeueOnProofOnly),
        (
            before.state.tries().attempts <= after.state.tries().attempts,
            Broken::AttemptsNeverShrink,
        ),
        (money || !matches!(after.state, State::Unknown { .. }), Broken::DoubtIsAboutMoney),
        (succeeds_on_evidence_only(before, event, after), Broken::SucceededOnEvidenceOnly),
        (fails_on_evidence_only(before, event, after), Broken::FailedOnEvidenceOnly),
        (credential_stops_the_rail(before, event, after, effects), Broken::CredentialStopsTheRail),
    ];
    held.into_iter().find(|(kept, _law)| !kept).map_or(Ok(()), |(_kept, law)| Err(law))
}

fn sends_from_queued_only(before: &Inquiry, after: &Inquiry) -> bool {
    match (&before.state, &after.state) {
        (State::Queued { tries, .. }, State::Sending { tries: next, .. }) => {
            next.attempts == tries.attempts.saturating_add(1)
        }
        (was, State::Sending { .. }) => *was == after.state,
        _ => true,
    }
}

fn requeues_on_proof_only(before: &Inquiry, event: &Event, after: &Inquiry) -> bool {
    let State::Queued { tries: after_tries, .. } = &after.state else {
        return true;
    };
    if before.state == after.state {
        return true;
    }
    let tries = before.state.tries();
    let proven = match event {
        Event::NothingSent { attempt, .. } => tries.attempts == *attempt,
        Event::Answered { attempt, answer } => {
            tries.attempts == *attempt && answer.class() == AnswerClass::TryLater
        }
        _ => false,
    };
    if proven && matches!(before.state, State::Sending { .. }) {
        return true;
    }
    !before.details.kind.moves_money()
        && matches!(before.state, State::Sending { .. } | State::Accepted { .. })
        && after_tries.lost == tries.lost.saturating_add(1)
        && after_tries.lost <= LOST_MAX
}

fn succeeds_on_evidence_only(before: &Inquiry, event: &Event, after: &Inquiry) -> bool {
    let State::Succeeded { answer, .. } = &after.state else {
        return true;
    };
    if before.state == after.state {
        return true;
    }
    let kind = &before.details.kind;
    match event {
        Event::Answered { attempt, answer: told } => {
            kind.is_synchronous()
                && *attempt == before.state.tries().attempts
                && told.class() == AnswerClass::Taken
                // A picture is done when it is there.
                && (!is_picture(kind) || told.picture.is_some())
                && picture_in(answer) == told.picture.as_ref().filter(|_| is_picture(kind))
        }
        Event::ResultArrived(facts) => {
            facts.class(kind) == ResultClass::Paid
                && (!kind.moves_money() || {
                    facts.odd.is_none()
                        && facts.amount.is_none_or(|amount| Some(amount) == kind.amount())
                        && facts.receipt.is_some()
                        && facts.receipt.as_ref() == receipt_in(answer)
                })
        }
        Event::QuestionAnswered(told) => told.payment.as_ref().is_some_and(|facts| {
            told.class() == QueryClass::Answered
                && is_of(before, told.nth, facts)
                && facts.status == TransactionStatus::Completed
                && facts.odd.is_none()
                && facts.amount.is_some()
                && facts.amount == kind.amount()
                && facts.receipt.is_some()
                && facts.receipt.as_ref() == receipt_in(answer)
        }),
        Event::Ruled(ruling) => {
            matches!(before.state, State::Unknown { .. })
                && ruling.receipt.is_some()
                && ruling.receipt.as_ref() == receipt_in(answer)
        }
        _ => false,
    }
}

fn receipt_in(answer: &Answer) -> Option<&crate::domain::id::Receipt> {
    answer.moved().map(|moved| &moved.receipt)
}

fn is_picture(kind: &Kind) -> bool {
    matches!(kind, Kind::QrCode(_))
}

fn picture_in(answer: &Answer) -> Option<&Picture> {
    match answer {
        Answer::Pictured(picture) => Some(picture),
        _ => None,
    }
}

fn fails_on_evidence_only(before: &Inquiry, event: &Event, after: &Inquiry) -> bool {
    if !matches!(after.state, State::Failed { .. }) || before.state == after.state {
        return true;
    }
    let kind = &before.details.kind;
    let tries = before.state.tries();
    let told = match event {
        Event::NothingSent { attempt, .. } => {
            *attempt == tries.attempts && matches!(before.state, State::Sending { .. })
        }
        Event::Answered { attempt, answer } => {
            *attempt == tries.attempts
                && matches!(before.state, State::Sending { .. } | State::Unknown { .. })
                && matches!(answer.class(), AnswerClass::Refused | AnswerClass::TryLater)
        }
        Event::ResultArrived(facts) => facts.class(kind) == ResultClass::NotPaid,
        Event::QuestionAnswered(told) => told.payment.as_ref().is_some_and(|facts| {
            told.class() == QueryClass::Answered
                && is_of(before, told.nth, facts)
                && matches!(
                    facts.status,
                    TransactionStatus::Cancelled
                        | TransactionStatus::Declined
                        | TransactionStatus::Expired
                )
        }),
        Event::Ruled(ruling) => {
            matches!(before.state, State::Unknown { .. }) && ruling.receipt.is_none()
        }
        _ => false,
    };
    // What moves no money may be given up: nothing hangs on it.
    told || !kind.moves_money()
}

fn credential_stops_the_rail(
    before: &Inquiry,
    event: &Event,
    after: &Inquiry,
    effects: &[Effect],
) -> bool {
    let blame = match event {
        Event::Answered { answer, .. } | Event::QuestionReplied { answer, .. } => {
            outcome::answer(&answer.code).blame
        }
        Event::ResultArrived(facts) => outcome::result(&facts.code).blame,
        Event::QuestionAnswered(answer) => outcome::query(&answer.code).blame,
        _ => return true,
    };
    let stops = effects.iter().any(|effect| matches!(effect, Effect::StopRail { .. }));
    !blame.stops_the_rail() || before.state == after.state || stops
}
