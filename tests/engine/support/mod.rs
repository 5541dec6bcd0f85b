//! What tests of the engine share: a rail that follows a script, a store that can be troubled, a
//! clock that keeps to tokio's time, and a house that puts them together.

pub mod counter;
pub mod house;
pub mod rail;
pub mod store;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mlango::clock::Clock;
use mlango::domain::time::Timestamp;
use mlango::engine::port::Ids;
use tokio::time::Instant;

/// When every test begins.
pub const BEGIN: Timestamp = Timestamp::from_millis(1_704_164_645_000);

/// A clock that goes as tokio's does, so that paused time moves both.
#[derive(Debug)]
pub struct TokioClock {
    base: Timestamp,
    since: Instant,
    /// Seconds by which somebody set it back.
    back: AtomicU64,
}

impl TokioClock {
    /// A clock that shows `base` now.
    pub fn at(base: Timestamp) -> Self {
        Self { base, since: Instant::now(), back: AtomicU64::new(0) }
    }

    /// Somebody sets it back.
    pub fn set_back(&self, seconds: u64) {
        self.back.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let back = i64::try_from(self.back.load(Ordering::SeqCst)).expect("a few seconds");
        let now = self.base.after(self.since.elapsed());
        Timestamp::from_millis(now.millis() - back * 1_000)
    }
}

/// Identifiers in the order of their making, the same in every run.
#[derive(Debug, Default)]
pub struct CountedIds {
    last: Mutex<u128>,
}

impl Ids for CountedIds {
    fn fresh(&self, now: Timestamp) -> [u8; 16] {
        let millis = u128::try_from(now.millis()).expect("after 1970");
        let mut last = self.last.lock().expect("no panic while it was held");
        *last = (millis << 80).max(*last + 1);
        last.to_be_bytes()
    }
}

/// A second, and so on: tests are full of them.
pub const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Milliseconds.
pub const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}
