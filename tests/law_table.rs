//! The laws as a table: steps that no code takes, each refused by the law that it would break.
//!
//! `tests/payout_table.rs` shows that what `step` decides keeps the laws; that would be so of laws
//! that forbid nothing. Here each law is shown what it must forbid, and what it must allow.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test: its tables are long, and it panics to fail"
)]

use mlango::domain::id::{AppId, OriginatorConversationId, PayoutId, Receipt, RunId};
use mlango::domain::money::Amount;
use mlango::domain::party::Msisdn;
use mlango::domain::payout::law::{self, Broken};
use mlango::domain::payout::{
    AnswerFacts, AskBy, Command, Details, Doubt, Effect, Event, Failure, Inquiry, InquiryAnswer,
    InquiryFacts, Lease, Payout, Question, Rail, ResultFacts, Ruling, Settled, Stage, State,
    StatementFacts, TransactionStatus, Tries, WhyNoAnswer, WhyNothingSent,
};
use mlango::domain::time::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);
/// The number of the last question about a payout in doubt.
const NTH: u32 = 3;

/// Where it stood, what happened, where it is to stand then; and what the laws say.
///
/// The states: sending, accepted and unknown are of attempt 2; sending-1 and sending-3 of another;
/// sending-other has another lease. queued was never sent, requeued once, doubted after "no such
/// transaction". unknown may be settled by that; early may not yet; unsent was never sent; worn had
/// three rounds. unknown-1 has forgotten an attempt. paid-2 has another receipt.
const TABLE: &str = "
queued        send               sending-1      ok
requeued      send               sending        ok
requeued      send               sending-1      law-2-send
requeued      send               sending-3      law-2-send
accepted      send               sending-3      law-2-send
unknown       send               sending-3      law-2-send
sending       send               sending-3      law-2-send
sending       send               sending-other  law-2-send
sending       no-answer          sending        ok

approval      approved           queued         ok
approval      rejected           queued         law-2-requeue
queued        approved           requeued       law-2-requeue
queued        approved           queued         ok
sending       nothing-sent       requeued-2     ok
sending       nothing-sent-1     requeued-2     law-2-requeue
sending       answer-busy        requeued-2     ok
sending       answer-busy-1      requeued-2     law-2-requeue
sending       answer-0           requeued-2     law-2-requeue
sending       answer-invalid     requeued-2     law-2-requeue
sending       no-answer          requeued-2     law-2-requeue
sending       lapsed             requeued-2     law-2-requeue
accepted      nothing-sent       requeued-2     law-2-requeue
accepted      not-found          requeued-2     law-2-requeue
unknown       not-found          requeued-2     ok
unknown       not-found-earlier  requeued-2     law-2-requeue
unknown       not-found-unasked  requeued-2     law-2-requeue
unknown       query-failed       requeued-2     law-2-requeue
unknown       status-declined    requeued-2     law-2-requeue
unknown       result-funds       requeued-2     law-2-requeue
early         not-found          requeued-2     law-2-requeue
unsent        not-found          queued         law-2-requeue
worn          not-found          requeued-2     law-2-requeue

sending       no-answer          unknown-1      law-2-count
sending       no-answer          unknown        ok
requeued      cancel             cancelled      ok

paid          result-funds       failed         law-3
paid          approved           paid           ok
paid          result-paid        paid-2         law-3
failed        result-paid        paid           law-3
failed        approved           failed         ok
cancelled     result-paid        paid           law-3
cancelled     approved           cancelled      ok
cancelled     approved           queued         law-3

accepted      result-paid        paid           ok
accepted      result-bare        paid           ok
accepted      result-paid        paid-2         law-3-paid
accepted      result-odd         paid           law-3-paid
accepted      result-amount      paid           law-3-paid
accepted      result-payee       paid           law-3-paid
accepted      result-no-receipt  paid           law-3-paid
accepted      result-funds-receipt paid         law-3-paid
accepted      result-waiting     paid           law-3-paid
accepted      result-17          paid           law-3-paid
accepted      answer-0           paid           law-3-paid
accepted      overdue            paid           law-3-paid
unknown       status-completed   paid           ok
unknown       status-unnamed     paid           ok
unknown       status-no-payee    paid           ok
unknown       status-completed   paid-2         law-3-paid
unknown       status-odd         paid           law-3-paid
unknown       status-no-amount   paid           law-3-paid
unknown       status-amount      paid           law-3-paid
unknown       status-payee       paid           law-3-paid
unknown       status-other-name  paid           law-3-paid
unknown       status-declined    paid           law-3-paid
unknown       status-failed-query paid          law-3-paid
unknown       query-answered     paid           law-3-paid
unknown       statement          paid           ok
unknown       statement-amount   paid           law-3-paid
unknown       ruled-paid         paid           ok
unknown       ruled-paid         paid-2         law-3-paid
unknown       ruled-not-paid     paid           law-3-paid

sending       answer-invalid     failed         ok
sending       answer-busy        failed         ok
sending       answer-invalid-1   failed         law-3-failed
sending       answer-0           failed         law-3-failed
sending       answer-cached      failed         law-3-failed
sending       answer-strange     failed         law-3-failed
sending       no-answer          failed         law-3-failed
sending       nothing-sent       failed         law-3-failed
queued        unfit              failed         ok
requeued      unfit              failed         ok
sending       unfit              failed         law-3-failed
accepted      unfit              failed         law-3-failed
unknown       unfit              failed         law-3-failed
accepted      result-funds       failed         ok
accepted      result-17          failed         law-3-failed
accepted      result-waiting     failed         law-3-failed
accepted      result-paid        failed         law-3-failed
accepted      overdue            failed         law-3-failed
accepted      not-found          failed         law-3-failed
unknown       not-found          failed         ok
unknown       not-found-earlier  failed         law-3-failed
early         not-found          failed         law-3-failed
unknown       query-failed       failed         law-3-failed
unknown       query-answered     failed         law-3-failed
unknown       status-cancelled   failed         ok
unknown       status-declined    failed         ok
unknown       status-expired     failed         ok
unknown       status-progress    failed         law-3-failed
unknown       status-completed   failed         law-3-failed
unknown       status-declined-other failed      law-3-failed
unknown       status-declined-failed-query failed law-3-failed
unknown       statement          failed         law-3-failed
unknown       ruled-not-paid     failed         ok
unknown       ruled-paid         failed         law-3-failed

approval      rejected           cancelled      ok
queued        cancel             cancelled      ok
doubted       cancel             cancelled      cancelled
sending       cancel             cancelled      cancelled
accepted      cancel             cancelled      cancelled
unknown       cancel             cancelled      cancelled

sending       answer-credential  failed         law-7
sending       answer-credential  failed+stop    ok
sending       answer-credential  sending        ok
sending       answer-operator    unknown        law-7
accepted      result-credential  failed         law-7
accepted      result-credential  failed+stop    ok
accepted      result-credential  accepted       ok
unknown       query-credential   unknown-other  law-7
unknown       query-credential   unknown-other+stop ok
unknown       query-credential   unknown        ok
unknown       asked-credential   unknown-other  law-7
unknown       asked-credential   unknown-other+stop ok
unknown       asked-credential   unknown        ok
unknown       asked-busy         unknown-other  ok
sending       answer-credential  accepted       ok
";

#[test]
fn every_law_forbids_what_it_must_and_allows_what_it_must() {
    let mut seen = Vec::new();
    for line in TABLE.lines().filter(|line| !line.trim().is_empty()) {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [before, happens, after, expected] = cells.as_slice() else { panic!("{line}") };
        let (after, stops) =
            after.strip_suffix("+stop").map_or((*after, false), |after| (after, true));
        let effects: &[Effect] =
            if stops { &[Effect::StopRail { code: "2001".to_owned() }] } else { &[] };
        let held = law::check(&payout(before), &event(happens), &payout(after), effects);
        assert_eq!(in_a_word(held), *expected, "{line}");
        seen.push(*expected);
    }
    for law in LAWS {
        assert!(seen.contains(&law), "no row breaks {law}");
    }
}

#[test]
fn what_was_asked_for_and_its_name_never_change() {
    let before = payout("sending");
    let changes: [fn(&mut Details); 4] = [
        |details| details.amount = Amount::from_shillings(15),
        |details| details.phone = phone("254722000112"),
        |details| {
            let other = PayoutId::from_bytes([9; 16]);
            details.originator_conversation_id =
                OriginatorConversationId::of(other, "600999", "ExampleOrg");
        },
        |details| details.reference.clear(),
    ];
    for change in changes {
        let mut after = payout("accepted");
        change(&mut after.details);
        let held = law::check(&before, &event("answer-0"), &after, &[]);
        assert_eq!(held, Err(Broken::OneName));
    }
    assert_eq!(law::check(&before, &event("answer-0"), &payout("accepted"), &[]), Ok(()));
}

/// Every word that the table uses for a law.
const LAWS: [&str; 9] = [
    "ok",
    "law-2-send",
    "law-2-requeue",
    "law-2-count",
    "law-3",
    "law-3-paid",
    "law-3-failed",
    "cancelled",
    "law-7",
];

fn in_a_word(held: Result<(), Broken>) -> &'static str {
    match held {
        Ok(()) => "ok",
        Err(Broken::OneName) => "law-1",
        Err(Broken::SendFromQueuedOnly) => "law-2-send",
        Err(Broken::RequeueOnProofOnly) => "law-2-requeue",
        Err(Broken::AttemptsNeverShrink) => "law-2-count",
        Err(Broken::FinalIsFinal) => "law-3",
        Err(Broken::SucceededOnEvidenceOnly) => "law-3-paid",
        Err(Broken::FailedOnEvidenceOnly) => "law-3-failed",
        Err(Broken::CancelledUnsentOnly) => "cancelled",
        Err(Broken::CredentialStopsTheRail) => "law-7",
    }
}

fn payout(name: &str) -> Payout {
    let id = PayoutId::from_bytes([1; 16]);
    let details = Details {
        id,
        app: AppId::from_bytes([2; 16]),
        amount: Amount::from_shillings(1_500),
        phone: phone("254722000111"),
        command: Command::BusinessPayment,
        reference: "INV-2041".to_owned(),
        remarks: String::new(),
        occasion: String::new(),
        metadata: [].into(),
        rail: Rail::Soap,
        batch: None,
        originator_conversation_id: OriginatorConversationId::of(id, "600999", "ExampleOrg"),
        created_at: ago(7_200),
    };
    Payout { details, state: state(name), updated_at: NOW }
}

fn state(name: &str) -> State {
    let tries = |attempts| Tries { attempts, sent_at: Some(ago(3_600)), ..Tries::NONE };
    let sending = |attempts, owner: u8| State::Sending {
        tries: tries(attempts),
        lease: Lease { owner: RunId::from_bytes([owner; 16]), until: NOW },
    };
    let queued = |tries| State::Queued { not_before: NOW, tries };
    let unknown = |tries, why, arrives_until| State::Unknown {
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
    let settled =
        Settled { conversation: None, completed_at: NOW, mpesa_completed_at: None, attempts: 2 };
    let paid = |text| State::Succeeded {
        receipt: receipt(text),
        settled: settled.clone(),
        recipient_name: None,
        charge: None,
    };
    let silent = Doubt::NoAnswer;
    match name {
        "approval" => State::AwaitingApproval { rule: "above 1000".to_owned() },
        "queued" => queued(Tries::NONE),
        "requeued" => queued(tries(1)),
        "requeued-2" => queued(tries(2)),
        "doubted" => queued(Tries { not_found: 1, ..tries(2) }),
        "sending" => sending(2, 7),
        "sending-1" => sending(1, 7),
        "sending-3" => sending(3, 7),
        "sending-other" => sending(2, 8),
        "accepted" => State::Accepted { tries: tries(2), conversation: None, overdue_at: NOW },
        "unknown" => unknown(tries(2), silent, ago(2_000)),
        "unknown-1" => unknown(tries(1), silent, ago(2_000)),
        "unknown-other" => unknown(tries(2), Doubt::Duplicate, ago(2_000)),
        "early" => unknown(tries(2), silent, NOW),
        "unsent" => unknown(Tries::NONE, silent, ago(2_000)),
        "worn" => unknown(Tries { not_found: 3, ..tries(2) }, silent, ago(2_000)),
        "paid" => paid("QK1"),
        "paid-2" => paid("QK2"),
        "failed" => State::Failed {
            failure: Failure {
                stage: Stage::Result,
                code: "1".to_owned(),
                description: "no".to_owned(),
                retryable: false,
            },
            settled,
        },
        "cancelled" => State::Cancelled { reason: "stopped".to_owned(), completed_at: NOW },
        other => panic!("no such state: {other}"),
    }
}

fn event(name: &str) -> Event {
    if let Some(rest) = name.strip_prefix("answer-") {
        let (kind, attempt) = rest.strip_suffix("-1").map_or((rest, 2), |kind| (kind, 1));
        return Event::Answered { attempt, answer: answer(kind) };
    }
    if let Some(kind) = name.strip_prefix("result-") {
        return Event::ResultArrived(result(kind));
    }
    if let Some(kind) = name.strip_prefix("status-") {
        return status(kind);
    }
    let lease = Lease { owner: RunId::from_bytes([7; 16]), until: NOW };
    let ruled = |receipt| {
        Event::Ruled(Ruling { by: "Wanjiru".to_owned(), receipt, reason: "statement".to_owned() })
    };
    let statement = |shillings| {
        Event::StatementShows(StatementFacts {
            receipt: receipt("QK1"),
            amount: Amount::from_shillings(shillings),
            completed_at: None,
        })
    };
    match name {
        "approved" => Event::Approved,
        "rejected" => Event::Rejected { reason: "twice".to_owned() },
        "cancel" => Event::CancelAsked,
        "send" => Event::SendStarted { lease },
        "lapsed" => Event::LeaseLapsed { lease },
        "overdue" => Event::ResultOverdue,
        "unfit" => Event::Unfit { why: "too long".to_owned() },
        "nothing-sent" => Event::NothingSent { attempt: 2, why: WhyNothingSent::Connect },
        "nothing-sent-1" => Event::NothingSent { attempt: 1, why: WhyNothingSent::Connect },
        "no-answer" => Event::NoAnswer { attempt: 2, why: WhyNoAnswer::Timeout },
        "asked-credential" => Event::InquiryReplied { nth: NTH, answer: answer("credential") },
        "asked-busy" => Event::InquiryReplied { nth: NTH, answer: answer("busy") },
        "not-found" => told(Some(NTH), "49", None),
        "not-found-earlier" => told(Some(NTH - 1), "49", None),
        "not-found-unasked" => told(None, "49", None),
        "query-answered" => told(Some(NTH), "0", None),
        "query-failed" => told(Some(NTH), "17", None),
        "query-credential" => told(Some(NTH), "2001", None),
        "statement" => statement(1_500),
        "statement-amount" => statement(15),
        "ruled-paid" => ruled(Some(receipt("QK1"))),
        "ruled-not-paid" => ruled(None),
        other => panic!("no such event: {other}"),
    }
}

fn answer(kind: &str) -> AnswerFacts {
    let code = match kind {
        "0" => "0",
        "busy" => "100000002",
        "cached" => "100000000",
        "credential" => "100000007",
        "invalid" => "1005",
        "operator" => "2001",
        "strange" => "4711",
        other => panic!("no such answer: {other}"),
    };
    AnswerFacts { code: code.to_owned(), description: "so it is".to_owned(), conversation: None }
}

fn result(kind: &str) -> ResultFacts {
    let paid = ResultFacts {
        code: "0".to_owned(),
        description: "done".to_owned(),
        waiting: false,
        conversation: None,
        receipt: Some(receipt("QK1")),
        amount: Some(Amount::from_shillings(1_500)),
        payee: Some(phone("254722000111")),
        recipient_name: None,
        charge: None,
        completed_at: None,
        odd: None,
    };
    let code = |code: &str| ResultFacts { code: code.to_owned(), receipt: None, ..paid.clone() };
    match kind {
        "paid" => paid,
        "bare" => ResultFacts { amount: None, payee: None, ..paid },
        "odd" => ResultFacts { odd: Some("two receipts".to_owned()), ..paid },
        "amount" => ResultFacts { amount: Some(Amount::from_shillings(15)), ..paid },
        "payee" => ResultFacts { payee: Some(phone("254722000112")), ..paid },
        "no-receipt" => ResultFacts { receipt: None, ..paid },
        "funds" => code("1"),
        "funds-receipt" => ResultFacts { receipt: Some(receipt("QK1")), ..code("1") },
        "credential" => code("2001"),
        "17" => ResultFacts { receipt: Some(receipt("QK1")), ..code("17") },
        "waiting" => ResultFacts { waiting: true, ..paid },
        other => panic!("no such result: {other}"),
    }
}

/// What M-Pesa, asked about it, says of the payment.
fn status(kind: &str) -> Event {
    use TransactionStatus::{Cancelled, Completed, Declined, Expired, InProgress};
    let id = PayoutId::from_bytes([1; 16]);
    let name = OriginatorConversationId::of(id, "600999", "ExampleOrg");
    let whole = InquiryFacts {
        status: Completed,
        receipt: Some(receipt("QK1")),
        amount: Some(Amount::from_shillings(1_500)),
        payee: Some(phone("254722000111")),
        recipient_name: None,
        originator: Some(name.as_str().to_owned()),
        conversation: None,
        completed_at: None,
        odd: None,
    };
    let another = Some("600999_ExampleOrg_another".to_owned());
    let facts = match kind {
        "completed" | "failed-query" => whole,
        "unnamed" => InquiryFacts { originator: None, ..whole },
        "no-payee" => InquiryFacts { payee: None, ..whole },
        "odd" => InquiryFacts { odd: Some("two receipts".to_owned()), ..whole },
        "no-amount" => InquiryFacts { amount: None, ..whole },
        "amount" => InquiryFacts { amount: Some(Amount::from_shillings(15)), ..whole },
        "payee" => InquiryFacts { payee: Some(phone("254722000112")), ..whole },
        "other-name" => InquiryFacts { originator: another, ..whole },
        "cancelled" => InquiryFacts { status: Cancelled, ..whole },
        "declined" | "declined-failed-query" => InquiryFacts { status: Declined, ..whole },
        "declined-other" => InquiryFacts { status: Declined, originator: another, ..whole },
        "expired" => InquiryFacts { status: Expired, ..whole },
        "progress" => InquiryFacts { status: InProgress, ..whole },
        other => panic!("no such status: {other}"),
    };
    told(Some(NTH), if kind.ends_with("failed-query") { "17" } else { "0" }, Some(facts))
}

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
