//! Every event in every state: what becomes of an inquiry.
//!
//! There are two tables: of a reversal, which moves money, and of a balance, which moves none.
//! Rows are events, columns are states. A cell says where the inquiry stands afterwards, or:
//! `noted` (recorded, nothing changes) · `case` (contradiction: recorded, nothing changes, a
//! person must look) · `stale` (overtaken) · `no` (may not be done). `+case`, `+stop` and `+slow`
//! are effects that come with a move: a person must look; the rail stops; it slows down.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test: its tables are long, and it panics to fail"
)]

mod laws;
mod rules;
mod words;

use std::time::Duration;

use mlango::domain::inquiry::{Kind, State, Status, Verdict, step};
use proptest::prelude::*;

use words::{NOW, POLICY, event, in_a_word, inquiry, keeps_the_laws, reversal, with_attempt};

/// queued: never sent. requeued: sent once, and it waits again. sending: attempt 2. accepted: its
/// result is overdue just now. unheard: unknown, and M-Pesa gave no name. unknown: it gave one.
/// refused: failed at the answer. notdone: failed by the result.
const MONEY_STATES: [&str; 9] = [
    "queued", "requeued", "sending", "accepted", "unheard", "unknown", "done", "refused", "notdone",
];

/// A reversal.
const MONEY: &str = "
event                queued         requeued       sending   accepted  unheard   unknown   done   refused notdone
send                 sending        sending        no        no        no        no        no     no      no
answer-0             unknown+case   unknown+case   accepted  noted     unknown   noted     noted  case    noted
answer-cached        unknown+case   unknown+case   unknown   noted     unknown   noted     noted  noted   noted
answer-busy          noted          noted          queued+slow case    failed+slow noted   case   noted   noted
answer-invalid       noted          noted          failed    case      failed    noted     case   noted   noted
answer-credential    noted          noted          failed+stop case    failed+stop noted   case   noted   noted
answer-internal      unknown+case   unknown+case   unknown   noted     noted     noted     noted  noted   noted
answer-0-earlier     unknown+case   unknown+case   case      noted     noted     noted     noted  case    noted
answer-busy-earlier  noted          noted          noted     case      noted     noted     case   noted   noted
nothing-sent         noted          noted          queued    case      noted     noted     noted  noted   noted
nothing-sent-earlier noted          noted          noted     noted     noted     noted     noted  noted   noted
no-answer            noted          noted          unknown   noted     noted     noted     noted  noted   noted
no-answer-earlier    noted          noted          noted     noted     noted     noted     noted  noted   noted
lapsed               stale          stale          unknown   stale     stale     stale     stale  stale   stale
lapsed-other         stale          stale          stale     stale     stale     stale     stale  stale   stale
result-done          succeeded+case succeeded+case succeeded succeeded succeeded succeeded noted  case    case
result-other-receipt succeeded+case succeeded+case succeeded succeeded succeeded succeeded case   case    case
result-no-receipt    unknown+case   unknown+case   unknown+case unknown+case unknown+case unknown+case case case case
result-bare          unknown+case   unknown+case   unknown+case unknown+case unknown+case unknown+case case case case
result-other-amount  unknown+case   unknown+case   unknown+case unknown+case unknown+case unknown+case case case case
result-odd           unknown+case   unknown+case   unknown+case unknown+case unknown+case unknown+case case case case
result-waiting       noted          noted          noted     noted     noted     noted     noted  noted   noted
result-funds         failed+case    failed+case    failed    failed    failed    failed    case   noted   noted
result-credential    failed+case+stop failed+case+stop failed+stop failed+stop failed+stop failed+stop case noted noted
result-internal      unknown+case   unknown+case   unknown   unknown   unknown   unknown   noted  noted   noted
result-strange       unknown+case   unknown+case   unknown   unknown   unknown   unknown   noted  noted   noted
overdue              stale          stale          stale     unknown   stale     stale     stale  stale   stale
queue-timeout        unknown+case   unknown+case   unknown   unknown   noted     noted     case   noted   noted
ask-wanted           no             no             no        no        no        unknown   no     no      no
question-sent        no             no             no        no        unknown+case unknown no    no      no
question-not-sent    noted          noted          noted     noted     noted     unknown   noted  noted   noted
question-taken       noted          noted          noted     noted     noted     noted     noted  noted   noted
question-busy        noted          noted          noted     noted     noted     unknown+slow noted noted noted
question-credential  noted          noted          noted     noted     noted     unknown+stop noted noted noted
status-completed     noted          noted          noted     case      noted     succeeded noted  case    case
status-unnamed       noted          noted          noted     noted     noted     succeeded noted  noted   noted
status-other-name    noted          noted          noted     noted     noted     noted     noted  noted   noted
status-other-amount  noted          noted          noted     case      noted     unknown+case case case   case
status-other-receipt noted          noted          noted     case      noted     succeeded case   case    case
status-declined      noted          noted          noted     noted     noted     failed    case   noted   noted
status-progress      noted          noted          noted     noted     noted     noted     noted  noted   noted
status-refused       noted          noted          noted     noted     noted     unknown+stop noted noted noted
not-found            noted          noted          noted     noted     noted     noted     noted  noted   noted
ruled-done           no             no             no        no        succeeded succeeded no     no      no
ruled-not-done       no             no             no        no        failed    failed    no     no      no
";

/// The same, without the doubt.
const ASKED_STATES: [&str; 7] =
    ["queued", "requeued", "sending", "accepted", "done", "refused", "notdone"];

/// A balance.
const ASKED: &str = "
event                queued    requeued  sending     accepted  done   refused notdone
send                 sending   sending   no          no        no     no      no
answer-0             noted     noted     accepted    noted     noted  noted   noted
answer-cached        noted     noted     accepted    noted     noted  noted   noted
answer-busy          noted     noted     queued+slow case      noted  noted   noted
answer-invalid       noted     noted     failed      case      noted  noted   noted
answer-credential    noted     noted     failed+stop case      noted  noted   noted
answer-internal      noted     noted     queued      noted     noted  noted   noted
answer-0-earlier     noted     noted     noted       noted     noted  noted   noted
answer-busy-earlier  noted     noted     noted       case      noted  noted   noted
nothing-sent         noted     noted     queued      case      noted  noted   noted
nothing-sent-earlier noted     noted     noted       noted     noted  noted   noted
no-answer            noted     noted     queued      noted     noted  noted   noted
no-answer-earlier    noted     noted     noted       noted     noted  noted   noted
lapsed               stale     stale     queued      stale     stale  stale   stale
lapsed-other         stale     stale     stale       stale     stale  stale   stale
result-done          succeeded succeeded succeeded   succeeded noted  noted   noted
result-other-receipt succeeded succeeded succeeded   succeeded noted  noted   noted
result-no-receipt    succeeded succeeded succeeded   succeeded noted  noted   noted
result-bare          failed    failed    failed      failed    noted  noted   noted
result-other-amount  succeeded succeeded succeeded   succeeded noted  noted   noted
result-odd           succeeded succeeded succeeded   succeeded noted  noted   noted
result-waiting       noted     noted     noted       noted     noted  noted   noted
result-funds         failed    failed    failed      failed    noted  noted   noted
result-credential    failed+stop failed+stop failed+stop failed+stop noted noted noted
result-internal      noted     noted     queued      queued    noted  noted   noted
result-strange       noted     noted     queued      queued    noted  noted   noted
overdue              stale     stale     stale       queued    stale  stale   stale
queue-timeout        noted     noted     queued      queued    noted  noted   noted
ask-wanted           no        no        no          no        no     no      no
question-sent        no        no        no          no        no     no      no
question-not-sent    noted     noted     noted       noted     noted  noted   noted
question-taken       noted     noted     noted       noted     noted  noted   noted
question-busy        noted     noted     noted       noted     noted  noted   noted
question-credential  noted     noted     noted       noted     noted  noted   noted
status-completed     noted     noted     noted       case      case   case    case
status-unnamed       noted     noted     noted       noted     noted  noted   noted
status-other-name    noted     noted     noted       noted     noted  noted   noted
status-other-amount  noted     noted     noted       case      case   case    case
status-other-receipt noted     noted     noted       case      case   case    case
status-declined      noted     noted     noted       noted     case   noted   noted
status-progress      noted     noted     noted       noted     noted  noted   noted
status-refused       noted     noted     noted       noted     noted  noted   noted
not-found            noted     noted     noted       noted     noted  noted   noted
ruled-done           no        no        no          no        no     no      no
ruled-not-done       no        no        no          no        no     no      no
";

#[test]
fn a_reversal_does_what_the_table_says() {
    check(MONEY, &MONEY_STATES, &reversal());
}

#[test]
fn a_balance_does_what_the_table_says() {
    check(ASKED, &ASKED_STATES, &Kind::Balance);
}

fn check(table: &str, states: &[&str], kind: &Kind) {
    let mut lines = table.trim().lines();
    let head: Vec<&str> = lines.next().expect("a head").split_whitespace().skip(1).collect();
    assert_eq!(head, states, "the columns");
    let mut rows = Vec::new();
    for line in lines {
        let mut cells = line.split_whitespace();
        let name = cells.next().expect("a name");
        let event = event(name);
        let cells: Vec<&str> = cells.collect();
        assert_eq!(cells.len(), states.len(), "{name}: a cell for every state");
        for (column, expected) in states.iter().zip(cells) {
            let inquiry = inquiry(kind.clone(), column);
            let verdict = step(&inquiry, &event, &POLICY, NOW);
            assert_eq!(in_a_word(&verdict), expected, "{name} when {column}: {verdict:?}");
            keeps_the_laws(&inquiry, &event, &verdict);
        }
        rows.push(event.name());
    }
    for name in EVENT_NAMES {
        assert!(rows.contains(&name), "no row for {name}");
    }
}

/// Every event's own name, so that a new event without a row fails the tests above.
const EVENT_NAMES: [&str; 14] = [
    "send_started",
    "answered",
    "nothing_sent",
    "no_answer",
    "lease_lapsed",
    "result_arrived",
    "result_overdue",
    "queue_timed_out",
    "ask_wanted",
    "question_sent",
    "question_not_sent",
    "question_replied",
    "question_answered",
    "ruled",
];

#[test]
fn every_status_has_a_column() {
    for status in Status::ALL {
        let known = |name: &&str| inquiry(reversal(), name).status() == status;
        assert!(MONEY_STATES.iter().any(known), "{status}");
    }
}

proptest! {
    /// Whatever happens in whatever order, the laws hold; and what moves money is sent again only
    /// on proof that nothing was taken.
    #[test]
    fn no_sequence_of_events_breaks_a_law(
        money in any::<bool>(),
        picks in proptest::collection::vec((0_usize..600, 0_u64..4_000), 1..60)
    ) {
        let names: Vec<&str> =
            MONEY.trim().lines().skip(1).filter_map(|l| l.split_whitespace().next()).collect();
        let mut inquiry = inquiry(if money { reversal() } else { Kind::Balance }, "queued");
        let (mut now, mut may_be_taken) = (NOW, false);
        for (pick, pause) in picks {
            now = now.after(Duration::from_secs(pause));
            let attempts = inquiry.state.tries().attempts;
            let drawn = event(names[pick % names.len()]);
            // Make answers fit the attempt in hand most of the time.
            let event = if pick % 3 == 0 { drawn } else { with_attempt(drawn, attempts) };
            let verdict = step(&inquiry, &event, &POLICY, now);
            keeps_the_laws(&inquiry, &event, &verdict);
            if let Verdict::Moved { state, .. } = verdict {
                let begins = matches!(state, State::Sending { .. }) && inquiry.state != state;
                prop_assert!(!(money && begins && may_be_taken), "{:?}", inquiry.state);
                may_be_taken = may_be_taken
                    || matches!(state, State::Accepted { .. } | State::Unknown { .. });
                inquiry.state = state;
            }
        }
    }
}
