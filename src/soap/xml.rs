//! XML in and out: the only file that names `quick_xml`.
//!
//! Reading builds a small tree of elements that borrow from the message; every size is bounded,
//! and nothing a peer sends may make it panic. Writing escapes. What M-Pesa's messages look like
//! is no matter of this file.

use std::borrow::Cow;
use std::fmt;

use quick_xml::Reader;
use quick_xml::events::attributes::Attributes;
use quick_xml::events::{BytesRef, Event};

use super::escape::resolve;
pub use super::escape::{excerpt, is_legal, push_attribute, push_cdata, push_text, trim, unescape};

/// The longest message that is read, in bytes: real ones stay below 10 KiB, and a callback's body
/// is capped at the same size before it comes here.
pub const BYTES_MAX: usize = 1024 * 1024;
/// The deepest nesting: a request has 7 levels with its envelope.
pub const DEPTH_MAX: usize = 32;
/// The most elements: a result has about 60.
pub const ELEMENTS_MAX: usize = 5_000;
/// The most attributes on one element, namespace declarations included.
pub const ATTRIBUTES_MAX: usize = 32;
/// The most namespace declarations in force at once: each look-up walks them.
pub const BINDINGS_MAX: usize = 256;

/// Why bytes could not be read as XML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// Nothing, or only blanks.
    #[error("the message is empty")]
    Empty,
    /// Longer than [`BYTES_MAX`].
    #[error("the message has {0} bytes; at most {BYTES_MAX} are read")]
    TooLong(usize),
    /// Something else than XML, such as an HTML page.
    #[error("this is not XML but {looks_like} of {bytes} bytes")]
    NotXml {
        /// What it looks like, in words that quote nothing of it.
        looks_like: &'static str,
        /// How long it is.
        bytes: usize,
    },
    /// A document type declaration: refused, because it can define entities.
    #[error("the message has a DOCTYPE, which is refused")]
    Doctype,
    /// A processing instruction: SOAP forbids them.
    #[error("the message has a processing instruction, which is refused")]
    Instruction,
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("elements are nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// More elements, attributes or namespaces than the limits allow.
    #[error("the message has too many {0}")]
    TooMany(&'static str),
    /// Not well-formed.
    #[error("not well-formed at byte {at}: {why}")]
    Malformed {
        /// Where, in bytes from the beginning.
        at: u64,
        /// What is wrong there, in words that quote nothing of it.
        why: &'static str,
    },
}

/// An attribute: its local name and value.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Local name.
    pub name: Cow<'a, str>,
    /// Value, entities resolved.
    pub value: Cow<'a, str>,
}

/// An element: borrowed from the message wherever that is possible.
#[derive(Clone, PartialEq, Eq)]
pub struct Element<'a> {
    /// Local name, without prefix.
    pub name: Cow<'a, str>,
    /// Namespace, if any is in force.
    pub namespace: Option<Cow<'a, str>>,
    /// Attributes, without namespace declarations.
    pub attributes: Vec<Attribute<'a>>,
    /// All text and CDATA directly inside, one after the other.
    pub text: Cow<'a, str>,
    /// Child elements in order.
    pub children: Vec<Self>,
}

impl fmt::Debug for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}=***", self.name)
    }
}

impl fmt::Debug for Element<'_> {
    /// Names only: values are secrets, phones and names of people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.name)?;
        if self.children.is_empty() {
            return Ok(());
        }
        f.debug_list().entries(&self.children).finish()
    }
}

impl<'a> Element<'a> {
    /// Whether this is its local name, upper and lower case being the same: `ConversationId` is
    /// `ConversationID` (spec/soap.md §9).
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The first child of that local name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.is(name))
    }

    /// Every child of that local name.
    pub fn children_named<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Element<'a>> {
        self.children.iter().filter(move |child| child.is(name))
    }

    /// The element at the end of a path of local names.
    pub fn descend(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// Its own text, trimmed.
    pub fn value(&self) -> &str {
        self.text.trim()
    }

    /// The trimmed text of the first child of that name that has any.
    pub fn value_of(&self, name: &str) -> Option<&str> {
        self.children
            .iter()
            .filter(|child| child.is(name))
            .map(Element::value)
            .find(|value| !value.is_empty())
    }

    /// The value of an attribute, by local name.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|attribute| attribute.name == name)
            .map(|attribute| attribute.value.as_ref())
    }

    /// A copy that borrows nothing.
    pub fn into_owned(self) -> Element<'static> {
        Element {
            name: owned(self.name),
            namespace: self.namespace.map(owned),
            attributes: self
                .attributes
                .into_iter()
                .map(|attribute| Attribute {
                    name: owned(attribute.name),
                    value: owned(attribute.value),
                })
                .collect(),
            text: owned(self.text),
            children: self.children.into_iter().map(Element::into_owned).collect(),
        }
    }
}

fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

/// The text of a message, whatever its encoding.
///
/// Content types lie and lack charsets (spec/soap.md §1.3), so the bytes speak: a byte order mark,
/// else UTF-8, else a prolog that says Latin-1. A byte that fits nothing becomes U+FFFD: one bad
/// letter in a name must not hide a result. Leading blanks are dropped.
///
/// # Errors
/// [`XmlError::Empty`] and [`XmlError::TooLong`].
pub fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    decode_at(bytes).map(|decoded| decoded.text)
}

/// The text of a message, and where in the message it begins.
#[derive(Clone, Debug)]
pub struct Decoded<'a> {
    /// The text, without blanks round it.
    pub text: Cow<'a, str>,
    /// The line of the message that it begins in, from 1.
    pub line: usize,
    /// Whether anything but a byte order mark stands before it.
    pub after_blanks: bool,
}

/// [`decode`], for whoever names lines to people.
///
/// # Errors
/// As [`decode`].
pub fn decode_at(bytes: &[u8]) -> Result<Decoded<'_>, XmlError> {
    if bytes.len() > BYTES_MAX {
        return Err(XmlError::TooLong(bytes.len()));
    }
    let text = match bytes {
        [0xFE, 0xFF, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)),
        [0xFF, 0xFE, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) if says_latin(bytes) => {
                Cow::Owned(bytes.iter().copied().map(char::from).collect())
            }
            Err(_) => String::from_utf8_lossy(bytes),
        },
    };
    let (line, after_blanks) = before(&text);
    let trimmed = match text {
        Cow::Borrowed(text) => Cow::Borrowed(trim(text)),
        Cow::Owned(text) => Cow::Owned(trim(&text).to_owned()),
    };
    if trimmed.is_empty() {
        return Err(XmlError::Empty);
    }
    Ok(Decoded { text: trimmed, line, after_blanks })
}

/// The line in which a text begins, and whether blanks stand before it.
fn before(text: &str) -> (usize, bool) {
    let marks = text.chars().take_while(|c| c.is_whitespace() || *c == '\u{FEFF}');
    marks.fold((1, false), |(line, blank), c| {
        (line.saturating_add(usize::from(c == '\n')), blank || c.is_whitespace())
    })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let (pairs, _odd) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16_lossy(&units)
}

fn says_latin(bytes: &[u8]) -> bool {
    let prolog: String = bytes
        .iter()
        .take(100)
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .take_while(|c| *c != '>')
        .collect();
    ["iso-8859-1", "latin1", "windows-1252"].iter().any(|name| prolog.contains(name))
}

/// Drops an XML prolog, however it is written (spec/soap.md §9): the text is Unicode already, so
/// what a prolog claims does not matter.
pub fn without_prolog(text: &str) -> &str {
    let text = trim(text);
    let is_prolog = text.get(..5).is_some_and(|head| head.eq_ignore_ascii_case("<?xml"));
    if !is_prolog {
        return text;
    }
    text.split_once("?>").map_or(text, |(_, rest)| trim(rest))
}

/// Reads a document, its prolog being optional.
///
/// # Errors
/// Why it is not one.
pub fn parse(text: &str) -> Result<Element<'_>, XmlError> {
    let text = without_prolog(text);
    if text.len() > BYTES_MAX {
        return Err(XmlError::TooLong(text.len()));
    }
    if text.is_empty() {
        return Err(XmlError::Empty);
    }
    if let Some(looks_like) = other_than_xml(text) {
        return Err(XmlError::NotXml { looks_like, bytes: text.len() });
    }
    Tree::new(text).read()
}

/// What a text looks like that is no XML.
fn other_than_xml(text: &str) -> Option<&'static str> {
    let begins = |word: &str| {
        let head = text.get(..word.len());
        let next = text.get(word.len()..).and_then(|rest| rest.chars().next());
        head.is_some_and(|head| head.eq_ignore_ascii_case(word))
            && !next.is_some_and(char::is_alphanumeric)
    };
    match text.chars().next()? {
        '<' if begins("<!doctype html") || begins("<html") => Some("an HTML page"),
        '<' => None,
        '{' | '[' => Some("JSON"),
        _ => Some("text"),
    }
}

/// What is not well-formed, without the words of the message that the reader's own error quotes.
const fn in_words(error: &quick_xml::Error) -> &'static str {
    use quick_xml::errors::IllFormedError;
    match error {
        quick_xml::Error::Syntax(_) => "something begins there and never ends",
        quick_xml::Error::IllFormed(
            IllFormedError::MismatchedEndTag { .. }
            | IllFormedError::UnmatchedEndTag(_)
            | IllFormedError::MissingEndTag(_),
        ) => "an element is closed that is not open, or never closed",
        quick_xml::Error::IllFormed(_) => "a declaration, comment or reference is malformed",
        quick_xml::Error::InvalidAttr(_) => "an attribute is malformed",
        quick_xml::Error::Encoding(_) => "the encoding is wrong",
        quick_xml::Error::Escape(_) => "an escape is malformed",
        quick_xml::Error::Namespace(_) => "a namespace is wrong",
        quick_xml::Error::Io(_) => "it cannot be read on",
    }
}

/// Reads a document and, if it is not well-formed, escapes each bare `&` and reads it once more:
/// balances are joined by `&`, and some writers forget to escape it (spec/soap.md §5.4, §9).
///
/// # Errors
/// Why the first reading failed, if the repair does not help.
pub fn parse_repairing(text: &str) -> Result<Element<'_>, XmlError> {
    let first = match parse(text) {
        Ok(element) => return Ok(element),
        Err(error) => error,
    };
    if !matches!(first, XmlError::Malformed { .. }) {
        return Err(first);
    }
    let Some(repaired) = escape_bare_ampersands(text) else {
        return Err(first);
    };
    match parse(&repaired) {
        Ok(element) => Ok(element.into_owned()),
        Err(_second) => Err(first),
    }
}

/// `text` with each `&` escaped that begins no reference; `None` when there is none.
pub fn escape_bare_ampersands(text: &str) -> Option<String> {
    let mut repaired = String::with_capacity(text.len());
    let mut changed = false;
    let mut parts = text.split('&');
    repaired.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let name = part.split_once(';').map(|(name, _)| name);
        if name.is_some_and(|name| resolve(name).is_some()) {
            repaired.push('&');
        } else {
            repaired.push_str("&amp;");
            changed = true;
        }
        repaired.push_str(part);
    }
    changed.then_some(repaired)
}

/// An element that is still open.
struct Open<'a> {
    element: Element<'a>,
    /// Namespace declarations in force outside of it.
    outer_bindings: usize,
    /// Whether CDATA was seen directly inside.
    has_cdata: bool,
}

/// The tree while it grows: a stack of open elements, so that no input makes it recurse.
struct Tree<'a> {
    source: &'a str,
    reader: Reader<&'a [u8]>,
    open: Vec<Open<'a>>,
    bindings: Vec<(&'a str, Cow<'a, str>)>,
    root: Option<Element<'a>>,
    elements: usize,
}

impl<'a> Tree<'a> {
    fn new(source: &'a str) -> Self {
        Self {
            source,
            reader: Reader::from_str(source),
            open: Vec::with_capacity(8),
            bindings: Vec::with_capacity(4),
            root: None,
            elements: 0,
        }
    }

    fn read(mut self) -> Result<Element<'a>, XmlError> {
        loop {
            let event = match self.reader.read_event() {
                Ok(event) => event,
                Err(error) => {
                    return Err(XmlError::Malformed {
                        at: self.reader.error_position(),
                        why: in_words(&error),
                    });
                }
            };
            match event {
                Event::Start(start) => self.start(start.len(), start.name().as_ref().len(), 1)?,
                Event::Empty(start) => {
                    self.start(start.len(), start.name().as_ref().len(), 2)?;
                    self.end();
                }
                Event::End(_) => self.end(),
                Event::Text(text) => self.text(text.xml10_content(), false)?,
                Event::CData(text) => self.text(text.xml10_content(), true)?,
                Event::GeneralRef(reference) => self.reference(&reference)?,
                Event::Comment(_) | Event::Decl(_) => {}
                Event::PI(_) => return Err(XmlError::Instruction),
                Event::DocType(_) => return Err(XmlError::Doctype),
                Event::Eof => return self.finish(),
            }
        }
    }

    fn finish(mut self) -> Result<Element<'a>, XmlError> {
        if !self.open.is_empty() {
            return Err(self.malformed("the message ends inside an element"));
        }
        self.root.take().ok_or(XmlError::Empty)
    }

    fn malformed(&self, why: &'static str) -> XmlError {
        XmlError::Malformed { at: self.reader.buffer_position(), why }
    }

    /// What stands between `<` and `>` or `/>` of the tag that was just read: the reader's own
    /// copy does not live long enough to be borrowed from.
    fn tag(&self, len: usize, closing: usize) -> Option<&'a str> {
        let after = usize::try_from(self.reader.buffer_position()).ok()?;
        let to = after.checked_sub(closing)?;
        self.source.get(to.checked_sub(len)?..to)
    }

    fn start(&mut self, len: usize, name_len: usize, closing: usize) -> Result<(), XmlError> {
        self.elements = self.elements.saturating_add(1);
        if self.elements > ELEMENTS_MAX {
            return Err(XmlError::TooMany("elements"));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(XmlError::TooDeep);
        }
        if self.root.is_some() {
            return Err(self.malformed("a second root element"));
        }
        let tag = self.tag(len, closing);
        let name = tag.and_then(|tag| tag.get(..name_len));
        let (Some(tag), Some(name)) = (tag, name.filter(|name| is_name(name))) else {
            return Err(self.malformed("an element has no proper name"));
        };
        let outer_bindings = self.bindings.len();
        let attributes = self.attributes(tag, name_len)?;
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let namespace = self.namespace(prefix);
        self.open.push(Open {
            element: Element {
                name: Cow::Borrowed(local),
                namespace,
                attributes,
                text: Cow::Borrowed(""),
                children: Vec::new(),
            },
            outer_bindings,
            has_cdata: false,
        });
        Ok(())
    }

    fn attributes(&mut self, tag: &'a str, from: usize) -> Result<Vec<Attribute<'a>>, XmlError> {
        let mut attributes = Vec::new();
        for (count, attribute) in Attributes::new(tag, from).enumerate() {
            if count >= ATTRIBUTES_MAX {
                return Err(XmlError::TooMany("attributes"));
            }
            let Ok(attribute) = attribute else {
                return Err(self.malformed("an attribute is malformed"));
            };
            let value = match attribute.value {
                Cow::Borrowed(value) => unescape(value),
                Cow::Owned(value) => Cow::Owned(unescape(&value).into_owned()),
            };
            let name = attribute.key.0;
            let bound = match name.split_once(':') {
                None if name == "xmlns" => Some(""),
                Some(("xmlns", prefix)) => Some(prefix),
                _ => None,
            };
            if let Some(prefix) = bound {
                if self.bindings.len() >= BINDINGS_MAX {
                    return Err(XmlError::TooMany("namespaces"));
                }
                self.bindings.push((prefix, value));
            } else {
                let local = name.split_once(':').map_or(name, |(_, local)| local);
                attributes.push(Attribute { name: Cow::Borrowed(local), value });
            }
        }
        Ok(attributes)
    }

    /// An undeclared prefix has no namespace: names are looked up by their local part anyway.
    fn namespace(&self, prefix: &str) -> Option<Cow<'a, str>> {
        self.bindings
            .iter()
            .rev()
            .find(|(bound, _)| *bound == prefix)
            .map(|(_, namespace)| namespace.clone())
            .filter(|namespace| !namespace.is_empty())
    }

    fn end(&mut self) {
        let Some(closed) = self.open.pop() else {
            return;
        };
        self.bindings.truncate(closed.outer_bindings);
        match self.open.last_mut() {
            Some(parent) => parent.element.children.push(closed.element),
            None => self.root = Some(closed.element),
        }
    }

    fn text(&mut self, text: Cow<'a, str>, is_cdata: bool) -> Result<(), XmlError> {
        let is_blank = text.trim().is_empty();
        let Some(open) = self.open.last_mut() else {
            return if is_blank && !is_cdata {
                Ok(())
            } else {
                Err(self.malformed("text outside of the root element"))
            };
        };
        let element = &mut open.element;
        // Blanks between child elements and round CDATA mean nothing; leaving them out keeps the
        // text a borrowed slice.
        if is_blank && !is_cdata && (open.has_cdata || !element.children.is_empty()) {
            return Ok(());
        }
        let replaces = element.text.is_empty() || (is_cdata && element.text.trim().is_empty());
        if replaces {
            element.text = text;
        } else {
            element.text.to_mut().push_str(&text);
        }
        open.has_cdata |= is_cdata;
        Ok(())
    }

    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), XmlError> {
        let Some(resolved) = resolve(reference) else {
            return Err(self.malformed("a reference to an entity that does not exist"));
        };
        let Some(open) = self.open.last_mut() else {
            return Err(self.malformed("text outside of the root element"));
        };
        open.element.text.to_mut().push(resolved);
        Ok(())
    }
}

fn is_name(name: &str) -> bool {
    let is_name_char =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':') || !c.is_ascii();
    let local = name.split_once(':').map_or(name, |(_, local)| local);
    let begins =
        local.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii());
    begins && name.chars().all(is_name_char)
}
