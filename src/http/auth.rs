//! Who calls: API keys and their scopes.
//!
//! A key is 256 random bits, so its plain SHA-256 is kept and nothing else: there is nothing to
//! guess that a slower hash would protect. Keys are found by their hash; no comparison looks at a
//! key itself, so none takes longer for a better guess.

use std::collections::HashMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};

use super::problem::Problem;
use crate::domain::id::AppId;
use crate::domain::time::Timestamp;
use crate::store::{App, Scope, Store, StoreError};

/// What every key begins with, so that one that leaked is recognised.
pub const KEY_PREFIX: &str = "mk_";
/// Characters after the prefix: 256 bits at five bits each.
const KEY_LETTERS: usize = 52;
/// Crockford's base 32 in lower case.
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// The longest key that is looked at; ours have 55 characters.
const KEY_LEN_MAX: usize = 128;

/// The SHA-256 of a key.
pub type KeyHash = [u8; 32];

/// A key as it is handed out, once. `Debug` masks it.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainKey(String);

impl PlainKey {
    /// The key that these random bytes make.
    pub fn of(random: &[u8; 32]) -> Self {
        let mut text = String::with_capacity(KEY_PREFIX.len().saturating_add(KEY_LETTERS));
        text.push_str(KEY_PREFIX);
        let mut held: u32 = 0;
        let mut bits: u32 = 0;
        // Four zero bits at the end fill the last letter.
        for byte in random.iter().copied().chain([0]) {
            held = (held << 8) | u32::from(byte);
            bits = bits.saturating_add(8);
            while bits >= 5 && text.len() < KEY_PREFIX.len().saturating_add(KEY_LETTERS) {
                bits = bits.saturating_sub(5);
                let digit = usize::try_from((held >> bits) & 31).unwrap_or_default();
                text.push(char::from(LETTERS.get(digit).copied().unwrap_or(b'0')));
            }
            held &= 0xff;
        }
        Self(text)
    }

    /// The key itself: for the person who asked for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept of it.
    pub fn hash(&self) -> KeyHash {
        hash(&self.0)
    }
}

impl fmt::Debug for PlainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlainKey({KEY_PREFIX}***)")
    }
}

fn hash(key: &str) -> KeyHash {
    Sha256::digest(key.as_bytes()).into()
}

/// What a key may do: a set of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u8);

impl Scopes {
    /// These.
    pub fn of(scopes: &[Scope]) -> Self {
        Self(scopes.iter().fold(0, |set, scope| set | bit(*scope)))
    }

    /// Whether `scope` is among them. `read:all` holds the two scopes that read.
    pub const fn allow(self, scope: Scope) -> bool {
        let wanted = match scope {
            Scope::PayoutsRead | Scope::PaymentsRead => bit(scope) | bit(Scope::ReadAll),
            Scope::PayoutsWrite | Scope::PaymentsWrite | Scope::ReadAll | Scope::Admin => {
                bit(scope)
            }
        };
        self.0 & wanted != 0
    }
}

const fn bit(scope: Scope) -> u8 {
    match scope {
        Scope::PayoutsWrite => 1,
        Scope::PayoutsRead => 2,
        Scope::PaymentsWrite => 4,
        Scope::PaymentsRead => 8,
        Scope::ReadAll => 16,
        Scope::Admin => 32,
    }
}

/// Whoever sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// Which application.
    pub app: AppId,
    /// What it may do.
    pub scopes: Scopes,
}

impl Caller {
    /// Whether it may see what belongs to `app`.
    pub fn sees(&self, app: AppId) -> bool {
        self.app == app || self.scopes.allow(Scope::ReadAll)
    }

    /// Whether it may see a payment of `app`; one that is nobody's is for all who see payments.
    pub fn sees_payment_of(&self, app: Option<AppId>) -> bool {
        self.scopes.allow(Scope::PaymentsRead) && app.is_none_or(|app| self.sees(app))
    }

    /// Whether it looks after everybody's payouts: it sees every case and every wire message, also
    /// what belongs to no payout.
    pub const fn oversees(&self) -> bool {
        self.scopes.allow(Scope::ReadAll) || self.scopes.allow(Scope::Admin)
    }

    /// Whose things it sees: `None` for everybody's.
    pub fn sight(&self) -> Option<AppId> {
        (!self.scopes.allow(Scope::ReadAll)).then_some(self.app)
    }
}

#[derive(Clone, Copy)]
struct Entry {
    caller: Caller,
    ends_at: Option<Timestamp>,
}

/// Every key that opens something, in memory: read at the start, changed by what is done to
/// applications since.
#[derive(Default)]
pub struct Apps(RwLock<HashMap<KeyHash, Entry>>);

impl fmt::Debug for Apps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner).len();
        write!(f, "Apps({keys} keys)")
    }
}

impl Apps {
    /// Reads them all.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn load(store: &dyn Store) -> Result<Self, StoreError> {
        let apps = Self::default();
        for app in store.apps().await? {
            apps.put(&app);
        }
        Ok(apps)
    }

    /// Takes account of an application that is new or has changed.
    pub fn put(&self, app: &App) {
        let caller = Caller { app: app.id, scopes: Scopes::of(&app.scopes) };
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_hash, entry| entry.caller.app != app.id);
        if app.revoked_at.is_none() {
            held.extend(app.keys.iter().map(|key| {
                let ends_at = key.ends_at;
                (key.hash, Entry { caller, ends_at })
            }));
        }
    }

    /// Whose key this is, if it is good at `now`.
    pub fn caller(&self, key: &str, now: Timestamp) -> Option<Caller> {
        if key.len() > KEY_LEN_MAX {
            return None;
        }
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let entry = held.get(&hash(key))?;
        entry.ends_at.is_none_or(|end| now < end).then_some(entry.caller)
    }

    /// Whoever sent a request with these headers, if it may do what needs one of `scopes`.
    ///
    /// # Errors
    /// 401 without a good key, 403 when it lacks the scope.
    pub fn admit(
        &self,
        headers: &HeaderMap,
        scopes: &[Scope],
        now: Timestamp,
    ) -> Result<Caller, Problem> {
        let key = key_in(headers).ok_or_else(Problem::key_missing)?;
        let caller = self.caller(key, now).ok_or_else(Problem::key_invalid)?;
        let may = scopes.iter().any(|scope| caller.scopes.allow(*scope));
        if may { Ok(caller) } else { Err(Problem::scope_missing(scopes)) }
    }
}

/// The key in `X-API-Key`, else in `Authorization: Bearer`.
fn key_in(headers: &HeaderMap) -> Option<&str> {
    let plain = headers.get("x-api-key");
    if let Some(value) = plain {
        return value.to_str().ok().map(str::trim);
    }
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::AppKey;

    const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);

    fn app(scopes: &[Scope], keys: Vec<AppKey>) -> App {
        App {
            id: AppId::first_at(NOW),
            name: "finance".to_owned(),
            scopes: scopes.to_vec(),
            keys,
            created_at: NOW,
            revoked_at: None,
        }
    }

    fn key(seed: u8, ends_at: Option<Timestamp>) -> (PlainKey, AppKey) {
        let plain = PlainKey::of(&[seed; 32]);
        let kept = AppKey { hash: plain.hash(), created_at: NOW, ends_at };
        (plain, kept)
    }

    #[test]
    fn keys_have_all_their_bits_and_do_not_show_themselves() {
        let zero = PlainKey::of(&[0; 32]);
        assert_eq!(zero.reveal(), format!("mk_{}", "0".repeat(52)));
        let full = PlainKey::of(&[0xff; 32]);
        assert_eq!(full.reveal(), format!("mk_{}g", "z".repeat(51)));
        let mut last = [0; 32];
        last[31] = 1;
        assert_ne!(PlainKey::of(&last), zero);
        assert!(!format!("{full:?}").contains("zz"));
    }

    #[test]
    fn a_key_is_good_until_its_end_or_until_its_app_is_revoked() {
        let (old, old_kept) = key(1, Some(NOW));
        let (new, new_kept) = key(2, None);
        let (later, later_kept) = key(3, Some(Timestamp::from_millis(NOW.millis() + 1)));
        let mut app = app(&[Scope::PayoutsRead], vec![old_kept, new_kept, later_kept]);
        let apps = Apps::default();
        apps.put(&app);
        assert_eq!(apps.caller(old.reveal(), NOW), None);
        assert!(apps.caller(new.reveal(), NOW).is_some());
        assert!(apps.caller(later.reveal(), NOW).is_some());
        assert_eq!(apps.caller("mk_0", NOW), None);
        assert_eq!(apps.caller(&"m".repeat(KEY_LEN_MAX + 1), NOW), None);
        app.revoked_at = Some(NOW);
        apps.put(&app);
        assert_eq!(apps.caller(new.reveal(), NOW), None);
    }

    #[test]
    fn reading_everything_includes_reading_ones_own() {
        let all = Scopes::of(&[Scope::ReadAll]);
        let table = [
            (Scope::PayoutsRead, true),
            (Scope::PaymentsRead, true),
            (Scope::ReadAll, true),
            (Scope::PayoutsWrite, false),
            (Scope::PaymentsWrite, false),
            (Scope::Admin, false),
        ];
        for (scope, may) in table {
            assert_eq!(all.allow(scope), may, "{}", scope.as_str());
        }
        let admin = Scopes::of(&[Scope::Admin]);
        assert!(Scope::ALL.iter().all(|scope| admin.allow(*scope) == (*scope == Scope::Admin)));
    }
}
