//! What happened: the history of one thing, and the feed of all.

use axum::http::StatusCode;

use super::cursor::EventCursor;
use super::list::{self, EventQuery};
use super::{Answer, Ask, Caller, json, view};
use crate::domain::subject::Subject;
use crate::store::{FeedEvent, NewEvent, PAGE_LEN_MAX, Scope};

/// How many times the feed is read for one page: an application whose events are few among many
/// gets a page that is not full, and where to go on.
const READS_MAX: usize = 20;

/// A page of the history of one thing.
pub(super) async fn history(ask: &Ask, of: Subject, query: EventQuery) -> Answer {
    let mut events = ask.api.engine.store().events_of(of).await?;
    if query.descending {
        events.reverse();
    }
    let beyond = |event: &&FeedEvent| match (query.after, query.descending) {
        (None, _) => true,
        (Some(after), false) => event.seq > after,
        (Some(after), true) => event.seq < after,
    };
    let mut rest = events.iter().filter(beyond).peekable();
    let page: Vec<&FeedEvent> = rest.by_ref().take(query.limit).collect();
    let more = rest.peek().is_some();
    let last = page.last().filter(|_last| more);
    let view = view::EventPage {
        next_cursor: last.map(|last| {
            let cursor = EventCursor { descending: query.descending, after: last.seq };
            cursor.write()
        }),
        data: page.into_iter().map(Into::into).collect(),
    };
    json(StatusCode::OK, &view)
}

/// `GET /v1/events`.
pub(in crate::http) async fn feed(caller: Caller, ask: Ask) -> Answer {
    let query = list::feed(&ask.parts.uri)?;
    let mut page: Vec<FeedEvent> = Vec::new();
    let mut after = query.after;
    let mut more = true;
    for _ in 0..READS_MAX {
        let read = ask.api.engine.store().events(after, PAGE_LEN_MAX).await?;
        more = read.len() >= PAGE_LEN_MAX;
        for event in read {
            if page.len() >= query.limit {
                more = true;
                break;
            }
            after = event.seq;
            if sees(caller, &event.event) {
                page.push(event);
            }
        }
        if !more || page.len() >= query.limit {
            break;
        }
    }
    let view = view::FeedPage {
        data: page.iter().map(Into::into).collect(),
        next_cursor: more.then(|| after.to_string()),
        next_after: after,
    };
    json(StatusCode::OK, &view)
}

/// An application sees what is its own, and payments that are nobody's; of either kind only what
/// its key may read.
fn sees(caller: Caller, event: &NewEvent) -> bool {
    let reads = |scope| caller.scopes.allow(scope);
    let own = event.app.is_some_and(|app| caller.sees(app));
    match event.about {
        Some(Subject::Payout(_)) => own && reads(Scope::PayoutsRead),
        Some(Subject::Payment(_)) => caller.sees_payment_of(event.app),
        Some(Subject::Inquiry(_) | Subject::Text(_)) => own,
        // What befell the gateway itself, administrative acts among it.
        None => own || caller.oversees(),
    }
}
