//! Time that testers steer: a gateway and a simulator over real sockets, on one clock, and days of
//! their lives within seconds.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test that panics has failed, as it should"
)]

mod alike;
mod bench;
mod dates;
mod doubt;
mod pace;
mod pulls;
mod steering;
mod tokens;
