//! What the operator's own shell asks of a running gateway: a socket file beside the store, which
//! only its owner can open (contract, part 1).
//!
//! No key is needed there: whoever can open the file could as well open the store. The same is
//! done without a gateway on the store itself: to applications by [`super::apps`], to rails and
//! cases by [`Alone`].

mod alone;
mod backup;
mod desk;
mod export;
mod fixtures;
mod health;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path as InPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::apps::{Desk, GRACE, NotDone, Random};
use super::auth::{Apps, PlainKey};
use super::body::{self, BodyLimits, NotRead};
use super::problem::{Code, Problem};
use super::server::place_of;
use crate::domain::id::AppId;
use crate::engine::Engine;
use crate::engine::audit::{Actor, PROGRAM};
use crate::store::{App, CommitError, Scope};
pub use alone::Alone;
pub use backup::NewBackup;
pub use desk::{NewClosing, NewPause, Resume};
pub use export::{Asked as AskedExport, Page as ExportPage};
pub use fixtures::{Recorded, RecordedPage, Recording};
pub use health::{GatewayHealth, registered_at};

/// What a request may take: the longest has a ruling and a reason of a few hundred characters.
const LIMITS: BodyLimits = BodyLimits { bytes: 16 * 1024, timeout: Duration::from_secs(5) };

/// Where the socket of the gateway is that has its store in `store`: beside it.
pub fn socket_beside(store: &Path) -> PathBuf {
    let mut path = store.as_os_str().to_owned();
    path.push(".sock");
    PathBuf::from(path)
}

/// An application to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewApp {
    /// What people call it.
    pub name: String,
    /// What its keys may do; the usual scopes when there are none.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// How a key is replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotate {
    /// Seconds for which the old key stays good; a day when not given, 0 ends it at once.
    #[serde(default)]
    pub old_key_ends_in_s: Option<u64>,
}

/// An application, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppView {
    /// Ours, `app_…`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What its keys may do.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: String,
    /// When it was revoked.
    pub revoked_at: Option<String>,
    /// Its keys, newest last.
    pub keys: Vec<KeyView>,
}

/// What can be shown of a key: not the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// When it was made.
    pub created_at: String,
    /// From when on it is no longer good.
    pub ends_at: Option<String>,
}

/// An application and its new key, which is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppWithKey {
    /// The application.
    pub app: AppView,
    /// The key.
    pub key: String,
}

impl std::fmt::Debug for AppWithKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AppWithKey").field("app", &self.app).finish_non_exhaustive()
    }
}

/// Every application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppList {
    /// Oldest first.
    pub data: Vec<AppView>,
}

impl From<&App> for AppView {
    fn from(app: &App) -> Self {
        Self {
            id: app.id.to_string(),
            name: app.name.clone(),
            scopes: app.scopes.iter().map(|s| s.as_str().to_owned()).collect(),
            created_at: app.created_at.rfc3339(),
            revoked_at: app.revoked_at.map(|at| at.rfc3339()),
            keys: app
                .keys
                .iter()
                .map(|key| KeyView {
                    created_at: key.created_at.rfc3339(),
                    ends_at: key.ends_at.map(|at| at.rfc3339()),
                })
                .collect(),
        }
    }
}

/// What the socket's router works with.
#[derive(Debug)]
pub struct Admin {
    engine: Arc<Engine>,
    apps: Arc<Apps>,
    random: Random,
    /// One act at a time: each reads an application and writes it back.
    turn: Mutex<()>,
    /// How far the back-up has come that was asked for last.
    progress: backup::Last,
    /// Who stands for whom in the recording that was begun last.
    recordings: fixtures::Recordings,
}

impl Admin {
    /// For `engine`'s store; `apps` is told of every change.
    pub fn new(engine: Arc<Engine>, apps: Arc<Apps>, random: Random) -> Self {
        Self {
            engine,
            apps,
            random,
            turn: Mutex::new(()),
            progress: backup::Last::default(),
            recordings: fixtures::Recordings::default(),
        }
    }

    fn desk<'a>(&'a self, actor: &'a Actor) -> Desk<'a> {
        Desk {
            store: self.engine.store().as_ref(),
            clock: self.engine.clock().as_ref(),
            ids: self.engine.ids().as_ref(),
            random: self.random,
            actor,
        }
    }
}

/// The socket's routes.
///
/// `POST /apps`, `GET /apps`, `POST /apps/{id}/rotate`, `POST /apps/{id}/revoke`; `GET /rails`,
/// `POST /rails/{rail}/pause`, `POST /rails/{rail}/resume`; `GET /cases`, `GET /cases/{id}`,
/// `POST /cases/{id}/close`; `POST /backup`, and `GET /backup` for how far it has come; `GET
/// /export/{what}`; `GET /fixtures` and `GET /fixtures/{about}`; `GET /health`.
pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/apps", get(list).post(create))
        .route("/apps/{id}/rotate", post(rotate))
        .route("/apps/{id}/revoke", post(revoke))
        .route("/rails", get(desk::rails))
        .route("/rails/{rail}/pause", post(desk::pause))
        .route("/rails/{rail}/resume", post(desk::resume))
        .route("/health", get(health::health))
        .route("/cases", get(desk::cases))
        .route("/cases/{id}", get(desk::case))
        .route("/cases/{id}/close", post(desk::close))
        .route("/backup", get(backup::progress).post(backup::make))
        .route("/export/{what}", get(export::page_of))
        .route("/fixtures", get(fixtures::begin))
        .route("/fixtures/{about}", get(fixtures::of))
        .fallback(|| async { Problem::new(Code::NoSuchPath, "Nothing is here.").into_response() })
        .with_state(Arc::new(admin))
}

async fn create(State(admin): State<Arc<Admin>>, request: Request) -> Response {
    let act = async {
        let actor = operator(&request);
        let new: NewApp = read(request).await?;
        let scopes = scopes(&new.scopes)?;
        let _turn = admin.turn.lock().await;
        let (app, key) = admin.desk(&actor).create(&new.name, &scopes).await?;
        admin.apps.put(&app);
        Ok((StatusCode::CREATED, with_key(&app, &key)))
    };
    answer(act.await)
}

async fn list(State(admin): State<Arc<Admin>>) -> Response {
    let act = async {
        let apps = admin.desk(&PROGRAM).list().await?;
        let data = apps.iter().map(Into::into).collect();
        Ok((StatusCode::OK, AppList { data }))
    };
    answer(act.await)
}

async fn rotate(
    State(admin): State<Arc<Admin>>,
    InPath(id): InPath<String>,
    request: Request,
) -> Response {
    let act = async {
        let id = app_id(&id)?;
        let actor = operator(&request);
        let how: Rotate = read(request).await?;
        let grace = how.old_key_ends_in_s.map_or(GRACE, Duration::from_secs);
        let _turn = admin.turn.lock().await;
        let (app, key) = admin.desk(&actor).rotate(id, grace).await?;
        admin.apps.put(&app);
        Ok((StatusCode::OK, with_key(&app, &key)))
    };
    answer(act.await)
}

async fn revoke(
    State(admin): State<Arc<Admin>>,
    InPath(id): InPath<String>,
    request: Request,
) -> Response {
    let actor = operator(&request);
    drop(request);
    let act = async {
        let id = app_id(&id)?;
        let _turn = admin.turn.lock().await;
        let app = admin.desk(&actor).revoke(id).await?;
        admin.apps.put(&app);
        Ok((StatusCode::OK, AppView::from(&app)))
    };
    answer(act.await)
}

/// Whoever sends a request that names nobody: the system says who opened the socket.
fn operator(request: &Request) -> Actor {
    Actor::new("the operator".to_owned(), place_of(request.extensions()))
}

fn with_key(app: &App, key: &PlainKey) -> AppWithKey {
    AppWithKey { app: app.into(), key: key.reveal().to_owned() }
}

fn scopes(words: &[String]) -> Result<Vec<Scope>, Problem> {
    let read: Result<Vec<Scope>, String> = words.iter().map(|word| word.parse()).collect();
    read.map_err(|error| Problem::new(Code::InvalidFields, error))
}

fn app_id(text: &str) -> Result<AppId, Problem> {
    text.parse().map_err(|_error| Problem::new(Code::NoSuchApp, "No application has this id."))
}

/// An empty body is an empty object.
async fn read<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    let read = body::read(&parts.headers, body, LIMITS).await;
    let bytes: Bytes = read.map_err(|error| match error {
        NotRead::TooLarge => Problem::new(Code::BodyTooLarge, "The body is too large."),
        NotRead::TimedOut => Problem::new(Code::BodyTimeout, "The body did not arrive in time."),
        NotRead::Broken => Problem::new(Code::InvalidJson, "The body ended before its end."),
    })?;
    let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
    serde_json::from_slice(bytes)
        .map_err(|error| Problem::new(Code::InvalidFields, error.to_string()))
}

fn answer<T: Serialize>(done: Result<(StatusCode, T), Problem>) -> Response {
    let written = done.and_then(|(status, value)| match serde_json::to_vec(&value) {
        Ok(bytes) => Ok((status, bytes)),
        Err(error) => Err(Problem::new(Code::Internal, error.to_string())),
    });
    match written {
        Ok((status, bytes)) => {
            let mut response = Response::new(Body::from(bytes));
            *response.status_mut() = status;
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(problem) => problem.into_response(),
    }
}

impl From<NotDone> for Problem {
    fn from(error: NotDone) -> Self {
        let code = match &error {
            NotDone::Name | NotDone::Grace => Code::InvalidFields,
            NotDone::NameTaken(_)
            | NotDone::TooMany
            | NotDone::Revoked(_)
            | NotDone::TooManyKeys => Code::AppConflict,
            NotDone::NoSuchApp(_) => Code::NoSuchApp,
            NotDone::Random(_) => Code::Internal,
            NotDone::Read(_) => Code::StoreUnavailable,
            NotDone::Write(CommitError::Full) => Code::Busy,
            NotDone::Write(
                CommitError::Broken(_)
                | CommitError::Unfit(_)
                | CommitError::Conflict(_)
                | CommitError::Taken(..)
                | CommitError::Claimed(_)
                | CommitError::CaseClosed(_)
                | CommitError::NoSuchCase(_),
            ) => Code::StoreUnavailable,
        };
        Self::new(code, error.to_string())
    }
}
