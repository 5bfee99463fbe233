//! Jobs and their states: what a job is, where it is, and every change of that.
//!
//! From: `submit`, `grab`, `work`, the timers: they decide, and call here. To: the lines of the functions.
//! Never: sends anything or asks the time. Only this file changes a [`State`] (I4), and with it the links,
//! counts and indexes that must agree with it.

use crate::function::FunctionKey;
use crate::ids::{ConnId, Moment};
use crate::index::Index;
use crate::line::Line;
use foldhash::fast::FixedState;
use geartrain_proto::{Priority, Unique};
use std::hash::BuildHasher;
use std::num::NonZeroU32;

/// Where a job lies in the table; means nothing once the job is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct JobKey(NonZeroU32);

impl JobKey {
    /// The key of a slot; keys count from 1, so that an absent one takes no room.
    fn of(index: u32) -> Self {
        Self(NonZeroU32::MIN.checked_add(index).expect("jobs_max is below 2^32"))
    }

    const fn slot(self) -> u32 {
        self.0.get() - 1
    }

    const fn index(self) -> usize {
        self.slot() as usize
    }
}

/// Where a job is in its life.
#[derive(Debug)]
pub(crate) enum State {
    /// Waits for this second of Unix time.
    Delayed { not_before: i64 },
    /// Waits for a worker.
    Queued,
    /// Is on a worker.
    Running(Box<Running>),
}

/// What is known of a job while it is on a worker.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) worker: ConnId,
    /// Where the job stands in its worker's list.
    pub(crate) index: u32,
    pub(crate) deadline: Option<Moment>,
    pub(crate) numerator: u32,
    pub(crate) denominator: u32,
}

/// Who remembers a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Its clients: when the last one leaves, it is dropped.
    ByClients,
    /// This process: a background job without a store.
    InMemory,
    /// The store, once it has written it.
    Writing,
    /// The store.
    Stored,
}

impl Kept {
    /// Whether the store has, or will have, a record of it.
    pub(crate) fn has_record(self) -> bool {
        matches!(self, Kept::Writing | Kept::Stored)
    }
}

/// A job. A million of them may wait, so every byte counts here.
#[derive(Debug)]
pub(crate) struct Job {
    number: u64,
    /// Unique, reducer and workload, one behind the other.
    content: Box<[u8]>,
    /// The foreground submits that wait for it, in order; one connection may be there twice.
    #[expect(clippy::box_collection, reason = "a background job has none: 8 bytes instead of 24")]
    waiters: Option<Box<Vec<ConnId>>>,
    state: State,
    function: FunctionKey,
    next: Option<JobKey>,
    previous: Option<JobKey>,
    attempts: u32,
    priority: Priority,
    kept: Kept,
    unique_len: u8,
    reducer_len: Option<u8>,
}

/// The hash by which a job without a like is found; `None` for a job that no submit can join.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IdentityHash(Option<u64>);

/// A new job, before it has a place.
#[derive(Debug)]
pub(crate) struct NewJob<'a> {
    pub(crate) number: u64,
    pub(crate) function: FunctionKey,
    pub(crate) unique: Unique<'a>,
    /// Of its function, unique and workload, from [`Jobs::find_identity`].
    pub(crate) identity: IdentityHash,
    pub(crate) priority: Priority,
    pub(crate) workload: &'a [u8],
    pub(crate) reducer: Option<&'a [u8]>,
    /// Second of Unix time before which it waits, when that is in the future.
    pub(crate) not_before: Option<i64>,
    pub(crate) attempts: u32,
    pub(crate) kept: Kept,
}

impl Job {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn function(&self) -> FunctionKey {
        self.function
    }

    pub(crate) fn priority(&self) -> Priority {
        self.priority
    }

    pub(crate) fn kept(&self) -> Kept {
        self.kept
    }

    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn running(&self) -> Option<&Running> {
        match &self.state {
            State::Running(running) => Some(running),
            State::Queued | State::Delayed { .. } => None,
        }
    }

    pub(crate) fn unique(&self) -> Unique<'_> {
        Unique::new(self.content.get(..usize::from(self.unique_len)).unwrap_or_default())
    }

    pub(crate) fn reducer(&self) -> Option<&[u8]> {
        let start = usize::from(self.unique_len);
        let len = usize::from(self.reducer_len?);
        Some(self.content.get(start..start + len).unwrap_or_default())
    }

    pub(crate) fn workload(&self) -> &[u8] {
        let start = usize::from(self.unique_len) + usize::from(self.reducer_len.unwrap_or(0));
        self.content.get(start..).unwrap_or_default()
    }

    pub(crate) fn waiters(&self) -> &[ConnId] {
        self.waiters.as_deref().map_or(&[], Vec::as_slice)
    }
}

/// How many slots stay when the queue runs empty.
const SLOTS_KEPT: usize = 1 << 16;

/// All jobs that wait or run.
#[derive(Debug)]
pub(crate) struct Jobs {
    slots: Vec<Option<Job>>,
    vacant: Vec<u32>,
    by_number: Index<JobKey>,
    by_unique: Index<JobKey>,
    lines: Vec<Line>,
    /// Functions with ready jobs, in no order that shows.
    ready: Vec<FunctionKey>,
    hash: FixedState,
    running: usize,
    in_memory_only: usize,
}

impl Jobs {
    pub(crate) fn new(hash_seed: u64) -> Self {
        Self {
            slots: Vec::new(),
            vacant: Vec::new(),
            by_number: Index::new(),
            by_unique: Index::new(),
            lines: Vec::new(),
            ready: Vec::new(),
            hash: FixedState::with_seed(hash_seed),
            running: 0,
            in_memory_only: 0,
        }
    }

    /// Jobs that wait or run.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.vacant.len()
    }

    /// Jobs on workers.
    pub(crate) fn running(&self) -> usize {
        self.running
    }

    /// Jobs that would be gone with this process.
    pub(crate) fn in_memory_only(&self) -> usize {
        self.in_memory_only
    }

    pub(crate) fn get(&self, key: JobKey) -> &Job {
        self.slots.get(key.index()).and_then(Option::as_ref).expect("a key in use names a live job")
    }

    fn get_mut(&mut self, key: JobKey) -> &mut Job {
        self.slots.get_mut(key.index()).and_then(Option::as_mut).expect("a key in use names a live job")
    }

    /// All jobs, in no order that may show.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (JobKey, &Job)> {
        (0..).zip(&self.slots).filter_map(|(index, slot)| Some((JobKey::of(index), slot.as_ref()?)))
    }

    pub(crate) fn line(&self, function: FunctionKey) -> &Line {
        self.lines.get(function.index()).expect("every function has a line")
    }

    fn line_mut(&mut self, function: FunctionKey) -> &mut Line {
        self.lines.get_mut(function.index()).expect("every function has a line")
    }

    /// Makes room for the line of a new function.
    pub(crate) fn add_line(&mut self, function: FunctionKey) {
        if self.lines.len() <= function.index() {
            self.lines.resize_with(function.index() + 1, Line::default);
        }
    }

    /// The jobs of one queue, the first one first.
    pub(crate) fn queue(&self, function: FunctionKey, priority: Priority) -> impl Iterator<Item = JobKey> {
        std::iter::successors(self.line(function).queue(priority).head, |key| self.get(*key).next)
    }

    /// Functions with ready jobs, in no order that may show.
    pub(crate) fn ready_functions(&self) -> &[FunctionKey] {
        &self.ready
    }

    pub(crate) fn find(&self, number: u64) -> Option<JobKey> {
        self.by_number.find(self.hash.hash_one(number), |key| self.get(*key).number == number)
    }

    /// The live job that a submit with this unique joins (I5).
    pub(crate) fn find_live(
        &self,
        function: FunctionKey,
        unique: Unique<'_>,
        workload: &[u8],
    ) -> Option<JobKey> {
        self.find_identity(function, unique, workload).ok()
    }

    /// What [`NewJob::identity`] takes, whether the job has a like or not.
    pub(crate) fn identity(
        &self,
        function: FunctionKey,
        unique: Unique<'_>,
        workload: &[u8],
    ) -> IdentityHash {
        IdentityHash(Identity::new(unique, workload).map(|identity| identity.hash(function, &self.hash)))
    }

    /// As [`Jobs::find_live`]; where there is none, what [`NewJob::identity`] takes.
    pub(crate) fn find_identity(
        &self,
        function: FunctionKey,
        unique: Unique<'_>,
        workload: &[u8],
    ) -> Result<JobKey, IdentityHash> {
        let Some(identity) = Identity::new(unique, workload) else { return Err(IdentityHash(None)) };
        let hash = identity.hash(function, &self.hash);
        let found = self.by_unique.find(hash, |key| {
            let job = self.get(*key);
            job.function == function && Identity::new(job.unique(), job.workload()) == Some(identity)
        });
        found.ok_or(IdentityHash(Some(hash)))
    }

    /// Puts a new job at the end of its line, or among those that wait for their time.
    pub(crate) fn insert(&mut self, new: &NewJob<'_>) -> JobKey {
        let reducer = new.reducer.unwrap_or_default();
        let mut content =
            Vec::with_capacity(new.unique.as_bytes().len() + reducer.len() + new.workload.len());
        content.extend_from_slice(new.unique.as_bytes());
        content.extend_from_slice(reducer);
        content.extend_from_slice(new.workload);
        let short = |len: usize| u8::try_from(len).expect("uniques and reducers have at most 64 bytes");
        let job = Job {
            number: new.number,
            content: content.into_boxed_slice(),
            waiters: None,
            state: State::Queued,
            function: new.function,
            next: None,
            previous: None,
            attempts: new.attempts,
            priority: new.priority,
            kept: new.kept,
            unique_len: short(new.unique.as_bytes().len()),
            reducer_len: new.reducer.map(|reducer| short(reducer.len())),
        };
        let key = self.occupy(job);
        self.index(key, new.identity);
        self.in_memory_only += usize::from(new.kept != Kept::Stored);
        match new.not_before {
            Some(not_before) => {
                self.get_mut(key).state = State::Delayed { not_before };
                self.line_mut(new.function).add_delayed(new.priority);
            }
            None => self.append(key),
        }
        key
    }

    /// A worker gets the job.
    pub(crate) fn start(&mut self, key: JobKey, running: Running) {
        debug_assert!(matches!(self.get(key).state, State::Queued), "only a queued job is started");
        self.unlink(key);
        let job = self.get_mut(key);
        job.state = State::Running(Box::new(running));
        let function = job.function;
        self.line_mut(function).add_running();
        self.running += 1;
    }

    /// A worker lost the job: it goes to the end of its line, with one attempt more.
    pub(crate) fn give_back(&mut self, key: JobKey) {
        debug_assert!(self.get(key).running().is_some(), "only a running job is given back");
        self.stop_running(key);
        let job = self.get_mut(key);
        job.attempts = job.attempts.saturating_add(1);
        job.state = State::Queued;
        self.append(key);
    }

    /// The time a job waited for has come.
    pub(crate) fn make_due(&mut self, key: JobKey) {
        debug_assert!(matches!(self.get(key).state, State::Delayed { .. }), "only a delayed job becomes due");
        let job = self.get_mut(key);
        job.state = State::Queued;
        let (function, priority) = (job.function, job.priority);
        self.line_mut(function).remove_delayed(priority);
        self.append(key);
    }

    /// Takes a job out, whatever its state.
    pub(crate) fn remove(&mut self, key: JobKey) -> Job {
        match self.get(key).state {
            State::Queued => self.unlink(key),
            State::Running(_) => self.stop_running(key),
            State::Delayed { .. } => {
                let (function, priority) = (self.get(key).function, self.get(key).priority);
                self.line_mut(function).remove_delayed(priority);
            }
        }
        self.unindex(key);
        self.vacant.push(key.slot());
        let job =
            self.slots.get_mut(key.index()).and_then(Option::take).expect("a key in use names a live job");
        self.in_memory_only -= usize::from(job.kept != Kept::Stored);
        if self.len() == 0 && self.slots.len() > SLOTS_KEPT {
            self.release_memory();
        }
        job
    }

    /// Gives back what a long backlog took, now that it is gone.
    fn release_memory(&mut self) {
        self.slots = Vec::new();
        self.vacant = Vec::new();
        self.by_number = Index::new();
        self.by_unique = Index::new();
    }

    pub(crate) fn set_kept(&mut self, key: JobKey, kept: Kept) {
        let job = self.get_mut(key);
        let before = std::mem::replace(&mut job.kept, kept);
        self.in_memory_only -= usize::from(before != Kept::Stored);
        self.in_memory_only += usize::from(kept != Kept::Stored);
    }

    pub(crate) fn add_waiter(&mut self, key: JobKey, conn: ConnId) {
        self.get_mut(key).waiters.get_or_insert_default().push(conn);
    }

    /// Takes all waits of a connection off a job.
    pub(crate) fn remove_waiter(&mut self, key: JobKey, conn: ConnId) {
        let waiters = &mut self.get_mut(key).waiters;
        if let Some(list) = waiters {
            list.retain(|waiter| *waiter != conn);
            if list.is_empty() {
                *waiters = None;
            }
        }
    }

    pub(crate) fn set_progress(&mut self, key: JobKey, numerator: u32, denominator: u32) {
        if let State::Running(running) = &mut self.get_mut(key).state {
            running.numerator = numerator;
            running.denominator = denominator;
        }
    }

    /// The job moved in its worker's list.
    pub(crate) fn set_worker_index(&mut self, key: JobKey, index: u32) {
        if let State::Running(running) = &mut self.get_mut(key).state {
            running.index = index;
        }
    }

    fn stop_running(&mut self, key: JobKey) {
        let function = self.get(key).function;
        self.line_mut(function).remove_running();
        self.running -= 1;
    }

    fn occupy(&mut self, job: Job) -> JobKey {
        if let Some(index) = self.vacant.pop() {
            *self.slots.get_mut(index as usize).expect("vacant slots exist") = Some(job);
            return JobKey::of(index);
        }
        let index = u32::try_from(self.slots.len()).expect("jobs_max is below 2^32");
        self.slots.push(Some(job));
        JobKey::of(index)
    }

    fn index(&mut self, key: JobKey, identity: IdentityHash) {
        let Self { slots, by_number, by_unique, hash, .. } = self;
        let job_at =
            |key: &JobKey| slots.get(key.index()).and_then(Option::as_ref).expect("indexed jobs live");
        let job = job_at(&key);
        by_number.insert(hash.hash_one(job.number), key, |key| hash.hash_one(job_at(key).number));
        if let Some(unique_hash) = identity.0 {
            let hash_of = |key: &JobKey| job_at(key).identity_hash(hash);
            by_unique.insert(unique_hash, key, |key| hash_of(key).expect("it is indexed by its identity"));
        }
    }

    fn unindex(&mut self, key: JobKey) {
        let job = self.get(key);
        let (number_hash, unique_hash) = (self.hash.hash_one(job.number), job.identity_hash(&self.hash));
        let mut is_whole = self.by_number.remove(number_hash, key);
        if let Some(unique_hash) = unique_hash {
            is_whole &= self.by_unique.remove(unique_hash, key);
        }
        assert!(is_whole, "every job is indexed by its number, and by its identity if it has one");
    }

    /// Links a job to the end of its queue.
    fn append(&mut self, key: JobKey) {
        let job = self.get(key);
        let (function, priority) = (job.function, job.priority);
        let queue = self.line_mut(function).queue_mut(priority);
        let before = queue.tail.replace(key);
        queue.len += 1;
        match before {
            Some(before) => self.get_mut(before).next = Some(key),
            None => queue.head = Some(key),
        }
        self.get_mut(key).previous = before;
        self.note_readiness(function);
    }

    /// Takes a job out of its queue.
    fn unlink(&mut self, key: JobKey) {
        let job = self.get_mut(key);
        let (function, priority) = (job.function, job.priority);
        let (next, previous) = (job.next.take(), job.previous.take());
        if let Some(next) = next {
            self.get_mut(next).previous = previous;
        }
        if let Some(previous) = previous {
            self.get_mut(previous).next = next;
        }
        let queue = self.line_mut(function).queue_mut(priority);
        queue.len -= 1;
        if previous.is_none() {
            queue.head = next;
        }
        if next.is_none() {
            queue.tail = previous;
        }
        self.note_readiness(function);
    }

    /// Keeps the list of functions with ready jobs true.
    fn note_readiness(&mut self, function: FunctionKey) {
        let line = self.lines.get_mut(function.index()).expect("every function has a line");
        match (line.ready() > 0, line.ready_index) {
            (true, None) => {
                line.ready_index =
                    Some(u32::try_from(self.ready.len()).expect("functions_max is below 2^32"));
                self.ready.push(function);
            }
            (false, Some(index)) => {
                line.ready_index = None;
                self.ready.swap_remove(index as usize);
                if let Some(moved) = self.ready.get(index as usize).copied() {
                    self.line_mut(moved).ready_index = Some(index);
                }
            }
            (true, Some(_)) | (false, None) => {}
        }
    }
}

impl Job {
    fn identity_hash(&self, state: &FixedState) -> Option<u64> {
        Some(Identity::new(self.unique(), self.workload())?.hash(self.function, state))
    }
}

/// By what a submit finds the job that it joins. An absent unique is no identity (I5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Identity<'a> {
    Unique(&'a [u8]),
    Workload(&'a [u8]),
}

impl<'a> Identity<'a> {
    fn new(unique: Unique<'a>, workload: &'a [u8]) -> Option<Self> {
        if unique.is_workload() {
            (!workload.is_empty()).then_some(Identity::Workload(workload))
        } else {
            (!unique.is_absent()).then_some(Identity::Unique(unique.as_bytes()))
        }
    }

    fn hash(self, function: FunctionKey, state: &FixedState) -> u64 {
        match self {
            Identity::Unique(bytes) => state.hash_one((function.index(), bytes)),
            Identity::Workload(bytes) => state.hash_one((function.index(), true, bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_job_is_small() {
        // With a workload of 64 and a unique of 36 bytes the allocation of the content takes 112, and the
        // two indexes about 21: the goal of 220 bytes a waiting job leaves 87 for this.
        assert!(size_of::<Option<Job>>() <= 80, "{} bytes", size_of::<Option<Job>>());
    }
}
