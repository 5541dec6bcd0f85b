//! A configuration in which everything is set, and what may not be set together.

use std::path::Path;
use std::time::Duration;

use super::{TOKEN, complete, place};
use crate::config::{Source, key};

/// What begins with `#` alone in the example, set: every section and list there is.
pub(super) fn everything() -> String {
    let open = |line: &str| match line.strip_prefix('#') {
        Some(set) if set.starts_with(|c: char| c == '[' || c.is_ascii_alphabetic()) => {
            set.to_owned()
        }
        _ => line.to_owned(),
    };
    let lines: Vec<String> = complete().lines().map(open).collect();
    ["consumer key", "consumer secret"]
        .iter()
        .fold(lines.join("\n"), |text, word| {
            text.replace(&format!("\"<the app's {word}>\""), "\"a\"")
        })
        .replace("\"<the short code's passkey>\"", "\"a-passkey\"")
        .replace("\"<the account's API key>\"", "\"a-key\"")
        .replace("\"<name=value,name=value>\"", "\"a=b,c=d\"")
        .replace("\"<the token before this one>\"", &format!("\"{TOKEN}\""))
        // Where it is set, nothing else may be what the example shows.
        .replace("\n[test]", "\n#[test]")
        .replace("\nclock = ", "\n#clock = ")
        .replace("\nseed = ", "\n#seed = ")
        // A certificate is in two files, or in one.
        .replace("client_pkcs12 = ", "#client_pkcs12 = ")
        .replace("client_pkcs12_password = ", "#client_pkcs12_password = ")
}

/// Where every file is that the example names.
fn place_of_everything() -> tempfile::TempDir {
    let dir = place();
    for key in key::all().filter(|key| matches!(key.kind, key::Kind::File)) {
        if let key::Given::Optional(toml) = key.given {
            let path = dir.path().join(toml.trim_matches('"'));
            std::fs::write(path, "not looked into here").expect(toml);
        }
    }
    dir
}

#[test]
fn everything_that_the_example_shows_can_be_set() {
    let dir = place_of_everything();
    let read = |text: &str| Source::text(text, dir.path()).serve();
    let config = read(&everything()).expect("no faults").config;
    let way = config.broker.expect("a broker").way;
    assert!(matches!(way.identity, Some(crate::tls::IdentityFiles::Pair { .. })));
    assert!(way.ca.is_some() && !way.old && way.pins.is_empty());
    let callbacks = &config.callbacks;
    assert!(callbacks.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some()));
    assert!(callbacks.plain_listen.is_some() && callbacks.previous_token.is_some());
    let daraja = config.daraja.expect("daraja");
    assert_eq!((daraja.url.https, daraja.url.port), (true, 443));
    assert_eq!(daraja.url.host, "sandbox.safaricom.co.ke");
    assert!(daraja.names_payouts && !daraja.by_originator);
    assert_eq!(daraja.app.till.expect("a till").as_str(), "5123456");
    assert_eq!(daraja.link.stk_query_every, Duration::from_secs(12));
    assert_eq!(config.c2b.routes.len(), 1);
    assert_eq!(config.c2b.routes[0].app, "billing");
    assert!(config.c2b.routes[0].accounts[0].fits("inv-77"));
    assert_eq!(config.c2b.ask[0].deadline, Duration::from_secs(3));
    assert!(config.c2b.ask[0].accept_by_default && config.c2b.pull.is_none());
    assert_eq!(config.stk.policy, crate::domain::payment::Policy::default());
    assert_eq!(config.c2b.rules, crate::domain::payment::validation::Rules::default());
    let log = config.log.file.expect("a file of the log");
    assert_eq!((log.rotate_bytes, log.keep), (50 << 20, 5));
    assert_eq!(log.path, Path::new("/var/log/mlango/mlango.log"), "it need not be there");
    let telemetry = config.telemetry.expect("telemetry");
    assert_eq!(telemetry.otlp_url, "http://127.0.0.1:4318");
    assert_eq!((telemetry.sample_percent, telemetry.service_name.as_str()), (100, "mlango"));
    let sms = config.sms.expect("sms");
    assert_eq!((sms.templates.len(), sms.account.from.as_deref()), (3, Some("EXAMPLEORG")));
    // The broker may be left out where payouts go another way, and Daraja where they do not.
    let only = everything().replace("# rail = \"soap\"", "rail = \"daraja\"");
    let (before, rest) = only.split_once("\n[broker]").expect("a broker");
    let (_broker, after) = rest.split_once("\n[daraja]").expect("daraja");
    let config = read(&format!("{before}\n[daraja]{after}")).expect("no faults").config;
    assert!(config.broker.is_none() && config.daraja.is_some());
    let neither = complete().replace("# rail = \"soap\"", "rail = \"daraja\"");
    let found = read(&neither).expect_err("no way to pay").to_string();
    for key in ["url", "consumer_key", "consumer_secret", "passkey", "shortcode"] {
        let wanted = format!("daraja.{key}: is not set, and `mlango serve` needs it");
        assert!(found.contains(&wanted), "{found}");
    }
    let half = complete().replace("#shortcode = \"174379\"", "shortcode = \"174379\"");
    let found = read(&half).expect_err("the rest is missing").to_string();
    assert_eq!(found.lines().count(), 4, "{found}");
}

#[test]
fn what_daraja_refuses_is_named() {
    let dir = place_of_everything();
    let found = |changes: &[(&str, &str)]| {
        let text = changes.iter().fold(everything(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        let faults = Source::text(text, dir.path()).serve().expect_err("a fault");
        assert_eq!(faults.0.len(), 1, "{faults}");
        faults.to_string()
    };
    let public_url = "public_url = \"https://gw.example.org\"";
    let word = found(&[(public_url, "public_url = \"https://mpesa.example.org\"")]);
    assert!(word.contains("callbacks.public_url: has \"mpesa\" in it"), "{word}");
    let plain = found(&[
        (public_url, "public_url = \"http://gw.example.org\""),
        ("https://sandbox.safaricom.co.ke\"", "https://api.safaricom.co.ke\""),
    ]);
    assert!(plain.contains("callbacks.public_url: must be an https address"), "{plain}");
    let again = found(&[
        ("b2c_version = \"v3\"", "b2c_version = \"v1\""),
        ("# on_not_found = \"resend\"", "on_not_found = \"resend\""),
    ]);
    assert!(again.contains("payouts.on_not_found: must be \"person\""), "{again}");
    let pull = found(&[("# pull_every = \"0s\"", "pull_every = \"4h\"")]);
    assert!(pull.contains("c2b.pull_window: is shorter than two pulls"), "{pull}");
    let text = everything().replace("b2c_version = \"v3\"", "b2c_version = \"v1\"");
    let config = Source::text(text, dir.path()).serve().expect("no faults").config;
    let rule = config.payouts.policy.on_not_found;
    assert_eq!(rule, crate::domain::payout::NotFoundRule::Person, "whatever its default is");
}

/// What belongs together and is not set together, and what excludes each other.
#[test]
fn halves_of_an_encryption_are_named() {
    let dir = place_of_everything();
    let found = |changes: &[(&str, &str)]| {
        let text = changes.iter().fold(everything(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        let faults = Source::text(text, dir.path()).serve().expect_err("a fault");
        assert_eq!(faults.0.len(), 1, "{faults}");
        faults.to_string()
    };
    let table: [(&[(&str, &str)], &str); 8] = [
        (
            &[("tls_key = \"certs/api-key.pem\"", "")],
            "api.tls_certificate: is set, but tls_key is not",
        ),
        (
            &[("tls_certificate = \"certs/api.pem\"", "")],
            "api.tls_key: is set, but tls_certificate is not",
        ),
        (
            &[("client_key = \"certs/client-key.pem\"", "")],
            "broker.client_certificate: is set, but client_key is not",
        ),
        (
            &[("client_certificate = \"certs/client.pem\"", "")],
            "broker.client_key: is set, but client_certificate is not",
        ),
        (
            &[("#client_pkcs12 = ", "client_pkcs12 = ")],
            "broker.client_pkcs12: is set beside client_certificate",
        ),
        (
            &[
                ("client_ca = \"certs/mpesa-ca.p7b\"", ""),
                ("# client_names = []", "client_names = [\"broker.example.org\"]"),
            ],
            "callbacks.client_names: is set, but nobody is asked for a certificate",
        ),
        (
            &[("plain_listen = \"127.0.0.1:8082\"", "plain_listen = \"127.0.0.1:8081\"")],
            "callbacks.plain_listen: is the same as callbacks.listen",
        ),
        (
            &[("plain_listen = \"127.0.0.1:8082\"", "plain_listen = \"0.0.0.0:8080\"")],
            "callbacks.plain_listen: is the same as api.listen",
        ),
    ];
    for (changes, says) in table {
        let found = found(changes);
        assert!(found.contains(says), "{says}: {found}");
    }
    let plain = everything().replace("https://192.0.2.49:18423", "http://192.0.2.49:8310");
    let faults = Source::text(plain, dir.path()).serve().expect_err("faults").to_string();
    for name in ["ca", "client_certificate", "server_name"] {
        let says =
            format!("broker.{name}: is about encryption, but broker.url begins with http://");
        assert!(faults.contains(&says), "{faults}");
    }
}
