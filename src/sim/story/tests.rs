//! What each kind of exchange says, as a table, and lines as they are printed.

use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::domain::money::Amount;
use crate::domain::time::Timestamp;
use crate::sim::book::{Book, Channel, Deposit, Moved, Payment, Till, Wish};
use crate::sim::watch::{Happening, Seen};
use crate::soap::response;
use crate::soap::result::Report;

const AT: Timestamp = Timestamp::from_millis(1_704_164_645_000);

fn exchange(direction: Direction, path: &str, request: &[u8], response: &[u8]) -> Exchange {
    Exchange {
        seq: 1,
        at: AT,
        direction,
        path: path.to_owned(),
        status: Some(200),
        request: request.to_vec(),
        response: response.to_vec(),
        originator_conversation_id: None,
        moved: None,
    }
}

fn says(exchange: Exchange) -> String {
    let seen = Seen::Happening(Happening::Exchange(Arc::new(exchange)));
    line(&seen, Ink::Plain).split_once(' ').expect("a time first").1.to_owned()
}

fn came(path: &str, request: &str, response: &str) -> String {
    says(exchange(Direction::In, path, request.as_bytes(), response.as_bytes()))
}

fn told(path: &str, request: &str, response: &str) -> String {
    let url = format!("http://gw.example.org/cb/00ff00ff00ff00ff00ff00ff00ff00ff/{path}");
    says(exchange(Direction::Out, &url, request.as_bytes(), response.as_bytes()))
}

fn result(code: &str) -> String {
    let report = Report {
        code,
        description: "words of M-Pesa's",
        originator_conversation_id: "600999_A_1",
        conversation_id: "AG_1",
        receipt: Some("RKL0000001"),
        parameters: vec![("TransactionReceipt", "RKL0000001"), ("TransactionAmount", "10.00")],
        references: Vec::new(),
    };
    String::from_utf8(report.render()).expect("UTF-8")
}

fn answer(code: &str) -> String {
    let answer = response::Answer { code, ..response::Answer::default() };
    String::from_utf8(response::render(&answer)).expect("UTF-8")
}

/// A request as the project's own golden files have it.
const PAYOUT: &str = include_str!("../../../tests/golden/request-a.xml");
const QUESTION: &str = include_str!("../../../tests/golden/status-query.xml");
const B2C: &str = include_str!("../../../tests/golden/daraja/request-b2c-v3.json");
const PUSH: &str = include_str!("../../../tests/golden/daraja/request-stk-push.json");
const CANCELLED: &str = include_str!("../../../tests/golden/daraja/stk-cancelled.json");
const CONFIRMATION: &str = include_str!("../../../tests/golden/daraja/c2b-confirmation-v2.json");

#[test]
fn every_kind_of_exchange_is_told_in_a_line() {
    let refused =
        r#"{"requestId":"1-2-3","errorCode":"404.001.03","errorMessage":"Invalid Access Token"}"#;
    let taken = r#"{"ResponseCode":"0","ResponseDescription":"fine"}"#;
    let text = "username=sandbox&to=%2B254722000111&message=Hello+you";
    let sent = r#"{"SMSMessageData":{"Recipients":[{"statusCode":101,"status":"Success"}]}}"#;
    let kept = crate::soap::ack::RESULT_KEPT;
    let b2c = "/mpesa/b2c/v3/paymentrequest";
    let table = [
        came(broker::PATH, PAYOUT, &answer("0")),
        came(broker::PATH, PAYOUT, &answer("15")),
        came(broker::PATH, QUESTION, &answer("0")),
        came(broker::PATH, "<html>", "<html>"),
        came("/oauth/v1/generate", "", r#"{"access_token":"***","expires_in":"3599"}"#),
        came(b2c, B2C, taken),
        came(b2c, B2C, refused),
        came("/mpesa/stkpush/v1/processrequest", PUSH, taken),
        came(
            "/mpesa/stkpushquery/v1/query",
            r#"{"CheckoutRequestID":"ws_CO_1"}"#,
            r#"{"ResponseCode":"0","ResultCode":"1037"}"#,
        ),
        came(sms::PATH, text, sent),
        told("b2c/result", &result("0"), kept),
        told("b2c/result", &result("2040"), kept),
        told("stk/20", CANCELLED, r#"{"ResultCode":0,"ResultDesc":"kept"}"#),
        told("c2b/confirmation", CONFIRMATION, r#"{"ResultCode":0,"ResultDesc":"Success"}"#),
        told("b2c/result", "not XML", "<html>"),
    ];
    let expected = include_str!("lines.txt");
    assert_eq!(table.join("\n"), expected.trim_end());
}

#[test]
fn what_was_not_answered_says_why() {
    let mut lost = exchange(Direction::In, broker::PATH, PAYOUT.as_bytes(), b"as scripted");
    lost.status = None;
    assert_eq!(Story::of(&lost).answer.says, "no answer: as scripted");
    assert_eq!(Story::of(&lost).tone(), Tone::Bad);
    let mut refused = exchange(Direction::Out, "http://gw/cb", result("0").as_bytes(), b"");
    refused.status = Some(500);
    assert_eq!(Story::of(&refused).answer.says, "HTTP 500");
    assert_eq!(Story::of(&refused).tone(), Tone::Bad);
}

#[test]
fn nothing_that_came_moves_the_cursor_and_nothing_is_longer_than_a_line() {
    let evil = "\u{1b}[2J\u{7}\u{202e}\n".repeat(60);
    let body = json!({"CommandID": evil, "Amount": evil, "PartyB": evil, "AccountReference": evil});
    let one = exchange(
        Direction::In,
        "/mpesa/b2c/v3/paymentrequest",
        body.to_string().as_bytes(),
        json!({"errorCode": evil, "errorMessage": evil}).to_string().as_bytes(),
    );
    let line = says(one);
    assert!(!line.chars().any(moves_the_cursor), "{line:?}");
    assert!(line.chars().count() < 10 * PIECE_MAX, "{line}");
}

#[test]
fn a_callback_address_is_shown_without_its_token() {
    let one = exchange(Direction::Out, "/", b"{\"ConfirmationURL\":\"https://gw.example.org/cb/00ff00ff00ff00ff00ff00ff00ff00ff/c2b/confirmation\"}", b"");
    assert!(!format!("{:?}", Story::of(&one)).contains("00ff00"), "{:?}", Story::of(&one));
}

fn moved() -> (Moved, Moved) {
    let mut book = Book::new(7, Amount::from_shillings(100));
    let shortcode: crate::domain::party::ShortCode = "174379".parse().expect("a short code");
    book = book.with_working(shortcode.clone(), Amount::ZERO);
    let payment = Payment {
        phone: "254722000111".parse().expect("a phone"),
        amount: Amount::from_shillings(10),
        command: crate::domain::payout::Command::BusinessPayment,
    };
    book.take(AT, "600999_A_1", Wish::Pay(payment)).expect("taken");
    let reserved = book.reserve(AT);
    let deposit = Deposit {
        phone: payment.phone,
        amount: Amount::from_shillings(25),
        shortcode,
        account: "INV-77".to_owned(),
        till: Till::PayBill,
        channel: Channel::C2b,
    };
    let deposit = book.deposit(AT, deposit, &reserved).expect("moved");
    (book.find_moved("600999_A_1").expect("moved"), deposit)
}

#[test]
fn money_that_moved_stands_in_the_line_and_in_colour_on_a_terminal() {
    let (paid, deposit) = moved();
    let receipt = paid.receipt.clone();
    let mut one = exchange(Direction::In, broker::PATH, PAYOUT.as_bytes(), answer("0").as_bytes());
    one.moved = Some(Box::new(paid));
    let said = says(one.clone());
    let expected = format!("| paid 10.00 to 254722000111, {receipt}; 90.00 is left");
    assert!(said.ends_with(&expected), "{said}");
    let seen = Seen::Happening(Happening::Exchange(Arc::new(one)));
    assert!(line(&seen, Ink::Coloured).contains("\u{1b}[32m0 "), "{}", line(&seen, Ink::Coloured));
    let value = json(&seen);
    assert_eq!(value["moved"]["amount"], "10.00");
    assert_eq!(value["happened"], "exchange");
    let alone = Seen::Happening(Happening::Moved(Arc::new(deposit)));
    let said = line(&alone, Ink::Plain);
    assert!(said.contains("KES 254722000111 paid 25.00 to 174379, account INV-77"), "{said}");
    let missed = line(&Seen::Missed(3), Ink::Plain);
    assert!(missed.starts_with("3 things happened that are not shown"), "{missed}");
}
