//! One receipt is one payment: what comes in two notices counts once, whatever comes first, and
//! whoever claimed it.

use std::sync::Arc;

use mlango::domain::id::{AppId, PaymentId};
use mlango::domain::payment::{C2bNotice, Payer, PayerPhone, Source, State, Status};
use mlango::engine::port::Api;
use mlango::engine::{ClaimError, Hearing, StkHeard};
use mlango::store::{Channel, Store};

use tokio::task::JoinSet;

use super::house::{PHONE, RECEIPT, Till, called_back, incoming, notice, paid};
use crate::support::counter::Says;
use crate::support::house::APP;
use crate::support::store::Trouble;
use crate::support::{millis, secs};

/// The id of the payment that counts.
async fn only_paid(till: &Till) -> PaymentId {
    let paid = till.paid().await;
    assert_eq!(paid.len(), 1, "{paid:?}");
    paid[0].details.id
}

#[tokio::test(start_paused = true)]
async fn the_confirmation_after_the_callback_says_nothing_new() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    till.calls_back(id, paid(id, RECEIPT)).await;
    assert_eq!(till.confirms(notice(RECEIPT, till.now())).await, Hearing::Applied);
    let payment = till.payment(id).await;
    let told = payment.state.paid().expect("paid");
    assert_eq!(told.payer_name.as_ref().map(|name| name.reveal()), Some("AMINA"));
    for _ in 0..3 {
        assert_eq!(till.confirms(notice(RECEIPT, till.now())).await, Hearing::Noted);
    }
    assert_eq!(till.payments().await.len(), 1);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn the_callback_after_the_confirmation_takes_the_payment_over_with_its_claim() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    till.confirms(notice(RECEIPT, till.now())).await;
    let c2b = only_paid(&till).await;
    assert_ne!(c2b, id);
    let claimed = till.engine.claim_payment(APP, false, c2b, "order 1").await.expect("claimed");
    assert!(claimed.is_claimed());
    assert_eq!(till.calls_back(id, paid(id, RECEIPT)).await, Hearing::Applied);
    assert_eq!(only_paid(&till).await, id);
    assert!(matches!(till.payment(c2b).await.state, State::Joined { to, .. } if to == id));
    let claim = till.payment(id).await.state.claim().cloned().expect("carried over");
    assert_eq!((claim.app, claim.purpose.as_str()), (APP, "order 1"));
    // By whichever id it is asked for, it is claimed; and the same claim again is safe.
    let other = AppId::from_bytes([8; 16]);
    for id in [id, c2b] {
        let again = till.engine.claim_payment(APP, true, id, "order 1").await.expect("the same");
        assert!(again.is_claimed());
        let taken = till.engine.claim_payment(other, true, id, "order 1").await;
        assert_eq!(taken, Err(ClaimError::Taken(claim.clone())));
    }
    assert_eq!(till.confirms(notice(RECEIPT, till.now())).await, Hearing::Noted);
    assert_eq!(till.calls_back(id, paid(id, RECEIPT)).await, Hearing::Noted);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn two_notices_that_race_are_one_payment() {
    for round in 0..40_u64 {
        let till = Till::open().await;
        let id = till.push().await;
        till.until_prompted(id).await;
        let mut tasks = vec![];
        for nth in 0..24_u64 {
            let (engine, now) = (Arc::clone(&till.engine), till.now());
            tasks.push(tokio::spawn(async move {
                tokio::time::sleep(millis((nth * round) % 5)).await;
                if (nth + round) % 2 == 0 {
                    let heard = StkHeard::Facts { payment: Some(id), facts: paid(id, RECEIPT) };
                    engine.hear_stk(incoming(Channel::StkCallback), heard).await
                } else {
                    let incoming = incoming(Channel::C2bConfirmation);
                    let notice = notice(RECEIPT, now);
                    engine.hear_c2b(incoming, Ok(notice), Source::Confirmation).await
                }
            }));
        }
        for task in tasks {
            let heard = task.await.expect("no panic").expect("it is kept");
            assert!(matches!(heard, Hearing::Applied | Hearing::Noted), "{heard:?}");
        }
        assert_eq!(only_paid(&till).await, id, "round {round}");
        let found = till.store.payment_by_receipt(&RECEIPT.parse_receipt()).await;
        assert_eq!(found.expect("readable"), Some(id));
        till.waits(secs(5)).await;
        assert_eq!(till.notifier.sent().len(), 1, "thanked once");
        till.is_in_order().await;
    }
}

/// A word of a test as a receipt.
trait ParseReceipt {
    fn parse_receipt(&self) -> mlango::domain::id::Receipt;
}

impl ParseReceipt for str {
    fn parse_receipt(&self) -> mlango::domain::id::Receipt {
        mlango::domain::id::Receipt::new(self).expect("a receipt")
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_and_a_confirmation_that_cross_are_one_payment() {
    // Each is decided on before the other is on the disk, in either order.
    for (slow, first) in [("payment.received", "query"), ("payment.received", "confirmation")] {
        let till = Till::open().await;
        till.counter.script(Api::PromptQuery, [Says::Result("0").after(secs(5))]);
        let id = till.push().await;
        till.until_prompted(id).await;
        till.waits(secs(24)).await;
        assert_eq!(till.counter.count(Api::PromptQuery), 1, "its answer is on its way");
        till.store.plan(slow, 1, Trouble::Slow(secs(3)));
        if first == "confirmation" {
            // Decided now, on the disk three seconds later, after the query's.
            assert_eq!(till.confirms(notice(RECEIPT, till.now())).await, Hearing::Applied);
        } else {
            // The query's is decided first and is on the disk last.
            till.waits(secs(2)).await;
            assert_eq!(till.confirms(notice(RECEIPT, till.now())).await, Hearing::Applied);
        }
        till.waits(secs(10)).await;
        assert_eq!(till.status(id).await, Status::Succeeded);
        assert_eq!(only_paid(&till).await, id, "the {first} first");
        let payment = till.payment(id).await;
        assert_eq!(payment.receipt().map(ToString::to_string).as_deref(), Some(RECEIPT));
        till.is_in_order().await;
    }
}

#[tokio::test(start_paused = true)]
async fn words_that_cross_are_never_two_payments_and_never_thank_twice() {
    // The confirmation is decided on at 24 s, the query's answer at 25 s; one of them is on the
    // disk only after the other was decided on. A crash may come at any moment between.
    for (at, slow) in [(secs(24), "the confirmation"), (secs(26), "the query")] {
        let till = Till::open().await;
        till.counter.script(Api::PromptQuery, [Says::Result("0").after(secs(5))]);
        let id = till.push().await;
        till.until_prompted(id).await;
        till.waits(secs(24) - millis(100)).await;
        till.store.plan("payment.received", 1, Trouble::Slow(secs(3)));
        till.waits(at - secs(24)).await;
        let (engine, now) = (Arc::clone(&till.engine), till.now());
        let whole = Payer { phone: PayerPhone::read(PHONE), ..notice(RECEIPT, now).payer };
        let confirmation = tokio::spawn(async move {
            let told = C2bNotice { payer: whole, ..notice(RECEIPT, now) };
            engine
                .hear_c2b(incoming(Channel::C2bConfirmation), Ok(told), Source::Confirmation)
                .await
        });
        for _ in 0..200 {
            till.waits(millis(50)).await;
            assert!(till.paid().await.len() <= 1, "{slow} is slow: the money counts twice");
        }
        assert_eq!(confirmation.await.expect("no panic"), Ok(Hearing::Applied));
        assert_eq!(only_paid(&till).await, id);
        assert_eq!(till.payment(id).await.receipt(), Some(&RECEIPT.parse_receipt()));
        till.waits(secs(10)).await;
        assert_eq!(till.notifier.sent().len(), 1, "{slow} is slow: thanked once");
        till.is_in_order().await;
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_confirmations_that_one_prompt_could_adopt_none_is_lost() {
    let till = Till::open().await;
    till.counter.script(Api::PromptQuery, [Says::Result("0").now()]);
    let id = till.push().await;
    till.until_status(id, Status::Succeeded).await;
    // The payer paid by hand as well; both are looked up before either is on the disk.
    till.store.plan("payment.completed", 1, Trouble::Slow(secs(1)));
    let now = till.now();
    let (one, other) =
        tokio::join!(till.confirms(notice(RECEIPT, now)), till.confirms(notice("UJ34AA0002", now)));
    assert_eq!((one, other), (Hearing::Applied, Hearing::Applied));
    let mut receipts: Vec<_> =
        till.paid().await.iter().map(|payment| payment.receipt().cloned()).collect();
    receipts.sort();
    assert_eq!(receipts, ["UJ34AA0002", RECEIPT].map(|it| Some(it.parse_receipt())));
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_callback_without_its_items_after_the_confirmation_is_one_payment() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    till.confirms(notice(RECEIPT, till.now())).await;
    assert_eq!(till.calls_back(id, called_back(id, "0")).await, Hearing::Applied);
    assert_eq!(only_paid(&till).await, id);
    assert_eq!(till.payment(id).await.receipt(), Some(&RECEIPT.parse_receipt()));
    // The other way round, too: then the confirmation fills the receipt in.
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    assert_eq!(till.calls_back(id, called_back(id, "0")).await, Hearing::Applied);
    till.confirms(notice(RECEIPT, till.now())).await;
    assert_eq!(only_paid(&till).await, id);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn of_a_thousand_claims_at_once_one_wins() {
    let till = Till::open().await;
    till.confirms(notice(RECEIPT, till.now())).await;
    let id = only_paid(&till).await;
    let mut claims = JoinSet::new();
    for nth in 0..1_000_u16 {
        let engine = Arc::clone(&till.engine);
        claims.spawn(async move {
            let mut bytes = [0; 16];
            bytes[..2].copy_from_slice(&nth.to_be_bytes());
            let app = AppId::from_bytes(bytes);
            (app, engine.claim_payment(app, false, id, "order 1").await)
        });
    }
    let mut winners = vec![];
    let mut losers = vec![];
    for claim in claims.join_all().await {
        match claim {
            (app, Ok(_payment)) => winners.push(app),
            (_app, Err(ClaimError::Taken(has))) => losers.push(has.app),
            (_app, Err(other)) => panic!("{other:?}"),
        }
    }
    assert_eq!(winners.len(), 1);
    assert!(losers.iter().all(|has| *has == winners[0]), "each is told who has it");
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_paid_cannot_be_claimed_nor_what_is_another_s_be_seen() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    let claim = till.engine.claim_payment(APP, false, id, "order 1").await;
    assert_eq!(claim, Err(ClaimError::NotPaid(Status::Pending)));
    till.calls_back(id, paid(id, RECEIPT)).await;
    let other = AppId::from_bytes([8; 16]);
    let claim = till.engine.claim_payment(other, false, id, "order 1").await;
    assert_eq!(claim, Err(ClaimError::NotFound), "it is an application's own");
    assert!(till.engine.claim_payment(APP, false, id, "order 1").await.is_ok());
}
