//! Hundreds of worlds, each from a seed, each with every fault at a high rate.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mlango::daraja::B2cVersion;
use mlango::domain::payout::{NotFoundRule, Policy, Rail};
use mlango::sim::scenario::ready;
use tokio::time::sleep;

use crate::check::{self, Ends};
use crate::dice::Dice;
use crate::fate::Trips;
use crate::life::Life;
use crate::net::{Again, Weather};
use crate::store::Troubles;
use crate::till::{self, Income};
use crate::world::{By, Make, World, chaos, policy};

/// How many seeds are run; `MLANGO_SEEDS` sets another number.
const SEEDS: u64 = 400;
/// How many payouts each has at most; `MLANGO_PAYOUTS` sets another number.
const PAYOUTS: u64 = 12;
/// How long a world has, once it is calm, to come to rest.
const PATIENCE_S: u64 = 4 * 3_600;

/// What a disk does now and then.
const TROUBLES: Troubles = Troubles { slow: 20, full: 15, broken: 1, written_yet_broken: 1 };

#[test]
fn the_book_equals_the_ledger_whatever_happens() {
    let payouts = number("MLANGO_PAYOUTS").unwrap_or(PAYOUTS);
    if let Some(seed) = number("MLANGO_SEED") {
        let (ends, log) = live(seed, payouts, true);
        println!("{}\nseed {seed}: {ends}", log.join("\n"));
        return;
    }
    let seeds = number("MLANGO_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(0);
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let sums = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    let mut sum = Ends::default();
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds {
                            return sum;
                        }
                        sum.add(&try_seed(seed, payouts));
                        if seeds > SEEDS && seed.is_multiple_of(seeds / 50) {
                            eprintln!("{seed} of {seeds} seeds begun");
                        }
                    }
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join()).collect::<Vec<_>>()
    });
    let mut all = Ends::default();
    for sum in sums {
        all.add(&sum.expect("a seed failed: its number and its log stand above"));
    }
    println!("{seeds} seeds, {all}");
    assert!(all.succeeded > 0 && all.failed > 0 && all.sent_again > 0 && all.questions > 0);
    assert!(all.paid_in > 0 && all.not_paid > 0 && all.claims > 0);
}

#[test]
fn two_runs_with_one_seed_behave_alike() {
    for seed in [1, 2, 3] {
        let (first, second) = (live(seed, PAYOUTS, true), live(seed, PAYOUTS, true));
        assert_eq!(first, second, "seed {seed}");
    }
}

/// Runs a seed; one that fails is run again for its log.
fn try_seed(seed: u64, payouts: u64) -> Ends {
    match catch_unwind(|| live(seed, payouts, false)) {
        Ok((ends, _log)) => ends,
        Err(failure) => {
            println!("seed {seed} failed; MLANGO_SEED={seed} plays it again:");
            drop(catch_unwind(AssertUnwindSafe(|| live(seed, payouts, true))));
            std::panic::resume_unwind(failure);
        }
    }
}

/// What becomes of one seed, and what happened.
fn live(seed: u64, payouts: u64, keeps_log: bool) -> (Ends, Vec<String>) {
    live_under(seed, payouts, keeps_log, None)
}

/// The same, while M-Pesa plays a scenario until all is calm.
pub fn live_under(
    seed: u64,
    payouts: u64,
    keeps_log: bool,
    scenario: Option<&str>,
) -> (Ends, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut dice = Dice::new(seed, "the plan");
        let world = World::make(make(seed, &mut dice)).await;
        if let Some(name) = scenario {
            let shipped = ready::scenario(name).expect("one that ships").expect("in order");
            world.mpesa.play(Some(shipped));
        }
        if keeps_log {
            world.net.keep_log();
        }
        let printer = Printer { world: &world, is_on: keeps_log };
        play(&world, &mut dice, payouts, scenario.is_some()).await;
        let ends = check::everything(&world, Again::No).await;
        std::mem::forget(printer);
        (ends, world.net.log())
    })
}

/// Prints the log when a check fails.
struct Printer<'a> {
    world: &'a World,
    is_on: bool,
}

impl Drop for Printer<'_> {
    fn drop(&mut self) {
        if self.is_on {
            println!("{}", self.world.net.log().join("\n"));
        }
    }
}

fn make(seed: u64, dice: &mut Dice) -> Make {
    let on_not_found = match dice.below(6) {
        0 => NotFoundRule::Fail,
        1 => NotFoundRule::Person,
        _ => NotFoundRule::Resend,
    };
    let weather = if dice.per_mille(800) { Weather::STORM } else { Weather::default() };
    let chaos = dice.per_mille(800).then(|| chaos(seed));
    let policy = Policy { on_not_found, ..policy() };
    // In some worlds the broker holds requests for longer than anybody expects: then only M-Pesa's
    // memory for names stands between a re-send and a second debit.
    let short = Duration::from_secs(20);
    let arrival_window = if dice.per_mille(200) { short } else { policy.arrival_window };
    let by = match dice.below(4) {
        0 => By::Soap,
        1 => By::Daraja,
        _ => By::Both,
    };
    let policy = Policy { arrival_window, ..policy };
    let income = Income::Seeded;
    Make { seed, weather, chaos, policy, by, b2c: B2cVersion::V3, income }
}

/// Several lives of the program, one after the other, while everything goes wrong; then one in
/// which nothing does.
async fn play(world: &World, dice: &mut Dice, payouts: u64, mends: bool) {
    let mut begun = Begun::default();
    let lives = 1 + dice.below(5);
    for _ in 0..lives {
        // Some die at a moment, some between two effects.
        let at = dice.per_mille(500).then(|| dice.below(400));
        let trips = Arc::new(Trips::at(at.as_slice()));
        let Some(life) = Life::begin(world, trips, Again::No, TROUBLES).await else {
            sleep(Duration::from_secs(1)).await;
            continue;
        };
        let ends_at = dice.millis(120_000);
        let living = live_on(world, &life, dice, &mut begun, payouts);
        let ended = tokio::select! {
            biased;
            () = life.fate.ended() => true,
            () = living => false,
            () = sleep(ends_at) => false,
        };
        if !ended && dice.per_mille(200) {
            life.drain(world).await;
        } else {
            life.kill(world);
        }
        sleep(dice.millis(5_000)).await;
    }
    world.net.calm();
    world.mpesa.calm();
    world.net.note(|| "all is calm".to_owned());
    let trips = Arc::new(Trips::at(&[]));
    let life = Life::begin(world, trips, Again::No, Troubles::default()).await;
    let life = life.expect("nothing kills it");
    // Somebody mended what a scenario broke: an operator that was locked, a password.
    for rail in [Rail::Soap, Rail::Daraja].into_iter().filter(|_| mends) {
        drop(life.engine.resume_rail(rail, "a person").await);
    }
    while begun.payouts < payouts {
        submit(world, &life, dice, begun.payouts).await;
        begun.payouts += 1;
    }
    for _ in 0..PATIENCE_S / 15 {
        sleep(Duration::from_secs(15)).await;
        let waiting = world.mpesa.results_waiting() + world.net.held();
        if check::is_at_rest(world).await && waiting == 0 {
            break;
        }
    }
    for _ in 0..3 {
        world.race_in_calm(&life, dice).await;
    }
    if world.till.pulls {
        till::pull_at_last(&life.engine).await;
    }
    life.kill(world);
}

/// What was begun so far.
#[derive(Clone, Copy, Debug, Default)]
struct Begun {
    payouts: u64,
    prompts: u64,
    customers: u64,
}

/// What happens in one life, until it is over.
async fn live_on(world: &World, life: &Life, dice: &mut Dice, begun: &mut Begun, payouts: u64) {
    loop {
        sleep(dice.millis(6_000)).await;
        if life.disk.has_failed() {
            // As an operator does who sees it in `readyz`.
            sleep(Duration::from_secs(2)).await;
            return;
        }
        match dice.below(14) {
            0..=5 if begun.payouts < payouts => {
                let taken = submit(world, life, dice, begun.payouts).await;
                begun.payouts += u64::from(taken);
            }
            // The same key again, long after it was answered.
            6 if begun.payouts > 0 => {
                let which = dice.below(begun.payouts);
                submit(world, life, dice, which).await;
            }
            7 if begun.payouts > 0 && dice.per_mille(300) => {
                world.cancel(life, &key(dice.below(begun.payouts))).await;
            }
            8 if begun.payouts > 0 => {
                let which = key(dice.below(begun.payouts));
                let known = world.orders.lock().expect("orders").get(&which).cloned();
                if let Some(order) = known {
                    world.net.note(|| format!("M-Pesa is to be asked about {which} now"));
                    drop(life.engine.inquire(None, order.id).await);
                }
            }
            9 | 10 if begun.prompts < payouts / 2 => {
                let taken = push(world, life, dice, begun.prompts).await;
                begun.prompts += u64::from(taken);
            }
            // The same key again, long after it was answered.
            11 if begun.prompts > 0 && dice.per_mille(300) => {
                let which = dice.below(begun.prompts);
                push(world, life, dice, which).await;
            }
            11 if begun.customers < payouts / 2 => {
                pay(world, dice, begun.customers);
                begun.customers += 1;
            }
            12 => drop(world.race(life, dice).await),
            _ => {}
        }
    }
}

fn key(number: u64) -> String {
    format!("INV-{number}")
}

/// A payout whose details follow from its number, so that it is the same each time.
async fn submit(world: &World, life: &Life, dice: &mut Dice, number: u64) -> bool {
    let mut details = Dice::new(world.seed ^ number, "a payout");
    let ending = match details.below(8) {
        // The contract's phones, each with its own story; most others are left to the faults.
        0 => 1 + details.below(9),
        _ => 1_000 + details.below(8_000),
    };
    let phone = format!("25472{:03}{ending:04}", details.below(1_000));
    let shillings = 10 + details.below(5_000);
    for _ in 0..3 {
        if world.submit(life, &key(number), &phone, shillings).await {
            return true;
        }
        sleep(dice.millis(2_000)).await;
    }
    false
}

/// A prompt whose details follow from its number, so that it is the same each time.
async fn push(world: &World, life: &Life, dice: &mut Dice, number: u64) -> bool {
    let mut details = Dice::new(world.seed ^ number, "a prompt");
    let ending = match details.below(8) {
        0 => 1 + details.below(11),
        _ => 1_000 + details.below(8_000),
    };
    let phone = format!("25471{:03}{ending:04}", details.below(1_000));
    let shillings = 10 + details.below(3);
    // Some payers have two bills under one account.
    let account = format!("ORDER{}", number - details.below(2).min(number));
    for _ in 0..3 {
        if world.push(life, &format!("STK-{number}"), (&phone, shillings, &account)).await {
            return true;
        }
        sleep(dice.millis(2_000)).await;
    }
    false
}

/// A customer pays by himself: what nobody asked him for, or by hand what he was prompted for.
fn pay(world: &World, dice: &mut Dice, number: u64) {
    let known = world.till.pushes.lock().expect("pushes").clone();
    let prompted = known.values().nth(usize::try_from(dice.below(8)).expect("it fits"));
    let by_soap = dice.per_mille(300);
    match prompted {
        Some(push) => {
            world.customer_pays((&push.phone, push.shillings, &push.account), by_soap);
        }
        None => {
            let phone = format!("25470{:07}", 1_000_000 + dice.below(8_000_000));
            world.customer_pays((&phone, 10 + dice.below(500), &format!("BILL{number}")), by_soap);
        }
    }
}

/// A number from the environment, for people who want more, or one seed again.
#[expect(clippy::disallowed_methods, reason = "a test reads its own switches")]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, and is {text:?}")))
}
