//! Whatever is said of one prompt, in whatever order, however often the program dies: in the end it
//! is one payment with one receipt, and the payer was prompted once and thanked once.
//!
//! In each case M-Pesa's own book is known: the payer paid once, or was never prompted. What M-Pesa
//! says of that (answers, callbacks, queries, confirmations; some wrong, late, twice or never) and
//! what befalls the program is drawn from a seed.

use std::sync::Arc;
use std::time::Duration;

use mlango::clock::Clock;
use mlango::domain::id::{PaymentId, Receipt};
use mlango::domain::payment::{Payment, State, Status, StkFacts};
use mlango::domain::payout::CaseKind;
use mlango::domain::text::Occasion;
use mlango::domain::time::Timestamp;
use mlango::engine::TillSettings;
use mlango::engine::port::Api;
use mlango::store::{CaseQuery, PaymentQuery, Store, TextQuery};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::house::{
    ACCOUNT, PHONE, RECEIPT, Till, called_back, notice, notice_from, paid, push_draft, templates,
};
use crate::support::counter::{LOST, Line, NO_LINK, Says, ScriptedCounter, TAKES};
use crate::support::house::APP;
use crate::support::store::{Trouble, TroubledStore};
use crate::support::{BEGIN, CountedIds, secs};

/// How many cases are tried; `MLANGO_CASES` sets another number.
const CASES: u32 = 100;
/// How long the last life is watched: past every question of the schedule but the daily ones.
const AFTERMATH: Duration = Duration::from_secs(7_200);

/// Something that comes from outside, at a moment of a life.
#[derive(Clone, Debug)]
enum Act {
    /// The callback, whole.
    Paid,
    /// The callback without its items.
    PaidWithoutItems,
    /// A callback that is wrong: the payer paid.
    Failed(&'static str),
    /// A confirmation, from a phone that is shown whole or masked.
    Confirmed {
        whole: bool,
    },
    /// Somebody has it asked now.
    AskNow,
    Trouble(&'static str, u32, Trouble),
}

#[derive(Clone, Debug)]
struct Case {
    prompts: Vec<Line>,
    queries: Vec<Line>,
    lives: Vec<Vec<(u64, Act)>>,
    /// Whether the last word is the callback's, or the confirmation's.
    ends_with_callback: bool,
}

fn acts() -> impl Strategy<Value = Act> {
    let on = prop_oneof![
        Just("*"),
        Just("payment.sending"),
        Just("payment.prompted"),
        Just("payment.received"),
        Just("payment.unknown"),
        Just("payment.joined"),
    ];
    let what = prop_oneof![
        2 => Just(Trouble::Full),
        1 => Just(Trouble::Broken),
        1 => Just(Trouble::WrittenYetBroken),
        2 => (1_u64..10_000).prop_map(|ms| Trouble::Slow(Duration::from_millis(ms))),
    ];
    prop_oneof![
        3 => Just(Act::Paid),
        2 => Just(Act::PaidWithoutItems),
        1 => Just(Act::Failed("1037")),
        1 => Just(Act::Failed("no-such-code")),
        1 => Just(Act::Failed("4999")),
        3 => any::<bool>().prop_map(|whole| Act::Confirmed { whole }),
        1 => Just(Act::AskNow),
        2 => (on, 1_u32..20, what).prop_map(|(on, times, what)| Act::Trouble(on, times, what)),
    ]
}

fn lines() -> impl Strategy<Value = Case> {
    let delay = || prop_oneof![Just(0_u64), 0_u64..45_000].prop_map(Duration::from_millis);
    let fails = prop_oneof![Just(NO_LINK), Just(Says::Code("http.429"))];
    let fails = proptest::collection::vec(fails.prop_map(Says::now), 0..3);
    let last = prop_oneof![3 => Just(TAKES), 1 => Just(LOST), 1 => Just(Says::Code("http.503"))];
    let prompts = (fails, last, delay()).prop_map(|(mut lines, last, after)| {
        lines.push(last.after(after));
        lines
    });
    let query = prop_oneof![
        3 => Just(Says::Result("0")),
        2 => Just(Says::Result("4999")),
        1 => Just(Says::Result("1037")),
        1 => Just(Says::Code("500.001.1001:no_transaction")),
        1 => Just(Says::Code("http.429.spike_arrest")),
        1 => Just(NO_LINK),
        1 => Just(LOST),
    ];
    let query = (query, delay()).prop_map(|(says, after)| says.after(after));
    let queries = proptest::collection::vec(query, 0..8);
    let pause = prop_oneof![3 => 0_u64..3_000, 1 => 0_u64..90_000];
    let life = proptest::collection::vec((pause, acts()), 0..7);
    let lives = proptest::collection::vec(life, 1..4);
    (prompts, queries, lives, any::<bool>()).prop_map(
        |(prompts, queries, lives, ends_with_callback)| Case {
            prompts,
            queries,
            lives,
            ends_with_callback,
        },
    )
}

#[test]
fn one_prompt_is_one_payment_with_one_receipt_whatever_is_said_of_it() {
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
    let run = runner.run(&lines(), |case| {
        live_through(&case);
        Ok(())
    });
    if let Err(failure) = run {
        panic!("{failure}");
    }
}

/// What is kept from life to life, M-Pesa's own book included.
struct World {
    store: Arc<TroubledStore>,
    ids: Arc<CountedIds>,
    counter: Arc<ScriptedCounter>,
    now: Timestamp,
    id: Option<PaymentId>,
    /// When the payer paid.
    paid_at: Option<Timestamp>,
}

fn live_through(case: &Case) {
    let store = TroubledStore::new();
    let counter = Arc::new(ScriptedCounter::new(Arc::clone(&store)));
    counter.script(Api::Prompt, case.prompts.iter().cloned());
    let mut world =
        World { store, ids: Arc::default(), counter, now: BEGIN, id: None, paid_at: None };
    for acts in &case.lives {
        in_a_life(&mut world, async |till, world| {
            push(till, world).await;
            for (pause, act) in acts {
                till.waits(Duration::from_millis(*pause)).await;
                look_whether_he_paid(case, world, till);
                happens(till, world, act).await;
            }
        });
    }
    // All trouble is over, and M-Pesa says at last how it was.
    world.store.calm();
    in_a_life(&mut world, async |till, world| {
        till.waits(secs(120)).await;
        look_whether_he_paid(case, world, till);
        let last =
            if case.ends_with_callback { Act::Paid } else { Act::Confirmed { whole: false } };
        happens(till, world, &last).await;
        till.waits(AFTERMATH).await;
        check(till, world).await;
        // Said once more, all of it, it changes the count of payments no more.
        for act in [Act::Confirmed { whole: true }, Act::Paid, Act::Confirmed { whole: false }] {
            happens(till, world, &act).await;
            check(till, world).await;
        }
        till.waits(secs(600)).await;
        check_that_it_is_settled(till, world).await;
    });
}

/// One life: a runtime of its own, whose end is the death of all that runs in it.
fn in_a_life(world: &mut World, live: impl AsyncFnOnce(&Till, &mut World)) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let parts = (Arc::clone(&world.store), Arc::clone(&world.ids), world.now);
        let settings = TillSettings { templates: templates(), ..TillSettings::default() };
        let till = Till::over(parts, Arc::clone(&world.counter), settings);
        // A store that is in trouble at the start refuses the start; it is tried again.
        while let Err(_unread) = till.engine.start(&till.tasks, &till.stop).await {
            till.waits(secs(1)).await;
        }
        live(&till, world).await;
        assert_eq!(till.counter.wrongs(), Vec::<String>::new());
        assert_eq!(till.notifier.wrongs(), Vec::<String>::new());
        world.now = till.clock.now();
    });
}

/// As a careful caller does: the same key until it is answered.
async fn push(till: &Till, world: &mut World) {
    for _ in 0..100 {
        let draft = push_draft(PHONE, ACCOUNT);
        if let Ok(pushed) = till.engine.push(APP, "key", [1; 32], draft).await {
            world.id = Some(pushed.payment.details.id);
            return;
        }
        till.waits(secs(1)).await;
    }
    panic!("it is never taken");
}

/// The payer pays as soon as his phone shows the prompt; and M-Pesa, asked, may know it then.
fn look_whether_he_paid(case: &Case, world: &mut World, till: &Till) {
    let asked = world.counter.asked();
    let mut prompts = asked.iter().filter(|asked| asked.api == Api::Prompt);
    let reached = prompts.any(|it| !it.came_to.as_ref().is_some_and(Says::took_nothing));
    if reached && world.paid_at.is_none() {
        world.paid_at = Some(till.now());
        world.counter.script(Api::PromptQuery, case.queries.iter().cloned());
    }
}

async fn happens(till: &Till, world: &World, act: &Act) {
    let id = world.id.expect("it was taken");
    if let Act::Trouble(on, times, trouble) = act {
        return world.store.plan(on, *times, *trouble);
    }
    // M-Pesa speaks only of what was.
    let Some(paid_at) = world.paid_at else { return };
    let callback = |facts: StkFacts| till.try_callback(id, facts);
    match act {
        Act::Paid => drop(callback(paid(id, RECEIPT)).await),
        Act::PaidWithoutItems => drop(callback(called_back(id, "0")).await),
        Act::Failed(code) => drop(callback(called_back(id, code)).await),
        Act::Confirmed { whole: true } => {
            drop(till.try_confirmation(notice_from(PHONE, RECEIPT, paid_at)).await);
        }
        Act::Confirmed { whole: false } => {
            drop(till.try_confirmation(notice(RECEIPT, paid_at)).await);
        }
        Act::AskNow => drop(till.engine.query_now(None, id).await),
        Act::Trouble(..) => {}
    }
}

/// What counts as money.
async fn counted(till: &Till) -> Vec<Payment> {
    let query = PaymentQuery { status: Some(Status::Succeeded), ..PaymentQuery::all(500) };
    let rows = till.store.payments(&query).await.expect("readable").rows;
    rows.into_iter().map(|kept| kept.value).collect()
}

async fn check(till: &Till, world: &World) {
    let verified = till.store.verify().await.expect("readable");
    assert_eq!(verified.faults, Vec::<String>::new());
    let asked = till.counter.asked();
    let prompts: Vec<_> = asked.iter().filter(|asked| asked.api == Api::Prompt).collect();
    let earlier = prompts.split_last().map_or(&[][..], |(_last, earlier)| earlier);
    for prompt in earlier {
        let harmless = prompt.came_to.as_ref().is_some_and(Says::took_nothing);
        assert!(harmless, "the payer was prompted again: {prompts:?}");
        assert_eq!(Some(prompt.about.bytes()), world.id.map(PaymentId::bytes));
    }
    let counted = counted(till).await;
    let expected = usize::from(world.paid_at.is_some());
    assert_eq!(counted.len(), expected, "{counted:?}");
    if let Some(payment) = counted.first() {
        assert_eq!(payment.receipt().cloned(), Receipt::new(RECEIPT));
    }
    let cases = till.store.cases(&CaseQuery::all(500)).await.expect("readable").rows;
    let broken = cases.iter().find(|case| case.kind == CaseKind::LawBroken);
    assert_eq!(broken, None, "no step may even try to break a law");
}

async fn check_that_it_is_settled(till: &Till, world: &World) {
    let payment = till.payment(world.id.expect("it was taken")).await;
    if world.paid_at.is_none() {
        // Failed; or in doubt, where the program died just before it would have prompted him.
        assert!(matches!(payment.status(), Status::Failed | Status::Unknown), "{payment:?}");
        return;
    }
    assert!(matches!(payment.state, State::Succeeded { .. }), "{payment:?}");
    let texts = till.store.texts(&TextQuery::all(500)).await.expect("readable").rows;
    let thanks = texts.iter().filter(|it| it.value.details.occasion == Occasion::PaymentReceived);
    assert!(thanks.count() <= 1, "{texts:?}");
}
