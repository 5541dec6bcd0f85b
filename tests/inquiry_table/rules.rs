//! What depends on the kind of inquiry, on time and on how often.

use std::time::Duration;

use mlango::domain::id::ConversationId;
use mlango::domain::inquiry::{
    Answer, AnswerFacts, C2bVersion, Effect, Event, Inquiry, Kind, LOST_MAX, PaidTo, Picture,
    QrCode, QrKind, QrReceiver, RegisterPull, RegisterUrls, ResponseType, ResultFacts, SimulateC2b,
    State, Status, TransactionStatus, Verdict, ask_by, law, step,
};
use mlango::domain::money::Amount;

use crate::words::{
    NAME, NOW, ORIGINAL, POLICY, answer, event, in_a_word, inquiry, keeps_the_laws, moved, receipt,
    result, reversal, tax, told, with_attempt,
};

/// A kind, the result's code, and what the inquiry answers.
#[test]
fn what_a_result_means_depends_on_what_was_asked() {
    let status = Kind::TransactionStatus(TransactionStatus::Receipt(receipt(ORIGINAL)));
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
    let phone = "254700000001".parse().expect("a phone");
    let pull = Kind::RegisterPull(RegisterPull { phone });
    for (kind, answer, lost) in [
        (register, Answer::Registered, "queued"),
        (simulate, Answer::Simulated, "unknown"),
        (pull, Answer::Registered, "queued"),
    ] {
        let sending = inquiry(kind, "sending");
        let taken = step(&sending, &event("answer-0"), &POLICY, NOW);
        keeps_the_laws(&sending, &event("answer-0"), &taken);
        let state = moved(taken);
        assert!(matches!(&state, State::Succeeded { answer: told, .. } if *told == answer));
        let verdict = step(&sending, &event("no-answer"), &POLICY, NOW);
        assert_eq!(in_a_word(&verdict), lost, "{answer:?}");
    }
}

/// A request for a code, and an answer that brings one, or none.
fn qr_code() -> Kind {
    Kind::QrCode(QrCode {
        merchant: "Example Org".to_owned(),
        reference: "INV-77".to_owned(),
        amount: Amount::from_shillings(100),
        kind: QrKind::PayBill,
        receiver: QrReceiver::Number("600111".parse().expect("a short code")),
        size: 300,
    })
}

fn pictured(picture: Option<&str>) -> Event {
    let picture = picture.and_then(Picture::new);
    Event::Answered { attempt: 2, answer: AnswerFacts { picture, ..answer("0") } }
}

#[test]
fn a_qr_code_is_done_when_its_picture_is_there() {
    let sending = inquiry(qr_code(), "sending");
    let event = pictured(Some("iVBORw0KGgo="));
    let verdict = step(&sending, &event, &POLICY, NOW);
    keeps_the_laws(&sending, &event, &verdict);
    let State::Succeeded { answer: told, settled } = moved(verdict) else { panic!("it is done") };
    assert_eq!(Some(told), Picture::new("iVBORw0KGgo=").map(Answer::Pictured));
    // "Taken" without a picture is no answer, and a result for it there is not.
    let empty = pictured(None);
    let verdict = step(&sending, &empty, &POLICY, NOW);
    keeps_the_laws(&sending, &empty, &verdict);
    assert_eq!(in_a_word(&verdict), "queued");
    let result = Event::ResultArrived(result("done"));
    assert_eq!(in_a_word(&step(&sending, &result, &POLICY, NOW)), "noted");
    // The law says it by itself.
    for (event, wrong) in [
        (&empty, Answer::Registered),
        (&event, Answer::Registered),
        (&event, Picture::new("AAAA").map(Answer::Pictured).expect("a picture")),
    ] {
        let state = State::Succeeded { answer: wrong, settled: settled.clone() };
        let after = Inquiry { state, ..sending.clone() };
        let held = law::check(&sending, event, &after, &[]);
        assert_eq!(held, Err(law::Broken::SucceededOnEvidenceOnly));
    }
}

#[test]
fn a_picture_is_base64_and_not_large() {
    let most = "A".repeat(Picture::LEN_MAX);
    assert!(Picture::new(&most).is_some());
    for bad in ["", "<svg>", "iVBO Rw0K", &format!("{most}A")] {
        assert_eq!(Picture::new(bad), None);
    }
    let shown = format!("{:?}", Picture::new("iVBORw0KGgo="));
    assert_eq!(shown, "Some(Picture(12 letters))");
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

#[test]
fn only_answers_in_a_row_count_as_too_busy() {
    let mut balance = inquiry(Kind::Balance, "queued");
    let mut now = NOW;
    let mut says = |balance: &mut Inquiry, what: &str| {
        now = balance.state.wakes_at().unwrap_or(now).max(now);
        balance.state = moved(step(balance, &event("send"), &POLICY, now));
        let event = with_attempt(event(what), balance.state.tries().attempts);
        balance.state = moved(step(balance, &event, &POLICY, now));
    };
    for between in ["no-answer", "nothing-sent"] {
        for _ in 0..19 {
            says(&mut balance, "answer-busy");
        }
        assert_eq!((balance.status(), balance.state.tries().busy), (Status::Queued, 19));
        says(&mut balance, between);
        assert_eq!(balance.state.tries().busy, 0, "{between}");
    }
    for _ in 0..20 {
        says(&mut balance, "answer-busy");
    }
    assert_eq!(balance.status(), Status::Failed);
}
