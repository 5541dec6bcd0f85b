//! The event chain: how an event gets its number and is tied to the one before it.
//!
//! Both stores use this one function, so that a feed copied from one to the other keeps its hashes.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::record::{FeedEvent, NewEvent};

/// Where the chain ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    /// The number of the last event; 0 when there is none.
    pub(super) seq: u64,
    /// Its hash; zeros when there is none.
    pub(super) hash: [u8; 32],
}

impl Head {
    /// Takes one more event, given as its bytes, and gives its number and hash.
    ///
    /// `previous` is the event of the same payout before it.
    pub(super) fn take(&mut self, previous: Option<u64>, event: &[u8]) -> (u64, [u8; 32]) {
        let seq = self.seq.saturating_add(1);
        let hash = Sha256::new()
            .chain_update(self.hash)
            .chain_update(seq.to_be_bytes())
            // Numbers begin at 1, so that 0 is free to say "none".
            .chain_update(previous.unwrap_or(0).to_be_bytes())
            .chain_update(event)
            .finalize()
            .into();
        *self = Self { seq, hash };
        (seq, hash)
    }

    /// Takes one more event.
    ///
    /// # Errors
    /// In words, when it has no bytes.
    pub(super) fn link(
        &mut self,
        previous: Option<u64>,
        event: NewEvent,
    ) -> Result<FeedEvent, String> {
        let bytes = event_bytes(&event)?;
        let (seq, hash) = self.take(previous, &bytes);
        Ok(FeedEvent { seq, event, previous, hash })
    }
}

/// The bytes of an event that the chain ties together.
///
/// # Errors
/// In words, when it has none.
pub(super) fn event_bytes(event: &NewEvent) -> Result<Vec<u8>, String> {
    postcard::to_allocvec(event).map_err(|error| format!("an event cannot be encoded: {error}"))
}
