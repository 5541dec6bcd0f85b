//! Encryption: TLS 1.2 or later, and the other side's certificate is always verified.
//!
//! There is no way to switch the verification off. Whoever has a certificate that the machine does
//! not trust names the authority that signed it.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, ServerName, pem};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// The most certificates of a file of authorities: a bundle of all has about 150.
const AUTHORITIES_MAX: usize = 1_000;

/// Why there can be no encryption.
#[derive(Debug, thiserror::Error)]
pub enum NoTls {
    /// The file of authorities will not do.
    #[error("the certificates in {path} cannot be read: {error}")]
    Authorities {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: pem::Error,
    },
    /// One of them is no certificate of an authority.
    #[error("a certificate in {path} will not do: {error}")]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: rustls::Error,
    },
    /// A file without certificates.
    #[error("{0} holds no certificate; it must be PEM, with -----BEGIN CERTIFICATE-----")]
    Empty(PathBuf),
    /// Nobody is trusted.
    #[error(
        "this machine trusts no certificate authority: install its ca-certificates package, or \
         name a file of authorities with `ca`"
    )]
    NoTrust,
    /// The host's name can stand in no certificate.
    #[error("the host {host} is no name that a certificate could be for: {error}")]
    Name {
        /// The host.
        host: String,
        /// What is wrong with it.
        error: InvalidDnsNameError,
    },
    /// The library would not.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// How connections to one host are encrypted.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({:?})", self.name)
    }
}

impl Tls {
    /// Encryption towards `host`, whose certificate must be signed by an authority that this
    /// machine trusts, or by one in the PEM file `ca`. It reads files.
    ///
    /// # Errors
    /// [`NoTls`].
    pub fn to(host: &str, ca: Option<&Path>) -> Result<Self, NoTls> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in found.errors {
            tracing::warn!(%error, "some of this machine's certificate authorities");
        }
        // A machine's bundle may hold what this library does not take; the others still count.
        let (_taken, _left_out) = roots.add_parsable_certificates(found.certs);
        if let Some(path) = ca {
            add(&mut roots, path)?;
        }
        if roots.is_empty() {
            return Err(NoTls::NoTrust);
        }
        let name = match host.parse::<IpAddr>() {
            Ok(address) => ServerName::IpAddress(address.into()),
            Err(_) => ServerName::try_from(host.to_owned())
                .map_err(|error| NoTls::Name { host: host.to_owned(), error })?,
        };
        // The versions that are safe: 1.2 and 1.3.
        let mut config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // What is sent before the handshake is over could be sent again by somebody else.
        config.enable_early_data = false;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }

    /// Agrees on keys, and verifies who the other side is.
    ///
    /// # Errors
    /// It could not be done: no byte of a request has been handed over.
    pub async fn shake_hands(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}

fn add(roots: &mut RootCertStore, path: &Path) -> Result<(), NoTls> {
    let unreadable = |error| NoTls::Authorities { path: path.to_owned(), error };
    let mut is_empty = true;
    let all = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    for certificate in all.take(AUTHORITIES_MAX) {
        roots
            .add(certificate.map_err(unreadable)?)
            .map_err(|error| NoTls::Authority { path: path.to_owned(), error })?;
        is_empty = false;
    }
    if is_empty { Err(NoTls::Empty(path.to_owned())) } else { Ok(()) }
}
