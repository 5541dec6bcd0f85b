//! What M-Pesa sends: kept raw, then matched, then applied, in one commit (law 4).

use super::{Applied, Engine, NotApplied};
use crate::domain::id::{CaseId, ConversationId, MessageId, OriginatorConversationId, PayoutId};
use crate::domain::outcome::ResultClass;
use crate::domain::payout::{CaseKind, Event, ResultFacts};
use crate::store::{Case, Channel, Commit, Direction, Message, StoreError, Stored};

/// A message as it came.
#[derive(Debug)]
pub struct Incoming {
    /// What kind of message its path or body says it is.
    pub channel: Channel,
    /// Who sent it: the address.
    pub peer: Option<String>,
    /// Its bytes, as they shall be kept.
    pub body: Vec<u8>,
}

/// What was read in a message.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "made once per message and moved once")]
pub enum Heard {
    /// Something about a payout.
    Event {
        /// The OriginatorConversationID that it names.
        originator: Option<String>,
        /// The ConversationID that it names.
        conversation: Option<String>,
        /// What it says.
        event: Event,
    },
    /// It cannot be read; the words say why, without quoting it.
    Unreadable(String),
}

/// What became of a message. In every case it is on the disk, raw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// It moved its payout.
    Applied,
    /// It agrees with what was known, or says nothing new.
    Noted,
    /// It contradicts what was known: a case.
    Contradicted,
    /// It belongs to no payout: a case.
    Unmatched,
    /// It cannot be read: a case.
    Malformed,
}

impl Hearing {
    /// A word for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Noted => "noted",
            Self::Contradicted => "contradicted",
            Self::Unmatched => "unmatched",
            Self::Malformed => "malformed",
        }
    }
}

/// It could not be stored: it must not be acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the message could not be stored: {0}")]
pub struct NotKept(pub String);

impl Engine {
    /// Keeps a message of M-Pesa's and applies what it says. When this returns, it is on the disk.
    ///
    /// # Errors
    /// [`NotKept`]: nothing was stored, or nobody knows; do not acknowledge.
    pub async fn hear(&self, incoming: Incoming, heard: Heard) -> Result<Hearing, NotKept> {
        let now = self.parts.clock.now();
        let mut message = Message {
            id: MessageId::from_bytes(self.parts.ids.fresh(now)),
            at: now,
            direction: Direction::In,
            channel: incoming.channel,
            peer: incoming.peer,
            http_status: None,
            payout: None,
            body: incoming.body,
        };
        let (originator, conversation, event) = match heard {
            Heard::Unreadable(why) => {
                let hearing = Hearing::Malformed;
                return self.keep(message, CaseKind::Malformed, why, hearing).await;
            }
            Heard::Event { originator, conversation, event } => (originator, conversation, event),
        };
        match self.whose(originator.as_deref(), conversation.as_deref()).await {
            Ok(Some(stored)) => {
                message.payout = Some(stored.payout.details.id);
                self.hear_about(stored, event, message).await
            }
            Ok(None) => {
                let why = "no payout of ours has the ids that it names".to_owned();
                self.keep(message, CaseKind::Unmatched, why, Hearing::Unmatched).await
            }
            // The message can be kept although its payout cannot be read.
            Err(StoreError::Damaged(what)) => {
                let why = format!("the payout that it names cannot be read: {what}");
                self.keep(message, CaseKind::Unmatched, why, Hearing::Unmatched).await
            }
            Err(error) => Err(NotKept(error.to_string())),
        }
    }

    async fn hear_about(
        &self,
        stored: Stored,
        mut event: Event,
        message: Message,
    ) -> Result<Hearing, NotKept> {
        if let Event::ResultArrived(facts) = &mut event {
            let checked = self.check_receipt(stored.payout.details.id, facts).await;
            checked.map_err(|error| NotKept(error.to_string()))?;
        }
        match self.apply_to(stored, &event, vec![message]).await {
            Ok(Applied::Moved { .. }) => Ok(Hearing::Applied),
            Ok(Applied::Noted | Applied::Stale | Applied::Forbidden(_)) => Ok(Hearing::Noted),
            Ok(Applied::Contradicted | Applied::Parked) => Ok(Hearing::Contradicted),
            Err(NotApplied::NoSuchPayout) => Err(NotKept("its payout has vanished".to_owned())),
            Err(error @ (NotApplied::Busy | NotApplied::Store(_))) => {
                Err(NotKept(error.to_string()))
            }
        }
    }

    /// M-Pesa gives each receipt once: one that paid another payout does not pay this one.
    async fn check_receipt(&self, id: PayoutId, facts: &mut ResultFacts) -> Result<(), StoreError> {
        let Some(receipt) = facts.receipt.as_ref().filter(|_| facts.class() == ResultClass::Paid)
        else {
            return Ok(());
        };
        let paid = self.parts.store.payout_by_receipt(receipt).await?;
        if paid.is_some_and(|other| other != id) {
            facts.odd = Some("its receipt is that of another payout".to_owned());
        }
        Ok(())
    }

    /// Which payout a message is about: by OriginatorConversationID, or, where it names none, by
    /// ConversationID (spec/soap.md §10, 4). A foreign OriginatorConversationID is never ours.
    async fn whose(
        &self,
        originator: Option<&str>,
        conversation: Option<&str>,
    ) -> Result<Option<Stored>, StoreError> {
        let named = |text: Option<&str>| text.map(str::trim).unwrap_or_default().to_owned();
        let originator = named(originator);
        if !originator.is_empty() {
            let Some(id) = OriginatorConversationId::payout_in(&originator) else {
                return Ok(None);
            };
            let stored = self.parts.store.payout(id).await?;
            return Ok(stored.filter(|stored| {
                stored.payout.details.originator_conversation_id.as_str() == originator
            }));
        }
        let Some(conversation) = ConversationId::new(&named(conversation)) else {
            return Ok(None);
        };
        match self.parts.store.payout_by_conversation(&conversation).await? {
            Some(id) => self.parts.store.payout(id).await,
            None => Ok(None),
        }
    }

    /// Keeps a message that moves nothing, with a case that shows it to a person.
    async fn keep(
        &self,
        message: Message,
        kind: CaseKind,
        says: String,
        hearing: Hearing,
    ) -> Result<Hearing, NotKept> {
        tracing::warn!(kept = %message.id, kind = kind.as_str(), says,
            "kept a message that moves nothing; a person must look");
        let case = Case {
            id: CaseId::from_bytes(self.parts.ids.fresh(message.at)),
            at: message.at,
            kind,
            payout: None,
            app: None,
            says,
            messages: vec![message.id],
            closed: None,
        };
        let commit = Commit { messages: vec![message], cases: vec![case], ..Commit::default() };
        match self.commit(commit).await {
            Ok(_durable) => Ok(hearing),
            Err(error) => Err(NotKept(error.to_string())),
        }
    }
}
