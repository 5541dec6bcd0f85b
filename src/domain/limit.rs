//! Limits of what a payout may be, checked before it is taken (contract, part 2).

use serde::{Deserialize, Serialize};

use super::money::Amount;

/// The longest `reference` of a payout, in characters.
pub const REFERENCE_LEN_MAX: usize = 64;
/// The longest `remarks`: M-Pesa takes 255 (spec/soap.md §10, 15).
pub const REMARKS_LEN_MAX: usize = 255;
/// The longest `occasion`, in characters.
pub const OCCASION_LEN_MAX: usize = 255;
/// The most `metadata` entries.
pub const METADATA_ENTRIES_MAX: usize = 20;
/// The longest `metadata` key, in characters.
pub const METADATA_KEY_LEN_MAX: usize = 40;
/// The longest `metadata` value, in characters.
pub const METADATA_VALUE_LEN_MAX: usize = 500;

/// What one payout may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmountLimits {
    /// The least, inclusive.
    pub least: Amount,
    /// The most, inclusive.
    pub most: Amount,
}

impl Default for AmountLimits {
    /// 10 to 250,000 shillings (contract, part 2).
    fn default() -> Self {
        Self { least: Amount::from_shillings(10), most: Amount::from_shillings(250_000) }
    }
}

/// Why an amount may not be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfLimits {
    /// Cents.
    #[error("must be whole shillings: M-Pesa pays no cents")]
    Cents,
    /// Below the least.
    #[error("must be at least {0}")]
    BelowLeast(Amount),
    /// Above the most.
    #[error("must be at most {0}")]
    AboveMost(Amount),
}

impl AmountLimits {
    /// Whether `amount` may be paid.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, amount: Amount) -> Result<(), OutOfLimits> {
        if !amount.is_whole_shillings() {
            return Err(OutOfLimits::Cents);
        }
        if amount < self.least {
            return Err(OutOfLimits::BelowLeast(self.least));
        }
        if amount > self.most {
            return Err(OutOfLimits::AboveMost(self.most));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_at_the_limits_pass_and_beyond_them_fail() {
        let limits = AmountLimits::default();
        let table = [
            ("10", Ok(())),
            ("250000", Ok(())),
            ("9", Err(OutOfLimits::BelowLeast(limits.least))),
            ("0", Err(OutOfLimits::BelowLeast(limits.least))),
            ("250001", Err(OutOfLimits::AboveMost(limits.most))),
            ("10.50", Err(OutOfLimits::Cents)),
        ];
        for (text, verdict) in table {
            assert_eq!(limits.check(text.parse().expect(text)), verdict, "{text}");
        }
    }
}
