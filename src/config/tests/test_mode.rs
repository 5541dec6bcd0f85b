//! `[test]`: what a gateway in test mode may call.

use super::{complete, place};
use crate::config::section::{Test, TestClock};
use crate::config::{Environment, Source};

const NEAR: [(&str, &str); 2] = [
    ("MLANGO__BROKER__URL", "http://127.0.0.1:8310"),
    ("MLANGO__TEST__CLOCK", "http://127.0.0.1:8310/sim/clock"),
];

/// What `[test]` says, or what is wrong.
fn test(more: &[(&str, &str)]) -> Result<Option<Test>, String> {
    let dir = place();
    let pairs = NEAR.iter().chain(more).copied();
    let source = Source::text(complete(), dir.path()).with_environment(Environment::of(pairs));
    source.serve().map(|loaded| loaded.config.test).map_err(|faults| faults.to_string())
}

#[test]
fn a_gateway_goes_by_the_clock_of_the_simulator_that_it_calls() {
    let found = test(&[("MLANGO__TEST__SEED", "7")]).expect("no faults").expect("a section");
    let clock = TestClock {
        url: "http://127.0.0.1:8310/sim/clock".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 8310,
        path: "/sim/clock".to_owned(),
    };
    assert_eq!(found, Test { clock, seed: Some(7) });
    for near in ["http://127.0.0.1", "http://[::1]:1", "http://127.9.9.9:8310"] {
        let clock = format!("{near}/x");
        let at = [("MLANGO__BROKER__URL", near), ("MLANGO__TEST__CLOCK", clock.as_str())];
        let found = test(&at).expect(near).expect(near);
        assert!(!found.clock.host.contains('['), "{near}");
    }
}

#[test]
fn it_is_warned_of() {
    let dir = place();
    let source = Source::text(complete(), dir.path()).with_environment(Environment::of(NEAR));
    let warnings = source.serve().expect("no faults").warnings;
    let about = warnings.iter().find(|warning| warning.key == "test.clock").expect("a warning");
    assert!(about.what.contains("a gateway for tests"), "{about}");
}

/// What listens elsewhere on this machine may be a tunnel to the real broker, or another
/// simulator, on real time.
#[test]
fn whatever_it_calls_must_be_that_simulator() {
    let table = [
        ("MLANGO__BROKER__URL", "http://192.0.2.49:18423", "broker.url"),
        ("MLANGO__BROKER__URL", "https://broker.example.org", "broker.url"),
        ("MLANGO__BROKER__URL", "http://127.0.0.1.example.org", "broker.url"),
        ("MLANGO__BROKER__URL", "http://127.0.0.1:18423", "broker.url"),
        ("MLANGO__BROKER__URL", "http://127.0.0.1", "broker.url"),
        ("MLANGO__BROKER__URL", "http://127.0.0.2:8310", "broker.url"),
        ("MLANGO__BROKER__URL", "http://localhost:8310", "broker.url"),
        ("MLANGO__BROKER__URL", "http://[::1]:8310", "broker.url"),
        ("MLANGO__BROKER__URL", "https://127.0.0.1:8310", "broker.url"),
        ("MLANGO__DARAJA__URL", "http://127.0.0.1:8311", "daraja.url"),
        ("MLANGO__DARAJA__URL", "https://sandbox.safaricom.co.ke", "daraja.url"),
        ("MLANGO__SMS__URL", "http://127.0.0.1:8311/version1/messaging", "sms.url"),
        ("MLANGO__SMS__URL", "https://api.africastalking.com/version1/messaging", "sms.url"),
    ];
    for (variable, value, key) in table {
        let mut more = vec![
            ("MLANGO__DARAJA__URL", "http://127.0.0.1:8310"),
            ("MLANGO__DARAJA__CONSUMER_KEY", "a-key"),
            ("MLANGO__DARAJA__CONSUMER_SECRET", "a-secret"),
            ("MLANGO__DARAJA__PASSKEY", "a-passkey"),
            ("MLANGO__DARAJA__SHORTCODE", "174379"),
            ("MLANGO__SMS__URL", "http://127.0.0.1:8310/version1/messaging"),
            ("MLANGO__SMS__USERNAME", "me"),
            ("MLANGO__SMS__API_KEY", "a-key"),
        ];
        test(&more).expect("all of it is there");
        more.push((variable, value));
        let wrong = test(&more).expect_err(value);
        let says = format!("{key}: found {value}");
        assert!(wrong.contains(&says), "no {says} in {wrong}");
        assert!(wrong.contains("expected http://127.0.0.1:8310, where test.clock is"), "{wrong}");
    }
}

#[test]
fn the_clock_is_at_an_address_of_this_machine() {
    let elsewhere = [
        "http://192.0.2.49:8310/sim/clock",
        "https://127.0.0.1:8310/sim/clock",
        // A name may be two addresses: a simulator at one, a tunnel at the other.
        "http://localhost:8310/sim/clock",
    ];
    for clock in elsewhere {
        let wrong = test(&[("MLANGO__TEST__CLOCK", clock)]).expect_err(clock);
        assert!(wrong.contains("test.clock: must be plain HTTP at an address of this"), "{wrong}");
    }
}

#[test]
fn what_has_a_default_is_looked_at_too() {
    let account = [("MLANGO__SMS__USERNAME", "me"), ("MLANGO__SMS__API_KEY", "a-key")];
    let wrong = test(&account).expect_err("the default address of texts is far away");
    assert!(wrong.contains("sms.url: found https://"), "{wrong}");
}

#[test]
fn a_seed_is_nothing_without_a_clock() {
    let dir = place();
    let seed = Environment::of([("MLANGO__TEST__SEED", "7")]);
    let source = Source::text(complete(), dir.path()).with_environment(seed);
    let wrong = source.serve().expect_err("no clock").to_string();
    assert!(wrong.contains("test.seed: is set, and test.clock is not"), "{wrong}");
}
