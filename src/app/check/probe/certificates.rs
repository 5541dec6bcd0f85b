//! Reads certificates and keys, and tries them.

use std::fs::{self, File};
use std::path::Path;

use crate::app::check::judge::certificates::{Bad, Host, Own};
use crate::app::check::judge::credential::{AVOIDED, Facts as CredentialFacts, Sealed};
use crate::app::upkeep::password_days;
use crate::config::Parts;
use crate::config::section::Organisation;
use crate::credential::{Certificate, PrivateKey};
use crate::domain::time::Timestamp;
use crate::tls::chain::{Look, Role, is_authority};
use crate::tls::read::certificates;
use crate::tls::{BadFile, Facts, IdentityFiles, ServerSettings};

/// Files that say who may sign, by the key that names each.
pub(in crate::app::check) type Authorities = Vec<(&'static str, Result<Vec<(Facts, bool)>, Bad>)>;

/// Every certificate of our own.
pub(in crate::app::check) fn own(parts: &Parts) -> Vec<Own> {
    let mut all = Vec::new();
    if let Some((broker, files)) =
        parts.broker.as_ref().and_then(|broker| Some((broker, broker.way.identity.as_ref()?)))
    {
        all.push(Own {
            name: "broker.client_certificate",
            look: look(files, Role::Client, broker.way.ca.as_deref()),
            takes_weak: broker.way.old,
            host: None,
        });
    }
    if let Some((api, tls)) = parts.api.as_ref().and_then(|api| Some((api, api.tls.as_ref()?))) {
        all.push(Own {
            name: "api.tls_certificate",
            look: look(&pair(tls), Role::Server, api.tls_ca.as_deref()),
            takes_weak: false,
            host: None,
        });
    }
    let callbacks = parts.callbacks.as_ref();
    if let Some((callbacks, tls)) = callbacks.and_then(|it| Some((it, it.tls.as_ref()?))) {
        let url = callbacks.public_url.parse::<http::Uri>().ok();
        let https = url.filter(|url| url.scheme_str() == Some("https"));
        all.push(Own {
            name: "callbacks.tls_certificate",
            look: look(&pair(tls), Role::Server, tls.client_ca.as_deref()),
            takes_weak: false,
            host: https.map(|url| Host {
                name: url.host().unwrap_or_default().trim_matches(['[', ']']).to_owned(),
                maybe_proxy: url.port_u16().unwrap_or(443) != callbacks.listen.port(),
            }),
        });
    }
    all
}

fn pair(tls: &ServerSettings) -> IdentityFiles {
    IdentityFiles::Pair { certificate: tls.certificate.clone(), key: tls.key.clone() }
}

fn look(files: &IdentityFiles, role: Role, ca: Option<&Path>) -> Result<Look, Bad> {
    let paths: Vec<&Path> = match files {
        IdentityFiles::Pair { certificate, key } => vec![certificate, key],
        IdentityFiles::Pkcs12 { file, .. } => vec![file],
    };
    if paths.iter().any(|path| !readable(path)) {
        return Err(Bad::Unreadable);
    }
    let known = ca.and_then(|path| certificates(path).ok()).unwrap_or_default();
    let identity = files.read().map_err(|bad| Bad::Content(bad.to_string()))?;
    Ok(Look::at(&identity, role, &known))
}

fn readable(path: &Path) -> bool {
    File::open(path).and_then(|file| file.metadata()).is_ok_and(|found| !found.is_dir())
}

/// Every file of authorities.
pub(in crate::app::check) fn authorities(parts: &Parts) -> Authorities {
    let tls = parts.callbacks.as_ref().and_then(|callbacks| callbacks.tls.as_ref());
    let named = [
        ("broker.ca", parts.broker.as_ref().and_then(|it| it.way.ca.as_ref())),
        ("daraja.ca", parts.daraja.as_ref().and_then(|it| it.ca.as_ref())),
        ("sms.ca", parts.sms.as_ref().and_then(|it| it.ca.as_ref())),
        ("callbacks.client_ca", tls.and_then(|tls| tls.client_ca.as_ref())),
        ("api.tls_ca", parts.api.as_ref().and_then(|it| it.tls_ca.as_ref())),
    ];
    let named = named.into_iter().filter_map(|(name, path)| Some((name, path?)));
    named.map(|(name, path)| (name, authority(path))).collect()
}

fn authority(path: &Path) -> Result<Vec<(Facts, bool)>, Bad> {
    if !readable(path) {
        return Err(Bad::Unreadable);
    }
    let found = certificates(path).map_err(|bad: BadFile| Bad::Content(bad.to_string()))?;
    Ok(found.iter().map(|it| (Facts::of(it), is_authority(it))).collect())
}

/// The credential, if the organisation is known.
pub(in crate::app::check) fn credential(parts: &Parts, now: Timestamp) -> Option<CredentialFacts> {
    let organisation = parts.organisation.as_ref()?;
    let operator = &organisation.operator;
    let password = operator.initiator_password.reveal();
    Some(CredentialFacts {
        sealed: sealed(organisation, parts.credential_key.as_deref()),
        avoided: AVOIDED.into_iter().filter(|c| password.contains(*c)).collect(),
        days: password_days(operator.password_set_on, now),
    })
}

fn sealed(organisation: &Organisation, key: Option<&Path>) -> Result<Sealed, Bad> {
    let path = &organisation.credential_certificate;
    if !readable(path) {
        return Err(Bad::Unreadable);
    }
    let says = |why: String| Bad::Content(format!("{}: {why}", path.display()));
    let bytes = fs::read(path).map_err(|error| says(error.to_string()))?;
    let certificate = Certificate::from_bytes(&bytes).map_err(|error| says(error.to_string()))?;
    let password = organisation.operator.initiator_password.reveal();
    let text = certificate.encrypt(password).map_err(|error| error.to_string());
    let comes_back = key.filter(|path| path.exists()).map(|path| {
        let bytes = fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let key =
            PrivateKey::from_pem(&bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        let text = text.clone()?;
        Ok(key.decrypt(&text).is_ok_and(|plain| plain == password))
    });
    Ok(Sealed {
        subject: certificate.subject().to_owned(),
        until: certificate.expires_at(),
        length: text.map(|text| text.len()),
        comes_back,
    })
}
