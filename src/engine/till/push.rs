//! Taking a prompt: on the disk before anything is sent.

use std::time::Duration;

use super::life::LOOKED_AT_MAX;
use crate::domain::id::{AppId, PaymentId};
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::domain::payment::{self, Details, Origin, Payment, RetryAt, guard};
use crate::domain::payout::Rail;
use crate::domain::subject::Subject;
use crate::engine::Engine;
use crate::store::{Claim, Commit, CommitError, Life, LifeWrite, PaymentQuery};

/// When a phone is free again for which another prompt is being taken in.
const TAKEN_IN: Duration = Duration::from_secs(1);

/// A prompt as a caller asks for it: every field parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushDraft {
    /// How much.
    pub amount: Amount,
    /// Whose phone shows it.
    pub phone: Msisdn,
    /// What it is for; shown on the prompt.
    pub reference: String,
    /// More words, for M-Pesa.
    pub description: String,
}

/// A payment that is on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// As it was when it was first answered.
    pub payment: Payment,
    /// Whether an earlier request with the same key made it.
    pub replayed: bool,
}

/// Why a prompt was not taken. In each case nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// The idempotency key came with another request before.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Daraja is not set up.
    #[error("prompts are not set up")]
    NotSetUp,
    /// The phone cannot be prompted yet.
    #[error("{}", .0.why)]
    TooSoon(RetryAt),
    /// Too many writes are waiting.
    #[error("too many requests are waiting")]
    Busy,
    /// The store failed: it may or may not have been written.
    #[error("the store failed: {0}")]
    Unavailable(String),
}

impl From<crate::store::StoreError> for PushError {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Engine {
    /// Takes a prompt, once per key: it is on the disk when this returns.
    ///
    /// # Errors
    /// [`PushError`].
    pub async fn push(
        &self,
        app: AppId,
        key: &str,
        fingerprint: [u8; 32],
        draft: PushDraft,
    ) -> Result<Pushed, PushError> {
        if self.counter_of(Rail::Daraja).is_none() {
            return Err(PushError::NotSetUp);
        }
        // A used key answers first: who asks again must not be told that the phone is busy with
        // his own prompt.
        if let Some(before) = self.parts.store.claim(app, key).await? {
            return self.pushed_before(&before, fingerprint).await;
        }
        let now = self.parts.clock.now();
        let busy = RetryAt { at: now.after(TAKEN_IN), why: payment::TooSoon::Locked };
        let held = self.phones.hold(draft.phone).ok_or(PushError::TooSoon(busy))?;
        let latest = PaymentQuery {
            phone: Some(draft.phone),
            descending: true,
            ..PaymentQuery::all(LOOKED_AT_MAX)
        };
        let latest = self.parts.store.payments(&latest).await?;
        let earlier = latest.rows.iter().map(|kept| &kept.value);
        guard(draft.phone, draft.amount, earlier, now).map_err(PushError::TooSoon)?;
        let payment = self.new_prompt(app, draft);
        let id = payment.details.id;
        let life = Life::Payment(payment.clone());
        let says = ("taken, on the disk, nothing sent".to_owned(), None);
        let taken = payment::Notice::Taken.as_str();
        let event = self.event_of(&life, taken, says, (&[], payment.updated_at));
        let commit = Commit {
            lives: vec![LifeWrite { life, expected_version: 0 }],
            claims: vec![Claim { app, key: key.to_owned(), fingerprint, made: id.into() }],
            events: vec![event],
            ..Commit::default()
        };
        let written = self.commit(commit).await;
        drop(held);
        match written {
            Ok(_durable) => {
                self.offer(id.into());
                Ok(Pushed { payment, replayed: false })
            }
            Err(CommitError::Claimed(before)) => self.pushed_before(&before, fingerprint).await,
            Err(CommitError::Full) => Err(PushError::Busy),
            Err(error) => Err(PushError::Unavailable(error.to_string())),
        }
    }

    /// The first answer again. What was asked for never changes, so it can be made anew.
    async fn pushed_before(
        &self,
        before: &crate::store::Remembered,
        fingerprint: [u8; 32],
    ) -> Result<Pushed, PushError> {
        let Subject::Payment(id) = before.made else {
            return Err(PushError::KeyReused);
        };
        if before.fingerprint != fingerprint {
            return Err(PushError::KeyReused);
        }
        match self.parts.store.payment(id).await? {
            Some(kept) => {
                Ok(Pushed { payment: Payment::waiting(kept.value.details), replayed: true })
            }
            None => Err(PushError::Unavailable(format!("payment {id} is missing"))),
        }
    }

    fn new_prompt(&self, app: AppId, draft: PushDraft) -> Payment {
        let id = PaymentId::from_bytes(self.parts.ids.fresh(self.parts.clock.now()));
        Payment::waiting(Details {
            id,
            app: Some(app),
            origin: Origin::Stk { phone: draft.phone, description: draft.description },
            amount: draft.amount,
            shortcode: self.settings.till.shortcode.clone(),
            account: draft.reference.clone(),
            reference: draft.reference,
            // Not the clock again: lists by time are ranges of ids.
            created_at: id.made_at(),
        })
    }
}
