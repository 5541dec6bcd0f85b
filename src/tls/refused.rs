//! Why there is no encrypted connection, in words that say what to do.

use std::error::Error as StdError;
use std::fmt;
use std::io;

use openssl::ssl;
use openssl::x509::X509VerifyResult;
use rustls::{AlertDescription, CertificateError, InvalidMessage};

/// The longest reason of a library's that is kept, in characters.
const DETAIL_LEN_MAX: usize = 200;

/// Why a connection could not be encrypted, or was turned away because of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Their certificate is signed by somebody who is not trusted.
    UnknownAuthority,
    /// Their certificate is for other names.
    WrongName(String),
    /// Their certificate is good no more.
    Expired,
    /// Their certificate is not good yet, or this machine's clock is behind.
    NotYet,
    /// Their certificate is not the one that is expected.
    WrongPin(String),
    /// Their certificate will not do for another reason.
    BadCertificate(String),
    /// They showed no certificate, and must.
    NoCertificate,
    /// They want a certificate of ours, or another one than they were shown.
    TheyRefuse(String),
    /// What they speak is not TLS.
    NotTls,
    /// No version, cipher or key that both sides take.
    NothingInCommon(String),
    /// They ended the connection in the middle of it.
    Closed,
    /// It took too long.
    TooSlow,
    /// Anything else.
    Other(String),
}

impl Refused {
    /// Its word in metrics.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::UnknownAuthority => "unknown_authority",
            Self::WrongName(_) => "wrong_name",
            Self::Expired => "expired",
            Self::NotYet => "not_yet_valid",
            Self::WrongPin(_) => "wrong_pin",
            Self::BadCertificate(_) => "bad_certificate",
            Self::NoCertificate => "no_certificate",
            Self::TheyRefuse(_) => "refused_by_peer",
            Self::NotTls => "not_tls",
            Self::NothingInCommon(_) => "nothing_in_common",
            Self::Closed => "closed",
            Self::TooSlow => "too_slow",
            Self::Other(_) => "other",
        }
    }

    /// What `error` means, whichever library it came from.
    pub fn of(error: &(dyn StdError + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            if let Some(error) = cause.downcast_ref::<rustls::Error>() {
                return of_strong(error);
            }
            if let Some(error) = cause.downcast_ref::<ssl::Error>() {
                return of_old(error, None);
            }
            if let Some(error) = cause.downcast_ref::<io::Error>() {
                // Its cause is what it holds, and not what that came of.
                if let Some(inner) = error.get_ref() {
                    next = Some(inner);
                    continue;
                }
                if is_closed(error.kind()) {
                    return Self::Closed;
                }
            }
            next = cause.source();
        }
        Self::Other(detail(error))
    }

    /// Whether `error`, met where an answer was awaited, says that the other side turned our
    /// certificate, or the lack of one, away: it read nothing of what was sent, because its
    /// handshake was not over (RFC 8446 §4.4.2.4, §6.2).
    pub fn is_about_our_certificate(error: &(dyn StdError + 'static)) -> bool {
        let mut next = Some(error);
        while let Some(cause) = next {
            if let Some(rustls::Error::AlertReceived(alert)) = cause.downcast_ref() {
                return is_about_certificates(*alert);
            }
            if let Some(error) = cause.downcast_ref::<ssl::Error>() {
                return reasons(error).iter().any(|it| names_a_certificate_alert(it));
            }
            next = match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
                Some(inner) => Some(inner),
                None => cause.source(),
            };
        }
        false
    }
}

const fn is_closed(kind: io::ErrorKind) -> bool {
    matches!(
        kind,
        io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
    )
}

fn detail(error: &(dyn StdError + 'static)) -> String {
    error.to_string().chars().take(DETAIL_LEN_MAX).collect()
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's list grows; what has no words of ours is told in its own"
)]
fn of_strong(error: &rustls::Error) -> Refused {
    match error {
        rustls::Error::InvalidCertificate(error) => of_certificate(error),
        rustls::Error::NoCertificatesPresented => Refused::NoCertificate,
        rustls::Error::AlertReceived(alert) if is_about_versions(*alert) => {
            Refused::NothingInCommon(format!("they said {alert:?}"))
        }
        rustls::Error::AlertReceived(alert) => Refused::TheyRefuse(format!("{alert:?}")),
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => Refused::NotTls,
        rustls::Error::PeerIncompatible(why) => Refused::NothingInCommon(format!("{why:?}")),
        other => Refused::Other(detail(other)),
    }
}

/// Whether an alert is about the sender's view of our certificate, sent before its handshake ends.
const fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::CertificateRequired
    )
}

const fn is_about_versions(alert: AlertDescription) -> bool {
    matches!(alert, AlertDescription::ProtocolVersion | AlertDescription::InsufficientSecurity)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's list grows; what has no words of ours is told in its own"
)]
fn of_certificate(error: &CertificateError) -> Refused {
    match error {
        CertificateError::UnknownIssuer => Refused::UnknownAuthority,
        CertificateError::NotValidForName => Refused::WrongName("other names".to_owned()),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().map(String::as_str).take(10).collect();
            Refused::WrongName(if names.is_empty() {
                "no host at all: it has no subjectAltName, and a common name alone counts only \
                 with tls = \"openssl\""
                    .to_owned()
            } else {
                names.join(", ")
            })
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Refused::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Refused::NotYet
        }
        CertificateError::ApplicationVerificationFailure => {
            Refused::WrongPin("its certificate".to_owned())
        }
        other => {
            Refused::BadCertificate(format!("{other:?}").chars().take(DETAIL_LEN_MAX).collect())
        }
    }
}

/// What an error of OpenSSL's means; `verdict` is what it thought of the other side's certificate.
pub(super) fn of_old(error: &ssl::Error, verdict: Option<X509VerifyResult>) -> Refused {
    if let Some(verdict) = verdict.filter(|verdict| *verdict != X509VerifyResult::OK) {
        return of_verdict(verdict);
    }
    if let Some(io) = error.io_error().filter(|io| is_closed(io.kind())) {
        let _kind = io.kind();
        return Refused::Closed;
    }
    let reasons = reasons(error);
    let has = |part: &str| reasons.iter().any(|reason| reason.contains(part));
    let first = || reasons.first().cloned().unwrap_or_else(|| detail(error));
    if has("wrong version number") || has("http request") || has("unknown protocol") {
        Refused::NotTls
    } else if has("alert") && (has("protocol version") || has("insufficient security")) {
        Refused::NothingInCommon(first())
    } else if has("alert") {
        Refused::TheyRefuse(first())
    } else if has("unsupported protocol") || has("no shared cipher") || has("too small") {
        Refused::NothingInCommon(first())
    } else if has("unexpected eof") || error.code() == ssl::ErrorCode::ZERO_RETURN {
        Refused::Closed
    } else {
        Refused::Other(first())
    }
}

fn reasons(error: &ssl::Error) -> Vec<String> {
    let all = error.ssl_error().map(|stack| stack.errors().to_vec()).unwrap_or_default();
    all.iter().filter_map(|it| it.reason()).map(str::to_lowercase).collect()
}

fn names_a_certificate_alert(reason: &str) -> bool {
    let about = ["certificate", "unknown ca", "access denied"];
    reason.contains("alert") && about.iter().any(|part| reason.contains(part))
}

/// The numbers of `X509_V_ERR_…` (openssl verify, "DIAGNOSTICS").
fn of_verdict(verdict: X509VerifyResult) -> Refused {
    match verdict.as_raw() {
        2 | 18 | 19 | 20 | 21 | 27 => Refused::UnknownAuthority,
        9 => Refused::NotYet,
        10 => Refused::Expired,
        62 | 64 => Refused::WrongName("other names".to_owned()),
        _ => Refused::BadCertificate(verdict.error_string().to_owned()),
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAuthority => f.write_str(
                "its certificate is signed by an authority that is not trusted here: name the \
                 partner's chain (with every certificate in between) as the authority",
            ),
            Self::WrongName(names) => write!(
                f,
                "its certificate is for {names}, and not for the host that was called: where a \
                 host is known by its address only, set server_name to the name in its certificate"
            ),
            Self::Expired => f.write_str(
                "its certificate has expired (or this machine's clock is ahead): its owner must \
                 renew it",
            ),
            Self::NotYet => f.write_str(
                "its certificate is not good yet (or this machine's clock is behind): compare the \
                 clock",
            ),
            Self::WrongPin(found) => write!(
                f,
                "{found} is not one of those that are pinned: if its owner renewed it, check the \
                 new fingerprint with him and pin it"
            ),
            Self::BadCertificate(why) => write!(f, "its certificate will not do: {why}"),
            Self::NoCertificate => f.write_str(
                "it showed no certificate, and only those who show one of the named authority's \
                 are let in",
            ),
            Self::TheyRefuse(why) => write!(
                f,
                "the other side refused ({why}): it wants a certificate of ours that it trusts; \
                 check that the right client certificate is set, with its whole chain, and that \
                 the other side knows its authority"
            ),
            Self::NotTls => f.write_str(
                "the other side does not speak TLS: the port is one of plain HTTP, or the address \
                 should begin with http://",
            ),
            Self::NothingInCommon(why) => write!(
                f,
                "the two sides have no version, cipher or key size of TLS in common ({why}): an \
                 old peer needs tls = \"openssl\""
            ),
            Self::Closed => f.write_str(
                "the other side ended the connection during the TLS handshake: it may want a \
                 client certificate, or speak no TLS, or something in between cut it",
            ),
            Self::TooSlow => f.write_str("the TLS handshake took too long"),
            Self::Other(why) => write!(f, "TLS failed: {why}"),
        }
    }
}
