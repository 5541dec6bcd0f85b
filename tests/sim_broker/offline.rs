//! The simulator without sockets, under virtual time: what the broker holds, and what becomes of
//! callers that go away.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use bytes::Bytes;
use mlango::clock::Clock;
use mlango::domain::time::Timestamp;
use mlango::sim::deliver::{Carrier, Pending, Target};
use mlango::sim::script::{Act, Answer, Behaviour, Results, Then};
use mlango::sim::{Offline, Settings, Simulator, is_hang_up};
use mlango::soap::request::Caller;
use mlango::soap::status_query::AskFor::OriginatorConversationId;
use mlango::soap::{ack, request, response, result, timeout as queue_timeout};
use tokio::time::{Instant, sleep};
use tower::ServiceExt;

use crate::support::{self, NOW, message, parameter, query, settings};

/// How often it is looked whether something has come: longer than an ordinary result takes.
const STEP: Duration = Duration::from_millis(50);

/// Tells the time that tokio's paused clock shows.
pub struct VirtualClock(Instant);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        NOW.after(self.0.elapsed())
    }
}

/// What was carried: how many milliseconds after the start, where, what.
pub type Carried = (u128, String, Bytes);

/// A gateway's callback side in the same process.
pub struct Callbacks {
    begun: Instant,
    pub got: Mutex<Vec<Carried>>,
    /// What it answers first, in order; then 200. 0: it never answers.
    statuses: Mutex<Vec<u16>>,
}

impl Carrier for Callbacks {
    fn post(&self, to: &Target, body: Bytes) -> Pending<Result<(u16, Bytes), String>> {
        let after = self.begun.elapsed().as_millis();
        self.got.lock().unwrap().push((after, to.path().to_owned(), body));
        let mut statuses = self.statuses.lock().unwrap();
        let status = if statuses.is_empty() { 200 } else { statuses.remove(0) };
        Box::pin(async move {
            if status == 0 {
                std::future::pending::<()>().await;
            }
            Ok((status, Bytes::from_static(ack::RESULT_KEPT.as_bytes())))
        })
    }
}

/// What came back from the router.
pub struct Came {
    pub status: u16,
    pub content_type: String,
    pub body: Bytes,
}

impl Came {
    pub fn code(&self) -> String {
        response::parse(&self.body).expect("an answer").facts.code
    }
}

/// A simulator, and whoever hears from it.
pub struct Stage {
    pub sim: Offline,
    pub callbacks: Arc<Callbacks>,
    pub caller: Caller,
}

impl Stage {
    pub fn new(settings: Settings, statuses: &[u16]) -> Self {
        let begun = Instant::now();
        let callbacks = Arc::new(Callbacks {
            begun,
            got: Mutex::default(),
            statuses: Mutex::new(statuses.to_vec()),
        });
        let carrier = Arc::<Callbacks>::clone(&callbacks);
        let sim = Simulator::offline(settings, Arc::new(VirtualClock(begun)), carrier);
        let mut caller = support::caller("http://gateway/result");
        caller.queue_timeout_url = "http://gateway/timeout".to_owned();
        Self { sim, callbacks, caller }
    }

    /// `None`: the simulator hung up.
    pub async fn send(&self, message: &str) -> Option<Came> {
        let request = Request::post("/mminterface/request").body(Body::from(message.to_owned()));
        let answer = self.sim.router.clone().oneshot(request.unwrap()).await.unwrap();
        if is_hang_up(&answer) {
            return None;
        }
        let content_type = answer.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        Some(Came { status, content_type, body })
    }

    pub async fn pay(&self, id: &str, ending: &str) -> Option<Came> {
        self.send(&message(&self.caller, id, ending, 150)).await
    }

    pub async fn ask(&self, id: &str, about: &str) -> Option<Came> {
        self.send(&query(&self.caller, id, OriginatorConversationId(about))).await
    }

    /// Lets time pass until nothing waits, and tells what has come since the last time.
    pub async fn heard(&self) -> Vec<Carried> {
        while self.sim.results_waiting() > 0 {
            sleep(STEP).await;
        }
        std::mem::take(&mut *self.callbacks.got.lock().unwrap())
    }

    /// What a question says of a payment: its own code, and the payment's status.
    pub async fn status(&self, id: &str, about: &str) -> (String, Option<String>) {
        assert_eq!(self.ask(id, about).await.expect("an answer").code(), "0");
        loop {
            sleep(STEP).await;
            let got = self.callbacks.got.lock().unwrap();
            let parsed = got.iter().rev().filter_map(|(_, _, body)| result::parse(body).ok());
            let mut own = parsed.filter(|r| r.originator_conversation_id.as_deref() == Some(id));
            if let Some(found) = own.next() {
                return (found.facts.code.clone(), parameter(&found, "TransactionStatus"));
            }
        }
    }
}

pub fn minutes(number: u64) -> Duration {
    Duration::from_secs(60 * number)
}

fn cached(wait: Duration, then: Then) -> Behaviour {
    Behaviour { act: Act::Cache { wait, then }, ..Behaviour::ORDINARY }
}

#[tokio::test(start_paused = true)]
async fn a_held_payment_is_nowhere_until_it_is_delivered() {
    let stage = Stage::new(settings(), &[]);
    stage.sim.script_payment("600999_Org_1", cached(minutes(10), Then::Deliver));
    let answer = stage.pay("600999_Org_1", "0111").await.expect("an answer");
    assert_eq!(answer.code(), "100000000");
    assert_eq!(response::parse(&answer.body).expect("an answer").facts.conversation, None);
    sleep(minutes(9)).await;
    assert_eq!(stage.sim.payments(), 0);
    assert_eq!(stage.status("600999_Org_q1", "600999_Org_1").await, ("49".to_owned(), None));
    sleep(minutes(1)).await;
    let paid = stage.sim.paid("600999_Org_1").expect("paid");
    assert_eq!(paid.at, NOW.after(minutes(10)));
    let completed = ("0".to_owned(), Some("Completed".to_owned()));
    assert_eq!(stage.status("600999_Org_q2", "600999_Org_1").await, completed);
    let heard = stage.heard().await;
    let about_it = heard.iter().filter_map(|(at, _, body)| {
        let read = result::parse(body).expect("a result");
        let is_it = read.originator_conversation_id.as_deref() == Some("600999_Org_1");
        is_it.then_some((at / 1000, read.facts.code, read.facts.receipt?.to_string()))
    });
    assert_eq!(about_it.collect::<Vec<_>>(), [(600, "0".to_owned(), paid.receipt)]);
    assert_eq!(stage.sim.payments(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_is_given_up_comes_back_and_its_id_is_free() {
    let stage = Stage::new(settings(), &[]);
    stage.sim.script_payment("600999_Org_1", cached(minutes(3), Then::GiveUp));
    let sent = message(&stage.caller, "600999_Org_1", "0111", 150);
    assert_eq!(stage.send(&sent).await.expect("an answer").code(), "100000000");
    let heard = stage.heard().await;
    let [(at, path, body)] = heard.as_slice() else {
        panic!("one message, not {}", heard.len());
    };
    assert_eq!((at / 1000, path.as_str()), (180, "/timeout"));
    let timeout = queue_timeout::parse(body).expect("a queue timeout");
    assert_eq!(timeout.originator_conversation_id.as_deref(), Some("600999_Org_1"));
    let back = timeout.origin_request_redacted().expect("our request");
    let read = request::parse(&back).expect("a request");
    assert_eq!(read.originator_conversation_id.as_deref(), Some("600999_Org_1"));
    assert_eq!(read.header, None, "the SOAP header is gone");
    let text = String::from_utf8(body.to_vec()).expect("text");
    let base64 = text.split("originRequest>").nth(1).expect("base64").trim_end_matches("</loc:");
    let lines: Vec<&str> = base64.lines().collect();
    let (last, full) = lines.split_last().expect("lines");
    assert!(full.len() > 10 && full.iter().all(|line| line.len() == 76), "{full:?}");
    assert!((1..=76).contains(&last.len()));
    assert_eq!(stage.sim.payments(), 0);
    assert_eq!(stage.status("600999_Org_q1", "600999_Org_1").await, ("49".to_owned(), None));
    // The core never saw it.
    assert_eq!(stage.send(&sent).await.expect("an answer").code(), "0");
    assert_eq!(stage.sim.payments(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_held_and_sent_again_is_paid_once() {
    let stage = Stage::new(settings(), &[]);
    stage.sim.script_payment("600999_Org_1", cached(minutes(10), Then::Deliver));
    assert_eq!(stage.pay("600999_Org_1", "0111").await.expect("an answer").code(), "100000000");
    assert_eq!(stage.pay("600999_Org_1", "0111").await.expect("an answer").code(), "0");
    let codes: Vec<_> = stage
        .heard()
        .await
        .into_iter()
        .map(|(at, _, body)| {
            let read = result::parse(&body).expect("a result");
            (at / 1000, read.facts.code, read.facts.conversation.is_some())
        })
        .collect();
    // The second copy finds the id spent, and nobody waits for its answer.
    assert_eq!(codes, [(0, "0".to_owned(), true), (600, "15".to_owned(), false)]);
    assert_eq!(stage.sim.payments(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_late_word_about_a_payment_says_what_was_known_when_it_was_asked_for() {
    let stage = Stage::new(settings(), &[]);
    stage.sim.script_payment("600999_Org_1", cached(minutes(1), Then::Deliver));
    let late = Behaviour { result: Results::Late(minutes(5)), ..Behaviour::ORDINARY };
    stage.sim.script_question("600999_Org_1", late);
    stage.pay("600999_Org_1", "0111").await.expect("an answer");
    assert_eq!(stage.status("600999_Org_q1", "600999_Org_1").await, ("49".to_owned(), None));
    assert_eq!(stage.sim.payments(), 1, "it was paid meanwhile");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_goes_away_changes_nothing() {
    let stage = Stage::new(settings(), &[]);
    let late = Behaviour { answer: Answer::After(minutes(1)), ..Behaviour::ORDINARY };
    stage.sim.script_payment("600999_Org_1", late);
    let waiting = stage.pay("600999_Org_1", "0111");
    assert!(tokio::time::timeout(Duration::from_secs(5), waiting).await.is_err());
    assert_eq!(stage.sim.payments(), 1);
    assert_eq!(stage.heard().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_receiver_that_is_dead_or_never_answers_is_given_up() {
    // What it answers; how often it is called; whether the contradiction was sent as well.
    let table: [(&[u16], usize, bool); 4] = [
        (&[], 2, true),
        (&[500, 200], 3, true),
        (&[500, 500, 500], 3, false),
        (&[0, 0, 0], 3, false),
    ];
    for (statuses, calls, contradicted) in table {
        let stage = Stage::new(settings(), statuses);
        let contradicting =
            Behaviour { result: Results::Contradicting("2040".into()), ..Behaviour::ORDINARY };
        stage.sim.script_payment("600999_Org_1", contradicting);
        stage.pay("600999_Org_1", "0111").await.expect("an answer");
        let heard = stage.heard().await;
        let codes = heard.iter().map(|(_, _, body)| result::parse(body).unwrap().facts.code);
        let codes: Vec<_> = codes.collect();
        assert_eq!(codes.len(), calls, "{statuses:?}");
        assert_eq!(codes.contains(&"2040".to_owned()), contradicted, "{statuses:?}: {codes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn it_stops_when_it_is_dropped() {
    let stage = Stage::new(settings(), &[]);
    stage.sim.script_payment("600999_Org_1", cached(minutes(10), Then::Deliver));
    stage.pay("600999_Org_1", "0111").await.expect("an answer");
    let Stage { sim, callbacks, .. } = stage;
    drop(sim);
    sleep(minutes(20)).await;
    assert!(callbacks.got.lock().unwrap().is_empty());
    assert_eq!(Arc::strong_count(&callbacks), 1, "nothing is left running");
}
