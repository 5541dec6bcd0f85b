//! Prompts: taken, sent once, answered, called back.

use std::sync::Arc;

use mlango::domain::payment::{Doubt, State, Status};
use mlango::domain::payout::CaseKind;
use mlango::engine::port::Api;
use mlango::engine::{Hearing, PushError, StkHeard, TillSettings};
use mlango::store::{Channel, Store};

use tokio::task::JoinSet;

use super::house::{ACCOUNT, PHONE, RECEIPT, Till, called_back, incoming, paid, push_draft};
use crate::support::counter::{LOST, NO_LINK, Says, ScriptedCounter, TAKES};
use crate::support::house::APP;
use crate::support::store::{Trouble, TroubledStore};
use crate::support::{BEGIN, CountedIds, secs};
use mlango::clock::Clock;

#[tokio::test(start_paused = true)]
async fn a_prompt_is_on_the_disk_before_it_is_sent_and_paid_when_its_callback_says_so() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    assert_eq!(till.status(id).await, Status::Pending);
    assert_eq!(till.calls_back(id, paid(id, RECEIPT)).await, Hearing::Applied);
    let payment = till.payment(id).await;
    assert_eq!(payment.status(), Status::Succeeded);
    assert_eq!(payment.receipt().map(ToString::to_string).as_deref(), Some(RECEIPT));
    assert_eq!(till.history(id).await, ["pending", "sending", "prompted", "received"]);
    till.waits(secs(7_200)).await;
    assert_eq!(till.counter.count(Api::Prompt), 1);
    assert_eq!(till.counter.count(Api::PromptQuery), 0, "who was called back does not ask");
    assert_eq!(till.cases().await, []);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn the_evidence_of_each_step_is_kept_with_it() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    till.calls_back(id, paid(id, RECEIPT)).await;
    let mut channels = vec![];
    for event in till.store.events_of(id.into()).await.expect("events") {
        for message in &event.event.messages {
            let message = till.store.message(*message).await.expect("readable").expect("kept");
            assert_eq!(message.about, Some(id.into()));
            channels.push(message.channel);
        }
    }
    assert_eq!(channels, [Channel::StkRequest, Channel::StkAnswer, Channel::StkCallback]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_unknown_and_the_payer_is_never_prompted_twice() {
    let till = Till::open().await;
    till.counter.script(Api::Prompt, [LOST.now()]);
    let id = till.push().await;
    let payment = till.until_status(id, Status::Unknown).await;
    assert!(matches!(payment.state, State::Unknown { why: Doubt::NoAnswer, prompt: None, .. }));
    till.waits(secs(86_400)).await;
    assert_eq!(till.status(id).await, Status::Unknown);
    assert_eq!(till.counter.count(Api::Prompt), 1);
    assert_eq!(till.counter.count(Api::PromptQuery), 0, "M-Pesa gave no id to ask by");
    assert_eq!(till.cases().await, [CaseKind::StillUnknown]);
    // The callback finds it by the end of its path, and settles it, however late.
    assert_eq!(till.calls_back(id, paid(id, RECEIPT)).await, Hearing::Applied);
    assert_eq!(till.status(id).await, Status::Succeeded);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_prompt_of_which_not_one_byte_left_goes_again_a_few_times() {
    let till = Till::open().await;
    till.counter.script(Api::Prompt, [NO_LINK.now(), Says::Code("http.429").now(), TAKES.now()]);
    let id = till.push().await;
    till.until_prompted(id).await;
    assert_eq!(till.counter.count(Api::Prompt), 3);
    let history = till.history(id).await;
    let sends = ["sending", "put_back", "sending", "put_back", "sending", "prompted"];
    assert_eq!(history, [&["pending"], sends.as_slice()].concat());
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_prompt_that_never_leaves_fails_within_a_minute() {
    let till = Till::open().await;
    till.counter.script(Api::Prompt, (0..50).map(|_| NO_LINK.now()));
    let id = till.push().await;
    let began = till.now();
    let payment = till.until_status(id, Status::Failed).await;
    assert!(till.now().since(began) <= secs(61), "{:?}", till.now().since(began));
    assert_eq!(payment.state.failure().map(|it| it.code.as_str()), Some("not_sent"));
    till.waits(secs(600)).await;
    assert_eq!(till.notifier.sent(), [], "who saw no prompt is told nothing");
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusal_fails_it_and_says_when_to_try_again() {
    let table = [
        ("500.001.1001:locked", Some(60)),
        ("400.002.02", None),
        ("500.001.1001:credentials", None),
    ];
    for (code, pause) in table {
        let till = Till::open().await;
        till.counter.script(Api::Prompt, [Says::Code(code).now()]);
        let id = till.push().await;
        let payment = till.until_status(id, Status::Failed).await;
        let failure = payment.state.failure().expect("a failure");
        assert_eq!(failure.code, code);
        let expected = pause.map(|pause| payment.updated_at.after(secs(pause)));
        assert_eq!(failure.retry_at, expected, "{code}");
        till.waits(secs(600)).await;
        assert_eq!(till.counter.count(Api::Prompt), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_callback_may_come_before_the_answer() {
    let till = Till::open().await;
    till.counter.script(Api::Prompt, [TAKES.after(secs(5))]);
    let id = till.push().await;
    till.until(id, |payment| matches!(payment.state, State::Sending { .. })).await;
    assert_eq!(till.calls_back(id, paid(id, RECEIPT)).await, Hearing::Applied);
    assert_eq!(till.status(id).await, Status::Succeeded);
    till.waits(secs(10)).await;
    assert_eq!(till.status(id).await, Status::Succeeded);
    assert_eq!(till.history(id).await, ["pending", "sending", "received", "noted"]);
    assert_eq!(till.counter.count(Api::Prompt), 1);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_says_no_fails_it_and_the_payer_is_told() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    assert_eq!(till.calls_back(id, called_back(id, "1032")).await, Hearing::Applied);
    let payment = till.payment(id).await;
    assert_eq!(payment.state.failure().map(|it| it.code.as_str()), Some("1032"));
    assert_eq!(till.calls_back(id, called_back(id, "1032")).await, Hearing::Noted);
    till.waits(secs(1)).await;
    assert_eq!(till.notifier.sent().len(), 1, "told once");
}

#[tokio::test(start_paused = true)]
async fn a_receipt_that_comes_after_a_failure_overrides_it_with_a_case() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    till.calls_back(id, called_back(id, "1037")).await;
    assert_eq!(till.calls_back(id, paid(id, RECEIPT)).await, Hearing::Applied);
    assert_eq!(till.status(id).await, Status::Succeeded);
    assert_eq!(till.cases().await, [CaseKind::Contradiction]);
    let says = till.all_cases().await.remove(0).says;
    assert!(says.ends_with("It stood at \"failed\" until then."), "{says}");
    // And a copy of the failure changes nothing any more.
    assert_eq!(till.calls_back(id, called_back(id, "1037")).await, Hearing::Contradicted);
    assert_eq!(till.status(id).await, Status::Succeeded);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_pays_nothing_and_calls_a_person() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    let mut facts = paid(id, RECEIPT);
    facts.amount = Some(mlango::domain::money::Amount::from_shillings(15));
    let other = paid(till.push_to("254700000002", "ORDER002").await.expect("taken"), RECEIPT);
    let odd = mlango::domain::payment::StkFacts {
        odd: Some("an amount that cannot be read".to_owned()),
        ..paid(id, RECEIPT)
    };
    for facts in [facts, other, odd] {
        assert_eq!(till.calls_back(id, facts.clone()).await, Hearing::Contradicted, "{facts:?}");
        assert_eq!(till.status(id).await, Status::Pending);
    }
    assert_eq!(till.cases().await, [CaseKind::Mismatch; 3]);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_callback_without_items_is_paid_without_a_receipt() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    assert_eq!(till.calls_back(id, called_back(id, "0")).await, Hearing::Applied);
    let payment = till.payment(id).await;
    assert_eq!((payment.status(), payment.receipt()), (Status::Succeeded, None));
    // The whole of it comes after all.
    assert_eq!(till.calls_back(id, paid(id, RECEIPT)).await, Hearing::Applied);
    assert_eq!(till.payment(id).await.receipt().map(ToString::to_string), Some(RECEIPT.into()));
    assert_eq!(till.calls_back(id, paid(id, RECEIPT)).await, Hearing::Noted);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_callback_finds_its_prompt_by_either_name_and_a_stranger_is_a_case() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    let hear = async |payment, facts| {
        let heard = StkHeard::Facts { payment, facts };
        till.engine.hear_stk(incoming(Channel::StkCallback), heard).await.expect("kept")
    };
    let stranger = mlango::domain::id::PaymentId::from_bytes([9; 16]);
    assert_eq!(hear(None, paid(stranger, RECEIPT)).await, Hearing::Unmatched);
    assert_eq!(hear(Some(stranger), paid(stranger, RECEIPT)).await, Hearing::Unmatched);
    let nameless = mlango::domain::payment::StkFacts { checkout: None, ..paid(id, RECEIPT) };
    assert_eq!(hear(None, nameless).await, Hearing::Unmatched);
    let unreadable = StkHeard::Unreadable("no JSON".to_owned());
    let heard = till.engine.hear_stk(incoming(Channel::StkCallback), unreadable).await;
    assert_eq!(heard, Ok(Hearing::Malformed));
    assert_eq!(till.status(id).await, Status::Pending);
    assert_eq!(hear(None, paid(id, RECEIPT)).await, Hearing::Applied);
    let mut cases = till.cases().await;
    cases.sort();
    assert_eq!(
        cases,
        [CaseKind::Unmatched, CaseKind::Unmatched, CaseKind::Unmatched, CaseKind::Malformed]
    );
}

#[tokio::test(start_paused = true)]
async fn one_key_is_one_prompt_and_one_phone_has_one_at_a_time() {
    let till = Till::open().await;
    let push = async |key, print, phone| {
        till.engine.push(APP, key, [print; 32], push_draft(phone, ACCOUNT)).await
    };
    let first = push("key", 1, PHONE).await.expect("taken");
    let again = push("key", 1, PHONE).await.expect("the same again");
    assert_eq!((again.payment.details.id, again.replayed), (first.payment.details.id, true));
    assert_eq!(push("key", 2, PHONE).await, Err(PushError::KeyReused));
    let Err(PushError::TooSoon(locked)) = push("other", 1, PHONE).await else {
        panic!("the phone has a prompt");
    };
    assert!(locked.at > till.now());
    // Many at once, each under a key of its own: one is taken.
    let mut pushes = JoinSet::new();
    for nth in 0..50 {
        let engine = Arc::clone(&till.engine);
        pushes.spawn(async move {
            let draft = push_draft("254700000009", ACCOUNT);
            engine.push(APP, &format!("at-once-{nth}"), [1; 32], draft).await.is_ok()
        });
    }
    let taken = pushes.join_all().await.into_iter().filter(|taken| *taken).count();
    assert_eq!(taken, 1);
    till.waits(secs(1)).await;
    assert_eq!(till.counter.count(Api::Prompt), 2);
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_cannot_be_stored_is_not_acknowledged() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    for trouble in [Trouble::Broken, Trouble::Full] {
        till.store.plan("payment.received", 1, trouble);
        assert!(till.try_callback(id, paid(id, RECEIPT)).await.is_err(), "{trouble:?}");
        assert_eq!(till.status(id).await, Status::Pending);
    }
    // Written, though nobody knew: the copy says nothing new.
    till.store.plan("payment.received", 1, Trouble::WrittenYetBroken);
    assert!(till.try_callback(id, paid(id, RECEIPT)).await.is_err());
    assert_eq!(till.calls_back(id, paid(id, RECEIPT)).await, Hearing::Noted);
    assert_eq!(till.paid().await.len(), 1);
    till.is_in_order().await;
}

/// One life of the program, whose end is the death of all that runs in it.
fn in_a_life(live: impl AsyncFnOnce()) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    runtime.block_on(live());
}

#[test]
fn a_prompt_that_a_crash_interrupts_is_in_doubt_and_is_not_sent_again() {
    let store = TroubledStore::new();
    let ids: Arc<CountedIds> = Arc::default();
    let counter = Arc::new(ScriptedCounter::new(Arc::clone(&store)));
    counter.script(Api::Prompt, [TAKES.after(secs(30))]);
    let mut id = None;
    let mut now = BEGIN;
    in_a_life(async || {
        let parts = (Arc::clone(&store), Arc::clone(&ids), BEGIN);
        let till = Till::over(parts, Arc::clone(&counter), TillSettings::default());
        till.start().await;
        let taken = till.push().await;
        till.waits(secs(10)).await;
        assert!(matches!(till.payment(taken).await.state, State::Sending { .. }));
        (id, now) = (Some(taken), till.clock.now());
    });
    let id = id.expect("it was taken");
    in_a_life(async || {
        let parts = (Arc::clone(&store), Arc::clone(&ids), now.after(secs(1)));
        let till = Till::over(parts, Arc::clone(&counter), TillSettings::default());
        till.start().await;
        let payment = till.payment(id).await;
        assert!(matches!(payment.state, State::Unknown { why: Doubt::LeaseLapsed, .. }));
        till.waits(secs(7_200)).await;
        assert_eq!(counter.count(Api::Prompt), 1, "never again");
        // M-Pesa had it: the payer pays, and the callback says so.
        assert_eq!(till.calls_back(id, paid(id, RECEIPT)).await, Hearing::Applied);
        assert_eq!(till.status(id).await, Status::Succeeded);
        till.is_in_order().await;
    });
}
