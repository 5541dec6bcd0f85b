//! Scenarios: what becomes of which request, by rules in a file (contract, part 4). Pure, but for
//! `control`.
//!
//! A [`Scenario`] is a list of [`Rule`]s; the first whose [`When`] a request meets says by its
//! [`Then`] what becomes of it. One vocabulary serves both interfaces: a rule ends in a
//! [`Behaviour`] of [`super::script`] and in [`Fault`]s of [`super::daraja::faults`], which SOAP
//! and Daraja each carry out in their own words. `docs/scenarios.md` describes the file.
//!
//! What a tester laid down for one id goes before a rule, a rule before what a phone selects, and
//! that before what a seed draws.
//!
//! - `tree` is what was written, with its lines; `read` judges it; `words` are its keys and names.
//! - `stage` is a scenario at work: it counts, remembers and draws.
//! - `traffic` is a request as rules see it; `soap` says Daraja's faults in SOAP.
//! - [`ready`] are those that ship.

mod control;
mod fault;
mod play;
mod reach;
mod read;
mod reader;
pub mod ready;
mod soap;
mod stage;
mod traffic;
mod tree;
pub mod words;

pub(super) use control::{current, play, stop};
pub use fault::{Fault as Wrong, Faults};
pub(super) use soap::wrong as soap_wrong;
pub use stage::Line;
pub(super) use stage::{Stage, Verdict};
pub(super) use traffic::{Traffic, by_daraja, by_soap, of_customer, of_text};

use std::ops::RangeInclusive;
use std::time::Duration;

use super::daraja::Api;
use super::daraja::faults::Fault;
use super::script::Behaviour;
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, ShortCode};

/// The longest scenario, in bytes.
pub const BYTES_MAX: usize = 256 * 1024;
/// The most rules that one has.
pub const RULES_MAX: usize = 500;
/// The most values that one key lists.
pub const LIST_MAX: usize = 1_000;
/// The most changes of the float.
pub const FLOATS_MAX: usize = 100;
/// The longest time that a key says: a month.
pub const TIME_MAX: Duration = Duration::from_secs(31 * 24 * 60 * 60);
/// What [`When::share`] is out of.
pub const OUT_OF: u16 = 10_000;

/// A scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What it is called.
    pub name: String,
    /// What it is about, in one line.
    pub says: String,
    /// Its rules, in the order in which they are asked.
    pub rules: Vec<Rule>,
    /// When the organisation's accounts hold what.
    pub floats: Vec<Float>,
}

impl Scenario {
    /// Reads one from TOML.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line and key.
    pub fn parse(text: &str) -> Result<Self, Faults> {
        within(text)?;
        read::scenario(&tree::toml(text)?)
    }

    /// Reads one from JSON, which has the same keys.
    ///
    /// # Errors
    /// All that is wrong with it, each with its key.
    pub fn parse_json(text: &str) -> Result<Self, Faults> {
        within(text)?;
        read::scenario(&tree::json(text)?)
    }
}

fn within(text: &str) -> Result<(), Faults> {
    if text.len() <= BYTES_MAX {
        return Ok(());
    }
    let what = format!("has {} bytes; {BYTES_MAX} are the most", text.len());
    Err(Faults::one(Wrong { line: None, key: String::new(), what }))
}

/// What becomes of certain requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// What it is called.
    pub name: String,
    /// Which requests.
    pub when: When,
    /// What becomes of them.
    pub then: Then,
    /// `when` and `then` as they were written.
    pub written: serde_json::Value,
}

/// Which of the two interfaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// The SOAP broker.
    Soap,
    /// Daraja.
    Daraja,
}

/// Which requests a rule is about: those that meet all of it. What lists nothing is met by all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// Over which interface they came.
    pub interface: Option<Interface>,
    /// What they ask for.
    pub apis: Vec<Api>,
    /// The phone that they are about.
    pub phones: Vec<Msisdn>,
    /// How its number ends.
    pub endings: Vec<String>,
    /// The amount that they are about.
    pub amount: Option<RangeInclusive<Amount>>,
    /// Their `CommandID`.
    pub commands: Vec<String>,
    /// Who calls: by consumer key, `spId`, `serviceId`, initiator or short code.
    pub apps: Vec<String>,
    /// The how-many-th try under the same name, from 1.
    pub attempt: Option<u32>,
    /// From which on, from 1, of those that meet the rest.
    pub nth: Option<u32>,
    /// Each how-many-th.
    pub every: Option<u32>,
    /// How often at most.
    pub times: Option<u32>,
    /// How many out of [`OUT_OF`], drawn by the seed.
    pub share: Option<u16>,
    /// From when on, since the scenario began, or since its cycle did.
    pub from: Duration,
    /// Until when, not included.
    pub until: Option<Duration>,
    /// After how long `from` and `until` come anew.
    pub cycle: Option<Duration>,
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Then {
    /// From its acceptance to its result.
    pub behaviour: Behaviour,
    /// What is put in its way besides.
    pub faults: Vec<Fault>,
}

/// A change of what the organisation has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Float {
    /// When, since the scenario began.
    pub at: Duration,
    /// What the account then holds.
    pub balance: Amount,
    /// Which working account; `None`: the utility account, from which payouts are made.
    pub shortcode: Option<ShortCode>,
}
