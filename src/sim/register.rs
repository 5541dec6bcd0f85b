//! `POST /mminterface/registerURL`: addresses for notices about customers' payments, registered
//! over SOAP (spec/soap.md §3.4). It is answered at once; there is no result.

use std::sync::Arc;

use axum::extract::{self, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::Sim;
use super::check::{Refusal, check_broker, refuse};
use super::customer::{Otherwise, Urls, Version};
use super::daraja::Api;
use super::daraja::faults;
use super::deliver::Target;
use super::reply::{self, Reply, Request};
use super::script::Answer;
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
    let (at, since) = (sim.now(), sim.movements());
    let faults = sim.daraja.faults().draw(Api::C2bRegister, &body);
    let reply = match faults::before(&faults) {
        Some(fault) => faults::word(&sim, fault),
        None => {
            let (code, says) = match register(&sim, &body) {
                Ok(()) => (DONE.to_owned(), "success".to_owned()),
                Err(refusal) => (refusal.code.into_owned(), refusal.says),
            };
            faults::after(&sim, &faults, answered(&code, &says))
        }
    };
    reply.keep(&sim, Request { at, path: PATH, body: &body, about: None, since });
    reply.send(&sim).await
}

fn answered(code: &str, says: &str) -> Reply {
    let message = response::render(&response::Answer {
        code,
        description: says,
        conversation_id: Some(""),
        originator_conversation_id: Some(""),
        service_status: Some("0"),
    });
    Reply {
        answer: Answer::Now,
        status: StatusCode::OK,
        content_type: "text/xml; charset=utf-8",
        message,
        after_result: None,
    }
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
