//! How the workers of a program take their stop signal: they end their job first, or they die of it.
//!
//! From: the ends of processes that had it. To: [`super::life`], which sends it. Never: takes a handler of the signal for
//! proof: the runtimes of PHP, Node, Ruby, Java and Go have one, whether the worker has one or not.

use crate::config::ProgramName;
use crate::planner::End;
use nix::sys::signal::Signal;
use std::collections::{BTreeMap, BTreeSet};

/// What a shell, and Java, add to the number of a signal that ended a process.
const EXIT_CODE_OF_SIGNAL: i32 = 128;

/// The programs whose workers were seen to leave by themselves at their stop signal, and did so the last time.
#[derive(Debug, Default)]
pub(crate) struct Manners {
    graceful: BTreeSet<ProgramName>,
}

impl Manners {
    /// A process ended that had its stop signal.
    pub(crate) fn handle_end(&mut self, program: &ProgramName, signal: Signal, end: &End) {
        match end {
            End::Code(code) if *code != EXIT_CODE_OF_SIGNAL + signal as i32 => {
                self.graceful.insert(program.clone());
            }
            End::Signal(name) if *name != signal.as_str() => {}
            End::Code(_) | End::Signal(_) => {
                self.graceful.remove(program);
            }
            End::Unknown | End::NotSpawned(_) => {}
        }
    }

    /// Whether the next process may die of the signal, although there is a handler.
    pub(crate) fn may_die(&self, program: &ProgramName) -> bool {
        !self.graceful.contains(program)
    }

    /// Forgets programs that are no more.
    pub(crate) fn retain<T>(&mut self, programs: &BTreeMap<ProgramName, T>) {
        self.graceful.retain(|program| programs.contains_key(program));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_what_its_last_worker_was() {
        let program: ProgramName = ProgramName::parse("mail").unwrap();
        let mut manners = Manners::default();
        assert!(manners.may_die(&program));
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
            manners.handle_end(&program, Signal::SIGTERM, &end);
            assert_eq!(manners.may_die(&program), may_die, "after {end}");
        }
    }
}
