//! What this machine does per second: `make bench`, or `make bench ARGS=--quick` for a short run.
//!
//! The gateway is the real program, `mlango serve`, in a process of its own with its own
//! configuration and a store on the disk; its memory and processor time are the operating
//! system's figures for that process. The load generator and, end to end, the simulator run in
//! this process, on the same cores.
//!
//! Words choose parts: `accepts`, `results`, `till`, `whole`, `limits`, `growth`. `profile` is a
//! part of its own, of a fixed number of accepts and results, for
//! `MLANGO_BENCH_UNDER='perf record -g'` or another command under which the gateway shall run.
//! `MLANGO_BENCH_DIR` puts stores elsewhere.

#![expect(
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a bench: it stops at the first thing that is not as it should be"
)]

mod engine;
mod fill;
mod growth;
mod home;
mod limits;
mod paths;
mod show;
mod till;
mod wire;

use std::time::Duration;

use show::Table;

/// As the program itself has it, so that what runs in this process is comparable.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How much is done.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// How long what can be measured by time is measured.
    pub spell: Duration,
    /// How many results each run takes in.
    pub results: u64,
    /// How many payouts go end to end.
    pub whole: u64,
    /// How many payouts there are when the cost of one is looked at.
    pub steps: [u64; 3],
    /// How many accepts and results that takes each time.
    pub sample: u64,
}

const FULL: Size = Size {
    spell: Duration::from_secs(5),
    results: 60_000,
    whole: 20_000,
    steps: [10_000, 100_000, 1_000_000],
    sample: 10_000,
};

const QUICK: Size = Size {
    spell: Duration::from_millis(1_500),
    results: 10_000,
    whole: 3_000,
    steps: [2_000, 6_000, 20_000],
    sample: 2_000,
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let [word, config] = arguments.as_slice()
        && word == limits::IN_MEMORY
    {
        runtime.block_on(limits::serve_from_memory(config.as_ref()));
        return;
    }
    let wanted = |word: &str| arguments.iter().any(|argument| argument == word);
    let size = if wanted("--quick") { QUICK } else { FULL };
    // Words that are not options choose parts.
    let chosen: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    let part = |name: &str| chosen.is_empty() || chosen.iter().any(|it| *it == name);
    let begun = tokio::time::Instant::now();
    show::opening();
    runtime.block_on(async {
        if part("accepts") {
            paths::accepts(size).await;
        }
        if part("results") {
            paths::results(size).await;
        }
        if part("till") {
            till::all(size).await;
        }
        if part("whole") {
            paths::whole(size).await;
        }
        if part("limits") {
            limits::all(size).await;
        }
        if wanted("profile") {
            paths::profile(size).await;
        }
        if part("growth") {
            growth::all(size).await;
        }
    });
    Table::line(&format!("\nThe whole bench took {} s.", begun.elapsed().as_secs()));
}
