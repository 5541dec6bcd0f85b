//! How far the way to a peer goes: what each attempt to connect, and each answer, showed.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;
use crate::engine::port::{LinkFailure, LinkStage, LinkState};
use crate::telemetry::metric::{self, Counter, Gauge};
use crate::tls::Session;

/// The longest reason that is kept, in characters.
const WHAT_LEN_MAX: usize = 400;

/// What is known of the way to a peer. It is told by whatever uses the way.
pub struct Link {
    name: &'static str,
    clock: Arc<dyn Clock>,
    state: Mutex<LinkState>,
    up: Gauge,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link({}, {:?})", self.name, self.lock())
    }
}

impl Link {
    /// A way that was not tried yet; `name` is the rail's, in logs and metrics.
    pub fn new(name: &'static str, clock: Arc<dyn Clock>) -> Self {
        let up = metric::LINK_UP.with([name]);
        Self { name, clock, state: Mutex::default(), up }
    }

    /// What is known now.
    pub fn state(&self) -> LinkState {
        self.lock().clone()
    }

    /// A connection stands, encrypted as `session` says.
    pub fn connected(&self, session: Option<&Session>) {
        let now = self.clock.now();
        let mut state = self.lock();
        let was_down = state.up != Some(true);
        state.up = Some(true);
        state.connected_at = Some(now);
        state.protocol = session.map(|it| format!("{} {}", it.version, it.cipher));
        state.peer = session.and_then(|it| it.peer.as_ref()).map(|peer| peer.subject.clone());
        state.weak = session.map(|it| it.weak.clone()).unwrap_or_default();
        let protocol = state.protocol.clone();
        if was_down {
            state.since = Some(now);
        }
        drop(state);
        self.up.set(1);
        if was_down {
            let protocol = protocol.unwrap_or_else(|| "plain HTTP".to_owned());
            tracing::info!(rail = self.name, protocol, "the link is up");
        }
    }

    /// An answer came.
    pub fn answered(&self) {
        let now = self.clock.now();
        self.lock().answered_at = Some(now);
        let seconds = u64::try_from(now.millis().div_euclid(1_000)).unwrap_or(0);
        metric::LINK_LAST_ANSWER.with([self.name]).set(seconds);
    }

    /// It came no further than `stage`.
    pub fn failed(&self, stage: LinkStage, what: &str) {
        let now = self.clock.now();
        let what: String = what.chars().take(WHAT_LEN_MAX).collect();
        let breaks = stage != LinkStage::Answer;
        let mut state = self.lock();
        let was_up = state.up != Some(false);
        state.failure = Some(LinkFailure { at: now, stage, what: what.clone() });
        if breaks {
            state.up = Some(false);
            if was_up {
                state.since = Some(now);
            }
        }
        drop(state);
        self.failures(stage).increment();
        if breaks {
            self.up.set(0);
            if was_up {
                tracing::warn!(
                    rail = self.name,
                    stage = stage.as_str(),
                    what,
                    "the link is down: payouts wait in queued, and go by themselves when it is back"
                );
            }
        }
    }

    fn failures(&self, stage: LinkStage) -> Counter {
        metric::LINK_FAILURES.with([self.name, stage.as_str()])
    }

    fn lock(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
