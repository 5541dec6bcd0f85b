//! A payout's life in the engine: what happens, in which order, and what is kept of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::support::house::{APP, House, draft, incoming, paid, phone, result};
use crate::support::rail::{BUSY, SILENCE, TAKEN, UNREACHABLE, What};
use crate::support::secs;
use mlango::domain::money::Amount;
use mlango::domain::payout::{CaseKind, Event, State, Status};
use mlango::engine::{CancelError, Draft, Heard, Hearing, SubmitError};
use mlango::store::{Channel, Direction, Standing, Store};

#[tokio::test(start_paused = true)]
async fn a_payout_is_sent_accepted_and_paid_and_every_step_has_its_message() {
    let house = House::open().await;
    let id = house.submit("0722000111").await;
    house.until(id, Status::Accepted).await;
    assert_eq!(house.result(id, paid("QK1")).await, Hearing::Applied);

    assert_eq!(house.history(id).await, ["queued", "sending", "accepted", "succeeded"]);
    let events = house.events(id).await;
    let statuses: Vec<Standing> = events.iter().filter_map(|it| it.event.status).collect();
    let due = [Status::Queued, Status::Sending, Status::Accepted, Status::Succeeded];
    assert_eq!(statuses, due.map(Standing::Payout));
    let expected = [
        None,
        Some((Direction::Out, Channel::Request)),
        Some((Direction::In, Channel::Answer)),
        Some((Direction::In, Channel::Result)),
    ];
    for (event, expected) in events.iter().zip(expected) {
        assert_eq!(event.event.messages.len(), usize::from(expected.is_some()));
        for message in &event.event.messages {
            let message = house.store.message(*message).await.expect("readable");
            let message = message.expect("it is kept");
            assert_eq!(Some((message.direction, message.channel)), expected);
            assert_eq!(message.about, Some(id.into()));
            assert!(!message.body.is_empty());
        }
    }
    let payout = house.payout(id).await;
    assert_eq!(payout.state.receipt().map(ToString::to_string).as_deref(), Some("QK1"));
    assert_eq!(house.cases().await, []);
    assert_eq!(house.rail.sends().len(), 1);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_result_before_the_answer_settles_it_and_the_answer_changes_nothing() {
    let house = House::open().await;
    house.rail.script("254722000111", [TAKEN.after(secs(10))]);
    let id = house.submit("0722000111").await;
    house.until(id, Status::Sending).await;
    assert_eq!(house.result(id, paid("QK1")).await, Hearing::Applied);
    house.drain().await;
    assert_eq!(house.status(id).await, Status::Succeeded);
    assert_eq!(house.history(id).await, ["queued", "sending", "succeeded", "noted"]);
    assert_eq!(house.rail.sends().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_result_is_kept_and_changes_nothing() {
    let house = House::open().await;
    let id = house.submit("0722000111").await;
    house.until(id, Status::Accepted).await;
    house.result(id, paid("QK1")).await;
    let settled = house.payout(id).await.state;
    let messages = messages(&house).await;

    assert_eq!(house.result(id, paid("QK1")).await, Hearing::Noted);
    assert_eq!(messages_after(&house, messages).await, 1);
    assert_eq!(house.cases().await, []);

    // It was paid: that it is not, or under another receipt, or another amount, is for a person.
    let mut other_amount = paid("QK1");
    other_amount.amount = Some(Amount::from_shillings(15));
    for contradicting in [result("1"), paid("QK2"), other_amount] {
        assert_eq!(house.result(id, contradicting).await, Hearing::Contradicted);
    }
    assert_eq!(house.payout(id).await.state, settled);
    let kinds: Vec<CaseKind> = house.cases().await.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [CaseKind::Contradiction, CaseKind::Contradiction, CaseKind::Mismatch]);
    assert!(house.cases().await.iter().all(|it| it.messages.len() == 1));
    assert_eq!(messages_after(&house, messages).await, 4);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn an_overdue_result_is_doubt_and_a_late_one_still_settles_it() {
    let house = House::open().await;
    let id = house.submit("0722000111").await;
    house.until(id, Status::Accepted).await;
    let accepted_at = house.payout(id).await.updated_at;
    house.until(id, Status::Unknown).await;
    let doubtful_at = house.payout(id).await.updated_at;
    assert!(doubtful_at.since(accepted_at) >= secs(120));
    assert!(doubtful_at.since(accepted_at) < secs(122), "not much later");

    tokio::time::sleep(secs(4 * 3_600)).await;
    assert_eq!(house.status(id).await, Status::Unknown, "time settles nothing");
    assert_eq!(house.result(id, paid("QK1")).await, Hearing::Applied);
    let mut history = house.history(id).await;
    history.retain(|kind| kind != "inquired" && kind != "noted");
    assert_eq!(history, ["queued", "sending", "accepted", "unknown", "succeeded"]);
    assert_eq!(house.rail.sends().len(), 1);
    assert_eq!(house.rail.questions().len(), 6, "by the intervals, and once more after the last");
}

#[tokio::test(start_paused = true)]
async fn what_belongs_to_no_payout_or_cannot_be_read_is_kept_for_a_person() {
    let house = House::open().await;
    let id = house.submit("0722000111").await;
    house.until(id, Status::Accepted).await;
    let name = house.name(id).await;
    let foreign = name.replace("ExampleOrg", "AnotherOrg");
    let before = messages(&house).await;
    let events = house.events(id).await;

    let nobody = "600999_ExampleOrg_01hk53f02b0000000000000009".to_owned();
    for originator in [foreign, nobody, "999001_Elsewhere_1".to_owned()] {
        let heard = Heard::Event {
            originator: Some(originator),
            conversation: Some(format!("AG_{name}")),
            event: Event::ResultArrived(paid("QK1")),
        };
        let hearing = house.engine.hear(incoming(), heard).await;
        assert_eq!(hearing, Ok(Hearing::Unmatched));
    }
    let unreadable = Heard::Unreadable("no XML".to_owned());
    let hearing = house.engine.hear(incoming(), unreadable).await;
    assert_eq!(hearing, Ok(Hearing::Malformed));

    let cases = house.cases().await;
    let kinds: Vec<CaseKind> = cases.iter().map(|it| it.kind).collect();
    assert_eq!(kinds[..3], [CaseKind::Unmatched; 3]);
    assert_eq!(kinds[3..], [CaseKind::Malformed]);
    for case in &cases {
        let message = house.store.message(case.messages[0]).await.expect("read");
        assert_eq!(message.expect("it is kept").body, b"as it came");
    }
    assert_eq!(messages_after(&house, before).await, 4);
    assert_eq!(house.events(id).await, events, "the payout knows nothing of it");
}

#[tokio::test(start_paused = true)]
async fn a_result_that_names_only_the_conversation_finds_its_payout() {
    let house = House::open().await;
    let id = house.submit("0722000111").await;
    house.until(id, Status::Accepted).await;
    let heard = Heard::Event {
        originator: Some(" ".to_owned()),
        conversation: Some(format!("AG_{}", house.name(id).await)),
        event: Event::ResultArrived(paid("QK1")),
    };
    let hearing = house.engine.hear(incoming(), heard).await;
    assert_eq!(hearing, Ok(Hearing::Applied));
    assert_eq!(house.status(id).await, Status::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_final_and_a_result_after_it_is_for_a_person() {
    let house = House::open().await;
    house.rail.script("254722000111", [What::Code("100000005").now()]);
    let id = house.submit("0722000111").await;
    house.until(id, Status::Failed).await;
    let State::Failed { failure, .. } = house.payout(id).await.state else {
        panic!("it has failed");
    };
    assert_eq!(failure.code, "100000005");
    assert_eq!(house.result(id, paid("QK1")).await, Hearing::Contradicted);
    assert_eq!(house.status(id).await, Status::Failed);
    assert_eq!(house.cases().await.len(), 1);
    tokio::time::sleep(secs(1_800)).await;
    assert_eq!(house.rail.sends().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_took_nothing_goes_again_under_the_same_name_after_growing_pauses() {
    let house = House::open().await;
    let replies = [UNREACHABLE, UNREACHABLE, BUSY, BUSY, BUSY, UNREACHABLE, TAKEN];
    house.rail.script("254722000111", replies.iter().cloned().map(What::now));
    let id = house.submit("0722000111").await;
    house.until(id, Status::Accepted).await;

    let sends = house.rail.sends();
    assert_eq!(sends.len(), replies.len());
    let names: BTreeSet<&str> = sends.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, BTreeSet::from([house.name(id).await.as_str()]));
    let pauses: Vec<u64> =
        sends.windows(2).map(|two| two[1].at.duration_since(two[0].at).as_secs()).collect();
    // Each row of one kind doubles its pause; the other kind begins anew.
    for (pause, least) in pauses.iter().zip([1, 2, 1, 2, 4, 1]) {
        assert!(*pause >= least, "{pauses:?}");
    }
    assert_eq!(house.payout(id).await.state.attempts(), 7);
    let history = house.history(id).await;
    assert_eq!(history.iter().filter(|it| *it == "requeued").count(), 6);
    assert_eq!(house.result(id, paid("QK1")).await, Hearing::Applied);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_sent_is_never_sent_again() {
    let house = House::open().await;
    let doubtful = [
        SILENCE,
        What::Code(""),
        What::Code("no-such-code"),
        What::Code("100000000"),
        What::Code("15"),
    ];
    let mut ids = vec![];
    for (number, what) in doubtful.iter().enumerate() {
        house.rail.script(&phone(number), [what.clone().now()]);
        ids.push(house.submit(&phone(number)).await);
    }
    for id in &ids {
        house.until(*id, Status::Unknown).await;
    }
    tokio::time::sleep(secs(4 * 3_600)).await;
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(house.status(*id).await, Status::Unknown);
        assert_eq!(house.rail.sent_to(&phone(number)), 1);
    }
    // The result settles it, whenever it comes.
    assert_eq!(house.result(ids[0], result("2040")).await, Hearing::Applied);
    assert_eq!(house.status(ids[0]).await, Status::Failed);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_key_stands_for_one_payout_for_ever() {
    let house = House::open().await;
    let first = house.submit_as("K", [1; 32], "0722000111").await;
    let first = first.expect("it is taken");
    assert!(!first.replayed);
    let id = first.payout.details.id;
    house.until(id, Status::Accepted).await;
    house.result(id, paid("QK1")).await;
    tokio::time::sleep(secs(4 * 3_600)).await;

    let again = house.submit_as("K", [1; 32], "0722000111").await;
    let again = again.expect("it is answered");
    assert!(again.replayed);
    assert_eq!(again.payout, first.payout, "the very first answer");
    let other = house.submit_as("K", [2; 32], "0722000112").await;
    assert_eq!(other, Err(SubmitError::KeyReused));
    // Another application's key of the same name is another key.
    let theirs = mlango::domain::id::AppId::from_bytes([8; 16]);
    let draft: Draft = draft("0722000113");
    let theirs = house.engine.submit(theirs, "K", [3; 32], draft).await;
    assert!(!theirs.expect("it is taken").replayed);
    tokio::time::sleep(secs(60)).await;
    assert_eq!(house.rail.sends().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_requests_at_once_with_one_key_make_one_payout() {
    let house = Arc::new(House::open().await);
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let house = Arc::clone(&house);
        asked.spawn(async move { house.submit_as("K", [1; 32], "0722000111").await });
    }
    let answers: Vec<_> = asked.join_all().await;
    let answers: Vec<_> = answers.into_iter().map(|it| it.expect("taken")).collect();
    assert_eq!(answers.iter().filter(|it| !it.replayed).count(), 1);
    assert!(answers.windows(2).all(|two| two[0].payout == two[1].payout));
    assert_eq!(house.store.counts_all(), 1);
    house.until(answers[0].payout.details.id, Status::Accepted).await;
    assert_eq!(house.rail.sends().len(), 1);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_payout_can_be_stopped_until_it_is_sent_and_not_after() {
    // At rest: nothing is sent yet.
    let house = House::new();
    let id = house.submit("0722000111").await;
    let stranger = mlango::domain::id::AppId::from_bytes([8; 16]);
    let refused = house.engine.cancel(Some(stranger), id).await;
    assert_eq!(refused, Err(CancelError::NotFound), "it is not theirs");
    let cancelled = house.engine.cancel(Some(APP), id).await;
    assert_eq!(cancelled.expect("it can be").status(), Status::Cancelled);
    let again = house.engine.cancel(Some(APP), id).await;
    assert!(matches!(again, Err(CancelError::Refused(_, _))), "{again:?}");
    let sent = house.submit("0722000112").await;
    house.start().await;
    house.until(sent, Status::Accepted).await;
    let refused = house.engine.cancel(Some(APP), sent).await;
    assert!(matches!(refused, Err(CancelError::Refused(_, _))));
    assert_eq!(house.rail.sent_to("254722000111"), 0);
    assert_eq!(house.history(id).await, ["queued", "cancelled"]);
}

#[tokio::test(start_paused = true)]
async fn a_payout_that_is_stopped_while_its_send_is_prepared_leaves_no_trace_of_a_send() {
    let house = House::new();
    let id = house.submit("0722000111").await;
    let engine = Arc::clone(&house.engine);
    // Cancelled in the moment between "it is queued" and the commit of its send.
    house.rail.while_preparing(move || {
        let cancelled = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let runtime = runtime.expect("a runtime");
            runtime.block_on(async { engine.cancel(None, id).await })
        });
        cancelled.join().expect("no panic").expect("it can be");
    });
    house.start().await;
    tokio::time::sleep(secs(60)).await;
    assert_eq!(house.status(id).await, Status::Cancelled);
    assert_eq!(house.rail.sends().len(), 0);
    assert_eq!(
        house.history(id).await,
        ["queued", "cancelled"],
        "a request that never went is not in its history"
    );
    let kept = house.store.verify().await.expect("readable").messages;
    assert_eq!(kept, 0);
}

async fn messages(house: &House) -> u64 {
    house.store.verify().await.expect("readable").messages
}

async fn messages_after(house: &House, before: u64) -> u64 {
    messages(house).await.saturating_sub(before)
}

#[tokio::test(start_paused = true)]
async fn one_receipt_pays_one_payout() {
    let house = House::open().await;
    let first = house.submit("0722000111").await;
    let second = house.submit("0722000222").await;
    house.until(first, Status::Accepted).await;
    house.until(second, Status::Accepted).await;
    assert_eq!(house.result(first, paid("QK1")).await, Hearing::Applied);
    house.result(second, paid("QK1")).await;
    assert_eq!(house.status(first).await, Status::Succeeded);
    assert_eq!(house.status(second).await, Status::Unknown);
    let cases = house.cases().await;
    assert!(
        cases
            .iter()
            .any(|case| case.kind == CaseKind::Mismatch && case.about == Some(second.into()))
    );
    // Its own result, when that comes, settles it.
    assert_eq!(house.result(second, paid("QK2")).await, Hearing::Applied);
    assert_eq!(house.status(second).await, Status::Succeeded);
}
