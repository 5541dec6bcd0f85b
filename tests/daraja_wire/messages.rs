//! Callbacks, results, pulled payments and queue timeouts, with every irregularity that
//! spec/daraja.md §1.13, §2.1, §2.3 and §2.4 know.

use mlango::daraja::redact::{redact, redact_with};
use mlango::daraja::result::{self, is_generic};
use mlango::daraja::{Unreadable, pull, stk, timeout};
use mlango::domain::account::Balance;
use mlango::domain::id::{CheckoutRequestId, Receipt};
use mlango::domain::money::Amount;
use mlango::domain::outcome::{ResultClass, StkClass};
use mlango::domain::party::{Msisdn, PersonName};
use mlango::domain::payment::{NoticeKind, PayerPhone};
use mlango::domain::payout::TransactionStatus;
use mlango::domain::time::Timestamp;

use super::sample;

/// 3 October 2026, 14:15:55 in East Africa.
fn then() -> Timestamp {
    Timestamp::parse_rfc3339("2026-10-03T11:15:55Z").expect("a time")
}

fn amina() -> Msisdn {
    "254700000001".parse().expect("a phone")
}

#[test]
fn a_paid_prompt_says_how_much_when_and_by_whom() {
    let stk::StkCallback { facts: paid, phone } =
        stk::parse(sample("stk-paid").as_bytes()).expect("a callback");
    assert_eq!((paid.code.as_str(), paid.class()), ("0", StkClass::Paid));
    assert_eq!(paid.amount, Some(Amount::from_shillings(25)));
    assert_eq!(paid.receipt, Receipt::new("UJ34AA00ZZ"));
    assert_eq!(paid.paid_at, Some(then()));
    assert_eq!(phone, PayerPhone::Whole(amina()));
    assert_eq!((paid.balance, paid.odd.as_deref()), (None, None));
    assert_eq!(paid.checkout, CheckoutRequestId::new("ws_CO_03102026141530123700000001"));
    let shown = format!("{paid:?} {phone:?}");
    assert!(!shown.contains("700000001"), "{shown}");
    let cancelled = stk::parse(sample("stk-cancelled").as_bytes()).expect("a callback").facts;
    assert_eq!((cancelled.code.as_str(), cancelled.class()), ("1032", StkClass::Failed));
    assert_eq!((cancelled.amount, cancelled.receipt), (None, None));
}

fn callback(code: &str, items: &str) -> String {
    format!(
        r#"{{"Body":{{"stkCallback":{{"MerchantRequestID":"M","CheckoutRequestID":"C",
        "ResultCode":{code},"ResultDesc":"words","CallbackMetadata":{{"Item":{items}}}}}}}}}"#
    )
}

#[test]
fn items_may_come_in_any_order_and_form() {
    let items = [
        r#"{"Name":"Amount","Value":"25.00"}"#,
        r#"{"Name":"MpesaReceiptNumber","Value":"UJ34AA00ZZ"}"#,
        r#"{"Name":"Balance","Value":"{Amount={CurrencyCode=KES, BasicAmount=6186.83}}"}"#,
        r#"{"Name":"TransactionDate","Value":"20261003141555"}"#,
        r#"{"Name":"PhoneNumber","Value":"2547 ***** 001"}"#,
    ];
    for turn in 0..items.len() {
        let mut items = items;
        items.rotate_left(turn);
        let body = callback("\"0\"", &format!("[{}]", items.join(",")));
        let stk::StkCallback { facts: paid, phone } =
            stk::parse(body.as_bytes()).expect("a callback");
        assert_eq!(paid.class(), StkClass::Paid);
        assert_eq!(paid.amount, Some(Amount::from_shillings(25)));
        assert_eq!(paid.paid_at, Some(then()));
        assert_eq!(phone, PayerPhone::Masked("2547*****001".to_owned()));
        assert!(phone.fits(amina()));
        assert_eq!(paid.balance, Some(Balance::from_cents(618_683)));
        assert_eq!(paid.odd, None);
    }
}

#[test]
fn what_is_missing_is_missing_and_what_disagrees_is_odd() {
    let receipt = r#"{"Name":"MpesaReceiptNumber","Value":"UJ34AA00ZZ"}"#;
    let table = [
        ("0", "[]".to_owned(), None, false),
        ("0", "null".to_owned(), None, false),
        ("0", format!("[{receipt}]"), None, false),
        ("0", receipt.to_owned(), None, false),
        ("0", r#"[{"Name":"Amount"},{"Name":"PhoneNumber"}]"#.to_owned(), None, false),
        ("0", r#"[{"Name":"Amount","Value":1500}]"#.to_owned(), Some("1500"), false),
        ("0", r#"[{"Name":"Amount","Value":10.5}]"#.to_owned(), Some("10.50"), false),
        ("0", r#"[{"Name":"Amount","Value":"much"}]"#.to_owned(), None, true),
        ("0", r#"[{"Name":"Amount","Value":-5}]"#.to_owned(), None, true),
        (
            "0",
            r#"[{"Name":"Amount","Value":5},{"Name":"Amount","Value":6}]"#.to_owned(),
            Some("5"),
            true,
        ),
        (
            "0",
            r#"[{"Name":"Amount","Value":5},{"Name":"amount","Value":"5.00"}]"#.to_owned(),
            Some("5"),
            false,
        ),
        (
            "0",
            format!(r#"[{receipt},{{"Name":"MpesaReceiptNumber","Value":"UJ34AA00ZY"}}]"#),
            None,
            true,
        ),
        ("1032", format!("[{receipt}]"), None, true),
        ("77", format!("[{receipt}]"), None, false),
    ];
    for (code, items, amount, is_odd) in table {
        let body = callback(code, &items);
        let told = stk::parse(body.as_bytes()).expect(&body).facts;
        assert_eq!(told.amount, amount.map(|text| text.parse().expect(text)), "{body}");
        assert_eq!(told.odd.is_some(), is_odd, "{body}: {:?}", told.odd);
    }
}

#[test]
fn a_callback_without_a_word_is_none() {
    let missing = |what| Err(Unreadable::Missing(what));
    let table = [
        (r#"{"Body":{}}"#, missing("stkCallback")),
        (r#"{"Result":{"ResultCode":0}}"#, missing("stkCallback")),
        (r#"{"Body":{"stkCallback":{"CheckoutRequestID":"C"}}}"#, missing("ResultCode")),
        (r#"{"Body":{"stkCallback":{"ResultCode":null}}}"#, missing("ResultCode")),
        (
            r#"{"Body":{"stkCallback":{"ResultCode":0,"ResultCode":1}}}"#,
            Err(Unreadable::Contradiction("ResultCode")),
        ),
        (
            r#"{"Body":{"stkCallback":{"ResultCode":0,"CheckoutRequestID":"a","CheckoutRequestID":"b"}}}"#,
            Err(Unreadable::Contradiction("CheckoutRequestID")),
        ),
        ("", Err(Unreadable::Empty)),
    ];
    for (body, expected) in table {
        assert_eq!(stk::parse(body.as_bytes()).map(|told| told.facts.code), expected, "{body}");
    }
    let bare = stk::parse(br#"{"stkCallback":{"ResultCode":1037}}"#).expect("a callback").facts;
    assert_eq!((bare.code.as_str(), bare.checkout), ("1037", None));
}

#[test]
fn a_payouts_result_says_whom_it_paid() {
    let paid = result::parse(sample("result-b2c").as_bytes()).expect("a result");
    assert_eq!(paid.originator.as_deref(), Some("600999_ExampleOrg_0001"));
    assert_eq!(paid.conversation.as_deref(), Some("AG_20261003_2010a1b2c3d4e5f60718"));
    assert_eq!(paid.facts.class(), ResultClass::Paid);
    assert_eq!(paid.facts.receipt, Receipt::new("UJ35BB11YY"));
    assert_eq!(paid.facts.amount, Some(Amount::from_shillings(1_500)));
    assert_eq!(paid.facts.payee, Some(amina()));
    let name = paid.facts.recipient_name.as_ref().map(PersonName::reveal);
    assert_eq!(name, Some("AMINA OTIENO"));
    assert_eq!(paid.facts.completed_at, Some(then()));
    assert_eq!((paid.facts.waiting, paid.facts.odd.as_deref()), (false, None));
    assert_eq!(paid.status, None);
    assert!(!format!("{paid:?}").contains("AMINA"), "{paid:?}");
    let failed = result::parse(sample("result-b2c-failed").as_bytes()).expect("a result");
    assert_eq!(failed.facts.class(), ResultClass::NotPaid);
    assert_eq!(failed.facts.receipt, None, "a generic TransactionID is no receipt");
    assert_eq!(failed.facts.code, "2001");
}

#[test]
fn a_business_payment_a_balance_and_a_reversal_say_what_they_did() {
    let paid = result::parse(sample("result-b2b").as_bytes()).expect("a result");
    assert_eq!(paid.facts.class(), ResultClass::Paid);
    assert_eq!(paid.facts.amount, Some(Amount::from_shillings(190)));
    assert_eq!(paid.facts.charge, Some(Amount::from_shillings(77)));
    assert_eq!(paid.facts.receipt, Receipt::new("UJ36CC22XX"));
    assert_eq!(paid.facts.payee, None, "a short code is no phone");
    assert_eq!(paid.balance_after(), Some(Balance::from_cents(618_683)));
    assert_eq!(paid.references.len(), 3, "an item without a value is one");
    let balance = result::parse(sample("result-balance").as_bytes()).expect("a result");
    let accounts = balance.accounts();
    assert_eq!(accounts.len(), 5);
    assert_eq!(accounts[2].name, "Utility Account");
    assert_eq!(accounts[2].available, Some(Balance::from_cents(22_803_700)));
    assert_eq!(accounts[3].current, Some(Balance::from_cents(-154_000)));
    assert_eq!(balance.facts.receipt, None);
    let told = balance.of_inquiry();
    assert_eq!(told.balances.map(|balances| balances.accounts.len()), Some(5));
    assert_eq!(told.names.any().map(ToString::to_string), balance.conversation);
    assert_eq!(balance.balances_at(), Some(then().after(std::time::Duration::from_secs(5))));
    let reversed = result::parse(sample("result-reversal").as_bytes()).expect("a result");
    assert_eq!(reversed.reversed(), Receipt::new("UJ34AA00ZZ"));
    assert_eq!(reversed.facts.receipt, Receipt::new("UJ37DD33WW"), "its own");
    assert_eq!(reversed.facts.amount, Some(Amount::from_shillings(25)));
}

#[test]
fn a_status_result_speaks_of_the_payment_on_a_level_of_its_own() {
    let told = result::parse(sample("result-status").as_bytes()).expect("a result");
    let status = told.status.expect("a status");
    assert_eq!(status.status, TransactionStatus::Completed);
    assert_eq!(status.receipt, Receipt::new("UJ35BB11YY"));
    assert_eq!(status.amount, Some(Amount::from_shillings(1_500)));
    assert_eq!(status.payee, Some(amina()));
    assert_eq!(status.originator.as_deref(), Some("600999_ExampleOrg_0001"));
    let conversation = status.conversation.expect("a conversation");
    assert_eq!(conversation.as_str(), "AG_20261003_2010a1b2c3d4e5f60718");
    assert_eq!(told.conversation.as_deref(), Some("AG_20261003_2010a1b2c3d4e5f60720"));
    assert_eq!((status.completed_at, status.odd), (Some(then()), None));
    assert_eq!(told.facts.receipt, None, "the question has no receipt");
    assert_eq!(told.facts.charge, Some(Amount::from_cents(2_240)));
}

/// Code, whether more follows, receipt, amount, whether it is odd.
type Told = (&'static str, bool, Option<&'static str>, Option<&'static str>, bool);

/// The members of a result, and what they tell.
const IRREGULAR: &[(&str, Told)] = &[
    (r#""ResultCode":0"#, ("0", false, None, None, false)),
    (r#""ResultCode":"0","ResultType":"0""#, ("0", false, None, None, false)),
    (r#""ResultCode":"R000002""#, ("R000002", false, None, None, false)),
    (r#""ResultCode":"SFC_IC0003","ResultType":0"#, ("SFC_IC0003", false, None, None, false)),
    (r#""ResultCode":0,"ResultType":1"#, ("0", true, None, None, false)),
    (r#""ResultCode":0,"ResultParameters":null"#, ("0", false, None, None, false)),
    (
        r#""ResultCode":0,"ResultParameters":{"ResultParameter":{"Key":"Amount","Value":7}}"#,
        ("0", false, None, Some("7"), false),
    ),
    (
        r#""ResultCode":0,"ResultParameters":[{"Key":"Amount","Value":"7.00"}]"#,
        ("0", false, None, Some("7"), false),
    ),
    (
        r#""ResultCode":0,"TransactionID":"UJ30000000","ResultParameters":{"ResultParameter":[
            {"Key":"TransactionReceipt","Value":"UJ35BB11YY"}]}"#,
        ("0", false, Some("UJ35BB11YY"), None, false),
    ),
    (
        r#""ResultCode":0,"TransactionID":"UJ35BB11ZZ","ResultParameters":{"ResultParameter":[
            {"Key":"TransactionReceipt","Value":"UJ35BB11YY"}]}"#,
        ("0", false, Some("UJ35BB11ZZ"), None, true),
    ),
    (
        r#""ResultCode":0,"ResultParameters":{"ResultParameter":[{"Key":"TransactionAmount",
            "Value":"x"}]}"#,
        ("0", false, None, None, true),
    ),
    (
        r#""ResultCode":0,"ResultParameters":{"ResultParameter":[{"Key":"TransactionAmount",
            "Value":5},{"Key":"Amount","Value":6}]}"#,
        ("0", false, None, Some("5"), true),
    ),
    (r#""ResultCode":"0 or so""#, ("0_or_so…", false, None, None, false)),
    (r#""ResultCode":1,"TransactionID":"""#, ("1", false, None, None, false)),
];

#[test]
fn results_are_read_in_each_irregular_form() {
    let result = |members: &str| format!(r#"{{"Result":{{{members}}}}}"#);
    for (members, (code, waiting, receipt, amount, is_odd)) in IRREGULAR {
        let told = result::parse(result(members).as_bytes()).expect(members);
        assert_eq!((told.facts.code.as_str(), told.facts.waiting), (*code, *waiting), "{members}");
        assert_eq!(told.facts.receipt, receipt.and_then(Receipt::new), "{members}");
        let amount = amount.map(|text| text.parse().expect(text));
        assert_eq!(told.facts.amount, amount, "{members}");
        assert_eq!(told.facts.odd.is_some(), *is_odd, "{members}: {:?}", told.facts.odd);
    }
}

#[test]
fn a_result_without_a_word_is_none() {
    for (body, error) in [
        ("{}", Unreadable::Missing("Result")),
        (r#"{"Result":{}}"#, Unreadable::Missing("ResultCode")),
        (r#"{"Result":[]}"#, Unreadable::Missing("ResultCode")),
        (
            r#"{"Result":{"ResultCode":0,"ResultCode":"1"}}"#,
            Unreadable::Contradiction("ResultCode"),
        ),
        (
            r#"{"Result":{"ResultCode":0,"ConversationID":"a","ConversationID":"b"}}"#,
            Unreadable::Contradiction("ConversationID"),
        ),
    ] {
        assert_eq!(result::parse(body.as_bytes()).expect_err(body), error, "{body}");
    }
    let long = format!(
        r#"{{"Result":{{"ResultCode":0,"OriginatorConversationID":"{}"}}}}"#,
        "x".repeat(129)
    );
    let told = result::parse(long.as_bytes()).expect("a result");
    assert!(told.originator.is_none() && told.facts.odd.is_some());
}

#[test]
fn a_generic_transaction_id_is_told_from_a_receipt() {
    for id in ["UJ30000000", "QKL0000000"] {
        assert!(is_generic(id), "{id}");
    }
    for id in ["UJ34AA00ZZ", "UJ3000000", "0000000", "UJ300000000", ""] {
        assert!(!is_generic(id), "{id}");
    }
}

#[test]
fn pulled_payments_are_notices() {
    let page = pull::read(200, sample("pull-page").as_bytes(), "600111").expect("a page");
    assert_eq!((page.rows, page.unreadable.len()), (1, 0));
    let payment = &page.payments[0];
    assert_eq!(payment.kind, NoticeKind::PayBill);
    assert_eq!(Some(&payment.receipt), Receipt::new("UJ34AA00ZZ").as_ref());
    assert_eq!(payment.amount, Amount::from_shillings(168));
    assert_eq!((payment.account.as_str(), payment.shortcode.as_str()), ("INV-77", "600111"));
    assert_eq!(payment.payer.phone, PayerPhone::Whole(amina()));
    assert!(payment.time.is_some() && payment.balance.is_none());
    for nothing in [
        r#"{"ResponseCode":"1001","ResponseMessage":"No transactions","Response":[[]]}"#,
        r#"{"ResponseCode":"1000","Response":[[]]}"#,
        r#"{"ResponseCode":1000,"Response":[]}"#,
        r#"{"ResponseCode":"1001"}"#,
    ] {
        assert_eq!(pull::read(200, nothing.as_bytes(), "1").expect(nothing), pull::Page::default());
    }
    let some = r#"{"ResponseCode":"1000","Response":[[{"transactionId":"UJ3A"},
        {"amount":"5"},{"amount":"6"},
        {"transactionId":"UJ34AA00ZX","amount":"5","msisdn":"2547*****001"}]]}"#;
    let page = pull::read(200, some.as_bytes(), "600111").expect("a page");
    assert_eq!((page.rows, page.payments.len(), page.unreadable.len()), (4, 1, 2));
    for (status, body, code) in [
        (200, r#"{"ResponseCode":"77","ResponseMessage":"m"}"#, "pull.77"),
        (200, "", "empty"),
        (500, r#"{"ResponseCode":"1000","Response":[[]]}"#, "http.500"),
        (401, r#"{"errorCode":"401.001","errorMessage":"token"}"#, "401.001"),
    ] {
        let problem = pull::read(status, body.as_bytes(), "1").expect_err(body);
        assert_eq!(problem.code, code, "{body}");
    }
}

#[test]
fn a_request_that_is_posted_back_names_itself_and_is_kept_without_its_secrets() {
    let body = sample("timeout-request");
    let told = timeout::parse(body.as_bytes()).expect("a timeout");
    assert_eq!(told.originator.as_deref(), Some("600999_ExampleOrg_0001"));
    let kept = String::from_utf8(redact(body.as_bytes())).expect("UTF-8");
    assert!(!kept.contains("BASE64-RSA") && !kept.contains("/cb/00ff/"), "{kept}");
    assert!(kept.contains("600999_ExampleOrg_0001"));
    let page = format!("<pre>{}</pre>", body.replace('"', "&quot;"));
    let kept = redact_with(page.as_bytes(), &["BASE64-RSA-344-CHARS"]);
    assert!(!String::from_utf8_lossy(&kept).contains("BASE64-RSA"));
}
