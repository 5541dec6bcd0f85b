//! Whether sending is on: stopped by a wrong credential (law 7), held back when M-Pesa is too busy
//! or cannot be reached.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::domain::retry;
use crate::domain::time::Timestamp;

/// What stands in the way of sending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RailState {
    /// M-Pesa's code for a wrong credential: nothing is sent until the program is started again
    /// with a right one.
    pub stopped: Option<String>,
    /// Nothing is sent before then, because M-Pesa said that it is too busy, or could not be
    /// reached.
    pub slowed_until: Option<Timestamp>,
    /// How often in a row that was so.
    pub busy: u32,
    /// A part of the engine that ended when it should not have: nothing works until the program is
    /// started again.
    pub ended: Option<&'static str>,
}

/// The gate before the rail.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: Mutex<RailState>,
    changed: Notify,
}

impl Gate {
    pub(super) fn state(&self) -> RailState {
        self.lock().clone()
    }

    /// Stops all sending (law 7).
    pub(super) fn stop(&self, code: &str) {
        self.lock().stopped = Some(code.to_owned());
        self.changed.notify_waiters();
    }

    /// A part of the engine has ended.
    pub(super) fn end(&self, part: &'static str) {
        self.lock().ended = Some(part);
    }

    /// Whether a wrong credential has stopped all sending.
    pub(super) fn is_stopped(&self) -> bool {
        self.lock().stopped.is_some()
    }

    /// Holds sending back for a pause that doubles each time in a row. What was under way when the
    /// pause began says nothing new: a burst is one pause.
    pub(super) fn slow(&self, now: Timestamp) {
        let mut state = self.lock();
        if state.slowed_until.is_some_and(|until| until > now) {
            return;
        }
        state.busy = state.busy.saturating_add(1);
        state.slowed_until = Some(retry::resend_at(now, state.busy));
    }

    /// M-Pesa took something, or refused it for what it says: full pace again.
    pub(super) fn ease(&self) {
        let mut state = self.lock();
        if state.busy != 0 {
            state.busy = 0;
            state.slowed_until = None;
        }
    }

    /// How long to wait before the next send: `None` for "until something changes".
    pub(super) fn wait(&self, now: Timestamp) -> Option<Duration> {
        let state = self.lock();
        match (&state.stopped, state.slowed_until) {
            (Some(_), _) => None,
            (None, Some(until)) if retry::is_due(until, now) => Some(Duration::ZERO),
            (None, Some(until)) => Some(until.since(now)),
            (None, None) => Some(Duration::ZERO),
        }
    }

    /// Ends when something changes after this call, also before it is first waited for.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    fn lock(&self) -> MutexGuard<'_, RailState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);

    #[test]
    fn a_busy_mpesa_is_given_longer_and_longer_pauses_until_it_takes_something() {
        let gate = Gate::default();
        assert_eq!(gate.wait(NOW), Some(Duration::ZERO));
        gate.slow(NOW);
        assert_eq!(gate.wait(NOW), Some(Duration::from_secs(1)));
        gate.slow(NOW);
        assert_eq!(gate.state().busy, 1, "the same burst");
        let later = NOW.after(Duration::from_secs(1));
        gate.slow(later);
        assert_eq!(gate.wait(later), Some(Duration::from_secs(2)));
        gate.ease();
        assert_eq!(gate.wait(later), Some(Duration::ZERO));
    }

    #[test]
    fn a_wrong_credential_stops_everything_and_nothing_eases_it() {
        let gate = Gate::default();
        gate.stop("2001");
        gate.ease();
        assert_eq!(gate.wait(NOW), None);
        assert_eq!(gate.state().stopped.as_deref(), Some("2001"));
    }
}
