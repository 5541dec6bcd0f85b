//! Distinct identifier types: mixing two does not compile.
//!
//! Every id of ours is 16 bytes that begin with the millisecond of its making, so that ids sort by
//! age; it is written as a prefix and 26 letters of Crockford's base 32. The ids themselves come
//! from outside (`engine::port::Ids`), because this layer has no randomness.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::time::Timestamp;

/// Crockford's base 32 in lower case: no `i`, `l`, `o`, `u`.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Letters that 128 bits take.
const LETTER_COUNT: usize = 26;

/// A text that was to be an id and is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{text}\" is not a {prefix} id")]
pub struct NotAnId {
    /// The prefix that was expected.
    pub prefix: &'static str,
    /// What came, cut to a length that can be shown.
    pub text: String,
}

fn write_letters(bytes: [u8; 16], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let number = u128::from_be_bytes(bytes);
    for place in (0..LETTER_COUNT).rev() {
        let shift = u32::try_from(place.saturating_mul(5)).unwrap_or(0);
        let digit = usize::try_from((number >> shift) & 31).unwrap_or(0);
        let letter = LETTERS.get(digit).copied().unwrap_or(b'0');
        fmt::Write::write_char(f, char::from(letter))?;
    }
    Ok(())
}

fn read_letters(text: &str) -> Option<[u8; 16]> {
    if text.len() != LETTER_COUNT {
        return None;
    }
    let mut number: u128 = 0;
    for letter in text.bytes() {
        let digit = LETTERS.iter().position(|known| *known == letter)?;
        if number >> 123 != 0 {
            return None;
        }
        number = (number << 5) | u128::try_from(digit).ok()?;
    }
    Some(number.to_be_bytes())
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name([u8; 16]);

        impl $name {
            /// What the written form begins with.
            pub const PREFIX: &'static str = $prefix;

            /// From the 16 bytes, the first six of which are a millisecond, big-endian.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            pub const fn bytes(self) -> [u8; 16] {
                self.0
            }

            /// The millisecond in its first six bytes: when it was made.
            pub fn made_at(self) -> Timestamp {
                let millis = u128::from_be_bytes(self.0) >> 80;
                Timestamp::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
            }

            /// The smallest id that can be made at `at`: where a range by time begins.
            pub fn first_at(at: Timestamp) -> Self {
                let millis = u64::try_from(at.millis()).unwrap_or(0);
                let number = u128::from(millis) << 80;
                Self(number.to_be_bytes())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                write_letters(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix($prefix)
                    .and_then(read_letters)
                    .map(Self)
                    .ok_or_else(|| NotAnId {
                        prefix: $prefix,
                        text: text.chars().take(64).collect(),
                    })
            }
        }
    };
}

id!(
    /// A payout's id, `po_…`.
    PayoutId,
    "po_"
);
id!(
    /// A payment's id, `pay_…`: money in.
    PaymentId,
    "pay_"
);
id!(
    /// The id of something asked of M-Pesa that is polled, `inq_…`.
    InquiryId,
    "inq_"
);
id!(
    /// A text message's id, `sms_…`.
    TextId,
    "sms_"
);
id!(
    /// An application's id, `app_…`: who submitted.
    AppId,
    "app_"
);
id!(
    /// A batch's id, `bat_…`.
    BatchId,
    "bat_"
);
id!(
    /// An event's id, `evt_…`.
    EventId,
    "evt_"
);
id!(
    /// A wire message's id, `msg_…`.
    MessageId,
    "msg_"
);
id!(
    /// The id of a case that needs a person, `case_…`.
    CaseId,
    "case_"
);
id!(
    /// One start of one process, `run_…`: who owns a send.
    RunId,
    "run_"
);

/// The longest OriginatorConversationID that M-Pesa takes (spec/soap.md §3.1).
pub const OCID_LEN_MAX: usize = 128;

/// What we call a payout towards M-Pesa: one per payout, for ever (law 1).
///
/// `<shortcode>_<organisation>_<letters of the payout's id>`: unique because the payout's id is,
/// and the id can be read back from it (spec/soap.md §3.2).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct OriginatorConversationId(String);

impl OriginatorConversationId {
    /// The one id that `payout` has towards M-Pesa. Characters that M-Pesa does not want in it
    /// are left out of the organisation's name, which is cut to 40.
    pub fn of(payout: PayoutId, shortcode: &str, organisation: &str) -> Self {
        let organisation: String = organisation
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .take(40)
            .collect();
        let letters = payout.to_string();
        let letters = letters.strip_prefix(PayoutId::PREFIX).unwrap_or_default();
        Self(format!("{shortcode}_{organisation}_{letters}"))
    }

    /// As it goes over the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the question number `nth` about the payout of this name: ids are shared across
    /// commands, so each question needs its own (spec/soap.md §3.2). The payout's id ends it, too.
    #[must_use]
    pub fn of_question(&self, nth: u32) -> Self {
        let (head, letters) = self.0.rsplit_once('_').unwrap_or(("", &self.0));
        Self(format!("{head}_q{nth}_{letters}"))
    }

    /// The number of the question about the payout of this name that `text` is the name of, if it
    /// is one.
    pub fn question_in(&self, text: &str) -> Option<u32> {
        let (head, _letters) = text.rsplit_once('_')?;
        let (_, word) = head.rsplit_once('_')?;
        let nth = word.strip_prefix('q')?.parse().ok()?;
        (self.of_question(nth).as_str() == text).then_some(nth)
    }

    /// The payout that an id from the wire would belong to, if we ever made it. The caller
    /// compares the whole id with the payout's own before believing it.
    pub fn payout_in(text: &str) -> Option<PayoutId> {
        if text.len() > OCID_LEN_MAX {
            return None;
        }
        text.rsplit('_').next().and_then(read_letters).map(PayoutId)
    }
}

impl fmt::Display for OriginatorConversationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! wire_word {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        pub struct $name(String);

        impl $name {
            /// Takes M-Pesa's word for it, trimmed; `None` when it is empty, too long to be
            /// one, or holds control characters.
            pub fn new(text: &str) -> Option<Self> {
                let text = text.trim();
                let fits = !text.is_empty() && text.len() <= $max;
                (fits && !text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
            }

            /// As M-Pesa wrote it.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

wire_word!(
    /// M-Pesa's own id of a request, such as `AG_20240102_…` (spec/soap.md §4.1).
    ConversationId,
    128
);
wire_word!(
    /// An M-Pesa receipt: the `TransactionID` of a payment (spec/soap.md §5.1).
    Receipt,
    64
);

/// A word of M-Pesa's that may hold a phone: as [`wire_word`], but it does not show itself.
macro_rules! masked_word {
    ($(#[$doc:meta])* $name:ident, $max:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(String);

        impl $name {
            /// Takes M-Pesa's word for it, trimmed; `None` when it is empty, too long to be
            /// one, or holds control characters.
            pub fn new(text: &str) -> Option<Self> {
                let text = text.trim();
                let fits = !text.is_empty() && text.len() <= $max;
                (fits && !text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
            }

            /// As M-Pesa wrote it: for the wire, the API and the store.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(***)"))
            }
        }
    };
}

masked_word!(
    /// M-Pesa's id of an STK prompt, `ws_CO_…`: opaque, and it holds the phone, so that it is
    /// masked wherever it is shown by accident (spec/daraja.md §9).
    CheckoutRequestId,
    64
);
masked_word!(
    /// M-Pesa's other id of an STK prompt (spec/daraja.md §1.2, §9).
    MerchantRequestId,
    64
);

#[cfg(test)]
mod tests {
    use super::*;

    fn payout() -> PayoutId {
        PayoutId::from_bytes(*b"\x01\x8c\xc7\x4f\x5e\x10\x70\x00\x80\x01\x02\x03\x04\x05\x06\x07")
    }

    #[test]
    fn ids_read_back_what_they_write() {
        let id = payout();
        let text = id.to_string();
        assert!(text.starts_with("po_01"), "{text}");
        assert_eq!(text.parse(), Ok(id));
        assert!(text.parse::<AppId>().is_err());
        for wrong in
            ["", "po_", "po_0", "po_zzzzzzzzzzzzzzzzzzzzzzzzzz", "po_0123456789ABCDEFGHJKMNPQRS"]
        {
            assert!(wrong.parse::<PayoutId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ids_sort_by_the_time_of_their_making() {
        let early = PayoutId::first_at(Timestamp::from_millis(1_700_000_000_000));
        let late = PayoutId::first_at(Timestamp::from_millis(1_700_000_000_001));
        assert!(early < late);
        assert!(early.to_string() < late.to_string());
        assert_eq!(late.made_at(), Timestamp::from_millis(1_700_000_000_001));
    }

    #[test]
    fn a_payouts_own_id_can_be_read_from_its_name_at_mpesa() {
        let name = OriginatorConversationId::of(payout(), "600999", "Example Org_Ltd & Sons");
        assert!(name.as_str().starts_with("600999_ExampleOrgLtdSons_01"), "{name}");
        assert!(name.as_str().len() <= OCID_LEN_MAX);
        assert_eq!(OriginatorConversationId::payout_in(name.as_str()), Some(payout()));
        assert_eq!(OriginatorConversationId::payout_in("999001_ExampleOrg_0001"), None);
        assert_eq!(OriginatorConversationId::payout_in(""), None);
    }

    #[test]
    fn a_question_has_a_name_of_its_own_that_leads_to_its_payout() {
        let name = OriginatorConversationId::of(payout(), "600999", "Example Org_Ltd & Sons");
        let question = name.of_question(12);
        assert_ne!(question, name);
        assert_eq!(OriginatorConversationId::payout_in(question.as_str()), Some(payout()));
        assert_eq!(name.question_in(question.as_str()), Some(12));
        assert!(name.of_question(u32::MAX).as_str().len() <= OCID_LEN_MAX);
        let other = PayoutId::from_bytes([9; 16]);
        let other = OriginatorConversationId::of(other, "600999", "ExampleOrg");
        let written_otherwise = question.as_str().replace("q12", "q012");
        for none in [name.as_str(), other.of_question(12).as_str(), &written_otherwise, "", "_"] {
            assert_eq!(name.question_in(none), None, "{none}");
        }
    }

    #[test]
    fn words_from_the_wire_are_trimmed_and_bounded() {
        assert_eq!(
            Receipt::new(" QK12ABCD34\n").map(|r| r.to_string()).as_deref(),
            Some("QK12ABCD34")
        );
        assert_eq!(Receipt::new("  "), None);
        assert_eq!(Receipt::new(&"A".repeat(65)), None);
        assert_eq!(ConversationId::new("AG\u{0}1"), None);
    }

    #[test]
    fn ids_of_a_prompt_do_not_show_the_phone_that_they_hold() {
        let text = "ws_CO_03102026141530123700000001";
        let id = CheckoutRequestId::new(&format!(" {text}\n")).expect("an id");
        assert_eq!(id.as_str(), text);
        assert!(!format!("{id:?}").contains("700000001"));
        assert_eq!(CheckoutRequestId::new(&"w".repeat(65)), None);
        assert_eq!(MerchantRequestId::new(" "), None);
    }
}
