//! A message taken apart: envelope, header, body, the document inside; and the gateway's own word
//! on whether it understands it.

use super::deviation::{self as known, Deviation};
use super::mend::Mending;
use super::node::Node;
use super::text::Text;
use super::validator;
use super::words;
use super::{Checked, Finding, Schemas, Verdict};
use crate::soap::envelope::{Envelope, SOAP, Unreadable, without_backslashes};
use crate::soap::schema::{self, Shape};
use crate::soap::{c2b, request, response, result, timeout, xml};

/// A message that is known.
struct Kind {
    /// The element in the body.
    name: &'static str,
    shape: &'static Shape,
    /// The document that it carries as text.
    inner: Option<(&'static str, &'static Shape)>,
    /// How it is understood.
    read: fn(&[u8]) -> Result<(), Unreadable>,
}

const fn kind(
    name: &'static str,
    shape: &'static Shape,
    read: fn(&[u8]) -> Result<(), Unreadable>,
) -> Kind {
    Kind { name, shape, inner: None, read }
}

const KINDS: [Kind; 9] = [
    Kind {
        name: "RequestMsg",
        shape: &schema::REQUEST_MSG,
        inner: Some(("request", &schema::REQUEST_DOCUMENT)),
        read: |bytes| request::parse(bytes).map(drop),
    },
    Kind {
        name: "ResponseMsg",
        shape: &schema::RESPONSE_MSG,
        inner: Some(("response", &schema::RESPONSE_DOCUMENT)),
        read: |bytes| response::parse(bytes).map(drop),
    },
    Kind {
        name: "ResultMsg",
        shape: &schema::RESULT_MSG,
        inner: Some(("result", &schema::RESULT_DOCUMENT)),
        read: |bytes| result::parse(bytes).map(drop),
    },
    kind("notifyQueueTimeout", &schema::QUEUE_TIMEOUT, |bytes| timeout::parse(bytes).map(drop)),
    kind("notifyQueueTimeoutResponse", &schema::QUEUE_TIMEOUT_RESPONSE, opens),
    kind("C2BPaymentValidationRequest", &schema::C2B_VALIDATION, |bytes| {
        c2b::parse(bytes).map(drop)
    }),
    kind("C2BPaymentConfirmationRequest", &schema::C2B_CONFIRMATION, |bytes| {
        c2b::parse(bytes).map(drop)
    }),
    kind("C2BPaymentValidationResult", &schema::C2B_VALIDATION_RESULT, opens),
    kind("C2BPaymentConfirmationResult", &schema::C2B_CONFIRMATION_RESULT, opens),
];

/// The header.
const HEADER: &str = "RequestSOAPHeader";

fn opens(bytes: &[u8]) -> Result<(), Unreadable> {
    let text = xml::decode(bytes)?;
    Envelope::open(&text).map(drop)
}

fn kind_of(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name.eq_ignore_ascii_case(name))
}

/// The kind that carries a document with this root.
fn carrier_of(root: &str) -> Option<&'static Kind> {
    let carries =
        |kind: &&Kind| kind.inner.is_some_and(|(name, _)| name.eq_ignore_ascii_case(root));
    KINDS.iter().find(carries)
}

/// A message while it is looked at.
struct Looking<'s> {
    schemas: &'s Schemas,
    findings: Vec<Finding>,
}

/// Looks at a message.
pub(super) fn check(schemas: &Schemas, bytes: &[u8]) -> Checked {
    let decoded = match xml::decode_at(bytes) {
        Ok(decoded) => decoded,
        Err(error) => return unreadable("nothing that can be read", &words::of_error(&error), 1),
    };
    let text = Text::of_file(&decoded.text, decoded.line);
    let mut looking = Looking { schemas, findings: Vec::new() };
    let has_prolog = text.as_str().starts_with("<?xml");
    if decoded.after_blanks && has_prolog {
        looking.deviates(&text, 0, "the message", known::BLANK_BEFORE_PROLOG);
    }
    let (root, text) = match looking.read(text, None) {
        Ok(read) => read,
        Err(error) => return unreadable("no XML", &error.why, error.line),
    };
    let (message, understood) = looking.whole(&root, &text, bytes);
    judged(message, looking.findings, understood.err().map(|error| error.to_string()))
}

fn unreadable(message: &str, why: &str, line: usize) -> Checked {
    let finding = Finding {
        line,
        element: "the message".to_owned(),
        found: why.to_owned(),
        expected: "well-formed XML".to_owned(),
        deviation: None,
    };
    judged(message.to_owned(), vec![finding], Some(why.to_owned()))
}

fn judged(message: String, findings: Vec<Finding>, not_understood: Option<String>) -> Checked {
    let verdict = if not_understood.is_some() {
        Verdict::NotUnderstood
    } else if findings.is_empty() {
        Verdict::ToSchema
    } else if findings.iter().all(|finding| finding.deviation.is_some()) {
        Verdict::Deviates
    } else {
        Verdict::NotToSchema
    };
    Checked { message, verdict, findings, not_understood }
}

type Understood = Result<(), Unreadable>;

impl Looking<'_> {
    fn deviates(&mut self, text: &Text, at: usize, element: &str, deviation: Deviation) {
        self.findings.push(Finding {
            line: text.line_at(at),
            element: element.to_owned(),
            found: deviation.says.to_owned(),
            expected: "XML as it is written for any reader".to_owned(),
            deviation: Some(deviation),
        });
    }

    /// Reads a document strictly; what readers of this gateway repair is repaired and said.
    fn read(&mut self, text: Text, inner: Option<&str>) -> Result<(Node, Text), validator::NotXml> {
        let first = match validator::read(&text) {
            Ok(root) => return Ok((root, text)),
            Err(error) => error,
        };
        let element = inner.unwrap_or("the message");
        for (mended, deviations) in repairs(&text) {
            if let Ok(root) = validator::read(&mended) {
                for deviation in deviations {
                    self.findings.push(Finding {
                        line: first.line,
                        element: element.to_owned(),
                        found: deviation.says.to_owned(),
                        expected: "well-formed XML".to_owned(),
                        deviation: Some(deviation),
                    });
                }
                return Ok((root, mended));
            }
        }
        Err(first)
    }

    /// What the message is, and whether it is understood.
    fn whole(&mut self, root: &Node, text: &Text, bytes: &[u8]) -> (String, Understood) {
        if root.name.eq_ignore_ascii_case("Envelope") {
            return self.envelope(root, text, bytes);
        }
        let alone = || text.without_prolog().as_str().to_owned();
        if root.name == HEADER {
            self.part(root, Some(&schema::HEADER));
            return (HEADER.to_owned(), Ok(()));
        }
        if let Some(kind) = kind_of(&root.name) {
            self.body(root, text);
            return (kind.name.to_owned(), (kind.read)(enveloped(&alone()).as_bytes()));
        }
        if let Some((kind, (name, shape))) =
            carrier_of(&root.name).and_then(|kind| Some((kind, kind.inner?)))
        {
            self.part(root, Some(shape));
            let mut carried = format!("<{}>", kind.name);
            xml::push_cdata(&mut carried, &alone());
            carried.push_str(&format!("</{}>", kind.name));
            return (name.to_owned(), (kind.read)(enveloped(&carried).as_bytes()));
        }
        self.part(root, None);
        (known_or_other(&root.name), Ok(()))
    }

    fn envelope(&mut self, root: &Node, text: &Text, bytes: &[u8]) -> (String, Understood) {
        let frame = self.schemas.frame.faults(root);
        self.findings.extend(frame.into_iter().map(Finding::from));
        let parts = |name: &str| root.child(name).map(|part| part.children.as_slice());
        for block in parts("Header").unwrap_or_default() {
            let shape = (block.name == HEADER).then_some(&schema::HEADER);
            self.part(block, shape);
        }
        let Some(message) = parts("Body").and_then(<[Node]>::first) else {
            return ("an envelope".to_owned(), opens(bytes));
        };
        self.body(message, text);
        match kind_of(&message.name) {
            Some(kind) => (kind.name.to_owned(), (kind.read)(bytes)),
            None => (known_or_other(&message.name), opens(bytes)),
        }
    }

    /// What stands in the body, and the document inside it.
    fn body(&mut self, message: &Node, text: &Text) {
        let kind = kind_of(&message.name);
        self.part(message, kind.map(|kind| kind.shape));
        let Some((name, shape)) = kind.and_then(|kind| kind.inner) else { return };
        let inside = text.inside(message.span);
        let inside_trimmed = inside.trimmed();
        if inside_trimmed.as_str().is_empty() {
            match message.children.first() {
                Some(nested) => self.part(nested, Some(shape)),
                None => self.missing(message, name),
            }
            return;
        }
        self.inner(message, (inside, inside_trimmed), name, shape);
    }

    fn missing(&mut self, message: &Node, name: &str) {
        self.findings.push(Finding {
            line: message.line,
            element: message.name.clone(),
            found: "nothing".to_owned(),
            expected: format!("a document with the root {name}"),
            deviation: None,
        });
    }

    fn inner(
        &mut self,
        message: &Node,
        (raw, mut text): (Text, Text),
        name: &str,
        shape: &'static Shape,
    ) {
        let blanks = raw.as_str().starts_with(char::is_whitespace);
        if blanks && text.as_str().starts_with("<?xml") {
            self.deviates(&text, 0, &message.name, known::BLANK_BEFORE_PROLOG);
        }
        if text.as_str().get(..4).is_some_and(|head| head.eq_ignore_ascii_case("&lt;")) {
            self.deviates(&text, 0, &message.name, known::INNER_ESCAPED_TWICE);
            text = text.unescaped().trimmed();
        }
        match self.read(text, Some(name)) {
            Ok((root, _)) if root.name.eq_ignore_ascii_case(name) => {
                self.part(&root, Some(shape));
            }
            Ok((root, _)) => self.findings.push(Finding {
                line: root.line,
                element: format!("{}/{}", message.name, xml::excerpt(&root.name)),
                found: known_or_other(&root.name),
                expected: format!("a document with the root {name}"),
                deviation: None,
            }),
            Err(error) => self.findings.push(Finding {
                line: error.line,
                element: message.name.clone(),
                found: error.why,
                expected: "a document that is well-formed XML".to_owned(),
                deviation: None,
            }),
        }
    }

    /// Holds a part against its schema, and says what of it is known.
    fn part(&mut self, node: &Node, shape: Option<&Shape>) {
        let faults = self.schemas.faults(node);
        if faults.is_empty() {
            return;
        }
        let mut mending = Mending::new(!self.schemas.is_bundled);
        let rest = match shape {
            Some(shape) => {
                let mut mended = node.clone();
                mending.root(&mut mended, shape);
                self.schemas.faults(&mended)
            }
            None => faults,
        };
        self.findings.append(&mut mending.log);
        self.findings.extend(rest.into_iter().map(Finding::from));
    }
}

/// A text with what is known to be repaired repaired, and what that was.
fn repairs(text: &Text) -> Vec<(Text, Vec<Deviation>)> {
    let mut tried: Vec<(Text, Vec<Deviation>)> = Vec::new();
    let plain = text.without_prolog();
    tried.push((plain.clone(), vec![known::INNER_PROLOG]));
    for (text, before) in [(text, vec![]), (&plain, vec![known::INNER_PROLOG])] {
        let and = |one: Deviation| before.iter().copied().chain([one]).collect::<Vec<_>>();
        if let Some(mended) = xml::escape_bare_ampersands(text.as_str()) {
            tried.push((text.mended(mended), and(known::BARE_AMPERSAND)));
        }
        let mended = without_backslashes(text.as_str());
        if mended != text.as_str() {
            let quotes = and(known::BACKSLASH_QUOTES);
            if let Some(both) = xml::escape_bare_ampersands(&mended) {
                let both_known = [quotes.as_slice(), &[known::BARE_AMPERSAND]].concat();
                tried.push((text.mended(both), both_known));
            }
            tried.push((text.mended(mended), quotes));
        }
    }
    tried
}

/// A message in an envelope of ours.
fn enveloped(message: &str) -> String {
    format!("<e:Envelope xmlns:e=\"{SOAP}\"><e:Body>{message}</e:Body></e:Envelope>")
}

/// A name for a line: a stranger's may be anything.
fn known_or_other(name: &str) -> String {
    xml::excerpt(name)
}
