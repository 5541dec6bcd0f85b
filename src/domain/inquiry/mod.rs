//! Something asked of M-Pesa that is polled: a balance, a transaction's status, a reversal.
//!
//! [`step()`] is the whole of its life, as a payout's is; [`law`] says what must hold whatever
//! happens. What moves money has the same care as a payout; what moves none is asked anew.

mod effect;
mod event;
mod kind;
pub mod law;
mod state;
mod step;

pub use effect::{Effect, Notice};
pub use event::{AnswerFacts, Event, ResultFacts};
pub use kind::{
    Answer, Balances, BusinessCommand, BusinessPayment, C2bVersion, Kind, Moved, PaidTo, Picture,
    QrCode, QrKind, QrReceiver, RegisterPull, RegisterUrls, ResponseType, Reversal, SimulateC2b,
    Tax, TransactionStatus,
};
pub use state::{Asking, Details, Doubt, Failure, Inquiry, Names, Settled, State, Status, Tries};
pub use step::{Forbidden, LOST_MAX, Policy, Verdict, ask_by, step};
