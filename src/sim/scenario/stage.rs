//! A scenario at work: it counts what it meets, remembers who is asked about, and draws shares.
//!
//! What it chooses follows from the scenario, the seed, the requests and the simulator's clock.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::read::is_over;
use super::traffic::Traffic;
use super::{Float, OUT_OF, Rule, Scenario, Then, When};
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::domain::time::Timestamp;
use crate::sim::book::mix;
use crate::sim::chaos::hash;
use crate::sim::daraja::Api;
use crate::sim::daraja::faults::{self, Fault, Wrong};
use crate::sim::lock;
use crate::sim::script::{Act, Answer, Behaviour, Garbage};

/// The most names that are counted and remembered; a further one counts as new each time.
const NAMES_MAX: usize = 200_000;

/// What a rule says of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sim) struct Verdict {
    pub(in crate::sim) behaviour: Behaviour,
    pub(in crate::sim) faults: Vec<Fault>,
}

impl Verdict {
    fn of(then: &Then, api: Option<Api>) -> Self {
        let Then { mut behaviour, mut faults } = then.clone();
        // What a query is to say stands among the faults; it has no result to fail with.
        if let (Some(Api::StkQuery), Act::Fail(code)) = (api, &behaviour.act) {
            faults.push(Fault::Fail(code.to_string()));
            behaviour.act = Act::Pay;
        }
        // So that it goes before every check, as a line that drops does.
        if behaviour.act == Act::Forget && faults::before(&faults).is_none() {
            faults.extend(forgotten(&behaviour.answer));
        }
        Self { behaviour, faults }
    }
}

/// How it looks when a request is forgotten.
const fn forgotten(answer: &Answer) -> Option<Fault> {
    match answer {
        Answer::Now | Answer::After(_) | Answer::Drop => Some(Fault::DropBefore),
        Answer::Never => Some(Fault::HangBefore),
        Answer::Garbage(Garbage::Page) => Some(Fault::Before(Wrong::Page200)),
        Answer::Garbage(Garbage::Unavailable) => Some(Fault::Before(Wrong::Unavailable503)),
        Answer::Garbage(Garbage::Fault) => Some(Fault::Before(Wrong::Internal500)),
        Answer::Instead(_) => None,
    }
}

/// A rule at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The rule.
    pub rule: Rule,
    /// How many requests met all of it but `nth`, `every` and `times`.
    pub met: u32,
    /// To how many it was done.
    pub hits: u32,
}

/// What is active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Current {
    pub(super) scenario: Arc<Scenario>,
    pub(super) since: Timestamp,
    pub(super) lines: Vec<Line>,
}

/// The scenario that is active, if there is one.
#[derive(Debug)]
pub(in crate::sim) struct Stage {
    seed: u64,
    /// So that without one nothing is locked.
    is_on: AtomicBool,
    active: Mutex<Option<Active>>,
}

#[derive(Debug)]
struct Active {
    scenario: Arc<Scenario>,
    since: Timestamp,
    /// By rule: how many met it, and to how many it was done.
    counts: Vec<(u32, u32)>,
    attempts: HashMap<u64, u32>,
    /// Whom and how much each name is about, for who asks about it.
    known: HashMap<String, (Option<Msisdn>, Option<Amount>)>,
    floats_done: usize,
}

impl Stage {
    pub(in crate::sim) fn new(seed: u64) -> Self {
        Self { seed, is_on: AtomicBool::new(false), active: Mutex::default() }
    }

    pub(in crate::sim) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::SeqCst)
    }

    fn active(&self) -> MutexGuard<'_, Option<Active>> {
        lock(&self.active)
    }

    /// From now on this one, from its beginning; or none.
    pub(super) fn set(&self, scenario: Option<Scenario>, now: Timestamp) {
        let mut active = self.active();
        self.is_on.store(scenario.is_some(), Ordering::SeqCst);
        *active = scenario.map(|mut scenario| {
            scenario.floats.sort_by_key(|float| float.at);
            Active {
                counts: vec![(0, 0); scenario.rules.len()],
                scenario: Arc::new(scenario),
                since: now,
                attempts: HashMap::new(),
                known: HashMap::new(),
                floats_done: 0,
            }
        });
    }

    pub(super) fn current(&self) -> Option<Current> {
        let active = self.active();
        let active = active.as_ref()?;
        let line = |(rule, (met, hits)): (&Rule, &(u32, u32))| Line {
            rule: rule.clone(),
            met: *met,
            hits: *hits,
        };
        Some(Current {
            scenario: Arc::clone(&active.scenario),
            since: active.since,
            lines: active.scenario.rules.iter().zip(&active.counts).map(line).collect(),
        })
    }

    /// Its rules, with what each met.
    pub(in crate::sim) fn lines(&self) -> Vec<Line> {
        self.current().map(|current| current.lines).unwrap_or_default()
    }

    /// The changes of the accounts that have become due since this was last asked.
    pub(in crate::sim) fn due(&self, now: Timestamp) -> Vec<Float> {
        let mut active = self.active();
        let Some(active) = active.as_mut() else {
            return Vec::new();
        };
        let elapsed = now.since(active.since);
        let rest = active.scenario.floats.iter().skip(active.floats_done);
        let due: Vec<Float> = rest.take_while(|float| float.at <= elapsed).cloned().collect();
        active.floats_done = active.floats_done.saturating_add(due.len());
        due
    }

    /// What becomes of a request, if a rule says so: the first that it meets.
    pub(in crate::sim) fn choose(&self, now: Timestamp, mut traffic: Traffic) -> Option<Verdict> {
        let mut active = self.active();
        let active = active.as_mut()?;
        let attempt = active.count(&traffic);
        active.recall(&mut traffic);
        let elapsed = now.since(active.since);
        let scenario = Arc::clone(&active.scenario);
        for (place, rule) in scenario.rules.iter().enumerate() {
            let count = active.counts.get_mut(place)?;
            let draw = Draw { seed: self.seed, place, met: count.0 };
            let is_it = meets(&rule.when, &traffic, attempt)
                && is_within(&rule.when, elapsed)
                && draw.is_drawn(&rule.when, &traffic, attempt);
            if !is_it {
                continue;
            }
            count.0 = count.0.saturating_add(1);
            if is_turn(&rule.when, count.0, count.1) {
                count.1 = count.1.saturating_add(1);
                tracing::info!(rule = rule.name, hits = count.1, "scenario: a rule is met");
                return Some(Verdict::of(&rule.then, traffic.api));
            }
        }
        None
    }

    /// Remembers under which name M-Pesa told of a request: who asks by that asks about the same.
    pub(in crate::sim) fn learn(&self, name: &str, phone: Option<Msisdn>, amount: Option<Amount>) {
        if !self.is_on() {
            return;
        }
        if let Some(active) = self.active().as_mut() {
            active.remember(name, phone, amount);
        }
    }
}

impl Active {
    /// The how-many-th try this is under its name, from 1.
    fn count(&mut self, traffic: &Traffic) -> u32 {
        let Some(name) = &traffic.name else {
            return 1;
        };
        let key = hash(name);
        if self.attempts.len() >= NAMES_MAX && !self.attempts.contains_key(&key) {
            return 1;
        }
        let count = self.attempts.entry(key).or_default();
        *count = count.saturating_add(1);
        *count
    }

    /// A question is about the phone and the amount of what it asks about.
    fn recall(&mut self, traffic: &mut Traffic) {
        if let Some(known) = traffic.about.as_ref().and_then(|about| self.known.get(about)) {
            traffic.phone = traffic.phone.or(known.0);
            traffic.amount = traffic.amount.or(known.1);
        }
        if let Some(name) = traffic.name.clone().filter(|_| traffic.about.is_none()) {
            self.remember(&name, traffic.phone, traffic.amount);
        }
    }

    fn remember(&mut self, name: &str, phone: Option<Msisdn>, amount: Option<Amount>) {
        if phone.is_some() && self.known.len() < NAMES_MAX {
            self.known.insert(name.to_owned(), (phone, amount));
        }
    }
}

/// Whether a request is one of those that a rule is about.
fn meets(when: &When, traffic: &Traffic, attempt: u32) -> bool {
    let has = |list: &[String], text: &String| list.iter().any(|one| one == text);
    let phone = traffic.phone;
    let ends = |ending: &String| phone.is_some_and(|phone| phone.reveal().ends_with(ending));
    is_over(when, traffic.interface)
        && (when.apis.is_empty() || traffic.api.is_some_and(|api| when.apis.contains(&api)))
        && (when.phones.is_empty() || phone.is_some_and(|phone| when.phones.contains(&phone)))
        && (when.endings.is_empty() || when.endings.iter().any(ends))
        && when
            .amount
            .as_ref()
            .is_none_or(|range| traffic.amount.is_some_and(|amount| range.contains(&amount)))
        && (when.commands.is_empty()
            || traffic.command.as_ref().is_some_and(|command| has(&when.commands, command)))
        && (when.apps.is_empty() || traffic.apps.iter().any(|app| has(&when.apps, app)))
        && when.attempt.is_none_or(|wanted| wanted == attempt)
}

/// Whether it is time.
fn is_within(when: &When, elapsed: Duration) -> bool {
    let elapsed = match when.cycle {
        Some(cycle) => {
            let rest = elapsed.as_millis().checked_rem(cycle.as_millis()).unwrap_or_default();
            Duration::from_millis(u64::try_from(rest).unwrap_or_default())
        }
        None => elapsed,
    };
    elapsed >= when.from && when.until.is_none_or(|until| elapsed < until)
}

/// Whether it is the turn of the `met`-th request, when it was that of `hits` before it.
fn is_turn(when: &When, met: u32, hits: u32) -> bool {
    let every = when.every.unwrap_or(1);
    let first = when.nth.unwrap_or(every);
    // One that is named alone is meant alone.
    let alone = (when.nth.is_some() && when.every.is_none()).then_some(1);
    let times = when.times.or(alone);
    let behind = met.checked_sub(first);
    behind.is_some_and(|behind| behind.checked_rem(every) == Some(0))
        && times.is_none_or(|times| hits < times)
}

/// A share is drawn by the seed, the rule, and the name of the request and how often it came: not
/// by the order in which requests come, where they have a name.
struct Draw {
    seed: u64,
    place: usize,
    met: u32,
}

impl Draw {
    fn is_drawn(&self, when: &When, traffic: &Traffic, attempt: u32) -> bool {
        let Some(share) = when.share else {
            return true;
        };
        let (name, nth) = match &traffic.name {
            Some(name) => (hash(name), u64::from(attempt)),
            None => (0, u64::from(self.met)),
        };
        let place = u64::try_from(self.place).unwrap_or_default();
        let mixed = mix(mix(self.seed ^ 0x5ce).wrapping_add(place));
        let drawn = mix(mix(mixed.wrapping_add(name)).wrapping_add(nth));
        drawn.checked_rem(u64::from(OUT_OF)).is_some_and(|drawn| drawn < u64::from(share))
    }
}
