//! A store that remembers as long as the process lives.
//!
//! From: tests, and a server that was told to keep its queue in memory.
//! To: a map that every clone shares, so that a test can restart a server on it.
//! Never: fails.

use crate::{Batch, LoadReport, Opening, Store, StoreError};
use geartrain_core::{Op, Record, UnixTime};
use geartrain_proto::Priority;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Remembers jobs in memory; a clone is another handle to the same memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryStore {
    memory: Arc<Mutex<Memory>>,
}

#[derive(Debug, Default)]
struct Memory {
    jobs: BTreeMap<u64, Job>,
    buried: BTreeMap<u64, Job>,
    numbers_until: u64,
}

#[derive(Debug)]
struct Job {
    place: u64,
    function: Vec<u8>,
    unique: Vec<u8>,
    priority: Priority,
    workload: Vec<u8>,
    reducer: Option<Vec<u8>>,
    not_before: i64,
    attempts: u32,
    submitted: UnixTime,
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
}

impl Store for MemoryStore {
    fn opening(&self) -> Opening {
        let memory = self.memory();
        let last = |jobs: &BTreeMap<u64, Job>| jobs.last_key_value().map_or(0, |(number, _)| *number);
        let last = last(&memory.jobs).max(last(&memory.buried));
        Opening {
            next_number: memory.numbers_until.max(last + 1),
            jobs: memory.jobs.len() as u64,
            buried: memory.buried.len() as u64,
            location: "memory".to_owned(),
            ..Opening::default()
        }
    }

    fn load(&mut self, each: &mut dyn FnMut(Record<'_>)) -> Result<LoadReport, StoreError> {
        let memory = self.memory();
        let mut order: Vec<_> = memory.jobs.iter().collect();
        order.sort_by_key(|(number, job)| (job.place, **number));
        for (number, job) in order {
            each(job.record(*number));
        }
        Ok(LoadReport { loaded: memory.jobs.len() as u64, set_aside: 0 })
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
}

impl Memory {
    fn apply(&mut self, op: Op<'_>) {
        match op {
            Op::Put(record) => {
                self.jobs.insert(record.number, Job::new(&record));
            }
            Op::GiveBack { number, place, attempts } => {
                if let Some(job) = self.jobs.get_mut(&number) {
                    job.place = place;
                    job.attempts = attempts;
                }
                self.numbers_until = self.numbers_until.max(place.saturating_add(1));
            }
            Op::Bury { number, attempts } => {
                if let Some(mut job) = self.jobs.remove(&number) {
                    job.attempts = attempts;
                    self.buried.insert(number, job);
                }
            }
            Op::Delete { number } => {
                self.jobs.remove(&number);
            }
            Op::ReserveNumbers { until } => self.numbers_until = self.numbers_until.max(until),
        }
    }
}

impl Job {
    fn new(record: &Record<'_>) -> Self {
        Self {
            place: record.place,
            function: record.function.to_vec(),
            unique: record.unique.to_vec(),
            priority: record.priority,
            workload: record.workload.to_vec(),
            reducer: record.reducer.map(<[u8]>::to_vec),
            not_before: record.not_before,
            attempts: record.attempts,
            submitted: record.submitted,
        }
    }

    fn record(&self, number: u64) -> Record<'_> {
        Record {
            number,
            place: self.place,
            function: &self.function,
            unique: &self.unique,
            priority: self.priority,
            workload: &self.workload,
            reducer: self.reducer.as_deref(),
            not_before: self.not_before,
            attempts: self.attempts,
            submitted: self.submitted,
        }
    }
}
