//! Files as partners hand them out, and everything that may be wrong with them.

use mlango::domain::time::Timestamp;
use mlango::tls::read::{certificates, private_key};
use mlango::tls::{
    Acceptor, Client, ClientSettings, Facts, Identity, IdentityFiles, ServerSettings, Trust,
};

use crate::certificates::file;
use crate::support::{call, client, identity, server, take_one, written};

#[test]
fn every_form_of_a_certificate_is_read() {
    for name in ["ca.pem", "ca.der", "ca.p7b"] {
        let found = certificates(&file(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let facts = Facts::of(&found[0]);
        assert_eq!(facts.common_name.as_deref(), Some("Mlango example authority ca"), "{name}");
    }
}

#[test]
fn a_certificate_says_what_it_is() {
    let facts = |name: &str| Facts::of(&certificates(&file(name)).expect("a certificate")[0]);
    let broker = facts("broker.pem");
    assert_eq!(broker.names, ["broker.example.test", "localhost", "127.0.0.1", "::1"]);
    assert_eq!((broker.key, broker.key_bits), ("EC", 256));
    let day = |text: &str| Timestamp::parse_rfc3339(text).expect("a time");
    assert_eq!(broker.until, Some(day("2054-01-01T00:00:00Z")));
    assert_eq!(broker.days_left(day("2053-12-30T00:00:00Z")), Some(2));
    assert_eq!(broker.days_left(day("2054-01-01T00:00:01Z")), Some(-1));
    assert!(broker.is_good_at(day("2025-01-01T00:00:00Z")));
    assert!(!broker.is_good_at(day("2023-12-31T23:59:59Z")), "not yet");
    assert_eq!(broker.weak(), Vec::<String>::new());
    let small = facts("small.pem");
    assert_eq!((small.key, small.key_bits), ("RSA", 1024));
    assert_eq!(small.weak(), ["its RSA key has 1024 bits only"]);
}

/// What the file holds, and what is said of it.
#[test]
fn a_file_that_will_not_do_is_named_and_what_to_do_said() {
    let key = std::fs::read(file("client-key.pem")).expect("a key");
    let certificate = std::fs::read(file("client.pem")).expect("a certificate");
    let cut = &certificate[..certificate.len() / 2];
    let table: [(&str, &[u8], &str); 5] = [
        ("nothing", b"", "an empty file"),
        ("a page", b"<html>log in first</html>", "an HTML page"),
        ("a key", &key, "a private key"),
        ("a cut one", cut, "damaged or cut short"),
        ("a zip", b"PK\x03\x04....", "a zip archive"),
    ];
    for (what, content, says) in table {
        let (_dir, path) = written(content);
        let error = certificates(&path).expect_err(what).to_string();
        assert!(error.contains("file.pem"), "{what}: {error}");
        assert!(error.contains(says), "{what}: {error}");
    }
    let (_dir, path) = written(&certificate);
    let error = private_key(&path).expect_err("a certificate is no key").to_string();
    assert!(error.contains("is no private key"), "{error}");
    let missing = certificates(std::path::Path::new("/nowhere/ca.pem")).expect_err("no file");
    assert!(missing.to_string().contains("/nowhere/ca.pem: cannot be read"), "{missing}");
}

#[test]
fn a_key_with_a_passphrase_is_refused_with_the_way_out() {
    let key = private_key(&file("client-key.pem")).expect("a key");
    let cipher = openssl::symm::Cipher::aes_256_cbc();
    let locked = key.private_key_to_pem_pkcs8_passphrase(cipher, b"secret").expect("a key");
    let (_dir, path) = written(&locked);
    let error = private_key(&path).expect_err("it is locked").to_string();
    assert!(error.contains("has a passphrase") && error.contains("openssl pkey"), "{error}");
}

#[test]
fn a_certificate_and_another_ones_key_do_not_belong_together() {
    let error = Identity::of(&file("client.pem"), &file("server-key.pem")).expect_err("mixed up");
    assert!(error.to_string().contains("do not belong together"), "{error}");
    let settings = ServerSettings {
        certificate: file("server.pem"),
        key: file("client-key.pem"),
        client_ca: None,
    };
    let error = Acceptor::new(settings).expect_err("mixed up").to_string();
    assert!(error.contains("server.pem"), "{error}");
}

#[tokio::test]
async fn a_bundle_of_certificate_and_key_is_read() {
    let bundle = |passphrase: &str| IdentityFiles::Pkcs12 {
        file: file("client.p12"),
        passphrase: passphrase.to_owned().into(),
    };
    let error = bundle("wrong").read().expect_err("the passphrase is wrong").to_string();
    assert!(error.contains("passphrase is wrong"), "{error}");
    assert!(!error.contains("\"wrong\""), "{error}");
    let (port, taken) = take_one(server("broker", Some("ca.pem"))).await;
    let settings = ClientSettings { identity: Some(bundle("example")), ..client("ca.pem") };
    call(settings, port).await.expect("it is let in");
    let peer = taken.await.expect("no panic").expect("let in").0.expect("a certificate");
    assert_eq!(peer.common_name.as_deref(), Some("partner.example.test"));
}

#[test]
fn a_small_key_is_refused_by_the_strong_library_with_the_way_out() {
    let settings = ServerSettings {
        certificate: file("small.pem"),
        key: file("small-key.pem"),
        client_ca: None,
    };
    let error = Acceptor::new(settings).expect_err("too small").to_string();
    assert!(error.contains("small.pem") && error.contains("2048"), "{error}");
    let weak = ClientSettings { identity: Some(identity("small")), ..client("ca.pem") };
    let error = Client::new(weak).expect_err("too small").to_string();
    assert!(error.contains("tls = \"openssl\""), "{error}");
}

/// A certificate that was renewed is shown to whoever comes next; one that will not do changes
/// nothing.
#[tokio::test]
async fn renewed_files_are_used_by_the_next_connection() {
    let dir = tempfile::TempDir::new().expect("a directory");
    let put = |name: &str| {
        std::fs::copy(file(&format!("{name}.pem")), dir.path().join("c.pem")).expect("copied");
        std::fs::copy(file(&format!("{name}-key.pem")), dir.path().join("k.pem")).expect("copied");
    };
    put("server");
    let settings = ServerSettings {
        certificate: dir.path().join("c.pem"),
        key: dir.path().join("k.pem"),
        client_ca: None,
    };
    let acceptor = Acceptor::new(settings).expect("set up");
    let shown = |acceptor: &Acceptor| acceptor.own()[0].common_name.clone().expect("a name");
    assert_eq!(shown(&acceptor), "gateway.example.test");
    put("broker");
    assert_eq!(shown(&acceptor), "gateway.example.test", "only when it is asked to");
    acceptor.renew().expect("it can be read");
    assert_eq!(shown(&acceptor), "broker.example.test");
    std::fs::write(dir.path().join("c.pem"), "half a file").expect("written");
    acceptor.renew().expect_err("it cannot be read");
    assert_eq!(shown(&acceptor), "broker.example.test", "it goes on with what it had");

    std::fs::copy(file("other-ca.pem"), dir.path().join("ca.pem")).expect("copied");
    let trust = Trust::Only(dir.path().join("ca.pem"));
    let client = Client::new(ClientSettings::to("127.0.0.1", trust)).expect("set up");
    std::fs::copy(file("ca.pem"), dir.path().join("ca.pem")).expect("copied");
    client.renew().expect("it can be read");
    let (port, _taken) = take_one(server("broker", None)).await;
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.expect("a connection");
    client.shake_hands(stream).await.expect("its authority is trusted now");
}
