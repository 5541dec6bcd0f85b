//! `GET /mminterface/request?wsdl` and `GET /mminterface/registerURL?wsdl`: the broker's interface,
//! for programs that read its definition (spec/soap.md §1.2).

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::soap::wsdl;

/// Says of a request that it came over TLS.
#[derive(Clone, Copy, Debug)]
pub(super) struct Encrypted;

/// The definition, with the address that the caller used: the simulator may be reached by several.
pub(super) async fn describe(request: Request) -> Response {
    if !wsdl::is_asked_for(request.uri().query()) {
        return (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "POST")]).into_response();
    }
    let Some(host) = host(&request) else {
        return (StatusCode::BAD_REQUEST, "The header Host names no host.\n").into_response();
    };
    let scheme = match request.extensions().get::<Encrypted>() {
        Some(Encrypted) => "https",
        None => "http",
    };
    let definition = wsdl::request_wsdl(&format!("{scheme}://{host}{}", request.uri().path()));
    ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], definition).into_response()
}

/// The host that the caller named, with its port.
fn host(request: &Request) -> Option<Authority> {
    request.headers().get(header::HOST)?.to_str().ok()?.parse().ok()
}
