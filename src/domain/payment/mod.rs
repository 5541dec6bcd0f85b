//! A payment: money in, by a prompt on the payer's phone (STK) or unasked (C2B).

pub mod notice;
mod state;

pub use notice::{C2bNotice, NoticeKind, Payer, PayerPhone};
pub use state::{
    Asking, Claim, Details, Doubt, Failure, Kind, Origin, Paid, Payment, Prompt, Settled, Source,
    State, Status, Tries,
};
