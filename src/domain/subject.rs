//! What a message, an event or a case is about: one of the four things that have a life here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::id::{InquiryId, NotAnId, PaymentId, PayoutId, TextId};
use super::time::Timestamp;

/// Something that has a life in the book.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// Money out.
    Payout(PayoutId),
    /// Money in.
    Payment(PaymentId),
    /// Something asked of M-Pesa that is polled.
    Inquiry(InquiryId),
    /// A text message.
    Text(TextId),
}

impl Subject {
    /// Its kind, in one word: `payout`, `payment`, `inquiry` or `text`.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Payout(_) => "payout",
            Self::Payment(_) => "payment",
            Self::Inquiry(_) => "inquiry",
            Self::Text(_) => "text",
        }
    }

    /// One letter that stands for its kind in the store's keys. Never changed once shipped.
    pub const fn letter(self) -> u8 {
        match self {
            Self::Payout(_) => b'o',
            Self::Payment(_) => b'p',
            Self::Inquiry(_) => b'i',
            Self::Text(_) => b't',
        }
    }

    /// The 16 bytes of its id.
    pub const fn bytes(self) -> [u8; 16] {
        match self {
            Self::Payout(id) => id.bytes(),
            Self::Payment(id) => id.bytes(),
            Self::Inquiry(id) => id.bytes(),
            Self::Text(id) => id.bytes(),
        }
    }

    /// What [`Self::letter`] and [`Self::bytes`] stand for; `None` for a letter of no kind.
    pub const fn from_key(letter: u8, bytes: [u8; 16]) -> Option<Self> {
        match letter {
            b'o' => Some(Self::Payout(PayoutId::from_bytes(bytes))),
            b'p' => Some(Self::Payment(PaymentId::from_bytes(bytes))),
            b'i' => Some(Self::Inquiry(InquiryId::from_bytes(bytes))),
            b't' => Some(Self::Text(TextId::from_bytes(bytes))),
            _ => None,
        }
    }

    /// When it was made, as its id says.
    pub fn made_at(self) -> Timestamp {
        match self {
            Self::Payout(id) => id.made_at(),
            Self::Payment(id) => id.made_at(),
            Self::Inquiry(id) => id.made_at(),
            Self::Text(id) => id.made_at(),
        }
    }

    /// The payout that it is, if it is one.
    pub const fn payout(self) -> Option<PayoutId> {
        match self {
            Self::Payout(id) => Some(id),
            Self::Payment(_) | Self::Inquiry(_) | Self::Text(_) => None,
        }
    }

    /// The payment that it is, if it is one.
    pub const fn payment(self) -> Option<PaymentId> {
        match self {
            Self::Payment(id) => Some(id),
            Self::Payout(_) | Self::Inquiry(_) | Self::Text(_) => None,
        }
    }

    /// The inquiry that it is, if it is one.
    pub const fn inquiry(self) -> Option<InquiryId> {
        match self {
            Self::Inquiry(id) => Some(id),
            Self::Payout(_) | Self::Payment(_) | Self::Text(_) => None,
        }
    }

    /// The text message that it is, if it is one.
    pub const fn text(self) -> Option<TextId> {
        match self {
            Self::Text(id) => Some(id),
            Self::Payout(_) | Self::Payment(_) | Self::Inquiry(_) => None,
        }
    }
}

impl From<PayoutId> for Subject {
    fn from(id: PayoutId) -> Self {
        Self::Payout(id)
    }
}

impl From<PaymentId> for Subject {
    fn from(id: PaymentId) -> Self {
        Self::Payment(id)
    }
}

impl From<InquiryId> for Subject {
    fn from(id: InquiryId) -> Self {
        Self::Inquiry(id)
    }
}

impl From<TextId> for Subject {
    fn from(id: TextId) -> Self {
        Self::Text(id)
    }
}

impl fmt::Display for Subject {
    /// Its id as it is written: the prefix says of which kind it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Payout(id) => fmt::Display::fmt(id, f),
            Self::Payment(id) => fmt::Display::fmt(id, f),
            Self::Inquiry(id) => fmt::Display::fmt(id, f),
            Self::Text(id) => fmt::Display::fmt(id, f),
        }
    }
}

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Subject {
    type Err = NotAnId;

    /// Any id of the four kinds, as it is written.
    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let prefix = text.split_inclusive('_').next().unwrap_or_default();
        match prefix {
            PayoutId::PREFIX => text.parse().map(Self::Payout),
            PaymentId::PREFIX => text.parse().map(Self::Payment),
            InquiryId::PREFIX => text.parse().map(Self::Inquiry),
            TextId::PREFIX => text.parse().map(Self::Text),
            _ => Err(NotAnId {
                prefix: "po_, pay_, inq_ or sms_",
                text: text.chars().take(64).collect(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_what_it_writes() {
        let bytes = [7; 16];
        let all = [
            Subject::from(PayoutId::from_bytes(bytes)),
            PaymentId::from_bytes(bytes).into(),
            InquiryId::from_bytes(bytes).into(),
            TextId::from_bytes(bytes).into(),
        ];
        for subject in all {
            assert_eq!(subject.to_string().parse(), Ok(subject), "{subject}");
            assert_eq!(Subject::from_key(subject.letter(), subject.bytes()), Some(subject));
        }
        assert_eq!(Subject::from_key(b'x', bytes), None);
        for wrong in ["", "pay_", "case_01", "pay", "app_00000000000000000000000000"] {
            assert!(wrong.parse::<Subject>().is_err(), "{wrong}");
        }
    }
}
