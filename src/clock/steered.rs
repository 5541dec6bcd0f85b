//! A clock that testers steer: it stands, runs, runs faster, and is moved on.
//!
//! It never goes back. Waits stand on its agenda, in the order of their times and, at the same
//! time, of their beginning; whoever moves it lets them end in that order ([`SteeredClock::step`]).
//! While it runs, each wait ends by itself.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{self, Future};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::hands::{Doing, Hands, Mark};
use super::{Clock, Wait};
use crate::domain::time::Timestamp;

/// The fastest: a day in a second.
pub const SPEED_MAX: u32 = 86_400;
/// How far a follower may be ahead of whom it follows, in real time, before it waits for him: what
/// rounding and a slow moment on the way make.
const AHEAD_MAX: Duration = Duration::from_millis(20);

/// How fast it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It stands still until it is moved.
    Stands,
    /// So many seconds of it pass in one of the machine's.
    Runs(u32),
}

/// What the clock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The time.
    pub now: Timestamp,
    /// How fast it goes.
    pub pace: Pace,
    /// Grows with each change.
    pub version: u64,
}

/// Something that waits for its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// When.
    pub at: Timestamp,
    /// For what.
    pub what: &'static str,
}

/// The clock; a copy of it is the same clock.
#[derive(Clone)]
pub struct SteeredClock(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Whoever waits looks again when this changes.
    changed: watch::Sender<()>,
    /// Grows with each change, and whenever followers are asked where they are.
    version: watch::Sender<u64>,
    hands: Arc<Hands>,
    /// Where [`Clock::instant`] counts from.
    origin: (Timestamp, Instant),
}

struct State {
    /// The time when `since` was.
    at: Timestamp,
    since: Instant,
    pace: Pace,
    /// Whether somebody moves it step by step: it stands meanwhile, and no wait ends by itself.
    is_held: bool,
    /// How many waits there were.
    waits: u64,
    agenda: BTreeMap<(Timestamp, u64), Entry>,
}

struct Entry {
    what: &'static str,
    end: oneshot::Sender<()>,
    /// Dropped when the wait ends, so that he who waited counts as at work at once.
    _rest: Mark,
}

impl fmt::Debug for SteeredClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SteeredClock").field(&self.reading()).finish()
    }
}

impl State {
    fn now(&self) -> Timestamp {
        match self.pace {
            Pace::Runs(speed) if !self.is_held => {
                self.at.after(self.since.elapsed().saturating_mul(speed))
            }
            Pace::Runs(_) | Pace::Stands => self.at,
        }
    }

    /// Counts anew from now on.
    fn rebase(&mut self) {
        self.at = self.now();
        self.since = Instant::now();
    }
}

impl SteeredClock {
    /// A clock that runs from `start` on as the machine's does.
    pub fn new(start: Timestamp) -> Self {
        let since = Instant::now();
        let state = State {
            at: start,
            since,
            pace: Pace::Runs(1),
            is_held: false,
            waits: 0,
            agenda: BTreeMap::new(),
        };
        let ((changed, _), (version, _)) = (watch::channel(()), watch::channel(1));
        let hands = Arc::default();
        let origin = (start, since);
        Self(Arc::new(Inner { state: Mutex::new(state), changed, version, hands, origin }))
    }

    /// What it says.
    pub fn reading(&self) -> Reading {
        let state = self.0.state();
        let pace = if state.is_held { Pace::Stands } else { state.pace };
        Reading { now: state.now(), pace, version: *self.0.version.borrow() }
    }

    /// How fast it goes when nobody moves it step by step.
    pub fn pace(&self) -> Pace {
        self.0.state().pace
    }

    /// Who is at work.
    pub fn hands(&self) -> &Arc<Hands> {
        &self.0.hands
    }

    /// From now on it goes like this.
    pub fn set_pace(&self, pace: Pace) {
        let mut state = self.0.state();
        state.rebase();
        state.pace = pace;
        drop(state);
        self.tell();
    }

    /// Moves it on to `to`; never back. Waits do not end by that: see [`Self::step`].
    pub fn put(&self, to: Timestamp) {
        let mut state = self.0.state();
        state.rebase();
        state.at = state.at.max(to);
    }

    /// Whoever waits or follows looks again.
    fn tell(&self) {
        self.0.changed.send_replace(());
        self.ask_followers();
    }

    /// Whoever follows says where he is; the new version.
    pub fn ask_followers(&self) -> u64 {
        self.0.version.send_modify(|version| *version = version.wrapping_add(1));
        *self.0.version.borrow()
    }

    /// What tells when the version changes.
    pub fn versions(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    /// It stands, and no wait ends by itself, until what is returned is dropped.
    pub fn hold(&self) -> Held {
        let mut state = self.0.state();
        state.rebase();
        state.is_held = true;
        drop(state);
        Held(self.clone())
    }

    /// What waits and is due first.
    pub fn first(&self) -> Option<Due> {
        let state = self.0.state();
        state.agenda.first_key_value().map(|((at, _nth), entry)| Due { at: *at, what: entry.what })
    }

    /// What waits, the first `most` of it in order, and how much there is in all.
    pub fn agenda(&self, most: usize) -> (Vec<Due>, usize) {
        let state = self.0.state();
        let due =
            |((at, _nth), entry): (&(Timestamp, u64), &Entry)| Due { at: *at, what: entry.what };
        (state.agenda.iter().take(most).map(due).collect(), state.agenda.len())
    }

    /// Lets the first wait end that is due by now.
    pub fn step(&self) -> Option<Due> {
        let mut state = self.0.state();
        let now = state.now();
        let first = state.agenda.first_entry().filter(|first| first.key().0 <= now)?;
        let (at, entry) = (first.key().0, first.remove());
        drop(state);
        let due = Due { at, what: entry.what };
        // An error says that it was given up in this moment.
        entry.end.send(()).ok();
        Some(due)
    }

    /// Says what another clock says, which it follows: everything ends that is due by then, in
    /// order. It never goes back, and waits where it is until the other has come so far; answers
    /// by how much it is ahead then.
    pub fn follow(&self, other: Reading) -> Duration {
        let mut state = self.0.state();
        state.rebase();
        let ahead = state.at.since(other.now);
        let speed = if let Pace::Runs(speed) = other.pace { speed } else { 1 };
        let is_ahead = ahead > AHEAD_MAX.saturating_mul(speed);
        state.at = state.at.max(other.now);
        state.pace = if is_ahead { Pace::Stands } else { other.pace };
        drop(state);
        while self.step().is_some() {}
        self.tell();
        if is_ahead { ahead } else { Duration::ZERO }
    }
}

/// A clock that is moved step by step; dropped, it goes on as it did before, from where it is.
#[derive(Debug)]
#[must_use = "the clock goes on when it is dropped"]
pub struct Held(SteeredClock);

impl Drop for Held {
    fn drop(&mut self) {
        let mut state = self.0.0.state();
        state.since = Instant::now();
        state.is_held = false;
        drop(state);
        self.0.tell();
    }
}

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How long a wait lasts that ends by itself; `None`: it does not.
    fn real_wait(&self, due: Timestamp) -> Option<Duration> {
        let state = self.state();
        match state.pace {
            Pace::Runs(speed) if !state.is_held => due.since(state.now()).checked_div(speed),
            Pace::Runs(_) | Pace::Stands => None,
        }
    }

    /// Whether a wait may end by itself.
    fn is_over(&self, due: Timestamp) -> bool {
        let state = self.state();
        !state.is_held && state.now() >= due
    }
}

/// A wait; dropped, it is off the agenda.
struct Ticket {
    inner: Arc<Inner>,
    key: (Timestamp, u64),
    ended: oneshot::Receiver<()>,
}

impl Ticket {
    async fn over(mut self) {
        let mut changed = self.inner.changed.subscribe();
        while !self.inner.is_over(self.key.0) {
            let wait = self.inner.real_wait(self.key.0);
            tokio::select! {
                biased;
                _ended = &mut self.ended => return,
                _again = changed.changed() => {}
                () = really(wait) => {}
            }
        }
    }
}

/// Waits on the machine's clock; without a wait for ever.
fn really(wait: Option<Duration>) -> impl Future<Output = ()> {
    // A millisecond more: a wait that ends before its time would only begin anew.
    let wait = wait.map(|wait| wait.saturating_add(Duration::from_millis(1)));
    async move {
        match wait {
            Some(wait) => tokio::time::sleep(wait).await,
            None => future::pending().await,
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // Off the agenda first, and out of the lock before what counts is dropped.
        let entry = self.inner.state().agenda.remove(&self.key);
        drop(entry);
    }
}

impl Clock for SteeredClock {
    fn now(&self) -> Timestamp {
        self.0.state().now()
    }

    fn instant(&self) -> Instant {
        let (start, origin) = self.0.origin;
        origin.checked_add(self.now().since(start)).unwrap_or(origin)
    }

    fn sleep(&self, wait: Duration, what: &'static str) -> Wait {
        let mut state = self.0.state();
        let now = state.now();
        let due = now.after(wait);
        if due <= now {
            return Box::pin(future::ready(()));
        }
        state.waits = state.waits.wrapping_add(1);
        let key = (due, state.waits);
        let (end, ended) = oneshot::channel();
        let rest = self.0.hands.mark(Doing::Rest);
        state.agenda.insert(key, Entry { what, end, _rest: rest });
        drop(state);
        let ticket = Ticket { inner: Arc::clone(&self.0), key, ended };
        Box::pin(ticket.over())
    }

    fn nap(&self, wait: Option<Duration>, _at_most: Duration, what: &'static str) -> Wait {
        if let Some(wait) = wait {
            return self.sleep(wait, what);
        }
        let rest = self.0.hands.mark(Doing::Rest);
        Box::pin(async move {
            let _rest = rest;
            future::pending().await
        })
    }

    fn mark(&self, doing: Doing) -> Mark {
        self.0.hands.mark(doing)
    }

    fn steered(&self) -> Option<&SteeredClock> {
        Some(self)
    }
}

#[cfg(test)]
mod tests;
