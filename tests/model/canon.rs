//! One state for all that cannot be told apart: times relative to now, numbers that only count.
//!
//! What `step` compares is kept: whether a time has come; whether the last question was put before
//! the request could no longer arrive, and before M-Pesa could have forgotten it; the age of the
//! first send against fourteen and fifteen days; which question is the last one. Everything else
//! about times and numbers is forgotten, so that the states are finitely many.

use std::time::Duration;

use mlango::domain::payout::{FOUND_BY_NAME, Inquiry, MISSED_BY_NAME, Question, State, Tries};
use mlango::domain::time::Timestamp;

use crate::facts::{NOW, TICK};

/// The number of the last question about a payout.
pub(crate) const LAST: u32 = 2;
/// The number of every question before it.
pub(crate) const EARLIER: u32 = 1;
/// Beyond this many questions of a doubt, one more is the same: the model's policy has one
/// interval, so that the second question is past the last.
const MANY: u32 = 2;

/// How long ago the first send began that M-Pesa may know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Age {
    Young,
    /// M-Pesa's not knowing it proves nothing.
    Old,
    /// M-Pesa finds it by its receipt only.
    VeryOld,
}

/// `state`, as it looks at `now`, with `now` called [`NOW`].
pub(crate) fn at(state: State, now: Timestamp) -> State {
    match state {
        // No pause of the queue is as long as a tick: it may be over at once.
        State::Queued { tries, .. } => {
            State::Queued { not_before: NOW, tries: tries_at(tries, now) }
        }
        State::Sending { tries, mut lease } => {
            lease.until = coming(lease.until, now);
            State::Sending { tries: tries_at(tries, now), lease }
        }
        State::Accepted { tries, conversation, overdue_at } => {
            let overdue_at = coming(overdue_at, now);
            State::Accepted { tries: tries_at(tries, now), conversation, overdue_at }
        }
        State::Unknown { tries, why, conversation, since: _, arrives_until, inquiry } => {
            let (tries, arrives_until, inquiry) = doubt_at(tries, arrives_until, inquiry, now);
            State::Unknown { tries, why, conversation, since: NOW, arrives_until, inquiry }
        }
        State::Succeeded { receipt, mut settled, recipient_name, charge } => {
            settled.completed_at = NOW;
            State::Succeeded { receipt, settled, recipient_name, charge }
        }
        State::Failed { failure, mut settled } => {
            settled.completed_at = NOW;
            State::Failed { failure, settled }
        }
        State::Cancelled { reason, .. } => State::Cancelled { reason, completed_at: NOW },
        waiting @ State::AwaitingApproval { .. } => waiting,
    }
}

/// A time that counts until it has come: the first tick at which it has.
fn coming(at: Timestamp, now: Timestamp) -> Timestamp {
    let ticks = at.since(now).as_millis().div_ceil(TICK.as_millis());
    NOW.after(TICK.saturating_mul(u32::try_from(ticks).unwrap_or(u32::MAX)))
}

fn before(at: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).expect("a time");
    Timestamp::from_millis(at.millis() - by)
}

fn age(sent_at: Timestamp, now: Timestamp) -> Age {
    if now < sent_at.after(MISSED_BY_NAME) {
        Age::Young
    } else if now < sent_at.after(FOUND_BY_NAME) {
        Age::Old
    } else {
        Age::VeryOld
    }
}

fn tries_at(tries: Tries, now: Timestamp) -> Tries {
    let sent_at = tries.sent_at.map(|at| match age(at, now) {
        Age::Young => NOW,
        Age::Old => before(NOW, MISSED_BY_NAME),
        Age::VeryOld => before(NOW, FOUND_BY_NAME),
    });
    Tries {
        // They only lengthen the pauses of the queue.
        busy: 0,
        unreachable: 0,
        // A new doubt: every question that was put is an earlier one.
        questions: tries.questions.min(EARLIER),
        sent_at,
        ..tries
    }
}

fn doubt_at(
    tries: Tries,
    arrives_until: Timestamp,
    inquiry: Inquiry,
    now: Timestamp,
) -> (Tries, Timestamp, Inquiry) {
    let mut told = tries_at(tries, now);
    let ask_at = coming(inquiry.ask_at, now);
    let asked = inquiry.asked.min(MANY);
    let Some(last) = inquiry.last else {
        let inquiry = Inquiry { ask_at, asked, ..inquiry };
        return (told, coming(arrives_until, now), inquiry);
    };
    assert_eq!(last.nth, tries.questions, "the last question has the last number");
    let just_now = last.at >= now;
    let too_early = last.at < arrives_until;
    // Without one, by when it was made: that is always now.
    let sent_at = tries.sent_at.unwrap_or(NOW);
    let too_late = last.at >= sent_at.after(MISSED_BY_NAME);
    let very_old = age(sent_at, now) == Age::VeryOld;
    let day = FOUND_BY_NAME.saturating_sub(MISSED_BY_NAME);
    let at = match (just_now, too_late) {
        (true, _) => NOW,
        (false, false) if very_old => before(NOW, day + TICK),
        (false, _) => before(NOW, TICK),
    };
    if too_late && !just_now && !very_old {
        told.sent_at = Some(before(NOW, MISSED_BY_NAME + TICK));
    }
    let arrives_until = if too_early { coming(arrives_until, now) } else { at };
    let last = Some(Question { nth: LAST, at, by: last.by });
    told.questions = LAST;
    (told, arrives_until, Inquiry { ask_at, asked, last, ..inquiry })
}
