//! What people who run the gateway may do: pause and resume a rail, have M-Pesa asked, rule on a
//! payout in doubt, close a case; and what they want to see of a rail.

use std::time::Duration;

use super::audit::{Act, Actor, Deed, Signed};
use super::gate::RailState;
use super::port::LinkState;
use super::track::Track;
use super::{Applied, Engine, NotApplied};
use crate::domain::id::{AppId, CaseId, EventId, PayoutId};
use crate::domain::money::Amount;
use crate::domain::payout::{Event, Forbidden, Payout, Rail, Ruling, State, Status};
use crate::domain::time::Timestamp;
use crate::store::{
    Case, CaseClosing, Closing, Commit, CommitError, NewEvent, Pause, PayoutQuery, RailRecord,
    StoreError,
};

/// Why something was not done to a payout or a rail. Unless it says otherwise, nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// There is none with this id that the caller may see.
    #[error("no such payout")]
    NoSuchPayout,
    /// No rail of this name is set up.
    #[error("the rail {0} is not set up")]
    NoSuchRail(Rail),
    /// It may not be done to a payout that stands where it stands.
    #[error("{0}")]
    Refused(Forbidden, Status),
    /// The receipt that a ruling names paid another payout.
    #[error("the receipt is that of another payout, {0}")]
    ReceiptTaken(PayoutId),
    /// Too many writes are waiting.
    #[error("too many requests are waiting")]
    Busy,
    /// The store failed: it may or may not have been done.
    #[error("the store failed: {0}")]
    Unavailable(String),
}

/// Why a case was not closed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotClosed {
    /// There is none with this id.
    #[error("no such case")]
    NoSuchCase,
    /// It was closed before; the first ruling stands.
    #[error("the case is closed already")]
    ClosedBefore,
    /// Too many writes are waiting.
    #[error("too many requests are waiting")]
    Busy,
    /// The store failed: it may or may not have been done.
    #[error("the store failed: {0}")]
    Unavailable(String),
}

/// A rail, as people who run the gateway want to see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RailView {
    /// Which.
    pub rail: Rail,
    /// Whether it sends, and if not, why.
    pub state: RailState,
    /// What else keeps it from sending, in a sentence.
    pub trouble: Option<String>,
    /// Messages that await their answer.
    pub in_flight: u64,
    /// Payouts that wait to be sent.
    pub queued: u64,
    /// Payouts whose results are awaited.
    pub accepted: u64,
    /// Payouts that may or may not have been paid.
    pub unknown: u64,
    /// Their sum.
    pub in_doubt: Amount,
    /// The oldest of them, and since when it is in doubt.
    pub oldest_unknown: Option<(PayoutId, Timestamp)>,
    /// How long payouts took from being taken to a conclusive status: the times that half and 99
    /// of a hundred did not exceed, since the start; no more exact than the metric's buckets.
    pub conclusive: Option<(Duration, Duration)>,
    /// Cases that wait for a person.
    pub open_cases: u64,
    /// How far the way to M-Pesa goes, where that is measured.
    pub link: Option<LinkState>,
}

impl From<StoreError> for NotDone {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

impl Engine {
    /// What the store remembers of the rails: a stop outlives the program.
    pub(super) async fn restore_rails(&self) -> Result<(), StoreError> {
        for track in self.tracks.each() {
            track.gate.begin(self.parts.clock.now());
            self.trust_at_once(track);
        }
        for record in self.parts.store.rails().await? {
            if let Some(stop) = &record.credential {
                tracing::error!(rail = record.rail.as_str(), code = stop.code, since = %stop.at,
                    "sending is stopped since M-Pesa refused our credentials. Queued payouts wait. \
                    Once the credentials are right, resume the rail");
            }
            if let Some(pause) = &record.paused {
                tracing::warn!(rail = record.rail.as_str(), by = pause.by, since = %pause.at,
                    "sending is paused by hand. Queued payouts wait until the rail is resumed");
            }
            if let Some(track) = self.tracks.get(record.rail) {
                track.gate.restore(record);
            }
        }
        Ok(())
    }

    /// Each rail that is set up, as it stands.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn rail_views(&self) -> Result<Vec<RailView>, StoreError> {
        let mut views = Vec::new();
        for track in self.tracks.each() {
            views.push(self.view_of(track).await?);
        }
        Ok(views)
    }

    /// A rail as it stands; `None` when it is not set up.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn rail_view(&self, rail: Rail) -> Result<Option<RailView>, StoreError> {
        match self.tracks.get(rail) {
            Some(track) => Ok(Some(self.view_of(track).await?)),
            None => Ok(None),
        }
    }

    async fn view_of(&self, track: &Track) -> Result<RailView, StoreError> {
        let counts = self.parts.store.counts();
        Ok(RailView {
            rail: track.name,
            state: track.gate.state(),
            trouble: track.rail.trouble(),
            in_flight: track.in_flight.value(),
            queued: counts.on(track.name, Status::Queued),
            accepted: counts.on(track.name, Status::Accepted),
            unknown: counts.on(track.name, Status::Unknown),
            in_doubt: counts.in_doubt_on(track.name),
            oldest_unknown: self.oldest_unknown_on(Some(track.name)).await?,
            conclusive: self.tally.conclusive_times(),
            open_cases: counts.open_cases(),
            link: self.links().into_iter().find(|(name, _)| *name == track.name).map(|it| it.1),
        })
    }

    /// The payout in doubt that was taken first, and since when it is.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn oldest_unknown(&self) -> Result<Option<(PayoutId, Timestamp)>, StoreError> {
        self.oldest_unknown_on(None).await
    }

    async fn oldest_unknown_on(
        &self,
        rail: Option<Rail>,
    ) -> Result<Option<(PayoutId, Timestamp)>, StoreError> {
        let status = Some(Status::Unknown);
        let mut query = PayoutQuery { status, rail, ..PayoutQuery::all(1) };
        loop {
            let page = self.parts.store.payouts(&query).await?;
            let found = page.rows.first().and_then(|stored| match &stored.payout.state {
                State::Unknown { since, .. } => Some((stored.payout.details.id, *since)),
                State::AwaitingApproval { .. }
                | State::Queued { .. }
                | State::Sending { .. }
                | State::Accepted { .. }
                | State::Succeeded { .. }
                | State::Failed { .. }
                | State::Cancelled { .. } => None,
            });
            // A page may be empty and yet not the last.
            query.after = page.next.filter(|_next| found.is_none());
            if query.after.is_none() {
                return Ok(found);
            }
        }
    }

    /// Stops sending payouts until the rail is resumed. Nothing accepted is lost meanwhile, and
    /// M-Pesa is still asked about payouts in doubt.
    ///
    /// # Errors
    /// [`NotDone`]: sending is stopped all the same, and may go on after a restart.
    pub async fn pause_rail(
        &self,
        rail: Rail,
        by: impl Into<Actor>,
        reason: &str,
    ) -> Result<(), NotDone> {
        let actor = by.into();
        let by = actor.name();
        let track = self.tracks.get(rail).ok_or(NotDone::NoSuchRail(rail))?;
        let at = self.parts.clock.now();
        tracing::warn!(rail = rail.as_str(), by, reason, "sending is paused by hand");
        let before = stands(&track.gate.record(rail));
        track.gate.pause(Pause { at, by: by.to_owned(), reason: reason.to_owned() });
        let says = format!("paused by {by}: {reason}");
        let after = stands(&track.gate.record(rail));
        let what = format!("rail {rail} paused, because {reason:?}");
        let act = Act { deed: Deed::RailPaused, what, before, after };
        let mut signed = Some((&actor, &act));
        loop {
            let record = track.gate.record(rail);
            self.write_rail(record.clone(), at, ("rail.paused", &says), signed.take()).await?;
            // A refusal of our credentials that came meanwhile must not be written over.
            if track.gate.record(rail) == record {
                return Ok(());
            }
        }
    }

    /// Lets a rail send again, whatever had stopped it: one message first, the others once its
    /// result shows that M-Pesa takes our credentials. What stops it meanwhile is not lifted.
    ///
    /// # Errors
    /// [`NotDone`]: it stays stopped.
    pub async fn resume_rail(&self, rail: Rail, by: impl Into<Actor>) -> Result<(), NotDone> {
        let actor = by.into();
        let by = actor.name();
        let track = self.tracks.get(rail).ok_or(NotDone::NoSuchRail(rail))?;
        let at = self.parts.clock.now();
        let seen = track.gate.record(rail);
        let mut written = RailRecord { rail, credential: None, paused: None };
        let says = format!("resumed by {by}");
        let act = Act {
            deed: Deed::RailResumed,
            what: format!("rail {rail} resumed"),
            before: stands(&seen),
            after: stands(&written),
        };
        let signed = Some((&actor, &act));
        self.write_rail(written.clone(), at, ("rail.resumed", &says), signed).await?;
        tracing::warn!(rail = rail.as_str(), by, "sending is resumed by hand");
        track.gate.resume(at, &seen);
        self.trust_at_once(track);
        // What was looked at while the rail was shut was put aside.
        track.look_through_store();
        // A refusal or a pause that came meanwhile stands, here and on the disk.
        loop {
            let stands = track.gate.record(rail);
            if stands == written {
                return Ok(());
            }
            written = stands;
            let says = ("rail.stopped", "stopped meanwhile");
            self.write_rail(written.clone(), at, says, None).await?;
        }
    }

    /// Where the first result is not to be waited for, credentials are taken to be right.
    fn trust_at_once(&self, track: &Track) {
        if self.settings.first_result_wait.is_zero() {
            track.gate.prove();
        }
    }

    async fn write_rail(
        &self,
        record: RailRecord,
        at: Timestamp,
        (kind, says): (&str, &str),
        by: Option<(&Actor, &Act)>,
    ) -> Result<(), NotDone> {
        let event = NewEvent {
            id: EventId::from_bytes(self.parts.ids.fresh(at)),
            at,
            kind: kind.to_owned(),
            app: None,
            about: None,
            status: None,
            says: says.to_owned(),
            code: None,
            messages: vec![],
        };
        let record_of = by.map(|(actor, act)| self.audited(actor, act, at));
        let events = record_of.into_iter().chain([event]).collect();
        let commit = Commit { rails: vec![record], events, ..Commit::default() };
        match self.commit(commit).await {
            Ok(_durable) => {
                by.iter().for_each(|(actor, act)| act.done(actor));
                Ok(())
            }
            Err(CommitError::Full) => Err(NotDone::Busy),
            Err(error) => Err(NotDone::Unavailable(error.to_string())),
        }
    }

    /// Has M-Pesa asked about a payout now: it is put first in the line, and the question goes as
    /// soon as the rail's pace allows.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn inquire(&self, sees: Option<AppId>, id: PayoutId) -> Result<Payout, NotDone> {
        let before = self.seen(sees, id).await?;
        let payout = self.by_hand(before, &Event::AskWanted, None).await?;
        if let Some(track) = self.tracks.get(payout.details.rail) {
            track.questions.offer(id);
        }
        Ok(payout)
    }

    /// A named person's ruling on a payout in doubt.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn resolve(
        &self,
        sees: Option<AppId>,
        id: PayoutId,
        ruling: impl Into<Signed<Ruling>>,
    ) -> Result<Payout, NotDone> {
        let signed = ruling.into();
        let actor = signed.actor(&signed.ruling.by);
        let ruling = signed.ruling;
        let before = self.seen(sees, id).await?;
        // Until it is on the disk nobody else's ruling looks whether its receipt is free.
        let _alone = self.rulings.lock().await;
        if let Some(receipt) = &ruling.receipt {
            let paid = self.parts.store.payout_by_receipt(receipt).await?;
            if let Some(other) = paid.filter(|other| *other != id) {
                return Err(NotDone::ReceiptTaken(other));
            }
        }
        tracing::warn!(payout = %id, by = ruling.by, paid = ruling.receipt.is_some(),
            "a person rules on a payout in doubt");
        let act = Act {
            deed: Deed::PayoutResolved,
            what: format!("payout {id} ruled on, because {:?}", ruling.reason),
            before: before.status().to_string(),
            after: ruled(ruling.receipt.is_some()).to_owned(),
        };
        self.by_hand(before, &Event::Ruled(ruling), Some((&actor, &act))).await
    }

    async fn by_hand(
        &self,
        before: Payout,
        event: &Event,
        by: Option<(&Actor, &Act)>,
    ) -> Result<Payout, NotDone> {
        let id = before.details.id;
        let applied = match self.stored(id).await {
            Ok(stored) => self.apply_by(stored, event, vec![], by).await,
            Err(error) => Err(error),
        };
        match applied {
            Ok(Applied::Moved { payout, .. }) => Ok(*payout),
            Ok(Applied::Noted | Applied::Contradicted | Applied::Stale) => Ok(before),
            Ok(Applied::Forbidden(why)) => Err(NotDone::Refused(why, before.status())),
            Ok(Applied::Parked) => {
                Err(NotDone::Unavailable("the step would have broken a law".to_owned()))
            }
            Err(NotApplied::NoSuchPayout) => Err(NotDone::NoSuchPayout),
            Err(NotApplied::Busy) => Err(NotDone::Busy),
            Err(NotApplied::Store(why)) => Err(NotDone::Unavailable(why)),
        }
    }

    async fn seen(&self, sees: Option<AppId>, id: PayoutId) -> Result<Payout, NotDone> {
        let stored = self.parts.store.payout(id).await?;
        let seen = stored.map(|stored| stored.payout);
        seen.filter(|payout| sees.is_none_or(|only| only == payout.details.app))
            .ok_or(NotDone::NoSuchPayout)
    }

    /// Closes a case with a person's ruling. It changes no payout: for that, [`Engine::resolve`].
    ///
    /// # Errors
    /// [`NotClosed`].
    pub async fn close_case(
        &self,
        id: CaseId,
        by: impl Into<Actor>,
        ruling: &str,
        reason: &str,
    ) -> Result<Case, NotClosed> {
        let actor = by.into();
        let by = actor.name();
        let at = self.parts.clock.now();
        let closing =
            Closing { at, by: by.to_owned(), ruling: ruling.to_owned(), reason: reason.to_owned() };
        let case = self.parts.store.case(id).await;
        let case = case.map_err(|error| NotClosed::Unavailable(error.to_string()))?;
        let case = case.ok_or(NotClosed::NoSuchCase)?;
        let event = NewEvent {
            id: EventId::from_bytes(self.parts.ids.fresh(at)),
            at,
            kind: "case.closed".to_owned(),
            app: case.app,
            about: case.about,
            status: None,
            says: format!("{id} closed by {by}: {ruling}"),
            code: None,
            messages: vec![],
        };
        let act = closing_of(&case, &closing);
        let closings = vec![CaseClosing { case: id, closing: closing.clone() }];
        let events = vec![self.audited(&actor, &act, at), event];
        let commit = Commit { closings, events, ..Commit::default() };
        match self.commit(commit).await {
            Ok(_durable) => {
                act.done(&actor);
                tracing::info!(case = %id, by, ruling, "a case is closed");
                Ok(Case { closed: Some(closing), ..case })
            }
            Err(CommitError::NoSuchCase(_)) => Err(NotClosed::NoSuchCase),
            Err(CommitError::CaseClosed(_)) => Err(NotClosed::ClosedBefore),
            Err(CommitError::Full) => Err(NotClosed::Busy),
            Err(error) => Err(NotClosed::Unavailable(error.to_string())),
        }
    }
}

/// What keeps a rail from sending, in a few words, for the record of an act.
pub fn stands(record: &RailRecord) -> String {
    let refused = record.credential.as_ref();
    let refused = refused.map(|stop| format!("credentials refused with code {}", stop.code));
    let paused = record.paused.as_ref().map(|pause| format!("paused by {:?}", pause.by));
    let both: Vec<String> = refused.into_iter().chain(paused).collect();
    if both.is_empty() { "open".to_owned() } else { both.join(" and ") }
}

/// The record of a case that is closed.
pub fn closing_of(case: &Case, closing: &Closing) -> Act {
    Act {
        deed: Deed::CaseClosed,
        what: format!("case {} closed, because {:?}", case.id, closing.reason),
        before: format!("open, {}", case.kind.as_str()),
        after: format!("closed, ruled {:?}", closing.ruling),
    }
}

/// What a ruling came to.
pub(super) const fn ruled(paid: bool) -> &'static str {
    if paid { "paid" } else { "not paid" }
}
