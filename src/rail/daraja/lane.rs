//! The pace of each interface: Daraja counts them apart, and so do we (spec/daraja.md §1.3, §3.2).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;
use crate::daraja::Api;
use crate::rail::pace::{Pace, Waits};
use crate::telemetry::metric;

/// How long an interface rests after each time in a row that its limit was met; the last counts
/// for all that follow.
const RESTS: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(40),
    Duration::from_secs(60),
];
/// How often a token is fetched because the app seems to lack a product: each may end the one
/// before it, which others use.
const HOPE_EVERY: Duration = Duration::from_secs(600);
/// The longest rest that M-Pesa's own word for it is taken for.
const REST_MAX: Duration = Duration::from_secs(300);

/// One interface.
#[derive(Debug)]
pub(super) struct Lane {
    word: &'static str,
    /// Paces the beginning of calls, so that few stand at `sending` without being sent.
    pub begin: Pace,
    /// Paces the first byte: the limit that M-Pesa sees, kept exactly.
    pub first_byte: Pace,
    /// How often in a row its limit was met.
    met: AtomicU32,
    /// When a token was fetched last because the app seemed to lack this product.
    hoped_at: Mutex<Option<Instant>>,
}

impl Lane {
    fn new(word: &'static str, count: u32, window: Duration) -> Self {
        Self {
            word,
            begin: Pace::within(count, window),
            first_byte: Pace::within(count, window),
            met: AtomicU32::new(0),
            hoped_at: Mutex::default(),
        }
    }

    /// Its limit was met: it rests, for as long as M-Pesa said or as we think.
    pub fn rest(&self, told: Option<Duration>) {
        metric::TOO_MANY.with([self.word]).increment();
        let met = usize::try_from(self.met.fetch_add(1, Ordering::SeqCst)).unwrap_or(usize::MAX);
        let ours = RESTS.get(met).or(RESTS.last()).copied().unwrap_or_default();
        let rest = told.unwrap_or_default().clamp(ours, REST_MAX);
        tracing::warn!(api = self.word, seconds = rest.as_secs(), "too many calls; it rests");
        self.begin.hold(rest);
    }

    /// Whether a fresh token may help where the app seems to lack this product: one token knows
    /// the products of the hour in which it was given (spec/daraja.md §4).
    pub fn may_hope_for_product(&self) -> bool {
        let now = Instant::now();
        let mut hoped_at = self.hoped_at.lock().unwrap_or_else(PoisonError::into_inner);
        if hoped_at.is_some_and(|at| now.duration_since(at) < HOPE_EVERY) {
            return false;
        }
        *hoped_at = Some(now);
        true
    }

    /// Its limit was not met.
    pub fn goes(&self) {
        self.met.store(0, Ordering::SeqCst);
    }
}

/// Every interface, by its word.
#[derive(Debug)]
pub(super) struct Lanes {
    by_word: BTreeMap<&'static str, Lane>,
    /// For what has none; there is nothing such.
    other: Lane,
}

impl Lanes {
    /// Each at most `per_second`, and questions about prompts no faster than one per `query_every`.
    pub fn new(per_second: u32, query_every: Duration) -> Self {
        let lane = |api: Api| match api {
            Api::StkQuery => Lane::new(api.word(), 1, query_every),
            Api::StkPush
            | Api::C2bRegister(_)
            | Api::C2bSimulate(_)
            | Api::B2c(_)
            | Api::B2b
            | Api::Tax
            | Api::TransactionStatus
            | Api::AccountBalance
            | Api::Reversal
            | Api::Qr
            | Api::PullRegister
            | Api::PullQuery => Lane::new(api.word(), per_second, Duration::from_secs(1)),
        };
        Self {
            by_word: Api::ALL.into_iter().map(|api| (api.word(), lane(api))).collect(),
            other: Lane::new("other", 1, Duration::from_secs(1)),
        }
    }

    /// From now on they go by a clock that testers steer.
    pub fn go_by(&self, clock: &Arc<dyn Clock>) {
        for lane in self.by_word.values().chain([&self.other]) {
            lane.begin.go_by(clock, Waits::ByTheClock);
            lane.first_byte.go_by(clock, Waits::Really);
        }
    }

    /// The lane of an interface; versions share one.
    pub fn of(&self, api: Api) -> &Lane {
        self.by_word.get(api.word()).unwrap_or(&self.other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_limit_that_was_met_slows_that_interface_only() {
        let lanes = Lanes::new(10, Duration::from_secs(12));
        let begun = Instant::now();
        lanes.of(Api::StkPush).rest(None);
        lanes.of(Api::B2b).begin.enter().await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        lanes.of(Api::StkPush).begin.enter().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(5));
        lanes.of(Api::StkPush).rest(Some(Duration::from_secs(30)));
        lanes.of(Api::StkPush).begin.enter().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(35), "as long as M-Pesa said");
        lanes.of(Api::StkPush).rest(Some(Duration::from_secs(1)));
        lanes.of(Api::StkPush).begin.enter().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(55), "but not shorter than ours");
        lanes.of(Api::StkPush).goes();
        lanes.of(Api::StkPush).rest(Some(Duration::from_secs(1_000_000)));
        lanes.of(Api::StkPush).begin.enter().await;
        assert_eq!(begun.elapsed(), Duration::from_secs(355), "and not for ever");
    }

    #[tokio::test(start_paused = true)]
    async fn questions_about_prompts_go_one_in_twelve_seconds() {
        let lanes = Lanes::new(10, Duration::from_secs(12));
        let begun = Instant::now();
        for _ in 0..3 {
            lanes.of(Api::StkQuery).begin.enter().await;
        }
        assert_eq!(begun.elapsed(), Duration::from_secs(24));
    }
}
