//! Something asked of M-Pesa that is polled: a balance, a transaction's status, a reversal.

mod kind;
mod state;

pub use kind::{
    Answer, Balances, BusinessCommand, BusinessPayment, C2bVersion, Kind, Moved, PaidTo,
    RegisterUrls, ResponseType, Reversal, SimulateC2b, Tax, TransactionStatus,
};
pub use state::{Asking, Details, Doubt, Failure, Inquiry, Names, Settled, State, Status, Tries};
