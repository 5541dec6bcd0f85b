//! Of all who ask, one may deliver.

use crate::book::{BEGIN, Book, RECEIPT, app, called_back, notice, paid};
use mlango::domain::payment::{Claiming, Status};

#[test]
fn the_first_claim_wins_and_the_same_again_is_safe() {
    let (mut book, stk) = Book::with_a_prompt();
    assert_eq!(book.claims(stk, 1, "order"), Claiming::NotPaid(Status::Pending));
    book.prompts(stk);
    book.hears(stk, paid(stk, 1_500, BEGIN));
    assert!(matches!(book.claims(stk, 1, "order"), Claiming::Now(_)));
    assert!(book.get(stk).is_claimed());
    let table = [
        (1, "order", true, "the same again"),
        (1, "another order", false, "the same application for something else"),
        (2, "order", false, "another application"),
    ];
    for (by, purpose, same, what) in table {
        match book.claims(stk, by, purpose) {
            Claiming::Before(claim) if same => assert_eq!(claim.app, app(1), "{what}"),
            Claiming::By(claim) if !same => assert_eq!(claim.purpose, "order", "{what}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    // The confirmation that follows leaves it alone.
    book.is_confirmed(&notice(RECEIPT, 1_500, BEGIN));
    assert_eq!(book.get(stk).state.claim().map(|claim| claim.app), Some(app(1)));
}

#[test]
fn what_failed_or_is_counted_elsewhere_cannot_be_claimed() {
    let (mut book, stk) = Book::with_a_prompt();
    book.prompts(stk);
    book.hears(stk, called_back(stk, "1032"));
    assert_eq!(book.claims(stk, 1, "order"), Claiming::NotPaid(Status::Failed));
    let (mut book, stk) = Book::with_a_prompt();
    book.prompts(stk);
    let c2b = book.is_confirmed(&notice(RECEIPT, 1_500, BEGIN));
    book.hears(stk, paid(stk, 1_500, BEGIN));
    assert_eq!(book.claims(c2b, 1, "order"), Claiming::NotPaid(Status::Joined));
}
