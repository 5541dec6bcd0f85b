//! The records of what befalls the program as a whole: it starts, stops, and reads its secrets
//! anew.

use std::path::Path;

use rustix::process::geteuid;

use crate::config::Serve;
use crate::domain::payout::Status;
use crate::engine::Engine;
use crate::engine::audit::{Act, Actor, Deed, PROGRAM};

/// Where whoever runs this program is, for the record of what he does with it.
pub(super) fn here() -> String {
    format!("the shell, uid {}, without a gateway", geteuid().as_raw())
}

/// Whoever starts and stops the program.
pub(super) fn host() -> Actor {
    let from = format!("this machine, uid {}", geteuid().as_raw());
    Actor::new("whoever runs the program".to_owned(), from)
}

/// The gateway starts. Nothing was sent yet.
pub(super) async fn started(engine: &Engine, config: &Serve) {
    let (api, callbacks) = (config.api.listen, config.callbacks.listen);
    let what = format!(
        "mlango {} started, API on {api}, callbacks on {callbacks}",
        env!("CARGO_PKG_VERSION")
    );
    let act = Act {
        deed: Deed::Started,
        what,
        before: standing(engine),
        after: "it takes and sends".to_owned(),
    };
    write(engine, &host(), &act).await;
}

/// The gateway has stopped: what was under way is finished.
pub(super) async fn stopped(engine: &Engine) {
    let act = Act {
        deed: Deed::Stopped,
        what: "the gateway stopped when it was told to".to_owned(),
        before: "it took and sent".to_owned(),
        after: standing(engine),
    };
    write(engine, &host(), &act).await;
}

/// Files of secrets or certificates changed, and what they say is in use. Their names are told,
/// and not where they are.
pub(super) async fn reloaded<'a>(
    engine: &Engine,
    by_hand: bool,
    changed: impl Iterator<Item = &'a Path>,
) {
    let names: Vec<String> = changed
        .filter_map(|path| path.file_name())
        .map(|name| format!("{:?}", name.to_string_lossy()))
        .collect();
    let what = match (by_hand, names.is_empty()) {
        (_, false) => format!("secrets and certificates read again: {} changed", names.join(", ")),
        (true, true) => "secrets and certificates read again, as SIGHUP asked".to_owned(),
        (false, true) => "secrets and certificates read again".to_owned(),
    };
    let (before, after) = ("as they were read before", "as the files say now");
    let (before, after) = (before.to_owned(), after.to_owned());
    let act = Act { deed: Deed::Reloaded, what, before, after };
    let actor = if by_hand { host() } else { PROGRAM.clone() };
    write(engine, &actor, &act).await;
}

/// How payouts stand.
fn standing(engine: &Engine) -> String {
    let counts = engine.store().counts();
    let open = Status::ALL.iter().filter(|status| !status.is_final());
    let open: Vec<String> = open
        .map(|status| (status, counts.of(*status)))
        .filter(|(_status, count)| *count > 0)
        .map(|(status, count)| format!("{count} {status}"))
        .collect();
    if open.is_empty() { "no payout is open".to_owned() } else { open.join(", ") }
}

/// A store that takes no record takes no payout, either, and says so itself: the program goes on.
async fn write(engine: &Engine, actor: &Actor, act: &Act) {
    if let Err(error) = engine.record(actor, act).await {
        tracing::error!(act = act.deed.as_str(), %error, "an administrative act is not recorded");
    }
}
