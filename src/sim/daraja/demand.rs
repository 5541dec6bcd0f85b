//! What an initiator asks for (spec/daraja.md §1.6 to §1.11), read and checked in the order of its
//! fields.

use super::form::Form;
use super::refusal::Refusal;
use super::{Api, Call};
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, ShortCode};
use crate::sim::Sim;
use crate::sim::book::{Business, By, Movement, Payment, Reversal};
use crate::sim::check::Credential;
use crate::sim::deliver::Target;

/// Who collects taxes (spec/daraja.md §1.8).
const TAX_OFFICE: &str = "572572";
/// The longest payment registration number: they have sixteen digits, and no source says that the
/// thirteen characters of a business account bound them.
const PRN_LEN_MAX: usize = 20;
/// The longest OriginatorConversationID that is taken; none is published (spec/daraja.md §13).
const ID_MAX: usize = 128;
/// The initiator may not act for this short code (spec/daraja.md §3.3).
const NOT_OURS: &str = "21";
/// A parameter's format is wrong (spec/daraja.md §3.3).
const BAD_FORMAT: &str = "25";
/// What may be asked of `/mpesa/b2b/v1/paymentrequest` (spec/daraja.md §1.7).
const BUSINESS: [&str; 7] = [
    "BusinessPayBill",
    "BusinessBuyGoods",
    "BusinessPayToBulk",
    "BusinessTransferFromMMFToUtility",
    "BusinessToBusinessTransfer",
    "DisburseFundsToBusiness",
    "MerchantToMerchantTransfer",
];

/// A request that is in order as far as its form goes.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) api: Api,
    /// What its faults are drawn by, and what exchanges are found by.
    pub(super) name: String,
    /// Its OriginatorConversationID.
    pub(super) id: String,
    pub(super) demand: Demand,
    /// What will be found wrong when it is carried out: the `ResultCode`.
    pub(super) failure: Option<&'static str>,
    /// Whether the initiator is the organisation's operator; his credential is checked later.
    pub(super) is_our_initiator: bool,
    pub(super) credential: Credential,
    pub(super) result_to: Target,
    pub(super) timeout_to: Target,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub(super) enum Demand {
    /// That money moves.
    Move(Movement),
    /// What became of a payment.
    Status(By),
    /// What the accounts hold.
    Balance(ShortCode),
}

impl Order {
    /// The phone that is paid: it selects what happens (contract, part 4).
    pub(super) fn phone(&self) -> Option<Msisdn> {
        match &self.demand {
            Demand::Move(Movement::Payout(payment)) => Some(payment.phone),
            Demand::Move(Movement::Deposit(_) | Movement::Business(_) | Movement::Reversal(_))
            | Demand::Status(_)
            | Demand::Balance(_) => None,
        }
    }

    /// The name of the occasion, which is not spelt alike everywhere.
    pub(super) const fn occasion(&self) -> &'static str {
        match self.demand {
            Demand::Move(Movement::Payout(_) | Movement::Business(_)) => "Occassion",
            Demand::Move(Movement::Deposit(_) | Movement::Reversal(_))
            | Demand::Status(_)
            | Demand::Balance(_) => "Occasion",
        }
    }

    /// Whether its result writes codes as texts (spec/daraja.md §2.3).
    pub(super) const fn texts(&self) -> bool {
        matches!(self.api, Api::Balance | Api::B2b | Api::Tax)
    }
}

/// Reads a request of one of these products.
pub(super) fn read(sim: &Sim, call: &Call, form: &Form) -> Result<Order, Refusal> {
    let api = call.route.api;
    let own_id = if api == Api::B2c && call.route.version == 3 {
        Some(form.text_of("OriginatorConversationID", 1, ID_MAX)?)
    } else {
        None
    };
    let initiator = form.text(if api == Api::B2c { "InitiatorName" } else { "Initiator" })?;
    let credential = Credential::new(form.text("SecurityCredential")?);
    let (demand, failure) = match api {
        Api::B2c => payout(sim, form)?,
        Api::B2b => business(sim, form, &BUSINESS)?,
        Api::Tax => tax(sim, form)?,
        Api::Status => status(sim, form)?,
        Api::Balance => balance(sim, form)?,
        Api::Reversal
        | Api::OAuth
        | Api::Stk
        | Api::StkQuery
        | Api::C2bRegister
        | Api::C2bSimulate
        | Api::Qr
        | Api::PullRegister
        | Api::Pull
        | Api::C2b
        | Api::Sms => reversal(sim, form)?,
    };
    let timeout_to = form.url("QueueTimeOutURL")?;
    let result_to = form.url("ResultURL")?;
    let occasion = if api == Api::B2c { "Occassion" } else { "Occasion" };
    form.optional(occasion, 100)?;
    let id = match own_id.clone() {
        Some(id) if sim.book().knows(&id) => return Err(duplicate()),
        Some(id) => id,
        None => sim.daraja.fresh_id(),
    };
    // Without a name of the caller's, the address that he gave stands for one: the counter in an
    // id of ours depends on what else is going on.
    let name = own_id.unwrap_or_else(|| result_to.path().to_owned());
    let is_our_initiator = initiator == sim.settings().initiator;
    Ok(Order {
        api,
        name,
        id,
        demand,
        failure,
        is_our_initiator,
        credential,
        result_to,
        timeout_to,
    })
}

/// The refusal of an OriginatorConversationID that was taken before (spec/daraja.md §1.6).
pub(super) fn duplicate() -> Refusal {
    Refusal::new(500, "500.002.1001", "Duplicate OriginatorConversationID.")
}

type Asked = (Demand, Option<&'static str>);

/// Why the organisation is not the payer, if it is not.
fn payer(sim: &Sim, shortcode: &ShortCode) -> Option<&'static str> {
    (!sim.settings().is_ours(shortcode)).then_some(NOT_OURS)
}

fn payout(sim: &Sim, form: &Form) -> Result<Asked, Refusal> {
    let commands = ["SalaryPayment", "BusinessPayment", "PromotionPayment"];
    let command = form.one_of("CommandID", &commands)?;
    let command = command.parse().map_err(|_error| Refusal::field("CommandID"))?;
    let amount = form.amount()?;
    let from = form.shortcode("PartyA")?;
    let phone = form.phone("PartyB")?;
    form.text_of("Remarks", 2, 100)?;
    let movement = Movement::Payout(Payment { phone, amount, command });
    Ok((Demand::Move(movement), payer(sim, &from)))
}

fn business(sim: &Sim, form: &Form, commands: &[&'static str]) -> Result<Asked, Refusal> {
    let command = form.one_of("CommandID", commands)?;
    form.one_of("SenderIdentifierType", &["4"])?;
    // Misspelt on the wire, and refused when it is spelt right (spec/daraja.md §1.11).
    let receivers: &[&'static str] =
        if command == "BusinessBuyGoods" { &["4", "2"] } else { &["4"] };
    form.one_of("RecieverIdentifierType", receivers)?;
    let amount = form.amount()?;
    let from = form.shortcode("PartyA")?;
    let to = form.shortcode("PartyB")?;
    let longest = if command == "PayTaxToKRA" { PRN_LEN_MAX } else { 13 };
    let account = form.optional("AccountReference", longest)?;
    if account.is_none() && matches!(command, "BusinessPayBill" | "PayTaxToKRA") {
        return Err(Refusal::field("AccountReference"));
    }
    form.text_of("Remarks", 1, 100)?;
    let account = account.unwrap_or_default();
    let failure = payer(sim, &from);
    let movement = Movement::Business(Business { from, to, amount, command, account });
    Ok((Demand::Move(movement), failure))
}

fn tax(sim: &Sim, form: &Form) -> Result<Asked, Refusal> {
    let asked = business(sim, form, &["PayTaxToKRA"])?;
    if form.text("PartyB")? != TAX_OFFICE {
        return Err(Refusal::field("PartyB"));
    }
    Ok(asked)
}

fn status(sim: &Sim, form: &Form) -> Result<Asked, Refusal> {
    form.one_of("CommandID", &["TransactionStatusQuery"])?;
    // Both names of the second key are in use (spec/daraja.md §1.9).
    let by_id =
        || form.get("OriginalConversationID").or_else(|| form.get("OriginatorConversationID"));
    let by = match form.get("TransactionID") {
        Some(receipt) => By::Receipt(receipt),
        None => by_id()
            .map(By::OriginatorConversationId)
            .ok_or_else(|| Refusal::field("TransactionID"))?,
    };
    let party = form.shortcode("PartyA")?;
    form.one_of("IdentifierType", &["4", "2", "1"])?;
    form.text_of("Remarks", 1, 100)?;
    let is_receipt =
        |text: &str| text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let malformed = matches!(&by, By::Receipt(receipt) if !is_receipt(receipt));
    let failure = payer(sim, &party).or_else(|| malformed.then_some(BAD_FORMAT));
    Ok((Demand::Status(by), failure))
}

fn balance(sim: &Sim, form: &Form) -> Result<Asked, Refusal> {
    form.one_of("CommandID", &["AccountBalance"])?;
    let party = form.shortcode("PartyA")?;
    form.one_of("IdentifierType", &["4", "2", "1"])?;
    form.text_of("Remarks", 1, 100)?;
    let failure = payer(sim, &party);
    Ok((Demand::Balance(party), failure))
}

fn reversal(sim: &Sim, form: &Form) -> Result<Asked, Refusal> {
    form.one_of("CommandID", &["TransactionReversal"])?;
    let receipt = form.text("TransactionID")?;
    let amount: Amount = form.amount()?;
    let shortcode = form.shortcode("ReceiverParty")?;
    // Older documents had 4.
    form.one_of("RecieverIdentifierType", &["11", "4"])?;
    form.text_of("Remarks", 2, 100)?;
    let failure = payer(sim, &shortcode);
    let movement = Movement::Reversal(Reversal { receipt, amount, shortcode });
    Ok((Demand::Move(movement), failure))
}
