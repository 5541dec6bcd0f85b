//! The interface definitions are the source of truth: libxml2 validates what is sent against
//! them, and the tables that the code follows must say the same.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may stop at the first surprise"
)]

#[path = "common/xsd.rs"]
mod xsd;

use std::fs;
use std::path::Path;
use std::process::Command as Process;

use mlango::domain::limit::{OCCASION_LEN_MAX, REMARKS_LEN_MAX};
use mlango::domain::money::Amount;
use mlango::domain::payout::Command;
use mlango::domain::time::Timestamp;
use mlango::soap::envelope::Envelope;
use mlango::soap::header::{HexCase, Namespace};
use mlango::soap::request::{self, Caller, PayoutRequest};
use mlango::soap::response::{self, Answer};
use mlango::soap::result::Report;
use mlango::soap::schema;
use mlango::soap::status_query::{AskFor, StatusQuery};
use mlango::soap::xml::{self, Attribute, Element};
use mlango::soap::{ack, fault, timeout};
use std::borrow::Cow;

fn wsdl(file: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("wsdl").join(file)
}

/// What libxml2 says of each message: `Ok`, or its complaint.
fn validate(messages: &[(String, Vec<u8>)], schema: &Path) -> Vec<Result<(), String>> {
    let dir = tempfile::tempdir().expect("a directory");
    let mut files = Vec::new();
    for (index, (_, bytes)) in messages.iter().enumerate() {
        let file = dir.path().join(format!("{index}.xml"));
        fs::write(&file, bytes).expect("writes");
        files.push(file);
    }
    let output = Process::new("xmllint")
        .args(["--noout", "--nonet", "--schema"])
        .arg(schema)
        .args(&files)
        .output()
        .unwrap_or_else(|error| {
            panic!("xmllint cannot be run ({error}): apt-get install libxml2-utils")
        });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let verdict = |file: &std::path::PathBuf| {
        let name = file.display().to_string();
        if said.lines().any(|line| line == format!("{name} validates")) {
            Ok(())
        } else {
            let about = said.lines().filter(|line| line.contains(&name) || line.contains("parser"));
            Err(about.collect::<Vec<_>>().join("\n"))
        }
    };
    files.iter().map(verdict).collect()
}

fn assert_all_valid(messages: &[(String, Vec<u8>)]) {
    let verdicts = validate(messages, &wsdl("messages.xsd"));
    for ((name, bytes), verdict) in messages.iter().zip(verdicts) {
        if let Err(complaint) = verdict {
            panic!("{name}: {complaint}\n{}", String::from_utf8_lossy(bytes));
        }
    }
}

/// Each message and, where it wraps one, the document inside as a message of its own.
fn with_inner_documents(messages: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for (name, bytes) in messages {
        let text = xml::decode(&bytes).expect("decodes");
        let envelope = Envelope::open(&text).expect("opens");
        let message = envelope.body.children.first().expect("a message");
        if message.name.ends_with("Msg") {
            let inner = message.text.clone().into_owned().into_bytes();
            all.push((format!("{name}, the document inside"), inner));
        }
        drop(envelope);
        all.push((name, bytes.clone()));
    }
    all
}

const OWN_ID: &str = "999001_ExampleOrg_01ABCDEFGHJKMNPQRSTVWXYZ00";

fn caller(namespace: Namespace, hex_case: HexCase) -> Caller {
    Caller {
        namespace,
        hex_case,
        sp_id: "100001".to_owned(),
        sp_password: "Example-Secret-1".to_owned(),
        service_id: "100001000".to_owned(),
        shortcode: "999001".to_owned(),
        initiator: "example & operator".to_owned(),
        security_credential: "A".repeat(344),
        result_url: "https://gw.example.org/cb/00ff/b2c/result?a=1&b=2".to_owned(),
        queue_timeout_url: "https://gw.example.org/cb/00ff/b2c/timeout".to_owned(),
    }
}

fn texts() -> Vec<(String, String)> {
    let hostile = "<&>\"' ]]> \u{0}\u{1b}[31m\u{ffff} ñ 😀 \r\n\t".to_owned();
    vec![
        (String::new(), String::new()),
        ("March commission".to_owned(), "Nakuru".to_owned()),
        (hostile.clone(), hostile),
        ("é".repeat(REMARKS_LEN_MAX), "&".repeat(OCCASION_LEN_MAX)),
    ]
}

fn requests() -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for namespace in [Namespace::A, Namespace::B] {
        for hex_case in [HexCase::Upper, HexCase::Lower] {
            let caller = caller(namespace, hex_case);
            for command in Command::ALL {
                for (remarks, occasion) in &texts() {
                    let request = PayoutRequest {
                        caller: &caller,
                        command,
                        originator_conversation_id: OWN_ID,
                        amount: Amount::from_shillings(250_000),
                        phone: "254722000111".parse().expect("a phone"),
                        remarks,
                        occasion,
                        at: Timestamp::from_millis(1_704_164_645_123),
                    };
                    let rendered = request.render();
                    let name = format!("{} {namespace:?} {hex_case:?}", command.as_str());
                    all.push((format!("{name}, stored"), rendered.redacted));
                    all.push((name, rendered.wire));
                }
            }
            for ask_for in [
                AskFor::Receipt("QK12ABCD34"),
                AskFor::OriginatorConversationId(OWN_ID),
                AskFor::ConversationId("AG_20240102_00"),
            ] {
                let query = StatusQuery {
                    caller: &caller,
                    originator_conversation_id: OWN_ID,
                    ask_for,
                    at: Timestamp::from_millis(1_704_164_645_123),
                };
                all.push((format!("status query, {ask_for:?}"), query.render().wire));
            }
        }
    }
    all
}

fn answers() -> Vec<(String, Vec<u8>)> {
    let core = Answer {
        code: "0",
        description: "Accept the service request successfully & <wait>.",
        conversation_id: Some("AG_20240102_0000000000000000abcd"),
        originator_conversation_id: Some(OWN_ID),
        service_status: Some("0"),
    };
    let broker =
        Answer { code: "100000007", description: "Authentication failed.", ..Answer::default() };
    let named = |name: &str, bytes: Vec<u8>| (name.to_owned(), bytes);
    vec![
        named("the core's answer", response::render(&core)),
        named("the broker's answer", response::render(&broker)),
        named("a result kept", ack::RESULT_KEPT.into()),
        named("a result refused", ack::RESULT_REFUSED.into()),
        named("a timeout kept", ack::TIMEOUT_KEPT.into()),
        named("a timeout refused", ack::TIMEOUT_REFUSED.into()),
        named("a fault of ours", fault::fault(fault::SERVER, "not kept <&>")),
        named("a fault of theirs", fault::fault(fault::CLIENT, "")),
        named("a queue timeout", timeout::render(OWN_ID, b"<request/>")),
    ]
}

fn results() -> Vec<(String, Vec<u8>)> {
    let codes = mlango::domain::outcome::RESULTS.iter().map(|row| row.code);
    codes
        .map(|code| {
            let is_paid = code == "0";
            let report = Report {
                code,
                description: "what became of it & <why>",
                originator_conversation_id: OWN_ID,
                conversation_id: "AG_20240102_0000000000000000abcd",
                receipt: is_paid.then_some("QK12ABCD34"),
                parameters: if is_paid {
                    vec![
                        ("TransactionAmount", "150.00"),
                        ("ReceiverPartyPublicName", "254722000111 - A & B ]]> <C>"),
                        ("B2CRecipientIsRegisteredCustomer", ""),
                    ]
                } else {
                    vec![]
                },
                references: vec![("Occasion", "a < b & c"), ("QueueTimeoutURL", "http://x")],
            };
            (format!("result {code}"), report.render())
        })
        .collect()
}

#[test]
fn every_request_that_is_sent_is_valid() {
    assert_all_valid(&with_inner_documents(requests()));
}

#[test]
fn every_answer_acknowledgement_and_fault_is_valid() {
    assert_all_valid(&with_inner_documents(answers()));
}

#[test]
fn every_result_that_the_simulator_sends_is_valid() {
    assert_all_valid(&with_inner_documents(results()));
}

const C2B_SAMPLES: [&str; 4] = [
    "<c:C2BPaymentValidationRequest xmlns:c='NS'><TransType>Pay Bill</TransType>\
     <TransID>QK1</TransID><TransTime>20240102060405</TransTime><TransAmount>150.00</TransAmount>\
     <BusinessShortCode>999001</BusinessShortCode><BillRefNumber>A 1</BillRefNumber>\
     <MSISDN>254722000111</MSISDN><KYCInfo><KYCName>[Personal Details][First Name]</KYCName>\
     <KYCValue>Jane</KYCValue></KYCInfo><KYCInfo><KYCName>x</KYCName></KYCInfo>\
     </c:C2BPaymentValidationRequest>",
    "<c:C2BPaymentConfirmationRequest xmlns:c='NS'><TransType>Buy Goods</TransType>\
     <TransID>QK1</TransID><TransTime>20240102060405</TransTime><TransAmount>150</TransAmount>\
     <BusinessShortCode>999001</BusinessShortCode><OrgAccountBalance>1.00</OrgAccountBalance>\
     <ThirdPartyTransID>7</ThirdPartyTransID><MSISDN>254722000111</MSISDN>\
     </c:C2BPaymentConfirmationRequest>",
    "<c:C2BPaymentValidationResult xmlns:c='NS'><ResultCode>0</ResultCode>\
     <ResultDesc>ok</ResultDesc><ThirdPartyTransID>7</ThirdPartyTransID>\
     </c:C2BPaymentValidationResult>",
    "<c:C2BPaymentConfirmationResult xmlns:c='NS'>ok</c:C2BPaymentConfirmationResult>",
];

#[test]
fn the_schema_of_money_in_takes_its_messages_and_no_others() {
    let good: Vec<(String, Vec<u8>)> = C2B_SAMPLES
        .iter()
        .map(|text| text.replace("NS", schema::C2B))
        .map(|text| (text.clone(), text.into_bytes()))
        .collect();
    assert_all_valid(&good);
    let shapes = [
        &schema::C2B_VALIDATION,
        &schema::C2B_CONFIRMATION,
        &schema::C2B_VALIDATION_RESULT,
        &schema::C2B_CONFIRMATION_RESULT,
    ];
    for ((text, _), shape) in good.iter().zip(shapes) {
        let element = xml::parse(text).expect("well-formed");
        assert_eq!(schema::check(&element, shape), []);
    }
}

/// The same verdict from libxml2 and from our own strict check, for good documents and bad.
#[test]
fn our_strict_check_and_libxml2_agree() {
    let caller = caller(Namespace::A, HexCase::Upper);
    let request = PayoutRequest {
        caller: &caller,
        command: Command::SalaryPayment,
        originator_conversation_id: OWN_ID,
        amount: Amount::from_shillings(150),
        phone: "254722000111".parse().expect("a phone"),
        remarks: "one",
        occasion: "two",
        at: Timestamp::from_millis(1_704_164_645_123),
    };
    let incoming = request::parse(&request.render().wire).expect("reads");
    let document = incoming.document;
    let mut documents = vec![("as it is".to_owned(), document.clone())];
    documents.extend(variations(&document));
    let messages: Vec<(String, Vec<u8>)> = documents
        .iter()
        .map(|(name, document)| (name.clone(), written(document).into_bytes()))
        .collect();
    let verdicts = validate(&messages, &wsdl("messages.xsd"));
    let mut refused = 0;
    for ((name, document), verdict) in documents.iter().zip(&verdicts) {
        let faults = schema::check(document, &schema::REQUEST_DOCUMENT);
        assert_eq!(faults.is_empty(), verdict.is_ok(), "{name}: {faults:?} {verdict:?}");
        refused += usize::from(verdict.is_err());
    }
    assert!(refused > 60, "only {refused} of {} refused", documents.len());
}

/// The document with each element in turn removed, doubled, renamed, swapped with the next, put
/// out of its namespace, and filled with too long a text.
fn variations(document: &Element<'static>) -> Vec<(String, Element<'static>)> {
    let mut all = Vec::new();
    for path in paths(document) {
        let (parent, index) = (&path[..path.len() - 1], path[path.len() - 1]);
        let mut vary = |what: &str, change: &dyn Fn(&mut Element<'static>)| {
            let mut copy = document.clone();
            let name = at(&mut copy, &path).name.clone().into_owned();
            change(at(&mut copy, parent));
            all.push((format!("{name} {what}"), copy));
        };
        vary("removed", &|parent| {
            parent.children.remove(index);
        });
        vary("doubled", &|parent| {
            let copy = parent.children[index].clone();
            parent.children.insert(index, copy);
        });
        vary("renamed", &|parent| parent.children[index].name = Cow::Borrowed("Other"));
        vary("out of its namespace", &|parent| parent.children[index].namespace = None);
        vary("with a long text", &|parent| {
            if parent.children[index].children.is_empty() {
                parent.children[index].text = Cow::Owned("9".repeat(300));
            }
        });
        vary("swapped", &|parent| {
            if index + 1 < parent.children.len() {
                parent.children.swap(index, index + 1);
            }
        });
    }
    all
}

fn paths(element: &Element<'_>) -> Vec<Vec<usize>> {
    let mut all = Vec::new();
    for (index, child) in element.children.iter().enumerate() {
        all.push(vec![index]);
        for mut path in paths(child) {
            path.insert(0, index);
            all.push(path);
        }
    }
    all
}

fn at<'e>(element: &'e mut Element<'static>, path: &[usize]) -> &'e mut Element<'static> {
    path.iter().fold(element, |element, index| &mut element.children[*index])
}

fn written(element: &Element<'_>) -> String {
    let mut out = String::new();
    out.push_str(&format!("<{} xmlns=\"", element.name));
    xml::push_attribute(&mut out, element.namespace.as_deref().unwrap_or_default());
    out.push_str("\">");
    xml::push_text(&mut out, &element.text);
    for child in &element.children {
        out.push_str(&written(child));
    }
    out.push_str(&format!("</{}>", element.name));
    out
}

#[test]
fn the_tables_that_the_code_follows_say_what_the_schemas_say() {
    let found = xsd::differences(&xsd::read_files());
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// A schema that changes is noticed, whatever changes in it.
#[test]
fn any_change_of_a_schema_is_noticed() {
    let files = xsd::read_files();
    let mut tried = 0;
    for (file, root) in &files {
        for (what, changed) in changes(root) {
            let mut copy = files.clone();
            copy.insert(*file, changed);
            assert!(!xsd::differences(&copy).is_empty(), "{file}: {what} goes unnoticed");
            tried += 1;
        }
    }
    assert!(tried > 300, "only {tried} changes were tried");
}

fn changes(root: &Element<'static>) -> Vec<(String, Element<'static>)> {
    let mut all = Vec::new();
    let mut change_attribute = |path: &[usize], name: &'static str, value: Option<&str>| {
        let mut copy = root.clone();
        let element = at(&mut copy, path);
        let what = format!("{:?} {name}={value:?}", element.attribute("name"));
        element.attributes.retain(|attribute| attribute.name != name);
        if let Some(value) = value {
            element
                .attributes
                .push(Attribute { name: Cow::Borrowed(name), value: Cow::Owned(value.to_owned()) });
        }
        all.push((what, copy));
    };
    change_attribute(&[], "targetNamespace", Some("urn:other"));
    let is_qualified = root.attribute("elementFormDefault") == Some("qualified");
    let has_locals = paths(root).iter().any(|path| path.len() > 2);
    if has_locals {
        change_attribute(&[], "elementFormDefault", (!is_qualified).then_some("qualified"));
    }
    let mut source = root.clone();
    let mut swaps = Vec::new();
    for path in paths(root) {
        let element = at(&mut source, &path).clone();
        if element.name == "maxLength" {
            change_attribute(&path, "value", Some("7"));
        }
        if element.name != "element" {
            continue;
        }
        change_attribute(&path, "name", Some("Other"));
        match element.attribute("type") {
            Some("xs:string") => change_attribute(&path, "type", Some("xs:integer")),
            Some(_) => change_attribute(&path, "type", Some("xs:string")),
            None => {}
        }
        if path.len() > 1 {
            let is_optional = element.attribute("minOccurs") == Some("0");
            change_attribute(&path, "minOccurs", (!is_optional).then_some("0"));
            let is_many = element.attribute("maxOccurs") == Some("unbounded");
            change_attribute(&path, "maxOccurs", (!is_many).then_some("unbounded"));
            swaps.push(path);
        }
    }
    for path in swaps {
        let (parent, index) = (&path[..path.len() - 1], path[path.len() - 1]);
        let mut copy = root.clone();
        let siblings = &mut at(&mut copy, parent).children;
        if index + 1 < siblings.len() {
            siblings.swap(index, index + 1);
            all.push((format!("a swap at {path:?}"), copy));
        }
    }
    all
}

#[test]
fn the_definitions_name_what_the_interface_names() {
    let table = [
        (
            "request.wsdl",
            "RequestMgrPortType",
            "RequestMgrService",
            vec![("GenericAPIRequest", "")],
        ),
        ("result.wsdl", "ResultMgrPortType", "ResultMgrService", vec![("GenericAPIResult", "")]),
        (
            "c2b.wsdl",
            "C2BPaymentValidationAndComfirmation",
            "C2BPaymentValidationAndConfirmationService",
            vec![
                ("ValidateC2BPayment", "ValidateC2BPayment"),
                ("ConfirmC2BPayment", "ConfirmC2BPayment"),
            ],
        ),
    ];
    for (file, port_type, service, operations) in table {
        let text = fs::read_to_string(wsdl(file)).expect("a definition");
        let root = xml::parse(&text).expect("well-formed");
        let named = |kind: &str, name: &str| {
            let mut all = root.children.iter().filter(|child| child.is(kind));
            all.any(|child| child.attribute("name") == Some(name))
        };
        assert!(named("portType", port_type), "{file}: {port_type}");
        assert!(named("service", service), "{file}: {service}");
        let binding = root.child("binding").expect("a binding");
        let style = binding.children.iter().find_map(|child| child.attribute("style"));
        assert_eq!(style, Some("document"), "{file}");
        let found: Vec<(&str, &str)> = binding
            .children_named("operation")
            .map(|operation| {
                let inner = operation.child("operation").expect("soap:operation");
                let action = inner.attribute("soapAction").expect("soapAction");
                (operation.attribute("name").expect("a name"), action)
            })
            .collect();
        assert_eq!(found, operations, "{file}");
        for part in root.children_named("message").filter_map(|m| m.child("part")) {
            let element = part.attribute("element").expect("an element");
            let local = element.split_once(':').map_or(element, |(_, local)| local);
            let known = xsd::TABLES.iter().any(|(_, shape)| shape.name == local);
            assert!(known, "{file}: {element} is in no schema");
        }
    }
}
