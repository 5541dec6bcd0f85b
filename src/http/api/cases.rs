//! Cases: what no rule may decide, with the evidence, until a person closes it.

use axum::http::{StatusCode, Uri};
use serde::Serialize;
use utoipa::ToSchema;

use super::view::{MessageLink, shown, shown_or_null};
use super::{Answer, Ask, Caller, Problem, actor, json, list, ruling};
use crate::domain::id::{AppId, CaseId, PayoutId};
use crate::domain::payout::CaseKind;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::engine::NotClosed;
use crate::http::problem::Code;
use crate::store::{self, CaseQuery, Scope, Store};

/// Something that no rule may decide.
#[derive(Debug, Serialize, ToSchema)]
pub struct Case<'a> {
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, example = "case_01hn4y7z2c8e0vq3m5x7r9t1wb")]
    id: CaseId,
    /// `open` until a person closed it, then `closed`.
    #[schema(value_type = String, example = "open")]
    status: &'static str,
    /// Why a person must look: `contradiction`, `mismatch`, `unmatched`, `malformed`, `not_found`,
    /// `still_unknown` or `law_broken`.
    #[schema(value_type = String, example = "contradiction")]
    kind: &'static str,
    /// What it is about: the id of a payout, a payment or an inquiry; null where that is not known.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, required)]
    about: Option<Subject>,
    /// The payout that it is about, if it is about one.
    #[serde(serialize_with = "shown_or_null")]
    #[schema(value_type = Option<String>, required)]
    payout_id: Option<PayoutId>,
    /// What is known and what came, in words.
    says: &'a str,
    /// The evidence: the wire messages that it rests on.
    messages: Vec<MessageLink>,
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// How it was closed; null while it is open.
    #[schema(required)]
    closed: Option<Closing<'a>>,
}

/// How a person closed a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct Closing<'a> {
    #[serde(serialize_with = "shown")]
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The application, or the operator at the gateway's shell.
    by: &'a str,
    ruling: &'a str,
    reason: &'a str,
}

/// A page of cases.
#[derive(Debug, Serialize, ToSchema)]
pub struct CasePage<'a> {
    /// May hold fewer than asked for, and still have a next page.
    data: Vec<Case<'a>>,
    /// Where the next page begins: give it back as `cursor`. Null on the last page.
    #[schema(required)]
    next_cursor: Option<String>,
}

impl<'a> From<&'a store::Case> for Case<'a> {
    fn from(case: &'a store::Case) -> Self {
        Self {
            id: case.id,
            status: if case.closed.is_none() { "open" } else { "closed" },
            kind: case.kind.as_str(),
            about: case.about,
            payout_id: case.about.and_then(Subject::payout),
            says: &case.says,
            messages: case.messages.iter().map(MessageLink::from).collect(),
            created_at: case.at,
            closed: case.closed.as_ref().map(|closing| Closing {
                at: closing.at,
                by: &closing.by,
                ruling: &closing.ruling,
                reason: &closing.reason,
            }),
        }
    }
}

/// A page that was read.
pub(in crate::http) struct Page {
    rows: Vec<store::Case>,
    next_cursor: Option<String>,
}

impl Page {
    /// The page that a query asks for, of the cases of `app` or of all.
    ///
    /// # Errors
    /// The query is faulty, or the store could not be read.
    pub(in crate::http) async fn read(
        store: &dyn Store,
        uri: &Uri,
        app: Option<AppId>,
    ) -> Result<Self, Problem> {
        let query = CaseQuery { app, ..list::cases(uri)? };
        let page = store.cases(&query).await?;
        Ok(Self { next_cursor: list::next_case(&query, page.next), rows: page.rows })
    }

    pub(in crate::http) fn view(&self) -> CasePage<'_> {
        CasePage {
            data: self.rows.iter().map(Into::into).collect(),
            next_cursor: self.next_cursor.clone(),
        }
    }
}

/// `GET /v1/cases`.
pub(in crate::http) async fn list(caller: Caller, ask: Ask) -> Answer {
    let app = (!caller.oversees()).then_some(caller.app);
    let mut page = Page::read(ask.api.engine.store().as_ref(), &ask.parts.uri, app).await?;
    page.rows.retain(|case| reads(caller, case));
    json(StatusCode::OK, &page.view())
}

/// Whether a key may read what a case of its application is about.
const fn reads(caller: Caller, case: &store::Case) -> bool {
    caller.oversees()
        || match case.about {
            Some(Subject::Payout(_)) => caller.scopes.allow(Scope::PayoutsRead),
            Some(Subject::Payment(_)) => caller.scopes.allow(Scope::PaymentsRead),
            Some(Subject::Inquiry(_) | Subject::Text(_)) | None => true,
        }
}

/// `GET /v1/cases/{id}`.
pub(in crate::http) async fn get(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let case = read(ask.api.engine.store().as_ref(), &ask.id).await?;
    if caller.oversees() || (case.app == Some(caller.app) && reads(caller, &case)) {
        json(StatusCode::OK, &Case::from(&case))
    } else {
        Err(no_such_case())
    }
}

/// `POST /v1/cases/{id}/close`.
pub(in crate::http) async fn close(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let id = case_id(&ask.id)?;
    let ruling::Closing { ruling, reason } = ruling::closing(&ask.body)?;
    let by = actor(caller, &ask).await?;
    let closed = ask.api.engine.close_case(id, by, &ruling, &reason).await?;
    json(StatusCode::OK, &Case::from(&closed))
}

/// The case of this id.
pub(in crate::http) async fn read(store: &dyn Store, id: &str) -> Result<store::Case, Problem> {
    store.case(case_id(id)?).await?.ok_or_else(no_such_case)
}

/// The id that a text is.
pub(in crate::http) fn case_id(text: &str) -> Result<CaseId, Problem> {
    text.parse().map_err(|_error| no_such_case())
}

fn no_such_case() -> Problem {
    let detail = "No case that you may see has this id. Look for it with GET /v1/cases.";
    Problem::new(Code::NoSuchCase, detail)
}

/// The kind of case that a word names.
pub(super) fn kind(word: &str) -> Result<CaseKind, String> {
    let known = CaseKind::ALL;
    known
        .into_iter()
        .find(|kind| kind.as_str() == word)
        .ok_or_else(|| format!("must be one of {}", known.map(CaseKind::as_str).join(", ")))
}

impl From<NotClosed> for Problem {
    fn from(error: NotClosed) -> Self {
        match error {
            NotClosed::NoSuchCase => no_such_case(),
            NotClosed::ClosedBefore => Self::new(
                Code::CaseClosed,
                "It was closed before, and that ruling stands: GET /v1/cases/{id} shows it. \
                 Nothing was changed.",
            ),
            NotClosed::Busy => Self::busy(),
            NotClosed::Unavailable(reason) => {
                tracing::error!(%reason, "a case could not be closed");
                Self::store_failed_on_an_act()
            }
        }
    }
}
