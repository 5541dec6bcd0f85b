//! What the running gateway says about itself: logs for people and collectors, metrics for
//! Prometheus, spans for whoever follows one payout.

pub mod log;
pub mod metric;
mod registry;
pub mod trace;
