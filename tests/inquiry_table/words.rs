//! The states, the events, and a word for each verdict.

use std::sync::LazyLock;
use std::time::Duration;

use mlango::domain::account;
use mlango::domain::id::{AppId, ConversationId, InquiryId, Receipt, RunId};
use mlango::domain::inquiry::{
    Answer, AnswerFacts, Asking, Balances, Details, Doubt, Effect, Event, Failure, Inquiry, Kind,
    Moved, Names, Policy, ResultFacts, Reversal, Settled, State, Tax, Tries, Verdict, law,
};
use mlango::domain::money::Amount;
use mlango::domain::payout::{
    CaseKind, InquiryAnswer, InquiryFacts, Lease, Rail, Ruling, Stage, TransactionStatus,
    WhyNoAnswer, WhyNothingSent,
};
use mlango::domain::time::Timestamp;

pub const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);
/// As the configuration is by default.
pub static POLICY: LazyLock<Policy> = LazyLock::new(Policy::default);
/// The number of the last question about an inquiry in doubt.
pub const NTH: u32 = 3;
/// The receipt of what was reversed, and that of the reversal.
pub const ORIGINAL: &str = "UJ34AA00ZZ";
pub const RECEIPT: &str = "UJ35CC22XX";
/// M-Pesa's name for the request.
pub const NAME: &str = "AG_20240102_1";

pub fn keeps_the_laws(before: &Inquiry, event: &Event, verdict: &Verdict) {
    if let Verdict::Moved { state, effects, .. } = verdict {
        let after = Inquiry { state: state.clone(), ..before.clone() };
        let held = law::check(before, event, &after, effects);
        assert_eq!(held, Ok(()), "{event:?} when {:?}", before.state);
    }
}

pub fn moved(verdict: Verdict) -> State {
    match verdict {
        Verdict::Moved { state, .. } => state,
        other => panic!("it should move: {other:?}"),
    }
}

pub fn in_a_word(verdict: &Verdict) -> String {
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

pub fn reversal() -> Kind {
    Kind::Reversal(Reversal {
        receipt: receipt(ORIGINAL),
        amount: Amount::from_shillings(1_500),
        payment: None,
        payout: None,
        remarks: "wrong account".to_owned(),
        occasion: String::new(),
    })
}

pub fn tax() -> Kind {
    Kind::Tax(Tax {
        prn: "2024000001".to_owned(),
        amount: Amount::from_shillings(1_500),
        remarks: "January".to_owned(),
    })
}

pub fn inquiry(kind: Kind, column: &str) -> Inquiry {
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

pub fn lease(run: u8) -> Lease {
    Lease { owner: RunId::from_bytes([run; 16]), until: NOW.after(Duration::from_secs(40)) }
}

pub fn with_attempt(event: Event, attempt: u32) -> Event {
    match event {
        Event::Answered { answer, .. } => Event::Answered { attempt, answer },
        Event::NothingSent { why, .. } => Event::NothingSent { attempt, why },
        Event::NoAnswer { why, .. } => Event::NoAnswer { attempt, why },
        other => other,
    }
}

pub fn event(row: &str) -> Event {
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
        "no-answer-earlier" => Event::NoAnswer { attempt: 1, why: WhyNoAnswer::Closed },
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

pub fn answer(kind: &str) -> AnswerFacts {
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
        picture: None,
    }
}

pub fn result(kind: &str) -> ResultFacts {
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
pub fn status(kind: &str) -> Event {
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

pub fn facts(status: TransactionStatus) -> InquiryFacts {
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
pub fn told(nth: Option<u32>, code: &str, payment: Option<InquiryFacts>) -> Event {
    Event::QuestionAnswered(InquiryAnswer {
        nth,
        code: code.to_owned(),
        description: String::new(),
        waiting: false,
        payment,
    })
}

pub fn balances() -> Balances {
    let accounts = account::accounts("Working Account|KES|100.00|100.00|0.00|0.00");
    Balances { accounts, at: Some(NOW) }
}

pub fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() - seconds * 1_000)
}

pub fn receipt(text: &str) -> Receipt {
    Receipt::new(text).expect("a receipt")
}
