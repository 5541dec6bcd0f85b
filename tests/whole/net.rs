//! The network between the gateway and M-Pesa: it loses, repeats, delays and cuts.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::BodyExt;
use mlango::daraja::{self, Api};
use mlango::domain::outcome::{self, AnswerClass};
use mlango::domain::payout::{WhyNoAnswer, WhyNothingSent};
use mlango::engine::port::Pending;
use mlango::http::server::Peer;
use mlango::rail::pace::Pace;
use mlango::rail::transport::{self, Answer, Unanswered, Web, Wire};
use mlango::sim::deliver::{Carrier, Target};
use mlango::sim::{broker, is_hang_up};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};
use tower::ServiceExt;

use crate::dice::Dice;
use crate::fate::Fate;

/// How long the gateway waits for a connection.
pub const CONNECT: Duration = Duration::from_secs(2);
/// How long it waits for an answer.
pub const ANSWER: Duration = Duration::from_secs(10);
/// The longest that a message takes which is late, and still arrives.
pub const LATE_MAX: Duration = Duration::from_secs(40);

/// How many times longer a result may be held than a request.
const HELD_TIMES: u32 = 15;

/// How often what goes wrong, out of a thousand messages; the rest arrives once, soon.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// No connection.
    pub unreachable: u64,
    /// The connection ends before the first byte.
    pub cut_before: u64,
    /// The request is lost, and nobody says so.
    pub lost: u64,
    /// The request arrives so late that nobody waits for its answer.
    pub late: u64,
    /// The request arrives twice, the second time at any time within [`LATE_MAX`] after the first
    /// was answered. What M-Pesa has refused for certain stays refused, however often the network
    /// repeats it: without that no refusal would be certain (docs/safety.md).
    pub twice: u64,
    /// The answer is lost.
    pub answer_lost: u64,
    /// A result does not arrive.
    pub result_lost: u64,
    /// A result arrives twice.
    pub result_twice: u64,
    /// A result arrives, and its acknowledgement is lost.
    pub ack_lost: u64,
    /// A result arrives at any time within ten minutes, after others that came later, and nobody
    /// waits for its acknowledgement.
    pub result_held: u64,
    /// For so long at a time there is no connection at all; zero for never.
    pub flap: Duration,
}

impl Weather {
    /// All of it, often.
    pub const STORM: Self = Self {
        unreachable: 60,
        cut_before: 40,
        lost: 50,
        late: 50,
        twice: 50,
        answer_lost: 50,
        result_lost: 100,
        result_twice: 100,
        ack_lost: 100,
        result_held: 60,
        flap: Duration::from_secs(20),
    };
}

/// What was posted, and what the broker said to each copy that arrived.
#[derive(Clone, Debug)]
pub struct Post {
    /// Its OriginatorConversationID.
    pub name: String,
    /// The `ResponseCode` of each copy; empty where there was none.
    pub codes: Vec<String>,
    /// Whether the gateway heard what the first of them was answered.
    pub is_heard: bool,
}

/// The door of the gateway, while it lives.
#[derive(Clone)]
pub struct Door {
    pub callbacks: Router,
    pub fate: Fate,
}

/// The network.
pub struct Net {
    dice: Mutex<Dice>,
    weather: Mutex<Weather>,
    broker: Mutex<Option<Router>>,
    door: Mutex<Option<Door>>,
    posts: Mutex<Vec<Post>>,
    /// What the gateway acknowledged, and where; no validations, which move no money.
    acknowledged: Mutex<Vec<(String, Bytes)>>,
    /// Results that are held.
    held: AtomicUsize,
    log: Mutex<Vec<String>>,
    keeps_log: AtomicBool,
    born: Instant,
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Net")
    }
}

impl Net {
    pub fn new(dice: Dice, weather: Weather) -> Self {
        Self {
            dice: Mutex::new(dice),
            weather: Mutex::new(weather),
            broker: Mutex::default(),
            door: Mutex::default(),
            posts: Mutex::default(),
            acknowledged: Mutex::default(),
            held: AtomicUsize::new(0),
            log: Mutex::default(),
            keeps_log: AtomicBool::new(false),
            born: Instant::now(),
        }
    }

    pub fn reach_broker_at(&self, broker: Router) {
        *self.broker.lock().expect("broker") = Some(broker);
    }

    /// Whoever lives behind the callbacks' address now.
    pub fn open(&self, door: Option<Door>) {
        *self.door.lock().expect("door") = door;
    }

    /// From now on everything arrives, once, soon.
    pub fn calm(&self) {
        *self.weather.lock().expect("weather") = Weather::default();
    }

    /// How many results are on their way that nobody waits for.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }

    pub fn keep_log(&self) {
        self.keeps_log.store(true, Ordering::SeqCst);
    }

    /// Writes a line, with the time, if anybody will read it.
    pub fn note(&self, line: impl FnOnce() -> String) {
        if self.keeps_log.load(Ordering::SeqCst) {
            let at = self.born.elapsed().as_millis();
            self.log.lock().expect("log").push(format!("{at:>9} ms  {}", line()));
        }
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("log").clone()
    }

    pub fn posts(&self) -> Vec<Post> {
        self.posts.lock().expect("posts").clone()
    }

    pub fn acknowledged(&self) -> Vec<(String, Bytes)> {
        self.acknowledged.lock().expect("acknowledged").clone()
    }

    fn roll(&self) -> (u64, Duration, Weather) {
        let mut dice = self.dice.lock().expect("dice");
        let late = u64::try_from(LATE_MAX.as_millis()).expect("it fits");
        (dice.below(1_000), dice.millis(late), *self.weather.lock().expect("weather"))
    }

    /// Whether there is no connection at all: half of the time, in turns.
    fn is_down(&self, weather: &Weather) -> bool {
        let flap = weather.flap.as_millis();
        flap > 0 && (self.born.elapsed().as_millis() / flap) % 3 == 2
    }

    /// Hands a request to M-Pesa, whatever becomes of whoever sent it.
    fn deliver(
        self: &Arc<Self>,
        number: usize,
        parcel: Arc<Parcel>,
        after: Duration,
        again_after: Option<Duration>,
    ) -> oneshot::Receiver<Option<Answer>> {
        let (tell, told) = oneshot::channel();
        let net = Arc::clone(self);
        tokio::spawn(async move {
            sleep(after).await;
            let broker = net.broker.lock().expect("broker").clone().expect("a broker");
            let mut request = Request::builder().method(parcel.method.clone()).uri(&parcel.path);
            for (name, value) in &parcel.headers {
                request = request.header(name, value);
            }
            let request = request.body(Body::from(parcel.body.clone())).expect("a request");
            let response = broker.oneshot(request).await.expect("a response");
            let answer = if is_hang_up(&response) {
                None
            } else {
                let status = response.status().as_u16();
                let body = response.into_body().collect().await.expect("a body").to_bytes();
                Some(Answer::new(status, body.to_vec()))
            };
            let code = answer.as_ref().map(|it| code_in(&parcel, it));
            let code = code.unwrap_or_default();
            net.note(|| format!("broker answers copy of post {number}: \"{code}\""));
            let class = outcome::answer(&code).class;
            net.posts.lock().expect("posts")[number].codes.push(code);
            // Nobody may wait for it any more.
            drop(tell.send(answer));
            if let Some(after) = again_after
                && !matches!(class, AnswerClass::Refused | AnswerClass::TryLater)
            {
                drop(net.deliver(number, parcel, after, None));
            }
        });
        told
    }

    async fn post(
        self: &Arc<Self>,
        fate: &Fate,
        parcel: Parcel,
        pace: &Pace,
    ) -> Result<Answer, Unanswered> {
        let name = parcel.name();
        fate.point(&format!("before connecting for {name}")).await;
        let (draw, late, weather) = self.roll();
        let mut left = draw;
        let mut is = |rate: u64| {
            let hit = left < rate;
            left = if hit { u64::MAX } else { left - rate };
            hit
        };
        if is(weather.unreachable) || self.is_down(&weather) {
            self.note(|| format!("no connection for {name}"));
            sleep(CONNECT).await;
            return Err(Unanswered::NothingSent(WhyNothingSent::ConnectTimeout));
        }
        sleep(Duration::from_millis(5)).await;
        pace.enter().await;
        if is(weather.cut_before) {
            self.note(|| format!("cut before the first byte of {name}"));
            return Err(Unanswered::NothingSent(WhyNothingSent::ClosedBeforeFirstByte));
        }
        fate.live().await;
        let number = {
            let mut posts = self.posts.lock().expect("posts");
            posts.push(Post { name: name.clone(), codes: vec![], is_heard: false });
            posts.len() - 1
        };
        let parcel = Arc::new(parcel);
        let soon = Duration::from_millis(5);
        let (lost, is_late, twice) = (is(weather.lost), is(weather.late), is(weather.twice));
        let answer_lost = is(weather.answer_lost);
        self.note(|| {
            format!(
                "post {number} leaves: {name}{}{}{}{}",
                if lost { ", lost" } else { "" },
                if is_late { ", late" } else { "" },
                if twice { ", twice" } else { "" },
                if answer_lost { ", its answer lost" } else { "" },
            )
        });
        if lost {
            fate.point(&format!("after the bytes of {name} left")).await;
            sleep(ANSWER).await;
            return Err(Unanswered::MayHaveBeenSent(WhyNoAnswer::Timeout));
        }
        let again_after = twice.then_some(late);
        let told = self.deliver(number, parcel, if is_late { late } else { soon }, again_after);
        fate.point(&format!("after the bytes of {name} left")).await;
        let answer = match timeout(ANSWER, told).await {
            Ok(Ok(Some(answer))) if !answer_lost => Ok(answer),
            Ok(Ok(_nothing)) => Err(Unanswered::MayHaveBeenSent(WhyNoAnswer::Closed)),
            Ok(Err(_)) | Err(_) => Err(Unanswered::MayHaveBeenSent(WhyNoAnswer::Timeout)),
        };
        self.posts.lock().expect("posts")[number].is_heard = answer.is_ok();
        fate.point(&format!("after the answer to {name}")).await;
        answer
    }

    async fn call_back(self: &Arc<Self>, path: &str, body: Bytes) -> Result<(u16, Bytes), String> {
        let (draw, late, weather) = self.roll();
        if self.is_down(&weather) || draw < weather.result_lost {
            self.note(|| format!("a callback to {path} does not arrive"));
            sleep(Duration::from_secs(1)).await;
            return Err("no connection".to_owned());
        }
        let twice = draw < weather.result_lost + weather.result_twice;
        let ack_lost =
            !twice && draw < weather.result_lost + weather.result_twice + weather.ack_lost;
        let others = weather.result_lost + weather.result_twice + weather.ack_lost;
        if draw >= others && draw < others + weather.result_held {
            self.hold(path.to_owned(), body, late * HELD_TIMES);
            return Err("the connection ended".to_owned());
        }
        let first = self.knock(path, body.clone()).await;
        if twice {
            return self.knock(path, body).await;
        }
        if ack_lost {
            self.note(|| "an acknowledgement is lost".to_owned());
            return Err("the connection ended".to_owned());
        }
        first
    }

    fn hold(self: &Arc<Self>, path: String, body: Bytes, after: Duration) {
        self.note(|| format!("a callback to {path} is held for {} s", after.as_secs()));
        self.held.fetch_add(1, Ordering::SeqCst);
        let net = Arc::clone(self);
        tokio::spawn(async move {
            sleep(after).await;
            drop(net.knock(&path, body).await);
            net.held.fetch_sub(1, Ordering::SeqCst);
        });
    }

    async fn knock(&self, path: &str, body: Bytes) -> Result<(u16, Bytes), String> {
        sleep(Duration::from_millis(5)).await;
        let door = self.door.lock().expect("door").clone();
        let Some(Door { callbacks, fate }) = door.filter(|door| !door.fate.is_dead()) else {
            self.note(|| "a callback finds nobody".to_owned());
            return Err("connection refused".to_owned());
        };
        let peer = Peer::Net("196.201.212.9:4000".parse().expect("an address"));
        let kind = if body.starts_with(b"{") { "application/json" } else { "text/xml" };
        let request = Request::post(path).header("content-type", kind).extension(peer);
        let request = request.body(Body::from(body.clone())).expect("a request");
        let call = async {
            fate.point("before a callback").await;
            let response = callbacks.oneshot(request).await.expect("a response");
            let status = response.status();
            let answer = response.into_body().collect().await.expect("a body").to_bytes();
            fate.point("before a callback is acknowledged").await;
            (status, answer)
        };
        tokio::select! {
            biased;
            () = fate.ended() => Err("the connection ended".to_owned()),
            (status, answer) = call => {
                self.note(|| format!("a callback to {path} is answered {status}"));
                if status == StatusCode::OK && !path.ends_with("/c2b/validation") {
                    let kept = (path.to_owned(), body);
                    self.acknowledged.lock().expect("acknowledged").push(kept);
                }
                Ok((status.as_u16(), answer))
            }
        }
    }
}

/// The gateway's way to the broker, in one life.
#[derive(Debug)]
pub struct SimWire {
    pub net: Arc<Net>,
    pub fate: Fate,
    /// Each request goes twice, one copy after the other: performing an effect again.
    pub again: Again,
}

/// Whether what is sent is sent again, and whose answer counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    No,
    FirstCounts,
    SecondCounts,
}

impl Wire for SimWire {
    fn post<'a>(
        &'a self,
        body: Vec<u8>,
        pace: &'a Pace,
    ) -> Pending<'a, Result<Answer, Unanswered>> {
        Box::pin(async move {
            match self.again {
                Again::No => self.net.post(&self.fate, Parcel::soap(body), pace).await,
                Again::FirstCounts => {
                    let first = self.net.post(&self.fate, Parcel::soap(body.clone()), pace).await;
                    drop(self.net.post(&self.fate, Parcel::soap(body), pace).await);
                    first
                }
                Again::SecondCounts => {
                    drop(self.net.post(&self.fate, Parcel::soap(body.clone()), pace).await);
                    self.net.post(&self.fate, Parcel::soap(body), pace).await
                }
            }
        })
    }

    fn longest(&self) -> Duration {
        // The pace is slow enough to make one wait.
        CONNECT + ANSWER + ANSWER
    }
}

/// The gateway's way to Daraja, in one life.
#[derive(Debug)]
pub struct SimWeb(pub SimWire);

impl Web for SimWeb {
    fn send<'a>(
        &'a self,
        request: transport::Request,
        pace: &'a Pace,
    ) -> Pending<'a, Result<Answer, Unanswered>> {
        let SimWire { net, fate, again } = &self.0;
        Box::pin(async move {
            match again {
                Again::No => net.post(fate, Parcel::rest(request), pace).await,
                Again::FirstCounts => {
                    let first = net.post(fate, Parcel::rest(request.clone()), pace).await;
                    drop(net.post(fate, Parcel::rest(request), pace).await);
                    first
                }
                Again::SecondCounts => {
                    drop(net.post(fate, Parcel::rest(request.clone()), pace).await);
                    net.post(fate, Parcel::rest(request), pace).await
                }
            }
        })
    }

    fn longest(&self) -> Duration {
        self.0.longest()
    }
}

/// A request on its way.
#[derive(Debug)]
pub struct Parcel {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    /// Which of Daraja's interfaces it goes to; `None` for the broker and for a token.
    api: Option<Api>,
}

impl Parcel {
    fn soap(body: Vec<u8>) -> Self {
        let headers = vec![("content-type".to_owned(), "text/xml".to_owned())];
        let path = broker::PATH.to_owned();
        Self { method: Method::POST, path, headers, body: Bytes::from(body), api: None }
    }

    fn rest(request: transport::Request) -> Self {
        let headers = request.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.clone())).collect();
        let api = Api::ALL.into_iter().find(|api| api.path() == request.path);
        let (method, path) = (request.method, request.path);
        Self { method, path, headers, body: Bytes::from(request.body), api }
    }

    /// Its name: of a payout its OriginatorConversationID; of what has none, where it goes, and of
    /// a prompt besides where its end is to be told.
    fn name(&self) -> String {
        match self.api {
            Some(Api::B2c(_)) => member(&self.body, "OriginatorConversationID"),
            Some(Api::StkPush) => {
                let callback = member(&self.body, "CallBackURL");
                let tag = callback.rsplit('/').next().unwrap_or_default();
                format!("{}/{tag}", self.path)
            }
            None if self.path == broker::PATH => between(&self.body, "OriginatorConversationID"),
            Some(_) | None => self.path.clone(),
        }
    }
}

/// The code that an answer says, as the gateway reads it.
fn code_in(parcel: &Parcel, answer: &Answer) -> String {
    match parcel.api {
        None => between(&answer.body, "ResponseCode"),
        Some(api) => daraja::answer::read(api, answer.status, &answer.body).facts.code,
    }
}

/// A text member of a JSON object.
fn member(body: &[u8], name: &str) -> String {
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    value[name].as_str().unwrap_or_default().to_owned()
}

/// M-Pesa's way to the gateway, whoever lives there.
pub struct SimCarrier(pub Arc<Net>);

impl Carrier for SimCarrier {
    fn post(
        &self,
        to: &Target,
        body: Bytes,
    ) -> mlango::sim::deliver::Pending<Result<(u16, Bytes), String>> {
        let (net, path) = (Arc::clone(&self.0), to.path().to_owned());
        Box::pin(async move { net.call_back(&path, body).await })
    }
}

/// What stands between the first tags of this name: enough for our own messages.
pub fn between(body: &[u8], tag: &str) -> String {
    let text = String::from_utf8_lossy(body);
    let found = text.split_once(&format!("<{tag}>")).and_then(|(_, rest)| rest.split_once("</"));
    found.map(|(value, _)| value.trim().to_owned()).unwrap_or_default()
}

/// How often each name was posted.
pub fn by_name(posts: &[Post]) -> BTreeMap<&str, Vec<&Post>> {
    let mut named: BTreeMap<&str, Vec<&Post>> = BTreeMap::new();
    for post in posts {
        named.entry(&post.name).or_default().push(post);
    }
    named
}
