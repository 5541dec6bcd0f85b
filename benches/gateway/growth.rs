//! What one payout costs when there are many.

use std::sync::Arc;
use std::time::Duration;

use mlango::sim::load::{LoadPlan, Report, Until};
use mlango::store::Store;
use tokio::time::Instant;

use super::Size;
use super::fill::{Ends, Filler, Known};
use super::home::{Gateway, KeyedApp};
use super::paths::{deliver, duration, home_with_apps, submit, watched};
use super::show::{self, Table, megabytes, millis, thousands};
use super::wire;

/// One payout in so many is remembered, to be asked for.
const KEPT: u64 = 97;
const CONNECTIONS: usize = 64;

const HEAD: [(&str, usize); 10] = [
    ("payouts", 10),
    ("accepts/s", 9),
    ("results/s", 9),
    ("gets/s", 8),
    ("p50 ms", 7),
    ("by status", 9),
    ("by refer.", 9),
    ("by phone", 9),
    ("all", 9),
    ("old page", 9),
];
const WORDS: &str = "Finished payouts with their events and wire messages, put there through the store; then\n\
     the gateway on it, 64 connections. Pages a second: 50 rows by status, the 10 of a reference\n\
     or phone, 50 of everybody's newest (read:all), 50 from the middle of everybody's.";

/// What is printed below the first table.
struct Note {
    payouts: u64,
    took: Duration,
    memory_before: u64,
    memory_after: u64,
    disk: u64,
    fill_rate: u64,
}

/// Prints the figures at each size.
pub async fn all(size: Size) {
    let (home, apps) = home_with_apps().await;
    let mut filler = Filler::new(&apps);
    let mut known = Vec::new();
    let mut filled = 0;
    let table = Table::new("Cost per payout as the store grows", WORDS, &HEAD);
    let mut notes = Vec::new();
    for step in size.steps {
        let store: Arc<dyn Store> = Arc::new(home.open());
        let begun = Instant::now();
        let finished = step - filled;
        let more = filler.fill(&store, finished, Ends::Succeeded, KEPT).await;
        known.extend(more);
        let fill_rate = finished * 1_000 / (begun.elapsed().as_millis() as u64).max(1);
        let waiting = filler.fill(&store, size.sample, Ends::Accepted, 1).await;
        store.close().await;
        drop(store);
        filled = step + size.sample * 2;
        let gateway = Gateway::at_rest(&home).await;
        let mut note = Note {
            payouts: step,
            took: gateway.took,
            memory_before: gateway.memory(),
            memory_after: 0,
            disk: 0,
            fill_rate,
        };
        let run = format!("grow-{step}");
        let until = Until::Requests(size.sample);
        let plan = submit(&gateway, &apps[0], (&run, CONNECTIONS), until, None);
        let accepts = watched(&gateway, plan).await.0;
        let plan = deliver(&gateway, &home, &filler, &waiting, CONNECTIONS);
        let results = watched(&gateway, plan).await.0;
        let (gets, pages) = reads(&gateway, &apps, &known, size.spell / 4).await;
        let mut row = vec![
            thousands(step),
            checked(&accepts),
            checked(&results),
            checked(&gets),
            millis(gets.p50),
        ];
        row.extend(pages.iter().map(checked));
        table.row(&row);
        note.memory_after = gateway.memory();
        gateway.stop().await;
        note.disk = home.disk_bytes();
        notes.push(note);
    }
    print_notes(&notes);
}

fn print_notes(notes: &[Note]) {
    let table = Table::new(
        "Memory, start and disk",
        "",
        &[
            ("payouts", 10),
            ("start ms", 9),
            ("memory then", 12),
            ("after the above", 16),
            ("disk", 9),
            ("per payout", 10),
            ("filled at/s", 11),
        ],
    );
    for note in notes {
        table.row(&[
            thousands(note.payouts),
            duration(note.took),
            megabytes(note.memory_before),
            megabytes(note.memory_after),
            megabytes(note.disk),
            format!("{} B", note.disk / note.payouts),
            thousands(note.fill_rate),
        ]);
    }
    if let Some(last) = notes.last() {
        let most = last.memory_before.max(last.memory_after);
        show::aim("start under 5 s with the most payouts", last.took < Duration::from_secs(5));
        show::aim("under 500 MB with the most payouts", most < 500_000_000);
    }
}

/// Gets by id, and the five kinds of pages.
async fn reads(
    gateway: &Gateway,
    apps: &[KeyedApp],
    known: &[Known],
    spell: Duration,
) -> (Report, Vec<Report>) {
    let everything = &apps[apps.len() - 1].key;
    let some = |number: u64| (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20) as usize;
    let ids: Vec<String> = known.iter().map(|it| format!("/v1/payouts/{}", it.id)).collect();
    let gets = ask(gateway, everything, spell, move |n| ids[some(n) % ids.len()].clone()).await;
    let references: Vec<String> =
        known.iter().map(|it| format!("/v1/payouts?reference={}", it.reference)).collect();
    let phones: Vec<String> =
        known.iter().map(|it| format!("/v1/payouts?phone={}&limit=10", it.facts.phone)).collect();
    let middle = known[known.len() / 2].id.made_at().rfc3339();
    let own = &apps[0].key;
    let pages = vec![
        ask(gateway, own, spell, |_| "/v1/payouts?status=succeeded".to_owned()).await,
        ask(gateway, everything, spell, move |n| references[some(n) % references.len()].clone())
            .await,
        ask(gateway, everything, spell, move |n| phones[some(n) % phones.len()].clone()).await,
        ask(gateway, everything, spell, |_| "/v1/payouts".to_owned()).await,
        ask(gateway, everything, spell, move |_| format!("/v1/payouts?created_to={middle}")).await,
    ];
    (gets, pages)
}

async fn ask(
    gateway: &Gateway,
    key: &str,
    spell: Duration,
    path: impl Fn(u64) -> String + Send + Sync + 'static,
) -> Report {
    let (api, key) = (gateway.api, key.to_owned());
    let plan = LoadPlan {
        addr: api,
        connections: CONNECTIONS,
        until: Until::Elapsed(spell),
        rate: None,
        make: move |number| wire::get(api, &key, &path(number)),
    };
    watched(gateway, plan).await.0
}

fn checked(report: &Report) -> String {
    assert_eq!(report.errors, 0, "{:?}", report.first_error);
    thousands(report.per_second())
}
