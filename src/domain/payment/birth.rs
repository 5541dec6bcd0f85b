//! How a C2B payment comes into the book: paid, from M-Pesa's word for it.

use super::effect::{Effect, Notice};
use super::event::Confirmation;
use super::notice::C2bNotice;
use super::state::{Details, Origin, Paid, Payment, Settled, Source, State, Tries};
use crate::domain::id::{AppId, PaymentId};
use crate::domain::payout::CaseKind;
use crate::domain::text::Occasion;
use crate::domain::time::Timestamp;

/// What M-Pesa does not say of a new C2B payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Birth {
    /// Its id.
    pub id: PaymentId,
    /// Whose it is, by the routes of the configuration.
    pub app: Option<AppId>,
    /// The expected reference that it fits, as that was imported.
    pub reference: Option<String>,
    /// How M-Pesa's word came.
    pub by: Source,
}

/// A payment that has just come into the book, and what is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Born {
    /// The payment: paid.
    pub payment: Payment,
    /// What the feed says.
    pub notice: Notice,
    /// What is to be done.
    pub effects: Vec<Effect>,
}

/// The payment of which `notice` tells, if no payment has its receipt yet. A confirmation cannot be
/// refused: what does not fit is a case, and is in the book all the same (spec/daraja.md §2.2).
pub fn from_notice(notice: &C2bNotice, birth: Birth, now: Timestamp) -> Born {
    let told = Confirmation::of(notice, birth.by);
    let details = Details {
        id: birth.id,
        app: birth.app,
        origin: Origin::C2b {
            kind: notice.kind.clone(),
            phone: told.phone,
            invoice: notice.invoice.clone(),
            third_party_id: notice.third_party_id.clone(),
        },
        amount: told.amount,
        shortcode: told.shortcode,
        reference: birth.reference.unwrap_or_else(|| told.account.clone()),
        account: told.account,
        created_at: now,
    };
    let paid = Paid {
        receipt: Some(told.receipt),
        paid_at: told.paid_at.unwrap_or(now),
        by: birth.by,
        payer_name: told.payer_name,
        balance: told.balance,
    };
    let settled = Settled { at: now, prompt: None, tries: Tries::NONE };
    let mut effects = vec![Effect::Text(Occasion::PaymentReceived)];
    if notice.odd.is_some() {
        effects.push(Effect::OpenCase(CaseKind::Mismatch));
    }
    let state = State::Succeeded { paid, settled, claim: None };
    let payment = Payment { details, state, updated_at: now };
    Born { payment, notice: Notice::Received, effects }
}
