//! What the engine counts, and the one way by which it writes.

use std::time::Duration;

use super::apply::CameTo;
use super::port::Outcome;
use super::{Engine, trace};
use crate::domain::outcome::AnswerClass;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;
use crate::store::{Commit, CommitError, Durable};
use crate::telemetry::metric::{self, Counter, Gauge, Histogram};

/// Handles that are asked for once.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) submitted: Counter,
    commit_seconds: Histogram,
    waiting: Gauge,
    /// From being taken to a conclusive status.
    conclusive: Histogram,
    contradictions: Counter,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            submitted: metric::PAYOUTS_SUBMITTED.with([]),
            commit_seconds: metric::STORE_COMMIT_SECONDS.with([]),
            waiting: metric::STORE_QUEUE_DEPTH.with([]),
            conclusive: metric::CONCLUSIVE_SECONDS.with([]),
            contradictions: metric::CONTRADICTIONS.with([]),
        }
    }

    /// Counts what an event came to.
    pub(super) fn count(&self, came_to: &CameTo) {
        match came_to {
            CameTo::Moved(payout) => {
                if let Some(at) = payout.state.completed_at() {
                    self.conclusive.record(at.since(payout.details.created_at));
                }
            }
            CameTo::Contradicted => self.contradictions.increment(),
            CameTo::Noted | CameTo::Stale | CameTo::Forbidden(_) | CameTo::Parked => {}
        }
    }

    /// The times that half, and 99 of a hundred, of the conclusive payouts did not exceed.
    pub(super) fn conclusive_times(&self) -> Option<(Duration, Duration)> {
        Some((self.conclusive.quantile(500)?, self.conclusive.quantile(990)?))
    }
}

impl Engine {
    /// Every write of the engine goes through here, so that it is timed and its cases are counted.
    pub(super) async fn commit(&self, commit: Commit) -> Result<Durable, CommitError> {
        let cases: Vec<&'static str> = commit.cases.iter().map(|case| case.kind.as_str()).collect();
        let born = commit.lives.iter().filter(|write| write.expected_version == 0);
        let born = born.filter_map(|it| Some((it.life.subject(), trace::since(&it.life)?)));
        let born: Vec<(Subject, Timestamp)> = born.collect();
        let since = tokio::time::Instant::now();
        self.tally.waiting.add(1);
        let written = self.parts.store.commit(commit).await;
        self.tally.waiting.subtract(1);
        self.tally.commit_seconds.record(since.elapsed());
        if written.is_ok() {
            for kind in cases {
                metric::CASES.with([kind]).increment();
            }
            trace::born(&born, self.parts.clock.now());
        }
        written
    }

    /// Counts what became of a send.
    pub(super) fn count_send(&self, outcome: &Outcome) {
        let word = match outcome {
            Outcome::Answered(facts) => match facts.class() {
                AnswerClass::Taken => "taken",
                AnswerClass::Cached => "cached",
                AnswerClass::TryLater => "busy",
                AnswerClass::Refused => "refused",
                AnswerClass::Doubt => "doubt",
            },
            Outcome::NothingSent(_) => "nothing_sent",
            Outcome::NoAnswer(_) => "no_answer",
        };
        metric::SENDS.with([word]).increment();
    }
}
