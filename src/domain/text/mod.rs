//! A text message to somebody who paid or was paid: what it says, where it stands, how it moves.
//!
//! It is committed with the step that it tells of, sent by its own worker, and never sent a second
//! time when it may have been sent.

pub mod law;
mod outcome;
mod state;
mod step;
mod template;

pub use outcome::{CODES, Class, Meaning, outcome};
pub use state::{Details, Occasion, State, Status, Text, Tries};
pub use step::{AnswerFacts, Effect, Event, Forbidden, LATE_AFTER, Notice, Verdict, step};
pub use template::{BODY_LEN_MAX, NotATemplate, Placeholder, Template, Values};
