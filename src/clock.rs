//! What time it is. The only reader of the wall clock.
//!
//! Everything else takes a [`Clock`], so that a test can say what time it is and a payout's
//! history can be played again.

pub mod hands;
pub mod steered;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use self::hands::{Doing, Mark};
pub use self::steered::SteeredClock;
use crate::domain::time::Timestamp;

/// A wait: it ends when its time has come, and is given up by being dropped.
pub type Wait = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Tells the time, in UTC, and waits for it.
///
/// It may step back when the machine's time is corrected; nothing may rest on it going forward.
///
/// There are two kinds of waiting. What belongs to the life of a payment (a retry, a question, the
/// life of a token, a result's delay) waits by [`Clock::sleep`], so that testers can let it pass.
/// What belongs to the wire (deadlines of connections and answers, pauses under load) waits by
/// tokio's timers, and always really.
///
/// But for [`Clock::now`], everything has a default that costs what tokio's timers cost; only a
/// [`SteeredClock`] does otherwise.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// Now, on a line that never goes back: for lengths of time of a life.
    fn instant(&self) -> Instant {
        Instant::now()
    }

    /// Waits so long; `what` says for what, for those who steer the clock.
    fn sleep(&self, wait: Duration, what: &'static str) -> Wait {
        let _ = what;
        Box::pin(tokio::time::sleep(wait))
    }

    /// As [`Clock::sleep`], without end where there is no `wait`; but where somebody may set the
    /// clock without a word, not longer than `at_most`: whoever waits looks at the clock again.
    fn nap(&self, wait: Option<Duration>, at_most: Duration, what: &'static str) -> Wait {
        self.sleep(wait.map_or(at_most, |wait| wait.min(at_most)), what)
    }

    /// Counts what somebody does for as long as the mark is held, where a steered clock is not to
    /// move before he is done.
    fn mark(&self, doing: Doing) -> Mark {
        let _ = doing;
        Mark::none()
    }

    /// The same clock, if it is one that testers steer.
    fn steered(&self) -> Option<&SteeredClock> {
        None
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        self.as_ref().now()
    }

    fn instant(&self) -> Instant {
        self.as_ref().instant()
    }

    fn sleep(&self, wait: Duration, what: &'static str) -> Wait {
        self.as_ref().sleep(wait, what)
    }

    fn nap(&self, wait: Option<Duration>, at_most: Duration, what: &'static str) -> Wait {
        self.as_ref().nap(wait, at_most, what)
    }

    fn mark(&self, doing: Doing) -> Mark {
        self.as_ref().mark(doing)
    }

    fn steered(&self) -> Option<&SteeredClock> {
        self.as_ref().steered()
    }
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the wall clock"
    )]
    fn now(&self) -> Timestamp {
        // A machine set before 1970 reads as 1970: wrong either way, and `mlango check` says so.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::EPOCH.after(since_epoch)
    }
}

/// A clock that stands still until it is moved, for tests and for playing history again.
#[derive(Debug, Default)]
pub struct ManualClock {
    millis: AtomicI64,
}

impl ManualClock {
    /// A clock that stands at `start`.
    pub const fn new(start: Timestamp) -> Self {
        Self { millis: AtomicI64::new(start.millis()) }
    }

    /// Puts the clock to `time`, which may be earlier than it was.
    pub fn set(&self, time: Timestamp) {
        self.millis.store(time.millis(), Ordering::SeqCst);
    }

    /// Moves the clock on by `step` (whole milliseconds count) and returns the new time.
    pub fn advance(&self, step: Duration) -> Timestamp {
        let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
        let before = self.millis.fetch_add(step, Ordering::SeqCst);
        Timestamp::from_millis(before.wrapping_add(step))
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.millis.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = ManualClock::new(Timestamp::from_millis(1_000));
        assert_eq!(clock.now(), Timestamp::from_millis(1_000));
        assert_eq!(clock.advance(Duration::from_secs(2)), Timestamp::from_millis(3_000));
        assert_eq!(clock.now(), Timestamp::from_millis(3_000));
        clock.set(Timestamp::from_millis(5));
        assert_eq!(clock.now(), Timestamp::from_millis(5));
    }

    #[test]
    fn the_machines_clock_is_past_the_day_this_was_written() {
        let written = Timestamp::from_millis(1_704_067_200_000);
        assert!(SystemClock.now() > written);
    }
}
