//! What depends on time, on how often, and on more than one payment: the rules of payments as
//! tables over the pure functions alone. `tests/payment_table.rs` says what each event does in each
//! state.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test: its tables are long, and it panics to fail"
)]

mod any;
mod asking;
mod book;
mod claim;
mod guard;
mod joining;
mod laws;
mod sending;
mod validation;
