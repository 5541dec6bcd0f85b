//! Results on their way to a ResultURL, timeouts to a QueueTimeoutURL, callbacks and notices to
//! theirs.
//!
//! How a message travels is a [`Carrier`]'s business; [`super::wire`] is the one over TCP. Whether
//! and how often the real broker sends again what was not acknowledged is not established
//! (spec/soap.md §5.8); here it is a setting.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hyper::Uri;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Delivery;
use crate::clock::hands::{Doing, Mark};
use crate::clock::{Clock, Wait};

/// The most results that may wait or be under way, some 2 kB each. When they are so many, requests
/// are refused as the broker refuses them under overload: what is accepted gets its result.
pub const RESULTS_MAX: usize = 50_000;
/// The most results on the wire at once: enough to keep a receiver busy, few enough for the file
/// handles of one process.
pub const IN_FLIGHT_MAX: usize = 256;
/// How long a carrier may take in all. The one over TCP gives up sooner, by deadlines of its own.
const CARRY_TIMEOUT: Duration = Duration::from_secs(30);

/// What a message is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As the broker sends it: no charset (spec/soap.md §1.3).
    Xml,
    /// As Daraja sends it (spec/daraja.md §2.1).
    Json,
}

impl Form {
    /// Its `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Xml => "text/xml",
            Self::Json => "application/json;charset=UTF-8",
        }
    }
}

/// Where a result goes: what a ResultURL says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    form: Form,
    host: String,
    port: u16,
    /// As the Host header has it.
    authority: String,
    /// Path and query.
    path: String,
    /// Whether the connection is encrypted.
    https: bool,
}

impl Target {
    /// Reads a ResultURL.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        let uri: Uri = url.parse().map_err(|_error| "is not a URL")?;
        let https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err("must begin with http:// or https://"),
        };
        let authority = uri.authority().ok_or("has no host")?;
        if authority.as_str().contains('@') {
            return Err("must not hold a user name");
        }
        let host = authority.host();
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        Ok(Self {
            form: Form::Xml,
            https,
            host: bare.unwrap_or(host).to_owned(),
            port: authority.port_u16().unwrap_or(if https { 443 } else { 80 }),
            authority: authority.as_str().to_owned(),
            path: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        })
    }
}

impl Target {
    /// The same address, for messages in this form.
    #[must_use]
    pub const fn in_form(mut self, form: Form) -> Self {
        self.form = form;
        self
    }

    /// What the messages that go there are written in.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// The `Content-Type` of what is posted there.
    pub const fn content_type(&self) -> &'static str {
        self.form.content_type()
    }

    /// Whether the connection is encrypted.
    pub const fn is_https(&self) -> bool {
        self.https
    }

    /// Its host, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as the Host header has them.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Its path and query.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.path)
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
    /// Never tried again, whatever the setting: Daraja has no retries (spec/daraja.md §7).
    pub once: bool,
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

/// A try to deliver, and what it was about.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// To whom.
    pub to: &'a Target,
    /// What.
    pub body: &'a Bytes,
    /// Which payment it is about.
    pub about: &'a str,
    /// What came of it.
    pub attempt: &'a Attempt,
}

/// Called after each try, with what it was and what came of it.
pub type OnAttempt = dyn Fn(Told<'_>) + Send + Sync;

/// Something that will be there later.
pub type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Takes a message to its receiver: over a connection, or straight into a router in the same
/// process.
pub trait Carrier: Send + Sync {
    /// Posts `body`, once. What comes back is the receiver's status and body; or, where there was
    /// no answer, why.
    fn post(&self, to: &Target, body: Bytes) -> Pending<Result<(u16, Bytes), String>>;
}

/// Delivers results, so many at once.
pub struct Outbox {
    delivery: Delivery,
    places: Arc<Semaphore>,
    in_flight: Semaphore,
    waiting: AtomicUsize,
    carrier: Arc<dyn Carrier>,
    /// What delays go by.
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    on_attempt: Box<OnAttempt>,
}

/// What runs in the background, and how it is stopped.
#[derive(Clone, Debug)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    /// Where they run: not where the request came from, which may end before they do.
    runtime: Handle,
}

impl Tasks {
    /// None yet. They will run on the current runtime until `stop` is cancelled.
    pub fn new(tracker: TaskTracker, stop: CancellationToken) -> Self {
        Self { tracker, stop, runtime: Handle::current() }
    }

    /// Runs `task` until it ends or all are stopped.
    pub fn run(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        let until_stopped = async move {
            tokio::select! {
                // In this order, and not in one that chance picks.
                biased;
                () = stop.cancelled() => {}
                () = task => {}
            }
        };
        self.tracker.spawn_on(until_stopped, &self.runtime);
    }
}

/// One that counts as waiting, until it is dropped.
struct Waiting(Arc<Outbox>, #[expect(dead_code, reason = "held for its drop")] Mark);

impl Waiting {
    /// Counted before its task first runs, so that nobody sees an empty outbox too early.
    fn new(outbox: &Arc<Outbox>) -> Self {
        outbox.waiting.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(outbox), outbox.clock.mark(Doing::Work))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("waiting", &self.waiting()).finish_non_exhaustive()
    }
}

impl Outbox {
    /// An empty outbox whose work is done under `tasks`.
    pub fn new(
        delivery: Delivery,
        carrier: Arc<dyn Carrier>,
        (clock, tasks): (Arc<dyn Clock>, Tasks),
        on_attempt: Box<OnAttempt>,
    ) -> Self {
        Self {
            clock,
            delivery,
            places: Arc::new(Semaphore::new(RESULTS_MAX)),
            in_flight: Semaphore::new(IN_FLIGHT_MAX),
            waiting: AtomicUsize::new(0),
            carrier,
            tasks,
            on_attempt,
        }
    }

    /// A place for one more result, if there is one.
    pub fn place(&self) -> Option<Place> {
        Arc::clone(&self.places).try_acquire_owned().ok().map(Place)
    }

    /// How many results wait or are under way.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Delivers `parcel` after its delay, in the background. What is returned resolves when the
    /// first try is over, whatever came of it; nobody has to wait for it.
    pub fn send(self: &Arc<Self>, parcel: Parcel) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        let waiting = Waiting::new(self);
        // On the agenda at once: nobody is to move the clock past it.
        let delay = self.clock.sleep(parcel.delay, "a message on its way");
        self.tasks.run(async move {
            waiting.0.deliver(&parcel, delay, tell).await;
            // Its place first, so that whoever sees an empty outbox finds room in it.
            drop(parcel);
            drop(waiting);
        });
        told
    }

    /// Does `then` after `wait`, in the background, unless the simulator stops before. It counts
    /// among what waits.
    pub fn later(self: &Arc<Self>, wait: Duration, then: impl FnOnce() + Send + 'static) {
        let waiting = Waiting::new(self);
        let wait = self.clock.sleep(wait, "what the broker holds, or a customer with a prompt");
        self.tasks.run(async move {
            wait.await;
            then();
            drop(waiting);
        });
    }

    /// [`Self::later`], of what may well never be needed: it does not count.
    pub fn idle(&self, wait: Duration, then: impl FnOnce() + Send + 'static) {
        let work = self.clock.mark(Doing::Work);
        let wait = self.clock.sleep(wait, "the end of a prompt that a person is to answer");
        self.tasks.run(async move {
            wait.await;
            then();
            drop(work);
        });
    }

    /// Runs `task` in the background, unless the simulator stops before. It counts among what
    /// waits.
    pub fn run(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let waiting = Waiting::new(self);
        self.tasks.run(async move {
            task.await;
            drop(waiting);
        });
    }

    /// Asks `to` something, once, and waits for the answer no longer than `limit`.
    pub async fn call(&self, to: &Target, body: Bytes, about: &str, limit: Duration) -> Attempt {
        let Ok(_permit) = self.in_flight.acquire().await else {
            return Attempt { status: None, answer: b"the simulator stops".to_vec() };
        };
        let attempt = match timeout(limit, self.carrier.post(to, body.clone())).await {
            Ok(Ok((status, answer))) => Attempt { status: Some(status), answer: answer.to_vec() },
            Ok(Err(fault)) => Attempt { status: None, answer: fault.into_bytes() },
            Err(_elapsed) => Attempt { status: None, answer: b"no answer in time".to_vec() },
        };
        (self.on_attempt)(Told { to, body: &body, about, attempt: &attempt });
        attempt
    }

    async fn deliver(&self, parcel: &Parcel, delay: Wait, tell: oneshot::Sender<()>) {
        delay.await;
        let mut tell = Some(tell);
        let mut taken = false;
        for letter in &parcel.letters {
            if letter.only_if_taken && !taken {
                return;
            }
            self.clock.sleep(letter.wait, "a further message").await;
            taken = self.deliver_letter(parcel, letter, &mut tell).await;
        }
    }

    async fn deliver_letter(
        &self,
        parcel: &Parcel,
        letter: &Letter,
        tell: &mut Option<oneshot::Sender<()>>,
    ) -> bool {
        let tries = if parcel.once { 1 } else { self.delivery.tries.max(1) };
        for number in 0..tries {
            if number > 0 {
                self.clock.sleep(self.delivery.retry_pause, "a further try").await;
            }
            let taken = self.attempt(parcel, letter).await;
            if let Some(tell) = tell.take() {
                // An error says that nobody waits for it.
                tell.send(()).ok();
                // Whoever waited for it begins before this one ends.
                tokio::task::yield_now().await;
            }
            if taken {
                return true;
            }
        }
        tracing::warn!(
            originator_conversation_id = super::without_token(&parcel.originator_conversation_id),
            to = %parcel.to.authority,
            "message given up: not acknowledged"
        );
        false
    }

    async fn attempt(&self, parcel: &Parcel, letter: &Letter) -> bool {
        let about = parcel.originator_conversation_id.as_str();
        self.call(&parcel.to, letter.body.clone(), about, CARRY_TIMEOUT).await.is_taken()
    }
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
            ("https://gw.example.org/cb", "gw.example.org", 443),
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
            "http://user:secret@gw.example.org/cb",
            "ftp://gw.example.org/cb",
            "http://gw example/cb",
        ];
        for url in bad {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }
}
