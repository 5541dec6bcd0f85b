//! Messages over TCP, as M-Pesa sends them: `text/xml` with no charset or JSON, no `SOAPAction`,
//! one connection each (spec/soap.md §1.3, spec/daraja.md §2.1).

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::deliver::{Carrier, Pending, Target, Tasks};
use crate::tls::{BoxedStream, Client, ClientSettings, IdentityFiles, NoTls, Refused, Trust};

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long one delivery may take, from its first byte to the end of its acknowledgement.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest acknowledgement: the right one has 600 bytes (spec/soap.md §5.5).
const ANSWER_MAX: usize = 64 * 1024;
/// Open connections kept for one receiver.
const IDLE_MAX: usize = 256;
/// Receivers that connections are kept open for; beyond, each result has its own.
const RECEIVERS_MAX: usize = 64;

/// Posts over connections that it may keep.
pub struct TcpCarrier(Arc<Connections>);

/// What is shown, and who is trusted, where it calls over HTTPS.
#[derive(Clone, Debug, Default)]
pub struct Calls {
    /// The authorities of whoever is called; `None`: those of this machine.
    pub ca: Option<PathBuf>,
    /// What is shown.
    pub identity: Option<IdentityFiles>,
}

impl Calls {
    fn to(&self, host: &str) -> Result<Client, Fault> {
        let trust = self.ca.clone().map_or(Trust::Machine, Trust::Only);
        let identity = self.identity.clone();
        Client::new(ClientSettings { identity, ..ClientSettings::to(host, trust) })
            .map_err(Fault::NoTls)
    }
}

struct Connections {
    /// Keep connections to a receiver open, as a bench needs; the real broker does not.
    keep_alive: bool,
    idle: Mutex<HashMap<String, Vec<Sender>>>,
    tasks: Tasks,
    calls: Calls,
    /// How receivers' hosts are spoken to over HTTPS.
    encrypted: Mutex<HashMap<String, Client>>,
}

type Sender = http1::SendRequest<Full<Bytes>>;

impl fmt::Debug for TcpCarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keep_alive = &self.0.keep_alive;
        f.debug_struct("TcpCarrier").field("keep_alive", keep_alive).finish_non_exhaustive()
    }
}

impl TcpCarrier {
    /// One with no connection yet; those that it opens are driven under `tasks`.
    pub fn new(keep_alive: bool, tasks: Tasks, calls: Calls) -> Self {
        let (idle, encrypted) = (Mutex::default(), Mutex::default());
        Self(Arc::new(Connections { keep_alive, idle, tasks, calls, encrypted }))
    }
}

impl Carrier for TcpCarrier {
    fn post(&self, to: &Target, body: Bytes) -> Pending<Result<(u16, Bytes), String>> {
        let (connections, to) = (Arc::clone(&self.0), to.clone());
        Box::pin(
            async move { connections.post(&to, &body).await.map_err(|fault| fault.to_string()) },
        )
    }
}

impl Connections {
    /// Posts over a kept connection where there is one; over a new one where there is none, or
    /// where the kept one turns out to be dead.
    async fn post(&self, to: &Target, body: &Bytes) -> Result<(u16, Bytes), Fault> {
        if self.keep_alive
            && let Some(sender) = self.take_idle(to)
            && let Ok(answer) = self.post_over(sender, to, body).await
        {
            return Ok(answer);
        }
        let sender = self.connect(to).await?;
        self.post_over(sender, to, body).await
    }

    async fn connect(&self, to: &Target) -> Result<Sender, Fault> {
        let connecting = TcpStream::connect((to.host(), to.port()));
        let stream = timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_elapsed| Fault::ConnectTimeout)?
            .map_err(Fault::Connect)?;
        stream.set_nodelay(true).map_err(Fault::Connect)?;
        let stream: BoxedStream = if to.is_https() {
            let client = self.client(to.host())?;
            let shaking = timeout(CONNECT_TIMEOUT, client.shake_hands(stream));
            shaking.await.map_err(|_elapsed| Fault::ConnectTimeout)?.map_err(Fault::Tls)?.0
        } else {
            Box::new(stream)
        };
        let (sender, connection) =
            http1::Builder::new().title_case_headers(true).handshake(TokioIo::new(stream)).await?;
        self.tasks.run(async move {
            // What went wrong with it, the exchange itself reports.
            drop(connection.await);
        });
        Ok(sender)
    }

    fn client(&self, host: &str) -> Result<Client, Fault> {
        let mut known = self.encrypted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = known.get(host) {
            return Ok(client.clone());
        }
        let client = self.calls.to(host)?;
        if known.len() < RECEIVERS_MAX {
            known.insert(host.to_owned(), client.clone());
        }
        Ok(client)
    }

    async fn post_over(
        &self,
        mut sender: Sender,
        to: &Target,
        body: &Bytes,
    ) -> Result<(u16, Bytes), Fault> {
        let mut request = Request::post(to.path())
            .header(header::HOST, to.authority())
            .header(header::CONTENT_TYPE, to.content_type());
        if !self.keep_alive {
            request = request.header(header::CONNECTION, "close");
        }
        let request = request.body(Full::new(body.clone())).map_err(Fault::Request)?;
        let exchange = async {
            sender.ready().await?;
            let answer = sender.send_request(request).await?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), ANSWER_MAX)
                .collect()
                .await
                .map_err(Fault::Body)?;
            Ok::<_, Fault>((status, body.to_bytes()))
        };
        let answer =
            timeout(ANSWER_TIMEOUT, exchange).await.map_err(|_elapsed| Fault::AnswerTimeout)??;
        if self.keep_alive {
            self.keep(to, sender);
        }
        Ok(answer)
    }

    fn take_idle(&self, to: &Target) -> Option<Sender> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let senders = idle.get_mut(to.authority())?;
        while let Some(sender) = senders.pop() {
            if !sender.is_closed() {
                return Some(sender);
            }
        }
        None
    }

    fn keep(&self, to: &Target, sender: Sender) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !idle.contains_key(to.authority()) && idle.len() >= RECEIVERS_MAX {
            return;
        }
        let senders = idle.entry(to.authority().to_owned()).or_default();
        if senders.len() < IDLE_MAX {
            senders.push(sender);
        }
    }
}

/// Why a delivery got no answer.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("no connection: {0}")]
    Connect(std::io::Error),
    #[error("no encrypted connection: {0}")]
    Tls(Refused),
    #[error("encryption is not set up: {0}")]
    NoTls(NoTls),
    #[error("no connection in time")]
    ConnectTimeout,
    #[error("no acknowledgement in time")]
    AnswerTimeout,
    #[error("the connection failed: {0}")]
    Connection(#[from] hyper::Error),
    #[error("the request could not be built: {0}")]
    Request(http::Error),
    #[error("the acknowledgement could not be read: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
}
