//! Looking at payouts again when their time has come.
//!
//! The times are derived from the states, so they need not be stored: `rescue` fills the list at
//! the start, and each step adds its own.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Engine, NotApplied};
use crate::clock::Clock as _;
use crate::clock::hands::Doing;
use crate::domain::id::PayoutId;
use crate::domain::payout::{Event, State};
use crate::domain::retry;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;

/// The most times that are held, at some 40 bytes each. What does not fit is found by looking
/// through the store, once a minute.
const TIMES_MAX: usize = 1_000_000;
/// How often the clock is looked at again at least: it may be set, and tests move it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How often the store is looked through when the list has overflowed, or the store was busy.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// When a send is looked at again whose lease is over while it is still under way.
const LOOK_AT_SENDS_AGAIN: Duration = Duration::from_secs(5);
/// A clock that goes back by more than this was set.
const CLOCK_STEP: Duration = Duration::from_secs(2);
/// How many that are due are taken off the list at once.
const DUE_MAX: usize = 256;

/// The times at which payouts are to be looked at.
#[derive(Debug, Default)]
pub(super) struct Timers {
    /// In order, and none twice however often it is added.
    times: Mutex<BTreeSet<(Timestamp, Subject)>>,
    /// Whether a time is missing from the list.
    incomplete: AtomicBool,
    sooner: Notify,
}

impl Timers {
    pub(super) fn add(&self, at: Timestamp, subject: impl Into<Subject>) {
        let subject = subject.into();
        let mut times = self.lock();
        if times.len() >= TIMES_MAX {
            self.incomplete.store(true, Ordering::Relaxed);
            return;
        }
        let soonest = times.first().is_none_or(|(first, _id)| at < *first);
        times.insert((at, subject));
        drop(times);
        if soonest {
            self.sooner.notify_one();
        }
    }

    /// Those that are due, and how long until the next is, if there is one.
    fn due(&self, now: Timestamp) -> (Vec<Subject>, Option<Duration>) {
        let mut times = self.lock();
        let mut due = Vec::new();
        while let Some((at, id)) = times.first().copied() {
            if at > now {
                return (due, Some(at.since(now)));
            }
            if due.len() >= DUE_MAX {
                return (due, Some(Duration::ZERO));
            }
            times.pop_first();
            due.push(id);
        }
        (due, None)
    }

    /// When the first of them is due.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.lock().first().map(|(at, _subject)| *at)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<(Timestamp, Subject)>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches the time until `stop`.
pub(super) async fn run(engine: Arc<Engine>, stop: CancellationToken) {
    let mut swept = tokio::time::Instant::now();
    let mut latest = engine.parts.clock.now();
    let _work = engine.parts.clock.mark(Doing::Work);
    while !stop.is_cancelled() {
        let now = engine.parts.clock.now();
        if latest.since(now) > CLOCK_STEP {
            tracing::warn!(
                by_seconds = latest.since(now).as_secs(),
                "the clock was set back: what \
                waits in the queue is looked at anew"
            );
            engine.tracks.look_through_store();
        }
        latest = now;
        let (due, wait) = engine.timers.due(now);
        for id in due {
            if let Err(error) = engine.wake(id).await {
                tracing::warn!(subject = %id, %error, "could not look at something whose time has \
                    come; it is looked at again within a minute");
                engine.timers.incomplete.store(true, Ordering::Relaxed);
            }
        }
        if swept.elapsed() >= SWEEP_EVERY {
            swept = tokio::time::Instant::now();
            if engine.timers.incomplete.swap(false, Ordering::Relaxed)
                && let Err(error) = engine.sweep().await
            {
                tracing::warn!(%error, "could not look through the store for what is due \
                    ; trying again in a minute");
                engine.timers.incomplete.store(true, Ordering::Relaxed);
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = engine.parts.clock.nap(wait, LOOK_AGAIN, "what is next in the book") => {}
            () = engine.timers.sooner.notified() => {}
        }
    }
}

impl Engine {
    /// Looks at something whose time may have come.
    async fn wake(&self, subject: Subject) -> Result<(), NotApplied> {
        match subject {
            Subject::Payout(id) => self.wake_payout(id).await,
            Subject::Payment(id) => self.wake_payment(id).await,
            Subject::Inquiry(id) => self.wake_inquiry(id).await,
            Subject::Text(id) => self.wake_text(id).await,
        }
    }

    async fn wake_payout(&self, id: PayoutId) -> Result<(), NotApplied> {
        let Some(stored) = self.parts.store.payout(id).await? else {
            return Ok(());
        };
        let now = self.parts.clock.now();
        // One whose rail is not set up waits until it is.
        let track = self.tracks.get(stored.payout.details.rail);
        let event = match &stored.payout.state {
            State::Queued { not_before, .. } if retry::is_due(*not_before, now) => {
                track.inspect(|track| track.outbox.offer(id));
                return Ok(());
            }
            State::Accepted { overdue_at, .. } if *overdue_at <= now => Event::ResultOverdue,
            // A send of this run that is still under way ends by its own deadlines and is written
            // down: a clock that was set forward does not make it doubtful.
            State::Sending { lease, .. }
                if lease.until <= now
                    && lease.owner == self.run
                    && track.is_some_and(|track| track.outbox.works_on(id)) =>
            {
                self.timers.add(now.after(LOOK_AT_SENDS_AGAIN), id);
                return Ok(());
            }
            State::Sending { lease, .. } if lease.until <= now => {
                Event::LeaseLapsed { lease: *lease }
            }
            State::Unknown { inquiry, .. } if retry::is_ask_due(inquiry.ask_at, now) => {
                track.inspect(|track| track.questions.offer(id));
                return Ok(());
            }
            // Not due, as when the clock was set back: its time stays on the list.
            State::Queued { .. }
            | State::Accepted { .. }
            | State::Sending { .. }
            | State::Unknown { .. } => {
                if let Some(at) = stored.payout.state.wakes_at() {
                    self.timers.add(at, id);
                }
                return Ok(());
            }
            // Nothing that time alone moves.
            State::AwaitingApproval { .. }
            | State::Succeeded { .. }
            | State::Failed { .. }
            | State::Cancelled { .. } => return Ok(()),
        };
        self.apply(id, &event, vec![]).await.map(|_applied| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> PayoutId {
        PayoutId::from_bytes([number; 16])
    }

    #[test]
    fn what_is_due_comes_in_order_and_the_rest_waits() {
        let timers = Timers::default();
        for (at, number) in [(30, 3), (10, 1), (20, 2)] {
            timers.add(Timestamp::from_millis(at), id(number));
        }
        let (due, wait) = timers.due(Timestamp::from_millis(20));
        assert_eq!(due, [id(1), id(2)].map(Subject::Payout));
        assert_eq!(wait, Some(Duration::from_millis(10)));
        timers.add(Timestamp::from_millis(30), id(3));
        let (due, _wait) = timers.due(Timestamp::from_millis(30));
        assert_eq!(due, [Subject::Payout(id(3))], "once, though it was added twice");
    }
}
