//! Doubt: M-Pesa is asked, its answers are heard, and payouts leave `unknown` by evidence only.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::support::house::{House, incoming, paid, phone, result, stands};
use crate::support::rail::{BUSY, SILENCE, ScriptedRail, TAKEN, UNREACHABLE, What, about};
use crate::support::store::{Trouble, TroubledStore};
use crate::support::{BEGIN, millis, secs};
use mlango::domain::id::PayoutId;
use mlango::domain::payout::{
    Doubt, Event, Inquiry, InquiryFacts, Rail, State, Status, TransactionStatus,
};
use mlango::engine::{Heard, Hearing};
use mlango::store::{Channel, Direction, Store};

/// An answer that leaves a payout in doubt without slowing the rail.
const STRANGE: What = What::Code("no-such-code");
/// M-Pesa knows no such transaction.
const NOT_FOUND: &str = "49";

/// A payout to `phone` that is in doubt from its answer on.
async fn in_doubt(house: &House, phone: &str) -> PayoutId {
    house.rail.script(phone, [STRANGE.now()]);
    let id = house.submit(phone).await;
    house.until(id, Status::Unknown).await;
    id
}

async fn inquiry(house: &House, id: PayoutId) -> Inquiry {
    let State::Unknown { inquiry, .. } = house.payout(id).await.state else {
        panic!("it is not in doubt");
    };
    inquiry
}

fn completed(receipt: &str) -> Option<InquiryFacts> {
    Some(stands(TransactionStatus::Completed, receipt))
}

#[tokio::test(start_paused = true)]
async fn an_overdue_payout_is_asked_about_and_settled_by_the_answer() {
    let house = House::open().await;
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Unknown).await;
    house.until_asked(1).await;
    let name = house.payout(id).await.details.originator_conversation_id;
    assert_eq!(house.rail.questions()[0].name, name.of_question(1).as_str());
    assert_eq!(house.told(id, 1, "0", completed("QK1")).await, Hearing::Applied);

    let history = ["queued", "sending", "accepted", "unknown", "inquired", "noted", "succeeded"];
    assert_eq!(house.history(id).await, history);
    // Each step of the question has its message.
    let expected = [
        (Direction::Out, Channel::StatusRequest),
        (Direction::In, Channel::StatusAnswer),
        (Direction::In, Channel::StatusResult),
    ];
    let events = house.events(id).await;
    for (event, expected) in events.iter().skip(4).zip(expected) {
        assert_eq!(event.event.messages.len(), 1, "{}", event.event.kind);
        let message = house.store.message(event.event.messages[0]).await.expect("readable");
        let message = message.expect("it is kept");
        assert_eq!((message.direction, message.channel), expected);
        assert_eq!(message.about, Some(id.into()));
        assert!(!message.body.is_empty());
    }
    assert_eq!(house.cases().await, []);
    tokio::time::sleep(secs(600)).await;
    assert_eq!(house.rail.questions().len(), 1, "what is settled is not asked about");
    assert_eq!(house.rail.sends().len(), 1);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn what_mpesa_declined_has_failed_and_what_it_never_had_is_sent_again_under_its_name() {
    let house = House::open().await;
    let declined = in_doubt(&house, &phone(0)).await;
    let lost = in_doubt(&house, &phone(1)).await;
    house.until_asked(2).await;
    let status = Some(stands(TransactionStatus::Declined, "QK1"));
    assert_eq!(house.told(declined, 1, "0", status).await, Hearing::Applied);
    assert_eq!(house.status(declined).await, Status::Failed);
    // So early, that it knows none proves nothing.
    assert_eq!(house.told(lost, 1, NOT_FOUND, None).await, Hearing::Noted);
    assert_eq!(house.status(lost).await, Status::Unknown);
    tokio::time::sleep(secs(1_200)).await;
    let nth = inquiry(&house, lost).await.last.expect("a question").nth;
    let hearing = house.told(lost, nth, NOT_FOUND, None).await;
    assert_eq!(hearing, Hearing::Applied, "put too early: put again now");
    assert_eq!(house.status(lost).await, Status::Unknown);
    tokio::time::sleep(secs(1)).await;
    let last = inquiry(&house, lost).await.last.expect("a question").nth;
    assert_eq!(last, nth + 1);
    assert_eq!(house.told(lost, last, NOT_FOUND, None).await, Hearing::Applied);
    house.until(lost, Status::Accepted).await;
    assert_eq!(house.rail.sent_to(&phone(1)), 2);
    let sends = house.rail.sends();
    let names: BTreeSet<&str> =
        sends.iter().filter(|send| send.phone == phone(1)).map(|send| send.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from([house.name(lost).await.as_str()]));
    // An old answer changes nothing now.
    assert_eq!(house.told(lost, nth, NOT_FOUND, None).await, Hearing::Noted);
    assert_eq!(house.result(lost, paid("QK2")).await, Hearing::Applied);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn questions_go_before_payouts_and_keep_to_the_rails_places() {
    let store = TroubledStore::new();
    let rail = Arc::new(ScriptedRail::new(Arc::clone(&store), 1));
    let house = House::with_rail(store, Arc::default(), BEGIN, rail);
    for number in 0..10 {
        house.rail.script(&phone(number), [STRANGE.now()]);
        house.submit(&phone(number)).await;
    }
    house.start().await;
    tokio::time::sleep(secs(1)).await;
    assert_eq!(house.store.counts().of(Status::Unknown), 10);
    house.rail.otherwise(TAKEN.after(secs(1)));
    for number in 10..70 {
        house.submit(&phone(number)).await;
    }
    house.until_asked(10).await;
    let (sends, questions) = (house.rail.sends(), house.rail.questions());
    let (first, last) = (questions[0].at, questions[9].at);
    let overtook = sends.iter().filter(|send| send.at > first && send.at < last).count();
    assert!(overtook <= 2, "{overtook} payouts went while questions waited");
    let before = sends.iter().filter(|send| send.at < first).count();
    assert!((12..=18).contains(&before), "until questions were due, payouts went: {before}");
    assert_eq!(house.rail.most_at_once(), 1);
    tokio::time::sleep(secs(100)).await;
    assert_eq!(house.rail.sends().len(), 70, "and all payouts go in the end");
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_without_an_answer_is_asked_again_by_the_schedule() {
    let house = House::open().await;
    house.rail.script(&about(&phone(0)), [SILENCE.now()]);
    let id = in_doubt(&house, &phone(0)).await;
    house.until_asked(2).await;
    let questions = house.rail.questions();
    let pause = questions[1].at.duration_since(questions[0].at);
    assert!((secs(30)..secs(32)).contains(&pause), "{pause:?}");
    assert_eq!(inquiry(&house, id).await.asked, 2, "it may have reached M-Pesa");
}

#[tokio::test(start_paused = true)]
async fn a_question_that_was_not_taken_is_put_again_soon_and_does_not_count() {
    for reply in [UNREACHABLE, BUSY] {
        let house = House::open().await;
        // The third one would come two minutes after the second.
        house.rail.script(&about(&phone(0)), [TAKEN.now(), reply.clone().now()]);
        let id = in_doubt(&house, &phone(0)).await;
        house.until_asked(2).await;
        assert_eq!(inquiry(&house, id).await.asked, 1, "{reply:?}");
        assert_eq!(house.rail_state().busy, 1, "{reply:?}: the rail slows down");
        house.until_asked(3).await;
        let questions = house.rail.questions();
        let pause = questions[2].at.duration_since(questions[1].at);
        assert!((secs(30)..secs(32)).contains(&pause), "{reply:?}: {pause:?}");
        let names: BTreeSet<&str> = questions.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names.len(), 3, "no number twice");
        assert_eq!(house.rail_state().busy, 0, "it took the third");
        house.is_in_order().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_question_goes_before_its_number_is_on_the_disk() {
    let house = House::open().await;
    house.store.plan("payout.inquired", 3, Trouble::Full);
    house.store.plan("payout.inquired", 1, Trouble::Conflict);
    house.store.plan("payout.inquired", 1, Trouble::Slow(secs(2)));
    let id = in_doubt(&house, &phone(0)).await;
    tokio::time::sleep(secs(7)).await;
    assert_eq!(house.rail.questions().len(), 0);
    tokio::time::sleep(secs(2)).await;
    assert_eq!(house.store.struck(), 5);
    assert_eq!(house.rail.questions().len(), 1);
    assert_eq!(inquiry(&house, id).await.asked, 1);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_that_the_store_may_have_written_goes_never_and_the_next_one_has_another_number()
{
    let house = House::open().await;
    house.store.plan("payout.inquired", 1, Trouble::WrittenYetBroken);
    let id = in_doubt(&house, &phone(0)).await;
    tokio::time::sleep(secs(30)).await;
    assert_eq!(house.rail.questions().len(), 0);
    house.until_asked(1).await;
    let name = house.payout(id).await.details.originator_conversation_id;
    assert_eq!(house.rail.questions()[0].name, name.of_question(2).as_str());
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn what_became_of_a_question_is_written_down_by_a_busy_store_too() {
    let house = House::open().await;
    let id = in_doubt(&house, &phone(0)).await;
    house.store.plan("payout.noted", 5, Trouble::Full);
    house.until_asked(1).await;
    tokio::time::sleep(secs(5)).await;
    assert_eq!(house.store.struck(), 5);
    assert_eq!(house.history(id).await.last().map(String::as_str), Some("noted"));
}

#[tokio::test(start_paused = true)]
async fn a_restart_forgets_no_questions_schedule() {
    let house = House::open().await;
    let id = in_doubt(&house, &phone(0)).await;
    house.until_asked(2).await;
    tokio::time::sleep(secs(20)).await;
    let before = inquiry(&house, id).await;
    assert_eq!(before.asked, 2);
    let house = house.restarted().await;
    tokio::time::sleep(millis(200)).await;
    assert_eq!(inquiry(&house, id).await, before, "nothing of it is lost");
    assert_eq!(house.rail.questions().len(), 0, "nothing is asked before its time");
    while house.now() < before.ask_at {
        assert_eq!(house.rail.questions().len(), 0);
        tokio::time::sleep(secs(1)).await;
    }
    house.until_asked(1).await;
    let late = house.now().since(before.ask_at);
    assert!(late < secs(2), "{late:?}");
    let name = house.payout(id).await.details.originator_conversation_id;
    assert_eq!(house.rail.questions()[0].name, name.of_question(3).as_str());
    // An answer to a question of the life before is heard as such.
    assert_eq!(house.told(id, 2, "0", completed("QK1")).await, Hearing::Noted, "overtaken");
    assert_eq!(house.told(id, 3, "0", completed("QK1")).await, Hearing::Applied);
}

#[tokio::test(start_paused = true)]
async fn a_restart_finds_more_in_doubt_than_a_page_holds() {
    let house = House::open().await;
    house.rail.otherwise(STRANGE.now());
    let many = mlango::store::PAGE_LEN_MAX + 20;
    for number in 0..many {
        house.submit(&phone(number)).await;
    }
    tokio::time::sleep(secs(1)).await;
    let house = house.restarted().await;
    house.until_asked(many).await;
    tokio::time::sleep(secs(10)).await;
    assert_eq!(house.rail.questions().len(), many);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_questions_result_counts_once_whenever_and_however_often_it_comes() {
    let house = House::open().await;
    let id = in_doubt(&house, &phone(0)).await;
    house.until_asked(2).await;
    // The first question was overtaken: an answer that names no payment is not believed.
    assert_eq!(house.told(id, 1, "0", completed("QK1")).await, Hearing::Noted);
    assert_eq!(house.told(id, 1, NOT_FOUND, None).await, Hearing::Noted);
    assert_eq!(house.status(id).await, Status::Unknown);
    // One that says whose it is counts all the same.
    let name = house.name(id).await;
    let named = |receipt| {
        completed(receipt).map(|it| InquiryFacts { originator: Some(name.clone()), ..it })
    };
    assert_eq!(house.told(id, 1, "0", named("QK1")).await, Hearing::Applied);
    assert_eq!(house.status(id).await, Status::Succeeded);
    for nth in [1, 2, 1] {
        assert_eq!(house.told(id, nth, "0", named("QK1")).await, Hearing::Noted, "again");
    }
    assert_eq!(house.result(id, paid("QK1")).await, Hearing::Noted, "its own result, late");
    assert_eq!(house.cases().await, []);
    assert_eq!(house.told(id, 2, "0", named("QK2")).await, Hearing::Contradicted);
    assert_eq!(house.told(id, 9, NOT_FOUND, None).await, Hearing::Noted, "it is paid");
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_paid_another_payout_is_not_believed_of_this_one() {
    let house = House::open().await;
    let first = house.submit(&phone(1)).await;
    house.until(first, Status::Accepted).await;
    house.result(first, paid("QK1")).await;
    let id = in_doubt(&house, &phone(0)).await;
    house.until_asked(1).await;
    assert_eq!(house.told(id, 1, "0", completed("QK1")).await, Hearing::Applied);
    assert_eq!(house.status(id).await, Status::Unknown);
    assert_eq!(house.cases().await.len(), 1);
    assert_eq!(house.told(id, 1, "0", completed("QK2")).await, Hearing::Applied);
    assert_eq!(house.status(id).await, Status::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_queue_timeout_under_a_questions_name_is_the_questions_and_not_the_payouts() {
    let house = House::open().await;
    let id = in_doubt(&house, &phone(0)).await;
    house.until_asked(2).await;
    let before = house.payout(id).await.state;
    let name = house.payout(id).await.details.originator_conversation_id;
    let heard = Heard::Event {
        originator: Some(name.of_question(2).as_str().to_owned()),
        conversation: None,
        event: Event::QueueTimedOut,
    };
    let hearing = house.engine.hear(incoming(), heard).await;
    assert_eq!(hearing, Ok(Hearing::Applied));
    let (
        State::Unknown { why: was, arrives_until: until, .. },
        State::Unknown { why, arrives_until, inquiry, .. },
    ) = (before, house.payout(id).await.state)
    else {
        panic!("it is in doubt");
    };
    assert_eq!((why, arrives_until), (was, until), "the payment is as doubtful as it was");
    assert_eq!(inquiry.asked, 1, "the question does not count");
    house.until_asked(3).await;
    assert_eq!(house.rail.questions()[2].name, name.of_question(3).as_str());
}

#[tokio::test(start_paused = true)]
async fn the_two_levels_of_an_answer_are_never_mistaken_for_each_other() {
    let house = House::open().await;
    let accepted = house.submit(&phone(0)).await;
    house.until(accepted, Status::Accepted).await;
    let name = house.name(accepted).await;
    // A status query's result under the payout's own name: its code is not the payment's.
    let pending = || Some(stands(TransactionStatus::InProgress, "QK1"));
    for facts in [paid("QK1"), result("1"), result("2001")] {
        let code = facts.code.clone();
        assert_eq!(house.told_under(&name, facts, pending()).await, Hearing::Noted, "{code}");
        assert_eq!(house.status(accepted).await, Status::Accepted, "{code}");
    }
    assert_eq!(house.rail_state().refused, None);
    // A result under a question's name: not the payment's either, with or without a status.
    let id = in_doubt(&house, &phone(1)).await;
    house.until_asked(1).await;
    let question = house.payout(id).await.details.originator_conversation_id.of_question(1);
    for facts in [paid("QK1"), result("1"), result("17")] {
        let code = facts.code.clone();
        let hearing = house.told_under(question.as_str(), facts.clone(), None).await;
        assert_eq!(hearing, Hearing::Noted, "{code}");
        let heard = Heard::Event {
            originator: Some(question.as_str().to_owned()),
            conversation: None,
            event: Event::ResultArrived(facts),
        };
        assert_eq!(house.engine.hear(incoming(), heard).await, Ok(Hearing::Noted), "{code}");
        assert_eq!(house.status(id).await, Status::Unknown, "{code}");
    }
    // The payment's own level counts whatever name it came under, if it says whose it is.
    let mut whole = stands(TransactionStatus::Completed, "QK7");
    whole.originator = Some(name.clone());
    assert_eq!(house.told_under(&name, result("0"), Some(whole)).await, Hearing::Applied);
    assert_eq!(house.status(accepted).await, Status::Succeeded);
    assert_eq!(house.cases().await, []);
}

#[tokio::test(start_paused = true)]
async fn a_question_about_another_payout_of_that_number_is_nobodys() {
    let house = House::open().await;
    let id = in_doubt(&house, &phone(0)).await;
    house.until_asked(1).await;
    let name = house.name(id).await;
    let foreign = name.replace("ExampleOrg", "AnotherOrg");
    let (head, letters) = foreign.rsplit_once('_').expect("a name");
    for stranger in [format!("{head}_q1_{letters}"), name.replace("_0", "_q01_0")] {
        let hearing = house.told_under(&stranger, result("0"), completed("QK1")).await;
        assert_eq!(hearing, Hearing::Unmatched, "{stranger}");
    }
    assert_eq!(house.status(id).await, Status::Unknown);
}

#[tokio::test(start_paused = true)]
async fn what_mpesa_would_not_find_any_more_is_not_asked_about() {
    let house = House::open().await;
    let id = in_doubt(&house, &phone(0)).await;
    let named = in_doubt(&house, &phone(1)).await;
    let mut other_amount = paid("QK1");
    other_amount.amount = Some(mlango::domain::money::Amount::from_shillings(15));
    house.result(named, other_amount).await;
    house.drain().await;
    let later = house.now().after(secs(16 * 86_400));
    let again = House::over(house.store, house.ids, later);
    again.start().await;
    tokio::time::sleep(secs(2 * 3_600)).await;
    let questions = again.rail.questions();
    assert!(!questions.is_empty());
    assert!(questions.iter().all(|it| it.phone == about(&phone(1))), "by its receipt only");
    assert_eq!(again.status(id).await, Status::Unknown, "it stays in doubt: a person must rule");
    let State::Unknown { why, .. } = again.payout(id).await.state else { panic!("in doubt") };
    assert_eq!(why, Doubt::Answer { code: "no-such-code".to_owned() });
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_holds_no_question_up() {
    let house = House::open().await;
    let id = in_doubt(&house, &phone(0)).await;
    house.clock.set_back(3 * 86_400);
    tokio::time::sleep(secs(5)).await;
    assert_eq!(house.rail.questions().len(), 1);
    assert_eq!(inquiry(&house, id).await.asked, 1);
}

#[tokio::test(start_paused = true)]
async fn a_paused_rail_asks_and_does_not_pay() {
    let house = House::open().await;
    let doubtful = in_doubt(&house, &phone(0)).await;
    house.engine.pause_rail(Rail::Soap, "Wanjiru", "month end").await.expect("written");
    let waiting = house.submit(&phone(1)).await;
    house.until_asked(3).await;
    assert_eq!(house.status(waiting).await, Status::Queued);
    assert_eq!(house.told(doubtful, 3, "0", completed("QK1")).await, Hearing::Applied);
    // Also after a restart.
    let house = house.restarted().await;
    tokio::time::sleep(secs(60)).await;
    assert_eq!(house.status(waiting).await, Status::Queued);
    let paused = house.rail_state().paused.expect("it is paused");
    assert_eq!((paused.by.as_str(), paused.reason.as_str()), ("Wanjiru", "month end"));
    house.engine.resume_rail(Rail::Soap, "Wanjiru").await.expect("written");
    house.until(waiting, Status::Accepted).await;
    assert_eq!(house.store.rails().await.expect("readable")[0].paused, None);
}
