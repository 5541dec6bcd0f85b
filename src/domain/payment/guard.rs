//! Whether a phone may be prompted now: its lock and the two-minute rule, before M-Pesa says so.

use std::time::Duration;

use super::state::{Payment, State};
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::domain::time::Timestamp;

/// How long a prompt may keep a phone to itself (spec/daraja.md §3.1, code 1001).
pub const LOCKED_FOR: Duration = Duration::from_secs(120);
/// How long M-Pesa takes the same amount from the same phone for the same payment
/// (spec/daraja.md §3.1, code 17).
pub const SAME_PAYMENT_FOR: Duration = Duration::from_secs(120);

/// Why a phone may not be prompted yet, and when it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAt {
    /// Not before.
    pub at: Timestamp,
    /// Why.
    pub why: TooSoon,
}

/// Why a phone may not be prompted yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TooSoon {
    /// Another prompt may still stand on it.
    #[error("another prompt to this phone is not answered yet")]
    Locked,
    /// M-Pesa would take it for the payment that was just made.
    #[error("this phone paid the same amount less than two minutes ago")]
    SamePayment,
}

/// Whether `phone` may be prompted for `amount` at `now`, given the latest payments in the book
/// that were asked of it.
///
/// # Errors
/// Why not, and when: the latest of all the times that matter.
pub fn guard<'a>(
    phone: Msisdn,
    amount: Amount,
    earlier: impl IntoIterator<Item = &'a Payment>,
    now: Timestamp,
) -> Result<(), RetryAt> {
    let latest = earlier
        .into_iter()
        .filter(|payment| payment.phone() == Some(phone))
        .filter_map(|payment| held_by(payment, amount))
        // What lies further ahead than any pause comes from a clock that was set back since.
        .filter(|held| held.at > now && held.at.since(now) <= LOCKED_FOR.max(SAME_PAYMENT_FOR))
        .max_by_key(|held| held.at);
    latest.map_or(Ok(()), Err)
}

/// Until when `payment` keeps its phone from being prompted for `amount`, and why.
fn held_by(payment: &Payment, amount: Amount) -> Option<RetryAt> {
    match &payment.state {
        State::Waiting { .. }
        | State::Sending { .. }
        | State::Prompted { .. }
        | State::Unknown { .. } => {
            let began = payment.state.tries().sent_at.unwrap_or(payment.details.created_at);
            Some(RetryAt { at: began.after(LOCKED_FOR), why: TooSoon::Locked })
        }
        State::Succeeded { paid, .. } if payment.details.amount == amount => {
            Some(RetryAt { at: paid.paid_at.after(SAME_PAYMENT_FOR), why: TooSoon::SamePayment })
        }
        State::Succeeded { .. } | State::Failed { .. } | State::Joined { .. } => None,
    }
}
