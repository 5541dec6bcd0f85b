//! A gateway in test mode goes by the simulator's clock (`[test] clock`).
//!
//! It says when nothing goes on here and what is due next, and waits to be told what time it is: so
//! the clock stops at each thing that is due, and never runs ahead of what happens. Without word
//! from the simulator it stands still.

use std::net::SocketAddr;
use std::time::Duration;

use std::sync::Arc;

use http::{Method, header};
use serde::Deserialize;
use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::clock::steered::{Pace, Reading};
use crate::clock::{Clock as _, SteeredClock};
use crate::config::section::TestClock;
use crate::domain::time::Timestamp;
use crate::engine::{Engine, Rest};
use crate::rail::pace;
use crate::rail::transport::{self, Deadlines, Origin, Request};
use crate::telemetry::metric;

/// How long a simulator that does not answer is tried at the start.
const JOIN_WITHIN: Duration = Duration::from_secs(10);
/// How often it is tried then, and later.
const TRY_EVERY: Duration = Duration::from_millis(200);
/// After so long at work, the simulator is told so.
const SAY_EVERY: Duration = Duration::from_secs(1);
/// How long nothing must go on before it is said so.
const MOMENT: Duration = Duration::from_millis(1);
/// The longest that the simulator lets wait is a quarter of a minute.
const DEADLINES: Deadlines = Deadlines {
    connect: Duration::from_secs(2),
    send: Duration::from_secs(2),
    answer: Duration::from_secs(30),
};
/// No pace: this machine is asked.
const PER_SECOND: u32 = 100_000;

/// The simulator whose clock it is.
#[derive(Debug)]
pub(super) struct Leader {
    origin: Origin,
    path: String,
    url: String,
    name: String,
    pace: pace::Pace,
}

/// What it answers.
#[derive(Debug, Deserialize)]
struct Told {
    now: String,
    speed: u32,
    version: u64,
}

impl Leader {
    pub(super) fn new(clock: &TestClock, api: SocketAddr) -> Self {
        Self {
            origin: Origin::plain(clock.host.clone(), clock.port),
            path: format!("{}/follow", clock.path),
            url: clock.url.clone(),
            name: format!("gateway on {api}"),
            pace: pace::Pace::new(PER_SECOND),
        }
    }

    /// A clock that says what the simulator's says.
    ///
    /// # Errors
    /// Why it cannot be known.
    pub(super) async fn join(&self) -> Result<SteeredClock, String> {
        let mut trouble = "it does not answer".to_owned();
        let trying = async {
            loop {
                match self.ask(0, None, 0).await {
                    Ok(reading) => return reading,
                    Err(why) => trouble = why,
                }
                sleep(TRY_EVERY).await;
            }
        };
        let Ok(reading) = timeout(JOIN_WITHIN, trying).await else {
            return Err(format!("{}: {trouble}; is `mlango simulate` running?", self.url));
        };
        let clock = SteeredClock::new(reading.now);
        clock.follow(reading);
        metric::TEST_CLOCK.with([]).set(1);
        tracing::warn!(clock = self.url, now = %reading.now, "TEST CLOCK: this gateway goes by a \
            clock that testers steer, and is not for real money");
        Ok(clock)
    }

    /// Says where this gateway is, and is told what time it is: at once while it is at work, else
    /// when that is news.
    async fn ask(&self, seen: u64, rest: Option<Rest>, wire: u64) -> Result<Reading, String> {
        let report = serde_json::json!({
            "follower": self.name,
            "seen": seen,
            "quiet": rest.is_some(),
            "next": rest.and_then(|rest| rest.next).map(Timestamp::rfc3339),
            "wire": wire,
        });
        let request = Request {
            method: Method::POST,
            path: self.path.clone(),
            headers: vec![(header::CONTENT_TYPE, "application/json".to_owned())],
            body: report.to_string().into_bytes(),
        };
        let answer = transport::send(&self.origin, request, DEADLINES, &self.pace).await;
        let answer = answer.map_err(|_unanswered| "it does not answer".to_owned())?;
        if answer.status != 200 {
            let says = String::from_utf8_lossy(&answer.body).into_owned();
            return Err(format!("it answers {} {says}", answer.status));
        }
        let told: Told = serde_json::from_slice(&answer.body)
            .map_err(|error| format!("its answer cannot be read: {error}"))?;
        let now = Timestamp::parse_rfc3339(&told.now).map_err(|wrong| format!("now {wrong}"))?;
        let pace = if told.speed == 0 { Pace::Stands } else { Pace::Runs(told.speed) };
        Ok(Reading { now, pace, version: told.version })
    }
}

/// Follows until `stop`. What waits for the clock then ends by the machine's, as ever.
pub(super) async fn run(engine: Arc<Engine>, leader: Leader, stop: CancellationToken) {
    let clock = engine.clock().steered().cloned();
    if let Some(clock) = clock {
        let following = Following { engine, leader, clock, seen: 0, trouble: None };
        let clock = following.clock.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = following.on_and_on() => {}
        }
        clock.set_pace(Pace::Runs(1));
    }
}

struct Following {
    engine: Arc<Engine>,
    leader: Leader,
    clock: SteeredClock,
    seen: u64,
    /// What was said last of what is wrong.
    trouble: Option<&'static str>,
}

impl Following {
    async fn on_and_on(mut self) {
        loop {
            let (rest, wire) = self.rest().await;
            match self.leader.ask(self.seen, rest, wire).await {
                Ok(reading) => {
                    self.seen = reading.version;
                    if self.clock.follow(reading).is_zero() {
                        self.trouble = None;
                        continue;
                    }
                    self.say(
                        "the simulator's clock is behind this gateway's, which stands still \
                        until it has come so far; was the simulator started anew?",
                    );
                }
                Err(why) => {
                    tracing::debug!(why, "no word of the simulator's clock");
                    self.clock.set_pace(Pace::Stands);
                    self.say("no word of the simulator's clock: this gateway's stands still");
                }
            }
            sleep(TRY_EVERY).await;
        }
    }

    /// Once.
    fn say(&mut self, what: &'static str) {
        if self.trouble.replace(what) != Some(what) {
            tracing::warn!(clock = self.leader.url, "TEST CLOCK: {what}");
        }
    }

    /// Waits until nothing goes on here, or for a while; and how many requests await an answer.
    async fn rest(&self) -> (Option<Rest>, u64) {
        let at_rest = timeout(SAY_EVERY, self.comes_to_rest()).await.ok();
        let wire = at_rest.map(|(_rest, wire)| wire);
        let wire = wire.unwrap_or_else(|| self.clock.hands().on_the_wire());
        (at_rest.map(|(rest, _wire)| rest), wire)
    }

    async fn comes_to_rest(&self) -> (Rest, u64) {
        let hands = self.clock.hands();
        loop {
            let (turns, wire) = (hands.turns(), hands.on_the_wire());
            let rest = self.engine.at_rest();
            yield_now().await;
            sleep(MOMENT).await;
            let is_same = hands.turns() == turns && hands.on_the_wire() == wire;
            if let Some(rest) = rest.filter(|_| is_same && self.engine.at_rest() == rest) {
                return (rest, wire);
            }
        }
    }
}
