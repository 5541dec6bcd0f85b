//! The HTTP edge: the REST API, the callbacks, the socket file, and the server under them.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::string_slice,
    reason = "tests"
)]

mod admin;
mod api;
mod callback;
mod server;
mod support;
