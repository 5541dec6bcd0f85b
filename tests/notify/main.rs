//! Text messages and questions to applications, over real sockets: against the simulator, and
//! against peers that misbehave.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test: it panics to fail"
)]

mod ask;
mod peer;
mod sms;
