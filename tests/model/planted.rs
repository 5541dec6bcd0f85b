//! Bugs planted by hand: each is `step` with one thing broken. The checker must find every one.

use mlango::domain::outcome::{AnswerClass, QueryClass};
use mlango::domain::payout::{
    Doubt, Effect, Event, Failure, Notice, Payout, Policy, Settled, Stage, State, Tries, Verdict,
    step,
};
use mlango::domain::time::Timestamp;

use crate::facts::{Word, result};

/// A verdict that moves to `state`.
const fn moved(state: State, notice: Notice) -> Verdict {
    Verdict::Moved { state, notice, effects: vec![] }
}

fn tries(payout: &Payout) -> Option<Tries> {
    match &payout.state {
        State::Sending { tries, .. }
        | State::Accepted { tries, .. }
        | State::Unknown { tries, .. } => Some(*tries),
        _ => None,
    }
}

/// Back to the queue, if there is anything to put back.
fn requeued(payout: &Payout, now: Timestamp) -> Option<Verdict> {
    let tries = tries(payout)?;
    Some(moved(State::Queued { not_before: now, tries }, Notice::Requeued))
}

fn settled(payout: &Payout, now: Timestamp) -> Settled {
    Settled {
        conversation: None,
        completed_at: now,
        mpesa_completed_at: None,
        attempts: payout.state.attempts(),
    }
}

fn failed(payout: &Payout, now: Timestamp) -> Option<Verdict> {
    tries(payout)?;
    let failure = Failure {
        stage: Stage::Result,
        code: String::new(),
        description: String::new(),
        retryable: true,
    };
    Some(moved(State::Failed { failure, settled: settled(payout, now) }, Notice::Failed))
}

fn succeeded(payout: &Payout, now: Timestamp) -> Option<Verdict> {
    tries(payout)?;
    let receipt = result(Word::Paid)?.receipt?;
    let settled = settled(payout, now);
    let state = State::Succeeded { receipt, settled, recipient_name: None, charge: None };
    Some(moved(state, Notice::Succeeded))
}

/// A broken step: what it does instead, where it does something else.
macro_rules! bug {
    ($(#[$doc:meta])* $name:ident, |$payout:ident, $event:ident, $now:ident| $instead:expr) => {
        $(#[$doc])*
        pub(crate) fn $name(
            $payout: &Payout,
            $event: &Event,
            policy: &Policy,
            $now: Timestamp,
        ) -> Verdict {
            let instead: Option<Verdict> = $instead;
            instead.unwrap_or_else(|| step($payout, $event, policy, $now))
        }
    };
}

bug!(
    /// A send without an answer is sent again.
    resends_on_silence,
    |payout, event, now| match event {
        Event::NoAnswer { .. } => requeued(payout, now),
        _ => None,
    }
);

bug!(
    /// A send whose owner is gone is sent again.
    resends_after_a_crash,
    |payout, event, now| match event {
        Event::LeaseLapsed { .. } => requeued(payout, now),
        _ => None,
    }
);

bug!(
    /// An overdue result means that it is sent again.
    resends_when_overdue,
    |payout, event, now| match event {
        Event::ResultOverdue => requeued(payout, now),
        _ => None,
    }
);

bug!(
    /// A doubtful answer (a Fault, an unknown code) means that it is sent again.
    resends_on_a_fault,
    |payout, event, now| match event {
        Event::Answered { answer, .. } if answer.class() == AnswerClass::Doubt => {
            requeued(payout, now)
        }
        _ => None,
    }
);

bug!(
    /// Code 15 means that it is sent again.
    resends_on_a_duplicate,
    |payout, event, now| match event {
        Event::Answered { answer, .. } if answer.code == "15" => requeued(payout, now),
        _ => None,
    }
);

bug!(
    /// "No such transaction" is believed while the request may still arrive.
    believes_not_found_early,
    |payout, event, now| match (event, &payout.state) {
        (Event::InquiryAnswered(answer), State::Unknown { inquiry, .. })
            if answer.class() == QueryClass::NotFound
                && inquiry.last.is_some_and(|last| Some(last.nth) == answer.nth) =>
        {
            requeued(payout, now)
        }
        _ => None,
    }
);

bug!(
    /// "No such transaction" is believed whichever question it answers.
    believes_an_earlier_answer,
    |payout, event, now| match (event, &payout.state) {
        (Event::InquiryAnswered(answer), State::Unknown { arrives_until, .. })
            if answer.class() == QueryClass::NotFound && *arrives_until <= now =>
        {
            requeued(payout, now)
        }
        _ => None,
    }
);

bug!(
    /// "No such transaction" is believed although M-Pesa forgets.
    believes_what_was_forgotten,
    |payout, event, now| match (event, &payout.state) {
        (Event::InquiryAnswered(answer), State::Unknown { inquiry, arrives_until, .. })
            if answer.class() == QueryClass::NotFound
                && inquiry.last.is_some_and(|last| {
                    Some(last.nth) == answer.nth && last.at >= *arrives_until
                }) =>
        {
            requeued(payout, now)
        }
        _ => None,
    }
);

bug!(
    /// A request that the broker holds counts as failed.
    fails_what_is_held,
    |payout, event, now| match event {
        Event::Answered { answer, .. } if answer.class() == AnswerClass::Cached => {
            failed(payout, now)
        }
        _ => None,
    }
);

/// A request that the broker holds is given the short window.
pub(crate) fn forgets_the_long_window(
    payout: &Payout,
    event: &Event,
    policy: &Policy,
    now: Timestamp,
) -> Verdict {
    let short = Policy { cached_window: policy.arrival_window, ..policy.clone() };
    step(payout, event, &short, now)
}

bug!(
    /// A doubtful answer counts as a refusal.
    fails_on_a_fault,
    |payout, event, now| match event {
        Event::Answered { answer, .. } if answer.class() == AnswerClass::Doubt => {
            failed(payout, now)
        }
        _ => None,
    }
);

bug!(
    /// A taken request counts as paid.
    believes_the_answer,
    |payout, event, now| match event {
        Event::Answered { answer, .. } if answer.class() == AnswerClass::Taken => {
            succeeded(payout, now)
        }
        _ => None,
    }
);

bug!(
    /// A result that says "more will follow" counts as the last word.
    believes_the_first_word,
    |payout, event, now| match event {
        Event::ResultArrived(facts) if facts.waiting && facts.code == "0" => {
            succeeded(payout, now)
        }
        _ => None,
    }
);

bug!(
    /// Result 17 counts as not paid.
    fails_on_an_internal_error,
    |payout, event, now| match event {
        Event::ResultArrived(facts) if facts.code == "17" => failed(payout, now),
        _ => None,
    }
);

bug!(
    /// Result 15 counts as not paid.
    fails_on_a_duplicate,
    |payout, event, now| match event {
        Event::ResultArrived(facts) if facts.code == "15" => failed(payout, now),
        _ => None,
    }
);

bug!(
    /// The query's code counts as the payment's (law 6): 0 is paid.
    believes_the_query,
    |payout, event, now| match event {
        Event::InquiryAnswered(answer) if answer.class() == QueryClass::Answered => {
            succeeded(payout, now)
        }
        _ => None,
    }
);

bug!(
    /// The query's code counts as the payment's (law 6): a failed query is a failed payment.
    fails_with_the_query,
    |payout, event, now| match event {
        Event::InquiryAnswered(answer) if answer.class() == QueryClass::Unanswered => {
            failed(payout, now)
        }
        _ => None,
    }
);

/// The status of another payment counts as this one's.
pub(crate) fn believes_anothers_status(
    payout: &Payout,
    event: &Event,
    policy: &Policy,
    now: Timestamp,
) -> Verdict {
    let mut event = event.clone();
    if let Event::InquiryAnswered(answer) = &mut event
        && let Some(facts) = &mut answer.payment
    {
        facts.originator = Some(payout.details.originator_conversation_id.as_str().to_owned());
    }
    step(payout, &event, policy, now)
}

bug!(
    /// What is final is overwritten by doubt.
    overwrites_what_is_final,
    |payout, event, now| match (event, &payout.state) {
        (Event::NoAnswer { .. }, State::Succeeded { .. }) => {
            let tries = Tries { attempts: 1, sent_at: Some(now), ..Tries::NONE };
            let sending = State::Sending { tries, lease: crate::local::Local::lease() };
            let sending = Payout { state: sending, ..payout.clone() };
            Some(step(&sending, event, &crate::facts::policy(RULE), now))
        }
        _ => None,
    }
);

/// Any rule: it is of no consequence where it is used.
const RULE: mlango::domain::payout::NotFoundRule = mlango::domain::payout::NotFoundRule::Person;

bug!(
    /// A payout that is being sent can be cancelled.
    cancels_what_is_sent,
    |payout, event, now| match (event, &payout.state) {
        (Event::CancelAsked, State::Queued { tries, .. }) if tries.attempts > 0 => {
            let reason = "cancelled".to_owned();
            Some(moved(State::Cancelled { reason, completed_at: now }, Notice::Cancelled))
        }
        (Event::AskWanted, State::Accepted { .. }) => {
            let reason = "cancelled".to_owned();
            Some(moved(State::Cancelled { reason, completed_at: now }, Notice::Cancelled))
        }
        _ => None,
    }
);

bug!(
    /// When the broker gave up, it counts as failed, whatever else was sent since.
    fails_on_a_queue_timeout,
    |payout, event, now| match event {
        Event::QueueTimedOut => failed(payout, now),
        _ => None,
    }
);

/// A wrong credential does not stop the rail.
pub(crate) fn goes_on_with_a_wrong_credential(
    payout: &Payout,
    event: &Event,
    policy: &Policy,
    now: Timestamp,
) -> Verdict {
    let mut verdict = step(payout, event, policy, now);
    if let Verdict::Moved { effects, .. } = &mut verdict {
        effects.retain(|effect| !matches!(effect, Effect::StopRail { .. }));
    }
    verdict
}

/// Attempts are counted anew after each doubt.
pub(crate) fn forgets_attempts(
    payout: &Payout,
    event: &Event,
    policy: &Policy,
    now: Timestamp,
) -> Verdict {
    let mut verdict = step(payout, event, policy, now);
    if let Verdict::Moved { state: State::Queued { tries, .. }, .. } = &mut verdict {
        tries.attempts = 0;
    }
    verdict
}

bug!(
    /// A result that is overdue is not missed.
    never_asks,
    |_payout, event, _now| match event {
        Event::ResultOverdue => Some(Verdict::Stale),
        _ => None,
    }
);

bug!(
    /// A lease never lapses.
    never_rescues,
    |_payout, event, _now| match event {
        Event::LeaseLapsed { .. } => Some(Verdict::Stale),
        _ => None,
    }
);

/// Nobody is called.
pub(crate) fn calls_nobody(
    payout: &Payout,
    event: &Event,
    policy: &Policy,
    now: Timestamp,
) -> Verdict {
    let mut verdict = step(payout, event, policy, now);
    if let Verdict::Moved { state: State::Unknown { inquiry, .. }, .. } = &mut verdict {
        inquiry.called = None;
    }
    verdict
}

bug!(
    /// Only the first word about a doubt is heeded: results no longer settle it.
    never_settles_a_doubt,
    |payout, event, _now| match (event, &payout.state) {
        (
            Event::ResultArrived(_) | Event::InquiryAnswered(_),
            State::Unknown { why: Doubt::NoAnswer, .. },
        ) => Some(Verdict::Noted("in doubt")),
        (Event::InquirySent, State::Unknown { why: Doubt::NoAnswer, .. }) => {
            Some(Verdict::Noted("in doubt"))
        }
        _ => None,
    }
);
