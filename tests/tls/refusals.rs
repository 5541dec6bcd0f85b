//! Who is let in and who is not, and what is said: both libraries, as a table.

use mlango::tls::{Acceptor, Client, ClientSettings, Facts, Refused, Trust};
use tokio::net::{TcpListener, TcpStream};

use crate::certificates::file;
use crate::support::{call, client, identity, old, server, take_one};

fn with(settings: ClientSettings, name: &str) -> ClientSettings {
    ClientSettings { identity: Some(identity(name)), ..settings }
}

fn named(settings: ClientSettings, name: &str) -> ClientSettings {
    ClientSettings { server_name: Some(name.to_owned()), ..settings }
}

#[tokio::test]
async fn both_sides_know_each_other() {
    for (what, settings) in [
        ("rustls", with(client("ca.pem"), "client")),
        ("rustls, authorities as .p7b", with(client("ca.p7b"), "client")),
        ("rustls, authorities as DER", with(client("ca.der"), "client")),
        ("openssl", with(old(client("ca.p7b")), "client")),
    ] {
        let (port, taken) = take_one(server("broker", Some("ca.p7b"))).await;
        let session = call(settings, port).await.unwrap_or_else(|why| panic!("{what}: {why}"));
        let (peer, said) = taken.await.expect("no panic").expect("it was let in");
        assert_eq!(said, b"hello", "{what}");
        let peer = peer.expect("a certificate");
        assert_eq!(peer.subject, "CN=partner.example.test, O=Mlango examples", "{what}");
        assert!(peer.is_one_of(&["PARTNER.example.test".to_owned()]), "{what}");
        assert!(!peer.is_one_of(&["broker.example.test".to_owned()]), "{what}");
        assert!(session.version.starts_with("TLSv1."), "{what}: {}", session.version);
        let broker = session.peer.expect("its certificate");
        assert_eq!(broker.common_name.as_deref(), Some("broker.example.test"), "{what}");
        assert_eq!(session.weak, Vec::<String>::new(), "{what}");
    }
}

/// What the broker shows, whom we trust and by which name, and which refusal that is; its words
/// say what to do.
#[tokio::test]
async fn a_broker_that_is_not_who_he_should_be_is_not_spoken_to() {
    type Made = fn(ClientSettings) -> ClientSettings;
    let table: [(&str, &str, Made, &str, &str); 6] = [
        ("an authority that nobody named", "stranger", |it| it, "unknown_authority", "chain"),
        ("another name", "named", |it| it, "wrong_name", "server_name"),
        (
            "another name than the one that is set",
            "broker",
            |it| named(it, "elsewhere.example.test"),
            "wrong_name",
            "server_name",
        ),
        ("a certificate of 2016", "expired", |it| it, "expired", "renew"),
        (
            "another certificate than the pinned one",
            "broker",
            |it| {
                let pin = Facts::of(
                    &mlango::tls::read::certificates(&file("server.pem")).expect("it")[0],
                );
                ClientSettings { pins: vec![pin.fingerprint], ..it }
            },
            "wrong_pin",
            "pin",
        ),
        ("a name by which he is known", "named", |it| named(it, "broker.example.test"), "", ""),
    ];
    for (what, shows, made, refusal, words) in table {
        for settings in [client("ca.pem"), old(client("ca.pem"))] {
            let what = format!("{what}, {:?}", settings.backend);
            let (port, taken) = take_one(server(shows, None)).await;
            match call(made(settings), port).await {
                Ok(_session) => assert_eq!(refusal, "", "{what} was spoken to"),
                Err(why) => {
                    assert_eq!(why.as_str(), refusal, "{what}: {why}");
                    assert!(why.to_string().contains(words), "{what}: {why}");
                    let taken = taken.await.expect("no panic");
                    assert!(
                        !matches!(&taken, Ok((_, said)) if !said.is_empty()),
                        "{what}: he was told something: {taken:?}"
                    );
                }
            }
        }
    }
}

#[tokio::test]
async fn a_pinned_certificate_is_spoken_to() {
    let pin = Facts::of(&mlango::tls::read::certificates(&file("broker.pem")).expect("it")[0]);
    for settings in [client("ca.pem"), old(client("ca.pem"))] {
        let (port, _taken) = take_one(server("broker", None)).await;
        let pinned = ClientSettings { pins: vec![pin.fingerprint], ..settings };
        call(pinned, port).await.expect("it is the one");
    }
}

/// What is weak or has its name where it does not count is taken by the older library only, and
/// said.
#[tokio::test]
async fn what_is_old_needs_the_older_library() {
    let (port, _taken) = take_one(server("bare", None)).await;
    let bare = named(client("ca.pem"), "localhost");
    let why = call(bare.clone(), port).await.expect_err("no name counts");
    assert_eq!(why.as_str(), "wrong_name");
    assert!(why.to_string().contains("tls = \"openssl\""), "{why}");
    let (port, _taken) = take_one(server("bare", None)).await;
    call(old(bare), port).await.expect("the common name counts");
}

/// Our own certificate is turned away: not one byte is said, in either version of TLS.
#[tokio::test]
async fn a_caller_without_the_right_certificate_is_not_let_in() {
    for (what, settings, refusal) in [
        ("none", client("ca.pem"), "no_certificate"),
        ("a stranger's", with(client("ca.pem"), "stranger"), "unknown_authority"),
        ("one of 2016", with(client("ca.pem"), "expired"), "expired"),
        ("none, openssl", old(client("ca.pem")), "no_certificate"),
    ] {
        let (port, taken) = take_one(server("broker", Some("ca.pem"))).await;
        let why = call(settings, port).await.expect_err(what);
        assert!(matches!(why, Refused::TheyRefuse(_) | Refused::Closed), "{what}: {why:?}");
        assert!(why.to_string().contains("certificate"), "{what}: {why}");
        let turned_away = taken.await.expect("no panic").expect_err(what);
        assert_eq!(turned_away.as_str(), refusal, "{what}: {turned_away}");
    }
}

/// With a certificate that will not do, the handshake itself fails, although in TLS 1.3 our half
/// of it is over before the other side has looked.
#[tokio::test]
async fn a_refused_certificate_is_known_before_anything_is_said() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let acceptor = Acceptor::new(server("broker", Some("ca.pem"))).expect("set up");
    tokio::spawn(async move {
        let (stream, _peer) = listener.accept().await.expect("a connection");
        acceptor.accept(stream).await.map(|_opened| ())
    });
    let client = Client::new(with(client("ca.pem"), "stranger")).expect("set up");
    let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    let refused =
        client.shake_hands(stream).await.map(|_opened| ()).expect_err("it is known by now");
    assert!(matches!(refused, Refused::TheyRefuse(_) | Refused::Closed), "{refused:?}");
}

#[tokio::test]
async fn plain_text_in_place_of_tls_is_said_to_be_that() {
    for settings in [client("ca.pem"), old(client("ca.pem"))] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        tokio::spawn(async move {
            use tokio::io::AsyncWriteExt as _;
            let (mut stream, _peer) = listener.accept().await.expect("a connection");
            let _gone = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        });
        let why = call(settings, port).await.expect_err("no TLS");
        assert_eq!(why, Refused::NotTls, "{why}");
        assert!(why.to_string().contains("http://"), "{why}");
    }
}

#[test]
fn this_machines_authorities_do_not_count_beside_a_partners_own() {
    let trust = Trust::Only(file("ca.pem"));
    let client = Client::new(ClientSettings::to("127.0.0.1", trust)).expect("set up");
    assert_eq!(client.authorities().len(), 1);
}
