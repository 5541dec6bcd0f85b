//! Text messages: one for each payment, sent once or not at all, and nothing waits for them.

use mlango::domain::payout::WhyNothingSent;
use mlango::domain::text::Status;
use mlango::engine::Hearing;
use tokio::time::Instant;

use super::house::{PHONE, RECEIPT, Till, called_back, notice_from, paid};
use crate::support::counter::{LOST, Says};
use crate::support::store::Trouble;
use crate::support::{millis, secs};

async fn statuses(till: &Till) -> Vec<Status> {
    till.texts().await.iter().map(|text| text.status()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_payer_is_thanked_once_with_his_name_and_what_he_paid() {
    let till = Till::open().await;
    till.confirms(notice_from(PHONE, RECEIPT, till.now())).await;
    till.confirms(notice_from(PHONE, RECEIPT, till.now())).await;
    till.waits(secs(60)).await;
    let sent = till.notifier.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].phone, PHONE);
    assert_eq!(sent[0].body, "Hello Amina, KES 1,500.00 for ORDER001.");
    assert_eq!(statuses(&till).await, [Status::Sent]);
    assert_eq!(till.history(sent[0].id).await, ["queued", "sending", "sent"]);
    till.is_in_order().await;
}

#[tokio::test(start_paused = true)]
async fn no_acknowledgement_waits_for_a_text() {
    let till = Till::open().await;
    till.notifier.script(PHONE, [Says::Code("101").after(secs(25))]);
    let began = Instant::now();
    till.confirms(notice_from(PHONE, RECEIPT, till.now())).await;
    let id = till.push_to("254700000002", "ORDER002").await.expect("taken");
    till.until_prompted(id).await;
    till.calls_back(id, paid(id, "UJ34AA0002")).await;
    assert!(began.elapsed() < secs(1), "{:?}", began.elapsed());
    till.waits(secs(30)).await;
    assert_eq!(statuses(&till).await, [Status::Sent, Status::Sent]);
}

#[tokio::test(start_paused = true)]
async fn a_text_is_sent_again_only_where_it_was_not_sent_for_certain() {
    let table = [
        (vec![Says::Nothing(WhyNothingSent::Connect); 3], 4, Status::Sent),
        (vec![Says::Code("500"), Says::Code("501"), Says::Code("http.429")], 4, Status::Sent),
        (vec![Says::Code("500"); 9], 5, Status::Failed),
        (vec![Says::Code("406")], 1, Status::Failed),
        (vec![Says::Code("http.401")], 1, Status::Failed),
        (vec![LOST], 1, Status::Unknown),
        (vec![Says::Code("http.502")], 1, Status::Unknown),
        (vec![Says::Code("a code of tomorrow")], 1, Status::Unknown),
    ];
    for (says, sends, status) in table {
        let till = Till::open().await;
        till.notifier.script(PHONE, says.iter().cloned().map(Says::now));
        assert_eq!(till.confirms(notice_from(PHONE, RECEIPT, till.now())).await, Hearing::Applied);
        till.waits(secs(3 * 3_600)).await;
        assert_eq!(till.notifier.sent().len(), sends, "{says:?}");
        assert_eq!(statuses(&till).await, [status], "{says:?}");
        assert_eq!(till.paid().await.len(), 1, "the money counts whatever becomes of the text");
        till.is_in_order().await;
    }
}

#[tokio::test(start_paused = true)]
async fn one_recipient_s_refusal_is_not_the_other_s() {
    let till = Till::open().await;
    till.notifier.script("254700000008", [Says::Code("406").now()]);
    till.confirms(notice_from("254700000008", "UJ34AA0008", till.now())).await;
    till.confirms(notice_from("254700000009", "UJ34AA0009", till.now())).await;
    till.waits(secs(60)).await;
    let texts = till.texts().await;
    let by_phone = |phone: &str| {
        let found = texts.iter().find(|text| text.details.phone.reveal() == phone);
        found.expect("a text").status()
    };
    assert_eq!(by_phone("254700000008"), Status::Failed);
    assert_eq!(by_phone("254700000009"), Status::Sent);
}

#[tokio::test(start_paused = true)]
async fn a_text_under_way_in_a_crash_is_never_sent_again() {
    let till = Till::open().await;
    // The outcome cannot be written down, as if the program had died before it could.
    till.store.plan("text.sent", 1_000, Trouble::Broken);
    till.confirms(notice_from(PHONE, RECEIPT, till.now())).await;
    till.waits(secs(600)).await;
    assert_eq!(till.notifier.sent().len(), 1);
    assert_eq!(statuses(&till).await, [Status::Unknown]);
    till.waits(secs(86_400)).await;
    assert_eq!(till.notifier.sent().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_told_and_the_money_that_comes_after_it_too() {
    let till = Till::open().await;
    let id = till.push().await;
    till.until_prompted(id).await;
    till.calls_back(id, called_back(id, "1037")).await;
    till.calls_back(id, paid(id, RECEIPT)).await;
    till.confirms(notice_from(PHONE, RECEIPT, till.now())).await;
    till.waits(millis(5_000)).await;
    let sent: Vec<String> = till.notifier.sent().into_iter().map(|text| text.body).collect();
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent.iter().any(|body| body == "Not paid: ORDER001."), "{sent:?}");
}
