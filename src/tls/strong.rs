//! rustls: TLS 1.2 and 1.3, nothing weak.

use std::future::poll_fn;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use openssl::x509::X509;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, CommonState, DigitallySignedStruct, RootCertStore,
    SignatureScheme,
};
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::client::{ClientSettings, Session};
use super::facts::{Facts, Fingerprint};
use super::read::Identity;
use super::{BoxedStream, NoTls, Refused, Stream};

/// What HTTP is called in a handshake.
pub(super) const HTTP: &[u8] = b"http/1.1";

/// How long to wait for a sign that the other side takes our certificate. Nearly every server gives
/// one at once.
const SIGN_WAIT: Duration = Duration::from_millis(300);

/// How calls to one host are encrypted.
pub(super) struct Connector {
    connector: TlsConnector,
    name: ServerName<'static>,
    shows_itself: bool,
}

impl Connector {
    pub(super) fn new(
        settings: &ClientSettings,
        authorities: &[X509],
        identity: Option<&Identity>,
    ) -> Result<Self, NoTls> {
        let roots = Arc::new(roots(settings, authorities)?);
        let name = settings.name();
        let no_name = |_error| NoTls::Name(name.to_owned());
        let name = ServerName::try_from(name.to_owned()).map_err(no_name)?;
        let provider = provider();
        let verifier =
            WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider)).build();
        let verifier = verifier.map_err(|error| NoTls::Setup(error.to_string()))?;
        let pinned = Pinned { verifier, pins: settings.pins.clone() };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| NoTls::Setup(error.to_string()))?
            // What verifies is the library's own verifier; a pin only adds to it.
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(pinned));
        let mut config = match (identity, &settings.identity) {
            (Some(identity), Some(files)) => {
                let (chain, key) = parts(identity, files.certificate())?;
                let unfit = |error| unfit(files.certificate(), &error);
                builder.with_client_auth_cert(chain, key).map_err(unfit)?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![HTTP.to_vec()];
        // What is sent before the handshake is over could be sent again by somebody else.
        config.enable_early_data = false;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { connector, name, shows_itself: identity.is_some() })
    }

    pub(super) async fn shake_hands(
        &self,
        stream: impl Stream + 'static,
    ) -> Result<(BoxedStream, Session), Refused> {
        let connecting = self.connector.connect(self.name.clone(), stream);
        let mut stream = connecting.await.map_err(|error| Refused::of(&error))?;
        let is_on_trial = self.shows_itself && !is_taken(&mut stream).await?;
        let session = Session { is_on_trial, ..session(stream.get_ref().1) };
        Ok((Box::new(stream), session))
    }
}

/// Waits until the other side has shown that it takes our certificate, and says whether it has; a
/// few servers never do.
///
/// In TLS 1.3 our half of the handshake is over before it has looked at that. What is sent then and
/// turned away for the certificate's sake could not be told from what was lost on the way: a payout
/// would be in doubt. A session ticket says that its half is over, too.
async fn is_taken<S: Stream>(stream: &mut TlsStream<S>) -> Result<bool, Refused> {
    if stream.get_ref().1.protocol_version() != Some(rustls::ProtocolVersion::TLSv1_3) {
        return Ok(true);
    }
    let sign = poll_fn(|cx| {
        let mut byte = [0; 1];
        let mut buffer = ReadBuf::new(&mut byte);
        let read = Pin::new(&mut *stream).poll_read(cx, &mut buffer);
        if stream.get_ref().1.tls13_tickets_received() > 0 {
            return Poll::Ready(Ok(true));
        }
        match read {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(Refused::of(&error))),
            Poll::Ready(Ok(())) if buffer.filled().is_empty() => Poll::Ready(Err(Refused::Closed)),
            Poll::Ready(Ok(())) => {
                Poll::Ready(Err(Refused::Other("it spoke before it was asked".to_owned())))
            }
        }
    });
    timeout(SIGN_WAIT, sign).await.unwrap_or(Ok(false))
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// What was agreed on.
fn session(state: &CommonState) -> Session {
    let shown = |name: Option<String>| name.unwrap_or_else(|| "unknown".to_owned());
    let version = state.protocol_version().and_then(|version| version.as_str().map(named));
    let cipher = state.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str());
    Session {
        version: shown(version),
        cipher: shown(cipher.map(ToOwned::to_owned)),
        peer: peer(state),
        weak: peer(state).map(|facts| facts.weak()).unwrap_or_default(),
        is_on_trial: false,
    }
}

/// `TLSv1_3` as people write it.
fn named(version: &str) -> String {
    version.replace('_', ".")
}

/// The other side's certificate.
pub(super) fn peer(state: &CommonState) -> Option<Facts> {
    Facts::of_der(state.peer_certificates()?.first()?)
}

fn roots(settings: &ClientSettings, authorities: &[X509]) -> Result<RootCertStore, NoTls> {
    let mut roots = RootCertStore::empty();
    if settings.trust.takes_machine() {
        let found = rustls_native_certs::load_native_certs();
        for error in found.errors {
            tracing::warn!(%error, "some of this machine's certificate authorities");
        }
        // A machine's bundle may hold what this library does not take; the others still count.
        let (_taken, _left_out) = roots.add_parsable_certificates(found.certs);
    }
    if let Some(path) = settings.trust.file() {
        add(&mut roots, authorities, path)?;
    }
    if roots.is_empty() { Err(NoTls::NoTrust) } else { Ok(roots) }
}

/// Adds authorities from a file; each must be one.
pub(super) fn add(
    roots: &mut RootCertStore,
    authorities: &[X509],
    path: &Path,
) -> Result<(), NoTls> {
    for certificate in authorities {
        let unfit = |error: String| NoTls::Authority { path: path.to_owned(), error };
        let der = certificate.to_der().map_err(|error| unfit(error.to_string()))?;
        roots.add(CertificateDer::from(der)).map_err(|error| unfit(error.to_string()))?;
    }
    Ok(())
}

/// A chain and a key as this library takes them.
pub(super) fn parts(
    identity: &Identity,
    path: &Path,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), NoTls> {
    let unfit = |error: openssl::error::ErrorStack| NoTls::Identity {
        path: path.to_owned(),
        error: error.to_string(),
    };
    let chain = identity.chain.iter().map(|it| it.to_der().map(CertificateDer::from));
    let chain = chain.collect::<Result<_, _>>().map_err(unfit)?;
    let key = identity.key.private_key_to_pkcs8().map_err(unfit)?;
    Ok((chain, PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key))))
}

/// Why a chain and a key that belong together are not taken.
pub(super) fn unfit(path: &Path, error: &rustls::Error) -> NoTls {
    let error = format!(
        "rustls does not take it ({error}): RSA keys must have 2048 to 8192 bits; a smaller one \
         needs tls = \"openssl\", or better a new key"
    );
    NoTls::Identity { path: path.to_owned(), error }
}

/// The library's verifier, and after it the pins.
#[derive(Debug)]
struct Pinned {
    verifier: Arc<WebPkiServerVerifier>,
    pins: Vec<Fingerprint>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        )?;
        let found = Facts::of_der(end_entity).map(|facts| facts.fingerprint);
        if self.pins.is_empty() || found.is_some_and(|found| self.pins.contains(&found)) {
            return Ok(verified);
        }
        let unlike = CertificateError::ApplicationVerificationFailure;
        Err(rustls::Error::InvalidCertificate(unlike))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
