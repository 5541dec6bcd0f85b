//! `mlango serve`: the gateway.

use super::{Asked, Context, Failure, out};
use crate::app::{Gateway, NotStarted};
use crate::telemetry;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let loaded = context.source()?.serve()?;
    telemetry::log::init(&loaded.config.log).map_err(|error| Failure::Usage(error.to_string()))?;
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "configuration");
    }
    let asked = Asked::listen()?;
    let gateway = Gateway::start(&loaded.config).await.map_err(not_started)?;
    out::say(&format!("API on http://{}, callbacks on http://{}", gateway.api, gateway.callbacks));
    asked.wait().await;
    tracing::info!("asked to stop: finishing what is under way");
    gateway.drain().await;
    tracing::info!("stopped");
    Ok(())
}

/// A file that will not do is bad configuration; a port or a store that is in use is not.
fn not_started(why: NotStarted) -> Failure {
    match why {
        NotStarted::Certificate { .. } | NotStarted::File { .. } => Failure::Usage(why.to_string()),
        NotStarted::Listen(..) | NotStarted::Store(_) => Failure::failed(why),
    }
}
