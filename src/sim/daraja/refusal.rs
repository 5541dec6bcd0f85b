//! How Daraja says no (spec/daraja.md §1, "Common error body").

use axum::http::StatusCode;
use serde_json::json;

use super::said;
use crate::sim::Sim;
use crate::sim::reply::Reply;

/// A refusal: nothing was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    status: u16,
    code: &'static str,
    says: String,
    /// What stands as `requestId`, where that is not a fresh one.
    request_id: Option<String>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: &'static str, says: impl Into<String>) -> Self {
        Self { status, code, says: says.into(), request_id: None }
    }

    /// A field that is missing or wrong.
    pub(super) fn field(name: &str) -> Self {
        Self::new(400, "400.002.02", format!("Bad Request - Invalid {name}"))
    }

    /// An STK query names what it asked about (spec/daraja.md §1).
    pub(super) fn about(self, request_id: &str) -> Self {
        Self { request_id: Some(request_id.to_owned()), ..self }
    }

    /// With another HTTP status.
    pub(super) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// As it is answered.
    pub(super) fn reply(&self, sim: &Sim) -> Reply {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        let request_id = self.request_id.clone().unwrap_or_else(|| sim.daraja.fresh_id());
        said(
            status,
            &json!({
                "requestId": request_id,
                "errorCode": self.code,
                "errorMessage": self.says,
            }),
        )
    }
}
