//! One receipt is one payment, whatever comes first and whatever is lost.

use std::time::Duration;

use crate::book::{BEGIN, Book, MINUTE, RECEIPT, SECOND, app, called_back, notice, paid};
use mlango::domain::account::Balance;
use mlango::domain::payment::{C2bNotice, Claiming, Payer, PayerPhone, Status, StkFacts, Verdict};
use mlango::domain::payout::CaseKind;

#[test]
fn a_callback_then_its_confirmation_are_one_payment() {
    let (mut book, stk) = Book::with_a_prompt();
    book.prompts(stk);
    book.waits(9 * SECOND);
    let balance = Some(Balance::from_cents(77));
    book.hears(stk, StkFacts { balance, ..paid(stk, 1_500, BEGIN) });
    assert_eq!(book.get(stk).paid_at(), Some(BEGIN), "as M-Pesa says");
    assert_eq!(book.get(stk).state.paid().and_then(|paid| paid.balance), balance);
    let on = book.is_confirmed(&notice(RECEIPT, 1_500, BEGIN));
    assert_eq!((on, book.payments.len(), book.texts()), (stk, 1, 1));
    let known = book.get(stk).state.paid().expect("paid");
    assert_eq!(known.payer_name.as_ref().map(|name| name.reveal()), Some("AMINA"));
    assert_eq!(known.balance, balance, "what was told first stays");
    // However often it comes.
    book.is_confirmed(&notice(RECEIPT, 1_500, BEGIN));
    assert_eq!((book.payments.len(), book.cases().len()), (1, 0));
}

#[test]
fn a_confirmation_before_its_callback_is_joined_and_its_claim_moves() {
    let (mut book, stk) = Book::with_a_prompt();
    book.prompts(stk);
    let c2b = book.is_confirmed(&notice(RECEIPT, 1_500, BEGIN));
    assert_eq!(book.status(c2b), Status::Succeeded);
    assert!(matches!(book.claims(c2b, 3, "shipped"), Claiming::Now(_)));
    book.hears(stk, paid(stk, 1_500, BEGIN));
    assert_eq!((book.status(c2b), book.status(stk)), (Status::Joined, Status::Succeeded));
    assert_eq!(book.paid().len(), 1);
    assert_eq!(book.get(c2b).receipt(), None, "its receipt is the other's now");
    let claim = book.get(stk).state.claim().expect("a claim");
    assert_eq!((claim.app, claim.purpose.as_str()), (app(3), "shipped"));
    assert!(matches!(book.claims(stk, 1, "shipped"), Claiming::By(_)), "delivered already");
    // A copy of the confirmation goes to the payment that counts.
    assert_eq!(book.is_confirmed(&notice(RECEIPT, 1_500, BEGIN)), stk);
}

#[test]
fn the_payer_is_thanked_once_whichever_notice_showed_his_phone() {
    for (shown, texts) in [("254700000001", 1), ("2547*****001", 2)] {
        // A masked phone cannot be written to: the book asks for a text at each of the two, and
        // only the second has a number. A whole one was thanked at the first.
        let (mut book, stk) = Book::with_a_prompt();
        book.prompts(stk);
        let payer = Payer { phone: PayerPhone::read(shown), ..Payer::default() };
        book.is_confirmed(&C2bNotice { payer, ..notice(RECEIPT, 1_500, BEGIN) });
        book.hears(stk, paid(stk, 1_500, BEGIN));
        assert_eq!(book.texts(), texts, "{shown}");
    }
}

#[test]
fn a_receipt_of_another_payment_pays_nothing() {
    let (mut book, first) = Book::with_a_prompt();
    book.prompts(first);
    book.hears(first, paid(first, 1_500, BEGIN));
    let second = book.prompt(1_500);
    book.prompts(second);
    let verdict = book.hears(second, paid(second, 1_500, BEGIN));
    assert!(
        matches!(&verdict, Verdict::Contradicted(found) if found.kind == CaseKind::Mismatch),
        "{verdict:?}"
    );
    assert_eq!(book.status(second), Status::Pending);
}

#[test]
fn a_confirmation_of_another_amount_keeps_its_own_receipt() {
    let (mut book, stk) = Book::with_a_prompt();
    book.prompts(stk);
    let c2b = book.is_confirmed(&notice(RECEIPT, 15, BEGIN));
    let verdict = book.hears(stk, paid(stk, 1_500, BEGIN));
    assert!(matches!(verdict, Verdict::Contradicted(_)), "{verdict:?}");
    assert_eq!((book.status(c2b), book.status(stk)), (Status::Succeeded, Status::Pending));
}

#[test]
fn one_receipt_is_one_payment_though_its_notice_names_another_number_of_ours() {
    for first in [true, false] {
        let (mut book, stk) = Book::with_a_prompt();
        book.prompts(stk);
        let till = C2bNotice { shortcode: "5001122".to_owned(), ..notice(RECEIPT, 1_500, BEGIN) };
        if first {
            book.is_confirmed(&till);
        }
        book.hears(stk, paid(stk, 1_500, BEGIN));
        assert_eq!(book.is_confirmed(&till), stk);
        assert_eq!((book.paid().len(), book.cases().len()), (1, 0));
    }
}

#[test]
fn what_a_query_settled_adopts_the_confirmation_that_comes_later() {
    let (mut book, stk) = Book::with_a_prompt();
    book.prompts(stk);
    book.waits(20 * SECOND);
    book.asks(stk);
    book.is_told(stk, "0", Some("0"));
    assert_eq!((book.status(stk), book.get(stk).receipt()), (Status::Succeeded, None));
    let paid_at = BEGIN.after(9 * SECOND);
    book.waits(MINUTE);
    assert_eq!(book.is_confirmed(&notice(RECEIPT, 1_500, paid_at)), stk);
    assert_eq!(book.get(stk).receipt().map(|receipt| receipt.as_str()), Some(RECEIPT));
    assert_eq!(book.get(stk).paid_at(), Some(paid_at), "as M-Pesa says");
    assert_eq!((book.payments.len(), book.texts()), (1, 1));
    // The next one of the same kind is another payment.
    assert_ne!(book.is_confirmed(&notice("UJ34BB11YY", 1_500, paid_at)), stk);
    assert_eq!(book.paid().len(), 2);
}

#[test]
fn what_a_query_settles_joins_the_confirmation_that_came_before() {
    let (mut book, stk) = Book::with_a_prompt();
    book.prompts(stk);
    let c2b = book.is_confirmed(&notice(RECEIPT, 1_500, BEGIN.after(9 * SECOND)));
    book.waits(20 * SECOND);
    book.asks(stk);
    book.is_told(stk, "0", Some("0"));
    assert_eq!((book.status(c2b), book.status(stk)), (Status::Joined, Status::Succeeded));
    assert_eq!(book.get(stk).receipt().map(|receipt| receipt.as_str()), Some(RECEIPT));
    // The callback, late, says the same.
    let verdict = book.hears(stk, paid(stk, 1_500, BEGIN));
    assert!(matches!(verdict, Verdict::Noted(_)), "{verdict:?}");
}

#[test]
fn only_a_confirmation_that_can_be_its_own_is_adopted() {
    let at = BEGIN.after(9 * SECOND);
    let own = notice(RECEIPT, 1_500, at);
    let phone = |text| Payer { phone: PayerPhone::read(text), ..Payer::default() };
    let early = Duration::from_secs(61);
    let table = [
        ("its own", own.clone(), true),
        ("in small letters", C2bNotice { account: " order001".to_owned(), ..own.clone() }, true),
        ("to a till", C2bNotice { account: String::new(), ..own.clone() }, true),
        ("another account", C2bNotice { account: "ORDER002".to_owned(), ..own.clone() }, false),
        ("another amount", notice(RECEIPT, 1_501, at), false),
        ("another number", C2bNotice { shortcode: "600111".to_owned(), ..own.clone() }, false),
        ("another phone", C2bNotice { payer: phone("254700000002"), ..own.clone() }, false),
        ("a mask of another", C2bNotice { payer: phone("2547*****002"), ..own.clone() }, false),
        ("no phone", C2bNotice { payer: phone(""), ..own.clone() }, true),
        ("no time", C2bNotice { time: None, ..own }, false),
        ("a minute before", notice(RECEIPT, 1_500, ago(60)), true),
        ("earlier still", notice(RECEIPT, 1_500, ago(61)), false),
        ("a minute after", notice(RECEIPT, 1_500, BEGIN.after(20 * SECOND + MINUTE)), true),
        ("later still", notice(RECEIPT, 1_500, BEGIN.after(20 * SECOND + early)), false),
    ];
    for (what, told, adopted) in table {
        let (mut book, stk) = Book::with_a_prompt();
        book.prompts(stk);
        book.waits(20 * SECOND);
        book.asks(stk);
        book.is_told(stk, "0", Some("0"));
        assert_eq!(book.is_confirmed(&told) == stk, adopted, "{what}");
    }
}

#[test]
fn a_receipt_overrides_a_failure_and_nothing_less_does() {
    for code in ["1037", "1032", "1019"] {
        let (mut book, stk) = Book::with_a_prompt();
        book.prompts(stk);
        book.hears(stk, called_back(stk, code));
        assert_eq!(book.status(stk), Status::Failed, "{code}");
        let bare = StkFacts { receipt: None, ..paid(stk, 1_500, BEGIN) };
        assert!(matches!(book.hears(stk, bare), Verdict::Contradicted(_)), "{code}");
        let other = book.hears(stk, paid(stk, 15, BEGIN));
        assert!(matches!(other, Verdict::Contradicted(_)), "{code}: another amount");
        book.hears(stk, paid(stk, 1_500, BEGIN));
        assert_eq!(book.status(stk), Status::Succeeded, "{code}");
        assert_eq!(book.cases(), [CaseKind::Contradiction], "{code}: a person should know");
    }
}

#[test]
fn a_person_can_name_the_receipt_of_a_confirmation() {
    let (mut book, stk) = Book::with_a_prompt();
    book.sends(stk);
    book.loses_the_answer(stk);
    let c2b = book.is_confirmed(&notice(RECEIPT, 1_500, BEGIN));
    book.rules(stk, Some(RECEIPT));
    assert_eq!((book.status(c2b), book.status(stk)), (Status::Joined, Status::Succeeded));
    let (mut book, stk) = Book::with_a_prompt();
    book.sends(stk);
    book.loses_the_answer(stk);
    book.is_confirmed(&notice(RECEIPT, 15, BEGIN));
    let verdict = book.rules(stk, Some(RECEIPT));
    assert!(matches!(verdict, Verdict::Forbidden(_)), "{verdict:?}");
}

#[test]
fn two_who_delivered_for_the_same_money_are_a_case() {
    let (mut book, stk) = Book::with_a_prompt();
    book.prompts(stk);
    book.waits(20 * SECOND);
    book.asks(stk);
    book.is_told(stk, "0", Some("0"));
    book.claims(stk, 1, "shipped");
    // A confirmation without a time is not adopted: it stands for itself until the callback comes.
    let untimed = C2bNotice { time: None, ..notice(RECEIPT, 1_500, BEGIN) };
    let c2b = book.is_confirmed(&untimed);
    book.claims(c2b, 2, "shipped");
    book.hears(stk, paid(stk, 1_500, BEGIN));
    assert_eq!(book.paid().len(), 1);
    assert_eq!(book.get(stk).state.claim().map(|claim| claim.app), Some(app(1)));
    assert_eq!(book.cases(), [CaseKind::Contradiction]);
}

fn ago(seconds: i64) -> mlango::domain::time::Timestamp {
    mlango::domain::time::Timestamp::from_millis(BEGIN.millis() - seconds * 1_000)
}
