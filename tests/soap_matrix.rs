//! Everything that spec/soap.md §9 and §11 have seen in the wild is read, and what must not be
//! read is refused by name.

#![expect(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test may stop at the first surprise"
)]

use mlango::domain::money::Amount;
use mlango::domain::outcome::ResultClass;
use mlango::domain::time::Timestamp;
use mlango::soap::request;
use mlango::soap::response;
use mlango::soap::result::{self, ResultMessage, split_party};
use mlango::soap::timeout;

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const REQUEST: &str = "http://api-v1.gen.mm.vodafone.com/mminterface/request";
const RESPONSE: &str = "http://api-v1.gen.mm.vodafone.com/mminterface/response";
const RESULT: &str = "http://api-v1.gen.mm.vodafone.com/mminterface/result";

/// How the inner document stands in the outer element.
#[derive(Clone, Copy, Debug)]
enum Wrap {
    Cdata,
    CdataAmongBlanks,
    CdataInTwo,
    Escaped,
    EscapedInCdata,
    Raw,
}

const WRAPS: [Wrap; 6] = [
    Wrap::Cdata,
    Wrap::CdataAmongBlanks,
    Wrap::CdataInTwo,
    Wrap::Escaped,
    Wrap::EscapedInCdata,
    Wrap::Raw,
];

const PROLOGS: [&str; 9] = [
    "",
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
    "\n  <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
    "<?xml version='1.0' encoding='utf-8'?>",
    "<?xml version=\"1.0\" encoding=\"UTF8\"?>",
    "<?xml version=''1.0'' encoding=''UTF-8''?>",
    "\u{feff}<?xml version=\"1.0\"?>\r\n",
    "<?xml version=\"1.0\" encoding=\"UTF-16\"?>",
    "<?XML version=\"1.0\"?>",
];

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn wrap(document: &str, wrap: Wrap) -> String {
    match wrap {
        Wrap::Cdata => format!("<![CDATA[{document}]]>"),
        Wrap::CdataAmongBlanks => format!("\n    <![CDATA[{document}]]>\n  "),
        Wrap::CdataInTwo => {
            let (at, _) = document.char_indices().nth(40).expect("long enough");
            let (one, two) = document.split_at(at);
            format!("\n<![CDATA[{one}]]><![CDATA[{two}]]>\n")
        }
        Wrap::Escaped => escape(document),
        Wrap::EscapedInCdata => format!("<![CDATA[{}]]>", escape(document)),
        Wrap::Raw => document.to_owned(),
    }
}

/// Envelopes as different stacks write them; `{M}` is the message's name, `{N}` its namespace.
const ENVELOPES: [&str; 6] = [
    "<soapenv:Envelope xmlns:soapenv=\"{S}\" xmlns:req=\"{N}\"><soapenv:Header/><soapenv:Body>\
     <req:{M}>{T}</req:{M}></soapenv:Body></soapenv:Envelope>",
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<s:Envelope xmlns:s=\"{S}\"><s:Body>\n\
     <{M} xmlns=\"{N}\">{T}</{M}>\n</s:Body></s:Envelope>",
    "\u{feff}\n <SOAP-ENV:Envelope xmlns:SOAP-ENV='{S}'><SOAP-ENV:Header></SOAP-ENV:Header>\
     <SOAP-ENV:Body><ns1:{M} xmlns:ns1='{N}'>{T}</ns1:{M}></SOAP-ENV:Body></SOAP-ENV:Envelope>\n",
    "<soap:Envelope xmlns:soap=\"{S}\"><soap:Body><!-- a comment --><{M}>{T}</{M}></soap:Body>\
     </soap:Envelope>",
    "<Envelope xmlns=\"{S}\"><Header/><Body><res:{M} xmlns:res=\"http://cps.huawei.com/\
     cpsinterface/result\">{T}</res:{M}></Body></Envelope>",
    "<x:Envelope><x:Body><y:{M}>{T}</y:{M}></x:Body></x:Envelope>",
];

fn envelope(form: &str, message: &str, namespace: &str, text: &str) -> Vec<u8> {
    form.replace("{S}", SOAP)
        .replace("{N}", namespace)
        .replace("{M}", message)
        .replace("{T}", text)
        .into_bytes()
}

/// Every combination of root, namespace, prolog, wrapping and envelope.
fn every_form(
    message: &str,
    namespaces: (&str, &str),
    roots: [&str; 2],
    inside: &str,
    each: impl Fn(&[u8]),
) -> usize {
    let mut count = 0;
    for root in roots {
        for xmlns in [format!(" xmlns=\"{}\"", namespaces.1), String::new()] {
            for prolog in PROLOGS {
                for how in WRAPS {
                    for form in ENVELOPES {
                        let document = format!("{prolog}<{root}{xmlns}>{inside}</{root}>");
                        let is_raw = matches!(how, Wrap::Raw);
                        // Nested as it is, a prolog other than the plain ones is no XML at all.
                        if is_raw && (prolog.contains("''") || prolog.contains("XML")) {
                            continue;
                        }
                        each(&envelope(form, message, namespaces.0, &wrap(&document, how)));
                        count += 1;
                    }
                }
            }
        }
    }
    count
}

#[test]
fn every_form_of_an_answer_is_read() {
    let inside = "\n<ResponseCode> 0\n</ResponseCode><ConversationID>AG_20240102_00</ConversationID>\
                  <ResponseDesc>Accepted &amp; waiting</ResponseDesc><OriginatorConversationID>\
                  999001_A_1\n</OriginatorConversationID><ServiceStatus>0</ServiceStatus>";
    let count =
        every_form("ResponseMsg", (REQUEST, RESPONSE), ["response", "Response"], inside, |bytes| {
            let text = String::from_utf8_lossy(bytes);
            let response = response::parse(bytes).expect(&text);
            assert_eq!(response.facts.code, "0", "{text}");
            assert_eq!(response.facts.description, "Accepted & waiting", "{text}");
            let conversation = response.facts.conversation.expect("a conversation");
            assert_eq!(conversation.as_str(), "AG_20240102_00", "{text}");
            assert_eq!(response.originator_conversation_id.as_deref(), Some("999001_A_1"));
        });
    assert!(count > 1200, "{count}");
}

#[test]
fn every_form_of_a_result_is_read() {
    let inside = "<ResultParameters><ResultParameter><Key> TransactionAmount </Key><Value>150.00\
                  </Value></ResultParameter></ResultParameters><TransactionId>QK12ABCD34\
                  </TransactionId><ConversationId>AG_1</ConversationId><ResultCode>0</ResultCode>\
                  <OriginatorConversationId>999001_A_1 </OriginatorConversationId>\
                  <ResultType>0</ResultType><ResultDesc>done</ResultDesc>";
    every_form("ResultMsg", (RESULT, RESULT), ["result", "Result"], inside, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let message = result::parse(bytes).expect(&text);
        assert_eq!(message.facts.code, "0", "{text}");
        assert_eq!(message.facts.amount, Some(Amount::from_shillings(150)), "{text}");
        assert_eq!(message.originator_conversation_id.as_deref(), Some("999001_A_1"), "{text}");
        assert_eq!(message.conversation_id.as_deref(), Some("AG_1"), "{text}");
        let receipt = message.facts.receipt.expect("a receipt");
        assert_eq!(receipt.as_str(), "QK12ABCD34", "{text}");
    });
}

#[test]
fn every_form_of_a_request_is_read() {
    let inside = "<Identity><Caller><ResultURL>http://x?a&amp;b</ResultURL></Caller></Identity>\
                  <Transaction><CommandID>BusinessPayment</CommandID><Parameters><Parameter>\
                  <Key>Amount</Key><Value>10</Value></Parameter></Parameters></Transaction>";
    every_form("RequestMsg", (REQUEST, REQUEST), ["request", "Request"], inside, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let incoming = request::parse(bytes).expect(&text);
        assert_eq!(incoming.command.as_deref(), Some("BusinessPayment"), "{text}");
        assert_eq!(incoming.parameter("Amount"), Some("10"), "{text}");
        assert_eq!(incoming.result_url.as_deref(), Some("http://x?a&b"), "{text}");
        assert_eq!(incoming.header, None);
    });
}

fn result_of(inside: &str) -> ResultMessage {
    let document = format!("<Result>{inside}</Result>");
    let bytes = envelope(ENVELOPES[0], "ResultMsg", RESULT, &wrap(&document, Wrap::Cdata));
    result::parse(&bytes).expect("reads")
}

fn parameters(pairs: &[(&str, &str)]) -> String {
    let items: String = pairs
        .iter()
        .map(|(key, value)| {
            format!("<ResultParameter><Key>{key}</Key><Value>{value}</Value></ResultParameter>")
        })
        .collect();
    format!("<ResultCode>0</ResultCode><ResultParameters>{items}</ResultParameters>")
}

#[test]
fn a_result_of_the_older_core_is_read() {
    let message = result_of(
        "<ResultType>Completed</ResultType><ResultCode>0</ResultCode>\
         <ConversationId>ff6e2f0e-0000-4000-8000-000000000001</ConversationId>\
         <ResultParameters xmlns:q='http://api-v1.gen.mm.vodafone.com/mminterface/request' \
         xmlns:i='http://www.w3.org/2001/XMLSchema-instance'>\
         <Parameter><q:Key>Working Account Available Funds</q:Key><q:Value>Ksh10.0000</q:Value>\
         </Parameter><Parameter><q:Key>Amount</q:Key><q:Value>Ksh200.00</q:Value></Parameter>\
         <Parameter><q:Key>Transaction Datetime</q:Key><q:Value>02/01/2024 06:04:05</q:Value>\
         </Parameter><Parameter><q:Key>Reason</q:Key><q:Value i:nil=\"true\"/></Parameter>\
         </ResultParameters>",
    );
    assert!(!message.facts.waiting);
    assert_eq!(message.facts.class(), ResultClass::Paid);
    assert_eq!(message.facts.amount, Some(Amount::from_shillings(200)));
    assert_eq!(message.facts.completed_at, Some(Timestamp::from_millis(1_704_164_645_000)));
    assert_eq!(message.parameters.len(), 4);
    assert_eq!(message.parameters[3], ("Reason".to_owned(), String::new()));
}

#[test]
fn parameters_are_read_by_key_in_any_order_and_nesting() {
    let nested = "<ResultCode>0</ResultCode><ResultParameters><ResultParameter><ResultParameter>\
                  <Key>TransactionReceipt</Key><Value>QK12ABCD34</Value></ResultParameter>\
                  <ResultParameter><Key>TransactionAmount</Key><Value>70</Value></ResultParameter>\
                  </ResultParameter></ResultParameters>";
    let facts = result_of(nested).facts;
    assert_eq!(facts.amount, Some(Amount::from_shillings(70)));
    assert_eq!(facts.receipt.map(|r| r.to_string()).as_deref(), Some("QK12ABCD34"));
    let facts = result_of(&parameters(&[
        ("ReceiverPartyPublicName", "254722000111-Jane Doe"),
        ("TransactionAmount", ""),
        ("TransactionAmount", "70.5"),
        ("TransactionAmount", "99"),
        ("Empty", ""),
    ]))
    .facts;
    assert_eq!(facts.amount, Some(Amount::from_cents(7050)), "the first that says something");
    assert_eq!(facts.payee.map(|p| p.reveal()).as_deref(), Some("254722000111"));
}

#[test]
fn a_value_may_hold_elements_or_be_missing() {
    let message = result_of(
        "<ResultCode>0</ResultCode><ResultParameters><ResultParameter><Key>KYC</Key><Value>\
         <Record><KYC FieldType='a' FieldValue='b'/></Record></Value></ResultParameter>\
         <ResultParameter><Key>None</Key></ResultParameter></ResultParameters>",
    );
    let keys: Vec<&str> = message.parameters.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["KYC", "None"]);
}

#[test]
fn bare_ampersands_in_balances_are_survived() {
    let balances = "Utility|KES|1.00|1.00|0|0&Working|KES|-2.00|0|0|0 & more &amp; &#38; &nope;";
    let pairs = [("Balances", balances), ("TransactionAmount", "10.00")];
    let message = result_of(&parameters(&pairs));
    assert_eq!(
        message.parameters[0].1,
        "Utility|KES|1.00|1.00|0|0&Working|KES|-2.00|0|0|0 & more & & &nope;"
    );
    let document = format!("<result>{}</result>", parameters(&pairs));
    for how in [Wrap::Raw, Wrap::CdataInTwo, Wrap::CdataAmongBlanks] {
        let bytes = envelope(ENVELOPES[1], "ResultMsg", RESULT, &wrap(&document, how));
        assert_eq!(result::parse(&bytes), Ok(message.clone()), "{how:?}");
    }
    // Escaped carelessly: tags, but no ampersands.
    let careless = document.replace('<', "&lt;").replace('>', "&gt;");
    let bytes = envelope(ENVELOPES[1], "ResultMsg", RESULT, &careless);
    let read = result::parse(&bytes).expect("reads");
    assert_eq!(read.facts.amount, Some(Amount::from_shillings(10)));
}

#[test]
fn messages_that_went_through_a_log_are_read() {
    let document = "<?xml version=\\\"1.0\\\"?>\\n<result xmlns=\\\"urn:x\\\"><ResultCode>0\
                    <\\/ResultCode><\\/result>";
    let inner = envelope(ENVELOPES[0], "ResultMsg", RESULT, &wrap(document, Wrap::Cdata));
    assert_eq!(result::parse(&inner).expect("reads").facts.code, "0");
    let plain = "<result xmlns=\"urn:x\"><ResultCode>0</ResultCode></result>";
    let whole = envelope(ENVELOPES[0], "ResultMsg", RESULT, &wrap(plain, Wrap::Cdata));
    let whole = String::from_utf8_lossy(&whole).replace('"', "\\\"").replace("><", ">\\n<");
    assert_eq!(result::parse(whole.as_bytes()).expect("reads").facts.code, "0");
}

#[test]
fn other_encodings_are_read_and_a_bad_byte_hides_nothing() {
    let text = "<Envelope><Body><ResultMsg><result><ResultCode>0</ResultCode><ResultDesc>Zoë\
                </ResultDesc></result></ResultMsg></Body></Envelope>";
    let latin: Vec<u8> = format!("<?xml version='1.0' encoding='ISO-8859-1'?>{text}")
        .chars()
        .map(|c| u8::try_from(u32::from(c)).expect("Latin-1"))
        .collect();
    let units: Vec<u16> = format!("\u{feff}{text}").encode_utf16().collect();
    let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    for bytes in [text.as_bytes(), &latin, &little, &big] {
        let message = result::parse(bytes).expect("reads");
        assert_eq!(message.facts.description, "Zoë");
    }
    let mut broken = text.as_bytes().to_vec();
    let at = broken.windows(2).position(|pair| pair == "ë".as_bytes()).expect("there");
    broken[at] = 0xff;
    let message = result::parse(&broken).expect("reads");
    assert_eq!(message.facts.code, "0");
}

#[test]
fn result_types_are_final_only_where_the_spec_says_so() {
    let table = [
        ("", false),
        ("<ResultType/>", false),
        ("<ResultType>0</ResultType>", false),
        ("<ResultType> Completed </ResultType>", false),
        ("<ResultType>1</ResultType>", true),
        ("<ResultType>2</ResultType>", true),
        ("<ResultType>Queued</ResultType>", true),
    ];
    for (element, waiting) in table {
        let message = result_of(&format!("{element}<ResultCode>0</ResultCode>"));
        assert_eq!(message.facts.waiting, waiting, "{element}");
    }
}

#[test]
fn amounts_are_read_or_left_alone() {
    let table = [
        ("150.00", Some(15_000)),
        ("150", Some(15_000)),
        ("Ksh200.00", Some(20_000)),
        ("KES 200.0000", Some(20_000)),
        ("KSH. 7.5", Some(750)),
        ("1,234,567.89", Some(123_456_789)),
        ("0.05", Some(5)),
        ("1.005", None),
        ("-5", None),
        ("12,34", None),
        (",123", None),
        ("1e3", None),
        ("", None),
        ("Ksh", None),
        ("{Amount={BasicAmount=1.00}}", None),
        ("99999999999999999999", None),
    ];
    for (text, cents) in table {
        assert_eq!(result::amount(text), cents.map(Amount::from_cents), "{text}");
    }
}

#[test]
fn the_paid_party_is_taken_apart() {
    let hash = "ab".repeat(32);
    let table = [
        ("254722000111 - Jane Doe", Some("254722000111"), Some("Jane Doe")),
        ("254722000111-Jane Doe-Smith", Some("254722000111"), Some("Jane Doe-Smith")),
        ("0722000111 - ", Some("254722000111"), None),
        ("254722000111", Some("254722000111"), None),
        ("2547*****111 - Jane Doe", None, Some("Jane Doe")),
        ("2547XXXXXXXX - Jane Doe", None, Some("Jane Doe")),
        ("Jane Doe-Smith", None, Some("Jane Doe-Smith")),
        ("Jane Doe", None, Some("Jane Doe")),
        ("", None, None),
        (" - ", None, Some("-")),
    ];
    for (text, phone, name) in table {
        let (payee, recipient) = split_party(text);
        assert_eq!(payee.map(|p| p.reveal()).as_deref(), phone, "{text}");
        assert_eq!(recipient.as_ref().map(|n| n.reveal()), name, "{text}");
    }
    let (payee, recipient) = split_party(&format!("{hash} - Jane"));
    assert_eq!((payee, recipient.as_ref().map(|n| n.reveal())), (None, Some("Jane")));
}

#[test]
fn queue_timeouts_are_read_with_line_breaks_and_without_extension() {
    let bytes = format!(
        "<Envelope><Body>{}</Body></Envelope>",
        "<n:notifyQueueTimeout xmlns:n='urn:n'><n:originRequest>PHJlcXVl\nc3QvPg==\n\
         </n:originRequest><n:originatorConversationID> 999001_A_1\n</n:originatorConversationID>\
         <n:extensionInfo><n:item><r:Key>k</r:Key><r:Value>v</r:Value></n:item></n:extensionInfo>\
         </n:notifyQueueTimeout>",
    );
    let message = timeout::parse(bytes.as_bytes()).expect("reads");
    assert_eq!(message.originator_conversation_id.as_deref(), Some("999001_A_1"));
    assert_eq!(message.extension, [("k".to_owned(), "v".to_owned())]);
    assert_eq!(message.origin_request_redacted().as_deref(), Some(&b"<request/>"[..]));
}
