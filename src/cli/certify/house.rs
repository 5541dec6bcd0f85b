//! A gateway of a run's own, for systems that talk to the gateway and not to M-Pesa.

use std::path::Path;
use std::time::Duration;

use crate::app::Gateway;
use crate::cli::client::base_of;
use crate::cli::demo::free_port;
use crate::cli::{Failure, init};
use crate::config::{Environment, Source};
use crate::store::Scope;

/// The shortest wait that the configuration takes.
const LEAST: Duration = Duration::from_secs(1);

/// A gateway that runs, and a key for it.
pub(super) struct House {
    gateway: Gateway,
    /// Where its API is.
    pub(super) base: String,
    /// An application's key.
    pub(super) key: String,
}

/// Writes a throw-away configuration of gateway and simulator, whose waits suit what is as late as
/// `late`.
pub(super) fn write(dir: &Path, late: Duration) -> Result<std::path::PathBuf, Failure> {
    let (api, callbacks, broker) = (free_port(0)?, free_port(0)?, free_port(0)?);
    let late = late.max(LEAST);
    let wait = |times: u32| format!("\"{}ms\"", late.saturating_mul(times).as_millis());
    let local = |port: u16| format!("\"127.0.0.1:{port}\"");
    let values = [
        ("api.listen", local(api)),
        ("callbacks.listen", local(callbacks)),
        ("callbacks.public_url", format!("\"http://127.0.0.1:{callbacks}\"")),
        ("callbacks.allow", "[\"127.0.0.0/8\"]".to_owned()),
        ("broker.url", format!("\"http://127.0.0.1:{broker}\"")),
        ("broker.timeout", wait(1)),
        ("payouts.result_overdue", wait(2)),
        ("payouts.arrival_window", wait(2)),
        ("payouts.cached_window", wait(3)),
        ("payouts.inquiry_intervals", format!("[{0}, {0}, {0}, {0}]", wait(1))),
        ("simulator.listen", local(broker)),
        ("daraja.url", format!("\"http://127.0.0.1:{broker}\"")),
        ("log.level", "\"error\"".to_owned()),
    ];
    init::write(dir, &values)
}

impl House {
    /// Starts the gateway that `file` configures.
    pub(super) async fn start(file: &Path) -> Result<Self, Failure> {
        let serve = Source::open(Some(file), Environment::default())?.serve()?.config;
        let gateway = Gateway::start(&serve).await.map_err(Failure::failed)?;
        let scopes = [Scope::PayoutsWrite, Scope::PayoutsRead];
        let key = gateway.create_app("certify", &scopes).await.map_err(Failure::failed)?;
        Ok(Self { base: base_of(gateway.api, false), gateway, key })
    }

    /// Stops it in order.
    pub(super) async fn end(self) {
        self.gateway.drain().await;
    }
}
