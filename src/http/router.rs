//! Every route of the API, in one list: what it is called, what it needs, what it answers.
//!
//! The router is built from this list and `openapi.json` describes it, so that what is served,
//! what it needs and what is said of it cannot differ.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequestParts, RawPathParams, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::{MethodFilter, on};
use bytes::Bytes;

use super::api::{self, Answer, Api, Ask, KeyedHandler, OpenHandler, Parameter};
use super::auth::Caller;
use super::body::{self, NotRead};
use super::guard::{Guard, Rules};
use super::observe::{Begun, Names, Watch};
use super::problem::{Code, Problem};
use crate::store::Scope;
use crate::telemetry::metric;

/// The name of the API's listener in logs and metrics.
const LISTENER: &str = "api";

/// How a route is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Changes nothing.
    Get,
    /// Does something.
    Post,
}

impl Method {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }

    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
        }
    }
}

/// What comes in a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    Nothing,
    Payout,
    Resolution,
    Pause,
    Closing,
    Push,
    Claim,
    Registration,
    Simulation,
    BalanceInquiry,
    StatusInquiry,
    Reversal,
    BusinessPayment,
    TaxPayment,
    QrCode,
    PullRegistration,
    /// Also as CSV.
    Expected,
}

/// Whether a request has an Idempotency-Key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keyed {
    No,
    May,
    Must,
}

impl Takes {
    /// Whether the request needs an Idempotency-Key: each that moves money does.
    pub(super) const fn keyed(self) -> Keyed {
        match self {
            Self::Payout
            | Self::Push
            | Self::Reversal
            | Self::BusinessPayment
            | Self::TaxPayment => Keyed::Must,
            Self::Registration
            | Self::Simulation
            | Self::BalanceInquiry
            | Self::StatusInquiry
            | Self::QrCode
            | Self::PullRegistration => Keyed::May,
            Self::Nothing
            | Self::Resolution
            | Self::Pause
            | Self::Closing
            | Self::Claim
            | Self::Expected => Keyed::No,
        }
    }
}

/// What a good answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    Payout,
    Payouts,
    Payment,
    Payments,
    Verification,
    Inquiry,
    Inquiries,
    ExpectedTaken,
    Feed,
    Events,
    Message,
    Rail,
    Rails,
    Case,
    Cases,
    Text,
    Readiness,
    Description,
}

/// Who serves a route, and for whom.
#[derive(Clone, Copy)]
pub(super) enum Serves {
    Anybody(OpenHandler),
    /// Anybody, unless the configuration keeps it for keys with one of [`INSIDERS`].
    Insiders(OpenHandler),
    /// Whoever has one of these scopes.
    With(&'static [Scope], KeyedHandler),
}

/// Who sees how the gateway is doing, where not everybody may.
pub(super) const INSIDERS: &[Scope] = &[Scope::ReadAll, Scope::Admin];

/// One thing that the API does.
pub struct Route {
    /// How it is asked.
    pub method: Method,
    /// Its pattern; `{id}` stands for an id, `{rail}` for a rail.
    pub path: &'static str,
    /// Its name in the description.
    pub name: &'static str,
    pub(super) summary: &'static str,
    pub(super) serves: Serves,
    pub(super) parameters: &'static [Parameter],
    pub(super) takes: Takes,
    pub(super) gives: (StatusCode, Gives),
    /// What can go wrong, besides what can go wrong everywhere.
    pub(super) problems: &'static [Code],
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.method.as_str(), self.path)
    }
}

impl Route {
    /// The scopes of which a key needs one for it; none where no key is needed.
    pub const fn scopes(&self) -> &'static [Scope] {
        match self.serves {
            Serves::Anybody(_) | Serves::Insiders(_) => &[],
            Serves::With(scopes, _) => scopes,
        }
    }
}

macro_rules! anybody {
    ($handler:path) => {
        Serves::Anybody(|ask| Box::pin($handler(ask)))
    };
}

macro_rules! insiders {
    ($handler:path) => {
        Serves::Insiders(|ask| Box::pin($handler(ask)))
    };
}

macro_rules! with {
    ($($scope:ident)|+, $handler:path) => {
        Serves::With(&[$(Scope::$scope),+], |caller, ask| Box::pin($handler(caller, ask)))
    };
}

mod money;
mod payouts;

/// All of them.
pub fn routes() -> impl Iterator<Item = &'static Route> {
    payouts::ROUTES.iter().chain(&money::ROUTES)
}

/// The API, ready to be served, without limits.
pub fn router(api: Api) -> Router {
    guarded(api, Rules::NONE)
}

/// The API, ready to be served as often as `rules` say. Requests need a [`super::server::Peer`] in
/// their extensions for a limit of peers.
pub fn guarded(api: Api, rules: Rules) -> Router {
    let guard = Arc::new(Guard::of(rules));
    let names = Arc::new(Names::since(api.engine.clock().now()));
    let api = Arc::new(api);
    let mut router = Router::new();
    for route in routes() {
        let place = Arc::new(Place {
            api: Arc::clone(&api),
            guard: Arc::clone(&guard),
            names: Arc::clone(&names),
            watch: Watch::of(LISTENER, route.method.as_str(), route.path),
            route,
        });
        let handler = move |request: Request| async move { place.serve(request).await };
        router = router.route(route.path, on(route.method.filter(), handler));
    }
    let watch = Watch::of(LISTENER, "any", "none");
    let lost = Arc::new(Lost { api, guard, names, watch });
    let elsewhere = Arc::clone(&lost);
    router
        .fallback(move |request: Request| async move { lost.serve(request, no_such_path()).await })
        .method_not_allowed_fallback(move |request: Request| async move {
            elsewhere.serve(request, no_such_method()).await
        })
}

/// One route at work.
struct Place {
    api: Arc<Api>,
    guard: Arc<Guard>,
    names: Arc<Names>,
    watch: Watch,
    route: &'static Route,
}

impl Place {
    async fn serve(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let begun = Begun::now(&self.names, &parts.headers);
        let (caller, answer) = self.answer(parts, body).await;
        let mut response = answer.unwrap_or_else(Problem::into_response);
        begun.end(&self.watch, caller.map(|caller| caller.app), &mut response);
        response
    }

    async fn answer(&self, parts: Parts, body: axum::body::Body) -> (Option<Caller>, Answer) {
        let (caller, handler) = match self.admit(&parts) {
            Ok(admitted) => admitted,
            Err(problem) => {
                // Whoever comes too often is not listened to, either.
                if problem.code != Code::TooManyRequests {
                    body::discard(body).await;
                }
                return (None, Err(problem));
            }
        };
        let ask = match self.ask(parts, body).await {
            Ok(ask) => ask,
            Err(problem) => return (caller, Err(problem)),
        };
        let answer = match handler {
            Handler::Open(handler) => handler(ask).await,
            Handler::Keyed(handler) => match caller {
                Some(caller) => handler(caller, ask).await,
                None => Err(Problem::key_missing()),
            },
        };
        (caller, answer)
    }

    /// Who asks, if he may, and may once more.
    fn admit(&self, parts: &Parts) -> Result<(Option<Caller>, Handler), Problem> {
        let now = self.api.engine.clock().now();
        self.guard.peer(&parts.extensions, now)?;
        let (scopes, handler) = match self.route.serves {
            Serves::Anybody(handler) => return Ok((None, Handler::Open(handler))),
            Serves::Insiders(handler) if self.guard.open_metrics => {
                return Ok((None, Handler::Open(handler)));
            }
            Serves::Insiders(handler) => (INSIDERS, Handler::Open(handler)),
            Serves::With(scopes, handler) => (scopes, Handler::Keyed(handler)),
        };
        let admitted = self.api.apps.admit(&parts.headers, scopes, now);
        let caller = admitted.map_err(|problem| {
            if problem.code == Code::KeyInvalid {
                metric::WRONG_KEYS.with([]).increment();
                return self.guard.wrong_key(&parts.extensions, now, problem);
            }
            problem
        })?;
        self.guard.key(caller.app, now)?;
        Ok((Some(caller), handler))
    }

    async fn ask(&self, mut parts: Parts, body: axum::body::Body) -> Result<Ask, Problem> {
        let id = if self.route.path.contains('{') {
            let read = RawPathParams::from_request_parts(&mut parts, &()).await;
            // What is not UTF-8 is no id.
            read.ok()
                .and_then(|params| params.iter().next().map(|(_, id)| id.to_owned()))
                .unwrap_or_default()
        } else {
            String::new()
        };
        let takes = self.route.takes;
        let body = if takes == Takes::Nothing {
            Bytes::new()
        } else {
            let is_csv = takes == Takes::Expected && api::says_csv(&parts.headers);
            if !is_csv && !says_json(&parts.headers) {
                body::discard(body).await;
                return Err(not_json());
            }
            let mut limits = self.api.limits;
            if takes == Takes::Expected {
                limits.bytes = limits.bytes.max(api::EXPECTED_BYTES_MAX);
            }
            let read = body::read(&parts.headers, body, limits).await;
            read.map_err(|error| not_read(error, limits.bytes))?
        };
        let open_metrics = self.guard.open_metrics;
        Ok(Ask { api: Arc::clone(&self.api), parts, id, body, open_metrics })
    }
}

enum Handler {
    Open(OpenHandler),
    Keyed(KeyedHandler),
}

/// Whether a body is said to be JSON, or not said to be anything.
fn says_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return true;
    };
    let value = value.to_str().unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim();
    let media_type = media_type.to_ascii_lowercase();
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

fn not_json() -> Problem {
    Problem::new(
        Code::UnsupportedMediaType,
        "Nothing was done. Send JSON, with \"Content-Type: application/json\".",
    )
}

fn not_read(error: NotRead, most: usize) -> Problem {
    match error {
        NotRead::TooLarge => Problem::new(
            Code::BodyTooLarge,
            format!("A body may have at most {most} bytes. Nothing was done."),
        ),
        NotRead::TimedOut => Problem::new(
            Code::BodyTimeout,
            "The body did not arrive in time. Nothing was done; send it again.",
        ),
        NotRead::Broken => Problem::new(
            Code::InvalidJson,
            "The body ended before its end. Nothing was done; send it again.",
        ),
    }
}

/// What is asked for and is not there.
struct Lost {
    api: Arc<Api>,
    guard: Arc<Guard>,
    names: Arc<Names>,
    watch: Watch,
}

impl Lost {
    async fn serve(&self, request: Request, problem: Problem) -> Response {
        let (parts, body) = request.into_parts();
        let begun = Begun::now(&self.names, &parts.headers);
        let now = self.api.engine.clock().now();
        let problem = match self.guard.peer(&parts.extensions, now) {
            Ok(()) => {
                body::discard(body).await;
                problem
            }
            Err(too_many) => too_many,
        };
        let mut response = problem.into_response();
        begun.end(&self.watch, None, &mut response);
        response
    }
}

fn no_such_path() -> Problem {
    Problem::new(
        Code::NoSuchPath,
        "Nothing is at this path. GET /openapi.json lists what there is.",
    )
}

fn no_such_method() -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        "The path is there, but not for this method; the header Allow lists those it has. \
         Nothing was done.",
    )
}
