//! The simulator over real sockets: what it checks, what it pays, what it answers, what it
//! reports, and how it leaves a connection without an answer. And without sockets, under a clock
//! that a test moves: what it holds, how it misbehaves.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::too_many_lines,
    reason = "a test that fails should say where, and a table may be long"
)]

mod accounts;
mod checks;
mod control;
mod faults;
mod offline;
mod phones;
mod queries;
mod results;
mod support;
