//! The hot paths over HTTP: accept a payout, take a result in, and the whole way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use mlango::clock::{Clock, SystemClock};
use mlango::credential::PrivateKey;
use mlango::domain::money::Amount;
use mlango::domain::payout::Status;
use mlango::domain::time::Timestamp;
use mlango::sim::book::Entry;
use mlango::sim::load::{self, LoadPlan, Report, Until};
use mlango::sim::{DarajaSettings, Delivery, Running, Settings, Simulator, SmsSettings};
use mlango::store::Store;
use serde_json::Value;
use tokio::time::Instant;

use super::Size;
use super::fill::{Ends, Filler, Known};
use super::home::{Gateway, Home, KeyedApp, expect_in_book};
use super::show::{self, RUNS, RUNS_WORDS, Table, megabytes, millis, thousands};
use super::wire;

/// The rate at which the latency is judged.
const STEADY: u64 = 2_000;
/// The pace of the whole way at which its latency is looked at.
const STEADY_WHOLE: u64 = 300;
/// How long all payouts may take to come to their end.
const PATIENCE: Duration = Duration::from_secs(120);

/// A store with five applications in it, and nothing else.
pub async fn home_with_apps() -> (Home, Vec<KeyedApp>) {
    let home = Home::new();
    let apps = KeyedApp::five(SystemClock.now());
    let store = home.open();
    KeyedApp::put_all(&apps, &store).await;
    store.close().await;
    (home, apps)
}

/// A load, and what processor time it took: the gateway's and ours.
pub async fn watched<F>(gateway: &Gateway, plan: LoadPlan<F>) -> (Report, (u64, u64))
where
    F: Fn(u64) -> Vec<u8> + Send + Sync + 'static,
{
    let before = gateway.times();
    let report = load::run(plan).await;
    let after = gateway.times();
    (report, (after.0 - before.0, after.1 - before.1))
}

/// Submits payouts over `connections`.
pub fn submit(
    gateway: &Gateway,
    app: &KeyedApp,
    (run, connections): (&str, usize),
    until: Until,
    rate: Option<u64>,
) -> LoadPlan<impl Fn(u64) -> Vec<u8> + Send + Sync + use<>> {
    let (api, key, run) = (gateway.api, app.key.clone(), run.to_owned());
    LoadPlan {
        addr: api,
        connections,
        until,
        rate,
        make: move |number| wire::submit(api, &key, &run, number),
    }
}

/// Delivers the results of all of `known`.
pub fn deliver(
    gateway: &Gateway,
    home: &Home,
    filler: &Filler,
    known: &[Known],
    connections: usize,
) -> LoadPlan<impl Fn(u64) -> Vec<u8> + Send + Sync + use<>> {
    let callbacks = gateway.callbacks;
    let template = &filler.messages().result;
    let requests: Vec<Vec<u8>> = known
        .iter()
        .map(|it| wire::deliver(callbacks, home.token(), &template.fill(&it.facts)))
        .collect();
    LoadPlan {
        addr: callbacks,
        connections,
        until: Until::Requests(requests.len() as u64),
        rate: None,
        make: move |number| requests[number as usize].clone(),
    }
}

/// Payouts accepted per second.
pub async fn accepts(size: Size) {
    let title = "Payouts accepted: POST /v1/payouts, answered when on disk";
    let words = format!(
        "A key of its own for each request; the rail is at rest. At {STEADY} a second the latency\n\
         counts from when a request was due. {RUNS_WORDS}"
    );
    let (home, apps) = home_with_apps().await;
    let gateway = Gateway::at_rest(&home).await;
    let (fresh, took) = (gateway.memory(), gateway.took);
    let table = Table::new(title, &words, &RUNS);
    let mut done = 0;
    let mut best = 0;
    for connections in [64, 512] {
        let run = format!("accept-{connections}");
        let until = Until::Elapsed(size.spell);
        let plan = submit(&gateway, &apps[0], (&run, connections), until, None);
        let (report, times) = watched(&gateway, plan).await;
        show::run(&table, &format!("accepts, {connections} connections"), &report, times);
        done += report.done;
        best = best.max(report.per_second());
    }
    let until = Until::Elapsed(size.spell);
    let plan = submit(&gateway, &apps[0], ("steady", 64), until, Some(STEADY));
    let (report, times) = watched(&gateway, plan).await;
    show::run(&table, &format!("accepts, {STEADY} a second"), &report, times);
    done += report.done;
    show::aim("at least 10 000 accepts a second", best >= 10_000);
    show::aim(&format!("p99 at {STEADY} a second under 20 ms"), report.p99 < 20_000);
    let after = gateway.memory();
    Table::line(&format!(
        "Memory: {} on a fresh store (started in {} ms), {} after these {} payouts.",
        megabytes(fresh),
        took.as_millis(),
        megabytes(after),
        thousands(done),
    ));
    show::aim("under 80 MB on a fresh store", fresh < 80_000_000);
    gateway.stop().await;
    let counts = home.counts().await;
    let in_book: u64 = Status::ALL.iter().map(|status| counts.of(*status)).sum();
    assert_eq!(in_book, done, "what was answered with 202 is in the book, and nothing else");
}

/// Results ingested per second.
pub async fn results(size: Size) {
    let title = "Results ingested: POST /cb/…/b2c/result, acknowledged when on disk";
    let words = format!(
        "M-Pesa's whole SOAP message for a payout that was accepted: kept raw, matched, applied.\n\
         {RUNS_WORDS}"
    );
    let (home, apps) = home_with_apps().await;
    let store: Arc<dyn Store> = Arc::new(home.open());
    let mut filler = Filler::new(&apps);
    let known = filler.fill(&store, size.results * 2, Ends::Accepted, 1).await;
    store.close().await;
    drop(store);
    let gateway = Gateway::at_rest(&home).await;
    let table = Table::new(title, &words, &RUNS);
    let mut best = 0;
    let halves = known.split_at(known.len() / 2);
    for (connections, part) in [(64, halves.0), (512, halves.1)] {
        let plan = deliver(&gateway, &home, &filler, part, connections);
        let (report, times) = watched(&gateway, plan).await;
        show::run(&table, &format!("results, {connections} connections"), &report, times);
        best = best.max(report.per_second());
    }
    show::aim("at least 15 000 results a second", best >= 15_000);
    gateway.stop().await;
    expect_in_book(&home.counts().await, Status::Succeeded, known.len() as u64);
}

/// A fixed number of accepts and results, for a look at where the time goes.
pub async fn profile(size: Size) {
    let (home, apps) = home_with_apps().await;
    let store: Arc<dyn Store> = Arc::new(home.open());
    let mut filler = Filler::new(&apps);
    filler.fill(&store, size.sample, Ends::Succeeded, 1).await;
    let known = filler.fill(&store, size.sample, Ends::Accepted, 1).await;
    store.close().await;
    drop(store);
    let gateway = Gateway::at_rest(&home).await;
    let table = Table::new("For a profiler", RUNS_WORDS, &RUNS);
    let until = Until::Requests(size.sample);
    let plan = submit(&gateway, &apps[0], ("profile", 64), until, None);
    let (report, times) = watched(&gateway, plan).await;
    show::run(&table, "accepts, 64 connections", &report, times);
    let plan = deliver(&gateway, &home, &filler, &known, 64);
    let (report, times) = watched(&gateway, plan).await;
    show::run(&table, "results, 64 connections", &report, times);
    gateway.stop().await;
}

/// Payouts end to end through the simulator.
pub async fn whole(size: Size) {
    let title = "End to end: submitted, sent, answered, result taken, succeeded";
    let words = format!(
        "Through the simulated broker: each request on a connection of its own, results 20 to 50 ms\n\
         later on kept connections; the rail's pace and places are set out of the way. Simulator\n\
         and load generator are one process. {RUNS_WORDS}"
    );
    let (home, apps) = home_with_apps().await;
    let simulator = simulator(&home).await;
    let overrides = vec![
        ("MLANGO__BROKER__URL".to_owned(), format!("http://{}", simulator.addr)),
        ("MLANGO__BROKER__MAX_IN_FLIGHT".to_owned(), "128".to_owned()),
        ("MLANGO__BROKER__MAX_PER_SECOND".to_owned(), "100000".to_owned()),
    ];
    let gateway = Gateway::start(&home, overrides).await;
    let table = Table::new(title, &words, &RUNS);
    let until = Until::Requests(size.whole);
    let (before, begun) = (gateway.times(), Instant::now());
    let submitted = load::run(submit(&gateway, &apps[0], ("whole", 64), until, None)).await;
    settled(&simulator, size.whole).await;
    let (after, took) = (gateway.times(), begun.elapsed());
    let times = (after.0 - before.0, after.1 - before.1);
    let lives = lives(&gateway, &apps[0], Timestamp::EPOCH).await;
    let what = "payouts, as fast as they go, 64 connections";
    show::run(&table, what, &report(&submitted, &lives, took), times);

    let paced = STEADY_WHOLE * size.spell.as_secs().max(1);
    let since = SystemClock.now();
    let (before, begun) = (gateway.times(), Instant::now());
    let until = Until::Requests(paced);
    let plan = submit(&gateway, &apps[0], ("paced", 16), until, Some(STEADY_WHOLE));
    let submitted = load::run(plan).await;
    settled(&simulator, size.whole + paced).await;
    let (after, took) = (gateway.times(), begun.elapsed());
    let times = (after.0 - before.0, after.1 - before.1);
    let lives_paced = self::lives(&gateway, &apps[0], since).await;
    let what = format!("payouts, {STEADY_WHOLE} a second");
    show::run(&table, &what, &report(&submitted, &lives_paced, took), times);
    Table::line(
        "Latencies here: from when the gateway took a payout until its result was in the book.",
    );

    let all = self::lives(&gateway, &apps[0], Timestamp::EPOCH).await;
    compare(&all, &simulator, size.whole + paced);
    gateway.stop().await;
    expect_in_book(&home.counts().await, Status::Succeeded, size.whole + paced);
    simulator.shutdown().await;
}

async fn simulator(home: &Home) -> Running {
    let config = home.simulate_config();
    let key = std::fs::read(&config.credential_key).expect("the credential's key");
    let settings = Settings {
        listen: "127.0.0.1:0".parse().expect("an address"),
        sp_id: config.provider.sp_id.clone(),
        sp_password: config.provider.sp_password.reveal().to_owned(),
        service_id: config.provider.service_id.clone(),
        initiator: config.operator.initiator.clone(),
        initiator_password: config.operator.initiator_password.reveal().to_owned(),
        shortcode: config.operator.shortcode.clone(),
        credential_key: PrivateKey::from_pem(&key).expect("a key"),
        balance: Amount::from_shillings(1_000_000_000_000),
        seed: 1,
        delivery: Delivery { keep_alive: true, ..Delivery::default() },
        hold: Duration::from_secs(60),
        chaos: None,
        daraja: DarajaSettings::default(),
        sms: SmsSettings::default(),
    };
    let started = Simulator::start(settings, Arc::new(SystemClock)).await;
    started.expect("the simulator starts")
}

/// Waits until the simulator has paid so many, and all their results are acknowledged.
async fn settled(simulator: &Running, payments: u64) {
    let begun = Instant::now();
    while simulator.payments() < payments || simulator.results_waiting() > 0 {
        assert!(
            begun.elapsed() < PATIENCE,
            "{} of {payments} are paid, {} results wait",
            simulator.payments(),
            simulator.results_waiting(),
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The payouts of an application that were taken since, from the API, page by page.
async fn lives(gateway: &Gateway, app: &KeyedApp, since: Timestamp) -> Vec<Value> {
    let client = reqwest::Client::builder().build().expect("a client");
    let base =
        format!("http://{}/v1/payouts?limit=500&created_from={}", gateway.api, since.rfc3339());
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let asked = client.get(format!("{base}{cursor}")).header("X-API-Key", &app.key);
        let bytes = asked.send().await.expect("an answer").bytes().await.expect("a page");
        let mut page: Value = serde_json::from_slice(&bytes).expect("JSON");
        let rows = page["data"].as_array_mut().unwrap_or_else(|| panic!("{bytes:?}"));
        all.append(rows);
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// How long payouts took, as a report.
fn report(submitted: &Report, payouts: &[Value], elapsed: Duration) -> Report {
    let at = |payout: &Value, field: &str| {
        let text = payout[field].as_str().expect("a time");
        Timestamp::parse_rfc3339(text).expect("a time")
    };
    let mut took: Vec<u64> = payouts
        .iter()
        .map(|it| at(it, "completed_at").since(at(it, "created_at")).as_micros() as u64)
        .collect();
    took.sort_unstable();
    Report {
        done: took.len() as u64,
        errors: submitted.errors,
        first_error: submitted.first_error.clone(),
        elapsed,
        p50: took[took.len() / 2],
        p99: took[took.len() * 99 / 100],
        max: took.last().copied().unwrap_or_default(),
    }
}

/// The gateway's book against M-Pesa's ledger: the same payments, one for one.
fn compare(payouts: &[Value], simulator: &Running, expected: u64) {
    let ledger = simulator.ledger();
    let paid: HashMap<&str, &Entry> =
        ledger.entries.iter().map(|entry| (&*entry.originator_conversation_id, entry)).collect();
    assert_eq!(ledger.entries.len() as u64, expected, "each was paid, none twice");
    assert_eq!(paid.len(), ledger.entries.len(), "each by its own name");
    assert_eq!(payouts.len(), ledger.entries.len(), "the book has as many");
    for payout in payouts {
        let name = payout["originator_conversation_id"].as_str().expect("a name");
        let entry = paid.get(name).unwrap_or_else(|| panic!("{name} was not paid"));
        assert_eq!(payout["status"], "succeeded");
        assert_eq!(payout["receipt"], entry.receipt.as_str());
        assert_eq!(payout["amount"], entry.amount.to_string());
        assert_eq!(payout["phone"], entry.phone.reveal());
    }
    Table::line(&format!(
        "The simulator's ledger equals the gateway's book: {} payments, {} shillings.",
        thousands(expected),
        ledger.total_paid
    ));
}

/// Milliseconds of a duration, for tables.
pub fn duration(length: Duration) -> String {
    millis(length.as_micros() as u64)
}
