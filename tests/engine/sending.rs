//! Sending: what goes when, how much at once, what stops it, and what a restart does.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::support::house::{House, PLACES, paid, phone, result};
use crate::support::rail::{BUSY, SILENCE, ScriptedRail, TAKEN, UNREACHABLE, What, about};
use crate::support::store::TroubledStore;
use crate::support::{BEGIN, millis, secs};
use mlango::clock::Clock;
use mlango::domain::id::{PayoutId, RunId};
use mlango::domain::outcome;
use mlango::domain::payout::{Doubt, Lease, Payout, Rail, State, Status, WhyNothingSent};
use mlango::engine::Hearing;
use mlango::store::{Commit, PAGE_LEN_MAX, PayoutQuery, PayoutWrite, Store};
use tokio_util::sync::CancellationToken;

/// The codes of a wrong credential in an answer and in a result.
const WRONG_CREDENTIAL: &str = "100000007";

#[test]
fn the_code_of_the_tests_below_is_a_wrong_credential() {
    assert!(outcome::answer(WRONG_CREDENTIAL).blame.stops_the_rail());
    assert!(outcome::result("2001").blame.stops_the_rail());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_credential_stops_the_rail_and_what_is_queued_stays_queued() {
    let house = House::open().await;
    // The first answer comes while seven more are under way and the ninth waits for a place.
    let refused = What::Code(WRONG_CREDENTIAL);
    house.rail.script(&phone(0), [refused.after(secs(10))]);
    house.rail.otherwise(TAKEN.after(secs(20)));
    let mut ids = vec![];
    for number in 0..PLACES + 12 {
        ids.push(house.submit(&phone(number)).await);
    }
    house.until(ids[0], Status::Failed).await;
    let code = house.rail_state().refused.map(|stop| stop.code);
    assert_eq!(code.as_deref(), Some(WRONG_CREDENTIAL));
    tokio::time::sleep(secs(600)).await;

    assert_eq!(house.rail.sends().len(), PLACES, "nothing went after it");
    let counts = house.store.counts();
    assert_eq!(counts.of(Status::Queued), 12);
    assert_eq!(counts.of(Status::Failed), 1);
    assert_eq!(counts.of(Status::Unknown), 7, "sent before; overdue by now");
    // What is taken meanwhile waits, too.
    let late = house.submit(&phone(99)).await;
    tokio::time::sleep(secs(600)).await;
    assert_eq!(house.status(late).await, Status::Queued);

    // A start alone does not lift it: the credential may be the same.
    house.drain().await;
    let again = House::over(house.store, house.ids, house.clock.now());
    again.start().await;
    tokio::time::sleep(secs(600)).await;
    assert_eq!((again.rail.sends().len(), again.rail.questions().len()), (0, 0));
    // A person who has mended it does: all go.
    again.engine.resume_rail(Rail::Soap, "Wanjiru").await.expect("it is written down");
    again.until(late, Status::Accepted).await;
    assert_eq!(again.rail.sends().len(), 13);
    again.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_not_to_the_schema_is_never_sent_and_fails_its_payout_alone() {
    let house = House::open().await;
    house.rail.object(&phone(0), Some("request/Transaction/Remark: too long"));
    let bad = house.submit(&phone(0)).await;
    let good = house.submit(&phone(1)).await;
    house.until(bad, Status::Failed).await;
    house.until(good, Status::Accepted).await;
    tokio::time::sleep(secs(3_600)).await;
    let sent: Vec<String> = house.rail.sends().into_iter().map(|send| send.phone).collect();
    assert_eq!(sent, [phone(1)], "not one byte of it left, then or later");
    let State::Failed { failure, settled } = house.payout(bad).await.state else {
        panic!("it failed");
    };
    assert_eq!((failure.code.as_str(), failure.retryable), ("not_to_schema", false));
    assert_eq!(failure.description, "request/Transaction/Remark: too long");
    assert_eq!(settled.attempts, 0, "no send began, so that none can be in doubt");
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_not_to_the_schema_leaves_its_payout_in_doubt_until_it_is() {
    let house = House::open().await;
    house.rail.script(&phone(0), [SILENCE.now()]);
    house.rail.object(&about(&phone(0)), Some("request/Transaction: as never before"));
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Unknown).await;
    tokio::time::sleep(secs(3_600)).await;
    assert_eq!(house.status(id).await, Status::Unknown);
    assert!(house.rail.questions().is_empty(), "not one was sent");
    house.rail.object(&about(&phone(0)), None);
    tokio::time::sleep(secs(3_600)).await;
    assert!(!house.rail.questions().is_empty(), "it is asked about as soon as it can be");
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_credential_stops_the_rail_although_its_answer_cannot_be_written_down() {
    let house = House::open().await;
    let refused = What::Code(WRONG_CREDENTIAL);
    house.rail.script(&phone(0), [refused.now()]);
    house.store.plan("payout.failed", 8, crate::support::store::Trouble::Full);
    let first = house.submit(&phone(0)).await;
    house.until(first, Status::Sending).await;
    let second = house.submit(&phone(1)).await;
    house.until(first, Status::Failed).await;
    tokio::time::sleep(secs(60)).await;
    assert_eq!(house.status(second).await, Status::Queued);
    assert_eq!(house.rail.sends().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_credential_in_a_result_stops_the_rail_too() {
    let house = House::open().await;
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Accepted).await;
    assert_eq!(house.result(id, result("2001")).await, Hearing::Applied);
    let next = house.submit(&phone(1)).await;
    tokio::time::sleep(secs(600)).await;
    assert_eq!(house.status(next).await, Status::Queued);
    assert_eq!(house.rail.sends().len(), 1);
}

/// A payout that waits for a place while the rail is paused must not keep the place from questions.
#[tokio::test(start_paused = true)]
async fn a_paused_line_gives_its_place_back_to_the_questions() {
    let store = TroubledStore::new();
    let one_place = Arc::new(ScriptedRail::new(Arc::clone(&store), 1));
    let house = House::with_rail(store, Arc::default(), BEGIN, one_place);
    house.start().await;
    house.rail.script(&phone(0), [SILENCE.after(secs(10))]);
    let first = house.submit(&phone(0)).await;
    house.until(first, Status::Sending).await;
    let second = house.submit(&phone(1)).await;
    tokio::time::sleep(secs(1)).await;
    let paused = house.engine.pause_rail(Rail::Soap, "Wanjiru", "month end").await;
    paused.expect("it is written down");
    house.until(first, Status::Unknown).await;
    tokio::time::sleep(secs(60)).await;
    assert!(!house.rail.questions().is_empty(), "the first is asked about");
    assert_eq!(house.status(second).await, Status::Queued);
    assert_eq!(house.rail.sends().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_busy_mpesa_is_given_pauses_in_which_nothing_is_sent() {
    let house = House::open().await;
    house.rail.script(&phone(0), [BUSY.now(), BUSY.now()]);
    let first = house.submit(&phone(0)).await;
    house.until(first, Status::Queued).await;
    tokio::time::sleep(millis(300)).await;
    let second = house.submit(&phone(1)).await;
    house.until(second, Status::Accepted).await;
    house.until(first, Status::Accepted).await;
    let sends = house.rail.sends();
    let pause = sends[1].at.duration_since(sends[0].at);
    assert!(pause >= secs(1), "whichever is sent next: {pause:?}");
    assert_eq!(house.rail_state().busy, 0, "full pace again");
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_link_goes_when_a_probe_finds_it_open_and_not_when_its_pause_is_over() {
    let house = House::open().await;
    house.rail.otherwise(UNREACHABLE.now());
    house.rail.close_the_way();
    let first = house.submit(&phone(0)).await;
    let stop = CancellationToken::new();
    let engine = Arc::clone(&house.engine);
    let probing = tokio::spawn({
        let stop = stop.clone();
        async move { engine.probe(Rail::Soap, secs(1), stop).await }
    });
    // Pauses of 1, 2, 4, 8, 16, 32 and 60 seconds: the seventh try was a moment ago.
    while house.rail.sends().len() < 7 {
        tokio::time::sleep(millis(100)).await;
    }
    tokio::time::sleep(millis(500)).await;
    let until = house.rail_state().slowed_until.expect("it is slowed");
    assert!(until.since(house.now()) > secs(30), "closed, it is left alone");
    let second = house.submit(&phone(1)).await;
    tokio::time::sleep(secs(5)).await;
    assert_eq!(house.status(second).await, Status::Queued, "a probe alone ends no pause");

    house.rail.otherwise(TAKEN.now());
    house.rail.open_the_way();
    tokio::time::sleep(secs(3)).await;
    assert_eq!(house.status(second).await, Status::Accepted, "it goes at once");
    house.until(first, Status::Accepted).await;
    assert_eq!(house.rail_state().busy, 0, "full pace again");
    stop.cancel();
    probing.await.expect("it ends");
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_busy_answers_is_one_pause_and_not_a_pause_for_each() {
    let house = House::open().await;
    for number in 0..PLACES {
        house.rail.script(&phone(number), [BUSY.after(secs(1))]);
        house.submit(&phone(number)).await;
    }
    tokio::time::sleep(millis(1_500)).await;
    assert_eq!(house.rail.sends().len(), PLACES);
    let state = house.rail_state();
    assert_eq!(state.busy, 1);
    let until = state.slowed_until.expect("it is slowed");
    assert!(until.since(house.now()) <= secs(1));
    tokio::time::sleep(secs(5)).await;
    assert_eq!(house.store.counts().of(Status::Accepted), 8);
}

#[tokio::test(start_paused = true)]
async fn a_dead_link_is_tried_now_and_then_and_not_by_every_payout() {
    // Without a token no link is any use either.
    for why in [UNREACHABLE, What::Nothing(WhyNothingSent::NoToken)] {
        a_dead_link_is_tried_now_and_then(why).await;
    }
}

async fn a_dead_link_is_tried_now_and_then(why: What) {
    let house = House::open().await;
    house.rail.otherwise(why.now());
    let mut last = None;
    for number in 0..200 {
        last = Some(house.submit(&phone(number)).await);
    }
    tokio::time::sleep(secs(4 * 3_600)).await;
    let tries = house.rail.sends().len();
    // At most a minute apart, and a few at once: what a round trip of the store lets through.
    assert!(tries >= 240, "it is tried again and again: {tries}");
    assert!(tries < 240 * 2 * PLACES, "but not by everybody: {tries}");
    assert_eq!(house.store.counts().of(Status::Queued), 200);

    house.rail.otherwise(TAKEN.now());
    tokio::time::sleep(secs(90)).await;
    assert_eq!(house.store.counts().of(Status::Accepted), 200);
    house.until(last.expect("one"), Status::Accepted).await;
    house.is_in_order().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn five_thousand_waiting_payouts_all_go_exactly_once() {
    let house = Arc::new(House::new());
    let mut asked = tokio::task::JoinSet::new();
    for part in 0..10 {
        let house = Arc::clone(&house);
        asked.spawn(async move {
            for number in part * 500..(part + 1) * 500 {
                let key = format!("key-{number}");
                let taken = house.submit_as(&key, [1; 32], &phone(number)).await;
                taken.expect("it is taken");
                // More than fit into memory wait before the first is sent, and more come later.
                if part == 0 && number == 250 {
                    house.start().await;
                }
            }
        });
    }
    asked.join_all().await;
    for _ in 0..1_200 {
        if house.store.counts().of(Status::Accepted) == 5_000 {
            break;
        }
        tokio::time::sleep(millis(50)).await;
    }
    assert_eq!(house.store.counts().of(Status::Accepted), 5_000);
    let mut by_phone: BTreeMap<String, usize> = BTreeMap::new();
    for send in house.rail.sends() {
        *by_phone.entry(send.phone).or_default() += 1;
    }
    assert_eq!(by_phone.len(), 5_000);
    assert!(by_phone.values().all(|times| *times == 1));
    assert!(house.rail.most_at_once() <= PLACES);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_into_memory_is_found_in_the_store() {
    let house = House::open().await;
    // Every place is held while more are taken than are held in memory.
    for number in 0..PLACES {
        house.rail.script(&phone(number), [TAKEN.after(secs(10))]);
        house.submit(&phone(number)).await;
    }
    house.until_at_once(PLACES).await;
    for number in PLACES..5_000 {
        house.submit(&phone(number)).await;
    }
    tokio::time::sleep(secs(60)).await;
    assert_eq!(house.store.counts().of(Status::Accepted), 5_000);
    assert_eq!(house.rail.sends().len(), 5_000);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn stopping_finishes_what_is_under_way_and_begins_nothing() {
    let house = House::open().await;
    house.rail.otherwise(TAKEN.after(secs(30)));
    for number in 0..PLACES + 5 {
        house.submit(&phone(number)).await;
    }
    tokio::time::sleep(secs(1)).await;
    assert_eq!(house.rail.at_once(), PLACES);
    house.drain().await;
    let counts = house.store.counts();
    assert_eq!(counts.of(Status::Accepted), 8, "written down");
    assert_eq!(counts.of(Status::Queued), 5);
    assert_eq!(house.rail.sends().len(), PLACES);
    // It still takes and hears, but sends nothing.
    let id = house.submit(&phone(50)).await;
    tokio::time::sleep(secs(60)).await;
    assert_eq!(house.status(id).await, Status::Queued);
}

#[tokio::test(start_paused = true)]
async fn a_restart_puts_everything_in_its_right_state_and_sends_nothing_twice() {
    let house = House::open().await;
    house.rail.script(&phone(1), [SILENCE.now()]);
    house.rail.script(&phone(2), [UNREACHABLE.now()]);
    let accepted = house.submit(&phone(0)).await;
    let unknown = house.submit(&phone(1)).await;
    house.until(accepted, Status::Accepted).await;
    house.until(unknown, Status::Unknown).await;
    let requeued = house.submit(&phone(2)).await;
    tokio::time::sleep(millis(100)).await;
    house.drain().await;
    let queued = house.submit(&phone(3)).await;
    let sending = house.submit(&phone(4)).await;
    let lease = dies_while_sending(&house, sending).await;
    assert!(lease.until > house.now(), "long before its lease ends");

    let overdue_at = house.payout(accepted).await.state.wakes_at();
    let again = House::over(house.store, house.ids, house.clock.now());
    let rescued = again.engine.start(&again.tasks, &again.stop).await;
    let rescued = rescued.expect("the store can be read");
    assert_eq!((rescued.lapsed, rescued.awaited, rescued.queued), (1, 1, 2));
    assert_eq!(again.status(sending).await, Status::Unknown, "at once");
    let State::Unknown { why, .. } = again.payout(sending).await.state else {
        panic!("it is in doubt");
    };
    assert_eq!(why, Doubt::LeaseLapsed);
    again.until(queued, Status::Accepted).await;
    again.until(requeued, Status::Accepted).await;
    assert_eq!(again.rail.sends().len(), 2, "these two and nothing else");
    again.until(accepted, Status::Unknown).await;
    let doubted_at = again.payout(accepted).await.updated_at;
    let late = doubted_at.since(overdue_at.expect("an end"));
    assert!(late < secs(1), "its timer went on: {late:?}");
    for (id, receipt) in [(accepted, "QK1"), (unknown, "QK2"), (sending, "QK3")] {
        assert_eq!(again.result(id, paid(receipt)).await, Hearing::Applied);
    }
    again.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_restart_finds_more_than_a_page_of_everything() {
    let store = TroubledStore::new();
    let first = House::over(Arc::clone(&store), Arc::default(), BEGIN);
    let mut sending = vec![];
    for number in 0..PAGE_LEN_MAX + 20 {
        first.submit(&phone(number)).await;
        sending.push(first.submit(&phone(10_000 + number)).await);
    }
    for id in sending {
        dies_while_sending(&first, id).await;
    }
    let again = House::over(store, first.ids, first.clock.now());
    again.start().await;
    let many = 520;
    assert_eq!(again.store.counts().of(Status::Unknown), many);
    tokio::time::sleep(secs(30)).await;
    assert_eq!(again.store.counts().of(Status::Accepted), many);
    assert_eq!(again.rail.sends().len(), PAGE_LEN_MAX + 20);
    let page = PayoutQuery::all(1);
    assert_eq!(again.store.payouts(&page).await.expect("a page").rows.len(), 1);
    again.is_in_order().await;
}

/// The program dies when it has written down that a send begins: what it leaves.
async fn dies_while_sending(house: &House, id: PayoutId) -> Lease {
    let stored = house.store.payout(id).await.expect("readable");
    let stored = stored.expect("it is there");
    let State::Queued { tries, .. } = stored.payout.state else {
        panic!("it is queued");
    };
    let lease = Lease { owner: RunId::from_bytes([9; 16]), until: house.now().after(secs(60)) };
    let attempts = tries.attempts + 1;
    let tries = mlango::domain::payout::Tries { attempts, ..tries };
    let payout = Payout { state: State::Sending { tries, lease }, ..stored.payout };
    let write = PayoutWrite { payout, expected_version: stored.version };
    let commit = Commit { payouts: vec![write], ..Commit::default() };
    let _durable = house.store.commit(commit).await.expect("written");
    lease
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_back_holds_nothing_up() {
    let house = House::open().await;
    house.rail.script(&phone(0), [UNREACHABLE.now()]);
    let requeued = house.submit(&phone(0)).await;
    tokio::time::sleep(millis(100)).await;
    house.clock.set_back(3_600);
    let fresh = house.submit(&phone(1)).await;
    tokio::time::sleep(secs(5)).await;
    assert_eq!(house.status(fresh).await, Status::Accepted);
    assert_eq!(house.status(requeued).await, Status::Accepted);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn pages_instead_of_answers_do_not_put_the_whole_queue_in_doubt() {
    let house = House::open().await;
    for number in 0..200 {
        house.rail.script(&phone(number), [SILENCE.now()]);
        house.submit(&phone(number)).await;
    }
    tokio::time::sleep(secs(10)).await;
    let doubtful = house.store.counts().of(Status::Unknown);
    // One burst of as many as may be under way at once, then one at each end of a longer pause.
    assert!(doubtful <= u64::try_from(PLACES).expect("few") * 4, "{doubtful} are in doubt");
    assert!(house.store.counts().of(Status::Queued) > 100, "the rest waits");
}
