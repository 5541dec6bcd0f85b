//! What is done to applications: made, listed, given a new key, revoked.
//!
//! Plain functions on a store, so that the command line does the same with and without a running
//! gateway. They are not safe against each other: whoever calls them does so one at a time.

use std::time::Duration;

use super::auth::PlainKey;
use crate::clock::Clock;
use crate::domain::id::{AppId, EventId};
use crate::domain::time::Timestamp;
use crate::engine::audit::{Act, Actor, Deed};
use crate::engine::port::Ids;
use crate::store::{APPS_MAX, App, AppKey, Commit, CommitError, Scope, Store, StoreError};

/// The longest name, in characters.
pub const NAME_LEN_MAX: usize = 64;
/// How long a key stays good after a new one was made, unless something else is asked for.
pub const GRACE: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest that a key may stay good after a new one was made.
pub const GRACE_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The most keys of one application that are good at once: the current one and those in their
/// grace time.
pub const KEYS_MAX: usize = 5;
/// What an application may do when nothing else is asked for.
pub const SCOPES_DEFAULT: [Scope; 2] = [Scope::PayoutsWrite, Scope::PayoutsRead];

/// Fills bytes with randomness fit for keys: `ids::random`, or a test's.
pub type Random = fn(&mut [u8]) -> Result<(), String>;

/// What these functions work with.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// Where applications are kept.
    pub store: &'a dyn Store,
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// Where ids come from.
    pub ids: &'a dyn Ids,
    /// Where keys come from.
    pub random: Random,
    /// Whose acts are recorded.
    pub actor: &'a Actor,
}

impl std::fmt::Debug for Desk<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

/// Why an application was not made or changed. In each case but `Store`, nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum NotDone {
    /// The name will not do.
    #[error("a name has 1 to {NAME_LEN_MAX} characters, none of them a control character")]
    Name,
    /// Another one has this name.
    #[error("another application is called \"{0}\"; revoke it, or choose another name")]
    NameTaken(String),
    /// There are too many.
    #[error("there are {APPS_MAX} applications, which is the most")]
    TooMany,
    /// None has this id.
    #[error("no application has the id {0}")]
    NoSuchApp(AppId),
    /// It was revoked: that is for ever.
    #[error("the application {0} is revoked; make a new one")]
    Revoked(AppId),
    /// Too many keys are in their grace time.
    #[error(
        "{KEYS_MAX} keys of this application are good already; wait until one ends, or rotate with \
         a grace time of 0, which ends them all"
    )]
    TooManyKeys,
    /// The grace time is too long.
    #[error("an old key may stay good for at most 30 days")]
    Grace,
    /// There was no randomness to make a key of.
    #[error("no key could be made: {0}")]
    Random(String),
    /// The store could not be read.
    #[error(transparent)]
    Read(#[from] StoreError),
    /// The store could not be written.
    #[error("not written: {0}")]
    Write(#[from] CommitError),
}

impl Desk<'_> {
    /// Makes an application and its first key. The key is nowhere but in the answer.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn create(&self, name: &str, scopes: &[Scope]) -> Result<(App, PlainKey), NotDone> {
        let name = name.trim();
        let fits = (1..=NAME_LEN_MAX).contains(&name.chars().count());
        if !fits || name.chars().any(char::is_control) {
            return Err(NotDone::Name);
        }
        let apps = self.store.apps().await?;
        if apps.len() >= APPS_MAX {
            return Err(NotDone::TooMany);
        }
        let live = |app: &&App| app.revoked_at.is_none();
        if apps.iter().filter(live).any(|app| app.name == name) {
            return Err(NotDone::NameTaken(name.to_owned()));
        }
        let now = self.clock.now();
        let key = self.new_key()?;
        let mut scopes = match scopes {
            [] => SCOPES_DEFAULT.to_vec(),
            asked => asked.to_vec(),
        };
        scopes.sort_unstable();
        scopes.dedup();
        let app = App {
            id: AppId::from_bytes(self.ids.fresh(now)),
            name: name.to_owned(),
            scopes,
            keys: vec![AppKey { hash: key.hash(), created_at: now, ends_at: None }],
            created_at: now,
            revoked_at: None,
        };
        self.keep(&app, Deed::AppCreated, "none".to_owned(), now).await?;
        Ok((app, key))
    }

    /// Every application, oldest first.
    ///
    /// # Errors
    /// The store could not be read.
    pub async fn list(&self) -> Result<Vec<App>, NotDone> {
        let mut apps = self.store.apps().await?;
        apps.sort_by_key(|app| app.id);
        Ok(apps)
    }

    /// Gives an application a new key. Its other keys stay good for `grace`, or shorter if their
    /// end was set already; with zero they end at once.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn rotate(&self, id: AppId, grace: Duration) -> Result<(App, PlainKey), NotDone> {
        if grace > GRACE_MAX {
            return Err(NotDone::Grace);
        }
        let mut app = self.live(id).await?;
        let now = self.clock.now();
        let before = state(&app);
        let end = now.after(grace);
        for key in &mut app.keys {
            key.ends_at = Some(key.ends_at.map_or(end, |set| set.min(end)));
        }
        app.keys.retain(|key| key.ends_at.is_none_or(|end| now < end));
        if app.keys.len() >= KEYS_MAX {
            return Err(NotDone::TooManyKeys);
        }
        let key = self.new_key()?;
        app.keys.push(AppKey { hash: key.hash(), created_at: now, ends_at: None });
        self.keep(&app, Deed::AppRotated, before, now).await?;
        Ok((app, key))
    }

    /// Ends all of an application's keys, for ever. What it submitted stays.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn revoke(&self, id: AppId) -> Result<App, NotDone> {
        let mut app = self.live(id).await?;
        let (before, now) = (state(&app), self.clock.now());
        app.revoked_at = Some(now);
        app.keys.clear();
        self.keep(&app, Deed::AppRevoked, before, now).await?;
        Ok(app)
    }

    async fn live(&self, id: AppId) -> Result<App, NotDone> {
        let apps = self.store.apps().await?;
        match apps.into_iter().find(|app| app.id == id) {
            Some(app) if app.revoked_at.is_none() => Ok(app),
            Some(_) => Err(NotDone::Revoked(id)),
            None => Err(NotDone::NoSuchApp(id)),
        }
    }

    fn new_key(&self) -> Result<PlainKey, NotDone> {
        let mut bytes = [0; 32];
        (self.random)(&mut bytes).map_err(NotDone::Random)?;
        Ok(PlainKey::of(&bytes))
    }

    /// Writes an application, and in the same commit who did what to it.
    async fn keep(
        &self,
        app: &App,
        deed: Deed,
        before: String,
        at: Timestamp,
    ) -> Result<(), NotDone> {
        let what = format!("application {} {:?}", app.id, app.name);
        let act = Act { deed, what, before, after: state(app) };
        let event = act.event(self.actor, EventId::from_bytes(self.ids.fresh(at)), at);
        let commit = Commit { apps: vec![app.clone()], events: vec![event], ..Commit::default() };
        self.store.commit(commit).await.map(drop)?;
        act.done(self.actor);
        Ok(())
    }
}

/// How an application stands, in a few words, without its keys.
fn state(app: &App) -> String {
    if app.revoked_at.is_some() {
        return "revoked".to_owned();
    }
    let scopes: Vec<&str> = app.scopes.iter().map(|scope| scope.as_str()).collect();
    let ends = app.keys.iter().filter_map(|key| key.ends_at).max();
    let ends = ends.map_or_else(String::new, |end| format!(", an older one until {end}"));
    format!("may {}, with {} keys{ends}", scopes.join(" "), app.keys.len())
}
