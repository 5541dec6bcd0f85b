//! Questions how a prompt ended, and what their answers are worth (spec/daraja.md §1.3, §3.1).

use mlango::domain::id::Receipt;
use mlango::domain::payment::{Forbidden, State, Status};
use mlango::domain::payout::{CaseKind, Ruling};
use mlango::engine::port::Api;
use mlango::engine::{Hearing, QueryError};

use super::house::{RECEIPT, Till, notice, paid};
use crate::support::counter::{LOST, NO_LINK, Says};
use crate::support::house::APP;
use crate::support::{millis, secs};

#[tokio::test(start_paused = true)]
async fn words_that_settle_nothing_are_followed_by_another_question() {
    let till = Till::open().await;
    let open = [
        Says::Result("4999"),
        Says::Code("500.001.1001:processing"),
        Says::Code("500.001.1001:no_transaction"),
        Says::Code("400.002.02:checkout"),
        Says::Result("no-such-code"),
        Says::Code("http.503"),
        LOST,
    ];
    till.counter.script(Api::PromptQuery, open.clone().map(Says::now));
    till.counter.script(Api::PromptQuery, [Says::Result("1032").now()]);
    let id = till.push().await;
    let payment = till.until_status(id, Status::Failed).await;
    assert_eq!(payment.state.failure().map(|it| it.code.as_str()), Some("1032"));
    assert_eq!(till.counter.count(Api::PromptQuery), open.len() + 1);
    assert_eq!(till.counter.count(Api::Prompt), 1);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn too_fast_slows_the_rail_and_is_asked_again() {
    let till = Till::open().await;
    till.counter.script(Api::PromptQuery, [Says::Code("http.429.spike_arrest").now()]);
    let id = till.push().await;
    till.waits(millis(20_600)).await;
    assert_eq!(till.counter.count(Api::PromptQuery), 1);
    let (_name, state) = till.engine.rail_states().pop().expect("a rail");
    assert!(state.slowed_until.is_some_and(|until| until > till.now()), "{state:?}");
    till.waits(secs(16)).await;
    assert_eq!(till.counter.count(Api::PromptQuery), 2);
    assert_eq!(till.status(id).await, Status::Pending);
}

#[tokio::test(start_paused = true)]
async fn the_first_question_comes_after_the_usual_callback_and_the_next_ever_later() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    for (after, asked) in [(19, 0), (2, 1), (14, 2), (30, 3), (60, 4), (120, 5), (300, 6)] {
        till.waits(secs(after)).await;
        assert_eq!(till.counter.count(Api::PromptQuery), asked, "after {after} more seconds");
    }
    assert_eq!(till.cases().await, []);
    till.waits(secs(900 + 3_600 + 3_700)).await;
    assert_eq!(till.status(id).await, Status::Unknown);
    assert_eq!(till.cases().await, [CaseKind::StillUnknown], "once");
    till.waits(secs(7 * 86_400)).await;
    let asked = till.counter.count(Api::PromptQuery);
    assert!((9..=13).contains(&asked), "{asked}");
    assert_eq!(till.cases().await, [CaseKind::StillUnknown], "once");
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_question_that_did_not_leave_is_put_again_soon_and_does_not_count() {
    let till = Till::open().await;
    till.counter.script(Api::PromptQuery, (0..20).map(|_| NO_LINK.now()));
    till.counter.script(Api::PromptQuery, [Says::Result("1032").now()]);
    let id = till.push().await;
    till.until_status(id, Status::Failed).await;
    assert_eq!(till.counter.count(Api::PromptQuery), 21);
    assert_eq!(till.cases().await, [], "a dead link uses up no schedule");
}

#[tokio::test(start_paused = true)]
async fn paid_by_a_query_has_no_receipt_until_its_confirmation_is_adopted() {
    let till = Till::open().await;
    till.counter.script(Api::PromptQuery, [Says::Result("0").now()]);
    let id = till.push().await;
    let payment = till.until_status(id, Status::Succeeded).await;
    assert_eq!(payment.receipt(), None);
    assert_eq!(till.confirms(notice(RECEIPT, till.now())).await, Hearing::Applied);
    let payment = till.payment(id).await;
    assert_eq!(payment.receipt().map(ToString::to_string).as_deref(), Some(RECEIPT));
    assert_eq!(
        payment.state.paid().and_then(|paid| paid.balance).map(|it| it.cents()),
        Some(500_000)
    );
    assert_eq!(till.payments().await.len(), 1, "no second payment");
    // The same money, confirmed again and called back at last.
    assert_eq!(till.confirms(notice(RECEIPT, till.now())).await, Hearing::Noted);
    assert_eq!(till.calls_back(id, paid(id, RECEIPT)).await, Hearing::Noted);
    // Another customer's payment to the same account is another payment.
    assert_eq!(till.confirms(notice("UJ34AA0002", till.now())).await, Hearing::Applied);
    assert_eq!(till.paid().await.len(), 2);
    till.waits(secs(10)).await;
    assert_eq!(till.notifier.sent().len(), 1, "the payer is thanked once");
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_before_the_query_is_taken_over_by_it() {
    let till = Till::open().await;
    till.counter.script(Api::PromptQuery, [Says::Result("0").now()]);
    let id = till.push().await;
    till.until_prompted(id).await;
    till.waits(secs(5)).await;
    assert_eq!(till.confirms(notice(RECEIPT, till.now())).await, Hearing::Applied);
    assert_eq!(till.payments().await.len(), 2, "nobody knows yet that it is the same money");
    let payment = till.until_status(id, Status::Succeeded).await;
    assert_eq!(payment.receipt().map(ToString::to_string).as_deref(), Some(RECEIPT));
    assert_eq!(till.payments().await.len(), 1);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn somebody_may_have_it_asked_now_but_not_twice_at_once() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    till.counter.script(Api::PromptQuery, [Says::Result("4999").now()]);
    till.engine.query_now(Some(APP), id).await.expect("it is asked");
    till.waits(secs(1)).await;
    assert_eq!(till.counter.count(Api::PromptQuery), 1);
    let again = till.engine.query_now(Some(APP), id).await;
    assert_eq!(again, Err(QueryError::Refused(Forbidden::AskedJustNow)));
    let stranger = mlango::domain::id::AppId::from_bytes([8; 16]);
    assert_eq!(till.engine.query_now(Some(stranger), id).await, Err(QueryError::NotFound));
    till.calls_back(id, paid(id, RECEIPT)).await;
    let settled = till.engine.query_now(None, id).await;
    assert_eq!(settled, Err(QueryError::Refused(Forbidden::NothingToAsk)));
}

#[tokio::test(start_paused = true)]
async fn a_person_settles_what_nobody_else_could() {
    let till = Till::open().await;
    till.counter.script(Api::Prompt, [LOST.now()]);
    let id = till.push().await;
    till.until_status(id, Status::Unknown).await;
    let ruling = |receipt: &str| Ruling {
        by: "Wanjiru".to_owned(),
        receipt: Receipt::new(receipt),
        reason: "on the statement".to_owned(),
    };
    // A receipt that another payment has.
    let other = super::house::notice_from("254700000005", "UJ34AA0007", till.now());
    let other = mlango::domain::payment::C2bNotice {
        amount: mlango::domain::money::Amount::from_shillings(7),
        ..other
    };
    till.confirms(other).await;
    let refused = till.engine.rule_on_payment(None, id, ruling("UJ34AA0007")).await;
    assert_eq!(refused, Err(QueryError::Refused(Forbidden::ReceiptOfAnother)));
    till.engine.rule_on_payment(None, id, ruling(RECEIPT)).await.expect("ruled");
    assert!(matches!(till.payment(id).await.state, State::Succeeded { .. }));
    till.is_in_order().await;
}
