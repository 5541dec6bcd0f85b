//! The report as JSON.

use serde_json::{Value, json};

use super::judge::{Level, Verdict};
use super::report::Report;

/// The whole report. Phones are those of the run, which belong to nobody.
pub fn render(report: &Report) -> Value {
    json!({
        "interface": report.interface.as_str(),
        "run": report.run,
        "passed": report.count(Level::Passed),
        "failed": report.count(Level::Failed),
        "warnings": report.count(Level::Warning),
        "other_rows_in_books": report.strangers,
        "cases": report.verdicts.iter().map(case).collect::<Vec<_>>(),
    })
}

fn case(verdict: &Verdict) -> Value {
    let task = &verdict.task;
    let finding = |finding: &super::judge::Finding| {
        json!({
            "flaw": finding.flaw.as_str(),
            "level": finding.flaw.level().as_str(),
            "says": finding.says,
        })
    };
    json!({
        "case": task.case.name,
        "group": task.case.group.as_str(),
        "reference": task.reference,
        "phone": task.phone.reveal(),
        "amount": task.amount.to_string(),
        "verdict": verdict.level.as_str(),
        "mpesa": task.case.story,
        "expected": task.case.expected(),
        "why": task.case.why,
        "source": task.case.source,
        "ledger": verdict.ledger,
        "books": verdict.books,
        "happened": verdict.happened(),
        "findings": verdict.findings.iter().map(finding).collect::<Vec<_>>(),
        "wire": verdict.wire,
    })
}
