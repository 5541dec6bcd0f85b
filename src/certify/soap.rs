//! The matrix of the broker's interface (spec/soap.md).

use super::Interface;
use super::case::{Case, Evidence, Group, Money, Pace};
use super::shared;
use crate::sim::script::{Act, Answer, Behaviour, CACHED, Code, Results, Then};

const CODES: &str = "spec/soap.md §4.2";
const HELD: &str = "spec/soap.md §4.2, §5.6, §10.2";
const BUSY: &str = "too much for now is certain not to be taken: send the same again later, under \
    the same id, or say that it was not paid";
const PENDING: &str = "100000000 is pending and no failure: the broker will pass it on, and a \
    second payment would be one too many";

/// Every case, in order.
pub(super) fn cases(pace: Pace) -> Vec<Case> {
    let mut all = shared::cases(Interface::Soap, pace);
    all.extend(refusals());
    all.extend(throttles());
    all.extend(queues(pace));
    all
}

fn refuse(code: &'static str) -> Behaviour {
    Behaviour { act: Act::Refuse(Code::Borrowed(code)), ..Behaviour::ORDINARY }
}

fn refusals() -> Vec<Case> {
    let table = [
        (
            "refused-by-broker",
            "100000014",
            "refused by the broker: a parameter is missing (100000014)",
        ),
        ("refused-by-core", "25", "refused by the core: a parameter's format is invalid (25)"),
    ];
    let case = |(name, code, story): (&'static str, &'static str, &'static str)| {
        Case::new(name, Group::Failure, story)
            .because("a refusal has no result: nothing follows, nothing was paid", CODES)
            .each(shared::TRIES, &refuse(code))
            .ends(Money::NotPaid, Evidence::Told)
    };
    table.map(case).into()
}

/// Too much for now, once or twice; then it goes as it should.
fn throttles() -> Vec<Case> {
    let table = [
        ("throttled", "100000002", 1, "the broker throttles (100000002); the next try is taken"),
        ("throttled-twice", "100000002", 2, "the broker throttles twice; the third try is taken"),
        ("rate-exceeded", "100000011", 1, "the partner's rate is exceeded (100000011), once"),
        ("overloaded", "100000001", 1, "the broker is overloaded (100000001), once"),
        ("core-busy", "26", 1, "the core is busy (26), once"),
    ];
    let case = |(name, code, times, story): (&'static str, &'static str, usize, &'static str)| {
        Case::new(name, Group::Throttle, story)
            .because(BUSY, CODES)
            .each(times, &refuse(code))
            .ends(Money::Either, Evidence::Told)
    };
    table.map(case).into()
}

/// The broker holds the request (spec/soap.md §5.6).
fn queues(pace: Pace) -> Vec<Case> {
    let held = |then, wait| Act::Cache { wait, then };
    let deliver = held(Then::Deliver, pace.late);
    let give_up = held(Then::GiveUp, pace.late);
    let ordinary = Behaviour::ORDINARY;
    let case = |name, story, behaviour| {
        Case::new(name, Group::Queue, story).because(PENDING, HELD).first(behaviour)
    };
    vec![
        case(
            "queued-then-paid",
            "the broker holds it (100000000), and pays after a while",
            Behaviour { act: deliver.clone(), ..ordinary.clone() },
        ),
        case(
            "queued-unanswered",
            "the broker holds it, the answer is lost, and it pays after a while",
            Behaviour { act: deliver.clone(), answer: Answer::Drop, ..ordinary.clone() },
        ),
        case(
            "queued-result-never",
            "the broker holds it and pays after a while; no result comes",
            Behaviour { act: deliver, result: Results::Never, ..ordinary.clone() },
        )
        .ends(Money::Paid, Evidence::Asked),
        case(
            "queued-given-up",
            "the broker holds it, gives it up, and says so to the QueueTimeoutURL",
            Behaviour { act: give_up.clone(), ..ordinary.clone() },
        )
        .ends(Money::Either, Evidence::Asked),
        case(
            "queued-given-up-unanswered",
            "the broker holds it, the answer is lost, and it gives it up",
            Behaviour { act: give_up, answer: Answer::Drop, ..ordinary.clone() },
        )
        .ends(Money::Either, Evidence::Asked),
        case(
            "queued-answer-says-so-falsely",
            "paid at once, though the answer says that the broker holds it (100000000)",
            Behaviour { answer: Answer::Instead(Code::Borrowed(CACHED)), ..ordinary },
        ),
    ]
}
