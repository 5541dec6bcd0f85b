//! Brokers that nobody here wrote: `openssl s_server`, new, old and very old.

use std::sync::Arc;
use std::time::Duration;

use mlango::clock::SystemClock;
use mlango::domain::payout::WhyNothingSent;
use mlango::engine::port::LinkStage;
use mlango::rail::link::Link;
use mlango::rail::pace::Pace;
use mlango::rail::transport::{Answer, Deadlines, Origin, Site, Unanswered, post};
use mlango::tls::{Client, ClientSettings};

use crate::s_server::broker;
use crate::support::{client, identity, old};

const ANSWER: &str = "<answer/>";

async fn ask(settings: ClientSettings, port: u16) -> (Result<Answer, Unanswered>, Arc<Link>) {
    let link = Arc::new(Link::new("soap", Arc::new(SystemClock)));
    let tls = Client::new(settings).expect("set up");
    let origin = Origin { link: Some(Arc::clone(&link)), ..Origin::plain("127.0.0.1", port) };
    let long = Duration::from_secs(60);
    let deadlines = Deadlines { connect: long, send: long, answer: long };
    let site = Site { origin: origin.encrypted(tls), deadlines };
    let pace = Pace::new(100);
    let answered = post(&site, "/mminterface/request", b"<request/>".to_vec(), &pace).await;
    (answered, link)
}

fn ours(settings: ClientSettings) -> ClientSettings {
    ClientSettings { identity: Some(identity("client")), ..settings }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_of_any_age_is_spoken_to_by_the_library_that_can() {
    let weak = "DEFAULT:@SECLEVEL=0";
    type Row<'a> = (&'a str, &'a str, &'a [&'a str], ClientSettings, &'a str, &'a str);
    let table: [Row<'_>; 5] = [
        ("TLS 1.3", "broker", &["-tls1_3"], ours(client("ca.pem")), "TLSv1.3", ""),
        ("TLS 1.2", "broker", &["-tls1_2"], ours(client("ca.pem")), "TLSv1.2", ""),
        (
            "TLS 1.1",
            "broker",
            &["-tls1_1", "-cipher", weak],
            ours(old(client("ca.pem"))),
            "TLSv1.1",
            "TLSv1.1 only",
        ),
        (
            "TLS 1.0",
            "broker",
            &["-tls1", "-cipher", weak],
            ours(old(client("ca.pem"))),
            "TLSv1 ",
            "TLSv1 only",
        ),
        (
            "a small key",
            "small",
            &["-tls1_2", "-cipher", weak],
            ours(old(client("ca.pem"))),
            "TLSv1.2",
            "1024 bits only",
        ),
    ];
    for (what, shows, more, settings, protocol, weak) in table {
        let broker = broker(shows, more, ANSWER);
        let (answered, link) = ask(settings, broker.port).await;
        let answer = answered.unwrap_or_else(|why| panic!("{what}: {why:?} {link:?}"));
        assert_eq!((answer.status, answer.body.as_slice()), (200, ANSWER.as_bytes()), "{what}");
        let request = broker.request();
        assert!(request.starts_with("POST /mminterface/request HTTP/1.1"), "{what}: {request}");
        assert!(request.ends_with("<request/>"), "{what}: {request}");
        let state = link.state();
        assert_eq!(state.up, Some(true), "{what}");
        assert!(state.answered_at.is_some(), "{what}");
        let spoken = state.protocol.expect("a protocol");
        assert!(spoken.starts_with(protocol), "{what}: {spoken}");
        assert_eq!(state.weak.iter().any(|it| it.contains(weak)), !weak.is_empty(), "{what}");
    }
}

/// What the strong library cannot speak to, it says so about, and how to go on.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_broker_is_named_as_such() {
    let broker = broker("broker", &["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"], ANSWER);
    let (answered, link) = ask(ours(client("ca.pem")), broker.port).await;
    assert_eq!(answered, Err(Unanswered::NothingSent(WhyNothingSent::Connect)));
    let failure = link.state().failure.expect("a failure");
    assert_eq!(failure.stage, LinkStage::Tls);
    assert!(failure.what.contains("tls = \"openssl\""), "{}", failure.what);
    assert_eq!(link.state().up, Some(false));
}

/// A broker that wants another certificate than ours turns us away, and the payout has not left,
/// whichever version he speaks.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_turns_our_certificate_away_was_told_nothing() {
    for version in ["-tls1_3", "-tls1_2"] {
        for (what, settings) in [
            (
                "a stranger's",
                ClientSettings { identity: Some(identity("stranger")), ..client("ca.pem") },
            ),
            (
                "one of 2016",
                ClientSettings { identity: Some(identity("expired")), ..client("ca.pem") },
            ),
        ] {
            let broker = broker("broker", &[version], ANSWER);
            let (answered, link) = ask(settings, broker.port).await;
            let expected = Err(Unanswered::NothingSent(WhyNothingSent::Connect));
            assert_eq!(answered, expected, "{what} {version}: {link:?}");
            let failure = link.state().failure.expect("a failure");
            assert_eq!(failure.stage, LinkStage::Tls, "{what} {version}");
            assert!(failure.what.contains("client certificate"), "{}", failure.what);
        }
    }
}

/// A broker in TLS 1.3 that takes so long over our certificate that we have said everything by
/// then: its refusal says that it read none of it. What is refused in TLS 1.2 after the handshake
/// says nothing of the kind.
#[tokio::test]
async fn a_late_refusal_of_our_certificate_is_no_doubt() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (port, _taken) =
        crate::support::take_one(crate::support::server("broker", Some("ca.pem"))).await;
    // What the broker says after its hello is held back for longer than a sign is waited for.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let between = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        let (mut ours, _peer) = listener.accept().await.expect("a connection");
        let mut theirs = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("there");
        let (mut from_us, mut to_us) = ours.split();
        let (mut from_them, mut to_them) = theirs.split();
        let up = tokio::io::copy(&mut from_us, &mut to_them);
        let down = async {
            let mut buffer = vec![0; 16 * 1024];
            let hello = from_them.read(&mut buffer).await.unwrap_or(0);
            let _gone = to_us.write_all(&buffer[..hello]).await;
            let rest = from_them.read(&mut buffer).await.unwrap_or(0);
            tokio::time::sleep(Duration::from_secs(1)).await;
            let _gone = to_us.write_all(&buffer[..rest]).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        tokio::join!(
            async {
                let _ended = up.await;
            },
            down
        );
    });
    let stranger = ClientSettings { identity: Some(identity("stranger")), ..client("ca.pem") };
    let (answered, link) = ask(stranger, between).await;
    assert_eq!(answered, Err(Unanswered::NothingSent(WhyNothingSent::Connect)), "{link:?}");
    assert_eq!(link.state().failure.expect("a failure").stage, LinkStage::Tls);
}
