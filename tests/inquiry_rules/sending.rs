//! What a send leaves behind: counts, pauses and reasons, on which all that follows rests.

use std::time::Duration;

use crate::life::{BEGIN, DAY, Life, MINUTE, MS, SECOND, answer, result};
use mlango::domain::payout::{
    Doubt, Effect, Event, Failure, Lease, ResultFacts, State, Verdict, WhyNoAnswer, WhyNothingSent,
};

#[test]
fn each_row_of_refusals_or_dead_links_has_pauses_of_its_own_that_double() {
    let (busy, dead) = (true, false);
    // What came of each send; how long the next one waits; what is counted.
    let table = [
        (dead, 1, (0, 1)),
        (dead, 2, (0, 2)),
        (dead, 4, (0, 3)),
        (busy, 1, (1, 0)),
        (busy, 2, (2, 0)),
        (dead, 1, (0, 1)),
        (busy, 1, (1, 0)),
        (busy, 2, (2, 0)),
        (busy, 4, (3, 0)),
        (dead, 1, (0, 1)),
    ];
    let mut life = Life::queued();
    for (attempt, (is_busy, seconds, counts)) in (1_u32..).zip(table) {
        life.sends();
        let event = if is_busy {
            Event::Answered { attempt, answer: answer("100000002") }
        } else {
            Event::NothingSent { attempt, why: WhyNothingSent::Connect }
        };
        let verdict = life.happens(&event);
        let Verdict::Moved { effects, .. } = verdict else { panic!("{verdict:?}") };
        let tries = life.tries();
        assert_eq!((tries.busy, tries.unreachable), counts, "after send {attempt}");
        assert_eq!(tries.attempts, attempt);
        let next = life.now.after(Duration::from_secs(seconds));
        let slow = Effect::SlowRail { code: "100000002".to_owned() };
        let mut expected: Vec<Effect> = is_busy.then_some(slow).into_iter().collect();
        expected.push(Effect::WakeAt(next));
        assert_eq!(effects, expected, "after send {attempt}");
        assert_eq!(life.payout.state.wakes_at(), Some(next));
        life.now = next;
    }
}

#[test]
fn a_send_is_watched_until_its_lease_ends_and_an_accepted_payout_until_its_result_is_due() {
    let mut life = Life::queued();
    let owner = mlango::domain::id::RunId::from_bytes([7; 16]);
    let lease = Lease { owner, until: BEGIN.after(MINUTE) };
    let verdict = life.happens(&Event::SendStarted { lease });
    let Verdict::Moved { effects, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(effects, [Effect::Transmit { attempt: 1 }, Effect::WakeAt(lease.until)]);
    let verdict = life.happens(&Event::Answered { attempt: 1, answer: answer("0") });
    let Verdict::Moved { effects, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(effects, [Effect::WakeAt(BEGIN.after(2 * MINUTE))]);
    life.now = mlango::domain::time::Timestamp::from_millis(BEGIN.millis() + 119_999);
    assert_eq!(life.sees(&Event::ResultOverdue), "stale", "a moment early");
    life.waits(MS);
    assert_eq!(life.sees(&Event::ResultOverdue), "unknown");
    assert_eq!(*life.why(), Doubt::ResultOverdue);
}

#[test]
fn why_it_is_in_doubt_is_remembered_as_it_was() {
    let told = |code: &str| Doubt::Answer { code: code.to_owned() };
    let table = [
        ("100000000", Doubt::Cached),
        ("15", Doubt::Duplicate),
        ("17", told("17")),
        ("100000004", told("100000004")),
        ("2001", told("2001")),
        ("no-such-code", told("no-such-code")),
        ("", told("")),
    ];
    for (code, why) in table {
        let mut life = Life::sending();
        assert_eq!(life.answered(code), "unknown", "{code:?}");
        assert_eq!(*life.why(), why, "{code:?}");
    }
    for (code, why) in [("15", Doubt::Duplicate), ("17", Doubt::Result { code: "17".to_owned() })] {
        let mut life = Life::sending();
        assert_eq!(life.sees(&result(code)), "unknown", "{code}");
        assert_eq!(*life.why(), why, "{code}");
    }
}

#[test]
fn silence_after_an_earlier_send_is_not_silence_after_this_one() {
    let mut life = Life::sending();
    assert_eq!(life.answered("100000002"), "queued");
    life.waits(SECOND);
    life.sends();
    let silence = |attempt| Event::NoAnswer { attempt, why: WhyNoAnswer::Timeout };
    for attempt in [0, 1, 3] {
        assert_eq!(life.sees(&silence(attempt)), "noted", "send {attempt}");
    }
    assert_eq!(life.sees(&silence(2)), "unknown");
}

#[test]
fn a_failure_says_what_mpesa_said_or_what_the_code_means() {
    let known = mlango::domain::outcome::result("1").says;
    // M-Pesa's words; what is kept of them.
    let table = [("  Insufficient funds\n", "Insufficient funds"), ("", known), (" \n", known)];
    for (words, kept) in table {
        let mut life = Life::sending();
        let Event::ResultArrived(facts) = result("1") else { panic!("a result") };
        let facts = ResultFacts { description: words.to_owned(), ..facts };
        assert_eq!(life.sees(&Event::ResultArrived(facts)), "failed");
        let State::Failed { failure: Failure { description, .. }, .. } = &life.payout.state else {
            panic!("it has failed");
        };
        assert_eq!(description, kept, "{words:?}");
    }
}

#[test]
fn a_day_later_it_is_still_the_same_payout() {
    let mut life = Life::in_doubt();
    let details = life.payout.details.clone();
    life.waits(DAY);
    life.asks();
    assert_eq!(life.sees(&result("0")), "succeeded");
    assert_eq!(life.payout.details, details, "law 1");
    assert_eq!(life.payout.state.completed_at(), Some(life.now));
    assert_eq!(life.payout.state.attempts(), 1);
}
