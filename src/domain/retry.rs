//! When to try again: schedules as pure functions of how often was tried.

use std::time::Duration;

use super::time::Timestamp;

/// The pause after the first refusal for want of capacity, or the first time the link was down.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// How often M-Pesa may say "too busy" to one payout before it is given up as failed.
///
/// With pauses of up to a minute that is about a quarter of an hour. Tries in which not one byte
/// left do not count: a dead link is waited for.
pub const BUSY_ANSWERS_MAX: u32 = 20;

/// When a payout that was put back for the `nth` time (1 is the first) may be sent again: pauses
/// double up to a minute.
pub fn resend_at(now: Timestamp, nth: u32) -> Timestamp {
    let doublings = nth.saturating_sub(1).min(16);
    let pause = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(doublings).unwrap_or(u32::MAX));
    now.after(pause.min(LONGEST_PAUSE))
}

/// Whether what may go at `not_before` may go at `now`.
///
/// No pause here is longer than a minute: a time further ahead comes from a clock that was set back
/// since, and is not waited for.
pub fn is_due(not_before: Timestamp, now: Timestamp) -> bool {
    not_before <= now || not_before.since(now) > LONGEST_PAUSE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let now = Timestamp::from_millis(1_000_000);
        let pauses = [(1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (40, 60), (u32::MAX, 60)];
        for (nth, seconds) in pauses {
            assert_eq!(resend_at(now, nth).since(now).as_secs(), seconds, "{nth}");
        }
        assert_eq!(resend_at(now, 0).since(now), FIRST_PAUSE);
    }

    #[test]
    fn a_clock_that_was_set_back_holds_nothing_up() {
        let now = Timestamp::from_millis(10_000_000);
        let ahead = |seconds| now.after(Duration::from_secs(seconds));
        assert!(is_due(now, now) && is_due(Timestamp::EPOCH, now));
        assert!(!is_due(ahead(1), now) && !is_due(ahead(60), now));
        assert!(is_due(ahead(61), now) && is_due(ahead(3_600), now));
    }
}
