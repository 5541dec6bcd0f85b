//! What is looked at in the world, and found. Nothing is judged here.

pub(super) mod callbacks;
pub(super) mod certificates;
pub(super) mod live;
pub(super) mod machine;
pub(super) mod way;

use std::time::Duration;

use http::{HeaderName, Method};

use crate::app::check::judge::way::Heard;
use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::rail::pace::Pace;
use crate::rail::transport::{Answer, Deadlines, Origin, Request, Unanswered, send};

/// The longest that one stage of a way may take, whatever the configuration says: somebody waits.
const STAGE_MAX: Duration = Duration::from_secs(10);

/// Asks with `GET`, which moves nothing.
async fn get(
    origin: &Origin,
    path: &str,
    headers: Vec<(HeaderName, String)>,
) -> Result<Answer, String> {
    let deadlines = Deadlines { connect: STAGE_MAX, send: STAGE_MAX, answer: STAGE_MAX };
    let request = Request { method: Method::GET, path: path.to_owned(), headers, body: vec![] };
    let answered = send(origin, request, deadlines, &Pace::new(1)).await;
    answered.map_err(|error| match error {
        Unanswered::NothingSent(why) => why.says().to_owned(),
        Unanswered::MayHaveBeenSent(why) => why.says().to_owned(),
    })
}

/// What an answer says of the other side's clock, beside what it is.
fn heard(answer: &Answer, before: Timestamp, clock: &dyn Clock) -> Heard {
    let date = answer.date.as_deref().and_then(|date| Timestamp::parse_http_date(date).ok());
    // `Date` has whole seconds: it may be up to one second behind when it is written.
    let ahead_ms = date.map(|date| {
        let (after, date) = (clock.now().millis(), date.millis());
        let too_late = before.millis().saturating_sub(date).saturating_sub(1_000);
        let too_early = after.saturating_sub(date);
        if too_late > 0 { too_late } else { too_early.min(0) }
    });
    let says = String::from_utf8_lossy(&answer.body).to_lowercase();
    let wants_tls = answer.status == 400 && says.contains("https port");
    Heard { status: answer.status, ahead_ms, wants_tls }
}
