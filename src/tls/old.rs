//! OpenSSL, for peers that rustls cannot speak to (spec/soap.md §1.5): TLS 1.0 and 1.1, small keys,
//! certificates that name their host in the common name only. Who the other side is, is verified
//! all the same.

use std::pin::Pin;

use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslMethod, SslRef, SslVersion};
use openssl::x509::X509;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::X509VerifyFlags;
use tokio_openssl::SslStream;

use super::client::{ClientSettings, Session};
use super::facts::{Facts, Fingerprint};
use super::read::Identity;
use super::refused::of_old;
use super::{BoxedStream, NoTls, Refused, Stream};

/// Everything that this machine's OpenSSL can still do, small keys and SHA-1 included.
const CIPHERS: &str = "DEFAULT:@SECLEVEL=0";
/// Ciphers of fewer bits are weak.
const CIPHER_BITS_MIN: i32 = 128;

/// How calls to one host are encrypted.
pub(super) struct Connector {
    connector: SslConnector,
    name: String,
    pins: Vec<Fingerprint>,
}

impl Connector {
    pub(super) fn new(
        settings: &ClientSettings,
        authorities: Vec<X509>,
        identity: Option<&Identity>,
    ) -> Result<Self, NoTls> {
        let setup = |error: ErrorStack| NoTls::Setup(error.to_string());
        let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(setup)?;
        builder.set_min_proto_version(Some(SslVersion::TLS1)).map_err(setup)?;
        // In TLS 1.3 a refusal of our certificate comes too late to be told from a lost request;
        // whoever speaks that is spoken to by the other library.
        builder.set_max_proto_version(Some(SslVersion::TLS1_2)).map_err(setup)?;
        builder.set_cipher_list(CIPHERS).map_err(setup)?;
        builder.set_cert_store(store(settings, authorities).map_err(setup)?);
        if let (Some(identity), Some(files)) = (identity, &settings.identity) {
            let unfit = |error: ErrorStack| NoTls::Identity {
                path: files.certificate().to_owned(),
                error: error.to_string(),
            };
            builder.set_private_key(&identity.key).map_err(unfit)?;
            let (leaf, others) = identity.chain.split_first().ok_or(NoTls::NoTrust)?;
            builder.set_certificate(leaf).map_err(unfit)?;
            for other in others {
                builder.add_extra_chain_cert(other.clone()).map_err(unfit)?;
            }
        }
        let name = settings.name().to_owned();
        Ok(Self { connector: builder.build(), name, pins: settings.pins.clone() })
    }

    pub(super) async fn shake_hands(
        &self,
        stream: impl Stream + 'static,
    ) -> Result<(BoxedStream, Session), Refused> {
        let broken = |error: ErrorStack| Refused::Other(error.to_string());
        let ssl = self.connector.configure().map_err(broken)?.into_ssl(&self.name);
        let mut stream = SslStream::new(ssl.map_err(broken)?, stream).map_err(broken)?;
        if let Err(error) = Pin::new(&mut stream).connect().await {
            return Err(of_old(&error, Some(stream.ssl().verify_result())));
        }
        let session = session(stream.ssl());
        if let Some(peer) = &session.peer
            && !self.pins.is_empty()
            && !self.pins.contains(&peer.fingerprint)
        {
            return Err(Refused::WrongPin(format!("its certificate, {},", peer.fingerprint)));
        }
        Ok((Box::new(stream), session))
    }
}

/// Whom to trust: as the strong library does it, any certificate in the file is enough, be it that
/// of a root or one below it.
fn store(settings: &ClientSettings, authorities: Vec<X509>) -> Result<X509Store, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    if settings.trust.takes_machine() {
        store.set_default_paths()?;
    }
    for authority in authorities {
        store.add_cert(authority)?;
    }
    store.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    Ok(store.build())
}

fn session(ssl: &SslRef) -> Session {
    let peer = ssl.peer_certificate().map(|certificate| Facts::of(&certificate));
    let mut weak = Vec::new();
    if matches!(ssl.version2(), Some(SslVersion::SSL3 | SslVersion::TLS1 | SslVersion::TLS1_1)) {
        weak.push(format!("it speaks {} only", ssl.version_str()));
    }
    let cipher = ssl.current_cipher();
    if let Some(cipher) = cipher.filter(|cipher| cipher.bits().secret < CIPHER_BITS_MIN) {
        weak.push(format!("its cipher is {}", cipher.name()));
    }
    weak.extend(peer.as_ref().map(Facts::weak).unwrap_or_default());
    Session {
        version: ssl.version_str().to_owned(),
        cipher: cipher.map_or("unknown", |cipher| cipher.name()).to_owned(),
        peer,
        weak,
        is_on_trial: false,
    }
}
