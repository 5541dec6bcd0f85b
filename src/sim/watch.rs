//! What happens, as it happens, for whoever watches.
//!
//! Whoever watches too slowly misses something and is told how much; the simulator never waits for
//! him.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::broadcast::{Receiver, Sender};

use super::book::Moved;
use super::exchange::Exchange;

/// How far a watcher may fall behind; what is older is missed. With the longest bodies that is some
/// 32 MiB.
pub const BEHIND_MAX: usize = 1_024;

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Happening {
    /// A message and its answer, or what stands for one.
    Exchange(Arc<Exchange>),
    /// Money moved while nobody was being answered: a customer entered his PIN or paid by himself,
    /// or a request that was held is carried out.
    Moved(Arc<Moved>),
}

/// What a watcher sees.
#[derive(Clone, Debug)]
pub enum Seen {
    /// The next thing that happened.
    Happening(Happening),
    /// So many things happened that were not seen, because the watcher was too slow.
    Missed(u64),
}

/// Tells those who watch. Without any it costs next to nothing.
#[derive(Debug)]
pub(super) struct Teller(Sender<Happening>);

impl Default for Teller {
    fn default() -> Self {
        Self(Sender::new(BEHIND_MAX))
    }
}

impl Teller {
    pub(super) fn tell(&self, happening: Happening) {
        // An error says that nobody watches.
        self.0.send(happening).ok();
    }

    /// `before` is what it sees first.
    pub(super) fn watch(&self, before: Vec<Arc<Exchange>>) -> Watch {
        Watch { before: before.into(), now: self.0.subscribe() }
    }
}

/// Sees what happens from when it was made; perhaps what happened before that, first.
#[derive(Debug)]
pub struct Watch {
    before: VecDeque<Arc<Exchange>>,
    now: Receiver<Happening>,
}

impl Watch {
    /// Waits for the next thing; `None` once the simulator is gone.
    pub async fn next(&mut self) -> Option<Seen> {
        match self.past() {
            Some(past) => Some(past),
            None => seen(self.now.recv().await),
        }
    }

    /// [`Self::next`], for a thread that may block.
    pub fn next_blocking(&mut self) -> Option<Seen> {
        self.past().or_else(|| seen(self.now.blocking_recv()))
    }

    fn past(&mut self) -> Option<Seen> {
        self.before.pop_front().map(|exchange| Seen::Happening(Happening::Exchange(exchange)))
    }
}

fn seen(received: Result<Happening, RecvError>) -> Option<Seen> {
    match received {
        Ok(happening) => Some(Seen::Happening(happening)),
        Err(RecvError::Lagged(missed)) => Some(Seen::Missed(missed)),
        Err(RecvError::Closed) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::sim::exchange::{Direction, Exchanges};

    fn exchange() -> Exchange {
        Exchange {
            seq: 0,
            at: Timestamp::EPOCH,
            direction: Direction::In,
            path: "/".to_owned(),
            status: Some(200),
            request: Vec::new(),
            response: Vec::new(),
            originator_conversation_id: None,
            moved: None,
        }
    }

    fn seq(seen: Option<Seen>) -> Option<u64> {
        match seen {
            Some(Seen::Happening(Happening::Exchange(exchange))) => Some(exchange.seq),
            Some(Seen::Happening(Happening::Moved(_)) | Seen::Missed(_)) | None => None,
        }
    }

    #[tokio::test]
    async fn a_watcher_sees_what_happens_from_then_on_until_the_simulator_is_gone() {
        let mut ring = Exchanges::new();
        ring.push(exchange());
        let mut watch = ring.watch();
        ring.push(exchange());
        ring.push(exchange());
        assert_eq!(seq(watch.next().await), Some(2));
        assert_eq!(seq(watch.next().await), Some(3));
        drop(ring);
        assert!(watch.next().await.is_none());
    }

    #[tokio::test]
    async fn whoever_comes_late_may_see_what_is_kept_and_then_what_happens_each_once() {
        let mut ring = Exchanges::new();
        ring.push(exchange());
        ring.push(exchange());
        let mut watch = ring.watch_all();
        ring.push(exchange());
        for place in 1..=3 {
            assert_eq!(seq(watch.next().await), Some(place));
        }
        drop(ring);
        assert!(watch.next().await.is_none());
    }

    #[tokio::test]
    async fn a_slow_watcher_holds_up_nobody_and_is_told_how_much_he_missed() {
        let mut ring = Exchanges::new();
        let mut watch = ring.watch();
        for _ in 0..BEHIND_MAX + 7 {
            ring.push(exchange());
        }
        assert!(matches!(watch.next().await, Some(Seen::Missed(7))));
        assert_eq!(seq(watch.next().await), Some(8));
    }
}
