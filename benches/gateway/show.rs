//! Figures, as people read them.

use std::path::Path;
use std::process::Command;

use mlango::sim::load::Report;

/// A table that is printed row by row, as rows come.
pub struct Table {
    widths: Vec<usize>,
}

impl Table {
    /// A title, what is measured in words, and the head: each column's name and width.
    pub fn new(title: &str, words: &str, head: &[(&str, usize)]) -> Self {
        println!("\n{title}\n{}", "=".repeat(title.chars().count()));
        if !words.is_empty() {
            println!("{words}\n");
        }
        let widths = head.iter().map(|(_, width)| *width).collect();
        let table = Self { widths };
        let names: Vec<String> = head.iter().map(|(name, _)| (*name).to_owned()).collect();
        table.row(&names);
        let rules: Vec<String> = table.widths.iter().map(|width| "-".repeat(*width)).collect();
        table.row(&rules);
        table
    }

    /// One row: the first column stands left, the others right.
    pub fn row(&self, cells: &[String]) {
        let mut line = String::new();
        for (place, (cell, width)) in cells.iter().zip(&self.widths).enumerate() {
            if place == 0 {
                line.push_str(&format!("{cell:<width$}"));
            } else {
                line.push_str(&format!("  {cell:>width$}"));
            }
        }
        println!("{}", line.trim_end());
    }

    /// A line between or below tables.
    pub fn line(text: &str) {
        println!("{text}");
    }
}

/// The head that every table of runs has.
pub const RUNS: [(&str, usize); 8] = [
    ("", 46),
    ("done", 8),
    ("per s", 8),
    ("p50 ms", 8),
    ("p99 ms", 8),
    ("max ms", 8),
    ("gw us", 7),
    ("load us", 7),
];

/// What the last two columns of [`RUNS`] are.
pub const RUNS_WORDS: &str = "gw us and load us: processor time per request, in microseconds, of the gateway and of the\n\
     load generator; both share the cores. Latencies are the load generator's.";

/// A run as a row of [`RUNS`]; processor times in microseconds, in all.
pub fn run(table: &Table, what: &str, report: &Report, (gateway, load): (u64, u64)) {
    let each = |micros: u64| (micros / report.done.max(1)).to_string();
    table.row(&[
        what.to_owned(),
        thousands(report.done),
        thousands(report.per_second()),
        millis(report.p50),
        millis(report.p99),
        millis(report.max),
        each(gateway),
        each(load),
    ]);
    if report.errors > 0 {
        let first = report.first_error.as_deref().unwrap_or_default();
        println!("    {} ended badly; the first: {first}", report.errors);
    }
}

/// Whether an aim was met.
pub fn aim(what: &str, is_met: bool) {
    println!("    {} {what}", if is_met { "met:    " } else { "NOT MET:" });
}

/// Microseconds as milliseconds with two places.
pub fn millis(micros: u64) -> String {
    format!("{}.{:02}", micros / 1_000, micros % 1_000 / 10)
}

/// Bytes as megabytes of a million.
pub fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1_000_000))
}

/// A number with blanks between thousands.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            shown.push(' ');
        }
        shown.push(digit);
    }
    shown
}

/// What the figures hold for.
pub fn opening() {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let disk = filesystem_of(&super::home::disk());
    println!(
        "mlango {}, {cores} cores, store on {disk}.\n\
         The gateway is `mlango serve` in a process of its own, with the configuration that\n\
         `mlango init` writes; the load generator and the simulator share the cores with it.\n\
         Every accept and result that is counted was answered after its fdatasync.",
        env!("CARGO_PKG_VERSION"),
    );
    if disk == "tmpfs" {
        println!("THIS IS NO DISK: no figure below that speaks of the store means anything.");
    }
}

fn filesystem_of(path: &Path) -> String {
    let said = Command::new("stat").args(["-f", "-c", "%T"]).arg(path).output();
    said.map_or_else(
        |_error| "an unknown file system".to_owned(),
        |said| String::from_utf8_lossy(&said.stdout).trim().to_owned(),
    )
}
