//! Every deviation of spec/soap.md: accepted, named, with its section and line.

use mlango::schema::deviation::ALL;
use mlango::schema::{Schemas, Verdict};

const REQ: &str = "http://api-v1.gen.mm.vodafone.com/mminterface/request";
const RES: &str = "http://api-v1.gen.mm.vodafone.com/mminterface/response";
const RST: &str = "http://api-v1.gen.mm.vodafone.com/mminterface/result";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";

/// An envelope: what is inside begins in line 3.
fn envelope(body: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">\n<s:Body>\n{body}\n\
         </s:Body></s:Envelope>"
    )
}

/// A result whose document begins in line 3.
fn result(document: &str) -> String {
    envelope(&format!("<r:ResultMsg xmlns:r=\"{RST}\"><![CDATA[{document}]]></r:ResultMsg>"))
}

/// A result with this in it, from line 5 on.
fn result_with(inside: &str) -> String {
    result(&format!("<result xmlns=\"{RST}\">\n<ResultCode>0</ResultCode>\n{inside}\n</result>"))
}

fn parameters(inside: &str) -> String {
    result_with(&format!("<ResultParameters>\n{inside}\n</ResultParameters>"))
}

fn request(header: &str, command: &str, timestamp: &str, identity: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">
<s:Header>{header}</s:Header><s:Body>
<q:RequestMsg xmlns:q=\"{REQ}\"><![CDATA[<request xmlns=\"{REQ}\">
<Transaction><CommandID>{command}</CommandID>
<OriginatorConversationID>999001_A_1</OriginatorConversationID>
{timestamp}</Transaction>
<Identity><Caller><CallerType>2</CallerType><ThirdPartyID/></Caller>
<Initiator><IdentifierType>11</IdentifierType><Identifier>example-operator</Identifier>
<SecurityCredential>Q1JFREVOVElBTA==</SecurityCredential></Initiator>
{identity}</Identity>
<KeyOwner>1</KeyOwner></request>]]></q:RequestMsg></s:Body></s:Envelope>"
    )
}

const NOW: &str = "<Timestamp>20240102030405</Timestamp>";

fn header(inside: &str) -> String {
    format!(
        "<h:RequestSOAPHeader xmlns:h=\"http://www.huawei.com/schema/osg/common/v2_1\">
<h:spId>100001</h:spId>{inside}</h:RequestSOAPHeader>"
    )
}

/// Its name, the message, and the line that is named.
#[expect(clippy::too_many_lines, reason = "a table")]
fn table() -> Vec<(&'static str, String, usize)> {
    let c2b =
        "<c:C2BPaymentValidationRequest xmlns:c=\"http://cps.huawei.com/cpsinterface/c2bpayment\">
<TransactionType>Pay Bill</TransactionType><TransID>SAB1EXAMPLE</TransID>
<TransTime>20240102030405</TransTime><TransAmount>10.00</TransAmount>
<BusinessShortCode>600999</BusinessShortCode><MSISDN>254722000111</MSISDN>
</c:C2BPaymentValidationRequest>";
    let success = format!("<result xmlns=\"{RST}\">\n<ResultCode>0</ResultCode></result>");
    let answer = format!("<response xmlns=\"{RES}\"><ResponseCode>0</ResponseCode></response>");
    let escaped = success.replace('<', "&lt;").replace('>', "&gt;");
    vec![
        (
            "inner-root",
            result(
                &success.replace("result xmlns", "Result xmlns").replace("</result", "</Result"),
            ),
            3,
        ),
        ("inner-namespace", result("<result>\n<ResultCode>0</ResultCode></result>"), 3),
        (
            "inner-nested",
            envelope(&format!("<r:ResultMsg xmlns:r=\"{RST}\">\n{success}</r:ResultMsg>")),
            3,
        ),
        ("inner-escaped-twice", result(&format!("\n{escaped}")), 4),
        (
            "inner-prolog",
            result(&format!("<?xml version=''1.0'' encoding=''UTF-8''?>\n{success}")),
            3,
        ),
        ("blank-before-prolog", result(&format!("\n<?xml version=\"1.0\"?>\n{success}")), 4),
        ("blank-before-prolog", format!("\n\n<?xml version=\"1.0\"?>\n{}", result(&success)), 3),
        ("backslash-quotes", result(&success.replace('"', "\\\"")), 3),
        ("bare-ampersand", result_with("<ResultDesc>A|KES|1&B|KES|2</ResultDesc>"), 5),
        (
            "pair-namespace",
            parameters(&format!(
                "<ResultParameter><Key xmlns=\"{REQ}\">A</Key>\n<Value>1</Value></ResultParameter>"
            )),
            6,
        ),
        (
            "nil-value",
            parameters(&format!(
                "<ResultParameter><Key>A</Key>\n<Value xmlns:i=\"{XSI}\" i:nil=\"true\"/></ResultParameter>"
            )),
            7,
        ),
        ("parameter-name", parameters("<Parameter><Key>A</Key><Value>1</Value></Parameter>"), 6),
        (
            "parameter-nested",
            parameters(
                "<ResultParameter>\n<ResultParameter><Key>A</Key><Value>1</Value></ResultParameter></ResultParameter>",
            ),
            6,
        ),
        ("id-spelling", result_with("\n<ConversationId>AG_1</ConversationId>"), 6),
        ("value-missing", parameters("<ResultParameter>\n<Key>A</Key></ResultParameter>"), 6),
        (
            "value-elements",
            parameters("<ResultParameter><Key>A</Key>\n<Value><Record/></Value></ResultParameter>"),
            7,
        ),
        (
            "order",
            result_with("<ConversationID>AG_1</ConversationID>\n<ResultDesc>done</ResultDesc>"),
            6,
        ),
        (
            "result-type-word",
            result(&format!(
                "<result xmlns=\"{RST}\">\n<ResultType>Completed</ResultType><ResultCode>0</ResultCode></result>"
            )),
            4,
        ),
        ("transaction-type", envelope(c2b), 4),
        (
            "result-namespace",
            envelope(&format!(
                "<r:ResultMsg xmlns:r=\"http://cps.huawei.com/cpsinterface/result\"><![CDATA[{success}]]></r:ResultMsg>"
            )),
            3,
        ),
        (
            "answer-namespace",
            envelope(&format!(
                "<r:ResponseMsg xmlns:r=\"{RST}\"><![CDATA[{answer}]]></r:ResponseMsg>"
            )),
            3,
        ),
        (
            "header-phones",
            request(&header("\n<h:OA>254722000111</h:OA>"), "BusinessPayment", NOW, ""),
            4,
        ),
        (
            "order",
            request(
                &header(
                    "\n<h:timeStamp>20240102030405</h:timeStamp>\n<h:serviceId>1</h:serviceId>",
                ),
                "BusinessPayment",
                NOW,
                "",
            ),
            5,
        ),
        (
            "requester",
            request(
                "",
                "BusinessPayBill",
                NOW,
                "<Requester><IdentifierType>1</IdentifierType><Identifier>254722000111</Identifier></Requester>",
            ),
            10,
        ),
        ("register-without-time", request("", "RegisterURL", "", ""), 4),
    ]
}

#[test]
fn every_known_deviation_is_accepted_and_named() {
    let schemas = Schemas::bundled().expect("our own schemas");
    let mut seen = Vec::new();
    for (name, message, line) in table() {
        let checked = schemas.check(message.as_bytes());
        let found: Vec<_> = checked
            .findings
            .iter()
            .map(|one| (one.deviation.map(|known| known.name), one.line))
            .collect();
        assert_eq!(found, [(Some(name), line)], "{message}\n{checked:#?}");
        assert_eq!(checked.verdict, Verdict::Deviates, "{name}: {checked:?}");
        seen.push(name);
    }
    let untold: Vec<_> = ALL.iter().filter(|known| !seen.contains(&known.name)).collect();
    assert!(untold.is_empty(), "no message shows {untold:?}");
}

#[test]
fn deviations_add_up_and_hide_no_fault() {
    let schemas = Schemas::bundled().expect("our own schemas");
    // A result of the older core, as spec/soap.md §5.1 tells of it.
    let old = result(&format!(
        "<Result xmlns=\"{RST}\">\n<ResultType>Completed</ResultType><ResultCode>0</ResultCode>\n\
         <ConversationId>AG_1</ConversationId>\n<ResultParameters>\n\
         <Parameter><Key xmlns=\"{REQ}\">Amount</Key><Value xmlns=\"{REQ}\">Ksh200.00</Value></Parameter>\n\
         </ResultParameters>\n</Result>"
    ));
    let checked = schemas.check(old.as_bytes());
    assert_eq!(checked.verdict, Verdict::Deviates, "{checked:#?}");
    let names: Vec<_> =
        checked.findings.iter().filter_map(|one| one.deviation).map(|d| d.name).collect();
    let wanted = [
        "inner-root",
        "result-type-word",
        "id-spelling",
        "parameter-name",
        "pair-namespace",
        "pair-namespace",
    ];
    assert_eq!(names, wanted);
    let spoilt = old.replace("<ConversationId>AG_1</ConversationId>", "<Stranger/>");
    let checked = schemas.check(spoilt.as_bytes());
    assert_eq!(checked.verdict, Verdict::NotToSchema, "{checked:#?}");
    let strange: Vec<_> = checked.findings.iter().filter(|one| one.deviation.is_none()).collect();
    assert_eq!(strange.len(), 1, "{strange:?}");
    assert_eq!((strange[0].line, strange[0].element.as_str()), (5, "result/Stranger"));
}

#[test]
fn what_is_only_written_otherwise_is_to_the_schema() {
    let schemas = Schemas::bundled().expect("our own schemas");
    let success = format!("<result xmlns=\"{RST}\">\n<ResultCode>0</ResultCode></result>");
    let escaped = success.replace('<', "&lt;").replace('>', "&gt;");
    let messages = [
        result(&success),
        result(&format!("<?xml version='1.0' encoding='utf-8'?>{success}")),
        envelope(&format!("<ResultMsg xmlns=\"{RST}\">\n{escaped}\n</ResultMsg>")),
        envelope(&format!("<ResultMsg xmlns=\"{RST}\">\n<![CDATA[{success}]]>\n</ResultMsg>")),
        format!("\u{FEFF}{}", result(&success)),
        success,
    ];
    for message in messages {
        let checked = schemas.check(message.as_bytes());
        assert_eq!(checked.verdict, Verdict::ToSchema, "{message}\n{checked:?}");
        assert!(checked.findings.is_empty());
    }
}
