//! What can be made to happen, and by what it is known that it did.

/// Something that can be made to happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// As it is asked for.
    pub(super) name: &'static str,
    /// What happens.
    pub(super) says: &'static str,
    pub(super) way: Way,
    /// The last four digits of the phone (contract, part 4); none: any that mean nothing.
    pub(super) ending: Option<&'static str>,
    /// A fault that is laid down for that phone.
    pub(super) fault: Option<&'static str>,
    /// What the customer does where prompts wait for a hand, as `POST /sim/prompts/{checkout}` has
    /// it.
    pub(super) answer: &'static str,
    /// The events that the gateway must tell, in this order, others between them.
    pub(super) ends: &'static [&'static str],
}

/// What it begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// A payout, on whatever rail.
    Payout,
    /// A payout over Daraja, where faults can be laid down.
    DarajaPayout,
    /// A prompt on a customer's phone.
    Prompt,
    /// A customer who pays by himself.
    Bill,
}

impl Way {
    /// What stands before the name of its faults.
    pub(super) const fn api(self) -> &'static str {
        match self {
            Self::Payout | Self::DarajaPayout => "b2c",
            Self::Prompt => "stk",
            Self::Bill => "c2b",
        }
    }
}

const fn plan(
    way: Way,
    name: &'static str,
    says: &'static str,
    ends: &'static [&'static str],
) -> Plan {
    Plan { name, says, way, ending: None, fault: None, answer: "pin", ends }
}

impl Plan {
    const fn ending(self, ending: &'static str) -> Self {
        Self { ending: Some(ending), ..self }
    }

    const fn fault(self, fault: &'static str) -> Self {
        Self { fault: Some(fault), ..self }
    }

    const fn answer(self, answer: &'static str) -> Self {
        Self { answer, ..self }
    }
}

const PAID: &[&str] = &["payout.succeeded"];
const UNPAID: &[&str] = &["payout.failed"];
const RECEIVED: &[&str] = &["payment.received"];
const NOT_RECEIVED: &[&str] = &["payment.failed"];
/// In doubt, and then settled because M-Pesa was asked.
const ASKED: &[&str] = &["payout.unknown", "payout.succeeded"];

use Way::{Bill, DarajaPayout, Payout, Prompt};

/// Everything that can be made to happen.
pub(super) const PLANS: [Plan; 19] = [
    plan(Payout, "payout.succeeded", "a payout is paid", PAID),
    plan(Payout, "payout.failed", "taken, then: the recipient can't take it", UNPAID)
        .ending("0002"),
    plan(Payout, "payout.refused", "M-Pesa refuses it at once", UNPAID).ending("0001"),
    plan(Payout, "payout.no_funds", "taken, then: insufficient funds", UNPAID).ending("0003"),
    plan(Payout, "payout.lost_answer", "paid; the answer is lost, the result comes", PAID)
        .ending("0004"),
    plan(Payout, "payout.lost_result", "paid; no result comes, and M-Pesa is asked", ASKED)
        .ending("0005"),
    plan(Payout, "payout.early_result", "the result comes before the answer", PAID).ending("0006"),
    plan(
        Payout,
        "payout.duplicate_result",
        "the result comes twice",
        &["payout.succeeded", "payout.noted"],
    )
    .ending("0007"),
    plan(
        Payout,
        "payout.unknown",
        "the connection drops, and nobody knows yet whether it was paid (it was not)",
        &["payout.unknown"],
    )
    .ending("0009"),
    plan(
        DarajaPayout,
        "payout.late_result",
        "the result comes five seconds late",
        &["payout.accepted", "payout.succeeded"],
    )
    .fault("late_callback:5000"),
    plan(
        DarajaPayout,
        "payout.contradicting_result",
        "a second result contradicts the first: a case for a person",
        &["payout.succeeded", "payout.contradicted"],
    )
    .fault("contradicting_callback"),
    plan(Bill, "payment.received", "a customer pays by himself (C2B)", RECEIVED),
    plan(Prompt, "stk.succeeded", "a prompt is answered with the PIN", RECEIVED),
    plan(Prompt, "stk.cancelled", "a prompt is cancelled", NOT_RECEIVED)
        .ending("0010")
        .answer("cancel"),
    plan(Prompt, "stk.timeout", "a prompt that nobody answers", NOT_RECEIVED)
        .ending("0011")
        .answer("timeout"),
    plan(Prompt, "stk.no_funds", "the customer has too little money", NOT_RECEIVED)
        .ending("0003")
        .answer("insufficient"),
    plan(Prompt, "stk.wrong_pin", "a prompt is answered with a wrong PIN", NOT_RECEIVED)
        .fault("fail:2001")
        .answer("wrong_pin"),
    plan(
        Prompt,
        "stk.duplicate_callback",
        "the end of a prompt is told twice",
        &["payment.received", "payment.noted"],
    )
    .ending("0007"),
    plan(
        Prompt,
        "stk.lost_callback",
        "paid; the end is never told, and M-Pesa is asked",
        &["payment.asked", "payment.received"],
    )
    .ending("0005"),
];

/// The plan of this name.
pub(super) fn find(name: &str) -> Option<Plan> {
    PLANS.into_iter().find(|plan| plan.name == name)
}

/// How many of the events that must come have come, in order.
pub(super) fn come(ends: &[&str], told: &[String]) -> usize {
    told.iter().fold(0, |come, kind| {
        let is_next = ends.get(come).is_some_and(|next| next == kind);
        if is_next { come.saturating_add(1) } else { come }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::daraja::prompts::Said;

    #[test]
    fn every_plan_has_a_name_of_its_own_and_an_end() {
        for (nth, plan) in PLANS.iter().enumerate() {
            assert!(!plan.ends.is_empty() && !plan.says.is_empty(), "{}", plan.name);
            assert!(PLANS.iter().skip(nth + 1).all(|other| other.name != plan.name));
            assert!(plan.ending.is_none() || plan.fault.is_none(), "{}", plan.name);
            assert_eq!(find(plan.name).map(|found| found.says), Some(plan.says));
        }
        assert!(find("payout.lost").is_none());
    }

    #[test]
    fn a_prompt_that_waits_for_a_hand_is_answered_as_the_event_has_it() {
        let codes = [
            ("stk.succeeded", "0"),
            ("stk.cancelled", "1032"),
            ("stk.timeout", "1037"),
            ("stk.no_funds", "1"),
            ("stk.wrong_pin", "2001"),
            ("stk.duplicate_callback", "0"),
            ("stk.lost_callback", "0"),
        ];
        let prompts = PLANS.into_iter().filter(|plan| plan.way == Prompt);
        let found = prompts.map(|plan| (plan.name, Said::parse(plan.answer).map(Said::code)));
        assert!(found.eq(codes.map(|(name, code)| (name, Some(code)))));
    }

    #[test]
    fn events_must_come_in_order_with_others_between_them() {
        let told = |kinds: &[&str]| kinds.iter().map(|kind| (*kind).to_owned()).collect::<Vec<_>>();
        let ends = ["payout.unknown", "payout.succeeded"];
        assert_eq!(come(&ends, &told(&["payout.sending"])), 0);
        assert_eq!(come(&ends, &told(&["payout.succeeded"])), 0);
        assert_eq!(come(&ends, &told(&["payout.unknown", "payout.inquired"])), 1);
        let all = told(&["payout.unknown", "payout.inquired", "payout.succeeded"]);
        assert_eq!(come(&ends, &all), 2);
    }
}
