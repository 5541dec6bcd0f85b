//! Results: what the code of an asynchronous result means, and what it means for a question.

use super::ResultClass::{self, Doubt, NotPaid, Paid, Pending};
use super::{Blame, Meaning, QueryClass};

const fn r(
    code: &'static str,
    class: ResultClass,
    blame: Blame,
    says: &'static str,
) -> Meaning<ResultClass> {
    Meaning { code, class, blame, says }
}

/// Results: `ResultCode`.
///
/// The first part is the table of the present core (spec/soap.md §5.2), the
/// second what later material adds, the third the older core's own (§5.3), the fourth what only
/// Daraja's results say (spec/daraja.md §3.3).
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
    r("24", NotPaid, Blame::Request, "a mandatory field is missing"),
    r("25", NotPaid, Blame::Request, "a parameter is invalid"),
    r("26", NotPaid, Blame::Capacity, "M-Pesa is busy and turned the request away"),
    r("TP40153", NotPaid, Blame::Configuration, "the operator lacks the permission"),
    r("100000000", Doubt, Blame::Nobody, "the request is held, to be passed on later"),
    r("100000001", NotPaid, Blame::Capacity, "the broker is overloaded"),
    r("100000002", NotPaid, Blame::Capacity, "the broker throttles"),
    r("100000004", Doubt, Blame::Platform, "internal error of the broker"),
    r("100000005", NotPaid, Blame::Request, "invalid input value"),
    // Law 7 names this code wherever it comes.
    r("100000007", NotPaid, Blame::Credential, "the broker refused our credentials or service"),
    r("100000009", NotPaid, Blame::Configuration, "the API is not active at the broker"),
    r("100000010", NotPaid, Blame::Configuration, "insufficient permissions at the broker"),
    r("100000011", NotPaid, Blame::Capacity, "the request rate is exceeded"),
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
