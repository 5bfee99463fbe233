//! The line of one function: its ready jobs by priority, and how many jobs are where.
//!
//! From: `job.rs`, the only caller. Never: looks into a job.

use crate::job::JobKey;
use geartrain_proto::Priority;

/// A list of jobs; the links are in the jobs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Queue {
    pub(crate) head: Option<JobKey>,
    pub(crate) tail: Option<JobKey>,
    pub(crate) len: u32,
}

/// The jobs of one function.
#[derive(Debug, Clone, Default)]
pub(crate) struct Line {
    queues: [Queue; 3],
    delayed: [u32; 3],
    running: u32,
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

    /// Jobs that a worker could get now.
    pub(crate) fn ready(&self) -> u32 {
        self.queues.iter().map(|queue| queue.len).sum()
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

    /// Jobs that wait or run.
    pub(crate) fn total(&self) -> u32 {
        self.ready() + self.delayed.iter().sum::<u32>() + self.running
    }

    /// The job to be served first, and its priority.
    pub(crate) fn first(&self) -> Option<(Priority, JobKey)> {
        Priority::ALL.into_iter().find_map(|priority| Some((priority, self.queue(priority).head?)))
    }
}
