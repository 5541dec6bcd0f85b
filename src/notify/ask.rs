//! Asking an application whether a C2B payment is to be taken.
//!
//! Only addresses of the configuration are ever called, the first whose pattern fits the account.
//! The payer stands at the counter: an application that does not answer in time, or not as it
//! should, gets its default.

use std::fmt;
use std::time::Duration;

use http::{Method, header};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

use super::address::{self, NotSetUp};
use crate::domain::payment::validation::{Answer, Pattern, Refusal};
use crate::domain::payment::{C2bNotice, NoticeKind, PayerPhone};
use crate::engine::port::{Pending, Validator};
use crate::rail::pace::{Pace, Places};
use crate::rail::transport::{Deadlines, Request, Web};

/// How many questions one application may be asked in a second: more than M-Pesa has payers for
/// one number.
const PER_SECOND: u32 = 500;
/// How many one application is asked at once. More wait, within their deadline.
const AT_ONCE: u32 = 64;
/// The longest `third_party_id` (spec/daraja.md §2.2).
const THIRD_PARTY_ID_LEN_MAX: usize = 64;

/// Whom to ask about which accounts.
#[derive(Clone, Debug)]
pub struct AskRule {
    /// Which accounts.
    pub accounts: Pattern,
    /// Where the application is asked.
    pub url: String,
    /// How long its answer may take in all.
    pub deadline: Duration,
    /// What is done without an answer.
    pub default: Otherwise,
}

/// What is done with a payment of which an application says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// It is taken.
    Accept,
    /// It is turned down.
    Reject,
}

impl Otherwise {
    const fn answer(self) -> Answer {
        match self {
            Self::Accept => Answer::Accept { third_party_id: None },
            Self::Reject => Answer::Reject(Refusal::Other),
        }
    }
}

/// Asks applications.
#[derive(Debug)]
pub struct Asker(Vec<Asked>);

struct Asked {
    accounts: Pattern,
    web: Box<dyn Web>,
    path: String,
    deadline: Duration,
    default: Otherwise,
    pace: Pace,
    places: Places,
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked")
            .field("accounts", &self.accounts)
            .field("web", &self.web)
            .field("deadline", &self.deadline)
            .field("default", &self.default)
            .finish_non_exhaustive()
    }
}

/// What an application answers.
#[derive(Deserialize)]
struct Told {
    accept: bool,
    #[serde(default)]
    third_party_id: Option<String>,
    #[serde(default)]
    code: Option<String>,
}

impl Asker {
    /// Asks by these rules; the first whose pattern fits counts.
    ///
    /// # Errors
    /// An address is none, or cannot be encrypted.
    pub fn new(rules: Vec<AskRule>) -> Result<Self, NotSetUp> {
        let asked = rules.into_iter().map(|rule| {
            let limit = rule.deadline;
            let deadlines = Deadlines { connect: limit, send: limit, answer: limit };
            let (site, path) = address::site(&rule.url, None, deadlines)?;
            Ok(Asked {
                accounts: rule.accounts,
                web: Box::new(site),
                path,
                deadline: limit,
                default: rule.default,
                pace: Pace::new(PER_SECOND),
                places: Places::new(AT_ONCE),
            })
        });
        asked.collect::<Result<_, _>>().map(Self)
    }
}

impl Validator for Asker {
    fn ask<'a>(&'a self, notice: &'a C2bNotice) -> Pending<'a, Option<Answer>> {
        Box::pin(async move {
            let asked = self.0.iter().find(|asked| asked.accounts.fits(&notice.account))?;
            let told = timeout(asked.deadline, asked.ask(notice)).await;
            let told = told.unwrap_or(Err("no answer in time"));
            Some(told.unwrap_or_else(|why| {
                tracing::warn!(accounts = %asked.accounts, why, default = ?asked.default,
                    "an application did not say whether a payment is to be taken");
                asked.default.answer()
            }))
        })
    }
}

impl Asked {
    /// What the application says, or why it says nothing.
    async fn ask(&self, notice: &C2bNotice) -> Result<Answer, &'static str> {
        let _place = self.places.take().await;
        let headers = vec![
            (header::CONTENT_TYPE, "application/json".to_owned()),
            (header::ACCEPT, "application/json".to_owned()),
        ];
        let body = question(notice).to_string().into_bytes();
        let request = Request { method: Method::POST, path: self.path.clone(), headers, body };
        let answer = self.web.send(request, &self.pace).await.map_err(|_why| "no answer")?;
        if answer.status != 200 {
            return Err("an answer of another status than 200");
        }
        read(&answer.body).ok_or("an answer that cannot be read")
    }
}

/// What an application is told of a payment. The phone is as far as M-Pesa shows it.
fn question(notice: &C2bNotice) -> serde_json::Value {
    let phone_shown = match &notice.payer.phone {
        PayerPhone::Whole(phone) => Some(phone.reveal()),
        PayerPhone::Masked(shown) => Some(shown.clone()),
        PayerPhone::Hashed(_) | PayerPhone::None => None,
    };
    let kind = match &notice.kind {
        NoticeKind::PayBill => "pay_bill",
        NoticeKind::BuyGoods => "buy_goods",
        NoticeKind::Other(_) => "other",
    };
    json!({
        "shortcode": notice.shortcode,
        "account": notice.account,
        "amount": notice.amount.to_string(),
        "phone_shown": phone_shown,
        "receipt": notice.receipt.as_str(),
        "kind": kind,
    })
}

/// A plain yes or no; anything else is no answer.
fn read(body: &[u8]) -> Option<Answer> {
    let told: Told = serde_json::from_slice(body).ok()?;
    if !told.accept {
        let refusal = told.code.as_deref().and_then(Refusal::from_code);
        return Some(Answer::Reject(refusal.unwrap_or(Refusal::Other)));
    }
    // One that M-Pesa would not bring back is as none.
    let third_party_id = told.third_party_id.filter(|id| {
        let fits = id.len() <= THIRD_PARTY_ID_LEN_MAX && !id.is_empty();
        fits && id.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ')
    });
    Some(Answer::Accept { third_party_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_yes_or_no_is_read_and_nothing_else() {
        let yes = |id: Option<&str>| Some(Answer::Accept { third_party_id: id.map(str::to_owned) });
        let no = |refusal| Some(Answer::Reject(refusal));
        let long = format!(r#"{{"accept":true,"third_party_id":"{}"}}"#, "x".repeat(65));
        let table = [
            (r#"{"accept":true}"#, yes(None)),
            (r#"{"accept":true,"third_party_id":"INV77","more":1}"#, yes(Some("INV77"))),
            (r#"{"accept":true,"third_party_id":null}"#, yes(None)),
            (r#"{"accept":true,"third_party_id":""}"#, yes(None)),
            (r#"{"accept":true,"third_party_id":"a\nb"}"#, yes(None)),
            (long.as_str(), yes(None)),
            (r#"{"accept":false,"code":"C2B00012"}"#, no(Refusal::Account)),
            (r#"{"accept":false,"code":"C2B00099"}"#, no(Refusal::Other)),
            (r#"{"accept":false}"#, no(Refusal::Other)),
            (r#"{"accept":"true"}"#, None),
            (r#"{"accept":1}"#, None),
            ("{}", None),
            ("true", None),
            ("", None),
        ];
        for (body, expected) in table {
            assert_eq!(read(body.as_bytes()), expected, "{body}");
        }
    }
}
