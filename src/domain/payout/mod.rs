//! A payout: what was asked for, where it stands, and how it moves.
//!
//! [`step()`] is the whole of its life: a pure function of the payout, an event and the time. The
//! engine commits what it decides and then performs the effects; [`law`] says what must hold
//! whatever happens.

mod effect;
mod event;
mod inquiry;
pub mod law;
mod state;
mod step;

pub use effect::{CaseKind, Effect, Notice};
pub use event::{
    AnswerFacts, Event, InquiryAnswer, InquiryFacts, NotFoundRule, ResultFacts, Ruling,
    StatementFacts, TransactionStatus, WhyNoAnswer, WhyNothingSent,
};
pub use inquiry::{AskBy, FOUND_BY_NAME, Inquiry, MISSED_BY_NAME, Question, ask_by};
pub use state::{
    Command, Details, Doubt, Failure, Lease, Metadata, NotOneOf, Payout, Rail, Settled, Stage,
    State, Status, Tries,
};
pub use step::{Contradiction, Forbidden, NOT_FOUND_ROUNDS_MAX, Policy, Verdict, step};
