//! Every event in every state: what becomes of the payout.
//!
//! Rows are events, columns are states. A cell says where the payout stands afterwards, or:
//! `noted` (recorded, nothing changes) · `case` (contradiction: recorded, nothing changes, a
//! person must look) · `stale` (overtaken) · `no` (may not be done). `+case` and `+stop` are
//! effects that come with a move: a person must look; the rail stops.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    clippy::arithmetic_side_effects,
    reason = "a test: its tables are long, and it panics to fail"
)]

use std::sync::LazyLock;
use std::time::Duration;

use mlango::domain::id::{
    AppId, ConversationId, OriginatorConversationId, PayoutId, Receipt, RunId,
};
use mlango::domain::money::Amount;
use mlango::domain::party::Msisdn;
use mlango::domain::payout::{
    AnswerFacts, AskBy, CaseKind, Command, Contradiction, Details, Doubt, Effect, Event, Failure,
    Inquiry, InquiryAnswer, InquiryFacts, Lease, Payout, Policy, Question, Rail, ResultFacts,
    Ruling, Settled, Stage, State, StatementFacts, Status, TransactionStatus, Tries, Verdict,
    WhyNoAnswer, WhyNothingSent, law, step,
};
use mlango::domain::time::Timestamp;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);
/// As the configuration is by default.
static POLICY: LazyLock<Policy> = LazyLock::new(Policy::default);
/// The number of the last question about a payout in doubt, which was put a minute ago.
const NTH: u32 = 3;

/// The columns: short names of the states below.
const STATES: [&str; 12] = [
    "approval",
    "queued",
    "requeued",
    "doubted",
    "sending",
    "accepted",
    "unknown",
    "cached",
    "paid",
    "refused",
    "notpaid",
    "cancelled",
];

/// In doubt, the last question was put after the request could arrive (unknown), or while it still
/// may (cached).
///
/// approval: awaiting approval. queued: never sent. requeued: sent once, nothing taken. doubted:
/// queued again after "no such transaction". sending: attempt 2. unknown: no answer came. cached:
/// unknown, held by the broker. paid: succeeded. refused: failed at the answer. notpaid: failed at
/// the result.
const TABLE: &str = "
event               approval  queued    requeued  doubted   sending    accepted   unknown    cached     paid   refused notpaid cancelled
approved            queued    no        no        no        no         no         no         no         no     no      no      no
rejected            cancelled no        no        no        no         no         no         no         no     no      no      no
approval-expired    cancelled stale     stale     stale     stale      stale      stale      stale      stale  stale   stale   stale
cancel              cancelled cancelled cancelled no        no         no         no         no         no     no      no      no
send                no        sending   sending   sending   no         no         no         no         no     no      no      no
answer-0            case      case      case      case      accepted   noted      unknown    unknown    noted  case    noted   case
answer-cached       case      case      case      case      unknown    noted      unknown    unknown    noted  noted   noted   case
answer-busy         case      noted     noted     noted     queued     case       noted      noted      case   noted   noted   case
answer-invalid      case      noted     noted     noted     failed     case       noted      noted      case   noted   noted   case
answer-credential   case      noted     noted     noted     failed+stop case      noted      noted      case   noted   noted   case
answer-operator     case      case      case      case      unknown+stop noted    unknown+stop unknown+stop noted noted  noted   case
answer-duplicate    case      case      case      case      unknown    noted      unknown    unknown    noted  noted   noted   case
answer-strange      case      case      case      case      unknown    noted      unknown    unknown    noted  noted   noted   case
answer-0-earlier    case      case      case      case      case       noted      noted      noted      noted  case    noted   case
answer-busy-earlier case      noted     noted     noted     noted      case       noted      noted      case   noted   noted   case
nothing-sent        noted     noted     noted     noted     queued     case       noted      noted      case   noted   noted   noted
nothing-sent-earlier noted    noted     noted     noted     noted      case       noted      noted      case   noted   noted   noted
no-answer           noted     noted     noted     noted     unknown    noted      noted      noted      noted  noted   noted   noted
lapsed              stale     stale     stale     stale     unknown    stale      stale      stale      stale  stale   stale   stale
lapsed-other        stale     stale     stale     stale     stale      stale      stale      stale      stale  stale   stale   stale
result-paid         unknown+case unknown+case succeeded+case succeeded+case succeeded succeeded succeeded succeeded noted case case case
result-other-receipt unknown+case unknown+case succeeded+case succeeded+case succeeded succeeded succeeded succeeded case case case case
result-no-receipt   unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case noted case case case
result-other-amount unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case case case case case
result-other-payee  unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case case case case case
result-odd          unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case case case case case
result-funds        unknown+case unknown+case unknown+case unknown+case failed failed failed failed case noted noted noted
result-credential   unknown+case+stop unknown+case+stop unknown+case+stop unknown+case+stop failed+stop failed+stop failed+stop failed+stop case noted noted noted
result-duplicate    unknown+case unknown+case unknown+case unknown+case unknown unknown unknown unknown noted noted noted case
result-internal     unknown+case unknown+case unknown+case unknown+case unknown unknown unknown unknown noted noted noted case
result-strange      unknown+case unknown+case unknown+case unknown+case unknown unknown unknown unknown noted noted noted case
result-waiting      unknown+case unknown+case unknown+case unknown+case noted noted noted noted noted noted noted case
overdue             stale     stale     stale     stale     stale      unknown    stale      stale      stale  stale   stale   stale
queue-timeout       unknown+case unknown+case unknown+case unknown+case unknown unknown noted unknown case noted noted case
ask-wanted          no        no        no        no        no         unknown    unknown    unknown    no     no      no      no
inquiry-sent        no        no        no        no        no         no         unknown    unknown    no     no      no      no
inquiry-taken       noted     noted     noted     noted     noted      noted      noted      noted      noted  noted   noted   noted
inquiry-busy        noted     noted     noted     noted     noted      noted      unknown    unknown    noted  noted   noted   noted
inquiry-credential  noted     noted     noted     noted     noted      noted      unknown+stop unknown+stop noted noted noted  noted
inquiry-not-sent    noted     noted     noted     noted     noted      noted      unknown    unknown    noted  noted   noted   noted
inquiry-given-up    noted     noted     noted     noted     noted      noted      unknown    unknown    noted  noted   noted   noted
inquiry-completed   unknown+case unknown+case succeeded+case succeeded+case succeeded succeeded succeeded succeeded noted case case case
inquiry-unnamed     noted     noted     noted     noted     noted      noted      succeeded  succeeded  noted  noted   noted   noted
inquiry-unasked     unknown+case unknown+case succeeded+case succeeded+case succeeded succeeded succeeded succeeded noted case case case
inquiry-other-amount unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case case case case case
inquiry-other-payee unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case case case case case
inquiry-other-name  noted     noted     noted     noted     noted      noted      unknown+case unknown+case noted noted noted noted
inquiry-no-amount   unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case case case case case
inquiry-no-receipt  unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case noted case case case
inquiry-odd         unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case unknown+case case case case case
inquiry-cancelled   noted     noted     noted     noted     noted      failed     failed     failed     case   noted   noted   noted
inquiry-declined    noted     noted     noted     noted     noted      failed     failed     failed     case   noted   noted   noted
inquiry-expired     noted     noted     noted     noted     noted      failed     failed     failed     case   noted   noted   noted
inquiry-declined-other noted  noted     noted     noted     noted      noted      noted      noted      noted  noted   noted   noted
inquiry-progress    noted     noted     noted     noted     noted      noted      noted      noted      noted  noted   noted   noted
inquiry-strange     noted     noted     noted     noted     noted      noted      noted      noted      noted  noted   noted   noted
inquiry-no-status   noted     noted     noted     noted     noted      noted      noted      noted      noted  noted   noted   noted
inquiry-failed      noted     noted     noted     noted     noted      noted      noted      noted      noted  noted   noted   noted
inquiry-failed-completed noted noted    noted     noted     noted      noted      noted      noted      noted  noted   noted   noted
inquiry-waiting     noted     noted     noted     noted     noted      noted      noted      noted      noted  noted   noted   noted
inquiry-refused     noted     noted     noted     noted     noted      noted      unknown+stop unknown+stop noted noted noted  noted
not-found           noted     noted     noted     noted     noted      noted      queued     noted      noted  noted   noted   noted
not-found-receipt   noted     noted     noted     noted     noted      noted      queued     noted      noted  noted   noted   noted
not-found-overtaken noted     noted     noted     noted     noted      noted      noted      noted      noted  noted   noted   noted
not-found-unasked   noted     noted     noted     noted     noted      noted      noted      noted      noted  noted   noted   noted
statement           unknown+case unknown+case succeeded+case succeeded+case succeeded succeeded succeeded succeeded noted case case case
ruled-paid          no        no        no        no        no         no         succeeded  succeeded  no     no      no      no
ruled-not-paid      no        no        no        no        no         no         failed     failed     no     no      no      no
unfit               stale     failed    failed    unknown   stale      stale      stale      stale      stale  stale   stale   stale
";

#[test]
fn every_event_in_every_state_does_what_the_table_says() {
    let mut lines = TABLE.trim().lines();
    let head: Vec<&str> = lines.next().expect("a head").split_whitespace().skip(1).collect();
    assert_eq!(head, STATES, "the columns");
    let mut rows = Vec::new();
    for line in lines {
        let mut cells = line.split_whitespace();
        let name = cells.next().expect("a name");
        let event = event(name);
        let cells: Vec<&str> = cells.collect();
        assert_eq!(cells.len(), STATES.len(), "{name}: a cell for every state");
        for (column, expected) in STATES.iter().zip(cells) {
            let payout = payout(column);
            let verdict = step(&payout, &event, &POLICY, NOW);
            assert_eq!(in_a_word(&verdict), expected, "{name} when {column}: {verdict:?}");
            keeps_the_laws(&payout, &event, &verdict);
        }
        rows.push(event.name());
    }
    for name in EVENT_NAMES {
        assert!(rows.contains(&name), "no row for {name}");
    }
}

/// Every event's own name, so that a new event without a row fails the test above.
const EVENT_NAMES: [&str; 19] = [
    "approved",
    "rejected",
    "approval_expired",
    "cancel_asked",
    "send_started",
    "answered",
    "nothing_sent",
    "no_answer",
    "lease_lapsed",
    "result_arrived",
    "result_overdue",
    "queue_timed_out",
    "ask_wanted",
    "inquiry_sent",
    "inquiry_replied",
    "inquiry_not_sent",
    "inquiry_answered",
    "statement_shows",
    "ruled",
];

#[test]
fn every_status_of_the_contract_has_a_column() {
    for status in Status::ALL {
        assert!(STATES.iter().any(|name| payout(name).status() == status), "{status}");
    }
}

#[test]
fn a_payout_that_is_not_due_is_not_sent() {
    let mut early = payout("queued");
    early.state =
        State::Queued { not_before: NOW.after(Duration::from_millis(1)), tries: Tries::NONE };
    let verdict = step(&early, &event("send"), &POLICY, NOW);
    assert_eq!(in_a_word(&verdict), "no");
}

#[test]
fn a_payout_that_mpesa_is_too_busy_for_is_given_up_after_twenty_times() {
    let mut busy = payout("queued");
    let mut now = NOW;
    for nth in 1..=20 {
        busy.state = moved(step(&busy, &event("send"), &POLICY, now));
        let answer = answer("100000002");
        let attempt = busy.state.attempts();
        busy.state = moved(step(&busy, &Event::Answered { attempt, answer }, &POLICY, now));
        let expected = if nth < 20 { Status::Queued } else { Status::Failed };
        assert_eq!(busy.status(), expected, "after {nth}");
        now = busy.state.wakes_at().unwrap_or(now);
    }
}

#[test]
fn a_dead_link_is_waited_for_without_end() {
    let mut waiting = payout("queued");
    let mut now = NOW;
    for nth in 1..=1_000 {
        waiting.state = moved(step(&waiting, &event("send"), &POLICY, now));
        let event = Event::NothingSent { attempt: nth, why: WhyNothingSent::Connect };
        waiting.state = moved(step(&waiting, &event, &POLICY, now));
        assert_eq!(waiting.status(), Status::Queued, "after {nth}");
        let next = waiting.state.wakes_at().expect("a time");
        assert!(next.since(now) <= Duration::from_secs(60), "waits at most a minute");
        now = next;
    }
}

#[test]
fn what_was_never_sent_is_not_settled_by_a_copy_of_a_result() {
    let mut unsent = payout("queued");
    unsent.state = moved(step(&unsent, &event("result-paid"), &POLICY, NOW));
    assert_eq!(unsent.status(), Status::Unknown);
    for copy in ["result-paid", "result-funds", "result-strange"] {
        let verdict = step(&unsent, &event(copy), &POLICY, NOW);
        assert_eq!(in_a_word(&verdict), "noted", "{copy}");
    }
    for evidence in ["inquiry-completed", "ruled-paid"] {
        let verdict = step(&unsent, &event(evidence), &POLICY, NOW);
        assert_eq!(in_a_word(&verdict), "succeeded", "{evidence}");
    }
}

proptest! {
    /// Whatever happens in whatever order, the laws hold, and nothing that says "taken" or
    /// "doubt" is followed by another send without M-Pesa's word that it knows no such id.
    #[test]
    fn no_sequence_of_events_breaks_a_law(picks in proptest::collection::vec(0_usize..200, 1..60)) {
        let names: Vec<&str> =
            TABLE.trim().lines().skip(1).filter_map(|l| l.split_whitespace().next()).collect();
        let mut payout = payout("queued");
        let mut now = NOW;
        for pick in picks {
            let event = match event(names[pick % names.len()]) {
                // Make answers fit the attempt in hand most of the time.
                Event::Answered { answer, .. } if pick % 3 != 0 => {
                    Event::Answered { attempt: payout.state.attempts(), answer }
                }
                Event::NothingSent { why, .. } if pick % 3 != 0 => {
                    Event::NothingSent { attempt: payout.state.attempts(), why }
                }
                Event::NoAnswer { why, .. } if pick % 3 != 0 => {
                    Event::NoAnswer { attempt: payout.state.attempts(), why }
                }
                other => other,
            };
            now = now.after(Duration::from_secs(61));
            let verdict = step(&payout, &event, &POLICY, now);
            keeps_the_laws(&payout, &event, &verdict);
            if let Verdict::Moved { state, .. } = verdict {
                payout.state = state;
                payout.updated_at = now;
            }
        }
    }
}

fn keeps_the_laws(before: &Payout, event: &Event, verdict: &Verdict) {
    if let Verdict::Moved { state, effects, .. } = verdict {
        let after = Payout { state: state.clone(), ..before.clone() };
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
            let case = effects.iter().any(|e| matches!(e, Effect::OpenCase(_)));
            let stop = effects.iter().any(|e| matches!(e, Effect::StopRail { .. }));
            let case = if case { "+case" } else { "" };
            let stop = if stop { "+stop" } else { "" };
            format!("{}{case}{stop}", state.status())
        }
        Verdict::Noted(_) => "noted".to_owned(),
        Verdict::Contradicted(Contradiction { kind, .. }) => {
            assert!(matches!(kind, CaseKind::Contradiction | CaseKind::Mismatch));
            "case".to_owned()
        }
        Verdict::Stale => "stale".to_owned(),
        Verdict::Forbidden(_) => "no".to_owned(),
    }
}

fn lease(run: u8) -> Lease {
    Lease { owner: RunId::from_bytes([run; 16]), until: NOW.after(Duration::from_secs(40)) }
}

fn payout(column: &str) -> Payout {
    let id = PayoutId::from_bytes([1; 16]);
    let details = Details {
        id,
        app: AppId::from_bytes([2; 16]),
        amount: Amount::from_shillings(1_500),
        phone: phone("254722000111"),
        command: Command::BusinessPayment,
        reference: "INV-2041".to_owned(),
        remarks: "March commission".to_owned(),
        occasion: String::new(),
        metadata: [("branch".to_owned(), "Nakuru".to_owned())].into(),
        rail: Rail::Soap,
        batch: None,
        originator_conversation_id: OriginatorConversationId::of(id, "600999", "ExampleOrg"),
        created_at: NOW,
    };
    let sent_at = Some(ago(3_600));
    let tries = Tries { attempts: 2, questions: NTH, sent_at, ..Tries::NONE };
    let settled =
        Settled { conversation: None, completed_at: NOW, mpesa_completed_at: None, attempts: 2 };
    let failed = |stage, code: &str| State::Failed {
        failure: Failure {
            stage,
            code: code.to_owned(),
            description: "no".to_owned(),
            retryable: false,
        },
        settled: settled.clone(),
    };
    let unknown = |why, arrives_until| State::Unknown {
        tries,
        why,
        conversation: None,
        since: ago(3_000),
        arrives_until,
        inquiry: Inquiry {
            asked: 2,
            last: Some(Question { nth: NTH, at: ago(60), by: AskBy::Name }),
            ..Inquiry::first_at(NOW)
        },
    };
    let state = match column {
        "approval" => State::AwaitingApproval { rule: "above 1000".to_owned() },
        "queued" => State::Queued { not_before: NOW, tries: Tries::NONE },
        "requeued" => State::Queued { not_before: NOW, tries: Tries { unreachable: 1, ..tries } },
        "doubted" => State::Queued { not_before: NOW, tries: Tries { not_found: 1, ..tries } },
        "sending" => State::Sending { tries, lease: lease(7) },
        "accepted" => {
            State::Accepted { tries, conversation: ConversationId::new("AG_1"), overdue_at: NOW }
        }
        "unknown" => unknown(Doubt::NoAnswer, ago(2_000)),
        "cached" => unknown(Doubt::Cached, NOW.after(Duration::from_secs(3_600))),
        "paid" => State::Succeeded {
            receipt: receipt("QK12ABCD34"),
            settled,
            recipient_name: None,
            charge: None,
        },
        "refused" => failed(Stage::Request, "1005"),
        "notpaid" => failed(Stage::Result, "1"),
        "cancelled" => State::Cancelled { reason: "stopped".to_owned(), completed_at: NOW },
        other => panic!("no such column: {other}"),
    };
    Payout { details, state, updated_at: NOW }
}

fn event(row: &str) -> Event {
    if let Some(rest) = row.strip_prefix("answer-") {
        return answered(rest);
    }
    if let Some(rest) = row.strip_prefix("result-") {
        return Event::ResultArrived(result(rest));
    }
    if let Some(event) = row.strip_prefix("inquiry-").and_then(status) {
        return event;
    }
    let ruled = |receipt| {
        Event::Ruled(Ruling { by: "Wanjiru".to_owned(), receipt, reason: "statement".to_owned() })
    };
    let why = WhyNothingSent::Connect;
    match row {
        "approved" => Event::Approved,
        "rejected" => Event::Rejected { reason: "twice".to_owned() },
        "approval-expired" => Event::ApprovalExpired,
        "cancel" => Event::CancelAsked,
        "send" => Event::SendStarted { lease: lease(7) },
        "nothing-sent" => Event::NothingSent { attempt: 2, why },
        "nothing-sent-earlier" => Event::NothingSent { attempt: 1, why },
        "no-answer" => Event::NoAnswer { attempt: 2, why: WhyNoAnswer::Timeout },
        "lapsed" => Event::LeaseLapsed { lease: lease(7) },
        "lapsed-other" => Event::LeaseLapsed { lease: lease(8) },
        "overdue" => Event::ResultOverdue,
        "queue-timeout" => Event::QueueTimedOut,
        "ask-wanted" => Event::AskWanted,
        "inquiry-sent" => Event::InquirySent,
        "inquiry-taken" => Event::InquiryReplied { nth: NTH, answer: answer("0") },
        "inquiry-busy" => Event::InquiryReplied { nth: NTH, answer: answer("100000002") },
        "inquiry-credential" => Event::InquiryReplied { nth: NTH, answer: answer("100000007") },
        "inquiry-not-sent" => Event::InquiryNotSent { nth: NTH, why: Some(why) },
        "inquiry-given-up" => Event::InquiryNotSent { nth: NTH, why: None },
        "not-found" => told(Some(NTH), "49", None),
        "not-found-receipt" => told(Some(NTH), "2033", None),
        "not-found-overtaken" => told(Some(NTH - 1), "49", None),
        "not-found-unasked" => told(None, "49", None),
        "statement" => Event::StatementShows(StatementFacts {
            receipt: receipt("QK12ABCD34"),
            amount: Amount::from_shillings(1_500),
            completed_at: Some(NOW),
        }),
        "ruled-paid" => ruled(Some(receipt("QK12ABCD34"))),
        "ruled-not-paid" => ruled(None),
        "unfit" => Event::Unfit { why: "request/Transaction/Remark: too long".to_owned() },
        other => panic!("no such row: {other}"),
    }
}

fn answered(row: &str) -> Event {
    let (kind, attempt) = row.strip_suffix("-earlier").map_or((row, 2), |kind| (kind, 1));
    let code = match kind {
        "0" => "00000000",
        "cached" => "100000000",
        "busy" => "100000002",
        "invalid" => "1005",
        "credential" => "100000007",
        "operator" => "2001",
        "duplicate" => "15",
        "strange" => "4711",
        other => panic!("no such answer: {other}"),
    };
    Event::Answered { attempt, answer: answer(code) }
}

fn answer(code: &str) -> AnswerFacts {
    AnswerFacts {
        code: code.to_owned(),
        description: "so it is".to_owned(),
        conversation: ConversationId::new("AG_20240102_1"),
    }
}

fn result(kind: &str) -> ResultFacts {
    let paid = ResultFacts {
        code: "0".to_owned(),
        description: "done".to_owned(),
        waiting: false,
        conversation: ConversationId::new("AG_20240102_1"),
        receipt: Some(receipt("QK12ABCD34")),
        amount: Some(Amount::from_shillings(1_500)),
        payee: Some(phone("254722000111")),
        recipient_name: None,
        charge: None,
        completed_at: Some(NOW),
        odd: None,
    };
    let not_paid = |code: &str| ResultFacts {
        code: code.to_owned(),
        receipt: None,
        amount: None,
        payee: None,
        ..paid.clone()
    };
    match kind {
        "paid" => paid,
        "other-receipt" => ResultFacts { receipt: Some(receipt("ZZ99")), ..paid },
        "no-receipt" => ResultFacts { receipt: None, ..paid },
        "other-amount" => ResultFacts { amount: Some(Amount::from_shillings(15)), ..paid },
        "other-payee" => ResultFacts { payee: Some(phone("254722000112")), ..paid },
        "odd" => ResultFacts { odd: Some("two receipts".to_owned()), ..paid },
        "funds" => not_paid("1"),
        "credential" => not_paid("2001"),
        "duplicate" => not_paid("15"),
        "internal" => not_paid("17"),
        "strange" => not_paid("X99"),
        "waiting" => ResultFacts { waiting: true, ..paid },
        other => panic!("no such result: {other}"),
    }
}

/// What M-Pesa, asked about it, says of the payment.
fn status(kind: &str) -> Option<Event> {
    use TransactionStatus::{Cancelled, Completed, Declined, Expired, InProgress, Other};
    let name = OriginatorConversationId::of(PayoutId::from_bytes([1; 16]), "600999", "ExampleOrg");
    let whole = InquiryFacts {
        status: Completed,
        receipt: Some(receipt("QK12ABCD34")),
        amount: Some(Amount::from_shillings(1_500)),
        payee: Some(phone("254722000111")),
        recipient_name: None,
        originator: Some(name.as_str().to_owned()),
        conversation: None,
        completed_at: Some(NOW),
        odd: None,
    };
    let another = Some("600999_ExampleOrg_another".to_owned());
    let payment = match kind {
        "completed" | "unasked" | "failed-completed" | "waiting" => whole,
        "unnamed" => InquiryFacts { originator: None, ..whole },
        "other-amount" => InquiryFacts { amount: Some(Amount::from_shillings(1_501)), ..whole },
        "other-payee" => InquiryFacts { payee: Some(phone("254722000112")), ..whole },
        "other-name" => InquiryFacts { originator: another, ..whole },
        "no-amount" => InquiryFacts { amount: None, ..whole },
        "no-receipt" => InquiryFacts { receipt: None, ..whole },
        "odd" => InquiryFacts { odd: Some("two receipts".to_owned()), ..whole },
        "cancelled" => InquiryFacts { status: Cancelled, ..whole },
        "declined" => InquiryFacts { status: Declined, ..whole },
        "declined-other" => InquiryFacts { status: Declined, originator: another, ..whole },
        "expired" => InquiryFacts { status: Expired, ..whole },
        "progress" => InquiryFacts { status: InProgress, ..whole },
        "strange" => InquiryFacts { status: Other("Parked".to_owned()), ..whole },
        "no-status" => return Some(told(Some(NTH), "0", None)),
        "failed" => return Some(told(Some(NTH), "17", None)),
        "refused" => return Some(told(Some(NTH), "2001", None)),
        _ => return None,
    };
    let nth = (kind != "unasked").then_some(NTH);
    let code = if kind == "failed-completed" { "1" } else { "0" };
    match told(nth, code, Some(payment)) {
        Event::InquiryAnswered(answer) if kind == "waiting" => {
            Some(Event::InquiryAnswered(InquiryAnswer { waiting: true, ..answer }))
        }
        event => Some(event),
    }
}

/// The result of question `nth`: the query's own code, and what it says of the payment.
fn told(nth: Option<u32>, code: &str, payment: Option<InquiryFacts>) -> Event {
    Event::InquiryAnswered(InquiryAnswer {
        nth,
        code: code.to_owned(),
        description: "so it is".to_owned(),
        waiting: false,
        payment,
    })
}

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() - seconds * 1_000)
}

fn phone(text: &str) -> Msisdn {
    text.parse().expect("a phone")
}

fn receipt(text: &str) -> Receipt {
    Receipt::new(text).expect("a receipt")
}
