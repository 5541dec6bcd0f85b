//! The same worlds, while M-Pesa plays each of the scenarios that ship.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mlango::sim::scenario::ready;

use crate::check::Ends;
use crate::seeds::live_under;

/// How many worlds each scenario is played in.
const SEEDS: u64 = 24;
const PAYOUTS: u64 = 12;

#[test]
fn the_book_equals_the_ledger_under_every_scenario_that_ships() {
    let played = std::thread::scope(|scope| {
        let mut played = Vec::new();
        for name in ready::names() {
            played.push((name, scope.spawn(move || worlds(name))));
        }
        played.into_iter().map(|(name, world)| (name, world.join())).collect::<Vec<_>>()
    });
    for (name, ends) in played {
        let ends = ends.unwrap_or_else(|_panic| panic!("{name}: its seed and log stand above"));
        println!("{name}: {ends}");
        assert!(ends.succeeded > 0, "{name}: once it is over, payouts succeed");
    }
}

/// Every world of one scenario; one that fails is run again for its log.
fn worlds(name: &str) -> Ends {
    let mut all = Ends::default();
    for seed in 0..SEEDS {
        match catch_unwind(|| live_under(seed, PAYOUTS, false, Some(name))) {
            Ok((ends, _log)) => all.add(&ends),
            Err(failure) => {
                println!("{name} with seed {seed} failed:");
                drop(catch_unwind(AssertUnwindSafe(|| {
                    live_under(seed, PAYOUTS, true, Some(name))
                })));
                std::panic::resume_unwind(failure);
            }
        }
    }
    all
}

#[test]
fn two_runs_with_one_seed_and_one_scenario_behave_alike() {
    for name in ["bad-friday", "daraja-brownout"] {
        let (first, second) =
            (live_under(3, PAYOUTS, true, Some(name)), live_under(3, PAYOUTS, true, Some(name)));
        assert_eq!(first, second, "{name}");
    }
}
