//! What stands between the API's listener and whoever comes too often, or has no key.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use axum::http::Extensions;

use super::problem::{Code, Problem};
use super::server::Peer;
use super::throttle::{Pace, Seldom, Throttle, peer_of};
use crate::domain::id::AppId;
use crate::domain::time::Timestamp;
use crate::telemetry::metric;

/// How often the API may be asked, and what it tells whoever has no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Requests with the keys of one application.
    pub keys: Pace,
    /// Requests of one peer, whatever for.
    pub peers: Pace,
    /// Requests of one peer with keys that are not good.
    pub wrong_keys: Pace,
    /// Whether metrics, and why the gateway is not ready, are shown to whoever has no key.
    pub open_metrics: bool,
}

impl Rules {
    /// No limits.
    pub const NONE: Self =
        Self { keys: Pace::FREE, peers: Pace::FREE, wrong_keys: Pace::FREE, open_metrics: true };
}

/// The rules at work.
pub(super) struct Guard {
    pub(super) open_metrics: bool,
    keys: Throttle<AppId>,
    peers: Throttle<IpAddr>,
    wrong_keys: Throttle<IpAddr>,
    seldom: Seldom,
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("open_metrics", &self.open_metrics).finish_non_exhaustive()
    }
}

impl Guard {
    pub(super) fn of(rules: Rules) -> Self {
        Self {
            open_metrics: rules.open_metrics,
            keys: Throttle::new(rules.keys),
            peers: Throttle::new(rules.peers),
            wrong_keys: Throttle::new(rules.wrong_keys),
            seldom: Seldom::default(),
        }
    }

    /// Whether a peer may ask once more.
    pub(super) fn peer(&self, extensions: &Extensions, now: Timestamp) -> Result<(), Problem> {
        let Some(peer) = address(extensions) else {
            return Ok(());
        };
        let taken = self.peers.take(peer, now);
        taken.map_err(|wait| self.too_many("peer", &peer, wait, now))
    }

    /// Whether the keys of an application may be used once more.
    pub(super) fn key(&self, app: AppId, now: Timestamp) -> Result<(), Problem> {
        self.keys.take(app, now).map_err(|wait| self.too_many("key", &app, wait, now))
    }

    /// What is told to whoever came with a key that is not good. Whose key is good is served also
    /// beside somebody who guesses.
    pub(super) fn wrong_key(
        &self,
        extensions: &Extensions,
        now: Timestamp,
        problem: Problem,
    ) -> Problem {
        let Some(peer) = address(extensions) else {
            return problem;
        };
        match self.wrong_keys.take(peer, now) {
            Ok(()) => problem,
            Err(wait) => self.too_many("wrong_key", &peer, wait, now),
        }
    }

    fn too_many(
        &self,
        limit: &'static str,
        who: &dyn fmt::Display,
        wait: Duration,
        now: Timestamp,
    ) -> Problem {
        metric::HTTP_LIMITED.with(["api", limit]).increment();
        if let Some(others) = self.seldom.may_log(now) {
            tracing::warn!(limit, %who, others, "requests come too often and are turned away");
        }
        Problem::too_many_requests(wait)
    }
}

fn address(extensions: &Extensions) -> Option<IpAddr> {
    match extensions.get::<Peer>()? {
        Peer::Net(address) => Some(peer_of(address.ip())),
        Peer::File(_) => None,
    }
}

impl Problem {
    fn too_many_requests(wait: Duration) -> Self {
        let seconds = wait.as_secs();
        let detail = format!(
            "Requests come too often. Nothing was done. Send the same request, with the same \
             Idempotency-Key if it has one, in {seconds} seconds."
        );
        Self::new(Code::TooManyRequests, detail).after(wait)
    }
}
