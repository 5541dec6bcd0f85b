//! The matrix of this gateway's REST API: what goes wrong between the customer's system and the
//! gateway, and what the gateway says of a payout while M-Pesa does what it does.

use super::Interface;
use super::case::{Case, Evidence, Group, Money, Pace, Trip};
use super::shared;

const KEYS: &str = "openapi: POST /v1/payouts, Idempotency-Key";
const STATUSES: &str = "openapi: GET /v1/payouts/{id}, status";
const SAME_KEY: &str = "without an answer nobody knows whether the payout was taken: send the same \
    again with the same Idempotency-Key; a new key is a second payout";
const BUSY: &str = "not taken for now: wait as long as Retry-After says, and send the same again \
    with the same Idempotency-Key";
const FINAL: &str = "202 says that a payout is on disk, and nothing of money: only succeeded is paid, \
    only failed and cancelled are not, and unknown is open";
const LOOK_AGAIN: &str = "a look that fails says nothing of the payout: look again";

/// Every case, in order.
pub(super) fn cases(pace: Pace) -> Vec<Case> {
    let behind = shared::cases(Interface::Gateway, pace).into_iter().map(behind);
    behind.chain(lost(pace)).chain(busy()).chain(looks(pace)).collect()
}

/// What M-Pesa does behind the gateway, which asks for itself what nobody tells it.
fn behind(case: Case) -> Case {
    let evidence = match case.evidence {
        Evidence::Told | Evidence::Asked => Evidence::Told,
        Evidence::Open => Evidence::Open,
    };
    let money = case.money;
    case.because(FINAL, STATUSES).ends(money, evidence)
}

fn lost(pace: Pace) -> Vec<Case> {
    let table: [(&str, &str, Vec<Trip>); 9] = [
        ("post-answer-never", "taken by the gateway; no answer comes", vec![Trip::NoAnswer]),
        ("post-answer-dropped", "taken by the gateway; the connection drops", vec![Trip::Dropped]),
        ("post-answer-dropped-twice", "taken; the connection drops twice", vec![Trip::Dropped; 2]),
        ("post-answer-cut", "taken by the gateway; half of the answer comes", vec![Trip::Cut]),
        ("post-answer-502", "taken; a proxy answers 502 with a page", vec![Trip::Page(502)]),
        ("post-answer-504", "taken; a proxy answers 504 with a page", vec![Trip::Page(504)]),
        ("post-answer-late", "taken; the answer comes late", vec![Trip::Late(pace.late)]),
        ("post-lost", "the connection drops before the gateway", vec![Trip::Lost]),
        (
            "post-lost-then-dropped",
            "once it is lost on the way there, once on the way back",
            vec![Trip::Lost, Trip::Dropped],
        ),
    ];
    let case = |(name, story, trips): (&'static str, &'static str, Vec<Trip>)| {
        Case::new(name, Group::LostAnswer, story).because(SAME_KEY, KEYS).on_the_way(&trips)
    };
    table.map(case).into()
}

fn busy() -> Vec<Case> {
    let table: [(&str, &str, Vec<Trip>); 4] = [
        (
            "post-429",
            "the gateway is asked too often (429), once",
            vec![Trip::Refused(429, "too_many_requests")],
        ),
        (
            "post-429-thrice",
            "the gateway is asked too often (429), three times",
            vec![Trip::Refused(429, "too_many_requests"); 3],
        ),
        (
            "post-503",
            "the gateway's store takes nothing (503), once",
            vec![Trip::Refused(503, "store_unavailable")],
        ),
        (
            "post-429-then-dropped",
            "asked too often (429); the next try is taken, and its answer is lost",
            vec![Trip::Refused(429, "too_many_requests"), Trip::Dropped],
        ),
    ];
    let case = |(name, story, trips): (&'static str, &'static str, Vec<Trip>)| {
        Case::new(name, Group::Throttle, story)
            .because(BUSY, KEYS)
            .on_the_way(&trips)
            .ends(Money::Either, Evidence::Told)
    };
    table.map(case).into()
}

fn looks(pace: Pace) -> Vec<Case> {
    let table: [(&str, &str, Vec<Trip>); 4] = [
        ("look-dropped", "the first look at the payout is lost", vec![Trip::Dropped]),
        ("look-502", "a proxy answers the first look with 502", vec![Trip::Page(502)]),
        (
            "look-429",
            "the first look is refused: too many",
            vec![Trip::Refused(429, "too_many_requests")],
        ),
        ("look-late", "the first look is answered late", vec![Trip::Late(pace.late)]),
    ];
    let case = |(name, story, trips): (&'static str, &'static str, Vec<Trip>)| {
        Case::new(name, Group::Question, story).because(LOOK_AGAIN, STATUSES).looking(&trips)
    };
    table.map(case).into()
}
