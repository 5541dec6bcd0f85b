//! The synchronous answer to a request (spec/soap.md §4). It never means that money moved.

use super::envelope::{self, Envelope, RESPONSE, RESPONSE_MSG, Unreadable};
use super::xml;
use crate::domain::id::ConversationId;
use crate::domain::payout::AnswerFacts;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// What it says about the request.
    pub facts: AnswerFacts,
    /// The id that it echoes, trimmed.
    pub originator_conversation_id: Option<String>,
    /// `ServiceStatus`: to be logged, never to decide on (spec/soap.md §4.2). Cut like a code.
    pub service_status: Option<String>,
}

/// Reads an answer.
///
/// # Errors
/// It is no envelope with a `ResponseMsg` that says a `ResponseCode`: an HTML page, a SOAP Fault,
/// half a message. What was done with the request is then open.
pub fn parse(bytes: &[u8]) -> Result<Response, Unreadable> {
    let text = xml::decode(bytes)?;
    let envelope = Envelope::open(&text)?;
    let message = envelope.message("ResponseMsg")?;
    let document = envelope::document(message, "response")?;
    let code = envelope::required(&document, "ResponseCode")?;
    let own_id = envelope::unambiguous(&document, "OriginatorConversationID")?;
    if own_id.is_some_and(|id| !envelope::is_id(id)) {
        return Err(Unreadable::NoId("OriginatorConversationID"));
    }
    Ok(Response {
        facts: AnswerFacts {
            code: envelope::code(code),
            description: envelope::description(
                document.value_of("ResponseDesc").unwrap_or_default(),
            ),
            conversation: document.value_of("ConversationID").and_then(ConversationId::new),
        },
        originator_conversation_id: own_id.map(ToOwned::to_owned),
        service_status: document.value_of("ServiceStatus").map(envelope::code),
    })
}

/// What the simulator answers. The broker's own errors have only code and description.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answer<'a> {
    /// `ResponseCode`.
    pub code: &'a str,
    /// `ResponseDesc`.
    pub description: &'a str,
    /// `ConversationID`; only the core has one.
    pub conversation_id: Option<&'a str>,
    /// `OriginatorConversationID`, echoed by the core.
    pub originator_conversation_id: Option<&'a str>,
    /// `ServiceStatus`, sent by the core.
    pub service_status: Option<&'a str>,
}

/// An answer in the order in which the G2 core sends it, which is not the schema's
/// (spec/soap.md §4.1): code, conversation, description, our own id, service status.
pub fn render(answer: &Answer<'_>) -> Vec<u8> {
    let elements = [
        ("ResponseCode", Some(answer.code)),
        ("ConversationID", answer.conversation_id),
        ("ResponseDesc", Some(answer.description)),
        ("OriginatorConversationID", answer.originator_conversation_id),
        ("ServiceStatus", answer.service_status),
    ];
    let mut document = format!("<response xmlns=\"{RESPONSE}\">");
    for (name, value) in elements {
        if let Some(value) = value {
            for part in ["<", name, ">"] {
                document.push_str(part);
            }
            xml::push_text(&mut document, value);
            for part in ["</", name, ">"] {
                document.push_str(part);
            }
        }
    }
    document.push_str("</response>");
    envelope::render(RESPONSE_MSG, "", &document).into_bytes()
}
