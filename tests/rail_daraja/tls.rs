//! TLS: the other side's certificate is verified, and the handshake is not taken for the request.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mlango::clock::{Clock, SystemClock};
use mlango::domain::payout::{WhyNoAnswer, WhyNothingSent};
use mlango::engine::port::{Outcome, Rail};
use mlango::rail::daraja::DarajaRail;
use mlango::rail::pace::Pace;
use mlango::rail::transport::{
    Answer, Deadlines, Origin, Request, Site, Unanswered, send as send_to,
};
use mlango::tls::{Client, NoTls};
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::support::{Watched, patient, payout, secs, settings, sim_settings};

/// A certificate authority that exists for one test.
struct Authority {
    certificate: X509,
    key: PKey<Private>,
    dir: TempDir,
}

fn key() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2_048).expect("a key")).expect("a key")
}

fn named(name: &str) -> X509Name {
    let mut built = X509Name::builder().expect("a name");
    built.append_entry_by_nid(Nid::COMMONNAME, name).expect("a name");
    built.build()
}

impl Authority {
    fn new() -> Self {
        let key = key();
        let certificate = certificate(&key, &key, &named("Throw-away CA"), "Throw-away CA", None);
        let dir = TempDir::new().expect("a directory");
        std::fs::write(dir.path().join("ca.pem"), certificate.to_pem().expect("PEM"))
            .expect("written");
        Self { certificate, key, dir }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// Somebody at `address` or of a name, as this authority says.
    fn server(&self, who: &str, days: i32) -> TlsAcceptor {
        let key = key();
        let issuer = self.certificate.subject_name().to_owned().expect("a name");
        let leaf = certificate(&key, &self.key, &issuer, "server", Some((who, days)));
        let chain = vec![CertificateDer::from(leaf.to_der().expect("DER"))];
        let pem = key.private_key_to_pem_pkcs8().expect("PEM");
        let key = PrivateKeyDer::from_pem_slice(&pem).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::aws_lc_rs::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .expect("a certificate");
        TlsAcceptor::from(Arc::new(config))
    }
}

fn certificate(
    key: &PKey<Private>,
    signer: &PKey<Private>,
    issuer: &X509Name,
    name: &str,
    leaf: Option<(&str, i32)>,
) -> X509 {
    let mut built = X509::builder().expect("a certificate");
    built.set_version(2).expect("version");
    let mut serial = BigNum::new().expect("a number");
    serial.rand(64, openssl::bn::MsbOption::MAYBE_ZERO, false).expect("a number");
    built.set_serial_number(&serial.to_asn1_integer().expect("a number")).expect("serial");
    built.set_subject_name(&named(name)).expect("subject");
    built.set_issuer_name(issuer).expect("issuer");
    let days = leaf.map_or(30, |(_, days)| days);
    let day = 24 * 60 * 60;
    let now = SystemClock.now().millis() / 1_000;
    let time = |days: i64| Asn1Time::from_unix(now + days * day).expect("a time");
    built.set_not_before(&time(-60)).expect("from");
    built.set_not_after(&time(days.into())).expect("until");
    built.set_pubkey(key).expect("key");
    if let Some((who, _)) = leaf {
        let mut names = SubjectAlternativeName::new();
        if who.parse::<std::net::IpAddr>().is_ok() {
            names.ip(who);
        } else {
            names.dns(who);
        }
        let names = names.build(&built.x509v3_context(None, None)).expect("names");
        built.append_extension(names).expect("names");
    } else {
        let ca = BasicConstraints::new().critical().ca().build().expect("a CA");
        built.append_extension(ca).expect("a CA");
    }
    built.sign(signer, MessageDigest::sha256()).expect("signed");
    built.build()
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    (listener, address)
}

fn origin(address: SocketAddr, ca: Option<&Path>) -> Origin {
    let host = address.ip().to_string();
    let tls = Client::to(&host, ca.map(Path::to_owned)).expect("TLS");
    Origin::plain(host, address.port()).encrypted(tls)
}

async fn get(origin: &Origin, deadlines: Deadlines, body: &[u8]) -> Result<Answer, Unanswered> {
    let request = Request {
        method: http::Method::POST,
        path: "/".to_owned(),
        headers: vec![],
        body: body.to_vec(),
    };
    send_to(origin, request, deadlines, &Pace::new(1_000)).await
}

#[tokio::test]
async fn a_payout_goes_over_tls_to_whoever_the_authority_names() {
    let authority = Authority::new();
    let sim = mlango::sim::Simulator::start(sim_settings(), Arc::new(SystemClock))
        .await
        .expect("a simulator");
    let (listener, address) = listen().await;
    let acceptor = authority.server("127.0.0.1", 30);
    let behind = sim.addr;
    let front = tokio::spawn(async move {
        loop {
            let (stream, _peer) = listener.accept().await.expect("a connection");
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut inner = TcpStream::connect(behind).await.expect("the simulator");
                let _cut = copy_bidirectional(&mut stream, &mut inner).await;
            });
        }
    });
    let origin = origin(address, Some(&authority.file()));
    let web = Watched::new(Site { origin, deadlines: patient() });
    let rail = DarajaRail::new(web, settings());
    let payout = payout(1);
    let Outcome::Answered(facts) = crate::support::pay(&rail, &payout).await.outcome else {
        panic!("an answer")
    };
    assert_eq!(facts.code, "0");
    assert_eq!(sim.payments(), 1);
    assert!(rail.longest_send() >= patient().sum());
    front.abort();
}

/// What a server does that reads the request and closes without a word.
async fn refusing(acceptor: TlsAcceptor, listener: TcpListener) -> usize {
    let (stream, _peer) = listener.accept().await.expect("a connection");
    let Ok(mut stream) = acceptor.accept(stream).await else { return 0 };
    let mut part = [0; 1_024];
    stream.read(&mut part).await.unwrap_or(0)
}

#[tokio::test]
async fn a_certificate_that_will_not_do_sent_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    let table = [
        ("signed by nobody we trust", authority.server("127.0.0.1", 30), other.file()),
        ("for another host", authority.server("sandbox.example.org", 30), authority.file()),
        ("for another address", authority.server("127.0.0.2", 30), authority.file()),
        ("expired", authority.server("127.0.0.1", -1), authority.file()),
    ];
    for (what, acceptor, ca) in table {
        let (listener, address) = listen().await;
        let server = tokio::spawn(refusing(acceptor, listener));
        let sent = get(&origin(address, Some(&ca)), patient(), b"{}").await;
        assert_eq!(sent, Err(Unanswered::NothingSent(WhyNothingSent::Connect)), "{what}");
        assert_eq!(server.await.expect("no panic"), 0, "{what}: it saw nothing of the request");
    }
    // Without the file, the machine's own authorities count, and ours is none of them. A machine
    // may have none at all.
    let (listener, address) = listen().await;
    let server = tokio::spawn(refusing(authority.server("127.0.0.1", 30), listener));
    match Client::to("127.0.0.1", None) {
        Ok(tls) => {
            let origin = Origin::plain("127.0.0.1", address.port()).encrypted(tls);
            let sent = get(&origin, patient(), b"{}").await;
            assert_eq!(sent, Err(Unanswered::NothingSent(WhyNothingSent::Connect)));
            assert_eq!(server.await.expect("no panic"), 0);
        }
        Err(error) => assert!(matches!(error, NoTls::NoTrust), "{error}"),
    }
}

#[tokio::test]
async fn what_is_no_tls_sent_nothing() {
    let authority = Authority::new();
    let hasty = Deadlines { connect: secs(1), ..patient() };
    // It speaks plain HTTP; it closes at once; it never says a word.
    for (what, says, why) in [
        ("plain", Some(&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..]), WhyNothingSent::Connect),
        ("closed", None, WhyNothingSent::Connect),
    ] {
        let (listener, address) = listen().await;
        let server = tokio::spawn(async move {
            let (mut stream, _peer) = listener.accept().await.expect("a connection");
            if let Some(says) = says {
                let _cut = stream.write_all(says).await;
            }
        });
        let sent = get(&origin(address, Some(&authority.file())), hasty, b"{}").await;
        assert_eq!(sent, Err(Unanswered::NothingSent(why)), "{what}");
        server.await.expect("no panic");
    }
    let (_listener, address) = listen().await;
    let sent = get(&origin(address, Some(&authority.file())), hasty, b"{}").await;
    assert_eq!(sent, Err(Unanswered::NothingSent(WhyNothingSent::ConnectTimeout)));
}

#[tokio::test]
async fn time_that_runs_out_after_the_handshake_sent_nothing_of_the_request() {
    let authority = Authority::new();
    let (listener, address) = listen().await;
    let acceptor = authority.server("127.0.0.1", 30);
    let server = tokio::spawn(async move {
        let (stream, _peer) = listener.accept().await.expect("a connection");
        let mut stream = acceptor.accept(stream).await.expect("a handshake");
        let mut all = vec![];
        let _cut = stream.read_to_end(&mut all).await;
        all.len()
    });
    let pace = Pace::within(1, secs(60));
    pace.enter().await;
    let hasty = Deadlines { send: secs(1) / 10, ..patient() };
    let request = Request {
        method: http::Method::POST,
        path: "/".to_owned(),
        headers: vec![],
        body: b"{}".to_vec(),
    };
    let sent = send_to(&origin(address, Some(&authority.file())), request, hasty, &pace).await;
    assert_eq!(sent, Err(Unanswered::NothingSent(WhyNothingSent::ClosedBeforeFirstByte)));
    assert_eq!(server.await.expect("no panic"), 0);
}

#[tokio::test]
async fn a_request_that_was_read_may_have_been_sent() {
    let authority = Authority::new();
    let (listener, address) = listen().await;
    let server = tokio::spawn(refusing(authority.server("127.0.0.1", 30), listener));
    let sent = get(&origin(address, Some(&authority.file())), patient(), b"{}").await;
    assert_eq!(sent, Err(Unanswered::MayHaveBeenSent(WhyNoAnswer::Closed)));
    assert!(server.await.expect("no panic") > 0);
}

/// However the connection ends, what the server read and what we say of it must fit.
#[tokio::test]
async fn a_connection_that_ends_in_the_middle_is_told_truthfully() {
    let authority = Authority::new();
    let acceptor = authority.server("127.0.0.1", 30);
    let origin_of = |address| origin(address, Some(&authority.file()));
    for round in 0..30_usize {
        let (listener, address) = listen().await;
        let acceptor = acceptor.clone();
        let server = tokio::spawn(async move {
            let (stream, _peer) = listener.accept().await.expect("a connection");
            if round % 2 == 0 {
                stream.set_zero_linger().expect("it can be");
            }
            let Ok(mut stream) = acceptor.accept(stream).await else { return 0 };
            let mut part = vec![0; round * 4_000];
            if part.is_empty() {
                return 0;
            }
            stream.read(&mut part).await.unwrap_or(0)
        });
        // More than the buffers of TLS and of the system hold: some of it is refused.
        let sent = get(&origin_of(address), patient(), &vec![b' '; 8 * 1024 * 1024]).await;
        let read = server.await.expect("no panic");
        match sent {
            Err(Unanswered::NothingSent(_)) => assert_eq!(read, 0, "the server has bytes of it"),
            Err(Unanswered::MayHaveBeenSent(WhyNoAnswer::Closed)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn files_of_authorities_that_will_not_do_are_named() {
    let dir = TempDir::new().expect("a directory");
    let path = dir.path().join("ca.pem");
    let missing = Client::to("127.0.0.1", Some(path.clone())).expect_err("no file").to_string();
    assert!(missing.contains("ca.pem: cannot be read"), "{missing}");
    std::fs::write(&path, "no certificate").expect("written");
    let empty =
        Client::to("127.0.0.1", Some(path.clone())).expect_err("no certificate").to_string();
    assert!(empty.contains("holds no certificate"), "{empty}");
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&path, broken).expect("written");
    let broken = Client::to("127.0.0.1", Some(path)).expect_err("a broken one").to_string();
    assert!(broken.contains("damaged or cut short"), "{broken}");
    let authority = Authority::new();
    let name = Client::to("no host", Some(authority.file())).expect_err("no name").to_string();
    assert!(name.contains("no host"), "{name}");
}
