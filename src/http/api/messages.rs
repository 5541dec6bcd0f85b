//! Wire messages, as they were.

use axum::http::StatusCode;

use super::view;
use super::{Answer, Ask, Caller, Problem, json, list};
use crate::domain::id::{AppId, MessageId};
use crate::domain::subject::Subject;
use crate::store::{Message, Scope};

/// `GET /v1/messages/{id}`.
pub(in crate::http) async fn get(caller: Caller, ask: Ask) -> Answer {
    list::nothing(&ask.parts.uri)?;
    let id: Result<MessageId, _> = ask.id.parse();
    let id = id.map_err(|_error| Problem::no_such_message())?;
    let message = ask.api.engine.store().message(id).await?;
    let message = message.ok_or_else(Problem::no_such_message)?;
    if sees(caller, &ask, &message).await? {
        json(StatusCode::OK, &view::Message::from(&message))
    } else {
        Err(Problem::no_such_message())
    }
}

/// Whoever sees a payout, payment or inquiry sees its messages. One that belongs to nothing may be
/// anybody's: only who looks after everybody's sees it, as the evidence of a case.
async fn sees(caller: Caller, ask: &Ask, message: &Message) -> Result<bool, Problem> {
    if caller.oversees() {
        return Ok(true);
    }
    let store = ask.api.engine.store();
    let may = |scope| caller.scopes.allow(scope);
    let own = |owner: Option<AppId>| owner.is_some_and(|owner| caller.sees(owner));
    Ok(match message.about {
        Some(Subject::Payout(id)) => {
            let owner = store.payout(id).await?.map(|it| it.payout.details.app);
            may(Scope::PayoutsRead) && own(owner)
        }
        Some(Subject::Payment(id)) => {
            let payment = store.payment(id).await?;
            payment.is_some_and(|it| caller.sees_payment_of(it.value.details.app))
        }
        Some(Subject::Inquiry(id)) => {
            own(store.inquiry(id).await?.and_then(|it| it.value.details.app))
        }
        Some(Subject::Text(id)) => own(store.text(id).await?.and_then(|it| it.value.details.app)),
        None => false,
    })
}
