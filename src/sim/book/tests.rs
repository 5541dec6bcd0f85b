//! The book's own tests.

use std::collections::HashSet;

use proptest::prelude::*;

use super::number::{RECEIPT_SPACE, RECEIPT_STRIDE, receipt_number};
use super::*;
use crate::domain::payout::Command;

const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);

fn phone(last: u64) -> Msisdn {
    Msisdn::from_number(254_722_000_000_u64.saturating_add(last)).expect("a phone")
}

fn pay(last: u64, shillings: u64) -> Wish {
    Wish::Pay(Payment {
        phone: phone(last),
        amount: Amount::from_shillings(shillings),
        command: Command::BusinessPayment,
    })
}

fn book() -> Book {
    Book::new(7, Amount::from_shillings(1_000))
}

fn code(taken: &Taken) -> &str {
    match &taken.fate {
        Fate::Paid(_) | Fate::Moved(_) => "0",
        Fate::NotPaid(code) => code,
        Fate::Asked => "asked",
    }
}

#[test]
fn a_payment_moves_money_once_and_says_so() {
    let mut book = book();
    let taken = book.take(NOW, "600999_Org_1", pay(111, 150)).expect("new");
    let Fate::Paid(entry) = &taken.fate else {
        panic!("not paid: {taken:?}");
    };
    assert_eq!(entry.seq, 1);
    assert_eq!(entry.amount, Amount::from_shillings(150));
    assert_eq!(entry.balance, Amount::from_shillings(850));
    assert_eq!(entry.conversation_id, taken.conversation_id);
    assert_eq!(book.find("600999_Org_1").as_ref(), Some(entry));
    assert_eq!(book.entries(0, 10), std::slice::from_ref(entry));
    assert_eq!(
        book.recipients(None, 10),
        [(phone(111), Received { total: Amount::from_shillings(150), payments: 1 })]
    );
}

#[test]
fn what_comes_of_a_request_in_order() {
    let fail = |code: &'static str| Wish::Fail(Code::Borrowed(code), None);
    // Id, wish, the ResultCode that follows ("dup": refused), the balance after it.
    let table = [
        ("a", pay(1, 400), "0", 600),
        ("a", pay(1, 400), "dup", 600),
        ("a", pay(2, 10), "dup", 600),
        ("b", fail("2040"), "2040", 600),
        ("b", pay(1, 400), "dup", 600),
        ("c", pay(1, 601), "1", 600),
        ("c", pay(1, 10), "dup", 600),
        ("d", pay(1, 9), "2", 600),
        ("e", pay(1, 250_001), "3", 600),
        ("f", pay(1, 600), "0", 0),
        ("g", pay(1, 10), "1", 0),
        ("h", Wish::Ask, "asked", 0),
        ("h", Wish::Ask, "dup", 0),
    ];
    let mut book = book();
    for (row, (id, wish, expected, balance)) in table.into_iter().enumerate() {
        let outcome = book.take(NOW, id, wish);
        let found = match &outcome {
            Ok(taken) => code(taken),
            Err(NotTaken::Duplicate) => "dup",
            Err(NotTaken::Full) => "full",
        };
        assert_eq!(found, expected, "row {row}");
        assert_eq!(book.balance(), Amount::from_shillings(balance), "row {row}");
    }
    assert_eq!(book.payments(), 2);
    assert_eq!(book.total_paid(), Amount::from_shillings(1_000));
}

#[test]
fn a_full_book_refuses_and_forgets_nothing() {
    let mut book = Book::with_capacity(0, Amount::from_shillings(1_000), 2);
    assert!(book.take(NOW, "a", pay(1, 10)).is_ok());
    assert!(book.take(NOW, "b", Wish::Fail("2040".into(), None)).is_ok());
    assert_eq!(book.take(NOW, "c", pay(1, 10)), Err(NotTaken::Full));
    assert_eq!(book.take(NOW, "a", pay(1, 10)), Err(NotTaken::Duplicate));
    assert!(!book.knows("c"));
    assert_eq!(book.payments(), 1);
}

#[test]
fn ids_have_mpesas_form_and_no_two_are_alike() {
    let mut book = Book::new(42, Amount::from_shillings(1_000_000));
    let mut receipts = HashSet::new();
    let mut conversations = HashSet::new();
    for request in 0..20_000 {
        let taken = book.take(NOW, &format!("id-{request}"), pay(request, 10)).expect("new");
        let Fate::Paid(entry) = taken.fate else {
            panic!("not paid");
        };
        assert_eq!(entry.receipt.len(), 10, "{}", entry.receipt);
        assert!(entry.receipt.starts_with(|c: char| c.is_ascii_uppercase()));
        assert!(receipts.insert(entry.receipt));
        let hex = entry.conversation_id.strip_prefix("AG_20240102_");
        assert_eq!(hex.map(str::len), Some(20), "{}", entry.conversation_id);
        assert!(conversations.insert(entry.conversation_id));
    }
}

#[test]
fn the_receipt_factor_shares_no_divisor_with_the_space() {
    let (mut a, mut b) = (RECEIPT_SPACE, RECEIPT_STRIDE);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    assert_eq!(a, 1);
    let largest = u64::try_from(REQUESTS_MAX).expect("fits");
    assert!(largest.checked_mul(RECEIPT_STRIDE).is_some());
}

#[test]
fn one_seed_one_run_another_seed_another() {
    let run = |seed| {
        let mut book = Book::new(seed, Amount::from_shillings(1_000));
        book.take(NOW, "a", pay(1, 10)).expect("new");
        book.take(NOW, "b", pay(1, 10)).expect("new");
        book.entries(0, 10)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_payment_is_found_by_each_of_its_names_and_by_no_others() {
    let mut book = Book::new(42, Amount::from_shillings(1_000));
    let mut taken = Vec::new();
    for (id, wish) in [
        ("a", pay(1, 400)),
        ("b", Wish::Fail("2040".into(), None)),
        ("c", Wish::Ask),
        ("d", pay(2, 700)),
        ("e", pay(3, 10)),
    ] {
        taken.push(book.take(NOW, id, wish).expect("new"));
    }
    let own = |id: &str| By::OriginatorConversationId(id.to_owned());
    let theirs = |nth: usize| By::ConversationId(taken[nth].conversation_id.clone());
    // By what, whose record it is, how that one ended, how much was to be paid.
    let table = [
        (own("a"), Some(("a", "0", Some(400)))),
        (own("b"), Some(("b", "2040", None))),
        (own("c"), None),
        (own("d"), Some(("d", "1", Some(700)))),
        (own("A"), None),
        (theirs(0), Some(("a", "0", Some(400)))),
        (theirs(1), Some(("b", "2040", None))),
        (theirs(2), None),
        (theirs(4), Some(("e", "0", Some(10)))),
        (By::ConversationId(taken[0].conversation_id.replace("2024", "2025")), None),
        (By::ConversationId("AG".to_owned()), None),
        (By::ConversationId("AG_20240102_0000é000000000000000".to_owned()), None),
        (By::Receipt(book.receipt(receipt_number(NOW, 0))), Some(("a", "0", Some(400)))),
        (
            By::Receipt(book.receipt(receipt_number(NOW, 1)).to_lowercase()),
            Some(("e", "0", Some(10))),
        ),
        (By::Receipt(book.receipt(receipt_number(NOW, 2))), None),
        (By::Receipt(format!("X{}", book.receipt(receipt_number(NOW, 0)))), None),
        (By::Receipt(String::new()), None),
    ];
    for (by, expected) in table {
        let record = book.look_up(&by);
        let found = record.as_ref().map(|record| {
            let ended = match &record.fate {
                Fate::Paid(entry) => {
                    assert_eq!(book.find(&record.originator_conversation_id).as_ref(), Some(entry));
                    "0"
                }
                Fate::Moved(_) => "moved",
                Fate::NotPaid(code) => code,
                Fate::Asked => "asked",
            };
            let amount = record.movement.as_ref().map(|movement| movement.amount().cents() / 100);
            (&*record.originator_conversation_id, ended, amount)
        });
        assert_eq!(found, expected, "{by:?}");
    }
}

#[test]
fn lists_are_read_in_pages() {
    let mut book = book();
    for last in 1..=5 {
        book.take(NOW, &format!("id-{last}"), pay(last, 10)).expect("new");
    }
    let seqs = |after, limit| {
        book.entries(after, limit).into_iter().map(|entry| entry.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(0, 2), [1, 2]);
    assert_eq!(seqs(2, 2), [3, 4]);
    assert_eq!(seqs(4, 2), [5]);
    assert!(seqs(5, 2).is_empty());
    assert!(seqs(u64::MAX, 2).is_empty());
    let phones: Vec<_> =
        book.recipients(Some(phone(2)), 2).into_iter().map(|(phone, _)| phone).collect();
    assert_eq!(phones, [phone(3), phone(4)]);
}

proptest! {
    /// Whatever is asked, in whatever order and however often, the money adds up and no id
    /// moves it twice.
    #[test]
    fn money_is_neither_made_nor_lost(
        requests in proptest::collection::vec(
            (0_u64..20, 0_u64..6, 0_u64..400, any::<bool>()),
            0..80,
        )
    ) {
        let mut book = book();
        for (id, last, shillings, fails) in requests {
            let wish = if fails { Wish::Fail("2040".into(), None) } else { pay(last, shillings) };
            let id = format!("id-{id}");
            let known = book.knows(&id);
            prop_assert_eq!(book.take(NOW, &id, wish).is_err(), known);
        }
        let entries = book.entries(0, usize::MAX);
        let ids: HashSet<_> = entries.iter().map(|e| &e.originator_conversation_id).collect();
        prop_assert_eq!(ids.len(), entries.len());
        let paid: u64 = entries.iter().map(|entry| entry.amount.cents()).sum();
        let recipients = book.recipients(None, usize::MAX);
        let received: u64 = recipients.iter().map(|(_, r)| r.total.cents()).sum();
        prop_assert_eq!(paid, received);
        prop_assert_eq!(paid, book.total_paid().cents());
        prop_assert_eq!(paid.saturating_add(book.balance().cents()), book.opening().cents());
    }
}

fn shortcode(text: &str) -> ShortCode {
    text.parse().expect("a short code")
}

fn deposit(shillings: u64) -> Deposit {
    Deposit {
        phone: phone(1),
        amount: Amount::from_shillings(shillings),
        shortcode: shortcode("174379"),
        account: "INV-77".to_owned(),
        till: Till::PayBill,
        channel: Channel::C2b,
    }
}

#[test]
fn a_customer_pays_and_gets_it_back_once() {
    let mut book = book().with_working(shortcode("174379"), Amount::from_shillings(5));
    let reserved = book.reserve(NOW);
    let paid = book.deposit(NOW, deposit(150), &reserved).expect("paid");
    assert_eq!(paid.receipt, reserved.receipt);
    assert_eq!(paid.balance, Amount::from_shillings(155));
    assert_eq!(paid.phone, Some(phone(1)));
    assert_eq!(book.balance(), Amount::from_shillings(1_000), "the utility account is another");
    let back = |receipt: &str, shillings: u64, code: &str| {
        Wish::Move(Movement::Reversal(Reversal {
            receipt: receipt.to_owned(),
            amount: Amount::from_shillings(shillings),
            shortcode: shortcode(code),
        }))
    };
    // Receipt, shillings, who asks; what it ends in.
    let table = [
        ("QQQ0000001", 150, "174379", "R000002"),
        (paid.receipt.as_str(), 149, "174379", "25"),
        (paid.receipt.as_str(), 150, "600999", "R000002"),
        (paid.receipt.as_str(), 150, "174379", "0"),
        (paid.receipt.as_str(), 150, "174379", "R000001"),
    ];
    for (number, (receipt, shillings, who, expected)) in table.into_iter().enumerate() {
        let id = format!("reversal-{number}");
        let taken = book.take(NOW, &id, back(receipt, shillings, who)).expect("new");
        assert_eq!(code(&taken), expected, "{number}");
    }
    assert_eq!(book.working(&shortcode("174379")), Some(Amount::from_shillings(5)));
    assert_eq!(book.total_received(), Amount::from_shillings(150));
    assert_eq!(book.total_reversed(), Amount::from_shillings(150));
    let reversal = book.find_moved("reversal-3").expect("moved");
    assert_eq!(reversal.phone, Some(phone(1)));
    let first = book.by_receipt(&paid.receipt).expect("there");
    assert_eq!(first.reversed_by.as_deref(), Some(reversal.receipt.as_str()));
    let kinds: Vec<_> = book.movements(0, 9).iter().map(|moved| moved.movement.kind()).collect();
    assert_eq!(kinds, ["c2b", "reversal"]);
    assert_eq!(book.payments(), 0, "no payout");
    // A payout is not reversed.
    let taken = book.take(NOW, "payout", pay(1, 100)).expect("new");
    let Fate::Paid(entry) = taken.fate else { panic!("not paid") };
    let taken = book.take(NOW, "last", back(&entry.receipt, 100, "174379")).expect("new");
    assert_eq!(code(&taken), "R000002");
}

#[test]
fn organisations_pay_each_other_and_themselves() {
    let mut book = book()
        .with_working(shortcode("174379"), Amount::from_shillings(500))
        .with_working(shortcode("600999"), Amount::ZERO);
    // By what; to whom; how much; what it ends in; utility, and the working accounts after it.
    let table = [
        ("BusinessPayBill", "888880", 100, "0", 1_000, 400, 0),
        ("BusinessBuyGoods", "600999", 100, "0", 1_000, 300, 100),
        ("BusinessPayToBulk", "600999", 100, "0", 1_100, 200, 100),
        ("BusinessPayBill", "888880", 201, "1", 1_100, 200, 100),
        ("BusinessPayBill", "888880", 0, "2", 1_100, 200, 100),
    ];
    for (number, (command, to, shillings, expected, utility, first, second)) in
        table.into_iter().enumerate()
    {
        let wish = Wish::Move(Movement::Business(Business {
            from: shortcode("174379"),
            to: shortcode(to),
            amount: Amount::from_shillings(shillings),
            command,
            account: String::new(),
        }));
        let taken = book.take(NOW, &format!("b-{number}"), wish).expect("new");
        assert_eq!(code(&taken), expected, "{number}");
        assert_eq!(book.balance(), Amount::from_shillings(utility), "{number}");
        let held = |code| book.working(&shortcode(code));
        assert_eq!(held("174379"), Some(Amount::from_shillings(first)), "{number}");
        assert_eq!(held("600999"), Some(Amount::from_shillings(second)), "{number}");
    }
    assert_eq!(book.total_paid(), Amount::ZERO, "none of it was a payout");
}

#[test]
fn deposits_are_listed_by_time_and_in_pages() {
    let mut book = book().with_working(shortcode("174379"), Amount::ZERO);
    let at = |second: i64| Timestamp::from_millis(second * 1000);
    for second in 1..=5 {
        let reserved = book.reserve(NOW);
        book.deposit(at(second), deposit(10), &reserved).expect("paid");
    }
    let seqs = |from, until, skip, limit| -> Vec<u64> {
        let span = (at(from), at(until));
        let listed = book.deposits(&shortcode("174379"), span, (skip, limit));
        listed.iter().map(|moved| moved.seq).collect()
    };
    assert_eq!(seqs(0, 9, 0, 9), [1, 2, 3, 4, 5]);
    assert_eq!(seqs(2, 4, 0, 9), [2, 3, 4]);
    assert_eq!(seqs(0, 9, 2, 2), [3, 4]);
    assert!(seqs(6, 9, 0, 9).is_empty());
}
