//! A counter, a way to phones and an application, which follow a script and remember what they
//! were asked.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mlango::domain::id::{
    CheckoutRequestId, ConversationId, InquiryId, MerchantRequestId, PaymentId, TextId,
};
use mlango::domain::inquiry::{self, Names};
use mlango::domain::outcome::{self, AnswerClass};
use mlango::domain::payment::validation::Answer;
use mlango::domain::payment::{self, C2bNotice, QueryFacts};
use mlango::domain::payout::{WhyNoAnswer, WhyNothingSent};
use mlango::domain::subject::Subject;
use mlango::domain::text::{self, Text};
use mlango::domain::time::Timestamp;
use mlango::engine::port::{
    Admission, Api, Call, Counter, Notifier, PreparedCall, RawAnswer, Replied, Reply, TextOutcome,
    Validator,
};
use mlango::store::{Durable, Pending, Store};

use super::secs;
use super::store::TroubledStore;

/// What one call comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How long it takes.
    pub after: Duration,
    /// What it comes to.
    pub says: Says,
}

/// What a call comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// An answer with this code: with M-Pesa's names for the request, where it was taken.
    Code(&'static str),
    /// The answer to a query: this `ResultCode`.
    Result(&'static str),
    /// Not one byte left.
    Nothing(WhyNothingSent),
    /// Bytes left, and no answer came.
    Silence(WhyNoAnswer),
}

impl Says {
    /// At once.
    pub const fn now(self) -> Line {
        self.after(Duration::ZERO)
    }

    /// After a while.
    pub const fn after(self, after: Duration) -> Line {
        Line { after, says: self }
    }

    /// Whether M-Pesa can have taken nothing.
    pub fn took_nothing(&self) -> bool {
        match self {
            Self::Nothing(_) => true,
            Self::Code(code) => outcome::answer(code).class == AnswerClass::TryLater,
            Self::Result(_) | Self::Silence(_) => false,
        }
    }
}

/// M-Pesa takes it.
pub const TAKES: Says = Says::Code("0");
/// Bytes left, and no answer came.
pub const LOST: Says = Says::Silence(WhyNoAnswer::Timeout);
/// No connection.
pub const NO_LINK: Says = Says::Nothing(WhyNothingSent::Connect);

/// One call, as the counter saw it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Which interface.
    pub api: Api,
    /// About what.
    pub about: Subject,
    /// What it came to; `None` while it is under way, or when the program died meanwhile.
    pub came_to: Option<Says>,
}

/// A counter that follows a script.
pub struct ScriptedCounter {
    store: Arc<TroubledStore>,
    script: Mutex<BTreeMap<Api, VecDeque<Line>>>,
    asked: Mutex<Vec<Asked>>,
    wrongs: Mutex<Vec<String>>,
    longest: Duration,
}

impl fmt::Debug for ScriptedCounter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScriptedCounter")
    }
}

impl ScriptedCounter {
    /// One that takes everything at once, and says of prompts that they are still open. It looks
    /// into `store` to see that a call is on the disk before it begins.
    pub fn new(store: Arc<TroubledStore>) -> Self {
        Self {
            store,
            script: Mutex::default(),
            asked: Mutex::default(),
            wrongs: Mutex::default(),
            longest: secs(60),
        }
    }

    /// What the next calls to `api` come to, one after the other.
    pub fn script(&self, api: Api, lines: impl IntoIterator<Item = Line>) {
        self.script.lock().expect("script").entry(api).or_default().extend(lines);
    }

    /// Every call so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("asked").clone()
    }

    /// How many calls went to `api`.
    pub fn count(&self, api: Api) -> usize {
        self.asked().iter().filter(|asked| asked.api == api).count()
    }

    /// What should not have been asked of a counter.
    pub fn wrongs(&self) -> Vec<String> {
        self.wrongs.lock().expect("wrongs").clone()
    }

    fn wrong(&self, what: String) {
        self.wrongs.lock().expect("wrongs").push(what);
    }

    fn next_line(&self, api: Api) -> Line {
        let mut script = self.script.lock().expect("script");
        let otherwise = if api == Api::PromptQuery { Says::Result("4999") } else { TAKES };
        script.get_mut(&api).and_then(VecDeque::pop_front).unwrap_or_else(|| otherwise.now())
    }

    /// Law 1: what is about to be called for stands in the store as being called for.
    async fn check_it_is_on_the_disk(&self, api: Api, about: Subject, nth: u32) {
        let stands = match about {
            Subject::Payment(id) => {
                let kept = self.store.payment(id).await.expect("memory is readable");
                kept.is_some_and(|kept| match (api, &kept.value.state) {
                    (Api::Prompt, payment::State::Sending { .. }) => true,
                    // The callback may have been faster than our own step.
                    (Api::PromptQuery, state) => {
                        state.asking().is_none_or(|asking| asking.nth >= nth)
                    }
                    _ => false,
                })
            }
            Subject::Inquiry(id) => {
                let kept = self.store.inquiry(id).await.expect("memory is readable");
                kept.map(|kept| kept.value.state).is_some_and(|state| match nth {
                    0 => matches!(state, inquiry::State::Sending { .. }),
                    nth => state.tries().questions >= nth,
                })
            }
            Subject::Payout(_) | Subject::Text(_) => false,
        };
        if !stands {
            self.wrong(format!("{} for {about} is not on the disk", api.as_str()));
        }
    }
}

/// M-Pesa's id of the prompt for a payment.
pub fn checkout(id: PaymentId) -> CheckoutRequestId {
    CheckoutRequestId::new(&format!("ws_CO_{id}")).expect("a checkout id")
}

/// M-Pesa's names for an inquiry's request.
pub fn names(id: InquiryId) -> Names {
    let conversation = ConversationId::new(&format!("AG_{id}"));
    Names { conversation, originator: None }
}

fn api_of(kind: &inquiry::Kind) -> Api {
    match kind {
        inquiry::Kind::Balance => Api::Balance,
        inquiry::Kind::TransactionStatus(_) => Api::Status,
        inquiry::Kind::Reversal(_) => Api::Reversal,
        inquiry::Kind::RegisterUrls(_) => Api::RegisterUrls,
        inquiry::Kind::SimulateC2b(_) => Api::SimulateC2b,
        inquiry::Kind::BusinessPayment(_) => Api::BusinessPayment,
        inquiry::Kind::Tax(_) => Api::Tax,
        inquiry::Kind::QrCode(_) => Api::QrCode,
        inquiry::Kind::RegisterPull(_) => Api::RegisterPull,
    }
}

/// What a call's wire holds here: the subject, and a question's number.
fn wire(about: &str, nth: u32) -> Vec<u8> {
    format!("{about} {nth}").into_bytes()
}

impl Counter for ScriptedCounter {
    fn has(&self, _rail: mlango::domain::payout::Rail) -> bool {
        true
    }

    fn prepare(&self, call: Call<'_>, _now: Timestamp) -> Result<PreparedCall, String> {
        let (api, wire) = match call {
            Call::Prompt(payment) => (Api::Prompt, wire(&payment.details.id.to_string(), 0)),
            Call::PromptQuery(payment) => {
                let nth = payment.state.asking().map_or(0, |asking| asking.nth + 1);
                (Api::PromptQuery, wire(&payment.details.id.to_string(), nth))
            }
            Call::Inquiry(inquiry) => {
                (api_of(&inquiry.details.kind), wire(&inquiry.details.id.to_string(), 0))
            }
            Call::InquiryQuestion(inquiry, nth) => {
                (Api::Status, wire(&inquiry.details.id.to_string(), nth))
            }
            Call::Pull { .. } => return Err("nothing is pulled here".to_owned()),
        };
        let kept = [b"masked: ", wire.as_slice()].concat();
        Ok(PreparedCall { api, wire, kept })
    }

    fn admit(&self, _api: Api) -> Pending<'_, Admission> {
        Box::pin(std::future::ready(Admission::free()))
    }

    fn call(
        &self,
        call: PreparedCall,
        place: Admission,
        proof: Option<Durable>,
    ) -> Pending<'_, Replied> {
        Box::pin(async move {
            let text = String::from_utf8(call.wire).expect("a subject");
            let (about, nth) = text.split_once(' ').expect("a subject and a number");
            let about: Subject = about.parse().expect("a subject");
            let nth: u32 = nth.parse().expect("a number");
            if proof.is_none() {
                self.wrong(format!("{} for {about} without a proof", call.api.as_str()));
            }
            self.check_it_is_on_the_disk(call.api, about, nth).await;
            let line = self.next_line(call.api);
            let number = {
                let mut asked = self.asked.lock().expect("asked");
                asked.push(Asked { api: call.api, about, came_to: None });
                asked.len() - 1
            };
            if !line.after.is_zero() {
                tokio::time::sleep(line.after).await;
            }
            if let Some(asked) = self.asked.lock().expect("asked").get_mut(number) {
                asked.came_to = Some(line.says.clone());
            }
            drop(place);
            replied(call.api, about, line.says)
        })
    }

    fn longest_call(&self) -> Duration {
        self.longest
    }
}

fn replied(api: Api, about: Subject, says: Says) -> Replied {
    let (code, result) = match says {
        Says::Code(code) => (code, None),
        Says::Result(result) => ("0", Some(result.to_owned())),
        Says::Nothing(why) => return Replied { reply: Reply::NothingSent(why), answer: None },
        Says::Silence(why) => return Replied { reply: Reply::NoAnswer(why), answer: None },
    };
    let body = format!("{code} {result:?}").into_bytes();
    let answer = Some(RawAnswer { http_status: 200, body });
    let taken = outcome::answer(code).class == AnswerClass::Taken;
    let (code, description) = (code.to_owned(), format!("says {code}"));
    let reply = match (api, about) {
        (Api::Prompt, Subject::Payment(id)) => Reply::Prompted(payment::AnswerFacts {
            code,
            description,
            merchant: MerchantRequestId::new("91ab-1"),
            checkout: taken.then(|| checkout(id)),
        }),
        (_, Subject::Payment(id)) => {
            let checkout = Some(checkout(id));
            Reply::Queried(QueryFacts { code, result, description, checkout })
        }
        (_, Subject::Inquiry(id)) => {
            let names = if taken { names(id) } else { Names::default() };
            let picture = None;
            Reply::Inquired(inquiry::AnswerFacts { code, description, names, picture })
        }
        (_, Subject::Payout(_) | Subject::Text(_)) => panic!("{about} has no call of its own"),
    };
    Replied { reply, answer }
}

/// A way to phones that follows a script.
pub struct ScriptedNotifier {
    store: Arc<TroubledStore>,
    script: Mutex<BTreeMap<String, VecDeque<Line>>>,
    sent: Mutex<Vec<SentText>>,
    wrongs: Mutex<Vec<String>>,
}

/// One message, as it was handed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentText {
    /// Which.
    pub id: TextId,
    /// To whom, unmasked.
    pub phone: String,
    /// What it says.
    pub body: String,
}

impl fmt::Debug for ScriptedNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScriptedNotifier")
    }
}

impl ScriptedNotifier {
    /// One that sends everything at once.
    pub fn new(store: Arc<TroubledStore>) -> Self {
        Self { store, script: Mutex::default(), sent: Mutex::default(), wrongs: Mutex::default() }
    }

    /// What the next messages to `phone` come to, one after the other.
    pub fn script(&self, phone: &str, lines: impl IntoIterator<Item = Line>) {
        self.script.lock().expect("script").entry(phone.to_owned()).or_default().extend(lines);
    }

    /// Every message that was handed over.
    pub fn sent(&self) -> Vec<SentText> {
        self.sent.lock().expect("sent").clone()
    }

    /// What should not have been asked of it.
    pub fn wrongs(&self) -> Vec<String> {
        self.wrongs.lock().expect("wrongs").clone()
    }
}

impl Notifier for ScriptedNotifier {
    fn send<'a>(&'a self, text: &'a Text, _proof: Durable) -> Pending<'a, TextOutcome> {
        Box::pin(async move {
            let id = text.details.id;
            let kept = self.store.text(id).await.expect("memory is readable");
            let state = kept.map(|kept| kept.value.state);
            if !matches!(state, Some(text::State::Sending { .. })) {
                let wrong = format!("{id} is sent while it is {state:?}");
                self.wrongs.lock().expect("wrongs").push(wrong);
            }
            let phone = text.details.phone.reveal();
            let body = text.details.body.clone();
            self.sent.lock().expect("sent").push(SentText { id, phone: phone.clone(), body });
            let line = {
                let mut script = self.script.lock().expect("script");
                script.get_mut(&phone).and_then(VecDeque::pop_front)
            };
            let line = line.unwrap_or_else(|| Says::Code("101").now());
            if !line.after.is_zero() {
                tokio::time::sleep(line.after).await;
            }
            match line.says {
                Says::Code(code) | Says::Result(code) => TextOutcome::Answered(text::AnswerFacts {
                    code: code.to_owned(),
                    description: format!("says {code}"),
                    message_id: Some("ATXid_1".to_owned()),
                    cost: Some("KES 0.8000".to_owned()),
                }),
                Says::Nothing(why) => TextOutcome::NothingSent(why),
                Says::Silence(why) => TextOutcome::NoAnswer(why),
            }
        })
    }

    fn longest_send(&self) -> Duration {
        secs(30)
    }
}

/// An application that is asked whether a payment is to be taken.
#[derive(Debug, Default)]
pub struct ScriptedValidator {
    /// What it answers, and after how long; without it, it never answers.
    answer: Mutex<Option<(Duration, Option<Answer>)>>,
    asked: AtomicUsize,
}

impl ScriptedValidator {
    /// From now on it answers so.
    pub fn answers(&self, after: Duration, answer: Option<Answer>) {
        *self.answer.lock().expect("answer") = Some((after, answer));
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Validator for ScriptedValidator {
    fn ask<'a>(&'a self, _notice: &'a C2bNotice) -> Pending<'a, Option<Answer>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let answer = self.answer.lock().expect("answer").clone();
        Box::pin(async move {
            match answer {
                Some((after, answer)) => {
                    tokio::time::sleep(after).await;
                    answer
                }
                None => std::future::pending().await,
            }
        })
    }
}
