//! What an initiator asks for is carried out in the book, answered, and reported to its ResultURL.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::demand::{Demand, Order, duplicate};
use super::faults::{self, Fault, Wrong, wrong};
use super::prompts::PhoneShape;
use super::refusal::Refusal;
use super::result::{self, Document, Shape, braced, decimal, digits, number};
use super::{Call, Done, Way, good};
use crate::domain::money::Amount;
use crate::domain::outcome::{self, AnswerClass};
use crate::domain::party::ShortCode;
use crate::sim::book::{Entry, Fate, Moved, Movement, NotTaken, Record, Taken, Wish, mix};
use crate::sim::deliver::{Letter, Parcel, Place};
use crate::sim::notice::masked_short;
use crate::sim::query::{self, Facts, Found};
use crate::sim::reply::Reply;
use crate::sim::report::{self, name_of, public_name};
use crate::sim::script::{Act, Answer, Behaviour, Code, Garbage, Results, Then};
use crate::sim::{Sim, without_token};

/// There are too many results to be told already.
pub(super) fn overload() -> Refusal {
    let says = "System is busy. Please try again in few minutes.";
    Refusal::new(500, "500.003.02", says)
}

/// How a code of the script is said at once: as too much, or as a field that is wrong.
pub(super) fn refusal(sim: &Sim, code: &str, field: &str) -> Reply {
    if outcome::answer(code).class == AnswerClass::TryLater {
        let how = match code {
            "100000002" => Wrong::Spike429,
            "100000011" => Wrong::Spike500,
            _other => Wrong::Busy500,
        };
        return wrong(sim, how);
    }
    Refusal::field(field).reply(sim)
}

/// `good`, or what the script puts in its place. None of it says what was done.
pub(super) fn dressed(sim: &Sim, answer: &Answer, good: Reply) -> Reply {
    let instead = |what| Reply { after_result: None, ..wrong(sim, what) };
    match answer {
        Answer::Now | Answer::After(_) | Answer::Never | Answer::Drop => {
            Reply { answer: answer.clone(), ..good }
        }
        Answer::Garbage(Garbage::Page) => instead(Wrong::Page200),
        Answer::Garbage(Garbage::Unavailable) => instead(Wrong::Unavailable503),
        Answer::Garbage(Garbage::Fault) => instead(Wrong::Internal500),
        Answer::Instead(code) if code == "17" => instead(Wrong::System500),
        Answer::Instead(_) => instead(Wrong::Server500),
    }
}

/// Does with a request that is in order what the script says.
pub(super) fn obey(
    sim: &Arc<Sim>,
    order: Order,
    call: &Call,
    Way { faults, ruled }: Way<'_>,
) -> Result<Done, Refusal> {
    let place = sim.outbox.place().ok_or_else(overload)?;
    let name = order.name.clone();
    let mut behaviour = match &order.demand {
        Demand::Move(_) => sim.chooser.payment(&name, order.phone(), ruled),
        Demand::Status(by) => sim.chooser.question(&name, by.as_str(), ruled),
        Demand::Balance(party) => sim.chooser.question(&name, party.as_str(), ruled),
    };
    faults::change(faults, &mut behaviour);
    let shape = shape(sim, &order, faults);
    let held = Held { order, behaviour, shape, place };
    let answer = held.behaviour.answer.clone();
    let reply = match held.behaviour.act.clone() {
        Act::Refuse(code) => refusal(sim, &code, "PartyB"),
        Act::Forget => good(&Value::Null),
        Act::Cache { wait, then } => {
            let thin = faults.contains(&Fault::TimeoutNotice { thin: true });
            hold(sim, held, (wait, then), if thin { None } else { Some(&call.body) })
        }
        Act::Fail(code) => carry_out(sim, held, Some(code))?,
        Act::Pay => carry_out(sim, held, None)?,
    };
    Ok(Done::about(dressed(sim, &answer, reply), name))
}

/// An order on its way, and what becomes of it.
struct Held {
    order: Order,
    behaviour: Behaviour,
    shape: Shape,
    place: Place,
}

fn acknowledged(order: &Order, conversation_id: &str) -> Reply {
    good(&json!({
        "ConversationID": conversation_id,
        "OriginatorConversationID": order.id,
        "ResponseCode": "0",
        "ResponseDescription": "Accept the service request successfully.",
    }))
}

/// The core takes an order at once.
fn carry_out(sim: &Arc<Sim>, held: Held, scripted: Option<Code>) -> Result<Reply, Refusal> {
    let carried = take(sim, &held.order, scripted, None).map_err(|not_taken| match not_taken {
        NotTaken::Duplicate => duplicate(),
        NotTaken::Full => overload(),
    })?;
    let mut reply = acknowledged(&held.order, &carried.taken.conversation_id);
    reply.after_result = report(sim, held, &carried);
    Ok(reply)
}

/// Daraja has it in its queue and says so; the core knows nothing of it yet. `echo` is what is
/// posted back when it is given up (spec/daraja.md §2.4).
fn hold(sim: &Arc<Sim>, held: Held, (wait, then): (Duration, Then), echo: Option<&Bytes>) -> Reply {
    let conversation_id = sim.book().early_conversation_id(sim.now());
    let reply = acknowledged(&held.order, &conversation_id);
    let later = Arc::clone(sim);
    match then {
        Then::Deliver => {
            sim.outbox.later(wait, move || deliver_held(&later, held, &conversation_id));
        }
        Then::GiveUp => {
            let Held { order, place, .. } = held;
            let body = echo.cloned().unwrap_or_else(|| thin(&order, &conversation_id));
            sim.outbox.send(Parcel {
                to: order.timeout_to,
                letters: vec![letter(body)],
                originator_conversation_id: order.name,
                delay: wait.saturating_add(sim.settings().delivery.delay_of(0)),
                once: true,
                place,
            });
        }
    }
    reply
}

const fn letter(body: Bytes) -> Letter {
    Letter { body, wait: Duration::ZERO, only_if_taken: false }
}

/// A timeout that is no echo.
fn thin(order: &Order, conversation_id: &str) -> Bytes {
    Bytes::from(result::text(&json!({"Result": {
        "ResultType": 1,
        "ResultCode": 1,
        "ResultDesc": "The service request timed out.",
        "OriginatorConversationID": order.id,
        "ConversationID": conversation_id,
    }})))
}

/// The core takes what Daraja held. When it has taken the same id meanwhile, its refusal comes as
/// a result, because nobody waits for an answer (spec/daraja.md §3.3, code 15).
fn deliver_held(sim: &Arc<Sim>, held: Held, conversation_id: &str) {
    if let Ok(carried) = take(sim, &held.order, None, Some(conversation_id)) {
        drop(report(sim, held, &carried));
        return;
    }
    let Held { order, shape, place, .. } = held;
    let message = document(&order, conversation_id, "15", shape).render();
    sim.outbox.send(Parcel {
        to: order.result_to,
        letters: vec![letter(Bytes::from(message))],
        originator_conversation_id: order.name,
        delay: Duration::ZERO,
        once: true,
        place,
    });
}

/// What the core did with an order.
struct Carried {
    taken: Taken,
    /// What it found, if it was a question about a payment.
    found: Option<Found>,
    /// What the accounts hold, or why that is not said.
    accounts: Option<Result<String, Code>>,
}

/// The core takes an order: its id is spent, and money moves or a question is answered.
fn take(
    sim: &Sim,
    order: &Order,
    scripted: Option<Code>,
    told: Option<&str>,
) -> Result<Carried, NotTaken> {
    let at = sim.now();
    let failure =
        initiator_fault(sim, order).or_else(|| order.failure.map(Code::Borrowed)).or(scripted);
    let wish = match (&order.demand, &failure) {
        (Demand::Move(movement), None) => Wish::Move(movement.clone()),
        (Demand::Move(movement), Some(code)) => Wish::Fail(code.clone(), Some(movement.clone())),
        (Demand::Status(_) | Demand::Balance(_), _) => Wish::Ask,
    };
    let mut book = sim.book();
    let taken = match told {
        Some(told) => book.take_told(at, &order.id, wish, told)?,
        None => book.take(at, &order.id, wish)?,
    };
    let found = match &order.demand {
        Demand::Status(by) => {
            Some(failure.clone().map_or_else(|| query::look_up(&book, by, at), Found::Code))
        }
        Demand::Move(_) | Demand::Balance(_) => None,
    };
    let accounts = match &order.demand {
        Demand::Balance(party) => Some(match failure {
            Some(code) => Err(code),
            None => {
                let working = book.working(party).unwrap_or_default();
                Ok(query::accounts(working, book.balance()))
            }
        }),
        Demand::Move(_) | Demand::Status(_) => None,
    };
    drop(book);
    tracing::info!(originator_conversation_id = without_token(&order.id), fate = ?fate(&taken), "request taken");
    Ok(Carried { taken, found, accounts })
}

fn fate(taken: &Taken) -> &str {
    match &taken.fate {
        Fate::Paid(_) | Fate::Moved(_) => "moved",
        Fate::NotPaid(code) => code,
        Fate::Asked => "asked",
    }
}

/// The `ResultCode` that a wrong initiator or credential leads to (spec/daraja.md §5).
fn initiator_fault(sim: &Sim, order: &Order) -> Option<Code> {
    if !order.is_our_initiator {
        return Some(Code::Borrowed("2001"));
    }
    let settings = sim.settings();
    sim.operator().fault(&settings.credential_key, &settings.initiator_password, &order.credential)
}

fn document<'a>(
    order: &'a Order,
    conversation_id: &'a str,
    code: &'a str,
    shape: Shape,
) -> Document<'a> {
    Document {
        id: &order.id,
        conversation_id,
        code,
        transaction_id: "",
        parameters: Vec::new(),
        occasion: order.occasion(),
        texts: order.texts(),
        shape,
    }
}

/// Sends the result on its way; what is returned resolves when a result that is to come before
/// the answer has been tried.
fn report(sim: &Arc<Sim>, held: Held, carried: &Carried) -> Option<oneshot::Receiver<()>> {
    let Held { order, behaviour, shape, place } = held;
    let none = sim.book().no_receipt();
    let mut good = document(&order, &carried.taken.conversation_id, "0", shape);
    good.transaction_id = &none;
    match (&carried.taken.fate, &carried.found, &carried.accounts) {
        (_, Some(Found::Code(code)), _)
        | (_, _, Some(Err(code)))
        | (Fate::NotPaid(code), None, None) => good.code = code,
        (_, Some(Found::Record(record)), _) => {
            good.parameters = status(record, &sim.settings().shortcode);
        }
        (_, _, Some(Ok(accounts))) => {
            let completed = digits(&sim.now().east_africa_screen());
            good.parameters = vec![
                ("AccountBalance", (!shape.bare).then(|| json!(accounts))),
                ("BOCompletedTime", Some(number(&completed, false))),
            ];
        }
        (Fate::Paid(entry), None, None) => {
            good.transaction_id = &entry.receipt;
            good.parameters = paid(entry, shape);
        }
        (Fate::Moved(moved), None, None) => {
            good.transaction_id = &moved.receipt;
            good.parameters = moved_parameters(moved);
        }
        (Fate::Asked, None, None) => {}
    }
    let letters = report::letters(&behaviour.result, &good, good.render(), behaviour.again_after);
    if letters.is_empty() {
        return None;
    }
    let usual = || sim.settings().delivery.delay_of(mix(carried.taken.number));
    let delay = if let Results::Late(delay) = behaviour.result {
        delay
    } else {
        behaviour.result_delay.unwrap_or_else(usual)
    };
    let told = sim.outbox.send(Parcel {
        to: order.result_to,
        letters,
        originator_conversation_id: order.name,
        delay,
        once: true,
        place,
    });
    (behaviour.result == Results::BeforeAnswer).then_some(told)
}

type Parameters = Vec<(&'static str, Option<Value>)>;

/// What is said of a payout.
fn paid(entry: &Entry, shape: Shape) -> Parameters {
    let more = Amount::from_shillings(1);
    let wrong = entry.amount.checked_add(more).unwrap_or_default();
    let amount = if shape.wrong_amount { wrong } else { entry.amount };
    let whole = amount.cents().checked_div(100).unwrap_or_default();
    let completed = entry.at.east_africa_stamp();
    let funds = (!shape.bare).then(|| decimal(entry.balance));
    let receiver = match shape.phone {
        PhoneShape::Whole => Some(public_name(entry.phone)),
        PhoneShape::Masked => {
            Some(format!("{} - {}", masked_short(entry.phone), name_of(entry.phone)))
        }
        PhoneShape::Absent => None,
    };
    vec![
        ("TransactionReceipt", Some(json!(entry.receipt))),
        ("TransactionAmount", Some(json!(whole))),
        ("B2CChargesPaidAccountAvailableFunds", Some(decimal(Amount::ZERO))),
        ("ReceiverPartyPublicName", receiver.map(Value::String)),
        ("TransactionCompletedDateTime", Some(json!(completed))),
        ("B2CUtilityAccountAvailableFunds", funds),
        ("B2CWorkingAccountAvailableFunds", Some(decimal(Amount::ZERO))),
        ("B2CRecipientIsRegisteredCustomer", Some(json!("Y"))),
    ]
}

/// What is said of a payment to an organisation, and of a reversal.
fn moved_parameters(moved: &Moved) -> Parameters {
    let at = digits(&moved.at.east_africa_screen());
    let amount = Some(json!(moved.movement.amount().to_string()));
    match &moved.movement {
        Movement::Business(business) => vec![
            ("DebitAccountBalance", Some(braced(moved.balance))),
            ("Amount", amount),
            (
                "DebitPartyAffectedAccountBalance",
                Some(json!(query::working_account(moved.balance))),
            ),
            ("TransCompletedTime", Some(json!(at))),
            ("DebitPartyCharges", Some(json!(""))),
            ("ReceiverPartyPublicName", Some(json!(other(&business.to)))),
            ("Currency", Some(json!("KES"))),
            ("InitiatorAccountCurrentBalance", Some(braced(moved.balance))),
        ],
        Movement::Reversal(reversal) => vec![
            ("OriginalTransactionID", Some(json!(reversal.receipt))),
            ("DebitAccountBalance", Some(json!(query::working_account(moved.balance)))),
            ("Amount", amount),
            ("TransCompletedTime", Some(number(&at, false))),
            ("Charge", Some(decimal(Amount::ZERO))),
            ("CreditPartyPublicName", moved.phone.map(|phone| json!(public_name(phone)))),
            ("DebitPartyPublicName", Some(json!(query::organisation(&reversal.shortcode)))),
        ],
        Movement::Payout(_) | Movement::Deposit(_) => Vec::new(),
    }
}

fn other(shortcode: &ShortCode) -> String {
    format!("{shortcode} - Demo Business")
}

/// What is said of the payment that was asked about.
fn status(record: &Record, payer: &ShortCode) -> Parameters {
    let facts = Facts::of(record, payer);
    let at = digits(&record.at.east_africa_screen());
    vec![
        ("TransactionStatus", Some(json!(facts.status))),
        ("ReceiptNo", Some(json!(facts.receipt))),
        ("Amount", Some(json!(facts.amount))),
        ("DebitPartyName", Some(json!(facts.debit_party))),
        ("CreditPartyName", Some(json!(facts.credit_party))),
        ("OriginatorConversationID", Some(json!(*record.originator_conversation_id))),
        ("ConversationID", Some(json!(record.conversation_id))),
        ("InitiatedTime", Some(number(&at, false))),
        ("FinalisedTime", Some(number(&at, false))),
        ("DebitAccountType", Some(json!(facts.debit_account))),
        ("DebitPartyCharges", Some(json!(""))),
        ("TransactionReason", None),
        ("ReasonType", Some(json!(facts.reason()))),
    ]
}

fn shape(sim: &Sim, order: &Order, faults: &[Fault]) -> Shape {
    let drawn = sim.chooser.number(&format!("shape:{}", order.name));
    let bit = |place: u32| drawn.is_some_and(|number| (number >> place) & 3 == 0);
    let has = |fault: &Fault| faults.contains(fault);
    let moves = matches!(order.demand, Demand::Move(_));
    Shape {
        shuffled: has(&Fault::Shuffle) || bit(0),
        // Only a payment is told by one parameter alone: of a question it would tell nothing.
        objects: has(&Fault::ResultObject) || (moves && bit(2)),
        texts: has(&Fault::CodeAsString) || bit(4),
        bare: has(&Fault::NoBalanceValue),
        none: has(&Fault::NoParameters),
        phone: if has(&Fault::NoPhone) {
            PhoneShape::Absent
        } else if has(&Fault::MaskedPhone) {
            PhoneShape::Masked
        } else {
            PhoneShape::Whole
        },
        wrong_id: has(&Fault::WrongId),
        wrong_amount: has(&Fault::WrongAmount),
    }
}
