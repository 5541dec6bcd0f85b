//! Everything that a configuration says, as far as it can be read, and everything that is wrong
//! with it: for `mlango check`, which goes on where other commands stop.

use std::path::{Path, PathBuf};

use super::fault::{Fault, Faults};
use super::key::Purpose;
use super::reader::Reader;
use super::section::{
    Api, Broker, C2b, Callbacks, Daraja, DarajaApp, Log, Operator, Organisation, Payouts, Provider,
    Simulator, Sms, SmsAccount, Stk, Store, Telemetry, Test,
};
use super::source::Source;
use super::{Config, absent, read};

/// Every section by itself; `None` where it is missing or something in it is wrong.
#[derive(Clone, Debug, Default)]
pub struct Parts {
    /// `[api]`.
    pub api: Option<Api>,
    /// `[callbacks]`.
    pub callbacks: Option<Callbacks>,
    /// `[store]`.
    pub store: Option<Store>,
    /// `[organisation]`.
    pub organisation: Option<Organisation>,
    /// `[organisation]`, short code and operator.
    pub operator: Option<Operator>,
    /// `[payouts]`.
    pub payouts: Option<Payouts>,
    /// `[broker]`.
    pub broker: Option<Broker>,
    /// `[broker]`, who we are to it.
    pub provider: Option<Provider>,
    /// `[daraja]`.
    pub daraja: Option<Daraja>,
    /// `[daraja]`, as far as the simulator needs it too.
    pub daraja_app: Option<DarajaApp>,
    /// `[stk]`.
    pub stk: Option<Stk>,
    /// `[c2b]`.
    pub c2b: Option<C2b>,
    /// `[sms]`.
    pub sms: Option<Sms>,
    /// `[sms]`, as far as the simulator needs it too.
    pub sms_account: Option<SmsAccount>,
    /// `[simulator]`.
    pub simulator: Option<Simulator>,
    /// `[simulator] credential_key`.
    pub credential_key: Option<PathBuf>,
    /// `[test]`.
    pub test: Option<Test>,
    /// `[log]`.
    pub log: Option<Log>,
    /// `[telemetry]`.
    pub telemetry: Option<Telemetry>,
}

impl Parts {
    /// The whole; `None` if a section that nothing does without is missing.
    pub(super) fn whole(self) -> Option<Config> {
        Some(Config {
            api: self.api?,
            callbacks: self.callbacks,
            store: self.store?,
            organisation: self.organisation,
            operator: self.operator,
            payouts: self.payouts?,
            broker: self.broker,
            provider: self.provider,
            daraja: self.daraja,
            daraja_app: self.daraja_app,
            stk: self.stk?,
            c2b: self.c2b?,
            sms: self.sms,
            sms_account: self.sms_account,
            simulator: self.simulator?,
            credential_key: self.credential_key,
            test: self.test,
            log: self.log?,
            telemetry: self.telemetry,
        })
    }
}

/// What is in a file that the configuration is in or names, and so who may read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A password, a token or a private key: for its owner only.
    Secrets,
    /// Nothing that others may not read.
    NoSecrets,
}

/// A file that the configuration is in or names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPath {
    /// What names it: a key such as `broker.ca`, or `config` for the configuration itself.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub holds: Holds,
}

/// A configuration as `mlango serve` would read it, and all that keeps it from that.
#[derive(Clone, Debug, Default)]
pub struct Examined {
    /// The file, if there is one.
    pub path: Option<PathBuf>,
    /// What could be read.
    pub parts: Parts,
    /// What is wrong or missing; not that a named file cannot be read.
    pub faults: Vec<Fault>,
    /// What is risky.
    pub warnings: Vec<Fault>,
    /// The files that it is in and names.
    pub files: Vec<NamedPath>,
}

impl From<Faults> for Examined {
    /// Of one that could not be read at all.
    fn from(faults: Faults) -> Self {
        Self { faults: faults.0, ..Self::default() }
    }
}

impl Source {
    /// Reads all that can be read for `mlango serve`, and never gives up.
    pub fn examine(self) -> Examined {
        let path = self.path().map(Path::to_owned);
        let gathered = match self.gather() {
            Ok(gathered) => gathered,
            Err(faults) => return Examined { path, ..faults.into() },
        };
        let mut reader = Reader::new(gathered);
        let parts = read::parts(&mut reader);
        let files = files(&reader, path.as_deref());
        let mut faults = std::mem::take(&mut reader.faults);
        faults.extend(absent(&reader, Some(Purpose::Serve)));
        faults.sort_by(|a, b| a.place.cmp(&b.place));
        Examined { path, parts, faults, warnings: reader.warnings, files }
    }
}

fn files(reader: &Reader, path: Option<&Path>) -> Vec<NamedPath> {
    let secrets = |it: bool| if it { Holds::Secrets } else { Holds::NoSecrets };
    let config = path.map(|path| NamedPath {
        name: "config".to_owned(),
        path: path.to_owned(),
        holds: secrets(reader.file_with_secrets().is_some()),
    });
    let named = reader.files.iter().filter(|file| file.key.section != "simulator");
    let named = named.map(|file| NamedPath {
        name: file.key.full_name(),
        path: file.path.clone(),
        holds: secrets(file.key.name.ends_with("_key") || file.key.name.ends_with("_pkcs12")),
    });
    let secret = reader.secret_files.iter().map(|path| NamedPath {
        name: "secret".to_owned(),
        path: path.clone(),
        holds: Holds::Secrets,
    });
    config.into_iter().chain(named).chain(secret).collect()
}
