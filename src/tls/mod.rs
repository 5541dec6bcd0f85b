//! Encrypted connections and the certificates behind them: of both sides, and for every room.
//!
//! `client` speaks to M-Pesa's broker, to Daraja and to whoever else is called; `server` is what a
//! listener speaks. Who the other side is, is always verified: there is no way to switch it off.
//! [`read`] takes the files as they are handed out (PEM, DER, `.p7b`, PKCS#12), [`facts`] says
//! what a certificate is, and [`Refused`] says in plain words why there is no connection.
//!
//! Everything here is read anew when its files change ([`Client::renew`], [`Acceptor::renew`]):
//! connections that stand go on with what they began with.

pub mod chain;
mod client;
pub mod facts;
mod old;
pub mod read;
mod refused;
mod server;
mod strong;

use std::fmt;
use std::path::PathBuf;

use tokio::io::{AsyncRead, AsyncWrite};

pub use self::client::{Backend, Client, ClientSettings, Session, Trust};
pub use self::facts::{Facts, Fingerprint};
pub use self::read::{BadFile, Identity, IdentityFiles};
pub use self::refused::Refused;
pub use self::server::{Acceptor, ServerSettings};

/// Why there can be no encryption.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoTls {
    /// A file will not do.
    #[error(transparent)]
    File(#[from] BadFile),
    /// One of the authorities is none.
    #[error("a certificate in {path} will not do as an authority: {error}")]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// Nobody is trusted.
    #[error(
        "this machine trusts no certificate authority: install its ca-certificates package, or \
         name a file of authorities with `ca`"
    )]
    NoTrust,
    /// The host's name can stand in no certificate.
    #[error("{0} is no name that a certificate could be for")]
    Name(String),
    /// Our own certificate and key cannot be used.
    #[error("{path}: {error}")]
    Identity {
        /// The certificate's file.
        path: PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// The library would not.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// A connection of whatever kind.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection that is encrypted, or not.
pub type BoxedStream = Box<dyn Stream>;

impl fmt::Debug for dyn Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream")
    }
}
