//! What is fuzzed: the fuzzing programs and the smoke test on stable Rust run these functions.
//!
//! None may panic by itself; beyond that each asserts what must hold for any bytes.

use mlango::daraja::{self, Api, answer, c2b, error, oauth, pull, stk};
use mlango::domain::money::Amount;
use mlango::domain::outcome::AnswerClass;
use mlango::domain::party::Msisdn;
use mlango::soap::{ack, redact, request, response, result, show, timeout};

/// A function that must hold for any bytes.
pub type Target = fn(&[u8]);

/// Every target and the name of its corpus.
pub const TARGETS: [(&str, Target); 11] = [
    ("envelope_request", envelope_request),
    ("envelope_response", envelope_response),
    ("envelope_result", envelope_result),
    ("timeout", timeout),
    ("msisdn_amount", msisdn_amount),
    ("daraja_answer", daraja_answer),
    ("daraja_stk", daraja_stk),
    ("daraja_c2b", daraja_c2b),
    ("daraja_result", daraja_result),
    ("daraja_timeout", daraja_timeout),
    ("daraja_pull", daraja_pull),
];

/// The statuses that an answer is read with, besides 200.
const STATUSES: [u16; 6] = [400, 401, 403, 404, 500, 503];
/// The longest code and the longest words that an answer may be told by, in characters.
const WORDS_MAX: usize = 1_000;

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

/// An answer takes a request only with a good status, brings a picture only where one was asked
/// for, and is told in words of bounded length.
pub fn daraja_answer(bytes: &[u8]) {
    for status in [200, status_of(bytes)] {
        for api in Api::ALL {
            let told = answer::read(api, status, bytes);
            let class = told.facts.class();
            assert!(class != AnswerClass::Taken || status == 200, "taken with {status}");
            assert!(told.picture.is_none() || api == Api::Qr, "a picture of {api:?}");
            assert!(!told.facts.code.is_empty(), "an answer without a code");
            assert!(told.facts.code.chars().count() <= WORDS_MAX, "a code without end");
            assert!(told.facts.description.chars().count() <= WORDS_MAX, "words without end");
            let problem = error::read(api, status, bytes);
            assert!(problem.description.chars().count() <= WORDS_MAX, "words without end");
        }
        let query = answer::read_stk_query(status, bytes);
        assert!(query.result.is_none() || status == 200, "a prompt's end with {status}");
        let token = oauth::read(status, bytes);
        assert!(token.is_err() || status == 200, "a token with {status}");
    }
    masked(bytes);
}

/// A callback of a prompt says the same whenever it is read.
pub fn daraja_stk(bytes: &[u8]) {
    let read = stk::parse(bytes);
    assert_eq!(read, stk::parse(bytes));
    masked(bytes);
}

/// A notice says the same whenever it is read, and shows no phone.
pub fn daraja_c2b(bytes: &[u8]) {
    let read = c2b::parse(bytes);
    assert_eq!(read, c2b::parse(bytes));
    masked(bytes);
}

/// A result that can be read has a code, and says the same whenever it is read.
pub fn daraja_result(bytes: &[u8]) {
    if let Ok(message) = daraja::result::parse(bytes) {
        assert!(!message.facts.code.trim().is_empty(), "a result without a code");
        assert_eq!(daraja::result::parse(bytes).as_ref(), Ok(&message));
        let _class = message.facts.class();
        let inquired = message.of_inquiry();
        assert_eq!(inquired.code, message.facts.code);
    }
    masked(bytes);
}

/// A queue timeout says the same whenever it is read, and its names are no longer than ids are.
pub fn daraja_timeout(bytes: &[u8]) {
    if let Ok(told) = daraja::timeout::parse(bytes) {
        assert_eq!(daraja::timeout::parse(bytes).as_ref(), Ok(&told));
        for name in [&told.originator, &told.conversation].into_iter().flatten() {
            assert!(!name.is_empty() && name.len() <= WORDS_MAX, "a name without end");
        }
    }
    masked(bytes);
}

/// A page has no more payments than rows, and each that cannot be read is told once.
pub fn daraja_pull(bytes: &[u8]) {
    for status in [200, status_of(bytes)] {
        if let Ok(page) = pull::read(status, bytes, "600999") {
            assert_eq!(status, 200, "a page with {status}");
            assert!(page.payments.len() <= page.rows, "more payments than rows");
            assert!(page.payments.iter().all(|notice| notice.shortcode == "600999"));
            let mut told = page.unreadable.clone();
            told.sort_unstable();
            told.dedup();
            assert_eq!(told.len(), page.unreadable.len(), "the same is told twice");
        }
    }
    masked(bytes);
}

/// One of the statuses, another one for bytes of another length.
fn status_of(bytes: &[u8]) -> u16 {
    STATUSES.get(bytes.len().checked_rem(STATUSES.len()).unwrap_or(0)).copied().unwrap_or(200)
}

/// What is kept: masking it again changes nothing.
fn masked(bytes: &[u8]) {
    let once = daraja::redact::redact(bytes);
    assert_eq!(daraja::redact::redact(&once), once, "masking is not finished");
}
