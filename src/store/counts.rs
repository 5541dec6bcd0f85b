//! How much stands where: kept with every write, not counted.

use serde::{Deserialize, Serialize};

use super::life::{Life, Standing};
use crate::domain::inquiry;
use crate::domain::money::Amount;
use crate::domain::payment;
use crate::domain::payout::{Rail, Status};
use crate::domain::text;

/// How many payouts stand where, and how many cases are open; payments, inquiries and text
/// messages likewise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    by_rail: [RailCounts; Rail::ALL.len()],
    payments: [u64; payment::Status::ALL.len()],
    inquiries: [u64; inquiry::Status::ALL.len()],
    texts: [u64; text::Status::ALL.len()],
    open_cases: u64,
}

/// How many payouts of one rail stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct RailCounts {
    by_status: [u64; Status::ALL.len()],
    in_doubt: Amount,
}

/// Takes one from where it stood and puts it where it stands.
fn moved<S: PartialEq>(all: &[S], counts: &mut [u64], before: Option<S>, after: S) {
    for (status, count) in all.iter().zip(counts) {
        if before.as_ref() == Some(status) {
            *count = count.saturating_sub(1);
        }
        if after == *status {
            *count = count.saturating_add(1);
        }
    }
}

fn of<S: PartialEq>(all: &[S], counts: &[u64], status: S) -> u64 {
    let found = all.iter().zip(counts).find(|(known, _count)| **known == status);
    found.map(|(_known, count)| *count).unwrap_or_default()
}

impl RailCounts {
    fn moved(&mut self, before: Option<Status>, after: Status, amount: Amount) {
        moved(&Status::ALL, &mut self.by_status, before, after);
        let doubt = self.in_doubt;
        let without = if before == Some(Status::Unknown) {
            doubt.checked_sub(amount).unwrap_or_default()
        } else {
            doubt
        };
        self.in_doubt = if after == Status::Unknown {
            without.checked_add(amount).unwrap_or(without)
        } else {
            without
        };
    }
}

impl Counts {
    /// How many payouts stand at `status`.
    pub fn of(&self, status: Status) -> u64 {
        let count = |rail: &RailCounts| of(&Status::ALL, &rail.by_status, status);
        self.by_rail.iter().fold(0, |sum, rail| sum.saturating_add(count(rail)))
    }

    /// How many of those that go by `rail` stand at `status`.
    pub fn on(&self, rail: Rail, status: Status) -> u64 {
        of(&Status::ALL, &self.rail(rail).by_status, status)
    }

    /// How much money is in `unknown` payouts.
    pub fn in_doubt(&self) -> Amount {
        let add = |sum: Amount, rail: &RailCounts| sum.checked_add(rail.in_doubt).unwrap_or(sum);
        self.by_rail.iter().fold(Amount::default(), add)
    }

    /// How much of it went by `rail`.
    pub fn in_doubt_on(&self, rail: Rail) -> Amount {
        self.rail(rail).in_doubt
    }

    /// How many payments stand at `status`.
    pub fn payments(&self, status: payment::Status) -> u64 {
        of(&payment::Status::ALL, &self.payments, status)
    }

    /// How many inquiries stand at `status`.
    pub fn inquiries(&self, status: inquiry::Status) -> u64 {
        of(&inquiry::Status::ALL, &self.inquiries, status)
    }

    /// How many text messages stand at `status`.
    pub fn texts(&self, status: text::Status) -> u64 {
        of(&text::Status::ALL, &self.texts, status)
    }

    /// How many cases wait for a person.
    pub const fn open_cases(&self) -> u64 {
        self.open_cases
    }

    /// Takes account of a new open case.
    pub const fn case_opened(&mut self) {
        self.open_cases = self.open_cases.saturating_add(1);
    }

    /// Takes account of an open case that was closed.
    pub const fn case_closed(&mut self) {
        self.open_cases = self.open_cases.saturating_sub(1);
    }

    /// Takes account of something that stood at `before` (`None` when it is new) and stands now as
    /// it is.
    pub fn moved(&mut self, before: Option<Standing>, life: &Life) {
        match life {
            Life::Payout(payout) => {
                let before = before.and_then(|before| match before {
                    Standing::Payout(status) => Some(status),
                    Standing::Payment(_) | Standing::Inquiry(_) | Standing::Text(_) => None,
                });
                let (rail, amount) = (payout.details.rail, payout.details.amount);
                for (known, counts) in Rail::ALL.iter().zip(&mut self.by_rail) {
                    if *known == rail {
                        counts.moved(before, payout.status(), amount);
                    }
                }
            }
            Life::Payment(_) => {
                let all = payment::Status::ALL.map(Standing::Payment);
                moved(&all, &mut self.payments, before, life.standing());
            }
            Life::Inquiry(_) => {
                let all = inquiry::Status::ALL.map(Standing::Inquiry);
                moved(&all, &mut self.inquiries, before, life.standing());
            }
            Life::Text(_) => {
                let all = text::Status::ALL.map(Standing::Text);
                moved(&all, &mut self.texts, before, life.standing());
            }
        }
    }

    fn rail(&self, rail: Rail) -> RailCounts {
        let mut both = Rail::ALL.iter().zip(&self.by_rail);
        let found = both.find(|(known, _counts)| **known == rail);
        found.map(|(_known, counts)| *counts).unwrap_or_default()
    }
}
