//! The accept loop: connections are counted, timed and drained here, whatever is served on them.
//!
//! A connection beyond the limit waits in the kernel's queue until a place is free; one beyond its
//! peer's share waits here, for a while. A peer outside the named networks is dropped before it
//! has said anything. A peer that sends its headers slowly, or does not take its answer, is cut
//! off. A peer that hangs up does not stop what its request began: a payout that is being written
//! is written.

mod dress;
mod encrypt;
mod framing;
mod patient;
mod share;

use std::convert::Infallible;
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use axum::Router;
use axum::body::Body;
use axum::http::Extensions;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::Service;
use tracing::{debug, warn};

use patient::Patient;
use share::{Seat, Shares};

use crate::telemetry::metric::Counter;
use crate::tls::{Acceptor, Facts};

/// How many connections the kernel holds for us while all places are taken.
const BACKLOG: u32 = 1_024;
/// The most bytes of a request's line and headers. (hyper takes at most 100 header fields; to say
/// another number costs an allocation for each request.)
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// The most bytes that are held of a connection at once, whatever its peer sends.
const BUFFER_BYTES_MAX: usize = 32 * 1024;
/// How long to wait when the system has no more connections to give (no file descriptors left).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What connections may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at once. One peer's address has at most half of them: the others wait
    /// for as long as `header_timeout`.
    pub connections: usize,
    /// How long a peer may take to send a request's headers, and how long a connection may rest
    /// between two requests.
    pub header_timeout: Duration,
    /// How long a peer may take none of an answer's bytes.
    pub stall_timeout: Duration,
    /// How long requests that are under way may go on once the program is to stop.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1_024,
            header_timeout: Duration::from_secs(10),
            stall_timeout: Duration::from_secs(15),
            drain: Duration::from_secs(10),
        }
    }
}

/// Who is at the other end of a connection. In every request's extensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A network address.
    Net(SocketAddr),
    /// Somebody on this machine who may open the socket file: the user's number, as the system
    /// says it.
    File(Option<u32>),
}

impl fmt::Display for Peer {
    /// Where somebody is, for the record of what he did.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(address) => write!(f, "{}", address.ip().to_canonical()),
            Self::File(Some(uid)) => write!(f, "the shell, uid {uid}"),
            Self::File(None) => f.write_str("the shell"),
        }
    }
}

/// Where the sender of a request is, for the record of what he did.
pub(super) fn place_of(extensions: &Extensions) -> String {
    let peer = extensions.get::<Peer>();
    peer.map_or_else(|| "a place that is not known".to_owned(), ToString::to_string)
}

/// The certificate that the peer showed and that was verified. In every request's extensions, where
/// there is one.
#[derive(Clone, Debug)]
pub struct PeerCertificate(pub Arc<Facts>);

/// Who is at the other end of a connection, as far as he has shown.
struct Caller {
    peer: Peer,
    certificate: Option<PeerCertificate>,
}

impl Caller {
    const fn of(peer: Peer) -> Self {
        Self { peer, certificate: None }
    }
}

/// Something that connections come from.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    /// The networks that are let in; empty: all.
    networks: Vec<IpNet>,
    /// Counts who is not.
    refused: Option<Counter>,
    /// How it is encrypted.
    tls: Option<Encryption>,
}

#[derive(Clone, Debug)]
struct Encryption {
    acceptor: Acceptor,
    /// The listener's name in logs and metrics.
    listener: &'static str,
}

#[derive(Debug)]
enum Listener {
    Tcp(TcpListener),
    File(UnixListener, PathBuf),
}

enum Stream {
    Tcp(TcpStream, SocketAddr),
    File(UnixStream),
}

impl Stream {
    /// The peer's address; an IPv4 address that came over an IPv6 socket is the IPv4 address.
    const fn address(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(_, peer) => Some(peer.ip().to_canonical()),
            Self::File(_) => None,
        }
    }
}

impl Server {
    /// Listens on a network address; port 0 takes any free one.
    ///
    /// # Errors
    /// A sentence that names the address, such as when another program has the port.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        listen_on(address).map(|listener| Self::of(Listener::Tcp(listener))).map_err(|error| {
            let kind = error.kind();
            let says = if kind == io::ErrorKind::AddrInUse {
                format!("{address} is in use: another program, or another mlango, listens there")
            } else if kind == io::ErrorKind::AddrNotAvailable {
                format!("{address} is not an address of this machine")
            } else {
                format!("{address} cannot be listened on: {error}")
            };
            io::Error::new(kind, says)
        })
    }

    /// Listens on a socket file that only its owner can open. One that a dead process left behind
    /// is replaced.
    ///
    /// # Errors
    /// A sentence that names the file, such as when a living process answers there.
    pub fn bind_file(path: &Path) -> io::Result<Self> {
        let listener = file_listener(path).map_err(|error| {
            let says = format!("the socket {} cannot be made: {error}", path.display());
            io::Error::new(error.kind(), says)
        })?;
        Ok(Self::of(Listener::File(listener, path.to_owned())))
    }

    const fn of(listener: Listener) -> Self {
        Self { listener, networks: Vec::new(), refused: None, tls: None }
    }

    /// Lets in only who comes from one of these networks; empty: anybody. Everybody else is
    /// dropped before a byte of his is read, and counted in `refused`.
    #[must_use]
    pub fn only_from(self, networks: Vec<IpNet>, refused: Counter) -> Self {
        Self { networks, refused: Some(refused), ..self }
    }

    /// Speaks TLS; `listener` is its name in logs and metrics.
    #[must_use]
    pub fn encrypted(self, acceptor: Acceptor, listener: &'static str) -> Self {
        Self { tls: Some(Encryption { acceptor, listener }), ..self }
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When it listens on a file, or the system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.listener {
            Listener::Tcp(listener) => listener.local_addr(),
            Listener::File(..) => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "a socket file has no network address",
            )),
        }
    }

    /// Serves until `shutdown`, then drains: no new connection or request is taken, and those
    /// under way may go on for [`Limits::drain`]. Says how many connections had to be cut.
    pub async fn serve(self, router: Router, limits: Limits, shutdown: CancellationToken) -> usize {
        let floor = Floor {
            router: router.with_state(()),
            limits,
            tls: self.tls.clone(),
            shutdown,
            cut: CancellationToken::new(),
        };
        let places = Arc::new(Semaphore::new(limits.connections));
        let shares = Shares::of(limits.connections);
        let connections = TaskTracker::new();
        while let Some((stream, place)) = self.next(&places, &floor.shutdown).await {
            let Some(peer) = stream.address() else {
                connections.spawn(floor.clone().host(stream, place, None));
                continue;
            };
            if let Some(seat) = shares.seat(peer) {
                connections.spawn(floor.clone().host(stream, place, Some(seat)));
            } else if let Some(wait) = shares.wait(peer) {
                // Its place is for others meanwhile.
                drop(place);
                let (floor, places) = (floor.clone(), Arc::clone(&places));
                connections.spawn(async move {
                    if let Some((seat, place)) = floor.wait(wait.turn(places)).await {
                        floor.host(stream, place, Some(seat)).await;
                    }
                });
            } else {
                debug!(%peer, "a peer has more connections than may wait");
            }
        }
        self.end();
        connections.close();
        if tokio::time::timeout(limits.drain, connections.wait()).await.is_ok() {
            return 0;
        }
        let left = connections.len();
        floor.cut.cancel();
        connections.wait().await;
        left
    }

    /// The next connection and its place; `None` when it is time to stop.
    async fn next(
        &self,
        places: &Arc<Semaphore>,
        shutdown: &CancellationToken,
    ) -> Option<(Stream, OwnedSemaphorePermit)> {
        let place = tokio::select! {
            biased;
            () = shutdown.cancelled() => return None,
            place = Arc::clone(places).acquire_owned() => place.ok()?,
        };
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.cancelled() => return None,
                accepted = self.accept() => accepted,
            };
            match accepted {
                Ok(stream) if self.lets_in(&stream) => return Some((stream, place)),
                Ok(stream) => {
                    drop(stream);
                    if let Some(refused) = &self.refused {
                        refused.increment();
                    }
                }
                Err(error) => {
                    warn!(%error, "a connection could not be taken");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn lets_in(&self, stream: &Stream) -> bool {
        let inside = |address| self.networks.iter().any(|network| network.contains(&address));
        self.networks.is_empty() || stream.address().is_none_or(inside)
    }

    async fn accept(&self) -> io::Result<Stream> {
        match &self.listener {
            Listener::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // An answer is one small write: it must not wait for the peer's next packet.
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream, peer))
            }
            Listener::File(listener, _) => Ok(Stream::File(listener.accept().await?.0)),
        }
    }

    /// Listens no more: the port is free, the socket file is gone.
    fn end(self) {
        if let Listener::File(listener, path) = self.listener {
            drop(listener);
            if let Err(error) = fs::remove_file(&path) {
                warn!(%error, path = %path.display(), "the socket file could not be removed");
            }
        }
    }
}

fn listen_on(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // A restart must not wait for connections of the last run to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Makes the socket in a directory that only its owner can enter, and moves it in place: there is
/// no moment at which somebody else could open it.
fn file_listener(path: &Path) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "a running mlango answers there"));
    }
    let mut private = path.as_os_str().to_owned();
    private.push(".new");
    let private = PathBuf::from(private);
    let made = private.join("s");
    match fs::remove_dir_all(&private) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::DirBuilder::new().mode(0o700).create(&private)?;
    let listener = UnixListener::bind(&made).and_then(|listener| {
        fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
        fs::rename(&made, path)?;
        Ok(listener)
    });
    fs::remove_dir_all(&private)?;
    listener
}

/// What every connection needs.
#[derive(Clone)]
struct Floor {
    router: Router,
    limits: Limits,
    tls: Option<Encryption>,
    shutdown: CancellationToken,
    cut: CancellationToken,
}

impl Floor {
    /// Waits for a peer's turn: as long as a peer may rest, and not beyond the end.
    async fn wait<T>(&self, turn: impl Future<Output = Option<T>>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.shutdown.cancelled() => None,
            turn = tokio::time::timeout(self.limits.header_timeout, turn) => turn.ok().flatten(),
        }
    }

    async fn host(self, stream: Stream, place: OwnedSemaphorePermit, seat: Option<Seat>) {
        match stream {
            Stream::File(stream) => {
                let uid = stream.peer_cred().ok().map(|peer| peer.uid());
                self.converse(stream, Caller::of(Peer::File(uid))).await;
            }
            Stream::Tcp(stream, peer) => match self.tls.clone() {
                None => self.converse(stream, Caller::of(Peer::Net(peer))).await,
                Some(tls) => {
                    let patience = self.limits.header_timeout;
                    if let Some((stream, certificate)) = tls.open(stream, peer, patience).await {
                        let certificate = certificate.map(|it| PeerCertificate(Arc::new(it)));
                        self.converse(stream, Caller { peer: Peer::Net(peer), certificate }).await;
                    }
                }
            },
        }
        drop((place, seat));
    }

    async fn converse<S>(self, stream: S, caller: Caller)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let router = self.router;
        let is_encrypted = self.tls.is_some();
        let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(caller.peer);
            if let Some(certificate) = &caller.certificate {
                request.extensions_mut().insert(certificate.clone());
            }
            // A router is always ready.
            let ends = framing::ends_connection(&request);
            let answering = router.clone().call(request);
            async move {
                let mut answer = answering.await?;
                if ends {
                    framing::end(&mut answer);
                }
                dress::dress(&mut answer, is_encrypted);
                Ok::<_, Infallible>(answer)
            }
        });
        let stream = Patient::new(stream, self.limits.stall_timeout);
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.header_timeout)
            .max_header_size(HEADER_BYTES_MAX)
            .max_buf_size(BUFFER_BYTES_MAX)
            // A peer that has said all may close its side; that must not stop its request.
            .half_close(true)
            .serve_connection(TokioIo::new(stream), service);
        tokio::pin!(connection);
        let mut draining = false;
        loop {
            tokio::select! {
                biased;
                done = connection.as_mut() => {
                    if let Err(error) = done {
                        debug!(%error, "a connection ended badly");
                    }
                    return;
                }
                () = self.shutdown.cancelled(), if !draining => {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = self.cut.cancelled() => return,
            }
        }
    }
}
