//! What stands in an organisation's accounts, as M-Pesa reports it (spec/daraja.md §2.3;
//! spec/soap.md §5.4). Unlike an amount, a balance may be below zero.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::told;

/// The most accounts that one answer is read for: an organisation has five.
const ACCOUNTS_MAX: usize = 100;
/// The longest name of an account or currency that is kept, in characters.
const NAME_LEN_MAX: usize = 100;

/// A balance in Kenyan shillings, in cents; it may be below zero.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Balance(i64);

impl Balance {
    /// From cents.
    pub const fn from_cents(cents: i64) -> Self {
        Self(cents)
    }

    /// In cents.
    pub const fn cents(self) -> i64 {
        self.0
    }

    /// Reads `1025.00`, `-60`, `1,500.5`; anything else is no balance.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let cents = i64::try_from(told::amount(digits)?.cents()).ok()?;
        Some(Self(if is_negative { cents.saturating_neg() } else { cents }))
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        let whole = cents.checked_div(100).unwrap_or_default();
        let rest = cents.checked_rem(100).unwrap_or_default();
        f.pad(&format!("{sign}{whole}.{rest:02}"))
    }
}

impl fmt::Debug for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KES {self}")
    }
}

/// One account of an organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountBalance {
    /// Its name, such as `Utility Account`.
    pub name: String,
    /// Its currency, `KES`.
    pub currency: String,
    /// What stands in it.
    pub current: Option<Balance>,
    /// What of it may be spent.
    pub available: Option<Balance>,
    /// What of it is held back.
    pub reserved: Option<Balance>,
    /// What has not cleared yet.
    pub uncleared: Option<Balance>,
}

/// Reads `Name|KES|current|available|reserved|uncleared` joined by `&`: the parameter
/// `AccountBalance` of a balance's result. Pieces of another form are left out.
pub fn accounts(text: &str) -> Vec<AccountBalance> {
    text.split('&').take(ACCOUNTS_MAX).filter_map(account).collect()
}

fn account(text: &str) -> Option<AccountBalance> {
    let mut words = text.split('|').map(str::trim);
    let name = words.next().filter(|name| !name.is_empty())?;
    let currency = words.next()?;
    let mut next = || words.next().and_then(Balance::read);
    let (current, available, reserved, uncleared) = (next(), next(), next(), next());
    current?;
    let cut = |text: &str| text.chars().take(NAME_LEN_MAX).collect();
    let name = cut(name);
    Some(AccountBalance { name, currency: cut(currency), current, available, reserved, uncleared })
}

/// Reads `{Amount={CurrencyCode=KES, MinimumAmount=618683, BasicAmount=6186.83}}`, in which the
/// order varies (spec/daraja.md §2.3): the balances in the results of payments to businesses.
pub fn braced(text: &str) -> Option<Balance> {
    let bare = text.replace(['{', '}'], ",");
    let value = |name: &str| {
        bare.split(',').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    // `MinimumAmount` is the same in cents.
    value("BasicAmount").and_then(|basic| Balance::read(&basic)).or_else(|| {
        value("MinimumAmount").and_then(|cents| cents.parse().ok()).map(Balance::from_cents)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balances_may_be_below_zero_and_are_exact() {
        let table = [
            ("1025.00", Some(102_500)),
            ("-60", Some(-6_000)),
            ("0.05", Some(5)),
            ("1,500.5", Some(150_050)),
            ("", None),
            ("--5", None),
            ("1e3", None),
            ("much", None),
        ];
        for (text, cents) in table {
            assert_eq!(Balance::read(text), cents.map(Balance::from_cents), "{text}");
        }
        assert_eq!(Balance::from_cents(-6_005).to_string(), "-60.05");
        assert_eq!(Balance::from_cents(7).to_string(), "0.07");
    }

    #[test]
    fn accounts_are_read_from_their_line() {
        let line = "Working Account|KES|481000.00|481000.00|0.00|0.00&Float Account|KES|0.00|0.00|\
            0.00|0.00&Charges Paid Account|KES|-1540.00|-1540.00|0.00|0.00&broken&|KES|1.00";
        let told = accounts(line);
        let short: Vec<_> =
            told.iter().map(|account| (account.name.as_str(), account.available)).collect();
        assert_eq!(
            short,
            [
                ("Working Account", Some(Balance::from_cents(48_100_000))),
                ("Float Account", Some(Balance::default())),
                ("Charges Paid Account", Some(Balance::from_cents(-154_000))),
            ]
        );
        assert_eq!(accounts(""), []);
    }

    #[test]
    fn braced_balances_are_read_in_any_order() {
        let table = [
            ("{Amount={CurrencyCode=KES, MinimumAmount=618683, BasicAmount=6186.83}}", 618_683),
            ("{Amount={BasicAmount=6186.83, MinimumAmount=618683, CurrencyCode=KES}}", 618_683),
            ("{Amount={CurrencyCode=KES, MinimumAmount=-5}}", -5),
        ];
        for (text, cents) in table {
            assert_eq!(braced(text), Some(Balance::from_cents(cents)), "{text}");
        }
        for text in ["", "{}", "{Amount=5}", "5.00"] {
            assert_eq!(braced(text), None, "{text}");
        }
    }
}
