//! Prompts: what the `ResultCode` of an STK push means, in its callback and in the answer to a
//! query (spec/daraja.md §3.1).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Blame, NOT_KNOWN, is_success};

/// What M-Pesa's word about a prompt says about its payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StkClass {
    /// Money moved.
    Paid,
    /// Money did not move. A receipt that comes later all the same overrides it.
    Failed,
    /// The prompt is still open.
    StillOpen,
    /// The word settles nothing: ask again.
    Unknown,
}

/// A row of [`STK`]: a code and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StkMeaning {
    /// The code as it stands on the wire.
    pub code: &'static str,
    /// What follows for the payment.
    pub class: StkClass,
    /// Whose part it is to mend it.
    pub blame: Blame,
    /// How long to wait before the payer is prompted again, where that is known to matter.
    pub retry_after: Option<Duration>,
    /// The meaning in words, for people.
    pub says: &'static str,
}

impl StkMeaning {
    /// Whether a new prompt with the same details makes sense, once the cause is mended. What the
    /// payer did or did not do, the payer can do otherwise.
    pub const fn is_retryable(&self) -> bool {
        matches!(self.class, Failed)
            && (self.blame.is_retryable() || matches!(self.blame, Blame::Recipient))
    }
}

/// How long one prompt keeps a phone to itself, at most (spec/daraja.md §3.1, §8).
const LOCK: Duration = Duration::from_secs(60);
/// How long the same amount from the same payer is refused (spec/daraja.md §3.1).
const SAME_AGAIN: Duration = Duration::from_secs(120);

const fn s(code: &'static str, class: StkClass, blame: Blame, says: &'static str) -> StkMeaning {
    StkMeaning { code, class, blame, retry_after: None, says }
}

const fn wait(code: &'static str, after: Duration, blame: Blame, says: &'static str) -> StkMeaning {
    StkMeaning { code, class: Failed, blame, retry_after: Some(after), says }
}

use StkClass::{Failed, Paid, StillOpen, Unknown};

/// Prompts: `ResultCode` (spec/daraja.md §3.1), then the answers to a query that say that there is
/// no word yet (§1.3). The payer is the [`Blame::Recipient`] here: who the prompt went to.
pub const STK: &[StkMeaning] = &[
    s("0", Paid, Blame::Nobody, "paid"),
    s("1", Failed, Blame::Funds, "the payer's balance is insufficient"),
    s("2", Failed, Blame::Request, "below the minimum amount"),
    s("3", Failed, Blame::Request, "above the maximum amount"),
    s("4", Failed, Blame::Limit, "would exceed the payer's daily limit"),
    s("8", Failed, Blame::Configuration, "the receiving account would exceed its maximum balance"),
    wait("17", SAME_AGAIN, Blame::Limit, "the same amount from the same payer within two minutes"),
    wait("26", LOCK, Blame::Capacity, "M-Pesa is busy"),
    wait("1001", LOCK, Blame::Limit, "another prompt or session is open on this phone"),
    s("1019", Failed, Blame::Recipient, "the prompt expired"),
    s("1025", Failed, Blame::Platform, "the prompt could not be sent"),
    s("9999", Failed, Blame::Platform, "the prompt could not be sent"),
    s("1032", Failed, Blame::Recipient, "the payer cancelled"),
    s("1031", Failed, Blame::Recipient, "the payer cancelled or gave no PIN"),
    s("1037", Failed, Blame::Recipient, "the phone could not be reached, or nobody answered"),
    s("2001", Failed, Blame::Recipient, "the payer's PIN was wrong"),
    s("2028", Failed, Blame::Configuration, "not permitted: wrong type of payment or receiver"),
    s("8006", Failed, Blame::Request, "the payer's PIN is locked"),
    s("SFC_IC0003", Failed, Blame::Configuration, "the receiving short code does not exist"),
    s("4999", StillOpen, Blame::Nobody, "still under processing"),
    s("500.001.1001:processing", StillOpen, Blame::Nobody, "still under processing"),
    s("400.002.02:checkout", Unknown, Blame::Nobody, "the prompt is not known yet"),
    s(
        "500.001.1001:no_transaction",
        Unknown,
        Blame::Nobody,
        "M-Pesa knows no such prompt, it says",
    ),
];

/// What the code of a callback or of a query's answer means for a prompt. A code that stands
/// nowhere settles nothing (spec/daraja.md §3.1, last row).
pub fn stk(code: &str) -> StkMeaning {
    let code = if is_success(code) { "0" } else { code };
    let unknown = s("", Unknown, Blame::Unknown, NOT_KNOWN);
    STK.iter().find(|row| row.code == code).copied().unwrap_or(unknown)
}

/// How long to wait before the payer is prompted again, where a refusal of a prompt or its result
/// says that time mends it.
pub fn prompt_again_after(code: &str) -> Option<Duration> {
    match code {
        "500.001.1001:locked" => Some(LOCK),
        _ => stk(code).retry_after,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_payer_did_never_stops_a_rail() {
        for row in STK {
            assert!(!row.blame.stops_the_rail(), "{}", row.code);
        }
    }

    #[test]
    fn only_zeros_are_paid_and_only_known_codes_settle() {
        for code in ["0", "00"] {
            assert_eq!(stk(code).class, Paid, "{code}");
        }
        for row in STK.iter().filter(|row| row.code != "0") {
            assert_ne!(stk(row.code).class, Paid, "{}", row.code);
        }
        for code in ["", "0x", "11", "-1", "1033", "500.001.1001", "http.500", "unreadable"] {
            assert_eq!(stk(code).class, Unknown, "{code}");
        }
        for code in ["4999", "500.001.1001:processing"] {
            assert_eq!(stk(code).class, StillOpen, "{code}");
        }
    }

    #[test]
    fn who_has_to_wait_is_told_how_long() {
        assert_eq!(stk("17").retry_after, Some(Duration::from_secs(120)));
        assert_eq!(stk("1001").retry_after, Some(Duration::from_secs(60)));
        assert_eq!(stk("1032").retry_after, None);
        assert_eq!(prompt_again_after("500.001.1001:locked"), Some(Duration::from_secs(60)));
        assert_eq!(stk("500.001.1001:locked").class, Unknown, "it speaks of another prompt");
        for code in ["1", "17", "1001", "1032", "1037", "2001"] {
            assert!(stk(code).is_retryable(), "{code}");
        }
        for code in ["0", "2", "3", "8006", "4999", "77"] {
            assert!(!stk(code).is_retryable(), "{code}");
        }
    }
}
