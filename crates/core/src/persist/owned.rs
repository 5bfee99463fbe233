//! What is remembered, with bytes of its own: for stores in memory, and for what compares stores.
//!
//! From: borrowed values, by `From`. To: borrowed values, by the methods.

use super::{Attempt, Outcome, Shelf, Shelving};
use crate::ids::UnixTime;

/// An [`Attempt`] that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Attempt")]
pub struct OwnedAttempt {
    pub number: u64,
    pub attempt: u32,
    pub started: UnixTime,
    pub ended: UnixTime,
    pub client_id: Vec<u8>,
    pub address: Vec<u8>,
    pub how: Outcome,
    pub text: Vec<u8>,
}

impl OwnedAttempt {
    /// The attempt, borrowed.
    #[must_use]
    pub fn as_attempt(&self) -> Attempt<'_> {
        Attempt {
            number: self.number,
            attempt: self.attempt,
            started: self.started,
            ended: self.ended,
            client_id: &self.client_id,
            address: &self.address,
            how: self.how,
            text: &self.text,
        }
    }
}

impl From<Attempt<'_>> for OwnedAttempt {
    fn from(attempt: Attempt<'_>) -> Self {
        Self {
            number: attempt.number,
            attempt: attempt.attempt,
            started: attempt.started,
            ended: attempt.ended,
            client_id: attempt.client_id.to_vec(),
            address: attempt.address.to_vec(),
            how: attempt.how,
            text: attempt.text.to_vec(),
        }
    }
}

/// A [`Shelving`] that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of Shelving")]
pub struct OwnedShelving {
    pub number: u64,
    pub shelf: Shelf,
    pub ended: UnixTime,
    pub how: Outcome,
    pub attempts: u32,
    pub error: Vec<u8>,
}

impl OwnedShelving {
    /// The shelving, borrowed.
    #[must_use]
    pub fn as_shelving(&self) -> Shelving<'_> {
        Shelving {
            number: self.number,
            shelf: self.shelf,
            ended: self.ended,
            how: self.how,
            attempts: self.attempts,
            error: &self.error,
        }
    }
}

impl From<Shelving<'_>> for OwnedShelving {
    fn from(shelving: Shelving<'_>) -> Self {
        Self {
            number: shelving.number,
            shelf: shelving.shelf,
            ended: shelving.ended,
            how: shelving.how,
            attempts: shelving.attempts,
            error: shelving.error.to_vec(),
        }
    }
}
