//! Takes values one by one and notes everything that is wrong with them on the way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::fault::{Fault, Place};
use super::key::{self, Given, Key, Kind, Purpose};
use super::secret::Secret;
use super::source::{self, Found, Gathered, Raw};
use super::value::{self, Bad};

/// A file that the configuration names.
pub(super) struct NamedFile {
    /// By which key.
    pub key: &'static Key,
    /// Where the key stands.
    pub place: Place,
    /// The file.
    pub path: PathBuf,
}

/// Hands out values by name. What is asked for and is not there, or is wrong, is noted; the
/// answer is then `None`.
pub(super) struct Reader {
    values: BTreeMap<String, Found>,
    rows: BTreeMap<String, Vec<Place>>,
    base: PathBuf,
    /// What is wrong so far.
    pub faults: Vec<Fault>,
    /// What is risky so far.
    pub warnings: Vec<Fault>,
    /// Keys that have no default and are not set.
    pub missing: Vec<&'static Key>,
    /// Sections that a command does without, so that nothing of them is missing there.
    pub excused: BTreeSet<(Purpose, &'static str)>,
    /// The files that are named.
    pub files: Vec<NamedFile>,
    /// The files that secrets stand in.
    pub secret_files: Vec<PathBuf>,
    /// Every name that was asked for.
    pub asked: BTreeSet<String>,
}

impl Reader {
    pub fn new(gathered: Gathered) -> Self {
        Self {
            values: gathered.values,
            rows: gathered.rows,
            base: gathered.base,
            faults: gathered.faults,
            warnings: Vec::new(),
            missing: Vec::new(),
            excused: BTreeSet::new(),
            files: Vec::new(),
            secret_files: Vec::new(),
            asked: BTreeSet::new(),
        }
    }

    /// Notes that the key is wrong.
    pub fn fault(&mut self, name: &str, what: impl Into<String>) {
        let fault = self.remark(name, what.into());
        self.faults.push(fault);
    }

    /// Notes that the key is risky.
    pub fn warn(&mut self, name: &str, what: impl Into<String>) {
        let fault = self.remark(name, what.into());
        self.warnings.push(fault);
    }

    fn remark(&self, name: &str, what: String) -> Fault {
        Fault { place: self.place(name), key: shown_name(name), what }
    }

    /// Whether a key is set, or its `_file`.
    pub fn is_set(&self, name: &str) -> bool {
        self.values.contains_key(name) || self.values.contains_key(&format!("{name}_file"))
    }

    /// Whether anything of a section is set, or of a section within it.
    pub fn has(&self, section: &str) -> bool {
        let is_of = |name: &str| name.strip_prefix(section).is_some_and(|it| it.starts_with('.'));
        self.values.keys().any(|name| is_of(name)) || self.rows.keys().any(|name| is_of(name))
    }

    /// The names of the tables in a list, each of which its keys' names begin with.
    pub fn tables(&mut self, section: &'static str) -> Vec<String> {
        for key in key::all().filter(|key| key.section == section) {
            self.asked.insert(key.full_name());
        }
        let count = self.rows.get(section).map_or(0, Vec::len);
        (0..count).map(|nth| format!("{section}.{nth}")).collect()
    }

    /// Where a table of a list stands.
    fn place_of_table(&self, name: &str) -> Option<Place> {
        let (table, _) = name.rsplit_once('.')?;
        let (list, nth) = table.rsplit_once('.')?;
        self.rows.get(list)?.get(nth.parse::<usize>().ok()?).cloned()
    }

    /// Where the key (or its `_file`) stands.
    pub fn place(&self, name: &str) -> Place {
        let file = || self.values.get(&format!("{name}_file"));
        let found = self.values.get(name).or_else(file);
        found.map_or(Place::Nowhere, |found| found.place.clone())
    }

    /// Every file that values came from or that they name.
    pub fn all_files(&self) -> BTreeSet<PathBuf> {
        let written = self.values.values().filter_map(|found| match &found.place {
            Place::Line(path, _) => Some(path),
            Place::File(_) | Place::Variable(_) | Place::Nowhere => None,
        });
        let named = self.files.iter().map(|file| &file.path);
        written.chain(named).chain(&self.secret_files).cloned().collect()
    }

    /// Whether a secret stands in the configuration file itself.
    pub fn file_with_secrets(&self) -> Option<&Path> {
        key::all().filter(|key| key.kind.is_secret()).find_map(|key| {
            match &self.values.get(&key.full_name())?.place {
                Place::Line(path, _) => Some(path.as_path()),
                Place::File(_) | Place::Variable(_) | Place::Nowhere => None,
            }
        })
    }

    pub fn text(&mut self, name: &str) -> Option<String> {
        self.take(name, |raw, _, _| value::text(raw))
    }

    pub fn parsed<T>(&mut self, name: &str) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        self.take(name, |raw, _, _| value::parsed(raw))
    }

    pub fn money(&mut self, name: &str) -> Option<crate::domain::money::Amount> {
        self.take(name, |raw, _, _| value::money(raw))
    }

    pub fn listen(&mut self, name: &str) -> Option<SocketAddr> {
        self.take(name, |raw, _, _| value::listen(raw))
    }

    pub fn public_url(&mut self, name: &str) -> Option<String> {
        self.take(name, |raw, _, _| value::public_url(raw))
    }

    pub fn address(&mut self, name: &str) -> Option<std::net::IpAddr> {
        self.take(name, |raw, _, _| value::address(raw))
    }

    pub fn day(&mut self, name: &str) -> Option<crate::domain::time::Timestamp> {
        self.take(name, |raw, _, _| value::day(raw))
    }

    pub fn web_origin(&mut self, name: &str) -> Option<value::WebOrigin> {
        self.take(name, |raw, _, _| value::web_origin(raw))
    }

    pub fn url(&mut self, name: &str) -> Option<String> {
        self.take(name, |raw, _, _| value::url(raw))
    }

    pub fn template(&mut self, name: &str) -> Option<crate::domain::text::Template> {
        self.take(name, |raw, _, _| value::template(raw))
    }

    /// A list of texts, each of which is parsed.
    pub fn list<T>(&mut self, name: &str) -> Option<Vec<T>>
    where
        T: std::str::FromStr,
        T::Err: std::fmt::Display,
    {
        self.take(name, |raw, _, _| value::list(raw))
    }

    pub fn store_url(&mut self, name: &str) -> Option<value::StoreUrl> {
        self.take(name, |raw, _, base| value::store_url(raw, base))
    }

    /// A file, which is also noted in [`Self::files`].
    pub fn file(&mut self, name: &str) -> Option<PathBuf> {
        let path = self.take(name, |raw, _, base| value::file(raw, base))?;
        self.files.push(NamedFile {
            key: key::of(name)?,
            place: self.place(name),
            path: path.clone(),
        });
        Some(path)
    }

    /// A file that is written: it need not be there, and is not looked at.
    pub fn output(&mut self, name: &str) -> Option<PathBuf> {
        self.take(name, |raw, _, base| value::file(raw, base))
    }

    pub fn networks(&mut self, name: &str) -> Option<Vec<ipnet::IpNet>> {
        self.take(name, |raw, _, _| value::networks(raw))
    }

    pub fn log_level(&mut self, name: &str) -> Option<String> {
        self.take(name, |raw, _, _| value::log_level(raw))
    }

    pub fn count<T: TryFrom<u64>>(&mut self, name: &str) -> Option<T> {
        self.take(name, |raw, kind, _| {
            let Kind::Count(least, most) = kind else {
                return Err(misfit(kind));
            };
            value::count(raw, least, most)
        })
    }

    pub fn size<T: TryFrom<u64>>(&mut self, name: &str) -> Option<T> {
        self.take(name, |raw, kind, _| {
            let Kind::Size(least, most) = kind else {
                return Err(misfit(kind));
            };
            value::size(raw, least, most)
        })
    }

    pub fn time(&mut self, name: &str) -> Option<Duration> {
        self.take(name, |raw, kind, _| {
            let Kind::Time(least, most) = kind else {
                return Err(misfit(kind));
            };
            value::time(raw, least, most)
        })
    }

    pub fn times(&mut self, name: &str) -> Option<Vec<Duration>> {
        self.take(name, |raw, kind, _| {
            let Kind::Times(least, most) = kind else {
                return Err(misfit(kind));
            };
            value::times(raw, least, most)
        })
    }

    /// One of the key's words, by what each means.
    pub fn word<T: Copy>(&mut self, name: &str, meanings: &[(&str, T)]) -> Option<T> {
        self.take(name, |raw, kind, _| {
            let Kind::Word(words) = kind else {
                return Err(misfit(kind));
            };
            let word = value::word(raw, words)?;
            let meant = meanings.iter().find(|(known, _)| *known == word);
            meant.map(|(_, meaning)| *meaning).ok_or_else(|| misfit(kind))
        })
    }

    /// When the file that a secret is in was last changed; `None` if it is in none of its own.
    #[cfg(unix)]
    pub fn secret_changed_at(&self, name: &str) -> Option<crate::domain::time::Timestamp> {
        use std::os::unix::fs::MetadataExt as _;
        let found = self.values.get(&format!("{name}_file"))?;
        let path = value::file(&found.raw, &self.base_of(found.from_variable)).ok()?;
        let seconds = std::fs::metadata(path).ok()?.mtime();
        Some(crate::domain::time::Timestamp::from_millis(seconds.saturating_mul(1_000)))
    }

    /// A secret, written out or in a file of its own.
    pub fn secret(&mut self, name: &str) -> Option<Secret> {
        let by_file = format!("{name}_file");
        if let Some(found) = self.values.get(&by_file) {
            if self.values.contains_key(name) {
                self.fault(name, format!("is set twice, here and as {by_file}"));
                return None;
            }
            let base = self.base_of(found.from_variable);
            let path = value::file(&found.raw, &base);
            self.secret_files.extend(path.iter().cloned());
            let secret = path.and_then(|path| first_line(&path));
            match secret {
                Ok(secret) => {
                    let mut found = found.clone();
                    found.raw = Raw::Text(secret);
                    self.values.insert(name.to_owned(), found);
                }
                Err(bad) => {
                    self.asked.insert(name.to_owned());
                    let what = match bad {
                        Bad::Expected(what) => format!("expected {what}"),
                        Bad::Says(what) => what,
                    };
                    let mut fault = self.remark(name, what);
                    fault.key = by_file;
                    self.faults.push(fault);
                    return None;
                }
            }
        }
        self.take(name, |raw, kind, _| {
            if matches!(kind, Kind::Token) { value::token(raw) } else { value::text(raw) }
        })
        .map(Secret::new)
    }

    fn take<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&Raw, Kind, &Path) -> Result<T, Bad>,
    ) -> Option<T> {
        self.asked.insert(shown_name(name));
        let Some(key) = key::of(name) else {
            self.fault(name, "is missing from the table of keys: a bug in Mlango");
            return None;
        };
        let (raw, from_variable) = match (self.values.get(name), key.given) {
            (Some(found), _) => (found.raw.clone(), found.from_variable),
            (None, Given::Default(toml)) => (source::literal(toml), false),
            (None, Given::Needed(..)) => {
                if let Some(place) = self.place_of_table(name) {
                    let (key, doc) = (shown_name(name), key.doc);
                    self.faults.push(Fault { place, key, what: format!("is not set. {doc}") });
                } else {
                    self.missing.push(key);
                }
                return None;
            }
            (None, Given::Optional(_)) => return None,
        };
        let raw = match (raw, key.kind) {
            (
                Raw::Text(text),
                Kind::Networks
                | Kind::Times(..)
                | Kind::Patterns
                | Kind::Texts
                | Kind::Fingerprints
                | Kind::ShortCodes,
            ) if from_variable => source::list_of(&text),
            (raw, _) => raw,
        };
        let base = self.base_of(from_variable);
        if is_placeholder(&raw) {
            self.fault(name, "still holds the example's placeholder; put the real value here");
            return None;
        }
        match parse(&raw, key.kind, &base) {
            Ok(value) => return Some(value),
            Err(Bad::Expected(what)) => {
                let found = shown(&raw, key.kind);
                self.fault(name, format!("found {found}; expected {what}"));
            }
            Err(Bad::Says(what)) => self.fault(name, what),
        }
        None
    }

    /// Relative files in the configuration file are looked for beside it, in variables from
    /// where the program was started.
    fn base_of(&self, from_variable: bool) -> PathBuf {
        if from_variable { PathBuf::new() } else { self.base.clone() }
    }
}

/// A key's name without the number of the table in a list.
fn shown_name(name: &str) -> String {
    match name.rsplit_once('.') {
        Some((section, short)) => format!("{}.{short}", key::without_number(section)),
        None => name.to_owned(),
    }
}

fn misfit(kind: Kind) -> Bad {
    Bad::Says(format!("is read otherwise than as {kind:?}: a bug in Mlango"))
}

fn is_placeholder(raw: &Raw) -> bool {
    matches!(raw, Raw::Text(text) if text.starts_with('<') && text.ends_with('>'))
}

/// The first line of a secret's file.
fn first_line(path: &Path) -> Result<String, Bad> {
    let text = source::read_text(path)
        .map_err(|what| Bad::Says(format!("the file {} {what}", path.display())))?;
    match text.lines().next() {
        Some(line) if !line.trim().is_empty() => Ok(line.to_owned()),
        Some(_) | None => {
            let path = path.display();
            Err(Bad::Says(format!("the first line of {path} is empty")))
        }
    }
}

/// What was found, for a fault; never a secret.
fn shown(raw: &Raw, kind: Kind) -> String {
    /// As much of a wrong value as helps to find it.
    const CHARS_SHOWN_MAX: usize = 60;
    match raw {
        Raw::Text(text) if kind.is_secret() => format!("{} characters", text.chars().count()),
        Raw::Text(text) => {
            let head: String = text.chars().take(CHARS_SHOWN_MAX).collect();
            let more = if head.len() < text.len() { "…" } else { "" };
            format!("\"{}{more}\"", head.escape_debug())
        }
        Raw::Integer(_) if kind.is_secret() => "a number".to_owned(),
        Raw::Integer(number) => number.to_string(),
        Raw::List(list) => {
            let shown: Vec<String> = list.iter().take(5).map(|one| shown(one, kind)).collect();
            let more = if list.len() > 5 { ", …" } else { "" };
            format!("[{}{more}]", shown.join(", "))
        }
        Raw::Other(what) => (*what).to_owned(),
    }
}
