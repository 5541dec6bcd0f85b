//! The way to one place, stage by stage: what lies behind a stage that is not passed is not
//! judged.

use std::net::IpAddr;

use super::DAYS_AHEAD;
use crate::app::check::line::Line;
use crate::domain::time::Timestamp;
use crate::engine::port::LinkStage;
use crate::tls::Session;

/// A clock that is further off is worth a word.
const SKEW_WARNED_MS: u64 = 30_000;
/// A clock that is further off is wrong.
const SKEW_MAX_MS: u64 = 300_000;

/// What was found on the way to a place.
#[derive(Clone, Debug)]
pub(in crate::app::check) struct Facts {
    /// What it is called in the configuration, such as `broker`.
    pub name: String,
    /// Its host and port.
    pub place: String,
    /// Whether it is this machine.
    pub is_here: bool,
    /// Its addresses.
    pub addresses: Result<Vec<IpAddr>, String>,
    /// The network interface that is to be used, and the state that the system gives it; `None` in
    /// the second place if there is no such interface.
    pub interface: Option<(String, Option<String>)>,
    /// From where the configuration says that requests leave, if it says so.
    pub from: Option<String>,
    /// The address that they really leave from.
    pub leaves_from: Result<IpAddr, String>,
    /// Whether it is encrypted; the error says why it cannot be.
    pub encrypted: Result<bool, NotEncrypted>,
    /// How far it goes: what the handshake agreed on, or the stage that was not passed.
    pub reached: Result<Option<Session>, (LinkStage, String)>,
    /// What it said when it was asked for nothing; `None` if it was not.
    pub heard: Option<Result<Heard, String>>,
    /// Whether the port speaks TLS, where plain HTTP got no answer there.
    pub speaks_tls: bool,
}

/// Why encryption cannot be set up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app::check) enum NotEncrypted {
    /// A line about the files or certificates says so.
    SaidElsewhere,
    /// Anything else.
    Other(String),
}

/// An answer to a request for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app::check) struct Heard {
    /// Its HTTP status.
    pub status: u16,
    /// How far this machine's clock is ahead of its `Date`, in milliseconds.
    pub ahead_ms: Option<i64>,
    /// Whether it says that plain HTTP was sent to a port of TLS, as proxies do.
    pub wants_tls: bool,
}

/// A line for each stage.
pub(in crate::app::check) fn lines(facts: &Facts, now: Timestamp) -> Vec<Line> {
    let mut lines = vec![dns(facts)];
    lines.extend(interface(facts));
    lines.push(route(facts));
    lines.push(tcp(facts));
    lines.push(tls(facts, now));
    lines.push(answers(facts));
    lines.push(clock(facts));
    lines
}

impl Facts {
    fn check(&self, stage: &str) -> String {
        format!("{}.{stage}", self.name)
    }

    /// Why the way ended at a stage, if it did there.
    fn stuck_at(&self, stage: LinkStage) -> Option<&str> {
        match &self.reached {
            Err((at, why)) if *at == stage => Some(why),
            Ok(_) | Err(_) => None,
        }
    }

    /// That the way ended before a stage.
    fn not_tried(&self, stage: LinkStage, check: &str) -> Option<Line> {
        let (at, _why) = self.reached.as_ref().err()?;
        let why =
            format!("not tried: the way does not lead so far (see {}.{})", self.name, word(*at));
        (order(*at) < order(stage)).then(|| Line::skipped(self.check(check), why))
    }
}

const fn word(stage: LinkStage) -> &'static str {
    match stage {
        LinkStage::Resolve => "dns",
        LinkStage::Local => "route",
        LinkStage::Connect => "tcp",
        LinkStage::Tls => "tls",
        LinkStage::Answer => "http",
    }
}

const fn order(stage: LinkStage) -> u8 {
    match stage {
        LinkStage::Resolve => 0,
        LinkStage::Local => 1,
        LinkStage::Connect => 2,
        LinkStage::Tls => 3,
        LinkStage::Answer => 4,
    }
}

fn dns(facts: &Facts) -> Line {
    let check = facts.check("dns");
    match &facts.addresses {
        Ok(found) => {
            let list: Vec<String> = found.iter().map(ToString::to_string).collect();
            Line::ok(check, format!("{} is {}", facts.place, list.join(", ")))
        }
        Err(why) => Line::fails(
            check,
            format!("the name in {} leads nowhere: {why}", facts.place),
            format!(
                "correct the host in {}.url, or this machine's resolver (/etc/resolv.conf): names \
                 behind a VPN are often known to its own resolver only",
                facts.name
            ),
        ),
    }
}

fn interface(facts: &Facts) -> Option<Line> {
    let (name, state) = facts.interface.as_ref()?;
    let check = facts.check("interface");
    let advice = "bring the VPN up, or correct the name (`ip link` lists them)";
    Some(match state.as_deref() {
        None => Line::fails(check, format!("there is no network interface {name}"), advice),
        Some("down") => Line::fails(check, format!("the interface {name} is down"), advice),
        Some(state) => Line::ok(check, format!("the interface {name} is there ({state})")),
    })
}

fn route(facts: &Facts) -> Line {
    let check = facts.check("route");
    if let Some(line) = facts.not_tried(LinkStage::Local, "route") {
        return line;
    }
    if let Some(why) = facts.stuck_at(LinkStage::Local) {
        let advice = format!(
            "bring the VPN up, or correct {0}.local_address or {0}.interface (`ip address` shows \
             what this machine has)",
            facts.name
        );
        return Line::fails(check, format!("requests cannot leave {why}"), advice);
    }
    match &facts.leaves_from {
        Ok(address) => {
            let said = facts.from.as_ref().map(|from| format!(", as configured ({from})"));
            let said = said.unwrap_or_default();
            Line::ok(check, format!("requests leave from {address}{said}"))
        }
        Err(why) => Line::fails(
            check,
            format!("there is no way to {}: {why}", facts.place),
            "bring the VPN up, or add the route (`ip route get ADDRESS` shows what is chosen)",
        ),
    }
}

fn tcp(facts: &Facts) -> Line {
    let check = facts.check("tcp");
    if let Some(line) = facts.not_tried(LinkStage::Connect, "tcp") {
        return line;
    }
    match facts.stuck_at(LinkStage::Connect) {
        None => Line::ok(check, format!("{} takes connections", facts.place)),
        Some(why) => Line::fails(
            check,
            format!("{} cannot be connected to: {why}", facts.place),
            "refused: the port or the address is wrong, or nothing runs there; no answer: a \
             firewall or the VPN is in between, or your address is not on the other side's list",
        ),
    }
}

fn tls(facts: &Facts, now: Timestamp) -> Line {
    let check = facts.check("tls");
    match &facts.encrypted {
        Err(NotEncrypted::SaidElsewhere) => {
            let why = "not tried: our own certificates will not do (see above)";
            return Line::skipped(check, why);
        }
        Err(NotEncrypted::Other(why)) => {
            return Line::fails(check, why, "correct what it names; nothing is sent without it");
        }
        Ok(_) => {}
    }
    if let Some(line) = facts.not_tried(LinkStage::Tls, "tls") {
        return line;
    }
    if let Some(why) = facts.stuck_at(LinkStage::Tls) {
        let advice = format!(
            "as it says; `openssl s_client -connect {} -showcerts` shows what is there",
            facts.place
        );
        return Line::fails(check, format!("no TLS with {}: {why}", facts.place), advice);
    }
    match &facts.reached {
        Ok(Some(session)) => agreed(check, session, now),
        Ok(None) | Err(_) if facts.is_here => {
            Line::skipped(check, format!("{} is this machine, in plain HTTP", facts.place))
        }
        Ok(None) | Err(_) => Line::warning(
            check,
            format!(
                "{} is spoken to in plain HTTP: anybody on the way reads passwords",
                facts.place
            ),
            "write https:// and set up certificates: M-Pesa wants TLS both ways before going live",
        ),
    }
}

fn agreed(check: String, session: &Session, now: Timestamp) -> Line {
    let Session { version, cipher, peer, weak, .. } = session;
    let subject = peer.as_ref().map_or("nobody", |peer| peer.subject.as_str());
    let days = peer.as_ref().and_then(|peer| peer.days_left(now));
    let seen = format!("{version} {cipher} with {subject}");
    if !weak.is_empty() {
        let seen = format!("{seen}: {}", weak.join("; "));
        return Line::warning(check, seen, "ask its owner to renew it");
    }
    match days {
        Some(days @ ..=DAYS_AHEAD) => {
            let seen = format!("{seen}, whose certificate expires in {days} days");
            Line::warning(check, seen, "ask its owner to renew it in time")
        }
        Some(days) => Line::ok(check, format!("{seen}, good for {days} days")),
        None => Line::ok(check, seen),
    }
}

fn answers(facts: &Facts) -> Line {
    let check = facts.check("http");
    let place = &facts.place;
    let advice = format!("write https:// in {}.url, or name the port of plain HTTP", facts.name);
    match &facts.heard {
        None => facts
            .not_tried(LinkStage::Answer, "http")
            .unwrap_or_else(|| Line::skipped(check, "not tried (see above)")),
        Some(Err(_) | Ok(Heard { wants_tls: true, .. })) if facts.speaks_tls => Line::fails(
            check,
            format!("{place} speaks TLS, and was spoken to in plain HTTP"),
            advice,
        ),
        Some(Ok(heard)) if heard.wants_tls => {
            Line::fails(check, format!("{place} says that its port is one of HTTPS"), advice)
        }
        Some(Ok(heard)) => Line::ok(check, format!("{place} answers HTTP ({})", heard.status)),
        Some(Err(why)) => Line::warning(
            check,
            format!("{place} takes a connection and does not answer GET /: {why}"),
            "nothing, if it answers its own requests only (--live asks it one); else see what \
             stands in between (a proxy, a firewall that looks inside)",
        ),
    }
}

fn clock(facts: &Facts) -> Line {
    let check = facts.check("clock");
    let heard = facts.heard.as_ref().and_then(|heard| heard.as_ref().ok());
    if let Some(line) = facts.not_tried(LinkStage::Answer, "clock") {
        return line;
    }
    let Some(ahead) = heard.and_then(|heard| heard.ahead_ms) else {
        let name = &facts.name;
        return Line::skipped(check, format!("{name} did not say what its clock says (Date)"));
    };
    let off = ahead.unsigned_abs();
    let way = if ahead < 0 { "behind" } else { "ahead of" };
    let seconds = off.div_euclid(1_000);
    let seen = format!("this machine's clock is {seconds} s {way} the one of {}", facts.place);
    let advice = "set it by NTP (`timedatectl set-ntp true`): certificates, tokens and the times \
                  of payments depend on it";
    if off > SKEW_MAX_MS {
        Line::fails(check, seen, advice)
    } else if off > SKEW_WARNED_MS {
        Line::warning(check, seen, advice)
    } else {
        Line::ok(check, seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::check::judge::assert_says;
    use crate::app::check::line::Status;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn good() -> Facts {
        Facts {
            name: "broker".to_owned(),
            place: "broker.example.org:18423".to_owned(),
            is_here: false,
            addresses: Ok(vec!["192.0.2.49".parse().expect("an address")]),
            interface: Some(("tun0".to_owned(), Some("up".to_owned()))),
            from: Some("from 10.0.0.2".to_owned()),
            leaves_from: Ok("10.0.0.2".parse().expect("an address")),
            encrypted: Ok(true),
            reached: Ok(Some(session(&[]))),
            heard: Some(Ok(heard(0))),
            speaks_tls: false,
        }
    }

    fn session(weak: &[&str]) -> Session {
        Session {
            version: "TLSv1.3".to_owned(),
            cipher: "TLS13_AES_256_GCM_SHA384".to_owned(),
            peer: None,
            weak: weak.iter().map(|it| (*it).to_owned()).collect(),
            is_on_trial: false,
        }
    }

    fn heard(ahead_s: i64) -> Heard {
        Heard { status: 404, ahead_ms: Some(ahead_s.saturating_mul(1_000)), wants_tls: false }
    }

    fn stuck(stage: LinkStage, why: &str) -> Facts {
        Facts { reached: Err((stage, why.to_owned())), heard: None, ..good() }
    }

    fn said(facts: &Facts, stage: &str) -> Line {
        let lines = lines(facts, NOW);
        lines.into_iter().find(|line| line.check == format!("broker.{stage}")).expect(stage)
    }

    #[test]
    fn a_way_that_leads_there_is_said_to() {
        let table = [
            ("dns", "192.0.2.49"),
            ("interface", "tun0"),
            ("route", "10.0.0.2, as configured"),
            ("tcp", "takes connections"),
            ("tls", "TLSv1.3 TLS13_AES_256_GCM_SHA384"),
            ("http", "404"),
            ("clock", "0 s"),
        ];
        for (stage, words) in table {
            assert_says(stage, &said(&good(), stage), Status::Ok, words);
        }
    }

    #[test]
    fn a_way_ends_at_one_stage_and_what_is_behind_it_is_not_judged() {
        let stages = ["dns", "route", "tcp", "tls", "http", "clock"];
        let no_name =
            Facts { addresses: Err("unknown".to_owned()), ..stuck(LinkStage::Resolve, "unknown") };
        let table = [
            (no_name, "dns", "leads nowhere"),
            (stuck(LinkStage::Local, "from 10.0.0.2: not here"), "route", "from 10.0.0.2"),
            (stuck(LinkStage::Connect, "refused"), "tcp", "cannot be connected to: refused"),
            (stuck(LinkStage::Tls, "its certificate has expired"), "tls", "has expired"),
        ];
        for (facts, fails, words) in table {
            let mut behind = false;
            for stage in stages {
                let line = said(&facts, stage);
                if stage == fails {
                    assert_says(stage, &line, Status::Fails, words);
                    behind = true;
                } else {
                    let status = if behind { Status::Skipped } else { Status::Ok };
                    assert_says(&format!("{fails}: {stage}"), &line, status, "");
                }
            }
        }
    }

    #[test]
    fn each_stage_can_fail_or_warn_in_its_own_way() {
        let interface = |state: Option<&str>| Facts {
            interface: Some(("tun0".to_owned(), state.map(ToOwned::to_owned))),
            ..good()
        };
        let plain = Facts { encrypted: Ok(false), reached: Ok(None), ..good() };
        let silent = Facts { heard: Some(Err("closed".to_owned())), ..plain.clone() };
        let wants = Heard { wants_tls: true, ..heard(0) };
        let no_route = Facts { leaves_from: Err("unreachable".to_owned()), ..good() };
        let other = NotEncrypted::Other("trusts no authority".to_owned());
        let clock = |ahead| Facts { heard: Some(Ok(heard(ahead))), ..good() };
        let no_date = Facts { heard: Some(Ok(Heard { ahead_ms: None, ..heard(0) })), ..good() };
        let weak = Facts { reached: Ok(Some(session(&["1024 bits only"]))), ..good() };
        let elsewhere = Facts { encrypted: Err(NotEncrypted::SaidElsewhere), ..good() };
        let table = [
            (interface(None), "interface", Status::Fails, "no network interface tun0"),
            (interface(Some("down")), "interface", Status::Fails, "is down"),
            (no_route, "route", Status::Fails, "unreachable"),
            (plain.clone(), "tls", Status::Warning, "plain HTTP"),
            (Facts { is_here: true, ..plain.clone() }, "tls", Status::Skipped, "this machine"),
            (weak, "tls", Status::Warning, "1024 bits only"),
            (Facts { encrypted: Err(other), ..good() }, "tls", Status::Fails, "no authority"),
            (elsewhere, "tls", Status::Skipped, "see above"),
            (silent.clone(), "http", Status::Warning, "does not answer"),
            (Facts { speaks_tls: true, ..silent }, "http", Status::Fails, "speaks TLS"),
            (Facts { heard: Some(Ok(wants)), ..plain }, "http", Status::Fails, "one of HTTPS"),
            (clock(30), "clock", Status::Ok, "30 s ahead"),
            (clock(31), "clock", Status::Warning, "31 s ahead"),
            (clock(-300), "clock", Status::Warning, "300 s behind"),
            (clock(-301), "clock", Status::Fails, "301 s behind"),
            (no_date, "clock", Status::Skipped, "Date"),
        ];
        for (facts, stage, status, words) in table {
            assert_says(stage, &said(&facts, stage), status, words);
        }
    }
}
