//! Inquiries: answered, lost, asked about, and what a wrong credential does.

use mlango::domain::account::AccountBalance;
use mlango::domain::id::Receipt;
use mlango::domain::inquiry::{Answer, Balances, Kind, ResultFacts, Reversal, State, Status};
use mlango::domain::money::Amount;
use mlango::domain::payout::{InquiryFacts, TransactionStatus};
use mlango::engine::port::Api;
use mlango::engine::{Hearing, InquiryDraft, InquiryNotTaken};
use mlango::store::{Channel, CredentialStop};

use super::house::{RECEIPT, Till, incoming};
use crate::support::counter::{LOST, NO_LINK, Says, TAKES, names};
use crate::support::house::APP;
use crate::support::secs;

/// The receipt of the reversal itself.
const REVERSED: &str = "UJ34RR0001";

fn reversal() -> Kind {
    Kind::Reversal(Reversal {
        receipt: Receipt::new(RECEIPT).expect("a receipt"),
        amount: Amount::from_shillings(1_500),
        payment: None,
        payout: None,
        remarks: "paid twice".to_owned(),
        occasion: String::new(),
    })
}

fn result(code: &str) -> ResultFacts {
    ResultFacts { code: code.to_owned(), ..ResultFacts::default() }
}

fn reversed() -> ResultFacts {
    ResultFacts {
        receipt: Receipt::new(REVERSED),
        amount: Some(Amount::from_shillings(1_500)),
        ..result("0")
    }
}

fn balances() -> ResultFacts {
    let account = "Utility Account|KES|228037.00|228037.00|0.00|0.00";
    let accounts: Vec<AccountBalance> = mlango::domain::account::accounts(account);
    assert_eq!(accounts.len(), 1);
    ResultFacts { balances: Some(Balances { accounts, at: None }), ..result("0") }
}

#[tokio::test(start_paused = true)]
async fn a_balance_is_asked_for_and_answered() {
    let till = Till::open().await;
    let id = till.inquire(Kind::Balance).await;
    till.until_inquiry(id, Status::Accepted).await;
    assert_eq!(till.told(id, balances()).await, Hearing::Applied);
    let inquiry = till.inquiry(id).await;
    assert!(
        matches!(&inquiry.state, State::Succeeded { answer: Answer::Balances(_), .. }),
        "{inquiry:?}"
    );
    assert_eq!(till.told(id, balances()).await, Hearing::Noted);
    assert_eq!(till.history(id).await, ["queued", "sending", "accepted", "succeeded", "noted"]);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn what_moves_no_money_is_asked_anew_a_few_times() {
    let till = Till::open().await;
    till.counter.script(Api::Balance, [LOST.now(), NO_LINK.now(), LOST.now(), TAKES.now()]);
    let id = till.inquire(Kind::Balance).await;
    till.until_inquiry(id, Status::Accepted).await;
    assert_eq!(till.counter.count(Api::Balance), 4);
    till.told(id, balances()).await;
    assert_eq!(till.inquiry(id).await.status(), Status::Succeeded);
    // And not without end.
    till.counter.script(Api::Balance, (0..20).map(|_| LOST.now()));
    let id = till.inquire(Kind::Balance).await;
    till.until_inquiry(id, Status::Failed).await;
    assert_eq!(till.counter.count(Api::Balance), 8);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_reversal_whose_answer_is_lost_is_never_sent_again_and_its_result_settles_it() {
    let till = Till::open().await;
    till.counter.script(Api::Reversal, [LOST.now()]);
    let id = till.inquire(reversal()).await;
    till.until_inquiry(id, Status::Unknown).await;
    till.waits(secs(86_400)).await;
    assert_eq!(till.counter.count(Api::Reversal), 1);
    assert_eq!(till.counter.count(Api::Status), 0, "M-Pesa gave no id to ask by");
    assert_eq!(till.told(id, reversed()).await, Hearing::Applied);
    let inquiry = till.inquiry(id).await;
    let State::Succeeded { answer: Answer::Reversed(moved), .. } = &inquiry.state else {
        panic!("{inquiry:?}");
    };
    assert_eq!(Some(moved.receipt.clone()), Receipt::new(REVERSED));
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_reversal_without_a_result_is_asked_about_and_the_answer_settles_it() {
    let till = Till::open().await;
    let id = till.inquire(reversal()).await;
    till.until_inquiry(id, Status::Accepted).await;
    till.until_inquiry(id, Status::Unknown).await;
    till.waits(secs(10)).await;
    assert_eq!(till.counter.count(Api::Status), 1, "by the name that M-Pesa gave");
    let facts = ResultFacts {
        names: names(id),
        status: Some(InquiryFacts {
            status: TransactionStatus::Completed,
            receipt: Receipt::new(REVERSED),
            amount: Some(Amount::from_shillings(1_500)),
            payee: None,
            recipient_name: None,
            originator: None,
            conversation: None,
            completed_at: None,
            odd: None,
        }),
        ..result("0")
    };
    let incoming = incoming(Channel::InquiryResult);
    let heard = till.engine.hear_inquiry(incoming, id, Some(1), facts).await.expect("kept");
    assert_eq!(heard, Hearing::Applied);
    assert_eq!(till.inquiry(id).await.status(), Status::Succeeded);
    assert_eq!(till.counter.count(Api::Reversal), 1);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_reversal_of_which_not_one_byte_left_goes_again() {
    let till = Till::open().await;
    till.counter.script(Api::Reversal, [NO_LINK.now(), Says::Code("http.429").now()]);
    let id = till.inquire(reversal()).await;
    till.until_inquiry(id, Status::Accepted).await;
    assert_eq!(till.counter.count(Api::Reversal), 3);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_credential_stops_the_rail_for_what_comes_after() {
    let till = Till::open().await;
    let id = till.inquire(Kind::Balance).await;
    till.until_inquiry(id, Status::Accepted).await;
    assert_eq!(till.told(id, result("2001")).await, Hearing::Applied);
    assert_eq!(till.inquiry(id).await.status(), Status::Failed);
    let (_name, state) = till.engine.rail_states().pop().expect("a rail");
    let Some(CredentialStop { code, .. }) = state.refused else {
        panic!("the rail still sends");
    };
    assert_eq!(code, "2001");
    // What would carry the credential waits; a prompt carries none, and goes.
    let balance = till.inquire(Kind::Balance).await;
    let back = till.inquire(reversal()).await;
    let prompt = till.push().await;
    till.until_prompted(prompt).await;
    till.waits(secs(3_600)).await;
    assert_eq!(till.counter.count(Api::Balance), 1);
    assert_eq!(till.counter.count(Api::Reversal), 0);
    for id in [balance, back] {
        assert_eq!(till.inquiry(id).await.status(), Status::Queued);
    }
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn one_key_is_one_inquiry() {
    let till = Till::open().await;
    let take = async |print: u8| {
        let shortcode = "600999".parse().expect("a short code");
        let rail = mlango::domain::payout::Rail::Daraja;
        let draft = InquiryDraft { kind: reversal(), rail, shortcode };
        till.engine.take_inquiry(Some(APP), Some(("key", [print; 32])), draft).await
    };
    let first = take(1).await.expect("taken");
    let again = take(1).await.expect("the same");
    assert_eq!(again.inquiry.details.id, first.inquiry.details.id);
    assert!(again.replayed);
    assert_eq!(take(2).await, Err(InquiryNotTaken::KeyReused));
    till.waits(secs(60)).await;
    assert_eq!(till.counter.count(Api::Reversal), 1);
}
