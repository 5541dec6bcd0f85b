//! `mlango credential`: the initiator's password, encrypted for M-Pesa (spec/soap.md §6).

use std::io::{BufRead as _, IsTerminal as _, Read as _};
use std::path::PathBuf;

use clap::Subcommand;
use zeroize::Zeroizing;

use super::{Failure, out};
use crate::clock::{Clock as _, SystemClock};
use crate::credential::{Certificate, FILE_MAX};

/// The longest password that is read: RSA with PKCS#1 v1.5 takes no more from a 4096-bit key.
const PASSWORD_BYTES_MAX: u64 = 501;

#[derive(Debug, Subcommand)]
pub(super) enum Credential {
    /// Read the initiator's password from a prompt or standard input, print the
    /// SecurityCredential.
    Encrypt {
        /// Safaricom's certificate, PEM or DER.
        #[arg(long, value_name = "FILE")]
        cert: PathBuf,
    },
}

impl Credential {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Self::Encrypt { cert } = self;
        let certificate = read_certificate(&cert)?;
        if certificate.is_expired(SystemClock.now()) {
            out::say(&format!(
                "note: {} has expired; M-Pesa does not mind, but ask whether there is a newer one",
                cert.display()
            ));
        }
        let password = password()?;
        if password.is_empty() {
            return Err(Failure::Failed("the password is empty".to_owned()));
        }
        let credential = certificate.encrypt(&password).map_err(Failure::failed)?;
        out::data(&credential);
        Ok(())
    }
}

fn read_certificate(path: &PathBuf) -> Result<Certificate, Failure> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(FILE_MAX).unwrap_or(u64::MAX).saturating_add(1);
    std::fs::File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut bytes))
        .map_err(|error| Failure::Failed(format!("{} cannot be read: {error}", path.display())))?;
    Certificate::from_bytes(&bytes)
        .map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

fn password() -> Result<Zeroizing<String>, Failure> {
    if std::io::stdin().is_terminal() {
        let typed = rpassword::prompt_password("Initiator password: ");
        return typed
            .map(Zeroizing::new)
            .map_err(|error| Failure::Failed(format!("the password cannot be read: {error}")));
    }
    let mut line = Zeroizing::new(String::new());
    let mut input = std::io::stdin().lock().take(PASSWORD_BYTES_MAX.saturating_add(2));
    input
        .read_line(&mut line)
        .map_err(|error| Failure::Failed(format!("the password cannot be read: {error}")))?;
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}
