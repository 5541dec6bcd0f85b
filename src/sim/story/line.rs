//! A line for everything that happens: for people, in colour or not, and as JSON for programs.

use serde_json::{Value, json};

use super::{Story, Tone, Word, plain};
use crate::domain::party::Msisdn;
use crate::sim::book::{Moved, Movement};
use crate::sim::exchange::{Direction, Exchange, masked};
use crate::sim::watch::{BEHIND_MAX, Happening, Seen};
use crate::soap::redact::mask_tokens;

/// Whether a line may be coloured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// With the colours of a terminal.
    Coloured,
    /// As plain text.
    Plain,
}

/// Colours, as terminals take them.
const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "31";
const BOLD: &str = "1";
const DIM: &str = "2";

impl Ink {
    fn paint(self, colour: &str, text: &str) -> String {
        match self {
            Self::Plain => text.to_owned(),
            Self::Coloured => format!("\x1b[{colour}m{text}\x1b[0m"),
        }
    }

    fn tone(self, tone: Tone, text: &str) -> String {
        let colour = match tone {
            Tone::Good => GREEN,
            Tone::Open => YELLOW,
            Tone::Bad => RED,
        };
        self.paint(colour, text)
    }
}

/// One line about what happened. Phones stand in it whole: the simulator's people are invented.
pub fn line(seen: &Seen, ink: Ink) -> String {
    match seen {
        Seen::Happening(Happening::Exchange(exchange)) => exchanged(exchange, ink),
        Seen::Happening(Happening::Moved(moved)) => {
            let at = ink.paint(DIM, &moved.at.rfc3339());
            format!("{at} KES {}", ink.paint(BOLD, &money(moved)))
        }
        Seen::Missed(missed) => ink.paint(YELLOW, &missed_words(*missed)),
    }
}

fn missed_words(missed: u64) -> String {
    format!(
        "{missed} things happened that are not shown: what reads these lines is too slow \
         ({BEHIND_MAX} may wait); GET /sim/exchanges has the last of them"
    )
}

fn exchanged(exchange: &Exchange, ink: Ink) -> String {
    let story = Story::of(exchange);
    let arrow = match exchange.direction {
        Direction::In => "-->",
        Direction::Out => "<--",
    };
    let mut came = story.what.clone();
    let pieces = [("", &story.amount), ("with ", &story.party), ("", &story.detail)];
    for (word, piece) in pieces {
        if let Some(piece) = piece {
            came.push_str(&format!(" {word}{piece}"));
        }
    }
    if let Some(news) = &story.news {
        came.push_str(&format!(": {}", ink.tone(news.tone, &news.says)));
    }
    let at = ink.paint(DIM, &exchange.at.rfc3339());
    let answer = ink.tone(story.answer.tone, &story.answer.says);
    let moved = exchange.moved.as_deref().map(|moved| ink.paint(BOLD, &money(moved)));
    let moved = moved.map(|moved| format!(" | {moved}")).unwrap_or_default();
    format!("{at} {arrow} {came} => {answer}{moved}")
}

/// What moved, in words, and what is left.
pub(in crate::sim) fn money(moved: &Moved) -> String {
    let amount = moved.movement.amount();
    let phone = moved.phone.map(Msisdn::reveal).unwrap_or_default();
    let (receipt, balance) = (&moved.receipt, moved.balance);
    match &moved.movement {
        Movement::Payout(_) => format!("paid {amount} to {phone}, {receipt}; {balance} is left"),
        Movement::Deposit(deposit) => {
            let (shortcode, account) = (&deposit.shortcode, plain(&deposit.account));
            let account = if account.is_empty() { account } else { format!(", account {account}") };
            format!("{phone} paid {amount} to {shortcode}{account}, {receipt}; it holds {balance}")
        }
        Movement::Business(business) => {
            let (from, to) = (&business.from, &business.to);
            format!("{from} paid {amount} to {to}, {receipt}; {balance} is left")
        }
        Movement::Reversal(reversal) => {
            let of = plain(&reversal.receipt);
            format!("gave {amount} of {of} back to {phone}, {receipt}; {balance} is left")
        }
    }
}

/// The same for programs: one object.
pub fn json(seen: &Seen) -> Value {
    match seen {
        Seen::Happening(Happening::Exchange(exchange)) => {
            let mut value = exchange_json(exchange);
            if let Some(fields) = value.as_object_mut() {
                fields.insert("happened".to_owned(), "exchange".into());
            }
            value
        }
        Seen::Happening(Happening::Moved(moved)) => json!({
            "happened": "moved",
            "at": moved.at.rfc3339(),
            "moved": moved_json(moved),
        }),
        Seen::Missed(missed) => json!({"happened": "missed", "count": missed}),
    }
}

/// An exchange as `GET /sim/exchanges` lists it, secrets masked.
pub(in crate::sim) fn exchange_json(exchange: &Exchange) -> Value {
    let story = Story::of(exchange);
    json!({
        "seq": exchange.seq,
        "at": exchange.at.rfc3339(),
        "direction": exchange.direction.as_str(),
        "path": mask_tokens(&exchange.path),
        "status": exchange.status,
        "originator_conversation_id": exchange.originator_conversation_id,
        "request": masked(&exchange.request),
        "response": masked(&exchange.response),
        "story": {
            "what": story.what,
            "amount": story.amount,
            "party": story.party,
            "detail": story.detail,
            "news": story.news.as_ref().map(word_json),
            "answer": word_json(&story.answer),
            "tone": story.tone().as_str(),
        },
        "moved": exchange.moved.as_deref().map(moved_json),
    })
}

fn word_json(word: &Word) -> Value {
    json!({"says": word.says, "tone": word.tone.as_str()})
}

fn moved_json(moved: &Moved) -> Value {
    json!({
        "seq": moved.seq,
        "kind": moved.movement.kind(),
        "amount": moved.movement.amount().to_string(),
        "phone": moved.phone.map(Msisdn::reveal),
        "receipt": moved.receipt,
        "balance": moved.balance.to_string(),
        "says": money(moved),
    })
}
