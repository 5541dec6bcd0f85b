//! The address that M-Pesa calls: whether it can be one, and whether it leads here.

use std::net::IpAddr;

use crate::app::check::line::Line;
use crate::domain::time::Timestamp;
use crate::engine::port::LinkStage;

/// Fewer hexadecimal digits than 128 bits have can be guessed at.
const TOKEN_DIGITS: usize = 32;

/// What was found about the address.
#[derive(Clone, Debug)]
pub(in crate::app::check) struct Facts {
    /// `callbacks.public_url`.
    pub url: String,
    /// How many digits the token has.
    pub token_digits: usize,
    /// A word in the whole address that M-Pesa filters out (spec/daraja.md §7).
    pub word: Option<&'static str>,
    /// Whether Daraja, which filters, is set up.
    pub has_daraja: bool,
    /// Whether the address names this machine alone.
    pub is_loopback: bool,
    /// Whether what is spoken to as M-Pesa is on this machine, too: the simulator.
    pub mpesa_is_here: bool,
    /// The host's addresses.
    pub addresses: Result<Vec<IpAddr>, String>,
    /// How far a call to it comes.
    pub reach: Reach,
}

/// How far a call comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app::check) enum Reach {
    /// No gateway runs, so that nobody can answer.
    NoGateway,
    /// It came no further than this stage, for this reason.
    Stopped(LinkStage, String),
    /// Its certificate is from an authority that this machine does not know.
    Unverified(String),
    /// It was connected to.
    Connected(Connected),
}

/// What was found behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app::check) struct Connected {
    /// Whether the certificate there is the listener's own; `None` if there is none to compare.
    pub shows_ours: Option<bool>,
    /// Whether the listener lets in only some: by network, or by certificate.
    pub is_choosy: bool,
    /// What it answered.
    pub asked: Asked,
}

/// What came of asking for our own interface description (`…/b2c/result?wsdl`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app::check) enum Asked {
    /// It is another machine's address, which is told the token only with `--live`.
    Untold,
    /// Ours came.
    Ours,
    /// Another answer came, of this status.
    Other(u16),
    /// None came.
    Silence(String),
}

/// A line for each thing that can be wrong.
pub(in crate::app::check) fn lines(facts: &Facts) -> Vec<Line> {
    vec![token(facts.token_digits), words(facts), place(facts), dns(facts), reach(facts)]
}

fn token(digits: usize) -> Line {
    const CHECK: &str = "callbacks.token";
    let seen = format!("the token in the callback address has {digits} hexadecimal digits");
    if digits >= TOKEN_DIGITS {
        return Line::ok(CHECK, seen);
    }
    let advice = "`openssl rand -hex 24` makes a longer one; keep the old one for some days as \
                  callbacks.previous_token, and register the C2B addresses again";
    Line::warning(CHECK, seen, advice)
}

fn words(facts: &Facts) -> Line {
    const CHECK: &str = "callbacks.words";
    let Some(word) = facts.word else {
        return Line::ok(CHECK, "no word in the callback address that M-Pesa filters out");
    };
    let seen = format!("callbacks.public_url ({}) has \"{word}\" in it", facts.url);
    let advice = "take another host or path: Daraja refuses addresses with that in them, in any case \
                  of the letters";
    if facts.has_daraja {
        Line::fails(CHECK, seen, advice)
    } else {
        Line::warning(CHECK, seen, advice)
    }
}

fn place(facts: &Facts) -> Line {
    const CHECK: &str = "callbacks.public_url";
    if facts.is_loopback && !facts.mpesa_is_here {
        let seen = format!("{} is this machine alone, and M-Pesa is elsewhere", facts.url);
        let advice = "name the address by which M-Pesa reaches the listener: over the VPN, or a \
                      public one";
        return Line::fails(CHECK, seen, advice);
    }
    Line::ok(CHECK, format!("M-Pesa is told {}", facts.url))
}

fn dns(facts: &Facts) -> Line {
    const CHECK: &str = "callbacks.dns";
    match &facts.addresses {
        Ok(found) => {
            let list: Vec<String> = found.iter().map(ToString::to_string).collect();
            Line::ok(CHECK, format!("its host is {}", list.join(", ")))
        }
        Err(why) => Line::fails(
            CHECK,
            format!("the host of {} leads nowhere: {why}", facts.url),
            "correct callbacks.public_url, or have the name entered where M-Pesa looks it up",
        ),
    }
}

fn reach(facts: &Facts) -> Line {
    const CHECK: &str = "callbacks.reach";
    let url = &facts.url;
    match &facts.reach {
        Reach::NoGateway => {
            Line::skipped(CHECK, "no gateway runs on this store, so that nobody could answer")
        }
        Reach::Stopped(LinkStage::Resolve, _why) => {
            Line::skipped(CHECK, "not tried: the way does not lead so far (see callbacks.dns)")
        }
        Reach::Stopped(LinkStage::Tls, why) => Line::fails(
            CHECK,
            format!("no TLS with {url}: {why}"),
            "correct the listener's certificate, or whether public_url says http:// or https://",
        ),
        Reach::Stopped(_stage, why) => Line::fails(
            CHECK,
            format!("{url} cannot be connected to from here: {why}"),
            "compare it with callbacks.listen, and what forwards to that (proxy, firewall, address \
             translation); some networks cannot reach their own outer address: try from outside then",
        ),
        Reach::Unverified(why) => Line::warning(
            CHECK,
            format!("{url} shows a certificate that cannot be verified here: {why}"),
            "M-Pesa must trust its authority; to have it verified here, name that as \
             callbacks.client_ca or broker.ca",
        ),
        Reach::Connected(connected) => found(CHECK, url, connected),
    }
}

fn found(check: &str, url: &str, connected: &Connected) -> Line {
    let Connected { shows_ours, is_choosy, asked } = connected;
    match (asked, shows_ours) {
        (Asked::Ours, _) => Line::ok(check, format!("{url} leads to this gateway")),
        (Asked::Silence(_) | Asked::Untold | Asked::Other(403), Some(true)) => Line::ok(
            check,
            format!(
                "{url} shows this listener's certificate, and leads here as far as can be told"
            ),
        ),
        (Asked::Untold, _) => {
            let why = "something takes connections there; whether it is this gateway is asked with \
                       --live only, because it shows the token to another machine";
            Line::skipped(check, why)
        }
        (Asked::Silence(_) | Asked::Other(403), _) if *is_choosy => Line::skipped(
            check,
            "something takes connections there and does not let this machine in, as \
             callbacks.allow or client_ca would have it: more cannot be told from here",
        ),
        (Asked::Silence(why), _) => Line::fails(
            check,
            format!("{url} takes a connection and does not answer: {why}"),
            "see what listens there; a proxy must pass requests on to callbacks.listen",
        ),
        (Asked::Other(status), _) => Line::fails(
            check,
            format!("{url} answers {status} where this gateway would answer with its interface"),
            "something else listens there, or a proxy changes the path, or the gateway runs with \
             another token: see what it forwards to, and restart the gateway",
        ),
    }
}

/// Whether C2B addresses were registered, as far as the book knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app::check) enum Registered {
    /// Nobody can pay by himself as it is set up.
    NotNeeded,
    /// The book could not be asked.
    Unknown(String),
    /// Last at that time; `None`: never.
    At(Option<Timestamp>),
}

/// Of the C2B addresses.
pub(in crate::app::check) fn registered(registered: &Registered) -> Line {
    const CHECK: &str = "c2b.registered";
    match registered {
        Registered::NotNeeded => {
            Line::skipped(CHECK, "no [daraja] and no c2b.shortcodes: nobody pays in by himself")
        }
        Registered::Unknown(why) => Line::skipped(CHECK, format!("the book says nothing: {why}")),
        Registered::At(Some(at)) => Line::ok(
            CHECK,
            format!("the C2B addresses were registered last at {at}, as far as the book knows"),
        ),
        Registered::At(None) => Line::warning(
            CHECK,
            "the book knows of no registration of C2B addresses",
            "if customers pay by themselves, POST /v1/c2b/register-urls, and again whenever \
             public_url or the token change; else nothing",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::check::judge::assert_says;
    use crate::app::check::line::Status;

    fn good() -> Facts {
        Facts {
            url: "https://gw.example.org".to_owned(),
            token_digits: 48,
            word: None,
            has_daraja: true,
            is_loopback: false,
            mpesa_is_here: false,
            addresses: Ok(vec!["192.0.2.1".parse().expect("an address")]),
            reach: connected(None, false, Asked::Ours),
        }
    }

    fn connected(shows_ours: Option<bool>, is_choosy: bool, asked: Asked) -> Reach {
        Reach::Connected(Connected { shows_ours, is_choosy, asked })
    }

    fn said(facts: &Facts, name: &str) -> Line {
        let lines = lines(facts);
        lines.into_iter().find(|line| line.check == format!("callbacks.{name}")).expect(name)
    }

    #[test]
    fn an_address_is_judged() {
        let word = Facts { word: Some("mpesa"), ..good() };
        let alone = Facts { is_loopback: true, ..good() };
        let table = [
            (good(), "token", Status::Ok, "48"),
            (Facts { token_digits: 31, ..good() }, "token", Status::Warning, "31"),
            (good(), "words", Status::Ok, "no word"),
            (word.clone(), "words", Status::Fails, "\"mpesa\""),
            (Facts { has_daraja: false, ..word }, "words", Status::Warning, "\"mpesa\""),
            (good(), "public_url", Status::Ok, "gw.example.org"),
            (Facts { mpesa_is_here: true, ..alone.clone() }, "public_url", Status::Ok, "told"),
            (alone, "public_url", Status::Fails, "this machine alone"),
            (good(), "dns", Status::Ok, "192.0.2.1"),
            (Facts { addresses: Err("no".to_owned()), ..good() }, "dns", Status::Fails, "nowhere"),
        ];
        for (facts, name, status, words) in table {
            assert_says(name, &said(&facts, name), status, words);
        }
    }

    #[test]
    fn whether_it_leads_here_is_judged() {
        let stopped = |stage| Reach::Stopped(stage, "refused".to_owned());
        let silence = || Asked::Silence("closed".to_owned());
        let table = [
            (connected(None, false, Asked::Ours), Status::Ok, "leads to this gateway"),
            (connected(Some(true), true, silence()), Status::Ok, "as far as can be told"),
            (connected(Some(true), false, Asked::Untold), Status::Ok, "certificate"),
            (connected(Some(false), false, Asked::Untold), Status::Skipped, "--live"),
            (connected(None, true, silence()), Status::Skipped, "callbacks.allow"),
            (connected(None, true, Asked::Other(403)), Status::Skipped, "callbacks.allow"),
            (connected(None, false, silence()), Status::Fails, "does not answer"),
            (connected(None, false, Asked::Other(404)), Status::Fails, "answers 404"),
            (Reach::NoGateway, Status::Skipped, "no gateway"),
            (stopped(LinkStage::Resolve), Status::Skipped, "callbacks.dns"),
            (stopped(LinkStage::Connect), Status::Fails, "cannot be connected to"),
            (stopped(LinkStage::Tls), Status::Fails, "no TLS"),
            (Reach::Unverified("authority".to_owned()), Status::Warning, "cannot be verified"),
        ];
        for (reach, status, words) in table {
            let what = format!("{reach:?}");
            assert_says(&what, &said(&Facts { reach, ..good() }, "reach"), status, words);
        }
    }

    #[test]
    fn registrations_are_judged() {
        let at = Timestamp::from_millis(1_700_000_000_000);
        let table = [
            (Registered::NotNeeded, Status::Skipped, "nobody"),
            (Registered::Unknown("closed".to_owned()), Status::Skipped, "closed"),
            (Registered::At(Some(at)), Status::Ok, "2023-11-14"),
            (Registered::At(None), Status::Warning, "register-urls"),
        ];
        for (known, status, words) in table {
            assert_says(&format!("{known:?}"), &registered(&known), status, words);
        }
    }
}
