//! What has a life of its own in the book, whatever it is: it stands somewhere, moves by
//! compare-and-set, and has a history.

use serde::{Deserialize, Serialize};

use crate::domain::id::{AppId, CheckoutRequestId, Receipt};
use crate::domain::inquiry::{self, Inquiry};
use crate::domain::party::Msisdn;
use crate::domain::payment::{self, Payment};
use crate::domain::payout::{self, Payout};
use crate::domain::subject::Subject;
use crate::domain::text::{self, Occasion, Text};

/// Something with a life of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// Money out.
    Payout(Payout),
    /// Money in.
    Payment(Payment),
    /// Something asked of M-Pesa that is polled.
    Inquiry(Inquiry),
    /// A text message.
    Text(Text),
}

impl Life {
    /// What it is.
    pub const fn subject(&self) -> Subject {
        match self {
            Self::Payout(payout) => Subject::Payout(payout.details.id),
            Self::Payment(payment) => Subject::Payment(payment.details.id),
            Self::Inquiry(inquiry) => Subject::Inquiry(inquiry.details.id),
            Self::Text(text) => Subject::Text(text.details.id),
        }
    }

    /// Where it stands.
    pub const fn standing(&self) -> Standing {
        match self {
            Self::Payout(payout) => Standing::Payout(payout.state.status()),
            Self::Payment(payment) => Standing::Payment(payment.status()),
            Self::Inquiry(inquiry) => Standing::Inquiry(inquiry.status()),
            Self::Text(text) => Standing::Text(text.status()),
        }
    }

    /// Whose it is, if it is anybody's.
    pub const fn app(&self) -> Option<AppId> {
        match self {
            Self::Payout(payout) => Some(payout.details.app),
            Self::Payment(payment) => payment.details.app,
            Self::Inquiry(inquiry) => inquiry.details.app,
            Self::Text(text) => text.details.app,
        }
    }

    /// Whether `other` was made with the same details: they never change.
    pub fn is_made_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Payout(one), Self::Payout(other)) => one.details == other.details,
            (Self::Payment(one), Self::Payment(other)) => one.details == other.details,
            (Self::Inquiry(one), Self::Inquiry(other)) => one.details == other.details,
            (Self::Text(one), Self::Text(other)) => one.details == other.details,
            (
                Self::Payout(_) | Self::Payment(_) | Self::Inquiry(_) | Self::Text(_),
                Self::Payout(_) | Self::Payment(_) | Self::Inquiry(_) | Self::Text(_),
            ) => false,
        }
    }

    /// What nothing else in the book may have while it has it.
    pub fn uniques(&self) -> Vec<Unique> {
        match self {
            Self::Payment(payment) => {
                let receipt = payment.receipt().cloned().map(Unique::Receipt);
                let checkout = payment.checkout().cloned().map(Unique::Checkout);
                receipt.into_iter().chain(checkout).collect()
            }
            Self::Text(Text { details, .. }) => {
                vec![Unique::Text(details.subject, details.occasion, details.phone)]
            }
            Self::Payout(_) | Self::Inquiry(_) => Vec::new(),
        }
    }
}

/// Something that one subject has at most, however often it is told (issue: once per receipt).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unique {
    /// The receipt of money that came in.
    Receipt(Receipt),
    /// M-Pesa's id of a prompt.
    Checkout(CheckoutRequestId),
    /// One message about a subject and an occasion to a phone.
    Text(Subject, Occasion, Msisdn),
}

impl Unique {
    /// What people call it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Receipt(_) => "receipt",
            Self::Checkout(_) => "checkout id",
            Self::Text(..) => "text message",
        }
    }
}

/// Where something stands, whatever it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Standing {
    /// A payout.
    Payout(payout::Status),
    /// A payment.
    Payment(payment::Status),
    /// An inquiry.
    Inquiry(inquiry::Status),
    /// A text message.
    Text(text::Status),
}

impl Standing {
    /// Whether nothing can follow.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Payout(status) => status.is_final(),
            Self::Payment(status) => status.is_final(),
            Self::Inquiry(status) => status.is_final(),
            Self::Text(status) => status.is_final(),
        }
    }

    /// Its word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payout(status) => status.as_str(),
            Self::Payment(status) => status.as_str(),
            Self::Inquiry(status) => status.as_str(),
            Self::Text(status) => status.as_str(),
        }
    }
}

/// Something as it shall stand.
#[derive(Clone, Debug)]
pub struct LifeWrite {
    /// As it shall stand. Its details are those that it was made with: a commit that would change
    /// them is refused as a conflict.
    pub life: Life,
    /// The version that it was decided on: 0 for a new one. Another version in the store refuses
    /// the whole commit.
    pub expected_version: u64,
}

/// Something as the store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept<T> {
    /// Where it stands.
    pub value: T,
    /// 1 when it is new, one more with each write.
    pub version: u64,
    /// The sequence number of its last event.
    pub last_event: Option<u64>,
}

impl<T> Kept<T> {
    /// The same, as something else.
    pub(super) fn map<U>(self, to: impl FnOnce(T) -> U) -> Kept<U> {
        let Self { value, version, last_event } = self;
        Kept { value: to(value), version, last_event }
    }
}
