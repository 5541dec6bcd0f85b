//! What M-Pesa, its broker or a person says of a payout in doubt, and what is remembered of it.

use std::time::Duration;

use crate::life::{
    BEGIN, DAY, HOUR, Life, MINUTE, NOT_FOUND, SECOND, paid, receipt, result, stands, told,
};
use mlango::domain::id::ConversationId;
use mlango::domain::payout::{
    CaseKind, Doubt, Effect, Event, Notice, Ruling, Stage, State, Status, TransactionStatus,
    Verdict,
};

/// How long a request that went may still arrive.
const WINDOW: Duration = Duration::from_secs(15 * 60);

/// Something that happens to a payout, and what it comes to.
type Happening<'a> = &'a dyn Fn(&mut Life) -> String;

/// The name of every payout here.
fn name(life: &Life) -> String {
    life.payout.details.originator_conversation_id.as_str().to_owned()
}

// ------------------------------------------------------------------------- until when it arrives

#[test]
fn a_request_that_the_broker_holds_may_arrive_for_a_day_and_one_that_it_gave_up_for_a_while() {
    // How it came into doubt, and until when its request may arrive.
    let given_up = |life: &mut Life| life.sees(&Event::QueueTimedOut);
    let table: [(&str, Happening<'_>, Duration); 6] = [
        ("held", &|life| life.answered("100000000"), DAY),
        ("unknown code", &|life| life.answered("no-such-code"), WINDOW),
        ("duplicate", &|life| life.answered("15"), WINDOW),
        ("given up while it was sent", &given_up, WINDOW),
        ("doubtful result", &|life| life.sees(&result("17")), WINDOW),
        ("another amount", &|life| life.sees(&paid(15)), WINDOW),
    ];
    for (name, happens, window) in table {
        let mut life = Life::sending();
        life.waits(SECOND);
        assert_eq!(happens(&mut life), "unknown", "{name}");
        assert_eq!(life.arrives_until(), life.now.after(window), "{name}");
        assert_eq!(life.inquiry().ask_at, life.now.after(5 * SECOND), "{name}");
    }
}

#[test]
fn when_the_broker_gives_up_what_it_held_it_may_arrive_for_a_while_only() {
    let mut life = Life::sending();
    assert_eq!(life.answered("100000000"), "unknown");
    life.waits(HOUR);
    let nth = life.asks();
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "noted", "it may come any moment of a day");
    let since = BEGIN;
    life.waits(SECOND);
    let verdict = life.happens(&Event::QueueTimedOut);
    let Verdict::Moved { notice, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!((notice, life.why()), (Notice::Unknown, &Doubt::QueueTimeout));
    assert_eq!(life.arrives_until(), life.now.after(WINDOW));
    assert_eq!(life.inquiry().ask_at, life.now.after(5 * SECOND), "asked soon");
    let State::Unknown { since: kept, conversation, .. } = &life.payout.state else {
        panic!("it is in doubt");
    };
    assert_eq!((*kept, conversation), (since, &ConversationId::new("AG_20240102_1")));
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "noted", "said to the question before that");
    assert_eq!(life.sees(&Event::QueueTimedOut), "noted", "said twice");
    life.waits(WINDOW);
    let nth = life.asks();
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "queued");
}

#[test]
fn that_the_broker_gave_up_never_puts_a_question_off() {
    let mut life = Life::sending();
    assert_eq!(life.answered("100000000"), "unknown");
    let due = life.inquiry().ask_at;
    life.waits(SECOND);
    assert_eq!(life.sees(&Event::QueueTimedOut), "unknown");
    assert_eq!(life.inquiry().ask_at, due);
}

#[test]
fn that_the_broker_holds_it_learned_late_it_may_arrive_later() {
    let mut life = Life::sending();
    assert_eq!(life.sees(&Event::QueueTimedOut), "unknown");
    life.waits(HOUR);
    let nth = life.asks();
    let verdict =
        life.happens(&Event::Answered { attempt: 1, answer: crate::life::answer("100000000") });
    let Verdict::Moved { notice, effects, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!((notice, effects), (Notice::Noted, vec![]));
    assert_eq!((life.why(), life.arrives_until()), (&Doubt::Cached, life.now.after(DAY)));
    assert_eq!(life.last().nth, nth, "what was asked is not forgotten");
    // Before that it would have been proof, and the payout would have been sent twice.
    assert_ne!(life.sees(&told(nth, NOT_FOUND)), "queued");
    let held_until = life.arrives_until();
    assert_eq!(life.answered("100000000"), "noted", "in the same moment it says nothing new");
    assert_eq!(life.arrives_until(), held_until);
}

#[test]
fn an_answer_of_an_earlier_send_or_one_that_refuses_teaches_nothing() {
    let mut life = Life::in_doubt_for(Doubt::NoAnswer);
    let nth = life.last().nth;
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "queued");
    life.sends();
    life.loses_the_answer();
    let before = life.payout.clone();
    let earlier = Event::Answered { attempt: 1, answer: crate::life::answer("100000000") };
    assert_eq!(life.sees(&earlier), "noted");
    assert_eq!(life.answered("100000002"), "noted", "too busy");
    assert_eq!(life.answered("1005"), "noted", "refused");
    assert_eq!(life.payout, before);
    assert_eq!(life.answered("0"), "unknown", "taken: M-Pesa's name for it is learned");
    let learned = life.payout.state.conversation().cloned();
    assert_eq!(learned, ConversationId::new("AG_20240102_1"));
    let mut other = crate::life::answer("0");
    other.conversation = ConversationId::new("AG_other");
    assert_eq!(life.sees(&Event::Answered { attempt: 2, answer: other }), "noted");
    assert_eq!(life.payout.state.conversation().cloned(), learned, "and kept");
}

// --------------------------------------------------------------------------- what does not fit

#[test]
fn the_same_mismatch_told_again_and_again_is_one_case() {
    let mut life = Life::in_doubt();
    assert_eq!(life.sees(&paid(15)), "unknown");
    assert_eq!(life.cases, [CaseKind::Mismatch]);
    let once = life.payout.clone();
    for _ in 0..5 {
        assert_eq!(life.sees(&paid(15)), "noted");
    }
    assert_eq!(life.payout, once);
    let nth = life.asks();
    let told_again = stands(nth, TransactionStatus::Completed, 15, None);
    assert_eq!(life.sees(&told_again), "noted", "also when M-Pesa is asked");
    assert_eq!(life.cases, [CaseKind::Mismatch]);
    assert_eq!(life.sees(&paid(16)), "unknown", "another one is another case");
    assert_eq!(life.cases, [CaseKind::Mismatch, CaseKind::Mismatch]);
    assert_eq!(life.sees(&paid(1_500)), "succeeded", "and what fits settles it");
}

#[test]
fn a_status_settles_it_only_if_it_is_said_to_be_of_this_payment() {
    use TransactionStatus::{Cancelled, Completed, Declined, Expired, InProgress, Other};
    let (ours, theirs) = (Some("ours"), Some("600999_ExampleOrg_another"));
    // Which question it answers (0 is the last one), whose payment it names, what it says.
    let table = [
        (0, ours, Completed, "succeeded"),
        (0, None, Completed, "succeeded"),
        (0, theirs, Completed, "unknown"),
        (1, ours, Completed, "succeeded"),
        (1, None, Completed, "noted"),
        (1, theirs, Completed, "noted"),
        (0, ours, Declined, "failed"),
        (0, None, Declined, "failed"),
        (0, theirs, Declined, "noted"),
        (1, ours, Declined, "failed"),
        (1, None, Declined, "noted"),
        (0, None, Cancelled, "failed"),
        (0, None, Expired, "failed"),
        (0, None, InProgress, "noted"),
        (0, ours, InProgress, "noted"),
        (0, None, Other("Reversed".to_owned()), "noted"),
    ];
    for (before_last, whose, status, expected) in table {
        let mut life = Life::in_doubt();
        life.asks();
        let nth = life.asks() - before_last;
        let ours = name(&life);
        let whose = whose.map(|whose| if whose == "ours" { ours.as_str() } else { whose });
        let row = format!("{status:?} of {whose:?}, {before_last} before the last");
        let word = status.word().to_owned();
        assert_eq!(life.sees(&stands(nth, status, 1_500, whose)), expected, "{row}");
        let cases: &[CaseKind] = if expected == "unknown" { &[CaseKind::Mismatch] } else { &[] };
        assert_eq!(life.cases, cases, "{row}");
        if let State::Failed { failure, .. } = &life.payout.state {
            assert_eq!((failure.stage, failure.code.as_str()), (Stage::Inquiry, word.as_str()));
            assert!(failure.retryable);
        }
    }
}

// ------------------------------------------------------------------- what M-Pesa has spoken of

/// A doubtful word of M-Pesa's own, and the doubt that it makes.
fn doubtful_words() -> [(&'static str, Doubt); 3] {
    let result = |code: &str| Doubt::Result { code: code.to_owned() };
    [("15", Doubt::Duplicate), ("17", result("17")), ("no-such-code", result("no-such-code"))]
}

#[test]
fn a_doubtful_result_is_remembered_also_when_the_payout_is_in_doubt_already() {
    for (code, why) in doubtful_words() {
        let mut life = Life::in_doubt_for(Doubt::NoAnswer);
        let nth = life.last().nth;
        assert_eq!(life.sees(&result(code)), "unknown", "{code}");
        assert_eq!(*life.why(), why, "{code}");
        assert_eq!(life.last().nth, nth, "what was asked is not forgotten");
        assert_eq!(life.sees(&result(code)), "noted", "{code}, twice");
        // It knew the payment: that it knows none now is a riddle, and no rule solves it.
        assert_eq!(life.sees(&told(nth, NOT_FOUND)), "unknown", "{code}");
        assert_eq!(life.cases, [CaseKind::NotFound], "{code}");
    }
}

#[test]
fn a_late_answer_that_mpesa_knew_the_id_before_is_remembered() {
    let mut life = Life::in_doubt_for(Doubt::QueueTimeout);
    assert_eq!(life.answered("15"), "unknown");
    assert_eq!(*life.why(), Doubt::Duplicate);
    let nth = life.last().nth;
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "unknown");
    assert_eq!(life.cases, [CaseKind::NotFound]);
}

#[test]
fn a_late_answer_does_not_make_forgotten_that_mpesa_has_spoken_of_it() {
    let mut words = doubtful_words().map(|(code, why)| (result(code), why)).to_vec();
    let what = "KES 15.00 was paid where KES 1500.00 was asked for".to_owned();
    words.push((paid(15), Doubt::Mismatch { what }));
    for (event, _why) in words {
        let mut life = Life::sending();
        assert_eq!(life.sees(&event), "unknown");
        let why = life.why().clone();
        assert_eq!(life.answered("100000000"), "unknown", "the broker holds it, it says");
        assert_eq!(*life.why(), why, "{event:?}");
        assert_eq!(life.arrives_until(), life.now.after(DAY), "and yet it may arrive");
        let cases = life.cases.len();
        life.waits(DAY);
        let nth = life.asks();
        assert_eq!(life.sees(&told(nth, NOT_FOUND)), "unknown", "{event:?}");
        assert_eq!(life.cases.len(), cases + 1, "a person");
        assert_eq!(life.tries().attempts, 1, "it is not sent again");
    }
}

// ------------------------------------------------------------------------------------ a person

#[test]
fn a_persons_ruling_settles_what_is_in_doubt_and_nothing_else() {
    let ruled = |receipt| {
        Event::Ruled(Ruling {
            by: "Wanjiru".to_owned(),
            receipt,
            reason: "statement of 2 January".to_owned(),
        })
    };
    let mut paid = Life::in_doubt();
    paid.waits(MINUTE);
    assert_eq!(paid.sees(&ruled(Some(receipt("QK7")))), "succeeded");
    let State::Succeeded { receipt: kept, settled, .. } = &paid.payout.state else {
        panic!("it is paid");
    };
    assert_eq!((kept, settled.completed_at), (&receipt("QK7"), paid.now));
    assert_eq!((settled.attempts, settled.mpesa_completed_at), (1, None));

    let mut unpaid = Life::in_doubt();
    assert_eq!(unpaid.sees(&ruled(None)), "failed");
    let State::Failed { failure, .. } = &unpaid.payout.state else { panic!("it has failed") };
    assert_eq!((failure.stage, failure.code.as_str()), (Stage::Inquiry, "ruled"));
    assert_eq!(failure.description, "statement of 2 January");

    let mut accepted = Life::sending();
    accepted.answered("0");
    for mut life in [Life::queued(), Life::sending(), accepted, paid, unpaid] {
        let before = life.payout.clone();
        for receipt in [None, Some(receipt("QK7"))] {
            assert_eq!(life.sees(&ruled(receipt)), "NotInDoubt");
        }
        assert_eq!(life.payout, before);
    }
}

#[test]
fn what_mpesa_says_after_a_ruling_is_compared_with_it() {
    let ruling = |receipt| {
        Event::Ruled(Ruling { by: "Wanjiru".to_owned(), receipt, reason: "statement".to_owned() })
    };
    // What was ruled, what M-Pesa's result says then, and what comes of it.
    let table = [
        (Some(receipt("QK1")), result("0"), "noted"),
        (Some(receipt("QK2")), result("0"), "case"),
        (Some(receipt("QK1")), result("1"), "case"),
        (None, result("0"), "case"),
        (None, result("1"), "noted"),
    ];
    for (receipt, event, expected) in table {
        let mut life = Life::in_doubt();
        life.happens(&ruling(receipt.clone()));
        let ruled = life.payout.clone();
        assert!(matches!(ruled.status(), Status::Succeeded | Status::Failed));
        assert_eq!(life.sees(&event), expected, "{receipt:?}: {event:?}");
        assert_eq!(life.payout, ruled, "law 3");
    }
}

#[test]
fn the_effects_of_a_doubt_are_to_ask_and_nothing_more() {
    let mut life = Life::sending();
    let lost = Event::NoAnswer { attempt: 1, why: mlango::domain::payout::WhyNoAnswer::Closed };
    let verdict = life.happens(&lost);
    let Verdict::Moved { notice, effects, .. } = verdict else { panic!("{verdict:?}") };
    assert_eq!(notice, Notice::Unknown);
    assert_eq!(effects, [Effect::Inquire { at: BEGIN.after(5 * SECOND) }]);
}
