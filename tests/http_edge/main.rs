//! The HTTP edge: the REST API, the callbacks, the socket file, and the server under them.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "tests"
)]

mod admin;
mod attack;
mod audit;
mod callback;
mod claims;
mod copies;
mod daraja;
mod help;
mod inquiries;
mod keys;
mod limits;
mod look;
mod money;
mod notices;
mod office;
mod ops;
mod person;
mod server;
mod submit;
mod support;
