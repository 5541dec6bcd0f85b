//! The engine: what it does with payouts, answers, results, faults and crashes.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::unwrap_in_result,
    clippy::disallowed_methods,
    reason = "a test: it panics to fail, and takes its number of cases from the environment"
)]

mod desk;
mod edges;
mod inquiry;
mod life;
mod rail;
mod random;
mod sending;
mod store;
mod support;
mod till;
