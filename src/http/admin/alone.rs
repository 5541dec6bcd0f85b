//! Rails and cases without a running gateway: what the record says, and changes to the record
//! alone. The gateway finds them at its next start.

use axum::http::Uri;
use serde::Serialize;
use serde_json::Value;

use super::desk::{self, CaseFile, NewClosing, NewPause, Resume};
use super::export::{self, Asked, Page};
use super::fixtures::{self, RecordedPage};
use crate::clock::Clock;
use crate::domain::id::EventId;
use crate::domain::payout::Rail;
use crate::domain::time::Timestamp;
use crate::engine::audit::{Act, Actor, Deed};
use crate::engine::port::Ids;
use crate::engine::{NotClosed, NotDone, closing_of, stands};
use crate::fixture::stand_in::StandIns;
use crate::http::api::{
    Case, PageOfCases, case_id, rail_of, read_case, recorded_rail, recorded_rails,
};
use crate::http::problem::{Code, Problem};
use crate::store::{
    self, CaseClosing, Closing, Commit, CommitError, NewEvent, Pause, RailRecord, Store,
};

/// A store that no gateway has open. What it answers is what the socket answers, as JSON; what it
/// cannot do it says in sentences.
#[derive(Clone, Copy)]
pub struct Alone<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// Where ids come from.
    pub ids: &'a dyn Ids,
    /// From where it is done, for the record.
    pub from: &'a str,
}

impl std::fmt::Debug for Alone<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Alone").finish_non_exhaustive()
    }
}

impl Alone<'_> {
    /// `GET /rails`.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn rails(&self) -> Result<Value, String> {
        told(recorded_rails(self.store, self.clock.now()).await)
    }

    /// `POST /rails/{rail}/pause`. A credential that M-Pesa refused stays refused.
    ///
    /// # Errors
    /// There is no such rail, what was said will not do, or the store failed.
    pub async fn pause(&self, rail: &str, new: &NewPause) -> Result<Value, String> {
        let act = async {
            let rail = rail_of(rail)?;
            new.check()?;
            let at = self.clock.now();
            let (by, reason) = (new.by.trim().to_owned(), new.reason.trim().to_owned());
            let says = format!("paused by {by}: {reason}");
            let known = self.store.rails().await?.into_iter().find(|record| record.rail == rail);
            let what = format!("rail {rail} paused, because {reason:?}");
            let known = known.unwrap_or(RailRecord { rail, credential: None, paused: None });
            let (before, credential) = (stands(&known), known.credential);
            let actor = self.actor(&by);
            let record = RailRecord { rail, credential, paused: Some(Pause { at, by, reason }) };
            let act = Act { deed: Deed::RailPaused, what, before, after: stands(&record) };
            self.write_rail(record, ("rail.paused", says), (&actor, &act), at).await?;
            Ok::<_, Problem>(recorded_rail(self.store, rail, at).await?)
        };
        told(act.await)
    }

    /// `POST /rails/{rail}/resume`.
    ///
    /// # Errors
    /// As [`Alone::pause`].
    pub async fn resume(&self, rail: &str, new: &Resume) -> Result<Value, String> {
        let act = async {
            let rail: Rail = rail_of(rail)?;
            new.check()?;
            let at = self.clock.now();
            let says = format!("resumed by {}", new.by.trim());
            let record = RailRecord { rail, credential: None, paused: None };
            let known = self.store.rails().await?.into_iter().find(|record| record.rail == rail);
            let act = Act {
                deed: Deed::RailResumed,
                what: format!("rail {rail} resumed"),
                before: stands(known.as_ref().unwrap_or(&record)),
                after: stands(&record),
            };
            let actor = self.actor(new.by.trim());
            self.write_rail(record, ("rail.resumed", says), (&actor, &act), at).await?;
            Ok::<_, Problem>(recorded_rail(self.store, rail, at).await?)
        };
        told(act.await)
    }

    /// `GET /cases`, with a query such as `status=open`.
    ///
    /// # Errors
    /// The query is faulty, or the store could not be read.
    pub async fn cases(&self, query: &str) -> Result<Value, String> {
        let act = async {
            let uri: Uri = format!("/cases?{query}").parse().map_err(|_error| no_query())?;
            PageOfCases::read(self.store, &uri, None).await
        };
        let page = act.await;
        told(page.as_ref().map(PageOfCases::view).map_err(Clone::clone))
    }

    /// `GET /cases/{id}`.
    ///
    /// # Errors
    /// There is no such case, or the store could not be read.
    pub async fn case(&self, id: &str) -> Result<Value, String> {
        let act = async {
            let case = read_case(self.store, id).await?;
            let evidence = desk::evidence(self.store, &case).await?;
            Ok::<_, Problem>((case, evidence))
        };
        let read = act.await;
        told(read.as_ref().map(|(case, found)| CaseFile::of(case, found)).map_err(Clone::clone))
    }

    /// `POST /cases/{id}/close`.
    ///
    /// # Errors
    /// There is no such case, it was closed before, what was said will not do, or the store failed.
    pub async fn close(&self, id: &str, new: &NewClosing) -> Result<Value, String> {
        let closed = self.close_case(id, new).await;
        told(closed.as_ref().map(Case::from).map_err(Clone::clone))
    }

    async fn close_case(&self, id: &str, new: &NewClosing) -> Result<store::Case, Problem> {
        let id = case_id(id)?;
        new.check()?;
        let case = read_case(self.store, &id.to_string()).await?;
        let at = self.clock.now();
        let (by, ruling) = (new.by.trim().to_owned(), new.ruling.trim().to_owned());
        let says = format!("{id} closed by {by}: {ruling}");
        let closing = Closing { at, by, ruling, reason: new.reason.trim().to_owned() };
        let event =
            NewEvent { app: case.app, about: case.about, ..self.event(at, "case.closed", says) };
        let (actor, act) = (self.actor(&closing.by), closing_of(&case, &closing));
        let closings = vec![CaseClosing { case: id, closing: closing.clone() }];
        let events = vec![act.event(&actor, self.event_id(at), at), event];
        let commit = Commit { closings, events, ..Commit::default() };
        match self.store.commit(commit).await {
            Ok(_durable) => {
                act.done(&actor);
                Ok(store::Case { closed: Some(closing), ..case })
            }
            Err(CommitError::NoSuchCase(_)) => Err(NotClosed::NoSuchCase.into()),
            Err(CommitError::CaseClosed(_)) => Err(NotClosed::ClosedBefore.into()),
            Err(CommitError::Full) => Err(NotClosed::Busy.into()),
            Err(error) => Err(NotClosed::Unavailable(error.to_string()).into()),
        }
    }

    /// `GET /export/{what}`.
    ///
    /// # Errors
    /// What was asked for will not do, or the store could not be read.
    pub async fn export(&self, what: &str, asked: &Asked) -> Result<Page, String> {
        export::page(self.store, what, asked).await.map_err(|problem| problem.says())
    }

    /// `GET /fixtures`: the ids of whatever came or went since.
    ///
    /// # Errors
    /// `since` is no time, or the store could not be read.
    pub async fn recordable(&self, since: &str) -> Result<Vec<String>, String> {
        fixtures::recordable(self.store, since).await.map_err(|problem| problem.says())
    }

    /// `GET /fixtures/{about}`.
    ///
    /// # Errors
    /// There is nothing of this id, or the store could not be read.
    pub async fn recorded(
        &self,
        about: &str,
        stand_ins: &mut StandIns,
    ) -> Result<RecordedPage, String> {
        fixtures::page(self.store, about, stand_ins).await.map_err(|problem| problem.says())
    }

    async fn write_rail(
        &self,
        record: RailRecord,
        (kind, says): (&str, String),
        (actor, act): (&Actor, &Act),
        at: Timestamp,
    ) -> Result<(), Problem> {
        let record_of = act.event(actor, self.event_id(at), at);
        let events = vec![record_of, self.event(at, kind, says)];
        let commit = Commit { rails: vec![record], events, ..Commit::default() };
        match self.store.commit(commit).await {
            Ok(_durable) => {
                act.done(actor);
                Ok(())
            }
            Err(CommitError::Full) => Err(NotDone::Busy.into()),
            Err(error) => Err(Problem::from(NotDone::Unavailable(error.to_string()))),
        }
    }

    fn actor(&self, by: &str) -> Actor {
        Actor::new(by.to_owned(), self.from.to_owned())
    }

    fn event_id(&self, at: Timestamp) -> EventId {
        EventId::from_bytes(self.ids.fresh(at))
    }

    fn event(&self, at: Timestamp, kind: &str, says: String) -> NewEvent {
        NewEvent {
            id: self.event_id(at),
            at,
            kind: kind.to_owned(),
            app: None,
            about: None,
            status: None,
            says,
            code: None,
            messages: vec![],
        }
    }
}

fn no_query() -> Problem {
    Problem::new(Code::InvalidQuery, "What the list is to be filtered by cannot be read.")
}

fn told<T: Serialize, E: Into<Problem>>(done: Result<T, E>) -> Result<Value, String> {
    let value = done.map_err(|error| error.into().says())?;
    serde_json::to_value(&value).map_err(|error| error.to_string())
}
