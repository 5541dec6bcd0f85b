//! Whatever comes in whatever order: what must never follow from doubt.

use std::time::Duration;

use proptest::prelude::*;

use crate::life::{HOUR, Life, MINUTE, SECOND, answer, paid, result, stands, told};
use mlango::domain::payout::{
    CaseKind, Event, State, Status, TransactionStatus, Verdict, WhyNoAnswer, WhyNothingSent,
};

/// Something that comes, in words that do not depend on the state.
#[derive(Clone, Copy, Debug)]
enum Comes {
    Answer(&'static str),
    Silence,
    Nothing,
    Result(&'static str),
    Paid(u64),
    QueueTimeout,
    Overdue,
    AskWanted,
    Ask,
    Busy,
    /// The result of a question: so many before the last, with the query's own code.
    Told(u32, &'static str),
    Stands(u32, u64),
    Send,
}

fn comes() -> impl Strategy<Value = Comes> {
    let codes =
        prop_oneof![Just("0"), Just("100000000"), Just("100000002"), Just("15"), Just("17")];
    let queries = prop_oneof![4 => Just("49"), 1 => Just("0"), 1 => Just("17")];
    prop_oneof![
        4 => codes.prop_map(Comes::Answer),
        2 => Just(Comes::Silence),
        1 => Just(Comes::Nothing),
        1 => prop_oneof![Just("15"), Just("17"), Just("no-such-code")].prop_map(Comes::Result),
        1 => Just(Comes::Paid(15)),
        1 => Just(Comes::QueueTimeout),
        1 => Just(Comes::Overdue),
        1 => Just(Comes::AskWanted),
        6 => Just(Comes::Ask),
        1 => Just(Comes::Busy),
        8 => (0_u32..3, queries).prop_map(|(before, code)| Comes::Told(before, code)),
        1 => (0_u32..2).prop_map(|before| Comes::Stands(before, 15)),
        6 => Just(Comes::Send),
    ]
}

fn pauses() -> impl Strategy<Value = Duration> {
    prop_oneof![
        Just(Duration::ZERO),
        (1_u32..100).prop_map(|n| SECOND.saturating_mul(n)),
        (1_u32..100).prop_map(|n| MINUTE.saturating_mul(n)),
        (1_u32..40).prop_map(|n| (6 * HOUR).saturating_mul(n)),
    ]
}

/// The event, or nothing where it cannot come.
fn event(life: &Life, comes: Comes) -> Option<Event> {
    let attempt = life.payout.state.attempts();
    let nth = |before: u32| life.questions().checked_sub(before);
    Some(match comes {
        Comes::Answer(code) => Event::Answered { attempt, answer: answer(code) },
        Comes::Silence => Event::NoAnswer { attempt, why: WhyNoAnswer::Timeout },
        Comes::Nothing => Event::NothingSent { attempt, why: WhyNothingSent::Connect },
        Comes::Result(code) => result(code),
        Comes::Paid(shillings) => paid(shillings),
        Comes::QueueTimeout => Event::QueueTimedOut,
        Comes::Overdue => Event::ResultOverdue,
        Comes::AskWanted => Event::AskWanted,
        Comes::Ask => Event::InquirySent,
        Comes::Busy => Event::InquiryReplied { nth: life.questions(), answer: answer("100000002") },
        Comes::Told(before, code) => told(nth(before)?, code),
        Comes::Stands(before, shillings) => {
            stands(nth(before)?, TransactionStatus::Completed, shillings, None)
        }
        Comes::Send => return None,
    })
}

/// Whether M-Pesa, by this, speaks of the payment that stands here.
fn speaks(life: &Life, comes: Comes) -> bool {
    let heard =
        matches!(life.payout.status(), Status::Sending | Status::Accepted | Status::Unknown);
    let sending = matches!(life.payout.status(), Status::Sending | Status::Unknown);
    match comes {
        Comes::Result(_) | Comes::Paid(_) => heard,
        Comes::Answer(code) => sending && code == "15",
        _ => false,
    }
}

proptest! {
    /// Once M-Pesa has spoken of a payment it is not sent again on any word that it knows none; a
    /// re-send needs a question that was put when the request could no longer arrive; no question
    /// shares its number with another; and nobody is called twice for the same.
    #[test]
    fn doubt_leads_to_another_send_by_proof_only(
        script in proptest::collection::vec((pauses(), comes()), 1..80)
    ) {
        let mut life = Life::sending();
        let mut spoken = false;
        let mut numbers = vec![];
        for (pause, comes) in script {
            life.waits(pause);
            if matches!(comes, Comes::Send) {
                if let State::Queued { .. } = life.payout.state {
                    life.now = life.now.max(life.payout.state.wakes_at().unwrap_or(life.now));
                    life.sends();
                }
                continue;
            }
            let Some(event) = event(&life, comes) else { continue };
            let before = life.clone();
            let speaks = speaks(&life, comes);
            let verdict = life.happens(&event);
            let doubted = before.payout.status() == Status::Unknown;
            if doubted && life.payout.status() == Status::Queued {
                let last = before.last();
                prop_assert!(!spoken, "M-Pesa had spoken of it: {:?}", before.payout.state);
                prop_assert!(matches!(comes, Comes::Told(0, "49")), "{comes:?}");
                prop_assert!(last.at >= before.arrives_until(), "{last:?}");
                prop_assert!(before.tries().not_found < 3);
            }
            if doubted && life.payout.status() == Status::Unknown {
                prop_assert!(
                    life.arrives_until() >= before.arrives_until()
                        || matches!(comes, Comes::QueueTimeout),
                    "only the broker's word that it gave up brings it nearer"
                );
            }
            spoken = spoken || speaks;
            if let (Event::InquirySent, Verdict::Moved { .. }) = (&event, &verdict)
                && life.questions() > before.questions()
            {
                numbers.push(life.questions());
            }
            if before.payout.status() != Status::Unknown {
                life.cases.clear();
            }
            for kind in [CaseKind::StillUnknown, CaseKind::NotFound] {
                let times = life.cases.iter().filter(|case| **case == kind).count();
                prop_assert!(times <= 1, "{kind:?} {times} times in one doubt");
            }
        }
        prop_assert!(numbers.windows(2).all(|two| two[0] < two[1]), "{numbers:?}");
    }
}
