//! Gateways in test mode that go by this clock: where each of them is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::domain::time::Timestamp;

/// The most that may follow.
const FOLLOWERS_MAX: usize = 16;
/// The longest name.
const NAME_MAX: usize = 100;
/// One that says nothing for so long has gone.
const SILENCE_MAX: Duration = Duration::from_secs(5);
/// How often silent ones are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// What a follower says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sim) struct Report {
    /// Who it is.
    follower: String,
    /// The version that it goes by.
    pub(super) seen: u64,
    /// Whether nobody is at work there.
    pub(super) quiet: bool,
    /// When something is due there that time alone brings.
    next: Option<String>,
    /// How many of its requests await our answer.
    wire: u64,
}

/// A follower as it was last heard of.
#[derive(Debug)]
struct Follower {
    seen: u64,
    is_quiet: bool,
    next: Option<Timestamp>,
    wire: u64,
    heard: Instant,
    /// Whether it listens at this moment.
    listens: bool,
}

/// All of them, by name.
#[derive(Debug, Default)]
pub(super) struct Followers {
    known: Mutex<BTreeMap<String, Follower>>,
    heard: Notify,
}

/// What all of them say together.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Stand {
    /// What is due first, and whose it is.
    pub next: Option<(Timestamp, String)>,
    /// How many of their requests await our answer.
    pub wire: u64,
}

impl Followers {
    /// Takes a report. What is returned is held while the follower is kept waiting: one that hangs
    /// up has gone.
    ///
    /// # Errors
    /// What is wrong with the report.
    pub fn hear(&self, report: Report) -> Result<Listening<'_>, String> {
        let next = report.next.as_deref().map(Timestamp::parse_rfc3339).transpose();
        let next = next.map_err(|wrong| format!("next {wrong}"))?;
        if report.follower.is_empty() || report.follower.len() > NAME_MAX {
            return Err(format!("follower must be a name of 1 to {NAME_MAX} bytes"));
        }
        let mut known = self.lock();
        if known.len() >= FOLLOWERS_MAX && !known.contains_key(&report.follower) {
            return Err(format!("{FOLLOWERS_MAX} follow this clock already"));
        }
        let follower = Follower {
            seen: report.seen,
            is_quiet: report.quiet,
            next,
            wire: report.wire,
            heard: Instant::now(),
            listens: true,
        };
        if known.insert(report.follower.clone(), follower).is_none() {
            tracing::info!(follower = report.follower, "follows this clock");
        }
        drop(known);
        self.heard.notify_one();
        Ok(Listening { followers: self, name: report.follower, is_told: false })
    }

    /// Where they are once each has said so by this version and nobody is at work there.
    ///
    /// # Errors
    /// Who has not, by `until`.
    pub async fn all_quiet(&self, version: u64, until: Instant) -> Result<Stand, String> {
        loop {
            let waits_for = match self.stand(version) {
                Ok(stand) => return Ok(stand),
                Err(name) => name,
            };
            if Instant::now() >= until {
                return Err(format!("{waits_for} is at work, or does not answer"));
            }
            drop(timeout(LOOK_EVERY, self.heard.notified()).await);
        }
    }

    /// What they say together; or the name of one that has not said it, or is at work.
    fn stand(&self, version: u64) -> Result<Stand, String> {
        let mut known = self.lock();
        known.retain(|name, follower| {
            let is_here = follower.listens || follower.heard.elapsed() < SILENCE_MAX;
            if !is_here {
                tracing::warn!(follower = name, "does not follow this clock any more");
            }
            is_here
        });
        let mut stand = Stand::default();
        for (name, follower) in known.iter() {
            if follower.seen != version || !follower.is_quiet {
                return Err(name.clone());
            }
            stand.wire = stand.wire.saturating_add(follower.wire);
            if let Some(next) = follower.next
                && stand.next.as_ref().is_none_or(|(first, _name)| next < *first)
            {
                stand.next = Some((next, name.clone()));
            }
        }
        Ok(stand)
    }

    /// For testers.
    pub fn view(&self) -> Value {
        let known = self.lock();
        let line = |(name, follower): (&String, &Follower)| {
            json!({
                "name": name,
                "at_work": !follower.is_quiet,
                "next": follower.next.map(Timestamp::rfc3339),
                "on_the_wire": follower.wire,
            })
        };
        known.iter().map(line).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Follower>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A follower that is kept waiting.
#[derive(Debug)]
pub(super) struct Listening<'a> {
    followers: &'a Followers,
    name: String,
    is_told: bool,
}

impl Listening<'_> {
    /// It is answered.
    pub fn answered(mut self) {
        self.is_told = true;
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        let mut known = self.followers.lock();
        if let Some(follower) = known.get_mut(&self.name).filter(|_| self.is_told) {
            follower.listens = false;
            follower.heard = Instant::now();
        } else if known.remove(&self.name).is_some() {
            tracing::warn!(follower = self.name, "has hung up, and follows this clock no more");
        }
        drop(known);
        self.followers.heard.notify_one();
    }
}
