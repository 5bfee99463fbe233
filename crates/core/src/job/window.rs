//! Workloads out of memory, and the window at the head of a queue: the jobs whose workloads are read ahead
//! of their turn.
//!
//! From: `backlog.rs`, which decides; `job.rs`, when a job leaves its queue. To: the counts of the queue.
//! Never: reads anything; takes the workload of a job in a window, or one that the store does not have.
//!
//! The jobs of a window are the first of their queue, without a gap, so that its last one and a count say
//! where it ends.

use super::{JOB_BYTES, Job, JobKey, Jobs, Kept, NewJob, Presence, State};
use crate::function::FunctionKey;
use crate::ids::{Ticket, UnixTime};
use geartrain_proto::Priority;

impl Job {
    /// Whether it is among the jobs whose workloads are read ahead of their turn.
    pub(crate) fn is_ahead(&self) -> bool {
        matches!(self.state, State::Queued { ahead: true, .. })
    }

    /// Whether its workload may leave memory: the store has it, nobody waits for the job, and it is neither
    /// on a worker nor about to be.
    pub(crate) fn may_leave(&self) -> bool {
        self.kept == Kept::Stored
            && self.running().is_none()
            && !self.is_ahead()
            && self.presence().is_here()
            && self.waiters().is_empty()
            && !self.is_known_by_workload()
    }

    fn asked(&self) -> Option<Ticket> {
        self.extra.as_ref()?.asked
    }

    /// Unique and reducer.
    pub(crate) fn head(&self) -> &[u8] {
        self.content.get(..self.head_len()).unwrap_or_default()
    }
}

impl Jobs {
    /// Bytes of what waits in memory: all of a job, except workloads that nothing else has.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let fixed = self.len() as u64 * JOB_BYTES + self.by_number.memory_bytes();
        fixed + self.head_bytes + self.resident_bytes
    }

    /// Bytes of all uniques and reducers.
    pub(crate) fn head_bytes(&self) -> u64 {
        self.head_bytes
    }

    /// Bytes of workloads of waiting jobs that are in memory although the store has them.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.resident_bytes
    }

    /// Bytes of the workloads of all jobs that are ahead.
    pub(crate) fn ahead_bytes(&self) -> u64 {
        self.ahead_bytes
    }

    /// As [`Jobs::insert`], but the workload stays in the store where it may.
    pub(crate) fn insert_away(&mut self, new: &NewJob<'_>) -> JobKey {
        let away = Presence::away(new.workload.len()).filter(|_| !new.unique.is_workload());
        self.insert_as(new, away.unwrap_or(Presence::HERE))
    }

    /// Lets the workload of a waiting job leave memory, where it may; returns what is to be dropped. `stays` is a copy
    /// of its unique and reducer, where there is one.
    pub(crate) fn leave(&mut self, key: JobKey, stays: Option<Box<[u8]>>) -> Option<Box<[u8]>> {
        let job = self.get(key);
        let len = usize::try_from(job.workload_len()).unwrap_or(usize::MAX);
        let away = Presence::away(len).filter(|_| len > 0 && job.may_leave())?;
        // Copied, not cut: what is left behind in place would be a hole too small for the next job.
        let stays = stays.filter(|stays| **stays == *job.head());
        let mut content = stays.unwrap_or_else(|| job.head().into());
        self.alter(key, |job| {
            std::mem::swap(&mut job.content, &mut content);
            job.set_presence(away);
        });
        self.count_away(key, 1);
        Some(content)
    }

    /// Puts the workload of a job back that was read, where the job needs it.
    pub(crate) fn restore(&mut self, key: JobKey, workload: &[u8]) {
        let job = self.get(key);
        if job.presence().is_here() {
            return;
        }
        if !job.is_ahead() && job.running().is_none() {
            // It went to the end of a line meanwhile.
            return self.set_missed(key);
        }
        let head = job.head();
        let mut content = Vec::with_capacity(head.len() + workload.len());
        content.extend_from_slice(head);
        content.extend_from_slice(workload);
        let (before, is_ahead) = (job.workload_len(), job.is_ahead());
        let (function, priority) = (job.function, job.priority);
        self.alter(key, |job| {
            job.content = content.into_boxed_slice();
            job.set_presence(Presence::HERE);
        });
        if is_ahead {
            let after = workload.len() as u64;
            let queue = self.line_mut(function).queue_mut(priority);
            queue.ahead_bytes = queue.ahead_bytes - before + after;
            self.ahead_bytes = self.ahead_bytes - before + after;
        }
    }

    /// The workload of a job is being read.
    pub(crate) fn set_asked(&mut self, key: JobKey) {
        let job = self.get_mut(key);
        job.set_presence(job.presence().asked());
    }

    /// The workload of a job could not be read.
    pub(crate) fn set_missed(&mut self, key: JobKey) {
        let job = self.get_mut(key);
        job.set_presence(job.presence().missed());
    }

    /// The first job behind the window of a queue.
    pub(crate) fn first_behind(&self, function: FunctionKey, priority: Priority) -> Option<JobKey> {
        let queue = self.line(function).queue(priority);
        queue.ahead_last.map_or(queue.head, |last| self.get(last).next)
    }

    /// Takes the first job behind the window into it.
    pub(crate) fn take_ahead(&mut self, key: JobKey) {
        self.count_away(key, -1);
        let job = self.get_mut(key);
        let State::Queued { ahead, .. } = &mut job.state else { return };
        *ahead = true;
        self.enter_window(key);
        let (function, priority) = (self.get(key).function, self.get(key).priority);
        self.line_mut(function).queue_mut(priority).ahead_last = Some(key);
    }

    /// Puts a displaced job back at the head of its line, from where it was asked for with this ticket: behind
    /// those that were asked for before it and went back as well.
    pub(crate) fn enqueue_first(&mut self, key: JobKey, expires: UnixTime, asked: Ticket) {
        debug_assert!(matches!(self.get(key).state, State::Delayed { .. }), "it was displaced before");
        let job = self.get_mut(key);
        job.state = State::Queued { expires, ahead: true, presence: job.presence() };
        let asked = *job.extra.get_or_insert_default().asked.get_or_insert(asked);
        let (function, priority) = (job.function, job.priority);
        self.line_mut(function).remove_delayed(priority);
        // Many go back at once, one behind the other.
        let is_before = |key: &JobKey| {
            let other = self.slots.get(key.index()).and_then(Option::as_ref);
            other.is_some_and(|other| {
                let is_queued = matches!(other.state, State::Queued { .. });
                is_queued
                    && (other.function, other.priority) == (function, priority)
                    && other.asked().is_some_and(|it| it < asked)
            })
        };
        let mut previous = self.went_back.filter(is_before);
        let head = self.line(function).queue(priority).head;
        let mut next = previous.map_or(head, |previous| self.get(previous).next);
        while let Some(other) = next.filter(|other| self.get(*other).asked().is_some_and(|it| it < asked)) {
            (previous, next) = (Some(other), self.get(other).next);
        }
        let queue = self.line_mut(function).queue_mut(priority);
        queue.len += 1;
        if queue.ahead_last == previous {
            queue.ahead_last = Some(key);
        }
        match previous {
            None => queue.head = Some(key),
            Some(previous) => self.get_mut(previous).next = Some(key),
        }
        match next {
            None => self.line_mut(function).queue_mut(priority).tail = Some(key),
            Some(next) => self.get_mut(next).previous = Some(key),
        }
        let job = self.get_mut(key);
        (job.previous, job.next) = (previous, next);
        self.went_back = Some(key);
        self.enter_window(key);
        self.note_readiness(function);
    }

    fn enter_window(&mut self, key: JobKey) {
        let job = self.get(key);
        let (function, priority, bytes) = (job.function, job.priority, job.workload_len());
        let queue = self.line_mut(function).queue_mut(priority);
        queue.ahead += 1;
        queue.ahead_bytes += bytes;
        self.ahead_bytes += bytes;
    }

    /// A job is about to leave its queue, and with it the window or what is behind.
    pub(super) fn leave_window(&mut self, key: JobKey) {
        let job = self.get(key);
        if !job.is_ahead() {
            return self.count_away(key, -1);
        }
        let (function, priority, bytes) = (job.function, job.priority, job.workload_len());
        let previous = job.previous;
        let queue = self.line_mut(function).queue_mut(priority);
        queue.ahead -= 1;
        queue.ahead_bytes -= bytes;
        if queue.ahead_last == Some(key) {
            queue.ahead_last = previous;
        }
        self.ahead_bytes -= bytes;
    }

    /// Counts a job behind the window whose workload is away, where it is one.
    fn count_away(&mut self, key: JobKey, by: i32) {
        let job = self.get(key);
        let is_one = matches!(job.state, State::Queued { ahead: false, .. }) && !job.presence().is_here();
        if is_one {
            let (function, priority) = (job.function, job.priority);
            let queue = self.line_mut(function).queue_mut(priority);
            queue.away_behind = queue.away_behind.saturating_add_signed(by);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::Functions;
    use geartrain_proto::Unique;
    use std::sync::Arc;

    fn leave(stays: &[u8]) -> (Jobs, JobKey, *const u8) {
        let mut jobs = Jobs::new(1);
        let function = Functions::new(1).insert("f".into(), Arc::default());
        jobs.add_line(function);
        let unique = Unique::from("order-1");
        let Err(identity) = jobs.find_identity(function, unique, b"work") else { panic!("it is the first") };
        let new = NewJob {
            number: 1,
            function,
            unique,
            identity,
            priority: Priority::Normal,
            workload: b"work",
            reducer: Some(b"sum"),
            submitted: UnixTime::from_seconds(0),
            attempts: 0,
            lost: 0,
            kept: Kept::Stored,
        };
        let key = jobs.insert(&new);
        let stays: Box<[u8]> = stays.into();
        let at = stays.as_ptr();
        assert_eq!(jobs.leave(key, Some(stays)).as_deref(), Some(b"order-1sumwork".as_slice()));
        (jobs, key, at)
    }

    #[test]
    fn what_stays_is_where_it_was_made() {
        let (jobs, key, at) = leave(b"order-1sum");
        assert_eq!((jobs.get(key).head(), jobs.get(key).head().as_ptr()), (b"order-1sum".as_slice(), at));
    }

    #[test]
    fn what_stays_is_what_the_job_has_now() {
        let (jobs, key, _) = leave(b"order-1max");
        assert_eq!(jobs.get(key).head(), b"order-1sum");
    }
}
