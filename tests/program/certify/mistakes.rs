//! One mistake at a time, planted in the client that makes none: the cases that are for it find it,
//! and the others let it be.

use std::path::Path;

use super::Run;

/// A mistake, how it talks to M-Pesa; the cases that find it out, and those that cannot.
type Mistake = (&'static str, &'static str, &'static [(&'static str, &'static str)], &'static str);

/// Of each case that finds a mistake out, the first flaw.
const MISTAKES: [Mistake; 12] = [
    (
        "an-acknowledgement-is-paid",
        "soap",
        &[("fails-no-funds", "not_paid_called_paid"), ("fails-late", "not_paid_called_paid")],
        "paid refused answer-dropped",
    ),
    (
        "doubt-is-failure",
        "daraja",
        &[("answer-page", "paid_called_not_paid"), ("answer-502", "paid_called_not_paid")],
        "paid fails-no-funds busy",
    ),
    (
        "held-is-failure",
        "soap",
        &[("queued-then-paid", "paid_called_not_paid")],
        "paid throttled answer-dropped",
    ),
    (
        "silence-is-failure",
        "soap",
        &[("result-late", "paid_called_not_paid"), ("nothing-comes", "paid_called_not_paid")],
        "paid fails-no-funds",
    ),
    (
        "nobody-asks",
        "daraja",
        &[("result-never", "not_asked"), ("question-fails-first", "not_asked")],
        "paid answer-never nobody-knows",
    ),
    (
        "the-question-is-the-payment",
        "soap",
        &[
            ("question-fails-first", "paid_called_not_paid"),
            ("nothing-comes-fails", "not_paid_called_paid"),
            ("nobody-knows-fails", "guessed"),
        ],
        "paid result-twice nothing-comes-dropped",
    ),
    (
        "the-last-word-wins",
        "daraja",
        &[
            ("paid-then-denied", "paid_called_not_paid"),
            ("denied-then-paid", "not_paid_called_paid"),
        ],
        "paid result-twice fails-no-funds",
    ),
    (
        "the-type-is-passed-over",
        "soap",
        &[("not-the-last-word-fails", "not_paid_called_paid")],
        "paid not-the-last-word",
    ),
    (
        "each-result-is-booked",
        "soap",
        &[("result-twice", "booked_twice"), ("fails-twice", "booked_twice")],
        "paid fails-no-funds",
    ),
    (
        "known-only-after-the-answer",
        "soap",
        &[("result-first", "result_lost"), ("fails-first", "result_lost")],
        "paid result-late",
    ),
    ("a-refusal-is-open", "soap", &[("refused", "result_lost")], "paid fails-no-funds"),
    ("busy-is-open", "soap", &[("throttled", "result_lost")], "paid"),
];

fn plant((mistake, interface, found, let_be): Mistake) {
    let run = Run::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/certify/careless.py");
    let args = ["--interface", interface, "--mistake", mistake, "--timeout", "2"];
    let _client = run.client(&script, &args, None);
    let mut more = vec!["--listen", "127.0.0.1:0", "--late", "3s", "--hold", "4s", "--quiet", "6s"];
    for name in found.iter().map(|(name, _)| *name).chain(let_be.split_whitespace()) {
        more.extend(["--case", name]);
    }
    let done = run.certify(interface, &more);
    for (case, flaw) in found {
        assert_eq!(done.flaws(case).first(), Some(flaw), "{mistake}: {case}");
    }
    for case in let_be.split_whitespace() {
        assert!(done.flaws(case).is_empty(), "{mistake}: {case} {:?}", done.flaws(case));
    }
}

#[test]
fn each_mistake_is_found_out_by_the_cases_that_are_for_it() {
    for mistake in MISTAKES {
        plant(mistake);
    }
}
