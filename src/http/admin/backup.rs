//! Back-ups of a running gateway, through the socket.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Admin, answer, operator, read};
use crate::engine::audit::{Act, Actor, Deed};
use crate::http::problem::{Code, Problem};
use crate::store::backup::{BackupError, Manifest, Order, Progress};

/// A back-up to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBackup {
    /// Where: from the root on, for the gateway works in a directory of its own.
    pub dir: PathBuf,
    /// Whether it will be kept, or is made only to be looked at.
    pub is_kept: bool,
}

/// How far the last one has come.
#[derive(Debug, Default)]
pub(super) struct Last(Mutex<Arc<Progress>>);

impl Last {
    fn begin(&self) -> Arc<Progress> {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Arc::default();
        Arc::clone(&last)
    }

    fn bytes(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).bytes()
    }
}

/// `POST /backup`: answered when it is whole. It goes on if the asker hangs up.
pub(super) async fn make(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    let act = async {
        let actor = operator(&request);
        let NewBackup { dir, is_kept } = read(request).await?;
        if !dir.is_absolute() {
            let says = "dir must begin at the root: the gateway works in a directory of its own";
            return Err(Problem::new(Code::InvalidFields, says));
        }
        let order = Order { dir, at: admin.engine.clock().now(), is_kept };
        let made = admin.engine.store().backup(order, admin.progress.begin()).await;
        let made = made.map_err(not_made)?;
        if is_kept {
            record(&admin, &actor, &made).await;
        }
        Ok((StatusCode::OK, made))
    };
    answer(act.await)
}

/// That a copy of the whole book, with phones and names in it, is somewhere else now. The copy is
/// there whether this is kept or not.
async fn record(admin: &Admin, actor: &Actor, made: &Manifest) {
    let act = Act {
        deed: Deed::BackedUp,
        what: format!("a back-up made of {} payouts", made.payouts),
        before: "one copy fewer".to_owned(),
        after: format!("the book up to event {} stands elsewhere, too", made.last_event),
    };
    if let Err(error) = admin.engine.record(actor, &act).await {
        tracing::error!(%error, "a back-up was made, and its record could not be kept");
    }
}

/// `GET /backup`: how far the one that was asked for last has come.
pub(super) async fn progress(State(admin): State<Arc<Admin>>) -> Response {
    answer(Ok((StatusCode::OK, json!({ "bytes": admin.progress.bytes() }))))
}

fn not_made(error: BackupError) -> Problem {
    let code = match error {
        BackupError::Running => Code::Busy,
        BackupError::Refused(_) => Code::InvalidFields,
        BackupError::Damaged(_) | BackupError::Failed(_) => Code::Internal,
    };
    Problem::new(code, error.to_string())
}
