//! The narrow places: what closes, moves, lapses or panics between a decision and its send.

use std::sync::Arc;
use std::time::Duration;

use crate::support::house::{APP, House, incoming, paid, phone, result};
use crate::support::rail::{BUSY, SILENCE, ScriptedRail, TAKEN, UNREACHABLE, What, about};
use crate::support::store::{Trouble, TroubledStore};
use crate::support::{BEGIN, millis, secs};
use mlango::domain::id::PayoutId;
use mlango::domain::limit::AmountLimits;
use mlango::domain::money::Amount;
use mlango::domain::payout::{Event, Payout, Rail, State, Status, TransactionStatus, Tries};
use mlango::engine::{Heard, Hearing, Incoming, Settings};
use mlango::store::{Channel, Commit, PayoutWrite, Store};

/// An answer that leaves a payout in doubt without slowing the rail.
const STRANGE: What = What::Code("no-such-code");

async fn in_doubt(house: &House, phone: &str) -> PayoutId {
    house.rail.script(phone, [STRANGE.now()]);
    let id = house.submit(phone).await;
    house.until(id, Status::Unknown).await;
    id
}

async fn tries(house: &House, id: PayoutId) -> Tries {
    match house.payout(id).await.state {
        State::Queued { tries, .. } | State::Unknown { tries, .. } => tries,
        State::AwaitingApproval { .. }
        | State::Sending { .. }
        | State::Accepted { .. }
        | State::Succeeded { .. }
        | State::Failed { .. }
        | State::Cancelled { .. } => panic!("it is over, or under way"),
    }
}

// ------------------------------------------------------- between the decision and the first byte

#[tokio::test(start_paused = true)]
async fn what_is_written_down_while_the_rail_is_stopped_or_paused_does_not_go() {
    for refused in [true, false] {
        let house = House::open().await;
        let accepted = house.submit(&phone(9)).await;
        house.until(accepted, Status::Accepted).await;
        house.store.plan("payout.sending", 1, Trouble::Slow(secs(5)));
        let id = house.submit(&phone(0)).await;
        tokio::time::sleep(secs(1)).await;
        if refused {
            house.result(accepted, result("2001")).await;
        } else {
            let paused = house.engine.pause_rail(Rail::Soap, "Wanjiru", "month end");
            paused.await.expect("written");
        }
        tokio::time::sleep(secs(60)).await;
        assert_eq!(house.status(id).await, Status::Queued);
        assert_eq!(tries(&house, id).await.attempts, 1, "it was begun, and nothing left");
        assert_eq!(house.rail.sent_to(&phone(0)), 0);
        house.engine.resume_rail(Rail::Soap, "Wanjiru").await.expect("written");
        house.until(id, Status::Accepted).await;
        house.is_in_order().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_written_down_while_the_rail_is_stopped_does_not_go() {
    let house = House::open().await;
    let accepted = house.submit(&phone(9)).await;
    house.until(accepted, Status::Accepted).await;
    house.store.plan("payout.inquired", 1, Trouble::Slow(secs(5)));
    let id = in_doubt(&house, &phone(0)).await;
    tokio::time::sleep(secs(6)).await;
    house.result(accepted, result("2001")).await;
    tokio::time::sleep(secs(60)).await;
    assert_eq!(house.rail.questions().len(), 0);
    assert_eq!(tries(&house, id).await.questions, 1, "it was begun, and nothing left");
    house.engine.resume_rail(Rail::Soap, "Wanjiru").await.expect("written");
    house.until_asked(1).await;
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_goes_only_under_the_number_that_is_on_the_disk() {
    let house = House::new();
    house.rail.script(&phone(0), [STRANGE.now()]);
    let id = house.submit(&phone(0)).await;
    let store = Arc::clone(&house.store);
    // Between the decision and its commit the payout moves: somebody else has put a question.
    house.rail.while_preparing_a_question(move || {
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            runtime.expect("a runtime").block_on(async {
                let stored = store.payout(id).await.expect("readable").expect("it is there");
                let mut state = stored.payout.state.clone();
                if let State::Unknown { tries, .. } = &mut state {
                    tries.questions += 1;
                }
                let payout = Payout { state, ..stored.payout };
                let write = PayoutWrite { payout, expected_version: stored.version };
                let commit = Commit { payouts: vec![write], ..Commit::default() };
                let _durable = store.commit(commit).await.expect("written");
            });
        });
        thread.join().expect("no panic");
    });
    house.start().await;
    house.until_asked(1).await;
    let name = house.payout(id).await.details.originator_conversation_id;
    // The first number is somebody's, the second was written and did not go.
    assert_eq!(house.rail.questions()[0].name, name.of_question(3).as_str());
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_send_that_could_outlast_its_lease_is_not_begun() {
    // A send takes a minute at most; its lease is a quarter of a minute longer.
    for (milliseconds, sends) in [(14_990, 1), (15_001, 0)] {
        let house = House::open().await;
        house.store.plan("payout.sending", 1, Trouble::Slow(millis(milliseconds)));
        let id = house.submit(&phone(0)).await;
        tokio::time::sleep(millis(milliseconds + 5)).await;
        assert_eq!(house.rail.sends().len(), sends, "written down within {milliseconds} ms");
        house.until(id, Status::Accepted).await;
        assert_eq!(house.rail.sends().len(), 1, "and if not, it goes anew");
        house.is_in_order().await;
    }
}

// --------------------------------------------------------------------------- what is under way

#[tokio::test(start_paused = true)]
async fn a_send_that_is_under_way_is_not_doubted_by_the_clock_alone() {
    let house = House::open().await;
    // Beyond its lease, as after the clock was set forward.
    house.rail.script(&phone(0), [TAKEN.after(secs(100))]);
    let id = house.submit(&phone(0)).await;
    tokio::time::sleep(secs(99)).await;
    assert_eq!(house.status(id).await, Status::Sending);
    house.until(id, Status::Accepted).await;
    assert_eq!(house.history(id).await, ["queued", "sending", "accepted"]);
}

#[tokio::test(start_paused = true)]
async fn a_timer_of_an_earlier_send_does_not_end_a_later_one() {
    let house = House::open().await;
    // Sends begin at 0, 1, 3, 7, 15, 31 and 63 seconds; the first one's lease ends at 75.
    let mut replies = vec![UNREACHABLE.now(); 6];
    replies.push(TAKEN.after(secs(30)));
    house.rail.script(&phone(0), replies);
    let id = house.submit(&phone(0)).await;
    tokio::time::sleep(secs(85)).await;
    assert_eq!(house.rail.sent_to(&phone(0)), 7);
    assert_eq!(house.status(id).await, Status::Sending, "it is under way");
    house.until(id, Status::Accepted).await;
    assert!(!house.history(id).await.contains(&"unknown".to_owned()));
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_due_when_the_clock_was_set_back_a_little_is_sent_all_the_same() {
    let store = TroubledStore::new();
    let rail = Arc::new(ScriptedRail::new(Arc::clone(&store), 1));
    let house = House::with_rail(store, Arc::default(), BEGIN, rail);
    house.start().await;
    house.rail.script(&phone(0), [UNREACHABLE.now()]);
    house.rail.script(&phone(1), [TAKEN.after(millis(600))]);
    let first = house.submit(&phone(0)).await;
    tokio::time::sleep(millis(500)).await;
    let second = house.submit(&phone(1)).await;
    // After a second both are due. One is sent, and the other waits for its place, when the clock
    // goes back: too little for the timer to look at everything anew.
    tokio::time::sleep(millis(700)).await;
    assert_eq!(house.status(second).await, Status::Sending);
    house.clock.set_back(1);
    tokio::time::sleep(secs(5)).await;
    assert_eq!(house.status(first).await, Status::Accepted);
    assert_eq!(house.status(second).await, Status::Accepted);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_overdue_until_the_clock_was_set_back_is_not_forgotten() {
    let house = House::open().await;
    let ids = [house.submit(&phone(0)).await, house.submit(&phone(1)).await];
    for id in ids {
        house.until(id, Status::Accepted).await;
    }
    // Both are overdue at once; while the first is written down the clock goes back.
    house.store.plan("payout.unknown", 1, Trouble::Slow(secs(3)));
    tokio::time::sleep(secs(121)).await;
    house.clock.set_back(10);
    tokio::time::sleep(secs(60)).await;
    for id in ids {
        assert_eq!(house.status(id).await, Status::Unknown);
    }
}

#[tokio::test(start_paused = true)]
async fn a_payout_whose_send_panics_is_looked_at_again_later() {
    let house = House::open().await;
    house.rail.while_preparing(|| panic!("a fault of ours, on purpose"));
    let id = house.submit(&phone(0)).await;
    tokio::time::sleep(secs(59)).await;
    assert_eq!(house.rail.sends().len(), 0, "not at once: it may be there still");
    house.until(id, Status::Accepted).await;
    assert_eq!(house.rail.sends().len(), 1);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_part_that_ends_unasked_is_told_and_one_that_was_stopped_is_not() {
    let house = House::open().await;
    house.drain().await;
    assert_eq!(house.rail_state().ended, None);

    let house = House::new();
    house.store.panic_on_page();
    house.start().await;
    tokio::time::sleep(secs(1)).await;
    let ended = house.rail_state().ended.expect("it has ended");
    assert!(ended.starts_with("the "), "{ended}");
    house.engine.resume_rail(Rail::Soap, "Wanjiru").await.expect("written");
    assert_eq!(house.rail_state().ended, Some(ended), "nobody can resume that");
}

// -------------------------------------------------------------------------------- how much goes

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_code_slows_the_rail_and_an_unknown_code_does_not() {
    for (code, few) in [("", true), ("no-such-code", false)] {
        let house = House::open().await;
        house.rail.otherwise(What::Code(code).now());
        for number in 0..100 {
            house.submit(&phone(number)).await;
        }
        tokio::time::sleep(secs(1)).await;
        let doubtful = house.store.counts().of(Status::Unknown);
        assert_eq!(doubtful < 40, few, "{code:?}: {doubtful}");
        assert_eq!(house.rail_state().busy > 0, few, "{code:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_message_that_mpesa_has_not_taken_is_not_waited_for() {
    let silent = [SILENCE, What::Code("100000000"), What::Code("17")];
    for reply in [BUSY, UNREACHABLE, What::Code("1005")].into_iter().chain(silent) {
        let store = TroubledStore::new();
        let rail = Arc::new(ScriptedRail::new(Arc::clone(&store), 8));
        let settings = Settings { first_result_wait: secs(600), ..House::settings() };
        let house = House::with_settings(store, Arc::default(), BEGIN, rail, settings);
        house.rail.script(&phone(0), [reply.clone().now()]);
        house.submit(&phone(0)).await;
        house.submit(&phone(1)).await;
        house.start().await;
        tokio::time::sleep(secs(10)).await;
        assert_eq!(house.rail.sends().len(), 2, "{reply:?}: the second is the trial now");
        assert!(!house.rail_state().proven, "{reply:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_engine_says_what_it_was_told() {
    let limits = AmountLimits { least: Amount::from_shillings(7), ..AmountLimits::default() };
    let store = TroubledStore::new();
    let rail = Arc::new(ScriptedRail::new(Arc::clone(&store), 8));
    let settings = Settings { limits, ..House::settings() };
    let house = House::with_settings(store, Arc::default(), BEGIN, rail, settings);
    assert_eq!(house.engine.limits(), limits);
    assert_eq!(house.engine.clock().now(), house.now());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_takes_nothing_is_not_read_again_and_again() {
    let house = House::open().await;
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Accepted).await;
    house.store.plan("payout.unknown", 10_000, Trouble::Full);
    tokio::time::sleep(secs(110)).await;
    let before = house.store.pages_read();
    tokio::time::sleep(secs(240)).await;
    assert!(house.store.struck() >= 2, "it is tried again");
    let read = house.store.pages_read() - before;
    assert!(read <= 5 * 6, "a few pages a minute, and not twice a second: {read}");
    house.store.calm();
    house.until(id, Status::Unknown).await;
}

// --------------------------------------------------------------------------------- what is kept

#[tokio::test(start_paused = true)]
async fn what_became_of_sends_and_questions_is_counted() {
    let house = House::open().await;
    // What a send comes to, and what it is counted as.
    let sends = [
        (TAKEN, "taken"),
        (What::Code("100000000"), "cached"),
        (BUSY, "busy"),
        (What::Code("1005"), "refused"),
        (STRANGE, "doubt"),
        (UNREACHABLE, "nothing_sent"),
        (SILENCE, "no_answer"),
    ];
    for (number, (what, _word)) in sends.iter().enumerate() {
        house.rail.script(&phone(number), [what.clone().now()]);
        house.submit(&phone(number)).await;
    }
    tokio::time::sleep(secs(60)).await;
    let id = in_doubt(&house, &phone(50)).await;
    tokio::time::sleep(secs(60)).await;
    let nth = tries(&house, id).await.questions;
    let status = |status| Some(crate::support::house::stands(status, "QK1"));
    house.told(id, nth, "17", None).await;
    house.told(id, nth, "49", None).await;
    house.told(id, nth, "0", status(TransactionStatus::InProgress)).await;
    house.told(id, nth, "0", status(TransactionStatus::Completed)).await;
    house.told(id, nth, "0", status(TransactionStatus::Declined)).await;
    // Other tests count, too: that each word is there is all that can be said.
    let text = mlango::telemetry::metric::render();
    for (_what, word) in sends {
        let line = format!("mlango_sends_total{{outcome=\"{word}\"}} ");
        assert!(text.contains(&line), "{line}\n{text}");
    }
    for word in ["answered", "unanswered", "not_found", "pending", "completed", "not_paid"] {
        let line = format!("mlango_inquiries_total{{outcome=\"{word}\"}} ");
        assert!(text.contains(&line), "{line}\n{text}");
    }
}

/// What the feed says of a payout: the last event's words and code.
async fn last_words(house: &House, id: PayoutId) -> (String, Option<String>) {
    let events = house.events(id).await;
    let event = &events.last().expect("an event").event;
    (event.says.clone(), event.code.clone())
}

fn words(says: &str, code: Option<&str>) -> (String, Option<String>) {
    (says.to_owned(), code.map(str::to_owned))
}

#[tokio::test(start_paused = true)]
async fn each_event_says_what_happened_and_with_which_code() {
    let house = House::open().await;
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Accepted).await;
    assert_eq!(last_words(&house, id).await, words("M-Pesa answered: says 0", Some("0")));
    let begun = house.events(id).await[1].event.clone();
    assert_eq!((begun.says.as_str(), begun.code), ("send 1 begins", None));
    house.until(id, Status::Unknown).await;
    let overdue = "the result is overdue; money may have moved";
    assert_eq!(last_words(&house, id).await, words(overdue, None));
    house.until_asked(1).await;
    let asked = "M-Pesa answered the question: says 0";
    assert_eq!(last_words(&house, id).await, words(asked, Some("0")));
    house.told(id, 1, "17", None).await;
    let told = "M-Pesa, asked about it, says: result 17";
    assert_eq!(last_words(&house, id).await, words(told, Some("17")));
    let pending = crate::support::house::stands(TransactionStatus::InProgress, "QK1");
    house.told(id, 1, "0", Some(pending)).await;
    let told = "M-Pesa, asked about it, says: in progress";
    assert_eq!(last_words(&house, id).await, words(told, Some("0")));
    house.rail.script(&about(&phone(0)), [UNREACHABLE.now()]);
    house.until_asked(2).await;
    let lost = "the question was not sent: the broker could not be connected to";
    assert_eq!(last_words(&house, id).await, words(lost, None));
    house.result(id, paid("QK1")).await;
    assert_eq!(last_words(&house, id).await, words("M-Pesa's result: result 0", Some("0")));
    let mut silent = paid("QK1");
    silent.description.clear();
    house.result(id, silent).await;
    assert_eq!(last_words(&house, id).await, words("M-Pesa's result: no words", Some("0")));
    let stopped = {
        let house = House::new();
        let id = house.submit(&phone(1)).await;
        house.engine.cancel(Some(APP), id).await.expect("it can be");
        last_words(&house, id).await
    };
    assert_eq!(stopped, words("cancel asked", None));
}

#[tokio::test(start_paused = true)]
async fn what_people_do_to_a_rail_or_a_case_is_in_the_feed() {
    let house = House::open().await;
    house.engine.pause_rail(Rail::Soap, "Wanjiru", "month end").await.expect("written");
    house.engine.resume_rail(Rail::Soap, "Otieno").await.expect("written");
    let unreadable = Heard::Unreadable("no XML".to_owned());
    house.engine.hear(incoming(), unreadable).await.expect("kept");
    let case = house.cases().await[0].id;
    let closed = house.engine.close_case(case, "Wanjiru", "a stray", "not ours").await;
    closed.expect("it is closed");
    let feed = house.store.events(0, 100).await.expect("readable");
    // Each has a record of whose act it was, in the same commit.
    let records = feed.iter().filter(|it| it.event.kind.starts_with("admin."));
    assert_eq!(records.count(), 3);
    let said: Vec<(String, String)> = feed
        .into_iter()
        .filter(|it| !it.event.kind.starts_with("admin."))
        .map(|it| (it.event.kind, it.event.says))
        .collect();
    let expected = [
        ("rail.paused", "paused by Wanjiru: month end".to_owned()),
        ("rail.resumed", "resumed by Otieno".to_owned()),
        ("case.closed", format!("{case} closed by Wanjiru: a stray")),
    ];
    let expected = expected.map(|(kind, says)| (kind.to_owned(), says));
    assert_eq!(said, expected);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_kept_under_the_channel_that_it_came_by() {
    let house = House::open().await;
    let id = in_doubt(&house, &phone(0)).await;
    house.until_asked(1).await;
    let name = house.payout(id).await.details.originator_conversation_id;
    let channels = [
        (name.of_question(1), Channel::Result, Channel::StatusResult),
        (name.of_question(1), Channel::QueueTimeout, Channel::QueueTimeout),
        (name.clone(), Channel::QueueTimeout, Channel::QueueTimeout),
        (name, Channel::Result, Channel::Result),
    ];
    for (name, came_by, kept_as) in channels {
        let event = if came_by == Channel::Result {
            Event::ResultArrived(result("17"))
        } else {
            Event::QueueTimedOut
        };
        let heard =
            Heard::Event { originator: Some(name.as_str().to_owned()), conversation: None, event };
        let message = Incoming { channel: came_by, ..incoming() };
        house.engine.hear(message, heard).await.expect("kept");
        let events = house.events(id).await;
        let message = events.last().expect("an event").event.messages[0];
        let message = house.store.message(message).await.expect("readable").expect("kept");
        assert_eq!(message.channel, kept_as, "{name} by {came_by:?}");
    }
}

#[test]
fn what_became_of_a_message_has_a_word() {
    let words = [
        (Hearing::Applied, "applied"),
        (Hearing::Noted, "noted"),
        (Hearing::Contradicted, "contradicted"),
        (Hearing::Unmatched, "unmatched"),
        (Hearing::Malformed, "malformed"),
    ];
    for (hearing, word) in words {
        assert_eq!(hearing.as_str(), word);
    }
}

#[tokio::test(start_paused = true)]
async fn how_long_payouts_took_is_known_once_one_is_settled() {
    let house = House::open().await;
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Accepted).await;
    house.result(id, paid("QK1")).await;
    let view = house.rail_view().await.expect("readable");
    let (half, most) = view.conclusive.expect("it is known");
    assert!(half <= most && most > Duration::ZERO, "{half:?} {most:?}");
}
