//! Whether the address that M-Pesa calls leads here.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use super::way::resolve;
use super::{STAGE_MAX, get};
use crate::app::check::judge::callbacks::{Asked, Connected, Facts, Reach};
use crate::app::ways::callbacks_at;
use crate::config::section::Callbacks;
use crate::config::{Parts, filtered_word, is_loopback};
use crate::engine::port::LinkStage;
use crate::rail::transport::{Origin, look};
use crate::tls::read::certificates;
use crate::tls::{Client, ClientSettings, Fingerprint, Refused, Trust};

/// How it is asked.
#[derive(Clone, Copy, Debug)]
pub(in crate::app::check) struct Ask {
    /// Whether a gateway runs that could answer.
    pub is_running: bool,
    /// Whether the token may be shown to another machine.
    pub is_live: bool,
    /// Whether what is spoken to as M-Pesa is on this machine.
    pub mpesa_is_here: bool,
}

/// What is found about it.
pub(in crate::app::check) async fn find(parts: &Parts, callbacks: &Callbacks, ask: Ask) -> Facts {
    let url = callbacks.public_url.trim_end_matches('/').to_owned();
    let target = Target::of(&url);
    let addresses = match &target {
        Some(target) => resolve(&target.host, target.port).await,
        None => Err("it is no address".to_owned()),
    };
    let reach = match (&target, &addresses) {
        (_, _) if !ask.is_running => Reach::NoGateway,
        (Some(target), Ok(found)) => {
            let may_tell = ask.is_live || found.iter().all(is_ours);
            reach(parts, callbacks, target, may_tell).await
        }
        (_, Err(why)) => Reach::Stopped(LinkStage::Resolve, why.clone()),
        (None, Ok(_)) => Reach::NoGateway,
    };
    Facts {
        word: filtered_word(&callbacks_at(callbacks)),
        is_loopback: is_loopback(&url),
        url,
        token_digits: callbacks.token.reveal().len(),
        has_daraja: parts.daraja.is_some(),
        mpesa_is_here: ask.mpesa_is_here,
        addresses: addresses.map(|found| found.iter().map(SocketAddr::ip).collect()),
        reach,
    }
}

/// Where the address leads.
struct Target {
    https: bool,
    host: String,
    port: u16,
    path: String,
}

impl Target {
    fn of(url: &str) -> Option<Self> {
        let uri: http::Uri = url.parse().ok()?;
        let https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
        let host = uri.host()?.trim_matches(['[', ']']).to_owned();
        let path = uri.path().trim_end_matches('/').to_owned();
        Some(Self { https, host, port, path })
    }
}

/// Whether an address is this machine's own: only then can a socket have it. None is opened.
fn is_ours(address: &SocketAddr) -> bool {
    let ip: IpAddr = address.ip();
    ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok()
}

async fn reach(parts: &Parts, callbacks: &Callbacks, target: &Target, may_tell: bool) -> Reach {
    let Target { https, host, port, path } = target;
    let mut origin = Origin::plain(host.as_str(), *port);
    if *https {
        let ca = callbacks.tls.as_ref().and_then(|tls| tls.client_ca.clone());
        let ca = ca.or_else(|| parts.broker.as_ref().and_then(|broker| broker.way.ca.clone()));
        let trust = ca.map_or(Trust::Machine, Trust::MachineAnd);
        match Client::new(ClientSettings::to(host, trust)) {
            Ok(client) => origin = origin.encrypted(client),
            Err(error) => return Reach::Unverified(error.to_string()),
        }
    }
    let session = match look(&origin, STAGE_MAX).await {
        Ok(session) => session,
        Err((_stage, why)) if why == Refused::UnknownAuthority.to_string() => {
            return Reach::Unverified(why);
        }
        Err((stage, why)) => return Reach::Stopped(stage, why),
    };
    let peer = session.and_then(|session| session.peer).map(|peer| peer.fingerprint);
    let shows_ours = own(callbacks).zip(peer).map(|(own, peer)| own == peer);
    let asked = if may_tell { asked(callbacks, &origin, path).await } else { Asked::Untold };
    let client_ca = callbacks.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    let is_choosy = client_ca || !callbacks.allow.is_empty();
    Reach::Connected(Connected { shows_ours, is_choosy, asked })
}

fn own(callbacks: &Callbacks) -> Option<Fingerprint> {
    let own = certificates(&callbacks.tls.as_ref()?.certificate).ok()?;
    own.first().map(|it| Fingerprint::of(it))
}

async fn asked(callbacks: &Callbacks, origin: &Origin, path: &str) -> Asked {
    let at = format!("{path}/cb/{}/b2c/result?wsdl", callbacks.token.reveal());
    let address = format!("{}/b2c/result", callbacks_at(callbacks));
    match get(origin, &at, vec![]).await {
        Ok(answer) if answer.status == 200 => {
            let says = String::from_utf8_lossy(&answer.body);
            if says.contains(&address) { Asked::Ours } else { Asked::Other(200) }
        }
        Ok(answer) => Asked::Other(answer.status),
        Err(why) => Asked::Silence(why),
    }
}
