//! Certificates of our own, and the credential.

use std::fs;
use std::process::Command;

use super::{NOBODY, ca, find_all, mode, row, shows, tls};
use crate::certificates::file;

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn faults_of_our_own_certificates_are_found() {
    let fails = |check, words| (check, "fails", words);
    let table = [
        row(
            "another certificate's key",
            |house| {
                tls(house, "broker");
                house.set("BROKER__CLIENT_KEY", &file("server-key.pem").display().to_string());
            },
            fails("broker.client_certificate.pair", "do not belong together"),
        ),
        row(
            "a key with a passphrase",
            |house| {
                tls(house, "broker");
                let (from, to) = (file("client-key.pem"), house.path("locked.pem"));
                let made = Command::new("openssl")
                    .args(["pkey", "-aes256", "-passout", "pass:example", "-in"])
                    .arg(from)
                    .arg("-out")
                    .arg(&to)
                    .status();
                assert!(made.expect("openssl").success());
                mode(&to, 0o600);
                house.set("BROKER__CLIENT_KEY", &to.display().to_string());
            },
            fails("broker.client_certificate.pair", "has a passphrase"),
        ),
        row(
            "a page where a certificate should be",
            |house| {
                tls(house, "broker");
                let page = house.write("page.pem", "<!DOCTYPE html><html>Sign in</html>");
                house.set("BROKER__CLIENT_CERTIFICATE", &page.display().to_string());
            },
            fails("broker.client_certificate.pair", "an HTML page"),
        ),
        row(
            "a small key",
            |house| {
                tls(house, "broker");
                shows(house, "small");
            },
            fails("broker.client_certificate.key_size", "1024 bits"),
        ),
        row(
            "a certificate of 2016",
            |house| {
                tls(house, "broker");
                shows(house, "expired");
            },
            fails("broker.client_certificate.dates", "has expired on 2016-01-01"),
        ),
        row(
            "a certificate of 2053",
            |house| {
                tls(house, "broker");
                shows(house, "future");
            },
            fails("broker.client_certificate.dates", "not good before 2053-01-01"),
        ),
        row(
            "a certificate for listeners only",
            |house| {
                tls(house, "broker");
                shows(house, "listener-only");
            },
            fails("broker.client_certificate.use", "clientAuth"),
        ),
        row(
            "a chain with something else in it",
            |house| {
                tls(house, "broker");
                let all =
                    ["stranger.pem", "server.pem"].map(|name| fs::read(file(name)).expect(name));
                let path = house.path("chain.pem");
                fs::write(&path, all.concat()).expect("written");
                house.set("BROKER__CLIENT_CERTIFICATE", &path.display().to_string());
                let key = file("stranger-key.pem").display().to_string();
                house.set("BROKER__CLIENT_KEY", &key);
            },
            fails("broker.client_certificate.chain", "breaks off"),
        ),
        row(
            "a host in an authority's place",
            |house| {
                tls(house, "broker");
                ca(house, "server.pem");
            },
            fails("broker.ca.authority", "it is no authority"),
        ),
        row(
            "a listener's certificate for another host",
            |house| {
                let port = house.callbacks;
                house.set("CALLBACKS__PUBLIC_URL", &format!("https://127.0.0.1:{port}"));
                let path = |name: &str| file(name).display().to_string();
                house.set("CALLBACKS__TLS_CERTIFICATE", &path("named.pem"));
                house.set("CALLBACKS__TLS_KEY", &path("named-key.pem"));
            },
            fails("callbacks.tls_certificate.name", "broker.example.test"),
        ),
    ];
    // A certificate that is no good is turned away by the broker as well.
    find_all(&table, &["daraja.tcp", "broker.tcp", "broker.tls", "broker.http"]);
}

#[test]
fn faults_of_the_credential_are_found() {
    let table = [
        row(
            "a page where the certificate should be",
            |house| {
                fs::write(house.path("certs/credential.cer"), "<html>Sign in</html>")
                    .expect("written");
            },
            ("credential.encrypts", "fails", "an HTML page"),
        ),
        row(
            "a certificate that has expired",
            |house| {
                let path = file("credential-expired.pem").display().to_string();
                house.set("ORGANISATION__CREDENTIAL_CERTIFICATE", &path);
            },
            ("credential.dates", "warning", "has expired on 2016-01-01"),
        ),
        row(
            "a certificate whose key the simulator has not got",
            |house| {
                let path = file("credential.pem").display().to_string();
                house.set("ORGANISATION__CREDENTIAL_CERTIFICATE", &path);
            },
            ("credential.round_trip", "warning", "does not open"),
        ),
        row(
            "a small key",
            |house| {
                let path = file("small.pem").display().to_string();
                house.set("ORGANISATION__CREDENTIAL_CERTIFICATE", &path);
            },
            ("credential.encrypts", "warning", "172 characters"),
        ),
        row(
            "an old password",
            |house| house.set("ORGANISATION__INITIATOR_PASSWORD_SET_ON", "2024-01-02"),
            ("credential.password_age", "fails", "ninety days"),
        ),
        row(
            "a password with characters to avoid",
            |house| house.set("ORGANISATION__INITIATOR_PASSWORD", "Example@1.Password"),
            ("credential.characters", "warning", "has \\\"@\\\" and \\\".\\\""),
        ),
    ];
    find_all(&table, NOBODY);
}
