//! How fast, and how many at once: both exact.
//!
//! In no window of one second does the rail begin more than `max_per_second` sends, and never are
//! more than `max_in_flight` under way.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// The window that `max_per_second` speaks of.
const WINDOW: Duration = Duration::from_secs(1);

/// At most so many in any window of one second.
#[derive(Debug)]
pub struct Pace {
    per_window: usize,
    /// When the latest ones went, oldest first; never more than `per_window`.
    went: Mutex<VecDeque<Instant>>,
}

impl Pace {
    /// At most `per_second`, and at least one, in any window of one second.
    pub fn new(per_second: u32) -> Self {
        let per_window = usize::try_from(per_second.max(1)).unwrap_or(usize::MAX);
        Self { per_window, went: Mutex::default() }
    }

    /// Waits until one more may go, and counts it as gone at that moment.
    pub async fn enter(&self) {
        while let Err(until) = self.try_enter(Instant::now()) {
            tokio::time::sleep_until(until).await;
        }
    }

    /// Counts one as gone at `now`, or says when to ask again.
    fn try_enter(&self, now: Instant) -> Result<(), Instant> {
        let mut went = self.went.lock().unwrap_or_else(PoisonError::into_inner);
        if went.len() >= self.per_window
            && let Some(oldest) = went.front().copied()
        {
            let free_at = oldest.checked_add(WINDOW).unwrap_or(oldest);
            // One window is half open: at its very end the oldest has left it.
            if free_at > now {
                return Err(free_at);
            }
            went.pop_front();
        }
        went.push_back(now);
        Ok(())
    }
}

/// At most so many at once.
#[derive(Clone, Debug)]
pub struct Places(Arc<Semaphore>);

impl Places {
    /// `max`, and at least one, at once.
    pub fn new(max: u32) -> Self {
        Self(Arc::new(Semaphore::new(usize::try_from(max.max(1)).unwrap_or(1))))
    }

    /// Waits for a place; it is free again when the value is dropped.
    pub async fn take(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed, so there is always a place in the end.
        Arc::clone(&self.0).acquire_owned().await.ok()
    }

    /// How many are free.
    pub fn free(&self) -> usize {
        self.0.available_permits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[tokio::test(start_paused = true)]
    async fn no_window_of_a_second_holds_more_than_allowed() {
        let pace = Pace::new(20);
        let mut went = Vec::new();
        for _ in 0..105 {
            pace.enter().await;
            went.push(Instant::now());
        }
        for (first, last) in went.iter().zip(&went[20..]) {
            assert!(last.duration_since(*first) >= WINDOW);
        }
        let took = went[104].duration_since(went[0]);
        assert_eq!(took, Duration::from_secs(5), "and not slower than allowed");
    }

    proptest! {
        /// Whenever callers come, no window holds more than allowed.
        #[test]
        fn pace_is_kept_whenever_callers_come(
            per_second in 1_u32..8,
            gaps in proptest::collection::vec(0_u64..700, 1..80),
        ) {
            let pace = Pace::new(per_second);
            let mut now = Instant::now();
            let mut went: Vec<Instant> = Vec::new();
            for gap in gaps {
                now = now.checked_add(Duration::from_millis(gap)).expect("a time");
                while let Err(until) = pace.try_enter(now) {
                    prop_assert!(until > now);
                    now = until;
                }
                went.push(now);
            }
            let later = went.iter().skip(pace.per_window);
            for (first, last) in went.iter().zip(later) {
                prop_assert!(last.duration_since(*first) >= WINDOW);
            }
        }
    }

    #[tokio::test]
    async fn places_run_out_and_come_back() {
        let places = Places::new(2);
        let first = places.take().await;
        let _second = places.take().await;
        assert_eq!(places.free(), 0);
        drop(first);
        assert_eq!(places.free(), 1);
    }
}
