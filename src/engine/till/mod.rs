//! Money in: prompts are taken, callbacks and confirmations heard, payments claimed.

mod c2b;
mod claim;
mod life;
mod push;
mod recover;
mod stk;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use c2b::Validated;
pub use claim::ClaimError;
pub use push::{PushDraft, PushError, Pushed};
pub use recover::Recovered;
pub use stk::{QueryError, StkHeard};

use crate::domain::id::AppId;
use crate::domain::inquiry::{self, PaidTo};
use crate::domain::limit::AmountLimits;
use crate::domain::party::Msisdn;
use crate::domain::payment::Policy;
use crate::domain::payment::validation::{Pattern, Rules};
use crate::domain::text::{Occasion, Template};

/// What the engine is told of money in, once, at its start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our number that prompts are paid to, as it stands on the wire.
    pub shortcode: String,
    /// What kind of number that is.
    pub paid_to: PaidTo,
    /// Our number whose payments are pulled: where prompts are paid to a till, its head office's.
    pub pulls: String,
    /// The pace of a prompt's life.
    pub policy: Policy,
    /// The pace of an inquiry's life.
    pub inquiries: inquiry::Policy,
    /// What one prompt may ask for.
    pub amounts: AmountLimits,
    /// Which C2B payments are taken.
    pub rules: Rules,
    /// Whose a C2B payment is; the first that fits counts.
    pub routes: Vec<Route>,
    /// What payers and payees are told.
    pub templates: BTreeMap<Occasion, Template>,
    /// How long a validation may take in all, whatever happens: M-Pesa waits for eight seconds.
    pub validation_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        let shilling = crate::domain::money::Amount::from_shillings(1);
        Self {
            shortcode: "174379".to_owned(),
            paid_to: PaidTo::PayBill,
            pulls: "174379".to_owned(),
            policy: Policy::default(),
            inquiries: inquiry::Policy::default(),
            amounts: AmountLimits { least: shilling, ..AmountLimits::default() },
            rules: Rules::default(),
            routes: vec![],
            templates: BTreeMap::new(),
            validation_timeout: Duration::from_secs(5),
        }
    }
}

/// Whose payments to some accounts are.
#[derive(Clone, Debug)]
pub struct Route {
    /// Which accounts.
    pub accounts: Pattern,
    /// Whose.
    pub app: AppId,
}

/// Phones for which a prompt is being taken in: one at a time, so that two requests at once do not
/// both find the phone free.
#[derive(Debug, Default)]
pub(super) struct Phones(Mutex<HashSet<Msisdn>>);

impl Phones {
    /// `None` while another is being taken in for it.
    fn hold(&self, phone: Msisdn) -> Option<Held<'_>> {
        let mut phones = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Made only where it is held: to drop one is to free the phone.
        phones.insert(phone).then(|| Held { phones: self, phone })
    }
}

/// A phone that is held; dropped, it is free.
struct Held<'a> {
    phones: &'a Phones,
    phone: Msisdn,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let mut phones = self.phones.0.lock().unwrap_or_else(PoisonError::into_inner);
        phones.remove(&self.phone);
    }
}
