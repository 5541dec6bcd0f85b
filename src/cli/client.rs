//! A client of the REST API, for the shell.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{Context, Failure};
use crate::config::Environment;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How often a request is sent again that the gateway is too busy for.
const BUSY_TRIES_MAX: u32 = 20;
const BUSY_PAUSE: Duration = Duration::from_millis(250);

/// A gateway's API, with a key for it.
#[derive(Debug)]
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
    /// What stands before its address in errors.
    who: &'static str,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) replayed: bool,
    pub(super) body: Value,
}

impl Reply {
    /// A problem's sentences, for people.
    pub(super) fn problem(&self) -> String {
        let text = |name: &str| self.body.get(name).and_then(Value::as_str).unwrap_or_default();
        let mut says = format!("{} ({})", text("detail"), text("code"));
        for fault in self.body.get("errors").and_then(Value::as_array).into_iter().flatten() {
            let part = |name: &str| fault.get(name).and_then(Value::as_str).unwrap_or_default();
            says.push_str(&format!("\n  {}: {}", part("field"), part("message")));
        }
        says
    }
}

impl Client {
    /// A client of the gateway at `url`, or else at the one that the configuration describes.
    pub(super) fn open(
        context: &Context,
        url: Option<&str>,
        key_file: Option<&Path>,
    ) -> Result<Self, Failure> {
        let (base, ca) = match url {
            Some(url) => (url.trim_end_matches('/').to_owned(), None),
            None => {
                let api = context.source()?.config()?.config.api;
                (base_of(api.listen, api.tls.is_some()), api.tls_ca)
            }
        };
        let key = match key_file {
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|error| {
                    Failure::Failed(format!("{} cannot be read: {error}", path.display()))
                })?;
                text.lines().next().unwrap_or_default().trim().to_owned()
            }
            None => Environment::api_key().ok_or_else(|| {
                Failure::Usage(
                    "an API key is needed: in the variable MLANGO_API_KEY, or \
                    --key-file FILE. `mlango apps create NAME` makes one"
                        .to_owned(),
                )
            })?,
        };
        Self::to(base, key, ca.as_deref())
    }

    /// A client of the gateway at `base`, such as `http://127.0.0.1:8080`; `ca` is a PEM file of
    /// authorities that are trusted besides this machine's.
    pub(super) fn to(base: String, key: String, ca: Option<&Path>) -> Result<Self, Failure> {
        let mut builder = reqwest::Client::builder().timeout(TIMEOUT).no_proxy();
        if let Some(path) = ca {
            let unfit = |error: String| Failure::Usage(format!("{}: {error}", path.display()));
            let pem = std::fs::read(path).map_err(|error| unfit(error.to_string()))?;
            let all = reqwest::Certificate::from_pem_bundle(&pem);
            let all = all.map_err(|error| unfit(error.to_string()))?;
            builder = all.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
        }
        let http =
            builder.build().map_err(|error| Failure::Failed(format!("no HTTP client: {error}")))?;
        Ok(Self { http, base, key, who: "the gateway at" })
    }

    /// The same, of what is no gateway: what stands before its address where it does not answer.
    pub(super) fn called(self, who: &'static str) -> Self {
        Self { who, ..self }
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Reply, Failure> {
        let url = reqwest::Url::parse_with_params(&format!("{}{path}", self.base), query)
            .map_err(|error| Failure::Usage(format!("{}{path}: {error}", self.base)))?;
        self.send(self.http.get(url)).await
    }

    /// Posts, again while the gateway is too busy: with its key that is safe.
    pub(super) async fn post(
        &self,
        path: &str,
        idempotency_key: &str,
        body: &Value,
    ) -> Result<Reply, Failure> {
        let url = format!("{}{path}", self.base);
        let mut tries: u32 = 0;
        loop {
            let request =
                self.http.post(&url).header("Idempotency-Key", idempotency_key).json(body);
            let reply = self.send(request).await?;
            tries = tries.saturating_add(1);
            if !matches!(reply.status, 429 | 503) || tries >= BUSY_TRIES_MAX {
                return Ok(reply);
            }
            tokio::time::sleep(BUSY_PAUSE).await;
        }
    }

    /// Posts once what may not be repeated blindly, and moves no money.
    pub(super) async fn act(&self, path: &str, body: &Value) -> Result<Reply, Failure> {
        self.send(self.http.post(format!("{}{path}", self.base)).json(body)).await
    }

    /// Posts a file of comma-separated values; the same again does the same.
    pub(super) async fn post_csv(&self, path: &str, file: Vec<u8>) -> Result<Reply, Failure> {
        let request = self.http.post(format!("{}{path}", self.base));
        self.send(request.header("Content-Type", "text/csv").body(file)).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Reply, Failure> {
        let failed = |error: reqwest::Error| {
            let why = if error.is_connect() {
                "nobody answers there".to_owned()
            } else {
                error.without_url().to_string()
            };
            Failure::Failed(format!("{} {}: {why}", self.who, self.base))
        };
        let response = request.header("X-API-Key", &self.key).send().await.map_err(failed)?;
        let status = response.status().as_u16();
        let replayed = response.headers().contains_key("Idempotency-Replayed");
        let body = response.json().await.map_err(failed)?;
        Ok(Reply { status, replayed, body })
    }
}

/// Where an API that listens on `listen` is reached from this machine.
pub(super) fn base_of(listen: SocketAddr, tls: bool) -> String {
    let host = match listen {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => "127.0.0.1".to_owned(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => "[::1]".to_owned(),
        SocketAddr::V4(v4) => v4.ip().to_string(),
        SocketAddr::V6(v6) => format!("[{}]", v6.ip()),
    };
    let scheme = if tls { "https" } else { "http" };
    format!("{scheme}://{host}:{}", listen.port())
}
