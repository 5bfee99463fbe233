//! Leaving: a process was told to stop, and has time to finish its job.
//!
//! From: the planner, which sends the stop signal. To: the kill, when patience is over.
//! Never: kills before that; and after it, not while the process is known to be in the middle of a job,
//! up to a hard limit; unless a person is in a hurry.

use super::moment::Moment;
use super::state::ProcessId;
use crate::config::Stop;
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
    /// At `at`, or where it has a job then, at `hard`; without that, not as long as it has one.
    Due { at: Moment, hard: Option<Moment> },
    /// Not by itself.
    Never,
    /// It was killed, and the kernel has the last word.
    Done,
}

impl Leave {
    /// A process that gets its stop signal now; without patience it is never killed.
    pub(crate) fn new(now: Moment, process: ProcessId, patience: Option<Duration>) -> Self {
        Self::with_patience(now, process, patience, Some(JOB_PATIENCE))
    }

    /// The same, as its program says how long it may go on without and with a job.
    pub(crate) fn of(now: Moment, process: ProcessId, stop: &Stop) -> Self {
        Self::with_patience(now, process, stop.patience, stop.patience_job)
    }

    fn with_patience(
        now: Moment,
        process: ProcessId,
        patience: Option<Duration>,
        of_job: Option<Duration>,
    ) -> Self {
        let kill = patience.map_or(Kill::Never, |patience| Kill::Due {
            at: now + patience,
            hard: of_job.map(|of_job| now + patience.max(of_job)),
        });
        Self { process, kill }
    }

    /// Patience is over now, whatever it does; unless it was killed already.
    pub(crate) fn hurry(&mut self, now: Moment) {
        if self.kill != Kill::Done {
            self.kill = Kill::Due { at: now, hard: Some(now) };
        }
    }

    /// Whether it is to be killed now; true once.
    pub(crate) fn is_kill_due(&mut self, now: Moment, has_job: bool) -> bool {
        let Kill::Due { at, hard } = self.kill else { return false };
        let is_due = hard.is_some_and(|hard| now >= hard) || (now >= at && !has_job);
        if is_due {
            self.kill = Kill::Done;
        }
        is_due
    }

    /// When to look again.
    pub(crate) fn deadline(&self, has_job: bool) -> Option<Moment> {
        match self.kill {
            Kill::Due { hard, .. } if has_job => hard,
            Kill::Due { at, .. } => Some(at),
            Kill::Never | Kill::Done => None,
        }
    }

    /// Its job ended: where patience was over, it has a moment to notice the signal.
    pub(crate) fn handle_job_ended(&mut self, now: Moment) {
        if let Kill::Due { at, hard } = &mut self.kill {
            *at = (*at).max(now + AFTER_JOB_PATIENCE);
            if let Some(hard) = hard {
                *at = (*at).min(*hard);
            }
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

    #[test]
    fn who_may_end_every_job_is_not_killed_in_one() {
        let stop = Stop { patience_job: None, ..Stop::default() };
        let mut leave = Leave::of(at(100), ProcessId(1), &stop);
        assert_eq!(leave.deadline(true), None);
        assert!(!leave.is_kill_due(at(1_000_000), true));
        assert!(leave.is_kill_due(at(1_000_000), false));
        let stop = Stop { patience_job: Some(Duration::from_secs(90)), ..Stop::default() };
        assert_eq!(Leave::of(at(100), ProcessId(1), &stop).deadline(true), Some(at(190)));
    }

    #[test]
    fn in_a_hurry_nothing_is_waited_for() {
        let endless = Stop { patience: None, ..Stop::default() };
        for mut leave in [leave(), Leave::of(at(100), ProcessId(1), &endless)] {
            leave.hurry(at(101));
            assert_eq!(leave.deadline(true), Some(at(101)));
            assert!(leave.is_kill_due(at(101), true));
            leave.hurry(at(102));
            assert!(!leave.is_kill_due(at(102), true), "killed once");
        }
    }
}
