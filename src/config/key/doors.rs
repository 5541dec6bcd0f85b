//! The keys of the two listeners.

use super::{CONNECTIONS_MAX, DEADLINE_MAX, Given, KIB, Key, Kind, MIB, SERVE, key, secs};

pub(super) const API: &[Key] = &[
    key(
        "api",
        "listen",
        Kind::Listen,
        Given::Default("\"127.0.0.1:8080\""),
        "Address and port. Without tls_certificate it speaks plain HTTP: keep it on loopback then, or\n\
         behind a TLS proxy.",
    ),
    key(
        "api",
        "tls_certificate",
        Kind::File,
        Given::Optional("\"certs/api.pem\""),
        "The listener's certificate with its chain (PEM, DER or .p7b). Set: HTTPS.",
    ),
    key(
        "api",
        "tls_key",
        Kind::File,
        Given::Optional("\"certs/api-key.pem\""),
        "Its private key (PEM, without a passphrase).",
    ),
    key(
        "api",
        "tls_ca",
        Kind::File,
        Given::Optional("\"certs/ca.pem\""),
        "The authority of that certificate, for the shell's commands that call the API, where this\n\
         machine does not trust it anyway.",
    ),
    key(
        "api",
        "max_connections",
        Kind::Count(1, CONNECTIONS_MAX),
        Given::Default("1024"),
        "How many connections may be open at once; more wait to be accepted.",
    ),
    key(
        "api",
        "max_body_bytes",
        Kind::Size(KIB, 16 * MIB),
        Given::Default("65536"),
        "The largest request body; a larger one is answered 413.",
    ),
    key(
        "api",
        "header_timeout",
        Kind::Time(secs(1), DEADLINE_MAX),
        Given::Default("\"10s\""),
        "How long a client may take over its request's head.",
    ),
    key(
        "api",
        "body_timeout",
        Kind::Time(secs(1), DEADLINE_MAX),
        Given::Default("\"15s\""),
        "How long a client may take over its request's body.",
    ),
    key(
        "api",
        "requests_per_second_per_key",
        Kind::Count(0, 1_000_000),
        Given::Default("10000"),
        "How many requests a second one application may make in the long run; beyond that it is\n\
         answered 429 with Retry-After. 0: any number.",
    ),
    key(
        "api",
        "requests_per_second_per_peer",
        Kind::Count(0, 1_000_000),
        Given::Default("20000"),
        "The same for one peer's address, whatever its keys. 0: any number.",
    ),
    key(
        "api",
        "requests_burst",
        Kind::Count(1, 10_000_000),
        Given::Default("40000"),
        "How many requests may come at once after a rest, of either.",
    ),
    key(
        "api",
        "wrong_keys_per_minute_per_peer",
        Kind::Count(0, 1_000_000),
        Given::Default("120"),
        "How many requests with a wrong key one peer's address may make in a minute; more are\n\
         answered 429. Requests with a good key are served all the same. 0: any number.",
    ),
    key(
        "api",
        "metrics_for",
        Kind::Word(&["anybody", "keys"]),
        Given::Default("\"anybody\""),
        "Who is shown /metrics, and why /readyz says no: anybody who reaches the listener, or keys\n\
         with read:all or admin. They tell how much is paid and in doubt.",
    ),
];

pub(super) const CALLBACKS: &[Key] = &[
    key(
        "callbacks",
        "listen",
        Kind::Listen,
        Given::Default("\"127.0.0.1:8081\""),
        "Address and port; its own, so that it alone is reachable over the VPN.",
    ),
    key(
        "callbacks",
        "public_url",
        Kind::PublicUrl,
        Given::Needed(SERVE, "\"https://gw.example.org\""),
        "How M-Pesa reaches this listener; /cb/TOKEN/… is appended.",
    ),
    key(
        "callbacks",
        "token",
        Kind::Token,
        Given::Needed(SERVE, "\"<32 or more hexadecimal digits>\""),
        "The secret part of the callback paths: `openssl rand -hex 24` makes one.",
    ),
    key(
        "callbacks",
        "allow",
        Kind::Networks,
        Given::Default("[]"),
        "Source networks that may call, such as [\"196.201.212.0/22\"]. Empty: any.",
    ),
    key(
        "callbacks",
        "max_connections",
        Kind::Count(1, CONNECTIONS_MAX),
        Given::Default("1024"),
        "How many connections may be open at once; more wait to be accepted.",
    ),
    key(
        "callbacks",
        "max_body_bytes",
        Kind::Size(16 * KIB, 16 * MIB),
        Given::Default("1048576"),
        "The largest message; a larger one is refused.",
    ),
    key(
        "callbacks",
        "wrong_calls_per_minute_per_peer",
        Kind::Count(0, 1_000_000),
        Given::Default("120"),
        "How many calls one peer's address may make in a minute that fail for their network,\n\
         certificate, path or token; more are cut off with 429. A call with the right token is\n\
         always heard. 0: any number.",
    ),
    key(
        "callbacks",
        "tls_certificate",
        Kind::File,
        Given::Optional("\"certs/callbacks.pem\""),
        "The listener's certificate with its chain (PEM, DER or .p7b). Set: HTTPS.",
    ),
    key(
        "callbacks",
        "tls_key",
        Kind::File,
        Given::Optional("\"certs/callbacks-key.pem\""),
        "Its private key (PEM, without a passphrase).",
    ),
    key(
        "callbacks",
        "client_ca",
        Kind::File,
        Given::Optional("\"certs/mpesa-ca.p7b\""),
        "The authorities (PEM, DER or .p7b) one of whose certificates a caller must show.",
    ),
    key(
        "callbacks",
        "client_names",
        Kind::Texts,
        Given::Default("[]"),
        "If there are any, a caller's certificate must be for one of these names (its common name,\n\
         a host in it, or its whole subject as mlango shows it).",
    ),
    key(
        "callbacks",
        "plain_listen",
        Kind::Listen,
        Given::Optional("\"127.0.0.1:8082\""),
        "A second address, in plain HTTP, beside HTTPS on `listen`: for a caller in between that\n\
         speaks TLS itself.",
    ),
    key(
        "callbacks",
        "previous_token",
        Kind::Token,
        Given::Optional("\"<the token before this one>\""),
        "A token that is still taken after the token was changed: M-Pesa calls about what was sent\n\
         with it for days.",
    ),
];
