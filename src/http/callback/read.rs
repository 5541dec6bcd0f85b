//! What M-Pesa's calls say, and what each is answered once it is kept (spec/soap.md §5, §7;
//! spec/daraja.md §2).
//!
//! A message is taken for what it is, by its content: many give M-Pesa one address for everything
//! (spec/soap.md §1.3). The end of the address, where there is one, says what it is about.

use axum::http::StatusCode;
use axum::response::Response;
use bytes::Bytes;

use super::{of_type, xml};
use crate::daraja;
use crate::domain::account;
use crate::domain::id::{ConversationId, InquiryId, PaymentId, PayoutId};
use crate::domain::inquiry::{self, Balances, Names};
use crate::domain::payment::C2bNotice;
use crate::domain::payment::validation::Answer;
use crate::domain::payout::{Event, InquiryFacts, ResultFacts};
use crate::domain::tag::{Tag, Tagged};
use crate::domain::told::value_at;
use crate::engine::{Heard, StkHeard};
use crate::soap::envelope::Unreadable;
use crate::soap::{self, ack};
use crate::store::Channel;

/// What a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Path {
    /// Results that the broker brings; it also asks here for the WSDL.
    BrokerResult,
    /// The broker's queue timeouts.
    BrokerTimeout,
    /// Daraja's results.
    Result,
    /// Daraja's queue timeouts.
    Timeout,
    /// Callbacks of prompts.
    Prompt,
    /// Whether a payment is to be taken.
    Validation,
    /// That a payment was made.
    Confirmation,
}

/// In what a message is written, and so its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Xml,
    Json,
}

impl Path {
    /// What its callers usually write.
    pub(super) const fn language(self) -> Language {
        match self {
            Self::BrokerResult | Self::BrokerTimeout => Language::Xml,
            Self::Result | Self::Timeout | Self::Prompt | Self::Validation | Self::Confirmation => {
                Language::Json
            }
        }
    }

    /// What this caller wrote: the first character says so.
    pub(super) fn language_of(self, body: &[u8]) -> Language {
        let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
        match body.trim_ascii_start().first() {
            Some(b'{') => Language::Json,
            Some(b'<') => Language::Xml,
            Some(_) | None => self.language(),
        }
    }

    const fn is_timeout(self) -> bool {
        matches!(self, Self::BrokerTimeout | Self::Timeout)
    }
}

/// A message, as far as it can be read.
pub(super) struct Understood {
    /// What kind it is.
    pub(super) channel: Channel,
    /// Its bytes as they shall be kept.
    pub(super) kept: Vec<u8>,
    /// What it says, and about what.
    pub(super) said: Said,
    /// What it is answered when it is kept.
    pub(super) reply: Reply,
}

/// What a message says, and about what.
pub(super) enum Said {
    /// Of a payout, or of a question about one, which the address may name.
    Payout(Option<(PayoutId, Option<u32>)>, Box<Heard>),
    /// A result of an inquiry, or of a question about one.
    Inquiry(InquiryId, Option<u32>, Box<inquiry::ResultFacts>),
    /// M-Pesa gave up on an inquiry, or on a question about one.
    InquiryTimeout(InquiryId, Option<u32>),
    /// How a prompt ended.
    Prompt(Box<StkHeard>),
    /// Whether a payment is to be taken.
    Validation(Result<Box<C2bNotice>, String>),
    /// A payment was made.
    Confirmation(Result<Box<C2bNotice>, String>),
}

impl Said {
    /// A word for metrics and logs.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::Payout(..) => "payout",
            Self::Inquiry(..) => "inquiry",
            Self::InquiryTimeout(..) => "inquiry_timeout",
            Self::Prompt(_) => "prompt",
            Self::Validation(_) => "validation",
            Self::Confirmation(_) => "confirmation",
        }
    }
}

/// What a message is answered when it is kept.
pub(super) enum Reply {
    /// These words, as SOAP.
    Xml(&'static str),
    /// These words, as JSON.
    Json(&'static str),
    /// The confirmation of this receipt was kept, as SOAP.
    Confirmed(String),
    /// Whatever was decided, in this language.
    Decided(Language),
}

impl Reply {
    /// The answer to what was kept.
    pub(super) fn into_response(self) -> Response {
        match self {
            Self::Xml(text) => xml(StatusCode::OK, Bytes::from_static(text.as_bytes())),
            Self::Json(text) => json(Bytes::from_static(text.as_bytes())),
            Self::Confirmed(receipt) => xml(StatusCode::OK, soap::c2b::confirmed(&receipt).into()),
            // Nothing was decided: the payment is taken, as where nobody answers.
            Self::Decided(_) => self.decided(&Answer::Accept { third_party_id: None }),
        }
    }

    /// The answer to a validation.
    pub(super) fn decided(self, answer: &Answer) -> Response {
        let in_xml = matches!(self, Self::Decided(Language::Xml));
        match (answer, in_xml) {
            (Answer::Accept { third_party_id }, true) => {
                xml(StatusCode::OK, soap::c2b::accepted(third_party_id.as_deref()).into())
            }
            (Answer::Accept { third_party_id }, false) => {
                json(daraja::ack::accepted(third_party_id.as_deref()).into())
            }
            (Answer::Reject(why), true) => xml(StatusCode::OK, soap::c2b::rejected(*why).into()),
            (Answer::Reject(why), false) => json(daraja::ack::rejected(*why).into()),
        }
    }
}

fn json(bytes: Bytes) -> Response {
    of_type(StatusCode::OK, daraja::ack::CONTENT_TYPE, bytes)
}

/// Reads a message that came to `path`, whose address ends in `tag`.
pub(super) fn understand(path: Path, tag: Option<&str>, body: &[u8]) -> Understood {
    let language = path.language_of(body);
    match path {
        Path::BrokerResult | Path::BrokerTimeout | Path::Result | Path::Timeout => {
            let outcome = match language {
                Language::Xml => soap_outcome(path, body),
                Language::Json => json_outcome(path, body),
            };
            outcome.about(tag)
        }
        Path::Prompt => prompt(tag, body),
        Path::Validation | Path::Confirmation => match language {
            Language::Xml => soap_notice(path, body),
            Language::Json => json_notice(path, body),
        },
    }
}

/// A result or a queue timeout, before it is known what it is about.
struct Outcome {
    channel: Channel,
    kept: Vec<u8>,
    word: Word,
    reply: Reply,
}

enum Word {
    Result {
        originator: Option<String>,
        conversation: Option<String>,
        facts: Box<ResultFacts>,
        status: Option<Box<InquiryFacts>>,
        /// The same, as an inquiry takes it.
        inquired: Box<inquiry::ResultFacts>,
    },
    Timeout {
        originator: Option<String>,
        conversation: Option<String>,
    },
    Unreadable(String),
}

impl Outcome {
    fn about(self, tag: Option<&str>) -> Understood {
        let Self { channel, kept, word, reply } = self;
        let tag = match tag.map(str::parse::<Tag>) {
            None => None,
            Some(Ok(Tag { of: Tagged::Payment, .. })) => {
                let why = "the end of its address is that of a payment".to_owned();
                let said = Said::Payout(None, Heard::Unreadable(why).into());
                return Understood { channel, kept, said, reply };
            }
            Some(Ok(tag)) => Some(tag),
            Some(Err(no_tag)) => {
                let said = Said::Payout(None, Heard::Unreadable(no_tag.to_string()).into());
                return Understood { channel, kept, said, reply };
            }
        };
        let (said, channel) = match (tag.and_then(inquiry_in), word) {
            (Some((id, nth)), Word::Result { inquired, .. }) => {
                (Said::Inquiry(id, nth, inquired), Channel::InquiryResult)
            }
            (Some((id, nth)), Word::Timeout { .. }) => {
                (Said::InquiryTimeout(id, nth), Channel::InquiryTimeout)
            }
            (None, Word::Result { originator, conversation, facts, status, .. }) => {
                let status = status.map(|status| *status);
                let heard = Heard::Result { originator, conversation, facts: *facts, status };
                (Said::Payout(tag.and_then(Tag::payout_in), heard.into()), channel)
            }
            (None, Word::Timeout { originator, conversation }) => {
                let event = Event::QueueTimedOut;
                let heard = Heard::Event { originator, conversation, event };
                (Said::Payout(tag.and_then(Tag::payout_in), heard.into()), channel)
            }
            (_, Word::Unreadable(why)) => {
                (Said::Payout(None, Heard::Unreadable(why).into()), channel)
            }
        };
        Understood { channel, kept, said, reply }
    }
}

/// The inquiry that a call is about, and the question about it, if it is about one.
fn inquiry_in(tag: Tag) -> Option<(InquiryId, Option<u32>)> {
    let id = InquiryId::from_bytes(tag.id);
    match tag.of {
        Tagged::Inquiry => Some((id, None)),
        Tagged::InquiryQuestion { nth } => Some((id, Some(nth))),
        Tagged::Payout | Tagged::PayoutQuestion { .. } | Tagged::Payment => None,
    }
}

/// Without our secrets, whatever it is: our own request may be in it, and in either language.
fn redact(body: &[u8]) -> Vec<u8> {
    soap::redact::redact(&daraja::redact::redact(body))
}

fn soap_outcome(path: Path, body: &[u8]) -> Outcome {
    let (first, other): (Reads, Reads) =
        if path.is_timeout() { (soap_timeout, soap_result) } else { (soap_result, soap_timeout) };
    let read = first(body).or_else(|unreadable| {
        let is_other = matches!(unreadable, Unreadable::OtherMessage { .. });
        let read = if is_other { other(body).ok() } else { None };
        read.ok_or(unreadable)
    });
    read.unwrap_or_else(|unreadable| {
        let (channel, reply) = if path.is_timeout() {
            (Channel::QueueTimeout, ack::TIMEOUT_KEPT)
        } else {
            (Channel::Result, ack::RESULT_KEPT)
        };
        Outcome {
            channel,
            kept: redact(body),
            word: Word::Unreadable(unreadable.to_string()),
            reply: Reply::Xml(reply),
        }
    })
}

type Reads = fn(&[u8]) -> Result<Outcome, Unreadable>;

fn soap_result(body: &[u8]) -> Result<Outcome, Unreadable> {
    soap::result::parse(body).map(|message| {
        let inquired = of_inquiry(&message);
        Outcome {
            channel: Channel::Result,
            kept: body.to_vec(),
            word: Word::Result {
                originator: message.originator_conversation_id,
                conversation: message.conversation_id,
                facts: message.facts.into(),
                status: message.status.map(Box::new),
                inquired: inquired.into(),
            },
            reply: Reply::Xml(ack::RESULT_KEPT),
        }
    })
}

/// What the broker's result says, as an inquiry takes it.
fn of_inquiry(message: &soap::result::ResultMessage) -> inquiry::ResultFacts {
    let ResultFacts {
        code,
        description,
        waiting,
        conversation,
        receipt,
        amount,
        charge,
        completed_at,
        odd,
        ..
    } = message.facts.clone();
    let originator = message.originator_conversation_id.as_deref().and_then(ConversationId::new);
    let accounts = value_at(&message.parameters, &["AccountBalance"]).map(account::accounts);
    let accounts = accounts.unwrap_or_default();
    inquiry::ResultFacts {
        code,
        description,
        waiting,
        names: Names { conversation, originator },
        receipt,
        amount,
        charge,
        completed_at,
        status: message.status.clone(),
        balances: (!accounts.is_empty()).then_some(Balances { accounts, at: completed_at }),
        odd,
    }
}

fn soap_timeout(body: &[u8]) -> Result<Outcome, Unreadable> {
    soap::timeout::parse(body).map(|message| Outcome {
        channel: Channel::QueueTimeout,
        // It brings our own request back, credential and all.
        kept: soap::timeout::redact(body),
        word: Word::Timeout { originator: message.originator_conversation_id, conversation: None },
        reply: Reply::Xml(ack::TIMEOUT_KEPT),
    })
}

/// What a queue timeout says beyond the names in it is not believed: money may or may not have
/// moved (spec/daraja.md §2.4).
fn json_outcome(path: Path, body: &[u8]) -> Outcome {
    let reply = Reply::Json(daraja::ack::RESULT_KEPT);
    if path.is_timeout() {
        let word = match daraja::timeout::parse(body) {
            Ok(told) => {
                Word::Timeout { originator: told.originator, conversation: told.conversation }
            }
            Err(unreadable) => Word::Unreadable(unreadable.to_string()),
        };
        return Outcome { channel: Channel::QueueTimeout, kept: redact(body), word, reply };
    }
    let channel = Channel::Result;
    match daraja::result::parse(body) {
        Ok(message) => {
            let inquired = message.of_inquiry().into();
            let word = Word::Result {
                originator: message.originator,
                conversation: message.conversation,
                facts: message.facts.into(),
                status: message.status.map(Box::new),
                inquired,
            };
            Outcome { channel, kept: body.to_vec(), word, reply }
        }
        Err(unreadable) => {
            let word = Word::Unreadable(unreadable.to_string());
            Outcome { channel, kept: redact(body), word, reply }
        }
    }
}

fn prompt(tag: Option<&str>, body: &[u8]) -> Understood {
    let payment = match tag.map(str::parse::<Tag>) {
        None => Ok(None),
        Some(Ok(Tag { of: Tagged::Payment, id })) => Ok(Some(PaymentId::from_bytes(id))),
        Some(Ok(_)) => Err("the end of its address is that of something else".to_owned()),
        Some(Err(no_tag)) => Err(no_tag.to_string()),
    };
    let read = daraja::stk::parse(body).map_err(|unreadable| unreadable.to_string());
    let (heard, kept) = match (payment, read) {
        (Ok(payment), Ok(callback)) => {
            (StkHeard::Facts { payment, facts: callback.facts }, body.to_vec())
        }
        (Err(why), Ok(_)) | (_, Err(why)) => (StkHeard::Unreadable(why), redact(body)),
    };
    Understood {
        channel: Channel::StkCallback,
        kept,
        said: Said::Prompt(heard.into()),
        reply: Reply::Json(daraja::ack::STK_KEPT),
    }
}

/// Which of the two a notice in JSON is, only its address says.
fn json_notice(path: Path, body: &[u8]) -> Understood {
    let read = daraja::c2b::parse(body).map_err(|unreadable| unreadable.to_string());
    let is_validation = path == Path::Validation;
    let reply = if is_validation {
        Reply::Decided(Language::Json)
    } else {
        Reply::Json(daraja::ack::CONFIRMED)
    };
    notice(is_validation, read, body, reply)
}

/// A notice in SOAP says itself which of the two it is.
fn soap_notice(path: Path, body: &[u8]) -> Understood {
    let (is_validation, read) = match soap::c2b::parse(body) {
        Ok(message) => (message.step == soap::c2b::Step::Validation, Ok(message.notice)),
        Err(unreadable) => (path == Path::Validation, Err(unreadable.to_string())),
    };
    let reply = if is_validation {
        Reply::Decided(Language::Xml)
    } else {
        let receipt = read.as_ref().map(|notice| notice.receipt.as_str()).unwrap_or_default();
        Reply::Confirmed(receipt.to_owned())
    };
    notice(is_validation, read, body, reply)
}

fn notice(
    is_validation: bool,
    read: Result<C2bNotice, String>,
    body: &[u8],
    reply: Reply,
) -> Understood {
    let kept = if read.is_ok() { body.to_vec() } else { redact(body) };
    let read = read.map(Box::new);
    let (channel, said) = if is_validation {
        (Channel::C2bValidation, Said::Validation(read))
    } else {
        (Channel::C2bConfirmation, Said::Confirmation(read))
    };
    Understood { channel, kept, said, reply }
}
