//! What a tester may ask of the clock.

use std::time::Duration;

use serde::Deserialize;

use super::length::length;
use crate::clock::steered::{Pace, SPEED_MAX};
use crate::domain::time::Timestamp;

/// The furthest that one request may move it: more than a year.
const ADVANCE_MAX: Duration = Duration::from_secs(400 * 86_400);
/// How long moving it may take, really, when nobody says, and at most.
const WITHIN: Duration = Duration::from_secs(60);
const WITHIN_MAX: Duration = Duration::from_secs(600);
/// The longest pause between two steps.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The body of `POST /sim/clock`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sim) struct Wanted {
    advance: Option<String>,
    set: Option<String>,
    next: Option<bool>,
    stand: Option<bool>,
    run: Option<bool>,
    speed: Option<u32>,
    settle: Option<bool>,
    within: Option<String>,
    pause: Option<String>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// It goes on like this.
    Go(Pace),
    /// It is moved to what is due next.
    Next,
    /// It is moved to this time.
    To(Timestamp),
}

/// How it is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct How {
    /// Whether each thing that is due is done before the next is begun.
    pub settle: bool,
    /// How long it may take, really.
    pub within: Duration,
    /// A real pause after each step, for systems that do not follow the clock.
    pub pause: Duration,
}

impl Wanted {
    /// Reads it; the clock says `now`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(self, now: Timestamp) -> Result<(Act, How), String> {
        let how = How {
            settle: self.settle.unwrap_or(true),
            within: within("within", self.within.as_deref(), WITHIN, WITHIN_MAX)?,
            pause: within("pause", self.pause.as_deref(), Duration::ZERO, PAUSE_MAX)?,
        };
        let acts = [
            self.advance.as_deref().map(|by| advance(by, now)),
            self.set.as_deref().map(|to| set(to, now)),
            self.next.map(|next| only_true("next", next, Act::Next)),
            self.stand.map(|stand| only_true("stand", stand, Act::Go(Pace::Stands))),
            self.run.map(|run| only_true("run", run, Act::Go(Pace::Runs(1)))),
            self.speed.map(speed),
        ];
        let mut acts = acts.into_iter().flatten();
        match (acts.next(), acts.next()) {
            (Some(act), None) => Ok((act?, how)),
            _ => Err("expected one of advance, set, next, stand, run and speed, and no other of \
                      them"
                .to_owned()),
        }
    }
}

fn advance(by: &str, now: Timestamp) -> Result<Act, String> {
    let by = length(by).map_err(|why| format!("advance: {why}"))?;
    if by > ADVANCE_MAX {
        return Err("advance: 400d is the most at once".to_owned());
    }
    Ok(Act::To(now.after(by)))
}

fn set(to: &str, now: Timestamp) -> Result<Act, String> {
    let to = Timestamp::parse_rfc3339(to).map_err(|_wrong| {
        format!("set: found {to:?}; expected a time such as \"2026-12-31T20:59:50Z\"")
    })?;
    if to < now {
        let says =
            "it never goes back, as what has happened has happened; start the simulator anew";
        return Err(format!("set: {to} is before now, which is {now}: {says}"));
    }
    if to.since(now) > ADVANCE_MAX {
        return Err(format!("set: {to} is more than 400d after now, which is {now}"));
    }
    Ok(Act::To(to))
}

fn only_true(name: &str, value: bool, act: Act) -> Result<Act, String> {
    if value { Ok(act) } else { Err(format!("{name}: found false; expected true, or nothing")) }
}

fn speed(speed: u32) -> Result<Act, String> {
    if (1..=SPEED_MAX).contains(&speed) {
        return Ok(Act::Go(Pace::Runs(speed)));
    }
    let says = "expected how many seconds are to pass in one";
    Err(format!("speed: found {speed}; {says}, from 1 to {SPEED_MAX}"))
}

/// A length of time of at most `most`.
fn within(
    name: &str,
    text: Option<&str>,
    usual: Duration,
    most: Duration,
) -> Result<Duration, String> {
    let read = text.map_or(Ok(usual), length).map_err(|why| format!("{name}: {why}"))?;
    if read > most {
        return Err(format!("{name}: {}s is the most", most.as_secs()));
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);

    fn read(text: &str) -> Result<Act, String> {
        let wanted: Wanted = serde_json::from_str(text).map_err(|error| error.to_string())?;
        wanted.read(NOW).map(|(act, _how)| act)
    }

    #[test]
    fn what_a_tester_may_ask() {
        let later = NOW.after(Duration::from_secs(3 * 86_400));
        let table = [
            (r#"{"advance":"3d"}"#, Act::To(later)),
            (r#"{"set":"2024-01-05T03:04:05Z","settle":false}"#, Act::To(later)),
            (r#"{"next":true,"pause":"50ms"}"#, Act::Next),
            (r#"{"stand":true}"#, Act::Go(Pace::Stands)),
            (r#"{"run":true}"#, Act::Go(Pace::Runs(1))),
            (r#"{"speed":3600}"#, Act::Go(Pace::Runs(3_600))),
        ];
        for (text, act) in table {
            assert_eq!(read(text), Ok(act), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let table = [
            ("{}", "expected one of advance, set, next, stand, run and speed"),
            (r#"{"run":true,"stand":true}"#, "and no other of them"),
            (r#"{"run":false}"#, "run: found false"),
            (r#"{"advance":"3 days"}"#, "advance: found \"3 days\"; expected a length of time"),
            (r#"{"advance":"401d"}"#, "400d is the most"),
            (r#"{"set":"tomorrow"}"#, "set: found \"tomorrow\"; expected a time"),
            (r#"{"set":"2024-01-01T00:00:00Z"}"#, "is before now, which is 2024-01-02T03:04:05"),
            (r#"{"set":"2026-01-01T00:00:00Z"}"#, "more than 400d"),
            (r#"{"speed":0}"#, "speed: found 0; expected how many seconds"),
            (r#"{"speed":86401}"#, "from 1 to 86400"),
            (r#"{"next":true,"within":"1d"}"#, "within: 600s is the most"),
            (r#"{"next":true,"pause":"11s"}"#, "pause: 10s is the most"),
            (r#"{"forward":"3d"}"#, "unknown field `forward`"),
        ];
        for (text, says) in table {
            let wrong = read(text).expect_err(text);
            assert!(wrong.contains(says), "{text}: {wrong}");
        }
    }
}
