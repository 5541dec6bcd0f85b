//! The simulator's other half, without sockets and under a clock that a test moves: Daraja and what
//! it refuses, prompts and customers, one book of money for both interfaces, every fault, and the
//! provider of text messages. `socket.rs` has it over a real one.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that fails should say where, and a table may be long"
)]

mod chaos;
mod checklist;
mod checks;
mod customer;
mod faults;
mod money;
mod phones;
mod prompts;
mod pull;
mod seen;
mod sms;
mod socket;
mod support;
mod token;
