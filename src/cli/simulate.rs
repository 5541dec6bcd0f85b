//! `mlango simulate`: the M-Pesa simulator.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use super::{Asked, Context, Failure, lines, out, scenarios};
use crate::clock::steered::Pace;
use crate::clock::{Clock as _, SteeredClock, SystemClock};
use crate::config;
use crate::credential::PrivateKey;
use crate::domain::time::Timestamp;
use crate::sim::{
    Collection, DarajaSettings, Delivery, Door, Encryption, HOLD, Running, Settings, Simulator,
    SmsSettings,
};
use crate::telemetry;
use crate::tls::{IdentityFiles, ServerSettings};

#[derive(Debug, Args)]
pub(super) struct Simulate {
    /// Where to listen; without it, `[simulator] listen`.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Two runs with the same seed behave alike, and give the same receipts; without it, each run
    /// has its own.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Begin at this time, such as 2026-12-31T20:59:50Z, and not now.
    #[arg(long, value_name = "TIME")]
    clock: Option<String>,
    /// The clock stands until POST /sim/clock moves it on or lets it run.
    #[arg(long)]
    stand: bool,
    /// What becomes of which request: the name of a scenario that ships, or a file; `?` names those
    /// that ship. Without it, the last digits of phones choose.
    #[arg(long, value_name = "NAME|FILE")]
    scenario: Option<String>,
    /// Answer what is like a recorded exchange as it was recorded (`mlango fixtures record`).
    #[arg(long, value_name = "DIR")]
    fixtures: Option<PathBuf>,
    /// Refuse, with a reason, what is like no recorded exchange.
    #[arg(long, requires = "fixtures")]
    fixtures_only: bool,
    /// Print no line for each exchange.
    #[arg(long)]
    quiet: bool,
}

impl Simulate {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        if self.scenario.as_deref() == Some("?") {
            scenarios::list(context.json);
            return Ok(());
        }
        let scenario = self.scenario.as_deref().map(scenarios::find).transpose()?;
        let mut loaded = context.source()?.simulate()?;
        let log = telemetry::log::init(&loaded.config.log);
        let _log = log.map_err(|error| Failure::Usage(error.to_string()))?;
        if let Some(listen) = self.listen {
            loaded.config.simulator.listen = listen;
        }
        let settings =
            settings(&loaded.config, self.seed.unwrap_or_else(fresh_seed), Delivery::default())?;
        let mut asked = Asked::listen()?;
        let collection = self.collection()?;
        let answers = collection.as_ref().map(Collection::len);
        let running =
            start_by(self.clock()?, settings, encryption(&loaded.config), collection).await?;
        if let Some(answers) = answers {
            let how =
                if answers == 1 { "is answered as it was" } else { "are answered as they were" };
            out::say(&format!("{} {how}", out::count(answers, "recorded request")));
        }
        if let Some(scenario) = scenario {
            out::say(&format!("scenario {}: {}", scenario.name, scenario.says));
            running.play(Some(scenario));
        }
        out::say(&format!(
            "M-Pesa simulator on http://{0}: broker at /mminterface/request, Daraja at its own paths, \
             ledger at http://{0}/sim/ledger",
            running.addr
        ));
        out::say(&format!("See it in a browser: http://{}/sim", running.addr));
        let shown = (!self.quiet).then(|| lines::print(running.watch_all(), context.json));
        asked.wait().await;
        running.shutdown().await;
        if let Some(shown) = shown {
            shown.end().await;
        }
        Ok(())
    }
}

impl Simulate {
    /// The clock that everything goes by.
    fn clock(&self) -> Result<SteeredClock, Failure> {
        let start = match &self.clock {
            None => SystemClock.now(),
            Some(text) => Timestamp::parse_rfc3339(text).map_err(|_wrong| {
                let expected = "expected a time such as 2026-12-31T20:59:50Z";
                Failure::Usage(format!("--clock: found {text:?}; {expected}"))
            })?,
        };
        let clock = SteeredClock::new(start);
        if self.stand {
            clock.set_pace(Pace::Stands);
        }
        Ok(clock)
    }

    /// The recorded exchanges that are answered from.
    fn collection(&self) -> Result<Option<Collection>, Failure> {
        let fixtures = self.fixtures.as_deref().map(super::fixtures::read).transpose()?;
        Ok(fixtures.map(|fixtures| Collection::new(fixtures, self.fixtures_only)))
    }
}

/// A seed that no earlier run had: M-Pesa gives no receipt twice, and a gateway that remembers an
/// earlier run would not believe it.
pub(super) fn fresh_seed() -> u64 {
    SystemClock.now().millis().unsigned_abs()
}

/// What the simulator is told, from the configuration that the gateway has too.
pub(super) fn settings(
    config: &config::Simulate,
    seed: u64,
    delivery: Delivery,
) -> Result<Settings, Failure> {
    Ok(Settings {
        listen: config.simulator.listen,
        sp_id: config.provider.sp_id.clone(),
        sp_password: config.provider.sp_password.reveal().to_owned(),
        service_id: config.provider.service_id.clone(),
        initiator: config.operator.initiator.clone(),
        initiator_password: config.operator.initiator_password.reveal().to_owned(),
        shortcode: config.operator.shortcode.clone(),
        credential_key: key(&config.credential_key)?,
        balance: config.simulator.balance,
        seed,
        delivery,
        hold: HOLD,
        chaos: None,
        daraja: daraja(config),
        sms: sms(config),
    })
}

/// The app and the numbers of `[daraja]`; without it, those that `mlango init` writes.
fn daraja(config: &config::Simulate) -> DarajaSettings {
    let simulated = DarajaSettings::default();
    let Some(app) = &config.daraja else {
        return simulated;
    };
    let numbers = [Some(&app.shortcode), app.b2c_shortcode.as_ref(), app.till.as_ref()];
    DarajaSettings {
        consumer_key: app.consumer_key.reveal().to_owned(),
        consumer_secret: app.consumer_secret.reveal().to_owned(),
        passkey: app.passkey.reveal().to_owned(),
        shortcodes: numbers.into_iter().flatten().cloned().collect(),
        ..simulated
    }
}

/// The account of `[sms]`; without it, one of the simulator's own.
fn sms(config: &config::Simulate) -> SmsSettings {
    config.sms.as_ref().map_or_else(SmsSettings::default, |account| SmsSettings {
        username: account.username.clone(),
        api_key: account.api_key.reveal().to_owned(),
        senders: account.from.iter().cloned().collect(),
    })
}

fn key(path: &Path) -> Result<PrivateKey, Failure> {
    let wrong = |error: String| {
        Failure::Usage(format!("simulator.credential_key, {}: {error}", path.display()))
    };
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    PrivateKey::from_pem(&bytes).map_err(|error| wrong(error.to_string()))
}

/// Starts it.
pub(super) async fn start(settings: Settings, encryption: Encryption) -> Result<Running, Failure> {
    start_by(SteeredClock::new(SystemClock.now()), settings, encryption, None).await
}

/// The same, by this clock, with what recorded exchanges answer.
async fn start_by(
    clock: SteeredClock,
    settings: Settings,
    encryption: Encryption,
    collection: Option<Collection>,
) -> Result<Running, Failure> {
    let clock = Arc::new(clock);
    let starting = Simulator::start_playing(settings, clock, encryption, collection);
    starting.await.map_err(|error| Failure::Failed(format!("the simulator cannot start: {error}")))
}

/// Where it speaks TLS, and what it shows.
pub(super) fn encryption(config: &config::Simulate) -> Encryption {
    let simulator = &config.simulator;
    let Some(tls) = &simulator.tls else {
        return Encryption::default();
    };
    let mutual = simulator.tls_listen.map(|listen| Door { listen, tls: tls.clone() });
    let one_way = ServerSettings { client_ca: None, ..tls.clone() };
    let one_way = simulator.https_listen.map(|listen| Door { listen, tls: one_way });
    Encryption {
        doors: mutual.into_iter().chain(one_way).collect(),
        ca: tls.client_ca.clone(),
        identity: Some(IdentityFiles::Pair {
            certificate: tls.certificate.clone(),
            key: tls.key.clone(),
        }),
    }
}
