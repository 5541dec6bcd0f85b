//! What holds for any bytes, and for every order of the same items.

use mlango::daraja::redact::{description, redact, redact_with};
use mlango::daraja::request::{Addresses, B2c, Caller, password};
use mlango::daraja::{Api, B2cVersion, answer, c2b, error, oauth, pull, result, stk, timeout};
use mlango::domain::money::Amount;
use mlango::domain::outcome::AnswerClass;
use mlango::domain::payment::PayerPhone;
use mlango::domain::payout::Command;
use mlango::soap::c2b as soap;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::sample;

const SAMPLES: [&str; 14] = [
    "stk-paid",
    "stk-cancelled",
    "c2b-validation",
    "c2b-confirmation-v1",
    "c2b-confirmation-v2",
    "result-b2c",
    "result-b2c-failed",
    "result-b2b",
    "result-status",
    "result-balance",
    "result-reversal",
    "pull-page",
    "timeout-request",
    "request-stk-push",
];

/// Reads bytes with everything that reads bytes.
fn read_all(status: u16, bytes: &[u8]) {
    for api in Api::ALL {
        let answer = answer::read(api, status, bytes);
        if answer.facts.class() == AnswerClass::Taken {
            assert!((200..300).contains(&status), "{bytes:?}");
        }
        let _problem = error::read(api, status, bytes);
        let _refused = error::is_token_refusal(api, status, bytes);
    }
    drop(answer::read_stk_query(status, bytes));
    drop(oauth::read(status, bytes));
    drop(pull::read(status, bytes, "600999"));
    drop(stk::parse(bytes));
    drop(c2b::parse(bytes));
    drop(result::parse(bytes));
    drop(timeout::parse(bytes));
    drop(soap::parse(bytes));
    let once = redact(bytes);
    assert_eq!(redact(&once), once, "masking is not finished");
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(status in 100_u16..600, bytes in any::<Vec<u8>>()) {
        read_all(status, &bytes);
    }

    #[test]
    fn no_broken_message_is_too_much(
        name in select(&SAMPLES[..]),
        status in select(&[200_u16, 400, 401, 429, 500, 503][..]),
        cuts in prop::collection::vec((any::<Index>(), any::<u8>()), 0..4),
        end in any::<Index>(),
    ) {
        let mut bytes = sample(name).into_bytes();
        for (at, byte) in cuts {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(end.index(bytes.len()) + 1);
        read_all(status, &bytes);
    }

    #[test]
    fn json_of_any_shape_is_read(text in json_text()) {
        read_all(200, text.as_bytes());
    }

    #[test]
    fn shuffled_items_say_the_same(items in Just(vec![
            r#"{"Name":"Amount","Value":25.00}"#,
            r#"{"Name":"MpesaReceiptNumber","Value":"UJ34AA00ZZ"}"#,
            r#"{"Name":"Balance"}"#,
            r#"{"Name":"TransactionDate","Value":20261003141555}"#,
            r#"{"Name":"PhoneNumber","Value":254700000001}"#,
            r#"{"Value":"nameless"}"#,
            r#"{"Name":"New","Value":{"a":[1]}}"#,
            "{}",
            "null",
            "7",
            r#"{"Name":"Amount"}"#,
            r#"{"Name":"Amount","Value":null}"#,
    ]).prop_shuffle()) {
        let body = format!(
            r#"{{"Body":{{"stkCallback":{{"CallbackMetadata":{{"Item":[{}]}},"ResultCode":0,
            "CheckoutRequestID":"ws_CO_03102026141530123700000001",
            "MerchantRequestID":"91ab-4c1d-8e55-0f00aa11bb22334455",
            "ResultDesc":"The service request is processed successfully."}}}}}}"#,
            items.join(",")
        );
        let shuffled = stk::parse(body.as_bytes()).expect("a callback");
        prop_assert_eq!(shuffled, stk::parse(sample("stk-paid").as_bytes()).expect("a callback"));
    }

    #[test]
    fn amounts_are_exact_as_numbers_and_as_texts(cents in 0_u64..100_000_000_000) {
        let amount = Amount::from_cents(cents);
        for value in [amount.to_string(), format!("\"{amount}\""), format!("\"KES {amount}\"")] {
            let body = format!(
                r#"{{"Result":{{"ResultCode":0,"ResultParameters":{{"ResultParameter":
                {{"Key":"TransactionAmount","Value":{value}}}}}}}}}"#
            );
            let told = result::parse(body.as_bytes()).expect("a result");
            prop_assert_eq!(told.facts.amount, Some(amount), "{}", value);
        }
    }

    #[test]
    fn a_phone_fits_every_mask_of_itself(
        subscriber in 0_u64..100_000_000,
        head in 0..6_usize,
        tail in 0..6_usize,
    ) {
        let digits = format!("2547{subscriber:08}");
        let hidden = "*".repeat(12 - head - tail);
        let (shown_head, rest) = digits.split_at(head);
        let (_, shown_tail) = rest.split_at(12 - head - tail);
        let masked = format!("{shown_head}{hidden}{shown_tail}");
        let phone = digits.parse().expect("a phone");
        let read = PayerPhone::read(&masked);
        prop_assert!(read.fits(phone), "{}", masked);
        let shown = format!("{read:?}");
        prop_assert!(!shown.contains(digits.split_at(4).1));
    }

    #[test]
    fn no_secret_is_kept_whatever_it_is(
        credential in "[A-Za-z0-9+/]{24,60}={0,2}",
        token in "[0-9a-f]{16,40}",
        remarks in "[ -~]{2,40}",
    ) {
        let caller = Caller {
            shortcode: "600999".to_owned(),
            initiator: "example-operator".to_owned(),
            security_credential: credential.clone(),
        };
        let url = format!("https://gw.example.org/cb/{token}/result/0a");
        let request = B2c {
            version: B2cVersion::V3,
            caller: &caller,
            addresses: Addresses { result: &url, queue_timeout: &url },
            originator_conversation_id: "600999_ExampleOrg_0001",
            command: Command::BusinessPayment,
            amount: Amount::from_shillings(10),
            phone: "0722000111".parse().expect("a phone"),
            remarks: &remarks,
            occasion: "",
        };
        let rendered = request.render();
        let gone = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            !text.contains(&credential) && !text.contains(&token)
        };
        prop_assert!(gone(&rendered.kept));
        prop_assert!(serde_json::from_slice::<serde_json::Value>(&rendered.wire).is_ok());
        // M-Pesa posts it back, whole or cut, as JSON or in a page.
        prop_assert!(gone(&redact(&rendered.wire)));
        let page = [b"<pre>", rendered.wire.as_slice(), b"</pre>"].concat();
        prop_assert!(gone(&redact_with(&page, &[credential.as_str()])));
        let quoted = serde_json::to_string(&String::from_utf8_lossy(&rendered.wire)).expect("JSON");
        prop_assert!(gone(&redact(quoted.as_bytes())));
        let password = password("600999", &credential, "20240102060405");
        let body = format!(r#"{{"Password":"{password}"}}"#);
        prop_assert!(!String::from_utf8_lossy(&redact(body.as_bytes())).contains(&password));
    }

    #[test]
    fn a_token_that_is_repeated_is_never_described(token in "[A-Za-z0-9]{20,64}") {
        let body = format!(
            r#"{{"requestId":"1","errorCode":"401.002.01",
            "errorMessage":"Error Occurred - Invalid Access Token - {token}"}}"#
        );
        let problem = error::read(Api::AccountBalance, 401, body.as_bytes());
        prop_assert!(!problem.description.contains(&token), "{}", problem.description);
        prop_assert!(!String::from_utf8_lossy(&redact(body.as_bytes())).contains(&token));
        let described = description(&format!("Bearer {token}"));
        prop_assert!(!described.contains(&token));
    }
}

/// Names of the wire.
const NAMES: [&str; 21] = [
    "Body",
    "stkCallback",
    "ResultCode",
    "CallbackMetadata",
    "Item",
    "Name",
    "Value",
    "Key",
    "Amount",
    "Result",
    "ResultParameters",
    "ResultParameter",
    "TransactionID",
    "errorCode",
    "fault",
    "Envelope",
    "ResponseCode",
    "Response",
    "TransID",
    "TransAmount",
    "Password",
];

/// JSON with the names of the wire in places of all kinds.
fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
        "-?[0-9]{1,20}\\.[0-9]{1,20}(e[0-9]{1,3})?",
        "[ -~]{0,12}".prop_map(|text| serde_json::to_string(&text).expect("JSON")),
        Just("\"0\"".to_owned()),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let member = (select(&NAMES[..]), inner.clone())
            .prop_map(|(name, value)| format!("\"{name}\":{value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(member, 0..6)
                .prop_map(|items| format!("{{{}}}", items.join(","))),
        ]
    })
}
