//! What M-Pesa calls (contract, part 3): results and queue timeouts, callbacks of prompts, and C2B
//! validations and confirmations; in SOAP or JSON, answered in the language of the message.
//!
//! A message is on the disk, as it came, before it is acknowledged; one that cannot be kept is
//! answered with a Fault or 500, never with an acknowledgement. (A validation moves no money: it is
//! answered in time, whatever happens.) One that cannot be read, belongs to
//! nothing or contradicts what is known is kept for a person, and acknowledged: M-Pesa has done
//! its part. Who may call is decided first, and who may not is told nothing.

mod read;
mod refusal;

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use ipnet::IpNet;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use tracing::{debug, info, warn};

use super::body::{self, BodyLimits, NotRead};
use super::observe::{Begun, Names, Watch};
use super::server::{Peer, PeerCertificate};
use super::throttle::{Pace, Throttle, peer_of};
use crate::daraja;
use crate::domain::payment::Source;
use crate::domain::payment::validation::Answer;
use crate::engine::{Engine, Incoming};
use crate::soap::{self, ack, fault};
use crate::telemetry::metric;
use read::{Language, Path, Said, Understood};
use refusal::{Refusal, Refusals};

/// The name of this listener in logs and metrics.
const LISTENER: &str = "callbacks";
/// What the callback listener works with.
pub struct Callbacks {
    /// Keeps and applies what comes.
    pub engine: Arc<Engine>,
    /// The secret part of the paths: the one that we give away now, and older ones.
    pub tokens: Arc<Tokens>,
    /// The names one of which a caller's certificate must be for; empty: any, or none.
    pub client_names: Vec<String>,
    /// Source networks that may call; empty: any.
    pub allow: Vec<IpNet>,
    /// How M-Pesa reaches this listener, without a slash at the end.
    pub public_url: String,
    /// What a message may take.
    pub limits: BodyLimits,
}

/// The secret parts of paths that are taken: the one that we give away now, and older ones, as
/// M-Pesa calls for days about what was sent with those.
#[derive(Default)]
pub struct Tokens(RwLock<Vec<[u8; 32]>>);

impl Tokens {
    /// The most that are taken at once.
    const MOST: usize = 8;

    /// This one, and the one before it.
    pub fn new(token: &str, previous: Option<&str>) -> Self {
        let tokens = Self::default();
        previous.into_iter().for_each(|token| tokens.add(token));
        tokens.add(token);
        tokens
    }

    /// Takes another one, too; the oldest beyond eight is taken no more.
    pub fn add(&self, token: &str) {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let mut all = self.0.write().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| *known != hash);
        all.push(hash);
        if all.len() > Self::MOST {
            all.remove(0);
        }
    }

    /// Whether it is one, by its hash: hashes are compared in a time that says nothing of them.
    fn has(&self, told: &[u8; 32]) -> bool {
        let all = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = all.iter().fold(Choice::from(0), |found, known| found | told.ct_eq(known));
        bool::from(found)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokens(***)")
    }
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

/// Every path, and what it is for. Those that our own requests name end in a tag, which says what
/// the call is about also where the answer with its ids was lost, or has not come yet.
const PATHS: [(&str, Path); 10] = [
    ("/cb/{token}/b2c/result", Path::BrokerResult),
    ("/cb/{token}/b2c/timeout", Path::BrokerTimeout),
    ("/cb/{token}/c2b/validation", Path::Validation),
    ("/cb/{token}/c2b/confirmation", Path::Confirmation),
    ("/cb/{token}/stk", Path::Prompt),
    ("/cb/{token}/stk/{tag}", Path::Prompt),
    ("/cb/{token}/result", Path::Result),
    ("/cb/{token}/result/{tag}", Path::Result),
    ("/cb/{token}/timeout", Path::Timeout),
    ("/cb/{token}/timeout/{tag}", Path::Timeout),
];

/// The callback listener's router. Requests need a [`Peer`] in their extensions, which
/// [`super::server`] puts there; without one nobody is let in.
pub fn router(callbacks: Callbacks) -> Router {
    guarded(callbacks, Pace::FREE)
}

/// As [`router`], with a pace for calls that are turned away; beyond it they are cut off sooner.
///
/// A call with the right token is always heard: what M-Pesa says may come once only.
pub fn guarded(callbacks: Callbacks, wrong_calls: Pace) -> Router {
    let shared = Arc::new(Shared {
        names: Names::since(callbacks.engine.clock().now()),
        refusals: Refusals::default(),
        wrong_calls: Throttle::new(wrong_calls),
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
    names: Names,
    refusals: Refusals,
    wrong_calls: Throttle<IpAddr>,
}

/// One path at work; `None` is any other.
struct Place {
    shared: Arc<Shared>,
    watch: Watch,
    path: Option<Path>,
}

/// A call that came as far as its path.
struct Admitted {
    path: Path,
    token: String,
    /// The end of its address, where it has one.
    tag: Option<String>,
}

impl Place {
    async fn serve(&self, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        let begun = Begun::now(&self.shared.names, &parts.headers);
        let mut response = match self.answer(&mut parts, body).await {
            Ok(response) => response,
            Err((refusal, language)) => self.refuse(refusal, language, &parts),
        };
        begun.end(&self.watch, None, &mut response);
        response
    }

    async fn answer(&self, parts: &mut Parts, body: Body) -> Result<Response, (Refusal, Language)> {
        let Admitted { path, token, tag } = match self.admit(parts).await {
            Ok(admitted) => admitted,
            Err(refusal) => {
                if !self.may_err(parts) {
                    return Err((Refusal::TooOften, Language::Xml));
                }
                body::discard(body).await;
                return Err((refusal, Language::Xml));
            }
        };
        if parts.method == Method::GET
            && soap::wsdl::is_asked_for(parts.uri.query())
            && let Some(definition) = self.wsdl(path, &token)
        {
            return Ok(definition);
        }
        if parts.method != Method::POST {
            return Err((Refusal::Method, path.language()));
        }
        let limits = self.shared.callbacks.limits;
        let read = body::read(&parts.headers, body, limits).await;
        let body = read.map_err(|error| {
            let refusal = match error {
                NotRead::TooLarge => Refusal::TooLarge,
                NotRead::TimedOut => Refusal::TimedOut,
                NotRead::Broken => Refusal::Broken,
            };
            (refusal, path.language())
        })?;
        let heard = self.hear(read::understand(path, tag.as_deref(), &body), parts).await;
        heard.map_err(|refusal| (refusal, path.language_of(&body)))
    }

    /// Whether a peer may be wrong once more.
    fn may_err(&self, parts: &Parts) -> bool {
        let Some(peer) = address(parts).map(peer_of) else {
            return true;
        };
        let now = self.shared.callbacks.engine.clock().now();
        let may = self.shared.wrong_calls.take(peer, now).is_ok();
        if !may {
            metric::HTTP_LIMITED.with([LISTENER, "wrong_call"]).increment();
        }
        may
    }

    /// Network first, then path, then token.
    async fn admit(&self, parts: &mut Parts) -> Result<Admitted, Refusal> {
        let allow = &self.shared.callbacks.allow;
        let known = parts.extensions.get::<Peer>().is_some();
        let inside = |address: IpAddr| allow.iter().any(|network| network.contains(&address));
        if !known || !(allow.is_empty() || address(parts).is_some_and(inside)) {
            return Err(Refusal::Network);
        }
        let names = &self.shared.callbacks.client_names;
        if !names.is_empty() && !certificate(parts).is_some_and(|it| it.0.is_one_of(names)) {
            return Err(Refusal::Certificate);
        }
        let path = self.path.ok_or(Refusal::Path)?;
        let params = RawPathParams::from_request_parts(parts, &()).await;
        let params = params.map_err(|_error| Refusal::Token)?;
        let mut params = params.iter().map(|(_name, value)| value);
        let token = params.next().ok_or(Refusal::Token)?;
        let told: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if !self.shared.callbacks.tokens.has(&told) {
            return Err(Refusal::Token);
        }
        Ok(Admitted { path, token: token.to_owned(), tag: params.next().map(str::to_owned) })
    }

    /// Keeps a message, applies it, and acknowledges it as what it is.
    async fn hear(&self, understood: Understood, parts: &Parts) -> Result<Response, Refusal> {
        let Understood { channel, kept, said, reply } = understood;
        let incoming = Incoming {
            channel,
            peer: address(parts).map(|address| address.to_string()),
            certificate: certificate(parts).map(|it| it.0.subject.clone()),
            body: kept,
        };
        let engine = &self.shared.callbacks.engine;
        let kind = said.kind();
        let hearing = match said {
            Said::Validation(notice) => {
                let validated = engine.validate(incoming, notice.map(|notice| *notice)).await;
                let outcome = match &validated.answer {
                    Answer::Accept { .. } => "accepted",
                    Answer::Reject(_) => "rejected",
                };
                metric::CALLBACKS.with([kind, outcome]).increment();
                debug!(kind, outcome, by = validated.by, "a validation was answered");
                return Ok(reply.decided(&validated.answer));
            }
            Said::Payout(about, heard) => {
                let heard = engine.hear_at(incoming, about, *heard).await;
                if let Ok(hearing) = &heard {
                    metric::RESULTS.with([hearing.as_str()]).increment();
                }
                heard
            }
            Said::Inquiry(id, nth, facts) => engine.hear_inquiry(incoming, id, nth, *facts).await,
            Said::InquiryTimeout(id, nth) => engine.hear_inquiry_timeout(incoming, id, nth).await,
            Said::Prompt(heard) => engine.hear_stk(incoming, *heard).await,
            Said::Confirmation(notice) => {
                let notice = notice.map(|notice| *notice);
                engine.hear_c2b(incoming, notice, Source::Confirmation).await
            }
        };
        match hearing {
            Ok(hearing) => {
                let outcome = hearing.as_str();
                metric::CALLBACKS.with([kind, outcome]).increment();
                debug!(kind, outcome, "a message of M-Pesa's was kept");
                Ok(reply.into_response())
            }
            Err(not_kept) => {
                tracing::error!(kind, %not_kept, "a message of M-Pesa's was not acknowledged");
                Err(Refusal::NotKept)
            }
        }
    }

    /// The interface at the address that it is asked for at, where that speaks SOAP of its own
    /// accord.
    fn wsdl(&self, path: Path, token: &str) -> Option<Response> {
        let (place, describe): (&str, fn(&str) -> String) = match path {
            Path::BrokerResult => ("b2c/result", soap::wsdl::result_wsdl),
            Path::Validation => ("c2b/validation", soap::wsdl::c2b_wsdl),
            Path::Confirmation => ("c2b/confirmation", soap::wsdl::c2b_wsdl),
            Path::BrokerTimeout | Path::Prompt | Path::Result | Path::Timeout => return None,
        };
        let Callbacks { public_url, .. } = &self.shared.callbacks;
        let document = describe(&format!("{public_url}/cb/{token}/{place}"));
        Some(xml(StatusCode::OK, document.into()))
    }

    fn refuse(&self, refusal: Refusal, language: Language, parts: &Parts) -> Response {
        let refusals = &self.shared.refusals;
        refusals.count(refusal);
        let now = self.shared.callbacks.engine.clock().now();
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
            Refusal::Network | Refusal::Certificate => empty(StatusCode::FORBIDDEN),
            Refusal::Path | Refusal::Token => empty(StatusCode::NOT_FOUND),
            Refusal::TooOften => {
                let mut response = empty(StatusCode::TOO_MANY_REQUESTS);
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(CONNECTION, close);
                response
            }
            Refusal::Method => {
                let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
                let post = HeaderValue::from_static("POST");
                response.headers_mut().insert(ALLOW, post);
                response
            }
            Refusal::TooLarge => fault_of(
                language,
                StatusCode::PAYLOAD_TOO_LARGE,
                fault::CLIENT,
                &format!("the message is longer than {most} bytes and was not kept"),
            ),
            Refusal::TimedOut => fault_of(
                language,
                StatusCode::REQUEST_TIMEOUT,
                fault::CLIENT,
                "the message did not arrive in time and was not kept",
            ),
            Refusal::Broken => fault_of(
                language,
                StatusCode::BAD_REQUEST,
                fault::CLIENT,
                "the message did not arrive whole and was not kept",
            ),
            Refusal::NotKept => fault_of(
                language,
                StatusCode::INTERNAL_SERVER_ERROR,
                fault::SERVER,
                "the message could not be kept; send it again",
            ),
        }
    }
}

/// The peer's address; an IPv4 address that came over an IPv6 socket is the IPv4 address.
fn address(parts: &Parts) -> Option<IpAddr> {
    match parts.extensions.get::<Peer>()? {
        Peer::Net(address) => Some(address.ip().to_canonical()),
        Peer::File(_) => None,
    }
}

fn certificate(parts: &Parts) -> Option<&PeerCertificate> {
    parts.extensions.get()
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

/// Why a message was not kept: a SOAP Fault, or the same in JSON. The words need no escapes.
fn fault_of(language: Language, status: StatusCode, code: &str, says: &str) -> Response {
    match language {
        Language::Xml => xml(status, fault::fault(code, says).into()),
        Language::Json => {
            let body = format!(r#"{{"error":"{says}"}}"#);
            of_type(status, daraja::ack::CONTENT_TYPE, body.into())
        }
    }
}
