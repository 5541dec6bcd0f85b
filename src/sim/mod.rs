//! The M-Pesa simulator: the SOAP broker, with a ledger that knows what was really paid.

pub mod book;
pub mod exchange;
mod histogram;
pub mod load;
pub mod script;
