//! `mlango init`: a configuration that works with the simulator at once.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, out};
use crate::config::example;
use crate::credential;
use crate::ids;
use crate::sim::{DarajaSettings, SmsSettings};

/// Days that the throw-away credential certificate is good for.
const CERTIFICATE_DAYS: u32 = 3650;

#[derive(Debug, Args)]
pub(super) struct Init {
    /// Where to write it.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

impl Init {
    pub(super) fn run(&self) -> Result<(), Failure> {
        let written = write(&self.dir, &[])?;
        let file = written.display();
        out::say(&format!("wrote {file}, and beside it certs/credential.cer and its key"));
        out::say("next, in two terminals:");
        out::data(&format!("mlango --config {file} simulate"));
        out::data(&format!("mlango --config {file} serve"));
        Ok(())
    }
}

/// Writes `mlango.toml` and a throw-away credential certificate into `dir`; `values` are set over
/// those of the simulator. Nothing that is there is overwritten.
pub(super) fn write(dir: &Path, values: &[(&str, String)]) -> Result<PathBuf, Failure> {
    let file = dir.join("mlango.toml");
    let certs = dir.join("certs");
    let failed = |what: &Path| {
        let what = what.display().to_string();
        move |error: std::io::Error| {
            Failure::Failed(if error.kind() == ErrorKind::AlreadyExists {
                format!(
                    "{what} is there already, and is left as it is; name another directory \
                         with --dir"
                )
            } else {
                format!("{what} cannot be written: {error}")
            })
        }
    };
    if file.exists() {
        return Err(failed(&file)(ErrorKind::AlreadyExists.into()));
    }
    fs::create_dir_all(&certs).map_err(failed(&certs))?;
    let pair = credential::generate_pair("Mlango throw-away credential", CERTIFICATE_DAYS)
        .map_err(Failure::failed)?;
    let certificate = certs.join("credential.cer");
    let key = certs.join("credential.key");
    write_new(&certificate, &pair.certificate_pem).map_err(failed(&certificate))?;
    write_new(&key, &pair.key_pem).map_err(failed(&key))?;
    let text = configuration(values)?;
    write_new(&file, &text).map_err(failed(&file))?;
    Ok(file)
}

fn configuration(values: &[(&str, String)]) -> Result<String, Failure> {
    let secret = |bytes: usize| -> Result<String, Failure> {
        let mut random = vec![0; bytes];
        ids::random(&mut random).map_err(Failure::Failed)?;
        Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
    };
    // What the simulator knows. Texts are sent once a template is written.
    let (simulated, texts) = (DarajaSettings::default(), SmsSettings::default());
    let mut all: Vec<(&str, String)> = vec![
        ("callbacks.public_url", "\"http://127.0.0.1:8081\"".to_owned()),
        ("callbacks.token", format!("\"{}\"", secret(24)?)),
        ("organisation.name", "\"ExampleOrg\"".to_owned()),
        ("organisation.shortcode", "\"600999\"".to_owned()),
        ("organisation.initiator", "\"apiop\"".to_owned()),
        ("organisation.initiator_password", format!("\"{}\"", secret(12)?)),
        ("organisation.credential_certificate", "\"certs/credential.cer\"".to_owned()),
        ("broker.url", "\"http://127.0.0.1:8310\"".to_owned()),
        ("broker.sp_id", "\"100001\"".to_owned()),
        ("broker.sp_password", format!("\"{}\"", secret(12)?)),
        ("broker.service_id", "\"100001000\"".to_owned()),
        ("simulator.credential_key", "\"certs/credential.key\"".to_owned()),
        ("daraja.url", "\"http://127.0.0.1:8310\"".to_owned()),
        ("daraja.consumer_key", format!("\"{}\"", simulated.consumer_key)),
        ("daraja.consumer_secret", format!("\"{}\"", simulated.consumer_secret)),
        ("daraja.passkey", format!("\"{}\"", simulated.passkey)),
        ("daraja.shortcode", "\"174379\"".to_owned()),
        ("sms.url", "\"http://127.0.0.1:8310/version1/messaging\"".to_owned()),
        ("sms.username", format!("\"{}\"", texts.username)),
        ("sms.api_key", format!("\"{}\"", texts.api_key)),
    ];
    for (name, value) in values {
        all.retain(|(known, _value)| known != name);
        all.push((name, value.clone()));
    }
    let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Ok(example::with(&all))
}

/// A new file that only its owner can read.
fn write_new(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
