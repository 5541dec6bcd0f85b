//! Tags: what ends the address that M-Pesa is to call, so that its call finds what it is about.
//!
//! The answer to a request may be lost, or come after the call; the address was ours from the
//! start. A tag is hexadecimal: no word that M-Pesa filters out of addresses can stand in it
//! (spec/daraja.md §7).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::id::PayoutId;

/// Digits of an id.
const ID_DIGITS: usize = 32;
/// Digits of the number of a question.
const NTH_DIGITS: usize = 8;

/// What a call is about, apart from which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Tagged {
    /// A payout: its result or timeout.
    Payout,
    /// A question about a payout.
    PayoutQuestion {
        /// Its number.
        nth: u32,
    },
    /// A payment that was prompted for.
    Payment,
    /// An inquiry: its result or timeout.
    Inquiry,
    /// A question about an inquiry.
    InquiryQuestion {
        /// Its number.
        nth: u32,
    },
}

impl Tagged {
    const fn parts(self) -> (char, Option<u32>) {
        match self {
            Self::Payout => ('0', None),
            Self::PayoutQuestion { nth } => ('1', Some(nth)),
            Self::Payment => ('2', None),
            Self::Inquiry => ('3', None),
            Self::InquiryQuestion { nth } => ('4', Some(nth)),
        }
    }
}

/// A tag: one digit for the kind, 32 for the id, and for a question eight for its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tag {
    /// What kind of thing the call is about.
    pub of: Tagged,
    /// The 16 bytes of its id.
    pub id: [u8; 16],
}

impl Tag {
    /// The tag of `kind` and the 16 bytes of an id.
    pub const fn new(of: Tagged, id: [u8; 16]) -> Self {
        Self { of, id }
    }

    /// The tag of a payout.
    pub const fn payout(id: PayoutId) -> Self {
        Self::new(Tagged::Payout, id.bytes())
    }

    /// The tag of the question number `nth` about a payout.
    pub const fn payout_question(id: PayoutId, nth: u32) -> Self {
        Self::new(Tagged::PayoutQuestion { nth }, id.bytes())
    }

    /// The payout that a call is about, and the question about it, if it is about one.
    pub const fn payout_in(self) -> Option<(PayoutId, Option<u32>)> {
        let id = PayoutId::from_bytes(self.id);
        match self.of {
            Tagged::Payout => Some((id, None)),
            Tagged::PayoutQuestion { nth } => Some((id, Some(nth))),
            Tagged::Payment | Tagged::Inquiry | Tagged::InquiryQuestion { .. } => None,
        }
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, nth) = self.of.parts();
        write!(f, "{kind}{:032x}", u128::from_be_bytes(self.id))?;
        match nth {
            Some(nth) => write!(f, "{nth:08x}"),
            None => Ok(()),
        }
    }
}

/// A text that was to be a tag and is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the end of the address is no tag that was ever given out")]
pub struct NotATag;

impl FromStr for Tag {
    type Err = NotATag;

    /// Reads the one form in which a tag is written.
    fn from_str(text: &str) -> Result<Self, NotATag> {
        let (kind, digits) = text.split_at_checked(1).ok_or(NotATag)?;
        let (id, nth) = digits.split_at_checked(ID_DIGITS).ok_or(NotATag)?;
        let is_digits =
            |text: &str| text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'a'..=b'f'));
        if !is_digits(id) || !is_digits(nth) {
            return Err(NotATag);
        }
        let id = u128::from_str_radix(id, 16).map_err(|_error| NotATag)?.to_be_bytes();
        let nth = match nth.len() {
            0 => None,
            NTH_DIGITS => Some(u32::from_str_radix(nth, 16).map_err(|_error| NotATag)?),
            _ => return Err(NotATag),
        };
        let of = match (kind, nth) {
            ("0", None) => Tagged::Payout,
            ("1", Some(nth)) => Tagged::PayoutQuestion { nth },
            ("2", None) => Tagged::Payment,
            ("3", None) => Tagged::Inquiry,
            ("4", Some(nth)) => Tagged::InquiryQuestion { nth },
            _ => return Err(NotATag),
        };
        Ok(Self { of, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: [u8; 16] = *b"\x01\x8c\xc7\x4f\x5e\x10\x70\x00\x80\x01\x02\x03\x04\x05\x06\xff";

    #[test]
    fn tags_have_one_form_and_are_read_back() {
        let table = [
            (Tagged::Payout, "0018cc74f5e10700080010203040506ff"),
            (Tagged::PayoutQuestion { nth: 12 }, "1018cc74f5e10700080010203040506ff0000000c"),
            (Tagged::Payment, "2018cc74f5e10700080010203040506ff"),
            (Tagged::Inquiry, "3018cc74f5e10700080010203040506ff"),
            (
                Tagged::InquiryQuestion { nth: u32::MAX },
                "4018cc74f5e10700080010203040506ffffffffff",
            ),
        ];
        for (of, text) in table {
            let tag = Tag::new(of, ID);
            assert_eq!(tag.to_string(), text);
            assert_eq!(text.parse(), Ok(tag));
        }
        let id = PayoutId::from_bytes(ID);
        assert_eq!(Tag::payout(id).payout_in(), Some((id, None)));
        assert_eq!(Tag::payout_question(id, 3).payout_in(), Some((id, Some(3))));
        assert_eq!(Tag::new(Tagged::Payment, ID).payout_in(), None);
    }

    #[test]
    fn what_was_never_given_out_is_no_tag() {
        for text in [
            "",
            "0",
            "result",
            "0018cc74f5e10700080010203040506f",
            "0018cc74f5e10700080010203040506ff0000000c",
            "1018cc74f5e10700080010203040506ff",
            "1018cc74f5e10700080010203040506ff000000c",
            "5018cc74f5e10700080010203040506ff",
            "0018CC74F5E10700080010203040506FF",
            "0+18cc74f5e10700080010203040506ff",
            "é018cc74f5e10700080010203040506ff",
        ] {
            assert_eq!(text.parse::<Tag>(), Err(NotATag), "{text}");
        }
    }
}
