//! Where identifiers and keys come from: the only file that draws random numbers.

use std::sync::{Mutex, PoisonError};

use uuid::{ContextV7, Timestamp as UuidTimestamp, Uuid};

use crate::domain::time::Timestamp;
use crate::engine::port::Ids;

/// Version 7 UUIDs: a millisecond, a counter within it, and random bits. Within one process each
/// is greater than the one before it, also when the clock steps back.
#[derive(Debug)]
pub struct RandomIds {
    context: Mutex<(ContextV7, Timestamp)>,
}

impl Default for RandomIds {
    fn default() -> Self {
        Self { context: Mutex::new((ContextV7::new(), Timestamp::EPOCH)) }
    }
}

impl Ids for RandomIds {
    fn fresh(&self, now: Timestamp) -> [u8; 16] {
        let mut held = self.context.lock().unwrap_or_else(PoisonError::into_inner);
        let (context, last) = &mut *held;
        let now = now.max(*last);
        *last = now;
        let millis = u64::try_from(now.millis()).unwrap_or(0);
        let seconds = millis.checked_div(1_000).unwrap_or(0);
        let nanos = millis.checked_rem(1_000).unwrap_or(0).saturating_mul(1_000_000);
        let nanos = u32::try_from(nanos).unwrap_or(0);
        Uuid::new_v7(UuidTimestamp::from_unix(&*context, seconds, nanos)).into_bytes()
    }
}

/// Identifiers that follow from a seed, the clock and the order of their making.
///
/// They are for tests whose runs are to be alike. Each is greater than the one before it.
#[derive(Debug)]
pub struct SeededIds {
    seed: u64,
    /// How many there were, and the last.
    made: Mutex<(u64, u128)>,
}

impl SeededIds {
    /// Those of a seed, in a book of so many events: with more of them in it, others.
    pub const fn new(seed: u64, events: u64) -> Self {
        Self { seed: seed ^ scatter(events), made: Mutex::new((0, 0)) }
    }
}

impl Ids for SeededIds {
    fn fresh(&self, now: Timestamp) -> [u8; 16] {
        let mut held = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let (made, last) = &mut *held;
        *made = made.wrapping_add(1);
        let millis = u128::try_from(now.millis()).unwrap_or(0);
        let scattered = u128::from(scatter(self.seed ^ scatter(*made)) >> 1);
        *last = ((millis << 80) | scattered).max(last.wrapping_add(1));
        last.to_be_bytes()
    }
}

/// Spreads a number over all bits (the finisher of `SplitMix64`).
const fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Fills `bytes` with random ones from the operating system.
///
/// # Errors
/// The operating system gave none.
pub fn random(bytes: &mut [u8]) -> Result<(), String> {
    getrandom::fill(bytes).map_err(|error| format!("no random numbers: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::PayoutId;

    #[test]
    fn ids_only_grow_even_when_the_clock_steps_back() {
        let ids = RandomIds::default();
        let mut last = PayoutId::from_bytes([0; 16]);
        for millis in [1_000, 1_000, 1_001, 900, 900, 1_002] {
            for _ in 0..500 {
                let next = PayoutId::from_bytes(ids.fresh(Timestamp::from_millis(millis)));
                assert!(next > last, "{next} after {last} at {millis}");
                last = next;
            }
        }
    }

    #[test]
    fn seeded_ids_grow_and_are_the_same_in_each_run() {
        let run_from = |seed, events| {
            let ids = SeededIds::new(seed, events);
            let made = |millis| PayoutId::from_bytes(ids.fresh(Timestamp::from_millis(millis)));
            [1_000, 1_000, 1_001, 900, 1_002].map(made)
        };
        let run = |seed| run_from(seed, 0);
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run_from(7, 12), "a second run on the same book");
        assert_ne!(run(7), run(8));
        assert!(run(7).is_sorted() && run(7).windows(2).all(|two| two[0] != two[1]));
        assert_eq!(run(7)[0].made_at(), Timestamp::from_millis(1_000));
    }

    #[test]
    fn an_id_says_when_it_was_made() {
        let at = Timestamp::from_millis(1_704_164_645_123);
        let id = PayoutId::from_bytes(RandomIds::default().fresh(at));
        assert_eq!(id.made_at(), at);
    }
}
