//! What the gateway says about itself: its log in a file, and its traces, told to a collector that
//! nobody here wrote a client for.

use std::fs;
use std::io::{BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

use crate::api::{get, id_of, payout};
use crate::house::{House, free_port};
use crate::process::eventually;
use crate::wire::{Message, ask};

/// A collector of traces, which keeps every request.
struct Collector {
    port: u16,
    asked: Arc<Mutex<Vec<Message>>>,
    /// The status that it answers; 0: it never answers.
    says: Arc<AtomicU16>,
}

impl Collector {
    fn open(says: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (asked, says) = (Arc::<Mutex<Vec<Message>>>::default(), Arc::new(AtomicU16::new(says)));
        let (kept, answers) = (Arc::clone(&asked), Arc::clone(&says));
        thread::spawn(move || {
            let mut hung = Vec::new();
            for stream in listener.incoming().map_while(Result::ok) {
                let mut reader = BufReader::new(stream);
                let Ok(message) = Message::read(&mut reader) else { continue };
                kept.lock().expect("messages").push(message);
                match answers.load(Ordering::Relaxed) {
                    0 => hung.push(reader),
                    status => {
                        let answer = format!(
                            "HTTP/1.1 {status} X\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
                        );
                        reader.get_mut().write_all(answer.as_bytes()).ok();
                    }
                }
            }
        });
        Self { port, asked, says }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn bodies(&self) -> Vec<String> {
        self.asked.lock().expect("messages").iter().map(|it| it.body.clone()).collect()
    }

    fn spans(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for body in self.bodies() {
            let body: Value = serde_json::from_str(&body).expect("JSON");
            let resource = &body["resourceSpans"][0];
            assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "gw-test");
            let spans = resource["scopeSpans"][0]["spans"].as_array().expect("spans");
            all.extend(spans.iter().cloned());
        }
        all
    }

    fn of(&self, subject: &str) -> Vec<Value> {
        let mut spans = self.spans();
        spans.retain(|span| attribute(span, "mlango.payout") == subject);
        spans
    }
}

fn attribute(span: &Value, key: &str) -> String {
    let all = span["attributes"].as_array().expect("attributes");
    let found = all.iter().find(|it| it["key"] == key);
    let text = found.and_then(|it| it["value"]["stringValue"].as_str());
    text.unwrap_or_default().to_owned()
}

fn names(spans: &[Value]) -> Vec<&str> {
    let mut names: Vec<&str> =
        spans.iter().map(|span| span["name"].as_str().expect("a name")).collect();
    names.sort_unstable();
    names
}

fn traced(collector: &Collector) -> House {
    let house = House::new();
    let daraja = format!("http://127.0.0.1:{}", house.broker);
    house
        .with("DARAJA__URL", &daraja)
        .with("TELEMETRY__OTLP_URL", &collector.url())
        .with("TELEMETRY__OTLP_HEADERS", "x-tenant=payments,x-key=a-key")
        .with("TELEMETRY__SERVICE_NAME", "gw-test")
        .with("PAYOUTS__RESULT_OVERDUE", "3s")
        .with("PAYOUTS__INQUIRY_INTERVALS", "1s")
        .with("PAYOUTS__FIRST_RESULT_WAIT", "0s")
}

const CALLER: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// Begun in one run of the program, asked about and settled in another.
#[test]
fn a_payout_is_one_trace_from_the_request_to_the_result_over_a_crash() {
    let collector = Collector::open(200);
    let house = traced(&collector);
    let mut simulator = house.simulate();
    let mut gateway = house.serve();
    let client = house.client("payroll", &["payouts:write", "payouts:read"]);
    let headers = [
        ("X-API-Key", client.key.as_str()),
        ("Idempotency-Key", "one"),
        ("Content-Type", "application/json"),
        ("traceparent", CALLER),
    ];
    // Its result never comes.
    let body = payout("254722000005", "1517.00").to_string();
    let taken = ask(house.api, "POST", "/v1/payouts", &headers, &body).expect("an answer").json();
    let id = id_of(&taken).to_owned();
    // Asked again it is the same payout, and nothing new.
    ask(house.api, "POST", "/v1/payouts", &headers, &body).expect("an answer");
    gateway.until("its first steps are told", |_| {
        (names(&collector.of(&id)) == ["payout.accept", "payout.send"]).then_some(())
    });
    gateway.kill();
    let mut gateway = house.serve();
    client.until(&id, "succeeded");
    let other = client.submit("two", &payout("254722000111", "1517.00"));
    client.until(id_of(&other), "succeeded");
    // What waits is told before the program ends.
    gateway.stop();

    let spans = collector.of(&id);
    let expected = [
        "payout.accept",
        "payout.inquiry",
        "payout.inquiry.result",
        "payout.result_overdue",
        "payout.send",
    ];
    assert_eq!(names(&spans), expected);
    let root = spans.iter().find(|span| span["parentSpanId"].is_null()).expect("a first span");
    assert_eq!(root["name"], "payout.accept");
    assert_eq!(root["links"][0]["traceId"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(root["links"][0]["spanId"], "b7ad6b7169203331");
    for span in &spans {
        assert_eq!(span["traceId"], root["traceId"], "{span}");
        assert!(span == root || span["parentSpanId"] == root["spanId"], "{span}");
        let nanos = |key: &str| span[key].as_str().expect("a text").parse::<u64>().expect(key);
        assert!(nanos("startTimeUnixNano") <= nanos("endTimeUnixNano"), "{span}");
    }
    let named = |name: &str| spans.iter().find(|span| span["name"] == name).expect(name);
    assert_eq!(attribute(named("payout.send"), "mlango.status"), "accepted");
    assert_eq!(attribute(named("payout.send"), "mlango.attempt"), "1");
    assert_eq!(named("payout.result_overdue")["status"]["code"], 2);
    assert_eq!(attribute(named("payout.inquiry.result"), "mlango.status"), "succeeded");

    let others = collector.of(id_of(&other));
    assert_eq!(names(&others), ["payout.accept", "payout.result", "payout.send"]);
    assert_ne!(others[0]["traceId"], root["traceId"]);
    let asked = collector.asked.lock().expect("messages");
    assert!(asked.iter().all(|it| it.header("x-key") == Some("a-key")), "each has its headers");
    assert!(asked.iter().all(|it| it.header("x-tenant") == Some("payments")));
    let all: String = asked.iter().map(|it| it.body.clone()).collect();
    for personal in ["2547", "1517", "INV-1", "ExampleOrg"] {
        assert!(!all.contains(personal), "{personal} is nobody's business");
    }
    simulator.stop();
}

#[test]
fn money_in_has_traces_as_well() {
    let collector = Collector::open(200);
    let house = traced(&collector);
    let _simulator = house.simulate();
    let mut gateway = house.serve();
    let client = house.client("shop", &["payments:write", "payments:read"]);
    let body = serde_json::json!({
        "amount": "10", "phone": "254722000222", "reference": "ORDER001", "description": "Books"
    });
    let prompt = client.post("/v1/stk-pushes", "order-1", &body).expect("an answer").json();
    let id = id_of(&prompt);
    eventually("it is paid", || {
        let payment = client.get(&format!("/v1/payments/{id}")).ok()?.json();
        (payment["status"] == "succeeded").then_some(())
    });
    gateway.stop();
    let mut spans = collector.spans();
    spans.retain(|span| attribute(span, "mlango.subject") == id);
    let names = names(&spans);
    let expected = ["payment.accept", "payment.prompted", "payment.received", "payment.sending"];
    assert_eq!(names, expected);
    let roots = spans.iter().filter(|span| span["parentSpanId"].is_null()).count();
    assert_eq!(roots, 1, "{names:?}");
    assert!(spans.iter().all(|span| span["traceId"] == spans[0]["traceId"]));
}

/// A collector that is away, hangs or refuses: payouts go on, and the program ends when it is told.
#[test]
fn a_collector_that_takes_nothing_holds_nothing_up() {
    for (what, says) in [("it is away", None), ("it hangs", Some(0)), ("it refuses", Some(400))] {
        let collector = Collector::open(says.unwrap_or(200));
        let house = traced(&collector);
        let away = format!("http://127.0.0.1:{}", free_port());
        let url = if says.is_some() { collector.url() } else { away };
        let house = house.with("TELEMETRY__OTLP_URL", &url);
        let _simulator = house.simulate();
        let mut gateway = house.serve();
        let client = house.client("payroll", &["payouts:write", "payouts:read"]);
        for key in ["one", "two", "three"] {
            let sent = client.submit(key, &payout("254722000111", "1500.00"));
            client.until(id_of(&sent), "succeeded");
        }
        if says == Some(400) {
            gateway.until("what it refuses is counted", |_| {
                let metrics = get(house.api, "/metrics", &[]).ok()?.body;
                metrics.contains("mlango_spans_dropped_total{why=\"refused\"}").then_some(())
            });
            collector.says.store(200, Ordering::Relaxed);
            let sent = client.submit("four", &payout("254722000111", "1500.00"));
            client.until(id_of(&sent), "succeeded");
            gateway.until("it is told again", |_| {
                gateway_says(&house, "mlango_spans_exported_total 3")
            });
        }
        gateway.stop();
        let log = gateway.err();
        let said = log.matches("the collector of traces takes none").count();
        // One that hangs is found out after ten seconds.
        assert_eq!(said, usize::from(says != Some(0)), "{what}: {log}");
    }
}

fn gateway_says(house: &House, line: &str) -> Option<()> {
    get(house.api, "/metrics", &[]).ok()?.body.lines().any(|it| it == line).then_some(())
}

#[test]
fn the_log_is_in_a_file_that_only_its_owner_reads() {
    let house = House::new().with("LOG__FILE", "logs/mlango.log").with("LOG__FORMAT", "json");
    house
        .run(&["serve"])
        .failed(2, &["log.file, ", "logs/mlango.log, cannot be written: No such file"]);
    fs::create_dir(house.path("logs")).expect("made");
    let mut simulator = house.simulate();
    let mut gateway = house.serve();
    let client = house.client("payroll", &["payouts:write", "payouts:read"]);
    let sent = client.submit("one", &payout("254722000111", "1500.00"));
    client.until(id_of(&sent), "succeeded");
    gateway.stop();
    let path = house.path("logs/mlango.log");
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&path).expect("UTF-8");
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(lines.last().expect("a line")["message"], "stopped", "to the last line");
    assert!(
        lines.iter().any(|line| line["payout"] == id_of(&sent) && line["status"] == "succeeded")
    );
    crate::process::assert_clean(&text, &[]);
    assert!(!gateway.err().contains("INFO"), "{}", gateway.err());
    simulator.stop();
    let said = simulator.err() + &simulator.out();
    assert!(said.contains("M-Pesa simulator on"), "its own log is where it was: {said}");
}

#[test]
fn a_full_disk_stops_no_payout_and_is_counted() {
    let house = House::new().with("LOG__FILE", "/dev/full");
    let _simulator = house.simulate();
    let mut gateway = house.serve();
    let client = house.client("payroll", &["payouts:write", "payouts:read"]);
    let sent = client.submit("one", &payout("254722000111", "1500.00"));
    client.until(id_of(&sent), "succeeded");
    gateway.until("lost lines are counted", |_| {
        let metrics = get(house.api, "/metrics", &[]).ok()?.body;
        let head = "mlango_log_lines_dropped_total ";
        let lost = metrics.lines().find_map(|line| line.strip_prefix(head)?.parse::<u64>().ok());
        lost.filter(|lost| *lost > 5)
    });
    gateway.stop();
    let said = gateway.err().matches("log.file, /dev/full, cannot be written").count();
    assert_eq!(said, 1, "once: {}", gateway.err());
}
