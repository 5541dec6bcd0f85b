//! Every event in every state: what becomes of the payment.
//!
//! Rows are events, columns are states. A cell says where the payment stands afterwards, or:
//! `noted` (recorded, nothing changes) · `case` (contradiction: recorded, nothing changes, a
//! person must look) · `stale` (overtaken) · `no` (may not be done). `+case`, `+join`, `+sms` and
//! `+slow` are effects that come with a move: a person must look; a C2B payment is joined to it;
//! the payer gets a text message; the rail slows down.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test: its tables are long, and it panics to fail"
)]

use std::sync::LazyLock;
use std::time::Duration;

use mlango::domain::account::Balance;
use mlango::domain::id::{AppId, CheckoutRequestId, MerchantRequestId, PaymentId, Receipt, RunId};
use mlango::domain::money::Amount;
use mlango::domain::party::{Msisdn, PersonName};
use mlango::domain::payment::{
    AnswerFacts, Asking, Claim, Confirmation, Details, Doubt, Effect, Event, Failure, Holder,
    Joining, NoticeKind, Origin, Paid, PayerPhone, Payment, Policy, Prompt, QueryFacts, Settled,
    Source, State, Status, StkFacts, Tries, Verdict, law, step,
};
use mlango::domain::payout::{CaseKind, Lease, Ruling, Stage, WhyNoAnswer, WhyNothingSent};
use mlango::domain::time::Timestamp;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);
/// As the configuration is by default.
static POLICY: LazyLock<Policy> = LazyLock::new(Policy::default);
/// The number of the last question, which was put a minute ago.
const NTH: u32 = 3;
/// The prompt's id, and another's.
const CHECKOUT: &str = "ws_CO_02012024060405000700000001";
const OTHER_CHECKOUT: &str = "ws_CO_02012024060405000700000002";

/// The columns: short names of the states below.
const STATES: [&str; 12] = [
    "waiting", "putback", "sending", "prompted", "unheard", "silent", "paid", "bare", "refused",
    "notpaid", "c2b", "joined",
];

/// waiting: never sent. putback: sent once, nothing taken. sending: attempt 2. prompted: M-Pesa
/// took it, the callback is awaited. unheard: unknown, no answer came, so that no id is known.
/// silent: unknown, asked again and again. paid: succeeded with a receipt. bare: succeeded by a
/// query's word, without one. refused: failed at the answer. notpaid: failed by the callback.
/// c2b: a C2B payment. joined: a C2B payment that is counted elsewhere.
const TABLE: &str = "
event                  waiting   putback   sending   prompted  unheard   silent    paid   bare      refused  notpaid  c2b     joined
send                   sending   sending   no        no        no        no        no     no        no       no       no      no
answer-0               unknown+case unknown+case prompted noted unknown  noted     noted  noted     case     noted    noted   noted
answer-0-no-id         unknown+case unknown+case unknown noted noted     noted     noted  noted     case     noted    noted   noted
answer-busy            noted     noted     waiting+slow case   failed+slow noted   case   case      noted    noted    case    noted
answer-locked          noted     noted     failed    case      failed    noted     case   case      noted    noted    case    noted
answer-invalid         noted     noted     failed    case      failed    noted     case   case      noted    noted    case    noted
answer-internal        unknown+case unknown+case unknown noted noted     noted     noted  noted     noted    noted    noted   noted
answer-strange         unknown+case unknown+case unknown noted noted     noted     noted  noted     noted    noted    noted   noted
answer-0-earlier       unknown+case unknown+case case noted    noted     noted     noted  noted     case     noted    noted   noted
answer-busy-earlier    noted     noted     noted     case      noted     noted     case   case      noted    noted    case    noted
nothing-sent           noted     noted     waiting   case      noted     noted     noted  noted     noted    noted    noted   noted
nothing-sent-earlier   noted     noted     noted     noted     noted     noted     noted  noted     noted    noted    noted   noted
no-answer              noted     noted     unknown   noted     noted     noted     noted  noted     noted    noted    noted   noted
no-answer-earlier      noted     noted     noted     noted     noted     noted     noted  noted     noted    noted    noted   noted
lapsed                 stale     stale     unknown   stale     stale     stale     stale  stale     stale    stale    stale   stale
lapsed-other           stale     stale     stale     stale     stale     stale     stale  stale     stale    stale    stale   stale
callback-paid          succeeded+case+sms succeeded+case+sms succeeded+sms succeeded+sms succeeded+sms succeeded+sms noted succeeded succeeded+case+sms succeeded+case+sms case case
callback-paid-no-amount succeeded+case+sms succeeded+case+sms succeeded+sms succeeded+sms succeeded+sms succeeded+sms noted succeeded succeeded+case+sms succeeded+case+sms case case
callback-paid-other-receipt succeeded+case+sms succeeded+case+sms succeeded+sms succeeded+sms succeeded+sms succeeded+sms case succeeded succeeded+case+sms succeeded+case+sms case case
callback-paid-no-receipt succeeded+case+sms succeeded+case+sms succeeded+sms succeeded+sms succeeded+sms succeeded+sms noted noted case case case case
callback-paid-other-amount case  case      case      case      case      case      case   case      case     case     case    case
callback-paid-other-prompt succeeded+case+sms succeeded+case+sms succeeded+sms case succeeded+sms case case case succeeded+case+sms case case case
callback-paid-odd      case      case      case      case      case      case      case   case      case     case     case    case
callback-paid-c2b      succeeded+case+join+sms succeeded+case+join+sms succeeded+join+sms succeeded+join+sms succeeded+join+sms succeeded+join+sms succeeded succeeded+join succeeded+case+join+sms succeeded+case+join+sms case case
callback-paid-c2b-differs case   case      case      case      case      case      case   case      case     case     case    case
callback-paid-another  case      case      case      case      case      case      case   case      case     case     case    case
callback-cancelled     failed+case+sms failed+case+sms failed+sms failed+sms failed+sms failed+sms case case noted noted case case
callback-cancelled-other-prompt failed+case+sms failed+case+sms failed+sms case failed+sms case case case noted case  case    case
callback-timeout       failed+case+sms failed+case+sms failed+sms failed+sms failed+sms failed+sms case case noted noted case case
callback-open          unknown+case unknown+case noted noted   unknown   noted     noted  noted     noted    noted    case    case
callback-strange       unknown+case unknown+case unknown unknown unknown noted     noted  noted     noted    noted    case    case
ask-wanted             no        no        no        prompted  no        unknown   no     no        no       no       no      no
query-sent             no        no        no        prompted  unknown+case unknown no    no        no       no       no      no
query-not-sent         noted     noted     noted     prompted  noted     unknown   noted  noted     noted    noted    noted   noted
query-paid             noted     noted     noted     succeeded+sms noted succeeded+sms noted noted  noted    case     noted   noted
query-paid-c2b         noted     noted     noted     succeeded+join+sms noted succeeded+join+sms succeeded succeeded+join noted succeeded+case+join+sms noted noted
query-paid-other-prompt noted    noted     noted     case      noted     case      case   case      noted    case     noted   noted
query-cancelled        noted     noted     noted     failed+sms noted    failed+sms case  case      noted    noted    noted   noted
query-open             noted     noted     noted     noted     noted     noted     noted  noted     noted    noted    noted   noted
query-strange          noted     noted     noted     noted     noted     noted     noted  noted     noted    noted    noted   noted
query-in-process       noted     noted     noted     noted     noted     noted     noted  noted     noted    noted    noted   noted
query-no-such          noted     noted     noted     noted     noted     noted     noted  noted     noted    noted    noted   noted
query-failed-paid      noted     noted     noted     noted     noted     noted     noted  noted     noted    noted    noted   noted
query-too-fast         noted     noted     noted     prompted+slow noted unknown+slow noted noted   noted    noted    noted   noted
confirmed              no        no        no        no        no        no        succeeded succeeded no    no       succeeded no
confirmed-other        no        no        no        no        no        no        no     succeeded no       no       no      no
confirmed-other-amount no        no        no        no        no        no        case   no        no       no       case    no
joined                 no        no        no        no        no        no        no     no        no       no       joined  no
ruled-paid             no        no        no        no        succeeded+sms succeeded+sms no no    no       no       no      no
ruled-paid-c2b         no        no        no        no        succeeded+join+sms succeeded+join+sms no no no no      no      no
ruled-paid-another     no        no        no        no        no        no        no     no        no       no       no      no
ruled-not-paid         no        no        no        no        failed    failed    no     no        no       no       no      no
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
            let payment = payment(column);
            let verdict = step(&payment, &event, &POLICY, NOW);
            assert_eq!(in_a_word(&verdict), expected, "{name} when {column}: {verdict:?}");
            keeps_the_laws(&payment, &event, &verdict);
        }
        rows.push(event.name());
    }
    for name in EVENT_NAMES {
        assert!(rows.contains(&name), "no row for {name}");
    }
}

/// Every event's own name, so that a new event without a row fails the test above.
const EVENT_NAMES: [&str; 13] = [
    "send_started",
    "answered",
    "nothing_sent",
    "no_answer",
    "lease_lapsed",
    "callback_arrived",
    "ask_wanted",
    "query_sent",
    "query_not_sent",
    "query_answered",
    "confirmed",
    "joined",
    "ruled",
];

#[test]
fn every_status_has_a_column() {
    for status in Status::ALL {
        assert!(STATES.iter().any(|name| payment(name).status() == status), "{status}");
    }
}

proptest! {
    /// Whatever happens in whatever order, the laws hold.
    #[test]
    fn no_sequence_of_events_breaks_a_law(
        c2b in proptest::bool::weighted(0.1),
        picks in proptest::collection::vec((0_usize..600, 0_u64..90), 1..60)
    ) {
        let names: Vec<&str> =
            TABLE.trim().lines().skip(1).filter_map(|l| l.split_whitespace().next()).collect();
        let mut payment = payment(if c2b { "c2b" } else { "waiting" });
        let mut now = NOW;
        for (pick, pause) in picks {
            let attempt = payment.state.tries().attempts;
            let event = match event(names[pick % names.len()]) {
                // Make answers fit the attempt in hand most of the time.
                Event::Answered { answer, .. } if pick % 3 != 0 => {
                    Event::Answered { attempt, answer }
                }
                Event::NothingSent { why, .. } if pick % 3 != 0 => {
                    Event::NothingSent { attempt, why }
                }
                Event::NoAnswer { why, .. } if pick % 3 != 0 => Event::NoAnswer { attempt, why },
                other => other,
            };
            now = now.after(Duration::from_secs(pause));
            let verdict = step(&payment, &event, &POLICY, now);
            keeps_the_laws(&payment, &event, &verdict);
            if let Verdict::Moved { state, .. } = verdict {
                payment.state = state;
                payment.updated_at = now;
            }
        }
    }
}

fn keeps_the_laws(before: &Payment, event: &Event, verdict: &Verdict) {
    if let Verdict::Moved { state, effects, .. } = verdict {
        let after = Payment { state: state.clone(), ..before.clone() };
        let held = law::check(before, event, &after, effects);
        assert_eq!(held, Ok(()), "{event:?} when {:?}", before.state);
    }
}

fn in_a_word(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Moved { state, effects, .. } => {
            let mut word = match state {
                State::Waiting { .. } => "waiting".to_owned(),
                State::Sending { .. } => "sending".to_owned(),
                State::Prompted { .. } => "prompted".to_owned(),
                State::Unknown { .. }
                | State::Succeeded { .. }
                | State::Failed { .. }
                | State::Joined { .. } => state.status().to_string(),
            };
            for effect in effects {
                word.push_str(match effect {
                    Effect::OpenCase(_) => "+case",
                    Effect::Join { .. } => "+join",
                    Effect::Text(_) => "+sms",
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

fn lease(run: u8) -> Lease {
    Lease { owner: RunId::from_bytes([run; 16]), until: NOW.after(Duration::from_secs(40)) }
}

fn payment(column: &str) -> Payment {
    let stk = Origin::Stk { phone: phone("254700000001"), description: "Subscription".to_owned() };
    let c2b = Origin::C2b {
        kind: NoticeKind::PayBill,
        phone: PayerPhone::read("2547*****001"),
        invoice: None,
        third_party_id: None,
    };
    let details = Details {
        id: PaymentId::from_bytes([1; 16]),
        app: Some(AppId::from_bytes([2; 16])),
        origin: if matches!(column, "c2b" | "joined") { c2b } else { stk },
        amount: Amount::from_shillings(1_500),
        shortcode: "174379".to_owned(),
        reference: "ORDER001".to_owned(),
        account: "ORDER001".to_owned(),
        created_at: ago(30),
    };
    Payment { details, state: state(column), updated_at: NOW }
}

fn state(column: &str) -> State {
    let tries = Tries { attempts: 2, put_back: 0, sent_at: Some(ago(25)) };
    let prompt = Prompt {
        merchant: MerchantRequestId::new("91ab-1"),
        checkout: CheckoutRequestId::new(CHECKOUT).expect("an id"),
    };
    let asking = Asking { asked: NTH, nth: NTH, last_at: Some(ago(60)), ..Asking::first_at(NOW) };
    let settled = Settled { at: NOW, prompt: Some(prompt.clone()), tries };
    let paid = |receipt: Option<&str>, by| Paid {
        receipt: receipt.and_then(Receipt::new),
        paid_at: ago(5),
        by,
        payer_name: None,
        balance: None,
    };
    let failed = |stage, code: &str, prompt| State::Failed {
        failure: Failure {
            stage,
            code: code.to_owned(),
            description: "no".to_owned(),
            retryable: true,
            retry_at: None,
        },
        settled: Settled { at: NOW, prompt, tries },
    };
    let unknown = |why, prompt: Option<Prompt>, asking| State::Unknown {
        tries,
        why,
        since: ago(20),
        prompt,
        asking,
    };
    match column {
        "waiting" => State::Waiting { not_before: NOW, tries: Tries::NONE },
        "putback" => {
            let tries = Tries { attempts: 2, put_back: 2, sent_at: None };
            State::Waiting { not_before: NOW, tries }
        }
        "sending" => State::Sending { tries, lease: lease(7) },
        "prompted" => State::Prompted { tries, prompt, asking },
        "unheard" => unknown(Doubt::NoAnswer, None, Asking::first_at(NOW)),
        "silent" => unknown(Doubt::Silence, Some(prompt), Asking { called: true, ..asking }),
        "paid" => State::Succeeded {
            paid: paid(Some("UJ34AA00ZZ"), Source::Callback),
            settled,
            claim: None,
        },
        "bare" => State::Succeeded { paid: paid(None, Source::Query), settled, claim: None },
        "refused" => failed(Stage::Request, "500.001.1001:locked", None),
        "notpaid" => failed(Stage::Result, "1032", Some(prompt)),
        "c2b" => State::Succeeded {
            paid: paid(Some("UJ34AA00ZZ"), Source::Confirmation),
            settled: Settled { at: NOW, prompt: None, tries: Tries::NONE },
            claim: None,
        },
        "joined" => State::Joined {
            to: PaymentId::from_bytes([9; 16]),
            at: NOW,
            paid: paid(Some("UJ34AA00ZZ"), Source::Confirmation),
        },
        other => panic!("no such column: {other}"),
    }
}

fn event(row: &str) -> Event {
    if let Some(rest) = row.strip_prefix("answer-") {
        return answered(rest);
    }
    if let Some(rest) = row.strip_prefix("callback-") {
        return callback(rest);
    }
    if let Some(rest) = row.strip_prefix("query-") {
        return query(rest);
    }
    let why = WhyNothingSent::Connect;
    let ruled = |receipt: Option<&str>, holder| {
        let receipt = receipt.and_then(Receipt::new);
        let ruling = Ruling { by: "Wanjiru".to_owned(), receipt, reason: "statement".to_owned() };
        Event::Ruled { ruling, holder }
    };
    let confirmed = |told| Event::Confirmed { told, holder: Holder::Nobody };
    match row {
        "send" => Event::SendStarted { lease: lease(7) },
        "nothing-sent" => Event::NothingSent { attempt: 2, why },
        "nothing-sent-earlier" => Event::NothingSent { attempt: 1, why },
        "no-answer" => Event::NoAnswer { attempt: 2, why: WhyNoAnswer::Timeout },
        "no-answer-earlier" => Event::NoAnswer { attempt: 1, why: WhyNoAnswer::Closed },
        "lapsed" => Event::LeaseLapsed { lease: lease(7) },
        "lapsed-other" => Event::LeaseLapsed { lease: lease(8) },
        "ask-wanted" => Event::AskWanted,
        "confirmed" => confirmed(told("UJ34AA00ZZ")),
        "confirmed-other" => confirmed(told("UJ34BB11YY")),
        "confirmed-other-amount" => {
            let amount = Amount::from_shillings(15);
            confirmed(Confirmation { amount, ..told("UJ34AA00ZZ") })
        }
        "joined" => Event::Joined { to: PaymentId::from_bytes([9; 16]) },
        "ruled-paid" => ruled(Some("UJ34AA00ZZ"), Holder::Nobody),
        "ruled-paid-c2b" => ruled(Some("UJ34AA00ZZ"), c2b_holder("UJ34AA00ZZ")),
        "ruled-paid-another" => ruled(Some("UJ34AA00ZZ"), Holder::Another),
        "ruled-not-paid" => ruled(None, Holder::Nobody),
        other => panic!("no such row: {other}"),
    }
}

fn told(receipt: &str) -> Confirmation {
    Confirmation {
        receipt: Receipt::new(receipt).expect("a receipt"),
        paid_at: Some(ago(4)),
        amount: Amount::from_shillings(1_500),
        shortcode: "174379".to_owned(),
        account: "order001 ".to_owned(),
        phone: PayerPhone::read("2547*****001"),
        payer_name: PersonName::new("AMINA"),
        balance: Some(Balance::from_cents(102_500)),
        by: Source::Confirmation,
    }
}

/// The receipt is in the book already, as a C2B payment that somebody has claimed.
fn c2b_holder(receipt: &str) -> Holder {
    let claim =
        Claim { app: AppId::from_bytes([3; 16]), purpose: "shipped".to_owned(), at: ago(2) };
    let from = PaymentId::from_bytes([8; 16]);
    Holder::C2b(Box::new(Joining { from, told: told(receipt), claim: Some(claim) }))
}

fn answered(row: &str) -> Event {
    let (kind, attempt) = row.strip_suffix("-earlier").map_or((row, 2), |kind| (kind, 1));
    let (code, checkout) = match kind {
        "0" => ("0", Some(CHECKOUT)),
        "0-no-id" => ("0", None),
        "busy" => ("500.003.02:spike_arrest", None),
        "locked" => ("500.001.1001:locked", None),
        "invalid" => ("400.002.02", None),
        "internal" => ("500.002.1001:internal", None),
        "strange" => ("http.599", None),
        other => panic!("no such answer: {other}"),
    };
    let answer = AnswerFacts {
        code: code.to_owned(),
        description: "so it is".to_owned(),
        merchant: MerchantRequestId::new("91ab-1"),
        checkout: checkout.and_then(CheckoutRequestId::new),
    };
    Event::Answered { attempt, answer }
}

fn callback(row: &str) -> Event {
    let paid = StkFacts {
        code: "0".to_owned(),
        description: "done".to_owned(),
        merchant: MerchantRequestId::new("91ab-1"),
        checkout: CheckoutRequestId::new(CHECKOUT),
        receipt: Receipt::new("UJ34AA00ZZ"),
        amount: Some(Amount::from_shillings(1_500)),
        paid_at: Some(ago(3)),
        balance: None,
        odd: None,
    };
    let other = CheckoutRequestId::new(OTHER_CHECKOUT);
    let code = |code: &str| StkFacts {
        code: code.to_owned(),
        receipt: None,
        amount: None,
        paid_at: None,
        ..paid.clone()
    };
    let facts = match row {
        "paid" | "paid-c2b" | "paid-another" | "paid-c2b-differs" => paid,
        "paid-other-receipt" => StkFacts { receipt: Receipt::new("UJ34BB11YY"), ..paid },
        "paid-no-receipt" => StkFacts { receipt: None, ..paid },
        "paid-no-amount" => StkFacts { amount: None, ..paid },
        "paid-other-amount" => StkFacts { amount: Some(Amount::from_shillings(15)), ..paid },
        "paid-other-prompt" => StkFacts { checkout: other, ..paid },
        "paid-odd" => StkFacts { odd: Some("two receipts".to_owned()), ..paid },
        "cancelled" => code("1032"),
        "cancelled-other-prompt" => StkFacts { checkout: other, ..code("1032") },
        "timeout" => code("1037"),
        "open" => code("4999"),
        "strange" => code("77"),
        other => panic!("no such callback: {other}"),
    };
    let holder = match row {
        "paid-c2b" => c2b_holder("UJ34AA00ZZ"),
        "paid-c2b-differs" => c2b_holder("UJ34BB11YY"),
        "paid-another" => Holder::Another,
        _ => Holder::Nobody,
    };
    Event::CallbackArrived { facts, holder }
}

fn query(row: &str) -> Event {
    let (code, result) = match row {
        "sent" => return Event::QuerySent,
        "not-sent" => return Event::QueryNotSent { nth: NTH },
        "paid" | "paid-c2b" | "paid-other-prompt" => ("0", Some("0")),
        "cancelled" => ("0", Some("1032")),
        "open" => ("0", Some("4999")),
        "strange" => ("0", Some("77")),
        "in-process" => ("500.001.1001:processing", None),
        "no-such" => ("500.001.1001:no_transaction", None),
        "failed-paid" => ("500.001.1001", Some("0")),
        "too-fast" => ("http.429.spike_arrest", None),
        other => panic!("no such query: {other}"),
    };
    let facts = QueryFacts {
        code: code.to_owned(),
        result: result.map(str::to_owned),
        description: "so it is".to_owned(),
        checkout: CheckoutRequestId::new(match row {
            "paid-other-prompt" => OTHER_CHECKOUT,
            _ => CHECKOUT,
        }),
    };
    let holder = if row == "paid-c2b" { c2b_holder("UJ34AA00ZZ") } else { Holder::Nobody };
    Event::QueryAnswered { nth: NTH, facts, holder }
}

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() - seconds * 1_000)
}

fn phone(text: &str) -> Msisdn {
    text.parse().expect("a phone")
}
