//! What went over the wire, the last of it, for testers to look at.
//!
//! Secrets are masked when an exchange is shown, not when it is kept, so that keeping one costs
//! the request no more than a copy.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::time::Timestamp;

/// How many exchanges are kept; older ones make room.
pub const EXCHANGES_MAX: usize = 10_000;
/// How much of one body is kept: several times what any message of the interface takes.
pub const BODY_KEPT_MAX: usize = 16 * 1024;
/// How much all kept bodies take together, so that the last messages never fill the memory.
pub const BODIES_KEPT_MAX: usize = 64 * 1024 * 1024;

/// Elements whose text is never shown (spec/soap.md §10, 16). `originRequest` holds a whole
/// request in base64, credential and all (spec/soap.md §5.6).
const SECRET_ELEMENTS: [&str; 5] = [
    "securitycredential",
    "sppassword",
    "password",
    "newpassword",
    "originrequest",
];
/// What stands in the place of a secret.
const MASK: &str = "***";

/// Which way a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a client to the simulator.
    In,
    /// From the simulator to a result address.
    Out,
}

impl Direction {
    /// As it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// One request and what was answered.
#[derive(Clone)]
pub struct Exchange {
    /// Its place in the order of exchanges, from 1. Set by the ring.
    pub seq: u64,
    /// When the request came or went.
    pub at: Timestamp,
    /// Which way it went.
    pub direction: Direction,
    /// The path that was asked for, or the address that was called.
    pub path: String,
    /// The HTTP status; `None` when no answer was sent or none came.
    pub status: Option<u16>,
    /// The body of the request.
    pub request: Vec<u8>,
    /// The body of the answer; or, where there was none, why.
    pub response: Vec<u8>,
    /// Which payment it was about, where that could be read.
    pub originator_conversation_id: Option<String>,
}

impl std::fmt::Debug for Exchange {
    /// Without the bodies, which hold secrets and personal data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("seq", &self.seq)
            .field("direction", &self.direction)
            .field("path", &self.path)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// The last exchanges, in order.
#[derive(Debug, Default)]
pub struct Exchanges {
    kept: VecDeque<Arc<Exchange>>,
    last_seq: u64,
    bytes: usize,
}

impl Exchanges {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps one, and lets the oldest go where there is no room.
    pub fn push(&mut self, mut exchange: Exchange) {
        exchange.request.truncate(BODY_KEPT_MAX);
        exchange.response.truncate(BODY_KEPT_MAX);
        self.last_seq = self.last_seq.saturating_add(1);
        exchange.seq = self.last_seq;
        self.bytes = self.bytes.saturating_add(size(&exchange));
        self.kept.push_back(Arc::new(exchange));
        while self.kept.len() > EXCHANGES_MAX || self.bytes > BODIES_KEPT_MAX {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(size(&oldest));
        }
    }

    /// Up to `limit` exchanges whose `seq` is greater than `after`, in order; of one payment, if
    /// it is named.
    pub fn list(
        &self,
        after: u64,
        limit: usize,
        originator_conversation_id: Option<&str>,
    ) -> Vec<Arc<Exchange>> {
        let wanted = |exchange: &&Arc<Exchange>| {
            exchange.seq > after
                && originator_conversation_id
                    .is_none_or(|id| exchange.originator_conversation_id.as_deref() == Some(id))
        };
        self.kept
            .iter()
            .filter(wanted)
            .take(limit)
            .cloned()
            .collect()
    }
}

const fn size(exchange: &Exchange) -> usize {
    exchange
        .request
        .len()
        .saturating_add(exchange.response.len())
}

/// A body as text that may be shown: what every secret element holds is replaced by `***`.
///
/// The message may be anything, so this does not parse: wherever the name of a secret element
/// begins an element, plainly or in escaped text, all up to the next closing tag is left out, and
/// all to the end where none follows. It hides too much rather than too little.
pub fn masked(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut shown = String::with_capacity(text.len());
    let mut rest: &str = &text;
    while let Some((value_at, value_len)) = next_secret(rest) {
        let (before, from_value) = rest.split_at_checked(value_at).unwrap_or((rest, ""));
        shown.push_str(before);
        shown.push_str(MASK);
        rest = from_value.get(value_len..).unwrap_or_default();
    }
    shown.push_str(rest);
    shown
}

/// Where the text of the next secret element begins, and how long it is.
fn next_secret(text: &str) -> Option<(usize, usize)> {
    let mut from = 0_usize;
    loop {
        let rest = text.get(from..)?;
        let (name_at, name_len) = next_name(rest)?;
        let after_name = name_at.saturating_add(name_len);
        from = from.saturating_add(after_name);
        let tail = text.get(from..)?;
        let Some(open_len) = end_of_opening(tail) else {
            continue;
        };
        let value_at = from.saturating_add(open_len);
        let value = text.get(value_at..)?;
        let value_len = start_of_closing(value).unwrap_or(value.len());
        if value_len > 0 {
            return Some((value_at, value_len));
        }
        from = value_at;
    }
}

/// The next secret name that stands where the name of an opening tag stands, after a prefix or
/// without.
fn next_name(text: &str) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    // `;` ends the escaped forms of `<`.
    let opens = bytes
        .iter()
        .enumerate()
        .filter(|(_, b)| matches!(b, b'<' | b';'));
    for (index, _) in opens {
        let tag_at = index.saturating_add(1);
        let tag = bytes.get(tag_at..).unwrap_or_default();
        let is_name =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        let prefix = tag.iter().take_while(|byte| is_name(byte)).count();
        let prefix = match tag.get(prefix) {
            Some(b':') => prefix.saturating_add(1),
            _ => 0,
        };
        let name = tag.get(prefix..).unwrap_or_default();
        let name_len = name.iter().take_while(|byte| is_name(byte)).count();
        let name = name.get(..name_len).unwrap_or_default();
        if SECRET_ELEMENTS
            .iter()
            .any(|secret| name.eq_ignore_ascii_case(secret.as_bytes()))
        {
            return Some((tag_at.saturating_add(prefix), name_len));
        }
    }
    None
}

/// How far it is to the end of the opening tag: past `>` or one of its escaped forms. `None` when
/// the element is empty and closes itself, or when the text is no tag.
fn end_of_opening(text: &str) -> Option<usize> {
    let forms = [">", "&gt;", "&#62;", "&#x3e;", "&#x3E;"];
    let (at, form) = forms
        .iter()
        .filter_map(|form| text.find(form).map(|at| (at, form)))
        .min()?;
    let inside = text.get(..at)?;
    (!inside.trim_end().ends_with('/')).then(|| at.saturating_add(form.len()))
}

/// How far it is to the next closing tag.
fn start_of_closing(text: &str) -> Option<usize> {
    ["</", "&lt;/", "&#60;/", "&#x3c;/", "&#x3C;/"]
        .iter()
        .filter_map(|form| text.find(form))
        .min()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(id: &str, length: usize) -> Exchange {
        Exchange {
            seq: 0,
            at: Timestamp::EPOCH,
            direction: Direction::In,
            path: "/mminterface/request".to_owned(),
            status: Some(200),
            request: vec![b'a'; length],
            response: Vec::new(),
            originator_conversation_id: Some(id.to_owned()),
        }
    }

    fn seqs(listed: &[Arc<Exchange>]) -> Vec<u64> {
        listed.iter().map(|exchange| exchange.seq).collect()
    }

    #[test]
    fn the_last_exchanges_are_kept_and_older_ones_go() {
        let mut ring = Exchanges::new();
        for _ in 0..EXCHANGES_MAX + 3 {
            ring.push(exchange("x", 1));
        }
        let all = ring.list(0, usize::MAX, None);
        assert_eq!(all.len(), EXCHANGES_MAX);
        assert_eq!(all.first().map(|e| e.seq), Some(4));
    }

    #[test]
    fn large_bodies_are_cut_and_together_bounded() {
        let mut ring = Exchanges::new();
        ring.push(exchange("x", BODY_KEPT_MAX * 3));
        assert_eq!(ring.list(0, 1, None)[0].request.len(), BODY_KEPT_MAX);
        for _ in 0..BODIES_KEPT_MAX / BODY_KEPT_MAX {
            ring.push(exchange("x", BODY_KEPT_MAX));
        }
        assert!(ring.bytes <= BODIES_KEPT_MAX);
        assert_eq!(ring.list(0, 1, None)[0].seq, 2);
    }

    #[test]
    fn they_are_listed_in_pages_and_by_payment() {
        let mut ring = Exchanges::new();
        for id in ["a", "b", "a", "b", "a"] {
            ring.push(exchange(id, 1));
        }
        assert_eq!(seqs(&ring.list(0, 2, None)), [1, 2]);
        assert_eq!(seqs(&ring.list(2, 9, None)), [3, 4, 5]);
        assert_eq!(seqs(&ring.list(0, 9, Some("a"))), [1, 3, 5]);
        assert_eq!(seqs(&ring.list(1, 1, Some("a"))), [3]);
        assert!(ring.list(0, 9, Some("c")).is_empty());
    }

    #[test]
    fn no_secret_is_shown_however_it_is_written() {
        let table = [
            (
                "<t:spPassword>SECRET</t:spPassword><t:timeStamp>2024</t:timeStamp>",
                "<t:spPassword>***</t:spPassword><t:timeStamp>2024</t:timeStamp>",
            ),
            (
                "<SecurityCredential>SECRET</SecurityCredential>",
                "<SecurityCredential>***</SecurityCredential>",
            ),
            (
                "<securitycredential a=\"1\" >SECRET\nSECRET</securitycredential>",
                "<securitycredential a=\"1\" >***</securitycredential>",
            ),
            (
                "&lt;SecurityCredential&gt;SECRET&lt;/SecurityCredential&gt;&lt;b&gt;",
                "&lt;SecurityCredential&gt;***&lt;/SecurityCredential&gt;&lt;b&gt;",
            ),
            (
                "&#60;SecurityCredential&#62;SECRET&#60;/SecurityCredential&#62;",
                "&#60;SecurityCredential&#62;***&#60;/SecurityCredential&#62;",
            ),
            (
                "<spPassword><![CDATA[SECRET]]></spPassword><x>1</x>",
                "<spPassword>***</spPassword><x>1</x>",
            ),
            (
                "<Password></Password><spPassword/><CheckSum>7</CheckSum>",
                "<Password></Password><spPassword/><CheckSum>7</CheckSum>",
            ),
            ("<SecurityCredential>SECRET", "<SecurityCredential>***"),
            (
                "<spPassword>SECRET</spPassword><SecurityCredential>SECRET</SecurityCredential>",
                "<spPassword>***</spPassword><SecurityCredential>***</SecurityCredential>",
            ),
            (
                "<l:originRequest>SECRET</l:originRequest>",
                "<l:originRequest>***</l:originRequest>",
            ),
            (
                "<PasswordHint>plain</PasswordHint>",
                "<PasswordHint>plain</PasswordHint>",
            ),
            ("spPassword: none", "spPassword: none"),
            ("", ""),
        ];
        for (text, shown) in table {
            assert_eq!(masked(text.as_bytes()), shown);
        }
        assert_eq!(masked(b"\xff<Password>\xffSECRET"), "\u{fffd}<Password>***");
    }

    proptest::proptest! {
        #[test]
        fn masking_any_bytes_ends_and_never_panics(
            body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)
        ) {
            let _shown: String = masked(&body);
        }

        #[test]
        fn masking_any_markup_ends_and_never_panics(
            text in "(<|>|/|&lt;|&gt;|;|:|Password|spPassword|SecurityCredential|é|x| ){0,40}"
        ) {
            let _shown: String = masked(text.as_bytes());
        }
    }
}
