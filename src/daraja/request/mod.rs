//! Requests: one struct for each interface, written in one form, with the misspellings of the wire
//! (spec/daraja.md §1.2–§1.13).
//!
//! What may stand in a request, `check` says before anything is sent; writing changes nothing of
//! it. Amounts go as whole shillings; one with cents is written as it is, and refused.

mod ask;
mod c2b;
mod pay;
mod pull;
mod stk;

use std::fmt;

use super::json;
use crate::domain::mask::{self, MASK};
use crate::domain::money::Amount;

pub use ask::{AccountBalance, NameKey, Reversal, StatusOf, TransactionStatus};
pub use c2b::{C2bRegister, C2bSimulate, Qr};
pub use pay::{B2b, B2c, TAX_RECEIVER, Tax};
pub use pull::{PullQuery, PullRegister, ROWS_PER_PAGE};
pub use stk::{StkPush, StkQuery, password};

/// A request, ready for the wire and ready for the book.
#[derive(Clone, PartialEq, Eq)]
pub struct Rendered {
    /// What is sent.
    pub wire: Vec<u8>,
    /// The same with SecurityCredential, Password and the callback addresses' token masked: the
    /// form that is kept.
    pub kept: Vec<u8>,
}

impl fmt::Debug for Rendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rendered({} bytes)", self.wire.len())
    }
}

/// The organisation and its operator, as M-Pesa knows them. `Debug` hides the credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller {
    /// The organisation's short code.
    pub shortcode: String,
    /// The API operator's user name.
    pub initiator: String,
    /// The operator's password, encrypted (spec/daraja.md §5).
    pub security_credential: String,
}

impl fmt::Debug for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Caller")
            .field("shortcode", &self.shortcode)
            .field("initiator", &self.initiator)
            .finish_non_exhaustive()
    }
}

/// Where M-Pesa calls with what became of a request. `Debug` hides the token in them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Addresses<'a> {
    /// `ResultURL`.
    pub result: &'a str,
    /// `QueueTimeOutURL`.
    pub queue_timeout: &'a str,
}

impl fmt::Debug for Addresses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Addresses(***)")
    }
}

/// A member's value.
#[derive(Clone, Copy)]
enum Word<'a> {
    Text(&'a str),
    /// Digits that go as a number; anything else goes as a text.
    Digits(&'a str),
    /// What is masked in the form that is kept.
    Secret(&'a str),
}

use Word::{Digits, Secret, Text};

/// Writes an object with these members, in this order.
fn render(members: &[(&str, Word<'_>)]) -> Rendered {
    let write = |is_kept: bool| {
        let mut out = String::with_capacity(1024);
        out.push('{');
        for (nth, (name, word)) in members.iter().enumerate() {
            if nth > 0 {
                out.push(',');
            }
            json::push_text(&mut out, name);
            out.push(':');
            match word {
                Digits(digits) if is_number(digits) => out.push_str(digits),
                Secret(_) if is_kept => json::push_text(&mut out, MASK),
                Text(text) | Digits(text) | Secret(text) => json::push_text(&mut out, text),
            }
        }
        out.push('}');
        out.into_bytes()
    };
    Rendered { wire: write(false), kept: mask::without_tokens(&write(true)) }
}

/// Whether digits can go as a JSON number without becoming another text.
fn is_number(digits: &str) -> bool {
    let is_short = matches!(digits.len(), 1..=15);
    is_short && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whole shillings as digits; an amount with cents as it is, so that nothing else is paid.
fn shillings(amount: Amount) -> String {
    if amount.is_whole_shillings() {
        amount.cents().checked_div(100).unwrap_or_default().to_string()
    } else {
        amount.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_as_numbers_only_where_nothing_is_lost() {
        let rendered =
            render(&[("a", Digits("174379")), ("b", Digits("0123")), ("c", Digits("10.50"))]);
        assert_eq!(rendered.wire, br#"{"a":174379,"b":"0123","c":"10.50"}"#);
        assert_eq!(shillings(Amount::from_cents(1_050)), "10.50");
        assert_eq!(shillings(Amount::from_shillings(250_000)), "250000");
    }

    #[test]
    fn secrets_go_over_the_wire_and_are_not_kept() {
        let rendered = render(&[
            ("SecurityCredential", Secret("c2VjcmV0")),
            ("ResultURL", Text("https://gw.example.org/cb/00ff/result/0a")),
        ]);
        assert!(rendered.wire.windows(8).any(|part| part == b"c2VjcmV0"));
        assert_eq!(
            rendered.kept,
            br#"{"SecurityCredential":"***","ResultURL":"https://gw.example.org/cb/***/result/0a"}"#
        );
        assert_eq!(format!("{rendered:?}"), "Rendered(88 bytes)");
    }
}
