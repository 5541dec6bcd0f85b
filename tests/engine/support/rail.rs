//! A rail that follows a script and remembers what it was asked to send.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mlango::domain::id::ConversationId;
use mlango::domain::outcome::{self, AnswerClass};
use mlango::domain::payout::{AnswerFacts, Payout, Question, State, WhyNoAnswer, WhyNothingSent};
use mlango::domain::time::Timestamp;
use mlango::engine::port::{Admission, LinkState, Outcome, Prepared, Rail, RawAnswer, Sent};
use mlango::store::{Durable, Pending};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::store::TroubledStore;

/// What one send comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// How long it takes.
    pub after: Duration,
    /// What it comes to.
    pub what: What,
}

/// What a send comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// An answer with this code.
    Code(&'static str),
    /// Not one byte left.
    Nothing(WhyNothingSent),
    /// Bytes left, and no answer came.
    Silence(WhyNoAnswer),
}

impl What {
    /// At once.
    pub const fn now(self) -> Reply {
        self.after(Duration::ZERO)
    }

    /// After a while.
    pub const fn after(self, after: Duration) -> Reply {
        Reply { after, what: self }
    }

    /// Whether M-Pesa can have taken nothing.
    pub fn took_nothing(&self) -> bool {
        match self {
            Self::Nothing(_) => true,
            Self::Code(code) => outcome::answer(code).class == AnswerClass::TryLater,
            Self::Silence(_) => false,
        }
    }
}

/// What a question about a payout to `phone` is scripted under.
pub fn about(phone: &str) -> String {
    format!("?{phone}")
}

/// M-Pesa takes it.
pub const TAKEN: What = What::Code("0");
/// M-Pesa is too busy.
pub const BUSY: What = What::Code("100000002");
/// No connection.
pub const UNREACHABLE: What = What::Nothing(WhyNothingSent::Connect);
/// Bytes left, and no answer came.
pub const SILENCE: What = What::Silence(WhyNoAnswer::Timeout);

/// One send, as the rail saw it.
#[derive(Clone, Debug)]
pub struct Send {
    /// The OriginatorConversationID.
    pub name: String,
    /// The phone, unmasked.
    pub phone: String,
    /// When it was handed to the rail.
    pub at: Instant,
    /// What it came to; `None` while it is under way, or when the program died meanwhile.
    pub came_to: Option<What>,
}

/// A rail that follows a script.
pub struct ScriptedRail {
    store: Arc<TroubledStore>,
    script: Mutex<HashMap<String, VecDeque<Reply>>>,
    otherwise: Mutex<Reply>,
    sends: Mutex<Vec<Send>>,
    /// The questions, each under its own name, about the phone after a question mark.
    questions: Mutex<Vec<Send>>,
    places: Arc<Semaphore>,
    now: AtomicUsize,
    most: AtomicUsize,
    wrongs: Mutex<Vec<String>>,
    while_preparing: Mutex<Option<Box<dyn FnOnce() + std::marker::Send>>>,
    while_preparing_a_question: Mutex<Option<Box<dyn FnOnce() + std::marker::Send>>>,
    /// What speaks against a request about a phone, or a question about one.
    objections: Mutex<HashMap<String, String>>,
    /// What `longest_send` says.
    longest: Duration,
    /// Whether the last probe found the way open; `None` where it is not measured.
    link_up: Mutex<Option<bool>>,
    /// What the next probe will find.
    is_open: AtomicBool,
}

impl fmt::Debug for ScriptedRail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScriptedRail")
    }
}

impl ScriptedRail {
    /// A rail with `places`, which takes everything at once. It looks into `store` to see that a
    /// send is on the disk before it begins.
    pub fn new(store: Arc<TroubledStore>, places: usize) -> Self {
        Self {
            store,
            script: Mutex::default(),
            otherwise: Mutex::new(TAKEN.now()),
            sends: Mutex::default(),
            questions: Mutex::default(),
            places: Arc::new(Semaphore::new(places)),
            now: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
            wrongs: Mutex::default(),
            while_preparing: Mutex::default(),
            while_preparing_a_question: Mutex::default(),
            objections: Mutex::default(),
            longest: Duration::from_secs(60),
            link_up: Mutex::default(),
            is_open: AtomicBool::new(false),
        }
    }

    /// From now on this speaks against requests to `phone`, or against questions about one
    /// ([`about`]); `None`: nothing does.
    pub fn object(&self, phone: &str, why: Option<&str>) {
        let mut objections = self.objections.lock().expect("objections");
        objections.remove(phone);
        objections.extend(why.map(|why| (phone.to_owned(), why.to_owned())));
    }

    /// Its way is measured, and is closed until [`Self::open_the_way`].
    pub fn close_the_way(&self) {
        *self.link_up.lock().expect("link") = Some(false);
    }

    /// The next probe finds the way open.
    pub fn open_the_way(&self) {
        self.is_open.store(true, Ordering::SeqCst);
    }

    /// What the next sends to `phone` come to, one after the other.
    pub fn script(&self, phone: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut script = self.script.lock().expect("script");
        script.entry(phone.to_owned()).or_default().extend(replies);
    }

    /// What every send comes to that no script speaks of.
    pub fn otherwise(&self, reply: Reply) {
        *self.otherwise.lock().expect("otherwise") = reply;
    }

    /// Something that happens between the decision to send and its commit, once.
    pub fn while_preparing(&self, hook: impl FnOnce() + std::marker::Send + 'static) {
        *self.while_preparing.lock().expect("hook") = Some(Box::new(hook));
    }

    /// The same, between the decision to ask and its commit.
    pub fn while_preparing_a_question(&self, hook: impl FnOnce() + std::marker::Send + 'static) {
        *self.while_preparing_a_question.lock().expect("hook") = Some(Box::new(hook));
    }

    /// Every send so far.
    pub fn sends(&self) -> Vec<Send> {
        self.sends.lock().expect("sends").clone()
    }

    /// How many sends went to `phone`.
    pub fn sent_to(&self, phone: &str) -> usize {
        self.sends().iter().filter(|it| it.phone == phone).count()
    }

    /// The most sends that were under way at once.
    pub fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }

    /// How many are under way.
    pub fn at_once(&self) -> usize {
        self.now.load(Ordering::SeqCst)
    }

    /// The questions so far.
    pub fn questions(&self) -> Vec<Send> {
        self.questions.lock().expect("questions").clone()
    }

    /// What should not have been asked of a rail.
    pub fn wrongs(&self) -> Vec<String> {
        self.wrongs.lock().expect("wrongs").clone()
    }

    fn wrong(&self, what: String) {
        self.wrongs.lock().expect("wrongs").push(what);
    }

    fn next_reply(&self, phone: &str) -> Reply {
        let mut script = self.script.lock().expect("script");
        script
            .get_mut(phone)
            .and_then(VecDeque::pop_front)
            .unwrap_or_else(|| self.otherwise.lock().expect("otherwise").clone())
    }

    /// A question's number is on the disk before it leaves, so that none goes twice.
    async fn check_its_number_is_on_the_disk(&self, name: &str) {
        let id = mlango::domain::id::OriginatorConversationId::payout_in(name);
        let Some(payout) = self.store.truly(id.expect("it names its payout")).await else {
            return self.wrong(format!("{name} is asked about and is not in the store"));
        };
        let nth = payout.details.originator_conversation_id.question_in(name);
        if let State::Unknown { tries, .. } = payout.state
            && nth.is_none_or(|nth| tries.questions < nth)
        {
            self.wrong(format!("{name} is asked, and {} is the last on the disk", tries.questions));
        }
    }

    /// Laws 1 and 2: the payout stands at `sending` in the store, under this name.
    async fn check_it_is_on_the_disk(&self, name: &str) {
        let id = mlango::domain::id::OriginatorConversationId::payout_in(name);
        let Some(id) = id else {
            return self.wrong(format!("{name} names no payout"));
        };
        match self.store.truly(id).await {
            Some(payout) => {
                if !matches!(payout.state, State::Sending { .. }) {
                    self.wrong(format!("{id} is sent while it is {}", payout.status()));
                }
                if payout.details.originator_conversation_id.as_str() != name {
                    self.wrong(format!("{id} is sent under another name, {name}"));
                }
            }
            None => self.wrong(format!("{id} is sent and is not in the store")),
        }
    }
}

/// M-Pesa's name for a request.
pub fn conversation(name: &str) -> ConversationId {
    ConversationId::new(&format!("AG_{name}")).expect("a conversation id")
}

/// Counts a send as under way as long as it lives.
struct UnderWay<'a>(&'a ScriptedRail);

impl<'a> UnderWay<'a> {
    fn begin(rail: &'a ScriptedRail) -> Self {
        let now = rail.now.fetch_add(1, Ordering::SeqCst) + 1;
        rail.most.fetch_max(now, Ordering::SeqCst);
        Self(rail)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Rail for ScriptedRail {
    fn prepare(&self, payout: &Payout, _now: Timestamp) -> Result<Prepared, String> {
        let hook = self.while_preparing.lock().expect("hook").take();
        if let Some(hook) = hook {
            hook();
        }
        let name = payout.details.originator_conversation_id.clone();
        Ok(Prepared {
            kept: format!("request of {name}, masked").into_bytes(),
            name,
            wire: payout.details.phone.reveal().into_bytes(),
        })
    }

    fn prepare_question(
        &self,
        payout: &Payout,
        question: Question,
        _now: Timestamp,
    ) -> Result<Prepared, String> {
        let hook = self.while_preparing_a_question.lock().expect("hook").take();
        if let Some(hook) = hook {
            hook();
        }
        let name = payout.details.originator_conversation_id.of_question(question.nth);
        Ok(Prepared {
            kept: format!("question {name}, masked").into_bytes(),
            name,
            wire: about(&payout.details.phone.reveal()).into_bytes(),
        })
    }

    fn objection(&self, request: &Prepared) -> Option<String> {
        let phone = String::from_utf8_lossy(&request.wire).into_owned();
        self.objections.lock().expect("objections").get(&phone).cloned()
    }

    fn admit(&self) -> Pending<'_, Admission> {
        Box::pin(async {
            let place = Arc::clone(&self.places).acquire_owned().await;
            Admission::guarded_by(place.expect("it is never closed"))
        })
    }

    fn send(&self, request: Prepared, place: Admission, _proof: Durable) -> Pending<'_, Sent> {
        Box::pin(async move {
            let _under_way = UnderWay::begin(self);
            let name = request.name.as_str().to_owned();
            let phone = String::from_utf8(request.wire).expect("a phone");
            let is_question = phone.starts_with('?');
            if is_question {
                self.check_its_number_is_on_the_disk(&name).await;
            } else {
                self.check_it_is_on_the_disk(&name).await;
            }
            let reply = self.next_reply(&phone);
            let log = if is_question { &self.questions } else { &self.sends };
            let number = {
                let mut sends = log.lock().expect("sends");
                sends.push(Send { name: name.clone(), phone, at: Instant::now(), came_to: None });
                sends.len() - 1
            };
            if !reply.after.is_zero() {
                tokio::time::sleep(reply.after).await;
            }
            if let Some(send) = log.lock().expect("sends").get_mut(number) {
                send.came_to = Some(reply.what.clone());
            }
            drop(place);
            match reply.what {
                What::Code(code) => answered(code, &name),
                What::Nothing(why) => Sent { outcome: Outcome::NothingSent(why), answer: None },
                What::Silence(why) => Sent { outcome: Outcome::NoAnswer(why), answer: None },
            }
        })
    }

    fn longest_send(&self) -> Duration {
        self.longest
    }

    fn link(&self) -> Option<LinkState> {
        let up = (*self.link_up.lock().expect("link"))?;
        Some(LinkState { up: Some(up), ..LinkState::default() })
    }

    fn probe(&self) -> Pending<'_, ()> {
        let found = self.is_open.load(Ordering::SeqCst);
        *self.link_up.lock().expect("link") = Some(found);
        Box::pin(std::future::ready(()))
    }
}

fn answered(code: &str, name: &str) -> Sent {
    let taken = outcome::answer(code).class == AnswerClass::Taken;
    Sent {
        outcome: Outcome::Answered(AnswerFacts {
            code: code.to_owned(),
            description: format!("says {code}"),
            conversation: taken.then(|| conversation(name)),
        }),
        answer: Some(RawAnswer { http_status: 200, body: format!("answer {code}").into_bytes() }),
    }
}
