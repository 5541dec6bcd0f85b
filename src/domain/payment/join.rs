//! One receipt is one payment: which C2B payment is the same money as which STK payment.
//!
//! An STK payment to a number with registered addresses is announced twice, by its callback and by
//! a C2B confirmation, with one receipt (spec/daraja.md §0.4). Whatever comes first and whatever is
//! lost, it must count once.

use std::time::Duration;

use super::event::{Confirmation, Holder, Joining};
use super::state::{Origin, Payment, State};
use crate::domain::id::Receipt;
use crate::domain::time::Timestamp;

/// How far M-Pesa's clock and ours may be apart.
const CLOCKS_APART: Duration = Duration::from_secs(60);

/// Whose `receipt` is for the purposes of `payment`, when `found` is the payment that the book has
/// under that receipt.
pub fn holder(payment: &Payment, receipt: &Receipt, found: Option<&Payment>) -> Holder {
    let Some(found) = found.filter(|found| found.details.id != payment.details.id) else {
        return Holder::Nobody;
    };
    match joining(payment, found) {
        Some(joining) if joining.told.receipt == *receipt => Holder::C2b(Box::new(joining)),
        Some(_) | None => Holder::Another,
    }
}

/// The C2B payment `found` as one to be joined to `payment`, if it can be: it is paid, it counts,
/// and it is as much. Where no receipt says that it is the same, [`would_adopt`] must.
pub fn joining(payment: &Payment, found: &Payment) -> Option<Joining> {
    let told = Confirmation::of_payment(found)?;
    // Not the short code: a till's notice may name it otherwise than a prompt does, and one receipt
    // is one payment whatever it says.
    let same_money = told.amount == payment.details.amount
        && matches!(payment.details.origin, Origin::Stk { .. });
    same_money.then(|| Joining {
        from: found.details.id,
        told,
        claim: found.state.claim().cloned(),
    })
}

/// Whether `payment`, which is paid and has no receipt, takes `told` for its own confirmation.
///
/// That is so of an STK payment that succeeded on a query's word, of which no receipt ever comes
/// otherwise (spec/daraja.md §1.3).
pub fn adopts(payment: &Payment, told: &Confirmation) -> bool {
    match &payment.state {
        State::Succeeded { paid, settled, .. } => {
            paid.receipt.is_none() && would_adopt(payment, told, settled.at)
        }
        State::Waiting { .. }
        | State::Sending { .. }
        | State::Prompted { .. }
        | State::Unknown { .. }
        | State::Failed { .. }
        | State::Joined { .. } => false,
    }
}

/// Whether `payment` would take `told` for its own confirmation if it turned out at `settled_at`
/// to be paid.
///
/// It must be the same number of ours, the same account, the same amount, a payer who can be the
/// same, and a time between the prompt and that moment.
pub fn would_adopt(payment: &Payment, told: &Confirmation, settled_at: Timestamp) -> bool {
    let details = &payment.details;
    let Origin::Stk { phone, .. } = &details.origin else {
        return false;
    };
    let sent_at = payment.state.tries().sent_at.unwrap_or(details.created_at);
    let in_time = told.paid_at.is_some_and(|at| {
        at.after(CLOCKS_APART) >= sent_at && at <= settled_at.after(CLOCKS_APART)
    });
    in_time
        && told.amount == details.amount
        && told.shortcode == details.shortcode
        && is_account_of(payment, &told.account)
        && told.phone.fits(*phone)
}

/// Whether `typed` is the account of `payment`. A till has none (spec/daraja.md §2.2).
fn is_account_of(payment: &Payment, typed: &str) -> bool {
    let typed = typed.trim();
    typed.is_empty() || typed.eq_ignore_ascii_case(payment.details.account.trim())
}
