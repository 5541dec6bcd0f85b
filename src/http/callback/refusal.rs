//! Calls that are turned away: why, how many, and a short log of them.

use crate::domain::time::Timestamp;
use crate::http::throttle::Seldom;
use crate::telemetry::metric::{self, Counter};

/// Why a call is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Network,
    Certificate,
    Path,
    Token,
    /// He was wrong too often.
    TooOften,
    Method,
    TooLarge,
    TimedOut,
    Broken,
    NotKept,
}

impl Refusal {
    pub(super) const ALL: [Self; 10] = [
        Self::Network,
        Self::Certificate,
        Self::Path,
        Self::Token,
        Self::TooOften,
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
            Self::TooOften => "too_often",
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
    seldom: Seldom,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            counters: Refusal::ALL.map(|refusal| metric::CALLBACK_REFUSED.with([refusal.word()])),
            seldom: Seldom::default(),
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
    pub(super) fn may_log(&self, now: Timestamp) -> Option<u64> {
        self.seldom.may_log(now)
    }
}
