//! What the customer's system must know to talk to the simulated M-Pesa.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::NamedTempFile;

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

/// Refuses a file that is there already, before anything runs: it would be removed with the run.
pub(super) fn is_free(path: &Path) -> Result<(), Failure> {
    // A link that leads nowhere is there, too.
    if std::fs::symlink_metadata(path).is_err() {
        return Ok(());
    }
    Err(Failure::Usage(format!(
        "--connection {}: there is such a file already, and it would go with the run; remove it \
         or name another. Nothing was run",
        path.display()
    )))
}

/// Writes it whole: who waits for the file never reads half of it. Only its owner can read it, and
/// no other file is ever written over.
pub(super) fn write(path: &Path, connection: &Value) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::Usage(format!("--connection {}: cannot be written: {error}", path.display()))
    };
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let mut new = NamedTempFile::new_in(dir.unwrap_or_else(|| Path::new("."))).map_err(failed)?;
    writeln!(new, "{connection:#}").map_err(failed)?;
    new.persist_noclobber(path).map(drop).map_err(|error| failed(error.error))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_its_owner_reads_it_and_no_file_is_written_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("connection.json");
        let neighbour = dir.path().join("connection.new");
        fs::write(&neighbour, "mine").expect("written");
        is_free(&path).expect("free");
        write(&path, &json!({"url": "http://127.0.0.1:1"})).expect("written");
        let mode = fs::metadata(&path).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(fs::read_to_string(&path).expect("text").ends_with("}\n"));
        assert_eq!(fs::read_to_string(&neighbour).expect("text"), "mine");
        fs::write(&path, "theirs").expect("written");
        assert!(matches!(is_free(&path), Err(Failure::Usage(_))));
        assert!(matches!(write(&path, &json!({})), Err(Failure::Usage(_))));
        assert_eq!(fs::read_to_string(&path).expect("text"), "theirs");
        assert_eq!(fs::read_dir(dir.path()).expect("a directory").count(), 2);
    }
}
