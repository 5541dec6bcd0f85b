//! Registrations, balances, reversals and payments to businesses over SOAP: as the schema wants
//! them, with the values of spec/soap.md §3.3 and §3.4, and without a secret in what is kept.

#![expect(clippy::expect_used, reason = "a test that panics has failed, as it should")]

use mlango::domain::inquiry::{BusinessCommand, ResponseType};
use mlango::domain::money::Amount;
use mlango::domain::time::Timestamp;
use mlango::soap::header::{HexCase, Namespace};
use mlango::soap::operation::{Kind, Operation};
use mlango::soap::register::RegisterUrl;
use mlango::soap::request::{self, Caller, Incoming, Rendered};

const AT: Timestamp = Timestamp::from_millis(1_704_164_645_000);
const ID: &str = "999001_ExampleOrg_0003";

fn caller() -> Caller {
    Caller {
        namespace: Namespace::A,
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

fn read(rendered: &Rendered) -> Incoming {
    let incoming = request::parse(&rendered.wire).expect("a request");
    assert_eq!(incoming.faults(), [], "by the schema");
    assert_eq!(incoming.originator_conversation_id.as_deref(), Some(ID));
    assert_eq!(incoming.key_owner.as_deref(), Some("1"));
    let kept = String::from_utf8_lossy(&rendered.redacted);
    assert!(!kept.contains("BASE64-RSA") && !kept.contains("/cb/00ff/"), "{kept}");
    incoming
}

#[test]
fn a_registration_names_its_addresses_and_no_operator() {
    let caller = caller();
    let register = RegisterUrl {
        caller: &caller,
        originator_conversation_id: ID,
        response_type: ResponseType::Cancelled,
        validation_url: "https://gw.example.org/cb/00ff/c2b/validation",
        confirmation_url: "https://gw.example.org/cb/00ff/c2b/confirmation",
        at: AT,
    };
    let rendered = register.render();
    let incoming = read(&rendered);
    assert_eq!(incoming.command.as_deref(), Some("RegisterURL"));
    assert_eq!(incoming.parameter("ResponseType"), Some("Cancelled"));
    let validation = incoming.reference("ValidationURL");
    assert_eq!(validation, Some("https://gw.example.org/cb/00ff/c2b/validation"));
    let confirmation = incoming.reference("ConfirmationURL");
    assert_eq!(confirmation, Some("https://gw.example.org/cb/00ff/c2b/confirmation"));
    let short = incoming.document.descend(&["Identity", "PrimaryParty", "ShortCode"]);
    assert_eq!(short.map(|element| element.value()), Some("999001"));
    let kind = incoming.document.descend(&["Identity", "Caller", "CallerType"]);
    assert_eq!(kind.map(|element| element.value()), Some("0"));
    assert_eq!((incoming.initiator, incoming.security_credential), (None, None));
    let wire = String::from_utf8_lossy(&rendered.wire);
    assert!(!wire.contains("BASE64-RSA"), "nobody's credential is asked for");
}

#[test]
fn each_operation_has_its_parameters_and_parties() {
    let caller = caller();
    let amount = Amount::from_shillings(190);
    let business =
        |command, account| Kind::BusinessPayment { command, receiver: "888880", amount, account };
    let table = [
        (Kind::Balance, "AccountBalance", vec![("ShortCode", "999001")], "999001"),
        (
            Kind::Reversal { receipt: "UJ34AA00ZZ", amount },
            "TransactionReversal",
            vec![("OriginalTransactionID", "UJ34AA00ZZ"), ("Amount", "190.00")],
            "999001",
        ),
        (
            business(BusinessCommand::PayBill, "ACC-1"),
            "BusinessPayBill",
            vec![("Amount", "190.00"), ("AccountReference", "ACC-1")],
            "888880",
        ),
        (
            business(BusinessCommand::BuyGoods, ""),
            "BusinessBuyGoods",
            vec![("Amount", "190.00")],
            "888880",
        ),
    ];
    for (kind, command, parameters, receiver) in table {
        let operation = Operation {
            caller: &caller,
            originator_conversation_id: ID,
            kind,
            remarks: "a <&> b",
            at: AT,
        };
        let incoming = read(&operation.render());
        assert_eq!(incoming.command.as_deref(), Some(command));
        let told: Vec<(&str, &str)> =
            incoming.parameters.iter().map(|(key, value)| (&**key, &**value)).collect();
        assert_eq!(told, parameters, "{command}");
        let party = incoming.receiver_party.expect("a receiver");
        assert_eq!((party.kind.as_str(), party.identifier.as_str()), ("4", receiver));
        assert_eq!(incoming.initiator.as_deref(), Some("example-operator"));
        assert_eq!(incoming.remark.as_deref(), Some("a <&> b"));
    }
}
