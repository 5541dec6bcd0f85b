//! Looking at payouts again when their time has come.
//!
//! The times are derived from the states, so they need not be stored: `rescue` fills the list at
//! the start, and each step adds its own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Engine, NotApplied};
use crate::domain::id::PayoutId;
use crate::domain::payout::{Event, State};
use crate::domain::time::Timestamp;

/// The most times that are held, at 24 bytes each. What does not fit is found by looking through
/// the store, once a minute.
const TIMES_MAX: usize = 1_000_000;
/// How often the clock is looked at again at least: it may be set, and tests move it.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// How often the store is looked through when the list has overflowed, or the store was busy.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How many that are due are taken off the list at once.
const DUE_MAX: usize = 256;

/// The times at which payouts are to be looked at.
#[derive(Debug, Default)]
pub(super) struct Timers {
    heap: Mutex<BinaryHeap<Reverse<(Timestamp, PayoutId)>>>,
    incomplete: AtomicBool,
    sooner: Notify,
}

impl Timers {
    pub(super) fn add(&self, at: Timestamp, id: PayoutId) {
        let mut heap = self.lock();
        if heap.len() >= TIMES_MAX {
            self.incomplete.store(true, Ordering::Relaxed);
            return;
        }
        let soonest = heap.peek().is_none_or(|Reverse((first, _id))| at < *first);
        heap.push(Reverse((at, id)));
        drop(heap);
        if soonest {
            self.sooner.notify_one();
        }
    }

    /// Those that are due, and how long until the next is.
    fn due(&self, now: Timestamp) -> (Vec<PayoutId>, Duration) {
        let mut heap = self.lock();
        let mut due = Vec::new();
        while let Some(Reverse((at, id))) = heap.peek().copied() {
            if at > now {
                return (due, at.since(now));
            }
            if due.len() >= DUE_MAX {
                return (due, Duration::ZERO);
            }
            heap.pop();
            due.push(id);
        }
        (due, LOOK_AGAIN)
    }

    fn lock(&self) -> MutexGuard<'_, BinaryHeap<Reverse<(Timestamp, PayoutId)>>> {
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Watches the time until `stop`.
pub(super) async fn run(engine: Arc<Engine>, stop: CancellationToken) {
    let mut swept = tokio::time::Instant::now();
    while !stop.is_cancelled() {
        let (due, wait) = engine.timers.due(engine.parts.clock.now());
        for id in due {
            if let Err(error) = engine.wake(id).await {
                tracing::warn!(payout = %id, %error, "could not look at a payout whose time has \
                    come; it is looked at again within a minute");
                engine.timers.incomplete.store(true, Ordering::Relaxed);
            }
        }
        if swept.elapsed() >= SWEEP_EVERY {
            swept = tokio::time::Instant::now();
            if engine.timers.incomplete.swap(false, Ordering::Relaxed)
                && let Err(error) = engine.sweep().await
            {
                tracing::warn!(%error, "could not look through the store for payouts whose time \
                    has come; trying again in a minute");
                engine.timers.incomplete.store(true, Ordering::Relaxed);
            }
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(wait.min(LOOK_AGAIN)) => {}
            () = engine.timers.sooner.notified() => {}
        }
    }
}

impl Engine {
    /// Looks at a payout whose time may have come.
    async fn wake(&self, id: PayoutId) -> Result<(), NotApplied> {
        let Some(stored) = self.parts.store.payout(id).await? else {
            return Ok(());
        };
        let now = self.parts.clock.now();
        let event = match &stored.payout.state {
            State::Queued { .. } => {
                self.outbox.offer(id);
                return Ok(());
            }
            State::Accepted { overdue_at, .. } if *overdue_at <= now => Event::ResultOverdue,
            State::Sending { lease, .. } if lease.until <= now => {
                Event::LeaseLapsed { lease: *lease }
            }
            // Not due, or nothing that time alone moves: `unknown` waits for its result, or for
            // whoever asks M-Pesa about it.
            State::Accepted { .. }
            | State::Sending { .. }
            | State::AwaitingApproval { .. }
            | State::Unknown { .. }
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
        assert_eq!(due, [id(1), id(2)]);
        assert_eq!(wait, Duration::from_millis(10));
        let (due, _wait) = timers.due(Timestamp::from_millis(30));
        assert_eq!(due, [id(3)]);
    }
}
