//! What the customer's system must know to talk to the simulated M-Pesa.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::Failure;
use crate::cli::client::base_of;
use crate::sim::{Settings, broker};

/// As JSON. The credentials are good for this simulator only, and secret all the same: they may
/// come from a configuration.
pub(super) fn render(settings: &Settings, addr: SocketAddr) -> Result<Value, Failure> {
    let base = base_of(addr, false);
    let credential = settings.credential_key.encrypt(&settings.initiator_password);
    let credential = credential.map_err(Failure::failed)?;
    let initiator = json!({
        "shortcode": settings.shortcode.as_str(),
        "initiator": settings.initiator,
        "initiator_password": settings.initiator_password,
        "security_credential": credential,
    });
    let mut soap = initiator.clone();
    let mut daraja = initiator;
    let more = [
        ("url", format!("{base}{}", broker::PATH)),
        ("sp_id", settings.sp_id.clone()),
        ("sp_password", settings.sp_password.clone()),
        ("service_id", settings.service_id.clone()),
    ];
    set(&mut soap, more);
    let more = [
        ("url", base.clone()),
        ("consumer_key", settings.daraja.consumer_key.clone()),
        ("consumer_secret", settings.daraja.consumer_secret.clone()),
    ];
    set(&mut daraja, more);
    let ledger = format!("{base}/sim/ledger");
    Ok(json!({ "url": base, "ledger": ledger, "soap": soap, "daraja": daraja }))
}

/// The same for a system that talks to the gateway; the key is that of one which was started for
/// it.
pub(super) fn of_gateway(front: SocketAddr, key: Option<&str>) -> Value {
    json!({ "gateway": { "url": base_of(front, false), "api_key": key } })
}

fn set<const N: usize>(to: &mut Value, values: [(&str, String); N]) {
    let Some(object) = to.as_object_mut() else {
        return;
    };
    object.extend(values.map(|(name, value)| (name.to_owned(), Value::String(value))));
}

/// Writes it whole: who waits for the file never reads half of it. Only its owner can read it.
pub(super) fn write(path: &Path, connection: &Value) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::Failed(format!("{} cannot be written: {error}", path.display()))
    };
    let new = path.with_extension("new");
    let mut file = OpenOptions::new();
    file.write(true).create(true).truncate(true).mode(0o600);
    let text = format!("{connection:#}\n");
    file.open(&new).and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)?;
    std::fs::rename(&new, path).map_err(failed)
}
