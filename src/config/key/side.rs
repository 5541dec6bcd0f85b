//! The keys of what stands beside the gateway: the simulator, and the log.

use super::{GIB, Given, KIB, Key, Kind, SERVE, SIMULATE, key};

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

pub(super) const TEST: &[Key] = &[
    key(
        "test",
        "clock",
        Kind::Url,
        Given::Optional("\"http://127.0.0.1:8310/sim/clock\""),
        "The gateway goes by the clock of this simulator, which testers steer. broker.url,\n\
         daraja.url and sms.url must be the same simulator then, at the same address and port in\n\
         plain HTTP. It needs a store of its own, which no other gateway opens afterwards.",
    ),
    key(
        "test",
        "seed",
        Kind::Count(0, 1 << 53),
        Given::Optional("1"),
        "Identifiers follow from this number, the clock and what is in the store: two runs alike,\n\
         each with a new store, have the same. Only with clock.",
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
    key(
        "log",
        "file",
        Kind::Output,
        Given::Optional("\"/var/log/mlango/mlango.log\""),
        "A file that `mlango serve` writes to in place of standard error. Only its owner can read\n\
         it. If logrotate moves it away, a new one is made.",
    ),
    key(
        "log",
        "rotate_bytes",
        Kind::Size(64 * KIB, GIB),
        Given::Default("\"50 MiB\""),
        "A file that would become longer is renamed to ….1, that to ….2, and so on.",
    ),
    key(
        "log",
        "keep",
        Kind::Count(0, 100),
        Given::Default("5"),
        "How many renamed files are kept: the log takes at most rotate_bytes × (keep + 1).",
    ),
];

pub(super) const TELEMETRY: &[Key] = &[
    key(
        "telemetry",
        "otlp_url",
        Kind::Url,
        Given::Needed(SERVE, "\"http://127.0.0.1:4318\""),
        "The collector; /v1/traces is appended. No phone, name or amount is sent to it.",
    ),
    key(
        "telemetry",
        "otlp_headers",
        Kind::Secret,
        Given::Optional("\"<name=value,name=value>\""),
        "Headers that it wants, such as \"api-key=…\"; with commas between.",
    ),
    key(
        "telemetry",
        "sample_percent",
        Kind::Count(1, 100),
        Given::Default("100"),
        "How many of a hundred traces are sent; a trace is sent whole or not at all.",
    ),
    key(
        "telemetry",
        "service_name",
        Kind::Text,
        Given::Default("\"mlango\""),
        "What the gateway is called there.",
    ),
    key(
        "telemetry",
        "ca",
        Kind::File,
        Given::Optional("\"certs/ca.pem\""),
        "Certificate authorities (PEM) that are trusted besides this machine's own.",
    ),
];
