//! Whether a C2B payment is to be taken, asked before it is made (spec/daraja.md §2.2): pure rules,
//! so that an answer is there well within M-Pesa's eight seconds.
//!
//! Only a payment's validation can turn it down; its confirmation cannot.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::notice::{C2bNotice, NoticeKind};
use crate::domain::id::AppId;
use crate::domain::limit::AmountLimits;
use crate::domain::money::Amount;
use crate::domain::party::Msisdn;
use crate::domain::time::Timestamp;

/// The longest pattern, in characters: an account has at most 20 (spec/daraja.md §6).
pub const PATTERN_LEN_MAX: usize = 64;

/// Which payments are taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Our numbers, as they stand on the wire; empty: any.
    pub shortcodes: Vec<String>,
    /// The accounts that payers may type; empty: any.
    pub accounts: Vec<Pattern>,
    /// How much may be paid.
    pub amounts: AmountLimits,
    /// What is done with an account that is not among the expected references.
    pub unlisted: Unlisted,
}

impl Default for Rules {
    /// What M-Pesa itself takes: 1 to 250,000 shillings, for any account (spec/daraja.md §6).
    fn default() -> Self {
        Self {
            shortcodes: vec![],
            accounts: vec![],
            amounts: AmountLimits {
                least: Amount::from_shillings(1),
                most: AmountLimits::default().most,
            },
            unlisted: Unlisted::Taken,
        }
    }
}

/// What is done with an account that is not among the expected references.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unlisted {
    /// It is taken, if a pattern fits it.
    Taken,
    /// It is turned down: only expected references can be paid.
    TurnedDown,
}

/// A reference that somebody is expected to pay, from an import.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expected {
    /// What the payer is to type.
    pub reference: String,
    /// Exactly how much; `None`: any amount.
    pub amount: Option<Amount>,
    /// Who is to pay; `None`: anybody.
    pub phone: Option<Msisdn>,
    /// Until when; `None`: without end.
    pub expires_at: Option<Timestamp>,
    /// How often it may be paid.
    pub times: Times,
    /// How many payments have come for it.
    pub paid: u32,
    /// Whose the payment will be.
    pub app: Option<AppId>,
    /// What M-Pesa is to bring back in the confirmation, at most 64 characters.
    pub third_party_id: Option<String>,
}

impl Expected {
    /// As it stands once it is imported over `before`: how often it was paid is known here only,
    /// and no import says otherwise.
    #[must_use]
    pub fn over(self, before: Option<&Self>) -> Self {
        match before {
            Some(before) => Self {
                paid: before.paid,
                third_party_id: self.third_party_id.or_else(|| before.third_party_id.clone()),
                ..self
            },
            None => self,
        }
    }

    /// As it stands once another payment has come for it.
    #[must_use]
    pub fn paid_again(self) -> Self {
        Self { paid: self.paid.saturating_add(1), ..self }
    }
}

impl fmt::Debug for Expected {
    /// Without the reference: it may be a phone or a name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expected")
            .field("amount", &self.amount)
            .field("expires_at", &self.expires_at)
            .field("times", &self.times)
            .field("paid", &self.paid)
            .finish_non_exhaustive()
    }
}

/// How often an expected reference may be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Times {
    /// Once, as an invoice.
    Once,
    /// As often as somebody likes, as an account.
    Many,
}

/// What M-Pesa is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The payment is taken.
    Accept {
        /// What M-Pesa is to bring back in the confirmation.
        third_party_id: Option<String>,
    },
    /// The payment is turned down: M-Pesa cancels it.
    Reject(Refusal),
}

/// Why a payment is turned down (spec/daraja.md §2.2; spec/soap.md §7.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
pub enum Refusal {
    /// Another payer is expected.
    #[error("another phone is expected to pay this")]
    Phone,
    /// The account is not known, not expected, expired, or paid already.
    #[error("the account cannot be paid")]
    Account,
    /// The amount is not the expected one, or outside of the limits.
    #[error("the amount cannot be paid")]
    Amount,
    /// What the payer's identity should have been.
    #[error("the payer's details do not fit")]
    Kyc,
    /// The number is none of ours.
    #[error("the short code is not ours")]
    ShortCode,
    /// Anything else, such as an application's own no.
    #[error("the payment is not taken")]
    Other,
}

impl Refusal {
    /// Every reason, in the order of its code.
    pub const ALL: [Self; 6] =
        [Self::Phone, Self::Account, Self::Amount, Self::Kyc, Self::ShortCode, Self::Other];

    /// M-Pesa's code for it.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Phone => "C2B00011",
            Self::Account => "C2B00012",
            Self::Amount => "C2B00013",
            Self::Kyc => "C2B00014",
            Self::ShortCode => "C2B00015",
            Self::Other => "C2B00016",
        }
    }

    /// The reason that M-Pesa's code stands for; an application answers with one.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }
}

/// Whether the payment of which `notice` asks is to be taken. `expected` is the expected reference
/// that it names (see [`account_key`]), if there is one.
pub fn validate(
    rules: &Rules,
    notice: &C2bNotice,
    expected: Option<&Expected>,
    now: Timestamp,
) -> Answer {
    match refusal(rules, notice, expected, now) {
        Some(refusal) => Answer::Reject(refusal),
        None => Answer::Accept {
            third_party_id: expected.and_then(|expected| expected.third_party_id.clone()),
        },
    }
}

fn refusal(
    rules: &Rules,
    notice: &C2bNotice,
    expected: Option<&Expected>,
    now: Timestamp,
) -> Option<Refusal> {
    if !rules.is_ours(&notice.shortcode) {
        return Some(Refusal::ShortCode);
    }
    // A till has no account: nothing is expected of what the payer typed.
    let has_account = notice.kind != NoticeKind::BuyGoods || !notice.account.is_empty();
    if has_account && !rules.knows(&notice.account, expected.is_some()) {
        return Some(Refusal::Account);
    }
    if rules.amounts.check(notice.amount).is_err() {
        return Some(Refusal::Amount);
    }
    let expected = expected?;
    let is_over = expected.expires_at.is_some_and(|end| end <= now);
    let is_paid = expected.times == Times::Once && expected.paid > 0;
    if is_over || is_paid {
        return Some(Refusal::Account);
    }
    if expected.amount.is_some_and(|amount| amount != notice.amount) {
        return Some(Refusal::Amount);
    }
    if expected.phone.is_some_and(|phone| !notice.payer.phone.fits(phone)) {
        return Some(Refusal::Phone);
    }
    None
}

impl Rules {
    /// Whether payments to `shortcode` may be ours: always, unless it is said which are.
    pub fn is_ours(&self, shortcode: &str) -> bool {
        self.shortcodes.is_empty() || self.shortcodes.iter().any(|ours| ours == shortcode)
    }

    /// Whether `account` may be paid, as far as its form goes.
    fn knows(&self, account: &str, is_expected: bool) -> bool {
        let fits = || self.accounts.iter().any(|pattern| pattern.fits(account));
        is_expected || (self.unlisted == Unlisted::Taken && (self.accounts.is_empty() || fits()))
    }
}

/// By what an account finds its expected reference: payers type as they like, so that case and
/// blanks around do not count.
pub fn account_key(account: &str) -> String {
    account.trim().to_ascii_uppercase()
}

/// A form that accounts have: `*` stands for any characters or none, `?` for one; case does not
/// count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(Vec<char>);

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to {PATTERN_LEN_MAX} characters, such as \"INV-*\" or \"????-2026\"")]
pub struct NotAPattern;

impl FromStr for Pattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        let pattern: Vec<char> = account_key(text).chars().collect();
        let fits = !pattern.is_empty() && pattern.len() <= PATTERN_LEN_MAX;
        if fits { Ok(Self(pattern)) } else { Err(NotAPattern) }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|c| fmt::Write::write_char(f, *c))
    }
}

impl Pattern {
    /// Whether `account` has this form. Takes at most as many steps as the two lengths multiplied.
    pub fn fits(&self, account: &str) -> bool {
        let text: Vec<char> = account_key(account).chars().collect();
        let (mut in_pattern, mut in_text) = (0_usize, 0_usize);
        // The last `*`, and how far the text has been taken for it.
        let mut star: Option<(usize, usize)> = None;
        while let Some(c) = text.get(in_text) {
            match self.0.get(in_pattern) {
                Some('*') => {
                    star = Some((in_pattern, in_text));
                    in_pattern = in_pattern.saturating_add(1);
                }
                Some(p) if *p == '?' || p == c => {
                    in_pattern = in_pattern.saturating_add(1);
                    in_text = in_text.saturating_add(1);
                }
                Some(_) | None => {
                    let Some((at, taken)) = star else {
                        return false;
                    };
                    let taken = taken.saturating_add(1);
                    star = Some((at, taken));
                    in_pattern = at.saturating_add(1);
                    in_text = taken;
                }
            }
        }
        self.0.iter().skip(in_pattern).all(|rest| *rest == '*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_what_they_look_like() {
        let table = [
            ("INV-*", "INV-77", true),
            ("INV-*", " inv-77 ", true),
            ("INV-*", "INV-", true),
            ("INV-*", "INV77", false),
            ("INV-*", "XINV-77", false),
            ("*-2026", "A-2025-2026", true),
            ("*-2026", "A-2026-B", false),
            ("?????", "12345", true),
            ("?????", "1234", false),
            ("A*B*C", "AxxBxBxC", true),
            ("A*B*C", "AxxCxB", false),
            ("*", "", true),
            ("**", "anything", true),
            ("house ??", "House 12", true),
        ];
        for (pattern, account, fits) in table {
            let read: Pattern = pattern.parse().expect(pattern);
            assert_eq!(read.fits(account), fits, "{pattern} {account}");
        }
        assert!("".parse::<Pattern>().is_err() && " ".parse::<Pattern>().is_err());
        assert!("x".repeat(65).parse::<Pattern>().is_err());
        assert_eq!("inv-*".parse::<Pattern>().map(|p| p.to_string()).as_deref(), Ok("INV-*"));
    }

    #[test]
    fn a_pattern_made_to_be_slow_is_not() {
        let pattern: Pattern = "*a".repeat(32).parse().expect("a pattern");
        assert!(!pattern.fits(&format!("{}b", "a".repeat(20_000))));
    }
}
