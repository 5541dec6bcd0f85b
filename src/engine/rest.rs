//! Whether anything goes on, for a clock that testers steer: it moves only when nothing does.

use super::gate::Line;
use super::{Engine, track::Track};
use crate::clock::Clock as _;
use crate::clock::hands::Doing;
use crate::domain::time::Timestamp;

/// An engine in which nothing happens before time passes, M-Pesa speaks, or a person acts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rest {
    /// When time alone makes something happen.
    pub next: Option<Timestamp>,
}

impl Engine {
    /// Waits for what another part of the program, or a person, brings: whoever does is not at
    /// work.
    pub(super) async fn rest<T>(&self, until: impl Future<Output = T>) -> T {
        let _rest = self.parts.clock.mark(Doing::Rest);
        until.await
    }

    /// Waits for an answer of M-Pesa's, or of whoever sends text messages.
    pub(super) async fn on_the_wire<T>(&self, answer: impl Future<Output = T>) -> T {
        let _wire = self.parts.clock.mark(Doing::Wire);
        answer.await
    }

    /// Whether nothing goes on, and until when; `None` while something does. It is for a clock
    /// that testers steer, and says nothing of any other.
    pub fn at_rest(&self) -> Option<Rest> {
        let now = self.parts.clock.now();
        let clock = self.parts.clock.steered()?;
        if !clock.hands().are_idle() || self.errands.have_ready() {
            return None;
        }
        let mut next = self.timers.first();
        if next.is_some_and(|next| next <= now) {
            return None;
        }
        let mut sooner = |at: Timestamp| next = Some(next.map_or(at, |next| next.min(at)));
        for track in self.tracks.each() {
            for opens_at in waiting(track, now) {
                if opens_at <= now {
                    return None;
                }
                sooner(opens_at);
            }
        }
        // Pauses, and whatever else goes by the clock and is not in the book.
        if let Some(due) = clock.first() {
            sooner(due.at.max(now));
        }
        Some(Rest { next })
    }
}

/// When what waits on a rail may go, as far as time alone decides that.
fn waiting(track: &Track, now: Timestamp) -> impl Iterator<Item = Timestamp> {
    let lines = [Line::Payouts, Line::Questions].into_iter();
    let ready = lines.filter(|line| track.line(*line).is_about_to_go());
    ready.filter_map(move |line| track.gate.opens_at(line, now))
}
