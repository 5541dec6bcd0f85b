//! Payouts, payments and events out of the book, a page of text at a time: so an export of any
//! length takes constant memory on both sides, and a reader who pauses holds nothing up.
//!
//! Lines are the shapes of the API (`view`); a row of CSV is the same, laid flat.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path as InPath, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Admin, answer};
use crate::domain::id::{PaymentId, PayoutId};
use crate::domain::time::Timestamp;
use crate::http::api::{Payment, view};
use crate::http::problem::{Code, Problem};
use crate::store::{PAGE_LEN_MAX, PaymentQuery, PayoutQuery, Store};

/// A page ends after this many bytes, with the row that is at hand.
const PAGE_BYTES: usize = 512 * 1024;
/// How many pages of the store are looked through for one page of the export.
const LOOKS_MAX: usize = 20;
/// By how much an id's time and its record's may differ.
const SLACK: Duration = Duration::from_secs(60);
/// A cell that begins with one of these is a formula to a spreadsheet.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// What is asked for, as it was written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// `csv` or `jsonl`.
    pub format: String,
    /// Only what was made at or after this moment (RFC 3339).
    pub from: Option<String>,
    /// Only what was made before this moment.
    pub to: Option<String>,
    /// Where the last page ended.
    pub after: Option<String>,
}

/// A page of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Whole lines; the first page of CSV begins with the names of the columns.
    pub text: String,
    /// How many records it holds.
    pub rows: u64,
    /// Where the next page begins; `None` on the last.
    pub next: Option<String>,
}

/// `GET /export/{what}`.
pub(super) async fn page_of(
    State(admin): State<Arc<Admin>>,
    InPath(what): InPath<String>,
    query: Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Response {
    let act = async {
        let Query(asked) =
            query.map_err(|error| Problem::new(Code::InvalidQuery, error.body_text()))?;
        let page = page(admin.engine.store().as_ref(), &what, &asked).await?;
        Ok((StatusCode::OK, page))
    };
    answer(act.await)
}

/// The next page.
///
/// # Errors
/// What was asked for will not do, or the store could not be read.
pub(super) async fn page(store: &dyn Store, what: &str, asked: &Asked) -> Result<Page, Problem> {
    let columns = match what {
        "payouts" => PAYOUT_COLUMNS,
        "payments" => PAYMENT_COLUMNS,
        "events" => EVENT_COLUMNS,
        _ => return Err(wrong("payouts, payments and events can be exported")),
    };
    let range = Range { from: time(asked.from.as_deref())?, to: time(asked.to.as_deref())? };
    let csv = match asked.format.as_str() {
        "csv" => Some(columns),
        "jsonl" => None,
        _ => return Err(wrong("the format must be csv or jsonl")),
    };
    let mut lines = Lines { csv, text: Vec::new(), rows: 0 };
    if asked.after.is_none() && csv.is_some() {
        lines.cells(columns.iter().map(|(name, _pointer)| (*name).to_owned()))?;
    }
    let after = asked.after.as_deref();
    let next = match what {
        "payouts" => payouts(store, &range, after, &mut lines).await?,
        "payments" => payments(store, &range, after, &mut lines).await?,
        _ => events(store, &range, after, &mut lines).await?,
    };
    let text = String::from_utf8(lines.text)
        .map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    Ok(Page { text, rows: lines.rows, next })
}

fn wrong(says: &str) -> Problem {
    Problem::new(Code::InvalidQuery, says)
}

fn time(text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let read = text.map(Timestamp::parse_rfc3339).transpose();
    read.map_err(|_error| wrong("from and to must be RFC 3339 times such as 2026-01-02T03:04:05Z"))
}

/// From when on, and until when.
struct Range {
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl Range {
    fn holds(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= at) && self.to.is_none_or(|to| at < to)
    }
}

async fn payouts(
    store: &dyn Store,
    range: &Range,
    after: Option<&str>,
    lines: &mut Lines,
) -> Result<Option<String>, Problem> {
    let no_cursor = |_error| wrong("after must be where the last page ended");
    let mut query = PayoutQuery {
        created_from: range.from,
        created_to: range.to,
        after: after.map(str::parse::<PayoutId>).transpose().map_err(no_cursor)?,
        ..PayoutQuery::all(PAGE_LEN_MAX)
    };
    for _ in 0..LOOKS_MAX {
        let page = store.payouts(&query).await?;
        for stored in &page.rows {
            lines.put(&view::Payout::from(&stored.payout))?;
            query.after = Some(stored.payout.details.id);
            if lines.is_full() {
                return Ok(query.after.map(|id| id.to_string()));
            }
        }
        query.after = page.next;
        if page.next.is_none() {
            return Ok(None);
        }
    }
    Ok(query.after.map(|id| id.to_string()))
}

async fn payments(
    store: &dyn Store,
    range: &Range,
    after: Option<&str>,
    lines: &mut Lines,
) -> Result<Option<String>, Problem> {
    let no_cursor = |_error| wrong("after must be where the last page ended");
    let after = after.map(str::parse::<PaymentId>).transpose().map_err(no_cursor)?;
    let mut query = PaymentQuery {
        after: after.or_else(|| range.from.map(before)),
        ..PaymentQuery::all(PAGE_LEN_MAX)
    };
    for _ in 0..LOOKS_MAX {
        let page = store.payments(&query).await?;
        for kept in &page.rows {
            let details = &kept.value.details;
            // Ids go by age, so that nothing behind this one is older by more than the slack.
            if range.to.is_some_and(|to| details.created_at >= to.after(SLACK)) {
                return Ok(None);
            }
            if range.holds(details.created_at) {
                lines.put(&Payment::from(&kept.value))?;
            }
            query.after = Some(details.id);
            if lines.is_full() {
                return Ok(query.after.map(|id| id.to_string()));
            }
        }
        query.after = page.next;
        if page.next.is_none() {
            return Ok(None);
        }
    }
    Ok(query.after.map(|id| id.to_string()))
}

/// An id below all that were made at `from` or after, with some slack.
fn before(from: Timestamp) -> PaymentId {
    let slack = i64::try_from(SLACK.as_millis()).unwrap_or(0);
    let millis = u64::try_from(from.millis().saturating_sub(slack)).unwrap_or(0);
    let mut bytes = [0; 16];
    let stamp = millis.to_be_bytes();
    for (place, byte) in bytes.iter_mut().zip(stamp.iter().skip(2)) {
        *place = *byte;
    }
    PaymentId::from_bytes(bytes)
}

async fn events(
    store: &dyn Store,
    range: &Range,
    after: Option<&str>,
    lines: &mut Lines,
) -> Result<Option<String>, Problem> {
    let no_cursor = |_error| wrong("after must be the seq of an event");
    let mut after = after.map(str::parse::<u64>).transpose().map_err(no_cursor)?.unwrap_or(0);
    for _ in 0..LOOKS_MAX {
        let page = store.events(after, PAGE_LEN_MAX).await?;
        if page.is_empty() {
            return Ok(None);
        }
        for event in &page {
            after = event.seq;
            if range.holds(event.event.at) {
                lines.put(&view::PayoutEvent::from(event))?;
            }
            if lines.is_full() {
                return Ok(Some(after.to_string()));
            }
        }
    }
    Ok(Some(after.to_string()))
}

/// The names of the columns, and where in the API's shape each stands.
type Columns = &'static [(&'static str, &'static str)];

const PAYOUT_COLUMNS: Columns = &[
    ("id", "/id"),
    ("status", "/status"),
    ("amount", "/amount"),
    ("currency", "/currency"),
    ("phone", "/phone"),
    ("command", "/command"),
    ("reference", "/reference"),
    ("remarks", "/remarks"),
    ("occasion", "/occasion"),
    ("metadata", "/metadata"),
    ("rail", "/rail"),
    ("batch_id", "/batch_id"),
    ("originator_conversation_id", "/originator_conversation_id"),
    ("conversation_id", "/conversation_id"),
    ("receipt", "/receipt"),
    ("recipient_name", "/recipient_name"),
    ("charge", "/charge"),
    ("failure_stage", "/failure/stage"),
    ("failure_code", "/failure/code"),
    ("failure_description", "/failure/description"),
    ("failure_retryable", "/failure/retryable"),
    ("created_at", "/created_at"),
    ("updated_at", "/updated_at"),
    ("completed_at", "/completed_at"),
    ("doubt_why", "/doubt/why"),
    ("doubt_since", "/doubt/since"),
    ("doubt_next_inquiry_at", "/doubt/next_inquiry_at"),
    ("doubt_inquiries", "/doubt/inquiries"),
];

const PAYMENT_COLUMNS: Columns = &[
    ("id", "/id"),
    ("type", "/type"),
    ("status", "/status"),
    ("amount", "/amount"),
    ("currency", "/currency"),
    ("phone", "/phone"),
    ("reference", "/reference"),
    ("account", "/account"),
    ("shortcode", "/shortcode"),
    ("receipt", "/receipt"),
    ("payer_name", "/payer_name"),
    ("payer_phone_shown", "/payer_phone_shown"),
    ("merchant_request_id", "/merchant_request_id"),
    ("checkout_request_id", "/checkout_request_id"),
    ("claimed", "/claimed"),
    ("claimed_by", "/claimed_by"),
    ("claimed_at", "/claimed_at"),
    ("failure", "/failure"),
    ("paid_at", "/paid_at"),
    ("created_at", "/created_at"),
    ("updated_at", "/updated_at"),
    ("doubt", "/doubt"),
];

const EVENT_COLUMNS: Columns = &[
    ("seq", "/seq"),
    ("id", "/id"),
    ("type", "/type"),
    ("created_at", "/created_at"),
    ("about", "/data/about"),
    ("payout_id", "/data/payout_id"),
    ("status", "/data/status"),
    ("code", "/data/code"),
    ("says", "/data/says"),
    ("messages", "/data/messages"),
];

/// The text of a page as it grows.
struct Lines {
    /// The columns, for CSV.
    csv: Option<Columns>,
    text: Vec<u8>,
    rows: u64,
}

impl Lines {
    fn is_full(&self) -> bool {
        self.text.len() >= PAGE_BYTES
    }

    fn put(&mut self, record: &impl Serialize) -> Result<(), Problem> {
        self.rows = self.rows.saturating_add(1);
        let Some(columns) = self.csv else {
            serde_json::to_writer(&mut self.text, record).map_err(internal)?;
            self.text.push(b'\n');
            return Ok(());
        };
        let record = serde_json::to_value(record).map_err(internal)?;
        self.cells(columns.iter().map(|(_name, pointer)| cell(record.pointer(pointer))))
    }

    /// A row as RFC 4180 has it.
    fn cells(&mut self, cells: impl Iterator<Item = String>) -> Result<(), Problem> {
        let mut writer =
            csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(&mut self.text);
        writer.write_record(cells.map(harmless)).map_err(internal)?;
        writer.flush().map_err(internal)
    }
}

fn internal(error: impl std::fmt::Display) -> Problem {
    Problem::new(Code::Internal, error.to_string())
}

/// A value as a cell: nothing is empty, a list is the ids in it, an object is JSON.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => {
            let ids = list.iter().filter_map(|one| one.get("id").and_then(Value::as_str));
            ids.collect::<Vec<_>>().join(" ")
        }
        Some(Value::Object(map)) if map.is_empty() => String::new(),
        Some(other) => other.to_string(),
    }
}

/// The same, so that no spreadsheet takes it for a formula: a `'` before it makes it a text.
fn harmless(cell: String) -> String {
    if cell.starts_with(FORMULA) { format!("'{cell}") } else { cell }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn csv_of(record: &Value, columns: Columns) -> String {
        let mut lines = Lines { csv: Some(columns), text: Vec::new(), rows: 0 };
        lines.put(record).expect("a row");
        String::from_utf8(lines.text).expect("UTF-8")
    }

    #[test]
    fn a_row_is_as_rfc_4180_has_it_and_never_a_formula() {
        let columns: Columns = &[("a", "/a"), ("b", "/b/c"), ("d", "/d"), ("e", "/e")];
        let record = json!({"a": "=1+2", "b": {"c": "said \"no\", twice\nover"}, "d": null,
            "e": [{"id": "msg_1"}, {"id": "msg_2"}]});
        let row = "'=1+2,\"said \"\"no\"\", twice\nover\",,msg_1 msg_2\r\n";
        assert_eq!(csv_of(&record, columns), row);
        for text in ["+254", "-1", "@SUM(A1)", "\tx", "\rx"] {
            assert!(csv_of(&json!({ "a": text }), &[("a", "/a")]).contains(&format!("'{text}")));
        }
        assert_eq!(
            csv_of(&json!({"a": {"k": "v"}}), &[("a", "/a")]),
            "\"{\"\"k\"\":\"\"v\"\"}\"\r\n"
        );
    }

    #[test]
    fn an_id_below_a_moment_is_below_all_made_since() {
        let from = Timestamp::from_millis(1_767_225_600_000);
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&1_767_225_600_000_u64.to_be_bytes()[2..]);
        assert!(before(from) < PaymentId::from_bytes(bytes));
        assert!(before(Timestamp::from_millis(0)) <= PaymentId::from_bytes([0; 16]));
    }
}
