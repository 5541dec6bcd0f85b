//! Reads what stands beside the gateway: where traces go.

use std::net::IpAddr;

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

/// Reads `[test]`. `called` is what the gateway calls: all of it must be the very simulator whose
/// clock it is. What else listens on this machine may be a tunnel to where real money moves, or a
/// simulator with a clock of its own, which still has in hand what ours says is long over.
pub(super) fn test(r: &mut Reader, called: [(&str, Option<String>); 3]) -> Option<Test> {
    let url = r.url("test.clock");
    let seed = r.count("test.seed");
    if seed.is_some() && !r.is_set("test.clock") {
        r.fault("test.seed", "is set, and test.clock is not: it is for simulators alone");
    }
    let url = url?;
    r.warn("test.clock", "is set: this is a gateway for tests, and no money may ever move by it");
    let Some(clock) = clock_at(&url) else {
        let what = "must be plain HTTP at an address of this machine as a number (a name may be \
                    several), such as http://127.0.0.1:8310/sim/clock";
        r.fault("test.clock", what);
        return None;
    };
    let simulator = (clock.host.clone(), clock.port);
    for (name, place) in called {
        let is_elsewhere = |place: &String| plain(place).as_ref() != Some(&simulator);
        if let Some(place) = place.filter(is_elsewhere) {
            r.fault(name, elsewhere(&place, &clock));
        }
    }
    Some(Test { clock, seed })
}

fn elsewhere(place: &str, clock: &TestClock) -> String {
    let TestClock { host, port, .. } = clock;
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    format!(
        "found {place}; expected http://{host}:{port}, where test.clock is: with [test] set, all \
         that is called must be the simulator whose clock it is"
    )
}

/// Where that is, if it is an address of this machine's.
fn clock_at(url: &str) -> Option<TestClock> {
    let (host, port) = plain(url)?;
    let is_own = |address: &IpAddr| address.to_canonical().is_loopback();
    host.parse().ok().filter(is_own)?;
    let path = url.parse::<http::Uri>().ok()?.path().trim_end_matches('/').to_owned();
    Some(TestClock { url: url.to_owned(), host, port, path })
}

/// Host, without brackets, and port of an address in plain HTTP.
fn plain(url: &str) -> Option<(String, u16)> {
    let uri: http::Uri = url.parse().ok()?;
    let host = uri.host().filter(|_| uri.scheme_str() == Some("http"))?;
    Some((host.trim_matches(['[', ']']).to_owned(), uri.port_u16().unwrap_or(80)))
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
