//! The verdict on a customer's system, without a wire: the matrices, and the report in each form.

#![expect(
    clippy::expect_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that panics has failed, as it should; of XML it looks at a few things only"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use mlango::certify::books::{Row, Status};
use mlango::certify::case::{Case, Evidence, Money, Pace, Task, tasks};
use mlango::certify::judge::{Level, Paid};
use mlango::certify::report::{Report, Trial};
use mlango::certify::wire::Wire;
use mlango::certify::{Interface, html, json, junit, text};
use mlango::sim::daraja::faults::Fault;

const ALL: [Interface; 3] = [Interface::Soap, Interface::Daraja, Interface::Gateway];

#[test]
fn each_matrix_has_at_least_forty_cases_each_with_its_reason() {
    for interface in ALL {
        let cases = interface.cases(Pace::default());
        assert!(cases.len() >= 40, "{interface}: {}", cases.len());
        let names: BTreeSet<&str> = cases.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), cases.len(), "{interface}: a name is there twice");
        for case in &cases {
            let told = [case.name, case.story, case.why, case.source];
            assert!(told.iter().all(|text| !text.is_empty()), "{}", case.name);
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(case.name.chars().all(is_plain), "{}", case.name);
            // Nobody can be expected to know what nobody says.
            let is_open = case.evidence == Evidence::Open;
            assert!(!is_open || case.money != Money::Either, "{}", case.name);
            for fault in &case.faults {
                assert!(Fault::parse(fault.name).is_ok(), "{}: {}", case.name, fault.name);
            }
        }
    }
}

/// What the issue names: lost answers, duplicates, late and contradicting results, timeouts,
/// throttling.
#[test]
fn every_kind_of_trouble_is_in_each_matrix() {
    for interface in ALL {
        let cases = interface.cases(Pace::default());
        let groups: BTreeSet<&str> = cases.iter().map(|case| case.group.as_str()).collect();
        for group in ["lost answers", "duplicates and order", "late", "contradictions"] {
            assert!(groups.contains(group), "{interface}: {group}");
        }
        assert!(groups.contains("throttling") && groups.contains("failures"), "{interface}");
        let is_queued = groups.contains("queues");
        assert_eq!(is_queued, interface != Interface::Gateway, "{interface}");
    }
}

#[test]
fn no_case_can_hide_another() {
    for interface in ALL {
        let all = tasks(interface.cases(Pace::default()), "RUN");
        let phones: BTreeSet<u64> = all.iter().map(|task| task.phone.number()).collect();
        let amounts: BTreeSet<u64> = all.iter().map(|task| task.amount.cents()).collect();
        let references: BTreeSet<&str> = all.iter().map(|task| &*task.reference).collect();
        for (what, many) in
            [("phones", phones.len()), ("amounts", amounts.len()), ("names", references.len())]
        {
            assert_eq!(many, all.len(), "{interface}: {what}");
        }
        // These choose an outcome by themselves (contract, part 4).
        let chooses = |phone: &u64| matches!(phone.rem_euclid(10_000), 1..=11);
        assert!(!phones.iter().any(chooses), "{interface}");
        // Whole shillings, of which none is too little or too much to be paid.
        let fits = |cents: &u64| cents.is_multiple_of(100) && (1_000..=25_000_000).contains(cents);
        assert!(amounts.iter().all(fits), "{interface}");
    }
}

/// Four cases: passed, fooled, to look at, and one whose target says something hostile.
fn report() -> Report {
    let chosen = ["paid", "answer-never", "result-never", "throttled"];
    let all = Interface::Soap.cases(Pace::default());
    let case = |name: &&str| all.iter().find(|case| case.name == *name).cloned();
    let cases: Vec<Case> = chosen.iter().filter_map(case).collect();
    let tasks = tasks(cases, "00000A");
    let paid =
        |task: &Task, receipt: &str| Paid { amount: task.amount, receipt: receipt.to_owned() };
    let wire = |ids: &[&str], lines: &[&str]| Wire {
        ids: ids.iter().map(ToString::to_string).collect(),
        is_renamed_unasked: ids.len() > 1,
        unacknowledged: 0,
        lines: lines.iter().map(ToString::to_string).collect(),
    };
    let hostile = "status 500: <script>alert('&\"')</script>\u{1}]]>";
    let trial = |task: &Task| match task.case.name {
        "answer-never" => Trial {
            not_taken: None,
            paid: vec![paid(task, "UK30000002"), paid(task, "UK30000003")],
            wire: wire(
                &["a", "b"],
                &[
                    "+0.000s request a -> no answer",
                    "+2.001s request b -> 200, ResponseCode 0",
                    "+2.050s message, ResultCode 0 -> 200",
                ],
            ),
        },
        "throttled" => Trial { not_taken: Some(hostile.to_owned()), ..Trial::default() },
        _ => Trial {
            not_taken: None,
            paid: vec![paid(task, "UK30000001")],
            wire: wire(&["a"], &["+0.000s request a -> 200, ResponseCode 0"]),
        },
    };
    let row = |task: &Task| Row {
        reference: task.reference.clone(),
        status: if task.case.name == "result-never" { Status::Pending } else { Status::Paid },
        amount: Some(task.amount),
        receipt: None,
        phone: None,
    };
    let mut books: Vec<Row> = tasks.iter().take(3).map(row).collect();
    books.extend(tasks.first().map(|task| Row { reference: "OTHER".to_owned(), ..row(task) }));
    let trials: Vec<(Task, Trial)> =
        tasks.into_iter().map(|task| (task.clone(), trial(&task))).collect();
    Report::new(Interface::Soap, "00000A", &trials, &books)
}

/// As it is kept in `tests/golden/certify`. With `MLANGO_GOLDEN=write` it is kept anew.
fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/certify").join(name);
    if std::env::var_os("MLANGO_GOLDEN").is_some_and(|what| what == "write") {
        fs::write(&path, found).expect("a golden file");
    }
    let kept = fs::read_to_string(&path).expect(name);
    assert_eq!(found, kept, "{name}");
}

#[test]
fn the_report_is_written_in_each_form() {
    let report = report();
    let rows: Vec<String> =
        report.verdicts.iter().map(|verdict| text::row(verdict).join(" | ")).collect();
    let shown = format!("{}\n\n{}{}\n", rows.join("\n"), text::details(&report), report.summary());
    golden("report.txt", &shown);
    golden("report.json", &format!("{:#}\n", json::render(&report)));
    golden("report.xml", &junit::render(&report));
    golden("report.html", &html::render(&report));
    assert_eq!((report.strangers, report.is_passed()), (1, false));
}

#[test]
fn the_worst_comes_first_with_what_it_cost() {
    let mut report = report();
    report.verdicts.reverse();
    let failed = report.worst_first(Level::Failed);
    let names: Vec<&str> = failed.iter().map(|verdict| verdict.task.case.name).collect();
    assert_eq!(names, ["answer-never", "throttled"]);
    let says = "2 cases failed; 1 payment was paid twice, 102.00 shillings too much.";
    assert_eq!(report.totals(), says);
}

#[test]
fn junit_is_well_formed_and_counts_right() {
    let text = junit::render(&report());
    let mut reader = quick_xml::Reader::from_str(&text);
    let (mut cases, mut failures, mut depth) = (0, 0, 0);
    loop {
        match reader.read_event().expect("well-formed") {
            quick_xml::events::Event::Start(start) => {
                depth += 1;
                cases += i32::from(start.name().as_ref() == "testcase");
                failures += i32::from(start.name().as_ref() == "failure");
            }
            quick_xml::events::Event::Empty(_) => cases += 1,
            quick_xml::events::Event::End(_) => depth -= 1,
            quick_xml::events::Event::Eof => break,
            _ => {}
        }
    }
    assert_eq!((cases, failures, depth), (4, 2, 0));
    assert!(text.contains("<testsuites name=\"mlango certify soap\" tests=\"4\" failures=\"2\""));
}

#[test]
fn nothing_that_a_system_says_becomes_part_of_the_page() {
    let report = report();
    for text in [html::render(&report), junit::render(&report)] {
        assert!(!text.contains("<script") && !text.contains('\u{1}'), "{text}");
        assert!(text.contains("&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;"));
    }
    // The page needs nothing from anywhere else.
    let page = html::render(&report);
    for outside in ["http://", "https://", "src=", "url(", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
}
