//! What an exchange says, in a few words: what came, what was answered, what money moved. Pure.
//!
//! It looks at the messages from outside, as a tester does, and believes none of them: what it
//! cannot read it calls a message, and what it shows cannot move a terminal's cursor.

mod fields;
mod line;

pub(super) use line::exchange_json;
pub use line::{Ink, json, line};

use self::fields::Fields;
use super::broker;
use super::daraja::{Api, api_of};
use super::exchange::{Direction, Exchange};
use super::register;
use super::sms;
use crate::domain::money::Amount;
use crate::domain::outcome::{self, StkClass};
use crate::soap::redact::mask_tokens;

/// The longest piece of a message that is shown, in characters.
const PIECE_MAX: usize = 80;

/// How an exchange went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As whoever asked would have it.
    Good,
    /// It is not over: more is to come.
    Open,
    /// Refused, failed, or not answered.
    Bad,
}

impl Tone {
    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Open => "open",
            Self::Bad => "bad",
        }
    }

    /// The worse of two.
    const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Bad, _) | (_, Self::Bad) => Self::Bad,
            (Self::Open, _) | (_, Self::Open) => Self::Open,
            (Self::Good, Self::Good) => Self::Good,
        }
    }
}

/// What an exchange says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Story {
    /// What came: the interface and the command, or which kind of message went out.
    pub what: String,
    /// How much it is about.
    pub amount: Option<String>,
    /// The phone or short code at the other end.
    pub party: Option<String>,
    /// What else tells it from others: an account, a receipt, what is asked about.
    pub detail: Option<String>,
    /// The code that a message of M-Pesa's carries, and its meaning.
    pub news: Option<Word>,
    /// What was answered.
    pub answer: Word,
}

/// A code and what it means, or other words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// What is said.
    pub says: String,
    /// How that is taken.
    pub tone: Tone,
}

impl Word {
    fn new(code: &str, says: &str, tone: Tone) -> Self {
        Self { says: plain(&format!("{code} {says}")), tone }
    }
}

impl Story {
    /// What an exchange says.
    pub fn of(exchange: &Exchange) -> Self {
        let came = Fields::of(&exchange.request);
        let told = exchange.direction == Direction::Out;
        let news = told.then(|| news(&came)).flatten();
        let answer = answer(exchange, told);
        // Where the message itself says of nothing what it is about.
        let id = exchange.originator_conversation_id.as_deref().filter(|_| told);
        let id = id.filter(|_| party(&came).is_none());
        Self {
            what: if told { outgoing(&came, &exchange.path) } else { incoming(&came, exchange) },
            amount: came.get(&AMOUNTS).map(amount),
            party: party(&came).map(plain),
            detail: detail(&came).or(id).map(plain),
            news,
            answer,
        }
    }

    /// How it went in all.
    pub fn tone(&self) -> Tone {
        let news = self.news.as_ref().map_or(Tone::Good, |news| news.tone);
        news.and(self.answer.tone)
    }
}

/// Where an amount stands, over SOAP, Daraja and C2B.
const AMOUNTS: [&str; 3] = ["Amount", "TransAmount", "TransactionAmount"];
/// Where the phone or short code at the other end stands.
const PARTIES: [&str; 6] = ["PhoneNumber", "MSISDN", "Msisdn", "to", "PartyB", "ReceiverParty"];
/// What else tells one message from another.
const DETAILS: [&str; 11] = [
    "AccountReference",
    "BillRefNumber",
    "TransID",
    "MpesaReceiptNumber",
    "TransactionReceipt",
    "TransactionID",
    "OriginalConversationID",
    "OriginalOriginatorConversationID",
    "ReceiptNumber",
    "CheckoutRequestID",
    "ConfirmationURL",
];

fn party(came: &Fields) -> Option<&str> {
    let is_phone = came.under("ReceiverParty", "IdentifierType") == Some("1");
    let receiver = came.under("ReceiverParty", "Identifier").filter(|_| is_phone);
    let named = came.get(&PARTIES).or(receiver);
    named.or_else(|| came.get(&["ReceiverPartyPublicName"]))
}

/// An amount as everything else writes it, whatever it is written like.
fn amount(text: &str) -> String {
    text.parse::<Amount>().map_or_else(|_other| plain(text), |amount| amount.to_string())
}

fn detail(came: &Fields) -> Option<&str> {
    came.get(&DETAILS)
}

fn incoming(came: &Fields, exchange: &Exchange) -> String {
    let command = came.get(&["CommandID"]).unwrap_or_default();
    match (exchange.path.as_str(), api_of(&exchange.path)) {
        (broker::PATH, _) if command.is_empty() => "soap, no request".to_owned(),
        (broker::PATH | register::PATH, _) => plain(&format!("soap {command}")),
        (sms::PATH, _) => "text message".to_owned(),
        (_, Some(Api::OAuth)) => "token".to_owned(),
        (_, Some(Api::Stk)) => "stk push".to_owned(),
        (_, Some(api)) => plain(format!("{} {command}", api.name()).trim_end()),
        (path, None) => plain(path),
    }
}

fn outgoing(came: &Fields, to: &str) -> String {
    let what = if came.has("stkCallback") {
        "stk callback"
    } else if came.has("notifyQueueTimeout") || to.contains("/timeout") {
        "queue timeout"
    } else if came.has("C2BPaymentValidationRequest") || to.contains("/validation") {
        "c2b validation"
    } else if came.has("TransID") || came.has("C2BPaymentConfirmationRequest") {
        "c2b confirmation"
    } else if came.has("ResultMsg") || came.has("Result") {
        "result"
    } else {
        "message that cannot be read"
    };
    what.to_owned()
}

/// What a result or a callback says.
fn news(came: &Fields) -> Option<Word> {
    let code = came.get(&["ResultCode"])?;
    Some(if came.has("stkCallback") { stk(code) } else { result(code) })
}

fn result(code: &str) -> Word {
    use outcome::ResultClass::{Doubt, NotPaid, Paid, Pending};
    let meaning = outcome::result(code);
    let tone = match meaning.class {
        Paid => Tone::Good,
        Pending | Doubt => Tone::Open,
        NotPaid => Tone::Bad,
    };
    Word::new(code, meaning.says, tone)
}

fn stk(code: &str) -> Word {
    let meaning = outcome::stk(code);
    let tone = match meaning.class {
        StkClass::Paid => Tone::Good,
        StkClass::StillOpen | StkClass::Unknown => Tone::Open,
        StkClass::Failed => Tone::Bad,
    };
    Word::new(code, meaning.says, tone)
}

/// What was answered; `told` by whoever was told something.
fn answer(exchange: &Exchange, told: bool) -> Word {
    let Some(status) = exchange.status else {
        let why = String::from_utf8_lossy(&exchange.response);
        let why = why.strip_prefix("no answer").unwrap_or(&why).trim_start_matches([',', ' ']);
        return Word { says: plain(&format!("no answer: {why}")), tone: Tone::Bad };
    };
    let said = Fields::of(&exchange.response);
    let fine = if (200..300).contains(&status) { Tone::Good } else { Tone::Bad };
    let word = if told { acknowledgement(&said) } else { reply(&said) };
    let word = word.unwrap_or_else(|| Word { says: String::new(), tone: Tone::Good });
    let says = if fine == Tone::Good && !word.says.is_empty() {
        word.says
    } else {
        plain(format!("HTTP {status} {}", word.says).trim_end())
    };
    Word { says, tone: fine.and(word.tone) }
}

/// What the gateway says that it did with a message.
fn acknowledgement(said: &Fields) -> Option<Word> {
    let code = said.get(&["ResponseCode", "ResultCode"])?;
    let says = said.get(&["ResponseDesc", "ResultDesc"]).unwrap_or_default();
    let taken = if outcome::is_success(code) { Tone::Good } else { Tone::Bad };
    Some(Word::new(code, says, taken))
}

/// What the simulator answered.
fn reply(said: &Fields) -> Option<Word> {
    use outcome::AnswerClass::{Cached, Doubt, Refused, Taken, TryLater};
    if let Some(code) = said.get(&["errorCode", "faultcode", "fault"]) {
        let says = said.get(&["errorMessage", "faultstring"]).unwrap_or_default();
        return Some(Word::new(code, says, Tone::Bad));
    }
    if said.has("access_token") {
        return Some(Word { says: "a token".to_owned(), tone: Tone::Good });
    }
    if let Some(code) = said.get(&["ResultCode"]) {
        return Some(stk(code));
    }
    if let Some(code) = said.get(&["ResponseCode"]) {
        let meaning = outcome::answer(code);
        let tone = match meaning.class {
            Taken => Tone::Good,
            Cached | Doubt => Tone::Open,
            Refused | TryLater => Tone::Bad,
        };
        // What is no payment says so better itself.
        let own = said.get(&["ResponseDescription", "ResponseDesc"]);
        let says = own.filter(|_| tone == Tone::Good).unwrap_or(meaning.says);
        return Some(Word::new(code, says, tone));
    }
    let text = said.get(&["status"])?;
    let sent = said.get(&["statusCode"]) == Some("101");
    let tone = if sent { Tone::Good } else { Tone::Bad };
    Some(Word { says: plain(text), tone })
}

/// A piece of a message as text that a terminal takes as text, and not too long.
fn plain(text: &str) -> String {
    let masked = mask_tokens(text);
    let mut all = masked.chars().map(|c| if moves_the_cursor(c) { '\u{b7}' } else { c });
    let mut piece: String = all.by_ref().take(PIECE_MAX).collect();
    if all.next().is_some() {
        piece.push('\u{2026}');
    }
    piece
}

/// Control characters, and those that turn the direction of writing.
fn moves_the_cursor(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
