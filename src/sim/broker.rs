//! `POST /mminterface/request`: the SOAP broker, and the core behind it.
//!
//! What arrives is checked ([`super::check`]), carried out in the book ([`super::book`]) as the
//! script says ([`super::script`]), answered, and later reported to its ResultURL
//! ([`super::deliver`]). B2C commands are carried out and `TransactionStatusQuery` is answered
//! ([`super::query`]); every other command of the interface is refused with 1003 so far.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use super::Sim;
use super::book::{Fate, NotTaken, Taken, Wish, mix};
use super::check::{Demand, Order, Refusal, check, duplicate, refuse};
use super::deliver::{Parcel, Place};
use super::exchange::{Direction, Exchange};
use super::query::{self, Found};
use super::report::Subject;
use super::script::{Act, Answer, Behaviour, Code, Results};
use super::server::HangUp;
use crate::domain::outcome;
use crate::domain::time::Timestamp;
use crate::soap::response;

/// Where the broker listens (spec/soap.md §1.4).
pub const PATH: &str = "/mminterface/request";
/// The longest request: several hundred times what a request takes.
pub const BODY_MAX: usize = 1024 * 1024;
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(15);
/// How long an answer waits for the result that is to come before it.
const RESULT_FIRST_MAX: Duration = Duration::from_secs(5);
/// `Content-Type` of every answer (spec/soap.md §1.3).
const CONTENT_TYPE: &str = "text/xml; charset=utf-8";

/// Takes a request and answers it, or does not, as the script says.
pub(super) async fn request(State(sim): State<Arc<Sim>>, request: Request) -> Response {
    let reading = to_bytes(request.into_body(), BODY_MAX);
    let body = match timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(body)) => body,
        Ok(Err(_too_long_or_broken)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        Err(_elapsed) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    // Everything that moves money happens here, without a pause: a caller who hangs up afterwards
    // changes nothing.
    let reply = decide(&sim, &body);
    if let Some(first) = reply.after_result {
        // Whether it was delivered or not: the answer follows.
        drop(timeout(RESULT_FIRST_MAX, first).await);
    }
    match reply.answer {
        Answer::Now => {}
        Answer::After(delay) => sleep(delay).await,
        Answer::Never => {
            sleep(sim.settings().hold).await;
            return HangUp.into_response();
        }
        Answer::Drop => return HangUp.into_response(),
    }
    let headers = [(header::CONTENT_TYPE, CONTENT_TYPE)];
    (headers, Body::from(reply.message)).into_response()
}

/// What is answered, and how.
struct Reply {
    answer: Answer,
    message: Vec<u8>,
    /// Resolves when the result that is to come first has been tried.
    after_result: Option<oneshot::Receiver<()>>,
}

/// Checks a request, does what the script says, and keeps the exchange.
fn decide(sim: &Arc<Sim>, body: &[u8]) -> Reply {
    let at = sim.now();
    let (id, reply) = match admit(sim, body) {
        Ok((order, place)) => {
            let id = order.originator_conversation_id.clone();
            (Some(id), obey(sim, at, order, place))
        }
        Err(refusal) => (refusal.originator_conversation_id.clone(), refused(&refusal)),
    };
    let answered = matches!(reply.answer, Answer::Now | Answer::After(_));
    sim.exchanges().push(Exchange {
        seq: 0,
        at,
        direction: Direction::In,
        path: PATH.to_owned(),
        status: answered.then_some(200),
        request: body.to_vec(),
        response: if answered {
            reply.message.clone()
        } else {
            b"no answer, as the script says".to_vec()
        },
        originator_conversation_id: id,
    });
    reply
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
fn obey(sim: &Arc<Sim>, at: Timestamp, order: Order, place: Place) -> Reply {
    let behaviour = match &order.demand {
        Demand::Pay(demand) => demand.phone.map_or(Behaviour::ORDINARY, Behaviour::of),
        Demand::Ask(_) => Behaviour::ORDINARY,
    };
    let scripted = match behaviour.act.clone() {
        Act::Refuse(code) => {
            return refused(&Refusal {
                says: outcome::answer(&code).says.to_owned(),
                code,
                originator_conversation_id: Some(order.originator_conversation_id),
            });
        }
        Act::Forget => {
            tracing::info!(
                originator_conversation_id = order.originator_conversation_id,
                "request forgotten as scripted: nothing paid"
            );
            let answer = behaviour.answer;
            return Reply { answer, message: Vec::new(), after_result: None };
        }
        Act::Fail(code) => Some(code),
        Act::Pay => None,
    };
    let answer = behaviour.answer;
    match take(sim, at, &order, scripted) {
        Err(refusal) => refused(&refusal),
        Ok(carried) => {
            let message = response::render(&response::Answer {
                code: "0",
                description: outcome::answer("0").says,
                conversation_id: Some(&carried.taken.conversation_id),
                originator_conversation_id: Some(&order.originator_conversation_id),
                service_status: Some("0"),
            });
            let after_result = report(sim, order, &carried, &behaviour, place);
            Reply { answer, message, after_result }
        }
    }
}

fn refused(refusal: &Refusal) -> Reply {
    tracing::info!(
        originator_conversation_id = refusal.originator_conversation_id,
        code = %refusal.code,
        says = refusal.says,
        "request refused"
    );
    Reply { answer: Answer::Now, message: render_refusal(refusal), after_result: None }
}

/// What the core did with an order.
struct Carried {
    taken: Taken,
    /// The result that follows.
    result: Vec<u8>,
}

/// The core takes an order: its id is spent, and money moves or a question is answered.
/// `scripted` is the `ResultCode` that it is to fail with.
fn take(
    sim: &Sim,
    at: Timestamp,
    order: &Order,
    scripted: Option<Code>,
) -> Result<Carried, Refusal> {
    let id = order.originator_conversation_id.as_str();
    let fault = initiator_fault(sim, order);
    let wish = match &order.demand {
        Demand::Ask(_) => Wish::Ask,
        Demand::Pay(demand) => {
            let failure =
                fault.clone().or_else(|| demand.failure.clone()).or_else(|| scripted.clone());
            match (failure, demand.payment()) {
                (Some(code), payment) => Wish::Fail(code, payment),
                (None, Some(payment)) => Wish::Pay(payment),
                (None, None) => Wish::Fail(Code::Borrowed("7"), None),
            }
        }
    };
    let taken = sim.book().take(at, id, wish).map_err(|not_taken| Refusal {
        originator_conversation_id: Some(id.to_owned()),
        ..match not_taken {
            NotTaken::Duplicate => duplicate(),
            NotTaken::Full => refuse("100000001", not_taken.to_string()),
        }
    })?;
    let subject = Subject {
        originator_conversation_id: id,
        conversation_id: &taken.conversation_id,
        references: &order.references,
    };
    let result = match &order.demand {
        Demand::Pay(_) => subject.payment(&taken.fate),
        Demand::Ask(by) => {
            let failed = fault.or(scripted).map(Found::Code);
            let found = failed.unwrap_or_else(|| query::look_up(&sim.book(), by, at));
            query::render(&subject, &sim.settings().shortcode, &found)
        }
    };
    log_taken(order, &taken);
    Ok(Carried { taken, result })
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
        Fate::Asked => tracing::info!(originator_conversation_id = id, "question taken"),
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
    carried: &Carried,
    behaviour: &Behaviour,
    place: Place,
) -> Option<oneshot::Receiver<()>> {
    let copies = match behaviour.result {
        Results::Once | Results::BeforeAnswer => 1,
        Results::Twice => 2,
        Results::Never => return None,
    };
    let told = sim.outbox.send(Parcel {
        to: order.result_to,
        body: Bytes::from(carried.result.clone()),
        originator_conversation_id: order.originator_conversation_id,
        copies,
        delay: behaviour
            .result_delay
            .unwrap_or_else(|| sim.settings().delivery.delay_of(mix(carried.taken.number))),
        place,
    });
    (behaviour.result == Results::BeforeAnswer).then_some(told)
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
