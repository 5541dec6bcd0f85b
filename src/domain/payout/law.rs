//! What must hold whatever happens: the laws of docs/architecture.md as predicates.
//!
//! Tests, the simulation and the running engine use the same ones. The engine checks each step
//! before it commits it; a step that would break a law is not taken, and a person is called.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the laws are lists of what is allowed: a new event or state is not, until listed"
)]

use super::effect::Effect;
use super::event::{Event, InquiryAnswer, InquiryFacts, TransactionStatus};
use super::inquiry;
use super::state::{Payout, State};
use super::step::NOT_FOUND_ROUNDS_MAX;
use crate::domain::outcome::{self, AnswerClass, QueryClass, ResultClass};

/// A law that a step would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Law 1.
    #[error("law 1: what was asked for, and its name towards M-Pesa, never change")]
    OneName,
    /// Law 2, first half.
    #[error("law 2: a send begins only from queued, as the next attempt")]
    SendFromQueuedOnly,
    /// Law 2, second half.
    #[error("law 2: only proof that nothing was taken leads back to queued")]
    RequeueOnProofOnly,
    /// Law 2, its count.
    #[error("law 2: attempts are never forgotten")]
    AttemptsNeverShrink,
    /// Law 3.
    #[error("law 3: what is final stays as it is")]
    FinalIsFinal,
    /// Laws 3 and 6.
    #[error("laws 3 and 6: succeeded needs M-Pesa's word, or a person's, that money moved")]
    SucceededOnEvidenceOnly,
    /// Laws 3 and 6.
    #[error("laws 3 and 6: failed needs M-Pesa's word, or a person's, that no money moved")]
    FailedOnEvidenceOnly,
    /// The contract's meaning of `cancelled`.
    #[error("cancelled means that nothing was taken")]
    CancelledUnsentOnly,
    /// Law 7.
    #[error("law 7: a wrong credential stops the rail")]
    CredentialStopsTheRail,
}

/// Whether moving from `before` to `after` because of `event`, with `effects`, keeps every law.
///
/// # Errors
/// The first law that it would break.
pub fn check(
    before: &Payout,
    event: &Event,
    after: &Payout,
    effects: &[Effect],
) -> Result<(), Broken> {
    let held = [
        (before.details == after.details, Broken::OneName),
        (!before.status().is_final() || before.state == after.state, Broken::FinalIsFinal),
        (sends_from_queued_only(before, after), Broken::SendFromQueuedOnly),
        (requeues_on_proof_only(before, event, after), Broken::RequeueOnProofOnly),
        (attempts_never_shrink(before, after), Broken::AttemptsNeverShrink),
        (succeeds_on_evidence_only(before, event, after), Broken::SucceededOnEvidenceOnly),
        (fails_on_evidence_only(before, event, after), Broken::FailedOnEvidenceOnly),
        (cancels_unsent_only(before, after), Broken::CancelledUnsentOnly),
        (credential_stops_the_rail(before, event, after, effects), Broken::CredentialStopsTheRail),
    ];
    held.into_iter().find(|(kept, _law)| !kept).map_or(Ok(()), |(_kept, law)| Err(law))
}

const fn is_queued(payout: &Payout) -> bool {
    matches!(payout.state, State::Queued { .. })
}

fn sends_from_queued_only(before: &Payout, after: &Payout) -> bool {
    match (&before.state, &after.state) {
        (State::Queued { tries, .. }, State::Sending { tries: next, .. }) => {
            next.attempts == tries.attempts.saturating_add(1)
        }
        (was, State::Sending { .. }) => *was == after.state,
        _ => true,
    }
}

fn requeues_on_proof_only(before: &Payout, event: &Event, after: &Payout) -> bool {
    if !is_queued(after) || before.state == after.state {
        return true;
    }
    match (&before.state, event) {
        (State::AwaitingApproval { .. }, Event::Approved) => true,
        (State::Sending { tries, .. }, Event::NothingSent { attempt, .. }) => {
            tries.attempts == *attempt
        }
        (State::Sending { tries, .. }, Event::Answered { attempt, answer }) => {
            tries.attempts == *attempt && answer.class() == AnswerClass::TryLater
        }
        (State::Unknown { tries, .. }, Event::InquiryAnswered(answer)) => {
            tries.attempts > 0
                && tries.not_found < NOT_FOUND_ROUNDS_MAX
                && is_absent(before, answer)
        }
        _ => false,
    }
}

fn attempts_never_shrink(before: &Payout, after: &Payout) -> bool {
    matches!(after.state, State::Cancelled { .. })
        || before.state.attempts() <= after.state.attempts()
}

fn succeeds_on_evidence_only(before: &Payout, event: &Event, after: &Payout) -> bool {
    if !matches!(after.state, State::Succeeded { .. }) || before.state == after.state {
        return true;
    }
    match event {
        Event::ResultArrived(facts) => {
            facts.class() == ResultClass::Paid
                && facts.odd.is_none()
                && facts.receipt.as_ref() == after.state.receipt()
                && facts.amount.is_none_or(|amount| amount == before.details.amount)
                && facts.payee.is_none_or(|payee| payee == before.details.phone)
        }
        Event::InquiryAnswered(answer) => told_of(before, answer).is_some_and(|facts| {
            facts.status == TransactionStatus::Completed
                && facts.odd.is_none()
                && facts.receipt.as_ref() == after.state.receipt()
                && facts.amount == Some(before.details.amount)
                && facts.payee.is_none_or(|payee| payee == before.details.phone)
        }),
        Event::StatementShows(facts) => facts.amount == before.details.amount,
        Event::Ruled(ruling) => ruling.receipt.as_ref() == after.state.receipt(),
        _ => false,
    }
}

fn fails_on_evidence_only(before: &Payout, event: &Event, after: &Payout) -> bool {
    if !matches!(after.state, State::Failed { .. }) || before.state == after.state {
        return true;
    }
    match event {
        Event::Answered { attempt, answer } => {
            *attempt == before.state.attempts()
                && matches!(answer.class(), AnswerClass::Refused | AnswerClass::TryLater)
        }
        // Nothing was sent, and nothing will be.
        Event::Unfit { .. } => is_queued(before),
        Event::ResultArrived(facts) => facts.class() == ResultClass::NotPaid,
        Event::InquiryAnswered(answer) => {
            is_absent(before, answer)
                || told_of(before, answer).is_some_and(|facts| {
                    matches!(
                        facts.status,
                        TransactionStatus::Cancelled
                            | TransactionStatus::Declined
                            | TransactionStatus::Expired
                    )
                })
        }
        Event::Ruled(ruling) => ruling.receipt.is_none(),
        _ => false,
    }
}

/// What an answer says of this payment, and of no other (law 6).
fn told_of<'a>(payout: &Payout, answer: &'a InquiryAnswer) -> Option<&'a InquiryFacts> {
    let facts = answer.payment.as_ref()?;
    let ours = payout.details.originator_conversation_id.as_str();
    let is_ours = facts.originator.as_deref().is_none_or(|named| named == ours);
    (answer.class() == QueryClass::Answered && is_ours).then_some(facts)
}

/// Whether an answer proves that M-Pesa has not got the request and cannot get it any more.
fn is_absent(payout: &Payout, answer: &InquiryAnswer) -> bool {
    let State::Unknown { arrives_until, .. } = &payout.state else {
        return false;
    };
    answer.class() == QueryClass::NotFound
        && inquiry::proves_absence(payout, answer.nth, *arrives_until)
}

fn cancels_unsent_only(before: &Payout, after: &Payout) -> bool {
    if !matches!(after.state, State::Cancelled { .. }) || before.state == after.state {
        return true;
    }
    match &before.state {
        State::AwaitingApproval { .. } => true,
        State::Queued { tries, .. } => tries.not_found == 0,
        _ => false,
    }
}

fn credential_stops_the_rail(
    before: &Payout,
    event: &Event,
    after: &Payout,
    effects: &[Effect],
) -> bool {
    let blame = match event {
        Event::Answered { answer, .. } => outcome::answer(&answer.code).blame,
        Event::ResultArrived(facts) => outcome::result(&facts.code).blame,
        Event::InquiryReplied { answer, .. } => outcome::answer(&answer.code).blame,
        Event::InquiryAnswered(answer) => outcome::query(&answer.code).blame,
        _ => return true,
    };
    let moved = matches!(after.state, State::Failed { .. } | State::Unknown { .. })
        && before.state != after.state;
    let stops = effects.iter().any(|effect| matches!(effect, Effect::StopRail { .. }));
    !(blame.stops_the_rail() && moved) || stops
}
