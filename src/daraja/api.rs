//! Daraja's addresses, and what kind of thing each does (spec/daraja.md §1).

use crate::domain::inquiry::C2bVersion;

/// The version of the B2C interface (spec/daraja.md §1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum B2cVersion {
    /// Without a name of ours for the payout: a lost answer cannot be asked about.
    V1,
    /// With our OriginatorConversationID, by which M-Pesa knows a duplicate.
    V3,
}

/// An interface of Daraja's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    /// A prompt on a customer's phone.
    StkPush,
    /// What became of a prompt.
    StkQuery,
    /// Where notices of payments go.
    C2bRegister(C2bVersion),
    /// A payment of a customer who does not exist; sandbox only.
    C2bSimulate(C2bVersion),
    /// A payout.
    B2c(B2cVersion),
    /// A payment to a business, or to an account of our own.
    B2b,
    /// A payment to the revenue authority.
    Tax,
    /// What became of a transaction.
    TransactionStatus,
    /// What stands in our accounts.
    AccountBalance,
    /// Money back to a customer.
    Reversal,
    /// A QR code to pay by.
    Qr,
    /// Leave to pull payments.
    PullRegister,
    /// The payments of the last two days.
    PullQuery,
}

impl Api {
    /// Every interface.
    pub const ALL: [Self; 16] = [
        Self::StkPush,
        Self::StkQuery,
        Self::C2bRegister(C2bVersion::V1),
        Self::C2bRegister(C2bVersion::V2),
        Self::C2bSimulate(C2bVersion::V1),
        Self::C2bSimulate(C2bVersion::V2),
        Self::B2c(B2cVersion::V1),
        Self::B2c(B2cVersion::V3),
        Self::B2b,
        Self::Tax,
        Self::TransactionStatus,
        Self::AccountBalance,
        Self::Reversal,
        Self::Qr,
        Self::PullRegister,
        Self::PullQuery,
    ];

    /// Its path; always `POST` (spec/daraja.md §1).
    pub const fn path(self) -> &'static str {
        match self {
            Self::StkPush => "/mpesa/stkpush/v1/processrequest",
            Self::StkQuery => "/mpesa/stkpushquery/v1/query",
            Self::C2bRegister(C2bVersion::V1) => "/mpesa/c2b/v1/registerurl",
            Self::C2bRegister(C2bVersion::V2) => "/mpesa/c2b/v2/registerurl",
            Self::C2bSimulate(C2bVersion::V1) => "/mpesa/c2b/v1/simulate",
            Self::C2bSimulate(C2bVersion::V2) => "/mpesa/c2b/v2/simulate",
            Self::B2c(B2cVersion::V1) => "/mpesa/b2c/v1/paymentrequest",
            Self::B2c(B2cVersion::V3) => "/mpesa/b2c/v3/paymentrequest",
            Self::B2b => "/mpesa/b2b/v1/paymentrequest",
            Self::Tax => "/mpesa/b2b/v1/remittax",
            Self::TransactionStatus => "/mpesa/transactionstatus/v1/query",
            Self::AccountBalance => "/mpesa/accountbalance/v1/query",
            Self::Reversal => "/mpesa/reversal/v1/request",
            Self::Qr => "/mpesa/qrcode/v1/generate",
            Self::PullRegister => "/pulltransactions/v1/register",
            Self::PullQuery => "/pulltransactions/v1/query",
        }
    }

    /// A word for metrics, logs and the pace of each interface; versions share it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::StkPush => "stk_push",
            Self::StkQuery => "stk_query",
            Self::C2bRegister(_) => "c2b_register",
            Self::C2bSimulate(_) => "c2b_simulate",
            Self::B2c(_) => "b2c",
            Self::B2b => "b2b",
            Self::Tax => "tax",
            Self::TransactionStatus => "transaction_status",
            Self::AccountBalance => "account_balance",
            Self::Reversal => "reversal",
            Self::Qr => "qr",
            Self::PullRegister => "pull_register",
            Self::PullQuery => "pull_query",
        }
    }

    /// Whether a request moves money, and M-Pesa would not know the same one a second time:
    /// only the third version of B2C has a name of ours (spec/daraja.md §0, 3).
    pub const fn moves_money_unnamed(self) -> bool {
        match self {
            Self::StkPush | Self::B2c(B2cVersion::V1) | Self::B2b | Self::Tax | Self::Reversal => {
                true
            }
            Self::B2c(B2cVersion::V3)
            | Self::StkQuery
            | Self::C2bRegister(_)
            | Self::C2bSimulate(_)
            | Self::TransactionStatus
            | Self::AccountBalance
            | Self::Qr
            | Self::PullRegister
            | Self::PullQuery => false,
        }
    }
}
