//! STK push and query (spec/daraja.md §1.2, §1.3): a prompt on a customer's phone, and its end.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::faults::{self, Fault, locked, spike};
use super::form::Form;
use super::prompts::{LIFE, PhoneShape, Prompt, Shape, State};
use super::refusal::Refusal;
use super::result::{self, decimal, digits};
use super::{Done, Way, good, order, said};
use crate::domain::money::Amount;
use crate::domain::party::ShortCode;
use crate::sim::book::{Channel, Deposit, MOST, Moved, Till, mix};
use crate::sim::chaos::{Ruled, hash};
use crate::sim::customer;
use crate::sim::deliver::{Parcel, Place};
use crate::sim::reply::Reply;
use crate::sim::report::{self, Telling, without};
use crate::sim::script::{Act, CANCELLED, NO_ANSWER, Results, Then};
use crate::sim::{Sim, lock};

/// The longest account reference that fits into a prompt; a longer one ends it with
/// [`NOT_SENT`] (spec/daraja.md §1.2).
const ACCOUNT_MAX: usize = 12;
/// The longest account reference that is read at all.
const TEXT_MAX: usize = 182;
/// The prompt could not be sent (spec/daraja.md §3.1).
const NOT_SENT: &str = "1025";
/// The wrong type of transaction for this short code (spec/daraja.md §3.1).
const NOT_ASSIGNED: &str = "2028";
/// Nobody has this till (spec/daraja.md §3.1).
const NOBODY: &str = "SFC_IC0003";
/// The same again within two minutes (spec/daraja.md §3.1).
const TWICE: &str = "17";
/// What an open prompt is called in a query (spec/daraja.md §1.3).
const STILL: &str = "4999";

/// Whether whoever pushes or asks knows the passkey (spec/daraja.md §6).
fn admit(sim: &Sim, form: &Form) -> Result<ShortCode, Refusal> {
    let shortcode = form.shortcode("BusinessShortCode")?;
    let password = form.text("Password")?;
    let timestamp = form.timestamp()?;
    if !sim.settings().is_ours(&shortcode) {
        return Err(Refusal::new(500, "500.001.1001", "Merchant does not exist"));
    }
    let expected = format!("{shortcode}{}{timestamp}", sim.settings().daraja.passkey);
    if STANDARD.decode(password).ok().as_deref() != Some(expected.as_bytes()) {
        return Err(Refusal::new(500, "500.001.1001", "[MerchantValidate] - Wrong credentials"));
    }
    Ok(shortcode)
}

/// A push that is in order.
struct Push {
    prompt: Prompt,
    /// What will be found wrong when the prompt is to be sent.
    failure: Option<&'static str>,
}

fn read(sim: &Sim, form: &Form, ruled: Ruled<'_>) -> Result<Push, Refusal> {
    let shortcode = admit(sim, form)?;
    let kinds = ["CustomerPayBillOnline", "CustomerBuyGoodsOnline"];
    let kind = form.one_of("TransactionType", &kinds)?;
    let amount = form.amount()?;
    form.phone("PartyA")?;
    let payee = form.shortcode("PartyB")?;
    let phone = form.phone("PhoneNumber")?;
    let callback = form.url("CallBackURL")?;
    let account = form.text_of("AccountReference", 1, TEXT_MAX)?;
    form.optional("TransactionDesc", 13)?;
    let till = if kind == "CustomerPayBillOnline" { Till::PayBill } else { Till::BuyGoods };
    let failure = if till == Till::PayBill && payee != shortcode {
        Some(NOT_ASSIGNED)
    } else if !sim.settings().is_ours(&payee) {
        Some(NOBODY)
    } else if account.chars().count() > ACCOUNT_MAX {
        Some(NOT_SENT)
    } else if amount > MOST {
        Some("3")
    } else {
        None
    };
    let behaviour = sim.chooser.prompt(callback.path(), phone, ruled);
    let prompt = Prompt {
        checkout: String::new(),
        merchant: sim.daraja.fresh_id(),
        shortcode,
        payee,
        phone,
        amount,
        account,
        till,
        at: sim.now(),
        callback,
        behaviour,
        shape: Shape::default(),
    };
    Ok(Push { prompt, failure })
}

/// `POST /mpesa/stkpush/v1/processrequest`.
pub(super) fn push(
    sim: &Arc<Sim>,
    form: &Form,
    Way { faults, ruled }: Way<'_>,
) -> Result<Done, Refusal> {
    let place = sim.outbox.place().ok_or_else(order::overload)?;
    let Push { mut prompt, failure } = read(sim, form, ruled)?;
    faults::change(faults, &mut prompt.behaviour);
    prompt.shape = shape(sim, &prompt, faults);
    let behaviour = prompt.behaviour.clone();
    match &behaviour.act {
        Act::Refuse(code) => {
            let reply = order::refusal(sim, code, "PhoneNumber");
            return Ok(Done::of(order::dressed(sim, &behaviour.answer, reply)));
        }
        Act::Forget => {
            return Ok(Done::of(order::dressed(sim, &behaviour.answer, good(&Value::Null))));
        }
        Act::Pay | Act::Fail(_) | Act::Cache { .. } => {}
    }
    let (phone, amount) = (prompt.phone, prompt.amount);
    let (checkout, merchant) = begin(sim, prompt)?;
    sim.stage.learn(&checkout, Some(phone), Some(amount));
    let first = go_on(sim, &checkout, failure, place);
    let says = "Success. Request accepted for processing";
    let mut reply = good(&json!({
        "MerchantRequestID": merchant,
        "CheckoutRequestID": checkout,
        "ResponseCode": "0",
        "ResponseDescription": says,
        "CustomerMessage": says,
    }));
    reply.after_result = first.filter(|_| behaviour.result == Results::BeforeAnswer);
    Ok(Done::about(order::dressed(sim, &behaviour.answer, reply), checkout))
}

/// Sends the prompt to the phone, which must have no other.
fn begin(sim: &Sim, mut prompt: Prompt) -> Result<(String, String), Refusal> {
    let mut prompts = sim.daraja.prompts();
    if prompts.is_locked(prompt.phone) {
        return Err(locked());
    }
    if prompts.is_full() {
        return Err(order::overload());
    }
    prompt.checkout = prompts.fresh_id(prompt.at, prompt.phone);
    let names = (prompt.checkout.clone(), prompt.merchant.clone());
    tracing::info!(checkout_request_id = names.0, amount = %prompt.amount, "prompt sent");
    prompts.begin(prompt);
    Ok(names)
}

/// Has the customer answer the prompt: now, after a while, or when a person says so. What is
/// returned resolves when its end was told, where that is to come before the answer.
fn go_on(
    sim: &Arc<Sim>,
    checkout: &str,
    failure: Option<&'static str>,
    place: Place,
) -> Option<oneshot::Receiver<()>> {
    let (behaviour, by_hand, delay) = {
        let prompts = sim.daraja.prompts();
        let prompt = prompts.get(checkout)?;
        let delay = prompts.delay.unwrap_or_else(|| sim.settings().daraja.prompt_delay);
        (prompt.behaviour.clone(), prompts.by_hand, delay)
    };
    let (code, delay) = match (&behaviour.act, failure) {
        (_, Some(code)) => (code.to_owned(), delay),
        (Act::Fail(code), None) => (code.to_string(), delay),
        (Act::Cache { wait, then: Then::GiveUp }, None) => {
            (NO_ANSWER.to_owned(), delay.saturating_add(*wait))
        }
        (Act::Cache { wait, then: Then::Deliver }, None) => {
            ("0".to_owned(), delay.saturating_add(*wait))
        }
        (Act::Pay | Act::Refuse(_) | Act::Forget, None) => ("0".to_owned(), delay),
    };
    if behaviour.result == Results::BeforeAnswer {
        return end(sim, checkout, &code, place);
    }
    // A person has so long, and is asked only where nothing else was laid down.
    let is_asked = by_hand && code == "0";
    let (delay, code) = if is_asked { (LIFE, NO_ANSWER.to_owned()) } else { (delay, code) };
    let (later, checkout) = (Arc::clone(sim), checkout.to_owned());
    if is_asked {
        // It counts among what waits only once it is answered: a person may take his time.
        sim.outbox.idle(delay, move || drop(end(&later, &checkout, &code, place)));
    } else {
        sim.outbox.later(delay, move || drop(end(&later, &checkout, &code, place)));
    }
    None
}

/// What a person answers to an open prompt; whether it was open.
pub(in crate::sim) fn answer(sim: &Arc<Sim>, checkout: &str, code: &str) -> bool {
    let is_open = matches!(sim.daraja.prompts().state(checkout), State::Open(_));
    let place = sim.outbox.place().filter(|_| is_open);
    place.is_some_and(|place| {
        drop(end(sim, checkout, code, place));
        true
    })
}

/// Ends a prompt, once: money moves if it was answered with the PIN, and the end is told.
fn end(sim: &Arc<Sim>, checkout: &str, code: &str, place: Place) -> Option<oneshot::Receiver<()>> {
    let now = sim.now();
    let (prompt, is_twice) = {
        let mut prompts = sim.daraja.prompts();
        let prompt = prompts.take(checkout)?;
        let is_twice = prompts.is_twice(&prompt, now);
        (prompt, is_twice)
    };
    let paid = match code {
        "0" if is_twice => Err(TWICE.to_owned()),
        "0" => pay(sim, &prompt),
        other => Err(other.to_owned()),
    };
    let code = paid.as_ref().map_or_else(String::as_str, |_moved| "0");
    sim.daraja.prompts().end(&prompt, code, now);
    tracing::info!(checkout_request_id = checkout, code, "prompt ended");
    if let Ok(moved) = &paid {
        customer::confirm_prompt(sim, moved);
    }
    tell(sim, &prompt, &paid, place)
}

fn pay(sim: &Sim, prompt: &Prompt) -> Result<Moved, String> {
    let deposit = Deposit {
        phone: prompt.phone,
        amount: prompt.amount,
        shortcode: prompt.payee.clone(),
        account: prompt.account.clone(),
        till: prompt.till,
        channel: Channel::Stk,
    };
    let mut book = sim.book();
    let reserved = book.reserve();
    book.deposit(sim.now(), deposit, &reserved).map_err(|code| code.to_string())
}

/// The end of a prompt, as it is told.
struct Ending<'a> {
    prompt: &'a Prompt,
    paid: &'a Result<Moved, String>,
}

fn tell(
    sim: &Sim,
    prompt: &Prompt,
    paid: &Result<Moved, String>,
    place: Place,
) -> Option<oneshot::Receiver<()>> {
    let behaviour = &prompt.behaviour;
    let ending = Ending { prompt, paid };
    let good = ending.render();
    let letters = report::letters(&behaviour.result, &ending, good, behaviour.again_after);
    if letters.is_empty() {
        return None;
    }
    let usual = || sim.settings().delivery.delay_of(mix(hash(&prompt.checkout)));
    let delay = match behaviour.result {
        Results::Late(late) => late,
        Results::BeforeAnswer => Duration::ZERO,
        Results::Once
        | Results::Twice
        | Results::Never
        | Results::Malformed(..)
        | Results::Contradicting(_)
        | Results::WaitingFirst => behaviour.result_delay.unwrap_or_else(usual),
    };
    Some(sim.outbox.send(Parcel {
        to: prompt.callback.clone(),
        letters,
        originator_conversation_id: prompt.checkout.clone(),
        delay,
        once: true,
        place,
    }))
}

impl Ending<'_> {
    fn render(&self) -> Vec<u8> {
        match self.paid {
            Ok(_moved) if self.prompt.shape.no_items => self.write("0", None),
            Ok(moved) => self.write("0", Some(&self.items(moved))),
            Err(code) => self.write(code, None),
        }
    }

    fn write(&self, code: &str, items: Option<&Value>) -> Vec<u8> {
        let shape = self.prompt.shape;
        let mut checkout = self.prompt.checkout.clone();
        if shape.wrong_id {
            checkout.push('9');
        }
        let mut callback = json!({
            "MerchantRequestID": self.prompt.merchant,
            "CheckoutRequestID": checkout,
            "ResultCode": result::code(code, shape.texts),
            "ResultDesc": says(code, false),
        });
        if let (Some(items), Some(fields)) = (items, callback.as_object_mut()) {
            fields.insert("CallbackMetadata".to_owned(), json!({ "Item": items }));
        }
        result::text(&json!({"Body": {"stkCallback": callback}}))
    }

    fn items(&self, moved: &Moved) -> Value {
        let Prompt { shape, phone, amount, .. } = self.prompt;
        let more = Amount::from_shillings(1);
        let amount = if shape.wrong_amount { amount.checked_add(more) } else { Some(*amount) };
        let amount = amount.unwrap_or_default();
        let paid_at = digits(&moved.at.east_africa_screen());
        let mut items = vec![
            if shape.texts {
                json!({"Name": "Amount", "Value": amount.to_string()})
            } else {
                json!({"Name": "Amount", "Value": decimal(amount)})
            },
            json!({"Name": "MpesaReceiptNumber", "Value": moved.receipt}),
        ];
        if shape.bare_balance {
            items.push(json!({"Name": "Balance"}));
        }
        items.push(
            json!({"Name": "TransactionDate", "Value": result::number(&paid_at, shape.texts)}),
        );
        match shape.phone {
            PhoneShape::Whole => {
                let phone = result::number(&phone.reveal(), shape.texts);
                items.push(json!({"Name": "PhoneNumber", "Value": phone}));
            }
            PhoneShape::Masked => {
                let masked = crate::sim::notice::masked_short(*phone);
                items.push(json!({"Name": "PhoneNumber", "Value": masked}));
            }
            PhoneShape::Absent => {}
        }
        if shape.shuffled {
            items.reverse();
        }
        Value::Array(items)
    }
}

impl Telling for Ending<'_> {
    fn waiting(&self) -> Option<Vec<u8>> {
        None
    }

    fn other(&self, code: &str) -> Vec<u8> {
        // A customer's prompt knows no recipient who can't take it.
        self.write(if code == "0" { "1037" } else { CANCELLED }, None)
    }

    fn without_code(&self, good: &[u8]) -> Vec<u8> {
        let text = String::from_utf8_lossy(good);
        without(&text, "\"ResultCode\":", ",").into_bytes()
    }
}

fn shape(sim: &Sim, prompt: &Prompt, faults: &[Fault]) -> Shape {
    let drawn = sim.chooser.number(&format!("shape:{}", prompt.callback.path()));
    let bit = |place: u32| drawn.is_some_and(|number| (number >> place) & 3 == 0);
    let has = |fault: &Fault| faults.contains(fault);
    let phone = if has(&Fault::NoPhone) {
        PhoneShape::Absent
    } else if has(&Fault::MaskedPhone) || bit(6) {
        PhoneShape::Masked
    } else {
        PhoneShape::Whole
    };
    Shape {
        shuffled: has(&Fault::Shuffle) || bit(0),
        texts: has(&Fault::CodeAsString) || bit(2),
        bare_balance: has(&Fault::NoBalanceValue) || bit(4),
        no_items: has(&Fault::NoParameters),
        phone,
        wrong_amount: has(&Fault::WrongAmount),
        wrong_id: has(&Fault::WrongId),
    }
}

/// `POST /mpesa/stkpushquery/v1/query`.
pub(super) fn query(
    sim: &Sim,
    form: &Form,
    Way { faults, ruled }: Way<'_>,
) -> Result<Done, Refusal> {
    admit(sim, form)?;
    let checkout = form.text("CheckoutRequestID")?;
    if sim.settings().daraja.limit_stk_queries && sim.daraja.prompts().is_query_too_many(sim.now())
    {
        return Ok(Done::about(spike(), checkout));
    }
    let state = lock(&sim.daraja.prompts).state(&checkout);
    let behaviour = sim.chooser.question(&format!("stk:{checkout}"), &checkout, ruled);
    let reply = word(sim, &checkout, &state, faults).unwrap_or_else(|| match &behaviour.act {
        Act::Pay | Act::Cache { .. } => found(sim, &checkout, &state),
        Act::Refuse(code) => order::refusal(sim, code, "CheckoutRequestID"),
        Act::Forget => good(&Value::Null),
        // What is said of a known id without saying anything (spec/daraja.md §1.3).
        Act::Fail(_) => match sim.chooser.number(&format!("odd:{checkout}")).map(|n| n & 3) {
            Some(0) => early(&checkout).reply(sim),
            Some(1) => nobody(&checkout).reply(sim),
            Some(2) => processing(&checkout).reply(sim),
            Some(_) | None => pending(&checkout, ""),
        },
    });
    Ok(Done::about(order::dressed(sim, &behaviour.answer, reply), checkout))
}

/// What a fault has a query say.
fn word(sim: &Sim, checkout: &str, state: &State, faults: &[Fault]) -> Option<Reply> {
    let merchant = match state {
        State::Open(merchant) => merchant.as_str(),
        State::Ended(ended) => ended.merchant.as_str(),
        State::Unknown => "",
    };
    faults.iter().find_map(|fault| {
        if *fault == Fault::Processing {
            Some(pending(checkout, merchant))
        } else if let Fault::ProcessingEnvelope(status) = fault {
            Some(processing(checkout).with_status(*status).reply(sim))
        } else if *fault == Fault::UnknownId {
            Some(nobody(checkout).reply(sim))
        } else if *fault == Fault::EarlyCheckout {
            Some(early(checkout).reply(sim))
        } else if let Fault::Fail(code) = fault {
            Some(terminal(checkout, merchant, code))
        } else {
            None
        }
    })
}

fn found(sim: &Sim, checkout: &str, state: &State) -> Reply {
    match state {
        State::Open(merchant) => pending(checkout, merchant),
        State::Ended(ended) => terminal(checkout, &ended.merchant, &ended.code),
        State::Unknown => nobody(checkout).reply(sim),
    }
}

fn pending(checkout: &str, merchant: &str) -> Reply {
    terminal(checkout, merchant, STILL)
}

fn terminal(checkout: &str, merchant: &str, code: &str) -> Reply {
    said(
        StatusCode::OK,
        &json!({
            "ResponseCode": "0",
            "ResponseDescription": "The service request has been accepted successfully",
            "MerchantRequestID": merchant,
            "CheckoutRequestID": checkout,
            "ResultCode": code,
            "ResultDesc": says(code, true),
        }),
    )
}

fn nobody(checkout: &str) -> Refusal {
    Refusal::new(500, "500.001.1001", "The transaction does not Exist").about(checkout)
}

fn processing(checkout: &str) -> Refusal {
    Refusal::new(500, "500.001.1001", "The transaction is being processed").about(checkout)
}

fn early(checkout: &str) -> Refusal {
    Refusal::new(400, "400.002.02", "Bad Request - Invalid CheckoutRequestID").about(checkout)
}

/// The words of a code, which are not the same in a callback and in a query
/// (spec/daraja.md §2.1).
fn says(code: &str, in_query: bool) -> &'static str {
    match code {
        "0" => "The service request is processed successfully.",
        "1" => "The balance is insufficient for the transaction.",
        "2" => "Declined due to limit rule: less than the minimum transaction amount.",
        "3" => "Declined due to limit rule: greater than the maximum transaction amount.",
        "8" => "The receiver's balance would exceed the maximum.",
        "17" => "Rule limited.",
        "26" => "Traffic blocking condition in place.",
        "1001" => "Unable to lock subscriber, a transaction is already in process.",
        "1019" => "Transaction has expired.",
        "1025" | "9999" => "An error occurred while sending a push request.",
        "1032" => "Request cancelled by user",
        "1037" if in_query => "DS timeout user cannot be reached.",
        "1037" => "No response from user.",
        "2001" => "The initiator information is invalid.",
        "2028" => "The request is not permitted according to product assignment.",
        "4999" => "The transaction is still under processing",
        "8006" => "The security credential is locked.",
        "SFC_IC0003" => "The operator does not exist.",
        _other => "The request could not be processed.",
    }
}
