//! Daraja's messages as bytes and values: no socket, no clock, no state (spec/daraja.md).
//!
//! Requests have one canonical form, with the wire's own misspellings; what M-Pesa sends is read
//! however it comes: numbers or texts, objects or lists, in any order, with or without values.

pub mod ack;
pub mod answer;
mod api;
pub mod c2b;
pub mod error;
mod json;
pub mod oauth;
pub mod people;
pub mod pull;
pub mod redact;
pub mod request;
pub mod result;
pub mod rules;
pub mod show;
pub mod stk;
pub mod timeout;

pub use api::{Api, B2cVersion};
pub use json::Unreadable;
