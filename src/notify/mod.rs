//! What goes out to people and to applications: text messages ([`sms`]), the question whether
//! a payment is to be taken ([`ask`]), and traces ([`traces`]).
//!
//! All go over the rail's transport, which counts what left.

mod address;
pub mod ask;
pub mod sms;
pub mod traces;

pub use address::NotSetUp;
