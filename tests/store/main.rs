//! What every store owes, and what the one on a disk owes beyond it.
//!
//! `laws`, `lists` and `cases` are the meaning of the `Store` trait and run on every store;
//! `oracle` holds the store on sled against the one in memory. The rest is about the disk: `disk`
//! and `kill`, `power` (cuts of it, modelled), `damage` (of records) and `wreck` (of files);
//! `backup` (copies of it while it is written) and `copies` (that are damaged, cut off, or find no
//! room); `restored` (what is put in doubt before one takes the original's place).

#![expect(
    clippy::as_conversions,
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::wildcard_enum_match_arm,
    reason = "a test"
)]

mod backup;
mod bench;
mod cases;
mod copies;
mod damage;
mod disk;
mod full;
mod kill;
mod laws;
mod lists;
mod lives;
mod make;
mod oracle;
mod power;
mod restored;
mod seed;
mod wreck;
