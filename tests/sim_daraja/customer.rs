//! The customer who pays by himself: validation with its limit and its default, the money, the
//! confirmation; over REST and over SOAP.

use std::time::Duration;

use mlango::domain::money::Amount;
use mlango::sim::daraja::Api;
use mlango::soap::envelope::Envelope;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Heard, REGISTER, SIMULATE, Stage, c2b, register, simulate, with};

const VALIDATION: &str = "/cb/5f0c/c2b/validation";
const CONFIRMATION: &str = "/cb/5f0c/c2b/confirmation";

async fn registered(change: &Value) -> Stage {
    let stage = Stage::new().await;
    assert_eq!(stage.word(REGISTER, &with(&register(), change)).await, "200 0");
    stage
}

fn at<'a>(heard: &'a [Heard], path: &str) -> Vec<&'a Heard> {
    heard.iter().filter(|heard| heard.path == path).collect()
}

#[tokio::test(start_paused = true)]
async fn what_a_validation_answers_decides_and_so_does_its_silence() {
    let accepted = r#"{"ResultCode":"0","ResultDesc":"Accepted"}"#;
    let number = r#"{"ResultCode":0,"ResultDesc":"Accepted"}"#;
    let named = r#"{"ResultCode":"0","ResultDesc":"Accepted","ThirdPartyTransID":"T-1"}"#;
    let rejected = r#"{"ResultCode":"C2B00012","ResultDesc":"Rejected"}"#;
    // What is answered; the registered default; what comes of it, with which code; seconds.
    let table = [
        ((200, accepted), "Completed", "completed", Value::Null, 0),
        ((200, number), "Cancelled", "completed", Value::Null, 0),
        ((200, named), "Cancelled", "completed", Value::Null, 0),
        ((200, rejected), "Completed", "cancelled", json!("C2B00012"), 0),
        // Nobody answers in eight seconds, or what comes is no answer.
        ((0, ""), "Completed", "completed", Value::Null, 8),
        ((0, ""), "Cancelled", "cancelled", json!("no_answer"), 8),
        ((500, accepted), "Completed", "completed", Value::Null, 0),
        ((500, accepted), "Cancelled", "cancelled", json!("no_answer"), 0),
        ((200, "yes"), "Completed", "completed", Value::Null, 0),
        ((200, "{}"), "Cancelled", "cancelled", json!("no_answer"), 0),
    ];
    for (number, (said, default, outcome, code, seconds)) in table.into_iter().enumerate() {
        let stage = registered(&json!({"ResponseType": default})).await;
        stage.say(VALIDATION, &[said]);
        let begun = Instant::now();
        let (status, came) = stage.control("/sim/c2b", &c2b("0126")).await;
        assert_eq!(status, 200, "{number}: {came}");
        assert_eq!((&came["outcome"], &came["code"]), (&json!(outcome), &code), "{number}");
        assert_eq!(begun.elapsed().as_secs(), seconds, "{number}");
        let heard = stage.heard().await;
        let is_paid = outcome == "completed";
        assert_eq!(at(&heard, VALIDATION).len(), 1, "{number}");
        assert_eq!(at(&heard, CONFIRMATION).len(), usize::from(is_paid), "{number}");
        assert_eq!(stage.sim.ledger().movements.len(), usize::from(is_paid), "{number}");
        let asked = at(&heard, VALIDATION)[0].json();
        assert_eq!(asked["TransID"], came["receipt"], "{number}");
        assert_eq!(asked["OrgAccountBalance"], "", "{number}: nothing has moved yet");
        if let Some(told) = at(&heard, CONFIRMATION).first() {
            let told = told.json();
            assert_eq!(told["TransID"], came["receipt"], "{number}");
            assert_eq!(told["OrgAccountBalance"], "1000025.00", "{number}");
            let third_party = if said.1 == named { "T-1" } else { "" };
            assert_eq!(told["ThirdPartyTransID"], third_party, "{number}");
            assert_eq!(came["confirmation"]["status"], 200, "{number}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_phone_is_hashed_in_v1_and_masked_in_v2() {
    let hash = "a8a41eaa30f06809ec0d409311fda5750ecb45a96f54ebd74c46c2fbd00e17d0";
    for (path, expected) in
        [("/mpesa/c2b/v1/registerurl", hash), ("/mpesa/c2b/v2/registerurl", "2547 ***** 126")]
    {
        let stage = Stage::new().await;
        assert_eq!(stage.word(path, &register()).await, "200 0");
        stage.control("/sim/c2b", &c2b("0126")).await;
        let heard = stage.heard().await;
        assert_eq!(heard.len(), 2);
        for heard in heard {
            let read = heard.json();
            assert_eq!(read["MSISDN"], expected, "{path}");
            assert_eq!(read["TransTime"], "20240102060405");
            assert_eq!(read["BusinessShortCode"], "174379");
            assert!(read["FirstName"].as_str().is_some_and(|name| !name.is_empty()));
            assert_eq!(read["LastName"], "");
            assert_eq!(heard.content_type, "application/json;charset=UTF-8");
        }
    }
    let stage = registered(&json!({})).await;
    stage.fault(Api::C2b, "masked_short");
    let names = json!({"names": ["JANE", "W", "DOE"]});
    stage.control("/sim/c2b", &with(&c2b("0126"), &names)).await;
    let read = stage.heard().await[1].json();
    assert_eq!(read["MSISDN"], "25472****126");
    assert_eq!((&read["FirstName"], &read["LastName"]), (&json!("JANE"), &json!("DOE")));
}

#[tokio::test(start_paused = true)]
async fn a_till_is_not_validated_and_a_short_code_without_addresses_pays_silently() {
    let stage = registered(&json!({})).await;
    let (_, came) = stage.control("/sim/c2b", &with(&c2b("0126"), &json!({"kind": "till"}))).await;
    assert_eq!(came["outcome"], "completed");
    assert_eq!(came["validation"], Value::Null);
    let heard = stage.heard().await;
    assert_eq!(heard.len(), 1);
    let read = heard[0].json();
    assert_eq!(
        (&read["TransactionType"], &read["BillRefNumber"]),
        (&json!("Buy Goods"), &json!(""))
    );
    let (_, came) =
        stage.control("/sim/c2b", &with(&c2b("0126"), &json!({"shortcode": "600000"}))).await;
    assert_eq!(came["outcome"], "completed");
    assert_eq!(came["confirmation"], Value::Null);
    assert!(stage.heard().await.is_empty());
    assert_eq!(stage.sim.ledger().movements.len(), 2);
    let urls = stage.get("/sim/urls").await;
    assert_eq!(urls["data"][0]["shortcode"], "174379");
    assert_eq!(urls["data"][0]["version"], "v2");
    let wrong = [
        json!({"shortcode": "999999"}),
        json!({"phone": "12"}),
        json!({"amount": "0"}),
        json!({"amount": "1.001"}),
        json!({"kind": "bank"}),
        json!({"confirm": "mail"}),
        json!({"account": "x".repeat(21)}),
        json!({"names": ["a", "b", "c", "d"]}),
        json!({"extra": 1}),
    ];
    for change in wrong {
        let (status, came) = stage.control("/sim/c2b", &with(&c2b("0126"), &change)).await;
        assert_eq!(status, 400, "{change}: {came}");
    }
    let (_, came) =
        stage.control("/sim/c2b", &with(&c2b("0126"), &json!({"amount": 250_001}))).await;
    assert_eq!((&came["outcome"], &came["code"]), (&json!("cancelled"), &json!("3")));
    assert_eq!(stage.sim.ledger().total_received, Amount::from_shillings(50));
}

#[tokio::test(start_paused = true)]
async fn what_is_registered_over_soap_is_asked_and_told_in_soap() {
    let stage = Stage::new().await;
    let body = register_url("Cancelled");
    assert_eq!(stage.soap("/mminterface/registerURL", &body).await, "00000000");
    let accept = soap_answer("0");
    stage.say("/c2b/validation", &[(200, &accept), (200, &soap_answer("C2B00011")), (0, "")]);
    let table = [
        ("completed", Value::Null),
        ("cancelled", json!("C2B00011")),
        ("cancelled", json!("no_answer")),
    ];
    for (number, (outcome, code)) in table.into_iter().enumerate() {
        let (_, came) = stage.control("/sim/c2b", &c2b("0126")).await;
        assert_eq!((&came["outcome"], &came["code"]), (&json!(outcome), &code), "{number}");
        let heard = stage.heard().await;
        assert_eq!(heard.len(), if number == 0 { 2 } else { 1 });
        for (heard, root) in
            heard.iter().zip(["C2BPaymentValidationRequest", "C2BPaymentConfirmationRequest"])
        {
            assert_eq!(heard.content_type, "text/xml");
            let text = heard.text();
            let envelope = Envelope::open(&text).expect("an envelope");
            let message = envelope.message(root).expect(root);
            assert_eq!(message.value_of("TransID"), came["receipt"].as_str());
            assert_eq!(message.value_of("MSISDN"), Some("254722000126"), "whole");
            let balance = message.value_of("OrgAccountBalance").is_some();
            assert_eq!(balance, root.contains("Confirmation"));
        }
    }
    // The form may be asked for, whatever was registered.
    let (_, came) =
        stage.control("/sim/c2b", &with(&c2b("0126"), &json!({"confirm": "rest"}))).await;
    assert_eq!(came["outcome"], "completed");
    assert!(stage.heard().await.iter().all(|heard| heard.json().is_object()));
    let wrong = [
        ("ResponseType", body.replace("Cancelled", "Maybe"), "25"),
        ("short code", body.replace("<ShortCode>174379", "<ShortCode>999999"), "6"),
        ("spId", body.replace("<tns:spId>100001", "<tns:spId>100002"), "100000007"),
        ("command", body.replace("RegisterURL</CommandID>", "AccountBalance</CommandID>"), "1002"),
        ("no address", body.replace("ConfirmationURL", "Elsewhere"), "100000014"),
    ];
    for (what, body, expected) in wrong {
        assert_eq!(stage.soap("/mminterface/registerURL", &body).await, expected, "{what}");
    }
}

/// A registration as partners send it (spec/soap.md §3.4): no Timestamp, most of it empty.
fn register_url(response_type: &str) -> String {
    let time_stamp = "20240102030405";
    let password = mlango::soap::header::sp_password(
        "100001",
        "Example-Secret-1",
        time_stamp,
        mlango::soap::header::HexCase::Upper,
    );
    format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:req=\"http://api-v1.gen.mm.vodafone.com/mminterface/request\"><soapenv:Header>\
         <tns:RequestSOAPHeader xmlns:tns=\"http://www.huawei.com/schema/osg/common/v2_1\">\
         <tns:spId>100001</tns:spId><tns:spPassword>{password}</tns:spPassword>\
         <tns:timeStamp>{time_stamp}</tns:timeStamp><tns:serviceId>100001000</tns:serviceId>\
         </tns:RequestSOAPHeader></soapenv:Header><soapenv:Body><req:RequestMsg><![CDATA[\
         <request xmlns=\"http://api-v1.gen.mm.vodafone.com/mminterface/request\"><Transaction>\
         <CommandID>RegisterURL</CommandID><OriginatorConversationID>r1</OriginatorConversationID>\
         <Parameters><Parameter><Key>ResponseType</Key><Value>{response_type}</Value></Parameter>\
         </Parameters><ReferenceData><ReferenceItem><Key>ValidationURL</Key>\
         <Value>http://gw/c2b/validation</Value></ReferenceItem><ReferenceItem>\
         <Key>ConfirmationURL</Key><Value>http://gw/c2b/confirmation</Value></ReferenceItem>\
         </ReferenceData></Transaction><Identity><Caller><CallerType>0</CallerType>\
         <ThirdPartyID/><Password/><CheckSum/><ResultURL/></Caller><Initiator>\
         <IdentifierType>1</IdentifierType><Identifier/><SecurityCredential/><ShortCode/>\
         </Initiator><PrimaryParty><IdentifierType>1</IdentifierType><Identifier/>\
         <ShortCode>174379</ShortCode></PrimaryParty></Identity><KeyOwner>1</KeyOwner></request>]]>\
         </req:RequestMsg></soapenv:Body></soapenv:Envelope>"
    )
}

fn soap_answer(code: &str) -> String {
    format!(
        "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\" \
         xmlns:c2b=\"http://cps.huawei.com/cpsinterface/c2bpayment\"><soapenv:Header/>\
         <soapenv:Body><c2b:C2BPaymentValidationResult><ResultCode>{code}</ResultCode>\
         <ResultDesc>Service processing successful</ResultDesc>\
         <ThirdPartyTransID>0</ThirdPartyTransID></c2b:C2BPaymentValidationResult>\
         </soapenv:Body></soapenv:Envelope>"
    )
}

#[tokio::test(start_paused = true)]
async fn a_payment_by_request_goes_the_same_way() {
    let stage = registered(&json!({})).await;
    assert_eq!(stage.word(SIMULATE, &simulate("0126")).await, "200 0");
    let heard = stage.heard().await;
    assert_eq!(heard.len(), 2);
    assert_eq!(stage.sim.ledger().movements[0].movement.kind(), "c2b");
}

#[tokio::test(start_paused = true)]
async fn how_a_confirmation_is_told_may_go_wrong() {
    // The fault; how many confirmations come.
    let table = [
        ("no_confirmation", 0),
        ("no_callback", 0),
        ("duplicate_callback", 2),
        ("late_callback:600000", 1),
        ("cut_callback", 1),
        ("malformed_callback", 2),
    ];
    for (fault, expected) in table {
        let stage = registered(&json!({})).await;
        stage.fault(Api::C2b, fault);
        let begun = Instant::now();
        let (_, came) = stage.control("/sim/c2b", &c2b("0126")).await;
        assert_eq!(came["outcome"], "completed", "{fault}");
        let heard = stage.heard().await;
        assert_eq!(at(&heard, CONFIRMATION).len(), expected, "{fault}");
        assert_eq!(begun.elapsed() >= Duration::from_secs(600), fault.starts_with("late"));
        assert_eq!(stage.sim.ledger().movements.len(), 1, "{fault}: the money has moved");
        let read = at(&heard, CONFIRMATION).last().map(|heard| heard.json().is_object());
        assert_eq!(read, (expected > 0).then_some(fault != "cut_callback"), "{fault}");
    }
    // Nobody acknowledges: it is not tried again (spec/daraja.md §7).
    let stage = registered(&json!({})).await;
    stage.say(CONFIRMATION, &[(500, "no")]);
    let (_, came) = stage.control("/sim/c2b", &c2b("0126")).await;
    assert_eq!(came["confirmation"]["status"], 500);
    assert_eq!(at(&stage.heard().await, CONFIRMATION).len(), 1);
}
