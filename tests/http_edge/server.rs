//! The server through real sockets: slow peers, too many peers, peers that leave, and the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use mlango::http::server::{Limits, Server};
use mlango::store::Scope;
use mlango::telemetry::metric;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::Gateway;

/// Short times, so that the tests are short; none of them is measured.
pub const LIMITS: Limits = Limits {
    connections: 16,
    header_timeout: Duration::from_millis(200),
    stall_timeout: Duration::from_millis(200),
    drain: Duration::from_secs(20),
};
/// A test that takes longer hangs.
pub const HANGS: Duration = Duration::from_secs(20);

pub struct Running {
    pub address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<usize>,
}

impl Running {
    pub fn with(router: Router, limits: Limits) -> Self {
        Self::on(port(), router, limits)
    }

    pub fn on(server: Server, router: Router, limits: Limits) -> Self {
        let address = server.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let task = tokio::spawn(server.serve(router, limits, stop.clone()));
        Self { address, stop, task }
    }

    pub async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// Stops, and says how many connections had to be cut.
    pub async fn end(self) -> usize {
        self.stop.cancel();
        within(self.task).await.expect("no panic")
    }
}

/// Any free port, from here and from any address of this machine.
pub fn port() -> Server {
    Server::bind("127.0.0.1:0".parse().expect("an address")).expect("a port")
}

pub async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(HANGS, future).await.expect("it hangs")
}

/// All that comes until the peer closes.
pub async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = vec![];
    let read = within(stream.read_to_end(&mut bytes)).await;
    // A peer that closes on what it did not read resets the connection.
    if let Err(error) = read {
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer, of which the body is known to hold `until`.
pub async fn answer(stream: &mut TcpStream, until: &str) -> String {
    let mut text = String::new();
    while !text.contains(until) {
        let mut bytes = [0; 4_096];
        let read = within(stream.read(&mut bytes)).await.expect("an answer");
        assert!(read > 0, "closed after {text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..read]));
    }
    text
}

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let first = Server::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = first.local_addr().expect("an address");
    let error = Server::bind(address).expect_err("it is taken");
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&format!("{address} is in use")), "{error}");
    let elsewhere = "192.0.2.1:9".parse().expect("an address");
    let error = Server::bind(elsewhere).expect_err("not ours");
    assert!(error.to_string().contains("192.0.2.1:9 is not an address of this machine"), "{error}");
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let running = Running::with(hello(), LIMITS);
    let mut stream = running.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a write");
        let told = answer(&mut stream, "hello").await;
        assert!(told.starts_with("HTTP/1.1 200 OK\r\n"), "{told}");
    }
    drop(stream);
    assert_eq!(running.end().await, 0);
}

#[tokio::test]
async fn a_peer_that_sends_its_headers_slowly_is_cut_off() {
    let running = Running::with(hello(), LIMITS);
    let mut silent = running.connect().await;
    let mut slow = running.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-a: 1").await.expect("a write");
    assert!(!rest(&mut slow).await.contains("200 OK"));
    assert_eq!(rest(&mut silent).await, "");
    assert_eq!(running.end().await, 0);
}

#[tokio::test]
async fn headers_have_a_length_and_a_number() {
    let running = Running::with(hello(), LIMITS);
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx-a: {}\r\n\r\n", "a".repeat(17_000));
    let many: String = (0..101).map(|n| format!("x-{n}: 1\r\n")).collect();
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n");
    for request in [long, many] {
        let mut stream = running.connect().await;
        // The server may close before it has read everything.
        drop(stream.write_all(request.as_bytes()).await);
        let told = rest(&mut stream).await;
        assert!(told.is_empty() || told.starts_with("HTTP/1.1 431 "), "{told}");
    }
    assert_eq!(running.end().await, 0);
}

#[tokio::test]
async fn a_connection_beyond_the_limit_waits_for_a_place() {
    let limits = Limits { connections: 1, header_timeout: HANGS, ..LIMITS };
    let running = Running::with(hello(), limits);
    let mut first = running.connect().await;
    first.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a write");
    answer(&mut first, "hello").await;
    let mut second = running.connect().await;
    second.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a write");
    let early = tokio::time::timeout(Duration::from_millis(200), second.read_u8()).await;
    assert!(early.is_err(), "there is one place, and the first has it");
    drop(first);
    answer(&mut second, "hello").await;
    drop(second);
    assert_eq!(running.end().await, 0);
}

#[tokio::test]
async fn who_comes_from_elsewhere_is_dropped_before_he_has_said_anything() {
    let count = || {
        let text = metric::render();
        let lines = text.lines().filter_map(|line| line.split_once("{why=\"test_network\"} "));
        lines.map(|(_, count)| count.parse::<u64>().expect("a count")).sum::<u64>()
    };
    for (network, let_in) in [("192.0.2.0/24", false), ("127.0.0.0/8", true)] {
        let before = count();
        let networks = vec![network.parse().expect("a network")];
        let server = port().only_from(networks, metric::CALLBACK_REFUSED.with(["test_network"]));
        // Nobody is waited for who is not let in: it would hang.
        let limits = Limits { connections: 1, header_timeout: HANGS * 10, ..LIMITS };
        let running = Running::on(server, hello(), limits);
        for _ in 0..3 {
            let mut stream = running.connect().await;
            if let_in {
                stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a write");
                answer(&mut stream, "hello").await;
            } else {
                assert_eq!(rest(&mut stream).await, "", "closed without a word from either side");
            }
        }
        assert_eq!(count() - before, if let_in { 0 } else { 3 });
        assert_eq!(running.end().await, 0);
    }
}

#[tokio::test]
async fn one_peer_holds_half_of_the_places_and_its_others_wait() {
    let limits = Limits { connections: 4, header_timeout: HANGS * 10, ..LIMITS };
    let running = Running::with(hello(), limits);
    let from = async |peer: &str| {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(format!("{peer}:0").parse().expect("an address")).expect("an address");
        let mut stream = socket.connect(running.address).await.expect("a connection");
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a write");
        stream
    };
    let mut held = [from("127.0.0.1").await, from("127.0.0.1").await];
    for stream in &mut held {
        answer(stream, "hello").await;
    }
    // As many more as there are places wait, and one is sent away.
    let mut waiting = vec![];
    for _ in 0..4 {
        waiting.push(from("127.0.0.1").await);
    }
    let early = tokio::time::timeout(Duration::from_millis(200), waiting[0].read_u8()).await;
    assert!(early.is_err(), "two of four places are this peer's");
    let mut beyond = from("127.0.0.1").await;
    assert!(!rest(&mut beyond).await.contains("hello"));
    // Another peer is served as if nothing were.
    let mut other = from("127.0.0.2").await;
    answer(&mut other, "hello").await;
    drop(held);
    for mut stream in waiting {
        answer(&mut stream, "hello").await;
    }
    drop(other);
    assert_eq!(running.end().await, 0);
}

#[tokio::test]
async fn a_peer_that_never_reads_its_answer_loses_its_place() {
    let limits = Limits { connections: 1, ..LIMITS };
    let large = "x".repeat(32 * 1024 * 1024);
    let router = hello().route("/large", get(|| async { large }));
    let running = Running::with(router, limits);
    let mut greedy = running.connect().await;
    greedy.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a write");
    let mut next = running.connect().await;
    next.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a write");
    answer(&mut next, "hello").await;
    drop((greedy, next));
    assert_eq!(running.end().await, 0);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let gateway = Gateway::new();
    let key = gateway.key("finance", &[Scope::PayoutsWrite]).await;
    let running = Running::with(gateway.api.clone(), LIMITS);
    let head = |length: usize| {
        format!(
            "POST /v1/payouts HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\nidempotency-key: k\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let mut slow = running.connect().await;
    slow.write_all(head(100).as_bytes()).await.expect("a write");
    slow.write_all(b"{").await.expect("a write");
    let told = answer(&mut slow, "body_timeout").await;
    assert!(told.starts_with("HTTP/1.1 408 "), "{told}");

    let mut large = running.connect().await;
    large.write_all(head(1_000_000).as_bytes()).await.expect("a write");
    large.write_all(&vec![b' '; 1_000_000]).await.expect("a write");
    let told = answer(&mut large, "body_too_large").await;
    assert!(told.starts_with("HTTP/1.1 413 "), "all of it could be sent, and why read: {told}");

    let mut chunked = running.connect().await;
    let head = head(0).replace("content-length: 0", "transfer-encoding: chunked");
    chunked.write_all(head.as_bytes()).await.expect("a write");
    for _ in 0..3 {
        chunked
            .write_all(format!("800\r\n{}\r\n", " ".repeat(0x800)).as_bytes())
            .await
            .expect("a write");
    }
    chunked.write_all(b"0\r\n\r\n").await.expect("a write");
    let told = answer(&mut chunked, "body_too_large").await;
    assert!(told.starts_with("HTTP/1.1 413 "), "a length is not believed: {told}");
    drop((slow, large, chunked));
    assert_eq!(running.end().await, 0);
}

/// A route that says when it begins, answers once it is told to, and says when it is done.
struct Gated {
    router: Router,
    begun: Arc<Notify>,
    go: Arc<Notify>,
    done: Arc<Notify>,
}

fn gated() -> Gated {
    let [begun, go, done] = [(); 3].map(|()| Arc::new(Notify::new()));
    let (told, wait, finished) = (Arc::clone(&begun), Arc::clone(&go), Arc::clone(&done));
    let router = Router::new().route(
        "/",
        get(|| async move {
            told.notify_one();
            wait.notified().await;
            finished.notify_one();
            "finished"
        }),
    );
    Gated { router, begun, go, done }
}

#[tokio::test]
async fn a_peer_that_hangs_up_does_not_undo_what_it_asked_for() {
    let gated = gated();
    let running = Running::with(gated.router, LIMITS);
    let ask = async || {
        let mut stream = running.connect().await;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a write");
        within(gated.begun.notified()).await;
        stream
    };
    // Time for the server to see that the peer has gone.
    let seen = || tokio::time::sleep(Duration::from_millis(50));
    let mut half = ask().await;
    half.shutdown().await.expect("half a close");
    seen().await;
    gated.go.notify_one();
    assert!(rest(&mut half).await.contains("finished"), "it still listens");
    within(gated.done.notified()).await;
    drop(ask().await);
    seen().await;
    gated.go.notify_one();
    within(gated.done.notified()).await;
    assert_eq!(running.end().await, 0);
}

#[tokio::test]
async fn at_the_end_what_is_under_way_is_finished_and_nothing_new_is_taken() {
    let Gated { router, begun, go, .. } = gated();
    let running = Running::with(router, LIMITS);
    let mut working = running.connect().await;
    working.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a write");
    within(begun.notified()).await;
    running.stop.cancel();
    while TcpStream::connect(running.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    go.notify_one();
    let told = rest(&mut working).await;
    assert!(told.contains("finished") && told.contains("connection: close"), "{told}");
    assert_eq!(running.end().await, 0);
}

#[tokio::test]
async fn at_the_end_an_idle_connection_holds_nothing_up() {
    let limits = Limits { header_timeout: HANGS, ..LIMITS };
    let running = Running::with(hello(), limits);
    let mut idle = running.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a write");
    answer(&mut idle, "hello").await;
    assert_eq!(running.end().await, 0);
    assert_eq!(rest(&mut idle).await, "");
}

#[tokio::test]
async fn the_end_comes_even_when_a_request_does_not() {
    let Gated { router, begun, .. } = gated();
    let limits = Limits { drain: Duration::from_millis(100), ..LIMITS };
    let running = Running::with(router, limits);
    let mut working = running.connect().await;
    working.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a write");
    within(begun.notified()).await;
    assert_eq!(running.end().await, 1, "it was cut, and that is said");
    assert_eq!(rest(&mut working).await, "");
}
