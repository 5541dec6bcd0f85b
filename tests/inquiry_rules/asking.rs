//! When M-Pesa is asked, by what, and what does not count as a question.

use std::time::Duration;

use crate::life::{
    BEGIN, DAY, HOUR, Life, MINUTE, MS, NOT_FOUND, SECOND, answer, paid, receipt, result, told,
};
use mlango::domain::id::ConversationId;
use mlango::domain::payout::{
    AskBy, CaseKind, Doubt, Effect, Event, FOUND_BY_NAME, Inquiry, MISSED_BY_NAME, Notice, Policy,
    Question, Rail, State, Tries, Verdict, WhyNothingSent, ask_by,
};
use mlango::domain::time::Timestamp;

#[test]
fn questions_are_numbered_and_follow_the_schedule_until_a_person_is_called_and_then_come_daily() {
    let (s, m, h, d) = (1, 60, 3_600, 86_400);
    // Each: seconds after the doubt began; whether a person is called with it.
    let schedule = [
        (5 * s, false),
        (35 * s, false),
        (2 * m + 35 * s, false),
        (12 * m + 35 * s, false),
        (h + 12 * m + 35 * s, false),
        (2 * h + 12 * m + 35 * s, true),
        (d + 2 * h + 12 * m + 35 * s, false),
        (2 * d + 2 * h + 12 * m + 35 * s, false),
    ];
    let mut life = Life::in_doubt();
    for (nth, (seconds, calls)) in (1_u32..).zip(schedule) {
        let due = BEGIN.after(Duration::from_secs(seconds));
        assert_eq!(life.inquiry().ask_at, due, "question {nth}");
        life.now = Timestamp::from_millis(due.millis() - 1);
        assert_eq!(life.sees(&Event::InquirySent), "NotDue", "question {nth}, a moment early");
        life.now = due;
        let verdict = life.happens(&Event::InquirySent);
        let Verdict::Moved { notice, effects, .. } = verdict else { panic!("{verdict:?}") };
        assert_eq!(notice, Notice::Inquired);
        assert_eq!(life.last(), Question { nth, at: due, by: AskBy::Name });
        assert_eq!((life.inquiry().asked, life.tries().questions), (nth, nth));
        let mut expected = vec![Effect::Ask { nth }];
        expected.extend(calls.then_some(Effect::OpenCase(CaseKind::StillUnknown)));
        expected.push(Effect::Inquire { at: life.inquiry().ask_at });
        assert_eq!(effects, expected, "question {nth}");
    }
    assert_eq!(life.cases, [CaseKind::StillUnknown], "once");
}

#[test]
fn asking_moves_nothing_but_the_inquiry() {
    let mut life = Life::in_doubt();
    let before = life.payout.state.clone();
    life.asks();
    let State::Unknown { tries, inquiry, .. } = &mut life.payout.state else { panic!("in doubt") };
    tries.questions = 0;
    *inquiry = Inquiry::first_at(BEGIN.after(5 * SECOND));
    assert_eq!(life.payout.state, before);
}

#[test]
fn somebody_may_have_it_asked_now_but_not_again_within_five_seconds() {
    let mut life = Life::in_doubt();
    assert_eq!(life.sees(&Event::AskWanted), "unknown", "no question was put yet");
    assert_eq!(life.inquiry().ask_at, BEGIN, "at once");
    life.asks();
    // Milliseconds after the last question.
    for (ms, expected) in [(0, "AskedJustNow"), (4_999, "AskedJustNow"), (5_000, "unknown")] {
        life.now = BEGIN.after(Duration::from_millis(ms));
        assert_eq!(life.sees(&Event::AskWanted), expected, "after {ms} ms");
    }
    assert_eq!(life.inquiry().ask_at, life.now);
    assert_eq!(life.inquiry().asked, 1, "to want it is not to ask");
    // One that is due already stays due: nothing is put off.
    let due = life.inquiry().ask_at;
    life.waits(MINUTE);
    assert_eq!(life.sees(&Event::AskWanted), "unknown");
    assert_eq!(life.inquiry().ask_at, due);
}

#[test]
fn somebody_may_have_an_accepted_payout_asked_about_and_then_it_is_in_doubt() {
    let mut life = Life::sending();
    assert_eq!(life.answered("0"), "accepted");
    life.waits(SECOND);
    let verdict = life.happens(&Event::AskWanted);
    let Verdict::Moved { effects, .. } = verdict else { panic!("{verdict:?}") };
    assert!(effects.contains(&Effect::Inquire { at: life.now }), "{effects:?}");
    assert_eq!((life.why(), life.inquiry().ask_at), (&Doubt::AskedEarly, life.now));
    assert_eq!(life.payout.state.conversation(), ConversationId::new("AG_20240102_1").as_ref());
    life.asks();
}

#[test]
fn a_question_that_mpesa_has_not_got_does_not_count_and_is_put_again() {
    let busy = |nth| Event::InquiryReplied { nth, answer: answer("100000002") };
    let refused = |nth| Event::InquiryReplied { nth, answer: answer("100000007") };
    let lost = |nth| Event::InquiryNotSent { nth, why: Some(WhyNothingSent::Connect) };
    let given_up = |nth| Event::InquiryNotSent { nth, why: None };
    let unheard = |nth| told(nth, "2001");
    let not_got: [(&str, &dyn Fn(u32) -> Event); 5] = [
        ("too busy", &busy),
        ("wrong credential", &refused),
        ("not sent", &lost),
        ("given up by the broker", &given_up),
        ("wrong credential in its result", &unheard),
    ];
    for (name, event) in not_got {
        let mut life = Life::in_doubt();
        life.asks();
        let second = life.asks();
        life.waits(SECOND);
        assert_eq!(life.sees(&event(second - 1)), "noted", "{name}: a question overtaken");
        let verdict = life.happens(&event(second));
        let Verdict::Moved { notice, effects, .. } = verdict else { panic!("{verdict:?}") };
        assert_eq!(notice, Notice::Noted);
        assert_eq!(life.inquiry().asked, 1, "{name}: it does not count");
        assert_eq!(life.inquiry().ask_at, life.now.after(30 * SECOND), "{name}");
        let slows = effects.iter().any(|effect| matches!(effect, Effect::SlowRail { .. }));
        let stops = effects.iter().any(|effect| matches!(effect, Effect::StopRail { .. }));
        assert_eq!(slows, name == "too busy", "{name}");
        assert_eq!(stops, name.starts_with("wrong credential"), "{name}");
        assert_eq!(life.asks(), second + 1, "{name}: no number twice");
        assert_eq!(life.inquiry().asked, 2, "{name}: the schedule goes on");
        assert_eq!(life.inquiry().ask_at, life.now.after(2 * MINUTE), "{name}");
    }
}

#[test]
fn a_question_that_mpesa_has_not_got_is_not_put_off_by_that() {
    let mut life = Life::in_doubt();
    let first = life.asks();
    life.waits(20 * SECOND);
    life.happens(&Event::InquiryNotSent { nth: first, why: Some(WhyNothingSent::Connect) });
    assert_eq!(life.inquiry().ask_at, BEGIN.after(35 * SECOND), "as the schedule said");
}

#[test]
fn what_becomes_of_a_question_says_nothing_of_the_payment() {
    // Taken, cached, malformed, doubtful, and refused for want of permission.
    for code in ["0", "100000000", "1005", "no-such-code", "15", ""] {
        let mut life = Life::in_doubt();
        let nth = life.asks();
        let before = life.payout.clone();
        let replied = Event::InquiryReplied { nth, answer: answer(code) };
        assert_eq!(life.sees(&replied), "noted", "{code:?}");
        assert_eq!(life.payout, before, "{code:?}");
    }
}

#[test]
fn after_fifteen_days_a_payment_is_asked_for_by_its_receipt_or_not_at_all() {
    // Days and milliseconds after the send; by what it can be asked for, with and without a
    // receipt that M-Pesa named.
    let table = [
        (Duration::ZERO, Some(AskBy::Name), Some(AskBy::Name)),
        (14 * DAY, Some(AskBy::Name), Some(AskBy::Name)),
        (15 * DAY - MS, Some(AskBy::Name), Some(AskBy::Name)),
        (15 * DAY, Some(AskBy::Receipt), None),
        (400 * DAY, Some(AskBy::Receipt), None),
    ];
    assert_eq!((MISSED_BY_NAME, FOUND_BY_NAME), (14 * DAY, 15 * DAY));
    let unnamed = Life::in_doubt();
    let mut named = Life::in_doubt();
    assert_eq!(named.sees(&paid(15)), "unknown", "another amount is not believed");
    assert_eq!(named.inquiry().told, Some(receipt("QK1")), "but its receipt is kept");
    let (policy, nameless) =
        (Policy::default(), Policy { unnamed: vec![Rail::Soap], ..Policy::default() });
    for (age, with, without) in table {
        let now = BEGIN.after(age);
        assert_eq!(ask_by(&named.payout, &nameless, now), Some(AskBy::Receipt), "by what it has");
        assert_eq!(ask_by(&unnamed.payout, &nameless, now), None, "its name says nothing");
        assert_eq!(ask_by(&named.payout, &policy, now), with, "with a receipt, after {age:?}");
        assert_eq!(ask_by(&unnamed.payout, &policy, now), without, "without, after {age:?}");
        let mut asked = Life { now, ..named.clone() };
        asked.now = asked.now.max(asked.inquiry().ask_at);
        assert_eq!(asked.sees(&Event::InquirySent), "unknown");
        assert_eq!(Some(asked.last().by), with, "after {age:?}");
        assert_eq!(asked.inquiry().told, Some(receipt("QK1")), "it is still known");
    }
    let mut life = Life { now: BEGIN.after(15 * DAY), ..unnamed };
    let questions = life.tries().questions;
    assert_eq!(life.sees(&Event::InquirySent), "unknown");
    assert_eq!(life.cases, [CaseKind::StillUnknown], "a person is called, once");
    assert_eq!(life.tries().questions, questions, "and M-Pesa is not asked");
    life.now = life.inquiry().ask_at;
    assert_eq!(life.sees(&Event::InquirySent), "TooOldToAsk");
    assert_eq!(life.cases, [CaseKind::StillUnknown]);
    assert_eq!(life.sees(&Event::AskWanted), "TooOldToAsk");
    life.now = BEGIN.after(15 * DAY - MS);
    assert_eq!(life.sees(&Event::AskWanted), "unknown");
    assert_eq!(ask_by(&Life::queued().payout, &policy, BEGIN), None, "it is not in doubt");
}

#[test]
fn its_age_begins_with_the_first_send_that_mpesa_may_know() {
    let mut life = Life::queued();
    assert_eq!(life.tries().sent_at, None);
    life.sends();
    assert_eq!(life.tries().sent_at, Some(BEGIN), "set by the first send");
    let nothing = Event::NothingSent { attempt: 1, why: WhyNothingSent::Connect };
    assert_eq!(life.sees(&nothing), "queued");
    assert_eq!(life.tries().sent_at, None, "forgotten: not one byte left");
    life.waits(DAY);
    life.sends();
    assert_eq!(life.tries().sent_at, Some(BEGIN.after(DAY)));
    assert_eq!(life.answered("100000002"), "queued");
    assert_eq!(life.tries().sent_at, None, "forgotten: M-Pesa was too busy to take it");
    life.waits(DAY);
    life.sends();
    let third = BEGIN.after(2 * DAY);
    life.loses_the_answer();
    assert_eq!(life.tries().sent_at, Some(third));
    life.waits(HOUR);
    let nth = life.asks();
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "queued");
    assert_eq!(life.tries().sent_at, Some(third), "kept: an earlier send was in doubt");
    life.sends();
    let nothing = Event::NothingSent { attempt: 4, why: WhyNothingSent::Connect };
    assert_eq!(life.sees(&nothing), "queued");
    assert_eq!(life.tries().sent_at, Some(third), "and kept");
    life.waits(HOUR);
    life.sends();
    life.loses_the_answer();
    assert_eq!(life.tries().sent_at, Some(third));
    assert_eq!(ask_by(&life.payout, &Policy::default(), third.after(15 * DAY)), None);
}

#[test]
fn what_was_never_sent_is_as_old_as_the_payout() {
    let mut life = Life::queued();
    life.waits(DAY);
    assert_eq!(life.sees(&result("1")), "unknown");
    assert_eq!(life.tries(), Tries::NONE);
    assert_eq!(
        ask_by(&life.payout, &Policy::default(), BEGIN.after(15 * DAY - MS)),
        Some(AskBy::Name)
    );
    assert_eq!(ask_by(&life.payout, &Policy::default(), BEGIN.after(15 * DAY)), None);
}
