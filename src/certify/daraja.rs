//! The matrix of Daraja (spec/daraja.md).

use super::Interface;
use super::case::{Case, Evidence, Fault, Group, Money, Pace};
use super::shared;
use crate::sim::script::{Act, Behaviour, Then};

const WIRE: &str = "spec/daraja.md §1, §12";
const TOKENS: &str = "spec/daraja.md §4";
const QUEUE: &str = "spec/daraja.md §2.4";
const SHAPES: &str = "spec/daraja.md §2.3, §12";
const KEEP_THE_ID: &str = "such an answer leaves open whether it was taken: keep the \
    OriginatorConversationID, wait for the result or ask";
const BUSY: &str = "too much for now is certain not to be taken: send the same again later, or say \
    that it was not paid";

/// Every case, in order.
pub(super) fn cases(pace: Pace) -> Vec<Case> {
    let mut all = shared::cases(Interface::Daraja, pace);
    all.extend(lost());
    all.extend(throttles());
    all.extend(tokens());
    all.extend(queues(pace));
    all.extend(shapes());
    all
}

const fn once(name: &'static str, doubt: bool) -> Fault {
    Fault { name, times: 1, doubt }
}

/// It is done or not done, and the answer does not say which.
fn lost() -> Vec<Case> {
    let done = [
        ("answer-502", "http_502_after", "paid; the answer is a page with status 502"),
        ("answer-504", "http_504_after", "paid; the answer is a page with status 504"),
        ("answer-429-after", "429_after", "paid; the answer says: too many requests (429)"),
        ("answer-empty", "empty_after", "paid; the answer is empty"),
        ("answer-no-json", "not_json_after", "paid; the answer is no JSON"),
    ];
    let undone = [
        ("unavailable-503", "http_503_before", "not taken; the answer is a page with status 503"),
        ("timeout-504", "http_504_before", "not taken; the answer is a page with status 504"),
        ("system-error-before", "system_before", "not taken; the answer says: system error"),
    ];
    let done = done.map(|(name, fault, story)| {
        Case::new(name, Group::LostAnswer, story)
            .because(KEEP_THE_ID, WIRE)
            .fault(once(fault, true))
    });
    let undone = undone.map(|(name, fault, story)| {
        Case::new(name, Group::LostAnswer, story)
            .because(KEEP_THE_ID, WIRE)
            .fault(once(fault, true))
            .ends(Money::Either, Evidence::Asked)
    });
    done.into_iter().chain(undone).collect()
}

/// Too much for now, once or twice; then it goes as it should.
fn throttles() -> Vec<Case> {
    let table = [
        ("spike-arrest", "spike", 1, "spike arrest (500.003.02), once"),
        ("busy", "busy", 1, "\"System is busy\" (500.003.02), once"),
        ("quota", "quota", 1, "the quota is used up (500.003.03), once"),
        ("maintenance", "maintenance", 1, "under maintenance, once"),
        ("busy-twice", "busy", 2, "\"System is busy\", twice"),
    ];
    let case = |(name, fault, times, story): (&'static str, &'static str, u32, &'static str)| {
        Case::new(name, Group::Throttle, story)
            .because(BUSY, "spec/daraja.md §1.3, §3.2")
            .fault(Fault { name: fault, times, doubt: false })
            .ends(Money::Either, Evidence::Asked)
    };
    table.map(case).into()
}

/// The token is refused, in the words that are in use.
fn tokens() -> Vec<Case> {
    let table = [
        ("token-400", "token_400_003_01", "the token is refused (400.003.01), once"),
        ("token-401", "token_401_002_01", "the token is refused (401.002.01), once"),
        ("token-404", "token_404_001_03", "the token is refused (404.001.03), once"),
    ];
    let case = |(name, fault, story): (&'static str, &'static str, &'static str)| {
        Case::new(name, Group::Throttle, story)
            .because("a token that is refused: fetch a new one, and send the same again", TOKENS)
            .fault(once(fault, false))
            .ends(Money::Either, Evidence::Told)
    };
    table.map(case).into()
}

/// Daraja queues it (spec/daraja.md §2.4).
fn queues(pace: Pace) -> Vec<Case> {
    let deliver = Act::Cache { wait: pace.late, then: Then::Deliver };
    let why = "a time out of the queue is no proof that nothing was paid: ask before paying again";
    vec![
        Case::new("queued-then-paid", Group::Queue, "acknowledged, and paid only after a while")
            .because("an acknowledgement says nothing of money", QUEUE)
            .first(Behaviour { act: deliver, ..Behaviour::ORDINARY }),
        Case::new(
            "queue-timeout",
            Group::Queue,
            "given up in the queue: the request is posted back",
        )
        .because(why, QUEUE)
        .fault(once("timeout_notice", true))
        .ends(Money::Either, Evidence::Asked),
        Case::new(
            "queue-timeout-thin",
            Group::Queue,
            "given up in the queue: a short notice comes",
        )
        .because(why, QUEUE)
        .fault(once("timeout_notice_thin", true))
        .ends(Money::Either, Evidence::Asked),
    ]
}

/// A result that is written otherwise, and says the same.
fn shapes() -> Vec<Case> {
    let table = [
        ("result-shuffled", "shuffle", "the result's parameters come in another order"),
        ("result-object", "result_object", "lists of the result are objects"),
        ("result-code-as-text", "code_as_string", "the result's code is a text"),
        ("result-no-balance", "no_balance_value", "a parameter of the result has no value"),
    ];
    let case = |(name, fault, story): (&'static str, &'static str, &'static str)| {
        Case::new(name, Group::Ordinary, story)
            .because("look parameters up by key, and codes as texts", SHAPES)
            .fault(once(fault, false))
    };
    table.map(case).into()
}
