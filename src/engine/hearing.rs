//! What M-Pesa sends: kept raw, then matched, then applied, in one commit (law 4).

use super::{Applied, Engine, NotApplied};
use crate::domain::id::{CaseId, ConversationId, MessageId, OriginatorConversationId, PayoutId};
use crate::domain::outcome::{self, QueryClass, ResultClass};
use crate::domain::payout::{
    CaseKind, Event, InquiryAnswer, InquiryFacts, Payout, ResultFacts, State, TransactionStatus,
};
use crate::domain::time::Timestamp;
use crate::store::{Case, Channel, Commit, Direction, Message, StoreError, Stored};
use crate::telemetry::metric;

/// A message as it came.
#[derive(Debug)]
pub struct Incoming {
    /// What kind of message its path or body says it is.
    pub channel: Channel,
    /// Who sent it: the address.
    pub peer: Option<String>,
    /// Whose certificate he showed, where the connection is encrypted.
    pub certificate: Option<String>,
    /// Its bytes, as they shall be kept.
    pub body: Vec<u8>,
}

/// What was read in a message.
#[derive(Debug)]
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
    /// A result: of a payout, or of a question about one. Its name says which.
    Result {
        /// The OriginatorConversationID that it names.
        originator: Option<String>,
        /// The ConversationID that it names.
        conversation: Option<String>,
        /// What it says of what it is the result of.
        facts: ResultFacts,
        /// What it says of the payment that a question was about: only a status query's result
        /// has it.
        status: Option<InquiryFacts>,
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
        self.hear_at(incoming, None, heard).await
    }

    /// As [`Engine::hear`], for a message whose address says what it is about: it needs no ids
    /// then, but those of ours that it names must not be another's.
    ///
    /// # Errors
    /// As [`Engine::hear`].
    pub async fn hear_at(
        &self,
        incoming: Incoming,
        address: Option<(PayoutId, Option<u32>)>,
        heard: Heard,
    ) -> Result<Hearing, NotKept> {
        let now = self.parts.clock.now();
        let mut message = Message {
            id: MessageId::from_bytes(self.parts.ids.fresh(now)),
            at: now,
            direction: Direction::In,
            channel: incoming.channel,
            peer: incoming.peer,
            certificate: incoming.certificate,
            http_status: None,
            about: None,
            body: incoming.body,
        };
        let (originator, conversation, said) = match heard {
            Heard::Unreadable(why) => {
                let hearing = Hearing::Malformed;
                return self.keep(message, CaseKind::Malformed, why, hearing).await;
            }
            Heard::Event { originator, conversation, event } => {
                (originator, conversation, Said::Event(event))
            }
            Heard::Result { originator, conversation, facts, status } => {
                (originator, conversation, Said::Result(facts, status))
            }
        };
        match self.named(address, originator.as_deref(), conversation.as_deref()).await {
            Ok(Named::One(stored, nth)) => {
                let stored = *stored;
                message.about = Some(stored.payout.details.id.into());
                if nth.is_some() && message.channel == Channel::Result {
                    message.channel = Channel::StatusResult;
                }
                self.hear_about(stored, said.about(nth), message).await
            }
            Ok(Named::Nobody) => {
                let why = "no payout of ours has the ids that it names".to_owned();
                self.keep(message, CaseKind::Unmatched, why, Hearing::Unmatched).await
            }
            Ok(Named::Several) => {
                let why = "its address and its ids name two things".to_owned();
                self.keep(message, CaseKind::Mismatch, why, Hearing::Contradicted).await
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
        let (id, rail) = (stored.payout.details.id, stored.payout.details.rail);
        let mut proof = None;
        if let Event::ResultArrived(facts) = &event {
            proof = sent_at(&stored.payout).filter(|_| takes_credential(&facts.code));
        }
        if let Event::InquiryAnswered(answer) = &event {
            metric::INQUIRIES.with([word(answer)]).increment();
            let asked_at = asked_at(&stored.payout, answer.nth);
            proof = asked_at.filter(|_| takes_credential(&answer.code));
        }
        let checked = self.check_receipt(id, &mut event).await;
        checked.map_err(|error| NotKept(error.to_string()))?;
        let applied = self.apply_to(stored, &event, vec![message]).await;
        if let (Ok(_kept), Some(sent_at), Some(track)) = (&applied, proof, self.tracks.get(rail)) {
            track.gate.prove_by(sent_at);
        }
        match applied {
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
    async fn check_receipt(&self, id: PayoutId, event: &mut Event) -> Result<(), StoreError> {
        let (receipt, odd) = if let Event::ResultArrived(facts) = event
            && facts.class() == ResultClass::Paid
        {
            (facts.receipt.as_ref(), &mut facts.odd)
        } else if let Event::InquiryAnswered(InquiryAnswer { payment: Some(facts), .. }) = event {
            (facts.receipt.as_ref(), &mut facts.odd)
        } else {
            return Ok(());
        };
        let Some(receipt) = receipt else {
            return Ok(());
        };
        let paid = self.parts.store.payout_by_receipt(receipt).await?;
        if paid.is_some_and(|other| other != id) {
            *odd = Some("its receipt is that of another payout".to_owned());
        }
        Ok(())
    }

    /// What a message is about: by its address where that says so, else by its ids. A status
    /// result may name the transaction that was asked about in place of the question
    /// (spec/daraja.md §2.3).
    async fn named(
        &self,
        address: Option<(PayoutId, Option<u32>)>,
        originator: Option<&str>,
        conversation: Option<&str>,
    ) -> Result<Named, StoreError> {
        let told = match self.whose(originator, conversation).await? {
            // Daraja's own making in place of ours: M-Pesa's name may still say more.
            None if address.is_some() => self.whose(None, conversation).await?,
            told => told,
        };
        let Some((id, nth)) = address else {
            return Ok(told.map_or(Named::Nobody, |(stored, nth)| Named::One(stored.into(), nth)));
        };
        match told {
            Some((stored, told)) => {
                let fits = stored.payout.details.id == id && told.is_none_or(|it| nth == Some(it));
                Ok(if fits { Named::One(stored.into(), nth) } else { Named::Several })
            }
            None => {
                let stored = self.parts.store.payout(id).await?;
                Ok(stored.map_or(Named::Nobody, |stored| Named::One(stored.into(), nth)))
            }
        }
    }

    /// Which payout a message is about: by OriginatorConversationID, or, where it names none, by
    /// ConversationID (spec/soap.md §10, 4). A foreign OriginatorConversationID is never ours.
    /// With it, the number of the question that the name is of, if it is a question's.
    async fn whose(
        &self,
        originator: Option<&str>,
        conversation: Option<&str>,
    ) -> Result<Option<(Stored, Option<u32>)>, StoreError> {
        let named = |text: Option<&str>| text.map(str::trim).unwrap_or_default().to_owned();
        let originator = named(originator);
        if !originator.is_empty() {
            let Some(id) = OriginatorConversationId::payout_in(&originator) else {
                return Ok(None);
            };
            let stored = self.parts.store.payout(id).await?;
            return Ok(stored.and_then(|stored| {
                let name = &stored.payout.details.originator_conversation_id;
                if name.as_str() == originator {
                    return Some((stored, None));
                }
                let nth = name.question_in(&originator)?;
                Some((stored, Some(nth)))
            }));
        }
        let Some(conversation) = ConversationId::new(&named(conversation)) else {
            return Ok(None);
        };
        match self.parts.store.payout_by_conversation(&conversation).await? {
            Some(id) => Ok(self.parts.store.payout(id).await?.map(|stored| (stored, None))),
            None => Ok(None),
        }
    }

    /// Keeps a message that moves nothing, with a case that shows it to a person.
    pub(super) async fn keep(
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
            about: None,
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

/// What a message is about.
enum Named {
    /// This payout, or this question about it.
    One(Box<Stored>, Option<u32>),
    /// No payout of ours.
    Nobody,
    /// One by its address and another by its ids.
    Several,
}

/// What a message says, before it is known whether it is about a payout or a question.
enum Said {
    Event(Event),
    Result(ResultFacts, Option<InquiryFacts>),
}

impl Said {
    /// The event that it is: about the payout itself, or about question `nth`. A result that
    /// speaks of a transaction's status is an answer to a question, whatever its name: its own
    /// code says nothing about the payment (law 6).
    fn about(self, nth: Option<u32>) -> Event {
        let (facts, status) = match self {
            Self::Event(Event::ResultArrived(facts)) => (facts, None),
            Self::Event(Event::QueueTimedOut) => {
                return nth
                    .map_or(Event::QueueTimedOut, |nth| Event::InquiryNotSent { nth, why: None });
            }
            Self::Event(event) => return event,
            Self::Result(facts, status) => (facts, status),
        };
        if nth.is_none() && status.is_none() {
            return Event::ResultArrived(facts);
        }
        let ResultFacts { code, description, waiting, .. } = facts;
        Event::InquiryAnswered(InquiryAnswer { nth, code, description, waiting, payment: status })
    }
}

/// Whether a result with this code shows that M-Pesa takes our credentials.
fn takes_credential(code: &str) -> bool {
    !outcome::result(code).blame.stops_the_rail()
}

/// When the send began that a result may be about.
const fn sent_at(payout: &Payout) -> Option<Timestamp> {
    match &payout.state {
        State::Sending { tries, .. }
        | State::Accepted { tries, .. }
        | State::Unknown { tries, .. } => tries.sent_at,
        State::AwaitingApproval { .. }
        | State::Queued { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Cancelled { .. } => None,
    }
}

/// When the last question was put, if it is this one.
fn asked_at(payout: &Payout, nth: Option<u32>) -> Option<Timestamp> {
    match &payout.state {
        State::Unknown { inquiry, .. } => {
            inquiry.last.filter(|last| Some(last.nth) == nth).map(|last| last.at)
        }
        State::AwaitingApproval { .. }
        | State::Queued { .. }
        | State::Sending { .. }
        | State::Accepted { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Cancelled { .. } => None,
    }
}

/// The metric's word for what an answer says.
fn word(answer: &InquiryAnswer) -> &'static str {
    match (answer.class(), answer.payment.as_ref().map(|facts| &facts.status)) {
        (QueryClass::Answered, Some(TransactionStatus::Completed)) => "completed",
        (
            QueryClass::Answered,
            Some(
                TransactionStatus::Cancelled
                | TransactionStatus::Declined
                | TransactionStatus::Expired,
            ),
        ) => "not_paid",
        (QueryClass::Answered, _) => "pending",
        (QueryClass::NotFound, _) => "not_found",
        (QueryClass::Unanswered, _) => "unanswered",
    }
}
