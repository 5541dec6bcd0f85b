//! What the engine needs from outside: a way to M-Pesa, and identifiers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::domain::id::OriginatorConversationId;
use crate::domain::payout::{self, AnswerFacts, Payout, Question, WhyNoAnswer, WhyNothingSent};
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

    /// Waits until one more send may begin: the rail's pace, and its limit of sends at once. The
    /// place is given back when the value is dropped.
    fn admit(&self) -> Pending<'_, Admission>;

    /// Sends once, and says what is known afterwards. It never sends twice, and it asks for the
    /// proof that the payout's `sending` is on the disk.
    fn send(&self, request: Prepared, place: Admission, proof: Durable) -> Pending<'_, Sent>;

    /// The longest that [`Rail::send`] can take: what a lease must outlast.
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
