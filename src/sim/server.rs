//! The simulator's listener: connections, and how to leave one without an answer.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::wsdl::Encrypted;
use crate::tls::{Acceptor, Stream};

/// The most connections at once; further ones wait to be accepted.
pub const CONNECTIONS_MAX: usize = 4_096;
/// How long a connection may take to send a head, or rest between two requests: longer than a
/// gateway keeps a connection it does not use, so that ending it is the gateway's choice.
const IDLE_TIMEOUT: Duration = Duration::from_secs(90);
/// How long requests under way may still take when the simulator is stopped.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after a connection could not be accepted, for instance for want of file handles.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Marks a response that must not be sent: the connection ends without an answer.
#[derive(Clone, Copy, Debug)]
pub struct HangUp;

impl IntoResponse for HangUp {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        response.extensions_mut().insert(self);
        response
    }
}

/// Whether a response means that the connection ends and not one byte of it is sent: for whoever
/// calls the router without a listener.
pub fn is_hang_up<B>(response: &http::Response<B>) -> bool {
    response.extensions().get::<HangUp>().is_some()
}

/// What the service says so that hyper ends the connection and writes nothing.
#[derive(Debug)]
struct HungUp;

impl fmt::Display for HungUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the script says to hang up")
    }
}

impl std::error::Error for HungUp {}

/// Where connections come from, and how they are encrypted.
pub struct Door {
    /// The socket.
    pub listener: TcpListener,
    /// What it speaks; `None`: plain HTTP.
    pub acceptor: Option<Acceptor>,
}

/// Accepts connections until `stop` is cancelled.
pub async fn accept(
    Door { listener, acceptor }: Door,
    router: Router,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _peer)) => {
                let (router, stop) = (router.clone(), stop.clone());
                let acceptor = acceptor.clone();
                tasks.spawn(async move {
                    greet(stream, acceptor, router, stop).await;
                    drop(permit);
                });
            }
            Err(fault) => {
                tracing::warn!(%fault, "connection not accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn greet(
    stream: TcpStream,
    acceptor: Option<Acceptor>,
    router: Router,
    stop: CancellationToken,
) {
    if let Err(fault) = stream.set_nodelay(true) {
        log_end(&fault);
        return;
    }
    let Some(acceptor) = acceptor else {
        return serve(stream, router, stop).await;
    };
    match timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
        Ok(Ok((stream, _peer))) => serve(stream, router.layer(Extension(Encrypted)), stop).await,
        Ok(Err(refused)) => tracing::info!(why = %refused, "a caller was turned away"),
        Err(_elapsed) => tracing::info!("a caller did not finish its handshake"),
    }
}

async fn serve<S>(stream: S, router: Router, stop: CancellationToken)
where
    S: Stream + 'static,
{
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let router = router.clone();
        async move {
            let response = router
                .oneshot(request.map(Body::new))
                .await
                .unwrap_or_else(|never: Infallible| match never {});
            if is_hang_up(&response) {
                return Err(HungUp);
            }
            Ok(response)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            match timeout(DRAIN_TIMEOUT, connection).await {
                Ok(ended) => ended,
                Err(_elapsed) => return,
            }
        }
    };
    if let Err(fault) = ended {
        log_end(&fault);
    }
}

fn log_end(fault: &dyn std::error::Error) {
    tracing::debug!(%fault, "connection ended");
}

/// Binds `address`, and says which when it cannot.
///
/// # Errors
/// The system's, with the address in its text.
pub async fn bind(address: std::net::SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|fault| {
        io::Error::new(fault.kind(), format!("the simulator cannot listen on {address}: {fault}"))
    })
}
