//! The sections, typed.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::secret::Secret;
use super::value::{StoreUrl, WebOrigin};
use crate::domain::limit::AmountLimits;
use crate::domain::money::Amount;
use crate::domain::party::ShortCode;
use crate::domain::payment;
use crate::domain::payment::validation::{Pattern, Rules};
use crate::domain::payout::{Policy, Rail};
use crate::domain::text::{Occasion, Template};
use crate::domain::time::Timestamp;
use crate::tls::{Fingerprint, IdentityFiles, ServerSettings};

/// `[api]`: the REST API and the metrics.
#[derive(Clone, Debug)]
pub struct Api {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Its encryption; `None`: plain HTTP.
    pub tls: Option<ServerSettings>,
    /// The authority of its certificate, for the shell.
    pub tls_ca: Option<PathBuf>,
    /// How many connections may be open at once.
    pub max_connections: usize,
    /// The largest request body, in bytes.
    pub max_body_bytes: usize,
    /// How long a client may take over a request's head.
    pub header_timeout: Duration,
    /// How long a client may take over a request's body.
    pub body_timeout: Duration,
    /// How often it may be asked.
    pub pace: ApiPace,
    /// Whether metrics are for whoever reaches it.
    pub open_metrics: bool,
}

/// How often the API may be asked; 0: as often as anybody likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiPace {
    /// Requests a second of one application.
    pub per_key: u32,
    /// Requests a second of one peer.
    pub per_peer: u32,
    /// Requests at once after a rest.
    pub burst: u32,
    /// Requests a minute of one peer with a wrong key.
    pub wrong_keys: u32,
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
    /// One that is still taken after it was changed.
    pub previous_token: Option<Secret>,
    /// Its encryption; `None`: plain HTTP.
    pub tls: Option<ServerSettings>,
    /// The names one of which a caller's certificate must be for; empty: any.
    pub client_names: Vec<String>,
    /// A second address, in plain HTTP.
    pub plain_listen: Option<SocketAddr>,
    /// Source networks that may call; empty: any.
    pub allow: Vec<IpNet>,
    /// How many connections may be open at once.
    pub max_connections: usize,
    /// The largest message, in bytes.
    pub max_body_bytes: usize,
    /// Calls a minute of one peer that are turned away.
    pub wrong_calls: u32,
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
    /// When that was set, as far as somebody said so or a file shows it.
    pub password_set_on: Option<Timestamp>,
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
    /// The way to M-Pesa of payouts that name none.
    pub rail: Rail,
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
    pub url: WebOrigin,
    /// Who we are to it.
    pub provider: Provider,
    /// How to get there.
    pub way: Way,
    /// How to talk to it.
    pub link: Link,
    /// Where its own WSDL and XSD files lie, which each request is held against.
    pub wsdl_dir: Option<PathBuf>,
}

/// `[broker]`: how to get there: encryption, and from where.
#[derive(Clone, Debug)]
pub struct Way {
    /// The authorities that its certificate must come from; `None`: this machine's.
    pub ca: Option<PathBuf>,
    /// Our certificate and its key.
    pub identity: Option<IdentityFiles>,
    /// The name in its certificate, where that is not the host.
    pub server_name: Option<String>,
    /// If there are any, its certificate must be one of these.
    pub pins: Vec<Fingerprint>,
    /// Whether OpenSSL speaks to it, because it is too old for rustls.
    pub old: bool,
    /// The address that requests leave from.
    pub local_address: Option<IpAddr>,
    /// The interface that they leave by.
    pub interface: Option<String>,
    /// How often the way is tried while nothing is sent; zero: never.
    pub probe_every: Duration,
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

/// `[daraja]`, as far as the simulator needs it too: the app that Daraja knows, and its numbers.
#[derive(Clone, Debug)]
pub struct DarajaApp {
    /// The app's consumer key.
    pub consumer_key: Secret,
    /// The app's consumer secret.
    pub consumer_secret: Secret,
    /// The passkey of [`Self::shortcode`].
    pub passkey: Secret,
    /// The number that customers pay.
    pub shortcode: ShortCode,
    /// The short code that payouts are paid from; `None`: the organisation's.
    pub b2c_shortcode: Option<ShortCode>,
    /// The till that prompts are paid to; `None`: they are paid to the pay bill number.
    pub till: Option<ShortCode>,
}

/// `[daraja]`: M-Pesa over REST.
#[derive(Clone, Debug)]
pub struct Daraja {
    /// Where it is.
    pub url: WebOrigin,
    /// Who we are to it.
    pub app: DarajaApp,
    /// Whether M-Pesa is told our name for a payout: version 3 of B2C, and not version 1.
    pub names_payouts: bool,
    /// Whether questions call it `OriginatorConversationID`, and not `OriginalConversationID`.
    pub by_originator: bool,
    /// How to talk to it.
    pub link: DarajaLink,
    /// Certificate authorities that are trusted besides this machine's.
    pub ca: Option<PathBuf>,
}

/// `[daraja]`: how to talk to it.
#[derive(Clone, Copy, Debug)]
pub struct DarajaLink {
    /// How long to wait for an answer once a request is sent.
    pub timeout: Duration,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long sending a request may take.
    pub send_timeout: Duration,
    /// How many payouts may await their answer at once, and how many other calls.
    pub max_in_flight: u32,
    /// How many requests may be sent to one interface per second.
    pub max_per_second: u32,
    /// The pause between questions about prompts.
    pub stk_query_every: Duration,
}

/// `[stk]`: prompts.
#[derive(Clone, Debug)]
pub struct Stk {
    /// The pace of a prompt's life.
    pub policy: payment::Policy,
    /// The least and the most that one may ask for.
    pub amounts: AmountLimits,
}

/// `[c2b]`: payments that come by themselves.
#[derive(Clone, Debug)]
pub struct C2b {
    /// Which are taken.
    pub rules: Rules,
    /// Whose they are; the first that fits counts.
    pub routes: Vec<Route>,
    /// Who is asked whether to take one; the first that fits counts.
    pub ask: Vec<Ask>,
    /// How long a validation may take in all.
    pub validation_timeout: Duration,
    /// How payments are pulled whose confirmations are missing; `None`: not at all.
    pub pull: Option<Pull>,
}

/// `[[c2b.routes]]`: whose payments to some accounts are.
#[derive(Clone, Debug)]
pub struct Route {
    /// The accounts; one of these forms.
    pub accounts: Vec<Pattern>,
    /// The application's name.
    pub app: String,
}

/// `[[c2b.ask]]`: who is asked whether to take a payment.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The accounts; one of these forms.
    pub accounts: Vec<Pattern>,
    /// Who is asked.
    pub url: String,
    /// How long he may take.
    pub deadline: Duration,
    /// Whether it is taken when he does not answer in time.
    pub accept_by_default: bool,
}

/// How payments are pulled.
#[derive(Clone, Copy, Debug)]
pub struct Pull {
    /// How often.
    pub every: Duration,
    /// How far back each time.
    pub window: Duration,
}

/// `[sms]`, as far as the simulator needs it too: the account at Africa's Talking.
#[derive(Clone, Debug)]
pub struct SmsAccount {
    /// The account.
    pub username: String,
    /// Its key.
    pub api_key: Secret,
    /// The sender id.
    pub from: Option<String>,
}

/// `[sms]`: text messages.
#[derive(Clone, Debug)]
pub struct Sms {
    /// Where Africa's Talking is.
    pub url: String,
    /// Who we are to it.
    pub account: SmsAccount,
    /// How long to wait for an answer.
    pub timeout: Duration,
    /// Certificate authorities that are trusted besides this machine's.
    pub ca: Option<PathBuf>,
    /// What is said on each occasion; on others nothing is.
    pub templates: BTreeMap<Occasion, Template>,
}

/// `[simulator]`: only for `mlango simulate`.
#[derive(Clone, Debug)]
pub struct Simulator {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What the organisation's simulated account holds at the start.
    pub balance: Amount,
    /// Where it speaks TLS and asks for a certificate.
    pub tls_listen: Option<SocketAddr>,
    /// Where it speaks TLS and asks for none.
    pub https_listen: Option<SocketAddr>,
    /// Its certificate and key, and the authorities of the others.
    pub tls: Option<ServerSettings>,
}

/// `[test]`: only for tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The clock that the gateway goes by: that of the simulator which is all that it calls.
    pub clock: TestClock,
    /// What identifiers follow from; `None`: from chance.
    pub seed: Option<u64>,
}

/// Where the clock is that testers steer: at an address of this machine, in plain HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestClock {
    /// The whole address, for people.
    pub url: String,
    /// Its address as a number; one of IPv6 without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Its path.
    pub path: String,
}

/// `[log]`: what is written to standard error, or to a file.
#[derive(Clone, Debug)]
pub struct Log {
    /// Such as `info,mlango::rail=debug`.
    pub level: String,
    /// For people or for machines.
    pub format: LogFormat,
    /// The file; `None`: standard error.
    pub file: Option<LogFile>,
}

/// `[log]`: the file.
#[derive(Clone, Debug)]
pub struct LogFile {
    /// Where it is.
    pub path: PathBuf,
    /// How long it may become, in bytes.
    pub rotate_bytes: u64,
    /// How many are kept besides it.
    pub keep: u32,
}

/// `[telemetry]`: where traces go.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The collector, without `/v1/traces`.
    pub otlp_url: String,
    /// Headers that it wants: `name=value`, with commas between.
    pub headers: Option<Secret>,
    /// How many of a hundred traces are sent.
    pub sample_percent: u32,
    /// What the gateway is called there.
    pub service_name: String,
    /// Authorities that are trusted besides the machine's own.
    pub ca: Option<PathBuf>,
}

/// How a line of the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}
