//! What peers send that is not to the schema and is taken all the same: each under a name, with
//! the section of spec/soap.md that saw it.

use serde::Serialize;

/// A known departure from the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Deviation {
    /// Its name.
    pub name: &'static str,
    /// Where spec/soap.md tells of it.
    pub section: &'static str,
    /// What it is, in a sentence's part.
    pub says: &'static str,
}

const fn known(name: &'static str, section: &'static str, says: &'static str) -> Deviation {
    Deviation { name, section, says }
}

pub(super) const INNER_ROOT: Deviation =
    known("inner-root", "§9", "the inner document's root begins with a capital letter");
pub(super) const INNER_NAMESPACE: Deviation =
    known("inner-namespace", "§9", "the inner document has no namespace, or another one");
pub(super) const INNER_NESTED: Deviation =
    known("inner-nested", "§9", "the inner document stands as XML where text should stand");
pub(super) const INNER_ESCAPED_TWICE: Deviation =
    known("inner-escaped-twice", "§9", "the inner document is escaped inside CDATA");
pub(super) const INNER_PROLOG: Deviation =
    known("inner-prolog", "§9", "the inner document's prolog is not well-formed");
pub(super) const BLANK_BEFORE_PROLOG: Deviation =
    known("blank-before-prolog", "§9", "blanks or a line break stand before <?xml");
pub(super) const BACKSLASH_QUOTES: Deviation =
    known("backslash-quotes", "§9", "quotes are escaped by backslashes, as in a log line");
pub(super) const BARE_AMPERSAND: Deviation =
    known("bare-ampersand", "§9", "an & stands for itself, as in a balance");
pub(super) const PAIR_NAMESPACE: Deviation =
    known("pair-namespace", "§9", "Key and Value are in the request's namespace");
pub(super) const NIL_VALUE: Deviation =
    known("nil-value", "§9", "an element without a value is marked nil");
pub(super) const PARAMETER_NAME: Deviation =
    known("parameter-name", "§9", "a ResultParameter is called Parameter");
pub(super) const PARAMETER_NESTED: Deviation =
    known("parameter-nested", "§9", "a ResultParameter holds ResultParameters");
pub(super) const ID_SPELLING: Deviation =
    known("id-spelling", "§9", "a name ends in Id in place of ID");
pub(super) const VALUE_MISSING: Deviation = known("value-missing", "§9", "a Key has no Value");
pub(super) const VALUE_ELEMENTS: Deviation =
    known("value-elements", "§9", "a Value holds elements");
pub(super) const ORDER: Deviation = known("order", "§9", "elements stand in another order");
pub(super) const RESULT_TYPE_WORD: Deviation =
    known("result-type-word", "§9", "ResultType is a word in place of a number");
pub(super) const TRANSACTION_TYPE: Deviation =
    known("transaction-type", "§9", "TransType is called TransactionType");
pub(super) const RESULT_NAMESPACE: Deviation =
    known("result-namespace", "§1.1", "ResultMsg is in the namespace of another market's core");
pub(super) const ANSWER_NAMESPACE: Deviation =
    known("answer-namespace", "§1.2", "ResponseMsg is in the result's namespace, as WSDLs have it");
pub(super) const HEADER_PHONES: Deviation =
    known("header-phones", "§2", "the header names phones as OA or FA");
pub(super) const REQUESTER: Deviation =
    known("requester", "§3.1", "a request on behalf of a customer names him as Requester");
pub(super) const REGISTER_WITHOUT_TIME: Deviation =
    known("register-without-time", "§3.4", "RegisterURL has no Timestamp");

/// Every known deviation, in the order of the spec's table.
pub const ALL: [Deviation; 23] = [
    INNER_ROOT,
    INNER_NAMESPACE,
    INNER_NESTED,
    INNER_ESCAPED_TWICE,
    INNER_PROLOG,
    BLANK_BEFORE_PROLOG,
    BACKSLASH_QUOTES,
    BARE_AMPERSAND,
    PAIR_NAMESPACE,
    NIL_VALUE,
    PARAMETER_NAME,
    PARAMETER_NESTED,
    ID_SPELLING,
    VALUE_MISSING,
    VALUE_ELEMENTS,
    ORDER,
    RESULT_TYPE_WORD,
    TRANSACTION_TYPE,
    RESULT_NAMESPACE,
    ANSWER_NAMESPACE,
    HEADER_PHONES,
    REQUESTER,
    REGISTER_WITHOUT_TIME,
];
