//! The committed certificates, and OpenSSL's own program as a second opinion.

#![expect(clippy::expect_used, reason = "a test may stop at the first surprise")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mlango::credential::{Certificate, PrivateKey};
use mlango::domain::time::Timestamp;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("certs.example").join(name)
}

fn certificate(name: &str) -> Certificate {
    Certificate::from_bytes(&fs::read(file(name)).expect("a file")).expect("a certificate")
}

#[test]
fn each_committed_certificate_belongs_to_its_key() {
    let pairs = [
        ("credential.pem", "credential-key.pem"),
        ("credential.cer", "credential-key.pem"),
        ("credential-expired.pem", "credential-expired-key.pem"),
    ];
    for (name, key) in pairs {
        let key = PrivateKey::from_pem(&fs::read(file(key)).expect("a file")).expect("a key");
        let credential = certificate(name).encrypt("Example-Initiator-1").expect("encrypts");
        assert_eq!(credential.len(), 344, "{name}");
        assert_eq!(key.decrypt(&credential).as_deref(), Ok("Example-Initiator-1"), "{name}");
    }
}

#[test]
fn an_expired_certificate_serves_and_says_that_it_expired() {
    let now = Timestamp::from_millis(1_704_164_645_000);
    let expired = certificate("credential-expired.pem");
    assert!(expired.is_expired(now));
    let end = expired.expires_at().expect("a date");
    assert_eq!(end.rfc3339(), "2016-01-01T00:00:00.000Z");
    assert!(!certificate("credential.pem").is_expired(now));
}

#[test]
fn openssl_itself_decrypts_what_we_encrypt() {
    let credential = certificate("credential.pem").encrypt("Pass&<word>é").expect("encrypts");
    let block = STANDARD.decode(credential).expect("base64");
    let mut child = Command::new("openssl")
        .args(["pkeyutl", "-decrypt", "-pkeyopt", "rsa_padding_mode:pkcs1", "-inkey"])
        .arg(file("credential-key.pem"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the openssl program: apt-get install openssl");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(&block).expect("writes");
    drop(input);
    let output = child.wait_with_output().expect("ends");
    assert_eq!(String::from_utf8(output.stdout).as_deref(), Ok("Pass&<word>é"));
}
