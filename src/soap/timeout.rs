//! The queue timeout: the broker held a request and gave up on it (spec/soap.md §5.6).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::envelope::{self, Envelope, Unreadable};
use super::redact;
use super::schema::{QUEUE_TIMEOUT, TIMEOUT};
use super::xml;

/// How many letters of base64 stand in a line, as writers of MIME break them (spec/soap.md §5.6).
const LINE_MAX: usize = 76;

/// A queue timeout. `Debug` hides the request that comes back with it: it holds our credential.
#[derive(Clone, PartialEq, Eq)]
pub struct QueueTimeout {
    /// Which payout it is about; trimmed. `None` also when it is longer than any.
    pub originator_conversation_id: Option<String>,
    /// `extensionInfo`.
    pub extension: Vec<(String, String)>,
    /// The request that comes back, in base64 with its blanks taken out.
    origin_request: String,
}

impl fmt::Debug for QueueTimeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueTimeout")
            .field("originator_conversation_id", &self.originator_conversation_id)
            .finish_non_exhaustive()
    }
}

impl QueueTimeout {
    /// The request that came back, with its secrets masked; `None` when it is no base64.
    pub fn origin_request_redacted(&self) -> Option<Vec<u8>> {
        let bytes = STANDARD.decode(&self.origin_request).ok()?;
        (!bytes.is_empty()).then(|| redact::redact(&bytes))
    }
}

/// Reads a queue timeout.
///
/// # Errors
/// It is no envelope with a `notifyQueueTimeout`, or names two payouts.
pub fn parse(bytes: &[u8]) -> Result<QueueTimeout, Unreadable> {
    let text = xml::decode(bytes)?;
    let envelope = Envelope::open(&text)?;
    let message = envelope.message(QUEUE_TIMEOUT.name)?;
    let own_id = envelope::unambiguous(message, "originatorConversationID")?;
    let origin_request = message.value_of("originRequest").unwrap_or_default();
    Ok(QueueTimeout {
        originator_conversation_id: own_id.filter(|id| envelope::is_id(id)).map(ToOwned::to_owned),
        extension: message.child("extensionInfo").map(envelope::pairs).unwrap_or_default(),
        origin_request: origin_request.split_whitespace().collect(),
    })
}

/// The message as it may be stored: without the request that comes back in it.
pub fn redact(bytes: &[u8]) -> Vec<u8> {
    redact::redact(bytes)
}

/// A queue timeout as the broker sends it, for the simulator: `origin_request` is the original
/// envelope without its SOAP header. Its base64 has lines of 76 letters.
pub fn render(originator_conversation_id: &str, origin_request: &[u8]) -> Vec<u8> {
    let mut out = String::with_capacity(4096);
    for part in [
        "<soapenv:Envelope xmlns:soapenv=\"",
        envelope::SOAP,
        "\" xmlns:loc=\"",
        TIMEOUT,
        "\" xmlns:res=\"",
        envelope::RESULT,
        "\"><soapenv:Header/><soapenv:Body><loc:notifyQueueTimeout><loc:originatorConversationID>",
    ] {
        out.push_str(part);
    }
    xml::push_text(&mut out, originator_conversation_id);
    out.push_str("</loc:originatorConversationID><loc:originRequest>");
    let folded = STANDARD.encode(origin_request);
    let mut rest = folded.as_str();
    while let Some((line, more)) =
        rest.split_at_checked(LINE_MAX).filter(|(_, more)| !more.is_empty())
    {
        out.push_str(line);
        out.push('\n');
        rest = more;
    }
    out.push_str(rest);
    out.push_str("</loc:originRequest></loc:notifyQueueTimeout></soapenv:Body></soapenv:Envelope>");
    out.into_bytes()
}
