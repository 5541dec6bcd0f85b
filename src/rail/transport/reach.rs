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

/// Linux's `ENODEV`, for which [`io::ErrorKind`] has no name.
const NO_SUCH_DEVICE: i32 = 19;

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
                Ok((stream, Fails::BeforeTaking, false))
            }
            Some(tls) => encrypt(origin, tls, stream).await,
        }
    };
    let slow = |_late| {
        let what = format!("nothing came of it within {} ms", limit.as_millis());
        Stuck(LinkStage::Connect, what, WhyNothingSent::ConnectTimeout)
    };
    match timeout(limit, connecting).await.map_err(slow).and_then(|done| done) {
        Ok((stream, fails, is_on_trial)) => {
            Ok(Counted { stream, fails, is_on_trial, left: Arc::clone(left) })
        }
        Err(Stuck(stage, what, why)) => {
            origin.tell(|link| link.failed(stage, &what));
            tracing::debug!(host = origin.host, stage = stage.as_str(), what, "no connection");
            Err(why)
        }
    }
}

/// Goes the same way as a request, as far as it leads, and says nothing there. Looked at more
/// closely than `connect` does: the error says how far it came, and why not further.
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
) -> Result<(BoxedStream, Fails, bool), Stuck> {
    let (stream, session) = tls.shake_hands(stream).await.map_err(|refused| {
        tracing::warn!(host = origin.host, why = %refused, "no encrypted connection");
        Stuck(LinkStage::Tls, refused.to_string(), WhyNothingSent::Connect)
    })?;
    origin.tell(|link| link.connected(Some(&session)));
    let fails = match tls.settings().backend {
        Backend::Strong => Fails::Whenever,
        Backend::Old => Fails::EvenWhenWaiting,
    };
    Ok((stream, fails, session.is_on_trial))
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
        let stuck = |stage, what| Stuck(stage, what, WhyNothingSent::Connect);
        let socket = self.socket(to).map_err(|error| {
            let what = format!("{self}: {error}{}", self.hint(&error));
            stuck(LinkStage::Local, what)
        })?;
        socket.connect(to).await.map_err(|error| {
            let ours = if *self == Self::default() { String::new() } else { format!(" {self}") };
            let what = format!("{to}{ours}: {error}{}", self.hint(&error));
            stuck(LinkStage::Connect, what)
        })
    }

    /// What an error of the system's means where an end of the way was named: in words, because
    /// the system's speak of devices and addresses that they do not name.
    fn hint(&self, error: &io::Error) -> String {
        let Self { address, interface } = self;
        match (error.kind(), address, interface) {
            (io::ErrorKind::AddrNotAvailable, Some(address), _) => format!(
                "; no interface of this machine has the address {address} now: is the VPN up, and \
                 is broker.local_address right?"
            ),
            (_, _, Some(interface)) if error.raw_os_error() == Some(NO_SUCH_DEVICE) => format!(
                "; this machine has no interface {interface} now: is the VPN up, and is \
                 broker.interface right?"
            ),
            (io::ErrorKind::PermissionDenied, _, Some(interface)) => format!(
                "; this user may not choose the interface {interface}: give the service \
                 CAP_NET_RAW, or leave broker.interface out"
            ),
            (
                io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown,
                _,
                Some(interface),
            ) => {
                format!("; {interface} is down, or has no route there, and no other way is taken")
            }
            _ => String::new(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_says_of_our_end_is_told_in_words() {
        let source = |address: Option<&str>, interface: Option<&str>| Source {
            address: address.map(|text| text.parse().expect("an address")),
            interface: interface.map(ToOwned::to_owned),
        };
        let both = source(Some("10.0.0.2"), Some("tun0"));
        // EPERM, ENODEV, EADDRNOTAVAIL, ENETDOWN, ENETUNREACH.
        let table = [
            (&both, 1, "may not choose the interface tun0"),
            (&both, 19, "has no interface tun0 now"),
            (&both, 99, "has the address 10.0.0.2 now"),
            (&both, 100, "tun0 is down"),
            (&both, 101, "tun0 is down"),
        ];
        for (source, code, words) in table {
            let hint = source.hint(&io::Error::from_raw_os_error(code));
            assert!(hint.starts_with("; ") && hint.contains(words), "{code}: {hint}");
        }
        for code in [1, 19, 99, 100, 101, 111] {
            let hint = source(None, None).hint(&io::Error::from_raw_os_error(code));
            assert_eq!(hint, "", "{code}: nothing was named");
        }
    }

    #[tokio::test]
    async fn an_end_that_is_not_there_is_a_fault_of_this_machine_and_nothing_is_sent() {
        // TEST-NET-1 is nobody's.
        let source = Source { address: "192.0.2.77".parse().ok(), interface: None };
        let Err(Stuck(stage, what, why)) = source.connect(([127, 0, 0, 1], 9).into()).await else {
            panic!("it connected");
        };
        assert_eq!((stage, why), (LinkStage::Local, WhyNothingSent::Connect));
        assert!(what.starts_with("from 192.0.2.77: "), "{what}");
        assert!(what.contains("is broker.local_address right?"), "{what}");
    }
}
