//! Taking payouts in, and stopping them before they are sent.

use super::{Applied, Engine, NotApplied, Settings, trace};
use crate::domain::id::{AppId, EventId, OriginatorConversationId, PayoutId};
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::domain::payout::{
    Command, Details, Event, Forbidden, Metadata, Notice, Payout, Rail, Status,
};
use crate::domain::subject::Subject;
use crate::store::{Claim, Commit, CommitError, NewEvent, PayoutWrite, Standing};
use crate::telemetry::trace::Link;

/// A payout as a caller asks for it: every field parsed, none decided yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What is to be paid.
    pub amount: Amount,
    /// Who is to be paid.
    pub phone: Msisdn,
    /// Which kind of payment it is.
    pub command: Command,
    /// The caller's own reference.
    pub reference: String,
    /// M-Pesa's `Remark`.
    pub remarks: String,
    /// M-Pesa's `Occasion`.
    pub occasion: String,
    /// The caller's own notes.
    pub metadata: Metadata,
    /// Which way it goes.
    pub rail: Rail,
}

/// A payout that is on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// As it was when it was first answered.
    pub payout: Payout,
    /// Whether an earlier request with the same key made it.
    pub replayed: bool,
}

/// Why a payout was not taken. In each case nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The idempotency key came with another request before.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The rail is not set up.
    #[error("the rail {0} is not set up")]
    NoSuchRail(Rail),
    /// Too many writes are waiting.
    #[error("too many requests are waiting")]
    Busy,
    /// The store failed: it may or may not have been written, and the same request, sent again
    /// with the same key, finds out.
    #[error("the store failed: {0}")]
    Unavailable(String),
}

/// Why a payout was not cancelled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CancelError {
    /// There is none with this id that the caller may see.
    #[error("no such payout")]
    NotFound,
    /// It may not be cancelled any more.
    #[error("{0}")]
    Refused(Forbidden, Status),
    /// Too many writes are waiting.
    #[error("too many requests are waiting")]
    Busy,
    /// The store failed.
    #[error("the store failed: {0}")]
    Unavailable(String),
}

impl Engine {
    /// Takes a payout, once per key: it is on the disk when this returns. The worker finds it.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit(
        &self,
        app: AppId,
        key: &str,
        fingerprint: [u8; 32],
        draft: Draft,
    ) -> Result<Submitted, SubmitError> {
        self.submit_traced(app, (key, fingerprint), draft, None).await
    }

    /// The same, for a request that its caller traces: the payout's own trace is linked to that.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub async fn submit_traced(
        &self,
        app: AppId,
        (key, fingerprint): (&str, [u8; 32]),
        draft: Draft,
        link: Option<Link>,
    ) -> Result<Submitted, SubmitError> {
        let Some(track) = self.tracks.get(draft.rail) else {
            return Err(SubmitError::NoSuchRail(draft.rail));
        };
        let payout = self.new_payout(app, draft);
        let id = payout.details.id;
        let claim = Claim { app, key: key.to_owned(), fingerprint, made: id.into() };
        let event = NewEvent {
            id: EventId::from_bytes(self.parts.ids.fresh(payout.updated_at)),
            at: payout.updated_at,
            kind: Notice::Queued.as_str().to_owned(),
            app: Some(app),
            about: Some(id.into()),
            status: Some(Standing::Payout(payout.status())),
            says: "taken, on the disk, nothing sent".to_owned(),
            code: None,
            messages: vec![],
        };
        let commit = Commit {
            payouts: vec![PayoutWrite { payout: payout.clone(), expected_version: 0 }],
            claims: vec![claim],
            events: vec![event],
            ..Commit::default()
        };
        match self.commit(commit).await {
            Ok(_durable) => {
                self.tally.submitted.increment();
                trace::taken(&payout, link, self.parts.clock.now());
                track.outbox.offer(id);
                Ok(Submitted { payout, replayed: false })
            }
            Err(CommitError::Claimed(before)) if before.fingerprint == fingerprint => {
                self.replay(before.made).await
            }
            Err(CommitError::Claimed(_)) => Err(SubmitError::KeyReused),
            Err(CommitError::Full) => Err(SubmitError::Busy),
            Err(
                error @ (CommitError::Broken(_)
                | CommitError::Unfit(_)
                | CommitError::Conflict(_)
                | CommitError::Taken(..)
                | CommitError::CaseClosed(_)
                | CommitError::NoSuchCase(_)),
            ) => Err(SubmitError::Unavailable(error.to_string())),
        }
    }

    /// The first answer again. What was asked for never changes, so it can be made anew.
    async fn replay(&self, made: Subject) -> Result<Submitted, SubmitError> {
        let Subject::Payout(id) = made else {
            return Err(SubmitError::KeyReused);
        };
        let stored = self.parts.store.payout(id).await;
        match stored {
            Ok(Some(stored)) => {
                let payout = Payout::queued(stored.payout.details);
                Ok(Submitted { payout, replayed: true })
            }
            Ok(None) => Err(SubmitError::Unavailable(format!("payout {id} is missing"))),
            Err(error) => Err(SubmitError::Unavailable(error.to_string())),
        }
    }

    fn new_payout(&self, app: AppId, draft: Draft) -> Payout {
        let id = PayoutId::from_bytes(self.parts.ids.fresh(self.parts.clock.now()));
        let Settings { organisation, shortcode, .. } = &self.settings;
        let name = OriginatorConversationId::of(id, shortcode.as_str(), organisation);
        Payout::queued(Details {
            id,
            app,
            amount: draft.amount,
            phone: draft.phone,
            command: draft.command,
            reference: draft.reference,
            remarks: draft.remarks,
            occasion: draft.occasion,
            metadata: draft.metadata,
            rail: draft.rail,
            batch: None,
            originator_conversation_id: name,
            // Not the clock again: lists by time are ranges of ids.
            created_at: id.made_at(),
        })
    }

    /// Stops a payout before anything of it is taken by M-Pesa. `visible_to` limits it to one
    /// application's payouts.
    ///
    /// # Errors
    /// [`CancelError`].
    pub async fn cancel(
        &self,
        visible_to: Option<AppId>,
        id: PayoutId,
    ) -> Result<Payout, CancelError> {
        let stored = self.parts.store.payout(id).await;
        let stored = stored.map_err(|error| CancelError::Unavailable(error.to_string()))?;
        let seen = |app: AppId| visible_to.is_none_or(|only| only == app);
        let Some(stored) = stored.filter(|stored| seen(stored.payout.details.app)) else {
            return Err(CancelError::NotFound);
        };
        match self.apply(id, &Event::CancelAsked, vec![]).await {
            Ok(Applied::Moved { payout, .. }) => Ok(*payout),
            Ok(Applied::Forbidden(why)) => Err(CancelError::Refused(why, stored.payout.status())),
            Ok(Applied::Noted | Applied::Contradicted | Applied::Stale | Applied::Parked) => {
                let why = Forbidden::SendingHasBegun;
                Err(CancelError::Refused(why, stored.payout.status()))
            }
            Err(NotApplied::NoSuchPayout) => Err(CancelError::NotFound),
            Err(NotApplied::Busy) => Err(CancelError::Busy),
            Err(NotApplied::Store(why)) => Err(CancelError::Unavailable(why)),
        }
    }
}
