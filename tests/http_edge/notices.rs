//! What Daraja and C2B call: callbacks of prompts, validations and confirmations, in JSON and in
//! SOAP; what is kept, what is done, and what each is answered, byte for byte
//! (spec/daraja.md §2.1, §2.2; spec/soap.md §7).

use std::sync::Arc;
use std::time::Duration;

use mlango::daraja::ack;
use mlango::domain::id::CheckoutRequestId;
use mlango::domain::payment::validation::{Answer, Refusal, Rules, Unlisted};
use mlango::domain::payment::{Asking, C2bNotice, Prompt, State, Tries};
use mlango::domain::payout::CaseKind;
use mlango::engine::TillSettings;
use mlango::engine::port::Validator;
use mlango::soap::c2b;
use mlango::store::{CaseQuery, PaymentQuery, Pending, Scope, Store};
use serde_json::{Value, json};

use crate::support::{Call, Gateway, NOW, TOKEN, Told};

/// What M-Pesa calls the prompt of these tests.
pub const CHECKOUT: &str = "ws_CO_02012024060405123700000001";
/// A prompt's body.
pub const PROMPT: &str = r#"{"amount":"10","phone":"0700000001","reference":"ORDER001"}"#;

pub async fn call(gateway: &Gateway, path: &str, body: impl Into<Vec<u8>>) -> Told {
    Call::post(format!("/cb/{TOKEN}/{path}")).body(body).put(&gateway.callbacks(&[])).await
}

/// A payment whose prompt stands on the payer's phone.
pub async fn prompted(gateway: &Gateway) -> Value {
    let key = gateway.key("shop", &[Scope::PaymentsWrite]).await;
    let call = Call::post("/v1/stk-pushes").key(&key).once("k").json(PROMPT);
    let payment = gateway.ask(call).await.json();
    stand(gateway, &payment).await;
    payment
}

async fn stand(gateway: &Gateway, payment: &Value) {
    let checkout = CheckoutRequestId::new(CHECKOUT).expect("an id");
    let state = State::Prompted {
        tries: Tries { attempts: 1, sent_at: Some(NOW), ..Tries::NONE },
        prompt: Prompt { merchant: None, checkout },
        asking: Asking::first_at(NOW.after(Duration::from_secs(20))),
    };
    gateway.stands(payment, state).await;
}

/// The tag of a payment: its kind and its id in hexadecimal.
pub fn tag(digit: char, id: &Value) -> String {
    let id = id.as_str().expect("an id");
    let subject: mlango::domain::subject::Subject = id.parse().expect("a subject");
    let bytes = subject.bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{digit}{hex}")
}

pub async fn payment(gateway: &Gateway, id: &Value) -> mlango::domain::payment::Payment {
    let id = id.as_str().expect("an id").parse().expect("an id");
    gateway.store.payment(id).await.expect("a read").expect("a payment").value
}

pub async fn cases(gateway: &Gateway) -> Vec<CaseKind> {
    let page = gateway.store.cases(&CaseQuery::all(100)).await.expect("cases");
    page.rows.iter().map(|case| case.kind).collect()
}

async fn payments(gateway: &Gateway) -> Vec<mlango::domain::payment::Payment> {
    let page = gateway.store.payments(&PaymentQuery::all(100)).await.expect("payments");
    page.rows.into_iter().map(|kept| kept.value).collect()
}

/// A callback that says paid, with these items.
fn callback(checkout: &str, items: &Value) -> String {
    let callback = json!({"Body": {"stkCallback": {
        "MerchantRequestID": "91ab-4c1d", "CheckoutRequestID": checkout, "ResultCode": 0,
        "ResultDesc": "The service request is processed successfully.",
        "CallbackMetadata": {"Item": items},
    }}});
    callback.to_string()
}

pub fn paid() -> String {
    let items = json!([
        {"Name": "Amount", "Value": 10.00}, {"Name": "MpesaReceiptNumber", "Value": "UA24AA00ZZ"},
        {"Name": "Balance"}, {"Name": "TransactionDate", "Value": 20_240_102_060_420_u64},
        {"Name": "PhoneNumber", "Value": 254_700_000_001_u64},
    ]);
    callback(CHECKOUT, &items)
}

fn refused(code: u32) -> String {
    let callback = json!({"Body": {"stkCallback": {
        "MerchantRequestID": "91ab-4c1d", "CheckoutRequestID": CHECKOUT, "ResultCode": code,
        "ResultDesc": "what M-Pesa says of it",
    }}});
    callback.to_string()
}

#[tokio::test]
async fn a_callback_settles_its_prompt_however_its_items_come() {
    let items = [
        json!([{"Name": "MpesaReceiptNumber", "Value": "UA24AA00ZZ"},
               {"Name": "Amount", "Value": "10.00"}]),
        json!([{"Name": "PhoneNumber"}, {"Name": "TransactionDate", "Value": "20240102060420"},
               {"Name": "Amount", "Value": 10}, {"Name": "Balance"},
               {"Name": "MpesaReceiptNumber", "Value": "UA24AA00ZZ"}]),
    ];
    let bodies = items.iter().map(|items| callback(CHECKOUT, items)).chain([paid()]);
    for body in bodies {
        let gateway = Gateway::with_daraja();
        let prompt = prompted(&gateway).await;
        let told = call(&gateway, "stk", body.clone()).await;
        assert_eq!((told.status.as_u16(), told.text()), (200, ack::STK_KEPT), "{body}");
        assert_eq!(told.header("content-type"), "application/json");
        let payment = payment(&gateway, &prompt["id"]).await;
        assert_eq!(payment.status().as_str(), "succeeded", "{body}");
        assert_eq!(payment.receipt().map(|it| it.as_str()), Some("UA24AA00ZZ"));
        let id = payment.details.id.into();
        let events = gateway.store.events_of(id).await.expect("events");
        let message = events.last().expect("an event").event.messages[0];
        let message = gateway.store.message(message).await.expect("a read").expect("a message");
        assert_eq!(message.body, body.into_bytes(), "raw, as it came");
    }
}

#[tokio::test]
async fn what_callbacks_do_that_say_no_or_do_not_fit() {
    let other_amount = paid().replace("10.0", "11.0");
    let elsewhere = paid().replace(CHECKOUT, "ws_CO_02012024060405124700000002");
    let missing = callback(CHECKOUT, &json!([{"Name": "Amount", "Value": 10}]));
    let table: [(&str, String, &str, &[CaseKind]); 8] = [
        ("cancelled", refused(1032), "failed", &[]),
        ("no answer of the phone", refused(1037), "failed", &[]),
        ("a code that nobody knows", refused(4242), "unknown", &[]),
        ("another amount", other_amount, "pending", &[CaseKind::Mismatch]),
        // Paid, as M-Pesa says; its receipt comes with the confirmation.
        ("no receipt", missing, "succeeded", &[]),
        ("an unknown checkout id", elsewhere, "pending", &[CaseKind::Unmatched]),
        ("no callback", "{\"Body\":{}}".to_owned(), "pending", &[CaseKind::Malformed]),
        ("nothing", String::new(), "pending", &[CaseKind::Malformed]),
    ];
    for (what, body, status, opened) in table {
        let gateway = Gateway::with_daraja();
        let prompt = prompted(&gateway).await;
        let told = call(&gateway, "stk", body).await;
        assert_eq!((told.status.as_u16(), told.text()), (200, ack::STK_KEPT), "{what}");
        let payment = payment(&gateway, &prompt["id"]).await;
        assert_eq!(payment.status().as_str(), status, "{what}");
        assert_eq!(cases(&gateway).await, opened, "{what}");
        assert!(payment.receipt().is_none(), "{what}");
    }
}

#[tokio::test]
async fn a_callback_twice_is_acknowledged_twice_and_counted_once() {
    let gateway = Gateway::with_daraja();
    prompted(&gateway).await;
    for _ in 0..3 {
        assert_eq!(call(&gateway, "stk", paid()).await.text(), ack::STK_KEPT);
    }
    assert_eq!(payments(&gateway).await.len(), 1);
    assert!(cases(&gateway).await.is_empty());
}

#[tokio::test]
async fn the_address_finds_a_prompt_whose_answer_has_not_come() {
    let gateway = Gateway::with_daraja();
    let key = gateway.key("shop", &[Scope::PaymentsWrite]).await;
    let push = Call::post("/v1/stk-pushes").key(&key).once("k").json(PROMPT);
    let waiting = gateway.ask(push).await.json();
    let state = State::Sending {
        tries: Tries { attempts: 1, sent_at: Some(NOW), ..Tries::NONE },
        lease: mlango::domain::payout::Lease {
            owner: mlango::domain::id::RunId::from_bytes([1; 16]),
            until: NOW.after(Duration::from_secs(60)),
        },
    };
    gateway.stands(&waiting, state).await;
    // By its id alone nobody knows it yet: a case. Its address knows it.
    assert_eq!(call(&gateway, "stk", paid()).await.status, 200);
    assert_eq!(cases(&gateway).await, [CaseKind::Unmatched]);
    let path = format!("stk/{}", tag('2', &waiting["id"]));
    assert_eq!(call(&gateway, &path, paid()).await.text(), ack::STK_KEPT);
    let payment = payment(&gateway, &waiting["id"]).await;
    assert_eq!(payment.receipt().map(|it| it.as_str()), Some("UA24AA00ZZ"));
    assert_eq!(payment.checkout().map(|it| it.as_str()), Some(CHECKOUT));
}

#[tokio::test]
async fn an_address_that_does_not_fit_moves_nothing() {
    let gateway = Gateway::with_daraja();
    let prompt = prompted(&gateway).await;
    let key = gateway.key("other", &[Scope::PaymentsWrite]).await;
    let other = PROMPT.replace("0700000001", "0700000002");
    let push = Call::post("/v1/stk-pushes").key(&key).once("k").json(other);
    let other = gateway.ask(push).await.json();
    let table = [
        (tag('2', &other["id"]), CaseKind::Mismatch),
        (tag('3', &prompt["id"]), CaseKind::Malformed),
        ("result".to_owned(), CaseKind::Malformed),
        (tag('2', &prompt["id"]).to_uppercase(), CaseKind::Malformed),
    ];
    for (number, (tag, kind)) in table.into_iter().enumerate() {
        let told = call(&gateway, &format!("stk/{tag}"), paid()).await;
        assert_eq!((told.status.as_u16(), told.text()), (200, ack::STK_KEPT), "{tag}");
        assert_eq!(cases(&gateway).await[number], kind, "{tag}");
    }
    for payment in payments(&gateway).await {
        assert_eq!(payment.status().as_str(), "pending");
    }
}

/// A confirmation in JSON.
pub fn confirmation(receipt: &str, account: &str) -> String {
    json!({
        "TransactionType": "Pay Bill", "TransID": receipt, "TransTime": "20240102060420",
        "TransAmount": "10.00", "BusinessShortCode": "174379", "BillRefNumber": account,
        "InvoiceNumber": "", "OrgAccountBalance": "1025.00", "ThirdPartyTransID": "",
        "MSISDN": "2547 ***** 001", "FirstName": "AMINA", "MiddleName": "", "LastName": "",
    })
    .to_string()
}

/// The same in SOAP.
fn soap(step: &str, receipt: &str, account: &str) -> String {
    format!(
        "<x:Envelope xmlns:x=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:n=\"{}\"><x:Body>\
         <n:C2BPayment{step}Request><TransType>Pay Bill</TransType><TransID>{receipt}</TransID>\
         <TransTime>20240102060420</TransTime><TransAmount>10.00</TransAmount>\
         <BusinessShortCode>174379</BusinessShortCode><BillRefNumber>{account}</BillRefNumber>\
         <OrgAccountBalance>1025.00</OrgAccountBalance><MSISDN>254700000001</MSISDN>\
         <KYCInfo><KYCName>[Personal Details][First Name]</KYCName><KYCValue>AMINA</KYCValue>\
         </KYCInfo></n:C2BPayment{step}Request></x:Body></x:Envelope>",
        mlango::soap::schema::C2B
    )
}

#[tokio::test]
async fn a_receipt_is_one_payment_in_either_language_and_however_often() {
    let gateway = Gateway::with_daraja();
    let told = call(&gateway, "c2b/confirmation", confirmation("UA24AA00ZZ", "INV-77")).await;
    assert_eq!((told.status.as_u16(), told.text()), (200, ack::CONFIRMED));
    assert_eq!(told.header("content-type"), "application/json");
    for _ in 0..2 {
        let body = soap("Confirmation", "UA24AA00ZZ", "INV-77");
        let told = call(&gateway, "c2b/confirmation", body).await;
        assert_eq!((told.status.as_u16(), told.body.clone()), (200, c2b::confirmed("UA24AA00ZZ")));
        assert_eq!(told.header("content-type"), "text/xml; charset=utf-8");
    }
    let all = payments(&gateway).await;
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].details.account, "INV-77");
    assert_eq!(all[0].details.app, None, "nobody's: everybody's to see");
    assert!(cases(&gateway).await.is_empty());
}

#[tokio::test]
async fn two_notices_with_one_receipt_are_one_payment_in_either_order() {
    for callback_first in [true, false] {
        let gateway = Gateway::with_daraja();
        let prompt = prompted(&gateway).await;
        let notices =
            [("stk", paid()), ("c2b/confirmation", confirmation("UA24AA00ZZ", "ORDER001"))];
        let ordered = if callback_first { vec![0, 1] } else { vec![1, 0] };
        for which in ordered {
            let (path, body) = &notices[which];
            assert_eq!(call(&gateway, path, body.clone()).await.status, 200);
        }
        let all = payments(&gateway).await;
        assert_eq!(all.len(), 1, "callback first: {callback_first}");
        assert_eq!(all[0].details.id.to_string(), prompt["id"], "the prompt's payment counts");
        assert_eq!(all[0].receipt().map(|it| it.as_str()), Some("UA24AA00ZZ"));
    }
}

#[tokio::test]
async fn a_confirmation_that_cannot_be_read_is_kept_for_a_person() {
    for (body, answer) in [
        ("{\"TransID\":\"UA24AA00ZZ\"}".to_owned(), ack::CONFIRMED.as_bytes().to_vec()),
        ("<a/>".to_owned(), c2b::confirmed("")),
    ] {
        let gateway = Gateway::with_daraja();
        let told = call(&gateway, "c2b/confirmation", body.clone()).await;
        assert_eq!((told.status.as_u16(), told.body), (200, answer), "{body}");
        assert_eq!(cases(&gateway).await, [CaseKind::Malformed]);
        assert!(payments(&gateway).await.is_empty());
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_never_acknowledged() {
    let gateway = Gateway::with_daraja();
    prompted(&gateway).await;
    gateway.store.fail("the disk is full");
    for (path, body) in [
        ("stk", paid()),
        ("stk", "{}".to_owned()),
        ("c2b/confirmation", confirmation("UA24AA00ZZ", "INV-77")),
        ("c2b/confirmation", soap("Confirmation", "UA24AA00ZZ", "INV-77")),
        ("result", "{\"Result\":{\"ResultCode\":0}}".to_owned()),
        ("timeout", "{}".to_owned()),
    ] {
        let told = call(&gateway, path, body).await;
        assert_eq!(told.status, 500, "{path}");
        let text = told.text();
        assert!(!text.contains("ccepted") && !text.contains("uccess"), "{text}");
        assert!(!text.contains("received") && !text.contains("disk"), "{text}");
    }
}

/// An application that answers the same always, or never.
#[derive(Debug)]
struct Asked(Option<Answer>);

impl Validator for Asked {
    fn ask<'a>(&'a self, _notice: &'a C2bNotice) -> Pending<'a, Option<Answer>> {
        let answer = self.0.clone();
        Box::pin(async move {
            match answer {
                Some(answer) => Some(answer),
                None => std::future::pending().await,
            }
        })
    }
}

fn rules(unlisted: Unlisted, accounts: &[&str]) -> TillSettings {
    let accounts = accounts.iter().map(|pattern| pattern.parse().expect("a pattern")).collect();
    let rules = Rules { accounts, unlisted, ..Rules::default() };
    TillSettings { rules, validation_timeout: Duration::from_millis(60), ..TillSettings::default() }
}

async fn validated(gateway: &Gateway, account: &str) -> (Vec<u8>, Vec<u8>) {
    let told = call(gateway, "c2b/validation", confirmation("UA24AA00ZZ", account)).await;
    assert_eq!(told.status, 200);
    let in_json = told.body;
    let told = call(gateway, "c2b/validation", soap("Validation", "UA24AA00ZZ", account)).await;
    assert_eq!(told.status, 200);
    (in_json, told.body)
}

#[tokio::test]
async fn a_validation_is_answered_in_its_language_by_whoever_decides() {
    let accept = |id: Option<&str>| (ack::accepted(id).into_bytes(), c2b::accepted(id));
    let reject = |why| (ack::rejected(why).into_bytes(), c2b::rejected(why));
    let asked = |answer| -> Option<Arc<dyn Validator>> { Some(Arc::new(Asked(answer))) };
    let yes = Answer::Accept { third_party_id: Some("77".to_owned()) };
    let no = Answer::Reject(Refusal::Kyc);
    let table = [
        ("rules: any", rules(Unlisted::Taken, &[]), None, accept(None)),
        ("rules: it fits", rules(Unlisted::Taken, &["inv-*"]), None, accept(None)),
        ("rules: another form", rules(Unlisted::Taken, &["A-*"]), None, reject(Refusal::Account)),
        ("rules: not expected", rules(Unlisted::TurnedDown, &[]), None, reject(Refusal::Account)),
        (
            "an application says yes",
            rules(Unlisted::Taken, &[]),
            asked(Some(yes)),
            accept(Some("77")),
        ),
        (
            "an application says no",
            rules(Unlisted::Taken, &[]),
            asked(Some(no)),
            reject(Refusal::Kyc),
        ),
        ("nobody answers in time", rules(Unlisted::Taken, &[]), asked(None), accept(None)),
    ];
    for (what, till, validators, expected) in table {
        let gateway = Gateway::with(till, validators);
        assert_eq!(validated(&gateway, "INV-77").await, expected, "{what}");
        assert!(payments(&gateway).await.is_empty(), "{what}: it moves no money");
    }
}

#[tokio::test]
async fn an_expected_reference_is_taken_once_and_its_payment_is_whose_it_is() {
    let gateway = Gateway::with(rules(Unlisted::TurnedDown, &[]), None);
    let key = gateway.key("billing", &[Scope::PaymentsWrite, Scope::PaymentsRead]).await;
    let rows = r#"[{"reference":"INV-77","amount":"10"},{"reference":"INV-78","amount":11}]"#;
    let told = gateway.ask(Call::post("/v1/c2b/expected-references").key(&key).json(rows)).await;
    assert_eq!((told.status.as_u16(), told.text()), (200, r#"{"taken":2}"#));
    let accept = (ack::accepted(None).into_bytes(), c2b::accepted(None));
    let reject = |why| (ack::rejected(why).into_bytes(), c2b::rejected(why));
    assert_eq!(validated(&gateway, " inv-77 ").await, accept);
    assert_eq!(validated(&gateway, "INV-78").await, reject(Refusal::Amount));
    assert_eq!(validated(&gateway, "INV-79").await, reject(Refusal::Account));
    call(&gateway, "c2b/confirmation", confirmation("UA24AA00ZZ", "inv-77")).await;
    assert_eq!(validated(&gateway, "INV-77").await, reject(Refusal::Account), "paid already");
    let listed = gateway.ask(Call::get("/v1/payments?reference=INV-77").key(&key)).await.json();
    assert_eq!(listed["data"][0]["account"], "inv-77");
    let other = gateway.key("other", &[Scope::PaymentsRead]).await;
    let listed = gateway.ask(Call::get("/v1/payments").key(&other)).await.json();
    assert_eq!(listed["data"], json!([]), "it is the application's that expected it");
    // The same import again does not make it payable again.
    let again = Call::post("/v1/c2b/expected-references").key(&key).json(rows);
    assert_eq!(gateway.ask(again).await.status, 200);
    assert_eq!(validated(&gateway, "INV-77").await, reject(Refusal::Account), "still paid");
}

#[tokio::test]
async fn a_validation_is_answered_although_nothing_can_be_kept() {
    let gateway = Gateway::with(rules(Unlisted::Taken, &[]), None);
    gateway.store.fail("the disk is full");
    let accept = (ack::accepted(None).into_bytes(), c2b::accepted(None));
    assert_eq!(validated(&gateway, "INV-77").await, accept);
    for (body, answer) in [
        ("{}", ack::rejected(Refusal::Other).into_bytes()),
        ("<a/>", c2b::rejected(Refusal::Other)),
    ] {
        assert_eq!(call(&gateway, "c2b/validation", body).await.body, answer);
    }
}

#[tokio::test]
async fn a_soap_notice_on_the_other_path_is_taken_for_what_it_is() {
    let gateway = Gateway::with_daraja();
    let told = call(&gateway, "c2b/validation", soap("Confirmation", "UA24AA00ZZ", "A")).await;
    assert_eq!(told.body, c2b::confirmed("UA24AA00ZZ"));
    assert_eq!(payments(&gateway).await.len(), 1);
    let told = call(&gateway, "c2b/confirmation", soap("Validation", "UA24AA00YY", "A")).await;
    assert_eq!(told.body, c2b::accepted(None));
    assert_eq!(payments(&gateway).await.len(), 1);
}
