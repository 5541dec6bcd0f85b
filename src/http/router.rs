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

use super::api::{self, Answer, Api, Ask, CASE_PARAMETERS, EVENT_PARAMETERS, KeyedHandler};
use super::api::{LIST_PARAMETERS, OpenHandler, Parameter};
use super::auth::Caller;
use super::body::{self, NotRead};
use super::observe::{Begun, Names, Watch};
use super::problem::{Code, Problem};
use crate::store::Scope;

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
}

/// What a good answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    Payout,
    Payouts,
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
    With(Scope, KeyedHandler),
}

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
    /// The scope that a key needs for it; `None` where no key is needed.
    pub const fn scope(&self) -> Option<Scope> {
        match self.serves {
            Serves::Anybody(_) => None,
            Serves::With(scope, _) => Some(scope),
        }
    }
}

macro_rules! anybody {
    ($handler:path) => {
        Serves::Anybody(|ask| Box::pin($handler(ask)))
    };
}

macro_rules! with {
    ($scope:ident, $handler:path) => {
        Serves::With(Scope::$scope, |caller, ask| Box::pin($handler(caller, ask)))
    };
}

/// All of them.
pub static ROUTES: [Route; 18] = [
    Route {
        method: Method::Post,
        path: "/v1/payouts",
        name: "createPayout",
        summary: "Pay one person. 202 means: it is on disk, and will be paid at most once.",
        serves: with!(PayoutsWrite, api::create),
        parameters: &[],
        takes: Takes::Payout,
        gives: (StatusCode::ACCEPTED, Gives::Payout),
        problems: &[
            Code::InvalidJson,
            Code::InvalidFields,
            Code::IdempotencyKeyMissing,
            Code::IdempotencyKeyInvalid,
            Code::IdempotencyKeyReused,
            Code::Busy,
        ],
    },
    Route {
        method: Method::Get,
        path: "/v1/payouts",
        name: "listPayouts",
        summary: "Payouts, filtered, a page at a time.",
        serves: with!(PayoutsRead, api::list_payouts),
        parameters: LIST_PARAMETERS,
        takes: Takes::Nothing,
        gives: (StatusCode::OK, Gives::Payouts),
        problems: &[],
    },
    Route {
        method: Method::Get,
        path: "/v1/payouts/{id}",
        name: "getPayout",
        summary: "A payout as it stands.",
        serves: with!(PayoutsRead, api::get),
        parameters: &[],
        takes: Takes::Nothing,
        gives: (StatusCode::OK, Gives::Payout),
        problems: &[Code::NoSuchPayout],
    },
    Route {
        method: Method::Get,
        path: "/v1/payouts/{id}/events",
        name: "listPayoutEvents",
        summary: "A payout's history, each step with its wire messages. At most its latest 5,000 \
                  steps are shown.",
        serves: with!(PayoutsRead, api::events),
        parameters: EVENT_PARAMETERS,
        takes: Takes::Nothing,
        gives: (StatusCode::OK, Gives::Events),
        problems: &[Code::NoSuchPayout],
    },
    Route {
        method: Method::Post,
        path: "/v1/payouts/{id}/cancel",
        name: "cancelPayout",
        summary: "Stop a payout of your own before its sending begins. It moves no money, so it \
                  needs no Idempotency-Key.",
        serves: with!(PayoutsWrite, api::cancel),
        parameters: &[],
        takes: Takes::Nothing,
        gives: (StatusCode::OK, Gives::Payout),
        problems: &[Code::NoSuchPayout, Code::NotCancellable, Code::Busy],
    },
    Route {
        method: Method::Post,
        path: "/v1/payouts/{id}/inquire",
        name: "inquirePayout",
        summary: "Have M-Pesa asked now about a payout of your own that is accepted or unknown. 202 \
                  means: it is first in the line; look at the payout in a few seconds. It moves no \
                  money, so it needs no Idempotency-Key.",
        serves: with!(PayoutsWrite, api::inquire),
        parameters: &[],
        takes: Takes::Nothing,
        gives: (StatusCode::ACCEPTED, Gives::Payout),
        problems: &[
            Code::NoSuchPayout,
            Code::NotInDoubt,
            Code::AskedJustNow,
            Code::TooOldToAsk,
            Code::Busy,
        ],
    },
    Route {
        method: Method::Post,
        path: "/v1/payouts/{id}/resolve",
        name: "resolvePayout",
        summary: "A person's ruling on a payout in status unknown, of any application: paid, with \
                  M-Pesa's receipt, or not paid; with the reason and the evidence. It is final.",
        serves: with!(Admin, api::resolve),
        parameters: &[],
        takes: Takes::Resolution,
        gives: (StatusCode::OK, Gives::Payout),
        problems: &[
            Code::InvalidJson,
            Code::InvalidFields,
            Code::NoSuchPayout,
            Code::NotInDoubt,
            Code::ReceiptTaken,
            Code::Busy,
        ],
    },
    Route {
        method: Method::Get,
        path: "/v1/messages/{id}",
        name: "getMessage",
        summary: "A wire message as it was, our secrets in it masked.",
        serves: with!(PayoutsRead, api::get_message),
        parameters: &[],
        takes: Takes::Nothing,
        gives: (StatusCode::OK, Gives::Message),
        problems: &[Code::NoSuchMessage],
    },
    Route {
        method: Method::Get,
        path: "/v1/cases",
        name: "listCases",
        summary: "What no rule may decide and waits for a person, filtered, a page at a time. With \
                  read:all or admin also what belongs to no payout.",
        serves: with!(PayoutsRead, api::list_cases),
        parameters: CASE_PARAMETERS,
        takes: Takes::Nothing,
        gives: (StatusCode::OK, Gives::Cases),
        problems: &[],
    },
    Route {
        method: Method::Get,
        path: "/v1/cases/{id}",
        name: "getCase",
        summary: "A case, with its evidence.",
        serves: with!(PayoutsRead, api::get_case),
        parameters: &[],
        takes: Takes::Nothing,
        gives: (StatusCode::OK, Gives::Case),
        problems: &[Code::NoSuchCase],
    },
    Route {
        method: Method::Post,
        path: "/v1/cases/{id}/close",
        name: "closeCase",
        summary: "Close a case with a ruling and a reason. It changes no payout: for one in doubt, \
                  resolve it.",
        serves: with!(Admin, api::close_case),
        parameters: &[],
        takes: Takes::Closing,
        gives: (StatusCode::OK, Gives::Case),
        problems: &[
            Code::InvalidJson,
            Code::InvalidFields,
            Code::NoSuchCase,
            Code::CaseClosed,
            Code::Busy,
        ],
    },
    Route {
        method: Method::Get,
        path: "/v1/rails",
        name: "listRails",
        summary: "For each rail: whether it sends, and if not why; what is in flight, the oldest \
                  unknown, and how many shillings are in doubt.",
        serves: with!(PayoutsRead, api::list_rails),
        parameters: &[],
        takes: Takes::Nothing,
        gives: (StatusCode::OK, Gives::Rails),
        problems: &[],
    },
    Route {
        method: Method::Post,
        path: "/v1/rails/{rail}/pause",
        name: "pauseRail",
        summary: "Stop sending payouts, by hand, also over a restart. Nothing accepted is lost \
                  meanwhile, and M-Pesa is still asked about payouts in doubt.",
        serves: with!(Admin, api::pause_rail),
        parameters: &[],
        takes: Takes::Pause,
        gives: (StatusCode::OK, Gives::Rail),
        problems: &[Code::InvalidJson, Code::InvalidFields, Code::NoSuchRail, Code::Busy],
    },
    Route {
        method: Method::Post,
        path: "/v1/rails/{rail}/resume",
        name: "resumeRail",
        summary: "Let a rail send again, whatever had stopped it: a pause by hand, and also M-Pesa's \
                  refusal of our credentials. One payout goes first; the others follow once its \
                  result shows that M-Pesa takes the credentials.",
        serves: with!(Admin, api::resume_rail),
        parameters: &[],
        takes: Takes::Nothing,
        gives: (StatusCode::OK, Gives::Rail),
        problems: &[Code::NoSuchRail, Code::Busy],
    },
    Route {
        method: Method::Get,
        path: "/healthz",
        name: "health",
        summary: "Whether the program is alive.",
        serves: anybody!(api::health),
        parameters: &[],
        takes: Takes::Nothing,
        gives: (StatusCode::OK, Gives::Text),
        problems: &[],
    },
    Route {
        method: Method::Get,
        path: "/readyz",
        name: "readiness",
        summary: "Whether payouts can be taken and sent; 503 with the reasons when not.",
        serves: anybody!(api::ready),
        parameters: &[],
        takes: Takes::Nothing,
        gives: (StatusCode::OK, Gives::Readiness),
        problems: &[],
    },
    Route {
        method: Method::Get,
        path: "/metrics",
        name: "metrics",
        summary: "Metrics, for Prometheus.",
        serves: anybody!(api::metrics),
        parameters: &[],
        takes: Takes::Nothing,
        gives: (StatusCode::OK, Gives::Text),
        problems: &[],
    },
    Route {
        method: Method::Get,
        path: "/openapi.json",
        name: "description",
        summary: "This description.",
        serves: anybody!(api::openapi),
        parameters: &[],
        takes: Takes::Nothing,
        gives: (StatusCode::OK, Gives::Description),
        problems: &[],
    },
];

/// The API, ready to be served.
pub fn router(api: Api) -> Router {
    let names = Arc::new(Names::since(api.engine.clock().now()));
    let api = Arc::new(api);
    let mut router = Router::new();
    for route in &ROUTES {
        let place = Arc::new(Place {
            api: Arc::clone(&api),
            names: Arc::clone(&names),
            watch: Watch::of(LISTENER, route.method.as_str(), route.path),
            route,
        });
        let handler = move |request: Request| async move { place.serve(request).await };
        router = router.route(route.path, on(route.method.filter(), handler));
    }
    let lost = Arc::new(Lost { names, watch: Watch::of(LISTENER, "any", "none") });
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
        let (caller, handler) = match self.route.serves {
            Serves::Anybody(handler) => (None, Handler::Open(handler)),
            Serves::With(scope, handler) => {
                let now = self.api.engine.clock().now();
                match self.api.apps.admit(&parts.headers, scope, now) {
                    Ok(caller) => (Some(caller), Handler::Keyed(caller, handler)),
                    Err(problem) => {
                        body::discard(body).await;
                        return (None, Err(problem));
                    }
                }
            }
        };
        let ask = match self.ask(parts, body).await {
            Ok(ask) => ask,
            Err(problem) => return (caller, Err(problem)),
        };
        let answer = match handler {
            Handler::Open(handler) => handler(ask).await,
            Handler::Keyed(caller, handler) => handler(caller, ask).await,
        };
        (caller, answer)
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
        let body = match self.route.takes {
            Takes::Nothing => Bytes::new(),
            Takes::Payout | Takes::Resolution | Takes::Pause | Takes::Closing => {
                if !says_json(&parts.headers) {
                    body::discard(body).await;
                    return Err(not_json());
                }
                let limits = self.api.limits;
                let read = body::read(&parts.headers, body, limits).await;
                read.map_err(|error| not_read(error, limits.bytes))?
            }
        };
        Ok(Ask { api: Arc::clone(&self.api), parts, id, body })
    }
}

enum Handler {
    Open(OpenHandler),
    Keyed(Caller, KeyedHandler),
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
    names: Arc<Names>,
    watch: Watch,
}

impl Lost {
    async fn serve(&self, request: Request, problem: Problem) -> Response {
        let (parts, body) = request.into_parts();
        let begun = Begun::now(&self.names, &parts.headers);
        body::discard(body).await;
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
