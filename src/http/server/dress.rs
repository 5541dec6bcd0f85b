//! The headers that every answer of every listener has, whatever is served on it.

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

/// What a browser may do with an answer: nothing but show it. An answer that needs more, such as a
/// page, says so itself.
const ALWAYS: [(HeaderName, &str); 5] = [
    (CACHE_CONTROL, "no-store"),
    (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    (REFERRER_POLICY, "no-referrer"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
];
/// A year of nothing but HTTPS, where that is what is spoken.
const HTTPS_ONLY: &str = "max-age=31536000";

/// Puts on what is not there yet.
pub(super) fn dress(response: &mut Response, is_encrypted: bool) {
    let headers = response.headers_mut();
    for (name, value) in ALWAYS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if is_encrypted {
        let value = HeaderValue::from_static(HTTPS_ONLY);
        headers.entry(STRICT_TRANSPORT_SECURITY).or_insert(value);
    }
}
