//! What M-Pesa calls (contract, part 3): results and queue timeouts, over SOAP; timeouts as JSON,
//! too.
//!
//! A message is on the disk, as it came, before it is acknowledged; one that cannot be kept is
//! answered with a Fault, never with an acknowledgement. One that cannot be read, belongs to
//! nothing or contradicts what is known is kept for a person, and acknowledged: M-Pesa has done
//! its part. Who may call is decided first, and who may not is told nothing.

mod notice;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tracing::{info, warn};

use super::body::{self, BodyLimits, NotRead};
use super::observe::{Begun, Names, Watch};
use super::server::Peer;
use crate::domain::payout::Event;
use crate::engine::{Engine, Heard, Incoming};
use crate::soap::{self, ack, fault};
use crate::store::Channel;
use crate::telemetry::metric::{self, Counter};

/// The name of this listener in logs and metrics.
const LISTENER: &str = "callbacks";
/// Refused calls are logged at most this often: whoever knocks must not fill the log.
const REFUSAL_LOG_PAUSE: Duration = Duration::from_secs(1);

/// What the callback listener works with.
pub struct Callbacks {
    /// Keeps and applies what comes.
    pub engine: Arc<Engine>,
    /// The secret part of the paths.
    pub token: String,
    /// Source networks that may call; empty: any.
    pub allow: Vec<IpNet>,
    /// How M-Pesa reaches this listener, without a slash at the end.
    pub public_url: String,
    /// What a message may take.
    pub limits: BodyLimits,
}

impl fmt::Debug for Callbacks {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks")
            .field("allow", &self.allow)
            .field("public_url", &self.public_url)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Result,
    Timeout,
}

/// Every path, and what it is for.
const PATHS: [(&str, Path); 2] =
    [("/cb/{token}/b2c/result", Path::Result), ("/cb/{token}/b2c/timeout", Path::Timeout)];

/// The callback listener's router. Requests need a [`Peer`] in their extensions, which
/// [`super::server`] puts there; without one nobody is let in.
pub fn router(callbacks: Callbacks) -> Router {
    let shared = Arc::new(Shared {
        names: Names::since(callbacks.engine.clock().now()),
        token: Sha256::digest(callbacks.token.as_bytes()).into(),
        refusals: Refusals::default(),
        callbacks,
    });
    let mut router = Router::new();
    for (pattern, path) in PATHS {
        let place = Arc::new(Place {
            shared: Arc::clone(&shared),
            watch: Watch::of(LISTENER, "any", pattern),
            path: Some(path),
        });
        let handler = move |request: Request| async move { place.serve(request).await };
        router = router.route(pattern, any(handler));
    }
    let nowhere = Arc::new(Place { shared, watch: Watch::of(LISTENER, "any", "none"), path: None });
    router.fallback(move |request: Request| async move { nowhere.serve(request).await })
}

struct Shared {
    callbacks: Callbacks,
    /// The token's hash: two hashes are compared in a time that says nothing of either.
    token: [u8; 32],
    names: Names,
    refusals: Refusals,
}

/// One path at work; `None` is any other.
struct Place {
    shared: Arc<Shared>,
    watch: Watch,
    path: Option<Path>,
}

/// Why a call is turned away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    Network,
    Path,
    Token,
    Method,
    TooLarge,
    TimedOut,
    Broken,
    NotKept,
}

impl Place {
    async fn serve(&self, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        let begun = Begun::now(&self.shared.names, &parts.headers);
        let mut response = match self.answer(&mut parts, body).await {
            Ok(response) => response,
            Err(refusal) => self.refuse(refusal, &parts),
        };
        begun.end(&self.watch, None, &mut response);
        response
    }

    async fn answer(&self, parts: &mut Parts, body: Body) -> Result<Response, Refusal> {
        let gate = self.admit(parts).await;
        let path = match gate {
            Ok(path) => path,
            Err(refusal) => {
                body::discard(body).await;
                return Err(refusal);
            }
        };
        if parts.method == Method::GET && path == Path::Result && asks_for_wsdl(&parts.uri) {
            return Ok(self.wsdl());
        }
        if parts.method != Method::POST {
            return Err(Refusal::Method);
        }
        let limits = self.shared.callbacks.limits;
        let read = body::read(&parts.headers, body, limits).await;
        let body = read.map_err(|error| match error {
            NotRead::TooLarge => Refusal::TooLarge,
            NotRead::TimedOut => Refusal::TimedOut,
            NotRead::Broken => Refusal::Broken,
        })?;
        self.hear(path, &body, address(parts)).await
    }

    /// Network first, then path, then token.
    async fn admit(&self, parts: &mut Parts) -> Result<Path, Refusal> {
        let allow = &self.shared.callbacks.allow;
        let known = parts.extensions.get::<Peer>().is_some();
        let inside = |address: IpAddr| allow.iter().any(|network| network.contains(&address));
        if !known || !(allow.is_empty() || address(parts).is_some_and(inside)) {
            return Err(Refusal::Network);
        }
        let path = self.path.ok_or(Refusal::Path)?;
        let params = RawPathParams::from_request_parts(parts, &()).await;
        let params = params.map_err(|_error| Refusal::Token)?;
        let (_, told) = params.iter().next().ok_or(Refusal::Token)?;
        let told: [u8; 32] = Sha256::digest(told.as_bytes()).into();
        if bool::from(told.ct_eq(&self.shared.token)) { Ok(path) } else { Err(Refusal::Token) }
    }

    /// Keeps a message, applies it, and acknowledges it as what it is (spec/soap.md §5.5, §5.6).
    async fn hear(
        &self,
        path: Path,
        body: &Bytes,
        address: Option<IpAddr>,
    ) -> Result<Response, Refusal> {
        let understood = understand(path, body);
        let incoming = Incoming {
            channel: understood.channel,
            peer: address.map(|address| address.to_string()),
            body: understood.kept,
        };
        let engine = &self.shared.callbacks.engine;
        match engine.hear(incoming, understood.heard).await {
            Ok(hearing) => {
                metric::RESULTS.with([hearing.as_str()]).increment();
                Ok(understood.acknowledgement.into_response())
            }
            Err(not_kept) => {
                tracing::error!(%not_kept, "a message of M-Pesa's was not acknowledged");
                Err(Refusal::NotKept)
            }
        }
    }

    fn wsdl(&self) -> Response {
        let Callbacks { public_url, token, .. } = &self.shared.callbacks;
        let address = format!("{public_url}/cb/{token}/b2c/result");
        let document = soap::wsdl::result_wsdl(&address);
        xml(StatusCode::OK, document.into())
    }

    fn refuse(&self, refusal: Refusal, parts: &Parts) -> Response {
        let refusals = &self.shared.refusals;
        refusals.count(refusal);
        let now = self.shared.callbacks.engine.clock().now().millis();
        if let Some(others) = refusals.may_log(now) {
            let peer = address(parts).map(tracing::field::display);
            let (why, route) = (refusal.word(), self.watch.route());
            if refusal == Refusal::NotKept {
                warn!(why, route, peer, others, "a callback was not taken");
            } else {
                info!(why, route, peer, others, "a callback was turned away");
            }
        }
        let most = self.shared.callbacks.limits.bytes;
        match refusal {
            Refusal::Network => empty(StatusCode::FORBIDDEN),
            Refusal::Path | Refusal::Token => empty(StatusCode::NOT_FOUND),
            Refusal::Method => {
                let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
                let post = HeaderValue::from_static("POST");
                response.headers_mut().insert(ALLOW, post);
                response
            }
            Refusal::TooLarge => xml_fault(
                StatusCode::PAYLOAD_TOO_LARGE,
                fault::CLIENT,
                &format!("the message is longer than {most} bytes and was not kept"),
            ),
            Refusal::TimedOut => xml_fault(
                StatusCode::REQUEST_TIMEOUT,
                fault::CLIENT,
                "the message did not arrive in time and was not kept",
            ),
            Refusal::Broken => xml_fault(
                StatusCode::BAD_REQUEST,
                fault::CLIENT,
                "the message did not arrive whole and was not kept",
            ),
            Refusal::NotKept => xml_fault(
                StatusCode::INTERNAL_SERVER_ERROR,
                fault::SERVER,
                "the message could not be kept; send it again",
            ),
        }
    }
}

/// A message, as far as it can be read.
struct Understood {
    channel: Channel,
    heard: Heard,
    /// Its bytes as they shall be kept.
    kept: Vec<u8>,
    acknowledgement: Acknowledgement,
}

/// What a message is answered when it is kept.
#[derive(Clone, Copy)]
enum Acknowledgement {
    Xml(&'static str),
    Json(&'static str),
}

impl Acknowledgement {
    fn into_response(self) -> Response {
        let (media_type, text) = match self {
            Self::Xml(text) => (ack::CONTENT_TYPE, text),
            Self::Json(text) => (notice::MEDIA_TYPE, text),
        };
        of_type(StatusCode::OK, media_type, Bytes::from_static(text.as_bytes()))
    }
}

/// Reads a message as what its path says it is, or, where its body holds the other one, as that
/// (spec/soap.md §1.3: many give one address for everything).
fn understand(path: Path, body: &[u8]) -> Understood {
    if path == Path::Timeout && notice::is_json(body) {
        return json_timeout(body);
    }
    let first = match path {
        Path::Result => result(body),
        Path::Timeout => timeout(body),
    };
    let other = |unreadable| match (path, &unreadable) {
        (Path::Result, soap::envelope::Unreadable::OtherMessage { .. }) => {
            timeout(body).map_err(|_other| unreadable)
        }
        (Path::Timeout, soap::envelope::Unreadable::OtherMessage { .. }) => {
            result(body).map_err(|_other| unreadable)
        }
        _ => Err(unreadable),
    };
    first.or_else(other).unwrap_or_else(|unreadable| {
        let (channel, acknowledgement) = match path {
            Path::Result => (Channel::Result, ack::RESULT_KEPT),
            Path::Timeout => (Channel::QueueTimeout, ack::TIMEOUT_KEPT),
        };
        Understood {
            channel,
            heard: Heard::Unreadable(unreadable.to_string()),
            // Whatever it is, our own credential may be in it.
            kept: soap::redact::redact(body),
            acknowledgement: Acknowledgement::Xml(acknowledgement),
        }
    })
}

/// A queue timeout in Daraja's way. What it says beyond the payment's name is not believed: money
/// may or may not have moved.
fn json_timeout(body: &[u8]) -> Understood {
    let heard = match notice::parse(body) {
        Ok(notice) => Heard::Event {
            originator: notice.originator,
            conversation: notice.conversation,
            event: Event::QueueTimedOut,
        },
        Err(why) => Heard::Unreadable(why),
    };
    Understood {
        channel: Channel::QueueTimeout,
        heard,
        kept: soap::redact::redact(&notice::redact(body)),
        acknowledgement: Acknowledgement::Json(notice::KEPT),
    }
}

fn result(body: &[u8]) -> Result<Understood, soap::envelope::Unreadable> {
    soap::result::parse(body).map(|message| Understood {
        channel: Channel::Result,
        heard: Heard::Result {
            originator: message.originator_conversation_id,
            conversation: message.conversation_id,
            facts: message.facts,
            status: message.status,
        },
        kept: body.to_vec(),
        acknowledgement: Acknowledgement::Xml(ack::RESULT_KEPT),
    })
}

fn timeout(body: &[u8]) -> Result<Understood, soap::envelope::Unreadable> {
    soap::timeout::parse(body).map(|message| Understood {
        channel: Channel::QueueTimeout,
        heard: Heard::Event {
            originator: message.originator_conversation_id,
            conversation: None,
            event: Event::QueueTimedOut,
        },
        // It brings our own request back, credential and all.
        kept: soap::timeout::redact(body),
        acknowledgement: Acknowledgement::Xml(ack::TIMEOUT_KEPT),
    })
}

/// The peer's address; an IPv4 address that came over an IPv6 socket is the IPv4 address.
fn address(parts: &Parts) -> Option<IpAddr> {
    match parts.extensions.get::<Peer>()? {
        Peer::Net(address) => Some(address.ip().to_canonical()),
        Peer::File => None,
    }
}

fn asks_for_wsdl(uri: &Uri) -> bool {
    let query = uri.query().unwrap_or_default();
    query.split('&').any(|word| word.trim_end_matches('=').eq_ignore_ascii_case("wsdl"))
}

fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn xml(status: StatusCode, bytes: Bytes) -> Response {
    of_type(status, ack::CONTENT_TYPE, bytes)
}

fn of_type(status: StatusCode, media_type: &'static str, bytes: Bytes) -> Response {
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

fn xml_fault(status: StatusCode, code: &str, says: &str) -> Response {
    xml(status, fault::fault(code, says).into())
}

impl Refusal {
    const ALL: [Self; 8] = [
        Self::Network,
        Self::Path,
        Self::Token,
        Self::Method,
        Self::TooLarge,
        Self::TimedOut,
        Self::Broken,
        Self::NotKept,
    ];

    /// The value of the metric's label.
    const fn word(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Path => "path",
            Self::Token => "token",
            Self::Method => "method",
            Self::TooLarge => "too_large",
            Self::TimedOut => "timed_out",
            Self::Broken => "broken",
            Self::NotKept => "not_kept",
        }
    }
}

/// Counts what is refused, and keeps the log short.
struct Refusals {
    counters: [Counter; Refusal::ALL.len()],
    logged_at: AtomicI64,
    unlogged: AtomicU64,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            counters: Refusal::ALL.map(|refusal| metric::CALLBACK_REFUSED.with([refusal.word()])),
            logged_at: AtomicI64::new(i64::MIN),
            unlogged: AtomicU64::new(0),
        }
    }
}

impl Refusals {
    fn count(&self, refusal: Refusal) {
        let place = Refusal::ALL.iter().position(|known| *known == refusal);
        if let Some(counter) = place.and_then(|place| self.counters.get(place)) {
            counter.increment();
        }
    }

    /// How many were not logged since the last that was; `None` when this one is not, either.
    fn may_log(&self, now: i64) -> Option<u64> {
        let last = self.logged_at.load(Ordering::Relaxed);
        let pause = i64::try_from(REFUSAL_LOG_PAUSE.as_millis()).unwrap_or(i64::MAX);
        let due = now.saturating_sub(last) >= pause || now < last;
        let mine = due
            && self
                .logged_at
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            Some(self.unlogged.swap(0, Ordering::Relaxed))
        } else {
            self.unlogged.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refusals_is_one_line_a_second() {
        let refusals = Refusals::default();
        let logged: Vec<Option<u64>> = [5_000, 5_001, 5_999, 6_000, 6_500, 4_000]
            .into_iter()
            .map(|now| refusals.may_log(now))
            .collect();
        assert_eq!(
            logged,
            [Some(0), None, None, Some(2), None, Some(1)],
            "a clock that steps back does not silence the log"
        );
    }

    #[test]
    fn the_wsdl_is_asked_for_in_any_case() {
        for query in ["wsdl", "WSDL", "wsdl=", "a=b&wsdl"] {
            let uri = format!("/cb/x/b2c/result?{query}");
            assert!(asks_for_wsdl(&uri.parse().expect("a URI")), "{query}");
        }
        for query in ["", "?xsd", "?wsdl2"] {
            let uri = format!("/cb/x/b2c/result{query}");
            assert!(!asks_for_wsdl(&uri.parse().expect("a URI")), "{query}");
        }
    }
}
