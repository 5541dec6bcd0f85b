//! The limits: what each layer does without the others.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use mlango::app;
use mlango::config::{Environment, Source};
use mlango::sim::load::{LoadPlan, Report, Until};
use mlango::store::{Scope, Store};
use tokio::time::Instant;

use super::Size;
use super::engine;
use super::fill::{Ends, Filler};
use super::home::{Gateway, Home, disk, time_of};
use super::paths::{home_with_apps, watched};
use super::show::{self, RUNS, RUNS_WORDS, Table};
use super::wire;

/// The argument with which this program is the gateway on a store in memory.
pub const IN_MEMORY: &str = "--gateway-in-memory";

/// Prints them all.
pub async fn all(size: Size) {
    let title = "The limits: each layer without the others";
    let table = Table::new(title, RUNS_WORDS, &RUNS);
    disk_alone(&table, size);
    server(&table, size).await;
    memory(&table, size).await;
    store(&table, size).await;
}

/// The disk alone: one writer, 4 KiB, fdatasync.
fn disk_alone(table: &Table, size: Size) {
    let mut file = tempfile::tempfile_in(disk()).expect("a file");
    let block = [7; 4_096];
    let begun = Instant::now();
    let before = time_of("self");
    let mut took = Vec::new();
    while begun.elapsed() < size.spell / 2 {
        let since = Instant::now();
        file.write_all(&block).expect("the disk takes it");
        file.sync_data().expect("the disk keeps it");
        took.push(since.elapsed().as_micros() as u64);
    }
    let elapsed = begun.elapsed();
    took.sort_unstable();
    let report = Report {
        done: took.len() as u64,
        elapsed,
        p50: took[took.len() / 2],
        p99: took[took.len() * 99 / 100],
        max: took[took.len() - 1],
        ..Report::default()
    };
    show::run(table, "disk: append 4 KiB, fdatasync", &report, (0, time_of("self") - before));
}

/// The server alone: nothing behind it.
async fn server(table: &Table, size: Size) {
    let (home, apps) = home_with_apps().await;
    let gateway = Gateway::at_rest(&home).await;
    let (api, key) = (gateway.api, apps[0].key.clone());
    for connections in [64, 512] {
        let key = key.clone();
        let plan = LoadPlan {
            addr: api,
            connections,
            until: Until::Elapsed(size.spell / 2),
            rate: None,
            make: move |_number| wire::get(api, &key, "/healthz"),
        };
        let (report, times) = watched(&gateway, plan).await;
        let what = format!("server: GET /healthz, {connections} connections");
        show::run(table, &what, &report, times);
    }
    gateway.stop().await;
}

/// The same server and engine on a book in memory.
async fn memory(table: &Table, size: Size) {
    let home = Home::new();
    let own = std::env::current_exe().expect("this program");
    let mut child = Command::new(own)
        .arg(IN_MEMORY)
        .arg(home.config())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this program runs");
    let said = child.stdout.take().expect("its output");
    let mut first = String::new();
    BufReader::new(said).read_line(&mut first).expect("a line");
    let (address, key) = first.trim().split_once(' ').expect("an address and a key");
    let api = address.parse().expect("an address");
    let id = child.id().to_string();
    for connections in [64, 512] {
        let key = key.to_owned();
        let plan = LoadPlan {
            addr: api,
            connections,
            until: Until::Elapsed(size.spell / 2),
            rate: None,
            make: move |number| wire::submit(api, &key, &format!("m{connections}"), number),
        };
        let before = (time_of(&id), time_of("self"));
        let report = mlango::sim::load::run(plan).await;
        let times = (time_of(&id) - before.0, time_of("self") - before.1);
        let what = format!("accepts, book in memory, {connections} connections");
        show::run(table, &what, &report, times);
    }
    child.kill().expect("it ends");
    child.wait().expect("it has ended");
}

/// Is the gateway on a store in memory: says where, and the key of an application.
pub async fn serve_from_memory(config: &Path) {
    let overrides = [
        ("MLANGO__STORE__URL", "memory:"),
        ("MLANGO__API__LISTEN", "127.0.0.1:0"),
        ("MLANGO__API__REQUESTS_PER_SECOND_PER_KEY", "0"),
        ("MLANGO__API__REQUESTS_PER_SECOND_PER_PEER", "0"),
        ("MLANGO__CALLBACKS__LISTEN", "127.0.0.1:0"),
        ("MLANGO__BROKER__URL", "http://127.0.0.1:9"),
        ("MLANGO__BROKER__MAX_IN_FLIGHT", "1"),
        ("MLANGO__BROKER__MAX_PER_SECOND", "1"),
    ];
    let source = Source::open(Some(config), Environment::of(overrides)).expect("a configuration");
    let config = source.serve().expect("a good configuration").config;
    let gateway = app::Gateway::start(&config).await.expect("a gateway");
    let key = gateway.create_app("bench", &[Scope::PayoutsWrite]).await.expect("a key");
    println!("{} {key}", gateway.api);
    std::future::pending::<()>().await;
}

/// Engine and store in this process, without HTTP.
async fn store(table: &Table, size: Size) {
    let (home, apps) = home_with_apps().await;
    let store: Arc<dyn Store> = Arc::new(home.open());
    let own = |before: u64| (0, time_of("self") - before);
    let resting = engine::at_rest(Arc::clone(&store));
    for waiting in [64, 512] {
        let before = time_of("self");
        let run = format!("alone-{waiting}");
        let spell = size.spell / 2;
        let report = engine::accepts(&resting, &apps[0], &run, waiting, spell).await;
        let what = format!("engine and store, accepts, {waiting} waiting");
        show::run(table, &what, &report, own(before));
    }
    let mut filler = Filler::new(&apps);
    let known = filler.fill(&store, size.results, Ends::Accepted, 1).await;
    let halves = known.split_at(known.len() / 2);
    for (waiting, part) in [(64, halves.0), (512, halves.1)] {
        let before = time_of("self");
        let report = engine::results(&resting, &filler, part, waiting).await;
        let what = format!("engine and store, results, {waiting} waiting");
        show::run(table, &what, &report, own(before));
    }
    store.close().await;
}
