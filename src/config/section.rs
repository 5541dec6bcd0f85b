//! The sections, typed.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::secret::Secret;
use super::value::{HttpOrigin, StoreUrl};
use crate::domain::limit::AmountLimits;
use crate::domain::money::Amount;
use crate::domain::party::ShortCode;
use crate::domain::payout::Policy;

/// `[api]`: the REST API and the metrics.
#[derive(Clone, Debug)]
pub struct Api {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How many connections may be open at once.
    pub max_connections: usize,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// How long a client may take over a request's head.
    pub header_timeout: Duration,
    /// How long a client may take over a request's body.
    pub body_timeout: Duration,
}

/// `[callbacks]`: what M-Pesa calls.
#[derive(Clone, Debug)]
pub struct Callbacks {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How M-Pesa reaches it, without a slash at the end.
    pub public_url: String,
    /// The secret part of the paths: 16 to 128 hexadecimal digits.
    pub token: Secret,
    /// Source networks that may call; empty: any.
    pub allow: Vec<IpNet>,
    /// How many connections may be open at once.
    pub max_connections: usize,
    /// The largest message, in bytes.
    pub max_body_bytes: usize,
}

/// `[store]`: where the book is kept.
#[derive(Clone, Debug)]
pub struct Store {
    /// Where.
    pub url: StoreUrl,
    /// Memory for its cache.
    pub cache_bytes: u64,
}

/// `[organisation]`, as far as the simulator needs it too: who pays, and by whose hand.
#[derive(Clone, Debug)]
pub struct Operator {
    /// The short code that payouts are paid from.
    pub shortcode: ShortCode,
    /// The API operator's user name.
    pub initiator: String,
    /// The API operator's password.
    pub initiator_password: Secret,
}

/// `[organisation]`: who pays.
#[derive(Clone, Debug)]
pub struct Organisation {
    /// Its name, for people.
    pub name: String,
    /// Its short code and API operator.
    pub operator: Operator,
    /// M-Pesa's certificate (PEM or DER) that the password is encrypted with.
    pub credential_certificate: PathBuf,
}

/// `[payouts]`: what may be paid, and how long to wait.
#[derive(Clone, Debug)]
pub struct Payouts {
    /// The way to M-Pesa: `soap`.
    pub rail: &'static str,
    /// The pace of a payout's life, and of its doubts.
    pub policy: Policy,
    /// How long the first message after a start is waited for alone.
    pub first_result_wait: Duration,
    /// The least and the most that one payout may pay.
    pub amounts: AmountLimits,
}

/// `[broker]`, as far as the simulator needs it too: whom the broker knows.
#[derive(Clone, Debug)]
pub struct Provider {
    /// spId (spec/soap.md §2).
    pub sp_id: String,
    /// The password that each spPassword is made from.
    pub sp_password: Secret,
    /// serviceId.
    pub service_id: String,
}

/// `[broker]`: the SOAP rail.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Where the broker is.
    pub url: HttpOrigin,
    /// Who we are to it.
    pub provider: Provider,
    /// How to talk to it.
    pub link: Link,
}

/// `[broker]`: how to talk to it.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// How long to wait for an answer once a request is sent.
    pub timeout: Duration,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long sending a request may take.
    pub send_timeout: Duration,
    /// How many requests may await their answer at once.
    pub max_in_flight: usize,
    /// How many requests may be sent per second.
    pub max_per_second: u32,
    /// Which namespace the header has.
    pub header_namespace: HeaderNamespace,
    /// The case of the digits inside spPassword.
    pub password_case: PasswordCase,
}

/// The namespace of `RequestSOAPHeader` (spec/soap.md §1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderNamespace {
    /// Variant A, which nearly all working code uses.
    A,
    /// Variant B, which the WSDL names.
    B,
}

/// The case of the hexadecimal digits inside spPassword (spec/soap.md §2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordCase {
    /// As the official samples have it.
    Upper,
    /// As much working code has it.
    Lower,
}

/// `[simulator]`: only for `mlango simulate`.
#[derive(Clone, Debug)]
pub struct Simulator {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What the organisation's simulated account holds at the start.
    pub balance: Amount,
}

/// `[log]`: what is written to standard error.
#[derive(Clone, Debug)]
pub struct Log {
    /// Such as `info,mlango::rail=debug`.
    pub level: String,
    /// For people or for machines.
    pub format: LogFormat,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}
