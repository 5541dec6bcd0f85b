//! Pulling payments whose confirmations may be missing, by the clock (spec/daraja.md §1.13, §2.2).

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock as _;
use crate::clock::hands::Doing;
use crate::config::section::Pull;
use crate::engine::Engine;

/// Pulls until `stop`: at once, as a gateway that was down has missed what came meanwhile, and then
/// by the clock.
pub(super) async fn run(engine: Arc<Engine>, pull: Pull, stop: CancellationToken) {
    let _work = engine.clock().mark(Doing::Work);
    loop {
        let recovered = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            recovered = engine.recover(pull.window) => recovered,
        };
        match recovered {
            Ok(recovered) if recovered.missed > 0 => tracing::warn!(
                missed = recovered.missed,
                looked_at = recovered.rows,
                "payments whose confirmations never came are in the book now"
            ),
            Ok(_) => {}
            Err(error) => tracing::warn!(error, "payments cannot be pulled; it is tried again"),
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = engine.clock().sleep(pull.every, "pulling payments") => {}
        }
    }
}
