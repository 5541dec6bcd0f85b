//! Payments that come by themselves: whether they are taken, and that they are never lost.

use std::sync::Arc;
use std::time::Duration;

use mlango::domain::id::AppId;
use mlango::domain::limit::AmountLimits;
use mlango::domain::money::Amount;
use mlango::domain::payment::validation::{Answer, Expected, Refusal, Rules, Times, Unlisted};
use mlango::domain::payment::{C2bNotice, NoticeKind, Payer, Source};
use mlango::domain::payout::CaseKind;
use mlango::engine::{Hearing, TillSettings, Validated};
use mlango::store::{Channel, Store};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::house::{ACCOUNT, RECEIPT, Till, incoming, notice};
use crate::support::store::Trouble;
use crate::support::{BEGIN, millis, secs};

#[tokio::test(start_paused = true)]
async fn a_receipt_is_one_payment_however_often_and_fast_it_comes() {
    let till = Till::open().await;
    let mut tasks = JoinSet::new();
    for _ in 0..30 {
        let (engine, notice) = (Arc::clone(&till.engine), notice(RECEIPT, till.now()));
        tasks.spawn(async move {
            let incoming = incoming(Channel::C2bConfirmation);
            engine.hear_c2b(incoming, Ok(notice), Source::Confirmation).await
        });
    }
    let mut applied = 0;
    for heard in tasks.join_all().await {
        let heard = heard.expect("it is kept");
        assert!(matches!(heard, Hearing::Applied | Hearing::Noted), "{heard:?}");
        applied += usize::from(heard == Hearing::Applied);
    }
    assert_eq!((applied, till.paid().await.len()), (1, 1));
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn what_may_be_missing_is_missing_and_the_money_counts_all_the_same() {
    let till = Till::open().await;
    let bare = C2bNotice {
        kind: NoticeKind::read(""),
        time: None,
        account: String::new(),
        balance: None,
        payer: Payer::default(),
        odd: Some("an item that cannot be read".to_owned()),
        ..notice(RECEIPT, BEGIN)
    };
    assert_eq!(till.confirms(bare).await, Hearing::Applied);
    let paid = till.paid().await;
    assert_eq!(paid.len(), 1);
    assert_eq!(paid[0].phone(), None);
    assert_eq!(paid[0].paid_at(), Some(paid[0].details.created_at));
    assert_eq!(till.cases().await, [CaseKind::Mismatch], "odd, in the book, and shown to a person");
    till.waits(secs(5)).await;
    assert_eq!(till.notifier.sent(), [], "nobody knows whom to thank");
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn another_word_under_a_known_receipt_is_a_case_and_changes_nothing() {
    let till = Till::open().await;
    till.confirms(notice(RECEIPT, BEGIN)).await;
    let other = C2bNotice { amount: Amount::from_shillings(9), ..notice(RECEIPT, BEGIN) };
    assert_eq!(till.confirms(other).await, Hearing::Contradicted);
    assert_eq!(till.paid().await[0].details.amount, Amount::from_shillings(1_500));
    let unreadable = till.engine.hear_c2b(
        incoming(Channel::C2bConfirmation),
        Err("it lacks a receipt".to_owned()),
        Source::Confirmation,
    );
    assert_eq!(unreadable.await, Ok(Hearing::Malformed));
    let mut cases = till.cases().await;
    cases.sort();
    assert_eq!(cases, [CaseKind::Mismatch, CaseKind::Malformed]);
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_that_cannot_be_stored_is_not_acknowledged() {
    let till = Till::open().await;
    for trouble in [Trouble::Broken, Trouble::Full, Trouble::WrittenYetBroken] {
        till.store.plan("payment.received", 1, trouble);
        let heard = till.try_confirmation(notice(RECEIPT, BEGIN)).await;
        assert!(heard.is_err(), "{trouble:?}");
    }
    assert_eq!(till.confirms(notice(RECEIPT, BEGIN)).await, Hearing::Noted, "it was written");
    assert_eq!(till.paid().await.len(), 1);
    till.is_in_order().await;
}

fn expected(reference: &str) -> Expected {
    Expected {
        reference: reference.to_owned(),
        amount: Some(Amount::from_shillings(1_500)),
        phone: None,
        expires_at: None,
        times: Times::Once,
        paid: 0,
        app: Some(AppId::from_bytes([5; 16])),
        third_party_id: Some("INV77".to_owned()),
    }
}

fn strict() -> TillSettings {
    TillSettings {
        rules: Rules {
            shortcodes: vec!["174379".to_owned()],
            accounts: vec!["ORDER*".parse().expect("a pattern")],
            amounts: AmountLimits {
                least: Amount::from_shillings(10),
                most: Amount::from_shillings(2_000),
            },
            unlisted: Unlisted::TurnedDown,
        },
        ..TillSettings::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_to_a_number_that_is_not_ours_is_a_case_and_pays_nothing() {
    // To what number, who tells; whether it counts.
    let table = [
        ("174379", Source::Confirmation, true),
        ("600111", Source::Confirmation, false),
        ("600111", Source::Pull, true),
    ];
    for (shortcode, by, counts) in table {
        let till = Till::with(strict());
        let told = C2bNotice { shortcode: shortcode.to_owned(), ..notice(RECEIPT, till.now()) };
        let heard = till.engine.hear_c2b(incoming(Channel::C2bConfirmation), Ok(told), by).await;
        let (expected, cases): (_, &[_]) = if counts {
            (Hearing::Applied, &[])
        } else {
            (Hearing::Contradicted, &[CaseKind::Mismatch])
        };
        assert_eq!(heard, Ok(expected), "{shortcode} {by:?}");
        assert_eq!(till.paid().await.len(), usize::from(counts), "{shortcode} {by:?}");
        assert_eq!(till.cases().await, cases, "{shortcode} {by:?}");
        till.is_in_order().await;
    }
}

async fn validate(till: &Till, notice: Result<C2bNotice, String>) -> Validated {
    till.engine.validate(incoming(Channel::C2bValidation), notice).await
}

#[tokio::test(start_paused = true)]
async fn an_expected_reference_can_be_paid_once_by_the_rules_and_is_its_applications() {
    let till = Till::with(strict());
    till.validator.answers(Duration::ZERO, None);
    till.engine.expect(vec![expected("order001")], None).await.expect("taken");
    let other = C2bNotice { account: "ORDER002".to_owned(), ..notice(RECEIPT, BEGIN) };
    let little = C2bNotice { amount: Amount::from_shillings(100), ..notice(RECEIPT, BEGIN) };
    let strange = C2bNotice { shortcode: "600111".to_owned(), ..notice(RECEIPT, BEGIN) };
    let taken = Answer::Accept { third_party_id: Some("INV77".to_owned()) };
    let table = [
        (Ok(notice(RECEIPT, BEGIN)), taken),
        (Ok(other), Answer::Reject(Refusal::Account)),
        (Ok(little), Answer::Reject(Refusal::Amount)),
        (Ok(strange), Answer::Reject(Refusal::ShortCode)),
        (Err("no receipt".to_owned()), Answer::Reject(Refusal::Other)),
    ];
    for (notice, answer) in table {
        let validated = validate(&till, notice.clone()).await;
        assert_eq!(validated, Validated { answer, by: "rules" }, "{notice:?}");
    }
    till.confirms(notice(RECEIPT, BEGIN)).await;
    assert_eq!(till.paid().await[0].details.app, Some(AppId::from_bytes([5; 16])));
    let again = validate(&till, Ok(notice("UJ34AA0002", BEGIN))).await;
    assert_eq!(again.answer, Answer::Reject(Refusal::Account), "it is paid already");
}

#[tokio::test(start_paused = true)]
async fn no_payment_of_an_expected_reference_is_left_uncounted() {
    let till = Till::with(strict());
    let many = || Expected { times: Times::Many, ..expected("ORDER001") };
    let paid = async || {
        let found = till.store.expected("order001").await.expect("memory is readable");
        found.expect("it is expected").paid
    };
    till.engine.expect(vec![many()], None).await.expect("taken");
    // Several at once, each decided on before the others are on the disk.
    till.store.plan("payment.received", 3, Trouble::Slow(Duration::from_secs(1)));
    tokio::join!(
        till.confirms(notice(RECEIPT, BEGIN)),
        till.confirms(notice("UJ34AA0002", BEGIN)),
        till.confirms(notice("UJ34AA0003", BEGIN)),
    );
    assert_eq!(paid().await, 3);
    // An import that knows of none of them.
    till.engine.expect(vec![many()], None).await.expect("taken");
    assert_eq!(paid().await, 3, "an import says nothing of what was paid");
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn an_application_that_never_answers_leaves_it_to_the_rules_in_time() {
    let table = [
        (ACCOUNT, Answer::Accept { third_party_id: Some("INV77".to_owned()) }),
        ("ORDER002", Answer::Reject(Refusal::Account)),
    ];
    for (account, answer) in table {
        let till = Till::with(strict());
        till.engine.expect(vec![expected(ACCOUNT)], None).await.expect("taken");
        let asked = C2bNotice { account: account.to_owned(), ..notice(RECEIPT, BEGIN) };
        let began = Instant::now();
        let validated = validate(&till, Ok(asked)).await;
        assert_eq!(validated.answer, answer, "{account}");
        assert!(began.elapsed() <= millis(5_500), "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn the_application_is_asked_only_where_the_rules_let_it_pass() {
    let till = Till::with(strict());
    till.engine.expect(vec![expected(ACCOUNT)], None).await.expect("taken");
    till.validator.answers(secs(1), Some(Answer::Reject(Refusal::Kyc)));
    let refused = C2bNotice { account: "ORDER002".to_owned(), ..notice(RECEIPT, BEGIN) };
    assert_eq!(validate(&till, Ok(refused)).await.by, "rules");
    assert_eq!(till.validator.asked(), 0);
    let validated = validate(&till, Ok(notice(RECEIPT, BEGIN))).await;
    let says_no = Answer::Reject(Refusal::Kyc);
    assert_eq!(validated, Validated { answer: says_no, by: "application" });
}

#[tokio::test(start_paused = true)]
async fn a_store_in_trouble_does_not_hold_a_validation_up() {
    let till = Till::new();
    till.validator.answers(Duration::ZERO, None);
    till.store.plan("", 5, Trouble::Slow(secs(60)));
    let began = Instant::now();
    let validated = validate(&till, Ok(notice(RECEIPT, BEGIN))).await;
    assert_eq!(validated.answer, Answer::Accept { third_party_id: None });
    assert!(began.elapsed() <= secs(1), "{:?}", began.elapsed());
}
