//! The keys of the way to the broker.

use std::time::Duration;

use super::{BOTH, DEADLINE_MAX, Given, Key, Kind, MINUTE, SERVE, key, secs};

pub(super) const BROKER: &[Key] = &[
    key(
        "broker",
        "url",
        Kind::WebOrigin,
        Given::Needed(SERVE, "\"https://192.0.2.49:18423\""),
        "The broker's host and port; /mminterface/request and the rest are appended. Plain http:// is\n\
         for the simulator and the test bed; M-Pesa wants TLS both ways before going live.",
    ),
    key(
        "broker",
        "sp_id",
        Kind::Text,
        Given::Needed(BOTH, "\"100001\""),
        "The service provider's id (spId).",
    ),
    key(
        "broker",
        "sp_password",
        Kind::Secret,
        Given::Needed(BOTH, "\"<the service provider's password>\""),
        "The service provider's password, from which each request's spPassword is made.",
    ),
    key(
        "broker",
        "service_id",
        Kind::Text,
        Given::Needed(BOTH, "\"100001000\""),
        "The service's id (serviceId).",
    ),
    key(
        "broker",
        "timeout",
        Kind::Time(secs(1), DEADLINE_MAX),
        Given::Default("\"30s\""),
        "How long to wait for the broker's answer once a request is sent.",
    ),
    key(
        "broker",
        "connect_timeout",
        Kind::Time(Duration::from_millis(100), MINUTE),
        Given::Default("\"10s\""),
        "How long to wait for a connection.",
    ),
    key(
        "broker",
        "send_timeout",
        Kind::Time(Duration::from_millis(100), MINUTE),
        Given::Default("\"10s\""),
        "How long sending a request may take.",
    ),
    key(
        "broker",
        "max_in_flight",
        Kind::Count(1, 10_000),
        Given::Default("64"),
        "How many requests may await their answer at once.",
    ),
    key(
        "broker",
        "max_per_second",
        Kind::Count(1, 100_000),
        Given::Default("20"),
        "How many requests may be sent per second: what your contract with M-Pesa allows.",
    ),
    key(
        "broker",
        "header_namespace",
        Kind::Word(&["a", "b"]),
        Given::Default("\"a\""),
        "The namespace of RequestSOAPHeader: \"a\" is http://www.huawei.com/schema/osg/common/v2_1,\n\
         \"b\" is http://www.huawei.com.cn/schema/common/v2_1. The broker takes either.",
    ),
    key(
        "broker",
        "password_case",
        Kind::Word(&["upper", "lower"]),
        Given::Default("\"upper\""),
        "The case of the hexadecimal digits inside spPassword. The broker takes either.",
    ),
    key(
        "broker",
        "wsdl_dir",
        Kind::File,
        Given::Optional("\"wsdl\""),
        "A directory with M-Pesa's own .wsdl and .xsd files. Set, each request is held against them\n\
         before it is sent; a payout whose request is not to the schema fails, and nothing is sent.\n\
         `mlango xml validate --wsdl` holds recorded messages against the same files.",
    ),
    key(
        "broker",
        "ca",
        Kind::File,
        Given::Optional("\"certs/mpesa-ca.p7b\""),
        "The authorities (PEM, DER or .p7b) that the broker's certificate must come from, and no\n\
         others. Without it, those that this machine trusts.",
    ),
    key(
        "broker",
        "client_certificate",
        Kind::File,
        Given::Optional("\"certs/client.pem\""),
        "Our certificate towards the broker, with its chain (PEM, DER or .p7b).",
    ),
    key(
        "broker",
        "client_key",
        Kind::File,
        Given::Optional("\"certs/client-key.pem\""),
        "Its private key (PEM, without a passphrase).",
    ),
    key(
        "broker",
        "client_pkcs12",
        Kind::File,
        Given::Optional("\"certs/client.p12\""),
        "Our certificate and its key in one PKCS#12 file, in place of the two above.",
    ),
    key(
        "broker",
        "client_pkcs12_password",
        Kind::Secret,
        Given::Optional("\"<what opens it>\""),
        "What opens it; not set: nothing does.",
    ),
    key(
        "broker",
        "server_name",
        Kind::Text,
        Given::Optional("\"broker.example.org\""),
        "The name in the broker's certificate, where url has an address only.",
    ),
    key(
        "broker",
        "pins",
        Kind::Fingerprints,
        Given::Default("[]"),
        "If there are any, the broker's certificate must be one of these as well: SHA-256, as\n\
         `openssl x509 -noout -fingerprint -sha256 -in FILE` prints it.",
    ),
    key(
        "broker",
        "tls",
        Kind::Word(&["rustls", "openssl"]),
        Given::Default("\"rustls\""),
        "\"openssl\" speaks to a broker that is too old for rustls: TLS 1.0 or 1.1, small keys, a\n\
         certificate that has its name in the common name only. It verifies all the same.",
    ),
    key(
        "broker",
        "local_address",
        Kind::Address,
        Given::Optional("\"10.0.0.2\""),
        "The address of this machine that requests leave from: the VPN's.",
    ),
    key(
        "broker",
        "interface",
        Kind::Text,
        Given::Optional("\"tun0\""),
        "The network interface that they leave by, and no other (Linux).",
    ),
    key(
        "broker",
        "probe_every",
        Kind::Time(Duration::ZERO, MINUTE.saturating_mul(60)),
        Given::Default("\"30s\""),
        "How often the way to the broker is tried while nothing is sent: it connects, agrees on\n\
         encryption, and sends nothing. 0s: never.",
    ),
];
