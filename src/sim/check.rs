//! What the broker and the core look at before they take a request, in their order. Pure, but for
//! the operator, who remembers wrong credentials.

use std::collections::HashMap;
use std::fmt;

use super::Settings;
use super::book::{By, Payment, Reversal};
use super::deliver::Target;
use super::script::Code;
use crate::credential::PrivateKey;
use crate::domain::money::{Amount, NotAnAmount};
use crate::domain::party::{Msisdn, ShortCode};
use crate::domain::payout::Command;
use crate::soap::header::{HexCase, SpHeader, sp_password};
use crate::soap::request::{self, Incoming, Party};
use crate::soap::status_query::StatusQuery;

/// Commands of the interface that this simulator does not carry out (spec/soap.md §3.3). They are
/// refused as not assigned to the caller.
const NOT_ASSIGNED: [&str; 5] = [
    "BusinessPayBill",
    "BusinessBuyGoods",
    "BusinessToBusinessTransfer",
    "QueryCustomerKYC",
    "RegisterURL",
];

/// What a question about another organisation's accounts ends in (spec/soap.md §5.2).
const NOT_ALLOWED: &str = "21";

/// A refusal: the request is not taken, and its OriginatorConversationID is not spent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The `ResponseCode` (spec/soap.md §4.2).
    pub code: Code,
    /// The `ResponseDesc`.
    pub says: String,
    /// Which request, if it could be read.
    pub originator_conversation_id: Option<String>,
}

/// A request that is in order as far as its form goes.
#[derive(Debug)]
pub struct Order {
    /// The caller's name for it.
    pub originator_conversation_id: String,
    /// What is asked for.
    pub demand: Demand,
    /// Whether the initiator is the organisation's operator; his credential is checked later.
    pub is_our_initiator: bool,
    /// His credential, encrypted.
    pub credential: Credential,
    /// What the result echoes (spec/soap.md §5.1).
    pub references: Vec<(String, String)>,
    /// Where the result goes.
    pub result_to: Target,
    /// Where the broker says that it gave the request up (spec/soap.md §5.6).
    pub timeout_to: Target,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Demand {
    /// A payment.
    Pay(PayDemand),
    /// What became of a payment (spec/soap.md §3.3).
    Ask(By),
    /// What the accounts of a short code hold.
    Balance(BalanceDemand),
    /// A customer's payment, given back.
    Reverse(ReverseDemand),
}

/// A balance as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BalanceDemand {
    /// Whose.
    pub shortcode: ShortCode,
    /// What will be found wrong when the request is carried out: the `ResultCode`.
    pub failure: Option<Code>,
}

/// A reversal as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReverseDemand {
    /// The receipt of the payment.
    pub receipt: String,
    /// How much of it; `None` where that is not said: all of it.
    pub amount: Option<Amount>,
    /// Who gives it back; `None` when `failure` says that the party is wrong.
    pub shortcode: Option<ShortCode>,
    /// What will be found wrong when the request is carried out: the `ResultCode`.
    pub failure: Option<Code>,
}

impl ReverseDemand {
    /// The reversal, where it is known who gives how much back; `all` is what was paid.
    pub fn reversal(&self, all: Option<Amount>) -> Option<Reversal> {
        let (amount, shortcode) = (self.amount.or(all)?, self.shortcode.clone()?);
        Some(Reversal { receipt: self.receipt.clone(), amount, shortcode })
    }
}

/// A payment as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayDemand {
    /// Which of the B2C commands.
    pub command: Command,
    /// How much.
    pub amount: Amount,
    /// To whom; `None` when `failure` says that the receiver is wrong.
    pub phone: Option<Msisdn>,
    /// What will be found wrong when the request is carried out: the `ResultCode`.
    pub failure: Option<Code>,
}

impl PayDemand {
    /// The payment, where it is known whom to pay.
    pub fn payment(&self) -> Option<Payment> {
        let Self { command, amount, .. } = *self;
        self.phone.map(|phone| Payment { phone, amount, command })
    }
}

/// A SecurityCredential as it came. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Credential(String);

impl Credential {
    /// As it came.
    pub const fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(***)")
    }
}

/// Reads a request and checks it as the broker and then the core do; `is_spent` knows
/// each OriginatorConversationID that was taken.
///
/// # Errors
/// The refusal of whoever finds the first thing wrong.
pub fn check(
    settings: &Settings,
    is_spent: impl FnOnce(&str) -> bool,
    body: &[u8],
) -> Result<Order, Refusal> {
    let incoming = request::parse(body)
        .map_err(|fault| refuse("100000005", format!("not a request: {fault}")))?;
    let named = |refusal: Refusal| Refusal {
        originator_conversation_id: incoming.originator_conversation_id.clone(),
        ..refusal
    };
    check_broker(settings, incoming.header.as_ref()).map_err(named)?;
    check_core(settings, is_spent, &incoming).map_err(named)
}

/// The broker's part: who calls (spec/soap.md §2).
pub(super) fn check_broker(settings: &Settings, header: Option<&SpHeader>) -> Result<(), Refusal> {
    let Some(header) = header else {
        return Err(refuse("100000014", "RequestSOAPHeader is missing"));
    };
    let authentic = header.sp_id == settings.sp_id
        && header.time_stamp.as_deref().is_some_and(|time_stamp| {
            [HexCase::Upper, HexCase::Lower].into_iter().any(|case| {
                let expected =
                    sp_password(&settings.sp_id, &settings.sp_password, time_stamp, case);
                header.sp_password.as_deref() == Some(expected.as_str())
            })
        });
    if !authentic {
        return Err(refuse("100000007", "authentication failed"));
    }
    if header.service_id.as_deref() != Some(settings.service_id.as_str()) {
        return Err(refuse("100000008", "serviceId is not active"));
    }
    Ok(())
}

/// The core's part: what is asked (spec/soap.md §3).
fn check_core(
    settings: &Settings,
    is_spent: impl FnOnce(&str) -> bool,
    incoming: &Incoming,
) -> Result<Order, Refusal> {
    if let Some(fault) = incoming.faults().first() {
        return Err(refuse("23", format!("message structure invalid: {fault}")));
    }
    let name = incoming.command.as_deref().unwrap_or_default();
    let demand = match name {
        StatusQuery::COMMAND => Demand::Ask(asked_for(incoming)?),
        "AccountBalance" => Demand::Balance(balance(settings, incoming)?),
        "TransactionReversal" => Demand::Reverse(reversal(settings, incoming)?),
        name => Demand::Pay(payment(settings, command(name)?, incoming)?),
    };
    let (result_to, timeout_to) = addresses(incoming)?;
    let caller_type = incoming.document.descend(&["Identity", "Caller", "CallerType"]);
    if caller_type.is_none_or(|kind| kind.value() != "2") {
        return Err(refuse("1001", "CallerType must be 2"));
    }
    if incoming.key_owner.as_deref() != Some("1") {
        return Err(refuse("1004", "KeyOwner must be 1"));
    }
    let Some(id) = &incoming.originator_conversation_id else {
        return Err(refuse("1005", "OriginatorConversationID is empty"));
    };
    if is_spent(id) {
        return Err(duplicate());
    }
    let initiator_type = incoming.document.descend(&["Identity", "Initiator", "IdentifierType"]);
    // He pays from the organisation's short code only, and asks about each of its own.
    let is_for = |shortcode: &str| match &demand {
        Demand::Pay(_) => shortcode == settings.shortcode.as_str(),
        Demand::Ask(_) | Demand::Balance(_) | Demand::Reverse(_) => {
            shortcode.parse().is_ok_and(|shortcode| settings.is_ours(&shortcode))
        }
    };
    let is_our_initiator = initiator_type.is_some_and(|kind| kind.value() == "11")
        && incoming.initiator.as_deref() == Some(settings.initiator.as_str())
        && incoming.initiator_shortcode.as_deref().is_some_and(is_for);
    Ok(Order {
        originator_conversation_id: id.clone(),
        demand,
        is_our_initiator,
        credential: Credential(incoming.security_credential.clone().unwrap_or_default()),
        references: incoming.references.clone(),
        result_to,
        timeout_to,
    })
}

fn payment(
    settings: &Settings,
    command: Command,
    incoming: &Incoming,
) -> Result<PayDemand, Refusal> {
    let (amount, too_fine) = amount(incoming.parameter("Amount"))?;
    let receiver = receiver(incoming.receiver_party.as_ref());
    let failure = payer_fault(settings, incoming.primary_party.as_ref())
        .or_else(|| receiver.err())
        .or_else(|| too_fine.then_some("2020"));
    let (phone, failure) = (receiver.ok(), failure.map(Code::Borrowed));
    Ok(PayDemand { command, amount, phone, failure })
}

/// Whose accounts are meant: the parameter `ShortCode` (spec/soap.md §3.3).
fn balance(settings: &Settings, incoming: &Incoming) -> Result<BalanceDemand, Refusal> {
    if incoming.parameter("OrgShortCodeList").is_some_and(|list| !list.is_empty()) {
        return Err(refuse("25", "this simulator tells of one short code at a time"));
    }
    let shortcode: ShortCode = needed(incoming, "ShortCode")?
        .parse()
        .map_err(|_error| refuse("25", "format of parameter ShortCode is invalid"))?;
    let failure = (!settings.is_ours(&shortcode)).then_some(Code::Borrowed(NOT_ALLOWED));
    Ok(BalanceDemand { shortcode, failure })
}

/// Which payment is to be given back: `OriginalTransactionID`, and by whom: the receiver
/// (spec/soap.md §3.3).
fn reversal(settings: &Settings, incoming: &Incoming) -> Result<ReverseDemand, Refusal> {
    let receipt = needed(incoming, "OriginalTransactionID")?.to_owned();
    let given = incoming.parameter("Amount").filter(|text| !text.is_empty());
    let (amount, too_fine) = match given {
        Some(text) => amount(Some(text)).map(|(amount, too_fine)| (Some(amount), too_fine))?,
        None => (None, false),
    };
    let party = incoming.receiver_party.as_ref().filter(|party| party.kind == "4");
    let shortcode = party
        .and_then(|party| party.identifier.parse().ok())
        .filter(|shortcode| settings.is_ours(shortcode));
    let failure = shortcode.is_none().then_some("7").or_else(|| too_fine.then_some("2020"));
    Ok(ReverseDemand { receipt, amount, shortcode, failure: failure.map(Code::Borrowed) })
}

fn needed<'a>(incoming: &'a Incoming, key: &str) -> Result<&'a str, Refusal> {
    let value = incoming.parameter(key).filter(|text| !text.is_empty());
    value.ok_or_else(|| refuse("24", format!("mandatory parameter {key} is missing")))
}

/// By what a question asks: exactly one of three (spec/soap.md §3.3).
fn asked_for(incoming: &Incoming) -> Result<By, Refusal> {
    let value = |key| incoming.parameter(key).map(ToOwned::to_owned);
    let mut given = [
        value("ReceiptNumber").map(By::Receipt),
        value("OriginatorConversationID").map(By::OriginatorConversationId),
        value("ConversationID").map(By::ConversationId),
    ]
    .into_iter()
    .flatten();
    match (given.next(), given.next()) {
        (Some(by), None) => Ok(by),
        (None, _) => Err(refuse(
            "24",
            "mandatory parameter ReceiptNumber, OriginatorConversationID or ConversationID is \
             missing",
        )),
        (Some(_), Some(_)) => {
            Err(refuse("25", "only one of ReceiptNumber and the conversation ids may be given"))
        }
    }
}

/// The refusal of an OriginatorConversationID that was taken before.
pub fn duplicate() -> Refusal {
    refuse("15", "duplicate OriginatorConversationID")
}

/// A refusal with this code, of a request that could not be named yet.
pub fn refuse(code: &'static str, says: impl Into<String>) -> Refusal {
    Refusal { code: Code::Borrowed(code), says: says.into(), originator_conversation_id: None }
}

fn command(text: &str) -> Result<Command, Refusal> {
    if NOT_ASSIGNED.contains(&text) {
        return Err(refuse("1003", "this simulator carries out no such command yet"));
    }
    text.parse().map_err(|_error| refuse("1002", "CommandID does not exist"))
}

/// The amount, and whether it is finer than a cent, which is found only when it is paid.
fn amount(text: Option<&str>) -> Result<(Amount, bool), Refusal> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Err(refuse("24", "mandatory parameter Amount is missing"));
    };
    match text.parse() {
        Ok(amount) => Ok((amount, false)),
        Err(NotAnAmount::Places) => Ok((Amount::ZERO, true)),
        Err(NotAnAmount::Form | NotAnAmount::TooLarge) => {
            Err(refuse("25", "format of parameter Amount is invalid"))
        }
    }
}

/// The broker here has no addresses of its own for the partner, so the request must name both
/// (spec/soap.md §3.2).
fn addresses(incoming: &Incoming) -> Result<(Target, Target), Refusal> {
    let Some(result_url) = &incoming.result_url else {
        return Err(refuse("100000014", "ResultURL is missing"));
    };
    let Some(timeout_url) = incoming.reference("QueueTimeoutURL").filter(|url| !url.is_empty())
    else {
        return Err(refuse("100000014", "QueueTimeoutURL is missing"));
    };
    let target = |name: &str, url: &str| {
        Target::parse(url).map_err(|why| refuse("100000005", format!("{name} {why}")))
    };
    let timeout_to = target("QueueTimeoutURL", timeout_url)?;
    Ok((target("ResultURL", result_url)?, timeout_to))
}

/// Why the payer is not the organisation (spec/soap.md §3.3), if it is not.
fn payer_fault(settings: &Settings, party: Option<&Party>) -> Option<&'static str> {
    let is_ours = party
        .is_some_and(|party| party.kind == "4" && party.identifier == settings.shortcode.as_str());
    (!is_ours).then_some("6")
}

/// Who is paid: an MSISDN of 12 digits and nothing else (spec/soap.md §3.2).
fn receiver(party: Option<&Party>) -> Result<Msisdn, &'static str> {
    let party = party.filter(|party| party.kind == "1").ok_or("7")?;
    let number = Some(party.identifier.as_str())
        .filter(|digits| digits.len() == 12 && digits.bytes().all(|b| b.is_ascii_digit()));
    number.and_then(|digits| digits.parse().ok()).and_then(Msisdn::from_number).ok_or("2051")
}

/// The organisation's API operator, who is locked out after [`Operator::WRONG_MAX`] wrong
/// passwords in a row, until the simulator starts anew (spec/soap.md §6).
#[derive(Debug, Default)]
pub struct Operator {
    wrong: u32,
    /// What credentials were found to be: decrypting costs a millisecond, and a gateway sends the
    /// same credential for years.
    known: HashMap<Credential, bool>,
}

impl Operator {
    /// Wrong passwords in a row that lock him out.
    pub const WRONG_MAX: u32 = 3;
    /// Credentials remembered; when they are more, all are forgotten.
    const KNOWN_MAX: usize = 64;

    /// The `ResultCode` that a credential leads to, unless it is right: 2001, and 8006 once he is
    /// locked.
    pub fn fault(
        &mut self,
        key: &PrivateKey,
        password: &str,
        credential: &Credential,
    ) -> Option<Code> {
        if self.wrong >= Self::WRONG_MAX {
            return Some(Code::Borrowed("8006"));
        }
        let right = match self.known.get(credential) {
            Some(right) => *right,
            None => {
                let right = key.decrypt(&credential.0).is_ok_and(|plain| plain == password);
                if self.known.len() >= Self::KNOWN_MAX {
                    self.known.clear();
                }
                self.known.insert(credential.clone(), right);
                right
            }
        };
        if right {
            self.wrong = 0;
            return None;
        }
        self.wrong = self.wrong.saturating_add(1);
        Some(Code::Borrowed("2001"))
    }
}
