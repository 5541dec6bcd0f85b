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

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::pace::Pace;
use super::tls::Tls;
use crate::domain::payout::{WhyNoAnswer, WhyNothingSent};
use crate::engine::port::Pending;

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

/// Where posted XML goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name or address; an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The path.
    pub path: String,
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
    pub tls: Option<Tls>,
}

impl Origin {
    /// As the `Host` header names it: an IPv6 address stands in brackets (RFC 9110 §7.2), and the
    /// port that everybody expects does not stand there.
    fn authority(&self) -> String {
        let Self { host, port, tls } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        if tls.is_some() && *port == HTTPS_PORT { host } else { format!("{host}:{port}") }
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
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// An answer of a status and a body.
    pub const fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, retry_after: None, body }
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
    pub endpoint: Endpoint,
    /// How long each part of a send may take.
    pub deadlines: Deadlines,
}

impl Wire for Tcp {
    fn post<'a>(
        &'a self,
        body: Vec<u8>,
        pace: &'a Pace,
    ) -> Pending<'a, Result<Answer, Unanswered>> {
        Box::pin(post(&self.endpoint, body, self.deadlines, pace))
    }

    fn longest(&self) -> Duration {
        self.deadlines.sum()
    }
}

/// Posts `body` once, as XML, and waits for the answer.
///
/// # Errors
/// [`Unanswered`], which says whether a byte may have left.
pub async fn post(
    endpoint: &Endpoint,
    body: Vec<u8>,
    deadlines: Deadlines,
    pace: &Pace,
) -> Result<Answer, Unanswered> {
    let Endpoint { host, port, path } = endpoint;
    let origin = Origin { host: host.clone(), port: *port, tls: None };
    let headers = vec![
        (header::CONTENT_TYPE, "text/xml;charset=UTF-8".to_owned()),
        (HeaderName::from_static("soapaction"), "\"\"".to_owned()),
    ];
    let request = Request { method: Method::POST, path: path.clone(), headers, body };
    send(&origin, request, deadlines, pace).await
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
    let connecting = connect(origin, deadlines.connect, &left);
    let counted = connecting.await.map_err(Unanswered::NothingSent)?;
    let outcome = exchange(counted, &left, request, deadlines, pace).await;
    outcome.map_err(|why| match left.bytes() {
        0 => Unanswered::NothingSent(WhyNothingSent::ClosedBeforeFirstByte),
        _ => Unanswered::MayHaveBeenSent(why),
    })
}

async fn connect(
    origin: &Origin,
    limit: Duration,
    left: &Arc<Left>,
) -> Result<Counted, WhyNothingSent> {
    let connecting = async {
        let stream = reach(&origin.host, origin.port).await?;
        // Without it a small request can wait for the other side's delayed acknowledgement.
        stream.set_nodelay(true).map_err(|_error| WhyNothingSent::Connect)?;
        let Some(tls) = &origin.tls else {
            let plain: Box<dyn Stream> = Box::new(stream);
            return Ok((plain, Fails::BeforeTaking));
        };
        // The request is not even begun: whatever the handshake comes to, nothing of it left.
        let encrypted = tls.shake_hands(stream).await.map_err(|error| {
            tracing::warn!(host = origin.host, %error, "no encrypted connection");
            WhyNothingSent::Connect
        })?;
        let encrypted: Box<dyn Stream> = Box::new(encrypted);
        Ok((encrypted, Fails::Whenever))
    };
    let (stream, fails) =
        timeout(limit, connecting).await.map_err(|_late| WhyNothingSent::ConnectTimeout)??;
    Ok(Counted { stream, fails, left: Arc::clone(left) })
}

async fn reach(host: &str, port: u16) -> Result<TcpStream, WhyNothingSent> {
    let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port))
        .await
        .map_err(|_error| WhyNothingSent::Resolve)?
        .collect();
    for address in found {
        if let Ok(stream) = TcpStream::connect(address).await {
            return Ok(stream);
        }
    }
    Err(WhyNothingSent::Connect)
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
) -> Result<Answer, WhyNoAnswer> {
    let begun = Instant::now();
    let send_by = begun.checked_add(deadlines.send).unwrap_or(begun);
    // The last thing before the first byte, so that the pace is kept where M-Pesa measures it.
    timeout_at(send_by, pace.enter()).await.map_err(|_late| WhyNoAnswer::Timeout)?;
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(ANSWER_HEADERS_MAX)
        .handshake(TokioIo::new(counted))
        .await
        .map_err(|_error| WhyNoAnswer::Closed)?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(|_error| WhyNoAnswer::Closed)?;
        let status = response.status().as_u16();
        let retry_after = retry_after(response.headers());
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                WhyNoAnswer::TooLong
            } else {
                WhyNoAnswer::Closed
            }
        })?;
        Ok(Answer { status, retry_after, body: body.to_bytes().to_vec() })
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
        () = sleep_until(send_by) => return Err(WhyNoAnswer::Timeout),
    }
    // The answer's own time begins when the request has left, not when it was allowed to.
    timeout(deadlines.answer, both).await.unwrap_or(Err(WhyNoAnswer::Timeout))
}

/// What has left on a connection.
#[derive(Debug, Default)]
struct Left {
    bytes: AtomicU64,
    /// Told once everything that was to be written has been.
    whole: Notify,
}

impl Left {
    fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::SeqCst)
    }
}

/// A connection of either kind.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// When a connection says that writing failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fails {
    /// Only if it took nothing of what was to be written, as a plain socket does.
    BeforeTaking,
    /// Also if it took some, as TLS does: it encrypts, and writes what it has encrypted, in the
    /// same breath.
    Whenever,
}

/// A connection that counts what is handed to it.
struct Counted {
    stream: Box<dyn Stream>,
    fails: Fails,
    left: Arc<Left>,
}

impl Counted {
    /// Counts what the connection took, of so many bytes; what it refused has not left.
    fn count(&self, taken: &Poll<io::Result<usize>>, offered: usize) {
        let bytes = match taken {
            Poll::Ready(Ok(bytes)) => *bytes,
            Poll::Ready(Err(_)) if self.fails == Fails::Whenever => offered,
            Poll::Ready(Err(_)) | Poll::Pending => 0,
        };
        self.left.bytes.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::SeqCst);
    }
}

impl AsyncRead for Counted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.count(&taken, bytes.len());
        taken
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.count(&taken, slices.iter().map(|slice| slice.len()).sum());
        taken
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        // HTTP asks for it once all that it holds is written.
        if matches!(flushed, Poll::Ready(Ok(()))) && self.left.bytes() > 0 {
            self.left.whole.notify_one();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::TcpListener;

    const FAR: Duration = Duration::from_secs(3_600);

    async fn silent() -> (TcpListener, Endpoint) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = Endpoint {
            host: "127.0.0.1".to_owned(),
            port: listener.local_addr().expect("an address").port(),
            path: "/".to_owned(),
        };
        (listener, endpoint)
    }

    /// An hour for sending says nothing about how long the answer may take.
    #[tokio::test]
    async fn the_answers_time_begins_when_the_request_has_left() {
        let (listener, endpoint) = silent().await;
        let deadlines = Deadlines { connect: FAR, send: FAR, answer: Duration::from_millis(50) };
        let pace = Pace::new(1);
        let body = b"<the request/>".to_vec();
        let posting = post(&endpoint, body, deadlines, &pace);
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

    /// Takes some of what is written, and fails all the same, as TLS may.
    struct Failing;

    impl AsyncRead for Failing {
        fn poll_read(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            _buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Failing {
        fn poll_write(
            self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
            _bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn what_fails_inside_tls_may_have_left_and_what_a_socket_refuses_has_not() {
        use tokio::io::AsyncWriteExt as _;
        for (fails, bytes) in [(Fails::Whenever, 12), (Fails::BeforeTaking, 0)] {
            let left = Arc::new(Left::default());
            let mut counted = Counted { stream: Box::new(Failing), fails, left: Arc::clone(&left) };
            assert!(
                counted.write_all(b"<the request>".get(..12).unwrap_or_default()).await.is_err()
            );
            assert_eq!(left.bytes(), bytes, "{fails:?}");
        }
    }

    /// A peer that takes nothing uses up the time for sending, not the answer's.
    #[tokio::test]
    async fn a_request_that_cannot_leave_whole_ends_with_the_time_for_sending() {
        let (listener, endpoint) = silent().await;
        let deadlines = Deadlines { connect: FAR, send: Duration::from_millis(50), answer: FAR };
        let pace = Pace::new(1);
        // More than the system's buffers hold.
        let body = vec![b'x'; 64 * 1024 * 1024];
        // It connects, as the system takes the connection, and nobody reads.
        let posted = timeout(Duration::from_secs(60), post(&endpoint, body, deadlines, &pace))
            .await
            .expect("the time for sending is over long before the answer's");
        assert_eq!(posted, Err(Unanswered::MayHaveBeenSent(WhyNoAnswer::Timeout)));
        drop(listener);
    }
}
