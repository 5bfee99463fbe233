//! What is remembered, with bytes of its own: for stores in memory, and for what compares stores.
//!
//! From: borrowed values, by `From`. To: borrowed values, by the methods.

use super::{Attempt, Found, Outcome, Record, Shelf, Shelving};
use crate::ids::UnixTime;
use geartrain_proto::Priority;

/// A [`Record`] that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in Record")]
pub struct OwnedRecord {
    pub number: u64,
    pub place: u64,
    pub function: Vec<u8>,
    pub unique: Vec<u8>,
    pub priority: Priority,
    pub workload: Vec<u8>,
    pub reducer: Option<Vec<u8>>,
    pub not_before: i64,
    pub attempts: u32,
    pub lost: u32,
    pub submitted: UnixTime,
}

impl From<Record<'_>> for OwnedRecord {
    fn from(record: Record<'_>) -> Self {
        Self {
            number: record.number,
            place: record.place,
            function: record.function.to_vec(),
            unique: record.unique.to_vec(),
            priority: record.priority,
            workload: record.workload.to_vec(),
            reducer: record.reducer.map(<[u8]>::to_vec),
            not_before: record.not_before,
            attempts: record.attempts,
            lost: record.lost,
            submitted: record.submitted,
        }
    }
}

impl OwnedRecord {
    /// The record, borrowed.
    #[must_use]
    pub fn as_record(&self) -> Record<'_> {
        Record {
            number: self.number,
            place: self.place,
            function: &self.function,
            unique: &self.unique,
            priority: self.priority,
            workload: &self.workload,
            reducer: self.reducer.as_deref(),
            not_before: self.not_before,
            attempts: self.attempts,
            lost: self.lost,
            submitted: self.submitted,
        }
    }
}

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

/// A [`Found`] that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the variants are those of Found")]
pub enum OwnedFound {
    Workload { number: u64, workload: Vec<u8> },
    Job(OwnedRecord),
    Letter(OwnedRecord, OwnedShelving),
    Attempt(OwnedAttempt),
}

impl From<Found<'_>> for OwnedFound {
    fn from(found: Found<'_>) -> Self {
        match found {
            Found::Workload { number, workload } => Self::Workload { number, workload: workload.to_vec() },
            Found::Job(record) => Self::Job(record.into()),
            Found::Letter(record, shelving) => Self::Letter(record.into(), shelving.into()),
            Found::Attempt(attempt) => Self::Attempt(attempt.into()),
        }
    }
}

impl OwnedFound {
    /// What was found, borrowed.
    #[must_use]
    pub fn as_found(&self) -> Found<'_> {
        match self {
            Self::Workload { number, workload } => Found::Workload { number: *number, workload },
            Self::Job(record) => Found::Job(record.as_record()),
            Self::Letter(record, shelving) => Found::Letter(record.as_record(), shelving.as_shelving()),
            Self::Attempt(attempt) => Found::Attempt(attempt.as_attempt()),
        }
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let content = match self {
            Self::Workload { workload, .. } => workload.len(),
            Self::Job(record) => record.workload.len(),
            Self::Letter(record, shelving) => record.workload.len() + shelving.error.len(),
            Self::Attempt(attempt) => attempt.text.len(),
        };
        size_of::<Self>() + content
    }
}
