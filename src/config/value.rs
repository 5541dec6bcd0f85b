//! One value each: from what was written to what it means.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;

use super::source::Raw;
use crate::domain::money::Amount;
use crate::domain::text::{NotATemplate, Template};
use crate::domain::time::Timestamp;

/// The longest plain text.
const TEXT_CHARS_MAX: usize = 200;
/// The fewest hexadecimal digits of a callback token: 64 bits, beyond guessing over a network.
const TOKEN_DIGITS_MIN: usize = 16;
/// The most hexadecimal digits of a callback token; M-Pesa's address fields are not endless.
const TOKEN_DIGITS_MAX: usize = 128;
/// The most pauses in one list.
const TIMES_MAX: usize = 20;
/// The most source networks.
const NETWORKS_MAX: usize = 1_000;
/// The most texts in a list.
const LIST_MAX: usize = 1_000;
/// The words that M-Pesa filters out of addresses, in any case (spec/daraja.md §7).
const FILTERED_WORDS: &[&str] = &["m-pesa", "mpesa", "safaricom", "exe", "cmd", "sql", "query"];

/// Why a value will not do.
pub(super) enum Bad {
    /// It has the wrong form; this is the right one. What was found is put before it.
    Expected(String),
    /// Anything else, as a whole sentence about the key.
    Says(String),
}

fn expected<T>(what: impl Into<String>) -> Result<T, Bad> {
    Err(Bad::Expected(what.into()))
}

fn says<T>(what: impl Into<String>) -> Result<T, Bad> {
    Err(Bad::Says(what.into()))
}

fn later<T>(what: &str) -> Result<T, Bad> {
    says(format!("{what} is not in this version"))
}

/// Plain text.
pub(super) fn text(raw: &Raw) -> Result<String, Bad> {
    match raw {
        Raw::Text(text) if fits(text) => Ok(text.clone()),
        Raw::Integer(number) => expected(format!("text, in quotes: \"{number}\"")),
        Raw::Text(_) | Raw::List(_) | Raw::Other(_) => {
            expected("text of 1 to 200 printable characters")
        }
    }
}

fn fits(text: &str) -> bool {
    let blank = text.trim().is_empty() || text.trim() != text;
    !blank && text.chars().count() <= TEXT_CHARS_MAX && !text.chars().any(char::is_control)
}

/// The callback token.
pub(super) fn token(raw: &Raw) -> Result<String, Bad> {
    const WANTED: &str = "16 to 128 hexadecimal digits, such as `openssl rand -hex 24` gives";
    let Raw::Text(text) = raw else {
        return expected(WANTED);
    };
    let long_enough = (TOKEN_DIGITS_MIN..=TOKEN_DIGITS_MAX).contains(&text.len());
    if long_enough && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(text.clone())
    } else {
        expected(WANTED)
    }
}

/// Address and port to listen on.
pub(super) fn listen(raw: &Raw) -> Result<SocketAddr, Bad> {
    match raw {
        Raw::Text(text) => text.parse().ok(),
        Raw::Integer(_) | Raw::List(_) | Raw::Other(_) => None,
    }
    .ok_or_else(|| Bad::Expected("an IP address and a port, such as \"127.0.0.1:8080\"".to_owned()))
}

/// A parsed text type of the domain, whose error says what is expected ("must be …").
pub(super) fn parsed<T>(raw: &Raw) -> Result<T, Bad>
where
    T: std::str::FromStr,
    T::Err: fmt::Display,
{
    let text = text(raw)?;
    text.parse::<T>().or_else(|error| {
        let error = error.to_string();
        let wanted = error.strip_prefix("must be ").unwrap_or(&error);
        expected(wanted)
    })
}

/// Shillings: `"1500.00"`, or a whole number.
pub(super) fn money(raw: &Raw) -> Result<Amount, Bad> {
    match raw {
        Raw::Integer(number) => match u64::try_from(*number) {
            Ok(shillings) => Ok(Amount::from_shillings(shillings)),
            Err(_) => expected("an amount of money that is not below zero"),
        },
        Raw::Text(_) => parsed(raw),
        Raw::List(_) | Raw::Other(_) => expected("an amount of money, such as \"1500.00\""),
    }
}

/// A whole number from `least` to `most`.
pub(super) fn count<T: TryFrom<u64>>(raw: &Raw, least: u64, most: u64) -> Result<T, Bad> {
    let number = match raw {
        Raw::Integer(number) => u64::try_from(*number).ok(),
        Raw::Text(text) => text.parse().ok(),
        Raw::List(_) | Raw::Other(_) => None,
    };
    number
        .filter(|number| (least..=most).contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| Bad::Expected(format!("a whole number from {least} to {most}")))
}

/// A number of bytes from `least` to `most`: a whole number, or with KiB, MiB or GiB behind it.
pub(super) fn size<T: TryFrom<u64>>(raw: &Raw, least: u64, most: u64) -> Result<T, Bad> {
    let bytes = match raw {
        Raw::Integer(number) => u64::try_from(*number).ok(),
        Raw::Text(text) => bytes_of(text),
        Raw::List(_) | Raw::Other(_) => None,
    };
    bytes
        .filter(|bytes| (least..=most).contains(bytes))
        .and_then(|bytes| T::try_from(bytes).ok())
        .ok_or_else(|| {
            let (least, most) = (size_words(least), size_words(most));
            Bad::Expected(format!("a size such as 65536 or \"64 KiB\", from {least} to {most}"))
        })
}

const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

fn bytes_of(text: &str) -> Option<u64> {
    UNITS.iter().find_map(|(unit, bytes)| {
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(*bytes)
    })
}

/// In the largest unit that it is whole in: `64 KiB`.
pub(super) fn size_words(bytes: u64) -> String {
    let whole = UNITS.iter().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    match whole {
        Some((name, unit)) => {
            let number = bytes.checked_div(*unit).unwrap_or(bytes);
            format!("{number} {name}").trim_end().to_owned()
        }
        None => bytes.to_string(),
    }
}

/// A length of time from `least` to `most`: `250ms`, `5s`, `2m`, `1h` or `1d`.
pub(super) fn time(raw: &Raw, least: Duration, most: Duration) -> Result<Duration, Bad> {
    let time = match raw {
        Raw::Text(text) => time_of(text),
        Raw::Integer(_) | Raw::List(_) | Raw::Other(_) => None,
    };
    time.filter(|time| (least..=most).contains(time)).ok_or_else(|| {
        let (least, most) = (time_words(least), time_words(most));
        Bad::Expected(format!(
            "a length of time such as \"250ms\", \"5s\", \"2m\", \"1h\" or \"1d\", \
                 from {least} to {most}"
        ))
    })
}

/// A list of lengths of time.
pub(super) fn times(raw: &Raw, least: Duration, most: Duration) -> Result<Vec<Duration>, Bad> {
    match raw {
        Raw::List(list) if (1..=TIMES_MAX).contains(&list.len()) => {
            list.iter().map(|one| time(one, least, most)).collect()
        }
        Raw::List(_) | Raw::Text(_) | Raw::Integer(_) | Raw::Other(_) => {
            expected("a list of 1 to 20 lengths of time, such as [\"5s\", \"2m\"]")
        }
    }
}

/// In milliseconds, longest first.
const TIME_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A length of time as it is written in the configuration: `30s`, `500ms`, `2m`.
pub fn time_of(text: &str) -> Option<Duration> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(split)?;
    let (_, millis) = TIME_UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    let number: u64 = number.parse().ok()?;
    number.checked_mul(*millis).map(Duration::from_millis)
}

/// In the largest unit that it is whole in: `2m`.
pub(super) fn time_words(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let whole = TIME_UNITS.iter().find(|(_, unit)| millis >= *unit && millis.is_multiple_of(*unit));
    match whole {
        Some((name, unit)) => format!("{}{name}", millis.checked_div(*unit).unwrap_or(millis)),
        None => format!("{millis}ms"),
    }
}

/// Source networks; a bare address is a network of one.
pub(super) fn networks(raw: &Raw) -> Result<Vec<IpNet>, Bad> {
    const WANTED: &str = "a list of networks, such as [\"196.201.212.0/22\", \"192.0.2.7\"]";
    let list = match raw {
        Raw::List(list) if list.len() <= NETWORKS_MAX => list,
        Raw::List(_) | Raw::Text(_) | Raw::Integer(_) | Raw::Other(_) => return expected(WANTED),
    };
    let network = |one: &Raw| match one {
        Raw::Text(text) => text
            .parse::<IpNet>()
            .or_else(|_not_a_network| text.parse::<IpAddr>().map(IpNet::from))
            .or_else(|_not_an_address| expected(format!("{WANTED}; \"{text}\" is none"))),
        Raw::List(_) | Raw::Integer(_) | Raw::Other(_) => expected(WANTED),
    };
    list.iter().map(network).collect()
}

/// One of `words`.
pub(super) fn word(raw: &Raw, words: &[&'static str]) -> Result<&'static str, Bad> {
    let text = match raw {
        Raw::Text(text) => text.as_str(),
        Raw::Integer(_) | Raw::List(_) | Raw::Other(_) => "",
    };
    match words.iter().find(|word| **word == text) {
        Some(word) => Ok(word),
        None => {
            let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
            expected(quoted.join(" or "))
        }
    }
}

/// `level` or `part=level`, with commas between.
pub(super) fn log_level(raw: &Raw) -> Result<String, Bad> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-');
    let directive = |one: &str| match one.split_once('=') {
        Some((target, level)) => {
            !target.is_empty() && target.chars().all(part) && LEVELS.contains(&level)
        }
        None => LEVELS.contains(&one),
    };
    match raw {
        Raw::Text(text) if text.split(',').map(str::trim).all(directive) => {
            Ok(text.split(',').map(str::trim).collect::<Vec<_>>().join(","))
        }
        Raw::Text(_) | Raw::Integer(_) | Raw::List(_) | Raw::Other(_) => expected(
            "off, error, warn, info, debug or trace, or such as \"info,mlango::rail=debug\"",
        ),
    }
}

/// A file's path, looked for in `base` when it is relative.
pub(super) fn file(raw: &Raw, base: &Path) -> Result<PathBuf, Bad> {
    match raw {
        Raw::Text(path) if !path.is_empty() && !path.contains('\0') => Ok(base.join(path)),
        Raw::Text(_) | Raw::Integer(_) | Raw::List(_) | Raw::Other(_) => {
            expected("the path of a file")
        }
    }
}

/// Where the book is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// In a sled database in this directory.
    Sled(PathBuf),
    /// In memory: gone when the process ends.
    Memory,
}

/// Where the book is kept.
pub(super) fn store_url(raw: &Raw, base: &Path) -> Result<StoreUrl, Bad> {
    let text = match raw {
        Raw::Text(text) => text.as_str(),
        Raw::Integer(_) | Raw::List(_) | Raw::Other(_) => "",
    };
    match text.split_once(':') {
        Some(("sled", path)) if !path.is_empty() && !path.contains('\0') => {
            Ok(StoreUrl::Sled(base.join(path)))
        }
        Some(("memory", "")) => Ok(StoreUrl::Memory),
        Some(("postgres" | "postgresql", _)) => later("a PostgreSQL store"),
        Some(_) | None => expected("\"sled:DIRECTORY\" or \"memory:\""),
    }
}

/// `https://host`, perhaps with a port, where a peer is reached; `http://` too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin {
    /// Whether the connection is encrypted.
    pub https: bool,
    /// Name or address; an IPv6 address without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        let Self { host, port, .. } = self;
        if host.contains(':') {
            write!(f, "{scheme}://[{host}]:{port}")
        } else {
            write!(f, "{scheme}://{host}:{port}")
        }
    }
}

/// `https://host` or `http://host`, perhaps with a port, without a path.
pub(super) fn web_origin(raw: &Raw) -> Result<WebOrigin, Bad> {
    const WANTED: &str = "https://HOST, perhaps with a port, without a path";
    let text = text(raw)?;
    let Ok(uri) = text.parse::<http::Uri>() else {
        return expected(WANTED);
    };
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !text.contains('#');
    let user = uri.authority().is_some_and(|it| it.as_str().contains('@'));
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let https = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        Some(_) | None => return expected(WANTED),
    };
    if !bare || user || host.is_empty() {
        return expected(WANTED);
    }
    let port = uri.port_u16().unwrap_or(if https { 443 } else { 80 });
    Ok(WebOrigin { https, host, port })
}

/// A whole address of a program, which may have a path and a query.
pub(super) fn url(raw: &Raw) -> Result<String, Bad> {
    const WANTED: &str = "https://HOST/PATH, without a user name in it";
    let text = text(raw)?;
    let is_url = text.parse::<http::Uri>().is_ok_and(|uri| {
        let user = uri.authority().is_some_and(|it| it.as_str().contains('@'));
        let host = uri.host().is_some_and(|host| !host.is_empty());
        matches!(uri.scheme_str(), Some("http" | "https")) && host && !user
    });
    if is_url && !text.contains('#') { Ok(text) } else { expected(WANTED) }
}

/// What a text message says.
pub(super) fn template(raw: &Raw) -> Result<Template, Bad> {
    match raw {
        Raw::Text(text) => text.parse().or_else(|error: NotATemplate| says(error.to_string())),
        Raw::Integer(_) | Raw::List(_) | Raw::Other(_) => expected("the words of a text message"),
    }
}

/// An IP address.
pub(super) fn address(raw: &Raw) -> Result<IpAddr, Bad> {
    let found = text(raw).ok().and_then(|text| text.parse().ok());
    found.map_or_else(|| expected("an IP address, such as \"10.0.0.2\""), Ok)
}

/// A day, as its first moment in UTC.
pub(super) fn day(raw: &Raw) -> Result<Timestamp, Bad> {
    let found = text(raw).ok().map(|day| Timestamp::parse_rfc3339(&format!("{day}T00:00:00Z")));
    found.and_then(Result::ok).map_or_else(|| expected("a day, such as \"2026-11-01\""), Ok)
}

/// A list of texts, each of which is parsed.
pub(super) fn list<T>(raw: &Raw) -> Result<Vec<T>, Bad>
where
    T: std::str::FromStr,
    T::Err: fmt::Display,
{
    match raw {
        Raw::List(list) if list.len() <= LIST_MAX => list.iter().map(parsed).collect(),
        Raw::List(_) | Raw::Text(_) | Raw::Integer(_) | Raw::Other(_) => {
            expected(format!("a list of at most {LIST_MAX} texts, such as [\"A\", \"B\"]"))
        }
    }
}

/// How M-Pesa reaches the callbacks: no slash at the end.
pub(super) fn public_url(raw: &Raw) -> Result<String, Bad> {
    const WANTED: &str = "http://HOST or https://HOST, perhaps with a port and a path";
    let text = text(raw)?;
    let Ok(uri) = text.parse::<http::Uri>() else {
        return expected(WANTED);
    };
    let bare = uri.query().is_none() && !text.contains('#');
    let host = uri.host().is_some_and(|host| !host.is_empty());
    let user = uri.authority().is_some_and(|it| it.as_str().contains('@'));
    if !matches!(uri.scheme_str(), Some("http" | "https")) || !host || user || !bare {
        return expected(WANTED);
    }
    match filtered_word(uri.path()) {
        Some(word) => says(format!(
            "has \"{word}\" in its path, and M-Pesa refuses addresses with that in them"
        )),
        None => Ok(text.trim_end_matches('/').to_owned()),
    }
}

/// A word in `address` that M-Pesa filters out, in any case (spec/daraja.md §7).
pub fn filtered_word(address: &str) -> Option<&'static str> {
    let address = address.to_lowercase();
    let mut words = FILTERED_WORDS.iter().copied();
    words.find(|word| address.contains(word))
}
