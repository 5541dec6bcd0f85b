//! The synchronous answer to a request: never that money moved, except for a query's own word
//! (spec/daraja.md §0, 1; §1.2–§1.13).

use std::fmt;

use super::api::{Api, C2bVersion};
use super::error::{self, Problem, is_good};
use super::json::{Json, Unreadable};
use super::redact;
use crate::domain::id::ConversationId;
use crate::domain::outcome;
use crate::domain::payout::AnswerFacts;
use crate::domain::told;

/// The longest `CheckoutRequestID` or `MerchantRequestID` (spec/daraja.md §9): opaque.
const REQUEST_ID_MAX: usize = 64;
/// The longest picture of a QR code that is taken, in letters of base64.
const QR_MAX: usize = 512 * 1024;

/// An answer. `Debug` hides the checkout id, which contains a phone (spec/daraja.md §9).
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    /// What it says about the request: the code as `outcome::ANSWERS` knows it, or in no table.
    pub facts: AnswerFacts,
    /// The OriginatorConversationID that it names: ours, or one that Daraja made.
    pub originator: Option<String>,
    /// `MerchantRequestID` of a prompt.
    pub merchant_request_id: Option<String>,
    /// `CheckoutRequestID` of a prompt; a prompt that was taken always has one.
    pub checkout_request_id: Option<String>,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("facts", &self.facts)
            .field("originator", &self.originator)
            .field("merchant_request_id", &self.merchant_request_id)
            .finish_non_exhaustive()
    }
}

/// Reads the answer of `api`. Whatever came, there is a code for it; only a proper answer with a
/// good HTTP status can say that the request was taken.
pub fn read(api: Api, status: u16, body: &[u8]) -> Answer {
    let json = Json::read(body);
    let json = json.as_ref();
    match json.ok().filter(|json| is_good(status) && is_answer(json)).map(|json| ack(api, json)) {
        Some(Ok(answer)) => answer,
        Some(Err(why)) => problem(Problem {
            code: "unreadable".to_owned(),
            description: format!("an answer that cannot be read: {why}"),
        }),
        None => problem(error::of(api, status, body, json)),
    }
}

/// Whether it is an answer at all, and no error.
fn is_answer(json: &Json) -> bool {
    json.member("errorCode").is_none()
        && json.member("fault").is_none()
        && !json.members().is_empty()
        && json.member("Envelope").is_none()
}

fn problem(Problem { code, description }: Problem) -> Answer {
    Answer {
        facts: AnswerFacts { code, description, conversation: None },
        originator: None,
        merchant_request_id: None,
        checkout_request_id: None,
    }
}

fn ack(api: Api, json: &Json) -> Result<Answer, Unreadable> {
    let description = json
        .word_of(&["ResponseDescription", "ResponseDesc", "ResponseMessage", "CustomerMessage"])
        .unwrap_or_default();
    let code = code(api, json, description)?;
    let request_id = |name: &'static str| -> Result<Option<String>, Unreadable> {
        let id = json.one(name)?.filter(|id| told::is_id(id) && id.len() <= REQUEST_ID_MAX);
        Ok(id.map(ToOwned::to_owned))
    };
    // Daraja spells it both ways (spec/daraja.md §1.4).
    let originator = match json.one("OriginatorConversationID")? {
        Some(id) => Some(id),
        None => json.one("OriginatorCoversationID")?,
    };
    let conversation = json.one("ConversationID")?.and_then(ConversationId::new);
    let checkout_request_id = request_id("CheckoutRequestID")?;
    if api == Api::StkPush && outcome::is_success(&code) && checkout_request_id.is_none() {
        return Err(Unreadable::Missing("CheckoutRequestID"));
    }
    Ok(Answer {
        facts: AnswerFacts { code, description: redact::description(description), conversation },
        originator: originator.filter(|id| told::is_id(id)).map(ToOwned::to_owned),
        merchant_request_id: request_id("MerchantRequestID")?,
        checkout_request_id,
    })
}

fn code(api: Api, json: &Json, description: &str) -> Result<String, Unreadable> {
    if matches!(api, Api::PullRegister | Api::PullQuery) {
        let code = match json.one("ResponseStatus")? {
            Some(code) => Some(code),
            None => json.one("ResponseCode")?,
        };
        let code = code.ok_or(Unreadable::Missing("ResponseStatus"))?;
        return Ok(told::code(&format!("pull.{code}")));
    }
    match json.one("ResponseCode")? {
        Some(code) => Ok(told::code(code)),
        // The first version of the simulation had none (spec/daraja.md §1).
        None if api == Api::C2bSimulate(C2bVersion::V1)
            && description.starts_with("Accept the service request successfully") =>
        {
            Ok("0".to_owned())
        }
        None => Err(Unreadable::Missing("ResponseCode")),
    }
}

/// What M-Pesa says about a prompt that it was asked about (spec/daraja.md §1.3).
///
/// `Debug` hides the checkout id, which contains a phone.
#[derive(Clone, PartialEq, Eq)]
pub struct StkQueryAnswer {
    /// `ResultCode` where the question was answered; else the code of what came in its place. One
    /// that `outcome::stk` does not know settles nothing.
    pub code: String,
    /// `ResultDesc`, or what came in its place.
    pub description: String,
    /// Whether the question was answered: `ResponseCode` 0 and a `ResultCode`.
    pub is_answered: bool,
    /// The prompt that the answer names.
    pub merchant_request_id: Option<String>,
    /// The prompt that the answer names: to be compared with the one that was asked about.
    pub checkout_request_id: Option<String>,
}

impl fmt::Debug for StkQueryAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StkQueryAnswer")
            .field("code", &self.code)
            .field("description", &self.description)
            .field("is_answered", &self.is_answered)
            .field("merchant_request_id", &self.merchant_request_id)
            .finish_non_exhaustive()
    }
}

/// Reads the answer to a question about a prompt.
pub fn read_stk_query(status: u16, body: &[u8]) -> StkQueryAnswer {
    let answer = read(Api::StkQuery, status, body);
    let Answer { facts, merchant_request_id, checkout_request_id, .. } = answer;
    let AnswerFacts { code, description, .. } = facts;
    let unanswered = |code, description| StkQueryAnswer {
        code,
        description,
        is_answered: false,
        merchant_request_id: merchant_request_id.clone(),
        checkout_request_id: checkout_request_id.clone(),
    };
    let json = Json::read(body).ok().filter(|json| is_good(status) && is_answer(json));
    let Some(json) = json else {
        return unanswered(code, description);
    };
    if !outcome::is_success(&code) {
        // A code of the question must not be taken for one of the prompt.
        return unanswered(told::code(&format!("response.{code}")), description);
    }
    match json.one("ResultCode") {
        Ok(Some(result)) => StkQueryAnswer {
            code: told::code(result),
            description: redact::description(json.word_of(&["ResultDesc"]).unwrap_or_default()),
            is_answered: true,
            merchant_request_id,
            checkout_request_id,
        },
        Ok(None) => unanswered("unreadable".to_owned(), "no ResultCode was told".to_owned()),
        Err(twice) => unanswered("unreadable".to_owned(), twice.to_string()),
    }
}

/// A QR code to pay by (spec/daraja.md §1.12).
#[derive(Clone, PartialEq, Eq)]
pub struct QrCode {
    /// The picture, a PNG in base64.
    pub png_base64: String,
}

impl fmt::Debug for QrCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QrCode({} letters)", self.png_base64.len())
    }
}

/// Reads the answer to a request for a QR code. The picture itself is the sign of success: what
/// the code of the answer is, sources disagree on.
///
/// # Errors
/// What came in place of a picture.
pub fn read_qr(status: u16, body: &[u8]) -> Result<QrCode, Problem> {
    let json = Json::read(body).ok().filter(|json| is_good(status) && is_answer(json));
    let picture = json.as_ref().and_then(|json| json.word_of(&["QRCode"]));
    let is_base64 = |text: &&str| {
        let is_letter =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
        text.len() <= QR_MAX && text.bytes().all(is_letter)
    };
    match picture.filter(is_base64) {
        Some(picture) => Ok(QrCode { png_base64: picture.to_owned() }),
        None => Err(error::read(Api::Qr, status, body)),
    }
}
