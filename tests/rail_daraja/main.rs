//! The Daraja rail before the simulator, on real sockets: what each answer means, what may be sent
//! again, and that no secret is kept.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test: it panics to fail"
)]

mod answers;
mod counter;
mod payouts;
mod recover;
mod secrets;
mod support;
mod tls;
mod token;
