//! The verdict on a customer's system: cases that M-Pesa can put it through, what its books say
//! afterwards, what M-Pesa's ledger says, and which case fooled it. Pure.
//!
//! - [`case`] says what a case is; [`soap`], [`daraja`] and [`gateway`] are the matrices,
//!   [`shared`] what they have in common.
//! - [`books`] reads the customer's books, from CSV or JSON.
//! - [`wire`] finds what went over the wire about a case.
//! - [`judge`] compares them with the ledger, one case at a time.
//! - [`report`] is all verdicts together; [`text`], [`json`], [`junit`] and [`html`] write it.

pub mod books;
pub mod case;
pub mod daraja;
pub mod gateway;
pub mod html;
pub mod json;
pub mod judge;
pub mod junit;
mod markup;
pub mod report;
pub mod shared;
pub mod soap;
pub mod text;
pub mod wire;

use std::fmt;
use std::str::FromStr;

use self::case::{Case, Pace};

/// How the customer's system talks to M-Pesa; which matrix applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// The broker of the older interface (spec/soap.md).
    Soap,
    /// The REST API of M-Pesa's (spec/daraja.md).
    Daraja,
    /// The REST API of this gateway's: it is the gateway that talks to M-Pesa.
    Gateway,
}

impl Interface {
    /// As it is named on the command line and in reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Soap => "soap",
            Self::Daraja => "daraja",
            Self::Gateway => "gateway",
        }
    }

    /// Every case of its matrix, in order.
    pub fn cases(self, pace: Pace) -> Vec<Case> {
        match self {
            Self::Soap => soap::cases(pace),
            Self::Daraja => daraja::cases(pace),
            Self::Gateway => gateway::cases(pace),
        }
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Interface {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "soap" => Ok(Self::Soap),
            "daraja" => Ok(Self::Daraja),
            "gateway" => Ok(Self::Gateway),
            _ => Err("must be soap, daraja or gateway".to_owned()),
        }
    }
}
