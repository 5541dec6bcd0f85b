//! What an operator's machines ask.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use super::{Answer, Ask, json};
use crate::clock::Clock as _;
use crate::domain::payout::{Rail, Status};
use crate::domain::time::Timestamp;
use crate::engine::port::LinkState;
use crate::engine::{Engine, RailState};
use crate::http::openapi::document;
use crate::http::router::INSIDERS;
use crate::store::Health;
use crate::telemetry::metric;

/// Whether the gateway can do its work.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    ready: bool,
    /// Why not, one sentence each; empty when it is.
    reasons: Vec<String>,
    /// What does not keep it from its work and is worth knowing, one sentence each.
    notes: Vec<String>,
}

/// `GET /healthz`: alive, whatever its state.
pub(in crate::http) async fn health(_ask: Ask) -> Answer {
    Ok(text("text/plain; charset=utf-8", Bytes::from_static(b"ok\n")))
}

/// `GET /readyz`: 503 when payouts cannot be taken and sent.
pub(in crate::http) async fn ready(ask: Ask) -> Answer {
    let mut reasons = reasons(&ask.api.engine);
    if ask.api.shutdown.is_cancelled() {
        reasons.push("the gateway is shutting down".to_owned());
    }
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut notes = link_notes(&ask.api.engine);
    notes.extend(ask.api.notes.all());
    let now = ask.api.engine.clock().now();
    let insider = || ask.api.apps.admit(&ask.parts.headers, INSIDERS, now).is_ok();
    if !ask.open_metrics && !insider() {
        // Ready or not is what a load balancer must know; why is for who runs the gateway.
        if !reasons.is_empty() {
            reasons = vec!["a key with read:all or admin is told why".to_owned()];
        }
        notes.clear();
    }
    let view = Readiness { ready: reasons.is_empty(), reasons, notes };
    let mut answer = json(status, &view)?;
    let fresh = HeaderValue::from_static("no-store");
    answer.headers_mut().insert(CACHE_CONTROL, fresh);
    Ok(answer)
}

/// What slows sending down, or keeps it from being sent for now.
pub(in crate::http) fn link_notes(engine: &Engine) -> Vec<String> {
    let now = engine.clock().now();
    let states = engine.rail_states();
    let steered = engine.clock().steered().map(|clock| {
        format!(
            "TEST CLOCK: this gateway goes by a clock that testers steer, which says {}; it is \
                 not for real money",
            clock.reading().now
        )
    });
    let notes = states.iter().flat_map(|(rail, state)| notes(*rail, state, now));
    let links = engine.links();
    let notes = steered.into_iter().chain(notes);
    notes.chain(links.iter().filter_map(|(rail, link)| down(*rail, link))).collect()
}

/// Why the gateway cannot do its work; empty when it can.
pub(in crate::http) fn reasons(engine: &Engine) -> Vec<String> {
    let mut reasons = Vec::new();
    match engine.store().health() {
        Health::Ready => {}
        // What failed, with its path, is in the log: anybody may ask here.
        Health::Failed(_why) => reasons.push(
            "the store failed (the log says how); nothing is taken, sent or acknowledged until the \
             gateway is restarted"
                .to_owned(),
        ),
        Health::Closed => reasons.push("the store is closed".to_owned()),
    }
    let rails = engine.rail_states();
    if let Some(part) = rails.iter().find_map(|(_rail, state)| state.ended) {
        reasons.push(format!(
            "a part of the gateway ended, through a bug of its own ({part}); nothing is sent until \
             the gateway is restarted"
        ));
    }
    for (rail, state) in rails {
        if let Some(stop) = state.refused {
            reasons.push(format!(
                "sending is stopped, because M-Pesa refused our credentials with code {}; payouts \
                 and results are still taken; correct the credentials, then \
                 `mlango rails resume {rail}`",
                stop.code
            ));
        }
    }
    reasons
}

/// What slows sending down. The gateway is ready all the same: payouts are taken, and wait.
fn notes(rail: Rail, state: &RailState, now: Timestamp) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(pause) = &state.paused {
        // Anybody may ask: who paused it and why is for `GET /v1/rails`.
        notes.push(format!(
            "sending is paused by hand since {}; payouts and results are taken, and payouts wait \
             until `mlango rails resume {rail}`",
            pause.at
        ));
    }
    if state.busy > 0 {
        let times = state.busy;
        let pause = state.slowed_until.filter(|until| *until > now);
        let until =
            pause.map_or_else(String::new, |until| format!("; nothing is sent before {until}"));
        notes.push(format!(
            "M-Pesa was too busy or could not be reached ({times} in a row){until}; payouts are \
             taken and wait"
        ));
    }
    notes
}

/// That the way is closed. Why is for `GET /v1/rails`: anybody may ask here.
fn down(rail: Rail, link: &LinkState) -> Option<String> {
    let stage = link.failure.as_ref().map(|failure| failure.stage.as_str());
    let since = link.since.filter(|_since| link.up == Some(false))?;
    Some(format!(
        "M-Pesa cannot be reached by the rail {rail} since {since} (it comes as far as {}); payouts \
         are taken and wait, and go by themselves when it can",
        stage.unwrap_or("nothing")
    ))
}

/// `GET /metrics`.
pub(in crate::http) async fn metrics(ask: Ask) -> Answer {
    let api = &ask.api;
    let counts = api.engine.store().counts();
    // What is final only grows; how much there is of it is not news.
    for status in Status::ALL.iter().filter(|status| !status.is_final()) {
        metric::PAYOUTS.with([status.as_str()]).set(counts.of(*status));
    }
    let doubt = counts.in_doubt().cents().checked_div(100);
    metric::SHILLINGS_IN_DOUBT.with([]).set(doubt.unwrap_or_default());
    metric::OPEN_CASES.with([]).set(counts.open_cases());
    let failed = matches!(api.engine.store().health(), Health::Failed(_));
    metric::STORE_FAILED.with([]).set(u64::from(failed));
    match api.engine.oldest_unknown().await {
        Ok(oldest) => {
            let now = api.engine.clock().now();
            let since = oldest.map(|(_id, since)| now.since(since).as_secs());
            metric::OLDEST_UNKNOWN_SECONDS.with([]).set(since.unwrap_or_default());
        }
        // The others are worth showing all the same.
        Err(error) => tracing::warn!(%error, "the oldest payout in doubt could not be read"),
    }
    let last = api.engine.store().last_backup();
    if let Some(age) = last.and_then(|last| last.age_seconds(api.engine.clock().now())) {
        metric::BACKUP_AGE_SECONDS.with([]).set(age);
    }
    for (rail, state) in api.engine.rail_states() {
        let stopped = state.refused.is_some() || state.paused.is_some();
        metric::RAIL_STOPPED.with([rail.as_str()]).set(u64::from(stopped));
    }
    let media_type = "text/plain; version=0.0.4; charset=utf-8";
    Ok(text(media_type, metric::render().into()))
}

/// `GET /openapi.json`.
pub(in crate::http) async fn openapi(_ask: Ask) -> Answer {
    static DOCUMENT: LazyLock<Bytes> =
        LazyLock::new(|| serde_json::to_vec(&document()).unwrap_or_default().into());
    Ok(text("application/json", DOCUMENT.clone()))
}

fn text(media_type: &'static str, bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    let media_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Pause;

    const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);

    #[test]
    fn a_slowed_or_paused_rail_is_a_note() {
        let by = "Wanjiru".to_owned();
        let pause = Pause { at: NOW, by, reason: "a secret audit".to_owned() };
        let paused = RailState { paused: Some(pause), ..RailState::default() };
        let said = notes(Rail::Soap, &paused, NOW).concat();
        assert!(said.contains("paused by hand since 2024-01-02T03:04:05.000Z"), "{said}");
        assert!(!said.contains("Wanjiru") && !said.contains("audit"), "{said}");
        assert!(notes(Rail::Soap, &RailState::default(), NOW).is_empty());
        let until = Timestamp::from_millis(1_704_164_649_000);
        let slowed = RailState { slowed_until: Some(until), busy: 3, ..RailState::default() };
        let said = notes(Rail::Soap, &slowed, NOW).concat();
        assert!(said.contains("could not be reached (3 in a row)"), "{said}");
        assert!(said.contains("nothing is sent before 2024-01-02T03:04:09.000Z"), "{said}");
        // The pause is over, and nothing was taken since.
        let said = notes(Rail::Soap, &slowed, until).concat();
        assert!(said.contains("3 in a row") && !said.contains("before"), "{said}");
    }
}
