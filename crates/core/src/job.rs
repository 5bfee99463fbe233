//! Jobs and their states: what a job is, where it is, and every change of that.
//!
//! From: `submit`, `grab`, `work`, the timers: they decide, and call here. To: the lines of the functions.
//! Never: sends anything or asks the time. Only this file changes a [`State`] (I4), and with it the links,
//! counts and indexes that must agree with it.

mod identity;
mod key;
mod presence;
mod window;

use crate::function::FunctionKey;
use crate::ids::{ConnId, Moment, Now, Ticket, UnixTime};
use crate::index::Index;
use crate::line::{Gate, Line};
use crate::numbers::Numbers;
use crate::persist::Outcome;
use foldhash::fast::FixedState;
use geartrain_proto::{GrabKind, Priority, Unique};
use identity::Identity;
pub(crate) use key::JobKey;
use presence::Presence;
use std::time::Duration;

/// Where a job is in its life. What it says of the workload is here since it takes no room here.
#[derive(Debug)]
pub(crate) enum State {
    /// Waits for this time of the calendar.
    Delayed { until: UnixTime, presence: Presence },
    /// Waits its pause before its next attempt, until this many milliseconds of the monotonic clock.
    Paused { until_ms: u64, presence: Presence },
    /// Waits for a worker, until this time at the latest. Whether it is ahead: see `job/window.rs`.
    Queued { expires: UnixTime, ahead: bool, presence: Presence },
    /// Is on a worker.
    Running(Box<Running>),
}

/// The end of a wait that has none.
pub(crate) const NEVER: UnixTime = UnixTime::from_millis(i64::MAX);

/// What is known of a job while it is on a worker.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) worker: ConnId,
    /// Where the job stands in its worker's list.
    pub(crate) index: u32,
    /// When the worker got it.
    pub(crate) started: Now,
    pub(crate) deadline: Option<Moment>,
    pub(crate) numerator: u32,
    pub(crate) denominator: u32,
    /// The worker has not got it yet: its workload is still being read.
    pub(crate) assigning: Option<Assigning>,
    presence: Presence,
}

/// A job that a worker gets once its workload is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Assigning {
    /// The place that is held for the answer.
    pub(crate) place: Ticket,
    pub(crate) kind: GrabKind,
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
    /// Unique, reducer and workload, one behind the other; without the workload while that is in the store
    /// alone.
    content: Box<[u8]>,
    /// What most jobs do not have.
    extra: Option<Box<Extra>>,
    state: State,
    submitted: UnixTime,
    function: FunctionKey,
    next: Option<JobKey>,
    previous: Option<JobKey>,
    priority: Priority,
    kept: Kept,
    unique_len: u8,
    /// [`NO_REDUCER`] for none.
    reducer_len: u8,
}

/// What a job takes beside its content and its number: its slot, and about 19 bytes in an index and around the content.
const JOB_BYTES: u64 = size_of::<Option<Job>>() as u64 + 19;

/// An `Option` would take a byte more, and the job eight.
const NO_REDUCER: u8 = u8::MAX;

/// What only jobs have that somebody waits for, or that a worker did not finish.
#[derive(Debug, Default)]
struct Extra {
    /// The foreground submits that wait for it, in order; one connection may be there twice.
    waiters: Vec<ConnId>,
    /// How many workers it was given to that did not finish it.
    attempts: u32,
    /// How many of these disconnected.
    lost: u32,
    /// How the last attempt ended.
    last: Option<Outcome>,
    /// Since when it waits in its line, where that is not its submit.
    since: Option<UnixTime>,
    /// When it was first asked for, where it went back to the head of its line: see [`Jobs::enqueue_first`].
    asked: Option<Ticket>,
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
    pub(crate) submitted: UnixTime,
    pub(crate) attempts: u32,
    pub(crate) lost: u32,
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

    /// How many workers it was given to that did not finish it.
    pub(crate) fn attempts(&self) -> u32 {
        self.extra.as_ref().map_or(0, |extra| extra.attempts)
    }

    /// How many of these disconnected.
    pub(crate) fn lost(&self) -> u32 {
        self.extra.as_ref().map_or(0, |extra| extra.lost)
    }

    /// How its last attempt ended, where this process saw it.
    pub(crate) fn last_outcome(&self) -> Option<Outcome> {
        self.extra.as_ref()?.last
    }

    pub(crate) fn submitted(&self) -> UnixTime {
        self.submitted
    }

    /// Since when a queued job waits: its submit, the time it waited for, or the end of its last attempt.
    pub(crate) fn waits_since(&self) -> UnixTime {
        self.extra.as_ref().and_then(|extra| extra.since).unwrap_or(self.submitted)
    }

    /// How much longer it waits before it can be queued.
    pub(crate) fn wait(&self, now: Now) -> Duration {
        match &self.state {
            State::Delayed { until, .. } => until.since(now.unix),
            State::Paused { until_ms, .. } => Moment::from_millis(*until_ms).since(now.moment),
            State::Queued { .. } | State::Running(_) => Duration::ZERO,
        }
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    pub(crate) fn running(&self) -> Option<&Running> {
        match &self.state {
            State::Running(running) => Some(running),
            State::Queued { .. } | State::Delayed { .. } | State::Paused { .. } => None,
        }
    }

    pub(crate) fn unique(&self) -> Unique<'_> {
        Unique::new(self.content.get(..usize::from(self.unique_len)).unwrap_or_default())
    }

    pub(crate) fn reducer(&self) -> Option<&[u8]> {
        let start = usize::from(self.unique_len);
        let len = Some(self.reducer_len).filter(|len| *len != NO_REDUCER).map(usize::from)?;
        Some(self.content.get(start..start + len).unwrap_or_default())
    }

    /// `None` while the store alone has it.
    pub(crate) fn workload(&self) -> Option<&[u8]> {
        let workload = self.content.get(self.head_len()..).unwrap_or_default();
        self.presence().is_here().then_some(workload)
    }

    /// Length of its unique, reducer and workload, in bytes, wherever they are.
    pub(crate) fn content_len(&self) -> u64 {
        self.head_len() as u64 + self.workload_len()
    }

    /// Length of the workload, in bytes, wherever it is.
    pub(crate) fn workload_len(&self) -> u64 {
        let presence = self.presence();
        if presence.is_here() { (self.content.len() - self.head_len()) as u64 } else { presence.away_len() }
    }

    /// Length of unique and reducer.
    fn head_len(&self) -> usize {
        usize::from(self.unique_len) + self.reducer().map_or(0, <[u8]>::len)
    }

    pub(crate) fn presence(&self) -> Presence {
        match &self.state {
            State::Delayed { presence, .. }
            | State::Paused { presence, .. }
            | State::Queued { presence, .. } => *presence,
            State::Running(running) => running.presence,
        }
    }

    fn set_presence(&mut self, new: Presence) {
        match &mut self.state {
            State::Delayed { presence, .. }
            | State::Paused { presence, .. }
            | State::Queued { presence, .. } => *presence = new,
            State::Running(running) => running.presence = new,
        }
    }

    /// What a worker waits for that is to get this job.
    pub(crate) fn assigning(&self) -> Option<Assigning> {
        self.running().and_then(|running| running.assigning)
    }

    /// Bytes of its workload that are in memory although the store has them.
    fn resident_bytes(&self) -> u64 {
        let is_waiting = self.running().is_none();
        let is_resident = self.kept == Kept::Stored && is_waiting && self.presence().is_here();
        if is_resident { self.workload_len() } else { 0 }
    }

    pub(crate) fn waiters(&self) -> &[ConnId] {
        self.extra.as_ref().map_or(&[], |extra| extra.waiters.as_slice())
    }
}

/// How many slots stay when the queue runs empty.
const SLOTS_KEPT: usize = 1 << 16;

/// All jobs that wait or run.
#[derive(Debug)]
pub(crate) struct Jobs {
    slots: Vec<Option<Job>>,
    vacant: Vec<u32>,
    by_number: Numbers,
    by_unique: Index,
    lines: Vec<Line>,
    /// Functions with ready jobs, in no order that shows.
    ready: Vec<FunctionKey>,
    hash: FixedState,
    running: usize,
    in_memory_only: usize,
    /// Bytes of workloads of waiting jobs that are in memory although the store has them.
    resident_bytes: u64,
    /// Bytes of all uniques and reducers.
    head_bytes: u64,
    /// Bytes of the workloads of all jobs that are ahead; see `job/window.rs`.
    ahead_bytes: u64,
    /// The job that went back to the head of its line last, if it is there still.
    went_back: Option<JobKey>,
}

impl Running {
    pub(crate) fn new(worker: ConnId, index: u32, started: Now) -> Self {
        let (deadline, numerator, denominator, assigning) = (None, 0, 0, None);
        let presence = Presence::HERE;
        Self { worker, index, started, deadline, numerator, denominator, assigning, presence }
    }
}

impl Jobs {
    pub(crate) fn new(hash_seed: u64) -> Self {
        let hash = FixedState::with_seed(hash_seed);
        Self {
            slots: Vec::new(),
            vacant: Vec::new(),
            by_number: Numbers::new(hash.clone()),
            by_unique: Index::new(),
            lines: Vec::new(),
            ready: Vec::new(),
            hash,
            running: 0,
            in_memory_only: 0,
            resident_bytes: 0,
            head_bytes: 0,
            ahead_bytes: 0,
            went_back: None,
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

    /// The jobs from this slot on, each with its slot, where there is a job. A job keeps its slot for life, and
    /// whatever comes or goes moves no other: so pages over the slots meet each job at most once.
    pub(crate) fn slots(&self, from: u64) -> impl Iterator<Item = (u64, Option<(JobKey, &Job)>)> {
        let from = usize::try_from(from).unwrap_or(usize::MAX).min(self.slots.len());
        let slots = self.slots.get(from..).unwrap_or_default();
        let first = u32::try_from(from).expect("jobs_max is below 2^32");
        (first..)
            .zip(slots)
            .map(|(slot, job)| (u64::from(slot), job.as_ref().map(|job| (JobKey::of(slot), job))))
    }

    /// The jobs in so many slots from this one on, and the slot behind them, if there is one.
    pub(crate) fn portion(&self, from: u64, count: usize) -> (Vec<JobKey>, Option<u64>) {
        let mut slots = self.slots(from);
        let keys = slots.by_ref().take(count).filter_map(|(_, job)| job.map(|(key, _)| key)).collect();
        (keys, slots.next().map(|(slot, _)| slot))
    }

    /// The jobs in so many slots below this one, the last first, and the lowest of these slots, if there are others
    /// below.
    pub(crate) fn portion_below(&self, below: u64, count: usize) -> (Vec<JobKey>, Option<u64>) {
        let end = usize::try_from(below).unwrap_or(usize::MAX).min(self.slots.len());
        let start = end.saturating_sub(count);
        let slots = self.slots.get(start..end).unwrap_or_default();
        let numbered = (start..end).zip(slots).rev().filter(|(_, job)| job.is_some());
        let key = |slot| JobKey::of(u32::try_from(slot).expect("jobs_max is below 2^32"));
        (numbered.map(|(slot, _)| key(slot)).collect(), (start > 0).then_some(start as u64))
    }

    /// The job behind, and the job before, a job in its queue.
    pub(crate) fn neighbours(&self, key: JobKey) -> (Option<JobKey>, Option<JobKey>) {
        let job = self.get(key);
        (job.next, job.previous)
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
        self.by_number.find(number)
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
            let job = self.get(key);
            job.function == function && job.identity() == Some(identity)
        });
        found.ok_or(IdentityHash(Some(hash)))
    }

    /// Takes a new job in. It is in no place until [`Jobs::enqueue`], [`Jobs::delay`] or [`Jobs::pause`]
    /// follows.
    pub(crate) fn insert(&mut self, new: &NewJob<'_>) -> JobKey {
        self.insert_as(new, Presence::HERE)
    }

    fn insert_as(&mut self, new: &NewJob<'_>, presence: Presence) -> JobKey {
        let reducer = new.reducer.unwrap_or_default();
        let workload = if presence.is_here() { new.workload } else { &[] };
        let mut content = Vec::with_capacity(new.unique.as_bytes().len() + reducer.len() + workload.len());
        content.extend_from_slice(new.unique.as_bytes());
        content.extend_from_slice(reducer);
        content.extend_from_slice(workload);
        let short = |len: usize| u8::try_from(len).expect("uniques and reducers have at most 64 bytes");
        let extra = || Box::new(Extra { attempts: new.attempts, lost: new.lost, ..Extra::default() });
        let job = Job {
            number: new.number,
            content: content.into_boxed_slice(),
            extra: (new.attempts > 0).then(extra),
            state: State::Delayed { until: NEVER, presence },
            submitted: new.submitted,
            function: new.function,
            next: None,
            previous: None,
            priority: new.priority,
            kept: new.kept,
            unique_len: short(new.unique.as_bytes().len()),
            reducer_len: new.reducer.map_or(NO_REDUCER, |reducer| short(reducer.len())),
        };
        self.resident_bytes += job.resident_bytes();
        self.head_bytes += job.head_len() as u64;
        let key = self.occupy(job);
        self.index(key, new.identity);
        self.in_memory_only += usize::from(new.kept != Kept::Stored);
        self.line_mut(new.function).add_delayed(new.priority);
        key
    }

    /// Takes a job from wherever it is, so that it is in no place but counts as one that waits for its time:
    /// [`Jobs::enqueue`], [`Jobs::delay`], [`Jobs::pause`] or [`Jobs::remove`] follows.
    pub(crate) fn displace(&mut self, key: JobKey) {
        let (function, priority) = (self.get(key).function, self.get(key).priority);
        match self.get(key).state {
            State::Queued { .. } => {
                self.unlink(key);
                self.line_mut(function).add_delayed(priority);
            }
            State::Running(_) => {
                self.running -= 1;
                let line = self.line_mut(function);
                line.remove_running();
                line.add_delayed(priority);
                self.note_readiness(function);
            }
            State::Delayed { .. } | State::Paused { .. } => {}
        }
        self.alter(key, |job| job.state = State::Delayed { until: NEVER, presence: job.presence() });
    }

    /// Puts a displaced job at the end of its line.
    pub(crate) fn enqueue(&mut self, key: JobKey, expires: UnixTime) {
        debug_assert!(matches!(self.get(key).state, State::Delayed { .. }), "it was displaced before");
        let job = self.get_mut(key);
        job.state = State::Queued { expires, ahead: false, presence: job.presence() };
        if let Some(extra) = &mut job.extra {
            extra.asked = None;
        }
        let (function, priority) = (job.function, job.priority);
        self.line_mut(function).remove_delayed(priority);
        self.append(key);
    }

    /// Lets a displaced job wait for its time.
    pub(crate) fn delay(&mut self, key: JobKey, until: UnixTime) {
        debug_assert!(matches!(self.get(key).state, State::Delayed { .. }), "it was displaced before");
        let job = self.get_mut(key);
        job.state = State::Delayed { until, presence: job.presence() };
    }

    /// Lets a displaced job wait its pause.
    pub(crate) fn pause(&mut self, key: JobKey, until: Moment) {
        debug_assert!(matches!(self.get(key).state, State::Delayed { .. }), "it was displaced before");
        let job = self.get_mut(key);
        job.state = State::Paused { until_ms: until.millis_ceil(), presence: job.presence() };
    }

    /// Remembers since when a job waits that is about to be queued.
    pub(crate) fn set_since(&mut self, key: JobKey, since: UnixTime) {
        let job = self.get_mut(key);
        if job.waits_since() != since {
            job.extra.get_or_insert_default().since = Some(since);
        }
    }

    /// Gives a queued job another end of its wait.
    pub(crate) fn set_expires(&mut self, key: JobKey, expires: UnixTime) {
        if let State::Queued { expires: before, .. } = &mut self.get_mut(key).state {
            *before = expires;
        }
    }

    /// Gives a displaced job another function or priority. Its identity goes with it.
    pub(crate) fn reassign(&mut self, key: JobKey, function: FunctionKey, priority: Priority) {
        debug_assert!(matches!(self.get(key).state, State::Delayed { .. }), "it was displaced before");
        self.unindex(key);
        let job = self.get_mut(key);
        let (old_function, old_priority) = (job.function, job.priority);
        job.function = function;
        job.priority = priority;
        self.line_mut(old_function).remove_delayed(old_priority);
        self.line_mut(function).add_delayed(priority);
        let identity = IdentityHash(self.get(key).identity_hash(&self.hash));
        self.index(key, identity);
    }

    /// A worker did not finish the job.
    pub(crate) fn count_attempt(&mut self, key: JobKey, how: Outcome) {
        let extra = self.get_mut(key).extra.get_or_insert_default();
        extra.attempts = extra.attempts.saturating_add(1);
        extra.lost = extra.lost.saturating_add(u32::from(how == Outcome::Disconnected));
        extra.last = Some(how);
    }

    /// A worker gets the job.
    pub(crate) fn start(&mut self, key: JobKey, mut running: Running) {
        debug_assert!(matches!(self.get(key).state, State::Queued { .. }), "only a queued job is started");
        self.unlink(key);
        let job = self.get(key);
        running.presence = job.presence();
        let function = job.function;
        self.alter(key, |job| job.state = State::Running(Box::new(running)));
        self.line_mut(function).add_running();
        self.running += 1;
        self.note_readiness(function);
    }

    /// Changes what keeps the jobs of a function from being started.
    pub(crate) fn set_gate(&mut self, function: FunctionKey, change: impl FnOnce(&mut Gate)) {
        change(&mut self.line_mut(function).gate);
        self.note_readiness(function);
    }

    /// Takes a job out, whatever its state.
    pub(crate) fn remove(&mut self, key: JobKey) -> Job {
        self.displace(key);
        let (function, priority) = (self.get(key).function, self.get(key).priority);
        self.line_mut(function).remove_delayed(priority);
        self.unindex(key);
        self.vacant.push(key.slot());
        let job =
            self.slots.get_mut(key.index()).and_then(Option::take).expect("a key in use names a live job");
        self.in_memory_only -= usize::from(job.kept != Kept::Stored);
        self.resident_bytes -= job.resident_bytes();
        self.head_bytes -= job.head_len() as u64;
        if self.len() == 0 && self.slots.len() > SLOTS_KEPT {
            self.release_memory();
        }
        job
    }

    /// Gives back what a long backlog took, now that it is gone.
    fn release_memory(&mut self) {
        self.slots = Vec::new();
        self.vacant = Vec::new();
        self.by_number = Numbers::new(self.hash.clone());
        self.by_unique = Index::new();
    }

    pub(crate) fn set_kept(&mut self, key: JobKey, kept: Kept) {
        let before = self.get(key).kept;
        self.alter(key, |job| job.kept = kept);
        self.in_memory_only -= usize::from(before != Kept::Stored);
        self.in_memory_only += usize::from(kept != Kept::Stored);
    }

    pub(crate) fn add_waiter(&mut self, key: JobKey, conn: ConnId) {
        self.get_mut(key).extra.get_or_insert_default().waiters.push(conn);
    }

    /// Takes all waits of a connection off a job.
    pub(crate) fn remove_waiter(&mut self, key: JobKey, conn: ConnId) {
        let extra = &mut self.get_mut(key).extra;
        if let Some(some) = extra {
            some.waiters.retain(|waiter| *waiter != conn);
            let is_told = some.since.is_some() || some.asked.is_some();
            if some.waiters.is_empty() && some.attempts == 0 && !is_told {
                *extra = None;
            }
        }
    }

    pub(crate) fn set_progress(&mut self, key: JobKey, numerator: u32, denominator: u32) {
        if let State::Running(running) = &mut self.get_mut(key).state {
            running.numerator = numerator;
            running.denominator = denominator;
        }
    }

    /// A running job, whose workload is being read, waits to be sent to its worker.
    pub(crate) fn set_assigning(&mut self, key: JobKey, assigning: Assigning) {
        if let State::Running(running) = &mut self.get_mut(key).state {
            running.assigning = Some(assigning);
        }
    }

    /// The worker of a running job gets it only now.
    pub(crate) fn end_assigning(&mut self, key: JobKey, now: Now) -> Option<Assigning> {
        let State::Running(running) = &mut self.get_mut(key).state else { return None };
        running.started = now;
        running.assigning.take()
    }

    /// The time limit of a running job is another one now.
    pub(crate) fn set_deadline(&mut self, key: JobKey, deadline: Moment) {
        if let State::Running(running) = &mut self.get_mut(key).state {
            running.deadline = Some(deadline);
        }
    }

    /// The job moved in its worker's list.
    pub(crate) fn set_worker_index(&mut self, key: JobKey, index: u32) {
        if let State::Running(running) = &mut self.get_mut(key).state {
            running.index = index;
        }
    }

    /// Changes a job, and with it what depends on who remembers it, its state and its workload.
    fn alter(&mut self, key: JobKey, change: impl FnOnce(&mut Job)) {
        let job = self.get_mut(key);
        let before = job.resident_bytes();
        change(job);
        let after = job.resident_bytes();
        self.resident_bytes = self.resident_bytes - before + after;
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
        let number = self.get(key).number;
        self.by_number.insert(number, key);
        if let Some(unique_hash) = identity.0 {
            self.by_unique.insert(unique_hash, key);
        }
    }

    fn unindex(&mut self, key: JobKey) {
        let job = self.get(key);
        let (number, unique_hash) = (job.number, job.identity_hash(&self.hash));
        let mut is_whole = self.by_number.remove(number, key);
        if let Some(unique_hash) = unique_hash {
            is_whole &= self.by_unique.remove(unique_hash, key);
        }
        assert!(is_whole, "every job is indexed by its number, and by its identity if it has one");
    }

    /// Links a job to the end of its queue.
    fn append(&mut self, key: JobKey) {
        let job = self.get(key);
        let (function, priority) = (job.function, job.priority);
        let is_away = !job.presence().is_here();
        let queue = self.line_mut(function).queue_mut(priority);
        let before = queue.tail.replace(key);
        queue.len += 1;
        queue.away_behind += u32::from(is_away);
        match before {
            Some(before) => self.get_mut(before).next = Some(key),
            None => queue.head = Some(key),
        }
        self.get_mut(key).previous = before;
        self.note_readiness(function);
    }

    /// Takes a job out of its queue.
    fn unlink(&mut self, key: JobKey) {
        self.leave_window(key);
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
        match (line.is_ready(), line.ready_index) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_job_is_small() {
        // With a workload of 64 and a unique of 36 bytes the allocation of the content takes 112, and the
        // two indexes about 21: the goal of 220 bytes a waiting job leaves 87 for this, and 30 million waiting jobs
        // whose workloads are in the store fit in 4 GiB.
        assert!(size_of::<Option<Job>>() <= 72, "{} bytes", size_of::<Option<Job>>());
    }
}
