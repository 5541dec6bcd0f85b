//! Moving the clock on, from one thing that is due to the next.

use tokio::task::yield_now;
use tokio::time::{Instant, sleep};

use std::time::Duration;

use super::followers::{Followers, Stand};
use super::wanted::How;
use crate::clock::hands::Hands;
use crate::clock::{Clock as _, SteeredClock};
use crate::domain::time::Timestamp;

/// The most steps of one request.
const STEPS_MAX: u64 = 500_000;
/// How many steps are told of.
const TOLD_MAX: usize = 200;
/// How often whoever is ready may run before somebody looks at the machine's clock.
const TURNS: u32 = 20;
/// How long is waited then.
const MOMENT: Duration = Duration::from_millis(1);
/// So often a follower may say that something is due without beginning it.
const STUBBORN_MAX: u32 = 200;

/// Where to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    /// What is due next.
    Next,
    /// A time.
    At(Timestamp),
}

/// Something that was due, and was begun.
#[derive(Clone, Debug)]
pub(super) struct Begun {
    pub at: Timestamp,
    pub what: &'static str,
    pub whose: String,
}

/// How far it came.
#[derive(Debug)]
pub(super) struct Came {
    pub target: Timestamp,
    pub steps: u64,
    /// Why it did not arrive.
    pub why: Option<String>,
    /// The first of what was begun.
    pub begun: Vec<Begun>,
}

struct Mover<'a> {
    clock: &'a SteeredClock,
    followers: &'a Followers,
    how: How,
    until: Instant,
    came: Came,
    /// How often in a row nothing began that a follower said was due.
    stubborn: u32,
}

/// Moves the clock on. It stands meanwhile, but for the steps, and goes on afterwards as before.
pub(super) async fn advance(
    clock: &SteeredClock,
    followers: &Followers,
    target: Target,
    how: How,
) -> Came {
    let held = clock.hold();
    let begun = Instant::now();
    let until = begun.checked_add(how.within).unwrap_or(begun);
    let to = if let Target::At(to) = target { to } else { clock.now() };
    let came = Came { target: to, steps: 0, why: None, begun: Vec::new() };
    let mut mover = Mover { clock, followers, how, until, came, stubborn: 0 };
    if let Err(why) = mover.go(target).await {
        mover.came.why = Some(why);
    }
    drop(held);
    mover.came
}

impl Mover<'_> {
    async fn go(&mut self, target: Target) -> Result<(), String> {
        let mut stand = self.settled().await?;
        if let Target::Next = target {
            let Some((due, _whose)) = self.first(&stand) else {
                return Err("nothing waits".to_owned());
            };
            self.came.target = due.max(self.clock.now());
        }
        loop {
            match self.first(&stand).filter(|(due, _)| *due <= self.came.target) {
                Some((due, whose)) => self.step(due, whose)?,
                None if self.clock.now() >= self.came.target => return Ok(()),
                // Followers come along before it is said to be there.
                None => self.clock.put(self.came.target),
            }
            stand = self.settled().await?;
        }
    }

    /// What is due first, and whose it is; ours before a follower's.
    fn first(&self, stand: &Stand) -> Option<(Timestamp, Option<String>)> {
        let ours = self.clock.first().map(|due| (due.at, None));
        let theirs = stand.next.clone().map(|(at, whose)| (at, Some(whose)));
        ours.into_iter().chain(theirs).min_by_key(|(at, _)| *at)
    }

    /// Goes to what is due next and has it begin.
    fn step(&mut self, due: Timestamp, whose: Option<String>) -> Result<(), String> {
        if self.came.steps >= STEPS_MAX {
            return Err(format!("{STEPS_MAX} steps are the most; ask again to go on"));
        }
        let before = self.clock.now();
        self.clock.put(due);
        let (what, whose) = match whose {
            None => (self.clock.step().map_or("given up", |due| due.what), "simulator".to_owned()),
            Some(whose) => ("what it has to do", whose),
        };
        self.stubborn =
            if due > before || whose == "simulator" { 0 } else { self.stubborn.saturating_add(1) };
        if self.stubborn > STUBBORN_MAX {
            return Err(format!(
                "{whose} says that something is due since {due}, and begins nothing"
            ));
        }
        if self.stubborn == 0 {
            self.came.steps = self.came.steps.saturating_add(1);
            if self.came.begun.len() < TOLD_MAX {
                self.came.begun.push(Begun { at: due, what, whose });
            }
        }
        Ok(())
    }

    /// Waits until nobody is at work, here or there, and answers what followers wait for then.
    async fn settled(&self) -> Result<Stand, String> {
        if !self.how.pause.is_zero() {
            sleep(self.how.pause).await;
        }
        let hands = self.clock.hands();
        loop {
            if self.how.settle {
                self.all_rest(hands).await?;
            }
            let turns = hands.turns();
            let version = self.clock.ask_followers();
            let stand = self.followers.all_quiet(version, self.until).await;
            let stand = stand.map_err(|why| self.out_of_time(&why))?;
            let is_calm = hands.are_idle() && hands.turns() == turns && stand.wire <= hands.held();
            if is_calm || !self.how.settle {
                return Ok(stand);
            }
            if Instant::now() >= self.until {
                return Err(self.out_of_time("requests are on their way"));
            }
            sleep(MOMENT).await;
        }
    }

    /// Waits until nobody is at work here.
    async fn all_rest(&self, hands: &Hands) -> Result<(), String> {
        loop {
            for _ in 0..TURNS {
                if hands.are_idle() {
                    return Ok(());
                }
                yield_now().await;
            }
            if Instant::now() >= self.until {
                return Err(self.out_of_time("the simulator is at work"));
            }
            sleep(MOMENT).await;
        }
    }

    fn out_of_time(&self, why: &str) -> String {
        let within = self.how.within.as_secs();
        format!("{why}; it was not there within {within}s, and stands at {}", self.clock.now())
    }
}
