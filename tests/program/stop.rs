//! SIGTERM: what is under way is finished and written down; a second start finds it all.

use std::io::{BufReader, Write as _};
use std::time::Duration;

use crate::api::{get, payout};
use crate::broker::{Broker, Reply, paid};
use crate::house::House;
use crate::process::eventually;
use crate::wire::{Answer, ask, connect, head};

#[test]
fn what_is_under_way_is_finished_and_a_second_start_finds_it() {
    let house = House::new()
        .with("BROKER__MAX_IN_FLIGHT", "1")
        .with("API__HEADER_TIMEOUT", "5m");
    let broker = Broker::start(
        house.broker,
        Box::new(|_, _| Reply::TakenAfter(Duration::from_millis(1_500))),
    );
    let mut gateway = house.serve();
    let api = house.client("erp", &[]);
    let taken = api.submit("sent", &payout("254722123456", "1500"));
    let name = taken["originator_conversation_id"]
        .as_str()
        .expect("a name")
        .to_owned();
    broker.wait_for(&name);
    let waiting = api.submit("waiting", &payout("254722123457", "20"));

    // A request of which half has come.
    let body = payout("254722123458", "30").to_string();
    let headers = [
        ("X-API-Key", api.key.as_str()),
        ("Idempotency-Key", "half"),
        ("Content-Type", "application/json"),
    ];
    let (begin, rest) = body.split_at(body.len() / 2);
    let mut half = connect(api.port).expect("a connection");
    half.write_all((head("POST", "/v1/payouts", &headers, body.len()) + begin).as_bytes())
        .unwrap();
    // A connection that rests after a request, and one that never said anything.
    let mut idle = connect(api.port).expect("a connection");
    idle.write_all(head("GET", "/healthz", &[], 0).as_bytes())
        .unwrap();
    let mut idle = BufReader::new(idle);
    assert_eq!(Answer::read(&mut idle).expect("an answer").status, 200);
    let mute = connect(api.port).expect("a connection");

    gateway.signal("TERM");
    eventually("no new request is taken", || {
        get(api.port, "/healthz", &[]).err()
    });
    half.write_all(rest.as_bytes()).unwrap();
    let answer = Answer::read(&mut BufReader::new(half)).expect("an answer, although it stops");
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(gateway.end().code(), Some(0));
    let log = gateway.err();
    assert!(log.contains("stopped"), "{log}");
    assert!(
        !log.contains("were cut"),
        "idle connections do not hold it: {log}"
    );
    drop((idle, mute));
    assert_eq!(broker.seen(&name), 1);

    // In the second run, the broker is as slow, and the result of the first payout comes.
    let mut gateway = house.serve();
    let first = api.payout(taken["id"].as_str().expect("an id"));
    assert_eq!(
        first["status"], "accepted",
        "its answer was waited for and written down"
    );
    let path = format!("/cb/{}/b2c/result", house.written("token"));
    let result = paid(&name, "QK12ABCD34", "1500.00");
    let xml = [("Content-Type", "text/xml")];
    let answer = ask(house.callbacks, "POST", &path, &xml, &result).expect("an answer");
    assert_eq!(answer.status, 200);
    api.until(first["id"].as_str().expect("an id"), "succeeded");
    let replayed = api
        .post("/v1/payouts", "half", &payout("254722123458", "30"))
        .expect("an answer");
    assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
    for id in [&waiting["id"], &replayed.json()["id"]] {
        let sent = api.until(id.as_str().expect("an id"), "accepted");
        let name = sent["originator_conversation_id"].as_str().expect("a name");
        assert_eq!(broker.seen(name), 1);
    }
    assert_eq!(broker.seen(&name), 1, "the first was not sent again");
    gateway.stop();
}

#[test]
fn a_simulator_that_holds_connections_stops_all_the_same() {
    let house = House::new();
    let (mut simulator, _gateway) = (house.simulate(), house.serve());
    let api = house.client("erp", &[]);
    let taken = api.submit("held", &payout("254722000004", "10"));
    // Its result comes; its answer never does.
    api.until(taken["id"].as_str().expect("an id"), "succeeded");
    let idle = connect(house.broker).expect("a connection");
    simulator.stop();
    assert!(
        !simulator.err().contains("connections still open"),
        "{}",
        simulator.err()
    );
    drop(idle);
}
