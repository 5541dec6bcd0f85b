//! The truth about what left, on real sockets: every way in which a broker can fail us.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test: it panics to fail"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mlango::domain::payout::{WhyNoAnswer, WhyNothingSent};
use mlango::rail::pace::Pace;
use mlango::rail::transport::{Answer, Deadlines, Origin, Site, Unanswered, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Long enough for any machine; what is to fail in time has deadlines of its own.
const PATIENT: Deadlines = Deadlines {
    connect: Duration::from_secs(20),
    send: Duration::from_secs(20),
    answer: Duration::from_secs(20),
};
/// For what never comes.
const HASTY: Deadlines = Deadlines {
    connect: Duration::from_millis(300),
    send: Duration::from_millis(100),
    answer: Duration::from_millis(300),
};

fn endpoint(address: SocketAddr) -> Origin {
    Origin::plain(address.ip().to_string(), address.port())
}

async fn listen() -> (TcpListener, Origin) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = endpoint(listener.local_addr().expect("an address"));
    (listener, endpoint)
}

async fn send(to: &Origin, body: &[u8], deadlines: Deadlines) -> Result<Answer, Unanswered> {
    let site = Site { origin: to.clone(), deadlines };
    post(&site, "/mminterface/request", body.to_vec(), &Pace::new(1_000)).await
}

/// Reads one request whole: its head and its body.
async fn read_request(stream: &mut TcpStream) -> (String, Vec<u8>) {
    let mut read = Vec::new();
    loop {
        let mut part = [0; 4_096];
        let length = stream.read(&mut part).await.expect("a request");
        assert!(length > 0, "the request ended early: {read:?}");
        read.extend_from_slice(&part[..length]);
        let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") else {
            continue;
        };
        let head = String::from_utf8(read[..end].to_vec()).expect("text");
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            let length = name.eq_ignore_ascii_case("content-length");
            length.then(|| value.parse::<usize>().expect("a number"))
        });
        let body = &read[end + 4..];
        if body.len() == length.expect("a length") {
            return (head, body.to_vec());
        }
    }
}

/// A broker that reads one request whole, writes `bytes` and closes.
async fn answered_with(bytes: Vec<u8>) -> Result<Answer, Unanswered> {
    let (listener, to) = listen().await;
    let broker = tokio::spawn(async move {
        let (mut stream, _peer) = listener.accept().await.expect("a connection");
        read_request(&mut stream).await;
        // It may be cut off in the middle: that is what some of the tests are about.
        let _cut = stream.write_all(&bytes).await;
        let _cut = stream.shutdown().await;
        // Held until the other side closes, so that no reset overtakes what was written.
        let mut rest = Vec::new();
        let _cut = stream.read_to_end(&mut rest).await;
    });
    let sent = send(&to, b"<request/>", PATIENT).await;
    broker.await.expect("no panic");
    sent
}

const DOUBT_CLOSED: Result<Answer, Unanswered> =
    Err(Unanswered::MayHaveBeenSent(WhyNoAnswer::Closed));

// ------------------------------------------------------------------------------- nothing was sent

#[tokio::test]
async fn a_refused_connection_sent_nothing() {
    let (listener, to) = listen().await;
    drop(listener);
    let sent = send(&to, b"<request/>", PATIENT).await;
    let expected = Unanswered::NothingSent(WhyNothingSent::Connect);
    assert_eq!(sent, Err(expected));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_sent_nothing() {
    let to = Origin::plain("no-such-host.invalid", 18_423);
    let sent = send(&to, b"<request/>", PATIENT).await;
    let expected = Unanswered::NothingSent(WhyNothingSent::Resolve);
    assert_eq!(sent, Err(expected));
}

#[tokio::test]
async fn a_connection_that_is_not_made_in_time_sent_nothing() {
    // A queue of one that nobody empties: once it is full, the system answers no more.
    let socket = TcpSocket::new_v4().expect("a socket");
    let any = "127.0.0.1:0".parse().expect("an address");
    socket.bind(any).expect("a port");
    let listener = socket.listen(1).expect("it listens");
    let address = listener.local_addr().expect("an address");
    let mut waiting = vec![];
    let full = loop {
        let connecting = TcpStream::connect(address);
        match tokio::time::timeout(Duration::from_millis(300), connecting).await {
            Ok(Ok(stream)) => waiting.push(stream),
            Ok(Err(_)) | Err(_) => break true,
        }
        if waiting.len() > 64 {
            break false;
        }
    };
    assert!(full, "the queue cannot be filled on this system");
    let sent = send(&endpoint(address), b"<request/>", HASTY).await;
    let expected = Unanswered::NothingSent(WhyNothingSent::ConnectTimeout);
    assert_eq!(sent, Err(expected));
}

#[tokio::test]
async fn time_that_runs_out_while_the_pace_is_kept_sent_nothing() {
    let (listener, to) = listen().await;
    let pace = Pace::new(1);
    pace.enter().await;
    let request = b"<request/>".to_vec();
    let site = Site { origin: to, deadlines: HASTY };
    let sent = post(&site, "/", request, &pace).await;
    let expected = Unanswered::NothingSent(WhyNothingSent::ClosedBeforeFirstByte);
    assert_eq!(sent, Err(expected));
    let (mut stream, _peer) = listener.accept().await.expect("a connection");
    let mut read = Vec::new();
    let length = stream.read_to_end(&mut read).await.expect("closed");
    assert_eq!(length, 0, "the broker saw no byte either");
}

// ------------------------------------------------------------------ something may have been sent

#[tokio::test]
async fn a_broker_that_never_reads_may_have_been_sent_it() {
    let (_listener, to) = listen().await;
    let sent = send(&to, b"<request/>", HASTY).await;
    let expected = Unanswered::MayHaveBeenSent(WhyNoAnswer::Timeout);
    assert_eq!(sent, Err(expected));
}

#[tokio::test]
async fn a_broker_that_never_answers_may_have_been_sent_it() {
    let (listener, to) = listen().await;
    let broker = tokio::spawn(async move {
        let (mut stream, _peer) = listener.accept().await.expect("a connection");
        read_request(&mut stream).await;
        stream
    });
    let sent = send(&to, b"<request/>", HASTY).await;
    let expected = Unanswered::MayHaveBeenSent(WhyNoAnswer::Timeout);
    assert_eq!(sent, Err(expected));
    drop(broker.await.expect("no panic"));
}

#[tokio::test]
async fn a_request_too_large_to_be_taken_at_once_is_bounded_in_time_too() {
    // More than the system holds for a broker that does not read: the writing itself waits.
    let (_listener, to) = listen().await;
    let sent = send(&to, &vec![b' '; 32 * 1024 * 1024], HASTY).await;
    let expected = Unanswered::MayHaveBeenSent(WhyNoAnswer::Timeout);
    assert_eq!(sent, Err(expected));
}

#[tokio::test]
async fn a_connection_closed_at_once_is_told_truthfully() {
    // What the broker had read, and what we said of it, must fit, however the two race.
    for round in 0..200 {
        let (listener, to) = listen().await;
        let broker = tokio::spawn(async move {
            let (stream, _peer) = listener.accept().await.expect("a connection");
            if round % 3 == 0 {
                // A reset instead of an orderly end.
                stream.set_zero_linger().expect("it can be");
            }
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            let mut part = [0; 64];
            stream.try_read(&mut part).unwrap_or(0)
        });
        let sent = send(&to, b"<request/>", PATIENT).await;
        let read = broker.await.expect("no panic");
        match sent {
            Err(Unanswered::NothingSent(WhyNothingSent::ClosedBeforeFirstByte)) => {
                assert_eq!(read, 0, "the broker has bytes of it");
            }
            Err(Unanswered::MayHaveBeenSent(WhyNoAnswer::Closed)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_broker_that_speaks_first_is_told_of_truthfully() {
    // An answer to a request that it cannot have read.
    let (listener, to) = listen().await;
    let broker = tokio::spawn(async move {
        let (mut stream, _peer) = listener.accept().await.expect("a connection");
        let early = http("200 OK", "", b"<response/>");
        let _cut = stream.write_all(&early).await;
        let _cut = stream.shutdown().await;
        let mut rest = Vec::new();
        let _cut = stream.read_to_end(&mut rest).await;
        rest.len()
    });
    let sent = send(&to, b"<request/>", PATIENT).await;
    let read = broker.await.expect("no panic");
    if let Err(Unanswered::NothingSent(_)) = sent {
        assert_eq!(read, 0, "the broker has bytes of it");
    }
}

#[tokio::test]
async fn a_connection_closed_in_the_middle_of_the_request_may_have_been_sent_it() {
    let (listener, to) = listen().await;
    let broker = tokio::spawn(async move {
        let (mut stream, _peer) = listener.accept().await.expect("a connection");
        let mut part = [0; 100];
        stream.read_exact(&mut part).await.expect("a beginning");
    });
    let sent = send(&to, &vec![b' '; 4 * 1024 * 1024], PATIENT).await;
    broker.await.expect("no panic");
    assert_eq!(sent, DOUBT_CLOSED);
}

#[tokio::test]
async fn a_connection_closed_without_a_readable_answer_may_have_been_sent_it() {
    let cut_head = b"HTTP/1.1 200 OK\r\nContent-".to_vec();
    let cut_body = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<response>".to_vec();
    let cut_chunk = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n".to_vec();
    let garbage = vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x0a, 0x0d, 0x0a];
    let many: String = (0..65).map(|it| format!("X-{it}: y\r\n")).collect();
    let too_many_headers = format!("HTTP/1.1 200 OK\r\n{many}Content-Length: 0\r\n\r\n");
    let endless_header = format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(2 * 1024 * 1024));
    let wrong_length = b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_vec();
    let table = [
        ("nothing", vec![]),
        ("half a head", cut_head),
        ("half a body", cut_body),
        ("half a chunked body", cut_chunk),
        ("garbage", garbage),
        ("more headers than any answer has", too_many_headers.into_bytes()),
        ("a header without end", endless_header.into_bytes()),
        ("a length that is none", wrong_length),
    ];
    for (what, bytes) in table {
        assert_eq!(answered_with(bytes).await, DOUBT_CLOSED, "{what}");
    }
}

#[tokio::test]
async fn an_answer_longer_than_any_answer_is_not_read() {
    let long = vec![b'y'; 256 * 1024 + 1];
    let declared = http("200 OK", "", &long);
    let chunked: Vec<u8> = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n40001\r\n".as_slice(),
        &long,
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    let until_closed = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &long].concat();
    for bytes in [declared, chunked, until_closed] {
        let expected = Unanswered::MayHaveBeenSent(WhyNoAnswer::TooLong);
        assert_eq!(answered_with(bytes).await, Err(expected));
    }
    let just = vec![b'y'; 256 * 1024];
    let answer = answered_with(http("200 OK", "", &just)).await;
    assert_eq!(answer.expect("the longest answer").body, just);
}

#[tokio::test]
async fn an_answer_that_drips_is_cut_off_at_the_deadline() {
    let (listener, to) = listen().await;
    let broker = tokio::spawn(async move {
        let (mut stream, _peer) = listener.accept().await.expect("a connection");
        read_request(&mut stream).await;
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
        stream.write_all(head).await.expect("a head");
        let mut drops = 0;
        while stream.write_all(b"y").await.is_ok() {
            drops += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        drops
    });
    let sent = send(&to, b"<request/>", HASTY).await;
    let expected = Unanswered::MayHaveBeenSent(WhyNoAnswer::Timeout);
    assert_eq!(sent, Err(expected));
    let drops = broker.await.expect("it was cut off, so it ended");
    assert!(drops > 0);
}

// -------------------------------------------------------------------------------------- answers

fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn an_answer_comes_as_it_is_whatever_it_is() {
    let html = b"<html><body>Service unavailable</body></html>".as_slice();
    let fault = mlango::soap::fault::fault("soapenv:Server", "busy");
    let page = "Content-Type: text/html\r\n";
    let table = [
        (200, http("200 OK", "", b"<response/>"), b"<response/>".as_slice()),
        (200, http("200 OK", page, html), html),
        (500, http("500 Internal Server Error", "", &fault), &fault),
        (503, http("503 Service Unavailable", page, html), html),
        (302, http("302 Found", "Location: http://192.0.2.1/\r\n", b""), b""),
        (401, http("401 Unauthorized", "", b"no"), b"no"),
        (
            200,
            [b"HTTP/1.1 100 Continue\r\n\r\n".as_slice(), &http("200 OK", "", b"late")].concat(),
            b"late",
        ),
        (200, b"HTTP/1.0 200 OK\r\n\r\nuntil the end".to_vec(), b"until the end"),
    ];
    for (status, bytes, body) in table {
        let answer = answered_with(bytes).await.expect("an answer");
        assert_eq!(answer.status, status);
        assert_eq!(answer.body, body, "{status}");
    }
}

#[tokio::test]
async fn a_request_goes_once_on_a_connection_of_its_own_that_is_closed() {
    let (listener, to) = listen().await;
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let broker = tokio::spawn(async move {
        let mut heads = vec![];
        while heads.len() < 3 {
            let (mut stream, _peer) = listener.accept().await.expect("a connection");
            counted.fetch_add(1, Ordering::SeqCst);
            let (head, body) = read_request(&mut stream).await;
            assert_eq!(body, b"<request/>");
            let answer = http("200 OK", "Connection: keep-alive\r\n", b"<response/>");
            stream.write_all(&answer).await.expect("written");
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.expect("closed");
            assert_eq!(rest, b"", "nothing follows the request");
            heads.push(head);
        }
        heads
    });
    for _ in 0..3 {
        let answer = send(&to, b"<request/>", PATIENT).await.expect("an answer");
        assert_eq!(answer.body, b"<response/>");
    }
    let heads = broker.await.expect("no panic");
    assert_eq!(connections.load(Ordering::SeqCst), 3);
    for head in heads {
        let lower = head.to_lowercase();
        let mut lines = lower.lines();
        assert_eq!(lines.next(), Some("post /mminterface/request http/1.1"));
        for header in [
            format!("host: {}:{}", to.host, to.port).as_str(),
            "content-type: text/xml;charset=utf-8",
            "soapaction: \"\"",
            "connection: close",
        ] {
            assert_eq!(lines.clone().filter(|it| *it == header).count(), 1, "{head}");
        }
    }
}

#[tokio::test]
async fn a_host_without_a_name_is_written_as_an_address_in_brackets() {
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        return; // This machine has no such address.
    };
    let to = endpoint(listener.local_addr().expect("an address"));
    let broker = tokio::spawn(async move {
        let (mut stream, _peer) = listener.accept().await.expect("a connection");
        let (head, _body) = read_request(&mut stream).await;
        let answer = http("200 OK", "", b"<response/>");
        stream.write_all(&answer).await.expect("written");
        head
    });
    send(&to, b"<request/>", PATIENT).await.expect("an answer");
    let head = broker.await.expect("no panic").to_lowercase();
    let host = format!("host: [::1]:{}", to.port);
    assert!(head.lines().any(|line| line == host), "{head}");
}
