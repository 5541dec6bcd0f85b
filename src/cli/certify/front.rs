//! What stands between a customer's system and the gateway, and loses, delays and spoils what they
//! say to each other, as each case wants it.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::certify::case::{Task, Trip};
use crate::cli::Failure;

/// The longest request and the longest answer that are passed on.
const REQUEST_MAX: usize = 1024 * 1024;
const ANSWER_MAX: usize = 16 * 1024 * 1024;
/// How many connections there may be.
const CONNECTIONS_MAX: usize = 512;
/// How long the gateway may take over a request, a request over its head, and a client over its
/// body.
const GATEWAY_TIMEOUT: Duration = Duration::from_secs(30);
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// How many lines and keys are kept of one case.
const KEPT_MAX: usize = 40;
/// Where payouts are submitted and looked at.
const PAYOUTS: &str = "/v1/payouts";

/// What came for one case.
#[derive(Clone, Debug, Default)]
pub(super) struct Came {
    /// The Idempotency-Keys that it was submitted with.
    pub(super) keys: Vec<String>,
    /// One line for each request.
    pub(super) lines: Vec<String>,
}

/// What is to become of what is said about one case, and what was said.
#[derive(Debug, Default)]
struct Lane {
    trips: VecDeque<Trip>,
    looks: VecDeque<Trip>,
    reference: String,
    came: Came,
}

/// What there is to know of every case.
#[derive(Debug, Default)]
struct Desk {
    /// By phone.
    lanes: BTreeMap<String, Lane>,
    /// The phone of each payout that the gateway has taken.
    payouts: BTreeMap<String, String>,
}

/// A front that listens. Dropping it stops it.
pub(super) struct Front {
    pub(super) addr: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    _stop: DropGuard,
}

/// What every connection needs.
struct Way {
    gateway: String,
    http: reqwest::Client,
    hold: Duration,
    desk: Arc<Mutex<Desk>>,
}

impl Front {
    /// Listens on `listen`, and passes on to `gateway`, such as `http://127.0.0.1:8080`; what is
    /// never answered is held for `hold`.
    pub(super) async fn start(
        listen: SocketAddr,
        gateway: &str,
        hold: Duration,
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::Failed(format!("{listen} cannot be listened on: {error}"));
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let addr = listener.local_addr().map_err(failed)?;
        let http = reqwest::Client::builder().no_proxy().redirect(Policy::none());
        let http = http.timeout(GATEWAY_TIMEOUT).build();
        let desk = Arc::<Mutex<Desk>>::default();
        let way = Arc::new(Way {
            gateway: gateway.trim_end_matches('/').to_owned(),
            http: http.map_err(Failure::failed)?,
            hold,
            desk: Arc::clone(&desk),
        });
        let stop = CancellationToken::new();
        tokio::spawn(stop.clone().run_until_cancelled_owned(accept(listener, way)));
        Ok(Self { addr, desk, _stop: stop.drop_guard() })
    }

    /// Lays down what is to become of what is said about each case.
    pub(super) fn plan(&self, tasks: &[Task]) {
        let lane = |task: &Task| {
            let lane = Lane {
                trips: task.case.trips.iter().copied().collect(),
                looks: task.case.looks.iter().copied().collect(),
                reference: task.reference.clone(),
                came: Came::default(),
            };
            (task.phone.reveal(), lane)
        };
        lock(&self.desk).lanes.extend(tasks.iter().map(lane));
    }

    /// What came for a case.
    pub(super) fn came(&self, task: &Task) -> Came {
        let desk = lock(&self.desk);
        desk.lanes.get(&task.phone.reveal()).map(|lane| lane.came.clone()).unwrap_or_default()
    }
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, way: Arc<Way>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _peer)) => {
                let way = Arc::clone(&way);
                tokio::spawn(async move {
                    serve(stream, way).await;
                    drop(place);
                });
            }
            // Such as no file handles left: that passes.
            Err(_error) => sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve(stream: TcpStream, way: Arc<Way>) {
    let service = service_fn(move |request| {
        let way = Arc::clone(&way);
        async move { way.answer(request).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that ends without an answer is what some cases want.
    connection.await.ok();
}

/// Ends a connection without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection ends here")]
struct HangUp;

type Answer = Response<Full<Bytes>>;

/// A request, read.
struct Asked {
    method: Method,
    path: String,
    headers: hyper::HeaderMap,
    body: Bytes,
}

impl Way {
    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, HangUp> {
        let (head, body) = request.into_parts();
        let body = timeout(BODY_TIMEOUT, Limited::new(body, REQUEST_MAX).collect()).await;
        let Ok(Ok(body)) = body else {
            return Ok(page(StatusCode::PAYLOAD_TOO_LARGE));
        };
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let body = body.to_bytes();
        let asked = Asked { method: head.method, path, headers: head.headers, body };
        let phone = self.phone(&asked);
        let trip = phone.as_deref().map_or(Trip::Good, |phone| self.draw(phone, &asked));
        // Before anything is waited for: a client that hangs up ends all of this.
        if let Some(phone) = &phone {
            self.note_key(phone, &asked);
        }
        let answer = self.travel(&asked, trip, phone.as_deref()).await;
        if let Some(phone) = phone {
            self.note(&phone, &asked, trip, answer.as_ref().ok());
        }
        answer
    }

    /// Whose case a request is about, if it is about one.
    fn phone(&self, asked: &Asked) -> Option<String> {
        let desk = lock(&self.desk);
        let is_submitted = asked.method == Method::POST && asked.path == PAYOUTS;
        if is_submitted {
            let body: Value = serde_json::from_slice(&asked.body).ok()?;
            let reference = body.get("reference").and_then(Value::as_str);
            let phone: Option<crate::domain::party::Msisdn> =
                body.get("phone").and_then(Value::as_str).and_then(|phone| phone.parse().ok());
            let phone = phone.map(|phone| phone.reveal());
            let mut lanes = desk.lanes.iter();
            let named = lanes.find(|(known, lane)| {
                phone.as_ref() == Some(*known) || reference == Some(lane.reference.as_str())
            });
            return named.map(|(phone, _)| phone.clone());
        }
        let id = asked.path.strip_prefix("/v1/payouts/")?.split(['/', '?']).next()?;
        desk.payouts.get(id).cloned()
    }

    fn draw(&self, phone: &str, asked: &Asked) -> Trip {
        let mut desk = lock(&self.desk);
        let Some(lane) = desk.lanes.get_mut(phone) else {
            return Trip::Good;
        };
        let trips = if asked.method == Method::POST { &mut lane.trips } else { &mut lane.looks };
        trips.pop_front().unwrap_or(Trip::Good)
    }

    async fn travel(
        &self,
        asked: &Asked,
        trip: Trip,
        phone: Option<&str>,
    ) -> Result<Answer, HangUp> {
        match trip {
            Trip::Lost => return Err(HangUp),
            Trip::Refused(status, code) => return Ok(problem(status, code)),
            Trip::Good
            | Trip::Late(_)
            | Trip::NoAnswer
            | Trip::Dropped
            | Trip::Cut
            | Trip::Page(_) => {}
        }
        let answer = self.pass_on(asked).await.unwrap_or_else(|| page(StatusCode::BAD_GATEWAY));
        let (head, body) = answer.into_parts();
        let body = body.collect().await.map_or_else(|never| match never {}, |all| all.to_bytes());
        self.learn(phone, &body);
        match trip {
            Trip::Good | Trip::Lost | Trip::Refused(..) => {}
            Trip::Late(late) => sleep(late).await,
            Trip::Dropped => return Err(HangUp),
            Trip::NoAnswer => {
                sleep(self.hold).await;
                return Err(HangUp);
            }
            Trip::Page(status) => {
                return Ok(page(StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY)));
            }
            Trip::Cut => {
                let half = body.len().checked_div(2).unwrap_or_default();
                return Ok(Response::from_parts(head, Full::new(body.slice(..half))));
            }
        }
        Ok(Response::from_parts(head, Full::new(body)))
    }

    /// Which payout a case's payment became.
    fn learn(&self, phone: Option<&str>, body: &Bytes) {
        let id = serde_json::from_slice::<Value>(body).ok();
        let id = id.as_ref().and_then(|body| body.get("id")).and_then(Value::as_str);
        if let (Some(phone), Some(id)) = (phone, id) {
            lock(&self.desk).payouts.insert(id.to_owned(), phone.to_owned());
        }
    }

    async fn pass_on(&self, asked: &Asked) -> Option<Answer> {
        let url = format!("{}{}", self.gateway, asked.path);
        let mut headers = asked.headers.clone();
        for name in [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let request = self.http.request(asked.method.clone(), url).headers(headers);
        let mut answer = request.body(asked.body.clone()).send().await.ok()?;
        let mut whole = Response::builder().status(answer.status());
        let ours = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING];
        for (name, value) in answer.headers().iter().filter(|(name, _)| !ours.contains(name)) {
            whole = whole.header(name, value);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.ok()? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_MAX {
                return None;
            }
        }
        whole.body(Full::new(Bytes::from(body))).ok()
    }

    /// Keeps the key that a payout was submitted with.
    fn note_key(&self, phone: &str, asked: &Asked) {
        let key = asked.headers.get("Idempotency-Key").and_then(|key| key.to_str().ok());
        let key = key.filter(|_| asked.method == Method::POST && asked.path == PAYOUTS);
        let mut desk = lock(&self.desk);
        let (Some(key), Some(lane)) = (key, desk.lanes.get_mut(phone)) else {
            return;
        };
        let keys = &mut lane.came.keys;
        if keys.len() < KEPT_MAX && !keys.iter().any(|known| known == key) {
            keys.push(key.to_owned());
        }
    }

    /// Keeps what came.
    fn note(&self, phone: &str, asked: &Asked, trip: Trip, answer: Option<&Answer>) {
        let mut desk = lock(&self.desk);
        let Some(lane) = desk.lanes.get_mut(phone) else {
            return;
        };
        let what = if asked.method == Method::POST { "submitted" } else { "looked at" };
        let status = answer
            .map_or_else(|| "no answer".to_owned(), |answer| answer.status().as_u16().to_string());
        if lane.came.lines.len() < KEPT_MAX {
            lane.came.lines.push(format!("{what} -> {status} ({trip:?})"));
        }
    }
}

/// A page, as a proxy shows one.
fn page(status: StatusCode) -> Answer {
    let text = format!("<html><body>{status}</body></html>");
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("text/html"));
    answer
}

/// A problem, as the gateway writes it (RFC 9457).
fn problem(status: u16, code: &str) -> Answer {
    let body = json!({
        "type": "about:blank",
        "title": "Not now",
        "status": status,
        "detail": "Nothing was done; try again.",
        "code": code,
    });
    let kind = hyper::header::HeaderValue::from_static("application/problem+json");
    let mut answer = Response::new(Full::new(Bytes::from(body.to_string())));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::TOO_MANY_REQUESTS);
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer.headers_mut().insert("Retry-After", hyper::header::HeaderValue::from_static("1"));
    answer
}
