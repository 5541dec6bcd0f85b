//! How often somebody may come: token buckets, in bounded memory.
//!
//! What is limited is never what M-Pesa says with the right token: a result may come once only
//! (contract, part 3). On the callback listener only what is turned away anyway counts.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::domain::time::Timestamp;

/// The most that are remembered one by one; all others share one bucket, so that whoever comes from
/// ever new addresses fills no memory.
const REMEMBERED_MAX: usize = 16_384;
/// Whoever has not come for long is forgotten, looked for at most this often.
const SWEEP_PAUSE_MS: i64 = 1_000;
/// The same trouble is logged at most this often: whoever knocks must not fill the log.
const LOG_PAUSE: Duration = Duration::from_secs(1);
const MILLIS: u64 = 1_000;

/// How often something may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// How many times in the long run, in this time; 0: as often as anybody likes.
    pub times: u32,
    /// In this time.
    pub within: Duration,
    /// How many times at once, after a rest.
    pub burst: u32,
}

impl Pace {
    /// As often as anybody likes.
    pub const FREE: Self = Self { times: 0, within: Duration::from_secs(1), burst: 0 };

    /// So many times a second, and so many at once after a rest.
    pub const fn per_second(times: u32, burst: u32) -> Self {
        Self { times, within: Duration::from_secs(1), burst }
    }

    /// So many times a minute, all of them at once if need be.
    pub const fn per_minute(times: u32) -> Self {
        Self { times, within: Duration::from_secs(60), burst: times }
    }

    /// What one time costs, where each millisecond gives [`Self::times`]: nothing is rounded.
    fn cost(self) -> u64 {
        u64::try_from(self.within.as_millis()).unwrap_or(u64::MAX).max(1)
    }

    fn full(self) -> u64 {
        u64::from(self.burst.max(1)).saturating_mul(self.cost())
    }

    /// How long it takes until one more time is there, in whole seconds.
    fn wait(self, left: u64) -> Duration {
        let missing = self.cost().saturating_sub(left);
        let ms = missing.div_ceil(u64::from(self.times).max(1));
        Duration::from_secs(ms.div_ceil(MILLIS).max(1))
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    /// What is left, of which one time costs [`Pace::cost`].
    left: u64,
    at: i64,
}

impl Bucket {
    fn fill(&mut self, pace: Pace, now: i64) {
        // A clock that steps back gives nothing, and takes nothing away.
        let elapsed = u64::try_from(now.saturating_sub(self.at)).unwrap_or_default();
        let gained = elapsed.saturating_mul(u64::from(pace.times));
        self.left = self.left.saturating_add(gained).min(pace.full());
        self.at = now;
    }
}

struct Buckets<K> {
    each: HashMap<K, Bucket>,
    /// Of all those for whom there is no room.
    others: Option<Bucket>,
    swept_at: i64,
}

/// How often each of many may do something.
pub struct Throttle<K> {
    pace: Pace,
    most: usize,
    buckets: Mutex<Buckets<K>>,
}

impl<K> fmt::Debug for Throttle<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").field("pace", &self.pace).finish_non_exhaustive()
    }
}

impl<K: Eq + Hash> Throttle<K> {
    /// Each at this pace.
    pub fn new(pace: Pace) -> Self {
        Self::holding(pace, REMEMBERED_MAX)
    }

    fn holding(pace: Pace, most: usize) -> Self {
        let buckets = Buckets { each: HashMap::new(), others: None, swept_at: i64::MIN };
        Self { pace, most, buckets: Mutex::new(buckets) }
    }

    /// One more time of `who`.
    ///
    /// # Errors
    /// It is too often: how long to wait, in whole seconds.
    pub fn take(&self, who: K, now: Timestamp) -> Result<(), Duration> {
        let (pace, now) = (self.pace, now.millis());
        if pace.times == 0 {
            return Ok(());
        }
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Bucket { left: pace.full(), at: now };
        let has_room = buckets.each.len() < self.most || buckets.each.contains_key(&who);
        if !has_room && now.abs_diff(buckets.swept_at) >= SWEEP_PAUSE_MS.unsigned_abs() {
            buckets.swept_at = now;
            buckets.each.retain(|_who, bucket| {
                bucket.fill(pace, now);
                bucket.left < pace.full()
            });
        }
        let bucket = if buckets.each.len() < self.most || buckets.each.contains_key(&who) {
            buckets.each.entry(who).or_insert(fresh)
        } else {
            buckets.others.get_or_insert(fresh)
        };
        bucket.fill(pace, now);
        match bucket.left.checked_sub(pace.cost()) {
            Some(left) => {
                bucket.left = left;
                Ok(())
            }
            None => Err(pace.wait(bucket.left)),
        }
    }
}

/// Who a peer is for a limit: his address; of IPv6 the network of his, as one host has all of it.
pub(super) fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

/// Keeps the log short.
#[derive(Debug)]
pub(super) struct Seldom {
    logged_at: AtomicI64,
    unlogged: AtomicU64,
}

impl Default for Seldom {
    fn default() -> Self {
        Self { logged_at: AtomicI64::new(i64::MIN), unlogged: AtomicU64::new(0) }
    }
}

impl Seldom {
    /// How many were not logged since the last that was; `None` when this one is not, either.
    pub(super) fn may_log(&self, now: Timestamp) -> Option<u64> {
        let now = now.millis();
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

    const fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_burst_is_had_at_once_and_the_rest_at_its_pace() {
        let throttle = Throttle::new(Pace::per_second(10, 3));
        let table = [
            (0, "a", Ok(())),
            (0, "a", Ok(())),
            (0, "a", Ok(())),
            (0, "a", Err(1)),
            (0, "b", Ok(())),
            (99, "a", Err(1)),
            (100, "a", Ok(())),
            (100, "a", Err(1)),
            (10_000, "a", Ok(())),
            (10_000, "a", Ok(())),
            (10_000, "a", Ok(())),
            (10_000, "a", Err(1)),
            // A clock that steps back.
            (5_000, "a", Err(1)),
            (5_100, "a", Ok(())),
        ];
        for (nth, (ms, who, told)) in table.into_iter().enumerate() {
            let told = told.map_err(Duration::from_secs);
            assert_eq!(throttle.take(who, at(ms)), told, "{nth}");
        }
        let free = Throttle::new(Pace::FREE);
        assert!((0..100_000).all(|_| free.take("a", at(0)).is_ok()));
    }

    #[test]
    fn how_long_to_wait_is_said() {
        let throttle = Throttle::new(Pace::per_minute(2));
        let told: Vec<_> = (0..3).map(|_| throttle.take((), at(0))).collect();
        assert_eq!(told, [Ok(()), Ok(()), Err(Duration::from_secs(30))]);
        assert_eq!(throttle.take((), at(29_000)), Err(Duration::from_secs(1)));
        assert_eq!(throttle.take((), at(30_000)), Ok(()));
    }

    #[test]
    fn slow_paces_gain_however_often_they_are_asked() {
        let throttle = Throttle::new(Pace::per_minute(1));
        assert_eq!(throttle.take((), at(0)), Ok(()));
        for ms in 1..60_000 {
            assert!(throttle.take((), at(ms)).is_err(), "{ms}");
        }
        assert_eq!(throttle.take((), at(60_000)), Ok(()));
    }

    #[test]
    fn memory_is_bounded_and_who_rested_is_forgotten() {
        let throttle = Throttle::holding(Pace::per_second(1, 2), 100);
        for who in 0..10_000 {
            let _full = throttle.take(who, at(0));
        }
        let held = |throttle: &Throttle<i32>| throttle.buckets.lock().expect("a lock").each.len();
        assert_eq!(held(&throttle), 100);
        assert!(throttle.take(10_001, at(0)).is_err(), "those without room share one bucket");
        assert_eq!(throttle.take(5, at(0)), Ok(()), "who was there before has his own");
        assert_eq!(throttle.take(10_002, at(5_000)), Ok(()));
        assert_eq!(held(&throttle), 1);
    }

    #[test]
    fn a_network_of_ipv6_is_one_peer() {
        let peer = |text: &str| peer_of(text.parse().expect("an address"));
        assert_eq!(peer("2001:db8:1:2:3:4:5:6"), peer("2001:db8:1:2::9"));
        assert_ne!(peer("2001:db8:1:2::1"), peer("2001:db8:1:3::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }

    #[test]
    fn a_flood_is_one_line_a_second() {
        let seldom = Seldom::default();
        let logged: Vec<Option<u64>> = [5_000, 5_001, 5_999, 6_000, 6_500, 4_000]
            .into_iter()
            .map(|now| seldom.may_log(at(now)))
            .collect();
        assert_eq!(
            logged,
            [Some(0), None, None, Some(2), None, Some(1)],
            "a clock that steps back does not silence the log"
        );
    }
}
