//! A prompt is sent at most once, unless it is proven that nothing was taken; and soon, or not.

use crate::book::{Book, MINUTE, SECOND, moved};
use mlango::domain::payment::{PUT_BACK_MAX, Status, Verdict};
use mlango::domain::payout::Stage;

#[test]
fn what_cannot_be_sent_within_a_minute_fails() {
    let (mut book, id) = Book::with_a_prompt();
    let mut sends = 0;
    while book.status(id) == Status::Pending {
        book.waits(book.wakes_in(id).expect("a time"));
        book.sends(id);
        sends += 1;
        assert!(sends < 100, "it must end");
        book.sends_nothing(id);
    }
    let failure = book.get(id).state.failure().expect("a failure");
    assert_eq!((failure.code.as_str(), failure.stage), ("not_sent", Stage::Request));
    assert!(failure.retryable);
    assert_eq!(failure.description, "the payer was not prompted: M-Pesa could not be reached");
    assert_eq!(sends, PUT_BACK_MAX + 1);
    assert_eq!(book.texts(), 0, "the payer saw nothing");
}

#[test]
fn a_prompt_that_waited_too_long_is_not_sent_at_all() {
    for (pause, status) in
        [(59 * SECOND, Status::Pending), (MINUTE, Status::Failed), (60 * MINUTE, Status::Failed)]
    {
        let (mut book, id) = Book::with_a_prompt();
        book.waits(pause);
        moved(book.sends(id));
        assert_eq!(book.status(id), status, "{pause:?}");
    }
}

#[test]
fn a_busy_m_pesa_is_tried_again_and_then_named() {
    let (mut book, id) = Book::with_a_prompt();
    while book.status(id) == Status::Pending {
        book.waits(book.wakes_in(id).expect("a time"));
        book.sends(id);
        book.is_answered(id, "500.003.02:busy");
    }
    let failure = book.get(id).state.failure().expect("a failure");
    assert_eq!((failure.code.as_str(), failure.retryable), ("500.003.02:busy", true));
}

#[test]
fn a_lock_says_when_to_try_again() {
    let (mut book, id) = Book::with_a_prompt();
    book.sends(id);
    book.is_answered(id, "500.001.1001:locked");
    let failure = book.get(id).state.failure().expect("a failure");
    assert!(failure.retryable);
    assert_eq!(failure.retry_at, Some(book.now.after(MINUTE)));
}

#[test]
fn results_that_time_mends_say_when_to_try_again() {
    for (code, pause) in [("17", Some(2 * MINUTE)), ("1001", Some(MINUTE)), ("1032", None)] {
        let (mut book, id) = Book::with_a_prompt();
        book.prompts(id);
        book.hears(id, crate::book::called_back(id, code));
        let failure = book.get(id).state.failure().expect("a failure");
        assert_eq!(failure.retry_at, pause.map(|pause| book.now.after(pause)), "{code}");
        assert!(failure.retryable && !failure.description.is_empty(), "{code}");
    }
}

#[test]
fn after_a_lost_answer_there_is_no_second_prompt() {
    let (mut book, id) = Book::with_a_prompt();
    book.sends(id);
    book.loses_the_answer(id);
    for _ in 0..10 {
        book.waits(MINUTE);
        let verdict = book.sends(id);
        assert!(matches!(verdict, Verdict::Forbidden(_)), "{verdict:?}");
    }
}

#[test]
fn a_refusal_that_comes_late_settles_only_what_was_not_heard() {
    for (code, expected) in [("", Status::Failed), ("http.502", Status::Unknown)] {
        let (mut book, id) = Book::with_a_prompt();
        book.sends(id);
        if code.is_empty() {
            book.loses_the_answer(id);
        } else {
            book.is_answered(id, code);
        }
        assert_eq!(book.status(id), Status::Unknown);
        book.is_answered(id, "400.002.02");
        assert_eq!(book.status(id), expected, "{code}");
    }
}
