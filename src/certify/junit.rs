//! The report as JUnit XML, as build servers read it: a suite for each group of cases, a case that
//! failed as a failure, one to look at as passed with what was found in its output.

use std::fmt::Write as _;

use super::case::Group;
use super::judge::{Level, Verdict};
use super::markup::escaped;
use super::report::Report;

/// The whole report.
pub fn render(report: &Report) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a text never fails.
    suites(&mut out, report).ok();
    out
}

fn suites(out: &mut String, report: &Report) -> std::fmt::Result {
    let name = format!("mlango certify {}", report.interface);
    let (all, failed) = (report.verdicts.len(), report.count(Level::Failed));
    writeln!(
        out,
        "<testsuites name=\"{}\" tests=\"{all}\" failures=\"{failed}\" errors=\"0\">",
        escaped(&name)
    )?;
    let mut groups: Vec<Group> = report.verdicts.iter().map(|v| v.task.case.group).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        suite(out, report, group)?;
    }
    writeln!(out, "</testsuites>")
}

fn suite(out: &mut String, report: &Report, group: Group) -> std::fmt::Result {
    let ours = || report.verdicts.iter().filter(|verdict| verdict.task.case.group == group);
    let failed = ours().filter(|verdict| verdict.level == Level::Failed).count();
    writeln!(
        out,
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"0\">",
        escaped(group.as_str()),
        ours().count()
    )?;
    for verdict in ours() {
        case(out, report, verdict)?;
    }
    writeln!(out, "  </testsuite>")
}

fn case(out: &mut String, report: &Report, verdict: &Verdict) -> std::fmt::Result {
    let case = &verdict.task.case;
    let class = format!("certify.{}.{}", report.interface, case.group.as_str().replace(' ', "_"));
    write!(
        out,
        "    <testcase name=\"{}\" classname=\"{}\" time=\"0\"",
        escaped(case.name),
        escaped(&class)
    )?;
    if verdict.findings.is_empty() {
        return writeln!(out, "/>");
    }
    writeln!(out, ">")?;
    let says = verdict.findings.iter().map(|finding| finding.says.as_str());
    let says = says.collect::<Vec<_>>().join("; ");
    let body = body(verdict);
    if verdict.level == Level::Failed {
        let kind = verdict.findings.first().map_or("", |worst| worst.flaw.as_str());
        writeln!(
            out,
            "      <failure message=\"{}\" type=\"{kind}\">{}</failure>",
            escaped(&says),
            escaped(&body)
        )?;
    } else {
        writeln!(out, "      <system-out>{}</system-out>", escaped(&format!("{says}\n{body}")))?;
    }
    writeln!(out, "    </testcase>")
}

fn body(verdict: &Verdict) -> String {
    let case = &verdict.task.case;
    let mut lines = vec![
        format!("M-Pesa: {}", case.story),
        format!("expected: {}", case.expected()),
        format!("happened: {}", verdict.happened()),
        format!("why: {} ({})", case.why, case.source),
    ];
    lines.extend(verdict.wire.iter().map(|line| format!("wire: {line}")));
    lines.join("\n")
}
