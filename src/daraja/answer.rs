//! The synchronous answer to a request: never that money moved, except for a query's own word
//! (spec/daraja.md §0, 1; §1.2–§1.13).

use super::api::Api;
use super::error::{self, Problem, is_good};
use super::json::{Json, Unreadable};
use super::redact;
use crate::domain::id::{CheckoutRequestId, ConversationId, MerchantRequestId};
use crate::domain::inquiry::{self, C2bVersion, Names, Picture};
use crate::domain::outcome;
use crate::domain::payment::{self, QueryFacts};
use crate::domain::payout::AnswerFacts;
use crate::domain::told;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it says about the request: the code as `outcome::ANSWERS` knows it, or in no table.
    pub facts: AnswerFacts,
    /// The OriginatorConversationID that it names: ours, or one that Daraja made.
    pub originator: Option<String>,
    /// `MerchantRequestID` of a prompt.
    pub merchant: Option<MerchantRequestId>,
    /// `CheckoutRequestID` of a prompt; a prompt that was taken always has one.
    pub checkout: Option<CheckoutRequestId>,
    /// The QR code that was asked for; a request for one that was taken always has it.
    pub picture: Option<Picture>,
}

impl Answer {
    /// What the answer to a prompt says, as a payment takes it.
    pub fn of_prompt(self) -> payment::AnswerFacts {
        let AnswerFacts { code, description, .. } = self.facts;
        let Self { merchant, checkout, .. } = self;
        payment::AnswerFacts { code, description, merchant, checkout }
    }

    /// What the answer to an inquiry's request says, as an inquiry takes it.
    pub fn of_inquiry(self) -> inquiry::AnswerFacts {
        let AnswerFacts { code, description, conversation } = self.facts;
        let originator = self.originator.as_deref().and_then(ConversationId::new);
        let names = Names { conversation, originator };
        inquiry::AnswerFacts { code, description, names, picture: self.picture }
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
        merchant: None,
        checkout: None,
        picture: None,
    }
}

fn ack(api: Api, json: &Json) -> Result<Answer, Unreadable> {
    let description = json
        .word_of(&["ResponseDescription", "ResponseDesc", "ResponseMessage", "CustomerMessage"])
        .unwrap_or_default();
    let picture = picture(api, json)?;
    let code = code(api, json, description)?;
    // Daraja spells it both ways (spec/daraja.md §1.4).
    let originator = match json.one("OriginatorConversationID")? {
        Some(id) => Some(id),
        None => json.one("OriginatorCoversationID")?,
    };
    let conversation = json.one("ConversationID")?.and_then(ConversationId::new);
    let merchant = json.one("MerchantRequestID")?.and_then(MerchantRequestId::new);
    let checkout = json.one("CheckoutRequestID")?.and_then(CheckoutRequestId::new);
    if api == Api::StkPush && outcome::is_success(&code) && checkout.is_none() {
        return Err(Unreadable::Missing("CheckoutRequestID"));
    }
    Ok(Answer {
        facts: AnswerFacts { code, description: redact::description(description), conversation },
        originator: originator.filter(|id| told::is_id(id)).map(ToOwned::to_owned),
        merchant,
        checkout,
        picture,
    })
}

/// The QR code, where one was asked for (spec/daraja.md §1.12).
fn picture(api: Api, json: &Json) -> Result<Option<Picture>, Unreadable> {
    if api != Api::Qr {
        return Ok(None);
    }
    let told = json.one("QRCode")?.and_then(Picture::new);
    told.map(Some).ok_or(Unreadable::Missing("QRCode"))
}

fn code(api: Api, json: &Json, description: &str) -> Result<String, Unreadable> {
    // The picture itself says that it was made: what the code is then, sources disagree on.
    if api == Api::Qr {
        return Ok("0".to_owned());
    }
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

/// Reads the answer to a question about a prompt (spec/daraja.md §1.3).
///
/// Its two codes are kept apart: `code` is about the question (`ResponseCode`, or what came in its
/// place), `result` about the prompt.
pub fn read_stk_query(status: u16, body: &[u8]) -> QueryFacts {
    let Answer { facts, checkout, .. } = read(Api::StkQuery, status, body);
    let AnswerFacts { code, description, .. } = facts;
    let unanswered = |code, description| QueryFacts { code, result: None, description, checkout };
    if !outcome::is_success(&code) {
        return unanswered(code, description);
    }
    // It was read before.
    let json = Json::read(body).unwrap_or(Json::Null);
    match json.one("ResultCode") {
        Ok(Some(result)) => QueryFacts {
            result: Some(told::code(result)),
            ..unanswered(
                code,
                redact::description(json.word_of(&["ResultDesc"]).unwrap_or_default()),
            )
        },
        Ok(None) => unanswered("unreadable".to_owned(), "no ResultCode was told".to_owned()),
        Err(twice) => unanswered("unreadable".to_owned(), twice.to_string()),
    }
}
