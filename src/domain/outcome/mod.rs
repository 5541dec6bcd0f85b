//! What M-Pesa's codes mean: a table for answers, one for results, one for prompts.
//!
//! They rest on spec/soap.md §4.2 and §5.2–5.3 and on spec/daraja.md §3. A code that stands in its
//! table nowhere is doubt, never failure. Codes are strings: the same core sends `0`, `SFC_IC0003`
//! and `R000001`.

mod answers;
mod results;
mod stk;

use serde::{Deserialize, Serialize};

pub use answers::ANSWERS;
pub use results::{QUERIES, RESULTS};
pub use stk::{STK, StkClass, StkMeaning, prompt_again_after, stk};

/// What a synchronous answer says about the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnswerClass {
    /// Accepted for processing. Not paid: a result follows.
    Taken,
    /// The broker holds it and will pass it on: pending, not failed (spec/soap.md §10, 2).
    Cached,
    /// For certain not taken, and the same payout may be sent again later.
    TryLater,
    /// For certain not taken, and sending the same again would be refused again.
    Refused,
    /// It may or may not have been taken.
    Doubt,
}

/// What an asynchronous result says about the payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResultClass {
    /// Money moved.
    Paid,
    /// Money did not move, and will not.
    NotPaid,
    /// Not the last word.
    Pending,
    /// It may or may not have moved.
    Doubt,
}

/// What the `ResultCode` of a status query says about the question: never about the payment, whose
/// level is `TransactionStatus` (law 6; spec/soap.md §5.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueryClass {
    /// The payment was looked up: what the answer says of it counts.
    Answered,
    /// M-Pesa knows no such transaction.
    NotFound,
    /// The question was not answered. It says nothing.
    Unanswered,
}

/// Whose part it is to mend what went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blame {
    /// Nothing is wrong.
    Nobody,
    /// The payer's account lacks money.
    Funds,
    /// A limit of M-Pesa's on amount, day or balance.
    Limit,
    /// The recipient cannot take it.
    Recipient,
    /// The request was malformed or impossible.
    Request,
    /// A credential is wrong, expired or locked: every further try makes it worse (law 7).
    Credential,
    /// Something is not set up at M-Pesa or here.
    Configuration,
    /// M-Pesa is too busy, or we are too fast.
    Capacity,
    /// Something went wrong inside M-Pesa.
    Platform,
    /// Nobody knows: the code is in no table.
    Unknown,
}

/// Whether a code that blames a credential is about the initiator, who is the same whichever way
/// M-Pesa is reached, and not about the caller of one interface (spec/soap.md §4.2, §5.2).
pub fn is_about_the_operator(code: &str) -> bool {
    matches!(code.trim_start_matches('0'), "2001" | "8006" | "18")
}

impl Blame {
    /// Whether all sending must stop at once, before M-Pesa locks the operator (law 7).
    pub const fn stops_the_rail(self) -> bool {
        matches!(self, Self::Credential)
    }

    /// Whether a new payout with the same details makes sense, once the cause is mended.
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::Funds
            | Self::Limit
            | Self::Credential
            | Self::Configuration
            | Self::Capacity
            | Self::Platform => true,
            Self::Nobody | Self::Recipient | Self::Request | Self::Unknown => false,
        }
    }
}

/// A row of a table: a code and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning<Class: 'static> {
    /// The code as it stands on the wire.
    pub code: &'static str,
    /// What follows for the payout.
    pub class: Class,
    /// Whose part it is to mend it.
    pub blame: Blame,
    /// The meaning in words, for people.
    pub says: &'static str,
}

/// What is said of a code that stands in no table.
const NOT_KNOWN: &str = "a code that no table knows";
const UNKNOWN_ANSWER: Meaning<AnswerClass> =
    Meaning { code: "", class: AnswerClass::Doubt, blame: Blame::Unknown, says: NOT_KNOWN };
const UNKNOWN_RESULT: Meaning<ResultClass> =
    Meaning { code: "", class: ResultClass::Doubt, blame: Blame::Unknown, says: NOT_KNOWN };

/// Whether a code says success: one or more zeros and nothing else (spec/soap.md §4.2).
pub fn is_success(code: &str) -> bool {
    !code.is_empty() && code.bytes().all(|byte| byte == b'0')
}

/// What an answer's `ResponseCode` means. Unknown codes are doubt.
pub fn answer(code: &str) -> Meaning<AnswerClass> {
    look_up(ANSWERS, code, UNKNOWN_ANSWER)
}

/// What a result's `ResultCode` means. Unknown codes are doubt.
pub fn result(code: &str) -> Meaning<ResultClass> {
    look_up(RESULTS, code, UNKNOWN_RESULT)
}

/// What the `ResultCode` of a status query means for the question.
pub fn query(code: &str) -> Meaning<QueryClass> {
    let Meaning { code: known, blame, says, .. } = result(code);
    let unanswered = Meaning { code: known, class: QueryClass::Unanswered, blame, says };
    look_up(QUERIES, code, unanswered)
}

/// Whether an answer says that a request of this name was taken before: it is that one which will
/// have a result (spec/soap.md §4.2; spec/daraja.md §1.6, §3.2).
pub fn is_duplicate(code: &str) -> bool {
    matches!(code, "15" | "500.002.1001:duplicate")
}

fn look_up<Class: Copy>(
    table: &'static [Meaning<Class>],
    code: &str,
    unknown: Meaning<Class>,
) -> Meaning<Class> {
    let code = if is_success(code) { "0" } else { code };
    table.iter().find(|row| row.code == code).copied().unwrap_or(unknown)
}

#[cfg(test)]
mod tests {
    use super::AnswerClass::{Cached, Doubt as AnswerDoubt, Taken};
    use super::ResultClass::{Doubt, Paid};
    use super::*;

    #[test]
    fn any_number_of_zeros_is_success_and_nothing_else_is() {
        for code in ["0", "00000000", "000000000"] {
            assert_eq!(answer(code).class, Taken, "{code}");
            assert_eq!(result(code).class, Paid, "{code}");
        }
        for code in ["", "0x0", " 0", "O", "10"] {
            assert_ne!(answer(code).class, Taken, "{code}");
            assert_ne!(result(code).class, Paid, "{code}");
        }
    }

    #[test]
    fn a_code_that_no_table_knows_is_doubt() {
        for code in ["", "99", "-1", "100000099", "C2B00011", "0001"] {
            assert_eq!(answer(code).class, AnswerDoubt, "{code}");
            assert_eq!(result(code).class, Doubt, "{code}");
        }
    }

    #[test]
    fn codes_that_reuse_an_id_or_fail_inside_are_doubt_in_both_tables() {
        for code in ["15", "17"] {
            assert_eq!(answer(code).class, AnswerDoubt, "{code}");
            assert_eq!(result(code).class, Doubt, "{code}");
        }
        assert_eq!(answer("100000004").class, AnswerDoubt);
        assert_eq!(answer("100000000").class, Cached);
    }

    #[test]
    fn wrong_credentials_stop_the_rail() {
        for code in ["2001", "8006", "100000007"] {
            assert!(answer(code).blame.stops_the_rail(), "{code}");
        }
        for code in ["2001", "8006", "18"] {
            assert!(result(code).blame.stops_the_rail(), "{code}");
        }
        assert!(!result("1").blame.stops_the_rail());
    }

    /// Every code that the spec names stands in its table on purpose, and not because an unknown
    /// code happens to be doubt.
    #[test]
    fn every_code_of_the_spec_stands_in_its_table() {
        // spec/soap.md §4.2.
        let answers = "0 100000000 100000001 100000002 100000003 100000004 100000005 100000006 \
            100000007 100000008 100000009 100000010 100000011 100000012 100000013 100000014 15 17 \
            23 24 25 26 30 1001 1002 1003 1004 1005";
        // spec/soap.md §5.2, its later additions, and §5.3.
        let results = "0 1 2 3 4 5 6 7 8 11 14 17 21 1001 2001 2006 2008 2009 2010 2020 2025 2028 \
            2029 2040 2007 2033 2043 2051 2202 8006 SFC_IC0003 R000001 R000002 R002 R003 9 10 12 \
            13 15 16 18 19 20 22 28 29 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 \
            50 51 52";
        for code in answers.split_whitespace() {
            assert!(ANSWERS.iter().any(|row| row.code == code), "answer {code}");
        }
        for code in results.split_whitespace() {
            assert!(RESULTS.iter().any(|row| row.code == code), "result {code}");
        }
    }

    #[test]
    fn what_speaks_of_inquiries_or_reversals_is_doubt_about_a_payment() {
        for code in "38 39 40 48 49 2007 2033 2043 2202 R000001 R000002".split_whitespace() {
            assert_eq!(result(code).class, Doubt, "{code}");
        }
    }

    #[test]
    fn a_results_code_in_an_answer_is_doubt_though_it_stops_the_rail() {
        for code in ["2001", "8006"] {
            assert_eq!(answer(code).class, AnswerDoubt, "{code}");
            assert!(answer(code).blame.stops_the_rail(), "{code}");
        }
    }

    #[test]
    fn a_query_finds_finds_nothing_or_says_nothing() {
        for code in ["0", "00000000"] {
            assert_eq!(query(code).class, QueryClass::Answered, "{code}");
        }
        for code in ["49", "2033"] {
            assert_eq!(query(code).class, QueryClass::NotFound, "{code}");
        }
        for code in ["", "1", "15", "17", "48", "2001", "no-such-code"] {
            assert_eq!(query(code).class, QueryClass::Unanswered, "{code}");
        }
        assert!(query("2001").blame.stops_the_rail() && query("8006").blame.stops_the_rail());
    }

    #[test]
    fn no_code_stands_twice_in_a_table() {
        for (index, row) in ANSWERS.iter().enumerate() {
            assert!(ANSWERS[..index].iter().all(|other| other.code != row.code), "{}", row.code);
        }
        for (index, row) in RESULTS.iter().enumerate() {
            assert!(RESULTS[..index].iter().all(|other| other.code != row.code), "{}", row.code);
        }
        for (index, row) in STK.iter().enumerate() {
            assert!(STK[..index].iter().all(|other| other.code != row.code), "{}", row.code);
        }
    }
}
