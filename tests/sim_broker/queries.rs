//! `TransactionStatusQuery`: what is found, by which name, and for how long.

use std::sync::Arc;
use std::time::Duration;

use mlango::clock::ManualClock;
use mlango::sim::{Running, Simulator};
use mlango::soap::request::Caller;
use mlango::soap::status_query::AskFor::{self, ConversationId, OriginatorConversationId, Receipt};

use crate::support::{
    NOW, Receiver, caller, code, credential, message, parameter, query, settings, start,
};

/// What a question ended in: its own code, and what it says of the payment.
async fn ask(
    sim: &Running,
    receiver: &Receiver,
    caller: &Caller,
    id: &str,
    by: AskFor<'_>,
) -> (String, Option<String>) {
    assert_eq!(code(sim, &query(caller, id, by)).await, "0", "{id}");
    let results = receiver.settled(sim).await;
    let result = results.last().expect("a result");
    assert_eq!(result.originator_conversation_id.as_deref(), Some(id));
    assert_eq!(result.facts.receipt, None, "{id}: a question has no receipt of its own");
    (result.facts.code.clone(), parameter(result, "TransactionStatus"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_is_found_by_each_name_and_both_levels_are_told_apart() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let caller = caller(&receiver.url);
    for ending in ["0111", "0002", "0005", "0009"] {
        let id = format!("600999_Org_{ending}");
        crate::support::submit(&sim, &message(&caller, &id, ending, 150)).await;
    }
    receiver.settled(&sim).await;
    let paid = sim.paid("600999_Org_0111").expect("paid");
    let silent = sim.paid("600999_Org_0005").expect("paid");
    let lower = paid.receipt.to_lowercase();
    // By what; the question's code; the payment's status.
    let table = [
        (OriginatorConversationId("600999_Org_0111"), "0", Some("Completed")),
        (ConversationId(&paid.conversation_id), "0", Some("Completed")),
        (Receipt(&paid.receipt), "0", Some("Completed")),
        (Receipt(&lower), "0", Some("Completed")),
        // Its result never came, and it is paid all the same.
        (OriginatorConversationId("600999_Org_0005"), "0", Some("Completed")),
        (Receipt(&silent.receipt), "0", Some("Completed")),
        (OriginatorConversationId("600999_Org_0002"), "0", Some("Declined")),
        // It was read and forgotten.
        (OriginatorConversationId("600999_Org_0009"), "49", None),
        (OriginatorConversationId("600999_Org_nobody"), "49", None),
        (ConversationId("AG_20240102_00000000000000000000"), "49", None),
        (Receipt("QAZ0000000"), "2033", None),
        // A question is no transaction.
        (OriginatorConversationId("600999_Org_q0"), "49", None),
    ];
    for (number, (by, expected, status)) in table.into_iter().enumerate() {
        let found = ask(&sim, &receiver, &caller, &format!("600999_Org_q{number}"), by).await;
        assert_eq!((found.0.as_str(), found.1.as_deref()), (expected, status), "{by:?}");
    }
    let results = receiver.results();
    let of = |id: &str| {
        let named = |r: &&mlango::soap::result::ResultMessage| {
            r.originator_conversation_id.as_deref() == Some(id)
        };
        results.iter().find(named).expect(id)
    };
    let completed = [
        ("ReceiptNo", paid.receipt.as_str()),
        ("Amount", "150.00"),
        ("DebitPartyName", "600999 - Example Organisation"),
        ("OriginatorConversationID", "600999_Org_0111"),
        ("ConversationID", paid.conversation_id.as_str()),
        ("InitiatedTime", "02.01.2024 06:04:05"),
        ("FinalisedTime", "02.01.2024 06:04:05"),
        ("TransactionType", "BusinessPayment"),
        ("ReasonType", "BusinessPayment via API"),
        ("TransactionReason", ""),
        ("DebitAccountType", "Utility Account"),
    ];
    for (key, value) in completed {
        assert_eq!(parameter(of("600999_Org_q0"), key).as_deref(), Some(value), "{key}");
    }
    let credited = parameter(of("600999_Org_q0"), "CreditPartyName").expect("a payee");
    assert!(credited.starts_with("254722000111 - "), "{credited}");
    let declined = of("600999_Org_q6");
    assert_eq!(parameter(declined, "Amount").as_deref(), Some("150.00"));
    assert_eq!(parameter(declined, "ReceiptNo").as_deref(), Some(""));
    // Asking moved nothing.
    assert_eq!(sim.payments(), 2);
    assert_eq!(sim.ledger().entries.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_fifteen_days_only_the_receipt_finds_it() {
    let clock = Arc::new(ManualClock::new(NOW));
    let told = Arc::<ManualClock>::clone(&clock);
    let sim = Simulator::start(settings(), told).await.expect("it starts");
    let receiver = Receiver::start(&[]).await;
    let caller = caller(&receiver.url);
    assert_eq!(code(&sim, &message(&caller, "600999_Org_1", "0111", 10)).await, "0");
    receiver.settled(&sim).await;
    let paid = sim.paid("600999_Org_1").expect("paid");
    let fifteen_days = Duration::from_secs(15 * 24 * 60 * 60);
    let own = OriginatorConversationId("600999_Org_1");
    for (wait, expected) in [(fifteen_days, "0"), (Duration::from_millis(1), "49")] {
        let at = clock.advance(wait);
        for (way, by) in [("o", own), ("c", ConversationId(&paid.conversation_id))] {
            let id = format!("600999_Org_{way}{}", at.millis());
            assert_eq!(ask(&sim, &receiver, &caller, &id, by).await.0, expected, "{by:?}");
        }
        let id = format!("600999_Org_r{}", at.millis());
        let found = ask(&sim, &receiver, &caller, &id, Receipt(&paid.receipt)).await;
        assert_eq!(found, ("0".to_owned(), Some("Completed".to_owned())));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_checked_like_a_payment_and_spends_its_id() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let caller = caller(&receiver.url);
    let own = OriginatorConversationId("600999_Org_1");
    assert_eq!(code(&sim, &message(&caller, "600999_Org_1", "0111", 10)).await, "0");
    let good = query(&caller, "600999_Org_q1", own);
    let key = "<Key>OriginatorConversationID</Key>";
    let pair = format!("<Parameter>{key}<Value>600999_Org_1</Value></Parameter>");
    let more = format!("{pair}<Parameter><Key>ReceiptNumber</Key><Value>X</Value></Parameter>");
    let table = [
        ("by nothing", key, "<Key>Name</Key>", "24"),
        ("by an empty id", "<Value>600999_Org_1</Value>", "<Value></Value>", "24"),
        ("by two", pair.as_str(), more.as_str(), "25"),
        ("unknown spId", "<tns:spId>100001", "<tns:spId>100002", "100000007"),
        ("KeyOwner", "<KeyOwner>1", "<KeyOwner>2", "1004"),
        ("an id that is spent", "600999_Org_q1", "600999_Org_1", "15"),
    ];
    for (what, from, to, expected) in table {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{what}");
        assert_eq!(code(&sim, &changed).await, expected, "{what}");
    }
    assert_eq!(code(&sim, &good).await, "0");
    assert_eq!(code(&sim, &good).await, "15");
    assert_eq!(code(&sim, &message(&caller, "600999_Org_q1", "0111", 10)).await, "15");
    assert_eq!(sim.payments(), 1);
    // A wrong credential fails it, and locks the operator for questions and payments alike.
    receiver.settled(&sim).await;
    let wrong = Caller { security_credential: credential("not it"), ..caller.clone() };
    for (number, expected) in ["2001", "2001", "2001", "8006"].into_iter().enumerate() {
        let found = ask(&sim, &receiver, &wrong, &format!("600999_Org_w{number}"), own).await;
        assert_eq!(found, (expected.to_owned(), None));
    }
    assert_eq!(code(&sim, &message(&caller, "600999_Org_2", "0111", 10)).await, "0");
    assert!(receiver.settled(&sim).await.iter().any(|result| result.facts.code == "8006"));
    assert_eq!(sim.payments(), 1);
}
