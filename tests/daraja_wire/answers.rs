//! Answers, and whatever comes in their place: each shape and each row of spec/daraja.md §1, §3.2
//! with the code that is made of it.

use mlango::daraja::answer::{self, read_stk_query};
use mlango::daraja::error::{self, is_token_refusal};
use mlango::daraja::{Api, B2cVersion};
use mlango::domain::id::{CheckoutRequestId, MerchantRequestId};
use mlango::domain::inquiry::{C2bVersion, Picture};
use mlango::domain::outcome::{AnswerClass, StkClass};

const B2C: Api = Api::B2c(B2cVersion::V3);
const B2C_V1: Api = Api::B2c(B2cVersion::V1);
const REGISTER: Api = Api::C2bRegister(C2bVersion::V2);
const WAF: &str = "<html>Request unsuccessful. Incapsula incident ID: 1-2</html>";

fn envelope(code: &str, message: &str) -> String {
    format!(r#"{{"requestId":"3f1c-4a7e","errorCode":"{code}","errorMessage":"{message}"}}"#)
}

fn apigee(says: &str, code: &str) -> String {
    format!(r#"{{"fault":{{"faultstring":"{says}","detail":{{"errorcode":"{code}"}}}}}}"#)
}

#[test]
fn a_request_that_was_taken_says_so_with_its_names() {
    let body = r#"{"ConversationID":"AG_20261003_2010a1b2c3d4e5f60718",
        "OriginatorConversationID":"600999_ExampleOrg_0001","ResponseCode":"0",
        "ResponseDescription":"Accept the service request successfully."}"#;
    let taken = answer::read(B2C, 200, body.as_bytes());
    assert_eq!(taken.facts.class(), AnswerClass::Taken);
    assert_eq!(taken.originator.as_deref(), Some("600999_ExampleOrg_0001"));
    let conversation = taken.facts.conversation.expect("a conversation");
    assert_eq!(conversation.as_str(), "AG_20261003_2010a1b2c3d4e5f60718");
    let body = r#"{"MerchantRequestID":"91ab-4c1d","CheckoutRequestID":"ws_CO_03102026141530123700000001",
        "ResponseCode":0,"ResponseDescription":"Success. Request accepted for processing",
        "CustomerMessage":"Success. Request accepted for processing"}"#;
    let prompted = answer::read(Api::StkPush, 200, body.as_bytes());
    assert_eq!(prompted.facts.class(), AnswerClass::Taken);
    let names = (prompted.merchant.clone(), prompted.checkout.clone());
    let checkout = CheckoutRequestId::new("ws_CO_03102026141530123700000001");
    assert_eq!(names, (MerchantRequestId::new("91ab-4c1d"), checkout));
    assert!(!format!("{prompted:?}").contains("700000001"), "a checkout id contains a phone");
    let body = r#"{"OriginatorCoversationID":"7a10-1","ConversationID":"","ResponseCode":"0",
        "ResponseDescription":"success"}"#;
    let registered = answer::read(REGISTER, 200, body.as_bytes());
    assert_eq!(registered.facts.class(), AnswerClass::Taken);
    assert_eq!(registered.originator.as_deref(), Some("7a10-1"), "as it is misspelt");
    let names = registered.of_inquiry().names;
    assert_eq!(names.any().map(ToString::to_string).as_deref(), Some("7a10-1"));
    let body = r#"{"ResponseRefID":"1","ResponseStatus":"1001","ResponseDescription":"before"}"#;
    let leave = answer::read(Api::PullRegister, 200, body.as_bytes());
    assert_eq!(leave.facts.class(), AnswerClass::Taken);
    let body = r#"{"Response Status":"1000"}"#;
    let leave = answer::read(Api::PullRegister, 200, body.as_bytes());
    assert_eq!(leave.facts.class(), AnswerClass::Taken);
}

#[test]
fn an_answer_that_is_none_is_doubt() {
    let table = [
        (Api::StkPush, 200, r#"{"ResponseCode":"0"}"#, "unreadable"),
        (B2C, 200, r#"{"ResponseCode":"0","ResponseCode":"1"}"#, "unreadable"),
        (B2C, 200, r#"{"ResponseDescription":"ok"}"#, "unreadable"),
        (B2C, 200, "{}", "unreadable"),
        (B2C, 200, "[]", "unreadable"),
        (B2C, 200, "", "empty"),
        (B2C, 200, "<html>", "unreadable"),
        (B2C, 200, "{\"ResponseCode\":", "unreadable"),
        (B2C, 500, r#"{"ResponseCode":"0","ConversationID":"AG_1"}"#, "http.500"),
        (B2C, 500, "", "http.500"),
        (B2C, 502, "<html>Bad Gateway</html>", "http.502"),
        (B2C, 504, "", "http.504"),
        (B2C, 418, "tea", "http.418"),
        (B2C, 200, r#"{"ResponseCode":"77"}"#, "77"),
        (B2C, 200, r#"{"ResponseCode":"0 "}"#, "0"),
    ];
    for (api, status, body, code) in table {
        let answer = answer::read(api, status, body.as_bytes());
        assert_eq!(answer.facts.code, code, "{status} {body}");
        let class = if code == "0" { AnswerClass::Taken } else { AnswerClass::Doubt };
        assert_eq!(answer.facts.class(), class, "{status} {body}");
    }
}

/// Interface, HTTP status and body, and the code that is made of them.
type Row = (Api, u16, String, &'static str);

/// Every row of spec/daraja.md §3.2, as it comes.
fn rows() -> Vec<Row> {
    let mut rows = requests_refused();
    rows.extend(platform_troubles());
    rows
}

fn requests_refused() -> Vec<Row> {
    let e = envelope;
    vec![
        (B2C, 400, e("400.002.02", "Bad Request - Invalid Amount"), "400.002.02"),
        (B2C, 400, e("400.002.02", "Bad Request - Threat Detected"), "400.002.02:threat"),
        (
            Api::StkQuery,
            400,
            e("400.002.02", "Bad Request - Invalid CheckoutRequestID"),
            "400.002.02:checkout",
        ),
        (Api::StkPush, 400, e("400.002.02", "Invalid CheckoutRequestID"), "400.002.02"),
        (B2C, 400, e("400.002.05", "Invalid Request Payload"), "400.002.05"),
        (REGISTER, 400, e("400.003.02", "Bad Request"), "400.003.02"),
        (Api::PullQuery, 400, e("400.001", "invalid shortcode"), "400.001"),
        (B2C, 404, e("404.001.01", "Resource not found"), "404.001.01"),
        (B2C, 404, e("404.001.04", "Invalid Authentication Header"), "404.001.04"),
        (B2C, 405, e("405.001", "Method Not Allowed"), "405.001"),
        (B2C, 403, e("403.002.1001", "You are not authorized"), "403.002.1001"),
        (Api::StkPush, 500, e("500.001.1001", "Merchant does not exist"), "500.001.1001:merchant"),
        (
            Api::StkPush,
            500,
            e("500.001.1001", "[MerchantValidate] - Wrong credentials"),
            "500.001.1001:credentials",
        ),
        (
            Api::StkPush,
            500,
            e("500.001.1001", "Unable to lock subscriber, a transaction is already in process"),
            "500.001.1001:locked",
        ),
        (Api::StkPush, 500, e("500.001.1001", "Internal Server Error"), "500.001.1001"),
        (
            Api::StkQuery,
            500,
            e("500.001.1001", "The transaction is being processed"),
            "500.001.1001:processing",
        ),
        (
            Api::StkQuery,
            500,
            e("500.001.1001", "The transaction does not Exist"),
            "500.001.1001:no_transaction",
        ),
        (Api::StkQuery, 500, e("500.001.1001", ""), "500.001.1001"),
        (Api::StkQuery, 500, e("500.001.1001", "Unable to lock subscriber"), "500.001.1001"),
    ]
}

fn platform_troubles() -> Vec<Row> {
    let e = envelope;
    vec![
        (
            B2C,
            500,
            e("500.002.1001", "Duplicate OriginatorConversationID."),
            "500.002.1001:duplicate",
        ),
        (B2C, 500, e("500.002.1001", "System internal error."), "500.002.1001:internal"),
        (B2C, 500, e("500.002.1001", "another word"), "500.002.1001"),
        (
            B2C,
            500,
            e("500.003.02", "Error Occurred: Spike Arrest Violation"),
            "500.003.02:spike_arrest",
        ),
        (
            B2C,
            500,
            e("500.003.02", "System is busy. Please try again in few minutes."),
            "500.003.02:busy",
        ),
        (B2C_V1, 500, e("500.003.02", "System is busy. Please try again."), "500.003.02"),
        (Api::StkPush, 500, e("500.003.02", "System is busy. Please try again."), "500.003.02"),
        (Api::B2b, 500, e("500.003.02", "System is busy. Please try again."), "500.003.02"),
        (B2C, 500, e("500.003.03", "Quota Violation"), "500.003.03"),
        (B2C, 500, e("500.003.1001", "Internal Server Error"), "500.003.1001"),
        (
            REGISTER,
            500,
            e("500.003.1001", "Urls are already registered."),
            "500.003.1001:registered",
        ),
        (
            REGISTER,
            500,
            e("500.003.1001", "Duplicate notification info, SP ID is 1"),
            "500.003.1001:elsewhere",
        ),
        (B2C, 503, e("00.002.1001", "Service is currently under maintenance"), "00.002.1001"),
    ]
}

/// The shapes of what stands before M-Pesa.
fn fronts() -> Vec<Row> {
    let spike = "Spike arrest violation. Allowed rate : MessageRate{messagesPerPeriod=5}";
    let soap = r#"{"Envelope":{"Body":{"Fault":{"faultcode":"f","faultstring":"SAYS"}}}}"#;
    let no_product = "Invalid API call as no apiproduct match found";
    vec![
        (
            Api::StkQuery,
            429,
            apigee(spike, "policies.ratelimit.SpikeArrestViolation"),
            "http.429.spike_arrest",
        ),
        (
            B2C,
            429,
            apigee("Rate limit quota violation", "policies.ratelimit.QuotaViolation"),
            "http.429.quota",
        ),
        (B2C, 429, String::new(), "http.429"),
        (B2C, 401, apigee(no_product, "oauth.v2.Invalid"), "http.401.no_product"),
        (B2C, 401, no_product.to_owned(), "http.401.no_product"),
        (
            B2C,
            401,
            apigee("Access Token expired", "keymanagement.service.access_token_expired"),
            "http.401.token",
        ),
        (
            B2C,
            404,
            apigee("Unable to identify proxy for host", "flow.ApplicationNotFound"),
            "http.404.no_proxy",
        ),
        (B2C, 503, apigee("The Service is temporarily unavailable", "x"), "http.503"),
        (B2C, 500, apigee("anything", "x"), "http.500"),
        (B2C, 200, apigee("anything", "x"), "unreadable"),
        (B2C, 503, WAF.to_owned(), "http.503.firewall"),
        (B2C, 403, WAF.to_owned(), "http.403.firewall"),
        (
            REGISTER,
            500,
            soap.replace("SAYS", "… ResponseCode 409 is treated as error"),
            "soap_fault:409",
        ),
        (B2C, 500, soap.replace("SAYS", "server"), "soap_fault"),
        (B2C, 200, soap.replace("SAYS", "server"), "soap_fault"),
    ]
}

#[test]
fn each_error_gets_its_code_from_code_and_text() {
    for (api, status, body, code) in rows().into_iter().chain(fronts()) {
        let problem = error::read(api, status, body.as_bytes());
        assert_eq!(problem.code, code, "{body}");
        let answer = answer::read(api, status, body.as_bytes());
        assert_eq!(answer.facts.code, code, "{body}");
        assert_ne!(answer.facts.class(), AnswerClass::Taken, "{body}");
        assert!(!is_token_refusal(api, status, body.as_bytes()) || status == 401, "{body}");
        // The same envelope with HTTP 200, as it was seen, means the same.
        if body.contains("errorCode") {
            assert_eq!(error::read(api, 200, body.as_bytes()).code, code, "{body}");
        }
    }
}

#[test]
fn every_spelling_of_a_refused_token_is_known_and_none_is_repeated() {
    let token = "Zq8vPlaceholderToken0000Abcd";
    let echoed = format!("Error Occurred - Invalid Access Token - {token}");
    let table = [
        (REGISTER, 400, "400.003.01", "Invalid Access Token"),
        (B2C, 401, "401.002.01", echoed.as_str()),
        (Api::AccountBalance, 401, "401.003.01", "Invalid Access Token"),
        (Api::StkPush, 404, "404.001.03", "Invalid Access Token"),
        (Api::PullQuery, 401, "401.001", "Invalid token"),
    ];
    for (api, status, code, message) in table {
        let body = envelope(code, message);
        assert!(is_token_refusal(api, status, body.as_bytes()), "{code}");
        let answer = answer::read(api, status, body.as_bytes());
        assert_eq!(answer.facts.class(), AnswerClass::TryLater, "{code}");
        assert!(!answer.facts.description.contains(token), "{}", answer.facts.description);
    }
    assert!(is_token_refusal(B2C, 401, apigee("no apiproduct match found", "x").as_bytes()));
    for (status, body) in [
        (200, r#"{"ResponseCode":"0"}"#.to_owned()),
        (500, envelope("500.001.1001", "Invalid Access Token")),
        (401, String::new()),
        (404, envelope("404.001.04", "Invalid Authentication Header")),
    ] {
        assert!(!is_token_refusal(B2C, status, body.as_bytes()), "{body}");
    }
}

#[test]
fn a_query_settles_only_by_a_code_that_is_known() {
    let answered = |result: &str| {
        format!(
            r#"{{"ResponseCode":"0","ResponseDescription":"accepted","MerchantRequestID":"91ab",
            "CheckoutRequestID":"ws_CO_1","ResultCode":{result},"ResultDesc":"words"}}"#
        )
    };
    let processing = envelope("500.001.1001", "The transaction is being processed");
    let unknown = envelope("500.001.1001", "The transaction does not Exist");
    let early = envelope("400.002.02", "Bad Request - Invalid CheckoutRequestID");
    let spike = apigee("Spike arrest violation.", "policies.ratelimit.SpikeArrestViolation");
    let other = r#"{"ResponseCode":"1","ResultCode":"0"}"#.to_owned();
    let twice = answered("\"0\",\"ResultCode\":\"1\"");
    // status, body; the code about the question, the code about the prompt, what follows.
    let table = [
        (200, answered("\"0\""), "0", Some("0"), StkClass::Paid),
        (200, answered("0"), "0", Some("0"), StkClass::Paid),
        (200, answered("\"1032\""), "0", Some("1032"), StkClass::Failed),
        (200, answered("\"1037\""), "0", Some("1037"), StkClass::Failed),
        (200, answered("\"4999\""), "0", Some("4999"), StkClass::StillOpen),
        (200, answered("\"77\""), "0", Some("77"), StkClass::Unknown),
        (200, answered("\"\""), "unreadable", None, StkClass::Unknown),
        (200, answered("null"), "unreadable", None, StkClass::Unknown),
        (200, twice, "unreadable", None, StkClass::Unknown),
        (500, answered("\"0\""), "http.500", None, StkClass::Unknown),
        (200, other, "1", None, StkClass::Unknown),
        (200, processing.clone(), "500.001.1001:processing", None, StkClass::Unknown),
        (500, processing, "500.001.1001:processing", None, StkClass::Unknown),
        (500, unknown, "500.001.1001:no_transaction", None, StkClass::Unknown),
        (400, early, "400.002.02:checkout", None, StkClass::Unknown),
        (429, spike, "http.429.spike_arrest", None, StkClass::Unknown),
        (200, String::new(), "empty", None, StkClass::Unknown),
        (503, WAF.to_owned(), "http.503.firewall", None, StkClass::Unknown),
    ];
    for (status, body, code, result, class) in table {
        let told = read_stk_query(status, body.as_bytes());
        assert_eq!((told.code.as_str(), told.result.as_deref()), (code, result), "{body}");
        assert_eq!(told.class(), class, "{body}");
        if result.is_some() {
            assert_eq!(told.checkout, CheckoutRequestId::new("ws_CO_1"));
            assert_eq!(told.description, "words");
        }
    }
}

#[test]
fn a_qr_code_is_its_picture_whatever_the_code_says() {
    for code in ["00", "AG_20261003_2010a1b2c3d4e5f60718"] {
        let body = format!(
            r#"{{"ResponseCode":"{code}","RequestID":"1","ResponseDescription":"QR Code Successfully
            Generated.","QRCode":"iVBORw0KGgo="}}"#
        )
        .replace('\n', " ");
        let told = answer::read(Api::Qr, 200, body.as_bytes()).of_inquiry();
        assert_eq!(told.class(), AnswerClass::Taken, "{code}");
        assert_eq!(told.picture, Picture::new("iVBORw0KGgo="), "{code}");
    }
    for (status, body, code) in [
        (200, r#"{"ResponseCode":"00"}"#.to_owned(), "unreadable"),
        (200, r#"{"QRCode":"<script>"}"#.to_owned(), "unreadable"),
        (200, r#"{"QRCode":""}"#.to_owned(), "unreadable"),
        (200, r#"{"QRCode":"iVBO","QRCode":"iVBA"}"#.to_owned(), "unreadable"),
        (500, r#"{"QRCode":"iVBORw0KGgo="}"#.to_owned(), "http.500"),
        (404, envelope("404.001.03", "Invalid Access Token"), "404.001.03"),
    ] {
        let told = answer::read(Api::Qr, status, body.as_bytes());
        assert_eq!((told.facts.code.as_str(), told.picture), (code, None));
    }
}
