//! Engine and store in this process, without HTTP: what the store alone allows.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mlango::clock::SystemClock;
use mlango::domain::limit::AmountLimits;
use mlango::domain::money::Amount;
use mlango::domain::party::Msisdn;
use mlango::domain::payout::{Command, Event, Metadata, Payout, Policy, Question, Rail as Way};
use mlango::domain::time::Timestamp;
use mlango::engine::port::{Admission, Durable, Pending, Prepared, Rail, Rails, Sent};
use mlango::engine::{Draft, Engine, Heard, Hearing, Incoming, Parts, Settings};
use mlango::ids::RandomIds;
use mlango::sim::load::Report;
use mlango::store::{Channel, Store};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::fill::{Filler, Known};
use super::home::KeyedApp;

/// A rail that is never used: an engine that was not started sends nothing.
#[derive(Debug)]
struct Nowhere;

impl Rail for Nowhere {
    fn prepare(&self, _payout: &Payout, _now: Timestamp) -> Result<Prepared, String> {
        Err("nothing is sent here".to_owned())
    }

    fn prepare_question(
        &self,
        _payout: &Payout,
        _question: Question,
        _now: Timestamp,
    ) -> Result<Prepared, String> {
        Err("nothing is sent here".to_owned())
    }

    fn admit(&self) -> Pending<'_, Admission> {
        Box::pin(std::future::pending())
    }

    fn send(&self, _request: Prepared, _place: Admission, _proof: Durable) -> Pending<'_, Sent> {
        Box::pin(std::future::pending())
    }

    fn longest_send(&self) -> Duration {
        Duration::from_secs(1)
    }
}

/// An engine at rest on a store.
pub fn at_rest(store: Arc<dyn Store>) -> Arc<Engine> {
    let parts = Parts {
        counter: None,
        notifier: None,
        validators: None,
        store,
        rails: Rails::only(Way::Soap, Arc::new(Nowhere)),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds::default()),
    };
    let policy = Policy { result_overdue: Duration::from_secs(3_600), ..Policy::default() };
    let settings = Settings {
        organisation: "ExampleOrg".to_owned(),
        shortcode: "600999".parse().expect("a short code"),
        rail: Way::Soap,
        policy,
        till: Default::default(),
        first_result_wait: Duration::ZERO,
        limits: AmountLimits::default(),
    };
    Engine::new(parts, settings)
}

fn draft(number: u64) -> Draft {
    Draft {
        amount: Amount::from_shillings(100 + number % 5_000),
        phone: Msisdn::from_number(254_720_000_555 + number % 70_000 * 1_000).expect("a phone"),
        command: Command::BusinessPayment,
        reference: format!("INV-{}", number / 10),
        remarks: "March commission".to_owned(),
        occasion: String::new(),
        metadata: Metadata::from([("branch".to_owned(), "Nakuru".to_owned())]),
        rail: Way::Soap,
    }
}

/// Takes payouts for `spell`, `waiting` of them at any time.
pub async fn accepts(
    engine: &Arc<Engine>,
    app: &KeyedApp,
    run: &str,
    waiting: usize,
    spell: Duration,
) -> Report {
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..waiting {
        let (engine, next, run) = (Arc::clone(engine), Arc::clone(&next), run.to_owned());
        let app = app.app.id;
        tasks.spawn(async move {
            let mut took = Vec::new();
            while begun.elapsed() < spell {
                let number = next.fetch_add(1, Ordering::Relaxed);
                let mut fingerprint = [0; 32];
                fingerprint[..8].copy_from_slice(&number.to_be_bytes());
                let since = Instant::now();
                let key = format!("{run}-{number:012}");
                let taken = engine.submit(app, &key, fingerprint, draft(number)).await;
                taken.expect("a payout is taken");
                took.push(micros(since));
            }
            took
        });
    }
    report(begun, tasks).await
}

/// Takes the results of `known` in, `waiting` of them at any time; the messages are read, too.
pub async fn results(
    engine: &Arc<Engine>,
    filler: &Filler,
    known: &[Known],
    waiting: usize,
) -> Report {
    let template = &filler.messages().result;
    let bodies: Vec<Vec<u8>> = known.iter().map(|it| template.fill(&it.facts)).collect();
    let bodies = Arc::new(bodies);
    let next = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..waiting {
        let (engine, next) = (Arc::clone(engine), Arc::clone(&next));
        let bodies = Arc::clone(&bodies);
        tasks.spawn(async move {
            let mut took = Vec::new();
            while let Some(body) = bodies.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
                let since = Instant::now();
                let message = mlango::soap::result::parse(body).expect("a result");
                let heard = Heard::Event {
                    originator: message.originator_conversation_id,
                    conversation: message.conversation_id,
                    event: Event::ResultArrived(message.facts),
                };
                let incoming = Incoming {
                    channel: Channel::Result,
                    peer: Some("192.0.2.49".to_owned()),
                    certificate: None,
                    body: body.clone(),
                };
                let hearing = engine.hear(incoming, heard).await;
                assert_eq!(hearing, Ok(Hearing::Applied));
                took.push(micros(since));
            }
            took
        });
    }
    report(begun, tasks).await
}

fn micros(since: Instant) -> u64 {
    since.elapsed().as_micros() as u64
}

/// What tasks that measured themselves found, taken together.
pub async fn report(begun: Instant, mut tasks: JoinSet<Vec<u64>>) -> Report {
    let mut all = Vec::new();
    while let Some(took) = tasks.join_next().await {
        all.extend(took.expect("a task ends"));
    }
    let elapsed = begun.elapsed();
    all.sort_unstable();
    let part = |of_thousand: usize| all.get(all.len() * of_thousand / 1_000).copied();
    Report {
        done: all.len() as u64,
        elapsed,
        p50: part(500).unwrap_or_default(),
        p99: part(990).unwrap_or_default(),
        max: all.last().copied().unwrap_or_default(),
        ..Report::default()
    }
}
