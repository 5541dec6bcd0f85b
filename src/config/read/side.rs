//! Reads what stands beside the gateway: where traces go.

use std::net::{IpAddr, Ipv6Addr};

use super::super::reader::Reader;
use super::super::section::{Telemetry, Test, TestClock};
use super::doors::is_loopback;

pub(super) fn telemetry(r: &mut Reader) -> Option<Telemetry> {
    let url = r.url("telemetry.otlp_url");
    let headers = r.secret("telemetry.otlp_headers");
    let sample_percent = r.count("telemetry.sample_percent");
    let service_name = r.text("telemetry.service_name");
    let ca = r.file("telemetry.ca");
    if !r.has("telemetry") {
        return None;
    }
    let in_the_open =
        url.as_deref().is_some_and(|url| url.starts_with("http://") && !is_loopback(url));
    if in_the_open && headers.is_some() {
        r.fault(
            "telemetry.otlp_url",
            "is plain HTTP to another machine: otlp_headers would go over it in the open",
        );
    }
    if headers.as_ref().is_some_and(|headers| !are_headers(headers.reveal())) {
        r.fault("telemetry.otlp_headers", "must be like name=value, with commas between several");
    }
    Some(Telemetry {
        otlp_url: url?.trim_end_matches('/').to_owned(),
        headers,
        sample_percent: sample_percent?,
        service_name: service_name?,
        ca,
    })
}

/// Reads `[test]`. `called` is what the gateway calls, host or whole address: none of it may be
/// another machine's, or money could move on a clock that somebody made up.
pub(super) fn test(r: &mut Reader, called: [(&str, Option<String>); 3]) -> Option<Test> {
    let url = r.url("test.clock");
    let seed = r.count("test.seed");
    if !r.has("test") {
        return None;
    }
    for (name, place) in called {
        let is_near = |place: &str| is_loopback(place) || place.parse().is_ok_and(is_own);
        if place.is_some_and(|place| !is_near(&place)) {
            r.fault(name, "is another machine's, and [test] is set: it is for simulators alone");
        }
    }
    let set = if url.is_some() { "test.clock" } else { "test.seed" };
    r.warn(set, "is set: this is a gateway for tests, and no money may ever move by it");
    let clock = url.as_deref().and_then(clock_at);
    if url.is_some() && clock.is_none() {
        let what = "must be plain HTTP on this machine, such as http://127.0.0.1:8310/sim/clock";
        r.fault("test.clock", what);
    }
    Some(Test { clock, seed })
}

fn is_own(address: Ipv6Addr) -> bool {
    IpAddr::from(address).to_canonical().is_loopback()
}

/// Where that is, if it is on this machine.
fn clock_at(url: &str) -> Option<TestClock> {
    let uri: http::Uri = url.parse().ok()?;
    let is_plain = uri.scheme_str() == Some("http") && is_loopback(url);
    let host = uri.host().filter(|_| is_plain)?.trim_matches(['[', ']']).to_owned();
    Some(TestClock {
        url: url.to_owned(),
        host,
        port: uri.port_u16().unwrap_or(80),
        path: uri.path().trim_end_matches('/').to_owned(),
    })
}

/// Whether each part is a header's name and a value.
fn are_headers(text: &str) -> bool {
    text.split(',').all(|part| {
        part.split_once('=').is_some_and(|(name, value)| {
            http::HeaderName::try_from(name.trim()).is_ok()
                && http::HeaderValue::try_from(value.trim()).is_ok()
        })
    })
}
