//! What the running gateway says about itself: logs for people and collectors, metrics for
//! Prometheus.

pub mod log;
pub mod metric;
mod registry;
