//! What testers do with Daraja: faults, and customers' prompts.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::faults::{self, Rule};
use super::prompts::{LIFE, Said};
use super::{Api, stk};
use crate::sim::Sim;
use crate::sim::control::Wrong;

/// How many open prompts are shown.
const SHOWN_MAX: usize = 1_000;

/// `POST /sim/faults`: lays one down; see [`super::faults`].
pub(in crate::sim) async fn add_fault(
    State(sim): State<Arc<Sim>>,
    rule: Result<Json<Rule>, JsonRejection>,
) -> Response {
    let added = match rule {
        Ok(Json(rule)) => sim.daraja.faults().add(rule),
        Err(fault) => Err(fault.body_text()),
    };
    match added {
        Ok(()) => (StatusCode::CREATED, Json(listed(&sim))).into_response(),
        Err(why) => Wrong::because(why),
    }
}

/// `GET /sim/faults`: those that wait, and what there may be.
pub(in crate::sim) async fn faults(State(sim): State<Arc<Sim>>) -> Json<Value> {
    let mut all = listed(&sim);
    if let Some(fields) = all.as_object_mut() {
        let apis = Api::ALL.into_iter().map(Api::name).chain(["*"]);
        fields.insert("apis".to_owned(), apis.collect());
        fields.insert("faults".to_owned(), faults::names().collect());
    }
    Json(all)
}

/// `DELETE /sim/faults`: takes all of them away.
pub(in crate::sim) async fn clear_faults(State(sim): State<Arc<Sim>>) -> Json<Value> {
    sim.daraja.faults().clear();
    Json(listed(&sim))
}

fn listed(sim: &Sim) -> Value {
    let faults = sim.daraja.faults();
    let line = |(rule, seen): (&Rule, u32)| {
        json!({
            "api": rule.api,
            "nth": rule.nth,
            "times": rule.times,
            "contains": rule.contains,
            "fault": rule.fault,
            "seen": seen,
        })
    };
    let data: Vec<Value> = faults.list().map(line).collect();
    json!({ "data": data })
}

/// `GET /sim/prompts`: those that are open.
pub(in crate::sim) async fn prompts(State(sim): State<Arc<Sim>>) -> Json<Value> {
    let prompts = sim.daraja.prompts();
    let open = prompts.open().take(SHOWN_MAX);
    let data: Vec<Value> = open
        .map(|prompt| {
            json!({
                "checkout_request_id": prompt.checkout,
                "merchant_request_id": prompt.merchant,
                "phone": prompt.phone.reveal(),
                "amount": prompt.amount.to_string(),
                "shortcode": prompt.shortcode.as_str(),
                "payee": prompt.payee.as_str(),
                "account": prompt.account,
                "at": prompt.at.rfc3339(),
            })
        })
        .collect();
    Json(json!({"mode": mode_name(prompts.by_hand), "data": data}))
}

const fn mode_name(by_hand: bool) -> &'static str {
    if by_hand { "manual" } else { "auto" }
}

/// Who answers prompts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sim) struct ModeWanted {
    mode: String,
    delay_ms: Option<u64>,
}

/// `POST /sim/prompts/mode {"mode":"auto"|"manual","delay_ms":1000}`: who answers prompts to come,
/// and after how long they answer themselves.
pub(in crate::sim) async fn mode(
    State(sim): State<Arc<Sim>>,
    wanted: Result<Json<ModeWanted>, JsonRejection>,
) -> Response {
    let wanted = match wanted {
        Ok(Json(wanted)) => wanted,
        Err(fault) => return Wrong::because(fault.body_text()),
    };
    let by_hand = match wanted.mode.as_str() {
        "auto" => false,
        "manual" => true,
        _other => return Wrong::because("mode must be auto or manual"),
    };
    let mut prompts = sim.daraja.prompts();
    prompts.by_hand = by_hand;
    if let Some(millis) = wanted.delay_ms {
        prompts.delay = Some(Duration::from_millis(millis).min(LIFE));
    }
    drop(prompts);
    Json(json!({"mode": mode_name(by_hand)})).into_response()
}

/// What a customer does.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sim) struct Answered {
    answer: String,
}

/// `POST /sim/prompts/{checkout} {"answer":"pin"|"wrong_pin"|"cancel"|"timeout"|"insufficient"}`.
pub(in crate::sim) async fn answer(
    State(sim): State<Arc<Sim>>,
    Path(checkout): Path<String>,
    answered: Result<Json<Answered>, JsonRejection>,
) -> Response {
    let answered = match answered {
        Ok(Json(answered)) => answered,
        Err(fault) => return Wrong::because(fault.body_text()),
    };
    let Some(said) = Said::parse(&answered.answer) else {
        let why = "answer must be pin, wrong_pin, cancel, timeout or insufficient";
        return Wrong::because(why);
    };
    if !stk::answer(&sim, &checkout, said.code()) {
        let body = Json(json!({"error": "no such prompt is open"}));
        return (StatusCode::NOT_FOUND, body).into_response();
    }
    Json(json!({"checkout_request_id": checkout, "answer": answered.answer})).into_response()
}
