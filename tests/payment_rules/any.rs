//! Whatever comes in whatever order: money is counted once, and nobody loses a claim.

use std::time::Duration;

use proptest::prelude::*;

use crate::book::{BEGIN, Book, RECEIPT, called_back, notice, paid};
use mlango::domain::id::{PaymentId, Receipt};
use mlango::domain::payment::{Claim, Event, Payment, Status, StkFacts, law};

/// Something that comes about the one payment that was really made by the prompt, or about another
/// that was made without one.
#[derive(Clone, Copy, Debug)]
enum Comes {
    Send,
    Answer(&'static str),
    Silence,
    Nothing,
    Paid,
    PaidWithoutReceipt,
    CalledBack(&'static str),
    Ask,
    Told(&'static str),
    Confirmed,
    AnotherConfirmed,
    Claim(u8, bool),
    Ruled(bool),
}

fn comes() -> impl Strategy<Value = Comes> {
    let codes = prop_oneof![
        Just("0"),
        Just("500.003.02:busy"),
        Just("500.002.1001:internal"),
        Just("http.502")
    ];
    prop_oneof![
        4 => Just(Comes::Send),
        4 => codes.prop_map(Comes::Answer),
        1 => Just(Comes::Silence),
        1 => Just(Comes::Nothing),
        3 => Just(Comes::Paid),
        1 => Just(Comes::PaidWithoutReceipt),
        1 => prop_oneof![Just("1032"), Just("1037"), Just("77")].prop_map(Comes::CalledBack),
        3 => Just(Comes::Ask),
        3 => prop_oneof![Just("0"), Just("4999"), Just("1037")].prop_map(Comes::Told),
        3 => Just(Comes::Confirmed),
        1 => Just(Comes::AnotherConfirmed),
        2 => (1_u8..4, any::<bool>()).prop_map(|(by, first)| Comes::Claim(by, first)),
        1 => any::<bool>().prop_map(Comes::Ruled),
    ]
}

fn happens(book: &mut Book, stk: PaymentId, comes: Comes) {
    let paid = paid(stk, 1_500, BEGIN);
    match comes {
        Comes::Send => {
            book.sends(stk);
        }
        Comes::Answer(code) => {
            book.is_answered(stk, code);
        }
        Comes::Silence => {
            book.loses_the_answer(stk);
        }
        Comes::Nothing => {
            book.sends_nothing(stk);
        }
        Comes::Paid => {
            book.hears(stk, paid);
        }
        Comes::PaidWithoutReceipt => {
            book.hears(stk, StkFacts { receipt: None, ..paid });
        }
        Comes::CalledBack(code) => {
            book.hears(stk, called_back(stk, code));
        }
        Comes::Ask => {
            book.happens(stk, &Event::AskWanted);
            book.asks(stk);
        }
        Comes::Told(code) => {
            book.is_told(stk, "0", Some(code));
        }
        Comes::Confirmed => {
            book.is_confirmed(&notice(RECEIPT, 1_500, BEGIN));
        }
        Comes::AnotherConfirmed => {
            book.is_confirmed(&notice("UJ34BB11YY", 200, BEGIN));
        }
        Comes::Claim(by, first) => {
            let mut ids = book.payments.keys().copied();
            let id = if first { ids.next() } else { ids.next_back() }.expect("one");
            book.claims(id, by, "delivered");
        }
        Comes::Ruled(true) => {
            book.rules(stk, Some(RECEIPT));
        }
        Comes::Ruled(false) => {
            book.rules(stk, None);
        }
    }
}

/// The claims of the payments that count.
fn claims(book: &Book) -> Vec<Claim> {
    book.paid().iter().filter_map(|payment| payment.state.claim().cloned()).collect()
}

proptest! {
    /// The prompt's money counts once however it is told of, each receipt is one payment's, and a
    /// claim is never lost.
    #[test]
    fn money_counts_once_and_claims_stay(
        script in proptest::collection::vec((0_u64..40, comes()), 1..40)
    ) {
        let (mut book, stk) = Book::with_a_prompt();
        for (pause, comes) in script {
            let (had, cases) = (claims(&book), book.cases().len());
            book.waits(Duration::from_secs(pause));
            happens(&mut book, stk, comes);
            let shared = law::sharing_a_receipt(book.payments.values());
            prop_assert!(shared.is_empty(), "{comes:?}: {shared:?}");
            let has = claims(&book);
            for claim in had {
                prop_assert!(
                    has.contains(&claim) || book.cases().len() > cases,
                    "{comes:?} lost a claim, and nobody was told"
                );
            }
            let receipt = Receipt::new(RECEIPT).expect("a receipt");
            let is_its = |it: &&Payment| it.details.id == stk || it.receipt() == Some(&receipt);
            let by_prompt = book.paid().into_iter().filter(is_its).count();
            let is_settled = book.get(stk).receipt().is_some();
            prop_assert!(!is_settled || by_prompt == 1, "{comes:?}: counted twice");
            for payment in book.payments.values().filter(|it| it.is_claimed()) {
                prop_assert_eq!(payment.status(), Status::Succeeded);
            }
        }
    }
}
