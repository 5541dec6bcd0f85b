//! `POST /mminterface/request`: the SOAP broker, and the core behind it.
//!
//! What arrives is checked ([`super::check`]), carried out in the book ([`super::book`]) as the
//! script says ([`super::script`]), answered, and later reported to its ResultURL
//! ([`super::deliver`]). B2C commands and `TransactionReversal` are carried out,
//! `TransactionStatusQuery` and `AccountBalance` are answered ([`super::query`]); every other
//! command of the interface is refused with 1003 so far.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{self, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::oneshot;

use super::Sim;
use super::book::{Book, Fate, Movement, NOT_REVERSIBLE, NotTaken, Taken, Wish, mix};
use super::check::{BalanceDemand, Demand, Order, Refusal, check, duplicate, refuse};
use super::daraja::faults::{self, Fault};
use super::deliver::{Letter, Parcel, Place};
use super::query::{self, Found};
use super::reply::{self, HTML, PAGE, Reply, Request};
use super::report::{self, Shape, Subject, without_header};
use super::scenario::{self, Verdict};
use super::script::{Act, Answer, Behaviour, CACHED, Code, Garbage, Results, Then};
use crate::domain::outcome;
use crate::soap::{fault, response, timeout as queue_timeout};

/// Where the broker listens (spec/soap.md §1.4).
pub const PATH: &str = "/mminterface/request";
/// The longest request: several hundred times what a request takes.
pub const BODY_MAX: usize = 1024 * 1024;
/// `Content-Type` of every answer (spec/soap.md §1.3).
pub(super) const CONTENT_TYPE: &str = "text/xml; charset=utf-8";

/// Takes a request and answers it, or does not, as the script says.
pub(super) async fn request(State(sim): State<Arc<Sim>>, request: extract::Request) -> Response {
    let body = match reply::read(request.into_body(), BODY_MAX).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    // Everything that moves money happens here, without a pause: a caller who hangs up afterwards
    // changes nothing.
    let reply = decide(&sim, &body);
    reply.send(&sim).await
}

/// `message`, or what the script puts in its place.
pub(super) fn dressed(answer: Answer, message: Vec<u8>) -> Reply {
    let (status, content_type, message) = match &answer {
        Answer::Garbage(Garbage::Page) => (StatusCode::OK, HTML, PAGE.to_vec()),
        Answer::Garbage(Garbage::Unavailable) => {
            (StatusCode::SERVICE_UNAVAILABLE, HTML, PAGE.to_vec())
        }
        Answer::Garbage(Garbage::Fault) => {
            let fault = fault::fault(fault::SERVER, "Policy Falsified");
            (StatusCode::INTERNAL_SERVER_ERROR, CONTENT_TYPE, fault)
        }
        Answer::Instead(code) => (StatusCode::OK, CONTENT_TYPE, code_only(code)),
        Answer::Now | Answer::After(_) | Answer::Never | Answer::Drop => {
            (StatusCode::OK, CONTENT_TYPE, message)
        }
    };
    Reply { answer, status, content_type, message, after_result: None }
}

/// Checks a request, does what the script says, and keeps the exchange.
fn decide(sim: &Arc<Sim>, body: &[u8]) -> Reply {
    let at = sim.now();
    let mut about = None;
    let verdict = sim.verdict(|| {
        let traffic = scenario::by_soap(body);
        about.clone_from(&traffic.name);
        traffic
    });
    let faults = verdict.as_ref().map(|verdict| verdict.faults.as_slice()).unwrap_or_default();
    let (id, reply) = match faults::before(faults) {
        Some(fault) => (about, scenario::soap_wrong(&fault)),
        None => {
            let (id, reply) = perform(sim, body, verdict.as_ref());
            (id, after(faults, reply))
        }
    };
    reply.keep(sim, Request { at, path: PATH, body, about: id });
    reply
}

/// Does what is asked for, and which request that was.
fn perform(sim: &Arc<Sim>, body: &[u8], verdict: Option<&Verdict>) -> (Option<String>, Reply) {
    match admit(sim, body) {
        Ok((order, place)) => {
            let id = order.originator_conversation_id.clone();
            (Some(id), obey(sim, (order, place), body, verdict))
        }
        Err(refusal) => {
            let id = refusal.originator_conversation_id.clone();
            let drawn = || sim.chooser.refusal(id.as_deref());
            let answer = verdict.map_or_else(drawn, |verdict| verdict.behaviour.answer.clone());
            (id.clone(), refused(&refusal, answer))
        }
    }
}

/// `good`, or what comes in its place although it was done.
pub(super) fn after(faults: &[Fault], good: Reply) -> Reply {
    match faults::is_after(faults) {
        Some(fault) => Reply { after_result: good.after_result, ..scenario::soap_wrong(fault) },
        None => good,
    }
}

/// Checks a request. A place for its result comes first: nothing is accepted whose result could
/// not be sent.
fn admit(sim: &Sim, body: &[u8]) -> Result<(Order, Place), Refusal> {
    let place = sim
        .outbox
        .place()
        .ok_or_else(|| refuse("100000001", "system overload: too many results are waiting"))?;
    let order = check(sim.settings(), |id| sim.book().knows(id), body)?;
    Ok((order, place))
}

/// Does with a request that is in order what the script says.
fn obey(
    sim: &Arc<Sim>,
    (order, place): (Order, Place),
    body: &[u8],
    verdict: Option<&Verdict>,
) -> Reply {
    let id = order.originator_conversation_id.as_str();
    let ruled = verdict.map(|verdict| &verdict.behaviour);
    let behaviour = match &order.demand {
        Demand::Pay(demand) => sim.chooser.payment(id, demand.phone, ruled),
        Demand::Ask(by) => sim.chooser.question(id, by.as_str(), ruled),
        Demand::Balance(demand) => sim.chooser.question(id, demand.shortcode.as_str(), ruled),
        Demand::Reverse(_) => sim.chooser.payment(id, None, ruled),
    };
    let faults = verdict.map(|verdict| verdict.faults.as_slice()).unwrap_or_default();
    let mut way = Way { behaviour, shape: Shape::of(faults) };
    faults::change(faults, &mut way.behaviour);
    let answer = way.behaviour.answer.clone();
    match way.behaviour.act.clone() {
        Act::Refuse(code) => {
            let refusal = Refusal {
                says: outcome::answer(&code).says.to_owned(),
                code,
                originator_conversation_id: Some(order.originator_conversation_id),
            };
            refused(&refusal, answer)
        }
        Act::Forget => {
            tracing::info!(
                originator_conversation_id = id,
                "request forgotten as scripted: nothing done"
            );
            dressed(answer, Vec::new())
        }
        Act::Cache { wait, then } => {
            tracing::info!(originator_conversation_id = id, ?wait, ?then, "request held");
            let message = code_only(CACHED);
            hold(sim, Held { order, way, place }, (wait, then), body);
            dressed(answer, message)
        }
        Act::Fail(code) => carry_out(sim, order, Some(code), &way, place),
        Act::Pay => carry_out(sim, order, None, &way, place),
    }
}

/// The core takes an order at once, answers it, and reports.
fn carry_out(
    sim: &Arc<Sim>,
    order: Order,
    scripted: Option<Code>,
    way: &Way,
    place: Place,
) -> Reply {
    let answer = way.behaviour.answer.clone();
    match take(sim, &order, scripted) {
        Err(refusal) => refused(&refusal, answer),
        Ok(carried) => {
            let message = response::render(&response::Answer {
                code: "0",
                description: outcome::answer("0").says,
                conversation_id: Some(&carried.taken.conversation_id),
                originator_conversation_id: Some(&order.originator_conversation_id),
                service_status: Some("0"),
            });
            let after_result = report(sim, order, carried, way, place);
            Reply { after_result, ..dressed(answer, message) }
        }
    }
}

/// What becomes of a request, and how its result is written.
struct Way {
    behaviour: Behaviour,
    shape: Shape,
}

/// An order that the broker holds.
struct Held {
    order: Order,
    way: Way,
    place: Place,
}

/// Goes on with an order after a while, as `then` says (spec/soap.md §5.6).
fn hold(sim: &Arc<Sim>, held: Held, (wait, then): (Duration, Then), body: &[u8]) {
    let later = Arc::clone(sim);
    match then {
        Then::Deliver => sim.outbox.later(wait, move || deliver_held(&later, held)),
        Then::GiveUp => {
            let Held { order, place, .. } = held;
            let id = &order.originator_conversation_id;
            let message = queue_timeout::render(id, &without_header(body));
            sim.outbox.send(Parcel {
                to: order.timeout_to,
                letters: vec![letter(message)],
                originator_conversation_id: order.originator_conversation_id,
                delay: wait,
                once: false,
                place,
            });
        }
    }
}

/// The core takes what the broker held. When it has taken the same id meanwhile, its refusal comes
/// as a result, because nobody waits for an answer (spec/soap.md §5.3).
fn deliver_held(sim: &Arc<Sim>, held: Held) {
    let Held { order, way, place } = held;
    let refusal = match take(sim, &order, None) {
        Ok(carried) => {
            report(sim, order, carried, &way, place);
            return;
        }
        Err(refusal) => refusal,
    };
    let subject = Subject {
        originator_conversation_id: &order.originator_conversation_id,
        conversation_id: "",
        references: &order.references,
        shape: way.shape,
    };
    let message = subject.report(&refusal.code, None, Vec::new()).render();
    sim.outbox.send(Parcel {
        to: order.result_to,
        letters: vec![letter(message)],
        originator_conversation_id: order.originator_conversation_id,
        delay: Duration::ZERO,
        once: false,
        place,
    });
}

fn letter(message: Vec<u8>) -> Letter {
    Letter { body: Bytes::from(message), wait: Duration::ZERO, only_if_taken: false }
}

fn refused(refusal: &Refusal, answer: Answer) -> Reply {
    tracing::info!(
        originator_conversation_id = refusal.originator_conversation_id,
        code = %refusal.code,
        says = refusal.says,
        "request refused"
    );
    dressed(answer, render_refusal(refusal))
}

/// What the core did with an order.
struct Carried {
    taken: Taken,
    /// What the core found, if it was a question.
    found: Option<Found>,
    /// What the accounts hold, if it was that question.
    accounts: Option<String>,
}

/// The core takes an order: its id is spent, and money moves or a question is answered.
/// `scripted` is the `ResultCode` that it is to fail with.
fn take(sim: &Sim, order: &Order, scripted: Option<Code>) -> Result<Carried, Refusal> {
    let at = sim.now();
    let id = order.originator_conversation_id.as_str();
    let fault = initiator_fault(sim, order);
    let mut book = sim.book();
    let wish = wish(&book, order, fault.clone(), scripted.clone());
    let taken = book.take(at, id, wish).map_err(|not_taken| Refusal {
        originator_conversation_id: Some(id.to_owned()),
        ..match not_taken {
            NotTaken::Duplicate => duplicate(),
            NotTaken::Full => refuse("100000001", not_taken.to_string()),
        }
    })?;
    let failed = fault.or(scripted);
    let (found, accounts) = match &order.demand {
        Demand::Pay(_) | Demand::Reverse(_) => (None, None),
        Demand::Ask(by) => {
            let found = failed.map_or_else(|| query::look_up(&book, by, at), Found::Code);
            (Some(found), None)
        }
        Demand::Balance(BalanceDemand { shortcode, failure }) => {
            match failed.or_else(|| failure.clone()) {
                Some(code) => (Some(Found::Code(code)), None),
                None => {
                    let working = book.working(shortcode).unwrap_or_default();
                    (None, Some(query::accounts(working, book.balance())))
                }
            }
        }
    };
    drop(book);
    log_taken(order, &taken);
    Ok(Carried { taken, found, accounts })
}

/// What the book is asked to do; the first thing that is wrong decides.
fn wish(book: &Book, order: &Order, fault: Option<Code>, scripted: Option<Code>) -> Wish {
    match &order.demand {
        Demand::Ask(_) | Demand::Balance(_) => Wish::Ask,
        Demand::Pay(demand) => {
            let failure = fault.or_else(|| demand.failure.clone());
            match (failure.or(scripted), demand.payment()) {
                (Some(code), payment) => Wish::Fail(code, payment.map(Movement::Payout)),
                (None, Some(payment)) => Wish::Pay(payment),
                (None, None) => Wish::Fail(Code::Borrowed("7"), None),
            }
        }
        Demand::Reverse(demand) => {
            let all = book.by_receipt(&demand.receipt).map(|moved| moved.movement.amount());
            let reversal = demand.reversal(all).map(Movement::Reversal);
            let failure = fault.or_else(|| demand.failure.clone());
            match (failure.or(scripted), reversal) {
                (Some(code), reversal) => Wish::Fail(code, reversal),
                (None, Some(reversal)) => Wish::Move(reversal),
                // Nothing is known by that receipt, so that all of it is nothing.
                (None, None) => Wish::Fail(Code::Borrowed(NOT_REVERSIBLE), None),
            }
        }
    }
}

fn log_taken(order: &Order, taken: &Taken) {
    let id = order.originator_conversation_id.as_str();
    match &taken.fate {
        Fate::Paid(entry) => tracing::info!(
            originator_conversation_id = id,
            phone = ?entry.phone,
            amount = %entry.amount,
            receipt = entry.receipt,
            "request taken and paid"
        ),
        Fate::NotPaid(code) => {
            tracing::info!(originator_conversation_id = id, %code, "request taken and not paid");
        }
        Fate::Moved(moved) => tracing::info!(
            originator_conversation_id = id,
            amount = %moved.movement.amount(),
            receipt = moved.receipt,
            "request taken and payment given back"
        ),
        Fate::Asked => {
            tracing::info!(originator_conversation_id = id, "question taken");
        }
    }
}

/// The `ResultCode` that a wrong initiator or credential leads to (spec/soap.md §5.2).
fn initiator_fault(sim: &Sim, order: &Order) -> Option<Code> {
    if !order.is_our_initiator {
        return Some(Code::Borrowed("2001"));
    }
    let settings = sim.settings();
    sim.operator().fault(&settings.credential_key, &settings.initiator_password, &order.credential)
}

/// Sends the result on its way; what is returned resolves when a result that is to come before
/// the answer has been tried.
fn report(
    sim: &Arc<Sim>,
    order: Order,
    carried: Carried,
    Way { behaviour, shape }: &Way,
    place: Place,
) -> Option<oneshot::Receiver<()>> {
    let Carried { taken, found, accounts } = carried;
    let told = shape.name_as_told(&taken.conversation_id);
    let subject = Subject {
        originator_conversation_id: &order.originator_conversation_id,
        conversation_id: &told,
        references: &order.references,
        shape: *shape,
    };
    let good = match (&found, &accounts) {
        (None, None) => subject.payment(&taken.fate),
        (None, Some(accounts)) => subject.balance(accounts, sim.now()),
        (Some(found), _) => query::render(&subject, &sim.settings().shortcode, found),
    };
    let letters = report::letters(&behaviour.result, &subject, good, behaviour.again_after);
    if letters.is_empty() {
        return None;
    }
    let usual = || sim.settings().delivery.delay_of(mix(taken.number));
    let delay = if let Results::Late(delay) = behaviour.result {
        delay
    } else {
        behaviour.result_delay.unwrap_or_else(usual)
    };
    let told = sim.outbox.send(Parcel {
        to: order.result_to,
        letters,
        originator_conversation_id: order.originator_conversation_id,
        delay,
        once: false,
        place,
    });
    (behaviour.result == Results::BeforeAnswer).then_some(told)
}

/// An answer of the broker's with this code and the words of the table.
pub(super) fn code_only(code: &str) -> Vec<u8> {
    response::render(&response::Answer {
        code,
        description: outcome::answer(code).says,
        ..response::Answer::default()
    })
}

/// A refusal as the broker writes it, with code and words only; or as the core does
/// (spec/soap.md §4.1).
fn render_refusal(refusal: &Refusal) -> Vec<u8> {
    let from_broker = refusal.code.len() == "100000000".len();
    let id = refusal.originator_conversation_id.as_deref();
    response::render(&response::Answer {
        code: &refusal.code,
        description: &refusal.says,
        conversation_id: (!from_broker).then_some(""),
        originator_conversation_id: id.filter(|_| !from_broker),
        service_status: (!from_broker).then_some("0"),
    })
}
