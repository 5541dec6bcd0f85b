//! Secrets out of bytes, whatever state the bytes are in.
//!
//! Messages are stored raw, also those that cannot be read; so this works on the text itself and
//! not on a parsed tree. Where the end of a secret cannot be found, everything after its beginning
//! goes.

use std::borrow::Cow;

use super::request::MASK;

/// Elements whose content is never stored or shown (spec/soap.md §10, 16).
pub const SECRETS: [&str; 5] =
    ["SecurityCredential", "spPassword", "Password", "originRequest", "newPassword"];

/// How far an opening tag is followed, in bytes: looking further for every name would let a
/// message of nothing but names cost the square of its length.
const TAG_MAX: usize = 512;

/// `bytes` with the content of every element of [`SECRETS`] replaced by `***`, in CDATA, escaped
/// or plain, with any prefix. Empty elements stay empty.
pub fn redact(bytes: &[u8]) -> Vec<u8> {
    let text = match bytes {
        [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] => super::xml::decode(bytes)
            .map(|text| text.into_owned().into_bytes())
            .map_or(Cow::Borrowed(bytes), Cow::Owned),
        _ => Cow::Borrowed(bytes),
    };
    let mut out = Vec::with_capacity(text.len());
    let mut rest: &[u8] = &text;
    while let Some((open_end, name)) = next_secret(rest) {
        let (before, after) = rest.split_at(open_end);
        out.extend_from_slice(before);
        let content_len = find_close(after, name).unwrap_or(after.len());
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

/// What stands before a name.
#[derive(PartialEq, Eq)]
enum Before {
    Opening,
    Closing(usize),
    Other,
}

/// Looks back over an optional prefix to `<`, `</` or their escaped forms.
fn before_name(text: &[u8]) -> Before {
    let is_prefix_byte =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let text = match text.strip_suffix(b":") {
        Some(head) => {
            let prefix = head.iter().rev().take_while(|byte| is_prefix_byte(byte));
            let len = head.len().saturating_sub(prefix.count());
            head.get(..len).unwrap_or_default()
        }
        None => text,
    };
    let is_open = |text: &[u8]| -> Option<usize> {
        [&b"<"[..], b"&lt;", b"&amp;lt;", b"\\u003c"]
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
    if text
        .first()
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    {
        return None;
    }
    let signs = [&b">"[..], b"&gt;", b"&amp;gt;", b"\\u003e"];
    for at in 0..text.len().min(TAG_MAX) {
        let here = text.get(at..)?;
        if let Some(sign) = signs.iter().find(|sign| here.starts_with(sign)) {
            let is_empty = text.get(..at)?.ends_with(b"/");
            let len = at.saturating_add(sign.len());
            return Some(if is_empty { TagEnd::Empty } else { TagEnd::Opens(len) });
        }
    }
    // No end in sight: what is left may be the secret all the same.
    Some(TagEnd::Opens(0))
}

/// Where the closing tag of `name` begins.
fn find_close(text: &[u8], name: &[u8]) -> Option<usize> {
    text.windows(name.len())
        .enumerate()
        .filter(|(_, window)| window.eq_ignore_ascii_case(name))
        .find_map(|(at, _)| match before_name(text.get(..at)?) {
            Before::Closing(start) => Some(start),
            Before::Opening | Before::Other => None,
        })
}
