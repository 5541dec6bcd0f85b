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
fn a_gateway_on_this_machine_may_go_by_a_test_clock() {
    let found = test(&[("MLANGO__TEST__SEED", "7")]).expect("no faults").expect("a section");
    let clock = TestClock {
        url: "http://127.0.0.1:8310/sim/clock".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 8310,
        path: "/sim/clock".to_owned(),
    };
    assert_eq!(found, Test { clock: Some(clock), seed: Some(7) });
    for near in ["http://localhost:1/x", "http://[::1]:1/x", "http://127.9.9.9/x"] {
        let found = test(&[("MLANGO__TEST__CLOCK", near)]).expect(near).expect(near);
        assert!(found.clock.is_some_and(|clock| !clock.host.contains('[')), "{near}");
    }
}

#[test]
fn it_is_warned_of() {
    for (key, value) in [("test.clock", None), ("test.seed", Some(("MLANGO__TEST__SEED", "7")))] {
        let dir = place();
        let near = NEAR.into_iter().take(if value.is_some() { 1 } else { 2 });
        let source = Source::text(complete(), dir.path());
        let source = source.with_environment(Environment::of(near.chain(value)));
        let warnings = source.serve().expect(key).warnings;
        let about = warnings.iter().find(|warning| warning.key == key).expect(key);
        assert!(about.what.contains("a gateway for tests"), "{about}");
    }
}

#[test]
fn nothing_that_it_calls_may_be_another_machine() {
    let table = [
        ("MLANGO__BROKER__URL", "http://192.0.2.49:18423", "broker.url"),
        ("MLANGO__BROKER__URL", "https://broker.example.org", "broker.url"),
        ("MLANGO__BROKER__URL", "http://127.0.0.1.example.org", "broker.url"),
        ("MLANGO__SMS__URL", "https://api.africastalking.com/version1/messaging", "sms.url"),
    ];
    for (variable, value, key) in table {
        let account = [("MLANGO__SMS__USERNAME", "me"), ("MLANGO__SMS__API_KEY", "a-key")];
        let mut more = vec![(variable, value)];
        more.extend(account);
        let wrong = test(&more).expect_err(value);
        let says = format!("{key}: is another machine's, and [test] is set");
        assert!(wrong.contains(&says), "{wrong}");
    }
    for clock in ["http://192.0.2.49:8310/sim/clock", "https://127.0.0.1:8310/sim/clock"] {
        let wrong = test(&[("MLANGO__TEST__CLOCK", clock)]).expect_err(clock);
        assert!(wrong.contains("test.clock: must be plain HTTP on this machine"), "{wrong}");
    }
}

#[test]
fn what_has_a_default_is_looked_at_too() {
    let account = [("MLANGO__SMS__USERNAME", "me"), ("MLANGO__SMS__API_KEY", "a-key")];
    let wrong = test(&account).expect_err("the default address of texts is far away");
    assert!(wrong.contains("sms.url: is another machine's"), "{wrong}");
}
