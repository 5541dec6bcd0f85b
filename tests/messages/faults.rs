//! What is wrong, in words that a person reads: line, element, what was found, what was expected.

use mlango::schema::{Schemas, Verdict};

/// A result as the broker sends it, in twenty lines.
const RESULT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"
    xmlns:res="http://api-v1.gen.mm.vodafone.com/mminterface/result">
  <soapenv:Header/>
  <soapenv:Body>
    <res:ResultMsg><![CDATA[<?xml version="1.0" encoding="UTF-8"?>
<result xmlns="http://api-v1.gen.mm.vodafone.com/mminterface/result">
  <ResultType>0</ResultType>
  <ResultCode>0</ResultCode>
  <ResultDesc>Done</ResultDesc>
  <OriginatorConversationID>999001_ExampleOrg_0001</OriginatorConversationID>
  <ConversationID>AG_20240102_00000000000000000001</ConversationID>
  <TransactionID>SAB1EXAMPLE</TransactionID>
  <ResultParameters>
    <ResultParameter><Key>TransactionAmount</Key><Value>150.00</Value></ResultParameter>
    <ResultParameter>
      <Key>ReceiverPartyPublicName</Key>
      <Value>254722000111 - Jane Doe</Value>
    </ResultParameter>
  </ResultParameters>
</result>]]></res:ResultMsg>
  </soapenv:Body>
</soapenv:Envelope>
"#;

/// What is changed into what, the verdict, and what is said.
const TABLE: &[(&str, &str, Verdict, &str)] = &[
    ("", "", Verdict::ToSchema, ""),
    (
        "<ResultType>0</ResultType>",
        "<ResultType>soon</ResultType>",
        Verdict::NotToSchema,
        "8: result/ResultType: found a text of 4 characters; expected a value of the kind: whole number",
    ),
    (
        "<ResultDesc>Done</ResultDesc>",
        "<ResultDesc>Done</ResultDesc>\n<Charge>1</Charge>",
        Verdict::NotToSchema,
        "11: result/Charge: found Charge in http://api-v1.gen.mm.vodafone.com/mminterface/result; \
             expected OriginatorConversationID or ConversationID or TransactionID or \
             ResultParameters or ReferenceData",
    ),
    (
        "  <ResultCode>0</ResultCode>\n",
        "",
        Verdict::NotUnderstood,
        "9: result/ResultDesc: found ResultDesc in \
             http://api-v1.gen.mm.vodafone.com/mminterface/result; expected ResultCode",
    ),
    (
        "<ResultCode>0</ResultCode>",
        "<ResultCode>0123456789X</ResultCode>",
        Verdict::NotToSchema,
        "9: result/ResultCode: found a text of 11 characters; expected at most 10 characters",
    ),
    (
        "<TransactionID>SAB1EXAMPLE</TransactionID>",
        "<TransactionID>SAB1EXAMPLE</TransactionID>\n<TransactionID>SAB1EXAMPLE</TransactionID>",
        Verdict::NotToSchema,
        "14: result/TransactionID[2]: found TransactionID in \
             http://api-v1.gen.mm.vodafone.com/mminterface/result; expected ResultParameters or \
             ReferenceData",
    ),
    (
        "<Key>ReceiverPartyPublicName</Key>",
        "<Key kind=\"x\">ReceiverPartyPublicName</Key>",
        Verdict::NotToSchema,
        "17: result/ResultParameters/ResultParameter[2]/Key: found the attribute kind; \
             expected no such attribute or value",
    ),
    (
        "<soapenv:Header/>",
        "<soapenv:Headers/>",
        Verdict::NotToSchema,
        "4: Envelope/Headers: found Headers in http://schemas.xmlsoap.org/soap/envelope/; \
             expected Header or Body",
    ),
    (
        "</result>]]>",
        "</results>]]>",
        Verdict::NotUnderstood,
        "21: ResultMsg: found an element is closed that is not open, or never closed; \
             expected a document that is well-formed XML",
    ),
    (
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<soapenv",
        "<!DOCTYPE a>\n<soapenv",
        Verdict::NotUnderstood,
        "1: the message: found a DOCTYPE, which no message may have; expected well-formed XML",
    ),
];

#[test]
fn each_fault_is_said_with_its_line_and_element() {
    let schemas = Schemas::bundled().expect("our own schemas");
    for (old, new, verdict, said) in TABLE {
        let message = if old.is_empty() { RESULT.to_owned() } else { RESULT.replacen(old, new, 1) };
        assert!(old.is_empty() || message != RESULT, "{old} is not there");
        let checked = schemas.check(message.as_bytes());
        let lines: Vec<String> = checked
            .findings
            .iter()
            .map(|one| {
                format!(
                    "{}: {}: found {}; expected {}",
                    one.line, one.element, one.found, one.expected
                )
            })
            .collect();
        assert_eq!(lines.join("\n"), *said, "{new}");
        assert_eq!(checked.verdict, *verdict, "{new}: {checked:?}");
        let all = format!("{checked:?}");
        for person in ["Jane", "722000111"] {
            assert!(!all.contains(person), "{person} in {all}");
        }
    }
}

#[test]
fn all_faults_of_a_message_are_said() {
    let schemas = Schemas::bundled().expect("our own schemas");
    let message = RESULT
        .replacen("<ResultType>0<", "<ResultType>soon<", 1)
        .replacen("<ResultCode>0<", "<ResultCode>0123456789X<", 1)
        .replacen("<Value>150.00</Value>", "<Value><b/></Value>", 1)
        .replacen("<soapenv:Header/>", "<soapenv:Header x=\"1\"/>", 1);
    let found: Vec<usize> =
        schemas.check(message.as_bytes()).findings.iter().map(|one| one.line).collect();
    assert_eq!(found, [4, 15, 8, 9]);
}

#[test]
fn a_message_may_stand_alone_in_each_of_its_parts() {
    let schemas = Schemas::bundled().expect("our own schemas");
    let from = RESULT.find("<result").expect("a document");
    let to = RESULT.find("]]>").expect("its end");
    let header = "<h:RequestSOAPHeader xmlns:h=\"http://www.huawei.com.cn/schema/common/v2_1\">\
                  <h:spId>100001</h:spId></h:RequestSOAPHeader>";
    let table = [
        (RESULT.get(from..to).expect("a document").to_owned(), "result"),
        (header.to_owned(), "RequestSOAPHeader"),
        (
            "<n:notifyQueueTimeout xmlns:n=\"http://www.csapi.org/schema/timeoutnotification/data/v1_0/local\">\
             <n:originatorConversationID>A_1</n:originatorConversationID>\
             <n:originRequest>PGEvPg==</n:originRequest></n:notifyQueueTimeout>"
                .to_owned(),
            "notifyQueueTimeout",
        ),
    ];
    for (text, name) in table {
        let checked = schemas.check(text.as_bytes());
        assert_eq!(
            (checked.verdict, checked.message.as_str()),
            (Verdict::ToSchema, name),
            "{checked:?}"
        );
    }
    let stranger = schemas.check(b"<stranger/>");
    assert_eq!(stranger.verdict, Verdict::NotToSchema);
    assert_eq!(stranger.findings[0].found, "stranger in no namespace");
}

#[test]
fn what_is_no_message_is_said_in_words_that_fit() {
    let schemas = Schemas::bundled().expect("our own schemas");
    let many = |deep: usize| -> String {
        let level = |nth: usize| {
            let own: String =
                (0..30).map(|at| format!(" xmlns:p{at}=\"urn:{nth}:{at}\"")).collect();
            format!("<a{own}>")
        };
        (0..deep).map(level).chain((0..deep).map(|_| "</a>".to_owned())).collect()
    };
    let table = [
        (String::new(), "nothing: the file is empty"),
        (" \n".to_owned(), "nothing: the file is empty"),
        ("<a><b attr".to_owned(), "something begins there and never ends"),
        ("<a><b></a>".to_owned(), "an element is closed that is not open, or never closed"),
        ("{\"Result\":1}".to_owned(), "JSON"),
        (many(9), "more namespaces than any message has"),
    ];
    for (text, found) in table {
        let checked = schemas.check(text.as_bytes());
        assert_eq!(checked.verdict, Verdict::NotUnderstood, "{text}");
        let first = checked.findings.first().expect(&text);
        assert_eq!((first.found.as_str(), first.line), (found, 1), "{text}");
    }
    let few = schemas.check(many(8).as_bytes());
    assert_eq!(few.verdict, Verdict::NotToSchema, "{few:?}");
}
