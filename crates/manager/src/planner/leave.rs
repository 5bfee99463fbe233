//! Leaving: a process was told to stop, and has time to finish its job.
//!
//! From: the planner, which sends the stop signal. To: the kill, when patience is over.
//! Never: kills before that; and after it, not while the process is known to be in the middle of a job,
//! up to a hard limit.

use super::moment::Moment;
use super::state::ProcessId;
use crate::limits::{AFTER_JOB_PATIENCE, JOB_PATIENCE};
use std::time::Duration;

/// A process that was told to leave.
#[derive(Debug, Clone, PartialEq)]
pub struct Leave {
    /// Which one.
    pub process: ProcessId,
    kill: Kill,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kill {
    /// At `at`, or where it has a job then, at `hard`.
    Due { at: Moment, hard: Moment },
    /// It was killed, and the kernel has the last word; or it is never killed.
    Done,
}

impl Leave {
    /// A process that gets its stop signal now; without patience it is never killed.
    pub(crate) fn new(now: Moment, process: ProcessId, patience: Option<Duration>) -> Self {
        let kill = patience.map_or(Kill::Done, |patience| Kill::Due {
            at: now + patience,
            hard: now + patience.max(JOB_PATIENCE),
        });
        Self { process, kill }
    }

    /// Whether it is to be killed now; true once.
    pub(crate) fn is_kill_due(&mut self, now: Moment, has_job: bool) -> bool {
        let Kill::Due { at, hard } = self.kill else { return false };
        let is_due = now >= hard || (now >= at && !has_job);
        if is_due {
            self.kill = Kill::Done;
        }
        is_due
    }

    /// When to look again.
    pub(crate) fn deadline(&self, has_job: bool) -> Option<Moment> {
        match self.kill {
            Kill::Due { hard, .. } if has_job => Some(hard),
            Kill::Due { at, .. } => Some(at),
            Kill::Done => None,
        }
    }

    /// Its job ended: where patience was over, it has a moment to notice the signal.
    pub(crate) fn handle_job_ended(&mut self, now: Moment) {
        if let Kill::Due { at, hard } = &mut self.kill {
            *at = (*at).max(now + AFTER_JOB_PATIENCE).min(*hard);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::after_boot(Duration::from_secs(seconds))
    }

    fn leave() -> Leave {
        Leave::new(at(100), ProcessId(1), Some(Duration::from_secs(10)))
    }

    #[test]
    fn the_kill_comes_once_and_not_before_patience_is_over() {
        let mut leave = leave();
        assert!(!leave.is_kill_due(at(109), false));
        assert_eq!(leave.deadline(false), Some(at(110)));
        assert!(leave.is_kill_due(at(110), false));
        assert!(!leave.is_kill_due(at(111), false));
        assert_eq!(leave.deadline(false), None);
    }

    #[test]
    fn a_job_puts_the_kill_off_to_the_hard_limit() {
        let mut leave = leave();
        assert!(!leave.is_kill_due(at(110), true));
        assert_eq!(leave.deadline(true), Some(at(100) + JOB_PATIENCE));
        assert!(!leave.is_kill_due(at(3699), true));
        assert!(leave.is_kill_due(at(100) + JOB_PATIENCE, true));
    }

    #[test]
    fn a_job_that_ended_after_patience_leaves_a_moment_to_leave() {
        let mut leave = leave();
        assert!(!leave.is_kill_due(at(130), true));
        leave.handle_job_ended(at(130));
        assert!(!leave.is_kill_due(at(130), false));
        assert!(leave.is_kill_due(at(130) + AFTER_JOB_PATIENCE, false));
    }
}
