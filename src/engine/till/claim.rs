//! Claiming: of all who ask, one may deliver for a payment.

use crate::domain::id::{AppId, PaymentId};
use crate::domain::payment::{Claim, Claiming, Notice, Payment, Status, claim, law};
use crate::engine::Engine;
use crate::store::{Commit, CommitError, Life, LifeWrite, StoreError};

/// How often a claim is decided on anew because the payment moved meanwhile.
const TRIES_MAX: u32 = 64;

/// Why a payment was not claimed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimError {
    /// There is none with this id that the caller may see.
    #[error("no such payment")]
    NotFound,
    /// Somebody has it.
    #[error("the payment is claimed already")]
    Taken(Claim),
    /// It is not paid.
    #[error("the payment is {0}: there is nothing to claim")]
    NotPaid(Status),
    /// Too many writes are waiting.
    #[error("too many requests are waiting")]
    Busy,
    /// The store failed: it may or may not have been claimed, and the same claim again finds out.
    #[error("the store failed: {0}")]
    Unavailable(String),
}

impl From<StoreError> for ClaimError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Engine {
    /// Claims a payment for an application: of any number of claims at once exactly one wins. The
    /// same claim again is answered as the first was.
    ///
    /// # Errors
    /// [`ClaimError`].
    pub async fn claim_payment(
        &self,
        app: AppId,
        sees_all: bool,
        id: PaymentId,
        purpose: &str,
    ) -> Result<Payment, ClaimError> {
        let mut id = id;
        for _ in 0..TRIES_MAX {
            let kept = self.parts.store.payment(id).await?.ok_or(ClaimError::NotFound)?;
            let owner = kept.value.details.app;
            if !(sees_all || owner.is_none_or(|owner| owner == app)) {
                return Err(ClaimError::NotFound);
            }
            if let crate::domain::payment::State::Joined { to, .. } = &kept.value.state {
                id = *to;
                continue;
            }
            let at = self.parts.clock.now();
            let wanted = Claim { app, purpose: purpose.to_owned(), at };
            let state = match claim(&kept.value, wanted.clone()) {
                Claiming::Now(state) => state,
                Claiming::Before(_) => return Ok(kept.value),
                Claiming::By(has) => return Err(ClaimError::Taken(has)),
                Claiming::NotPaid(status) => return Err(ClaimError::NotPaid(status)),
            };
            let after = Payment { state, updated_at: at, ..kept.value.clone() };
            if let Err(broken) = law::check_claim(&kept.value, &wanted, &after) {
                tracing::error!(payment = %id, %broken, "a claim would break a law");
                return Err(ClaimError::Unavailable(broken.to_string()));
            }
            let life = Life::Payment(after.clone());
            let says = (format!("claimed by {app}"), None);
            let event = self.event_of(&life, Notice::Claimed.as_str(), says, (&[], at));
            let commit = Commit {
                lives: vec![LifeWrite { life, expected_version: kept.version }],
                events: vec![event],
                ..Commit::default()
            };
            match self.commit(commit).await {
                Ok(_durable) => return Ok(after),
                Err(CommitError::Conflict(_)) => {}
                Err(CommitError::Full) => return Err(ClaimError::Busy),
                Err(error) => return Err(ClaimError::Unavailable(error.to_string())),
            }
        }
        Err(ClaimError::Busy)
    }
}
