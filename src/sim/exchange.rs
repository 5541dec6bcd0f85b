//! What went over the wire, the last of it, for testers to look at.
//!
//! Secrets are masked when an exchange is shown, not when it is kept, so that keeping one costs
//! the request no more than a copy.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use super::book::Moved;
use super::mask;
use super::watch::{Happening, Teller, Watch};
use crate::domain::party::Msisdn;
use crate::domain::time::Timestamp;
use crate::soap::redact::redact;

/// How many exchanges are kept; older ones make room.
pub const EXCHANGES_MAX: usize = 10_000;
/// How much of one body is kept: several times what any message of the interface takes.
pub const BODY_KEPT_MAX: usize = 16 * 1024;
/// How much all kept bodies take together, so that the last messages never fill the memory.
pub const BODIES_KEPT_MAX: usize = 64 * 1024 * 1024;

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
    /// The money that moved before it was answered.
    pub moved: Option<Box<Moved>>,
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
    teller: Teller,
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
        let exchange = Arc::new(exchange);
        self.teller.tell(Happening::Exchange(Arc::clone(&exchange)));
        self.kept.push_back(exchange);
        while self.kept.len() > EXCHANGES_MAX || self.bytes > BODIES_KEPT_MAX {
            let Some(oldest) = self.kept.pop_front() else {
                break;
            };
            self.bytes = self.bytes.saturating_sub(size(&oldest));
        }
    }

    /// Tells of money that moved while nobody was being answered.
    pub fn tell_moved(&self, moved: Moved) {
        self.teller.tell(Happening::Moved(Arc::new(moved)));
    }

    /// Watches what happens from now on.
    pub fn watch(&self) -> Watch {
        self.teller.watch(Vec::new())
    }

    /// Watches what happens, beginning with the exchanges that are kept.
    pub fn watch_all(&self) -> Watch {
        self.teller.watch(self.all())
    }

    /// The last `limit`, in order.
    pub fn latest(&self, limit: usize) -> Vec<Arc<Exchange>> {
        let before = self.kept.len().saturating_sub(limit);
        self.kept.iter().skip(before).cloned().collect()
    }

    /// All that are kept, in order, to be looked at without holding anybody up.
    pub fn all(&self) -> Vec<Arc<Exchange>> {
        self.kept.iter().cloned().collect()
    }

    /// The `seq` of the last one.
    pub const fn last_seq(&self) -> u64 {
        self.last_seq
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
        self.kept.iter().filter(wanted).take(limit).cloned().collect()
    }
}

/// Up to `limit` of `all`, the last ones, that a person looks for: in which a phone (in whatever
/// spelling) or a text stands, and whatever is about the same payments.
///
/// `names` are those of the ledger, where the messages do not say the phone.
pub fn sought(
    all: &[Arc<Exchange>],
    text: &str,
    names: &HashSet<String>,
    limit: usize,
) -> Vec<Arc<Exchange>> {
    let phone: Option<Msisdn> = text.parse().ok();
    let text = phone.map_or_else(|| text.to_owned(), |phone| phone.reveal());
    // As it stands in every spelling: without 254 or 0.
    let wanted = if phone.is_some() { text.get(3..).unwrap_or_default() } else { text.as_str() };
    let found: Vec<&Arc<Exchange>> = all.iter().filter(|it| it.holds(wanted)).collect();
    let about: HashSet<&str> =
        found.iter().filter_map(|it| it.originator_conversation_id.as_deref()).collect();
    let is_about = |it: &Exchange| {
        let id = it.originator_conversation_id.as_deref();
        id.is_some_and(|id| about.contains(id) || names.contains(id))
    };
    let hits = |it: &&Arc<Exchange>| is_about(it) || it.holds(wanted);
    let mut last: Vec<Arc<Exchange>> = all.iter().rev().filter(hits).take(limit).cloned().collect();
    last.reverse();
    last
}

impl Exchange {
    /// Whether a text stands in it, in what is shown of it.
    fn holds(&self, text: &str) -> bool {
        let id = self.originator_conversation_id.as_deref().unwrap_or_default();
        id.contains(text)
            || self.moved.as_deref().is_some_and(|moved| moved.receipt == text)
            || [&self.request, &self.response].into_iter().any(|body| shows(body, text))
    }
}

/// Whether a text stands in what is shown of a body. Masking costs more than looking.
fn shows(body: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(body).contains(text) && masked(body).contains(text)
}

const fn size(exchange: &Exchange) -> usize {
    exchange.request.len().saturating_add(exchange.response.len())
}

/// A body as text that may be shown: what every secret element and field holds is masked.
pub fn masked(body: &[u8]) -> String {
    mask::json(&String::from_utf8_lossy(&redact(body)))
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
            moved: None,
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
    fn no_secret_is_shown_even_of_a_body_that_was_cut() {
        let body = b"<spPassword>SECRET</spPassword><a>b</a><SecurityCredential>SECR";
        assert_eq!(masked(body), "<spPassword>***</spPassword><a>b</a><SecurityCredential>***");
    }
}
