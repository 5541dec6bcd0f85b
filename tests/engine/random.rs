//! Whatever answers, results, faults and crashes come, in whatever order: the laws hold.
//!
//! Each case is a few payouts and several lives of the program over one store. What happens is
//! drawn from a seed; what M-Pesa was sent and what the feed says are then checked.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::support::house::{APP, House, incoming, paid, phone, result};
use crate::support::rail::{Reply, ScriptedRail, Send, TAKEN, What};
use crate::support::store::{Trouble, TroubledStore};
use crate::support::{BEGIN, CountedIds, secs};
use mlango::clock::Clock;
use mlango::domain::id::{ConversationId, PayoutId};
use mlango::domain::payout::{CaseKind, Event, ResultFacts, Status, WhyNoAnswer, WhyNothingSent};
use mlango::domain::time::Timestamp;
use mlango::engine::{CancelError, Heard};
use mlango::store::Standing;
use mlango::store::{CaseQuery, Channel, Direction, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// How many cases are tried; `MLANGO_CASES` sets another number.
const CASES: u32 = 100;
/// How long the last life is watched: past every deadline and the longest pauses.
const AFTERMATH: Duration = Duration::from_secs(1_800);

/// Something that comes from outside, at a moment of a life.
#[derive(Clone, Debug)]
enum Act {
    Submit,
    Cancel(usize),
    Result(usize, Word),
    QueueTimeout(usize),
    Trouble(&'static str, u32, Trouble),
    UnreadablePayouts(u32),
    UnreadableQueue(u32),
    /// Messages that belong to nobody.
    Stray,
}

/// What a result says.
#[derive(Clone, Copy, Debug)]
enum Word {
    Paid(&'static str),
    Code(&'static str),
    Waiting,
}

/// One life of the program: what comes, each a while after the one before, and how it ends.
#[derive(Clone, Debug)]
struct Life {
    acts: Vec<(u64, Act)>,
    drained: bool,
}

#[derive(Clone, Debug)]
struct Case {
    replies: Vec<Vec<Reply>>,
    lives: Vec<Life>,
}

fn words() -> impl Strategy<Value = Word> {
    prop_oneof![
        4 => Just(Word::Paid("QK1")),
        1 => Just(Word::Paid("QK2")),
        2 => Just(Word::Code("1")),
        1 => Just(Word::Code("2040")),
        1 => Just(Word::Code("15")),
        1 => Just(Word::Code("no-such-code")),
        1 => Just(Word::Waiting),
    ]
}

fn troubles() -> impl Strategy<Value = Act> {
    let on = prop_oneof![
        Just("*"),
        Just("payout.sending"),
        Just("payout.accepted"),
        Just("payout.unknown"),
        Just("payout.requeued"),
        Just("payout.succeeded"),
    ];
    let what = prop_oneof![
        3 => Just(Trouble::Full),
        1 => Just(Trouble::Broken),
        1 => Just(Trouble::WrittenYetBroken),
        2 => (1_u64..20_000).prop_map(|ms| Trouble::Slow(Duration::from_millis(ms))),
    ];
    (on, 1_u32..60, what).prop_map(|(on, times, what)| Act::Trouble(on, times, what))
}

fn acts() -> impl Strategy<Value = Act> {
    let which = 0_usize..5;
    prop_oneof![
        3 => Just(Act::Submit),
        1 => which.clone().prop_map(Act::Cancel),
        6 => (which.clone(), words()).prop_map(|(which, word)| Act::Result(which, word)),
        1 => which.prop_map(Act::QueueTimeout),
        2 => troubles(),
        1 => (1_u32..8).prop_map(Act::UnreadablePayouts),
        1 => (1_u32..4).prop_map(Act::UnreadableQueue),
        1 => Just(Act::Stray),
    ]
}

fn replies() -> impl Strategy<Value = Reply> {
    let what = prop_oneof![
        4 => Just(TAKEN),
        2 => Just(What::Code("100000002")),
        1 => Just(What::Code("100000000")),
        1 => Just(What::Code("100000005")),
        1 => Just(What::Code("no-such-code")),
        3 => Just(What::Nothing(WhyNothingSent::Connect)),
        1 => Just(What::Nothing(WhyNothingSent::ClosedBeforeFirstByte)),
        3 => Just(What::Silence(WhyNoAnswer::Closed)),
    ];
    (what, prop_oneof![Just(0_u64), 0_u64..60_000])
        .prop_map(|(what, after)| what.after(Duration::from_millis(after)))
}

fn lives() -> impl Strategy<Value = Life> {
    let pause = prop_oneof![3 => 0_u64..2_000, 1 => 0_u64..150_000];
    let acts = proptest::collection::vec((pause, acts()), 1..14);
    (acts, any::<bool>()).prop_map(|(acts, drained)| Life { acts, drained })
}

fn cases() -> impl Strategy<Value = Case> {
    let replies = proptest::collection::vec(proptest::collection::vec(replies(), 0..6), 5);
    let lives = proptest::collection::vec(lives(), 1..5);
    (replies, lives).prop_map(|(replies, lives)| Case { replies, lives })
}

/// What is kept from life to life.
struct World {
    store: Arc<TroubledStore>,
    ids: Arc<CountedIds>,
    now: Timestamp,
    payouts: Vec<PayoutId>,
    sends: Vec<Send>,
    /// Messages of M-Pesa's that were acknowledged.
    acknowledged: u64,
}

#[test]
fn the_laws_hold_whatever_comes() {
    let cases_wanted = std::env::var("MLANGO_CASES").ok();
    let cases_wanted = cases_wanted.and_then(|text| text.parse().ok());
    let config = Config {
        cases: cases_wanted.unwrap_or(CASES),
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new_with_rng(
        config.clone(),
        proptest::test_runner::TestRng::deterministic_rng(config.rng_algorithm),
    );
    let run = runner.run(&cases(), |case| {
        live_through(&case);
        Ok(())
    });
    if let Err(failure) = run {
        panic!("{failure}");
    }
}

fn live_through(case: &Case) {
    let mut world = World {
        store: TroubledStore::new(),
        ids: Arc::default(),
        now: BEGIN,
        payouts: vec![],
        sends: vec![],
        acknowledged: 0,
    };
    for life in &case.lives {
        in_a_life(&mut world, &case.replies, async |house, world| {
            for (pause, act) in &life.acts {
                tokio::time::sleep(Duration::from_millis(*pause)).await;
                happens(house, world, act).await;
            }
            if life.drained {
                house.drain().await;
            }
        });
    }
    // All trouble is over: what can still move does.
    world.store.calm();
    in_a_life(&mut world, &[], async |_house, _world| {
        tokio::time::sleep(AFTERMATH).await;
    });
    let runtime = runtime();
    runtime.block_on(check(&world));
}

/// One life: a runtime of its own, whose end is the death of all that runs in it.
fn in_a_life(
    world: &mut World,
    replies: &[Vec<Reply>],
    live: impl AsyncFnOnce(&House, &mut World),
) {
    let runtime = runtime();
    let rail = ScriptedRail::new(Arc::clone(&world.store), 2);
    for (number, replies) in replies.iter().enumerate() {
        rail.script(&phone(number), replies.iter().cloned());
    }
    let rail = Arc::new(rail);
    runtime.block_on(async {
        let house = House::with_rail(
            Arc::clone(&world.store),
            Arc::clone(&world.ids),
            world.now,
            Arc::clone(&rail),
        );
        // A store that is in trouble at the start refuses the start; it is tried again.
        while let Err(_unread) = house.engine.start(&house.tasks, &house.stop).await {
            tokio::time::sleep(secs(1)).await;
        }
        live(&house, world).await;
        world.now = house.clock.now();
    });
    drop(runtime);
    assert_eq!(rail.wrongs(), Vec::<String>::new());
    assert!(rail.most_at_once() <= 2);
    world.sends.extend(rail.sends());
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build();
    runtime.expect("a runtime")
}

async fn happens(house: &House, world: &mut World, act: &Act) {
    match act {
        Act::Submit => submit(house, world).await,
        Act::Cancel(which) => {
            let Some(id) = world.payouts.get(*which) else {
                return;
            };
            match house.engine.cancel(Some(APP), *id).await {
                Ok(payout) => assert_eq!(payout.status(), Status::Cancelled),
                Err(CancelError::NotFound) => panic!("{id} is lost"),
                Err(_refused) => {}
            }
        }
        Act::Result(which, word) => {
            hears(house, world, *which, Event::ResultArrived(facts(*word))).await
        }
        Act::QueueTimeout(which) => hears(house, world, *which, Event::QueueTimedOut).await,
        Act::Trouble(on, times, trouble) => house.store.plan(on, *times, *trouble),
        Act::UnreadablePayouts(times) => house.store.fail_reads(*times),
        Act::UnreadableQueue(times) => house.store.fail_pages(*times),
        Act::Stray => {
            let heard = house.engine.hear(incoming(), Heard::Unreadable("no XML".into()));
            world.acknowledged += u64::from(heard.await.is_ok());
        }
    }
}

async fn submit(house: &House, world: &mut World) {
    let number = world.payouts.len();
    if number == 5 {
        return;
    }
    // As a careful caller does: the same key until it is answered.
    for _ in 0..100 {
        let key = format!("key-{number}");
        if let Ok(taken) = house.submit_as(&key, [1; 32], &phone(number)).await {
            world.payouts.push(taken.payout.details.id);
            return;
        }
        tokio::time::sleep(secs(1)).await;
    }
    panic!("it is never taken");
}

async fn hears(house: &House, world: &mut World, which: usize, event: Event) {
    let Some(id) = world.payouts.get(which) else {
        return;
    };
    let name = world_name(*id);
    let heard = Heard::Event { originator: Some(name), conversation: None, event };
    world.acknowledged += u64::from(house.engine.hear(incoming(), heard).await.is_ok());
}

fn world_name(id: PayoutId) -> String {
    let name = mlango::domain::id::OriginatorConversationId::of(id, "600999", "ExampleOrg");
    name.as_str().to_owned()
}

fn facts(word: Word) -> ResultFacts {
    let conversation = ConversationId::new("AG_result");
    match word {
        Word::Paid(receipt) => ResultFacts { conversation, ..paid(receipt) },
        Word::Code(code) => result(code),
        Word::Waiting => ResultFacts { waiting: true, ..result("0") },
    }
}

async fn check(world: &World) {
    let verified = world.store.verify().await.expect("readable");
    assert_eq!(verified.faults, Vec::<String>::new());
    assert_eq!(world.store.counts_all(), count(world.payouts.len()));
    let mut sends: BTreeMap<&str, Vec<&Send>> = BTreeMap::new();
    for send in &world.sends {
        sends.entry(&send.name).or_default().push(send);
    }
    let mut from_mpesa = 0;
    for id in &world.payouts {
        let name = world_name(*id);
        let sends = sends.remove(name.as_str()).unwrap_or_default();
        from_mpesa += check_payout(world, *id, &sends).await;
    }
    assert!(sends.is_empty(), "a send under a name of nobody's: {sends:?}");
    let cases = world.store.cases(&CaseQuery::all(500)).await.expect("readable").rows;
    let broken = cases.iter().find(|case| case.kind == CaseKind::LawBroken);
    assert_eq!(broken, None, "no step may even try to break a law");
    let strays = cases.iter().filter(|case| case.about.is_none()).count();
    assert!(
        from_mpesa + count(strays) >= world.acknowledged,
        "every message that was acknowledged is kept: {from_mpesa} + {strays} of {}",
        world.acknowledged
    );
}

/// Checks one payout; answers how many messages of M-Pesa's own are kept in its history.
async fn check_payout(world: &World, id: PayoutId, sends: &[&Send]) -> u64 {
    // Law 2, as M-Pesa sees it: after a send that it may have taken there is no other.
    let earlier = sends.split_last().map(|(_last, earlier)| earlier);
    for send in earlier.unwrap_or_default() {
        let harmless = send.came_to.as_ref().is_some_and(What::took_nothing);
        assert!(harmless, "{id} was sent again after {send:?}: {sends:?}");
    }
    let events = world.store.events_of(id.into()).await.expect("readable");
    let mut kept = 0;
    let mut settled: Option<Standing> = None;
    let mut begun = 0;
    for event in &events {
        let status = event.event.status.expect("where it stands");
        if let Some(settled) = settled {
            assert_eq!(status, settled, "law 3: {events:?}");
        }
        settled = settled.or_else(|| status.is_final().then_some(status));
        begun += u64::from(event.event.kind == "payout.sending");
        for message in &event.event.messages {
            let message = world.store.message(*message).await.expect("readable");
            let message = message.expect("it is kept");
            assert_eq!(message.about, Some(id.into()));
            let theirs = message.direction == Direction::In && message.channel != Channel::Answer;
            kept += u64::from(theirs);
        }
    }
    assert!(begun >= count(sends.len()), "each send is in the feed first");
    let stored = world.store.payout(id).await.expect("readable");
    let payout = stored.expect("nothing that was taken is lost").payout;
    let rests = matches!(
        payout.status(),
        Status::Succeeded | Status::Failed | Status::Cancelled | Status::Unknown
    );
    assert!(rests, "{id} hangs at {}: {events:?}", payout.status());
    kept
}

fn count(length: usize) -> u64 {
    u64::try_from(length).expect("it fits")
}
