use serde_json::json;

use super::*;

fn heard(at: i64, kind: Kind) -> Heard {
    Heard { at, kind }
}

fn code(code: &str) -> Answer {
    Answer::Code(code.to_owned())
}

fn told(code: &str) -> Told {
    Told { code: code.to_owned(), waiting: false, knows_it: false }
}

fn found() -> Told {
    Told { knows_it: true, ..told("0") }
}

/// The `then` of each rule.
fn thens(heard: &[Heard]) -> Vec<String> {
    let payout = json!({"amount": "150.00", "rail": "soap", "command": "BusinessPayment",
                        "status": "succeeded"});
    let file = write(&payout, heard);
    Scenario::parse(&file).unwrap_or_else(|faults| panic!("{file}\n{faults}"));
    let then = |line: &str| line.strip_prefix("then = ").map(str::to_owned);
    file.lines().filter_map(then).collect()
}

/// A story; what was heard, and when; what is to happen in each rule.
type Story<'a> = (&'a str, &'a [(i64, Kind)], &'a [&'a str]);

#[test]
#[expect(clippy::too_many_lines, reason = "a table of lives")]
fn each_life_is_written_as_the_rules_that_play_it_again() {
    use Kind::{Answered, Asked, AskedAnswered, AskedTold, GivenUp, Sent, TimedOut, Told};
    let table: &[Story<'_>] = &[
        (
            "ordinary",
            &[(0, Sent), (10, Answered(code("0"))), (40, Told(told("0")))],
            &["{ result_after = \"40ms\" }"],
        ),
        (
            "failed",
            &[(0, Sent), (10, Answered(code("0"))), (40, Told(told("2040")))],
            &["{ fail = \"2040\", result_after = \"40ms\" }"],
        ),
        ("refused", &[(0, Sent), (10, Answered(code("1005")))], &["{ refuse = \"1005\" }"]),
        (
            "told first",
            &[(0, Sent), (10, Told(told("0"))), (40, Answered(code("0")))],
            &["{ result = \"first\" }"],
        ),
        (
            "twice",
            &[(0, Sent), (1, Answered(code("0"))), (40, Told(told("0"))), (90, Told(told("0")))],
            &["{ result = \"twice\", again_after = \"50ms\", result_after = \"40ms\" }"],
        ),
        (
            "contradicted",
            &[(0, Sent), (1, Answered(code("0"))), (40, Told(told("0"))), (90, Told(told("1")))],
            &["{ contradict = \"1\", again_after = \"50ms\", result_after = \"40ms\" }"],
        ),
        (
            "lost answer",
            &[(0, Sent), (9, TimedOut), (40, Told(told("0")))],
            &["{ result_after = \"40ms\", answer = \"never\" }"],
        ),
        (
            "paid, and only a question tells",
            &[(0, Sent), (100, Asked), (110, AskedAnswered(code("0"))), (150, AskedTold(found()))],
            &["{ result = \"never\", answer = \"drop\" }", "{ result_after = \"50ms\" }"],
        ),
        (
            "never taken, sent again",
            &[
                (0, Sent),
                (100, Asked),
                (110, AskedAnswered(code("0"))),
                (150, AskedTold(told("15"))),
                (200, Sent),
                (210, Answered(code("0"))),
                (240, Told(told("0"))),
            ],
            &[
                "{ act = \"forget\", answer = \"drop\" }",
                "{ result_after = \"40ms\" }",
                "{ fail = \"15\", result_after = \"50ms\" }",
            ],
        ),
        (
            "throttled, sent again",
            &[
                (0, Sent),
                (1, Answered(code("100000002"))),
                (50, Sent),
                (51, Answered(code("0"))),
                (70, Told(told("0"))),
            ],
            &["{ refuse = \"100000002\" }", "{ result_after = \"20ms\" }"],
        ),
        (
            "given up",
            &[(0, Sent), (1, Answered(code("100000000"))), (50, GivenUp)],
            &["{ act = \"give_up\", hold_for = \"50ms\" }"],
        ),
        (
            "held",
            &[(0, Sent), (1, Answered(code("100000000"))), (50, Told(told("0")))],
            &["{ act = \"hold\", hold_for = \"50ms\" }"],
        ),
        (
            "a question that is lost",
            &[(0, Sent), (1, Answered(code("0"))), (50, Asked)],
            &["{ result = \"never\" }", "{ answer = \"drop\", result = \"never\" }"],
        ),
    ];
    for (story, life, expected) in table {
        let life: Vec<Heard> = life.iter().map(|(at, kind)| heard(*at, kind.clone())).collect();
        assert_eq!(thens(&life), *expected, "{story}");
    }
}

#[test]
fn messages_of_either_rail_are_read() {
    let message = |channel: &str, body: &Value| {
        let message = json!({"at": "2024-01-02T03:04:05.007Z", "channel": channel,
                             "encoding": "utf-8", "body": body.to_string()});
        Heard::read(&message).map(|heard| heard.kind)
    };
    let answers = [
        (json!({"ResponseCode": "0"}), code("0")),
        (json!({"errorCode": "500.003.02", "errorMessage": "System is busy."}), code("100000002")),
        (json!({"errorCode": "500.002.1001", "errorMessage": "Duplicate Originator"}), code("15")),
        (json!({"errorCode": "500.001.1001"}), Answer::Unreadable),
        (json!({"fault": {}}), code("100000002")),
        (json!({}), Answer::Unreadable),
    ];
    for (body, answer) in answers {
        let expected = Some(Kind::Answered(answer));
        assert_eq!(message("payout.answer", &body), expected, "{body}");
    }
    let result = json!({"Result": {"ResultType": 0, "ResultCode": 2040}});
    assert_eq!(message("payout.result", &result), Some(Kind::Told(told("2040"))));
    assert_eq!(message("payout.result", &json!("what?")), None);
    assert_eq!(message("stk.callback", &result), None);
}
