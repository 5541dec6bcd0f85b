//! The example clients, which talk to M-Pesa themselves: the wrong one fails exactly where it is
//! wrong, the right one nowhere.

use super::{Run, examples};

/// The wrong client waits for two seconds, and what is late is later than that.
const PACE: [&str; 8] =
    ["--listen", "127.0.0.1:0", "--late", "3s", "--hold", "5s", "--quiet", "8s"];

/// What it fails over both interfaces: it counts an acknowledgement as paid, whatever the result
/// says, and it pays again under a new id whatever is not acknowledged.
const SHARED: &str = "\
    fails-no-funds fails-below-minimum fails-above-maximum fails-daily-limit fails-bad-receiver \
    fails-receiver-full fails-not-registered fails-internal fails-strange-code answer-never \
    answer-dropped answer-late answer-page answer-unavailable answer-fault answer-internal-error \
    answer-system-error answer-dropped-fails result-never-fails nothing-comes \
    nothing-comes-dropped nothing-comes-fails dropped-before dropped-before-twice \
    answer-never-result-twice result-first-answer-dropped result-late-answer-never fails-twice \
    fails-first fails-late denied-then-paid not-the-last-word-fails question-fails-first \
    question-lost-first question-busy-first question-late question-held question-told-twice \
    nobody-knows nobody-knows-fails";
const SOAP: &str = "\
    queued-then-paid queued-unanswered queued-result-never queued-given-up \
    queued-given-up-unanswered queued-answer-says-so-falsely";
const DARAJA: &str = "\
    answer-502 answer-504 answer-429-after answer-empty answer-no-json unavailable-503 \
    timeout-504 system-error-before queue-timeout queue-timeout-thin";

fn certify(script: &str, interface: &str, more: &[&str]) -> super::Done {
    let run = Run::new();
    let args = [&["--interface", interface, "--timeout", "2"], more].concat();
    let _client = run.client(&examples().join(script), &args, None);
    run.certify(interface, &PACE)
}

#[test]
fn the_wrong_client_fails_over_soap_exactly_where_it_is_wrong() {
    let done = certify("wrong_client.py", "soap", &[]);
    done.failed_exactly(&format!("{SHARED} {SOAP}"));
    let table: [(&str, &[&str]); 6] = [
        ("paid", &[]),
        ("fails-no-funds", &["not_paid_called_paid"]),
        ("answer-never", &["double_debit", "new_id"]),
        ("dropped-before", &["new_id"]),
        ("queued-then-paid", &["double_debit", "new_id"]),
        ("nobody-knows", &["double_debit", "guessed", "new_id"]),
    ];
    for (case, flaws) in table {
        assert_eq!(done.flaws(case), flaws, "{case}");
    }
}

#[test]
fn the_wrong_client_fails_over_daraja_exactly_where_it_is_wrong() {
    let done = certify("wrong_client.py", "daraja", &[]);
    done.failed_exactly(&format!("{SHARED} {DARAJA}"));
}

/// It asks after three seconds of silence; and what is late, is late by as much.
const RIGHT: [&str; 6] = ["--overdue", "3", "--window", "4", "--questions", "5"];

#[test]
fn the_right_client_passes_every_case_over_soap() {
    certify("right_client.py", "soap", &RIGHT).passed(60);
}

#[test]
fn the_right_client_passes_every_case_over_daraja() {
    certify("right_client.py", "daraja", &RIGHT).passed(60);
}
