//! A load generator: requests over kept-open connections, as cheap as they can be.
//!
//! It shares the machine with what it measures, so it parses of an answer only the status and the
//! length. With a rate it keeps to a schedule whether the server keeps up or not, and a latency
//! counts from the moment the request was due, so that a server that stalls cannot hide it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::histogram::Histogram;

/// The most connections of one run: more than any server here takes.
pub const CONNECTIONS_MAX: usize = 4_096;
/// How long one request may take before it counts as an error.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The most an answer may hold: what the servers here answer is far smaller.
const ANSWER_MAX: usize = 1024 * 1024;
/// Where reading begins: most answers fit.
const BUFFER_START: usize = 4 * 1024;
/// After so many failures to connect in a row a connection gives up, so that a run against a
/// dead server ends.
const CONNECT_FAILURES_MAX: u32 = 20;
const CONNECT_PAUSE: Duration = Duration::from_millis(50);

/// When a run ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// After so many requests.
    Requests(u64),
    /// After so long.
    Elapsed(Duration),
}

/// What to send.
pub struct LoadPlan<F> {
    /// To whom.
    pub addr: SocketAddr,
    /// Over how many connections; between 1 and [`CONNECTIONS_MAX`].
    pub connections: usize,
    /// When to end.
    pub until: Until,
    /// So many a second; `None`: each connection sends as soon as it has its answer.
    pub rate: Option<u64>,
    /// Makes the whole HTTP/1.1 request of a number, counted from 0; each is asked for once.
    pub make: F,
}

impl<F> fmt::Debug for LoadPlan<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadPlan")
            .field("addr", &self.addr)
            .field("connections", &self.connections)
            .field("until", &self.until)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

/// What a run showed. Latencies are in microseconds, of requests answered with 2xx.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Requests answered with 2xx.
    pub done: u64,
    /// Requests answered otherwise, or not at all.
    pub errors: u64,
    /// What the first of the errors was.
    pub first_error: Option<String>,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// The latency that half of them do not exceed.
    pub p50: u64,
    /// The latency that 99 in 100 do not exceed.
    pub p99: u64,
    /// The largest latency.
    pub max: u64,
}

impl Report {
    /// Requests answered with 2xx per second.
    pub fn per_second(&self) -> u64 {
        let millis = u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX);
        self.done.saturating_mul(1_000).checked_div(millis).unwrap_or_default()
    }
}

/// Carries out a plan.
///
/// With a rate, requests are due at even distances; tokio's timer wakes up to a millisecond
/// late, and that counts against the server.
pub async fn run<F>(plan: LoadPlan<F>) -> Report
where
    F: Fn(u64) -> Vec<u8> + Send + Sync + 'static,
{
    let connections = plan.connections.clamp(1, CONNECTIONS_MAX);
    let start = Instant::now();
    let run = Arc::new(Run { plan, start, next: AtomicU64::new(0) });
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        workers.spawn(Worker::new(Arc::clone(&run)).work());
    }
    let mut latencies = Histogram::default();
    let mut report = Report::default();
    while let Some(joined) = workers.join_next().await {
        match joined {
            Ok(tally) => {
                latencies.add(&tally.latencies);
                report.errors = report.errors.saturating_add(tally.errors);
                report.first_error = report.first_error.or(tally.first_error);
            }
            Err(fault) => {
                report.errors = report.errors.saturating_add(1);
                report.first_error = report.first_error.or_else(|| Some(fault.to_string()));
            }
        }
    }
    report.elapsed = start.elapsed();
    report.done = latencies.count();
    report.p50 = latencies.per_mille(500);
    report.p99 = latencies.per_mille(990);
    report.max = latencies.max();
    report
}

struct Run<F> {
    plan: LoadPlan<F>,
    start: Instant,
    next: AtomicU64,
}

impl<F> Run<F> {
    /// The next request's number and when it is due; `None` when the run is over.
    fn next(&self) -> Option<(u64, Instant)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let due = match self.plan.rate {
            None => Instant::now(),
            Some(rate) => {
                let micros = u128::from(number)
                    .saturating_mul(1_000_000)
                    .checked_div(u128::from(rate))
                    .and_then(|micros| u64::try_from(micros).ok())?;
                self.start.checked_add(Duration::from_micros(micros))?
            }
        };
        let over = match self.plan.until {
            Until::Requests(count) => number >= count,
            Until::Elapsed(length) => due.saturating_duration_since(self.start) >= length,
        };
        (!over).then_some((number, due))
    }
}

#[derive(Default)]
struct Tally {
    latencies: Histogram,
    errors: u64,
    first_error: Option<String>,
}

struct Worker<F> {
    run: Arc<Run<F>>,
    connection: Option<Connection>,
    connect_failures: u32,
    tally: Tally,
}

impl<F> Worker<F>
where
    F: Fn(u64) -> Vec<u8> + Send + Sync + 'static,
{
    fn new(run: Arc<Run<F>>) -> Self {
        Self { run, connection: None, connect_failures: 0, tally: Tally::default() }
    }

    async fn work(mut self) -> Tally {
        while let Some((number, due)) = self.run.next() {
            if self.run.plan.rate.is_some() && due > Instant::now() {
                sleep_until(due).await;
            }
            let request = (self.run.plan.make)(number);
            let exchange = timeout(REQUEST_TIMEOUT, self.exchange(&request)).await;
            let micros = u64::try_from(due.elapsed().as_micros()).unwrap_or(u64::MAX);
            match exchange {
                Ok(Ok(status)) if (200..300).contains(&status) => {
                    self.tally.latencies.record(micros);
                }
                Ok(Ok(status)) => self.failed(&format!("HTTP status {status}")),
                Ok(Err(fault)) => {
                    self.connection = None;
                    self.failed(&fault.to_string());
                }
                Err(_elapsed) => {
                    self.connection = None;
                    self.failed("no answer in time");
                }
            }
            if self.connect_failures > CONNECT_FAILURES_MAX {
                break;
            }
        }
        self.tally
    }

    fn failed(&mut self, why: &str) {
        self.tally.errors = self.tally.errors.saturating_add(1);
        self.tally.first_error.get_or_insert_with(|| why.to_owned());
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<u16> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        connection.stream.write_all(request).await?;
        let answer = connection.read_answer().await?;
        if answer.stays_open {
            self.connection = Some(connection);
        }
        Ok(answer.status)
    }

    async fn connect(&mut self) -> io::Result<Connection> {
        match TcpStream::connect(self.run.plan.addr).await {
            Ok(stream) => {
                self.connect_failures = 0;
                stream.set_nodelay(true)?;
                Ok(Connection { stream, buffer: vec![0; BUFFER_START] })
            }
            Err(fault) => {
                self.connect_failures = self.connect_failures.saturating_add(1);
                tokio::time::sleep(CONNECT_PAUSE).await;
                Err(fault)
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

struct Answer {
    status: u16,
    stays_open: bool,
}

impl Connection {
    /// Reads one whole answer. What follows it would be an answer nobody asked for, so there is
    /// nothing to keep.
    async fn read_answer(&mut self) -> io::Result<Answer> {
        let mut filled = 0_usize;
        let mut head: Option<Head> = None;
        loop {
            if let Some(head) = &head
                && filled >= head.end
            {
                return Ok(Answer {
                    status: head.status,
                    stays_open: head.stays_open && filled == head.end,
                });
            }
            if filled == self.buffer.len() {
                let larger = filled.saturating_mul(2);
                if larger > ANSWER_MAX {
                    return Err(broken("the answer is too long"));
                }
                self.buffer.resize(larger, 0);
            }
            let room = self.buffer.get_mut(filled..).unwrap_or_default();
            let read = self.stream.read(room).await?;
            if read == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            filled = filled.saturating_add(read);
            if head.is_none() {
                head = Head::parse(self.buffer.get(..filled).unwrap_or_default())?;
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Where the answer ends, body included.
    end: usize,
    stays_open: bool,
}

impl Head {
    /// `None` while the head is not whole.
    fn parse(bytes: &[u8]) -> io::Result<Option<Self>> {
        let Some(head_len) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Ok(None);
        };
        let head = std::str::from_utf8(bytes.get(..head_len).unwrap_or_default())
            .map_err(|_error| broken("the head is not text"))?;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .filter(|line| line.starts_with("HTTP/1."))
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| broken("no status line"))?;
        let mut length = None;
        let mut stays_open = true;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.parse::<usize>().ok();
            } else if name.eq_ignore_ascii_case("connection") {
                stays_open = !value.eq_ignore_ascii_case("close");
            }
        }
        let length = match (length, status) {
            (Some(length), _) => length,
            (None, 204 | 304) => 0,
            (None, _) => return Err(broken("the answer has no Content-Length")),
        };
        Ok(Some(Self {
            status,
            end: head_len.saturating_add(4).saturating_add(length),
            stays_open,
        }))
    }
}

fn broken(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Mutex;

    use tokio::net::TcpListener;

    use super::*;

    /// Answers each `\r\n\r\n` with `answer`, and closes after `per_connection` of them.
    async fn server(answer: &'static str, per_connection: usize) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let addr = listener.local_addr().expect("addr");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    for _ in 0..per_connection {
                        match stream.read(&mut buffer).await {
                            Ok(read) if read > 0 => {}
                            _ => return,
                        }
                        if stream.write_all(answer.as_bytes()).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        addr
    }

    fn plan(addr: SocketAddr, requests: u64) -> LoadPlan<impl Fn(u64) -> Vec<u8>> {
        LoadPlan {
            addr,
            connections: 4,
            until: Until::Requests(requests),
            rate: None,
            make: |number| format!("GET /{number} HTTP/1.1\r\n\r\n").into_bytes(),
        }
    }

    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

    #[tokio::test]
    async fn every_number_is_asked_for_once_and_counted() {
        let addr = server(OK, usize::MAX).await;
        let seen = Arc::new(Mutex::new(HashSet::new()));
        let seen_by_make = Arc::clone(&seen);
        let report = run(LoadPlan {
            addr,
            connections: 7,
            until: Until::Requests(100),
            rate: None,
            make: move |number| {
                assert!(seen_by_make.lock().expect("lock").insert(number));
                b"GET / HTTP/1.1\r\n\r\n".to_vec()
            },
        })
        .await;
        assert_eq!((report.done, report.errors), (100, 0), "{report:?}");
        assert_eq!(seen.lock().expect("lock").len(), 100);
        assert!(report.p50 <= report.p99 && report.p99 <= report.max);
    }

    #[tokio::test]
    async fn a_status_other_than_2xx_is_an_error_and_is_named() {
        let addr = server("HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", usize::MAX).await;
        let report = run(plan(addr, 10)).await;
        assert_eq!((report.done, report.errors), (0, 10));
        assert_eq!(report.first_error.as_deref(), Some("HTTP status 503"));
    }

    #[tokio::test]
    async fn a_connection_that_says_close_is_opened_anew() {
        let close = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
        let report = run(plan(server(close, 1).await, 20)).await;
        assert_eq!((report.done, report.errors), (20, 0), "{report:?}");
    }

    #[tokio::test]
    async fn a_connection_that_ends_unsaid_is_an_error_and_the_run_goes_on() {
        let report = run(plan(server(OK, 3).await, 40)).await;
        assert_eq!(report.done + report.errors, 40);
        assert!(report.done >= 24 && report.errors > 0, "{report:?}");
    }

    #[tokio::test]
    async fn a_dead_server_ends_the_run() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let addr = listener.local_addr().expect("addr");
        drop(listener);
        let report = run(plan(addr, 1_000_000)).await;
        assert_eq!(report.done, 0);
        assert!(report.errors > 0 && report.errors < 1_000, "{report:?}");
    }

    #[tokio::test]
    async fn a_rate_is_kept_and_lateness_counts_from_when_a_request_was_due() {
        let rate = 100;
        let run = Run {
            plan: LoadPlan {
                rate: Some(rate),
                until: Until::Elapsed(Duration::from_secs(1)),
                ..plan(SocketAddr::from(([127, 0, 0, 1], 1)), 0)
            },
            start: Instant::now(),
            next: AtomicU64::new(0),
        };
        let dues: Vec<_> = std::iter::from_fn(|| run.next()).collect();
        assert_eq!(dues.len(), 100);
        for (number, due) in dues {
            let expected = Duration::from_millis(number * 10);
            assert_eq!(due.duration_since(run.start), expected);
        }
    }

    #[test]
    fn heads_are_read() {
        let parse = |text: &str| Head::parse(text.as_bytes());
        assert_eq!(parse("HTTP/1.1 200 OK\r\nContent-").expect("so far"), None);
        let head = parse("HTTP/1.1 202 Accepted\r\nCONTENT-LENGTH: 5\r\n\r\nhel");
        let head = head.expect("readable").expect("whole");
        assert_eq!((head.status, head.end, head.stays_open), (202, 49, true));
        for wrong in [
            "ICMP 200\r\n\r\n",
            "HTTP/1.1 abc\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
