//! Claiming: of all who ask, one may deliver for a payment.

use super::state::{Claim, Payment, State};
use super::word::Status;

/// What a claim comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claiming {
    /// It is claimed now: the state to commit, if nothing has changed since.
    Now(State),
    /// The same application claimed it for the same purpose before: safe to repeat.
    Before(Claim),
    /// Somebody else has it, or it has it for something else.
    By(Claim),
    /// There is nothing to claim: it is not paid.
    NotPaid(Status),
}

/// What `wanted` comes to. The store's compare-and-set makes it so that of any number of claims at
/// once exactly one commits.
pub fn claim(payment: &Payment, wanted: Claim) -> Claiming {
    match &payment.state {
        State::Succeeded { paid, settled, claim: None } => Claiming::Now(State::Succeeded {
            paid: paid.clone(),
            settled: settled.clone(),
            claim: Some(wanted),
        }),
        State::Succeeded { claim: Some(has), .. } => {
            if has.app == wanted.app && has.purpose == wanted.purpose {
                Claiming::Before(has.clone())
            } else {
                Claiming::By(has.clone())
            }
        }
        State::Waiting { .. }
        | State::Sending { .. }
        | State::Prompted { .. }
        | State::Unknown { .. }
        | State::Failed { .. }
        | State::Joined { .. } => Claiming::NotPaid(payment.status()),
    }
}
