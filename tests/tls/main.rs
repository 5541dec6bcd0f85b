//! Encryption both ways, with real handshakes on loopback: what is let in, what is turned away, and
//! in which words. `openssl s_server` plays brokers that are old or particular.
#![expect(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test: it panics to fail"
)]

#[path = "../common/certificates.rs"]
mod certificates;
mod chain;
mod files;
mod listener;
mod peers;
mod refusals;
#[path = "../common/s_server.rs"]
mod s_server;
mod support;
