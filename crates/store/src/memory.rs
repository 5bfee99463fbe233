//! A store that remembers as long as the process lives.
//!
//! From: tests, and a server that was told to keep its queue in memory.
//! To: maps that every clone shares, so that a test can restart a server on them.
//! Never: fails.

use crate::{Batch, LoadReport, Opening, Reader, Store, StoreError};
use geartrain_core::{
    ATTEMPTS_KEPT, Change, Document, DocumentKind, Found, LetterHead, Op, OwnedAttempt, OwnedRecord,
    OwnedShelving, Shelving, Stored, Wanted,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Remembers jobs in memory; a clone is another handle to the same memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    jobs: BTreeMap<u64, OwnedRecord>,
    letters: BTreeMap<u64, Letter>,
    /// By number of the job and slot: the attempt modulo [`ATTEMPTS_KEPT`].
    attempts: BTreeMap<(u64, u32), OwnedAttempt>,
    documents: BTreeMap<(DocumentKind, Vec<u8>), Vec<u8>>,
    numbers_until: u64,
}

#[derive(Debug)]
struct Letter {
    record: OwnedRecord,
    shelving: OwnedShelving,
}

impl MemoryStore {
    /// A store that remembers nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // Each change is complete before the lock is let go, so a panic elsewhere spoils nothing.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies a change at once, without a batch: what folding changes must not alter.
    #[cfg(test)]
    pub(crate) fn apply(&self, op: Op<'_>) {
        self.memory().apply(op);
    }

    /// A job was refused: it was never there, nor was anything that happened to it.
    #[cfg(test)]
    pub(crate) fn refuse(&self, number: u64) {
        let mut memory = self.memory();
        memory.jobs.remove(&number);
        memory.forget_attempts(number);
    }

    /// How many attempts are remembered, of whatever job.
    #[cfg(test)]
    pub(crate) fn attempts(&self) -> usize {
        self.memory().attempts.len()
    }

    /// All that is remembered, but for reservations.
    #[cfg(test)]
    pub(crate) fn dump(&self) -> String {
        let Memory { jobs, letters, attempts, documents, numbers_until: _ } = &*self.memory();
        format!("{jobs:#?}\n{letters:#?}\n{attempts:#?}\n{documents:#?}")
    }
}

impl Store for MemoryStore {
    fn opening(&self) -> Opening {
        let memory = self.memory();
        let last_job = memory.jobs.last_key_value().map_or(0, |(number, _)| *number);
        let last_letter = memory.letters.last_key_value().map_or(0, |(number, _)| *number);
        Opening {
            next_number: memory.numbers_until.max(last_job.max(last_letter) + 1),
            jobs_estimate: memory.jobs.len() as u64,
            location: "memory".to_owned(),
            ..Opening::default()
        }
    }

    fn load(&mut self, each: &mut dyn FnMut(Stored<'_>)) -> Result<LoadReport, StoreError> {
        let memory = self.memory();
        for ((kind, name), body) in &memory.documents {
            each(Stored::Document(Document { kind: *kind, name, body: Some(body) }));
        }
        for letter in memory.letters.values() {
            each(Stored::Letter(letter.head()));
        }
        let mut order: Vec<_> = memory.jobs.values().collect();
        order.sort_by_key(|job| (job.place, job.number));
        for job in order {
            each(Stored::Job(job.as_record()));
        }
        Ok(LoadReport {
            loaded: memory.jobs.len() as u64,
            letters: memory.letters.len() as u64,
            documents: memory.documents.len() as u64,
            ..LoadReport::default()
        })
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let mut memory = self.memory();
        for op in batch.iter_net() {
            memory.apply(op);
        }
        Ok(())
    }

    fn reopen(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn Reader>, StoreError> {
        Ok(Box::new(self.clone()))
    }
}

impl Reader for MemoryStore {
    fn read(
        &mut self,
        wanted: Wanted,
        numbers: &[u64],
        each: &mut dyn FnMut(Found<'_>),
    ) -> Result<(), StoreError> {
        let memory = self.memory();
        for number in BTreeSet::from_iter(numbers) {
            let job = memory.jobs.get(number).map(OwnedRecord::as_record);
            let letter = memory.letters.get(number);
            match wanted {
                Wanted::Workloads => {
                    if let Some(job) = job {
                        each(Found::Workload { number: *number, workload: job.workload });
                    }
                }
                Wanted::Jobs => {
                    if let Some(job) = job {
                        each(Found::Job(job));
                        memory.attempts_of(*number, each);
                    }
                }
                Wanted::Letters(shelf) => {
                    if let Some(letter) = letter.filter(|letter| letter.shelving.shelf == shelf) {
                        each(Found::Letter(letter.record.as_record(), letter.shelving.as_shelving()));
                        memory.attempts_of(*number, each);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Memory {
    fn apply(&mut self, op: Op<'_>) {
        match op {
            Op::Put(record) => {
                if record.place != record.number {
                    self.reserve(record.place);
                }
                self.jobs.insert(record.number, record.into());
            }
            Op::Change(change) => self.change(&change),
            Op::Attempt(attempt) => {
                let slot = attempt.attempt % ATTEMPTS_KEPT;
                self.attempts.insert((attempt.number, slot), attempt.into());
            }
            Op::Shelve(shelving) => self.shelve(shelving),
            Op::Unshelve { number, shelf } => {
                if self.letters.get(&number).is_some_and(|letter| letter.shelving.shelf == shelf) {
                    self.letters.remove(&number);
                    self.forget_attempts(number);
                }
            }
            Op::Delete { number, attempts } => {
                self.jobs.remove(&number);
                if attempts > 0 && !self.letters.contains_key(&number) {
                    self.forget_attempts(number);
                }
            }
            Op::Document(Document { kind, name, body: Some(body) }) => {
                self.documents.insert((kind, name.to_vec()), body.to_vec());
            }
            Op::Document(Document { kind, name, body: None }) => {
                self.documents.remove(&(kind, name.to_vec()));
            }
            Op::ReserveNumbers { until } => self.numbers_until = self.numbers_until.max(until),
        }
    }

    fn change(&mut self, change: &Change<'_>) {
        if change.place != change.number {
            self.reserve(change.place);
        }
        if let Some(job) = self.jobs.get_mut(&change.number) {
            job.place = change.place;
            job.function = change.function.to_vec();
            job.priority = change.priority;
            job.not_before = change.not_before;
            job.attempts = change.attempts;
            job.lost = change.lost;
        }
    }

    fn shelve(&mut self, shelving: Shelving<'_>) {
        if let Some(mut record) = self.jobs.remove(&shelving.number) {
            record.place = record.number;
            record.attempts = shelving.attempts;
            self.letters.insert(record.number, Letter { record, shelving: shelving.into() });
        }
    }

    /// A place is a number of the same row of numbers: it is not given again either.
    fn reserve(&mut self, place: u64) {
        self.numbers_until = self.numbers_until.max(place.saturating_add(1));
    }

    fn forget_attempts(&mut self, number: u64) {
        for slot in 0..ATTEMPTS_KEPT {
            self.attempts.remove(&(number, slot));
        }
    }

    fn attempts_of(&self, number: u64, each: &mut dyn FnMut(Found<'_>)) {
        let kept = self.attempts.range((number, 0)..(number, ATTEMPTS_KEPT));
        let mut attempts: Vec<_> = kept.map(|(_, attempt)| attempt).collect();
        attempts.sort_by_key(|attempt| attempt.attempt);
        attempts.into_iter().for_each(|attempt| each(Found::Attempt(attempt.as_attempt())));
    }
}

impl Letter {
    fn head(&self) -> LetterHead<'_> {
        let OwnedRecord { function, unique, workload, reducer, .. } = &self.record;
        let bytes = function.len() + unique.len() + workload.len() + reducer.as_ref().map_or(0, Vec::len);
        LetterHead { shelving: self.shelving.as_shelving(), function, bytes: bytes as u64 }
    }
}
