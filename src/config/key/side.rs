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
        "tls_listen",
        Kind::Listen,
        Given::Optional("\"127.0.0.1:18423\""),
        "A second address that speaks TLS and asks for a certificate of client_ca: the broker's.",
    ),
    key(
        "simulator",
        "https_listen",
        Kind::Listen,
        Given::Optional("\"127.0.0.1:8443\""),
        "A third that speaks TLS and asks for none: Daraja's.",
    ),
    key(
        "simulator",
        "tls_certificate",
        Kind::File,
        Given::Optional("\"certs/broker.pem\""),
        "Its certificate, where it is called and where it calls.",
    ),
    key(
        "simulator",
        "tls_key",
        Kind::File,
        Given::Optional("\"certs/broker-key.pem\""),
        "The private key of that.",
    ),
    key(
        "simulator",
        "client_ca",
        Kind::File,
        Given::Optional("\"certs/ca.pem\""),
        "The authorities of those who call it and whom it calls.",
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
