//! The line of one function: its ready jobs by priority, and how many jobs are where.
//!
//! From: `job.rs`, the only caller. Never: looks into a job.

use crate::ids::Moment;
use crate::job::JobKey;
use crate::policy::Rate;
use geartrain_proto::Priority;

/// A list of jobs; the links are in the jobs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Queue {
    pub(crate) head: Option<JobKey>,
    pub(crate) tail: Option<JobKey>,
    pub(crate) len: u32,
    /// The last of the jobs at the head whose workloads are read ahead of their turn; see `job/window.rs`.
    pub(crate) ahead_last: Option<JobKey>,
    /// How many these are.
    pub(crate) ahead: u32,
    /// Bytes of their workloads, wherever they are.
    pub(crate) ahead_bytes: u64,
    /// Jobs behind these whose workload is in the store alone.
    pub(crate) away_behind: u32,
}

/// What keeps the jobs of a function from being started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Gate {
    /// The policy says so.
    pub(crate) paused: bool,
    /// Most jobs on workers at once.
    pub(crate) running_max: Option<u32>,
    /// How often jobs may be started.
    pub(crate) rate: Option<Rate>,
    /// When the rate allows the next start, where that is in the future.
    pub(crate) rate_opens: Option<Moment>,
    /// When the rate would be used up by starts without a pause; see `gate.rs`.
    pub(crate) rate_spent: Moment,
    /// When workloads are read again, after the store could not be read.
    pub(crate) reads_open: Option<Moment>,
}

/// The jobs of one function.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    queues: [Queue; 3],
    delayed: [u32; 3],
    running: u32,
    pub(crate) gate: Gate,
    /// Where the function stands among those with ready jobs.
    pub(crate) ready_index: Option<u32>,
}

impl Line {
    pub(crate) fn queue(&self, priority: Priority) -> &Queue {
        let [high, normal, low] = &self.queues;
        match priority {
            Priority::High => high,
            Priority::Normal => normal,
            Priority::Low => low,
        }
    }

    pub(crate) fn queue_mut(&mut self, priority: Priority) -> &mut Queue {
        let [high, normal, low] = &mut self.queues;
        match priority {
            Priority::High => high,
            Priority::Normal => normal,
            Priority::Low => low,
        }
    }

    fn delayed_mut(&mut self, priority: Priority) -> &mut u32 {
        let [high, normal, low] = &mut self.delayed;
        match priority {
            Priority::High => high,
            Priority::Normal => normal,
            Priority::Low => low,
        }
    }

    pub(crate) fn add_delayed(&mut self, priority: Priority) {
        *self.delayed_mut(priority) += 1;
    }

    pub(crate) fn remove_delayed(&mut self, priority: Priority) {
        *self.delayed_mut(priority) -= 1;
    }

    pub(crate) fn add_running(&mut self) {
        self.running += 1;
    }

    pub(crate) fn remove_running(&mut self) {
        self.running -= 1;
    }

    /// Jobs that wait for a worker.
    pub(crate) fn queued(&self) -> u32 {
        self.queues.iter().map(|queue| queue.len).sum()
    }

    /// Whether a job may be started now.
    pub(crate) fn is_open(&self) -> bool {
        let Gate { paused, running_max, rate_opens, reads_open, .. } = self.gate;
        !paused
            && rate_opens.is_none()
            && reads_open.is_none()
            && running_max.is_none_or(|max| self.running < max)
    }

    /// Whether something limits how many jobs are started.
    pub(crate) fn is_limited(&self) -> bool {
        self.gate.running_max.is_some() || self.gate.rate.is_some()
    }

    /// Whether a worker that asks would get a job.
    pub(crate) fn is_ready(&self) -> bool {
        self.is_open() && self.queued() > 0
    }

    /// How many more jobs may be started now.
    pub(crate) fn room(&self) -> u32 {
        let room = self.gate.running_max.map_or(u32::MAX, |max| max.saturating_sub(self.running));
        if self.is_open() { room.min(self.queued()) } else { 0 }
    }

    /// Jobs of a priority that wait, for a worker or for their time.
    pub(crate) fn waiting(&self, priority: Priority) -> u32 {
        let [high, normal, low] = self.delayed;
        let delayed = match priority {
            Priority::High => high,
            Priority::Normal => normal,
            Priority::Low => low,
        };
        self.queue(priority).len + delayed
    }

    /// Jobs on workers.
    pub(crate) fn running(&self) -> u32 {
        self.running
    }

    /// Jobs that wait for their time or their pause.
    pub(crate) fn delayed(&self) -> u32 {
        self.delayed.iter().sum()
    }

    /// Jobs that wait or run.
    pub(crate) fn total(&self) -> u32 {
        self.queued() + self.delayed() + self.running
    }

    /// The job to be served first, and its priority, while the gate is open.
    pub(crate) fn first(&self) -> Option<(Priority, JobKey)> {
        if !self.is_open() {
            return None;
        }
        Priority::ALL.into_iter().find_map(|priority| Some((priority, self.queue(priority).head?)))
    }
}
