//! What empties doubt, and what does not: the rules of asking M-Pesa, as tables over `step` alone.
//!
//! `tests/payout_table.rs` says what each event does in each state; here is what depends on time,
//! on which question was answered, on how often, and on what M-Pesa said before.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::wildcard_enum_match_arm,
    reason = "a test: its tables are long, and it panics to fail"
)]

mod absence;
mod any;
mod asking;
mod life;
mod sending;
mod word;
