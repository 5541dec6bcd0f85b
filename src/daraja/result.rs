//! The `Result` envelope: what became of a payout, a payment to a business, a question, a reversal
//! (spec/daraja.md §2.3).

use std::fmt;

use super::json::{Json, Unreadable};
use super::redact;
use crate::domain::account::{self, AccountBalance, Balance};
use crate::domain::id::{ConversationId, Receipt};
use crate::domain::inquiry::{self, Balances, Names};
use crate::domain::money::Amount;
use crate::domain::payout::{InquiryFacts, ResultFacts};
use crate::domain::time::Timestamp;
use crate::domain::told::{self, value_at, values_at};

/// A result. `Debug` shows keys, not values: they name people.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// `OriginatorConversationID`: ours where we gave one, else Daraja's. A status result may have
    /// that of the transaction asked about, so that a question is known by its tag, or by
    /// [`Self::conversation`].
    pub originator: Option<String>,
    /// `ConversationID`, as it stands.
    pub conversation: Option<String>,
    /// What it says.
    pub facts: ResultFacts,
    /// What it says of the transaction that a status query was about; only its result does.
    pub status: Option<InquiryFacts>,
    /// `ResultParameters` as they stand.
    pub parameters: Vec<(String, String)>,
    /// `ReferenceData` as it stands.
    pub references: Vec<(String, String)>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.parameters.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("Message")
            .field("originator", &self.originator)
            .field("conversation", &self.conversation)
            .field("code", &self.facts.code)
            .field("waiting", &self.facts.waiting)
            .field("parameters", &keys)
            .finish_non_exhaustive()
    }
}

impl Message {
    /// What it says, as an inquiry takes it.
    pub fn of_inquiry(&self) -> inquiry::ResultFacts {
        let ResultFacts { code, description, waiting, conversation, .. } = self.facts.clone();
        let originator = self.originator.as_deref().and_then(ConversationId::new);
        let accounts = self.accounts();
        let balances = Balances { accounts, at: self.balances_at() };
        inquiry::ResultFacts {
            code,
            description,
            waiting,
            names: Names { conversation, originator },
            receipt: self.facts.receipt.clone(),
            amount: self.facts.amount,
            charge: self.facts.charge,
            completed_at: self.facts.completed_at,
            status: self.status.clone(),
            balances: (!balances.accounts.is_empty()).then_some(balances),
            odd: self.facts.odd.clone(),
        }
    }

    /// The accounts in the result of a balance inquiry.
    pub fn accounts(&self) -> Vec<AccountBalance> {
        value_at(&self.parameters, &["AccountBalance"]).map(account::accounts).unwrap_or_default()
    }

    /// When the balances were so.
    pub fn balances_at(&self) -> Option<Timestamp> {
        value_at(&self.parameters, &["BOCompletedTime"])
            .and_then(|text| Timestamp::parse_east_africa(text).ok())
    }

    /// What stands in our account after a payment to a business.
    pub fn balance_after(&self) -> Option<Balance> {
        let keys = ["DebitAccountCurrentBalance", "InitiatorAccountCurrentBalance"];
        let all = keys.iter().chain(["DebitAccountBalance"].iter());
        all.filter_map(|key| value_at(&self.parameters, &[key])).find_map(account::braced)
    }

    /// The payment that a reversal gave back; its own receipt stands in the facts.
    pub fn reversed(&self) -> Option<Receipt> {
        value_at(&self.parameters, &["OriginalTransactionID"]).and_then(Receipt::new)
    }
}

/// Whether a `TransactionID` is the generic one, three letters of the date and seven zeros, that
/// results carry which are about no transaction. It is never a receipt.
pub fn is_generic(id: &str) -> bool {
    let id = id.trim();
    id.len() == 10 && id.get(3..).is_some_and(|rest| rest == "0000000")
}

/// Reads a result in all its irregular forms.
///
/// # Errors
/// It is no `Result` that says a `ResultCode`, or it says two.
pub fn parse(bytes: &[u8]) -> Result<Message, Unreadable> {
    let json = Json::read(bytes)?;
    let result = json.member("Result").ok_or(Unreadable::Missing("Result"))?;
    let code = result.one("ResultCode")?.ok_or(Unreadable::Missing("ResultCode"))?;
    let waiting = told::is_waiting(result.one("ResultType")?);
    let own_id = match result.one("OriginatorConversationID")? {
        Some(id) => Some(id),
        None => result.one("OriginatorCoversationID")?,
    };
    let conversation = result.one("ConversationID")?;
    let parameters = group(result, "ResultParameters", "ResultParameter");
    let facts = ResultFacts {
        code: told::code(code),
        description: redact::description(result.word_of(&["ResultDesc"]).unwrap_or_default()),
        waiting,
        conversation: conversation.and_then(ConversationId::new),
        ..facts(result, &parameters, own_id)
    };
    let as_id = |text: Option<&str>| text.filter(|id| told::is_id(id)).map(ToOwned::to_owned);
    Ok(Message {
        originator: as_id(own_id),
        conversation: as_id(conversation),
        facts,
        status: told::payment_in(&parameters),
        references: group(result, "ReferenceData", "ReferenceItem"),
        parameters,
    })
}

/// The items of a group, be they a list, one object, or nothing.
fn group(result: &Json, name: &str, item: &str) -> Vec<(String, String)> {
    let group = result.member(name);
    group.map(|group| group.member(item).unwrap_or(group).pairs()).unwrap_or_default()
}

/// What the parameters and `TransactionID` say of the transaction.
fn facts(result: &Json, parameters: &[(String, String)], own_id: Option<&str>) -> ResultFacts {
    let at = |keys: &[&str]| value_at(parameters, keys);
    let receipt = receipts(result, parameters).next();
    let (payee, recipient_name) =
        at(&["ReceiverPartyPublicName"]).map(told::split_party).unwrap_or_default();
    ResultFacts {
        code: String::new(),
        description: String::new(),
        waiting: false,
        conversation: None,
        receipt: receipt.and_then(Receipt::new),
        amount: at(&["TransactionAmount", "Amount"]).and_then(told::amount),
        payee,
        recipient_name,
        charge: at(&["B2CWithdrawalChargeAmount", "Charge"])
            .and_then(told::amount)
            .or_else(|| at(&["DebitPartyCharges"]).and_then(charge)),
        completed_at: at(&[
            "TransactionCompletedDateTime",
            "TransCompletedTime",
            "TransactionDateTime",
            "FinalisedTime",
        ])
        .and_then(|text| Timestamp::parse_east_africa(text).ok()),
        odd: odd(result, parameters, own_id).map(ToOwned::to_owned),
    }
}

/// Every receipt that is told, generic ones left out.
fn receipts<'a>(
    result: &'a Json,
    parameters: &'a [(String, String)],
) -> impl Iterator<Item = &'a str> {
    let own = result.words("TransactionID");
    own.chain(values_at(parameters, "TransactionReceipt")).filter(|id| !is_generic(id))
}

/// `Fee For B2C Payment|KES|22.40`; of several joined by `&`, none is the charge.
fn charge(text: &str) -> Option<Amount> {
    let mut words = text.split('|');
    let (_name, _currency, amount) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() { None } else { told::amount(amount) }
}

/// What in a result does not fit together: which of two receipts is right, or how much was paid,
/// is not guessed at.
fn odd(
    result: &Json,
    parameters: &[(String, String)],
    own_id: Option<&str>,
) -> Option<&'static str> {
    let mut receipts = receipts(result, parameters);
    if let Some(first) = receipts.next()
        && receipts.any(|other| !other.eq_ignore_ascii_case(first))
    {
        return Some("TransactionID and TransactionReceipt name two receipts");
    }
    let mut amounts = ["TransactionAmount", "Amount"]
        .into_iter()
        .flat_map(|key| values_at(parameters, key))
        .map(told::amount);
    if let Some(first) = amounts.next() {
        if first.is_none() {
            return Some("the amount that was paid cannot be read");
        }
        if amounts.any(|other| other != first) {
            return Some("two amounts are said to be paid");
        }
    }
    own_id
        .is_some_and(|id| !told::is_id(id))
        .then_some("its OriginatorConversationID is none that M-Pesa could have")
}
