//! What is written is read back: requests, answers, results, queue timeouts.

#![expect(clippy::expect_used, reason = "a test may stop at the first surprise")]

use mlango::domain::money::Amount;
use mlango::domain::payout::Command;
use mlango::domain::time::Timestamp;
use mlango::soap::header::{HexCase, Namespace, sp_password};
use mlango::soap::request::{self, Caller, PayoutRequest};
use mlango::soap::response::{self, Answer};
use mlango::soap::result::{self, Report};
use mlango::soap::status_query::{AskFor, StatusQuery};
use mlango::soap::{Unreadable, ack, fault, timeout};
use proptest::prelude::*;

fn caller() -> Caller {
    Caller {
        namespace: Namespace::A,
        hex_case: HexCase::Upper,
        sp_id: "100001".to_owned(),
        sp_password: "Example-Secret-1".to_owned(),
        service_id: "100001000".to_owned(),
        shortcode: "999001".to_owned(),
        initiator: "example-operator".to_owned(),
        security_credential: "Q1JFREVOVElBTA==".to_owned(),
        result_url: "https://gw.example.org/cb/00ff/b2c/result?a=1&b=2".to_owned(),
        queue_timeout_url: "https://gw.example.org/cb/00ff/b2c/timeout".to_owned(),
    }
}

fn payout<'a>(caller: &'a Caller, remarks: &'a str, occasion: &'a str) -> PayoutRequest<'a> {
    PayoutRequest {
        caller,
        command: Command::BusinessPayment,
        originator_conversation_id: "999001_ExampleOrg_0001",
        amount: Amount::from_shillings(150),
        phone: "254722000111".parse().expect("a phone"),
        remarks,
        occasion,
        at: Timestamp::from_millis(1_704_164_645_000),
    }
}

#[test]
fn a_payout_is_read_as_it_was_written() {
    let caller = caller();
    let rendered = payout(&caller, "payout 1", "Test").render();
    let incoming = request::parse(&rendered.wire).expect("reads");
    assert_eq!(incoming.faults(), []);
    let header = incoming.header.clone().expect("a header");
    assert_eq!(header.sp_id, "100001");
    assert_eq!(header.service_id.as_deref(), Some("100001000"));
    assert_eq!(header.time_stamp.as_deref(), Some("20240102030405"));
    let password = sp_password("100001", "Example-Secret-1", "20240102030405", HexCase::Upper);
    assert_eq!(header.sp_password, Some(password));
    let table = [
        (incoming.command.as_deref(), "BusinessPayment"),
        (incoming.originator_conversation_id.as_deref(), "999001_ExampleOrg_0001"),
        (incoming.remark.as_deref(), "payout 1"),
        (incoming.parameter("Amount"), "150.00"),
        (incoming.reference("QueueTimeoutURL"), caller.queue_timeout_url.as_str()),
        (incoming.reference("Occasion"), "Test"),
        (incoming.timestamp.as_deref(), "2024-01-02T03:04:05.0000000Z"),
        (incoming.result_url.as_deref(), caller.result_url.as_str()),
        (incoming.initiator.as_deref(), "example-operator"),
        (incoming.security_credential.as_deref(), "Q1JFREVOVElBTA=="),
        (incoming.initiator_shortcode.as_deref(), "999001"),
        (incoming.primary_party.as_ref().map(|p| p.identifier.as_str()), "999001"),
        (incoming.receiver_party.as_ref().map(|p| p.kind.as_str()), "1"),
        (incoming.receiver_party.as_ref().map(|p| p.identifier.as_str()), "254722000111"),
        (incoming.key_owner.as_deref(), "1"),
    ];
    for (found, expected) in table {
        assert_eq!(found, Some(expected));
    }
}

#[test]
fn what_is_stored_of_a_request_holds_no_secret_and_nothing_shows_one() {
    let caller = caller();
    let rendered = payout(&caller, "payout 1", "").render();
    let incoming = request::parse(&rendered.wire).expect("reads");
    let password = incoming.header.clone().and_then(|header| header.sp_password);
    let secrets = [
        password.expect("a password"),
        "Q1JFREVOVElBTA==".to_owned(),
        "Example-Secret-1".to_owned(),
        "/cb/00ff/".to_owned(),
    ];
    let stored = String::from_utf8(rendered.redacted.clone()).expect("UTF-8");
    let shown = format!("{caller:?} {rendered:?} {incoming:?} {:?}", incoming.document);
    for secret in secrets {
        assert!(!stored.contains(&secret), "{secret} is stored");
        assert!(!shown.contains(&secret), "{secret} is shown");
    }
    assert!(!shown.contains("254722000111"), "the phone is shown");
    assert_eq!(stored.matches("***").count(), 4);
    let redacted = request::parse(&rendered.redacted).expect("reads");
    assert_eq!(redacted.parameter("Amount"), Some("150.00"));
}

#[test]
fn both_namespaces_and_both_cases_are_written() {
    for (namespace, uri) in [
        (Namespace::A, "http://www.huawei.com/schema/osg/common/v2_1"),
        (Namespace::B, "http://www.huawei.com.cn/schema/common/v2_1"),
    ] {
        for hex_case in [HexCase::Upper, HexCase::Lower] {
            let caller = Caller { namespace, hex_case, ..caller() };
            let wire = payout(&caller, "", "").render().wire;
            assert!(String::from_utf8_lossy(&wire).contains(uri));
            let header = request::parse(&wire).expect("reads").header.expect("a header");
            let expected = sp_password("100001", "Example-Secret-1", "20240102030405", hex_case);
            assert_eq!(header.sp_password, Some(expected));
        }
    }
}

#[test]
fn a_status_query_asks_for_exactly_one_thing() {
    let caller = caller();
    let table = [
        (AskFor::Receipt("QK12ABCD34"), "ReceiptNumber", "QK12ABCD34"),
        (AskFor::OriginatorConversationId("a_b_1"), "OriginatorConversationID", "a_b_1"),
        (AskFor::ConversationId("AG_1"), "ConversationID", "AG_1"),
    ];
    for (ask_for, key, value) in table {
        let query = StatusQuery {
            caller: &caller,
            originator_conversation_id: "999001_ExampleOrg_0002",
            ask_for,
            at: Timestamp::from_millis(1_704_164_645_000),
        };
        let incoming = request::parse(&query.render().wire).expect("reads");
        assert_eq!(incoming.command.as_deref(), Some("TransactionStatusQuery"));
        assert_eq!(incoming.parameters, [(key.to_owned(), value.to_owned())]);
        assert_eq!(incoming.faults(), []);
    }
}

#[test]
fn an_answer_is_read_as_it_was_written() {
    let bytes = response::render(&Answer {
        code: "0",
        description: "Accept the service request successfully.",
        conversation_id: Some("AG_20240102_0000000000000000abcd"),
        originator_conversation_id: Some("999001_ExampleOrg_0001"),
        service_status: Some("0"),
    });
    let response = response::parse(&bytes).expect("reads");
    assert_eq!(response.facts.code, "0");
    assert_eq!(response.facts.description, "Accept the service request successfully.");
    let conversation = response.facts.conversation.expect("a conversation");
    assert_eq!(conversation.as_str(), "AG_20240102_0000000000000000abcd");
    assert_eq!(response.originator_conversation_id.as_deref(), Some("999001_ExampleOrg_0001"));
    assert_eq!(response.service_status.as_deref(), Some("0"));
}

#[test]
fn a_result_is_read_as_it_was_written() {
    let bytes = Report {
        code: "0",
        description: "The service request is processed successfully.",
        originator_conversation_id: "999001_ExampleOrg_0001",
        conversation_id: "AG_20240102_0000000000000000abcd",
        receipt: Some("QK12ABCD34"),
        parameters: vec![
            ("TransactionReceipt", "QK12ABCD34"),
            ("TransactionAmount", "150.00"),
            ("TransactionCompletedDateTime", "02.01.2024 06:04:05"),
            ("ReceiverPartyPublicName", "254722000111 - Jane & John Doe"),
            ("B2CWithdrawalChargeAmount", "22.40"),
        ],
        references: vec![("Occasion", "Test")],
    }
    .render();
    let message = result::parse(&bytes).expect("reads");
    assert!(!format!("{message:?}").contains("Jane"));
    assert!(!format!("{message:?}").contains("254722"));
    assert_eq!(message.originator_conversation_id.as_deref(), Some("999001_ExampleOrg_0001"));
    assert_eq!(message.references, [("Occasion".to_owned(), "Test".to_owned())]);
    let facts = message.facts;
    assert_eq!((facts.code.as_str(), facts.waiting), ("0", false));
    assert_eq!(facts.receipt.map(|r| r.to_string()).as_deref(), Some("QK12ABCD34"));
    assert_eq!(facts.amount, Some(Amount::from_shillings(150)));
    assert_eq!(facts.charge, Some(Amount::from_cents(2240)));
    assert_eq!(facts.payee.map(|p| p.reveal()).as_deref(), Some("254722000111"));
    let name = facts.recipient_name.expect("a name");
    assert_eq!(name.reveal(), "Jane & John Doe");
    assert_eq!(facts.completed_at, Some(Timestamp::from_millis(1_704_164_645_000)));
}

#[test]
fn a_queue_timeout_is_read_and_gives_no_secret_away() {
    let caller = caller();
    let original = payout(&caller, "", "").render();
    let bytes = timeout::render("999001_ExampleOrg_0001", &original.wire);
    let message = timeout::parse(&bytes).expect("reads");
    assert_eq!(message.originator_conversation_id.as_deref(), Some("999001_ExampleOrg_0001"));
    assert!(!format!("{message:?}").contains("Q1JF"));
    assert_eq!(message.origin_request_redacted(), Some(original.redacted));
    let stored = String::from_utf8(timeout::redact(&bytes)).expect("UTF-8");
    assert!(stored.contains("<loc:originRequest>***</loc:originRequest>"), "{stored}");
    let again = timeout::parse(stored.as_bytes()).expect("reads");
    assert_eq!(again.originator_conversation_id, message.originator_conversation_id);
}

#[test]
fn a_fault_is_recognised_wherever_an_answer_is_expected() {
    let bytes = fault::fault(fault::SERVER, "not now & not <here>");
    let expected = Unreadable::Fault("Server");
    assert_eq!(response::parse(&bytes).expect_err("a fault"), expected);
    assert_eq!(result::parse(&bytes).expect_err("a fault"), expected);
    assert_eq!(ack::is_kept(&bytes).expect_err("a fault"), expected);
}

#[test]
fn our_acknowledgements_say_what_they_mean() {
    assert_eq!(ack::is_kept(ack::RESULT_KEPT.as_bytes()), Ok(true));
    assert_eq!(ack::is_kept(ack::RESULT_REFUSED.as_bytes()), Ok(false));
}

/// What XML can carry at all, trimmed: what must come through unchanged.
fn carried(text: &str) -> String {
    let kept: String = text.chars().filter(|c| mlango::soap::xml::is_legal(*c)).collect();
    kept.trim().to_owned()
}

proptest! {
    #[test]
    fn any_text_comes_through_a_request(remarks in any::<String>(), occasion in any::<String>()) {
        let caller = caller();
        let rendered = payout(&caller, &remarks, &occasion).render();
        let incoming = request::parse(&rendered.wire).expect("reads");
        prop_assert_eq!(incoming.remark.unwrap_or_default(), carried(&remarks));
        let found = envelope_value(&incoming.references, "Occasion");
        prop_assert_eq!(found, carried(&occasion));
    }

    #[test]
    fn any_text_comes_through_a_result(name in any::<String>(), description in any::<String>()) {
        let bytes = Report {
            code: "0",
            description: &description,
            originator_conversation_id: "1_A_1",
            conversation_id: "AG_1",
            receipt: None,
            parameters: vec![("Note", &name)],
            references: vec![],
        }
        .render();
        let message = result::parse(&bytes).expect("reads");
        prop_assert_eq!(envelope_value(&message.parameters, "Note"), carried(&name));
    }

    #[test]
    fn any_text_comes_through_an_answer(own_id in any::<String>()) {
        let bytes = response::render(&Answer {
            code: "15",
            description: "duplicate",
            originator_conversation_id: Some(&own_id),
            ..Answer::default()
        });
        let found = response::parse(&bytes).expect("reads").originator_conversation_id;
        prop_assert_eq!(found.unwrap_or_default(), carried(&own_id));
    }
}

fn envelope_value(pairs: &[(String, String)], key: &str) -> String {
    let found = pairs.iter().find(|(name, _)| name == key);
    found.map(|(_, value)| value.clone()).unwrap_or_default()
}
