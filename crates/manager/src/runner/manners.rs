//! How the workers of a program take their stop signal: they end their job first, or they die of it.
//!
//! From: the ends of processes that had it. To: [`super::life`], which sends it. Never: takes a handler of the signal
//! for proof: the runtimes of PHP, Node, Ruby, Java and Go have one, whether the worker has one or not, and a worker's
//! own may end it at once.

use crate::config::ProgramName;
use crate::limits::GOES_ON_MIN;
use crate::planner::End;
use nix::sys::signal::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What a shell, and Java, add to the number of a signal that ended a process.
const EXIT_CODE_OF_SIGNAL: i32 = 128;

/// Versions of programs whose workers went on with their job after their stop signal, and left by themselves then; and
/// the last one told so did.
#[derive(Debug, Default)]
pub(crate) struct Manners {
    graceful: BTreeSet<(ProgramName, u64)>,
}

impl Manners {
    /// A process of this version of its program ended that had its stop signal.
    ///
    /// `in_job_for`: how long ago it got that, where it may have been in the middle of a job then. How it takes the
    /// signal without a job proves nothing.
    pub(crate) fn handle_end(
        &mut self,
        program: &ProgramName,
        version: u64,
        signal: Signal,
        in_job_for: Option<Duration>,
        end: &End,
    ) {
        match end {
            End::Code(code) if *code != EXIT_CODE_OF_SIGNAL + signal as i32 => {
                if in_job_for.is_some_and(|lived| lived >= GOES_ON_MIN) {
                    // Older ones than the version before are gone, but for the rare one that then waits again.
                    self.graceful.retain(|(of, it)| of != program || it + 1 >= version);
                    self.graceful.insert((program.clone(), version));
                }
            }
            End::Signal(name) if *name != signal.as_str() => {}
            End::Code(_) | End::Signal(_) => {
                self.graceful.remove(&(program.clone(), version));
            }
            End::Unknown | End::NotSpawned(_) => {}
        }
    }

    /// Whether the next process of this version may die of the signal, although there is a handler; another manager's
    /// may.
    pub(crate) fn may_die(&self, program: &ProgramName, version: Option<u64>) -> bool {
        version.is_none_or(|version| !self.graceful.contains(&(program.clone(), version)))
    }

    /// Forgets programs that are no more.
    pub(crate) fn retain<T>(&mut self, programs: &BTreeMap<ProgramName, T>) {
        self.graceful.retain(|(program, _)| programs.contains_key(program));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> ProgramName {
        ProgramName::parse("mail").unwrap()
    }

    #[test]
    fn a_version_of_a_program_is_what_its_last_worker_was() {
        let mut manners = Manners::default();
        assert!(manners.may_die(&mail(), Some(1)));
        let steps = [
            (End::Code(0), false),
            (End::Code(1), false),
            (End::Signal("SIGTERM"), true),
            (End::Code(0), false),
            // Its patience was over, or it was another's signal: nothing is known of the stop signal.
            (End::Signal("SIGKILL"), false),
            (End::Unknown, false),
            (End::Code(143), true),
        ];
        for (end, may_die) in steps {
            manners.handle_end(&mail(), 1, Signal::SIGTERM, Some(GOES_ON_MIN), &end);
            assert_eq!(manners.may_die(&mail(), Some(1)), may_die, "after {end}");
        }
    }

    #[test]
    fn who_left_without_a_job_or_at_once_proves_nothing() {
        let mut manners = Manners::default();
        for in_job_for in [None, Some(GOES_ON_MIN / 2)] {
            manners.handle_end(&mail(), 1, Signal::SIGTERM, in_job_for, &End::Code(0));
            assert!(manners.may_die(&mail(), Some(1)), "{in_job_for:?}");
        }
    }

    #[test]
    fn one_version_says_nothing_of_another_whichever_ends_last() {
        let mut manners = Manners::default();
        for ended in [1, 2, 1] {
            manners.handle_end(&mail(), ended, Signal::SIGTERM, Some(GOES_ON_MIN), &End::Code(0));
            assert!(manners.may_die(&mail(), Some(3)) && manners.may_die(&mail(), None));
            assert!(!manners.may_die(&mail(), Some(ended)));
        }
        manners.handle_end(&mail(), 2, Signal::SIGTERM, None, &End::Signal("SIGTERM"));
        assert!(manners.may_die(&mail(), Some(2)) && !manners.may_die(&mail(), Some(1)));
        manners.retain(&BTreeMap::<ProgramName, ()>::new());
        assert!(manners.may_die(&mail(), Some(1)));
    }
}
