//! Certificate and key files, in every form in which partners hand them out
//! (spec/soap.md §1.5): PEM, DER, PKCS#7 (`.p7b`) and PKCS#12 (`.p12`, `.pfx`).

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use openssl::pkcs7::Pkcs7;
use openssl::pkcs12::{ParsedPkcs12_2, Pkcs12};
use openssl::pkey::{PKey, Private};
use openssl::provider::Provider;
use openssl::x509::X509;
use zeroize::Zeroizing;

use crate::credential::looks_like;

/// The longest file that is read: a bundle of all authorities of a machine has about 250 KiB.
const FILE_MAX: u64 = 4 * 1024 * 1024;
/// The most certificates of a file: a machine's bundle has about 150.
const CERTIFICATES_MAX: usize = 1_000;
const PEM: &[u8] = b"-----BEGIN ";
const PEM_PKCS7: &[u8] = b"-----BEGIN PKCS7";

/// A file that will not do, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {what}")]
pub struct BadFile {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and what to do.
    pub what: String,
}

impl BadFile {
    fn of(path: &Path, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), what: what.into() }
    }
}

/// Where our own certificate and its key are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityFiles {
    /// In two files.
    Pair {
        /// The certificate, and those that lead from it to the authority.
        certificate: PathBuf,
        /// Its private key, without a passphrase.
        key: PathBuf,
    },
    /// In one PKCS#12 file.
    Pkcs12 {
        /// The file.
        file: PathBuf,
        /// What opens it.
        passphrase: Zeroizing<String>,
    },
}

impl IdentityFiles {
    /// The file that the certificate is in.
    pub fn certificate(&self) -> &Path {
        match self {
            Self::Pair { certificate, .. } => certificate,
            Self::Pkcs12 { file, .. } => file,
        }
    }

    /// Reads them.
    ///
    /// # Errors
    /// [`BadFile`].
    pub fn read(&self) -> Result<Identity, BadFile> {
        match self {
            Self::Pair { certificate, key } => Identity::of(certificate, key),
            Self::Pkcs12 { file, passphrase } => pkcs12(file, passphrase),
        }
    }
}

/// Our own certificate, what leads from it to its authority, and its key.
pub struct Identity {
    /// The certificate first.
    pub chain: Vec<X509>,
    /// Its private key.
    pub key: PKey<Private>,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("chain", &self.chain).finish_non_exhaustive()
    }
}

impl Identity {
    /// A certificate file and the key that belongs to it.
    ///
    /// # Errors
    /// [`BadFile`]: one cannot be read, or the two do not belong together.
    pub fn of(certificate: &Path, key: &Path) -> Result<Self, BadFile> {
        let identity = Self { chain: certificates(certificate)?, key: private_key(key)? };
        if identity.belongs_together() {
            return Ok(identity);
        }
        let what = format!(
            "its public key is not that of the private key in {}: the two do not belong together \
             (a certificate that was renewed with another key, or two files mixed up)",
            key.display()
        );
        Err(BadFile::of(certificate, what))
    }

    fn belongs_together(&self) -> bool {
        let public = self.chain.first().and_then(|leaf| leaf.public_key().ok());
        public.is_some_and(|public| public.public_eq(&self.key))
    }
}

/// Every certificate in a file, in their order there: PEM, DER or PKCS#7.
///
/// # Errors
/// [`BadFile`]: it cannot be read, or holds none.
pub fn certificates(path: &Path) -> Result<Vec<X509>, BadFile> {
    let bytes = bytes(path)?;
    let found = if contains(&bytes, PEM_PKCS7) || !contains(&bytes, PEM) {
        X509::from_der(&bytes).map(|one| vec![one]).ok().or_else(|| pkcs7(&bytes))
    } else {
        X509::stack_from_pem(&bytes).ok()
    };
    let found = found.unwrap_or_default();
    if found.is_empty() {
        let what = format!(
            "holds no certificate that can be read: it looks like {}; expected is PEM \
             (\"-----BEGIN CERTIFICATE-----\"), DER or .p7b",
            looks_like(&bytes)
        );
        return Err(BadFile::of(path, what));
    }
    if found.len() > CERTIFICATES_MAX {
        let what =
            format!("holds {} certificates; at most {CERTIFICATES_MAX} are read", found.len());
        return Err(BadFile::of(path, what));
    }
    Ok(found)
}

fn pkcs7(bytes: &[u8]) -> Option<Vec<X509>> {
    let bundle = if contains(bytes, PEM) { Pkcs7::from_pem(bytes) } else { Pkcs7::from_der(bytes) };
    let bundle = bundle.ok()?;
    Some(bundle.signed()?.certificates()?.iter().map(ToOwned::to_owned).collect())
}

/// A private key without a passphrase: PEM or DER, of whatever kind.
///
/// # Errors
/// [`BadFile`]: it cannot be read, is none, or has a passphrase.
pub fn private_key(path: &Path) -> Result<PKey<Private>, BadFile> {
    let bytes = Zeroizing::new(bytes(path)?);
    let mut was_asked = false;
    let key = PKey::private_key_from_pem_callback(&bytes, |_passphrase| {
        was_asked = true;
        Ok(0)
    });
    let key = key.or_else(|_not_pem| PKey::private_key_from_der(&bytes));
    key.map_err(|_neither| {
        if was_asked {
            return BadFile::of(
                path,
                "the private key has a passphrase, which nobody is there to type when the gateway \
                 starts: take it off (\"openssl pkey -in OLD -out NEW\"), make the file readable by \
                 its owner only, or use client_pkcs12 with a passphrase file",
            );
        }
        let what = format!(
            "is no private key that can be read: it looks like {}; expected is PEM \
             (\"-----BEGIN PRIVATE KEY-----\") without a passphrase",
            looks_like(&bytes)
        );
        BadFile::of(path, what)
    })
}

fn pkcs12(path: &Path, passphrase: &str) -> Result<Identity, BadFile> {
    let bytes = Zeroizing::new(bytes(path)?);
    let bundle = Pkcs12::from_der(&bytes).map_err(|_error| {
        let what = format!("is no PKCS#12 file: it looks like {}", looks_like(&bytes));
        BadFile::of(path, what)
    })?;
    let opened = match bundle.parse2(passphrase) {
        Ok(opened) => opened,
        // Older programs encrypt with RC2, which OpenSSL 3 has in a provider of its own.
        Err(_error) => with_old_ciphers(|| bundle.parse2(passphrase)).map_err(|_error| {
            BadFile::of(
                path,
                "cannot be opened: the passphrase is wrong, or it is encrypted in a way that this \
                 machine's OpenSSL does not know",
            )
        })?,
    };
    let ParsedPkcs12_2 { cert, pkey, ca } = opened;
    let (Some(leaf), Some(key)) = (cert, pkey) else {
        return Err(BadFile::of(path, "holds no certificate with its private key"));
    };
    let others = ca.into_iter().flatten();
    let identity = Identity { chain: std::iter::once(leaf).chain(others).collect(), key };
    if identity.belongs_together() {
        return Ok(identity);
    }
    Err(BadFile::of(path, "its certificate and its private key do not belong together"))
}

fn with_old_ciphers<T>(
    run: impl FnOnce() -> Result<T, openssl::error::ErrorStack>,
) -> Result<T, openssl::error::ErrorStack> {
    // Kept for as long as it is needed; the usual ciphers stay.
    let _old = Provider::try_load(None, "legacy", true)?;
    run()
}

/// The bytes of a file that is not too long.
fn bytes(path: &Path) -> Result<Vec<u8>, BadFile> {
    let unreadable = |error: std::io::Error| BadFile::of(path, format!("cannot be read: {error}"));
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_MAX.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > FILE_MAX) {
        return Err(BadFile::of(path, "is much too large for certificates"));
    }
    Ok(bytes)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
