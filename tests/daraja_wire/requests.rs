//! Requests: the members of the golden files, with the wire's own misspellings, and no secret in
//! the form that is kept (spec/daraja.md §1).

use std::time::Duration;

use mlango::daraja::request::{
    AccountBalance, Addresses, B2b, B2c, C2bRegister, C2bSimulate, Caller, NameKey, PullQuery,
    PullRegister, Qr, Rendered, Reversal, StatusOf, StkPush, StkQuery, Tax, TransactionStatus,
    password,
};
use mlango::daraja::rules::{Broken, Limits, Place};
use mlango::daraja::{Api, B2cVersion};
use mlango::domain::id::CheckoutRequestId;
use mlango::domain::inquiry::{BusinessCommand, C2bVersion, PaidTo, QrKind, ResponseType};
use mlango::domain::money::Amount;
use mlango::domain::party::Msisdn;
use mlango::domain::payout::Command;
use mlango::domain::tag::{Tag, Tagged};
use mlango::domain::time::Timestamp;
use serde_json::Value;

use super::sample;

const AT: Timestamp = Timestamp::from_millis(1_704_164_645_000);
const PASSKEY: &str = "example-passkey-0001";
const RESULT: &str = "https://gw.example.org/cb/00ff/result/0018cc74f5e10700080010203040506ff";
const TIMEOUT: &str = "https://gw.example.org/cb/00ff/timeout/0018cc74f5e10700080010203040506ff";
const STK: &str = "https://gw.example.org/cb/00ff/stk/2018cc74f5e10700080010203040506ff";
const ADDRESSES: Addresses<'_> = Addresses { result: RESULT, queue_timeout: TIMEOUT };

fn caller() -> Caller {
    Caller {
        shortcode: "600999".to_owned(),
        initiator: "example-operator".to_owned(),
        security_credential: "BASE64-RSA-344-CHARS".to_owned(),
    }
}

fn phone() -> Msisdn {
    "0722000111".parse().expect("a phone")
}

fn push<'a>() -> StkPush<'a> {
    StkPush {
        shortcode: "174379",
        passkey: PASSKEY,
        to: PaidTo::PayBill,
        amount: Amount::from_shillings(10),
        phone: phone(),
        receiver: "174379",
        callback_url: STK,
        reference: "ORDER001",
        description: "Subscription",
        at: AT,
    }
}

fn b2c(caller: &Caller) -> B2c<'_> {
    B2c {
        version: B2cVersion::V3,
        caller,
        addresses: ADDRESSES,
        originator_conversation_id: "600999_ExampleOrg_0001",
        command: Command::BusinessPayment,
        amount: Amount::from_shillings(1_500),
        phone: phone(),
        remarks: "March commission",
        occasion: "Test",
    }
}

fn b2b(caller: &Caller) -> B2b<'_> {
    B2b {
        caller,
        addresses: ADDRESSES,
        command: BusinessCommand::PayBill,
        amount: Amount::from_shillings(190),
        receiver: "888880",
        account: "ACC-1",
        requester: Some(phone()),
        remarks: "Water",
        occasion: "Test",
    }
}

fn reversal(caller: &Caller) -> Reversal<'_> {
    Reversal {
        caller,
        addresses: ADDRESSES,
        receipt: "UJ34AA00ZZ",
        amount: Amount::from_shillings(25),
        remarks: "Paid twice",
        occasion: "Test",
    }
}

fn status(caller: &Caller) -> TransactionStatus<'_> {
    TransactionStatus {
        caller,
        addresses: ADDRESSES,
        of: StatusOf::Name("600999_ExampleOrg_0001", NameKey::Original),
        remarks: "Inquiry",
        occasion: "Test",
    }
}

/// Requests of customers' payments: the name of the golden file, the request, the misspelt or
/// peculiar members that it must have.
fn of_payments() -> Vec<(&'static str, Rendered, Vec<&'static str>)> {
    let checkout = CheckoutRequestId::new("ws_CO_02012024060405123722000111").expect("an id");
    let query = StkQuery { shortcode: "174379", passkey: PASSKEY, checkout: &checkout, at: AT };
    let register = C2bRegister {
        version: C2bVersion::V2,
        shortcode: "600999",
        response_type: ResponseType::Completed,
        confirmation_url: "https://gw.example.org/cb/00ff/c2b/confirmation",
        validation_url: "https://gw.example.org/cb/00ff/c2b/validation",
    };
    let simulate = C2bSimulate {
        version: C2bVersion::V2,
        shortcode: "600999",
        to: PaidTo::PayBill,
        amount: Amount::from_shillings(25),
        phone: phone(),
        account: "INV-77",
    };
    let qr = Qr {
        merchant: "Duka Ltd",
        reference: "INV-77",
        amount: Amount::from_shillings(25),
        kind: QrKind::PayBill,
        receiver: "600999",
        size: 300,
    };
    let leave = PullRegister {
        shortcode: "600999",
        phone: phone(),
        callback_url: "https://gw.example.org/cb/00ff/pull",
    };
    let day = Duration::from_secs(24 * 60 * 60);
    let from = Timestamp::from_millis(AT.millis() - i64::try_from(day.as_millis()).expect("short"));
    let pull = PullQuery { shortcode: "600999", from, to: AT, offset: 100 };
    vec![
        ("request-stk-push", push().render(), vec!["CallBackURL", "TransactionDesc"]),
        ("request-stk-query", query.render(), vec!["CheckoutRequestID"]),
        ("request-c2b-register", register.render(), vec!["ConfirmationURL"]),
        ("request-c2b-simulate", simulate.render(), vec!["Msisdn", "BillRefNumber"]),
        ("request-qr", qr.render(), vec!["TrxCode", "CPI"]),
        ("request-pull-register", leave.render(), vec!["NominatedNumber"]),
        ("request-pull", pull.render(), vec!["OffSetValue"]),
    ]
}

/// The same for money out and questions.
fn of_payouts(caller: &Caller) -> Vec<(&'static str, Rendered, Vec<&'static str>)> {
    let old = B2c {
        version: B2cVersion::V1,
        command: Command::SalaryPayment,
        occasion: "",
        ..b2c(caller)
    };
    let tax = Tax {
        caller,
        addresses: ADDRESSES,
        amount: Amount::from_shillings(190),
        prn: "2020000000012345",
        remarks: "Water",
    };
    let balance = AccountBalance { caller, addresses: ADDRESSES, remarks: "Balance" };
    let misspelt = "RecieverIdentifierType";
    vec![
        ("request-b2c-v3", b2c(caller).render(), vec!["InitiatorName", "Occassion"]),
        ("request-b2c-v1", old.render(), vec!["InitiatorName"]),
        ("request-b2b", b2b(caller).render(), vec!["Initiator", misspelt, "Occassion"]),
        ("request-tax", tax.render(), vec!["Initiator", misspelt]),
        ("request-status", status(caller).render(), vec!["OriginalConversationID", "Occasion"]),
        ("request-balance", balance.render(), vec!["Initiator", "QueueTimeOutURL"]),
        ("request-reversal", reversal(caller).render(), vec![misspelt, "Occasion"]),
    ]
}

#[test]
fn requests_are_those_of_the_golden_files() {
    let caller = caller();
    for (name, rendered, members) in of_payments().into_iter().chain(of_payouts(&caller)) {
        let golden: Value = serde_json::from_str(&sample(name)).expect(name);
        let wire: Value = serde_json::from_slice(&rendered.wire).expect(name);
        assert_eq!(wire, golden, "{name}");
        for member in members {
            assert!(wire.get(member).is_some(), "{name}: {member}");
        }
    }
}

#[test]
fn no_secret_is_in_the_form_that_is_kept() {
    let caller = caller();
    let password = password("174379", PASSKEY, "20240102060405");
    for (name, rendered, _) in of_payments().into_iter().chain(of_payouts(&caller)) {
        let kept = String::from_utf8(rendered.kept.clone()).expect("UTF-8");
        for secret in ["BASE64-RSA-344-CHARS", "/cb/00ff/", PASSKEY, password.as_str()] {
            assert!(!kept.contains(secret), "{name}: {secret}");
        }
        let kept: Value = serde_json::from_str(&kept).expect("JSON as well");
        let wire: Value = serde_json::from_slice(&rendered.wire).expect("JSON");
        let members = |value: &Value| value.as_object().map(serde_json::Map::len);
        assert_eq!(members(&kept), members(&wire), "{name}");
        assert!(!format!("{rendered:?}").contains("254722"), "{name}");
    }
    let shown = format!("{:?} {:?} {:?} {:?}", push(), b2c(&caller), reversal(&caller), ADDRESSES);
    for secret in ["BASE64", "/cb/", PASSKEY, "254722000111"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_till_is_prompted_for_by_its_head_office() {
    let till = StkPush { to: PaidTo::Till, receiver: "5123456", description: "", ..push() };
    let wire: Value = serde_json::from_slice(&till.render().wire).expect("JSON");
    assert_eq!(wire["TransactionType"], "CustomerBuyGoodsOnline");
    assert_eq!(wire["PartyB"], 5_123_456);
    assert_eq!(wire["TransactionDesc"], "ORDER001", "M-Pesa gets some text");
    let caller = caller();
    let by_receipt = TransactionStatus { of: StatusOf::Receipt("UJ34AA00ZZ"), ..status(&caller) };
    let wire: Value = serde_json::from_slice(&by_receipt.render().wire).expect("JSON");
    assert_eq!(wire["TransactionID"], "UJ34AA00ZZ");
    let other = TransactionStatus { of: StatusOf::Name("O", NameKey::Originator), ..by_receipt };
    let wire: Value = serde_json::from_slice(&other.render().wire).expect("JSON");
    assert_eq!(wire["OriginatorConversationID"], "O");
}

#[test]
fn nothing_is_wrong_with_what_the_golden_files_show() {
    let (caller, limits) = (caller(), Limits::default());
    assert_eq!(push().check(&limits, Place::Production), []);
    assert_eq!(b2c(&caller).check(&limits, Place::Production), []);
    assert_eq!(b2b(&caller).check(&limits, Place::Production), []);
    assert_eq!(status(&caller).check(Place::Production), []);
    assert_eq!(reversal(&caller).check(Place::Production), []);
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let (caller, limits) = (caller(), Limits::default());
    let bad = StkPush {
        amount: Amount::from_cents(1_050),
        reference: "ORDER 00100012",
        description: "a & b",
        callback_url: "http://gw.example.org/query",
        receiver: "12",
        ..push()
    };
    let faults = bad.check(&limits, Place::Production);
    let fields: Vec<&str> = faults.iter().map(|fault| fault.field).collect();
    assert_eq!(fields, ["amount", "shortcode", "reference", "description", "public_url"]);
    assert_eq!(faults[4].broken, Broken::UrlNotHttps);
    let bad = B2c {
        command: Command::TransferFromBankToCustomer,
        amount: Amount::from_shillings(9),
        remarks: "",
        ..b2c(&caller)
    };
    let faults = bad.check(&limits, Place::Production);
    let fields: Vec<&str> = faults.iter().map(|fault| fault.field).collect();
    assert_eq!(fields, ["command", "amount", "remarks"]);
    let bad = B2b { account: "", ..b2b(&caller) };
    assert_eq!(bad.check(&limits, Place::Production).len(), 1);
    let till = B2b { command: BusinessCommand::BuyGoods, ..bad };
    assert_eq!(till.check(&limits, Place::Production), [], "a till has no accounts");
    let own = BusinessCommand::WorkingToUtility;
    let own = B2b { command: own, receiver: "600999", ..bad };
    assert_eq!(own.check(&limits, Place::Production), []);
    let bad = Reversal { receipt: "UJ30000000", ..reversal(&caller) };
    assert_eq!(bad.check(Place::Production)[0].field, "receipt");
}

#[test]
fn every_interface_has_a_path_of_its_own() {
    let mut paths: Vec<&str> = Api::ALL.map(Api::path).to_vec();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), Api::ALL.len());
    assert!(paths.iter().all(|path| path.starts_with('/') && !path.contains(' ')));
}

#[test]
fn no_tag_brings_a_forbidden_word_into_an_address() {
    for nth in [0, 1, u32::MAX] {
        for kind in [Tagged::PayoutQuestion { nth }, Tagged::InquiryQuestion { nth }] {
            let tag = Tag::new(kind, [0xec; 16]);
            let url = format!("https://gw.example.org/cb/00ff/result/{tag}");
            let balance = Addresses { result: &url, queue_timeout: TIMEOUT };
            let caller = caller();
            let ask = AccountBalance { caller: &caller, addresses: balance, remarks: "Balance" };
            assert_eq!(ask.check(Place::Production), []);
        }
    }
}
