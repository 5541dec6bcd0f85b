//! `POST /mminterface/request`: the SOAP broker, and the core behind it.
//!
//! What arrives is checked ([`super::check`]), carried out in the book ([`super::book`]) as the
//! script says ([`super::script`]), answered, and later reported to its ResultURL
//! ([`super::deliver`]). Only B2C commands are carried out; every other command of the interface,
//! `TransactionStatusQuery` among them, is refused with 1003 so far.

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
use super::book::{Fate, NotTaken, Payment, Taken, Wish, mix};
use super::check::{Order, Refusal, check, duplicate, refuse};
use super::deliver::{Parcel, Place};
use super::exchange::{Direction, Exchange};
use super::script::{Act, Answer, Behaviour, Code, Results};
use super::server::HangUp;
use crate::domain::outcome;
use crate::domain::party::Msisdn;
use crate::domain::time::Timestamp;
use crate::soap::response;
use crate::soap::result::Report;

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

/// Given names and family names of recipients, who are all invented.
const FIRST_NAMES: [&str; 8] =
    ["Amina", "Brian", "Chebet", "David", "Esther", "Faith", "George", "Halima"];
const LAST_NAMES: [&str; 8] =
    ["Achieng", "Barasa", "Chepkoech", "Njoroge", "Kamau", "Mutua", "Otieno", "Wanjiru"];

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

/// What was decided about a request.
enum Verdict {
    Refused(Refusal),
    Forgotten(Order, Answer),
    Taken(Box<Accepted>),
}

struct Accepted {
    order: Order,
    taken: Taken,
    behaviour: Behaviour,
    place: Place,
}

fn decide(sim: &Arc<Sim>, body: &[u8]) -> Reply {
    let at = sim.now();
    let verdict = judge(sim, at, body).unwrap_or_else(Verdict::Refused);
    let (id, reply) = match verdict {
        Verdict::Refused(refusal) => {
            let message = render_refusal(&refusal);
            tracing::info!(
                originator_conversation_id = refusal.originator_conversation_id,
                code = %refusal.code,
                says = refusal.says,
                "request refused"
            );
            let reply = Reply { answer: Answer::Now, message, after_result: None };
            (refusal.originator_conversation_id, reply)
        }
        Verdict::Forgotten(order, answer) => {
            tracing::info!(
                originator_conversation_id = order.originator_conversation_id,
                phone = order.phone.map(tracing::field::debug),
                "request forgotten as scripted: nothing paid"
            );
            let reply = Reply { answer, message: Vec::new(), after_result: None };
            (Some(order.originator_conversation_id), reply)
        }
        Verdict::Taken(accepted) => {
            let id = accepted.order.originator_conversation_id.clone();
            (Some(id), carry_out(sim, at, *accepted))
        }
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

/// Checks a request and, if it is in order, moves its money.
fn judge(sim: &Sim, at: Timestamp, body: &[u8]) -> Result<Verdict, Refusal> {
    let settings = sim.settings();
    // A place for the result first: nothing is accepted whose result could not be sent.
    let place = sim
        .outbox
        .place()
        .ok_or_else(|| refuse("100000001", "system overload: too many results are waiting"))?;
    let order = check(settings, |id| sim.book().knows(id), body)?;
    let named = |refusal: Refusal| Refusal {
        originator_conversation_id: Some(order.originator_conversation_id.clone()),
        ..refusal
    };
    let behaviour = order.phone.map_or(Behaviour::ORDINARY, Behaviour::of);
    let scripted = match &behaviour.act {
        Act::Refuse(code) => {
            return Err(Refusal {
                code: code.clone(),
                says: outcome::answer(code).says.to_owned(),
                originator_conversation_id: Some(order.originator_conversation_id),
            });
        }
        Act::Forget => return Ok(Verdict::Forgotten(order, behaviour.answer)),
        Act::Fail(code) => Some(code.clone()),
        Act::Pay => None,
    };
    let failure = initiator_fault(sim, &order).or_else(|| order.failure.clone()).or(scripted);
    let wish = match (failure, order.phone) {
        (Some(code), _) => Wish::Fail(code),
        (None, Some(phone)) => {
            Wish::Pay(Payment { phone, amount: order.amount, command: order.command })
        }
        (None, None) => Wish::Fail(Code::Borrowed("7")),
    };
    let taken =
        sim.book().take(at, &order.originator_conversation_id, wish).map_err(|not_taken| {
            named(match not_taken {
                NotTaken::Duplicate => duplicate(),
                NotTaken::Full => refuse("100000001", not_taken.to_string()),
            })
        })?;
    Ok(Verdict::Taken(Box::new(Accepted { order, taken, behaviour, place })))
}

/// The `ResultCode` that a wrong initiator or credential leads to (spec/soap.md §5.2).
fn initiator_fault(sim: &Sim, order: &Order) -> Option<Code> {
    if !order.is_our_initiator {
        return Some(Code::Borrowed("2001"));
    }
    let settings = sim.settings();
    sim.operator().fault(&settings.credential_key, &settings.initiator_password, &order.credential)
}

/// Writes the answer, and sends the result on its way.
fn carry_out(sim: &Arc<Sim>, at: Timestamp, accepted: Accepted) -> Reply {
    let Accepted { order, taken, behaviour, place } = accepted;
    let id = order.originator_conversation_id.as_str();
    let message = response::render(&response::Answer {
        code: "0",
        description: outcome::answer("0").says,
        conversation_id: Some(&taken.conversation_id),
        originator_conversation_id: Some(id),
        service_status: Some("0"),
    });
    match &taken.fate {
        Fate::Paid(entry) => tracing::info!(
            originator_conversation_id = id,
            phone = ?entry.phone,
            amount = %entry.amount,
            receipt = entry.receipt,
            answer = ?behaviour.answer,
            result = ?behaviour.result,
            "request accepted and paid"
        ),
        Fate::NotPaid(code) => tracing::info!(
            originator_conversation_id = id,
            phone = order.phone.map(tracing::field::debug),
            %code,
            answer = ?behaviour.answer,
            result = ?behaviour.result,
            "request accepted and not paid"
        ),
    }
    let copies = match behaviour.result {
        Results::Once | Results::BeforeAnswer => 1,
        Results::Twice => 2,
        Results::Never => 0,
    };
    let mut after_result = None;
    if copies > 0 {
        let told = sim.outbox.send(Parcel {
            to: order.result_to.clone(),
            body: Bytes::from(render_result(at, &order, &taken)),
            originator_conversation_id: order.originator_conversation_id,
            copies,
            delay: behaviour
                .result_delay
                .unwrap_or_else(|| sim.settings().delivery.delay_of(mix(taken.number))),
            place,
        });
        after_result = (behaviour.result == Results::BeforeAnswer).then_some(told);
    }
    Reply { answer: behaviour.answer, message, after_result }
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

/// The result, as the G2 core writes it (spec/soap.md §5.1, §5.4).
fn render_result(at: Timestamp, order: &Order, taken: &Taken) -> Vec<u8> {
    let references =
        order.references.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let id = order.originator_conversation_id.as_str();
    let report = |code, receipt, parameters| {
        Report {
            code,
            description: outcome::result(code).says,
            originator_conversation_id: id,
            conversation_id: &taken.conversation_id,
            receipt,
            parameters,
            references,
        }
        .render()
    };
    match &taken.fate {
        Fate::NotPaid(code) => report(code, None, Vec::new()),
        Fate::Paid(entry) => {
            let amount = entry.amount.to_string();
            let completed = at.east_africa_stamp();
            let recipient = format!("{} - {}", entry.phone.reveal(), name_of(entry.phone));
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
            report("0", Some(entry.receipt.as_str()), parameters)
        }
    }
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
