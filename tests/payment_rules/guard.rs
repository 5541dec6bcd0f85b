//! A phone's lock and the two-minute rule, before M-Pesa says so.

use std::time::Duration;

use crate::book::{BEGIN, Book, MINUTE, PHONE, SECOND, called_back, paid};
use mlango::domain::id::PaymentId;
use mlango::domain::money::Amount;
use mlango::domain::party::Msisdn;
use mlango::domain::payment::{RetryAt, TooSoon, guard};

fn ask(book: &Book, phone: &str, shillings: u64) -> Result<(), RetryAt> {
    guard(parsed(phone), Amount::from_shillings(shillings), book.payments.values(), book.now)
}

fn parsed(phone: &str) -> Msisdn {
    phone.parse().expect("a phone")
}

fn locked(at: Duration) -> Result<(), RetryAt> {
    Err(RetryAt { at: BEGIN.after(at), why: TooSoon::Locked })
}

#[test]
fn an_open_prompt_keeps_its_phone_for_two_minutes() {
    type Step = fn(&mut Book, PaymentId);
    let steps: [(&str, Step); 4] = [
        ("waiting", |_, _| {}),
        ("sending", |book, id| {
            book.sends(id);
        }),
        ("prompted", |book, id| book.prompts(id)),
        ("unknown", |book, id| {
            book.sends(id);
            book.loses_the_answer(id);
        }),
    ];
    for (what, stands) in steps {
        let (mut book, id) = Book::with_a_prompt();
        stands(&mut book, id);
        assert_eq!(ask(&book, PHONE, 10), locked(2 * MINUTE), "{what}: any amount");
        assert_eq!(ask(&book, "254700000002", 1_500), Ok(()), "{what}: another phone");
        book.waits(119 * SECOND);
        assert_eq!(ask(&book, PHONE, 10), locked(2 * MINUTE), "{what}");
        book.waits(SECOND);
        assert_eq!(ask(&book, PHONE, 10), Ok(()), "{what}: two minutes later");
    }
}

#[test]
fn the_same_amount_again_waits_for_two_minutes_after_it_was_paid() {
    let (mut book, id) = Book::with_a_prompt();
    book.prompts(id);
    book.waits(10 * SECOND);
    book.hears(id, paid(id, 1_500, book.now));
    let at = BEGIN.after(10 * SECOND + 2 * MINUTE);
    let same = Err(RetryAt { at, why: TooSoon::SamePayment });
    assert_eq!(ask(&book, PHONE, 1_500), same);
    assert_eq!(ask(&book, PHONE, 1_501), Ok(()), "another amount");
    book.waits(2 * MINUTE);
    assert_eq!(ask(&book, PHONE, 1_500), Ok(()));
}

#[test]
fn a_failed_prompt_keeps_nobody_waiting() {
    let (mut book, id) = Book::with_a_prompt();
    book.prompts(id);
    book.hears(id, called_back(id, "1032"));
    assert_eq!(ask(&book, PHONE, 1_500), Ok(()));
}

#[test]
fn a_clock_that_was_set_back_locks_nobody_out() {
    let (mut book, id) = Book::with_a_prompt();
    book.prompts(id);
    book.now = mlango::domain::time::Timestamp::from_millis(BEGIN.millis() - 3_600_000);
    assert_eq!(ask(&book, PHONE, 1_500), Ok(()));
}
