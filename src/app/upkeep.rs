//! What goes on beside the work: secrets and certificates are read again when their files change,
//! and somebody looks at when they end.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::ways::Ways;
use super::{NotStarted, audit};
use crate::clock::Clock;
use crate::config::{Faults, Loaded, Serve};
use crate::domain::time::Timestamp;
use crate::engine::Engine;
use crate::http::callback::Tokens;
use crate::http::notes::Notes;
use crate::http::server::Server;
use crate::telemetry::metric;
use crate::tls::{Acceptor, Facts};

/// How often files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// M-Pesa takes an initiator's password for so many days (spec/daraja.md §5).
const PASSWORD_DAYS: i64 = 90;
/// So many days before its end, something is worth a word.
const DAYS_AHEAD: i64 = 21;
const MILLIS_PER_DAY: i64 = 24 * 60 * 60 * 1_000;

/// How the configuration is read again.
pub struct Again {
    /// Reads it.
    pub read: Box<dyn Fn() -> Result<Loaded<Serve>, Faults> + Send + Sync>,
}

impl fmt::Debug for Again {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Again")
    }
}

/// What may be exchanged while the gateway runs.
pub(super) struct Upkeep {
    pub ways: Ways,
    pub tokens: Arc<Tokens>,
    /// The listeners' encryption, by section.
    pub doors: Vec<(&'static str, Acceptor)>,
    pub engine: Arc<Engine>,
    pub clock: Arc<dyn Clock>,
    pub notes: Arc<Notes>,
}

impl Upkeep {
    /// A listener, encrypted if its section says so.
    pub fn encrypt(&self, server: Server, section: &'static str) -> Server {
        match self.doors.iter().find(|(name, _door)| *name == section) {
            Some((name, door)) => server.encrypted(door.clone(), name),
            None => server,
        }
    }

    /// Goes on until it is told to stop. Without `again` nothing is read again.
    pub async fn run(self, mut config: Serve, again: Option<Again>, stop: CancellationToken) {
        let Ok(mut asked) = signal(SignalKind::hangup()) else {
            tracing::warn!("SIGHUP cannot be heard; changed files are found within seconds");
            return;
        };
        let mut known = again.as_ref().map(|again| files(&again.read)).unwrap_or_default();
        let mut looked_at = self.clock.now();
        loop {
            let by_hand = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                heard = asked.recv() => heard.is_some(),
                () = sleep(LOOK_EVERY) => false,
            };
            if let Some(again) = &again {
                let found = stamps(known.keys().cloned());
                if by_hand || found != known {
                    let changed: Vec<PathBuf> = differing(&known, &found);
                    known = found;
                    match self.renew(again, &config) {
                        Ok(loaded) => {
                            let changed = changed.iter().map(PathBuf::as_path);
                            audit::reloaded(&self.engine, by_hand, changed).await;
                            known = stamps(loaded.files.into_iter());
                            config = loaded.config;
                            self.look(&config);
                        }
                        Err(why) => {
                            metric::RELOADS.with(["refused"]).increment();
                            tracing::error!(
                                why,
                                "files changed, and what they say will not do: the gateway goes on \
                                 with what it had"
                            );
                        }
                    }
                }
            }
            if self.clock.now().since(looked_at) > Duration::from_secs(600) {
                looked_at = self.clock.now();
                self.look(&config);
            }
        }
    }

    /// Reads everything first, and exchanges it then. What the gateway calls may be exchanged, but
    /// its clock may not, so that what is read must be of the same mode.
    fn renew(&self, again: &Again, running: &Serve) -> Result<Loaded<Serve>, String> {
        let loaded = (again.read)().map_err(|faults| faults.to_string())?;
        let config = &loaded.config;
        let says = |error: NotStarted| error.to_string();
        if config.test != running.test {
            return Err(says(NotStarted::OtherClock));
        }
        let doors = self.doors.iter().map(|(section, door)| {
            door.read_again().map_err(|error| format!("{section}: {error}"))
        });
        let doors = doors.collect::<Result<Vec<_>, _>>()?;
        let put_ways_in_use = self.ways.read_again(config, self.clock.now()).map_err(says)?;
        doors.into_iter().for_each(|put_in_use| put_in_use());
        put_ways_in_use();
        self.tokens.add(config.callbacks.token.reveal());
        self.engine.credentials_changed();
        metric::RELOADS.with(["done"]).increment();
        tracing::info!(
            "files changed: passwords, keys, tokens and certificates were read again and are in \
             use; any other setting is in use after a restart"
        );
        Ok(loaded)
    }

    /// When things end: into the metrics, and into words for `/readyz`.
    pub fn look(&self, config: &Serve) {
        let now = self.clock.now();
        let mut notes = Vec::new();
        for (name, facts) in self.certificates(config) {
            let Some(days) = facts.days_left(now) else {
                continue;
            };
            metric::CERTIFICATE_DAYS.with([name]).set(u64::try_from(days).unwrap_or(0));
            notes.extend(ending(&format!("the certificate of {name}"), days));
        }
        if let Some(days) = password_days(config.organisation.operator.password_set_on, now) {
            metric::PASSWORD_DAYS.with([]).set(u64::try_from(days).unwrap_or(0));
            notes.extend(ending("the initiator's password", days));
        }
        for note in &notes {
            tracing::warn!("{note}");
        }
        self.notes.set(notes);
    }

    fn certificates(&self, config: &Serve) -> Vec<(&'static str, Facts)> {
        let mut all: Vec<(&'static str, Facts)> = Vec::new();
        for (section, client) in &self.ways.encryption {
            if *section == "broker" {
                let own = client.own().into_iter().take(1);
                all.extend(own.map(|facts| ("broker.client_certificate", facts)));
                all.extend(soonest(client.authorities()).map(|facts| ("broker.ca", facts)));
            }
        }
        for (section, door) in &self.doors {
            let (own, authorities) = match *section {
                "api" => ("api.tls_certificate", "api.client_ca"),
                _ => ("callbacks.tls_certificate", "callbacks.client_ca"),
            };
            all.extend(door.own().into_iter().take(1).map(|facts| (own, facts)));
            all.extend(soonest(door.authorities()).map(|facts| (authorities, facts)));
        }
        let path = &config.organisation.credential_certificate;
        let credential = crate::tls::read::certificates(path).unwrap_or_default();
        let credential = credential.first().map(|it| Facts::of(it));
        all.extend(credential.map(|facts| ("organisation.credential_certificate", facts)));
        all
    }
}

/// Of several, the one that ends first.
fn soonest(all: Vec<Facts>) -> Option<Facts> {
    all.into_iter().min_by_key(|facts| facts.until)
}

/// Whole days that M-Pesa still takes the initiator's password; `None` if nobody knows when it was
/// set.
pub(crate) fn password_days(set_on: Option<Timestamp>, now: Timestamp) -> Option<i64> {
    let gone = now.millis().checked_sub(set_on?.millis())?.div_euclid(MILLIS_PER_DAY);
    PASSWORD_DAYS.checked_sub(gone)
}

fn ending(what: &str, days: i64) -> Option<String> {
    match days {
        ..0 => Some(format!("{what} has expired")),
        0..=DAYS_AHEAD => Some(format!("{what} expires in {days} days: renew it")),
        _ => None,
    }
}

fn files(read: &dyn Fn() -> Result<Loaded<Serve>, Faults>) -> BTreeMap<PathBuf, Stamp> {
    read().map(|loaded| stamps(loaded.files.into_iter())).unwrap_or_default()
}

/// By what a changed file is known: which it is, when it was written, and how long it is.
type Stamp = Option<(u64, i64, i64, u64)>;

/// The files that are not as they were.
fn differing(known: &BTreeMap<PathBuf, Stamp>, found: &BTreeMap<PathBuf, Stamp>) -> Vec<PathBuf> {
    let changed = |(path, stamp): &(&PathBuf, &Stamp)| known.get(*path) != Some(*stamp);
    found.iter().filter(changed).map(|(path, _stamp)| path.clone()).collect()
}

fn stamps(paths: impl Iterator<Item = PathBuf>) -> BTreeMap<PathBuf, Stamp> {
    paths
        .map(|path| {
            let found = std::fs::metadata(&path).ok();
            let stamp = found.map(|it| (it.ino(), it.mtime(), it.mtime_nsec(), it.len()));
            (path, stamp)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_good_for_ninety_days() {
        let day = |n: i64| Timestamp::from_millis(n * MILLIS_PER_DAY);
        let table = [(100, 100, 90), (100, 101, 89), (100, 189, 1), (100, 190, 0), (100, 200, -10)];
        for (set, now, left) in table {
            assert_eq!(password_days(Some(day(set)), day(now)), Some(left), "{set} {now}");
        }
        assert_eq!(password_days(None, day(1)), None);
    }

    #[test]
    fn what_ends_soon_is_worth_a_word() {
        assert_eq!(ending("it", 22), None);
        assert_eq!(ending("it", 21).as_deref(), Some("it expires in 21 days: renew it"));
        assert_eq!(ending("it", -1).as_deref(), Some("it has expired"));
    }
}
