//! The laws as a table: steps that no code takes, each refused by the law that it would break.
//!
//! `tests/payment_table.rs` shows that what `step` decides keeps the laws; that would be so of laws
//! that forbid nothing.

use mlango::domain::id::{CheckoutRequestId, PaymentId, Receipt, RunId};
use mlango::domain::money::Amount;
use mlango::domain::payment::law::{self, Broken};
use mlango::domain::payment::{
    AnswerFacts, Asking, Claim, Confirmation, Doubt, Effect, Event, Failure, Holder, Joining, Paid,
    Payment, Prompt, QueryFacts, Settled, Source, State, StkFacts, Tries,
};
use mlango::domain::payout::{Lease, Ruling, Stage, WhyNoAnswer, WhyNothingSent};

use crate::book::{BEGIN, Book, DAY, MINUTE, RECEIPT, app, checkout, notice, paid};

/// Where it stood, what happened, where it is to stand then, and what the laws say. `-N` is another
/// attempt, receipt, prompt, claim or amount; `+join` and `+stop` are effects.
const TABLE: &str = "
waiting    send              sending-1    ok
waiting    send              sending      send
prompted   send              sending-3    send
unknown    send              sending-3    send
failed     send              sending-3    send
sending    nothing-sent      waiting-2    ok
sending    nothing-sent-1    waiting-2    prompt
sending    answer-busy       waiting-2    ok
sending    answer-busy-1     waiting-2    prompt
sending    answer-0          waiting-2    prompt
sending    answer-internal   waiting-2    prompt
sending    no-answer         waiting-2    prompt
prompted   nothing-sent      waiting-2    prompt
unknown    nothing-sent      waiting-2    prompt
unknown    query-no-such     waiting-2    prompt
sending    no-answer         unknown-1    count
sending    no-answer         unknown      ok
prompted   callback-paid     paid         ok
prompted   callback-paid     paid-2       evidence
prompted   callback-bare     bare         ok
prompted   callback-amount   paid         evidence
prompted   callback-prompt   paid         evidence
prompted   callback-odd      paid         evidence
prompted   callback-another  paid         evidence
prompted   callback-cancelled paid        evidence
prompted   query-paid        bare         ok
prompted   query-paid        paid         evidence
prompted   query-paid-c2b    paid         ok
prompted   query-paid-late   paid         evidence
prompted   query-paid-late   bare         ok
prompted   query-open        bare         evidence
prompted   query-failed      bare         evidence
prompted   query-prompt      bare         evidence
unheard    query-paid        bare         evidence
prompted   answer-0          paid         evidence
prompted   confirmed         paid         evidence
prompted   ruled-paid        paid         evidence
unknown    ruled-paid        paid         ok
unknown    ruled-paid        paid-2       evidence
unknown    ruled-not-paid    paid         evidence
bare       confirmed         paid         ok
bare       confirmed-amount  paid         evidence
bare       confirmed-late    paid         evidence
paid       callback-paid     paid-2       receipt
paid       callback-cancelled failed      stays
paid       callback-cancelled unknown     stays
paid       joined            joined       stays
c2b        joined            joined       ok
c2b        callback-paid     joined       stays
c2b        joined            joined-2     stays
unknown    joined            joined       stays
joined     confirmed         c2b          joined
failed     callback-paid     paid         ok
failed     callback-bare     bare         override
failed     callback-paid     unknown      override
failed     query-paid        bare         override
prompted   callback-cancelled failed      ok
prompted   callback-open     failed       failed
prompted   callback-paid     failed       failed
prompted   callback-cancelled-prompt failed failed
prompted   query-cancelled   failed       ok
prompted   query-open        failed       failed
prompted   query-no-such     failed       failed
prompted   query-cancelled-prompt failed  failed
unheard    query-cancelled   failed       failed
prompted   no-answer         failed       failed
sending    answer-invalid    failed       ok
sending    answer-invalid-1  failed       failed
sending    answer-internal   failed       failed
sending    nothing-sent      failed       ok
sending    nothing-sent-1    failed       failed
prompted   nothing-sent      failed       failed
prompted   answer-invalid-1  failed       failed
sending    no-answer         failed       failed
prompted   answer-invalid    failed       failed
waiting    send              failed-0     ok
prompted   send              failed       failed
unknown    ruled-not-paid    failed       ok
unknown    ruled-paid        failed       failed
prompted   callback-c2b      claimed+join ok
prompted   callback-c2b      claimed      claim
prompted   callback-paid     claimed      claim
prompted   callback-c2b      claimed-2+join claim
claimed    callback-paid     paid         claim
claimed    callback-c2b      claimed-2+join claim
sending    answer-credential failed       credential
sending    answer-credential failed+stop  ok
";

#[test]
fn every_law_forbids_what_it_must_and_allows_what_it_must() {
    let mut seen = Vec::new();
    for line in TABLE.trim().lines() {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [before, happens, after, expected] = cells.as_slice() else { panic!("{line}") };
        let (after, effects) = match after.split_once('+') {
            Some((after, "join")) => (after, vec![Effect::Join { from: id(8) }]),
            Some((after, _stop)) => (after, vec![Effect::StopRail { code: "8006".to_owned() }]),
            None => (*after, vec![]),
        };
        let before = payment(before);
        let after = Payment { state: payment(after).state, ..before.clone() };
        let held = law::check(&before, &event(happens), &after, &effects);
        assert_eq!(in_a_word(held), *expected, "{line}");
        seen.push(*expected);
    }
    for law in LAWS {
        assert!(seen.contains(&law), "no row breaks {law}");
    }
}

#[test]
fn what_was_asked_for_never_changes() {
    let before = payment("prompted");
    let mut after = payment("paid");
    after.details.amount = Amount::from_shillings(15);
    assert_eq!(law::check(&before, &event("callback-paid"), &after, &[]), Err(Broken::DetailsStay));
}

#[test]
fn a_claim_changes_nothing_but_the_claim() {
    let claim = Claim { app: app(1), purpose: "order".to_owned(), at: BEGIN };
    let check = |before, after| law::check_claim(&payment(before), &claim, &payment(after));
    assert_eq!(check("paid", "claimed"), Ok(()));
    assert_eq!(check("paid", "claimed-2"), Err(Broken::ClaimStays), "another's");
    assert_eq!(check("claimed-2", "claimed"), Err(Broken::ClaimStays), "taken");
    assert_eq!(check("failed", "claimed"), Err(Broken::ClaimStays), "not paid");
    assert_eq!(check("bare", "claimed"), Err(Broken::ClaimStays), "the receipt came with it");
}

#[test]
fn two_payments_with_one_receipt_are_seen() {
    let one = payment("paid");
    let mut two = payment("c2b");
    two.details.id = id(8);
    let mut three = payment("joined");
    three.details.id = id(9);
    assert_eq!(law::sharing_a_receipt([&one, &three]), []);
    assert_eq!(law::sharing_a_receipt([&one, &two, &three]), [id(8)]);
}

/// Every word that the table uses for a law.
const LAWS: [&str; 12] = [
    "ok",
    "send",
    "prompt",
    "count",
    "evidence",
    "receipt",
    "stays",
    "joined",
    "override",
    "failed",
    "claim",
    "credential",
];

fn in_a_word(held: Result<(), Broken>) -> &'static str {
    match held {
        Ok(()) => "ok",
        Err(Broken::DetailsStay) => "details",
        Err(Broken::SendFromWaitingOnly) => "send",
        Err(Broken::AnotherPromptOnProofOnly) => "prompt",
        Err(Broken::AttemptsNeverShrink) => "count",
        Err(Broken::PaidStaysPaid) => "stays",
        Err(Broken::ReceiptStays) => "receipt",
        Err(Broken::FailedGivesWayToReceiptOnly) => "override",
        Err(Broken::SucceededOnEvidenceOnly) => "evidence",
        Err(Broken::FailedOnEvidenceOnly) => "failed",
        Err(Broken::ClaimStays) => "claim",
        Err(Broken::JoinedStays) => "joined",
        Err(Broken::CredentialStopsTheRail) => "credential",
    }
}

fn id(nth: u8) -> PaymentId {
    PaymentId::from_bytes([nth; 16])
}

fn payment(name: &str) -> Payment {
    let (mut book, stk) = Book::with_a_prompt();
    let mut payment = book.get(stk).clone();
    if name == "c2b" || name.starts_with("joined") {
        let c2b = book.is_confirmed(&notice(RECEIPT, 1_500, BEGIN));
        payment = book.get(c2b).clone();
    }
    payment.state = match name {
        "c2b" => return payment,
        other => state(other, &payment),
    };
    payment
}

fn state(name: &str, payment: &Payment) -> State {
    let tries = |attempts| Tries { attempts, put_back: 0, sent_at: Some(BEGIN) };
    let prompt = Prompt { merchant: None, checkout: checkout(id(1)) };
    let asking = Asking { nth: 1, asked: 1, ..Asking::first_at(BEGIN) };
    let settled =
        |attempts| Settled { at: BEGIN, prompt: Some(prompt.clone()), tries: tries(attempts) };
    let paid = |receipt: Option<&str>| Paid {
        receipt: receipt.and_then(Receipt::new),
        paid_at: BEGIN,
        by: Source::Callback,
        payer_name: None,
        balance: None,
    };
    let succeeded =
        |receipt, claim| State::Succeeded { paid: paid(receipt), settled: settled(2), claim };
    let claim = |by| Some(Claim { app: app(by), purpose: "order".to_owned(), at: BEGIN });
    let failed = |attempts| State::Failed {
        failure: Failure {
            stage: Stage::Result,
            code: "1032".to_owned(),
            description: "no".to_owned(),
            retryable: true,
            retry_at: None,
        },
        settled: settled(attempts),
    };
    let unknown = |attempts, prompt| State::Unknown {
        tries: tries(attempts),
        why: Doubt::NoAnswer,
        since: BEGIN,
        prompt,
        asking,
    };
    let sending = |attempts| State::Sending {
        tries: tries(attempts),
        lease: Lease { owner: RunId::from_bytes([7; 16]), until: BEGIN },
    };
    let joined = |to| State::Joined {
        to,
        at: BEGIN,
        paid: payment.state.paid().cloned().unwrap_or_else(|| paid(Some(RECEIPT))),
    };
    match name {
        "waiting" => State::Waiting { not_before: BEGIN, tries: Tries::NONE },
        "waiting-2" => State::Waiting { not_before: BEGIN, tries: tries(2) },
        "sending" => sending(2),
        "sending-1" => sending(1),
        "sending-3" => sending(3),
        "prompted" => State::Prompted { tries: tries(2), prompt, asking },
        "unknown" => unknown(2, Some(prompt)),
        "unknown-1" => unknown(1, Some(prompt)),
        "unheard" => unknown(2, None),
        "paid" => succeeded(Some(RECEIPT), None),
        "paid-2" => succeeded(Some("UJ34BB11YY"), None),
        "bare" => succeeded(None, None),
        "claimed" => succeeded(Some(RECEIPT), claim(1)),
        "claimed-2" => succeeded(Some(RECEIPT), claim(2)),
        "failed" => failed(2),
        "failed-0" => failed(0),
        "joined" => joined(id(9)),
        "joined-2" => joined(id(7)),
        other => panic!("no such state: {other}"),
    }
}

fn event(name: &str) -> Event {
    if let Some(rest) = name.strip_prefix("callback-") {
        return callback(rest);
    }
    if let Some(rest) = name.strip_prefix("query-") {
        return query(rest);
    }
    if let Some(rest) = name.strip_prefix("answer-") {
        let (kind, attempt) = rest.strip_suffix("-1").map_or((rest, 2), |kind| (kind, 1));
        let code = match kind {
            "0" => "0",
            "busy" => "500.003.02:busy",
            "internal" => "500.002.1001:internal",
            "invalid" => "400.002.02",
            "credential" => "100000007",
            other => panic!("no such answer: {other}"),
        };
        let answer = AnswerFacts {
            code: code.to_owned(),
            description: String::new(),
            merchant: None,
            checkout: Some(checkout(id(1))),
        };
        return Event::Answered { attempt, answer };
    }
    let told = Confirmation::of(&notice(RECEIPT, 1_500, BEGIN), Source::Confirmation);
    let confirmed = |told| Event::Confirmed { told, holder: Holder::Nobody };
    let ruled = |receipt: Option<&str>| {
        let receipt = receipt.and_then(Receipt::new);
        let ruling = Ruling { by: "Wanjiru".to_owned(), receipt, reason: String::new() };
        Event::Ruled { ruling, holder: Holder::Nobody }
    };
    let why = WhyNothingSent::Connect;
    match name {
        "send" => {
            Event::SendStarted { lease: Lease { owner: RunId::from_bytes([7; 16]), until: BEGIN } }
        }
        "nothing-sent" => Event::NothingSent { attempt: 2, why },
        "nothing-sent-1" => Event::NothingSent { attempt: 1, why },
        "no-answer" => Event::NoAnswer { attempt: 2, why: WhyNoAnswer::Timeout },
        "confirmed" => confirmed(told),
        "confirmed-amount" => {
            confirmed(Confirmation { amount: Amount::from_shillings(15), ..told })
        }
        "confirmed-late" => {
            let paid_at = Some(BEGIN.after(DAY));
            confirmed(Confirmation { paid_at, ..told })
        }
        "joined" => Event::Joined { to: id(9) },
        "ruled-paid" => ruled(Some(RECEIPT)),
        "ruled-not-paid" => ruled(None),
        other => panic!("no such event: {other}"),
    }
}

fn other_prompt() -> Option<CheckoutRequestId> {
    Some(checkout(id(2)))
}

/// The C2B payment that is the same money, which the first application has claimed.
fn c2b() -> Holder {
    let told = Confirmation::of(&notice(RECEIPT, 1_500, BEGIN), Source::Confirmation);
    let claim = Some(Claim { app: app(1), purpose: "order".to_owned(), at: BEGIN });
    Holder::C2b(Box::new(Joining { from: id(8), told, claim }))
}

fn callback(kind: &str) -> Event {
    let whole = paid(id(1), 1_500, BEGIN);
    let code = |code: &str| StkFacts { code: code.to_owned(), receipt: None, ..whole.clone() };
    let facts = match kind {
        "paid" | "another" | "c2b" => whole,
        "bare" => StkFacts { receipt: None, ..whole },
        "amount" => StkFacts { amount: Some(Amount::from_shillings(15)), ..whole },
        "prompt" => StkFacts { checkout: other_prompt(), ..whole },
        "odd" => StkFacts { odd: Some("two receipts".to_owned()), ..whole },
        "cancelled" => code("1032"),
        "cancelled-prompt" => StkFacts { checkout: other_prompt(), ..code("1032") },
        "open" => code("4999"),
        other => panic!("no such callback: {other}"),
    };
    let holder = match kind {
        "another" => Holder::Another,
        "c2b" => c2b(),
        _ => Holder::Nobody,
    };
    Event::CallbackArrived { facts, holder }
}

fn query(kind: &str) -> Event {
    let (code, result) = match kind {
        "paid" | "prompt" => ("0", Some("0")),
        "paid-c2b" | "paid-late" => ("0", Some("0")),
        "open" => ("0", Some("4999")),
        "failed" => ("500.001.1001", Some("0")),
        "cancelled" | "cancelled-prompt" => ("0", Some("1032")),
        "no-such" => ("500.001.1001:no_transaction", None),
        other => panic!("no such query: {other}"),
    };
    let is_other = matches!(kind, "prompt" | "cancelled-prompt");
    let facts = QueryFacts {
        code: code.to_owned(),
        result: result.map(str::to_owned),
        description: String::new(),
        checkout: if is_other { other_prompt() } else { Some(checkout(id(1))) },
    };
    let holder = match kind {
        "paid-c2b" | "paid-late" => {
            let paid_at = BEGIN.after(if kind == "paid-late" { DAY } else { MINUTE });
            let told = Confirmation::of(&notice(RECEIPT, 1_500, paid_at), Source::Confirmation);
            Holder::C2b(Box::new(Joining { from: id(8), told, claim: None }))
        }
        _ => Holder::Nobody,
    };
    Event::QueryAnswered { nth: 1, facts, holder }
}
