//! What is read off the store and the gate for the metrics, once a second.

use super::Engine;
use crate::domain::payout::{Rail, Status};
use crate::telemetry::metric;

impl Engine {
    /// Brings the gauges up to date.
    pub fn measure(&self) {
        let counts = self.parts.store.counts();
        for status in Status::ALL {
            if !status.is_final() {
                metric::PAYOUTS.with([status.as_str()]).set(counts.of(status));
            }
        }
        let cents = counts.in_doubt().cents();
        metric::SHILLINGS_IN_DOUBT.with([]).set(cents.div_ceil(100));
        let stopped = self.gate.state().stopped.is_some();
        metric::RAIL_STOPPED.with([Rail::Soap.as_str()]).set(u64::from(stopped));
    }
}
