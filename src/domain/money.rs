//! Money: integer cents, never a float.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Digits of whole shillings that an amount may have: more than M-Pesa will ever move at once,
/// and far below what would overflow.
const WHOLE_DIGITS_MAX: usize = 12;

/// An amount of Kenyan shillings, in cents.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Amount(u64);

/// Why a text is not an amount. Each says what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAmount {
    /// Something other than digits and one point.
    #[error("must be digits with at most two places, such as \"1500.00\"")]
    Form,
    /// More than two places.
    #[error("has more than two decimal places; a shilling has 100 cents")]
    Places,
    /// More digits than money has.
    #[error("is too large")]
    TooLarge,
}

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// From cents.
    pub const fn from_cents(cents: u64) -> Self {
        Self(cents)
    }

    /// From whole shillings, saturating.
    pub const fn from_shillings(shillings: u64) -> Self {
        Self(shillings.saturating_mul(100))
    }

    /// In cents.
    pub const fn cents(self) -> u64 {
        self.0
    }

    /// Whether it has no odd cents.
    pub const fn is_whole_shillings(self) -> bool {
        self.0.is_multiple_of(100)
    }

    /// The sum, or `None` if it is more money than there is.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` if it is below zero.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

impl FromStr for Amount {
    type Err = NotAnAmount;

    /// Reads `1500`, `1500.5` or `1500.00`: no sign, no exponent, no separators, no blanks.
    fn from_str(text: &str) -> Result<Self, NotAnAmount> {
        let (whole, places) = text.split_once('.').unwrap_or((text, "00"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(places) {
            return Err(NotAnAmount::Form);
        }
        if places.len() > 2 {
            return Err(NotAnAmount::Places);
        }
        if whole.trim_start_matches('0').len() > WHOLE_DIGITS_MAX {
            return Err(NotAnAmount::TooLarge);
        }
        let number = |part: &str| part.parse::<u64>().map_err(|_error| NotAnAmount::TooLarge);
        let cents = match places.len() {
            1 => number(places)?.saturating_mul(10),
            _ => number(places)?,
        };
        Ok(Self(number(whole)?.saturating_mul(100).saturating_add(cents)))
    }
}

impl fmt::Display for Amount {
    /// Always two places: `1500.00`, as the API and the wire write it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = self.0.checked_div(100).unwrap_or_default();
        let cents = self.0.checked_rem(100).unwrap_or_default();
        f.pad(&format!("{whole}.{cents:02}"))
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KES {self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly_or_refused() {
        let good =
            [("1500.00", 150_000), ("1500", 150_000), ("0.05", 5), ("10.5", 1_050), ("007", 700)];
        for (text, cents) in good {
            assert_eq!(text.parse(), Ok(Amount::from_cents(cents)), "{text}");
        }
        let bad = [
            ("", NotAnAmount::Form),
            ("-5", NotAnAmount::Form),
            ("+5", NotAnAmount::Form),
            ("1e3", NotAnAmount::Form),
            ("1,500", NotAnAmount::Form),
            (" 15", NotAnAmount::Form),
            ("15.", NotAnAmount::Form),
            (".5", NotAnAmount::Form),
            ("1.2.3", NotAnAmount::Form),
            ("1.005", NotAnAmount::Places),
            ("9999999999999", NotAnAmount::TooLarge),
            ("١٥", NotAnAmount::Form),
        ];
        for (text, why) in bad {
            assert_eq!(text.parse::<Amount>(), Err(why), "{text}");
        }
    }

    #[test]
    fn amounts_are_written_with_two_places() {
        assert_eq!(Amount::from_cents(150_000).to_string(), "1500.00");
        assert_eq!(Amount::from_cents(7).to_string(), "0.07");
        assert_eq!(Amount::from_shillings(3).to_string(), "3.00");
    }
}
