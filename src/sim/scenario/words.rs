//! The words of a scenario: its keys, and the names of what its keys take. `docs/scenarios.md` and
//! `docs/scenario.schema.json` list the same.

use super::Interface;
use crate::sim::daraja::prompts::Said;
use crate::sim::script::{Garbage, Malformed};

/// The keys of a scenario.
pub const SCENARIO: &[&str] = &["name", "says", "rules", "float"];
/// The keys of a rule.
pub const RULE: &[&str] = &["name", "when", "then"];
/// The keys of a rule's `when`.
pub const WHEN: &[&str] = &[
    "interface",
    "api",
    "phone",
    "phone_ends",
    "amount",
    "command",
    "app",
    "attempt",
    "nth",
    "every",
    "times",
    "share",
    "from",
    "until",
    "cycle",
];
/// The keys of a rule's `then`.
pub const THEN: &[&str] = &[
    "act",
    "refuse",
    "fail",
    "prompt",
    "hold_for",
    "answer",
    "answer_after",
    "answer_code",
    "result",
    "result_after",
    "again_after",
    "malformed",
    "contradict",
    "fault",
];
/// The keys of a range of amounts.
pub const RANGE: &[&str] = &["from", "to"];
/// The keys of a change of the float.
pub const FLOAT: &[&str] = &["at", "balance", "shortcode"];

/// What is done with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Pay,
    Forget,
    Hold,
    GiveUp,
    Throttle,
}

/// By name.
pub(super) const ACTS: &[(&str, Act)] = &[
    ("pay", Act::Pay),
    ("forget", Act::Forget),
    ("hold", Act::Hold),
    ("give_up", Act::GiveUp),
    ("throttle", Act::Throttle),
];

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Now,
    Never,
    Drop,
    Garbage(Garbage),
}

/// By name.
pub(super) const ANSWERS: &[(&str, Answer)] = &[
    ("now", Answer::Now),
    ("never", Answer::Never),
    ("drop", Answer::Drop),
    ("page", Answer::Garbage(Garbage::Page)),
    ("page_503", Answer::Garbage(Garbage::Unavailable)),
    ("fault", Answer::Garbage(Garbage::Fault)),
];

/// How a result is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Once,
    Twice,
    Never,
    First,
    Malformed,
    MalformedFirst,
    WaitingFirst,
}

/// By name.
pub(super) const RESULTS: &[(&str, Told)] = &[
    ("once", Told::Once),
    ("twice", Told::Twice),
    ("never", Told::Never),
    ("first", Told::First),
    ("malformed", Told::Malformed),
    ("malformed_first", Told::MalformedFirst),
    ("waiting_first", Told::WaitingFirst),
];

/// How a result is spoilt, by name.
pub(super) const MALFORMED: &[(&str, Malformed)] =
    &[("cut", Malformed::Cut), ("not_xml", Malformed::NotXml), ("no_code", Malformed::NoCode)];

/// What a customer does with a prompt, by name.
pub(super) const PROMPTS: &[(&str, Said)] = &[
    ("pin", Said::Pin),
    ("wrong_pin", Said::WrongPin),
    ("cancel", Said::Cancel),
    ("timeout", Said::Timeout),
    ("insufficient", Said::Insufficient),
];

/// The interfaces, by name.
pub(super) const INTERFACES: &[(&str, Interface)] =
    &[("soap", Interface::Soap), ("daraja", Interface::Daraja)];
