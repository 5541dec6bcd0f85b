//! SIGTERM: what is under way is finished and written down; a second start finds it all.

use std::io::{BufReader, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::api::{Api, get, id_of, name_of, payout};
use crate::broker::{Broker, Reply, paid};
use crate::house::House;
use crate::process::{PATIENCE, eventually};
use crate::wire::{Answer, ask, connect, head};

/// A request of which half has come.
struct Half {
    stream: TcpStream,
    rest: String,
}

impl Half {
    fn begin(api: &Api, idempotency_key: &str, body: &Value) -> Self {
        let body = body.to_string();
        let headers = [
            ("X-API-Key", api.key.as_str()),
            ("Idempotency-Key", idempotency_key),
            ("Content-Type", "application/json"),
        ];
        let (begin, rest) = body.split_at(body.len() / 2);
        let begin = head("POST", "/v1/payouts", &headers, body.len()) + begin;
        let mut stream = connect(api.port).expect("a connection");
        stream.write_all(begin.as_bytes()).expect("sent");
        Self { stream, rest: rest.to_owned() }
    }

    fn finish(mut self) -> Answer {
        self.stream.write_all(self.rest.as_bytes()).expect("sent");
        Answer::read(&mut BufReader::new(self.stream)).expect("an answer")
    }
}

/// A connection that rests after its request was answered.
fn idle(port: u16) -> BufReader<TcpStream> {
    let mut stream = connect(port).expect("a connection");
    stream.write_all(head("GET", "/healthz", &[], 0).as_bytes()).expect("sent");
    let mut reader = BufReader::new(stream);
    assert_eq!(Answer::read(&mut reader).expect("an answer").status, 200);
    reader
}

#[test]
fn what_is_under_way_is_finished_and_a_second_start_finds_it() {
    let house = House::new().with("BROKER__MAX_IN_FLIGHT", "1").with("API__HEADER_TIMEOUT", "5m");
    let slow = |_: &str, _| Reply::TakenAfter(Duration::from_millis(1_500));
    let broker = Broker::start(house.broker, Box::new(slow));
    let mut gateway = house.serve();
    let api = house.client("erp", &[]);
    let taken = api.submit("sent", &payout("254722123456", "1500"));
    broker.wait_for(name_of(&taken));
    let waiting = api.submit("waiting", &payout("254722123457", "20"));
    let late = payout("254722123458", "30");
    let half = Half::begin(&api, "half", &late);
    let resting = (idle(api.port), connect(api.port).expect("a connection"));

    gateway.signal("TERM");
    eventually("no new request is taken", || get(api.port, "/healthz", &[]).err());
    let answer = half.finish();
    assert_eq!(answer.status, 202, "{}", answer.body);
    assert_eq!(gateway.end().code(), Some(0));
    let log = gateway.err();
    assert!(log.contains("stopped"), "{log}");
    assert!(!log.contains("were cut"), "idle connections do not hold it: {log}");
    drop(resting);

    // In the second run the broker is as slow, and the result of the first payout comes.
    let mut gateway = house.serve();
    let first = api.payout(id_of(&taken));
    assert_eq!(first["status"], "accepted", "its answer was waited for and written down");
    let path = format!("/cb/{}/b2c/result", house.written("token"));
    let result = paid(name_of(&taken), "QK12ABCD34", "1500.00");
    let xml = [("Content-Type", "text/xml")];
    let answer = ask(house.callbacks, "POST", &path, &xml, &result).expect("an answer");
    assert_eq!(answer.status, 200);
    api.until(id_of(&first), "succeeded");
    let replayed = api.post("/v1/payouts", "half", &late).expect("an answer");
    assert_eq!(replayed.header("idempotency-replayed"), Some("true"));
    for payout in [&waiting, &replayed.json()] {
        api.until(id_of(payout), "accepted");
        assert_eq!(broker.seen(name_of(payout)), 1);
    }
    assert_eq!(broker.seen(name_of(&taken)), 1, "the first was not sent again");
    gateway.stop();
}

#[test]
fn a_simulator_that_holds_connections_stops_all_the_same() {
    let house = House::new();
    let (mut simulator, _gateway) = (house.simulate(), house.serve());
    let api = house.client("erp", &[]);
    let taken = api.submit("held", &payout("254722000004", "10"));
    // Its result comes; its answer never does.
    api.until(id_of(&taken), "succeeded");
    let idle = connect(house.broker).expect("a connection");
    simulator.stop();
    assert!(!simulator.err().contains("connections still open"), "{}", simulator.err());
    drop(idle);
}

#[test]
fn a_second_signal_ends_it_at_once_and_says_what_was_cut() {
    for second in ["TERM", "INT"] {
        let house = House::new();
        let _broker = Broker::start(house.broker, Box::new(|_, _| Reply::TakenAfter(PATIENCE)));
        let mut gateway = house.serve();
        let api = house.client("erp", &[]);
        let taken = api.submit("k", &payout("0722 123 456", "1500.00"));
        api.until(id_of(&taken), "sending");
        gateway.signal("TERM");
        gateway.until("it drains", |gateway| {
            gateway.err().contains("finishing what is under way").then_some(())
        });
        gateway.signal(second);
        assert_eq!(gateway.end().code(), Some(1), "{}", gateway.err());
        let said = gateway.err();
        assert!(said.contains("a second time") && said.contains("being sent (1)"), "{said}");
        let _gateway = house.serve();
        api.until(id_of(&taken), "unknown");
    }
}

/// It hears the signal before it serves, not a moment after.
#[test]
fn a_signal_with_the_first_answer_is_an_orderly_end() {
    let house = House::new();
    for _ in 0..10 {
        let mut gateway = house.start(&["serve"]);
        gateway.until("it listens", |_| connect(house.api).ok());
        gateway.stop();
    }
}
