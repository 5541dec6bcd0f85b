//! What M-Pesa tells, word by word: codes, names, amounts and people as its messages write them,
//! over SOAP and over Daraja alike (spec/soap.md §5.4; spec/daraja.md §2.3).

use super::id::{ConversationId, Receipt};
use super::money::Amount;
use super::outcome;
use super::party::{Msisdn, PersonName};
use super::payout::{InquiryFacts, TransactionStatus};
use super::time::Timestamp;

/// Decimal places that a written amount may have before cutting zeros: the older core writes four
/// (spec/soap.md §5.4).
const PLACES: usize = 2;

/// The longest `TransactionStatus` that is kept in words; the longest known has 18 letters.
const STATUS_LEN_MAX: usize = 64;

/// The longest description that is kept, in characters: `ResultDesc` may have so many
/// (spec/soap.md §5.1).
pub const DESCRIPTION_MAX: usize = 1024;
/// The longest code that is kept, in characters: `ResultCode` may have 10 (spec/soap.md §5.1).
pub const CODE_MAX: usize = 32;
/// The longest name of a payout or request that is matched by, in bytes (spec/soap.md §3.1).
pub const ID_MAX: usize = 128;

/// A code, verbatim, if it can be one.
///
/// What is too long, or has blanks or control characters in it, is cut and marked so that it
/// stands in no table: it is doubt, however its beginning reads.
pub fn code(text: &str) -> String {
    let is_strange = |c: char| c.is_control() || c.is_whitespace();
    let fits = text.chars().nth(CODE_MAX).is_none() && !text.contains(is_strange);
    if fits {
        return text.to_owned();
    }
    let kept = text.chars().take(CODE_MAX.saturating_sub(1));
    let mut code: String = kept.map(|c| if is_strange(c) { '_' } else { c }).collect();
    code.push('…');
    code
}

/// Whether a text from the wire can be the name of a payout or a request.
pub fn is_id(text: &str) -> bool {
    text.len() <= ID_MAX && !text.contains(char::is_control)
}

/// The value of the first of `keys` that has one: keys are compared without blanks and case, and
/// where a key stands twice, the first value that is not empty counts (spec/soap.md §5.4, §9).
pub fn value_at<'p>(pairs: &'p [(String, String)], keys: &[&str]) -> Option<&'p str> {
    keys.iter().find_map(|key| {
        pairs
            .iter()
            .filter(|(name, _)| is_key(name, key))
            .map(|(_, value)| value.trim())
            .find(|value| !value.is_empty())
    })
}

/// Every value of a key that is not empty; keys are compared as in [`value_at`].
pub fn values_at<'p>(pairs: &'p [(String, String)], key: &'p str) -> impl Iterator<Item = &'p str> {
    pairs
        .iter()
        .filter(move |(name, _)| is_key(name, key))
        .map(|(_, value)| value.trim())
        .filter(|value| !value.is_empty())
}

/// Whether two keys are the same but for blanks and case.
pub fn is_key(name: &str, key: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = u8> {
        text.bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .map(|byte| byte.to_ascii_lowercase())
    }
    name == key || letters(name).eq(letters(key))
}

/// An amount as results write it: `150.00`, `150`, `Ksh200.00`, `200.0000`, `1,500.00`.
///
/// Anything else is no amount: it is not guessed at.
pub fn amount(text: &str) -> Option<Amount> {
    let text = text.trim();
    let currency = ["Ksh", "KES"]
        .iter()
        .find(|name| text.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name)));
    let digits = match currency {
        Some(name) => text.get(name.len()..)?.trim_start_matches(['.', ' ']),
        None => text,
    };
    let (whole, places) = digits.split_once('.').unwrap_or((digits, "0"));
    let kept =
        places.char_indices().take_while(|(index, digit)| *index < PLACES || *digit != '0').count();
    let dropped = places.get(kept..)?;
    if !dropped.bytes().all(|digit| digit == b'0') {
        return None;
    }
    let whole = without_separators(whole)?;
    format!("{whole}.{}", places.get(..kept)?).parse().ok()
}

/// Commas only where a writer of thousands puts them.
fn without_separators(whole: &str) -> Option<String> {
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let mut digits = first.to_owned();
    for group in groups {
        if group.len() != 3 || first.is_empty() || first.len() > 3 {
            return None;
        }
        digits.push_str(group);
    }
    Some(digits)
}

/// `<MSISDN> - <names>` and its variants (spec/soap.md §5.4): the phone where it is shown whole,
/// the names where there are any. Masked and hashed phones are none.
pub fn split_party(text: &str) -> (Option<Msisdn>, Option<PersonName>) {
    let (head, tail) = text.split_once('-').unwrap_or((text, ""));
    let head = head.trim();
    let is_hash = head.len() == 64 && head.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_number = !head.is_empty()
        && head.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '+' | ' ' | 'x' | 'X'));
    if is_number || is_hash {
        (head.parse().ok(), PersonName::new(tail))
    } else {
        (None, PersonName::new(text))
    }
}

/// Whether more messages follow. `0` and the older core's `Completed` are the last word, and so is
/// silence; a word that the spec does not know is not believed to be (spec/soap.md §5.1, §9).
pub fn is_waiting(result_type: Option<&str>) -> bool {
    result_type
        .is_some_and(|word| !outcome::is_success(word) && !word.eq_ignore_ascii_case("Completed"))
}

/// What a status query's result says of the payment: the second of its two levels. `None` where it
/// has no `TransactionStatus`, as the results of payments have none (spec/soap.md §5.4).
pub fn payment_in(parameters: &[(String, String)]) -> Option<InquiryFacts> {
    let at = |keys: &[&str]| value_at(parameters, keys);
    let status = at(&["TransactionStatus"])?;
    let (payee, recipient_name) = at(&["CreditPartyName"]).map(split_party).unwrap_or_default();
    Some(InquiryFacts {
        status: status_of(status),
        receipt: at(&["ReceiptNo"]).and_then(Receipt::new),
        amount: at(&["Amount"]).and_then(amount),
        payee,
        recipient_name,
        originator: at(&["OriginatorConversationID"]).map(ToOwned::to_owned),
        conversation: at(&["ConversationID"]).and_then(ConversationId::new),
        completed_at: at(&["FinalisedTime"])
            .and_then(|text| Timestamp::parse_east_africa(text).ok()),
        odd: odd(parameters).map(ToOwned::to_owned),
    })
}

/// A word that the spec does not list says nothing: it is kept, cut to what can be shown.
fn status_of(word: &str) -> TransactionStatus {
    let letters: String = word.chars().filter(|c| !c.is_whitespace()).collect();
    match letters.to_ascii_lowercase().as_str() {
        "completed" => TransactionStatus::Completed,
        "cancelled" => TransactionStatus::Cancelled,
        "declined" => TransactionStatus::Declined,
        "expired" => TransactionStatus::Expired,
        "authorized" | "pendingauthorized" | "initiated" => TransactionStatus::InProgress,
        _ => TransactionStatus::Other(word.chars().take(STATUS_LEN_MAX).collect()),
    }
}

/// What in it does not fit together: of two values that should be one, neither is believed.
fn odd(parameters: &[(String, String)]) -> Option<&'static str> {
    let differ = |key: &'static str| {
        let mut values = values_at(parameters, key);
        let first = values.next();
        values.any(|other| Some(other) != first)
    };
    let amounts = || values_at(parameters, "Amount").map(amount);
    if differ("TransactionStatus") {
        return Some("two statuses are told");
    }
    if differ("ReceiptNo") {
        return Some("two receipts are told");
    }
    if differ("OriginatorConversationID") {
        return Some("two names are told");
    }
    if amounts().any(|told| told.is_none()) {
        return Some("the amount cannot be read");
    }
    let first = amounts().next();
    amounts().any(|told| Some(told) != first).then_some("two amounts are told")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(pairs: &[(&str, &str)]) -> Option<InquiryFacts> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        payment_in(&pairs.iter().map(owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_result_without_a_transaction_status_says_nothing_of_another_payment() {
        assert_eq!(told(&[]), None);
        assert_eq!(told(&[("TransactionReceipt", "QK1"), ("TransactionAmount", "10")]), None);
        assert_eq!(told(&[("TransactionStatus", " ")]), None);
    }

    #[test]
    fn each_status_is_what_the_spec_says() {
        use TransactionStatus::{Cancelled, Completed, Declined, Expired, InProgress, Other};
        let table = [
            ("Completed", Completed),
            ("completed", Completed),
            ("Cancelled", Cancelled),
            ("Declined", Declined),
            ("Expired", Expired),
            ("Authorized", InProgress),
            ("Pending Authorized", InProgress),
            ("Initiated", InProgress),
            ("Reversed", Other("Reversed".to_owned())),
        ];
        for (word, expected) in table {
            let facts = told(&[("TransactionStatus", word)]).expect("a status");
            assert_eq!(facts.status, expected, "{word}");
        }
    }

    #[test]
    fn keys_are_found_however_they_are_written_and_values_that_differ_are_odd() {
        let whole = [
            ("DebitPartyName", "600999 - ExampleOrg"),
            ("DebitPartyName", "again"),
            ("TransactionStatus", "Completed"),
            ("ReceiptNo", "QK12ABCD34"),
            ("Amount", "Ksh1,500.00"),
            ("CreditPartyName", "254722000111 - Amina Otieno"),
            ("Originator Conversation ID", "600999_ExampleOrg_1\n"),
            ("Conversation ID", "AG_20240102_1"),
            ("TransactionReason", ""),
        ];
        let facts = told(&whole).expect("a status");
        assert_eq!(facts.receipt, Receipt::new("QK12ABCD34"));
        assert_eq!(facts.amount, "1500".parse().ok());
        assert_eq!(facts.payee, "254722000111".parse().ok());
        assert_eq!(facts.originator.as_deref(), Some("600999_ExampleOrg_1"));
        assert_eq!(facts.odd, None);
        for second in [
            ("TransactionStatus", "Declined"),
            ("ReceiptNo", "QK99"),
            ("Amount", "1"),
            ("Amount", "much"),
            ("OriginatorConversationID", "another"),
        ] {
            let pairs: Vec<_> = whole.into_iter().chain([second]).collect();
            let odd = told(&pairs).expect("a status").odd;
            assert!(odd.is_some(), "{second:?}");
        }
    }
}
