//! The time that everything here goes by, and how testers steer it: `GET` and `POST /sim/clock`.
//!
//! To move the clock on is to go from one thing that is due to the next, ours and our followers'
//! alike, each begun and finished before the clock moves further ([`advance`]): three days of
//! retries are as many retries as in three days, at the same times. Gateways in test mode follow by
//! `POST /sim/clock/follow` ([`followers`]).

mod advance;
mod followers;
mod length;
mod wanted;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use self::advance::{Came, Target};
use self::followers::{Followers, Report};
use self::wanted::{Act, Wanted};
use super::Sim;
use super::control::Wrong;
use crate::clock::hands::Doing;
use crate::clock::steered::{Due, Pace};
use crate::clock::{Clock as _, SteeredClock};
use crate::domain::time::Timestamp;

/// How long a follower, or whoever asks with `after`, is kept waiting for news.
const NEWS_MAX: Duration = Duration::from_secs(15);
/// How many waits are listed.
const LISTED_MAX: usize = 100;
/// How often somebody looks whether everything stands still.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Who follows the clock, and whose turn it is to move it.
#[derive(Default)]
pub(super) struct Steering {
    followers: Followers,
    /// Held by him who moves it.
    turn: tokio::sync::Mutex<()>,
}

/// Why the clock is not steered, now or ever.
fn refused(says: &str) -> Response {
    (StatusCode::CONFLICT, Json(json!({"error": says}))).into_response()
}

const NOT_STEERED: &str = "this simulator goes by a clock that nobody can steer";

/// Whoever serves M-Pesa's interfaces is at work.
pub(super) async fn at_work(State(sim): State<Arc<Sim>>, request: Request, next: Next) -> Response {
    let _work = sim.clock.mark(Doing::Work);
    next.run(request).await
}

/// Ends when the clock stands and everybody waits for it to move.
pub(super) async fn stands_still(sim: &Sim) {
    let Some(clock) = sim.clock.steered() else {
        return std::future::pending().await;
    };
    loop {
        sleep(LOOK_EVERY).await;
        let is_moved = sim.steering.turn.try_lock().is_err();
        if clock.pace() == Pace::Stands && !is_moved && clock.hands().are_idle() {
            return;
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClockQuery {
    after: Option<u64>,
}

/// `GET /sim/clock?after=`: what time it is, how it goes on, and what waits for it; with `after`,
/// once its version is another, or after a while.
pub(super) async fn read(
    State(sim): State<Arc<Sim>>,
    query: Result<Query<ClockQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(fault) => return Wrong::because(fault.body_text()),
    };
    let Some(clock) = sim.clock.steered() else {
        return refused(NOT_STEERED);
    };
    if let Some(seen) = query.after {
        news(clock, seen).await;
    }
    Json(view(&sim, clock)).into_response()
}

/// Waits until the version is not `seen`, or for a while.
async fn news(clock: &SteeredClock, seen: u64) {
    let mut versions = clock.versions();
    // An error says that it took too long, or that the clock is gone.
    drop(timeout(NEWS_MAX, versions.wait_for(|version| *version != seen)).await);
}

fn view(sim: &Sim, clock: &SteeredClock) -> Value {
    let (reading, (due, waiting)) = (clock.reading(), clock.agenda(LISTED_MAX));
    let mut view = told(reading.now, clock.pace());
    let more = json!({
        "version": reading.version,
        "is_moved": sim.steering.turn.try_lock().is_err(),
        "waiting": waiting,
        "waits": due.iter().map(line).collect::<Vec<_>>(),
        "followers": sim.steering.followers.view(),
    });
    extend(&mut view, more);
    view
}

fn extend(view: &mut Value, more: Value) {
    if let (Some(view), Value::Object(more)) = (view.as_object_mut(), more) {
        view.extend(more);
    }
}

/// The time, and how it goes on.
fn told(now: Timestamp, pace: Pace) -> Value {
    let (mode, speed) = match pace {
        Pace::Stands => ("stands", 0),
        Pace::Runs(speed) => ("runs", speed),
    };
    json!({
        "now": now.rfc3339(),
        "east_africa": now.east_africa_screen(),
        "mode": mode,
        "speed": speed,
    })
}

fn line(due: &Due) -> Value {
    json!({"until": due.at.rfc3339(), "what": due.what})
}

/// `POST /sim/clock`: moves it on, or says how it is to go on. It is answered when all that became
/// due is done.
pub(super) async fn steer(
    State(sim): State<Arc<Sim>>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Response {
    let Some(clock) = sim.clock.steered() else {
        return refused(NOT_STEERED);
    };
    let wanted = match wanted {
        Ok(Json(wanted)) => wanted.read(clock.now()),
        Err(fault) => Err(fault.body_text()),
    };
    let (act, how) = match wanted {
        Ok(wanted) => wanted,
        Err(why) => return Wrong::because(why),
    };
    let Ok(_turn) = sim.steering.turn.try_lock() else {
        let says = "the clock is being moved: GET /sim/clock says how far it is";
        return refused(says);
    };
    let target = match act {
        Act::Go(pace) => {
            clock.set_pace(pace);
            tracing::info!(?pace, now = %clock.now(), "the clock goes on as testers say");
            return Json(view(&sim, clock)).into_response();
        }
        Act::Next => Target::Next,
        Act::To(to) => Target::At(to),
    };
    let from = clock.now();
    let came = advance::advance(clock, &sim.steering.followers, target, how).await;
    tracing::info!(%from, now = %clock.now(), steps = came.steps, why = came.why.as_deref(),
        "the clock was moved on");
    Json(answer(clock, from, &came)).into_response()
}

/// How far it came.
fn answer(clock: &SteeredClock, from: Timestamp, came: &Came) -> Value {
    let mut view = told(clock.now(), clock.pace());
    let begun = came
        .begun
        .iter()
        .map(|begun| json!({"at": begun.at.rfc3339(), "what": begun.what, "whose": begun.whose}));
    let more = json!({
        "from": from.rfc3339(),
        "target": came.target.rfc3339(),
        "arrived": came.why.is_none(),
        "why": came.why,
        "steps": came.steps,
        "begun": begun.collect::<Vec<_>>(),
    });
    extend(&mut view, more);
    view
}

/// `POST /sim/clock/follow`: a follower says where it is, and is told what time it is as soon as
/// that is news to it.
pub(super) async fn follow(
    State(sim): State<Arc<Sim>>,
    report: Result<Json<Report>, JsonRejection>,
) -> Response {
    let Some(clock) = sim.clock.steered() else {
        return refused(NOT_STEERED);
    };
    let report = match report {
        Ok(Json(report)) => report,
        Err(fault) => return Wrong::because(fault.body_text()),
    };
    let (seen, is_quiet) = (report.seen, report.quiet);
    let listening = match sim.steering.followers.hear(report) {
        Ok(listening) => listening,
        Err(why) => return Wrong::because(why),
    };
    if is_quiet {
        news(clock, seen).await;
    }
    listening.answered();
    let reading = clock.reading();
    let speed = if let Pace::Runs(speed) = reading.pace { speed } else { 0 };
    Json(json!({
        "now": reading.now.rfc3339(),
        "speed": speed,
        "version": reading.version,
    }))
    .into_response()
}
