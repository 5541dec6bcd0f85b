//! The program as its users meet it: the real binary, real sockets, real files, real signals.
//!
//! Every wait polls for what it waits for and is bounded. Whatever a gateway wrote to its log at
//! level `debug` is searched, each time, for secrets and personal data ([`process`]).

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that panics has failed, as it should"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "these tests stand outside of the program: they wait for processes in threads"
)]

#[path = "../common/certificates.rs"]
mod certificates;
#[path = "../common/s_server.rs"]
mod s_server;

mod api;
mod apps;
mod broker;
mod certify;
mod check;
mod config;
mod copies;
mod crash;
mod credential;
mod demo;
mod faults;
mod house;
mod init;
mod link;
mod money;
mod one_file;
mod payouts;
mod person;
mod private;
mod process;
mod reach;
mod readme;
mod scenario;
mod stop;
mod verify;
mod watch;
mod wire;
