//! What the simulator is told at the start.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::chaos::Chaos;
use crate::credential::PrivateKey;
use crate::domain::money::Amount;
use crate::domain::party::ShortCode;

/// What the simulator is told at the start. `Debug` shows no secret.
#[derive(Clone)]
pub struct Settings {
    /// Where it listens; port 0 takes any that is free.
    pub listen: SocketAddr,
    /// The one partner's `spId` (spec/soap.md §2).
    pub sp_id: String,
    /// His password, from which spPassword is made.
    pub sp_password: String,
    /// His `serviceId`.
    pub service_id: String,
    /// The organisation's API operator.
    pub initiator: String,
    /// The operator's password: what a SecurityCredential must decrypt to.
    pub initiator_password: String,
    /// The organisation that pays.
    pub shortcode: ShortCode,
    /// The key that the credential certificate belongs to (spec/soap.md §6).
    pub credential_key: PrivateKey,
    /// What the organisation's utility account holds at the start.
    pub balance: Amount,
    /// What receipts, conversation ids and delays follow from.
    pub seed: u64,
    /// How results are delivered.
    pub delivery: Delivery,
    /// How long a connection is held whose answer never comes; at most [`super::HOLD_MAX`].
    pub hold: Duration,
    /// Faults by a seed, if there are to be any.
    pub chaos: Option<Chaos>,
    /// Whom Daraja knows.
    pub daraja: DarajaSettings,
    /// Whom Africa's Talking knows.
    pub sms: SmsSettings,
}

impl Settings {
    /// Every short code of the organisation's.
    pub fn shortcodes(&self) -> impl Iterator<Item = &ShortCode> {
        let more = self.daraja.shortcodes.iter().filter(|code| **code != self.shortcode);
        std::iter::once(&self.shortcode).chain(more)
    }

    /// Whether a short code is the organisation's.
    pub fn is_ours(&self, shortcode: &ShortCode) -> bool {
        self.shortcodes().any(|ours| ours == shortcode)
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("listen", &self.listen)
            .field("sp_id", &self.sp_id)
            .field("service_id", &self.service_id)
            .field("initiator", &self.initiator)
            .field("shortcode", &self.shortcode)
            .field("balance", &self.balance)
            .field("seed", &self.seed)
            .field("delivery", &self.delivery)
            .field("hold", &self.hold)
            .field("chaos", &self.chaos)
            .field("daraja", &self.daraja)
            .field("sms", &self.sms)
            .finish_non_exhaustive()
    }
}

/// The half of the simulator that speaks Daraja (spec/daraja.md). `Debug` shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct DarajaSettings {
    /// The app's consumer key.
    pub consumer_key: String,
    /// The app's consumer secret.
    pub consumer_secret: String,
    /// The passkey, from which the `Password` of an STK push is made (spec/daraja.md §6).
    pub passkey: String,
    /// The organisation's short codes, besides the one that pays over SOAP.
    pub shortcodes: Vec<ShortCode>,
    /// What the working account of each short code holds at the start.
    pub working: Amount,
    /// How long a customer takes to answer an STK prompt.
    pub prompt_delay: Duration,
    /// How long a token is good (spec/daraja.md §4).
    pub token_life: Duration,
    /// Refuse STK queries beyond five a minute, as the sandbox does (spec/daraja.md §1.3).
    pub limit_stk_queries: bool,
}

impl Default for DarajaSettings {
    fn default() -> Self {
        Self {
            consumer_key: "simulated-consumer-key".to_owned(),
            consumer_secret: "simulated-consumer-secret".to_owned(),
            passkey: "5ec0de0f7415514a0d0e5507be10ab1e5ec0de0f7415514a0d0e5507be10ab1e".to_owned(),
            shortcodes: ["174379", "600000"].iter().filter_map(|code| code.parse().ok()).collect(),
            working: Amount::from_shillings(1_000_000),
            prompt_delay: Duration::from_secs(1),
            token_life: Duration::from_secs(3_599),
            limit_stk_queries: false,
        }
    }
}

impl fmt::Debug for DarajaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DarajaSettings")
            .field("consumer_key", &self.consumer_key)
            .field("shortcodes", &self.shortcodes)
            .field("working", &self.working)
            .field("prompt_delay", &self.prompt_delay)
            .field("token_life", &self.token_life)
            .field("limit_stk_queries", &self.limit_stk_queries)
            .finish_non_exhaustive()
    }
}

/// The half of the simulator that is Africa's Talking (spec/daraja.md §11). `Debug` shows no
/// secret.
#[derive(Clone, PartialEq, Eq)]
pub struct SmsSettings {
    /// The account.
    pub username: String,
    /// Its key.
    pub api_key: String,
    /// The sender ids that are registered; a text without one is sent from a shared number.
    pub senders: Vec<String>,
}

impl Default for SmsSettings {
    fn default() -> Self {
        Self {
            username: "sandbox".to_owned(),
            api_key: "simulated-sms-key".to_owned(),
            senders: vec!["MLANGO".to_owned()],
        }
    }
}

impl fmt::Debug for SmsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmsSettings")
            .field("username", &self.username)
            .field("senders", &self.senders)
            .finish_non_exhaustive()
    }
}

/// How results are delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// How long a result waits after its request was taken.
    pub delay: RangeInclusive<Duration>,
    /// Keep connections to a receiver open, as a bench needs; the real broker does not
    /// (spec/soap.md §1.3).
    pub keep_alive: bool,
    /// How often a result is tried that is not acknowledged with 2xx. Whether the real broker
    /// ever tries again is not established (spec/soap.md §5.8); Daraja does not
    /// (spec/daraja.md §7), and there this is not heeded.
    pub tries: u32,
    /// The pause before each further try.
    pub retry_pause: Duration,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            delay: Duration::from_millis(20)..=Duration::from_millis(50),
            keep_alive: false,
            tries: 3,
            retry_pause: Duration::from_secs(1),
        }
    }
}

impl Delivery {
    /// A delay from the range, by a number that is spread already.
    pub(super) fn delay_of(&self, number: u64) -> Duration {
        let (least, most) = (self.delay.start(), self.delay.end());
        let micros = |length: &Duration| u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
        let span = micros(most).saturating_sub(micros(least)).saturating_add(1);
        let extra = number.checked_rem(span).unwrap_or_default();
        least.saturating_add(Duration::from_micros(extra))
    }
}
