//! One event, one commit: read, decide, check the laws, write if nothing moved meanwhile.

use super::audit::{Act, Actor};
use super::{Engine, trace};
use crate::domain::id::{CaseId, EventId, PayoutId};
use crate::domain::outcome::QueryClass;
use crate::domain::payout::{
    CaseKind, Effect, Event, Forbidden, Notice, Payout, Rail, State, Verdict, law, step,
};
use crate::domain::text::{Occasion, Values};
use crate::domain::time::Timestamp;
use crate::store::{
    Case, Commit, CommitError, Direction, Durable, LifeWrite, Message, NewEvent, PayoutWrite,
    Standing, StoreError, Stored,
};

/// How often a decision is taken anew because the payout moved meanwhile. Two or three parties can
/// touch one payout at a time; more than this is a fault.
const DECISIONS_MAX: u32 = 32;

/// What an event did.
#[derive(Debug)]
pub enum Applied {
    /// The payout moved, and that is durable.
    Moved {
        /// As it stands now.
        payout: Box<Payout>,
        /// Proof that it is on the disk.
        proof: Durable,
    },
    /// Recorded; it changed nothing.
    Noted,
    /// Recorded, with a case; it changed nothing.
    Contradicted,
    /// Overtaken; nothing to record.
    Stale,
    /// It may not be done.
    Forbidden(Forbidden),
    /// The step would have broken a law: it was not taken, and a person is called.
    Parked,
}

/// Why an event could not be applied. Nothing was written, or nobody knows (`Store`).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotApplied {
    /// There is no such payout.
    #[error("no such payout")]
    NoSuchPayout,
    /// Too many writes are waiting.
    #[error("too many writes are waiting")]
    Busy,
    /// The store failed.
    #[error("{0}")]
    Store(String),
}

impl From<StoreError> for NotApplied {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

/// One event that happens to one payout, with its evidence.
struct Turn<'a> {
    engine: &'a Engine,
    stored: Stored,
    event: &'a Event,
    messages: &'a [Message],
    now: Timestamp,
}

/// What is to be written about it, and what follows when it is.
struct Decision {
    /// Nothing, where there is nothing to keep.
    commit: Option<Commit>,
    effects: Vec<Effect>,
    came_to: CameTo,
}

/// What it came to, once that is on the disk.
pub(super) enum CameTo {
    Moved(Box<Payout>),
    Noted,
    Contradicted,
    Stale,
    Forbidden(Forbidden),
    Parked,
}

impl Engine {
    /// Applies `event` to a payout; `messages` belong to it. Those that came from M-Pesa are
    /// written whatever the event does, those that go to it only if it moves the payout.
    pub(super) async fn apply(
        &self,
        id: PayoutId,
        event: &Event,
        messages: Vec<Message>,
    ) -> Result<Applied, NotApplied> {
        let stored = self.stored(id).await?;
        self.apply_to(stored, event, messages).await
    }

    pub(super) async fn stored(&self, id: PayoutId) -> Result<Stored, NotApplied> {
        self.parts.store.payout(id).await?.ok_or(NotApplied::NoSuchPayout)
    }

    /// As [`Engine::apply`], to a payout that was read a moment ago. If it has moved since, the
    /// store refuses what was decided, and it is read again.
    pub(super) async fn apply_to(
        &self,
        stored: Stored,
        event: &Event,
        messages: Vec<Message>,
    ) -> Result<Applied, NotApplied> {
        self.apply_by(stored, event, messages, None).await
    }

    /// As [`Engine::apply_to`]; if the payout moves, that is recorded as somebody's administrative
    /// act.
    pub(super) async fn apply_by(
        &self,
        stored: Stored,
        event: &Event,
        messages: Vec<Message>,
        by: Option<(&Actor, &Act)>,
    ) -> Result<Applied, NotApplied> {
        let (id, rail) = (stored.payout.details.id, stored.payout.details.rail);
        let mut stored = stored;
        for _ in 0..DECISIONS_MAX {
            let now = self.parts.clock.now();
            let before = trace::is_wanted(&stored.payout).then(|| stored.payout.clone());
            let turn = Turn { engine: self, stored, event, messages: &messages, now };
            let Decision { commit, effects, came_to } = turn.decide();
            let Some(mut commit) = commit else {
                return Ok(came_to.without_writing());
            };
            let by = by.filter(|_act| matches!(came_to, CameTo::Moved(_)));
            commit.events.extend(by.map(|(actor, act)| self.audited(actor, act, now)));
            let texts: Vec<_> = commit.lives.iter().map(|write| write.life.subject()).collect();
            match self.commit(commit).await {
                Ok(proof) => {
                    for text in texts {
                        self.offer(text);
                    }
                    self.perform((id, rail), &effects, now);
                    self.tally.count(&came_to);
                    by.iter().for_each(|(actor, act)| act.done(actor));
                    if let Some(before) = before {
                        trace::step(&before, event, came_to.moved(), now);
                    }
                    return Ok(came_to.written(proof));
                }
                Err(CommitError::Conflict(_)) => stored = self.stored(id).await?,
                Err(CommitError::Full) => return Err(NotApplied::Busy),
                Err(
                    error @ (CommitError::Broken(_)
                    | CommitError::Unfit(_)
                    | CommitError::Claimed(_)
                    | CommitError::Taken(..)
                    | CommitError::CaseClosed(_)
                    | CommitError::NoSuchCase(_)),
                ) => return Err(NotApplied::Store(error.to_string())),
            }
        }
        Err(NotApplied::Busy)
    }

    /// A text message to whom a payout reached, if there is a template for it.
    fn tell_payee(&self, payout: &Payout, now: Timestamp) -> Option<(LifeWrite, NewEvent)> {
        let State::Succeeded { receipt, recipient_name, .. } = &payout.state else {
            return None;
        };
        let details = &payout.details;
        let values = Values {
            name: recipient_name.as_ref(),
            amount: details.amount,
            account: &details.reference,
            receipt: Some(receipt.as_str()),
            shortcode: self.settings.shortcode.as_str(),
            at: now,
        };
        let about = (details.id.into(), Some(details.app), details.phone);
        self.text_to(about, Occasion::PayoutSucceeded, &values, now)
    }

    /// What follows from a step that is on the disk. Sending and asking are the worker's and the
    /// inquirer's, who hold the proof.
    fn perform(&self, (id, rail): (PayoutId, Rail), effects: &[Effect], now: Timestamp) {
        let track = self.tracks.get(rail);
        for effect in effects {
            match effect {
                Effect::WakeAt(at) | Effect::Inquire { at } => self.timers.add(*at, id),
                Effect::StopRail { code } => {
                    tracing::error!(payout = %id, code, "M-Pesa refused our credentials: sending \
                        stops before it locks the operator. Queued payouts wait; nothing is lost. \
                        Mend the credentials, then resume the rail");
                    self.tracks.stop(rail, code, now);
                }
                Effect::SlowRail { code } => {
                    tracing::warn!(payout = %id, code, "M-Pesa is too busy: sending slows down");
                    track.inspect(|track| track.gate.slow(now));
                }
                Effect::Transmit { .. }
                | Effect::Ask { .. }
                | Effect::Announce(_)
                | Effect::OpenCase(_) => {}
            }
        }
    }
}

impl CameTo {
    /// The payout as it stands now, if it moved.
    fn moved(&self) -> Option<&Payout> {
        match self {
            Self::Moved(payout) => Some(payout),
            Self::Noted | Self::Contradicted | Self::Stale | Self::Forbidden(_) | Self::Parked => {
                None
            }
        }
    }

    fn written(self, proof: Durable) -> Applied {
        match self {
            Self::Moved(payout) => Applied::Moved { payout, proof },
            other @ (Self::Noted
            | Self::Contradicted
            | Self::Stale
            | Self::Forbidden(_)
            | Self::Parked) => other.without_writing(),
        }
    }

    fn without_writing(self) -> Applied {
        match self {
            // A move is always written; without its proof it is none.
            Self::Moved(_) | Self::Noted => Applied::Noted,
            Self::Contradicted => Applied::Contradicted,
            Self::Stale => Applied::Stale,
            Self::Forbidden(why) => Applied::Forbidden(why),
            Self::Parked => Applied::Parked,
        }
    }
}

impl Turn<'_> {
    /// What the domain says about the event, as a commit.
    fn decide(self) -> Decision {
        let before = &self.stored.payout;
        let id = before.details.id;
        match step(before, self.event, &self.engine.settings.policy, self.now) {
            Verdict::Moved { state, notice, effects } => {
                let updated_at = self.now.max(before.updated_at);
                let after = Payout { details: before.details.clone(), state, updated_at };
                match law::check(before, self.event, &after, &effects) {
                    Ok(()) => self.moves(after, notice, effects),
                    Err(broken) => {
                        tracing::error!(payout = %id, event = self.event.name(), %broken,
                            "a step would break a law and was not taken; a person must look");
                        let says = format!("{}: {broken}", self.event.name());
                        self.stays(CameTo::Parked, Some((CaseKind::LawBroken, says)))
                    }
                }
            }
            Verdict::Noted(why) => {
                tracing::debug!(payout = %id, event = self.event.name(), why, "noted");
                self.stays(CameTo::Noted, None)
            }
            Verdict::Contradicted(contradiction) => {
                tracing::warn!(payout = %id, event = self.event.name(), status = %before.status(),
                    says = contradiction.says,
                    "a contradiction changes nothing; a person must look");
                let case = (contradiction.kind, contradiction.says);
                self.stays(CameTo::Contradicted, Some(case))
            }
            // What M-Pesa said is kept whatever becomes of it. A request of ours that was not
            // begun is no evidence: it must not look as if it had gone.
            Verdict::Stale | Verdict::Forbidden(_) if self.holds_mpesas_word() => {
                self.stays(CameTo::Noted, None)
            }
            Verdict::Stale => Decision::nothing(CameTo::Stale),
            Verdict::Forbidden(why) => Decision::nothing(CameTo::Forbidden(why)),
        }
    }

    fn holds_mpesas_word(&self) -> bool {
        self.messages.iter().any(|message| message.direction == Direction::In)
    }

    fn moves(self, after: Payout, notice: Notice, effects: Vec<Effect>) -> Decision {
        tracing::info!(payout = %after.details.id, event = self.event.name(),
            status = %after.status(), attempt = after.state.attempts(), "payout moved");
        let (says, code) = said(self.event, &after.state);
        let cases = effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::OpenCase(kind) => Some(self.case(*kind, says.clone())),
                Effect::Transmit { .. }
                | Effect::WakeAt(_)
                | Effect::Inquire { .. }
                | Effect::Ask { .. }
                | Effect::Announce(_)
                | Effect::StopRail { .. }
                | Effect::SlowRail { .. } => None,
            })
            .collect();
        let event = self.feed(notice, &after, says, code);
        let told = self.engine.tell_payee(&after, self.now);
        let rails = effects
            .iter()
            .flat_map(|effect| match effect {
                Effect::StopRail { code } => {
                    self.engine.tracks.stop(after.details.rail, code, self.now)
                }
                Effect::Transmit { .. }
                | Effect::WakeAt(_)
                | Effect::Inquire { .. }
                | Effect::Ask { .. }
                | Effect::Announce(_)
                | Effect::OpenCase(_)
                | Effect::SlowRail { .. } => Vec::new(),
            })
            .collect();
        let mut commit = Commit { rails, ..self.commit(after.clone(), event, cases) };
        if let Some((write, event)) = told {
            commit.lives.push(write);
            commit.events.push(event);
        }
        Decision { commit: Some(commit), effects, came_to: CameTo::Moved(Box::new(after)) }
    }

    fn stays(self, came_to: CameTo, case: Option<(CaseKind, String)>) -> Decision {
        let payout = self.stored.payout.clone();
        let (says, code) = said(self.event, &payout.state);
        let (notice, says, cases) = match case {
            Some((kind, why)) => (Notice::Contradicted, why.clone(), vec![self.case(kind, why)]),
            None => (Notice::Noted, says, vec![]),
        };
        let event = self.feed(notice, &payout, says, code);
        Decision { commit: Some(self.commit(payout, event, cases)), effects: vec![], came_to }
    }

    fn commit(self, payout: Payout, event: NewEvent, cases: Vec<Case>) -> Commit {
        // Written even where it stays as it is: its version guards what was decided.
        let write = PayoutWrite { payout, expected_version: self.stored.version };
        Commit {
            payouts: vec![write],
            events: vec![event],
            messages: self.messages.to_vec(),
            cases,
            ..Commit::default()
        }
    }

    fn feed(
        &self,
        notice: Notice,
        payout: &Payout,
        says: String,
        code: Option<String>,
    ) -> NewEvent {
        NewEvent {
            id: EventId::from_bytes(self.engine.parts.ids.fresh(self.now)),
            at: self.now,
            kind: notice.as_str().to_owned(),
            app: Some(payout.details.app),
            about: Some(payout.details.id.into()),
            status: Some(Standing::Payout(payout.status())),
            says,
            code,
            messages: self.messages.iter().map(|message| message.id).collect(),
        }
    }

    fn case(&self, kind: CaseKind, says: String) -> Case {
        Case {
            id: CaseId::from_bytes(self.engine.parts.ids.fresh(self.now)),
            at: self.now,
            kind,
            about: Some(self.stored.payout.details.id.into()),
            app: Some(self.stored.payout.details.app),
            says,
            messages: self.messages.iter().map(|message| message.id).collect(),
            closed: None,
        }
    }
}

impl Decision {
    const fn nothing(came_to: CameTo) -> Self {
        Self { commit: None, effects: vec![], came_to }
    }
}

/// What an event says, in words without personal data, and M-Pesa's code if it has one.
fn said(event: &Event, state: &State) -> (String, Option<String>) {
    match event {
        Event::Answered { answer, .. } => {
            let words =
                if answer.description.is_empty() { "no words" } else { &answer.description };
            (format!("M-Pesa answered: {words}"), Some(answer.code.clone()))
        }
        Event::ResultArrived(facts) => {
            let words = if facts.description.is_empty() { "no words" } else { &facts.description };
            (format!("M-Pesa's result: {words}"), Some(facts.code.clone()))
        }
        Event::NothingSent { why, .. } => (format!("nothing was sent: {}", why.says()), None),
        Event::Unfit { why } => (format!("nothing was sent, and no money moved: {why}"), None),
        Event::NoAnswer { why, .. } => (format!("{}; money may have moved", why.says()), None),
        Event::Rejected { reason } => (format!("rejected: {reason}"), None),
        Event::Ruled(ruling) => (format!("ruled by {}: {}", ruling.by, ruling.reason), None),
        Event::SendStarted { .. } => (format!("send {} begins", state.attempts()), None),
        Event::LeaseLapsed { .. } => {
            ("the program stopped while it was sending; money may have moved".to_owned(), None)
        }
        Event::ResultOverdue => ("the result is overdue; money may have moved".to_owned(), None),
        Event::QueueTimedOut => ("the broker gave up on the request".to_owned(), None),
        Event::InquirySent => ("M-Pesa is asked what became of it".to_owned(), None),
        Event::AskWanted => ("M-Pesa is to be asked now".to_owned(), None),
        Event::InquiryReplied { answer, .. } => {
            let words =
                if answer.description.is_empty() { "no words" } else { &answer.description };
            (format!("M-Pesa answered the question: {words}"), Some(answer.code.clone()))
        }
        Event::InquiryNotSent { why: Some(why), .. } => {
            (format!("the question was not sent: {}", why.says()), None)
        }
        Event::InquiryNotSent { why: None, .. } => {
            ("the broker gave up on the question".to_owned(), None)
        }
        Event::InquiryAnswered(answer) => {
            let says = match (answer.class(), &answer.payment) {
                (QueryClass::Answered, Some(facts)) => {
                    format!("M-Pesa, asked about it, says: {}", facts.status.word())
                }
                _ => format!("M-Pesa, asked about it, says: {}", answer.description),
            };
            (says, Some(answer.code.clone()))
        }
        Event::Approved
        | Event::ApprovalExpired
        | Event::CancelAsked
        | Event::StatementShows(_) => (event.name().replace('_', " "), None),
    }
}
