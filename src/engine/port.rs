//! What the engine needs from outside: a way to M-Pesa, and identifiers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::id::OriginatorConversationId;
use crate::domain::inquiry::{self, Inquiry};
use crate::domain::payment::{self, C2bNotice, Payment};
use crate::domain::payout::{self, AnswerFacts, Payout, Question, WhyNoAnswer, WhyNothingSent};
use crate::domain::text::{self, Text};
use crate::domain::time::Timestamp;
pub use crate::store::{Durable, Pending};

/// The ways to M-Pesa that are set up.
#[derive(Clone, Debug, Default)]
pub struct Rails(BTreeMap<payout::Rail, Arc<dyn Rail>>);

impl Rails {
    /// One way only.
    pub fn only(name: payout::Rail, rail: Arc<dyn Rail>) -> Self {
        Self::default().with(name, rail)
    }

    /// These, and one more.
    #[must_use]
    pub fn with(mut self, name: payout::Rail, rail: Arc<dyn Rail>) -> Self {
        self.0.insert(name, rail);
        self
    }

    /// Each, under its name.
    pub fn each(&self) -> impl Iterator<Item = (payout::Rail, &Arc<dyn Rail>)> {
        self.0.iter().map(|(name, rail)| (*name, rail))
    }
}

/// A way to M-Pesa.
pub trait Rail: Send + Sync + fmt::Debug {
    /// Builds the request of a payout. Nothing is sent.
    ///
    /// # Errors
    /// Why it cannot be built, without secrets.
    fn prepare(&self, payout: &Payout, now: Timestamp) -> Result<Prepared, String>;

    /// Builds a question what became of a payout, under the question's own name. Nothing is sent.
    ///
    /// # Errors
    /// Why it cannot be built, without secrets.
    fn prepare_question(
        &self,
        payout: &Payout,
        question: Question,
        now: Timestamp,
    ) -> Result<Prepared, String>;

    /// What speaks against sending a request that was built, in words without values: it is not
    /// as the partner's own schema wants it. Such a request is never sent.
    fn objection(&self, _request: &Prepared) -> Option<String> {
        None
    }

    /// Waits until one more send may begin: the rail's pace, and its limit of sends at once. The
    /// place is given back when the value is dropped.
    fn admit(&self) -> Pending<'_, Admission>;

    /// Sends once, and says what is known afterwards. It never sends twice, and it asks for the
    /// proof that the payout's `sending` is on the disk.
    fn send(&self, request: Prepared, place: Admission, proof: Durable) -> Pending<'_, Sent>;

    /// The longest that [`Rail::send`] can take: what a lease must outlast.
    fn longest_send(&self) -> Duration;

    /// What keeps this way from sending at all just now, in a sentence for people and without
    /// secrets; it ends by itself, or when a person mends the configuration.
    fn trouble(&self) -> Option<String> {
        None
    }

    /// How far the way goes, as far as it was tried; `None` where that is not measured.
    fn link(&self) -> Option<LinkState> {
        None
    }

    /// Finds out whether the way is open, where nothing else does: it connects, and sends nothing.
    fn probe(&self) -> Pending<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// How far an attempt to reach M-Pesa came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkStage {
    /// Its name was looked up.
    Resolve,
    /// An end of the way on this machine was looked for: the VPN's address or interface.
    Local,
    /// It was called.
    Connect,
    /// Keys were agreed on, and who is who.
    Tls,
    /// It was asked, and its answer awaited.
    Answer,
}

impl LinkStage {
    /// Its word in logs, metrics and the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Local => "local",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Answer => "answer",
        }
    }
}

/// What is known of the way to M-Pesa.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkState {
    /// Whether the last attempt to connect led to a connection; `None` before the first.
    pub up: Option<bool>,
    /// Since when it is so.
    pub since: Option<Timestamp>,
    /// When it last connected.
    pub connected_at: Option<Timestamp>,
    /// When it last answered.
    pub answered_at: Option<Timestamp>,
    /// How the last connection was encrypted, such as `TLSv1.3 TLS13_AES_256_GCM_SHA384`.
    pub protocol: Option<String>,
    /// Whose certificate the other side showed.
    pub peer: Option<String>,
    /// What is weak about it.
    pub weak: Vec<String>,
    /// What last went wrong.
    pub failure: Option<LinkFailure>,
}

impl LinkState {
    /// When it was last tried, with whatever outcome.
    pub fn tried_at(&self) -> Option<Timestamp> {
        let failed = self.failure.as_ref().map(|failure| failure.at);
        [self.connected_at, self.answered_at, failed].into_iter().flatten().max()
    }
}

/// What went wrong on the way to M-Pesa.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkFailure {
    /// When.
    pub at: Timestamp,
    /// How far it had come.
    pub stage: LinkStage,
    /// What happened, in words.
    pub what: String,
}

/// Which of M-Pesa's interfaces a call goes to: each has its own path and its own pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Api {
    /// STK push.
    Prompt,
    /// How a prompt ended.
    PromptQuery,
    /// The organisation's accounts.
    Balance,
    /// How a transaction stands.
    Status,
    /// Giving a payer his money back.
    Reversal,
    /// Where C2B notices are to go.
    RegisterUrls,
    /// Acting as a payer, in the sandbox.
    SimulateC2b,
    /// Paying another organisation.
    BusinessPayment,
    /// Paying tax.
    Tax,
    /// Payments that came in lately.
    Pull,
    /// A code that payers scan.
    QrCode,
    /// Leave to pull payments.
    RegisterPull,
}

impl Api {
    /// Its word in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prompt => "stk_push",
            Self::PromptQuery => "stk_query",
            Self::Balance => "balance",
            Self::Status => "transaction_status",
            Self::Reversal => "reversal",
            Self::RegisterUrls => "register_urls",
            Self::SimulateC2b => "simulate_c2b",
            Self::BusinessPayment => "business_payment",
            Self::Tax => "tax",
            Self::Pull => "pull",
            Self::QrCode => "qr_code",
            Self::RegisterPull => "register_pull",
        }
    }
}

/// What is to be asked of M-Pesa, besides payouts and questions about them.
#[derive(Clone, Copy, Debug)]
pub enum Call<'a> {
    /// Show the payer a prompt (spec/daraja.md §1.2).
    Prompt(&'a Payment),
    /// How the prompt ended (spec/daraja.md §1.3).
    PromptQuery(&'a Payment),
    /// What an inquiry asks for.
    Inquiry(&'a Inquiry),
    /// What became of an inquiry that moves money: question `nth`.
    InquiryQuestion(&'a Inquiry, u32),
    /// Payments that came in within a time, from a place in the list (spec/daraja.md §1.13).
    Pull {
        /// From then on.
        from: Timestamp,
        /// Until then.
        to: Timestamp,
        /// How many to pass over.
        offset: u32,
    },
}

/// A call that is ready to go.
pub struct PreparedCall {
    /// Where to.
    pub api: Api,
    /// As it goes over the wire. It holds credentials.
    pub wire: Vec<u8>,
    /// As it is kept: credentials masked.
    pub kept: Vec<u8>,
}

impl fmt::Debug for PreparedCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PreparedCall({}, {} bytes)", self.api.as_str(), self.wire.len())
    }
}

/// What is known after a call.
#[derive(Debug)]
pub struct Replied {
    /// What it means.
    pub reply: Reply,
    /// What came back, as it shall be kept.
    pub answer: Option<RawAnswer>,
}

/// What a call came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The answer to a prompt.
    Prompted(payment::AnswerFacts),
    /// The answer to a question about a prompt.
    Queried(payment::QueryFacts),
    /// The answer to an inquiry or a question about one.
    Inquired(inquiry::AnswerFacts),
    /// A page of payments, and whether there may be more.
    Pulled(Result<Pulled, String>),
    /// Not one byte left, for certain.
    NothingSent(WhyNothingSent),
    /// Bytes may have left, and nothing readable came back.
    NoAnswer(WhyNoAnswer),
}

/// A page of payments that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// Each, as a confirmation would have told it.
    pub notices: Vec<C2bNotice>,
    /// How many rows the page had, those that cannot be read included.
    pub rows: u32,
}

/// The counter at which M-Pesa is asked for everything but payouts.
pub trait Counter: Send + Sync + fmt::Debug {
    /// Whether anything can be asked this way.
    fn has(&self, rail: payout::Rail) -> bool;

    /// Builds a call. Nothing is sent.
    ///
    /// # Errors
    /// Why it cannot be built, without secrets.
    fn prepare(&self, call: Call<'_>, now: Timestamp) -> Result<PreparedCall, String>;

    /// Waits until one more call to `api` may begin: its pace, and the limit of calls at once.
    fn admit(&self, api: Api) -> Pending<'_, Admission>;

    /// Calls once, and says what is known afterwards. It asks for the proof that the beginning is
    /// on the disk, where the call can move money; what moves none needs none.
    fn call(
        &self,
        call: PreparedCall,
        place: Admission,
        proof: Option<Durable>,
    ) -> Pending<'_, Replied>;

    /// The longest that [`Counter::call`] can take: what a lease must outlast.
    fn longest_call(&self) -> Duration;
}

/// An application that is asked whether a C2B payment is to be taken.
pub trait Validator: Send + Sync + fmt::Debug {
    /// Asks whoever asked to be asked about payments to this account; `None` when nobody did, or
    /// nobody answered in time and there is no rule for that.
    fn ask<'a>(&'a self, notice: &'a C2bNotice)
    -> Pending<'a, Option<payment::validation::Answer>>;
}

/// What became of a text message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextOutcome {
    /// The provider answered.
    Answered(text::AnswerFacts),
    /// Not one byte left, for certain.
    NothingSent(WhyNothingSent),
    /// Bytes may have left, and nothing readable came back.
    NoAnswer(WhyNoAnswer),
}

/// A way to a phone by text message.
pub trait Notifier: Send + Sync + fmt::Debug {
    /// Sends once, and says what is known afterwards.
    fn send<'a>(&'a self, text: &'a Text, proof: Durable) -> Pending<'a, TextOutcome>;

    /// The longest that [`Notifier::send`] can take.
    fn longest_send(&self) -> Duration;
}

/// A place among the sends at once; dropped, it is free again.
pub struct Admission(Option<Box<dyn Send + Sync>>);

impl Admission {
    /// A place that `held` guards.
    pub fn guarded_by(held: impl Send + Sync + 'static) -> Self {
        Self(Some(Box::new(held)))
    }

    /// A place where there is no limit.
    pub const fn free() -> Self {
        Self(None)
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Admission(limited: {})", self.0.is_some())
    }
}

/// A request that is ready to go.
pub struct Prepared {
    /// Its name in it, the payout's or the question's: an answer that names another is no answer
    /// to it.
    pub name: OriginatorConversationId,
    /// As it goes over the wire. It holds credentials.
    pub wire: Vec<u8>,
    /// As it is kept: credentials masked.
    pub kept: Vec<u8>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prepared({} bytes)", self.wire.len())
    }
}

/// What is known after a send.
#[derive(Debug)]
pub struct Sent {
    /// What it means.
    pub outcome: Outcome,
    /// What came back, as it was.
    pub answer: Option<RawAnswer>,
}

/// An answer's bytes.
#[derive(Debug)]
pub struct RawAnswer {
    /// The HTTP status.
    pub http_status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// What a send came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An answer came; one that cannot be read has an empty code, which is doubt.
    Answered(AnswerFacts),
    /// Not one byte left, for certain.
    NothingSent(WhyNothingSent),
    /// Bytes may have left, and nothing readable came back.
    NoAnswer(WhyNoAnswer),
}

/// Where identifiers come from: 16 bytes that begin with the millisecond, each greater than the
/// one before it.
pub trait Ids: Send + Sync + fmt::Debug {
    /// A fresh one.
    fn fresh(&self, now: Timestamp) -> [u8; 16];
}
