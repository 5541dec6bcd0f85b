//! A text message to somebody who paid or was paid: what it says, where it stands, how it moves.

mod state;

pub use state::{Details, Occasion, State, Status, Text, Tries};
