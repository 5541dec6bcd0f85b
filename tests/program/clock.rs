//! Time that testers steer, between two programs.

use std::fs;

use serde_json::{Value, json};

use crate::api::{Api, get, id_of, payout};
use crate::house::House;
use crate::process::{Process, eventually};
use crate::wire::ask;

/// Ten seconds before the year ends in Nairobi.
const LAST_EVENING: &str = "2026-12-31T20:59:50Z";

/// A house whose gateway goes by the simulator's clock.
fn house() -> House {
    let house = House::new();
    let simulator = format!("http://127.0.0.1:{}", house.broker);
    house
        .with("DARAJA__URL", &simulator)
        .with("SMS__URL", &format!("{simulator}/version1/messaging"))
        .with("TEST__CLOCK", &format!("{simulator}/sim/clock"))
}

fn simulate(house: &House) -> Process {
    let mut simulator =
        house.start(&["simulate", "--stand", "--clock", LAST_EVENING, "--seed", "7"]);
    simulator.until("the simulator answers", |_| house.answers(house.broker));
    simulator
}

/// Moves the clock on; it must come there.
fn steer(house: &House, how: &Value) -> Value {
    let headers = [("Content-Type", "application/json")];
    let answer = ask(house.broker, "POST", "/sim/clock", &headers, &how.to_string());
    let came = answer.expect("an answer").json();
    assert_eq!(came["arrived"], true, "{came}");
    came
}

#[test]
fn days_pass_in_moments_and_a_restart_changes_nothing() {
    let house = house();
    let api = house.client("finance", &["payouts:write", "payouts:read"]);
    let _simulator = simulate(&house);
    let mut gateway = house.serve();
    let taken = api.submit("key-1", &payout("254722000008", "100.00"));
    steer(&house, &json!({"advance": "4s"}));
    assert_eq!(api.payout(id_of(&taken))["status"], "unknown");
    gateway.stop();
    let _gateway = house.serve();
    let day = steer(&house, &json!({"set": "2027-01-01T20:59:50Z"}));
    assert_eq!(day["now"], "2027-01-01T20:59:50.000Z");
    let paid = api.payout(id_of(&taken));
    assert_eq!(paid["status"], "succeeded");
    let receipt = paid["receipt"].as_str().expect("a receipt");
    assert!(receipt.starts_with("ULV"), "paid on the last day of the year: {receipt}");
    assert!(paid["completed_at"].as_str().is_some_and(|at| at.starts_with("2026-12-31")), "{paid}");
    let clock = get(house.broker, "/sim/clock", &[]).expect("an answer").json();
    assert_eq!(clock["mode"], "stands", "{clock}");
}

/// What the gateway's clock says.
fn gateways_clock(api: &Api) -> String {
    let rails = api.get("/v1/rails").expect("an answer").json();
    rails["test_clock"].as_str().expect("a test clock").to_owned()
}

#[test]
fn without_its_simulator_the_gateways_clock_stands_and_it_never_goes_back() {
    let house = house();
    let api = house.client("finance", &["payouts:read", "read:all"]);
    let mut simulator = simulate(&house);
    let gateway = house.serve();
    steer(&house, &json!({"advance": "1d"}));
    let day_later = "2027-01-01T20:59:50.000Z";
    assert_eq!(gateways_clock(&api), day_later);
    simulator.kill();
    eventually("it is said", || {
        gateway.err().contains("no word of the simulator's clock").then_some(())
    });
    assert_eq!(gateways_clock(&api), day_later);
    // One that was started anew is behind, until it is moved.
    let _simulator = simulate(&house);
    eventually("it is said", || {
        gateway.err().contains("clock is behind this gateway's").then_some(())
    });
    steer(&house, &json!({"advance": "23h"}));
    assert_eq!(gateways_clock(&api), day_later);
    steer(&house, &json!({"advance": "2h"}));
    let hour_later = "2027-01-01T21:59:50.000Z";
    eventually("it goes on", || (gateways_clock(&api) == hour_later).then_some(()));
}

#[test]
fn what_a_test_clock_must_not_be_near_is_refused() {
    let far = house().with("BROKER__URL", "http://192.0.2.49:18423");
    far.run(&["serve"]).failed(2, &["broker.url", "found http://192.0.2.49:18423", "test.clock"]);
    let other = house();
    let other_port = format!("http://127.0.0.1:{}", other.callbacks);
    let other = other.with("BROKER__URL", &other_port);
    other.run(&["serve"]).failed(2, &["broker.url", &other_port, "where test.clock is"]);
    let far = house().with("TEST__CLOCK", "http://192.0.2.49:8310/sim/clock");
    far.run(&["serve"]).failed(2, &["test.clock", "plain HTTP at an address of this machine"]);
    let wrong = house().run(&["simulate", "--clock", "tomorrow"]);
    wrong.failed(2, &["--clock: found \"tomorrow\"", "expected a time"]);
}

#[test]
fn a_gateway_that_runs_does_not_leave_its_clock() {
    let mut house = house();
    let clock = format!("\nclock = \"http://127.0.0.1:{}/sim/clock\"\n", house.broker);
    house.unset("TEST__CLOCK");
    let real = fs::read_to_string(house.path("mlango.toml")).expect("a configuration");
    let tests = real.replace("\n#clock = \"http://127.0.0.1:8310/sim/clock\"\n", &clock);
    let seeded = tests.replace("\n#seed = 1\n", "\nseed = 7\n");
    let others = [real.clone(), seeded, tests.replace("/sim/clock\"", "/sim/clocks\"")];
    assert!(others.iter().all(|other| *other != tests), "each is another");
    house.write("mlango.toml", &tests);
    let _simulator = simulate(&house);
    let mut gateway = house.serve();
    for (nth, other) in (1..).zip(others) {
        house.write("mlango.toml", &other);
        gateway.signal("HUP");
        gateway.until("it is refused", |gateway| {
            (gateway.err().matches("[test] is not as it was").count() >= nth).then_some(())
        });
    }
    house.write("mlango.toml", &tests);
    gateway.signal("HUP");
    gateway.until("it is taken", |it| it.err().contains("were read again").then_some(()));
    gateway.stop();
    // Nor does one on the machine's clock go over to another.
    house.write("mlango.toml", &real);
    house.set("STORE__URL", "sled:./real");
    let mut gateway = house.serve();
    house.write("mlango.toml", &tests);
    gateway.signal("HUP");
    gateway.until("it is refused", |gateway| {
        gateway.err().contains("[test] is not as it was").then_some(())
    });
    assert!(!gateway.err().contains("were read again"), "{}", gateway.err());
    gateway.stop();
}

#[test]
fn books_of_tests_and_others_are_not_mixed() {
    let mut house = house();
    let clock = format!("http://127.0.0.1:{}/sim/clock", house.broker);
    let _simulator = simulate(&house);
    // Applications that were made before the first start make no difference.
    let api = house.client("finance", &["payouts:write", "payouts:read", "read:all"]);
    house.serve().stop();
    house.run(&["backup", "b"]).done();
    let mut gateway = house.serve();
    let says = |path: &str| get(house.api, path, &[]).expect("an answer").body;
    assert!(says("/readyz").contains("TEST CLOCK"), "{}", says("/readyz"));
    assert!(says("/metrics").contains("\nmlango_test_clock 1\n"), "{}", says("/metrics"));
    let events = api.get("/v1/events").expect("an answer").json().to_string();
    assert_eq!(events.matches("admin.tests_begun").count(), 1, "{events}");
    gateway.stop();
    house.unset("TEST__CLOCK");
    let tests = ["store.url", "this book is of tests", "Nothing was changed and nothing was sent"];
    house.run(&["serve"]).failed(2, &tests);
    house.set("STORE__URL", "sled:./restored");
    house.run(&["restore", "b"]).done();
    house.run(&["serve"]).failed(2, &tests);
    house.set("STORE__URL", "sled:./real");
    house.client("finance", &["payouts:write"]);
    house.serve().stop();
    house.set("TEST__CLOCK", &clock);
    let used = ["store.url", "[test] is set, and this book was used without it"];
    house.run(&["serve"]).failed(2, &used);
    house.unset("TEST__CLOCK");
    house.serve().stop();
    house.set("STORE__URL", "sled:./data");
    house.set("TEST__CLOCK", &clock);
    house.serve().stop();
}
