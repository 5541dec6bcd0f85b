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

/// How often a payout that is still in doubt after the last interval is asked about.
pub const DAILY: Duration = Duration::from_secs(24 * 60 * 60);
/// How long until a question is put again that M-Pesa has not got.
const UNASKED_PAUSE: Duration = Duration::from_secs(30);
/// How long after a question somebody may have it put again: its answer is awaited that long.
const BY_HAND_PAUSE: Duration = Duration::from_secs(5);

/// When M-Pesa is asked again after the question number `asked` of a doubt, put at `now`: by the
/// intervals, after the last one once more as long, then daily.
pub fn ask_again_at(now: Timestamp, intervals: &[Duration], asked: u32) -> Timestamp {
    let place = usize::try_from(asked).unwrap_or(usize::MAX);
    let pause = if is_past_the_last(intervals, asked) {
        DAILY
    } else {
        intervals.get(place).or_else(|| intervals.last()).copied().unwrap_or(DAILY)
    };
    now.after(pause)
}

/// Whether the question number `asked` of a doubt comes after the last interval.
pub fn is_past_the_last(intervals: &[Duration], asked: u32) -> bool {
    usize::try_from(asked).unwrap_or(usize::MAX) > intervals.len()
}

/// When a question that M-Pesa has not got is put again.
pub fn ask_anew_at(now: Timestamp) -> Timestamp {
    now.after(UNASKED_PAUSE)
}

/// Whether a question that is due at `ask_at` may be put at `now`.
///
/// No pause is longer than a day: a time further ahead comes from a clock that was set back since.
pub fn is_ask_due(ask_at: Timestamp, now: Timestamp) -> bool {
    ask_at <= now || ask_at.since(now) > DAILY
}

/// Whether somebody may have a question put at `now` when the last was put at `last`.
pub fn may_ask_by_hand(last: Timestamp, now: Timestamp) -> bool {
    now.since(last) >= BY_HAND_PAUSE || last > now
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
    fn questions_follow_the_intervals_then_come_daily() {
        let now = Timestamp::from_millis(1_000_000);
        let intervals = [5, 30, 120].map(Duration::from_secs);
        let table = [(1, 30), (2, 120), (3, 120), (4, 86_400), (5, 86_400), (u32::MAX, 86_400)];
        for (asked, seconds) in table {
            let pause = ask_again_at(now, &intervals, asked).since(now);
            assert_eq!(pause.as_secs(), seconds, "after question {asked}");
            assert_eq!(is_past_the_last(&intervals, asked), asked > 3, "question {asked}");
        }
        assert_eq!(ask_again_at(now, &[], 1).since(now), DAILY);
    }

    #[test]
    fn a_question_is_due_at_its_time_and_never_more_than_a_day_later() {
        let now = Timestamp::from_millis(1_000_000_000);
        let ahead = |seconds| now.after(Duration::from_secs(seconds));
        assert!(is_ask_due(now, now) && is_ask_due(Timestamp::EPOCH, now));
        assert!(!is_ask_due(ahead(1), now) && !is_ask_due(ahead(86_400), now));
        assert!(is_ask_due(ahead(86_401), now));
        assert!(!may_ask_by_hand(now, ahead(4)) && may_ask_by_hand(now, ahead(5)));
        assert!(may_ask_by_hand(ahead(3_600), now), "the clock was set back");
        assert_eq!(ask_anew_at(now), ahead(30));
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
