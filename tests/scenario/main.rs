//! Scenarios: what a file may say, what becomes of which request under it, over both interfaces,
//! and that those that ship do what they say.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines,
    reason = "a test that fails should say where, and a table may be long"
)]

mod control;
mod files;
mod ready;
mod rules;
mod schema;
#[expect(dead_code, reason = "it is the Daraja tests' too, who need more of it")]
#[path = "../sim_daraja/support.rs"]
mod support;
mod world;
