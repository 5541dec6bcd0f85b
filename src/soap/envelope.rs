//! The envelope round every message, and the document inside it.
//!
//! The body of a request, response or result holds one element whose text is a document of its
//! own (spec/soap.md §1.2). Reading takes it as CDATA, escaped, nested or split, with any prolog
//! (§9); writing always puts it in CDATA.

use std::borrow::Cow;

use super::fault;
use super::redact;
use super::xml::{self, Element, XmlError};
pub use crate::domain::told::{
    CODE_MAX, DESCRIPTION_MAX, ID_MAX, code, is_id, value_at, values_at,
};

/// The namespace of SOAP 1.1 (spec/soap.md §1.1).
pub const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The namespace of outer requests and responses and of the inner request (spec/soap.md §1.1).
pub const REQUEST: &str = "http://api-v1.gen.mm.vodafone.com/mminterface/request";
/// The namespace of the inner response (spec/soap.md §1.1).
pub const RESPONSE: &str = "http://api-v1.gen.mm.vodafone.com/mminterface/response";
/// The namespace of outer and inner results (spec/soap.md §1.1).
pub const RESULT: &str = "http://api-v1.gen.mm.vodafone.com/mminterface/result";
/// The prolog that begins every inner document (spec/soap.md §3.1).
pub const PROLOG: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;

/// Why a message could not be understood.
///
/// It is logged, so it holds nothing of the message but names that are known ([`known_name`]): a
/// stranger's words may be a phone, a name, a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// The bytes are not XML that is accepted here.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// The document inside the envelope is not XML that is accepted here.
    #[error("the document inside the envelope: {0}")]
    Inside(XmlError),
    /// XML, and no SOAP envelope with a body.
    #[error("this is no SOAP envelope with a body: its root is {0}")]
    NotAnEnvelope(&'static str),
    /// An envelope with another message in it.
    #[error("the envelope holds {found}, not <{expected}>")]
    OtherMessage {
        /// The message that was expected.
        expected: &'static str,
        /// The message that came, if its name is known.
        found: &'static str,
    },
    /// A SOAP Fault (spec/soap.md §4.2): whether anything was done is open.
    #[error("a SOAP Fault ({0})")]
    Fault(&'static str),
    /// The inner document's root is another.
    #[error("the inner document is {found}, not <{expected}>")]
    OtherDocument {
        /// The root that was expected.
        expected: &'static str,
        /// The root that came, if its name is known.
        found: &'static str,
    },
    /// An element without which the message says nothing.
    #[error("{0} is missing or empty")]
    Missing(&'static str),
    /// An element that stands twice and says two things.
    #[error("{0} stands twice and disagrees with itself")]
    Contradiction(&'static str),
    /// An id that is longer than any id, or has control characters in it.
    #[error("{0} is no id that M-Pesa could have")]
    NoId(&'static str),
}

/// The elements that an error may name.
const NAMES: [&str; 16] = [
    "<Envelope>",
    "<Header>",
    "<Body>",
    "<Fault>",
    "<RequestMsg>",
    "<ResponseMsg>",
    "<ResultMsg>",
    "<request>",
    "<response>",
    "<result>",
    "<notifyQueueTimeout>",
    "<notifyQueueTimeoutResponse>",
    "<queryTransaction>",
    "<queryTransactionResponse>",
    "<C2BPaymentValidationRequest>",
    "<C2BPaymentConfirmationRequest>",
];

/// The name of an element for an error: itself if it is one of the wire's own.
pub fn known_name(name: &str) -> &'static str {
    let is_it = |known: &&&str| known.trim_matches(['<', '>']).eq_ignore_ascii_case(name);
    NAMES.iter().find(is_it).copied().unwrap_or("an element with another name")
}

/// An envelope that was opened.
#[derive(Clone, Debug)]
pub struct Envelope<'a> {
    /// The `Header`, if there is one.
    pub header: Option<Element<'a>>,
    /// The `Body`.
    pub body: Element<'a>,
}

impl<'a> Envelope<'a> {
    /// Opens a message; `text` comes from [`xml::decode`].
    ///
    /// # Errors
    /// It is no XML, or no envelope.
    pub fn open(text: &'a str) -> Result<Self, Unreadable> {
        Self::of(read_repairing(text)?)
    }

    fn of(root: Element<'a>) -> Result<Self, Unreadable> {
        let mut header = None;
        let mut body = None;
        let name = root.name.clone();
        if root.is("Envelope") {
            for child in root.children {
                if child.is("Header") && header.is_none() {
                    header = Some(child);
                } else if child.is("Body") && body.is_none() {
                    body = Some(child);
                }
            }
        }
        match body {
            Some(body) => Ok(Self { header, body }),
            None => Err(Unreadable::NotAnEnvelope(known_name(&name))),
        }
    }

    /// The body's element of that name.
    ///
    /// # Errors
    /// The body is a SOAP Fault, empty, or something else.
    pub fn message(&self, expected: &'static str) -> Result<&Element<'a>, Unreadable> {
        if let Some(message) = self.body.child(expected) {
            return Ok(message);
        }
        if let Some(fault) = self.body.child("Fault") {
            return Err(fault::read(fault));
        }
        let found = self.body.children.first().map_or("nothing", |child| known_name(&child.name));
        Err(Unreadable::OtherMessage { expected, found })
    }
}

/// The document inside a `RequestMsg`, `ResponseMsg` or `ResultMsg`, with the root `expected`.
///
/// # Errors
/// There is none, or it is another.
pub fn document<'m>(
    message: &'m Element<'_>,
    expected: &'static str,
) -> Result<Cow<'m, Element<'m>>, Unreadable> {
    let text = xml::trim(&message.text);
    let root: Cow<'m, Element<'m>> = if text.is_empty() {
        match message.children.first() {
            Some(child) => Cow::Borrowed(child),
            None => return Err(Unreadable::Missing(expected)),
        }
    } else {
        Cow::Owned(inner(text).map_err(Unreadable::Inside)?)
    };
    if root.is(expected) {
        Ok(root)
    } else {
        Err(Unreadable::OtherDocument { expected, found: known_name(&root.name) })
    }
}

fn inner(text: &str) -> Result<Element<'_>, XmlError> {
    // Escaped once more inside CDATA: seen where two layers of software each escaped.
    let escaped = text.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("&lt;"));
    if escaped {
        let plain = xml::unescape(text);
        return read_repairing(&plain).map(Element::into_owned);
    }
    read_repairing(text)
}

/// Reads a document, repairing bare `&` and then backslash-escaped quotes (spec/soap.md §9).
fn read_repairing(text: &str) -> Result<Element<'_>, XmlError> {
    let first = match xml::parse_repairing(text) {
        Ok(element) => return Ok(element),
        Err(error) => error,
    };
    let repairable = matches!(first, XmlError::Malformed { .. } | XmlError::NotXml { .. });
    if !repairable || !text.contains("=\\") {
        return Err(first);
    }
    match xml::parse_repairing(&without_backslashes(text)) {
        Ok(element) => Ok(element.into_owned()),
        Err(_second) => Err(first),
    }
}

/// Undoes the escapes of a JSON string or a log line; other backslashes stay.
pub fn without_backslashes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let escaped = match (c, chars.peek()) {
            ('\\', Some('"')) => Some('"'),
            ('\\', Some('\'')) => Some('\''),
            ('\\', Some('/')) => Some('/'),
            ('\\', Some('\\')) => Some('\\'),
            ('\\', Some('n' | 'r' | 't')) => Some(' '),
            _ => None,
        };
        match escaped {
            Some(escaped) => {
                plain.push(escaped);
                chars.next();
            }
            None => plain.push(c),
        }
    }
    plain
}

/// The one value of an element without which the message says nothing.
///
/// # Errors
/// It is missing, or stands twice and disagrees with itself.
pub fn required<'m>(document: &'m Element<'_>, name: &'static str) -> Result<&'m str, Unreadable> {
    unambiguous(document, name)?.ok_or(Unreadable::Missing(name))
}

/// The one value of an element, if there is any.
///
/// # Errors
/// It stands twice and disagrees with itself: believing the first would be a guess.
pub fn unambiguous<'m>(
    document: &'m Element<'_>,
    name: &'static str,
) -> Result<Option<&'m str>, Unreadable> {
    let mut one = None;
    for child in document.children.iter().filter(|child| child.is(name)) {
        let value = child.value();
        match one {
            _ if value.is_empty() => {}
            None => one = Some(value),
            Some(first) if first == value => {}
            Some(_) => return Err(Unreadable::Contradiction(name)),
        }
    }
    Ok(one)
}

/// `Key` and `Value` of each child, in order, whatever the child is called; a group nested in one
/// of its own name counts too (spec/soap.md §9).
pub fn pairs(group: &Element<'_>) -> Vec<(String, String)> {
    let mut pairs = Vec::with_capacity(group.children.len());
    for item in &group.children {
        if let Some(key) = item.value_of("Key") {
            let value = item.child("Value").map(Element::value).unwrap_or_default();
            pairs.push((key.to_owned(), value.to_owned()));
        } else {
            let nested = item.children.iter();
            pairs.extend(nested.filter_map(|inner| {
                let key = inner.value_of("Key")?;
                let value = inner.value_of("Value").unwrap_or_default();
                Some((key.to_owned(), value.to_owned()))
            }));
        }
    }
    pairs
}

/// How to write an envelope: which message, and what its prefix stands for.
#[derive(Clone, Copy, Debug)]
pub struct Wrapping {
    /// The message's prefix.
    pub prefix: &'static str,
    /// What it stands for.
    pub namespace: &'static str,
    /// The message: `RequestMsg`, `ResponseMsg`, `ResultMsg`.
    pub message: &'static str,
}

/// `RequestMsg` (spec/soap.md §1.1).
pub const REQUEST_MSG: Wrapping =
    Wrapping { prefix: "req", namespace: REQUEST, message: "RequestMsg" };
/// `ResponseMsg`, in the request namespace (spec/soap.md §1.1).
pub const RESPONSE_MSG: Wrapping =
    Wrapping { prefix: "req", namespace: REQUEST, message: "ResponseMsg" };
/// `ResultMsg` (spec/soap.md §1.1).
pub const RESULT_MSG: Wrapping =
    Wrapping { prefix: "res", namespace: RESULT, message: "ResultMsg" };

/// An envelope: `header` is what stands inside the Header, written already; `document` is the
/// inner document without its prolog.
pub fn render(wrapping: Wrapping, header: &str, document: &str) -> String {
    let Wrapping { prefix, namespace, message } = wrapping;
    let mut inside = String::with_capacity(document.len().saturating_add(64));
    inside.push_str(PROLOG);
    inside.push('\n');
    inside.push_str(document);
    let mut out =
        String::with_capacity(inside.len().saturating_add(header.len()).saturating_add(512));
    out.push_str("<soapenv:Envelope xmlns:soapenv=\"");
    out.push_str(SOAP);
    out.push_str("\" xmlns:");
    out.push_str(prefix);
    out.push_str("=\"");
    out.push_str(namespace);
    out.push_str("\"><soapenv:Header>");
    out.push_str(header);
    out.push_str("</soapenv:Header><soapenv:Body>");
    for part in ["<", prefix, ":", message, ">"] {
        out.push_str(part);
    }
    xml::push_cdata(&mut out, &inside);
    for part in ["</", prefix, ":", message, ">"] {
        out.push_str(part);
    }
    out.push_str("</soapenv:Body></soapenv:Envelope>");
    out
}

/// A description, cut, without control characters and without secrets of ours that it repeats.
pub fn description(text: &str) -> String {
    let cut: String = text.chars().take(DESCRIPTION_MAX).collect();
    redact::redact_text(&cut).chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
