//! What is worth knowing and keeps nobody from his work: put there by whoever finds it, shown by
//! `GET /readyz`.

use std::sync::{PoisonError, RwLock};

/// Sentences, the latest that were found.
#[derive(Debug, Default)]
pub struct Notes(RwLock<Vec<String>>);

impl Notes {
    /// From now on these.
    pub fn set(&self, notes: Vec<String>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = notes;
    }

    /// Those that were found last.
    pub fn all(&self) -> Vec<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
