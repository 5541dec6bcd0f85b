//! The program killed at every single point, and every effect performed twice.
//!
//! The points are not listed anywhere: each write, each byte that leaves, each answer and each
//! callback counts itself as it passes. One run without a death counts them; then there is a run
//! for each of them that dies there, is started again, and must come to the same end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mlango::daraja::B2cVersion;
use mlango::domain::payout::Status;
use tokio::time::sleep;

use crate::check::{self, Ends};
use crate::dice::Dice;
use crate::fate::Trips;
use crate::life::Life;
use crate::net::{Again, Weather};
use crate::store::Troubles;
use crate::till::{self, Income};
use crate::world::{By, Make, World, policy};

/// The payouts: one of each kind of end and of each way there, by the contract's phones.
const PAYOUTS: [(&str, Status); 7] = [
    ("254722123456", Status::Succeeded),
    ("254722000001", Status::Failed),
    ("254722000002", Status::Failed),
    ("254722000004", Status::Succeeded),
    ("254722000005", Status::Succeeded),
    ("254722000006", Status::Succeeded),
    ("254722000008", Status::Succeeded),
];
/// How many runs die twice, at two points that a seed chooses.
const PAIRS: u64 = 200;
/// The same of a run of money in, for each of its seeds.
const PAIRS_IN: u64 = 30;
/// How long a run has, in virtual time.
const PATIENCE_S: u64 = 2 * 3_600;

/// Where every payout ended, and what M-Pesa paid in all.
#[derive(Debug, PartialEq, Eq)]
struct End {
    by_key: BTreeMap<String, Status>,
    paid: u64,
}

#[test]
fn whatever_point_it_dies_at_the_end_is_the_same() {
    die_everywhere(By::Soap);
}

#[test]
fn whatever_point_it_dies_at_over_daraja_the_end_is_the_same() {
    die_everywhere(By::Daraja);
}

fn die_everywhere(by: By) {
    for again in [Again::No, Again::FirstCounts, Again::SecondCounts] {
        let counting = Arc::new(Trips::counting());
        let end = run(&counting, (by, again));
        let wanted = PAYOUTS.iter().enumerate();
        let wanted = wanted.map(|(number, (_, status))| (key(number), *status)).collect();
        assert_eq!(end.by_key, wanted, "without a death");
        let names = counting.names();
        assert!(names.len() > 50, "the points count themselves: {names:?}");
        for kind in ["before writing", "after writing", "before connecting", "bytes", "callback"] {
            assert!(names.iter().any(|name| name.contains(kind)), "{kind}");
        }
        let points = u64::try_from(names.len()).expect("it fits");
        for point in 0..points {
            let trips = Arc::new(Trips::at(&[point]));
            let died = run(&trips, (by, again));
            let name = names.get(usize::try_from(point).expect("it fits"));
            assert!(trips.passed() > point, "it died at {point}");
            assert_eq!(died, end, "killed at point {point}, {name:?}, with {again:?}");
        }
        let mut dice = Dice::new(7, "pairs of points");
        for _ in 0..PAIRS {
            let pair = [dice.below(points), dice.below(points)];
            let died = run(&Arc::new(Trips::at(&pair)), (by, again));
            assert_eq!(died, end, "killed at points {pair:?} with {again:?}");
        }
        println!(
            "{points} points, each died at once; {PAIRS} pairs; {by:?}, {again:?}: the same end"
        );
    }
}

/// Prompts: one of each kind of end, by the contract's phones.
const PROMPTS: [(&str, &str); 4] = [
    ("254711123456", "ORDER0"),
    ("254711000001", "ORDER1"),
    ("254711000010", "ORDER2"),
    ("254711000011", "ORDER3"),
];

/// A prompt that a death interrupts is never sent again, so that no two deaths need have the same
/// end. What M-Pesa's ledger says was paid is in the book, once, whenever it dies.
#[test]
fn whatever_point_it_dies_at_what_was_paid_in_is_one_payment() {
    let mut points = 0;
    for seed in [1, 2, 3] {
        let counting = Arc::new(Trips::counting());
        let ends = take_money(&counting, seed);
        assert!(ends.paid_in > 2 && ends.not_paid > 0 && ends.claims > 0, "{ends}");
        let names = counting.names();
        for kind in ["payment.pending", "payment.received", "stkpush", "callback"] {
            assert!(names.iter().any(|name| name.contains(kind)), "{kind}: {names:?}");
        }
        let here = u64::try_from(names.len()).expect("it fits");
        for point in 0..here {
            let trips = Arc::new(Trips::at(&[point]));
            take_money(&trips, seed);
            assert!(trips.passed() > point, "it died at {point}");
        }
        let mut dice = Dice::new(seed, "pairs of points");
        for _ in 0..PAIRS_IN {
            let pair = [dice.below(here), dice.below(here)];
            take_money(&Arc::new(Trips::at(&pair)), seed);
        }
        points += here;
    }
    println!(
        "{points} points, each died at once; {PAIRS_IN} pairs a seed: the money is in the book"
    );
}

/// One run of prompts and customers over as many lives as it takes.
fn take_money(trips: &Arc<Trips>, seed: u64) -> Ends {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let (weather, by, b2c) = (Weather::default(), By::Daraja, B2cVersion::V3);
        let (policy, income) = (policy(), Income::Sure);
        let world = World::make(Make { seed, weather, chaos: None, policy, by, b2c, income }).await;
        world.customer_pays(("254700123456", 77, "BILL1"), false);
        world.customer_pays(("254700123457", 78, "BILL2"), true);
        let mut pushed = 0;
        loop {
            let trips = Arc::clone(trips);
            let life = Life::begin(&world, trips, Again::No, Troubles::default()).await;
            let Some(life) = life else {
                sleep(Duration::from_secs(1)).await;
                continue;
            };
            let ended = tokio::select! {
                biased;
                () = life.fate.ended() => false,
                () = take(&world, &life, &mut pushed) => true,
            };
            life.kill(&world);
            if ended {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        check::everything(&world, Again::No).await
    })
}

/// Prompts for what is not prompted for yet, and waits for the end.
async fn take(world: &World, life: &Life, pushed: &mut usize) {
    while let Some((phone, account)) = PROMPTS.get(*pushed) {
        if world.push(life, &format!("STK-{pushed}"), (phone, 100, account)).await {
            *pushed += 1;
        }
    }
    for _ in 0..PATIENCE_S / 10 {
        sleep(Duration::from_secs(10)).await;
        if check::is_at_rest(world).await && world.mpesa.results_waiting() == 0 {
            break;
        }
    }
    till::pull_at_last(&life.engine).await;
    world.race_in_calm(life, &mut Dice::new(world.seed, "who claims")).await;
}

fn key(number: usize) -> String {
    format!("INV-{number}")
}

/// One run over as many lives as it takes.
fn run(trips: &Arc<Trips>, (by, again): (By, Again)) -> End {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let weather = Weather::default();
        let b2c = B2cVersion::V3;
        let (policy, income) = (policy(), Income::None);
        let make = Make { seed: 7, weather, chaos: None, policy, by, b2c, income };
        let world = World::make(make).await;
        let mut submitted = 0;
        loop {
            let life = Life::begin(&world, Arc::clone(trips), again, Troubles::default()).await;
            let Some(life) = life else {
                sleep(Duration::from_secs(1)).await;
                continue;
            };
            let ended = tokio::select! {
                biased;
                () = life.fate.ended() => false,
                ended = finish(&world, &life, &mut submitted) => ended,
            };
            life.kill(&world);
            if ended {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        check::everything(&world, again).await;
        let payouts = check::payouts(&world).await;
        let by_key = payouts.into_iter().map(|(key, (_, payout))| (key, payout.status()));
        End { by_key: by_key.collect(), paid: world.mpesa.ledger().total_paid.cents() }
    })
}

/// Submits what is not submitted yet, and waits for the end.
async fn finish(world: &World, life: &Life, submitted: &mut usize) -> bool {
    while let Some((phone, _)) = PAYOUTS.get(*submitted) {
        if world.submit(life, &key(*submitted), phone, 100).await {
            *submitted += 1;
        }
    }
    for _ in 0..PATIENCE_S {
        sleep(Duration::from_secs(1)).await;
        if check::is_at_rest(world).await && world.mpesa.results_waiting() == 0 {
            return true;
        }
    }
    true
}
