//! What can be listed, and by what.

use super::Stored;
use super::life::Kept;
use super::record::Case;
use crate::domain::id::{
    AppId, BatchId, CaseId, CheckoutRequestId, InquiryId, PaymentId, PayoutId, Receipt, TextId,
};
use crate::domain::inquiry::{self, Inquiry};
use crate::domain::party::Msisdn;
use crate::domain::payment::{self, Payment};
use crate::domain::payout::{CaseKind, Payout, Rail, Status};
use crate::domain::subject::Subject;
use crate::domain::text::{self, Text};
use crate::domain::time::Timestamp;

/// Which payouts to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayoutQuery {
    /// Whose; `None` for everybody's.
    pub app: Option<AppId>,
    /// Only those that stand here.
    pub status: Option<Status>,
    /// Only those with exactly this reference.
    pub reference: Option<String>,
    /// Only those to this phone.
    pub phone: Option<Msisdn>,
    /// Only the one with this receipt.
    pub receipt: Option<Receipt>,
    /// Only those that go this way.
    pub rail: Option<Rail>,
    /// Only those of this batch.
    pub batch: Option<BatchId>,
    /// Only those taken at or after this moment.
    pub created_from: Option<Timestamp>,
    /// Only those taken before this moment.
    pub created_to: Option<Timestamp>,
    /// Where the last page ended: rows beyond it, in the order asked for.
    pub after: Option<PayoutId>,
    /// Newest first.
    pub descending: bool,
    /// At most so many, and never more than [`super::PAGE_LEN_MAX`].
    pub limit: usize,
}

impl PayoutQuery {
    /// Everybody's payouts, oldest first, without a filter.
    pub const fn all(limit: usize) -> Self {
        Self {
            app: None,
            status: None,
            reference: None,
            phone: None,
            receipt: None,
            rail: None,
            batch: None,
            created_from: None,
            created_to: None,
            after: None,
            descending: false,
            limit,
        }
    }

    /// Whether `payout` passes every filter (not the cursor, not the limit).
    pub fn admits(&self, payout: &Payout) -> bool {
        let details = &payout.details;
        self.app.is_none_or(|app| app == details.app)
            && self.status.is_none_or(|status| status == payout.status())
            && self.reference.as_ref().is_none_or(|reference| *reference == details.reference)
            && self.phone.is_none_or(|phone| phone == details.phone)
            && self.receipt.as_ref().is_none_or(|told| payout.state.receipt() == Some(told))
            && self.rail.is_none_or(|rail| rail == details.rail)
            && self.batch.is_none_or(|batch| details.batch == Some(batch))
            && self.created_from.is_none_or(|from| from <= details.created_at)
            && self.created_to.is_none_or(|to| details.created_at < to)
    }
}

/// A page of payouts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayoutPage {
    /// The rows.
    pub rows: Vec<Stored>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<PayoutId>,
}

/// Which cases to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseQuery {
    /// Only those that are open, or only those that are closed.
    pub open: Option<bool>,
    /// Only those of this kind.
    pub kind: Option<CaseKind>,
    /// Only those about this.
    pub about: Option<Subject>,
    /// Only those about what is this application's.
    pub app: Option<AppId>,
    /// Where the last page ended: rows beyond it, in the order asked for.
    pub after: Option<CaseId>,
    /// Newest first.
    pub descending: bool,
    /// At most so many, and never more than [`super::PAGE_LEN_MAX`].
    pub limit: usize,
}

impl CaseQuery {
    /// Every case, oldest first, without a filter.
    pub const fn all(limit: usize) -> Self {
        Self {
            open: None,
            kind: None,
            about: None,
            app: None,
            after: None,
            descending: false,
            limit,
        }
    }

    /// Whether `case` passes every filter (not the cursor, not the limit).
    pub fn admits(&self, case: &Case) -> bool {
        self.open.is_none_or(|open| open == case.closed.is_none())
            && self.kind.is_none_or(|kind| kind == case.kind)
            && self.about.is_none_or(|about| case.about == Some(about))
            && self.app.is_none_or(|app| case.app == Some(app))
    }
}

/// A page of cases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CasePage {
    /// The rows.
    pub rows: Vec<Case>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<CaseId>,
}

/// Which payments to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentQuery {
    /// As this application sees them: its own, and those that are nobody's; `None` for everybody's.
    pub app: Option<AppId>,
    /// Only those of this kind.
    pub kind: Option<payment::Kind>,
    /// Only those that stand here. Without it, all but joined ones.
    pub status: Option<payment::Status>,
    /// Only those with exactly this reference.
    pub reference: Option<String>,
    /// Only those to exactly this account.
    pub account: Option<String>,
    /// Only those from this phone, as far as M-Pesa shows it whole.
    pub phone: Option<Msisdn>,
    /// Only the one with this receipt.
    pub receipt: Option<Receipt>,
    /// Only the one with this checkout id.
    pub checkout: Option<CheckoutRequestId>,
    /// Only those that somebody delivered for, or nobody did.
    pub claimed: Option<bool>,
    /// Only those paid at or after this moment.
    pub paid_from: Option<Timestamp>,
    /// Only those paid before this moment.
    pub paid_to: Option<Timestamp>,
    /// Where the last page ended: rows beyond it, in the order asked for.
    pub after: Option<PaymentId>,
    /// Newest first.
    pub descending: bool,
    /// At most so many, and never more than [`super::PAGE_LEN_MAX`].
    pub limit: usize,
}

impl PaymentQuery {
    /// Everybody's payments, oldest first, without a filter.
    pub fn all(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Whether `payment` passes every filter (not the cursor, not the limit).
    pub fn admits(&self, payment: &Payment) -> bool {
        let details = &payment.details;
        let same =
            |asked: &Option<String>, told: &String| asked.as_ref().is_none_or(|it| it == told);
        let status = payment.status();
        self.app.is_none_or(|app| details.app.is_none_or(|owner| owner == app))
            && self.kind.is_none_or(|kind| kind == payment.kind())
            && self.status.map_or_else(|| status.is_listed(), |asked| asked == status)
            && same(&self.reference, &details.reference)
            && same(&self.account, &details.account)
            && self.phone.is_none_or(|phone| payment.phone() == Some(phone))
            && self.receipt.as_ref().is_none_or(|receipt| payment.receipt() == Some(receipt))
            && self.checkout.as_ref().is_none_or(|checkout| payment.checkout() == Some(checkout))
            && self.claimed.is_none_or(|claimed| claimed == payment.is_claimed())
            && self.paid_from.is_none_or(|from| payment.paid_at().is_some_and(|at| from <= at))
            && self.paid_to.is_none_or(|to| payment.paid_at().is_some_and(|at| at < to))
    }
}

/// A page of payments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentPage {
    /// The rows.
    pub rows: Vec<Kept<Payment>>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<PaymentId>,
}

/// Which inquiries to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InquiryQuery {
    /// Only this application's; `None` for everybody's, the gateway's own included.
    pub app: Option<AppId>,
    /// Only those that stand here.
    pub status: Option<inquiry::Status>,
    /// Where the last page ended: rows beyond it, in the order asked for.
    pub after: Option<InquiryId>,
    /// Newest first.
    pub descending: bool,
    /// At most so many, and never more than [`super::PAGE_LEN_MAX`].
    pub limit: usize,
}

impl InquiryQuery {
    /// Everybody's inquiries, oldest first, without a filter.
    pub fn all(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Whether `inquiry` passes every filter (not the cursor, not the limit).
    pub fn admits(&self, inquiry: &Inquiry) -> bool {
        self.app.is_none_or(|app| inquiry.details.app == Some(app))
            && self.status.is_none_or(|status| status == inquiry.status())
    }
}

/// A page of inquiries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InquiryPage {
    /// The rows.
    pub rows: Vec<Kept<Inquiry>>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<InquiryId>,
}

/// Which text messages to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextQuery {
    /// Only those that stand here.
    pub status: Option<text::Status>,
    /// Where the last page ended: rows beyond it, in the order asked for.
    pub after: Option<TextId>,
    /// Newest first.
    pub descending: bool,
    /// At most so many, and never more than [`super::PAGE_LEN_MAX`].
    pub limit: usize,
}

impl TextQuery {
    /// Every text message, oldest first, without a filter.
    pub fn all(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Whether `text` passes every filter (not the cursor, not the limit).
    pub fn admits(&self, text: &Text) -> bool {
        self.status.is_none_or(|status| status == text.status())
    }
}

/// A page of text messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TextPage {
    /// The rows.
    pub rows: Vec<Kept<Text>>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<TextId>,
}
