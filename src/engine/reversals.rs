//! Giving a payer his money back: at most once per payment, as far as this book knows.
//!
//! M-Pesa has no key for reversals (spec/daraja.md §0). So one is taken only of a payment that is
//! in the book, and only while no other of the same receipt may have moved money. M-Pesa itself
//! refuses a second one, too (`R000001`, spec/daraja.md §3.3).

use super::Engine;
use super::inquiries::{InquiryDraft, InquiryTaken, NotTaken};
use crate::domain::id::{AppId, InquiryId, Receipt};
use crate::domain::inquiry::{Kind, Reversal, Status};
use crate::domain::money::Amount;
use crate::domain::payment::Payment;
use crate::domain::payout::Rail;
use crate::store::{InquiryQuery, PAGE_LEN_MAX, StoreError};

/// How many pages of the latest inquiries are looked through for a reversal of the same receipt;
/// beyond them M-Pesa's own refusal has to do.
const PAGES_MAX: usize = 40;

/// A reversal as a caller asks for it: every field parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReversalDraft {
    /// The receipt of the payment.
    pub receipt: Receipt,
    /// How much is given back.
    pub amount: Amount,
    /// M-Pesa's `Remarks`.
    pub remarks: String,
    /// M-Pesa's `Occasion`; may be empty.
    pub occasion: String,
    /// Which way it goes.
    pub rail: Rail,
}

/// Why a reversal was not taken. In each case nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotReversed {
    /// No payment in the book has the receipt.
    #[error("no payment has this receipt")]
    NoSuchPayment,
    /// More than was paid.
    #[error("only KES {0} were paid")]
    MoreThanPaid(Amount),
    /// Another reversal of the receipt has moved the money, or may.
    #[error("it is reversed by {0}, which is {1}")]
    ReversedBy(InquiryId, Status),
    /// As any other inquiry.
    #[error(transparent)]
    NotTaken(#[from] NotTaken),
}

impl From<StoreError> for NotReversed {
    fn from(error: StoreError) -> Self {
        Self::NotTaken(error.into())
    }
}

impl Engine {
    /// Takes a reversal, once per key and once per receipt: it is on the disk when this returns.
    ///
    /// # Errors
    /// [`NotReversed`].
    pub async fn reverse(
        &self,
        app: AppId,
        key: (&str, [u8; 32]),
        draft: ReversalDraft,
    ) -> Result<InquiryTaken, NotReversed> {
        let _one_at_a_time = self.reversals.lock().await;
        // A used key answers first: who asks again must not be told of his own reversal.
        if let Some(before) = self.parts.store.claim(app, key.0).await? {
            return Ok(self.taken_before(&before, Some(key)).await?);
        }
        let payment = self.payment_of(&draft.receipt).await?.ok_or(NotReversed::NoSuchPayment)?;
        if draft.amount > payment.details.amount {
            return Err(NotReversed::MoreThanPaid(payment.details.amount));
        }
        if let Some((id, status)) = self.reversal_of(&draft.receipt).await? {
            return Err(NotReversed::ReversedBy(id, status));
        }
        let shortcode = payment.details.shortcode.parse();
        let shortcode = shortcode.unwrap_or_else(|_odd| self.settings.shortcode.clone());
        let ReversalDraft { receipt, amount, remarks, occasion, rail } = draft;
        let payment = Some(payment.details.id);
        let kind =
            Kind::Reversal(Reversal { receipt, amount, payment, payout: None, remarks, occasion });
        let draft = InquiryDraft { kind, rail, shortcode };
        Ok(self.take_inquiry(Some(app), Some(key), draft).await?)
    }

    async fn payment_of(&self, receipt: &Receipt) -> Result<Option<Payment>, StoreError> {
        match self.parts.store.payment_by_receipt(receipt).await? {
            Some(id) => Ok(self.parts.store.payment(id).await?.map(|kept| kept.value)),
            None => Ok(None),
        }
    }

    /// The latest reversal of a receipt that moved its money, or may have, or may yet.
    async fn reversal_of(
        &self,
        receipt: &Receipt,
    ) -> Result<Option<(InquiryId, Status)>, StoreError> {
        let mut query = InquiryQuery { descending: true, ..InquiryQuery::all(PAGE_LEN_MAX) };
        for _ in 0..PAGES_MAX {
            let page = self.parts.store.inquiries(&query).await?;
            let reverses =
                |kind: &Kind| matches!(kind, Kind::Reversal(it) if it.receipt == *receipt);
            let found = page.rows.iter().map(|kept| &kept.value).find(|inquiry| {
                reverses(&inquiry.details.kind) && inquiry.status() != Status::Failed
            });
            if let Some(inquiry) = found {
                return Ok(Some((inquiry.details.id, inquiry.status())));
            }
            if page.next.is_none() {
                break;
            }
            query.after = page.next;
        }
        Ok(None)
    }
}
