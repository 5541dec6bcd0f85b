//! Answers out of a collection of recorded exchanges (docs/fixtures.md): what a request is like is
//! answered as it was, with the live ids, and the recorded callbacks follow. No money moves in the
//! book by it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::time::timeout;

use super::deliver::{Form, Letter, Parcel, Target};
use super::exchange::{Direction, Exchange};
use super::server::HangUp;
use super::{HOLD_MAX, Sim, reply};
use crate::clock::Clock as _;
use crate::clock::hands::Doing;
use crate::fixture::matching::{Call, Played, Player, Unlike};
use crate::fixture::{BODY_BYTES_MAX, Fixture};

/// Where the simulator's own addresses begin.
const OWN: [&str; 2] = ["/sim", "/healthz"];
/// Tokens are secrets, which no collection holds: they are always the simulator's own.
const TOKENS: &str = "/oauth/";
/// The longest that an answer is held back because it once took so long.
const TOOK_MAX: Duration = Duration::from_secs(60);

/// A collection that the simulator answers from.
#[derive(Debug)]
pub struct Collection {
    player: Mutex<Player>,
    only: bool,
}

impl Collection {
    /// These exchanges; with `only`, what is like none of them is refused.
    pub fn new(fixtures: Vec<Fixture>, only: bool) -> Self {
        Self { player: Mutex::new(Player::new(fixtures)), only }
    }

    /// How many requests it can answer.
    pub fn len(&self) -> usize {
        self.player().len()
    }

    /// Whether it can answer none.
    pub fn is_empty(&self) -> bool {
        self.player().is_empty()
    }

    fn player(&self) -> std::sync::MutexGuard<'_, Player> {
        self.player.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Before every route.
pub(super) async fn serve(
    State((sim, collection)): State<(Arc<Sim>, Arc<Collection>)>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    if OWN.iter().chain([&TOKENS]).any(|own| path.starts_with(own)) {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let body = match reply::read(body, BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let played = collection.player().play(head.method.as_str(), &path, &body);
    match played {
        Ok(played) => answer(&sim, &path, &body, played).await,
        Err(Unlike { says, nearest }) if collection.only => {
            tracing::warn!(path, nearest, "nothing recorded is like a request");
            let says = format!("no recorded exchange is like this request: {says}\n");
            let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
            (StatusCode::NOT_IMPLEMENTED, kind, says).into_response()
        }
        Err(Unlike { nearest, .. }) => {
            tracing::debug!(path, nearest, "nothing recorded is like a request");
            next.run(Request::from_parts(head, Body::from(body))).await
        }
    }
}

async fn answer(sim: &Arc<Sim>, path: &str, body: &Bytes, played: Played) -> Response {
    let _work = sim.clock.mark(Doing::Work);
    let Played { name, status, content_type, body: message, took, calls } = played;
    tracing::info!(exchange = name, path, status, "answered as recorded");
    for call in calls {
        follow(sim, call);
    }
    sim.exchanges().push(Exchange {
        seq: 0,
        at: sim.now(),
        direction: Direction::In,
        path: path.to_owned(),
        status,
        request: body.to_vec(),
        response: message.clone(),
        originator_conversation_id: None,
        moved: None,
    });
    let held = sim.clock.mark(Doing::Hold);
    sim.clock.sleep(took.min(TOOK_MAX), "a recorded answer").await;
    let Some(status) = status.and_then(|status| StatusCode::from_u16(status).ok()) else {
        let end = sim.clock.sleep(sim.settings().hold, "the end of a call never answered");
        // Held connections do not pile up while the clock stands.
        drop(timeout(HOLD_MAX, end).await);
        return HangUp.into_response();
    };
    drop(held);
    let mut response = (status, Body::from(message)).into_response();
    if let Ok(kind) = HeaderValue::from_str(&content_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    response
}

/// Sends a recorded call on its way, after its time.
fn follow(sim: &Arc<Sim>, call: Call) {
    let Call { name, url, body, is_json, after } = call;
    let form = if is_json { Form::Json } else { Form::Xml };
    let to = match Target::parse(&url) {
        Ok(to) => to.in_form(form),
        Err(why) => {
            tracing::warn!(exchange = name, why, "a recorded call has nowhere to go");
            return;
        }
    };
    let Some(place) = sim.outbox.place() else {
        tracing::warn!(exchange = name, "too many calls are waiting; a recorded one is left out");
        return;
    };
    let letter = Letter { body: body.into(), wait: Duration::ZERO, only_if_taken: false };
    // Nobody waits for it.
    drop(sim.outbox.send(Parcel {
        to,
        letters: vec![letter],
        originator_conversation_id: name,
        delay: after,
        once: true,
        place,
    }));
}
