//! Certificates of our own, and authorities.

use std::net::IpAddr;

use super::DAYS_AHEAD;
use crate::app::check::line::Line;
use crate::domain::time::Timestamp;
use crate::tls::Facts;
use crate::tls::chain::{Chain, Look};

/// A certificate of our own and its key.
#[derive(Clone, Debug)]
pub(in crate::app::check) struct Own {
    /// The key that names the certificate, such as `broker.client_certificate`.
    pub name: &'static str,
    /// What was found; the error says what is wrong with a file.
    pub look: Result<Look, Bad>,
    /// Whether what uses it takes weak keys, too.
    pub takes_weak: bool,
    /// The host that it must be for, and whether somebody else may show a certificate there.
    pub host: Option<Host>,
}

/// What is wrong with a certificate's file or its key's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app::check) enum Bad {
    /// It cannot be read: a line about the file says so.
    Unreadable,
    /// Anything else.
    Content(String),
}

/// The host that a listener's certificate must be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::app::check) struct Host {
    /// Its name or address.
    pub name: String,
    /// Whether callers come to another port than the listener's, and so perhaps to a proxy.
    pub maybe_proxy: bool,
}

/// A line for each thing that can be wrong with one.
pub(in crate::app::check) fn own(own: &Own, now: Timestamp) -> Vec<Line> {
    let check = |aspect: &str| format!("{}.{aspect}", own.name);
    let look = match &own.look {
        Ok(look) => look,
        Err(Bad::Unreadable) => {
            let why = "not looked at: a file of it cannot be read (see files)";
            return vec![Line::skipped(check("pair"), why)];
        }
        Err(Bad::Content(why)) => {
            let advice = "name the certificate and the private key that it was made for; \
                          `openssl x509 -noout -pubkey -in CERT` and `openssl pkey -pubout -in KEY` \
                          print the same when they belong together";
            return vec![Line::fails(check("pair"), why, advice)];
        }
    };
    let subject = look.own.first().map(|facts| facts.subject.clone()).unwrap_or_default();
    let mut lines =
        vec![Line::ok(check("pair"), format!("{subject}: certificate and key belong together"))];
    lines.push(chain(check("chain"), &look.chain));
    lines.push(dates(check("dates"), &look.own, now));
    lines.push(strength(check("key_size"), &look.own, own.takes_weak));
    lines.push(if look.fits_role {
        Line::ok(check("use"), "its extended key usage lets it be used here")
    } else {
        let advice = "ask for one with serverAuth (listeners) or clientAuth (towards the broker)";
        Line::fails(check("use"), "its extended key usage is for something else", advice)
    });
    lines.extend(own.host.as_ref().map(|host| names(check("name"), look.own.first(), host)));
    lines
}

fn chain(check: String, chain: &Chain) -> Line {
    match chain {
        Chain::Known { authority } => Line::ok(check, format!("leads to {authority}")),
        Chain::Whole { authority } => {
            Line::ok(check, format!("leads to {authority}, which stands in the same file"))
        }
        Chain::Alone => Line::warning(
            check,
            "it signed itself: only who was handed this very certificate trusts it",
            "have it signed by the authority that the other side trusts",
        ),
        Chain::Ends { at, issuer, stray: 0 } => Line::warning(
            check,
            format!("ends at {at}, signed by {issuer}, which stands neither in the file nor here"),
            "if the other side's root is another, append the certificates in between to the file",
        ),
        Chain::Ends { at, issuer, stray } => Line::fails(
            check,
            format!(
                "breaks off at {at}: its issuer {issuer} is not in the file, and {stray} \
                 certificates there belong to something else"
            ),
            "put the certificate first and after it each one that signed the one before",
        ),
    }
}

/// How the dates of certificates are that all count.
pub(in crate::app::check) fn dates(check: String, all: &[Facts], now: Timestamp) -> Line {
    let day = |at: Option<Timestamp>| {
        at.map_or_else(
            || "an unreadable date".to_owned(),
            |at| at.rfc3339().chars().take(10).collect(),
        )
    };
    for facts in all {
        if facts.from.is_some_and(|from| from > now) {
            let seen = format!("{} is not good before {}", facts.subject, day(facts.from));
            let advice = "compare this machine's clock, or wait, or use the one before";
            return Line::fails(check, seen, advice);
        }
        if !facts.is_good_at(now) {
            let seen = format!("{} has expired on {}", facts.subject, day(facts.until));
            return Line::fails(
                check,
                seen,
                "renew it; the gateway reads a changed file by itself",
            );
        }
    }
    let soonest = all.iter().min_by_key(|facts| facts.until);
    let Some((facts, days)) = soonest.and_then(|it| Some((it, it.days_left(now)?))) else {
        return Line::skipped(check, "it says no dates");
    };
    if days <= DAYS_AHEAD {
        let seen = format!("{} expires in {days} days", facts.subject);
        return Line::warning(check, seen, "renew it; the gateway reads a changed file by itself");
    }
    Line::ok(check, format!("good until {}, {days} days", day(facts.until)))
}

fn strength(check: String, all: &[Facts], takes_weak: bool) -> Line {
    let weak: Vec<String> = all
        .iter()
        .flat_map(|facts| facts.weak().into_iter().map(|it| format!("{}: {it}", facts.subject)))
        .collect();
    let key = all.first().map(|it| format!("{} of {} bits", it.key, it.key_bits));
    if weak.is_empty() {
        return Line::ok(check, key.unwrap_or_default());
    }
    let small = weak.iter().any(|it| it.contains("bits only"));
    let advice = "make a new key (`openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048`) \
                  and have it signed";
    if small && !takes_weak {
        Line::fails(check, weak.join("; "), advice)
    } else {
        Line::warning(check, weak.join("; "), advice)
    }
}

fn names(check: String, leaf: Option<&Facts>, host: &Host) -> Line {
    let names = leaf.map(|leaf| leaf.names.clone()).unwrap_or_default();
    let shown = if names.is_empty() { "no host at all".to_owned() } else { names.join(", ") };
    if names.iter().any(|name| covers(name, &host.name)) {
        return Line::ok(check, format!("it is for {}", host.name));
    }
    let seen = format!("it is for {shown}, and callbacks.public_url says {}", host.name);
    if host.maybe_proxy {
        let advice = "nothing, if a proxy in front shows a certificate of its own";
        return Line::warning(check, seen, advice);
    }
    let advice = "ask for one that has that host in its subjectAltName, or change public_url";
    Line::fails(check, seen, advice)
}

/// Whether a name of a certificate's is for a host; `*` stands for one label (RFC 6125 §6.4.3).
fn covers(name: &str, host: &str) -> bool {
    let same = |address: IpAddr| host.parse::<IpAddr>().is_ok_and(|it| it == address);
    if name.parse::<IpAddr>().is_ok_and(same) || name.eq_ignore_ascii_case(host) {
        return true;
    }
    let rest = name.strip_prefix("*.");
    let parent = host.split_once('.').map(|(_, parent)| parent);
    rest.zip(parent).is_some_and(|(rest, parent)| rest.eq_ignore_ascii_case(parent))
}

/// Authorities of one file: whether each is one, and that at least one is good.
pub(in crate::app::check) fn authorities(
    name: &str,
    found: &Result<Vec<(Facts, bool)>, Bad>,
    now: Timestamp,
) -> Vec<Line> {
    let check = format!("{name}.authority");
    let found = match found {
        Ok(found) => found,
        Err(Bad::Unreadable) => {
            return vec![Line::skipped(
                check,
                "not looked at: its file cannot be read (see files)",
            )];
        }
        Err(Bad::Content(why)) => {
            let advice = "name the partner's chain as PEM, DER or .p7b";
            return vec![Line::fails(check, why, advice)];
        }
    };
    let dates_check = format!("{name}.dates");
    let none: Vec<&str> = found
        .iter()
        .filter(|(_facts, is_authority)| !is_authority)
        .map(|(facts, _)| facts.subject.as_str())
        .collect();
    let first = if none.len() == found.len() {
        let seen = format!("{} can sign nobody: it is no authority", none.join("; "));
        let advice = "name the authority that signed it, not the certificate of the host";
        Line::fails(check, seen, advice)
    } else {
        let many = found.len();
        Line::ok(check, format!("{many} certificates"))
    };
    let good: Vec<Facts> = found
        .iter()
        .filter(|(facts, _)| facts.is_good_at(now))
        .map(|(facts, _)| facts.clone())
        .collect();
    let all: Vec<Facts> = found.iter().map(|(facts, _)| facts.clone()).collect();
    let when = if good.is_empty() {
        dates(dates_check, &all, now)
    } else if good.len() < all.len() {
        let seen =
            format!("{} of {} are not good now", all.len().saturating_sub(good.len()), all.len());
        Line::warning(dates_check, seen, "take out those that have expired")
    } else {
        dates(dates_check, &good, now)
    };
    vec![first, when]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::check::judge::assert_says;
    use crate::app::check::line::Status;
    use crate::tls::Fingerprint;

    const DAY: i64 = 24 * 60 * 60 * 1_000;

    fn at(day: i64) -> Timestamp {
        Timestamp::from_millis(day.saturating_mul(DAY))
    }

    fn facts(from: i64, until: i64, bits: u32, names: &[&str]) -> Facts {
        Facts {
            subject: "CN=it".to_owned(),
            issuer: "CN=ca".to_owned(),
            common_name: None,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            from: Some(at(from)),
            until: Some(at(until)),
            key: "RSA",
            key_bits: bits,
            signature: "sha256WithRSAEncryption".to_owned(),
            fingerprint: "00".repeat(32).parse::<Fingerprint>().expect("digits"),
        }
    }

    #[test]
    fn dates_are_judged() {
        let table = [
            (1, 500, Status::Ok, "good until"),
            (1, 121, Status::Warning, "expires in 21 days"),
            (1, 122, Status::Ok, "22 days"),
            (1, 99, Status::Fails, "has expired"),
            (101, 500, Status::Fails, "not good before"),
        ];
        for (from, until, status, words) in table {
            let line = dates("d".to_owned(), &[facts(from, until, 2048, &[])], at(100));
            assert_says(&format!("{from} {until}"), &line, status, words);
        }
        let both = [facts(1, 500, 2048, &[]), facts(1, 99, 2048, &[])];
        assert_says("one of two", &dates("d".to_owned(), &both, at(100)), Status::Fails, "expired");
    }

    #[test]
    fn keys_chains_uses_and_names_are_judged() {
        let host = |maybe_proxy| Some(Host { name: "gw.example.org".to_owned(), maybe_proxy });
        let known = Chain::Known { authority: "CN=ca".to_owned() };
        let ends = |stray| Chain::Ends { at: "CN=it".into(), issuer: "CN=x".into(), stray };
        let yes = &["gw.example.org"][..];
        // bits, weak taken, chain, fits, names, host; the aspect, and what is said of it
        let table = [
            (2048, false, known.clone(), true, yes, host(false), "pair", Status::Ok, "together"),
            (2048, false, known.clone(), true, yes, host(false), "chain", Status::Ok, "CN=ca"),
            (2048, false, known.clone(), true, yes, host(false), "name", Status::Ok, "gw."),
            (2048, false, known.clone(), true, yes, host(false), "use", Status::Ok, "lets"),
            (2048, false, known.clone(), true, yes, host(false), "key_size", Status::Ok, "2048"),
            (1024, false, known.clone(), true, yes, None, "key_size", Status::Fails, "1024 bits"),
            (1024, true, known.clone(), true, yes, None, "key_size", Status::Warning, "1024 bits"),
            (2048, false, known.clone(), false, yes, None, "use", Status::Fails, "something else"),
            (2048, false, Chain::Alone, true, yes, None, "chain", Status::Warning, "signed itself"),
            (2048, false, ends(0), true, yes, None, "chain", Status::Warning, "CN=x"),
            (2048, false, ends(2), true, yes, None, "chain", Status::Fails, "breaks off"),
            (2048, false, known.clone(), true, &["a"], host(false), "name", Status::Fails, "for a"),
            (2048, false, known, true, &[], host(true), "name", Status::Warning, "proxy"),
        ];
        for (bits, takes_weak, chain, fits_role, names, host, aspect, status, words) in table {
            let look = Look { own: vec![facts(1, 500, bits, names)], chain, fits_role };
            let it = Own { name: "n", look: Ok(look), takes_weak, host };
            let lines = own(&it, at(100));
            let line = lines.iter().find(|line| line.check == format!("n.{aspect}"));
            assert_says(aspect, line.expect("a line"), status, words);
        }
        let bad =
            |bad| own(&Own { name: "n", look: Err(bad), takes_weak: false, host: None }, at(1));
        let says = bad(Bad::Content("do not belong together".to_owned()));
        assert_says("mixed up", &says[0], Status::Fails, "belong together");
        assert_says("missing", &bad(Bad::Unreadable)[0], Status::Skipped, "see files");
    }

    #[test]
    fn a_star_is_one_label() {
        let table = [
            ("*.example.org", "gw.example.org", true),
            ("*.example.org", "a.gw.example.org", false),
            ("*.example.org", "example.org", false),
            ("GW.example.org", "gw.example.org", true),
            ("127.0.0.1", "127.0.0.1", true),
            ("::1", "0:0:0:0:0:0:0:1", true),
            ("gw.example.org", "other.example.org", false),
        ];
        for (name, host, is_for) in table {
            assert_eq!(covers(name, host), is_for, "{name} {host}");
        }
    }

    #[test]
    fn authorities_are_judged() {
        let good = (facts(1, 500, 2048, &[]), true);
        let old = (facts(1, 99, 2048, &[]), true);
        let host = (facts(1, 500, 2048, &[]), false);
        let table = [
            (Ok(vec![good.clone()]), Status::Ok, "1 certificates", Status::Ok, "good until"),
            (Ok(vec![good, old.clone()]), Status::Ok, "2", Status::Warning, "1 of 2"),
            (Ok(vec![old]), Status::Ok, "1", Status::Fails, "expired"),
            (Ok(vec![host]), Status::Fails, "no authority", Status::Ok, "good until"),
        ];
        for (found, status, words, when, says) in table {
            let lines = authorities("broker.ca", &found, at(100));
            assert_says("the authority", &lines[0], status, words);
            assert_says("its dates", &lines[1], when, says);
        }
        let page = Err(Bad::Content("looks like an HTML page".to_owned()));
        assert_says("a page", &authorities("a", &page, at(1))[0], Status::Fails, "HTML page");
    }
}
