//! Tokens: given out, checked, and refused in the spelling of each API (spec/daraja.md §1.1, §4).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::faults::Fault;
use super::refusal::Refusal;
use super::{Api, Call, good, said};
use crate::domain::time::Timestamp;
use crate::sim::Sim;
use crate::sim::book::mix;
use crate::sim::reply::Reply;

/// How many tokens are known at once; the oldest makes room.
const TOKENS_MAX: usize = 1_000;
/// What tokens are written in.
const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// How long a token is (spec/daraja.md §1.1).
const LENGTH: usize = 28;

/// How one cause is spelt: a token that is expired or unknown (spec/daraja.md §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spelling {
    /// `404.001.03`: STK and reversals, among others.
    NotFound,
    /// `401.002.01`, which repeats the token: B2C and balances.
    Echo,
    /// `400.003.01`: C2B and status.
    BadRequest,
    /// `401.001`: pulling.
    Pull,
    /// `401.003.01`, a variant.
    Variant,
    /// As the API spells it that was called.
    Usual,
}

impl Spelling {
    pub(super) const fn of(api: Api) -> Self {
        match api {
            Api::B2c | Api::Balance => Self::Echo,
            Api::C2bRegister | Api::C2bSimulate | Api::Status => Self::BadRequest,
            Api::PullRegister | Api::Pull => Self::Pull,
            Api::Stk
            | Api::StkQuery
            | Api::Reversal
            | Api::B2b
            | Api::Tax
            | Api::Qr
            | Api::OAuth
            | Api::C2b
            | Api::Sms => Self::NotFound,
        }
    }

    pub(super) fn refusal(self, token: &str) -> Refusal {
        let says = "Invalid Access Token";
        match self {
            Self::NotFound | Self::Usual => Refusal::new(404, "404.001.03", says),
            Self::Echo => {
                Refusal::new(401, "401.002.01", format!("Error Occurred - {says} - {token}"))
            }
            Self::BadRequest => Refusal::new(400, "400.003.01", says),
            Self::Pull => Refusal::new(401, "401.001", says),
            Self::Variant => Refusal::new(401, "401.003.01", says),
        }
    }
}

/// The tokens that are good.
pub(super) struct Tokens {
    seed: u64,
    life: Duration,
    made: u64,
    /// By number, so that the oldest is the first.
    known: BTreeMap<u64, (String, Timestamp)>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("known", &self.known.len()).finish_non_exhaustive()
    }
}

impl Tokens {
    pub(super) const fn new(seed: u64, life: Duration) -> Self {
        Self { seed, life, made: 0, known: BTreeMap::new() }
    }

    fn issue(&mut self, now: Timestamp, life: Duration) -> String {
        self.made = self.made.saturating_add(1);
        let mut number = mix(mix(self.seed ^ 0x70c3).wrapping_add(self.made));
        let mut token = String::with_capacity(LENGTH);
        for _ in 0..LENGTH {
            let place = usize::try_from(number.checked_rem(62).unwrap_or_default());
            let letter = place.ok().and_then(|place| LETTERS.get(place));
            token.push(letter.map_or('0', |byte| char::from(*byte)));
            number = mix(number);
        }
        self.known.insert(self.made, (token.clone(), now.after(life)));
        while self.known.len() > TOKENS_MAX {
            self.known.pop_first();
        }
        token
    }

    fn is_good(&mut self, token: &str, now: Timestamp) -> bool {
        self.known.retain(|_, (_, until)| now < *until);
        self.known.values().any(|(known, _)| known == token)
    }

    /// From now on it is not good.
    pub(super) fn revoke(&mut self, token: &str) {
        self.known.retain(|_, (known, _)| known != token);
    }
}

/// `GET /oauth/v1/generate`.
pub(super) fn generate(sim: &Sim, call: &Call, faults: &[Fault]) -> Result<Reply, Refusal> {
    if call.method != Method::GET {
        return Err(Refusal::new(405, "405.001", "Method Not Allowed"));
    }
    let query = call.uri.query().unwrap_or_default();
    if !query.split('&').any(|pair| pair == "grant_type=client_credentials") {
        return Err(Refusal::new(400, "400.008.02", "Invalid grant type passed"));
    }
    let text = call.authorization.as_deref().unwrap_or_default();
    let Some(("Basic", encoded)) = text.split_once(' ') else {
        return Err(Refusal::new(400, "400.008.01", "Invalid Authentication passed"));
    };
    let settings = &sim.settings().daraja;
    let expected = format!("{}:{}", settings.consumer_key, settings.consumer_secret);
    if STANDARD.decode(encoded.trim()).ok().as_deref() != Some(expected.as_bytes()) {
        let mut empty = said(StatusCode::BAD_REQUEST, &Value::Null);
        empty.message = Vec::new();
        return Ok(empty);
    }
    let lives = faults
        .iter()
        .find_map(|fault| if let Fault::TokenLife(life) = fault { Some(*life) } else { None });
    let mut tokens = sim.daraja.tokens();
    let life = lives.unwrap_or(tokens.life);
    let token = tokens.issue(call.at, life);
    let expires_in = if faults.contains(&Fault::ExpiresInNumber) {
        json!(life.as_secs())
    } else {
        json!(life.as_secs().to_string())
    };
    Ok(good(&json!({"access_token": token, "expires_in": expires_in})))
}

/// Whether whoever calls may.
pub(super) fn admit(sim: &Sim, call: &Call) -> Result<(), Refusal> {
    let token = call.bearer();
    if token.is_empty() {
        return Err(Refusal::new(404, "404.001.04", "Invalid Authentication Header"));
    }
    let spelling = Spelling::of(call.route.api);
    if !sim.daraja.tokens().is_good(token, call.at) {
        return Err(spelling.refusal(token));
    }
    if sim.chooser.is_token_refused("token") {
        sim.daraja.tokens().revoke(token);
        return Err(spelling.refusal(token));
    }
    Ok(())
}
