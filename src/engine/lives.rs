//! One event, one commit, for whatever has a life besides payouts: read, decide, check the laws,
//! write if nothing moved meanwhile.

use std::fmt;

use super::audit::{Act, Actor};
use super::{Engine, NotApplied, trace};
use crate::domain::id::{AppId, CaseId, EventId};
use crate::domain::payout::{CaseKind, Contradiction, Rail};
use crate::domain::subject::Subject;
use crate::domain::text::Occasion;
use crate::domain::time::Timestamp;
use crate::store::{
    Case, Commit, CommitError, Direction, Durable, Kept, Life, LifeWrite, Message, NewEvent,
    Pending, Store, StoreError,
};
use crate::telemetry::metric;

/// How often a decision is taken anew because it moved meanwhile.
const DECISIONS_MAX: u32 = 32;

/// Something with a life, as this room moves it.
pub(super) trait Lived: Clone + Send + Sync + Sized + 'static {
    /// Its kind of id.
    type Id: Copy + Into<Subject> + fmt::Display + Send + Sync + 'static;
    /// What can happen to it.
    type Event: Clone + Send + Sync + 'static;
    /// Why something may not be done to it.
    type Forbidden: Send + fmt::Display + 'static;

    /// The rail whose credentials and pace it shares.
    fn rail(&self) -> Rail;
    fn into_life(self) -> Life;
    fn read(store: &dyn Store, id: Self::Id)
    -> Pending<'_, Result<Option<Kept<Self>>, StoreError>>;
    /// What the domain says of the event.
    fn decide(&self, event: &Self::Event, engine: &Engine, now: Timestamp) -> Decided<Self>;
    /// The event with what it needs to know of the book as it stands now.
    fn ready<'a>(
        &'a self,
        _engine: &'a Engine,
        event: &'a Self::Event,
    ) -> Pending<'a, Result<Self::Event, StoreError>> {
        Box::pin(std::future::ready(Ok(event.clone())))
    }
    /// What else is written in the same commit.
    fn also<'a>(
        &'a self,
        _engine: &'a Engine,
        _follows: &'a Follows,
        _now: Timestamp,
    ) -> Pending<'a, Result<Also, StoreError>> {
        Box::pin(std::future::ready(Ok(Also::default())))
    }
    /// Whether nothing that may be the same money is to come into the book while the event is
    /// decided on and written.
    fn needs_quiet(_event: &Self::Event) -> bool {
        false
    }
    /// Whether what may not be done to it is to be done to something else: then its message is
    /// not kept here.
    fn is_of_another(_why: &Self::Forbidden) -> bool {
        false
    }
    fn name(event: &Self::Event) -> &'static str;
    /// What the event says, in words without personal data, and M-Pesa's code if it has one.
    fn says(event: &Self::Event) -> (String, Option<String>);
}

/// What the domain says of an event.
pub(super) enum Decided<L: Lived> {
    /// It moves.
    Moved { after: L, notice: &'static str, follows: Follows },
    /// It stays; that is recorded.
    Noted(&'static str),
    /// It stays, and a person must look.
    Contradicted(Contradiction),
    /// It stays; there is nothing to record.
    Stale,
    /// It may not be done.
    Forbidden(L::Forbidden),
    /// It would break a law.
    Broken(String),
}

/// What follows from a move.
#[derive(Debug, Default)]
pub(super) struct Follows {
    pub(super) wake: Vec<Timestamp>,
    pub(super) cases: Vec<CaseKind>,
    pub(super) stop: Option<String>,
    pub(super) slow: Option<String>,
    pub(super) texts: Vec<Occasion>,
    /// The C2B payment that is joined to it.
    pub(super) joins: Option<crate::domain::id::PaymentId>,
    /// What no text message gets past until a person mends it.
    pub(super) alarm: Option<String>,
}

/// What is written besides.
#[derive(Debug, Default)]
pub(super) struct Also {
    /// Before the life itself: what it takes over must be free.
    pub(super) lives: Vec<LifeWrite>,
    pub(super) events: Vec<NewEvent>,
    /// Text messages to be sent afterwards.
    pub(super) texts: Vec<crate::domain::id::TextId>,
}

/// What an event came to, once that is on the disk.
#[derive(Debug)]
pub(super) enum Came<L: Lived> {
    /// It moved.
    Moved { life: Box<L>, proof: Durable },
    /// It stays; recorded.
    Noted,
    /// It stays; recorded, with a case.
    Contradicted,
    /// Overtaken.
    Stale,
    /// It may not be done.
    Forbidden(L::Forbidden),
}

impl Engine {
    /// Applies `event`; `messages` belong to it. Those that came from M-Pesa are written whatever
    /// the event does, those that go to it only if it moves.
    pub(super) async fn apply_life<L: Lived>(
        &self,
        id: L::Id,
        event: &L::Event,
        messages: &[Message],
    ) -> Result<Came<L>, NotApplied> {
        self.apply_life_by(id, event, messages, None).await
    }

    /// As [`Engine::apply_life`]; if it moves, that is recorded as somebody's administrative act.
    pub(super) async fn apply_life_by<L: Lived>(
        &self,
        id: L::Id,
        event: &L::Event,
        messages: &[Message],
        by: Option<(&Actor, &Act)>,
    ) -> Result<Came<L>, NotApplied> {
        let mut texts = true;
        let _quiet = match L::needs_quiet(event) {
            true => Some(self.crossing.write().await),
            false => None,
        };
        for _ in 0..DECISIONS_MAX {
            let read = L::read(self.parts.store.as_ref(), id).await?;
            let kept = read.ok_or(NotApplied::NoSuchPayout)?;
            let event = kept.value.ready(self, event).await?;
            let turn = Turn { engine: self, id, kept, event: &event, messages, texts, by };
            match turn.take().await {
                Ok(came) => return Ok(came),
                Err(Again::Moved) => {}
                Err(Again::WithoutTexts) => texts = false,
                Err(Again::Never(why)) => return Err(why),
            }
        }
        Err(NotApplied::Busy)
    }

    /// An event of the feed about something.
    pub(super) fn event_of(
        &self,
        life: &Life,
        kind: &str,
        (says, code): (String, Option<String>),
        (messages, at): (&[Message], Timestamp),
    ) -> NewEvent {
        NewEvent {
            id: EventId::from_bytes(self.parts.ids.fresh(at)),
            at,
            kind: kind.to_owned(),
            app: life.app(),
            about: Some(life.subject()),
            status: Some(life.standing()),
            says,
            code,
            messages: messages.iter().map(|message| message.id).collect(),
        }
    }

    /// A case about something, or about nothing that is known.
    pub(super) fn case_of(
        &self,
        (about, app): (Option<Subject>, Option<AppId>),
        kind: CaseKind,
        says: String,
        (messages, at): (&[Message], Timestamp),
    ) -> Case {
        Case {
            id: CaseId::from_bytes(self.parts.ids.fresh(at)),
            at,
            kind,
            about,
            app,
            says,
            messages: messages.iter().map(|message| message.id).collect(),
            closed: None,
        }
    }
}

/// Why an event is to be decided on anew, or not.
enum Again {
    Moved,
    WithoutTexts,
    Never(NotApplied),
}

impl From<StoreError> for Again {
    fn from(error: StoreError) -> Self {
        Self::Never(error.into())
    }
}

/// One event that happens to one thing, with its evidence.
struct Turn<'a, L: Lived> {
    engine: &'a Engine,
    id: L::Id,
    kept: Kept<L>,
    event: &'a L::Event,
    messages: &'a [Message],
    texts: bool,
    /// Whose act it is, where it is an administrative one.
    by: Option<(&'a Actor, &'a Act)>,
}

impl<L: Lived> Turn<'_, L> {
    async fn take(self) -> Result<Came<L>, Again> {
        let now = self.engine.parts.clock.now();
        let (id, name) = (self.id, L::name(self.event));
        match self.kept.value.decide(self.event, self.engine, now) {
            Decided::Moved { after, notice, follows } => {
                self.moves(after, notice, follows, now).await
            }
            Decided::Noted(why) => {
                tracing::debug!(subject = %id, event = name, why, "noted");
                self.stays(Came::Noted, None, now).await
            }
            Decided::Contradicted(Contradiction { kind, says }) => {
                tracing::warn!(subject = %id, event = name, says,
                    "a contradiction changes nothing; a person must look");
                metric::CONTRADICTIONS.with([]).increment();
                self.stays(Came::Contradicted, Some((kind, says)), now).await
            }
            Decided::Broken(law) => {
                tracing::error!(subject = %id, event = name, broken = law,
                    "a step would break a law and was not taken; a person must look");
                let case = (CaseKind::LawBroken, format!("{name}: {law}"));
                self.stays(Came::Contradicted, Some(case), now).await
            }
            Decided::Forbidden(why) if L::is_of_another(&why) => Ok(Came::Forbidden(why)),
            // What M-Pesa said is kept whatever becomes of it.
            Decided::Stale | Decided::Forbidden(_) if self.holds_mpesas_word() => {
                self.stays(Came::Noted, None, now).await
            }
            Decided::Stale => Ok(Came::Stale),
            Decided::Forbidden(why) => Ok(Came::Forbidden(why)),
        }
    }

    fn holds_mpesas_word(&self) -> bool {
        self.messages.iter().any(|message| message.direction == Direction::In)
    }

    async fn moves(
        self,
        after: L,
        notice: &'static str,
        mut follows: Follows,
        now: Timestamp,
    ) -> Result<Came<L>, Again> {
        let engine = self.engine;
        if !self.texts {
            follows.texts.clear();
        }
        let also = after.also(engine, &follows, now).await?;
        let life = after.clone().into_life();
        tracing::info!(subject = %self.id, event = L::name(self.event),
            status = life.standing().as_str(), "moved");
        let said = L::says(self.event);
        let about = (Some(life.subject()), life.app());
        let case = |kind: &CaseKind| {
            let before = self.kept.value.clone().into_life().standing().as_str();
            let says = case_says(*kind, &said.0, before);
            engine.case_of(about, *kind, says, (self.messages, now))
        };
        let cases = follows.cases.iter().map(case).collect();
        let mut events = also.events;
        events.extend(self.by.map(|(actor, act)| engine.audited(actor, act, now)));
        events.push(engine.event_of(&life, notice, said, (self.messages, now)));
        let mut lives = also.lives;
        // Copies cost more than a step: only where somebody listens.
        let stood = trace::is_wanted_of(life.subject())
            .then(|| (self.kept.value.clone().into_life(), life.clone()));
        lives.push(LifeWrite { life, expected_version: self.kept.version });
        let stop = |code: &String| engine.tracks.stop(after.rail(), code, now);
        let rails = follows.stop.iter().flat_map(stop);
        let commit = Commit {
            lives,
            events,
            cases,
            rails: rails.collect(),
            messages: self.messages.to_vec(),
            ..Commit::default()
        };
        match engine.commit(commit).await {
            Ok(proof) => {
                self.by.iter().for_each(|(actor, act)| act.done(actor));
                if let Some((before, after)) = &stood {
                    trace::moved((before, after), notice, L::name(self.event), now);
                }
                for at in &follows.wake {
                    engine.timers.add(*at, self.id);
                }
                if let (Some(_code), Some(track)) = (&follows.slow, engine.tracks.get(after.rail()))
                {
                    track.gate.slow(now);
                }
                if let Some(code) = &follows.alarm {
                    tracing::error!(
                        code,
                        "the provider of text messages sends nothing until \
                        somebody mends what this code says; payments and payouts go on"
                    );
                }
                for text in also.texts {
                    engine.offer(text.into());
                }
                Ok(Came::Moved { life: Box::new(after), proof })
            }
            Err(error) => Err(not_written(error)),
        }
    }

    async fn stays(
        self,
        came: Came<L>,
        case: Option<(CaseKind, String)>,
        now: Timestamp,
    ) -> Result<Came<L>, Again> {
        let life = self.kept.value.clone().into_life();
        let about = (Some(life.subject()), life.app());
        let said = L::says(self.event);
        let (word, said, cases) = match case {
            Some((kind, why)) => {
                let case = self.engine.case_of(about, kind, why.clone(), (self.messages, now));
                ("contradicted", (why, said.1), vec![case])
            }
            None => ("noted", said, vec![]),
        };
        let kind = format!("{}.{word}", life.subject().kind());
        let event = self.engine.event_of(&life, &kind, said, (self.messages, now));
        // Written even where it stays as it is: its version guards what was decided.
        let commit = Commit {
            lives: vec![LifeWrite { life, expected_version: self.kept.version }],
            events: vec![event],
            cases,
            messages: self.messages.to_vec(),
            ..Commit::default()
        };
        match self.engine.commit(commit).await {
            Ok(_durable) => Ok(came),
            Err(error) => Err(not_written(error)),
        }
    }
}

fn not_written(error: CommitError) -> Again {
    match error {
        CommitError::Conflict(_) => Again::Moved,
        CommitError::Taken(_, Subject::Text(_)) => Again::WithoutTexts,
        // Whoever has it now is found when it is decided anew.
        CommitError::Taken(..) => Again::Moved,
        CommitError::Full => Again::Never(NotApplied::Busy),
        CommitError::Broken(_)
        | CommitError::Unfit(_)
        | CommitError::Claimed(_)
        | CommitError::CaseClosed(_)
        | CommitError::NoSuchCase(_) => Again::Never(NotApplied::Store(error.to_string())),
    }
}

/// What a case says to whoever is to look at it: what came, and where it found what it is about.
fn case_says(kind: CaseKind, said: &str, before: &str) -> String {
    if kind == CaseKind::StillUnknown {
        "M-Pesa was asked by the whole schedule, or cannot be asked, and it is still not known what \
         became of it. Look it up at M-Pesa, then rule on it."
            .to_owned()
    } else {
        format!("{} It stood at \"{before}\" until then.", said.trim_end())
    }
}
