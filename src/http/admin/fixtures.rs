//! Exchanges out of the book, for tests: stand-ins take the place of secrets and people before
//! anything leaves. A recording is of one caller, who asks for one payout, payment or inquiry after
//! the other; the last recording is remembered, so that the same person has the same stand-in.

use std::sync::Arc;

use axum::extract::{Path as InPath, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::{Admin, answer};
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::fixture::folder::Body;
use crate::fixture::stand_in::StandIns;
use crate::fixture::stored::{self, Kept, Role};
use crate::fixture::{Exchange, Fixture};
use crate::http::problem::{Code, Problem};
use crate::store::{Channel, Direction, FeedEvent, Message, PAGE_LEN_MAX, Store};

/// The most that are recorded at once.
const ABOUT_MAX: usize = 10_000;
/// The longest messages of one of them, together: they fit into an answer in base64.
const BYTES_MAX: usize = 2 * 1024 * 1024;

/// A recording that begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recording {
    /// Its number, for what is asked next.
    pub recording: u64,
    /// What came or went since the moment that was named, by id.
    pub about: Vec<String>,
}

/// The exchanges of one payout, payment or inquiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedPage {
    /// In their order.
    pub exchanges: Vec<Recorded>,
}

/// An exchange as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// `exchange.toml`.
    pub toml: String,
    /// The request's ending and its bytes in base64.
    pub request: Option<(String, String)>,
    /// The answer's.
    pub response: Option<(String, String)>,
}

impl From<&Fixture> for Recorded {
    fn from(fixture: &Fixture) -> Self {
        let packed = |body: &Option<Body>| {
            body.as_ref().map(|body| (body.ending.clone(), STANDARD.encode(&body.bytes)))
        };
        Self {
            toml: fixture.exchange.write(),
            request: packed(&fixture.request),
            response: packed(&fixture.response),
        }
    }
}

impl Recorded {
    /// The exchange again, without a name.
    ///
    /// # Errors
    /// It is none.
    pub fn into_fixture(self) -> Result<Fixture, String> {
        let exchange = Exchange::read("exchange.toml", &self.toml)
            .map_err(|faults| faults.first().map(ToString::to_string).unwrap_or_default())?;
        let body = |packed: Option<(String, String)>| {
            let body = packed.map(|(ending, packed)| {
                let bytes = STANDARD.decode(packed).map_err(|error| error.to_string())?;
                Ok::<_, String>(Body { ending, bytes })
            });
            body.transpose()
        };
        let (request, response) = (body(self.request)?, body(self.response)?);
        Ok(Fixture { name: String::new(), exchange, request, response })
    }
}

/// The last recording, and who stands for whom in it.
#[derive(Debug, Default)]
pub(super) struct Recordings(Mutex<(u64, StandIns)>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Since {
    since: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Of {
    recording: u64,
}

type Asked<T> = Result<Query<T>, axum::extract::rejection::QueryRejection>;

fn query<T>(asked: Asked<T>) -> Result<T, Problem> {
    let Query(asked) =
        asked.map_err(|error| Problem::new(Code::InvalidQuery, error.body_text()))?;
    Ok(asked)
}

/// `GET /fixtures`: a recording begins.
pub(super) async fn begin(State(admin): State<Arc<Admin>>, asked: Asked<Since>) -> Response {
    let act = async {
        let Since { since } = query(asked)?;
        let about = match since {
            Some(since) => recordable(admin.engine.store().as_ref(), &since).await?,
            None => Vec::new(),
        };
        let mut last = admin.recordings.0.lock().await;
        let recording = last.0.saturating_add(1);
        *last = (recording, StandIns::new());
        Ok((StatusCode::OK, Recording { recording, about }))
    };
    answer(act.await)
}

/// `GET /fixtures/{about}`.
pub(super) async fn of(
    State(admin): State<Arc<Admin>>,
    InPath(about): InPath<String>,
    asked: Asked<Of>,
) -> Response {
    let act = async {
        let Of { recording } = query(asked)?;
        let mut last = admin.recordings.0.lock().await;
        if last.0 != recording {
            let why = "Another recording has begun since. Begin again.";
            return Err(Problem::new(Code::InvalidQuery, why));
        }
        let page = page(admin.engine.store().as_ref(), &about, &mut last.1).await?;
        Ok((StatusCode::OK, page))
    };
    answer(act.await)
}

/// The ids of whatever came or went since a moment.
pub(super) async fn recordable(store: &dyn Store, since: &str) -> Result<Vec<String>, Problem> {
    let since = Timestamp::parse_rfc3339(since).map_err(|_error| {
        Problem::new(Code::InvalidQuery, "since must be a time such as 2026-01-02T03:04:05Z")
    })?;
    let mut found: Vec<Subject> = Vec::new();
    let mut after = 0;
    loop {
        let page = store.events(after, PAGE_LEN_MAX).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = last.seq;
        let told = page.iter().filter(|event| event.event.at >= since);
        let told = told.filter(|event| !event.event.messages.is_empty());
        found.extend(told.filter_map(|event| event.event.about));
        found.sort_unstable();
        found.dedup();
        if found.len() > ABOUT_MAX {
            let why = format!("More than {ABOUT_MAX} things came or went since. Ask for less.");
            return Err(Problem::new(Code::InvalidQuery, why));
        }
    }
    Ok(found.iter().map(ToString::to_string).collect())
}

/// The exchanges of one of them.
pub(super) async fn page(
    store: &dyn Store,
    about: &str,
    stand_ins: &mut StandIns,
) -> Result<RecordedPage, Problem> {
    let about: Subject = about.parse().map_err(|_error| {
        Problem::new(Code::InvalidQuery, "This is no id of a payout, a payment or an inquiry.")
    })?;
    let events = store.events_of(about).await?;
    if events.is_empty() {
        return Err(Problem::new(Code::InvalidQuery, format!("There is no {about}.")));
    }
    let kept = messages(store, &events).await?;
    let made = stored::exchanges(kept, 1, stand_ins);
    let made = made.map_err(|why| Problem::new(Code::InvalidQuery, why.to_string()))?;
    Ok(RecordedPage { exchanges: made.iter().map(Recorded::from).collect() })
}

async fn messages(store: &dyn Store, events: &[FeedEvent]) -> Result<Vec<Kept>, Problem> {
    let mut kept: Vec<Kept> = Vec::new();
    let mut ids: Vec<_> = events.iter().flat_map(|event| event.event.messages.iter()).collect();
    ids.dedup();
    let mut bytes: usize = 0;
    for id in ids {
        let Some(message) = store.message(*id).await? else {
            continue;
        };
        bytes = bytes.saturating_add(message.body.len());
        if bytes > BYTES_MAX {
            let why = format!("Its messages are longer than {BYTES_MAX} bytes together.");
            return Err(Problem::new(Code::InvalidQuery, why));
        }
        kept.extend(as_kept(message));
    }
    Ok(kept)
}

/// What a message is to an exchange; `None` for a row of a page that was pulled, which is none.
fn as_kept(message: Message) -> Option<Kept> {
    let Message { at, direction, channel, http_status, body, .. } = message;
    let role = match (direction, channel) {
        (Direction::Out, _) => Role::Request,
        (Direction::In, Channel::Result | Channel::StatusResult | Channel::InquiryResult) => {
            Role::Call("/b2c/result")
        }
        (Direction::In, Channel::QueueTimeout | Channel::InquiryTimeout) => {
            Role::Call("/b2c/timeout")
        }
        (Direction::In, Channel::StkCallback) => Role::Call("/stk"),
        (Direction::In, Channel::C2bValidation) => Role::Call("/c2b/validation"),
        (Direction::In, Channel::C2bConfirmation) => Role::Call("/c2b/confirmation"),
        (Direction::In, Channel::C2bPulled) => return None,
        (
            Direction::In,
            Channel::Request
            | Channel::Answer
            | Channel::StatusRequest
            | Channel::StatusAnswer
            | Channel::StkRequest
            | Channel::StkAnswer
            | Channel::StkQuery
            | Channel::StkQueryAnswer
            | Channel::InquiryRequest
            | Channel::InquiryAnswer,
        ) => Role::Answer,
    };
    Some(Kept { at, role, http_status, body })
}
