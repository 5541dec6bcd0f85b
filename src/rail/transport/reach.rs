//! To the other side: name, address, connection, encryption.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tokio::time::timeout;

use super::Origin;
use super::counted::{Counted, Fails, Left};
use crate::domain::payout::WhyNothingSent;
use crate::engine::port::LinkStage;
use crate::tls::{Backend, BoxedStream, Client, Refused, Session};

/// How long [`look`] waits for an objection to our certificate.
const TURNED_AWAY_WAIT: Duration = Duration::from_millis(500);

/// From where on this machine connections leave: a VPN's end, so that nothing takes another way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The address that they leave from.
    pub address: Option<IpAddr>,
    /// The network interface that they leave by (Linux only).
    pub interface: Option<String>,
}

/// How far it came, why not further, and what that means for what was to be sent.
struct Stuck(LinkStage, String, WhyNothingSent);

/// Connects, and agrees on encryption.
pub(super) async fn connect(
    origin: &Origin,
    limit: Duration,
    left: &Arc<Left>,
) -> Result<Counted, WhyNothingSent> {
    let connecting = async {
        let stream = reach(origin).await?;
        let unfit = |error: io::Error| {
            Stuck(LinkStage::Connect, error.to_string(), WhyNothingSent::Connect)
        };
        // Without it a small request can wait for the other side's delayed acknowledgement.
        stream.set_nodelay(true).map_err(unfit)?;
        match &origin.tls {
            None => {
                origin.tell(|link| link.connected(None));
                let stream: BoxedStream = Box::new(stream);
                Ok((stream, Fails::BeforeTaking))
            }
            Some(tls) => encrypt(origin, tls, stream).await,
        }
    };
    let slow = |_late| {
        let what = format!("nothing came of it within {} ms", limit.as_millis());
        Stuck(LinkStage::Connect, what, WhyNothingSent::ConnectTimeout)
    };
    match timeout(limit, connecting).await.map_err(slow).and_then(|done| done) {
        Ok((stream, fails)) => Ok(Counted { stream, fails, left: Arc::clone(left) }),
        Err(Stuck(stage, what, why)) => {
            origin.tell(|link| link.failed(stage, &what));
            tracing::debug!(host = origin.host, stage = stage.as_str(), what, "no connection");
            Err(why)
        }
    }
}

/// Goes the same way as a request, as far as it leads, and says nothing there. Looked at more
/// closely than [`connect`] does: the error says how far it came, and why not further.
///
/// # Errors
/// The stage that was not passed, and why, in words.
pub async fn look(
    origin: &Origin,
    limit: Duration,
) -> Result<Option<Session>, (LinkStage, String)> {
    let late = |_late| {
        let what = format!("nothing came of it within {} ms", limit.as_millis());
        (LinkStage::Connect, what)
    };
    let reached = timeout(limit, reach(origin)).await.map_err(late)?;
    let stream = reached.map_err(|Stuck(stage, what, _why)| (stage, what))?;
    let Some(tls) = &origin.tls else {
        return Ok(None);
    };
    let shaken = timeout(limit, tls.shake_hands(stream)).await;
    let shaken = shaken.unwrap_or(Err(Refused::TooSlow));
    let refused = |why: Refused| (LinkStage::Tls, why.to_string());
    let (stream, session) = shaken.map_err(refused)?;
    still_stands(stream).await.map_err(refused)?;
    Ok(Some(session))
}

/// In TLS 1.3 the other side looks at our certificate, or at the lack of one, when our half of the
/// handshake is over. Whoever is content waits for a request.
async fn still_stands(mut stream: BoxedStream) -> Result<(), Refused> {
    match timeout(TURNED_AWAY_WAIT, stream.read(&mut [0; 1])).await {
        Err(_) | Ok(Ok(1..)) => Ok(()),
        Ok(Ok(0)) => Err(Refused::Closed),
        Ok(Err(error)) => Err(Refused::of(&error)),
    }
}

/// The request is not even begun: whatever the handshake comes to, nothing of it left.
async fn encrypt(
    origin: &Origin,
    tls: &Client,
    stream: TcpStream,
) -> Result<(BoxedStream, Fails), Stuck> {
    let (stream, session) = tls.shake_hands(stream).await.map_err(|refused| {
        tracing::warn!(host = origin.host, why = %refused, "no encrypted connection");
        Stuck(LinkStage::Tls, refused.to_string(), WhyNothingSent::Connect)
    })?;
    origin.tell(|link| link.connected(Some(&session)));
    let fails = match tls.settings().backend {
        Backend::Strong => Fails::Whenever,
        Backend::Old => Fails::EvenWhenWaiting,
    };
    Ok((stream, fails))
}

async fn reach(origin: &Origin) -> Result<TcpStream, Stuck> {
    let Origin { host, port, source, .. } = origin;
    let no_name = |what: String| Stuck(LinkStage::Resolve, what, WhyNothingSent::Resolve);
    let found: Vec<SocketAddr> = lookup_host((host.as_str(), *port))
        .await
        .map_err(|error| no_name(format!("the name {host} leads nowhere: {error}")))?
        .collect();
    let mut last = no_name(format!("the name {host} leads to no address"));
    for address in found {
        match source.connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(stuck) => last = stuck,
        }
    }
    Err(last)
}

impl Source {
    async fn connect(&self, to: SocketAddr) -> Result<TcpStream, Stuck> {
        let local = |what: String| Stuck(LinkStage::Local, what, WhyNothingSent::Connect);
        let socket = self.socket(to).map_err(|error| local(format!("{self}: {error}")))?;
        socket.connect(to).await.map_err(|error| {
            Stuck(LinkStage::Connect, format!("{to}: {error}"), WhyNothingSent::Connect)
        })
    }

    fn socket(&self, to: SocketAddr) -> io::Result<TcpSocket> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(interface) = &self.interface {
            by(&socket, interface)?;
        }
        if let Some(address) = self.address {
            socket.bind(SocketAddr::new(address, 0))?;
        }
        Ok(socket)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.address, &self.interface) {
            (Some(address), Some(interface)) => write!(f, "from {address} by {interface}"),
            (Some(address), None) => write!(f, "from {address}"),
            (None, Some(interface)) => write!(f, "by {interface}"),
            (None, None) => f.write_str("from this machine"),
        }
    }
}

#[cfg(target_os = "linux")]
fn by(socket: &TcpSocket, interface: &str) -> io::Result<()> {
    socket.bind_device(Some(interface.as_bytes()))
}

#[cfg(not(target_os = "linux"))]
fn by(_socket: &TcpSocket, _interface: &str) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "an interface can be named on Linux only"))
}
