//! How far the way to a place leads.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::{STAGE_MAX, get, heard};
use crate::app::check::judge::way::{Facts, NotEncrypted};
use crate::clock::{Clock, SystemClock};
use crate::engine::port::LinkStage;
use crate::rail::link::Link;
use crate::rail::transport::{Origin, Source, look};
use crate::tls::{Client, ClientSettings, NoTls, Refused, Trust};

/// Where the system keeps what it knows of its network interfaces (Linux only).
const INTERFACES: &str = "/sys/class/net";

/// A place that requests go to.
#[derive(Clone, Debug)]
pub(in crate::app::check) struct Place {
    /// What it is called in the configuration.
    pub name: String,
    /// Its host and port, and from where requests leave; not yet encrypted.
    pub origin: Origin,
    /// How it is to be encrypted, if it is.
    pub tls: Option<ClientSettings>,
    /// How long a connection may take.
    pub limit: Duration,
}

/// What was found, and the way as far as it may be used.
pub(in crate::app::check) async fn find(
    place: &Place,
    clock: &dyn Clock,
) -> (Facts, Option<Origin>) {
    let Place { name, origin, tls, limit } = place;
    let limit = (*limit).min(STAGE_MAX);
    let client = tls.clone().map(Client::new).transpose();
    let encrypted = client.as_ref().map(Option::is_some).map_err(not_encrypted);
    // It is told why requests fail, in more words than the transport's own.
    let link = Some(Arc::new(Link::new("check", Arc::new(SystemClock))));
    let origin = Origin { tls: client.unwrap_or_default(), link, ..origin.clone() };
    let addresses = resolve(&origin.host, origin.port).await;
    let first = addresses.as_ref().ok().and_then(|found| found.first().copied());
    let mut reached = look(&origin, limit).await;
    let may_ask = reached.is_ok() && encrypted.is_ok();
    let mut said = None;
    let mut speaks_tls = false;
    if may_ask {
        let before = clock.now();
        let answer = get(&origin, "/", vec![]).await;
        let found = answer.map(|answer| heard(&answer, before, clock));
        // Some servers look at our certificate only when they are asked for something.
        if let Some(why) = turned_away(&origin, found.is_err()) {
            reached = Err((LinkStage::Tls, why));
        }
        if origin.tls.is_none() && found.as_ref().map_or(true, |heard| heard.wants_tls) {
            speaks_tls = answers_tls(&origin, limit).await;
        }
        said = reached.is_ok().then_some(found);
    }
    let may_ask = said.is_some() && !speaks_tls;
    let source = &origin.source;
    let facts = Facts {
        name: name.clone(),
        place: shown(&origin.host, origin.port),
        is_here: first.is_some_and(|it| it.ip().is_loopback()),
        addresses: addresses.map(|all| all.iter().map(SocketAddr::ip).collect()),
        interface: source.interface.as_ref().map(|it| (it.clone(), interface(it))),
        from: (*source != Source::default()).then(|| source.to_string()),
        leaves_from: leaves_from(source, first),
        encrypted,
        reached,
        heard: said,
        speaks_tls,
    };
    (facts, may_ask.then_some(origin))
}

fn shown(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// What a host's name leads to.
pub(super) async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let found = timeout(STAGE_MAX, lookup_host((host, port))).await;
    let found = found.map_err(|_late| "nobody answered in time".to_owned())?;
    let mut all: Vec<SocketAddr> = found.map_err(|error| error.to_string())?.collect();
    all.dedup();
    if all.is_empty() { Err("it has no address".to_owned()) } else { Ok(all) }
}

fn not_encrypted(error: &NoTls) -> NotEncrypted {
    match error {
        NoTls::File(_) | NoTls::Identity { .. } => NotEncrypted::SaidElsewhere,
        NoTls::Authority { .. } | NoTls::NoTrust | NoTls::Name(_) | NoTls::Setup(_) => {
            NotEncrypted::Other(error.to_string())
        }
    }
}

/// The state of an interface in the system's words; `None` if there is no such.
fn interface(name: &str) -> Option<String> {
    let dir = Path::new(INTERFACES).join(Path::new(name).file_name()?);
    let state = std::fs::read_to_string(dir.join("operstate")).ok()?;
    Some(state.trim().to_owned())
}

/// The address that packets to `to` would leave from. None is sent.
fn leaves_from(source: &Source, to: Option<SocketAddr>) -> Result<IpAddr, String> {
    let to = to.ok_or_else(|| "it has no address".to_owned())?;
    let any: IpAddr = if to.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
    let from = source.address.unwrap_or(any);
    let socket = UdpSocket::bind((from, 0)).map_err(|error| error.to_string())?;
    socket.connect(to).map_err(|error| error.to_string())?;
    socket.local_addr().map(|address| address.ip()).map_err(|error| error.to_string())
}

/// Why our certificate, or the lack of one, was turned away after the handshake, if it was.
fn turned_away(origin: &Origin, has_failed: bool) -> Option<String> {
    let failure = origin.link.as_ref()?.state().failure?;
    (has_failed && failure.stage == LinkStage::Tls).then_some(failure.what)
}

/// Whether a port that plain HTTP got nothing from speaks TLS: nothing is shown and nothing said
/// there.
async fn answers_tls(origin: &Origin, limit: Duration) -> bool {
    let Ok(client) = Client::new(ClientSettings::to(&origin.host, Trust::Machine)) else {
        return false;
    };
    let shaking = async {
        let stream = TcpStream::connect((origin.host.as_str(), origin.port)).await.ok()?;
        Some(client.shake_hands(stream).await.map(|_session| ()))
    };
    let shaken = timeout(limit, shaking).await.ok().flatten();
    match shaken {
        None
        | Some(Err(Refused::NotTls | Refused::Closed | Refused::TooSlow | Refused::Other(_))) => {
            false
        }
        Some(Ok(()) | Err(_)) => true,
    }
}
