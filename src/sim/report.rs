//! What a result says of a payment, as the G2 core writes it (spec/soap.md §5.1, §5.4). Pure.

use super::book::{Entry, Fate, mix};
use crate::domain::outcome;
use crate::domain::party::Msisdn;
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
            parameters,
            references: pairs.map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        }
    }

    /// The result of a payment. A failed one has no parameters.
    pub fn payment(&self, fate: &Fate) -> Vec<u8> {
        match fate {
            Fate::Paid(entry) => self.paid(entry),
            Fate::NotPaid(code) => self.report(code, None, Vec::new()).render(),
            // A question has results of its own.
            Fate::Asked => self.report("17", None, Vec::new()).render(),
        }
    }

    fn paid(&self, entry: &Entry) -> Vec<u8> {
        let amount = entry.amount.to_string();
        let completed = entry.at.east_africa_stamp();
        let recipient = public_name(entry.phone);
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

/// `<MSISDN> - <name>` (spec/soap.md §5.4).
pub fn public_name(phone: Msisdn) -> String {
    format!("{} - {}", phone.reveal(), name_of(phone))
}

/// The same invented name for the same phone, always.
fn name_of(phone: Msisdn) -> String {
    let pick = |names: &[&'static str; 8], number: u64| {
        let place = usize::try_from(number & 7).unwrap_or_default();
        names.get(place).copied().unwrap_or_default()
    };
    let spread = mix(phone.number());
    let first = pick(&FIRST_NAMES, spread);
    let last = pick(&LAST_NAMES, spread >> 3);
    format!("{first} {last}")
}
