//! "No such transaction": when it proves that M-Pesa has not got it, and what follows then.

use std::time::Duration;

use crate::life::{
    BEGIN, DAY, HOUR, Life, MINUTE, MS, NOT_FOUND, SECOND, answer, paid, receipt, result, stands,
    told,
};
use mlango::domain::payout::NotFoundRule::{Fail, Person, Resend};
use mlango::domain::payout::{
    AskBy, CaseKind, Doubt, Effect, Event, Failure, Inquiry, NOT_FOUND_ROUNDS_MAX, Notice,
    Question, Stage, State, Status, TransactionStatus, Verdict, WhyNothingSent,
};
use mlango::domain::time::Timestamp;

/// The number of the last question in the tables below.
const LAST: u32 = 7;
/// In doubt from its send on, and the request may arrive until then.
const WINDOW: Duration = Duration::from_secs(15 * 60);

/// In doubt since its send, with one question that was put so long after it.
fn asked_once(at: Duration, by: AskBy) -> Life {
    let mut life = Life::in_doubt();
    let State::Unknown { tries, inquiry, .. } = &mut life.payout.state else {
        panic!("it is in doubt");
    };
    tries.questions = LAST;
    let last = Some(Question { nth: LAST, at: BEGIN.after(at), by });
    let ask_at = BEGIN.after(at).after(HOUR);
    *inquiry = Inquiry { asked: 1, last, told: Some(receipt("QK1")), ..Inquiry::first_at(ask_at) };
    life.now = BEGIN.after(at).after(SECOND);
    life
}

#[test]
fn it_proves_something_only_of_the_last_question_by_name_in_its_time() {
    let (last, earlier, later) = (Some(LAST), Some(LAST - 1), Some(LAST + 1));
    // How long after the send the question was put; which one is answered; by what it asked; what
    // becomes of the payout.
    let table = [
        (WINDOW - MS, last, AskBy::Name, "unknown"),
        (WINDOW, last, AskBy::Name, "queued"),
        (WINDOW + MS, last, AskBy::Name, "queued"),
        (WINDOW, earlier, AskBy::Name, "noted"),
        (WINDOW, later, AskBy::Name, "noted"),
        (WINDOW, None, AskBy::Name, "noted"),
        (WINDOW, last, AskBy::Receipt, "noted"),
        (SECOND, earlier, AskBy::Name, "noted"),
        (SECOND, None, AskBy::Name, "noted"),
        (14 * DAY - MS, last, AskBy::Name, "queued"),
        (14 * DAY - MS, earlier, AskBy::Name, "noted"),
        (14 * DAY, last, AskBy::Name, "noted"),
        (15 * DAY, last, AskBy::Receipt, "noted"),
    ];
    for (at, nth, by, expected) in table {
        // No such transaction, no such receipt.
        for code in ["49", "2033"] {
            let mut life = asked_once(at, by);
            assert_eq!(life.sees(&told(nth, code)), expected, "{code} to {nth:?} {by:?} at {at:?}");
            assert_eq!(life.cases, []);
        }
        // Anything else that the query itself comes to proves nothing, ever.
        for code in ["1", "17", "48", "no-such-code", ""] {
            let mut life = asked_once(at, by);
            assert_eq!(life.sees(&told(nth, code)), "noted", "{code} to {nth:?} {by:?} at {at:?}");
        }
    }
}

#[test]
fn more_is_to_follow_is_not_yet_that_it_knows_none() {
    let mut life = asked_once(WINDOW, AskBy::Name);
    let Event::InquiryAnswered(mut answer) = told(LAST, NOT_FOUND) else { panic!("an answer") };
    answer.waiting = true;
    assert_eq!(life.sees(&Event::InquiryAnswered(answer)), "noted");
}

#[test]
fn said_too_early_the_question_is_put_again_when_it_can_no_longer_arrive() {
    // Seconds after the send: when the question was put, when it was answered, when the next one
    // was due; and when it is due now.
    let table = [
        (60, 61, 3_600, Some(900)),
        (60, 61, 901, Some(900)),
        (60, 61, 900, None),
        (60, 61, 300, None),
        (60, 1_200, 3_600, Some(1_200)),
        (60, 1_200, 1_200, None),
        (60, 1_200, 1_000, None),
    ];
    for (put, answered, due, expected) in table {
        let mut life = asked_once(Duration::from_secs(put), AskBy::Name);
        let seconds = |seconds| BEGIN.after(Duration::from_secs(seconds));
        let State::Unknown { inquiry, .. } = &mut life.payout.state else { panic!("in doubt") };
        inquiry.ask_at = seconds(due);
        let before = inquiry.clone();
        life.now = seconds(answered);
        let row = (put, answered, due);
        let verdict = life.happens(&told(LAST, NOT_FOUND));
        let Some(expected) = expected.map(seconds) else {
            assert!(matches!(verdict, Verdict::Noted(_)), "{row:?}: {verdict:?}");
            continue;
        };
        let Verdict::Moved { notice, effects, .. } = verdict else { panic!("{verdict:?}") };
        assert_eq!(notice, Notice::Noted);
        assert_eq!(effects, [Effect::Inquire { at: expected }], "{row:?}");
        assert_eq!(*life.inquiry(), Inquiry { ask_at: expected, ..before }, "{row:?}");
    }
}

#[test]
fn sent_again_it_keeps_its_name_and_its_counts_and_goes_at_once() {
    // It met a busy M-Pesa or a dead link twice before; what is counted then.
    for (is_busy, counts) in [(true, (2, 0)), (false, (0, 2))] {
        let mut life = Life::queued();
        for attempt in [1, 2] {
            life.sends();
            let dead = Event::NothingSent { attempt, why: WhyNothingSent::Connect };
            let took_nothing = if is_busy { life.answered("100000002") } else { life.sees(&dead) };
            assert_eq!(took_nothing, "queued");
            life.waits(MINUTE);
        }
        life.sends();
        life.loses_the_answer();
        let before = life.tries();
        assert_eq!((before.attempts, (before.busy, before.unreachable)), (3, counts));
        let name = life.payout.details.originator_conversation_id.clone();
        life.waits(HOUR);
        let nth = life.asks();
        let verdict = life.happens(&told(nth, NOT_FOUND));
        let Verdict::Moved { notice, effects, .. } = verdict else { panic!("{verdict:?}") };
        assert_eq!((notice, effects), (Notice::Requeued, vec![Effect::WakeAt(life.now)]));
        let after = life.tries();
        assert_eq!((after.attempts, after.busy, after.unreachable), (3, 0, 0));
        assert_eq!((after.not_found, after.questions), (1, 1));
        let stopped = life.sees(&Event::CancelAsked);
        assert_eq!(stopped, "SendingHasBegun", "M-Pesa may still have it");
        life.sends();
        assert_eq!(life.tries().attempts, 4);
        assert_eq!(life.payout.details.originator_conversation_id, name);
    }
}

#[test]
fn three_rounds_and_then_a_person_is_called_once() {
    let mut life = Life::sending();
    life.loses_the_answer();
    for round in 1..=NOT_FOUND_ROUNDS_MAX {
        life.waits(HOUR);
        let nth = life.asks();
        assert_eq!(nth, round, "no number twice, whatever the round");
        assert_eq!(life.sees(&told(nth, NOT_FOUND)), "queued", "round {round}");
        life.sends();
        life.loses_the_answer();
        assert_eq!(life.inquiry().asked, 0, "each doubt has a schedule of its own");
    }
    assert_eq!(life.tries().not_found, 3);
    life.waits(HOUR);
    let nth = life.asks();
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "unknown");
    assert_eq!(life.cases, [CaseKind::NotFound]);
    for _ in 0..10 {
        let nth = life.asks();
        assert_eq!(life.sees(&told(nth, NOT_FOUND)), "noted");
    }
    assert_eq!(life.cases, [CaseKind::NotFound], "once, also past the last interval");
    assert_eq!(life.tries().attempts, 4, "it is not sent again");
    // It is settled all the same, if M-Pesa finds it in the end.
    assert_eq!(life.sees(&result("0")), "succeeded");
}

#[test]
fn what_the_configuration_says_is_done_and_what_mpesa_has_spoken_of_is_for_a_person() {
    let code = || "17".to_owned();
    let silent = [
        Doubt::NoAnswer,
        Doubt::Answer { code: code() },
        Doubt::Cached,
        Doubt::QueueTimeout,
        Doubt::ResultOverdue,
        Doubt::AskedEarly,
        Doubt::LeaseLapsed,
    ];
    let spoken = [
        Doubt::Duplicate,
        Doubt::Result { code: code() },
        Doubt::Mismatch { what: "another phone was paid".to_owned() },
    ];
    let doubts = silent.into_iter().map(|why| (why, false));
    let doubts = doubts.chain(spoken.into_iter().map(|why| (why, true)));
    for (why, is_spoken) in doubts {
        let outcomes =
            [(Resend, Status::Queued), (Fail, Status::Failed), (Person, Status::Unknown)];
        for (rule, status) in outcomes {
            let mut life = Life::in_doubt_for(why.clone());
            life.policy.on_not_found = rule;
            life.policy.cached_window = life.policy.arrival_window;
            let nth = life.last().nth;
            life.happens(&told(nth, NOT_FOUND));
            let expected = if is_spoken { Status::Unknown } else { status };
            assert_eq!(life.payout.status(), expected, "{rule:?} after {why:?}");
            let called = expected == Status::Unknown;
            let cases: &[CaseKind] = if called { &[CaseKind::NotFound] } else { &[] };
            assert_eq!(life.cases, cases, "{rule:?} after {why:?}");
            if called {
                assert_eq!(*life.why(), why, "it is in doubt for the same reason");
                let nth = life.asks();
                assert_eq!(life.sees(&told(nth, NOT_FOUND)), "noted");
                assert_eq!(life.cases, [CaseKind::NotFound], "once");
            }
        }
    }
}

#[test]
fn what_was_never_sent_is_for_a_person_whatever_the_configuration_says() {
    for rule in [Resend, Fail, Person] {
        let mut life = Life::queued();
        life.policy.on_not_found = rule;
        life.policy.cached_window = life.policy.arrival_window;
        assert_eq!(life.sees(&result("1")), "unknown");
        assert_eq!(life.cases, [CaseKind::Contradiction]);
        // Without that word, too: nothing is known of a send.
        let State::Unknown { why, .. } = &mut life.payout.state else { panic!("in doubt") };
        *why = Doubt::NoAnswer;
        life.waits(DAY);
        let nth = life.asks();
        assert_eq!(life.sees(&told(nth, NOT_FOUND)), "unknown", "{rule:?}");
        assert_eq!(life.cases, [CaseKind::Contradiction, CaseKind::NotFound], "{rule:?}");
    }
}

#[test]
fn called_failed_it_says_who_said_so_and_that_it_may_be_tried_again() {
    let mut life = Life::in_doubt_for(Doubt::NoAnswer);
    life.policy.on_not_found = Fail;
    life.policy.cached_window = life.policy.arrival_window;
    let nth = life.last().nth;
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "failed");
    let State::Failed { failure, settled } = &life.payout.state else { panic!("it has failed") };
    let Failure { stage, code, retryable, .. } = failure;
    assert_eq!((*stage, code.as_str(), *retryable), (Stage::Inquiry, "not_found", true));
    assert_eq!((settled.attempts, settled.completed_at), (1, life.now));
}

/// What M-Pesa answered was not heard: it may have been that the broker holds the request. To send
/// it again under the same name is safe all the same; to call it failed is not.
#[test]
fn failed_waits_out_what_the_broker_may_hold_and_a_further_send_does_not() {
    let unheard = [Doubt::NoAnswer, Doubt::Answer { code: "17".to_owned() }, Doubt::LeaseLapsed];
    for why in unheard {
        let mut life = Life::in_doubt_for(why.clone());
        life.policy.on_not_found = Fail;
        life.policy.cached_window = 3 * DAY;
        let nth = life.last().nth;
        life.happens(&told(nth, NOT_FOUND));
        assert_eq!(life.payout.status(), Status::Unknown, "after {why:?}");
        let until = life.since().after(life.policy.cached_window);
        assert_eq!(life.cases, [], "nobody need be called yet");
        life.now = until.max(life.inquiry().ask_at);
        let nth = life.asks();
        life.happens(&told(nth, NOT_FOUND));
        assert_eq!(life.payout.status(), Status::Failed, "after {why:?}");
    }
    // It took the request: nothing of it is held.
    let mut life = Life::in_doubt_for(Doubt::ResultOverdue);
    life.policy.on_not_found = Fail;
    let nth = life.last().nth;
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "failed");
}

#[test]
fn a_refused_further_send_is_no_end_while_an_earlier_one_may_be_held() {
    let mut life = Life::in_doubt_for(Doubt::NoAnswer);
    life.policy.cached_window = 3 * DAY;
    let nth = life.last().nth;
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "queued");
    life.sends();
    assert_eq!(life.answered("1005"), "unknown");
    assert!(matches!(life.why(), Doubt::RefusedLater { code, .. } if code == "1005"));
    let mut paid_after_all = life.clone();
    assert_eq!(paid_after_all.sees(&result("0")), "succeeded");
    // "No such transaction" before the broker can have let go of it proves nothing.
    life.waits(HOUR);
    let nth = life.asks();
    life.happens(&told(nth, NOT_FOUND));
    assert_eq!(life.payout.status(), Status::Unknown);
    // After that it is what M-Pesa said it is: refused.
    let sent_at = life.tries().sent_at.expect("it was sent");
    life.now = sent_at.after(life.policy.cached_window).max(life.inquiry().ask_at);
    let nth = life.asks();
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "failed");
    let State::Failed { failure, .. } = &life.payout.state else { panic!("it has failed") };
    assert_eq!((failure.stage, failure.code.as_str()), (Stage::Request, "1005"));
}

#[test]
fn a_person_who_was_called_because_it_is_still_unknown_is_called_again_that_mpesa_knows_none() {
    let mut life = Life::in_doubt();
    life.policy.on_not_found = Person;
    for _ in 0..6 {
        life.asks();
    }
    assert_eq!(life.cases, [CaseKind::StillUnknown]);
    let nth = life.last().nth;
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "unknown");
    assert_eq!(life.cases, [CaseKind::StillUnknown, CaseKind::NotFound]);
}

#[test]
fn said_to_a_question_before_the_last_send_it_counts_for_nothing() {
    let mut life = Life::in_doubt_for(Doubt::NoAnswer);
    let old = life.last().nth;
    assert_eq!(life.sees(&told(old, NOT_FOUND)), "queued");
    assert_eq!(life.sees(&told(old, NOT_FOUND)), "noted", "said twice");
    life.sends();
    assert_eq!(life.sees(&told(old, NOT_FOUND)), "noted", "while it is sent again");
    let mut accepted = life.clone();
    assert_eq!(accepted.answered("0"), "accepted");
    assert_eq!(accepted.sees(&told(old, NOT_FOUND)), "noted", "when it is taken");
    life.loses_the_answer();
    life.waits(HOUR);
    assert_eq!(life.sees(&told(old, NOT_FOUND)), "noted", "when it is in doubt again");
    let new = life.asks();
    assert_eq!(life.sees(&told(old, NOT_FOUND)), "noted", "and asked about again");
    assert_eq!(life.sees(&told(new, NOT_FOUND)), "queued");
}

#[test]
fn a_question_that_was_overtaken_proves_nothing_and_the_next_one_does() {
    let mut life = Life::in_doubt();
    life.waits(HOUR);
    let first = life.asks();
    let second = life.asks();
    assert_eq!(life.sees(&told(first, NOT_FOUND)), "noted");
    assert_eq!(life.sees(&told(second, NOT_FOUND)), "queued");
}

#[test]
fn a_receipt_that_mpesa_does_not_find_either_proves_nothing() {
    let mut life = Life::in_doubt();
    assert_eq!(life.sees(&paid(15)), "unknown");
    life.waits(15 * DAY);
    let nth = life.asks();
    assert_eq!(life.last().by, AskBy::Receipt);
    for code in ["49", "2033"] {
        assert_eq!(life.sees(&told(nth, code)), "noted");
    }
    // What the receipt's payment is, counts only if it is said to be this one.
    let other = stands(nth, TransactionStatus::Completed, 1_500, None);
    assert_eq!(life.sees(&other), "noted");
    let name = life.payout.details.originator_conversation_id.as_str().to_owned();
    let ours = stands(nth, TransactionStatus::Completed, 1_500, Some(&name));
    assert_eq!(life.sees(&ours), "succeeded");
}

#[test]
fn to_be_sent_again_it_must_no_longer_arrive_and_to_be_failed_the_broker_must_not_hold_it_either() {
    let strange = Doubt::Answer { code: "17".to_owned() };
    // Why it is in doubt; how long after the doubt began a question must be put, to prove enough
    // to send it again, and to call it failed.
    let table = [
        (Doubt::NoAnswer, WINDOW, DAY),
        (strange, WINDOW, DAY),
        (Doubt::LeaseLapsed, WINDOW, DAY),
        (Doubt::QueueTimeout, WINDOW, WINDOW),
        (Doubt::ResultOverdue, WINDOW, DAY),
        (Doubt::AskedEarly, WINDOW, DAY),
    ];
    for (why, resend, fail) in table {
        for (rule, least) in [(Resend, resend), (Fail, fail)] {
            for (at, proves) in [(least - MS, false), (least, true)] {
                let mut life = asked_once(at, AskBy::Name);
                life.policy.on_not_found = rule;
                let State::Unknown { why: kept, .. } = &mut life.payout.state else {
                    panic!("it is in doubt");
                };
                *kept = why.clone();
                life.happens(&told(LAST, NOT_FOUND));
                let settled = life.payout.status() != Status::Unknown;
                assert_eq!(settled, proves, "{rule:?} after {why:?}, asked after {at:?}");
                let due = BEGIN.after(least).max(life.now);
                assert!(settled || life.inquiry().ask_at == due, "put again when it can prove it");
            }
        }
    }
}

/// Sent again after "no such transaction", an hour after the first send.
fn sent_again() -> Life {
    let mut life = Life::in_doubt();
    life.waits(HOUR);
    let nth = life.asks();
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "queued");
    life.sends();
    life
}

#[test]
fn a_further_send_that_is_refused_is_not_the_end_while_the_broker_may_hold_an_earlier_one() {
    let held_until = BEGIN.after(DAY);
    for (now, expected) in [(held_until, "failed"), (held_until.after(MS), "failed")] {
        let mut life = Life { now, ..sent_again() };
        assert_eq!(life.answered("1005"), expected);
    }
    let mut life = sent_again();
    life.now = Timestamp::from_millis(held_until.millis() - 1);
    assert_eq!(life.answered("1005"), "unknown");
    let why = life.why().clone();
    assert!(matches!(&why, Doubt::RefusedLater { code, .. } if code == "1005"), "{why:?}");
    // The earlier one may be paid yet.
    assert_eq!(life.clone().sees(&result("0")), "succeeded");

    let mut life = sent_again();
    assert_eq!(life.answered("1005"), "unknown");
    let nth = (1..=6).map(|_| life.asks()).last().expect("a question");
    assert!(life.inquiry().ask_at > held_until, "the next would come a day later");
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "unknown", "it proves nothing yet");
    assert_eq!(life.inquiry().ask_at, held_until, "and is put again when it does");
    let nth = life.asks();
    assert_eq!(life.sees(&told(nth, NOT_FOUND)), "failed");
    let State::Failed { failure, .. } = &life.payout.state else { panic!("it has failed") };
    let Failure { stage, code, description, retryable } = failure;
    assert_eq!((*stage, code.as_str()), (Stage::Request, "1005"), "as it was refused");
    assert_eq!((description.as_str(), *retryable), ("so it is", false));
    assert_eq!(life.cases, [CaseKind::StillUnknown]);
}

#[test]
fn a_wrong_credential_stops_the_rail_also_when_it_is_not_the_end_of_the_payout() {
    let mut life = sent_again();
    let refused = Event::Answered { attempt: 2, answer: answer("100000007") };
    let verdict = life.happens(&refused);
    let Verdict::Moved { effects, .. } = verdict else { panic!("{verdict:?}") };
    assert!(effects.contains(&Effect::StopRail { code: "100000007".to_owned() }), "{effects:?}");
    assert_eq!(life.payout.status(), Status::Unknown);
}

#[test]
fn a_busy_mpesa_is_waited_for_while_the_broker_may_hold_an_earlier_send() {
    let mut life = sent_again();
    for _ in 0..40 {
        assert_eq!(life.answered("100000002"), "queued");
        life.waits(MINUTE);
        life.sends();
    }
    assert_eq!(life.tries().busy, 40);
    life.now = BEGIN.after(DAY);
    assert_eq!(life.answered("100000002"), "failed");
}

/// It does not say which send it gave up on: after a further one it proves less.
#[test]
fn that_the_broker_gave_up_shortens_the_window_where_there_was_one_send() {
    let mut first = Life::sending();
    assert_eq!(first.answered("100000000"), "unknown");
    assert_eq!(first.arrives_until(), first.now.after(first.policy.cached_window));
    assert_eq!(first.sees(&Event::QueueTimedOut), "unknown");
    assert_eq!(first.arrives_until(), first.now.after(first.policy.arrival_window));

    let mut further = Life::in_doubt_for(Doubt::NoAnswer);
    let nth = further.last().nth;
    assert_eq!(further.sees(&told(nth, NOT_FOUND)), "queued");
    further.sends();
    let mut early = further.clone();
    assert_eq!(early.sees(&Event::QueueTimedOut), "unknown");
    assert_eq!(early.arrives_until(), early.now.after(early.policy.cached_window));
    assert_eq!(further.answered("100000000"), "unknown");
    let until = further.arrives_until();
    assert_eq!(until, further.now.after(further.policy.cached_window));
    assert_eq!(further.sees(&Event::QueueTimedOut), "unknown");
    assert_eq!(further.arrives_until(), until);
}

#[test]
fn that_mpesa_has_not_got_a_question_counts_once() {
    let mut life = Life::in_doubt();
    for _ in 0..3 {
        life.asks();
    }
    let nth = life.last().nth;
    let given_up = Event::InquiryNotSent { nth, why: None };
    assert_eq!(life.sees(&given_up), "unknown");
    assert_eq!(life.inquiry().asked, 2);
    assert_eq!(life.sees(&given_up), "noted");
    assert_eq!(life.inquiry().asked, 2);
}
