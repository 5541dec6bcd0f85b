//! Requests whose end two readers might see at different places: what a proxy in front of us takes
//! for a body must not become a request of its own here (RFC 9112, section 6.3).
//!
//! hyper refuses two lengths that differ and every coding but `chunked`. Where there are chunks it
//! puts a length aside, before we see it; so whatever follows chunks on a connection is not read.

use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Request};
use axum::response::Response;

/// Whether a request may be the last of its connection only.
pub(super) fn ends_connection<B>(request: &Request<B>) -> bool {
    request.headers().contains_key(TRANSFER_ENCODING)
}

/// Nothing more is read from the connection.
pub(super) fn end(answer: &mut Response) {
    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
}
