//! Secrets out of bytes, whatever state the bytes are in.
//!
//! Messages are stored raw, also those that cannot be read; so this works on the text itself and
//! not on a parsed tree. Where the end of a secret cannot be found, everything up to the next tag
//! goes, and no more: the rest may hold the one word that says whether money moved.

use std::borrow::Cow;

use super::unmask;
use crate::domain::mask::{self, MASK};

/// Elements whose content is never stored or shown (spec/soap.md §10, 16).
pub const SECRETS: [&str; 5] =
    ["SecurityCredential", "spPassword", "Password", "originRequest", "newPassword"];

/// How far an opening tag is followed, in bytes: looking further for every name would let a
/// message of nothing but names cost the square of its length.
const TAG_MAX: usize = 512;
/// How a tag begins: plain, escaped, escaped twice, in JSON.
const OPENS: [&[u8]; 5] = [b"<", b"&lt;", b"&amp;lt;", b"\\u003c", b"\\u003C"];
/// How a tag ends, in the same forms.
const ENDS: [&[u8]; 5] = [b">", b"&gt;", b"&amp;gt;", b"\\u003e", b"\\u003E"];

/// `bytes` without our secrets, each replaced by `***`.
///
/// These are the content of every element of [`SECRETS`], in CDATA, escaped or plain, with any
/// prefix; callback tokens ([`mask_tokens`]); and whatever looks like an spPassword, wherever it
/// stands. Empty elements stay empty.
///
/// A result is kept on the disk as it came, its echo of our queue timeout's address included: it
/// is evidence. What is shown of it goes through here.
pub fn redact(bytes: &[u8]) -> Vec<u8> {
    let text = match bytes {
        [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] => super::xml::decode(bytes)
            .map(|text| text.into_owned().into_bytes())
            .map_or(Cow::Borrowed(bytes), Cow::Owned),
        _ => Cow::Borrowed(bytes),
    };
    unmask::without_passwords(&mask::without_tokens(&without_elements(&text)))
}

/// [`redact`], and `secret` masked wherever it stands: as it is, percent-encoded, with its signs
/// escaped for XML or JSON, folded over lines, or cut off behind its first letters.
///
/// For answers of others, which may repeat our request in a form of their own.
pub fn redact_with(bytes: &[u8], secret: &str) -> Vec<u8> {
    mask::without(&redact(bytes), secret.as_bytes())
}

/// `text` with the token in each callback address (`/cb/<token>/…`) masked: whoever knows it may
/// report results. Also where the slashes are percent-encoded or escaped.
pub fn mask_tokens(text: &str) -> Cow<'_, str> {
    if !text.contains("cb") {
        return Cow::Borrowed(text);
    }
    let masked = mask::without_tokens(text.as_bytes());
    match String::from_utf8(masked) {
        Ok(masked) if masked == text => Cow::Borrowed(text),
        Ok(masked) => Cow::Owned(masked),
        // Only whole ASCII letters are replaced, so this cannot be.
        Err(_broken) => Cow::Borrowed(MASK),
    }
}

/// [`redact`] for text that is to be shown or put into words.
pub fn redact_text(text: &str) -> String {
    String::from_utf8_lossy(&redact(text.as_bytes())).into_owned()
}

fn without_elements(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((open_end, name)) = next_secret(rest) {
        let (before, after) = rest.split_at(open_end);
        out.extend_from_slice(before);
        let content_len = find_close(after, name).unwrap_or_else(|| unclosed_len(after));
        let (content, tail) = after.split_at(content_len);
        if content.iter().any(|byte| !byte.is_ascii_whitespace()) {
            out.extend_from_slice(MASK.as_bytes());
        }
        rest = tail;
    }
    out.extend_from_slice(rest);
    out
}

/// Where the content of the next secret element begins, and which it is.
fn next_secret(text: &[u8]) -> Option<(usize, &'static [u8])> {
    let mut from: usize = 0;
    loop {
        let (start, name) = next_tag(text, from)?;
        let after_name = start.saturating_add(name.len());
        match open_tag_len(text.get(after_name..)?) {
            Some(TagEnd::Opens(len)) => return Some((after_name.saturating_add(len), name)),
            Some(TagEnd::Empty) | None => from = after_name,
        }
    }
}

/// The next place where one of the names begins an opening tag.
fn next_tag(text: &[u8], from: usize) -> Option<(usize, &'static [u8])> {
    let mut at = from;
    loop {
        let ahead = text.get(at..)?;
        let step = ahead
            .iter()
            .position(|byte| matches!(byte.to_ascii_lowercase(), b's' | b'p' | b'o' | b'n'))?;
        at = at.saturating_add(step);
        let here = text.get(at..)?;
        let name = SECRETS.iter().map(|name| name.as_bytes()).find(|name| begins_with(here, name));
        if let Some(name) = name
            && before_name(text.get(..at)?) == Before::Opening
        {
            return Some((at, name));
        }
        at = at.saturating_add(1);
    }
}

fn begins_with(text: &[u8], name: &[u8]) -> bool {
    text.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name))
}

/// The sign of `signs` with which `text` begins.
fn sign_of(text: &[u8], signs: &[&'static [u8]]) -> Option<&'static [u8]> {
    signs.iter().find(|sign| text.starts_with(sign)).copied()
}

/// What stands before a name.
#[derive(PartialEq, Eq)]
enum Before {
    Opening,
    Closing(usize),
    Other,
}

/// Looks back over an optional prefix to `<`, `</` or their escaped forms.
fn before_name(text: &[u8]) -> Before {
    let text = match text.strip_suffix(b":") {
        Some(head) => {
            let prefix = head.iter().rev().take_while(|byte| is_name_byte(**byte));
            let len = head.len().saturating_sub(prefix.count());
            head.get(..len).unwrap_or_default()
        }
        None => text,
    };
    let is_open = |text: &[u8]| -> Option<usize> {
        OPENS
            .iter()
            .find(|sign| text.ends_with(sign))
            .map(|sign| text.len().saturating_sub(sign.len()))
    };
    if is_open(text).is_some() {
        return Before::Opening;
    }
    let closing = text.strip_suffix(b"\\/").or_else(|| text.strip_suffix(b"/"));
    match closing.and_then(is_open) {
        Some(start) => Before::Closing(start),
        None => Before::Other,
    }
}

const fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

/// How an opening tag ends.
enum TagEnd {
    /// After so many bytes, and content follows.
    Opens(usize),
    /// It has no content.
    Empty,
}

/// `text` begins behind the name of an opening tag.
fn open_tag_len(text: &[u8]) -> Option<TagEnd> {
    // A longer name, such as PasswordHint, is another element.
    if text.first().is_some_and(|byte| is_name_byte(*byte)) {
        return None;
    }
    for at in 0..text.len().min(TAG_MAX) {
        let here = text.get(at..)?;
        if let Some(sign) = sign_of(here, &ENDS) {
            let is_empty = text.get(..at)?.ends_with(b"/");
            let len = at.saturating_add(sign.len());
            return Some(if is_empty { TagEnd::Empty } else { TagEnd::Opens(len) });
        }
        // The next tag begins: this one was never ended.
        if sign_of(here, &OPENS).is_some() {
            break;
        }
    }
    // No end in sight: what is left may be the secret all the same.
    Some(TagEnd::Opens(0))
}

/// Where the closing tag of `name` begins; `None` when another element of that name opens first.
fn find_close(text: &[u8], name: &[u8]) -> Option<usize> {
    text.windows(name.len())
        .enumerate()
        .filter(|(_, window)| window.eq_ignore_ascii_case(name))
        .find_map(|(at, _)| match before_name(text.get(..at)?) {
            Before::Closing(start) => Some(Some(start)),
            Before::Opening => Some(None),
            Before::Other => None,
        })
        .flatten()
}

/// How much of what follows an element that is never closed may be its content: up to the next
/// tag. CDATA and comments are no tags.
fn unclosed_len(text: &[u8]) -> usize {
    (0..text.len())
        .find(|at| {
            let here = text.get(*at..).unwrap_or_default();
            sign_of(here, &OPENS).is_some_and(|sign| here.get(sign.len()) != Some(&b'!'))
        })
        .unwrap_or(text.len())
}
