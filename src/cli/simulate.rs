//! `mlango simulate`: the M-Pesa simulator.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::{Asked, Context, Failure, out, scenarios};
use crate::clock::{Clock as _, SystemClock};
use crate::config;
use crate::credential::PrivateKey;
use crate::sim::{
    DarajaSettings, Delivery, Door, Encryption, HOLD, Running, Settings, Simulator, SmsSettings,
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
    /// What becomes of which request: the name of a scenario that ships, or a file; `?` names those
    /// that ship. Without it, the last digits of phones choose.
    #[arg(long, value_name = "NAME|FILE")]
    scenario: Option<String>,
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
        let running = start(settings, encryption(&loaded.config)).await?;
        if let Some(scenario) = scenario {
            out::say(&format!("scenario {}: {}", scenario.name, scenario.says));
            running.play(Some(scenario));
        }
        out::say(&format!(
            "M-Pesa simulator on http://{0}: broker at /mminterface/request, Daraja at its own paths, \
             ledger at http://{0}/sim/ledger",
            running.addr
        ));
        asked.wait().await;
        running.shutdown().await;
        Ok(())
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
    let starting = Simulator::start_encrypted(settings, Arc::new(SystemClock), encryption);
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
