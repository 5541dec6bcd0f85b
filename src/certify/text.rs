//! The report for a terminal: a line for each case, and what is to be known of those that are not
//! as they should be.

use std::fmt::Write as _;

use super::judge::{Level, Verdict};
use super::report::Report;

/// The cells of a case's line: verdict, case, what M-Pesa's ledger shows, what the books say, and
/// what is wrong in one word.
pub fn row(verdict: &Verdict) -> Vec<String> {
    let flaws = verdict.findings.iter().map(|finding| finding.flaw.as_str());
    vec![
        mark(verdict.level).to_owned(),
        verdict.task.case.name.to_owned(),
        verdict.ledger.clone(),
        verdict.books.clone(),
        flaws.collect::<Vec<_>>().join(", "),
    ]
}

/// What the cells of [`row`] are called.
pub const HEAD: [&str; 5] = ["", "case", "M-Pesa's ledger", "the books", "what is wrong"];

const fn mark(level: Level) -> &'static str {
    match level {
        Level::Passed => "ok",
        Level::Warning => "look",
        Level::Failed => "FAILED",
    }
}

/// What is to be known of each case that is not as it should be.
pub fn details(report: &Report) -> String {
    let mut out = String::new();
    for verdict in report.verdicts.iter().filter(|verdict| verdict.level != Level::Passed) {
        // Writing to a text never fails.
        detail(&mut out, verdict).ok();
    }
    out
}

fn detail(out: &mut String, verdict: &Verdict) -> std::fmt::Result {
    let task = &verdict.task;
    let case = &task.case;
    writeln!(out, "{} {} ({}, {})", mark(verdict.level), case.name, task.reference, task.amount)?;
    writeln!(out, "  M-Pesa:    {}", case.story)?;
    writeln!(out, "  expected:  {}", case.expected())?;
    writeln!(out, "  happened:  {}", verdict.happened())?;
    for finding in &verdict.findings {
        writeln!(out, "  {:<10} {}", format!("{}:", finding.flaw.level().as_str()), finding.says)?;
    }
    writeln!(out, "  why:       {} ({})", case.why, case.source)?;
    for line in &verdict.wire {
        writeln!(out, "  wire:      {line}")?;
    }
    writeln!(out)
}
