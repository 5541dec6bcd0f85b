//! What may be asked of M-Pesa, as it comes in a body: every field checked, every fault named,
//! before anything is done (spec/daraja.md §1.4–§1.11).

use super::Problem;
use super::fields::{Fields, Need};
use crate::daraja::rules;
use crate::domain::id::{ConversationId, Receipt};
use crate::domain::inquiry::{
    BusinessCommand, BusinessPayment, C2bVersion, Kind, PaidTo, QrCode, QrKind, QrReceiver,
    RegisterPull, RegisterUrls, ResponseType, SimulateC2b, Tax, TransactionStatus,
};
use crate::domain::limit::AmountLimits;
use crate::domain::party::ShortCode;
use crate::domain::payout::Rail;
use crate::engine::{Engine, InquiryDraft, ReversalDraft};

pub(in crate::http) const BALANCE_FIELDS: [&str; 2] = ["shortcode", "rail"];
pub(in crate::http) const STATUS_FIELDS: [&str; 4] =
    ["receipt", "originator_conversation_id", "shortcode", "rail"];
pub(in crate::http) const REVERSAL_FIELDS: [&str; 5] =
    ["receipt", "amount", "remarks", "occasion", "rail"];
pub(in crate::http) const REGISTER_FIELDS: [&str; 4] =
    ["shortcode", "response_type", "rail", "version"];
pub(in crate::http) const SIMULATE_FIELDS: [&str; 6] =
    ["shortcode", "command", "amount", "phone", "account", "version"];
pub(in crate::http) const BUSINESS_FIELDS: [&str; 8] =
    ["command", "to", "amount", "account", "requester", "remarks", "occasion", "rail"];
pub(in crate::http) const TAX_FIELDS: [&str; 3] = ["prn", "amount", "remarks"];
pub(in crate::http) const QR_FIELDS: [&str; 6] =
    ["amount", "reference", "kind", "receiver", "size", "merchant_name"];
pub(in crate::http) const PULL_FIELDS: [&str; 2] = ["nominated_number", "shortcode"];
/// How wide a QR code is, in pixels, unless it is said.
const QR_SIZE: u16 = 300;

/// The organisation's own number, unless another is given.
fn shortcode(fields: &mut Fields<'_>, own: &ShortCode) -> ShortCode {
    let given = fields.ruled("shortcode", Need::May, rules::shortcode);
    given.parse().unwrap_or_else(|_none| own.clone())
}

/// Which way, where there may be two: Daraja, unless the gateway has only the broker.
fn rail(fields: &mut Fields<'_>, engine: &Engine) -> Rail {
    let ways: Vec<Rail> = engine.rail_states().into_iter().map(|(rail, _state)| rail).collect();
    match fields.word::<Rail>("rail") {
        Some(asked) => {
            if !ways.contains(&asked) {
                fields.fault("rail", format!("{asked} is not set up on this gateway"));
            }
            asked
        }
        None if ways.contains(&Rail::Daraja) => Rail::Daraja,
        None => engine.default_rail(),
    }
}

/// Over the broker the initiator is named with the short code that is asked about. M-Pesa takes one
/// that is not ours for a wrong initiator (2001), at which all sending stops: a slip of one
/// application's would stop everybody.
fn ours_over_the_broker(
    fields: &mut Fields<'_>,
    rail: Rail,
    shortcode: &ShortCode,
    engine: &Engine,
) {
    if rail == Rail::Soap && !engine.is_ours(shortcode) {
        let message = "over soap, must be one of this gateway's own numbers: M-Pesa takes another \
                       for a wrong operator, and all sending would stop";
        fields.fault("shortcode", message);
    }
}

/// The number that customers pay to.
fn till(engine: &Engine) -> ShortCode {
    engine.till().shortcode.parse().unwrap_or_else(|_odd| engine.shortcode().clone())
}

/// Reads the body of `POST /v1/balance-inquiries`; an empty one asks for nothing special.
pub(super) fn balance(body: &[u8], engine: &Engine) -> Result<InquiryDraft, Problem> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let mut fields = Fields::read(body, &BALANCE_FIELDS)?;
    let shortcode = shortcode(&mut fields, engine.shortcode());
    let rail = rail(&mut fields, engine);
    ours_over_the_broker(&mut fields, rail, &shortcode, engine);
    fields.done(Some(InquiryDraft { kind: Kind::Balance, rail, shortcode }))
}

/// Reads the body of `POST /v1/transaction-status-inquiries`.
pub(super) fn status(body: &[u8], engine: &Engine) -> Result<InquiryDraft, Problem> {
    let mut fields = Fields::read(body, &STATUS_FIELDS)?;
    if fields.has("receipt") == fields.has("originator_conversation_id") {
        let message = "exactly one of receipt and originator_conversation_id must be given";
        fields.fault("receipt", message);
    }
    let receipt = fields.ruled("receipt", Need::May, rules::receipt);
    let name = fields.ruled("originator_conversation_id", Need::May, rules::name);
    let shortcode = shortcode(&mut fields, engine.shortcode());
    let rail = rail(&mut fields, engine);
    ours_over_the_broker(&mut fields, rail, &shortcode, engine);
    let by_name = || ConversationId::new(&name).map(TransactionStatus::Conversation);
    let of = Receipt::new(&receipt).map(TransactionStatus::Receipt).or_else(by_name);
    if of.is_none() {
        fields.fault_unless_any("receipt", "must not be empty");
    }
    let kind = of.map(Kind::TransactionStatus);
    fields.done(kind.map(|kind| InquiryDraft { kind, rail, shortcode }))
}

/// Reads the body of `POST /v1/reversals`.
pub(super) fn reversal(body: &[u8], engine: &Engine) -> Result<ReversalDraft, Problem> {
    let mut fields = Fields::read(body, &REVERSAL_FIELDS)?;
    let receipt = fields.ruled("receipt", Need::Must, rules::receipt);
    let amount = fields.money("amount", rules::Limits::default().payments);
    let remarks = fields.ruled("remarks", Need::Must, rules::remarks);
    let occasion = fields.ruled("occasion", Need::May, rules::occasion);
    let rail = rail(&mut fields, engine);
    let draft = Receipt::new(&receipt).zip(amount).map(|(receipt, amount)| ReversalDraft {
        rail,
        receipt,
        amount,
        remarks,
        occasion,
    });
    fields.done(draft)
}

/// Reads the body of `POST /v1/c2b/register-urls`; an empty one asks for nothing special.
pub(super) fn register(body: &[u8], engine: &Engine) -> Result<InquiryDraft, Problem> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    let mut fields = Fields::read(body, &REGISTER_FIELDS)?;
    let shortcode = shortcode(&mut fields, &till(engine));
    let response_type = fields.one_of("response_type", &ResponseType::ALL, ResponseType::as_str);
    let version = fields.one_of("version", &C2bVersion::ALL, C2bVersion::as_str);
    let rail = rail(&mut fields, engine);
    ours_over_the_broker(&mut fields, rail, &shortcode, engine);
    let kind = Kind::RegisterUrls(RegisterUrls {
        response_type: response_type.unwrap_or(ResponseType::Completed),
        version: version.unwrap_or(C2bVersion::V2),
    });
    fields.done(Some(InquiryDraft { kind, rail, shortcode }))
}

/// Reads the body of `POST /v1/c2b/simulate`.
pub(super) fn simulate(body: &[u8], engine: &Engine) -> Result<InquiryDraft, Problem> {
    let mut fields = Fields::read(body, &SIMULATE_FIELDS)?;
    let shortcode = shortcode(&mut fields, &till(engine));
    let commands = [PaidTo::PayBill, PaidTo::Till];
    let to = fields.one_of("command", &commands, PaidTo::command).unwrap_or(PaidTo::PayBill);
    let amount = fields.money("amount", rules::Limits::default().payments);
    let phone = fields.phone("phone");
    let has_account = fields.has("account");
    let need = if to == PaidTo::PayBill { Need::Must } else { Need::May };
    let account = fields.ruled("account", need, rules::bill_ref);
    if to == PaidTo::Till && has_account {
        fields.fault("account", "must be left out: a till has no accounts");
    }
    let version = fields.one_of("version", &C2bVersion::ALL, C2bVersion::as_str);
    let kind = amount.zip(phone).map(|(amount, phone)| {
        Kind::SimulateC2b(SimulateC2b {
            to,
            amount,
            phone,
            account: (!account.is_empty()).then_some(account),
            version: version.unwrap_or(C2bVersion::V2),
        })
    });
    fields.done(kind.map(|kind| InquiryDraft { kind, rail: Rail::Daraja, shortcode }))
}

/// Reads the body of `POST /v1/c2b/register-pull`.
pub(super) fn register_pull(body: &[u8], engine: &Engine) -> Result<InquiryDraft, Problem> {
    let mut fields = Fields::read(body, &PULL_FIELDS)?;
    let own = engine.till().pulls.parse().unwrap_or_else(|_odd| till(engine));
    let shortcode = shortcode(&mut fields, &own);
    let phone = fields.phone("nominated_number");
    let kind = phone.map(|phone| Kind::RegisterPull(RegisterPull { phone }));
    fields.done(kind.map(|kind| InquiryDraft { kind, rail: Rail::Daraja, shortcode }))
}

/// Reads the body of `POST /v1/qr-codes`.
pub(super) fn qr_code(body: &[u8], engine: &Engine) -> Result<InquiryDraft, Problem> {
    let mut fields = Fields::read(body, &QR_FIELDS)?;
    let amount = fields.money("amount", engine.till().amounts);
    let reference = fields.ruled("reference", Need::Must, rules::account_reference);
    let kind = fields.one_of("kind", &QrKind::ALL, QrKind::as_str);
    let kind = kind.unwrap_or_else(|| engine.till().paid_to.into());
    let receiver = qr_receiver(&mut fields, kind, engine);
    let size = fields.whole("size").unwrap_or(QR_SIZE);
    if let Err(fault) = rules::qr_size("size", size) {
        fields.fault("size", fault.broken.to_string());
    }
    let merchant = fields.ruled("merchant_name", Need::May, rules::merchant);
    let merchant = if merchant.is_empty() { engine.organisation().to_owned() } else { merchant };
    let kind = amount.zip(receiver).map(|(amount, receiver)| {
        Kind::QrCode(QrCode { merchant, reference, amount, kind, receiver, size })
    });
    let shortcode = till(engine);
    fields.done(kind.map(|kind| InquiryDraft { kind, rail: Rail::Daraja, shortcode }))
}

/// Who is paid: the number that customers pay to, where the code is for such a number.
fn qr_receiver(fields: &mut Fields<'_>, kind: QrKind, engine: &Engine) -> Option<QrReceiver> {
    if kind.is_phone() {
        return fields.phone("receiver").map(QrReceiver::Phone);
    }
    if fields.has("receiver") {
        let given = fields.ruled("receiver", Need::Must, rules::shortcode);
        return given.parse().ok().map(QrReceiver::Number);
    }
    if kind != QrKind::from(engine.till().paid_to) {
        let message = format!("is missing: this gateway has no {} of its own", kind.as_str());
        fields.fault("receiver", message);
        return None;
    }
    Some(QrReceiver::Number(till(engine)))
}

/// Reads the body of `POST /v1/business-payments`.
pub(super) fn business(body: &[u8], engine: &Engine) -> Result<InquiryDraft, Problem> {
    let mut fields = Fields::read(body, &BUSINESS_FIELDS)?;
    let command = fields.one_of("command", &BusinessCommand::ALL, BusinessCommand::as_str);
    let command = command.unwrap_or(BusinessCommand::PayBill);
    let to = fields.ruled("to", Need::Must, rules::shortcode).parse::<ShortCode>().ok();
    let amount = fields.money("amount", business_limits());
    let need = if command == BusinessCommand::PayBill { Need::Must } else { Need::May };
    let account = fields.ruled("account", need, rules::b2b_account);
    let requester = fields.phone_if_given("requester");
    let remarks = fields.ruled("remarks", Need::Must, rules::remarks);
    let occasion = fields.ruled("occasion", Need::May, rules::occasion);
    let kind = amount.zip(to).map(|(amount, to)| {
        Kind::BusinessPayment(BusinessPayment {
            command,
            to,
            amount,
            account,
            requester,
            remarks,
            occasion,
        })
    });
    let rail = rail(&mut fields, engine);
    let shortcode = engine.shortcode().clone();
    fields.done(kind.map(|kind| InquiryDraft { kind, rail, shortcode }))
}

/// Reads the body of `POST /v1/tax-payments`.
pub(super) fn tax(body: &[u8], engine: &Engine) -> Result<InquiryDraft, Problem> {
    let mut fields = Fields::read(body, &TAX_FIELDS)?;
    let prn = fields.ruled("prn", Need::Must, rules::prn);
    let amount = fields.money("amount", business_limits());
    let remarks = fields.ruled("remarks", Need::Must, rules::remarks);
    let kind = amount.map(|amount| Kind::Tax(Tax { prn, amount, remarks }));
    let shortcode = engine.shortcode().clone();
    fields.done(kind.map(|kind| InquiryDraft { kind, rail: Rail::Daraja, shortcode }))
}

fn business_limits() -> AmountLimits {
    rules::Limits::default().business
}
