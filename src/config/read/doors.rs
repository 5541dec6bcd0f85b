//! Reads the sections of the two listeners.

use std::net::{IpAddr, SocketAddr};

use super::TOKEN_DIGITS_ADVISED;
use crate::config::reader::Reader;
use crate::config::section::{Api, ApiPace, Callbacks};
use crate::config::value::filtered_word;
use crate::tls::ServerSettings;

pub(super) fn api(r: &mut Reader) -> Option<Api> {
    let listen = r.listen("api.listen");
    let max_connections = r.count("api.max_connections");
    let max_body_bytes = r.size("api.max_body_bytes");
    let header_timeout = r.time("api.header_timeout");
    let body_timeout = r.time("api.body_timeout");
    let pace = pace(r);
    let metrics_for = [("anybody", true), ("keys", false)];
    let open_metrics = r.word("api.metrics_for", &metrics_for);
    let tls = server(r, "api", false);
    let tls_ca = r.file("api.tls_ca");
    if listen.is_some_and(|listen| !listen.ip().is_loopback()) && tls.is_none() {
        let what = "is open to other machines in plain HTTP, and API keys travel over it; \
                    set api.tls_certificate, or keep it on loopback or behind a TLS proxy";
        r.warn("api.listen", what);
    }
    Some(Api {
        listen: listen?,
        tls,
        tls_ca,
        max_connections: max_connections?,
        max_body_bytes: max_body_bytes?,
        header_timeout: header_timeout?,
        body_timeout: body_timeout?,
        pace: pace?,
        open_metrics: open_metrics?,
    })
}

fn pace(r: &mut Reader) -> Option<ApiPace> {
    let per_key = r.count("api.requests_per_second_per_key");
    let per_peer = r.count("api.requests_per_second_per_peer");
    let burst = r.count("api.requests_burst");
    let wrong_keys = r.count("api.wrong_keys_per_minute_per_peer");
    Some(ApiPace { per_key: per_key?, per_peer: per_peer?, burst: burst?, wrong_keys: wrong_keys? })
}

pub(super) fn callbacks(r: &mut Reader, api: Option<&Api>) -> Option<Callbacks> {
    let listen = r.listen("callbacks.listen");
    let public_url = r.public_url("callbacks.public_url");
    let token = r.secret("callbacks.token");
    let previous_token = r.secret("callbacks.previous_token");
    let tls = server(r, "callbacks", true);
    let client_names = r.list("callbacks.client_names");
    let plain_listen = plain_listener(r, tls.is_some(), listen, api);
    let is_named = client_names.as_ref().is_some_and(|names: &Vec<String>| !names.is_empty());
    if is_named && tls.as_ref().is_none_or(|tls| tls.client_ca.is_none()) {
        let what = "is set, but nobody is asked for a certificate: set callbacks.client_ca too";
        r.fault("callbacks.client_names", what);
    }
    let allow = r.networks("callbacks.allow");
    let max_connections = r.count("callbacks.max_connections");
    let max_body_bytes = r.size("callbacks.max_body_bytes");
    let wrong_calls = r.count("callbacks.wrong_calls_per_minute_per_peer");
    if let (Some(listen), Some(api)) = (listen, api) {
        check_listeners(r, listen, api.listen);
    }
    let open = listen.is_some_and(|listen| !listen.ip().is_loopback());
    let reached = public_url.as_deref().is_some_and(|url| !is_loopback(url));
    // Who shows a certificate of the partner's authority is known, wherever he calls from.
    let known = tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()) && plain_listen.is_none();
    if (open || reached) && !known && allow.as_ref().is_some_and(Vec::is_empty) {
        let how = if open {
            "callbacks.listen is open to other machines"
        } else {
            "callbacks.public_url is an address that other machines reach"
        };
        let what = format!(
            "is empty, and {how}: whoever learns the token may report results; name M-Pesa's \
             networks (or the proxy's)"
        );
        r.warn("callbacks.allow", what);
    }
    let digits = token.as_ref().map(|token| token.reveal().len());
    if digits.is_some_and(|digits| digits < TOKEN_DIGITS_ADVISED) {
        let what = "is shorter than 32 hexadecimal digits; `openssl rand -hex 24` makes a \
                    longer one";
        r.warn("callbacks.token", what);
    }
    if let Some(word) = public_url.as_deref().and_then(filtered_word) {
        let what = format!("has \"{word}\" in it, and M-Pesa's Daraja refuses such addresses");
        r.warn("callbacks.public_url", what);
    }
    Some(Callbacks {
        listen: listen?,
        public_url: public_url?,
        token: token?,
        previous_token,
        tls,
        client_names: client_names?,
        plain_listen,
        allow: allow?,
        max_connections: max_connections?,
        max_body_bytes: max_body_bytes?,
        wrong_calls: wrong_calls?,
    })
}

/// A listener's encryption: certificate and key come together.
pub(super) fn server(r: &mut Reader, section: &str, has_ca: bool) -> Option<ServerSettings> {
    let name = |key: &str| format!("{section}.{key}");
    let (certificate, key) = (name("tls_certificate"), name("tls_key"));
    let files = (r.file(&certificate), r.file(&key));
    let client_ca = if has_ca { r.file(&name("client_ca")) } else { None };
    match files {
        (Some(certificate), Some(key)) => Some(ServerSettings { certificate, key, client_ca }),
        (None, None) => {
            if client_ca.is_some() {
                let what =
                    "is set, but the listener speaks no TLS: set tls_certificate and tls_key";
                r.fault(&name("client_ca"), what);
            }
            None
        }
        (Some(_), None) => alone(r, &certificate, "tls_key"),
        (None, Some(_)) => alone(r, &key, "tls_certificate"),
    }
}

fn alone<T>(r: &mut Reader, set: &str, other: &str) -> Option<T> {
    // If it is set and wrong, that is said already.
    let section = set.split('.').next().unwrap_or_default();
    if !r.is_set(&format!("{section}.{other}")) {
        r.fault(set, format!("is set, but {other} is not: certificate and key come together"));
    }
    None
}

/// The second address, which must be another than the first and the API's.
fn plain_listener(
    r: &mut Reader,
    encrypts: bool,
    listen: Option<SocketAddr>,
    api: Option<&Api>,
) -> Option<SocketAddr> {
    let plain = r.listen("callbacks.plain_listen")?;
    if !encrypts {
        let what = "is set, but callbacks.listen is plain HTTP already: it is for beside HTTPS";
        r.fault("callbacks.plain_listen", what);
    }
    let others = [("callbacks.listen", listen), ("api.listen", api.map(|api| api.listen))];
    for (name, other) in others {
        if other.is_some_and(|other| collide(plain, other)) {
            r.fault("callbacks.plain_listen", format!("is the same as {name}: give each its port"));
        }
    }
    Some(plain)
}

/// Whether two listeners cannot both be had.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let same_port = a.port() == b.port() && a.port() != 0;
    same_port && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

/// Whether a checked URL names this machine alone.
pub fn is_loopback(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = authority.split('/').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or_default();
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

/// Two listeners can't share a port, unless each has an address of its own.
fn check_listeners(r: &mut Reader, callbacks: SocketAddr, api: SocketAddr) {
    if collide(callbacks, api) {
        let what = format!("is {callbacks}, and api.listen is {api}: give each its own port");
        r.fault("callbacks.listen", what);
    }
}
