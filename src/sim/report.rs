//! What a result says of a payment, as the G2 core writes it (spec/soap.md §5.1, §5.4). Pure.

use std::time::Duration;

use bytes::Bytes;

use super::book::{Entry, Fate, Moved, Movement, mix};
use super::daraja::faults::Fault;
use super::deliver::Letter;
use super::notice::masked_short;
use super::query;
use super::script::{Malformed, Place, Results};
use crate::domain::money::Amount;
use crate::domain::outcome;
use crate::domain::party::Msisdn;
use crate::domain::time::Timestamp;
use crate::soap::result::Report;

/// Given names and family names of recipients, who are all invented.
const FIRST_NAMES: [&str; 8] =
    ["Amina", "Brian", "Chebet", "David", "Esther", "Faith", "George", "Halima"];
const LAST_NAMES: [&str; 8] =
    ["Achieng", "Barasa", "Chepkoech", "Njoroge", "Kamau", "Mutua", "Otieno", "Wanjiru"];

/// Which request a result is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The caller's name for it.
    pub originator_conversation_id: &'a str,
    /// M-Pesa's name for it; empty where the core gave it none.
    pub conversation_id: &'a str,
    /// The request's reference items, which come back.
    pub references: &'a [(String, String)],
    /// How it is written.
    pub shape: Shape,
}

/// How a result over SOAP is written, where not as it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Parameters in another order.
    pub shuffled: bool,
    /// No parameters at all.
    pub none: bool,
    /// Balances without a value.
    pub bare: bool,
    /// Nothing of who received it.
    pub no_phone: bool,
    /// The receiver's phone masked.
    pub masked_phone: bool,
    /// Another amount than the one that moved.
    pub wrong_amount: bool,
    /// Another ConversationID than the one that was given.
    pub wrong_id: bool,
}

impl Shape {
    /// As the faults of a scenario have it.
    pub fn of(faults: &[Fault]) -> Self {
        let has = |fault: &Fault| faults.contains(fault);
        Self {
            shuffled: has(&Fault::Shuffle),
            none: has(&Fault::NoParameters),
            bare: has(&Fault::NoBalanceValue),
            no_phone: has(&Fault::NoPhone),
            masked_phone: has(&Fault::MaskedPhone),
            wrong_amount: has(&Fault::WrongAmount),
            wrong_id: has(&Fault::WrongId),
        }
    }

    /// M-Pesa's name for a request, as it is told.
    pub(super) fn name_as_told(self, conversation_id: &str) -> String {
        let more = if self.wrong_id { "9" } else { "" };
        format!("{conversation_id}{more}")
    }

    fn parameters<'r>(self, parameters: Vec<(&'r str, &'r str)>) -> Vec<(&'r str, &'r str)> {
        let is_balance = |key: &str| key == "AccountBalance" || key.ends_with("AvailableFunds");
        let is_receiver = |key: &str| matches!(key, "ReceiverPartyPublicName" | "CreditPartyName");
        let mut shaped: Vec<(&str, &str)> = parameters
            .into_iter()
            .filter(|(key, _)| !(self.none || (self.no_phone && is_receiver(key))))
            .map(|(key, value)| (key, if self.bare && is_balance(key) { "" } else { value }))
            .collect();
        if self.shuffled {
            shaped.reverse();
        }
        shaped
    }
}

impl Subject<'_> {
    /// A result with this code, receipt and parameters.
    pub fn report<'r>(
        &'r self,
        code: &'r str,
        receipt: Option<&'r str>,
        parameters: Vec<(&'r str, &'r str)>,
    ) -> Report<'r> {
        let pairs = self.references.iter();
        Report {
            code,
            description: outcome::result(code).says,
            originator_conversation_id: self.originator_conversation_id,
            conversation_id: self.conversation_id,
            receipt,
            parameters: self.shape.parameters(parameters),
            references: pairs.map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        }
    }

    /// The result of a payment. A failed one has no parameters.
    pub fn payment(&self, fate: &Fate) -> Vec<u8> {
        match fate {
            Fate::Paid(entry) => self.paid(entry),
            Fate::NotPaid(code) => self.report(code, None, Vec::new()).render(),
            Fate::Moved(moved) => self.given_back(moved),
            // Questions have results of their own.
            Fate::Asked => self.report("17", None, Vec::new()).render(),
        }
    }

    /// The result of a question about accounts (spec/soap.md §5.4). It carries no receipt.
    pub fn balance(&self, accounts: &str, at: Timestamp) -> Vec<u8> {
        let completed = digits(at);
        let parameters = vec![("AccountBalance", accounts), ("BOCompletedTime", &completed)];
        self.report("0", None, parameters).render()
    }

    /// The result of a reversal: the payment's receipt, and that of the reversal itself.
    fn given_back(&self, moved: &Moved) -> Vec<u8> {
        let Movement::Reversal(reversal) = &moved.movement else {
            return self.report("17", None, Vec::new()).render();
        };
        let amount = reversal.amount.to_string();
        let completed = digits(moved.at);
        let account = query::working_account(moved.balance);
        let customer = moved.phone.map(public_name).unwrap_or_default();
        let ours = query::organisation(&reversal.shortcode);
        let parameters = vec![
            ("OriginalTransactionID", reversal.receipt.as_str()),
            ("TransactionID", &moved.receipt),
            ("Amount", &amount),
            ("Charge", "0.00"),
            ("TransCompletedTime", &completed),
            ("DebitAccountBalance", &account),
            ("DebitPartyPublicName", &ours),
            ("CreditPartyPublicName", &customer),
        ];
        self.report("0", Some(moved.receipt.as_str()), parameters).render()
    }

    fn paid(&self, entry: &Entry) -> Vec<u8> {
        let more = Amount::from_shillings(u64::from(self.shape.wrong_amount));
        let amount = entry.amount.checked_add(more).unwrap_or_default().to_string();
        let completed = entry.at.east_africa_stamp();
        let recipient = if self.shape.masked_phone {
            format!("{} - {}", masked_short(entry.phone), name_of(entry.phone))
        } else {
            public_name(entry.phone)
        };
        let funds = entry.balance.to_string();
        let parameters = vec![
            ("TransactionReceipt", entry.receipt.as_str()),
            ("TransactionAmount", &amount),
            ("B2CWorkingAccountAvailableFunds", "0.00"),
            ("B2CUtilityAccountAvailableFunds", &funds),
            ("TransactionCompletedDateTime", &completed),
            ("ReceiverPartyPublicName", &recipient),
            ("B2CChargesPaidAccountAvailableFunds", "0.00"),
            ("B2CRecipientIsRegisteredCustomer", "Y"),
        ];
        self.report("0", Some(entry.receipt.as_str()), parameters).render()
    }
}

/// `yyyyMMddHHmmss`, in East Africa (spec/soap.md §5.4).
fn digits(at: Timestamp) -> String {
    at.east_africa_screen().chars().filter(char::is_ascii_digit).collect()
}

/// `<MSISDN> - <name>` (spec/soap.md §5.4).
pub fn public_name(phone: Msisdn) -> String {
    format!("{} - {}", phone.reveal(), name_of(phone))
}

/// The same invented name for the same phone, always.
pub fn name_of(phone: Msisdn) -> String {
    let (first, last) = names_of(phone);
    format!("{first} {last}")
}

/// Given name and family name.
pub fn names_of(phone: Msisdn) -> (&'static str, &'static str) {
    let pick = |names: &[&'static str; 8], number: u64| {
        let place = usize::try_from(number & 7).unwrap_or_default();
        names.get(place).copied().unwrap_or_default()
    };
    let spread = mix(phone.number());
    (pick(&FIRST_NAMES, spread), pick(&LAST_NAMES, spread >> 3))
}

/// How one interface tells a result in other ways than the good one.
pub trait Telling {
    /// One that is not the last word, where there is such a thing.
    fn waiting(&self) -> Option<Vec<u8>>;
    /// One that says this code.
    fn other(&self, code: &str) -> Vec<u8>;
    /// One that has no code.
    fn without_code(&self, good: &[u8]) -> Vec<u8>;
}

impl Telling for Subject<'_> {
    fn waiting(&self) -> Option<Vec<u8>> {
        Some(self.report("0", None, Vec::new()).render_waiting())
    }

    fn other(&self, code: &str) -> Vec<u8> {
        let receipt = (code == "0").then_some(NO_RECEIPT);
        let parameters = receipt.map(|receipt| ("TransactionReceipt", receipt));
        self.report(code, receipt, parameters.into_iter().collect()).render()
    }

    fn without_code(&self, good: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(good);
        without(&text, "<ResultCode>", "</ResultCode>").into_bytes()
    }
}

/// The messages that tell a result as `results` says, in order. `good` is the true one.
pub fn letters(
    results: &Results,
    telling: &impl Telling,
    good: Vec<u8>,
    again_after: Duration,
) -> Vec<Letter> {
    let first = |body: Vec<u8>| Letter {
        body: Bytes::from(body),
        wait: Duration::ZERO,
        only_if_taken: false,
    };
    let again = |body: Vec<u8>| Letter { wait: again_after, ..first(body) };
    match results {
        Results::Never => Vec::new(),
        Results::Once | Results::BeforeAnswer | Results::Late(_) => vec![first(good)],
        Results::Twice => vec![first(good.clone()), again(good)],
        Results::Malformed(how, Place::Instead) => vec![first(spoilt(*how, telling, &good))],
        Results::Malformed(how, Place::Before) => {
            vec![first(spoilt(*how, telling, &good)), again(good)]
        }
        Results::WaitingFirst => match telling.waiting() {
            Some(waiting) => vec![first(waiting), again(good)],
            None => vec![first(good)],
        },
        Results::Contradicting(code) => {
            let other = telling.other(code);
            vec![first(good), Letter { only_if_taken: true, ..again(other) }]
        }
    }
}

/// The receipt of a payment that never was, in a result that contradicts a failure.
pub(super) const NO_RECEIPT: &str = "ZZZ0000000";

fn spoilt(how: Malformed, telling: &impl Telling, good: &[u8]) -> Vec<u8> {
    let half = good.len().checked_div(2).unwrap_or_default();
    match how {
        Malformed::Cut => good.get(..half).unwrap_or_default().to_vec(),
        Malformed::NotXml => b"result: see attachment".to_vec(),
        Malformed::NoCode => telling.without_code(good),
    }
}

/// `text` without what stands from `begin` to `end`, both included.
pub(super) fn without(text: &str, begin: &str, end: &str) -> String {
    let parts = text.split_once(begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(end)?;
        Some([before, after].concat())
    });
    parts.unwrap_or_else(|| text.to_owned())
}

/// An envelope without its SOAP header, as the broker passes requests on and gives them back
/// (spec/soap.md §1.3, §5.6).
pub fn without_header(envelope: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(envelope);
    let prefix = text.split_once("Header").and_then(|(before, _)| {
        let (_, prefix) = before.rsplit_once('<')?;
        Some(prefix.to_owned())
    });
    let Some(prefix) = prefix.filter(|prefix| prefix.is_empty() || prefix.ends_with(':')) else {
        return envelope.to_vec();
    };
    without(&text, &format!("<{prefix}Header"), &format!("</{prefix}Header>")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soap::result;

    const SUBJECT: Subject<'_> = Subject {
        originator_conversation_id: "a",
        conversation_id: "AG_1",
        references: &[],
        shape: Shape {
            shuffled: false,
            none: false,
            bare: false,
            no_phone: false,
            masked_phone: false,
            wrong_amount: false,
            wrong_id: false,
        },
    };

    #[test]
    fn each_way_to_tell_a_result_sends_what_it_should() {
        let good = SUBJECT.report("2040", None, Vec::new()).render();
        let no = |how| Results::Malformed(how, Place::Instead);
        let and = |how| Results::Malformed(how, Place::Before);
        // What is read of each message: its code, `+` if more follow, `?` if it can't be read.
        let table: [(Results, &[&str]); 11] = [
            (Results::Never, &[]),
            (Results::Once, &["2040"]),
            (Results::Late(Duration::from_secs(1)), &["2040"]),
            (Results::BeforeAnswer, &["2040"]),
            (Results::Twice, &["2040", "2040"]),
            (no(Malformed::Cut), &["?"]),
            (and(Malformed::NotXml), &["?", "2040"]),
            (and(Malformed::NoCode), &["?", "2040"]),
            (Results::WaitingFirst, &["0+", "2040"]),
            (Results::Contradicting("1".into()), &["2040", "1"]),
            (Results::Contradicting("0".into()), &["2040", "0"]),
        ];
        for (results, expected) in table {
            let sent = letters(&results, &SUBJECT, good.clone(), Duration::from_secs(5));
            let read = |letter: &Letter| match result::parse(&letter.body) {
                Err(_unreadable) => "?".to_owned(),
                Ok(read) if read.facts.waiting => format!("{}+", read.facts.code),
                Ok(read) => read.facts.code,
            };
            let found: Vec<String> = sent.iter().map(read).collect();
            assert_eq!(found, expected, "{results:?}");
            let waits = sent.iter().map(|letter| letter.wait.as_secs());
            assert!(waits.eq([0, 5].into_iter().take(sent.len())), "{results:?}");
            let contradicts = matches!(results, Results::Contradicting(_));
            assert_eq!(sent.iter().any(|letter| letter.only_if_taken), contradicts);
        }
    }

    #[test]
    fn the_header_goes_and_nothing_else() {
        let table = [
            ("<e:Envelope><e:Header><h>1</h></e:Header><e:Body/></e:Envelope>", true),
            ("<Envelope><Header a=\"b\"><RequestSOAPHeader/></Header><e:Body/></Envelope>", true),
            ("<e:Envelope><e:Body/></e:Envelope>", false),
            ("<e:Envelope><e:Header/><e:Body/></e:Envelope>", false),
            ("<e:Envelope><e:Body>Header</e:Body></e:Envelope>", false),
        ];
        for (envelope, goes) in table {
            let left = String::from_utf8(without_header(envelope.as_bytes())).expect("text");
            assert_eq!(left.contains("Header"), !goes && envelope.contains("Header"), "{left}");
            assert!(left.contains("<e:Body"), "{left}");
            assert_eq!(left == envelope, !goes, "{left}");
        }
    }
}
