//! Where values come from: the file and the environment, gathered before anything is judged.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, TableLike, Value};

use super::fault::{Fault, Faults, Place};
use super::key::{self, Shape};
use super::near;

/// The largest configuration or secret file that is read: far more than anyone writes by hand.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// What every variable of ours begins with.
const PREFIX: &str = "MLANGO__";
/// The most tables in one list.
const ROWS_MAX: usize = 1_000;
/// The file that is read when none is named, if it is there.
const DEFAULT_FILE: &str = "mlango.toml";

/// The environment variables that are ours: `MLANGO__SECTION__KEY`.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, Option<String>>);

impl Environment {
    /// What the process was started with.
    pub fn process() -> Self {
        let ours = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            name.starts_with(PREFIX).then(|| (name, value.into_string().ok()))
        });
        Self(ours.collect())
    }

    /// The API key of a shell command: `MLANGO_API_KEY`, if it is set and not empty.
    pub fn api_key() -> Option<String> {
        let key = std::env::var_os("MLANGO_API_KEY")?.into_string().ok()?;
        let key = key.trim();
        (!key.is_empty()).then(|| key.to_owned())
    }

    /// Whether whoever reads the shell's output wants no colour: `NO_COLOR` is set, or the terminal
    /// is one that knows none.
    pub fn is_colourless() -> bool {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        unwanted || std::env::var_os("TERM").is_some_and(|value| value == "dumb")
    }

    /// These variables and no others; names that are not ours are left out.
    pub fn of<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), Some(value.into())));
        Self(pairs.filter(|(name, _)| name.starts_with(PREFIX)).collect())
    }
}

impl fmt::Debug for Environment {
    /// The names only: a value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A value as it was written, not yet judged.
#[derive(Clone)]
pub(super) enum Raw {
    /// Text.
    Text(String),
    /// A whole number.
    Integer(i64),
    /// A list.
    List(Vec<Self>),
    /// Something that no key takes, such as "a table".
    Other(&'static str),
}

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct Found {
    /// The value.
    pub raw: Raw,
    /// Where it stands.
    pub place: Place,
    /// Whether it came from the environment, where everything is text.
    pub from_variable: bool,
}

/// A configuration's text and the environment beside it.
pub struct Source {
    path: Option<PathBuf>,
    text: String,
    base: PathBuf,
    environment: Environment,
    faults: Vec<Fault>,
    rows: BTreeMap<String, Vec<Place>>,
}

impl fmt::Debug for Source {
    /// Without the text: it may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("path", &self.path)
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Reads the file at `path`; without one, `mlango.toml` if it is there, and else nothing.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn open(path: Option<&Path>, environment: Environment) -> Result<Self, Faults> {
        let (path, text) = match path {
            Some(path) => (Some(path), read_whole(path)?),
            None if Path::new(DEFAULT_FILE).exists() => {
                let path = Path::new(DEFAULT_FILE);
                (Some(path), read_whole(path)?)
            }
            None => (None, String::new()),
        };
        let base = path.and_then(Path::parent).unwrap_or_else(|| Path::new(""));
        Ok(Self {
            base: base.to_owned(),
            path: path.map(Path::to_owned),
            text,
            environment,
            faults: Vec::new(),
            rows: BTreeMap::new(),
        })
    }

    /// A configuration that is in memory; relative files in it are looked for in `base`.
    pub fn text(text: impl Into<String>, base: impl Into<PathBuf>) -> Self {
        let base = base.into();
        Self {
            path: Some(base.join(DEFAULT_FILE)),
            text: text.into(),
            base,
            environment: Environment::default(),
            faults: Vec::new(),
            rows: BTreeMap::new(),
        }
    }

    /// The same with this environment.
    #[must_use]
    pub fn with_environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// The file it was read from, if any.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Everything that is set, under its full name, and what is wrong with the names.
    ///
    /// # Errors
    /// The file is no TOML. Nothing else is said then: whatever it sets would seem to be missing.
    pub(super) fn gather(mut self) -> Result<Gathered, Faults> {
        let mut values = BTreeMap::new();
        self.gather_file(&mut values)?;
        self.gather_environment(&mut values);
        Ok(Gathered { values, rows: self.rows, base: self.base, faults: self.faults })
    }

    fn gather_file(&mut self, values: &mut BTreeMap<String, Found>) -> Result<(), Faults> {
        let document = Document::parse(self.text.clone()).map_err(|error| {
            let what = format!("is not TOML: {}", error.message().replace('\n', "; "));
            let place = self.place(error.span());
            Faults(vec![Fault { place, key: String::new(), what }])
        })?;
        for (name, item) in document.iter() {
            let span = document.as_table().key(name).and_then(|key| key.span());
            let place = self.place(span.or_else(|| item.span()));
            match (key::SECTIONS.iter().find(|known| known.name == name), item) {
                (None, _) => {
                    let what = match near::section(name, item.as_table_like().is_some()) {
                        Some(meant) => format!("is unknown; did you mean {meant}?"),
                        None => "is unknown".to_owned(),
                    };
                    self.fault(place, name.to_owned(), what);
                }
                (Some(_), item) => match item.as_table_like() {
                    Some(table) => self.gather_section(name, table, values),
                    None => {
                        let what = format!("must be a section, written [{name}]");
                        self.fault(place, name.to_owned(), what);
                    }
                },
            }
        }
        Ok(())
    }

    fn gather_section(
        &mut self,
        section: &str,
        table: &dyn TableLike,
        values: &mut BTreeMap<String, Found>,
    ) {
        for (name, item) in table.iter() {
            let span = table.key(name).and_then(toml_edit::Key::span);
            let place = self.place(span.or_else(|| item.span()));
            let full_name = format!("{section}.{name}");
            if let Some(inner) = key::section_of(&full_name) {
                self.gather_inner(inner, item, place, values);
                continue;
            }
            if let Err(what) = known(key::without_number(section), name) {
                let list = key::without_number(section);
                self.fault(place, format!("{list}.{name}"), what);
                continue;
            }
            let found = Found { raw: raw(item), place, from_variable: false };
            values.insert(full_name, found);
        }
    }

    /// A section within a section: one table, or a list of them.
    fn gather_inner<'t>(
        &mut self,
        section: &key::Section,
        item: &'t Item,
        place: Place,
        values: &mut BTreeMap<String, Found>,
    ) {
        let name = section.name;
        let is_list = section.shape == Shape::Rows;
        let tables: Vec<(&dyn TableLike, Option<std::ops::Range<usize>>)> = match item {
            Item::ArrayOfTables(list) if is_list => {
                let table = |table: &'t toml_edit::Table| -> (&'t dyn TableLike, _) {
                    (table, table.span())
                };
                list.iter().map(table).collect()
            }
            Item::Value(Value::Array(list)) if is_list => {
                let table = |one: &'t Value| -> Option<(&'t dyn TableLike, _)> {
                    Some((one.as_inline_table()?, one.span()))
                };
                let found: Vec<_> = list.iter().filter_map(table).collect();
                if found.len() < list.len() {
                    self.fault(place, name.to_owned(), format!("must be written [[{name}]]"));
                    return;
                }
                found
            }
            item if !is_list => match item.as_table_like() {
                Some(table) => return self.gather_section(name, table, values),
                None => vec![],
            },
            Item::None | Item::Value(_) | Item::Table(_) | Item::ArrayOfTables(_) => vec![],
        };
        if tables.is_empty() || tables.len() > ROWS_MAX {
            let what = match (is_list, tables.len()) {
                (false, _) => format!("must be a section, written [{name}]"),
                (true, 0) => format!("must be a list of tables, each written [[{name}]]"),
                (true, _) => format!("has more than {ROWS_MAX} tables"),
            };
            return self.fault(place, name.to_owned(), what);
        }
        for (nth, (table, span)) in tables.into_iter().enumerate() {
            let place = self.place(span);
            self.rows.entry(name.to_owned()).or_default().push(place);
            self.gather_section(&format!("{name}.{nth}"), table, values);
        }
    }

    fn gather_environment(&mut self, values: &mut BTreeMap<String, Found>) {
        for (variable, value) in std::mem::take(&mut self.environment.0) {
            let place = Place::Variable(variable.clone());
            let bare = variable.strip_prefix(PREFIX).unwrap_or_default();
            let name = bare.to_lowercase().replace("__", ".");
            let (section, name) = name.rsplit_once('.').unwrap_or((name.as_str(), ""));
            let is_list =
                |name: &str| key::section_of(name).is_some_and(|known| known.shape == Shape::Rows);
            if is_list(key::without_number(section)) || is_list(&format!("{section}.{name}")) {
                let what = "is a list of tables, which can stand in the file only".to_owned();
                self.fault(place, format!("{section}.{name}"), what);
                continue;
            }
            if let Err(what) = known(section, name) {
                let key = format!("{section}.{name}");
                self.fault(place, key.trim_end_matches('.').to_owned(), what);
                continue;
            }
            let Some(value) = value else {
                let what = "is not readable text (UTF-8)".to_owned();
                self.fault(place, format!("{section}.{name}"), what);
                continue;
            };
            // `name` and `name_file` are one key: the environment has the last word on it.
            let plain = name.strip_suffix("_file").unwrap_or(name);
            values.remove(&format!("{section}.{plain}"));
            values.remove(&format!("{section}.{plain}_file"));
            let found = Found { raw: Raw::Text(value), place, from_variable: true };
            values.insert(format!("{section}.{name}"), found);
        }
    }

    fn place(&self, span: Option<std::ops::Range<usize>>) -> Place {
        let path = self.path.clone().unwrap_or_default();
        match span {
            Some(span) => {
                let before = self.text.bytes().take(span.start);
                let line = before.filter(|b| *b == b'\n').count().saturating_add(1);
                Place::Line(path, line)
            }
            None => Place::File(path),
        }
    }

    fn fault(&mut self, place: Place, key: String, what: String) {
        self.faults.push(Fault { place, key, what });
    }
}

/// What [`Source::gather`] found.
pub(super) struct Gathered {
    /// By full name, `section.name` or `section.name_file`.
    pub values: BTreeMap<String, Found>,
    /// Where the tables of each list stand.
    pub rows: BTreeMap<String, Vec<Place>>,
    /// Where relative files of the configuration file are looked for.
    pub base: PathBuf,
    /// Names that are unknown.
    pub faults: Vec<Fault>,
}

/// Whether a key of this name may be set; if not, why not.
fn known(section: &str, name: &str) -> Result<(), String> {
    let empty = |known: &&key::Section| known.name == section && known.doc.is_empty();
    if key::SECTIONS.iter().any(|known| empty(&known)) {
        return Err("is not in this version; take it out".to_owned());
    }
    let of_file = |plain: &str| key::find(section, plain).filter(|key| key.kind.is_secret());
    let known = key::find(section, name).or_else(|| name.strip_suffix("_file").and_then(of_file));
    match known {
        Some(_key) => Ok(()),
        None => match near::key(section, name) {
            Some(meant) => Err(format!("is unknown; did you mean {meant}?")),
            None => Err("is unknown".to_owned()),
        },
    }
}

fn raw(item: &Item) -> Raw {
    match item {
        Item::Value(value) => raw_value(value),
        Item::None | Item::Table(_) | Item::ArrayOfTables(_) => Raw::Other("a table"),
    }
}

fn raw_value(value: &Value) -> Raw {
    match value {
        Value::String(text) => Raw::Text(text.value().clone()),
        Value::Integer(number) => Raw::Integer(*number.value()),
        Value::Array(list) => Raw::List(list.iter().map(raw_value).collect()),
        Value::Float(_) => Raw::Other("a number with a point"),
        Value::Boolean(_) => Raw::Other("true or false"),
        Value::Datetime(_) => Raw::Other("a date"),
        Value::InlineTable(_) => Raw::Other("a table"),
    }
}

/// A list as a variable holds it: a TOML array, or texts with commas between.
pub(super) fn list_of(text: &str) -> Raw {
    if text.trim_start().starts_with('[') {
        return match text.trim().parse::<Value>() {
            Ok(value) => raw_value(&value),
            Err(_) => Raw::Other("a list that is not TOML"),
        };
    }
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    Raw::List(parts.map(|part| Raw::Text(part.to_owned())).collect())
}

/// A default of the table of keys, as a value.
pub(super) fn literal(toml: &str) -> Raw {
    toml.parse::<Value>()
        .map_or(Raw::Other("a default that is not TOML"), |value| raw_value(&value))
}

/// A file's text, up to [`FILE_BYTES_MAX`].
fn read_whole(path: &Path) -> Result<String, Faults> {
    read_text(path).map_err(|what| {
        Faults(vec![Fault { place: Place::File(path.to_owned()), key: String::new(), what }])
    })
}

/// A small text file.
///
/// # Errors
/// Why it can't be read, in words.
pub(super) fn read_text(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX.saturating_add(1)).read_to_string(&mut text));
    match read.map(u64::try_from) {
        Ok(Ok(0..=FILE_BYTES_MAX)) => Ok(text),
        Ok(_) => Err("is larger than a configuration file can be (1 MiB)".to_owned()),
        Err(error) => Err(format!("can't be read: {error}")),
    }
}
