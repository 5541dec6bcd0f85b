//! The customer who pays by himself: validation, the money, confirmation (spec/daraja.md §2.2,
//! spec/soap.md §7).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::Sim;
use super::book::{Channel, Deposit, Moved, Movement, Till, mix};
use super::chaos::hash;
use super::control::Wrong;
use super::daraja::Api;
use super::daraja::faults::Fault;
use super::deliver::{Attempt, Form, Letter, Target};
use super::notice::{Kind, Notice, PhoneForm};
use super::report::{self, Telling, names_of};
use super::scenario::{self, Interface};
use super::script::{Act, Behaviour, Results};
use crate::domain::money::Amount;
use crate::domain::party::{Msisdn, ShortCode};
use crate::domain::time::Timestamp;
use crate::soap::envelope::Envelope;
use crate::soap::xml::decode;

/// How long M-Pesa waits for a validation (spec/daraja.md §2.2).
pub const VALIDATION_LIMIT: Duration = Duration::from_secs(8);
/// How long it waits for a confirmation to be acknowledged.
const CONFIRMATION_LIMIT: Duration = Duration::from_secs(10);
/// How many short codes may have addresses.
const REGISTERED_MAX: usize = 100;
/// The longest account that a customer may type (spec/daraja.md §1.5).
const ACCOUNT_MAX: usize = 20;
/// The longest name, and how many a customer has.
const NAME_MAX: (usize, usize) = (100, 3);
/// The least that a customer may pay (spec/daraja.md §6).
const SHILLING: Amount = Amount::from_shillings(1);

/// What becomes of a payment whose validation nobody answers (spec/daraja.md §1.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Otherwise {
    /// It is completed.
    Completed,
    /// It is cancelled.
    Cancelled,
}

/// How addresses were registered, which decides how the payer's phone is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Daraja's first: hashed.
    V1,
    /// Daraja's second: masked.
    V2,
    /// Over SOAP: whole, and the notices are SOAP.
    Soap,
}

impl Version {
    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Soap => "soap",
        }
    }
}

/// Where notices about one short code go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Urls {
    /// Who is asked first, if anyone.
    pub validation: Option<Target>,
    /// Who is told.
    pub confirmation: Target,
    /// What happens when nobody answers.
    pub otherwise: Otherwise,
    /// How they were registered.
    pub version: Version,
}

/// The addresses that are registered, by short code.
#[derive(Debug, Default)]
pub struct Registry(BTreeMap<ShortCode, Urls>);

impl Registry {
    /// Registers addresses in the place of those before.
    pub fn insert(&mut self, shortcode: ShortCode, urls: Urls) {
        if self.0.len() < REGISTERED_MAX || self.0.contains_key(&shortcode) {
            self.0.insert(shortcode, urls);
        }
    }

    /// Those of one short code.
    pub fn get(&self, shortcode: &ShortCode) -> Option<&Urls> {
        self.0.get(shortcode)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&ShortCode, &Urls)> {
        self.0.iter()
    }
}

/// What a customer pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// To whom.
    pub shortcode: ShortCode,
    /// Who pays.
    pub phone: Msisdn,
    /// How much.
    pub amount: Amount,
    /// What he types; nothing at a till.
    pub account: String,
    /// Pay bill or till.
    pub till: Till,
    /// What he is called; nothing: by an invented first name.
    pub names: Vec<String>,
    /// In which form the notices are written, where not as the addresses were registered.
    pub form: Option<Form>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The receipt, which a payment that is cancelled has too.
    pub receipt: String,
    /// The payment; or the code with which it was cancelled.
    pub moved: Result<Moved, String>,
    /// What the validation was answered, where there was one.
    pub validation: Option<Heard>,
    /// What the confirmation was answered, where one was sent.
    pub confirmation: Option<Heard>,
}

/// What was answered to a notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The HTTP status; `None` when no answer came.
    pub status: Option<u16>,
    /// The body; or why there was none.
    pub body: String,
    /// The `ResultCode`, where one could be read.
    pub code: Option<String>,
}

impl Heard {
    fn of(attempt: &Attempt, form: Form) -> Self {
        let (code, _third_party) = verdict(attempt, form).unwrap_or_default();
        Self {
            status: attempt.status,
            body: String::from_utf8_lossy(&attempt.answer).into_owned(),
            code: Some(code).filter(|code| !code.is_empty()),
        }
    }

    fn json(&self) -> Value {
        json!({"status": self.status, "body": self.body, "result_code": self.code})
    }
}

/// A customer pays. It takes as long as validation and confirmation do.
pub(super) async fn pays(sim: &Arc<Sim>, bill: Bill) -> Outcome {
    let text = format!("{} {} {}", bill.shortcode, bill.phone.reveal(), bill.account);
    let faults = sim.daraja.faults().draw(Api::C2b, text.as_bytes());
    let urls = sim.urls().get(&bill.shortcode).cloned();
    let reserved = sim.book().reserve();
    let payer = Payer::new(sim, &bill, &reserved.receipt, (urls.as_ref(), faults));
    let mut asked = Asked { refused: payer.cannot_pay(), ..Asked::default() };
    let is_asked = bill.till == Till::PayBill && asked.refused.is_none();
    if let Some(urls) = urls.as_ref().filter(|_| is_asked) {
        asked = payer.validate(sim, urls).await;
    }
    if let Some(code) = asked.refused {
        let receipt = reserved.receipt.clone();
        let moved = Err(code);
        return Outcome { receipt, moved, validation: asked.heard, confirmation: None };
    }
    let deposit = Deposit {
        phone: bill.phone,
        amount: bill.amount,
        shortcode: bill.shortcode.clone(),
        account: bill.account.clone(),
        till: bill.till,
        channel: Channel::C2b,
    };
    let now = sim.now();
    let moved = sim.book().deposit(now, deposit, &reserved).map_err(|code| code.to_string());
    let mut confirmation = None;
    if let (Ok(moved), Some(urls)) = (&moved, &urls) {
        confirmation = payer.confirm(sim, urls, moved, &asked.third_party).await;
    }
    let validation = asked.heard;
    Outcome { receipt: reserved.receipt.clone(), moved, validation, confirmation }
}

/// What a validation came to.
#[derive(Default)]
struct Asked {
    heard: Option<Heard>,
    /// The code with which the payment is cancelled.
    refused: Option<String>,
    third_party: String,
}

/// A customer in the middle of it.
struct Payer<'a> {
    bill: &'a Bill,
    receipt: &'a str,
    faults: Vec<Fault>,
    /// What a rule of a scenario says of it.
    ruled: Option<Behaviour>,
}

impl<'a> Payer<'a> {
    fn new(
        sim: &Sim,
        bill: &'a Bill,
        receipt: &'a str,
        (urls, mut faults): (Option<&Urls>, Vec<Fault>),
    ) -> Self {
        let is_soap = urls.is_some_and(|urls| urls.version == Version::Soap);
        let interface = if is_soap { Interface::Soap } else { Interface::Daraja };
        let verdict = sim.verdict(|| scenario::of_customer(bill, receipt, interface));
        let ruled = verdict.map(|verdict| {
            faults.extend(verdict.faults);
            verdict.behaviour
        });
        Self { bill, receipt, faults, ruled }
    }

    /// The code with which M-Pesa refuses it, if a rule says so.
    fn cannot_pay(&self) -> Option<String> {
        match self.ruled.as_ref().map(|ruled| &ruled.act) {
            Some(Act::Fail(code) | Act::Refuse(code)) => Some(code.to_string()),
            Some(Act::Pay | Act::Forget | Act::Cache { .. }) | None => None,
        }
    }

    fn form(&self, urls: &Urls) -> Form {
        let registered = if urls.version == Version::Soap { Form::Xml } else { Form::Json };
        self.bill.form.unwrap_or(registered)
    }

    /// A notice: a validation before anything has moved, then a confirmation.
    fn write(&self, urls: &Urls, at: Timestamp, more: Option<(&Moved, &str)>) -> Bytes {
        let kind = if more.is_some() { Kind::Confirmation } else { Kind::Validation };
        let moved = more.map(|(moved, _)| moved);
        let form = self.form(urls);
        let (first, _last) = names_of(self.bill.phone);
        let names = if self.bill.names.is_empty() {
            vec![first.to_uppercase()]
        } else {
            self.bill.names.clone()
        };
        let notice = Notice {
            till: self.bill.till,
            receipt: self.receipt,
            at,
            amount: self.bill.amount,
            shortcode: &self.bill.shortcode,
            account: &self.bill.account,
            balance: moved.map(|moved| moved.balance),
            third_party: more.map(|(_, third_party)| third_party).unwrap_or_default(),
            phone: self.bill.phone,
            phone_form: if self.faults.contains(&Fault::MaskedShort) {
                PhoneForm::MaskedShort
            } else {
                match urls.version {
                    Version::V1 => PhoneForm::Hashed,
                    Version::V2 => PhoneForm::Masked,
                    Version::Soap => PhoneForm::Whole,
                }
            },
            names: &names,
        };
        Bytes::from(if form == Form::Json { notice.json() } else { notice.soap(kind) })
    }

    /// Asks whether the payment is wanted.
    async fn validate(&self, sim: &Arc<Sim>, urls: &Urls) -> Asked {
        let Some(to) = &urls.validation else {
            return Asked::default();
        };
        let form = self.form(urls);
        let to = to.clone().in_form(form);
        let body = self.write(urls, sim.now(), None);
        let attempt = sim.outbox.call(&to, body, self.receipt, VALIDATION_LIMIT).await;
        let heard = Some(Heard::of(&attempt, form));
        let (refused, third_party) = match verdict(&attempt, form) {
            Some((code, third_party)) if code.bytes().all(|byte| byte == b'0') => {
                (None, third_party)
            }
            Some((code, _third_party)) => (Some(code), String::new()),
            None => {
                let cancelled = urls.otherwise == Otherwise::Cancelled;
                (cancelled.then(|| "no_answer".to_owned()), String::new())
            }
        };
        Asked { heard, refused, third_party }
    }

    /// Tells that the payment has moved, as the seed and the faults say; what the first of the
    /// messages was answered.
    async fn confirm(
        &self,
        sim: &Arc<Sim>,
        urls: &Urls,
        moved: &Moved,
        third_party: &str,
    ) -> Option<Heard> {
        let form = self.form(urls);
        let good = self.write(urls, moved.at, Some((moved, third_party)));
        let behaviour = self.behaviour(sim);
        let after = behaviour.again_after;
        let letters = report::letters(&behaviour.result, &Plain, good.to_vec(), after);
        let usual = || sim.settings().delivery.delay_of(mix(hash(self.receipt)));
        let delay = if let Results::Late(late) = behaviour.result {
            late
        } else {
            behaviour.result_delay.unwrap_or_else(usual)
        };
        let to = urls.confirmation.clone().in_form(form);
        let mut letters = letters.into_iter();
        let first = letters.next()?;
        sleep(delay).await;
        let attempt = call(sim, &to, &first, self.receipt).await;
        let rest: Vec<Letter> = letters.collect();
        if !rest.is_empty() {
            let (later, receipt) = (Arc::clone(sim), self.receipt.to_owned());
            sim.outbox.run(async move {
                for letter in rest {
                    drop(call(&later, &to, &letter, &receipt).await);
                }
            });
        }
        Some(Heard::of(&attempt, form))
    }

    fn behaviour(&self, sim: &Sim) -> Behaviour {
        let mut behaviour = sim.chooser.notice(self.receipt, self.ruled.as_ref());
        for fault in &self.faults {
            if *fault == Fault::NoConfirmation {
                behaviour.result = Results::Never;
            } else if let Fault::Told(results) = fault {
                behaviour.result = results.clone();
            }
        }
        behaviour
    }
}

async fn call(sim: &Sim, to: &Target, letter: &Letter, receipt: &str) -> Attempt {
    sleep(letter.wait).await;
    sim.outbox.call(to, letter.body.clone(), receipt, CONFIRMATION_LIMIT).await
}

/// A confirmation is told in no other way than the good one.
struct Plain;

impl Telling for Plain {
    fn waiting(&self) -> Option<Vec<u8>> {
        None
    }

    fn other(&self, _code: &str) -> Vec<u8> {
        Vec::new()
    }

    fn without_code(&self, good: &[u8]) -> Vec<u8> {
        String::from_utf8_lossy(good).replace("TransID", "Trans").into_bytes()
    }
}

/// The notice that a payment by STK prompt causes too (spec/daraja.md §0, 4).
pub(super) fn confirm_prompt(sim: &Arc<Sim>, moved: &Moved) {
    let Movement::Deposit(deposit) = &moved.movement else {
        return;
    };
    let Some(urls) = sim.urls().get(&deposit.shortcode).cloned() else {
        return;
    };
    let text = format!("{} {} {}", deposit.shortcode, deposit.phone.reveal(), deposit.account);
    let faults = sim.daraja.faults().draw(Api::C2b, text.as_bytes());
    let bill = Bill {
        shortcode: deposit.shortcode.clone(),
        phone: deposit.phone,
        amount: deposit.amount,
        account: deposit.account.clone(),
        till: deposit.till,
        names: Vec::new(),
        form: None,
    };
    let (later, moved) = (Arc::clone(sim), moved.clone());
    sim.outbox.run(async move {
        let payer = Payer::new(&later, &bill, &moved.receipt, (Some(&urls), faults));
        drop(payer.confirm(&later, &urls, &moved, "").await);
    });
}

/// The code of an answer to a notice, and what the validation called the payment, where they can
/// be read and it came with 2xx.
fn verdict(attempt: &Attempt, form: Form) -> Option<(String, String)> {
    if !attempt.is_taken() {
        return None;
    }
    match form {
        Form::Json => {
            let answer: Value = serde_json::from_slice(&attempt.answer).ok()?;
            let text = |name: &str| match answer.get(name)? {
                Value::String(text) => Some(text.trim().to_owned()),
                Value::Number(number) => Some(number.to_string()),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
            };
            let code = text("ResultCode").filter(|code| !code.is_empty())?;
            Some((code, text("ThirdPartyTransID").unwrap_or_default()))
        }
        Form::Xml => {
            let text = decode(&attempt.answer).ok()?;
            let envelope = Envelope::open(&text).ok()?;
            let answer = envelope.message("C2BPaymentValidationResult").ok()?;
            let code = answer.value_of("ResultCode").filter(|code| !code.is_empty())?;
            let third_party = answer.value_of("ThirdPartyTransID").unwrap_or_default();
            Some((code.to_owned(), third_party.to_owned()))
        }
    }
}

/// What a tester asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    shortcode: String,
    phone: String,
    amount: Value,
    #[serde(default)]
    account: String,
    kind: Option<String>,
    #[serde(default)]
    names: Vec<String>,
    confirm: Option<String>,
}

impl Wanted {
    fn bill(self, sim: &Sim) -> Result<Bill, String> {
        let shortcode: ShortCode =
            self.shortcode.parse().map_err(|fault| format!("shortcode {fault}"))?;
        if !sim.settings().is_ours(&shortcode) {
            return Err(format!("shortcode {shortcode} is not the organisation's"));
        }
        let phone = self.phone.parse().map_err(|fault| format!("phone {fault}"))?;
        let amount = self.amount.as_str().map_or_else(|| self.amount.to_string(), str::to_owned);
        let amount: Amount = amount.parse().map_err(|fault| format!("amount {fault}"))?;
        if amount < SHILLING {
            return Err("amount must be a shilling at least".to_owned());
        }
        let till = match self.kind.as_deref() {
            None | Some("paybill") => Till::PayBill,
            Some("till") => Till::BuyGoods,
            Some(_other) => return Err("kind must be paybill or till".to_owned()),
        };
        let form = match self.confirm.as_deref() {
            None => None,
            Some("rest") => Some(Form::Json),
            Some("soap") => Some(Form::Xml),
            Some(_other) => return Err("confirm must be rest or soap".to_owned()),
        };
        if self.account.chars().count() > ACCOUNT_MAX {
            return Err(format!("account has more than {ACCOUNT_MAX} characters"));
        }
        let (longest, most) = NAME_MAX;
        if self.names.len() > most || self.names.iter().any(|name| name.len() > longest) {
            return Err(format!("names are {most} at most, of {longest} bytes at most"));
        }
        let account = if till == Till::PayBill { self.account } else { String::new() };
        Ok(Bill { shortcode, phone, amount, account, till, names: self.names, form })
    }
}

/// `POST /sim/c2b`: a customer pays, and what came of it is answered.
pub(super) async fn control(
    State(sim): State<Arc<Sim>>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Response {
    let bill = match wanted {
        Ok(Json(wanted)) => wanted.bill(&sim),
        Err(fault) => Err(fault.body_text()),
    };
    let bill = match bill {
        Ok(bill) => bill,
        Err(why) => return Wrong::because(why),
    };
    // In the background, so that it goes on when the tester hangs up.
    let (tell, told) = oneshot::channel();
    let later = Arc::clone(&sim);
    sim.outbox.run(async move {
        let outcome = pays(&later, bill).await;
        // An error says that nobody waits for it.
        tell.send(outcome).ok();
    });
    match told.await {
        Ok(outcome) => Json(outcome.json()).into_response(),
        Err(_stopped) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

impl Outcome {
    /// As `POST /sim/c2b` answers it.
    fn json(&self) -> Value {
        let (outcome, code) = match &self.moved {
            Ok(_moved) => ("completed", None),
            Err(code) => ("cancelled", Some(code.as_str())),
        };
        json!({
            "outcome": outcome,
            "code": code,
            "receipt": self.receipt,
            "amount": self.moved.as_ref().ok().map(|moved| moved.movement.amount().to_string()),
            "balance": self.moved.as_ref().ok().map(|moved| moved.balance.to_string()),
            "validation": self.validation.as_ref().map(Heard::json),
            "confirmation": self.confirmation.as_ref().map(Heard::json),
        })
    }
}
