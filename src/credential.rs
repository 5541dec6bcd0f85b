//! SecurityCredential: the initiator's password, encrypted for M-Pesa (spec/soap.md §6).
//!
//! RSA with PKCS#1 v1.5 padding, the password alone as plain text, base64 on one line. The only
//! file here that names `openssl`.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::bn::{BigNum, MsbOption};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, PKey, Private, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::x509::{X509, X509NameBuilder};
use zeroize::Zeroize as _;

use crate::domain::time::Timestamp;

/// The longest certificate or key file that is read: real ones have 2 to 5 KiB.
pub const FILE_MAX: usize = 256 * 1024;
/// Bits of keys made here; 2,048 give the usual 344 characters of base64.
const KEY_BITS: u32 = 2048;
/// Bits of a certificate's serial number.
const SERIAL_BITS: i32 = 127;

/// What went wrong with a certificate, a key or an encryption. None of it quotes a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The file is no certificate.
    #[error(
        "this is not a certificate: it looks like {looks_like}; expected is an X.509 certificate \
         in PEM (\"-----BEGIN CERTIFICATE-----\") or DER form, as M-Pesa hands it out"
    )]
    NotACertificate {
        /// What it looks like.
        looks_like: &'static str,
    },
    /// The file is no private key.
    #[error(
        "this is not a private key: it looks like {looks_like}; expected is an RSA key in PEM form \
         without a passphrase (\"-----BEGIN PRIVATE KEY-----\")"
    )]
    NotAKey {
        /// What it looks like.
        looks_like: &'static str,
    },
    /// A key of another kind.
    #[error("the key is not an RSA key; M-Pesa encrypts passwords with RSA only")]
    NotRsa,
    /// The password does not fit into one block.
    #[error("the password is empty or longer than the {max} bytes that this key can encrypt")]
    PasswordLength {
        /// The most bytes.
        max: usize,
    },
    /// A credential that this key did not encrypt, or that is none.
    #[error("the credential cannot be decrypted with this key")]
    Undecipherable,
    /// OpenSSL failed otherwise.
    #[error("OpenSSL failed: {0}")]
    OpenSsl(String),
}

impl CredentialError {
    fn openssl(error: &ErrorStack) -> Self {
        let first = error.errors().first();
        let reason = first.and_then(openssl::error::Error::reason);
        Self::OpenSsl(reason.unwrap_or("unknown reason").to_owned())
    }
}

/// What a file looks like, from its first bytes.
pub fn looks_like(bytes: &[u8]) -> &'static str {
    let text: String = bytes.iter().take(4096).map(|byte| char::from(*byte)).collect();
    let table = [
        ("BEGIN PKCS7", "a PKCS#7 bundle (.p7b); convert it with \"openssl pkcs7 -print_certs\""),
        ("BEGIN CERTIFICATE REQUEST", "a certificate request, not a certificate"),
        ("BEGIN CERTIFICATE", "a PEM certificate that is damaged or cut short"),
        ("BEGIN ENCRYPTED PRIVATE KEY", "a private key with a passphrase"),
        ("PRIVATE KEY", "a private key"),
        ("BEGIN PUBLIC KEY", "a bare public key"),
        ("BEGIN RSA PUBLIC KEY", "a bare public key"),
        ("<html", "an HTML page"),
        ("<HTML", "an HTML page"),
        ("<!DOCTYPE", "an HTML page"),
    ];
    if bytes.is_empty() {
        return "an empty file";
    }
    if let Some((_, name)) = table.iter().find(|(sign, _)| text.contains(sign)) {
        return name;
    }
    match bytes {
        [0x30, 0x80..=0x84, ..] => "a binary (DER) file that is no certificate or is damaged",
        [b'P', b'K', ..] => "a zip archive",
        _ if bytes.iter().all(|byte| byte.is_ascii()) => "a text file",
        _ => "a binary file of another kind",
    }
}

/// The certificate whose public key encrypts the password.
pub struct Certificate {
    key: PKey<Public>,
    expires_at: Option<Timestamp>,
    subject: String,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl Certificate {
    /// Reads a certificate in PEM or DER form, whatever its line ends.
    ///
    /// Its dates are not looked at: an expired one still serves (spec/soap.md §6), and
    /// [`Certificate::is_expired`] lets the caller warn.
    ///
    /// # Errors
    /// It is none; the error says what the file looks like. Or its key is not RSA.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CredentialError> {
        let unreadable = || CredentialError::NotACertificate { looks_like: looks_like(bytes) };
        if bytes.len() > FILE_MAX {
            return Err(CredentialError::NotACertificate {
                looks_like: "a file much too large for a certificate",
            });
        }
        let certificate = X509::from_pem(bytes)
            .or_else(|_not_pem| X509::from_der(bytes))
            .map_err(|_neither| unreadable())?;
        let key = certificate.public_key().map_err(|_no_key| unreadable())?;
        if key.rsa().is_err() {
            return Err(CredentialError::NotRsa);
        }
        let subject = certificate
            .subject_name()
            .entries()
            .filter_map(|entry| entry.data().to_string().ok())
            .collect::<Vec<_>>()
            .join(", ");
        Ok(Self { key, expires_at: moment(certificate.not_after()), subject })
    }

    /// When it expires; `None` if it does not say so readably.
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Whether it has expired at `now`. M-Pesa takes credentials made with it all the same.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end < now)
    }

    /// Whose it is, in words.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Encrypts a password: base64 on one line, 344 characters for a key of 2,048 bits. Each call
    /// gives another text, because the padding is random.
    ///
    /// # Errors
    /// The password is empty or too long for the key.
    pub fn encrypt(&self, password: &str) -> Result<String, CredentialError> {
        let rsa = self.key.rsa().map_err(|error| CredentialError::openssl(&error))?;
        encrypted(&rsa, password)
    }
}

fn encrypted<Key: HasPublic>(rsa: &Rsa<Key>, password: &str) -> Result<String, CredentialError> {
    let size = usize::try_from(rsa.size()).unwrap_or(0);
    // PKCS#1 v1.5 needs 11 bytes of each block for itself.
    let max = size.saturating_sub(11);
    if password.is_empty() || password.len() > max {
        return Err(CredentialError::PasswordLength { max });
    }
    let mut block = vec![0; size];
    let len = rsa
        .public_encrypt(password.as_bytes(), &mut block, Padding::PKCS1)
        .map_err(|error| CredentialError::openssl(&error))?;
    block.truncate(len);
    Ok(STANDARD.encode(block))
}

/// A certificate's time; `None` if it cannot be read, or lies outside of what can be told.
pub fn moment(time: &Asn1TimeRef) -> Option<Timestamp> {
    let epoch = Asn1Time::from_unix(0).ok()?;
    let since = epoch.diff(time).ok()?;
    let seconds = i64::from(since.days).checked_mul(86_400)?.checked_add(i64::from(since.secs))?;
    seconds.checked_mul(1000).map(Timestamp::from_millis)
}

/// The other half: only the simulator has it, in M-Pesa's place.
#[derive(Clone)]
pub struct PrivateKey {
    key: Rsa<Private>,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(***)")
    }
}

impl PrivateKey {
    /// Reads a key in PEM form, PKCS#8 or the older form, without a passphrase.
    ///
    /// # Errors
    /// It is none; the error says what the file looks like. Or it is not RSA.
    pub fn from_pem(bytes: &[u8]) -> Result<Self, CredentialError> {
        let unreadable = || CredentialError::NotAKey { looks_like: looks_like(bytes) };
        if bytes.len() > FILE_MAX {
            return Err(unreadable());
        }
        // Without a callback OpenSSL would ask for the passphrase on the terminal.
        let key = PKey::private_key_from_pem_callback(bytes, |_buffer| Ok(0))
            .map_err(|_no_key| unreadable())?;
        let key = key.rsa().map_err(|_other_kind| CredentialError::NotRsa)?;
        Ok(Self { key })
    }

    /// Encrypts a password as the certificate does that belongs to this key.
    ///
    /// # Errors
    /// The password is empty or too long for the key.
    pub fn encrypt(&self, password: &str) -> Result<String, CredentialError> {
        encrypted(&self.key, password)
    }

    /// The password inside a credential; blanks in the base64 are forgiven.
    ///
    /// # Errors
    /// [`CredentialError::Undecipherable`].
    pub fn decrypt(&self, credential: &str) -> Result<String, CredentialError> {
        let bare: String = credential.split_whitespace().collect();
        let block = STANDARD.decode(bare).map_err(|_no_base64| CredentialError::Undecipherable)?;
        let mut plain = vec![0; usize::try_from(self.key.size()).unwrap_or(0)];
        let len = self
            .key
            .private_decrypt(&block, &mut plain, Padding::PKCS1)
            .map_err(|_wrong_key| CredentialError::Undecipherable)?;
        let password = plain
            .get(..len)
            .and_then(|bytes| std::str::from_utf8(bytes).ok())
            .map(ToOwned::to_owned);
        plain.zeroize();
        password.ok_or(CredentialError::Undecipherable)
    }
}

/// A certificate and its key in PEM form: `Debug` hides the key.
#[derive(Clone)]
pub struct Pair {
    /// The certificate, for the gateway.
    pub certificate_pem: String,
    /// The key, for the simulator.
    pub key_pem: String,
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pair(***)")
    }
}

/// Makes a throw-away pair for demonstrations: self-signed, valid from now for `days`.
///
/// # Errors
/// OpenSSL failed.
pub fn generate_pair(common_name: &str, days: u32) -> Result<Pair, CredentialError> {
    build_pair(common_name, days).map_err(|error| CredentialError::openssl(&error))
}

fn build_pair(common_name: &str, days: u32) -> Result<Pair, ErrorStack> {
    let key = PKey::from_rsa(Rsa::generate(KEY_BITS)?)?;
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("CN", common_name)?;
    let name = name.build();
    let mut serial = BigNum::new()?;
    serial.rand(SERIAL_BITS, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    builder.set_serial_number(serial.to_asn1_integer()?.as_ref())?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_not_before(Asn1Time::days_from_now(0)?.as_ref())?;
    builder.set_not_after(Asn1Time::days_from_now(days)?.as_ref())?;
    builder.set_pubkey(&key)?;
    builder.sign(&key, MessageDigest::sha256())?;
    let pem = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Pair {
        certificate_pem: pem(builder.build().to_pem()?),
        key_pem: pem(key.private_key_to_pem_pkcs8()?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_comes_back_from_its_credential() {
        let pair = generate_pair("example.test", 1).expect("a pair");
        let certificate = Certificate::from_bytes(pair.certificate_pem.as_bytes()).expect("reads");
        let key = PrivateKey::from_pem(pair.key_pem.as_bytes()).expect("reads");
        let one = certificate.encrypt("Example-Initiator-1").expect("encrypts");
        let two = certificate.encrypt("Example-Initiator-1").expect("encrypts");
        assert_eq!(one.len(), 344);
        assert!(!one.contains('\n'));
        assert_ne!(one, two, "the padding is random");
        assert_eq!(key.decrypt(&one).as_deref(), Ok("Example-Initiator-1"));
        assert_eq!(key.decrypt(&format!(" {two}\n")).as_deref(), Ok("Example-Initiator-1"));
        assert_eq!(certificate.subject(), "example.test");
    }

    #[test]
    fn pem_with_crlf_and_der_read_like_pem() {
        let pair = generate_pair("example.test", 1).expect("a pair");
        let crlf = pair.certificate_pem.replace('\n', "\r\n");
        let der = X509::from_pem(pair.certificate_pem.as_bytes())
            .and_then(|certificate| certificate.to_der())
            .expect("DER");
        for bytes in [crlf.as_bytes(), der.as_slice()] {
            let certificate = Certificate::from_bytes(bytes).expect("reads");
            assert_eq!(certificate.encrypt("x").expect("encrypts").len(), 344);
        }
    }

    #[test]
    fn a_certificate_says_when_it_expires() {
        let pair = generate_pair("example.test", 10).expect("a pair");
        let certificate = Certificate::from_bytes(pair.certificate_pem.as_bytes()).expect("reads");
        let end = certificate.expires_at().expect("a date");
        assert!(!certificate.is_expired(Timestamp::from_millis(1_700_000_000_000)));
        assert!(!certificate.is_expired(end));
        assert!(certificate.is_expired(Timestamp::from_millis(end.millis().saturating_add(1))));
    }

    #[test]
    fn what_is_no_certificate_is_named() {
        let pair = generate_pair("example.test", 1).expect("a pair");
        let half: String = pair.certificate_pem.chars().take(300).collect();
        let table: [(&[u8], &str); 8] = [
            (b"", "an empty file"),
            (b"hello", "a text file"),
            (b"<html><body>Forbidden</body></html>", "an HTML page"),
            (half.as_bytes(), "damaged or cut short"),
            (pair.key_pem.as_bytes(), "a private key"),
            (b"-----BEGIN PKCS7-----\nMII\n", "PKCS#7"),
            (&[0x30, 0x82, 1, 2, 3], "binary (DER)"),
            (&[0, 159, 146], "another kind"),
        ];
        for (bytes, expected) in table {
            let error = Certificate::from_bytes(bytes).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains("PEM"), "{error}");
        }
    }

    #[test]
    fn what_is_no_key_and_what_is_no_credential_is_refused() {
        let pair = generate_pair("example.test", 1).expect("a pair");
        let other = generate_pair("other.test", 1).expect("a pair");
        let error = PrivateKey::from_pem(pair.certificate_pem.as_bytes()).expect_err("no key");
        assert!(error.to_string().contains("certificate"), "{error}");
        let key = PrivateKey::from_pem(pair.key_pem.as_bytes()).expect("reads");
        let foreign = Certificate::from_bytes(other.certificate_pem.as_bytes())
            .and_then(|certificate| certificate.encrypt("Example-Initiator-1"))
            .expect("encrypts");
        for text in ["", "not base64!", "QUJD", &foreign] {
            assert_ne!(key.decrypt(text).as_deref(), Ok("Example-Initiator-1"), "{text}");
        }
        assert_eq!(format!("{key:?} {pair:?}"), "PrivateKey(***) Pair(***)");
    }

    #[test]
    fn passwords_that_do_not_fit_are_refused() {
        let pair = generate_pair("example.test", 1).expect("a pair");
        let certificate = Certificate::from_bytes(pair.certificate_pem.as_bytes()).expect("reads");
        let refused = Err(CredentialError::PasswordLength { max: 245 });
        assert_eq!(certificate.encrypt(""), refused);
        assert_eq!(certificate.encrypt(&"x".repeat(246)), refused);
        assert!(certificate.encrypt(&"x".repeat(245)).is_ok());
    }
}
