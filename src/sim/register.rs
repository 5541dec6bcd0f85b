//! `POST /mminterface/registerURL`: addresses for notices about customers' payments, registered
//! over SOAP (spec/soap.md §3.4). It is answered at once; there is no result.

use std::sync::Arc;

use axum::extract::{self, State};
use axum::response::{IntoResponse, Response};

use super::Sim;
use super::broker;
use super::check::{Refusal, check_broker, refuse};
use super::customer::{Otherwise, Urls, Version};
use super::daraja::Api;
use super::daraja::faults;
use super::deliver::Target;
use super::reply::{self, Request};
use super::scenario;
use super::script::{Act, Answer, Behaviour};
use crate::domain::outcome;
use crate::domain::party::ShortCode;
use crate::soap::request::{self, Incoming};
use crate::soap::response;

/// Where the broker listens for it (spec/soap.md §1.4).
pub(super) const PATH: &str = "/mminterface/registerURL";
/// The longest request.
const BODY_MAX: usize = 256 * 1024;
/// All zeros: it is done (spec/soap.md §3.4).
const DONE: &str = "00000000";

pub(super) async fn request(State(sim): State<Arc<Sim>>, request: extract::Request) -> Response {
    let body = match reply::read(request.into_body(), BODY_MAX).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let at = sim.now();
    let mut faults = sim.daraja.faults().draw(Api::C2bRegister, &body);
    let verdict = sim.verdict(|| scenario::by_soap(&body));
    faults.extend(verdict.iter().flat_map(|verdict| verdict.faults.iter().cloned()));
    let behaviour = verdict.as_ref().map(|verdict| &verdict.behaviour);
    let reply = match faults::before(&faults) {
        Some(fault) => scenario::soap_wrong(&fault),
        None => {
            let answer = behaviour.map_or(Answer::Now, |behaviour| behaviour.answer.clone());
            let (code, says) = match ruled_out(behaviour).map_or_else(|| register(&sim, &body), Err)
            {
                Ok(()) => (DONE.to_owned(), "success".to_owned()),
                Err(refusal) => (refusal.code.into_owned(), refusal.says),
            };
            broker::after(&faults, broker::dressed(answer, answered(&code, &says)))
        }
    };
    reply.keep(&sim, Request { at, path: PATH, body: &body, about: None });
    reply.send(&sim).await
}

/// The refusal that a rule of a scenario says, if it says one.
fn ruled_out(behaviour: Option<&Behaviour>) -> Option<Refusal> {
    let Some(Act::Refuse(code)) = behaviour.map(|behaviour| &behaviour.act) else {
        return None;
    };
    let says = outcome::answer(code).says.to_owned();
    Some(Refusal { code: code.clone(), says, originator_conversation_id: None })
}

fn answered(code: &str, says: &str) -> Vec<u8> {
    response::render(&response::Answer {
        code,
        description: says,
        conversation_id: Some(""),
        originator_conversation_id: Some(""),
        service_status: Some("0"),
    })
}

fn register(sim: &Sim, body: &[u8]) -> Result<(), Refusal> {
    let incoming = request::parse(body)
        .map_err(|fault| refuse("100000005", format!("not a request: {fault}")))?;
    check_broker(sim.settings(), incoming.header.as_ref())?;
    if incoming.command.as_deref() != Some("RegisterURL") {
        return Err(refuse("1002", "CommandID does not exist"));
    }
    let otherwise = match incoming.parameter("ResponseType") {
        Some("Completed") => Otherwise::Completed,
        Some("Cancelled" | "Cancel") => Otherwise::Cancelled,
        Some(_) | None => return Err(refuse("25", "format of parameter ResponseType is invalid")),
    };
    let shortcode = shortcode(&incoming).ok_or_else(|| refuse("6", "no such short code"))?;
    if !sim.settings().is_ours(&shortcode) {
        return Err(refuse("6", "no such short code"));
    }
    let address = |key: &str| {
        incoming.reference(key).filter(|url| !url.is_empty()).map(Target::parse).transpose()
    };
    let wrong = |why: &str| refuse("100000005", format!("the address {why}"));
    let confirmation = address("ConfirmationURL").map_err(wrong)?;
    let confirmation =
        confirmation.ok_or_else(|| refuse("100000014", "ConfirmationURL is missing"))?;
    let validation = address("ValidationURL").map_err(wrong)?;
    let urls = Urls { validation, confirmation, otherwise, version: Version::Soap };
    sim.urls().insert(shortcode, urls);
    Ok(())
}

fn shortcode(incoming: &Incoming) -> Option<ShortCode> {
    let party = |name| incoming.document.descend(&["Identity", "PrimaryParty", name]);
    let text = |name| party(name).map(|element| element.value().to_owned());
    let of_its_own = text("ShortCode").filter(|code| !code.is_empty());
    of_its_own.or_else(|| text("Identifier"))?.parse().ok()
}
