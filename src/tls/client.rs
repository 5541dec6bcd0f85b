//! What we speak when we call: whom we trust, what we show, and what came of the handshake.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use openssl::x509::X509;

use super::facts::{Facts, Fingerprint};
use super::read::{Identity, IdentityFiles, certificates};
use super::{BoxedStream, NoTls, Refused, Stream, old, strong};

/// Whose signature under the other side's certificate counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// That of an authority which this machine trusts.
    Machine,
    /// That of one which this machine trusts, or which is in this file.
    MachineAnd(PathBuf),
    /// That of one in this file, and of nobody else: a partner's own authority.
    Only(PathBuf),
}

impl Trust {
    /// The file, if one is named.
    pub const fn file(&self) -> Option<&PathBuf> {
        match self {
            Self::Machine => None,
            Self::MachineAnd(path) | Self::Only(path) => Some(path),
        }
    }

    /// Whether this machine's authorities count.
    pub(super) const fn takes_machine(&self) -> bool {
        matches!(self, Self::Machine | Self::MachineAnd(_))
    }

    fn read(&self) -> Result<Vec<X509>, NoTls> {
        Ok(self.file().map(|path| certificates(path)).transpose()?.unwrap_or_default())
    }
}

/// What speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// rustls: TLS 1.2 and 1.3, nothing weak.
    Strong,
    /// OpenSSL, for a peer that speaks nothing newer than TLS 1.0 or 1.1, has a small key, or a
    /// certificate that names its host in its common name only (spec/soap.md §1.5).
    Old,
}

/// How calls to one host are encrypted.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The host that is called; an IPv6 address without brackets.
    pub host: String,
    /// The name that its certificate must be for, where that is not the host.
    pub server_name: Option<String>,
    /// Whom we trust.
    pub trust: Trust,
    /// What we show when we are asked who we are.
    pub identity: Option<IdentityFiles>,
    /// If there are any, its certificate must be one of these as well.
    pub pins: Vec<Fingerprint>,
    /// What speaks it.
    pub backend: Backend,
}

impl ClientSettings {
    /// Calls to `host`, without a certificate of ours.
    pub fn to(host: &str, trust: Trust) -> Self {
        Self {
            host: host.to_owned(),
            server_name: None,
            trust,
            identity: None,
            pins: Vec::new(),
            backend: Backend::Strong,
        }
    }

    /// The name that the other side's certificate must be for.
    pub fn name(&self) -> &str {
        self.server_name.as_deref().unwrap_or(&self.host)
    }
}

/// What a handshake agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Such as `TLSv1.3`.
    pub version: String,
    /// Such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The other side's certificate.
    pub peer: Option<Facts>,
    /// What is weak about it, in words; empty if nothing is.
    pub weak: Vec<String>,
    /// Whether the other side may still turn our certificate away: in TLS 1.3 it looks at that when
    /// our half of the handshake is over, and it has given no sign yet that it is done.
    pub is_on_trial: bool,
}

/// How calls to one host are encrypted, and what is needed for it. Clones share it.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    settings: ClientSettings,
    current: RwLock<Arc<Current>>,
    /// What was found weak last, so that it is said once.
    warned: Mutex<Vec<String>>,
}

/// What the files said when they were read last.
struct Current {
    connector: Connector,
    own: Vec<Facts>,
    authorities: Vec<Facts>,
}

enum Connector {
    Strong(strong::Connector),
    Old(old::Connector),
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ClientSettings { host, backend, .. } = &self.0.settings;
        write!(f, "Client({host}, {backend:?})")
    }
}

impl Client {
    /// Reads the files that `settings` name.
    ///
    /// # Errors
    /// [`NoTls`].
    pub fn new(settings: ClientSettings) -> Result<Self, NoTls> {
        let current = RwLock::new(Arc::new(Current::read(&settings)?));
        Ok(Self(Arc::new(Inner { settings, current, warned: Mutex::default() })))
    }

    /// Encryption towards `host` on the public internet: its certificate must be signed by an
    /// authority that this machine trusts, or by one in the file `ca`.
    ///
    /// # Errors
    /// [`NoTls`].
    pub fn to(host: &str, ca: Option<PathBuf>) -> Result<Self, NoTls> {
        let trust = ca.map_or(Trust::Machine, Trust::MachineAnd);
        Self::new(ClientSettings::to(host, trust))
    }

    /// What it was made with.
    pub fn settings(&self) -> &ClientSettings {
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

    /// Our own certificate and those that lead from it to its authority; empty if there is none.
    pub fn own(&self) -> Vec<Facts> {
        self.current().own.clone()
    }

    /// The authorities of the named file.
    pub fn authorities(&self) -> Vec<Facts> {
        self.current().authorities.clone()
    }

    /// Agrees on keys, and verifies who the other side is. The caller sets the time limit.
    ///
    /// # Errors
    /// [`Refused`]: no byte of a request has been handed over.
    pub async fn shake_hands(
        &self,
        stream: impl Stream + 'static,
    ) -> Result<(BoxedStream, Session), Refused> {
        let current = self.current();
        let (stream, session) = match &current.connector {
            Connector::Strong(connector) => connector.shake_hands(stream).await?,
            Connector::Old(connector) => connector.shake_hands(stream).await?,
        };
        self.warn(&session);
        Ok((stream, session))
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn warn(&self, session: &Session) {
        let mut warned = self.0.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if *warned == session.weak {
            return;
        }
        warned.clone_from(&session.weak);
        drop(warned);
        if !session.weak.is_empty() {
            tracing::warn!(
                host = self.0.settings.host,
                weak = session.weak.join("; "),
                "the encryption towards this host is weak: ask its owner to renew it"
            );
        }
    }
}

impl Current {
    fn read(settings: &ClientSettings) -> Result<Self, NoTls> {
        let authorities = settings.trust.read()?;
        let identity = settings.identity.as_ref().map(IdentityFiles::read).transpose()?;
        let own = identity.iter().flat_map(|it: &Identity| &it.chain);
        let own = own.map(|certificate| Facts::of(certificate)).collect();
        let facts = authorities.iter().map(|certificate| Facts::of(certificate)).collect();
        let connector = match settings.backend {
            Backend::Strong => Connector::Strong(strong::Connector::new(
                settings,
                &authorities,
                identity.as_ref(),
            )?),
            Backend::Old => {
                Connector::Old(old::Connector::new(settings, authorities, identity.as_ref())?)
            }
        };
        Ok(Self { connector, own, authorities: facts })
    }
}
