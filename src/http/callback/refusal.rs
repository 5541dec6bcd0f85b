//! Calls that are turned away: why, how many, and a short log of them.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::telemetry::metric::{self, Counter};

/// Refused calls are logged at most this often: whoever knocks must not fill the log.
const LOG_PAUSE: Duration = Duration::from_secs(1);

/// Why a call is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Network,
    Certificate,
    Path,
    Token,
    Method,
    TooLarge,
    TimedOut,
    Broken,
    NotKept,
}

impl Refusal {
    pub(super) const ALL: [Self; 9] = [
        Self::Network,
        Self::Certificate,
        Self::Path,
        Self::Token,
        Self::Method,
        Self::TooLarge,
        Self::TimedOut,
        Self::Broken,
        Self::NotKept,
    ];

    /// The value of the metric's label.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Certificate => "certificate",
            Self::Path => "path",
            Self::Token => "token",
            Self::Method => "method",
            Self::TooLarge => "too_large",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
            Self::NotKept => "not_kept",
        }
    }
}

/// Counts what is refused, and keeps the log short.
pub(super) struct Refusals {
    counters: [Counter; Refusal::ALL.len()],
    logged_at: AtomicI64,
    unlogged: AtomicU64,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            counters: Refusal::ALL.map(|refusal| metric::CALLBACK_REFUSED.with([refusal.word()])),
            logged_at: AtomicI64::new(i64::MIN),
            unlogged: AtomicU64::new(0),
        }
    }
}

impl Refusals {
    pub(super) fn count(&self, refusal: Refusal) {
        let place = Refusal::ALL.iter().position(|known| *known == refusal);
        if let Some(counter) = place.and_then(|place| self.counters.get(place)) {
            counter.increment();
        }
    }

    /// How many were not logged since the last that was; `None` when this one is not, either.
    pub(super) fn may_log(&self, now: i64) -> Option<u64> {
        let last = self.logged_at.load(Ordering::Relaxed);
        let pause = i64::try_from(LOG_PAUSE.as_millis()).unwrap_or(i64::MAX);
        let due = now.saturating_sub(last) >= pause || now < last;
        let mine = due
            && self
                .logged_at
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            Some(self.unlogged.swap(0, Ordering::Relaxed))
        } else {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_one_line_a_second() {
        let refusals = Refusals::default();
        let logged: Vec<Option<u64>> = [5_000, 5_001, 5_999, 6_000, 6_500, 4_000]
            .into_iter()
            .map(|now| refusals.may_log(now))
            .collect();
        assert_eq!(
            logged,
            [Some(0), None, None, Some(2), None, Some(1)],
            "a clock that steps back does not silence the log"
        );
    }
}
