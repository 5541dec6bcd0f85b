//! What M-Pesa's codes mean: a table for answers, a table for results.
//!
//! They rest on spec/soap.md §4.2 and §5.2–5.3. A code that stands in neither is doubt, never
//! failure. Codes are strings: the same core sends `0`, `SFC_IC0003` and `R000001`.

use serde::{Deserialize, Serialize};

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

const fn a(
    code: &'static str,
    class: AnswerClass,
    blame: Blame,
    says: &'static str,
) -> Meaning<AnswerClass> {
    Meaning { code, class, blame, says }
}

const fn r(
    code: &'static str,
    class: ResultClass,
    blame: Blame,
    says: &'static str,
) -> Meaning<ResultClass> {
    Meaning { code, class, blame, says }
}

use AnswerClass::{Cached, Doubt as AnswerDoubt, Refused, Taken, TryLater};
use ResultClass::{Doubt, NotPaid, Paid, Pending};

/// Answers: `ResponseCode` (spec/soap.md §4.2). All zeros stand for themselves, whatever their
/// number.
pub const ANSWERS: &[Meaning<AnswerClass>] = &[
    a("0", Taken, Blame::Nobody, "accepted for processing; not paid yet"),
    a("100000000", Cached, Blame::Nobody, "the broker holds the request and will pass it on"),
    a("100000001", TryLater, Blame::Capacity, "the broker is overloaded"),
    a("100000002", TryLater, Blame::Capacity, "the broker throttles"),
    a("100000003", TryLater, Blame::Capacity, "the broker's licence limit is exceeded"),
    a("100000004", AnswerDoubt, Blame::Platform, "internal error of the broker"),
    a("100000005", Refused, Blame::Request, "invalid input value"),
    a("100000006", Refused, Blame::Configuration, "the SP is suspended at the broker"),
    a("100000007", Refused, Blame::Credential, "the broker refused spId, spPassword or address"),
    a("100000008", Refused, Blame::Configuration, "the service is not active at the broker"),
    a("100000009", Refused, Blame::Configuration, "the API is not active at the broker"),
    a("100000010", Refused, Blame::Configuration, "insufficient permissions at the broker"),
    a("100000011", TryLater, Blame::Capacity, "the partner's request rate is exceeded"),
    a("100000012", Refused, Blame::Configuration, "the SP's account at the broker lacks balance"),
    a("100000013", Refused, Blame::Configuration, "the broker has no route"),
    a("100000014", Refused, Blame::Request, "a mandatory parameter is missing"),
    a("15", AnswerDoubt, Blame::Nobody, "this OriginatorConversationID was sent before"),
    a("17", AnswerDoubt, Blame::Platform, "internal error of the core"),
    a("23", Refused, Blame::Request, "the structure of the message is invalid"),
    a("24", Refused, Blame::Request, "a mandatory parameter is missing"),
    a("25", Refused, Blame::Request, "the format of a parameter is invalid"),
    a("26", TryLater, Blame::Capacity, "the core is busy and rejected the request"),
    a("30", Refused, Blame::Request, "the request could not be converted"),
    a("1001", Refused, Blame::Configuration, "caller information invalid, or address not allowed"),
    a("1002", Refused, Blame::Request, "the CommandID does not exist"),
    a("1003", Refused, Blame::Configuration, "the CommandID is not assigned to this caller"),
    a("1004", Refused, Blame::Request, "KeyOwner invalid"),
    a("1005", Refused, Blame::Request, "an element is invalid"),
    // Codes of results (spec/soap.md §5.2), which no source shows in an answer: what was done with
    // the request is open, and law 7 must hold all the same.
    a("2001", AnswerDoubt, Blame::Credential, "initiator information invalid, expired or locked"),
    a("8006", AnswerDoubt, Blame::Credential, "the security credential is locked"),
];

/// Results: `ResultCode`. The first part is the table of the present core (spec/soap.md §5.2), the
/// second what later material adds, the third the older core's own (§5.3).
pub const RESULTS: &[Meaning<ResultClass>] = &[
    r("0", Paid, Blame::Nobody, "processed successfully"),
    r("1", NotPaid, Blame::Funds, "the paying account's balance is insufficient"),
    r("2", NotPaid, Blame::Request, "below the minimum transaction amount"),
    r("3", NotPaid, Blame::Request, "above the maximum transaction amount"),
    r("4", NotPaid, Blame::Limit, "would exceed the daily limit"),
    r("5", NotPaid, Blame::Funds, "would fall below the minimum balance"),
    r("6", NotPaid, Blame::Configuration, "the paying party is invalid"),
    r("7", NotPaid, Blame::Recipient, "the receiving party is invalid"),
    r("8", NotPaid, Blame::Recipient, "the recipient would exceed the maximum balance"),
    r("11", NotPaid, Blame::Configuration, "the paying party is in an invalid state"),
    r("14", NotPaid, Blame::Recipient, "the receiving party is in an invalid state"),
    r("15", Doubt, Blame::Nobody, "this OriginatorConversationID was sent before"),
    r("17", Doubt, Blame::Platform, "internal error of the core; the payment must be looked up"),
    r("21", NotPaid, Blame::Configuration, "the initiator may not initiate this"),
    r("1001", NotPaid, Blame::Configuration, "caller information invalid"),
    r("2001", NotPaid, Blame::Credential, "initiator information invalid, expired or locked"),
    r("2006", NotPaid, Blame::Configuration, "the account's status does not allow it"),
    r("2008", NotPaid, Blame::Limit, "would exceed the weekly limit"),
    r("2009", NotPaid, Blame::Limit, "would exceed the monthly limit"),
    r("2010", NotPaid, Blame::Limit, "would exceed the yearly limit"),
    r("2020", NotPaid, Blame::Request, "invalid amount format"),
    r("2025", NotPaid, Blame::Request, "currency mismatch"),
    r("2028", NotPaid, Blame::Configuration, "not permitted by the product assignment"),
    r("2029", NotPaid, Blame::Configuration, "the reason type is unresolved"),
    r("2040", NotPaid, Blame::Recipient, "the recipient cannot take this kind of payment"),
    r("2051", NotPaid, Blame::Recipient, "the MSISDN is invalid"),
    r("8006", NotPaid, Blame::Credential, "the security credential is locked"),
    r("SFC_IC0003", NotPaid, Blame::Configuration, "the operator does not exist"),
    r("2007", Doubt, Blame::Unknown, "a code that was seen, and no source says what it means"),
    r("2033", Doubt, Blame::Nobody, "receipt not found: an inquiry's word, not a payment's"),
    r("2043", Doubt, Blame::Unknown, "a code that was seen, and no source says what it means"),
    r("2202", Doubt, Blame::Unknown, "a code that was seen, and no source says what it means"),
    r("R000001", Doubt, Blame::Nobody, "already reversed: a reversal's word, money had moved once"),
    r("R000002", Doubt, Blame::Nobody, "original transaction invalid: a reversal's word"),
    r("R002", NotPaid, Blame::Recipient, "the ID type does not match"),
    r("R003", NotPaid, Blame::Recipient, "the ID number does not match"),
    r("9", NotPaid, Blame::Request, "below the airtime minimum"),
    r("10", NotPaid, Blame::Request, "above the airtime maximum"),
    r("12", NotPaid, Blame::Recipient, "the credit account is invalid"),
    r("13", NotPaid, Blame::Configuration, "the debit account is unresolved"),
    r("16", NotPaid, Blame::Request, "the bill account's format is invalid"),
    r("18", NotPaid, Blame::Credential, "the initiator's credential was refused"),
    r("19", NotPaid, Blame::Platform, "the request had expired when it was read"),
    r("20", NotPaid, Blame::Configuration, "the initiator is unresolved"),
    r("22", NotPaid, Blame::Configuration, "the initiator's status does not allow it"),
    r("28", NotPaid, Blame::Configuration, "the operation is not granted to the initiator"),
    r("29", NotPaid, Blame::Request, "invalid command"),
    r("31", NotPaid, Blame::Request, "the initiator is not specified"),
    r("32", NotPaid, Blame::Request, "the initiator's identifier is not a user name"),
    r("33", NotPaid, Blame::Request, "the paying party is missing"),
    r("34", NotPaid, Blame::Request, "the paying party's type is invalid"),
    r("35", NotPaid, Blame::Request, "the receiving party is missing"),
    r("36", NotPaid, Blame::Request, "the receiving party's type is invalid"),
    r("37", NotPaid, Blame::Request, "the command is missing"),
    r("38", Doubt, Blame::Unknown, "conversation invalid: another may be under way"),
    r("39", Doubt, Blame::Unknown, "conversation unknown: another may be under way"),
    r("40", Doubt, Blame::Unknown, "a code that the table calls unused"),
    r("41", Doubt, Blame::Nobody, "duplicate conversation"),
    r("42", Doubt, Blame::Nobody, "duplicate stage"),
    r("43", Pending, Blame::Nobody, "awaiting confirmation"),
    r("44", NotPaid, Blame::Configuration, "the initiator may not pay this receiver"),
    r("45", Doubt, Blame::Platform, "internal error during the financial transaction"),
    r("46", Pending, Blame::Nobody, "confirmation received"),
    r("47", NotPaid, Blame::Recipient, "rejected by the confirming party"),
    r("48", Doubt, Blame::Configuration, "not permitted: an inquiry's word, not a payment's"),
    r("49", Doubt, Blame::Nobody, "no transaction found: an inquiry's word, not a payment's"),
    r("50", NotPaid, Blame::Configuration, "the initiator's organisation is closed"),
    r("51", NotPaid, Blame::Configuration, "the account for charges is invalid"),
    r("52", NotPaid, Blame::Request, "above the airtime maximum"),
];

const fn q(
    code: &'static str,
    class: QueryClass,
    blame: Blame,
    says: &'static str,
) -> Meaning<QueryClass> {
    Meaning { code, class, blame, says }
}

/// Results of status queries: the few codes that say something of a question. Every other code
/// leaves it unanswered; whom it blames stands in [`RESULTS`] (spec/soap.md §5.2, §5.3).
pub const QUERIES: &[Meaning<QueryClass>] = &[
    q("0", QueryClass::Answered, Blame::Nobody, "looked up"),
    q("49", QueryClass::NotFound, Blame::Nobody, "no such transaction"),
    q("2033", QueryClass::NotFound, Blame::Nobody, "no such receipt"),
];

const UNKNOWN_ANSWER: Meaning<AnswerClass> =
    a("", AnswerDoubt, Blame::Unknown, "a code that no table knows");
const UNKNOWN_RESULT: Meaning<ResultClass> =
    r("", Doubt, Blame::Unknown, "a code that no table knows");

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
    }
}
