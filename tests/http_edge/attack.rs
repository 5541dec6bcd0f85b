//! Attacks on the wire, on both listeners: what comes is answered with 4xx or cut off within the
//! limits, nothing of it is kept or acted on, and other peers are served meanwhile.

use std::time::Duration;

use mlango::http::server::Limits;
use mlango::store::{Scope, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::server::{LIMITS, Running, answer, rest, within};
use crate::support::{GOOD, Gateway, TOKEN};

/// Both listeners of a gateway, and a good key.
struct Doors {
    gateway: Gateway,
    api: Running,
    callbacks: Running,
    key: String,
}

impl Doors {
    async fn open() -> Self {
        let gateway = Gateway::new();
        let scopes = [Scope::PayoutsWrite, Scope::PayoutsRead];
        let key = gateway.key("finance", &scopes).await;
        let api = Running::with(gateway.api.clone(), LIMITS);
        let callbacks = Running::with(gateway.callbacks(&[]), LIMITS);
        Self { gateway, api, callbacks, key }
    }

    /// How much has happened in the book.
    async fn happened(&self) -> usize {
        self.gateway.store.events(0, 500).await.expect("events").len()
    }

    /// Others are served as if nothing were.
    async fn serve_others(&self) {
        let told = put(&self.api, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert_eq!(statuses(&told), [200], "{told}");
        let wsdl = format!("GET /cb/{TOKEN}/b2c/result?wsdl HTTP/1.1\r\nhost: x\r\n\r\n");
        let told = put(&self.callbacks, wsdl.as_bytes()).await;
        assert_eq!(statuses(&told), [200], "{told}");
    }

    /// A whole request for a payout, with these lines in its head before its length.
    fn payout(&self, once: &str, lines: &str) -> String {
        format!("{}content-length: {}\r\n\r\n{GOOD}", self.head(once, lines), GOOD.len())
    }

    fn head(&self, once: &str, lines: &str) -> String {
        format!(
            "POST /v1/payouts HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nidempotency-key: {once}\r\n\
             content-type: application/json\r\n{lines}",
            self.key
        )
    }

    async fn end(self) {
        assert_eq!((self.api.end().await, self.callbacks.end().await), (0, 0));
    }
}

/// All that is answered to these bytes until the connection is closed.
async fn put(door: &Running, bytes: &[u8]) -> String {
    let mut stream = door.connect().await;
    // Whoever is cut off in the middle may not get rid of the rest.
    let _written = stream.write_all(bytes).await;
    let _ended = stream.shutdown().await;
    rest(&mut stream).await
}

/// The statuses of all answers, in order.
fn statuses(told: &str) -> Vec<u16> {
    let heads = told.split("HTTP/1.1 ").skip(1).map(|head| head.get(..3).expect("a status"));
    heads.map(|status| status.parse().expect("a status")).collect()
}

fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

/// What no listener may take for anything.
fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let long = "x".repeat(20_000);
    let many: String = (0..200).map(|n| format!("x-{n}: y\r\n")).collect();
    let get = |path: &str, lines: &str| format!("GET {path} HTTP/1.1\r\nhost: x\r\n{lines}\r\n");
    let text = |text: String| text.into_bytes();
    vec![
        ("a huge header", text(get("/healthz", &format!("x-long: {long}\r\n")))),
        ("too many headers", text(get("/healthz", &many))),
        ("a huge path", text(get(&format!("/{long}"), ""))),
        ("a space before the colon", text(get("/healthz", "x-a : b\r\n"))),
        ("a folded line", text(get("/healthz", "x-a: b\r\n  c\r\n"))),
        ("a bare CR", text(get("/healthz", "x-a: b\rx-c: d\r\n"))),
        ("NUL in a header", text(get("/healthz", "x-a: b\0c\r\n"))),
        ("NUL in a path", text(get("/healthz\0", ""))),
        ("a path of control characters", text(get("/\u{1}\u{7f}", ""))),
        ("a blank in a path", text(get("/a b", ""))),
        ("an absurd method", text(format!("{long} /healthz HTTP/1.1\r\nhost: x\r\n\r\n"))),
        ("a method with marks", b"G@T(/) /healthz HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()),
        ("HTTP/2's preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec()),
        ("HTTP/3.7", b"GET /healthz HTTP/3.7\r\nhost: x\r\n\r\n".to_vec()),
        ("HTTP/0.9", b"GET /healthz\r\n\r\n".to_vec()),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()),
        ("zeros", vec![0; 50_000]),
        ("nothing but line ends", b"\r\n".repeat(20_000)),
        ("half a head", b"GET /healthz HTTP/1.1\r\nhost:".to_vec()),
    ]
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_nothing_is_kept() {
    let doors = Doors::open().await;
    let before = doors.happened().await;
    for (name, bytes) in broken() {
        for door in [&doors.api, &doors.callbacks] {
            let told = put(door, &bytes).await;
            let statuses = statuses(&told);
            assert!(statuses.len() <= 1, "{name}: {told}");
            assert!(statuses.iter().all(|it| (400..500).contains(it)), "{name}: {told}");
        }
        doors.serve_others().await;
    }
    assert_eq!(doors.happened().await, before);
    doors.end().await;
}

#[tokio::test]
async fn a_request_with_two_ends_smuggles_nothing_in() {
    let doors = Doors::open().await;
    let hidden = doors.payout("hidden", "");
    let length = |bytes: &str| format!("content-length: {}\r\n", bytes.len());
    let body = chunked(GOOD);
    let te = "transfer-encoding: chunked\r\n";
    let with = |lines: &str, body: &str| format!("{}\r\n{body}{hidden}", doors.head("k", lines));
    // Which statuses there may be, in order. Chunks win over a length (RFC 9112, section 6.3).
    let table: [(&str, String, &[&[u16]]); 13] = [
        ("a length, then chunks", with(&format!("{}{te}", length(&body)), &body), &[&[202]]),
        ("chunks, then a length", with(&format!("{te}{}", length("x")), &body), &[&[202]]),
        ("two lengths", with(&format!("{}{}", length(GOOD), length("x")), GOOD), &[&[400]]),
        ("a length of two", with("content-length: 1, 2\r\n", GOOD), &[&[400]]),
        ("a negative length", with("content-length: -1\r\n", GOOD), &[&[400]]),
        ("a length with a plus", with("content-length: +5\r\n", GOOD), &[&[400]]),
        (
            "an endless length",
            with("content-length: 99999999999999999999\r\n", ""),
            &[&[400], &[413]],
        ),
        ("a coding nobody knows", with("transfer-encoding: xchunked\r\n", &body), &[&[400]]),
        ("chunked, then something", with("transfer-encoding: chunked, x\r\n", &body), &[&[400]]),
        ("a space before the colon", with("transfer-encoding : chunked\r\n", &body), &[&[400]]),
        ("a vertical tab", with("transfer-encoding: \u{b}chunked\r\n", &body), &[&[400]]),
        ("an endless chunk", with(te, "fffffffffffffffff\r\n"), &[&[400]]),
        ("an endless extension", with(te, &format!("1;{}", "x".repeat(40_000))), &[&[400]]),
    ];
    for (name, bytes, may) in table {
        let told = put(&doors.api, bytes.as_bytes()).await;
        let statuses = statuses(&told);
        assert!(statuses.is_empty() || may.contains(&statuses.as_slice()), "{name}: {told}");
        assert!(!told.contains("hidden"), "{name}: {told}");
        let claim = doors.gateway.apps.caller(&doors.key, crate::support::NOW).expect("a caller");
        let claimed = doors.gateway.store.claim(claim.app, "hidden").await.expect("a read");
        assert!(claimed.is_none(), "{name}: the hidden request was done");
        doors.serve_others().await;
    }
    // In odd letters it is the same coding, and what follows a body in chunks is not read.
    let odd = with("Transfer-Encoding: ChUnKeD\r\n", &chunked(GOOD).replace("\r\n0", "\r\n00"));
    let told = put(&doors.api, odd.as_bytes()).await;
    assert_eq!(statuses(&told), [202], "{told}");
    assert!(told.contains("connection: close"), "{told}");
    doors.end().await;
}

#[tokio::test]
async fn many_requests_in_one_segment_are_each_answered_once_and_in_order() {
    let doors = Doors::open().await;
    let before = doors.happened().await;
    let mut all = String::new();
    for nth in 0..40 {
        // Each twice: the second is the first again.
        all.push_str(&doors.payout(&format!("k{}", nth / 2), &format!("x-request-id: n{nth}\r\n")));
    }
    all.push_str("GET /healthz HTTP/1.1\r\nhost: x\r\nx-request-id: last\r\n\r\n");
    let told = put(&doors.api, all.as_bytes()).await;
    let mut expected = vec![202; 40];
    expected.push(200);
    assert_eq!(statuses(&told), expected, "{told}");
    let names: Vec<&str> = told
        .split("x-request-id: ")
        .skip(1)
        .map(|rest| rest.split("\r\n").next().expect("a name"))
        .collect();
    let order: Vec<String> = (0..40).map(|nth| format!("n{nth}")).collect();
    assert_eq!(names[..40], order, "in order");
    assert_eq!(told.matches("idempotency-replayed: true").count(), 20);
    assert_eq!(doors.happened().await, before + 20, "each payout is taken once");
    doors.end().await;
}

#[tokio::test]
async fn paths_lead_nowhere_but_where_they_say() {
    let doors = Doors::open().await;
    let before = doors.happened().await;
    let api = [
        "/v1/../v1/payouts",
        "/v1/payouts/..%2f..%2fetc%2fpasswd",
        "/v1/payouts/%00",
        "/v1/payouts/%ff%fe",
        "/v1/payouts/po_%E2%80%AE",
        "//v1/payouts",
        "/v1//payouts",
        "/v1/payouts/",
        "/v1%2fpayouts",
        "/V1/payouts",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "http://192.0.2.1/v1/nothing",
        "*",
    ];
    for path in api {
        let key = &doors.key;
        let call = format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n\r\n");
        let told = put(&doors.api, call.as_bytes()).await;
        let statuses = statuses(&told);
        assert!(matches!(statuses[..], [400 | 404 | 405]), "{path}: {told}");
        assert!(!told.contains("root:") && !told.contains("passwd"), "{path}: {told}");
    }
    let (begin, end) = TOKEN.split_at(8);
    let callbacks = [
        format!("/cb/{TOKEN}%2fb2c%2fresult"),
        format!("/cb%2f{TOKEN}/b2c/result"),
        format!("/cb/{TOKEN}/b2c%2fresult"),
        format!("/cb/x/../{TOKEN}/b2c/result"),
        format!("/cb/%2e%2e/cb/{TOKEN}/b2c/result"),
        format!("/cb/{begin}%00{end}/b2c/result"),
        format!("/cb/{TOKEN}%00/b2c/result"),
        format!("/cb/{TOKEN}%20/b2c/result"),
        format!("/cb/{}/b2c/result", TOKEN.to_uppercase()),
        format!("/cb/{begin}/b2c/result"),
        format!("/cb/{TOKEN}{TOKEN}/b2c/result"),
        "/cb//b2c/result".to_owned(),
        "/cb/%ff/b2c/result".to_owned(),
        format!("//cb/{TOKEN}/b2c/result"),
        format!("/cb/{TOKEN}/b2c/result/"),
        format!("/cb/{TOKEN}"),
    ];
    for path in callbacks {
        let call = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{{}}");
        let told = put(&doors.callbacks, call.as_bytes()).await;
        assert_eq!(statuses(&told), [404], "{path}: {told}");
        assert!(!told.contains(TOKEN), "{path}: {told}");
    }
    assert_eq!(doors.happened().await, before);
    doors.end().await;
}

#[tokio::test]
async fn old_clients_and_those_who_ask_first_are_served() {
    let doors = Doors::open().await;
    let told = put(&doors.api, b"GET /healthz HTTP/1.0\r\n\r\n").await;
    assert!(told.starts_with("HTTP/1.0 200 "), "{told}");
    // The wire's own line end is CR LF; LF alone may stand for it (RFC 9112, section 2.2).
    let told = put(&doors.api, b"GET /healthz HTTP/1.1\nhost: x\n\n").await;
    assert_eq!(statuses(&told), [200], "{told}");
    // HTTP/1.0 knows no chunks.
    let old = doors.head("old", "transfer-encoding: chunked\r\n").replace("HTTP/1.1", "HTTP/1.0");
    let told = put(&doors.api, format!("{old}\r\n{}", chunked(GOOD)).as_bytes()).await;
    assert!(told.is_empty() || told.contains(" 400 "), "{told}");

    let mut asks = doors.api.connect().await;
    let length = format!("content-length: {}\r\n", GOOD.len());
    let head = doors.head("asks", &format!("expect: 100-continue\r\n{length}\r\n"));
    asks.write_all(head.as_bytes()).await.expect("sent");
    answer(&mut asks, "100 Continue").await;
    asks.write_all(GOOD.as_bytes()).await.expect("sent");
    answer(&mut asks, "202 Accepted").await;
    // Whoever may not, is told so before he sends what he has.
    let mut stranger = doors.api.connect().await;
    let head = head.replace(&doors.key, "mk_wrong").replace("asks", "stranger");
    stranger.write_all(head.as_bytes()).await.expect("sent");
    stranger.write_all(GOOD.as_bytes()).await.expect("sent");
    answer(&mut stranger, "401 Unauthorized").await;
    drop((asks, stranger));
    doors.end().await;
}

/// Sends bytes one by one, at a pace below every limit on silence, until it is cut off.
async fn drip(mut stream: TcpStream, bytes: Vec<u8>) -> String {
    let (mut reading, mut writing) = stream.split();
    let mut told = Vec::new();
    let drips = async {
        for byte in bytes {
            if writing.write_all(&[byte]).await.is_err() {
                break;
            }
            sleep(Duration::from_millis(10)).await;
        }
        // Then silence, with the connection held open.
        std::future::pending::<()>().await;
    };
    let read = async { reading.read_to_end(&mut told).await };
    tokio::select! {
        () = drips => {}
        read = within(read) => drop(read),
    }
    String::from_utf8_lossy(&told).into_owned()
}

#[tokio::test]
async fn whoever_sends_byte_by_byte_is_cut_off_and_others_are_served_meanwhile() {
    let doors = Doors::open().await;
    let before = doors.happened().await;
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx-a: {}\r\n", "y".repeat(1_000));
    let callback = format!("POST /cb/{TOKEN}/b2c/result HTTP/1.1\r\nhost: x\r\n");
    let body = |head: &str| format!("{head}content-length: 3000\r\n\r\n{}", "z".repeat(3_000));
    let slow_payout = body(&doors.head("slow", ""));
    let slow_call = body(&callback);
    let chunks =
        format!("{callback}transfer-encoding: chunked\r\n\r\n{}", "1\r\nz\r\n".repeat(900));
    let attacks = [
        (&doors.api, head.clone(), &[][..]),
        (&doors.callbacks, head, &[]),
        // The head at once, as it is short; then the body.
        (&doors.api, slow_payout, &[408]),
        (&doors.callbacks, slow_call, &[408]),
        (&doors.callbacks, chunks, &[408]),
    ];
    let mut slow = vec![];
    for (door, text, expected) in attacks {
        let mut stream = door.connect().await;
        let at_once = text.find("\r\n\r\n").map_or(0, |end| end + 4);
        let (first, rest) = text.split_at(at_once);
        stream.write_all(first.as_bytes()).await.expect("sent");
        slow.push((tokio::spawn(drip(stream, rest.as_bytes().to_vec())), expected));
        doors.serve_others().await;
    }
    for (nth, (dripping, expected)) in slow.into_iter().enumerate() {
        let told = dripping.await.expect("no panic");
        let statuses = statuses(&told);
        let fine = statuses == expected || (expected.is_empty() && statuses == [408]);
        assert!(fine, "{nth}: {told}");
    }
    assert_eq!(doors.happened().await, before);
    doors.end().await;
}

#[tokio::test]
async fn whoever_pipelines_and_never_reads_is_cut_off() {
    let gateway = Gateway::new();
    let limits = Limits { connections: 2, ..LIMITS };
    let door = Running::with(gateway.api.clone(), limits);
    let mut greedy = door.connect().await;
    let ask = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(200);
    // The kernel takes some of it; the gateway stops reading when its answers are not taken.
    let mut sent = 0;
    let flood = async {
        while greedy.write_all(&ask).await.is_ok() {
            sent += 1;
        }
    };
    within(flood).await;
    assert!(sent < 1_000, "it is not read for ever");
    let told = put(&door, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(statuses(&told), [200], "{told}");
    drop(greedy);
    assert_eq!(door.end().await, 0);
}

/// A confirmation of M-Pesa's, as it posts one.
fn confirmation(receipt: &str) -> String {
    format!(
        r#"{{"TransactionType":"Pay Bill","TransID":"{receipt}","TransTime":"20240102061530","TransAmount":"25.00","BusinessShortCode":"600999","BillRefNumber":"INV-77","InvoiceNumber":"","OrgAccountBalance":"1025.00","ThirdPartyTransID":"","MSISDN":"2547 ***** 001","FirstName":"AMINA","MiddleName":"","LastName":""}}"#
    )
}

fn notice_head(lines: &str) -> String {
    format!(
        "POST /cb/{TOKEN}/c2b/confirmation HTTP/1.1\r\nhost: x\r\ncontent-type: \
         application/json\r\n{lines}"
    )
}

fn notice(receipt: &str) -> String {
    let body = confirmation(receipt);
    format!("{}content-length: {}\r\n\r\n{body}", notice_head(""), body.len())
}

impl Doors {
    async fn is_paid(&self, receipt: &str) -> bool {
        let receipt = mlango::domain::id::Receipt::new(receipt).expect("a receipt");
        self.gateway.store.payment_by_receipt(&receipt).await.expect("a read").is_some()
    }
}

#[tokio::test]
async fn a_notice_with_two_ends_smuggles_no_other_in() {
    let doors = Doors::open().await;
    let hidden = notice("UJ3HIDDEN0");
    let body = confirmation("UJ3AAAAAA0");
    let te = "transfer-encoding: chunked\r\n";
    let length = |bytes: &str| format!("content-length: {}\r\n", bytes.len());
    let with = |lines: &str, body: &str| format!("{}\r\n{body}{hidden}", notice_head(lines));
    let table: [(&str, String); 7] = [
        ("a length, then chunks", with(&format!("{}{te}", length(&body)), &chunked(&body))),
        ("chunks, then a length", with(&format!("{te}{}", length("x")), &chunked(&body))),
        ("two lengths", with(&format!("{}{}", length(&body), length("x")), &body)),
        ("a length of two", with("content-length: 1, 2\r\n", &body)),
        ("a coding nobody knows", with("transfer-encoding: xchunked\r\n", &chunked(&body))),
        ("a space before the colon", with("transfer-encoding : chunked\r\n", &chunked(&body))),
        ("an endless chunk", with(te, "fffffffffffffffff\r\n")),
    ];
    for (name, bytes) in table {
        let told = put(&doors.callbacks, bytes.as_bytes()).await;
        assert!(statuses(&told).len() <= 1, "{name}: {told}");
        assert!(!doors.is_paid("UJ3HIDDEN0").await, "{name}: the hidden notice was heard");
        doors.serve_others().await;
    }
    doors.end().await;
}

#[tokio::test]
async fn many_notices_in_one_segment_are_each_heard_once_and_in_order() {
    let doors = Doors::open().await;
    let receipt = |nth: usize| format!("UJ3AAAA{nth:03}");
    // Each twice: the second is noted, and pays nothing.
    let all: String = (0..40).map(|nth| notice(&receipt(nth / 2))).collect();
    let told = put(&doors.callbacks, all.as_bytes()).await;
    assert_eq!(statuses(&told), [200; 40], "{told}");
    for nth in 0..20 {
        assert!(doors.is_paid(&receipt(nth)).await, "{nth}");
    }
    let events = doors.gateway.store.events(0, 500).await.expect("events");
    let births = events.iter().filter(|it| it.event.kind == "payment.received").count();
    assert_eq!(births, 20, "each is one payment");
    doors.end().await;
}
