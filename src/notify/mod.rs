//! What goes out to people and to applications: text messages ([`sms`]), and the question whether
//! a payment is to be taken ([`ask`]).
//!
//! Both go over the rail's transport, which counts what left.

mod address;
pub mod ask;
pub mod sms;

pub use address::NotSetUp;
