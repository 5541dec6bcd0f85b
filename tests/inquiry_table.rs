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
    reason = "a test: its tables are long, and it panics to fail"
)]

use std::sync::LazyLock;
use std::time::Duration;

use mlango::domain::account;
use mlango::domain::id::{AppId, ConversationId, InquiryId, Receipt, RunId};
use mlango::domain::inquiry::{
    Answer, AnswerFacts, Asking, Balances, C2bVersion, Details, Doubt, Effect, Event, Failure,
    Inquiry, Kind, LOST_MAX, Moved, Names, PaidTo, Policy, RegisterUrls, ResponseType, ResultFacts,
    Reversal, Settled, SimulateC2b, State, Status, TransactionStatus as StatusQuestion, Tries,
    Verdict, ask_by, law, step,
};
use mlango::domain::money::Amount;
use mlango::domain::payout::{
    CaseKind, InquiryAnswer, InquiryFacts, Lease, Rail, Ruling, Stage, TransactionStatus,
    WhyNoAnswer, WhyNothingSent,
};
use mlango::domain::time::Timestamp;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);
/// As the configuration is by default.
static POLICY: LazyLock<Policy> = LazyLock::new(Policy::default);
/// The number of the last question about an inquiry in doubt.
const NTH: u32 = 3;
/// The receipt of what was reversed, and that of the reversal.
const ORIGINAL: &str = "UJ34AA00ZZ";
const RECEIPT: &str = "UJ35CC22XX";
/// M-Pesa's name for the request.
const NAME: &str = "AG_20240102_1";

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

/// A kind, the result's code, and what the inquiry answers.
#[test]
fn what_a_result_means_depends_on_what_was_asked() {
    let status = Kind::TransactionStatus(StatusQuestion::Receipt(receipt(ORIGINAL)));
    let table: [(&str, Kind, ResultFacts, &str); 9] = [
        ("a balance", Kind::Balance, result("balance"), "succeeded"),
        ("a balance without one", Kind::Balance, result("bare"), "failed"),
        ("a status", status.clone(), result("status"), "succeeded"),
        ("a status without one", status.clone(), result("bare"), "failed"),
        ("no such receipt", status.clone(), result("2033"), "failed"),
        ("no such transaction", status, result("49"), "failed"),
        ("already reversed", reversal(), result("R000001"), "failed"),
        ("nothing to reverse", reversal(), result("R000002"), "failed"),
        ("a tax without a receipt", tax(), result("no-receipt"), "unknown+case"),
    ];
    for (what, kind, facts, expected) in table {
        let accepted = inquiry(kind, "accepted");
        let event = Event::ResultArrived(facts);
        let verdict = step(&accepted, &event, &POLICY, NOW);
        assert_eq!(in_a_word(&verdict), expected, "{what}: {verdict:?}");
        keeps_the_laws(&accepted, &event, &verdict);
    }
}

#[test]
fn what_has_no_result_is_done_when_m_pesa_takes_it() {
    let register = Kind::RegisterUrls(RegisterUrls {
        response_type: ResponseType::Completed,
        version: C2bVersion::V2,
    });
    let simulate = Kind::SimulateC2b(SimulateC2b {
        to: PaidTo::PayBill,
        amount: Amount::from_shillings(100),
        phone: "254700000001".parse().expect("a phone"),
        account: Some("INV-77".to_owned()),
        version: C2bVersion::V2,
    });
    for (kind, answer, lost) in
        [(register, Answer::Registered, "queued"), (simulate, Answer::Simulated, "unknown")]
    {
        let sending = inquiry(kind, "sending");
        let state = moved(step(&sending, &event("answer-0"), &POLICY, NOW));
        assert!(matches!(&state, State::Succeeded { answer: told, .. } if *told == answer));
        let verdict = step(&sending, &event("no-answer"), &POLICY, NOW);
        assert_eq!(in_a_word(&verdict), lost, "{answer:?}");
    }
}

#[test]
fn what_moves_no_money_is_asked_anew_three_times() {
    for lose in ["no-answer", "answer-internal", "lapsed"] {
        let mut balance = inquiry(Kind::Balance, "queued");
        let mut now = NOW;
        for nth in 0..=LOST_MAX {
            assert_eq!(balance.status(), Status::Queued, "{lose} {nth}");
            now = balance.state.wakes_at().unwrap_or(now).max(now);
            balance.state = moved(step(&balance, &event("send"), &POLICY, now));
            let event = with_attempt(event(lose), balance.state.tries().attempts);
            balance.state = moved(step(&balance, &event, &POLICY, now));
        }
        let State::Failed { failure, .. } = &balance.state else { panic!("{:?}", balance.state) };
        assert_eq!((failure.code.as_str(), failure.retryable), ("no_answer", true), "{lose}");
    }
}

#[test]
fn a_link_that_stays_dead_ends_an_inquiry_after_an_hour() {
    let mut waiting = inquiry(reversal(), "queued");
    let mut now = NOW;
    while waiting.status() == Status::Queued {
        now = waiting.state.wakes_at().unwrap_or(now).max(now);
        waiting.state = moved(step(&waiting, &event("send"), &POLICY, now));
        let attempt = waiting.state.tries().attempts;
        assert!(attempt < 100, "it must end");
        let event = with_attempt(event("nothing-sent"), attempt);
        waiting.state = moved(step(&waiting, &event, &POLICY, now));
    }
    assert!(now.since(NOW) > Duration::from_secs(3_500));
    let State::Failed { failure, .. } = &waiting.state else { panic!("{:?}", waiting.state) };
    assert_eq!(failure.code, "not_sent");
}

#[test]
fn doubt_about_money_is_asked_about_by_the_schedule_then_daily_then_no_more() {
    let mut lost = inquiry(reversal(), "accepted");
    let mut now = NOW;
    lost.state = moved(step(&lost, &event("overdue"), &POLICY, now));
    assert_eq!(ask_by(&lost).map(ConversationId::as_str), Some(NAME));
    let mut cases = 0;
    let mut pauses = vec![];
    while let Some(at) = lost.state.wakes_at() {
        pauses.push(at.since(now).as_secs());
        now = at;
        let verdict = step(&lost, &event("question-sent"), &POLICY, now);
        if let Verdict::Moved { effects, .. } = &verdict {
            cases += effects.iter().filter(|it| matches!(it, Effect::OpenCase(_))).count();
        }
        lost.state = moved(verdict);
        // M-Pesa finds nothing: that proves nothing, and nobody sends another.
        let nth = lost.state.tries().questions;
        let not_found = told(Some(nth), "2033", None);
        assert!(matches!(step(&lost, &not_found, &POLICY, now), Verdict::Noted(_)));
    }
    let daily = [86_400; 12];
    assert_eq!(pauses, [&[5, 30, 120, 600, 3_600, 3_600], daily.as_slice()].concat());
    assert_eq!((cases, lost.status()), (1, Status::Unknown));
    lost.state = moved(step(&lost, &event("result-done"), &POLICY, now));
    assert_eq!(lost.status(), Status::Succeeded, "late word is heard");
}

#[test]
fn what_does_not_fit_calls_a_person_once_for_each_word() {
    let mut doubted = inquiry(reversal(), "accepted");
    for (kind, expected) in [
        ("result-other-amount", "unknown+case"),
        ("result-other-amount", "noted"),
        ("result-no-receipt", "unknown+case"),
        ("result-no-receipt", "noted"),
    ] {
        let verdict = step(&doubted, &event(kind), &POLICY, NOW);
        assert_eq!(in_a_word(&verdict), expected, "{kind}");
        if let Verdict::Moved { state, .. } = verdict {
            doubted.state = state;
        }
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
                let begins = inquiry.status() == Status::Queued && state.status() == Status::Sending;
                prop_assert!(!(money && begins && may_be_taken), "{:?}", inquiry.state);
                may_be_taken = may_be_taken
                    || matches!(state, State::Accepted { .. } | State::Unknown { .. });
                inquiry.state = state;
            }
        }
    }
}

fn keeps_the_laws(before: &Inquiry, event: &Event, verdict: &Verdict) {
    if let Verdict::Moved { state, effects, .. } = verdict {
        let after = Inquiry { state: state.clone(), ..before.clone() };
        let held = law::check(before, event, &after, effects);
        assert_eq!(held, Ok(()), "{event:?} when {:?}", before.state);
    }
}

fn moved(verdict: Verdict) -> State {
    match verdict {
        Verdict::Moved { state, .. } => state,
        other => panic!("it should move: {other:?}"),
    }
}

fn in_a_word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Moved { state, effects, .. } => {
            let mut word = state.status().to_string();
            for effect in effects {
                word.push_str(match effect {
                    Effect::OpenCase(_) => "+case",
                    Effect::SlowRail { .. } => "+slow",
                    Effect::StopRail { .. } => "+stop",
                    Effect::Transmit { .. } | Effect::WakeAt(_) | Effect::Ask { .. } => "",
                });
            }
            word
        }
        Verdict::Noted(_) => "noted".to_owned(),
        Verdict::Contradicted(found) => {
            assert!(matches!(found.kind, CaseKind::Contradiction | CaseKind::Mismatch));
            "case".to_owned()
        }
        Verdict::Stale => "stale".to_owned(),
        Verdict::Forbidden(_) => "no".to_owned(),
    }
}

fn reversal() -> Kind {
    Kind::Reversal(Reversal {
        receipt: receipt(ORIGINAL),
        amount: Amount::from_shillings(1_500),
        payment: None,
        payout: None,
        remarks: "wrong account".to_owned(),
        occasion: String::new(),
    })
}

fn tax() -> Kind {
    Kind::Tax(mlango::domain::inquiry::Tax {
        prn: "2024000001".to_owned(),
        amount: Amount::from_shillings(1_500),
        remarks: "January".to_owned(),
    })
}

fn inquiry(kind: Kind, column: &str) -> Inquiry {
    let tries = Tries { attempts: 2, questions: NTH, ..Tries::NONE };
    let names = Names { conversation: ConversationId::new(NAME), originator: None };
    let settled = Settled { at: NOW, names: names.clone(), tries };
    let failed = |stage, code: &str| State::Failed {
        failure: Failure {
            stage,
            code: code.to_owned(),
            description: "no".to_owned(),
            retryable: false,
        },
        settled: settled.clone(),
    };
    let unknown = |names, asking| State::Unknown {
        tries,
        why: Doubt::NoAnswer,
        names,
        since: ago(300),
        asking,
    };
    let asked =
        Asking { asked: 2, last: Some(NTH), last_at: Some(ago(60)), ..Asking::first_at(NOW) };
    let done = if kind.moves_money() {
        Answer::Reversed(Moved {
            receipt: receipt(RECEIPT),
            amount: None,
            charge: None,
            completed_at: None,
        })
    } else {
        Answer::Balances(balances())
    };
    let state = match column {
        "queued" => State::Queued { not_before: NOW, tries: Tries::NONE },
        "requeued" => State::Queued { not_before: NOW, tries: Tries { unreachable: 1, ..tries } },
        "sending" => State::Sending { tries, lease: lease(7) },
        "accepted" => State::Accepted { tries, names, overdue_at: NOW },
        "unheard" => unknown(Names::default(), Asking::first_at(NOW)),
        "unknown" => unknown(names, asked),
        "done" => State::Succeeded { answer: done, settled },
        "refused" => failed(Stage::Request, "400.002.02"),
        "notdone" => failed(Stage::Result, "1"),
        other => panic!("no such column: {other}"),
    };
    let details = Details {
        id: InquiryId::from_bytes([1; 16]),
        app: Some(AppId::from_bytes([2; 16])),
        kind,
        rail: Rail::Soap,
        shortcode: "600111".parse().expect("a short code"),
        created_at: NOW,
    };
    Inquiry { details, state, updated_at: NOW }
}

fn lease(run: u8) -> Lease {
    Lease { owner: RunId::from_bytes([run; 16]), until: NOW.after(Duration::from_secs(40)) }
}

fn with_attempt(event: Event, attempt: u32) -> Event {
    match event {
        Event::Answered { answer, .. } => Event::Answered { attempt, answer },
        Event::NothingSent { why, .. } => Event::NothingSent { attempt, why },
        Event::NoAnswer { why, .. } => Event::NoAnswer { attempt, why },
        other => other,
    }
}

fn event(row: &str) -> Event {
    if let Some(rest) = row.strip_prefix("answer-") {
        let (kind, attempt) = rest.strip_suffix("-earlier").map_or((rest, 2), |kind| (kind, 1));
        return Event::Answered { attempt, answer: answer(kind) };
    }
    if let Some(rest) = row.strip_prefix("result-") {
        return Event::ResultArrived(result(rest));
    }
    if let Some(rest) = row.strip_prefix("status-") {
        return status(rest);
    }
    let why = WhyNothingSent::Connect;
    let ruled = |receipt| {
        Event::Ruled(Ruling { by: "Wanjiru".to_owned(), receipt, reason: "statement".to_owned() })
    };
    let replied = |kind| Event::QuestionReplied { nth: NTH, answer: answer(kind) };
    match row {
        "send" => Event::SendStarted { lease: lease(7) },
        "nothing-sent" => Event::NothingSent { attempt: 2, why },
        "nothing-sent-earlier" => Event::NothingSent { attempt: 1, why },
        "no-answer" => Event::NoAnswer { attempt: 2, why: WhyNoAnswer::Timeout },
        "lapsed" => Event::LeaseLapsed { lease: lease(7) },
        "lapsed-other" => Event::LeaseLapsed { lease: lease(8) },
        "overdue" => Event::ResultOverdue,
        "queue-timeout" => Event::QueueTimedOut,
        "ask-wanted" => Event::AskWanted,
        "question-sent" => Event::QuestionSent,
        "question-not-sent" => Event::QuestionNotSent { nth: NTH },
        "question-taken" => replied("0"),
        "question-busy" => replied("busy"),
        "question-credential" => replied("credential"),
        "not-found" => told(Some(NTH), "2033", None),
        "ruled-done" => ruled(Some(receipt(RECEIPT))),
        "ruled-not-done" => ruled(None),
        other => panic!("no such row: {other}"),
    }
}

fn answer(kind: &str) -> AnswerFacts {
    let code = match kind {
        "0" => "0",
        "busy" => "500.003.02:busy",
        "cached" => "100000000",
        "invalid" => "400.002.02",
        "credential" => "100000007",
        "internal" => "500.002.1001:internal",
        other => panic!("no such answer: {other}"),
    };
    let names = Names { conversation: ConversationId::new(NAME), originator: None };
    let is_taken = matches!(kind, "0" | "cached");
    AnswerFacts {
        code: code.to_owned(),
        description: String::new(),
        names: if is_taken { names } else { Names::default() },
    }
}

fn result(kind: &str) -> ResultFacts {
    let done = ResultFacts {
        code: "0".to_owned(),
        names: Names { conversation: ConversationId::new(NAME), originator: None },
        receipt: Some(receipt(RECEIPT)),
        amount: Some(Amount::from_shillings(1_500)),
        balances: Some(balances()),
        ..ResultFacts::default()
    };
    let bare = ResultFacts { receipt: None, amount: None, balances: None, ..done.clone() };
    let code = |code: &str| ResultFacts { code: code.to_owned(), ..bare.clone() };
    match kind {
        "done" | "balance" => done,
        "bare" => bare,
        "status" => {
            let facts = facts(TransactionStatus::Completed);
            ResultFacts { status: Some(facts), ..bare }
        }
        "other-receipt" => ResultFacts { receipt: Some(receipt("UJ3ZZZZZZZ")), ..done },
        "no-receipt" => ResultFacts { receipt: None, ..done },
        "other-amount" => ResultFacts { amount: Some(Amount::from_shillings(15)), ..done },
        "odd" => ResultFacts { odd: Some("two receipts".to_owned()), ..done },
        "waiting" => ResultFacts { waiting: true, ..done },
        "funds" => code("1"),
        "credential" => code("2001"),
        "internal" => code("17"),
        "strange" => code("X99"),
        other => code(other),
    }
}

/// What M-Pesa, asked about it, says of the transaction.
fn status(kind: &str) -> Event {
    use TransactionStatus::{Completed, Declined, InProgress};
    let other = ConversationId::new("AG_20240102_2");
    let payment = match kind {
        "completed" => facts(Completed),
        "unnamed" => InquiryFacts { conversation: None, ..facts(Completed) },
        "other-name" => InquiryFacts { conversation: other, ..facts(Completed) },
        "other-amount" => {
            InquiryFacts { amount: Some(Amount::from_shillings(15)), ..facts(Completed) }
        }
        "other-receipt" => {
            InquiryFacts { receipt: Some(receipt("UJ3ZZZZZZZ")), ..facts(Completed) }
        }
        "declined" => facts(Declined),
        "progress" => facts(InProgress),
        "refused" => return told(Some(NTH), "2001", None),
        other => panic!("no such status: {other}"),
    };
    told(Some(NTH), "0", Some(payment))
}

fn facts(status: TransactionStatus) -> InquiryFacts {
    InquiryFacts {
        status,
        receipt: Some(receipt(RECEIPT)),
        amount: Some(Amount::from_shillings(1_500)),
        payee: None,
        recipient_name: None,
        originator: None,
        conversation: ConversationId::new(NAME),
        completed_at: Some(NOW),
        odd: None,
    }
}

/// The result of question `nth`: the query's own code, and what it says of the transaction.
fn told(nth: Option<u32>, code: &str, payment: Option<InquiryFacts>) -> Event {
    Event::QuestionAnswered(InquiryAnswer {
        nth,
        code: code.to_owned(),
        description: String::new(),
        waiting: false,
        payment,
    })
}

fn balances() -> Balances {
    let accounts = account::accounts("Working Account|KES|100.00|100.00|0.00|0.00");
    Balances { accounts, at: Some(NOW) }
}

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() - seconds * 1_000)
}

fn receipt(text: &str) -> Receipt {
    Receipt::new(text).expect("a receipt")
}
