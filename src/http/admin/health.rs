//! How a running gateway is, for `mlango check`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::{Admin, answer};
use crate::domain::inquiry::{Kind, Status};
use crate::domain::time::Timestamp;
use crate::engine::audit::PROGRAM;
use crate::http::api::{link_notes, reasons};
use crate::store::{InquiryQuery, PAGE_LEN_MAX, Store, StoreError};

/// How many pages of inquiries are looked through for a registration, newest first.
const PAGES_MAX: usize = 4;

/// How it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayHealth {
    /// Why it cannot do its work, one sentence each; empty when it can.
    pub reasons: Vec<String>,
    /// What is worth knowing, one sentence each.
    pub notes: Vec<String>,
    /// The names of the applications that are not revoked.
    pub apps: Vec<String>,
    /// When C2B addresses were registered last, as far as the book knows.
    pub registered_at: Option<String>,
}

pub(super) async fn health(State(admin): State<Arc<Admin>>) -> Response {
    let act = async {
        let engine = &admin.engine;
        let store = engine.store();
        let apps = admin.desk(&PROGRAM).list().await?;
        let registered = registered_at(store.as_ref()).await.unwrap_or(None);
        let health = GatewayHealth {
            reasons: reasons(engine),
            notes: link_notes(engine),
            apps: apps
                .iter()
                .filter(|app| app.revoked_at.is_none())
                .map(|app| app.name.clone())
                .collect(),
            registered_at: registered.map(Timestamp::rfc3339),
        };
        Ok((StatusCode::OK, health))
    };
    answer(act.await)
}

/// When M-Pesa last took our C2B addresses, as far as the newest inquiries of the book say.
///
/// # Errors
/// The store's.
pub async fn registered_at(store: &dyn Store) -> Result<Option<Timestamp>, StoreError> {
    let status = Some(Status::Succeeded);
    let mut query = InquiryQuery { status, descending: true, ..InquiryQuery::all(PAGE_LEN_MAX) };
    for _page in 0..PAGES_MAX {
        let page = store.inquiries(&query).await?;
        let found = page
            .rows
            .iter()
            .map(|row| &row.value)
            .find(|inquiry| matches!(inquiry.details.kind, Kind::RegisterUrls(_)));
        if let Some(inquiry) = found {
            return Ok(Some(inquiry.updated_at));
        }
        let Some(next) = page.next else {
            break;
        };
        query.after = Some(next);
    }
    Ok(None)
}
