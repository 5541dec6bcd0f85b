//! Every row of the spec's tables of codes stands in a table of ours on purpose, with what the
//! spec says of it (spec/daraja.md §3.1–§3.3).

use mlango::domain::outcome::{
    self, ANSWERS, AnswerClass, Blame, RESULTS, ResultClass, STK, StkClass,
};

/// spec/daraja.md §3.1: code, whether money moved (`None`: not the last word).
const PROMPTS: &[(&str, Option<bool>)] = &[
    ("0", Some(true)),
    ("1", Some(false)),
    ("2", Some(false)),
    ("3", Some(false)),
    ("4", Some(false)),
    ("8", Some(false)),
    ("17", Some(false)),
    ("26", Some(false)),
    ("1001", Some(false)),
    ("1019", Some(false)),
    ("1025", Some(false)),
    ("9999", Some(false)),
    ("1032", Some(false)),
    ("1031", Some(false)),
    ("1037", Some(false)),
    ("2001", Some(false)),
    ("2028", Some(false)),
    ("8006", Some(false)),
    ("SFC_IC0003", Some(false)),
    ("4999", None),
    ("anything else", None),
];

#[test]
fn prompts_are_judged_as_the_spec_says() {
    for (code, moved) in PROMPTS {
        let row = outcome::stk(code);
        let class = match moved {
            Some(true) => StkClass::Paid,
            Some(false) => StkClass::Failed,
            None if *code == "4999" => StkClass::StillOpen,
            None => StkClass::Unknown,
        };
        assert_eq!(row.class, class, "{code}");
        let is_known = STK.iter().any(|row| row.code == *code);
        assert_eq!(is_known, *code != "anything else", "{code}");
    }
}

/// spec/daraja.md §3.2, with the words that texts add: what follows for the request.
const HTTP_ERRORS: &[(&str, AnswerClass)] = &[
    ("400.002.02", AnswerClass::Refused),
    ("400.002.02:threat", AnswerClass::Refused),
    ("400.002.02:checkout", AnswerClass::TryLater),
    ("400.002.05", AnswerClass::Refused),
    ("400.003.01", AnswerClass::TryLater),
    ("400.003.02", AnswerClass::Refused),
    ("400.001", AnswerClass::Refused),
    ("401.001", AnswerClass::TryLater),
    ("400.008.01", AnswerClass::Refused),
    ("400.008.02", AnswerClass::Refused),
    ("401.002.01", AnswerClass::TryLater),
    ("401.003.01", AnswerClass::TryLater),
    ("404.001.03", AnswerClass::TryLater),
    ("404.001.01", AnswerClass::Refused),
    ("404.002.01", AnswerClass::Refused),
    ("404.003.01", AnswerClass::Refused),
    ("404.001.04", AnswerClass::Refused),
    ("405.001", AnswerClass::Refused),
    ("403.002.1001", AnswerClass::Refused),
    ("500.001.1001:merchant", AnswerClass::Refused),
    ("500.001.1001:credentials", AnswerClass::Refused),
    ("500.001.1001:locked", AnswerClass::Refused),
    ("500.001.1001:processing", AnswerClass::Doubt),
    ("500.001.1001:no_transaction", AnswerClass::Doubt),
    ("500.001.1001", AnswerClass::Doubt),
    ("500.002.1001:duplicate", AnswerClass::Doubt),
    ("500.002.1001:internal", AnswerClass::Doubt),
    ("500.003.02:spike_arrest", AnswerClass::TryLater),
    ("500.003.02:busy", AnswerClass::TryLater),
    ("500.003.02", AnswerClass::Doubt),
    ("500.003.03", AnswerClass::TryLater),
    ("500.003.1001", AnswerClass::Doubt),
    ("500.003.1001:registered", AnswerClass::Refused),
    ("500.003.1001:elsewhere", AnswerClass::Refused),
    ("http.429.spike_arrest", AnswerClass::TryLater),
    ("http.401.no_product", AnswerClass::Refused),
    ("http.403.firewall", AnswerClass::TryLater),
    ("http.503.firewall", AnswerClass::Doubt),
    ("00.002.1001", AnswerClass::TryLater),
    ("http.502", AnswerClass::Doubt),
    ("http.504", AnswerClass::Doubt),
    ("unreadable", AnswerClass::Doubt),
];

#[test]
fn http_errors_are_judged_as_the_spec_says() {
    for (code, class) in HTTP_ERRORS {
        assert!(ANSWERS.iter().any(|row| row.code == *code), "{code}");
        let row = outcome::answer(code);
        assert_eq!(row.class, *class, "{code}");
        assert!(!row.blame.stops_the_rail(), "{code}: no operator is locked by it");
    }
    assert!(outcome::is_duplicate("500.002.1001:duplicate") && outcome::is_duplicate("15"));
    assert!(!outcome::is_duplicate("500.002.1001") && !outcome::is_duplicate("0"));
}

/// spec/daraja.md §3.3: codes and whether money moved (`None`: unknown, or the earlier one's).
const RESULT_ROWS: &[(&str, Option<bool>)] = &[
    ("0", Some(true)),
    ("1 2 3 4 8 11", Some(false)),
    ("15 17", None),
    ("18 20 21 22", Some(false)),
    ("19 24 25 29", Some(false)),
    ("26 2001 2006 2028 2040 8006 SFC_IC0003 TP40153", Some(false)),
    ("R000001 R000002", None),
    ("100000000 100000004", None),
    ("100000001 100000002 100000005 100000007 100000009 100000010 100000011", Some(false)),
    ("5 6 7 12 13 14", Some(false)),
];

#[test]
fn results_are_judged_as_the_spec_says() {
    for (codes, moved) in RESULT_ROWS {
        for code in codes.split_whitespace() {
            assert!(RESULTS.iter().any(|row| row.code == code), "{code}");
            let class = match moved {
                Some(true) => ResultClass::Paid,
                Some(false) => ResultClass::NotPaid,
                None => ResultClass::Doubt,
            };
            assert_eq!(outcome::result(code).class, class, "{code}");
        }
    }
    for code in ["2001", "8006", "18", "100000007"] {
        assert_eq!(outcome::result(code).blame, Blame::Credential, "{code}");
    }
    assert_ne!(outcome::result("TP40153").blame, Blame::Credential);
}
