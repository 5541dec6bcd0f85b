//! The socket beside the store, from the shell's side.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::UnixStream;

use super::Failure;

/// The longest answer.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// A running gateway's socket.
#[derive(Debug)]
pub(super) struct Socket {
    path: PathBuf,
}

impl Socket {
    pub(super) const fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Whether a gateway listens there.
    pub(super) async fn answers(&self) -> bool {
        UnixStream::connect(&self.path).await.is_ok()
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.ask(Request::get(path), Bytes::new()).await
    }

    pub(super) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(Failure::failed)?;
        let request = Request::post(path).header("Content-Type", "application/json");
        self.ask(request, Bytes::from(body)).await
    }

    /// As [`Self::post`], for what may take as long as it takes.
    pub(super) async fn post_and_wait<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(Failure::failed)?;
        let request = Request::post(path).header("Content-Type", "application/json");
        self.ask_and_wait(request, Bytes::from(body)).await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<T, Failure> {
        let asked = tokio::time::timeout(TIMEOUT, self.ask_and_wait(request, body)).await;
        asked.map_err(|_late| self.failed("it did not answer in time".to_owned()))?
    }

    fn failed(&self, what: String) -> Failure {
        Failure::Failed(format!("the gateway's socket {}: {what}", self.path.display()))
    }

    async fn ask_and_wait<T: DeserializeOwned>(
        &self,
        request: http::request::Builder,
        body: Bytes,
    ) -> Result<T, Failure> {
        let failed = |what: String| self.failed(what);
        let stream = UnixStream::connect(&self.path).await.map_err(|e| failed(e.to_string()))?;
        let shaken = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|error| failed(error.to_string()))?;
        let request = request.header("Host", "localhost").body(Full::new(body));
        let request = request.map_err(|error| failed(error.to_string()))?;
        // The sender is moved in, and so dropped with the answer: that ends the connection.
        let answering = async move {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
            Ok::<_, hyper::Error>((status, body))
        };
        let (answer, _ended) = tokio::join!(answering, connection);
        let (status, body) = answer.map_err(|error| failed(error.to_string()))?;
        let body = body.map_err(|error| failed(error.to_string()))?.to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| failed(error.to_string()));
        }
        let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
        Err(Failure::Failed(refusal(&problem)))
    }
}

/// What a problem says, with every faulty field.
fn refusal(problem: &Value) -> String {
    let text =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let detail = text(problem, "detail");
    let mut says = detail.unwrap_or_else(|| "it refused, without saying why".to_owned());
    for fault in problem.get("errors").and_then(Value::as_array).into_iter().flatten() {
        let part = |name: &str| text(fault, name).unwrap_or_default();
        says.push_str(&format!("\n  {}: {}", part("field"), part("message")));
    }
    says
}
