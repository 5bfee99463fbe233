//! Leaving: a process was told to stop, and has time to finish its job.
//!
//! From: the planner, which sends the stop signal. To: the kill, when patience is over.
//! Never: kills before that, or by an old word; and after it, not while the process may be in the middle of a job, up
//! to a hard limit; unless a person is in a hurry.

use super::job::{Job, Word};
use super::moment::Moment;
use super::state::ProcessId;
use crate::config::Stop;
use crate::limits::{AFTER_JOB_PATIENCE, WORD_PATIENCE};
use std::time::Duration;

/// A process that was told to leave.
#[derive(Debug, Clone, PartialEq)]
pub struct Leave {
    /// Which one.
    pub process: ProcessId,
    told: Moment,
    /// From when on its patience counts.
    since: Moment,
    /// From its stop signal to the kill; without, there is none.
    patience: Option<Duration>,
    /// From the order to leave to the end of what a job is protected by.
    patience_job: Option<Duration>,
    signal: Signal,
    kill: Kill,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Signal {
    /// It has its stop signal.
    Sent,
    /// It would die of its stop signal in the middle of a job: it gets it when it has none for certain.
    Held,
    /// The same, and it has one.
    HeldForJob,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Kill {
    /// At `at`, or where it may have a job then, at `hard`; without that, not as long as it may.
    Due { at: Moment, hard: Option<Moment> },
    /// Not by itself.
    Never,
    /// It was killed, and the kernel has the last word.
    Done,
}

impl Kill {
    /// By a patience that counts from this moment on.
    fn after(since: Moment, stop: &Stop) -> Self {
        stop.patience.map_or(Self::Never, |patience| Self::Due {
            at: since + patience,
            hard: stop.patience_job.map(|of_job| since + patience.max(of_job)),
        })
    }
}

/// What is due of a process that was told to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// The stop signal that was held back.
    Signal,
    /// The kill.
    Kill,
}

impl Leave {
    /// A process that gets its stop signal now; without patience it is never killed.
    pub(crate) fn new(now: Moment, process: ProcessId, stop: &Stop) -> Self {
        let (patience, patience_job) = stop.patiences();
        let kill = Kill::after(now, stop);
        Self { process, told: now, since: now, patience, patience_job, signal: Signal::Sent, kill }
    }

    /// Another patience, which counts from now on: nobody is killed by what was written since, sooner than that says.
    pub(crate) fn set_patience(&mut self, now: Moment, stop: &Stop) {
        if self.kill == Kill::Done || stop.patiences() == (self.patience, self.patience_job) {
            return;
        }
        (self.patience, self.patience_job) = stop.patiences();
        self.since = now;
        self.kill = Kill::after(now, stop);
    }

    /// Patience is over now, whatever it does; unless it was killed already.
    pub(crate) fn hurry(&mut self, now: Moment) {
        if self.kill != Kill::Done {
            self.signal = Signal::Sent;
            self.kill = Kill::Due { at: now, hard: Some(now) };
        }
    }

    /// It did not get its stop signal: it would die of it, and may have a job.
    pub(crate) fn handle_held(&mut self) {
        // Somebody may have been in a hurry meanwhile.
        if self.kill != Kill::Done {
            self.signal = Signal::Held;
        }
    }

    /// Whether its job holds its signal back; true once.
    pub(crate) fn poll_held_for_job(&mut self, word: &Word) -> bool {
        let is_news = self.signal == Signal::Held && word.has_job();
        if is_news {
            self.signal = Signal::HeldForJob;
        }
        is_news
    }

    /// What is to be done now; each thing once.
    pub(crate) fn poll_due(&mut self, now: Moment, word: &Word) -> Option<Due> {
        if self.signal != Signal::Sent {
            if self.signal_deadline(word).is_none_or(|deadline| now < deadline) {
                return None;
            }
            self.signal = Signal::Sent;
            if let (Kill::Due { at, hard }, Some(patience)) = (&mut self.kill, self.patience) {
                // One that does not die of it, as it might have, has its time to leave.
                *at = (*at).max(now + patience);
                *hard = hard.map(|hard| hard.max(*at));
            }
            return Some(Due::Signal);
        }
        let Kill::Due { at, hard } = self.kill else { return None };
        let is_known = word.is_of(at) || now >= at + WORD_PATIENCE;
        let is_due = hard.is_some_and(|hard| now >= hard) || (now >= at && !word.has_job() && is_known);
        if is_due {
            self.kill = Kill::Done;
        }
        is_due.then_some(Due::Kill)
    }

    /// When the held signal is sent, as far as is known; without, when its job ends.
    fn signal_deadline(&self, word: &Word) -> Option<Moment> {
        match (word.job, self.kill) {
            (Job::None, _) if word.is_of(self.told) => Some(self.told),
            // The servers are silent.
            (Job::None, _) => Some(self.told + WORD_PATIENCE),
            // The job that it had when it was told; another one would never be the last.
            (Job::Sure { since }, Kill::Due { hard, .. }) if since <= self.told => hard,
            (Job::Sure { .. } | Job::Maybe, Kill::Due { at, .. }) => Some(at),
            (Job::Sure { since }, Kill::Never) if since <= self.told => None,
            // A function in use always has one, and a restart would not end.
            (Job::Sure { .. } | Job::Maybe, Kill::Never) => Some(self.since + self.patience_job?),
            (Job::Sure { .. } | Job::Maybe, Kill::Done) => None,
        }
    }

    /// When to look again.
    pub(crate) fn deadline(&self, word: &Word) -> Option<Moment> {
        if self.signal != Signal::Sent {
            return self.signal_deadline(word);
        }
        match self.kill {
            Kill::Due { hard, .. } if word.has_job() => hard,
            Kill::Due { at, .. } if word.is_of(at) => Some(at),
            // The next word comes before that, unless the servers are silent.
            Kill::Due { at, hard } => {
                let silent = at + WORD_PATIENCE;
                Some(hard.map_or(silent, |hard| silent.min(hard)))
            }
            Kill::Never | Kill::Done => None,
        }
    }

    /// From when on a word is wanted, where it hinges on one.
    pub(crate) fn word_wanted(&self, word: &Word) -> Option<Moment> {
        if self.signal != Signal::Sent {
            return (!word.is_of(self.told)).then_some(self.told);
        }
        match self.kill {
            Kill::Due { at, .. } if !word.is_of(at) => Some(at),
            Kill::Due { .. } | Kill::Never | Kill::Done => None,
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
    use crate::limits::JOB_PATIENCE;

    fn at(seconds: u64) -> Moment {
        Moment::after_boot(Duration::from_secs(seconds))
    }

    fn stop(seconds: Option<u64>) -> Stop {
        Stop { patience: seconds.map(Duration::from_secs), ..Stop::default() }
    }

    fn leave() -> Leave {
        Leave::new(at(100), ProcessId(1), &stop(Some(10)))
    }

    fn word(job: Job, as_of: u64) -> Word {
        Word { is_asked: true, job, as_of: Some(at(as_of)) }
    }

    #[test]
    fn the_kill_comes_once_and_not_before_patience_is_over() {
        let (mut leave, no_worker) = (leave(), Word::new(false));
        assert_eq!(leave.poll_due(at(109), &no_worker), None);
        assert_eq!(leave.deadline(&no_worker), Some(at(110)));
        assert_eq!(leave.poll_due(at(110), &no_worker), Some(Due::Kill));
        assert_eq!(leave.poll_due(at(111), &no_worker), None);
        assert_eq!(leave.deadline(&no_worker), None);
    }

    #[test]
    fn a_job_puts_the_kill_off_to_the_hard_limit() {
        for job in [Job::Maybe, Job::Sure { since: at(1) }] {
            let (mut leave, word) = (leave(), word(job, 110));
            assert_eq!(leave.poll_due(at(110), &word), None);
            assert_eq!(leave.deadline(&word), Some(at(100) + JOB_PATIENCE));
            assert_eq!(leave.poll_due(at(3699), &word), None);
            assert_eq!(leave.poll_due(at(100) + JOB_PATIENCE, &word), Some(Due::Kill));
        }
    }

    #[test]
    fn a_job_that_ended_after_patience_leaves_a_moment_to_leave() {
        let mut leave = leave();
        assert_eq!(leave.poll_due(at(130), &word(Job::Maybe, 130)), None);
        leave.handle_job_ended(at(130));
        assert_eq!(leave.poll_due(at(130), &word(Job::None, 130)), None);
        assert_eq!(leave.poll_due(at(130) + AFTER_JOB_PATIENCE, &word(Job::None, 132)), Some(Due::Kill));
    }

    #[test]
    fn nobody_is_killed_by_a_word_from_before_the_end_of_patience_unless_the_servers_are_silent() {
        let mut leave = leave();
        let old = word(Job::None, 109);
        assert_eq!(leave.word_wanted(&old), Some(at(110)));
        assert_eq!(leave.poll_due(at(110), &old), None);
        assert_eq!(leave.deadline(&old), Some(at(110) + WORD_PATIENCE));
        assert_eq!(leave.clone().poll_due(at(110) + WORD_PATIENCE, &old), Some(Due::Kill));
        assert_eq!(leave.poll_due(at(111), &word(Job::None, 111)), Some(Due::Kill));
    }

    #[test]
    fn a_held_signal_waits_for_the_end_of_the_job() {
        let mut leave = leave();
        leave.handle_held();
        let busy = word(Job::Sure { since: at(90) }, 105);
        assert_eq!(leave.poll_due(at(2000), &busy), None);
        assert_eq!(leave.deadline(&busy), Some(at(100) + JOB_PATIENCE));
        assert_eq!(leave.poll_due(at(2000), &word(Job::None, 2000)), Some(Due::Signal));
        // From now on it has its patience.
        assert_eq!(leave.poll_due(at(2009), &word(Job::None, 2009)), None);
        assert_eq!(leave.poll_due(at(2010), &word(Job::None, 2010)), Some(Due::Kill));
    }

    #[test]
    fn a_held_signal_waits_for_other_jobs_up_to_patience_alone() {
        for job in [Job::Maybe, Job::Sure { since: at(101) }] {
            let mut leave = leave();
            leave.handle_held();
            assert_eq!(leave.poll_due(at(109), &word(job, 109)), None);
            assert_eq!(leave.deadline(&word(job, 109)), Some(at(110)));
            assert_eq!(leave.poll_due(at(110), &word(job, 110)), Some(Due::Signal));
            assert_eq!(leave.poll_due(at(200), &word(job, 200)), None, "and then it has its patience");
        }
    }

    #[test]
    fn a_held_signal_waits_for_other_jobs_up_to_the_patience_for_jobs_where_nobody_is_killed() {
        for (patience_job, expected) in [(Some(Duration::from_secs(90)), Some(at(190))), (None, None)] {
            let stop = Stop { patience_job, ..stop(None) };
            for job in [Job::Maybe, Job::Sure { since: at(101) }] {
                let mut leave = Leave::new(at(100), ProcessId(1), &stop);
                leave.handle_held();
                assert_eq!(leave.poll_due(at(189), &word(job, 189)), None);
                assert_eq!(leave.deadline(&word(job, 189)), expected);
                assert_eq!(leave.poll_due(at(190), &word(job, 190)), expected.map(|_| Due::Signal));
                assert_eq!(leave.poll_due(at(1_000_000), &word(job, 190)), None, "it is not killed");
            }
            // Its own job ends some time.
            let mut leave = Leave::new(at(100), ProcessId(1), &stop);
            leave.handle_held();
            assert_eq!(leave.deadline(&word(Job::Sure { since: at(90) }, 105)), None);
        }
    }

    #[test]
    fn a_held_signal_waits_for_a_word_from_after_the_order_to_leave_and_a_while_alone_where_none_comes() {
        for old in [Word::new(true), word(Job::None, 99)] {
            let mut leave = Leave::new(at(100), ProcessId(1), &stop(None));
            leave.handle_held();
            assert_eq!(leave.word_wanted(&old), Some(at(100)));
            assert_eq!(leave.poll_due(at(105), &old), None);
            assert_eq!(leave.clone().poll_due(at(100) + WORD_PATIENCE, &old), Some(Due::Signal));
            assert_eq!(leave.poll_due(at(105), &word(Job::None, 101)), Some(Due::Signal));
        }
    }

    #[test]
    fn who_may_end_every_job_is_not_killed_in_one() {
        let endless = Stop { patience_job: None, ..stop(Some(10)) };
        let mut leave = Leave::new(at(100), ProcessId(1), &endless);
        let busy = word(Job::Sure { since: at(90) }, 1_000_000);
        assert_eq!(leave.deadline(&busy), None);
        assert_eq!(leave.poll_due(at(1_000_000), &busy), None);
        assert_eq!(leave.poll_due(at(1_000_000), &word(Job::None, 1_000_000)), Some(Due::Kill));
        let short = Stop { patience_job: Some(Duration::from_secs(90)), ..stop(Some(10)) };
        assert_eq!(Leave::new(at(100), ProcessId(1), &short).deadline(&busy), Some(at(190)));
    }

    #[test]
    fn another_patience_counts_from_its_change_on() {
        let (idle, busy) = (word(Job::None, 1_000_000), word(Job::Sure { since: at(90) }, 1_000_000));
        let mut leave = Leave::new(at(100), ProcessId(1), &stop(None));
        assert_eq!(leave.deadline(&idle), None);
        leave.set_patience(at(1000), &stop(Some(10)));
        assert_eq!(
            (leave.deadline(&idle), leave.deadline(&busy)),
            (Some(at(1010)), Some(at(1000) + JOB_PATIENCE))
        );
        // The same again changes nothing.
        leave.set_patience(at(1005), &stop(Some(10)));
        assert_eq!(leave.deadline(&idle), Some(at(1010)));
        leave.set_patience(at(1005), &stop(None));
        assert_eq!((leave.deadline(&idle), leave.poll_due(at(1_000_000), &idle)), (None, None));
        leave.set_patience(at(2000), &stop(Some(10)));
        assert_eq!(leave.poll_due(at(2010), &idle), Some(Due::Kill));
        leave.set_patience(at(2010), &stop(Some(20)));
        assert_eq!(leave.poll_due(at(1_000_000), &idle), None, "killed once");
    }

    #[test]
    fn a_held_signal_goes_by_another_patience_from_its_change_on() {
        let busy = word(Job::Maybe, 1_000_000);
        let mut leave = leave();
        leave.handle_held();
        leave.set_patience(at(105), &stop(None));
        assert_eq!(leave.deadline(&busy), Some(at(105) + JOB_PATIENCE));
        leave.set_patience(at(205), &stop(Some(20)));
        assert_eq!(leave.deadline(&busy), Some(at(225)));
        assert_eq!(leave.poll_due(at(225), &busy), Some(Due::Signal));
    }

    #[test]
    fn in_a_hurry_nothing_is_waited_for() {
        let busy = word(Job::Sure { since: at(90) }, 101);
        let mut held = leave();
        held.handle_held();
        for mut leave in [leave(), held, Leave::new(at(100), ProcessId(1), &stop(None))] {
            leave.hurry(at(101));
            assert_eq!(leave.deadline(&busy), Some(at(101)));
            assert_eq!(leave.poll_due(at(101), &busy), Some(Due::Kill));
            leave.hurry(at(102));
            leave.handle_held();
            assert_eq!(leave.poll_due(at(102), &busy), None, "killed once");
            assert_eq!(leave.poll_due(at(2000), &word(Job::None, 2000)), None, "and told nothing more");
        }
    }
}
