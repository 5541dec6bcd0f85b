//! Reads what stands beside the gateway: where traces go.

use super::super::reader::Reader;
use super::super::section::Telemetry;
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

/// Whether each part is a header's name and a value.
fn are_headers(text: &str) -> bool {
    text.split(',').all(|part| {
        part.split_once('=').is_some_and(|(name, value)| {
            http::HeaderName::try_from(name.trim()).is_ok()
                && http::HeaderValue::try_from(value.trim()).is_ok()
        })
    })
}
