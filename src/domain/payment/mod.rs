//! A payment: money in, by a prompt on the payer's phone (STK) or unasked (C2B).
//!
//! [`step()`] is the whole of its life, as a payout's is; a C2B payment begins it paid
//! ([`from_notice`]). [`law`] says what must hold whatever happens. One receipt is one payment:
//! [`holder`], [`adopts`] and [`would_adopt`] find the C2B payment that is an STK payment's own
//! money, [`claim()`] decides who may deliver for it.

mod birth;
mod claim;
mod effect;
mod event;
mod guard;
mod join;
pub mod law;
pub mod notice;
mod state;
mod step;
pub mod validation;
mod word;

pub use birth::{Birth, Born, from_notice};
pub use claim::{Claiming, claim};
pub use effect::{Effect, Notice};
pub use event::{AnswerFacts, Confirmation, Event, Holder, Joining, QueryFacts, StkFacts};
pub use guard::{LOCKED_FOR, RetryAt, SAME_PAYMENT_FOR, TooSoon, guard};
pub use join::{adopts, holder, joining, would_adopt};
pub use notice::{C2bNotice, Lacks, NoticeKind, NoticeWords, Payer, PayerPhone};
pub use state::{
    Asking, Claim, Details, Doubt, Failure, Origin, Paid, Payment, Prompt, Settled, Source, State,
    Tries,
};
pub use step::{Forbidden, PUT_BACK_MAX, Policy, Verdict, step};
pub use word::{Kind, Status};
