//! The alarms ask for metrics that there are, and the metrics that people must know of have alarms.

#![expect(clippy::expect_used, reason = "a test that panics has failed, as it should")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).expect("a file of the project")
}

/// Every word of a text that is a metric's name.
fn metrics(text: &str) -> BTreeSet<&str> {
    let is_of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    text.split(|c| !is_of_a_name(c)).filter(|word| word.starts_with("mlango_")).collect()
}

/// The expressions, and the names of the alarms.
fn alarms() -> (String, Vec<String>) {
    let text = read("packaging/alarms.yml");
    let after = |head: &'static str| {
        text.lines().filter_map(move |line| line.trim().strip_prefix(head)).map(ToOwned::to_owned)
    };
    (after("expr: ").collect::<Vec<_>>().join("\n"), after("- alert: ").collect())
}

#[test]
fn every_metric_of_an_alarm_is_there() {
    let source = read("src/telemetry/metric.rs");
    let known = metrics(&source);
    let (expressions, names) = alarms();
    let asked = metrics(&expressions);
    let missing: Vec<_> = asked.difference(&known).collect();
    assert!(missing.is_empty(), "no metric has these names: {missing:?}");
    assert_eq!(expressions.lines().count(), names.len(), "one expression for each alarm");
    let once: BTreeSet<_> = names.iter().collect();
    assert_eq!(once.len(), names.len(), "each name once: {names:?}");
}

#[test]
fn what_a_person_must_know_has_an_alarm() {
    let (expressions, _names) = alarms();
    let asked = metrics(&expressions);
    for metric in [
        "mlango_certificate_days_left",
        "mlango_contradictions_total",
        "mlango_initiator_password_days_left",
        "mlango_link_up",
        "mlango_oldest_unknown_seconds",
        "mlango_open_cases",
        "mlango_rail_stopped",
        "mlango_store_failed",
    ] {
        assert!(asked.contains(metric), "{metric} alarms nobody");
    }
}

#[test]
fn each_alarm_says_what_happened_and_what_to_do() {
    let text = read("packaging/alarms.yml");
    let (_expressions, names) = alarms();
    for word in ["severity: ", "summary: ", "action: "] {
        let count = text.lines().filter(|line| line.contains(word)).count();
        assert_eq!(count, names.len(), "{word}");
    }
}
