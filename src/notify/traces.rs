//! Tells a collector of traces, by OTLP over HTTP in its JSON form.
//!
//! Of our own, as the protocol is one POST, and a span here is not what the OpenTelemetry crates
//! make of one: its id follows from what it is of, it is made once its step is on the disk, and it
//! may begin in an earlier run of the program. What they would spare us is this file.

use std::path::Path;
use std::time::Duration;

use http::{HeaderName, Method, header};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::address::{self, NotSetUp};
use crate::rail::pace::Pace;
use crate::rail::renewable::Renewable;
use crate::rail::transport::{Deadlines, Request, Web};
use crate::telemetry::metric;
use crate::telemetry::trace::{self, Span};

/// How often what waits is sent.
const EVERY: Duration = Duration::from_secs(1);
/// The most spans of one request.
const SPANS_MAX: usize = 512;
/// How often a request is tried in all.
const TRIES_MAX: u32 = 5;
/// How long one try may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long what still waits at the end may take in all.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How many requests go in a second at most.
const PER_SECOND: u32 = 50;

/// Where traces go.
#[derive(Debug)]
pub struct Collector {
    web: Box<dyn Web>,
    path: String,
    headers: Vec<(HeaderName, String)>,
    service: String,
}

/// Why a collector did not take spans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
    /// It may take them later.
    ForNow(&'static str),
    /// It never will.
    ForGood(&'static str),
}

impl Collector {
    /// The collector at `url`, to which `/v1/traces` is appended. `headers` are `name=value`, with
    /// commas between.
    ///
    /// # Errors
    /// The address is none, or cannot be encrypted.
    pub fn new(
        url: &str,
        headers: Option<&str>,
        ca: Option<&Path>,
        service: &str,
    ) -> Result<Self, NotSetUp> {
        let deadlines = Deadlines { connect: DEADLINE, send: DEADLINE, answer: DEADLINE };
        let url = format!("{}/v1/traces", url.trim_end_matches('/'));
        let (site, path) = address::site(&url, ca, deadlines)?;
        let named = headers.unwrap_or_default().split(',').filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let name = HeaderName::try_from(name.trim()).ok()?;
            Some((name, value.trim().to_owned()))
        });
        let json = (header::CONTENT_TYPE, "application/json".to_owned());
        let headers = std::iter::once(json).chain(named).collect();
        Ok(Self { web: Box::new(site), path, headers, service: service.to_owned() })
    }

    /// Sends spans once.
    async fn tell(&self, spans: &[Span], pace: &Pace) -> Result<(), Failed> {
        let request = Request {
            method: Method::POST,
            path: self.path.clone(),
            headers: self.headers.clone(),
            body: trace::request(&self.service, spans),
        };
        let answer = timeout(DEADLINE, self.web.send(request, pace)).await;
        let answer = answer.map_err(|_late| Failed::ForNow("it does not answer in time"))?;
        let answer = answer.map_err(|_why| Failed::ForNow("it cannot be reached"))?;
        match answer.status {
            200..=299 => {
                let refused = trace::rejected(&answer.body);
                let all = u64::try_from(spans.len()).unwrap_or(u64::MAX);
                metric::SPANS_EXPORTED.with([]).add(all.saturating_sub(refused));
                metric::SPANS_DROPPED.with(["refused"]).add(refused.min(all));
                Ok(())
            }
            429 | 502..=504 => Err(Failed::ForNow("it is too busy")),
            _ => Err(Failed::ForGood("it refuses what it is sent")),
        }
    }
}

/// Sends what is recorded until `stop`, and then what is left, for a moment.
pub async fn run(collector: &Renewable<Collector>, stop: CancellationToken) {
    let mut told = Told { pace: Pace::new(PER_SECOND), failing: None };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = told.on_and_on(collector) => {}
    }
    // What was being sent is lost with its request; what waits is tried once.
    let last = async {
        loop {
            let spans = trace::take(SPANS_MAX);
            if spans.is_empty() || !told.once(collector, &spans).await {
                return;
            }
        }
    };
    timeout(LAST_WORDS, last).await.ok();
    trace::close();
}

struct Told {
    pace: Pace,
    /// Why the collector takes nothing, once that was said.
    failing: Option<&'static str>,
}

impl Told {
    async fn on_and_on(&mut self, collector: &Renewable<Collector>) {
        loop {
            sleep(EVERY).await;
            loop {
                let spans = trace::take(SPANS_MAX);
                if spans.is_empty() {
                    break;
                }
                self.tries(collector, &spans).await;
            }
        }
    }

    /// A few times, with growing pauses; meanwhile others wait in the queue.
    async fn tries(&mut self, collector: &Renewable<Collector>, spans: &[Span]) {
        let mut pause = EVERY;
        for _ in 1..TRIES_MAX {
            match self.says(collector.current().tell(spans, &self.pace).await) {
                Err(Failed::ForNow(_)) => sleep(pause).await,
                Ok(()) => return,
                Err(Failed::ForGood(_)) => return lost("refused", spans),
            }
            pause = pause.saturating_mul(2);
        }
        self.once(collector, spans).await;
    }

    /// Whether it took them.
    async fn once(&mut self, collector: &Renewable<Collector>, spans: &[Span]) -> bool {
        match self.says(collector.current().tell(spans, &self.pace).await) {
            Ok(()) => return true,
            Err(Failed::ForNow(_)) => lost("unreachable", spans),
            Err(Failed::ForGood(_)) => lost("refused", spans),
        }
        false
    }

    /// Says once that the collector fails, and once that it does no more.
    fn says(&mut self, told: Result<(), Failed>) -> Result<(), Failed> {
        let failing = match told {
            Ok(()) => None,
            Err(Failed::ForNow(why) | Failed::ForGood(why)) => Some(why),
        };
        match (self.failing, failing) {
            (None, Some(why)) => tracing::warn!(
                why,
                "the collector of traces takes none; what does not fit into the queue meanwhile \
                 is dropped and counted, and the work goes on"
            ),
            (Some(_), None) => tracing::info!("the collector takes traces again"),
            (None, None) | (Some(_), Some(_)) => {}
        }
        self.failing = failing;
        told
    }
}

fn lost(why: &'static str, spans: &[Span]) {
    let count = u64::try_from(spans.len()).unwrap_or(u64::MAX);
    metric::SPANS_DROPPED.with([why]).add(count);
}
