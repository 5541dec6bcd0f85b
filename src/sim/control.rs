//! What testers ask the simulator: what was really paid, and what went over the wire.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Sim;
use super::book::{Moved, Movement, Received};
use super::customer::Urls;
use super::exchange::{Exchange, masked};
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, ShortCode};
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
    pub(super) fn because(error: impl ToString) -> Response {
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
    receipt: Option<String>,
}

#[derive(Debug, Serialize)]
struct LedgerLine {
    seq: u64,
    at: String,
    /// `out` or `in`: from where the organisation stands.
    direction: &'static str,
    kind: &'static str,
    originator_conversation_id: String,
    conversation_id: String,
    receipt: String,
    phone: Option<String>,
    amount: String,
    command: &'static str,
    balance: String,
    /// Which of the organisation's short codes, but for payouts, which have one account.
    shortcode: Option<String>,
    /// The other organisation.
    party: Option<String>,
    account: Option<String>,
    /// What a reversal gave back.
    reverses: Option<String>,
    reversed_by: Option<String>,
}

impl From<Moved> for LedgerLine {
    fn from(moved: Moved) -> Self {
        let (mut shortcode, mut party, mut account, mut reverses) = (None, None, None, None);
        match &moved.movement {
            Movement::Payout(_) => {}
            Movement::Deposit(deposit) => {
                shortcode = Some(deposit.shortcode.to_string());
                account = Some(deposit.account.clone());
            }
            Movement::Business(business) => {
                shortcode = Some(business.from.to_string());
                party = Some(business.to.to_string());
                account = Some(business.account.clone());
            }
            Movement::Reversal(reversal) => {
                shortcode = Some(reversal.shortcode.to_string());
                reverses = Some(reversal.receipt.clone());
            }
        }
        let is_in = matches!(moved.movement, Movement::Deposit(_));
        Self {
            seq: moved.seq,
            at: moved.at.rfc3339(),
            direction: if is_in { "in" } else { "out" },
            kind: moved.movement.kind(),
            originator_conversation_id: moved.originator_conversation_id.to_string(),
            conversation_id: moved.conversation_id,
            receipt: moved.receipt,
            phone: moved.phone.map(Msisdn::reveal),
            amount: moved.movement.amount().to_string(),
            command: moved.movement.command(),
            balance: moved.balance.to_string(),
            shortcode,
            party,
            account,
            reverses,
            reversed_by: moved.reversed_by,
        }
    }
}

/// `GET /sim/ledger?after=&limit=`, `?originator_conversation_id=` and `?receipt=`: what really
/// moved, payouts and customers' payments alike.
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
    let one = match (&query.originator_conversation_id, &query.receipt) {
        (Some(id), _) => Some(book.find_moved(id)),
        (None, Some(receipt)) => Some(book.by_receipt(receipt)),
        (None, None) => None,
    };
    let is_list = one.is_none();
    let entries = match one {
        Some(found) => found.into_iter().collect(),
        None => book.movements(query.after.unwrap_or(0), limit),
    };
    let (total_paid, payments, balance) = (book.total_paid(), book.payments(), book.balance());
    let (received, reversed) = (book.total_received(), book.total_reversed());
    drop(book);
    let last = entries.last().map(|entry| entry.seq);
    let more = is_list && entries.len() == limit;
    let data: Vec<LedgerLine> = entries.into_iter().map(LedgerLine::from).collect();
    Json(serde_json::json!({
        "data": data,
        "next_cursor": last.filter(|_| more).map(|seq| seq.to_string()),
        "payments": payments,
        "total_paid": total_paid.to_string(),
        "balance": balance.to_string(),
        "total_received": received.to_string(),
        "total_reversed": reversed.to_string(),
    }))
    .into_response()
}

/// `GET /sim/urls`: the addresses that are registered.
pub(super) async fn urls(State(sim): State<Arc<Sim>>) -> Json<serde_json::Value> {
    let urls = sim.urls();
    let line = |(shortcode, urls): (&ShortCode, &Urls)| {
        let validation = urls.validation.as_ref().map(ToString::to_string);
        serde_json::json!({
            "shortcode": shortcode.as_str(),
            "version": urls.version.as_str(),
            "response_type": format!("{:?}", urls.otherwise),
            "validation": validation.as_deref().map(mask_tokens),
            "confirmation": mask_tokens(&urls.confirmation.to_string()),
        })
    };
    let data: Vec<serde_json::Value> = urls.iter().map(line).collect();
    Json(serde_json::json!({ "data": data }))
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

/// `GET /sim/accounts?after=&limit=`: the organisation's accounts, and each phone that received
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
    sim.settle_floats();
    let book = sim.book();
    let recipients = book.recipients(after, limit);
    let (opening, balance) = (book.opening(), book.balance());
    let working = book.all_working();
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
    let held = |(shortcode, held): &(ShortCode, Amount)| {
        serde_json::json!({
            "shortcode": shortcode.as_str(),
            "balance": held.to_string(),
        })
    };
    Json(serde_json::json!({
        "utility": {
            "shortcode": sim.settings().shortcode.as_str(),
            "opening": opening.to_string(),
            "balance": balance.to_string(),
        },
        "working": working.iter().map(held).collect::<Vec<_>>(),
        "recipients": recipients.iter().map(line).collect::<Vec<_>>(),
        "next_cursor": last.filter(|_| more),
    }))
    .into_response()
}
