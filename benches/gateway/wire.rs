//! Requests as they go over the wire, made as cheaply as they can be: the load generator shares
//! the cores with what it measures.

use std::io::Write as _;
use std::net::SocketAddr;

use mlango::domain::money::Amount;
use mlango::domain::party::Msisdn;
use mlango::domain::payout::Command;
use mlango::domain::time::Timestamp;
use mlango::soap::header::{HexCase, Namespace};
use mlango::soap::request::{Caller, PayoutRequest};
use mlango::soap::response;
use mlango::soap::result::Report;

/// What stands for the OriginatorConversationID in a message until it is filled in; the others
/// likewise. They are as long as real ones, and appear nowhere else.
const NAME: &str = "{originator}";
const CONVERSATION: &str = "{conversation}";
const RECEIPT: &str = "{receipt}";
const PHONE: u64 = 254_799_999_987;
const AMOUNT: Amount = Amount::from_cents(24_681_357);

/// What differs from one payout's messages to another's.
#[derive(Clone, Debug)]
pub struct Facts {
    pub name: String,
    pub conversation: String,
    pub receipt: String,
    pub phone: u64,
    pub amount: String,
}

/// A message with gaps.
pub struct Template(Vec<Piece>);

enum Piece {
    Text(Vec<u8>),
    Gap(Gap),
}

#[derive(Clone, Copy)]
enum Gap {
    Name,
    Conversation,
    Receipt,
    Phone,
    Amount,
}

impl Template {
    fn of(message: Vec<u8>) -> Self {
        let (phone, amount) = (PHONE.to_string(), AMOUNT.to_string());
        let gaps = [
            (NAME, Gap::Name),
            (CONVERSATION, Gap::Conversation),
            (RECEIPT, Gap::Receipt),
            (&phone, Gap::Phone),
            (&amount, Gap::Amount),
        ];
        let text = String::from_utf8(message).expect("messages are UTF-8");
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some((at, mark, gap)) = gaps
            .iter()
            .filter_map(|(mark, gap)| Some((rest.find(mark)?, *mark, *gap)))
            .min_by_key(|(at, _, _)| *at)
        {
            pieces.push(Piece::Text(rest.as_bytes()[..at].to_vec()));
            pieces.push(Piece::Gap(gap));
            rest = &rest[at + mark.len()..];
        }
        pieces.push(Piece::Text(rest.as_bytes().to_vec()));
        Self(pieces)
    }

    /// The message about one payout.
    pub fn fill(&self, facts: &Facts) -> Vec<u8> {
        let mut message = Vec::with_capacity(3_072);
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => message.extend_from_slice(text),
                Piece::Gap(Gap::Name) => message.extend_from_slice(facts.name.as_bytes()),
                Piece::Gap(Gap::Conversation) => {
                    message.extend_from_slice(facts.conversation.as_bytes());
                }
                Piece::Gap(Gap::Receipt) => message.extend_from_slice(facts.receipt.as_bytes()),
                Piece::Gap(Gap::Phone) => {
                    write!(message, "{}", facts.phone).expect("a vector takes all");
                }
                Piece::Gap(Gap::Amount) => message.extend_from_slice(facts.amount.as_bytes()),
            }
        }
        message
    }
}

/// The three messages of a payout that goes well.
pub struct Messages {
    /// Our request, as it is kept.
    pub request: Template,
    /// The broker's answer.
    pub answer: Template,
    /// M-Pesa's result.
    pub result: Template,
}

impl Messages {
    pub fn new(at: Timestamp) -> Self {
        Self { request: request(at), answer: answer(), result: result(at) }
    }
}

fn request(at: Timestamp) -> Template {
    let caller = Caller {
        namespace: Namespace::A,
        hex_case: HexCase::Upper,
        sp_id: "100001".to_owned(),
        sp_password: "not a password".to_owned(),
        service_id: "100001000".to_owned(),
        shortcode: "600999".to_owned(),
        initiator: "apiop".to_owned(),
        security_credential: "A".repeat(344),
        result_url: format!("https://gw.example.org/cb/{}/b2c/result", "5f".repeat(24)),
        queue_timeout_url: format!("https://gw.example.org/cb/{}/b2c/timeout", "5f".repeat(24)),
    };
    let request = PayoutRequest {
        caller: &caller,
        command: Command::BusinessPayment,
        originator_conversation_id: NAME,
        amount: AMOUNT,
        phone: Msisdn::from_number(PHONE).expect("a phone"),
        remarks: "March commission",
        occasion: "",
        at,
    };
    Template::of(request.render().redacted)
}

fn answer() -> Template {
    Template::of(response::render(&response::Answer {
        code: "0",
        description: "Accept the service request successfully.",
        conversation_id: Some(CONVERSATION),
        originator_conversation_id: Some(NAME),
        service_status: Some("0"),
    }))
}

fn result(at: Timestamp) -> Template {
    let (phone, amount) = (PHONE.to_string(), AMOUNT.to_string());
    let completed = at.east_africa_stamp();
    let recipient = format!("{phone} - Wanjiru Otieno");
    let report = Report {
        code: "0",
        description: "The service request is processed successfully.",
        originator_conversation_id: NAME,
        conversation_id: CONVERSATION,
        receipt: Some(RECEIPT),
        parameters: vec![
            ("TransactionReceipt", RECEIPT),
            ("TransactionAmount", &amount),
            ("B2CWorkingAccountAvailableFunds", "0.00"),
            ("B2CUtilityAccountAvailableFunds", "9871234.00"),
            ("TransactionCompletedDateTime", &completed),
            ("ReceiverPartyPublicName", &recipient),
            ("B2CChargesPaidAccountAvailableFunds", "0.00"),
            ("B2CRecipientIsRegisteredCustomer", "Y"),
        ],
        references: vec![
            ("QueueTimeoutURL", "https://gw.example.org/cb/5f5f5f/b2c/timeout"),
            ("Occasion", ""),
        ],
    };
    Template::of(report.render())
}

/// A payout as a finance system posts it; `run` keeps the idempotency keys of two runs apart.
pub fn submit(to: SocketAddr, key: &str, run: &str, number: u64) -> Vec<u8> {
    let body = format!(
        "{{\"amount\":\"{}.00\",\"phone\":\"2547{:08}\",\"reference\":\"INV-{}\",\
         \"remarks\":\"March commission\",\"metadata\":{{\"branch\":\"Nakuru\"}}}}",
        100 + number % 5_000,
        // Never one that ends in a phone to which something happens.
        20_000_000 + number % 70_000 * 1_000 + 555,
        number / 10,
    );
    format!(
        "POST /v1/payouts HTTP/1.1\r\nHost: {to}\r\nX-API-Key: {key}\r\nContent-Type: \
         application/json\r\nIdempotency-Key: {run}-{number:012}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// A result, as the broker posts it.
pub fn deliver(to: SocketAddr, token: &str, message: &[u8]) -> Vec<u8> {
    let mut request = format!(
        "POST /cb/{token}/b2c/result HTTP/1.1\r\nHost: {to}\r\nContent-Type: \
         text/xml\r\nContent-Length: {}\r\n\r\n",
        message.len()
    )
    .into_bytes();
    request.extend_from_slice(message);
    request
}

/// A question.
pub fn get(to: SocketAddr, key: &str, path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {to}\r\nX-API-Key: {key}\r\n\r\n").into_bytes()
}
