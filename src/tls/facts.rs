//! What a certificate is: whose, from whom, until when, with which key.

use std::fmt;
use std::str::FromStr;

use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::Id;
use openssl::x509::{X509, X509NameRef, X509Ref};

use crate::credential::moment;
use crate::domain::time::Timestamp;

/// The longest name of a subject that is kept, in characters.
const SUBJECT_LEN_MAX: usize = 300;
/// The most names of a certificate that are kept.
const NAMES_MAX: usize = 20;
/// RSA keys of fewer bits are weak, and the strong library does not take them
/// (spec/soap.md §1.5).
pub const RSA_BITS_MIN: u32 = 2048;
/// Keys on elliptic curves of fewer bits are weak.
const EC_BITS_MIN: u32 = 224;
const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1_000;

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Whose it is, such as `CN=broker.example.org, O=Example`.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Its subject's common name.
    pub common_name: Option<String>,
    /// The hosts that it is for: names and addresses of `subjectAltName`.
    pub names: Vec<String>,
    /// From when on it is good.
    pub from: Option<Timestamp>,
    /// Until when it is good.
    pub until: Option<Timestamp>,
    /// Which kind of key it has, such as `RSA`.
    pub key: &'static str,
    /// How many bits its key has.
    pub key_bits: u32,
    /// What signed it, such as `sha256WithRSAEncryption`.
    pub signature: String,
    /// Its SHA-256.
    pub fingerprint: Fingerprint,
}

impl Facts {
    /// What `certificate` says.
    pub fn of(certificate: &X509Ref) -> Self {
        let key = certificate.public_key().ok();
        let kind = key.as_ref().map_or("unknown", |key| kind_of(key.id()));
        let signature = certificate.signature_algorithm().object().nid();
        Self {
            subject: name(certificate.subject_name()),
            issuer: name(certificate.issuer_name()),
            common_name: common_name(certificate.subject_name()),
            names: names(certificate),
            from: moment(certificate.not_before()),
            until: moment(certificate.not_after()),
            key: kind,
            key_bits: key.map_or(0, |key| key.bits()),
            signature: signature.long_name().unwrap_or("unknown").to_owned(),
            fingerprint: Fingerprint::of(certificate),
        }
    }

    /// What a certificate in DER says; `None` if it is none.
    pub fn of_der(der: &[u8]) -> Option<Self> {
        X509::from_der(der).ok().map(|certificate| Self::of(&certificate))
    }

    /// Whole days until it is good no more; below zero once it is not.
    pub fn days_left(&self, now: Timestamp) -> Option<i64> {
        let left = self.until?.millis().checked_sub(now.millis())?;
        Some(left.div_euclid(MILLIS_PER_DAY))
    }

    /// Whether it is good at `now`, as far as its dates go.
    pub fn is_good_at(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_some_and(|until| now <= until)
    }

    /// What is weak about it, in words; empty if nothing is.
    pub fn weak(&self) -> Vec<String> {
        let least = if self.key == "RSA" { RSA_BITS_MIN } else { EC_BITS_MIN };
        let mut weak = Vec::new();
        if self.key_bits < least {
            weak.push(format!("its {} key has {} bits only", self.key, self.key_bits));
        }
        let signature = self.signature.to_lowercase();
        if signature.contains("sha1") || signature.contains("md5") {
            weak.push(format!("it is signed with {}", self.signature));
        }
        weak
    }

    /// Whether one of `wanted` is its common name, one of its names, or its whole subject.
    pub fn is_one_of(&self, wanted: &[String]) -> bool {
        let known = self.common_name.iter().chain(&self.names).chain([&self.subject]);
        known.into_iter().any(|name| wanted.iter().any(|it| it.eq_ignore_ascii_case(name)))
    }
}

const fn kind_of(id: Id) -> &'static str {
    match id {
        Id::RSA | Id::RSA_PSS => "RSA",
        Id::EC => "EC",
        Id::ED25519 => "Ed25519",
        Id::ED448 => "Ed448",
        Id::DSA => "DSA",
        _ => "unknown",
    }
}

/// `CN=…, O=…`, the most particular part first.
fn name(name: &X509NameRef) -> String {
    let parts: Vec<String> = name
        .entries()
        .filter_map(|entry| {
            let short = entry.object().nid().short_name().unwrap_or("?");
            Some(format!("{short}={}", printable(&entry.data().to_string().ok()?)))
        })
        .collect();
    let whole = parts.into_iter().rev().collect::<Vec<_>>().join(", ");
    whole.chars().take(SUBJECT_LEN_MAX).collect()
}

fn common_name(name: &X509NameRef) -> Option<String> {
    let entry = name.entries_by_nid(Nid::COMMONNAME).last()?;
    entry.data().to_string().ok().map(|text| printable(&text))
}

fn names(certificate: &X509Ref) -> Vec<String> {
    let stack = certificate.subject_alt_names();
    let all = stack.iter().flatten().filter_map(|name| {
        let address = || match name.ipaddress()? {
            &[a, b, c, d] => Some(std::net::Ipv4Addr::new(a, b, c, d).to_string()),
            long => Some(std::net::Ipv6Addr::from(<[u8; 16]>::try_from(long).ok()?).to_string()),
        };
        name.dnsname().map(printable).or_else(address)
    });
    all.take(NAMES_MAX).collect()
}

/// Without what could confuse a terminal or a log.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// The SHA-256 of a certificate, as `openssl x509 -fingerprint -sha256` prints it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// That of `certificate`.
    pub fn of(certificate: &X509Ref) -> Self {
        let digest = certificate.digest(MessageDigest::sha256());
        let bytes = digest.ok().and_then(|digest| <[u8; 32]>::try_from(digest.as_ref()).ok());
        Self(bytes.unwrap_or_default())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, byte) in self.0.iter().enumerate() {
            let between = if nth == 0 { "" } else { ":" };
            write!(f, "{between}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// A text that is no fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")]
pub struct NotAFingerprint;

impl FromStr for Fingerprint {
    type Err = NotAFingerprint;

    fn from_str(text: &str) -> Result<Self, NotAFingerprint> {
        let text = text.trim();
        let text = text.strip_prefix("sha256:").unwrap_or(text);
        let digits: Vec<u8> = text
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()
            .ok_or(NotAFingerprint)?;
        let pairs = digits.chunks_exact(2);
        if !pairs.remainder().is_empty() {
            return Err(NotAFingerprint);
        }
        let bytes: Vec<u8> =
            pairs.map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit)).collect();
        <[u8; 32]>::try_from(bytes).map(Self).map_err(|_other_length| NotAFingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_printed_by_others() {
        let plain = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
        let print: Fingerprint = plain.parse().expect("digits");
        let shown = print.to_string();
        assert!(shown.starts_with("00:11:22:33"), "{shown}");
        assert_eq!(shown.parse(), Ok(print));
        assert_eq!(format!("sha256:{plain}").parse(), Ok(print));
        let short = plain.strip_prefix('0').expect("it begins so");
        for wrong in ["", "00", "zz", short, &format!("{plain}0"), &format!("{plain}00")] {
            assert_eq!(wrong.parse::<Fingerprint>(), Err(NotAFingerprint), "{wrong}");
        }
    }
}
