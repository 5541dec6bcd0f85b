//! How fast, and how many at once: both exact.
//!
//! In no window of one second does the rail begin more than `max_per_second` sends, and never are
//! more than `max_in_flight` under way. An interface that is slower has a longer window, and one
//! whose limit was met all the same is held up for a while.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::clock::Clock;

/// The window that `max_per_second` speaks of.
const WINDOW: Duration = Duration::from_secs(1);

/// At most so many in any window of one length.
pub struct Pace {
    per_window: usize,
    window: Duration,
    went: Mutex<Went>,
    /// What it goes by, where that is not the machine's time.
    clock: OnceLock<(Arc<dyn Clock>, Waits)>,
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace")
            .field("per_window", &self.per_window)
            .field("window", &self.window)
            .finish_non_exhaustive()
    }
}

/// How whoever is too early waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// By the clock: before anything has begun.
    ByTheClock,
    /// Really: with a connection open.
    Really,
}

#[derive(Debug, Default)]
struct Went {
    /// When the latest ones went, oldest first; never more than `per_window`.
    at: VecDeque<Instant>,
    /// Before this, none goes.
    held_until: Option<Instant>,
}

impl Pace {
    /// At most `per_second`, and at least one, in any window of one second.
    pub fn new(per_second: u32) -> Self {
        Self::within(per_second, WINDOW)
    }

    /// At most `count`, and at least one, in any window of this length.
    pub fn within(count: u32, window: Duration) -> Self {
        let per_window = usize::try_from(count.max(1)).unwrap_or(usize::MAX);
        Self { per_window, window, went: Mutex::default(), clock: OnceLock::new() }
    }

    /// From now on it goes by a clock that testers steer; the first such clock counts.
    pub fn go_by(&self, clock: &Arc<dyn Clock>, waits: Waits) {
        self.clock.get_or_init(|| (Arc::clone(clock), waits));
    }

    fn now(&self) -> Instant {
        self.clock.get().map_or_else(Instant::now, |(clock, _waits)| clock.instant())
    }

    /// Lets none go for so long, from now: its limit was met.
    pub fn hold(&self, pause: Duration) {
        let until = self.now().checked_add(pause);
        let mut went = self.went();
        went.held_until = went.held_until.max(until);
    }

    fn went(&self) -> MutexGuard<'_, Went> {
        self.went.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until one more may go, and counts it as gone at that moment.
    pub async fn enter(&self) {
        loop {
            let now = self.now();
            let Err(until) = self.try_enter(now) else {
                return;
            };
            match self.clock.get() {
                None => tokio::time::sleep_until(until).await,
                Some((clock, Waits::ByTheClock)) => {
                    clock.sleep(until.duration_since(now), "the pace of an interface").await;
                }
                Some((_clock, Waits::Really)) => {
                    tokio::time::sleep(until.duration_since(now)).await;
                }
            }
        }
    }

    /// Counts one as gone at `now`, or says when to ask again.
    fn try_enter(&self, now: Instant) -> Result<(), Instant> {
        let mut went = self.went();
        if let Some(until) = went.held_until {
            if until > now {
                return Err(until);
            }
            went.held_until = None;
        }
        if went.at.len() >= self.per_window
            && let Some(oldest) = went.at.front().copied()
        {
            let free_at = oldest.checked_add(self.window).unwrap_or(oldest);
            // One window is half open: at its very end the oldest has left it.
            if free_at > now {
                return Err(free_at);
            }
            went.at.pop_front();
        }
        went.at.push_back(now);
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

    #[tokio::test(start_paused = true)]
    async fn a_window_may_be_longer_and_a_limit_that_was_met_holds_up() {
        let pace = Pace::within(1, Duration::from_secs(12));
        let begun = Instant::now();
        pace.enter().await;
        pace.enter().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(12));
        pace.hold(Duration::from_secs(60));
        pace.hold(Duration::from_secs(5));
        pace.enter().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(72), "the longer hold counts");
        pace.enter().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(84), "and only once");
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
