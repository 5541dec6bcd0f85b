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
    fn an_id_says_when_it_was_made() {
        let at = Timestamp::from_millis(1_704_164_645_123);
        let id = PayoutId::from_bytes(RandomIds::default().fresh(at));
        assert_eq!(id.made_at(), at);
    }
}
