//! Where requests go: an address of the configuration, taken apart.

use std::path::Path;

use http::Uri;

use crate::rail::transport::{Deadlines, Origin, Site};
use crate::tls::{Client, NoTls};

/// The port of HTTP where an address names none.
const HTTP_PORT: u16 = 80;
/// The port of HTTPS where an address names none.
const HTTPS_PORT: u16 = 443;

/// Why requests cannot go to an address.
#[derive(Debug, thiserror::Error)]
pub enum NotSetUp {
    /// It is none.
    #[error("{0:?} is no address: it must be like https://host/path")]
    Address(String),
    /// It cannot be encrypted.
    #[error("{address}: {error}")]
    Tls {
        /// The address.
        address: String,
        /// Why not.
        error: NoTls,
    },
}

/// The place of `address`, and the path and query there. `ca` names a file of authorities that are
/// trusted besides the machine's own.
///
/// # Errors
/// [`NotSetUp`].
pub(super) fn site(
    address: &str,
    ca: Option<&Path>,
    deadlines: Deadlines,
) -> Result<(Site, String), NotSetUp> {
    let none = || NotSetUp::Address(address.to_owned());
    let uri: Uri = address.parse().map_err(|_error| none())?;
    // A name and a password in it would stand in logs.
    let authority = uri.authority().filter(|it| !it.as_str().contains('@')).ok_or_else(none)?;
    let host = authority.host();
    let bare = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    if bare.is_empty() {
        return Err(none());
    }
    let (tls, port) = match uri.scheme_str() {
        Some("http") => (None, HTTP_PORT),
        Some("https") => {
            let tls = Client::to(bare, ca.map(Path::to_owned))
                .map_err(|error| NotSetUp::Tls { address: address.to_owned(), error })?;
            (Some(tls), HTTPS_PORT)
        }
        _ => return Err(none()),
    };
    let port = authority.port_u16().unwrap_or(port);
    let origin = Origin { tls, ..Origin::plain(bare, port) };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Ok((Site { origin, deadlines }, path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn deadlines() -> Deadlines {
        let second = Duration::from_secs(1);
        Deadlines { connect: second, send: second, answer: second }
    }

    #[test]
    fn an_address_is_taken_apart() {
        let table = [
            ("http://127.0.0.1:8081/version1/messaging", "127.0.0.1", 8081, "/version1/messaging"),
            ("http://sms.example", "sms.example", 80, "/"),
            ("http://[::1]:9/a?b=c", "::1", 9, "/a?b=c"),
            ("https://sms.example/x", "sms.example", 443, "/x"),
        ];
        for (address, host, port, path) in table {
            let (site, found) = site(address, None, deadlines()).expect(address);
            assert_eq!((site.origin.host.as_str(), site.origin.port), (host, port), "{address}");
            assert_eq!(found, path, "{address}");
            assert_eq!(site.origin.tls.is_some(), address.starts_with("https"), "{address}");
        }
    }

    #[test]
    fn what_is_none_is_said_to_be_none() {
        let table = [
            "",
            "sms.example/x",
            "/x",
            "ftp://sms.example/",
            "http:///x",
            "http://me:it@a.example/",
        ];
        for address in table {
            assert!(site(address, None, deadlines()).is_err(), "{address}");
        }
    }
}
