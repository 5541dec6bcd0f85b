//! The configuration: everything is read first, then checked, and all faults are reported at once.
//!
//! [`Source::open`] gathers the file and the environment; [`Source::serve`] and its sisters say
//! what a command may work with, or everything that keeps it from working.

mod examine;
pub mod example;
pub mod fault;
pub mod key;
mod near;
mod read;
mod reader;
pub mod secret;
pub mod section;
mod source;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

pub use self::examine::{Examined, Holds, NamedPath, Parts};
pub use self::fault::{Fault, Faults, Place};
use self::key::{Given, Key, Purpose};
pub use self::read::is_loopback;
use self::reader::{NamedFile, Reader};
pub use self::secret::Secret;
use self::section::{
    Api, Broker, C2b, Callbacks, Daraja, DarajaApp, Log, Operator, Organisation, Payouts, Provider,
    Simulator, Sms, SmsAccount, Stk, Store, Telemetry, Test,
};
pub use self::source::{Environment, Source};
pub use self::value::{StoreUrl, WebOrigin, filtered_word, time_of};

/// What was loaded, and what is risky about it.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    /// The configuration.
    pub config: T,
    /// Nothing wrong, but worth a word.
    pub warnings: Vec<Fault>,
    /// Every file that it came from or that it names.
    pub files: BTreeSet<PathBuf>,
}

/// What every command may ask for; parts that are not wholly set are `None`.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[api]`.
    pub api: Api,
    /// `[callbacks]`.
    pub callbacks: Option<Callbacks>,
    /// `[store]`.
    pub store: Store,
    /// `[organisation]`.
    pub organisation: Option<Organisation>,
    /// `[organisation]`, short code and operator.
    pub operator: Option<Operator>,
    /// `[payouts]`.
    pub payouts: Payouts,
    /// `[broker]`.
    pub broker: Option<Broker>,
    /// `[broker]`, who we are to it.
    pub provider: Option<Provider>,
    /// `[daraja]`.
    pub daraja: Option<Daraja>,
    /// `[daraja]`, as far as the simulator needs it too.
    pub daraja_app: Option<DarajaApp>,
    /// `[stk]`.
    pub stk: Stk,
    /// `[c2b]`.
    pub c2b: C2b,
    /// `[sms]`.
    pub sms: Option<Sms>,
    /// `[sms]`, as far as the simulator needs it too.
    pub sms_account: Option<SmsAccount>,
    /// `[simulator]`.
    pub simulator: Simulator,
    /// `[simulator] credential_key`.
    pub credential_key: Option<PathBuf>,
    /// `[test]`.
    pub test: Option<Test>,
    /// `[log]`.
    pub log: Log,
    /// `[telemetry]`.
    pub telemetry: Option<Telemetry>,
}

/// What `mlango serve` works with.
#[derive(Clone, Debug)]
pub struct Serve {
    /// `[api]`.
    pub api: Api,
    /// `[callbacks]`.
    pub callbacks: Callbacks,
    /// `[store]`.
    pub store: Store,
    /// `[organisation]`.
    pub organisation: Organisation,
    /// `[payouts]`.
    pub payouts: Payouts,
    /// `[broker]`; `None` only where payouts go over Daraja.
    pub broker: Option<Broker>,
    /// `[daraja]`; `None` only where payouts go over SOAP.
    pub daraja: Option<Daraja>,
    /// `[stk]`.
    pub stk: Stk,
    /// `[c2b]`.
    pub c2b: C2b,
    /// `[sms]`.
    pub sms: Option<Sms>,
    /// `[test]`.
    pub test: Option<Test>,
    /// `[log]`.
    pub log: Log,
    /// `[telemetry]`.
    pub telemetry: Option<Telemetry>,
}

/// What `mlango simulate` works with.
#[derive(Clone, Debug)]
pub struct Simulate {
    /// `[simulator]`.
    pub simulator: Simulator,
    /// The private key that opens credentials.
    pub credential_key: PathBuf,
    /// The organisation that the simulated M-Pesa knows.
    pub operator: Operator,
    /// The service provider that the simulated broker knows.
    pub provider: Provider,
    /// The app that the simulated Daraja knows; `None`: one of the simulator's own.
    pub daraja: Option<DarajaApp>,
    /// The account that the simulated Africa's Talking knows; `None`: one of the simulator's own.
    pub sms: Option<SmsAccount>,
    /// `[log]`.
    pub log: Log,
}

impl Source {
    /// What is set, with nothing demanded beyond that it be right: for commands that need the
    /// store or the log only.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn config(self) -> Result<Loaded<Config>, Faults> {
        self.load(None, Some)
    }

    /// What `mlango serve` needs.
    ///
    /// # Errors
    /// Everything that is wrong or missing, referenced files included.
    pub fn serve(self) -> Result<Loaded<Serve>, Faults> {
        self.load(Some(Purpose::Serve), |config| {
            Some(Serve {
                api: config.api,
                callbacks: config.callbacks?,
                store: config.store,
                organisation: config.organisation?,
                payouts: config.payouts,
                broker: config.broker,
                daraja: config.daraja,
                stk: config.stk,
                c2b: config.c2b,
                sms: config.sms,
                test: config.test,
                log: config.log,
                telemetry: config.telemetry,
            })
        })
    }

    /// What `mlango simulate` needs.
    ///
    /// # Errors
    /// Everything that is wrong or missing, referenced files included.
    pub fn simulate(self) -> Result<Loaded<Simulate>, Faults> {
        self.load(Some(Purpose::Simulate), |config| {
            Some(Simulate {
                simulator: config.simulator,
                credential_key: config.credential_key?,
                operator: config.operator?,
                provider: config.provider?,
                daraja: config.daraja_app,
                sms: config.sms_account,
                // The file is the gateway's.
                log: Log { file: None, ..config.log },
            })
        })
    }

    fn load<T>(
        self,
        purpose: Option<Purpose>,
        pick: impl FnOnce(Config) -> Option<T>,
    ) -> Result<Loaded<T>, Faults> {
        let mut reader = Reader::new(self.gather()?);
        let config = read::parts(&mut reader).whole();
        let read_from = reader.all_files();
        let mut faults = std::mem::take(&mut reader.faults);
        faults.extend(absent(&reader, purpose));
        // A file that may be left out is looked at by whoever is to use it.
        let needed = |key: &Key| {
            purpose.is_some_and(|purpose| match key.given {
                Given::Optional(_) => {
                    (key.section == "simulator") == (purpose == Purpose::Simulate)
                }
                given @ (Given::Needed(..) | Given::Default(_)) => needs(given, purpose),
            })
        };
        let files = reader.files.into_iter().filter(|file| needed(file.key));
        faults.extend(files.filter_map(|file| unreadable(&file)));
        faults.sort_by(|a, b| a.place.cmp(&b.place));
        match config.and_then(pick) {
            Some(config) if faults.is_empty() => {
                Ok(Loaded { config, warnings: reader.warnings, files: read_from })
            }
            _ => Err(Faults(faults)),
        }
    }
}

/// The faults of what is not set and `purpose` needs.
fn absent(reader: &Reader, purpose: Option<Purpose>) -> Vec<Fault> {
    let is_excused =
        |key: &Key| purpose.is_some_and(|it| reader.excused.contains(&(it, key.section)));
    let missing = reader.missing.iter().filter(|key| !is_excused(key));
    missing.filter_map(|key| missed(key, purpose)).collect()
}

fn needs(given: Given, purpose: Purpose) -> bool {
    matches!(given, Given::Needed(by, _) if by.contains(&purpose))
}

/// The fault of a key that is not set, if `purpose` needs it.
fn missed(key: &'static Key, purpose: Option<Purpose>) -> Option<Fault> {
    let purpose = purpose.filter(|purpose| needs(key.given, *purpose))?;
    let command = match purpose {
        Purpose::Serve => "mlango serve",
        Purpose::Simulate => "mlango simulate",
    };
    let (doc, variable) = (key.doc, key.variable());
    Some(Fault {
        place: Place::Nowhere,
        key: key.full_name(),
        what: format!("is not set, and `{command}` needs it ({variable} sets it too). {doc}"),
    })
}

/// The fault of a file that can't be opened.
fn unreadable(file: &NamedFile) -> Option<Fault> {
    let error = open(&file.path).err()?;
    Some(Fault {
        place: file.place.clone(),
        key: file.key.full_name(),
        what: format!("the file {} can't be read: {error}", file.path.display()),
    })
}

fn open(path: &Path) -> std::io::Result<()> {
    let found = File::open(path)?.metadata()?;
    if found.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    Ok(())
}
