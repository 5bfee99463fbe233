//! Long backlogs: over a budget the workloads of waiting stored jobs leave memory, and are read back ahead of
//! their turn.
//!
//! From: commits and give-backs, where a workload may leave; grabs, which move a queue on; what was read.
//! To: [`Outbox::read`]; a worker that got a job whose workload was not there yet. Never: lets a workload go
//! that the store does not have for certain, or that somebody waits for.
//!
//! A queue that is served has a window at its head (`job/window.rs`): the jobs that are in memory or being
//! read. Only where a window is empty, or its reads are late, a worker waits: its answer is held and the job
//! runs on it from then on. Cannot the store be read, it gets `NO_JOB`, the job is the first of its line
//! again, no attempt is counted, and the function starts nothing for a second. Does the store say that the
//! job is not there, it is dead.

use crate::core::Core;
use crate::event::Event;
use crate::function::FunctionKey;
use crate::ids::{ConnId, Moment, Ticket};
use crate::job::{Assigning, JobKey, Jobs, NEVER};
use crate::outbox::{Answer, Outbox};
use crate::persist::{Outcome, Wanted};
use crate::reads::Purpose;
use crate::timers::{Alarm, Due};
use geartrain_proto::{GrabKind, Priority, Response};
use std::time::Duration;

/// Most jobs in the window of one queue.
const WINDOW_JOBS: u32 = 8192;

/// So many are left when it takes more: there is room for a whole batch.
const WINDOW_JOBS_LOW: u32 = WINDOW_JOBS - 1024;

/// Bytes of workloads at which the window of one queue takes no more jobs.
const WINDOW_BYTES: u64 = 16 << 20;

/// As with jobs, there is room for a batch.
const WINDOW_BYTES_LOW: u64 = WINDOW_BYTES - BATCH_BYTES;

/// Most jobs that are read at once.
const BATCH_JOBS: usize = 1024;

/// Bytes of workloads at which a batch takes no more jobs.
const BATCH_BYTES: u64 = 4 << 20;

/// Jobs that are read at once where a worker waits for the first, or all windows have used up their room.
const URGENT_JOBS: usize = 64;

/// So few are left in a window when it takes more although all windows have used up their room.
const WINDOW_JOBS_NEEDED: u32 = 32;

/// As with jobs.
const WINDOW_BYTES_NEEDED: u64 = BATCH_BYTES / 2;

/// Bytes of workloads that all windows together may have, where the budget is smaller than twice that.
const WINDOWS_BYTES_MIN: u64 = 64 << 20;

/// Pause after the store could not be read.
const READ_PAUSE: Duration = Duration::from_secs(1);

/// When the workloads that came before are let go, and how many were.
#[derive(Debug, Default)]
pub(crate) struct Spilling {
    /// At so many bytes of jobs; 0 while these are well below the budget.
    next_at: u64,
    /// Bytes that left in the pass under way.
    left: u64,
}

/// The slots of jobs below this one are left to look at. The last come first: the first ones are wanted next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Below(u64);

impl Default for Below {
    fn default() -> Self {
        Self(u64::MAX)
    }
}

/// Workloads that are being read.
#[derive(Debug)]
pub(crate) struct WorkloadRead {
    /// The jobs, in the order of their numbers, and whether each was found.
    asked: Vec<(u64, bool)>,
    /// Where the next one is, if they come in order.
    next: usize,
    /// Found jobs that a worker waits for.
    arrived: Vec<u64>,
}

impl WorkloadRead {
    fn new(mut numbers: Vec<u64>) -> Self {
        numbers.sort_unstable();
        let asked = numbers.into_iter().map(|number| (number, false)).collect();
        Self { asked, next: 0, arrived: Vec::new() }
    }

    fn entry(&mut self, number: u64) -> Option<&mut (u64, bool)> {
        let index = match self.asked.get(self.next) {
            Some((next, _)) if *next == number => self.next,
            _ => self.asked.binary_search_by_key(&number, |(asked, _)| *asked).ok()?,
        };
        self.next = index + 1;
        self.asked.get_mut(index)
    }

    /// Whether the job was asked for and not found yet.
    pub(crate) fn lacks(&self, number: u64) -> bool {
        let index = self.asked.binary_search_by_key(&number, |(asked, _)| *asked);
        index.is_ok_and(|index| self.asked.get(index).is_some_and(|(_, found)| !found))
    }

    pub(crate) fn has_arrived(&self, number: u64) -> bool {
        self.arrived.contains(&number)
    }

    /// One of them was found.
    pub(crate) fn take(&mut self, number: u64, workload: &[u8], jobs: &mut Jobs) {
        let Some((_, found @ false)) = self.entry(number) else { return };
        *found = true;
        let Some(key) = jobs.find(number) else { return };
        if jobs.get(key).presence().is_asked() {
            jobs.restore(key, workload);
            if jobs.get(key).assigning().is_some() {
                self.arrived.push(number);
            }
        }
    }
}

impl Core {
    /// Whether a workload of this length is to leave memory, or not to enter it.
    pub(crate) fn is_over_budget(&self, len: usize) -> bool {
        let budget = self.settings.queue_memory_bytes;
        budget > 0 && self.jobs.memory_bytes() + len as u64 > budget
    }

    /// Lets the workload of a waiting job leave memory, where the budget is used up and the store has it; unless
    /// its queue is so short that it would be read back at once.
    ///
    /// `stays` is what is kept of it then, where that has a place already. What is returned is to be dropped. Whoever
    /// lets go of many drops it when all have left: what stays of them is small, and would else be put one by one into
    /// the holes, which then stay holes.
    pub(crate) fn spare_memory(&mut self, key: JobKey, stays: Option<Box<[u8]>>) -> Option<Box<[u8]>> {
        if !self.is_over_budget(0) {
            // A queue that stands at its budget is not swept again and again.
            if self.jobs.memory_bytes() < self.settings.queue_memory_bytes / 8 * 7 {
                self.spilling.next_at = 0;
            }
            return None;
        }
        self.note_memory();
        let job = self.jobs.get(key);
        if !job.may_leave() {
            return None;
        }
        let (number, function, priority) = (job.number(), job.function(), job.priority());
        self.keep_ahead(function, priority);
        // Two reads of one job could not be told apart. Asked last, since it looks at all that is being read.
        if self.jobs.get(key).is_ahead() || self.writing.is_owed(number) || self.reads.is_reading(number) {
            return None;
        }
        self.jobs.leave(key, stays)
    }

    /// The budget is used up, or an eighth more memory than when that was seen last: workloads that came before
    /// leave too, where it can be more than one window has.
    pub(crate) fn note_memory(&mut self) {
        if self.jobs.memory_bytes() >= self.spilling.next_at
            && self.jobs.resident_bytes() > self.settings.queue_memory_bytes / 16
            && self.chores.spills.at().is_none()
        {
            self.chores.spills.ask();
        }
    }

    /// Lets workloads leave memory, of a portion of all jobs, while the budget is used up.
    pub(crate) fn spill(&mut self, out: &mut dyn Outbox) {
        let Some(Below(slot)) = self.chores.spills.at() else { return };
        let (keys, next) = self.jobs.portion_below(slot, self.settings.portion);
        let left: Vec<_> = keys.into_iter().filter_map(|key| self.spare_memory(key, None)).collect();
        self.spilling.left += left.iter().map(|content| content.len() as u64).sum::<u64>();
        drop(left);
        let next = next.filter(|_| self.is_over_budget(0));
        self.chores.spills.go_on(next.map(Below));
        if next.is_none() {
            let memory = self.jobs.memory_bytes();
            let step = memory.max(self.settings.queue_memory_bytes) / 8 + 1;
            let before = std::mem::replace(&mut self.spilling.next_at, memory + step);
            let bytes = std::mem::take(&mut self.spilling.left);
            out.note(Event::Spilled { bytes, is_first: before == 0 });
        }
    }

    /// Lets the window of a queue grow by what is in memory, so that a long backlog of one function costs the
    /// others nothing. A window gets a sixteenth of the budget for that, and all of them a quarter of it: nobody may
    /// serve these queues, and the room of those that are served is twice that.
    fn keep_ahead(&mut self, function: FunctionKey, priority: Priority) {
        let budget = self.settings.queue_memory_bytes;
        while let Some(key) = self.jobs.first_behind(function, priority) {
            let queue = self.jobs.line(function).queue(priority);
            let len = self.jobs.get(key).workload_len();
            let has_room = queue.ahead < WINDOW_JOBS
                && queue.ahead_bytes + len <= WINDOW_BYTES.min(budget / 16)
                && self.jobs.ahead_bytes() + len <= budget / 4;
            if !has_room || !self.jobs.get(key).presence().is_here() {
                return;
            }
            self.jobs.take_ahead(key);
        }
    }

    /// Records that were kept until they are written are, up to this ticket.
    pub(crate) fn settle(&mut self, upto: Ticket) {
        for number in self.writing.take_settled(upto) {
            if let Some(key) = self.jobs.find(number) {
                drop(self.spare_memory(key, None));
            }
        }
    }

    /// A queue was served: reads further workloads where its window has room for a batch. Where all windows have used
    /// up their room, which may be those of queues that nobody serves any more, it is a small batch of few jobs.
    pub(crate) fn read_ahead(&mut self, function: FunctionKey, priority: Priority, out: &mut dyn Outbox) {
        loop {
            let queue = self.jobs.line(function).queue(priority);
            let (jobs, bytes, used) = (queue.ahead, queue.ahead_bytes, self.jobs.ahead_bytes());
            let max = self.windows_bytes_max();
            if queue.away_behind == 0 || jobs > WINDOW_JOBS_LOW || bytes > WINDOW_BYTES_LOW {
                return;
            }
            if used < max {
                self.read_batch(function, priority, BATCH_JOBS, max, out);
            } else if jobs <= WINDOW_JOBS_NEEDED && bytes <= WINDOW_BYTES_NEEDED && used < needed_max(max) {
                self.read_batch(function, priority, URGENT_JOBS, needed_max(max), out);
            } else {
                return;
            }
        }
    }

    /// A worker gets the first job of a queue: its workload is asked for, where nobody did.
    pub(crate) fn read_first(
        &mut self,
        key: JobKey,
        function: FunctionKey,
        priority: Priority,
        out: &mut dyn Outbox,
    ) {
        if self.jobs.get(key).presence().is_missed() {
            debug_assert!(!self.jobs.get(key).is_ahead(), "what is ahead is read, or its gate is shut");
            let max = needed_max(self.windows_bytes_max());
            self.read_batch(function, priority, URGENT_JOBS, max, out);
        }
    }

    /// Bytes of all windows together at which they take no more than they need at once.
    fn windows_bytes_max(&self) -> u64 {
        WINDOWS_BYTES_MIN.max(self.settings.queue_memory_bytes / 2)
    }

    /// Lets the window of a queue grow, by one job at least, and asks for the workloads that are away.
    fn read_batch(
        &mut self,
        function: FunctionKey,
        priority: Priority,
        jobs_max: usize,
        windows_bytes_max: u64,
        out: &mut dyn Outbox,
    ) {
        let (mut numbers, mut bytes) = (Vec::new(), 0);
        while let Some(key) = self.jobs.first_behind(function, priority) {
            self.jobs.take_ahead(key);
            let job = self.jobs.get(key);
            let (number, len) = (job.number(), job.workload_len());
            if job.presence().is_missed() {
                self.jobs.set_asked(key);
                numbers.push(number);
                bytes += len;
            }
            let queue = self.jobs.line(function).queue(priority);
            let is_full = queue.ahead >= WINDOW_JOBS
                || queue.ahead_bytes >= WINDOW_BYTES
                || self.jobs.ahead_bytes() >= windows_bytes_max;
            if is_full || numbers.len() >= jobs_max || bytes >= BATCH_BYTES || queue.away_behind == 0 {
                break;
            }
        }
        self.read_workloads(numbers, out);
    }

    fn read_workloads(&mut self, numbers: Vec<u64>, out: &mut dyn Outbox) {
        if let Some(last) = numbers.iter().max() {
            self.reads.note_workloads(*last);
            let read = WorkloadRead::new(numbers);
            let numbers: Vec<u64> = read.asked.iter().map(|(number, _)| *number).collect();
            self.read(Wanted::Workloads, &numbers, Purpose::Workloads(read), out);
        }
    }

    /// All workloads were given that could be found; or the store could not be read.
    pub(crate) fn end_workload_read(&mut self, read: WorkloadRead, is_read: bool, out: &mut dyn Outbox) {
        for number in read.arrived {
            self.deliver(number, out);
        }
        for (number, _) in read.asked.into_iter().filter(|(_, is_found)| !is_found) {
            let Some(key) = self.jobs.find(number).filter(|key| self.jobs.get(*key).presence().is_asked())
            else {
                continue;
            };
            if is_read {
                self.die(key, Outcome::Unreadable, b"the store has no such job", out);
                continue;
            }
            self.jobs.set_missed(key);
            let job = self.jobs.get(key);
            let is_awaited = job.assigning().is_some();
            if job.is_ahead() || is_awaited {
                self.pause_reads(job.function());
            }
            if is_awaited {
                self.withdraw(key, out);
            }
        }
    }

    /// Starts no job of a function for a while, since workloads cannot be read.
    fn pause_reads(&mut self, function: FunctionKey) {
        if self.jobs.line(function).gate.reads_open.is_none() {
            let at = self.now.moment.after(READ_PAUSE);
            self.jobs.set_gate(function, |gate| gate.reads_open = Some(at));
            self.timers.set_alarm(at, Alarm::Reads(function));
        }
    }

    /// The pause is over: what is ahead and still away is asked for again.
    pub(crate) fn read_again(&mut self, function: FunctionKey, at: Moment, out: &mut dyn Outbox) {
        if self.jobs.line(function).gate.reads_open != Some(at) {
            return;
        }
        self.jobs.set_gate(function, |gate| gate.reads_open = None);
        for priority in Priority::ALL {
            let ahead = self.jobs.line(function).queue(priority).ahead as usize;
            let missed = |key: &JobKey| self.jobs.get(*key).presence().is_missed();
            let keys: Vec<JobKey> = self.jobs.queue(function, priority).take(ahead).filter(missed).collect();
            for keys in keys.chunks(BATCH_JOBS) {
                keys.iter().for_each(|key| self.jobs.set_asked(*key));
                let numbers = keys.iter().map(|key| self.jobs.get(*key).number()).collect();
                self.read_workloads(numbers, out);
            }
        }
        // The function may have been dropped, and has no jobs then.
        self.wake_if_ready(function, out);
    }

    /// A worker whose job is not whole yet has a place for it in what is sent to it.
    pub(crate) fn hold_assignment(
        &mut self,
        conn: ConnId,
        key: JobKey,
        kind: GrabKind,
        out: &mut dyn Outbox,
    ) {
        let place = self.reads.next_ticket();
        let job = self.jobs.get(key);
        let (handle, function) = (self.handles.text(job.number()), self.functions.name(job.function()));
        out.note(Event::Awaited { handle: handle.as_handle(), function });
        out.hold(conn, place, Answer::Packet(Response::NoJob));
        self.jobs.set_assigning(key, Assigning { place, kind });
    }

    /// A job that a worker waits for was read.
    fn deliver(&mut self, number: u64, out: &mut dyn Outbox) {
        let Some(key) = self.jobs.find(number) else { return };
        let job = self.jobs.get(key);
        let Some(worker) = job.running().filter(|_| job.presence().is_here()).map(|it| it.worker) else {
            return;
        };
        if let Some(Assigning { place, kind }) = self.jobs.end_assigning(key, self.now) {
            self.limit_time(worker, key);
            self.send_assignment(worker, key, kind, Some(place), out);
        }
    }

    /// A job that a worker waits for does not go to it: it is back at the head of its line, as if nobody had
    /// asked for it.
    pub(crate) fn withdraw(&mut self, key: JobKey, out: &mut dyn Outbox) {
        let Some(Assigning { place, .. }) = self.jobs.get(key).assigning() else { return };
        self.refuse_assignment(key, out);
        self.displace(key);
        let job = self.jobs.get(key);
        let (number, function) = (job.number(), job.function());
        // The policy may be another one than when it was asked for.
        let expires = self.expiry(key, job.waits_since());
        self.jobs.enqueue_first(key, expires, place);
        if expires != NEVER {
            self.timers.add(expires, Due::Job(number));
        }
        self.wake_if_ready(function, out);
    }

    /// The worker that waits for a job, if one does, gets none.
    pub(crate) fn refuse_assignment(&self, key: JobKey, out: &mut dyn Outbox) {
        let job = self.jobs.get(key);
        if let (Some(running), Some(Assigning { place, .. })) = (job.running(), job.assigning()) {
            out.replace(running.worker, place, Answer::Packet(Response::NoJob));
        }
    }

    /// The order in which a lost worker's jobs go back: those it had got, by their numbers; then those it waited
    /// for, line by line, since each finds its place beside the one before.
    pub(crate) fn order_back(&self, key: JobKey) -> (Option<(FunctionKey, Priority)>, u64) {
        let job = self.jobs.get(key);
        let line = job.assigning().map(|_| (job.function(), job.priority()));
        (line, job.number())
    }
}

/// Bytes of all windows together at which a read is of one job, given those at which it is of few.
fn needed_max(windows_bytes_max: u64) -> u64 {
    windows_bytes_max + windows_bytes_max / 2
}
