//! What a steered clock does with those who wait for it.

use std::time::Duration;

use tokio::time::Instant;

use super::{Held, Pace, SteeredClock};
use crate::clock::Clock as _;
use crate::clock::hands::Doing;
use crate::domain::time::Timestamp;

const START: Timestamp = Timestamp::from_millis(1_704_164_645_000);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A clock that stands at the start.
fn standing() -> SteeredClock {
    let clock = SteeredClock::new(START);
    clock.set_pace(Pace::Stands);
    clock
}

#[tokio::test(start_paused = true)]
async fn it_runs_as_fast_as_it_is_told_and_stands_when_told() {
    let clock = SteeredClock::new(START);
    tokio::time::sleep(secs(2)).await;
    assert_eq!(clock.now(), START.after(secs(2)));
    clock.set_pace(Pace::Runs(3_600));
    tokio::time::sleep(secs(2)).await;
    assert_eq!(clock.now(), START.after(secs(7_202)));
    clock.set_pace(Pace::Stands);
    tokio::time::sleep(secs(50)).await;
    assert_eq!(clock.now(), START.after(secs(7_202)));
    assert_eq!(clock.instant().duration_since(clock.0.origin.1), secs(7_202));
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_by_itself_when_the_clock_runs() {
    let clock = SteeredClock::new(START);
    let begun = Instant::now();
    clock.sleep(secs(10), "a test").await;
    assert_eq!(begun.elapsed().as_secs(), 10);
    clock.set_pace(Pace::Runs(1_000));
    clock.sleep(secs(10_000), "a test").await;
    assert_eq!(begun.elapsed().as_secs(), 20);
    // One that began before the pace changed ends by the new one.
    let wait = tokio::spawn(clock.sleep(secs(5_000), "a test"));
    tokio::task::yield_now().await;
    clock.set_pace(Pace::Runs(10));
    wait.await.expect("it ends");
    assert_eq!(begun.elapsed().as_secs(), 520);
}

#[tokio::test(start_paused = true)]
async fn waits_end_in_order_one_at_a_time_when_the_clock_is_moved() {
    let clock = standing();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    for (nth, wait) in [30, 10, 20, 10].into_iter().enumerate() {
        let (tell, wait) = (tell.clone(), clock.sleep(secs(wait), "a test"));
        tokio::spawn(async move {
            wait.await;
            tell.send(nth).expect("it is listened to");
        });
    }
    assert_eq!(clock.first().map(|due| due.at), Some(START.after(secs(10))));
    let held: Held = clock.hold();
    clock.put(START.after(secs(20)));
    for expected in [1, 3, 2] {
        assert!(clock.step().is_some());
        assert_eq!(told.recv().await, Some(expected));
    }
    assert!(clock.step().is_none(), "the last is not due");
    drop(held);
    tokio::time::sleep(secs(1_000)).await;
    assert!(told.try_recv().is_err(), "it stands");
    clock.set_pace(Pace::Runs(1));
    assert_eq!(told.recv().await, Some(0));
    assert_eq!(clock.agenda(9).1, 0);
}

#[tokio::test(start_paused = true)]
async fn it_never_goes_back() {
    let clock = standing();
    clock.put(START.after(secs(60)));
    clock.put(START);
    assert_eq!(clock.now(), START.after(secs(60)));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_rests_until_his_time_has_come() {
    let clock = standing();
    let work = clock.mark(Doing::Work);
    let wait = clock.sleep(secs(5), "a test");
    assert!(clock.hands().are_idle());
    clock.put(START.after(secs(5)));
    assert!(clock.step().is_some());
    assert!(!clock.hands().are_idle(), "at work before he knows it");
    wait.await;
    let given_up = clock.sleep(secs(5), "a test");
    assert!(clock.hands().are_idle());
    drop(given_up);
    assert!(!clock.hands().are_idle());
    assert_eq!(clock.agenda(9).1, 0);
    drop(work);
}

#[tokio::test(start_paused = true)]
async fn a_follower_is_never_ahead_and_never_goes_back() {
    let (leader, follower) = (standing(), SteeredClock::new(START));
    assert_eq!(follower.follow(leader.reading()), Duration::ZERO);
    let wait = follower.sleep(secs(60), "a test");
    leader.put(START.after(secs(60)));
    assert_eq!(follower.follow(leader.reading()), Duration::ZERO);
    wait.await;
    assert_eq!(follower.now(), START.after(secs(60)));
    // Another leader, as after its restart, is behind: the follower waits for him.
    let behind = SteeredClock::new(START);
    assert_eq!(follower.follow(behind.reading()), secs(60));
    tokio::time::sleep(secs(61)).await;
    assert_eq!(follower.now(), START.after(secs(60)));
    assert_eq!(follower.follow(behind.reading()), Duration::ZERO);
    assert_eq!(follower.now(), START.after(secs(61)));
}
