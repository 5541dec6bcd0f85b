//! One request, one connection, one answer; and the truth about what left.
//!
//! A payout may be sent again only if not one byte of it left. That is not guessed at from the
//! kind of an error: every byte that is handed to the connection is counted, below HTTP, and the
//! connection is dropped before the counter is read, so that nothing can follow. Zero means that
//! nothing left; anything else means that it may have.
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
use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use super::pace::Pace;
use crate::domain::payout::{WhyNoAnswer, WhyNothingSent};
use crate::engine::port::Pending;

/// The longest answer that is read; the broker's are about one KiB.
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// The most headers of an answer.
const ANSWER_HEADERS_MAX: usize = 64;

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

/// Where requests go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name or address; an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The path.
    pub path: String,
}

impl Endpoint {
    /// As the `Host` header names it: an IPv6 address stands in brackets (RFC 9110 §7.2).
    fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

/// An answer as it came.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
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

/// A connection of its own for each request.
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

/// Posts `body` once and waits for the answer.
///
/// # Errors
/// [`Unanswered`], which says whether a byte may have left.
pub async fn post(
    endpoint: &Endpoint,
    body: Vec<u8>,
    deadlines: Deadlines,
    pace: &Pace,
) -> Result<Answer, Unanswered> {
    let stream = connect(endpoint, deadlines.connect).await.map_err(Unanswered::NothingSent)?;
    let left = Arc::new(Left::default());
    let counted = Counted { stream, left: Arc::clone(&left) };
    let request = request(endpoint, body)
        .map_err(|_error| Unanswered::NothingSent(WhyNothingSent::NotReady))?;
    // Everything about the connection lives in this future: when it is over, so is the connection,
    // and the counter is final.
    let outcome = exchange(counted, &left, request, deadlines, pace).await;
    outcome.map_err(|why| match left.bytes() {
        0 => Unanswered::NothingSent(WhyNothingSent::ClosedBeforeFirstByte),
        _ => Unanswered::MayHaveBeenSent(why),
    })
}

async fn connect(endpoint: &Endpoint, limit: Duration) -> Result<TcpStream, WhyNothingSent> {
    let connecting = async {
        let found: Vec<SocketAddr> =
            tokio::net::lookup_host((endpoint.host.as_str(), endpoint.port))
                .await
                .map_err(|_error| WhyNothingSent::Resolve)?
                .collect();
        for address in found {
            if let Ok(stream) = TcpStream::connect(address).await {
                return Ok(stream);
            }
        }
        Err(WhyNothingSent::Connect)
    };
    let stream =
        timeout(limit, connecting).await.map_err(|_late| WhyNothingSent::ConnectTimeout)??;
    // Without it a small request can wait for the other side's delayed acknowledgement.
    stream.set_nodelay(true).map_err(|_error| WhyNothingSent::Connect)?;
    Ok(stream)
}

fn request(endpoint: &Endpoint, body: Vec<u8>) -> Result<Request<Full<Bytes>>, http::Error> {
    Request::post(&endpoint.path)
        .header(http::header::HOST, endpoint.authority())
        .header(http::header::CONTENT_TYPE, "text/xml;charset=UTF-8")
        .header("SOAPAction", "\"\"")
        .header(http::header::CONNECTION, "close")
        .body(Full::new(Bytes::from(body)))
}

async fn exchange(
    counted: Counted,
    left: &Left,
    request: Request<Full<Bytes>>,
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
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await.map_err(|error| {
            if error.is::<http_body_util::LengthLimitError>() {
                WhyNoAnswer::TooLong
            } else {
                WhyNoAnswer::Closed
            }
        })?;
        Ok(Answer { status, body: body.to_bytes().to_vec() })
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

/// A connection that counts what is handed to it.
struct Counted {
    stream: TcpStream,
    left: Arc<Left>,
}

impl Counted {
    /// Counts what the operating system took; what it refused has not left.
    fn count(&self, taken: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = taken {
            self.left.bytes.fetch_add(u64::try_from(*bytes).unwrap_or(u64::MAX), Ordering::SeqCst);
        }
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
        self.count(&taken);
        taken
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let taken = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.count(&taken);
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
