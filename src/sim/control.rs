//! What testers ask the simulator: what was really paid, and what went over the wire.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Sim;
use super::book::{Entry, Received};
use super::exchange::{Exchange, masked};
use crate::domain::party::Msisdn;
use crate::soap::redact::mask_tokens;

/// How many entries a list holds when nobody says.
const LIMIT: usize = 1_000;
/// How many entries a list holds at most.
const LIMIT_MAX: usize = 10_000;

/// Why a question cannot be answered, as JSON.
#[derive(Debug, Serialize)]
pub(super) struct Wrong {
    error: String,
}

impl Wrong {
    fn because(error: impl ToString) -> Response {
        let body = Json(Self { error: error.to_string() });
        (StatusCode::BAD_REQUEST, body).into_response()
    }
}

fn limit(asked: Option<usize>) -> usize {
    asked.unwrap_or(LIMIT).clamp(1, LIMIT_MAX)
}

/// `GET /healthz`: it is alive.
pub(super) async fn healthz() -> Json<serde_json::Value> {
    Json(serde_json::json!({"status": "ok"}))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LedgerQuery {
    after: Option<u64>,
    limit: Option<usize>,
    originator_conversation_id: Option<String>,
}

#[derive(Debug, Serialize)]
struct LedgerLine {
    seq: u64,
    at: String,
    originator_conversation_id: String,
    conversation_id: String,
    receipt: String,
    phone: String,
    amount: String,
    command: &'static str,
    balance: String,
}

impl From<Entry> for LedgerLine {
    fn from(entry: Entry) -> Self {
        Self {
            seq: entry.seq,
            at: entry.at.rfc3339(),
            originator_conversation_id: entry.originator_conversation_id.to_string(),
            conversation_id: entry.conversation_id,
            receipt: entry.receipt,
            phone: entry.phone.reveal(),
            amount: entry.amount.to_string(),
            command: entry.command.as_str(),
            balance: entry.balance.to_string(),
        }
    }
}

/// `GET /sim/ledger?after=&limit=` and `?originator_conversation_id=`: what was really paid.
pub(super) async fn ledger(
    State(sim): State<Arc<Sim>>,
    query: Result<Query<LedgerQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(fault) => return Wrong::because(fault.body_text()),
    };
    let limit = limit(query.limit);
    let book = sim.book();
    let entries = match &query.originator_conversation_id {
        Some(id) => book.find(id).into_iter().collect(),
        None => book.entries(query.after.unwrap_or(0), limit),
    };
    let (total_paid, payments) = (book.total_paid(), book.payments());
    let balance = book.balance();
    drop(book);
    let last = entries.last().map(|entry| entry.seq);
    let more = query.originator_conversation_id.is_none() && entries.len() == limit;
    let data: Vec<LedgerLine> = entries.into_iter().map(LedgerLine::from).collect();
    Json(serde_json::json!({
        "data": data,
        "next_cursor": last.filter(|_| more).map(|seq| seq.to_string()),
        "payments": payments,
        "total_paid": total_paid.to_string(),
        "balance": balance.to_string(),
    }))
    .into_response()
}

#[derive(Debug, Serialize)]
struct ExchangeLine {
    seq: u64,
    at: String,
    direction: &'static str,
    path: String,
    status: Option<u16>,
    originator_conversation_id: Option<String>,
    request: String,
    response: String,
}

impl From<&Exchange> for ExchangeLine {
    fn from(exchange: &Exchange) -> Self {
        Self {
            seq: exchange.seq,
            at: exchange.at.rfc3339(),
            direction: exchange.direction.as_str(),
            path: mask_tokens(&exchange.path).into_owned(),
            status: exchange.status,
            originator_conversation_id: exchange.originator_conversation_id.clone(),
            request: masked(&exchange.request),
            response: masked(&exchange.response),
        }
    }
}

/// `GET /sim/exchanges?after=&limit=&originator_conversation_id=`: the last messages, secrets
/// masked.
pub(super) async fn exchanges(
    State(sim): State<Arc<Sim>>,
    query: Result<Query<LedgerQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(fault) => return Wrong::because(fault.body_text()),
    };
    let limit = limit(query.limit);
    let id = query.originator_conversation_id.as_deref();
    let listed = sim.exchanges().list(query.after.unwrap_or(0), limit, id);
    let more = listed.len() == limit;
    let last = listed.last().map(|exchange| exchange.seq);
    let data: Vec<ExchangeLine> =
        listed.iter().map(|exchange| ExchangeLine::from(exchange.as_ref())).collect();
    Json(serde_json::json!({
        "data": data,
        "next_cursor": last.filter(|_| more).map(|seq| seq.to_string()),
    }))
    .into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountsQuery {
    after: Option<String>,
    limit: Option<usize>,
}

/// `GET /sim/accounts?after=&limit=`: the organisation's account, and each phone that received
/// something; `after` is a phone.
pub(super) async fn accounts(
    State(sim): State<Arc<Sim>>,
    query: Result<Query<AccountsQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(fault) => return Wrong::because(fault.body_text()),
    };
    let after: Option<Msisdn> = match query.after.as_deref().map(str::parse).transpose() {
        Ok(after) => after,
        Err(fault) => return Wrong::because(format!("after {fault}")),
    };
    let limit = limit(query.limit);
    let book = sim.book();
    let recipients = book.recipients(after, limit);
    let (opening, balance) = (book.opening(), book.balance());
    drop(book);
    let more = recipients.len() == limit;
    let last = recipients.last().map(|(phone, _)| phone.reveal());
    let line = |(phone, received): &(Msisdn, Received)| {
        serde_json::json!({
            "phone": phone.reveal(),
            "received": received.total.to_string(),
            "payments": received.payments,
        })
    };
    Json(serde_json::json!({
        "utility": {
            "shortcode": sim.settings().shortcode.as_str(),
            "opening": opening.to_string(),
            "balance": balance.to_string(),
        },
        "recipients": recipients.iter().map(line).collect::<Vec<_>>(),
        "next_cursor": last.filter(|_| more),
    }))
    .into_response()
}
