//! What is answered to a request, and how: at once, late, never, or by hanging up.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::exchange::{Direction, Exchange};
use super::script::Answer;
use super::server::HangUp;
use super::{HOLD_MAX, Sim};
use crate::clock::Clock as _;
use crate::clock::hands::Doing;
use crate::domain::time::Timestamp;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// How long an answer waits for the result that is to come before it.
const RESULT_FIRST_MAX: Duration = Duration::from_secs(5);
/// `Content-Type` of a web page where an answer should be.
pub(super) const HTML: &str = "text/html";
/// Such a page.
pub(super) const PAGE: &[u8] = b"<!DOCTYPE html><html><head><title>Please wait</title></head>\
<body><h1>The service is being restarted</h1></body></html>";

/// Reads a body that is neither longer nor slower than it may be.
///
/// # Errors
/// The status to answer.
pub(super) async fn read(body: Body, most: usize) -> Result<Bytes, StatusCode> {
    match timeout(BODY_TIMEOUT, to_bytes(body, most)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_too_long_or_broken)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_elapsed) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// What is answered, and how.
#[derive(Debug)]
pub(super) struct Reply {
    /// Whether and when; what is to stand in the answer's place stands in `message` already.
    pub(super) answer: Answer,
    pub(super) status: StatusCode,
    pub(super) content_type: &'static str,
    pub(super) message: Vec<u8>,
    /// Resolves when the result that is to come first has been tried.
    pub(super) after_result: Option<oneshot::Receiver<()>>,
}

/// What was asked, for the record.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) at: Timestamp,
    pub(super) path: &'a str,
    pub(super) body: &'a [u8],
    /// Which payment it was about, where that could be read.
    pub(super) about: Option<String>,
    /// How many movements the ledger held when it came.
    pub(super) since: u64,
}

impl Reply {
    /// Keeps the exchange.
    pub(super) fn keep(&self, sim: &Sim, request: Request<'_>) {
        let answered = !matches!(self.answer, Answer::Never | Answer::Drop);
        let id = request.about.as_deref();
        let moved = id.and_then(|id| sim.book().find_moved(id));
        let moved = moved.filter(|moved| moved.seq > request.since).map(Box::new);
        sim.exchanges().push(Exchange {
            seq: 0,
            at: request.at,
            direction: Direction::In,
            path: request.path.to_owned(),
            status: answered.then_some(self.status.as_u16()),
            request: request.body.to_vec(),
            response: if answered {
                self.message.clone()
            } else {
                b"no answer, as the script says".to_vec()
            },
            originator_conversation_id: request.about,
            moved,
        });
    }

    /// Answers, or does not.
    pub(super) async fn send(self, sim: &Sim) -> Response {
        if let Some(first) = self.after_result {
            let _held = (sim.clock.mark(Doing::Hold), sim.clock.mark(Doing::Rest));
            // Whether it was delivered or not: the answer follows.
            drop(timeout(RESULT_FIRST_MAX, first).await);
        }
        match self.answer {
            Answer::Now | Answer::Garbage(_) | Answer::Instead(_) => {}
            Answer::After(delay) => {
                let _held = sim.clock.mark(Doing::Hold);
                sim.clock.sleep(delay, "a late answer").await;
            }
            Answer::Never => {
                let _held = sim.clock.mark(Doing::Hold);
                let held = sim.clock.sleep(sim.settings().hold, "the end of a call never answered");
                // Held connections do not pile up while the clock stands.
                drop(timeout(HOLD_MAX, held).await);
                return HangUp.into_response();
            }
            Answer::Drop => return HangUp.into_response(),
        }
        let headers = [(header::CONTENT_TYPE, self.content_type)];
        (self.status, headers, Body::from(self.message)).into_response()
    }
}
