//! No secret, no phone and no name of the original is in what is written, in any form; and what
//! belonged together still does.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mlango::domain::time::Timestamp;
use mlango::fixture::stand_in::StandIns;
use mlango::fixture::stored::{Kept, Role, exchanges};
use mlango::fixture::{Body, Fixture, check, leaf, reading};

/// A credential as long as real ones are: 344 letters.
fn credential() -> String {
    STANDARD.encode([0x5a_u8; 256])
}

/// What must be nowhere.
const HIDDEN: [&str; 14] = [
    "722345678",
    "733345999",
    "345678",
    "AMINA",
    "Amina",
    "WANJIRU",
    "OTIENO",
    "apiop-secretname",
    "5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c",
    "31415926",
    "Zq8vRealTokenOfMpesaXXXXAbcd",
    "School fees of Amina",
    "QWxhZGRpbjpvcGVuIHNlc2FtZQ",
    "hash-of",
];

const TOKEN: &str = "5f0c5f0c5f0c5f0c5f0c5f0c5f0c5f0c";

/// SHA-256 of 254722345678.
fn hash() -> String {
    use sha2::{Digest as _, Sha256};
    Sha256::digest("254722345678").iter().map(|byte| format!("{byte:02x}")).collect()
}

fn request(name: &str) -> String {
    let credential = credential();
    format!(
        r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:req="http://api-v1.gen.mm.vodafone.com/mminterface/request"><soapenv:Header><t:RequestSOAPHeader xmlns:t="http://www.huawei.com/schema/osg/common/v2_1"><t:spId>100001</t:spId><t:spPassword>NUI5NDE5QTc3RUM4MTBCQkZERDZCQzIzOTIzRTIwM0VEQUM2Rjc0Mzc3RkE2MjRCN0UyMUU1NTNDQzAwNzhENg==</t:spPassword></t:RequestSOAPHeader></soapenv:Header><soapenv:Body><req:RequestMsg><![CDATA[<?xml version="1.0" encoding="UTF-8"?>
<request xmlns="http://api-v1.gen.mm.vodafone.com/mminterface/request"><Transaction><CommandID>BusinessPayment</CommandID><OriginatorConversationID>{name}</OriginatorConversationID><Remark>School fees of Amina</Remark><Parameters><Parameter><Key>Amount</Key><Value>150.00</Value></Parameter></Parameters><ReferenceData><ReferenceItem><Key>QueueTimeoutURL</Key><Value>https://gw.example.org/cb/{TOKEN}/b2c/timeout</Value></ReferenceItem><ReferenceItem><Value>for WANJIRU 0722345678</Value><Key>Occasion</Key></ReferenceItem></ReferenceData><Timestamp>2026-01-05T06:01:00.0000000Z</Timestamp></Transaction><Identity><Caller><CallerType>2</CallerType><ThirdPartyID/><Password>hash-of-broker</Password><ResultURL>https://gw.example.org/cb/{TOKEN}/b2c/result</ResultURL></Caller><Initiator><IdentifierType>11</IdentifierType><Identifier>apiop-secretname</Identifier><SecurityCredential>{credential}</SecurityCredential></Initiator><ReceiverParty><IdentifierType>1</IdentifierType><Identifier>254722345678</Identifier></ReceiverParty></Identity><KeyOwner>1</KeyOwner></request>]]></req:RequestMsg></soapenv:Body></soapenv:Envelope>"#
    )
}

fn answer(name: &str) -> String {
    format!(
        r#"<E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/"><E:Body><ResponseMsg xmlns="http://api-v1.gen.mm.vodafone.com/mminterface/request">&lt;response&gt;&lt;ResponseCode&gt;0&lt;/ResponseCode&gt;&lt;ResponseDesc&gt;Accepted for 254722345678&lt;/ResponseDesc&gt;&lt;ConversationID&gt;AG_20260105_2010a1b2c3d4e5f60001&lt;/ConversationID&gt;&lt;OriginatorConversationID&gt;{name}&lt;/OriginatorConversationID&gt;&lt;/response&gt;</ResponseMsg></E:Body></E:Envelope>"#
    )
}

fn result(name: &str) -> String {
    format!(
        r#"<E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/" xmlns:r="http://api-v1.gen.mm.vodafone.com/mminterface/result"><E:Body><r:ResultMsg>&lt;Result&gt;&lt;ResultType&gt;0&lt;/ResultType&gt;&lt;ResultCode&gt;0&lt;/ResultCode&gt;&lt;ResultDesc&gt;Paid to Amina Wanjiru&lt;/ResultDesc&gt;&lt;OriginatorConversationID&gt;{name}&lt;/OriginatorConversationID&gt;&lt;ConversationID&gt;AG_20260105_2010a1b2c3d4e5f60001&lt;/ConversationID&gt;&lt;TransactionID&gt;UA5AB12CD3&lt;/TransactionID&gt;&lt;ResultParameters&gt;&lt;ResultParameter&gt;&lt;Key&gt;TransactionAmount&lt;/Key&gt;&lt;Value&gt;150.00&lt;/Value&gt;&lt;/ResultParameter&gt;&lt;ResultParameter&gt;&lt;Key&gt;ReceiverPartyPublicName&lt;/Key&gt;&lt;Value&gt;254722345678 - AMINA WANJIRU OTIENO&lt;/Value&gt;&lt;/ResultParameter&gt;&lt;/ResultParameters&gt;&lt;/Result&gt;</r:ResultMsg></E:Body></E:Envelope>"#
    )
}

fn timeout(name: &str) -> String {
    let packed = STANDARD.encode(request(name));
    let lines: Vec<&str> =
        packed.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).expect("text")).collect();
    format!(
        r#"<E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/" xmlns:loc="http://www.csapi.org/schema/timeoutnotification/data/v1_0/local"><E:Body><loc:notifyQueueTimeout><loc:originatorConversationID>{name}</loc:originatorConversationID><loc:originRequest>{}</loc:originRequest></loc:notifyQueueTimeout></E:Body></E:Envelope>"#,
        lines.join("\n")
    )
}

fn confirmation(phone: &str) -> String {
    format!(
        r#"<E:Envelope xmlns:E="http://schemas.xmlsoap.org/soap/envelope/"><E:Body><c:C2BPaymentConfirmationRequest xmlns:c="http://cps.huawei.com/cpsinterface/c2bpayment"><TransType>Pay Bill</TransType><TransID>UA5AB12CD4</TransID><TransTime>20260105090000</TransTime><TransAmount>25.00</TransAmount><BusinessShortCode>600999</BusinessShortCode><BillRefNumber>0722345678</BillRefNumber><OrgAccountBalance>1025.00</OrgAccountBalance><ThirdPartyTransID>0</ThirdPartyTransID><MSISDN>{phone}</MSISDN><KYCInfo><KYCName>[Personal Details][First Name]</KYCName><KYCValue>AMINA</KYCValue></KYCInfo><KYCInfo><KYCName>[Personal Details][ID Number]</KYCName><KYCValue>31415926</KYCValue></KYCInfo></c:C2BPaymentConfirmationRequest></E:Body></E:Envelope>"#
    )
}

fn prompt() -> String {
    format!(
        r#"{{"BusinessShortCode":174379,"Password":"QWxhZGRpbjpvcGVuIHNlc2FtZQ==","Amount":25,"PartyA":254722345678,"PhoneNumber":"254722345678","CallBackURL":"https:\/\/gw.example.org\/cb\/{TOKEN}\/stk\/2ab9","AccountReference":"WANJIRU","TransactionType":"CustomerPayBillOnline"}}"#
    )
}

const PROMPTED: &str = r#"{"MerchantRequestID":"91ab-1","CheckoutRequestID":"ws_CO_03102026141530123722345678","ResponseCode":"0","ResponseDescription":"ok"}"#;
const CALLBACK: &str = r#"{"Body":{"stkCallback":{"MerchantRequestID":"91ab-1","CheckoutRequestID":"ws_CO_03102026141530123722345678","ResultCode":0,"ResultDesc":"ok","CallbackMetadata":{"Item":[{"Value":25.00,"Name":"Amount"},{"Name":"MpesaReceiptNumber","Value":"UA5AB12CD5"},{"Name":"PhoneNumber","Value":254722345678}]}}}}"#;
const NOTICE: &str = r#"{"TransID":"UA5AB12CD5","TransAmount":"25.00","BusinessShortCode":"174379","BillRefNumber":"WANJIRU","MSISDN":"2547 ***** 678","FirstName":"AMINA","MiddleName":"","LastName":"OTIENO"}"#;
const EXPIRED: &str = r#"{"requestId":"1","errorCode":"401.002.01","errorMessage":"Error Occurred - Invalid Access Token - Zq8vRealTokenOfMpesaXXXXAbcd"}"#;
const PAGE: &str = "<html>your request: Zq8vRealTokenOfMpesaXXXXAbcd for 254722345678</html>";

fn kept() -> Vec<Kept> {
    let name = "600999_ExampleOrg_01hm0example";
    let messages = [
        (Role::Request, request(name)),
        (Role::Answer, answer(name)),
        (Role::Call("/b2c/result"), result(name)),
        (Role::Call("/b2c/timeout"), timeout(name)),
        (Role::Call("/c2b/confirmation"), confirmation("254722345678")),
        (Role::Call("/c2b/confirmation"), confirmation(&hash())),
        (Role::Call("/c2b/validation"), confirmation("254733345999")),
        (Role::Request, prompt()),
        (Role::Answer, PROMPTED.to_owned()),
        (Role::Call("/stk"), CALLBACK.to_owned()),
        (Role::Call("/c2b/confirmation"), NOTICE.to_owned()),
        (Role::Request, prompt()),
        (Role::Answer, EXPIRED.to_owned()),
        (Role::Request, prompt()),
        (Role::Answer, PAGE.to_owned()),
        (Role::Call("/b2c/result"), request(name)[..900].to_owned()),
    ];
    let kept = messages.into_iter().zip(0_i64..).map(|((role, text), nth)| Kept {
        at: Timestamp::from_millis(1_767_592_800_000_i64.saturating_add(nth)),
        role,
        http_status: None,
        body: text.into_bytes(),
    });
    kept.collect()
}

fn recorded() -> Vec<Fixture> {
    exchanges(kept(), 1, &mut StandIns::new()).expect("recorded")
}

/// Everything that is written: the files, and what is packed in them.
fn written(fixtures: &[Fixture]) -> String {
    let mut all = String::new();
    for fixture in fixtures {
        all.push_str(&fixture.name);
        all.push_str(&fixture.exchange.write());
        for bytes in [fixture.request_bytes(), fixture.response_bytes()] {
            let text = String::from_utf8_lossy(bytes);
            all.push_str(&text);
            for leaf in leaf::leaves(&text) {
                let packed: String = leaf.raw.split_whitespace().collect();
                let inner = STANDARD.decode(packed).unwrap_or_default();
                all.push_str(&String::from_utf8_lossy(&inner));
            }
        }
    }
    all
}

#[test]
fn nothing_of_the_original_is_in_what_is_written() {
    let (fixtures, raw) = (recorded(), kept());
    let all = written(&fixtures);
    let originals: Vec<String> =
        raw.iter().map(|one| String::from_utf8_lossy(&one.body).into_owned()).collect();
    let originals = originals.concat();
    for secret in HIDDEN {
        assert!(originals.contains(secret), "{secret} was there to be hidden");
    }
    for secret in HIDDEN.iter().map(|secret| (*secret).to_owned()).chain([credential(), hash()]) {
        assert!(!all.contains(&secret), "{secret} is in what is written:\n{all}");
    }
    assert!(!all.contains("NUI5NDE5QTc3RUM4MTBC"), "an spPassword");
}

#[test]
fn what_belonged_together_still_does() {
    let fixtures = recorded();
    let readings: Vec<_> = fixtures.iter().map(reading::read).collect();
    let phone = |text: &str| -> BTreeSet<String> {
        let runs = text.split(|c: char| !c.is_ascii_digit());
        runs.filter(|run| run.len() == 12).map(str::to_owned).collect()
    };
    let text = |nth: usize| String::from_utf8_lossy(fixtures[nth].request_bytes()).into_owned();
    // Request, result and confirmation name one phone; it is not the other payer's.
    let one = phone(&text(0));
    assert_eq!(one.len(), 1, "{one:?}");
    for nth in [1, 3, 6, 7] {
        assert_eq!(phone(&text(nth)), one, "{}", fixtures[nth].name);
    }
    assert_ne!(phone(&text(5)), one, "another payer");
    let stand_in = one.first().expect("a phone");
    let hashed: String = {
        use sha2::{Digest as _, Sha256};
        Sha256::digest(stand_in).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    assert!(text(4).contains(&hashed), "shown as a hash, it is the same payer");
    assert!(text(8).contains(&format!("2547 ***** {}", &stand_in[9..])), "and with stars");
    // Ids link what they linked, also the one that ended in a phone.
    let name = Some("600999_ExampleOrg_01hm0example".to_owned());
    for nth in [0, 1, 2] {
        assert_eq!(readings[nth].originator, name, "{nth}");
    }
    let checkout = readings[6].checkout.clone();
    assert!(checkout.as_ref().is_some_and(|id| id.ends_with(&stand_in[3..])), "{checkout:?}");
    assert_eq!(readings[7].checkout, checkout);
    assert_eq!(readings[7].receipt, readings[8].receipt);
    // A name is the same in a result and in a notice, and in M-Pesa's own sentence.
    let names = |nth: usize| -> BTreeSet<String> {
        let text = text(nth);
        let words = text.split(|c: char| !c.is_alphanumeric());
        words.filter(|word| word.starts_with("Name")).map(str::to_owned).collect()
    };
    assert!(names(8).is_subset(&names(1)), "{:?} {:?}", names(8), names(1));
    assert!(names(3).iter().any(|name| names(1).contains(name)), "{:?}", names(3));
    // What a payer typed is the same wherever it stands.
    assert_eq!(readings[8].account.as_deref().map(|it| text(6).contains(it)), Some(true));
    // What was read before is read now.
    let outcomes: Vec<&str> = readings.iter().map(|reading| reading.outcome).collect();
    assert_eq!(
        outcomes,
        [
            "taken",
            "paid",
            "doubt",
            "paid",
            "paid",
            "paid",
            "taken",
            "paid",
            "paid",
            "try later",
            "doubt",
            "kept for a person"
        ]
    );
}

#[test]
fn a_recording_passes_the_check_of_collections() {
    let recorded = recorded();
    let faults = check::but_for_schema(&recorded);
    let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(words.is_empty(), "{}", words.join("\n"));
    // A page in place of an answer is no fault of the recording, and is told apart.
    let page: Vec<String> =
        check::not_to_schema(&recorded).iter().map(ToString::to_string).collect();
    assert_eq!(page.len(), 1, "{page:?}");
    assert!(
        page[0].contains("0011-daraja-answer-unreadable/response.xml:1: html: is not"),
        "{page:?}"
    );
}

/// Bodies, and what must not be left of each.
const SOMEBODYS: [(&str, &[&str]); 12] = [
    ("<a><KYCValue>31415926</KYCValue><x>ID 31415926</x></a>", &["<KYCValue>31415926"]),
    ("<a><KYCValue>19850302</KYCValue><KYCValue>1985-03-02</KYCValue></a>", &["1985"]),
    ("<a><ResultDesc>ID 31415926</ResultDesc><KYCValue>31415926</KYCValue></a>", &["31415926"]),
    ("<KYC FieldType='ID Number' FieldValue='31415926'/>", &["31415926"]),
    ("<a><MSISDN>722345678</MSISDN><x>722345678</x></a>", &["722345678"]),
    ("<a><Identifier>722 345 678</Identifier><x>0722-345-678</x></a>", &["345"]),
    (r#"{"phoneNumber":"722 345 678"}"#, &["345"]),
    (r#"{"PhoneNumber":"0722-345-678","PartyA":"+254 722 345 678"}"#, &["345"]),
    (r#"{"PartyB":722345678,"errorMessage":"0722 345 678 is unknown"}"#, &["345"]),
    (r#"{"fullName":"Jane Doe Wanjiku","CustomerName":"Jane"}"#, &["Jane", "Wanjiku"]),
    (r#"{"IDNumber":"31415926","id_number":31415926}"#, &["31415926"]),
    (r#"{"DebitPartyName":"722345678 - Jane Doe","billed_full_name":"Jane"}"#, &["722345", "Jane"]),
];

#[test]
fn people_and_phones_go_in_whichever_form_they_are_written() {
    for (text, hidden) in SOMEBODYS {
        let body = StandIns::new().body(text.as_bytes()).expect("made");
        let body = String::from_utf8(body.bytes).expect("text");
        for word in hidden {
            assert!(text.contains(word) && !body.contains(word), "{word} in {body}");
        }
        assert_eq!(body.starts_with('{'), text.starts_with('{'), "{body}");
    }
    let body = StandIns::new().body(br#"{"PhoneNumber":722345678}"#).expect("made");
    assert_eq!(body.bytes, br#"{"PhoneNumber":700771000}"#, "a number stays one");
}

#[test]
fn the_check_finds_a_phone_in_whichever_form_it_is_written() {
    let bodies = ["722345678", "722 345 678", "0722-345-678", "+254 722345678", "254722345678"];
    for phone in bodies {
        let mut fixtures = recorded();
        let body = format!("{{\"PhoneNumber\":\"{phone}\"}}").into_bytes();
        fixtures[0].request = Some(Body::new(body));
        let faults: Vec<String> = check::check(&fixtures).iter().map(ToString::to_string).collect();
        let said = "holds the phone 2547*****678";
        assert!(faults.iter().any(|fault| fault.contains(said)), "{phone}: {faults:?}");
    }
}

#[test]
fn what_stands_in_a_query_is_replaced() {
    let mut stand_ins = StandIns::new();
    let table = [
        (
            "/x/confirm?apikey=SuperSecretKey123&user=jane",
            "/x/confirm?apikey=stand-in-apikey-1&user=stand-in-user-2",
        ),
        ("/x?SuperSecretKey123", "/x?stand-in-apikey-1"),
        ("/x?phone=254722345678&a=&b", "/x?phone=stand-in-phone-3&a=&stand-in-query-4"),
        ("/oauth?grant_type=client_credentials", "/oauth?grant_type=client_credentials"),
        ("/x?CheckoutRequestID=ws_CO_1", "/x?CheckoutRequestID=ws_CO_1"),
        ("/x", "/x"),
    ];
    for (path, expected) in table {
        assert_eq!(stand_ins.path(path).as_deref(), Ok(expected));
    }
}

#[test]
fn what_has_nothing_to_hide_keeps_its_bytes() {
    let mut stand_ins = StandIns::new();
    let texts: [&[u8]; 5] = [
        b"<a>\r\n  <b c='d'/>&amp; <!-- x -->\r\n</a>\n",
        b"{ \"ResultCode\" : 0,\r\n \"ResultDesc\":\"Accepted\" }",
        b"plain text\n",
        b"",
        b"  <a/>  ",
    ];
    for text in texts {
        assert_eq!(stand_ins.body(text).expect("made").bytes, text);
    }
}

#[test]
fn a_secret_that_is_named_goes_wherever_it_stands() {
    let mut stand_ins = StandIns::new();
    stand_ins.hide("hook-4711-secret").expect("long enough");
    assert!(stand_ins.hide("short").is_err());
    assert_eq!(
        stand_ins.path("/hooks/hook-4711-secret/x").as_deref(),
        Ok("/hooks/stand-in-hidden-1/x")
    );
    let body = stand_ins.body(b"{\"ResultURL\":\"http://x/hook-4711-secret\"}").expect("made");
    assert_eq!(body.bytes, b"{\"ResultURL\":\"http://x/stand-in-hidden-1\"}");
}
