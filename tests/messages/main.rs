//! Messages held against the schema: what is said of them, line by line, and that another
//! validator says the same.

#![expect(
    clippy::expect_used,
    clippy::arithmetic_side_effects,
    reason = "a test that panics has failed, as it should"
)]

mod command;
mod corpus;
mod deviations;
mod differential;
mod faults;
mod hostile;
mod partner;
