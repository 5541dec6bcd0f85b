//! The contract's words for payments: how one came about, and where it stands.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::domain::payout::NotOneOf;

/// The contract's word for an `Origin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// By a prompt.
    Stk,
    /// Without one.
    C2b,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Stk, Self::C2b];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stk => "stk",
            Self::C2b => "c2b",
        }
    }

    /// One letter that stands for it in the store's keys. Never changed once shipped.
    pub const fn letter(self) -> u8 {
        match self {
            Self::Stk => b's',
            Self::C2b => b'c',
        }
    }
}

impl FromStr for Kind {
    type Err = NotOneOf;

    fn from_str(text: &str) -> Result<Self, NotOneOf> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| NotOneOf(Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// The contract's word for a state, and one more for what is in no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Asked for, and not ended yet.
    Pending,
    /// The payer may or may not have paid.
    Unknown,
    /// Paid.
    Succeeded,
    /// Not paid.
    Failed,
    /// The same money as another payment: not the contract's, in no list and in no sum.
    Joined,
}

impl Status {
    /// Every status, in the order of a payment's life.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Unknown, Self::Succeeded, Self::Failed, Self::Joined];
    /// Those of the contract: of payments that are listed.
    pub const LISTED: [Self; 4] = [Self::Pending, Self::Unknown, Self::Succeeded, Self::Failed];

    /// The contract's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Unknown => "unknown",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Joined => "joined",
        }
    }

    /// One letter that stands for it in the store's keys. Never changed once shipped.
    pub const fn letter(self) -> u8 {
        match self {
            Self::Pending => b'w',
            Self::Unknown => b'u',
            Self::Succeeded => b'p',
            Self::Failed => b'f',
            Self::Joined => b'j',
        }
    }

    /// Whether payments of it stand in lists.
    pub const fn is_listed(self) -> bool {
        !matches!(self, Self::Joined)
    }

    /// Whether the clock no longer moves it.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Joined)
    }
}

impl FromStr for Status {
    type Err = NotOneOf;

    /// One of the contract's words.
    fn from_str(text: &str) -> Result<Self, NotOneOf> {
        Self::LISTED
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| NotOneOf(Self::LISTED.map(Self::as_str).join(", ")))
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
