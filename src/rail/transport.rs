//! One request, one connection, one answer; and the truth about what left.
//!
//! A payout may be sent again only if not one byte of it left. That is not guessed at from the
//! kind of an error: every byte that is handed to the connection is counted, below HTTP, and the
//! connection is dropped before the counter is read, so that nothing can follow. Zero means that
//! nothing left; anything else means that it may have.
//!
//! Where the connection is encrypted, what is counted is what TLS took of the request: above TLS,
//! so that its handshake, which says nothing of the request, is not mistaken for it.
//!
//! Each request has a connection of its own. A kept one may have been closed by the other side a
//! moment ago, and what is written into it then is neither sent nor unsent: the commonest way into
//! doubt, spared for the price of a handshake.

mod counted;
mod reach;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use self::counted::{Counted, Left};
pub use self::reach::{Source, look};
use super::link::Link;
use super::pace::Pace;
use crate::domain::payout::{WhyNoAnswer, WhyNothingSent};
use crate::engine::port::{LinkStage, Pending};
use crate::tls::{Client, Refused};

/// The longest answer that is read; the broker's are about one KiB.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// The most headers of an answer.
const ANSWER_HEADERS_MAX: usize = 64;
/// The port of HTTPS, which `Host` leaves out.
const HTTPS_PORT: u16 = 443;

/// How long each part of a send may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// For the connection.
    pub connect: Duration,
    /// For the pace and the writing of the request.
    pub send: Duration,
    /// For the answer, once the request may have left.
    pub answer: Duration,
}

impl Deadlines {
    /// The longest that a send can take.
    pub const fn sum(&self) -> Duration {
        self.connect.saturating_add(self.send).saturating_add(self.answer)
    }
}

/// Whom a connection is made to, and how.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its name or address; an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How it is encrypted. `None`: plain HTTP, for the simulator, for loopback, and for a network
    /// that encrypts itself.
    pub tls: Option<Client>,
    /// From where on this machine it leaves.
    pub source: Source,
    /// What is told how far each attempt came.
    pub link: Option<Arc<Link>>,
}

impl Origin {
    /// Plain HTTP to a host, from wherever the system chooses.
    pub fn plain(host: impl Into<String>, port: u16) -> Self {
        Self { host: host.into(), port, tls: None, source: Source::default(), link: None }
    }

    /// The same, encrypted.
    #[must_use]
    pub fn encrypted(self, tls: Client) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// As the `Host` header names it: an IPv6 address stands in brackets (RFC 9110 §7.2), and the
    /// port that everybody expects does not stand there.
    fn authority(&self) -> String {
        let Self { host, port, tls, .. } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        if tls.is_some() && *port == HTTPS_PORT { host } else { format!("{host}:{port}") }
    }

    fn tell(&self, tell: impl FnOnce(&Link)) {
        if let Some(link) = &self.link {
            tell(link);
        }
    }
}

/// A request. `Debug` shows no values of its headers, and not its body: both hold secrets.
#[derive(Clone)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: Method,
    /// The path, and the query if there is one.
    pub path: String,
    /// Headers besides `Host`, `Connection` and `Content-Length`, which are written here.
    pub headers: Vec<(HeaderName, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "Request({} {path}, {} bytes)", self.method, self.body.len())
    }
}

/// An answer as it came.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Retry-After`, where it is in seconds.
    pub retry_after: Option<Duration>,
    /// `Date`: what the other side's clock says.
    pub date: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer of a status and a body.
    pub const fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, retry_after: None, date: None, body }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// Not one byte left, for certain.
    NothingSent(WhyNothingSent),
    /// Bytes may have left.
    MayHaveBeenSent(WhyNoAnswer),
}

/// What takes a request to the broker and brings back its answer. In production that is a
/// connection ([`Tcp`]); the simulation of the whole gateway has its own, so that it needs no
/// sockets.
pub trait Wire: Send + Sync + fmt::Debug {
    /// Posts `body` once, at the rail's pace, and waits for the answer. The error says whether a
    /// byte may have left.
    fn post<'a>(&'a self, body: Vec<u8>, pace: &'a Pace)
    -> Pending<'a, Result<Answer, Unanswered>>;

    /// The longest that it can take.
    fn longest(&self) -> Duration;
}

/// What takes a request of any kind to one place and brings back its answer: [`Site`], or what a
/// simulation has in its place.
pub trait Web: Send + Sync + fmt::Debug {
    /// Sends `request` once, at this pace, and waits for the answer. The error says whether a byte
    /// may have left.
    fn send<'a>(
        &'a self,
        request: Request,
        pace: &'a Pace,
    ) -> Pending<'a, Result<Answer, Unanswered>>;

    /// The longest that it can take.
    fn longest(&self) -> Duration;
}

/// A place, and a connection of its own for each request.
#[derive(Clone, Debug)]
pub struct Site {
    /// Whom the connections are made to.
    pub origin: Origin,
    /// How long each part of a send may take.
    pub deadlines: Deadlines,
}

impl Web for Site {
    fn send<'a>(
        &'a self,
        request: Request,
        pace: &'a Pace,
    ) -> Pending<'a, Result<Answer, Unanswered>> {
        Box::pin(send(&self.origin, request, self.deadlines, pace))
    }

    fn longest(&self) -> Duration {
        self.deadlines.sum()
    }
}

/// A connection of its own for each message that is posted.
#[derive(Debug)]
pub struct Tcp {
    /// Where requests go.
    pub site: Site,
    /// The path there.
    pub path: String,
}

impl Wire for Tcp {
    fn post<'a>(
        &'a self,
        body: Vec<u8>,
        pace: &'a Pace,
    ) -> Pending<'a, Result<Answer, Unanswered>> {
        Box::pin(post(&self.site, &self.path, body, pace))
    }

    fn longest(&self) -> Duration {
        self.site.longest()
    }
}

/// Posts `body` once, as XML, and waits for the answer.
///
/// # Errors
/// [`Unanswered`], which says whether a byte may have left.
pub async fn post(
    site: &Site,
    path: &str,
    body: Vec<u8>,
    pace: &Pace,
) -> Result<Answer, Unanswered> {
    let headers = vec![
        (header::CONTENT_TYPE, "text/xml;charset=UTF-8".to_owned()),
        (HeaderName::from_static("soapaction"), "\"\"".to_owned()),
    ];
    let request = Request { method: Method::POST, path: path.to_owned(), headers, body };
    send(&site.origin, request, site.deadlines, pace).await
}

/// Sends `request` once and waits for the answer.
///
/// # Errors
/// [`Unanswered`], which says whether a byte may have left.
pub async fn send(
    origin: &Origin,
    request: Request,
    deadlines: Deadlines,
    pace: &Pace,
) -> Result<Answer, Unanswered> {
    let request = written(origin, request)
        .map_err(|_error| Unanswered::NothingSent(WhyNothingSent::NotReady))?;
    let left = Arc::new(Left::default());
    // Everything about the connection lives in this future: when it is over, so is the connection,
    // and the counter is final.
    let connecting = reach::connect(origin, deadlines.connect, &left);
    let counted = connecting.await.map_err(Unanswered::NothingSent)?;
    let outcome = exchange(counted, &left, request, deadlines, pace).await;
    match &outcome {
        Ok(_answer) => origin.tell(Link::answered),
        Err(Lost::TurnedAway(why)) => origin.tell(|link| link.failed(LinkStage::Tls, why)),
        Err(Lost::Unheard(why)) => origin.tell(|link| link.failed(LinkStage::Answer, why.says())),
    }
    outcome.map_err(|lost| match (lost, left.bytes()) {
        (_, 0) => Unanswered::NothingSent(WhyNothingSent::ClosedBeforeFirstByte),
        (Lost::TurnedAway(_), _) => Unanswered::NothingSent(WhyNothingSent::Connect),
        (Lost::Unheard(why), _) => Unanswered::MayHaveBeenSent(why),
    })
}

/// Connects, and agrees on encryption, and no more: nothing is sent. What came of it is told to the
/// origin's link.
pub async fn probe(origin: &Origin, limit: Duration) -> bool {
    reach::connect(origin, limit, &Arc::new(Left::default())).await.is_ok()
}

/// Why no answer came.
enum Lost {
    /// The other side turned our certificate away: it read nothing ([`Refused`]).
    TurnedAway(String),
    /// Anything else: what was sent may have been taken.
    Unheard(WhyNoAnswer),
}

impl Lost {
    fn by(error: &(dyn StdError + 'static), is_on_trial: bool) -> Self {
        if is_on_trial && Refused::is_about_our_certificate(error) {
            Self::TurnedAway(Refused::of(error).to_string())
        } else {
            Self::Unheard(WhyNoAnswer::Closed)
        }
    }
}

fn written(origin: &Origin, request: Request) -> Result<hyper::Request<Full<Bytes>>, http::Error> {
    let mut builder = hyper::Request::builder()
        .method(request.method)
        .uri(&request.path)
        .header(header::HOST, origin.authority());
    for (name, value) in request.headers {
        let mut value = HeaderValue::try_from(value)?;
        value.set_sensitive(true);
        builder = builder.header(name, value);
    }
    builder.header(header::CONNECTION, "close").body(Full::new(Bytes::from(request.body)))
}

/// `Retry-After` in seconds, which is how proxies write it; as a date it is left aside.
fn retry_after(headers: &http::HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn exchange(
    counted: Counted,
    left: &Left,
    request: hyper::Request<Full<Bytes>>,
    deadlines: Deadlines,
    pace: &Pace,
) -> Result<Answer, Lost> {
    let late = || Lost::Unheard(WhyNoAnswer::Timeout);
    let is_on_trial = counted.is_on_trial;
    let begun = Instant::now();
    let send_by = begun.checked_add(deadlines.send).unwrap_or(begun);
    // The last thing before the first byte, so that the pace is kept where M-Pesa measures it.
    timeout_at(send_by, pace.enter()).await.map_err(|_late| late())?;
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(ANSWER_HEADERS_MAX)
        .handshake(TokioIo::new(counted))
        .await
        .map_err(|_error| Lost::Unheard(WhyNoAnswer::Closed))?;
    let answered = async {
        let response = sender.send_request(request).await;
        let response = response.map_err(|error| Lost::by(&error, is_on_trial))?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let date = response.headers().get(header::DATE);
        let date = date.and_then(|date| date.to_str().ok()).map(ToOwned::to_owned);
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        // An answer has begun: whatever ends it now, the request was read.
        let body = body.collect().await.map_err(|error| {
            Lost::Unheard(if error.is::<http_body_util::LengthLimitError>() {
                WhyNoAnswer::TooLong
            } else {
                WhyNoAnswer::Closed
            })
        })?;
        Ok(Answer { status, retry_after, date, body: body.to_bytes().to_vec() })
    };
    let both = async {
        tokio::pin!(answered, connection);
        let mut connected = true;
        loop {
            tokio::select! {
                answer = &mut answered => return answer,
                // It ends with the answer's last byte, or before: then `answered` says so.
                _end = &mut connection, if connected => connected = false,
            }
        }
    };
    tokio::pin!(both);
    tokio::select! {
        biased;
        answer = &mut both => return answer,
        () = left.whole.notified() => {}
        () = sleep_until(send_by) => return Err(late()),
    }
    // The answer's own time begins when the request has left, not when it was allowed to.
    timeout(deadlines.answer, both).await.unwrap_or_else(|_late| Err(late()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    const FAR: Duration = Duration::from_secs(3_600);

    async fn silent(deadlines: Deadlines) -> (TcpListener, Site) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        (listener, Site { origin: Origin::plain("127.0.0.1", port), deadlines })
    }

    /// An hour for sending says nothing about how long the answer may take.
    #[tokio::test]
    async fn the_answers_time_begins_when_the_request_has_left() {
        let deadlines = Deadlines { connect: FAR, send: FAR, answer: Duration::from_millis(50) };
        let (listener, site) = silent(deadlines).await;
        let pace = Pace::new(1);
        let body = b"<the request/>".to_vec();
        let posting = post(&site, "/", body, &pace);
        let silence = async {
            let (mut stream, _peer) = listener.accept().await.expect("a connection");
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.expect("what was sent");
            all
        };
        let both = async { tokio::join!(posting, silence) };
        let (posted, received) = timeout(Duration::from_secs(60), both)
            .await
            .expect("the answer's time is over long before the sending's");
        assert_eq!(posted, Err(Unanswered::MayHaveBeenSent(WhyNoAnswer::Timeout)));
        assert!(received.ends_with(b"<the request/>"));
    }

    /// A peer that takes nothing uses up the time for sending, not the answer's.
    #[tokio::test]
    async fn a_request_that_cannot_leave_whole_ends_with_the_time_for_sending() {
        let deadlines = Deadlines { connect: FAR, send: Duration::from_millis(50), answer: FAR };
        let (listener, site) = silent(deadlines).await;
        let pace = Pace::new(1);
        // More than the system's buffers hold.
        let body = vec![b'x'; 64 * 1024 * 1024];
        // It connects, as the system takes the connection, and nobody reads.
        let posted = timeout(Duration::from_secs(60), post(&site, "/", body, &pace))
            .await
            .expect("the time for sending is over long before the answer's");
        assert_eq!(posted, Err(Unanswered::MayHaveBeenSent(WhyNoAnswer::Timeout)));
        drop(listener);
    }
}
