//! What must hold whatever happens to a text message: nobody is told the same thing twice.

use super::outcome::{Class, outcome};
use super::state::{State, Text};
use super::step::Event;

/// A law that a step would break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// What it says stays what it says.
    #[error("what is to be sent never changes")]
    DetailsStay,
    /// Final is final.
    #[error("what is final stays as it is")]
    FinalIsFinal,
    /// One send at a time.
    #[error("a send begins only from queued, as the next attempt")]
    SendFromQueuedOnly,
    /// Once, unless it was not sent.
    #[error("only proof that it was not sent leads back to queued")]
    RequeueOnProofOnly,
    /// Sent on evidence.
    #[error("sent needs the provider's word")]
    SentOnEvidenceOnly,
    /// Failed on evidence.
    #[error("failed needs proof that it was not sent")]
    FailedOnEvidenceOnly,
}

/// Whether moving from `before` to `after` because of `event` keeps every law.
///
/// # Errors
/// The first law that it would break.
pub fn check(before: &Text, event: &Event, after: &Text) -> Result<(), Broken> {
    let held = [
        (before.details == after.details, Broken::DetailsStay),
        (!before.status().is_final() || before.state == after.state, Broken::FinalIsFinal),
        (sends_from_queued_only(before, after), Broken::SendFromQueuedOnly),
        (requeues_on_proof_only(before, event, after), Broken::RequeueOnProofOnly),
        (sent_on_evidence_only(before, event, after), Broken::SentOnEvidenceOnly),
        (fails_on_evidence_only(before, event, after), Broken::FailedOnEvidenceOnly),
    ];
    held.into_iter().find(|(kept, _law)| !kept).map_or(Ok(()), |(_kept, law)| Err(law))
}

fn sends_from_queued_only(before: &Text, after: &Text) -> bool {
    match (&before.state, &after.state) {
        (State::Queued { tries, .. }, State::Sending { tries: next, .. }) => {
            next.attempts == tries.attempts.saturating_add(1)
        }
        (was, State::Sending { .. }) => *was == after.state,
        _ => true,
    }
}

/// What the provider says of the send that is under way.
fn told(before: &Text, event: &Event) -> Option<Class> {
    match (&before.state, event) {
        (State::Sending { tries, .. }, Event::Answered { attempt, answer })
            if tries.attempts == *attempt =>
        {
            Some(outcome(&answer.code).class)
        }
        _ => None,
    }
}

/// Whether nothing of the send that is under way left.
fn nothing_left(before: &Text, event: &Event) -> bool {
    match (&before.state, event) {
        (State::Sending { tries, .. }, Event::NothingSent { attempt, .. }) => {
            tries.attempts == *attempt
        }
        _ => false,
    }
}

fn requeues_on_proof_only(before: &Text, event: &Event, after: &Text) -> bool {
    !matches!(after.state, State::Queued { .. })
        || before.state == after.state
        || nothing_left(before, event)
        || told(before, event) == Some(Class::TryLater)
}

fn sent_on_evidence_only(before: &Text, event: &Event, after: &Text) -> bool {
    !matches!(after.state, State::Sent { .. })
        || before.state == after.state
        || told(before, event) == Some(Class::Sent)
}

fn fails_on_evidence_only(before: &Text, event: &Event, after: &Text) -> bool {
    let waited =
        matches!((&before.state, event), (State::Queued { .. }, Event::SendStarted { .. }));
    !matches!(after.state, State::Failed { .. })
        || before.state == after.state
        || waited
        || nothing_left(before, event)
        || matches!(told(before, event), Some(Class::TryLater | Class::Refused | Class::Alarm))
}
