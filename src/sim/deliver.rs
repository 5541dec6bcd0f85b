//! Results on their way to a ResultURL.
//!
//! A result goes out as the broker sends it: `text/xml` with no charset, no `SOAPAction`, one
//! connection each (spec/soap.md §1.3). Whether and how often the real broker sends again what was
//! not acknowledged is not established (spec/soap.md §5.8); here it is a setting.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Delivery;

/// The most results that may wait or be under way, some 2 kB each. When they are so many, requests
/// are refused as the broker refuses them under overload: what is accepted gets its result.
pub const RESULTS_MAX: usize = 50_000;
/// The most results on the wire at once: enough to keep a receiver busy, few enough for the file
/// handles of one process.
pub const IN_FLIGHT_MAX: usize = 256;
/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one delivery may take, from its first byte to the end of its acknowledgement.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest acknowledgement: the right one has 600 bytes (spec/soap.md §5.5).
const ANSWER_MAX: usize = 64 * 1024;
/// Open connections kept for one receiver.
const IDLE_MAX: usize = 256;
/// Receivers that connections are kept open for; beyond, each result has its own.
const RECEIVERS_MAX: usize = 64;

/// Where a result goes: what a ResultURL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    host: String,
    port: u16,
    /// As the Host header has it.
    authority: String,
    /// Path and query.
    path: String,
}

impl Target {
    /// Reads a ResultURL. This version delivers over plain HTTP only.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let uri: Uri = url.parse().map_err(|_error| "is not a URL")?;
        if uri.scheme_str() != Some("http") {
            return Err("must begin with http://: the simulator delivers over plain HTTP only");
        }
        let authority = uri.authority().ok_or("has no host")?;
        if authority.as_str().contains('@') {
            return Err("must not hold a user name");
        }
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        Ok(Self {
            host: bare.unwrap_or(host).to_owned(),
            port: authority.port_u16().unwrap_or(80),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.path)
    }
}

/// A place among the results that wait: taken before a request is accepted, given back when its
/// result is delivered or given up.
#[derive(Debug)]
pub struct Place(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

/// A result to be delivered.
#[derive(Debug)]
pub struct Parcel {
    /// To whom.
    pub to: Target,
    /// The messages, one after the other.
    pub letters: Vec<Letter>,
    /// Which payment it is about.
    pub originator_conversation_id: String,
    /// How long it waits first.
    pub delay: Duration,
    /// Its place.
    pub place: Place,
}

/// One message of a parcel.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The message.
    pub body: Bytes,
    /// How long it waits after the one before it is done with.
    pub wait: Duration,
    /// Whether it is sent only if the one before it was acknowledged.
    pub only_if_taken: bool,
}

/// One try to deliver.
#[derive(Debug)]
pub struct Attempt {
    /// The HTTP status; `None` when no answer came.
    pub status: Option<u16>,
    /// What was answered; or, where nothing was, why.
    pub answer: Vec<u8>,
}

impl Attempt {
    /// Whether the receiver took it. Which parts of an acknowledgement the broker looks at is not
    /// established (spec/soap.md §12, 8); here it is the status: 200, or the 202 of §1.3.
    pub const fn is_taken(&self) -> bool {
        matches!(self.status, Some(200..=299))
    }
}

/// Called after each try, with what it was and what came of it.
pub type OnAttempt = dyn Fn(&Parcel, &Letter, &Attempt) + Send + Sync;

/// Delivers results, so many at once, over connections that it may keep.
pub struct Outbox {
    delivery: Delivery,
    places: Arc<Semaphore>,
    in_flight: Semaphore,
    idle: Mutex<HashMap<String, Vec<Sender>>>,
    waiting: AtomicUsize,
    tasks: TaskTracker,
    stop: CancellationToken,
    on_attempt: Box<OnAttempt>,
}

type Sender = http1::SendRequest<Full<Bytes>>;

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

impl Outbox {
    /// An empty outbox. Its tasks run under `tasks` and end when `stop` is cancelled.
    pub fn new(
        delivery: Delivery,
        tasks: TaskTracker,
        stop: CancellationToken,
        on_attempt: Box<OnAttempt>,
    ) -> Self {
        Self {
            delivery,
            places: Arc::new(Semaphore::new(RESULTS_MAX)),
            in_flight: Semaphore::new(IN_FLIGHT_MAX),
            idle: Mutex::default(),
            waiting: AtomicUsize::new(0),
            tasks,
            stop,
            on_attempt,
        }
    }

    /// A place for one more result, if there is one.
    pub fn place(&self) -> Option<Place> {
        Arc::clone(&self.places).try_acquire_owned().ok().map(Place)
    }

    /// How many results wait or are under way.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Delivers `parcel` after its delay, in the background. What is returned resolves when the
    /// first try is over, whatever came of it; nobody has to wait for it.
    pub fn send(self: &Arc<Self>, parcel: Parcel) -> oneshot::Receiver<()> {
        let outbox = Arc::clone(self);
        let (tell, told) = oneshot::channel();
        // Counted before the task first runs, so that nobody sees an empty outbox too early.
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.tasks.spawn(async move {
            tokio::select! {
                () = outbox.stop.cancelled() => {}
                () = outbox.deliver(&parcel, tell) => {}
            }
            drop(parcel);
            outbox.waiting.fetch_sub(1, Ordering::Relaxed);
        });
        told
    }

    /// Does `then` after `wait`, in the background, unless the simulator stops before. It counts
    /// among what waits.
    pub fn later(self: &Arc<Self>, wait: Duration, then: impl FnOnce() + Send + 'static) {
        let outbox = Arc::clone(self);
        self.waiting.fetch_add(1, Ordering::Relaxed);
        self.tasks.spawn(async move {
            tokio::select! {
                () = outbox.stop.cancelled() => {}
                () = sleep(wait) => then(),
            }
            outbox.waiting.fetch_sub(1, Ordering::Relaxed);
        });
    }

    async fn deliver(&self, parcel: &Parcel, tell: oneshot::Sender<()>) {
        sleep(parcel.delay).await;
        let mut tell = Some(tell);
        let mut taken = false;
        for letter in &parcel.letters {
            if letter.only_if_taken && !taken {
                return;
            }
            sleep(letter.wait).await;
            taken = self.deliver_letter(parcel, letter, &mut tell).await;
        }
    }

    async fn deliver_letter(
        &self,
        parcel: &Parcel,
        letter: &Letter,
        tell: &mut Option<oneshot::Sender<()>>,
    ) -> bool {
        for number in 0..self.delivery.tries.max(1) {
            if number > 0 {
                sleep(self.delivery.retry_pause).await;
            }
            let taken = self.attempt(parcel, letter).await;
            if let Some(tell) = tell.take() {
                // An error says that nobody waits for it.
                tell.send(()).ok();
            }
            if taken {
                return true;
            }
        }
        tracing::warn!(
            originator_conversation_id = parcel.originator_conversation_id,
            to = %parcel.to.authority,
            "message given up: not acknowledged"
        );
        false
    }

    async fn attempt(&self, parcel: &Parcel, letter: &Letter) -> bool {
        let Ok(_permit) = self.in_flight.acquire().await else {
            return false;
        };
        let attempt = match self.post(&parcel.to, &letter.body).await {
            Ok((status, answer)) => Attempt { status: Some(status), answer: answer.to_vec() },
            Err(fault) => Attempt { status: None, answer: fault.to_string().into_bytes() },
        };
        (self.on_attempt)(parcel, letter, &attempt);
        attempt.is_taken()
    }

    /// Posts over a kept connection where there is one; over a new one where there is none, or
    /// where the kept one turns out to be dead.
    async fn post(&self, to: &Target, body: &Bytes) -> Result<(u16, Bytes), Fault> {
        if self.delivery.keep_alive
            && let Some(sender) = self.take_idle(to)
            && let Ok(answer) = self.post_over(sender, to, body).await
        {
            return Ok(answer);
        }
        let sender = self.connect(to).await?;
        self.post_over(sender, to, body).await
    }

    async fn connect(&self, to: &Target) -> Result<Sender, Fault> {
        let connecting = TcpStream::connect((to.host.as_str(), to.port));
        let stream = timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_elapsed| Fault::ConnectTimeout)?
            .map_err(Fault::Connect)?;
        stream.set_nodelay(true).map_err(Fault::Connect)?;
        let (sender, connection) =
            http1::Builder::new().title_case_headers(true).handshake(TokioIo::new(stream)).await?;
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                // What went wrong with it, the exchange itself reports.
                _ended = connection => {}
            }
        });
        Ok(sender)
    }

    async fn post_over(
        &self,
        mut sender: Sender,
        to: &Target,
        body: &Bytes,
    ) -> Result<(u16, Bytes), Fault> {
        let mut request = Request::post(&to.path)
            .header(header::HOST, &to.authority)
            .header(header::CONTENT_TYPE, "text/xml");
        if !self.delivery.keep_alive {
            request = request.header(header::CONNECTION, "close");
        }
        let request = request.body(Full::new(body.clone())).map_err(Fault::Request)?;
        let exchange = async {
            sender.ready().await?;
            let answer = sender.send_request(request).await?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), ANSWER_MAX)
                .collect()
                .await
                .map_err(Fault::Body)?;
            Ok::<_, Fault>((status, body.to_bytes()))
        };
        let answer =
            timeout(ANSWER_TIMEOUT, exchange).await.map_err(|_elapsed| Fault::AnswerTimeout)??;
        if self.delivery.keep_alive {
            self.keep(to, sender);
        }
        Ok(answer)
    }

    fn take_idle(&self, to: &Target) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let senders = idle.get_mut(&to.authority)?;
        while let Some(sender) = senders.pop() {
            if !sender.is_closed() {
                return Some(sender);
            }
        }
        None
    }

    fn keep(&self, to: &Target, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !idle.contains_key(&to.authority) && idle.len() >= RECEIVERS_MAX {
            return;
        }
        let senders = idle.entry(to.authority.clone()).or_default();
        if senders.len() < IDLE_MAX {
            senders.push(sender);
        }
    }
}

/// Why a delivery got no answer.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("no connection: {0}")]
    Connect(std::io::Error),
    #[error("no connection in time")]
    ConnectTimeout,
    #[error("no acknowledgement in time")]
    AnswerTimeout,
    #[error("the connection failed: {0}")]
    Connection(#[from] hyper::Error),
    #[error("the request could not be built: {0}")]
    Request(http::Error),
    #[error("the acknowledgement could not be read: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_url_is_read_or_refused() {
        let good = [
            ("http://127.0.0.1:8081/cb/5f0c/b2c/result", "127.0.0.1", 8081),
            ("http://gw.example.org/cb?x=1", "gw.example.org", 80),
            ("http://[::1]:8081/cb", "::1", 8081),
        ];
        for (url, host, port) in good {
            let target = Target::parse(url).expect(url);
            assert_eq!((target.host.as_str(), target.port), (host, port));
            assert_eq!(target.to_string(), url);
        }
        let bad = [
            "",
            "gw.example.org",
            "/cb/result",
            "https://gw.example.org/cb",
            "http://user:secret@gw.example.org/cb",
            "ftp://gw.example.org/cb",
            "http://gw example/cb",
        ];
        for url in bad {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }
}
