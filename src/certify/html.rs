//! The report as one page of HTML that needs nothing else: no script, no font, no picture.

use std::fmt::Write as _;

use super::judge::{Level, Verdict};
use super::markup::escaped;
use super::report::Report;

const STYLE: &str = "\
:root{color-scheme:light dark;--ok:#1a7f37;--look:#9a6700;--failed:#cf222e;--line:#8884}\
*{box-sizing:border-box}\
body{font:16px/1.5 system-ui,sans-serif;max-width:72rem;margin:0 auto;padding:1rem}\
h1{font-size:1.5rem;line-height:1.2;margin:.5rem 0}\
h2{font-size:1.1rem;margin:2rem 0 .5rem}\
.sum{display:flex;flex-wrap:wrap;gap:.5rem;padding:0;list-style:none}\
.sum li{border:1px solid var(--line);border-radius:.5rem;padding:.25rem .75rem}\
details{border:1px solid var(--line);border-left:.3rem solid;border-radius:.3rem;margin:.4rem 0}\
summary{cursor:pointer;padding:.5rem .75rem;display:flex;flex-wrap:wrap;gap:.25rem 1rem}\
summary b{min-width:4.5rem}summary code{flex:1 1 14rem;overflow-wrap:anywhere}\
summary span{flex:2 1 16rem}\
.passed{border-left-color:var(--ok)}.passed b{color:var(--ok)}\
.warning{border-left-color:var(--look)}.warning b{color:var(--look)}\
.failed{border-left-color:var(--failed)}.failed b{color:var(--failed)}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem;margin:0;padding:.5rem .75rem}\
dt{opacity:.75}dd{margin:0;overflow-wrap:anywhere}\
pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.85rem}\
@media(max-width:40rem){dl{grid-template-columns:1fr}dd{margin-bottom:.5rem}}";

/// The whole report.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing to a text never fails.
    page(&mut out, report).ok();
    out
}

fn page(out: &mut String, report: &Report) -> std::fmt::Result {
    let title = format!("mlango certify: {}", report.summary());
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n\
         <title>{0}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>Certified over {2}: {1}</h1>\n<ul class=\"sum\">",
        escaped(&title),
        if report.is_passed() { "passed" } else { "failed" },
        report.interface
    )?;
    for (level, what) in LEVELS {
        writeln!(
            out,
            "<li class=\"{}\"><b>{}</b> {what}</li>",
            level.as_str(),
            report.count(level)
        )?;
    }
    writeln!(
        out,
        "</ul>\n<p>{}</p>\n<p>Run {}. Each case is a payment of its own.</p>",
        escaped(&report.totals()),
        escaped(&report.run)
    )?;
    for (level, what) in LEVELS {
        let ours = report.worst_first(level);
        if !ours.is_empty() {
            writeln!(out, "<h2>{what}</h2>")?;
        }
        for verdict in ours {
            case(out, verdict)?;
        }
    }
    writeln!(out, "</body>\n</html>")
}

/// The worst first.
const LEVELS: [(Level, &str); 3] =
    [(Level::Failed, "failed"), (Level::Warning, "to look at"), (Level::Passed, "passed")];

fn case(out: &mut String, verdict: &Verdict) -> std::fmt::Result {
    let task = &verdict.task;
    let open = if verdict.level == Level::Failed { " open" } else { "" };
    let level = verdict.level.as_str();
    let happened = verdict.happened();
    writeln!(
        out,
        "<details class=\"{level}\"{open}><summary><b>{level}</b><code>{}</code>\
         <span>{}</span></summary><dl>",
        escaped(task.case.name),
        escaped(&happened)
    )?;
    item(out, "M-Pesa", task.case.story)?;
    item(out, "payment", &format!("{}, {} shillings", task.reference, task.amount))?;
    item(out, "expected", &task.case.expected())?;
    item(out, "happened", &happened)?;
    for finding in &verdict.findings {
        let (level, name) = (finding.flaw.level().as_str(), finding.flaw.as_str());
        let says = escaped(&finding.says);
        writeln!(out, "<dt>{level}</dt><dd><code>{name}</code> {says}</dd>")?;
    }
    item(out, "why it matters", &format!("{} ({})", task.case.why, task.case.source))?;
    let wire = escaped(&verdict.wire.join("\n"));
    writeln!(out, "<dt>wire</dt><dd><pre>{wire}</pre></dd></dl></details>")
}

fn item(out: &mut String, name: &str, text: &str) -> std::fmt::Result {
    writeln!(out, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(text))
}
