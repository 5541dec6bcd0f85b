//! References that somebody is expected to pay: a list in JSON or CSV, taken whole or not at all.

use std::borrow::Cow;
use std::collections::HashMap;

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::fields::{Fields, Need, shown};
use super::json::Json;
use super::{Answer, Ask, Caller, FieldFault, Problem, actor, json, list};
use crate::daraja::rules;
use crate::domain::id::AppId;
use crate::domain::payment::validation::{Expected, Times, account_key};
use crate::domain::time::Timestamp;
use crate::engine::NotApplied;
use crate::engine::audit::{Act, Deed};
use crate::http::problem::Code;
use crate::store::Store;

/// The most references that one request brings.
pub(in crate::http) const ROWS_MAX: usize = 10_000;
/// The longest body: that many rows, with every field at its longest.
pub(in crate::http) const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// The fields of a row, which are also the columns of a file.
pub(in crate::http) const EXPECTED_FIELDS: [&str; 5] =
    ["reference", "amount", "phone", "expires_at", "times"];

/// What was taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct Taken {
    /// How many references.
    taken: usize,
}

/// The fields of a row and their values.
type Row<'a> = Vec<(Cow<'a, str>, Json<'a>)>;

/// `POST /v1/c2b/expected-references`.
pub(in crate::http) async fn expect(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let rows = if says_csv(&ask.parts.headers) { in_csv(&ask.body)? } else { in_json(&ask.body)? };
    let expected = read(rows, caller.app)?;
    let before = known(ask.api.engine.store().as_ref(), caller.app, &expected).await?;
    let taken = expected.len();
    let act = Act {
        deed: Deed::ReferencesExpected,
        what: format!("{taken} references that are expected to be paid brought in"),
        before: format!("{before} of them expected"),
        after: format!("{taken} of them expected"),
    };
    let by = actor(caller, &ask).await?;
    ask.api.engine.expect(expected, Some((&by, &act))).await?;
    json(StatusCode::OK, &Taken { taken })
}

/// Whether a body is said to be CSV.
pub(in crate::http) fn says_csv(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = value.and_then(|value| value.split(';').next()).unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case("text/csv")
}

fn in_json(body: &[u8]) -> Result<Vec<Row<'_>>, Problem> {
    let rows: Vec<Json<'_>> = serde_json::from_slice(body).map_err(|error| {
        let detail = format!("The body is no JSON list: {error}. Nothing was done.");
        Problem::new(Code::InvalidJson, detail)
    })?;
    bounded(rows.len())?;
    let rows = rows.into_iter().enumerate().map(|(number, row)| {
        let kind = row.kind();
        if let Json::Object(row) = row {
            return Ok(row);
        }
        let message = format!("must be an object, not {kind}");
        Err(FieldFault::new(format!("[{number}]"), message))
    });
    let mut faults = Vec::new();
    let rows: Vec<Row<'_>> =
        rows.filter_map(|row| row.map_err(|fault| faults.push(fault)).ok()).collect();
    if faults.is_empty() { Ok(rows) } else { Err(Problem::fields(faults)) }
}

/// A file whose first line names its columns, in any order; empty values are none.
fn in_csv(body: &[u8]) -> Result<Vec<Row<'static>>, Problem> {
    let unreadable = |error: csv::Error| {
        Problem::new(
            Code::InvalidJson,
            format!("The CSV cannot be read: {error}. Nothing was done."),
        )
    };
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(body);
    let header = reader.headers().map_err(unreadable)?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        bounded(rows.len().saturating_add(1))?;
        let cells = header.iter().zip(record.iter());
        let filled = cells.filter(|(_name, value)| !value.is_empty());
        // A cell of spaces and a byte order mark before the first column say nothing.
        let name = |name: &str| name.trim_start_matches('\u{feff}').to_owned();
        rows.push(
            filled
                .map(|(column, value)| (name(column).into(), Json::Text(value.to_owned().into())))
                .collect(),
        );
    }
    // What a row holds is looked at with the row; where there is none, the head line says it all.
    let is_known = |name: &str| EXPECTED_FIELDS.contains(&name.trim_start_matches('\u{feff}'));
    match header.iter().find(|name| !is_known(name)) {
        Some(unknown) if rows.is_empty() => Err(no_such_column(unknown)),
        Some(_) | None => Ok(rows),
    }
}

fn no_such_column(name: &str) -> Problem {
    let message = format!("is no column here; the columns are {}", EXPECTED_FIELDS.join(", "));
    Problem::fields(vec![FieldFault::new(shown(name), message)])
}

fn bounded(rows: usize) -> Result<(), Problem> {
    if rows <= ROWS_MAX {
        return Ok(());
    }
    let detail = format!("At most {ROWS_MAX} references may come at once. Nothing was done.");
    Err(Problem::new(Code::BodyTooLarge, detail))
}

/// Every row, or every fault of every row.
fn read(rows: Vec<Row<'_>>, app: AppId) -> Result<Vec<Expected>, Problem> {
    let mut faults = Vec::new();
    let mut seen: HashMap<String, usize> = HashMap::with_capacity(rows.len());
    let mut expected = Vec::with_capacity(rows.len());
    for (number, row) in rows.into_iter().enumerate() {
        match row_of(row, app, number) {
            Ok(row) => {
                if let Some(first) = seen.insert(account_key(&row.reference), number) {
                    let message = format!("stands in [{first}] already");
                    faults.push(FieldFault::new(format!("[{number}].reference"), message));
                }
                expected.push(row);
            }
            Err(mut more) => faults.append(&mut more),
        }
    }
    if faults.is_empty() { Ok(expected) } else { Err(Problem::fields(faults)) }
}

fn row_of(row: Row<'_>, app: AppId, number: usize) -> Result<Expected, Vec<FieldFault>> {
    let mut fields = Fields::of(row, &EXPECTED_FIELDS);
    let reference = fields.ruled("reference", Need::Must, rules::bill_ref);
    let amount = fields.money_if_given("amount", rules::Limits::default().payments);
    let phone = fields.phone_if_given("phone");
    let expires_at = fields.time_if_given("expires_at");
    let times = fields.one_of("times", &[Times::Once, Times::Many], |times| match times {
        Times::Once => "once",
        Times::Many => "many",
    });
    let expected = Expected {
        reference,
        amount,
        phone,
        expires_at,
        times: times.unwrap_or(Times::Once),
        paid: 0,
        app: Some(app),
        third_party_id: None,
    };
    fields.done_in(&format!("[{number}]"), Some(expected))
}

impl Fields<'_> {
    fn time_if_given(&mut self, field: &str) -> Option<Timestamp> {
        let message = match self.take(field)?.text() {
            Ok(text) => match Timestamp::parse_rfc3339(&text) {
                Ok(time) => return Some(time),
                Err(_not_a_time) => {
                    let text = shown(&text);
                    format!("must be an RFC 3339 time such as 2026-12-31T21:00:00Z, not {text}")
                }
            },
            Err(kind) => format!("must be a string, not {kind}"),
        };
        self.fault(field, message);
        None
    }
}

/// What another application expects is not taken from it. Says how many are expected already.
async fn known(store: &dyn Store, app: AppId, expected: &[Expected]) -> Result<usize, Problem> {
    let mut known: usize = 0;
    let mut faults = Vec::new();
    for (number, row) in expected.iter().enumerate() {
        let Some(before) = store.expected(&row.reference).await? else {
            continue;
        };
        if before.app.is_some_and(|owner| owner != app) {
            let message = "is another application's";
            faults.push(FieldFault::new(format!("[{number}].reference"), message));
        }
        known = known.saturating_add(1);
    }
    if faults.is_empty() { Ok(known) } else { Err(Problem::fields(faults)) }
}

impl From<NotApplied> for Problem {
    fn from(error: NotApplied) -> Self {
        match error {
            NotApplied::NoSuchPayout => Self::no_such_payout(),
            NotApplied::Busy => Self::busy(),
            NotApplied::Store(reason) => {
                tracing::error!(%reason, "expected references could not be kept");
                Self::store_failed_on_an_act()
            }
        }
    }
}
