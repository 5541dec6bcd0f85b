//! `/sim/scenarios`: which scenario is active, and what it met.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::stage::Line;
use super::{BYTES_MAX, Faults, Scenario, ready};
use crate::sim::Sim;
use crate::sim::reply;

/// `GET /sim/scenarios`: what is active and what its rules met, and what there is besides.
pub(in crate::sim) async fn current(State(sim): State<Arc<Sim>>) -> Json<Value> {
    Json(listed(&sim))
}

/// `DELETE /sim/scenarios`: none from now on.
pub(in crate::sim) async fn stop(State(sim): State<Arc<Sim>>) -> Json<Value> {
    sim.play(None);
    Json(listed(&sim))
}

/// `POST /sim/scenarios`: this one from now on, from its beginning. TOML, or JSON: a scenario, or
/// `{"scenario":"NAME"}` for one that ships.
pub(in crate::sim) async fn play(State(sim): State<Arc<Sim>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = match reply::read(body, BYTES_MAX).await {
        Ok(body) => body,
        Err(status) => return refused(status, format!("{BYTES_MAX} bytes are the most"), &[]),
    };
    let Ok(text) = std::str::from_utf8(&body) else {
        return refused(StatusCode::BAD_REQUEST, "the scenario is not UTF-8".to_owned(), &[]);
    };
    let kind = head.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let is_json = kind.is_some_and(|kind| kind.contains("json")) || text.trim().starts_with('{');
    match read(text, is_json) {
        Ok(scenario) => {
            sim.play(Some(scenario));
            Json(listed(&sim)).into_response()
        }
        Err(Refused::Faults(Faults(faults))) => {
            let error = "the scenario is not usable".to_owned();
            let rows: Vec<Value> = faults
                .iter()
                .map(|fault| json!({"line": fault.line, "key": fault.key, "what": fault.what}))
                .collect();
            refused(StatusCode::BAD_REQUEST, error, &rows)
        }
        Err(Refused::Unknown(why)) => refused(StatusCode::NOT_FOUND, why, &[]),
    }
}

enum Refused {
    Faults(Faults),
    Unknown(String),
}

fn read(text: &str, is_json: bool) -> Result<Scenario, Refused> {
    if !is_json {
        return Scenario::parse(text).map_err(Refused::Faults);
    }
    match by_name(text) {
        Some(name) => ready::scenario(&name)
            .ok_or_else(|| Refused::Unknown(ready::unknown(&name)))?
            .map_err(Refused::Faults),
        None => Scenario::parse_json(text).map_err(Refused::Faults),
    }
}

/// The name in `{"scenario":"NAME"}`.
fn by_name(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    let object = value.as_object().filter(|object| object.len() == 1)?;
    object.get("scenario")?.as_str().map(str::to_owned)
}

fn refused(status: StatusCode, error: String, faults: &[Value]) -> Response {
    (status, Json(json!({"error": error, "errors": faults}))).into_response()
}

fn listed(sim: &Sim) -> Value {
    let current = sim.stage.current();
    let active = current.as_ref().map(|current| {
        json!({
            "name": current.scenario.name,
            "says": current.scenario.says,
            "since": current.since.rfc3339(),
        })
    });
    let lines = current.map(|current| current.lines).unwrap_or_default();
    let line = |(nth, line): (usize, &Line)| {
        json!({
            "rule": nth,
            "name": line.rule.name,
            "when": line.rule.written.get("when"),
            "then": line.rule.written.get("then"),
            "met": line.met,
            "hits": line.hits,
        })
    };
    let rules: Vec<Value> = (1_usize..).zip(&lines).map(line).collect();
    let ready: Vec<Value> =
        ready::all().map(|(name, says)| json!({"name": name, "says": says})).collect();
    json!({"active": active, "rules": rules, "ready_made": ready})
}
