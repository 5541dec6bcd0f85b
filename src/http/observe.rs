//! One line in the log and one count for each request, whatever becomes of it.
//!
//! What went well is logged at `debug`, because there may be thousands a second of it and the
//! book says the same; what was refused at `info`; what failed at `warn`. A line holds the route's
//! pattern and never the path, a query, a body, a key or a phone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::domain::id::AppId;
use crate::domain::time::Timestamp;
use crate::telemetry::metric::{self, Counter, Histogram};

/// The header that names a request: the caller's own name for it, if it gave one that can be
/// shown, else ours.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest name for a request that is taken over from a caller.
const REQUEST_ID_LEN_MAX: usize = 64;
/// The statuses whose counters are kept at hand; others are looked up.
const USUAL: [u16; 5] = [200, 202, 400, 404, 422];

/// Names requests, one after the other.
#[derive(Debug)]
pub(super) struct Names {
    run: i64,
    last: AtomicU64,
}

impl Names {
    /// Names that no earlier run of the program gave.
    pub(super) const fn since(start: Timestamp) -> Self {
        Self { run: start.millis(), last: AtomicU64::new(0) }
    }

    fn of(&self, headers: &HeaderMap) -> HeaderValue {
        let showable = |value: &&HeaderValue| {
            let bytes = value.as_bytes();
            let fine = |b: &u8| b.is_ascii_alphanumeric() || b"-_.".contains(b);
            (1..=REQUEST_ID_LEN_MAX).contains(&bytes.len()) && bytes.iter().all(fine)
        };
        if let Some(given) = headers.get(REQUEST_ID).filter(showable) {
            return given.clone();
        }
        let number = self.last.fetch_add(1, Ordering::Relaxed);
        let name = format!("req_{:x}_{number:x}", self.run);
        HeaderValue::try_from(name).unwrap_or(HeaderValue::from_static("req"))
    }
}

/// What is counted of one route.
#[derive(Debug)]
pub(super) struct Watch {
    listener: &'static str,
    method: &'static str,
    route: &'static str,
    usual: [Counter; USUAL.len()],
    seconds: Histogram,
}

impl Watch {
    pub(super) fn of(listener: &'static str, method: &'static str, route: &'static str) -> Self {
        let counter =
            |status: u16| metric::HTTP_REQUESTS.with([listener, route, &status.to_string()]);
        Self {
            listener,
            method,
            route,
            usual: USUAL.map(counter),
            seconds: metric::HTTP_REQUEST_SECONDS.with([listener, route]),
        }
    }

    pub(super) const fn route(&self) -> &'static str {
        self.route
    }

    fn count(&self, status: u16, took: Duration) {
        let usual = USUAL.iter().position(|usual| *usual == status);
        match usual.and_then(|place| self.usual.get(place)) {
            Some(counter) => counter.increment(),
            None => metric::HTTP_REQUESTS
                .with([self.listener, self.route, &status.to_string()])
                .increment(),
        }
        self.seconds.record(took);
    }
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Begun {
    at: Instant,
    name: HeaderValue,
}

impl Begun {
    pub(super) fn now(names: &Names, headers: &HeaderMap) -> Self {
        Self { at: Instant::now(), name: names.of(headers) }
    }

    /// Counts and logs the request, and names it in its answer.
    pub(super) fn end(self, watch: &Watch, app: Option<AppId>, response: &mut Response) {
        let took = self.at.elapsed();
        let status = response.status().as_u16();
        watch.count(status, took);
        let Watch { listener, method, route, .. } = *watch;
        let request = self.name.to_str().unwrap_or_default();
        let app = app.map(tracing::field::display);
        let ms = took.as_millis();
        match status {
            // Whoever comes too often does not fill the log; whoever turns him away says so.
            0..400 | 429 => debug!(listener, method, route, status, ms, app, request, "served"),
            400..500 => info!(listener, method, route, status, ms, app, request, "refused"),
            _ => warn!(listener, method, route, status, ms, app, request, "failed"),
        }
        response.headers_mut().insert(REQUEST_ID, self.name);
    }
}
