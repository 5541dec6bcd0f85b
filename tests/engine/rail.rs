//! The SOAP rail with the engine behind it and a broker on a real socket before it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::house::{APP, draft, phone};
use crate::support::secs;
use mlango::clock::SystemClock;
use mlango::domain::limit::AmountLimits;
use mlango::domain::payout::{Policy, Rail, Status, WhyNothingSent};
use mlango::engine::port::{Admission, Outcome, Rail as _, Rails};
use mlango::engine::{Engine, Parts, Settings};
use mlango::ids::RandomIds;
use mlango::rail::soap::{Limits, SoapRail};
use mlango::rail::transport::{Deadlines, Origin};
use mlango::soap::header::{HexCase, Namespace};
use mlango::soap::request::Caller;
use mlango::soap::response;
use mlango::store::memory::MemoryStore;
use mlango::store::{Channel, Commit, PayoutQuery, Store};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

const SECRETS: [&str; 2] = ["an-sp-password", "an-encrypted-credential"];

fn caller() -> Caller {
    Caller {
        namespace: Namespace::default(),
        hex_case: HexCase::default(),
        sp_id: "100001".to_owned(),
        sp_password: SECRETS[0].to_owned(),
        service_id: "100001000".to_owned(),
        shortcode: "600999".to_owned(),
        initiator: "apiop".to_owned(),
        security_credential: SECRETS[1].to_owned(),
        result_url: "http://192.0.2.9/cb/5f0c/b2c/result".to_owned(),
        queue_timeout_url: "http://192.0.2.9/cb/5f0c/b2c/timeout".to_owned(),
    }
}

fn limits(max_per_second: u32, max_in_flight: u32) -> Limits {
    Limits {
        deadlines: Deadlines { connect: secs(20), send: secs(20), answer: secs(20) },
        max_per_second,
        max_in_flight,
    }
}

/// A broker that takes everything, and remembers what came and how much at once.
#[derive(Debug, Default)]
struct Broker {
    requests: Mutex<Vec<String>>,
    at_once: AtomicUsize,
    most: AtomicUsize,
}

impl Broker {
    async fn serve(self: Arc<Self>, listener: TcpListener) {
        loop {
            let (stream, _peer) = listener.accept().await.expect("a connection");
            let broker = Arc::clone(&self);
            tokio::spawn(async move { broker.answer(stream).await });
        }
    }

    async fn answer(&self, mut stream: TcpStream) {
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let request = read_request(&mut stream).await;
        let name = between(&request, "OriginatorConversationID>", "<").to_owned();
        self.requests.lock().expect("requests").push(request);
        // Long enough for others to come meanwhile, if they could.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let body = response::render(&response::Answer {
            code: "0",
            description: "Accept the service request successfully.",
            conversation_id: Some(&format!("AG_{name}")),
            originator_conversation_id: Some(&name),
            service_status: Some("0"),
        });
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        // Over before the other side can know it: its next connection is never counted with this.
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        stream.write_all(head.as_bytes()).await.expect("written");
        stream.write_all(&body).await.expect("written");
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.expect("closed");
        assert!(rest.is_empty(), "one request on each connection");
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    loop {
        let length = stream.read_buf(&mut read).await.expect("a request");
        assert!(length > 0, "it ended early");
        let text = String::from_utf8_lossy(&read);
        if text.trim_end().ends_with(":Envelope>") {
            return text.into_owned();
        }
    }
}

fn between<'a>(text: &'a str, left: &str, right: &str) -> &'a str {
    let (_before, rest) = text.split_once(left).expect(left);
    let (found, _after) = rest.split_once(right).expect(right);
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_payout_reaches_the_broker_once_and_never_more_at_once_than_allowed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let broker = Arc::new(Broker::default());
    let serving = tokio::spawn(Arc::clone(&broker).serve(listener));

    let store = Arc::new(MemoryStore::new());
    let rail = SoapRail::new(Origin::plain("127.0.0.1", port), caller(), limits(10_000, 3));
    let parts = Parts {
        counter: None,
        notifier: None,
        validators: None,
        store: Arc::<MemoryStore>::clone(&store),
        rails: Rails::only(Rail::Soap, Arc::new(rail)),
        clock: Arc::new(SystemClock),
        ids: Arc::new(RandomIds::default()),
    };
    let settings = Settings {
        organisation: "ExampleOrg".to_owned(),
        shortcode: "600999".parse().expect("a short code"),
        rail: Rail::Soap,
        policy: Policy::default(),
        till: Default::default(),
        first_result_wait: Duration::ZERO,
        limits: AmountLimits::default(),
    };
    let engine = Engine::new(parts, settings);
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    engine.start(&tasks, &stop).await.expect("it starts");
    for number in 0..60 {
        let key = format!("key-{number}");
        let taken = engine.submit(APP, &key, [1; 32], draft(&phone(number)));
        taken.await.expect("it is taken");
    }
    for _ in 0..600 {
        if store.counts().of(Status::Accepted) == 60 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stop.cancel();
    tasks.close();
    tasks.wait().await;
    serving.abort();

    assert_eq!(store.counts().of(Status::Accepted), 60);
    assert_eq!(broker.most.load(Ordering::SeqCst), 3);
    let requests = broker.requests.lock().expect("requests").clone();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for request in &requests {
        let name = between(request, "OriginatorConversationID>", "<");
        *times.entry(name).or_default() += 1;
    }
    assert_eq!((requests.len(), times.len()), (60, 60));
    keeps_no_secret(&store, &requests).await;
}

/// The request is in the history as it went, without its secrets.
async fn keeps_no_secret(store: &MemoryStore, requests: &[String]) {
    let page = store.payouts(&PayoutQuery::all(1)).await.expect("a page");
    let payout = &page.rows.first().expect("one").payout;
    let name = payout.details.originator_conversation_id.as_str();
    let sent = requests.iter().find(|it| it.contains(name)).expect("sent");
    assert!(sent.contains(SECRETS[1]), "the credential went over the wire");
    let events = store.events_of(payout.details.id.into()).await.expect("events");
    let mut kept = 0;
    for id in events.iter().flat_map(|it| &it.event.messages) {
        let message = store.message(*id).await.expect("readable").expect("kept");
        let body = String::from_utf8(message.body).expect("text");
        assert!(body.contains(name));
        kept += usize::from(message.channel == Channel::Request);
        for secret in SECRETS {
            assert!(!body.contains(secret), "{body}");
        }
        let password = between(sent, "spPassword>", "<");
        assert!(!body.contains(password), "{body}");
    }
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn the_first_byte_waits_for_the_pace_whoever_admitted_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let broker = Arc::new(Broker::default());
    let serving = tokio::spawn(Arc::clone(&broker).serve(listener));
    let mut limits = limits(1, 8);
    limits.deadlines.send = Duration::from_millis(50);
    let rail = SoapRail::new(Origin::plain("127.0.0.1", port), caller(), limits);
    let store = MemoryStore::new();
    let late = Outcome::NothingSent(WhyNothingSent::ClosedBeforeFirstByte);
    let begun = tokio::time::Instant::now();
    let mut answered = 0;
    for number in 0..8 {
        let payout = crate::support::house::payout(number);
        let request = rail.prepare(&payout, payout.updated_at).expect("it is built");
        let proof = store.commit(Commit::default()).await.expect("durable");
        match rail.send(request, Admission::free(), proof).await.outcome {
            Outcome::Answered(_) => answered += 1,
            // Its time was over before its turn came.
            other @ (Outcome::NothingSent(_) | Outcome::NoAnswer(_)) => assert_eq!(other, late),
        }
    }
    serving.abort();
    // One at the beginning, and one more for each second that this took, however slow we are.
    let allowed = 1 + usize::try_from(begun.elapsed().as_secs()).expect("it fits");
    assert!((1..=allowed).contains(&answered), "{answered} of {allowed}");
    assert_eq!(broker.requests.lock().expect("requests").len(), answered);
}
