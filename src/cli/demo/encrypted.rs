//! The demo over TLS: throw-away certificates, and a configuration that uses them on every way.

use std::path::Path;
use std::process::{Command, Stdio};

use super::{Failure, free_port};

/// Makes the certificates; the tests use the same.
const SCRIPT: &str = include_str!("../../../certs.example/make.sh");
/// Where they are, beside the configuration.
const DIR: &str = "tls";

/// `values`, and what differs over TLS. The certificates are made in `dir`.
pub(super) fn overrides(
    dir: &Path,
    values: Vec<(&'static str, String)>,
) -> Result<Vec<(&'static str, String)>, Failure> {
    make(&dir.join(DIR))?;
    let (tls, https) = (free_port(18423)?, free_port(8443)?);
    let file = |name: &str| format!("\"{DIR}/{name}\"");
    let again = |value: &str| value.replacen("http://", "https://", 1);
    let mut all: Vec<(&'static str, String)> = values
        .into_iter()
        .map(|(name, value)| match name {
            "callbacks.public_url" => (name, again(&value)),
            "broker.url" => (name, format!("\"https://127.0.0.1:{tls}\"")),
            "daraja.url" => (name, format!("\"https://127.0.0.1:{https}\"")),
            "sms.url" => (name, format!("\"https://127.0.0.1:{https}/version1/messaging\"")),
            _ => (name, value),
        })
        .collect();
    all.extend([
        ("api.tls_certificate", file("server.pem")),
        ("api.tls_key", file("server-key.pem")),
        ("api.tls_ca", file("ca.pem")),
        ("callbacks.tls_certificate", file("server.pem")),
        ("callbacks.tls_key", file("server-key.pem")),
        ("callbacks.client_ca", file("ca.p7b")),
        ("callbacks.client_names", "[\"broker.example.test\"]".to_owned()),
        ("broker.ca", file("ca.p7b")),
        ("broker.client_pkcs12", file("client.p12")),
        ("broker.client_pkcs12_password", "\"example\"".to_owned()),
        ("broker.server_name", "\"broker.example.test\"".to_owned()),
        ("daraja.ca", file("ca.pem")),
        ("sms.ca", file("ca.pem")),
        ("simulator.tls_listen", format!("\"127.0.0.1:{tls}\"")),
        ("simulator.https_listen", format!("\"127.0.0.1:{https}\"")),
        ("simulator.tls_certificate", file("broker.pem")),
        ("simulator.tls_key", file("broker-key.pem")),
        ("simulator.client_ca", file("ca.pem")),
    ]);
    Ok(all)
}

fn make(dir: &Path) -> Result<(), Failure> {
    let script = ["-c", SCRIPT, "make.sh", "all"];
    let made = Command::new("sh").args(script).arg(dir).stdin(Stdio::null()).output();
    let made = made.map_err(|error| Failure::Failed(format!("sh cannot be run: {error}")))?;
    if made.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&made.stderr);
    let said = said.lines().next_back().unwrap_or("it said nothing").to_owned();
    Err(Failure::Failed(format!(
        "the certificates of the demo could not be made with the openssl program: {said}"
    )))
}
