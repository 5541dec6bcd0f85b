//! What a tester sees in a terminal: the simulator's line for each exchange, a gateway's events as
//! they happen, and what he has happen.

use std::io::{BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::api::{Api, get, id_of, payout};
use crate::house::{Done, House, free_port};
use crate::process::eventually;
use crate::wire::Message;

const SCOPES: [&str; 4] = ["payouts:write", "payouts:read", "payments:write", "payments:read"];

/// An installation whose gateway asks soon, and about Daraja at the simulator, too.
fn house() -> House {
    let house = House::new();
    let daraja = format!("http://127.0.0.1:{}", house.broker);
    house.with("DARAJA__URL", &daraja).with("PAYOUTS__RESULT_OVERDUE", "1s")
}

fn run(house: &House, api: &Api, args: &[&str]) -> Done {
    house.run_with(args, &[("MLANGO_API_KEY", &api.key)], "")
}

/// The lines of standard output, once `count` of them hold `word`.
fn lines(simulator: &mut crate::process::Process, word: &str, count: usize) -> Vec<String> {
    simulator.until(&format!("{count} lines with \"{word}\""), |it| {
        let all: Vec<String> = it.out().lines().map(str::to_owned).collect();
        (all.iter().filter(|line| line.contains(word)).count() >= count).then_some(all)
    })
}

#[test]
fn each_exchange_is_a_line_that_says_what_came_what_was_answered_and_what_moved() {
    let house = house();
    let (mut simulator, mut gateway) = (house.simulate(), house.serve());
    let api = house.client("till", &SCOPES);
    let paid = api.submit("a", &payout("0722 000 111", "1500.00"));
    let receipt = api.until(id_of(&paid), "succeeded")["receipt"].as_str().expect("one").to_owned();
    let all = lines(&mut simulator, "<-- result", 1);
    let [request, result] = all.as_slice() else { panic!("two lines: {all:?}") };
    assert_eq!(
        request.split_once(' ').expect("a time").1,
        format!(
            "--> soap BusinessPayment 1500.00 with 254722000111 => 0 accepted for processing; no \
             result yet | paid 1500.00 to 254722000111, {receipt}; 9998500.00 is left"
        )
    );
    assert!(
        result.contains(&format!("{receipt}: 0 processed successfully => 00000000")),
        "{result}"
    );
    assert!(!all.concat().contains('\u{1b}'), "no colour into a file");
    api.submit("b", &payout("0722 000 001", "10.00"));
    let all = lines(&mut simulator, "=> 1005 an element is invalid", 1);
    assert!(!all.last().expect("lines").contains('|'), "nothing moved: {all:?}");
    gateway.stop();
    simulator.stop();
}

#[test]
fn for_programs_a_line_is_an_object_and_quiet_is_quiet() {
    let house = house();
    let mut simulator = house.start(&["simulate", "--json"]);
    simulator.until("it answers", |_| house.answers(house.broker));
    get(house.broker, "/oauth/v1/generate", &[]).expect("an answer");
    let line = lines(&mut simulator, "exchange", 1).remove(0);
    let line: Value = serde_json::from_str(&line).expect("JSON");
    assert_eq!(line["happened"], "exchange");
    assert_eq!(line["path"], "/oauth/v1/generate");
    assert_eq!(line["story"]["what"], "token");
    assert_eq!(line["moved"], Value::Null);
    simulator.stop();
    let mut simulator = house.start(&["simulate", "--quiet"]);
    simulator.until("it answers", |_| house.answers(house.broker));
    get(house.broker, "/oauth/v1/generate", &[]).expect("an answer");
    simulator.stop();
    assert_eq!(simulator.out(), "");
}

/// A simulator whose lines go into a pipe that nobody reads yet.
fn piped(house: &House) -> Child {
    let mut command = house.command(&["simulate"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a process");
    eventually("it answers", || house.answers(house.broker));
    child
}

#[test]
fn whoever_reads_too_slowly_holds_up_nobody_and_is_told_what_he_missed() {
    let house = house();
    let mut simulator = piped(&house);
    // More than a pipe and all that may wait can hold.
    for _ in 0..3_000 {
        get(house.broker, "/oauth/v1/generate", &[]).expect("an answer, although nobody reads");
    }
    let mut pipe = simulator.stdout.take().expect("a pipe");
    let (text, kept) = (Arc::new(Mutex::new(String::new())), 64 * 1024);
    let read = Arc::clone(&text);
    thread::spawn(move || {
        let mut part = vec![0; kept];
        while let Ok(length @ 1..) = pipe.read(&mut part) {
            read.lock().expect("a text").push_str(&String::from_utf8_lossy(&part[..length]));
        }
    });
    eventually("what was missed is counted", || {
        text.lock().expect("a text").contains("things happened that are not shown").then_some(())
    });
    simulator.kill().expect("it can be killed");
    simulator.wait().expect("a status");
}

#[test]
fn whoever_goes_away_holds_up_nobody() {
    let house = house();
    let mut simulator = piped(&house);
    drop(simulator.stdout.take());
    for _ in 0..20 {
        get(house.broker, "/oauth/v1/generate", &[]).expect("an answer, although nobody is there");
    }
    simulator.kill().expect("it can be killed");
    simulator.wait().expect("a status");
}

/// A program that is posted events. It refuses the first of them twice.
struct Inbox {
    port: u16,
    events: Arc<Mutex<Vec<Value>>>,
}

impl Inbox {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let events = Arc::<Mutex<Vec<Value>>>::default();
        let kept = Arc::clone(&events);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                while let Ok(message) = Message::read(&mut reader) {
                    let mut kept = kept.lock().expect("events");
                    let event: Value = serde_json::from_str(&message.body).expect("an event");
                    // At least once: where an answer is lost on the way, the event comes again.
                    // What was taken is known by its id, as docs/seeing.md has it.
                    let is_known = kept.iter().skip(2).any(|taken| taken["id"] == event["id"]);
                    if !is_known {
                        kept.push(event);
                    }
                    let word = if kept.len() <= 2 { "500 No" } else { "204 Yes" };
                    drop(kept);
                    let answer = format!("HTTP/1.1 {word}\r\nContent-Length: 0\r\n\r\n");
                    reader.get_mut().write_all(answer.as_bytes()).ok();
                }
            }
        });
        Self { port, events }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/events", self.port)
    }

    /// The types that came, once there are `count` of them.
    fn types(&self, count: usize) -> Vec<String> {
        eventually("the events come", || {
            let events = self.events.lock().expect("events");
            let kind = |event: &Value| event["type"].as_str().expect("a type").to_owned();
            (events.len() >= count).then(|| events.iter().map(kind).collect())
        })
    }
}

#[test]
fn events_are_shown_and_posted_in_order_until_they_are_taken_and_go_on_where_they_ended() {
    let mut house = house();
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let api = house.client("till", &SCOPES);
    let key = house.write("key", &api.key);
    let key = key.to_str().expect("UTF-8").to_owned();
    let inbox = Inbox::open();
    let url = inbox.url();
    let args = ["listen", "--key-file", &key, "--forward-to", &url, "--events", "payout.*"];
    let mut listen = house.start(&args);
    listen.until("it listens", |it| it.err().contains("listening behind event").then_some(()));
    assert!(listen.err().contains("not signed"), "{}", listen.err());
    let paid = api.submit("a", &payout("0722 000 111", "10.00"));
    api.until(id_of(&paid), "succeeded");
    let life = ["payout.queued", "payout.sending", "payout.accepted", "payout.succeeded"];
    let all = [&["payout.queued", "payout.queued"][..], &life].concat();
    assert_eq!(inbox.types(all.len()), all, "the first one again until it was taken");
    let shown = listen
        .until("they are shown", |it| it.out().contains("payout.succeeded").then(|| it.out()));
    let head = shown.lines().next().expect("a line");
    assert!(head.contains(id_of(&paid)) && head.ends_with("-> 204 at the 3. try"), "{shown}");
    assert!(listen.err().contains("was not taken: HTTP 500; again in 1 s"), "{}", listen.err());
    listen.stop();
    let said = listen.err();
    let seq = said.rsplit_once("--after ").expect("where to go on").1.trim().to_owned();

    // Meanwhile something else happens, and the gateway is started again.
    api.submit("b", &payout("0722 000 001", "10.00"));
    gateway.stop();
    house.set("LOG__LEVEL", "info");
    let mut gateway = house.serve();
    let mut listen = house.start(&[&["--json"], &args[..], &["--after", &seq]].concat());
    let rest = ["payout.queued", "payout.sending", "payout.failed"];
    assert_eq!(inbox.types(all.len() + 3)[all.len()..], rest);
    let shown =
        listen.until("they are shown", |it| (it.out().lines().count() >= 3).then(|| it.out()));
    let last: Value = serde_json::from_str(shown.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["event"]["type"], "payout.failed");
    assert_eq!(last["forwarded"], json!({"status": 204, "tries": 1}));
    listen.stop();
    gateway.stop();
}

#[test]
fn what_cannot_be_listened_to_is_said() {
    let house = house();
    let mut gateway = house.serve();
    let api = house.client("till", &SCOPES);
    run(&house, &api, &["listen", "--events", "Payout"]).failed(2, &["--events", "\"Payout\""]);
    run(&house, &api, &["listen", "--forward-to", "localhost"]).failed(2, &["--forward-to"]);
    house.run(&["listen"]).failed(2, &["MLANGO_API_KEY"]);
    let stranger = Api { key: "mk_nobody".to_owned(), port: api.port };
    run(&house, &stranger, &["listen"]).failed(1, &["key_invalid"]);
    gateway.stop();
    run(&house, &api, &["listen"]).failed(1, &["nobody answers there"]);
}

#[test]
fn what_is_triggered_really_happens() {
    let house = house().with("STK__ASK_INTERVALS", "[\"1s\"]");
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let api = house.client("tester", &SCOPES);
    let listed = house.run(&["trigger", "--list"]).done();
    // Whether money moved, and where it stands at the end.
    let table = [
        ("payout.succeeded", true, "succeeded"),
        ("payout.failed", false, "failed"),
        ("payout.refused", false, "failed"),
        ("payout.lost_answer", true, "succeeded"),
        ("payout.lost_result", true, "succeeded"),
        ("payout.duplicate_result", true, "succeeded"),
        ("payout.contradicting_result", true, "succeeded"),
        ("payout.unknown", false, "unknown"),
        ("payment.received", true, "succeeded"),
        ("stk.succeeded", true, "succeeded"),
        ("stk.cancelled", false, "failed"),
        ("stk.wrong_pin", false, "failed"),
        ("stk.duplicate_callback", true, "succeeded"),
    ];
    for (event, moves, status) in table {
        assert!(listed.contains(event), "{event} in {listed}");
        let done = run(&house, &api, &["--json", "trigger", event, "--within", "45"]).json();
        assert_eq!(done["came_about"], true, "{done}");
        assert_eq!(done["now"]["status"], status, "{done}");
        assert_eq!(done["ledger"].is_object(), moves, "{done}");
    }
    // Every event that is shown has its line.
    let shown = run(&house, &api, &["trigger", "payout.refused"]).done();
    assert!(shown.contains("payout.failed") && shown.contains("no money moved"), "{shown}");
    // Prompts that wait for a person are answered, too.
    let mode = [("Content-Type", "application/json")];
    let by_hand = json!({"mode": "manual"}).to_string();
    let set = crate::wire::ask(house.broker, "POST", "/sim/prompts/mode", &mode, &by_hand);
    assert_eq!(set.expect("an answer").status, 200);
    run(&house, &api, &["trigger", "stk.succeeded"]).done();
    gateway.stop();
}

#[test]
fn nothing_is_triggered_where_m_pesa_is_another() {
    let house = house();
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let api = house.client("tester", &SCOPES);
    // Another simulator: what the gateway sends does not come there.
    let port = free_port();
    let listen = format!("127.0.0.1:{port}");
    let mut other = house.start(&["simulate", "--listen", &listen]);
    other.until("it answers", |_| house.answers(port));
    let url = format!("http://{listen}");
    for event in ["payout.succeeded", "stk.succeeded", "payment.received"] {
        let done = run(&house, &api, &["trigger", event, "--simulator", &url]);
        done.failed(1, &["no money moved", "did not arrive at this simulator"]);
    }
    assert!(house.ledger().is_empty(), "nothing was paid");
    assert!(api.payouts().is_empty(), "nothing was even begun");
    other.stop();
    let done = run(&house, &api, &["trigger", "payout.succeeded", "--simulator", &url]);
    done.failed(1, &["no simulator answers", "nothing was triggered"]);
    run(&house, &api, &["trigger", "payout.gone"]).failed(2, &["\"payout.gone\"", "--list"]);
    run(&house, &api, &["trigger"]).failed(2, &["EVENT"]);
    run(&house, &api, &["trigger", "stk.succeeded", "--rail", "soap"]).failed(2, &["daraja only"]);
    let done = run(&house, &api, &["trigger", "payout.lost_result", "--within", "1"]);
    done.failed(1, &["did not come about in time", "payout."]);
    gateway.stop();
}
