//! `mlango credential encrypt` and `mlango xml show`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::house::House;
use crate::process::assert_clean;

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What OpenSSL's own program makes of a credential.
fn decrypt(house: &House, key: &Path, credential: &str) -> String {
    let bytes = STANDARD.decode(credential.trim()).expect("base64");
    let file = house.path("credential.bin");
    fs::write(&file, bytes).expect("a file");
    let output = Command::new("openssl")
        .args(["pkeyutl", "-decrypt", "-inkey"])
        .arg(key)
        .arg("-in")
        .arg(&file)
        .output()
        .expect("the openssl program: apt-get install openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_password_from_standard_input_becomes_a_credential_that_the_key_opens() {
    let house = House::new();
    let key = house.path("certs/credential.key");
    let encrypt = ["credential", "encrypt", "--cert", "certs/credential.cer"];
    for input in ["Example&Pass 1", "Example&Pass 1\n", "Example&Pass 1\r\nand more\n"] {
        let done = house.run_with(&encrypt, &[], input);
        assert_eq!((done.code, done.err.as_str()), (0, ""));
        assert_eq!(decrypt(&house, &key, &done.out), "Example&Pass 1");
    }
    house.run_with(&encrypt, &[], "\n").failed(1, &["the password is empty"]);
    house.run_with(&encrypt, &[], &"x".repeat(300)).failed(1, &["password"]);
}

#[test]
fn an_expired_certificate_serves_with_a_warning() {
    let house = House::new();
    let certificate = project("certs.example/credential-expired.pem");
    let certificate = certificate.to_str().expect("a path");
    let done = house.run_with(&["credential", "encrypt", "--cert", certificate], &[], "Example-1");
    assert_eq!(done.code, 0);
    assert!(done.err.contains("credential-expired.pem has expired"), "{}", done.err);
    let key = project("certs.example/credential-expired-key.pem");
    assert_eq!(decrypt(&house, &key, &done.out), "Example-1");

    let house = house.with("ORGANISATION__CREDENTIAL_CERTIFICATE", certificate);
    let mut gateway = house.serve();
    assert!(gateway.err().contains("the credential certificate has expired"), "{}", gateway.err());
    gateway.stop();
}

#[test]
fn what_is_no_certificate_is_said_to_be_none() {
    let house = House::new();
    let encrypt = |file: &str| house.run(&["credential", "encrypt", "--cert", file]);
    encrypt("none.cer").failed(1, &["none.cer cannot be read"]);
    encrypt("mlango.toml").failed(1, &["mlango.toml", "not a certificate"]);
    encrypt("certs/credential.key").failed(1, &["credential.key", "private key"]);
    encrypt("certs").failed(1, &["certs"]);
}

#[test]
fn recorded_messages_are_shown_without_what_must_not_be_seen() {
    let house = House::new();
    let mut shown = 0;
    for entry in fs::read_dir(project("tests/golden")).expect("golden messages") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            // Daraja's, which are JSON.
            continue;
        }
        let done = house.run(&["xml", "show", path.to_str().expect("a path")]);
        assert_eq!(done.code, 0, "{}: {}", path.display(), done.err);
        assert_clean(&done.out, &[]);
        let same = house.run_with(&["xml", "show", "-"], &[], &fs::read_to_string(&path).unwrap());
        assert_eq!((same.code, same.out), (0, done.out), "{}", path.display());
        shown += 1;
    }
    assert!(shown > 10, "only {shown} messages were found");
    let result = project("tests/golden/result-failed.xml");
    let result = house.run(&["xml", "show", result.to_str().expect("a path")]).out;
    assert!(result.contains("<ResultCode>2040</ResultCode>  ("), "the code is explained: {result}");
    let request = project("tests/golden/request-a.xml");
    let request = house.run(&["xml", "show", request.to_str().expect("a path")]).out;
    for word in ["<SecurityCredential>***<", "<spPassword>***<", "<spId>100001<"] {
        assert!(request.contains(word), "{request}");
    }
    assert!(request.contains("<serviceId>100001000<"), "it is no phone: {request}");
}

#[test]
fn what_is_no_message_is_refused_in_a_sentence() {
    let house = House::new();
    let table: [(&str, &[u8], &str); 6] = [
        ("empty", b"", "empty"),
        ("text", b"hello", "not XML"),
        ("zeros", &[0; 4096], "not XML"),
        (
            "cut",
            b"<soapenv:Envelope xmlns:soapenv='http://schemas.xmlsoap.org/soap/envelope/'><",
            "",
        ),
        ("doctype", b"<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "DOCTYPE"),
        ("latin", b"<a>\xe9\xff</a>", ""),
    ];
    for (name, bytes, word) in table {
        fs::write(house.path(name), bytes).expect("a file");
        house.run(&["xml", "show", name]).failed(1, &[name, word]);
    }
    fs::write(house.path("deep"), "<a>".repeat(100_000)).expect("a file");
    house.run(&["xml", "show", "deep"]).failed(1, &["deep"]);
    fs::write(house.path("large"), vec![b' '; 5 * 1024 * 1024]).expect("a file");
    house.run(&["xml", "show", "large"]).failed(1, &["larger than any message"]);
    house.run(&["xml", "show", "none"]).failed(1, &["none cannot be read"]);
}
