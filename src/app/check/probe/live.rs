//! Shows our credentials, once each, because somebody asked for that. No money moves: a balance is
//! asked for, and a token.

use http::header;

use super::{STAGE_MAX, get};
use crate::app::check::judge::live::Said;
use crate::app::ways::{callbacks_at, caller};
use crate::config::Parts;
use crate::config::section::{Broker, DarajaApp};
use crate::credential::Certificate;
use crate::daraja::oauth::{self, NoToken};
use crate::domain::time::Timestamp;
use crate::ids;
use crate::rail::pace::Pace;
use crate::rail::soap::REQUEST_PATH;
use crate::rail::transport::{Deadlines, Origin, Site, Unanswered, post};
use crate::soap::operation::{Kind, Operation};
use crate::soap::request::Caller;
use crate::soap::response;

/// What follows the token in the addresses of the question. The gateway takes nothing there, so
/// that its result, which nobody awaits, opens no case.
const NOWHERE: &str = "check";

/// Asks the broker for the balance, once; `None` if the configuration is not whole enough.
pub(in crate::app::check) async fn provider(
    parts: &Parts,
    broker: &Broker,
    origin: &Origin,
    now: Timestamp,
) -> Option<Said> {
    let organisation = parts.organisation.as_ref()?;
    let certificate = std::fs::read(&organisation.credential_certificate).ok()?;
    let certificate = Certificate::from_bytes(&certificate).ok()?;
    let operator = &organisation.operator;
    let credential = certificate.encrypt(operator.initiator_password.reveal()).ok()?;
    let callbacks = callbacks_at(parts.callbacks.as_ref()?);
    let nowhere = format!("{callbacks}/{NOWHERE}");
    let caller = Caller {
        result_url: nowhere.clone(),
        queue_timeout_url: nowhere,
        ..caller(operator, broker, &callbacks, credential)
    };
    let mut random = [0; 12];
    ids::random(&mut random).ok()?;
    let letters: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let name = format!("{}_check_{letters}", operator.shortcode.as_str());
    let operation = Operation {
        caller: &caller,
        originator_conversation_id: &name,
        kind: Kind::Balance,
        remarks: "",
        at: now,
    };
    let deadlines = Deadlines {
        connect: STAGE_MAX,
        send: broker.link.send_timeout,
        answer: broker.link.timeout,
    };
    let site = Site { origin: origin.clone(), deadlines };
    let answer = post(&site, REQUEST_PATH, operation.render().wire, &Pace::new(1)).await;
    Some(match answer {
        Ok(answer) => match response::parse(&answer.body) {
            Ok(response) => Said::Code(response.facts.code, response.facts.description),
            Err(error) => Said::Nothing(format!("HTTP {}: {error}", answer.status)),
        },
        Err(Unanswered::NothingSent(why)) => Said::Nothing(why.says().to_owned()),
        Err(Unanswered::MayHaveBeenSent(why)) => Said::Nothing(why.says().to_owned()),
    })
}

/// Asks Daraja for a token, once, and forgets it.
pub(in crate::app::check) async fn token(app: &DarajaApp, origin: &Origin) -> Result<(), NoToken> {
    let basic = oauth::basic(app.consumer_key.reveal(), app.consumer_secret.reveal());
    let headers =
        vec![(header::AUTHORIZATION, basic), (header::ACCEPT, "application/json".to_owned())];
    let answer = get(origin, oauth::PATH, headers)
        .await
        .map_err(|why| NoToken::Later { code: "no_answer".to_owned(), description: why })?;
    oauth::read(answer.status, &answer.body).map(|_token| ())
}
