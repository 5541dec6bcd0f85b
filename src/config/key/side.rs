//! The keys of what stands beside the gateway: the simulator, and the log.

use super::{Given, Key, Kind, SIMULATE, key};

pub(super) const SIMULATOR: &[Key] = &[
    key(
        "simulator",
        "listen",
        Kind::Listen,
        Given::Default("\"127.0.0.1:8310\""),
        "Address and port of the simulated broker.",
    ),
    key(
        "simulator",
        "credential_key",
        Kind::File,
        Given::Needed(SIMULATE, "\"certs/credential.key\""),
        "The private key (PEM) that belongs to organisation.credential_certificate.",
    ),
    key(
        "simulator",
        "balance",
        Kind::Money,
        Given::Default("\"10000000.00\""),
        "What the organisation's simulated account holds at the start.",
    ),
];

pub(super) const LOG: &[Key] = &[
    key(
        "log",
        "level",
        Kind::LogLevel,
        Given::Default("\"info\""),
        "off, error, warn, info, debug or trace; also by part: \"info,mlango::rail=debug\".",
    ),
    key(
        "log",
        "format",
        Kind::Word(&["text", "json"]),
        Given::Default("\"text\""),
        "\"text\" for people, \"json\" for log collectors.",
    ),
];
