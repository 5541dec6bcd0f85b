//! What must hold whatever happens to a payment, as predicates.
//!
//! Tests, the simulation and the running engine use the same ones. The engine checks each step
//! before it commits it; a step that would break a law is not taken, and a person is called.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "the laws are lists of what is allowed: a new event or state is not, until listed"
)]

use std::collections::BTreeMap;

use super::effect::Effect;
use super::event::{Event, Holder};
use super::join;
use super::state::{Claim, Origin, Payment, State};
use crate::domain::id::{CheckoutRequestId, PaymentId, Receipt};
use crate::domain::outcome::{self, AnswerClass, StkClass};

/// A law that a step would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// What was asked for stays what was asked for.
    #[error("what was asked for, or what came, never changes")]
    DetailsStay,
    /// One prompt.
    #[error("a prompt is sent only while the payment waits for it, as the next attempt")]
    SendFromWaitingOnly,
    /// One prompt, unless there was none.
    #[error("only proof that nothing was taken leads back to another prompt")]
    AnotherPromptOnProofOnly,
    /// The count of the prompts.
    #[error("attempts are never forgotten")]
    AttemptsNeverShrink,
    /// Paid is paid.
    #[error("what is paid stays paid, unless it is joined to the payment that is the same money")]
    PaidStaysPaid,
    /// One payment has one receipt.
    #[error("a receipt never changes")]
    ReceiptStays,
    /// Not paid stays not paid, unless a receipt says otherwise.
    #[error("what failed is paid only on a word of M-Pesa's that holds a receipt")]
    FailedGivesWayToReceiptOnly,
    /// Paid on evidence.
    #[error("succeeded needs M-Pesa's word, or a person's, about this payment and this amount")]
    SucceededOnEvidenceOnly,
    /// Failed on evidence.
    #[error("failed needs M-Pesa's word, or a person's, that it is not paid, or no prompt at all")]
    FailedOnEvidenceOnly,
    /// Nobody delivers twice.
    #[error("a claim never changes its owner, and moves only with the money")]
    ClaimStays,
    /// Joined for good.
    #[error("what was joined to another payment stays joined to it")]
    JoinedStays,
    /// Law 7.
    #[error("a wrong credential stops the rail")]
    CredentialStopsTheRail,
}

/// Whether moving from `before` to `after` because of `event`, with `effects`, keeps every law.
///
/// # Errors
/// The first law that it would break.
pub fn check(
    before: &Payment,
    event: &Event,
    after: &Payment,
    effects: &[Effect],
) -> Result<(), Broken> {
    let held = [
        (before.details == after.details, Broken::DetailsStay),
        (joined_stays(before, after), Broken::JoinedStays),
        (paid_stays_paid(before, event, after), Broken::PaidStaysPaid),
        (receipt_stays(before, after), Broken::ReceiptStays),
        (claim_stays(before, event, after, effects), Broken::ClaimStays),
        (sends_from_waiting_only(before, after), Broken::SendFromWaitingOnly),
        (another_prompt_on_proof_only(before, event, after), Broken::AnotherPromptOnProofOnly),
        (attempts_never_shrink(before, after), Broken::AttemptsNeverShrink),
        (failed_gives_way_to_receipt_only(before, after), Broken::FailedGivesWayToReceiptOnly),
        (succeeds_on_evidence_only(before, event, after), Broken::SucceededOnEvidenceOnly),
        (fails_on_evidence_only(before, event, after), Broken::FailedOnEvidenceOnly),
        (credential_stops_the_rail(before, event, after, effects), Broken::CredentialStopsTheRail),
    ];
    held.into_iter().find(|(kept, _law)| !kept).map_or(Ok(()), |(_kept, law)| Err(law))
}

/// Whether claiming `before` as `claim` may make it `after`.
///
/// # Errors
/// The law that it would break.
pub fn check_claim(before: &Payment, claim: &Claim, after: &Payment) -> Result<(), Broken> {
    if before.details != after.details {
        return Err(Broken::DetailsStay);
    }
    match (&before.state, &after.state) {
        (
            State::Succeeded { paid, settled, claim: None },
            State::Succeeded { paid: still, settled: as_before, claim: Some(now) },
        ) if paid == still && settled == as_before && now == claim => Ok(()),
        _ => Err(Broken::ClaimStays),
    }
}

/// One receipt is one payment: the payments of `book` that share a receipt with one before them.
pub fn sharing_a_receipt<'a>(book: impl IntoIterator<Item = &'a Payment>) -> Vec<PaymentId> {
    let mut seen: BTreeMap<&Receipt, PaymentId> = BTreeMap::new();
    book.into_iter()
        .filter_map(|payment| {
            let receipt = payment.receipt()?;
            seen.insert(receipt, payment.details.id).map(|_earlier| payment.details.id)
        })
        .collect()
}

fn joined_stays(before: &Payment, after: &Payment) -> bool {
    !matches!(before.state, State::Joined { .. }) || before.state == after.state
}

fn paid_stays_paid(before: &Payment, event: &Event, after: &Payment) -> bool {
    match (&before.state, &after.state) {
        (State::Succeeded { .. }, State::Succeeded { .. }) => true,
        (State::Succeeded { paid, .. }, State::Joined { to, paid: kept, .. }) => {
            matches!(before.details.origin, Origin::C2b { .. })
                && *event == (Event::Joined { to: *to })
                && *to != before.details.id
                && paid == kept
        }
        (State::Succeeded { .. }, _) => false,
        (State::Joined { .. }, State::Joined { .. }) => true,
        (_, State::Joined { .. }) => false,
        _ => true,
    }
}

fn receipt_stays(before: &Payment, after: &Payment) -> bool {
    before.receipt().is_none()
        || matches!(after.state, State::Joined { .. })
        || before.receipt() == after.receipt()
}

fn claim_stays(before: &Payment, event: &Event, after: &Payment, effects: &[Effect]) -> bool {
    if matches!(after.state, State::Joined { .. }) || before.state.claim() == after.state.claim() {
        return true;
    }
    // It moves from the C2B payment that is the same money, and is joined in the same commit.
    let Holder::C2b(joining) = holder_in(event) else {
        return false;
    };
    before.state.claim().is_none()
        && joining.claim.as_ref() == after.state.claim()
        && effects.contains(&Effect::Join { from: joining.from })
}

fn sends_from_waiting_only(before: &Payment, after: &Payment) -> bool {
    match (&before.state, &after.state) {
        (State::Waiting { tries, .. }, State::Sending { tries: next, .. }) => {
            next.attempts == tries.attempts.saturating_add(1)
        }
        (was, State::Sending { .. }) => *was == after.state,
        _ => true,
    }
}

fn another_prompt_on_proof_only(before: &Payment, event: &Event, after: &Payment) -> bool {
    if !matches!(after.state, State::Waiting { .. }) || before.state == after.state {
        return true;
    }
    let State::Sending { tries, .. } = &before.state else {
        return false;
    };
    match event {
        Event::NothingSent { attempt, .. } => tries.attempts == *attempt,
        Event::Answered { attempt, answer } => {
            tries.attempts == *attempt && answer.class() == AnswerClass::TryLater
        }
        _ => false,
    }
}

fn attempts_never_shrink(before: &Payment, after: &Payment) -> bool {
    before.state.tries().attempts <= after.state.tries().attempts
}

fn failed_gives_way_to_receipt_only(before: &Payment, after: &Payment) -> bool {
    match (&before.state, &after.state) {
        (State::Failed { .. }, State::Failed { .. }) => before.state == after.state,
        (State::Failed { .. }, State::Succeeded { paid, .. }) => paid.receipt.is_some(),
        (State::Failed { .. }, _) => false,
        _ => true,
    }
}

fn succeeds_on_evidence_only(before: &Payment, event: &Event, after: &Payment) -> bool {
    let State::Succeeded { paid, settled, .. } = &after.state else {
        return true;
    };
    if before.state == after.state {
        return true;
    }
    let told = match event {
        Event::CallbackArrived { facts, .. } => {
            facts.class() == StkClass::Paid
                && facts.odd.is_none()
                && facts.amount.is_none_or(|amount| amount == before.details.amount)
                && is_of(before, facts.checkout.as_ref())
                && facts.receipt.as_ref().is_none_or(|told| paid.receipt.as_ref() == Some(told))
        }
        Event::QueryAnswered { facts, holder, .. } => {
            facts.class() == StkClass::Paid
                && before.state.prompt().is_some()
                && is_of(before, facts.checkout.as_ref())
                && match holder {
                    _ if paid.receipt.is_none() => true,
                    Holder::C2b(joining) => join::would_adopt(before, &joining.told, settled.at),
                    Holder::Nobody | Holder::Another => false,
                }
        }
        Event::Confirmed { told, .. } => {
            matches!(before.state, State::Succeeded { .. })
                && told.amount == before.details.amount
                && (before.receipt() == Some(&told.receipt) || join::adopts(before, told))
                && paid.receipt.as_ref() == Some(&told.receipt)
        }
        Event::Ruled { ruling, .. } => {
            matches!(before.state, State::Unknown { .. })
                && ruling.receipt.is_some()
                && ruling.receipt == paid.receipt
        }
        _ => false,
    };
    let is_bare = paid.receipt.is_none() && matches!(event, Event::QueryAnswered { .. });
    told && (is_bare || fits_the_holder(before, event, after))
}

/// Whether what is paid takes over only a C2B payment that is the same money, and no receipt of
/// anybody else's.
fn fits_the_holder(before: &Payment, event: &Event, after: &Payment) -> bool {
    match holder_in(event) {
        Holder::Nobody => true,
        Holder::Another => false,
        Holder::C2b(joining) => {
            joining.told.amount == before.details.amount
                && after.receipt() == Some(&joining.told.receipt)
        }
    }
}

fn fails_on_evidence_only(before: &Payment, event: &Event, after: &Payment) -> bool {
    if !matches!(after.state, State::Failed { .. }) || before.state == after.state {
        return true;
    }
    let attempts = before.state.tries().attempts;
    match event {
        // Too late for a prompt, and none was ever taken.
        Event::SendStarted { .. } => matches!(before.state, State::Waiting { .. }),
        Event::NothingSent { attempt, .. } => {
            *attempt == attempts && matches!(before.state, State::Sending { .. })
        }
        Event::Answered { attempt, answer } => {
            *attempt == attempts
                && matches!(before.state, State::Sending { .. } | State::Unknown { .. })
                && matches!(answer.class(), AnswerClass::Refused | AnswerClass::TryLater)
        }
        Event::CallbackArrived { facts, .. } => {
            facts.class() == StkClass::Failed && is_of(before, facts.checkout.as_ref())
        }
        Event::QueryAnswered { facts, .. } => {
            facts.class() == StkClass::Failed
                && before.state.prompt().is_some()
                && is_of(before, facts.checkout.as_ref())
        }
        Event::Ruled { ruling, .. } => {
            matches!(before.state, State::Unknown { .. }) && ruling.receipt.is_none()
        }
        _ => false,
    }
}

fn is_of(payment: &Payment, told: Option<&CheckoutRequestId>) -> bool {
    match (payment.checkout(), told) {
        (Some(known), Some(told)) => known == told,
        _ => true,
    }
}

const fn holder_in(event: &Event) -> &Holder {
    match event {
        Event::CallbackArrived { holder, .. }
        | Event::QueryAnswered { holder, .. }
        | Event::Confirmed { holder, .. }
        | Event::Ruled { holder, .. } => holder,
        _ => &Holder::Nobody,
    }
}

fn credential_stops_the_rail(
    before: &Payment,
    event: &Event,
    after: &Payment,
    effects: &[Effect],
) -> bool {
    let Event::Answered { answer, .. } = event else {
        return true;
    };
    let stops = effects.iter().any(|effect| matches!(effect, Effect::StopRail { .. }));
    !outcome::answer(&answer.code).blame.stops_the_rail() || before.state == after.state || stops
}
