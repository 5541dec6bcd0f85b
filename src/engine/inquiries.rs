//! Inquiries: taken, heard of, polled.

use super::audit::{Act, Actor, Deed, Signed};
use super::errand::Errand;
use super::lives::Came;
use super::{Engine, Hearing, Incoming, NotApplied, NotKept};
use crate::domain::id::{AppId, InquiryId, OriginatorConversationId};
use crate::domain::inquiry::{
    Details, Event, Forbidden, Inquiry, Kind, Notice, ResultFacts, Status,
};
use crate::domain::party::ShortCode;
use crate::domain::payout::{CaseKind, InquiryAnswer, Rail, Ruling};
use crate::domain::subject::Subject;
use crate::store::{Claim, Commit, CommitError, Life, LifeWrite, Remembered, StoreError};

/// An inquiry as a caller asks for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InquiryDraft {
    /// What is asked, every field parsed.
    pub kind: Kind,
    /// Which way it goes.
    pub rail: Rail,
    /// Our number that it is about.
    pub shortcode: ShortCode,
}

/// An inquiry that is on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InquiryTaken {
    /// As it was when it was first answered.
    pub inquiry: Inquiry,
    /// Whether an earlier request with the same key made it.
    pub replayed: bool,
}

/// Why an inquiry was not taken. In each case nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotTaken {
    /// The idempotency key came with another request before.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// There is no way to ask M-Pesa.
    #[error("it is not set up")]
    NotSetUp,
    /// Too many writes are waiting.
    #[error("too many requests are waiting")]
    Busy,
    /// The store failed: it may or may not have been written.
    #[error("the store failed: {0}")]
    Unavailable(String),
}

/// Why M-Pesa was not asked about an inquiry, or a ruling not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InquiryError {
    /// There is none with this id that the caller may see.
    #[error("no such inquiry")]
    NotFound,
    /// It may not be done now.
    #[error("{0}")]
    Refused(Forbidden, Status),
    /// Too many writes are waiting.
    #[error("too many requests are waiting")]
    Busy,
    /// The store failed.
    #[error("the store failed: {0}")]
    Unavailable(String),
}

impl From<NotApplied> for InquiryError {
    fn from(error: NotApplied) -> Self {
        match error {
            NotApplied::NoSuchPayout => Self::NotFound,
            NotApplied::Busy => Self::Busy,
            NotApplied::Store(why) => Self::Unavailable(why),
        }
    }
}

impl From<StoreError> for NotTaken {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Engine {
    /// Takes an inquiry, once per key where there is one: it is on the disk when this returns.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub async fn take_inquiry(
        &self,
        app: Option<AppId>,
        key: Option<(&str, [u8; 32])>,
        draft: InquiryDraft,
    ) -> Result<InquiryTaken, NotTaken> {
        if self.counter_of(draft.rail).is_none() {
            return Err(NotTaken::NotSetUp);
        }
        let id = InquiryId::from_bytes(self.parts.ids.fresh(self.parts.clock.now()));
        let inquiry = Inquiry::queued(Details {
            id,
            app,
            kind: draft.kind,
            rail: draft.rail,
            shortcode: draft.shortcode,
            created_at: id.made_at(),
        });
        let life = Life::Inquiry(inquiry.clone());
        let says = ("taken, on the disk, nothing sent".to_owned(), None);
        let event = self.event_of(&life, Notice::Queued.as_str(), says, (&[], inquiry.updated_at));
        let claims = app.zip(key).map(|(app, (key, fingerprint))| Claim {
            app,
            key: key.to_owned(),
            fingerprint,
            made: id.into(),
        });
        let commit = Commit {
            lives: vec![LifeWrite { life, expected_version: 0 }],
            claims: claims.into_iter().collect(),
            events: vec![event],
            ..Commit::default()
        };
        match self.commit(commit).await {
            Ok(_durable) => {
                self.offer(id.into());
                Ok(InquiryTaken { inquiry, replayed: false })
            }
            Err(CommitError::Claimed(before)) => self.taken_before(&before, key).await,
            Err(CommitError::Full) => Err(NotTaken::Busy),
            Err(error) => Err(NotTaken::Unavailable(error.to_string())),
        }
    }

    pub(super) async fn taken_before(
        &self,
        before: &Remembered,
        key: Option<(&str, [u8; 32])>,
    ) -> Result<InquiryTaken, NotTaken> {
        let same = key.is_some_and(|(_key, fingerprint)| fingerprint == before.fingerprint);
        let Subject::Inquiry(id) = before.made else {
            return Err(NotTaken::KeyReused);
        };
        if !same {
            return Err(NotTaken::KeyReused);
        }
        match self.parts.store.inquiry(id).await? {
            Some(kept) => {
                Ok(InquiryTaken { inquiry: Inquiry::queued(kept.value.details), replayed: true })
            }
            None => Err(NotTaken::Unavailable(format!("inquiry {id} is missing"))),
        }
    }

    /// Keeps M-Pesa's result of an inquiry, or of question `nth` about one, and applies it. When
    /// this returns, it is on the disk.
    ///
    /// # Errors
    /// [`NotKept`]: nothing was stored, or nobody knows; do not acknowledge.
    pub async fn hear_inquiry(
        &self,
        incoming: Incoming,
        id: InquiryId,
        nth: Option<u32>,
        facts: ResultFacts,
    ) -> Result<Hearing, NotKept> {
        if nth.is_none() && self.names_a_payout(id, &facts).await? {
            let message = self.came_in(incoming);
            let why = "its address names an inquiry, and its ids a payout".to_owned();
            return self.keep(message, CaseKind::Mismatch, why, Hearing::Contradicted).await;
        }
        let event = match nth {
            None => Event::ResultArrived(facts),
            Some(_) => Event::QuestionAnswered(InquiryAnswer {
                nth,
                code: facts.code,
                description: facts.description,
                waiting: facts.waiting,
                payment: facts.status,
            }),
        };
        self.hear_of_inquiry(incoming, id, event).await
    }

    /// Whether a result at the address of an inquiry has the name of a payout of ours. Where the
    /// inquiry asked how a transaction stands, that name is what was asked about
    /// (spec/daraja.md §2.3).
    async fn names_a_payout(&self, id: InquiryId, facts: &ResultFacts) -> Result<bool, NotKept> {
        let not_read = |error: StoreError| NotKept(error.to_string());
        let Some(name) = &facts.names.originator else {
            return Ok(false);
        };
        let Some(payout) = OriginatorConversationId::payout_in(name.as_str()) else {
            return Ok(false);
        };
        let Some(stored) = self.parts.store.payout(payout).await.map_err(not_read)? else {
            return Ok(false);
        };
        let ours = &stored.payout.details.originator_conversation_id;
        if ours.as_str() != name.as_str() && ours.question_in(name.as_str()).is_none() {
            return Ok(false);
        }
        let inquiry = self.parts.store.inquiry(id).await.map_err(not_read)?;
        Ok(inquiry.is_some_and(|it| !matches!(it.value.details.kind, Kind::TransactionStatus(_))))
    }

    /// Keeps M-Pesa's word that it gave up on a request, and applies it.
    ///
    /// # Errors
    /// [`NotKept`].
    pub async fn hear_inquiry_timeout(
        &self,
        incoming: Incoming,
        id: InquiryId,
        nth: Option<u32>,
    ) -> Result<Hearing, NotKept> {
        let event = nth.map_or(Event::QueueTimedOut, |nth| Event::QuestionNotSent { nth });
        self.hear_of_inquiry(incoming, id, event).await
    }

    async fn hear_of_inquiry(
        &self,
        incoming: Incoming,
        id: InquiryId,
        event: Event,
    ) -> Result<Hearing, NotKept> {
        let mut message = self.came_in(incoming);
        message.about = Some(id.into());
        let applied = self.apply_life::<Inquiry>(id, &event, std::slice::from_ref(&message)).await;
        match applied {
            Ok(Came::Moved { .. }) => Ok(Hearing::Applied),
            Ok(Came::Noted | Came::Stale | Came::Forbidden(_)) => Ok(Hearing::Noted),
            Ok(Came::Contradicted) => Ok(Hearing::Contradicted),
            Err(NotApplied::NoSuchPayout) => {
                message.about = None;
                let why = "no inquiry of ours has the id that its address names".to_owned();
                self.keep(message, CaseKind::Unmatched, why, Hearing::Unmatched).await
            }
            Err(error @ (NotApplied::Busy | NotApplied::Store(_))) => {
                Err(NotKept(error.to_string()))
            }
        }
    }

    /// A named person's ruling on an inquiry in doubt; `sees` limits it to one application's.
    ///
    /// # Errors
    /// [`InquiryError`].
    pub async fn rule_on_inquiry(
        &self,
        sees: Option<AppId>,
        id: InquiryId,
        ruling: impl Into<Signed<Ruling>>,
    ) -> Result<Inquiry, InquiryError> {
        let signed = ruling.into();
        let actor = signed.actor(&signed.ruling.by);
        let ruling = signed.ruling;
        let act = Act {
            deed: Deed::InquiryResolved,
            what: format!("inquiry {id} ruled on, because {:?}", ruling.reason),
            before: "unknown".to_owned(),
            after: if ruling.receipt.is_some() { "done" } else { "not done" }.to_owned(),
        };
        self.on_inquiry(sees, id, &Event::Ruled(ruling), Some((&actor, &act))).await
    }

    /// Has M-Pesa asked now what became of an inquiry in doubt.
    ///
    /// # Errors
    /// [`InquiryError`].
    pub async fn ask_of_inquiry_now(
        &self,
        sees: Option<AppId>,
        id: InquiryId,
    ) -> Result<Inquiry, InquiryError> {
        let inquiry = self.on_inquiry(sees, id, &Event::AskWanted, None).await?;
        self.offer_to(Errand::Inquiries, id.into());
        Ok(inquiry)
    }

    async fn on_inquiry(
        &self,
        sees: Option<AppId>,
        id: InquiryId,
        event: &Event,
        by: Option<(&Actor, &Act)>,
    ) -> Result<Inquiry, InquiryError> {
        let found = self.parts.store.inquiry(id).await;
        let found = found.map_err(|error| InquiryError::Unavailable(error.to_string()))?;
        let seen = found
            .map(|kept| kept.value)
            .filter(|inquiry| sees.is_none_or(|app| inquiry.details.app == Some(app)));
        let before = seen.ok_or(InquiryError::NotFound)?;
        match self.apply_life_by::<Inquiry>(id, event, &[], by).await? {
            Came::Moved { life, .. } => Ok(*life),
            Came::Noted | Came::Contradicted | Came::Stale => Ok(before),
            Came::Forbidden(why) => Err(InquiryError::Refused(why, before.status())),
        }
    }
}
