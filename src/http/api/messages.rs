//! Wire messages, as they were.

use axum::http::StatusCode;

use super::view;
use super::{Answer, Ask, Caller, Problem, json, list};
use crate::domain::id::MessageId;
use crate::store::Message;

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

/// Whoever sees a payout sees its messages. One that belongs to no payout may be anybody's: only
/// who looks after everybody's payouts sees it, as the evidence of a case.
async fn sees(caller: Caller, ask: &Ask, message: &Message) -> Result<bool, Problem> {
    if caller.oversees() {
        return Ok(true);
    }
    let Some(payout) = message.payout else {
        return Ok(false);
    };
    let stored = ask.api.engine.store().payout(payout).await?;
    Ok(stored.is_some_and(|stored| caller.sees(stored.payout.details.app)))
}
