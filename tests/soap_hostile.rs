//! What must not be read is refused by name, no bytes make a reader panic, and secrets are cut out
//! of whatever comes.

use mlango::domain::outcome::{AnswerClass, ResultClass};
use mlango::soap::xml::{self, XmlError};
use mlango::soap::{Unreadable, request, response, result, timeout};
use proptest::prelude::*;

fn body(inside: &str) -> Vec<u8> {
    format!("<Envelope><Body>{inside}</Body></Envelope>").into_bytes()
}

#[test]
fn what_says_two_things_or_nothing_is_no_result() {
    let table = [
        (
            "<ResultMsg><result><ResultCode>0</ResultCode><ResultCode>1</ResultCode></result>\
             </ResultMsg>",
            Unreadable::Contradiction("ResultCode"),
        ),
        (
            "<ResultMsg><result><ResultCode>0</ResultCode><OriginatorConversationID>a\
             </OriginatorConversationID><OriginatorConversationId>b</OriginatorConversationId>\
             </result></ResultMsg>",
            Unreadable::Contradiction("OriginatorConversationID"),
        ),
        (
            "<ResultMsg><result><ResultCode> </ResultCode></result></ResultMsg>",
            Unreadable::Missing("ResultCode"),
        ),
        ("<ResultMsg/>", Unreadable::Missing("result")),
        (
            "<ResultMsg><response/></ResultMsg>",
            Unreadable::OtherDocument { expected: "result", found: "<response>" },
        ),
        (
            "<ResponseMsg/>",
            Unreadable::OtherMessage { expected: "ResultMsg", found: "<ResponseMsg>" },
        ),
        ("", Unreadable::OtherMessage { expected: "ResultMsg", found: "nothing" }),
        (
            "<ResultMsg>not xml</ResultMsg>",
            Unreadable::Inside(XmlError::NotXml { looks_like: "text", bytes: 7 }),
        ),
    ];
    for (inside, expected) in table {
        assert_eq!(result::parse(&body(inside)).expect_err(inside), expected, "{inside}");
    }
    // Twice the same is no contradiction.
    let twice = "<ResultMsg><result><ResultCode>0</ResultCode><ResultCode>0</ResultCode></result>\
                 </ResultMsg>";
    assert!(result::parse(&body(twice)).is_ok());
}

#[test]
fn what_is_no_soap_is_named() {
    let page = "<html><head><title>502 Bad Gateway</title></head><body><hr></body></html>";
    let table: [(&str, &str); 12] = [
        ("", "is empty"),
        (" \r\n", "is empty"),
        ("Service Unavailable", "not XML but text of 19 bytes"),
        ("{\"Result\":{}}", "not XML but JSON"),
        ("<!DOCTYPE html><html></html>", "an HTML page"),
        (page, "an HTML page"),
        ("<html></html>", "an HTML page"),
        ("<!DOCTYPE x><x/>", "DOCTYPE"),
        ("<x><result/></x>", "its root is an element with another name"),
        ("<result/>", "its root is <result>"),
        ("<Envelope><Header/></Envelope>", "no SOAP envelope with a body"),
        ("<Envelope><Body>", "not well-formed"),
    ];
    for (text, expected) in table {
        let error = response::parse(text.as_bytes()).expect_err(text).to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

/// What is said of a message goes to the log; the message's own words must not.
#[test]
fn no_error_quotes_the_message() {
    let secret = "254722000111";
    let name = "JaneDoe254722000111";
    let wrapped = |inside: &str| String::from_utf8(body(inside)).expect("UTF-8");
    let table = [
        format!("{secret} Jane"),
        format!("{{\"phone\":\"{secret}\"}}"),
        format!("<html>{secret}</html>"),
        format!("<{name}/>"),
        format!("<Envelope><{name}/></Envelope>"),
        format!("<Envelope><Body></{name}></Body></Envelope>"),
        format!("<Envelope><Body><{name}></Body></Envelope>"),
        format!("<Envelope><Body>&{name};</Body></Envelope>x"),
        format!("<Envelope><Body {name}></Body></Envelope>"),
        wrapped(&format!("<{name}/>")),
        wrapped(&format!("<ResultMsg><{name}/></ResultMsg>")),
        wrapped(&format!("<ResultMsg>{secret}</ResultMsg>")),
        wrapped(&format!("<ResultMsg>&lt;{name}></ResultMsg>")),
        wrapped(&format!(
            "<Fault><faultcode>{name}</faultcode><faultstring>{secret}</faultstring></Fault>"
        )),
        wrapped(&format!(
            "<ResultMsg><result><ResultCode>{secret}</ResultCode><ResultCode>{name}</ResultCode></result></ResultMsg>"
        )),
    ];
    for text in table {
        let error = result::parse(text.as_bytes()).expect_err(&text);
        let seen = format!("{error} {error:?}");
        assert!(!seen.contains("722000") && !seen.contains("Jane"), "{text}: {seen}");
    }
}

/// What is kept of a message in events and states is no longer than any true word of M-Pesa's.
#[test]
fn the_words_of_a_message_are_bounded() {
    let long = "x".repeat(5_000);
    let zeros = "0".repeat(40);
    for code in ["0 1", "0\n0", &zeros, &long, "0&#133;0", "0000000000000000 000000000000000000"] {
        let inside = format!(
            "<result><ResultCode>{code}</ResultCode><ResultDesc>{long}</ResultDesc>\
             <OriginatorConversationID>{long}</OriginatorConversationID>\
             <ConversationID>{long}</ConversationID><TransactionID>{long}</TransactionID></result>"
        );
        let message =
            result::parse(&body(&format!("<ResultMsg>{inside}</ResultMsg>"))).expect("reads");
        assert_eq!(message.facts.class(), ResultClass::Doubt, "{code}");
        assert!(message.facts.code.chars().count() <= 32, "{}", message.facts.code);
        assert!(message.facts.description.chars().count() <= 1_024);
        assert_eq!(message.originator_conversation_id, None);
        assert_eq!(message.conversation_id, None);
        assert_eq!((message.facts.conversation, message.facts.receipt), (None, None));
        let inside = format!(
            "<response><ResponseCode>{code}</ResponseCode><ResponseDesc>{long}</ResponseDesc>\
             <ServiceStatus>{long}</ServiceStatus></response>"
        );
        let answer =
            response::parse(&body(&format!("<ResponseMsg>{inside}</ResponseMsg>"))).expect("reads");
        assert_eq!(answer.facts.class(), AnswerClass::Doubt, "{code}");
        assert!(answer.facts.code.chars().count() <= 32, "{}", answer.facts.code);
        assert!(answer.facts.description.chars().count() <= 1_024);
        assert!(answer.service_status.is_some_and(|word| word.chars().count() <= 32));
    }
    // An answer with such an id is no answer to us, whatever it says.
    let foreign = format!(
        "<ResponseMsg><response><ResponseCode>0</ResponseCode>\
         <OriginatorConversationID>{long}</OriginatorConversationID></response></ResponseMsg>"
    );
    assert!(response::parse(&body(&foreign)).is_err());
}

/// A result that says two things about the money is not to be believed.
#[test]
fn what_does_not_fit_together_in_a_result_is_named() {
    let parameter = |key: &str, value: &str| {
        format!("<ResultParameter><Key>{key}</Key><Value>{value}</Value></ResultParameter>")
    };
    let table = [
        (vec![], None),
        (vec![("TransactionReceipt", "QK12ABCD34"), ("TransactionAmount", "150.00")], None),
        (vec![("TransactionReceipt", "")], None),
        (vec![("TransactionReceipt", "ZZ12ABCD34")], Some("two receipts")),
        (vec![("Transaction Receipt", "ZZ12ABCD34")], Some("two receipts")),
        (vec![("TransactionAmount", "KES 9.99.1")], Some("cannot be read")),
        (vec![("Amount", "much")], Some("cannot be read")),
        (vec![("Amount", "1.00"), ("TransactionAmount", "much")], Some("cannot be read")),
        (vec![("Amount", "150"), ("TransactionAmount", "150.00")], None),
        (vec![("Amount", "15"), ("TransactionAmount", "150.00")], Some("two amounts")),
    ];
    for (parameters, expected) in table {
        let written: String = parameters.iter().map(|(key, value)| parameter(key, value)).collect();
        let message = result::parse(&body(&format!(
            "<ResultMsg><result><ResultCode>0</ResultCode><TransactionID>QK12ABCD34\
             </TransactionID><ResultParameters>{written}</ResultParameters></result></ResultMsg>"
        )))
        .expect("reads");
        match (message.facts.odd.as_deref(), expected) {
            (None, None) => {}
            (Some(odd), Some(expected)) if odd.contains(expected) => {}
            (odd, _) => panic!("{parameters:?}: {odd:?}"),
        }
    }
}

#[test]
fn what_could_hurt_is_refused() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><Envelope><Body>&b;</Body>\
                </Envelope>";
    assert_eq!(result::parse(bomb.as_bytes()), Err(Unreadable::Xml(XmlError::Doctype)));
    let inside = body(
        "<ResultMsg><![CDATA[<!DOCTYPE r SYSTEM \"file:///etc/passwd\"><result/>]]></ResultMsg>",
    );
    assert_eq!(result::parse(&inside), Err(Unreadable::Inside(XmlError::Doctype)));
    let entity = body("<ResultMsg><result><ResultCode>&xxe;</ResultCode></result></ResultMsg>");
    assert_eq!(result::parse(&entity).expect("reads").facts.code, "&xxe;");
    let instruction = body("<?php echo 1 ?>");
    assert_eq!(result::parse(&instruction), Err(Unreadable::Xml(XmlError::Instruction)));

    let deep = |levels: usize| body(&format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels)));
    assert_eq!(result::parse(&deep(100_000)), Err(Unreadable::Xml(XmlError::TooDeep)));
    let allowed = xml::DEPTH_MAX - 2;
    assert!(!matches!(result::parse(&deep(allowed)), Err(Unreadable::Xml(_))));
    assert_eq!(result::parse(&deep(allowed + 1)), Err(Unreadable::Xml(XmlError::TooDeep)));

    let wide = body(&"<a/>".repeat(xml::ELEMENTS_MAX));
    assert_eq!(result::parse(&wide), Err(Unreadable::Xml(XmlError::TooMany("elements"))));
    let attributes: String = (0..=xml::ATTRIBUTES_MAX).map(|n| format!(" a{n}=''")).collect();
    let dressed = body(&format!("<a{attributes}/>"));
    assert_eq!(result::parse(&dressed), Err(Unreadable::Xml(XmlError::TooMany("attributes"))));
    let long = vec![b' '; xml::BYTES_MAX + 1];
    assert_eq!(result::parse(&long), Err(Unreadable::Xml(XmlError::TooLong(xml::BYTES_MAX + 1))));
}

#[test]
fn secrets_are_cut_out_of_any_bytes() {
    // The secret is ~.
    let table = [
        (
            "<SecurityCredential>~</SecurityCredential>",
            "<SecurityCredential>***</SecurityCredential>",
        ),
        ("<a:spPassword x='1'>~</a:spPassword>", "<a:spPassword x='1'>***</a:spPassword>"),
        ("<Password><![CDATA[~]]></Password>x", "<Password>***</Password>x"),
        (
            "&lt;SecurityCredential&gt;~&lt;/SecurityCredential&gt;",
            "&lt;SecurityCredential&gt;***&lt;/SecurityCredential&gt;",
        ),
        (
            "<loc:originRequest>~\n~\n</loc:originRequest>",
            "<loc:originRequest>***</loc:originRequest>",
        ),
        ("<ORIGINREQUEST>~</OriginRequest>", "<ORIGINREQUEST>***</OriginRequest>"),
        ("<originRequest>~", "<originRequest>***"),
        ("<originRequest ~", "<originRequest***"),
        ("<originRequest>~</other>", "<originRequest>***</other>"),
        ("<Password>~<ResultCode>0</ResultCode>", "<Password>***<ResultCode>0</ResultCode>"),
        ("<Password><ResultCode>0</ResultCode>", "<Password><ResultCode>0</ResultCode>"),
        ("<Password x<ResultCode>0</ResultCode>", "<Password***<ResultCode>0</ResultCode>"),
        (
            "&lt;Password&gt;~&lt;ResultCode&gt;0&lt;/ResultCode&gt;",
            "&lt;Password&gt;***&lt;ResultCode&gt;0&lt;/ResultCode&gt;",
        ),
        (
            "<Password>~<ResultCode>0</ResultCode><Password>~</Password>",
            "<Password>***<ResultCode>0</ResultCode><Password>***</Password>",
        ),
        ("<SecurityCredential><![CDATA[~", "<SecurityCredential>***"),
        ("<SecurityCredential><!-- x -->~", "<SecurityCredential>***"),
        (
            "<SecurityCredential><a>~</a></SecurityCredential>",
            "<SecurityCredential>***</SecurityCredential>",
        ),
        ("<Password/><Password></Password>~", "<Password/><Password></Password>~"),
        ("<PasswordHint>~</PasswordHint>", "<PasswordHint>~</PasswordHint>"),
        ("a Password > ~", "a Password > ~"),
        (
            "<Password>~</Password><Password>~</Password>",
            "<Password>***</Password><Password>***</Password>",
        ),
    ];
    for (before, after) in table {
        let found = String::from_utf8(timeout::redact(before.as_bytes())).expect("UTF-8");
        assert_eq!(found, after, "{before}");
    }
    let units = "\u{feff}<originRequest>SECRET</originRequest>".encode_utf16();
    let bytes: Vec<u8> = units.flat_map(u16::to_le_bytes).collect();
    let found = String::from_utf8(timeout::redact(&bytes)).expect("UTF-8");
    assert_eq!(found, "<originRequest>***</originRequest>");
}

fn any_reader_survives(bytes: &[u8]) {
    let _read = request::parse(bytes).map(|incoming| incoming.faults());
    let _read = response::parse(bytes);
    let _read = result::parse(bytes);
    let _read = timeout::parse(bytes).map(|message| message.origin_request_redacted());
    let _bytes = timeout::redact(bytes);
    let _text = mlango::soap::show::show(bytes);
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        any_reader_survives(&bytes);
    }

    #[test]
    fn no_scraps_of_markup_make_a_reader_panic(
        scraps in prop::collection::vec(
            prop::sample::select(vec![
                "<", ">", "/", "</", "/>", "<a", "Envelope", "Body", "ResultMsg", "result", "&lt;",
                "&", ";", "&#", "x", "<![CDATA[", "]]>", "<?xml", "?>", "<!--", "-->", "=", "\"",
                "'", "xmlns", ":", "originRequest", "Password", " ", "\n", "\\\"", "é", "\u{feff}",
                "<Envelope><Body><ResultMsg>", "</ResultMsg></Body></Envelope>", "0",
            ]),
            0..60,
        )
    ) {
        any_reader_survives(scraps.concat().as_bytes());
    }

    #[test]
    fn unescaping_undoes_escaping(text in any::<String>()) {
        let mut escaped = String::new();
        xml::push_text(&mut escaped, &text);
        let kept: String = text.chars().filter(|c| xml::is_legal(*c)).collect();
        prop_assert_eq!(xml::unescape(&escaped), kept);
    }

    #[test]
    fn any_text_comes_through_cdata(text in any::<String>()) {
        let mut out = String::from("<a>");
        xml::push_cdata(&mut out, &text);
        out.push_str("</a>");
        let kept: String = text.chars().filter(|c| xml::is_legal(*c)).collect();
        let read = xml::parse(&out).expect("well-formed");
        // A reader makes one line feed of a line's end.
        prop_assert_eq!(read.text.as_ref(), kept.replace("\r\n", "\n").replace('\r', "\n"));
    }
}
