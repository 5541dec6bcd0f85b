//! What Daraja's faults look like over SOAP: one vocabulary for both (spec/soap.md §4).

use axum::http::StatusCode;

use crate::sim::broker::{self, code_only};
use crate::sim::daraja::faults::{FIREWALL, Fault, Wrong};
use crate::sim::reply::{HTML, PAGE, Reply};
use crate::sim::script::Answer;
use crate::soap::fault;

/// What is answered in place of anything that was, or was not, done.
pub(in crate::sim) fn wrong(fault: &Fault) -> Reply {
    let silent = |answer| Reply { answer, ..plain(200, b"") };
    if let Fault::Before(what) | Fault::After(what) = fault {
        said(*what)
    } else if matches!(fault, Fault::DropBefore | Fault::DropAfter) {
        silent(Answer::Drop)
    } else {
        silent(Answer::Never)
    }
}

fn said(what: Wrong) -> Reply {
    match what {
        Wrong::Internal500 | Wrong::System500 | Wrong::Server500 | Wrong::SoapFault => {
            let text = fault::fault(fault::SERVER, "Internal Server Error");
            soap(StatusCode::INTERNAL_SERVER_ERROR, text)
        }
        Wrong::BadGateway502 => plain(502, PAGE),
        Wrong::Unavailable503 | Wrong::Maintenance => plain(503, PAGE),
        Wrong::GatewayTimeout504 => plain(504, PAGE),
        // The broker's own words for too much (spec/soap.md §4.2).
        Wrong::Spike429 => soap(StatusCode::OK, code_only("100000002")),
        Wrong::Spike500 | Wrong::Quota500 => soap(StatusCode::OK, code_only("100000011")),
        Wrong::Busy500 | Wrong::Locked => soap(StatusCode::OK, code_only("26")),
        Wrong::Firewall403 => plain(403, FIREWALL.as_bytes()),
        Wrong::Firewall503 => plain(503, FIREWALL.as_bytes()),
        Wrong::NoProduct401 => soap(StatusCode::OK, code_only("100000008")),
        Wrong::Forbidden403 => soap(StatusCode::OK, code_only("1003")),
        Wrong::Empty400 => plain(400, b""),
        Wrong::Empty200 => plain(200, b""),
        Wrong::Page200 => plain(200, PAGE),
        Wrong::NotJson200 => plain(200, b"OK"),
    }
}

fn soap(status: StatusCode, message: Vec<u8>) -> Reply {
    let content_type = broker::CONTENT_TYPE;
    Reply { answer: Answer::Now, status, content_type, message, after_result: None }
}

fn plain(status: u16, text: &[u8]) -> Reply {
    Reply {
        answer: Answer::Now,
        status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST),
        content_type: if text.starts_with(b"<") { HTML } else { "text/plain" },
        message: text.to_vec(),
        after_result: None,
    }
}
