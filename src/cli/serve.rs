//! `mlango serve`: the gateway.

use std::sync::Arc;

use super::{Asked, Context, Failure, out, private};
use crate::app::{Again, Gateway, NotStarted};
use crate::config::{Environment, Source};
use crate::domain::payout::Status;
use crate::store::Counts;
use crate::telemetry;

pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let loaded = context.source()?.serve()?;
    let _log = telemetry::log::init(&loaded.config.log)
        .map_err(|error| Failure::Usage(error.to_string()))?;
    for warning in &loaded.warnings {
        tracing::warn!(%warning, "configuration");
    }
    if let Some(warning) = private::root_warning() {
        tracing::warn!("{warning}");
    }
    let mut asked = Asked::listen()?;
    let config = context.config.clone();
    let again = Again {
        read: Box::new(move || Source::open(config.as_deref(), Environment::process())?.serve()),
    };
    let gateway = Gateway::start_kept(&loaded.config, Some(again)).await.map_err(not_started)?;
    let scheme = |tls: bool| if tls { "https" } else { "http" };
    let (api, callbacks) = (&loaded.config.api.tls, &loaded.config.callbacks.tls);
    out::say(&format!(
        "API on {}://{}, callbacks on {}://{}",
        scheme(api.is_some()),
        gateway.api,
        scheme(callbacks.is_some()),
        gateway.callbacks
    ));
    asked.wait().await;
    tracing::info!("asked to stop: finishing what is under way");
    let store = Arc::clone(gateway.store());
    tokio::select! {
        () = gateway.drain() => {}
        () = asked.wait() => return Err(cut(&store.counts())),
    }
    tracing::info!("stopped");
    Ok(())
}

/// What a second signal leaves behind. Nothing is lost by it: what was answered is on the disk.
fn cut(counts: &Counts) -> Failure {
    let sending = counts.of(Status::Sending);
    Failure::Failed(format!(
        "asked to stop a second time, and ended at once: requests that were under way got no \
         answer; the payouts that were being sent ({sending}) are unknown from the next start on, \
         and are not sent again"
    ))
}

/// A file that will not do is bad configuration; a port or a store that is in use is not.
fn not_started(why: NotStarted) -> Failure {
    match why {
        NotStarted::Certificate { .. }
        | NotStarted::File { .. }
        | NotStarted::Tls { .. }
        | NotStarted::SetUp(..)
        | NotStarted::Schema(_)
        | NotStarted::OtherBook(_)
        | NotStarted::OtherClock
        | NotStarted::NoSuchApp(_) => Failure::Usage(why.to_string()),
        NotStarted::Listen(..)
        | NotStarted::Store(_)
        | NotStarted::Unmarked(_)
        | NotStarted::TestClock(_) => Failure::failed(why),
    }
}
