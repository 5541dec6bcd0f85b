//! When M-Pesa is asked, how often, and what its answer is worth.

use crate::book::{Book, DAY, MINUTE, SECOND, called_back, moved};
use mlango::domain::payment::{Effect, Forbidden, State, Status, Verdict};
use mlango::domain::payout::CaseKind;

#[test]
fn m_pesa_is_asked_by_the_schedule_then_daily_then_no_more() {
    let (mut book, id) = Book::with_a_prompt();
    book.prompts(id);
    // After the prompt, then after each question; the last pause once more, then a person.
    let pauses = [20, 15, 30, 60, 120, 300, 900, 3_600, 3_600];
    for (nth, pause) in (1..).zip(pauses) {
        assert_eq!(book.wakes_in(id), Some(SECOND * pause), "before question {nth}");
        assert_eq!(book.status(id), Status::Pending, "before question {nth}");
        book.waits(SECOND * pause);
        let verdict = book.asks(id);
        assert!(
            matches!(&verdict, Verdict::Moved { effects, .. }
                if effects.contains(&Effect::Ask { nth })),
            "{verdict:?}"
        );
        book.is_told(id, "500.001.1001:processing", None);
    }
    assert_eq!(book.status(id), Status::Unknown);
    assert_eq!(book.cases(), [CaseKind::StillUnknown]);
    for day in 1..=3 {
        assert_eq!(book.wakes_in(id), Some(DAY), "day {day}");
        book.waits(DAY);
        book.asks(id);
    }
    assert_eq!(book.wakes_in(id), None, "enough");
    assert_eq!(book.cases().len(), 1, "a person is called once");
    // By hand still, and late word is heard still.
    book.waits(DAY);
    moved(book.happens(id, &mlango::domain::payment::Event::AskWanted));
    moved(book.asks(id));
    moved(book.is_told(id, "0", Some("1032")));
    assert_eq!(book.status(id), Status::Failed);
}

#[test]
fn only_a_known_final_word_to_an_answered_question_settles() {
    // spec/daraja.md §1.3, §3.1: the code of the answer, its result code, what becomes of it.
    let table = [
        ("0", Some("0"), Status::Succeeded),
        ("00000000", Some("0"), Status::Succeeded),
        ("0", Some("1"), Status::Failed),
        ("0", Some("1032"), Status::Failed),
        ("0", Some("1037"), Status::Failed),
        ("0", Some("2001"), Status::Failed),
        ("0", Some("4999"), Status::Pending),
        ("0", Some("1033"), Status::Pending),
        ("0", Some(""), Status::Pending),
        ("0", None, Status::Pending),
        ("1", Some("0"), Status::Pending),
        ("500.001.1001", Some("1032"), Status::Pending),
        ("500.001.1001:processing", None, Status::Pending),
        ("500.001.1001:no_transaction", None, Status::Pending),
        ("400.002.02:checkout", None, Status::Pending),
        ("http.429.spike_arrest", None, Status::Pending),
        ("unreadable", None, Status::Pending),
    ];
    for (code, result, expected) in table {
        let (mut book, id) = Book::with_a_prompt();
        book.prompts(id);
        book.waits(20 * SECOND);
        book.asks(id);
        book.is_told(id, code, result);
        assert_eq!(book.status(id), expected, "{code} {result:?}");
    }
}

#[test]
fn without_an_id_nobody_can_be_asked_and_a_person_is_called_once() {
    let (mut book, id) = Book::with_a_prompt();
    book.sends(id);
    book.loses_the_answer(id);
    assert_eq!(book.status(id), Status::Unknown);
    let wanted = book.happens(id, &mlango::domain::payment::Event::AskWanted);
    assert_eq!(wanted, Verdict::Forbidden(Forbidden::NoNameToAskBy));
    assert_eq!(book.wakes_in(id), Some(15 * MINUTE));
    book.waits(15 * MINUTE);
    book.asks(id);
    assert_eq!((book.cases(), book.wakes_in(id)), (vec![CaseKind::StillUnknown], None));
    // The callback names the prompt, and settles nothing: now M-Pesa can be asked.
    book.hears(id, called_back(id, "77"));
    assert_eq!(book.wakes_in(id), Some(20 * SECOND));
    book.waits(20 * SECOND);
    book.asks(id);
    book.is_told(id, "0", Some("0"));
    assert_eq!(book.status(id), Status::Succeeded);
    assert_eq!(book.cases().len(), 1);
}

#[test]
fn a_question_that_never_left_does_not_count_and_is_put_again_soon() {
    let (mut book, id) = Book::with_a_prompt();
    book.prompts(id);
    for nth in 1..=50 {
        book.waits(book.wakes_in(id).expect("a time"));
        book.asks(id);
        let event = mlango::domain::payment::Event::QueryNotSent { nth };
        moved(book.happens(id, &event));
        assert!(book.wakes_in(id).expect("a time") <= 30 * SECOND, "{nth}");
        let again = book.happens(id, &event);
        assert!(matches!(again, Verdict::Noted(_)), "said once: {again:?}");
    }
    let asking = *book.get(id).state.asking().expect("asking");
    assert_eq!((asking.asked, asking.nth), (0, 50), "no two questions share a number");
    assert!(book.cases().is_empty());
}

#[test]
fn by_hand_m_pesa_is_asked_again_after_a_quarter_of_a_minute() {
    let (mut book, id) = Book::with_a_prompt();
    book.prompts(id);
    let wanted = mlango::domain::payment::Event::AskWanted;
    moved(book.happens(id, &wanted));
    moved(book.asks(id));
    book.waits(14 * SECOND);
    assert_eq!(book.happens(id, &wanted), Verdict::Forbidden(Forbidden::AskedJustNow));
    book.waits(SECOND);
    moved(book.happens(id, &wanted));
}

#[test]
fn a_clock_that_was_set_back_holds_no_question_up() {
    let (mut book, id) = Book::with_a_prompt();
    book.prompts(id);
    book.now = mlango::domain::time::Timestamp::from_millis(book.now.millis() - 200_000_000);
    moved(book.asks(id));
    assert!(matches!(book.get(id).state, State::Prompted { .. }));
}
