//! `mlango listen`: what happens in a gateway, as it happens, and to a program of yours.
//!
//! It reads the durable feed, so that nothing is missed: where it ended, it can go on. Each event
//! is posted until it is taken, and the next one only then: at least once, and in order.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use clap::Args;
use reqwest::redirect::Policy;
use reqwest::{StatusCode, Url};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::client::{Client, Reply};
use super::money::Door;
use super::near::did_you_mean;
use super::show::{array, text};
use super::{Asked, Context, Failure, out};
use crate::domain::{payment, payout};

/// How often is looked for what is new.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How many events are read at once.
const PAGE: u16 = 500;
/// How long the program may take to take an event.
const TAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// The pause before an event is posted again, or a gateway asked that did not answer: it doubles.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_MOST: Duration = Duration::from_secs(30);

/// What the gateway tells of payouts and payments. Of other things it tells, too: a name that is
/// like none of these is let be.
const TYPES: [&str; 26] = [
    payout::Notice::Queued.as_str(),
    payout::Notice::AwaitingApproval.as_str(),
    payout::Notice::Approved.as_str(),
    payout::Notice::Sending.as_str(),
    payout::Notice::Requeued.as_str(),
    payout::Notice::Accepted.as_str(),
    payout::Notice::Unknown.as_str(),
    payout::Notice::Inquired.as_str(),
    payout::Notice::Succeeded.as_str(),
    payout::Notice::Failed.as_str(),
    payout::Notice::Cancelled.as_str(),
    payout::Notice::Noted.as_str(),
    payout::Notice::Contradicted.as_str(),
    payment::Notice::Taken.as_str(),
    payment::Notice::Sending.as_str(),
    payment::Notice::PutBack.as_str(),
    payment::Notice::Prompted.as_str(),
    payment::Notice::Unknown.as_str(),
    payment::Notice::Asked.as_str(),
    payment::Notice::Received.as_str(),
    payment::Notice::Failed.as_str(),
    payment::Notice::Completed.as_str(),
    payment::Notice::Joined.as_str(),
    payment::Notice::Claimed.as_str(),
    payment::Notice::Noted.as_str(),
    payment::Notice::Contradicted.as_str(),
];

#[derive(Debug, Args)]
pub(super) struct Listen {
    #[command(flatten)]
    door: Door,
    /// Post each event there, as JSON and unsigned, until it is taken with a 2xx.
    #[arg(long, value_name = "URL")]
    forward_to: Option<String>,
    /// Only events of these types, such as payout.succeeded,payment.*
    #[arg(long, value_name = "TYPE,…", value_delimiter = ',')]
    events: Vec<String>,
    /// Begin behind this event; 0 is the beginning. Without it: with what happens from now on.
    #[arg(long, value_name = "SEQ")]
    after: Option<u64>,
}

impl Listen {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        self.events.iter().try_for_each(|pattern| check(pattern))?;
        self.events.iter().filter_map(|pattern| doubt(pattern)).for_each(|why| out::say(&why));
        let forward = self.forward_to.as_deref().map(Forward::to).transpose()?;
        let client = self.door.open(context)?;
        let mut asked = Asked::listen()?;
        let after = match self.after {
            Some(after) => after,
            None => newest(&client).await?,
        };
        let feed = Feed {
            client,
            forward,
            types: self.events,
            done: AtomicU64::new(after),
            json: context.json,
        };
        feed.begin(after);
        let ended = tokio::select! {
            ended = feed.follow(after) => ended,
            () = asked.wait() => Ok(()),
        };
        let done = feed.done.load(Ordering::Relaxed);
        out::say(&format!("go on with: mlango listen --after {done}"));
        ended
    }
}

/// Whether a pattern can be the type of an event: words and dots, perhaps with `*` at its end.
fn check(pattern: &str) -> Result<(), Failure> {
    let name = pattern.strip_suffix('*').unwrap_or(pattern);
    let is_name = |c: char| c.is_ascii_lowercase() || matches!(c, '.' | '_');
    if !pattern.is_empty() && name.chars().all(is_name) {
        return Ok(());
    }
    let why = "is no type of events, such as payout.succeeded, payout.* or payment.received";
    Err(Failure::Usage(format!("--events: \"{}\" {why}", out::plain(pattern))))
}

/// What is to be said of a pattern that none of the payouts' and payments' types fits, and that
/// seems to be meant for one.
fn doubt(pattern: &str) -> Option<String> {
    if TYPES.iter().any(|kind| fits(pattern, kind)) {
        return None;
    }
    let meant = did_you_mean(pattern, TYPES.into_iter());
    let is_theirs = pattern.starts_with("payout.") || pattern.starts_with("payment.");
    (is_theirs || !meant.is_empty())
        .then(|| format!("--events: the gateway tells no \"{pattern}\"{meant}"))
}

fn fits(pattern: &str, kind: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == kind, |head| kind.starts_with(head))
}

/// Behind which event everything is new: the end of the feed as it is now.
async fn newest(client: &Client) -> Result<u64, Failure> {
    let mut after = 0;
    loop {
        let page = page(client, after).await?;
        let reply = super::show::expect(page, 200)?;
        let (next, more) = next(&reply.body, after);
        if !more {
            return Ok(next);
        }
        after = next;
        out::progress(&format!("looking for the end of the feed: {after} events"));
    }
}

async fn page(client: &Client, after: u64) -> Result<Reply, Failure> {
    let query = [("after", after.to_string()), ("limit", PAGE.to_string())];
    client.get("/v1/events", &query).await
}

/// Where to go on, and whether there is more now.
fn next(body: &Value, after: u64) -> (u64, bool) {
    let next = body.get("next_after").and_then(Value::as_u64).unwrap_or(after);
    let more = body.get("next_cursor").is_some_and(|cursor| !cursor.is_null());
    (next.max(after), more && next > after)
}

/// The events of a gateway, on their way.
struct Feed {
    client: Client,
    forward: Option<Forward>,
    types: Vec<String>,
    /// The last event that was done with.
    done: AtomicU64,
    json: bool,
}

impl Feed {
    fn begin(&self, after: u64) {
        let to = self.forward.as_ref().map(|it| format!(", each posted to {}", it.url));
        let to = to.unwrap_or_default();
        out::say(&format!("listening behind event {after}{to}; Ctrl-C ends it"));
        if self.forward.is_some() {
            out::say(
                "events are not signed: believe them on this machine only, or read them back from \
                 the API",
            );
        }
    }

    async fn follow(&self, mut after: u64) -> Result<(), Failure> {
        let mut pause = PAUSE_FIRST;
        loop {
            match page(&self.client, after).await {
                Ok(reply) if reply.status == 200 => {
                    pause = PAUSE_FIRST;
                    for event in array(&reply.body, "data") {
                        self.pass_on(event).await;
                    }
                    let (next, more) = next(&reply.body, after);
                    after = next;
                    self.done.store(after, Ordering::Relaxed);
                    if !more {
                        sleep(LOOK_EVERY).await;
                    }
                }
                Ok(reply) if !matches!(reply.status, 429 | 500..) => {
                    return Err(Failure::Failed(reply.problem()));
                }
                Ok(reply) => {
                    wait(&format!("the gateway says {}", reply.status), &mut pause).await;
                }
                Err(Failure::Failed(why)) => wait(&why, &mut pause).await,
                Err(usage @ Failure::Usage(_)) => return Err(usage),
            }
        }
    }

    /// Posts an event and shows it, if it is wanted.
    async fn pass_on(&self, event: &Value) {
        let kind = text(event, "type");
        if self.types.is_empty() || self.types.iter().any(|pattern| fits(pattern, &kind)) {
            let taken = match &self.forward {
                Some(forward) => Some(forward.until_taken(event).await),
                None => None,
            };
            self.show(event, taken);
        }
        if let Some(seq) = event.get("seq").and_then(Value::as_u64) {
            self.done.store(seq, Ordering::Relaxed);
        }
    }

    fn show(&self, event: &Value, taken: Option<Taken>) {
        if self.json {
            let forwarded = taken.map(|it| json!({"status": it.status, "tries": it.tries}));
            out::data(&json!({"event": event, "forwarded": forwarded}).to_string());
            return;
        }
        out::data(&line(event, taken));
    }
}

/// Says what is wrong and waits, longer each time.
async fn wait(why: &str, pause: &mut Duration) {
    out::say(&format!("{why}; again in {} s", pause.as_secs()));
    sleep(*pause).await;
    *pause = pause.saturating_mul(2).min(PAUSE_MOST);
}

/// One line about an event.
fn line(event: &Value, taken: Option<Taken>) -> String {
    let data = event.get("data").cloned().unwrap_or_default();
    let code = text(&data, "code");
    let code = if code.is_empty() { code } else { format!(" (code {code})") };
    let said = format!(
        "{} {:>6} {:<22} {} {}{code}",
        text(event, "created_at"),
        text(event, "seq"),
        text(event, "type"),
        text(&data, "about"),
        text(&data, "says"),
    );
    let taken = match taken {
        None => String::new(),
        Some(Taken { status, tries: 1 }) => format!(" -> {status}"),
        Some(Taken { status, tries }) => format!(" -> {status} at the {tries}. try"),
    };
    out::plain(&format!("{said}{taken}"))
}

/// How an event was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Taken {
    status: u16,
    tries: u32,
}

/// A program that is posted events.
struct Forward {
    http: reqwest::Client,
    url: Url,
}

impl Forward {
    fn to(url: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::Usage(format!("--forward-to: {}: {why}", out::plain(url)));
        let parsed: Url = url.parse().map_err(|_error| wrong("is not a URL"))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(wrong("must begin with http:// or https://"));
        }
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err(wrong("must not hold a user name; it would be shown"));
        }
        let builder = reqwest::Client::builder().timeout(TAKE_TIMEOUT).no_proxy();
        let http = builder.redirect(Policy::none()).build();
        let http = http.map_err(|error| Failure::Failed(format!("no HTTP client: {error}")))?;
        Ok(Self { http, url: parsed })
    }

    /// Posts an event, again and again until it is taken.
    async fn until_taken(&self, event: &Value) -> Taken {
        let mut pause = PAUSE_FIRST;
        let mut tries: u32 = 0;
        loop {
            tries = tries.saturating_add(1);
            let why = match self.http.post(self.url.clone()).json(event).send().await {
                Ok(answer) if answer.status().is_success() => {
                    return Taken { status: answer.status().as_u16(), tries };
                }
                Ok(answer) => said(answer.status()),
                Err(error) if error.is_connect() => "nobody answers there".to_owned(),
                Err(error) => error.without_url().to_string(),
            };
            let seq = text(event, "seq");
            wait(&format!("event {seq} was not taken: {why}"), &mut pause).await;
        }
    }
}

fn said(status: StatusCode) -> String {
    format!("HTTP {}", status.as_u16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_named_whole_or_by_its_beginning() {
        for pattern in ["payout.succeeded", "payout.*", "*", "payment.received"] {
            assert!(check(pattern).is_ok(), "{pattern}");
        }
        for pattern in ["", "payout.**", "Payout", "payout succeeded", "po*t", "\u{1b}[2J"] {
            assert!(matches!(check(pattern), Err(Failure::Usage(_))), "{pattern}");
        }
        assert!(fits("payout.*", "payout.failed") && !fits("payout.*", "payment.failed"));
        assert!(fits("payout.failed", "payout.failed") && !fits("payout", "payout.failed"));
        assert!(fits("*", "payout.failed"));
    }

    #[test]
    fn a_type_that_is_never_told_is_doubted_and_no_other() {
        assert!(TYPES.iter().all(|kind| check(kind).is_ok() && doubt(kind).is_none()));
        for pattern in ["*", "payout.*", "pay*", "inquiry.failed", "text.sending", "case.closed"] {
            assert_eq!(doubt(pattern), None, "{pattern}");
        }
        let meant = "--events: the gateway tells no \"payout.suceeded\"; did you mean \
                     payout.succeeded?";
        assert_eq!(doubt("payout.suceeded").as_deref(), Some(meant));
        assert!(doubt("payot.failed").is_some() && doubt("payment.gone*").is_some());
    }

    #[test]
    fn a_line_says_what_happened_to_what_and_how_it_was_taken() {
        let event = json!({"id": "evt_1", "seq": 12, "type": "payout.failed",
            "created_at": "2026-01-02T03:04:05.000Z",
            "data": {"about": "po_1", "says": "not\u{7}paid", "code": "2040"}});
        let expected =
            "2026-01-02T03:04:05.000Z     12 payout.failed          po_1 not paid (code 2040)";
        assert_eq!(line(&event, None), expected);
        let once = Some(Taken { status: 204, tries: 1 });
        assert_eq!(line(&event, once), format!("{expected} -> 204"));
        let late = Some(Taken { status: 200, tries: 3 });
        assert_eq!(line(&event, late), format!("{expected} -> 200 at the 3. try"));
    }

    #[test]
    fn where_to_go_on_never_goes_back() {
        assert_eq!(next(&json!({"next_after": 7, "next_cursor": "7"}), 3), (7, true));
        assert_eq!(next(&json!({"next_after": 7, "next_cursor": null}), 3), (7, false));
        assert_eq!(next(&json!({"next_after": 1, "next_cursor": "1"}), 3), (3, false));
        assert_eq!(next(&json!({}), 3), (3, false));
    }

    #[test]
    fn events_go_to_an_address_or_the_fault_is_named() {
        assert!(Forward::to("http://127.0.0.1:3000/events").is_ok());
        for url in ["", "localhost", "ftp://x/", "http://me:secret@x/", "file:///etc/passwd"] {
            assert!(matches!(Forward::to(url), Err(Failure::Usage(_))), "{url}");
        }
    }
}
