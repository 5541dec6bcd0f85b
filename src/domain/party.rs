//! Who pays and who is paid: parsed once, masked wherever they are shown by accident.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A Kenyan mobile number, held as its 12 digits `2547XXXXXXXX` or `2541XXXXXXXX`.
///
/// `Debug` and `Display` mask it; [`Msisdn::reveal`] is for the wire, the API and the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Msisdn(u64);

/// Why a text is not a Kenyan mobile number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a Kenyan mobile number, such as 0722 000 111, 0110 000 111 or 254722000111")]
pub struct NotAPhone;

impl Msisdn {
    /// The 12 digits, unmasked.
    pub fn reveal(self) -> String {
        self.0.to_string()
    }

    /// The 12 digits as a number: a key of eight bytes.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// From the 12 digits as a number.
    pub fn from_number(number: u64) -> Option<Self> {
        let prefix = number.checked_div(100_000_000);
        matches!(prefix, Some(2547 | 2541)).then_some(Self(number))
    }
}

impl FromStr for Msisdn {
    type Err = NotAPhone;

    /// Reads `0722…`, `0110…`, `722…`, `+254 722…`, `254722…`, with blanks or dashes
    /// (contract, part 2).
    fn from_str(text: &str) -> Result<Self, NotAPhone> {
        if text.len() > 32 {
            return Err(NotAPhone);
        }
        let text = text.trim();
        let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let (international, digits) = match bare.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, bare.as_str()),
        };
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NotAPhone);
        }
        let subscriber = match (digits.len(), international) {
            (12, _) => digits.strip_prefix("254"),
            (10, false) => digits.strip_prefix('0'),
            (9, false) => Some(digits),
            _ => None,
        };
        subscriber
            .and_then(|rest| format!("254{rest}").parse().ok())
            .and_then(Self::from_number)
            .ok_or(NotAPhone)
    }
}

impl fmt::Display for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.reveal();
        let head: String = digits.chars().take(4).collect();
        let tail: String = digits.chars().skip(9).collect();
        write!(f, "{head}*****{tail}")
    }
}

impl fmt::Debug for Msisdn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A person's name as M-Pesa gave it: personal data, masked when shown by accident.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PersonName(String);

impl PersonName {
    /// Trimmed and cut to 255 characters; `None` when nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let name: String = text.trim().chars().filter(|c| !c.is_control()).take(255).collect();
        (!name.is_empty()).then_some(Self(name))
    }

    /// The name, unmasked.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonName(***)")
    }
}

/// An organisation's M-Pesa number: five to seven digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct ShortCode(String);

/// Why a text is not a short code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a short code of five to seven digits")]
pub struct NotAShortCode;

impl ShortCode {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ShortCode {
    type Err = NotAShortCode;

    fn from_str(text: &str) -> Result<Self, NotAShortCode> {
        let fits = (5..=7).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if fits { Ok(Self(text.to_owned())) } else { Err(NotAShortCode) }
    }
}

impl fmt::Display for ShortCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_way_to_write_a_phone_is_one_number() {
        let same = [
            "0722 000 111",
            "722000111",
            "+254 722 000 111",
            "254722000111",
            "0722-000-111",
            "+254-722-000111",
        ];
        for text in same {
            let phone: Msisdn = text.parse().expect(text);
            assert_eq!(phone.reveal(), "254722000111", "{text}");
        }
        assert_eq!(
            "0110 000 111".parse::<Msisdn>().map(Msisdn::reveal).as_deref(),
            Ok("254110000111")
        );
    }

    #[test]
    fn what_is_not_a_kenyan_mobile_number_is_refused() {
        let wrong = [
            "",
            "0",
            "072200011",
            "07220001111",
            "0822000111",
            "255722000111",
            "+0722000111",
            "072200011a",
            "25472200011",
            "٠٧٢٢٠٠٠١١١",
            "0722.000.111",
        ];
        for text in wrong {
            assert_eq!(text.parse::<Msisdn>(), Err(NotAPhone), "{text}");
        }
    }

    #[test]
    fn phones_and_names_do_not_show_themselves() {
        let phone: Msisdn = "0722000111".parse().expect("a phone");
        assert_eq!(format!("{phone} {phone:?}"), "2547*****111 2547*****111");
        let name = PersonName::new(" Jane Doe ").expect("a name");
        assert!(!format!("{name:?}").contains("Jane"));
    }

    #[test]
    fn short_codes_have_five_to_seven_digits() {
        assert!("600999".parse::<ShortCode>().is_ok());
        for text in ["6009", "60099999", "60O999", ""] {
            assert!(text.parse::<ShortCode>().is_err(), "{text}");
        }
    }
}
