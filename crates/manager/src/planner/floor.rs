//! What all programs share: chance, the numbers of processes, and what is to be done.
//!
//! From: the planner and its programs. To: the runner, action by action. Never: decides.

use super::event::Event;
use super::leave::Leave;
use super::moment::Moment;
use super::random::Random;
use super::state::ProcessId;
use crate::config::{Program, ProgramName};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What the runner is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Spawn a process; where that fails, [`super::Planner::handle_exited`] is told [`super::End::NotSpawned`].
    Spawn {
        /// Its number.
        process: ProcessId,
        /// Its program.
        name: ProgramName,
        /// Its place in the program, from 0.
        slot: u32,
        /// What it is.
        program: Arc<Program>,
    },
    /// Tell a process to leave, with the stop signal of its program.
    Stop {
        /// Which one.
        process: ProcessId,
        /// Whether its whole process group is meant.
        group: bool,
    },
    /// Kill a process with its whole process group.
    Kill {
        /// Which one.
        process: ProcessId,
    },
    /// Write an event into the log.
    Note(Event),
    /// All processes are gone after a shutdown: the manager ends.
    End,
}

/// What is known of a live process.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) program: ProgramName,
    pub(crate) slot: u32,
    pub(crate) has_job: bool,
}

/// A process that belongs to no place: what is left of a group whose leader ended, or an orphan of a program
/// that is no more.
#[derive(Debug, Clone)]
pub(crate) struct Remains {
    pub(crate) program: ProgramName,
    pub(crate) leave: Leave,
}

#[derive(Debug)]
pub(crate) struct Floor {
    pub(crate) random: Random,
    pub(crate) live: BTreeMap<ProcessId, Live>,
    pub(crate) remains: BTreeMap<ProcessId, Remains>,
    /// Since when a job server answers; without, none does, and readiness cannot be seen.
    pub(crate) servers_since: Option<Moment>,
    pub(crate) is_ending: bool,
    actions: VecDeque<Action>,
    next_process: u64,
}

impl Floor {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            live: BTreeMap::new(),
            remains: BTreeMap::new(),
            servers_since: None,
            is_ending: false,
            actions: VecDeque::new(),
            next_process: 1,
        }
    }

    pub(crate) fn act(&mut self, action: Action) {
        self.actions.push_back(action);
    }

    pub(crate) fn note(&mut self, event: Event) {
        self.act(Action::Note(event));
    }

    pub(crate) fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// A number for a process of this place.
    pub(crate) fn admit(&mut self, program: &ProgramName, slot: u32) -> ProcessId {
        let process = ProcessId(self.next_process);
        self.next_process += 1;
        self.live.insert(process, Live { program: program.clone(), slot, has_job: false });
        process
    }

    pub(crate) fn has_job(&self, process: ProcessId) -> bool {
        self.live.get(&process).is_some_and(|live| live.has_job)
    }

    /// Kills a process whose time to leave is over.
    pub(crate) fn kill_if_due(&mut self, now: Moment, program: &ProgramName, leave: &mut Leave) {
        let had_job = self.has_job(leave.process);
        if leave.is_kill_due(now, had_job) {
            self.act(Action::Kill { process: leave.process });
            self.note(Event::Killed { program: program.to_string(), process: leave.process, had_job });
        }
    }
}
