//! Daraja at its real paths (spec/daraja.md §1).
//!
//! It writes and reads the JSON itself, from the spec, and shares nothing with the gateway's half,
//! so that each can be wrong on its own. Money moves in the one [`super::book`], for both
//! interfaces.
//!
//! - [`token`] knows whom it talks to, `form` what a request says, `refusal` how it is refused.
//! - `order` carries out what an initiator asks for and tells the result, [`stk`] asks a customer
//!   for his PIN, [`super::customer`] is the customer who pays by himself.
//! - [`faults`] is what testers put in its way.

pub mod control;
mod demand;
pub mod faults;
mod form;
mod look;
mod order;
pub mod prompts;
mod refusal;
mod result;
pub(super) use result::digits;
pub mod stk;
pub mod token;
mod urls;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri, header, request};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use bytes::Bytes;
use serde_json::Value;

use self::faults::{Fault, Faults};
use self::form::Form;
use self::prompts::Prompts;
use self::refusal::Refusal;
use self::token::{Spelling, Tokens};
use super::book::daraja_id;
use super::chaos::Ruled;
use super::reply::{self, Reply};
use super::scenario::{self, Traffic};
use super::script::{Act, Answer};
use super::{Settings, Sim, lock};
use crate::domain::party::ShortCode;
use crate::domain::time::Timestamp;

/// The longest request: a hundred times what one takes.
pub const BODY_MAX: usize = 256 * 1024;
/// `Content-Type` of every answer (spec/daraja.md §1).
pub(super) const JSON: &str = "application/json;charset=UTF-8";

/// What may be asked for; what a fault is laid down for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Api {
    /// A token.
    OAuth,
    /// An STK push.
    Stk,
    /// An STK query.
    StkQuery,
    /// The registration of addresses, over REST or SOAP.
    C2bRegister,
    /// A customer's payment, made by request.
    C2bSimulate,
    /// A payout.
    B2c,
    /// A payment to another organisation.
    B2b,
    /// Taxes.
    Tax,
    /// What became of a payment.
    Status,
    /// What the accounts hold.
    Balance,
    /// A reversal.
    Reversal,
    /// A QR code.
    Qr,
    /// The registration for pulling.
    PullRegister,
    /// Pulling what customers paid.
    Pull,
    /// A customer's payment as such: its validation and its confirmation.
    C2b,
    /// A text message.
    Sms,
}

impl Api {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::OAuth,
        Self::Stk,
        Self::StkQuery,
        Self::C2bRegister,
        Self::C2bSimulate,
        Self::B2c,
        Self::B2b,
        Self::Tax,
        Self::Status,
        Self::Balance,
        Self::Reversal,
        Self::Qr,
        Self::PullRegister,
        Self::Pull,
        Self::C2b,
        Self::Sms,
    ];

    /// As `POST /sim/faults` names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OAuth => "oauth",
            Self::Stk => "stk",
            Self::StkQuery => "stk_query",
            Self::C2bRegister => "c2b_register",
            Self::C2bSimulate => "c2b_simulate",
            Self::B2c => "b2c",
            Self::B2b => "b2b",
            Self::Tax => "tax",
            Self::Status => "status",
            Self::Balance => "balance",
            Self::Reversal => "reversal",
            Self::Qr => "qr",
            Self::PullRegister => "pull_register",
            Self::Pull => "pull",
            Self::C2b => "c2b",
            Self::Sms => "sms",
        }
    }
}

/// A path and what is asked for there.
#[derive(Debug)]
struct Route {
    path: &'static str,
    api: Api,
    version: u8,
}

const fn route(path: &'static str, api: Api, version: u8) -> Route {
    Route { path, api, version }
}

/// Every path (spec/daraja.md §1).
static ROUTES: [Route; 17] = [
    route("/oauth/v1/generate", Api::OAuth, 1),
    route("/mpesa/stkpush/v1/processrequest", Api::Stk, 1),
    route("/mpesa/stkpushquery/v1/query", Api::StkQuery, 1),
    route("/mpesa/c2b/v1/registerurl", Api::C2bRegister, 1),
    route("/mpesa/c2b/v2/registerurl", Api::C2bRegister, 2),
    route("/mpesa/c2b/v1/simulate", Api::C2bSimulate, 1),
    route("/mpesa/c2b/v2/simulate", Api::C2bSimulate, 2),
    route("/mpesa/b2c/v1/paymentrequest", Api::B2c, 1),
    route("/mpesa/b2c/v3/paymentrequest", Api::B2c, 3),
    route("/mpesa/b2b/v1/paymentrequest", Api::B2b, 1),
    route("/mpesa/b2b/v1/remittax", Api::Tax, 1),
    route("/mpesa/transactionstatus/v1/query", Api::Status, 1),
    route("/mpesa/accountbalance/v1/query", Api::Balance, 1),
    route("/mpesa/reversal/v1/request", Api::Reversal, 1),
    route("/mpesa/qrcode/v1/generate", Api::Qr, 1),
    route("/pulltransactions/v1/register", Api::PullRegister, 1),
    route("/pulltransactions/v1/query", Api::Pull, 1),
];

/// Adds Daraja to the simulator's routes.
pub(super) fn routes(router: Router<Arc<Sim>>) -> Router<Arc<Sim>> {
    let nowhere = |State(sim): State<Arc<Sim>>| async move {
        Refusal::new(404, "404.001.01", "Resource not found").reply(&sim).send(&sim).await
    };
    let router = router.route("/mpesa/{*rest}", any(nowhere));
    ROUTES.iter().fold(router, |router, route| {
        let handler =
            move |State(sim): State<Arc<Sim>>, request: Request| serve(sim, route, request);
        router.route(route.path, any(handler))
    })
}

/// What Daraja remembers, besides the money.
#[derive(Debug)]
pub(super) struct Desk {
    seed: u64,
    made: AtomicU64,
    tokens: Mutex<Tokens>,
    faults: Mutex<Faults>,
    prompts: Mutex<Prompts>,
    /// The short codes whose payments may be pulled.
    pulled: Mutex<BTreeSet<ShortCode>>,
}

impl Desk {
    pub(super) fn new(settings: &Settings) -> Self {
        Self {
            seed: settings.seed,
            made: AtomicU64::new(0),
            tokens: Mutex::new(Tokens::new(settings.seed, settings.daraja.token_life)),
            faults: Mutex::default(),
            prompts: Mutex::default(),
            pulled: Mutex::default(),
        }
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        lock(&self.faults)
    }

    pub(super) fn prompts(&self) -> MutexGuard<'_, Prompts> {
        lock(&self.prompts)
    }

    fn tokens(&self) -> MutexGuard<'_, Tokens> {
        lock(&self.tokens)
    }

    fn pulled(&self) -> MutexGuard<'_, BTreeSet<ShortCode>> {
        lock(&self.pulled)
    }

    /// An id as Daraja makes them, a new one each time.
    pub(super) fn fresh_id(&self) -> String {
        daraja_id(self.seed ^ 0x1d, self.made.fetch_add(1, Ordering::SeqCst))
    }
}

/// A request as it came.
struct Call {
    route: &'static Route,
    at: Timestamp,
    method: Method,
    uri: Uri,
    authorization: Option<String>,
    is_json: bool,
    body: Bytes,
}

impl Call {
    fn new(route: &'static Route, at: Timestamp, head: &request::Parts, body: Bytes) -> Self {
        let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        Self {
            route,
            at,
            method: head.method.clone(),
            uri: head.uri.clone(),
            authorization: text(header::AUTHORIZATION).map(str::to_owned),
            is_json: text(header::CONTENT_TYPE)
                .is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with(MIME)),
            body,
        }
    }
}

/// The one content type whose fields are seen (spec/daraja.md §1).
const MIME: &str = "application/json";

/// What came of a request: what is answered, and what it was about.
struct Done {
    reply: Reply,
    about: Option<String>,
}

impl Done {
    fn of(reply: Reply) -> Self {
        Self { reply, about: None }
    }

    fn about(reply: Reply, about: impl Into<String>) -> Self {
        Self { reply, about: Some(about.into()) }
    }
}

async fn serve(sim: Arc<Sim>, route: &'static Route, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = match reply::read(body, BODY_MAX).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let call = Call::new(route, sim.now(), &head, body);
    // Everything that moves money happens here, without a pause: a caller who hangs up afterwards
    // changes nothing.
    let reply = decide(&sim, &call);
    reply.send(&sim).await
}

/// Does what is asked for and what testers put in its way, and keeps the exchange.
fn decide(sim: &Arc<Sim>, call: &Call) -> Reply {
    let mut faults = sim.daraja.faults().draw(call.route.api, &call.body);
    let verdict = sim.verdict(|| call.traffic(sim));
    if let Some(verdict) = &verdict {
        faults.extend(verdict.faults.iter().cloned());
    }
    let Done { reply, about } = match faults::before(&faults) {
        Some(fault) => Done::of(in_place(sim, call, fault)),
        None => {
            let ruled = verdict.as_ref().map(|verdict| &verdict.behaviour);
            let done = perform(sim, call, Way { faults: &faults, ruled })
                .unwrap_or_else(|refused| Done { reply: refused.reply(sim), about: None });
            Done { reply: faults::after(sim, &faults, done.reply), about: done.about }
        }
    };
    let (at, body) = (call.at, call.body.as_ref());
    reply.keep(sim, reply::Request { at, path: call.route.path, body, about });
    reply
}

/// What comes instead of anything being done.
fn in_place(sim: &Sim, call: &Call, fault: Fault) -> Reply {
    if let Fault::TokenRefused(spelling) = fault {
        let token = call.bearer();
        sim.daraja.tokens().revoke(token);
        let usual = Spelling::of(call.route.api);
        let spelling = if spelling == Spelling::Usual { usual } else { spelling };
        return spelling.refusal(token).reply(sim);
    }
    faults::word(sim, fault)
}

impl Call {
    /// The request as the rules of a scenario see it.
    fn traffic(&self, sim: &Sim) -> Traffic {
        let app = &sim.settings().daraja.consumer_key;
        scenario::by_daraja(self.route.api, self.authorization.as_deref(), &self.body, app)
    }

    /// The token that came, whatever it is worth.
    fn bearer(&self) -> &str {
        let text = self.authorization.as_deref().unwrap_or_default();
        let split = text.split_once(' ').filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
        split.map(|(_, token)| token.trim()).unwrap_or_default()
    }
}

/// What is put in a request's way.
#[derive(Clone, Copy)]
struct Way<'a> {
    faults: &'a [Fault],
    /// What a rule of a scenario says of it.
    ruled: Ruled<'a>,
}

impl Way<'_> {
    /// Does what is told at once and never again: a rule may still refuse it, and say something
    /// else than what was done.
    fn go(
        self,
        sim: &Arc<Sim>,
        does: impl FnOnce() -> Result<Done, Refusal>,
    ) -> Result<Done, Refusal> {
        let Some(behaviour) = self.ruled else {
            return does();
        };
        let done = match &behaviour.act {
            Act::Refuse(code) => Done::of(order::refusal(sim, code, "request")),
            Act::Forget => Done::of(good(&Value::Null)),
            Act::Pay | Act::Fail(_) | Act::Cache { .. } => does()?,
        };
        Ok(Done { reply: order::dressed(sim, &behaviour.answer, done.reply), ..done })
    }
}

fn perform(sim: &Arc<Sim>, call: &Call, way: Way<'_>) -> Result<Done, Refusal> {
    let faults = way.faults;
    if call.route.api == Api::OAuth {
        return way.go(sim, || token::generate(sim, call, faults).map(Done::of));
    }
    if call.method != Method::POST {
        return Err(Refusal::new(405, "405.001", "Method Not Allowed"));
    }
    token::admit(sim, call)?;
    let form = if call.is_json { Form::read(&call.body)? } else { Form::default() };
    match call.route.api {
        Api::Stk => stk::push(sim, &form, way),
        Api::StkQuery => stk::query(sim, &form, way),
        Api::C2bRegister => way.go(sim, || urls::register(sim, &form, call.route.version, faults)),
        Api::C2bSimulate => way.go(sim, || urls::simulate(sim, &form)),
        Api::B2c | Api::B2b | Api::Tax | Api::Status | Api::Balance | Api::Reversal => {
            let order = demand::read(sim, call, &form)?;
            order::obey(sim, order, call, way)
        }
        Api::Qr => way.go(sim, || look::qr(sim, &form)),
        Api::PullRegister => way.go(sim, || look::pull_register(sim, &form)),
        Api::Pull => way.go(sim, || look::pull(sim, &form)),
        Api::OAuth | Api::C2b | Api::Sms => {
            Err(Refusal::new(404, "404.001.01", "Resource not found"))
        }
    }
}

/// An answer that is as it should be.
fn good(value: &Value) -> Reply {
    said(StatusCode::OK, value)
}

/// An answer.
fn said(status: StatusCode, value: &Value) -> Reply {
    Reply {
        answer: Answer::Now,
        status,
        content_type: JSON,
        message: value.to_string().into_bytes(),
        after_result: None,
    }
}
