//! What a file may say: all that is wrong with it at once, and the schema that says the same.

use mlango::sim::scenario::{BYTES_MAX, Scenario};

fn faults(rules: &str) -> String {
    let text = format!("name = \"x\"\nsays = \"y\"\n{rules}");
    match Scenario::parse(&text) {
        Ok(scenario) => format!("good: {scenario:?}"),
        Err(faults) => faults.to_string(),
    }
}

/// What is wrong, and what is said of it.
pub fn bad() -> Vec<(String, &'static str)> {
    let rule =
        |when: &str, then: &str| format!("[[rules]]\nwhen = {{ {when} }}\nthen = {{ {then} }}\n");
    let when = |when: &str| rule(when, "fail = \"1\"");
    let then = |then: &str| rule("api = \"b2c\"", then);
    vec![
        ("rulez = 1\n".to_owned(), "line 3: rulez: is unknown; did you mean \"rules\"?"),
        ("rules = 1\n".to_owned(), "line 3: rules: found 1; expected tables, each under [[rules]]"),
        ("[[rules]]\n".to_owned(), "line 3: rules[1].then: is missing: what is to happen?"),
        (
            when("phone_end = \"1\""),
            "line 4: rules[1].when.phone_end: is unknown; did you mean \"phone_ends\"?",
        ),
        (
            when("phone = \"0822000111\""),
            "line 4: rules[1].when.phone: found \"0822000111\"; expected",
        ),
        (when("phone_ends = \"12a\""), "expected 1 to 9 digits in quotes, such as \"0004\""),
        (when("phone_ends = 4"), "found 4; expected 1 to 9 digits"),
        (when("phone_ends = []"), "lists 0 values; 1 to 1000 are expected"),
        (when("phone_ends = [\"1\", \"x\"]"), "found \"x\"; expected 1 to 9 digits"),
        (when("amount = \"1.234\""), "line 4: rules[1].when.amount: found \"1.234\"; expected"),
        (when("amount = 1.5"), "found a number that is not whole; expected an amount of money"),
        (when("amount = { from = 5, to = 4 }"), "rules[1].when.amount.to: is less than `from`"),
        (
            when("amount = { form = 5 }"),
            "rules[1].when.amount.form: is unknown; did you mean \"from\"?",
        ),
        (when("api = \"b2\""), "expected one of oauth, stk,"),
        (when("api = \"satus\""), "did you mean \"status\"?"),
        (when("interface = \"rest\""), "expected one of soap, daraja"),
        (when("nth = 0"), "found 0; expected a whole number from 1 to 1000000"),
        (when("every = \"2\""), "found \"2\"; expected a whole number"),
        (when("share = \"101%\""), "expected a share such as \"25%\""),
        (when("share = \"0%\""), "expected a share"),
        (when("share = \"5\""), "expected a share"),
        (when("from = \"5\""), "expected a length of time"),
        (when("from = \"32d\""), "to \"31d\""),
        (when("from = \"5m\", until = \"5m\""), "rules[1].when.until: does not come after `from`"),
        (when("cycle = \"1m\", from = \"1m\""), "rules[1].when.cycle: is over before"),
        (when("cycle = \"0s\""), "rules[1].when.cycle: must be longer than nothing"),
        (when("command = \"\""), "expected text of 1 to 200 characters"),
        (then("fial = \"1\""), "line 5: rules[1].then.fial: is unknown; did you mean \"fail\"?"),
        (then(""), "rules[1].then.act: says nothing; write act = \"pay\""),
        (then("act = \"refuse\""), "expected one of pay, forget, hold, give_up, throttle"),
        (
            then("act = \"pay\", fail = \"1\""),
            "rules[1].then.fail: stands beside act; only one of them may",
        ),
        (then("refuse = \"\""), "expected a code, such as"),
        (then("fail = \"1 2\""), "expected a code, such as"),
        (then("hold_for = \"5s\""), "rules[1].then.hold_for: needs act = \"hold\""),
        (then("answer = \"late\""), "expected one of now, never, drop, page, page_503, fault"),
        (then("answer = \"now\", answer_after = \"1s\""), "answer_after: stands beside answer"),
        (then("act = \"forget\", answer = \"now\""), "what is forgotten has no answer"),
        (then("result = \"thrice\""), "did you mean \"twice\"?"),
        (then("result = \"twice\", contradict = \"1\""), "contradict: stands beside result"),
        (then("refuse = \"1\", result = \"twice\""), "no result follows what is refused"),
        (
            then("result = \"never\", result_after = \"1m\""),
            "means nothing where the result is first, or never",
        ),
        (then("again_after = \"1m\""), "there is no second message"),
        (then("malformed = \"cut\""), "needs result = \"malformed\""),
        (then("fault = \"http_503_befor\""), "did you mean \"http_503_before\"?"),
        (then("fault = \"token_life:x\""), "expected a fault that docs/scenarios.md lists"),
        (
            then("fault = \"processing\""),
            "rules[1].when: is never met: what `then` says can befall only stk_query",
        ),
        (rule("interface = \"soap\"", "fault = \"token_refused\""), "is never met over soap"),
        (
            rule("api = [\"qr\", \"oauth\"]", "fail = \"1\""),
            "is never met: what `then` says can befall only stk, b2c",
        ),
        ("[[float]]\nat = \"5m\"\n".to_owned(), "float[1].balance: is missing"),
        ("[[float]]\nbalance = -5\n".to_owned(), "line 4: float[1].balance: found -5; expected"),
        (
            "[[float]]\nbalance = 5\nshortcode = \"x\"\n".to_owned(),
            "line 5: float[1].shortcode: found \"x\"; expected",
        ),
        ("[[rules]\n".to_owned(), "line 3: this is not TOML"),
    ]
}

#[test]
fn each_fault_is_named_with_its_line_and_its_key() {
    for (rules, expected) in bad() {
        let found = faults(&rules);
        assert!(found.contains(expected), "{rules}\n{found}\nand not: {expected}");
        assert_eq!(found.lines().count(), 1, "{rules}\n{found}");
    }
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_file() {
    let text = "nam = \"x\"\n[[rules]]\nwhen = { api = \"b3c\", nth = 0 }\nthen = { fail = 1.5 }\n\
                [[rules]]\nthen = { act = \"pay\", sleep = 1 }\n";
    let found = Scenario::parse(text).expect_err("faults").to_string();
    let keys: Vec<&str> = found.lines().map(|line| line.split(": ").nth(1).unwrap()).collect();
    assert_eq!(
        keys,
        [
            "nam",
            "name",
            "says",
            "rules[1].when.api",
            "rules[1].when.nth",
            "rules[1].then.fail",
            "rules[2].then.sleep"
        ],
        "{found}"
    );
}

#[test]
fn what_is_too_much_is_refused() {
    let rule = "[[rules]]\nthen = { act = \"pay\" }\n";
    assert!(faults(&rule.repeat(500)).starts_with("good"));
    assert!(faults(&rule.repeat(501)).contains("has 501 of them; 500 are the most"));
    let float = "[[float]]\nbalance = 1\n";
    assert!(faults(&float.repeat(101)).contains("has 101 of them; 100 are the most"));
    let large = format!("# {}", "x".repeat(BYTES_MAX));
    assert!(faults(&large).contains("bytes; 262144 are the most"));
    let deep = format!("rules = {}{}\n", "[".repeat(60), "]".repeat(60));
    assert!(!faults(&deep).starts_with("good"));
    let many: Vec<String> = (0..1_001).map(|number| format!("\"{number}\"")).collect();
    let when = format!(
        "[[rules]]\nwhen = {{ phone_ends = [{}] }}\nthen = {{ act = \"pay\" }}\n",
        many.join(",")
    );
    assert!(faults(&when).contains("lists 1001 values"));
}
