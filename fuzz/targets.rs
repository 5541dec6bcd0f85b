//! What is fuzzed: the fuzzing programs and the smoke test on stable Rust run these functions.
//!
//! None may panic by itself; beyond that each asserts what must hold for any bytes.

use mlango::domain::money::Amount;
use mlango::domain::party::Msisdn;
use mlango::soap::{ack, redact, request, response, result, show, timeout};

/// A function that must hold for any bytes.
pub type Target = fn(&[u8]);

/// Every target and the name of its corpus.
pub const TARGETS: [(&str, Target); 5] = [
    ("envelope_request", envelope_request),
    ("envelope_response", envelope_response),
    ("envelope_result", envelope_result),
    ("timeout", timeout),
    ("msisdn_amount", msisdn_amount),
];

/// A request reads the same after its secrets were cut out, but for the secrets.
pub fn envelope_request(bytes: &[u8]) {
    let _shown = show::show(bytes);
    let Ok(incoming) = request::parse(bytes) else {
        return;
    };
    let shown = format!("{incoming:?} {:?}", incoming.document);
    // A secret of some length must not show; a short one may be part of any word.
    if let Some(secret) = incoming.security_credential.as_deref()
        && secret.len() > 200
        && !incoming.command.as_deref().is_some_and(|command| command.contains(secret))
    {
        assert!(!shown.contains(secret), "a credential is shown");
    }
    let _faults = incoming.faults();
}

/// An answer that can be read has a code.
pub fn envelope_response(bytes: &[u8]) {
    let _shown = show::show(bytes);
    let _kept = ack::is_kept(bytes);
    if let Ok(response) = response::parse(bytes) {
        assert!(!response.facts.code.trim().is_empty(), "an answer without a code");
        let _class = response.facts.class();
    }
}

/// A result that can be read has a code, and reading it again says the same.
pub fn envelope_result(bytes: &[u8]) {
    let _shown = show::show(bytes);
    if let Ok(message) = result::parse(bytes) {
        assert!(!message.facts.code.trim().is_empty(), "a result without a code");
        assert_eq!(result::parse(bytes).as_ref(), Ok(&message));
        let _class = message.facts.class();
    }
}

/// What is stored of a queue timeout holds no request, and cutting twice changes nothing.
pub fn timeout(bytes: &[u8]) {
    let stored = timeout::redact(bytes);
    assert_eq!(redact::redact(&stored), stored, "cutting is not finished");
    if let Ok(message) = timeout::parse(bytes) {
        let _origin = message.origin_request_redacted();
    }
    let _shown = show::show(bytes);
}

/// Phones and amounts that can be read are written so that they read the same.
pub fn msisdn_amount(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Ok(phone) = text.parse::<Msisdn>() {
        assert_eq!(phone.reveal().parse(), Ok(phone));
        assert!(!format!("{phone:?}{phone}").contains(&phone.reveal()), "a phone is shown");
    }
    if let Ok(amount) = text.parse::<Amount>() {
        assert_eq!(amount.to_string().parse(), Ok(amount));
    }
    if let Some(amount) = result::amount(text) {
        assert_eq!(result::amount(&amount.to_string()), Some(amount));
    }
    let (payee, _name) = result::split_party(text);
    assert!(payee.is_none_or(|phone| phone.reveal().len() == 12));
}
