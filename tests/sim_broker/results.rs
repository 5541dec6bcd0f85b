//! Results on their way to a ResultURL.

use std::sync::atomic::Ordering;

use mlango::domain::money::Amount;
use mlango::domain::outcome::{AnswerClass, ResultClass};

use crate::support::{NOW, Receiver, caller, code, message, settings, start, submit};

#[tokio::test(flavor = "multi_thread")]
async fn a_result_goes_out_as_the_broker_sends_it_and_says_what_was_paid() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let message = message(&caller(&receiver.url), "600999_Org_1", "0111", 150);
    let answer = submit(&sim, &message).await.expect("an answer");
    assert_eq!(answer.facts.class(), AnswerClass::Taken);
    assert_eq!(answer.originator_conversation_id.as_deref(), Some("600999_Org_1"));
    assert_eq!(answer.service_status.as_deref(), Some("0"));
    let results = receiver.settled(&sim).await;
    let facts = &results[0].facts;
    assert_eq!(facts.class(), ResultClass::Paid);
    assert_eq!(facts.amount, Some(Amount::from_shillings(150)));
    assert_eq!(facts.payee, "254722000111".parse().ok());
    assert_eq!(facts.completed_at, Some(NOW));
    assert!(facts.recipient_name.is_some());
    let echoed = |key: &str| results[0].references.iter().any(|(name, _)| name == key);
    assert!(echoed("QueueTimeoutURL") && echoed("Occasion"));
    let (head, _) = receiver.got.lock().unwrap()[0].clone();
    let lines: Vec<&str> = head.split("\r\n").collect();
    assert_eq!(lines[0], "POST /cb/result HTTP/1.1");
    assert!(lines.contains(&"Content-Type: text/xml"), "{head}");
    assert!(lines.contains(&"Connection: close"), "{head}");
    assert!(!head.to_ascii_lowercase().contains("soapaction"), "{head}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_comes_first_is_acknowledged_before_the_answer_begins() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let heard = message(&caller(&receiver.url), "600999_Org_6", "0006", 10);
    assert_eq!(code(&sim, &heard).await, "0");
    // The answer is here, so the result must be, and no time may pass to make it so.
    assert_eq!(receiver.count(), 1);
    // And where nobody takes the result, the answer comes all the same.
    let deaf = caller("http://127.0.0.1:1/cb");
    let unheard = message(&deaf, "600999_Org_66", "0006", 10);
    assert_eq!(code(&sim, &unheard).await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_is_not_acknowledged_is_sent_again_a_bounded_number_of_times() {
    let sim = start(settings()).await;
    let table: [(&'static [u16], usize); 4] =
        [(&[200], 1), (&[202], 1), (&[500, 503, 200], 3), (&[500, 500, 500, 500, 500], 3)];
    for (number, (statuses, tries)) in table.into_iter().enumerate() {
        let receiver = Receiver::start(statuses).await;
        let id = format!("600999_Org_{number}");
        assert_eq!(code(&sim, &message(&caller(&receiver.url), &id, "0111", 10)).await, "0");
        receiver.settled(&sim).await;
        let got = receiver.got.lock().unwrap().clone();
        assert_eq!(got.len(), tries, "{statuses:?}");
        assert!(got.iter().all(|(_, body)| *body == got[0].1), "{statuses:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_for_results_are_kept_only_when_asked() {
    for (keep_alive, most) in [(false, usize::MAX), (true, 1)] {
        let mut settings = settings();
        settings.delivery.keep_alive = keep_alive;
        let sim = start(settings).await;
        let receiver = Receiver::start(&[]).await;
        for number in 0..5 {
            let id = format!("600999_Org_{number}");
            let message = message(&caller(&receiver.url), &id, "0111", 10);
            assert_eq!(code(&sim, &message).await, "0");
            receiver.settled(&sim).await;
        }
        assert_eq!(receiver.count(), 5);
        let connections = receiver.connections.load(Ordering::SeqCst);
        assert_eq!(connections, most.min(5), "keep_alive: {keep_alive}");
    }
}
