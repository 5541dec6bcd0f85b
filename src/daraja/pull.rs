//! Pulled payments: what a query for missed confirmations finds (spec/daraja.md §1.13).

use super::error::{self, Problem, is_good};
use super::json::Json;
use super::{Api, redact};
use crate::domain::payment::{C2bNotice, NoticeWords};
use crate::domain::told;

/// The most payments that one page is read for: documented are about 100.
const ROWS_MAX: usize = 5_000;

/// A page of payments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// What could be read. A row knows neither balance nor invoice.
    pub payments: Vec<C2bNotice>,
    /// How many rows came, readable or not: whether there may be a further page.
    pub rows: usize,
    /// What the rows that could not be read lack, each once.
    pub unreadable: Vec<String>,
}

/// Reads the answer to a query for the payments of `shortcode`, which the rows do not name.
///
/// # Errors
/// What came in place of a page. "Nothing" (`1001`, `[[]]`) is an empty page.
pub fn read(status: u16, body: &[u8], shortcode: &str) -> Result<Page, Problem> {
    let json = Json::read(body);
    let problem = || error::of(Api::PullQuery, status, body, json.as_ref());
    let Ok(json) = json.as_ref() else {
        return Err(problem());
    };
    let code = json.one("ResponseCode").ok().flatten();
    match code {
        Some("1000" | "1001") if is_good(status) => {}
        Some(code) if is_good(status) => {
            let words = json.word_of(&["ResponseMessage", "ResponseDescription"]);
            return Err(Problem {
                code: told::code(&format!("pull.{code}")),
                description: redact::description(words.unwrap_or_default()),
            });
        }
        Some(_) | None => return Err(problem()),
    }
    let mut page = Page::default();
    let lists = json.member("Response").map(Json::items).unwrap_or_default();
    for row in lists.iter().flat_map(Json::items).take(ROWS_MAX) {
        if row.members().is_empty() {
            continue;
        }
        page.rows = page.rows.saturating_add(1);
        match payment(row, shortcode) {
            Ok(payment) => page.payments.push(payment),
            Err(why) if page.unreadable.contains(&why) => {}
            Err(why) => page.unreadable.push(why),
        }
    }
    Ok(page)
}

fn payment(row: &Json, shortcode: &str) -> Result<C2bNotice, String> {
    let one = |name: &'static str| row.one(name).map_err(|twice| twice.to_string());
    let words = NoticeWords {
        kind: one("transactiontype")?,
        receipt: one("transactionId")?,
        time: one("trxDate")?,
        amount: one("amount")?,
        shortcode: Some(shortcode),
        account: one("billreference")?,
        phone: one("msisdn")?,
        ..NoticeWords::default()
    };
    words.read().map_err(|lacks| lacks.to_string())
}
