//! The gateway's own listener over TLS: who gets as far as a request.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::Request;
use axum::routing::get;
use mlango::http::server::{Limits, PeerCertificate, Router, Server};
use mlango::tls::{Acceptor, Client, ClientSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::certificates::file;
use crate::support::{LONG, client, identity, server};

/// A listener that says whose certificate it was shown.
fn listen(ca: Option<&str>) -> (u16, Acceptor, CancellationToken) {
    let acceptor = Acceptor::new(server("server", ca)).expect("set up");
    let listener = Server::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let stop = CancellationToken::new();
    let router = Router::new().route(
        "/who",
        get(|request: Request| async move {
            let shown = request.extensions().get::<PeerCertificate>();
            shown.map_or_else(|| "nobody".to_owned(), |shown| shown.0.subject.clone())
        }),
    );
    let listener = listener.encrypted(acceptor.clone(), "test");
    let limits = Limits { header_timeout: Duration::from_secs(2), ..Limits::default() };
    let until = stop.clone();
    tokio::spawn(async move { listener.serve(router, limits, until).await });
    (port, acceptor, stop)
}

async fn ask(settings: ClientSettings, port: u16) -> Option<String> {
    let client = Client::new(settings).expect("set up");
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    let (mut stream, _session) = client.shake_hands(stream).await.ok()?;
    stream.write_all(b"GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (_head, body) = answer.split_once("\r\n\r\n")?;
    Some(body.to_owned())
}

#[tokio::test]
async fn a_handler_knows_whose_certificate_was_shown() {
    let (port, _acceptor, _stop) = listen(Some("ca.p7b"));
    let shows = |name: &str| ClientSettings { identity: Some(identity(name)), ..client("ca.pem") };
    let broker = ask(shows("broker"), port).await.expect("an answer");
    assert_eq!(broker, "CN=broker.example.test, O=Mlango examples");
    assert_eq!(ask(shows("stranger"), port).await, None);
    assert_eq!(ask(client("ca.pem"), port).await, None);
    let (port, _acceptor, _stop) = listen(None);
    assert_eq!(ask(client("ca.pem"), port).await.as_deref(), Some("nobody"));
}

#[tokio::test]
async fn whoever_speaks_plain_http_is_told_so() {
    let (port, _acceptor, _stop) = listen(None);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    stream.write_all(b"GET /who HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("written");
    let mut answer = String::new();
    let read = timeout(LONG, stream.read_to_string(&mut answer)).await.expect("it is ended");
    read.expect("text");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    assert!(answer.contains("speaks HTTPS"), "{answer}");
}

#[tokio::test]
async fn whoever_says_nothing_is_let_go() {
    let (port, _acceptor, _stop) = listen(None);
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    let mut nothing = vec![];
    // One byte of a handshake, and then silence: no place is held for ever.
    stream.write_all(&[22]).await.expect("written");
    let ended = timeout(LONG, stream.read_to_end(&mut nothing)).await;
    ended.expect("it is ended").ok();
}

/// A connection that stands goes on while the certificate is exchanged, and the next sees the new.
#[tokio::test]
async fn a_certificate_is_exchanged_without_dropping_anybody() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let put = |name: &str| {
        std::fs::copy(file(&format!("{name}.pem")), dir.path().join("c.pem")).expect("copied");
        std::fs::copy(file(&format!("{name}-key.pem")), dir.path().join("k.pem")).expect("copied");
    };
    put("server");
    let settings = mlango::tls::ServerSettings {
        certificate: dir.path().join("c.pem"),
        key: dir.path().join("k.pem"),
        client_ca: None,
    };
    let acceptor = Acceptor::new(settings).expect("set up");
    let listener = Server::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let listener = listener.encrypted(acceptor.clone(), "test");
    let router = Router::new().route("/", get(|| async { "here" }));
    let stop = CancellationToken::new();
    tokio::spawn(listener.serve(router, Limits::default(), stop.clone()));
    let client = Arc::new(Client::new(client("ca.pem")).expect("set up"));
    let open = async || {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
        client.shake_hands(stream).await.expect("a handshake")
    };
    let (mut stands, before) = open().await;
    put("broker");
    acceptor.renew().expect("it can be read");
    let (_new, after) = open().await;
    let name = |session: &mlango::tls::Session| {
        session.peer.as_ref().and_then(|peer| peer.common_name.clone()).expect("a name")
    };
    assert_eq!(name(&before), "gateway.example.test");
    assert_eq!(name(&after), "broker.example.test");
    stands
        .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .expect("written");
    let mut answer = String::new();
    stands.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.ends_with("here"), "{answer}");
    stop.cancel();
}

#[tokio::test]
async fn a_handshake_byte_by_byte_is_cut_off_and_others_are_served_meanwhile() {
    let (port, _acceptor, _stop) = listen(None);
    let mut slow = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    let (mut reading, mut writing) = slow.split();
    // The beginning of a handshake that would be long.
    let hello = [&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3][..], &[7; 500]].concat();
    let drips = async {
        for byte in hello {
            if writing.write_all(&[byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::future::pending::<()>().await;
    };
    let mut told = Vec::new();
    let cut = async {
        assert_eq!(ask(client("ca.pem"), port).await.as_deref(), Some("nobody"));
        timeout(LONG, reading.read_to_end(&mut told)).await.expect("it is cut off")
    };
    tokio::select! {
        () = drips => {}
        cut = cut => assert!(cut.is_err() || told.len() < 100, "it was not spoken to: {told:?}"),
    }
}

#[tokio::test]
async fn where_tls_is_spoken_nothing_else_is_to_be_asked() {
    let (port, _acceptor, _stop) = listen(None);
    let client = Client::new(client("ca.pem")).expect("set up");
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    let (mut stream, _session) = client.shake_hands(stream).await.expect("agreed");
    let call = b"GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(call).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.contains("strict-transport-security: max-age=31536000"), "{answer}");
}
