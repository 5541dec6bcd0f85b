//! What a listener speaks: its certificate, and whose certificates it asks for.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;

use super::facts::Facts;
use super::read::{IdentityFiles, certificates};
use super::strong::{HTTP, add, parts, peer, provider, unfit};
use super::{BoxedStream, NoTls, Refused, Stream};

/// What a listener's encryption is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// The certificate, and those that lead from it to its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities one of whose certificates a peer must show; `None`: a peer shows none.
    pub client_ca: Option<PathBuf>,
}

/// A listener's encryption. Clones share it.
#[derive(Clone)]
pub struct Acceptor(Arc<Inner>);

struct Inner {
    settings: ServerSettings,
    current: RwLock<Arc<Current>>,
}

struct Current {
    acceptor: TlsAcceptor,
    own: Vec<Facts>,
    authorities: Vec<Facts>,
}

impl fmt::Debug for Acceptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Acceptor({})", self.0.settings.certificate.display())
    }
}

impl Acceptor {
    /// Reads the files that `settings` name.
    ///
    /// # Errors
    /// [`NoTls`].
    pub fn new(settings: ServerSettings) -> Result<Self, NoTls> {
        let current = RwLock::new(Arc::new(Current::read(&settings)?));
        Ok(Self(Arc::new(Inner { settings, current })))
    }

    /// What it was made with.
    pub fn settings(&self) -> &ServerSettings {
        &self.0.settings
    }

    /// Reads the files again. What is returned, when called, puts them in use; connections that
    /// stand go on with what they began with.
    ///
    /// # Errors
    /// [`NoTls`]: what they hold will not do, and everything stays as it is.
    pub fn read_again(&self) -> Result<impl FnOnce() + Send + use<>, NoTls> {
        let fresh = Arc::new(Current::read(&self.0.settings)?);
        let inner = Arc::clone(&self.0);
        Ok(move || *inner.current.write().unwrap_or_else(PoisonError::into_inner) = fresh)
    }

    /// Reads the files again and puts them in use; what will not do changes nothing.
    ///
    /// # Errors
    /// [`NoTls`].
    pub fn renew(&self) -> Result<(), NoTls> {
        self.read_again().map(|put_in_use| put_in_use())
    }

    /// The listener's certificate and those that lead from it to its authority.
    pub fn own(&self) -> Vec<Facts> {
        self.current().own.clone()
    }

    /// The authorities whose certificates peers must show.
    pub fn authorities(&self) -> Vec<Facts> {
        self.current().authorities.clone()
    }

    /// Agrees on keys with a peer, and verifies who he is, if he must say. The caller sets the
    /// time limit.
    ///
    /// # Errors
    /// [`Refused`]: nothing of a request was read.
    pub async fn accept(
        &self,
        stream: impl Stream + 'static,
    ) -> Result<(BoxedStream, Option<Facts>), Refused> {
        let accepting = self.current().acceptor.accept(stream);
        let stream = accepting.await.map_err(|error| Refused::of(&error))?;
        let peer = peer(stream.get_ref().1);
        Ok((Box::new(stream), peer))
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Current {
    fn read(settings: &ServerSettings) -> Result<Self, NoTls> {
        let ServerSettings { certificate, key, client_ca } = settings;
        let files = IdentityFiles::Pair { certificate: certificate.clone(), key: key.clone() };
        let identity = files.read()?;
        let setup = |error: rustls::Error| NoTls::Setup(error.to_string());
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(setup)?;
        let mut authorities = Vec::new();
        let builder = match client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                authorities = certificates(path)?;
                let mut roots = RootCertStore::empty();
                add(&mut roots, &authorities, path)?;
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
                        .build()
                        .map_err(|error| NoTls::Setup(error.to_string()))?;
                builder.with_client_cert_verifier(verifier)
            }
        };
        let (chain, key) = parts(&identity, certificate)?;
        let unfit = |error| unfit(certificate, &error);
        let mut config = builder.with_single_cert(chain, key).map_err(unfit)?;
        config.alpn_protocols = vec![HTTP.to_vec()];
        let facts = |all: &[openssl::x509::X509]| all.iter().map(|it| Facts::of(it)).collect();
        Ok(Self {
            acceptor: TlsAcceptor::from(Arc::new(config)),
            own: facts(&identity.chain),
            authorities: facts(&authorities),
        })
    }
}
