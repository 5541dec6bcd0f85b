//! Rails and cases through the socket: the same as over the API, and all of it is seen.

use std::sync::Arc;

use axum::extract::{Path as InPath, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::{Admin, answer, read};
use crate::engine::audit::Actor;
use crate::http::api::{
    Case, PageOfCases, REASON_LEN_MAX, RULING_LEN_MAX, all_rails, case_id, check_lines, not_paused,
    not_resumed, rail_of, read_case, view, whole_rail,
};
use crate::http::problem::Problem;
use crate::http::server::place_of;
use crate::store::{self, Store};

/// The longest name of whoever does something at the shell.
const BY_LEN_MAX: usize = 100;
/// The most messages that a case is shown with, and the longest: together they fit into an answer.
/// A case has a few; whatever is left out can be read by its id.
const EVIDENCE_MAX: usize = 16;
const EVIDENCE_BYTES_MAX: usize = 128 * 1024;

/// A rail to be paused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPause {
    /// Who does it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A rail to be resumed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// Who does it.
    pub by: String,
}

/// A case to be closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewClosing {
    /// Who does it.
    pub by: String,
    /// What was decided.
    pub ruling: String,
    /// Why.
    pub reason: String,
}

impl NewPause {
    pub(super) fn check(&self) -> Result<(), Problem> {
        check_lines(&[("by", &self.by, BY_LEN_MAX), ("reason", &self.reason, REASON_LEN_MAX)])
    }
}

impl Resume {
    pub(super) fn check(&self) -> Result<(), Problem> {
        check_lines(&[("by", &self.by, BY_LEN_MAX)])
    }
}

impl NewClosing {
    pub(super) fn check(&self) -> Result<(), Problem> {
        check_lines(&[
            ("by", &self.by, BY_LEN_MAX),
            ("ruling", &self.ruling, RULING_LEN_MAX),
            ("reason", &self.reason, REASON_LEN_MAX),
        ])
    }
}

/// A case and the messages that it rests on, our secrets in them masked.
#[derive(Debug, Serialize)]
pub(super) struct CaseFile<'a> {
    case: Case<'a>,
    evidence: &'a [view::Message],
}

impl<'a> CaseFile<'a> {
    pub(super) fn of(case: &'a store::Case, evidence: &'a [view::Message]) -> Self {
        Self { case: case.into(), evidence }
    }
}

/// The messages that a case rests on.
pub(super) async fn evidence(
    store: &dyn Store,
    case: &store::Case,
) -> Result<Vec<view::Message>, Problem> {
    let mut evidence = Vec::new();
    for id in case.messages.iter().take(EVIDENCE_MAX) {
        let message = store.message(*id).await?;
        let message = message.filter(|message| message.body.len() <= EVIDENCE_BYTES_MAX);
        evidence.extend(message.as_ref().map(view::Message::from));
    }
    Ok(evidence)
}

pub(super) async fn rails(State(admin): State<Arc<Admin>>) -> Response {
    let act = async { Ok((StatusCode::OK, all_rails(&admin.engine).await?)) };
    answer(act.await)
}

pub(super) async fn pause(
    State(admin): State<Arc<Admin>>,
    InPath(rail): InPath<String>,
    request: Request,
) -> Response {
    let act = async {
        let rail = rail_of(&rail)?;
        let from = place_of(request.extensions());
        let new: NewPause = read(request).await?;
        new.check()?;
        let by = Actor::new(new.by.trim().to_owned(), from);
        let paused = admin.engine.pause_rail(rail, by, new.reason.trim()).await;
        paused.map_err(not_paused)?;
        Ok((StatusCode::OK, whole_rail(&admin.engine, rail).await?))
    };
    answer(act.await)
}

pub(super) async fn resume(
    State(admin): State<Arc<Admin>>,
    InPath(rail): InPath<String>,
    request: Request,
) -> Response {
    let act = async {
        let rail = rail_of(&rail)?;
        let from = place_of(request.extensions());
        let new: Resume = read(request).await?;
        new.check()?;
        let by = Actor::new(new.by.trim().to_owned(), from);
        admin.engine.resume_rail(rail, by).await.map_err(not_resumed)?;
        Ok((StatusCode::OK, whole_rail(&admin.engine, rail).await?))
    };
    answer(act.await)
}

pub(super) async fn cases(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    let store = admin.engine.store();
    let page = PageOfCases::read(store.as_ref(), request.uri(), None).await;
    answer(page.as_ref().map(|page| (StatusCode::OK, page.view())).map_err(Clone::clone))
}

pub(super) async fn case(State(admin): State<Arc<Admin>>, InPath(id): InPath<String>) -> Response {
    let act = async {
        let store = admin.engine.store().as_ref();
        let case = read_case(store, &id).await?;
        let evidence = evidence(store, &case).await?;
        Ok((case, evidence))
    };
    let read = act.await;
    let file = read.as_ref().map(|(case, found)| (StatusCode::OK, CaseFile::of(case, found)));
    answer(file.map_err(|problem: &Problem| problem.clone()))
}

pub(super) async fn close(
    State(admin): State<Arc<Admin>>,
    InPath(id): InPath<String>,
    request: Request,
) -> Response {
    let act = async {
        let id = case_id(&id)?;
        let from = place_of(request.extensions());
        let new: NewClosing = read(request).await?;
        new.check()?;
        let by = Actor::new(new.by.trim().to_owned(), from);
        let (ruling, reason) = (new.ruling.trim(), new.reason.trim());
        Ok::<_, Problem>(admin.engine.close_case(id, by, ruling, reason).await?)
    };
    let closed = act.await;
    let view = closed.as_ref().map(|case| (StatusCode::OK, Case::from(case)));
    answer(view.map_err(Clone::clone))
}
