//! A store that is busy, slow or broken at the worst moments: nothing is sent without proof, and
//! nothing that is known is forgotten.

use crate::support::house::{APP, House, PLACES, incoming, paid, phone};
use crate::support::rail::{TAKEN, UNREACHABLE};
use crate::support::store::{Trouble, TroubledStore};
use crate::support::{millis, secs};
use mlango::domain::payout::{Doubt, Event, State, Status};
use mlango::engine::{CancelError, Heard, SubmitError};
use mlango::store::Store;

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_its_sending_is_on_the_disk() {
    let house = House::open().await;
    house.store.plan("payout.sending", 5, Trouble::Full);
    house.store.plan("payout.sending", 3, Trouble::Broken);
    house.store.plan("payout.sending", 1, Trouble::Slow(secs(3)));
    let id = house.submit(&phone(0)).await;
    tokio::time::sleep(secs(4)).await;
    assert_eq!(house.store.struck(), 9);
    assert_eq!(house.rail.sends().len(), 0);
    house.until(id, Status::Accepted).await;
    assert_eq!(house.rail.sends().len(), 1);
    assert_eq!(house.history(id).await, ["queued", "sending", "accepted"]);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn every_payout_that_a_busy_store_delayed_is_sent_in_the_end() {
    let house = House::open().await;
    house.store.plan("payout.sending", 300, Trouble::Full);
    for number in 0..100 {
        house.submit(&phone(number)).await;
    }
    tokio::time::sleep(secs(30)).await;
    assert_eq!(house.store.struck(), 300);
    assert_eq!(house.store.counts().of(Status::Accepted), 100);
    assert_eq!(house.rail.sends().len(), 100);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_send_that_may_have_been_written_down_is_not_begun_and_ends_in_doubt() {
    // The store cannot say whether `sending` is on the disk, and it is.
    let house = House::open().await;
    house.store.plan("payout.sending", 1, Trouble::WrittenYetBroken);
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Unknown).await;
    tokio::time::sleep(secs(600)).await;
    assert_eq!(house.rail.sends().len(), 0, "never on a guess");
    let State::Unknown { why, .. } = house.payout(id).await.state else {
        panic!("it is in doubt");
    };
    assert_eq!(why, Doubt::LeaseLapsed);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_is_written_down_when_the_store_takes_it() {
    for trouble in [Trouble::Full, Trouble::Broken, Trouble::WrittenYetBroken] {
        let house = House::open().await;
        house.store.plan("payout.accepted", 3, trouble);
        let id = house.submit(&phone(0)).await;
        house.until(id, Status::Accepted).await;
        assert_eq!(house.rail.sends().len(), 1, "{trouble:?}");
        house.is_in_order().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_is_written_down_though_the_payout_cannot_be_read_at_first() {
    let house = House::open().await;
    house.rail.script(&phone(0), [TAKEN.after(secs(5))]);
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Sending).await;
    house.store.fail_reads(3);
    tokio::time::sleep(secs(10)).await;
    assert_eq!(house.status(id).await, Status::Accepted);
}

#[tokio::test(start_paused = true)]
async fn an_outcome_is_decided_anew_when_the_payout_moved_meanwhile() {
    let house = House::open().await;
    house.store.plan("payout.accepted", 7, Trouble::Conflict);
    house.store.plan("payout.succeeded", 7, Trouble::Conflict);
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Accepted).await;
    house.result(id, paid("QK1")).await;
    assert_eq!(house.store.struck(), 14);
    assert_eq!(house.history(id).await, ["queued", "sending", "accepted", "succeeded"]);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn an_outcome_that_could_not_be_written_down_is_doubt_and_never_a_second_send() {
    let house = House::open().await;
    // As long as the outcome is offered, and when the lease has lapsed.
    house.store.plan("payout.accepted", 10_000, Trouble::Full);
    house.store.plan("payout.unknown", 2, Trouble::Full);
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Unknown).await;
    tokio::time::sleep(secs(600)).await;
    assert_eq!(house.rail.sends().len(), 1);
    house.result(id, paid("QK1")).await;
    assert_eq!(house.status(id).await, Status::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_meets_an_unreadable_store_is_not_forgotten() {
    let before = House::open().await;
    before.rail.script(&phone(0), [UNREACHABLE.now()]);
    let queued = before.submit(&phone(0)).await;
    tokio::time::sleep(millis(200)).await;
    before.drain().await;
    let now = mlango::clock::Clock::now(&*before.clock);
    let house = House::over(before.store, before.ids, now);
    house.start().await;
    tokio::time::sleep(millis(200)).await;
    assert_eq!(house.status(queued).await, Status::Queued, "not due yet");
    // The next read is the timer's.
    house.store.fail_reads(1);
    tokio::time::sleep(secs(180)).await;
    assert_eq!(house.rail.sends().len(), 1);

    let accepted = house.submit(&phone(1)).await;
    house.until(accepted, Status::Accepted).await;
    tokio::time::sleep(secs(119)).await;
    house.store.plan("payout.unknown", 1, Trouble::Full);
    tokio::time::sleep(secs(90)).await;
    assert_eq!(house.status(accepted).await, Status::Unknown);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_cannot_be_read_is_read_again() {
    let house = House::new();
    let id = house.submit(&phone(0)).await;
    let store = house.store;
    let again = House::over(store, house.ids, mlango::clock::Clock::now(&*house.clock));
    again.start().await;
    again.store.fail_pages(5);
    again.until(id, Status::Accepted).await;
    assert_eq!(again.rail.sends().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_kept_is_not_acknowledged() {
    let house = House::open().await;
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Accepted).await;
    for trouble in [Trouble::Full, Trouble::Broken, Trouble::WrittenYetBroken] {
        house.store.plan("payout.succeeded", 1, trouble);
        let heard = house.hear(id, Event::ResultArrived(paid("QK1"))).await;
        assert!(heard.is_err(), "{trouble:?}: {heard:?}");
    }
    // M-Pesa says it again, and the book is as if it had been said once.
    let heard = house.hear(id, Event::ResultArrived(paid("QK1"))).await;
    heard.expect("it is kept");
    assert_eq!(house.status(id).await, Status::Succeeded);
    assert_eq!(house.cases().await, []);

    for trouble in [Trouble::Full, Trouble::Broken] {
        house.store.plan("", 2, trouble);
        let unreadable = Heard::Unreadable("no XML".to_owned());
        let heard = house.engine.hear(incoming(), unreadable).await;
        assert!(heard.is_err(), "{trouble:?}");
        let foreign = Heard::Event {
            originator: Some("999001_Elsewhere_1".to_owned()),
            conversation: None,
            event: Event::QueueTimedOut,
        };
        let heard = house.engine.hear(incoming(), foreign).await;
        assert!(heard.is_err(), "{trouble:?}");
    }
    house.store.fail_reads(1);
    let heard = house.engine.hear(
        incoming(),
        Heard::Event {
            originator: Some(known_name(&house.store).await),
            conversation: None,
            event: Event::QueueTimedOut,
        },
    );
    assert!(heard.await.is_err(), "whose it is could not be read");
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_payout_that_is_not_kept_is_not_taken() {
    let house = House::open().await;
    house.store.plan("payout.queued", 1, Trouble::Full);
    let taken = house.submit_as("K", [1; 32], &phone(0)).await;
    assert_eq!(taken, Err(SubmitError::Busy));
    house.store.plan("payout.queued", 1, Trouble::WrittenYetBroken);
    let taken = house.submit_as("K", [1; 32], &phone(0)).await;
    assert!(matches!(taken, Err(SubmitError::Unavailable(_))));
    // Asked again with the same key: it was taken, and is told so.
    let taken = house.submit_as("K", [1; 32], &phone(0)).await;
    assert!(taken.expect("it is there").replayed);
    assert_eq!(house.store.counts_all(), 1);

    let rested = House::new();
    let id = rested.submit(&phone(1)).await;
    rested.store.plan("payout.cancelled", 1, Trouble::Full);
    let cancelled = rested.engine.cancel(Some(APP), id).await;
    assert_eq!(cancelled, Err(CancelError::Busy));
    assert_eq!(rested.status(id).await, Status::Queued);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_gone_ends_sending_and_the_drain_is_not_held_up() {
    let house = House::open().await;
    house.rail.otherwise(TAKEN.after(secs(20)));
    for number in 0..PLACES {
        house.submit(&phone(number)).await;
    }
    tokio::time::sleep(secs(1)).await;
    house.store.fail("the disk is gone");
    let before = tokio::time::Instant::now();
    house.drain().await;
    let took = before.elapsed();
    assert!(took < secs(25), "it waits for the sends, not for the store: {took:?}");
    assert_eq!(house.rail.sends().len(), PLACES);
}

async fn known_name(store: &TroubledStore) -> String {
    let page = mlango::store::PayoutQuery::all(1);
    let page = store.payouts(&page).await.expect("a page");
    let details = &page.rows[0].payout.details;
    details.originator_conversation_id.as_str().to_owned()
}
