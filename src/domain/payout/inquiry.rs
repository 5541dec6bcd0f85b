//! Asking M-Pesa about a payout: what was asked, what may be asked, and what an answer can prove.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::effect::CaseKind;
use super::state::{Payout, State};
use super::step::Policy;
use crate::domain::id::Receipt;
use crate::domain::time::Timestamp;

/// How long M-Pesa finds a payment by its conversation ids; after that by its receipt only
/// (spec/soap.md §3.3).
pub const FOUND_BY_NAME: Duration = Duration::from_secs(15 * 24 * 60 * 60);
/// How long "no such transaction" proves something. A day less than [`FOUND_BY_NAME`]: what M-Pesa
/// has forgotten must never look like what it never had.
pub const MISSED_BY_NAME: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// What M-Pesa was asked about a payout in doubt, and when it is to be asked next.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Inquiry {
    /// When to ask next.
    pub ask_at: Timestamp,
    /// How many questions of this doubt reached M-Pesa, or may have.
    pub asked: u32,
    /// The last question of this doubt. Only its answer can prove that M-Pesa knows nothing.
    pub last: Option<Question>,
    /// A receipt that M-Pesa named in a word that was not believed.
    pub told: Option<Receipt>,
    /// Why a person was called last.
    pub called: Option<CaseKind>,
}

impl Inquiry {
    /// Nothing asked yet.
    pub const fn first_at(ask_at: Timestamp) -> Self {
        Self { ask_at, asked: 0, last: None, told: None, called: None }
    }
}

/// A question that was put to M-Pesa.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Question {
    /// Its number: no two questions about a payout share one.
    pub nth: u32,
    /// When it was put.
    pub at: Timestamp,
    /// By what it asked.
    pub by: AskBy,
}

/// By what M-Pesa is asked for a payment (spec/soap.md §3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AskBy {
    /// By our name for it.
    Name,
    /// By the receipt that M-Pesa named before.
    Receipt,
}

/// By what M-Pesa can be asked about `payout` at `now`; `None` when it is not in doubt, or when
/// only a receipt would find it, because it is so old or went without a name, and none is known.
pub fn ask_by(payout: &Payout, policy: &Policy, now: Timestamp) -> Option<AskBy> {
    let State::Unknown { inquiry, .. } = &payout.state else {
        return None;
    };
    let is_named = !policy.unnamed.contains(&payout.details.rail);
    if is_named && now < may_know_since(payout).after(FOUND_BY_NAME) {
        Some(AskBy::Name)
    } else {
        inquiry.told.as_ref().map(|_receipt| AskBy::Receipt)
    }
}

/// Whether "no such transaction", said to question `nth`, proves that M-Pesa has not got it: the
/// question was the last one, asked by name, when the request could no longer arrive, and before
/// M-Pesa could have forgotten it.
pub fn proves_absence(payout: &Payout, nth: Option<u32>, arrives_until: Timestamp) -> bool {
    let State::Unknown { inquiry, .. } = &payout.state else {
        return false;
    };
    inquiry.last.is_some_and(|question| {
        nth == Some(question.nth)
            && question.by == AskBy::Name
            && question.at >= arrives_until
            && question.at < may_know_since(payout).after(MISSED_BY_NAME)
    })
}

/// Since when M-Pesa may know a payout in doubt.
fn may_know_since(payout: &Payout) -> Timestamp {
    let sent_at = match &payout.state {
        State::Unknown { tries, .. } => tries.sent_at,
        State::AwaitingApproval { .. }
        | State::Queued { .. }
        | State::Sending { .. }
        | State::Accepted { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Cancelled { .. } => None,
    };
    sent_at.unwrap_or(payout.details.created_at)
}
