//! What payouts, payments, inquiries and text messages are and how they move.
//!
//! Pure: no clock, no socket, no disk, no randomness. Everything here is a value or a function of
//! values; time arrives as an argument. The engine remembers what this module decides, and the
//! edges talk.

pub mod account;
pub mod id;
pub mod inquiry;
pub mod limit;
pub mod mask;
pub mod money;
pub mod outcome;
pub mod party;
pub mod payment;
pub mod payout;
pub mod restored;
pub mod retry;
pub mod subject;
pub mod tag;
pub mod text;
pub mod time;
pub mod told;
