//! Everything that can happen to payouts, tried out: a model checker (`stateright`) walks through
//! all states that the gateway, the network and M-Pesa can get into together.
//!
//! **What is real.** A payout moves by `domain::payout::step` and nothing else, each step is
//! checked by `domain::payout::law` as the engine does, and what may be sent or asked when is said
//! by `domain::retry` and `domain::payout::ask_by`.
//!
//! **What is modelled** (`local`, `moves`). Around it stands the gateway's work as the engine does
//! it: the beginning of a send is committed, then bytes leave, then the answer comes, then the
//! outcome is committed, each a step of its own, and the same for questions. A commit may be on
//! the disk and look as if it had failed; an outcome may never be written; the program may be
//! killed between any two steps, which ends what is only in memory. The network loses requests,
//! answers and results, delays them, and delivers results and answers to questions any number of
//! times, in any order, whenever they are true. M-Pesa takes a request or refuses it, holds it,
//! passes it on or gives up on it, acts or does not, and answers with every class of code. There
//! are two of it: one that carries out an OriginatorConversationID once at most, as documented, and
//! a cruel one that carries out every request that arrives.
//!
//! **What is finite about it** (`canon`). Times are kept as they compare with the present, in ticks
//! of twelve hours; fourteen and fifteen days pass by leaps. Numbers of questions are kept as "the
//! last one" and "one before it".
//!
//! **One payout or many** (`graph`, `world`). Payouts share nothing but the clock, the program and
//! the rail's gate. `graph` lists what can become of one payout whatever the gate says, so that
//! what holds of all of it holds of any number of payouts; `world` has two payouts walk on it
//! together.
//!
//! `cargo test --test model -- --nocapture` prints the numbers, and how each planted bug does its
//! harm.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "a test: it panics to fail, prints what it found, and measures how long that took"
)]

mod canon;
mod facts;
mod graph;
mod local;
mod moves;
mod planted;
mod settle;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use mlango::domain::payout::NotFoundRule::{self, Fail, Person, Resend};

use graph::{Graph, MUST, REACHED, SETTLES, SETTLES_NAME};
use local::{Faults, Gateway, Mpesa, Setting, Step};
use world::Found;

const DEBITS: &str = MUST[0].0;
const SUCCEEDED: &str = MUST[1].0;
const FAILED: &str = MUST[2].0;
const CANCELLED: &str = MUST[3].0;
const FINAL: &str = MUST[4].0;
const LAWS: &str = MUST[5].0;

/// Explores `N` payouts until one of these properties is broken, prints the numbers, and says what
/// was found.
fn explore<const N: usize>(
    name: &str,
    setting: Setting,
    properties: &[&'static str],
) -> (Arc<Graph>, Found) {
    let began = Instant::now();
    let graph = Arc::new(Graph::of(setting, properties.contains(&SETTLES_NAME)));
    let found = world::check::<N>(&graph, properties);
    println!(
        "{name}: {} of one payout; {N} together: {} states, {} steps, depth {}, {} s",
        graph.inside,
        found.states,
        found.steps,
        found.depth,
        began.elapsed().as_secs()
    );
    (graph, found)
}

/// Everything holds of all states of `N` payouts, and of any number of them.
fn holds<const N: usize>(name: &str, setting: Setting) -> BTreeSet<&'static str> {
    let all = [DEBITS, SUCCEEDED, FAILED, CANCELLED, FINAL, LAWS, SETTLES_NAME];
    let (graph, found) = explore::<N>(name, setting, &all);
    if let Some(broken) = found.broken.first() {
        panic!("{name}: not so: {}\n{}\n{}", broken.property, broken.steps, broken.trace);
    }
    for (local, marks) in graph.inside() {
        let held = (0..=SETTLES).all(|bit| marks & (1 << bit) != 0);
        assert!(held, "{name}: not for any number of payouts: {}", world::describe(local));
    }
    found.reached.into_iter().collect()
}

// -------------------------------------------------------------------------------- the promise

#[test]
fn with_every_fault_and_sent_again() {
    let mut reached =
        holds::<1>("every fault, resend", real(Resend, Mpesa::DOCUMENTED, Faults::ALL));
    reached.extend(["not found: failed"]);
    let all: BTreeSet<_> = REACHED.iter().map(|(name, _)| *name).collect();
    assert_eq!(all.difference(&reached).collect::<Vec<_>>(), [&""; 0], "never reached");
}

#[test]
fn with_every_fault_and_a_cruel_mpesa() {
    let faults = Faults { leaps: false, ..Faults::ALL };
    for rule in [Resend, Fail] {
        let name = format!("every fault but age, cruel, {rule:?}");
        let reached = holds::<1>(&name, real(rule, Mpesa::CRUEL, faults));
        let expected = if rule == Resend { "not found: sent again" } else { "not found: failed" };
        assert!(reached.contains(expected), "{expected}");
    }
}

#[test]
fn with_every_fault_and_not_sent_again() {
    let faults = Faults { leaps: false, ..Faults::ALL };
    let reached = holds::<1>("every fault but age, fail", real(Fail, Mpesa::DOCUMENTED, faults));
    assert!(reached.contains("not found: failed"));
    let reached =
        holds::<1>("every fault but age, person", real(Person, Mpesa::DOCUMENTED, faults));
    assert!(reached.contains("not found: a person called"));
}

/// Daraja's B2C v1: M-Pesa does not know our name, and carries out every request that arrives. What
/// was not heard is never sent again, whatever the configuration says of what is not found.
#[test]
fn with_every_fault_and_no_name_of_ours() {
    let faults = Faults { leaps: false, ..Faults::ALL };
    let setting = Setting::unnamed(2, Mpesa::CRUEL, faults);
    let reached = holds::<1>("every fault but age, cruel, no name", setting);
    assert!(!reached.contains("not found: sent again"), "a word about no name proves nothing");
    assert!(!reached.contains("not found: failed"), "a word about no name proves nothing");
}

#[test]
fn when_long_times_pass() {
    let faults = Faults { leaps: true, holding: true, lost_outcomes: true, ..Faults::NONE };
    for rule in [Resend, Fail, Person] {
        for mpesa in [Mpesa::DOCUMENTED, Mpesa::CRUEL] {
            let copies = if mpesa.knows_copies { "documented" } else { "cruel" };
            holds::<1>(&format!("age, {copies}, {rule:?}"), real(rule, mpesa, faults));
        }
    }
}

#[test]
fn until_the_last_round_of_not_found() {
    let faults = Faults { doubtful_answers: true, ..Faults::NONE };
    for mpesa in [Mpesa::DOCUMENTED, Mpesa::CRUEL] {
        let setting = Setting::real(Resend, 5, mpesa, faults);
        let reached = holds::<1>("five attempts", setting);
        assert!(reached.contains("not found: a person called"), "after the last round");
    }
}

#[test]
fn two_payouts_together() {
    let faults = Faults { credentials: true, dead_link: true, ..Faults::NONE };
    holds::<2>("two payouts, documented", real(Resend, Mpesa::DOCUMENTED, faults));
    holds::<2>("two payouts, cruel", real(Resend, Mpesa::CRUEL, Faults::NONE));
}

fn real(rule: NotFoundRule, mpesa: Mpesa, faults: Faults) -> Setting {
    Setting::real(rule, 2, mpesa, faults)
}

// ---------------------------------------------------------------- what the promise rests on

/// Without any one of these assumptions the promise does not hold; the checker shows how.
#[test]
fn each_assumption_is_needed() {
    let held = Faults { holding: true, ..Faults::NONE };
    let usual = Mpesa::DOCUMENTED;
    let silent = Mpesa { holds_in_silence: true, ..usual };
    let silent_cruel = Mpesa { holds_in_silence: true, ..Mpesa::CRUEL };
    let slow = Mpesa { on_the_way: facts::ON_THE_WAY + 1, ..usual };
    let slow_cruel = Mpesa { on_the_way: facts::ON_THE_WAY + 1, ..Mpesa::CRUEL };
    let table = [
        ("holds in silence, resend", Resend, 2, silent, held, FAILED),
        ("holds in silence, cruel", Resend, 2, silent_cruel, held, DEBITS),
        ("slower than the window, resend", Resend, 2, slow, Faults::NONE, FAILED),
        ("slower than the window, cruel", Resend, 2, slow_cruel, Faults::NONE, DEBITS),
    ];
    for (name, rule, attempts, mpesa, faults, expected) in table {
        breaks(name, Setting::real(rule, attempts, mpesa, faults), expected);
    }
}

/// Assumptions that are not needed: `failed` waits out what the broker may hold in silence, and a
/// broker's word that it gave up counts only where it can speak of one send.
#[test]
fn and_these_are_not() {
    let held = Faults { holding: true, ..Faults::NONE };
    let usual = Mpesa::DOCUMENTED;
    let silent = Mpesa { holds_in_silence: true, ..usual };
    let late = Mpesa { gives_up_late: true, ..usual };
    let late_cruel = Mpesa { gives_up_late: true, ..Mpesa::CRUEL };
    let slow = Mpesa { on_the_way: facts::ON_THE_WAY + 1, ..usual };
    let table = [
        ("holds in silence, fail", Fail, 2, silent, held),
        ("gives up late, resend", Resend, 3, late, held),
        ("gives up late, cruel", Resend, 3, late_cruel, held),
        ("slower than the window, fail", Fail, 2, slow, Faults::NONE),
    ];
    for (name, rule, attempts, mpesa, faults) in table {
        let setting = Setting::real(rule, attempts, mpesa, faults);
        let (_graph, found) = explore::<1>(name, setting, &[FAILED, DEBITS]);
        let broken = found.broken.iter().filter(|it| [FAILED, DEBITS].contains(&it.property));
        let broken: Vec<_> = broken.map(|it| (it.property, &it.steps)).collect();
        assert!(broken.is_empty(), "{name}: {broken:?}");
    }
}

/// The checker finds that `property` does not hold, first of all.
fn breaks(name: &str, setting: Setting, property: &'static str) {
    let (_graph, found) = explore::<1>(name, setting, &[property]);
    let broken = found.broken.iter().find(|broken| broken.property == property);
    let broken = broken.unwrap_or_else(|| panic!("{name}: not caught: {property}"));
    println!("  {property}: {}", broken.steps);
}

// -------------------------------------------------------------------- the checker checks itself

/// A bug planted by hand.
struct Bug {
    name: &'static str,
    step: Step,
    rule: NotFoundRule,
    mpesa: Mpesa,
    faults: Faults,
    /// What it breaks where no law is looked at; `None` where M-Pesa makes it good.
    breaks: Option<&'static str>,
    /// Whether a law catches it, too.
    by_law: bool,
}

#[test]
fn every_planted_bug_is_caught() {
    for bug in bugs() {
        let mut setting = real(bug.rule, bug.mpesa, bug.faults);
        setting.step = bug.step;
        if bug.by_law {
            breaks(&format!("{}, laws", bug.name), setting.clone(), LAWS);
        }
        setting.guarded = false;
        if let Some(property) = bug.breaks {
            breaks(bug.name, setting, property);
        }
        assert!(bug.by_law || bug.breaks.is_some(), "{}: caught by nothing", bug.name);
    }
}

#[test]
fn every_bug_planted_around_step_is_caught() {
    let faults = Faults { broken_commits: true, ..Faults::NONE };
    for gateway in [Gateway::SendsUnwritten, Gateway::ResumesSends] {
        let mut setting = real(Resend, Mpesa::CRUEL, faults);
        setting.gateway = gateway;
        breaks(&format!("{gateway:?}"), setting, DEBITS);
    }
}

fn bugs() -> Vec<Bug> {
    let plain = Faults::NONE;
    let held = Faults { holding: true, ..plain };
    let answers = Faults { doubtful_answers: true, ..plain };
    let results = Faults { doubtful_results: true, ..plain };
    let questions = Faults { failing_questions: true, ..plain };
    let mixed = Faults { mix_ups: true, ..plain };
    let people = Faults { people: true, ..plain };
    let wrong = Faults { credentials: true, ..plain };
    let leaps = Faults { leaps: true, ..plain };
    let cruel = |name, step: Step, faults, by_law| Bug {
        name,
        step,
        rule: Resend,
        mpesa: Mpesa::CRUEL,
        faults,
        breaks: Some(DEBITS),
        by_law,
    };
    let usual = |name, step: Step, faults, breaks, by_law| Bug {
        name,
        step,
        rule: Person,
        mpesa: Mpesa::DOCUMENTED,
        faults,
        breaks,
        by_law,
    };
    vec![
        cruel("resends on silence", planted::resends_on_silence, plain, true),
        cruel("resends after a crash", planted::resends_after_a_crash, plain, true),
        cruel("resends when overdue", planted::resends_when_overdue, plain, true),
        cruel("resends on a Fault", planted::resends_on_a_fault, answers, true),
        cruel("not found, early", planted::believes_not_found_early, plain, true),
        cruel("not found, an earlier question", planted::believes_an_earlier_answer, plain, true),
        cruel("not found, forgotten", planted::believes_what_was_forgotten, leaps, true),
        cruel("short window for what is held", planted::forgets_the_long_window, held, false),
        usual("resends on 15", planted::resends_on_a_duplicate, answers, None, true),
        usual("held is failed", planted::fails_what_is_held, held, Some(FAILED), true),
        usual("Fault is failed", planted::fails_on_a_fault, answers, Some(FAILED), true),
        usual("taken is paid", planted::believes_the_answer, plain, Some(SUCCEEDED), true),
        usual("first word", planted::believes_the_first_word, results, Some(SUCCEEDED), true),
        usual("result 17", planted::fails_on_an_internal_error, results, Some(FAILED), true),
        usual("result 15", planted::fails_on_a_duplicate, results, Some(FAILED), true),
        usual("query says 0", planted::believes_the_query, plain, Some(SUCCEEDED), true),
        usual("query failed", planted::fails_with_the_query, questions, Some(FAILED), true),
        usual("another's", planted::believes_anothers_status, mixed, Some(SUCCEEDED), true),
        usual("final is undone", planted::overwrites_what_is_final, plain, Some(FINAL), true),
        usual("cancels", planted::cancels_what_is_sent, people, Some(CANCELLED), true),
        usual("queue timeout", planted::fails_on_a_queue_timeout, held, None, true),
        usual("credential", planted::goes_on_with_a_wrong_credential, wrong, None, true),
        usual("attempts", planted::forgets_attempts, plain, None, true),
        usual("never asks", planted::never_asks, plain, Some(SETTLES_NAME), false),
        usual("never rescues", planted::never_rescues, plain, Some(SETTLES_NAME), false),
        usual("calls nobody", planted::calls_nobody, plain, Some(SETTLES_NAME), false),
        usual("stays", planted::never_settles_a_doubt, plain, Some(SETTLES_NAME), false),
    ]
}
