//! What a text is that is no message, so that it can stand behind "found".

use crate::soap::xml::{self, BYTES_MAX, XmlError};

/// A document type declaration, which could define entities.
pub(super) const DOCTYPE: &str = "a DOCTYPE, which no message may have";

/// What the gateway's own reader met, without any of its words.
pub(super) fn of_error(error: &XmlError) -> String {
    match error {
        XmlError::Empty => "nothing: the file is empty".to_owned(),
        XmlError::TooLong(bytes) => format!("{bytes} bytes, of which at most {BYTES_MAX} are read"),
        XmlError::NotXml { looks_like, .. } => (*looks_like).to_owned(),
        XmlError::Doctype => DOCTYPE.to_owned(),
        XmlError::Instruction => "a processing instruction, which no message may have".to_owned(),
        XmlError::Malformed { why, .. } => (*why).to_owned(),
        XmlError::TooDeep | XmlError::TooMany(_) => error.to_string(),
    }
}

/// What is not well-formed in a text that a strict reader refused: as our own reader says it, or by
/// the standard's rule where only a strict reader minds.
pub(super) fn not_well_formed(text: &str, rule: &str) -> String {
    xml::parse(text)
        .err()
        .map_or_else(|| format!("what no strict reader takes ({rule})"), |error| of_error(&error))
}
