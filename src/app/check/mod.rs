//! `mlango check`: whether a configuration can work, one line for each thing that can be wrong, in
//! the order in which a person would mend it.
//!
//! `probe` looks at the world and finds facts; `judge` makes lines of them, and looks at
//! nothing. No money moves, whatever is asked for. Without `--live` no secret leaves the machine:
//! what is shown is what a TLS handshake shows.

mod judge;
pub mod line;
mod probe;

use std::time::Duration;

use self::judge::live::Shown;
use self::judge::{callbacks, certificates, credential, files, live, machine, settings, way};
pub use self::line::{Line, Report, Status};
use self::probe::way::Place;
use super::ways::{broker_encryption, callbacks_at, caller};
use super::wsdl::gatekeeper;
use crate::clock::Clock;
use crate::config::section::{Broker, C2b, Daraja, Sms};
use crate::config::{Examined, Parts, StoreUrl};
use crate::domain::time::Timestamp;
use crate::http::admin::GatewayHealth;
use crate::rail::transport::{Origin, Source};
use crate::tls::{ClientSettings, Trust};

/// How long a connection to what is not M-Pesa may take.
const OTHERS_MAX: Duration = Duration::from_secs(5);

/// The gateway that runs on the configured store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gateway {
    /// None does.
    None,
    /// One does, and says this.
    Says(GatewayHealth),
    /// One does, and does not say how it is, for this reason.
    Mute(String),
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Whether credentials may be shown to M-Pesa.
    pub is_live: bool,
    /// The gateway that runs.
    pub gateway: Gateway,
}

/// Looks at everything.
pub async fn run(examined: &Examined, ask: &Ask, clock: &dyn Clock) -> Report {
    let parts = &examined.parts;
    let now = clock.now();
    let mut lines = settings::lines(examined);
    lines.extend(named_files(examined));
    lines.extend(own_certificates(parts, now));
    match probe::certificates::credential(parts, now) {
        Some(facts) => lines.extend(credential::lines(&facts, now)),
        None => lines.push(Line::skipped("credential.encrypts", NOT_YET)),
    }
    let mpesa_is_here = ways(parts, ask, clock, &mut lines).await;
    let book = book(parts, ask).await;
    let (state, health) = match book {
        Some((state, health)) => (Some(state), health),
        None => (None, Err(NOT_YET.to_owned())),
    };
    called(parts, ask, mpesa_is_here, &mut lines).await;
    lines.push(callbacks::registered(&registered(parts, &health)));
    room(parts, state.as_ref(), health.ok().as_ref(), now, &mut lines);
    Report::of(lines)
}

/// What is said of a section that is not set up yet, or has faults.
const NOT_YET: &str = "not looked at: the configuration is not whole (see config)";

fn named_files(examined: &Examined) -> Vec<Line> {
    let me = probe::machine::me();
    let look = |named| files::file(named, &probe::machine::file(&named.path), me);
    examined.files.iter().map(look).collect()
}

fn own_certificates(parts: &Parts, now: Timestamp) -> Vec<Line> {
    let own = probe::certificates::own(parts);
    let own = own.iter().flat_map(|own| certificates::own(own, now));
    let authorities = probe::certificates::authorities(parts);
    let authorities =
        authorities.iter().flat_map(|(name, found)| certificates::authorities(name, found, now));
    own.chain(authorities).collect()
}

/// The ways to M-Pesa and to everybody else. Answers whether the first of M-Pesa's leads to this
/// machine.
async fn ways(parts: &Parts, ask: &Ask, clock: &dyn Clock, lines: &mut Vec<Line>) -> bool {
    let (broker, daraja) = (parts.broker.as_ref(), parts.daraja.as_ref());
    let found = tokio::join!(
        found(broker.map(broker_place), clock),
        found(daraja.map(daraja_place), clock)
    );
    let now = clock.now();
    let mut is_here = false;
    match (broker, found.0) {
        (Some(broker), Some((facts, origin))) => {
            is_here |= facts.is_here;
            lines.extend(way::lines(&facts, now));
            lines.push(schema(parts, broker, now));
            lines.push(live::provider(&provider(parts, broker, origin, ask, now).await));
        }
        _ => lines.push(Line::skipped("broker", unset(parts, "broker"))),
    }
    match (daraja, found.1) {
        (Some(daraja), Some((facts, origin))) => {
            is_here |= facts.is_here;
            lines.extend(way::lines(&facts, now));
            lines.push(live::token(&token(daraja, origin, ask).await));
        }
        _ => lines.push(Line::skipped("daraja", unset(parts, "daraja"))),
    }
    others(parts, clock, lines).await;
    is_here
}

fn unset(parts: &Parts, section: &str) -> String {
    let half = match section {
        "broker" => parts.provider.is_some(),
        _ => parts.daraja_app.is_some(),
    };
    if half { NOT_YET.to_owned() } else { format!("[{section}] is not set up, or not whole") }
}

async fn found(place: Option<Place>, clock: &dyn Clock) -> Option<(way::Facts, Option<Origin>)> {
    Some(probe::way::find(&place?, clock).await)
}

/// The partner's own schema, held against what would be sent.
fn schema(parts: &Parts, broker: &Broker, now: Timestamp) -> Line {
    let (Some(dir), Some(organisation)) = (&broker.wsdl_dir, &parts.organisation) else {
        return judge::wsdl::line(None);
    };
    let callbacks = parts.callbacks.as_ref().map(callbacks_at).unwrap_or_default();
    // A specimen has a credential of its own.
    let specimen = caller(&organisation.operator, broker, &callbacks, String::new());
    let looked = gatekeeper(dir, &specimen, now).map(drop);
    judge::wsdl::line(Some((dir.as_path(), looked)))
}

fn broker_place(broker: &Broker) -> Place {
    let (url, way) = (&broker.url, &broker.way);
    let source = Source { address: way.local_address, interface: way.interface.clone() };
    Place {
        name: "broker".to_owned(),
        origin: Origin { source, ..Origin::plain(url.host.clone(), url.port) },
        tls: url.https.then(|| broker_encryption(broker)),
        limit: broker.link.connect_timeout,
    }
}

fn daraja_place(daraja: &Daraja) -> Place {
    let url = &daraja.url;
    let trust = || daraja.ca.clone().map_or(Trust::Machine, Trust::MachineAnd);
    Place {
        name: "daraja".to_owned(),
        origin: Origin::plain(url.host.clone(), url.port),
        tls: url.https.then(|| ClientSettings::to(&url.host, trust())),
        limit: daraja.link.connect_timeout,
    }
}

async fn provider(
    parts: &Parts,
    broker: &Broker,
    origin: Option<Origin>,
    ask: &Ask,
    now: Timestamp,
) -> Shown<live::Said> {
    match origin {
        _ if !ask.is_live => Shown::NotAsked,
        None => Shown::NotTried,
        Some(origin) => {
            let said = probe::live::provider(parts, broker, &origin, now).await;
            said.map_or(Shown::NotTried, Shown::Answered)
        }
    }
}

async fn token(
    daraja: &Daraja,
    origin: Option<Origin>,
    ask: &Ask,
) -> Shown<Result<(), crate::daraja::oauth::NoToken>> {
    match origin {
        _ if !ask.is_live => Shown::NotAsked,
        None => Shown::NotTried,
        Some(origin) => Shown::Answered(probe::live::token(&daraja.app, &origin).await),
    }
}

/// Text messages, and applications that are asked about payments.
async fn others(parts: &Parts, clock: &dyn Clock, lines: &mut Vec<Line>) {
    let sms = parts.sms.as_ref();
    let places = sms.filter(|sms| !sms.templates.is_empty()).and_then(sms_place).into_iter();
    let places: Vec<Place> = places.chain(parts.c2b.iter().flat_map(ask_places)).collect();
    if sms.is_some_and(|sms| sms.templates.is_empty()) {
        lines.push(Line::skipped("sms", "no template is set, so that no text is sent"));
    }
    for place in places {
        let (facts, _origin) = probe::way::find(&place, clock).await;
        lines.extend(way::lines(&facts, clock.now()));
    }
}

fn sms_place(sms: &Sms) -> Option<Place> {
    other_place(
        "sms".to_owned(),
        &sms.url,
        sms.ca.clone().map_or(Trust::Machine, Trust::MachineAnd),
    )
}

fn ask_places(c2b: &C2b) -> Vec<Place> {
    let numbered = c2b.ask.iter().enumerate();
    let place = |(nth, ask): (usize, &crate::config::section::Ask)| {
        other_place(format!("c2b.ask.{nth}"), &ask.url, Trust::Machine)
    };
    numbered.filter_map(place).collect()
}

fn other_place(name: String, url: &str, trust: Trust) -> Option<Place> {
    let url: http::Uri = url.parse().ok()?;
    let https = url.scheme_str() == Some("https");
    let host = url.host()?.trim_matches(['[', ']']).to_owned();
    let port = url.port_u16().unwrap_or(if https { 443 } else { 80 });
    Some(Place {
        name,
        tls: https.then(|| ClientSettings::to(&host, trust)),
        origin: Origin::plain(host, port),
        limit: OTHERS_MAX,
    })
}

type Book = (machine::StoreState, Result<GatewayHealth, String>);

async fn book(parts: &Parts, ask: &Ask) -> Option<Book> {
    Some(probe::machine::store(parts.store.as_ref()?, &ask.gateway).await)
}

async fn called(parts: &Parts, ask: &Ask, mpesa_is_here: bool, lines: &mut Vec<Line>) {
    let Some(section) = &parts.callbacks else {
        lines.push(Line::skipped("callbacks.reach", NOT_YET));
        return;
    };
    let is_running = ask.gateway != Gateway::None;
    let ask = probe::callbacks::Ask { is_running, is_live: ask.is_live, mpesa_is_here };
    lines.extend(callbacks::lines(&probe::callbacks::find(parts, section, ask).await));
}

fn registered(parts: &Parts, health: &Result<GatewayHealth, String>) -> callbacks::Registered {
    let numbers = parts.c2b.as_ref().is_some_and(|c2b| !c2b.rules.shortcodes.is_empty());
    if parts.daraja.is_none() && !numbers {
        return callbacks::Registered::NotNeeded;
    }
    match health {
        Err(why) => callbacks::Registered::Unknown(why.clone()),
        Ok(health) => {
            let at = health.registered_at.as_deref();
            callbacks::Registered::At(at.and_then(|at| Timestamp::parse_rfc3339(at).ok()))
        }
    }
}

/// The store and what it stands on.
fn room(
    parts: &Parts,
    state: Option<&machine::StoreState>,
    health: Option<&GatewayHealth>,
    now: Timestamp,
    lines: &mut Vec<Line>,
) {
    match state {
        Some(state) => lines.push(machine::store(state)),
        None => lines.push(Line::skipped("store", NOT_YET)),
    }
    let url = parts.store.as_ref().map(|store| &store.url);
    if let Some(StoreUrl::Sled(dir)) = url {
        let (shown, found) = (dir.display().to_string(), probe::machine::directory(dir));
        let here = probe::machine::nearest(dir);
        let place = here.display().to_string();
        lines.push(files::store(&shown, found, probe::machine::me()));
        lines.push(machine::writable(&place, &probe::machine::write(&here)));
        lines.push(machine::disk("store.disk", &place, &probe::machine::space(&here)));
    }
    lines.push(match parts.log.as_ref().and_then(|log| log.file.as_ref()) {
        Some(file) => {
            let here = probe::machine::nearest(&file.path);
            let space = probe::machine::space(&here);
            machine::disk("log.disk", &here.display().to_string(), &space)
        }
        None => Line::skipped("log.disk", "the log goes to standard error"),
    });
    let routes = parts.c2b.as_ref().map(|c2b| c2b.routes.iter().map(|it| it.app.clone()).collect());
    let routes: Vec<String> = routes.unwrap_or_default();
    lines.extend(machine::routes(&routes, health.map(|health| health.apps.as_slice())));
    let limit = probe::machine::file_limit();
    lines.push(machine::descriptors(limit, probe::machine::needs(parts)));
    if let Some(StoreUrl::Sled(dir)) = url {
        lines.push(machine::backup(probe::machine::backup(dir), now));
    }
}
