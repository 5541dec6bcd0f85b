//! Who is at work: a clock that testers steer moves only when nobody is.
//!
//! Whoever works holds a [`Mark`]; whoever waits for time to pass lets go of his for so long. When
//! nobody is at work, nothing more happens before the clock moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// What somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// He works.
    Work,
    /// He is at work no more, until the mark is dropped: only time, another part of the program
    /// or a person moves what he waits for.
    Rest,
    /// He awaits an answer of the other side: it is the other side that works.
    Wire,
    /// The other side awaits an answer that is held back on purpose.
    Hold,
}

/// How many do what.
#[derive(Debug, Default)]
pub struct Hands {
    working: AtomicI64,
    wire: AtomicI64,
    held: AtomicI64,
    /// How often somebody began to work.
    turns: AtomicU64,
}

impl Hands {
    /// Whether nobody is at work.
    pub fn are_idle(&self) -> bool {
        self.working.load(Ordering::SeqCst) <= 0
    }

    /// How many await an answer of the other side.
    pub fn on_the_wire(&self) -> u64 {
        u64::try_from(self.wire.load(Ordering::SeqCst)).unwrap_or(0)
    }

    /// How many answers are held back.
    pub fn held(&self) -> u64 {
        u64::try_from(self.held.load(Ordering::SeqCst)).unwrap_or(0)
    }

    /// A number that grows whenever somebody begins to work: if it is the same, nobody did.
    pub fn turns(&self) -> u64 {
        self.turns.load(Ordering::SeqCst)
    }

    /// Counts until the mark is dropped.
    pub fn mark(self: &Arc<Self>, doing: Doing) -> Mark {
        self.count(doing, 1);
        Mark(Some((Arc::clone(self), doing)))
    }

    fn count(&self, doing: Doing, by: i64) {
        let rests = by.wrapping_neg();
        let (working, wire, held) = match doing {
            Doing::Work => (by, 0, 0),
            Doing::Rest => (rests, 0, 0),
            Doing::Wire => (rests, by, 0),
            Doing::Hold => (0, 0, by),
        };
        if working > 0 {
            self.turns.fetch_add(1, Ordering::SeqCst);
        }
        self.working.fetch_add(working, Ordering::SeqCst);
        self.wire.fetch_add(wire, Ordering::SeqCst);
        self.held.fetch_add(held, Ordering::SeqCst);
    }
}

/// Somebody does something, until it is dropped.
#[derive(Debug)]
#[must_use = "it counts for as long as it is held"]
pub struct Mark(Option<(Arc<Hands>, Doing)>);

impl Mark {
    /// One that counts nothing, as nobody steers the clock.
    pub const fn none() -> Self {
        Self(None)
    }
}

impl Drop for Mark {
    fn drop(&mut self) {
        if let Some((hands, doing)) = self.0.take() {
            hands.count(doing, -1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hands_are_idle_when_all_who_work_rest() {
        let hands = Arc::new(Hands::default());
        assert!(hands.are_idle());
        let work = hands.mark(Doing::Work);
        assert!(!hands.are_idle());
        let rest = hands.mark(Doing::Rest);
        assert!(hands.are_idle());
        let turns = hands.turns();
        drop(rest);
        assert!(!hands.are_idle());
        assert_ne!(hands.turns(), turns, "to rest no more is to begin");
        let wire = hands.mark(Doing::Wire);
        assert!(hands.are_idle());
        assert_eq!(hands.on_the_wire(), 1);
        drop((wire, work));
        assert!(hands.are_idle());
        assert_eq!((hands.on_the_wire(), hands.held()), (0, 0));
        let hold = hands.mark(Doing::Hold);
        assert_eq!(hands.held(), 1);
        drop(hold);
    }
}
