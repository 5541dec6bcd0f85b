//! What people who run the gateway may do, and a rail that stops and is proven again.

use std::sync::Arc;
use std::time::Duration;

use crate::support::house::{APP, House, paid, phone, result, stands};
use crate::support::rail::{ScriptedRail, TAKEN, What, about};
use crate::support::store::{Trouble, TroubledStore};
use crate::support::{BEGIN, millis, secs};
use mlango::domain::id::{AppId, CaseId, PayoutId, Receipt};
use mlango::domain::money::Amount;
use mlango::domain::payout::{Forbidden, Rail, Ruling, State, Status, TransactionStatus};
use mlango::engine::{Hearing, NotClosed, NotDone, Settings};
use mlango::store::{RailRecord, Store};

const STRANGE: What = What::Code("no-such-code");
/// M-Pesa refuses our credentials, in an answer.
const REFUSED: What = What::Code("100000007");
/// Who runs the gateway.
const WANJIRU: &str = "Wanjiru";

async fn in_doubt(house: &House, phone: &str) -> PayoutId {
    house.rail.script(phone, [STRANGE.now()]);
    let id = house.submit(phone).await;
    house.until(id, Status::Unknown).await;
    id
}

/// What the disk says of the rail.
async fn on_the_disk(house: &House) -> RailRecord {
    let rails = house.store.rails().await.expect("readable");
    rails.into_iter().find(|record| record.rail == Rail::Soap).expect("it was written down")
}

/// A house whose rail waits so long for the first result.
fn wary(store: Arc<TroubledStore>, first_result_wait: Duration) -> House {
    let rail = Arc::new(ScriptedRail::new(Arc::clone(&store), 8));
    let settings = Settings { first_result_wait, ..House::settings() };
    House::with_settings(store, Arc::default(), BEGIN, rail, settings)
}

// ------------------------------------------------------------------------------------ law 7

#[tokio::test(start_paused = true)]
async fn a_credential_that_a_question_shows_wrong_stops_the_rail_until_a_person_resumes_it() {
    let house = House::open().await;
    house.rail.script(&about(&phone(0)), [REFUSED.now()]);
    let id = in_doubt(&house, &phone(0)).await;
    house.until_asked(1).await;
    let waiting = house.submit(&phone(1)).await;
    tokio::time::sleep(secs(600)).await;
    assert_eq!(house.rail.questions().len(), 1, "no question goes either");
    assert_eq!(house.status(waiting).await, Status::Queued);
    let stop = on_the_disk(&house).await.credential.expect("it is on the disk");
    assert_eq!(stop.code, "100000007");
    assert_eq!(house.rail_state().refused, Some(stop.clone()));

    let house = house.restarted().await;
    tokio::time::sleep(secs(600)).await;
    assert_eq!(house.rail_state().refused, Some(stop), "a restart does not lift it");
    assert_eq!((house.rail.questions().len(), house.rail.sends().len()), (0, 0));
    house.engine.resume_rail(Rail::Soap, WANJIRU).await.expect("written");
    house.until(waiting, Status::Accepted).await;
    house.until_asked(1).await;
    assert_eq!(on_the_disk(&house).await.credential, None);
    let name = house.payout(id).await.details.originator_conversation_id;
    assert_eq!(house.rail.questions()[0].name, name.of_question(2).as_str());
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_a_questions_result_shows_wrong_stops_the_rail() {
    let house = House::open().await;
    let id = in_doubt(&house, &phone(0)).await;
    house.until_asked(1).await;
    assert_eq!(house.told(id, 1, "2001", None).await, Hearing::Applied);
    assert_eq!(on_the_disk(&house).await.credential.expect("on the disk").code, "2001");
    let waiting = house.submit(&phone(1)).await;
    tokio::time::sleep(secs(600)).await;
    assert_eq!(house.status(waiting).await, Status::Queued);
    assert_eq!(house.rail.questions().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_first_message_goes_alone_until_its_result_shows_that_credentials_are_right() {
    let house = wary(TroubledStore::new(), secs(60));
    let mut ids = vec![];
    for number in 0..5 {
        ids.push(house.submit(&phone(number)).await);
    }
    house.start().await;
    tokio::time::sleep(secs(50)).await;
    assert_eq!(house.rail.sends().len(), 1, "alone");
    assert!(!house.rail_state().proven);
    assert_eq!(house.result(ids[0], result("1")).await, Hearing::Applied, "for want of funds");
    assert!(house.rail_state().proven, "so M-Pesa takes our credentials");
    tokio::time::sleep(secs(1)).await;
    assert_eq!(house.rail.sends().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_the_operator_stops_every_rail_and_one_of_the_caller_its_own() {
    // The code of the result; whether Daraja stops, too.
    for (code, all) in [("2001", true), ("8006", true), ("18", true), ("100000007", false)] {
        let house = House::open().await;
        let id = house.submit(&phone(0)).await;
        house.start().await;
        house.until(id, Status::Accepted).await;
        assert_eq!(house.result(id, result(code)).await, Hearing::Applied, "{code}");
        let stopped = |rail| {
            let states = house.engine.rail_states();
            let state = states.into_iter().find(|(name, _)| *name == rail).expect("a rail").1;
            state.refused.map(|stop| stop.code)
        };
        let all = all.then(|| code.to_owned());
        assert_eq!(stopped(Rail::Soap).as_deref(), Some(code), "{code}");
        assert_eq!(stopped(Rail::Daraja), all, "{code}");
        let kept = house.store.rails().await.expect("records");
        let kept = kept.into_iter().find(|record| record.rail == Rail::Daraja);
        assert_eq!(kept.and_then(|it| it.credential).map(|it| it.code), all, "on the disk: {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_first_message_without_a_result_is_waited_for_and_then_the_others_go() {
    let house = wary(TroubledStore::new(), secs(60));
    for number in 0..5 {
        house.submit(&phone(number)).await;
    }
    house.start().await;
    tokio::time::sleep(secs(59)).await;
    assert_eq!(house.rail.sends().len(), 1);
    tokio::time::sleep(secs(2)).await;
    assert_eq!(house.rail.sends().len(), 5, "no result is no refusal");
}

#[tokio::test(start_paused = true)]
async fn a_first_message_whose_result_refuses_our_credentials_is_the_only_one() {
    let house = wary(TroubledStore::new(), secs(60));
    let first = house.submit(&phone(0)).await;
    for number in 1..5 {
        house.submit(&phone(number)).await;
    }
    house.start().await;
    house.until(first, Status::Accepted).await;
    assert_eq!(house.result(first, result("2001")).await, Hearing::Applied);
    tokio::time::sleep(secs(600)).await;
    assert_eq!(house.rail.sends().len(), 1);
    assert_eq!(house.store.counts().of(Status::Queued), 4);
    // Resumed, and the password is wrong still: one more, and no other.
    house.engine.resume_rail(Rail::Soap, WANJIRU).await.expect("written");
    house.rail.otherwise(REFUSED.now());
    tokio::time::sleep(secs(600)).await;
    assert_eq!(house.rail.sends().len(), 2);
    assert!(house.rail_state().refused.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_result_of_what_was_sent_before_the_rail_was_resumed_proves_nothing() {
    let house = wary(TroubledStore::new(), secs(600));
    let before = house.submit(&phone(0)).await;
    house.start().await;
    house.until(before, Status::Accepted).await;
    let refused = house.submit(&phone(1)).await;
    house.engine.pause_rail(Rail::Soap, WANJIRU, "a new password").await.expect("written");
    tokio::time::sleep(secs(1)).await;
    house.engine.resume_rail(Rail::Soap, WANJIRU).await.expect("written");
    assert_eq!(house.result(before, paid("QK1")).await, Hearing::Applied);
    assert!(!house.rail_state().proven, "it went with the old password");
    house.until(refused, Status::Accepted).await;
    house.result(refused, paid("QK2")).await;
    assert!(house.rail_state().proven);
}

#[tokio::test(start_paused = true)]
async fn a_questions_result_proves_credentials_as_well() {
    let house = wary(TroubledStore::new(), secs(1));
    house.start().await;
    let id = in_doubt(&house, &phone(0)).await;
    tokio::time::sleep(secs(2)).await;
    house.engine.pause_rail(Rail::Soap, WANJIRU, "a new password").await.expect("written");
    house.engine.resume_rail(Rail::Soap, WANJIRU).await.expect("written");
    assert!(!house.rail_state().proven);
    house.until_asked(1).await;
    let pending = Some(stands(TransactionStatus::InProgress, "QK1"));
    assert_eq!(house.told(id, 1, "0", pending).await, Hearing::Noted);
    assert!(house.rail_state().proven);
}

// -------------------------------------------------------------------------- pausing, resuming

#[tokio::test(start_paused = true)]
async fn a_refusal_that_comes_while_a_pause_is_written_down_is_not_written_over() {
    let house = House::open().await;
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Accepted).await;
    house.store.plan("rail.paused", 1, Trouble::Slow(secs(5)));
    let engine = Arc::clone(&house.engine);
    let pausing =
        tokio::spawn(async move { engine.pause_rail(Rail::Soap, WANJIRU, "month end").await });
    tokio::time::sleep(secs(1)).await;
    house.result(id, result("2001")).await;
    pausing.await.expect("no panic").expect("written");
    let record = on_the_disk(&house).await;
    assert!(record.paused.is_some() && record.credential.is_some(), "{record:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_comes_while_the_rail_is_resumed_is_not_lifted_with_the_pause() {
    let house = House::open().await;
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Accepted).await;
    house.engine.pause_rail(Rail::Soap, WANJIRU, "month end").await.expect("written");
    let waiting = house.submit(&phone(1)).await;
    house.store.plan("rail.resumed", 1, Trouble::Slow(secs(5)));
    let engine = Arc::clone(&house.engine);
    let resuming = tokio::spawn(async move { engine.resume_rail(Rail::Soap, WANJIRU).await });
    tokio::time::sleep(secs(1)).await;
    house.result(id, result("2001")).await;
    resuming.await.expect("no panic").expect("written");
    tokio::time::sleep(secs(600)).await;
    assert_eq!(house.status(waiting).await, Status::Queued, "nobody has seen the refusal yet");
    let state = house.rail_state();
    assert_eq!(state.refused.map(|stop| stop.code).as_deref(), Some("2001"));
    assert_eq!(state.paused, None, "the pause is over");
    let record = on_the_disk(&house).await;
    assert!(record.credential.is_some(), "a restart must not lift it either: {record:?}");
    assert_eq!(record.paused, None);
    house.engine.resume_rail(Rail::Soap, WANJIRU).await.expect("written");
    house.until(waiting, Status::Accepted).await;
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_written_down_stays_as_it_was() {
    let house = House::open().await;
    for (trouble, error) in [
        (Trouble::Full, NotDone::Busy),
        (Trouble::Broken, NotDone::Unavailable("the store failed: a planned failure".to_owned())),
    ] {
        house.store.plan("rail.paused", 1, trouble);
        let paused = house.engine.pause_rail(Rail::Soap, WANJIRU, "month end").await;
        assert!(
            matches!(
                (&paused, &error),
                (Err(NotDone::Busy), NotDone::Busy)
                    | (Err(NotDone::Unavailable(_)), NotDone::Unavailable(_))
            ),
            "{paused:?}"
        );
        assert!(house.rail_state().paused.is_some(), "it is stopped all the same");
        house.store.plan("rail.resumed", 1, trouble);
        assert!(house.engine.resume_rail(Rail::Soap, WANJIRU).await.is_err());
        assert!(house.rail_state().paused.is_some(), "it stays stopped");
        house.engine.resume_rail(Rail::Soap, WANJIRU).await.expect("written");
    }
}

// -------------------------------------------------------------------------------- about a payout

#[tokio::test(start_paused = true)]
async fn a_person_has_mpesa_asked_now() {
    let house = House::open().await;
    house.rail.script(&phone(1), [TAKEN.after(secs(10))]);
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Accepted).await;
    let stranger = AppId::from_bytes([8; 16]);
    assert_eq!(house.engine.inquire(Some(stranger), id).await, Err(NotDone::NoSuchPayout));
    let nobody = PayoutId::from_bytes([9; 16]);
    assert_eq!(house.engine.inquire(None, nobody).await, Err(NotDone::NoSuchPayout));
    let asked = house.engine.inquire(Some(APP), id).await.expect("it is taken");
    assert_eq!(asked.status(), Status::Unknown);
    tokio::time::sleep(millis(100)).await;
    assert_eq!(house.rail.questions().len(), 1, "at once");
    let again = house.engine.inquire(None, id).await;
    assert_eq!(again, Err(NotDone::Refused(Forbidden::AskedJustNow, Status::Unknown)));
    tokio::time::sleep(secs(6)).await;
    house.engine.inquire(None, id).await.expect("it is taken");
    tokio::time::sleep(millis(100)).await;
    assert_eq!(house.rail.questions().len(), 2);

    let sending = house.submit(&phone(1)).await;
    house.until(sending, Status::Sending).await;
    let refused = house.engine.inquire(None, sending).await;
    assert_eq!(refused, Err(NotDone::Refused(Forbidden::NotInDoubt, Status::Sending)));
    house.store.plan("payout.noted", 1, Trouble::Full);
    tokio::time::sleep(secs(6)).await;
    assert_eq!(house.engine.inquire(None, id).await, Err(NotDone::Busy));
    house.store.plan("payout.noted", 1, Trouble::Broken);
    assert!(matches!(house.engine.inquire(None, id).await, Err(NotDone::Unavailable(_))));
}

#[tokio::test(start_paused = true)]
async fn a_named_person_rules_on_a_payout_in_doubt() {
    let ruling = |receipt: Option<&str>| Ruling {
        by: WANJIRU.to_owned(),
        receipt: receipt.and_then(Receipt::new),
        reason: "statement of 2 January".to_owned(),
    };
    let house = House::open().await;
    let paid_before = house.submit(&phone(9)).await;
    house.until(paid_before, Status::Accepted).await;
    let early = house.engine.resolve(None, paid_before, ruling(Some("QK9"))).await;
    assert_eq!(early, Err(NotDone::Refused(Forbidden::NotInDoubt, Status::Accepted)));
    house.result(paid_before, paid("QK9")).await;

    let id = in_doubt(&house, &phone(0)).await;
    let other = in_doubt(&house, &phone(1)).await;
    let stranger = AppId::from_bytes([8; 16]);
    let unseen = house.engine.resolve(Some(stranger), id, ruling(Some("QK1"))).await;
    assert_eq!(unseen, Err(NotDone::NoSuchPayout));
    let taken = house.engine.resolve(None, id, ruling(Some("QK9"))).await;
    assert_eq!(taken, Err(NotDone::ReceiptTaken(paid_before)));
    assert_eq!(house.status(id).await, Status::Unknown);
    let resolved = house.engine.resolve(Some(APP), id, ruling(Some("QK1"))).await;
    assert_eq!(resolved.expect("it is settled").status(), Status::Succeeded);
    let failed = house.engine.resolve(None, other, ruling(None)).await.expect("it is settled");
    assert_eq!(failed.status(), Status::Failed);
    let says = house.events(other).await.last().expect("an event").event.says.clone();
    assert_eq!(says, "ruled by Wanjiru: statement of 2 January");
    tokio::time::sleep(secs(600)).await;
    assert_eq!(house.rail.sends().len(), 3);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn of_two_rulings_at_once_with_one_receipt_one_is_refused() {
    let house = House::open().await;
    let (one, other) = (in_doubt(&house, &phone(0)).await, in_doubt(&house, &phone(1)).await);
    let ruling = || Ruling {
        by: WANJIRU.to_owned(),
        receipt: Receipt::new("QK1"),
        reason: "statement of 2 January".to_owned(),
    };
    house.store.plan("payout.succeeded", 1, Trouble::Slow(secs(1)));
    let (first, second) = tokio::join!(
        house.engine.resolve(None, one, ruling()),
        house.engine.resolve(None, other, ruling())
    );
    let (won, lost, left) = if first.is_ok() { (one, second, other) } else { (other, first, one) };
    assert_eq!(lost, Err(NotDone::ReceiptTaken(won)));
    assert_eq!(house.status(won).await, Status::Succeeded);
    assert_eq!(house.status(left).await, Status::Unknown);
    house.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_case_is_closed_once_and_that_moves_no_payout() {
    let house = House::open().await;
    let id = house.submit(&phone(0)).await;
    house.until(id, Status::Accepted).await;
    let mut other_amount = paid("QK1");
    other_amount.amount = Some(Amount::from_shillings(15));
    house.result(id, other_amount).await;
    let case = house.cases().await[0].clone();
    assert_eq!((case.closed.clone(), house.store.counts().open_cases()), (None, 1));
    let before = house.payout(id).await;
    let nobody = CaseId::from_bytes([9; 16]);
    let missing = house.engine.close_case(nobody, WANJIRU, "paid", "statement").await;
    assert_eq!(missing, Err(NotClosed::NoSuchCase));
    for (trouble, busy) in [(Trouble::Full, true), (Trouble::Broken, false)] {
        house.store.plan("case.closed", 1, trouble);
        let failed = house.engine.close_case(case.id, WANJIRU, "paid", "statement").await;
        assert_eq!(matches!(failed, Err(NotClosed::Busy)), busy, "{failed:?}");
        assert_eq!(matches!(failed, Err(NotClosed::Unavailable(_))), !busy, "{failed:?}");
    }
    let closed = house.engine.close_case(case.id, WANJIRU, "paid", "statement").await;
    let closing = closed.expect("it is closed").closed.expect("with a ruling");
    let words = (closing.by.as_str(), closing.ruling.as_str(), closing.reason.as_str());
    assert_eq!(words, (WANJIRU, "paid", "statement"));
    assert_eq!(house.cases().await[0].closed, Some(closing));
    let again = house.engine.close_case(case.id, "Otieno", "not paid", "another").await;
    assert_eq!(again, Err(NotClosed::ClosedBefore));
    assert_eq!(house.payout(id).await.state, before.state);
    assert_eq!(house.store.counts().open_cases(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_rail_shows_what_waits_what_is_under_way_and_what_is_in_doubt() {
    let house = House::open().await;
    let view = house.rail_view().await.expect("readable");
    assert_eq!((view.unknown, view.oldest_unknown, view.open_cases), (0, None, 0));
    let doubtful = in_doubt(&house, &phone(0)).await;
    tokio::time::sleep(secs(1)).await;
    let younger = in_doubt(&house, &phone(1)).await;
    let accepted = house.submit(&phone(2)).await;
    house.until(accepted, Status::Accepted).await;
    house.rail.script(&phone(3), [TAKEN.after(secs(10))]);
    let sending = house.submit(&phone(3)).await;
    house.until(sending, Status::Sending).await;
    house.engine.pause_rail(Rail::Soap, WANJIRU, "month end").await.expect("written");
    house.submit(&phone(4)).await;
    let view = house.rail_view().await.expect("readable");
    assert_eq!((view.rail, view.queued, view.accepted, view.unknown), (Rail::Soap, 1, 1, 2));
    assert_eq!(view.in_doubt, Amount::from_shillings(3_000));
    let State::Unknown { since, .. } = house.payout(doubtful).await.state else {
        panic!("in doubt");
    };
    assert_eq!(view.oldest_unknown, Some((doubtful, since)));
    assert!(view.state.paused.is_some() && view.state.refused.is_none());
    house.result(doubtful, paid("QK1")).await;
    let oldest = house.engine.oldest_unknown().await.expect("readable");
    assert_eq!(oldest.map(|(id, _since)| id), Some(younger));
    let view = house.rail_view().await.expect("readable");
    assert!(view.conclusive.is_some(), "how long payouts took is known");
    house.store.fail_pages(1);
    assert!(house.rail_view().await.is_err());
}
