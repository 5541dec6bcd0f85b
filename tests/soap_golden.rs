//! Wire messages byte for byte: what M-Pesa gets to see of us, and what the simulator sends.
//!
//! The acknowledgements were written down from spec/soap.md §5.5 and §5.6 and not printed by the
//! program. To accept a changed request, answer or result, run with `MLANGO_GOLDEN=write` and read
//! the difference.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test may stop at the first surprise; it reads its own switch"
)]

use std::fs;
use std::path::Path;

use mlango::domain::money::Amount;
use mlango::domain::payout::Command;
use mlango::domain::time::Timestamp;
use mlango::soap::header::{HexCase, Namespace};
use mlango::soap::request::{Caller, PayoutRequest};
use mlango::soap::response::{self, Answer};
use mlango::soap::result::Report;
use mlango::soap::status_query::{AskFor, StatusQuery};
use mlango::soap::{ack, fault, timeout};

fn compare(name: &str, bytes: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var("MLANGO_GOLDEN").is_ok_and(|word| word == "write") && !name.starts_with("ack")
    {
        fs::write(&path, bytes).expect("writes");
    }
    let golden = fs::read(&path).expect("a golden file");
    assert_eq!(String::from_utf8_lossy(bytes), String::from_utf8_lossy(&golden), "{name}");
}

fn caller(namespace: Namespace) -> Caller {
    Caller {
        namespace,
        hex_case: HexCase::Upper,
        sp_id: "100001".to_owned(),
        sp_password: "Example-Secret-1".to_owned(),
        service_id: "100001000".to_owned(),
        shortcode: "999001".to_owned(),
        initiator: "example-operator".to_owned(),
        security_credential: "BASE64-RSA-344-CHARS".to_owned(),
        result_url: "https://gw.example.org/cb/00ff/b2c/result".to_owned(),
        queue_timeout_url: "https://gw.example.org/cb/00ff/b2c/timeout".to_owned(),
    }
}

#[test]
fn acknowledgements_are_the_documented_bytes() {
    compare("ack-result-kept.xml", ack::RESULT_KEPT.as_bytes());
    compare("ack-result-refused.xml", ack::RESULT_REFUSED.as_bytes());
    compare("ack-timeout-kept.xml", ack::TIMEOUT_KEPT.as_bytes());
    compare("ack-timeout-refused.xml", ack::TIMEOUT_REFUSED.as_bytes());
}

#[test]
fn a_payout_request_is_written_in_one_form() {
    for (namespace, name) in [(Namespace::A, "request-a"), (Namespace::B, "request-b")] {
        let caller = caller(namespace);
        let request = PayoutRequest {
            caller: &caller,
            command: Command::BusinessPayment,
            originator_conversation_id: "999001_ExampleOrg_0001",
            amount: Amount::from_shillings(150),
            phone: "254722000111".parse().expect("a phone"),
            remarks: "payout 1 <&> ]]> done",
            occasion: "Test",
            at: Timestamp::from_millis(1_704_164_645_000),
        };
        let rendered = request.render();
        compare(&format!("{name}.xml"), &rendered.wire);
        compare(&format!("{name}-stored.xml"), &rendered.redacted);
    }
}

#[test]
fn a_status_query_is_written_in_one_form() {
    let caller = caller(Namespace::A);
    let query = StatusQuery {
        caller: &caller,
        originator_conversation_id: "999001_ExampleOrg_0002",
        ask_for: AskFor::Receipt("QK12ABCD34"),
        at: Timestamp::from_millis(1_704_164_645_000),
    };
    compare("status-query.xml", &query.render().wire);
}

#[test]
fn the_simulators_messages_are_written_in_one_form() {
    let answer = Answer {
        code: "0",
        description: "Accept the service request successfully.",
        conversation_id: Some("AG_20240102_0000000000000000abcd"),
        originator_conversation_id: Some("999001_ExampleOrg_0001"),
        service_status: Some("0"),
    };
    compare("response-core.xml", &response::render(&answer));
    let answer =
        Answer { code: "100000007", description: "Authentication failed.", ..Answer::default() };
    compare("response-broker.xml", &response::render(&answer));
    let mut report = Report {
        code: "0",
        description: "The service request is processed successfully.",
        originator_conversation_id: "999001_ExampleOrg_0001",
        conversation_id: "AG_20240102_0000000000000000abcd",
        receipt: Some("QK12ABCD34"),
        parameters: vec![
            ("TransactionReceipt", "QK12ABCD34"),
            ("TransactionAmount", "150.00"),
            ("TransactionCompletedDateTime", "02.01.2024 06:04:05"),
            ("ReceiverPartyPublicName", "254722000111 - Jane & John"),
        ],
        references: vec![("Occasion", "Test")],
    };
    compare("result-paid.xml", &report.render());
    report.code = "2040";
    report.description = "Credit party customer type can't be supported by the service.";
    report.receipt = None;
    report.parameters.clear();
    compare("result-failed.xml", &report.render());
    compare("timeout.xml", &timeout::render("999001_ExampleOrg_0001", b"<request/>"));
    compare("fault.xml", &fault::fault(fault::SERVER, "the message was not kept"));
}
