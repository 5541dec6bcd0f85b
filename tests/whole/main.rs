//! The whole gateway and the whole simulator in one process, under virtual time, from a seed.
//!
//! Everything is as in production: the API's router, the engine, the SOAP messages, the callbacks'
//! router, and the simulator's broker with its book of money. Only three things are others: sockets
//! are a network of our own that loses, repeats, delays and cuts; the disk is the store in memory,
//! which may be too busy or fail; and the program can be killed between any two of its effects.
//!
//! - `seeds`: every fault of the contract's part 4 at high rates, with kills and restarts; the
//!   book must equal the ledger. `MLANGO_SEEDS` says how many, `MLANGO_SEED` plays one again and
//!   prints what happened, `MLANGO_PAYOUTS` says how many payouts each has.
//! - `crash`: the program killed at every single point, one after the other, and every effect
//!   performed twice.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::wildcard_enum_match_arm,
    reason = "a test: it panics to fail, and prints what it did"
)]

mod check;
mod crash;
mod dice;
mod fate;
mod income;
mod life;
mod net;
mod scenarios;
mod seeds;
mod store;
mod till;
mod world;
